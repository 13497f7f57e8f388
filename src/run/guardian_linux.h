/* The guardian: what is left to say for a supervisor that was killed.
 *
 * When a supervisor dies, the kernel closes its ends of the program's connections, which the
 * program reads as their end, and answers its waiting calls with ENOSYS. Nobody tells a program
 * that waits at a listening socket: those are UNIX listeners, to which nobody will ever connect
 * again. The guardian is a small process that waits for that death, shuts such listeners down
 * (accept(2) says EINVAL, poll(2) POLLHUP), and ends.
 */
#ifndef SLT_RUN_GUARDIAN_LINUX_H
#define SLT_RUN_GUARDIAN_LINUX_H

#include <sys/types.h>

struct slt_supervisor;

struct slt_guardian {
    pid_t pid; /* -1: there is none */
    int fd;    /* what it waits at: open while we live */
};

/* Before privileges are given up, and before the program's first call is answered. Where no process
 * can be made, there is none, and the program may wait in vain. */
void slt_guardian_start(struct slt_guardian *guardian, const struct slt_supervisor *supervisor);

/* It is not needed any more. */
void slt_guardian_stop(struct slt_guardian *guardian);

#endif
