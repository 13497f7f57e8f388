/* Taking and answering calls; notify_linux.h tells what for.
 *
 * How it works. The kernel keeps one list of calls behind the notification descriptor. It polls
 * readable while one of them has not been taken, and SECCOMP_IOCTL_NOTIF_RECV waits without regard
 * to O_NONBLOCK while there is none, so taking looks first. After that look receiving cannot wait:
 * the kernel counts a call when it is made and uncounts it only when it is received, and we are the
 * only one who receives; when the thread was killed in between, the answer is ENOENT.
 *
 * A descriptor is put into the program's table by the calling thread itself, which the kernel wakes
 * for it; a thread that is killed, interrupted or stopped meanwhile lets us go on at once with
 * ENOENT or ESRCH. "Give" does that and answers the call in one step (SECCOMP_ADDFD_FLAG_SEND,
 * Linux 5.14), so there is no moment at which the program has a descriptor that it was not told of.
 */
#define _GNU_SOURCE 1
#include "run/notify_linux.h"

#include "base/compiler.h"
#include "run/filter_linux.h"
#include "run/target_linux.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.6; older headers do not have them. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* An ioctl that is gone on with when a signal of ours came in between. 0 and more, or -errno. */
static int control(int notify_fd, unsigned long request, void *argument)
{
    int result;
    do {
        result = ioctl(notify_fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

void slt_notify_prefer_handoff(int notify_fd)
{
    /* The flag is the argument itself. Kernels before 6.6 refuse, and are slower. */
    (void)ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

static bool is_one_waiting(int notify_fd)
{
    struct pollfd ready = {.fd = notify_fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0;
}

bool slt_notify_can_give(int notify_fd)
{
    /* Of no call, so that it fails in any case; the question is at what. */
    struct seccomp_notif_addfd gift = {.srcfd = (uint32_t)notify_fd};
    int result = control(notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
    return result != -EINVAL && result != -ENOTTY;
}

bool slt_notify_is_deserted(int notify_fd)
{
    struct pollfd ready = {.fd = notify_fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1 && (ready.revents & POLLHUP) != 0;
}

/* Receive one call. 0, -ENOENT when it has gone since we looked, or another negative value. */
static int receive(int notify_fd, struct slt_call *call, uint32_t *arch)
{
    struct seccomp_notif got;
    /* The kernel refuses what is not zero, lest a later version gives it a meaning. */
    memset(&got, 0, sizeof(got));
    int result = control(notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &got);
    if (result < 0) {
        return result;
    }
    *call = (struct slt_call){.id = got.id, .tid = (pid_t)got.pid, .nr = got.data.nr};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(call->args); i++) {
        call->args[i] = got.data.args[i];
    }
    *arch = got.data.arch;
    return 0;
}

bool slt_notify_take(int notify_fd, struct slt_call *call)
{
    while (is_one_waiting(notify_fd)) {
        uint32_t arch = 0;
        int result = receive(notify_fd, call, &arch);
        if (result == 0 && slt_filter_kind(call->nr, arch, &call->kind)) {
            return true;
        }
        if (result == 0) {
            /* The filter hands over nothing else. Should it ever: the kernel knows what to do. */
            slt_notify_pass(notify_fd, call);
        } else if (result != -ENOENT) {
            return false;
        }
    }
    return false;
}

bool slt_notify_is_waiting(int notify_fd, const struct slt_call *call)
{
    uint64_t id = call->id;
    return control(notify_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

bool slt_notify_answer(int notify_fd, const struct slt_call *call, int64_t result)
{
    struct seccomp_notif_resp answer = {.id = call->id};
    if (result < 0) {
        answer.error = (int32_t)result;
    } else {
        answer.val = result;
    }
    return control(notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

void slt_notify_pass(int notify_fd, const struct slt_call *call)
{
    struct seccomp_notif_resp answer = {
        .id = call->id,
        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
    };
    (void)control(notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

void slt_notify_kill(int notify_fd, const struct slt_call *call)
{
    pid_t pid = slt_target_pid(call->tid);
    long process = pid > 0 ? syscall(SYS_pidfd_open, pid, 0) : -1;
    if (process >= 0) {
        /* Still the same thread, hence still its process that was opened. */
        if (slt_notify_is_waiting(notify_fd, call)) {
            (void)syscall(SYS_pidfd_send_signal, (int)process, SIGKILL, NULL, 0);
        }
        close((int)process);
    }
    (void)slt_notify_answer(notify_fd, call, -ENOSYS);
}

/* Kernels before 5.14 cannot put a descriptor and answer in one step: a thread that is interrupted
 * between the two keeps a descriptor that it does not know of. */
static int give_in_two_steps(int notify_fd, const struct slt_call *call,
                             struct seccomp_notif_addfd *gift)
{
    gift->flags = 0;
    int number = control(notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, gift);
    if (number < 0) {
        return number;
    }
    return slt_notify_answer(notify_fd, call, number) ? number : -ENOENT;
}

int slt_notify_try_give(int notify_fd, const struct slt_call *call, int our_fd, int fd_flags)
{
    struct seccomp_notif_addfd gift = {
        .id = call->id,
        .flags = SECCOMP_ADDFD_FLAG_SEND,
        .srcfd = (uint32_t)our_fd,
        .newfd_flags = (uint32_t)fd_flags,
    };
    int number = control(notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
    if (number == -EINVAL) {
        number = give_in_two_steps(notify_fd, call, &gift);
    }
    return number;
}

bool slt_notify_give(int notify_fd, const struct slt_call *call, int our_fd, int fd_flags)
{
    int number = slt_notify_try_give(notify_fd, call, our_fd, fd_flags);
    if (number < 0 && number != -ENOENT && number != -ESRCH) {
        (void)slt_notify_answer(notify_fd, call, number);
    }
    return number >= 0;
}

int slt_notify_replace(int notify_fd, const struct slt_call *call, int our_fd, int their_fd,
                       int fd_flags)
{
    struct seccomp_notif_addfd gift = {
        .id = call->id,
        .flags = SECCOMP_ADDFD_FLAG_SETFD,
        .srcfd = (uint32_t)our_fd,
        .newfd = (uint32_t)their_fd,
        .newfd_flags = (uint32_t)fd_flags,
    };
    int result = control(notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
    return result < 0 ? result : 0;
}
