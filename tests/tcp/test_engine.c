/* Leaves of the engine by themselves: the table of legal edges, RTT, congestion windows, cookies,
 * TIME-WAIT entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/tcp_pair.h"

#include <string.h>

/* RFC 9293 figure 5 and 3.10, written out once more by hand. */
static void t_i_20_edges_are_those_of_the_figure(void **ctx)
{
    static const char *edges[] = {"01", "02", "13", "12", "10", "23", "24", "20", "34",
                                  "35", "31", "30", "45", "47", "40", "56", "58", "5A",
                                  "50", "6A", "60", "79", "70", "8A", "80", "90", "A0"};
    unsigned legal = 0;

    (void)ctx;
    for (unsigned from = 0; from < SALUT_STATE_COUNT; from++) {
        for (unsigned to = 0; to < SALUT_STATE_COUNT; to++) {
            legal += slt_tcp_edge_legal((enum salut_state)from, (enum salut_state)to);
        }
    }
    assert_int_equal(legal, sizeof(edges) / sizeof(edges[0]));
    for (unsigned i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        unsigned from = edges[i][0] == 'A' ? 10U : (unsigned)(edges[i][0] - '0');
        unsigned to = edges[i][1] == 'A' ? 10U : (unsigned)(edges[i][1] - '0');
        assert_true(slt_tcp_edge_legal((enum salut_state)from, (enum salut_state)to));
    }
}

static void t_r6298_02_03_filters_follow_the_rfc(void **ctx)
{
    struct salut_config config = {.rto_initial_ns = SLT_NS_PER_S,
                                  .rto_min_ns = SLT_NS_PER_S,
                                  .rto_max_ns = 60 * SLT_NS_PER_S};
    struct slt_tcp_rtt rtt;
    double srtt = 0;
    double var = 0;
    struct slt_prng prng;

    (void)ctx;
    slt_prng_seed(&prng, 7);
    slt_rtt_init(&rtt, &config);
    assert_int_equal(rtt.rto_us, 1000000); /* 2.1 */
    for (int i = 0; i < 1000; i++) {
        double r = 1000.0 + (double)slt_prng_below(&prng, 2000000);
        slt_rtt_sample(&rtt, &config, (int64_t)r);
        double error = srtt > r ? srtt - r : r - srtt;
        var = i == 0 ? r / 2 : 0.75 * var + 0.25 * error;
        srtt = i == 0 ? r : 0.875 * srtt + 0.125 * r;
        double rto = srtt + 4 * var < 1e6 ? 1e6 : srtt + 4 * var;
        double got = rtt.rto_us;
        assert_true(got > rto * 0.999 - 20 && got < rto * 1.001 + 20);
    }
}

static void t_r6298_04_05_rto_stays_in_its_bounds(void **ctx)
{
    struct salut_config config = {.rto_initial_ns = SLT_NS_PER_S,
                                  .rto_min_ns = 200 * SLT_NS_PER_MS,
                                  .rto_max_ns = 120 * SLT_NS_PER_S};
    struct slt_tcp_rtt rtt;

    (void)ctx;
    for (int64_t sample = 0; sample < INT64_C(1) << 40; sample = sample * 2 + 1) {
        slt_rtt_init(&rtt, &config);
        for (int i = 0; i < 10; i++) {
            slt_rtt_sample(&rtt, &config, i & 1 ? sample : 1);
            assert_true(rtt.rto_us >= 200000 && rtt.rto_us <= 120000000); /* I06, I-19 */
        }
    }
}

