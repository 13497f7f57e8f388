/* Path MTU discovery of a connection (src/tcp/pmtud.c): black holes, the search upwards, and what
 * ICMP says, over a path in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_path.h"

static uint8_t scratch[1 << 18];

struct bulk {
    uint64_t got;
    bool stopped;
};

static void app(struct path *path, void *ctx)
{
    struct bulk *bulk = ctx;

    if (path->pair.side[1].conn != SLT_NIL) {
        bulk->got += pair_recv(&path->pair, 1, scratch, sizeof(scratch));
    }
    if (!bulk->stopped) {
        (void)pair_send(&path->pair, 0, scratch, 100000);
    }
}

static void start(struct path *path, struct bulk *bulk)
{
    path_init(path, 20 * 1000 * 1000, 20 * SLT_NS_PER_MS, 400000);
    /* The window stays below what the queue takes: what is lost is lost to the MTU alone. */
    assert_int_equal(
        slt_tcp_set_default(&path->pair.side[1].defaults, SALUT_OPT_RECV_BUFFER, 200000), SALUT_OK);
    *bulk = (struct bulk){0};
    path_connect(path);
    path->app = app;
    path->app_ctx = bulk;
}

static struct slt_tcp_conn *sender(struct path *path)
{
    return pair_conn(&path->pair, 0);
}

static uint64_t counted(const struct path *path, enum slt_reason reason)
{
    return path->pair.side[0].telemetry.counters[reason];
}

static void t_r4821_02_a_black_hole_is_found_and_measured(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    path.way[0].mtu = 1400;
    path_run(&path, 10 * SLT_NS_PER_S);
    assert_int_equal(counted(&path, SLT_NOTE_TCP_BLACK_HOLE), 1);
    assert_in_range(sender(&path)->snd.pmtu, 1400 - 16, 1400);
    assert_true(path.way[0].largest >= 1400 - 16);
    assert_true(bulk.got > 8 * 2000000); /* at the path's rate most of the time */
    path_deinit(&path);
}

static void t_r4821_01_a_lost_probe_is_no_congestion(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    path.way[0].mtu = 1400;
    for (int ms = 0; ms < 10000 && counted(&path, SLT_NOTE_TCP_MTU_PROBE_LOST) == 0; ms++) {
        path_run(&path, SLT_NS_PER_MS);
    }
    uint32_t ssthresh = sender(&path)->cold->cc.ssthresh_bytes;
    unsigned lost = path.way[0].lost;
    path_run(&path, 5 * SLT_NS_PER_S);
    assert_true(counted(&path, SLT_NOTE_TCP_MTU_PROBE_LOST) >= 2);
    assert_true(path.way[0].lost > lost);
    assert_true(path.way[0].lost == path.way[0].too_big);
    assert_int_equal(sender(&path)->cold->cc.ssthresh_bytes, ssthresh);
    path_deinit(&path);
}

/* When probes have left. */
struct probes {
    unsigned count;
    int64_t last_at_ns;
    int64_t least_ns; /* between two */
};

static bool watch(struct pair *pair, const struct pair_packet *packet)
{
    struct probes *probes = pair->ctx;
    uint32_t bytes = packet->seg.payload_bytes + 52;

    if (packet->to == 1 && bytes > pair_conn(pair, 0)->snd.pmtu &&
        pair_conn(pair, 0)->snd.una > 1) {
        if (probes->count > 0) {
            probes->least_ns = slt_min64(probes->least_ns, pair->now_ns - probes->last_at_ns);
        }
        probes->count++;
        probes->last_at_ns = pair->now_ns;
    }
    return false;
}

static void t_r8899_02_probes_are_a_round_trip_apart(void **ctx)
{
    struct path path;
    struct bulk bulk;
    struct probes probes = {.least_ns = SLT_NEVER};

    (void)ctx;
    start(&path, &bulk);
    path.way[0].mtu = 1400;
    path.pair.ctx = &probes;
    path.pair.drop = watch;
    path_run(&path, 10 * SLT_NS_PER_S);
    assert_true(probes.count >= 4);
    assert_true(probes.least_ns >= 20 * SLT_NS_PER_MS);
    path_deinit(&path);
}

static void t_r4821_02_an_outage_costs_one_probe(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    path_run(&path, SLT_NS_PER_S);
    path.way[0].mtu = 10; /* nothing passes */
    path_run(&path, 4 * SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1280);
    path.way[0].mtu = 0;
    path_run(&path, 8 * SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1500);
    assert_int_equal(counted(&path, SLT_NOTE_TCP_MTU_RAISED), 1);
    path_deinit(&path);
}

static void t_r4821_02_small_segments_prove_no_black_hole(void **ctx)
{
    struct path path;

    (void)ctx;
    path_init(&path, 0, 20 * SLT_NS_PER_MS, 0);
    path_connect(&path);
    path.way[0].mtu = 10;
    assert_int_equal(pair_send(&path.pair, 0, scratch, 1000), 1000);
    path_run(&path, 20 * SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1500);
    assert_int_equal(counted(&path, SLT_NOTE_TCP_BLACK_HOLE), 0);
    path_deinit(&path);
}

