/* Tests of ip/icmp: notices, silence, quotes, echo, the limit.
 * ICMP-01..08, R4443-01..05, R5927-04, R6633-01, R1122-09, R1122-11, J01, J03, J06, J07, J09. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "ip/icmp.h"

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

static void addr_of(const char *text, uint8_t addr[16])
{
    assert_true(slt_ip_addr_parse(text, addr));
}

static int setup(void **state)
{
    static struct world w;
    const struct salut_config config = {
        .addresses_max = 4, .mtu = 1500, .ttl = 64, .link_kind = SALUT_LINK_IP};
    uint8_t addr[16];
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &config));
    addr_of("10.0.0.1", addr);
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 120, SLT_IP_OWN_PREFERRED), SALUT_OK);
    addr_of("2001:db8::1", addr);
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 64, SLT_IP_OWN_PREFERRED), SALUT_OK);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    slt_ip_iface_deinit(&w->iface);
    return 0;
}

/* The packet that an error came in. */
static struct slt_ip_packet envelope(const char *src, const char *dst)
{
    struct slt_ip_packet packet = {.target = SLT_IP_TARGET_OURS, .ttl = 64};
    addr_of(src, packet.src);
    addr_of(dst, packet.dst);
    packet.family = slt_ip_addr_family(packet.src);
    return packet;
}

struct quote {
    uint8_t bytes[128];
    uint32_t count;
};

/* A quoted segment of ours: ports 4000 > 80, sequence number 0x01020304. */
static struct quote quote_of(const char *src, const char *dst, uint8_t protocol, uint32_t offset)
{
    struct quote q;
    struct slt_writer w = slt_writer_of(q.bytes, sizeof(q.bytes));
    uint8_t from[16];
    uint8_t to[16];
    addr_of(src, from);
    addr_of(dst, to);
    if (slt_address_is_v4(from)) {
        struct slt_ipv4 ip = {.ttl = 3,
                              .protocol = protocol,
                              .fragment_offset = (uint16_t)offset,
                              .payload_bytes = 1000};
        memcpy(ip.src, from, 16);
        memcpy(ip.dst, to, 16);
        (void)slt_ipv4_emit(&ip, &w);
    } else {
        struct slt_ipv6 ip = {.hop_limit = 3, .next_header = protocol, .payload_bytes = 1000};
        memcpy(ip.src, from, 16);
        memcpy(ip.dst, to, 16);
        (void)slt_ipv6_emit(&ip, &w);
    }
    slt_write_u16(&w, 4000);
    slt_write_u16(&w, 80);
    slt_write_u32(&w, 0x01020304);
    q.count = w.at;
    return q;
}

/* J01: all types and codes that pass the parser, in words both families share. */
static void test_kinds_v4(void **state)
{
    static const uint8_t kinds[16] = {
        SLT_ICMP_NET_UNREACHABLE,  SLT_ICMP_HOST_UNREACHABLE, SLT_ICMP_PROTOCOL_UNREACHABLE,
        SLT_ICMP_PORT_UNREACHABLE, SLT_ICMP_TOO_BIG,          SLT_ICMP_HOST_UNREACHABLE,
        SLT_ICMP_NET_UNREACHABLE,  SLT_ICMP_HOST_UNREACHABLE, SLT_ICMP_HOST_UNREACHABLE,
        SLT_ICMP_PROHIBITED,       SLT_ICMP_PROHIBITED,       SLT_ICMP_NET_UNREACHABLE,
        SLT_ICMP_HOST_UNREACHABLE, SLT_ICMP_PROHIBITED,       SLT_ICMP_PROHIBITED,
        SLT_ICMP_PROHIBITED};
    struct quote q = quote_of("10.0.0.1", "192.0.2.9", SLT_IP_PROTOCOL_TCP, 0);
    const struct slt_ip_packet packet = envelope("192.0.2.1", "10.0.0.1");
    (void)state;
    for (uint32_t n = 0; n < 65536; n++) {
        const struct slt_icmp4 icmp = {.type = (uint8_t)(n >> 8),
                                       .code = (uint8_t)n,
                                       .mtu = 1400,
                                       .data = q.bytes,
                                       .data_bytes = q.count};
        struct slt_icmp_notice notice;
        enum slt_reason reason = slt_icmp4_notice(&packet, &icmp, &notice);
        switch (icmp.type) {
        case 3:
            assert_int_equal(notice.kind,
                             icmp.code < 16 ? kinds[icmp.code] : SLT_ICMP_NET_UNREACHABLE);
            assert_int_equal(reason, SLT_PASS);
            break;
        case 4: /* R5927-04, R6633-01, J03 */
            assert_int_equal(reason, SLT_DROP_ICMP_QUENCH);
            break;
        case 5: /* J09 */
            assert_int_equal(reason, SLT_DROP_ICMP_REDIRECT);
            break;
        case 11:
            assert_int_equal(notice.kind, SLT_ICMP_TIME_EXCEEDED);
            assert_int_equal(reason, SLT_PASS);
            break;
        case 12:
            assert_int_equal(notice.kind, SLT_ICMP_PARAMETER_PROBLEM);
            assert_int_equal(reason, SLT_PASS);
            break;
        default:
            assert_int_equal(reason, SLT_DROP_ICMP_TYPE);
            break;
        }
    }
}

