/* The recorder's table, fed by hand: exact times, what a reset says afterwards, and its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "observe/recorder.h"

#include "base/time.h"

#include <stdlib.h>

#define ROOM 64U

struct fixture {
    struct slt_recorded table[ROOM];
    struct slt_pids pids;
    struct slt_recorder *recorder;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->recorder = slt_recorder_new(f->table, ROOM, &f->pids);
    *state = f;
    return f->recorder == NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    slt_recorder_free(f->recorder);
    free(f);
    return 0;
}

static struct slt_trace_event change_of(uint64_t socket, uint8_t from, uint8_t to, int64_t at_ns)
{
    struct slt_trace_event e = {.at_ns = at_ns,
                                .socket = socket,
                                .kind = SLT_TRACE_STATE,
                                .from = from,
                                .to = to,
                                .family = 4,
                                .pid = 1,
                                .local_port = (uint16_t)(1000 + socket),
                                .remote_port = 80};
    e.local.b[15] = 1;
    e.remote.b[15] = 2;
    return e;
}

static struct slt_change take(struct fixture *f, struct slt_trace_event e)
{
    struct slt_change change;
    assert_true(slt_recorder_take(f->recorder, &e, 1, &change));
    return change;
}

static void times_in_states_are_exact(void **state)
{
    struct fixture *f = *state;
    struct slt_change c = take(f, change_of(5, SALUT_STATE_CLOSED, SALUT_STATE_SYN_SENT, 1000));
    assert_int_equal(c.in_state_ns, SLT_UNKNOWN);
    c = take(f, change_of(5, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, 1700));
    assert_int_equal(c.in_state_ns, 700);
    assert_int_equal(c.conn->opened_ns, 1000);
    assert_int_equal(c.conn->since_ns, 1700);
    assert_int_equal(c.conn->passive, SLT_NO);
    assert_int_equal(c.conn->turn & 1, 0);
}

static void what_looks_closed_is_in_time_wait(void **state)
{
    struct fixture *f = *state;
    (void)take(f, change_of(5, SALUT_STATE_FIN_WAIT_1, SALUT_STATE_FIN_WAIT_2, 1000));
    struct slt_trace_event e = change_of(5, SALUT_STATE_FIN_WAIT_2, SALUT_STATE_CLOSED, 2000);
    e.frames = 1U << SLT_FRAME_FIN | 1U << SLT_FRAME_SEGMENT | 1U << SLT_FRAME_DONE;
    struct slt_change c = take(f, e);
    assert_int_equal(c.what.to, SALUT_STATE_TIME_WAIT);
    assert_int_equal(c.what.cause, SLT_BY_TIME_WAIT);
    assert_int_equal(c.conn->socket, 0);
    /* The kernel gives the socket's memory to another connection at once. */
    c = take(f, change_of(5, SALUT_STATE_CLOSED, SALUT_STATE_SYN_SENT, 3000));
    assert_int_equal(c.conn->change_count, 1);
}

static void a_reset_that_follows_names_the_cause(void **state)
{
    struct fixture *f = *state;
    struct slt_change c;
    struct slt_trace_event e[2] = {
        change_of(5, SALUT_STATE_FIN_WAIT_2, SALUT_STATE_CLOSED, 2000),
        change_of(5, 0, 0, 2000 + 20 * SLT_NS_PER_US),
    };
    e[0].frames = 1U << SLT_FRAME_SEGMENT | 1U << SLT_FRAME_DONE;
    e[1].kind = SLT_TRACE_RESET_SENT;
    assert_true(slt_recorder_take(f->recorder, e, 2, &c));
    assert_int_equal(c.what.cause, SLT_BY_DATA_AFTER_CLOSE);
    assert_false(slt_recorder_take(f->recorder, e + 1, 1, &c));
    e[1].at_ns = 2000 + 2 * SLT_NS_PER_MS; /* too late to be its answer */
    e[0].socket = e[1].socket = 6;
    assert_true(slt_recorder_take(f->recorder, e, 2, &c));
    assert_int_equal(c.what.cause, SLT_BY_ORPHANED);
}

static void history_keeps_the_last(void **state)
{
    struct fixture *f = *state;
    struct slt_change c = {.conn = NULL};
    for (int i = 0; i < 20; i++) {
        c = take(f, change_of(5, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, i));
    }
    assert_int_equal(c.conn->change_count, 20);
    assert_int_equal(c.conn->changes[19 % SLT_RECORDED_MAX].at_ns, 19);
}

