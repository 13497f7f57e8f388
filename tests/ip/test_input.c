/* Tests of ip/input and ip/output: which packets pass, what the others earn, and that what we
 * write is what we read. R1122-01..06, R1122-12, R6864-01, R8200-01..12, K06, K08. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip/icmp.h"
#include "ip/input.h"
#include "ip/output.h"

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
    uint8_t bytes[2048];
    uint32_t count;
    struct slt_ip_packet packet;
};

static void addr_of(const char *text, uint8_t addr[16])
{
    assert_true(slt_ip_addr_parse(text, addr));
}

static void add(struct world *w, const char *text)
{
    uint8_t addr[16];
    uint8_t bits;
    assert_true(slt_ip_prefix_parse(text, addr, &bits));
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, bits, SLT_IP_OWN_PREFERRED), SALUT_OK);
}

static int setup(void **state)
{
    static struct world w;
    const struct salut_config config = {
        .addresses_max = 4, .mtu = 1500, .ttl = 64, .link_kind = SALUT_LINK_IP};
    memset(&w, 0, sizeof(w));
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &config));
    add(&w, "10.0.0.1/24");
    add(&w, "2001:db8::1/64");
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    slt_ip_iface_deinit(&w->iface);
    return 0;
}

static void emit(struct world *w, const char *src, const char *dst, uint8_t protocol)
{
    struct slt_ip_send send = {.protocol = protocol, .ecn = 2, .dscp = 10, .payload_bytes = 24};
    struct slt_writer out = slt_writer_of(w->bytes, sizeof(w->bytes));
    addr_of(src, send.src);
    addr_of(dst, send.dst);
    assert_int_equal(slt_ip_emit(&w->iface, &send, &out), slt_ip_header_bytes(&w->iface, &send));
    memset(slt_write_room(&out, 24), 0x80, 24);
    w->count = out.at;
}

static enum slt_reason parse(struct world *w, uint8_t way)
{
    uint8_t *exact = malloc(w->count);
    memcpy(exact, w->bytes, w->count);
    enum slt_reason reason =
        slt_ip_parse(&w->iface, (struct slt_span){exact, w->count}, way, &w->packet);
    free(exact);
    return reason;
}

static enum slt_reason send(struct world *w, const char *src, const char *dst, uint8_t way)
{
    emit(w, src, dst, SLT_IP_PROTOCOL_TCP);
    return parse(w, way);
}

static void test_round_trip(void **state)
{
    struct world *w = *state;
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", 0), SLT_PASS);
    assert_int_equal(w->packet.family, 4);
    assert_int_equal(w->packet.protocol, SLT_IP_PROTOCOL_TCP);
    assert_int_equal(w->packet.ttl, 64);
    assert_int_equal(w->packet.ecn, 2);
    assert_int_equal(w->packet.dscp, 10);
    assert_int_equal(w->packet.header_bytes, 20);
    assert_int_equal(w->packet.payload.bytes, 24);
    assert_int_equal(w->packet.target, SLT_IP_TARGET_OURS);
    assert_true(w->packet.dont_fragment); /* R6864-01: atomic, and the id says nothing */
    assert_int_equal(w->packet.id, 0);
    assert_false(w->packet.error.due);
    assert_int_equal(send(w, "2001:db8::2", "2001:db8::1", 0), SLT_PASS);
    assert_int_equal(w->packet.family, 6);
    assert_int_equal(w->packet.header_bytes, 40);
    assert_int_equal(w->packet.ttl, 64);
}

