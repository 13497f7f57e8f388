/* Datagrams on the wire: those that are too large, those for everybody, their checksums and ports.
 */
#include "datagrams.h"

/* ---- large datagrams ------------------------------------------------------------------------ */

static void exchange_large(enum salut_profile profile, uint32_t bytes, bool v4, int64_t fragment,
                           size_t take_at_most)
{
    struct world *world = world_new(profile);
    uint8_t *sent = malloc(bytes + 1);
    uint8_t *got = malloc(bytes + 1);
    salut_udp server = open_any(world, 1, 53);
    salut_udp client = open_any(world, 0, 0);
    struct salut_udp_to to = {.remote = v4 ? world->addr4[1] : world->addr6[1], .port = 53};
    struct salut_udp_message m;
    world->take_at_most = take_at_most;
    assert_int_equal(salut_udp_set_option(world->end[0], client, SALUT_OPT_FRAGMENT, fragment),
                     SALUT_OK);
    for (uint32_t i = 0; i < bytes; i++) {
        sent[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    for (int round = 0; round < 3; round++) {
        const struct salut_iovec halves[2] = {{sent, bytes / 3},
                                              {sent + bytes / 3, bytes - bytes / 3}};
        assert_int_equal(salut_udp_sendv(world->end[0], client, halves, 2, &to), SALUT_OK);
        world_settle(world);
        assert_int_equal(salut_udp_recv(world->end[1], server, got, bytes, &m), SALUT_OK);
        assert_int_equal(m.bytes, bytes);
        assert_memory_equal(got, sent, bytes);
    }
    assert_int_equal(world->end[0]->udp.queued_bytes, 0);
    assert_int_equal(world->end[1]->udp.queued_bytes, 0);
    assert_int_equal(world->end[0]->tcp.bufs.used_objects, 0);
    free(sent);
    free(got);
    world_delete(world);
}

static void large_datagrams_arrive_whole(void **state)
{
    (void)state;
    const uint32_t sizes[] = {1452, 1453, 1472, 1473, 3000, 8192, 20001, 60000, 65507};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(sizes); i++) {
        for (size_t take = 0; take < 4; take++) {
            exchange_large(SALUT_PROFILE_LINUX, sizes[i], true, SALUT_FRAGMENT_HERE, take);
            exchange_large(SALUT_PROFILE_LINUX, sizes[i], false, SALUT_FRAGMENT_HERE, take);
            exchange_large(SALUT_PROFILE_RFC, sizes[i], true, SALUT_FRAGMENT_ANYWHERE, take);
        }
    }
    exchange_large(SALUT_PROFILE_LINUX, 65487, false, SALUT_FRAGMENT_HERE, 0);
}

static struct salut_tx_frame taken;

/* The path MTU as a router says it: what was really sent is believed (R1191-01, RFC 8085 5.2). */
static void say_too_big(struct world *world, const struct craft *peer, uint16_t port, uint16_t mtu)
{
    static uint8_t frame[WORLD_FRAME_MAX];
    uint8_t icmp[8 + 28] = {SLT_ICMP4_UNREACHABLE, 4,           0, 0, 0, 0,
                            (uint8_t)(mtu >> 8),   (uint8_t)mtu};
    struct slt_writer w = slt_writer_of(icmp + 8, 28);
    struct slt_ipv4 ip = {
        .ttl = 64, .protocol = SLT_IP_PROTOCOL_UDP, .dont_fragment = true, .payload_bytes = 1408};
    memcpy(ip.src, world->addr4[0].b, 16);
    memcpy(ip.dst, peer->src.b, 16);
    slt_ipv4_emit(&ip, &w);
    slt_write_u16(&w, 4000);
    slt_write_u16(&w, port);
    slt_write_u16(&w, 1408);
    slt_put_u16(icmp + 2, slt_checksum_finish(slt_checksum_add(0, icmp, sizeof(icmp))));
    uint32_t bytes =
        craft_packet(peer, SLT_IP_PROTOCOL_ICMP4, icmp, sizeof(icmp), UINT32_MAX, frame);
    craft_give(world, 0, frame, bytes);
}

static void path_mtu_is_heard(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 0, "10.0.0.77");
    salut_udp client = open_at(world, 0, NULL, 4000, 0);
    static const uint8_t data[1400];
    struct salut_info info;
    assert_int_equal(salut_udp_connect(world->end[0], client, &peer.src, 53), SALUT_OK);
    /* Nothing of that size was sent. */
    say_too_big(world, &peer, 53, 1000);
    assert_int_equal(world_count(world, 0, SLT_NOTE_ICMP_PMTU), 0);
    assert_int_equal(world_count(world, 0, SLT_DROP_ICMP_NO_MATCH), 1);
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), NULL), SALUT_OK);
    assert_true(craft_take(world, 0, &taken));
    assert_int_equal(taken.header[14 + 6] & 0x40, 0x40); /* DF */
    assert_false(craft_take(world, 0, &taken));
    say_too_big(world, &peer, 54, 1000);
    assert_int_equal(world_count(world, 0, SLT_NOTE_ICMP_PMTU), 0);
    say_too_big(world, &peer, 53, 1000);
    assert_int_equal(world_count(world, 0, SLT_NOTE_ICMP_PMTU), 1);
    assert_int_equal(salut_udp_get_info(world->end[0], client, &info), SALUT_OK);
    assert_int_equal(info.pmtu, 1000);
    assert_int_equal(info.soft_status, SALUT_TOO_BIG);
    /* The next one is cut: 976 and 432 octets of payload behind the IP headers. */
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), NULL), SALUT_OK);
    assert_true(craft_take(world, 0, &taken));
    assert_int_equal(taken.header_bytes - 14U + taken.payload_bytes, 20 + 976);
    assert_int_equal(taken.header[14 + 6], 0x20); /* more follow, and no DF */
    assert_true(craft_take(world, 0, &taken));
    assert_int_equal(taken.header_bytes - 14U + taken.payload_bytes, 20 + 432);
    assert_int_equal(slt_get_u16(taken.header + 14 + 6), 976 / 8);
    assert_false(craft_take(world, 0, &taken));
    /* Who wants no fragments is told. */
    assert_int_equal(
        salut_udp_set_option(world->end[0], client, SALUT_OPT_FRAGMENT, SALUT_FRAGMENT_NEVER),
        SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, data, sizeof(data), NULL),
                     SALUT_TOO_BIG);
    assert_int_equal(salut_udp_send(world->end[0], client, data, 972, NULL), SALUT_OK);
    assert_true(craft_take(world, 0, &taken));
    world_delete(world);
}

