/* Typed pools: objects of one size, named by a 32-bit index, never by pointer.
 *
 * An index is stable for the life of the object. Slabs hold 2^shift objects each and are taken
 * from struct slt_mem when first needed, up to max_objects and never beyond. The address of an
 * object never moves. Freed objects go on a LIFO list threaded through their first four bytes;
 * the rest of a freed object keeps its bytes (so a generation field survives), and a new object
 * is handed out as it was: the caller initialises it.
 */
#ifndef SLT_BASE_POOL_H
#define SLT_BASE_POOL_H

#include "base/mem.h"

#include <string.h>

#define SLT_NIL UINT32_MAX /* no object */

/* The most objects a pool may have: with it every count of bytes below stays within 64 bits, and
 * an index leaves two bits for a kind (flow.h). */
#define SLT_POOL_OBJECTS_MAX ((uint32_t)1 << 30)

struct slt_loans;

struct slt_pool {
    struct slt_mem *mem;
    uintptr_t *origins;    /* slab_max entries, filled up to slab_count: where object 0 would lie,
                              were all slabs as far apart as their indices */
    uint32_t object_bytes; /* rounded up to a multiple of 4 */
    uint32_t shift;        /* objects per slab = 1 << shift */
    uint32_t slab_count;
    uint32_t slab_max;
    uint32_t max_objects;
    uint32_t used_objects;
    uint32_t fresh; /* indices from here on have never been used */
    uint32_t free_head;
    enum slt_owner owner;
    uint64_t secret;         /* keys what users derive from indices (ranges.h); 0 until set */
    struct slt_loans *loans; /* of a pool of buffers that may refer to lent memory (buf.h) */
};

/* Slabs aim at 64 KiB: large enough that the table of slabs stays small (ten million 384-byte
 * objects need 80,000 entries) and small enough that an instance with three connections does not
 * hold a megabyte. */
#define SLT_POOL_SLAB_BYTES ((uint32_t)65536)

/* The power of two of objects that a slab is for. It follows from their size alone, so that who
 * knows the type knows it when compiling (slt_pool_at_typed). */
static inline uint32_t slt_pool_shift(uint32_t object_bytes)
{
    uint32_t objects = SLT_POOL_SLAB_BYTES / object_bytes;
    return objects > 1 ? 31U - (uint32_t)__builtin_clz(objects) : 0;
}

/* Make a pool of at most `max_objects` (0 is a pool that is always empty). In fixed mode
 * (mem->block set) every slab is taken now. Returns false when memory for the tables (or, in fixed
 * mode, the slabs) is missing. */
SLT_MUST_USE bool slt_pool_init(struct slt_pool *pool, struct slt_mem *mem, enum slt_owner owner,
                                uint32_t object_bytes, uint32_t max_objects);

/* Give every slab back. Objects still in use are forgotten. */
void slt_pool_deinit(struct slt_pool *pool);

/* The address of object `index`; the index must be in use or freed, not fresh. The table holds each
 * slab's address less that of its first index, so that the place within the slab need not be
 * worked out, for objects are looked up hundreds of times in the life of a connection. The sum is
 * taken in integers, where going round is defined. */
static inline void *slt_pool_at(const struct slt_pool *pool, uint32_t index)
{
    SLT_DCHECK(index < pool->fresh);
    return (void *)(pool->origins[index >> pool->shift] + (uintptr_t)index * pool->object_bytes);
}

/* The same, of a pool made for objects of just `object_bytes`: a constant at every call, which
 * saves the two numbers' loads and leaves a shift and a multiplication by constants. */
static inline void *slt_pool_at_typed(const struct slt_pool *pool, uint32_t index,
                                      uint32_t object_bytes)
{
    SLT_DCHECK(index < pool->fresh && object_bytes == pool->object_bytes);
    return (void *)(pool->origins[index >> slt_pool_shift(object_bytes)] +
                    (uintptr_t)index * object_bytes);
}

/* An object that was never used; asked when none is free. */
SLT_MUST_USE uint32_t slt_pool_take_fresh(struct slt_pool *pool);

/* What the two functions below do, for those that know an object's size and for those that do not.
 */
static inline uint32_t slt_pool_unlink(struct slt_pool *pool, const void *object, uint32_t index)
{
    memcpy(&pool->free_head, object, sizeof(pool->free_head));
    pool->used_objects++;
    pool->mem->ledger.objects[pool->owner]++;
    return index;
}

static inline void slt_pool_link(struct slt_pool *pool, void *object, uint32_t index)
{
    SLT_ASSERT(index < pool->fresh);
    SLT_ASSERT(pool->used_objects > 0);
    /* The cheapest sign of giving twice: the commonest form does it twice in a row. */
    SLT_ASSERT(index != pool->free_head);
    memcpy(object, &pool->free_head, sizeof(pool->free_head));
    pool->free_head = index;
    pool->used_objects--;
    pool->mem->ledger.objects[pool->owner]--;
}

/* Take an object; SLT_NIL when the limit or the allocator says no. Who takes one often takes the
 * next, having filled this one meanwhile: so that one is fetched. */
SLT_MUST_USE static inline uint32_t slt_pool_take(struct slt_pool *pool)
{
    uint32_t index = pool->free_head;
    if (index == SLT_NIL) {
        return slt_pool_take_fresh(pool);
    }
    index = slt_pool_unlink(pool, slt_pool_at(pool, index), index);
    if (pool->free_head != SLT_NIL) {
        SLT_ASSERT(pool->free_head < pool->fresh);
        slt_prefetch(slt_pool_at(pool, pool->free_head));
    }
    return index;
}

SLT_MUST_USE static inline uint32_t slt_pool_take_typed(struct slt_pool *pool,
                                                        uint32_t object_bytes)
{
    uint32_t index = pool->free_head;
    if (index == SLT_NIL) {
        return slt_pool_take_fresh(pool);
    }
    index = slt_pool_unlink(pool, slt_pool_at_typed(pool, index, object_bytes), index);
    if (pool->free_head != SLT_NIL) {
        SLT_ASSERT(pool->free_head < pool->fresh);
        slt_prefetch(slt_pool_at_typed(pool, pool->free_head, object_bytes));
    }
    return index;
}

/* Return an object taken before. */
static inline void slt_pool_give(struct slt_pool *pool, uint32_t index)
{
    SLT_ASSERT(index < pool->fresh); /* before its place is looked up */
    slt_pool_link(pool, slt_pool_at(pool, index), index);
}

static inline void slt_pool_give_typed(struct slt_pool *pool, uint32_t index, uint32_t object_bytes)
{
    SLT_ASSERT(index < pool->fresh);
    slt_pool_link(pool, slt_pool_at_typed(pool, index, object_bytes), index);
}

/* The largest slab's size in bytes that a pool of this shape takes. */
size_t slt_pool_plan_bytes(uint32_t object_bytes, uint32_t max_objects);

/* What a pool of this shape takes from a block in fixed mode, slabs, table and alignment: the sum
 * over the pools (and 64 bytes for the block's own alignment) is the size of block they need.
 * SIZE_MAX when no block is large enough. */
size_t slt_pool_block_bytes(uint32_t object_bytes, uint32_t max_objects);

/* Give the pool its secret, drawn from the instance's random seed. */
static inline void slt_pool_set_secret(struct slt_pool *pool, uint64_t secret)
{
    pool->secret = secret;
}

#endif
