/* The TCP header against golden segments whose checksums were computed elsewhere. */
#include "wire/tcp.h"

#include "wire/checksum.h"

#include "exact.h"

static const uint8_t golden_syn_v4[40] = {
    0x9c, 0x40, 0x00, 0x50, 0xff, 0xff, 0xff, 0xf0, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x02,
    0xfa, 0xf0, 0xc0, 0x69, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a,
    0x00, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07,
};

static const uint8_t golden_data_v6[49] = {
    0x01, 0xbb, 0xc3, 0x50, 0x00, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x07, 0xd0, 0xb0,
    0x18, 0x01, 0xf5, 0x3e, 0x11, 0x00, 0x00, 0x01, 0x01, 0x08, 0x0a, 0x00, 0x00,
    0x27, 0x10, 0x00, 0x00, 0x4e, 0x20, 0x01, 0x01, 0x05, 0x0a, 0x00, 0x00, 0x0b,
    0xb8, 0x00, 0x00, 0x0f, 0xa0, 0x68, 0x65, 0x6c, 0x6c, 0x6f,
};

static void test_syn(void **state)
{
    (void)state;
    const struct slt_span copy = exact_copy(golden_syn_v4, sizeof(golden_syn_v4));
    struct slt_tcp_segment seg;
    assert_int_equal(slt_tcp_parse(copy, &seg), SLT_PASS);
    assert_int_equal(seg.src_port, 40000);
    assert_int_equal(seg.dst_port, 80);
    assert_int_equal(seg.seq, 0xfffffff0U);
    assert_int_equal(seg.flags, SLT_TCP_SYN);
    assert_int_equal(seg.window, 64240);
    assert_int_equal(seg.opt.mss, 1460);
    assert_int_equal(seg.opt.ts_val, 1000);
    assert_int_equal(seg.opt.wscale, 7);
    assert_int_equal(seg.payload_bytes, 0);
    assert_int_equal(slt_tcp_seg_len(&seg), 1);
    char line[200];
    (void)slt_tcp_print(&seg, line, sizeof(line));
    assert_string_equal(line, "40000 > 80 Flags [S], seq 4294967280, win 64240, options [mss 1460,"
                              "sackOK,TS val 1000 ecr 0,nop,wscale 7], length 0");
    exact_free(copy);
}

static void test_data(void **state)
{
    (void)state;
    const struct slt_span copy = exact_copy(golden_data_v6, sizeof(golden_data_v6));
    struct slt_tcp_segment seg;
    assert_int_equal(slt_tcp_parse(copy, &seg), SLT_PASS);
    assert_int_equal(seg.flags, SLT_TCP_ACK | SLT_TCP_PSH);
    assert_int_equal(seg.opt.sack_count, 1);
    assert_int_equal(seg.opt.sack[0].left, 3000);
    assert_int_equal(seg.payload_bytes, 5);
    assert_memory_equal(seg.payload, "hello", 5);
    assert_int_equal(slt_tcp_seg_len(&seg), 5);
    char line[200];
    (void)slt_tcp_print(&seg, line, sizeof(line));
    assert_string_equal(line,
                        "443 > 50000 Flags [P.], seq 1000:1005, ack 2000, win 501, options "
                        "[nop,nop,TS val 10000 ecr 20000,nop,nop,sack 1 {3000:4000}], length 5");
    exact_free(copy);
}

static void assert_round_trip(const uint8_t *golden, uint32_t bytes)
{
    struct slt_tcp_segment seg;
    assert_int_equal(slt_tcp_parse((struct slt_span){golden, bytes}, &seg), SLT_PASS);
    uint8_t out[128];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    const uint32_t header = slt_tcp_emit(&seg, &w);
    assert_int_equal(header + seg.payload_bytes, bytes);
    assert_int_equal(out[16] | out[17], 0);
    out[16] = golden[16];
    out[17] = golden[17];
    assert_memory_equal(out, golden, header);
    for (uint32_t room = 0; room < header; room++) {
        struct slt_writer small = slt_writer_of(out, room);
        assert_int_equal(slt_tcp_emit(&seg, &small), 0);
    }
}

static void test_emit_gives_the_golden_bytes(void **state)
{
    (void)state;
    assert_round_trip(golden_syn_v4, sizeof(golden_syn_v4));
    assert_round_trip(golden_data_v6, sizeof(golden_data_v6));
}

