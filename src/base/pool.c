/* Pools: slabs of objects behind a table, a LIFO free list, and a mark of the never used.
 *
 * The last slab, which may be the only one, is cut to the objects that max_objects leaves for it,
 * so a pool never holds memory it may not use.
 *
 * An index below `fresh` has been handed out at least once; indices are handed out in order the
 * first time and last-freed-first afterwards, which keeps the memory in use dense and warm and
 * makes every run of the same calls give the same indices.
 */
#include "base/pool.h"

#include <string.h>

/* The free list's link lies in the first four bytes of a freed object. */
#define POOL_OBJECT_BYTES_MIN ((uint32_t)sizeof(uint32_t))

static uint32_t round_object(uint32_t object_bytes)
{
    SLT_ASSERT(object_bytes <= UINT32_MAX - 3U);
    uint32_t rounded = (object_bytes + 3U) & ~3U;
    return slt_max32(rounded, POOL_OBJECT_BYTES_MIN);
}

static uint32_t slabs_needed(uint32_t max_objects, uint32_t shift)
{
    return (uint32_t)(((uint64_t)max_objects + ((uint64_t)1 << shift) - 1) >> shift);
}

static uint32_t objects_in_slab(const struct slt_pool *pool, uint32_t slab)
{
    return slt_min32(1U << pool->shift, pool->max_objects - (slab << pool->shift));
}

/* Bytes of slab `slab`; 0 when they do not fit in a size_t. */
static size_t slab_bytes(const struct slt_pool *pool, uint32_t slab)
{
    uint64_t bytes = (uint64_t)objects_in_slab(pool, slab) * pool->object_bytes;
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* What lies between the origin of slab `slab` and its first object. */
static uintptr_t bytes_before(const struct slt_pool *pool, uint32_t slab)
{
    return ((uintptr_t)slab << pool->shift) * pool->object_bytes;
}

static void *slab_at(const struct slt_pool *pool, uint32_t slab)
{
    return (void *)(pool->origins[slab] + bytes_before(pool, slab));
}

static bool take_slab(struct slt_pool *pool)
{
    SLT_ASSERT(pool->slab_count < pool->slab_max);
    size_t bytes = slab_bytes(pool, pool->slab_count);
    void *slab = bytes > 0 ? slt_mem_take(pool->mem, pool->owner, bytes) : NULL;
    if (!slab) {
        return false;
    }
    pool->origins[pool->slab_count] = (uintptr_t)slab - bytes_before(pool, pool->slab_count);
    pool->slab_count++;
    return true;
}

bool slt_pool_init(struct slt_pool *pool, struct slt_mem *mem, enum slt_owner owner,
                   uint32_t object_bytes, uint32_t max_objects)
{
    SLT_ASSERT(owner < SLT_OWNER_COUNT);
    SLT_ASSERT(max_objects <= SLT_POOL_OBJECTS_MAX);
    uint32_t rounded = round_object(object_bytes);
    uint32_t shift = slt_pool_shift(rounded);
    *pool = (struct slt_pool){.mem = mem,
                              .object_bytes = rounded,
                              .shift = shift,
                              .slab_max = slabs_needed(max_objects, shift),
                              .max_objects = max_objects,
                              .free_head = SLT_NIL,
                              .owner = owner};
    if (max_objects == 0) {
        return true;
    }
    uint64_t table_bytes = (uint64_t)pool->slab_max * sizeof(*pool->origins);
    if (table_bytes > SIZE_MAX) {
        return false;
    }
    pool->origins = slt_mem_take(mem, owner, (size_t)table_bytes);
    if (!pool->origins) {
        return false;
    }
    /* Fixed mode decides here and now whether the block is large enough: exhaustion of the block
     * later, in the middle of a connection, would be a limit nobody configured. */
    while (slt_mem_is_fixed(mem) && pool->slab_count < pool->slab_max) {
        if (!take_slab(pool)) {
            slt_pool_deinit(pool);
            return false;
        }
    }
    return true;
}

void slt_pool_deinit(struct slt_pool *pool)
{
    if (!pool->origins) {
        return;
    }
    for (uint32_t i = 0; i < pool->slab_count; i++) {
        slt_mem_give(pool->mem, pool->owner, slab_at(pool, i), slab_bytes(pool, i));
    }
    slt_mem_give(pool->mem, pool->owner, pool->origins, pool->slab_max * sizeof(*pool->origins));
    SLT_ASSERT(pool->mem->ledger.objects[pool->owner] >= pool->used_objects);
    pool->mem->ledger.objects[pool->owner] -= pool->used_objects;
    *pool = (struct slt_pool){.mem = pool->mem,
                              .object_bytes = pool->object_bytes,
                              .free_head = SLT_NIL,
                              .owner = pool->owner};
}

uint32_t slt_pool_take_fresh(struct slt_pool *pool)
{
    uint32_t index = pool->fresh;
    if (index == pool->max_objects) {
        return SLT_NIL;
    }
    if (index >> pool->shift == pool->slab_count && !take_slab(pool)) {
        return SLT_NIL;
    }
    pool->fresh++;
    pool->used_objects++;
    pool->mem->ledger.objects[pool->owner]++;
    return index;
}

size_t slt_pool_plan_bytes(uint32_t object_bytes, uint32_t max_objects)
{
    uint32_t rounded = round_object(object_bytes);
    uint32_t shift = slt_pool_shift(rounded);
    uint64_t bytes = (uint64_t)slt_min32(1U << shift, max_objects) * rounded;
    return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

size_t slt_pool_block_bytes(uint32_t object_bytes, uint32_t max_objects)
{
    if (max_objects == 0) {
        return 0;
    }
    uint32_t rounded = round_object(object_bytes);
    uint32_t shift = slt_pool_shift(rounded);
    uint32_t slabs = slabs_needed(max_objects, shift);
    /* Each piece is rounded up to 64 bytes by slt_mem_take: the full slabs, the last slab, and
     * the table of slabs. */
    uint64_t full = (((uint64_t)rounded << shift) + 63) & ~(uint64_t)63;
    uint64_t last_objects = max_objects - ((uint64_t)(slabs - 1) << shift);
    uint64_t last = (last_objects * rounded + 63) & ~(uint64_t)63;
    uint64_t table = ((uint64_t)slabs * sizeof(uintptr_t) + 63) & ~(uint64_t)63;
    if (slabs > 1 && full > (UINT64_MAX - last - table) / (slabs - 1)) {
        return SIZE_MAX;
    }
    uint64_t total = full * (slabs - 1) + last + table;
    return total > SIZE_MAX ? SIZE_MAX : (size_t)total;
}
