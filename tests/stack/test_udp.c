/* UDP sockets of two instances and a wire: who gets a datagram, what becomes of those that nobody
 * wants or that have no way, and what calls answer.
 */
#include "datagrams.h"

/* The answer goes to where the question came from, and comes from where it went to (RFC 1122
 * 4.1.3.5), over both families; the first datagram waits for its neighbour (2.3.2.2). */
static void question_and_answer(void **state)
{
    (void)state;
    for (int family = 0; family < 2; family++) {
        struct world *world = world_new(SALUT_PROFILE_LINUX);
        const salut_addr *to = family == 0 ? &world->addr4[1] : &world->addr6[1];
        const salut_addr *from = family == 0 ? &world->addr4[0] : &world->addr6[0];
        salut_udp server = open_any(world, 1, 53);
        salut_udp client = open_any(world, 0, 0);
        send_text(world, 0, client, to, 53, "who is there?");
        struct salut_udp_message m = expect_text(world, 1, server, "who is there?");
        assert_addr(&m.remote, from);
        assert_addr(&m.local, to);
        assert_int_equal(m.local_port, 53);
        assert_true(m.remote_port >= 32768);
        assert_int_equal(m.ttl, 64);
        struct salut_udp_to back = {.remote = m.remote, .port = m.remote_port, .local = m.local};
        assert_int_equal(salut_udp_send(world->end[1], server, "me", 2, &back), SALUT_OK);
        world_settle(world);
        m = expect_text(world, 0, client, "me");
        assert_addr(&m.remote, to);
        assert_int_equal(m.remote_port, 53);
        expect_nothing(world, 0, client);
        assert_int_equal(world_count(world, 1, SLT_NOTE_UDP_TAKEN), 1);
        assert_int_equal(world_count(world, 1, SLT_NOTE_UDP_SENT), 1);
        world_delete(world);
    }
}

static void a_datagram_is_cut_and_said_so_or_looked_at(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_udp server = open_any(world, 1, 53);
    salut_udp client = open_any(world, 0, 0);
    struct salut_udp_message m;
    struct salut_iovec pieces[4];
    size_t count;
    char got[8] = {0};
    send_text(world, 0, client, &world->addr4[1], 53, "0123456789");
    send_text(world, 0, client, &world->addr4[1], 53, "");
    send_text(world, 0, client, &world->addr4[1], 53, "abcdefghij");
    assert_int_equal(salut_udp_peek(world->end[1], server, pieces, 4, &count, &m), SALUT_OK);
    assert_int_equal(count, 1);
    assert_int_equal(pieces[0].bytes, 10);
    assert_memory_equal(pieces[0].base, "0123456789", 10);
    assert_int_equal(salut_udp_recv(world->end[1], server, got, 4, &m), SALUT_OK);
    assert_int_equal(m.bytes, 10);
    assert_memory_equal(got, "0123\0", 5);
    /* One of no bytes is one. */
    assert_int_equal(salut_udp_recv(world->end[1], server, NULL, 0, &m), SALUT_OK);
    assert_int_equal(m.bytes, 0);
    struct salut_iovec_mut halves[2] = {{got, 3}, {got + 3, 5}};
    assert_int_equal(salut_udp_recvv(world->end[1], server, halves, 2, &m), SALUT_OK);
    assert_int_equal(m.bytes, 10);
    assert_memory_equal(got, "abcdefgh", 8);
    assert_int_equal(salut_udp_consume(world->end[1], server), SALUT_WOULD_BLOCK);
    assert_int_equal(salut_udp_recv(world->end[1], server, NULL, 1, &m), SALUT_INVALID);
    world_delete(world);
}

