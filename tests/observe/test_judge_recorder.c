/* Findings of what a recorder remembers, fed by hand: each from its threshold on, and not before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "observe/findings.h"

#include "base/compiler.h"
#include "base/time.h"

#include <stdlib.h>
#include <string.h>

#define NOW (1000 * SLT_NS_PER_S)

struct world {
    struct slt_past past;
    struct slt_look look;
    struct slt_seen example;
    struct slt_case about;
    struct slt_hit hit;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->past.now_ns = NOW;
    w->about = (struct slt_case){
        .look = &w->look, .past = &w->past, .example = &w->example, .past_alone = true};
    slt_case_defaults(&w->about.limits);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    slt_past_free(&w->past);
    free(w);
    return 0;
}

/* A connection of 10.0.0.1:80 (nginx) with 10.0.0.2, established `lived_ns` before its end. */
static struct slt_recorded *add(struct world *w, uint8_t from, uint8_t cause, uint8_t to)
{
    static uint16_t port = 20000;
    struct slt_recorded c = {.used = 1,
                             .stands = to,
                             .passive = SLT_YES,
                             .family = 4,
                             .pid = 700,
                             .local_port = 80,
                             .remote_port = port++,
                             .change_count = 1,
                             .bytes_sent = SLT_UNKNOWN,
                             .bytes_received = SLT_UNKNOWN};
    c.local = (salut_addr){.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
    c.remote = (salut_addr){.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2}};
    strcpy(c.program, "nginx");
    c.since_ns = NOW - 5 * SLT_NS_PER_S;
    c.changes[0] = (struct slt_recorded_change){
        .at_ns = c.since_ns, .pid = 700, .from = from, .to = to, .cause = cause, .certain = 1};
    assert_true(slt_past_add(&w->past, &c));
    return &w->past.items[w->past.count - 1];
}

static struct slt_recorded *add_client(struct world *w, uint8_t from, uint8_t cause, uint8_t to)
{
    struct slt_recorded *c = add(w, from, cause, to);
    uint16_t port = c->remote_port;
    c->remote_port = 443;
    c->local_port = port;
    c->passive = SLT_NO;
    strcpy(c->program, "curl");
    return c;
}

static bool holds(struct world *w, enum slt_finding_id id)
{
    return slt_finding_judge(&w->about, id, &w->hit);
}

static void tells(const struct world *w, const char *text)
{
    if (strstr(w->hit.evidence, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, w->hit.evidence);
    }
}

static void nothing_is_found_in_nothing(void **state)
{
    struct world *w = *state;
    for (unsigned id = 0; id < SLT_FIND_COUNT; id++) {
        assert_false(holds(w, (enum slt_finding_id)id));
    }
}

/* What every program may do now and then becomes a habit from three times on, and one in a hundred.
 */
