/* When acknowledgements leave (src/tcp/ackpolicy.c): nobody who waits for us waits for the
 * delayed-ACK timer, and no acknowledgement is sent in vain for long. Two engines over a path of
 * 1 ms, both with Nagle; one asks, the other answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_path.h"

#include <string.h>

#define STALL_NS (20 * SLT_NS_PER_MS)

/* One end of a conversation: what it writes, in how many writes, and what it waits for. */
struct talker {
    uint32_t writes[4]; /* sizes; 0 ends */
    int64_t pause_ns;   /* between two writes */
    uint32_t expects;   /* bytes that make the other's turn complete */
    int64_t think_ns;   /* before the first write */
    uint32_t at;        /* the write that comes next */
    uint32_t got;       /* bytes of the other's turn */
    int64_t next_ns;    /* when it writes next; SLT_NEVER: it waits */
};

struct talk {
    struct talker side[2];
    unsigned turns; /* answers that side 0 has got */
    unsigned limit; /* ... and is to get */
    int64_t began_ns;
    int64_t longest_ns; /* of a turn of side 0, from its first write to the end of the answer */
    unsigned stalls;    /* turns longer than STALL_NS */
};

static uint8_t scratch[65536];

static void end_turn(struct talk *talk, int64_t now_ns)
{
    int64_t took_ns = now_ns - talk->began_ns;

    talk->turns++;
    talk->longest_ns = slt_max64(talk->longest_ns, took_ns);
    talk->stalls += took_ns > STALL_NS;
}

static void hear(struct path *path, struct talk *talk, int who)
{
    struct talker *t = &talk->side[who];

    if (path->pair.side[who].conn == SLT_NIL) {
        return;
    }
    t->got += (uint32_t)pair_recv(&path->pair, who, scratch, sizeof(scratch));
    if (t->expects > 0 && t->got >= t->expects && t->next_ns == SLT_NEVER) {
        t->got -= t->expects;
        t->next_ns = path->pair.now_ns + t->think_ns;
        t->at = 0;
        if (who == 0) {
            end_turn(talk, path->pair.now_ns);
            t->next_ns = talk->turns < talk->limit ? t->next_ns : SLT_NEVER - 1;
        }
    }
}

static void say(struct path *path, struct talk *talk, int who)
{
    struct talker *t = &talk->side[who];

    while (t->next_ns <= path->pair.now_ns) {
        if (who == 0 && t->at == 0) {
            talk->began_ns = path->pair.now_ns;
        }
        assert_int_equal(pair_send(&path->pair, who, scratch, t->writes[t->at]), t->writes[t->at]);
        t->at++;
        bool more = t->at < 4 && t->writes[t->at] != 0;
        t->next_ns = more ? path->pair.now_ns + t->pause_ns : SLT_NEVER;
        if (!more && t->expects == 0) { /* it writes on without an answer */
            t->at = 0;
            t->next_ns = path->pair.now_ns + t->think_ns;
            talk->turns++;
        }
        if (t->pause_ns > 0 || t->think_ns > 0) {
            break;
        }
    }
}

static void app(struct path *path, void *ctx)
{
    struct talk *talk = ctx;

    path->app_at_ns = SLT_NEVER;
    for (int who = 0; who < 2; who++) {
        hear(path, talk, who);
        say(path, talk, who);
        path->app_at_ns = slt_min64(path->app_at_ns, talk->side[who].next_ns);
    }
}

static void begin(struct path *path, struct talk *talk, const struct talker *asks,
                  const struct talker *answers)
{
    path_init(path, 0, SLT_NS_PER_MS, 0);
    path_connect(path);
    memset(talk, 0, sizeof(*talk));
    talk->side[0] = *asks;
    talk->side[1] = *answers;
    talk->side[0].next_ns = SLT_NEVER - 1;
    talk->side[1].next_ns = SLT_NEVER;
    path->app = app;
    path->app_ctx = talk;
}

/* Run until side 0 has had `turns` answers. */
static void go_on(struct path *path, struct talk *talk, unsigned turns)
{
    talk->limit = talk->turns + turns;
    talk->side[0].next_ns = path->pair.now_ns;
    for (int i = 0; i < 100000 && talk->turns < talk->limit; i++) {
        path_run(path, SLT_NS_PER_MS);
    }
    assert_true(talk->turns >= talk->limit);
}