static void test_notice_fields(void **state)
{
    struct quote q = quote_of("10.0.0.1", "192.0.2.9", SLT_IP_PROTOCOL_TCP, 0);
    const struct slt_ip_packet packet = envelope("192.0.2.1", "10.0.0.1");
    const struct slt_icmp4 icmp = {
        .type = 3, .code = 4, .mtu = 1400, .data = q.bytes, .data_bytes = q.count};
    struct slt_icmp_notice notice;
    (void)state;
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_PASS);
    assert_int_equal(notice.family, 4);
    assert_int_equal(notice.protocol, SLT_IP_PROTOCOL_TCP);
    assert_int_equal(notice.src_port, 4000);
    assert_int_equal(notice.dst_port, 80);
    assert_int_equal(notice.seq, 0x01020304);
    assert_int_equal(notice.mtu, 1400);
    assert_int_equal(notice.quoted_bytes, 1020);
    assert_memory_equal(notice.src, packet.dst, 16);
    assert_memory_equal(notice.from, packet.src, 16);
    q = quote_of("2001:db8::1", "2001:db8:9::9", SLT_IP_PROTOCOL_UDP, 0);
    const struct slt_ip_packet packet6 = envelope("2001:db8:8::8", "2001:db8::1");
    const struct slt_icmp6 icmp6 = {.type = 2, .mtu = 1300, .data = q.bytes, .data_bytes = q.count};
    assert_int_equal(slt_icmp6_notice(&packet6, &icmp6, &notice), SLT_PASS);
    assert_int_equal(notice.kind, SLT_ICMP_TOO_BIG);
    assert_int_equal(notice.family, 6);
    assert_int_equal(notice.mtu, 1300);
    assert_int_equal(notice.src_port, 4000);
    assert_int_equal(notice.seq, 0);
}

static void test_kinds_v6(void **state)
{
    static const uint8_t unreachable[8] = {SLT_ICMP_NET_UNREACHABLE,  SLT_ICMP_PROHIBITED,
                                           SLT_ICMP_HOST_UNREACHABLE, SLT_ICMP_HOST_UNREACHABLE,
                                           SLT_ICMP_PORT_UNREACHABLE, SLT_ICMP_PROHIBITED,
                                           SLT_ICMP_PROHIBITED,       SLT_ICMP_NET_UNREACHABLE};
    struct quote q = quote_of("2001:db8::1", "2001:db8:9::9", SLT_IP_PROTOCOL_TCP, 0);
    const struct slt_ip_packet packet = envelope("2001:db8:8::8", "2001:db8::1");
    (void)state;
    for (uint32_t n = 0; n < 65536; n++) {
        const struct slt_icmp6 icmp = {
            .type = (uint8_t)(n >> 8), .code = (uint8_t)n, .data = q.bytes, .data_bytes = q.count};
        struct slt_icmp_notice notice;
        enum slt_reason reason = slt_icmp6_notice(&packet, &icmp, &notice);
        if (icmp.type == 137) {
            assert_int_equal(reason, SLT_DROP_ICMP_REDIRECT);
        } else if (icmp.type < 1 || icmp.type > 4) {
            assert_int_equal(reason, SLT_DROP_ICMP_TYPE);
        } else {
            assert_int_equal(reason, SLT_PASS);
        }
        if (icmp.type == 1 && icmp.code < 8) {
            assert_int_equal(notice.kind, unreachable[icmp.code]);
        }
        if (icmp.type == 4) {
            assert_int_equal(notice.kind, icmp.code == 1 ? SLT_ICMP_PROTOCOL_UNREACHABLE
                                                         : SLT_ICMP_PARAMETER_PROBLEM);
        }
    }
}

