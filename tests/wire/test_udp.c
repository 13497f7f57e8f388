/* UDP headers: golden datagrams of both families, every length. */
#include "wire/udp.h"

#include "wire/checksum.h"

#include "exact.h"

static const uint8_t golden_udp_v4[13] = {
    0x14, 0xe9, 0x00, 0x35, 0x00, 0x0d, 0xae, 0x91, 0x71, 0x75, 0x65, 0x72, 0x79,
};

static const uint8_t golden_udp_v6[13] = {
    0x14, 0xe9, 0x00, 0x35, 0x00, 0x0d, 0x3f, 0x59, 0x71, 0x75, 0x65, 0x72, 0x79,
};

static void test_parse_and_emit(void **state)
{
    (void)state;
    struct slt_udp_datagram udp;
    assert_int_equal(slt_udp_parse((struct slt_span){golden_udp_v4, 13}, &udp), SLT_PASS);
    assert_int_equal(udp.src_port, 5353);
    assert_int_equal(udp.dst_port, 53);
    assert_int_equal(udp.payload_bytes, 5);
    assert_memory_equal(udp.payload, "query", 5);
    uint8_t out[8];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_udp_emit(&udp, &w), 8);
    assert_memory_equal(out, golden_udp_v4, 6);
    assert_int_equal(out[6] | out[7], 0);
    char line[64];
    (void)slt_udp_print(&udp, line, sizeof(line));
    assert_string_equal(line, "5353 > 53: udp, length 5");
}

static void test_every_length(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= 13; n++) {
        for (uint32_t length = 0; length < 65536; length += length < 32 ? 1 : 997) {
            uint8_t bytes[13];
            memcpy(bytes, golden_udp_v4, 13);
            bytes[4] = (uint8_t)(length >> 8);
            bytes[5] = (uint8_t)length;
            const struct slt_span copy = exact_copy(bytes, n);
            struct slt_udp_datagram udp;
            const bool good = n >= 8 && length >= 8 && length <= n;
            assert_int_equal(slt_udp_parse(copy, &udp), good ? SLT_PASS : SLT_DROP_UDP_MALFORMED);
            if (good) {
                assert_int_equal(udp.payload_bytes, length - 8);
            }
            exact_free(copy);
        }
    }
}

static void flip_every_bit(const uint8_t golden[13], const uint8_t src[16], const uint8_t dst[16])
{
    uint8_t bytes[13];
    memcpy(bytes, golden, 13);
    const uint32_t pseudo = slt_checksum_pseudo(src, dst, 17, 13);
    assert_int_equal(slt_checksum_finish(slt_checksum_add(pseudo, bytes, 13)), 0);
    for (uint32_t bit = 0; bit < 13 * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(slt_checksum_finish(slt_checksum_add(pseudo, bytes, 13)), 0);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    uint8_t a[16];
    uint8_t b[16];
    exact_v4(a, 192, 0, 2, 1);
    exact_v4(b, 198, 51, 100, 7);
    flip_every_bit(golden_udp_v4, a, b);
    exact_v6(a, 1);
    exact_v6(b, 2);
    flip_every_bit(golden_udp_v6, a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_emit),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_bit_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
