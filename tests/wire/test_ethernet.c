/* Ethernet frames: with a tag, without, cut, and with a length where a type should be. */
#include "wire/ethernet.h"

#include "exact.h"

static const uint8_t plain[18] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 1, 2, 3, 4};
static const uint8_t tagged[20] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,    0,    0, 0,
                                   0,    2,    0x81, 0x00, 0xe0, 0x05, 0x86, 0xdd, 9, 9};

static void assert_round_trip(const uint8_t *frame, uint32_t bytes, uint32_t header)
{
    struct slt_ethernet eth;
    assert_int_equal(slt_ethernet_parse((struct slt_span){frame, bytes}, &eth), SLT_PASS);
    assert_int_equal(eth.payload_bytes, bytes - header);
    assert_ptr_equal(eth.payload, frame + header);
    uint8_t out[32];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_ethernet_emit(&eth, &w), header);
    assert_memory_equal(out, frame, header);
    for (uint32_t room = 0; room < header; room++) {
        struct slt_writer small = slt_writer_of(out, room);
        assert_int_equal(slt_ethernet_emit(&eth, &small), 0);
    }
}

static void assert_cuts(const uint8_t *frame, uint32_t bytes, uint32_t header)
{
    for (uint32_t n = 0; n < bytes; n++) {
        const struct slt_span copy = exact_copy(frame, n);
        struct slt_ethernet eth;
        assert_int_equal(slt_ethernet_parse(copy, &eth),
                         n < header ? SLT_DROP_FRAME_SHORT : SLT_PASS);
        exact_free(copy);
    }
}

static void test_plain(void **state)
{
    (void)state;
    assert_round_trip(plain, sizeof(plain), 14);
    assert_cuts(plain, sizeof(plain), 14);
}

static void test_tagged(void **state)
{
    (void)state;
    assert_round_trip(tagged, sizeof(tagged), 18);
    assert_cuts(tagged, sizeof(tagged), 18);
    struct slt_ethernet eth;
    assert_int_equal(slt_ethernet_parse((struct slt_span){tagged, sizeof(tagged)}, &eth), SLT_PASS);
    assert_true(eth.tagged);
    assert_int_equal(eth.tag, 0xe005);
    assert_int_equal(eth.type, SLT_ETHERTYPE_IPV6);
    char line[128];
    (void)slt_ethernet_print(&eth, line, sizeof(line));
    assert_string_equal(line,
                        "02:00:00:00:00:02 > ff:ff:ff:ff:ff:ff, vlan 5, type 0x86dd, length 2");
}

static void test_a_second_tag_is_a_type_nobody_handles(void **state)
{
    (void)state;
    uint8_t frame[24];
    memcpy(frame, tagged, sizeof(tagged));
    frame[16] = 0x81;
    frame[17] = 0x00;
    struct slt_ethernet eth;
    assert_int_equal(slt_ethernet_parse((struct slt_span){frame, sizeof(frame)}, &eth), SLT_PASS);
    assert_int_equal(eth.type, SLT_ETHERTYPE_VLAN);
}

static void test_every_type(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 65536; type++) {
        uint8_t frame[18];
        memcpy(frame, plain, sizeof(plain));
        frame[12] = (uint8_t)(type >> 8);
        frame[13] = (uint8_t)type;
        struct slt_ethernet eth;
        const enum slt_reason reason =
            slt_ethernet_parse((struct slt_span){frame, sizeof(frame)}, &eth);
        /* Behind a tag stand the bytes 3 and 4: a type of 0x0304 is a length. */
        const bool length = type < 0x0600 || type == SLT_ETHERTYPE_VLAN;
        assert_int_equal(reason, length ? SLT_DROP_FRAME_802_3 : SLT_PASS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_tagged),
        cmocka_unit_test(test_a_second_tag_is_a_type_nobody_handles),
        cmocka_unit_test(test_every_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
