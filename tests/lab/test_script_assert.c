/* Assertions in scripts: precedence, chains, messages. */
#include "lab/script_assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool find(void *ctx, const char *name, int64_t *number)
{
    (void)ctx;
    *number = strcmp(name, "seven") == 0 ? 7 : 10;
    return strcmp(name, "seven") == 0 || strcmp(name, "tcpi_ten") == 0;
}

static const struct slt_assert_names NAMES = {NULL, find};

static void test_true(void **state)
{
    static const char *const codes[] = {
        "assert 1 + 2 * 3 == 7",
        "assert (1 + 2) * 3 == 9, tcpi_ten",
        "assert tcpi_ten == 10 and seven == 7",
        "assert not tcpi_ten == 9",
        "assert 1 < seven <= 7 < tcpi_ten",
        "assert (seven > 3) == 1",
        "assert tcpi_ten & 2 == 2 or 0",
        "assert tcpi_ten | 1 == 11",
        "assert -seven + 8 == 1; assert ~0 == -1",
        "\n  assert tcpi_ten // 3 == 3\n  assert tcpi_ten % 4 == 2, 'why; not'\n",
        "assert 1 << 3 == 8 and 0x10 >> 2 == 4",
        "assert (seven ==\n 7)",
        "assert seven != 8 # as it should be\nprint(seven)",
        "assert 0 or (1 and (0 or 1))",
        "",
    };
    char out[512];

    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(codes); i++) {
        if (!slt_assert_run(codes[i], &NAMES, out, sizeof(out))) {
            fail_msg("%s: %s", codes[i], out);
        }
    }
}

static void test_false(void **state)
{
    static const struct {
        const char *code;
        const char *words;
    } bad[] = {
        {"assert tcpi_ten == 11", "false: tcpi_ten=10"},
        {"assert 1 < seven < 7", "false: seven=7"},
        {"assert seven == 7\nassert tcpi_ten < seven", "tcpi_ten < seven: false"},
        {"assert eight == 8", "nobody knows this name: 'eight == 8'"},
        {"assert (1 + 2", "a ')' is missing"},
        {"assert 1 +", "a value is wanted here"},
        {"assert 1 2", "this is not understood"},
        {"assert )", "a value is wanted here"},
        {"assert 1)", "this ')' closes nothing"},
        {"assert 1 / 0 == 1", "division by zero"},
        {"os.system('x')", "only assert is understood"},
    };
    char out[512];

    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(bad); i++) {
        if (slt_assert_run(bad[i].code, &NAMES, out, sizeof(out)) || !strstr(out, bad[i].words)) {
            fail_msg("%s: wanted %s, got %s", bad[i].code, bad[i].words, out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_true), cmocka_unit_test(test_false)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
