/* HyStart++ (RFC 9406), acknowledgement by acknowledgement and on a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/cc_path.h"
#include "tcp/cc_ops.h"

#include <string.h>

#define MSS 1000

struct fixture {
    struct slt_hystart h;
    struct slt_cc_ack ack;
};

static void start(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    slt_hystart_init(&f->h);
    f->ack.mss = MSS;
    f->ack.una = 1;
    f->ack.nxt = 20 * MSS;
}

/* One round by the algorithm's own clock: until it begins the next. */
static enum slt_hystart_phase whole_round(struct fixture *f, uint32_t rtt_us)
{
    int64_t end = f->h.window_end == 0 ? f->ack.nxt : f->h.window_end;
    enum slt_hystart_phase phase = SLT_HYSTART_SLOW_START;

    f->ack.rtt_us = rtt_us;
    do {
        f->ack.una += MSS;
        f->ack.nxt = f->ack.una + 20 * MSS;
        phase = slt_hystart_on_ack(&f->h, &f->ack, 20 * MSS);
    } while (!f->h.over && f->h.window_end == end);
    return phase;
}

static void t_r9406_02_thresholds(void **ctx)
{
    static const struct {
        uint32_t base_us, rise_us;
        bool slows;
    } rows[] = {{10000, 3999, false}, {10000, 4001, true},    {80000, 9999, false},
                {80000, 10001, true}, {400000, 15999, false}, {400000, 16001, true}};

    (void)ctx;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        start(&f);
        whole_round(&f, rows[i].base_us);
        whole_round(&f, rows[i].base_us);
        enum slt_hystart_phase phase = whole_round(&f, rows[i].base_us + rows[i].rise_us);
        assert_int_equal(phase, rows[i].slows ? SLT_HYSTART_CONSERVATIVE : SLT_HYSTART_SLOW_START);
    }
}

/* R9406-02: seven samples say nothing. */
static void t_r9406_02_eight_samples(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f);
    whole_round(&f, 50000);
    whole_round(&f, 50000);
    f.ack.rtt_us = 90000;
    for (int i = 1; i <= 8; i++) {
        f.ack.una += MSS;
        enum slt_hystart_phase phase = slt_hystart_on_ack(&f.h, &f.ack, 20 * MSS);
        assert_int_equal(phase, i < 8 ? SLT_HYSTART_SLOW_START : SLT_HYSTART_CONSERVATIVE);
    }
}

/* R9406-03: five rounds, the one it began in included, then slow start is over, for good. */
static void t_r9406_03_five_rounds(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f);
    whole_round(&f, 50000);
    whole_round(&f, 50000);
    int rounds = 0;
    while (whole_round(&f, 70000) != SLT_HYSTART_LEAVE) {
        rounds++;
        assert_true(rounds < 8);
    }
    assert_int_equal(rounds, 4);
    assert_true(f.h.over);
    assert_int_equal(whole_round(&f, 500000), SLT_HYSTART_SLOW_START);
}

/* R9406-04: a round trip below what made us slow down was jitter. */
static void t_r9406_04_jitter(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f);
    whole_round(&f, 50000);
    whole_round(&f, 50000);
    whole_round(&f, 70000);
    assert_int_equal(f.h.css_rounds > 0, 1);
    whole_round(&f, 51000);
    assert_int_equal(f.h.css_rounds, 0);
    assert_int_equal(f.h.css_baseline_us, UINT32_MAX);
}

static void note_most(struct cc_path *path)
{
    uint32_t *most = path->ctx;

    if (path->episodes == 0 && path->cc.cwnd_bytes > *most) {
        *most = path->cc.cwnd_bytes;
    }
}

/* R9406-02, R9406-03: with a queue that could take it, slow start ends without a loss, long before
 * the queue is full: at most five rounds of a quarter after it stood for a round. */
