/* CUBIC against the formulas of RFC 9438, computed here in floating point, and on a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "salut/salut.h"
#include "support/cc_path.h"
#include "tcp/cc_ops.h"

#include <string.h>

#define MSS 1000U

struct fixture {
    struct salut_config config;
    struct slt_tcp_cc cc;
    struct slt_cc_ack ack;
    struct slt_cc_loss loss;
};

static void start(struct fixture *f, uint32_t cwnd)
{
    memset(f, 0, sizeof(*f));
    salut_config_init(&f->config, SALUT_PROFILE_LINUX);
    slt_cc_init(&f->cc, &f->config, SALUT_CC_CUBIC, MSS, SLT_NS_PER_S);
    f->cc.cwnd_bytes = cwnd;
    f->ack = (struct slt_cc_ack){.now_ns = SLT_NS_PER_S,
                                 .una = 1,
                                 .nxt = (int64_t)cwnd + 1,
                                 .acked_bytes = MSS,
                                 .delivered_bytes = MSS,
                                 .mss = MSS,
                                 .srtt_us = 100000,
                                 .cwnd_limited = true};
    f->loss = (struct slt_cc_loss){.now_ns = SLT_NS_PER_S,
                                   .una = 1,
                                   .nxt = (int64_t)cwnd + 1,
                                   .flight_bytes = cwnd,
                                   .mss = MSS,
                                   .first = true};
}

static void lose(struct fixture *f)
{
    f->loss.nxt = f->loss.una + f->cc.cwnd_bytes;
    f->loss.flight_bytes = f->cc.cwnd_bytes;
    slt_cc_on_congestion(&f->cc, &f->loss, SLT_CC_LOSS);
    slt_cc_on_recovered(&f->cc, &f->ack);
}

/* One window of acknowledgements, spread over one round trip. */
static void one_round(struct fixture *f)
{
    uint32_t acks = f->cc.cwnd_bytes / MSS;

    for (uint32_t i = 0; i < acks; i++) {
        f->ack.now_ns += (int64_t)f->ack.srtt_us * SLT_NS_PER_US / acks;
        slt_cc_on_ack(&f->cc, &f->ack);
    }
}

static double cube(double x)
{
    return x * x * x;
}

static double cube_root(double x)
{
    double root = 1;

    for (int i = 0; i < 200; i++) {
        root = (2 * root + x / (root * root)) / 3;
    }
    return root;
}

static double distance(double a, double b)
{
    return a > b ? a - b : b - a;
}

static void t_cube_root_is_exact(void **ctx)
{
    (void)ctx;
    for (uint64_t root = 0; root < 2642245; root += 997) {
        uint64_t x = root * root * root;
        assert_int_equal(slt_cc_cube_root(x), root);
        assert_int_equal(slt_cc_cube_root(x + 3 * root * root + 3 * root), root);
    }
    assert_int_equal(slt_cc_cube_root(UINT64_MAX), 2642245);
    assert_int_equal(slt_cc_cube_root(7), 1);
    assert_int_equal(slt_cc_cube_root(8), 2);
}

/* R9438-01: C (t - K)^3 in octets, on both sides of K. */
static void t_r9438_01_the_cubic(void **ctx)
{
    (void)ctx;
    for (int64_t t_ms = -20000; t_ms <= 20000; t_ms += 37) {
        double want = 0.4 * cube((double)t_ms / 1000) * MSS;
        assert_true(distance((double)slt_cc_cubic_offset(t_ms, MSS), want) <= 2);
    }
    assert_true(slt_cc_cubic_offset(INT64_MAX, 65535) > 0); /* far off, nothing overflows */
    assert_true(slt_cc_cubic_offset(INT64_MIN, 65535) < 0);
}

/* R9438-01, R9438-02, R9438-05: after a loss the window follows the curve: 0.7 of what it was,
 * concave up to W_max at K, convex beyond. */
static void t_r9438_02_the_window_follows_the_curve(void **ctx)
{
    struct fixture f;
    double w_max = 1000;
    double k = cube_root(w_max * 0.3 / 0.4);
    double last_step = 1e9;

    (void)ctx;
    start(&f, 1000 * MSS);
    lose(&f);
    assert_int_equal(f.cc.cwnd_bytes, 700 * MSS);
    int64_t began_ns = f.ack.now_ns;
    for (int i = 0; i < 150; i++) {
        uint32_t before = f.cc.cwnd_bytes;
        one_round(&f);
        double t = (double)(f.ack.now_ns - began_ns) / 1e9;
        double want = 0.4 * cube(t - k) + w_max; /* the target lies a round trip ahead */
        double step = ((double)f.cc.cwnd_bytes - before) / MSS;
        assert_true(distance((double)f.cc.cwnd_bytes / MSS, want) < w_max * 0.02);
        if (t < k - 2) {
            assert_true(step <= last_step + 1); /* concave */
        } else if (t > k + 2) {
            assert_true(step >= last_step - 1); /* convex */
        }
        last_step = step;
    }
    assert_true(f.cc.cwnd_bytes > 1000 * MSS); /* it probed beyond */
}