static void habits_are_counted_by_program(void **state)
{
    static const struct {
        enum slt_finding_id id;
        uint8_t from, cause;
        const char *text;
    } cases[] = {
        {SLT_FIND_RST_1, SALUT_STATE_ESTABLISHED, SLT_BY_UNREAD, "with data unread"},
        {SLT_FIND_RST_2, SALUT_STATE_ESTABLISHED, SLT_BY_LINGER_ZERO, "SO_LINGER 0"},
        {SLT_FIND_HC_1, SALUT_STATE_FIN_WAIT_2, SLT_BY_DATA_AFTER_CLOSE, "after they were closed"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(cases); i++) {
        w->past.count = 0;
        (void)add(w, cases[i].from, cases[i].cause, SALUT_STATE_CLOSED);
        (void)add(w, cases[i].from, cases[i].cause, SALUT_STATE_CLOSED);
        strcpy(add(w, cases[i].from, cases[i].cause, SALUT_STATE_CLOSED)->program, "other");
        assert_false(holds(w, cases[i].id));
        (void)add(w, cases[i].from, cases[i].cause, SALUT_STATE_CLOSED);
        assert_true(holds(w, cases[i].id));
        assert_int_equal(w->hit.count, 3);
        assert_true(w->hit.remembered);
        assert_ptr_equal(w->hit.worst, &w->example);
        assert_int_equal(w->example.pid, 700);
        tells(w, "3 of 3 connections of one program");
        tells(w, cases[i].text);
        tells(w, "10.0.0.1:80 to 10.0.0.2:");
        tells(w, "nginx(700), 5.0 s ago");
        for (unsigned n = 0; n < 300; n++) {
            (void)add(w, SALUT_STATE_LAST_ACK, SLT_BY_LAST_ACKED, SALUT_STATE_CLOSED);
        }
        assert_false(holds(w, cases[i].id));
    }
}

static void a_killed_server_is_told_and_an_interrupted_client_is_not(void **state)
{
    struct world *w = *state;
    (void)add_client(w, SALUT_STATE_ESTABLISHED, SLT_BY_UNREAD_KILLED, SALUT_STATE_CLOSED);
    (void)add_client(w, SALUT_STATE_SYN_SENT, SLT_BY_KILLED, SALUT_STATE_CLOSED);
    assert_false(holds(w, SLT_FIND_RST_4));
    add(w, SALUT_STATE_ESTABLISHED, SLT_BY_KILLED, SALUT_STATE_FIN_WAIT_1)->pid = 9;
    add(w, SALUT_STATE_CLOSE_WAIT, SLT_BY_UNREAD_KILLED, SALUT_STATE_CLOSED)->pid = 9;
    assert_true(holds(w, SLT_FIND_RST_4));
    assert_int_equal(w->hit.count, 2);
    tells(w, "2 connections open: 1 ended with FIN, 1 with RST");
}

static void refusals_count_until_somebody_gets_through(void **state)
{
    struct world *w = *state;
    (void)add_client(w, SALUT_STATE_SYN_SENT, SLT_BY_REFUSED, SALUT_STATE_CLOSED);
    (void)add_client(w, SALUT_STATE_SYN_SENT, SLT_BY_REFUSED, SALUT_STATE_CLOSED);
    assert_true(holds(w, SLT_FIND_RST_8));
    assert_false(holds(w, SLT_FIND_SYN_3));
    (void)add_client(w, SALUT_STATE_SYN_SENT, SLT_BY_REFUSED, SALUT_STATE_CLOSED);
    assert_true(holds(w, SLT_FIND_SYN_3));
    tells(w, "3 attempts to connect to 10.0.0.2:443 were refused");
    struct slt_recorded *c =
        add_client(w, SALUT_STATE_SYN_SENT, SLT_BY_SYN_ANSWERED, SALUT_STATE_ESTABLISHED);
    c->changes[0].at_ns -= SLT_NS_PER_MS; /* before the last refusal */
    assert_true(holds(w, SLT_FIND_SYN_3));
    c->changes[0].at_ns += 2 * SLT_NS_PER_MS;
    assert_false(holds(w, SLT_FIND_SYN_3));
}

static void peers_that_do_not_answer_are_counted_by_kind(void **state)
{
    struct world *w = *state;
    (void)add(w, SALUT_STATE_FIN_WAIT_1, SLT_BY_RETRANSMIT_TIMEOUT, SALUT_STATE_CLOSED);
    assert_false(holds(w, SLT_FIND_RST_7)); /* closed before: FW1-1's */
    (void)add(w, SALUT_STATE_ESTABLISHED, SLT_BY_RETRANSMIT_TIMEOUT, SALUT_STATE_CLOSED);
    (void)add(w, SALUT_STATE_ESTABLISHED, SLT_BY_KEEPALIVE_TIMEOUT, SALUT_STATE_CLOSED);
    (void)add(w, SALUT_STATE_CLOSE_WAIT, SLT_BY_KEEPALIVE_TIMEOUT, SALUT_STATE_CLOSED);
    assert_true(holds(w, SLT_FIND_RST_7));
    tells(w, "3 connections to one host were given up, 1 because what was sent");
    tells(w, "2 because keep-alive probes were not answered");
}

static void silence_before_a_reset_or_before_more_silence(void **state)
{
    struct world *w = *state;
    struct slt_recorded *c =
        add(w, SALUT_STATE_ESTABLISHED, SLT_BY_RST_RECEIVED, SALUT_STATE_CLOSED);
    c->data_ns = c->since_ns - 50 * SLT_NS_PER_MS;
    c->heard_ns = c->data_ns - 59 * SLT_NS_PER_S;
    assert_false(holds(w, SLT_FIND_RST_3));
    c->heard_ns = c->data_ns - 350 * SLT_NS_PER_S;
    assert_true(holds(w, SLT_FIND_RST_3));
    tells(w, "after 5.8 min of silence");
    c->data_ns -= 10 * SLT_NS_PER_S; /* it came long after: no answer */
    c->heard_ns -= 10 * SLT_NS_PER_S;
    assert_false(holds(w, SLT_FIND_RST_3));

    c = add(w, SALUT_STATE_ESTABLISHED, SLT_BY_RETRANSMIT_TIMEOUT, SALUT_STATE_CLOSED);
    c->retry_began_ns = c->since_ns - 100 * SLT_NS_PER_S;
    c->heard_ns = c->retry_began_ns - 300 * SLT_NS_PER_S;
    assert_false(holds(w, SLT_FIND_NAT_1)); /* the host may be down */
    (void)add_client(w, SALUT_STATE_SYN_SENT, SLT_BY_SYN_ANSWERED, SALUT_STATE_ESTABLISHED);
    assert_true(holds(w, SLT_FIND_NAT_1));
    tells(w, "never answered again after 5.0 min of silence");
}

static void single_events_are_told_at_once(void **state)
{
    struct world *w = *state;
    (void)add(w, SALUT_STATE_LISTEN, SLT_BY_LISTENER_CLOSED, SALUT_STATE_CLOSED);
    assert_false(holds(w, SLT_FIND_RST_11));
    (void)add(w, SALUT_STATE_ESTABLISHED, SLT_BY_LISTENER_CLOSED, SALUT_STATE_CLOSED);
    assert_true(holds(w, SLT_FIND_RST_11));
    tells(w, "1 client with a complete handshake was reset: port 80 was closed");
    assert_false(holds(w, SLT_FIND_ADM_1));
    (void)add(w, SALUT_STATE_ESTABLISHED, SLT_BY_ADMINISTRATOR, SALUT_STATE_CLOSED);
    assert_true(holds(w, SLT_FIND_ADM_1));
    struct slt_recorded *c =
        add_client(w, SALUT_STATE_SYN_SENT, SLT_BY_SYN_ANSWERED, SALUT_STATE_ESTABLISHED);
    assert_false(holds(w, SLT_FIND_TW_4));
    c->odd_answers = 1;
    assert_true(holds(w, SLT_FIND_TW_4));
    tells(w, "1 SYN of this host met an older connection");
}

static void an_address_in_use_is_told_unless_another_was_found(void **state)
{
    struct world *w = *state;
    struct slt_recorded *c = add(w, SALUT_STATE_CLOSED, SLT_BY_ADDRESS_IN_USE, SALUT_STATE_CLOSED);
    c->local_port = c->remote_port = 0;
    c->changes[1] = c->changes[0];
    c->change_count = 2;
    assert_true(holds(w, SLT_FIND_SYN_7));
    assert_int_equal(w->hit.count, 2);
    tells(w, "failed 2 times because the address is in use, in nginx(700)");
    c = add(w, SALUT_STATE_CLOSED, SLT_BY_LISTEN, SALUT_STATE_LISTEN);
    c->changes[0].at_ns -= SLT_NS_PER_S; /* before: another port of the same program */
    assert_true(holds(w, SLT_FIND_SYN_7));
    c->changes[0].at_ns += 2 * SLT_NS_PER_S;
    assert_false(holds(w, SLT_FIND_SYN_7));
}

static void add_idle(struct world *w, int64_t idle_ns, int64_t closed_ns)
{
    struct slt_recorded *c = add(w, SALUT_STATE_ESTABLISHED, SLT_BY_CLOSE, SALUT_STATE_TIME_WAIT);
    c->changes[0].at_ns = closed_ns;
    c->data_ns = closed_ns - idle_ns;
}

static void a_limit_of_idleness_is_a_peak(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 5; i++) {
        add_idle(w, 15 * SLT_NS_PER_S + i * SLT_NS_PER_MS, NOW - 10 * SLT_NS_PER_S);
    }
    assert_false(holds(w, SLT_FIND_APP_1)); /* all at once: the server's end */
    for (int i = 0; i < 5; i++) {
        add_idle(w, 15 * SLT_NS_PER_S - i * SLT_NS_PER_MS, NOW - i * SLT_NS_PER_S);
    }
    assert_true(holds(w, SLT_FIND_APP_1));
    tells(w, "port 80 closes connections that were idle for 15 s: 10 of 10");
    add_idle(w, 3 * SLT_NS_PER_S, NOW);
    add_idle(w, 5 * SLT_NS_PER_S, NOW);
    assert_true(holds(w, SLT_FIND_APP_1));
    add_idle(w, 7 * SLT_NS_PER_S, NOW);
    assert_false(holds(w, SLT_FIND_APP_1)); /* 10 of 13 */
}

