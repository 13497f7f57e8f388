/* Tests of ip/addr: kinds, prefixes, scopes and labels as tables; text both ways.
 * R1122-03, R6724-01. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ip/addr.h"

static void parse(const char *text, uint8_t addr[16])
{
    assert_true(slt_ip_addr_parse(text, addr));
}

static void test_text_both_ways(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::ffff:102:304", "1.2.3.4"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:db8::1", "2001:db8::1"},
        {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"fe80::1:2", "fe80::1:2"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    };
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        uint8_t addr[16];
        char out[SLT_IP_ADDR_TEXT_MAX];
        parse(rows[i].in, addr);
        assert_int_equal(slt_ip_addr_print(addr, out, sizeof(out)), strlen(rows[i].out));
        assert_string_equal(out, rows[i].out);
    }
}

static void test_text_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.04",
        "01.2.3.4",
        "1.2.3.1000",
        "1.2.3.4 ",
        " 1.2.3.4",
        ":",
        ":::",
        "1:2",
        "1::2::3",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::1.2.3.4:5",
        "g::",
        "1:",
        ":1",
        "fe80::1%eth0",
        "1.2.3.4/24",
        "1:2:3:4:5:6:7:",
        "::ffff:256.0.0.1",
    };
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        uint8_t addr[16] = {[0] = 0xaa};
        assert_false(slt_ip_addr_parse(rows[i], addr));
        assert_int_equal(addr[0], 0xaa);
    }
}

static void test_prefix_text(void **state)
{
    uint8_t addr[16];
    uint8_t bits;
    (void)state;
    assert_true(slt_ip_prefix_parse("10.1.2.3/24", addr, &bits));
    assert_int_equal(bits, 120);
    assert_true(slt_ip_prefix_parse("10.1.2.3", addr, &bits));
    assert_int_equal(bits, 128);
    assert_true(slt_ip_prefix_parse("0.0.0.0/0", addr, &bits));
    assert_int_equal(bits, 96);
    assert_true(slt_ip_prefix_parse("2001:db8::/32", addr, &bits));
    assert_int_equal(bits, 32);
    assert_false(slt_ip_prefix_parse("10.0.0.0/33", addr, &bits));
    assert_false(slt_ip_prefix_parse("::/129", addr, &bits));
    assert_false(slt_ip_prefix_parse("::/", addr, &bits));
    assert_false(slt_ip_prefix_parse("::/1x", addr, &bits));
    assert_false(slt_ip_prefix_parse("::/0128", addr, &bits));
}

static void test_print_is_cut(void **state)
{
    uint8_t addr[16];
    char out[6];
    (void)state;
    parse("2001:db8::1", addr);
    assert_int_equal(slt_ip_addr_print(addr, out, sizeof(out)), 11);
    assert_string_equal(out, "2001:");
}

/* R1122-03: what may not be a source. */
static void test_kinds(void **state)
{
    static const struct {
        const char *text;
        int unfit;
        int loopback;
        int broadcast;
        enum slt_ip_scope scope;
    } rows[] = {
        {"0.0.0.0", 1, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"0.1.2.3", 1, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"1.0.0.0", 0, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"10.0.0.1", 0, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"126.255.255.255", 0, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"127.0.0.1", 1, 1, 0, SLT_IP_SCOPE_LINK},
        {"127.255.255.255", 1, 1, 0, SLT_IP_SCOPE_LINK},
        {"169.254.3.4", 0, 0, 0, SLT_IP_SCOPE_LINK},
        {"223.255.255.255", 0, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"224.0.0.1", 1, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"240.0.0.1", 1, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"255.255.255.255", 1, 0, 1, SLT_IP_SCOPE_GLOBAL},
        {"::", 1, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"::1", 1, 1, 0, SLT_IP_SCOPE_LINK},
        {"::2", 0, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"fe80::1", 0, 0, 0, SLT_IP_SCOPE_LINK},
        {"febf::1", 0, 0, 0, SLT_IP_SCOPE_LINK},
        {"fec0::1", 0, 0, 0, SLT_IP_SCOPE_SITE},
        {"fd00::1", 0, 0, 0, SLT_IP_SCOPE_GLOBAL},
        {"ff02::1", 1, 0, 0, SLT_IP_SCOPE_LINK},
        {"ff01::1", 1, 0, 0, SLT_IP_SCOPE_INTERFACE},
        {"ff05::2", 1, 0, 0, SLT_IP_SCOPE_SITE},
        {"ff0e::1", 1, 0, 0, SLT_IP_SCOPE_GLOBAL},
    };
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        uint8_t addr[16];
        parse(rows[i].text, addr);
        assert_int_equal(slt_ip_addr_is_unfit_source(addr), rows[i].unfit);
        assert_int_equal(slt_ip_addr_is_loopback(addr), rows[i].loopback);
        assert_int_equal(slt_ip_addr_is_broadcast(addr), rows[i].broadcast);
        assert_int_equal(slt_ip_addr_scope(addr), rows[i].scope);
    }
}

static void test_prefixes(void **state)
{
    uint8_t a[16];
    uint8_t b[16];
    (void)state;
    parse("10.1.2.3", a);
    parse("10.1.3.3", b);
    assert_int_equal(slt_ip_addr_common_bits(a, b), 96 + 23);
    assert_true(slt_ip_addr_in_prefix(a, b, 119));
    assert_false(slt_ip_addr_in_prefix(a, b, 120));
    assert_int_equal(slt_ip_addr_common_bits(a, a), 128);
    for (uint32_t bit = 0; bit < 128; bit++) {
        memcpy(b, a, 16);
        b[bit / 8] = (uint8_t)(b[bit / 8] ^ 0x80U >> bit % 8);
        assert_int_equal(slt_ip_addr_common_bits(a, b), bit);
    }
    parse("10.1.2.3", a);
    slt_ip_addr_fill_host(a, 120, true);
    parse("10.1.2.255", b);
    assert_memory_equal(a, b, 16);
    slt_ip_addr_fill_host(a, 113, false);
    parse("10.1.0.0", b);
    assert_memory_equal(a, b, 16);
    slt_ip_addr_fill_host(a, 128, true);
    assert_memory_equal(a, b, 16);
}

static void test_labels(void **state)
{
    static const struct {
        const char *text;
        uint32_t label;
    } rows[] = {
        {"::1", 0},      {"2600::1", 1},  {"fe80::1", 1},  {"2002::1", 2},
        {"::3", 3},      {"1.2.3.4", 4},  {"2001::1", 5},  {"2001:db8::1", 1},
        {"3ffe::1", 12}, {"fec0::1", 11}, {"fd00::1", 13},
    };
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        uint8_t addr[16];
        parse(rows[i].text, addr);
        assert_int_equal(slt_ip_addr_label(addr), rows[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_both_ways), cmocka_unit_test(test_text_refused),
        cmocka_unit_test(test_prefix_text),    cmocka_unit_test(test_print_is_cut),
        cmocka_unit_test(test_kinds),          cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
