/* Proportional rate reduction as arithmetic: what leaves for what is delivered (RFC 9937 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcp/engine.h"

#define MSS 1000

struct episode {
    struct slt_prr prr;
    int64_t flight;
    uint32_t ssthresh;
};

/* One acknowledgement delivers and finds lost; what the window lets go leaves at once. */
static int64_t on_ack(struct episode *e, uint32_t delivered, uint32_t acked, uint32_t lost)
{
    struct slt_delivery d = {
        .delivered_bytes = delivered, .acked_bytes = acked, .lost_bytes = lost};

    e->flight -= delivered + lost;
    int64_t window = slt_prr_on_ack(&e->prr, e->flight, e->ssthresh, MSS, &d);
    int64_t segments = (window - e->flight) / MSS;
    slt_prr_on_sent(&e->prr, (uint32_t)(segments * MSS));
    e->flight += segments * MSS;
    return segments;
}

static struct episode begin(int64_t flight, uint32_t ssthresh)
{
    struct episode e = {.flight = flight, .ssthresh = ssthresh};

    slt_prr_begin(&e.prr, flight);
    return e;
}

static void t_r9937_02_halving_sends_one_for_two(void **ctx)
{
    struct episode e = begin(20 * MSS, 10 * MSS);
    int64_t sent = on_ack(&e, MSS, 0, MSS); /* R9937-04: the retransmission leaves at once */

    (void)ctx;
    assert_int_equal(sent, 1);
    for (int i = 2; i <= 19; i++) {
        sent += on_ack(&e, MSS, 0, 0);
        assert_true(sent <= (i + 1) / 2);
    }
    assert_true(e.flight >= 9 * MSS);
    assert_true(e.flight <= 10 * MSS); /* the window is down when the round trip is over */
}

static void t_r9937_03_below_the_threshold_it_is_conservative(void **ctx)
{
    struct episode e = begin(20 * MSS, 14 * MSS);

    (void)ctx;
    on_ack(&e, 2 * MSS, 0, 15 * MSS);             /* nearly everything is lost */
    assert_int_equal(e.flight, 5 * MSS);          /* two for the two delivered */
    assert_int_equal(on_ack(&e, MSS, 0, MSS), 1); /* more loss: what is delivered, no more */
    assert_int_equal(on_ack(&e, MSS, MSS, 0), 2); /* progress without loss: one more */
}

static void t_r9937_03_never_beyond_the_threshold(void **ctx)
{
    struct episode e = begin(10 * MSS, 7 * MSS);

    (void)ctx;
    on_ack(&e, MSS, 0, MSS);
    for (int i = 0; i < 30; i++) {
        on_ack(&e, MSS, MSS, 0);
        assert_true(e.flight <= 8 * MSS);
    }
    assert_int_equal(e.flight, 7 * MSS);
}

static void t_r9937_04_less_than_a_segment_is_forced_once(void **ctx)
{
    struct episode e = begin(10 * MSS, 5 * MSS);

    (void)ctx;
    assert_int_equal(on_ack(&e, 10, 0, MSS), 1);
    assert_int_equal(on_ack(&e, 10, 0, 0), 0);
}

static void t_what_is_over_meters_nothing(void **ctx)
{
    struct episode e = begin(10 * MSS, 5 * MSS);

    (void)ctx;
    slt_prr_end(&e.prr);
    slt_prr_on_sent(&e.prr, 5000);
    assert_int_equal(e.prr.out_bytes, 0);
    assert_int_equal(e.prr.flight_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r9937_02_halving_sends_one_for_two),
        cmocka_unit_test(t_r9937_03_below_the_threshold_it_is_conservative),
        cmocka_unit_test(t_r9937_03_never_beyond_the_threshold),
        cmocka_unit_test(t_r9937_04_less_than_a_segment_is_forced_once),
        cmocka_unit_test(t_what_is_over_meters_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
