/* Datagram sockets, as programs on Linux know them.
 */
#include "sock/world.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static int make(struct world *w, int which, int domain)
{
    int fd = salut_sock_socket(w->socks[which], domain, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 3);
    return fd;
}

static int make_server(struct world *w, uint16_t port)
{
    int fd = make(w, SERVER, AF_INET);
    assert_int_equal(world_bind(w, SERVER, fd, "0.0.0.0", port), 0);
    return fd;
}

static void send_to(struct world *w, int which, int fd, const char *address, uint16_t port,
                    const char *text)
{
    struct sockaddr_in in = world_in(address, port);
    struct salut_sock_peer peer = {.addr = (struct sockaddr *)&in, .bytes = sizeof(in)};
    assert_int_equal(salut_sock_sendto(w->socks[which], fd, text, strlen(text), &peer),
                     strlen(text));
    world_turn(w);
}

static struct sockaddr_in expect_from(struct world *w, int which, int fd, const char *text)
{
    char got[64];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct salut_sock_peer peer = {.addr = (struct sockaddr *)&in, .bytes = sizeof(in)};
    assert_int_equal(salut_sock_recvfrom(w->socks[which], fd, got, sizeof(got), &peer),
                     strlen(text));
    assert_memory_equal(got, text, strlen(text));
    assert_int_equal(peer.bytes, sizeof(in));
    return in;
}

static void what_a_fresh_socket_says(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    struct sockaddr_in in = world_in("10.0.0.1", 1);
    uint32_t bytes = sizeof(in);
    char byte = 0;
    assert_int_equal(salut_sock_socket(s, AF_INET, SOCK_DGRAM, IPPROTO_TCP), -EPROTONOSUPPORT);
    int fd = salut_sock_socket(s, AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    assert_int_equal(fd, 3);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_NODELAY, 1), -ENOPROTOOPT);
    assert_int_equal(salut_sock_listen(s, fd, 1), -EOPNOTSUPP);
    assert_int_equal(salut_sock_accept(s, fd, NULL, NULL, 0), -EOPNOTSUPP);
    assert_int_equal(salut_sock_recv(s, fd, &byte, 1, 0), -EAGAIN);
    assert_int_equal(salut_sock_send(s, fd, &byte, 1, 0), -EDESTADDRREQ);
    assert_int_equal(salut_sock_getpeername(s, fd, (struct sockaddr *)&in, &bytes), -ENOTCONN);
    assert_int_equal(salut_sock_getsockname(s, fd, (struct sockaddr *)&in, &bytes), 0);
    assert_int_equal(in.sin_addr.s_addr, 0);
    assert_int_equal(in.sin_port, 0);
    assert_int_equal(salut_sock_ready(s, fd), POLLOUT | POLLWRNORM | POLLWRBAND);
    assert_int_equal(salut_sock_shutdown(s, fd, SHUT_RDWR), -ENOTCONN);
    assert_int_equal(salut_sock_recv(s, fd, &byte, 1, 0), 0);
    assert_int_equal(salut_sock_send(s, fd, &byte, 1, 0), -EPIPE);
    assert_int_equal(salut_sock_close(s, fd), 0);
}

static void question_and_answer(void **state)
{
    struct world *w = *state;
    int server = make_server(w, PORT);
    int client = make(w, CLIENT, AF_INET);
    int waiting = -1;
    send_to(w, CLIENT, client, "10.0.0.2", PORT, "who?");
    send_to(w, CLIENT, client, "10.0.0.2", PORT, "again?");
    assert_int_equal(salut_sock_ready(w->socks[SERVER], server) & POLLIN, POLLIN);
    assert_int_equal(salut_sock_ioctl(w->socks[SERVER], server, SIOCINQ, &waiting), 0);
    assert_int_equal(waiting, 4);
    struct sockaddr_in from = expect_from(w, SERVER, server, "who?");
    assert_int_equal(from.sin_addr.s_addr, htonl(0x0a000001));
    expect_from(w, SERVER, server, "again?");
    send_to(w, SERVER, server, "10.0.0.1", ntohs(from.sin_port), "me");
    struct sockaddr_in back = expect_from(w, CLIENT, client, "me");
    assert_int_equal(ntohs(back.sin_port), PORT);
    char byte;
    assert_int_equal(salut_sock_recv(w->socks[CLIENT], client, &byte, 1, 0), -EAGAIN);
}

