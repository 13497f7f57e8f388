/* SYN floods: bounded tables, cookies, recycling, retries and their end; the ring of replies. */
#include "craft.h"

static struct slt_tcp_segment syn_of(uint16_t port, uint32_t seq)
{
    struct slt_tcp_segment seg = {
        .src_port = port, .dst_port = 80, .seq = seq, .flags = SLT_TCP_SYN, .window = 65535};
    seg.opt.present = SLT_TCP_OPT_MSS;
    seg.opt.mss = 1460;
    return seg;
}

static unsigned drain(struct world *world, int end, enum slt_tcp_flag *flags)
{
    struct salut_tx_frame frame;
    unsigned count = 0;
    while (craft_take(world, end, &frame)) {
        *flags = (enum slt_tcp_flag)craft_read(&frame).flags;
        count++;
    }
    return count;
}

static void a_syn_is_answered_again_and_then_given_up(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 1, "10.0.0.77");
    struct slt_tcp_segment syn = syn_of(4000, 100);
    enum slt_tcp_flag flags;
    world_listen(world, 1, 80, 4, 0);
    craft_segment(world, 1, &peer, &syn);
    assert_int_equal(drain(world, 1, &flags), 1);
    assert_int_equal(flags, SLT_TCP_SYN | SLT_TCP_ACK);
    int64_t start_ns = world->now_ns;
    static const int64_t again_s[] = {1, 3, 7, 15, 31};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(again_s); i++) {
        int64_t next_ns = salut_next_deadline(world->end[1]);
        assert_int_equal(next_ns - start_ns, again_s[i] * SLT_NS_PER_S);
        salut_poll(world->end[1], next_ns - 1);
        assert_int_equal(drain(world, 1, &flags), 0);
        salut_poll(world->end[1], next_ns);
        assert_int_equal(drain(world, 1, &flags), 1);
    }
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 1);
    salut_poll(world->end[1], start_ns + 63 * SLT_NS_PER_S); /* L-14 */
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 0);
    assert_int_equal(drain(world, 1, &flags), 0); /* D-22: silently */
    assert_int_equal(world_count(world, 1, SLT_CAUSE_SYNACK_RETRANSMIT_LIMIT), 1);
    assert_int_equal(salut_next_deadline(world->end[1]), SLT_NEVER);
    world_delete(world);
}

static void flood(struct world *world, uint32_t count)
{
    struct craft peer = craft_peer(world, 1, "10.0.0.66");
    enum slt_tcp_flag flags;
    for (uint32_t i = 0; i < count; i++) {
        struct slt_tcp_segment syn = syn_of((uint16_t)(1024 + i % 60000), 77 * i);
        craft_segment(world, 1, &peer, &syn);
        if (i % 8 == 7) {
            assert_in_range(drain(world, 1, &flags), 1, 8);
        }
    }
}

static void cookies_let_the_honest_through_a_flood(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 16, 0);
    flood(world, 2000);
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 64);
    assert_int_equal(world_count(world, 1, SLT_NOTE_TCP_COOKIE_SENT), 2000 - 64);
    for (int i = 0; i < 10; i++) {
        salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
        salut_conn server;
        size_t n;
        char buffer[8];
        world_settle(world);
        assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
        assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
        assert_int_equal(salut_send(world->end[0], client, "hi", 2, 0, &n), SALUT_OK);
        world_settle(world);
        assert_int_equal(salut_recv(world->end[1], server, buffer, 8, &n), SALUT_OK);
        assert_int_equal(n, 2);
    }
    assert_int_equal(world_count(world, 1, SLT_NOTE_TCP_COOKIE_TAKEN), 10);
    /* A guess is no cookie. */
    struct craft peer = craft_peer(world, 1, "10.0.0.55");
    struct slt_tcp_segment ack = {
        .src_port = 999, .dst_port = 80, .seq = 5, .ack = 6, .flags = SLT_TCP_ACK, .window = 100};
    craft_segment(world, 1, &peer, &ack);
    enum slt_tcp_flag flags;
    assert_int_equal(drain(world, 1, &flags), 1);
    assert_int_equal(flags, SLT_TCP_RST);
    assert_true(world_count(world, 1, SLT_DROP_TCP_COOKIE_BAD) > 0);
    world_delete(world);
}