static void t_slow_start_ends_before_the_queue_overflows(void **ctx)
{
    static const struct {
        uint64_t bytes_per_s;
        int64_t rtt_ms;
    } rows[] = {{2500000, 50}, {25000000, 50}, {2500000, 200}, {1250000, 100}};

    (void)ctx;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cc_path *path = cc_path_make(SALUT_CC_CUBIC);
        uint32_t most = 0;
        path->bytes_per_s = rows[i].bytes_per_s;
        path->rtt_ns = rows[i].rtt_ms * SLT_NS_PER_MS;
        path->queue_bytes = 12 * cc_path_bdp(path);
        path->on_ack = note_most;
        path->ctx = &most;
        cc_path_start(path);
        for (int k = 0; k < 400 && !path->cc.of.cubic.hystart.over; k++) {
            cc_path_run(path, path->rtt_ns / 2);
        }
        assert_true(path->cc.of.cubic.hystart.over);
        assert_int_equal(path->drops, 0);
        assert_int_equal(path->episodes, 0);
        assert_true(path->cc.ssthresh_bytes < SLT_CC_WINDOW_MAX);
        assert_true(path->cc.ssthresh_bytes >= cc_path_bdp(path));
        assert_true(most < 12 * cc_path_bdp(path));
        cc_path_free(path);
    }
}

/* Acknowledgements `gap_us` apart, one segment each, for `for_us`; true when slow start ended. */
static bool train(struct fixture *f, int64_t gap_us, int64_t for_us, uint32_t cwnd_bytes)
{
    if (f->ack.min_rtt_us == 0) {
        f->ack.min_rtt_us = 50000;
    }
    f->ack.cwnd_limited = true;
    for (int64_t at_us = 0; at_us < for_us; at_us += gap_us) {
        f->ack.now_ns += gap_us * SLT_NS_PER_US;
        f->ack.una += MSS;
        f->ack.nxt = f->ack.una + cwnd_bytes;
        if (slt_hystart_on_ack(&f->h, &f->ack, cwnd_bytes) == SLT_HYSTART_LEAVE) {
            return true;
        }
    }
    return false;
}

/* Half of a round trip (25.5 ms with the slack) without a gap, over the rounds' borders; neither
 * trains that an eighth of a round trip (6.25 ms) parts, nor a small window, nor a sender that had
 * nothing to send tells anything. */
static void t_r9406_03_a_long_train_ends_slow_start(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f);
    assert_false(train(&f, 1000, 25000, 20 * MSS));
    assert_true(train(&f, 1000, 2000, 20 * MSS));
    assert_true(f.h.over);
    start(&f);
    for (int i = 0; i < 10; i++) { /* one a round */
        assert_false(train(&f, 1000, 20000, 20 * MSS));
        f.ack.now_ns += 6 * SLT_NS_PER_MS;
    }
    start(&f);
    assert_false(train(&f, 1000, 200000, 15 * MSS));
    start(&f);
    f.ack.min_rtt_us = 50000;
    for (int i = 0; i < 200; i++) {
        f.ack.now_ns += SLT_NS_PER_MS;
        f.ack.una += MSS;
        f.ack.nxt = f.ack.una + 20 * MSS;
        assert_int_equal(slt_hystart_on_ack(&f.h, &f.ack, 20 * MSS), SLT_HYSTART_SLOW_START);
    }
}

/* A host that waits for a processor holds acknowledgements back: such a pause neither ends a train
 * nor makes it longer. Acknowledgements that are always far apart are no train. */
static void t_r9406_03_a_train_may_pause(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f);
    for (int i = 0; i < 5; i++) { /* 5 ms of train and 5 of pause, five times */
        assert_false(train(&f, 1000, 5000, 20 * MSS));
        f.ack.now_ns += 4 * SLT_NS_PER_MS;
    }
    assert_true(train(&f, 1000, 10000, 20 * MSS));
    start(&f);
    assert_false(train(&f, 3000, 300000, 20 * MSS));
}

/* A round trip of less than the slack is that of two processes: their batches are longer. */
static void t_r9406_03_no_train_on_a_short_path(void **ctx)
{
    struct fixture f;

    (void)ctx;
    start(&f);
    f.ack.min_rtt_us = 999;
    assert_false(train(&f, 10, 100000, 20 * MSS));
    start(&f);
    f.ack.min_rtt_us = 1000;
    assert_false(train(&f, 10, 1000, 20 * MSS));
    assert_true(train(&f, 10, 20, 20 * MSS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r9406_02_thresholds),
        cmocka_unit_test(t_r9406_02_eight_samples),
        cmocka_unit_test(t_r9406_03_five_rounds),
        cmocka_unit_test(t_r9406_03_a_long_train_ends_slow_start),
        cmocka_unit_test(t_r9406_03_a_train_may_pause),
        cmocka_unit_test(t_r9406_03_no_train_on_a_short_path),
        cmocka_unit_test(t_r9406_04_jitter),
        cmocka_unit_test(t_slow_start_ends_before_the_queue_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
