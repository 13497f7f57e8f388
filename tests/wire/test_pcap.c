/* Classic capture files in both byte orders and both units. */
#include "wire/pcap.h"

#include "exact.h"

static void put_u32(uint8_t *p, uint32_t v, bool little)
{
    for (uint32_t i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (little ? 8 * i : 24 - 8 * i));
    }
}

static void make(uint8_t file[44], uint32_t magic, bool little)
{
    memset(file, 0, 44);
    put_u32(file, magic, little);
    file[little ? 4 : 5] = 2;
    file[little ? 6 : 7] = 4;
    put_u32(file + 16, 65535, little);
    put_u32(file + 20, SLT_LINKTYPE_RAW, little);
    put_u32(file + 24, 1700000000, little);
    put_u32(file + 28, 999999, little);
    put_u32(file + 32, 4, little);
    put_u32(file + 36, 1500, little);
    memcpy(file + 40, "abcd", 4);
}

static void test_orders_and_units(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        const bool little = (i & 1) != 0;
        const bool ns = (i & 2) != 0;
        uint8_t bytes[44];
        make(bytes, ns ? 0xa1b23c4dU : 0xa1b2c3d4U, little);
        struct slt_pcap_file file;
        assert_int_equal(slt_pcap_header_parse((struct slt_span){bytes, 44}, &file),
                         SLT_CAPTURE_OK);
        assert_int_equal(file.little_endian, little);
        assert_int_equal(file.nanoseconds, ns);
        assert_int_equal(file.linktype, SLT_LINKTYPE_RAW);
        assert_int_equal(file.snap_bytes, 65535);
        struct slt_capture_packet packet;
        uint32_t used = 0;
        const struct slt_span record = {bytes + SLT_PCAP_HEADER_BYTES, 20};
        assert_int_equal(slt_pcap_record_parse(&file, record, &packet, &used), SLT_CAPTURE_OK);
        assert_int_equal(used, 20);
        assert_true(packet.at_ns == 1700000000LL * 1000000000 + (ns ? 999999 : 999999000));
        assert_int_equal(packet.bytes, 4);
        assert_int_equal(packet.original_bytes, 1500);
        assert_memory_equal(packet.data, "abcd", 4);
    }
}

static void test_cuts(void **state)
{
    (void)state;
    uint8_t bytes[44];
    make(bytes, 0xa1b2c3d4U, true);
    struct slt_pcap_file file;
    for (uint32_t n = 0; n < SLT_PCAP_HEADER_BYTES; n++) {
        const struct slt_span copy = exact_copy(bytes, n);
        assert_int_equal(slt_pcap_header_parse(copy, &file), SLT_CAPTURE_CUT);
        exact_free(copy);
    }
    assert_int_equal(slt_pcap_header_parse((struct slt_span){bytes, 44}, &file), SLT_CAPTURE_OK);
    char line[64];
    (void)slt_pcap_print(&file, line, sizeof(line));
    assert_string_equal(line, "pcap little-endian, linktype 101, snap 65535, us");
    for (uint32_t n = 0; n < 20; n++) {
        const struct slt_span copy = exact_copy(bytes + 24, n);
        struct slt_capture_packet packet;
        uint32_t used = 99;
        assert_int_equal(slt_pcap_record_parse(&file, copy, &packet, &used), SLT_CAPTURE_CUT);
        assert_int_equal(used, 0);
        exact_free(copy);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    uint8_t bytes[44];
    make(bytes, 0x0a0d0d0aU, true);
    struct slt_pcap_file file;
    assert_int_equal(slt_pcap_header_parse((struct slt_span){bytes, 44}, &file),
                     SLT_CAPTURE_FOREIGN);
    make(bytes, 0xa1b2c3d4U, true);
    put_u32(bytes + 32, 0xffffffffU, true);
    assert_int_equal(slt_pcap_header_parse((struct slt_span){bytes, 44}, &file), SLT_CAPTURE_OK);
    struct slt_capture_packet packet;
    uint32_t used = 0;
    assert_int_equal(
        slt_pcap_record_parse(&file, (struct slt_span){bytes + 24, 20}, &packet, &used),
        SLT_CAPTURE_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders_and_units),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