static const int64_t thinking_ns[] = {0, 100 * SLT_NS_PER_US, 2 * SLT_NS_PER_MS};

/* The conversation 200 times over, with the answer at once and a little later: no stall. */
static void never_stalls(struct talker asks, struct talker answers)
{
    for (unsigned i = 0; i < SLT_ARRAY_COUNT(thinking_ns); i++) {
        struct path path;
        struct talk talk;
        answers.think_ns = thinking_ns[i];
        begin(&path, &talk, &asks, &answers);
        go_on(&path, &talk, 200);
        assert_int_equal(talk.stalls, 0);
        path_deinit(&path);
    }
}

static void t_shld_18_write_write_read(void **ctx)
{
    (void)ctx;
    never_stalls((struct talker){.writes = {100, 300}, .pause_ns = 50000, .expects = 200},
                 (struct talker){.writes = {200}, .expects = 400});
    never_stalls((struct talker){.writes = {100, 3000, 20}, .pause_ns = 50000, .expects = 200},
                 (struct talker){.writes = {200}, .expects = 3120});
}

static void t_shld_19_odd_segment_counts(void **ctx)
{
    (void)ctx;
    for (uint32_t segments = 1; segments <= 9; segments += 2) {
        never_stalls((struct talker){.writes = {segments * 1448}, .expects = 1448 * 3},
                     (struct talker){.writes = {1448 * 3}, .expects = segments * 1448});
    }
}

static void t_shld_18_header_then_body(void **ctx)
{
    (void)ctx;
    never_stalls((struct talker){.writes = {150}, .expects = 5200},
                 (struct talker){.writes = {200, 5000}, .pause_ns = 30000, .expects = 150});
    never_stalls((struct talker){.writes = {150}, .expects = 300},
                 (struct talker){.writes = {200, 100}, .pause_ns = 30000, .expects = 150});
}

/* A byte at a time under Nagle: each waits for the one before, a round trip and no more. */
static void t_must_17_one_byte_writes(void **ctx)
{
    struct path path;
    struct talk talk;

    (void)ctx;
    begin(&path, &talk, &(struct talker){.writes = {1}, .think_ns = 100 * SLT_NS_PER_US},
          &(struct talker){.writes = {1}, .expects = 40});
    go_on(&path, &talk, 2000);
    talk.side[0].next_ns = SLT_NEVER - 1;
    path_run(&path, 5 * SLT_NS_PER_MS);
    const struct slt_tcp_conn *from = pair_conn(&path.pair, 0);
    assert_int_equal(from->snd.queue.bytes, 0); /* nothing waits for a late acknowledgement */
    assert_true(path.way[0].sent < 300);        /* and Nagle has gathered: one a round trip */
    path_deinit(&path);
}

/* A plain ping-pong whose answers come in a later turn: after a few the answers carry the
 * acknowledgements, and no segment is sent for them alone. */
static void t_must_58_a_ping_pong_acknowledges_with_its_answers(void **ctx)
{
    struct path path;
    struct talk talk;

    (void)ctx;
    begin(&path, &talk, &(struct talker){.writes = {100}, .expects = 100, .think_ns = 300000},
          &(struct talker){.writes = {100}, .expects = 100, .think_ns = 2 * SLT_NS_PER_MS});
    go_on(&path, &talk, 20);
    unsigned bare = path.way[1].bare;
    go_on(&path, &talk, 100);
    assert_int_equal(path.way[1].bare, bare);
    assert_true(slt_tcp_has(pair_conn(&path.pair, 1), SLT_CONN_PONG));
    assert_int_equal(talk.stalls, 0);
    path_deinit(&path);
}

/* It becomes a conversation of two writes: one late acknowledgement tells, and is the last. */
static void t_shld_18_a_changed_habit_stalls_at_most_once(void **ctx)
{
    struct path path;
    struct talk talk;

    (void)ctx;
    begin(&path, &talk, &(struct talker){.writes = {100}, .expects = 100},
          &(struct talker){.writes = {100}, .expects = 100, .think_ns = 2 * SLT_NS_PER_MS});
    go_on(&path, &talk, 100);
    talk.side[0].writes[1] = 50;
    talk.side[0].pause_ns = 50 * SLT_NS_PER_US;
    talk.side[1].expects = 150;
    go_on(&path, &talk, 200);
    assert_true(talk.stalls <= 1);
    path_deinit(&path);
}