static void t_r4987_02_cookies_come_back_and_guesses_do_not(void **ctx)
{
    struct pair p;
    struct slt_prng prng;
    struct slt_tcp_half_open h;
    struct slt_tcp_half_open back;
    struct slt_tcp_segment seg;
    unsigned accepted = 0;

    (void)ctx;
    pair_init(&p);
    slt_prng_seed(&prng, 3);
    memset(&seg, 0, sizeof(seg));
    seg.flags = SLT_TCP_SYN;
    seg.seq = 0xfffffff0;
    seg.opt.present =
        SLT_TCP_OPT_MSS | SLT_TCP_OPT_WSCALE | SLT_TCP_OPT_SACK_OK | SLT_TCP_OPT_TIMESTAMPS;
    seg.opt.mss = 1452;
    seg.opt.wscale = 9;
    seg.opt.ts_val = 77;
    struct slt_tcp *tcp = &p.side[1].tcp;
    slt_tcp_half_open_init(tcp, &h, &p.side[1].id, &seg, 0, p.now_ns);
    slt_tcp_cookie_make(tcp, &h, p.now_ns);
    struct slt_tcp_reply reply;
    slt_tcp_half_open_syn_ack(tcp, &h, &p.side[1].defaults, true, p.now_ns, &reply);
    seg.flags = SLT_TCP_ACK;
    seg.seq++;
    seg.ack = h.isn + 1;
    seg.opt.ts_ecr = reply.opt.ts_val;
    assert_true(slt_tcp_cookie_check(tcp, &p.side[1].id, &seg, p.now_ns, &back));
    assert_int_equal(back.mss, 1440);
    assert_int_equal(back.wscale, 9);
    assert_true(back.flags & SLT_HALF_SACK_OK);
    assert_true(
        slt_tcp_cookie_check(tcp, &p.side[1].id, &seg, p.now_ns + 60 * SLT_NS_PER_S, &back));
    assert_false(
        slt_tcp_cookie_check(tcp, &p.side[1].id, &seg, p.now_ns + 130 * SLT_NS_PER_S, &back));
    for (int i = 0; i < 1000000; i++) { /* L05 at a tenth: at most two of 10^7 */
        seg.ack = (uint32_t)slt_prng_u64(&prng);
        accepted += slt_tcp_cookie_check(tcp, &p.side[1].id, &seg, p.now_ns, &back);
    }
    assert_true(accepted <= 1);
    pair_deinit(&p);
}

static void t_must_9_isns_need_the_key_and_must_8_follow_the_clock(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    struct slt_tcp *tcp = &p.side[0].tcp;
    struct slt_tcp_id id = p.side[0].id;
    tcp->isn_fixed = false;
    uint32_t first = slt_tcp_isn(tcp, &id, p.now_ns);
    uint32_t later = slt_tcp_isn(tcp, &id, p.now_ns + SLT_NS_PER_S);
    assert_true(later - first > 200000 && later - first < 260000); /* 4 us ticks */
    id.remote_port++;
    uint32_t other = slt_tcp_isn(tcp, &id, p.now_ns);
    assert_true(other - first > 1000000 && first - other > 1000000);
    pair_deinit(&p);
}

/* The two come from one hash, remembered for the tuples of the last ISNs: neither depends on who
 * was asked about before, nor tells the other. */
static void t_r7323_offsets_belong_to_their_tuples(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    struct slt_tcp *tcp = &p.side[0].tcp;
    struct slt_tcp_id one = p.side[0].id;
    struct slt_tcp_id two = one;
    tcp->isn_fixed = false;
    two.remote_port = (uint16_t)(two.remote_port + SLT_TCP_KEYED_COUNT); /* of the same place */
    uint32_t offset_of_one = slt_tcp_ts_offset(tcp, &one);
    uint32_t offset_of_two = slt_tcp_ts_offset(tcp, &two);
    assert_int_not_equal(offset_of_one, offset_of_two);
    uint32_t isn = slt_tcp_isn(tcp, &one, 0);
    assert_int_not_equal(isn, offset_of_one);
    assert_int_equal(slt_tcp_ts_offset(tcp, &one), offset_of_one);
    assert_int_equal(slt_tcp_ts_offset(tcp, &two), offset_of_two);
    (void)slt_tcp_isn(tcp, &two, 0);
    assert_int_equal(slt_tcp_ts_offset(tcp, &two), offset_of_two);
    assert_int_equal(slt_tcp_ts_offset(tcp, &one), offset_of_one);
    assert_int_equal(slt_tcp_isn(tcp, &one, 0), isn);
    pair_deinit(&p);
}

