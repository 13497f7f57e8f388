/* Addresses: written forms against the C library's, scopes, groups. */
#include "wire/address.h"

#include "exact.h"

#include <arpa/inet.h>

static void assert_text(const uint8_t address[16], const char *want)
{
    char line[64];
    struct slt_text t;
    slt_text_init(&t, line, sizeof(line));
    slt_address_text(&t, address);
    assert_string_equal(line, want);
}

static void assert_written_like(const char *text)
{
    uint8_t address[16];
    assert_int_equal(inet_pton(AF_INET6, text, address), 1);
    assert_text(address, text);
}

/* RFC 5952 4. */
static void test_text(void **state)
{
    (void)state;
    assert_written_like("::");
    assert_written_like("::1");
    assert_written_like("1::");
    assert_written_like("fe80::1");
    assert_written_like("2001:db8::1:0:0:1");
    assert_written_like("2001:db8:0:1:1:1:1:1");
    assert_written_like("2001:0:0:1::1");
    assert_written_like("1:2:3:4:5:6:7:8");
    assert_written_like("0:2:3:4:5:6:7:0");
    assert_written_like("ff02::1:ff00:2");
    uint8_t v4[16];
    exact_v4(v4, 255, 0, 10, 7);
    assert_text(v4, "255.0.10.7");
}

/* Random addresses with many zero groups read back as they were. */
static void test_text_reads_back(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (uint32_t round = 0; round < 20000; round++) {
        uint8_t address[16];
        for (uint32_t i = 0; i < 16; i += 2) {
            const uint32_t r = exact_random(&seed);
            address[i] = (r & 1) ? 0 : (uint8_t)(r >> 8);
            address[i + 1] = (r & 3) ? 0 : (uint8_t)(r >> 16);
        }
        char line[64];
        struct slt_text t;
        slt_text_init(&t, line, sizeof(line));
        slt_address_text(&t, address);
        uint8_t back[16];
        assert_int_equal(inet_pton(AF_INET6, line, back), 1);
        assert_memory_equal(back, address, 16);
    }
}

static void test_scopes(void **state)
{
    (void)state;
    uint8_t a[16];
    exact_v4(a, 0, 0, 0, 0);
    assert_true(slt_address_is_v4(a));
    assert_true(slt_address_is_unspecified(a));
    exact_v4(a, 224, 0, 0, 1);
    assert_true(slt_address_is_multicast(a));
    assert_false(slt_address_is_unspecified(a));
    exact_v4(a, 255, 255, 255, 255);
    assert_false(slt_address_is_multicast(a));
    exact_v4(a, 169, 254, 3, 4);
    assert_true(slt_address_is_link_local(a));
    memset(a, 0, 16);
    assert_true(slt_address_is_unspecified(a));
    assert_false(slt_address_is_v4(a));
    exact_link_local(a, 9);
    assert_true(slt_address_is_link_local(a));
    a[1] = 0xc0;
    assert_false(slt_address_is_link_local(a));
    a[0] = 0xff;
    assert_true(slt_address_is_multicast(a));
}

static void test_groups(void **state)
{
    (void)state;
    uint8_t target[16];
    uint8_t group[16];
    uint8_t mac[6];
    exact_v6(target, 2);
    target[13] = 0x77;
    slt_address_solicited_node(target, group);
    assert_text(group, "ff02::1:ff77:2");
    slt_mac_of_multicast(group, mac);
    assert_memory_equal(mac, "\x33\x33\xff\x77\x00\x02", 6);
    assert_true(slt_mac_is_group(mac));
    exact_v4(group, 239, 129, 2, 3);
    slt_mac_of_multicast(group, mac);
    assert_memory_equal(mac, "\x01\x00\x5e\x01\x02\x03", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_reads_back),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
