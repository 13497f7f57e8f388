/* Readiness and pending errors: what poll(2) shows of a socket, in Linux's words (SOCK-40..44).
 *
 * The engine's ready bits are levels; to them come what only the socket knows: its own shutdowns,
 * and whether the error that ended the connection was reported already (SOCK-21: once).
 */
#include "sock/inside.h"
#include "sock/sock.h"

#include <errno.h>
#include <poll.h>

static bool is_listening(const struct slt_sock *sock)
{
    return sock->phase == SLT_SOCK_LISTENING;
}

static uint32_t conn_ready(const struct salut_socks *socks, const struct slt_sock *sock)
{
    uint32_t ready = 0;
    if (sock->has_conn && salut_ready(socks->stack, sock->conn, &ready) != SALUT_OK) {
        return SALUT_ENDED;
    }
    return ready;
}

bool slt_sock_is_connected(const struct salut_socks *socks, const struct slt_sock *sock)
{
    return (conn_ready(socks, sock) & (SALUT_CONNECTED | SALUT_ENDED)) != 0;
}

bool slt_sock_is_ended(const struct salut_socks *socks, const struct slt_sock *sock)
{
    return (conn_ready(socks, sock) & SALUT_ENDED) != 0;
}

/* A reset in CLOSE-WAIT is EPIPE on Linux: the peer had said that it sends no more. */
static bool was_reset_in_close_wait(const struct salut_info *info)
{
    if (info->status != SALUT_RESET || info->history_count == 0) {
        return false;
    }
    return info->history[info->history_count - 1].from == SALUT_STATE_CLOSE_WAIT;
}

/* Why the connection ended, as an errno value. SOCK-24: after a timeout the last soft ICMP error
 * says more than ETIMEDOUT. */
static int end_errno(const struct salut_socks *socks, const struct slt_sock *sock)
{
    struct salut_info info;
    if (salut_get_info(socks->stack, sock->conn, &info) != SALUT_OK) {
        return ECONNABORTED;
    }
    if (info.status == SALUT_TIMED_OUT && info.soft_status != SALUT_OK) {
        return salut_status_errno((enum salut_status)info.soft_status);
    }
    return was_reset_in_close_wait(&info) ? EPIPE
                                          : salut_status_errno((enum salut_status)info.status);
}

int slt_sock_error(const struct salut_socks *socks, const struct slt_sock *sock)
{
    if (sock->kind == SLT_SOCK_DGRAM) {
        return slt_dgram_error(socks, sock);
    }
    if (sock->error != 0) {
        return sock->error;
    }
    if (!sock->has_conn || sock->error_taken || !slt_sock_is_ended(socks, sock)) {
        return 0;
    }
    return end_errno(socks, sock);
}

int slt_sock_take_error(struct salut_socks *socks, struct slt_sock *sock)
{
    if (sock->kind == SLT_SOCK_DGRAM) {
        return slt_dgram_take_error(socks, sock);
    }
    int error = slt_sock_error(socks, sock);
    if (sock->error != 0) {
        sock->error = 0;
    } else if (error != 0) {
        sock->error_taken = true;
    }
    return error;
}

struct slt_sock_mark slt_sock_find_mark(const struct salut_socks *socks,
                                        const struct slt_sock *sock)
{
    struct slt_sock_mark mark = {.pos = SLT_SOCK_NO_POS};
    struct salut_info info;
    if (!sock->has_conn || salut_urgent(socks->stack, sock->conn, &mark.ahead) != SALUT_OK ||
        mark.ahead == 0 || salut_get_info(socks->stack, sock->conn, &info) != SALUT_OK) {
        mark.ahead = 0;
        return mark;
    }
    mark.arrived = info.recv_queued >= mark.ahead;
    /* recv_nxt counts the SYN and, when it came, the FIN; only its constancy matters here. */
    mark.pos = info.recv_nxt - info.fin_received - info.recv_queued + mark.ahead - 1;
    mark.taken = mark.pos == sock->oob_read_pos;
    return mark;
}

/* Linux's low-water mark grows by one at the urgent mark, for its byte is not read in line. */
static bool only_urgent_waits(const struct salut_socks *socks, const struct slt_sock *sock)
{
    struct salut_info info;
    struct slt_sock_mark mark = slt_sock_find_mark(socks, sock);
    return mark.ahead == 1 && !sock->set.oob_inline &&
           salut_get_info(socks->stack, sock->conn, &info) == SALUT_OK && info.recv_queued == 1 &&
           !info.fin_received;
}

static short conn_bits(const struct salut_socks *socks, const struct slt_sock *sock, uint32_t ready)
{
    short bits = 0;
    bool read_shut = sock->shut_read || (ready & (SALUT_PEER_CLOSED | SALUT_ENDED)) != 0;
    bool write_shut = sock->shut_write || (ready & SALUT_ENDED) != 0;
    if (read_shut && write_shut) {
        bits |= POLLHUP; /* SOCK-43 */
    }
    if (read_shut) {
        bits |= POLLIN | POLLRDNORM | POLLRDHUP; /* SOCK-42 */
    }
    if (sock->fast_open_waits) {
        return (short)(bits | POLLOUT | POLLWRNORM);
    }
    /* What was accepted before its handshake was complete came by fast open: as good as any. */
    if ((ready & (SALUT_CONNECTED | SALUT_ENDED)) == 0 && sock->phase != SLT_SOCK_CONNECTED) {
        return bits;
    }
    if ((ready & SALUT_READABLE) != 0 &&
        ((ready & SALUT_URGENT) == 0 || !only_urgent_waits(socks, sock))) {
        bits |= POLLIN | POLLRDNORM; /* SOCK-40 */
    }
    if (write_shut || (ready & SALUT_WRITABLE) != 0) {
        bits |= POLLOUT | POLLWRNORM; /* SOCK-41 */
    }
    if ((ready & SALUT_URGENT) != 0) {
        struct slt_sock_mark mark = slt_sock_find_mark(socks, sock);
        bits |= mark.arrived && !mark.taken ? POLLPRI : 0;
    }
    return bits;
}

static short listener_bits(const struct salut_socks *socks, const struct slt_sock *sock)
{
    uint32_t waiting = 0;
    if (slt_inside_waiting(socks->stack, sock->listener, &waiting) != SALUT_OK) {
        return POLLERR | POLLHUP;
    }
    return waiting > 0 ? POLLIN | POLLRDNORM : 0;
}

short slt_sock_poll_bits(const struct salut_socks *socks, const struct slt_sock *sock)
{
    if (is_listening(sock)) {
        return listener_bits(socks, sock);
    }
    short bits = POLLOUT | POLLWRNORM | POLLHUP; /* SOCK-43: a fresh socket */
    if (sock->kind == SLT_SOCK_DGRAM) {
        bits = slt_dgram_bits(socks, sock);
    } else if (sock->has_conn) {
        bits = conn_bits(socks, sock, conn_ready(socks, sock));
    } else if (sock->shut_read) {
        bits |= POLLIN | POLLRDNORM | POLLRDHUP;
    }
    return slt_sock_error(socks, sock) != 0 ? (short)(bits | POLLERR) : bits; /* SOCK-44 */
}
