/* Below TCP: neighbours that answer late or never, ICMP both ways, addresses, bad frames. */
#include "craft.h"

static bool is_arp(const uint8_t *frame)
{
    return frame[12] == 0x08 && frame[13] == 0x06;
}

static enum world_filter_answer lose_arp(struct world *world, int from, const uint8_t *frame,
                                         uint32_t bytes)
{
    (void)world;
    (void)from;
    (void)bytes;
    return is_arp(frame) ? WORLD_LOSE : WORLD_PASS;
}

static void a_connection_waits_for_its_neighbour(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    world_listen(world, 1, 80, 4, 0);
    world->filter = lose_arp;
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    world_run(world, 1500 * SLT_NS_PER_MS);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_SYN_SENT);
    assert_int_equal(world->frames[0], 2); /* two questions, no SYN */
    world->filter = NULL;
    world_run(world, SLT_NS_PER_S);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    world_delete(world);
}

static void a_dead_neighbour_ends_the_attempt(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_info info;
    world->cut = true;
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    world_run(world, 4 * SLT_NS_PER_S);
    assert_int_equal(salut_get_info(world->end[0], client, &info), SALUT_OK);
    assert_int_equal(info.state, SALUT_STATE_CLOSED);
    assert_int_equal(info.status, SALUT_HOST_UNREACHABLE);
    assert_int_equal(salut_close(world->end[0], client), SALUT_OK);
    world_settle(world);
    assert_int_equal(world_objects(world, 0, SALUT_IS_CONN), 0);
    world_delete(world);
}

static void a_neighbour_that_dies_later_costs_the_connection_in_time(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_conn client;
    struct salut_info info;
    size_t n;
    world_listen(world, 1, 80, 4, 0);
    client = world_connect(world, 0, &world->addr4[1], 80);
    world_settle(world);
    world_run(world, 100 * SLT_NS_PER_S); /* the cache has forgotten, or nearly */
    world->cut = true;
    assert_int_equal(salut_send(world->end[0], client, "hello", 5, 0, &n), SALUT_OK);
    world_run(world, 60 * SLT_NS_PER_S);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    world_run(world, 2000 * SLT_NS_PER_S);
    assert_int_equal(salut_get_info(world->end[0], client, &info), SALUT_OK);
    assert_int_equal(info.state, SALUT_STATE_CLOSED); /* R2, counted by the timer */
    world_delete(world);
}

/* Whoever polls until there is no more has seen every timer that is due, however few a turn takes.
 */
static void few_timers_a_turn_are_all_of_them_in_the_end(void **state)
{
    (void)state;
    struct salut_config config;
    struct world *world = calloc(1, sizeof(*world));
    world->now_ns = SLT_NS_PER_S;
    world_config(&config, SALUT_PROFILE_LINUX, 0);
    config.timers_per_turn = 1;
    for (int end = 0; end < 2; end++) {
        world_join(world, end, world_create(&config));
    }
    struct salut_stack *stack = world->end[0];
    world->cut = true;
    for (uint8_t i = 0; i < 3; i++) {
        salut_addr nobody = world_addr("10.0.0.90");
        nobody.b[15] = (uint8_t)(nobody.b[15] + i);
        salut_conn conn = world_connect(world, 0, &nobody, 80);
        world_send(world, 0);
        assert_int_equal(salut_close(stack, conn), SALUT_OK);
    }
    world_send(world, 0);
    assert_true(salut_next_deadline(stack) < world->now_ns + 2 * SLT_NS_PER_S);
    world->now_ns += 2 * SLT_NS_PER_S; /* three questions are to be asked again */
    for (int turns = 0; salut_poll(stack, world->now_ns); turns++) {
        assert_true(turns < 100);
    }
    assert_true(salut_next_deadline(stack) > world->now_ns || salut_wants_output(stack));
    assert_int_equal(world_send(world, 0), 3);
    assert_true(salut_next_deadline(stack) > world->now_ns);
    world_delete(world);
}

