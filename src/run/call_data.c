/* The few forms of sending and receiving that a UNIX socket does not know, or knows otherwise:
 * with an address, with MSG_FASTOPEN, out of band, with MSG_MORE (SOCK-75) and MSG_TRUNC (SOCK-76).
 *
 * To send is to move what lies in E to the stack first, so that the order stays, and then to hand
 * the bytes to the stack from the program's memory, a piece at a time. A call that blocks goes on
 * when there is room. To receive is done on a duplicate of S, since the kernel's own call would
 * write a UNIX address into the program's memory.
 */
#include "run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES_MAX 1024U

/* ---- sending -------------------------------------------------------------------------------- */

/* What sendto and sendmsg have in common. */
struct message {
    int flags;
    struct sockaddr_storage addr;
    uint32_t addr_bytes; /* 0: none */
    struct iovec *pieces;
    size_t count;
    size_t bytes;
};

static int read_addr(struct slt_supervisor *sup, const struct slt_call *call, uint64_t from,
                     uint64_t bytes, struct message *m)
{
    if (from == 0) {
        return 0;
    }
    if (bytes > sizeof(m->addr)) {
        return -EINVAL;
    }
    m->addr_bytes = (uint32_t)bytes;
    return slt_run_read(sup, call, from, &m->addr, bytes);
}

/* Fill the scratch buffer from the program's memory, from byte `skip` of the message on. */
static ssize_t fetch(struct slt_supervisor *sup, const struct slt_call *call,
                     const struct message *m, size_t skip)
{
    size_t done = 0;
    for (size_t i = 0; i < m->count && done < sizeof(sup->scratch); i++) {
        if (skip >= m->pieces[i].iov_len) {
            skip -= m->pieces[i].iov_len;
            continue;
        }
        size_t part = m->pieces[i].iov_len - skip;
        part = part < sizeof(sup->scratch) - done ? part : sizeof(sup->scratch) - done;
        uint64_t from = (uint64_t)(uintptr_t)m->pieces[i].iov_base + skip;
        int result = slt_run_read(sup, call, from, &sup->scratch[done], part);
        if (result < 0) {
            return done > 0 ? (ssize_t)done : result;
        }
        done += part;
        skip = 0;
    }
    return (ssize_t)done;
}

/* One piece to the stack. */
static ssize_t put(struct slt_run_sock *sock, struct slt_run_wait *wait, struct message *m,
                   size_t bytes)
{
    struct slt_supervisor *sup = sock->sup;
    bool last = wait->done + bytes >= m->bytes;
    struct salut_sock_peer peer = {.flags = m->flags & (MSG_MORE | MSG_FASTOPEN),
                                   .addr = (struct sockaddr *)&m->addr,
                                   .bytes = m->addr_bytes};
    peer.flags |= last ? m->flags & MSG_OOB : MSG_MORE;
    return salut_sock_sendto(sup->socks, sock->fd, sup->scratch, bytes, &peer);
}

static int64_t outcome(const struct slt_run_wait *wait, int64_t result)
{
    return wait->done > 0 ? (int64_t)wait->done : result;
}

/* SIGPIPE goes with EPIPE, unless the program said otherwise. */
static int64_t broken_pipe(const struct slt_run_wait *wait, int flags)
{
    if ((flags & MSG_NOSIGNAL) == 0) {
        (void)syscall(SYS_tkill, wait->call.tid, SIGPIPE);
    }
    return -EPIPE;
}

static bool blocks(struct slt_run_sock *sock, struct slt_run_wait *wait, int flags)
{
    int their = (flags & MSG_DONTWAIT) != 0 ? -1 : slt_run_take(sock, &wait->call);
    if (their < 0) {
        return false;
    }
    bool yes = (fcntl(their, F_GETFL) & O_NONBLOCK) == 0;
    (void)close(their);
    return yes;
}

static int64_t later(struct slt_run_sock *sock, struct slt_run_wait *wait, int flags)
{
    if (!wait->begun && !blocks(sock, wait, flags)) {
        return outcome(wait, -EAGAIN);
    }
    if (!wait->begun) {
        wait->begun = true;
        wait->due_at_ns = slt_run_timeout(sock, SO_SNDTIMEO);
        wait->late = -EAGAIN;
    }
    slt_run_want_room(sock);
    return SLT_RUN_LATER;
}

static int64_t transmit(struct slt_run_sock *sock, struct slt_run_wait *wait, struct message *m)
{
    struct slt_supervisor *sup = sock->sup;
    if (sock->phase == SLT_RUN_OPEN) {
        enum slt_run_pumped pumped = slt_run_pump_out(sock);
        if (pumped == SLT_RUN_PUMPED_STUCK) {
            return later(sock, wait, m->flags);
        }
        if (pumped == SLT_RUN_PUMPED_OVER) {
            return broken_pipe(wait, m->flags);
        }
    }
    do {
        ssize_t got = fetch(sup, &wait->call, m, wait->done);
        if (got < 0) {
            return outcome(wait, got);
        }
        ssize_t taken = put(sock, wait, m, (size_t)got);
        if (taken == -EAGAIN) {
            return later(sock, wait, m->flags);
        }
        if (taken == -EPIPE && wait->done == 0) {
            return broken_pipe(wait, m->flags);
        }
        if (taken < 0) {
            return outcome(wait, taken);
        }
        wait->done += (uint64_t)taken;
    } while (wait->done < m->bytes);
    return (int64_t)wait->done;
}

