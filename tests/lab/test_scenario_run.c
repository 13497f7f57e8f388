/* Scenarios as they are played: numbers that arithmetic can tell beforehand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/plot.h"
#include "lab/scenario.h"

static struct slt_scn scn;
static struct slt_scn_result result;
static char why[SLT_SCN_SENTENCE_MAX];

static void play_with(const char *text, uint64_t seed)
{
    const struct slt_scn_options options = {.seed = seed, .samples = true};
    slt_scn_init(&scn);
    if (!slt_scn_parse(&scn, "t", text, why) || !slt_scn_run(&scn, &options, &result, why)) {
        fail_msg("%s", why);
    }
    assert_string_equal(result.broken, "");
}

static void play(const char *text)
{
    play_with(text, 1);
}

static int tear_down(void **state)
{
    (void)state;
    slt_scn_result_free(&result);
    return 0;
}

static uint64_t drops(const struct slt_scn_way_row *row)
{
    uint64_t sum = 0;
    for (int i = 0; i < SLT_SCN_DROPS; i++) {
        sum += row->dropped[i];
    }
    return sum;
}

/* 8 Mb/s carries 5 MB of payload in 5 s and the headers' 3.6 % (52 bytes of 1500). */
static void test_rate(void **state)
{
    (void)state;
    play("host a; host b\nlink a b rate 8Mb/s delay 5ms queue 100KB\napp bulk a -> b bytes 5MB\n");
    const struct slt_scn_flow_row *row = &result.flow[0];
    int64_t took_ns = row->end_ns - row->start_ns;
    assert_int_equal(row->bytes, 5000000);
    assert_true(row->finished && !row->failed);
    assert_in_range(took_ns, 5000 * SLT_NS_PER_MS, 5350 * SLT_NS_PER_MS);
    assert_in_range(row->rtt.min_ns, 10 * SLT_NS_PER_MS, 12 * SLT_NS_PER_MS);
    assert_true(result.way[0][0].busy > 0.95 && result.way[0][0].busy <= 1.0);
    assert_true(result.way[0][0].queue_max <= 101500);
}

/* Without loss nothing is sent again, and a round trip is never shorter than the path. */
static void test_clean(void **state)
{
    (void)state;
    play("host a; router m; host b\nlink a m delay 7ms\nlink m b delay 13ms\n"
         "app request a -> b request 100B reply 1KB rounds 50 think 10ms\n");
    const struct slt_scn_flow_row *row = &result.flow[0];
    assert_int_equal(row->rounds, 50);
    assert_int_equal(row->retransmits, 0);
    assert_int_equal(row->timeouts, 0);
    assert_int_equal(row->bytes, 50000);
    assert_int_equal(row->answer.count, 50);
    assert_int_equal(row->answer.min_ns, 40 * SLT_NS_PER_MS);
    assert_int_equal(drops(&result.way[0][0]) + drops(&result.way[1][1]), 0);
}

static void test_loss_is_counted(void **state)
{
    (void)state;
    play("host a; host b\nlink a b rate 10Mb/s delay 5ms queue 100KB loss 2% back loss 0%\n"
         "app bulk a -> b bytes 3MB\n");
    const struct slt_scn_way_row *row = &result.way[0][0];
    double share = (double)row->dropped[SLT_SCN_DROP_LOSS] /
                   (double)(row->dropped[SLT_SCN_DROP_LOSS] + row->packets);
    assert_true(share > 0.01 && share < 0.03);
    assert_true(result.flow[0].retransmits >= row->dropped[SLT_SCN_DROP_LOSS]);
    assert_int_equal(result.flow[0].bytes, 3000000);
}

static void test_policer(void **state)
{
    (void)state;
    play("host a; host b\nlink a b rate 100Mb/s delay 5ms police 4Mb/s,30KB\n"
         "app bulk a -> b\nrun 10s\n");
    double passed = (double)result.way[0][0].bytes * 8 / 10;
    assert_true(passed <= 4000000 * 1.02);
    assert_true(result.way[0][0].dropped[SLT_SCN_DROP_POLICE] > 0);
}

