/* User calls on connections (RFC 9293 3.10.2 to 3.10.6): the handle is checked, the engine's door
 * is called, and its consequences are drawn. A handle whose object is gone, or was let go of, is
 * stale; a call while a batch of output is unanswered is refused, for the frames refer to what it
 * might change.
 */
#include "stack/stack.h"

static struct slt_tcp_conn *find(const struct salut_stack *stack, salut_conn handle)
{
    if (handle.index >= stack->tcp.conns.fresh || handle.generation % 2 == 0) {
        return NULL;
    }
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, handle.index);
    if (c->place.generation != handle.generation || slt_tcp_has(c, SLT_CONN_ORPHAN) ||
        (c->place.marks & SLT_MARK_QUEUED) != 0) {
        return NULL;
    }
    return c;
}

/* The connection of a call that changes it; NULL, with *status, when it may not. */
static struct slt_tcp_conn *enter(struct salut_stack *stack, salut_conn handle,
                                  enum salut_status *status)
{
    if (stack->tx.pending) {
        *status = SALUT_PENDING_OUTPUT;
        return NULL;
    }
    *status = SALUT_STALE;
    return find(stack, handle);
}

/* The same for a call that queues bytes. */
static struct slt_tcp_conn *enter_to_send(struct salut_stack *stack, salut_conn handle,
                                          unsigned flags, enum salut_status *status)
{
    struct slt_tcp_conn *c = enter(stack, handle, status);
    if (c && (flags & ~(unsigned)(SALUT_SEND_URGENT | SALUT_SEND_MORE)) != 0) {
        *status = SALUT_INVALID;
        return NULL;
    }
    return c;
}

enum salut_status salut_sendv(struct salut_stack *stack, salut_conn conn,
                              const struct salut_iovec *pieces, size_t count, unsigned flags,
                              size_t *accepted)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter_to_send(stack, conn, flags, &status);
    *accepted = 0;
    if (!c) {
        return status;
    }
    status = slt_tcp_send(&stack->tcp, c, pieces, count, flags, accepted, stack->now_ns);
    slt_after(stack, c);
    return status;
}

enum salut_status salut_send(struct salut_stack *stack, salut_conn conn, const void *data,
                             size_t bytes, unsigned flags, size_t *accepted)
{
    const struct salut_iovec piece = {data, bytes};
    return salut_sendv(stack, conn, &piece, 1, flags, accepted);
}

enum salut_status salut_send_room(const struct salut_stack *stack, salut_conn conn, size_t *bytes)
{
    const struct slt_tcp_conn *c = find(stack, conn);
    *bytes = 0;
    return c ? slt_tcp_send_room(c, bytes) : SALUT_STALE;
}

enum salut_status salut_send_reserve(struct salut_stack *stack, salut_conn conn,
                                     struct salut_iovec_mut *room)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    *room = (struct salut_iovec_mut){.base = NULL};
    if (!c) {
        return status;
    }
    return slt_tcp_send_reserve(&stack->tcp, c, room, stack->now_ns);
}

enum salut_status salut_send_commit(struct salut_stack *stack, salut_conn conn, size_t bytes,
                                    unsigned flags)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter_to_send(stack, conn, flags, &status);
    if (!c) {
        return status;
    }
    status = slt_tcp_send_commit(&stack->tcp, c, bytes, flags, stack->now_ns);
    slt_after(stack, c);
    return status;
}

enum salut_status salut_send_lend(struct salut_stack *stack, salut_conn conn,
                                  const struct salut_loan *loan, unsigned flags)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter_to_send(stack, conn, flags, &status);
    if (!c) {
        return status;
    }
    status = slt_tcp_send_lend(&stack->tcp, c, loan, flags, stack->now_ns);
    slt_after(stack, c);
    return status;
}

bool salut_take_back(struct salut_stack *stack, struct salut_loan *loan)
{
    struct slt_loan back;
    if (!slt_loans_next(&stack->tcp.loans, &back)) {
        return false;
    }
    *loan = (struct salut_loan){.base = back.data, .bytes = back.bytes, .user = back.user};
    return true;
}

enum salut_status salut_recvv(struct salut_stack *stack, salut_conn conn,
                              const struct salut_iovec_mut *pieces, size_t count, size_t *received)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    *received = 0;
    if (!c) {
        return status;
    }
    status = slt_tcp_recv(&stack->tcp, c, pieces, count, received, stack->now_ns);
    slt_after(stack, c);
    return status;
}

