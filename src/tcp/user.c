/* User calls: SEND, RECEIVE, CLOSE and the options (RFC 9293 3.10.2 to 3.10.4, 3.9.1).
 *
 * A call changes queues and marks; nothing is sent before the transmit turn. Every state answers
 * every call: with what the RFC's table says, as a status.
 */
#include "tcp/engine.h"

/* The largest chunk one append takes: chain lengths are 32 bit. */
#define APPEND_MAX (UINT32_C(1) << 30)

static enum salut_status ended_status(const struct slt_tcp_conn *c)
{
    return c->status == SALUT_OK ? SALUT_NOT_CONNECTED : (enum salut_status)c->status;
}

/* 3.10.2: may this state take bytes to send? */
static enum salut_status may_send(const struct slt_tcp_conn *c)
{
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_SYN_RECEIVED:
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_CLOSE_WAIT:
        return slt_tcp_has(c, SLT_CONN_FIN_QUEUED) ? SALUT_CLOSED : SALUT_OK;
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
    case SALUT_STATE_TIME_WAIT:
        return SALUT_CLOSED; /* "connection closing" */
    case SALUT_STATE_CLOSED:
        if (c->status == SALUT_OK && slt_tcp_has(c, SLT_CONN_FIN_QUEUED)) {
            return SALUT_CLOSED;
        }
        return ended_status(c);
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_COUNT:
        break;
    }
    return SALUT_NOT_CONNECTED;
}

/* Bytes have been queued. */
static void on_queued(struct slt_tcp *tcp, struct slt_tcp_conn *c, bool was_empty, unsigned flags,
                      int64_t now_ns)
{
    if (c->state == SALUT_STATE_SYN_SENT) {
        slt_tcp_fast_open_on_queued(c);
    }
    if (was_empty) {
        slt_tcp_cold_restart(tcp, c, now_ns);
    }
    slt_tcp_timers_on_waiting(tcp, c, now_ns);
    c->flags &= ~(uint32_t)SLT_CONN_MORE;
    c->flags |= (flags & SALUT_SEND_MORE) ? (uint32_t)SLT_CONN_MORE : 0;
    if (flags & SALUT_SEND_URGENT) {
        slt_tcp_snd_urgent(c);
    }
}

enum salut_status slt_tcp_send(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                               const struct salut_iovec *pieces, size_t count, unsigned flags,
                               size_t *accepted, int64_t now_ns)
{
    enum salut_status status = may_send(c);
    size_t wanted = 0;

    *accepted = 0;
    if (status != SALUT_OK) {
        return status;
    }
    if (!slt_tcp_cold_get(tcp, c, now_ns)) {
        return SALUT_NO_MEMORY;
    }
    bool was_empty = c->snd.queue.bytes == 0 && c->snd.una == c->snd.nxt;
    for (size_t i = 0; i < count; i++) {
        uint32_t bytes = pieces[i].bytes < APPEND_MAX ? (uint32_t)pieces[i].bytes : APPEND_MAX;
        wanted += pieces[i].bytes;
        uint32_t taken = slt_tcp_snd_append(tcp, c, pieces[i].base, bytes);
        *accepted += taken;
        if (taken < pieces[i].bytes) {
            break;
        }
    }
    if (*accepted == 0 && wanted > 0) {
        return slt_tcp_snd_room(c) == 0 ? SALUT_WOULD_BLOCK : SALUT_NO_MEMORY;
    }
    if (*accepted > 0) {
        bool urgent = (flags & SALUT_SEND_URGENT) && *accepted == wanted; /* MUST-30 */
        on_queued(tcp, c, was_empty, urgent ? flags : flags & ~(unsigned)SALUT_SEND_URGENT, now_ns);
    }
    return SALUT_OK;
}

enum salut_status slt_tcp_send_room(const struct slt_tcp_conn *c, size_t *bytes)
{
    enum salut_status status = may_send(c);
    *bytes = status == SALUT_OK ? slt_tcp_snd_room(c) : 0;
    return status == SALUT_OK && *bytes == 0 ? SALUT_WOULD_BLOCK : status;
}

enum salut_status slt_tcp_send_reserve(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       struct salut_iovec_mut *room, int64_t now_ns)
{
    enum salut_status status = may_send(c);
    uint32_t bytes = 0;

    *room = (struct salut_iovec_mut){.base = NULL};
    if (status != SALUT_OK) {
        return status;
    }
    if (slt_tcp_snd_room(c) == 0) {
        return SALUT_WOULD_BLOCK;
    }
    if (!slt_tcp_cold_get(tcp, c, now_ns)) {
        return SALUT_NO_MEMORY;
    }
    room->base = slt_tcp_snd_reserve(tcp, c, &bytes);
    room->bytes = bytes;
    return room->base == NULL ? SALUT_NO_MEMORY : SALUT_OK;
}

