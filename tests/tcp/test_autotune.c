/* Buffers that tune themselves (src/tcp/autotune.c), over a path in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_path.h"

#include <string.h>

/* Side 0 always has something to send; side 1 reads `read_bytes` every `read_ns`, or all at once
 * whenever it can. */
struct bulk {
    uint32_t read_bytes; /* 0: all there is */
    int64_t read_ns;     /* 0: at once */
    int64_t read_at_ns;
    uint64_t sent;
    uint64_t got;
    bool idle; /* the sender has stopped */
};

static uint8_t scratch[1 << 20];

static void bulk_app(struct path *path, void *ctx)
{
    struct bulk *bulk = ctx;
    struct pair *pair = &path->pair;

    while (!bulk->idle) {
        size_t taken = pair_send(pair, 0, scratch, sizeof(scratch));
        bulk->sent += taken;
        if (taken == 0) {
            break;
        }
    }
    if (pair->now_ns < bulk->read_at_ns || pair->side[1].conn == SLT_NIL) {
        return;
    }
    size_t bite = bulk->read_bytes == 0 ? sizeof(scratch) : bulk->read_bytes;
    size_t got = pair_recv(pair, 1, scratch, bite);
    bulk->got += got;
    if (bulk->read_ns > 0) {
        bulk->read_at_ns = pair->now_ns + bulk->read_ns;
        path->app_at_ns = bulk->read_at_ns;
    }
}

static void start(struct path *path, struct bulk *bulk, int64_t mbit_per_s, int64_t rtt_ns)
{
    int64_t bits_per_s = mbit_per_s * 1000 * 1000;

    path_init(path, bits_per_s, rtt_ns, bits_per_s / 8 * rtt_ns / SLT_NS_PER_S);
    path->pair.config.mtu = 9000; /* fewer packets, and so fewer checks of the invariants */
    memset(bulk, 0, sizeof(*bulk));
    path->app_ctx = bulk;
}

/* The share of the rate that was delivered in `for_ns`, in percent. */
static int64_t rate_pct(struct path *path, struct bulk *bulk, int64_t for_ns)
{
    uint64_t before = bulk->got;

    path_run(path, for_ns);
    int64_t could = path->way[0].bits_per_s / 8 * (for_ns / SLT_NS_PER_MS) / 1000;
    return (int64_t)(bulk->got - before) * 100 / could;
}

static void t_r7323_05_bulk_fills_a_long_path(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk, 100, 100 * SLT_NS_PER_MS);
    path_connect(&path);
    path.app = bulk_app;
    path_run(&path, 3 * SLT_NS_PER_S); /* slow start from 18 KB to 1.25 MB, and its overshoot */
    assert_true(rate_pct(&path, &bulk, 7 * SLT_NS_PER_S) >= 90);
    const struct slt_tcp_conn *to = pair_conn(&path.pair, 1);
    assert_true(to->rcv.buffer_max >= 2 * 1250000); /* twice what a round trip holds */
    assert_true(to->rcv.buffer_max <= path.pair.config.recv_buffer_max_bytes);
    assert_true(pair_conn(&path.pair, 0)->snd.buffer_max >= 2 * 1250000);
    path_deinit(&path);
}

static void t_r7323_05_the_window_is_never_what_stops_slow_start(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk, 1000, 50 * SLT_NS_PER_MS);
    path_connect(&path);
    path.app = bulk_app;
    for (int round = 0; round < 9; round++) { /* 14 KB doubling to 3.7 MB */
        const struct slt_tcp_conn *c = pair_conn(&path.pair, 0);
        path_run(&path, 50 * SLT_NS_PER_MS);
        if (c->cold != NULL) {
            uint32_t cwnd = c->cold->cc.cwnd_bytes;
            assert_true(slt_min32(cwnd, 2000000) <= c->snd.wnd);
        }
    }
    path_deinit(&path);
}