/* R1122-03, R1122-04, R1122-12: addresses and the way by which they came. */
static void test_addresses(void **state)
{
    static const struct {
        const char *src;
        const char *dst;
        uint8_t way;
        enum slt_reason reason;
    } rows[] = {
        {"10.0.0.2", "10.0.0.9", 0, SLT_DROP_IP_NOT_OURS},
        {"10.0.0.2", "10.0.0.9", SLT_IP_WAY_TRANSPARENT, SLT_PASS},
        {"10.0.0.2", "224.0.0.9", SLT_IP_WAY_TRANSPARENT, SLT_DROP_IP_NOT_OURS},
        {"10.0.0.2", "127.0.0.1", SLT_IP_WAY_TRANSPARENT, SLT_DROP_IP_NOT_OURS},
        {"10.0.0.2", "0.0.0.0", SLT_IP_WAY_TRANSPARENT, SLT_DROP_IP_NOT_OURS},
        {"10.0.0.2", "10.0.0.255", 0, SLT_PASS},
        {"10.0.0.2", "255.255.255.255", SLT_IP_WAY_LINK_GROUP, SLT_PASS},
        {"10.0.0.2", "224.0.0.1", SLT_IP_WAY_LINK_GROUP, SLT_PASS},
        {"10.0.0.2", "10.0.0.1", SLT_IP_WAY_LINK_GROUP, SLT_DROP_IP_LINK_BROADCAST},
        {"10.0.0.1", "10.0.0.1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"10.0.0.1", "10.0.0.1", SLT_IP_WAY_LOOPBACK, SLT_PASS},
        {"127.0.0.1", "10.0.0.1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"127.0.0.1", "127.0.0.1", SLT_IP_WAY_LOOPBACK, SLT_PASS},
        {"10.0.0.255", "10.0.0.1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"224.0.0.1", "10.0.0.1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"255.255.255.255", "10.0.0.1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"0.0.0.0", "10.0.0.1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"2001:db8::2", "2001:db8::9", 0, SLT_DROP_IP_NOT_OURS},
        {"2001:db8::2", "2001:db8::9", SLT_IP_WAY_TRANSPARENT, SLT_PASS},
        {"2001:db8::2", "ff02::1", 0, SLT_PASS},
        {"2001:db8::2", "ff02::9", 0, SLT_DROP_IP_NOT_OURS},
        {"2001:db8::2", "ff01::1", 0, SLT_DROP_IP_NOT_OURS},
        {"2001:db8::2", "ff01::1", SLT_IP_WAY_LOOPBACK, SLT_PASS},
        {"2001:db8::2", "ff02::1:ff00:1", 0, SLT_PASS},
        {"2001:db8::2", "2001:db8::1", SLT_IP_WAY_LINK_GROUP, SLT_DROP_IP_LINK_BROADCAST},
        {"ff02::1", "2001:db8::1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"::1", "2001:db8::1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"::1", "::1", SLT_IP_WAY_LOOPBACK, SLT_PASS},
        {"::", "2001:db8::1", 0, SLT_DROP_IP_BAD_SOURCE},
        {"2001:db8::1", "2001:db8::1", 0, SLT_DROP_IP_BAD_SOURCE},
    };
    struct world *w = *state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        assert_int_equal(send(w, rows[i].src, rows[i].dst, rows[i].way), rows[i].reason);
        assert_false(w->packet.error.due);
        assert_int_equal(w->packet.foreign,
                         rows[i].way == SLT_IP_WAY_TRANSPARENT && rows[i].reason == SLT_PASS);
    }
}

/* Mapped addresses in IPv6 headers would pass for IPv4 inside. */
static void test_mapped_on_wire(void **state)
{
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1};
    struct world *w = *state;
    emit(w, "2001:db8::2", "2001:db8::1", SLT_IP_PROTOCOL_TCP);
    memcpy(w->bytes + 8, mapped, 16);
    assert_int_equal(parse(w, 0), SLT_DROP_IP_BAD_SOURCE);
    emit(w, "2001:db8::2", "2001:db8::1", SLT_IP_PROTOCOL_TCP);
    memcpy(w->bytes + 24, mapped, 16);
    assert_int_equal(parse(w, 0), SLT_DROP_IP_NOT_OURS);
    assert_int_equal(parse(w, SLT_IP_WAY_TRANSPARENT), SLT_DROP_IP_NOT_OURS);
}

/* R4862-02: IPv6 is off on an interface whose own address is a duplicate. */
static void test_down6(void **state)
{
    struct world *w = *state;
    w->iface.down6 = true;
    assert_int_equal(send(w, "2001:db8::2", "2001:db8::1", 0), SLT_DROP_IP_NOT_OURS);
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", 0), SLT_PASS);
}

