/* ARP packets: golden bytes, cuts, and every value of the fields that must be what they are. */
#include "wire/arp.h"

#include "exact.h"

static const uint8_t golden[28] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
                                   10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};

static void test_request(void **state)
{
    (void)state;
    struct slt_arp arp;
    assert_int_equal(slt_arp_parse((struct slt_span){golden, 28}, &arp), SLT_PASS);
    uint8_t ip[16];
    exact_v4(ip, 10, 0, 0, 1);
    assert_memory_equal(arp.sender_ip, ip, 16);
    exact_v4(ip, 10, 0, 0, 2);
    assert_memory_equal(arp.target_ip, ip, 16);
    char line[128];
    (void)slt_arp_print(&arp, line, sizeof(line));
    assert_string_equal(line, "arp who-has 10.0.0.2 tell 10.0.0.1");
    arp.op = SLT_ARP_REPLY;
    (void)slt_arp_print(&arp, line, sizeof(line));
    assert_string_equal(line, "arp reply 10.0.0.1 is-at 02:00:00:00:00:01");
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint32_t op = 0; op < 65536; op++) {
        uint8_t bytes[28];
        memcpy(bytes, golden, 28);
        bytes[6] = (uint8_t)(op >> 8);
        bytes[7] = (uint8_t)op;
        struct slt_arp arp;
        assert_int_equal(slt_arp_parse((struct slt_span){bytes, 28}, &arp), SLT_PASS);
        uint8_t out[28];
        struct slt_writer w = slt_writer_of(out, sizeof(out));
        assert_int_equal(slt_arp_emit(&arp, &w), 28);
        assert_memory_equal(out, bytes, 28);
    }
}

static void test_cut_and_padded(void **state)
{
    (void)state;
    uint8_t padded[46] = {0};
    memcpy(padded, golden, 28);
    for (uint32_t n = 0; n <= sizeof(padded); n++) {
        const struct slt_span copy = exact_copy(padded, n);
        struct slt_arp arp;
        assert_int_equal(slt_arp_parse(copy, &arp), n < 28 ? SLT_DROP_ARP_MALFORMED : SLT_PASS);
        exact_free(copy);
    }
}

/* RFC 826 (ARP-01): hardware type, protocol and both lengths are checked. */
static void test_arp_01_fixed_fields(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6 * 256; i++) {
        uint8_t bytes[28];
        memcpy(bytes, golden, 28);
        bytes[i / 256] = (uint8_t)i;
        struct slt_arp arp;
        const bool same = bytes[i / 256] == golden[i / 256];
        assert_int_equal(slt_arp_parse((struct slt_span){bytes, 28}, &arp),
                         same ? SLT_PASS : SLT_DROP_ARP_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_and_padded),
        cmocka_unit_test(test_arp_01_fixed_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
