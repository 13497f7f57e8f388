/* Delivery-rate samples (BBR-01), pacing, and the account of what limits a sender. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcp/engine.h"

#include <string.h>

#define MS SLT_NS_PER_MS

static void t_bbr_01_a_sample(void **ctx)
{
    struct slt_tcp_rate rate;
    struct slt_rate_stamp first;
    struct slt_rate_stamp second;
    struct slt_rate_sample sample;

    (void)ctx;
    slt_rate_init(&rate, 0);
    slt_rate_on_sent(&rate, &first, 1000, 1000, 10 * MS);
    slt_rate_on_sent(&rate, &second, 2000, 1000, 20 * MS);
    slt_rate_on_delivered(&rate, &first, 1000, 60 * MS);
    slt_rate_sample(&rate, 50000, &sample);
    assert_true(sample.any);
    assert_int_equal(sample.interval_us, 50000);
    assert_int_equal(slt_rate_per_s(&sample.pace), 20000); /* 1000 octets in 50 ms */
    assert_int_equal(sample.flight_bytes, 1000);
    slt_rate_on_delivered(&rate, &second, 1000, 110 * MS);
    slt_rate_sample(&rate, 50000, &sample);
    /* both since the second was sent; it saw the first delivery come 40 ms after its sending */
    assert_int_equal(sample.delivered_bytes, 2000);
    assert_int_equal(sample.interval_us, 100000);
    assert_int_equal(slt_rate_per_s(&sample.pace), 20000);
    assert_int_equal(sample.delivered_total_bytes, 2000);
    slt_rate_sample(&rate, 50000, &sample);
    assert_false(sample.any);
    assert_int_equal(slt_rate_per_s(&sample.pace), 0);
}

/* BBR-01: of one acknowledgement's records the newest makes the sample; what is shorter than any
 * round trip makes none. */
static void t_bbr_01_the_newest_record(void **ctx)
{
    struct slt_tcp_rate rate;
    struct slt_rate_stamp stamp[3];
    struct slt_rate_sample sample;

    (void)ctx;
    slt_rate_init(&rate, 0);
    for (int i = 0; i < 3; i++) {
        slt_rate_on_sent(&rate, &stamp[i], 1000 * (i + 1), 1000, (10 + i) * MS);
    }
    slt_rate_on_lost(&rate, 700);
    slt_rate_on_delivered(&rate, &stamp[2], 1000, 62 * MS);
    slt_rate_on_delivered(&rate, &stamp[0], 1000, 62 * MS);
    slt_rate_sample(&rate, 40000, &sample);
    assert_int_equal(sample.flight_bytes, 3000);
    assert_int_equal(sample.delivered_bytes, 2000);
    assert_int_equal(sample.lost_bytes, 700);
    assert_int_equal(sample.prior_delivered_bytes, 0);
    slt_rate_on_delivered(&rate, &stamp[1], 1000, 62 * MS);
    slt_rate_sample(&rate, 60000, &sample);
    assert_true(sample.any);
    assert_int_equal(slt_rate_per_s(&sample.pace), 0);
}

/* BBR-01, BBR-08: marked until what was in flight is delivered. */
static void t_bbr_08_application_limited(void **ctx)
{
    struct slt_tcp_rate rate;
    struct slt_rate_stamp stamp[3];
    struct slt_rate_sample sample;

    (void)ctx;
    slt_rate_init(&rate, 0);
    slt_rate_on_sent(&rate, &stamp[0], 1000, 1000, 0);
    slt_rate_app_limited(&rate, 1000);
    slt_rate_on_sent(&rate, &stamp[1], 2000, 1000, 1 * MS);
    slt_rate_on_delivered(&rate, &stamp[0], 1000, 50 * MS);
    slt_rate_sample(&rate, 1000, &sample);
    assert_false(sample.app_limited);
    slt_rate_on_delivered(&rate, &stamp[1], 1000, 51 * MS);
    slt_rate_sample(&rate, 1000, &sample);
    assert_true(sample.app_limited);
    slt_rate_on_sent(&rate, &stamp[2], 1000, 1000, 60 * MS);
    slt_rate_on_delivered(&rate, &stamp[2], 1000, 110 * MS);
    slt_rate_sample(&rate, 1000, &sample);
    assert_false(sample.app_limited);
}

