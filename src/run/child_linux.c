/* Starting the program under the filter; child_linux.h tells what it offers.
 *
 * How it works. The child prepares, puts itself under the filter, and sends the notification
 * descriptor to us through a socket that closes itself on execve; what goes wrong comes the same
 * way as a sentence and an exit code, and silence followed by the end of the socket is success. No
 * call that the filter hands over is made between the filter and execve, for nobody would answer.
 *
 * The program gets what a shell would have given it: the signals that we catch or block are at
 * their defaults, those that were ignored when we were started stay ignored (SIGPIPE excepted,
 * which we ignore for ourselves), and descriptors that are not close-on-exec are passed on.
 *
 * The filter itself knows whether anything of the program is left, also of what was orphaned or
 * moved to a session of its own: slt_notify_is_deserted.
 */
#define _GNU_SOURCE 1
#include "run/child_linux.h"

#include "base/compiler.h"
#include "run/filter_linux.h"
#include "run/notify_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_TROUBLE    1
#define EXIT_MISSING    3   /* privilege, device or kernel feature */
#define EXIT_CANNOT_RUN 126 /* as shells say it */
#define EXIT_NOT_FOUND  127

#define WHY_SIZE 256U

/* What the child tells. */
struct report {
    int code; /* 0: the filter is in place, and its descriptor comes along */
    char why[WHY_SIZE];
};

/* ---- the child's side --------------------------------------------------------------------- */

/* Send a report, with a descriptor when `fd` is not negative. */
static bool send_report(int door, const struct report *report, int fd)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.room = {0}};
    struct report copy = *report;
    struct iovec piece = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    return sendmsg(door, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(copy);
}

SLT_PRINTF(3, 4)
static _Noreturn void give_up(int door, int code, const char *format, ...)
{
    struct report report = {.code = code};
    va_list list;
    va_start(list, format);
    vsnprintf(report.why, sizeof(report.why), format, list);
    va_end(list);
    (void)send_report(door, &report, -1);
    _exit(code);
}

static void restore_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void hand_in_filter(int door)
{
    int fd = slt_filter_install();
    switch (fd) {
    case -ENOSYS:
    case -EINVAL:
    case -EOPNOTSUPP:
        give_up(door, EXIT_MISSING,
                "this kernel cannot hand a program's system calls to another process; needed is "
                "Linux 5.14 or later, with CONFIG_SECCOMP_FILTER");
    case -EBUSY:
        give_up(door, EXIT_MISSING,
                "another supervisor (a container manager, or `salut run` itself) already answers "
                "this process's system calls; run it outside of that");
    case -EACCES:
    case -EPERM:
        give_up(door, EXIT_MISSING,
                "the system call filter may not be installed: seccomp is forbidden here; allow "
                "it (in a container: --security-opt seccomp=unconfined)");
    default:
        break;
    }
    if (fd < 0) {
        give_up(door, EXIT_TROUBLE, "the system call filter cannot be installed: %s",
                strerror(-fd));
    }
    struct report ready = {.code = 0};
    if (!send_report(door, &ready, fd)) {
        _exit(EXIT_TROUBLE); /* nobody listens */
    }
    close(fd);
}

/* True when a folder of PATH has a file of that name. execvp(3) does not tell: it says EACCES when
 * one of the folders may not be searched. */
static bool is_in_path(const char *name)
{
    char file[PATH_MAX];
    const char *path = getenv("PATH");
    for (const char *at = path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        size_t length = strcspn(at, ":");
        int printed = snprintf(file, sizeof(file), "%.*s/%s", (int)(length ? length : 1),
                               length ? at : ".", name);
        if (printed > 0 && (size_t)printed < sizeof(file) && access(file, F_OK) == 0) {
            return true;
        }
    }
    return false;
}

