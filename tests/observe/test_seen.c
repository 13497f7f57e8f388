/* observe/seen: records from an instance, records from somebody who may lie, names of states. */
#include "observe/seen.h"

#include "base/reason.h"
#include "base/time.h"
#include "tcp/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S SLT_NS_PER_S

static struct salut_info conn(void)
{
    struct salut_info info = {.object = SALUT_IS_CONN,
                              .state = SALUT_STATE_ESTABLISHED,
                              .local_port = 80,
                              .remote_port = 40000,
                              .age_ns = 3 * S,
                              .send_queued = 100,
                              .send_unsent = 40,
                              .recv_queued = 7,
                              .ssthresh_bytes = 1U << 30,
                              .history_count = 2};
    assert_int_equal(salut_addr_parse("10.0.0.1", &info.local), SALUT_OK);
    assert_int_equal(salut_addr_parse("10.0.0.2", &info.remote), SALUT_OK);
    info.history[0] = (struct salut_history){1000 * S, SALUT_STATE_LISTEN, SALUT_STATE_SYN_RECEIVED,
                                             SLT_CAUSE_PASSIVE_OPEN};
    info.history[1] = (struct salut_history){1002 * S, SALUT_STATE_SYN_RECEIVED,
                                             SALUT_STATE_ESTABLISHED, SLT_CAUSE_SYN_ACKED};
    return info;
}

static void test_conn(void **state)
{
    (void)state;
    struct salut_info info = conn();
    struct slt_seen seen;
    slt_seen_from_info(&seen, &info, 1234);
    assert_int_equal(seen.source, SLT_SOURCE_STACK);
    assert_int_equal(seen.kind, SLT_SEEN_CONN);
    assert_int_equal(seen.instance, 1234);
    assert_int_equal(seen.family, 4);
    assert_int_equal(seen.unacked, 60);
    assert_int_equal(seen.unsent, 40);
    assert_int_equal(seen.unread, 7);
    assert_int_equal(seen.accepted, SLT_YES);
    assert_int_equal(seen.ssthresh_bytes, SLT_UNKNOWN);
    assert_int_equal(seen.rtt_us, SLT_UNKNOWN); /* not measured yet */
    assert_int_equal(seen.timer, SLT_SEEN_TIMER_NONE);
    assert_int_equal(seen.timer_in.how, SLT_SPAN_UNKNOWN);
    assert_int_equal(seen.age.how, SLT_SPAN_EXACT);
    assert_int_equal(seen.age.ns, 3 * S);
    /* Instants of the stack have become ages, and the first tells the lifetime. */
    assert_int_equal(seen.history_count, 2);
    assert_int_equal(seen.history[1].at_ns, 3 * S);
    assert_int_equal(seen.history[0].at_ns, 5 * S);
    assert_int_equal(seen.lifetime.how, SLT_SPAN_EXACT);
    assert_int_equal(seen.lifetime.ns, 5 * S);
    assert_int_equal(seen.cause, SLT_CAUSE_SYN_ACKED);
    info.waiting = 1;
    slt_seen_from_info(&seen, &info, 1234);
    assert_int_equal(seen.accepted, SLT_NO);
}

/* What the path did and what held the sender up. */
static void test_conn_at_work(void **state)
{
    (void)state;
    struct salut_info info = conn();
    struct slt_seen seen;
    slt_seen_from_info(&seen, &info, 1);
    assert_int_equal(seen.rtt_p50_us, SLT_UNKNOWN); /* no sample */
    assert_string_equal(seen.congestion, "cubic");
    info.congestion = SALUT_CC_BBR;
    info.limited_by = SALUT_LIMIT_PACING;
    info.busy_ns = 10000;
    info.limited_ns[SALUT_LIMIT_APPLICATION] = 1000;
    info.limited_ns[SALUT_LIMIT_CWND] = 2000;
    info.limited_ns[SALUT_LIMIT_PACING] = 7000;
    info.rtt_p50_us = 5;
    info.rtt_p90_us = 6;
    info.rtt_p99_us = 7;
    info.recoveries = 3;
    info.timeouts = 2;
    info.undone = 1;
    info.dsack_dups = 4;
    info.reord_seen = 5;
    info.recv_ooo_segs = 6;
    info.ecn_reductions = 8;
    info.ce_told = 9;
    slt_seen_from_info(&seen, &info, 1);
    assert_string_equal(seen.congestion, "bbr");
    assert_int_equal(seen.limited_by, SALUT_LIMIT_PACING);
    assert_int_equal(seen.busy_us, 10);
    assert_int_equal(seen.app_limited_us + seen.cwnd_limited_us + seen.pacing_limited_us, 10);
    assert_int_equal(seen.rtt_p50_us * 100 + seen.rtt_p90_us * 10 + seen.rtt_p99_us, 567);
    assert_int_equal(seen.recoveries * 100 + seen.timeouts * 10 + seen.undone, 321);
    assert_int_equal(seen.dsacks * 100 + seen.late * 10 + seen.holes_in, 456);
    assert_int_equal(seen.marked, 8);
    info.ecn_accurate = 1;
    slt_seen_from_info(&seen, &info, 1);
    assert_int_equal(seen.marked, 9);
}

