/* The simulator's other worlds: transfers over random paths. A few dozen of them hold here; make
 * check has ten thousand connections (sim --connections). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "lab/sim.h"

#define SEEDS 25

_Noreturn void salut_fault(const char *file, int line, const char *what)
{
    if (!slt_sim_caught(file, line, what)) {
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
    }
    abort();
}

static struct slt_sim_tally tally;

static struct slt_sim_result run(uint64_t seed, bool paths)
{
    struct slt_sim_options options = {.seed = seed, .paths = paths};
    struct slt_sim_result result;
    slt_sim_run(&options, &result, &tally);
    if (result.failed) {
        fail_msg("seed %llu, turn %llu: %s", (unsigned long long)seed,
                 (unsigned long long)result.turn, result.sentence);
    }
    return result;
}

/* Every byte right both ways, or an error told; hardly ever the latter. */
static void test_transfers(void **state)
{
    (void)state;
    memset(&tally, 0, sizeof(tally));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run(seed, true);
    }
    assert_int_equal(tally.transfers, SEEDS * 12);
    assert_int_equal(tally.whole + tally.told, tally.transfers);
    assert_true(tally.told <= tally.transfers / 50);
    assert_true(tally.bytes > 5000000);
}

/* The paths were as bad as they are meant to be. */
static void test_paths_are_bad(void **state)
{
    (void)state;
    static const enum slt_sim_fault happen[] = {SLT_SIM_DROP, SLT_SIM_REORDER, SLT_SIM_DUPLICATE,
                                                SLT_SIM_FLIP};
    static const enum slt_sim_fault never[] = {SLT_SIM_CRASH, SLT_SIM_INJECT_RST, SLT_SIM_ALLOC,
                                               SLT_SIM_APP_ABORT, SLT_SIM_TRUNCATE};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(happen); i++) {
        assert_true(tally.fault[happen[i]] > 20);
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(never); i++) {
        assert_int_equal(tally.fault[never[i]], 0);
    }
}

static void test_reproducible(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 104; seed++) {
        uint64_t first = run(seed, true).hash;
        assert_true(run(seed, true).hash == first);
        assert_true(run(seed, false).hash != first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_paths_are_bad),
        cmocka_unit_test(test_reproducible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
