/* observe/kernel_diag: what the kernel's messages mean, on recorded ones and on changed copies. */
#include "observe/kernel_diag_linux.h"

#include "base/time.h"
#include "observe/diag_format_linux.h"
#include "recorded_diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct slt_seen parse(const uint8_t *bytes, size_t count)
{
    struct slt_seen seen;
    assert_true(slt_kernel_diag_parse(bytes, count, &seen));
    assert_int_equal(seen.source, SLT_SOURCE_KERNEL);
    return seen;
}

/* A message without attributes. */
static struct diag_message plain(uint8_t state)
{
    return (struct diag_message){.family = 2, .state = state, .inode = 77, .uid = 1000};
}

static struct slt_seen parse_plain(const struct diag_message *m)
{
    return parse((const uint8_t *)m, sizeof(*m));
}

static void is_address(const salut_addr *addr, const char *text)
{
    salut_addr wanted;
    assert_int_equal(salut_addr_parse(text, &wanted), SALUT_OK);
    assert_memory_equal(addr->b, wanted.b, 16);
}

static void test_listener(void **state)
{
    (void)state;
    struct slt_seen seen = parse(recorded_listener, sizeof(recorded_listener));
    assert_int_equal(seen.kind, SLT_SEEN_LISTENER);
    assert_int_equal(seen.state, SALUT_STATE_LISTEN);
    assert_int_equal(seen.family, 4);
    is_address(&seen.local, "127.0.0.1");
    assert_int_equal(seen.local_port, 7001);
    assert_int_equal(seen.queue, 0);
    assert_int_equal(seen.queue_limit, 5);
    assert_int_equal(seen.drops, 0);
    assert_int_equal(seen.unread, SLT_UNKNOWN); /* a listener has no bytes */
    assert_int_equal(seen.age.how, SLT_SPAN_UNKNOWN);
    assert_int_equal(seen.owner, SLT_OWNER_HIDDEN); /* until somebody looks for it */
    assert_true(seen.inode != 0 && seen.key != 0);
    seen = parse(recorded_listener6, sizeof(recorded_listener6));
    assert_int_equal(seen.family, 6);
    is_address(&seen.local, "::1");
    assert_int_equal(seen.local_port, 7010);
    assert_int_equal(seen.queue_limit, 3);
}

static void test_established(void **state)
{
    (void)state;
    struct slt_seen seen = parse(recorded_established, sizeof(recorded_established));
    assert_int_equal(seen.kind, SLT_SEEN_CONN);
    assert_int_equal(seen.state, SALUT_STATE_ESTABLISHED);
    assert_int_equal(seen.remote_port, 7002);
    assert_int_equal(seen.unread, 5);
    assert_int_equal(seen.unacked, 0);
    assert_int_equal(seen.unsent, 0);
    assert_int_equal(seen.fin_unread, SLT_NO);
    assert_int_equal(seen.accepted, SLT_YES);
    assert_int_equal(seen.orphan, SLT_NO);
    assert_int_equal(seen.keepalive, SLT_NO);
    assert_int_equal(seen.bytes_received, 5);
    assert_int_equal(seen.age.how, SLT_SPAN_AT_LEAST);
    assert_true(seen.age.ns >= 200 * SLT_NS_PER_MS && seen.age.ns < 5 * SLT_NS_PER_S);
    assert_int_equal(seen.idle.how, SLT_SPAN_EXACT);
    assert_int_equal(seen.sack, SLT_YES);
    assert_int_equal(seen.window_scale, SLT_YES);
    assert_true(seen.send_mss > 1000 && seen.cwnd_bytes == 10 * seen.send_mss);
    assert_int_equal(seen.ssthresh_bytes, SLT_UNKNOWN); /* nothing was lost yet */
    assert_true(seen.recv_buffer > 0 && seen.send_window > 0 && seen.recv_window > 0);
    assert_true(seen.congestion[0] != '\0');
}

