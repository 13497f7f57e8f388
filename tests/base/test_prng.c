/* Chance: repeatable, even, without bias at awkward bounds; and the secret generator. */
#include "base_test.h"

#include "base/prng.h"

/* Known answers of xoshiro256** from the state {1, 2, 3, 4}. */
static void test_known_answers(void **state)
{
    (void)state;
    struct slt_prng prng = {.s = {1, 2, 3, 4}};
    const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(expected); i++) {
        assert_true(slt_prng_u64(&prng) == expected[i]);
    }
    /* SplitMix64 from 0 begins with this number. */
    slt_prng_seed(&prng, 0);
    assert_true(prng.s[0] == UINT64_C(0xe220a8397b1dcdaf));
}

static void test_a_seed_repeats_and_its_neighbour_differs(void **state)
{
    (void)state;
    struct slt_prng a;
    struct slt_prng b;
    struct slt_prng c;
    slt_prng_seed(&a, 41);
    slt_prng_seed(&b, 41);
    slt_prng_seed(&c, 42);
    unsigned same = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t value = slt_prng_u64(&a);
        assert_true(value == slt_prng_u64(&b));
        same += value == slt_prng_u64(&c);
    }
    assert_int_equal(same, 0);
}

static void test_below_is_even(void **state)
{
    (void)state;
    struct slt_prng prng;
    slt_prng_seed(&prng, 3);
    unsigned hits[7] = {0};
    for (unsigned i = 0; i < 70000; i++) {
        uint64_t value = slt_prng_below(&prng, 7);
        assert_true(value < 7);
        hits[value]++;
    }
    for (unsigned i = 0; i < 7; i++) {
        assert_in_range(hits[i], 9600, 10400);
    }
    assert_int_equal(slt_prng_below(&prng, 1), 0);
}

/* With the bound 3 * 2^62 a plain remainder gives the lowest quarter of 2^64 twice: a value
 * below 2^62 would come every second time instead of every third. */
static void test_below_has_no_bias_at_large_bounds(void **state)
{
    (void)state;
    struct slt_prng prng;
    slt_prng_seed(&prng, 4);
    unsigned low = 0;
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t value = slt_prng_below(&prng, UINT64_C(3) << 62);
        assert_true(value < UINT64_C(3) << 62);
        low += value < UINT64_C(1) << 62;
    }
    assert_in_range(low, 9600, 10400);
}

static void test_chance(void **state)
{
    (void)state;
    struct slt_prng prng;
    slt_prng_seed(&prng, 5);
    unsigned hits = 0;
    for (unsigned i = 0; i < 100000; i++) {
        assert_false(slt_prng_chance(&prng, 0, 10));
        assert_true(slt_prng_chance(&prng, 10, 10));
        hits += slt_prng_chance(&prng, 1, 100) ? 1U : 0U;
    }
    assert_in_range(hits, 850, 1150);
    expect_assert_failure(slt_prng_below(&prng, 0));
}

static void test_secret_depends_on_key_and_counter(void **state)
{
    (void)state;
    struct slt_prng_secret a = {.key = {1, 2}, .counter = 0};
    struct slt_prng_secret b = {.key = {1, 3}, .counter = 0};
    uint64_t first = slt_prng_secret_u64(&a);
    const uint8_t zeros[8] = {0};
    assert_true(first == slt_siphash24(&a.key, zeros, 8));
    assert_int_equal(a.counter, 1);
    assert_true(slt_prng_secret_u64(&a) != first);
    assert_true(slt_prng_secret_u64(&b) != first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_a_seed_repeats_and_its_neighbour_differs),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_below_has_no_bias_at_large_bounds),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_secret_depends_on_key_and_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
