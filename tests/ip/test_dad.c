/* Tests of ip/dad and ip/ra on virtual time. ARP-07, ARP-08, ARP-10, R4861-06, R4861-07,
 * R4862-01..05. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip/ra.h"

#define S SLT_NS_PER_S

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
    struct slt_neigh neigh;
    struct slt_dad dad;
    struct slt_ra ra;
};

static void addr_of(const char *text, uint8_t addr[16])
{
    assert_true(slt_ip_addr_parse(text, addr));
}

static int setup(void **state)
{
    static struct world w;
    const struct salut_config config = {
        .addresses_max = 16, .routes_max = 16, .mtu = 1500, .ttl = 64, .mac = {2, 0, 0, 0, 0, 1}};
    const struct slt_neigh_setup table = {.entries_max = 8, .key = {1, 2}, .seed = 9};
    const struct slt_ra_setup ra = {.seed = 4, .key = {5, 6}, .slaac = true};
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &config));
    assert_true(slt_neigh_init(&w.neigh, &w.mem, &table));
    slt_dad_init(&w.dad, 3);
    slt_ra_init(&w.ra, &ra);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    slt_neigh_deinit(&w->neigh);
    slt_ip_iface_deinit(&w->iface);
    return 0;
}

static struct slt_ip_own *own_of(struct world *w, const char *text)
{
    uint8_t addr[16];
    addr_of(text, addr);
    return slt_ip_iface_find(&w->iface, addr);
}

static void add_tentative(struct world *w, const char *text, uint8_t bits, int64_t now_ns)
{
    uint8_t addr[16];
    addr_of(text, addr);
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, bits, SLT_IP_OWN_TENTATIVE), SALUT_OK);
    slt_dad_start(&w->dad, slt_ip_iface_find(&w->iface, addr), now_ns);
}

/* R4862-01: one question from nobody, a second of silence, then it is ours. */
static void test_dad_v6(void **state)
{
    struct world *w = *state;
    struct slt_dad_step step;
    uint8_t chosen[16];
    uint8_t peer[16];
    addr_of("fe80::9", peer);
    add_tentative(w, "fe80::1", 64, 0);
    int64_t at_ns = slt_dad_next_deadline(&w->iface);
    assert_in_range(at_ns, 0, S);
    assert_true(slt_dad_next(&w->dad, &w->iface, at_ns, &step));
    assert_int_equal(step.kind, SLT_DAD_PROBE);
    assert_true(step.ask.probe);
    assert_int_equal(step.ask.dst_mac[0], 0x33);
    assert_false(slt_dad_next(&w->dad, &w->iface, at_ns + S - 1, &step));
    assert_false(slt_ip_select_source(&w->iface, peer, chosen));
    uint64_t version = w->iface.version;
    assert_true(slt_dad_next(&w->dad, &w->iface, at_ns + S, &step));
    assert_int_equal(step.kind, SLT_DAD_USABLE);
    assert_true(w->iface.version > version);
    assert_true(slt_ip_select_source(&w->iface, peer, chosen));
    assert_int_equal(slt_dad_next_deadline(&w->iface), SLT_NEVER);
}

/* ARP-07, ARP-08. */
static void test_dad_v4(void **state)
{
    struct world *w = *state;
    struct slt_dad_step step;
    static const uint8_t kinds[] = {SLT_DAD_PROBE,  SLT_DAD_PROBE,    SLT_DAD_PROBE,
                                    SLT_DAD_USABLE, SLT_DAD_ANNOUNCE, SLT_DAD_ANNOUNCE};
    static const int64_t least_s[] = {0, 1, 1, 2, 0, 2};
    static const int64_t most_s[] = {1, 2, 2, 2, 0, 2};
    int64_t before_ns = 0;
    add_tentative(w, "10.0.0.1", 120, 0);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(kinds); i++) {
        int64_t at_ns = slt_dad_next_deadline(&w->iface);
        assert_in_range(at_ns - before_ns, least_s[i] * S, most_s[i] * S);
        assert_true(slt_dad_next(&w->dad, &w->iface, at_ns, &step));
        assert_int_equal(step.kind, kinds[i]);
        before_ns = at_ns;
    }
    assert_int_equal(slt_dad_next_deadline(&w->iface), SLT_NEVER);
}

