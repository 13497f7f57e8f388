/* Range sets against a map of positions, their shape, and a full pool. */
#include "base_test.h"

#include "base/prng.h"
#include "base/ranges.h"

enum { POSITIONS = 2000, RANGES = 400, MANY = 20000 };

struct world {
    struct slt_mem mem;
    struct test_heap heap;
    struct slt_pool pool;
    struct slt_pool bufs;
    struct slt_ranges set;
    bool map[POSITIONS];
};

static void start(struct world *w, uint32_t ranges)
{
    memset(w, 0, sizeof(*w));
    test_mem_init(&w->mem, &w->heap);
    assert_true(slt_pool_init(&w->pool, &w->mem, SLT_OWNER_RANGE,
                              (uint32_t)sizeof(struct slt_range), ranges));
    assert_true(slt_pool_init(&w->bufs, &w->mem, SLT_OWNER_BUFFER, 64, 100));
    slt_pool_set_secret(&w->pool, 12345);
    slt_ranges_init(&w->set);
}

static void stop(struct world *w)
{
    slt_ranges_clear(&w->set, &w->pool, &w->bufs);
    assert_int_equal(w->set.root, SLT_NIL);
    assert_int_equal(w->set.count, 0);
    assert_int_equal(w->pool.used_objects, 0);
    assert_int_equal(w->bufs.used_objects, 0);
    slt_pool_deinit(&w->pool);
    slt_pool_deinit(&w->bufs);
    test_mem_check_empty(&w->mem, &w->heap);
}

static const struct slt_range *range_at(const struct world *w, uint32_t index)
{
    return slt_pool_at(&w->pool, index);
}

/* Write [start, end) to the map; returns how many positions changed. */
static int64_t mark(struct world *w, int64_t from, int64_t to, bool value)
{
    int64_t changed = 0;
    for (int64_t i = from; i < to; i++) {
        changed += w->map[i] != value;
        w->map[i] = value;
    }
    return changed;
}

/* The set is the map's runs, in order, each as long as it can be; the tree is a heap. */
static void check(const struct world *w)
{
    uint32_t index = slt_ranges_first(&w->set, &w->pool);
    uint32_t last = SLT_NIL;
    uint32_t count = 0;
    int64_t total = 0;
    int64_t pos = 0;
    while (pos < POSITIONS) {
        if (!w->map[pos]) {
            pos++;
            continue;
        }
        assert_int_not_equal(index, SLT_NIL);
        const struct slt_range *range = range_at(w, index);
        assert_true(range->start == pos);
        while (pos < POSITIONS && w->map[pos]) {
            pos++;
            total++;
        }
        assert_true(range->end == pos);
        uint32_t children[] = {range->tree.left, range->tree.right};
        for (unsigned i = 0; i < 2; i++) {
            assert_true(children[i] == SLT_NIL ||
                        range_at(w, children[i])->tree.priority <= range->tree.priority);
        }
        last = index;
        count++;
        index = slt_ranges_above(&w->set, &w->pool, range->start);
    }
    assert_int_equal(index, SLT_NIL);
    assert_int_equal(last, slt_ranges_last(&w->set, &w->pool));
    assert_int_equal(count, w->set.count);
    assert_int_equal(count, w->pool.used_objects);
    assert_true(total == slt_ranges_total(&w->set, &w->pool));
}

/* floor() and above() of `pos`, found by looking at the map. */
static void check_search(const struct world *w, int64_t pos)
{
    int64_t below = pos;
    while (below >= 0 && !(w->map[below] && (below == 0 || !w->map[below - 1]))) {
        below--;
    }
    int64_t above = pos + 1;
    while (above < POSITIONS && !(w->map[above] && !w->map[above - 1])) {
        above++;
    }
    uint32_t index = slt_ranges_floor(&w->set, &w->pool, pos);
    assert_int_equal(index == SLT_NIL, below < 0);
    assert_true(index == SLT_NIL || range_at(w, index)->start == below);
    index = slt_ranges_above(&w->set, &w->pool, pos);
    assert_int_equal(index == SLT_NIL, above >= POSITIONS);
    assert_true(index == SLT_NIL || range_at(w, index)->start == above);
}