static void replies_wait_for_neighbours_too(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = {.src = world->addr4[0], .dst = world->addr4[1]};
    memcpy(peer.src_mac, world->end[0]->config.mac, 6);
    memcpy(peer.dst_mac, world->end[1]->config.mac, 6);
    struct slt_tcp_segment syn = {.src_port = 5, .dst_port = 6, .flags = SLT_TCP_SYN};
    craft_segment(world, 1, &peer, &syn);
    world->filter = lose_arp;
    world_settle(world);
    assert_int_equal(world->end[1]->replies.waiting.count, 1);
    world->filter = NULL;
    world_run(world, SLT_NS_PER_S + SLT_NS_PER_MS);
    assert_int_equal(world->end[1]->replies.waiting.count, 0);
    assert_int_equal(world_count(world, 1, SLT_SEND_RST_NO_CONNECTION), 1);
    assert_int_equal(world_count(world, 0, SLT_DROP_TCP_NO_CONNECTION), 1);
    world_delete(world);
}

static void echo_is_answered_in_both_families(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    static uint8_t frame[WORLD_FRAME_MAX];
    static struct salut_tx_frame out;
    for (int v6 = 0; v6 < 2; v6++) {
        struct craft peer = craft_peer(world, 1, v6 ? "2001:db8::77" : "10.0.0.77");
        uint8_t echo[1000] = {v6 ? 128 : 8, 0, 0, 0, 1, 2, 3, 4};
        for (size_t i = 8; i < sizeof(echo); i++) {
            echo[i] = (uint8_t)i;
        }
        if (!v6) {
            uint16_t sum = slt_checksum_finish(slt_checksum_add(0, echo, sizeof(echo)));
            echo[2] = (uint8_t)(sum >> 8);
            echo[3] = (uint8_t)sum;
        }
        uint8_t protocol = v6 ? SLT_IP_PROTOCOL_ICMP6 : SLT_IP_PROTOCOL_ICMP4;
        uint32_t bytes =
            craft_packet(&peer, protocol, echo, sizeof(echo), v6 ? 2 : UINT32_MAX, frame);
        craft_give(world, 1, frame, bytes);
        assert_true(craft_take(world, 1, &out));
        uint32_t length = world_flatten(&out, frame);
        assert_int_equal(length, bytes);
        const uint8_t *icmp = frame + out.transport_offset;
        assert_int_equal(icmp[0], v6 ? 129 : 0);
        assert_memory_equal(icmp + 4, echo + 4, sizeof(echo) - 4);
        uint32_t sum = v6 ? slt_checksum_pseudo(peer.dst.b, peer.src.b, protocol, sizeof(echo)) : 0;
        assert_int_equal(slt_checksum_finish(slt_checksum_add(sum, icmp, sizeof(echo))), 0);
        assert_false(craft_take(world, 1, &out));
    }
    world_delete(world);
}

static void udp_to_nobody_earns_port_unreachable(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 1, "10.0.0.77");
    static uint8_t frame[WORLD_FRAME_MAX];
    static struct salut_tx_frame out;
    uint8_t udp[20] = {0, 9, 0, 53, 0, 20, 0, 0};
    craft_give(world, 1, frame,
               craft_packet(&peer, SLT_IP_PROTOCOL_UDP, udp, sizeof(udp), 6, frame));
    assert_int_equal(world_count(world, 1, SLT_DROP_UDP_NO_PORT), 1);
    assert_true(craft_take(world, 1, &out));
    assert_int_equal(out.header[out.transport_offset], SLT_ICMP4_UNREACHABLE);
    assert_int_equal(out.header[out.transport_offset + 1], SLT_ICMP4_UNREACHABLE_PORT);
    /* The bucket runs dry (ICMP-08). */
    unsigned answers = 0;
    for (int i = 0; i < 500; i++) {
        craft_give(world, 1, frame,
                   craft_packet(&peer, SLT_IP_PROTOCOL_UDP, udp, sizeof(udp), 6, frame));
        answers += craft_take(world, 1, &out) ? 1U : 0U;
    }
    assert_true(answers <= world->end[1]->config.icmp_burst);
    assert_true(world_count(world, 1, SLT_NOTE_ICMP_LIMITED) > 0);
    world_delete(world);
}