static void t_time_wait_entry_keeps_its_deadline_exactly(void **ctx)
{
    struct pair p;
    struct slt_tcp_time_wait tw;

    (void)ctx;
    for (int64_t start_ms = 0; start_ms < INT64_C(1) << 33; start_ms = start_ms * 3 + 4194000) {
        pair_init(&p);
        p.now_ns = start_ms * SLT_NS_PER_MS;
        pair_connect(&p);
        slt_tcp_close(&p.side[0].tcp, pair_conn(&p, 0), p.now_ns);
        pair_run(&p);
        slt_tcp_close(&p.side[1].tcp, pair_conn(&p, 1), p.now_ns);
        pair_run(&p);
        assert_int_equal(pair_conn(&p, 0)->state, SALUT_STATE_TIME_WAIT);
        slt_tcp_time_wait_init(&p.side[0].tcp, pair_conn(&p, 0), &tw, p.now_ns);
        int64_t due = p.now_ns + 60 * SLT_NS_PER_S;
        assert_true(slt_tcp_time_wait_due_at_ns(&tw, p.now_ns) == due);
        assert_true(slt_tcp_time_wait_due_at_ns(&tw, due + SLT_NS_PER_S) == due);
        assert_int_equal(slt_tcp_time_wait_reason(&tw), SLT_CAUSE_FIN_RECEIVED);
        pair_deinit(&p);
    }
}

/* Setting a timer lowers the bound, stopping one leaves it, looking makes it exact, and a block
 * that is new or starts anew forgets it. */
static void t_i_32_no_timer_is_due_before_the_bound(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    pair_connect(&p);
    pair_run(&p);
    struct slt_tcp_conn *c = pair_conn(&p, 0);
    assert_true(slt_tcp_cold_get(&p.side[0].tcp, c, p.now_ns));
    assert_true(slt_tcp_deadline_bound(c) == SLT_NEVER);
    slt_tcp_timers_on_reordering(c, p.now_ns + 100);
    slt_tcp_timers_on_tail(c, p.now_ns + 200);
    assert_true(slt_tcp_deadline_bound(c) == p.now_ns + 100);
    slt_tcp_timers_on_reordering(c, SLT_NEVER);
    assert_true(slt_tcp_next_deadline(c) == p.now_ns + 200);
    assert_true(slt_tcp_deadline_bound(c) == p.now_ns + 100);
    assert_true(slt_tcp_find_deadline(c) == p.now_ns + 200);
    assert_true(slt_tcp_deadline_bound(c) == p.now_ns + 200);
    slt_tcp_timers_on_tail(c, p.now_ns + 50);
    assert_true(slt_tcp_deadline_bound(c) == p.now_ns + 50);
    slt_tcp_timers_on_ack_owed(&p.side[0].tcp, c, p.now_ns - SLT_NS_PER_S);
    assert_true(slt_tcp_deadline_bound(c) <
                p.now_ns); /* the timers of the connection's own count */
    slt_tcp_timers_on_ack_sent(c);
    slt_tcp_timers_cold_init(c->cold);
    assert_true(slt_tcp_deadline_bound(c) == SLT_NEVER);
    pair_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_i_20_edges_are_those_of_the_figure),
        cmocka_unit_test(t_r6298_02_03_filters_follow_the_rfc),
        cmocka_unit_test(t_r6298_04_05_rto_stays_in_its_bounds),
        cmocka_unit_test(t_r4987_02_cookies_come_back_and_guesses_do_not),
        cmocka_unit_test(t_must_9_isns_need_the_key_and_must_8_follow_the_clock),
        cmocka_unit_test(t_r7323_offsets_belong_to_their_tuples),
        cmocka_unit_test(t_time_wait_entry_keeps_its_deadline_exactly),
        cmocka_unit_test(t_i_32_no_timer_is_due_before_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
