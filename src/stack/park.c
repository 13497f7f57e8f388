/* Waiting for neighbours: connections parked until a link address is known, and the questions and
 * answers of address resolution that go out as replies.
 *
 * The neighbour cache names each neighbour whose resolution has ended; who waited for it goes back
 * to the dirty queue, and finds out for itself what became of it.
 */
#include "stack/stack.h"

#include "ip/neigh_arp.h"
#include "ip/neigh_nd.h"

bool slt_park_init(struct salut_stack *stack)
{
    stack->parked_max =
        stack->config.link_kind == SALUT_LINK_ETHERNET ? stack->config.neighbours_max : 0;
    if (stack->parked_max == 0) {
        return true;
    }
    stack->parked =
        slt_mem_take(&stack->mem, SLT_OWNER_STACK, stack->parked_max * sizeof(*stack->parked));
    if (!stack->parked) {
        return false;
    }
    for (uint32_t i = 0; i < stack->parked_max; i++) {
        slt_queue_init(&stack->parked[i]);
    }
    return true;
}

void slt_park_deinit(struct salut_stack *stack)
{
    slt_mem_give(&stack->mem, SLT_OWNER_STACK, stack->parked,
                 stack->parked_max * sizeof(*stack->parked));
    stack->parked = NULL;
}

void slt_park_conn(struct salut_stack *stack, struct slt_tcp_conn *c, struct slt_neigh_ref ref)
{
    SLT_ASSERT(ref.index < stack->parked_max);
    c->place.parked = SLT_PARKED_NEIGHBOUR;
    slt_queue_push(stack, &stack->parked[ref.index], c, SLT_LINK_DIRTY);
}

static void wake_parked(struct salut_stack *stack, uint32_t neighbour)
{
    struct slt_conn_queue *queue = &stack->parked[neighbour];
    struct slt_tcp_conn *c;
    while ((c = slt_queue_pop(stack, queue, SLT_LINK_DIRTY)) != NULL) {
        if (!slt_conns_let_go(stack, c)) {
            c->place.parked = SLT_PARKED_NOT;
            slt_queue_push(stack, &stack->dirty, c, SLT_LINK_DIRTY);
        }
    }
}

static void queue_frame(struct salut_stack *stack, struct slt_span frame, const uint8_t dst[16])
{
    const struct slt_span parts[3] = {frame, {NULL, 0}, {NULL, 0}};
    slt_reply_parts(stack, SLT_REPLY_FRAME, parts, dst);
}

/* What a message from a neighbour makes us say. */
void slt_park_answer(struct salut_stack *stack, const struct slt_neigh_reply *reply)
{
    uint8_t frame[SLT_REPLY_BYTES_MAX];
    struct slt_writer w = slt_writer_of(frame, sizeof(frame));
    if (reply->kind == SLT_NEIGH_REPLY_NONE) {
        return;
    }
    uint32_t bytes = reply->kind == SLT_NEIGH_REPLY_NA
                         ? slt_neigh_emit_advertisement(&stack->iface, reply, &w)
                         : slt_neigh_emit_arp_reply(&stack->iface, reply, &w);
    SLT_ASSERT(bytes > 0);
    queue_frame(stack, (struct slt_span){frame, bytes}, reply->dst);
}

void slt_park_ask(struct salut_stack *stack, const struct slt_neigh_solicit *solicit)
{
    uint8_t frame[SLT_REPLY_BYTES_MAX];
    struct slt_writer w = slt_writer_of(frame, sizeof(frame));
    uint32_t bytes = slt_address_is_v4(solicit->target)
                         ? slt_neigh_emit_arp_request(&stack->iface, solicit, &w)
                         : slt_neigh_emit_solicitation(&stack->iface, solicit, &w);
    SLT_ASSERT(bytes > 0);
    queue_frame(stack, (struct slt_span){frame, bytes}, solicit->target);
}

void slt_park_turn(struct salut_stack *stack)
{
    struct slt_neigh_wake wake;
    struct slt_neigh_solicit solicit;
    bool woken = false;
    while (slt_neigh_take_wake(&stack->neigh, &wake)) {
        woken = true;
        if (wake.kind == SLT_NEIGH_WAKE_FAILED) {
            slt_stack_note(stack, SLT_NOTE_NEIGHBOUR_FAILED);
            slt_ip_gateway_doubt(&stack->iface, wake.addr);
        }
        wake_parked(stack, wake.ref.index);
    }
    if (woken) {
        slt_reply_wake(stack);
        slt_udp_wake(&stack->udp);
    }
    while (slt_reply_room(stack) &&
           slt_neigh_next_due(&stack->neigh, &stack->iface, stack->now_ns, &solicit)) {
        slt_park_ask(stack, &solicit);
    }
}

bool slt_park_has_work(const struct salut_stack *stack)
{
    return stack->neigh.due_head != SLT_NIL || stack->neigh.wake_head != SLT_NIL;
}
