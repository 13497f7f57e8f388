/* The user timeout option (src/tcp/uto.c; RFC 5482) between two engines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_pair.h"

/* What the wire has carried, by kind of segment: options with a user timeout, and their value. */
struct seen {
    unsigned syns;
    unsigned others;
    uint16_t value;
};

static bool look(struct pair *p, const struct pair_packet *packet)
{
    struct seen *seen = p->ctx;

    if (packet->to == 1 && (packet->seg.opt.present & SLT_TCP_OPT_USER_TIMEOUT)) {
        seen->value = packet->seg.opt.user_timeout;
        if (packet->seg.flags & SLT_TCP_SYN) {
            seen->syns++;
        } else {
            seen->others++;
        }
    }
    return false;
}

static void start(struct pair *p, struct seen *seen)
{
    pair_init(p);
    *seen = (struct seen){0};
    p->ctx = seen;
    p->drop = look;
    p->config.user_timeout_option = 1;
}

static uint32_t timeout_ms(struct pair *p, int side)
{
    return pair_conn(p, side)->opts.user_timeout_ms;
}

static void t_r5482_01_seconds_and_minutes(void **ctx)
{
    (void)ctx;
    assert_int_equal(slt_tcp_uto_value(0), 0);
    assert_int_equal(slt_tcp_uto_value(1), 1); /* never 0 for what is not 0 */
    assert_int_equal(slt_tcp_uto_value(SLT_NS_PER_S), 1);
    assert_int_equal(slt_tcp_uto_value(32767 * SLT_NS_PER_S), 32767);
    assert_int_equal(slt_tcp_uto_value(32768 * SLT_NS_PER_S), 0x8000 | 547);
    assert_int_equal(slt_tcp_uto_value(INT64_C(32767) * 60 * SLT_NS_PER_S), 0xffff);
    assert_int_equal(slt_tcp_uto_value(INT64_C(40000) * 60 * SLT_NS_PER_S), 0xffff);
}

static void t_r5482_04_on_the_syn_and_the_first_segment_after_it(void **ctx)
{
    struct pair p;
    struct seen seen;
    uint8_t in[3000];
    uint8_t out[3000] = {0};

    (void)ctx;
    start(&p, &seen);
    p.side[0].defaults.opts.user_timeout_ms = 500 * 1000;
    pair_connect(&p);
    assert_int_equal(seen.syns, 1);
    assert_int_equal(seen.others, 1);
    assert_int_equal(seen.value, 500);
    assert_int_equal(timeout_ms(&p, 1), 500 * 1000); /* the peer waits as long (R5482-03) */
    assert_int_equal(pair_send(&p, 0, out, sizeof(out)), sizeof(out));
    pair_run(&p);
    pair_advance(&p, SLT_NS_PER_S);
    unsigned others = seen.others;
    assert_int_equal(pair_recv(&p, 1, in, sizeof(in)), sizeof(in));
    assert_int_equal(pair_send(&p, 0, out, sizeof(out)), sizeof(out));
    pair_run(&p);
    assert_int_equal(seen.others, others); /* not for ever */
    pair_deinit(&p);
}

static void t_r5482_02_the_users_own_stays(void **ctx)
{
    struct pair p;
    struct seen seen;

    (void)ctx;
    start(&p, &seen);
    p.side[0].defaults.opts.user_timeout_ms = 500 * 1000;
    assert_int_equal(
        slt_tcp_set_default(&p.side[1].defaults, SALUT_OPT_USER_TIMEOUT_MS, 200 * 1000), SALUT_OK);
    pair_connect(&p);
    assert_int_equal(timeout_ms(&p, 1), 200 * 1000);
    pair_deinit(&p);
}

static void t_r5482_03_within_the_limits(void **ctx)
{
    static const struct {
        uint32_t said_ms;
        uint32_t adopted_ms;
    } cases[] = {{1000, 100 * 1000}, {100 * 1000, 100 * 1000}, {90000 * 1000, 3600 * 1000}};

    (void)ctx;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(cases); i++) {
        struct pair p;
        struct seen seen;
        start(&p, &seen);
        p.side[0].defaults.opts.user_timeout_ms = cases[i].said_ms;
        pair_connect(&p);
        assert_int_equal(timeout_ms(&p, 1), cases[i].adopted_ms);
        pair_deinit(&p);
    }
}

static void t_r5482_06_off_is_silent_and_deaf(void **ctx)
{
    struct pair p;
    struct seen seen;

    (void)ctx;
    start(&p, &seen);
    p.config.user_timeout_option = 0;
    p.side[0].defaults.opts.user_timeout_ms = 500 * 1000;
    pair_connect(&p);
    assert_int_equal(seen.syns + seen.others, 0);
    assert_int_equal(timeout_ms(&p, 1), 0);
    pair_deinit(&p);
}

static bool drop_all(struct pair *p, const struct pair_packet *packet)
{
    (void)p;
    (void)packet;
    return true;
}

/* The adopted timeout is what ends a silent connection: neither R2 before it nor anything later. */
static void t_r5482_03_the_adopted_timeout_decides(void **ctx)
{
    struct pair p;
    struct seen seen;
    uint8_t out[100] = {0};

    (void)ctx;
    start(&p, &seen);
    p.side[0].defaults.opts.user_timeout_ms = 3000 * 1000;
    pair_connect(&p);
    p.drop = drop_all;
    assert_int_equal(pair_send(&p, 1, out, sizeof(out)), sizeof(out));
    pair_run(&p);
    pair_advance(&p, 2900 * SLT_NS_PER_S);
    assert_int_equal(pair_conn(&p, 1)->state, SALUT_STATE_ESTABLISHED);
    pair_advance(&p, 200 * SLT_NS_PER_S);
    assert_int_equal(pair_conn(&p, 1)->state, SALUT_STATE_CLOSED);
    assert_int_equal(pair_conn(&p, 1)->end_reason, SLT_CAUSE_USER_TIMEOUT);
    pair_deinit(&p);
}

static void t_r5482_05_keepalive_waits_longer(void **ctx)
{
    struct pair p;
    struct seen seen;

    (void)ctx;
    start(&p, &seen);
    p.config.keepalive_idle_ns = 10 * SLT_NS_PER_S;
    slt_tcp_defaults_init(&p.side[1].defaults, &p.config);
    p.side[1].defaults.flags |= SLT_CONN_KEEPALIVE;
    p.side[0].defaults.opts.user_timeout_ms = 300 * 1000;
    pair_connect(&p);
    struct slt_tcp_conn *c = pair_conn(&p, 1);
    int64_t now_ns = p.now_ns;
    slt_tcp_timers_on_keepalive(&p.side[1].tcp, c, false, now_ns);
    assert_true(slt_tcp_timer_due(c, SLT_TIMER_KEEPALIVE) > now_ns + 300 * SLT_NS_PER_S);
    pair_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r5482_01_seconds_and_minutes),
        cmocka_unit_test(t_r5482_04_on_the_syn_and_the_first_segment_after_it),
        cmocka_unit_test(t_r5482_02_the_users_own_stays),
        cmocka_unit_test(t_r5482_03_within_the_limits),
        cmocka_unit_test(t_r5482_06_off_is_silent_and_deaf),
        cmocka_unit_test(t_r5482_03_the_adopted_timeout_decides),
        cmocka_unit_test(t_r5482_05_keepalive_waits_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
