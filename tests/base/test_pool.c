/* Pools: limits, stable indices and addresses, the free list, slab sizes, the ledger. */
#include "base_test.h"

#include "base/pool.h"
#include "base/prng.h"

static void test_growing_takes_slabs_on_demand(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    struct slt_pool pool;
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_CONN, 384, 1000));
    assert_int_equal(pool.slab_count, 0);
    assert_int_equal(heap.live_count, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(slt_pool_take(&pool), i);
        assert_int_equal(pool.slab_count, i / 128 + 1);
    }
    assert_int_equal(slt_pool_take(&pool), SLT_NIL);
    assert_int_equal(pool.used_objects, 1000);
    assert_int_equal(mem.ledger.objects[SLT_OWNER_CONN], 1000);
    /* The last slab holds what the limit leaves: 1000 objects, the table, and per piece the
     * padding, but no room for a 1001st object. */
    assert_true(mem.ledger.bytes[SLT_OWNER_CONN] < 1000 * 384 + 9 * 128 + 8 * sizeof(void *));
    slt_pool_deinit(&pool);
    test_mem_check_empty(&mem, &heap);
}

static void test_small_pools_take_small_slabs(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    struct slt_pool pool;
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_COLD, 100, 10));
    assert_int_equal(pool.slab_max, 1);
    assert_int_equal(slt_pool_take(&pool), 0);
    assert_true(mem.ledger.bytes[SLT_OWNER_COLD] <= 16 * 100 + 256);
    slt_pool_deinit(&pool);
    assert_int_equal(slt_pool_plan_bytes(100, 10), 1000);
    assert_int_equal(slt_pool_plan_bytes(384, 100000), 128 * 384);
    assert_int_equal(slt_pool_plan_bytes(100000, 5), 100000);
    assert_int_equal(slt_pool_plan_bytes(5, 1), 8);
    test_mem_check_empty(&mem, &heap);
}

static void test_objects_larger_than_a_slab(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    struct slt_pool pool;
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_BUFFER, 100001, 3));
    assert_int_equal(pool.object_bytes, 100004);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t index = slt_pool_take(&pool);
        assert_int_equal(index, i);
        memset(slt_pool_at(&pool, index), (int)i, 100004);
    }
    assert_int_equal(slt_pool_take(&pool), SLT_NIL);
    slt_pool_deinit(&pool);
    test_mem_check_empty(&mem, &heap);
}

static void test_freed_objects_come_back_last_first_and_keep_their_bytes(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    struct slt_pool pool;
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_CONN, 16, 8));
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t index = slt_pool_take(&pool);
        uint32_t *words = slt_pool_at(&pool, index);
        assert_int_equal(words[3], 0);
        words[3] = 100 + i;
    }
    slt_pool_give(&pool, 1);
    slt_pool_give(&pool, 3);
    slt_pool_give(&pool, 0);
    assert_int_equal(pool.used_objects, 1);
    assert_int_equal(slt_pool_take(&pool), 0);
    assert_int_equal(slt_pool_take(&pool), 3);
    assert_int_equal(slt_pool_take(&pool), 1);
    assert_int_equal(slt_pool_take(&pool), 4);
    const uint32_t *words = slt_pool_at(&pool, 3);
    assert_int_equal(words[3], 103);
    slt_pool_deinit(&pool);
    test_mem_check_empty(&mem, &heap);
}

static void test_objects_of_all_slabs_are_apart(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 60, 376, 968, 4096, 65536, 65537, 100001};
    enum { COUNT = 300 };
    struct slt_mem mem;
    struct test_heap heap;
    for (unsigned i = 0; i < SLT_ARRAY_COUNT(sizes); i++) {
        struct slt_pool pool;
        test_mem_init(&mem, &heap);
        assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_CONN, sizes[i], COUNT));
        for (uint32_t index = 0; index < COUNT; index++) {
            assert_int_equal(slt_pool_take(&pool), index);
            memset(slt_pool_at(&pool, index), (int)(index & 0xff), pool.object_bytes);
        }
        for (uint32_t index = 0; index < COUNT; index++) {
            const uint8_t *object = slt_pool_at(&pool, index);
            assert_int_equal(object[0], index & 0xff);
            assert_int_equal(object[pool.object_bytes - 1], index & 0xff);
            assert_ptr_equal(slt_pool_at_typed(&pool, index, pool.object_bytes), object);
        }
        slt_pool_give_typed(&pool, 7, pool.object_bytes);
        slt_pool_give(&pool, COUNT - 1);
        assert_int_equal(slt_pool_take_typed(&pool, pool.object_bytes), COUNT - 1);
        assert_int_equal(slt_pool_take(&pool), 7);
        slt_pool_deinit(&pool);
        test_mem_check_empty(&mem, &heap);
    }
}

