/* IPv4 headers: golden bytes, every header length against every total length, every option. */
#include "wire/ipv4.h"

#include "wire/checksum.h"

#include "exact.h"

#include <unistd.h>

static const uint8_t golden_ipv4[20] = {
    0x45, 0xba, 0x00, 0x28, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06,
    0x3b, 0xa6, 0xc0, 0x00, 0x02, 0x01, 0xc6, 0x33, 0x64, 0x07,
};

static const uint8_t golden_ipv4_options[32] = {
    0x46, 0x00, 0x00, 0x20, 0x00, 0x07, 0x20, 0x03, 0x01, 0x11, 0x18, 0x83, 0xc0, 0x00, 0x02, 0x01,
    0xc6, 0x33, 0x64, 0x07, 0x94, 0x04, 0x00, 0x00, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
};

static void seal(uint8_t *header, uint32_t bytes)
{
    header[10] = 0;
    header[11] = 0;
    const uint16_t checksum = slt_checksum_finish(slt_checksum_add(0, header, bytes));
    header[10] = (uint8_t)(checksum >> 8);
    header[11] = (uint8_t)checksum;
}

static void test_golden(void **state)
{
    (void)state;
    uint8_t packet[60] = {0}; /* 40 bytes of packet, 20 of link padding */
    memcpy(packet, golden_ipv4, sizeof(golden_ipv4));
    struct slt_ipv4 ip;
    assert_int_equal(slt_ipv4_parse((struct slt_span){packet, sizeof(packet)}, &ip), SLT_PASS);
    uint8_t address[16];
    exact_v4(address, 192, 0, 2, 1);
    assert_memory_equal(ip.src, address, 16);
    assert_int_equal(ip.dscp, 0x2e);
    assert_int_equal(ip.ecn, SLT_ECN_ECT0);
    assert_int_equal(ip.id, 0x1234);
    assert_true(ip.dont_fragment);
    assert_false(slt_ipv4_is_fragment(&ip));
    assert_int_equal(ip.protocol, SLT_IP_PROTOCOL_TCP);
    assert_int_equal(ip.payload_bytes, 20);
    assert_ptr_equal(ip.payload, packet + 20);
    uint8_t out[20];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_ipv4_emit(&ip, &w), 20);
    assert_memory_equal(out, golden_ipv4, 20);
    char line[128];
    (void)slt_ipv4_print(&ip, line, sizeof(line));
    assert_string_equal(line, "192.0.2.1 > 198.51.100.7: proto 6, ttl 64, id 4660, [DF], ecn 2, "
                              "length 20");
}

static void test_options_and_fragments(void **state)
{
    (void)state;
    struct slt_ipv4 ip;
    const uint32_t bytes = sizeof(golden_ipv4_options);
    assert_int_equal(slt_ipv4_parse((struct slt_span){golden_ipv4_options, bytes}, &ip), SLT_PASS);
    assert_int_equal(ip.options_bytes, 4);
    assert_int_equal(ip.fragment_offset, 24);
    assert_true(ip.more_fragments);
    assert_false(ip.source_route);
    assert_int_equal(ip.payload_bytes, 8);
    uint8_t out[24];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_ipv4_emit(&ip, &w), 24);
    assert_memory_equal(out, golden_ipv4_options, 24);
    for (uint32_t room = 0; room < 24; room++) {
        struct slt_writer small = slt_writer_of(out, room);
        assert_int_equal(slt_ipv4_emit(&ip, &small), 0);
    }
}

