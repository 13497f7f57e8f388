/* Congestion control's doors and NewReno (RFC 5681, 6928, 7661), by the numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "salut/salut.h"
#include "support/cc_path.h"

#include <string.h>

#define MSS 1000U

struct fixture {
    struct salut_config config;
    struct slt_tcp_cc cc;
    struct slt_cc_ack ack;
    struct slt_cc_loss loss;
};

static void start(struct fixture *f, uint8_t which, enum salut_profile profile)
{
    memset(f, 0, sizeof(*f));
    salut_config_init(&f->config, profile);
    slt_cc_init(&f->cc, &f->config, which, MSS, SLT_NS_PER_S);
    f->ack = (struct slt_cc_ack){.now_ns = SLT_NS_PER_S,
                                 .una = 1000,
                                 .nxt = 100000,
                                 .mss = MSS,
                                 .srtt_us = 50000,
                                 .min_rtt_us = 50000,
                                 .cwnd_limited = true};
    f->loss = (struct slt_cc_loss){
        .now_ns = SLT_NS_PER_S, .una = 1, .mss = MSS, .lost_bytes = MSS, .first = true};
}

static void ack_bytes(struct fixture *f, uint32_t bytes)
{
    f->ack.acked_bytes = bytes;
    f->ack.delivered_bytes = bytes;
    slt_cc_on_ack(&f->cc, &f->ack);
}

static void t_r6928_01_initial_window(void **ctx)
{
    struct fixture f;
    static const struct {
        uint32_t mss, window;
    } rows[] = {{1460, 14600}, {1000, 10000}, {536, 5360},  {1461, 14600},
                {4000, 14600}, {7300, 14600}, {8960, 17920}};

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_RFC);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slt_cc_init(&f.cc, &f.config, SALUT_CC_NEWRENO, rows[i].mss, 0);
        assert_int_equal(f.cc.cwnd_bytes, rows[i].window);
    }
}

static void t_r5681_05_slow_start_is_one_segment_an_ack(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_RFC);
    ack_bytes(&f, 500);
    assert_int_equal(f.cc.cwnd_bytes, 10500);
    ack_bytes(&f, 4000);
    assert_int_equal(f.cc.cwnd_bytes, 11500);
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_LINUX); /* RFC 3465: two */
    ack_bytes(&f, 4000);
    assert_int_equal(f.cc.cwnd_bytes, 12000);
    f.loss.nxt = 12001; /* RFC 3465 2.3: one after a timeout */
    f.loss.flight_bytes = 12000;
    slt_cc_on_timeout(&f.cc, &f.loss);
    ack_bytes(&f, 4000);
    assert_int_equal(f.cc.cwnd_bytes, 2000);
}

static void t_r5681_06_avoidance_is_one_segment_a_window(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_RFC);
    f.cc.ssthresh_bytes = f.cc.cwnd_bytes;
    for (int i = 0; i < 9; i++) {
        ack_bytes(&f, MSS);
        assert_int_equal(f.cc.cwnd_bytes, 10000);
    }
    ack_bytes(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 11000);
    for (int i = 0; i < 11; i++) {
        ack_bytes(&f, MSS);
    }
    assert_int_equal(f.cc.cwnd_bytes, 12000);
}

/* After a timeout most of what is acknowledged at once was sent in another window's time. */
static void t_r5681_06_one_acknowledgement_is_one_window_at_most(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_RFC);
    f.cc.ssthresh_bytes = f.cc.cwnd_bytes;
    ack_bytes(&f, 45 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, 11000);
    ack_bytes(&f, 0); /* a duplicate grows nothing, whatever was counted before it */
    f.ack.delivered_bytes = MSS;
    slt_cc_on_ack(&f.cc, &f.ack);
    for (int i = 0; i < 10; i++) {
        ack_bytes(&f, MSS);
        assert_int_equal(f.cc.cwnd_bytes, 11000);
    }
    ack_bytes(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 12000);
}

/* What was counted for a larger window is no credit once slow start has led back to avoidance. */
static void t_r5681_06_slow_start_forgets_the_count(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_RFC);
    f.cc.ssthresh_bytes = f.cc.cwnd_bytes;
    for (int i = 0; i < 9; i++) {
        ack_bytes(&f, MSS);
    }
    slt_cc_on_mss(&f.cc, MSS, 900); /* the path MTU fell: 9000 of 10000 are left */
    f.ack.mss = 900;
    ack_bytes(&f, 900);
    assert_int_equal(f.cc.cwnd_bytes, 9900);
    ack_bytes(&f, 900);
    ack_bytes(&f, 900);
    assert_int_equal(f.cc.cwnd_bytes, 10000);
}

