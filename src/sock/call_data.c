/* Moving bytes: every form of read and write ends in two functions, receive and transmit.
 *
 * Errors come in Linux's order. Reading gives what has arrived first, then the error that ended
 * the connection, once, then 0. Writing gives the error first, once, then EPIPE (SOCK-20..22).
 * The urgent mark stops a read in front of it and is stepped over by the next (SOCK-74).
 */
#include "sock/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PIECES     64 /* pieces handed to the engine at once */
#define PIECES_MAX 1024

/* ---- receiving ------------------------------------------------------------------------------ */

struct receive {
    const struct iovec *pieces;
    int count;
    int flags;
    int at;      /* piece being filled */
    size_t into; /* bytes of it filled */
    size_t done;
    size_t wanted;
    struct salut_udp_message message; /* datagram sockets: what came */
};

static int check_pieces(const struct iovec *pieces, int count, size_t *bytes)
{
    *bytes = 0;
    if (count < 0 || count > PIECES_MAX || (pieces == NULL && count > 0)) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > (size_t)PTRDIFF_MAX - *bytes) {
            return -EINVAL;
        }
        *bytes += pieces[i].iov_len;
    }
    return 0;
}

/* Copy `bytes` bytes to where the caller wants them; nowhere with MSG_TRUNC (SOCK-76). */
static void scatter(struct receive *r, const uint8_t *from, size_t bytes)
{
    r->done += bytes;
    while (bytes > 0 && (r->flags & MSG_TRUNC) == 0) {
        const struct iovec *piece = &r->pieces[r->at];
        size_t room = piece->iov_len - r->into;
        size_t part = bytes < room ? bytes : room;
        if (part > 0) {
            memcpy((uint8_t *)piece->iov_base + r->into, from, part);
        }
        from += part;
        bytes -= part;
        r->into += part;
        if (r->into == piece->iov_len) {
            r->at++;
            r->into = 0;
        }
    }
}

/* Copy what one look at the queue shows, from `skip` on and at most `max` bytes. */
static size_t scatter_peeked(struct receive *r, const struct salut_iovec *seen, size_t count,
                             size_t skip, size_t max)
{
    size_t copied = 0;
    for (size_t i = 0; i < count && copied < max; i++) {
        if (skip >= seen[i].bytes) {
            skip -= seen[i].bytes;
            continue;
        }
        size_t part = seen[i].bytes - skip;
        part = part < max - copied ? part : max - copied;
        scatter(r, (const uint8_t *)seen[i].base + skip, part);
        copied += part;
        skip = 0;
    }
    return copied;
}

/* How far this read may go, and whether it steps over the urgent byte first. */
struct reach {
    size_t max;
    size_t skip;
};

static struct reach find_reach(const struct salut_socks *socks, const struct slt_sock *sock,
                               size_t wanted)
{
    uint32_t ahead = 0;
    struct reach reach = {.max = wanted, .skip = 0};
    if (salut_urgent(socks->stack, sock->conn, &ahead) != SALUT_OK || ahead == 0) {
        return reach;
    }
    if (ahead > 1) {
        reach.max = wanted < ahead - 1 ? wanted : ahead - 1;
    } else if (!sock->set.oob_inline) {
        reach.skip = 1;
    }
    return reach;
}

/* One look at the queue, one copy, and unless MSG_PEEK one taking. SALUT_OK: go on. */
static enum salut_status receive_some(struct salut_socks *socks, struct slt_sock *sock,
                                      struct receive *r)
{
    struct salut_iovec seen[PIECES];
    size_t count = 0;
    size_t bytes = 0;
    enum salut_status status = salut_peek(socks->stack, sock->conn, seen, PIECES, &count, &bytes);
    if (status != SALUT_OK) {
        return status;
    }
    struct reach reach = find_reach(socks, sock, r->wanted - r->done);
    size_t copied = scatter_peeked(r, seen, count, reach.skip, reach.max);
    if (copied + reach.skip == 0) {
        return SALUT_WOULD_BLOCK;
    }
    if ((r->flags & MSG_PEEK) != 0) {
        return copied > 0 ? SALUT_END : SALUT_WOULD_BLOCK;
    }
    status = salut_consume(socks->stack, sock->conn, copied + reach.skip);
    /* A read that has something stops at the urgent mark; one that stepped over it goes on. */
    bool at_mark = copied == reach.max && r->done < r->wanted;
    return status == SALUT_OK && at_mark ? SALUT_END : status;
}

