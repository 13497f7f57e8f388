/* The wheel against a plain list of deadlines, at many origins of time; and instants.
 *
 * The model keeps every armed object's deadline, the tick it counts as (its own, or the wheel's
 * when it was armed late) and the number of its arming. What the wheel gives out must have come
 * due, must be the first of its tick in order of arming among those due, and no due object of an
 * earlier tick may be left behind.
 */
#include "base_test.h"

#include "base/prng.h"
#include "base/wheel.h"

enum { OBJECTS = 300, LARGE_OBJECTS = 20000 };

#define TICK_NS (INT64_C(1) << SLT_WHEEL_SHIFT)

struct object {
    uint32_t pool_link;
    uint32_t number;
    struct slt_wheel_entry entry;
};

struct model_entry {
    int64_t due_at_ns; /* SLT_NEVER when not armed */
    int64_t tick;
    uint64_t armed;
};

struct world {
    struct slt_mem mem;
    struct test_heap heap;
    struct slt_pool pool;
    struct slt_wheel wheel;
    struct model_entry model[OBJECTS];
    uint64_t arm_count;
};

static struct slt_wheel_entry *entry_of(struct world *w, uint32_t index)
{
    struct object *object = slt_pool_at(&w->pool, index);
    return &object->entry;
}

static void start(struct world *w, uint32_t objects, int64_t origin_ns)
{
    memset(w, 0, sizeof(*w));
    test_mem_init(&w->mem, &w->heap);
    assert_true(
        slt_pool_init(&w->pool, &w->mem, SLT_OWNER_CONN, (uint32_t)sizeof(struct object), objects));
    for (uint32_t i = 0; i < objects; i++) {
        assert_int_equal(slt_pool_take(&w->pool), i);
        slt_wheel_entry_init(entry_of(w, i));
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        w->model[i].due_at_ns = SLT_NEVER;
    }
    slt_wheel_init(&w->wheel, (uint32_t)offsetof(struct object, entry), origin_ns);
}

static void stop(struct world *w)
{
    slt_pool_deinit(&w->pool);
    test_mem_check_empty(&w->mem, &w->heap);
}

/* Rounds towards minus infinity, as ticks are counted. */
static int64_t tick_of(int64_t at_ns)
{
    int64_t tick = at_ns / TICK_NS;
    return at_ns % TICK_NS < 0 ? tick - 1 : tick;
}

static void set(struct world *w, uint32_t index, int64_t due_at_ns)
{
    struct model_entry *m = &w->model[index];
    slt_wheel_set(&w->wheel, &w->pool, index, due_at_ns);
    assert_true(entry_of(w, index)->due_at_ns == due_at_ns);
    if (m->due_at_ns == due_at_ns) {
        return;
    }
    m->due_at_ns = due_at_ns;
    m->tick = tick_of(slt_max64(due_at_ns, w->wheel.now_ns));
    m->armed = w->arm_count;
    w->arm_count++;
}

static uint32_t model_next(const struct world *w, int64_t now_ns)
{
    uint32_t best = SLT_NIL;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const struct model_entry *m = &w->model[i];
        if (m->due_at_ns == SLT_NEVER || m->due_at_ns > now_ns) {
            continue;
        }
        const struct model_entry *b = best == SLT_NIL ? NULL : &w->model[best];
        if (!b || m->tick < b->tick || (m->tick == b->tick && m->armed < b->armed)) {
            best = i;
        }
    }
    return best;
}

static int64_t model_earliest(const struct world *w, uint32_t *count)
{
    int64_t earliest_ns = SLT_NEVER;
    *count = 0;
    for (uint32_t i = 0; i < OBJECTS; i++) {
        earliest_ns = slt_min64(earliest_ns, w->model[i].due_at_ns);
        *count += w->model[i].due_at_ns != SLT_NEVER;
    }
    return earliest_ns;
}

static uint32_t pop(struct world *w, int64_t now_ns)
{
    int64_t before_ns = w->wheel.now_ns;
    uint32_t expected = model_next(w, slt_max64(now_ns, before_ns));
    uint32_t index = slt_wheel_pop(&w->wheel, &w->pool, now_ns);
    assert_int_equal(index, expected);
    assert_true(w->wheel.now_ns >= before_ns);
    assert_true(w->wheel.now_ns <= slt_max64(now_ns, before_ns));
    if (index != SLT_NIL) {
        const struct slt_wheel_entry *entry = entry_of(w, index);
        assert_true(entry->due_at_ns == SLT_NEVER);
        assert_int_equal(entry->next, SLT_NIL);
        assert_int_equal(entry->prev, SLT_NIL);
        w->model[index].due_at_ns = SLT_NEVER;
    } else {
        /* Time has passed over the wheel, or need not yet. */
        assert_true(w->wheel.now_ns == slt_max64(now_ns, before_ns) ||
                    slt_wheel_is_quiet(&w->wheel, slt_max64(now_ns, before_ns)));
    }
    return index;
}