/* An ICMP error about the last segment of a connection, as a router on the way would send it. */
static void give_error(struct world *world, int end, salut_conn conn, uint8_t code, uint16_t mtu,
                       int32_t seq_off)
{
    struct salut_info info;
    struct craft router = craft_peer(world, end, "10.0.0.254");
    static uint8_t frame[WORLD_FRAME_MAX];
    uint8_t message[8 + 28] = {SLT_ICMP4_UNREACHABLE, code,        0, 0, 0, 0,
                               (uint8_t)(mtu >> 8),   (uint8_t)mtu};
    assert_int_equal(salut_get_info(world->end[end], conn, &info), SALUT_OK);
    struct slt_writer w = slt_writer_of(message + 8, 28);
    struct slt_ipv4 ip = {.ttl = 60, .protocol = SLT_IP_PROTOCOL_TCP, .payload_bytes = 1480};
    memcpy(ip.src, info.local.b, 16);
    memcpy(ip.dst, info.remote.b, 16);
    slt_ipv4_emit(&ip, &w);
    slt_write_u16(&w, info.local_port);
    slt_write_u16(&w, info.remote_port);
    slt_write_u32(&w, info.send_isn + (uint32_t)info.send_una + (uint32_t)seq_off);
    uint16_t sum = slt_checksum_finish(slt_checksum_add(0, message, sizeof(message)));
    message[2] = (uint8_t)(sum >> 8);
    message[3] = (uint8_t)sum;
    craft_give(
        world, end, frame,
        craft_packet(&router, SLT_IP_PROTOCOL_ICMP4, message, sizeof(message), UINT32_MAX, frame));
}

static void path_mtu_messages_are_believed_when_they_can_be_true(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_info info;
    static uint8_t data[20000];
    size_t n;
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    world_settle(world);
    world->cut = true;
    assert_int_equal(salut_send(world->end[0], client, data, sizeof(data), 0, &n), SALUT_OK);
    world_send(world, 0);
    give_error(world, 0, client, SLT_ICMP4_FRAGMENTATION_NEEDED, 1200, -70000);
    assert_int_equal(world_count(world, 0, SLT_DROP_ICMP_OUT_OF_WINDOW), 1);
    assert_int_equal(salut_get_info(world->end[0], client, &info), SALUT_OK);
    assert_int_equal(info.pmtu, 1500);
    give_error(world, 0, client, SLT_ICMP4_FRAGMENTATION_NEEDED, 1200, 0);
    assert_int_equal(salut_get_info(world->end[0], client, &info), SALUT_OK);
    assert_int_equal(info.pmtu, 1200);
    /* Connections to come know it, too. */
    assert_int_equal(slt_net_pmtu(world->end[0], world->addr4[1].b), 1200);
    world->cut = false;
    salut_conn server;
    uint64_t got = 0;
    assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
    for (int i = 0; i < 50 && got < sizeof(data); i++) {
        world_run(world, SLT_NS_PER_S);
        while (salut_recv(world->end[1], server, data, sizeof(data), &n) == SALUT_OK) {
            got += n;
        }
    }
    assert_int_equal(got, sizeof(data));
    world_delete(world);
}

static void a_hard_error_ends_an_attempt_and_only_that(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    size_t n;
    world_listen(world, 1, 80, 4, 0);
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    world_settle(world);
    world->cut = true;
    assert_int_equal(salut_send(world->end[0], client, "x", 1, 0, &n), SALUT_OK);
    world_send(world, 0);
    give_error(world, 0, client, SLT_ICMP4_UNREACHABLE_PORT, 0, 0);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED); /* D-09 */
    salut_conn second = world_connect(world, 0, &world->addr4[1], 81);
    world_send(world, 0);
    give_error(world, 0, second, SLT_ICMP4_UNREACHABLE_PORT, 0, 0);
    assert_int_equal(world_state(world, 0, second), SALUT_STATE_CLOSED);
    world_delete(world);
}