enum salut_status slt_tcp_send_commit(struct slt_tcp *tcp, struct slt_tcp_conn *c, size_t bytes,
                                      unsigned flags, int64_t now_ns)
{
    enum salut_status status = may_send(c);
    bool was_empty = c->snd.queue.bytes == 0 && c->snd.una == c->snd.nxt;

    if (status != SALUT_OK) {
        return status;
    }
    if (!slt_tcp_cold_get(tcp, c, now_ns)) {
        return SALUT_NO_MEMORY;
    }
    if (!slt_tcp_snd_grow(tcp, c, bytes)) {
        return SALUT_INVALID;
    }
    if (bytes > 0) {
        on_queued(tcp, c, was_empty, flags, now_ns);
    }
    return SALUT_OK;
}

enum salut_status slt_tcp_send_lend(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    const struct salut_loan *loan, unsigned flags, int64_t now_ns)
{
    enum salut_status status = may_send(c);
    const struct slt_loan note = {
        .data = loan->base, .user = loan->user, .bytes = (uint32_t)loan->bytes};

    if (status != SALUT_OK) {
        return status;
    }
    if (loan->bytes > SALUT_LOAN_BYTES_MAX || (loan->base == NULL && loan->bytes > 0)) {
        return SALUT_INVALID;
    }
    if (slt_tcp_snd_room(c) == 0) {
        return SALUT_WOULD_BLOCK;
    }
    if (!slt_tcp_cold_get(tcp, c, now_ns)) {
        return SALUT_NO_MEMORY;
    }
    bool was_empty = c->snd.queue.bytes == 0 && c->snd.una == c->snd.nxt;
    if (!slt_tcp_snd_lend(tcp, c, &note)) {
        return SALUT_NO_MEMORY;
    }
    if (loan->bytes > 0) {
        on_queued(tcp, c, was_empty, flags, now_ns);
    }
    return SALUT_OK;
}

/* 3.10.3: what a read finds when no bytes are there. */
static enum salut_status nothing_to_read(const struct slt_tcp_conn *c)
{
    if (slt_tcp_has(c, SLT_CONN_FIN_TAKEN | SLT_CONN_READ_SHUT)) {
        return SALUT_END;
    }
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_COUNT:
        return ended_status(c);
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_SYN_RECEIVED:
        return slt_tcp_has(c, SLT_CONN_FAST_OPEN) ? SALUT_WOULD_BLOCK : SALUT_IN_PROGRESS;
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
    case SALUT_STATE_TIME_WAIT:
        break;
    }
    return SALUT_WOULD_BLOCK;
}

/* A connection that ended in an error says so once everything was read, FIN or not (D-18): an abort
 * is never an end of stream (MUST-12). */
static enum salut_status read_status(const struct slt_tcp_conn *c)
{
    if (c->rcv.queue.bytes >
        0) { /* before ESTABLISHED only by fast open: U-18 holds by construction */
        return SALUT_OK;
    }
    if (c->state == SALUT_STATE_CLOSED && c->status != SALUT_OK &&
        !slt_tcp_has(c, SLT_CONN_READ_SHUT)) {
        return (enum salut_status)c->status;
    }
    return nothing_to_read(c);
}

/* The user has taken bytes: measure how fast he reads, and tell the peer what that means for it. */
static void on_read(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    slt_tcp_tune_on_read(tcp, c, now_ns);
    slt_tcp_window_on_read(tcp, c);
    slt_tcp_acks_on_read(tcp, c);
}

enum salut_status slt_tcp_recv(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                               const struct salut_iovec_mut *pieces, size_t count, size_t *received,
                               int64_t now_ns)
{
    enum salut_status status = read_status(c);

    *received = 0;
    if (status != SALUT_OK) {
        return status;
    }
    for (size_t i = 0; i < count && c->rcv.queue.bytes > 0; i++) {
        uint32_t bytes = pieces[i].bytes < APPEND_MAX ? (uint32_t)pieces[i].bytes : APPEND_MAX;
        uint32_t n = slt_chain_peek(&c->rcv.queue, &tcp->bufs, 0, pieces[i].base, bytes);
        slt_tcp_rcv_read(tcp, c, n);
        *received += n;
    }
    on_read(tcp, c, now_ns);
    return SALUT_OK;
}

enum salut_status slt_tcp_peek(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                               struct salut_iovec *pieces, size_t max, size_t *count, size_t *bytes)
{
    enum salut_status status = read_status(c);
    struct slt_cursor at = slt_cursor_first();

    *count = 0;
    *bytes = 0;
    if (status != SALUT_OK) {
        return status;
    }
    while (*count < max) {
        struct slt_piece piece;
        uint32_t seen;
        uint32_t left = c->rcv.queue.bytes - (uint32_t)*bytes;
        if (slt_chain_view(&c->rcv.queue, &tcp->bufs, at, left, &piece, 1, &seen, &at) == 0) {
            break;
        }
        pieces[*count] = (struct salut_iovec){.base = piece.data, .bytes = seen};
        *count += 1;
        *bytes += seen;
    }
    return SALUT_OK;
}