static void test_truncation_and_bit_flips(void **state)
{
    (void)state;
    const uint32_t whole = sizeof(golden_ipv4_options);
    struct slt_ipv4 ip;
    for (uint32_t n = 0; n < whole; n++) {
        const struct slt_span copy = exact_copy(golden_ipv4_options, n);
        assert_int_equal(slt_ipv4_parse(copy, &ip), SLT_DROP_IP_LENGTH);
        exact_free(copy);
    }
    for (uint32_t bit = 0; bit < 24 * 8; bit++) {
        const struct slt_span copy = exact_copy(golden_ipv4_options, whole);
        ((uint8_t *)(uintptr_t)copy.data)[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(slt_ipv4_parse(copy, &ip), SLT_PASS);
        exact_free(copy);
    }
}

/* Every version and header length, with total lengths around what is there. */
static void test_lengths(void **state)
{
    (void)state;
    for (uint32_t first = 0; first < 256; first++) {
        for (uint32_t total = 0; total <= 80; total++) {
            for (uint32_t n = 20; n <= 64; n += 4) {
                const uint32_t header = (first & 15) * 4;
                uint8_t packet[64] = {0};
                memcpy(packet, golden_ipv4, 20);
                packet[0] = (uint8_t)first;
                packet[2] = 0;
                packet[3] = (uint8_t)total;
                if (header >= 20 && header <= n) {
                    seal(packet, header);
                }
                enum slt_reason want = SLT_PASS;
                if (first >> 4 != 4) {
                    want = SLT_DROP_IP_VERSION;
                } else if (header < 20 || header > n || total < header || total > n) {
                    want = SLT_DROP_IP_LENGTH;
                }
                const struct slt_span copy = exact_copy(packet, n);
                struct slt_ipv4 ip;
                assert_int_equal(slt_ipv4_parse(copy, &ip), want);
                exact_free(copy);
            }
        }
    }
}

/* RFC 1122 3.2.1.8 (R1122-06, MUST-50): every kind and length of an option, in 4 to 40 bytes. */
static void test_every_option(void **state)
{
    (void)state;
    alarm(60);
    for (uint32_t options = 4; options <= 40; options += 12) {
        for (uint32_t pair = 0; pair < 65536; pair++) {
            const uint32_t kind = pair >> 8;
            const uint32_t length = pair & 255;
            uint8_t packet[60];
            memcpy(packet, golden_ipv4, 20);
            memset(packet + 20, 1, options);
            packet[0] = (uint8_t)(0x45 + options / 4);
            packet[3] = (uint8_t)(20 + options);
            packet[20] = (uint8_t)kind;
            packet[21] = (uint8_t)length;
            seal(packet, 20 + options);
            struct slt_ipv4 ip;
            const struct slt_span copy = exact_copy(packet, 20 + options);
            const enum slt_reason got = slt_ipv4_parse(copy, &ip);
            exact_free(copy);
            if (kind == 1) {
                continue; /* the length is an option of its own then */
            }
            const bool good = kind == 0 || (length >= 2 && length <= options);
            assert_int_equal(got, good ? SLT_PASS : SLT_DROP_IP_OPTION_MALFORMED);
            if (good) {
                assert_int_equal(ip.source_route, kind == 131 || kind == 137);
            }
        }
    }
    alarm(0);
}

/* RFC 1122 3.2.2: an ICMP error may quote no more than the header and eight bytes. */
static void test_quoted(void **state)
{
    (void)state;
    uint8_t quote[28] = {0};
    memcpy(quote, golden_ipv4, 20);
    quote[10] ^= 0xff;
    quote[3] = 200;
    struct slt_ipv4 ip;
    assert_int_equal(slt_ipv4_parse((struct slt_span){quote, 28}, &ip), SLT_DROP_IP_LENGTH);
    assert_int_equal(slt_ipv4_parse_quoted((struct slt_span){quote, 28}, &ip), SLT_PASS);
    assert_int_equal(ip.payload_bytes, 8);
    for (uint32_t n = 0; n < 20; n++) {
        const struct slt_span copy = exact_copy(quote, n);
        assert_int_equal(slt_ipv4_parse_quoted(copy, &ip), SLT_DROP_IP_LENGTH);
        exact_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_options_and_fragments),
        cmocka_unit_test(test_truncation_and_bit_flips),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