/* What an empty queue means: 0 or a negative errno value. */
static int nothing_to_read(struct salut_socks *socks, struct slt_sock *sock,
                           enum salut_status status)
{
    if (status == SALUT_END) {
        return 0;
    }
    if (status == SALUT_WOULD_BLOCK || status == SALUT_IN_PROGRESS) {
        if (sock->shut_read) {
            return 0; /* SOCK-12 */
        }
        sock->would_blocks++;
        return -EAGAIN;
    }
    if (status == SALUT_NOT_CONNECTED && !slt_sock_is_ended(socks, sock)) {
        return -ENOTCONN;
    }
    return -slt_sock_take_error(socks, sock); /* SOCK-21: reported once, then 0 */
}

static int receive_unconnected(struct salut_socks *socks, struct slt_sock *sock)
{
    int error = slt_sock_take_error(socks, sock);
    if (error != 0) {
        return -error;
    }
    return sock->shut_read ? 0 : -ENOTCONN; /* SOCK-27 */
}

static ptrdiff_t receive_oob(struct salut_socks *socks, struct slt_sock *sock, struct receive *r)
{
    uint8_t byte = 0;
    if (!sock->has_conn) {
        return -ENOTCONN;
    }
    int result = slt_sock_recv_oob(socks, sock, &byte, (r->flags & MSG_PEEK) != 0);
    if (result == 1 && r->wanted > 0) {
        scatter(r, &byte, 1);
    }
    return result < 0 ? result : (ptrdiff_t)r->done;
}

static ptrdiff_t receive(struct salut_socks *socks, int fd, struct receive *r)
{
    struct slt_sock *sock;
    int result = slt_sock_find(socks, fd, &sock);
    if (result < 0) {
        return result;
    }
    result = check_pieces(r->pieces, r->count, &r->wanted);
    if (result < 0) {
        return result;
    }
    if ((r->flags & MSG_ERRQUEUE) != 0) {
        return -EAGAIN;
    }
    if (sock->kind == SLT_SOCK_DGRAM) {
        const struct slt_dgram_read read = {r->pieces, r->count, r->flags, r->wanted};
        return slt_dgram_receive(socks, sock, &read, &r->message);
    }
    if ((r->flags & MSG_OOB) != 0) {
        return receive_oob(socks, sock, r);
    }
    if (!sock->has_conn) {
        return receive_unconnected(socks, sock);
    }
    enum salut_status status = SALUT_OK;
    while (status == SALUT_OK && r->done < r->wanted) {
        status = receive_some(socks, sock, r);
    }
    if (r->wanted == 0) {
        /* SOCK-78: recv() of nothing waits for something, as on Linux. */
        size_t count = 0;
        size_t bytes = 0;
        struct salut_iovec seen;
        status = salut_peek(socks->stack, sock->conn, &seen, 1, &count, &bytes);
    }
    if (r->done > 0 || status == SALUT_OK) {
        return (ptrdiff_t)r->done;
    }
    return nothing_to_read(socks, sock, status);
}

ptrdiff_t salut_sock_recv(struct salut_socks *socks, int fd, void *data, size_t bytes, int flags)
{
    struct iovec piece = {.iov_base = data, .iov_len = bytes};
    struct receive r = {.pieces = &piece, .count = 1, .flags = flags};
    return receive(socks, fd, &r);
}

ptrdiff_t salut_sock_readv(struct salut_socks *socks, int fd, const struct iovec *pieces, int count)
{
    struct slt_sock *sock;
    struct receive r = {.pieces = pieces, .count = count};
    int result = slt_sock_find(socks, fd, &sock);
    if (result == 0) {
        result = check_pieces(pieces, count, &r.wanted);
    }
    /* SOCK-78: read() of nothing is answered at once. */
    return result < 0 || r.wanted == 0 ? result : receive(socks, fd, &r);
}

