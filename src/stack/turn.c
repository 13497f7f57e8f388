/* Time: the beginning of a turn, timers, and when the next one is due.
 *
 * Timers run in a bounded number per turn. The wheel of the connections, the queues of half-open
 * entries and of TIME-WAIT, the neighbour cache and the fragments each say when they want to be
 * called next; the earliest of them is the instance's deadline.
 */
#include "stack/stack.h"

#include "ip/icmp.h"

void slt_turn_begin(struct salut_stack *stack, int64_t now_ns)
{
    slt_tx_cancel(stack);
    stack->now_ns = slt_max64(stack->now_ns, now_ns);
    slt_queue_join(stack, &stack->ready, &stack->reported, SLT_LINK_READY);
    slt_listen_turn(stack);
    slt_udp_turn(&stack->udp);
    slt_conns_tidy(stack);
}

static void fire(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, index);
    bool doubted = slt_tcp_has(c, SLT_CONN_R1);
    slt_tcp_timeout(&stack->tcp, c, stack->now_ns);
    if (!doubted && slt_tcp_has(c, SLT_CONN_R1)) {
        slt_net_doubt(stack, c);
    }
    slt_after(stack, c);
}

/* True when the budget ended first. */
static bool expire_conns(struct salut_stack *stack, uint32_t *budget)
{
    uint32_t index;
    if (slt_wheel_is_quiet(&stack->wheel, stack->now_ns)) {
        return false;
    }
    while (*budget > 0 &&
           (index = slt_wheel_pop(&stack->wheel, &stack->tcp.conns, stack->now_ns)) != SLT_NIL) {
        --*budget;
        fire(stack, index);
    }
    return *budget == 0;
}

static void expire_fragments(struct salut_stack *stack, uint32_t *budget)
{
    struct slt_frag_expired expired;
    struct slt_ip_packet packet;
    while (*budget > 0 && slt_frag_expire(&stack->frag, stack->now_ns, &expired)) {
        --*budget;
        if (!expired.poisoned) {
            slt_stack_drop(stack, SLT_DROP_FRAG_TIMEOUT);
        }
        if (expired.first.bytes == 0) {
            continue;
        }
        /* RFC 1122 3.3.2 (R1122-09), RFC 8200 4.5 (R8200-05). */
        if (!expired.poisoned &&
            slt_ip_parse(&stack->iface, expired.first, expired.way, &packet) == SLT_PASS) {
            struct slt_ip_error error = slt_icmp_reassembly_timeout(packet.family);
            slt_icmp_send_error(stack, &packet, &error);
        }
        slt_frag_release(&stack->frag);
    }
}

bool salut_poll(struct salut_stack *stack, int64_t now_ns)
{
    uint32_t budget = stack->config.timers_per_turn;
    slt_turn_begin(stack, now_ns);
    bool more = slt_half_open_expire(stack, &budget);
    more = slt_waits_expire(stack, &budget) || more;
    if (!slt_wheel_is_quiet(&stack->neigh.wheel, stack->now_ns)) {
        budget -= slt_neigh_expire(&stack->neigh, stack->now_ns, budget);
    }
    expire_fragments(stack, &budget);
    more = expire_conns(stack, &budget) || more || budget == 0;
    slt_auto_turn(stack);
    if (slt_park_has_work(stack)) {
        slt_park_turn(stack);
    }
    return more && salut_next_deadline(stack) <= stack->now_ns;
}

int64_t salut_next_deadline(const struct salut_stack *stack)
{
    int64_t next_ns = slt_wheel_next(&stack->wheel, &stack->tcp.conns);
    next_ns = slt_min64(next_ns, slt_half_open_next(stack));
    next_ns = slt_min64(next_ns, slt_waits_next(stack));
    next_ns = slt_min64(next_ns, slt_neigh_next_deadline(&stack->neigh));
    next_ns = slt_min64(next_ns, slt_frag_next_deadline(&stack->frag));
    next_ns = slt_min64(next_ns, slt_auto_next(stack));
    int64_t quiet_until_ns = slt_time_add(stack->config.start_at_ns, stack->config.quiet_time_ns);
    if (stack->now_ns < quiet_until_ns && stack->dirty.head != SLT_NIL) {
        next_ns = slt_min64(next_ns, quiet_until_ns);
    }
    return next_ns;
}
