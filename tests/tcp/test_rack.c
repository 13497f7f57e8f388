/* RACK's reordering window: when there is one, how it grows and shrinks (RFC 8985 6.2.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_pair.h"

#include <string.h>

struct fixture {
    struct pair pair;
    struct slt_tcp *tcp;
    struct slt_tcp_conn *c;
    struct slt_tcp_recovery *r;
};

static void set_up(struct fixture *f)
{
    pair_init(&f->pair);
    pair_connect(&f->pair);
    f->tcp = &f->pair.side[0].tcp;
    f->c = pair_conn(&f->pair, 0);
    assert_true(slt_tcp_cold_get(f->tcp, f->c, f->pair.now_ns));
    f->r = &f->c->cold->recovery;
    f->c->rtt.min_us = 80000;
    f->c->rtt.srtt8_us = 8 * 100000;
}

static void tear_down(struct fixture *f)
{
    f->r->records.sacked_segs = 0;
    pair_deinit(&f->pair);
}

static void t_r8985_06_no_window_without_reordering(void **ctx)
{
    struct fixture f;

    (void)ctx;
    set_up(&f);
    f.r->records.sacked_segs = 2;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 20000); /* a quarter of the smallest */
    f.r->records.sacked_segs = 3;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 0); /* DupThresh */
    f.r->records.sacked_segs = 1;
    f.r->ca_state = SALUT_CA_RECOVERY;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 0);
    f.r->ca_state = SALUT_CA_OPEN;
    f.r->rack.reordering_seen = true;
    f.r->records.sacked_segs = 3;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 20000);
    f.c->rtt.min_us = UINT32_MAX;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 0);
    tear_down(&f);
}

static void t_r8985_06_duplicates_widen_it_once_a_round(void **ctx)
{
    struct fixture f;

    (void)ctx;
    set_up(&f);
    f.r->rack.reordering_seen = true;
    slt_rack_on_ack(f.c, true);
    slt_rack_on_ack(f.c, true);
    assert_int_equal(f.r->rack.window_quarters, 3); /* una == nxt: every ACK ends a round */
    f.r->rack.dsack_round = f.c->snd.una + 1000;
    slt_rack_on_ack(f.c, true);
    assert_int_equal(f.r->rack.window_quarters, 3);
    assert_int_equal(slt_rack_window_us(f.c, f.r), 60000);
    f.r->rack.window_quarters = 100;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 100000); /* SRTT at most */
    tear_down(&f);
}

static void t_r8985_06_sixteen_recoveries_bring_it_back(void **ctx)
{
    struct fixture f;

    (void)ctx;
    set_up(&f);
    slt_rack_on_ack(f.c, true);
    for (int i = 0; i < 15; i++) {
        slt_rack_on_episode_over(&f.r->rack);
        assert_int_equal(f.r->rack.window_quarters, 2);
    }
    slt_rack_on_episode_over(&f.r->rack);
    assert_int_equal(f.r->rack.window_quarters, 1);
    slt_rack_on_episode_over(&f.r->rack);
    assert_int_equal(f.r->rack.window_quarters, 1);
    tear_down(&f);
}

/* What was sent again before it came late counts as reordering, too; a timeout that was early does
 * not: everything may have been late in order. */
static void t_r8985_05_a_spurious_recovery_is_reordering_seen(void **ctx)
{
    struct fixture f;

    (void)ctx;
    set_up(&f);
    f.r->records.sacked_segs = 3;
    slt_rack_on_spurious(&f.r->rack, false);
    assert_int_equal(slt_rack_window_us(f.c, f.r), 0);
    slt_rack_on_spurious(&f.r->rack, true);
    assert_int_equal(slt_rack_window_us(f.c, f.r), 20000);
    tear_down(&f);
}

/* R8985-07: where the round trip fell, what left before has the window from when its neighbours
 * came, and no more than SRTT. */
static void t_r8985_07_a_fallen_round_trip_widens_it(void **ctx)
{
    struct fixture f;

    (void)ctx;
    set_up(&f);
    f.r->rack.end = 1;
    f.r->rack.peak_us = 130000;
    f.r->rack.peak_last_us = 120000;
    f.r->rack.rtt_us = 100000;
    f.r->records.sacked_segs = 3;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 0); /* there is none yet */
    f.r->rack.reordering_seen = true;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 50000);
    f.r->rack.peak_us = 90000;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 40000);
    f.r->rack.peak_last_us = 90000;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 20000);
    f.r->rack.peak_us = 400000;
    assert_int_equal(slt_rack_window_us(f.c, f.r), 100000);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r8985_07_a_fallen_round_trip_widens_it),
        cmocka_unit_test(t_r8985_05_a_spurious_recovery_is_reordering_seen),
        cmocka_unit_test(t_r8985_06_no_window_without_reordering),
        cmocka_unit_test(t_r8985_06_duplicates_widen_it_once_a_round),
        cmocka_unit_test(t_r8985_06_sixteen_recoveries_bring_it_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