/* ---- groups, checksums, ports --------------------------------------------------------------- */

static void broadcast_goes_to_all_of_the_port(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_udp first = open_at(world, 1, NULL, 67, SALUT_UDP_REUSE);
    salut_udp second = open_at(world, 1, NULL, 67, SALUT_UDP_REUSE);
    salut_udp client = open_any(world, 0, 68);
    assert_int_equal(salut_udp_set_option(world->end[0], client, SALUT_OPT_BROADCAST, 1), SALUT_OK);
    const char *all[2] = {"255.255.255.255", "10.0.0.255"};
    for (int i = 0; i < 2; i++) {
        salut_addr to = world_addr(all[i]);
        send_text(world, 0, client, &to, 67, "hello all");
        struct salut_udp_message m = expect_text(world, 1, first, "hello all");
        assert_addr(&m.local, &to);
        expect_text(world, 1, second, "hello all");
        /* Nobody there: no error comes back (RFC 1122 3.2.2). */
        uint64_t before = world->frames[1];
        send_text(world, 0, client, &to, 99, "hello?");
        assert_int_equal(world->frames[1], before);
    }
    assert_int_equal(world_count(world, 1, SLT_DROP_UDP_NO_PORT), 2);
    salut_addr nodes = world_addr("ff02::1");
    send_text(world, 0, client, &nodes, 67, "hello nodes");
    struct salut_udp_message m = expect_text(world, 1, first, "hello nodes");
    assert_int_equal(m.ttl, 1);
    world_delete(world);
}

