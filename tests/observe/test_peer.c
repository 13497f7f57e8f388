/* The peer's state, read off the segments: every way through RFC 9293's figure that can be seen
 * from outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/peer.h"
#include "salut/types.h"
#include "wire/tcp.h"

#include <string.h>

enum { IN = 1, OUT = 0 }; /* from the peer, to the peer */

#define S SLT_TCP_SYN
#define A SLT_TCP_ACK
#define F SLT_TCP_FIN
#define R SLT_TCP_RST

struct row {
    bool from_peer;
    uint16_t flags;
    int64_t seq;
    int64_t ack;
    uint32_t bytes;
    enum salut_state then;
};

static void walk(enum salut_state first, const struct row *rows, size_t count)
{
    struct slt_peer peer = {.state = (uint8_t)first};
    for (size_t i = 0; i < count; i++) {
        struct slt_peer_segment seg = {.from_peer = rows[i].from_peer,
                                       .flags = rows[i].flags,
                                       .seq = rows[i].seq,
                                       .ack = rows[i].ack,
                                       .bytes = rows[i].bytes};
        uint8_t before = peer.state;
        const char *why = NULL;
        bool changed = slt_peer_take(&peer, &seg, &why);
        if (peer.state != rows[i].then) {
            fail_msg("row %zu: state %u, not %u", i, peer.state, rows[i].then);
        }
        assert_int_equal(changed, before != peer.state);
        assert_true(!changed || strlen(why) > 5);
    }
}

#define WALK(first, ...)                                                                           \
    do {                                                                                           \
        static const struct row rows[] = {__VA_ARGS__};                                            \
        walk(first, rows, sizeof(rows) / sizeof(rows[0]));                                         \
    } while (0)

static void client_that_closes_first(void **state)
{
    (void)state;
    WALK(SALUT_STATE_CLOSED, {IN, S, 0, 0, 0, SALUT_STATE_SYN_SENT},
         {IN, S, 0, 0, 0, SALUT_STATE_SYN_SENT}, /* again */
         {OUT, S | A, 0, 1, 0, SALUT_STATE_ESTABLISHED}, {IN, A, 1, 1, 10, SALUT_STATE_ESTABLISHED},
         {OUT, A, 1, 11, 20, SALUT_STATE_ESTABLISHED},
         {IN, F | A, 11, 21, 0, SALUT_STATE_FIN_WAIT_1},
         {OUT, A, 21, 11, 0, SALUT_STATE_FIN_WAIT_1}, /* not the FIN's */
         {OUT, A, 21, 12, 0, SALUT_STATE_FIN_WAIT_2},
         {OUT, F | A, 21, 12, 0, SALUT_STATE_TIME_WAIT}, {IN, A, 12, 22, 0, SALUT_STATE_TIME_WAIT});
}

static void server_that_closes_second(void **state)
{
    (void)state;
    WALK(SALUT_STATE_LISTEN, {OUT, S, 0, 0, 0, SALUT_STATE_LISTEN},
         {IN, S | A, 0, 1, 0, SALUT_STATE_SYN_RECEIVED}, {OUT, A, 1, 1, 0, SALUT_STATE_ESTABLISHED},
         {OUT, F | A, 1, 1, 0, SALUT_STATE_CLOSE_WAIT}, {IN, A, 1, 2, 5, SALUT_STATE_CLOSE_WAIT},
         {IN, F | A, 6, 2, 0, SALUT_STATE_LAST_ACK}, {OUT, A, 2, 7, 0, SALUT_STATE_CLOSED});
}

static void both_at_once(void **state)
{
    (void)state;
    WALK(SALUT_STATE_CLOSED, {IN, S, 0, 0, 0, SALUT_STATE_SYN_SENT},
         {OUT, S, 0, 0, 0, SALUT_STATE_SYN_RECEIVED},
         {OUT, S | A, 0, 1, 0, SALUT_STATE_ESTABLISHED},
         {IN, F | A, 1, 1, 0, SALUT_STATE_FIN_WAIT_1}, {OUT, F | A, 1, 1, 0, SALUT_STATE_CLOSING},
         {OUT, A, 2, 2, 0, SALUT_STATE_TIME_WAIT});
    WALK(SALUT_STATE_ESTABLISHED, {IN, F | A, 1, 1, 0, SALUT_STATE_FIN_WAIT_1},
         {OUT, F | A, 1, 2, 0, SALUT_STATE_TIME_WAIT});
}

static void resets(void **state)
{
    (void)state;
    WALK(SALUT_STATE_ESTABLISHED, {IN, R, 1, 0, 0, SALUT_STATE_CLOSED});
    WALK(SALUT_STATE_CLOSE_WAIT, {OUT, R | A, 1, 0, 0, SALUT_STATE_CLOSED});
    WALK(SALUT_STATE_LISTEN, {OUT, R, 1, 0, 0, SALUT_STATE_LISTEN});
    WALK(SALUT_STATE_CLOSED, {IN, S, 0, 0, 0, SALUT_STATE_SYN_SENT},
         {OUT, R | A, 0, 1, 0, SALUT_STATE_CLOSED});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_that_closes_first),
        cmocka_unit_test(server_that_closes_second),
        cmocka_unit_test(both_at_once),
        cmocka_unit_test(resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