/* A connected socket takes its peer's datagrams alone, and before anybody else. */
static void the_more_specific_socket_wins(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_addr any4 = world_addr("0.0.0.0");
    salut_udp any = open_any(world, 1, 53);
    salut_udp any_v4 = open_at(world, 1, &any4, 53, 0);
    salut_udp exact = open_at(world, 1, &world->addr4[1], 53, 0);
    salut_udp peers = open_at(world, 1, &world->addr6[1], 53, 0);
    salut_udp a = open_at(world, 0, NULL, 1000, 0);
    salut_udp b = open_at(world, 0, NULL, 2000, 0);
    assert_int_equal(salut_udp_connect(world->end[1], peers, &world->addr6[0], 1000), SALUT_OK);
    send_text(world, 0, a, &world->addr4[1], 53, "exact");
    expect_text(world, 1, exact, "exact");
    send_text(world, 0, a, &world->addr6[1], 53, "peer");
    expect_text(world, 1, peers, "peer");
    send_text(world, 0, b, &world->addr6[1], 53, "other peer");
    expect_nothing(world, 1, peers);
    expect_text(world, 1, any, "other peer");
    assert_int_equal(salut_udp_close(world->end[1], exact), SALUT_OK);
    send_text(world, 0, a, &world->addr4[1], 53, "any4");
    expect_text(world, 1, any_v4, "any4");
    assert_int_equal(salut_udp_close(world->end[1], any_v4), SALUT_OK);
    send_text(world, 0, a, &world->addr4[1], 53, "any");
    expect_text(world, 1, any, "any");
    /* Without its peer the socket is what it was bound to. */
    assert_int_equal(salut_udp_connect(world->end[1], peers, &world->addr6[0], 0), SALUT_OK);
    send_text(world, 0, b, &world->addr6[1], 53, "mine again");
    expect_text(world, 1, peers, "mine again");
    world_delete(world);
}

static void what_may_not_be_is_refused(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *stack = world->end[0];
    salut_addr nobody = world_addr("10.0.0.9");
    salut_addr far = world_addr("192.0.2.1");
    salut_addr none = world_addr("0.0.0.0");
    struct salut_udp_params params = {.port = 53};
    struct salut_udp_to to = {.remote = world->addr4[1], .port = 53};
    salut_udp udp;
    salut_udp other;
    assert_int_equal(salut_udp_open(stack, &params, &udp), SALUT_OK);
    assert_int_equal(salut_udp_open(stack, &params, &other), SALUT_ADDRESS_IN_USE);
    params.flags = SALUT_UDP_REUSE; /* both must agree */
    assert_int_equal(salut_udp_open(stack, &params, &other), SALUT_ADDRESS_IN_USE);
    params.flags = 64;
    assert_int_equal(salut_udp_open(stack, &params, &other), SALUT_INVALID);
    params = (struct salut_udp_params){.local = nobody};
    assert_int_equal(salut_udp_open(stack, &params, &other), SALUT_ADDRESS_NOT_AVAILABLE);

    assert_int_equal(salut_udp_send(stack, udp, "x", 1, NULL), SALUT_NOT_CONNECTED);
    assert_int_equal(salut_udp_send(stack, udp, NULL, 1, &to), SALUT_INVALID);
    to.port = 0;
    assert_int_equal(salut_udp_send(stack, udp, "x", 1, &to), SALUT_INVALID);
    to = (struct salut_udp_to){.remote = none, .port = 53};
    assert_int_equal(salut_udp_send(stack, udp, "x", 1, &to), SALUT_ADDRESS_INVALID);
    to.remote = far;
    assert_int_equal(salut_udp_send(stack, udp, "x", 1, &to), SALUT_NET_UNREACHABLE);
    to.remote = world_addr("10.0.0.255");
    assert_int_equal(salut_udp_send(stack, udp, "x", 1, &to), SALUT_ADDRESS_INVALID);
    to.remote = world->addr4[1];
    to.local = nobody;
    assert_int_equal(salut_udp_send(stack, udp, "x", 1, &to), SALUT_ADDRESS_NOT_AVAILABLE);
    to.local = world->addr6[0];
    assert_int_equal(salut_udp_send(stack, udp, "x", 1, &to), SALUT_INVALID);
    to.local = (salut_addr){.zone = 0};
    static const char large[65528];
    assert_int_equal(salut_udp_send(stack, udp, large, 65508, &to), SALUT_TOO_BIG);
    to.remote = world->addr6[1];
    assert_int_equal(salut_udp_send(stack, udp, large, 65528, &to), SALUT_TOO_BIG);
    assert_int_equal(salut_udp_connect(stack, udp, &far, 53), SALUT_NET_UNREACHABLE);

    /* A socket of one family. */
    params = (struct salut_udp_params){.port = 54, .flags = SALUT_UDP_V6_ONLY};
    assert_int_equal(salut_udp_open(stack, &params, &other), SALUT_OK);
    assert_int_equal(salut_udp_connect(stack, other, &world->addr4[1], 53), SALUT_INVALID);
    assert_int_equal(salut_udp_close(stack, other), SALUT_OK);
    assert_int_equal(salut_udp_close(stack, other), SALUT_STALE);
    assert_int_equal(salut_udp_send(stack, other, "x", 1, &to), SALUT_STALE);
    assert_int_equal(salut_udp_recv(stack, other, NULL, 0, NULL), SALUT_STALE);
    int64_t value;
    assert_int_equal(salut_udp_set_option(stack, udp, SALUT_OPT_NODELAY, 1), SALUT_INVALID);
    assert_int_equal(salut_udp_set_option(stack, udp, SALUT_OPT_TTL, 256), SALUT_INVALID);
    assert_int_equal(salut_udp_get_option(stack, udp, SALUT_OPT_TTL, &value), SALUT_OK);
    assert_int_equal(value, 64);
    world_delete(world);
}