static _Noreturn void be_child(int door, const struct slt_child_plan *plan)
{
    char why[WHY_SIZE] = "";
    if (plan->prepare && !plan->prepare(plan->ctx, why, sizeof(why))) {
        give_up(door, EXIT_MISSING, "%s", why);
    }
    restore_signals();
    hand_in_filter(door);
    execvp(plan->argv[0], plan->argv);
    int os_error = errno;
    if (strchr(plan->argv[0], '/') == NULL && !is_in_path(plan->argv[0])) {
        give_up(door, EXIT_NOT_FOUND, "%s: command not found", plan->argv[0]);
    }
    give_up(door, os_error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, "%s: %s", plan->argv[0],
            strerror(os_error));
}

/* ---- our side ----------------------------------------------------------------------------- */

/* Receive a report and the descriptor that came with it (-1: none). False: the socket has ended. */
static bool receive_report(int door, struct report *report, int *fd)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec piece = {.iov_base = report, .iov_len = sizeof(*report)};
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof(control.room),
    };
    ssize_t got;
    *fd = -1;
    do {
        got = recvmsg(door, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(*report)) {
        return false;
    }
    report->why[sizeof(report->why) - 1] = '\0';
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(fd, CMSG_DATA(header), sizeof(*fd));
    }
    return true;
}

/* Wait for the child's first word and for its execve. The exit code, 0 when the program runs. */
static int hear_child(int door, struct slt_child *child, char *why, size_t size)
{
    struct report report;
    int fd = -1;
    if (!receive_report(door, &report, &child->notify_fd)) {
        snprintf(why, size, "the program's process ended before it could start");
        return EXIT_TROUBLE;
    }
    if (report.code == 0 && child->notify_fd < 0) {
        snprintf(why, size, "no descriptor is left for the program's system calls");
        return EXIT_TROUBLE;
    }
    if (report.code == 0 && !slt_notify_can_give(child->notify_fd)) {
        snprintf(why, size, "this kernel is too old: needed is Linux 5.14 or later");
        return EXIT_MISSING;
    }
    if (report.code == 0 && !receive_report(door, &report, &fd)) {
        return 0;
    }
    snprintf(why, size, "%s", report.why);
    return report.code;
}

static int wait_status(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static void close_open(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

/* The child has failed or is of no use. */
static void drop_child(struct slt_child *child)
{
    (void)kill(child->pid, SIGKILL);
    (void)wait_status(child->pid);
    close_open(&child->pidfd);
    close_open(&child->notify_fd);
    child->pid = -1;
}

static int start(struct slt_child *child, const struct slt_child_plan *plan, const int doors[2])
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        close(doors[0]);
        be_child(doors[1], plan);
    }
    if (child->pid > 0) {
        child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    }
    return child->pid > 0 && child->pidfd >= 0 ? 0 : -errno;
}

int slt_child_start(struct slt_child *child, const struct slt_child_plan *plan, char *why,
                    size_t size)
{
    int doors[2];
    *child = (struct slt_child){.pid = -1, .pidfd = -1, .notify_fd = -1, .status = -1};
    SLT_ASSERT(size > 0);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, doors) < 0) {
        snprintf(why, size, "no socket for starting the program: %s", strerror(errno));
        return EXIT_TROUBLE;
    }
    int result = start(child, plan, doors);
    close(doors[1]);
    int code = EXIT_TROUBLE;
    if (result < 0) {
        snprintf(why, size, "no process for the program: %s", strerror(-result));
    } else {
        code = hear_child(doors[0], child, why, size);
    }
    close(doors[0]);
    if (code != 0 && child->pid > 0) {
        drop_child(child);
    }
    if (code == 0) {
        (void)fcntl(child->notify_fd, F_SETFL, O_NONBLOCK);
        slt_notify_prefer_handoff(child->notify_fd);
    }
    return code;
}

int slt_child_reap(struct slt_child *child, bool *any_left)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    while (pid > 0) {
        if (pid == child->pid) {
            child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
        pid = waitpid(-1, &status, WNOHANG);
    }
    *any_left = !slt_notify_is_deserted(child->notify_fd);
    return child->status;
}

void slt_child_signal(const struct slt_child *child, int number)
{
    /* By descriptor: the number may belong to another process once this one was reaped. */
    (void)syscall(SYS_pidfd_send_signal, child->pidfd, number, NULL, 0);
}