static void truncation_and_peeking(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[SERVER];
    int server = make_server(w, PORT);
    int client = make(w, CLIENT, AF_INET);
    char got[16] = {0};
    for (int i = 0; i < 4; i++) {
        send_to(w, CLIENT, client, "10.0.0.2", PORT, "0123456789");
    }
    assert_int_equal(salut_sock_recv(s, server, got, 4, MSG_PEEK), 4);
    assert_int_equal(salut_sock_recv(s, server, got, 4, MSG_PEEK | MSG_TRUNC), 10);
    assert_memory_equal(got, "0123\0", 5);
    assert_int_equal(salut_sock_recv(s, server, got, 4, MSG_TRUNC), 10);
    assert_int_equal(salut_sock_recv(s, server, got, 4, 0), 4);
    struct iovec halves[2] = {{got, 3}, {got + 8, 3}};
    struct sockaddr_in name;
    struct msghdr msg = {.msg_iov = halves, .msg_iovlen = 2, .msg_name = &name};
    msg.msg_namelen = sizeof(name);
    assert_int_equal(salut_sock_recvmsg(s, server, &msg, 0), 6);
    assert_int_equal(msg.msg_flags, MSG_TRUNC);
    assert_int_equal(msg.msg_namelen, sizeof(name));
    assert_memory_equal(got, "012", 3);
    assert_memory_equal(got + 8, "345", 3);
    assert_int_equal(salut_sock_readv(s, server, halves, 2), 6);
    assert_int_equal(salut_sock_recv(s, server, got, 4, 0), -EAGAIN);
    /* A datagram of no bytes is received, and is no end. */
    send_to(w, CLIENT, client, "10.0.0.2", PORT, "");
    assert_int_equal(salut_sock_ready(s, server) & POLLIN, POLLIN);
    assert_int_equal(salut_sock_recv(s, server, got, 4, 0), 0);
    assert_int_equal(salut_sock_recv(s, server, got, 4, 0), -EAGAIN);
}