static void v6_only_does_not_take_v4(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_udp server = open_at(world, 1, NULL, 53, SALUT_UDP_V6_ONLY);
    salut_udp client = open_any(world, 0, 0);
    send_text(world, 0, client, &world->addr4[1], 53, "four");
    expect_nothing(world, 1, server);
    assert_int_equal(world_count(world, 1, SLT_DROP_UDP_NO_PORT), 1);
    send_text(world, 0, client, &world->addr6[1], 53, "six");
    expect_text(world, 1, server, "six");
    world_delete(world);
}

/* RFC 1122 4.1.3.3: the port unreachable that a connected socket's datagram earns fails one call;
 * an unconnected one is only advised. */
static void refusal_is_told_once(void **state)
{
    (void)state;
    for (int family = 0; family < 2; family++) {
        struct world *world = world_new(SALUT_PROFILE_LINUX);
        const salut_addr *to = family == 0 ? &world->addr4[1] : &world->addr6[1];
        salut_udp client = open_any(world, 0, 0);
        salut_udp loose = open_any(world, 0, 0);
        enum salut_status error;
        uint32_t ready;
        assert_int_equal(salut_udp_connect(world->end[0], client, to, 99), SALUT_OK);
        send_text(world, 0, client, NULL, 0, "knock");
        assert_int_equal(world_count(world, 1, SLT_DROP_UDP_NO_PORT), 1);
        assert_int_equal(world_count(world, 0, SLT_NOTE_UDP_ERROR), 1);
        assert_int_equal(salut_udp_ready(world->end[0], client, &ready), SALUT_OK);
        assert_int_equal(ready, SALUT_READABLE | SALUT_WRITABLE | SALUT_ADVICE);
        assert_int_equal(salut_udp_recv(world->end[0], client, NULL, 0, NULL), SALUT_REFUSED);
        expect_nothing(world, 0, client);
        send_text(world, 0, client, NULL, 0, "knock");
        assert_int_equal(salut_udp_send(world->end[0], client, "x", 1, NULL), SALUT_REFUSED);
        send_text(world, 0, client, NULL, 0, "knock");
        assert_int_equal(salut_udp_take_error(world->end[0], client, &error), SALUT_OK);
        assert_int_equal(error, SALUT_REFUSED);
        assert_int_equal(salut_udp_take_error(world->end[0], client, &error), SALUT_OK);
        assert_int_equal(error, SALUT_OK);

        send_text(world, 0, loose, to, 99, "knock");
        expect_nothing(world, 0, loose);
        assert_int_equal(salut_udp_take_error(world->end[0], loose, &error), SALUT_OK);
        assert_int_equal(error, SALUT_REFUSED);
        world_delete(world);
    }
}