static void segments_from_impossible_places_get_no_answer(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    static struct salut_tx_frame out;
    struct slt_tcp_segment syn = {.src_port = 80, .dst_port = 80, .flags = SLT_TCP_SYN};
    static const char *const sources[] = {"255.255.255.255", "224.0.0.1", "0.0.0.0", "127.0.0.1",
                                          "10.0.0.255",      "10.0.0.2",  "::1",     "ff02::1",
                                          "2001:db8::2"};
    world_listen(world, 1, 80, 4, 0);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(sources); i++) { /* MUST-57, MUST-63, E07, E08 */
        struct craft peer = {.src = world_addr(sources[i]), .src_mac = {2, 0, 0, 0, 9, 9}};
        peer.dst = slt_address_is_v4(peer.src.b) ? world->addr4[1] : world->addr6[1];
        memcpy(peer.dst_mac, world->end[1]->config.mac, 6);
        craft_segment(world, 1, &peer, &syn);
        assert_false(craft_take(world, 1, &out));
        assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 0);
    }
    static const char *const targets[] = {"255.255.255.255", "10.0.0.255", "224.0.0.1", "10.0.0.99",
                                          "ff02::1"};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(targets); i++) {
        salut_addr to = world_addr(targets[i]);
        struct craft peer =
            craft_peer(world, 1, slt_address_is_v4(to.b) ? "10.0.0.77" : "2001:db8::77");
        peer.dst = to;
        craft_segment(world, 1, &peer, &syn);
        assert_false(craft_take(world, 1, &out));
        assert_int_equal(world_objects(world, 1, SALUT_IS_HALF_OPEN), 0);
    }
    world_delete(world);
}

static void a_loopback_instance_talks_to_itself(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof(*world));
    struct salut_config config;
    world->now_ns = SLT_NS_PER_S;
    world_config(&config, SALUT_PROFILE_LINUX, 0);
    config.link_kind = SALUT_LINK_IP;
    struct salut_stack *stack = world_create(&config);
    world->end[0] = world->end[1] = stack; /* what it sends comes back */
    salut_addr self = world_addr("127.0.0.1");
    assert_int_equal(salut_add_address(stack, &self, 8), SALUT_OK);
    assert_int_equal(salut_add_address(stack, &self, 8), SALUT_ADDRESS_IN_USE);
    salut_listener listener = world_listen(world, 0, 80, 4, 0);
    salut_conn client = world_connect(world, 0, &self, 80);
    static struct salut_tx_frame frames[SLT_TX_BATCH];
    for (int i = 0; i < 10; i++) {
        size_t count = salut_output(stack, frames, SLT_TX_BATCH);
        static uint8_t copies[SLT_TX_BATCH][2048];
        struct salut_rx_frame rx[SLT_TX_BATCH];
        for (size_t k = 0; k < count; k++) {
            rx[k] = (struct salut_rx_frame){.data = copies[k],
                                            .bytes = world_flatten(&frames[k], copies[k])};
        }
        salut_output_taken(stack, count);
        salut_input(stack, rx, count, world->now_ns);
    }
    salut_conn server;
    assert_int_equal(salut_accept(stack, listener, 0, &server), SALUT_OK);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    assert_null(salut_check(stack));
    /* SOCK-38: a connection with itself is a simultaneous open. */
    struct salut_connect_params params = {
        .remote = self, .remote_port = 7777, .local = self, .local_port = 7777};
    salut_conn own;
    unsigned sent = 0;
    assert_int_equal(salut_connect(stack, &params, &own), SALUT_OK);
    for (int i = 0; i < 10; i++) {
        size_t count = salut_output(stack, frames, 1);
        static uint8_t copy[2048];
        struct salut_rx_frame rx = {.data = copy};
        if (count == 1) {
            rx.bytes = world_flatten(&frames[0], copy);
            sent++;
        }
        salut_output_taken(stack, count);
        salut_input(stack, &rx, count, world->now_ns);
    }
    assert_int_equal(world_state(world, 0, own), SALUT_STATE_ESTABLISHED);
    assert_true(sent <= 8); /* E08: it quiesces */
    salut_destroy(stack);
    free(world);
}