/* At 2 s the link goes down, and at 4 s it comes back: nothing passes meanwhile, all afterwards. */
static void test_change(void **state)
{
    (void)state;
    play("host a; host b\nlink a b rate 4Mb/s delay 5ms queue 50KB\napp bulk a -> b bytes 2MB\n"
         "at 2s link a b down\nat 4s link a b up\nsample 100ms\n");
    assert_int_equal(result.flow[0].bytes, 2000000);
    assert_true(result.flow[0].timeouts > 0);
    assert_true(result.way[0][0].dropped[SLT_SCN_DROP_DOWN] > 0);
    uint64_t at_2s = result.flow_sample[(size_t)21 * SLT_SCN_SERIES_MAX].delivered;
    uint64_t at_4s = result.flow_sample[(size_t)38 * SLT_SCN_SERIES_MAX].delivered;
    assert_true(at_2s > 700000);
    assert_true(at_4s - at_2s < 60000);
    assert_true(result.end_ns > 5 * SLT_NS_PER_S);
}

/* The second path is dearer: it is taken only while the first one is down. */
static void test_routes(void **state)
{
    (void)state;
    play("host a; router r; router s; host b\nlink a r delay 1ms\nlink r b delay 1ms\n"
         "link a s cost 5 delay 30ms\nlink s b delay 30ms\n"
         "app request a -> b reply 1KB rounds 40 think 100ms\n"
         "at 1s link r b down\nat 2s link r b up\n");
    assert_int_equal(result.flow[0].rounds, 40);
    assert_true(result.way[2][0].packets > 5 && result.way[2][0].packets < 60);
    assert_true(result.way[0][0].packets > result.way[2][0].packets);
    assert_int_equal(result.flow[0].answer.min_ns, 4 * SLT_NS_PER_MS);
    assert_in_range(result.flow[0].answer.max_ns, 120 * SLT_NS_PER_MS, 2 * SLT_NS_PER_S);
}

/* With a word of ICMP the sender learns of the smaller MTU, and full size goes on at once. */
static void test_too_big_is_told(void **state)
{
    (void)state;
    play("host a; router m; host b\nlink a m delay 1ms\nlink m b rate 10Mb/s delay 5ms mtu 1300\n"
         "app bulk a -> b bytes 1MB\n");
    assert_int_equal(result.flow[0].bytes, 1000000);
    assert_true(result.way[1][0].dropped[SLT_SCN_DROP_MTU] > 0);
    assert_true(result.flow[0].end_ns < 3 * SLT_NS_PER_S);
}

static void test_onoff_has_a_rate(void **state)
{
    (void)state;
    play("host a; host b\nlink a b rate 100Mb/s delay 5ms\n"
         "app onoff a -> b rate 2Mb/s on 1s off 1s stop 10s\nrun 11s\n");
    /* Five seconds of 2 Mb/s. */
    assert_in_range(result.flow[0].bytes, 1230000, 1270000);
    assert_true(result.flow[0].finished);
}

static void test_web(void **state)
{
    (void)state;
    play("host a; host b\nlink a b rate 20Mb/s delay 10ms queue 50ms\n"
         "app web a -> b bytes 10KB objects 7 conns 3 rounds 2 think 100ms count 2\n");
    uint64_t pages = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < result.flow_count; i++) {
        assert_true(result.flow[i].finished);
        pages += result.flow[i].rounds;
        bytes += result.flow[i].bytes;
    }
    assert_int_equal(pages, 4);                   /* two users, two pages each */
    assert_int_equal(bytes, 4 * (1 + 7) * 10000); /* the document and seven objects */
    assert_int_equal(result.flow_count, 4 * 3);
}