/* The beginning was pushed out of the history: the lifetime is a bound. */
static void test_long_history(void **state)
{
    (void)state;
    struct salut_info info = conn();
    struct slt_seen seen;
    info.history[0].from = SALUT_STATE_ESTABLISHED;
    slt_seen_from_info(&seen, &info, 1);
    assert_int_equal(seen.lifetime.how, SLT_SPAN_AT_LEAST);
}

static void test_kinds(void **state)
{
    (void)state;
    struct salut_info info = conn();
    struct slt_seen as_conn;
    struct slt_seen seen;
    slt_seen_from_info(&as_conn, &info, 1);
    info.object = SALUT_IS_TIME_WAIT;
    info.state = SALUT_STATE_TIME_WAIT;
    info.timer = SLT_TIMER_TIME_WAIT + 1;
    info.timer_in_ns = 50 * S;
    slt_seen_from_info(&seen, &info, 1);
    assert_int_equal(seen.kind, SLT_SEEN_TIME_WAIT);
    assert_int_equal(seen.timer, SLT_SEEN_TIMER_TIME_WAIT);
    assert_int_equal(seen.timer_in.ns, 50 * S);
    assert_true(seen.key == as_conn.key); /* one connection, whatever it is kept in */
    info.remote_port++;
    slt_seen_from_info(&seen, &info, 1);
    assert_true(seen.key != as_conn.key);
    info.object = SALUT_IS_HALF_OPEN;
    slt_seen_from_info(&seen, &info, 1);
    assert_int_equal(seen.kind, SLT_SEEN_HALF_OPEN);
    assert_int_equal(seen.unread, SLT_UNKNOWN);
    info = (struct salut_info){.object = SALUT_IS_LISTENER,
                               .state = SALUT_STATE_LISTEN,
                               .recv_queued = 2,
                               .send_queued = 128};
    slt_seen_from_info(&seen, &info, 1);
    assert_int_equal(seen.kind, SLT_SEEN_LISTENER);
    assert_int_equal(seen.queue, 2);
    assert_int_equal(seen.queue_limit, 128);
    assert_int_equal(seen.age.how, SLT_SPAN_UNKNOWN);
}

static void test_timers(void **state)
{
    (void)state;
    static const struct {
        enum slt_tcp_timer timer;
        enum slt_seen_timer seen;
    } rows[] = {
        {SLT_TIMER_RETRANSMIT, SLT_SEEN_TIMER_RETRANSMIT},
        {SLT_TIMER_TAIL_PROBE, SLT_SEEN_TIMER_RETRANSMIT},
        {SLT_TIMER_REORDER, SLT_SEEN_TIMER_RETRANSMIT},
        {SLT_TIMER_PERSIST, SLT_SEEN_TIMER_PERSIST},
        {SLT_TIMER_KEEPALIVE, SLT_SEEN_TIMER_KEEPALIVE},
        {SLT_TIMER_DELAYED_ACK, SLT_SEEN_TIMER_DELAYED_ACK},
        {SLT_TIMER_PACING, SLT_SEEN_TIMER_OTHER},
    };
    struct salut_info info = conn();
    struct slt_seen seen;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        info.timer = (uint8_t)(rows[i].timer + 1);
        slt_seen_from_info(&seen, &info, 1);
        assert_int_equal(seen.timer, rows[i].seen);
        assert_int_equal(seen.keepalive,
                         rows[i].seen == SLT_SEEN_TIMER_KEEPALIVE ? SLT_YES : SLT_DONT_KNOW);
    }
}

/* ---- records of others ------------------------------------------------------------------------
 */

static struct slt_seen good(void)
{
    struct salut_info info = conn();
    struct slt_seen seen;
    slt_seen_from_info(&seen, &info, 1);
    return seen;
}

static bool is_taken(const struct slt_seen *sent, struct slt_seen *seen)
{
    return slt_seen_take(seen, SLT_SOURCE_STACK, sent, sizeof(*sent));
}

