/* Bytes: between E and the connection, both ways.
 *
 * From the program to the network they are read straight into the stack's send buffer, or, where
 * much comes at once, in large pieces into memory of ours that the stack sends from where it lies
 * (blocks.h). When the send buffer is full E is left alone until there is room, S fills up, and the
 * program's writes block. The other way they are written from the stack's receive buffer where they
 * lie, and taken only when S took them: what the program does not read stays there and closes the
 * peer's window. Nothing is copied on the way.
 *
 * E is watched edge-triggered, for what comes in and for its end; for room only while it is full,
 * since every read of the program makes some.
 *
 * The end of what E holds means one of two things. The program shut its writing side (which is a
 * call, so it is known): FIN. Or it closed S. Where both directions are shut they look alike, and
 * the kernel is asked whether S is still there.
 *
 * The urgent byte is sent as UNIX sockets know it (MSG_OOB, Linux 5.15), where it interrupts, stops
 * reads and is read out of band as TCP's (SOCK-74).
 */
#include "run/sockets.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Moved from one socket in one turn: for the sake of the others, and because what is sent in the
 * turn in which it was read still lies in the cache. */
#define TURN_BYTES 262144U

/* A read that fills as much room has more behind it: the next ones are lent. */
#define BULK_BYTES 8192

/* A loan is worth it from here on, and is copied by the stack below (two of its buffers). */
#define LOAN_BYTES 32768

/* So much has come in bulk when the program's socket is widened, to so much. */
#define MUCH_BYTES 1048576U
#define WIDE_BYTES 524288

#define PIECES   64
#define WATCHED  ((uint32_t)(EPOLLIN | EPOLLRDHUP) | (uint32_t)EPOLLET)
#define INTEREST ((uint32_t)(SALUT_READABLE | SALUT_ENDED | SALUT_URGENT))

static void want(struct slt_run_sock *sock, uint32_t interest)
{
    if (sock->interest != interest) {
        sock->interest = interest;
        (void)salut_set_interest(sock->sup->stack, sock->conn, interest);
    }
}

void slt_run_want_room(struct slt_run_sock *sock)
{
    want(sock, sock->interest | SALUT_WRITABLE);
}

/* ---- from the program ----------------------------------------------------------------------- */

/* S and E are both shut both ways. Closed, too? */
static bool is_gone(const struct slt_run_sock *sock)
{
    struct slt_run_seen seen;
    int found = slt_run_diag_one(sock->sup, slt_run_inode_of(sock->end.fd), &seen);
    return found == 0 || (found == 1 && seen.peer == 0);
}

static void say_fin(struct slt_run_sock *sock)
{
    if (!sock->fin_sent) {
        sock->fin_sent = true;
        (void)salut_sock_shutdown(sock->sup->socks, sock->fd, SHUT_WR);
    }
}

/* E has nothing more to give. */
static void reach_end(struct slt_run_sock *sock)
{
    struct pollfd p = {.fd = sock->end.fd, .events = POLLIN};
    bool hung_up = poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
    if (hung_up && (p.revents & POLLERR) != 0) {
        slt_run_aborted(sock);
        return;
    }
    bool both_shut = sock->shut_write && (sock->fin_given || sock->shut_read);
    if (hung_up && (!both_shut || is_gone(sock))) {
        slt_run_closed(sock);
        return;
    }
    say_fin(sock);
    if (hung_up) {
        slt_run_watch(sock);
    }
}

/* One read from E to the stack. */
struct haul {
    ssize_t got;  /* as of recv */
    size_t asked; /* there may be more in E only if all of it was got */
};

/* Into the stack's own buffer. */
static enum salut_status haul_copied(struct slt_run_sock *sock, struct haul *haul)
{
    struct salut_stack *stack = sock->sup->stack;
    struct salut_iovec_mut room;
    enum salut_status status = salut_send_reserve(stack, sock->conn, &room);
    if (status == SALUT_OK) {
        haul->asked = room.bytes;
        haul->got = recv(sock->end.fd, room.base, room.bytes, MSG_DONTWAIT);
        (void)salut_send_commit(stack, sock->conn, haul->got > 0 ? (size_t)haul->got : 0, 0);
        sock->bulk = haul->got >= BULK_BYTES && (size_t)haul->got == room.bytes;
    }
    return status;
}

/* A program that writes much gets more room than a UNIX socket has by itself, so that it and we
 * wake one another less often: as much as TCP's own send buffer would be by now. */
static void widen(const struct slt_run_sock *sock)
{
    int wide = 0;
    int room = 0;
    socklen_t bytes = sizeof(room);
    struct salut_sock_opt opt = {
        .level = SOL_SOCKET, .name = SO_SNDBUF, .value = &wide, .bytes = sizeof(wide)};
    int fd = slt_run_take_seen(sock);
    if (fd < 0) {
        return;
    }
    bool known = salut_sock_getsockopt(sock->sup->socks, sock->fd, &opt) == 0 &&
                 getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &bytes) == 0;
    wide = wide < WIDE_BYTES ? wide : WIDE_BYTES; /* which the kernel doubles */
    if (known && wide > room / 2 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wide, sizeof(wide)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wide, sizeof(wide));
    }
    (void)close(fd);
}