/* BBR-08: for show, one that measures the application counts only where it is not below the last.
 */
static void t_bbr_08_the_pace_shown(void **ctx)
{
    struct slt_tcp_rate rate;
    struct slt_rate_stamp stamp;
    struct slt_rate_sample sample;
    const struct {
        uint32_t bytes;
        uint32_t took_ms;
        bool app_limited;
        uint64_t shown;
    } rows[] = {{1000, 100, true, 10000},
                {1000, 101, true, 10000}, /* slower, but it was the application */
                {1500, 150, true, 10000},
                {1600, 150, true, 10666},
                {1000, 200, false, 5000}, /* slower, and it was the path */
                {4000000000U, 1, true, 4000000000000U},
                {4000000000U, 2, true, 4000000000000U}};

    (void)ctx;
    slt_rate_init(&rate, 0);
    int64_t now_ns = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rate.app_limited_until = rows[i].app_limited ? rate.delivered_bytes + rows[i].bytes : 0;
        slt_rate_on_sent(&rate, &stamp, rows[i].bytes, rows[i].bytes, now_ns);
        now_ns += (int64_t)rows[i].took_ms * MS;
        slt_rate_on_delivered(&rate, &stamp, rows[i].bytes, now_ns);
        slt_rate_sample(&rate, 1, &sample);
        assert_true(sample.app_limited == rows[i].app_limited);
        assert_true(slt_rate_per_s(&rate.pace) == rows[i].shown);
    }
}

/* After a pause in which nothing was in flight the interval starts anew. */
static void t_bbr_01_a_pause_is_not_measured(void **ctx)
{
    struct slt_tcp_rate rate;
    struct slt_rate_stamp stamp;
    struct slt_rate_sample sample;

    (void)ctx;
    slt_rate_init(&rate, 0);
    slt_rate_on_sent(&rate, &stamp, 1000, 1000, 1000000 * MS);
    slt_rate_on_delivered(&rate, &stamp, 1000, 1000010 * MS);
    slt_rate_sample(&rate, 10000, &sample);
    assert_int_equal(slt_rate_per_s(&sample.pace), 100000);
}

static void t_pacing_spaces_out(void **ctx)
{
    struct slt_tcp_pacing pacing = {.bytes_per_s = 1000000};
    int64_t next_ns = 0;
    int64_t now_ns = 1000 * MS;

    (void)ctx;
    next_ns = slt_tcp_pacing_after(&pacing, next_ns, 10000, now_ns);
    assert_int_equal(next_ns, now_ns + 9 * MS); /* ten, less the burst a late wake-up may have */
    pacing.next_at_ns = next_ns;
    assert_int_equal(slt_tcp_pacing_wake(&pacing, now_ns), next_ns);
    next_ns = slt_tcp_pacing_after(&pacing, next_ns, 10000, next_ns);
    assert_int_equal(next_ns, now_ns + 19 * MS); /* on time: no credit */
    next_ns = slt_tcp_pacing_after(&pacing, next_ns, 1000, now_ns + 500 * MS);
    assert_int_equal(next_ns, now_ns + 500 * MS); /* very late: one burst of credit, no more */
    pacing.bytes_per_s = 0;
    assert_int_equal(slt_tcp_pacing_after(&pacing, 77, 1000, now_ns), 77);
}

/* A segment carries a millisecond's worth, two segments at least. */
static void t_pacing_quantum(void **ctx)
{
    struct slt_tcp_pacing pacing = {.bytes_per_s = 1000};

    (void)ctx;
    assert_int_equal(slt_tcp_pacing_quantum(&pacing, 1448), 2 * 1448);
    pacing.bytes_per_s = 10000000;
    assert_int_equal(slt_tcp_pacing_quantum(&pacing, 1448), 6 * 1448);
    pacing.next_at_ns = 1;
    assert_int_equal(slt_tcp_pacing_wake(&pacing, 0), MS);
    pacing.bytes_per_s = 655360000; /* 64 KB in a tenth of a millisecond */
    assert_int_equal(slt_tcp_pacing_wake(&pacing, 0), MS / 10);
}