static void check_next(struct world *w)
{
    uint32_t count;
    int64_t earliest_ns = model_earliest(w, &count);
    int64_t next_ns = slt_wheel_next(&w->wheel, &w->pool);
    assert_int_equal(w->wheel.armed_count, count);
    if (count == 0) {
        assert_true(next_ns == SLT_NEVER);
        return;
    }
    assert_true(next_ns <= earliest_ns);
    assert_true(next_ns == earliest_ns || next_ns > w->wheel.now_ns);
    assert_true(next_ns == earliest_ns || !slt_wheel_is_quiet(&w->wheel, next_ns));
    if (tick_of(slt_max64(earliest_ns, w->wheel.now_ns)) == tick_of(w->wheel.now_ns)) {
        assert_true(next_ns == earliest_ns);
    }
}

/* A duration whose order of magnitude is drawn first: from 0 ns to months. */
static int64_t draw_for_ns(struct slt_prng *prng, unsigned bits_max)
{
    uint64_t bits = slt_prng_below(prng, bits_max + 1U);
    return (int64_t)slt_prng_below(prng, UINT64_C(1) << bits);
}

/* Add and clamp, so that the model survives the ends of time. */
static int64_t later(int64_t at_ns, int64_t for_ns)
{
    return slt_min64(slt_time_add(at_ns, for_ns), SLT_NEVER - 1);
}

static int64_t draw_due(struct world *w, struct slt_prng *prng, int64_t clock_ns)
{
    switch (slt_prng_below(prng, 8)) {
    case 0: /* in the past */
        return slt_time_add(clock_ns, -draw_for_ns(prng, 40));
    case 1: /* exactly on the border of a slot of some level */
    {
        int64_t span_ns = TICK_NS << slt_prng_below(prng, 30);
        int64_t due_ns = later(clock_ns, span_ns);
        return due_ns - (due_ns % span_ns + span_ns) % span_ns;
    }
    case 2: /* the same as somebody else's */
        return w->model[slt_prng_below(prng, OBJECTS)].due_at_ns;
    case 3: /* within the current tick or the next */
        return later(clock_ns, draw_for_ns(prng, SLT_WHEEL_SHIFT));
    case 4:
        return slt_prng_chance(prng, 1, 2) ? SLT_NEVER : SLT_NEVER - 1;
    default:
        return later(clock_ns, draw_for_ns(prng, 53));
    }
}

static int64_t draw_clock(struct world *w, struct slt_prng *prng, int64_t clock_ns)
{
    switch (slt_prng_below(prng, 8)) {
    case 0: /* what a runner does: sleep until next() */
        return slt_max64(clock_ns, later(slt_wheel_next(&w->wheel, &w->pool), 0));
    case 1: /* backwards, which counts as no step */
        return slt_time_add(clock_ns, -draw_for_ns(prng, 30));
    case 2:
        return slt_prng_chance(prng, 1, 20) ? later(clock_ns, draw_for_ns(prng, 52)) : clock_ns;
    case 3:
        return later(clock_ns, draw_for_ns(prng, 30));
    default:
        return later(clock_ns, draw_for_ns(prng, 17));
    }
}

static void run_model(int64_t origin_ns, uint64_t seed, uint32_t steps)
{
    static struct world w;
    start(&w, OBJECTS, origin_ns);
    struct slt_prng prng;
    slt_prng_seed(&prng, seed);
    int64_t clock_ns = origin_ns;
    for (uint32_t step = 0; step < steps; step++) {
        if (slt_prng_chance(&prng, 2, 3)) {
            set(&w, (uint32_t)slt_prng_below(&prng, OBJECTS), draw_due(&w, &prng, clock_ns));
        } else {
            int64_t at_ns = draw_clock(&w, &prng, clock_ns);
            /* Sometimes a turn's bound ends it before everything due has been taken. */
            uint64_t bound = slt_prng_chance(&prng, 1, 2) ? UINT64_MAX : slt_prng_below(&prng, 4);
            for (uint64_t n = 0; n < bound; n++) {
                if (pop(&w, at_ns) == SLT_NIL) {
                    break;
                }
            }
            clock_ns = slt_max64(clock_ns, at_ns);
        }
        check_next(&w);
    }
    while (pop(&w, SLT_NEVER) != SLT_NIL) {
        check_next(&w);
    }
    assert_int_equal(w.wheel.armed_count, 0);
    for (uint32_t level = 0; level < SLT_WHEEL_LEVELS; level++) {
        assert_true(w.wheel.occupied[level] == 0);
    }
    stop(&w);
}

