/* cli/json_text: what is printed is a JSON string in UTF-8, whatever the bytes are. */
#include "cli/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void prints(const char *text, const char *wanted)
{
    char *out = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&out, &bytes);
    assert_non_null(to);
    slt_put_json_text(text, to);
    assert_int_equal(fclose(to), 0);
    assert_string_equal(out, wanted);
    free(out);
}

static void plain_text_stays(void **state)
{
    (void)state;
    prints("", "\"\"");
    prints("nginx: worker", "\"nginx: worker\"");
    prints("gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x99\x82",
           "\"gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x99\x82\"");
}

static void what_json_forbids_is_escaped(void **state)
{
    (void)state;
    prints("a\"b\\c", "\"a\\\"b\\\\c\"");
    prints("\x01\n\x1f\x7f", "\"\\u0001\\u000a\\u001f\\u007f\"");
    prints("</script>", "\"\\u003c/script>\"");
}

static void bytes_that_are_no_characters(void **state)
{
    (void)state;
    prints("\xff\x80x", "\"\\u00ff\\u0080x\"");
    prints("\xc3", "\"\\u00c3\"");                                  /* cut */
    prints("\xe2\x82", "\"\\u00e2\\u0082\"");                       /* cut later */
    prints("\xe2\x82z", "\"\\u00e2\\u0082z\"");                     /* something else instead */
    prints("\xc0\xaf", "\"\\u00c0\\u00af\"");                       /* '/' in two bytes */
    prints("\xe0\x80\xaf", "\"\\u00e0\\u0080\\u00af\"");            /* and in three */
    prints("\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"");            /* half of a pair */
    prints("\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\""); /* beyond the last */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(what_json_forbids_is_escaped),
        cmocka_unit_test(bytes_that_are_no_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