static void add_random(struct world *w, struct slt_prng *prng, uint64_t length_max)
{
    int64_t from = (int64_t)slt_prng_below(prng, POSITIONS - length_max);
    int64_t to = from + 1 + (int64_t)slt_prng_below(prng, length_max);
    uint32_t index = SLT_NIL;
    int64_t added =
        slt_ranges_add(&w->set, &w->pool, from, to, slt_prng_chance(prng, 1, 9) ? NULL : &index);
    assert_true(added == mark(w, from, to, true));
    if (index != SLT_NIL) {
        assert_true(range_at(w, index)->start <= from);
        assert_true(range_at(w, index)->end >= to);
    }
}

static void remove_random(struct world *w, struct slt_prng *prng)
{
    int64_t pos = (int64_t)slt_prng_below(prng, POSITIONS);
    uint32_t index = slt_ranges_floor(&w->set, &w->pool, pos);
    if (index != SLT_NIL) {
        (void)mark(w, range_at(w, index)->start, range_at(w, index)->end, false);
        slt_ranges_remove(&w->set, &w->pool, index);
    }
}

static void test_against_a_map(void **state)
{
    (void)state;
    static struct world w;
    for (uint64_t length_max = 2; length_max <= 200; length_max *= 10) {
        start(&w, POSITIONS);
        struct slt_prng prng;
        slt_prng_seed(&prng, length_max);
        for (uint32_t step = 0; step < 6000; step++) {
            uint64_t choice = slt_prng_below(&prng, 100);
            if (choice < 60) {
                add_random(&w, &prng, length_max);
            } else if (choice < 97) {
                remove_random(&w, &prng);
            } else if (choice < 99) {
                int64_t pos = (int64_t)slt_prng_below(&prng, POSITIONS / 10);
                int64_t removed = slt_ranges_drop_below(&w.set, &w.pool, pos);
                assert_true(removed == mark(&w, 0, pos, false));
            }
            check_search(&w, (int64_t)slt_prng_below(&prng, POSITIONS));
            if (step % 7 == 0) {
                check(&w);
            }
        }
        check(&w);
        int64_t total = slt_ranges_total(&w.set, &w.pool);
        assert_true(slt_ranges_drop_below(&w.set, &w.pool, POSITIONS) == total);
        assert_int_equal(w.set.count, 0);
        stop(&w);
    }
}

/* insert() does not merge: ranges may touch. add() then merges what it touches, on both sides. */
static void test_touching(void **state)
{
    (void)state;
    static struct world w;
    start(&w, RANGES);
    uint32_t a = slt_ranges_insert(&w.set, &w.pool, 10, 20);
    uint32_t b = slt_ranges_insert(&w.set, &w.pool, 20, 30);
    uint32_t c = slt_ranges_insert(&w.set, &w.pool, 40, 50);
    assert_int_equal(w.set.count, 3);
    assert_int_equal(range_at(&w, a)->chain.head, SLT_NIL);
    assert_int_equal(range_at(&w, a)->stamp, 0);
    assert_int_equal(slt_ranges_floor(&w.set, &w.pool, 20), b);
    assert_int_equal(slt_ranges_floor(&w.set, &w.pool, 1000), c);
    uint32_t merged;
    assert_int_equal(slt_ranges_add(&w.set, &w.pool, 30, 40, &merged), 10);
    assert_int_equal(merged, b);
    assert_true(range_at(&w, merged)->start == 20);
    assert_true(range_at(&w, merged)->end == 50);
    assert_int_equal(slt_ranges_add(&w.set, &w.pool, 15, 45, &merged), 0);
    assert_int_equal(merged, a);
    assert_int_equal(w.set.count, 1);
    assert_int_equal(slt_ranges_add(&w.set, &w.pool, -5, 10, &merged), 15);
    assert_int_equal(w.set.count, 1);
    assert_true(range_at(&w, merged)->start == -5);
    expect_assert_failure(assert_int_equal(slt_ranges_insert(&w.set, &w.pool, 49, 60), 0));
    expect_assert_failure(assert_int_equal(slt_ranges_insert(&w.set, &w.pool, -10, -4), 0));
    expect_assert_failure(assert_int_equal(slt_ranges_insert(&w.set, &w.pool, 60, 60), 0));
    stop(&w);
}

