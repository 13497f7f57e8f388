/* Causes from call chains: each chain here was recorded on Linux 6.18 while its cause was made on
 * purpose (record.py), innermost function first, with what lies beyond the connection left on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "observe/cause.h"
#include "observe/seen.h"

#include "base/compiler.h"

#include <string.h>

#define NAMES_MAX 32

static uint32_t frames_of(const char *chain)
{
    char text[1024];
    const char *names[NAMES_MAX];
    size_t count = 0;
    assert_true(strlen(chain) < sizeof(text));
    (void)strcpy(text, chain);
    for (char *at = strtok(text, " "); at != NULL && count < NAMES_MAX; at = strtok(NULL, " ")) {
        names[count++] = at;
    }
    return slt_frames_of(names, count);
}

struct chain {
    uint8_t from, to;
    const char *frames;
    enum slt_cause cause;
    uint8_t really;
};

#define S(name) SALUT_STATE_##name
#define CLOSED_FILE                                                                                \
    "inet_release sock_close __fput __x64_sys_close do_syscall_64 entry_SYSCALL_64_after_hwframe"
#define EXITING  "inet_release sock_close __fput task_work_run do_exit do_group_exit "
#define RECEIVED "tcp_v4_do_rcv tcp_v4_rcv ip_protocol_deliver_rcu ip_local_deliver_finish "
/* On loopback what is beyond is the other end's system call. */
#define IN_CLOSE RECEIVED "handle_softirqs do_softirq __tcp_close tcp_close " CLOSED_FILE

static const struct chain chains[] = {
    {S(ESTABLISHED), S(FIN_WAIT_1), "inet_sk_state_store __tcp_close tcp_close " CLOSED_FILE,
     SLT_BY_CLOSE, S(FIN_WAIT_1)},
    {S(CLOSE_WAIT), S(LAST_ACK), "inet_sk_state_store __tcp_close tcp_close " CLOSED_FILE,
     SLT_BY_CLOSE, S(LAST_ACK)},
    {S(ESTABLISHED), S(FIN_WAIT_1),
     "inet_sk_state_store tcp_shutdown inet_shutdown __sys_shutdown __x64_sys_shutdown",
     SLT_BY_SHUTDOWN, S(FIN_WAIT_1)},
    {S(ESTABLISHED), S(FIN_WAIT_1),
     "inet_sk_state_store __tcp_close tcp_close " EXITING "get_signal arch_do_signal_or_restart",
     SLT_BY_KILLED, S(FIN_WAIT_1)},
    {S(ESTABLISHED), S(FIN_WAIT_1),
     "inet_sk_state_store __tcp_close tcp_close " EXITING "__x64_sys_exit_group x64_sys_call",
     SLT_BY_EXITED, S(FIN_WAIT_1)},
    {S(ESTABLISHED), S(CLOSED), "inet_sk_state_store __tcp_close tcp_close " CLOSED_FILE,
     SLT_BY_UNREAD, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED), "inet_sk_state_store __tcp_close tcp_close " EXITING "get_signal",
     SLT_BY_UNREAD_KILLED, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store __tcp_close tcp_close " EXITING "__x64_sys_exit_group",
     SLT_BY_UNREAD_EXITED, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_disconnect __tcp_close tcp_close " CLOSED_FILE, SLT_BY_LINGER_ZERO,
     S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_disconnect __inet_stream_connect inet_stream_connect __sys_connect",
     SLT_BY_DISCONNECTED, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_disconnect inet_child_forget inet_csk_listen_stop __tcp_close "
     "tcp_close " CLOSED_FILE,
     SLT_BY_LISTENER_CLOSED, S(CLOSED)},
    {S(LISTEN), S(CLOSED), "inet_sk_state_store __tcp_close tcp_close " CLOSED_FILE,
     SLT_BY_LISTENER_CLOSED, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_validate_incoming "
     "tcp_rcv_established " IN_CLOSE,
     SLT_BY_RST_RECEIVED, S(CLOSED)},
    {S(CLOSE_WAIT), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_validate_incoming "
     "tcp_rcv_state_process " RECEIVED,
     SLT_BY_RST_RECEIVED, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_retransmit_timer "
     "tcp_write_timer_handler tcp_write_timer call_timer_fn",
     SLT_BY_RETRANSMIT_TIMEOUT, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_write_timer_handler tcp_write_timer",
     SLT_BY_PROBE_TIMEOUT, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_keepalive_timer call_timer_fn",
     SLT_BY_KEEPALIVE_TIMEOUT, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_abort tcp_diag_destroy "
     "inet_diag_cmd_exact",
     SLT_BY_ADMINISTRATOR, S(CLOSED)},
    {S(SYN_SENT), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_rcv_state_process " RECEIVED,
     SLT_BY_REFUSED, S(CLOSED)},
    {S(SYN_SENT), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_done_with_error tcp_retransmit_timer tcp_write_timer",
     SLT_BY_CONNECT_TIMEOUT, S(CLOSED)},
    {S(SYN_SENT), S(CLOSED), "inet_sk_state_store __tcp_close tcp_close " CLOSED_FILE, SLT_BY_CLOSE,
     S(CLOSED)},
    {S(SYN_SENT), S(CLOSED), "inet_sk_state_store tcp_done tcp_done_with_error tcp_v4_err icmp_rcv",
     SLT_BY_ICMP_ERROR, S(CLOSED)},
    {S(ESTABLISHED), S(CLOSE_WAIT),
     "inet_sk_state_store tcp_fin tcp_data_queue tcp_rcv_established " IN_CLOSE,
     SLT_BY_FIN_RECEIVED, S(CLOSE_WAIT)},
    {S(FIN_WAIT_1), S(CLOSING),
     "inet_sk_state_store tcp_fin tcp_data_queue tcp_rcv_state_process " RECEIVED,
     SLT_BY_FIN_RECEIVED, S(CLOSING)},
    {S(FIN_WAIT_2), S(CLOSED),
     "inet_sk_state_store tcp_done tcp_fin tcp_data_queue tcp_rcv_state_process " IN_CLOSE,
     SLT_BY_TIME_WAIT, S(TIME_WAIT)},
    {S(FIN_WAIT_2), S(CLOSED), "inet_sk_state_store tcp_done tcp_rcv_state_process " RECEIVED,
     SLT_BY_ORPHANED, S(FIN_WAIT_2)},
    {S(FIN_WAIT_2), S(CLOSED), "inet_sk_state_store tcp_done __tcp_close tcp_close " CLOSED_FILE,
     SLT_BY_ORPHANED, S(FIN_WAIT_2)},
    {S(LAST_ACK), S(CLOSED), "inet_sk_state_store tcp_done tcp_rcv_state_process " IN_CLOSE,
     SLT_BY_LAST_ACKED, S(CLOSED)},
    {S(CLOSED), S(SYN_SENT), "", SLT_BY_CONNECT, S(SYN_SENT)},
    {S(LISTEN), S(SYN_RECEIVED), "", SLT_BY_PASSIVE_OPEN, S(SYN_RECEIVED)},
    {S(FIN_WAIT_1), S(FIN_WAIT_2), "", SLT_BY_FIN_ACKED, S(FIN_WAIT_2)},
};

