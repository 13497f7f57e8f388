/* Connections in TIME-WAIT that nobody holds: when each of them ends.
 *
 * All of them wait the same time, but a peer that sends its FIN again restarts its own entry's
 * wait (RFC 9293 3.10.7.4), so the order of ending is not the order of coming. A wheel keeps them:
 * four levels of 64 slots, a slot of level 0 is one millisecond, each further level 64 times more.
 * An entry has room for one link (its budget is 64 bytes with its hash bucket), so slots are
 * singly linked, and a restart moves nothing: the entry is found in its old slot, which comes
 * first, its deadline is read again, and it is filed anew. So every entry ends exactly when it
 * must, to the millisecond and never early, and each costs O(levels) plus its restarts.
 */
#include "stack/stack.h"

#include <string.h>

#define SLOT_BITS 6U

static uint64_t now_in_ms(const struct salut_stack *stack)
{
    return (uint64_t)(stack->now_ns - stack->config.start_at_ns) / (uint64_t)SLT_NS_PER_MS;
}

/* The first millisecond at which the entry is over. `near_ns` is an instant at most 2MSL before:
 * an entry keeps the low bits of its deadline only. */
static uint64_t due_in_ms(const struct salut_stack *stack, const struct slt_tcp_time_wait *tw,
                          int64_t near_ns)
{
    int64_t due_at_ns = slt_tcp_time_wait_due_at_ns(tw, near_ns);
    int64_t for_ns = slt_max64(due_at_ns - stack->config.start_at_ns, 0);
    return ((uint64_t)for_ns + (uint64_t)SLT_NS_PER_MS - 1) / (uint64_t)SLT_NS_PER_MS;
}

static void file_entry(struct salut_stack *stack, uint32_t index, int64_t near_ns)
{
    struct slt_wait_table *waits = &stack->waits;
    struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
    uint64_t due = due_in_ms(stack, tw, near_ns);
    due = due < waits->now_ms ? waits->now_ms : due;
    /* The highest group of six bits in which the deadline differs from now decides the level. */
    uint64_t differs = due ^ waits->now_ms;
    uint32_t level = 0;
    while (level + 1 < SLT_WAIT_LEVELS && differs >> (SLOT_BITS * (level + 1)) != 0) {
        level++;
    }
    uint32_t slot = (uint32_t)(due >> (SLOT_BITS * level)) & (SLT_WAIT_SLOTS - 1);
    tw->next = waits->head[level][slot];
    waits->head[level][slot] = index;
    waits->occupied[level] |= UINT64_C(1) << slot;
}

/* The slot that comes first; false when all are empty. *start_ms is when it begins. A slot that is
 * being emptied has begun already, and comes before those its entries were moved to. */
static bool first_slot(const struct slt_wait_table *waits, uint32_t *level, uint32_t *slot,
                       uint64_t *start_ms)
{
    *start_ms = UINT64_MAX;
    for (uint32_t l = 0; l < SLT_WAIT_LEVELS; l++) {
        if (waits->occupied[l] == 0) {
            continue;
        }
        uint32_t first = (uint32_t)__builtin_ctzll(waits->occupied[l]);
        uint64_t above = waits->now_ms >> (SLOT_BITS * (l + 1)) << (SLOT_BITS * (l + 1));
        uint64_t begins_ms = above | (uint64_t)first << (SLOT_BITS * l);
        if (begins_ms < *start_ms) {
            *start_ms = begins_ms;
            *level = l;
            *slot = first;
        }
    }
    return *start_ms != UINT64_MAX;
}

bool slt_waits_init(struct salut_stack *stack)
{
    struct slt_wait_table *waits = &stack->waits;
    memset(waits->head, 0xff, sizeof(waits->head));
    return slt_pool_init(&waits->pool, &stack->mem, SLT_OWNER_TIME_WAIT,
                         (uint32_t)sizeof(struct slt_tcp_time_wait), stack->config.time_wait_max);
}

