/* The timing wheel: where an entry lies, and how time passes over it.
 *
 * Time is counted in ticks of 2^14 ns from the earliest int64_t instant, so that ticks are
 * unsigned and order like instants, whatever the clock's origin. A tick number is read as digits
 * of 6 bits. The level of an entry is the highest digit in which its tick differs from the wheel's
 * own tick, and its slot on that level is that digit of the entry's tick:
 *
 *     wheel  ... 17 03 41 12      entry's tick shares 17, differs first in the second digit,
 *     entry  ... 17 05 00 33      so it lies on level 2 in slot 5.
 *
 * Three facts follow, and everything below leans on them:
 *   1. every occupied slot of a level above 0 lies ahead of the wheel's digit there (on level 0:
 *      ahead or at it), so no slot number means two times and nothing wraps around;
 *   2. whatever lies on a lower level comes before whatever lies on a higher one, so the earliest
 *      slot is the lowest bit of the lowest non-empty level;
 *   3. as long as the wheel's time does not reach the start of an occupied slot, no entry's level
 *      or slot changes, so both can be computed from the entry's deadline at any time and need not
 *      be stored.
 * When time reaches the start of a slot above level 0 the slot's entries are placed anew, in
 * order, and land on lower levels, which are empty then (fact 2): so entries of one tick always
 * keep the order in which they were armed.
 *
 * A deadline that has passed counts as the current tick. Eight digits are 48 bits of a 50-bit tick,
 * 146 years; a deadline beyond the end of the current group of 2^48 ticks is held in the group's
 * last tick and placed anew when the next group begins.
 *
 * `not_before_ns` is a lower bound of every armed deadline: arming lowers it, and a pop that finds
 * nothing raises it to the start of the earliest slot. Before it, time need not pass over the wheel
 * at all: fact 3 holds for a wheel whose time lags.
 *
 * `scan` lets one turn look at each entry of the current slot once: entries before it were found
 * not due at now_ns.
 */
#include "base/wheel.h"

#define SLOT_BITS 6
#define NO_LEVEL  SLT_WHEEL_LEVELS

_Static_assert(1 << SLOT_BITS == SLT_WHEEL_SLOTS, "a digit names a slot");
_Static_assert(sizeof(struct slt_wheel_entry) == 16, "an entry is 16 bytes");

#define GROUP_TICKS_MASK ((UINT64_C(1) << (SLOT_BITS * SLT_WHEEL_LEVELS)) - 1)
#define SIGN_BIT         (UINT64_C(1) << 63)

struct place {
    uint32_t level;
    uint32_t slot;
};

static uint64_t tick_of(int64_t at_ns)
{
    return ((uint64_t)at_ns ^ SIGN_BIT) >> SLT_WHEEL_SHIFT;
}

static int64_t start_of_tick(uint64_t tick)
{
    return (int64_t)((tick << SLT_WHEEL_SHIFT) ^ SIGN_BIT);
}

static int64_t end_of_tick(uint64_t tick)
{
    return start_of_tick(tick) + ((INT64_C(1) << SLT_WHEEL_SHIFT) - 1);
}

static struct slt_wheel_entry *entry_at(const struct slt_wheel *wheel, const struct slt_pool *pool,
                                        uint32_t index)
{
    uint8_t *object = slt_pool_at(pool, index);
    return (struct slt_wheel_entry *)(void *)(object + wheel->entry_offset);
}

/* Where an entry with this deadline lies now. */
static struct place place_of(const struct slt_wheel *wheel, int64_t due_at_ns)
{
    uint64_t now = tick_of(wheel->now_ns);
    uint64_t tick = tick_of(slt_max64(due_at_ns, wheel->now_ns));
    uint64_t group_end = now | GROUP_TICKS_MASK;
    tick = tick < group_end ? tick : group_end;
    uint64_t differs = now ^ tick;
    /* The lowest bit is set so that an equal tick reads as level 0 too. */
    uint32_t level = (63U - (uint32_t)__builtin_clzll(differs | 1)) / SLOT_BITS;
    uint32_t slot = (uint32_t)(tick >> (level * SLOT_BITS)) & (SLT_WHEEL_SLOTS - 1U);
    return (struct place){.level = level, .slot = slot};
}