/* A refusal that quotes a tuple of nobody's, or another port, changes nothing. */
static void forged_refusals_are_ignored(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 0, "10.0.0.77");
    salut_udp client = open_at(world, 0, NULL, 4000, 0);
    static uint8_t frame[WORLD_FRAME_MAX];
    uint8_t quoted[28] = {0};
    assert_int_equal(salut_udp_connect(world->end[0], client, &peer.src, 53), SALUT_OK);
    for (uint16_t port = 52; port <= 53; port++) {
        uint8_t icmp[8 + sizeof(quoted)] = {SLT_ICMP4_UNREACHABLE, SLT_ICMP4_UNREACHABLE_PORT};
        struct slt_writer w = slt_writer_of(quoted, sizeof(quoted));
        struct slt_ipv4 ip = {
            .ttl = 64, .protocol = SLT_IP_PROTOCOL_UDP, .dont_fragment = true, .payload_bytes = 8};
        memcpy(ip.src, world->addr4[0].b, 16);
        memcpy(ip.dst, peer.src.b, 16);
        slt_ipv4_emit(&ip, &w);
        slt_write_u16(&w, 4000);
        slt_write_u16(&w, port);
        slt_write_u16(&w, 8);
        memcpy(icmp + 8, quoted, sizeof(quoted));
        uint16_t sum = slt_checksum_finish(slt_checksum_add(0, icmp, sizeof(icmp)));
        slt_put_u16(icmp + 2, sum);
        uint32_t bytes =
            craft_packet(&peer, SLT_IP_PROTOCOL_ICMP4, icmp, sizeof(icmp), UINT32_MAX, frame);
        craft_give(world, 0, frame, bytes);
        if (port == 52) {
            assert_int_equal(world_count(world, 0, SLT_DROP_ICMP_NO_MATCH), 1);
            expect_nothing(world, 0, client);
        } else {
            assert_int_equal(salut_udp_recv(world->end[0], client, NULL, 0, NULL), SALUT_REFUSED);
        }
    }
    world_delete(world);
}

/* ---- queues and neighbours ------------------------------------------------------------------ */

static void a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_udp server = open_any(world, 1, 53);
    salut_udp client = open_any(world, 0, 0);
    struct salut_udp_to to = {.remote = world->addr4[1], .port = 53};
    struct salut_info info;
    static const uint8_t data[1000];
    assert_int_equal(salut_udp_set_option(world->end[1], server, SALUT_OPT_RECV_BUFFER, 10 * 1040),
                     SALUT_OK);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &to), SALUT_OK);
        world_settle(world);
    }
    assert_int_equal(world_count(world, 1, SLT_NOTE_UDP_TAKEN), 10);
    assert_int_equal(world_count(world, 1, SLT_DROP_UDP_QUEUE_FULL), 2);
    assert_int_equal(salut_udp_get_info(world->end[1], server, &info), SALUT_OK);
    assert_int_equal(info.drops, 2);
    assert_int_equal(info.recv_datagrams, 10);
    assert_int_equal(info.recv_queued, 10 * 1040);
    assert_int_equal(info.object, SALUT_IS_UDP);
    assert_int_equal(info.state, SALUT_STATE_CLOSED);
    assert_int_equal(world_objects(world, 1, SALUT_IS_UDP), 1);
    /* Sending beyond the limit waits. */
    assert_int_equal(salut_udp_set_option(world->end[0], client, SALUT_OPT_SEND_BUFFER, 2048),
                     SALUT_OK);
    world->cut = true;
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &to), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &to), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &to),
                     SALUT_WOULD_BLOCK);
    struct salut_event event;
    assert_int_equal(salut_udp_set_interest(world->end[0], client, SALUT_WRITABLE), SALUT_OK);
    assert_false(salut_next_event(world->end[0], &event));
    world_settle(world);
    assert_true(salut_next_event(world->end[0], &event));
    assert_int_equal(event.udp.index, client.index);
    assert_int_equal(event.conn.index, SALUT_NO_INDEX);
    assert_int_equal(event.listener.index, SALUT_NO_INDEX);
    assert_int_equal(event.ready, SALUT_WRITABLE);
    world_delete(world);
}

