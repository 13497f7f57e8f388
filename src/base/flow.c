/* The flow table's chains: a new reference goes in front, because the connection just made is the
 * one whose next segment comes soonest, and leaves by a walk of its own chain.
 */
#include "base/flow.h"

#include <string.h>

bool slt_flow_init(struct slt_flow *flow, struct slt_mem *mem, uint32_t bucket_count)
{
    SLT_ASSERT(bucket_count > 0);
    flow->buckets = NULL;
    flow->bucket_count = 0;
    uint64_t bytes = (uint64_t)bucket_count * sizeof(*flow->buckets);
    if (bytes > SIZE_MAX) {
        return false;
    }
    flow->buckets = slt_mem_take(mem, SLT_OWNER_STACK, (size_t)bytes);
    if (!flow->buckets) {
        return false;
    }
    memset(flow->buckets, 0xff, (size_t)bytes);
    _Static_assert(SLT_FLOW_NONE == UINT32_MAX, "memset writes SLT_FLOW_NONE byte by byte");
    flow->bucket_count = bucket_count;
    return true;
}

void slt_flow_deinit(struct slt_flow *flow, struct slt_mem *mem)
{
    slt_mem_give(mem, SLT_OWNER_STACK, flow->buckets, flow->bucket_count * sizeof(*flow->buckets));
    flow->buckets = NULL;
    flow->bucket_count = 0;
}

void slt_flow_add(struct slt_flow *flow, uint32_t hash, slt_flow_ref ref)
{
    SLT_ASSERT(slt_flow_kind(ref) < SLT_ARRAY_COUNT(flow->kinds));
    uint32_t *bucket = &flow->buckets[slt_flow_bucket(flow, hash)];
    SLT_ASSERT(*bucket != ref);
    *slt_flow_link(flow, ref) = *bucket;
    *bucket = ref;
}

/* What points to `ref`: its bucket, or the link of the one before it. */
static slt_flow_ref *find_link(struct slt_flow *flow, uint32_t hash, slt_flow_ref ref)
{
    slt_flow_ref *link = &flow->buckets[slt_flow_bucket(flow, hash)];
    while (*link != ref) {
        SLT_ASSERT(*link != SLT_FLOW_NONE);
        link = slt_flow_link(flow, *link);
    }
    return link;
}

void slt_flow_replace(struct slt_flow *flow, uint32_t hash, slt_flow_ref old, slt_flow_ref ref)
{
    SLT_ASSERT(slt_flow_kind(ref) < SLT_ARRAY_COUNT(flow->kinds));
    *slt_flow_link(flow, ref) = *slt_flow_link(flow, old);
    *find_link(flow, hash, old) = ref;
    *slt_flow_link(flow, old) = SLT_FLOW_NONE;
}

void slt_flow_remove(struct slt_flow *flow, uint32_t hash, slt_flow_ref ref)
{
    slt_flow_ref *link = find_link(flow, hash, ref);
    *link = *slt_flow_link(flow, ref);
    *slt_flow_link(flow, ref) = SLT_FLOW_NONE;
}
