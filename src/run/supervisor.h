/* The supervisor: answers the program's system calls from a stack, and moves its bytes.
 *
 * It lives on a runner beside the stack. What it is told comes by three ways only: calls of the
 * program (the notification descriptor), events of the stack, and readiness of its own ends of the
 * program's sockets. It blocks nowhere: a call that must wait is kept and answered later.
 */
#ifndef SLT_RUN_SUPERVISOR_H
#define SLT_RUN_SUPERVISOR_H

#include "salut/runner.h"

#include <sys/types.h>

struct slt_supervisor;

struct slt_supervisor_params {
    struct salut_runner *runner;
    struct salut_stack *stack; /* not yet on the runner: the supervisor adds it */
    struct salut_link *link;
    const struct salut_config *config; /* what the stack was made with; with own_traffic its own
                                          addresses are reached, too */
    int notify_fd;                     /* of the program; stays the caller's */
    pid_t root;                        /* the program's first process */
    uint32_t mss;      /* the user's upper bound on every socket's segments (TCP_MAXSEG); 0: none */
    bool loopback_off; /* do not serve 127.0.0.1 and ::1 through the kernel */
    void (*note)(void *ctx, const char *line); /* something the user should know; NULL: silent */
    void *ctx;
    uint32_t sockets_max; /* 0: 65,536 */
};

/* Returns SALUT_OK, SALUT_INVALID, SALUT_NO_MEMORY, or what the system refused. */
SALUT_MUST_USE enum salut_status slt_supervisor_create(const struct slt_supervisor_params *params,
                                                       struct slt_supervisor **supervisor);

/* The program has ended: what it still had open is closed as the kernel closes the sockets of a
 * process (SOCK-07). Connections end in the background, with further turns of the runner. */
void slt_supervisor_program_ended(struct slt_supervisor *supervisor);

/* True when no connection has anything left to say (TIME-WAIT and FIN-WAIT-2 do not count). */
bool slt_supervisor_is_quiet(const struct slt_supervisor *supervisor);

/* Let go of everything, and of the stack on the runner. NULL is allowed. */
void slt_supervisor_destroy(struct slt_supervisor *supervisor);

/* Who owns a connection or listener of the stack: the process and descriptor that were last seen
 * to use it. False: nobody (closed and ending in the background, or not accepted yet). */
struct slt_run_owner {
    pid_t pid;
    int fd;
    uint64_t inode;
    char name[32];
};
bool slt_supervisor_owner(const struct slt_supervisor *supervisor, salut_conn conn,
                          struct slt_run_owner *owner);

#endif
