/* The flow table: chains across three kinds of objects, against a plain list. */
#include "base_test.h"

#include "base/flow.h"
#include "base/prng.h"

enum { KINDS = 3, OBJECTS = 200 };

struct object {
    uint32_t pool_link;
    uint32_t hash;
    slt_flow_ref link;
};

struct world {
    struct slt_mem mem;
    struct test_heap heap;
    struct slt_pool pools[KINDS];
    struct slt_flow flow;
    bool present[KINDS][OBJECTS];
};

static struct object *object_at(struct world *w, uint32_t kind, uint32_t index)
{
    return slt_pool_at(&w->pools[kind], index);
}

static void start(struct world *w, uint32_t buckets)
{
    memset(w, 0, sizeof(*w));
    test_mem_init(&w->mem, &w->heap);
    assert_true(slt_flow_init(&w->flow, &w->mem, buckets));
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        assert_true(slt_pool_init(&w->pools[kind], &w->mem, SLT_OWNER_CONN, sizeof(struct object),
                                  OBJECTS));
        w->flow.kinds[kind].pool = &w->pools[kind];
        w->flow.kinds[kind].link_offset = (uint32_t)offsetof(struct object, link);
        for (uint32_t i = 0; i < OBJECTS; i++) {
            assert_int_equal(slt_pool_take(&w->pools[kind]), i);
        }
    }
}

static void stop(struct world *w)
{
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        slt_pool_deinit(&w->pools[kind]);
    }
    slt_flow_deinit(&w->flow, &w->mem);
    test_mem_check_empty(&w->mem, &w->heap);
}

static bool is_found(struct world *w, uint32_t hash, slt_flow_ref wanted)
{
    slt_flow_ref ref = slt_flow_first(&w->flow, hash);
    while (ref != SLT_FLOW_NONE) {
        if (ref == wanted) {
            return true;
        }
        ref = *slt_flow_link(&w->flow, ref);
    }
    return false;
}

/* Every present object is reached from its bucket, and the buckets hold nothing else. */
static void check(struct world *w)
{
    uint32_t present = 0;
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        for (uint32_t i = 0; i < OBJECTS; i++) {
            bool found = is_found(w, object_at(w, kind, i)->hash, slt_flow_ref_make(kind, i));
            assert_int_equal(found, w->present[kind][i]);
            present += found;
        }
    }
    uint32_t chained = 0;
    for (uint32_t b = 0; b < w->flow.bucket_count; b++) {
        slt_flow_ref ref = w->flow.buckets[b];
        while (ref != SLT_FLOW_NONE) {
            chained++;
            ref = *slt_flow_link(&w->flow, ref);
        }
    }
    assert_int_equal(chained, present);
}

static void run_random(uint32_t buckets, uint64_t seed)
{
    static struct world w;
    start(&w, buckets);
    struct slt_prng prng;
    slt_prng_seed(&prng, seed);
    for (uint32_t step = 0; step < 5000; step++) {
        uint32_t kind = (uint32_t)slt_prng_below(&prng, KINDS);
        uint32_t index = (uint32_t)slt_prng_below(&prng, OBJECTS);
        struct object *object = object_at(&w, kind, index);
        slt_flow_ref ref = slt_flow_ref_make(kind, index);
        if (w.present[kind][index]) {
            slt_flow_remove(&w.flow, object->hash, ref);
        } else {
            object->hash = (uint32_t)slt_prng_u64(&prng);
            slt_flow_add(&w.flow, object->hash, ref);
        }
        w.present[kind][index] = !w.present[kind][index];
        if (step % 50 == 0) {
            check(&w);
        }
    }
    check(&w);
    stop(&w);
}

static void test_random_use(void **state)
{
    (void)state;
    run_random(1, 1);
    run_random(7, 2);
    run_random(1000, 3);
}

static void test_buckets_cover_the_whole_hash(void **state)
{
    (void)state;
    const struct slt_flow flow = {.bucket_count = 10};
    assert_int_equal(slt_flow_bucket(&flow, 0), 0);
    assert_int_equal(slt_flow_bucket(&flow, UINT32_MAX), 9);
    assert_int_equal(slt_flow_bucket(&flow, UINT32_C(0x80000000)), 5);
}

static void test_references(void **state)
{
    (void)state;
    slt_flow_ref ref = slt_flow_ref_make(2, 0x3fffffff);
    assert_int_equal(slt_flow_kind(ref), 2);
    assert_int_equal(slt_flow_index(ref), 0x3fffffff);
    assert_true(ref != SLT_FLOW_NONE);
}

static void test_misuse_and_exhaustion(void **state)
{
    (void)state;
    static struct world w;
    start(&w, 4);
    expect_assert_failure(slt_flow_remove(&w.flow, 5, slt_flow_ref_make(0, 0)));
    expect_assert_failure(slt_flow_add(&w.flow, 5, SLT_FLOW_NONE));
    stop(&w);
    w.heap.calls_left = 0;
    assert_false(slt_flow_init(&w.flow, &w.mem, 4));
    slt_flow_deinit(&w.flow, &w.mem);
    test_mem_check_empty(&w.mem, &w.heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_use),
        cmocka_unit_test(test_buckets_cover_the_whole_hash),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_misuse_and_exhaustion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