/* The earliest non-empty slot (fact 2); level = NO_LEVEL when nothing is armed. */
static struct place earliest_slot(const struct slt_wheel *wheel)
{
    for (uint32_t level = 0; level < SLT_WHEEL_LEVELS; level++) {
        uint64_t bits = wheel->occupied[level];
        if (bits != 0) {
            return (struct place){.level = level, .slot = (uint32_t)__builtin_ctzll(bits)};
        }
    }
    return (struct place){.level = NO_LEVEL, .slot = 0};
}

/* The first tick of a slot: the wheel's digits above its level, its own digit, then zeros. */
static uint64_t first_tick(const struct slt_wheel *wheel, struct place at)
{
    uint32_t low_bits = at.level * SLOT_BITS;
    uint64_t above = tick_of(wheel->now_ns) >> (low_bits + SLOT_BITS);
    return (above << SLOT_BITS | at.slot) << low_bits;
}

static bool is_occupied(const struct slt_wheel *wheel, struct place at)
{
    return (wheel->occupied[at.level] >> at.slot & 1) != 0;
}

static bool is_current(const struct slt_wheel *wheel, struct place at)
{
    return at.level == 0 && at.slot == (tick_of(wheel->now_ns) & (SLT_WHEEL_SLOTS - 1));
}

/* Let the wheel's time be at_ns; the caller knows that no occupied slot is passed over. */
static void move_to(struct slt_wheel *wheel, int64_t at_ns)
{
    SLT_ASSERT(at_ns >= wheel->now_ns);
    if (at_ns == wheel->now_ns) {
        return;
    }
    wheel->now_ns = at_ns;
    wheel->scan = wheel->head[0][place_of(wheel, at_ns).slot];
}

/* Put an entry at the end of its slot's ring. */
static void link_entry(struct slt_wheel *wheel, struct slt_pool *pool, uint32_t index,
                       struct slt_wheel_entry *entry)
{
    struct place at = place_of(wheel, entry->due_at_ns);
    uint32_t *head = &wheel->head[at.level][at.slot];
    if (is_occupied(wheel, at)) {
        struct slt_wheel_entry *first = entry_at(wheel, pool, *head);
        entry->next = *head;
        entry->prev = first->prev;
        entry_at(wheel, pool, first->prev)->next = index;
        first->prev = index;
    } else {
        entry->next = index;
        entry->prev = index;
        *head = index;
        wheel->occupied[at.level] |= UINT64_C(1) << at.slot;
    }
    if (wheel->scan == SLT_NIL && is_current(wheel, at)) {
        wheel->scan = index;
    }
}

static void unlink_entry(struct slt_wheel *wheel, struct slt_pool *pool, uint32_t index,
                         const struct slt_wheel_entry *entry)
{
    struct place at = place_of(wheel, entry->due_at_ns);
    uint32_t *head = &wheel->head[at.level][at.slot];
    SLT_ASSERT(is_occupied(wheel, at));
    bool is_last = entry->next == *head;
    if (wheel->scan == index) {
        wheel->scan = is_last ? SLT_NIL : entry->next;
    }
    if (entry->next == index) {
        SLT_ASSERT(*head == index);
        wheel->occupied[at.level] &= ~(UINT64_C(1) << at.slot);
        *head = SLT_NIL;
    } else {
        entry_at(wheel, pool, entry->prev)->next = entry->next;
        entry_at(wheel, pool, entry->next)->prev = entry->prev;
        if (*head == index) {
            *head = entry->next;
        }
    }
}

static void disarm(struct slt_wheel *wheel, struct slt_pool *pool, uint32_t index,
                   struct slt_wheel_entry *entry)
{
    unlink_entry(wheel, pool, index, entry);
    slt_wheel_entry_init(entry);
    SLT_ASSERT(wheel->armed_count > 0);
    wheel->armed_count--;
}

/* Move time to at_ns and place the entries of slot `from`, which at_ns reaches, anew. */
static void cascade(struct slt_wheel *wheel, struct slt_pool *pool, struct place from,
                    int64_t at_ns)
{
    uint32_t head = wheel->head[from.level][from.slot];
    uint32_t last = entry_at(wheel, pool, head)->prev;
    wheel->occupied[from.level] &= ~(UINT64_C(1) << from.slot);
    wheel->head[from.level][from.slot] = SLT_NIL;
    move_to(wheel, at_ns);
    uint32_t index = head;
    bool done = false;
    while (!done) {
        struct slt_wheel_entry *entry = entry_at(wheel, pool, index);
        uint32_t next = entry->next;
        done = index == last;
        link_entry(wheel, pool, index, entry);
        index = next;
    }
}

