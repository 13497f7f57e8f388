/* BBR on a path: it finds the bandwidth, keeps the queue small, looks for more and for the empty
 * path in their time, and bears losses (conformance BBR-01 to BBR-10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/cc_path.h"
#include "tcp/cc_bbr.h"

#include <string.h>

static struct cc_path *make(uint64_t bytes_per_s, int64_t rtt_ms, uint32_t queue_percent)
{
    struct cc_path *path = cc_path_make(SALUT_CC_BBR);

    path->bytes_per_s = bytes_per_s;
    path->rtt_ns = rtt_ms * SLT_NS_PER_MS;
    path->queue_bytes = cc_path_bdp(path) / 100 * queue_percent;
    cc_path_start(path);
    return path;
}

static bool within(uint64_t value, uint64_t want, uint32_t percent)
{
    return value * 100 >= want * (100 - percent) && value * 100 <= want * (100 + percent);
}

/* BBR-01, BBR-03, BBR-07: the bandwidth is known to 5 per cent, whatever the path. */
static void t_bbr_01_finds_the_bandwidth(void **ctx)
{
    static const struct {
        uint64_t bytes_per_s;
        int64_t rtt_ms;
    } rows[] = {{125000, 40}, {2500000, 10}, {2500000, 50}, {2500000, 200}, {25000000, 50}};

    (void)ctx;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cc_path *path = make(rows[i].bytes_per_s, rows[i].rtt_ms, 400);
        cc_path_run(path, 10 * SLT_NS_PER_S);
        uint64_t bw = (uint64_t)bbr_max_bw(&path->cc.of.bbr) * BBR_BW_UNIT;
        assert_true(within(bw, path->bytes_per_s, 5));
        assert_int_equal(path->drops, 0);
        uint64_t before = path->delivered_bytes;
        cc_path_run(path, 10 * SLT_NS_PER_S);
        assert_true(path->delivered_bytes - before >= 10 * path->bytes_per_s * 93 / 100);
        cc_path_free(path);
    }
}

/* The mean queue is a small part of what a window-filling sender would keep there. */
static void t_bbr_keeps_the_queue_small(void **ctx)
{
    struct cc_path *path = make(2500000, 50, 400);

    (void)ctx;
    cc_path_run(path, 5 * SLT_NS_PER_S);
    uint64_t packets = path->sent_packets;
    uint64_t queued = path->queue_sum_bytes;
    cc_path_run(path, 20 * SLT_NS_PER_S);
    uint64_t mean = (path->queue_sum_bytes - queued) / (path->sent_packets - packets);
    assert_true(mean < cc_path_bdp(path) / 5);
    assert_int_equal(path->drops, 0);
    cc_path_free(path);
}

struct walk {
    uint32_t seen[BBR_PHASE_COUNT]; /* times entered */
    uint8_t last;
    bool illegal;
    int64_t down_at_ns;
    int64_t probe_gap_max_ns;
};

/* BBR's figure: which state follows which. */
static void watch_states(struct cc_path *path)
{
    static const uint32_t next[BBR_PHASE_COUNT] = {
        [BBR_STARTUP] = 1U << BBR_DRAIN | 1U << BBR_PROBE_RTT | 1U << BBR_DOWN | 1U << BBR_CRUISE,
        [BBR_DRAIN] = 1U << BBR_DOWN | 1U << BBR_CRUISE | 1U << BBR_PROBE_RTT,
        [BBR_DOWN] = 1U << BBR_CRUISE | 1U << BBR_REFILL | 1U << BBR_PROBE_RTT,
        [BBR_CRUISE] = 1U << BBR_REFILL | 1U << BBR_PROBE_RTT,
        [BBR_REFILL] = 1U << BBR_UP | 1U << BBR_PROBE_RTT,
        [BBR_UP] = 1U << BBR_DOWN | 1U << BBR_PROBE_RTT | 1U << BBR_CRUISE,
        [BBR_PROBE_RTT] = 1U << BBR_CRUISE | 1U << BBR_STARTUP,
    };
    struct walk *walk = path->ctx;
    uint8_t state = path->cc.of.bbr.phase;

    if (state == walk->last) {
        return;
    }
    if (!(next[walk->last] & 1U << state)) {
        walk->illegal = true;
    }
    walk->seen[state]++;
    if (state == BBR_REFILL && walk->down_at_ns != 0) {
        walk->probe_gap_max_ns = slt_max64(walk->probe_gap_max_ns, path->now_ns - walk->down_at_ns);
    }
    if (state == BBR_DOWN) {
        walk->down_at_ns = path->now_ns;
    }
    walk->last = state;
}