/* R1122-01: every version; R1122-02: every cut. */
static void test_versions_and_cuts(void **state)
{
    static const char *const pairs[2][2] = {{"10.0.0.2", "10.0.0.1"},
                                            {"2001:db8::2", "2001:db8::1"}};
    struct world *w = *state;
    for (uint32_t p = 0; p < 2; p++) {
        emit(w, pairs[p][0], pairs[p][1], SLT_IP_PROTOCOL_TCP);
        uint32_t full = w->count;
        for (w->count = 0; w->count < full; w->count++) {
            assert_int_not_equal(parse(w, 0), SLT_PASS);
        }
        uint8_t first = w->bytes[0];
        for (uint32_t version = 0; version < 16; version++) {
            w->bytes[0] = (uint8_t)((first & 0x0fU) | version << 4);
            bool right = version == first >> 4;
            assert_true(right == (parse(w, 0) == SLT_PASS));
        }
        w->bytes[0] = first;
        w->count = full + 6; /* link padding */
        assert_int_equal(parse(w, 0), SLT_PASS);
        assert_int_equal(w->packet.payload.bytes, 24);
        assert_int_equal(w->packet.packet.bytes, full);
    }
}

/* K08, R8200-01: 256 protocols of both families, and what each earns. */
static void test_protocols(void **state)
{
    struct world *w = *state;
    for (uint32_t protocol = 0; protocol < 256; protocol++) {
        emit(w, "10.0.0.2", "10.0.0.1", (uint8_t)protocol);
        bool v4 = protocol == 1 || protocol == 6 || protocol == 17;
        assert_int_equal(parse(w, 0), v4 ? SLT_PASS : SLT_DROP_IP_PROTOCOL);
        assert_int_equal(w->packet.error.due, !v4);
        if (!v4) {
            assert_int_equal(w->packet.error.type, SLT_ICMP4_UNREACHABLE);
            assert_int_equal(w->packet.error.code, SLT_ICMP4_UNREACHABLE_PROTOCOL);
        }
        emit(w, "2001:db8::2", "2001:db8::1", (uint8_t)protocol);
        bool v6 = protocol == 58 || protocol == 6 || protocol == 17;
        bool chain =
            protocol == 0 || protocol == 43 || protocol == 44 || protocol == 59 || protocol == 60;
        enum slt_reason reason = parse(w, 0);
        assert_true(chain || v6 == (reason == SLT_PASS));
        if (!v6 && !chain) {
            assert_int_equal(reason, SLT_DROP_IP_PROTOCOL);
            assert_int_equal(w->packet.error.type, SLT_ICMP6_PARAMETER_PROBLEM);
            assert_int_equal(w->packet.error.code, 1);
            assert_int_equal(w->packet.error.param, 6);
        }
    }
    /* Nothing is said about packets for others. */
    emit(w, "10.0.0.2", "10.0.0.9", 99);
    assert_int_equal(parse(w, SLT_IP_WAY_TRANSPARENT), SLT_DROP_IP_PROTOCOL);
    assert_false(w->packet.error.due);
}

/* R1122-06. */
static void test_source_route(void **state)
{
    static const uint8_t options[4] = {131, 3, 4, 0};
    struct world *w = *state;
    struct slt_ipv4 ip = {.ttl = 1, .protocol = 6, .options_bytes = 4, .payload_bytes = 20};
    struct slt_writer out = slt_writer_of(w->bytes, sizeof(w->bytes));
    addr_of("10.0.0.2", ip.src);
    addr_of("10.0.0.1", ip.dst);
    ip.options = options;
    (void)slt_ipv4_emit(&ip, &out);
    w->count = out.at + 20;
    assert_int_equal(parse(w, 0), SLT_DROP_IP_SOURCE_ROUTE);
    static const uint8_t unknown[4] = {0x94, 4, 0, 0};
    ip.options = unknown;
    out = slt_writer_of(w->bytes, sizeof(w->bytes));
    (void)slt_ipv4_emit(&ip, &out);
    assert_int_equal(parse(w, 0), SLT_PASS); /* and a TTL of 1 is fine (R1122-05) */
    assert_int_equal(w->packet.header_bytes, 24);
}

/* RFC 6980: neighbour discovery behind a fragment header is ignored, an echo is not. */
static void test_fragmented_discovery(void **state)
{
    struct world *w = *state;
    for (uint32_t type = 128; type < 140; type++) {
        struct slt_ip_send atomic = {
            .protocol = SLT_IP_PROTOCOL_ICMP6, .payload_bytes = 8, .fragment = true};
        struct slt_writer out = slt_writer_of(w->bytes, sizeof(w->bytes));
        addr_of("2001:db8::2", atomic.src);
        addr_of("2001:db8::1", atomic.dst);
        assert_int_equal(slt_ip_emit(&w->iface, &atomic, &out), 48);
        slt_write_u8(&out, (uint8_t)type);
        w->count = out.at + 7;
        bool nd = type >= 133 && type <= 137;
        assert_int_equal(parse(w, 0), nd ? SLT_DROP_ND_INVALID : SLT_PASS);
        assert_false(w->packet.fragment);
    }
}