static void addresses_and_routes_are_judged(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *s = world->end[0];
    salut_addr a = world_addr("10.0.0.1");
    salut_addr b = world_addr("224.0.0.1");
    salut_addr c = world_addr("172.16.0.1");
    salut_addr none = {.zone = 0};
    char text[64];
    assert_int_equal(salut_add_address(s, &a, 24), SALUT_ADDRESS_IN_USE);
    assert_int_equal(salut_add_address(s, &b, 24), SALUT_INVALID);
    assert_int_equal(salut_add_address(s, &c, 33), SALUT_INVALID);
    assert_int_equal(salut_add_address(s, &c, 16), SALUT_OK);
    assert_int_equal(salut_remove_address(s, &c), SALUT_OK);
    assert_int_equal(salut_remove_address(s, &c), SALUT_ADDRESS_NOT_AVAILABLE);
    assert_int_equal(salut_add_route(s, &c, 33, &a), SALUT_INVALID);
    assert_int_equal(salut_add_route(s, &c, 16, &world->addr6[1]), SALUT_INVALID);
    assert_int_equal(salut_add_route(s, &none, 0, &world->addr4[1]), SALUT_OK);
    assert_int_equal(salut_add_route(s, &none, 0, &world->addr6[1]), SALUT_OK);
    assert_true(slt_net_has_way(s, world_addr("8.8.8.8").b));
    assert_true(slt_net_has_way(s, world_addr("2600::1").b));
    assert_int_equal(salut_addr_print(&a, text, sizeof(text)), 8);
    assert_string_equal(text, "10.0.0.1");
    assert_int_equal(salut_addr_parse("10.0.0", &a), SALUT_INVALID);
    world_delete(world);
}

/* Where the memory of a destination says that its packets go. */
static const struct slt_ip_hop *remembered(struct salut_stack *s, const salut_addr *dst,
                                           uint8_t src[16])
{
    slt_net_remember(s, dst->b);
    assert_true(slt_net_source(s, dst->b, src));
    return &s->net.hop;
}

static void what_is_remembered_of_a_destination_follows_the_tables(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *s = world->end[0];
    salut_addr far = world_addr("192.0.2.7");
    salut_addr any = world_addr("0.0.0.0");
    salut_addr gateways[2] = {world_addr("10.0.0.8"), world_addr("10.0.0.9")};
    salut_addr own = world_addr("192.0.2.1");
    uint8_t src[16];
    slt_net_remember(s, far.b);
    assert_false(slt_net_has_way(s, far.b));
    assert_int_equal(salut_add_route(s, &any, 0, &gateways[0]), SALUT_OK);
    assert_true(slt_net_has_way(s, far.b));
    assert_memory_equal(remembered(s, &far, src)->addr, gateways[0].b, 16);
    assert_memory_equal(src, world->addr4[0].b, 16);
    assert_int_equal(salut_add_route(s, &any, 0, &gateways[1]), SALUT_OK);
    assert_memory_equal(remembered(s, &far, src)->addr, gateways[0].b, 16);
    slt_ip_gateway_doubt(&s->iface, gateways[0].b); /* RFC 1122 3.3.1.4 */
    assert_memory_equal(remembered(s, &far, src)->addr, gateways[1].b, 16);
    assert_int_equal(salut_add_address(s, &own, 24), SALUT_OK);
    assert_int_equal(remembered(s, &far, src)->kind, SLT_IP_HOP_ON_LINK);
    assert_memory_equal(src, own.b, 16);
    assert_int_equal(salut_remove_address(s, &own), SALUT_OK);
    assert_int_equal(remembered(s, &far, src)->kind, SLT_IP_HOP_GATEWAY);
    assert_memory_equal(src, world->addr4[0].b, 16);
    assert_memory_equal(remembered(s, &world->addr4[1], src)->addr, world->addr4[1].b, 16);
    assert_memory_equal(remembered(s, &far, src)->addr, gateways[1].b, 16);
    world_delete(world);
}

static void a_connection_outlives_its_address(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    size_t n;
    char buffer[8];
    salut_conn server;
    salut_listener listener = world_listen(world, 1, 80, 4, 0);
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    world_settle(world);
    assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
    assert_int_equal(salut_remove_address(world->end[1], &world->addr4[1]), SALUT_OK);
    assert_int_equal(salut_send(world->end[0], client, "hi", 2, 0, &n), SALUT_OK);
    world_settle(world);
    assert_int_equal(salut_recv(world->end[1], server, buffer, 8, &n), SALUT_OK);
    assert_int_equal(n, 2);
    world_delete(world);
}

