/* The formatter, against stdio at every size of the array. */
#include "base_test.h"

#include "base/print.h"

#include <inttypes.h>
#include <stdio.h>

static const uint64_t numbers[] = {0,          1,          9,          10,        255,
                                   4294967295, 4294967296, UINT64_MAX, INT64_MAX, 1000000000000};

static void test_numbers_like_stdio(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(numbers); i++) {
        char ours[128];
        char theirs[128];
        struct slt_text text;
        slt_text_init(&text, ours, sizeof(ours));
        slt_text_u64(&text, numbers[i]);
        slt_text_char(&text, ' ');
        slt_text_i64(&text, (int64_t)numbers[i]);
        slt_text_char(&text, ' ');
        slt_text_i64(&text, (int64_t)(0 - numbers[i]));
        slt_text_str(&text, " 0x");
        slt_text_hex(&text, numbers[i], 0);
        slt_text_char(&text, ' ');
        slt_text_hex(&text, numbers[i], 8);
        slt_text_char(&text, ' ');
        slt_text_hex(&text, numbers[i], 20);
        int n =
            snprintf(theirs, sizeof(theirs),
                     "%" PRIu64 " %" PRId64 " %" PRId64 " 0x%" PRIx64 " %08" PRIx64 " %020" PRIx64,
                     numbers[i], (int64_t)numbers[i], (int64_t)(0 - numbers[i]), numbers[i],
                     numbers[i], numbers[i]);
        assert_string_equal(ours, theirs);
        assert_int_equal(text.used, n);
        assert_false(slt_text_cut(&text));
    }
}

static void test_the_lowest_number(void **state)
{
    (void)state;
    char out[32];
    struct slt_text text;
    slt_text_init(&text, out, sizeof(out));
    slt_text_i64(&text, INT64_MIN);
    assert_string_equal(out, "-9223372036854775808");
}

static void test_every_size_is_bounded_and_terminated(void **state)
{
    (void)state;
    const char whole[] = "port 65535   seq 00c0ffee";
    for (size_t size = 0; size < 40; size++) {
        char out[48];
        memset(out, '#', sizeof(out));
        struct slt_text text;
        slt_text_init(&text, size == 0 ? NULL : out, size);
        slt_text_str(&text, "port ");
        slt_text_u64(&text, 65535);
        slt_text_pad(&text, 12);
        slt_text_pad(&text, 3); /* is there already */
        slt_text_str(&text, " seq ");
        slt_text_hex(&text, 0xc0ffee, 8);
        assert_int_equal(text.used, strlen(whole));
        assert_int_equal(slt_text_cut(&text), size <= strlen(whole));
        if (size > 0) {
            size_t fits = size - 1 < strlen(whole) ? size - 1 : strlen(whole);
            assert_int_equal(strlen(out), fits);
            assert_memory_equal(out, whole, fits);
        }
        assert_int_equal(out[size], '#');
    }
}

static void test_columns(void **state)
{
    (void)state;
    char out[100];
    for (size_t until = 0; until < 90; until++) {
        struct slt_text text;
        slt_text_init(&text, out, sizeof(out));
        slt_text_str(&text, "ab");
        slt_text_pad(&text, until);
        slt_text_char(&text, '|');
        char wanted[100];
        (void)snprintf(wanted, sizeof(wanted), "%-*s|", (int)until, "ab");
        assert_string_equal(out, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_like_stdio),
        cmocka_unit_test(test_the_lowest_number),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_every_size_is_bounded_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
