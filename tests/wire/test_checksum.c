/* The checksum against a byte-by-byte model; its arithmetic identities (RFC 1071, RFC 1624). */
#include "wire/checksum.h"

#include "exact.h"

static uint16_t naive(const uint8_t *data, uint32_t bytes, bool odd)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        const bool low_half = ((i + (odd ? 1U : 0U)) & 1U) != 0;
        sum += low_half ? data[i] : (uint64_t)data[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* 0 and 0xffff are the same number in one's complement. */
static void assert_same(uint16_t a, uint16_t b)
{
    assert_int_equal(a == 0xffff ? 0 : a, b == 0xffff ? 0 : b);
}

static void fill(uint8_t *data, uint32_t bytes, uint64_t *seed)
{
    for (uint32_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)exact_random(seed);
    }
}

static void test_every_length_and_alignment(void **state)
{
    (void)state;
    uint8_t pattern[300];
    uint64_t seed = 1;
    fill(pattern, sizeof(pattern), &seed);
    for (uint32_t bytes = 0; bytes <= 280; bytes++) {
        for (uint32_t offset = 0; offset < 16; offset++) {
            const struct slt_span s = exact_copy(pattern, offset + bytes);
            const uint8_t *p = s.data == NULL ? pattern : s.data + offset;
            assert_same(slt_checksum_fold(slt_checksum_add(0, p, bytes)), naive(p, bytes, false));
            assert_same(slt_checksum_fold(slt_checksum_add_at(0, p, bytes, true)),
                        naive(p, bytes, true));
            exact_free(s);
        }
    }
}

static void test_tcp_headers(void **state)
{
    (void)state;
    uint8_t pattern[64];
    uint64_t seed = 7;
    for (uint32_t i = 0; i < 1000; i++) {
        fill(pattern, sizeof(pattern), &seed);
        for (uint32_t bytes = 20; bytes <= 60; bytes += 4) {
            const struct slt_span s = exact_copy(pattern, bytes);
            const uint32_t sum = (uint32_t)exact_random(&seed);
            assert_same(slt_checksum_fold(slt_checksum_add_tcp(sum, s.data, bytes)),
                        slt_checksum_fold(slt_checksum_add(sum, s.data, bytes)));
            exact_free(s);
        }
    }
}

static void test_random_lengths(void **state)
{
    (void)state;
    uint8_t *data = malloc(70000);
    uint64_t seed = 2;
    fill(data, 70000, &seed);
    for (uint32_t i = 0; i < 500; i++) {
        const uint32_t offset = exact_random(&seed) % 4000;
        const uint32_t bytes = exact_random(&seed) % 66000;
        assert_same(slt_checksum_fold(slt_checksum_add(0, data + offset, bytes)),
                    naive(data + offset, bytes, false));
    }
    free(data);
}

static void test_carries_are_not_lost(void **state)
{
    (void)state;
    uint8_t *ones = malloc(65536);
    memset(ones, 0xff, 65536);
    assert_int_equal(slt_checksum_fold(slt_checksum_add(0, ones, 65536)), 0xffff);
    uint32_t sum = UINT32_MAX;
    sum = slt_checksum_add(sum, ones, 65535);
    assert_same(slt_checksum_fold(sum), naive(ones, 65535, false));
    for (uint32_t i = 0; i < 70000; i++) {
        sum = slt_checksum_add(sum, ones, 2);
    }
    assert_same(slt_checksum_fold(sum), naive(ones, 65535, false));
    free(ones);
}

/* A gather list of pieces of any length sums like the whole. */
static void test_pieces(void **state)
{
    (void)state;
    uint8_t data[3000];
    uint64_t seed = 3;
    fill(data, sizeof(data), &seed);
    const uint16_t whole = naive(data, sizeof(data), false);
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t sum = 0;
        uint32_t at = 0;
        while (at < sizeof(data)) {
            const uint32_t left = (uint32_t)sizeof(data) - at;
            const uint32_t piece = slt_min32(exact_random(&seed) % 200, left);
            sum = slt_checksum_add_at(sum, data + at, piece, (at & 1) != 0);
            at += piece;
        }
        assert_same(slt_checksum_fold(sum), whole);
    }
}

static void test_copy(void **state)
{
    (void)state;
    uint8_t data[600];
    uint64_t seed = 4;
    fill(data, sizeof(data), &seed);
    for (uint32_t bytes = 0; bytes < 560; bytes++) {
        const uint32_t offset = bytes % 9;
        const bool odd = bytes % 5 == 0;
        uint8_t *copy = malloc(bytes + 1);
        copy[bytes] = 0x5a;
        const uint32_t sum = slt_checksum_copy(7, copy, data + offset, bytes, odd);
        assert_same(slt_checksum_fold(sum),
                    slt_checksum_fold(slt_checksum_add_at(7, data + offset, bytes, odd)));
        assert_memory_equal(copy, data + offset, bytes);
        assert_int_equal(copy[bytes], 0x5a);
        free(copy);
    }
}

/* The worked example of RFC 1071 3. */
static void test_rfc1071_example(void **state)
{
    (void)state;
    static const uint8_t data[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(slt_checksum_fold(slt_checksum_add(0, data, 8)), 0xddf2);
    assert_int_equal(slt_checksum_finish(slt_checksum_add(0, data, 8)), 0x220d);
}

/* The worked example of RFC 1624 4, and every update against a full sum. */
static void test_update(void **state)
{
    (void)state;
    assert_int_equal(slt_checksum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
    uint8_t data[20];
    uint64_t seed = 5;
    for (uint32_t i = 0; i < 20000; i++) {
        fill(data, sizeof(data), &seed);
        const uint16_t before = slt_checksum_finish(slt_checksum_add(0, data, sizeof(data)));
        const uint16_t old_word = (uint16_t)(data[4] << 8 | data[5]);
        const uint16_t new_word = (uint16_t)exact_random(&seed);
        data[4] = (uint8_t)(new_word >> 8);
        data[5] = (uint8_t)new_word;
        assert_int_equal(slt_checksum_update(before, old_word, new_word),
                         slt_checksum_finish(slt_checksum_add(0, data, sizeof(data))));
    }
}

static void test_pseudo_header_families(void **state)
{
    (void)state;
    static const uint8_t v4[12] = {192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34};
    uint8_t a[16];
    uint8_t b[16];
    exact_v4(a, 192, 0, 2, 1);
    exact_v4(b, 198, 51, 100, 7);
    assert_same(slt_checksum_fold(slt_checksum_pseudo(a, b, 6, 0x1234)), naive(v4, 12, false));
    uint8_t v6[40] = {0};
    exact_v6(a, 1);
    exact_v6(b, 2);
    memcpy(v6, a, 16);
    memcpy(v6 + 16, b, 16);
    v6[33] = 1;
    v6[34] = 0x12;
    v6[35] = 0x34;
    v6[39] = 17;
    assert_same(slt_checksum_fold(slt_checksum_pseudo(a, b, 17, 0x11234)), naive(v6, 40, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_tcp_headers),
        cmocka_unit_test(test_random_lengths),
        cmocka_unit_test(test_carries_are_not_lost),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_rfc1071_example),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_pseudo_header_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