static void test_truncation(void **state)
{
    (void)state;
    for (uint32_t bytes = 0; bytes < sizeof(golden_data_v6); bytes++) {
        const struct slt_span copy = exact_copy(golden_data_v6, bytes);
        struct slt_tcp_segment seg;
        const enum slt_reason reason = slt_tcp_parse(copy, &seg);
        if (bytes < SLT_TCP_HEADER_BYTES) {
            assert_int_equal(reason, SLT_DROP_TCP_SHORT);
        } else if (bytes < 44) {
            assert_int_equal(reason, SLT_DROP_TCP_DATA_OFFSET);
        } else {
            assert_int_equal(reason, SLT_PASS);
            assert_int_equal(seg.payload_bytes, bytes - 44);
        }
        exact_free(copy);
    }
}

static void test_every_data_offset_and_length(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < 16; offset++) {
        for (uint32_t bytes = 20; bytes < 80; bytes++) {
            uint8_t packet[80];
            memset(packet, 1, sizeof(packet)); /* options: all NOP */
            packet[12] = (uint8_t)(offset << 4);
            const struct slt_span copy = exact_copy(packet, bytes);
            struct slt_tcp_segment seg;
            const enum slt_reason reason = slt_tcp_parse(copy, &seg);
            if (offset < 5 || offset * 4 > bytes) {
                assert_int_equal(reason, SLT_DROP_TCP_DATA_OFFSET);
            } else {
                assert_int_equal(reason, SLT_PASS);
                assert_int_equal(seg.payload_bytes, bytes - offset * 4);
            }
            exact_free(copy);
        }
    }
}

static uint16_t checksum_over(const uint8_t *packet, uint32_t bytes, const uint8_t src[16],
                              const uint8_t dst[16])
{
    const uint32_t sum = slt_checksum_pseudo(src, dst, 6, bytes);
    return slt_checksum_finish(slt_checksum_add(sum, packet, bytes));
}

static void flip_every_bit(const uint8_t *golden, uint32_t bytes, uint8_t src[16], uint8_t dst[16])
{
    uint8_t packet[128];
    memcpy(packet, golden, bytes);
    assert_int_equal(checksum_over(packet, bytes, src, dst), 0);
    for (uint32_t bit = 0; bit < bytes * 8; bit++) {
        packet[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(checksum_over(packet, bytes, src, dst), 0);
        packet[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    /* The pseudo header is covered as well. In the mapped form only four bytes of it exist. */
    const uint32_t first = src[0] == 0 ? 12 : 0;
    for (uint32_t bit = first * 8; bit < 128; bit++) {
        src[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(checksum_over(packet, bytes, src, dst), 0);
        src[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

/* RFC 9293 3.1 (MUST-3): no single flipped bit goes unnoticed. */
static void test_must_3_every_bit_counts(void **state)
{
    (void)state;
    uint8_t a[16];
    uint8_t b[16];
    exact_v4(a, 192, 0, 2, 1);
    exact_v4(b, 198, 51, 100, 7);
    flip_every_bit(golden_syn_v4, sizeof(golden_syn_v4), a, b);
    exact_v6(a, 1);
    exact_v6(b, 2);
    flip_every_bit(golden_data_v6, sizeof(golden_data_v6), a, b);
}

static void test_flags(void **state)
{
    (void)state;
    char out[12];
    slt_tcp_flags_print(0, out);
    assert_string_equal(out, "none");
    slt_tcp_flags_print(SLT_TCP_SYN | SLT_TCP_ACK, out);
    assert_string_equal(out, "S.");
    slt_tcp_flags_print(0x1ff, out);
    assert_string_equal(out, "FSRP.UEWA");
    /* Reserved bits are neither kept nor sent (U-01); the nine flags are. */
    for (uint32_t flags = 0; flags < 0x1000; flags++) {
        uint8_t packet[20] = {0};
        packet[12] = (uint8_t)(0x50U | flags >> 8);
        packet[13] = (uint8_t)flags;
        struct slt_tcp_segment seg;
        assert_int_equal(slt_tcp_parse((struct slt_span){packet, 20}, &seg), SLT_PASS);
        assert_int_equal(seg.flags, flags & 0x1ff);
        struct slt_writer w = slt_writer_of(packet, 20);
        assert_int_equal(slt_tcp_emit(&seg, &w), 20);
        assert_int_equal(packet[12], 0x50U | (flags >> 8 & 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syn),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_emit_gives_the_golden_bytes),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_every_data_offset_and_length),
        cmocka_unit_test(test_must_3_every_bit_counts),
        cmocka_unit_test(test_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
