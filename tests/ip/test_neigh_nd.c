/* Tests of ip/neigh_nd: solicitations and advertisements against RFC 4861 7.2.
 * R4861-01..04, R4862-01, R4862-02, K10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip/neigh_nd.h"
#include "wire/ethernet.h"

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
    struct slt_neigh_nd_result out;
};

static const uint8_t link_src[6] = {2, 0, 0, 0, 0, 0x77};
static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static void addr_of(const char *text, uint8_t addr[16])
{
    assert_true(slt_ip_addr_parse(text, addr));
}

static int setup(void **state)
{
    static struct world w;
    const struct salut_config config = {
        .addresses_max = 4, .routes_max = 4, .mtu = 1500, .ttl = 64, .mac = {2, 0, 0, 0, 0, 1}};
    const struct slt_neigh_setup table = {.entries_max = 8, .key = {1, 2}, .seed = 9};
    uint8_t addr[16];
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &config));
    addr_of("fe80::1", addr);
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 64, SLT_IP_OWN_PREFERRED), SALUT_OK);
    addr_of("fe80::2", addr);
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 64, SLT_IP_OWN_TENTATIVE), SALUT_OK);
    assert_true(slt_neigh_init(&w.neigh, &w.mem, &table));
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    assert_true(slt_neigh_check(&w->neigh));
    slt_neigh_deinit(&w->neigh);
    slt_ip_iface_deinit(&w->iface);
    return 0;
}

static enum slt_reason input(struct world *w, const struct slt_ndp *ndp, const char *src)
{
    struct slt_ip_packet packet = {.family = 6, .ttl = 255};
    const struct slt_neigh_nd in = {
        .ndp = ndp, .packet = &packet, .link_src = link_src, .now_ns = 0};
    addr_of(src, packet.src);
    return slt_neigh_input_nd(&w->neigh, &w->iface, &in, &w->out);
}

static struct slt_ndp solicitation(const char *target, const uint8_t *mac)
{
    struct slt_ndp ndp = {.type = SLT_ICMP6_NEIGHBOUR_SOLICIT};
    addr_of(target, ndp.target);
    if (mac != NULL) {
        ndp.present = SLT_NDP_SOURCE_MAC;
        memcpy(ndp.source_mac, mac, 6);
    }
    return ndp;
}

static const struct slt_neigh_entry *entry(struct world *w, const char *text)
{
    uint8_t addr[16];
    addr_of(text, addr);
    return slt_neigh_peek(&w->neigh, addr);
}

/* R4861-03: answered to the asker, S and O set, and the asker learned as STALE. */
static void test_solicitation(void **state)
{
    struct world *w = *state;
    struct slt_ndp ndp = solicitation("fe80::1", mac_a);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_PASS);
    assert_int_equal(w->out.reply.kind, SLT_NEIGH_REPLY_NA);
    assert_true(w->out.reply.solicited);
    assert_true(w->out.reply.overrides);
    assert_memory_equal(w->out.reply.dst_mac, mac_a, 6);
    assert_int_equal(entry(w, "fe80::9")->state, SLT_NEIGH_STALE);

    uint8_t frame[128];
    struct slt_writer out = slt_writer_of(frame, sizeof(frame));
    struct slt_ipv6 ip;
    struct slt_icmp6 icmp;
    struct slt_ndp sent;
    uint32_t bytes = slt_neigh_emit_advertisement(&w->iface, &w->out.reply, &out);
    assert_int_equal(bytes, 14 + 40 + 32);
    assert_int_equal(slt_ipv6_parse((struct slt_span){frame + 14, bytes - 14}, &ip), SLT_PASS);
    assert_int_equal(
        slt_icmp6_parse((struct slt_span){ip.payload, ip.payload_bytes}, ip.src, ip.dst, &icmp),
        SLT_PASS);
    assert_int_equal(slt_ndp_parse(&icmp, &ip, &sent), SLT_PASS);
    assert_true(sent.solicited && sent.override && !sent.router);
    assert_memory_equal(sent.target_mac, w->iface.mac, 6);
    assert_memory_equal(frame, mac_a, 6);
}

/* R4861-03: a question without a source address is answered to all nodes, S = 0. */
static void test_solicitation_from_nobody(void **state)
{
    struct world *w = *state;
    uint8_t all[16];
    struct slt_ndp ndp = solicitation("fe80::1", NULL);
    addr_of("ff02::1", all);
    assert_int_equal(input(w, &ndp, "::"), SLT_PASS);
    assert_false(w->out.reply.solicited);
    assert_memory_equal(w->out.reply.dst, all, 16);
    assert_int_equal(w->out.reply.dst_mac[0], 0x33);
    assert_int_equal(w->neigh.pool.used_objects, 0);
}