enum salut_status slt_tcp_consume(struct slt_tcp *tcp, struct slt_tcp_conn *c, size_t bytes,
                                  int64_t now_ns)
{
    if (bytes > c->rcv.queue.bytes) {
        return SALUT_INVALID;
    }
    if (bytes > 0) {
        slt_tcp_rcv_read(tcp, c, (uint32_t)bytes);
        on_read(tcp, c, now_ns);
    }
    return SALUT_OK;
}

/* The RFC's CLOSE for one direction (3.10.4); reading goes on. */
static enum salut_status shut_write(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_SYN_SENT: /* the attempt is over, without a segment */
        slt_tcp_end(tcp, c, SALUT_ABORTED, SLT_CAUSE_USER_SHUTDOWN, now_ns);
        return SALUT_OK;
    case SALUT_STATE_SYN_RECEIVED:
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_CLOSE_WAIT:
        if (!slt_tcp_cold_get(tcp, c, now_ns)) {
            return SALUT_NO_MEMORY;
        }
        slt_tcp_queue_fin(tcp, c, SLT_CAUSE_USER_SHUTDOWN, now_ns);
        return SALUT_OK;
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
    case SALUT_STATE_TIME_WAIT: /* D-17: a second shutdown */
        return tcp->config->shutdown_twice_fails ? SALUT_NOT_CONNECTED : SALUT_OK;
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_COUNT:
        break;
    }
    return SALUT_NOT_CONNECTED;
}

enum salut_status slt_tcp_shutdown(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_how how,
                                   int64_t now_ns)
{
    if ((unsigned)how < SALUT_SHUT_READ || (unsigned)how > SALUT_SHUT_BOTH) {
        return SALUT_INVALID;
    }
    if (c->state == SALUT_STATE_CLOSED) {
        return SALUT_NOT_CONNECTED;
    }
    if (how & SALUT_SHUT_READ) { /* SOCK-12: nothing is sent, what arrives is still taken */
        c->flags |= SLT_CONN_READ_SHUT;
    }
    return (how & SALUT_SHUT_WRITE) ? shut_write(tcp, c, now_ns) : SALUT_OK;
}

/* SHLD-3: bytes unread mean the peer must not believe they were. An unread FIN is no data. */
static bool must_reset_on_close(const struct slt_tcp_conn *c)
{
    return c->rcv.queue.bytes > 0 &&
           (c->state == SALUT_STATE_SYN_RECEIVED || c->state == SALUT_STATE_ESTABLISHED ||
            c->state == SALUT_STATE_FIN_WAIT_1 || c->state == SALUT_STATE_FIN_WAIT_2 ||
            c->state == SALUT_STATE_CLOSE_WAIT);
}

void slt_tcp_close(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    c->flags |= SLT_CONN_ORPHAN | SLT_CONN_USER_CLOSED;
    if (c->state == SALUT_STATE_CLOSED) {
        slt_tcp_rcv_clear(tcp, c);
        return;
    }
    if (slt_tcp_has(c, SLT_CONN_LINGER_ABORT)) { /* SOCK-04 */
        slt_tcp_abort(tcp, c, SLT_CAUSE_LINGER_ABORT, now_ns);
        return;
    }
    if (must_reset_on_close(c)) {
        slt_tcp_abort(tcp, c, SLT_CAUSE_CLOSE_UNREAD, now_ns);
        return;
    }
    slt_tcp_rcv_clear(tcp, c);
    if (c->state == SALUT_STATE_SYN_SENT) { /* M-CLOSE-SYNSENT: no segment */
        slt_tcp_end(tcp, c, SALUT_ABORTED, SLT_CAUSE_USER_CLOSE, now_ns);
    } else if (c->state == SALUT_STATE_SYN_RECEIVED || c->state == SALUT_STATE_ESTABLISHED ||
               c->state == SALUT_STATE_CLOSE_WAIT) {
        if (!slt_tcp_cold_get(tcp, c, now_ns)) {
            slt_tcp_abort(tcp, c, SLT_CAUSE_NO_MEMORY, now_ns);
            return;
        }
        slt_tcp_queue_fin(tcp, c, SLT_CAUSE_USER_CLOSE, now_ns);
    } else if (c->state == SALUT_STATE_FIN_WAIT_2 && c->opts.linger2_s < 0) {
        slt_tcp_abort(tcp, c, SLT_CAUSE_USER_CLOSE, now_ns); /* L-02 */
        return;
    }
    slt_tcp_timers_on_orphaned(tcp, c, now_ns);
}