static void test_many(void **state)
{
    (void)state;
    play("host a1..5; router m; host b\nlink a1..5 m rate 100Mb/s\n"
         "link m b rate 50Mb/s delay 5ms queue 40packets\n"
         "app bulk a1..5 -> b bytes ~20KB count 100 every ~10ms\n");
    assert_int_equal(result.flow_count, 500);
    for (uint32_t i = 0; i < result.flow_count; i++) {
        assert_true(result.flow[i].finished && !result.flow[i].corrupt);
    }
}

static void test_reproducible(void **state)
{
    (void)state;
    static const char text[] =
        "host a; host b\nlink a b rate 10Mb/s delay 5ms jitter 2ms loss 1% dup 1% corrupt 1%\n"
        "app request a -> b reply ~20KB think ~10ms rounds 50\n";
    play_with(text, 5);
    uint64_t hash = result.hash;
    assert_true(result.way[0][0].corrupted > 0 && result.way[0][0].duplicated > 0);
    slt_scn_result_free(&result);
    play_with(text, 5);
    assert_true(result.hash == hash);
    slt_scn_result_free(&result);
    play_with(text, 6);
    assert_true(result.hash != hash);
}

static void test_times(void **state)
{
    (void)state;
    static struct slt_scn_times times;
    memset(&times, 0, sizeof(times));
    assert_int_equal(slt_scn_times_percentile(&times, 50), 0);
    for (int64_t i = 1; i <= 1000; i++) {
        slt_scn_times_add(&times, i * SLT_NS_PER_MS);
    }
    for (unsigned percent = 10; percent < 100; percent += 10) {
        int64_t right = percent * 10 * SLT_NS_PER_MS;
        assert_in_range(slt_scn_times_percentile(&times, percent), right - right / 25,
                        right + right / 25);
    }
    assert_int_equal(times.min_ns, SLT_NS_PER_MS);
    assert_int_equal(slt_scn_times_percentile(&times, 100), 1000 * SLT_NS_PER_MS);
    slt_scn_times_add(&times, 0);
    slt_scn_times_add(&times, INT64_MAX);
    assert_int_equal(slt_scn_times_percentile(&times, 0), 0);
}

static void test_ticks(void **state)
{
    (void)state;
    static const double tops[] = {0.003, 0.7, 1, 9.99, 30, 101, 12345, 1e9};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(tops); i++) {
        double ticks = tops[i] / slt_plot_tick(tops[i], 6);
        assert_true(ticks >= 5.9 && ticks <= 15.1);
    }
    assert_true(slt_plot_tick(0, 6) > 0);
}

/* BBR-03, BBR-05: where packets overtake one another it is the reordering timer that finds what a
 * short queue dropped. Congestion control hears of it all the same, and the losses stay few. */
static void test_bbr_hears_of_late_losses(void **state)
{
    uint64_t segments = 0;
    uint64_t retransmits = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        play_with("host a timestamps off; host b timestamps off\n"
                  "link a b rate 50Mb/s delay 25ms queue 0.25bdp reorder 5%,10ms\n"
                  "app bulk a -> b cc bbr\nrun 3s\n",
                  seed);
        segments += result.flow[0].segments;
        retransmits += result.flow[0].retransmits;
        slt_scn_result_free(&result);
    }
    assert_true(retransmits * 100 < segments * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_rate, tear_down),
        cmocka_unit_test_teardown(test_clean, tear_down),
        cmocka_unit_test_teardown(test_loss_is_counted, tear_down),
        cmocka_unit_test_teardown(test_policer, tear_down),
        cmocka_unit_test_teardown(test_change, tear_down),
        cmocka_unit_test_teardown(test_routes, tear_down),
        cmocka_unit_test_teardown(test_too_big_is_told, tear_down),
        cmocka_unit_test_teardown(test_onoff_has_a_rate, tear_down),
        cmocka_unit_test_teardown(test_web, tear_down),
        cmocka_unit_test_teardown(test_many, tear_down),
        cmocka_unit_test_teardown(test_reproducible, tear_down),
        cmocka_unit_test(test_bbr_hears_of_late_losses),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
