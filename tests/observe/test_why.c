/* observe/why: the sentence and whose move it is, for every state and what tells its cases apart.
 */
#include "observe/why.h"

#include "base/compiler.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S SLT_NS_PER_S

/* A connection of the kernel's that is in order: everything is known, and nothing is owed. */
static struct slt_seen conn(enum salut_state state)
{
    struct slt_seen seen;
    slt_seen_init(&seen, SLT_SOURCE_KERNEL);
    seen.kind = SLT_SEEN_CONN;
    seen.state = (uint8_t)state;
    seen.local_port = 80;
    seen.accepted = SLT_YES;
    seen.orphan = SLT_NO;
    seen.fin_unread = SLT_NO;
    seen.unread = seen.unacked = seen.unsent = 0;
    seen.timer = SLT_SEEN_TIMER_NONE;
    return seen;
}

static void says(const struct slt_seen *seen, enum slt_actor actor, const char *what)
{
    char why[400];
    enum slt_actor found = slt_why(seen, why, sizeof(why));
    if (strstr(why, what) == NULL) {
        fail_msg("it does not say '%s': %s", what, why);
    }
    if (found != actor) {
        fail_msg("it is the %s's move, not the %s's: %s", slt_actor_name(found),
                 slt_actor_name(actor), why);
    }
}

static void says_not(const struct slt_seen *seen, const char *what)
{
    char why[400];
    (void)slt_why(seen, why, sizeof(why));
    if (strstr(why, what) != NULL) {
        fail_msg("it says '%s': %s", what, why);
    }
}

static void test_listen(void **state)
{
    (void)state;
    struct slt_seen seen = conn(SALUT_STATE_LISTEN);
    seen.kind = SLT_SEEN_LISTENER;
    seen.queue = 0;
    seen.queue_limit = 5;
    says(&seen, SLT_ACTOR_NOBODY, "waits for connections");
    seen.queue = 1;
    says(&seen, SLT_ACTOR_PROGRAM, "1 connection is complete and waits for accept()");
    says_not(&seen, "full");
    seen.queue = 6; /* the kernel takes one more than the backlog */
    seen.drops = 3;
    says(&seen, SLT_ACTOR_PROGRAM, "the queue is full");
    says(&seen, SLT_ACTOR_PROGRAM, "3 attempts lost");
}

static void test_opening(void **state)
{
    (void)state;
    struct slt_seen seen = conn(SALUT_STATE_SYN_SENT);
    seen.timer = SLT_SEEN_TIMER_RETRANSMIT;
    seen.timer_in = (struct slt_seen_span){2600 * SLT_NS_PER_MS, SLT_SPAN_EXACT};
    seen.retries = 2;
    says(&seen, SLT_ACTOR_PEER, "sent again 2 times, next in 2.6 s");
    seen = conn(SALUT_STATE_SYN_RECEIVED);
    seen.kind = SLT_SEEN_HALF_OPEN;
    seen.retries = 1;
    says(&seen, SLT_ACTOR_PEER, "SYN,ACK sent again 1 time");
    seen.passive = SLT_NO;
    says(&seen, SLT_ACTOR_PEER, "both ends opened at the same time");
}

static void test_established(void **state)
{
    (void)state;
    struct slt_seen seen = conn(SALUT_STATE_ESTABLISHED);
    seen.idle = (struct slt_seen_span){90 * S, SLT_SPAN_EXACT};
    says(&seen, SLT_ACTOR_NOBODY, "neither side owes the other anything; idle for 90 s");
    seen.unread = 1;
    says(&seen, SLT_ACTOR_PROGRAM, "1 byte received that the program has not read");
    seen.accepted = SLT_NO;
    says(&seen, SLT_ACTOR_PROGRAM, "has not called accept()");
    seen = conn(SALUT_STATE_ESTABLISHED);
    seen.unacked = 100;
    seen.unsent = 50;
    says(&seen, SLT_ACTOR_PEER, "150 bytes on the way");
    seen.timer = SLT_SEEN_TIMER_RETRANSMIT;
    seen.retries = 4;
    says(&seen, SLT_ACTOR_PEER, "sent again 4 times without an answer");
    seen.timer = SLT_SEEN_TIMER_PERSIST;
    says(&seen, SLT_ACTOR_PEER_PROGRAM, "the peer's window is closed");
    seen = conn(SALUT_STATE_ESTABLISHED);
    seen.timer = SLT_SEEN_TIMER_KEEPALIVE;
    says(&seen, SLT_ACTOR_NOBODY, "neither side owes");
    seen.retries = 2;
    says(&seen, SLT_ACTOR_PEER, "2 keep-alive probes without an answer");
}

/* The three that one state hides. */
static void test_close_wait(void **state)
{
    (void)state;
    struct slt_seen seen = conn(SALUT_STATE_CLOSE_WAIT);
    says(&seen, SLT_ACTOR_PROGRAM, "close() is all that is missing");
    seen.fin_unread = SLT_YES;
    says(&seen, SLT_ACTOR_PROGRAM, "nor read up to the end");
    seen.unread = 12;
    says(&seen, SLT_ACTOR_PROGRAM, "12 bytes are not even read");
    seen.accepted = SLT_NO;
    says(&seen, SLT_ACTOR_PROGRAM, "before the program called accept()");
    seen = conn(SALUT_STATE_CLOSE_WAIT);
    seen.fin_unread = SLT_DONT_KNOW;
    says_not(&seen, "all that is missing"); /* not known: not said */
}

