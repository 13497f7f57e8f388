/* The program: started under the filter, waited for, and told of signals.
 */
#ifndef SLT_RUN_CHILD_LINUX_H
#define SLT_RUN_CHILD_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct slt_child_plan {
    char *const *argv;                                  /* argv[0] is looked up in PATH */
    bool (*prepare)(void *ctx, char *why, size_t size); /* called in the child before the filter is
                                installed (namespaces, mounts, ids); NULL: nothing to do */
    void *ctx;
};

struct slt_child {
    pid_t pid;
    int pidfd;     /* polls EPOLLIN when it ends */
    int notify_fd; /* non-blocking; the supervisor's to answer, closed by who started the child */
    int status;    /* -1 until it was reaped; then as a shell gives it */
};

/* Start the program, before slt_privilege_drop, which it would inherit. On failure `why` has a
 * sentence that says what is wrong and what helps, and the result is the exit code: 126 (cannot be
 * executed), 127 (not found), 3 (no user notification, no privilege), 1. 0: it runs. */
int slt_child_start(struct slt_child *child, const struct slt_child_plan *plan, char *why,
                    size_t size);

/* Reap what has ended. The exit status of the program as a shell gives it (128 + signal), -1 while
 * it runs; pidfd is readable once it does not. Orphans of the program come to us
 * (PR_SET_CHILD_SUBREAPER) and are reaped here, too, and so is every other child of this process.
 * *any_left says whether anything of the program goes on, wherever it is. */
int slt_child_reap(struct slt_child *child, bool *any_left);

/* Hand a signal on to the program. */
void slt_child_signal(const struct slt_child *child, int number);

#endif
