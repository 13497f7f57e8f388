/* ICMPv4: golden messages, cuts, flips, every type, RFC 4884 quotes. */
#include "wire/icmp4.h"

#include "wire/checksum.h"

#include "exact.h"

static const uint8_t golden_echo4[15] = {
    0x08, 0x00, 0x33, 0x9f, 0x11, 0x11, 0x22, 0x22, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67,
};

static const uint8_t golden_frag_needed[36] = {
    0x03, 0x04, 0x5b, 0x02, 0x00, 0x00, 0x05, 0x78, 0x45, 0xba, 0x00, 0x28,
    0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x3b, 0xa6, 0xc0, 0x00, 0x02, 0x01,
    0xc6, 0x33, 0x64, 0x07, 0x9c, 0x40, 0x00, 0x50, 0xff, 0xff, 0xff, 0xf0,
};

static void assert_prints(const struct slt_icmp4 *icmp, const char *want)
{
    char line[128];
    assert_int_equal(slt_icmp4_print(icmp, line, sizeof(line)), strlen(want));
    assert_string_equal(line, want);
}

static void assert_round_trip(const uint8_t *golden, uint32_t bytes)
{
    struct slt_icmp4 icmp;
    assert_int_equal(slt_icmp4_parse((struct slt_span){golden, bytes}, &icmp), SLT_PASS);
    uint8_t out[128];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_icmp4_emit(&icmp, &w), bytes);
    assert_memory_equal(out, golden, bytes);
    for (uint32_t room = 0; room < bytes; room++) {
        struct slt_writer small = slt_writer_of(out, room);
        assert_int_equal(slt_icmp4_emit(&icmp, &small), 0);
    }
}

static void test_echo(void **state)
{
    (void)state;
    struct slt_icmp4 icmp;
    const struct slt_span span = {golden_echo4, sizeof(golden_echo4)};
    assert_int_equal(slt_icmp4_parse(span, &icmp), SLT_PASS);
    assert_int_equal(icmp.id, 0x1111);
    assert_int_equal(icmp.seq, 0x2222);
    assert_int_equal(icmp.data_bytes, 7);
    assert_false(slt_icmp4_is_error(&icmp));
    assert_prints(&icmp, "icmp echo request id 4369 seq 8738, length 7");
    assert_round_trip(golden_echo4, sizeof(golden_echo4));
}

static void test_fragmentation_needed(void **state)
{
    (void)state;
    struct slt_icmp4 icmp;
    const struct slt_span span = {golden_frag_needed, sizeof(golden_frag_needed)};
    assert_int_equal(slt_icmp4_parse(span, &icmp), SLT_PASS);
    assert_true(slt_icmp4_is_error(&icmp));
    assert_int_equal(icmp.mtu, 1400);
    assert_int_equal(icmp.data_bytes, 28);
    assert_prints(&icmp, "icmp unreachable code 4 mtu 1400, length 28");
    assert_round_trip(golden_frag_needed, sizeof(golden_frag_needed));
}

/* ICMP-01: cuts and flips never pass. A cut may leave a sum that is right by chance; these do not.
 */
static void test_cuts_and_flips(void **state)
{
    (void)state;
    struct slt_icmp4 icmp;
    for (uint32_t n = 0; n < sizeof(golden_echo4); n++) {
        const struct slt_span copy = exact_copy(golden_echo4, n);
        assert_int_equal(slt_icmp4_parse(copy, &icmp),
                         n < 8 ? SLT_DROP_ICMP_MALFORMED : SLT_DROP_ICMP_CHECKSUM);
        exact_free(copy);
    }
    for (uint32_t bit = 0; bit < sizeof(golden_frag_needed) * 8; bit++) {
        uint8_t bytes[sizeof(golden_frag_needed)];
        memcpy(bytes, golden_frag_needed, sizeof(bytes));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(slt_icmp4_parse((struct slt_span){bytes, sizeof(bytes)}, &icmp),
                         SLT_DROP_ICMP_CHECKSUM);
    }
}

static void seal(uint8_t *bytes, uint32_t n)
{
    bytes[2] = 0;
    bytes[3] = 0;
    const uint16_t checksum = slt_checksum_finish(slt_checksum_add(0, bytes, n));
    bytes[2] = (uint8_t)(checksum >> 8);
    bytes[3] = (uint8_t)checksum;
}

/* Every type and code: known ones come back byte for byte where the word has no unused part. */
static void test_every_type_and_code(void **state)
{
    (void)state;
    for (uint32_t pair = 0; pair < 65536; pair++) {
        const uint32_t type = pair >> 8;
        uint8_t bytes[24] = {0};
        bytes[0] = (uint8_t)type;
        bytes[1] = (uint8_t)pair;
        bytes[4] = 0x12;
        bytes[7] = 0x34;
        seal(bytes, sizeof(bytes));
        struct slt_icmp4 icmp;
        struct slt_icmp4 back;
        const enum slt_reason reason = slt_icmp4_parse((struct slt_span){bytes, 24}, &icmp);
        const bool known = type == 0 || type == 3 || type == 4 || type == 5 || type == 8 ||
                           type == 11 || type == 12;
        assert_int_equal(reason, known ? SLT_PASS : SLT_DROP_ICMP_TYPE);
        if (!known) {
            continue;
        }
        uint8_t out[24];
        struct slt_writer w = slt_writer_of(out, sizeof(out));
        assert_int_equal(slt_icmp4_emit(&icmp, &w), 24);
        assert_int_equal(slt_icmp4_parse((struct slt_span){out, 24}, &back), SLT_PASS);
        back.data = icmp.data;
        assert_memory_equal(&back, &icmp, sizeof(back));
    }
}

/* RFC 4884 4.1: the quote ends where its length says, if that is a length a quote can have. */
static void test_extended_quote(void **state)
{
    (void)state;
    for (uint32_t words = 0; words < 256; words++) {
        uint8_t bytes[8 + 200] = {3, 1};
        bytes[5] = (uint8_t)words;
        seal(bytes, sizeof(bytes));
        struct slt_icmp4 icmp;
        assert_int_equal(slt_icmp4_parse((struct slt_span){bytes, sizeof(bytes)}, &icmp), SLT_PASS);
        assert_int_equal(icmp.data_bytes, words >= 32 && words <= 50 ? words * 4 : 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),           cmocka_unit_test(test_fragmentation_needed),
        cmocka_unit_test(test_cuts_and_flips), cmocka_unit_test(test_every_type_and_code),
        cmocka_unit_test(test_extended_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