static void test_closing_first(void **state)
{
    (void)state;
    struct slt_seen seen = conn(SALUT_STATE_FIN_WAIT_1);
    seen.unacked = 9;
    says(&seen, SLT_ACTOR_PEER, "our side closed first");
    says(&seen, SLT_ACTOR_PEER, "9 bytes still to be delivered");
    seen.orphan = SLT_YES;
    says(&seen, SLT_ACTOR_PEER, "our program (gone, or done with it) closed first");
    seen.timer = SLT_SEEN_TIMER_PERSIST;
    says(&seen, SLT_ACTOR_PEER_PROGRAM, "the peer's window is closed");
    seen = conn(SALUT_STATE_FIN_WAIT_2);
    says(&seen, SLT_ACTOR_PEER_PROGRAM, "shut down sending and keeps reading");
    seen.kind = SLT_SEEN_TIME_WAIT;
    seen.timer = SLT_SEEN_TIMER_FIN_WAIT_2;
    seen.timer_in = (struct slt_seen_span){42 * S, SLT_SPAN_EXACT};
    says(&seen, SLT_ACTOR_PEER_PROGRAM, "its program has not closed; gone in 42 s");
    seen = conn(SALUT_STATE_TIME_WAIT);
    seen.timer_in = (struct slt_seen_span){42 * S, SLT_SPAN_EXACT};
    says(&seen, SLT_ACTOR_TIME, "both ends have closed, ours first");
    says(&seen, SLT_ACTOR_TIME, "gone in 42 s");
}

static void test_closing_else(void **state)
{
    (void)state;
    struct slt_seen seen = conn(SALUT_STATE_CLOSING);
    seen.timer = SLT_SEEN_TIMER_RETRANSMIT;
    seen.retries = 1;
    says(&seen, SLT_ACTOR_PEER, "both ends closed at the same time");
    says(&seen, SLT_ACTOR_PEER, "sent again 1 time without an answer");
    seen.state = SALUT_STATE_LAST_ACK;
    says(&seen, SLT_ACTOR_PEER, "the peer closed first, then our program");
    seen = conn(SALUT_STATE_CLOSED);
    seen.kind = SLT_SEEN_BOUND;
    says(&seen, SLT_ACTOR_PROGRAM, "has a port, but neither listens nor is connected");
}

/* Whatever is unknown, and however short the room: a sentence that ends. */
static void test_any_record(void **state)
{
    (void)state;
    for (unsigned s = 0; s <= SALUT_STATE_COUNT; s++) {
        for (unsigned timer = 0; timer < SLT_SEEN_TIMER_COUNT; timer++) {
            struct slt_seen seen;
            char out[64];
            slt_seen_init(&seen, SLT_SOURCE_CAPTURE);
            seen.state = (uint8_t)s;
            seen.timer = (uint8_t)timer;
            seen.retries = 255;
            seen.unread = seen.unacked = INT64_MAX / 4;
            for (size_t size = 0; size <= 32; size++) {
                memset(out, '#', sizeof(out));
                enum slt_actor actor = slt_why(&seen, out, size);
                assert_true((unsigned)actor < SLT_ACTOR_COUNT);
                assert_int_equal(out[size], '#');
                assert_true(size == 0 || s == SALUT_STATE_COUNT || memchr(out, 0, size) != NULL);
            }
        }
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "0 s"},
        {1, "0.0 ms"},
        {400 * SLT_NS_PER_US, "0.4 ms"},
        {2608 * SLT_NS_PER_MS, "2.6 s"},
        {999 * SLT_NS_PER_MS, "999 ms"},
        {90 * S, "90 s"},
        {180 * S, "3.0 min"},
        {119 * 60 * S, "119 min"},
        {5 * 3600 * S, "5.0 h"},
        {72 * 3600 * S, "3.0 d"},
        {INT64_MAX, "106752 d"},
    };
    char out[SLT_DURATION_MAX];
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        assert_string_equal(slt_print_duration(rows[i].ns, out), rows[i].text);
    }
    assert_string_equal(slt_print_span(&(struct slt_seen_span){5 * S, SLT_SPAN_EXACT}, out),
                        "5.0 s");
    assert_string_equal(slt_print_span(&(struct slt_seen_span){5 * S, SLT_SPAN_AT_LEAST}, out),
                        ">5.0 s");
    assert_string_equal(slt_print_span(&(struct slt_seen_span){5 * S, SLT_SPAN_AT_MOST}, out),
                        "<5.0 s");
    assert_string_equal(slt_print_span(&(struct slt_seen_span){5 * S, SLT_SPAN_UNKNOWN}, out), "-");
    assert_string_equal(slt_print_span(&(struct slt_seen_span){5 * S, 77}, out), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen),        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_established),   cmocka_unit_test(test_close_wait),
        cmocka_unit_test(test_closing_first), cmocka_unit_test(test_closing_else),
        cmocka_unit_test(test_any_record),    cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
