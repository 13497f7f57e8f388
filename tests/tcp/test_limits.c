/* What keeps a sender from sending, as it tells its congestion control and its writer
 * (src/tcp/output.c at the end of a turn, ready.c), in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_path.h"

#include <string.h>

static uint8_t scratch[1 << 20];

/* Side 0 always has something to send, side 1 reads what comes. */
struct bulk {
    uint64_t got;
    unsigned seen;    /* times the sender was looked at */
    unsigned limited; /* ... while its samples counted as the application's */
};

static void bulk_app(struct path *path, void *ctx)
{
    struct bulk *bulk = ctx;
    struct pair *pair = &path->pair;
    struct slt_tcp_conn *c = pair_conn(pair, 0);

    slt_tcp_settle(&pair->side[0].tcp, c, pair->now_ns); /* as the stack does after each door */
    while (pair_send(pair, 0, scratch, sizeof(scratch)) > 0) {
    }
    if (pair->side[1].conn != SLT_NIL) {
        bulk->got += pair_recv(pair, 1, scratch, sizeof(scratch));
    }
    if (c->cold != NULL) {
        bulk->seen++;
        bulk->limited += c->cold->rate.app_limited_until != 0;
    }
}

/* BBR-08: a sender that its pace holds back, and that has yet to send what an acknowledgement or
 * the pacing timer lets go in this turn, is not limited by its application. */
static void t_bbr_08_the_pace_is_not_the_application(void **ctx)
{
    struct path path;
    struct bulk bulk = {0};

    (void)ctx;
    path_init(&path, INT64_C(200000000), 20 * SLT_NS_PER_MS, 500000);
    path.pair.config.mtu = 9000; /* fewer packets, and so fewer checks of the invariants */
    path.pair.side[0].defaults.opts.cc = SALUT_CC_BBR;
    path.app_ctx = &bulk;
    path_connect(&path);
    path.app = bulk_app;
    path_run(&path, SLT_NS_PER_S);
    bulk = (struct bulk){0};
    path_run(&path, SLT_NS_PER_S);
    assert_true(bulk.got > 20000000);
    assert_true(bulk.seen > 1000);
    assert_int_equal(bulk.limited, 0);
    path_deinit(&path);
}

static bool writable(struct pair *pair)
{
    return slt_tcp_ready(pair_conn(pair, 0), SALUT_WRITABLE) != 0;
}

/* A connection whose whole send buffer but `room` octets is filled, and none of it sent. */
static void fill(struct pair *pair, uint32_t room)
{
    pair_init_buffers(pair, 4096);
    pair->config.initial_window_segments = 100;
    pair_connect(pair);
    assert_int_equal(slt_tcp_set_option(&pair->side[0].tcp, pair_conn(pair, 0),
                                        SALUT_OPT_SEND_BUFFER, 50000, pair->now_ns),
                     SALUT_OK);
    uint32_t all = slt_tcp_snd_room(pair_conn(pair, 0));
    assert_int_equal(pair_send(pair, 0, scratch, all - room), all - room);
}

/* SOCK-41: room of less than half of what is queued is none while there is enough to send; when
 * all has been sent and a loss keeps it in the buffer, the writer is asked for more. */
static void t_sock_41_a_sender_that_runs_dry_asks_for_more(void **ctx)
{
    struct pair pair;

    (void)ctx;
    fill(&pair, 8000);
    assert_false(writable(&pair));
    while (pair_transmit(&pair, 0)) {
    }
    const struct slt_tcp_conn *c = pair_conn(&pair, 0);
    assert_int_equal(c->snd.nxt, slt_tcp_snd_end(c));
    assert_int_equal(slt_tcp_snd_room(c), 8000);
    assert_true(writable(&pair));
    pair_run(&pair);
    pair_deinit(&pair);
}

static void t_sock_41_but_not_for_crumbs(void **ctx)
{
    struct pair pair;

    (void)ctx;
    fill(&pair, 1000);
    while (pair_transmit(&pair, 0)) {
    }
    assert_int_equal(slt_tcp_snd_room(pair_conn(&pair, 0)), 1000);
    assert_false(writable(&pair));
    pair_run(&pair);
    pair_deinit(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_bbr_08_the_pace_is_not_the_application),
        cmocka_unit_test(t_sock_41_a_sender_that_runs_dry_asks_for_more),
        cmocka_unit_test(t_sock_41_but_not_for_crumbs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