/* ARP-07: what counts as a conflict while testing. ARP-10: slower after ten. */
static void test_conflicts_v4(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    struct slt_arp arp = {.op = SLT_ARP_REQUEST, .sender_mac = {2, 7}};
    add_tentative(w, "10.0.0.1", 120, 0);
    addr_of("10.0.0.7", arp.sender_ip);
    addr_of("10.0.0.1", arp.target_ip);
    assert_false(slt_dad_hears_arp(&w->iface, &arp, addr)); /* somebody merely asks */
    addr_of("0.0.0.0", arp.sender_ip);
    assert_true(slt_dad_hears_arp(&w->iface, &arp, addr));
    memcpy(arp.sender_mac, w->iface.mac, 6);
    assert_false(slt_dad_hears_arp(&w->iface, &arp, addr)); /* our own probe, come back */
    arp.sender_mac[5] = 9;
    addr_of("10.0.0.1", arp.sender_ip);
    arp.op = SLT_ARP_REPLY;
    assert_true(slt_dad_hears_arp(&w->iface, &arp, addr));
    slt_dad_conflict(&w->dad, &w->iface, addr);
    assert_null(own_of(w, "10.0.0.1"));
    assert_false(w->iface.down6);
    for (uint32_t i = 1; i < 10; i++) {
        add_tentative(w, "10.0.0.1", 120, i * S);
        slt_dad_conflict(&w->dad, &w->iface, addr);
    }
    add_tentative(w, "10.0.0.1", 120, 10 * S);
    assert_in_range(slt_dad_next_deadline(&w->iface), 69 * S, 70 * S);
}

/* R4862-02. */
static void test_conflict_of_hardware_address(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    addr_of("fe80::ff:fe00:1", addr);
    add_tentative(w, "fe80::5", 64, 0);
    add_tentative(w, "fe80::ff:fe00:1", 64, 0);
    uint8_t other[16];
    addr_of("fe80::5", other);
    slt_dad_conflict(&w->dad, &w->iface, other);
    assert_false(w->iface.down6);
    slt_dad_conflict(&w->dad, &w->iface, addr);
    assert_true(w->iface.down6);
    assert_int_equal(w->iface.own_count, 0);
}

/* R4861-07. */
static void test_solicitations(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    slt_ra_start(&w->ra, 0);
    int64_t first_ns = slt_ra_next_deadline(&w->ra, &w->iface);
    assert_in_range(first_ns, 0, S);
    for (int64_t i = 0; i < 3; i++) {
        assert_false(slt_ra_next_due(&w->ra, first_ns + i * 4 * S - 1));
        assert_true(slt_ra_next_due(&w->ra, first_ns + i * 4 * S));
    }
    assert_false(slt_ra_next_due(&w->ra, 1000 * S));
    for (uint32_t round = 0; round < 2; round++) {
        uint8_t frame[128];
        struct slt_writer out = slt_writer_of(frame, sizeof(frame));
        struct slt_ipv6 ip;
        struct slt_icmp6 icmp;
        struct slt_ndp ndp;
        uint32_t bytes = slt_ra_emit_solicitation(&w->iface, &out);
        assert_int_equal(bytes, 14 + 40 + 8 + 8 * round);
        assert_int_equal(slt_ipv6_parse((struct slt_span){frame + 14, bytes - 14}, &ip), SLT_PASS);
        assert_int_equal(
            slt_icmp6_parse((struct slt_span){ip.payload, ip.payload_bytes}, ip.src, ip.dst, &icmp),
            SLT_PASS);
        assert_int_equal(slt_ndp_parse(&icmp, &ip, &ndp), SLT_PASS);
        addr_of("fe80::1", addr);
        (void)slt_ip_iface_add(&w->iface, addr, 64, SLT_IP_OWN_PREFERRED);
    }
}

static struct slt_ndp advert(uint16_t lifetime_s)
{
    return (struct slt_ndp){.type = SLT_ICMP6_ROUTER_ADVERT,
                            .present = SLT_NDP_SOURCE_MAC,
                            .source_mac = {2, 0, 0, 0, 0, 9},
                            .lifetime_s = lifetime_s};
}

static void add_prefix(struct slt_ndp *ndp, const char *text, uint32_t valid_s,
                       uint32_t preferred_s)
{
    struct slt_ndp_prefix *p = &ndp->prefixes[ndp->prefix_count++];
    *p = (struct slt_ndp_prefix){.length = 64,
                                 .on_link = true,
                                 .autonomous = true,
                                 .valid_s = valid_s,
                                 .preferred_s = preferred_s};
    addr_of(text, p->prefix);
}

static enum slt_reason input(struct world *w, const struct slt_ndp *ndp, const char *src,
                             int64_t now_ns)
{
    static const uint8_t station[6] = {2, 0, 0, 0, 0, 9};
    struct slt_ip_packet packet = {.family = 6, .ttl = 255};
    const struct slt_neigh_nd in = {
        .ndp = ndp, .packet = &packet, .link_src = station, .now_ns = now_ns};
    const struct slt_ra_targets to = {.iface = &w->iface, .neigh = &w->neigh, .dad = &w->dad};
    addr_of(src, packet.src);
    return slt_ra_input(&w->ra, &to, &in);
}