/* MSG_FASTOPEN: the first bytes open the connection, on the SYN where the stack may (RFC 7413). */
static int64_t open_and_send(struct slt_run_sock *sock, struct slt_run_wait *wait,
                             struct message *m)
{
    if (wait->begun) {
        return slt_run_connect_again(sock, wait);
    }
    ssize_t got = fetch(sock->sup, &wait->call, m, 0);
    ssize_t taken = got < 0 ? got : put(sock, wait, m, (size_t)got);
    if (taken < 0 && taken != -EINPROGRESS) {
        return taken;
    }
    int64_t result = slt_run_connect_begin(sock, wait, taken < 0 ? -EINPROGRESS : 0);
    if (taken < 0 || result < 0) {
        return result;
    }
    wait->done = (uint64_t)taken;
    m->flags &= ~MSG_FASTOPEN;
    return wait->done < m->bytes ? transmit(sock, wait, m) : taken;
}

static int64_t send_message(struct slt_run_sock *sock, struct slt_run_wait *wait, struct message *m)
{
    if ((m->flags & MSG_FASTOPEN) != 0 && sock->phase != SLT_RUN_OPEN) {
        return open_and_send(sock, wait, m);
    }
    m->flags &= ~MSG_FASTOPEN;
    return transmit(sock, wait, m);
}

int64_t slt_run_call_sendto(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    const struct slt_call *call = &wait->call;
    struct iovec piece = {.iov_base = (void *)(uintptr_t)call->args[1],
                          .iov_len = (size_t)call->args[2]};
    struct message m = {
        .flags = (int)call->args[3], .pieces = &piece, .count = 1, .bytes = (size_t)call->args[2]};
    int result = read_addr(sock->sup, call, call->args[4], (uint32_t)call->args[5], &m);
    return result < 0 ? result : send_message(sock, wait, &m);
}

int64_t slt_run_call_sendmsg(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    struct slt_supervisor *sup = sock->sup;
    const struct slt_call *call = &wait->call;
    struct msghdr head;
    struct iovec pieces[PIECES_MAX];
    int result = slt_run_read(sup, call, call->args[1], &head, sizeof(head));
    if (result == 0 && head.msg_iovlen > PIECES_MAX) {
        result = -EMSGSIZE;
    }
    struct message m = {.flags = (int)call->args[2], .pieces = pieces};
    if (result == 0) {
        m.count = head.msg_iovlen;
        result = slt_run_read(sup, call, (uint64_t)(uintptr_t)head.msg_iov, pieces,
                              m.count * sizeof(*pieces));
    }
    if (result == 0) {
        result = read_addr(sup, call, (uint64_t)(uintptr_t)head.msg_name, head.msg_namelen, &m);
    }
    for (size_t i = 0; result == 0 && i < m.count; i++) {
        result = pieces[i].iov_len > (size_t)INT32_MAX - m.bytes ? -EINVAL : 0;
        m.bytes += pieces[i].iov_len;
    }
    return result < 0 ? result : send_message(sock, wait, &m);
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* On a stream there is no address: its length becomes 0. */
static int64_t deliver(struct slt_run_sock *sock, const struct slt_call *call, ssize_t got)
{
    const uint32_t none = 0;
    int result = 0;
    if (((int)call->args[3] & MSG_TRUNC) == 0) { /* SOCK-76: what TCP cuts off, it drops */
        result = slt_run_write(sock->sup, call, call->args[1], sock->sup->scratch, (size_t)got);
    }
    if (result == 0 && call->args[4] != 0 && call->args[5] != 0) {
        result = slt_run_write(sock->sup, call, call->args[5], &none, sizeof(none));
    }
    return result < 0 ? result : got;
}

int64_t slt_run_answer_or_wait(struct slt_run_wait *wait, int their, int64_t result,
                               uint32_t events)
{
    if (result != -EAGAIN || events == 0) {
        if (wait->dup.fd < 0) {
            (void)close(their);
        }
        return result;
    }
    if (!wait->begun) {
        wait->begun = true;
        wait->dup.fd = their;
        wait->dup_events = events;
        wait->due_at_ns = slt_run_timeout(wait->sock, SO_RCVTIMEO);
        wait->late = -EAGAIN;
    }
    return SLT_RUN_LATER;
}

int64_t slt_run_call_recvfrom(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    const struct slt_call *call = &wait->call;
    int flags = (int)call->args[3];
    size_t wanted = (size_t)call->args[2];
    wanted = wanted < sizeof(sock->sup->scratch) ? wanted : sizeof(sock->sup->scratch);
    if (call->args[4] == 0 && (flags & MSG_TRUNC) == 0) {
        slt_notify_pass(sock->sup->notify_fd, call); /* MSG_OOB alone: S knows it (bridge.c) */
        return SLT_RUN_ANSWERED;
    }
    int their = wait->dup.fd >= 0 ? wait->dup.fd : slt_run_take(sock, call);
    if (their < 0) {
        return their;
    }
    int their_flags = fcntl(their, F_GETFL);
    bool waits = (flags & MSG_DONTWAIT) == 0 && (their_flags & O_NONBLOCK) == 0;
    ssize_t got = recv(their, sock->sup->scratch, wanted,
                       (flags & ~(MSG_WAITALL | MSG_TRUNC)) | MSG_DONTWAIT);
    int64_t result = got < 0 ? -errno : deliver(sock, call, got);
    if (got < 0 && errno == EINVAL && sock->phase == SLT_RUN_FRESH) {
        result = -ENOTCONN; /* SOCK-27 */
    }
    return slt_run_answer_or_wait(wait, their, result, waits ? POLLIN | POLLRDHUP : 0);
}

int64_t slt_run_call_recvmsg(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    slt_notify_pass(sock->sup->notify_fd, &wait->call); /* MSG_OOB: S knows it */
    return SLT_RUN_ANSWERED;
}