/* The destroy multicast calls everything CLOSED; the numbers are a connection's all the same. */
static void test_final(void **state)
{
    (void)state;
    uint8_t bytes[sizeof(recorded_established)];
    struct slt_seen seen;
    memcpy(bytes, recorded_established, sizeof(bytes));
    bytes[1] = 7;
    memset(bytes + offsetof(struct diag_message, inode), 0, sizeof(uint32_t));
    assert_int_equal(parse(bytes, sizeof(bytes)).bytes_received, SLT_UNKNOWN);
    assert_true(slt_kernel_diag_parse_final(bytes, sizeof(bytes), &seen));
    assert_int_equal(seen.kind, SLT_SEEN_CONN);
    assert_int_equal(seen.state, SALUT_STATE_CLOSED);
    assert_int_equal(seen.bytes_received, 5);
    assert_int_equal(seen.idle.how, SLT_SPAN_EXACT);
}

static void test_time_wait(void **state)
{
    (void)state;
    struct slt_seen seen = parse(recorded_time_wait, sizeof(recorded_time_wait));
    assert_int_equal(seen.kind, SLT_SEEN_TIME_WAIT);
    assert_int_equal(seen.state, SALUT_STATE_TIME_WAIT);
    assert_int_equal(seen.timer, SLT_SEEN_TIMER_TIME_WAIT);
    assert_int_equal(seen.age.how, SLT_SPAN_EXACT);
    assert_int_equal(seen.age.ns + seen.timer_in.ns, 60 * SLT_NS_PER_S);
    assert_int_equal(seen.owner, SLT_OWNER_KERNEL);
    assert_int_equal(seen.rtt_us, SLT_UNKNOWN);
    assert_int_equal(seen.unread, SLT_UNKNOWN);
}

/* The FIN is counted by rqueue as a byte: it is none. */
static void test_close_wait(void **state)
{
    (void)state;
    struct slt_seen seen = parse(recorded_close_wait, sizeof(recorded_close_wait));
    assert_int_equal(seen.state, SALUT_STATE_CLOSE_WAIT);
    assert_int_equal(seen.unread, 0);
    assert_int_equal(seen.fin_unread, SLT_YES);
    assert_int_equal(seen.age.how, SLT_SPAN_AT_LEAST);
    struct diag_message m = plain(8);
    m.receive_queue = 4;
    seen = parse_plain(&m);
    assert_int_equal(seen.unread, 3);
    assert_int_equal(seen.fin_unread, SLT_YES);
    m.receive_queue = 0;
    seen = parse_plain(&m);
    assert_int_equal(seen.unread, 0);
    assert_int_equal(seen.fin_unread, SLT_NO);
}

