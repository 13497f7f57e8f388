/* What an instance tells about itself: connections, half-open and TIME-WAIT entries, listeners, UDP
 * sockets, counters, memory.
 *
 * The walk's cursor is a kind and an index, so it survives whatever comes and goes between calls.
 */
#include "stack/stack.h"

#include "ip/addr.h"

#include <string.h>

void slt_info_conn(const struct salut_stack *stack, const struct slt_tcp_conn *c,
                   struct salut_info *info)
{
    slt_tcp_info(&stack->tcp, c, stack->now_ns, info);
    info->waiting = (c->place.marks & SLT_MARK_QUEUED) != 0;
    info->user = info->waiting ? 0 : c->place.of.user;
    info->local.zone = c->place.zone;
    info->remote.zone = c->place.zone;
}

static bool conn_info(const struct salut_stack *stack, uint32_t index, struct salut_info *info)
{
    const struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, index);
    if (c->place.generation % 2 == 0 || (c->place.marks & SLT_MARK_DEAD) != 0) {
        return false;
    }
    slt_info_conn(stack, c, info);
    return true;
}

static bool half_open_info(const struct salut_stack *stack, uint32_t index, struct salut_info *info)
{
    const struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    if (h->listener == SLT_NIL) {
        return false;
    }
    slt_tcp_half_open_info(&stack->tcp, h, stack->now_ns, info);
    return true;
}

static bool time_wait_info(const struct salut_stack *stack, uint32_t index, struct salut_info *info)
{
    const struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
    if (tw->id.local_port == 0) {
        return false;
    }
    slt_tcp_time_wait_info(&stack->tcp, tw, stack->now_ns, info);
    return true;
}

static bool listener_info(const struct salut_stack *stack, uint32_t index, struct salut_info *info)
{
    const struct slt_listener *l = slt_listener_at(stack, index);
    if (l->generation % 2 == 0) {
        return false;
    }
    memset(info, 0, sizeof(*info));
    info->object = SALUT_IS_LISTENER;
    info->state = SALUT_STATE_LISTEN;
    info->passive = 1;
    info->user = l->user;
    info->local.zone = l->zone;
    slt_ip_addr_copy(info->local.b, l->addr);
    info->local_port = l->port;
    info->recv_queued = l->queue_count; /* as ss shows a listener: waiting, and how many may */
    info->send_queued = l->backlog;
    info->recv_buffer = l->defaults.recv_buffer_max;
    info->send_buffer = l->defaults.send_buffer_max;
    return true;
}

/* The kinds in the order of the walk. */
#define KIND_COUNT 5U

static uint32_t count_of(const struct salut_stack *stack, uint32_t kind)
{
    const struct slt_pool *pools[KIND_COUNT] = {&stack->listen.pool, &stack->tcp.conns,
                                                &stack->half_open.pool, &stack->waits.pool,
                                                &stack->udp.pool};
    return pools[kind]->fresh;
}

static bool info_of(const struct salut_stack *stack, uint32_t kind, uint32_t index,
                    struct salut_info *info)
{
    switch (kind) {
    case 0:
        return listener_info(stack, index, info);
    case 1:
        return conn_info(stack, index, info);
    case 2:
        return half_open_info(stack, index, info);
    case 3:
        return time_wait_info(stack, index, info);
    default:
        return slt_udp_info_at(stack, index, info);
    }
}

bool salut_next_info(const struct salut_stack *stack, uint64_t *cursor, struct salut_info *info)
{
    uint32_t kind = (uint32_t)(*cursor >> 32);
    uint32_t index = (uint32_t)*cursor;
    while (kind < KIND_COUNT) {
        if (index >= count_of(stack, kind)) {
            kind++;
            index = 0;
            continue;
        }
        bool found = info_of(stack, kind, index, info);
        index++;
        bool there = info->state != SALUT_STATE_CLOSED || info->object == SALUT_IS_UDP;
        if (found && there) { /* S-12: CLOSED is not there */
            *cursor = (uint64_t)kind << 32 | index;
            return true;
        }
    }
    *cursor = (uint64_t)KIND_COUNT << 32;
    return false;
}

uint64_t salut_counter(const struct salut_stack *stack, unsigned reason)
{
    return reason < SLT_REASON_COUNT ? stack->telemetry->counters[reason] : 0;
}

void salut_ledger(const struct salut_stack *stack, unsigned owner, uint64_t *bytes,
                  uint32_t *objects)
{
    bool known = owner < SLT_OWNER_COUNT;
    *bytes = known ? stack->mem.ledger.bytes[owner] : 0;
    *objects = known ? stack->mem.ledger.objects[owner] : 0;
}