ptrdiff_t salut_sock_read(struct salut_socks *socks, int fd, void *data, size_t bytes)
{
    struct iovec piece = {.iov_base = data, .iov_len = bytes};
    return salut_sock_readv(socks, fd, &piece, 1);
}

static bool is_dgram(const struct salut_socks *socks, int fd)
{
    const struct slt_sock *sock = slt_sock_at(socks, fd);
    return sock != NULL && sock->kind == SLT_SOCK_DGRAM;
}

ptrdiff_t salut_sock_recvfrom(struct salut_socks *socks, int fd, void *data, size_t bytes,
                              struct salut_sock_peer *peer)
{
    struct iovec piece = {.iov_base = data, .iov_len = bytes};
    struct receive r = {.pieces = &piece, .count = 1, .flags = peer->flags};
    ptrdiff_t result = receive(socks, fd, &r);
    if (result < 0 || peer->addr == NULL) {
        return result;
    }
    if (is_dgram(socks, fd)) {
        slt_sockaddr_write(&r.message.remote, r.message.remote_port, slt_sock_at(socks, fd)->family,
                           peer->addr, &peer->bytes);
    } else {
        peer->bytes = 0;
    }
    return result;
}

ptrdiff_t salut_sock_recvmsg(struct salut_socks *socks, int fd, struct msghdr *msg, int flags)
{
    if (msg->msg_iovlen > PIECES_MAX) {
        return -EMSGSIZE;
    }
    struct receive r = {.pieces = msg->msg_iov, .count = (int)msg->msg_iovlen, .flags = flags};
    ptrdiff_t result = receive(socks, fd, &r);
    if (result >= 0 && is_dgram(socks, fd)) {
        slt_dgram_describe(slt_sock_at(socks, fd), &r.message, r.wanted, msg);
    } else if (result >= 0) {
        msg->msg_namelen = 0;
        msg->msg_controllen = 0;
        msg->msg_flags = flags & MSG_OOB;
    }
    return result;
}

/* ---- sending -------------------------------------------------------------------------------- */

struct transmit {
    const struct iovec *pieces;
    int count;
    int flags;
    size_t wanted;
    const struct sockaddr *addr; /* MSG_FASTOPEN: whom to connect to; datagrams: whom to send to */
    uint32_t addr_bytes;
    const struct msghdr *control; /* datagrams: sendmsg's; else NULL */
};

static unsigned engine_flags(const struct transmit *t, bool last)
{
    bool more = !last || (t->flags & MSG_MORE) != 0;
    unsigned flags = more ? SALUT_SEND_MORE : 0;
    return flags | ((t->flags & MSG_OOB) != 0 && last ? SALUT_SEND_URGENT : 0U);
}

/* Hand all pieces over, a few at a time; stops where the engine takes less than it is given. */
static enum salut_status transmit_pieces(struct salut_socks *socks, struct slt_sock *sock,
                                         const struct transmit *t, size_t *done)
{
    struct salut_iovec part[PIECES];
    enum salut_status status = SALUT_OK;
    bool whole = true;
    for (int at = 0; at < t->count && status == SALUT_OK && whole;) {
        size_t n = 0;
        size_t given = 0;
        size_t accepted = 0;
        for (; n < PIECES && at < t->count; n++, at++) {
            part[n] = (struct salut_iovec){t->pieces[at].iov_base, t->pieces[at].iov_len};
            given += part[n].bytes;
        }
        status = salut_sendv(socks->stack, sock->conn, part, n, engine_flags(t, at == t->count),
                             &accepted);
        whole = accepted == given;
        *done += status == SALUT_OK ? accepted : 0;
    }
    return status;
}

/* What stands in the way of sending: 0 or a negative errno value. */
static int check_sendable(struct salut_socks *socks, struct slt_sock *sock)
{
    int error = slt_sock_take_error(socks, sock);
    if (error != 0) {
        return -error;
    }
    if (!sock->has_conn || sock->shut_write || slt_sock_is_ended(socks, sock)) {
        return -EPIPE; /* SOCK-20, SOCK-27 */
    }
    if (sock->phase == SLT_SOCK_CONNECTING && !sock->fast_open_waits &&
        !slt_sock_is_connected(socks, sock)) {
        sock->would_blocks++;
        return -EAGAIN;
    }
    return 0;
}

