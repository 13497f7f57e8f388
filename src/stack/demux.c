/* From a tuple to the object that owns it: a keyed hash of the tuple, one flow table for the three
 * kinds of objects, chains compared by the full tuple.
 *
 * The hash is SipHash-1-3 under a key of the instance's own, so that nobody outside can choose
 * tuples that share a chain; the number of buckets follows the limits of the configuration (half of
 * all objects together: four bytes each are what an entry's budget leaves), so the expected chain
 * is short when everything is full.
 *
 * A connection is asked for again and again within a few turns: by its segments, when its half-open
 * entry becomes a connection, and when that is removed. So the hashes of the last tuples (of IPv4)
 * are remembered, each at the place that its ports name. Who chooses tuples to meet at one place
 * only makes their hashes be computed anew.
 */
#include "stack/stack.h"

#include <string.h>

#define BUCKETS_MIN 16U

_Static_assert(sizeof(struct slt_tcp_id) == 36, "the tuple is hashed and compared as bytes");

uint32_t slt_demux_bucket_count(const struct salut_config *config)
{
    uint64_t objects = (uint64_t)config->conns_max + config->half_open_max + config->time_wait_max;
    return slt_max32((uint32_t)(objects / 2), BUCKETS_MIN);
}

static uint32_t hash_of(const struct salut_stack *stack, const struct slt_tcp_id *id)
{
    return (uint32_t)slt_tcp_id_hash13(&stack->flow_key, id);
}

/* Places hold zeros at first. The tuple of zeros belongs to place 0, which is told its hash; the
 * others answer for none. */
static void init_seen(struct salut_stack *stack)
{
    memset(stack->seen, 0, sizeof(stack->seen));
    stack->seen[0].hash = (uint32_t)slt_siphash13_12(&stack->flow_key, 0, 0);
}

bool slt_demux_init(struct salut_stack *stack)
{
    init_seen(stack);
    if (!slt_flow_init(&stack->flow, &stack->mem, slt_demux_bucket_count(&stack->config))) {
        return false;
    }
    stack->flow.kinds[SLT_FLOW_CONN] = (struct slt_flow_kind){
        &stack->tcp.conns, (uint32_t)(offsetof(struct slt_tcp_conn, place) +
                                      offsetof(struct slt_tcp_place, flow_next))};
    stack->flow.kinds[SLT_FLOW_HALF_OPEN] = (struct slt_flow_kind){
        &stack->half_open.pool, (uint32_t)offsetof(struct slt_tcp_half_open, flow_next)};
    stack->flow.kinds[SLT_FLOW_TIME_WAIT] = (struct slt_flow_kind){
        &stack->waits.pool, (uint32_t)offsetof(struct slt_tcp_time_wait, flow_next)};
    return true;
}

/* The tuple's place among those remembered. */
static uint32_t seen_at(const struct slt_tcp_id *id)
{
    return ((uint32_t)id->local_port + id->remote_port) % SLT_SEEN_COUNT;
}

static bool is_seen(const struct slt_seen *seen, struct slt_tcp_id_v4 v4)
{
    return seen->ports == v4.ports && seen->addresses == v4.addresses;
}

uint32_t slt_demux_hash(const struct salut_stack *stack, const struct slt_tcp_id *id)
{
    const struct slt_seen *seen = &stack->seen[seen_at(id)];
    if (slt_tcp_id_is_v4(id) && is_seen(seen, slt_tcp_id_v4(id))) {
        SLT_DCHECK(seen->hash == hash_of(stack, id));
        return seen->hash;
    }
    return hash_of(stack, id);
}

uint32_t slt_demux_meet(struct salut_stack *stack, const struct slt_tcp_id *id)
{
    if (!slt_tcp_id_is_v4(id)) {
        return hash_of(stack, id);
    }
    struct slt_seen *seen = &stack->seen[seen_at(id)];
    struct slt_tcp_id_v4 v4 = slt_tcp_id_v4(id);
    if (!is_seen(seen, v4)) {
        *seen = (struct slt_seen){v4.addresses, v4.ports, hash_of(stack, id)};
    }
    SLT_DCHECK(seen->hash == hash_of(stack, id));
    return seen->hash;
}

/* The bucket will be looked at soon: have the processor fetch it. */
void slt_demux_expect(const struct salut_stack *stack, uint32_t hash)
{
    slt_prefetch(&stack->flow.buckets[slt_flow_bucket(&stack->flow, hash)]);
}

static const struct slt_tcp_id *id_of(const struct salut_stack *stack, slt_flow_ref ref)
{
    uint32_t index = slt_flow_index(ref);
    switch ((enum slt_flow_object)slt_flow_kind(ref)) {
    case SLT_FLOW_CONN:
        return &slt_tcp_conn_at(&stack->tcp, index)->id;
    case SLT_FLOW_HALF_OPEN:
        return &slt_half_open_at(stack, index)->id;
    case SLT_FLOW_TIME_WAIT:
        return &slt_wait_at(stack, index)->id;
    }
    SLT_UNREACHABLE("a flow reference of no kind");
}

/* The bucket has come: have the processor fetch the first object of its chain. */
void slt_demux_approach(const struct salut_stack *stack, uint32_t hash)
{
    slt_flow_ref ref = slt_flow_first(&stack->flow, hash);
    if (ref != SLT_FLOW_NONE) {
        slt_prefetch(id_of(stack, ref));
    }
}

slt_flow_ref slt_demux_find(const struct salut_stack *stack, uint32_t hash,
                            const struct slt_tcp_id *id, uint32_t *probes)
{
    slt_flow_ref ref = slt_flow_first(&stack->flow, hash);
    while (ref != SLT_FLOW_NONE) {
        ++*probes;
        if (memcmp(id_of(stack, ref), id, sizeof(*id)) == 0) {
            return ref;
        }
        ref = *slt_flow_link(&stack->flow, ref);
    }
    return SLT_FLOW_NONE;
}

bool slt_demux_has(const struct salut_stack *stack, uint32_t hash, const struct slt_tcp_id *id)
{
    uint32_t probes = 0;
    return slt_demux_find(stack, hash, id, &probes) != SLT_FLOW_NONE;
}

void slt_demux_add(struct salut_stack *stack, enum slt_flow_object kind, uint32_t index,
                   uint32_t hash)
{
    slt_flow_ref ref = slt_flow_ref_make((uint32_t)kind, index);
    SLT_DCHECK(hash == hash_of(stack, id_of(stack, ref)));
    slt_flow_add(&stack->flow, hash, ref);
}

void slt_demux_replace(struct salut_stack *stack, slt_flow_ref old, slt_flow_ref ref, uint32_t hash)
{
    SLT_DCHECK(memcmp(id_of(stack, old), id_of(stack, ref), sizeof(struct slt_tcp_id)) == 0);
    SLT_DCHECK(hash == hash_of(stack, id_of(stack, ref)));
    slt_flow_replace(&stack->flow, hash, old, ref);
}

void slt_demux_remove(struct salut_stack *stack, enum slt_flow_object kind, uint32_t index)
{
    slt_flow_ref ref = slt_flow_ref_make((uint32_t)kind, index);
    slt_flow_remove(&stack->flow, slt_demux_hash(stack, id_of(stack, ref)), ref);
}
