/* The engine driven over a pair: the paths of RFC 9293 figures 6, 12, 13, and bulk data with and
 * without loss, checked byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/tcp_pair.h"

#include <stdlib.h>
#include <string.h>

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 7 + 1);
}

static void state_is(struct pair *p, int side, enum salut_state state)
{
    assert_int_equal(pair_conn(p, side)->state, state);
}

static void t_s_17_19_handshake_reaches_established(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    pair_connect(&p);
    state_is(&p, 0, SALUT_STATE_ESTABLISHED);
    state_is(&p, 1, SALUT_STATE_ESTABLISHED);
    assert_int_equal(p.sent, 3); /* S-15 .. S-17: three segments */
    assert_true(slt_tcp_has(pair_conn(&p, 0), SLT_CONN_SACK_OK));
    assert_true(slt_tcp_has(pair_conn(&p, 1), SLT_CONN_TS_OK));
    assert_int_equal(slt_tcp_full_mss(&p.side[0].tcp, pair_conn(&p, 0)), 1448); /* MUST-16 */
    pair_deinit(&p);
}

static void t_s_82_four_way_close_ends_in_time_wait(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    pair_connect(&p);
    assert_int_equal(slt_tcp_shutdown(&p.side[0].tcp, pair_conn(&p, 0), SALUT_SHUT_WRITE, p.now_ns),
                     SALUT_OK);
    state_is(&p, 0, SALUT_STATE_FIN_WAIT_1);
    pair_run(&p);
    state_is(&p, 0, SALUT_STATE_FIN_WAIT_2);
    state_is(&p, 1, SALUT_STATE_CLOSE_WAIT);
    slt_tcp_close(&p.side[1].tcp, pair_conn(&p, 1), p.now_ns);
    state_is(&p, 1, SALUT_STATE_LAST_ACK);
    pair_run(&p);
    state_is(&p, 0, SALUT_STATE_TIME_WAIT);
    state_is(&p, 1, SALUT_STATE_CLOSED);
    int64_t entered = p.now_ns;
    pair_advance(&p, 59 * SLT_NS_PER_S);
    state_is(&p, 0, SALUT_STATE_TIME_WAIT);
    pair_advance(&p, 2 * SLT_NS_PER_S);
    state_is(&p, 0, SALUT_STATE_CLOSED); /* MUST-13 */
    assert_true(slt_tcp_state_since_ns(pair_conn(&p, 0), p.now_ns) == entered + 60 * SLT_NS_PER_S);
    pair_deinit(&p);
}

static void t_s_77_crossing_fins_pass_through_closing(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    pair_connect(&p);
    slt_tcp_close(&p.side[0].tcp, pair_conn(&p, 0), p.now_ns);
    slt_tcp_close(&p.side[1].tcp, pair_conn(&p, 1), p.now_ns);
    pair_run(&p);
    for (int i = 0; i < 2; i++) {
        struct salut_history h[SALUT_HISTORY_MAX];
        uint32_t n = slt_tcp_history_read(pair_conn(&p, i), p.now_ns, h);
        state_is(&p, i, SALUT_STATE_TIME_WAIT);
        assert_int_equal(h[n - 1].from, SALUT_STATE_CLOSING);
    }
    pair_deinit(&p);
}

/* Move `total` bytes from side 0 to side 1 and back, checking each. */
static void move(struct pair *p, int from, size_t total)
{
    uint8_t out[8192];
    uint8_t in[8192];
    size_t sent = 0;
    size_t got = 0;
    int idle = 0;

    while (got < total) {
        size_t n = total - sent < sizeof(out) ? total - sent : sizeof(out);
        for (size_t i = 0; i < n; i++) {
            out[i] = pattern(sent + i);
        }
        sent += pair_send(p, from, out, n);
        pair_run(p);
        size_t r = pair_recv(p, 1 - from, in, sizeof(in));
        for (size_t i = 0; i < r; i++) {
            assert_int_equal(in[i], pattern(got + i));
        }
        got += r;
        idle = r == 0 ? idle + 1 : 0;
        assert_true(idle < 400);
        if (r == 0) {
            pair_step(p, 200 * SLT_NS_PER_S);
        }
    }
    pair_run(p);
}

static void t_s_01_bulk_arrives_in_order(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    pair_connect(&p);
    move(&p, 0, 3000000);
    move(&p, 1, 3000000);
    assert_int_equal(pair_conn(&p, 0)->retransmits, 0);
    assert_null(slt_tcp_awake(pair_conn(&p, 0))); /* idle: folded */
    pair_deinit(&p);
}

static bool drop_some(struct pair *p, const struct pair_packet *packet)
{
    (void)packet;
    return slt_prng_chance(p->ctx, 1, 20);
}

static void t_s_04_bulk_survives_loss(void **ctx)
{
    (void)ctx;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct pair p;
        struct slt_prng prng;
        slt_prng_seed(&prng, seed);
        pair_init(&p);
        p.config.sack = seed & 1;
        p.config.timestamps = seed >> 1 & 1;
        p.config.probe_with_data = seed >> 2 & 1;
        p.ctx = &prng;
        pair_connect(&p);
        p.drop = drop_some;
        move(&p, 0, 200000);
        move(&p, 1, 200000);
        assert_true(p.dropped > 0);
        pair_deinit(&p);
    }
}

static bool drop_all(struct pair *p, const struct pair_packet *packet)
{
    (void)p;
    (void)packet;
    return true;
}

/* A retransmission that ends where a buffer of the queue ends: its acknowledgement gives the buffer
 * back, and the place where the next one starts must not be looked for in it. */
static void t_i_11_retransmission_ends_with_its_buffer(void **ctx)
{
    struct pair p;
    uint8_t in[5 * 1448];
    uint8_t out[5 * 1448];

    (void)ctx;
    pair_init_buffers(&p, 1448);
    pair_connect(&p);
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = pattern(i);
    }
    p.drop = drop_all;
    assert_int_equal(pair_send(&p, 0, out, sizeof(out)), sizeof(out));
    pair_run(&p);
    p.drop = NULL;
    pair_advance(&p, 10 * SLT_NS_PER_S);
    assert_int_equal(pair_recv(&p, 1, in, sizeof(in)), sizeof(in));
    assert_memory_equal(in, out, sizeof(in));
    assert_true(pair_conn(&p, 0)->retransmits >= 5);
    pair_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_s_17_19_handshake_reaches_established),
        cmocka_unit_test(t_s_82_four_way_close_ends_in_time_wait),
        cmocka_unit_test(t_s_77_crossing_fins_pass_through_closing),
        cmocka_unit_test(t_s_01_bulk_arrives_in_order),
        cmocka_unit_test(t_s_04_bulk_survives_loss),
        cmocka_unit_test(t_i_11_retransmission_ends_with_its_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