static ptrdiff_t transmit(struct salut_socks *socks, int fd, struct transmit *t)
{
    struct slt_sock *sock;
    size_t done = 0;
    int result = slt_sock_find(socks, fd, &sock);
    if (result == 0) {
        result = check_pieces(t->pieces, t->count, &t->wanted);
    }
    if (result == 0 && sock->kind == SLT_SOCK_DGRAM) {
        const struct slt_dgram_write write = {t->pieces, t->count,      t->flags,  t->wanted,
                                              t->addr,   t->addr_bytes, t->control};
        return slt_dgram_transmit(socks, sock, fd, &write);
    }
    if (result == 0 && (t->flags & MSG_FASTOPEN) != 0) {
        result = slt_sock_connect_fast(socks, fd, t->addr, t->addr_bytes);
    } else if (result == 0) {
        result = check_sendable(socks, sock);
    }
    if (result < 0 || t->wanted == 0) {
        return result; /* SOCK-78: nothing to send is no error and no segment */
    }
    enum salut_status status = transmit_pieces(socks, sock, t, &done);
    sock->fast_open_waits = sock->fast_open_waits && done == 0;
    if (done > 0) {
        return (ptrdiff_t)done;
    }
    if (status == SALUT_WOULD_BLOCK) {
        sock->would_blocks++;
    }
    return -salut_status_errno(status);
}

ptrdiff_t salut_sock_send(struct salut_socks *socks, int fd, const void *data, size_t bytes,
                          int flags)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = bytes};
    struct transmit t = {.pieces = &piece, .count = 1, .flags = flags};
    return transmit(socks, fd, &t);
}

ptrdiff_t salut_sock_lend(struct salut_socks *socks, int fd, const struct salut_loan *loan,
                          int flags)
{
    struct slt_sock *sock;
    const struct transmit t = {.flags = flags};
    int result = slt_sock_find(socks, fd, &sock);
    if (result == 0) {
        result = sock->kind == SLT_SOCK_DGRAM ? -EOPNOTSUPP : check_sendable(socks, sock);
    }
    if (result < 0) {
        return result;
    }
    enum salut_status status =
        salut_send_lend(socks->stack, sock->conn, loan, engine_flags(&t, true));
    if (status == SALUT_OK) {
        sock->fast_open_waits = sock->fast_open_waits && loan->bytes == 0;
        return (ptrdiff_t)loan->bytes;
    }
    if (status == SALUT_WOULD_BLOCK) {
        sock->would_blocks++;
    }
    return -salut_status_errno(status);
}

ptrdiff_t salut_sock_write(struct salut_socks *socks, int fd, const void *data, size_t bytes)
{
    return salut_sock_send(socks, fd, data, bytes, 0);
}

ptrdiff_t salut_sock_writev(struct salut_socks *socks, int fd, const struct iovec *pieces,
                            int count)
{
    struct transmit t = {.pieces = pieces, .count = count};
    return transmit(socks, fd, &t);
}

ptrdiff_t salut_sock_sendto(struct salut_socks *socks, int fd, const void *data, size_t bytes,
                            const struct salut_sock_peer *peer)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = bytes};
    struct transmit t = {.pieces = &piece,
                         .count = 1,
                         .flags = peer->flags,
                         .addr = peer->addr,
                         .addr_bytes = peer->bytes};
    return transmit(socks, fd, &t);
}

ptrdiff_t salut_sock_sendmsg(struct salut_socks *socks, int fd, const struct msghdr *msg, int flags)
{
    if (msg->msg_iovlen > PIECES_MAX) {
        return -EMSGSIZE;
    }
    struct transmit t = {.pieces = msg->msg_iov,
                         .count = (int)msg->msg_iovlen,
                         .flags = flags,
                         .addr = msg->msg_name,
                         .addr_bytes = msg->msg_namelen,
                         .control = msg};
    return transmit(socks, fd, &t);
}