static void t_r7323_05_without_timestamps_too(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk, 100, 100 * SLT_NS_PER_MS);
    path.pair.config.timestamps = 0;
    path_connect(&path);
    path.app = bulk_app;
    path_run(&path, 4 * SLT_NS_PER_S);
    assert_true(rate_pct(&path, &bulk, 6 * SLT_NS_PER_S) >= 90);
    path_deinit(&path);
}

static void t_shld_14_a_slow_reader_does_not_grow_the_buffer(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk, 100, 100 * SLT_NS_PER_MS);
    bulk.read_bytes = 2000; /* 20 KB in a round trip */
    bulk.read_ns = 10 * SLT_NS_PER_MS;
    path_connect(&path);
    path.app = bulk_app;
    path_run(&path, 20 * SLT_NS_PER_S);
    assert_int_equal(pair_conn(&path.pair, 1)->rcv.buffer_max, 131072);
    assert_true(bulk.got >= 3900000);
    path_deinit(&path);
}

static void t_the_users_sizes_stay(void **ctx)
{
    struct path path;
    struct bulk bulk;
    struct slt_tcp *tcp;

    (void)ctx;
    start(&path, &bulk, 100, 100 * SLT_NS_PER_MS);
    assert_int_equal(
        slt_tcp_set_default(&path.pair.side[1].defaults, SALUT_OPT_RECV_BUFFER, 100000), SALUT_OK);
    path_connect(&path);
    tcp = &path.pair.side[0].tcp;
    assert_int_equal(slt_tcp_set_option(tcp, pair_conn(&path.pair, 0), SALUT_OPT_SEND_BUFFER, 50000,
                                        path.pair.now_ns),
                     SALUT_OK);
    path.app = bulk_app;
    path_run(&path, 5 * SLT_NS_PER_S);
    assert_int_equal(pair_conn(&path.pair, 1)->rcv.buffer_max, 100000);
    assert_int_equal(pair_conn(&path.pair, 0)->snd.buffer_max, 50000);
    path_deinit(&path);
}

static void t_memory_pressure_bounds_the_growth(void **ctx)
{
    struct path path;
    struct bulk bulk;
    struct slt_pool *bufs;

    (void)ctx;
    start(&path, &bulk, 100, 100 * SLT_NS_PER_MS);
    path_connect(&path);
    bufs = &path.pair.side[1].tcp.bufs;
    bufs->max_objects = 256; /* 1 MB for everybody */
    path.app = bulk_app;
    path_run(&path, 5 * SLT_NS_PER_S);
    assert_true(pair_conn(&path.pair, 1)->rcv.buffer_max <= 256 * 4096 / 4);
    assert_true(bulk.got > 1000000);
    path_deinit(&path);
}

/* What a pressed pool still promises is the minimum; what was promised stays. */
static void t_shld_14_pressed_the_edge_does_not_move_left(void **ctx)
{
    struct path path;
    struct bulk bulk;
    uint32_t held[4096];
    unsigned count = 0;

    (void)ctx;
    start(&path, &bulk, 100, 20 * SLT_NS_PER_MS);
    path_connect(&path);
    struct slt_tcp *tcp = &path.pair.side[1].tcp;
    struct slt_tcp_conn *c = pair_conn(&path.pair, 1);
    int64_t edge = c->rcv.edge;
    while (!slt_tcp_tune_pressed(tcp)) {
        held[count++] = slt_pool_take(&tcp->bufs);
    }
    int64_t step = INT64_C(1) << c->rcv.wscale; /* a scaled window is rounded up */
    assert_true(slt_tcp_window_edge(tcp, c) >= edge && slt_tcp_window_edge(tcp, c) < edge + step);
    assert_int_equal(pair_send(&path.pair, 0, scratch, 40000), 40000);
    path_run(&path, SLT_NS_PER_S);
    assert_int_equal(c->rcv.queue.bytes, 40000);
    assert_true(c->rcv.edge >= edge && c->rcv.edge < edge + 64 * step);
    assert_int_equal(pair_recv(&path.pair, 1, scratch, 40000), 40000);
    path_run(&path, SLT_NS_PER_S);
    assert_true(c->rcv.edge >= edge && c->rcv.edge < edge + 64 * step);
    while (count > 0) {
        slt_pool_give(&tcp->bufs, held[--count]);
    }
    path_deinit(&path);
}

