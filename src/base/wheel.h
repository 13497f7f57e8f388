/* A hierarchical timing wheel over pool objects: one entry per object, exact deadlines.
 *
 * Eight levels of 64 slots; a slot of level 0 spans 2^14 ns (16.4 us), each further level 64
 * times more. An entry lies in the slot its deadline falls in, relative to the wheel's own time,
 * and cascades down as time passes. The exact deadline is kept in the entry and compared at the
 * end, so nothing fires early. Entries of one slot keep the order of their arming, so equal
 * deadlines fire in that order. Arming, moving and cancelling are O(1); advancing skips empty slots
 * by bit maps, so it costs O(levels) for each entry on its way down, however far the jump, plus
 * the entries of the slot `now` falls in.
 */
#ifndef SLT_BASE_WHEEL_H
#define SLT_BASE_WHEEL_H

#include "base/pool.h"
#include "base/time.h"

#define SLT_WHEEL_LEVELS 8
#define SLT_WHEEL_SLOTS  64
#define SLT_WHEEL_SHIFT  14

/* Embedded in the object: 16 bytes. */
struct slt_wheel_entry {
    int64_t due_at_ns; /* SLT_NEVER when not armed */
    uint32_t next;     /* pool index in the slot's ring, SLT_NIL when not armed */
    uint32_t prev;
};

struct slt_wheel {
    int64_t now_ns; /* everything due before this has been given out; lags while nothing is due */
    uint64_t occupied[SLT_WHEEL_LEVELS];              /* bit per non-empty slot */
    uint32_t head[SLT_WHEEL_LEVELS][SLT_WHEEL_SLOTS]; /* ring heads, SLT_NIL when empty */
    int64_t not_before_ns;                            /* nothing is due before this */
    uint32_t armed_count;
    uint32_t scan;         /* the current slot's entries before this one are not due at now_ns */
    uint32_t entry_offset; /* offsetof(object, its slt_wheel_entry) */
};

static inline void slt_wheel_entry_init(struct slt_wheel_entry *entry)
{
    *entry = (struct slt_wheel_entry){SLT_NEVER, SLT_NIL, SLT_NIL};
}

void slt_wheel_init(struct slt_wheel *wheel, uint32_t entry_offset, int64_t now_ns);

/* Arm or move the entry of object `index`; SLT_NEVER cancels. A deadline in the past is due at
 * once. The deadline it already has is no change: the entry keeps its turn. An entry that was just
 * initialised must hold due_at_ns = SLT_NEVER (slt_wheel_entry_init). */
void slt_wheel_set(struct slt_wheel *wheel, struct slt_pool *pool, uint32_t index,
                   int64_t due_at_ns);

/* Take the next entry with due_at_ns <= now_ns, in order of slots and of arming; it is disarmed.
 * SLT_NIL when none is left. now_ns must not go backwards (a smaller value is taken as the last).
 * An entry armed again for an instant that has come is given out again by the same loop, so who
 * loops until SLT_NIL must arm for later, or bound the loop. */
uint32_t slt_wheel_pop(struct slt_wheel *wheel, struct slt_pool *pool, int64_t now_ns);

/* True when slt_wheel_pop would find nothing: what most turns learn, by one compare. */
static inline bool slt_wheel_is_quiet(const struct slt_wheel *wheel, int64_t now_ns)
{
    return now_ns < wheel->not_before_ns;
}

/* The earliest instant at which something may be due: exact when the next entry lies in the
 * nearest slots, else a lower bound that is always later than the wheel's own time, so that a
 * loop "advance to it, pop" always makes progress. SLT_NEVER when nothing is armed. */
int64_t slt_wheel_next(const struct slt_wheel *wheel, const struct slt_pool *pool);

#endif
