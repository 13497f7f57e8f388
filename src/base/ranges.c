/* Ranges in a treap (base/treap.h). Since they are disjoint, order by start is also order by end; a
 * user may move a range's ends as long as it stays between its neighbours.
 */
#include "base/ranges.h"

#include "base/siphash.h"

static const struct slt_treap_kind by_start = {offsetof(struct slt_range, tree),
                                               offsetof(struct slt_range, start)};

_Static_assert(sizeof(struct slt_range) == 48, "a range is 48 bytes on every machine");

static struct slt_range *range_at(const struct slt_pool *pool, uint32_t index)
{
    return (struct slt_range *)slt_pool_at(pool, index);
}

static uint32_t draw_priority(const struct slt_pool *pool, uint32_t index, int64_t start)
{
    uint8_t message[12];
    for (unsigned i = 0; i < 8; i++) {
        message[i] = (uint8_t)((uint64_t)start >> (8U * i));
    }
    for (unsigned i = 0; i < 4; i++) {
        message[8 + i] = (uint8_t)(index >> (8U * i));
    }
    struct slt_sipkey key = {.k0 = pool->secret, .k1 = ~pool->secret};
    return (uint32_t)slt_siphash13(&key, message, sizeof(message));
}

void slt_ranges_init(struct slt_ranges *set)
{
    *set = (struct slt_ranges){.root = SLT_NIL, .count = 0};
}

uint32_t slt_ranges_floor(const struct slt_ranges *set, const struct slt_pool *pool, int64_t pos)
{
    return slt_treap_floor(&by_start, pool, set->root, pos);
}

uint32_t slt_ranges_above(const struct slt_ranges *set, const struct slt_pool *pool, int64_t pos)
{
    return slt_treap_above(&by_start, pool, set->root, pos);
}

uint32_t slt_ranges_first(const struct slt_ranges *set, const struct slt_pool *pool)
{
    uint32_t best = SLT_NIL;
    for (uint32_t i = set->root; i != SLT_NIL; i = range_at(pool, i)->tree.left) {
        best = i;
    }
    return best;
}

uint32_t slt_ranges_last(const struct slt_ranges *set, const struct slt_pool *pool)
{
    uint32_t best = SLT_NIL;
    for (uint32_t i = set->root; i != SLT_NIL; i = range_at(pool, i)->tree.right) {
        best = i;
    }
    return best;
}

uint32_t slt_ranges_insert(struct slt_ranges *set, struct slt_pool *pool, int64_t start,
                           int64_t end)
{
    SLT_ASSERT(start < end);
    uint32_t above = slt_ranges_above(set, pool, start);
    uint32_t floor = slt_ranges_floor(set, pool, start);
    SLT_ASSERT(above == SLT_NIL || range_at(pool, above)->start >= end);
    SLT_ASSERT(floor == SLT_NIL || range_at(pool, floor)->end <= start);
    uint32_t index = slt_pool_take(pool);
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_range *fresh = range_at(pool, index);
    *fresh = (struct slt_range){.start = start, .end = end};
    fresh->tree.priority = draw_priority(pool, index, start);
    slt_chain_init(&fresh->chain);
    slt_treap_insert(&by_start, pool, &set->root, index);
    set->count++;
    return index;
}

void slt_ranges_remove(struct slt_ranges *set, struct slt_pool *pool, uint32_t index)
{
    SLT_ASSERT(range_at(pool, index)->chain.head == SLT_NIL);
    SLT_ASSERT(set->count > 0);
    slt_treap_remove(&by_start, pool, &set->root, index);
    set->count--;
    slt_pool_give(pool, index);
}

/* The range of the set that [start, end) overlaps or touches first, stretched down to `start`;
 * SLT_NIL when there is none. *added grows by the positions that were new. */
static uint32_t find_base(const struct slt_ranges *set, const struct slt_pool *pool, int64_t start,
                          int64_t end, int64_t *added)
{
    uint32_t floor = slt_ranges_floor(set, pool, start);
    if (floor != SLT_NIL && range_at(pool, floor)->end >= start) {
        return floor;
    }
    uint32_t above = slt_ranges_above(set, pool, start);
    if (above == SLT_NIL || range_at(pool, above)->start > end) {
        return SLT_NIL;
    }
    struct slt_range *range = range_at(pool, above);
    *added += range->start - start;
    range->start = start;
    return above;
}

int64_t slt_ranges_add(struct slt_ranges *set, struct slt_pool *pool, int64_t start, int64_t end,
                       uint32_t *index)
{
    SLT_ASSERT(start < end);
    int64_t added = 0;
    uint32_t base = find_base(set, pool, start, end, &added);
    if (base == SLT_NIL) {
        base = slt_ranges_insert(set, pool, start, end);
        if (base == SLT_NIL) {
            return -1;
        }
        added = end - start;
    }
    struct slt_range *range = range_at(pool, base);
    uint32_t above = slt_ranges_above(set, pool, range->start);
    while (above != SLT_NIL && range_at(pool, above)->start <= end) {
        const struct slt_range *eaten = range_at(pool, above);
        added += eaten->start - range->end;
        range->end = eaten->end;
        slt_ranges_remove(set, pool, above);
        above = slt_ranges_above(set, pool, range->start);
    }
    if (range->end < end) {
        added += end - range->end;
        range->end = end;
    }
    if (index) {
        *index = base;
    }
    return added;
}

int64_t slt_ranges_drop_below(struct slt_ranges *set, struct slt_pool *pool, int64_t pos)
{
    int64_t removed = 0;
    for (;;) {
        uint32_t first = slt_ranges_first(set, pool);
        if (first == SLT_NIL || range_at(pool, first)->start >= pos) {
            return removed;
        }
        struct slt_range *range = range_at(pool, first);
        if (range->end > pos) {
            removed += pos - range->start;
            range->start = pos;
            return removed;
        }
        removed += range->end - range->start;
        slt_ranges_remove(set, pool, first);
    }
}

void slt_ranges_clear(struct slt_ranges *set, struct slt_pool *pool, struct slt_pool *bufs)
{
    uint32_t index = set->root;
    while (index != SLT_NIL) {
        struct slt_range *range = range_at(pool, index);
        uint32_t left = range->tree.left;
        if (left != SLT_NIL) {
            /* Turn the left child up until the root has none: each turn puts one node on the
             * right spine for good, so the whole costs O(n). */
            struct slt_range *child = range_at(pool, left);
            range->tree.left = child->tree.right;
            child->tree.right = index;
            index = left;
            continue;
        }
        uint32_t right = range->tree.right;
        if (range->chain.head != SLT_NIL) {
            slt_chain_clear(&range->chain, bufs);
        }
        slt_pool_give(pool, index);
        index = right;
    }
    slt_ranges_init(set);
}

uint32_t slt_ranges_steps(const struct slt_ranges *set, const struct slt_pool *pool, int64_t pos)
{
    uint32_t steps = 0;
    uint32_t index = set->root;
    while (index != SLT_NIL) {
        const struct slt_range *range = range_at(pool, index);
        steps++;
        index = range->start <= pos ? range->tree.right : range->tree.left;
    }
    return steps;
}

int64_t slt_ranges_total(const struct slt_ranges *set, const struct slt_pool *pool)
{
    int64_t total = 0;
    uint32_t index = slt_ranges_first(set, pool);
    while (index != SLT_NIL) {
        const struct slt_range *range = range_at(pool, index);
        total += range->end - range->start;
        index = slt_ranges_above(set, pool, range->start);
    }
    return total;
}