/* R4861-03: only a question about an address may come from nobody. */
static void test_unspecified_source(void **state)
{
    struct world *w = *state;
    emit(w, "::", "ff02::1:ff00:1", SLT_IP_PROTOCOL_ICMP6);
    assert_int_equal(parse(w, 0), SLT_PASS);
    emit(w, "::", "ff02::1:ff00:1", SLT_IP_PROTOCOL_UDP);
    assert_int_equal(parse(w, 0), SLT_DROP_IP_BAD_SOURCE);
}

/* Cutting: every piece fits, all but the last are multiples of eight, and none is lost. */
static void test_cut(void **state)
{
    struct world *w = *state;
    for (uint32_t total = 0; total < 9000; total += 37) {
        for (uint32_t mtu = 68; mtu < 1600; mtu += 91) {
            struct slt_ip_send piece = {.protocol = SLT_IP_PROTOCOL_UDP};
            uint32_t done = 0;
            addr_of(mtu < 1280 ? "10.0.0.1" : "2001:db8::1", piece.src);
            addr_of(mtu < 1280 ? "10.0.0.2" : "2001:db8::2", piece.dst);
            do {
                piece.offset = done;
                slt_ip_cut(&piece, total, mtu);
                uint32_t header = slt_ip_header_bytes(&w->iface, &piece);
                assert_true(header + piece.payload_bytes <= mtu);
                assert_true(!piece.more || piece.payload_bytes % 8 == 0);
                assert_true(piece.fragment || piece.payload_bytes == total);
                done += piece.payload_bytes;
            } while (piece.more);
            assert_int_equal(done, total);
        }
    }
}

/* The piece that is written is the piece that is read. */
static void test_fragment_round_trip(void **state)
{
    static const char *const pairs[2][2] = {{"10.0.0.2", "10.0.0.1"},
                                            {"2001:db8::2", "2001:db8::1"}};
    struct world *w = *state;
    for (uint32_t p = 0; p < 2; p++) {
        struct slt_ip_send piece = {.protocol = SLT_IP_PROTOCOL_UDP,
                                    .payload_bytes = 16,
                                    .fragment = true,
                                    .more = true,
                                    .offset = 1480,
                                    .id = 0xbeef};
        struct slt_writer out = slt_writer_of(w->bytes, sizeof(w->bytes));
        addr_of(pairs[p][0], piece.src);
        addr_of(pairs[p][1], piece.dst);
        w->count = slt_ip_emit(&w->iface, &piece, &out) + 16;
        assert_int_equal(parse(w, 0), SLT_PASS);
        assert_true(w->packet.fragment && w->packet.more);
        assert_int_equal(w->packet.offset, 1480);
        assert_int_equal(w->packet.id, 0xbeef);
        assert_int_equal(w->packet.protocol, SLT_IP_PROTOCOL_UDP);
        struct slt_writer small = slt_writer_of(w->bytes, 19);
        assert_int_equal(slt_ip_emit(&w->iface, &piece, &small), 0);
    }
}

/* What was found of a pair of addresses must not outlive the addresses it was found with. */
static void test_judgement_forgotten(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", 0), SLT_PASS);
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", 0), SLT_PASS);
    assert_int_equal(w->packet.target, SLT_IP_TARGET_OURS);
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", SLT_IP_WAY_LINK_GROUP),
                     SLT_DROP_IP_LINK_BROADCAST);
    add(w, "10.0.0.2/24");
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", 0), SLT_DROP_IP_BAD_SOURCE);
    addr_of("10.0.0.2", addr);
    assert_int_equal(slt_ip_iface_remove(&w->iface, addr), SALUT_OK);
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", 0), SLT_PASS);
    addr_of("10.0.0.1", addr);
    assert_int_equal(slt_ip_iface_remove(&w->iface, addr), SALUT_OK);
    assert_int_equal(send(w, "10.0.0.2", "10.0.0.1", 0), SLT_DROP_IP_NOT_OURS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mapped_on_wire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_down6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_and_cuts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_protocols, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source_route, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fragmented_discovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unspecified_source, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fragment_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_judgement_forgotten, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