/* All queues together leave TCP half of the buffers. */
static void queues_share_half_of_the_buffers(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof(*world));
    struct salut_config config;
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        world_config(&config, SALUT_PROFILE_LINUX, end);
        config.buffers_max = 16;
        config.buffer_bytes = 2048;
        world_join(world, end, world_create(&config));
    }
    salut_udp client = open_any(world, 0, 0);
    salut_udp servers[2] = {open_any(world, 1, 53), open_any(world, 1, 54)};
    static const uint8_t data[1000];
    for (uint16_t i = 0; i < 20; i++) {
        struct salut_udp_to to = {.remote = world->addr4[1], .port = (uint16_t)(53 + i % 2)};
        assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &to), SALUT_OK);
        world_settle(world);
    }
    assert_true(world_count(world, 1, SLT_DROP_UDP_NO_BUFFER) >= 4);
    assert_true(world->end[1]->udp.queued_bytes <= 8 * 2048);
    (void)servers;
    world_delete(world);
}

static void every_turn_tells_of_what_is_unread(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_udp server = open_any(world, 1, 53);
    salut_udp client = open_any(world, 0, 0);
    struct salut_event event;
    send_text(world, 0, client, &world->addr4[1], 53, "one");
    for (int turn = 0; turn < 3; turn++) {
        salut_poll(world->end[1], world->now_ns);
        assert_true(salut_next_event(world->end[1], &event));
        assert_int_equal(event.udp.index, server.index);
        assert_int_equal(event.udp.generation, server.generation);
        assert_int_equal(event.user, 53);
        assert_int_equal(event.ready, SALUT_READABLE);
        assert_false(salut_next_event(world->end[1], &event));
    }
    expect_text(world, 1, server, "one");
    salut_poll(world->end[1], world->now_ns);
    assert_false(salut_next_event(world->end[1], &event));
    world_delete(world);
}

/* RFC 1122 2.3.2.2: datagrams wait for their neighbour; those for others do not wait with them. */
static void an_unknown_neighbour_holds_up_nobody_else(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_addr silent = world_addr("10.0.0.50");
    salut_udp server = open_any(world, 1, 53);
    salut_udp client = open_any(world, 0, 0);
    struct salut_udp_to nowhere = {.remote = silent, .port = 53};
    struct salut_udp_to there = {.remote = world->addr4[1], .port = 53};
    struct salut_info info;
    assert_int_equal(salut_udp_send(world->end[0], client, "a", 1, &nowhere), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, "b", 1, &there), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, "c", 1, &nowhere), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, "d", 1, &there), SALUT_OK);
    world_settle(world);
    expect_text(world, 1, server, "b");
    expect_text(world, 1, server, "d");
    assert_int_equal(salut_udp_get_info(world->end[0], client, &info), SALUT_OK);
    assert_int_equal(info.send_datagrams, 2);
    assert_int_equal(world_count(world, 0, SLT_DROP_UDP_UNSENT), 0);
    world_run(world, 5 * SLT_NS_PER_S);
    assert_int_equal(world_count(world, 0, SLT_DROP_UDP_UNSENT), 2);
    assert_int_equal(salut_udp_get_info(world->end[0], client, &info), SALUT_OK);
    assert_int_equal(info.send_datagrams, 0);
    assert_int_equal(info.soft_status, SALUT_HOST_UNREACHABLE);
    world_delete(world);
}

