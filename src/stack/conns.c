/* Connection objects of this floor: taken with their place initialised, given back when nothing
 * holds them any more.
 *
 * An object that is over may still stand in a queue of work or of news, which can be left at the
 * head only. It is then marked dead and given back when it comes to the head; when objects are
 * wanted before that, all queues are swept (each sweep frees what it was called for, so its cost
 * is shared by the connections that ended since the last one).
 */
#include "stack/stack.h"

/* Connections that a turn may look at in vain to find dead ones. */
#define TIDY_COST_MAX 64U

uint32_t slt_conns_new(struct salut_stack *stack, const struct slt_tcp_id *id,
                       const struct slt_tcp_defaults *defaults, enum salut_state from)
{
    uint16_t pmtu = slt_net_pmtu(stack, id->remote);
    uint32_t index = slt_tcp_conn_take(&stack->tcp, id, defaults, pmtu, from);
    if (index == SLT_NIL && stack->dead_count > 0) {
        slt_conns_sweep(stack);
        index = slt_tcp_conn_take(&stack->tcp, id, defaults, pmtu, from);
    }
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_tcp_place *place = &slt_tcp_conn_at(&stack->tcp, index)->place;
    place->flow_next = SLT_FLOW_NONE; /* all else of it is as the engine made it */
    slt_queue_free_links(place, index);
    return index;
}

void slt_conns_find_by_tuple(struct salut_stack *stack, uint32_t index, uint32_t hash)
{
    struct slt_tcp_place *place = &slt_tcp_conn_at(&stack->tcp, index)->place;
    SLT_ASSERT((place->marks & SLT_MARK_FOUND) == 0);
    slt_demux_add(stack, SLT_FLOW_CONN, index, hash);
    place->marks |= SLT_MARK_FOUND;
}

/* The same, in the place of the half-open entry that it comes from. */
void slt_conns_take_over(struct salut_stack *stack, uint32_t index, uint32_t half_open,
                         uint32_t hash)
{
    struct slt_tcp_place *place = &slt_tcp_conn_at(&stack->tcp, index)->place;
    SLT_ASSERT((place->marks & SLT_MARK_FOUND) == 0);
    slt_demux_replace(stack, slt_flow_ref_make(SLT_FLOW_HALF_OPEN, half_open),
                      slt_flow_ref_make(SLT_FLOW_CONN, index), hash);
    place->marks |= SLT_MARK_FOUND;
}

void slt_conns_hide(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    if (c->place.marks & SLT_MARK_FOUND) {
        slt_demux_remove(stack, SLT_FLOW_CONN, c->index);
        c->place.marks &= (uint8_t) ~(unsigned)SLT_MARK_FOUND;
    }
}

static bool held_by_queue(const struct slt_tcp_conn *c)
{
    return slt_queue_holds(c, SLT_LINK_DIRTY) || slt_queue_holds(c, SLT_LINK_READY);
}

void slt_conns_release(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    SLT_ASSERT((c->place.marks & (SLT_MARK_QUEUED | SLT_MARK_DEAD)) == 0);
    slt_conns_hide(stack, c);
    slt_wheel_set(&stack->wheel, &stack->tcp.conns, c->index, SLT_NEVER);
    slt_net_forget(stack, &c->place);
    if (held_by_queue(c)) {
        c->place.marks |= SLT_MARK_DEAD;
        stack->dead_count++;
        return;
    }
    slt_tcp_conn_give(&stack->tcp, c->index);
}

bool slt_conns_let_go(struct salut_stack *stack, const struct slt_tcp_conn *c)
{
    if ((c->place.marks & SLT_MARK_DEAD) == 0) {
        return false;
    }
    if (!held_by_queue(c)) {
        stack->dead_count--;
        slt_tcp_conn_give(&stack->tcp, c->index);
    }
    return true;
}

static void sweep_queue(struct salut_stack *stack, struct slt_conn_queue *queue,
                        enum slt_queue_link link)
{
    for (uint32_t left = queue->count; left > 0; left--) {
        struct slt_tcp_conn *c = slt_queue_pop(stack, queue, link);
        stack->tcp.work++;
        if (!slt_conns_let_go(stack, c)) {
            slt_queue_push(stack, queue, c, link);
        }
    }
}

void slt_conns_sweep(struct salut_stack *stack)
{
    sweep_queue(stack, &stack->dirty, SLT_LINK_DIRTY);
    sweep_queue(stack, &stack->ready, SLT_LINK_READY);
    sweep_queue(stack, &stack->reported, SLT_LINK_READY);
    for (uint32_t i = 0; i < stack->parked_max && stack->dead_count > 0; i++) {
        sweep_queue(stack, &stack->parked[i], SLT_LINK_DIRTY);
    }
    SLT_ASSERT(stack->dead_count == 0);
}

/* Who never asks for events has queues that nobody empties: sweep when that is cheap, measured by
 * what it gives back. */
void slt_conns_tidy(struct salut_stack *stack)
{
    uint64_t cost = (uint64_t)stack->ready.count + stack->reported.count;
    if (stack->dead_count > 0 && cost <= TIDY_COST_MAX + 4 * (uint64_t)stack->dead_count) {
        sweep_queue(stack, &stack->ready, SLT_LINK_READY);
        sweep_queue(stack, &stack->reported, SLT_LINK_READY);
    }
}