static void count_bulk(struct slt_run_sock *sock, uint32_t bytes)
{
    if (sock->bulk_bytes < MUCH_BYTES) {
        sock->bulk_bytes += bytes;
        if (sock->bulk_bytes >= MUCH_BYTES) {
            widen(sock);
        }
    }
}

/* The stack may be out of notes or buffers for the moment; what was read then waits. */
static enum salut_status lend_held(struct slt_run_sock *sock)
{
    enum salut_status status = salut_send_lend(sock->sup->stack, sock->conn, &sock->held, 0);
    if (status == SALUT_OK) {
        sock->held.bytes = 0;
    }
    return status;
}

/* Into a block of ours, which is lent. What is too little for that is copied by the stack, and is
 * the last for now. */
static enum salut_status haul_lent(struct slt_run_sock *sock, size_t most, struct haul *haul)
{
    struct slt_run_blocks *blocks = &sock->sup->blocks;
    size_t bytes = 0;
    uint8_t *room = slt_run_blocks_room(blocks, &bytes);
    if (room == NULL) {
        return haul_copied(sock, haul);
    }
    haul->asked = bytes < most ? bytes : most;
    haul->got = recv(sock->end.fd, room, haul->asked, MSG_DONTWAIT);
    sock->bulk = haul->got >= LOAN_BYTES;
    if (haul->got <= 0) {
        return SALUT_OK;
    }
    count_bulk(sock, (uint32_t)haul->got);
    sock->held = slt_run_blocks_lend(blocks, (size_t)haul->got);
    return lend_held(sock);
}

static enum salut_status haul_out(struct slt_run_sock *sock, struct haul *haul)
{
    size_t room = 0;
    if (!sock->bulk) {
        return haul_copied(sock, haul);
    }
    enum salut_status status = salut_send_room(sock->sup->stack, sock->conn, &room);
    if (status != SALUT_OK) {
        return status;
    }
    return room < LOAN_BYTES ? haul_copied(sock, haul) : haul_lent(sock, room, haul);
}

static enum slt_run_pumped pumped_stuck(struct slt_run_sock *sock)
{
    want(sock, sock->interest | SALUT_WRITABLE);
    return SLT_RUN_PUMPED_STUCK;
}

enum slt_run_pumped slt_run_pump_out(struct slt_run_sock *sock)
{
    struct haul haul;
    if (sock->end.fd < 0 || sock->phase != SLT_RUN_OPEN) {
        return SLT_RUN_PUMPED_STUCK;
    }
    if (sock->held.bytes > 0 && lend_held(sock) != SALUT_OK) {
        return pumped_stuck(sock);
    }
    size_t left = TURN_BYTES;
    while (!sock->fin_sent) {
        if (left == 0) {
            salut_runner_again(sock->sup->runner);
        }
        if (left == 0 || haul_out(sock, &haul) != SALUT_OK) {
            return pumped_stuck(sock);
        }
        if (haul.got < 0 && errno == EAGAIN) {
            return SLT_RUN_PUMPED_DRY;
        }
        if (haul.got < 0) {
            slt_run_aborted(sock); /* SOCK-02: S was closed with bytes unread */
            return SLT_RUN_PUMPED_OVER;
        }
        if (haul.got == 0) {
            break;
        }
        slt_poller_moved(&sock->sup->poller, (size_t)haul.got);
        if ((size_t)haul.got < haul.asked && !sock->end_near) {
            return SLT_RUN_PUMPED_DRY; /* what comes after this wakes us again */
        }
        left -= left < (size_t)haul.got ? left : (size_t)haul.got;
    }
    reach_end(sock);
    return SLT_RUN_PUMPED_OVER;
}

/* ---- to the program ------------------------------------------------------------------------- */

/* What of the pieces may go at once: up to the urgent byte, or it alone. */
static size_t clip_at_mark(struct slt_run_sock *sock, size_t bytes, int *flags)
{
    uint32_t ahead = 0;
    if (salut_urgent(sock->sup->stack, sock->conn, &ahead) != SALUT_OK || ahead == 0) {
        sock->urgent = false;
        return bytes;
    }
    if (ahead == 1) {
        *flags |= MSG_OOB;
        return 1;
    }
    return bytes < ahead - 1 ? bytes : ahead - 1;
}

static size_t gather(struct iovec *out, const struct salut_iovec *pieces, size_t count, size_t max)
{
    size_t n = 0;
    for (; n < count && max > 0; n++) {
        size_t bytes = pieces[n].bytes < max ? pieces[n].bytes : max;
        out[n] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[n].base, .iov_len = bytes};
        max -= bytes;
    }
    return n;
}

static void become_stuck(struct slt_run_sock *sock)
{
    sock->end_stuck = true;
    want(sock, sock->interest & ~(uint32_t)SALUT_READABLE);
    (void)slt_poller_watch(&sock->sup->poller, &sock->end, WATCHED | EPOLLOUT);
}