static void test_a_slab_that_is_refused_can_be_had_later(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    struct slt_pool pool;
    heap.calls_left = 0;
    assert_false(slt_pool_init(&pool, &mem, SLT_OWNER_CONN, 16, 8));
    heap.calls_left = 1;
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_CONN, 16, 8));
    assert_int_equal(slt_pool_take(&pool), SLT_NIL);
    assert_int_equal(pool.used_objects, 0);
    assert_int_equal(mem.ledger.objects[SLT_OWNER_CONN], 0);
    heap.calls_left = 1;
    assert_int_equal(slt_pool_take(&pool), 0);
    slt_pool_deinit(&pool);
    test_mem_check_empty(&mem, &heap);
}

static void test_fixed_takes_everything_at_once_and_exactly_as_planned(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t block[1 << 20];
    const struct {
        uint32_t object_bytes;
        uint32_t max_objects;
    } shapes[] = {{384, 1000}, {1, 1}, {100, 10}, {70000, 3}, {2064, 100}, {60, 5000}};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(shapes); i++) {
        size_t plan = slt_pool_block_bytes(shapes[i].object_bytes, shapes[i].max_objects);
        assert_true(plan <= sizeof(block));
        struct slt_mem mem;
        struct slt_pool pool;
        slt_mem_init_block(&mem, block, plan - 1);
        assert_false(slt_pool_init(&pool, &mem, SLT_OWNER_CONN, shapes[i].object_bytes,
                                   shapes[i].max_objects));
        assert_int_equal(mem.ledger.bytes[SLT_OWNER_CONN], 0);
        slt_mem_init_block(&mem, block, plan);
        assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_CONN, shapes[i].object_bytes,
                                  shapes[i].max_objects));
        assert_int_equal(mem.block_used, plan);
        assert_int_equal(pool.slab_count, pool.slab_max);
        for (uint32_t n = 0; n < shapes[i].max_objects; n++) {
            assert_int_equal(slt_pool_take(&pool), n);
        }
        assert_int_equal(slt_pool_take(&pool), SLT_NIL);
        slt_pool_deinit(&pool);
        assert_int_equal(mem.ledger.bytes[SLT_OWNER_CONN], 0);
        assert_int_equal(mem.ledger.objects[SLT_OWNER_CONN], 0);
    }
    assert_int_equal(slt_pool_block_bytes(64, 0), 0);
}

static void test_a_pool_of_nothing(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    struct slt_pool pool;
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_UDP, 64, 0));
    assert_int_equal(slt_pool_take(&pool), SLT_NIL);
    slt_pool_deinit(&pool);
    test_mem_check_empty(&mem, &heap);
}

/* Random takes and gives against a table of who is alive: no index twice, no byte of a live object
 * touched. */
static void test_random_use(void **state)
{
    (void)state;
    enum { MAX = 700 };
    static bool live[MAX];
    static uint32_t mark[MAX];
    memset(live, 0, sizeof(live));
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    struct slt_pool pool;
    struct slt_prng prng;
    slt_prng_seed(&prng, 7);
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_RANGE, 1000, MAX));
    uint32_t count = 0;
    for (uint32_t step = 0; step < 100000; step++) {
        uint32_t index = (uint32_t)slt_prng_below(&prng, MAX);
        if (live[index]) {
            uint32_t *words = slt_pool_at(&pool, index);
            assert_int_equal(words[0], mark[index]);
            assert_int_equal(words[249], mark[index]);
            slt_pool_give(&pool, index);
            live[index] = false;
            count--;
        }
        if (slt_prng_chance(&prng, 2, 3)) {
            index = slt_pool_take(&pool);
            if (count == MAX) {
                assert_int_equal(index, SLT_NIL);
                continue;
            }
            assert_true(index < MAX);
            assert_false(live[index]);
            live[index] = true;
            mark[index] = step;
            uint32_t *words = slt_pool_at(&pool, index);
            words[0] = step;
            words[249] = step;
            count++;
        }
        assert_int_equal(pool.used_objects, count);
    }
    slt_pool_deinit(&pool);
    test_mem_check_empty(&mem, &heap);
}

static void test_misuse_is_a_fault(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t block[1024];
    struct slt_mem mem;
    struct slt_pool pool;
    slt_mem_init_block(&mem, block, sizeof(block));
    assert_true(slt_pool_init(&pool, &mem, SLT_OWNER_UDP, 64, 4));
    expect_assert_failure(slt_pool_give(&pool, 0));
    assert_int_equal(slt_pool_take(&pool), 0);
    assert_int_equal(slt_pool_take(&pool), 1);
    slt_pool_give(&pool, 0);
    expect_assert_failure(slt_pool_give(&pool, 0));
    expect_assert_failure(slt_pool_give(&pool, SLT_NIL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_takes_slabs_on_demand),
        cmocka_unit_test(test_small_pools_take_small_slabs),
        cmocka_unit_test(test_objects_larger_than_a_slab),
        cmocka_unit_test(test_freed_objects_come_back_last_first_and_keep_their_bytes),
        cmocka_unit_test(test_objects_of_all_slabs_are_apart),
        cmocka_unit_test(test_a_slab_that_is_refused_can_be_had_later),
        cmocka_unit_test(test_fixed_takes_everything_at_once_and_exactly_as_planned),
        cmocka_unit_test(test_a_pool_of_nothing),
        cmocka_unit_test(test_random_use),
        cmocka_unit_test(test_misuse_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