/* What is over goes first; what is open goes only when there is nothing else, and is counted. */
static void the_table_is_bounded(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 1; i <= ROOM; i++) {
        (void)take(f, change_of(i, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, (int64_t)i));
    }
    assert_int_equal(slt_recorder_counts(f->recorder)->forgotten, 0);
    (void)take(f, change_of(1, SALUT_STATE_ESTABLISHED, SALUT_STATE_CLOSED, 200));
    (void)take(f, change_of(100, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, 201));
    assert_int_equal(slt_recorder_counts(f->recorder)->forgotten, 0);
    (void)take(f, change_of(101, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, 202));
    assert_int_equal(slt_recorder_counts(f->recorder)->forgotten, 1);
}

static void what_was_there_before_is_joined_by_its_ends(void **state)
{
    struct fixture *f = *state;
    struct slt_trace_event e = change_of(5, SALUT_STATE_ESTABLISHED, SALUT_STATE_CLOSE_WAIT, 900);
    struct slt_seen seen;
    slt_seen_init(&seen, SLT_SOURCE_KERNEL);
    seen.kind = SLT_SEEN_CONN;
    seen.state = SALUT_STATE_ESTABLISHED;
    seen.local = e.local;
    seen.remote = e.remote;
    seen.local_port = e.local_port;
    seen.remote_port = e.remote_port;
    seen.pid = 4711;
    slt_recorder_learn(f->recorder, &seen);
    e.frames = 1U << SLT_FRAME_FIN;
    struct slt_change c = take(f, e);
    assert_int_equal(c.conn->pid, 4711);
    assert_int_equal(c.what.cause, SLT_BY_FIN_RECEIVED);
    assert_int_equal(c.what.pid, SLT_UNKNOWN);
}

static struct slt_seen numbers_of(const struct slt_trace_event *e)
{
    struct slt_seen seen;
    slt_seen_init(&seen, SLT_SOURCE_KERNEL);
    seen.kind = SLT_SEEN_CONN;
    seen.local = e->local;
    seen.remote = e->remote;
    seen.local_port = e->local_port;
    seen.remote_port = e->remote_port;
    seen.bytes_sent = 700;
    seen.bytes_received = 30;
    seen.idle = (struct slt_seen_span){5 * SLT_NS_PER_S, SLT_SPAN_EXACT};
    seen.silent = (struct slt_seen_span){6 * SLT_NS_PER_S, SLT_SPAN_EXACT};
    return seen;
}

static void final_numbers_belong_to_what_is_over(void **state)
{
    struct fixture *f = *state;
    struct slt_change change;
    struct slt_trace_event e = change_of(5, SALUT_STATE_LAST_ACK, SALUT_STATE_CLOSED, 1000);
    (void)take(f, change_of(5, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, 500));
    struct slt_seen seen = numbers_of(&e);
    int64_t at_ns = 100 * SLT_NS_PER_S;
    /* While the connection is open they can only be another's, of the same ends. */
    assert_null(slt_recorder_finish(f->recorder, &seen, at_ns, false, &change));
    assert_true(slt_recorder_takes_for_open(f->recorder, &seen));
    e.frames = 1U << SLT_FRAME_SEGMENT;
    (void)take(f, e);
    assert_false(slt_recorder_takes_for_open(f->recorder, &seen));
    const struct slt_recorded *c = slt_recorder_finish(f->recorder, &seen, at_ns, true, &change);
    assert_non_null(c);
    assert_null(change.conn);
    assert_int_equal(c->bytes_sent, 700);
    assert_int_equal(c->data_ns, 95 * SLT_NS_PER_S);
    assert_int_equal(c->heard_ns, 94 * SLT_NS_PER_S);
    assert_null(slt_recorder_finish(f->recorder, &seen, at_ns, true, &change));
}

/* A timer's change on an idle processor leaves no event: the numbers say what it was. */
static void what_was_missed_is_told_late(void **state)
{
    static const struct {
        uint8_t stands;
        int retransmits, probes, window;
        uint8_t cause;
    } cases[] = {
        {SALUT_STATE_SYN_SENT, 3, 0, 0, SLT_BY_CONNECT_TIMEOUT},
        {SALUT_STATE_ESTABLISHED, 1, 2, 65535, SLT_BY_KEEPALIVE_TIMEOUT},
        {SALUT_STATE_ESTABLISHED, 1, 2, 0, SLT_BY_PROBE_TIMEOUT},
        {SALUT_STATE_CLOSE_WAIT, 0, 0, 65535, SLT_BY_RST_RECEIVED},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slt_change change;
        struct slt_trace_event e = change_of(5 + i, SALUT_STATE_CLOSED, cases[i].stands, 1000);
        struct slt_seen seen = numbers_of(&e);
        seen.retransmits = cases[i].retransmits;
        seen.retries = (uint8_t)cases[i].probes;
        seen.send_window = cases[i].window;
        (void)take(f, e);
        assert_null(slt_recorder_finish(f->recorder, &seen, 9000, false, &change));
        assert_non_null(slt_recorder_finish(f->recorder, &seen, 9000, true, &change));
        assert_non_null(change.conn);
        assert_int_equal(change.what.from, cases[i].stands);
        assert_int_equal(change.what.to, SALUT_STATE_CLOSED);
        assert_int_equal(change.what.cause, cases[i].cause);
        assert_int_equal(change.what.certain, 0);
        assert_int_equal(change.conn->socket, 0);
    }
    assert_int_equal(slt_recorder_counts(f->recorder)->guessed, 4);
}

