/* What --publish and the addresses of a private network are read as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "run/net_linux.h"
#include "run/publish.h"

#include "base/compiler.h"
#include "salut/salut.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void good_specifications(void **state)
{
    static const struct {
        const char *text;
        const char *address;
        uint16_t outside;
        uint16_t inside;
    } rows[] = {
        {"8080:80", "127.0.0.1", 8080, 80},         {"1:65535", "127.0.0.1", 1, 65535},
        {"0.0.0.0:65535:1", "0.0.0.0", 65535, 1},   {"192.0.2.7:22:2222", "192.0.2.7", 22, 2222},
        {"[::1]:8080:80", "::1", 8080, 80},         {"[::]:8080:80", "::", 8080, 80},
        {"[192.0.2.7]:22:23", "192.0.2.7", 22, 23},
    };
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        struct slt_publish_spec spec;
        char host[64];
        char port[8];
        assert_true(slt_publish_parse(rows[i].text, &spec));
        socklen_t bytes = spec.outside.ss_family == AF_INET
                              ? (socklen_t)sizeof(struct sockaddr_in)
                              : (socklen_t)sizeof(struct sockaddr_in6);
        assert_int_equal(getnameinfo((const struct sockaddr *)&spec.outside, bytes, host,
                                     sizeof(host), port, sizeof(port),
                                     NI_NUMERICHOST | NI_NUMERICSERV),
                         0);
        assert_string_equal(host, rows[i].address);
        assert_int_equal(strtol(port, NULL, 10), rows[i].outside);
        assert_int_equal(spec.inside_port, rows[i].inside);
    }
}

static void bad_specifications(void **state)
{
    static const char *const rows[] = {
        "",
        ":",
        "80",
        ":80",
        "80:",
        "0:80",
        "80:0",
        "65536:80",
        "80:65536",
        "x:80",
        "80:x",
        "80:80x",
        "-1:80",
        " 80:80",
        "host:80:80",
        "::1:80:80",
        "[::1:80:80",
        "[]:80:80",
        ":80:80",
        "::80:80",
        "1.2.3:80:80",
        "[x]:80:80",
        "1.2.3.4:80",
        "80:80:80",
        "99999999999999999999:1",
    };
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        struct slt_publish_spec spec;
        if (slt_publish_parse(rows[i], &spec)) {
            fail_msg("'%s' was taken", rows[i]);
        }
    }
}

static void expect_derived(const char *ours, unsigned bits, const char *kernel, const char *gateway)
{
    struct slt_run_net_family family = {.ours = {.prefix_bits = bits}};
    char text[64];
    assert_int_equal(salut_addr_parse(ours, &family.ours.addr), SALUT_OK);
    assert_true(slt_run_net_derive(&family));
    (void)salut_addr_print(&family.kernel.addr, text, sizeof(text));
    assert_string_equal(text, kernel);
    (void)salut_addr_print(&family.gateway.addr, text, sizeof(text));
    assert_string_equal(text, gateway);
    assert_int_equal(family.kernel.prefix_bits, bits);
    assert_int_equal(family.gateway.prefix_bits, bits);
}

static void addresses_are_derived(void **state)
{
    struct slt_run_net_family small = {.ours = {.prefix_bits = 30}};
    (void)state;
    expect_derived("10.99.0.2", 24, "10.99.0.1", "10.99.0.254");
    expect_derived("10.99.0.1", 24, "10.99.0.2", "10.99.0.254");
    expect_derived("10.99.0.254", 24, "10.99.0.1", "10.99.0.253");
    expect_derived("10.1.2.3", 8, "10.0.0.1", "10.255.255.254");
    expect_derived("172.16.5.9", 20, "172.16.0.1", "172.16.15.254");
    expect_derived("192.168.77.1", 29, "192.168.77.2", "192.168.77.6");
    expect_derived("192.168.77.14", 29, "192.168.77.9", "192.168.77.13");
    expect_derived("fd99::2", 64, "fd99::1", "fd99::fe");
    expect_derived("fd99::1", 64, "fd99::2", "fd99::fe");
    expect_derived("2001:db8:1:2:3:4:5:fe", 112, "2001:db8:1:2:3:4:5:1", "2001:db8:1:2:3:4:5:fd");
    assert_int_equal(salut_addr_parse("10.0.0.1", &small.ours.addr), SALUT_OK);
    assert_false(slt_run_net_derive(&small));
    small.ours.prefix_bits = 126;
    assert_int_equal(salut_addr_parse("fd99::1", &small.ours.addr), SALUT_OK);
    assert_false(slt_run_net_derive(&small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_specifications),
        cmocka_unit_test(bad_specifications),
        cmocka_unit_test(addresses_are_derived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