enum salut_status salut_recv(struct salut_stack *stack, salut_conn conn, void *data, size_t bytes,
                             size_t *received)
{
    const struct salut_iovec_mut piece = {data, bytes};
    return salut_recvv(stack, conn, &piece, 1, received);
}

enum salut_status salut_peek(struct salut_stack *stack, salut_conn conn, struct salut_iovec *pieces,
                             size_t max, size_t *count, size_t *bytes)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    *count = 0;
    *bytes = 0;
    return c ? slt_tcp_peek(&stack->tcp, c, pieces, max, count, bytes) : status;
}

enum salut_status salut_consume(struct salut_stack *stack, salut_conn conn, size_t bytes)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    if (!c) {
        return status;
    }
    status = slt_tcp_consume(&stack->tcp, c, bytes, stack->now_ns);
    slt_after(stack, c);
    return status;
}

enum salut_status salut_urgent(const struct salut_stack *stack, salut_conn conn, uint32_t *ahead)
{
    const struct slt_tcp_conn *c = find(stack, conn);
    *ahead = c ? slt_tcp_urgent_ahead(c) : 0;
    return c ? SALUT_OK : SALUT_STALE;
}

enum salut_status salut_shutdown(struct salut_stack *stack, salut_conn conn, enum salut_how how)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    if (!c) {
        return status;
    }
    status = slt_tcp_shutdown(&stack->tcp, c, how, stack->now_ns);
    slt_after(stack, c);
    return status;
}

enum salut_status salut_close(struct salut_stack *stack, salut_conn conn)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    if (!c) {
        return status;
    }
    slt_tcp_close(&stack->tcp, c, stack->now_ns);
    slt_after(stack, c);
    return SALUT_OK;
}

enum salut_status salut_abort(struct salut_stack *stack, salut_conn conn)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    if (!c) {
        return status;
    }
    slt_tcp_abort(&stack->tcp, c, SLT_CAUSE_USER_ABORT, stack->now_ns);
    slt_tcp_close(&stack->tcp, c, stack->now_ns);
    slt_after(stack, c);
    return SALUT_OK;
}

void salut_abort_all(struct salut_stack *stack)
{
    const uint8_t unheld = SLT_MARK_DEAD | SLT_MARK_CHILD | SLT_MARK_QUEUED;
    slt_tx_cancel(stack);
    for (uint32_t i = 0; i < stack->tcp.conns.fresh; i++) {
        struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, i);
        if (c->place.generation % 2 == 1 && (c->place.marks & unheld) == 0) {
            slt_tcp_abort(&stack->tcp, c, SLT_CAUSE_USER_ABORT, stack->now_ns);
            slt_after(stack, c);
        }
    }
}

enum salut_status salut_set_option(struct salut_stack *stack, salut_conn conn,
                                   enum salut_option option, int64_t value)
{
    enum salut_status status;
    struct slt_tcp_conn *c = enter(stack, conn, &status);
    if (!c) {
        return status;
    }
    status = slt_tcp_set_option(&stack->tcp, c, option, value, stack->now_ns);
    slt_after(stack, c);
    return status;
}

enum salut_status salut_get_option(const struct salut_stack *stack, salut_conn conn,
                                   enum salut_option option, int64_t *value)
{
    const struct slt_tcp_conn *c = find(stack, conn);
    *value = 0;
    return c ? slt_tcp_get_option(&stack->tcp, c, option, value) : SALUT_STALE;
}

enum salut_status salut_set_interest(struct salut_stack *stack, salut_conn conn, uint32_t interest)
{
    struct slt_tcp_conn *c = find(stack, conn);
    if (!c) {
        return SALUT_STALE;
    }
    c->place.interest = (uint8_t)interest;
    slt_after_news(stack, c);
    return SALUT_OK;
}

enum salut_status salut_ready(const struct salut_stack *stack, salut_conn conn, uint32_t *ready)
{
    const struct slt_tcp_conn *c = find(stack, conn);
    *ready = c ? slt_tcp_ready(c, UINT32_MAX) : 0;
    return c ? SALUT_OK : SALUT_STALE;
}

enum salut_status salut_set_user(struct salut_stack *stack, salut_conn conn, uint64_t user)
{
    struct slt_tcp_conn *c = find(stack, conn);
    if (!c) {
        return SALUT_STALE;
    }
    c->place.of.user = user;
    return SALUT_OK;
}

enum salut_status salut_get_info(const struct salut_stack *stack, salut_conn conn,
                                 struct salut_info *info)
{
    const struct slt_tcp_conn *c = find(stack, conn);
    if (!c) {
        return SALUT_STALE;
    }
    slt_info_conn(stack, c, info);
    return SALUT_OK;
}
