/* The digest: the same everywhere, sensitive to every bit, order, length and zeros. */
#include "base_test.h"

#include "base/digest.h"

static uint64_t digest_of(const void *data, size_t bytes)
{
    struct slt_digest digest;
    slt_digest_init(&digest);
    slt_digest_bytes(&digest, data, bytes);
    return digest.h;
}

/* Recorded once: another compiler, byte order or word size must give the same. */
static void test_known_answers(void **state)
{
    (void)state;
    struct slt_digest digest;
    slt_digest_init(&digest);
    slt_digest_u64(&digest, 1);
    slt_digest_u64(&digest, UINT64_MAX);
    assert_true(digest.h == UINT64_C(0x446cc7b84a611d3f));
    assert_true(digest_of("eleven bytes", 11) == UINT64_C(0x1526c3d315959cfd));
}

static void test_every_bit_stirs_half_the_digest(void **state)
{
    (void)state;
    struct slt_digest base;
    slt_digest_init(&base);
    slt_digest_u64(&base, 0);
    unsigned flipped = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        struct slt_digest digest;
        slt_digest_init(&digest);
        slt_digest_u64(&digest, UINT64_C(1) << bit);
        unsigned differ = (unsigned)__builtin_popcountll(digest.h ^ base.h);
        assert_in_range(differ, 10, 54);
        flipped += differ;
    }
    assert_in_range(flipped / 64, 28, 36);
}

static void test_order_zeros_and_lengths_count(void **state)
{
    (void)state;
    struct slt_digest a;
    struct slt_digest b;
    slt_digest_init(&a);
    slt_digest_init(&b);
    slt_digest_u64(&a, 1);
    slt_digest_u64(&a, 2);
    slt_digest_u64(&b, 2);
    slt_digest_u64(&b, 1);
    assert_true(a.h != b.h);

    const uint8_t zeros[40] = {0};
    uint64_t seen[40];
    for (size_t n = 0; n < 40; n++) {
        seen[n] = digest_of(zeros, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(seen[i] != seen[n]);
        }
    }
}

static void test_bytes_do_not_run_into_one_another(void **state)
{
    (void)state;
    struct slt_digest a;
    struct slt_digest b;
    slt_digest_init(&a);
    slt_digest_init(&b);
    slt_digest_bytes(&a, "ab", 2);
    slt_digest_bytes(&a, "c", 1);
    slt_digest_bytes(&b, "a", 1);
    slt_digest_bytes(&b, "bc", 2);
    assert_true(a.h != b.h);
}

/* 2^16 states that differ in two small numbers: no two alike. */
static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_small_states_do_not_collide(void **state)
{
    (void)state;
    enum { SIDE = 256 };
    static uint64_t seen[SIDE * SIDE];
    for (uint64_t x = 0; x < SIDE; x++) {
        for (uint64_t y = 0; y < SIDE; y++) {
            struct slt_digest digest;
            slt_digest_init(&digest);
            slt_digest_u64(&digest, x);
            slt_digest_u64(&digest, y);
            seen[x * SIDE + y] = digest.h;
        }
    }
    qsort(seen, SIDE * SIDE, sizeof(seen[0]), compare_u64);
    for (size_t i = 1; i < SIDE * SIDE; i++) {
        assert_true(seen[i - 1] != seen[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_every_bit_stirs_half_the_digest),
        cmocka_unit_test(test_order_zeros_and_lengths_count),
        cmocka_unit_test(test_bytes_do_not_run_into_one_another),
        cmocka_unit_test(test_small_states_do_not_collide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