/* BBR-02, BBR-04, BBR-06: the cycle turns, every two to three seconds for more, and every five to
 * ten for the empty path. */
static void t_bbr_04_bbr_06_the_cycle_turns(void **ctx)
{
    struct cc_path *path = make(2500000, 50, 200);
    struct walk walk = {.last = BBR_STARTUP};

    (void)ctx;
    path->on_ack = watch_states;
    path->ctx = &walk;
    cc_path_run(path, 60 * SLT_NS_PER_S);
    assert_false(walk.illegal);
    assert_int_equal(walk.seen[BBR_STARTUP], 0); /* never again */
    assert_int_equal(walk.seen[BBR_DRAIN], 1);
    assert_true(walk.seen[BBR_UP] >= 10);
    assert_true(walk.seen[BBR_UP] <= 35);
    assert_in_range(walk.seen[BBR_PROBE_RTT], 5, 13);
    assert_true(walk.probe_gap_max_ns < 6 * SLT_NS_PER_S);
    assert_true(within(path->cc.of.bbr.min_rtt_us, 50000, 5));
    cc_path_free(path);
}

/* BBR-05: one per cent of losses is borne, on slow and fast, short and long paths, and with a queue
 * that is shallow: a loss of one segment in a short round trip is no rate. */
static void t_bbr_05_bears_one_per_cent(void **ctx)
{
    static const struct {
        uint64_t bytes_per_s;
        int64_t rtt_ms;
        uint32_t queue_percent;
    } rows[] = {{2500000, 10, 100}, {2500000, 10, 25},  {2500000, 50, 100},  {2500000, 50, 25},
                {2500000, 200, 25}, {25000000, 10, 25}, {25000000, 50, 100}, {25000000, 50, 25}};

    (void)ctx;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cc_path *path = make(rows[i].bytes_per_s, rows[i].rtt_ms, rows[i].queue_percent);
        path->loss_per_million = 10000;
        cc_path_run(path, 3 * SLT_NS_PER_S);
        uint64_t before = path->delivered_bytes;
        cc_path_run(path, 17 * SLT_NS_PER_S);
        assert_true(path->delivered_bytes - before >= 17 * path->bytes_per_s * 92 / 100);
        cc_path_free(path);
    }
}

/* BBR-05: three per cent are borne where the configuration says that the path is like that, and by
 * nobody else. */
static void t_bbr_05_bears_what_the_configuration_says(void **ctx)
{
    static const uint8_t bears[2] = {2, 5};
    uint64_t got[2];

    (void)ctx;
    for (unsigned i = 0; i < 2; i++) {
        struct cc_path *path = cc_path_make(SALUT_CC_BBR);
        path->config.bbr_loss_percent = bears[i];
        path->bytes_per_s = 25000000;
        path->rtt_ns = 50 * SLT_NS_PER_MS;
        path->queue_bytes = cc_path_bdp(path) / 4;
        path->loss_per_million = 30000;
        cc_path_start(path);
        cc_path_run(path, 20 * SLT_NS_PER_S);
        got[i] = path->delivered_bytes;
        cc_path_free(path);
    }
    assert_true(got[1] >= UINT64_C(20) * 25000000 * 85 / 100);
    assert_true(got[0] < got[1] * 2 / 3);
}

static bool too_high_for(uint8_t loss_percent, uint32_t lost_segs, uint32_t flight_segs)
{
    struct slt_cc_bbr bbr = {.loss_percent = loss_percent};
    struct slt_cc_ack ack = {.mss = 1000};

    ack.rate.any = true;
    ack.rate.lost_bytes = lost_segs * 1000;
    ack.rate.flight_bytes = flight_segs * 1000;
    return bbr_inflight_too_high(&bbr, &ack);
}

static bool too_high(uint32_t lost_segs, uint32_t flight_segs)
{
    return too_high_for(2, lost_segs, flight_segs);
}

/* BBR-05: two per cent, three segments more, and an eighth of a flight that is small. */
static void t_bbr_05_what_is_too_much(void **ctx)
{
    (void)ctx;
    assert_false(too_high(23, 1000));
    assert_true(too_high(24, 1000));
    assert_false(too_high(4, 80));
    assert_true(too_high(5, 80));
    assert_false(too_high(2, 16));
    assert_true(too_high(3, 16));
    assert_false(too_high(0, 4));
    assert_true(too_high(1, 4));
    assert_false(too_high_for(5, 53, 1000));
    assert_true(too_high_for(5, 54, 1000));
}

