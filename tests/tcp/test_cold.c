/* The cold block at rest: what a connection knows of its past outlives an idle time, within a bound
 * (src/tcp/cold.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_path.h"

#include <stdlib.h>
#include <string.h>

static uint8_t scratch[100000];

/* ---- what survives --------------------------------------------------------------------------- */

static void read_app(struct path *path, void *ctx)
{
    struct pair *pair = &path->pair;

    (void)ctx;
    for (int side = 0; side < 2; side++) {
        if (pair->side[side].conn != SLT_NIL) {
            slt_tcp_settle(&pair->side[side].tcp, pair_conn(pair, side), pair->now_ns);
        }
    }
    if (pair->side[1].conn != SLT_NIL) {
        (void)pair_recv(pair, 1, scratch, sizeof(scratch));
    }
}

/* A path of that round trip, connected, whose server reads all that comes. */
static void open_path(struct path *path, int64_t rtt_ns)
{
    path_init(path, INT64_C(10000000), rtt_ns, 500000);
    path->app = read_app;
    path_connect(path);
}

static void info_of(struct path *path, struct salut_info *info)
{
    struct pair *pair = &path->pair;

    slt_tcp_info(&pair->side[0].tcp, pair_conn(pair, 0), pair->now_ns, info);
}

static void talk(struct path *path, struct salut_info *info)
{
    assert_int_equal(pair_send(&path->pair, 0, scratch, 50000), 50000);
    path_run(path, 20 * SLT_NS_PER_S);
    const struct slt_tcp_conn *c = pair_conn(&path->pair, 0);
    assert_int_equal(c->snd.una, c->snd.nxt);
    assert_null(slt_tcp_awake(c));
    info_of(path, info);
}

static void t_totals_span_busy_periods(void **ctx)
{
    struct path path;
    struct salut_info first;
    struct salut_info second;
    struct salut_info later;

    (void)ctx;
    open_path(&path, 100 * SLT_NS_PER_MS);
    talk(&path, &first);
    assert_int_equal(first.delivered, 50000);
    assert_true(first.busy_ns > 200 * SLT_NS_PER_MS && first.busy_ns < SLT_NS_PER_S);
    assert_true(first.limited_ns[SALUT_LIMIT_CWND] > 100 * SLT_NS_PER_MS);
    assert_int_equal(first.limited_by, SALUT_LIMIT_NOTHING);
    assert_true(first.rtt_p50_us >= 80000 && first.rtt_p50_us < 200000);
    talk(&path, &second);
    assert_int_equal(second.delivered, 100000);
    assert_true(second.data_segs_out >= 2 * first.data_segs_out);
    assert_true(second.busy_ns > first.busy_ns + 150 * SLT_NS_PER_MS);
    assert_true(second.limited_ns[SALUT_LIMIT_CWND] >=
                2 * first.limited_ns[SALUT_LIMIT_CWND] - 100 * SLT_NS_PER_MS);
    assert_true(second.rtt_p50_us >= 80000 && second.rtt_p50_us < 200000);
    path_run(&path, 5 * SLT_NS_PER_S);
    info_of(&path, &later); /* while idle nothing counts but idleness */
    assert_int_equal(later.busy_ns, second.busy_ns);
    assert_int_equal(later.flight_bytes, 0);
    path_deinit(&path);
}

/* Round trips of both busy periods are in the sketch: a path that became longer between them moves
 * the upper percentiles and not the lower. */
static void t_percentiles_span_busy_periods(void **ctx)
{
    struct path path;
    struct salut_info info;

    (void)ctx;
    open_path(&path, 20 * SLT_NS_PER_MS);
    talk(&path, &info);
    talk(&path, &info);
    uint32_t before_us = info.rtt_p99_us;
    assert_true(before_us < 100000);
    path.way[0].delay_ns += 300 * SLT_NS_PER_MS;
    talk(&path, &info);
    assert_true(info.rtt_p99_us > 250000);
    assert_true(info.rtt_p50_us < 100000);
    path_deinit(&path);
}

