/* Calls that wait; block.h says what they promise.
 *
 * One pattern: ask the call that does not block; when its answer is "not now", let the runner take
 * a turn and ask again. Nothing is registered and nothing is missed: whatever makes a socket ready
 * happens in a turn, and after each turn the question is asked anew. The first turn of a wait does
 * not sleep: it brings the runner's time up to date, by which later sleeps are measured.
 *
 * What moved before a wait ended badly is the answer; an error that came meanwhile stays where it
 * is and is told by the next call (SOCK-28). So an error is looked for before a second question,
 * whose answer would consume it.
 */
#include "salut/block.h"

#include "base/time.h"
#include "sock/runner_clock.h"
#include "sock/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct salut_block {
    struct salut_runner *runner;
    struct salut_socks *socks;
    atomic_bool interrupted;
};

enum salut_status salut_block_create(struct salut_runner *runner, struct salut_socks *socks,
                                     struct salut_block **block)
{
    struct salut_block *b = calloc(1, sizeof(*b));
    if (b == NULL) {
        return SALUT_NO_MEMORY;
    }
    b->runner = runner;
    b->socks = socks;
    atomic_init(&b->interrupted, false);
    *block = b;
    return SALUT_OK;
}

void salut_block_destroy(struct salut_block *block)
{
    free(block);
}

void salut_block_interrupt(struct salut_block *block)
{
    atomic_store(&block->interrupted, true);
    salut_runner_wake(block->runner);
}

/* ---- one wait ------------------------------------------------------------------------------- */

struct wait {
    struct salut_block *block;
    int64_t until_ns; /* SLT_NEVER: no limit */
    bool turned;      /* the runner's time is up to date */
};

static struct wait wait_for(struct salut_block *block, int64_t most_us)
{
    struct wait wait = {.block = block, .until_ns = SLT_NEVER};
    if (most_us != 0) {
        wait.until_ns = slt_time_add(slt_runner_clock(), most_us * SLT_NS_PER_US);
    }
    return wait;
}

/* SO_RCVTIMEO and SO_SNDTIMEO; a descriptor that is none waits for nothing anyway. */
static struct wait wait_to_receive(struct salut_block *block, int fd)
{
    const struct slt_sock *sock = slt_sock_at(block->socks, fd);
    return wait_for(block, sock == NULL ? 0 : sock->set.recv_timeout_us);
}

static struct wait wait_to_send(struct salut_block *block, int fd)
{
    const struct slt_sock *sock = slt_sock_at(block->socks, fd);
    return wait_for(block, sock == NULL ? 0 : sock->set.send_timeout_us);
}

/* One turn. Returns 0: look again; -EINTR; -EAGAIN: the time is over. */
static int take_turn(struct wait *wait)
{
    int64_t sleep_ns = -1;
    if (!wait->turned) {
        sleep_ns = 0;
    } else if (wait->until_ns != SLT_NEVER) {
        sleep_ns = wait->until_ns - slt_runner_clock();
        if (sleep_ns <= 0) {
            return -EAGAIN;
        }
    }
    wait->turned = true;
    enum salut_status status = salut_runner_turn(wait->block->runner, sleep_ns);
    bool interrupted = atomic_exchange(&wait->block->interrupted, false);
    return status == SALUT_END || interrupted ? -EINTR : 0;
}