static void t_limits_keep_account(void **ctx)
{
    struct slt_tcp_limits limits;
    struct salut_info info;

    (void)ctx;
    memset(&info, 0, sizeof(info));
    slt_tcp_limits_init(&limits, 0);
    slt_tcp_limits_set(&limits, SALUT_LIMIT_CWND, 5 * MS);
    slt_tcp_limits_set(&limits, SALUT_LIMIT_CWND, 7 * MS);
    slt_tcp_limits_set(&limits, SALUT_LIMIT_PEER_WINDOW, 10 * MS);
    slt_tcp_limits_set(&limits, SALUT_LIMIT_APPLICATION, 12 * MS);
    slt_tcp_limits_set(&limits, SALUT_LIMIT_CWND, 20 * MS);
    slt_tcp_limits_info(&limits, 21 * MS, &info);
    assert_int_equal(info.limited_by, SALUT_LIMIT_CWND);
    assert_int_equal(info.limited_ns[SALUT_LIMIT_NOTHING], 5 * MS);
    assert_int_equal(info.limited_ns[SALUT_LIMIT_CWND], 6 * MS);
    assert_int_equal(info.limited_ns[SALUT_LIMIT_PEER_WINDOW], 2 * MS);
    assert_int_equal(info.limited_ns[SALUT_LIMIT_APPLICATION], 8 * MS);
    assert_int_equal(info.limited_ns[SALUT_LIMIT_SEND_BUFFER], 0);
    assert_int_equal(info.busy_ns, 16 * MS);
    assert_int_equal(info.rtt_p50_us, 0);
}

static bool near(uint32_t value, uint32_t want)
{
    return (uint64_t)value * 100 >= (uint64_t)want * 85 &&
           (uint64_t)value * 100 <= (uint64_t)want * 127;
}

/* Every round trip from 32 us to two seconds falls within an eighth of itself, and percentiles
 * follow the path when it changes. */
static void t_percentiles(void **ctx)
{
    struct slt_tcp_limits limits;
    struct salut_info info;

    (void)ctx;
    for (uint32_t us = 33; us < 2000000; us += us / 7) {
        slt_tcp_limits_init(&limits, 0);
        for (int i = 0; i < 10; i++) {
            slt_tcp_limits_rtt(&limits, us);
        }
        slt_tcp_limits_info(&limits, 0, &info);
        assert_true(near(info.rtt_p50_us, us));
        assert_true(near(info.rtt_p99_us, us));
    }
    slt_tcp_limits_init(&limits, 0);
    slt_tcp_limits_rtt(&limits, 0);
    slt_tcp_limits_rtt(&limits, UINT32_MAX); /* the ends hold */
    slt_tcp_limits_init(&limits, 0);
    for (int i = 0; i < 1000; i++) {
        slt_tcp_limits_rtt(&limits, i % 20 == 0 ? 200000 : i % 5 == 0 ? 40000 : 20000);
    }
    slt_tcp_limits_info(&limits, 0, &info);
    assert_true(near(info.rtt_p50_us, 20000));
    assert_true(near(info.rtt_p90_us, 40000));
    assert_true(near(info.rtt_p99_us, 200000));
    for (int i = 0; i < 3000; i++) {
        slt_tcp_limits_rtt(&limits, 5000);
    }
    slt_tcp_limits_info(&limits, 0, &info);
    assert_true(near(info.rtt_p99_us, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_bbr_01_a_sample),
        cmocka_unit_test(t_bbr_01_the_newest_record),
        cmocka_unit_test(t_bbr_08_application_limited),
        cmocka_unit_test(t_bbr_08_the_pace_shown),
        cmocka_unit_test(t_bbr_01_a_pause_is_not_measured),
        cmocka_unit_test(t_pacing_spaces_out),
        cmocka_unit_test(t_pacing_quantum),
        cmocka_unit_test(t_limits_keep_account),
        cmocka_unit_test(t_percentiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
