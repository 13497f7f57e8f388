/* Memory: alignment, zeroes, exhaustion, and a ledger that returns to zero. */
#include "base_test.h"

static void check_piece(const uint8_t *piece, size_t bytes)
{
    assert_non_null(piece);
    assert_int_equal((uintptr_t)piece % 64, 0);
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(piece[i], 0);
    }
}

static void test_block_is_aligned_zeroed_and_bounded(void **state)
{
    (void)state;
    static uint8_t block[4096 + 64];
    for (size_t shift = 0; shift < 64; shift++) {
        memset(block, 0xee, sizeof(block));
        struct slt_mem mem;
        slt_mem_init_block(&mem, block + shift, 1024);
        size_t taken = 0;
        uint8_t *piece;
        while ((piece = slt_mem_take(&mem, SLT_OWNER_CONN, 100)) != NULL) {
            check_piece(piece, 100);
            assert_true(piece >= block + shift);
            assert_true(piece + 100 <= block + shift + 1024);
            memset(piece, 0x77, 100);
            taken++;
        }
        assert_true(taken == 7 || taken == 8);
        assert_int_equal(mem.ledger.bytes[SLT_OWNER_CONN], taken * 128);
        assert_int_equal(block[shift + 1024], 0xee);
        assert_int_equal(mem.ledger.bytes[SLT_OWNER_STACK], 0);
    }
}

static void test_block_keeps_its_mark_on_give(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t block[256];
    struct slt_mem mem;
    slt_mem_init_block(&mem, block, sizeof(block));
    void *piece = slt_mem_take(&mem, SLT_OWNER_UDP, 1);
    assert_ptr_equal(piece, block);
    slt_mem_give(&mem, SLT_OWNER_UDP, piece, 1);
    assert_int_equal(mem.ledger.bytes[SLT_OWNER_UDP], 0);
    assert_int_equal(mem.block_used, 64);
    assert_null(slt_mem_take(&mem, SLT_OWNER_UDP, 193));
    assert_int_equal(mem.ledger.bytes[SLT_OWNER_UDP], 0);
    assert_non_null(slt_mem_take(&mem, SLT_OWNER_UDP, 192));
    assert_null(slt_mem_take(&mem, SLT_OWNER_UDP, 1));
}

static void test_block_smaller_than_its_padding(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t block[64];
    struct slt_mem mem;
    slt_mem_init_block(&mem, block + 1, 10);
    assert_null(slt_mem_take(&mem, SLT_OWNER_UDP, 1));
}

static void test_growing_gives_everything_back(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    void *pieces[100];
    for (size_t i = 0; i < 100; i++) {
        enum slt_owner owner = (enum slt_owner)(i % SLT_OWNER_COUNT);
        pieces[i] = slt_mem_take(&mem, owner, i + 1);
        check_piece(pieces[i], i + 1);
        memset(pieces[i], 0xff, i + 1);
    }
    uint64_t booked = 0;
    for (unsigned i = 0; i < SLT_OWNER_COUNT; i++) {
        booked += mem.ledger.bytes[i];
    }
    assert_int_equal(booked, heap.live_bytes);
    for (size_t i = 0; i < 100; i++) {
        slt_mem_give(&mem, (enum slt_owner)(i % SLT_OWNER_COUNT), pieces[i], i + 1);
    }
    slt_mem_give(&mem, SLT_OWNER_STACK, NULL, 12345);
    test_mem_check_empty(&mem, &heap);
}

static void test_growing_reports_exhaustion(void **state)
{
    (void)state;
    struct slt_mem mem;
    struct test_heap heap;
    test_mem_init(&mem, &heap);
    heap.calls_left = 0;
    assert_null(slt_mem_take(&mem, SLT_OWNER_CONN, 1));
    heap.calls_left = 5;
    assert_null(slt_mem_take(&mem, SLT_OWNER_CONN, SIZE_MAX));
    assert_null(slt_mem_take(&mem, SLT_OWNER_CONN, SIZE_MAX - 64));
    assert_int_equal(heap.calls_left, 5);
    test_mem_check_empty(&mem, &heap);
}

static void test_misuse_is_a_fault(void **state)
{
    (void)state;
    static _Alignas(64) uint8_t block[256];
    struct slt_mem mem;
    slt_mem_init_block(&mem, block, sizeof(block));
    expect_assert_failure(slt_mem_take(&mem, SLT_OWNER_CONN, 0));
    expect_assert_failure(slt_mem_take(&mem, SLT_OWNER_COUNT, 1));
    void *piece = slt_mem_take(&mem, SLT_OWNER_CONN, 64);
    expect_assert_failure(slt_mem_give(&mem, SLT_OWNER_CONN, piece, 65));
    expect_assert_failure(slt_mem_give(&mem, SLT_OWNER_COLD, piece, 64));
    slt_mem_give(&mem, SLT_OWNER_CONN, piece, 64);
}

static void test_every_owner_has_its_own_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SLT_OWNER_COUNT; i++) {
        const char *name = slt_owner_name((enum slt_owner)i);
        assert_true(strlen(name) > 0);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name, slt_owner_name((enum slt_owner)j));
        }
    }
    assert_string_equal(slt_owner_name(SLT_OWNER_TIME_WAIT), "time-wait");
    assert_string_equal(slt_owner_name(SLT_OWNER_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_is_aligned_zeroed_and_bounded),
        cmocka_unit_test(test_block_keeps_its_mark_on_give),
        cmocka_unit_test(test_block_smaller_than_its_padding),
        cmocka_unit_test(test_growing_gives_everything_back),
        cmocka_unit_test(test_growing_reports_exhaustion),
        cmocka_unit_test(test_misuse_is_a_fault),
        cmocka_unit_test(test_every_owner_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
