/* The IPv6 fixed header: round trips, all payload lengths, the written form of addresses. */
#include "wire/ipv6.h"

#include "wire/address.h"

#include "exact.h"

static void make(uint8_t packet[60], uint32_t length)
{
    memset(packet, 0, 60);
    packet[0] = 0x6b; /* traffic class 0xb9: dscp 0x2e, ecn 1 */
    packet[1] = 0x9a;
    packet[2] = 0xbc;
    packet[3] = 0xde;
    packet[4] = (uint8_t)(length >> 8);
    packet[5] = (uint8_t)length;
    packet[6] = 6;
    packet[7] = 64;
    exact_v6(packet + 8, 1);
    exact_v6(packet + 24, 2);
}

static void test_golden(void **state)
{
    (void)state;
    uint8_t packet[60];
    make(packet, 20);
    struct slt_ipv6 ip;
    assert_int_equal(slt_ipv6_parse((struct slt_span){packet, 60}, &ip), SLT_PASS);
    assert_int_equal(ip.dscp, 0x2e);
    assert_int_equal(ip.ecn, 1);
    assert_int_equal(ip.flow_label, 0xabcde);
    assert_int_equal(ip.next_header, 6);
    assert_int_equal(ip.payload_bytes, 20);
    uint8_t out[40];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_ipv6_emit(&ip, &w), 40);
    assert_memory_equal(out, packet, 40);
    char line[128];
    (void)slt_ipv6_print(&ip, line, sizeof(line));
    assert_string_equal(line, "2001:db8::1 > 2001:db8::2: next 6, hlim 64, ecn 1, length 20");
}

static void test_every_payload_length(void **state)
{
    (void)state;
    for (uint32_t length = 0; length < 65536; length++) {
        uint8_t packet[60];
        make(packet, length);
        struct slt_ipv6 ip;
        const enum slt_reason reason = slt_ipv6_parse((struct slt_span){packet, 60}, &ip);
        assert_int_equal(reason, length <= 20 ? SLT_PASS : SLT_DROP_IP_LENGTH);
        if (length <= 20) {
            assert_int_equal(ip.payload_bytes, length);
        }
        assert_int_equal(slt_ipv6_parse_quoted((struct slt_span){packet, 60}, &ip), SLT_PASS);
        assert_int_equal(ip.payload_bytes, 20);
    }
}

static void test_truncation_and_version(void **state)
{
    (void)state;
    uint8_t packet[60];
    make(packet, 0);
    struct slt_ipv6 ip;
    for (uint32_t n = 0; n < 40; n++) {
        const struct slt_span copy = exact_copy(packet, n);
        assert_int_equal(slt_ipv6_parse(copy, &ip), SLT_DROP_IP_LENGTH);
        assert_int_equal(slt_ipv6_parse_quoted(copy, &ip), SLT_DROP_IP_LENGTH);
        exact_free(copy);
    }
    for (uint32_t first = 0; first < 256; first++) {
        packet[0] = (uint8_t)first;
        assert_int_equal(slt_ipv6_parse((struct slt_span){packet, 60}, &ip),
                         first >> 4 == 6 ? SLT_PASS : SLT_DROP_IP_VERSION);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_every_payload_length),
        cmocka_unit_test(test_truncation_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
