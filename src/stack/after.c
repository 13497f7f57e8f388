/* What follows every door of the engine, in one place.
 *
 * A door changes a connection and calls nobody. Here the stack draws the consequences, in two
 * steps. slt_after comes after every door: the connection joins the queue of those that have news
 * and of those that may have something to send, and its deadline moves if it came nearer. The rest
 * waits for the transmit step that follows (slt_after_turn), however many doors a turn opens: what
 * is idle folds, timers are set anew, a connection in TIME-WAIT that nobody holds shrinks to its
 * small entry, a CLOSED one can no longer be found, and what is over is given back. The last two
 * states, and a connection that no transmit step will visit, do not wait.
 *
 * The wheel may hold an earlier instant than the connection's next deadline: most timers are moved
 * on or stopped long before they fire, and it is cheaper to look once in vain.
 */
#include "stack/stack.h"

/* RFC 9293 3.6: TIME-WAIT goes on without the user. The last acknowledgement must have left. */
static bool may_shrink(const struct slt_tcp_conn *c)
{
    return c->state == SALUT_STATE_TIME_WAIT && slt_tcp_has(c, SLT_CONN_ORPHAN) &&
           c->rcv.queue.bytes == 0;
}

static void shrink(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    SLT_ASSERT((c->place.marks & SLT_MARK_FOUND) != 0);
    if (slt_waits_add(stack, c)) {
        c->place.marks &= (uint8_t) ~(unsigned)SLT_MARK_FOUND;
    } else {
        slt_conns_hide(stack, c);
        /* L-38: what does not fit in the table does without TIME-WAIT, and is counted. */
        slt_stack_note(stack, SLT_NOTE_TCP_TW_FULL);
        slt_tcp_abort(&stack->tcp, c, SLT_CAUSE_EVICTED, stack->now_ns);
    }
    slt_conns_release(stack, c);
}

void slt_after_news(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    if (slt_tcp_has(c, SLT_CONN_ORPHAN) || (c->place.marks & SLT_MARK_QUEUED) != 0 ||
        slt_queue_holds(c, SLT_LINK_READY)) {
        return;
    }
    if (slt_tcp_ready(c, c->place.interest) != 0) {
        slt_queue_push(stack, &stack->ready, c, SLT_LINK_READY);
    }
}

static SLT_APART void move_wheel(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    int64_t due_at_ns = slt_tcp_find_deadline(c);
    if (due_at_ns < c->place.wheel.due_at_ns || due_at_ns == SLT_NEVER) {
        slt_wheel_set(&stack->wheel, &stack->tcp.conns, c->index, due_at_ns);
    }
}

/* The wheel holds the next deadline, or an earlier instant. */
static void bring_nearer(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    if (slt_tcp_deadline_bound(c) < c->place.wheel.due_at_ns) {
        move_wheel(stack, c);
    }
}

/* The same, and nothing when no timer runs. */
static void set_wheel(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    int64_t bound_ns = slt_tcp_deadline_bound(c);
    int64_t held_ns = c->place.wheel.due_at_ns;
    if (bound_ns < held_ns || (bound_ns == SLT_NEVER && held_ns != SLT_NEVER)) {
        move_wheel(stack, c);
    }
}

void slt_after_turn(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    struct slt_tcp *tcp = &stack->tcp;
    SLT_ASSERT((c->place.marks & SLT_MARK_DEAD) == 0);
    SLT_DCHECK(slt_tcp_check(tcp, c, stack->now_ns) == NULL);
    if (c->place.marks & SLT_MARK_FAST_OPEN) {
        slt_fast_open_watch(stack, c);
    }
    bool wants = slt_tcp_settle(tcp, c, stack->now_ns);
    if (c->state == SALUT_STATE_CLOSED) {
        slt_conns_hide(stack, c);
        if (slt_tcp_is_done(c)) {
            slt_conns_release(stack, c);
            return;
        }
    }
    if (!wants && may_shrink(c)) {
        shrink(stack, c);
        return;
    }
    set_wheel(stack, c);
    if (wants && !slt_queue_holds(c, SLT_LINK_DIRTY)) {
        slt_queue_push(stack, &stack->dirty, c, SLT_LINK_DIRTY);
    }
    slt_after_news(stack, c);
}

/* The transmit step will come by: the connection stands in its queue, or joins it now. */
static bool awaits_turn(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    if (c->state == SALUT_STATE_CLOSED || c->state == SALUT_STATE_TIME_WAIT ||
        c->place.parked != SLT_PARKED_NOT || slt_stack_is_quiet(stack)) {
        return false;
    }
    if (!slt_queue_holds(c, SLT_LINK_DIRTY)) {
        slt_queue_push(stack, &stack->dirty, c, SLT_LINK_DIRTY);
    }
    return true;
}

void slt_after(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    SLT_ASSERT((c->place.marks & SLT_MARK_DEAD) == 0);
    if (!awaits_turn(stack, c)) {
        slt_after_turn(stack, c);
        return;
    }
    bring_nearer(stack, c);
    slt_after_news(stack, c);
}