static void test_take(void **state)
{
    (void)state;
    struct slt_seen sent = good();
    struct slt_seen seen;
    assert_true(is_taken(&sent, &seen));
    assert_memory_equal(&sent, &seen, sizeof(seen));
    assert_false(slt_seen_take(&seen, SLT_SOURCE_KERNEL, &sent, sizeof(sent)));
    /* Longer, from a newer version. */
    uint8_t longer[sizeof(sent) + 64];
    memcpy(longer, &sent, sizeof(sent));
    memset(longer + sizeof(sent), 0xff, 64);
    assert_true(slt_seen_take(&seen, SLT_SOURCE_STACK, longer, sizeof(longer)));
    assert_memory_equal(&sent, &seen, sizeof(seen));
    /* Shorter, from version 3: what it does not tell is unknown. */
    assert_true(
        slt_seen_take(&seen, SLT_SOURCE_STACK, &sent, offsetof(struct slt_seen, app_limited_us)));
    assert_int_equal(seen.bytes_sent, sent.bytes_sent);
    assert_int_equal(seen.timeouts, SLT_UNKNOWN);
    assert_int_equal(seen.limited_by, SALUT_LIMIT_COUNT);
    /* Shorter than any version has had. */
    for (size_t count = 0; count < offsetof(struct slt_seen, soft_errno); count += 13) {
        assert_false(slt_seen_take(&seen, SLT_SOURCE_STACK, &sent, count));
    }
}

static void test_take_lies(void **state)
{
    (void)state;
    static const size_t bytes_of_enums[] = {
        offsetof(struct slt_seen, source),     offsetof(struct slt_seen, kind),
        offsetof(struct slt_seen, state),      offsetof(struct slt_seen, owner),
        offsetof(struct slt_seen, accepted),   offsetof(struct slt_seen, orphan),
        offsetof(struct slt_seen, passive),    offsetof(struct slt_seen, fin_unread),
        offsetof(struct slt_seen, timer),      offsetof(struct slt_seen, sack),
        offsetof(struct slt_seen, keepalive),  offsetof(struct slt_seen, history_count),
        offsetof(struct slt_seen, age.how),    offsetof(struct slt_seen, timer_in.how),
        offsetof(struct slt_seen, limited_by),
    };
    struct slt_seen seen;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(bytes_of_enums); i++) {
        struct slt_seen sent = good();
        ((uint8_t *)&sent)[bytes_of_enums[i]] = 0xee;
        assert_false(is_taken(&sent, &seen));
    }
    struct slt_seen sent = good();
    sent.idle.ns = -5;
    assert_false(is_taken(&sent, &seen));
    sent = good();
    sent.history[1].to = 200;
    assert_false(is_taken(&sent, &seen));
}

/* Names end, and put nothing on a terminal that acts there. */
static void test_take_names(void **state)
{
    (void)state;
    struct slt_seen sent = good();
    struct slt_seen seen;
    memset(sent.program, 'x', sizeof(sent.program));
    memcpy(sent.program, "a\033[2Jb\n", 7);
    memset(sent.congestion, 0x7f, sizeof(sent.congestion));
    assert_true(is_taken(&sent, &seen));
    assert_int_equal(strlen(seen.program), sizeof(seen.program) - 1);
    assert_memory_equal(seen.program, "a?[2Jb?", 7);
    assert_string_equal(seen.congestion, "????????????");
}

/* ---- names ------------------------------------------------------------------------------------
 */

static void test_states(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum salut_state state;
    } rows[] = {
        {"CLOSE-WAIT", SALUT_STATE_CLOSE_WAIT}, {"close_wait", SALUT_STATE_CLOSE_WAIT},
        {"estab", SALUT_STATE_ESTABLISHED},     {"Established", SALUT_STATE_ESTABLISHED},
        {"syn-recv", SALUT_STATE_SYN_RECEIVED}, {"SYN_RCVD", SALUT_STATE_SYN_RECEIVED},
        {"fin-wait-1", SALUT_STATE_FIN_WAIT_1}, {"FIN_WAIT2", SALUT_STATE_FIN_WAIT_2},
        {"listening", SALUT_STATE_LISTEN},      {"time-wait", SALUT_STATE_TIME_WAIT},
    };
    enum salut_state found;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        assert_true(slt_seen_parse_state(rows[i].word, &found));
        assert_int_equal(found, rows[i].state);
    }
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        assert_true(slt_seen_parse_state(slt_seen_rfc_name((enum salut_state)i), &found));
        assert_int_equal(found, i);
    }
    assert_string_equal(slt_seen_rfc_name(SALUT_STATE_FIN_WAIT_2), "FIN-WAIT-2");
    assert_string_equal(slt_seen_rfc_name((enum salut_state)200), "?");
    assert_false(slt_seen_parse_state("", &found));
    assert_false(slt_seen_parse_state("closes", &found));
    assert_false(slt_seen_parse_state("close-waitx", &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conn),         cmocka_unit_test(test_conn_at_work),
        cmocka_unit_test(test_long_history), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_timers),       cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_lies),    cmocka_unit_test(test_take_names),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