static void test_model_at_many_origins(void **state)
{
    (void)state;
    const int64_t origins[] = {
        0,
        1,
        TICK_NS - 1,
        123456789,
        -1,
        -5 * SLT_NS_PER_MS,
        -40000 * SLT_NS_PER_S,
        (INT64_C(1) << 31) * SLT_NS_PER_MS - 7 * SLT_NS_PER_MS,
        (INT64_C(1) << 32) * SLT_NS_PER_MS - 1,
        (INT64_C(1) << 32) - 100,
        (INT64_C(1) << 62) - 3 * SLT_NS_PER_S,
        INT64_C(1700000000123456789),
        INT64_MIN,
        INT64_MIN + (INT64_C(1) << 62) - SLT_NS_PER_MS,
        INT64_MAX - 10 * SLT_NS_PER_S,
    };
    for (size_t i = 0; i < SLT_ARRAY_COUNT(origins); i++) {
        run_model(origins[i], i + 1, 10000);
    }
    run_model(0, 1000, 100000);
}

/* The loop "sleep until next(), pop" fires each deadline at its exact instant, never idles in
 * place, and wakes up for nothing at most once for each level above the lowest. */
static void test_sleeping_until_next_always_makes_progress(void **state)
{
    (void)state;
    const int64_t origins[] = {0, 77, -3 * SLT_NS_PER_S, (INT64_C(1) << 62) - SLT_NS_PER_S};
    static struct world w;
    struct slt_prng prng;
    slt_prng_seed(&prng, 9);
    for (unsigned round = 0; round < 400; round++) {
        int64_t origin_ns = origins[round % SLT_ARRAY_COUNT(origins)];
        start(&w, OBJECTS, origin_ns);
        int64_t due_ns = later(origin_ns, draw_for_ns(&prng, 58));
        set(&w, 0, due_ns);
        unsigned wakes = 0;
        int64_t clock_ns = origin_ns;
        uint32_t index = pop(&w, clock_ns);
        while (index == SLT_NIL) {
            int64_t next_ns = slt_wheel_next(&w.wheel, &w.pool);
            assert_true(next_ns > clock_ns);
            assert_true(next_ns <= due_ns);
            clock_ns = next_ns;
            index = pop(&w, clock_ns);
            wakes++;
        }
        assert_true(clock_ns == due_ns);
        assert_true(wakes <= 2 * SLT_WHEEL_LEVELS + 1);
        stop(&w);
    }
}

static void test_equal_deadlines_fire_in_order_of_arming(void **state)
{
    (void)state;
    static struct world w;
    start(&w, OBJECTS, 5);
    const int64_t due_ns = 90 * SLT_NS_PER_S + 17;
    /* Half are armed from far, half from near: a cascade must not turn the order around. */
    for (uint32_t i = 0; i < 50; i++) {
        set(&w, i * 2, due_ns);
    }
    assert_int_equal(pop(&w, due_ns - 1000), SLT_NIL);
    for (uint32_t i = 0; i < 50; i++) {
        set(&w, i * 2 + 1, due_ns);
    }
    set(&w, 10, due_ns);     /* no change: keeps its turn */
    set(&w, 12, due_ns + 1); /* away and back: goes to the end */
    set(&w, 12, due_ns);
    assert_int_equal(pop(&w, due_ns - 1), SLT_NIL);
    for (uint32_t i = 0; i < 50; i++) {
        if (i != 6) {
            assert_int_equal(pop(&w, due_ns), i * 2);
        }
    }
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(pop(&w, due_ns), i * 2 + 1);
    }
    assert_int_equal(pop(&w, due_ns), 12);
    assert_int_equal(pop(&w, due_ns), SLT_NIL);
    stop(&w);
}

