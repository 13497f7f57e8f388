/* The treap against a table of which keys stand in it, and its depth when keys come in order. */
#include "base_test.h"

#include <stddef.h>

#include "base/prng.h"
#include "base/treap.h"

enum { KEYS = 300, STEPS = 20000, MANY = 20000, DEEPEST = 64 };

struct thing {
    uint32_t link; /* the pool's while free */
    struct slt_treap_links tree;
    int64_t key;
};

static const struct slt_treap_kind kind = {offsetof(struct thing, tree),
                                           offsetof(struct thing, key)};

struct world {
    struct slt_mem mem;
    struct test_heap heap;
    struct slt_pool pool;
    struct slt_prng prng;
    uint32_t root;
};

static void start(struct world *w, uint32_t things)
{
    memset(w, 0, sizeof(*w));
    test_mem_init(&w->mem, &w->heap);
    assert_true(
        slt_pool_init(&w->pool, &w->mem, SLT_OWNER_RANGE, (uint32_t)sizeof(struct thing), things));
    slt_prng_seed(&w->prng, 7);
    w->root = SLT_NIL;
}

static void stop(struct world *w)
{
    slt_pool_deinit(&w->pool);
    test_mem_check_empty(&w->mem, &w->heap);
}

static uint32_t add(struct world *w, int64_t key)
{
    uint32_t index = slt_pool_take(&w->pool);
    assert_int_not_equal(index, SLT_NIL);
    struct thing *thing = slt_pool_at(&w->pool, index);
    thing->key = key;
    thing->tree.priority = (uint32_t)slt_prng_u64(&w->prng);
    slt_treap_insert(&kind, &w->pool, &w->root, index);
    return index;
}

static void take(struct world *w, uint32_t index)
{
    slt_treap_remove(&kind, &w->pool, &w->root, index);
    slt_pool_give(&w->pool, index);
}

/* What is found at or below, and above, each position. */
static void check(const struct world *w, const uint32_t *at)
{
    uint32_t below = SLT_NIL;
    for (int64_t pos = 0; pos < KEYS; pos++) {
        below = at[pos] != SLT_NIL ? at[pos] : below;
        assert_int_equal(slt_treap_floor(&kind, &w->pool, w->root, pos), below);
    }
    uint32_t above = SLT_NIL;
    for (int64_t pos = KEYS - 1; pos >= 0; pos--) {
        assert_int_equal(slt_treap_above(&kind, &w->pool, w->root, pos), above);
        above = at[pos] != SLT_NIL ? at[pos] : above;
    }
}

static void test_finds_what_a_table_finds(void **state)
{
    (void)state;
    struct world w;
    uint32_t at[KEYS];
    start(&w, KEYS);
    memset(at, 0xff, sizeof(at));
    for (uint32_t step = 0; step < STEPS; step++) {
        int64_t key = (int64_t)slt_prng_below(&w.prng, KEYS);
        if (at[key] == SLT_NIL) {
            at[key] = add(&w, key);
        } else {
            take(&w, at[key]);
            at[key] = SLT_NIL;
        }
        if (step % 100 == 0) {
            check(&w, at);
        }
    }
    for (int64_t key = 0; key < KEYS; key++) {
        if (at[key] != SLT_NIL) {
            take(&w, at[key]);
        }
    }
    assert_int_equal(w.root, SLT_NIL);
    stop(&w);
}

/* The longest way down; the priorities never rise on it. */
static uint32_t depth(const struct world *w, uint32_t index, uint32_t highest)
{
    if (index == SLT_NIL) {
        return 0;
    }
    const struct thing *thing = slt_pool_at(&w->pool, index);
    assert_true(thing->tree.priority <= highest);
    uint32_t left = depth(w, thing->tree.left, thing->tree.priority);
    uint32_t right = depth(w, thing->tree.right, thing->tree.priority);
    return 1 + (left > right ? left : right);
}

static void test_keys_in_order_do_not_make_it_deep(void **state)
{
    (void)state;
    struct world w;
    start(&w, MANY);
    for (int64_t key = 0; key < MANY; key++) {
        (void)add(&w, key);
    }
    uint32_t deepest = depth(&w, w.root, UINT32_MAX);
    assert_in_range(deepest, 15, DEEPEST);
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_a_table_finds),
        cmocka_unit_test(test_keys_in_order_do_not_make_it_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
