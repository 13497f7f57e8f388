/* The flow table: a keyed, chained hash from a 32-bit hash to tagged references.
 *
 * It knows nothing of what it refers to: objects carry their own link, which the table reaches
 * through the kind's pool and the link's offset in the object, with no callback. A reference is 2
 * bits of kind and 30 bits of pool index. The number of buckets is fixed at
 * creation (no rehash, so no unbounded work); keys are hashed under a secret by the caller.
 */
#ifndef SLT_BASE_FLOW_H
#define SLT_BASE_FLOW_H

#include "base/pool.h"

typedef uint32_t slt_flow_ref;
#define SLT_FLOW_NONE UINT32_MAX

static inline slt_flow_ref slt_flow_ref_make(uint32_t kind, uint32_t index)
{
    return kind << 30 | index;
}

static inline uint32_t slt_flow_kind(slt_flow_ref ref)
{
    return ref >> 30;
}

static inline uint32_t slt_flow_index(slt_flow_ref ref)
{
    return ref & 0x3fffffffU;
}

struct slt_flow_kind {
    struct slt_pool *pool;
    uint32_t link_offset; /* offset of the object's slt_flow_ref */
};

struct slt_flow {
    uint32_t *buckets;
    uint32_t bucket_count;         /* any number: hash is scaled by multiplication */
    struct slt_flow_kind kinds[3]; /* kind 3 is not used: SLT_FLOW_NONE */
};

/* Take the bucket array from `mem`; false when there is no memory. `kinds` is the caller's to fill,
 * before or after. */
SLT_MUST_USE bool slt_flow_init(struct slt_flow *flow, struct slt_mem *mem, uint32_t bucket_count);
void slt_flow_deinit(struct slt_flow *flow, struct slt_mem *mem);

static inline uint32_t slt_flow_bucket(const struct slt_flow *flow, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * flow->bucket_count >> 32);
}

/* The first reference of the hash's chain, and the one after `ref`; SLT_FLOW_NONE at the end. */
static inline slt_flow_ref slt_flow_first(const struct slt_flow *flow, uint32_t hash)
{
    return flow->buckets[slt_flow_bucket(flow, hash)];
}

static inline slt_flow_ref *slt_flow_link(const struct slt_flow *flow, slt_flow_ref ref)
{
    const struct slt_flow_kind *k = &flow->kinds[slt_flow_kind(ref)];
    return (slt_flow_ref *)(void *)((uint8_t *)slt_pool_at(k->pool, slt_flow_index(ref)) +
                                    k->link_offset);
}

void slt_flow_add(struct slt_flow *flow, uint32_t hash, slt_flow_ref ref);

/* Let `ref` take the place of `old`, which must be in the chain of `hash`. */
void slt_flow_replace(struct slt_flow *flow, uint32_t hash, slt_flow_ref old, slt_flow_ref ref);

/* Unlink `ref`, which must be in the chain of `hash`. */
void slt_flow_remove(struct slt_flow *flow, uint32_t hash, slt_flow_ref ref);

#endif