static void t_r5681_07_r5681_10_reductions(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_RFC);
    f.loss.nxt = 8001; /* half of what is out, not of the window */
    f.loss.flight_bytes = 7000;
    slt_cc_on_congestion(&f.cc, &f.loss, SLT_CC_LOSS);
    assert_int_equal(f.cc.ssthresh_bytes, 4000);
    slt_cc_set_window(&f.cc, 5000, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 5000);
    f.ack.ca_state = SALUT_CA_RECOVERY; /* during an episode the window is not ours */
    ack_bytes(&f, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 5000);
    slt_cc_on_recovered(&f.cc, &f.ack);
    assert_int_equal(f.cc.cwnd_bytes, 4000);
    f.loss.nxt = 2001; /* at least two segments */
    f.loss.flight_bytes = 2000;
    slt_cc_on_timeout(&f.cc, &f.loss);
    assert_int_equal(f.cc.ssthresh_bytes, 2 * MSS);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    f.cc.ssthresh_bytes = 9000;
    f.loss.first = false; /* again, of the same octets */
    slt_cc_on_timeout(&f.cc, &f.loss);
    assert_int_equal(f.cc.ssthresh_bytes, 9000);
    assert_int_equal(f.cc.cwnd_bytes, MSS);
    slt_cc_on_recovered(&f.cc, &f.ack); /* slow start is on its way: no jump */
    assert_int_equal(f.cc.cwnd_bytes, MSS);
}

static void t_r5681_11_r5681_14_idle_and_mss(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_RFC);
    f.cc.cwnd_bytes = 50000;
    slt_cc_on_idle(&f.cc, &f.config, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 10000);
    f.cc.cwnd_bytes = 4000;
    slt_cc_on_idle(&f.cc, &f.config, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 4000);
    slt_cc_on_mss(&f.cc, MSS, 500);
    assert_int_equal(f.cc.cwnd_bytes, 2000);
    slt_cc_on_mss(&f.cc, 500, 3000); /* never below one segment */
    assert_int_equal(f.cc.cwnd_bytes, 3000);
}

static void t_a_window_nobody_fills_does_not_grow(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_NEWRENO, SALUT_PROFILE_LINUX);
    slt_cc_on_flight(&f.cc, 3000, false, 1, 3001);
    assert_false(slt_cc_is_limited(&f.cc)); /* three of ten segments */
    slt_cc_on_flight(&f.cc, 6000, false, 1, 6001);
    assert_true(slt_cc_is_limited(&f.cc)); /* slow start doubles what is used */
    f.cc.ssthresh_bytes = 5000;
    assert_false(slt_cc_is_limited(&f.cc));
    slt_cc_on_flight(&f.cc, 10000, true, 1, 10001);
    assert_true(slt_cc_is_limited(&f.cc));
    slt_cc_on_flight(&f.cc, 2000, false, 5000, 10001); /* the same window of data */
    assert_true(slt_cc_is_limited(&f.cc));
    slt_cc_on_flight(&f.cc, 2000, false, 10001, 12001);
    assert_false(slt_cc_is_limited(&f.cc));
    f.ack.cwnd_limited = false;
    ack_bytes(&f, 2000);
    assert_int_equal(f.cc.cwnd_bytes, 10000);
    f.ack.now_ns += 301 * SLT_NS_PER_S; /* RFC 7661 4.4.3 */
    f.cc.cwnd_bytes = 40000;
    ack_bytes(&f, 2000);
    assert_int_equal(f.cc.cwnd_bytes, 20000);
    assert_int_equal(f.cc.ssthresh_bytes, 30000);
}

static void t_an_undo_brings_back_what_was(void **ctx)
{
    (void)ctx;
    for (uint8_t which = 0; which < SALUT_CC_COUNT; which++) {
        struct fixture f;
        start(&f, which, SALUT_PROFILE_LINUX);
        f.cc.cwnd_bytes = 20000;
        f.cc.ssthresh_bytes = 16000;
        f.loss.nxt = 20001;
        f.loss.flight_bytes = 20000;
        slt_cc_on_timeout(&f.cc, &f.loss);
        assert_int_equal(f.cc.cwnd_bytes, MSS);
        f.loss.first = false;
        slt_cc_on_timeout(&f.cc, &f.loss);
        slt_cc_undo(&f.cc, MSS);
        assert_int_equal(f.cc.cwnd_bytes, 20000);
        assert_int_equal(f.cc.ssthresh_bytes, 16000);
        slt_cc_undo(&f.cc, MSS); /* once */
        assert_int_equal(f.cc.cwnd_bytes, 20000);
    }
}

static void t_every_algorithm_folds(void **ctx)
{
    (void)ctx;
    for (uint8_t which = 0; which < SALUT_CC_COUNT; which++) {
        struct fixture f;
        struct slt_tcp_cc_fold fold;
        start(&f, which, SALUT_PROFILE_LINUX);
        for (int i = 0; i < 50; i++) {
            ack_bytes(&f, MSS);
        }
        slt_cc_fold(&f.cc, &fold);
        struct slt_tcp_cc again;
        slt_cc_init(&again, &f.config, which, MSS, 2 * SLT_NS_PER_S);
        slt_cc_unfold(&again, &fold);
        assert_int_equal(again.cwnd_bytes, f.cc.cwnd_bytes);
        assert_int_equal(again.ssthresh_bytes, f.cc.ssthresh_bytes);
        struct slt_tcp_cc_fold twice;
        slt_cc_fold(&again, &twice);
        assert_int_equal(twice.word, fold.word);
        slt_cc_forget(&fold);
        slt_cc_unfold(&again, &fold);
        assert_int_equal(again.cwnd_bytes, f.cc.cwnd_bytes);
    }
}