/* One peer's datagrams always find the same of several sockets, and all sockets get some. */
static void sharing_is_by_peer(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_udp shared[2] = {open_at(world, 1, NULL, 53, SALUT_UDP_REUSE),
                           open_at(world, 1, NULL, 53, SALUT_UDP_REUSE)};
    unsigned got[2] = {0, 0};
    for (int i = 0; i < 40; i++) {
        salut_udp client = open_any(world, 0, 0);
        for (int round = 0; round < 2; round++) {
            send_text(world, 0, client, &world->addr4[1], 53, "x");
        }
        struct salut_info info;
        for (int s = 0; s < 2; s++) {
            assert_int_equal(salut_udp_get_info(world->end[1], shared[s], &info), SALUT_OK);
            assert_true(info.recv_datagrams == 0 || info.recv_datagrams == 2);
            got[s] += info.recv_datagrams;
            while (salut_udp_consume(world->end[1], shared[s]) == SALUT_OK) {
            }
        }
        assert_int_equal(salut_udp_close(world->end[0], client), SALUT_OK);
    }
    assert_int_equal(got[0] + got[1], 80);
    assert_true(got[0] > 10 && got[1] > 10);
    world_delete(world);
}

static void give_udp(struct world *world, const struct craft *peer, uint32_t checksum_at,
                     uint8_t corrupt)
{
    static uint8_t frame[WORLD_FRAME_MAX];
    uint8_t udp[12] = {0, 9, 0, 53, 0, 12, 0, 0, 'd', 'a', 't', 'a'};
    uint32_t bytes = craft_packet(peer, SLT_IP_PROTOCOL_UDP, udp, sizeof(udp), checksum_at, frame);
    frame[bytes - 1] ^= corrupt;
    craft_give(world, 1, frame, bytes);
}

/* RFC 768, RFC 1122 4.1.3.4; RFC 8200 8.1: IPv6 has no datagrams without a checksum. */
static void checksums_are_checked(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft four = craft_peer(world, 1, "10.0.0.77");
    struct craft six = craft_peer(world, 1, "2001:db8::77");
    salut_udp server = open_any(world, 1, 53);
    give_udp(world, &four, 6, 0);
    expect_text(world, 1, server, "data");
    give_udp(world, &four, UINT32_MAX, 0);
    expect_text(world, 1, server, "data");
    give_udp(world, &four, 6, 1);
    expect_nothing(world, 1, server);
    give_udp(world, &six, 6, 0);
    expect_text(world, 1, server, "data");
    give_udp(world, &six, UINT32_MAX, 0);
    expect_nothing(world, 1, server);
    assert_int_equal(world_count(world, 1, SLT_DROP_UDP_CHECKSUM), 2);
    world_delete(world);
}

/* A sum that comes out as zero is written as its other form (RFC 768). */
static void no_datagram_looks_as_if_it_had_no_checksum(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct craft peer = craft_peer(world, 0, "10.0.0.77");
    salut_udp client = open_at(world, 0, NULL, 4000, 0);
    uint8_t data[2] = {0, 0};
    assert_int_equal(salut_udp_connect(world->end[0], client, &peer.src, 53), SALUT_OK);
    assert_int_equal(salut_udp_send(world->end[0], client, data, 2, NULL), SALUT_OK);
    assert_true(craft_take(world, 0, &taken));
    uint8_t *field = taken.header + taken.transport_offset + 6;
    memcpy(data, field, 2); /* the word that makes the sum complete */
    assert_int_equal(salut_udp_send(world->end[0], client, data, 2, NULL), SALUT_OK);
    assert_true(craft_take(world, 0, &taken));
    assert_int_equal(slt_get_u16(taken.header + taken.transport_offset + 6), 0xffff);
    world_delete(world);
}

