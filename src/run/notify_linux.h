/* The door between a program and its supervisor: system calls that the filter (filter_linux.h)
 * hands over wait here until they are answered (seccomp_unotify(2)).
 *
 * A call is a value: its number, its arguments and the thread that made it. What its pointers
 * point to is read and written by target_linux.h; between reading and answering the thread may
 * have been killed or interrupted, and its id given to another, so everything that was learnt of
 * it counts only if slt_notify_is_waiting says so afterwards.
 *
 * Every call taken is answered exactly once, by one of answer, pass, kill and give; answering one
 * that is gone is no error (the thread was interrupted or killed).
 */
#ifndef SLT_RUN_NOTIFY_LINUX_H
#define SLT_RUN_NOTIFY_LINUX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The calls the filter hands over. */
enum slt_call_kind {
    SLT_CALL_SOCKET,
    SLT_CALL_BIND,
    SLT_CALL_LISTEN,
    SLT_CALL_ACCEPT,  /* accept(2) with room for an address */
    SLT_CALL_ACCEPT4, /* accept4(2) likewise */
    SLT_CALL_CONNECT,
    SLT_CALL_GETSOCKNAME,
    SLT_CALL_GETPEERNAME,
    SLT_CALL_SETSOCKOPT,
    SLT_CALL_GETSOCKOPT,
    SLT_CALL_SHUTDOWN,
    SLT_CALL_SENDTO,   /* with an address, MSG_FASTOPEN, MSG_OOB or MSG_MORE */
    SLT_CALL_SENDMSG,  /* with MSG_FASTOPEN, MSG_OOB or MSG_MORE */
    SLT_CALL_RECVFROM, /* with room for an address, MSG_OOB or MSG_TRUNC */
    SLT_CALL_RECVMSG,  /* with MSG_OOB */
    SLT_CALL_IOCTL,    /* SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK; the others are the kernel's */
    SLT_CALL_FOREIGN,  /* of an architecture that is not this one: the program cannot be run */
    SLT_CALL_COUNT
};

struct slt_call {
    uint64_t id; /* the kernel's cookie */
    pid_t tid;   /* the thread, as this process sees it */
    int nr;      /* the system call's number */
    enum slt_call_kind kind;
    uint64_t args[6];
};

/* Ask the kernel to run the program's thread and ours by turns on one processor, which saves
 * waking another for each call. */
void slt_notify_prefer_handoff(int notify_fd);

/* True when the kernel can put descriptors into the program's table (Linux 5.9). */
bool slt_notify_can_give(int notify_fd);

/* True when no process is under the filter any more; notify_fd polls EPOLLHUP from then on. */
bool slt_notify_is_deserted(int notify_fd);

/* Take the next call that waits; `notify_fd` polls EPOLLIN while there is one. False when there is
 * none (any more). */
bool slt_notify_take(int notify_fd, struct slt_call *call);

/* True while the thread still waits for this very answer. */
bool slt_notify_is_waiting(int notify_fd, const struct slt_call *call);

/* Let the call return `result`: 0 and more, or a negative errno value. False: nobody heard it, for
 * the thread was killed, or interrupted by a signal; then the same call may come again
 * (SA_RESTART), and should find what it would have found. */
bool slt_notify_answer(int notify_fd, const struct slt_call *call, int64_t result);

/* Let the kernel carry the call out as it stands. Only for descriptors that are not salut's, and
 * for calls whose memory arguments do not matter to us: the program may change them meanwhile. */
void slt_notify_pass(int notify_fd, const struct slt_call *call);

/* Kill the process that waits for this answer: it cannot be served, and would misbehave. The call
 * returns ENOSYS for what it is still worth. */
void slt_notify_kill(int notify_fd, const struct slt_call *call);

/* Put a copy of `our_fd` into the program's table, and let the call return its number there.
 * `fd_flags` is 0 or O_CLOEXEC. False: the program has not got it; either its table is full, and
 * the call was answered with -EMFILE (or what the kernel said), or the thread is gone. In both
 * cases the call is over. The caller still owns our_fd. */
bool slt_notify_give(int notify_fd, const struct slt_call *call, int our_fd, int fd_flags);

/* The same, but a call that cannot be given it (-EMFILE) is left waiting for another answer.
 * Returns the number there (and the call is over), or a negative errno value. */
int slt_notify_try_give(int notify_fd, const struct slt_call *call, int our_fd, int fd_flags);

/* Put a copy of `our_fd` in the place of the program's descriptor `their_fd`, which is closed
 * (dup2). The call still waits. Returns 0 or a negative errno value. */
int slt_notify_replace(int notify_fd, const struct slt_call *call, int our_fd, int their_fd,
                       int fd_flags);

#endif
