/* Tests of ip/iface: whose address, which hop, which source. R1122-07, R1122-08, R1122-11,
 * R1122-12, R4862-04, R6724-01. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip/iface.h"

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

struct world {
    struct slt_mem mem;
    struct slt_ip_iface iface;
};

static int setup_link(void **state, uint32_t kind)
{
    static struct world w;
    const struct salut_config config = {.addresses_max = 8,
                                        .routes_max = 8,
                                        .mtu = 1500,
                                        .ttl = 64,
                                        .link_kind = kind,
                                        .mac = {2, 0, 0, 0, 0, 1}};
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &config));
    *state = &w;
    return 0;
}

static int setup(void **state)
{
    return setup_link(state, SALUT_LINK_ETHERNET);
}

static int setup_ip(void **state)
{
    return setup_link(state, SALUT_LINK_IP);
}

static int teardown(void **state)
{
    struct world *w = *state;
    slt_ip_iface_deinit(&w->iface);
    assert_int_equal(w->mem.ledger.bytes[SLT_OWNER_STACK], 0);
    return 0;
}

static void add(struct world *w, const char *text)
{
    uint8_t addr[16];
    uint8_t bits;
    assert_true(slt_ip_prefix_parse(text, addr, &bits));
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, bits, SLT_IP_OWN_PREFERRED), SALUT_OK);
}

static void route(struct world *w, const char *prefix, const char *via, uint16_t metric)
{
    uint8_t addr[16];
    uint8_t gateway[16] = {0};
    uint8_t bits;
    assert_true(slt_ip_prefix_parse(prefix, addr, &bits));
    assert_true(via == NULL || slt_ip_addr_parse(via, gateway));
    assert_int_equal(slt_ip_route_add(&w->iface, addr, bits, gateway, metric), SALUT_OK);
}

static void expect_hop(struct world *w, const char *dst, enum slt_ip_hop_kind kind,
                       const char *next)
{
    uint8_t addr[16];
    struct slt_ip_hop hop;
    char out[SLT_IP_ADDR_TEXT_MAX];
    assert_true(slt_ip_addr_parse(dst, addr));
    slt_ip_next_hop(&w->iface, addr, &hop);
    assert_int_equal(hop.kind, kind);
    (void)slt_ip_addr_print(hop.addr, out, sizeof(out));
    assert_string_equal(out, next);
    assert_int_equal(hop.resolve, w->iface.link_kind == SALUT_LINK_ETHERNET &&
                                      (kind == SLT_IP_HOP_ON_LINK || kind == SLT_IP_HOP_GATEWAY));
}

static void expect_source(struct world *w, const char *dst, const char *src)
{
    uint8_t addr[16];
    uint8_t chosen[16];
    char out[SLT_IP_ADDR_TEXT_MAX];
    assert_true(slt_ip_addr_parse(dst, addr));
    bool found = slt_ip_select_source(&w->iface, addr, chosen);
    assert_int_equal(found, src != NULL);
    if (src != NULL) {
        (void)slt_ip_addr_print(chosen, out, sizeof(out));
        assert_string_equal(out, src);
    }
}

static bool is(struct world *w, const char *text,
               bool (*test)(const struct slt_ip_iface *, const uint8_t *))
{
    uint8_t addr[16];
    assert_true(slt_ip_addr_parse(text, addr));
    return test(&w->iface, addr);
}

static bool local(const struct slt_ip_iface *iface, const uint8_t *addr)
{
    return slt_ip_is_local(iface, addr);
}

static bool broadcast(const struct slt_ip_iface *iface, const uint8_t *addr)
{
    return slt_ip_is_subnet_broadcast(iface, addr);
}

static bool member(const struct slt_ip_iface *iface, const uint8_t *addr)
{
    return slt_ip_is_member(iface, addr);
}

static void test_addresses(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    add(w, "10.0.0.9/24");
    add(w, "10.0.0.1/24");
    add(w, "2001:db8::5/64");
    add(w, "10.0.0.5/24");
    assert_true(is(w, "10.0.0.1", local));
    assert_true(is(w, "10.0.0.5", local));
    assert_true(is(w, "10.0.0.9", local));
    assert_true(is(w, "2001:db8::5", local));
    assert_false(is(w, "10.0.0.2", local));
    assert_true(slt_ip_addr_parse("10.0.0.5", addr));
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, 120, SLT_IP_OWN_PREFERRED),
                     SALUT_ADDRESS_IN_USE);
    assert_int_equal(slt_ip_iface_remove(&w->iface, addr), SALUT_OK);
    assert_int_equal(slt_ip_iface_remove(&w->iface, addr), SALUT_ADDRESS_NOT_AVAILABLE);
    assert_false(is(w, "10.0.0.5", local));
    assert_true(is(w, "10.0.0.9", local));
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, 95, SLT_IP_OWN_PREFERRED), SALUT_INVALID);
    assert_true(slt_ip_addr_parse("224.0.0.1", addr));
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, 128, SLT_IP_OWN_PREFERRED),
                     SALUT_ADDRESS_INVALID);
    add(w, "10.0.1.1/24");
    add(w, "10.0.1.2/24");
    add(w, "10.0.1.3/24");
    add(w, "10.0.1.4/24");
    add(w, "10.0.1.5/24");
    assert_true(slt_ip_addr_parse("10.0.1.6", addr));
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, 120, SLT_IP_OWN_PREFERRED), SALUT_NO_MEMORY);
}

static void test_broadcasts_and_groups(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    add(w, "10.0.0.9/24");
    add(w, "10.1.0.0/31");
    add(w, "2001:db8::12:3456/64");
    assert_true(is(w, "10.0.0.255", broadcast));
    assert_true(is(w, "10.0.0.0", broadcast));
    assert_false(is(w, "10.0.0.254", broadcast));
    assert_false(is(w, "10.0.1.255", broadcast));
    assert_false(is(w, "10.1.0.1", broadcast)); /* RFC 3021 */
    assert_true(is(w, "224.0.0.1", member));
    assert_false(is(w, "224.0.0.2", member));
    assert_true(is(w, "ff02::1", member));
    assert_true(is(w, "ff02::1:ff12:3456", member));
    assert_false(is(w, "ff02::1:ff12:3457", member));
    assert_false(is(w, "ff02::1:ff00:9", member)); /* IPv4 addresses have no such group */
    assert_true(slt_ip_addr_parse("255.255.255.255", addr));
    assert_int_equal(slt_ip_target_of(&w->iface, addr), SLT_IP_TARGET_BROADCAST);
    assert_true(slt_ip_addr_parse("10.0.0.8", addr));
    assert_int_equal(slt_ip_target_of(&w->iface, addr), SLT_IP_TARGET_FOREIGN);
}