/* An orphan is no socket any more; that it answers data with a RST is told by its ends alone. */
static void an_orphan_ends_with_a_reset(void **state)
{
    struct fixture *f = *state;
    struct slt_change c;
    struct slt_trace_event e = change_of(5, SALUT_STATE_FIN_WAIT_2, SALUT_STATE_CLOSED, 2000);
    e.frames = 1U << SLT_FRAME_SEGMENT | 1U << SLT_FRAME_DONE;
    c = take(f, e);
    assert_int_equal(c.what.cause, SLT_BY_ORPHANED);
    e.kind = SLT_TRACE_RESET_SENT;
    e.socket = 0;
    e.at_ns = 9000;
    assert_true(slt_recorder_take(f->recorder, &e, 1, &c));
    assert_int_equal(c.what.cause, SLT_BY_DATA_AFTER_CLOSE);
    assert_int_equal(c.what.from, SALUT_STATE_FIN_WAIT_2);
    assert_int_equal(c.conn->stands, SALUT_STATE_CLOSED);
    assert_false(slt_recorder_take(f->recorder, &e, 1, &c)); /* nothing is left that could */
}

static void a_reset_in_answer_to_an_answer(void **state)
{
    struct fixture *f = *state;
    struct slt_change c = take(f, change_of(5, SALUT_STATE_CLOSED, SALUT_STATE_SYN_SENT, 1000));
    struct slt_trace_event e = change_of(5, 0, 0, 1500);
    const struct slt_recorded *conn = c.conn;
    e.kind = SLT_TRACE_RESET_SENT;
    assert_false(slt_recorder_take(f->recorder, &e, 1, &c));
    assert_int_equal(conn->odd_answers, 1);
    (void)take(f, change_of(5, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, 2000));
    assert_false(slt_recorder_take(f->recorder, &e, 1, &c));
    assert_int_equal(conn->odd_answers, 1);
    assert_int_equal(conn->turn & 1, 0);
}

static void retransmissions_come_in_series(void **state)
{
    static const int64_t at_s[] = {10, 11, 13, 140, 300, 301};
    static const int64_t began_s[] = {10, 10, 10, 10, 300, 300};
    struct fixture *f = *state;
    struct slt_change c = take(f, change_of(5, SALUT_STATE_SYN_SENT, SALUT_STATE_ESTABLISHED, 1));
    const struct slt_recorded *conn = c.conn;
    for (size_t i = 0; i < sizeof(at_s) / sizeof(at_s[0]); i++) {
        struct slt_trace_event e = change_of(5, 0, 0, at_s[i] * SLT_NS_PER_S);
        e.kind = SLT_TRACE_RETRANSMIT;
        assert_false(slt_recorder_take(f->recorder, &e, 1, &c));
        assert_int_equal(conn->retry_began_ns, began_s[i] * SLT_NS_PER_S);
    }
    assert_int_equal(conn->retransmits, 6);
}

static void addresses_in_use_are_kept_by_process(void **state)
{
    struct fixture *f = *state;
    struct slt_change c;
    for (int i = 0; i < 6; i++) {
        struct slt_trace_event e = {.at_ns = 100 + i, .kind = SLT_TRACE_IN_USE, .pid = 40 + i % 2};
        assert_true(slt_recorder_take(f->recorder, &e, 1, &c));
        assert_int_equal(c.what.cause, SLT_BY_ADDRESS_IN_USE);
        assert_int_equal(c.what.pid, 40 + i % 2);
        assert_int_equal(c.conn->change_count, 1 + i / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(times_in_states_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_looks_closed_is_in_time_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_that_follows_names_the_cause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(history_keeps_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_table_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_there_before_is_joined_by_its_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(final_numbers_belong_to_what_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_missed_is_told_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_orphan_ends_with_a_reset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_in_answer_to_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retransmissions_come_in_series, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_in_use_are_kept_by_process, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
