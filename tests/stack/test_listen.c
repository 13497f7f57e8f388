/* Listeners: precision, both families, any port, transparent ones; accept queues and their
 * overflow; closing; a listener that opens actively. */
#include "world.h"

static salut_listener listen_at(struct salut_stack *stack, const char *addr, uint16_t port,
                                uint32_t flags)
{
    struct salut_listen_params params = {.port = port, .flags = flags, .backlog = 8};
    salut_listener listener;
    params.local = world_addr(addr);
    assert_int_equal(salut_listen(stack, &params, &listener), SALUT_OK);
    return listener;
}

static uint32_t find(struct salut_stack *stack, const char *local, uint16_t port)
{
    struct slt_tcp_id id = {.local_port = port, .remote_port = 9};
    salut_addr addr = world_addr(local);
    memcpy(id.local, addr.b, 16);
    return slt_listen_find(stack, &id, slt_net_is_ours(stack, addr.b), 0);
}

static void the_most_precise_listener_wins(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *s = world->end[0];
    salut_listener ports = listen_at(s, "::", 0, SALUT_LISTEN_ANY_PORT);
    assert_int_equal(find(s, "10.0.0.1", 80), ports.index);
    salut_listener own_ports = listen_at(s, "10.0.0.1", 0, SALUT_LISTEN_ANY_PORT);
    assert_int_equal(find(s, "10.0.0.1", 80), own_ports.index);
    assert_int_equal(find(s, "2001:db8::1", 80), ports.index);
    salut_listener any = listen_at(s, "::", 80, 0);
    assert_int_equal(find(s, "10.0.0.1", 80), any.index);
    assert_int_equal(find(s, "10.0.0.1", 81), own_ports.index);
    salut_listener any4 = listen_at(s, "0.0.0.0", 80, 0);
    assert_int_equal(find(s, "10.0.0.1", 80), any4.index);
    assert_int_equal(find(s, "2001:db8::1", 80), any.index);
    salut_listener exact = listen_at(s, "10.0.0.1", 80, 0);
    assert_int_equal(find(s, "10.0.0.1", 80), exact.index);
    /* Not ours: nobody here is transparent. */
    assert_int_equal(find(s, "198.51.100.7", 80), SLT_NIL);
    salut_listener through =
        listen_at(s, "::", 0, SALUT_LISTEN_ANY_PORT | SALUT_LISTEN_TRANSPARENT);
    assert_int_equal(find(s, "198.51.100.7", 80), through.index);
    assert_int_equal(find(s, "10.0.0.1", 80), exact.index);
    assert_int_equal(salut_close_listener(s, exact), SALUT_OK);
    assert_int_equal(salut_close_listener(s, exact), SALUT_STALE);
    assert_int_equal(find(s, "10.0.0.1", 80), any4.index);
    world_delete(world);
}

static void conflicts_and_choices(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *s = world->end[0];
    struct salut_listen_params params = {.port = 80};
    salut_listener a;
    salut_listener b;
    assert_int_equal(salut_listen(s, &params, &a), SALUT_OK);
    assert_int_equal(salut_listen(s, &params, &b), SALUT_ADDRESS_IN_USE);
    params.port = 81;
    params.flags = SALUT_LISTEN_REUSE;
    assert_int_equal(salut_listen(s, &params, &a), SALUT_OK);
    assert_int_equal(salut_listen(s, &params, &b), SALUT_OK);
    /* SOCK-63: spread by the tuple's hash. */
    unsigned hits[2] = {0, 0};
    for (uint32_t i = 0; i < 64; i++) {
        struct slt_tcp_id id = {.local_port = 81};
        memcpy(id.local, world->addr4[0].b, 16);
        uint32_t found = slt_listen_find(s, &id, true, i * 0x04000000U);
        assert_true(found == a.index || found == b.index);
        hits[found == b.index]++;
    }
    assert_true(hits[0] > 16 && hits[1] > 16);
    params = (struct salut_listen_params){.local = world_addr("10.9.9.9"), .port = 82};
    assert_int_equal(salut_listen(s, &params, &b), SALUT_ADDRESS_NOT_AVAILABLE);
    params = (struct salut_listen_params){.flags = 0x80000000U, .port = 82};
    assert_int_equal(salut_listen(s, &params, &b), SALUT_INVALID);
    params = (struct salut_listen_params){.port = 0};
    salut_addr local;
    uint16_t port;
    assert_int_equal(salut_listen(s, &params, &b), SALUT_OK);
    assert_int_equal(salut_listener_local(s, b, &local, &port), SALUT_OK);
    assert_in_range(port, 32768, 60999);
    world_delete(world);
}