static void t_names(void **ctx)
{
    uint8_t which = 99;

    (void)ctx;
    assert_true(slt_cc_find("reno", 4, &which));
    assert_int_equal(which, SALUT_CC_NEWRENO);
    assert_true(slt_cc_find("bbr-and-more", 3, &which));
    assert_int_equal(which, SALUT_CC_BBR);
    assert_false(slt_cc_find("cubi", 4, &which));
    assert_false(slt_cc_find("cubic2", 6, &which));
    assert_string_equal(slt_cc_name(SALUT_CC_CUBIC), "cubic");
}

static void t_a_switch_keeps_the_window(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_CUBIC, SALUT_PROFILE_LINUX);
    f.cc.cwnd_bytes = 30000;
    f.cc.ssthresh_bytes = 20000;
    slt_cc_switch(&f.cc, &f.config, SALUT_CC_NEWRENO, MSS, SLT_NS_PER_S);
    assert_int_equal(f.cc.which, SALUT_CC_NEWRENO);
    assert_int_equal(f.cc.cwnd_bytes, 30000);
    assert_int_equal(f.cc.ssthresh_bytes, 20000);
}

/* R9937-05: an episode that runs ends at its threshold, whoever set it. */
static void t_a_switch_keeps_the_episode(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f, SALUT_CC_CUBIC, SALUT_PROFILE_LINUX);
    f.cc.cwnd_bytes = 30000;
    f.loss.flight_bytes = 30000;
    f.loss.nxt = 30001;
    slt_cc_on_congestion(&f.cc, &f.loss, SLT_CC_LOSS);
    uint32_t ssthresh = f.cc.ssthresh_bytes;
    assert_in_range(ssthresh, 2 * MSS, 29999);
    slt_cc_switch(&f.cc, &f.config, SALUT_CC_NEWRENO, MSS, SLT_NS_PER_S);
    slt_cc_on_recovered(&f.cc, &f.ack);
    assert_int_equal(f.cc.cwnd_bytes, ssthresh);
    slt_cc_undo(&f.cc, MSS);
    assert_int_equal(f.cc.cwnd_bytes, 30000);
}

/* Two losses in two windows are two reductions (R5681-13); the sawtooth fills the path. */
static void t_r5681_13_newreno_fills_a_path(void **ctx)
{
    struct cc_path *path = cc_path_make(SALUT_CC_NEWRENO);

    (void)ctx;
    path->bytes_per_s = 1250000;
    path->rtt_ns = 20 * SLT_NS_PER_MS;
    path->queue_bytes = cc_path_bdp(path);
    cc_path_start(path);
    cc_path_run(path, 20 * SLT_NS_PER_S);
    assert_true(path->episodes >= 2);
    assert_true(path->delivered_bytes > 20 * path->bytes_per_s * 95 / 100);
    cc_path_free(path);
}

/* Above a gap nothing grows, unless the path reorders: then there may always be a gap. */
static void t_what_is_sacked_counts_where_paths_reorder(void **ctx)
{
    (void)ctx;
    for (uint8_t which = SALUT_CC_CUBIC; which <= SALUT_CC_NEWRENO; which++) {
        struct fixture f;
        start(&f, which, SALUT_PROFILE_LINUX);
        uint32_t before = f.cc.cwnd_bytes;
        f.ack.delivered_bytes = MSS;
        slt_cc_on_ack(&f.cc, &f.ack);
        assert_int_equal(f.cc.cwnd_bytes, before);
        f.ack.reordering = true;
        slt_cc_on_ack(&f.cc, &f.ack);
        assert_int_equal(f.cc.cwnd_bytes, before + MSS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_what_is_sacked_counts_where_paths_reorder),
        cmocka_unit_test(t_r6928_01_initial_window),
        cmocka_unit_test(t_r5681_05_slow_start_is_one_segment_an_ack),
        cmocka_unit_test(t_r5681_06_avoidance_is_one_segment_a_window),
        cmocka_unit_test(t_r5681_06_one_acknowledgement_is_one_window_at_most),
        cmocka_unit_test(t_r5681_06_slow_start_forgets_the_count),
        cmocka_unit_test(t_r5681_07_r5681_10_reductions),
        cmocka_unit_test(t_r5681_11_r5681_14_idle_and_mss),
        cmocka_unit_test(t_a_window_nobody_fills_does_not_grow),
        cmocka_unit_test(t_an_undo_brings_back_what_was),
        cmocka_unit_test(t_every_algorithm_folds),
        cmocka_unit_test(t_names),
        cmocka_unit_test(t_a_switch_keeps_the_window),
        cmocka_unit_test(t_a_switch_keeps_the_episode),
        cmocka_unit_test(t_r5681_13_newreno_fills_a_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
