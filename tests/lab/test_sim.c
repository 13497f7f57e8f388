/* The simulator itself: some hundred seeds hold, a seed is a whole run, everything has a name. What
 * it can see is proved by tests/breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "lab/sim.h"
#include "salut/salut.h"

#define SEEDS 300

_Noreturn void salut_fault(const char *file, int line, const char *what)
{
    if (!slt_sim_caught(file, line, what)) {
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
    }
    abort();
}

static struct slt_sim_tally tally;

static struct slt_sim_result run(uint64_t seed)
{
    struct slt_sim_options options = {.seed = seed};
    struct slt_sim_result result;
    slt_sim_run(&options, &result, &tally);
    if (result.failed) {
        fail_msg("seed %llu, turn %llu: %s", (unsigned long long)seed,
                 (unsigned long long)result.turn, result.sentence);
    }
    return result;
}

static void test_seeds_hold(void **state)
{
    (void)state;
    memset(&tally, 0, sizeof(tally));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run(seed);
    }
    assert_int_equal(tally.runs, SEEDS);
    assert_true(tally.bytes > 1000000);
    assert_true(tally.packets > 10000);
}

/* What happens often enough to happen here: the full count is the 10,000 seeds of `sim`. */
static void test_every_state_is_entered(void **state)
{
    (void)state;
    for (int i = 0; i < SALUT_STATE_COUNT; i++) {
        assert_true(tally.state[i] > 0);
    }
    assert_true(tally.fault[SLT_SIM_DROP] > 0);
    assert_true(tally.fault[SLT_SIM_CRASH] > 0);
    assert_true(tally.fault[SLT_SIM_SIMULTANEOUS] > 0);
    assert_true(tally.reason[SLT_SEND_RETRANSMIT_RTO] > 0);
    assert_true(tally.checked[12] > 0);
}

static void test_a_seed_is_a_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1000; seed < 1020; seed++) {
        uint64_t hash = run(seed).hash;
        assert_true(run(seed).hash == hash);
        assert_true(run(seed + 100).hash != hash);
    }
}

static void test_faults_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < SLT_SIM_FAULT_COUNT; i++) {
        const char *name = slt_sim_fault_name((enum slt_sim_fault)i);
        assert_non_null(name);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(name, slt_sim_fault_name((enum slt_sim_fault)k));
        }
    }
}

/* An excuse is for what never happens: whatever did happen must have none. */
static void test_excuses_are_true(void **state)
{
    (void)state;
    for (int i = 1; i < SLT_REASON_COUNT; i++) {
        if (tally.reason[i] > 0) {
            assert_null(slt_sim_unreachable((enum slt_reason)i));
        }
    }
}

static void test_faults_outside_a_run(void **state)
{
    (void)state;
    assert_false(slt_sim_caught("file.c", 1, "nothing runs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds_hold),       cmocka_unit_test(test_every_state_is_entered),
        cmocka_unit_test(test_a_seed_is_a_run),  cmocka_unit_test(test_faults_have_names),
        cmocka_unit_test(test_excuses_are_true), cmocka_unit_test(test_faults_outside_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