static void a_v6_only_listener_refuses_ipv4(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    world_listen(world, 1, 80, 4, SALUT_LISTEN_V6_ONLY);
    salut_conn four = world_connect(world, 0, &world->addr4[1], 80);
    salut_conn six = world_connect(world, 0, &world->addr6[1], 80);
    world_settle(world);
    assert_int_equal(world_state(world, 0, four), SALUT_STATE_CLOSED);
    assert_int_equal(world_state(world, 0, six), SALUT_STATE_ESTABLISHED);
    world_delete(world);
}

static void a_transparent_listener_takes_every_address_and_port(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_addr any = world_addr("0.0.0.0");
    assert_int_equal(salut_add_route(world->end[0], &any, 0, &world->addr4[1]), SALUT_OK);
    salut_listener listener =
        world_listen(world, 1, 0, 4, SALUT_LISTEN_ANY_PORT | SALUT_LISTEN_TRANSPARENT);
    salut_addr foreign = world_addr("198.51.100.7");
    salut_conn client = world_connect(world, 0, &foreign, 4711);
    world_settle(world);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    salut_conn server;
    struct salut_info info;
    size_t n;
    char buffer[8];
    assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
    assert_int_equal(salut_get_info(world->end[1], server, &info), SALUT_OK);
    assert_memory_equal(info.local.b, foreign.b, 16);
    assert_int_equal(info.local_port, 4711);
    assert_int_equal(salut_send(world->end[0], client, "hi", 2, 0, &n), SALUT_OK);
    world_settle(world);
    assert_int_equal(salut_recv(world->end[1], server, buffer, 8, &n), SALUT_OK);
    assert_int_equal(n, 2);
    /* The connection outlives its listener; new ones find nobody, and no answer. */
    assert_int_equal(salut_close_listener(world->end[1], listener), SALUT_OK);
    assert_int_equal(salut_send(world->end[0], client, "ho", 2, 0, &n), SALUT_OK);
    salut_conn later = world_connect(world, 0, &foreign, 4712);
    world_settle(world);
    assert_int_equal(salut_recv(world->end[1], server, buffer, 8, &n), SALUT_OK);
    assert_int_equal(world_state(world, 0, later), SALUT_STATE_SYN_SENT);
    world_delete(world);
}

static void a_full_accept_queue_ignores_or_resets(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        struct world *world = world_new(SALUT_PROFILE_LINUX);
        world->end[1]->config.overflow = reset ? SALUT_OVERFLOW_RESET : SALUT_OVERFLOW_DROP;
        salut_listener listener = world_listen(world, 1, 80, 1, 0);
        salut_conn clients[4];
        salut_conn server;
        for (int i = 0; i < 2; i++) { /* SOCK-50: backlog + 1 */
            clients[i] = world_connect(world, 0, &world->addr4[1], 80);
            world_settle(world);
        }
        /* Two SYNs before the queue is full: their last ACK finds it full. */
        assert_int_equal(salut_set_backlog(world->end[1], listener, 2), SALUT_OK);
        clients[2] = world_connect(world, 0, &world->addr4[1], 80);
        clients[3] = world_connect(world, 0, &world->addr4[1], 80);
        world_settle(world);
        assert_int_equal(world_state(world, 0, clients[2]), SALUT_STATE_ESTABLISHED);
        enum salut_state expected = reset ? SALUT_STATE_CLOSED : SALUT_STATE_ESTABLISHED;
        assert_int_equal(world_state(world, 0, clients[3]), expected);
        assert_true(world_count(world, 1, SLT_DROP_TCP_BACKLOG_FULL) > 0);
        assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), reset ? 0 : 1);
        if (!reset) { /* room again: the SYN,ACK comes again, and the handshake completes */
            assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
            world_run(world, 3 * SLT_NS_PER_S);
            assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 0);
        }
        for (int i = 0; i < 3; i++) {
            assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
        }
        assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_WOULD_BLOCK);
        world_delete(world);
    }
}

/* SOCK-50: what waits elsewhere counts, even where the backlog is 0. */
static void offered_connections_count(void **state)
{
    (void)state;
    const enum salut_profile profiles[] = {SALUT_PROFILE_LINUX, SALUT_PROFILE_RFC};
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        struct world *world = world_new(profiles[i]);
        salut_listener listener = world_listen(world, 1, 80, 0, 0);
        salut_listener none = {SALUT_NO_INDEX, 0};
        salut_conn server;
        assert_int_equal(salut_set_offered(world->end[1], none, 1), SALUT_STALE);
        salut_conn first = world_connect(world, 0, &world->addr4[1], 80);
        world_settle(world);
        assert_int_equal(world_state(world, 0, first), SALUT_STATE_ESTABLISHED);
        assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
        assert_int_equal(salut_set_offered(world->end[1], listener, 1), SALUT_OK);
        salut_conn second = world_connect(world, 0, &world->addr4[1], 80);
        world_settle(world);
        assert_int_equal(world_state(world, 0, second), SALUT_STATE_SYN_SENT);
        assert_true(world_count(world, 1, SLT_DROP_TCP_BACKLOG_FULL) > 0);
        assert_int_equal(salut_set_offered(world->end[1], listener, 0), SALUT_OK);
        world_run(world, 2 * SLT_NS_PER_S); /* the SYN comes again */
        assert_int_equal(world_state(world, 0, second), SALUT_STATE_ESTABLISHED);
        world_delete(world);
    }
}

