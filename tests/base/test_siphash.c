/* SipHash: the vector of the paper's appendix, known answers, and the uses of key and length. */
#include "base_test.h"

#include "base/siphash.h"

/* Key 00 01 .. 0f, read as two little-endian words. */
static const struct slt_sipkey paper_key = {.k0 = UINT64_C(0x0706050403020100),
                                            .k1 = UINT64_C(0x0f0e0d0c0b0a0908)};

static void fill_counting(uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)i;
    }
}

static void test_known_answers(void **state)
{
    (void)state;
    uint8_t input[64];
    fill_counting(input, sizeof(input));
    assert_true(slt_siphash24(&paper_key, input, 15) == UINT64_C(0xa129ca6149be45e5));
    /* The first of the reference vectors: the empty message, and one, seven, eight bytes. */
    assert_true(slt_siphash24(&paper_key, input, 0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(slt_siphash24(&paper_key, input, 1) == UINT64_C(0x74f839c593dc67fd));
    assert_true(slt_siphash24(&paper_key, input, 7) == UINT64_C(0xab0200f58b01d137));
    assert_true(slt_siphash24(&paper_key, input, 8) == UINT64_C(0x93f5f5799a932462));
}

static void test_every_length_and_byte_counts(void **state)
{
    (void)state;
    uint64_t seen[128];
    uint8_t zeros[64] = {0};
    for (size_t n = 0; n < 64; n++) {
        seen[2 * n] = slt_siphash24(&paper_key, zeros, n);
        seen[2 * n + 1] = slt_siphash13(&paper_key, zeros, n);
        for (size_t i = 0; i < 2 * n; i++) {
            assert_true(seen[i] != seen[2 * n]);
            assert_true(seen[i] != seen[2 * n + 1]);
        }
    }
    for (size_t bit = 0; bit < 8 * 20; bit++) {
        zeros[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_true(slt_siphash13(&paper_key, zeros, 20) != seen[41]);
        assert_true(slt_siphash24(&paper_key, zeros, 20) != seen[40]);
        zeros[bit / 8] = 0;
    }
}

static void test_any_alignment_gives_the_same(void **state)
{
    (void)state;
    uint8_t input[96];
    for (size_t shift = 0; shift < 16; shift++) {
        fill_counting(input + shift, 40);
        assert_true(slt_siphash24(&paper_key, input + shift, 15) == UINT64_C(0xa129ca6149be45e5));
    }
}

static void test_twelve_bytes_as_numbers_are_the_same(void **state)
{
    uint8_t input[12];

    (void)state;
    fill_counting(input, sizeof(input));
    assert_true(slt_siphash24_12(&paper_key, UINT64_C(0x0706050403020100), 0x0b0a0908) ==
                slt_siphash24(&paper_key, input, sizeof(input)));
    assert_true(slt_siphash13_12(&paper_key, UINT64_C(0x0706050403020100), 0x0b0a0908) ==
                slt_siphash13(&paper_key, input, sizeof(input)));
}

static void test_both_key_words_count(void **state)
{
    (void)state;
    uint64_t base = slt_siphash13(&paper_key, "x", 1);
    for (unsigned bit = 0; bit < 64; bit++) {
        struct slt_sipkey key = paper_key;
        key.k0 ^= UINT64_C(1) << bit;
        assert_true(slt_siphash13(&key, "x", 1) != base);
        key = paper_key;
        key.k1 ^= UINT64_C(1) << bit;
        assert_true(slt_siphash13(&key, "x", 1) != base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_every_length_and_byte_counts),
        cmocka_unit_test(test_any_alignment_gives_the_same),
        cmocka_unit_test(test_twelve_bytes_as_numbers_are_the_same),
        cmocka_unit_test(test_both_key_words_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