/* R9438-02: never more than half a window beyond itself in one round trip. */
static void t_r9438_02_growth_is_clamped(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 10 * MSS);
    f.cc.ssthresh_bytes = 10 * MSS;
    one_round(&f);
    f.ack.now_ns += 100 * SLT_NS_PER_S;
    uint32_t before = f.cc.cwnd_bytes;
    one_round(&f);
    assert_true(f.cc.cwnd_bytes > before);
    assert_true(f.cc.cwnd_bytes <= before + before / 2 + MSS);
}

/* R9438-04: on a short path Reno would be faster, so its window rules: alpha = 9/17 segments a
 * round up to the old window, one segment beyond. */
static void t_r9438_04_reno_friendly(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 20 * MSS);
    f.ack.srtt_us = 5000;
    lose(&f);
    assert_int_equal(f.cc.cwnd_bytes, 14 * MSS);
    int rounds = 0;
    while (f.cc.cwnd_bytes < 19 * MSS) {
        one_round(&f);
        rounds++;
    }
    assert_in_range(rounds, 9, 12); /* five segments at 9/17 a round: 9.4 rounds */
    while (f.cc.cwnd_bytes < 21 * MSS) {
        one_round(&f);
    }
    uint32_t before = f.cc.cwnd_bytes;
    for (int i = 0; i < 5; i++) {
        one_round(&f);
    }
    assert_in_range(f.cc.cwnd_bytes - before, 4 * MSS, 6 * MSS);
}

/* R9438-06: a loss below the last maximum gives way. */
static void t_r9438_06_fast_convergence(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 100 * MSS);
    lose(&f);
    assert_int_equal(f.cc.of.cubic.w_max_bytes, 100 * MSS);
    f.cc.cwnd_bytes = 80 * MSS;
    lose(&f);
    assert_int_equal(f.cc.of.cubic.w_max_bytes, 68 * MSS); /* 80 * (1 + 0.7) / 2 */
    assert_int_equal(f.cc.cwnd_bytes, 56 * MSS);
}

/* R9438-05: at least two segments. */
static void t_r9438_05_floor(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 2 * MSS);
    lose(&f);
    assert_int_equal(f.cc.ssthresh_bytes, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 2 * MSS);
}

/* R9438-07: after a timeout slow start, then K = 0 and W_max where avoidance begins. */
static void t_r9438_07_timeout(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 100 * MSS);
    slt_cc_on_timeout(&f.cc, &f.loss);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, 70 * MSS);
    f.ack.ca_state = SALUT_CA_LOSS;
    for (int i = 0; i < 20 && f.cc.cwnd_bytes < f.cc.ssthresh_bytes; i++) {
        one_round(&f);
    }
    f.ack.ca_state = SALUT_CA_OPEN;
    one_round(&f);
    assert_int_equal(f.cc.of.cubic.k_ms, 0);
    assert_in_range(f.cc.of.cubic.w_max_bytes, 70 * MSS, 72 * MSS);
}

/* R9438-03, R9438-09: the clock stands still while the window is not what limits. */
static void t_r9438_03_idle_time_does_not_count(void **ctx)
{
    struct fixture busy;
    struct fixture lazy;

    (void)ctx;
    start(&busy, 1000 * MSS);
    lose(&busy);
    one_round(&busy);
    lazy = busy;
    lazy.ack.cwnd_limited = false;
    uint32_t window = lazy.cc.cwnd_bytes;
    for (int i = 0; i < 100; i++) { /* ten seconds of little to send */
        lazy.ack.now_ns += 100 * SLT_NS_PER_MS;
        slt_cc_on_ack(&lazy.cc, &lazy.ack);
    }
    assert_int_equal(lazy.cc.cwnd_bytes, window);
    lazy.ack.cwnd_limited = true;
    for (int i = 0; i < 20; i++) {
        one_round(&busy);
        one_round(&lazy);
    }
    assert_true(distance(busy.cc.cwnd_bytes, lazy.cc.cwnd_bytes) < 3 * MSS);
}

