/* What sockets say when something is wrong: the network's word, used up ports, bad arguments
 * (SOCK-23..28, 37).
 */
#include "sock/world.h"

#include "wire/checksum.h"

#include <netinet/ip_icmp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

/* SOCK-25: nobody has the address; and no route leads there. */
static void a_neighbour_that_does_not_answer(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    struct sockaddr_in nobody = world_in("10.0.0.9", PORT);
    assert_int_equal(
        salut_sock_connect(w->socks[CLIENT], fd, (const struct sockaddr *)&nobody, sizeof(nobody)),
        -EINPROGRESS);
    world_pass(w, 5 * SLT_NS_PER_S);
    assert_int_equal(world_error(w, CLIENT, fd), EHOSTUNREACH);
    nobody = world_in("192.0.2.1", PORT);
    assert_int_equal(salut_sock_connect(w->socks[CLIENT], world_socket(w, CLIENT),
                                        (const struct sockaddr *)&nobody, sizeof(nobody)),
                     -ENETUNREACH);
}

/* ---- ICMP ----------------------------------------------------------------------------------- */

#define ETHERNET_BYTES 14
#define IP_BYTES       20
#define QUOTED_BYTES   (IP_BYTES + 8)

struct icmp_word {
    uint8_t type;
    uint8_t code;
    uint16_t mtu;
};

static void put_checksum(uint8_t *at, const uint8_t *data, uint32_t bytes)
{
    uint16_t sum = slt_checksum_finish(slt_checksum_add(0, data, bytes));
    at[0] = (uint8_t)(sum >> 8);
    at[1] = (uint8_t)sum;
}

/* The last frame the client sent, which the server will never see. */
static void steal_frame(struct world *w, uint8_t frame[ETHERNET_BYTES + QUOTED_BYTES])
{
    struct salut_rx_frame rx[SLT_LINK_BATCH_MAX];
    assert_true(world_side(w, CLIENT) > 0);
    size_t n = slt_link_receive(w->links[SERVER], rx, SLT_LINK_BATCH_MAX, w->now_ns);
    assert_true(n > 0);
    assert_true(rx[n - 1].bytes >= ETHERNET_BYTES + QUOTED_BYTES);
    memcpy(frame, rx[n - 1].data, ETHERNET_BYTES + QUOTED_BYTES);
    slt_link_release(w->links[SERVER]);
}

/* Tell the client about the frame: an ICMP message of the server's that quotes it. */
static void answer_with_icmp(struct world *w, const uint8_t *frame, struct icmp_word word)
{
    uint8_t out[ETHERNET_BYTES + IP_BYTES + 8 + QUOTED_BYTES] = {0};
    uint8_t *ip = out + ETHERNET_BYTES;
    uint8_t *icmp = ip + IP_BYTES;
    memcpy(out, frame + 6, 6);
    memcpy(out + 6, frame, 6);
    out[12] = 8;
    ip[0] = 0x45;
    ip[3] = sizeof(out) - ETHERNET_BYTES;
    ip[8] = 64;
    ip[9] = IPPROTO_ICMP;
    memcpy(ip + 12, frame + ETHERNET_BYTES + 16, 4);
    memcpy(ip + 16, frame + ETHERNET_BYTES + 12, 4);
    put_checksum(ip + 10, ip, IP_BYTES);
    icmp[0] = word.type;
    icmp[1] = word.code;
    icmp[6] = (uint8_t)(word.mtu >> 8);
    icmp[7] = (uint8_t)word.mtu;
    memcpy(icmp + 8, frame + ETHERNET_BYTES, QUOTED_BYTES);
    put_checksum(icmp + 2, icmp, 8 + QUOTED_BYTES);
    struct salut_rx_frame rx = {.data = out, .bytes = sizeof(out)};
    salut_input(w->stacks[CLIENT], &rx, 1, w->now_ns);
    (void)salut_poll(w->stacks[CLIENT], w->now_ns);
}

/* SOCK-23, SOCK-25, SOCK-26: while a connection is being opened the message is the error, as on
 * Linux (D-26). */
static void what_icmp_says_of_a_syn(void **state)
{
    static const struct {
        struct icmp_word word;
        int error;
    } rows[] = {
        {{ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0}, ENETUNREACH},
        {{ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0}, EHOSTUNREACH},
        {{ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0}, ENOPROTOOPT},
        {{ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0}, ECONNREFUSED},
        {{ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0}, EHOSTUNREACH},
        {{ICMP_PARAMETERPROB, 0, 0}, EPROTO},
    };
    struct world *w = *state;
    uint8_t frame[ETHERNET_BYTES + QUOTED_BYTES];
    (void)world_trio(w); /* addresses are resolved */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = world_socket(w, CLIENT);
        assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
        steal_frame(w, frame);
        answer_with_icmp(w, frame, rows[i].word);
        assert_int_equal(world_connect(w, fd, PORT), -rows[i].error);
        assert_int_equal(world_error(w, CLIENT, fd), 0); /* SOCK-29 */
    }
}

/* SOCK-24, SOCK-26: of a running connection it is remembered, and tells why it ended, should it
 * end for want of an answer; an answer makes it forgotten. */