/* J02's first half: the quote must be of a packet that the receiver of the error sent. */
static void test_foreign_quotes(void **state)
{
    struct slt_icmp_notice notice;
    struct slt_ip_packet packet = envelope("192.0.2.1", "10.0.0.1");
    struct slt_icmp4 icmp = {.type = 3, .code = 1};
    struct quote q = quote_of("10.0.0.2", "192.0.2.9", SLT_IP_PROTOCOL_TCP, 0);
    (void)state;
    icmp.data = q.bytes;
    icmp.data_bytes = q.count;
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_DROP_ICMP_NO_MATCH);
    q = quote_of("10.0.0.1", "224.0.0.9", SLT_IP_PROTOCOL_TCP, 0);
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_DROP_ICMP_NO_MATCH);
    q = quote_of("10.0.0.1", "192.0.2.9", SLT_IP_PROTOCOL_ICMP4, 0);
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_DROP_ICMP_NO_MATCH);
    q = quote_of("10.0.0.1", "192.0.2.9", SLT_IP_PROTOCOL_TCP, 8);
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_DROP_ICMP_NO_MATCH);
    q = quote_of("10.0.0.1", "192.0.2.9", SLT_IP_PROTOCOL_TCP, 0);
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_PASS);
    packet.target = SLT_IP_TARGET_BROADCAST;
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_DROP_ICMP_NO_MATCH);
    packet.target = SLT_IP_TARGET_FOREIGN;
    packet.foreign = true;
    assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice), SLT_PASS);
}

/* Every cut of a quote: what is too short is malformed, and nothing is read beyond it. */
static void test_cut_quotes(void **state)
{
    struct quote q = quote_of("10.0.0.1", "192.0.2.9", SLT_IP_PROTOCOL_TCP, 0);
    struct quote q6 = quote_of("2001:db8::1", "2001:db8:9::9", SLT_IP_PROTOCOL_TCP, 0);
    const struct slt_ip_packet packet = envelope("192.0.2.1", "10.0.0.1");
    const struct slt_ip_packet packet6 = envelope("2001:db8:8::8", "2001:db8::1");
    struct slt_icmp_notice notice;
    (void)state;
    for (uint32_t bytes = 0; bytes <= q.count; bytes++) {
        uint8_t *exact = malloc(bytes + 1);
        memcpy(exact + 1, q.bytes, bytes);
        const struct slt_icmp4 icmp = {.type = 11, .data = exact + 1, .data_bytes = bytes};
        assert_int_equal(slt_icmp4_notice(&packet, &icmp, &notice),
                         bytes < q.count ? SLT_DROP_ICMP_MALFORMED : SLT_PASS);
        free(exact);
    }
    for (uint32_t bytes = 0; bytes <= q6.count; bytes++) {
        uint8_t *exact = malloc(bytes + 1);
        memcpy(exact + 1, q6.bytes, bytes);
        const struct slt_icmp6 icmp = {.type = 3, .data = exact + 1, .data_bytes = bytes};
        assert_int_equal(slt_icmp6_notice(&packet6, &icmp, &notice),
                         bytes < q6.count ? SLT_DROP_ICMP_MALFORMED : SLT_PASS);
        free(exact);
    }
}

static uint8_t big[1500];

static struct slt_ip_packet offender(const char *src, const char *dst, uint8_t protocol)
{
    struct slt_ip_packet packet = envelope(src, dst);
    packet.protocol = protocol;
    packet.packet = (struct slt_span){big, sizeof(big)};
    packet.payload = (struct slt_span){big + 40, sizeof(big) - 40};
    return packet;
}