/* BBR-03: what Startup's last round delivered is known in Drain; the bound learns it. */
static void t_bbr_03_drain_completes_the_bound(void **ctx)
{
    struct cc_path *path = make(25000000, 50, 25);
    struct slt_cc_bbr *b = &path->cc.of.bbr;

    (void)ctx;
    for (int i = 0; i < 2000 && b->phase == BBR_STARTUP; i++) {
        cc_path_run(path, SLT_NS_PER_MS);
    }
    assert_int_equal(b->phase, BBR_DRAIN);
    b->inflight_longterm = cc_path_bdp(path) / 2; /* as if the rate had not been known yet */
    for (int i = 0; i < 2000 && b->phase == BBR_DRAIN; i++) {
        cc_path_run(path, SLT_NS_PER_MS);
    }
    assert_true(b->inflight_longterm >= cc_path_bdp(path) / 100 * 98);
    cc_path_free(path);
}

/* BBR-08: a shallow queue teaches the long-term bound. */
static void t_bbr_08_a_shallow_queue(void **ctx)
{
    struct cc_path *path = make(2500000, 50, 25);

    (void)ctx;
    cc_path_run(path, 40 * SLT_NS_PER_S);
    assert_true(path->delivered_bytes >= 40 * path->bytes_per_s * 92 / 100);
    assert_true(path->drops * 100 <= path->sent_packets); /* no more than it must */
    assert_true(path->cc.of.bbr.inflight_longterm != BBR_NO_BOUND);
    cc_path_free(path);
}

/* BBR-08: an application that sends little is not taken for a slow path. */
static void t_bbr_08_application_limited(void **ctx)
{
    struct cc_path *path = make(2500000, 50, 200);

    (void)ctx;
    cc_path_run(path, 3 * SLT_NS_PER_S);
    uint32_t bw = bbr_max_bw(&path->cc.of.bbr);
    path->hungry = false;
    path->offered = path->nxt;
    for (int i = 0; i < 40; i++) { /* two seconds at a twentieth of the rate */
        cc_path_offer(path, 6000);
        cc_path_run(path, 50 * SLT_NS_PER_MS);
    }
    assert_true(within(bbr_max_bw(&path->cc.of.bbr), bw, 5));
    cc_path_free(path);
}

/* The path becomes four times as fast, then four times as slow: both are found. */
static void t_bbr_follows_the_path(void **ctx)
{
    struct cc_path *path = make(1250000, 40, 400);

    (void)ctx;
    cc_path_run(path, 10 * SLT_NS_PER_S);
    path->bytes_per_s = 5000000;
    cc_path_run(path, 15 * SLT_NS_PER_S);
    assert_true(within((uint64_t)bbr_max_bw(&path->cc.of.bbr) * BBR_BW_UNIT, 5000000, 10));
    path->bytes_per_s = 1250000;
    cc_path_run(path, 20 * SLT_NS_PER_S);
    uint64_t before = path->delivered_bytes;
    cc_path_run(path, 5 * SLT_NS_PER_S);
    assert_true(path->delivered_bytes - before >= 5 * path->bytes_per_s * 85 / 100);
    assert_true(within((uint64_t)bbr_max_bw(&path->cc.of.bbr) * BBR_BW_UNIT, 1250000, 10));
    cc_path_free(path);
}

/* BBR-09: a mark ends the probe for more like a loss does. */
static void t_bbr_09_marks(void **ctx)
{
    struct cc_path *path = make(2500000, 50, 400);
    struct slt_cc_loss loss = {.mss = 1448};

    (void)ctx;
    for (int i = 0; i < 2000 && path->cc.of.bbr.phase != BBR_UP; i++) {
        cc_path_run(path, 5 * SLT_NS_PER_MS);
    }
    assert_int_equal(path->cc.of.bbr.phase, BBR_UP);
    loss.flight_bytes = path->flight_bytes;
    slt_cc_on_congestion(&path->cc, &loss, SLT_CC_ECN);
    assert_true(path->cc.of.bbr.inflight_longterm != BBR_NO_BOUND);
    cc_path_run(path, 60 * SLT_NS_PER_MS);
    assert_int_not_equal(path->cc.of.bbr.phase, BBR_UP);
    cc_path_free(path);
}

static void watch_shortterm(struct cc_path *path)
{
    uint32_t *bounded = path->ctx; /* acknowledgements under such a bound, in Down and Cruise */
    const struct slt_cc_bbr *b = &path->cc.of.bbr;

    *bounded += (b->phase == BBR_DOWN || b->phase == BBR_CRUISE) && b->bw_shortterm != BBR_NO_BOUND;
}

