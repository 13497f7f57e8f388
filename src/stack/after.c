/* What follows every door of the engine, in one place.
 *
 * A door changes a connection and calls nobody. Here the stack draws the consequences: a CLOSED
 * connection can no longer be found, its timers are set anew, it joins the queue of those that
 * have something to send and the queue of those that have news, a connection in TIME-WAIT that
 * nobody holds shrinks to its small entry, and what is over is given back.
 */
#include "stack/stack.h"

/* RFC 9293 3.6: TIME-WAIT goes on without the user. The last acknowledgement must have left. */
static bool may_shrink(const struct slt_tcp_conn *c)
{
    return c->state == SALUT_STATE_TIME_WAIT && slt_tcp_has(c, SLT_CONN_ORPHAN) &&
           c->rcv.queue.bytes == 0;
}

static void shrink(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, index);
    slt_conns_hide(stack, index);
    if (!slt_waits_add(stack, c)) {
        /* L-38: what does not fit in the table does without TIME-WAIT, and is counted. */
        slt_stack_note(stack, SLT_NOTE_TCP_TW_FULL);
        slt_tcp_abort(&stack->tcp, c, SLT_CAUSE_EVICTED, stack->now_ns);
    }
    slt_conns_release(stack, index);
}

void slt_after_news(struct salut_stack *stack, uint32_t index)
{
    const struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, index);
    if (slt_tcp_has(c, SLT_CONN_ORPHAN) || (c->place.marks & SLT_MARK_QUEUED) != 0 ||
        slt_queue_has(stack, index, SLT_LINK_READY)) {
        return;
    }
    if ((slt_tcp_ready(&stack->tcp, c) & c->place.interest) != 0) {
        slt_queue_push(stack, &stack->ready, index, SLT_LINK_READY);
    }
}

void slt_after(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp *tcp = &stack->tcp;
    struct slt_tcp_conn *c = slt_tcp_conn_at(tcp, index);
    SLT_ASSERT((c->place.marks & SLT_MARK_DEAD) == 0);
    SLT_DCHECK(slt_tcp_check(tcp, c, stack->now_ns) == NULL);
    slt_tcp_settle(tcp, c, stack->now_ns);
    bool wants = slt_tcp_wants_output(tcp, c, stack->now_ns);
    if (c->state == SALUT_STATE_CLOSED) {
        slt_conns_hide(stack, index);
        if (slt_tcp_is_done(c)) {
            slt_conns_release(stack, index);
            return;
        }
    }
    if (!wants && may_shrink(c)) {
        shrink(stack, index);
        return;
    }
    slt_wheel_set(&stack->wheel, &tcp->conns, index, slt_tcp_next_deadline(tcp, c));
    if (wants && !slt_queue_has(stack, index, SLT_LINK_DIRTY)) {
        slt_queue_push(stack, &stack->dirty, index, SLT_LINK_DIRTY);
    }
    slt_after_news(stack, index);
}
