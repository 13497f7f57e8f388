/* The rows of findings: each can be found by its name and says something in every column, and the
 * well-known wrong advice is named where it is usually given. */
#include "observe/findings.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_row_is_whole(void **state)
{
    (void)state;
    assert_int_equal(SLT_FIND_COUNT, 94); /* observe.md 3 */
    for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
        const struct slt_finding *row = slt_finding_row((enum slt_finding_id)i);
        char lower[16] = "";
        for (size_t at = 0; row->id[at] != '\0' && at + 1 < sizeof(lower); at++) {
            lower[at] = (char)tolower((unsigned char)row->id[at]);
        }
        assert_int_equal(slt_finding_parse(row->id), i);
        assert_int_equal(slt_finding_parse(lower), i);
        assert_true(strlen(row->seen) > 0);
        assert_true(row->confidence >= 'A' && row->confidence <= 'D');
        assert_non_null(slt_finding_wrong_advice((enum slt_finding_id)i));
    }
    assert_int_equal(slt_finding_parse("CW-99"), SLT_FIND_COUNT);
}

static void wrong_advice_is_corrected_by_name(void **state)
{
    (void)state;
    static const struct {
        enum slt_finding_id id;
        const char *says;
    } rows[] = {
        {SLT_FIND_TW_1, "tcp_fin_timeout is not TIME-WAIT"},
        {SLT_FIND_TW_2, "tcp_fin_timeout is not TIME-WAIT"},
        {SLT_FIND_TW_1, "TIME-WAIT holds no descriptor"},
        {SLT_FIND_LIS_7, "TIME-WAIT holds no descriptor"},
        {SLT_FIND_CW_1, "CLOSE-WAIT has no timeout"},
        {SLT_FIND_LIS_1, "A full accept queue does not refuse"},
        {SLT_FIND_GH_1, "tcp_keepalive_time alone changes nothing"},
        {SLT_FIND_TW_2, "tcp_tw_recycle is gone"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_non_null(strstr(slt_finding_wrong_advice(rows[i].id), rows[i].says));
    }
    assert_string_equal(slt_finding_wrong_advice(SLT_FIND_CAP_1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(wrong_advice_is_corrected_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
