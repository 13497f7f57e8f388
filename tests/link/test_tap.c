/* TAP and TUN against the kernel, in a network namespace of this test's own. */
#define _GNU_SOURCE 1
#include "kernel_peer.h"

#include "link/tap_linux.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool tap_missing(enum slt_link_trouble trouble, const struct slt_link_error *error)
{
    if (trouble != SLT_LINK_NO_PRIVILEGE && trouble != SLT_LINK_NO_DEVICE) {
        return false;
    }
    print_message("skipped: %s; %s\n", error->sentence, error->remedy);
    return true;
}

static struct slt_link *open_tap(const struct slt_tap_params *params)
{
    struct slt_link *link;
    struct slt_link_error error;
    enum slt_link_trouble trouble = slt_tap_open(params, &link, &error);
    if (tap_missing(trouble, &error)) {
        skip();
    }
    peer_fine(trouble, &error);
    salut_addr v4 = peer_v4(2);
    salut_addr v6 = peer_v6(2);
    peer_fine(slt_rtnl_add_address(link->name, &v4, 24, &error), &error);
    peer_fine(slt_rtnl_add_address(link->name, &v6, 64, &error), &error);
    peer_fine(slt_rtnl_set_up(link->name, true, &error), &error);
    return link;
}

static struct slt_tap_params tap_params(enum salut_link_kind kind)
{
    struct slt_tap_params params = {.kind = kind, .mtu = 1500};
    memcpy(params.mac, peer_our_mac, 6);
    return params;
}

static void tap_exchange(bool offload)
{
    static struct peer_tcp peer;
    struct slt_tap_params params = tap_params(SALUT_LINK_ETHERNET);
    params.no_offload = !offload;
    struct slt_link *link = open_tap(&params);
    assert_int_equal(link->caps.mtu, 1500);
    assert_int_equal(link->caps.tx_checksum, offload);
    peer = (struct peer_tcp){.link = link, .segment = {.family = 4, .ethernet = true}};
    peer_arp(link, peer.kernel_mac);
    peer_ping(link, peer.kernel_mac);
    peer_exchange(&peer, offload);
    for (unsigned i = 0; i < SLT_LINK_DROP_COUNT; i++) {
        assert_int_equal(link->counters.dropped[i], 0);
    }
    slt_link_close(link);
}

static void tap_with_offload(void **state)
{
    (void)state;
    tap_exchange(true);
}

static void tap_without_offload(void **state)
{
    (void)state;
    tap_exchange(false);
}

static void tun_over_ipv6(void **state)
{
    (void)state;
    static struct peer_tcp peer;
    struct slt_tap_params params = tap_params(SALUT_LINK_IP);
    struct slt_link *link = open_tap(&params);
    peer = (struct peer_tcp){.link = link, .segment = {.family = 6}};
    peer_exchange(&peer, true);
    slt_link_close(link);
}

static void it_names_and_measures_itself(void **state)
{
    (void)state;
    struct slt_tap_params params = {.name = "mine%d", .kind = SALUT_LINK_ETHERNET, .mtu = 9000};
    struct slt_link *link = open_tap(&params);
    struct slt_rtnl_facts facts;
    struct slt_link_error error;
    assert_string_equal(link->name, "mine0");
    peer_fine(slt_rtnl_facts("mine0", &facts, &error), &error);
    assert_int_equal(facts.mtu, 9000);
    assert_true(facts.up);
    assert_memory_not_equal(facts.mac, link->caps.mac, 6);
    assert_int_equal(link->caps.mac[0] & 3, 2); /* local, and no group */
    slt_link_close(link);
    assert_int_equal(slt_rtnl_facts("mine0", &facts, &error), SLT_LINK_NO_DEVICE);
}

static void persistence(void **state)
{
    (void)state;
    struct slt_tap_params params = {
        .name = "stay0", .kind = SALUT_LINK_ETHERNET, .persistent = true};
    struct slt_rtnl_facts facts;
    struct slt_link_error error;
    slt_link_close(open_tap(&params));
    peer_fine(slt_rtnl_facts("stay0", &facts, &error), &error);
    params.persistent = false; /* merely using it does not take it away */
    slt_link_close(open_tap(&params));
    peer_fine(slt_rtnl_facts("stay0", &facts, &error), &error);
    peer_fine(slt_tap_remove("stay0", SALUT_LINK_ETHERNET, &error), &error);
    assert_int_equal(slt_rtnl_facts("stay0", &facts, &error), SLT_LINK_NO_DEVICE);
}

static int queue_of(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, SIOCGIFTXQLEN, &request), 0);
    (void)close(fd);
    return request.ifr_qlen;
}

static void the_queue_of_a_device_it_makes(void **state)
{
    (void)state;
    struct slt_tap_params params = {
        .name = "stay1", .kind = SALUT_LINK_ETHERNET, .persistent = true, .queue_frames = 777};
    struct slt_link_error error;
    slt_link_close(open_tap(&params));
    assert_int_equal(queue_of("stay1"), 777);
    params.queue_frames = 888; /* one that is there keeps its own */
    slt_link_close(open_tap(&params));
    assert_int_equal(queue_of("stay1"), 777);
    peer_fine(slt_tap_remove("stay1", SALUT_LINK_ETHERNET, &error), &error);
}

static void troubles_have_sentences(void **state)
{
    (void)state;
    struct slt_tap_params params = {.name = "busy0", .kind = SALUT_LINK_ETHERNET};
    struct slt_link *first = open_tap(&params);
    struct slt_link *second;
    struct slt_link_error error;
    assert_int_equal(slt_tap_open(&params, &second, &error), SLT_LINK_BUSY);
    assert_non_null(strstr(error.sentence, "in use"));
    assert_true(error.remedy[0] != '\0');
    params.kind = SALUT_LINK_IP; /* the name belongs to a TAP */
    assert_int_equal(slt_tap_open(&params, &second, &error), SLT_LINK_BAD_NAME);
    params.name = "a-name-of-far-too-many-letters";
    assert_int_equal(slt_tap_open(&params, &second, &error), SLT_LINK_BAD_NAME);
    slt_link_close(first);
}

static void a_device_that_is_down_drops(void **state)
{
    (void)state;
    struct slt_tap_params params = tap_params(SALUT_LINK_ETHERNET);
    struct slt_link *link = open_tap(&params);
    struct slt_link_error error;
    struct test_tcp t = {.family = 4, .ethernet = true, .payload_bytes = 10};
    struct salut_tx_frame tx;
    peer_fine(slt_rtnl_set_up(link->name, false, &error), &error);
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1);
    assert_int_equal(link->counters.dropped[SLT_LINK_DROP_DEVICE_DOWN], 1);
    slt_link_close(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tap_with_offload),
        cmocka_unit_test(tap_without_offload),
        cmocka_unit_test(tun_over_ipv6),
        cmocka_unit_test(it_names_and_measures_itself),
        cmocka_unit_test(persistence),
        cmocka_unit_test(the_queue_of_a_device_it_makes),
        cmocka_unit_test(troubles_have_sentences),
        cmocka_unit_test(a_device_that_is_down_drops),
    };
    struct slt_link_error error;
    if (slt_netns_enter(&error) != SLT_LINK_FINE) {
        printf("skipped: %s; %s\n", error.sentence, error.remedy);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
