/* A set of disjoint ranges [start, end) of stream positions, each with the bytes it holds.
 *
 * Kept in a treap (base/treap.h) whose priorities are a hash of index and start under the pool's
 * secret (slt_pool_set_secret), so that every step is bounded whatever order a peer chooses. The
 * set neither merges nor splits by itself except in slt_ranges_add: its users (reassembly,
 * scoreboard, fragments) decide what overlapping means.
 */
#ifndef SLT_BASE_RANGES_H
#define SLT_BASE_RANGES_H

#include "base/buf.h"
#include "base/treap.h"

struct slt_range {
    struct slt_treap_links tree; /* by start; its first field is the pool's free link */
    uint32_t stamp;              /* the user's: when it last grew (SACK order) */
    int64_t start;
    int64_t end;            /* > start */
    struct slt_chain chain; /* the bytes, for users that hold some; else empty */
    uint32_t spare;
};

struct slt_ranges {
    uint32_t root; /* SLT_NIL when empty */
    uint32_t count;
};

void slt_ranges_init(struct slt_ranges *set);

/* The range with the largest start <= pos; SLT_NIL when there is none. */
uint32_t slt_ranges_floor(const struct slt_ranges *set, const struct slt_pool *pool, int64_t pos);

/* The range with the smallest start > pos; SLT_NIL when there is none. */
uint32_t slt_ranges_above(const struct slt_ranges *set, const struct slt_pool *pool, int64_t pos);

/* The range with the smallest start. */
uint32_t slt_ranges_first(const struct slt_ranges *set, const struct slt_pool *pool);
uint32_t slt_ranges_last(const struct slt_ranges *set, const struct slt_pool *pool);

/* Insert [start, end), which must not overlap any range of the set. The new range has an empty
 * chain and stamp 0. SLT_NIL when the pool is empty. */
SLT_MUST_USE uint32_t slt_ranges_insert(struct slt_ranges *set, struct slt_pool *pool,
                                        int64_t start, int64_t end);

/* Take range `index` out of the set and give it back to the pool; its chain must be empty (moved
 * or cleared by the caller). */
void slt_ranges_remove(struct slt_ranges *set, struct slt_pool *pool, uint32_t index);

/* Add [start, end) and merge with everything it overlaps or touches; chains are not looked at
 * (for sets that hold no bytes). Returns the number of positions that were new; *index, if not
 * NULL, is the merged range. -1 when the pool is empty (the set is then unchanged). */
SLT_MUST_USE int64_t slt_ranges_add(struct slt_ranges *set, struct slt_pool *pool, int64_t start,
                                    int64_t end, uint32_t *index);

/* Remove everything below `pos` (a range across it is cut); for sets that hold no bytes. Returns
 * the number of positions removed. */
int64_t slt_ranges_drop_below(struct slt_ranges *set, struct slt_pool *pool, int64_t pos);

/* Drop everything, chains too; `bufs` may be NULL when no range holds bytes. */
void slt_ranges_clear(struct slt_ranges *set, struct slt_pool *pool, struct slt_pool *bufs);

/* The nodes a search for `pos` visits, for tests of the bound. */
uint32_t slt_ranges_steps(const struct slt_ranges *set, const struct slt_pool *pool, int64_t pos);

/* Positions covered in all; O(n log n), for tests and info only. */
int64_t slt_ranges_total(const struct slt_ranges *set, const struct slt_pool *pool);

#endif