/* RFC 8985 6.2: reordering that was seen stays seen, and the window that grew stays grown. */
static void t_r8985_05_reordering_outlives_an_idle_time(void **ctx)
{
    struct path path;
    struct salut_info info;

    (void)ctx;
    open_path(&path, 20 * SLT_NS_PER_MS);
    talk(&path, &info);
    struct slt_tcp_conn *c = pair_conn(&path.pair, 0);
    struct slt_tcp *tcp = &path.pair.side[0].tcp;
    assert_true(slt_tcp_cold_get(tcp, c, path.pair.now_ns));
    assert_false(c->cold->recovery.rack.reordering_seen);
    c->cold->recovery.rack.reordering_seen = true;
    c->cold->recovery.rack.window_quarters = 3;
    c->cold->recovery.rack.persist = 7;
    c->cold->recovery.rack.late_segs = 5;
    c->cold->tally.undone = 2;
    talk(&path, &info);
    assert_true(slt_tcp_cold_get(tcp, c, path.pair.now_ns));
    assert_true(c->cold->recovery.rack.reordering_seen);
    assert_int_equal(c->cold->recovery.rack.window_quarters, 3);
    assert_int_equal(c->cold->recovery.rack.persist, 7);
    assert_int_equal(info.reord_seen, 5); /* what was counted stays, too */
    assert_int_equal(info.undone, 2);
    assert_int_equal(c->cold->recovery.rack.end, 0); /* what was delivered last is no measure now */
    path_deinit(&path);
}

/* RFC 8985 6.2 step 1 (R8985-03): a connection that is often idle for long does not stay with the
 * smallest round trip it ever had. */
static void t_r8985_03_an_old_minimum_is_forgotten(void **ctx)
{
    struct path path;
    struct salut_info info;

    (void)ctx;
    open_path(&path, 20 * SLT_NS_PER_MS);
    talk(&path, &info);
    assert_true(info.rtt_min_us < 30000);
    path.way[0].delay_ns += 100 * SLT_NS_PER_MS;
    for (int i = 0; i < 3; i++) {
        path_run(&path, 160 * SLT_NS_PER_S);
        talk(&path, &info);
    }
    assert_true(info.rtt_min_us > 100000);
    path_deinit(&path);
}

/* RFC 9438 and others: a change of algorithm while folded leaves the old one's word behind. */
static void t_another_algorithm_begins_anew(void **ctx)
{
    struct path path;
    struct salut_info info;

    (void)ctx;
    open_path(&path, 20 * SLT_NS_PER_MS);
    talk(&path, &info);
    struct slt_tcp_conn *c = pair_conn(&path.pair, 0);
    c->cc_fold.word = 12345;
    assert_int_equal(slt_tcp_set_option(&path.pair.side[0].tcp, c, SALUT_OPT_CONGESTION,
                                        SALUT_CC_BBR, path.pair.now_ns),
                     SALUT_OK);
    assert_int_equal(c->cc_fold.word, 0);
    path_deinit(&path);
}

/* ---- the bound ------------------------------------------------------------------------------- */

struct crowd {
    struct pair pair; /* its configuration and its memory's functions */
    struct slt_mem mem;
    struct slt_tcp tcp;
    struct slt_tcp_defaults defaults;
    uint32_t count;
};

static void crowd_init(struct crowd *crowd, uint32_t conns, uint32_t colds)
{
    pair_init(&crowd->pair);
    crowd->pair.config.conns_max = conns;
    slt_mem_init_growing(&crowd->mem, crowd->pair.side[0].mem.alloc, crowd->pair.side[0].mem.free,
                         NULL);
    assert_true(slt_tcp_init(&crowd->tcp, &crowd->pair.config, &crowd->mem,
                             &crowd->pair.side[0].telemetry));
    crowd->tcp.colds.max_objects = colds;
    slt_tcp_defaults_init(&crowd->defaults, &crowd->pair.config);
    crowd->count = conns;
    for (uint32_t i = 0; i < conns; i++) {
        uint32_t index = slt_tcp_conn_take(&crowd->tcp, &crowd->pair.side[0].id, &crowd->defaults,
                                           1500, SALUT_STATE_ESTABLISHED);
        assert_int_equal(index, i);
    }
}

static void crowd_deinit(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->count; i++) {
        slt_tcp_conn_give(&crowd->tcp, i);
    }
    assert_int_equal(crowd->tcp.rests.count, 0);
    assert_int_equal(crowd->mem.ledger.objects[SLT_OWNER_COLD], 0);
    slt_tcp_deinit(&crowd->tcp);
    pair_deinit(&crowd->pair);
}

