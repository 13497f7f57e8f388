/* What users write to make a link a bad one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sock/impair_spec.h"

static void every_word(void **state)
{
    struct slt_impair_params p;
    (void)state;
    assert_null(slt_impair_spec_parse("loss=1%,dup=2.5%,reorder=500ppm,corrupt=0.1%,delay=20ms,"
                                      "jitter=5ms,rate=10mbit,queue=100,seed=77",
                                      &p));
    assert_int_equal(p.seed, 77);
    assert_int_equal(p.out.loss_ppm, 10000);
    assert_int_equal(p.out.duplicate_ppm, 25000);
    assert_int_equal(p.out.reorder_ppm, 500);
    assert_int_equal(p.out.corrupt_ppm, 1000);
    assert_int_equal(p.out.delay_ns, 20000000);
    assert_int_equal(p.out.jitter_ns, 5000000);
    assert_int_equal(p.out.rate_bits_per_s, 10000000);
    assert_int_equal(p.out.queue_frames_max, 100);
    assert_int_equal(p.in.loss_ppm, 10000);
    assert_int_equal(p.in.delay_ns, 20000000);
    assert_null(slt_impair_spec_parse("", &p));
    assert_int_equal(p.out.loss_ppm, 0);
}

static void mistakes(void **state)
{
    static const char *const bad[] = {
        "loss",       "loss=",     "loss=1",  "loss=101%",         "loss=-1%", "lose=1%",
        "delay=5",    "delay=5%",  "rate=10", "jitter=5ms",        "seed=x",   "loss=1%;dup=1%",
        "queue=1e99", "loss=nan%", "=1%",     "delay=9999999999s", "loss=1%,,"};
    struct slt_impair_params p;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (slt_impair_spec_parse(bad[i], &p) == NULL) {
            fail_msg("'%s' was accepted", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_word), cmocka_unit_test(mistakes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