static void test_moving_and_cancelling(void **state)
{
    (void)state;
    static struct world w;
    start(&w, OBJECTS, 0);
    set(&w, 3, 100);
    set(&w, 4, 100);
    set(&w, 3, SLT_NEVER);
    set(&w, 3, SLT_NEVER);
    assert_int_equal(w.wheel.armed_count, 1);
    set(&w, 4, 5 * SLT_NS_PER_S);
    assert_int_equal(pop(&w, SLT_NS_PER_S), SLT_NIL);
    set(&w, 4, SLT_NS_PER_MS); /* into the past: due at once */
    assert_true(slt_wheel_next(&w.wheel, &w.pool) == SLT_NS_PER_MS);
    assert_int_equal(pop(&w, 0), 4);
    assert_true(slt_wheel_next(&w.wheel, &w.pool) == SLT_NEVER);
    stop(&w);
}

/* Many entries in one tick, taken a few nanoseconds at a time: with a scan from the front for each
 * pop this is 2 * 10^8 steps and the test's time shows it; the wheel's order is checked as well. */
static void test_a_crowded_tick(void **state)
{
    (void)state;
    static struct world w;
    start(&w, LARGE_OBJECTS, 0);
    const int64_t base_ns = SLT_NS_PER_S - SLT_NS_PER_S % TICK_NS;
    for (uint32_t i = 0; i < LARGE_OBJECTS; i++) {
        slt_wheel_set(&w.wheel, &w.pool, i, base_ns + (i % 2 == 0 ? TICK_NS - 1 : 5));
    }
    for (uint32_t i = 1; i < LARGE_OBJECTS; i += 2) {
        assert_int_equal(slt_wheel_pop(&w.wheel, &w.pool, base_ns + 100), i);
    }
    assert_int_equal(slt_wheel_pop(&w.wheel, &w.pool, base_ns + 100), SLT_NIL);
    assert_int_equal(slt_wheel_pop(&w.wheel, &w.pool, base_ns + 100), SLT_NIL);
    for (uint32_t i = 0; i < LARGE_OBJECTS; i += 2) {
        assert_int_equal(slt_wheel_pop(&w.wheel, &w.pool, base_ns + TICK_NS), i);
    }
    assert_int_equal(slt_wheel_pop(&w.wheel, &w.pool, base_ns + TICK_NS), SLT_NIL);
    stop(&w);
}

/* An entry armed, moved or cancelled in the current tick between two pops of one turn is seen. */
static void test_changes_in_the_middle_of_a_tick(void **state)
{
    (void)state;
    static struct world w;
    start(&w, OBJECTS, 0);
    for (uint32_t i = 0; i < 10; i++) {
        set(&w, i, 100 + (i % 2) * 1000);
    }
    assert_int_equal(pop(&w, 200), 0);
    set(&w, 2, SLT_NEVER); /* the one the scan stands at */
    set(&w, 1, 150);       /* one that was passed over, now due */
    set(&w, 20, 120);
    assert_int_equal(pop(&w, 200), 4);
    set(&w, 0, 199); /* armed again for an instant that has come */
    assert_int_equal(pop(&w, 200), 6);
    assert_int_equal(pop(&w, 200), 8);
    assert_int_equal(pop(&w, 200), 1);
    assert_int_equal(pop(&w, 200), 20);
    assert_int_equal(pop(&w, 200), 0);
    assert_int_equal(pop(&w, 200), SLT_NIL);
    set(&w, 21, 200);
    assert_int_equal(pop(&w, 200), 21);
    assert_int_equal(pop(&w, 200), SLT_NIL);
    assert_int_equal(pop(&w, 5000), 3);
    stop(&w);
}

static void test_instants(void **state)
{
    (void)state;
    assert_true(slt_time_add(5, 7) == 12);
    assert_true(slt_time_add(5, -7) == -2);
    assert_true(slt_time_add(SLT_NEVER, 0) == SLT_NEVER);
    assert_true(slt_time_add(SLT_NEVER, 1) == SLT_NEVER);
    assert_true(slt_time_add(SLT_NEVER, -1) == SLT_NEVER);
    assert_true(slt_time_add(SLT_NEVER - 1, 2) == SLT_NEVER);
    assert_true(slt_time_add(INT64_MIN, -1) == INT64_MIN);
    assert_true(slt_time_add(INT64_MIN, INT64_MAX) == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_at_many_origins),
        cmocka_unit_test(test_sleeping_until_next_always_makes_progress),
        cmocka_unit_test(test_equal_deadlines_fire_in_order_of_arming),
        cmocka_unit_test(test_moving_and_cancelling),
        cmocka_unit_test(test_a_crowded_tick),
        cmocka_unit_test(test_changes_in_the_middle_of_a_tick),
        cmocka_unit_test(test_instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