/* One look at what arrived, one write. SALUT_OK: there may be more; WOULD_BLOCK: enough for now. */
static enum salut_status hand_over(struct slt_run_sock *sock)
{
    struct salut_iovec seen[PIECES];
    struct iovec pieces[PIECES];
    size_t count = 0;
    size_t bytes = 0;
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    enum salut_status status =
        salut_peek(sock->sup->stack, sock->conn, seen, PIECES, &count, &bytes);
    if (status != SALUT_OK) {
        return status;
    }
    size_t wanted = sock->urgent ? clip_at_mark(sock, bytes, &flags) : bytes;
    struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = gather(pieces, seen, count, wanted)};
    ssize_t put = (ssize_t)wanted;
    if (!sock->shut_read && msg.msg_iovlen == 1) { /* the usual case, and cheaper so */
        put = send(sock->end.fd, pieces[0].iov_base, pieces[0].iov_len, flags);
    } else if (!sock->shut_read) {
        put = sendmsg(sock->end.fd, &msg, flags);
    }
    if (put < 0 && errno == EPIPE) {
        return SALUT_CLOSED;
    }
    if (put > 0) {
        (void)salut_consume(sock->sup->stack, sock->conn, (size_t)put);
    }
    if (put < (ssize_t)wanted) {
        become_stuck(sock);
        return SALUT_WOULD_BLOCK;
    }
    return SALUT_OK;
}

static void give_fin(struct slt_run_sock *sock)
{
    want(sock, sock->interest & ~(uint32_t)SALUT_READABLE);
    if (!sock->fin_given) {
        sock->fin_given = true;
        (void)shutdown(sock->end.fd, SHUT_WR);
    }
}

/* False: the record may be gone. */
static bool pump_in(struct slt_run_sock *sock)
{
    enum salut_status status = SALUT_OK;
    while (status == SALUT_OK && !sock->end_stuck) {
        status = hand_over(sock);
    }
    switch ((int)status) {
    case SALUT_OK:
    case SALUT_WOULD_BLOCK:
    case SALUT_IN_PROGRESS:
        return true;
    case SALUT_END:
        give_fin(sock);
        return true;
    case SALUT_CLOSED:
        slt_run_aborted(sock); /* SOCK-03: bytes for a socket that is closed */
        return false;
    default:
        slt_run_show_reset(sock);
        return false;
    }
}

/* ---- events --------------------------------------------------------------------------------- */

void slt_run_bridge_event(struct slt_run_sock *sock, uint32_t ready)
{
    sock->urgent = sock->urgent || (ready & SALUT_URGENT) != 0;
    if ((ready & (SALUT_READABLE | SALUT_ENDED | SALUT_URGENT)) != 0 && !pump_in(sock)) {
        return;
    }
    if ((ready & SALUT_ENDED) != 0) {
        want(sock, 0);
        slt_run_poke(sock);
    }
    if ((ready & SALUT_WRITABLE) != 0 && (ready & SALUT_ENDED) == 0) {
        want(sock, sock->interest & ~(uint32_t)SALUT_WRITABLE);
        slt_run_poke(sock);
        (void)slt_run_pump_out(sock);
    }
}

static void connecting_ready(struct slt_run_sock *sock, uint32_t events)
{
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        slt_run_closed(sock); /* SOCK-09: closed while it was being opened */
    }
}

static void end_ready(void *ctx, uint32_t events)
{
    struct slt_run_sock *sock = ctx;
    if (sock->phase == SLT_RUN_CONNECTING) {
        connecting_ready(sock, events);
        return;
    }
    if ((events & EPOLLERR) != 0) {
        if (sock->inode == 0) {
            slt_run_tick_soon(sock->sup, 0); /* SOCK-08: perhaps its listener is gone */
        }
        slt_run_aborted(sock); /* SOCK-02 */
        return;
    }
    if (sock->reset_waits) {
        slt_run_show_reset(sock);
        return;
    }
    if ((events & EPOLLOUT) != 0 && sock->end_stuck) {
        sock->end_stuck = false;
        (void)slt_poller_watch(&sock->sup->poller, &sock->end, WATCHED);
        want(sock, sock->interest | SALUT_READABLE);
        if (!pump_in(sock)) {
            return;
        }
    }
    sock->end_near = sock->end_near || (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) {
        (void)slt_run_pump_out(sock);
    }
}

bool slt_run_end_watch(struct slt_run_sock *sock)
{
    sock->end.on_ready = end_ready;
    sock->end.ctx = sock;
    return slt_poller_watch(&sock->sup->poller, &sock->end, WATCHED);
}

void slt_run_bridge_open(struct slt_run_sock *sock)
{
    sock->phase = SLT_RUN_OPEN;
    (void)slt_run_end_watch(sock);
    want(sock, INTEREST);
    if (pump_in(sock)) {
        (void)slt_run_pump_out(sock);
    }
}