static void test_orphans(void **state)
{
    (void)state;
    static const struct {
        uint8_t kernel;
        uint8_t timer;
        enum salut_state state;
        enum slt_seen_kind kind;
    } rows[] = {
        {4, 1, SALUT_STATE_FIN_WAIT_1, SLT_SEEN_CONN},
        {5, 3, SALUT_STATE_FIN_WAIT_2, SLT_SEEN_TIME_WAIT},
        {5, 2, SALUT_STATE_FIN_WAIT_2, SLT_SEEN_CONN},
        {9, 1, SALUT_STATE_LAST_ACK, SLT_SEEN_CONN},
        {11, 1, SALUT_STATE_CLOSING, SLT_SEEN_CONN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct diag_message m = plain(rows[i].kernel);
        m.timer = rows[i].timer;
        m.send_queue = 1; /* our FIN */
        m.inode = 0;
        struct slt_seen seen = parse_plain(&m);
        assert_int_equal(seen.state, rows[i].state);
        assert_int_equal(seen.kind, rows[i].kind);
        assert_int_equal(seen.owner, SLT_OWNER_KERNEL);
        if (seen.kind == SLT_SEEN_CONN) {
            assert_int_equal(seen.orphan, SLT_YES);
        }
        if (seen.state != SALUT_STATE_FIN_WAIT_2) {
            assert_int_equal(seen.unacked, 0);
        } else {
            assert_int_equal(seen.timer, SLT_SEEN_TIMER_FIN_WAIT_2);
        }
        m.inode = 5;
        m.timer = 0;
        seen = parse_plain(&m);
        assert_int_equal(seen.orphan, SLT_NO);
        assert_int_equal(seen.owner, SLT_OWNER_HIDDEN);
    }
}

static void test_never_accepted(void **state)
{
    (void)state;
    struct diag_message m = plain(1);
    m.inode = 0;
    struct slt_seen seen = parse_plain(&m);
    assert_int_equal(seen.accepted, SLT_NO);
    assert_int_equal(seen.orphan, SLT_NO);
    assert_int_equal(seen.passive, SLT_YES);
}

static void test_opening(void **state)
{
    (void)state;
    struct diag_message m = plain(12);
    m.inode = 0;
    m.timer = 1;
    m.retransmits = 3;
    m.expires_ms = 4000;
    struct slt_seen seen = parse_plain(&m);
    assert_int_equal(seen.kind, SLT_SEEN_HALF_OPEN);
    assert_int_equal(seen.state, SALUT_STATE_SYN_RECEIVED);
    assert_int_equal(seen.retries, 3);
    assert_int_equal(seen.timer_in.ns, 4 * SLT_NS_PER_S);
    m = plain(2);
    m.timer = 1;
    seen = parse_plain(&m);
    assert_int_equal(seen.state, SALUT_STATE_SYN_SENT);
    assert_int_equal(seen.timer, SLT_SEEN_TIMER_RETRANSMIT);
    assert_int_equal(seen.idle.how, SLT_SPAN_UNKNOWN);
    m = plain(13);
    seen = parse_plain(&m);
    assert_int_equal(seen.kind, SLT_SEEN_BOUND);
    assert_int_equal(seen.state, SALUT_STATE_CLOSED);
}

/* Newer kernels have states, timers and attributes of their own. */
static void test_unknown_values(void **state)
{
    (void)state;
    struct diag_message m = plain(200);
    m.timer = 99;
    struct slt_seen seen = parse_plain(&m);
    assert_int_equal(seen.state, SALUT_STATE_CLOSED);
    assert_int_equal(seen.timer, SLT_SEEN_TIMER_OTHER);
}

/* Cut anywhere, and with every attribute's length spoilt: never a byte beyond the end is read (the
 * sanitizers look), and what comes out is a record. */
static void test_cut_and_spoilt(void **state)
{
    (void)state;
    struct slt_seen seen;
    uint8_t copy[sizeof(recorded_established)];
    for (size_t count = 0; count <= sizeof(copy); count++) {
        uint8_t *cut = malloc(count + 1);
        assert_non_null(cut);
        memcpy(cut, recorded_established, count);
        assert_int_equal(slt_kernel_diag_parse(cut, count, &seen),
                         count >= sizeof(struct diag_message));
        free(cut);
    }
    for (size_t at = sizeof(struct diag_message); at < sizeof(copy); at++) {
        static const uint8_t values[] = {0, 1, 3, 4, 5, 0x7f, 0xff};
        for (size_t v = 0; v < sizeof(values); v++) {
            memcpy(copy, recorded_established, sizeof(copy));
            copy[at] = values[v];
            seen = parse(copy, sizeof(copy));
            assert_int_equal(seen.state, SALUT_STATE_ESTABLISHED);
            assert_true(memchr(seen.congestion, 0, sizeof(seen.congestion)) != NULL);
        }
    }
}

/* A tcp_info shorter than ours leaves its newer facts unknown. */
static void test_older_kernel(void **state)
{
    (void)state;
    struct {
        struct diag_message m;
        uint16_t bytes;
        uint16_t type;
        uint8_t info[104];
    } old = {.m = plain(1), .bytes = 4 + 104, .type = 2};
    struct slt_seen seen = parse((const uint8_t *)&old, sizeof(old));
    assert_int_equal(seen.rtt_us, 0);
    assert_int_equal(seen.bytes_acked, SLT_UNKNOWN);
    assert_int_equal(seen.unsent, SLT_UNKNOWN);
    assert_int_equal(seen.busy_us, SLT_UNKNOWN);
    assert_int_equal(seen.recv_window, SLT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listener),       cmocka_unit_test(test_established),
        cmocka_unit_test(test_final),          cmocka_unit_test(test_time_wait),
        cmocka_unit_test(test_close_wait),     cmocka_unit_test(test_orphans),
        cmocka_unit_test(test_never_accepted), cmocka_unit_test(test_opening),
        cmocka_unit_test(test_unknown_values), cmocka_unit_test(test_cut_and_spoilt),
        cmocka_unit_test(test_older_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