/* What waits is bounded, the oldest goes first; one datagram always waits. */
static void what_waits_for_a_neighbour_is_bounded(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_addr silent = world_addr("10.0.0.50");
    salut_udp client = open_any(world, 0, 0);
    struct salut_udp_to nowhere = {.remote = silent, .port = 53};
    static const uint8_t data[1000];
    assert_int_equal(salut_udp_set_option(world->end[0], client, SALUT_OPT_SEND_BUFFER, 6 * 1040),
                     SALUT_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &nowhere),
                         SALUT_OK);
        world_settle(world);
    }
    assert_int_equal(world_count(world, 0, SLT_DROP_UDP_UNSENT), 2);
    assert_int_equal(world->end[0]->udp.queued_bytes, 3 * 1040);
    static const uint8_t large[5000];
    assert_int_equal(salut_udp_send(world->end[0], client, large, sizeof(large), &nowhere),
                     SALUT_OK);
    world_settle(world);
    assert_int_equal(world_count(world, 0, SLT_DROP_UDP_UNSENT), 5);
    assert_int_equal(world->end[0]->udp.queued_bytes, 5040);
    /* Closed, the socket goes on until its fate is known. */
    assert_int_equal(salut_udp_close(world->end[0], client), SALUT_OK);
    assert_int_equal(world_objects(world, 0, SALUT_IS_UDP), 1);
    world_run(world, 5 * SLT_NS_PER_S);
    assert_int_equal(world_objects(world, 0, SALUT_IS_UDP), 0);
    assert_int_equal(world->end[0]->udp.queued_bytes, 0);
    world_delete(world);
}

static void closing_sends_what_is_queued(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_udp server = open_any(world, 1, 53);
    salut_udp client = open_any(world, 0, 4000);
    struct salut_udp_to to = {.remote = world->addr4[1], .port = 53};
    assert_int_equal(salut_udp_send(world->end[0], client, "bye", 3, &to), SALUT_OK);
    assert_int_equal(salut_udp_close(world->end[0], client), SALUT_OK);
    /* The port is free at once. */
    salut_udp again = open_any(world, 0, 4000);
    world_settle(world);
    struct salut_udp_message m = expect_text(world, 1, server, "bye");
    assert_int_equal(m.remote_port, 4000);
    send_text(world, 1, server, &m.remote, 4000, "late");
    expect_text(world, 0, again, "late");
    assert_int_equal(world_objects(world, 0, SALUT_IS_UDP), 1);
    world_delete(world);
}

/* ---- the instance --------------------------------------------------------------------------- */

static void a_snapshot_brings_back_what_was_queued(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof(*world));
    void *blocks[2];
    struct salut_config config;
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        world_config(&config, SALUT_PROFILE_LINUX, end);
        config.alloc = NULL;
        config.free = NULL;
        config.udp_max = 3;
        config.memory_bytes = salut_block_bytes(&config);
        blocks[end] = malloc(config.memory_bytes);
        config.memory = blocks[end];
        world_join(world, end, world_create(&config));
    }
    salut_udp server = open_any(world, 1, 53);
    salut_udp client = open_any(world, 0, 0);
    send_text(world, 0, client, &world->addr4[1], 53, "kept");
    void *copy = malloc(salut_snapshot_bytes(world->end[1]));
    salut_save(world->end[1], copy);
    uint64_t digest = salut_digest(world->end[1]);
    expect_text(world, 1, server, "kept");
    assert_true(salut_digest(world->end[1]) != digest);
    salut_restore(world->end[1], copy);
    assert_true(salut_digest(world->end[1]) == digest);
    world_check(world);
    expect_text(world, 1, server, "kept");
    /* The limit on sockets is a status. */
    struct salut_udp_params params = {.port = 0};
    salut_udp udp;
    assert_int_equal(salut_udp_open(world->end[1], &params, &udp), SALUT_OK);
    assert_int_equal(salut_udp_open(world->end[1], &params, &udp), SALUT_OK);
    assert_int_equal(salut_udp_open(world->end[1], &params, &udp), SALUT_NO_MEMORY);
    free(copy);
    world_delete(world);
    free(blocks[0]);
    free(blocks[1]);
}