/* R1122-07: by mask, longest prefix, gateway. */
static void test_next_hop(void **state)
{
    struct world *w = *state;
    add(w, "10.0.0.9/24");
    add(w, "2001:db8::5/64");
    add(w, "fe80::5/64");
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_NONE, "192.0.2.1");
    route(w, "0.0.0.0/0", "10.0.0.1", 0);
    route(w, "192.0.2.0/24", "10.0.0.2", 0);
    route(w, "192.0.2.128/25", NULL, 0);
    route(w, "::/0", "fe80::1", 0);
    route(w, "10.0.0.64/26", "10.0.0.3", 0);
    expect_hop(w, "10.0.0.7", SLT_IP_HOP_ON_LINK, "10.0.0.7");
    expect_hop(w, "10.0.0.65", SLT_IP_HOP_GATEWAY, "10.0.0.3");
    expect_hop(w, "10.0.0.9", SLT_IP_HOP_LOCAL, "10.0.0.9");
    expect_hop(w, "127.0.0.1", SLT_IP_HOP_LOCAL, "127.0.0.1");
    expect_hop(w, "198.51.100.1", SLT_IP_HOP_GATEWAY, "10.0.0.1");
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_GATEWAY, "10.0.0.2");
    expect_hop(w, "192.0.2.129", SLT_IP_HOP_ON_LINK, "192.0.2.129");
    expect_hop(w, "2001:db8::9", SLT_IP_HOP_ON_LINK, "2001:db8::9");
    expect_hop(w, "2001:db8:1::9", SLT_IP_HOP_GATEWAY, "fe80::1");
    expect_hop(w, "fe80::77", SLT_IP_HOP_ON_LINK, "fe80::77");
    expect_hop(w, "10.0.0.255", SLT_IP_HOP_BROADCAST, "10.0.0.255");
    expect_hop(w, "255.255.255.255", SLT_IP_HOP_BROADCAST, "255.255.255.255");
    expect_hop(w, "224.0.0.5", SLT_IP_HOP_MULTICAST, "224.0.0.5");
    expect_hop(w, "ff02::2", SLT_IP_HOP_MULTICAST, "ff02::2");
    expect_hop(w, "0.0.0.0", SLT_IP_HOP_NONE, "0.0.0.0");
}