/* What a probe itself lost is answered by the long-term bound alone, at whatever point of a round
 * Startup met the end of the queue; later losses are heard. */
static void t_bbr_08_a_probes_own_losses_leave_no_short_bound(void **ctx)
{
    (void)ctx;
    for (int64_t rtt_ms = 20; rtt_ms < 60; rtt_ms += 3) {
        struct cc_path *path = make(25000000, rtt_ms, 25);
        uint32_t bounded = 0;
        path->on_ack = watch_shortterm;
        path->ctx = &bounded;
        cc_path_run(path, 2 * SLT_NS_PER_S);
        assert_true(path->drops > 0);
        assert_int_equal(bounded, 0);
        path->loss_per_million = 60000;
        cc_path_run(path, SLT_NS_PER_S);
        assert_true(bounded > 0);
        cc_path_free(path);
    }
}

/* BBR-10: bounds that spurious losses taught are unlearnt, and Startup goes on. */
static void t_bbr_10_undo(void **ctx)
{
    struct cc_path *path = make(25000000, 100, 400);
    struct slt_cc_loss loss = {.mss = 1448, .first = true};

    (void)ctx;
    cc_path_run(path, 400 * SLT_NS_PER_MS);
    struct slt_cc_bbr *b = &path->cc.of.bbr;
    assert_int_equal(b->phase, BBR_STARTUP);
    uint32_t window = path->cc.cwnd_bytes;
    slt_cc_on_timeout(&path->cc, &loss);
    assert_int_equal(path->cc.cwnd_bytes, 1448);
    b->phase = BBR_CRUISE; /* what losses could have brought about meanwhile */
    bbr_mark(b, BBR_FULL_BW_EVER, true);
    b->bw_shortterm = 100;
    b->inflight_shortterm = 5000;
    b->inflight_longterm = 5000;
    slt_cc_undo(&path->cc, 1448);
    assert_int_equal(b->phase, BBR_STARTUP);
    assert_false(bbr_has(b, BBR_FULL_BW_EVER));
    assert_int_equal(b->bw_shortterm, BBR_NO_BOUND);
    assert_int_equal(b->inflight_shortterm, BBR_NO_BOUND);
    assert_int_equal(b->inflight_longterm, BBR_NO_BOUND);
    assert_int_equal(path->cc.cwnd_bytes, window);
    cc_path_free(path);
}

/* What was learnt survives a rest, to 24 bits. */
static void t_bbr_folds_its_bandwidth(void **ctx)
{
    struct cc_path *path = make(25000000, 50, 400);
    struct slt_tcp_cc_fold fold;
    struct slt_tcp_cc again;

    (void)ctx;
    cc_path_run(path, 5 * SLT_NS_PER_S);
    slt_cc_fold(&path->cc, &fold);
    slt_cc_init(&again, &path->config, SALUT_CC_BBR, 1448, path->now_ns);
    slt_cc_unfold(&again, &fold);
    assert_int_equal(bbr_max_bw(&again.of.bbr), bbr_max_bw(&path->cc.of.bbr));
    assert_int_equal(again.of.bbr.phase, BBR_CRUISE);
    assert_true(within(slt_cc_pacing_bytes_per_s(&again, 50000, 1448), 25000000, 5));
    slt_cc_on_idle(&again, &path->config, 1448); /* it paces what it knows */
    assert_int_equal(again.cwnd_bytes, path->cc.cwnd_bytes);
    cc_path_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_bbr_01_finds_the_bandwidth),
        cmocka_unit_test(t_bbr_keeps_the_queue_small),
        cmocka_unit_test(t_bbr_04_bbr_06_the_cycle_turns),
        cmocka_unit_test(t_bbr_05_bears_one_per_cent),
        cmocka_unit_test(t_bbr_05_bears_what_the_configuration_says),
        cmocka_unit_test(t_bbr_05_what_is_too_much),
        cmocka_unit_test(t_bbr_03_drain_completes_the_bound),
        cmocka_unit_test(t_bbr_08_a_shallow_queue),
        cmocka_unit_test(t_bbr_08_application_limited),
        cmocka_unit_test(t_bbr_follows_the_path),
        cmocka_unit_test(t_bbr_09_marks),
        cmocka_unit_test(t_bbr_08_a_probes_own_losses_leave_no_short_bound),
        cmocka_unit_test(t_bbr_10_undo),
        cmocka_unit_test(t_bbr_folds_its_bandwidth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