static void recorded_chains_name_their_causes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(chains); i++) {
        const struct chain *c = &chains[i];
        struct slt_cause_facts facts = {
            .from = c->from, .to = c->to, .frames = frames_of(c->frames)};
        struct slt_cause_verdict verdict = slt_cause_judge(&facts);
        if (verdict.cause != c->cause || verdict.to != c->really) {
            print_error("%s: %s\n", c->frames, slt_cause_token(verdict.cause));
        }
        assert_int_equal(verdict.cause, c->cause);
        assert_int_equal(verdict.to, c->really);
    }
}

/* A FIN-WAIT-2 that ends in the same functions ends differently when a RST answered the segment. */
static void a_reset_tells_data_after_close_from_an_orphan(void **state)
{
    (void)state;
    struct slt_cause_facts facts = {.from = S(FIN_WAIT_2),
                                    .to = S(CLOSED),
                                    .reset_sent = true,
                                    .frames = frames_of("tcp_done tcp_rcv_state_process")};
    assert_int_equal(slt_cause_judge(&facts).cause, SLT_BY_DATA_AFTER_CLOSE);
    assert_int_equal(slt_cause_judge(&facts).to, S(CLOSED));
    facts.reset_sent = false;
    assert_int_equal(slt_cause_judge(&facts).cause, SLT_BY_ORPHANED);
}

/* Where inlining left nothing of the path, the RST that came just before does. */
static void a_reset_that_came_stands_in_for_a_lost_frame(void **state)
{
    (void)state;
    struct slt_cause_facts facts = {
        .from = S(ESTABLISHED), .to = S(CLOSED), .reset_received = true};
    assert_int_equal(slt_cause_judge(&facts).cause, SLT_BY_RST_RECEIVED);
    facts.reset_received = false;
    assert_int_equal(slt_cause_judge(&facts).cause, SLT_BY_UNKNOWN);
    assert_false(slt_cause_judge(&facts).certain);
}

static void names_are_seen_through_what_compilers_add(void **state)
{
    (void)state;
    assert_int_equal(slt_frame_of("tcp_fin.cold", 12), SLT_FRAME_FIN);
    assert_int_equal(slt_frame_of("tcp_time_wait.isra.0", 20), SLT_FRAME_TIME_WAIT);
    assert_int_equal(slt_frame_of("__x64_sys_shutdown", 18), SLT_FRAME_SHUTDOWN);
    assert_int_equal(slt_frame_of("__arm64_sys_shutdown", 20), SLT_FRAME_SHUTDOWN);
    assert_int_equal(slt_frame_of("tcp_fi", 6), -1);
    assert_int_equal(slt_frame_of("tcp_final", 9), -1);
    assert_int_equal(slt_frame_of("", 0), -1);
}