/* As the RFC has it (ack_on_read 0): the timer decides, and it is below half a second (MUST-40). */
static void t_must_40_without_the_heuristics_the_timer_decides(void **ctx)
{
    struct path path;
    struct talk talk;

    (void)ctx;
    begin(&path, &talk, &(struct talker){.writes = {100, 300}, .pause_ns = 50000, .expects = 200},
          &(struct talker){.writes = {200}, .expects = 400});
    path.pair.config.ack_on_read = 0;
    go_on(&path, &talk, 40);
    assert_true(talk.stalls > 0);
    assert_true(talk.longest_ns < 100 * SLT_NS_PER_MS);
    path_deinit(&path);
}

/* Against such a peer the sender does not wait for ever: Nagle's rule holds the second write for a
 * round trip and a little, and the timer of the peer's acknowledgement never comes into it. */
static void t_shld_7_nagle_does_not_wait_for_a_late_acknowledgement(void **ctx)
{
    struct path path;
    struct talk talk;

    (void)ctx;
    begin(&path, &talk, &(struct talker){.writes = {100, 300}, .pause_ns = 50000, .expects = 200},
          &(struct talker){.writes = {200}, .expects = 400});
    path.pair.config.ack_on_read = 0;
    path.pair.config.nagle_slack_ns = SLT_NS_PER_MS;
    go_on(&path, &talk, 40);
    assert_int_equal(talk.stalls, 0);
    assert_true(talk.longest_ns < 8 * SLT_NS_PER_MS);
    path_deinit(&path);
}

/* Bulk data read at once: every second segment is acknowledged, not every one. */
static void t_shld_19_bulk_is_acknowledged_by_twos(void **ctx)
{
    struct path path;
    struct talk talk;

    (void)ctx;
    begin(&path, &talk, &(struct talker){.writes = {60000}, .expects = 10},
          &(struct talker){.writes = {10}, .expects = 60000});
    path.way[0].bits_per_s = 20 * 1000 * 1000; /* segments come one by one */
    path.way[0].queue_bytes = 1000000;
    go_on(&path, &talk, 50);
    unsigned segments = path.way[0].sent - path.way[0].bare;
    assert_true(path.way[1].bare <= segments * 6 / 10 + 16);
    path_deinit(&path);
}

/* A super-frame is no segment: after one, the second real segment is still the second full one,
 * although timestamps have it a few octets short of our MSS. */
static void t_shld_19_a_super_frame_teaches_no_segment_size(void **ctx)
{
    struct pair p;

    (void)ctx;
    pair_init(&p);
    pair_connect(&p);
    p.config.gso_max_bytes = 65536;
    assert_int_equal(pair_send(&p, 0, scratch, 10 * 1448), 10 * 1448);
    unsigned sent = p.sent;
    assert_true(pair_transmit(&p, 0));
    assert_int_equal(p.sent, sent + 1);
    pair_run(&p);
    p.config.gso_max_bytes = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pair_send(&p, 0, scratch, 1448), 1448);
        pair_run(&p); /* no time passes */
        bool waits = pair_conn(&p, 0)->snd.una < pair_conn(&p, 0)->snd.nxt;
        assert_int_equal(waits, i % 2 == 0);
    }
    assert_int_equal(pair_conn(&p, 1)->rcv.mss_seen, 1448);
    pair_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_shld_18_write_write_read),
        cmocka_unit_test(t_shld_19_odd_segment_counts),
        cmocka_unit_test(t_shld_18_header_then_body),
        cmocka_unit_test(t_must_17_one_byte_writes),
        cmocka_unit_test(t_must_58_a_ping_pong_acknowledges_with_its_answers),
        cmocka_unit_test(t_shld_18_a_changed_habit_stalls_at_most_once),
        cmocka_unit_test(t_must_40_without_the_heuristics_the_timer_decides),
        cmocka_unit_test(t_shld_7_nagle_does_not_wait_for_a_late_acknowledgement),
        cmocka_unit_test(t_shld_19_bulk_is_acknowledged_by_twos),
        cmocka_unit_test(t_shld_19_a_super_frame_teaches_no_segment_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