/* A unicast question need not carry the link address: the frame has it. */
static void test_solicitation_without_option(void **state)
{
    struct world *w = *state;
    struct slt_ndp ndp = solicitation("fe80::1", NULL);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_PASS);
    assert_memory_equal(w->out.reply.dst_mac, link_src, 6);
    assert_int_equal(w->neigh.pool.used_objects, 0);
}

/* R4862-01, R4862-02: a tentative address neither answers nor is shared. */
static void test_tentative(void **state)
{
    struct world *w = *state;
    struct slt_ndp ndp = solicitation("fe80::2", mac_a);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_DROP_ND_NOT_FOR_US);
    assert_false(w->out.duplicate);
    assert_int_equal(w->out.reply.kind, SLT_NEIGH_REPLY_NONE);
    ndp = solicitation("fe80::2", NULL);
    assert_int_equal(input(w, &ndp, "::"), SLT_DROP_ND_NOT_FOR_US);
    assert_true(w->out.duplicate);
    ndp = (struct slt_ndp){.type = SLT_ICMP6_NEIGHBOUR_ADVERT};
    addr_of("fe80::2", ndp.target);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_NOTE_ARP_CONFLICT);
    assert_true(w->out.duplicate);
    addr_of("fe80::1", ndp.target);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_NOTE_ARP_CONFLICT);
    assert_false(w->out.duplicate);
}

static void test_group_macs(void **state)
{
    static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
    struct world *w = *state;
    struct slt_ndp ndp = solicitation("fe80::1", group);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_DROP_ND_INVALID);
    ndp = (struct slt_ndp){.type = SLT_ICMP6_NEIGHBOUR_ADVERT, .present = SLT_NDP_TARGET_MAC};
    memcpy(ndp.target_mac, group, 6);
    addr_of("fe80::9", ndp.target);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_DROP_ND_INVALID);
}

/* R4861-02: the question's frame. */
static void test_question(void **state)
{
    struct world *w = *state;
    struct slt_neigh_found found;
    struct slt_neigh_solicit ask;
    uint8_t target[16];
    uint8_t frame[128];
    struct slt_writer out = slt_writer_of(frame, sizeof(frame));
    struct slt_ipv6 ip;
    struct slt_icmp6 icmp;
    struct slt_ndp sent;
    addr_of("fe80::12:3456", target);
    slt_neigh_resolve(&w->neigh, target, 0, &found);
    assert_true(slt_neigh_next_due(&w->neigh, &w->iface, 0, &ask));
    uint32_t bytes = slt_neigh_emit_solicitation(&w->iface, &ask, &out);
    assert_int_equal(slt_ipv6_parse((struct slt_span){frame + 14, bytes - 14}, &ip), SLT_PASS);
    assert_int_equal(ip.hop_limit, 255);
    assert_int_equal(
        slt_icmp6_parse((struct slt_span){ip.payload, ip.payload_bytes}, ip.src, ip.dst, &icmp),
        SLT_PASS);
    assert_int_equal(slt_ndp_parse(&icmp, &ip, &sent), SLT_PASS);
    assert_memory_equal(sent.target, target, 16);
    assert_int_equal(sent.present, SLT_NDP_SOURCE_MAC);
    static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0x12, 0x34, 0x56};
    assert_memory_equal(frame, group_mac, 6);
    /* A probe for an address under test comes from nobody (R4862-01). */
    ask.probe = true;
    out = slt_writer_of(frame, sizeof(frame));
    bytes = slt_neigh_emit_solicitation(&w->iface, &ask, &out);
    assert_int_equal(bytes, 14 + 40 + 24);
    assert_int_equal(slt_ipv6_parse((struct slt_span){frame + 14, bytes - 14}, &ip), SLT_PASS);
    assert_true(slt_address_is_unspecified(ip.src));
}

struct advert {
    enum slt_neigh_state from;
    bool solicited;
    bool overrides;
    int mac; /* 0: none, 1: the known one, 2: another */
    enum slt_neigh_state to;
    int mac_after; /* 1 or 2 */
};