static void closing_a_listener_resets_its_children(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    salut_conn done = world_connect(world, 0, &world->addr4[1], 80);
    world_settle(world);
    salut_conn begun = world_connect(world, 0, &world->addr4[1], 80);
    world_send(world, 0); /* the SYN arrives, the SYN,ACK has not left */
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 1);
    assert_int_equal(salut_close_listener(world->end[1], listener), SALUT_OK);
    world_settle(world);
    assert_int_equal(world_state(world, 0, done), SALUT_STATE_CLOSED);
    assert_int_equal(world_state(world, 0, begun), SALUT_STATE_CLOSED);
    assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 0);
    assert_int_equal(world_objects(world, 1, SALUT_IS_CONN), 0);
    world_delete(world);
}

static void early_accept_hands_out_the_connection_at_the_syn(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_RFC);
    salut_listener listener = world_listen(world, 1, 80, 4, SALUT_LISTEN_EARLY_ACCEPT);
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    salut_conn server;
    struct salut_event event;
    size_t n;
    char buffer[8];
    world_send(world, 0);
    while (salut_accept(world->end[1], listener, 5, &server) != SALUT_OK) {
        world_send(world, 1);
        world_send(world, 0);
    }
    assert_int_equal(world_state(world, 1, server), SALUT_STATE_SYN_RECEIVED);
    assert_int_equal(salut_send(world->end[1], server, "early", 5, 0, &n), SALUT_OK);
    world_settle(world);
    assert_int_equal(world_state(world, 1, server), SALUT_STATE_ESTABLISHED);
    assert_int_equal(salut_recv(world->end[0], client, buffer, 8, &n), SALUT_OK);
    assert_int_equal(n, 5);
    while (salut_next_event(world->end[1], &event)) {
        assert_int_equal(event.conn.index == server.index ? event.user : 5, 5);
    }
    world_delete(world);
}

static void a_listener_may_open_actively(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_RFC);
    world_listen(world, 1, 80, 4, 0);
    salut_listener own = world_listen(world, 0, 5000, 4, 0);
    struct salut_connect_params params = {.remote = world->addr4[1], .remote_port = 80};
    struct salut_info info;
    salut_conn conn;
    assert_int_equal(salut_listener_connect(world->end[0], own, &params, &conn), SALUT_OK);
    assert_int_equal(salut_close_listener(world->end[0], own), SALUT_STALE);
    world_settle(world);
    assert_int_equal(salut_get_info(world->end[0], conn, &info), SALUT_OK);
    assert_int_equal(info.state, SALUT_STATE_ESTABLISHED);
    assert_int_equal(info.local_port, 5000);
    assert_int_equal(info.history[0].from, SALUT_STATE_LISTEN);
    assert_int_equal(info.history[0].to, SALUT_STATE_SYN_SENT);
    world_delete(world);
}

static void options_of_a_listener_are_inherited(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    salut_conn server;
    int64_t value;
    assert_int_equal(salut_set_listener_option(world->end[1], listener, SALUT_OPT_NODELAY, 1),
                     SALUT_OK);
    assert_int_equal(salut_set_listener_option(world->end[1], listener, SALUT_OPT_TTL, 33),
                     SALUT_OK);
    world_connect(world, 0, &world->addr4[1], 80);
    world_settle(world);
    assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
    assert_int_equal(salut_get_option(world->end[1], server, SALUT_OPT_NODELAY, &value), SALUT_OK);
    assert_int_equal(value, 1);
    assert_int_equal(salut_get_option(world->end[1], server, SALUT_OPT_TTL, &value), SALUT_OK);
    assert_int_equal(value, 33);
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_precise_listener_wins),
        cmocka_unit_test(conflicts_and_choices),
        cmocka_unit_test(a_v6_only_listener_refuses_ipv4),
        cmocka_unit_test(a_transparent_listener_takes_every_address_and_port),
        cmocka_unit_test(a_full_accept_queue_ignores_or_resets),
        cmocka_unit_test(offered_connections_count),
        cmocka_unit_test(closing_a_listener_resets_its_children),
        cmocka_unit_test(early_accept_hands_out_the_connection_at_the_syn),
        cmocka_unit_test(a_listener_may_open_actively),
        cmocka_unit_test(options_of_a_listener_are_inherited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