/* Calls while a batch is unanswered are refused; what the link did not take is offered again. */
static void an_unanswered_batch_is_offered_again(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 0, "10.0.0.77");
    salut_udp client = open_at(world, 0, NULL, 4000, 0);
    static struct salut_tx_frame frames[8];
    struct slt_udp_datagram udp;
    assert_int_equal(salut_udp_connect(world->end[0], client, &peer.src, 53), SALUT_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(salut_udp_send(world->end[0], client, "abc", (size_t)i + 1, NULL),
                         SALUT_OK);
    }
    assert_int_equal(salut_output(world->end[0], frames, 8), 3);
    assert_int_equal(salut_udp_send(world->end[0], client, "x", 1, NULL), SALUT_PENDING_OUTPUT);
    assert_int_equal(salut_udp_close(world->end[0], client), SALUT_PENDING_OUTPUT);
    salut_output_taken(world->end[0], 1);
    world_check(world);
    assert_int_equal(salut_output(world->end[0], frames, 8), 2);
    struct slt_span span = {frames[0].header + frames[0].transport_offset, 8};
    assert_int_equal(slt_udp_parse(span, &udp), SLT_DROP_UDP_MALFORMED); /* its bytes follow */
    assert_int_equal(frames[0].payload_bytes, 2);
    assert_int_equal(frames[1].payload_bytes, 3);
    salut_output_taken(world->end[0], 2);
    world_check(world);
    assert_false(salut_wants_output(world->end[0]));
    world_delete(world);
}

/* What makes way while another datagram is on offer leaves room: that is told at once (I-34). */
static void room_is_told_while_a_batch_is_out(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 0, "10.0.0.77");
    salut_udp client = open_any(world, 0, 0);
    struct salut_udp_to nowhere = {.remote = world_addr("10.0.0.50"), .port = 53};
    struct salut_udp_to there = {.remote = peer.src, .port = 53};
    static const uint8_t data[1000];
    static struct salut_tx_frame frames[8];
    struct salut_event event;
    assert_int_equal(
        salut_udp_set_option(world->end[0], client, SALUT_OPT_SEND_BUFFER, 2 * 1040 + 1), SALUT_OK);
    assert_int_equal(salut_udp_set_interest(world->end[0], client, SALUT_WRITABLE), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &nowhere), SALUT_OK);
    world_settle(world); /* it waits for its neighbour */
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &nowhere), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), &there), SALUT_OK);
    salut_poll(world->end[0], world->now_ns);
    assert_false(salut_next_event(world->end[0], &event));
    assert_int_equal(salut_output(world->end[0], frames, 8), 1);
    world_check(world);
    assert_true(salut_next_event(world->end[0], &event));
    assert_int_equal(event.ready, SALUT_WRITABLE);
    salut_output_taken(world->end[0], 1);
    world_check(world);
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_and_answer),
        cmocka_unit_test(a_datagram_is_cut_and_said_so_or_looked_at),
        cmocka_unit_test(the_more_specific_socket_wins),
        cmocka_unit_test(what_may_not_be_is_refused),
        cmocka_unit_test(v6_only_does_not_take_v4),
        cmocka_unit_test(refusal_is_told_once),
        cmocka_unit_test(forged_refusals_are_ignored),
        cmocka_unit_test(a_full_queue_drops_and_counts),
        cmocka_unit_test(queues_share_half_of_the_buffers),
        cmocka_unit_test(every_turn_tells_of_what_is_unread),
        cmocka_unit_test(an_unknown_neighbour_holds_up_nobody_else),
        cmocka_unit_test(what_waits_for_a_neighbour_is_bounded),
        cmocka_unit_test(closing_sends_what_is_queued),
        cmocka_unit_test(a_snapshot_brings_back_what_was_queued),
        cmocka_unit_test(an_unanswered_batch_is_offered_again),
        cmocka_unit_test(room_is_told_while_a_batch_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