static void connecting_chooses_a_peer_and_undoes_it(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    int server = make_server(w, PORT);
    int other = make_server(w, PORT + 1);
    int client = make(w, CLIENT, AF_INET);
    struct sockaddr_in in = world_in("10.0.0.2", PORT);
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    uint32_t bytes = sizeof(in);
    assert_int_equal(salut_sock_connect(s, client, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(salut_sock_getpeername(s, client, (struct sockaddr *)&in, &bytes), 0);
    assert_int_equal(ntohs(in.sin_port), PORT);
    assert_int_equal(salut_sock_getsockname(s, client, (struct sockaddr *)&in, &bytes), 0);
    assert_int_equal(in.sin_addr.s_addr, htonl(0x0a000001));
    assert_int_equal(world_get_int(w, CLIENT, client, IPPROTO_IP, IP_MTU), 1500);
    assert_int_equal(world_bind(w, CLIENT, client, "10.0.0.1", 99), -EINVAL);
    world_send(w, CLIENT, client, "to my peer");
    struct sockaddr_in from = expect_from(w, SERVER, server, "to my peer");
    send_to(w, SERVER, other, "10.0.0.1", ntohs(from.sin_port), "not your peer");
    send_to(w, SERVER, server, "10.0.0.1", ntohs(from.sin_port), "your peer");
    world_expect(w, CLIENT, client, "your peer");
    /* A named destination goes before the peer. */
    send_to(w, CLIENT, client, "10.0.0.2", PORT + 1, "elsewhere");
    expect_from(w, SERVER, other, "elsewhere");
    assert_int_equal(salut_sock_connect(s, client, &nobody, sizeof(nobody)), 0);
    assert_int_equal(salut_sock_getpeername(s, client, (struct sockaddr *)&in, &bytes), -ENOTCONN);
    assert_int_equal(salut_sock_send(s, client, "x", 1, 0), -EDESTADDRREQ);
    /* The port that connect() chose is nobody's again. */
    assert_int_equal(salut_sock_getsockname(s, client, (struct sockaddr *)&in, &bytes), 0);
    assert_int_equal(in.sin_port, 0);
    /* One that was bound stays. */
    assert_int_equal(world_bind(w, CLIENT, client, "0.0.0.0", 4000), 0);
    in = world_in("10.0.0.2", PORT);
    assert_int_equal(salut_sock_connect(s, client, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(salut_sock_connect(s, client, &nobody, sizeof(nobody)), 0);
    assert_int_equal(salut_sock_getsockname(s, client, (struct sockaddr *)&in, &bytes), 0);
    assert_int_equal(ntohs(in.sin_port), 4000);
    assert_int_equal(in.sin_addr.s_addr, 0);
    in = world_in("10.0.0.2", 0);
    assert_int_equal(salut_sock_connect(s, client, (struct sockaddr *)&in, sizeof(in)), -EINVAL);
}

static void refusal_is_reported_once(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    int client = make(w, CLIENT, AF_INET);
    int loose = make(w, CLIENT, AF_INET);
    struct sockaddr_in in = world_in("10.0.0.2", 99);
    char byte;
    assert_int_equal(salut_sock_connect(s, client, (struct sockaddr *)&in, sizeof(in)), 0);
    world_send(w, CLIENT, client, "knock");
    assert_int_equal(salut_sock_ready(s, client) & (POLLERR | POLLIN), POLLERR | POLLIN);
    assert_int_equal(world_error(w, CLIENT, client), ECONNREFUSED);
    assert_int_equal(world_error(w, CLIENT, client), 0);
    assert_int_equal(salut_sock_ready(s, client) & POLLERR, 0);
    world_send(w, CLIENT, client, "knock");
    assert_int_equal(salut_sock_recv(s, client, &byte, 1, 0), -ECONNREFUSED);
    assert_int_equal(salut_sock_recv(s, client, &byte, 1, 0), -EAGAIN);
    world_send(w, CLIENT, client, "knock");
    assert_int_equal(salut_sock_send(s, client, "x", 1, 0), -ECONNREFUSED);
    send_to(w, CLIENT, loose, "10.0.0.2", 99, "knock");
    assert_int_equal(world_error(w, CLIENT, loose), 0);
    assert_int_equal(salut_sock_recv(s, loose, &byte, 1, 0), -EAGAIN);
}

static void what_is_refused(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    int fd = make(w, CLIENT, AF_INET);
    int second = make(w, CLIENT, AF_INET);
    static char large[65508];
    struct sockaddr_in in = world_in("10.0.0.2", PORT);
    struct salut_sock_peer peer = {.addr = (struct sockaddr *)&in, .bytes = sizeof(in)};
    assert_int_equal(salut_sock_sendto(s, fd, large, sizeof(large), &peer), -EMSGSIZE);
    assert_int_equal(salut_sock_sendto(s, fd, large, sizeof(large) - 1, &peer), 65507);
    world_turn(w);
    peer.flags = MSG_MORE;
    assert_int_equal(salut_sock_sendto(s, fd, large, 1, &peer), -EOPNOTSUPP);
    peer.flags = 0;
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
    assert_int_equal(salut_sock_sendto(s, fd, large, 1473, &peer), -EMSGSIZE);
    assert_int_equal(salut_sock_sendto(s, fd, large, 1472, &peer), 1472);
    world_turn(w);
    in = world_in("10.0.0.255", PORT);
    assert_int_equal(salut_sock_sendto(s, fd, large, 1, &peer), -EACCES);
    assert_int_equal(salut_sock_connect(s, second, (struct sockaddr *)&in, sizeof(in)), -EACCES);
    assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_BROADCAST, 7), 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_BROADCAST), 1);
    assert_int_equal(salut_sock_sendto(s, fd, large, 1, &peer), 1);
    world_turn(w);
    in = world_in("10.0.0.2", 0);
    assert_int_equal(salut_sock_sendto(s, fd, large, 1, &peer), -EINVAL);
    in = world_in("192.0.2.1", 9);
    assert_int_equal(salut_sock_sendto(s, fd, large, 1, &peer), -ENETUNREACH);
    /* Ports. */
    assert_int_equal(world_bind(w, CLIENT, second, "10.9.9.9", 4000), -EADDRNOTAVAIL);
    assert_int_equal(world_bind(w, CLIENT, second, "10.0.0.1", 4000), 0);
    assert_int_equal(world_bind(w, CLIENT, second, "10.0.0.1", 4001), -EINVAL);
    int third = make(w, CLIENT, AF_INET);
    assert_int_equal(world_bind(w, CLIENT, third, "0.0.0.0", 4000), -EADDRINUSE);
    /* TCP's ports are others. */
    int stream = world_socket(w, CLIENT);
    assert_int_equal(world_bind(w, CLIENT, stream, "10.0.0.1", 4000), 0);
    int a = make(w, CLIENT, AF_INET);
    int b = make(w, CLIENT, AF_INET);
    assert_int_equal(world_set_int(w, CLIENT, a, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    assert_int_equal(world_set_int(w, CLIENT, b, SOL_SOCKET, SO_REUSEPORT, 1), 0);
    assert_int_equal(world_bind(w, CLIENT, a, "10.0.0.1", 5000), 0);
    assert_int_equal(world_bind(w, CLIENT, b, "10.0.0.1", 5000), 0);
}

static ptrdiff_t receive_control(struct world *w, int fd, struct msghdr *msg, char *data)
{
    static struct iovec piece;
    piece = (struct iovec){data, 16};
    msg->msg_iov = &piece;
    msg->msg_iovlen = 1;
    return salut_sock_recvmsg(w->socks[SERVER], fd, msg, 0);
}

static void control_messages_tell_where_it_went(void **state)
{
    struct world *w = *state;
    int server = make(w, SERVER, AF_INET6);
    int client = make(w, CLIENT, AF_INET6);
    struct sockaddr_in6 in6 = world_in6("::", PORT);
    struct sockaddr_in6 to = world_in6("fd00::2", PORT);
    uint8_t control[256];
    char data[16];
    struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof(control)};
    assert_int_equal(
        salut_sock_bind(w->socks[SERVER], server, (struct sockaddr *)&in6, sizeof(in6)), 0);
    assert_int_equal(world_set_int(w, SERVER, server, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), 0);
    assert_int_equal(world_set_int(w, SERVER, server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1), 0);
    assert_int_equal(world_set_int(w, CLIENT, client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9), 0);
    struct salut_sock_peer peer = {.addr = (struct sockaddr *)&to, .bytes = sizeof(to)};
    assert_int_equal(salut_sock_sendto(w->socks[CLIENT], client, "six", 3, &peer), 3);
    world_turn(w);
    in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
    msg.msg_name = &in6;
    msg.msg_namelen = sizeof(in6);
    assert_int_equal(receive_control(w, server, &msg, data), 3);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    assert_non_null(c);
    assert_int_equal(c->cmsg_type, IPV6_PKTINFO);
    struct in6_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof(info));
    assert_memory_equal(&info.ipi6_addr, &to.sin6_addr, 16);
    c = CMSG_NXTHDR(&msg, c);
    assert_non_null(c);
    assert_int_equal(c->cmsg_type, IPV6_HOPLIMIT);
    int hops;
    memcpy(&hops, CMSG_DATA(c), sizeof(hops));
    assert_int_equal(hops, 9);
    assert_null(CMSG_NXTHDR(&msg, c));
    /* The answer comes from the address that the same message names. */
    struct iovec piece = {data, 3};
    struct msghdr back = {.msg_name = &in6,
                          .msg_namelen = sizeof(in6),
                          .msg_iov = &piece,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = CMSG_SPACE(sizeof(info))};
    assert_int_equal(salut_sock_sendmsg(w->socks[SERVER], server, &back, 0), 3);
    world_turn(w);
    world_expect(w, CLIENT, client, "six");
    control[CMSG_LEN(0)] ^= 1; /* an address that is not ours */
    assert_int_equal(salut_sock_sendmsg(w->socks[SERVER], server, &back, 0), -EADDRNOTAVAIL);
    /* No room for all of them. */
    assert_int_equal(salut_sock_sendto(w->socks[CLIENT], client, "six", 3, &peer), 3);
    world_turn(w);
    msg.msg_controllen = CMSG_SPACE(sizeof(info));
    assert_int_equal(receive_control(w, server, &msg, data), 3);
    assert_int_equal(msg.msg_flags, MSG_CTRUNC);
}

/* A v6 socket talks to IPv4 through mapped addresses, unless it is told not to. */
static void mapped_addresses(void **state)
{
    struct world *w = *state;
    int server = make_server(w, PORT);
    int client = make(w, CLIENT, AF_INET6);
    int strict = make(w, CLIENT, AF_INET6);
    struct sockaddr_in6 in6 = world_in6("::ffff:10.0.0.2", PORT);
    struct salut_sock_peer peer = {.addr = (struct sockaddr *)&in6, .bytes = sizeof(in6)};
    assert_int_equal(salut_sock_sendto(w->socks[CLIENT], client, "four", 4, &peer), 4);
    world_turn(w);
    struct sockaddr_in from = expect_from(w, SERVER, server, "four");
    send_to(w, SERVER, server, "10.0.0.1", ntohs(from.sin_port), "back");
    char got[8];
    memset(&in6, 0, sizeof(in6));
    assert_int_equal(salut_sock_recvfrom(w->socks[CLIENT], client, got, 8, &peer), 4);
    struct sockaddr_in6 expected = world_in6("::ffff:10.0.0.2", PORT);
    assert_memory_equal(&in6.sin6_addr, &expected.sin6_addr, 16);
    assert_int_equal(world_set_int(w, CLIENT, strict, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    assert_int_equal(salut_sock_sendto(w->socks[CLIENT], strict, "four", 4, &peer), -ENETUNREACH);
}

static void epoll_sees_every_arrival(void **state)
{
    struct world *w = *state;
    int server = make_server(w, PORT);
    int client = make(w, CLIENT, AF_INET);
    struct salut_socks *s = w->socks[SERVER];
    int epoll = salut_sock_epoll_create(s, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    assert_int_equal(salut_sock_epoll_ctl(s, epoll, EPOLL_CTL_ADD, server, &event), 0);
    assert_int_equal(salut_sock_epoll_wait(s, epoll, &event, 1), 0);
    for (int i = 0; i < 3; i++) { /* also when it was readable already */
        send_to(w, CLIENT, client, "10.0.0.2", PORT, "x");
        assert_int_equal(salut_sock_epoll_wait(s, epoll, &event, 1), 1);
        assert_int_equal(event.events, EPOLLIN);
        assert_int_equal(salut_sock_epoll_wait(s, epoll, &event, 1), 0);
    }
    assert_int_equal(salut_sock_close(s, server), 0);
    assert_int_equal(salut_sock_epoll_wait(s, epoll, &event, 1), 0);
}

/* What does not fit the send queue is -EAGAIN until the next turn; buffers are options. */
static void queues_have_limits(void **state)
{
    struct world *w = *state;
    int server = make_server(w, PORT);
    int client = make(w, CLIENT, AF_INET);
    static char data[3000];
    int queued = 0;
    struct sockaddr_in in = world_in("10.0.0.2", PORT);
    struct salut_sock_peer peer = {.addr = (struct sockaddr *)&in, .bytes = sizeof(in)};
    assert_int_equal(world_set_int(w, CLIENT, client, SOL_SOCKET, SO_SNDBUF, 3000), 0);
    assert_int_equal(world_get_int(w, CLIENT, client, SOL_SOCKET, SO_SNDBUF), 6000);
    assert_int_equal(salut_sock_sendto(w->socks[CLIENT], client, data, sizeof(data), &peer), 3000);
    assert_int_equal(salut_sock_ioctl(w->socks[CLIENT], client, SIOCOUTQ, &queued), 0);
    assert_int_equal(queued, 3040);
    assert_int_equal(salut_sock_sendto(w->socks[CLIENT], client, data, 1, &peer), -EAGAIN);
    assert_int_equal(salut_sock_ready(w->socks[CLIENT], client) & POLLOUT, 0);
    world_turn(w);
    assert_int_equal(salut_sock_ready(w->socks[CLIENT], client) & POLLOUT, POLLOUT);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], server, data, sizeof(data), 0), 3000);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], client), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(what_a_fresh_socket_says),
        world_test(question_and_answer),
        world_test(truncation_and_peeking),
        world_test(connecting_chooses_a_peer_and_undoes_it),
        world_test(refusal_is_reported_once),
        world_test(what_is_refused),
        world_test(control_messages_tell_where_it_went),
        world_test(mapped_addresses),
        world_test(epoll_sees_every_arrival),
        world_test(queues_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