/* The mapped form lies inside ::/0: an IPv6 default route is no way for IPv4. */
static void test_families_do_not_mix(void **state)
{
    struct world *w = *state;
    add(w, "fe80::5/64");
    route(w, "::/0", "fe80::1", 0);
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_NONE, "192.0.2.1");
}

/* R1122-08: TCP's doubt moves traffic to the other gateway and back. */
static void test_dead_gateway(void **state)
{
    struct world *w = *state;
    uint8_t one[16];
    uint8_t two[16];
    add(w, "10.0.0.9/24");
    route(w, "0.0.0.0/0", "10.0.0.1", 0);
    route(w, "0.0.0.0/0", "10.0.0.2", 0);
    route(w, "0.0.0.0/0", "10.0.0.3", 9);
    assert_true(slt_ip_addr_parse("10.0.0.1", one));
    assert_true(slt_ip_addr_parse("10.0.0.2", two));
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_GATEWAY, "10.0.0.1");
    slt_ip_gateway_doubt(&w->iface, one);
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_GATEWAY, "10.0.0.2");
    slt_ip_gateway_doubt(&w->iface, two);
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_GATEWAY, "10.0.0.1");
    slt_ip_gateway_trust(&w->iface, two);
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_GATEWAY, "10.0.0.2");
}

static void test_routes_replaced_and_removed(void **state)
{
    struct world *w = *state;
    uint8_t any[16];
    uint8_t gateway[16];
    uint8_t bits;
    add(w, "10.0.0.9/24");
    route(w, "0.0.0.0/0", "10.0.0.1", 0);
    route(w, "0.0.0.0/0", "10.0.0.2", 5);
    route(w, "0.0.0.0/0", "10.0.0.1", 7);
    assert_int_equal(w->iface.route_count, 2);
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_GATEWAY, "10.0.0.2");
    assert_true(slt_ip_prefix_parse("0.0.0.0/0", any, &bits));
    assert_true(slt_ip_addr_parse("10.0.0.2", gateway));
    assert_int_equal(slt_ip_route_remove(&w->iface, any, bits, gateway), SALUT_OK);
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_GATEWAY, "10.0.0.1");
    assert_int_equal(slt_ip_route_remove(&w->iface, any, bits, gateway),
                     SALUT_ADDRESS_NOT_AVAILABLE);
    assert_true(slt_ip_addr_parse("fe80::1", gateway));
    assert_int_equal(slt_ip_route_add(&w->iface, any, bits, gateway, 0), SALUT_INVALID);
    assert_true(slt_ip_addr_parse("224.0.0.1", gateway));
    assert_int_equal(slt_ip_route_add(&w->iface, any, bits, gateway, 0), SALUT_INVALID);
}

static void test_point_to_point_needs_no_route(void **state)
{
    struct world *w = *state;
    add(w, "10.0.0.9/32");
    expect_hop(w, "192.0.2.1", SLT_IP_HOP_ON_LINK, "192.0.2.1");
}