/* The next entry of the current slot that is due at the wheel's time; SLT_NIL when none is. */
static uint32_t find_due(struct slt_wheel *wheel, const struct slt_pool *pool, uint32_t slot)
{
    uint32_t head = wheel->head[0][slot];
    while (wheel->scan != SLT_NIL) {
        const struct slt_wheel_entry *entry = entry_at(wheel, pool, wheel->scan);
        if (entry->due_at_ns <= wheel->now_ns) {
            return wheel->scan;
        }
        wheel->scan = entry->next == head ? SLT_NIL : entry->next;
    }
    return SLT_NIL;
}

void slt_wheel_init(struct slt_wheel *wheel, uint32_t entry_offset, int64_t now_ns)
{
    *wheel = (struct slt_wheel){.now_ns = now_ns,
                                .not_before_ns = SLT_NEVER,
                                .scan = SLT_NIL,
                                .entry_offset = entry_offset};
    for (uint32_t level = 0; level < SLT_WHEEL_LEVELS; level++) {
        for (uint32_t slot = 0; slot < SLT_WHEEL_SLOTS; slot++) {
            wheel->head[level][slot] = SLT_NIL;
        }
    }
}

void slt_wheel_set(struct slt_wheel *wheel, struct slt_pool *pool, uint32_t index,
                   int64_t due_at_ns)
{
    struct slt_wheel_entry *entry = entry_at(wheel, pool, index);
    if (entry->due_at_ns == due_at_ns) {
        return;
    }
    if (entry->due_at_ns != SLT_NEVER) {
        disarm(wheel, pool, index, entry);
    }
    if (due_at_ns != SLT_NEVER) {
        wheel->not_before_ns = slt_min64(wheel->not_before_ns, due_at_ns);
        entry->due_at_ns = due_at_ns;
        link_entry(wheel, pool, index, entry);
        wheel->armed_count++;
    }
}

/* Nothing is due now; what is armed is not due before the earliest slot, or this very tick. */
static uint32_t find_nothing(struct slt_wheel *wheel, int64_t now_ns, uint64_t earliest_tick)
{
    move_to(wheel, now_ns);
    wheel->not_before_ns =
        earliest_tick == UINT64_MAX ? SLT_NEVER : slt_max64(start_of_tick(earliest_tick), now_ns);
    return SLT_NIL;
}

uint32_t slt_wheel_pop(struct slt_wheel *wheel, struct slt_pool *pool, int64_t now_ns)
{
    int64_t goal_ns = slt_max64(now_ns, wheel->now_ns);
    if (slt_wheel_is_quiet(wheel, goal_ns)) {
        return SLT_NIL;
    }
    for (;;) {
        struct place at = earliest_slot(wheel);
        uint64_t tick = at.level == NO_LEVEL ? UINT64_MAX : first_tick(wheel, at);
        if (tick > tick_of(goal_ns)) {
            return find_nothing(wheel, goal_ns, tick);
        }
        if (at.level > 0) {
            cascade(wheel, pool, at, start_of_tick(tick));
            continue;
        }
        move_to(wheel, slt_min64(goal_ns, end_of_tick(tick)));
        uint32_t index = find_due(wheel, pool, at.slot);
        if (index != SLT_NIL) {
            disarm(wheel, pool, index, entry_at(wheel, pool, index));
            return index;
        }
        if (tick == tick_of(goal_ns)) {
            return find_nothing(wheel, goal_ns, tick);
        }
        /* Entries left over in a tick that is past lie beyond the end of its group. */
        SLT_ASSERT((tick & GROUP_TICKS_MASK) == GROUP_TICKS_MASK);
        cascade(wheel, pool, at, start_of_tick(tick + 1));
    }
}

int64_t slt_wheel_next(const struct slt_wheel *wheel, const struct slt_pool *pool)
{
    struct place at = earliest_slot(wheel);
    if (at.level == NO_LEVEL) {
        return SLT_NEVER;
    }
    if (at.level > 0) {
        return slt_max64(start_of_tick(first_tick(wheel, at)), wheel->not_before_ns);
    }
    uint32_t head = wheel->head[0][at.slot];
    int64_t earliest_ns = SLT_NEVER;
    uint32_t index = head;
    do {
        const struct slt_wheel_entry *entry = entry_at(wheel, pool, index);
        earliest_ns = slt_min64(earliest_ns, entry->due_at_ns);
        index = entry->next;
    } while (index != head);
    return earliest_ns;
}
