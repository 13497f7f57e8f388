/* TIME-WAIT entries: how long they last, restarts, reuse by a SYN, a full table, long sleeps. */
#include "craft.h"

#define TWO_MSL_NS (60 * SLT_NS_PER_S)

/* A connection that end 1 closed first: its tuple is now an entry of end 1. */
struct past {
    struct craft peer;
    uint16_t port;
    uint32_t fin_seq; /* the peer's FIN */
    uint32_t last_ack;
};

static void give(struct world *world, const struct past *past, uint16_t flags, uint32_t seq,
                 uint32_t ack)
{
    struct slt_tcp_segment seg = {.src_port = past->port,
                                  .dst_port = 80,
                                  .seq = seq,
                                  .ack = ack,
                                  .flags = flags,
                                  .window = 60000};
    craft_segment(world, 1, &past->peer, &seg);
}

static struct slt_tcp_segment take(struct world *world)
{
    static struct salut_tx_frame frame;
    assert_true(craft_take(world, 1, &frame));
    return craft_read(&frame);
}

static void expect_silence(struct world *world)
{
    static struct salut_tx_frame frame;
    assert_false(craft_take(world, 1, &frame));
}

static struct past make_past(struct world *world, salut_listener listener, uint16_t port)
{
    struct past past = {.peer = craft_peer(world, 1, "10.0.0.77"), .port = port};
    salut_conn server;
    give(world, &past, SLT_TCP_SYN, 1000, 0);
    uint32_t isn = take(world).seq;
    give(world, &past, SLT_TCP_ACK, 1001, isn + 1);
    assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
    assert_int_equal(salut_close(world->end[1], server), SALUT_OK);
    assert_true(take(world).flags & SLT_TCP_FIN);
    past.fin_seq = 1001;
    past.last_ack = isn + 2;
    give(world, &past, SLT_TCP_FIN | SLT_TCP_ACK, 1001, isn + 2);
    assert_int_equal(take(world).ack, 1002);
    assert_int_equal(world_objects(world, 1, SALUT_IS_CONN), 0);
    return past;
}

static void advance(struct world *world, int64_t for_ns)
{
    int64_t until_ns = world->now_ns + for_ns;
    for (;;) {
        int64_t next_ns = salut_next_deadline(world->end[1]);
        if (next_ns > until_ns) {
            break;
        }
        world->now_ns = slt_max64(world->now_ns, next_ns);
        salut_poll(world->end[1], world->now_ns);
    }
    world->now_ns = until_ns;
    salut_poll(world->end[1], until_ns);
    world_check(world);
}

static void entries_end_to_the_millisecond(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    for (uint16_t i = 0; i < 10; i++) { /* one a second */
        make_past(world, listener, (uint16_t)(4000 + i));
        advance(world, SLT_NS_PER_S);
    }
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 10);
    advance(world, TWO_MSL_NS - 10 * SLT_NS_PER_S - SLT_NS_PER_MS);
    for (unsigned left = 10; left > 0; left--) {
        assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), left);
        advance(world, 2 * SLT_NS_PER_MS);
        assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), left - 1);
        advance(world, SLT_NS_PER_S - 2 * SLT_NS_PER_MS);
    }
    assert_int_equal(salut_next_deadline(world->end[1]), SLT_NEVER);
    assert_int_equal(world_count(world, 1, SLT_CAUSE_TWO_MSL), 10);
    world_delete(world);
}

static void a_resent_fin_restarts_the_wait_and_only_its_own(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    struct past first = make_past(world, listener, 4000);
    advance(world, SLT_NS_PER_S);
    make_past(world, listener, 4001);
    advance(world, 49 * SLT_NS_PER_S);
    give(world, &first, SLT_TCP_FIN | SLT_TCP_ACK, first.fin_seq, first.last_ack); /* n16 */
    assert_int_equal(take(world).ack, first.fin_seq + 1);
    give(world, &first, SLT_TCP_ACK, first.fin_seq + 1, first.last_ack); /* n6 */
    expect_silence(world);
    advance(world, 11 * SLT_NS_PER_S + SLT_NS_PER_MS); /* the second is over, the first is not */
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 1);
    advance(world, 49 * SLT_NS_PER_S - 3 * SLT_NS_PER_MS);
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 1);
    advance(world, 4 * SLT_NS_PER_MS);
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 0);
    world_delete(world);
}

static void a_later_syn_takes_over_and_an_older_one_does_not(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    struct past past = make_past(world, listener, 4000);
    give(world, &past, SLT_TCP_RST, past.fin_seq + 1, 0); /* D-02, R1337-01 */
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 1);
    give(world, &past, SLT_TCP_SYN, past.fin_seq - 500, 0);
    assert_int_equal(take(world).flags, SLT_TCP_ACK); /* D-21 */
    give(world, &past, SLT_TCP_SYN, past.fin_seq + 500, 0);
    struct slt_tcp_segment syn_ack = take(world);
    assert_int_equal(syn_ack.flags, SLT_TCP_SYN | SLT_TCP_ACK);
    assert_true((int32_t)(syn_ack.seq - past.last_ack) > 0); /* MAY-2 */
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 0);
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 1);
    assert_int_equal(world_count(world, 1, SLT_NOTE_TCP_TW_REUSED), 1);
    world_delete(world);
}

static void reused_entries_give_their_places_back(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    for (uint32_t i = 0; i < 64; i++) { /* fill the table */
        make_past(world, listener, (uint16_t)(4000 + i));
    }
    struct past past = {.peer = craft_peer(world, 1, "10.0.0.77"), .port = 4000};
    for (uint32_t i = 1; i < 500; i++) {
        past.port = (uint16_t)(4000 + i % 64);
        uint32_t seq = 1000 + 100000 * (1 + i / 64);
        salut_conn server;
        give(world, &past, SLT_TCP_SYN, seq, 0);
        uint32_t isn = take(world).seq;
        give(world, &past, SLT_TCP_ACK, seq + 1, isn + 1);
        assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
        assert_int_equal(salut_close(world->end[1], server), SALUT_OK);
        assert_true(take(world).flags & SLT_TCP_FIN);
        give(world, &past, SLT_TCP_FIN | SLT_TCP_ACK, seq + 1, isn + 2);
        assert_int_equal(take(world).flags, SLT_TCP_ACK);
    }
    assert_int_equal(world_count(world, 1, SLT_NOTE_TCP_TW_FULL), 0);
    assert_int_equal(world_count(world, 1, SLT_NOTE_TCP_TW_REUSED), 499);
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 64);
    advance(world, 2 * TWO_MSL_NS);
    assert_int_equal(world->end[1]->waits.pool.used_objects, 0);
    world_delete(world);
}

static void nothing_outlives_a_long_sleep(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    struct past past = make_past(world, listener, 4000);
    make_past(world, listener, 4001);
    advance(world, 30 * SLT_NS_PER_S);
    give(world, &past, SLT_TCP_FIN | SLT_TCP_ACK, past.fin_seq, past.last_ack);
    take(world);
    world->now_ns += 45 * 60 * SLT_NS_PER_S; /* more than the entry's bits can tell apart */
    salut_poll(world->end[1], world->now_ns);
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 0);
    assert_int_equal(world->end[1]->waits.pool.used_objects, 0);
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_end_to_the_millisecond),
        cmocka_unit_test(a_resent_fin_restarts_the_wait_and_only_its_own),
        cmocka_unit_test(a_later_syn_takes_over_and_an_older_one_does_not),
        cmocka_unit_test(reused_entries_give_their_places_back),
        cmocka_unit_test(nothing_outlives_a_long_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