/* R6724-01, R1122-11. */
static void test_source_selection(void **state)
{
    struct world *w = *state;
    add(w, "10.0.0.9/24");
    add(w, "172.16.0.9/16");
    add(w, "fe80::5/64");
    add(w, "2001:db8::5/64");
    add(w, "2001:db8:7::5/64");
    add(w, "fd00::5/64");
    route(w, "0.0.0.0/0", "172.16.0.1", 0);
    expect_source(w, "10.0.0.1", "10.0.0.9");
    expect_source(w, "172.16.4.4", "172.16.0.9");
    expect_source(w, "192.0.2.1", "172.16.0.9"); /* the subnet the packet leaves through */
    expect_source(w, "172.16.0.9", "172.16.0.9");
    expect_source(w, "fe80::1", "fe80::5");
    expect_source(w, "ff02::1", "fe80::5");
    expect_source(w, "2001:db8:7::1", "2001:db8:7::5");
    expect_source(w, "2001:db8::1", "2001:db8::5");
    expect_source(w, "fd00::1", "fd00::5");
    expect_source(w, "ff0e::1", "2001:db8::5"); /* rule 6: the label, not fd00::/8's */
}

static void test_source_states(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    expect_source(w, "10.0.0.1", NULL);
    add(w, "2001:db8::5/64");
    expect_source(w, "10.0.0.1", NULL);
    add(w, "2001:db8:7::5/64");
    assert_true(slt_ip_addr_parse("2001:db8::5", addr));
    slt_ip_iface_find(&w->iface, addr)->state = SLT_IP_OWN_DEPRECATED;
    /* R4862-04: even its own subnet's new exchanges go elsewhere; itself is rule 1. */
    expect_source(w, "2001:db8::1", "2001:db8:7::5");
    expect_source(w, "2001:db8::5", "2001:db8::5");
    assert_true(is(w, "2001:db8::5", local));
    slt_ip_iface_find(&w->iface, addr)->state = SLT_IP_OWN_TENTATIVE;
    assert_false(is(w, "2001:db8::5", local));
    assert_true(slt_ip_addr_parse("2001:db8:7::5", addr));
    slt_ip_iface_find(&w->iface, addr)->state = SLT_IP_OWN_TENTATIVE;
    expect_source(w, "2001:db8::1", NULL); /* R4862-01 */
}

/* Everything that changes an answer changes the version by which answers are remembered; what
 * changes nothing leaves it. */
static void test_version_follows_every_change(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    uint8_t prefix[16];
    uint8_t gateway[16];
    uint8_t bits;
    uint64_t before = w->iface.version;
    assert_true(slt_ip_addr_parse("10.0.0.9", addr));
    assert_true(slt_ip_addr_parse("10.0.0.1", gateway));
    assert_true(slt_ip_prefix_parse("192.0.2.0/24", prefix, &bits));
    add(w, "10.0.0.9/24");
    assert_true(w->iface.version > before);
    before = w->iface.version;
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, 120, SLT_IP_OWN_PREFERRED),
                     SALUT_ADDRESS_IN_USE);
    slt_ip_gateway_doubt(&w->iface, gateway);
    slt_ip_gateway_trust(&w->iface, gateway);
    assert_int_equal(w->iface.version, before);
    route(w, "192.0.2.0/24", "10.0.0.1", 0);
    assert_true(w->iface.version > before);
    before = w->iface.version;
    slt_ip_gateway_trust(&w->iface, gateway); /* it was not doubted */
    assert_int_equal(w->iface.version, before);
    slt_ip_gateway_doubt(&w->iface, gateway);
    assert_true(w->iface.version > before);
    before = w->iface.version;
    slt_ip_gateway_trust(&w->iface, gateway);
    assert_true(w->iface.version > before);
    before = w->iface.version;
    assert_int_equal(slt_ip_route_remove(&w->iface, prefix, bits, gateway), SALUT_OK);
    assert_true(w->iface.version > before);
    before = w->iface.version;
    assert_int_equal(slt_ip_iface_remove(&w->iface, addr), SALUT_OK);
    assert_true(w->iface.version > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broadcasts_and_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_hop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_families_do_not_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_gateway, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes_replaced_and_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_point_to_point_needs_no_route, setup_ip, teardown),
        cmocka_unit_test_setup_teardown(test_source_selection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_states, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version_follows_every_change, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
