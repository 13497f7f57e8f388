/* Neighbour discovery: golden messages, each validity check of RFC 4861 6.1 and 7.1, every option.
 */
#include "wire/ndp.h"

#include "exact.h"

#include <unistd.h>

static const uint8_t golden_ns[32] = {
    0x87, 0x00, 0x7a, 0x97, 0x00, 0x00, 0x00, 0x00, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x01, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01,
};

static const uint8_t golden_na[32] = {
    0x88, 0x00, 0x18, 0x1a, 0x60, 0x00, 0x00, 0x00, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02,
};

static const uint8_t golden_ra[88] = {
    0x86, 0x00, 0x6b, 0x1c, 0x40, 0x40, 0x07, 0x08, 0x00, 0x00, 0x75, 0x30, 0x00, 0x00, 0x03,
    0xe8, 0x01, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x00, 0x00, 0x00, 0x00,
    0x05, 0xdc, 0x03, 0x04, 0x40, 0xc0, 0x00, 0x01, 0x51, 0x80, 0x00, 0x00, 0x38, 0x40, 0x00,
    0x00, 0x00, 0x00, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x19, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3c, 0x20, 0x01, 0x0d,
    0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x53,
};

struct packet {
    uint8_t bytes[256];
    uint32_t n;
    struct slt_ipv6 ip;
    uint8_t code;
};

static struct packet packet_of(const uint8_t *golden, uint32_t n)
{
    struct packet p;
    memset(&p, 0, sizeof(p));
    memcpy(p.bytes, golden, n);
    p.n = n;
    p.ip.hop_limit = 255;
    exact_link_local(p.ip.src, 1);
    exact_link_local(p.ip.dst, 2);
    return p;
}

static struct packet solicitation(void)
{
    static const uint8_t group[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 2};
    struct packet p = packet_of(golden_ns, sizeof(golden_ns));
    memcpy(p.ip.dst, group, 16);
    return p;
}

/* Through the ICMPv6 door, with a checksum made right, from memory of the exact size. */
static enum slt_reason parse(struct packet *p, struct slt_ndp *out)
{
    p->bytes[1] = p->code;
    p->bytes[2] = 0;
    p->bytes[3] = 0;
    slt_icmp6_seal(p->bytes, p->n, p->ip.src, p->ip.dst);
    const struct slt_span copy = exact_copy(p->bytes, p->n);
    struct slt_icmp6 icmp;
    enum slt_reason reason = slt_icmp6_parse(copy, p->ip.src, p->ip.dst, &icmp);
    if (reason == SLT_PASS) {
        reason = slt_ndp_parse(&icmp, &p->ip, out);
    }
    exact_free(copy);
    return reason;
}

static void assert_round_trip(struct packet *p, const char *text)
{
    struct slt_ndp ndp;
    struct slt_ndp back;
    assert_int_equal(parse(p, &ndp), SLT_PASS);
    struct packet again = *p;
    struct slt_writer w = slt_writer_of(again.bytes, sizeof(again.bytes));
    again.n = slt_ndp_emit(&ndp, p->ip.src, p->ip.dst, &w);
    assert_true(again.n > 0);
    assert_int_equal(parse(&again, &back), SLT_PASS);
    assert_memory_equal(&ndp, &back, sizeof(ndp));
    char line[256];
    (void)slt_ndp_print(&ndp, line, sizeof(line));
    assert_string_equal(line, text);
    for (uint32_t room = 0; room < again.n; room++) {
        struct slt_writer small = slt_writer_of(again.bytes, room);
        assert_int_equal(slt_ndp_emit(&ndp, p->ip.src, p->ip.dst, &small), 0);
    }
}

static void test_solicitation(void **state)
{
    (void)state;
    struct packet p = solicitation();
    struct slt_ndp ndp;
    assert_int_equal(parse(&p, &ndp), SLT_PASS);
    assert_memory_equal(p.bytes, golden_ns, sizeof(golden_ns)); /* the checksum too */
    assert_round_trip(&p, "nd who-has fe80::2 from 02:00:00:00:00:01");
}

static void test_advertisement(void **state)
{
    (void)state;
    struct packet p = packet_of(golden_na, sizeof(golden_na));
    struct slt_ndp ndp;
    assert_int_equal(parse(&p, &ndp), SLT_PASS);
    assert_memory_equal(p.bytes, golden_na, sizeof(golden_na));
    assert_true(ndp.solicited && ndp.override && !ndp.router);
    assert_round_trip(&p, "nd fe80::2 is-at 02:00:00:00:00:02 solicited override");
}

static void test_router_advertisement(void **state)
{
    (void)state;
    struct packet p = packet_of(golden_ra, sizeof(golden_ra));
    struct slt_ndp ndp;
    assert_int_equal(parse(&p, &ndp), SLT_PASS);
    assert_int_equal(ndp.hop_limit, 64);
    assert_false(ndp.managed);
    assert_true(ndp.other);
    assert_int_equal(ndp.lifetime_s, 1800);
    assert_int_equal(ndp.reachable_ms, 30000);
    assert_int_equal(ndp.retransmit_ms, 1000);
    assert_int_equal(ndp.mtu, 1500);
    assert_int_equal(ndp.prefix_count, 1);
    assert_int_equal(ndp.prefixes[0].valid_s, 86400);
    assert_int_equal(ndp.prefixes[0].preferred_s, 14400);
    assert_true(ndp.prefixes[0].on_link && ndp.prefixes[0].autonomous);
    assert_round_trip(&p, "nd router lifetime 1800 mtu 1500 prefix 2001:db8:1::/64 "
                          "from 02:00:00:00:00:01");
}