static void what_icmp_says_of_data(void **state)
{
    static const struct {
        struct icmp_word word;
        int error;
        bool answered;
    } rows[] = {
        {{ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0}, EHOSTUNREACH, false},
        {{ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 1000}, EMSGSIZE, false},
        {{ICMP_PARAMETERPROB, 0, 0}, EPROTO, false},
        {{ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0}, ETIMEDOUT, true},
    };
    struct world *w = *state;
    uint8_t frame[ETHERNET_BYTES + QUOTED_BYTES];
    static char block[1400];
    (void)world_listen(w, PORT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = world_socket(w, CLIENT);
        assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 8000), 0);
        assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
        world_turn(w);
        assert_int_equal(salut_sock_send(w->socks[CLIENT], fd, block, sizeof(block), 0),
                         sizeof(block));
        steal_frame(w, frame);
        answer_with_icmp(w, frame, rows[i].word);
        assert_int_equal(world_error(w, CLIENT, fd), 0);
        if (rows[i].answered) {
            world_pass(w, SLT_NS_PER_S);
        }
        w->cut = true;
        assert_int_equal(salut_sock_send(w->socks[CLIENT], fd, "x", 1, 0), 1);
        world_pass(w, 60 * SLT_NS_PER_S);
        assert_int_equal(world_error(w, CLIENT, fd), rows[i].error);
        w->cut = false;
    }
}

/* ---- ports ---------------------------------------------------------------------------------- */

static void two_ports_only(struct salut_config *config, int which)
{
    if (which == CLIENT) {
        config->port_low = 40000;
        config->port_high = 40001;
    }
}

static int setup_two_ports(void **state)
{
    *state = world_open(two_ports_only);
    return 0;
}

/* SOCK-37 */
static void ports_are_used_up(void **state)
{
    struct world *w = *state;
    (void)world_listen(w, PORT);
    (void)world_listen(w, PORT + 1);
    assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT), -EINPROGRESS);
    assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT), -EINPROGRESS);
    assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT), -EADDRNOTAVAIL);
    /* SOCK-65: another destination is another set of ports. */
    assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT + 1), -EINPROGRESS);
}

/* SOCK-37, SOCK-65: two sockets share a port towards different places, not towards one. */
static void a_tuple_that_is_busy(void **state)
{
    struct world *w = *state;
    (void)world_listen(w, PORT);
    (void)world_listen(w, PORT + 1);
    for (int i = 0; i < 3; i++) {
        int fd = world_socket(w, CLIENT);
        assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
        assert_int_equal(world_bind(w, CLIENT, fd, "10.0.0.1", 4242), 0);
        assert_int_equal(world_connect(w, fd, i == 1 ? PORT + 1 : PORT),
                         i == 2 ? -EADDRNOTAVAIL : -EINPROGRESS);
        world_turn(w);
    }
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* SOCK-28 */
static void arguments_that_are_wrong(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    int fd = world_socket(w, CLIENT);
    int set = salut_sock_epoll_create(s, 0);
    char byte = 0;
    struct sockaddr_in in = world_in("10.0.0.2", PORT);
    uint32_t bytes = sizeof(in);
    assert_int_equal(salut_sock_ioctl(s, fd, FIONREAD, NULL), -EFAULT);
    assert_int_equal(salut_sock_send(s, 99, &byte, 1, 0), -EBADF);
    assert_int_equal(salut_sock_shutdown(s, 99, SHUT_RD), -EBADF);
    assert_int_equal(salut_sock_getsockname(s, 99, (struct sockaddr *)&in, &bytes), -EBADF);
    assert_int_equal(salut_sock_send(s, set, &byte, 1, 0), -ENOTSOCK);
    assert_int_equal(salut_sock_accept(s, set, NULL, NULL, 0), -ENOTSOCK);
    assert_int_equal(salut_sock_bind(s, set, (const struct sockaddr *)&in, bytes), -ENOTSOCK);
    assert_int_equal(salut_sock_writev(s, fd, NULL, 1), -EINVAL);
    assert_int_equal(salut_sock_connect(s, fd, NULL, 0), -EINVAL);
    in.sin_family = AF_UNIX;
    assert_int_equal(salut_sock_connect(s, fd, (const struct sockaddr *)&in, bytes), -EAFNOSUPPORT);
}

static void *no_more(void *ctx, size_t bytes)
{
    int *left = ctx;
    return (*left)-- > 0 ? malloc(bytes) : NULL;
}

/* SOCK-28, SOCK-53: without room for a descriptor the connection stays where it was. */
static void no_room(void **state)
{
    struct world *w = *state;
    struct salut_socks *s;
    int left = 3; /* the table, its slots, one socket */
    struct salut_socks_params params = {.stack = w->stacks[SERVER],
                                        .first_fd = 100,
                                        .alloc = no_more,
                                        .free = world_free,
                                        .alloc_ctx = &left};
    assert_int_equal(salut_socks_create(&params, &s), SALUT_OK);
    int listener = salut_sock_socket(s, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(listener, 100);
    assert_int_equal(salut_sock_socket(s, AF_INET, SOCK_STREAM, 0), -ENOMEM);
    struct sockaddr_in here = world_in("0.0.0.0", PORT);
    assert_int_equal(salut_sock_bind(s, listener, (const struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(salut_sock_listen(s, listener, 4), 0);
    assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(salut_sock_accept(s, listener, NULL, NULL, 0), -ENOMEM);
    left = 1;
    assert_int_equal(salut_sock_accept(s, listener, NULL, NULL, 0), 101);
    salut_socks_destroy(s);
    left = 100;
    params.sockets_max = 1;
    assert_int_equal(salut_socks_create(&params, &s), SALUT_OK);
    assert_int_equal(salut_sock_socket(s, AF_INET, SOCK_STREAM, 0), 100);
    assert_int_equal(salut_sock_socket(s, AF_INET, SOCK_STREAM, 0), -EMFILE);
    salut_socks_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_neighbour_that_does_not_answer),
        world_test(what_icmp_says_of_a_syn),
        world_test(what_icmp_says_of_data),
        cmocka_unit_test_setup_teardown(ports_are_used_up, setup_two_ports, world_teardown),
        world_test(a_tuple_that_is_busy),
        world_test(arguments_that_are_wrong),
        world_test(no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