static void without_cookies_the_oldest_makes_room(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    world->end[1]->config.syn_cookies = SALUT_COOKIES_NEVER;
    world_listen(world, 1, 80, 16, 0);
    flood(world, 200);
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 64);
    assert_int_equal(world_count(world, 1, SLT_CAUSE_EVICTED), 200 - 64);
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    world_settle(world);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    world_delete(world);
}

static void cookies_always_keep_nothing(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    world->end[1]->config.syn_cookies = SALUT_COOKIES_ALWAYS;
    salut_listener listener = world_listen(world, 1, 80, 16, 0);
    salut_conn client = world_connect(world, 0, &world->addr6[1], 80);
    salut_conn server;
    struct salut_info info;
    world_settle(world);
    assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
    assert_int_equal(salut_get_info(world->end[1], server, &info), SALUT_OK);
    assert_int_equal(info.sack_ok, 1); /* R4987-02: carried by the timestamp */
    assert_int_equal(info.wscale_ok, 1);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    assert_int_equal(world->end[1]->half_open.pool.fresh, 0);
    world_delete(world);
}

static void the_ring_of_replies_is_bounded(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 1, "10.0.0.66");
    enum slt_tcp_flag flags;
    uint32_t max = slt_reply_max(&world->end[1]->config);
    for (uint32_t i = 0; i < 3 * max; i++) { /* closed ports: each asks for a reset */
        struct slt_tcp_segment syn = syn_of((uint16_t)(2000 + i), i);
        craft_segment(world, 1, &peer, &syn);
    }
    assert_int_equal(world_count(world, 1, SLT_NOTE_REPLY_FULL), 2 * max);
    assert_int_equal(drain(world, 1, &flags), max);
    assert_int_equal(flags, SLT_TCP_RST | SLT_TCP_ACK);
    /* Not taken: in the same order again. */
    struct salut_tx_frame frames[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct slt_tcp_segment syn = syn_of((uint16_t)(5000 + i), i);
        craft_segment(world, 1, &peer, &syn);
    }
    for (size_t taken = 0; taken < 3; taken++) {
        size_t count = salut_output(world->end[1], frames, 3);
        assert_int_equal(count, 3 - taken);
        assert_int_equal(craft_read(&frames[0]).dst_port, 5000 + taken);
        salut_output_taken(world->end[1], 1);
        world_check(world);
    }
    world_delete(world);
}

static void a_reset_takes_an_entry_away_and_a_stray_one_does_not(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 1, "10.0.0.77");
    struct slt_tcp_segment syn = syn_of(4000, 100);
    struct slt_tcp_segment rst = {
        .src_port = 4000, .dst_port = 80, .seq = 99, .flags = SLT_TCP_RST};
    world_listen(world, 1, 80, 4, 0);
    craft_segment(world, 1, &peer, &syn);
    craft_segment(world, 1, &peer, &rst);
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 1);
    rst.seq = 101;
    craft_segment(world, 1, &peer, &rst); /* K9: back to LISTEN */
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 0);
    assert_int_equal(world_objects(world, 1, SALUT_IS_LISTENER), 1);
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_syn_is_answered_again_and_then_given_up),
        cmocka_unit_test(cookies_let_the_honest_through_a_flood),
        cmocka_unit_test(without_cookies_the_oldest_makes_room),
        cmocka_unit_test(cookies_always_keep_nothing),
        cmocka_unit_test(the_ring_of_replies_is_bounded),
        cmocka_unit_test(a_reset_takes_an_entry_away_and_a_stray_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