/* New text leaves while a lost segment is waited for, sent again and answered: a writer may queue
 * three windows, four where recovery does not reduce the window. */
static void t_a_writer_may_queue_three_windows(void **ctx)
{
    static const struct {
        uint8_t cc; /* enum salut_cc */
        uint32_t windows;
    } rows[] = {{SALUT_CC_CUBIC, 3}, {SALUT_CC_NEWRENO, 3}, {SALUT_CC_BBR, 4}};

    (void)ctx;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct path path;
        struct bulk bulk;
        start(&path, &bulk, 50, 20 * SLT_NS_PER_MS);
        path.pair.side[0].defaults.opts.cc = rows[i].cc;
        path_connect(&path);
        path.app = bulk_app;
        path_run(&path, 3 * SLT_NS_PER_S);
        const struct slt_tcp_conn *c = pair_conn(&path.pair, 0);
        assert_true(c->cold->cc.cwnd_bytes >= 125000);
        assert_true(c->snd.buffer_max >= rows[i].windows * c->cold->cc.cwnd_bytes);
        path_deinit(&path);
    }
}

/* A segment is lost, and what is sent again for it, too: three round trips go by before it is
 * acknowledged, and new text leaves all the time. */
static void t_a_lost_retransmission_does_not_silence_the_sender(void **ctx)
{
    static const int64_t rtt_ns = 100 * SLT_NS_PER_MS;
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk, 50, rtt_ns);
    path.pair.config.recv_buffer_bytes = 4194304;
    path_connect(&path);
    path.app = bulk_app;
    path_run(&path, 6 * SLT_NS_PER_S);
    unsigned lost = path.way[0].lost;
    path.way[0].lose_times = 2;
    path.way[0].pause_ns = 0;
    path_run(&path, 5 * rtt_ns);
    assert_int_equal(path.way[0].lose_times, 0);
    assert_int_equal(path.way[0].lost, lost + 2);
    assert_true(path.way[0].pause_ns < rtt_ns / 8);
    path_deinit(&path);
}

static void t_an_idle_connection_is_small_again(void **ctx)
{
    struct path path;
    struct bulk bulk;

    (void)ctx;
    start(&path, &bulk, 100, 20 * SLT_NS_PER_MS);
    path_connect(&path);
    path.app = bulk_app;
    path_run(&path, SLT_NS_PER_S);
    bulk.idle = true;
    path_run(&path, 3 * SLT_NS_PER_S);
    assert_true(bulk.got == bulk.sent);
    assert_null(pair_conn(&path.pair, 1)->cold);
    assert_null(slt_tcp_awake(pair_conn(&path.pair, 0)));
    assert_true(slt_tcp_next_deadline(pair_conn(&path.pair, 1)) == SLT_NEVER);
    path_deinit(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r7323_05_bulk_fills_a_long_path),
        cmocka_unit_test(t_r7323_05_the_window_is_never_what_stops_slow_start),
        cmocka_unit_test(t_r7323_05_without_timestamps_too),
        cmocka_unit_test(t_shld_14_a_slow_reader_does_not_grow_the_buffer),
        cmocka_unit_test(t_the_users_sizes_stay),
        cmocka_unit_test(t_memory_pressure_bounds_the_growth),
        cmocka_unit_test(t_shld_14_pressed_the_edge_does_not_move_left),
        cmocka_unit_test(t_a_writer_may_queue_three_windows),
        cmocka_unit_test(t_a_lost_retransmission_does_not_silence_the_sender),
        cmocka_unit_test(t_an_idle_connection_is_small_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