static enum slt_ip_hop_kind hop_to(struct world *w, const char *text)
{
    struct slt_ip_hop hop;
    uint8_t addr[16];
    addr_of(text, addr);
    slt_ip_next_hop(&w->iface, addr, &hop);
    return (enum slt_ip_hop_kind)hop.kind;
}

/* R4861-06. */
static void test_router_and_parameters(void **state)
{
    struct world *w = *state;
    uint8_t router[16];
    uint8_t gone[16];
    struct slt_ndp ndp = advert(1800);
    addr_of("fe80::9", router);
    ndp.hop_limit = 33;
    ndp.reachable_ms = 10000;
    ndp.mtu = 1400;
    ndp.present |= SLT_NDP_MTU;
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
    assert_int_equal(w->iface.hop_limit, 33);
    assert_int_equal(w->iface.ttl, 64);
    assert_int_equal(w->iface.mtu6, 1400);
    assert_int_equal(w->neigh.reachable_base_ns, 10 * S);
    assert_true(slt_neigh_peek(&w->neigh, router)->router);
    assert_int_equal(hop_to(w, "2600::1"), SLT_IP_HOP_GATEWAY);
    ndp.hop_limit = 0;
    ndp.mtu = 1279;
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
    ndp.mtu = 9000;
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
    assert_int_equal(w->iface.hop_limit, 33);
    assert_int_equal(w->iface.mtu6, 1400);
    assert_false(slt_ra_expire(&w->iface, 1800 * S - 1, gone));
    assert_int_equal(hop_to(w, "2600::1"), SLT_IP_HOP_GATEWAY);
    assert_false(slt_ra_expire(&w->iface, 1800 * S, gone));
    assert_int_equal(hop_to(w, "2600::1"), SLT_IP_HOP_NONE);
    assert_int_equal(input(w, &ndp, "fe80::9", 1800 * S), SLT_PASS);
    ndp.lifetime_s = 0;
    assert_int_equal(input(w, &ndp, "fe80::9", 1800 * S), SLT_PASS);
    assert_int_equal(hop_to(w, "2600::1"), SLT_IP_HOP_NONE);
    ndp.lifetime_s = 1800;
    assert_int_equal(input(w, &ndp, "fe80::9", 1800 * S), SLT_PASS);
    slt_ra_drop_router(&w->iface, router);
    assert_int_equal(hop_to(w, "2600::1"), SLT_IP_HOP_NONE);
    ndp.source_mac[0] = 3;
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_DROP_ND_INVALID);
}

static struct slt_ip_own *made(struct world *w)
{
    for (uint32_t i = 0; i < w->iface.own_count; i++) {
        if (w->iface.own[i].from_ra) {
            return &w->iface.own[i];
        }
    }
    return NULL;
}

/* Duplicate-address detection of the one address under test asks once, and nobody objects. */
static void finish_test(struct world *w)
{
    struct slt_dad_step step;
    assert_true(slt_dad_next(&w->dad, &w->iface, S, &step));
    assert_true(slt_dad_next(&w->dad, &w->iface, 3 * S, &step));
}

/* R4862-03, R4862-04: made, tested, deprecated, gone. */
static void test_slaac(void **state)
{
    struct world *w = *state;
    uint8_t gone[16];
    struct slt_ndp ndp = advert(1800);
    add_prefix(&ndp, "2001:db8:5::", 10000, 9000);
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
    assert_int_equal(w->iface.own_count, 1);
    assert_int_equal(made(w)->state, SLT_IP_OWN_TENTATIVE);
    assert_int_equal(hop_to(w, "2001:db8:5::77"), SLT_IP_HOP_ON_LINK);
    finish_test(w);
    assert_int_equal(made(w)->state, SLT_IP_OWN_PREFERRED);
    assert_int_equal(slt_ra_next_deadline(&w->ra, &w->iface), 1800 * S);
    assert_false(slt_ra_expire(&w->iface, 9000 * S, gone));
    assert_int_equal(made(w)->state, SLT_IP_OWN_DEPRECATED);
    assert_true(slt_ra_expire(&w->iface, 10000 * S, gone));
    assert_false(slt_ra_expire(&w->iface, 10000 * S, gone));
    assert_int_equal(w->iface.own_count, 0);
    assert_int_equal(w->iface.route_count, 0);
    assert_int_equal(slt_ra_next_deadline(&w->ra, &w->iface), SLT_NEVER);
}