static void t_r4821_02_off_when_switched_off(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    path.pair.config.mtu_probing = 0;
    path.way[0].mtu = 1400;
    path_run(&path, 30 * SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1500);
    assert_true(bulk.got == 0);
    path_deinit(&path);
}

/* A message that quotes the first octet in flight. */
static enum slt_reason too_big(struct path *path, uint16_t mtu)
{
    struct slt_tcp_conn *c = sender(path);
    struct slt_tcp_notice notice = {
        .kind = SLT_NOTICE_TOO_BIG, .seq = slt_tcp_wrap(c->snd.una, c->snd.isn), .mtu = mtu};

    return slt_tcp_icmp(&path->pair.side[0].tcp, c, &notice, path->pair.now_ns);
}

static void t_r1191_03_a_larger_mtu_is_tried_after_ten_minutes(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    path.way[0].mtu = 1300;
    path.app(&path, &bulk);
    (void)pair_transmit(&path.pair, 0); /* something is in flight, and none of it has arrived */
    assert_int_equal(too_big(&path, 1300), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(sender(&path)->snd.pmtu, 1300);
    path_run(&path, 5 * SLT_NS_PER_S);
    assert_true(bulk.got > 0);
    path.way[0].mtu = 0;
    bulk.stopped = true;
    path_run(&path, 500 * SLT_NS_PER_S);
    bulk.stopped = false;
    path_run(&path, 2 * SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1300); /* too early: 8 min 27 s */
    bulk.stopped = true;
    path_run(&path, 160 * SLT_NS_PER_S);
    bulk.stopped = false;
    path_run(&path, 2 * SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1500);
    path_deinit(&path);
}

static void t_r1191_01_icmp_never_raises(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    path.app(&path, &bulk);
    (void)pair_transmit(&path.pair, 0);
    assert_int_equal(too_big(&path, 1400), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(too_big(&path, 1450), SLT_DROP_ICMP_PMTU_IGNORED); /* R8899-01 */
    assert_int_equal(too_big(&path, 1400), SLT_DROP_ICMP_PMTU_IGNORED);
    assert_int_equal(sender(&path)->snd.pmtu, 1400);
    path_deinit(&path);
}

static void t_r5927_03_what_has_arrived_needs_a_loss_to_be_doubted(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    bulk.stopped = true;
    assert_int_equal(pair_send(&path.pair, 0, scratch, 20000), 20000);
    path_run(&path, SLT_NS_PER_S); /* full packets were acknowledged */
    assert_int_equal(pair_send(&path.pair, 0, scratch, 20000), 20000);
    (void)pair_transmit(&path.pair, 0);
    assert_int_equal(too_big(&path, 1300), SLT_DROP_ICMP_PMTU_IGNORED);
    path_run(&path, SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1500);
    path.way[0].mtu = 1300;
    assert_int_equal(pair_send(&path.pair, 0, scratch, 20000), 20000);
    (void)pair_transmit(&path.pair, 0);
    assert_int_equal(too_big(&path, 1300), SLT_DROP_ICMP_PMTU_IGNORED);
    path_run(&path, 2 * SLT_NS_PER_S);
    assert_int_equal(sender(&path)->snd.pmtu, 1300);
    assert_true(bulk.got == 60000);
    path_deinit(&path);
}

static void t_r8201_02_others_on_the_path_are_told(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk);
    path.way[0].mtu = 1300;
    path.app(&path, &bulk);
    (void)pair_transmit(&path.pair, 0);
    slt_tcp_path_mtu(&path.pair.side[0].tcp, sender(&path), 1400, path.pair.now_ns);
    assert_int_equal(sender(&path)->snd.pmtu, 1400);
    slt_tcp_path_mtu(&path.pair.side[0].tcp, sender(&path), 1300, path.pair.now_ns);
    slt_tcp_path_mtu(&path.pair.side[0].tcp, sender(&path), 1500, path.pair.now_ns);
    assert_int_equal(sender(&path)->snd.pmtu, 1300);
    uint32_t cwnd = sender(&path)->cold->cc.cwnd_bytes;
    path_run(&path, 100 * SLT_NS_PER_MS); /* R1191-04: at once, without a timeout */
    assert_true(bulk.got > 0);
    assert_true(sender(&path)->cold->cc.cwnd_bytes >= cwnd);
    path_deinit(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r4821_02_a_black_hole_is_found_and_measured),
        cmocka_unit_test(t_r4821_01_a_lost_probe_is_no_congestion),
        cmocka_unit_test(t_r8899_02_probes_are_a_round_trip_apart),
        cmocka_unit_test(t_r4821_02_an_outage_costs_one_probe),
        cmocka_unit_test(t_r4821_02_small_segments_prove_no_black_hole),
        cmocka_unit_test(t_r4821_02_off_when_switched_off),
        cmocka_unit_test(t_r1191_03_a_larger_mtu_is_tried_after_ten_minutes),
        cmocka_unit_test(t_r1191_01_icmp_never_raises),
        cmocka_unit_test(t_r5927_03_what_has_arrived_needs_a_loss_to_be_doubted),
        cmocka_unit_test(t_r8201_02_others_on_the_path_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