/* R4861-04: RFC 4861 7.2.5 and its appendix C, row by row. */
static void test_advertisements(void **state)
{
    static const struct advert rows[] = {
        {SLT_NEIGH_INCOMPLETE, true, false, 0, SLT_NEIGH_INCOMPLETE, 0},
        {SLT_NEIGH_INCOMPLETE, true, true, 1, SLT_NEIGH_REACHABLE, 1},
        {SLT_NEIGH_INCOMPLETE, true, false, 1, SLT_NEIGH_REACHABLE, 1},
        {SLT_NEIGH_INCOMPLETE, false, true, 1, SLT_NEIGH_STALE, 1},
        {SLT_NEIGH_INCOMPLETE, false, false, 1, SLT_NEIGH_STALE, 1},
        {SLT_NEIGH_REACHABLE, true, false, 1, SLT_NEIGH_REACHABLE, 1},
        {SLT_NEIGH_REACHABLE, true, false, 0, SLT_NEIGH_REACHABLE, 1},
        {SLT_NEIGH_REACHABLE, true, false, 2, SLT_NEIGH_STALE, 1},
        {SLT_NEIGH_REACHABLE, false, false, 2, SLT_NEIGH_STALE, 1},
        {SLT_NEIGH_REACHABLE, true, true, 2, SLT_NEIGH_REACHABLE, 2},
        {SLT_NEIGH_REACHABLE, false, true, 2, SLT_NEIGH_STALE, 2},
        {SLT_NEIGH_REACHABLE, false, true, 1, SLT_NEIGH_REACHABLE, 1},
        {SLT_NEIGH_REACHABLE, false, false, 1, SLT_NEIGH_REACHABLE, 1},
        {SLT_NEIGH_STALE, true, false, 1, SLT_NEIGH_REACHABLE, 1},
        {SLT_NEIGH_STALE, true, false, 2, SLT_NEIGH_STALE, 1},
        {SLT_NEIGH_STALE, true, true, 2, SLT_NEIGH_REACHABLE, 2},
        {SLT_NEIGH_STALE, false, true, 2, SLT_NEIGH_STALE, 2},
        {SLT_NEIGH_STALE, false, true, 1, SLT_NEIGH_STALE, 1},
    };
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        struct world *w = *state;
        const struct advert *row = &rows[i];
        struct slt_neigh_found found;
        struct slt_ndp ndp = {.type = SLT_ICMP6_NEIGHBOUR_ADVERT,
                              .solicited = row->solicited,
                              .override = row->overrides};
        addr_of("fe80::9", ndp.target);
        slt_neigh_resolve(&w->neigh, ndp.target, 0, &found);
        if (row->from != SLT_NEIGH_INCOMPLETE) {
            const struct slt_neigh_claim claim = {.mac = mac_a,
                                                  .proves = row->from == SLT_NEIGH_REACHABLE};
            slt_neigh_learn(&w->neigh, found.ref.index, &claim);
        }
        assert_int_equal(entry(w, "fe80::9")->state, row->from);
        if (row->mac != 0) {
            ndp.present = SLT_NDP_TARGET_MAC;
            memcpy(ndp.target_mac, row->mac == 1 ? mac_a : mac_b, 6);
        }
        (void)input(w, &ndp, "fe80::9");
        assert_int_equal(entry(w, "fe80::9")->state, row->to);
        if (row->mac_after != 0) {
            assert_memory_equal(entry(w, "fe80::9")->mac, row->mac_after == 1 ? mac_a : mac_b, 6);
        }
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

/* R4861-04: a router that is one no more; and no entry from an unasked advertisement. */
static void test_router_flag(void **state)
{
    struct world *w = *state;
    struct slt_neigh_found found;
    struct slt_ndp ndp = {.type = SLT_ICMP6_NEIGHBOUR_ADVERT,
                          .present = SLT_NDP_TARGET_MAC,
                          .solicited = true,
                          .router = true};
    addr_of("fe80::9", ndp.target);
    memcpy(ndp.target_mac, mac_a, 6);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_DROP_ND_NOT_FOR_US);
    assert_null(entry(w, "fe80::9"));
    slt_neigh_resolve(&w->neigh, ndp.target, 0, &found);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_PASS);
    assert_true(entry(w, "fe80::9")->router);
    ndp.router = false;
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_PASS);
    assert_true(w->out.router_gone);
    assert_int_equal(input(w, &ndp, "fe80::9"), SLT_PASS);
    assert_false(w->out.router_gone);
}

/* R4861-01, K10: what did not come from the link is nothing. */
static void test_hop_limits(void **state)
{
    (void)state;
    for (uint32_t hop = 0; hop <= 255; hop++) {
        uint8_t body[20] = {[4] = 0xfe, 0x80, [19] = 1};
        struct slt_icmp6 icmp = {
            .type = SLT_ICMP6_NEIGHBOUR_SOLICIT, .data = body, .data_bytes = sizeof(body)};
        struct slt_ip_packet packet = {.family = 6, .ttl = (uint8_t)hop};
        struct slt_ndp ndp;
        addr_of("fe80::9", packet.src);
        addr_of("fe80::1", packet.dst);
        assert_int_equal(slt_neigh_read_nd(&icmp, &packet, &ndp),
                         hop == 255 ? SLT_PASS : SLT_DROP_ND_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_solicitation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_solicitation_from_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_solicitation_without_option, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tentative, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group_macs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_question, setup, teardown),
        cmocka_unit_test_setup_teardown(test_advertisements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_router_flag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hop_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