static void what_is_beyond_a_segment_does_not_count(void **state)
{
    (void)state;
    uint32_t set = frames_of("tcp_fin tcp_v4_do_rcv tcp_v4_rcv handle_softirqs __tcp_close");
    assert_true((set & 1U << SLT_FRAME_FIN) != 0);
    assert_true((set & 1U << SLT_FRAME_BEYOND) != 0);
    assert_true((set & 1U << SLT_FRAME_CLOSE) == 0);
}

static void every_cause_has_words_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SLT_BY_COUNT; i++) {
        assert_non_null(slt_cause_token((enum slt_cause)i));
        assert_non_null(slt_cause_text((enum slt_cause)i));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(slt_cause_token((enum slt_cause)i),
                                    slt_cause_token((enum slt_cause)j));
        }
    }
    assert_string_equal(slt_cause_token(SLT_BY_COUNT), "?");
}

static void only_programs_act_in_their_own_process(void **state)
{
    (void)state;
    assert_true(slt_cause_is_programs(SLT_BY_CLOSE));
    assert_true(slt_cause_is_programs(SLT_BY_UNREAD_KILLED));
    assert_true(slt_cause_is_programs(SLT_BY_CONNECT));
    assert_false(slt_cause_is_programs(SLT_BY_FIN_RECEIVED));
    assert_false(slt_cause_is_programs(SLT_BY_KEEPALIVE_TIMEOUT));
    assert_false(slt_cause_is_programs(SLT_BY_PASSIVE_OPEN));
}

/* What ends a connection on an idle processor is no program's call. */
static void a_missed_end_is_guessed_from_numbers(void **state)
{
    static const struct {
        uint8_t stands;
        int retransmits, probes, window, rto_us;
        uint8_t cause, to;
    } cases[] = {
        {SALUT_STATE_SYN_SENT, 0, 0, 0, 1000000, SLT_BY_REFUSED, SALUT_STATE_CLOSED},
        {SALUT_STATE_SYN_SENT, 2, 0, 0, 1000000, SLT_BY_CONNECT_TIMEOUT, SALUT_STATE_CLOSED},
        {SALUT_STATE_ESTABLISHED, 0, 0, 9, 204000, SLT_BY_RST_RECEIVED, SALUT_STATE_CLOSED},
        /* Something was lost once, and that is over. */
        {SALUT_STATE_ESTABLISHED, 3, 0, 9, 204000, SLT_BY_RST_RECEIVED, SALUT_STATE_CLOSED},
        {SALUT_STATE_ESTABLISHED, 2, 0, 9, 816000, SLT_BY_RETRANSMIT_TIMEOUT, SALUT_STATE_CLOSED},
        {SALUT_STATE_ESTABLISHED, 0, 1, 9, 204000, SLT_BY_KEEPALIVE_TIMEOUT, SALUT_STATE_CLOSED},
        {SALUT_STATE_CLOSE_WAIT, 0, 2, 0, 208000, SLT_BY_PROBE_TIMEOUT, SALUT_STATE_CLOSED},
        {SALUT_STATE_LAST_ACK, 0, 0, 9, 204000, SLT_BY_LAST_ACKED, SALUT_STATE_CLOSED},
        {SALUT_STATE_LAST_ACK, 4, 0, 9, 3264000, SLT_BY_RETRANSMIT_TIMEOUT, SALUT_STATE_CLOSED},
        {SALUT_STATE_FIN_WAIT_1, 0, 0, 9, 204000, SLT_BY_TIME_WAIT, SALUT_STATE_TIME_WAIT},
        {SALUT_STATE_FIN_WAIT_2, 0, 0, 9, 204000, SLT_BY_TIME_WAIT, SALUT_STATE_TIME_WAIT},
        {SALUT_STATE_CLOSING, 0, 0, 9, 204000, SLT_BY_TIME_WAIT, SALUT_STATE_TIME_WAIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slt_seen final;
        slt_seen_init(&final, SLT_SOURCE_KERNEL);
        final.retransmits = cases[i].retransmits;
        final.retries = (uint8_t)cases[i].probes;
        final.send_window = cases[i].window;
        final.rto_us = cases[i].rto_us;
        final.rtt_us = 4000;
        final.rtt_var_us = 2000;
        struct slt_cause_verdict verdict = slt_cause_guess(cases[i].stands, &final);
        assert_int_equal(verdict.cause, cases[i].cause);
        assert_int_equal(verdict.to, cases[i].to);
        assert_false(verdict.certain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_chains_name_their_causes),
        cmocka_unit_test(a_reset_tells_data_after_close_from_an_orphan),
        cmocka_unit_test(a_reset_that_came_stands_in_for_a_lost_frame),
        cmocka_unit_test(names_are_seen_through_what_compilers_add),
        cmocka_unit_test(what_is_beyond_a_segment_does_not_count),
        cmocka_unit_test(every_cause_has_words_of_its_own),
        cmocka_unit_test(only_programs_act_in_their_own_process),
        cmocka_unit_test(a_missed_end_is_guessed_from_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