/* End 1 tests its addresses; `same`: end 0 has the one it wants. */
static struct world *world_testing(bool same)
{
    struct world *world = calloc(1, sizeof(*world));
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        struct salut_config config;
        world_config(&config, SALUT_PROFILE_LINUX, end);
        config.duplicate_address_detection = end == 1;
        world->end[end] = world_create(&config);
        world->addr6[end] = world_addr(end == 1 || same ? "2001:db8::2" : "2001:db8::1");
        assert_int_equal(salut_add_address(world->end[end], &world->addr6[end], 64), SALUT_OK);
    }
    return world;
}

static void an_address_is_tested_before_it_is_used(void **state)
{
    (void)state;
    struct world *world = world_testing(false);
    assert_false(slt_net_is_ours(world->end[1], world->addr6[1].b));
    world_run(world, 3 * SLT_NS_PER_S);
    assert_true(slt_net_is_ours(world->end[1], world->addr6[1].b));
    assert_int_equal(world->frames[1], 1); /* one solicitation */
    world_listen(world, 1, 80, 4, 0);
    salut_conn client = world_connect(world, 0, &world->addr6[1], 80);
    world_settle(world);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    world_delete(world);
}

static void a_duplicate_address_is_given_up(void **state)
{
    (void)state;
    struct world *world = world_testing(true);
    world_run(world, 3 * SLT_NS_PER_S);
    assert_false(slt_net_is_ours(world->end[1], world->addr6[1].b));
    assert_int_equal(salut_remove_address(world->end[1], &world->addr6[1]),
                     SALUT_ADDRESS_NOT_AVAILABLE);
    assert_true(slt_net_is_ours(world->end[0], world->addr6[0].b));
    world_delete(world);
}

static void the_quiet_time_is_kept(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_RFC);
    world->end[0]->config.quiet_time_ns = 20 * SLT_NS_PER_S;
    world_listen(world, 0, 81, 4, 0);
    world_listen(world, 1, 80, 4, 0);
    salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
    salut_conn other = world_connect(world, 1, &world->addr4[0], 81);
    world_run(world, 19 * SLT_NS_PER_S); /* RFC 9293 3.4.2 */
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_SYN_SENT);
    assert_int_equal(world_state(world, 1, other), SALUT_STATE_SYN_SENT);
    assert_int_equal(world_count(world, 0, SLT_SEND_SYN), 0);
    assert_true(world_count(world, 0, SLT_DROP_TCP_QUIET) > 0);
    assert_int_equal(salut_next_deadline(world->end[0]), 21 * SLT_NS_PER_S);
    world_run(world, 20 * SLT_NS_PER_S);
    assert_int_equal(world_state(world, 0, client), SALUT_STATE_ESTABLISHED);
    assert_int_equal(world_state(world, 1, other), SALUT_STATE_ESTABLISHED);
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_waits_for_its_neighbour),
        cmocka_unit_test(a_dead_neighbour_ends_the_attempt),
        cmocka_unit_test(a_neighbour_that_dies_later_costs_the_connection_in_time),
        cmocka_unit_test(few_timers_a_turn_are_all_of_them_in_the_end),
        cmocka_unit_test(replies_wait_for_neighbours_too),
        cmocka_unit_test(echo_is_answered_in_both_families),
        cmocka_unit_test(udp_to_nobody_earns_port_unreachable),
        cmocka_unit_test(path_mtu_messages_are_believed_when_they_can_be_true),
        cmocka_unit_test(a_hard_error_ends_an_attempt_and_only_that),
        cmocka_unit_test(segments_from_impossible_places_get_no_answer),
        cmocka_unit_test(a_loopback_instance_talks_to_itself),
        cmocka_unit_test(addresses_and_routes_are_judged),
        cmocka_unit_test(what_is_remembered_of_a_destination_follows_the_tables),
        cmocka_unit_test(a_connection_outlives_its_address),
        cmocka_unit_test(an_address_is_tested_before_it_is_used),
        cmocka_unit_test(a_duplicate_address_is_given_up),
        cmocka_unit_test(the_quiet_time_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