static void test_a_full_pool_changes_nothing(void **state)
{
    (void)state;
    static struct world w;
    start(&w, 3);
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(slt_ranges_add(&w.set, &w.pool, i * 100, i * 100 + 10, NULL), 10);
        (void)mark(&w, i * 100, i * 100 + 10, true);
    }
    assert_int_equal(slt_ranges_add(&w.set, &w.pool, 50, 60, NULL), -1);
    assert_int_equal(slt_ranges_insert(&w.set, &w.pool, 50, 60), SLT_NIL);
    check(&w);
    /* What merges needs no object. */
    assert_int_equal(slt_ranges_add(&w.set, &w.pool, 5, 105, NULL), 90);
    (void)mark(&w, 5, 105, true);
    check(&w);
    assert_int_equal(slt_ranges_add(&w.set, &w.pool, 150, 160, NULL), 10);
    stop(&w);
}

static void test_clear_releases_chains(void **state)
{
    (void)state;
    static struct world w;
    start(&w, RANGES);
    for (int64_t i = 0; i < 50; i++) {
        uint32_t index = slt_ranges_insert(&w.set, &w.pool, i * 10, i * 10 + 5);
        struct slt_range *range = slt_pool_at(&w.pool, index);
        assert_int_equal(slt_chain_append(&range->chain, &w.bufs, (const uint8_t *)"12345", 5), 5);
        assert_int_equal(range->chain.bytes, 5);
    }
    assert_int_equal(w.bufs.used_objects, 50);
    expect_assert_failure(slt_ranges_remove(&w.set, &w.pool, w.set.root));
    stop(&w);
}

static uint32_t deepest(const struct world *w, int64_t from, int64_t to, int64_t step)
{
    uint32_t most = 0;
    for (int64_t pos = from; pos < to; pos += step) {
        most = slt_max32(most, slt_ranges_steps(&w->set, &w->pool, pos));
    }
    return most;
}

/* Whatever order the ranges come in, 20,000 of them stay within 50 steps (2 ln n is 20; a list
 * would take 20,000), also after every second one has gone. */
static void test_no_order_makes_it_deep(void **state)
{
    (void)state;
    static struct world w;
    for (unsigned order = 0; order < 4; order++) {
        start(&w, MANY);
        for (int64_t i = 0; i < MANY; i++) {
            int64_t inside_out = i % 2 == 0 ? MANY / 2 + i / 2 : MANY / 2 - 1 - i / 2;
            int64_t shuffled = i * 7919 % MANY;
            const int64_t places[] = {i, MANY - 1 - i, inside_out, shuffled};
            int64_t from = places[order] * 10;
            assert_int_not_equal(slt_ranges_insert(&w.set, &w.pool, from, from + 5), SLT_NIL);
        }
        assert_int_equal(w.set.count, MANY);
        assert_in_range(deepest(&w, 0, MANY * 10, 10), 15, 50);
        for (int64_t i = 0; i < MANY; i += 2) {
            slt_ranges_remove(&w.set, &w.pool, slt_ranges_floor(&w.set, &w.pool, i * 10));
        }
        assert_in_range(deepest(&w, 0, MANY * 10, 10), 14, 50);
        stop(&w);
    }
}

static void test_the_secret_decides_the_shape(void **state)
{
    (void)state;
    static struct world w;
    uint32_t priorities[2];
    for (uint64_t secret = 0; secret < 2; secret++) {
        start(&w, RANGES);
        slt_pool_set_secret(&w.pool, secret);
        uint32_t index = slt_ranges_insert(&w.set, &w.pool, 1, 2);
        priorities[secret] = range_at(&w, index)->tree.priority;
        stop(&w);
    }
    assert_int_not_equal(priorities[0], priorities[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_map),
        cmocka_unit_test(test_touching),
        cmocka_unit_test(test_a_full_pool_changes_nothing),
        cmocka_unit_test(test_clear_releases_chains),
        cmocka_unit_test(test_no_order_makes_it_deep),
        cmocka_unit_test(test_the_secret_decides_the_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