static void short_connections_are_counted_and_their_rate(void **state)
{
    struct world *w = *state;
    for (int64_t i = 0; i < 100; i++) {
        struct slt_recorded *c =
            add_client(w, SALUT_STATE_ESTABLISHED, SLT_BY_CLOSE, SALUT_STATE_TIME_WAIT);
        c->changes[0].at_ns = NOW - SLT_NS_PER_S + i * 10 * SLT_NS_PER_MS;
        c->opened_ns = c->changes[0].at_ns - 4 * SLT_NS_PER_MS;
        assert_true(holds(w, SLT_FIND_APP_3) == (i == 99));
    }
    tells(w, "100 connections to 10.0.0.2:443 lived 4.0 ms on average, 100 a second");
    w->past.items[0].opened_ns -= 20 * SLT_NS_PER_S;
    w->past.items[0].changes[0].at_ns -= 20 * SLT_NS_PER_S;
    assert_false(holds(w, SLT_FIND_APP_3)); /* five a second */
}

/* Without a memory nothing of it is judged, and beside one the present still is. */
static void the_present_is_judged_beside_it(void **state)
{
    struct world *w = *state;
    struct slt_seen listeners;
    slt_seen_init(&listeners, SLT_SOURCE_KERNEL);
    w->about.past_alone = false;
    w->about.after.value[SLT_COUNTER_abort_on_close] = 50;
    assert_true(holds(w, SLT_FIND_RST_1));
    assert_false(w->hit.remembered);
    for (int i = 0; i < 3; i++) {
        (void)add(w, SALUT_STATE_ESTABLISHED, SLT_BY_UNREAD, SALUT_STATE_CLOSED);
    }
    assert_true(holds(w, SLT_FIND_RST_1));
    assert_true(w->hit.remembered);
    w->about.past = NULL;
    assert_true(holds(w, SLT_FIND_RST_1));
    assert_false(w->hit.remembered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_found_in_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(habits_are_counted_by_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_server_is_told_and_an_interrupted_client_is_not,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_count_until_somebody_gets_through, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(peers_that_do_not_answer_are_counted_by_kind, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_before_a_reset_or_before_more_silence, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(single_events_are_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_in_use_is_told_unless_another_was_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_limit_of_idleness_is_a_peak, set_up, tear_down),
        cmocka_unit_test_setup_teardown(short_connections_are_counted_and_their_rate, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_present_is_judged_beside_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