/* R9438-08: a spurious reduction leaves nothing behind. */
static void t_r9438_08_undo(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 1000 * MSS);
    lose(&f);
    for (int i = 0; i < 30; i++) {
        one_round(&f);
    }
    struct slt_tcp_cc before = f.cc;
    slt_cc_on_congestion(&f.cc, &f.loss, SLT_CC_LOSS);
    slt_cc_set_window(&f.cc, f.cc.ssthresh_bytes, MSS);
    slt_cc_undo(&f.cc, MSS);
    assert_int_equal(f.cc.cwnd_bytes, before.cwnd_bytes);
    assert_int_equal(f.cc.ssthresh_bytes, before.ssthresh_bytes);
    assert_int_equal(f.cc.of.cubic.w_max_bytes, before.of.cubic.w_max_bytes);
    assert_int_equal(f.cc.of.cubic.w_prior_bytes, before.of.cubic.w_prior_bytes);
    assert_int_equal(f.cc.of.cubic.k_ms, before.of.cubic.k_ms);
    assert_int_equal(f.cc.of.cubic.w_est_bytes, before.of.cubic.w_est_bytes);
    assert_true(f.cc.of.cubic.epoch_at_ns == before.of.cubic.epoch_at_ns);
}

/* Two reductions that are judged together: the undo goes back to before the first. */
static void t_r9438_08_undo_of_two(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 1000 * MSS);
    lose(&f);
    for (int i = 0; i < 30; i++) {
        one_round(&f);
    }
    struct slt_tcp_cc before = f.cc;
    lose(&f);
    one_round(&f);
    assert_true(f.cc.cwnd_bytes < before.cwnd_bytes);
    f.loss.joins = true;
    slt_cc_on_congestion(&f.cc, &f.loss, SLT_CC_LOSS);
    f.loss.joins = false;
    slt_cc_undo(&f.cc, MSS);
    assert_int_equal(f.cc.cwnd_bytes, before.cwnd_bytes);
    assert_int_equal(f.cc.ssthresh_bytes, before.ssthresh_bytes);
    assert_int_equal(f.cc.of.cubic.w_max_bytes, before.of.cubic.w_max_bytes);
    assert_int_equal(f.cc.of.cubic.w_prior_bytes, before.of.cubic.w_prior_bytes);
    assert_int_equal(f.cc.of.cubic.k_ms, before.of.cubic.k_ms);
}

/* R9438-08, R9406-04: a reduction that was spurious did not end the first slow start, which goes on
 * under HyStart++'s eye; one that was not, did. */
static void t_r9438_08_undo_leaves_the_first_slow_start_watched(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, 20 * MSS);
    uint32_t ssthresh_bytes = f.cc.ssthresh_bytes;
    slt_cc_on_congestion(&f.cc, &f.loss, SLT_CC_LOSS);
    assert_true(f.cc.of.cubic.hystart.over);
    slt_cc_undo(&f.cc, MSS);
    assert_int_equal(f.cc.ssthresh_bytes, ssthresh_bytes);
    assert_false(f.cc.of.cubic.hystart.over);
    lose(&f);
    slt_cc_on_congestion(&f.cc, &f.loss, SLT_CC_LOSS);
    slt_cc_undo(&f.cc, MSS);
    assert_true(f.cc.of.cubic.hystart.over);
}

/* Its share of a path: nearly all of it, with a quarter of a BDP of queue, too. */
static void t_cubic_fills_paths(void **ctx)
{
    static const struct {
        uint64_t bytes_per_s;
        int64_t rtt_ms;
        uint32_t queue_percent;
        uint32_t percent;
    } rows[] = {{2500000, 50, 100, 97},
                {2500000, 50, 25, 92},
                {2500000, 10, 100, 98},
                {2500000, 200, 100, 92},
                {12500000, 50, 100, 95}};

    (void)ctx;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cc_path *path = cc_path_make(SALUT_CC_CUBIC);
        path->bytes_per_s = rows[i].bytes_per_s;
        path->rtt_ns = rows[i].rtt_ms * SLT_NS_PER_MS;
        path->queue_bytes = cc_path_bdp(path) / 100 * rows[i].queue_percent;
        cc_path_start(path);
        cc_path_run(path, 30 * SLT_NS_PER_S);
        assert_true(path->delivered_bytes >= 30 * path->bytes_per_s / 100 * rows[i].percent);
        cc_path_free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_cube_root_is_exact),
        cmocka_unit_test(t_r9438_01_the_cubic),
        cmocka_unit_test(t_r9438_02_the_window_follows_the_curve),
        cmocka_unit_test(t_r9438_02_growth_is_clamped),
        cmocka_unit_test(t_r9438_04_reno_friendly),
        cmocka_unit_test(t_r9438_06_fast_convergence),
        cmocka_unit_test(t_r9438_05_floor),
        cmocka_unit_test(t_r9438_07_timeout),
        cmocka_unit_test(t_r9438_03_idle_time_does_not_count),
        cmocka_unit_test(t_r9438_08_undo),
        cmocka_unit_test(t_r9438_08_undo_of_two),
        cmocka_unit_test(t_r9438_08_undo_leaves_the_first_slow_start_watched),
        cmocka_unit_test(t_cubic_fills_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