/* One is busy, as if it had sent `segs` segments, and then idle. */
static void use(struct crowd *crowd, uint32_t i, uint32_t segs)
{
    struct slt_tcp_conn *c = slt_tcp_conn_at(&crowd->tcp, i);

    assert_true(slt_tcp_cold_get(&crowd->tcp, c, crowd->pair.now_ns));
    c->cold->data_segs_out += segs;
    slt_tcp_cold_fold(&crowd->tcp, c, crowd->pair.now_ns);
    assert_null(slt_tcp_awake(c));
}

static bool rests(struct crowd *crowd, uint32_t i)
{
    return slt_tcp_conn_at(&crowd->tcp, i)->cold != NULL;
}

static void t_who_has_sent_nothing_keeps_nothing(void **ctx)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));

    (void)ctx;
    crowd_init(crowd, 2, 2);
    use(crowd, 0, 0);
    use(crowd, 1, 1);
    assert_false(rests(crowd, 0));
    assert_true(rests(crowd, 1));
    crowd_deinit(crowd);
    free(crowd);
}

/* The bound holds; the longest at rest makes room for who comes a second later, in order of use. */
static void t_the_longest_at_rest_makes_room(void **ctx)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    const uint32_t max = SLT_TCP_RESTS_MAX;

    (void)ctx;
    crowd_init(crowd, max + 4, max + 4);
    for (uint32_t i = 0; i < max; i++) {
        use(crowd, i, 1);
    }
    assert_int_equal(crowd->tcp.rests.count, max);
    use(crowd, max, 1); /* all others were in use this instant: this one does without */
    assert_false(rests(crowd, max));
    crowd->pair.now_ns += SLT_NS_PER_S;
    use(crowd, 0, 1); /* used again: the longest at rest is now 1 */
    use(crowd, max, 1);
    use(crowd, max + 1, 1);
    assert_true(rests(crowd, 0));
    assert_false(rests(crowd, 1));
    assert_false(rests(crowd, 2));
    for (uint32_t i = 3; i < max + 2; i++) {
        assert_true(rests(crowd, i));
    }
    assert_int_equal(crowd->tcp.rests.count, max);
    assert_int_equal(crowd->tcp.colds.used_objects, max);
    assert_int_equal(slt_tcp_conn_at(&crowd->tcp, 0)->cold->data_segs_out, 2);
    crowd_deinit(crowd);
    free(crowd);
}

/* Where there are fewer blocks than connections, one at rest is there for who needs it. */
static void t_one_at_rest_is_there_for_who_needs_it(void **ctx)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));

    (void)ctx;
    crowd_init(crowd, 4, 2);
    use(crowd, 2, 5);
    use(crowd, 1, 5);
    struct slt_tcp_conn *c = slt_tcp_conn_at(&crowd->tcp, 0);
    assert_true(slt_tcp_cold_get(&crowd->tcp, c, crowd->pair.now_ns));
    assert_int_equal(c->cold->data_segs_out, 0); /* nothing of the other's past */
    assert_false(rests(crowd, 2));
    assert_true(rests(crowd, 1));
    c = slt_tcp_conn_at(&crowd->tcp, 3);
    assert_true(slt_tcp_cold_get(&crowd->tcp, c, crowd->pair.now_ns));
    assert_false(rests(crowd, 1));
    c = slt_tcp_conn_at(&crowd->tcp, 1);
    assert_false(slt_tcp_cold_get(&crowd->tcp, c, crowd->pair.now_ns)); /* both are in use */
    crowd_deinit(crowd);
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_totals_span_busy_periods),
        cmocka_unit_test(t_percentiles_span_busy_periods),
        cmocka_unit_test(t_r8985_05_reordering_outlives_an_idle_time),
        cmocka_unit_test(t_r8985_03_an_old_minimum_is_forgotten),
        cmocka_unit_test(t_another_algorithm_begins_anew),
        cmocka_unit_test(t_who_has_sent_nothing_keeps_nothing),
        cmocka_unit_test(t_the_longest_at_rest_makes_room),
        cmocka_unit_test(t_one_at_rest_is_there_for_who_needs_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