/* Give back what is over in one slot. */
static void sweep_slot(struct salut_stack *stack, uint32_t level, uint32_t slot)
{
    struct slt_wait_table *waits = &stack->waits;
    uint32_t *link = &waits->head[level][slot];
    while (*link != SLT_NIL) {
        uint32_t index = *link;
        struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
        stack->tcp.work++;
        if (tw->id.local_port != 0) {
            link = &tw->next;
            continue;
        }
        *link = tw->next;
        slt_pool_give(&waits->pool, index);
        waits->over_count--;
    }
    if (waits->head[level][slot] == SLT_NIL) {
        waits->occupied[level] &= ~(UINT64_C(1) << slot);
    }
}

/* Entries that ended before their time still hold their places; when places are wanted, slots are
 * swept in turn until one is free. */
static uint32_t take_place(struct salut_stack *stack)
{
    struct slt_wait_table *waits = &stack->waits;
    uint32_t index = slt_pool_take(&waits->pool);
    while (index == SLT_NIL && waits->over_count > 0) {
        waits->sweep = (waits->sweep + 1) % (SLT_WAIT_LEVELS * SLT_WAIT_SLOTS);
        sweep_slot(stack, waits->sweep / SLT_WAIT_SLOTS, waits->sweep % SLT_WAIT_SLOTS);
        index = slt_pool_take(&waits->pool);
    }
    return index;
}

bool slt_waits_add(struct salut_stack *stack, const struct slt_tcp_conn *c)
{
    uint32_t index = take_place(stack);
    if (index == SLT_NIL) {
        return false;
    }
    struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
    slt_tcp_time_wait_init(&stack->tcp, c, tw, stack->now_ns);
    SLT_ASSERT(tw->id.local_port != 0);
    stack->waits.count++;
    file_entry(stack, index, stack->now_ns);
    slt_demux_replace(stack, slt_flow_ref_make(SLT_FLOW_CONN, c->index),
                      slt_flow_ref_make(SLT_FLOW_TIME_WAIT, index), slt_demux_hash(stack, &c->id));
    return true;
}

/* An entry leaves the flow table at once; its slot lets go of it when its time comes. A port of
 * zero says that it is over. */
void slt_waits_end(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
    SLT_ASSERT(tw->id.local_port != 0);
    slt_demux_remove(stack, SLT_FLOW_TIME_WAIT, index);
    tw->id.local_port = 0;
    stack->waits.count--;
    stack->waits.over_count++;
}

static void take_first(struct salut_stack *stack, uint32_t level, uint32_t slot)
{
    struct slt_wait_table *waits = &stack->waits;
    uint32_t index = waits->head[level][slot];
    struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
    waits->head[level][slot] = tw->next;
    if (tw->next == SLT_NIL) {
        waits->occupied[level] &= ~(UINT64_C(1) << slot);
    }
    if (tw->id.local_port == 0) {
        slt_pool_give(&waits->pool, index);
        waits->over_count--;
        return;
    }
    /* The slot's own time, not now, which may be hours later when the instance was asleep. */
    int64_t slot_at_ns =
        slt_time_add(stack->config.start_at_ns, (int64_t)waits->now_ms * SLT_NS_PER_MS);
    if (due_in_ms(stack, tw, slot_at_ns) > now_in_ms(stack)) {
        file_entry(stack, index, slot_at_ns);
        return;
    }
    slt_stack_emit_wait_end(stack, index, SLT_CAUSE_TWO_MSL);
    slt_waits_end(stack, index);
    slt_pool_give(&waits->pool, index);
    waits->over_count--;
}

bool slt_waits_expire(struct salut_stack *stack, uint32_t *budget)
{
    struct slt_wait_table *waits = &stack->waits;
    uint64_t now_ms = now_in_ms(stack);
    uint32_t level = 0;
    uint32_t slot = 0;
    uint64_t start_ms;
    while (first_slot(waits, &level, &slot, &start_ms) && start_ms <= now_ms) {
        if (*budget == 0) {
            return true;
        }
        --*budget;
        waits->now_ms = start_ms > waits->now_ms ? start_ms : waits->now_ms;
        take_first(stack, level, slot);
    }
    waits->now_ms = now_ms;
    return false;
}

int64_t slt_waits_next(const struct salut_stack *stack)
{
    uint32_t level = 0;
    uint32_t slot = 0;
    uint64_t start_ms;
    if (!first_slot(&stack->waits, &level, &slot, &start_ms)) {
        return SLT_NEVER;
    }
    return slt_time_add(stack->config.start_at_ns, (int64_t)start_ms * SLT_NS_PER_MS);
}