static void test_router_solicitation(void **state)
{
    (void)state;
    static const uint8_t bytes[16] = {133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 9};
    struct packet p = packet_of(bytes, sizeof(bytes));
    assert_round_trip(&p, "nd router solicitation from 02:00:00:00:00:09");
    memset(p.ip.src, 0, 16);
    struct slt_ndp ndp;
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ND_INVALID);
    p.n = 8;
    assert_int_equal(parse(&p, &ndp), SLT_PASS);
}

/* RFC 4861 6.1, 7.1 (R4861-01): hop limit 255 and code 0 for every type. */
static void test_hop_limit_and_code(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 256; value++) {
        struct slt_ndp ndp;
        struct packet p = solicitation();
        p.ip.hop_limit = (uint8_t)value;
        assert_int_equal(parse(&p, &ndp), value == 255 ? SLT_PASS : SLT_DROP_ND_INVALID);
        p = packet_of(golden_ra, sizeof(golden_ra));
        p.code = (uint8_t)value;
        assert_int_equal(parse(&p, &ndp), value == 0 ? SLT_PASS : SLT_DROP_ND_INVALID);
    }
}

/* RFC 4861 7.1.1, 7.1.2, 6.1.2: which addresses may stand where. */
static void test_addresses(void **state)
{
    (void)state;
    struct slt_ndp ndp;
    struct packet p = solicitation();
    p.bytes[8] = 0xff; /* the target is a group */
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ND_INVALID);

    p = solicitation();
    memset(p.ip.src, 0, 16); /* a probe for a duplicate must not say where it comes from */
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ND_INVALID);
    p.n = 24;
    assert_int_equal(parse(&p, &ndp), SLT_PASS);
    exact_link_local(p.ip.dst, 2); /* nor go anywhere but to the group */
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ND_INVALID);

    p = packet_of(golden_na, sizeof(golden_na));
    p.ip.dst[0] = 0xff; /* nobody solicited what all nodes get */
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ND_INVALID);
    p.bytes[4] = 0x20;
    assert_int_equal(parse(&p, &ndp), SLT_PASS);
    p.bytes[8] = 0xff;
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ND_INVALID);

    p = packet_of(golden_ra, sizeof(golden_ra));
    exact_v6(p.ip.src, 1);
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ND_INVALID);
}

static void test_truncation(void **state)
{
    (void)state;
    struct slt_ndp ndp;
    for (uint32_t n = 0; n <= sizeof(golden_ra); n++) {
        struct packet p = packet_of(golden_ra, n);
        if (n < 8) {
            p.n = n < 4 ? 4 : n;
            assert_int_equal(parse(&p, &ndp), SLT_DROP_ICMP_MALFORMED);
            continue;
        }
        const bool whole = n == 16 || n == 24 || n == 32 || n == 64 || n == 88;
        assert_int_equal(parse(&p, &ndp), whole ? SLT_PASS : SLT_DROP_ND_INVALID);
    }
}

/* RFC 4861 4.6: an option of length 0, or one that ends behind the message, ends the message; all
 * others are taken or ignored. Every type and length with up to 64 bytes behind the fixed part. */
static void test_every_option(void **state)
{
    (void)state;
    alarm(60);
    for (uint32_t left = 1; left <= 64; left += left < 8 ? 1 : 7) {
        for (uint32_t pair = 0; pair < 65536; pair += left == 64 ? 1 : 3) {
            struct packet p = packet_of(golden_ra, 16);
            memset(p.bytes + 16, 1, left);
            p.bytes[16] = (uint8_t)(pair >> 8);
            p.bytes[17] = (uint8_t)pair;
            p.n = 16 + left;
            const uint32_t length = (pair & 255) * 8;
            bool good = left > 1 && length > 0 && length <= left;
            if (good) { /* what is left is options of type 1 and length 1 */
                good = (left - length) % 8 == 0;
            }
            struct slt_ndp ndp;
            assert_int_equal(parse(&p, &ndp), good ? SLT_PASS : SLT_DROP_ND_INVALID);
        }
    }
    alarm(0);
}

static void test_redirects_and_strangers(void **state)
{
    (void)state;
    struct slt_ndp ndp;
    struct packet p = solicitation();
    p.bytes[0] = SLT_ICMP6_REDIRECT;
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ICMP_REDIRECT);
    p.bytes[0] = SLT_ICMP6_ECHO_REQUEST;
    assert_int_equal(parse(&p, &ndp), SLT_DROP_ICMP_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solicitation),
        cmocka_unit_test(test_advertisement),
        cmocka_unit_test(test_router_advertisement),
        cmocka_unit_test(test_router_solicitation),
        cmocka_unit_test(test_hop_limit_and_code),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_redirects_and_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
