/* See relay.h. */
#include "run/relay.h"

#include "base/compiler.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES_MAX 16
#define ROUNDS_MAX 16 /* system calls each way and turn: the others want their share */

void slt_relay_reset_socket(struct slt_poller *poller, struct slt_polled *polled)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (polled->fd >= 0) {
        (void)setsockopt(polled->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        slt_poller_drop(poller, polled);
    }
}

/* A side that was told of the other's end has a complete stream, which a reset would take back. */
void slt_relay_cut(struct slt_relay *relay)
{
    if (relay->over) {
        return;
    }
    relay->over = true;
    if (relay->from_socket_ended) {
        (void)salut_close(relay->stack, relay->conn);
    } else {
        (void)salut_abort(relay->stack, relay->conn);
    }
    if (relay->from_stack_ended) {
        slt_poller_drop(relay->poller, &relay->polled);
    } else {
        slt_relay_reset_socket(relay->poller, &relay->polled);
    }
}

static void set_interests(struct slt_relay *relay)
{
    uint32_t ready = SALUT_ENDED;
    uint32_t events = 0;
    ready |= relay->from_stack_ended || relay->socket_full ? 0U : (uint32_t)SALUT_READABLE;
    ready |= relay->stack_full ? (uint32_t)SALUT_WRITABLE : 0U;
    events |= relay->from_socket_ended || relay->stack_full ? 0U : (uint32_t)EPOLLIN;
    events |= relay->socket_full ? (uint32_t)EPOLLOUT : 0U;
    (void)salut_set_interest(relay->stack, relay->conn, ready);
    if (!slt_poller_watch(relay->poller, &relay->polled, events)) {
        slt_relay_cut(relay);
    }
}

/* ---- from the stack to the socket ----------------------------------------------------------- */

static size_t list_pieces(const struct salut_iovec *from, size_t count, struct iovec *to)
{
    for (size_t i = 0; i < count; i++) {
        union {
            const void *in;
            void *out;
        } base = {.in = from[i].base};
        to[i] = (struct iovec){.iov_base = base.out, .iov_len = from[i].bytes};
    }
    return count;
}

/* What ends the direction, or SALUT_OK to go on. */
static enum salut_status pass_out(struct slt_relay *relay)
{
    struct salut_iovec pieces[PIECES_MAX];
    struct iovec iov[PIECES_MAX];
    size_t count = 0;
    size_t bytes = 0;
    enum salut_status status =
        salut_peek(relay->stack, relay->conn, pieces, PIECES_MAX, &count, &bytes);
    if (status != SALUT_OK) {
        return status;
    }
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = list_pieces(pieces, count, iov)};
    ssize_t put = sendmsg(relay->polled.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        return SALUT_ABORTED;
    }
    relay->socket_full = put < (ssize_t)bytes;
    if (put > 0) {
        (void)salut_consume(relay->stack, relay->conn, (size_t)put);
    }
    return relay->socket_full ? SALUT_WOULD_BLOCK : SALUT_OK;
}

static void carry_out(struct slt_relay *relay)
{
    enum salut_status status = SALUT_OK;
    for (int i = 0; status == SALUT_OK && i < ROUNDS_MAX; i++) {
        status = pass_out(relay);
    }
    if (status == SALUT_END) {
        relay->from_stack_ended = true;
        (void)shutdown(relay->polled.fd, SHUT_WR);
    } else if (status != SALUT_OK && status != SALUT_WOULD_BLOCK && status != SALUT_IN_PROGRESS) {
        slt_relay_cut(relay);
    }
}

/* ---- from the socket to the stack ----------------------------------------------------------- */

static enum salut_status pass_in(struct slt_relay *relay)
{
    struct salut_iovec_mut room;
    enum salut_status status = salut_send_reserve(relay->stack, relay->conn, &room);
    if (status != SALUT_OK) {
        relay->stack_full = status == SALUT_WOULD_BLOCK || status == SALUT_NO_MEMORY;
        return relay->stack_full ? SALUT_WOULD_BLOCK : SALUT_ABORTED;
    }
    relay->stack_full = false;
    ssize_t got = recv(relay->polled.fd, room.base, room.bytes, MSG_DONTWAIT);
    int error = got < 0 ? errno : 0;
    (void)salut_send_commit(relay->stack, relay->conn, got > 0 ? (size_t)got : 0, 0);
    if (got == 0) {
        return SALUT_END;
    }
    if (got < 0) {
        return error == EAGAIN || error == EINTR ? SALUT_WOULD_BLOCK : SALUT_ABORTED;
    }
    return SALUT_OK;
}

static void carry_in(struct slt_relay *relay)
{
    enum salut_status status = SALUT_OK;
    for (int i = 0; status == SALUT_OK && i < ROUNDS_MAX; i++) {
        status = pass_in(relay);
    }
    if (status == SALUT_END) {
        relay->from_socket_ended = true;
        (void)salut_shutdown(relay->stack, relay->conn, SALUT_SHUT_WRITE);
    } else if (status == SALUT_ABORTED) {
        slt_relay_cut(relay);
    }
}

/* ---- both ----------------------------------------------------------------------------------- */

/* After every step: is it over, and if not, what is to be waited for? */
static void settle(struct slt_relay *relay)
{
    if (!relay->over && relay->from_stack_ended && relay->from_socket_ended) {
        relay->over = true;
        (void)salut_close(relay->stack, relay->conn);
        slt_poller_drop(relay->poller, &relay->polled);
    }
    if (!relay->over) {
        set_interests(relay);
    }
    if (relay->over) {
        relay->on_over(relay->ctx);
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    struct slt_relay *relay = ctx;
    if ((events & EPOLLOUT) != 0) {
        relay->socket_full = false;
        carry_out(relay);
    }
    if (!relay->over && (events & EPOLLERR) != 0) {
        slt_relay_cut(relay);
    }
    if (!relay->over && (events & (EPOLLIN | EPOLLHUP)) != 0 && !relay->from_socket_ended &&
        !relay->stack_full) {
        carry_in(relay);
    }
    settle(relay);
}

void slt_relay_event(struct slt_relay *relay, uint32_t ready)
{
    if ((ready & (SALUT_READABLE | SALUT_ENDED)) != 0 && !relay->from_stack_ended &&
        !relay->socket_full) {
        carry_out(relay);
    }
    if (!relay->over && (ready & SALUT_WRITABLE) != 0 && relay->stack_full) {
        carry_in(relay);
    }
    /* Ended for another reason than a FIN each way. */
    if (!relay->over && (ready & SALUT_ENDED) != 0 && !relay->from_socket_ended) {
        slt_relay_cut(relay);
    }
    settle(relay);
}

void slt_relay_begin(struct slt_relay *relay, struct slt_poller *poller, struct salut_stack *stack,
                     salut_conn conn)
{
    relay->poller = poller;
    relay->stack = stack;
    relay->conn = conn;
    relay->polled.on_ready = on_ready;
    relay->polled.ctx = relay;
    carry_out(relay);
    if (!relay->over) {
        carry_in(relay);
    }
    settle(relay);
}
