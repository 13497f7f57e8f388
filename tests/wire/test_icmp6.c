/* ICMPv6: golden messages, cuts, flips of message and addresses, every type. */
#include "wire/icmp6.h"

#include "exact.h"

static const uint8_t golden_echo6[15] = {
    0x80, 0x00, 0x5f, 0xe0, 0x11, 0x11, 0x22, 0x22, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67,
};

static const uint8_t golden_too_big[56] = {
    0x02, 0x00, 0x3e, 0xcd, 0x00, 0x00, 0x05, 0x00, 0x60, 0x00, 0x00, 0x00, 0x00, 0x14,
    0x06, 0x40, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x01, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x9c, 0x40, 0x00, 0x50, 0xff, 0xff, 0xff, 0xf0,
};

struct pair {
    uint8_t a[16];
    uint8_t b[16];
};

static struct pair addresses(void)
{
    struct pair p;
    exact_v6(p.a, 1);
    exact_v6(p.b, 2);
    return p;
}

static void assert_round_trip(const uint8_t *golden, uint32_t bytes, const uint8_t src[16],
                              const uint8_t dst[16])
{
    struct slt_icmp6 icmp;
    const struct slt_span span = {golden, bytes};
    assert_int_equal(slt_icmp6_parse(span, src, dst, &icmp), SLT_PASS);
    uint8_t out[128];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_icmp6_emit(&icmp, src, dst, &w), bytes);
    assert_memory_equal(out, golden, bytes);
    for (uint32_t room = 0; room < bytes; room++) {
        struct slt_writer small = slt_writer_of(out, room);
        assert_int_equal(slt_icmp6_emit(&icmp, src, dst, &small), 0);
    }
}

static void test_golden(void **state)
{
    (void)state;
    const struct pair p = addresses();
    struct slt_icmp6 icmp;
    const struct slt_span echo = {golden_echo6, sizeof(golden_echo6)};
    assert_int_equal(slt_icmp6_parse(echo, p.a, p.b, &icmp), SLT_PASS);
    assert_int_equal(icmp.id, 0x1111);
    assert_int_equal(icmp.seq, 0x2222);
    assert_round_trip(golden_echo6, sizeof(golden_echo6), p.a, p.b);

    const struct slt_span too_big = {golden_too_big, sizeof(golden_too_big)};
    assert_int_equal(slt_icmp6_parse(too_big, p.b, p.a, &icmp), SLT_PASS);
    assert_int_equal(icmp.mtu, 1280);
    assert_true(slt_icmp6_is_error(&icmp));
    assert_int_equal(icmp.data_bytes, 48);
    assert_round_trip(golden_too_big, sizeof(golden_too_big), p.b, p.a);
    char line[128];
    (void)slt_icmp6_print(&icmp, line, sizeof(line));
    assert_string_equal(line, "icmp6 packet too big code 0 mtu 1280, length 48");
}

/* RFC 4443 2.3: the checksum covers message and addresses. */
static void test_cuts_and_flips(void **state)
{
    (void)state;
    struct pair p = addresses();
    struct slt_icmp6 icmp;
    const uint32_t bytes = sizeof(golden_too_big);
    for (uint32_t n = 0; n < bytes; n++) {
        const struct slt_span copy = exact_copy(golden_too_big, n);
        assert_int_not_equal(slt_icmp6_parse(copy, p.b, p.a, &icmp), SLT_PASS);
        exact_free(copy);
    }
    for (uint32_t bit = 0; bit < bytes * 8; bit++) {
        uint8_t flipped[sizeof(golden_too_big)];
        memcpy(flipped, golden_too_big, bytes);
        flipped[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(slt_icmp6_parse((struct slt_span){flipped, bytes}, p.b, p.a, &icmp),
                         SLT_DROP_ICMP_CHECKSUM);
    }
    for (uint32_t bit = 0; bit < 128; bit++) {
        p.a[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(slt_icmp6_parse((struct slt_span){golden_too_big, bytes}, p.b, p.a, &icmp),
                         SLT_DROP_ICMP_CHECKSUM);
        p.a[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void test_every_type(void **state)
{
    (void)state;
    const struct pair p = addresses();
    for (uint32_t type = 0; type < 256; type++) {
        uint8_t bytes[40] = {0};
        bytes[0] = (uint8_t)type;
        bytes[7] = 0x55;
        slt_icmp6_seal(bytes, sizeof(bytes), p.a, p.b);
        struct slt_icmp6 icmp;
        const bool known =
            (type >= 1 && type <= 4) || type == 128 || type == 129 || (type >= 133 && type <= 137);
        assert_int_equal(slt_icmp6_parse((struct slt_span){bytes, 40}, p.a, p.b, &icmp),
                         known ? SLT_PASS : SLT_DROP_ICMP_TYPE);
        if (!known) {
            continue;
        }
        uint8_t out[40];
        struct slt_writer w = slt_writer_of(out, sizeof(out));
        assert_int_equal(slt_icmp6_emit(&icmp, p.a, p.b, &w), 40);
        struct slt_icmp6 back;
        assert_int_equal(slt_icmp6_parse((struct slt_span){out, 40}, p.a, p.b, &back), SLT_PASS);
        back.data = icmp.data;
        assert_memory_equal(&back, &icmp, sizeof(back));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_cuts_and_flips),
        cmocka_unit_test(test_every_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
