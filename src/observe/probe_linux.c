/* See probe_linux.h.
 *
 * The kernel remembers when an acknowledgement last came (tcpi_last_ack_recv), and a keep-alive
 * probe's answer is one: an acknowledgement younger than the probing is the proof.
 */
#include "observe/probe_linux.h"

#include "base/compiler.h"
#include "base/time.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT_MOST    127 /* of unanswered probes, that the kernel lets one set */
#define KERNEL_CLOSED 7

static int get(int fd, int level, int name)
{
    int value = 0;
    socklen_t bytes = sizeof(value);
    (void)getsockopt(fd, level, name, &value, &bytes);
    return value;
}

static void set(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* The program's own socket, if it still is the one that was listed. */
static int borrow(const struct slt_seen *seen)
{
    struct stat status;
    if (seen->source != SLT_SOURCE_KERNEL || seen->pid <= 0 || seen->fd < 0) {
        return -EPERM; /* who has it may not be seen */
    }
    int pid_fd = (int)syscall(SYS_pidfd_open, seen->pid, 0);
    if (pid_fd < 0) {
        return -errno;
    }
    int fd = (int)syscall(SYS_pidfd_getfd, pid_fd, seen->fd, 0);
    int result = fd < 0 ? -errno : fd;
    (void)close(pid_fd);
    if (fd >= 0 && (fstat(fd, &status) < 0 || (uint64_t)status.st_ino != seen->inode)) {
        (void)close(fd);
        return -ESTALE;
    }
    return result;
}

bool slt_probe_start(struct slt_probe *probe, const struct slt_seen *seen, int64_t now_ns)
{
    *probe = (struct slt_probe){.seen = seen, .start_at_ns = now_ns, .fd = borrow(seen)};
    if (probe->fd < 0) {
        probe->error = probe->fd;
        probe->fd = -1;
        probe->verdict = SLT_PROBE_REFUSED;
        return false;
    }
    int fd = probe->fd;
    probe->before =
        (struct slt_probe_settings){.keepalive = get(fd, SOL_SOCKET, SO_KEEPALIVE),
                                    .idle_s = get(fd, IPPROTO_TCP, TCP_KEEPIDLE),
                                    .interval_s = get(fd, IPPROTO_TCP, TCP_KEEPINTVL),
                                    .count = get(fd, IPPROTO_TCP, TCP_KEEPCNT),
                                    .user_timeout_ms = get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT)};
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, COUNT_MOST);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    return true;
}

void slt_probe_look(struct slt_probe *probe, int64_t now_ns, bool last)
{
    struct tcp_info info;
    socklen_t bytes = sizeof(info);
    if (probe->verdict != SLT_PROBE_PENDING) {
        return;
    }
    memset(&info, 0, sizeof(info));
    bool told = getsockopt(probe->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0;
    int64_t since_ns = now_ns - probe->start_at_ns;
    int64_t ack_ns = (int64_t)info.tcpi_last_ack_recv * SLT_NS_PER_MS;
    if (!told || info.tcpi_state == KERNEL_CLOSED) {
        probe->verdict = SLT_PROBE_GONE;
        probe->answered_ns = since_ns;
    } else if (ack_ns < since_ns - 20 * SLT_NS_PER_MS) { /* the kernel counts in ticks */
        probe->verdict = SLT_PROBE_ALIVE;
        probe->answered_ns = since_ns - ack_ns;
    } else if (last) {
        probe->verdict = SLT_PROBE_SILENT;
    }
}

void slt_probe_end(struct slt_probe *probe)
{
    const struct slt_probe_settings *before = &probe->before;
    int fd = probe->fd;
    if (fd < 0) {
        return;
    }
    set(fd, SOL_SOCKET, SO_KEEPALIVE, before->keepalive);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, before->idle_s);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, before->interval_s);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, before->count);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, before->user_timeout_ms);
    (void)close(fd);
    probe->fd = -1;
}