static bool answers(struct world *w, const struct slt_ip_packet *packet, bool even_multicast)
{
    struct slt_icmp_answer answer;
    struct slt_ip_error error = slt_icmp_port_unreachable(packet->family);
    error.even_multicast = even_multicast;
    return slt_icmp_answer(&w->iface, packet, &error, &answer);
}

/* ICMP-03, R4443-02, J06. */
static void test_silence(void **state)
{
    struct world *w = *state;
    struct slt_ip_packet p = offender("10.0.0.2", "10.0.0.1", SLT_IP_PROTOCOL_UDP);
    assert_true(answers(w, &p, false));
    p.offset = 8;
    assert_false(answers(w, &p, false));
    p = offender("10.0.0.2", "10.0.0.255", SLT_IP_PROTOCOL_UDP);
    p.target = SLT_IP_TARGET_BROADCAST;
    assert_false(answers(w, &p, false));
    p.target = SLT_IP_TARGET_MULTICAST;
    assert_false(answers(w, &p, false));
    p = offender("10.0.0.2", "10.0.0.1", SLT_IP_PROTOCOL_UDP);
    p.way = SLT_IP_WAY_LINK_GROUP;
    assert_false(answers(w, &p, false));
    p = offender("224.0.0.1", "10.0.0.1", SLT_IP_PROTOCOL_UDP);
    assert_false(answers(w, &p, false));
    p = offender("10.0.0.2", "10.0.0.1", SLT_IP_PROTOCOL_UDP);
    p.foreign = true;
    assert_false(answers(w, &p, false));
    p = offender("2001:db8::2", "ff02::1", SLT_IP_PROTOCOL_UDP);
    p.target = SLT_IP_TARGET_MULTICAST;
    assert_false(answers(w, &p, false));
    assert_true(answers(w, &p, true));
    p = offender("::", "2001:db8::1", SLT_IP_PROTOCOL_UDP);
    assert_false(answers(w, &p, true));
    for (uint32_t type = 0; type < 256; type++) {
        big[40] = (uint8_t)type;
        p = offender("10.0.0.2", "10.0.0.1", SLT_IP_PROTOCOL_ICMP4);
        assert_int_equal(answers(w, &p, false), type == 0 || type == 8);
        p = offender("2001:db8::2", "2001:db8::1", SLT_IP_PROTOCOL_ICMP6);
        assert_int_equal(answers(w, &p, false), type >= 128 && type != 137);
    }
    big[40] = 0;
}

/* ICMP-02, R4443-02: the quote is the packet, and the message fits 576 or 1280. */
static void test_quotes(void **state)
{
    struct world *w = *state;
    for (uint32_t i = 0; i < sizeof(big); i++) {
        big[i] = (uint8_t)(i * 7);
    }
    for (uint32_t bytes = 28; bytes <= sizeof(big); bytes += 13) {
        uint8_t out[SLT_ICMP_ANSWER_MAX];
        struct slt_icmp_answer answer;
        struct slt_icmp4 icmp;
        struct slt_icmp6 icmp6;
        struct slt_ip_error error = slt_icmp_port_unreachable(4);
        struct slt_ip_packet p = offender("10.0.0.2", "10.0.0.1", SLT_IP_PROTOCOL_UDP);
        struct slt_writer writer = slt_writer_of(out, sizeof(out));
        p.packet.bytes = bytes;
        assert_true(slt_icmp_answer(&w->iface, &p, &error, &answer));
        assert_memory_equal(answer.src, p.dst, 16); /* R1122-11 */
        assert_memory_equal(answer.dst, p.src, 16);
        uint32_t sent = slt_icmp_emit_answer(&answer, &writer);
        assert_true(sent > 0 && sent + 20 <= 576);
        assert_int_equal(slt_icmp4_parse((struct slt_span){out, sent}, &icmp), SLT_PASS);
        assert_int_equal(icmp.data_bytes, bytes < 548 ? bytes : 548);
        assert_memory_equal(icmp.data, big, icmp.data_bytes);
        error = slt_icmp_port_unreachable(6);
        p = offender("2001:db8::2", "2001:db8::1", SLT_IP_PROTOCOL_UDP);
        p.packet.bytes = bytes;
        writer = slt_writer_of(out, sizeof(out));
        assert_true(slt_icmp_answer(&w->iface, &p, &error, &answer));
        sent = slt_icmp_emit_answer(&answer, &writer);
        assert_true(sent > 0 && sent + 40 <= 1280);
        assert_int_equal(
            slt_icmp6_parse((struct slt_span){out, sent}, answer.src, answer.dst, &icmp6),
            SLT_PASS);
        assert_int_equal(icmp6.code, 4); /* R4443-04 */
        assert_int_equal(icmp6.data_bytes, bytes < 1232 ? bytes : 1232);
    }
    assert_int_equal(slt_icmp_reassembly_timeout(4).type, 11);
    assert_int_equal(slt_icmp_reassembly_timeout(4).code, 1);
    assert_int_equal(slt_icmp_reassembly_timeout(6).type, 3);
    assert_int_equal(slt_icmp_reassembly_timeout(6).code, 1);
}