static void chosen_ports_differ_and_run_out(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof(*world));
    struct salut_config config;
    uint8_t seen[64] = {0};
    bool in_order = true;
    uint16_t last = 0;
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        world_config(&config, SALUT_PROFILE_LINUX, end);
        config.port_low = 5000;
        config.port_high = 5019;
        world_join(world, end, world_create(&config));
    }
    struct salut_udp_params params = {.port = 0};
    salut_udp udp;
    for (int i = 0; i < 20; i++) {
        struct salut_info info;
        assert_int_equal(salut_udp_open(world->end[0], &params, &udp), SALUT_OK);
        assert_int_equal(salut_udp_get_info(world->end[0], udp, &info), SALUT_OK);
        assert_true(info.local_port >= 5000 && info.local_port <= 5019);
        assert_int_equal(seen[info.local_port - 5000]++, 0);
        in_order = in_order && (i == 0 || info.local_port == last + 1);
        last = info.local_port;
    }
    assert_false(in_order);
    assert_int_equal(salut_udp_open(world->end[0], &params, &udp), SALUT_ADDRESS_NOT_AVAILABLE);
    /* Another address leaves room. */
    params.local = world->addr4[0];
    assert_int_equal(salut_udp_open(world->end[0], &params, &udp), SALUT_OK);
    world_delete(world);
}

/* ---- other links ---------------------------------------------------------------------------- */

static struct world *world_of_link(enum salut_link_kind kind)
{
    struct world *world = calloc(1, sizeof(*world));
    struct salut_config config;
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        world_config(&config, SALUT_PROFILE_LINUX, end);
        config.link_kind = kind;
        config.tx_checksum = (uint8_t)end;
        world_join(world, end, world_create(&config));
    }
    return world;
}

/* IP packets without a link header; one end leaves whole datagrams' checksums to its link. */
static void a_link_without_stations(void **state)
{
    (void)state;
    struct world *world = world_of_link(SALUT_LINK_IP);
    salut_udp a = open_any(world, 0, 53);
    salut_udp b = open_any(world, 1, 53);
    static uint8_t large[5000];
    static uint8_t got[5000];
    for (int v4 = 0; v4 < 2; v4++) {
        const salut_addr *to = v4 ? world->addr4 : world->addr6;
        send_text(world, 0, a, &to[1], 53, "there");
        expect_text(world, 1, b, "there");
        send_text(world, 1, b, &to[0], 53, "and back");
        expect_text(world, 0, a, "and back");
        struct salut_udp_to where = {.remote = to[0], .port = 53};
        memset(large, 0x5a + v4, sizeof(large));
        assert_int_equal(salut_udp_send(world->end[1], b, large, sizeof(large), &where), SALUT_OK);
        world_settle(world);
        assert_int_equal(salut_udp_recv(world->end[0], a, got, sizeof(got), NULL), SALUT_OK);
        assert_memory_equal(got, large, sizeof(large));
    }
    world_delete(world);
}

/* What goes to an address of ours comes back over a loopback, and has no way where there is none.
 */
static void an_instance_talks_to_itself(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *stack = world->end[0];
    salut_addr own = world_addr("127.0.0.1");
    salut_udp a = open_any(world, 0, 53);
    salut_udp b = open_any(world, 0, 54);
    const salut_addr *to[2] = {&own, &world->addr4[0]};
    for (int i = 0; i < 2; i++) {
        struct salut_udp_to where = {.remote = *to[i], .port = 53};
        assert_int_equal(salut_udp_send(stack, b, "x", 1, &where), SALUT_NET_UNREACHABLE);
    }
    assert_int_equal(salut_add_address(stack, &own, 8), SALUT_OK);
    for (int i = 0; i < 2; i++) {
        struct salut_udp_to where = {.remote = *to[i], .port = 53};
        assert_int_equal(salut_udp_send(stack, b, "me", 2, &where), SALUT_OK);
        assert_true(craft_take(world, 0, &taken));
        uint32_t bytes = world_flatten(&taken, world->frame);
        craft_give(world, 0, world->frame, bytes);
        struct salut_udp_message m = expect_text(world, 0, a, "me");
        assert_addr(&m.remote, to[i]);
        assert_addr(&m.local, to[i]);
        assert_int_equal(m.remote_port, 54);
    }
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_datagrams_arrive_whole),
        cmocka_unit_test(path_mtu_is_heard),
        cmocka_unit_test(broadcast_goes_to_all_of_the_port),
        cmocka_unit_test(sharing_is_by_peer),
        cmocka_unit_test(checksums_are_checked),
        cmocka_unit_test(no_datagram_looks_as_if_it_had_no_checksum),
        cmocka_unit_test(chosen_ports_differ_and_run_out),
        cmocka_unit_test(a_link_without_stations),
        cmocka_unit_test(an_instance_talks_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