/* An address that is deprecated or preferred again answers otherwise than before. */
static void test_lifetimes_change_the_version(void **state)
{
    struct world *w = *state;
    uint8_t gone[16];
    struct slt_ndp ndp = advert(1800);
    add_prefix(&ndp, "2001:db8:5::", 10000, 9000);
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
    finish_test(w);
    assert_false(slt_ra_expire(&w->iface, 8999 * S, gone)); /* the router's route goes */
    uint64_t version = w->iface.version;
    assert_false(slt_ra_expire(&w->iface, 9000 * S, gone));
    assert_int_equal(made(w)->state, SLT_IP_OWN_DEPRECATED);
    assert_true(w->iface.version > version);
    ndp.lifetime_s = 0; /* routes stay as they are */
    version = w->iface.version;
    assert_int_equal(input(w, &ndp, "fe80::9", 9000 * S), SLT_PASS);
    assert_int_equal(made(w)->state, SLT_IP_OWN_PREFERRED);
    assert_true(w->iface.version > version);
}

/* R4862-03: the two-hour rule, row by row: seconds that remain, seconds received, result. */
static void test_two_hours(void **state)
{
    static const uint32_t rows[][3] = {
        {100000, 50000, 50000}, {100000, 7201, 7201}, {100000, 7200, 7200}, {100000, 60, 7200},
        {100000, 0, 7200},      {7200, 60, 7200},     {600, 60, 600},       {600, 700, 700},
        {600, 90000, 90000},    {600, 0, 600},
    };
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        struct world *w = *state;
        struct slt_ndp ndp = advert(0);
        add_prefix(&ndp, "2001:db8:5::", rows[i][0], 0);
        assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
        ndp.prefixes[0].valid_s = rows[i][1];
        assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
        assert_int_equal(made(w)->valid_until_ns, rows[i][2] * S);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void test_prefixes_refused(void **state)
{
    struct world *w = *state;
    struct slt_ndp ndp = advert(0);
    add_prefix(&ndp, "fe80::", 1000, 1000);
    add_prefix(&ndp, "ff02::", 1000, 1000);
    add_prefix(&ndp, "2001:db8:1::", 1000, 1001); /* preferred > valid */
    ndp.prefixes[2].on_link = false;
    add_prefix(&ndp, "2001:db8:2::", 1000, 1000);
    ndp.prefixes[3].length = 63;
    ndp.prefixes[3].on_link = false;
    add_prefix(&ndp, "2001:db8:3::", 0, 0);
    add_prefix(&ndp, "::ffff:0:0", 1000, 1000);
    assert_int_equal(input(w, &ndp, "fe80::9", 0), SLT_PASS);
    assert_int_equal(w->iface.own_count, 0);
    assert_int_equal(w->iface.route_count, 0);
}

/* A flood of advertisements fills its share and nothing else; what is configured stays. */
static void test_flood(void **state)
{
    struct world *w = *state;
    uint8_t any[16] = {0};
    uint8_t gateway[16];
    uint8_t src[16];
    addr_of("fe80::1", gateway);
    assert_int_equal(slt_ip_route_add(&w->iface, any, 0, gateway, 0), SALUT_OK);
    addr_of("fe80::9", src);
    for (uint32_t i = 0; i < 100000; i++) {
        char text[SLT_IP_ADDR_TEXT_MAX];
        struct slt_ndp ndp = advert(1800);
        add_prefix(&ndp, "2001:db8::", 1000, 1000);
        ndp.prefixes[0].prefix[6] = (uint8_t)(i >> 8);
        ndp.prefixes[0].prefix[7] = (uint8_t)i;
        src[14] = (uint8_t)(i >> 8);
        src[15] = (uint8_t)i;
        (void)slt_ip_addr_print(src, text, sizeof(text));
        assert_int_equal(input(w, &ndp, text, 0), SLT_PASS);
    }
    assert_int_equal(w->iface.own_count, SLT_RA_ADDRESSES_MAX);
    assert_int_equal(w->iface.route_count, 1 + SLT_RA_ROUTERS_MAX + SLT_RA_PREFIXES_MAX);
    struct slt_ip_route *kept = slt_ip_route_find(&w->iface, any, 0, gateway);
    assert_non_null(kept);
    assert_false(kept->from_ra);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dad_v6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dad_v4, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conflicts_v4, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conflict_of_hardware_address, setup, teardown),
        cmocka_unit_test_setup_teardown(test_solicitations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_router_and_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slaac, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lifetimes_change_the_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_hours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prefixes_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
