/* Packet sockets on a virtual Ethernet pair, against the kernel at its other end. */
#define _GNU_SOURCE 1
#include "kernel_peer.h"

#include "link/packet_linux.h"
#include "link/tap_linux.h"

static struct slt_link *open_packet(void)
{
    struct slt_link *link;
    struct slt_link_error error;
    struct slt_netns_pair pair = {.kernel_name = "kern0",
                                  .stack_name = "stack0",
                                  .mtu = 1500,
                                  .kernel_v4 = peer_v4(2),
                                  .v4_prefix_bits = 24,
                                  .kernel_v6 = peer_v6(2),
                                  .v6_prefix_bits = 64};
    struct slt_packet_params params = {.name = "stack0"};
    memcpy(params.mac, peer_our_mac, 6);
    peer_fine(slt_netns_make_pair(&pair, &error), &error);
    peer_fine(slt_packet_open(&params, &link, &error), &error);
    return link;
}

static void close_packet(struct slt_link *link)
{
    struct slt_link_error error;
    slt_link_close(link);
    peer_fine(slt_rtnl_remove("kern0", &error), &error);
}

static void the_kernel_answers(void **state)
{
    (void)state;
    static struct peer_tcp peer;
    struct slt_link *link = open_packet();
    peer = (struct peer_tcp){.link = link, .segment = {.family = 4, .ethernet = true}};
    peer_arp(link, peer.kernel_mac);
    peer_ping(link, peer.kernel_mac);
    peer_exchange(&peer, true);
    slt_link_poll(link, 0);
    for (unsigned i = 0; i < SLT_LINK_DROP_COUNT; i++) {
        assert_int_equal(link->counters.dropped[i], 0);
    }
    close_packet(link);
}

static bool is_ours(const uint8_t *f, uint32_t bytes)
{
    return bytes >= 12 && memcmp(f + 6, peer_our_mac, 6) == 0;
}

static void own_frames_do_not_come_back(void **state)
{
    (void)state;
    static struct peer_frame got;
    struct slt_link *link = open_packet();
    struct salut_tx_frame tx[40];
    struct test_tcp t = {.family = 4, .ethernet = true, .payload_bytes = 100};
    for (unsigned i = 0; i < 40; i++) {
        test_tcp_frame(&t, &tx[i]); /* more than one batch */
        tx[i].header[0] = 2;
    }
    assert_int_equal(slt_link_send(link, tx, 40, 0), 40);
    assert_false(peer_wait(link, is_ours, &got));
    close_packet(link);
}

/* Who shares an interface gets what is for it and for groups, and nothing for the others. */
static void frames_for_others_stay_away(void **state)
{
    static const uint8_t ours[6] = {2, 0x11, 0x22, 0x33, 0x44, 0x55};
    static const struct {
        uint8_t mac[6];
        bool comes;
    } rows[] = {
        {{2, 0x11, 0x22, 0x33, 0x44, 0x55}, true},  {{2, 0x11, 0x22, 0x33, 0x44, 0x54}, false},
        {{2, 0x11, 0x22, 0x32, 0x44, 0x55}, false}, {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true},
        {{0x33, 0x33, 0, 0, 0, 1}, true},           {{2, 0x99, 0x22, 0x33, 0x44, 0x55}, false}};
    struct slt_link_error error;
    struct slt_link *from;
    struct slt_link *to;
    struct slt_packet_params sender = {.name = "send0"};
    struct slt_packet_params params = {.name = "recv0", .own_only = true};
    struct slt_netns_pair pair = {.kernel_name = "recv0", .stack_name = "send0", .mtu = 1500};
    (void)state;
    memcpy(params.mac, ours, 6);
    peer_fine(slt_netns_make_pair(&pair, &error), &error);
    (void)slt_netns_sysctl("ipv6/conf/recv0/disable_ipv6", "1");
    peer_fine(slt_packet_open(&sender, &from, &error), &error);
    peer_fine(slt_packet_open(&params, &to, &error), &error);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        struct test_tcp t = {
            .family = 4, .ethernet = true, .payload_bytes = 100, .seq = 1000 + (uint32_t)i};
        struct salut_tx_frame tx;
        struct salut_rx_frame rx[16];
        size_t came = 0;
        test_tcp_frame(&t, &tx);
        memcpy(tx.header, rows[i].mac, 6);
        assert_int_equal(slt_link_send(from, &tx, 1, 0), 1);
        for (unsigned tries = 0; tries < 20 && came == 0; tries++) {
            size_t count = slt_link_receive(to, rx, 16, 0);
            for (size_t k = 0; k < count; k++) {
                came += memcmp(rx[k].data, rows[i].mac, 6) == 0;
            }
            slt_link_release(to);
            usleep(came > 0 ? 0 : 1000);
        }
        assert_int_equal(came, rows[i].comes ? 1 : 0);
    }
    slt_link_close(from);
    slt_link_close(to);
    peer_fine(slt_rtnl_remove("recv0", &error), &error);
}

