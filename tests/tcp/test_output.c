/* What a sender whose window is full makes of the acknowledgements: frames worth their work on a
 * link that cuts them, and pairs of segments on one that does not. Acknowledgements are made by
 * hand, so that a test says how much each lets go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_pair.h"

#define MSS       1460
#define WINDOW    30   /* segments: at 1.2 windows in ten milliseconds a frame is worth three */
#define QUEUED_US 8000 /* of the ten milliseconds: an eighth of it is pacing's burst */

static const uint8_t text[2 * WINDOW * MSS];

static bool drop_all(struct pair *p, const struct pair_packet *packet)
{
    (void)p;
    (void)packet;
    return true;
}

/* So many segments wait to leave, beyond a window of them that left some milliseconds ago. */
static void start(struct pair *p, uint32_t gso_max_bytes, size_t more, int64_t ago_ms)
{
    size_t rest = (WINDOW - 1 + more) * MSS;

    pair_init(p);
    p->config.timestamps = 0;
    p->delay_ns = 5 * SLT_NS_PER_MS;
    p->config.gso_max_bytes = gso_max_bytes;
    pair_connect(p);
    struct slt_tcp_conn *c = pair_conn(p, 0);
    assert_int_equal(c->rtt.srtt8_us >> 3, 10000);
    p->drop = drop_all;
    assert_int_equal(pair_send(p, 0, text, MSS), MSS); /* what congestion control is kept with */
    c->rtt.min_us = 10000 - QUEUED_US;
    c->cold->cc.cwnd_bytes = WINDOW * MSS;
    c->cold->cc.ssthresh_bytes = WINDOW * MSS;
    assert_int_equal(pair_send(p, 0, text, rest), rest);
    while (pair_transmit(p, 0)) {
    }
    assert_int_equal(c->snd.nxt, 1 + WINDOW * MSS);
    p->now_ns += ago_ms * SLT_NS_PER_MS;
}

/* Everything up to so many segments is acknowledged; how many leave for it. */
static int64_t hear(struct pair *p, int segments)
{
    const struct slt_tcp_conn *c = pair_conn(p, 0);
    struct pair_packet packet = {.to = 0};
    int64_t before = c->snd.nxt;

    packet.seg.src_port = c->id.remote_port;
    packet.seg.dst_port = c->id.local_port;
    packet.seg.seq = slt_tcp_wrap(c->rcv.nxt, c->rcv.isn);
    packet.seg.ack = slt_tcp_wrap(1 + (int64_t)segments * MSS, c->snd.isn);
    packet.seg.flags = SLT_TCP_ACK;
    packet.seg.window = (uint16_t)(c->snd.wnd >> c->snd.wscale);
    pair_deliver(p, &packet);
    unsigned sent = p->sent;
    while (pair_transmit(p, 0)) {
    }
    assert_true(p->sent <= sent + 1); /* in one frame */
    return (c->snd.nxt - before) / MSS;
}

/* Too little for a frame waits, and that is the window's doing: it goes on growing. */
static void t_a_full_window_sends_frames(void **ctx)
{
    static const struct {
        int heard;
        int64_t left;
    } rows[] = {{2, 0}, {4, 4}, {6, 0}, {7, 3}};
    struct pair p;

    (void)ctx;
    start(&p, 65536, WINDOW, 10);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(hear(&p, rows[i].heard), rows[i].left);
        assert_true(pair_conn(&p, 0)->cold->cc.limited);
    }
    pair_deinit(&p);
}

static void t_without_offload_nothing_waits(void **ctx)
{
    struct pair p;

    (void)ctx;
    start(&p, 0, WINDOW, 10);
    assert_int_equal(hear(&p, 1), 1);
    assert_int_equal(hear(&p, 2), 1);
    pair_deinit(&p);
}

/* What is in flight left a moment ago: the next acknowledgement may be long in coming. */
static void t_nothing_waits_for_a_late_acknowledgement(void **ctx)
{
    struct pair p;

    (void)ctx;
    start(&p, 65536, WINDOW, 4);
    assert_int_equal(hear(&p, 2), 2);
    pair_deinit(&p);
}

/* Nothing stands in the path's queue: what waited would be missed there. */
static void t_nothing_waits_without_a_queue(void **ctx)
{
    struct pair p;

    (void)ctx;
    start(&p, 65536, WINDOW, 10);
    pair_conn(&p, 0)->rtt.min_us = 9000;
    assert_int_equal(hear(&p, 2), 2);
    pair_deinit(&p);
}

static void t_the_last_segments_do_not_wait(void **ctx)
{
    struct pair p;

    (void)ctx;
    start(&p, 65536, 2, 10);
    assert_int_equal(hear(&p, 2), 2);
    pair_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_a_full_window_sends_frames),
        cmocka_unit_test(t_without_offload_nothing_waits),
        cmocka_unit_test(t_nothing_waits_for_a_late_acknowledgement),
        cmocka_unit_test(t_nothing_waits_without_a_queue),
        cmocka_unit_test(t_the_last_segments_do_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