/* ICMP-05, R4443-05. */
static void test_echo(void **state)
{
    struct world *w = *state;
    uint8_t out[64];
    struct slt_writer writer = slt_writer_of(out, sizeof(out));
    struct slt_ip_packet p = envelope("10.0.0.2", "10.0.0.1");
    struct slt_icmp_echo echo = {.id = 5, .seq = 6, .data = {big, 33}};
    struct slt_icmp4 icmp;
    struct slt_icmp6 icmp6;
    assert_true(slt_icmp_echo_reply(&w->iface, &p, &echo));
    uint32_t bytes = slt_icmp_emit_echo_reply(&echo, &writer);
    assert_int_equal(bytes, 8 + 33);
    assert_int_equal(slt_icmp4_parse((struct slt_span){out, bytes}, &icmp), SLT_PASS);
    assert_int_equal(icmp.type, SLT_ICMP4_ECHO_REPLY);
    assert_int_equal(icmp.id, 5);
    assert_int_equal(icmp.seq, 6);
    assert_int_equal(icmp.data_bytes, 33);
    assert_memory_equal(echo.src, p.dst, 16);
    p.target = SLT_IP_TARGET_BROADCAST;
    assert_false(slt_icmp_echo_reply(&w->iface, &p, &echo));
    p = envelope("2001:db8::2", "ff02::1");
    p.target = SLT_IP_TARGET_MULTICAST;
    assert_true(slt_icmp_echo_reply(&w->iface, &p, &echo));
    uint8_t mine[16];
    addr_of("2001:db8::1", mine);
    assert_memory_equal(echo.src, mine, 16);
    writer = slt_writer_of(out, sizeof(out));
    bytes = slt_icmp_emit_echo_reply(&echo, &writer);
    assert_int_equal(slt_icmp6_parse((struct slt_span){out, bytes}, echo.src, echo.dst, &icmp6),
                     SLT_PASS);
    assert_int_equal(icmp6.type, SLT_ICMP6_ECHO_REPLY);
    p = envelope("::", "2001:db8::1");
    assert_false(slt_icmp_echo_reply(&w->iface, &p, &echo));
}

/* ICMP-08, R4443-03, J07: never above the rate and burst, not below half of it, never regular. */
static void test_limit(void **state)
{
    struct slt_icmp_limit limit;
    (void)state;
    slt_icmp_limit_init(&limit, 100, 20, 42, 0);
    uint32_t first = 0;
    while (slt_icmp_limit_take(&limit, 0)) {
        first++;
    }
    assert_in_range(first, 10, 20);
    uint32_t taken = 0;
    uint32_t windows[2] = {UINT32_MAX, 0};
    for (int64_t second = 1; second <= 100; second++) {
        uint32_t here = 0;
        for (int64_t ms = 0; ms < 1000; ms++) {
            here += slt_icmp_limit_take(&limit, second * SLT_NS_PER_S + ms * SLT_NS_PER_MS);
        }
        windows[0] = here < windows[0] ? here : windows[0];
        windows[1] = here > windows[1] ? here : windows[1];
        taken += here;
    }
    assert_in_range(taken, 5000, 10000 + 20);
    assert_true(windows[0] != windows[1]);
    slt_icmp_limit_init(&limit, 0, 20, 42, 0);
    assert_false(slt_icmp_limit_take(&limit, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds_v4, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds_v6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notice_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_quotes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_quotes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quotes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