static void mac_and_mtu_are_the_interfaces(void **state)
{
    (void)state;
    struct slt_link_error error;
    struct slt_rtnl_facts facts;
    struct slt_link *link;
    struct slt_packet_params params = {.name = "aside"};
    peer_fine(slt_rtnl_make_veth("aside", "bside", &error), &error);
    peer_fine(slt_rtnl_set_mtu("aside", 4321, &error), &error);
    peer_fine(slt_rtnl_set_mac("aside", (uint8_t[]){2, 9, 9, 9, 9, 9}, &error), &error);
    peer_fine(slt_rtnl_facts("aside", &facts, &error), &error);
    peer_fine(slt_packet_open(&params, &link, &error), &error);
    assert_int_equal(link->caps.mtu, 4321);
    assert_memory_equal(link->caps.mac, ((uint8_t[]){2, 9, 9, 9, 9, 9}), 6);
    slt_link_close(link);
    params.derive_mac = true;
    peer_fine(slt_packet_open(&params, &link, &error), &error);
    assert_memory_not_equal(link->caps.mac, facts.mac, 6);
    struct test_tcp t = {.family = 4, .ethernet = true, .payload_bytes = 10};
    struct salut_tx_frame tx;
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1); /* the interface is down */
    assert_int_equal(link->counters.dropped[SLT_LINK_DROP_DEVICE_DOWN], 1);
    slt_link_close(link);
    peer_fine(slt_rtnl_remove("bside", &error), &error);
}

/* An interface without segmentation offload: the kernel must cut super-frames, not drop them. */
static void super_frames_pass_a_plain_interface(void **state)
{
    (void)state;
    struct slt_tap_params plain = {
        .name = "plain0", .kind = SALUT_LINK_ETHERNET, .no_offload = true};
    struct slt_packet_params params = {.name = "plain0"};
    struct slt_link_error error;
    struct slt_link *tap;
    struct slt_link *link;
    struct test_tcp t = {.family = 4,
                         .ethernet = true,
                         .flags = 0x10,
                         .payload_bytes = 1448 * 10,
                         .gso_bytes = 1448,
                         .partial = true};
    struct salut_tx_frame tx;
    uint32_t payload_bytes = 0;
    if (slt_tap_open(&plain, &tap, &error) != SLT_LINK_FINE) {
        print_message("no TAP here: %s\n", error.sentence);
        skip();
    }
    (void)slt_netns_sysctl("ipv6/conf/plain0/disable_ipv6", "1");
    peer_fine(slt_rtnl_set_up("plain0", true, &error), &error);
    peer_fine(slt_packet_open(&params, &link, &error), &error);
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1);
    for (unsigned tries = 0; tries < 200 && payload_bytes < 1448 * 10; tries++) {
        struct salut_rx_frame rx[16];
        size_t count = slt_link_receive(tap, rx, 16, 0);
        for (size_t i = 0; i < count; i++) {
            const uint8_t *tcp;
            uint32_t bytes = 0;
            assert_int_equal(test_judge(rx[i].data, rx[i].bytes, true, &tcp, &bytes), TEST_GOOD);
            assert_int_equal(bytes, 1448);
            payload_bytes += bytes;
        }
        slt_link_release(tap);
        usleep(count > 0 ? 0 : 10000);
    }
    assert_int_equal(payload_bytes, 1448 * 10);
    slt_link_close(link);
    slt_link_close(tap);
}

static void troubles_have_sentences(void **state)
{
    (void)state;
    struct slt_link_error error;
    struct slt_link *link;
    struct slt_packet_params params = {.name = "nosuch"};
    assert_int_equal(slt_packet_open(&params, &link, &error), SLT_LINK_NO_DEVICE);
    assert_non_null(strstr(error.sentence, "nosuch"));
    params.name = "lo";
    assert_int_equal(slt_packet_open(&params, &link, &error), SLT_LINK_NOT_SUPPORTED);
}

static void routes(void **state)
{
    (void)state;
    struct slt_link_error error;
    struct slt_link *link = open_packet();
    struct slt_rtnl_route v4 = {.dest = peer_v4(0), .gateway = peer_v4(1)};
    struct slt_rtnl_route v6 = {.prefix_bits = 32, .gateway = peer_v6(1)};
    memset(v4.dest.b + 12, 0, 4); /* the default route of IPv4 */
    v6.dest.b[0] = 0xfd;
    peer_fine(slt_rtnl_add_route("kern0", &v4, &error), &error);
    peer_fine(slt_rtnl_add_route("kern0", &v6, &error), &error);
    char text[2000] = {0};
    FILE *table = fopen("/proc/net/route", "r");
    assert_non_null(table);
    assert_true(fread(text, 1, sizeof(text) - 1, table) > 0);
    fclose(table);
    assert_non_null(strstr(text, "kern0\t00000000\t010200C0"));
    v4.gateway = peer_v6(1); /* an IPv6 gateway where IPv4's belongs */
    v4.gateway.b[0] = 0x99;
    assert_int_not_equal(slt_rtnl_add_route("kern0", &v4, &error), SLT_LINK_FINE);
    close_packet(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_answers),
        cmocka_unit_test(own_frames_do_not_come_back),
        cmocka_unit_test(frames_for_others_stay_away),
        cmocka_unit_test(mac_and_mtu_are_the_interfaces),
        cmocka_unit_test(super_frames_pass_a_plain_interface),
        cmocka_unit_test(troubles_have_sentences),
        cmocka_unit_test(routes),
    };
    struct slt_link_error error;
    if (slt_netns_enter(&error) != SLT_LINK_FINE) {
        printf("skipped: %s; %s\n", error.sentence, error.remedy);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