static bool may_wait(const struct salut_block *block, int fd, int flags)
{
    return (flags & MSG_DONTWAIT) == 0 && salut_sock_blocks(block->socks, fd); /* SOCK-73 */
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The handshake has ended, one way or the other; so has one whose descriptor is gone. */
static bool is_decided(const struct salut_block *block, int fd)
{
    return salut_sock_ready(block->socks, fd) != 0;
}

int salut_block_connect(struct salut_block *block, int fd, const struct sockaddr *addr,
                        uint32_t bytes)
{
    struct wait wait = wait_to_send(block, fd);
    int result = salut_sock_connect(block->socks, fd, addr, bytes);
    while ((result == -EINPROGRESS || result == -EALREADY) && may_wait(block, fd, 0)) {
        int turn = take_turn(&wait);
        if (is_decided(block, fd)) {
            return salut_sock_connect(block->socks, fd, addr, bytes);
        }
        if (turn != 0) { /* SOCK-32, SOCK-77 */
            return turn == -EAGAIN ? -EINPROGRESS : turn;
        }
    }
    return result;
}

int salut_block_accept(struct salut_block *block, int fd, struct sockaddr *addr, uint32_t *bytes,
                       int flags)
{
    struct wait wait = wait_to_receive(block, fd);
    int turn = 0;
    for (;;) {
        int result = salut_sock_accept(block->socks, fd, addr, bytes, flags);
        if (result != -EAGAIN || !may_wait(block, fd, 0)) {
            return result;
        }
        if (turn != 0) {
            return turn;
        }
        turn = take_turn(&wait);
    }
}

/* ---- receiving ------------------------------------------------------------------------------ */

static bool is_at_mark(struct salut_block *block, int fd)
{
    int at_mark = 0;
    return salut_sock_ioctl(block->socks, fd, SIOCATMARK, &at_mark) == 0 && at_mark != 0;
}

/* An error is next: nothing that came before it is left to be read. */
static bool is_error_next(struct salut_block *block, int fd)
{
    struct slt_sock *sock;
    int unread = 0;
    if (slt_sock_find(block->socks, fd, &sock) < 0) {
        return true;
    }
    return slt_sock_error(block->socks, sock) != 0 &&
           salut_sock_ioctl(block->socks, fd, SIOCINQ, &unread) == 0 && unread == 0;
}

/* How many bytes end the wait. */
static size_t find_target(const struct salut_block *block, int fd, size_t bytes, int flags)
{
    struct slt_sock *sock;
    if ((flags & MSG_WAITALL) != 0 || bytes == 0 || slt_sock_find(block->socks, fd, &sock) < 0) {
        return bytes;
    }
    size_t low = (size_t)slt_opt_engine(block->socks, sock, SALUT_OPT_RCVLOWAT);
    return low < bytes ? low : bytes;
}

/* A read that takes nothing begins anew each time. */
static ptrdiff_t peek(struct salut_block *block, int fd, struct iovec *piece, int flags)
{
    struct wait wait = wait_to_receive(block, fd);
    size_t target = find_target(block, fd, piece->iov_len, flags);
    int turn = 0;
    for (;;) {
        ptrdiff_t n = salut_sock_recv(block->socks, fd, piece->iov_base, piece->iov_len, flags);
        bool enough = n >= 0 && (n == 0 || (size_t)n >= target || is_at_mark(block, fd));
        if (enough || (n < 0 && n != -EAGAIN) || !may_wait(block, fd, flags)) {
            return n;
        }
        if (turn != 0) {
            return n > 0 ? n : turn;
        }
        turn = take_turn(&wait);
    }
}

/* Read into *piece until enough is there; see is_error_next for the order of things. */
static ptrdiff_t take(struct salut_block *block, int fd, struct iovec *piece, int flags)
{
    struct wait wait = wait_to_receive(block, fd);
    size_t target = find_target(block, fd, piece->iov_len, flags);
    size_t done = 0;
    for (int turn = 0;;) {
        bool discards = (flags & MSG_TRUNC) != 0;
        ptrdiff_t n =
            salut_sock_recv(block->socks, fd, discards ? NULL : (char *)piece->iov_base + done,
                            piece->iov_len - done, flags & ~MSG_WAITALL);
        done += n > 0 ? (size_t)n : 0;
        bool stops = n >= 0 && (n == 0 || done >= target || is_at_mark(block, fd));
        if (stops || (n < 0 && n != -EAGAIN) || !may_wait(block, fd, flags)) {
            return done > 0 ? (ptrdiff_t)done : n;
        }
        if (turn == 0) {
            turn = take_turn(&wait);
        } else {
            return done > 0 ? (ptrdiff_t)done : turn;
        }
        if (done > 0 && is_error_next(block, fd)) {
            return (ptrdiff_t)done;
        }
    }
}

ptrdiff_t salut_block_recv(struct salut_block *block, int fd, void *data, size_t bytes, int flags)
{
    struct iovec piece = {.iov_base = data, .iov_len = bytes};
    if ((flags & (MSG_OOB | MSG_ERRQUEUE)) != 0) { /* those never wait */
        return salut_sock_recv(block->socks, fd, data, bytes, flags);
    }
    return (flags & MSG_PEEK) != 0 ? peek(block, fd, &piece, flags)
                                   : take(block, fd, &piece, flags);
}

ptrdiff_t salut_block_read(struct salut_block *block, int fd, void *data, size_t bytes)
{
    /* SOCK-78: read() of nothing is answered at once. */
    return bytes == 0 ? salut_sock_read(block->socks, fd, data, 0)
                      : salut_block_recv(block, fd, data, bytes, 0);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* SOCK-41: room enough to be worth it, or a reason to say no. */
static bool is_writable(const struct salut_block *block, int fd)
{
    return (salut_sock_ready(block->socks, fd) & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) != 0;
}

static bool has_error(const struct salut_block *block, int fd)
{
    return (salut_sock_ready(block->socks, fd) & (POLLERR | POLLNVAL)) != 0;
}

static ptrdiff_t send_all(struct wait *wait, int fd, const struct iovec *piece, int flags)
{
    struct salut_block *block = wait->block;
    size_t done = 0;
    for (;;) {
        ptrdiff_t n = salut_sock_send(block->socks, fd, (const char *)piece->iov_base + done,
                                      piece->iov_len - done, flags);
        done += n > 0 ? (size_t)n : 0;
        if (done == piece->iov_len || (n < 0 && n != -EAGAIN) || !may_wait(block, fd, flags)) {
            return done > 0 ? (ptrdiff_t)done : n;
        }
        int turn = 0;
        do {
            turn = take_turn(wait);
        } while (turn == 0 && !is_writable(block, fd));
        if (turn != 0 || (done > 0 && has_error(block, fd))) {
            return done > 0 ? (ptrdiff_t)done : turn;
        }
    }
}

ptrdiff_t salut_block_send(struct salut_block *block, int fd, const void *data, size_t bytes,
                           int flags)
{
    struct wait wait = wait_to_send(block, fd);
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = bytes};
    if ((flags & MSG_OOB) == 0 || bytes < 2) {
        return send_all(&wait, fd, &piece, flags);
    }
    /* Only the last byte is urgent, and only once it is queued: what comes before goes first. */
    piece.iov_len = bytes - 1;
    ptrdiff_t sent = send_all(&wait, fd, &piece, (flags & ~MSG_OOB) | MSG_MORE);
    if (sent < 0 || (size_t)sent < bytes - 1) {
        return sent;
    }
    piece = (struct iovec){.iov_base = (char *)piece.iov_base + sent, .iov_len = 1};
    return send_all(&wait, fd, &piece, flags) == 1 ? sent + 1 : sent;
}

ptrdiff_t salut_block_write(struct salut_block *block, int fd, const void *data, size_t bytes)
{
    return salut_block_send(block, fd, data, bytes, 0);
}

/* ---- closing -------------------------------------------------------------------------------- */

/* SOCK-05: our FIN is not acknowledged yet. Data that comes now finds nobody, and resets. */
static bool is_leaving(const struct salut_block *block, int fd, uint64_t serial)
{
    const struct slt_sock *sock = slt_sock_at(block->socks, fd);
    struct salut_info info;
    if (sock == NULL || sock->serial != serial || !sock->has_conn ||
        salut_get_info(block->socks->stack, sock->conn, &info) != SALUT_OK) {
        return false;
    }
    bool waits = info.state == SALUT_STATE_FIN_WAIT_1 || info.state == SALUT_STATE_CLOSING ||
                 info.state == SALUT_STATE_LAST_ACK;
    return waits && info.recv_queued == 0;
}

static bool lingers(struct salut_block *block, int fd, const struct slt_sock *sock)
{
    int unread = 0;
    return sock->kind == SLT_SOCK_STREAM && sock->has_conn && sock->set.linger &&
           sock->set.linger_s > 0 && slt_sock_is_connected(block->socks, sock) &&
           salut_sock_ioctl(block->socks, fd, SIOCINQ, &unread) == 0 && unread == 0;
}

int salut_block_close(struct salut_block *block, int fd)
{
    const struct slt_sock *sock = slt_sock_at(block->socks, fd);
    if (sock == NULL) {
        return -EBADF;
    }
    uint64_t serial = sock->serial;
    if (lingers(block, fd, sock)) {
        struct wait wait = wait_for(block, (int64_t)sock->set.linger_s * 1000000);
        (void)salut_sock_shutdown(block->socks, fd, SHUT_RDWR);
        while (is_leaving(block, fd, serial) && take_turn(&wait) == 0) {
        }
    }
    sock = slt_sock_at(block->socks, fd);
    return sock == NULL || sock->serial != serial ? 0 : salut_sock_close(block->socks, fd);
}

/* ---- readiness ------------------------------------------------------------------------------ */

int salut_block_poll(struct salut_block *block, struct pollfd *fds, size_t count, int timeout_ms)
{
    struct wait wait = wait_for(block, timeout_ms < 0 ? 0 : (int64_t)timeout_ms * 1000);
    int turn = 0;
    for (;;) {
        int ready = salut_sock_poll(block->socks, fds, count);
        if (ready != 0 || turn != 0) {
            return ready != 0 ? ready : turn == -EAGAIN ? 0 : turn;
        }
        if (timeout_ms == 0 && wait.turned) {
            return 0;
        }
        turn = take_turn(&wait);
    }
}
