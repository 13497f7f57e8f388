/* Readers and writers: network order, exact ends, failure that sticks and touches nothing. */
#include "base_test.h"

#include "base/span.h"

static void test_reads_network_order(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x01, 0x82, 0x03, 0xf4, 0x05, 0x06, 0x07, 0x08};
    struct slt_reader r = slt_reader_of((struct slt_span){bytes, sizeof(bytes)});
    assert_int_equal(slt_read_u8(&r), 0x01);
    assert_int_equal(slt_read_u16(&r), 0x8203);
    assert_int_equal(slt_read_u32(&r), 0xf4050607);
    assert_int_equal(slt_reader_left(&r), 1);
    assert_ptr_equal(slt_read_bytes(&r, 1), bytes + 7);
    assert_false(r.failed);
    assert_int_equal(slt_reader_left(&r), 0);
    assert_non_null(slt_read_bytes(&r, 0));
}

static void test_reading_past_the_end_fails_for_good(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0xff, 0xff, 0xff};
    struct slt_reader r = slt_reader_of((struct slt_span){bytes, sizeof(bytes)});
    assert_int_equal(slt_read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(r.at, 0);
    assert_int_equal(slt_read_u8(&r), 0);
    assert_int_equal(slt_read_u16(&r), 0);
    assert_null(slt_read_bytes(&r, 0));

    r = slt_reader_of((struct slt_span){bytes, sizeof(bytes)});
    (void)slt_read_u8(&r);
    assert_null(slt_read_bytes(&r, UINT32_MAX));
    assert_true(r.failed);
}

static void test_writes_network_order_and_stops_at_the_end(void **state)
{
    (void)state;
    uint8_t out[12];
    memset(out, 0xee, sizeof(out));
    struct slt_writer w = slt_writer_of(out, 10);
    slt_write_u8(&w, 0x01);
    slt_write_u16(&w, 0x8203);
    slt_write_u32(&w, 0xf4050607);
    slt_write_bytes(&w, "ab", 2);
    slt_write_bytes(&w, NULL, 0);
    assert_false(w.failed);
    const uint8_t expected[] = {0x01, 0x82, 0x03, 0xf4, 0x05, 0x06, 0x07, 'a', 'b', 0xee};
    assert_memory_equal(out, expected, sizeof(expected));
    slt_write_u16(&w, 0x1111);
    assert_true(w.failed);
    slt_write_u8(&w, 0x22);
    assert_int_equal(w.at, 9);
    assert_int_equal(out[9], 0xee);
    assert_int_equal(out[10], 0xee);
    assert_null(slt_write_room(&w, 0));
}

static void test_what_is_written_is_read_back(void **state)
{
    (void)state;
    uint8_t bytes[7];
    for (uint32_t v = 0; v < 65536; v++) {
        struct slt_writer w = slt_writer_of(bytes, sizeof(bytes));
        slt_write_u32(&w, v * 65537U + 99U);
        slt_write_u16(&w, (uint16_t)v);
        slt_write_u8(&w, (uint8_t)v);
        struct slt_reader r = slt_reader_of((struct slt_span){bytes, w.at});
        assert_int_equal(slt_read_u32(&r), v * 65537U + 99U);
        assert_int_equal(slt_read_u16(&r), v);
        assert_int_equal(slt_read_u8(&r), v & 0xff);
        assert_false(r.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_network_order),
        cmocka_unit_test(test_reading_past_the_end_fails_for_good),
        cmocka_unit_test(test_writes_network_order_and_stops_at_the_end),
        cmocka_unit_test(test_what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
