/* Opening through sockets: socket, bind, listen, accept, connect (SOCK-30..38, 50..65).
 */
#include "sock/world.h"

static void sockets_that_do_not_exist(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    char byte;
    assert_int_equal(salut_sock_socket(s, AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(salut_sock_socket(s, AF_INET, SOCK_RAW, 0), -ESOCKTNOSUPPORT);
    assert_int_equal(salut_sock_socket(s, AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
    for (int fd = -1; fd < 10000; fd += 3333) {
        assert_int_equal(salut_sock_recv(s, fd, &byte, 1, 0), -EBADF);
        assert_int_equal(salut_sock_send(s, fd, &byte, 1, 0), -EBADF);
        assert_int_equal(salut_sock_listen(s, fd, 1), -EBADF);
        assert_int_equal(salut_sock_accept(s, fd, NULL, NULL, 0), -EBADF);
        assert_int_equal(salut_sock_close(s, fd), -EBADF);
        assert_int_equal(salut_sock_ready(s, fd), POLLNVAL);
    }
}

static void lowest_descriptor_first(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    for (int i = 0; i < 200; i++) {
        assert_int_equal(world_socket(w, CLIENT), 3 + i);
    }
    assert_int_equal(salut_sock_close(s, 77), 0);
    assert_int_equal(salut_sock_close(s, 5), 0);
    assert_int_equal(world_socket(w, CLIENT), 5);
    assert_int_equal(world_socket(w, CLIENT), 77);
    assert_int_equal(world_socket(w, CLIENT), 203);
}

/* SOCK-30, SOCK-31 */
static void connect_says_how_it_goes(void **state)
{
    struct world *w = *state;
    (void)world_listen(w, PORT);
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    assert_int_equal(world_connect(w, fd, PORT), -EALREADY);
    assert_int_equal(salut_sock_ready(w->socks[CLIENT], fd), 0);
    world_turn(w);
    assert_int_equal(salut_sock_ready(w->socks[CLIENT], fd) & POLLOUT, POLLOUT);
    assert_int_equal(world_error(w, CLIENT, fd), 0);
    assert_int_equal(world_connect(w, fd, PORT), 0);
    assert_int_equal(world_connect(w, fd, PORT), -EISCONN);
}

/* SOCK-23, SOCK-31, SOCK-33 */
static void refused_and_again(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    short bits = salut_sock_ready(w->socks[CLIENT], fd);
    short wanted = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP;
    assert_int_equal(bits & wanted, wanted);
    assert_int_equal(world_connect(w, fd, PORT), -ECONNREFUSED);
    (void)world_listen(w, PORT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(world_connect(w, fd, PORT), 0);
}

static void refused_then_error_read(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(world_error(w, CLIENT, fd), ECONNREFUSED);
    assert_int_equal(world_error(w, CLIENT, fd), 0); /* SOCK-29 */
    assert_int_equal(world_connect(w, fd, PORT), -ECONNABORTED);
}

/* SOCK-24 */
static void nobody_answers(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    (void)world_listen(w, PORT);
    world_turn(w);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_SYNCNT, 2), 0);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w); /* addresses are resolved, and the handshake is through */
    int second = world_socket(w, CLIENT);
    assert_int_equal(world_set_int(w, CLIENT, second, IPPROTO_TCP, TCP_SYNCNT, 2), 0);
    w->cut = true;
    assert_int_equal(world_connect(w, second, PORT), -EINPROGRESS);
    world_pass(w, 5 * SLT_NS_PER_S);
    assert_int_equal(world_connect(w, second, PORT), -EALREADY);
    world_pass(w, 30 * SLT_NS_PER_S);
    assert_int_equal(world_error(w, CLIENT, second), ETIMEDOUT);
}

/* SOCK-34 */
static void unspec_disconnects(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    assert_int_equal(salut_sock_connect(w->socks[CLIENT], t.client, &none, sizeof(none)), 0);
    world_turn(w);
    char byte;
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), -ECONNRESET);
    assert_int_equal(world_error(w, CLIENT, t.client), ECONNRESET);
    assert_int_equal(world_connect(w, t.client, PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(world_connect(w, t.client, PORT), 0);
}

/* SOCK-35, SOCK-36 */
static void connects_that_cannot_be(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    struct sockaddr_in in = world_in("10.0.0.1", 1);
    struct salut_socks *s = w->socks[SERVER];
    assert_int_equal(salut_sock_connect(s, listener, (const struct sockaddr *)&in, sizeof(in)),
                     -EISCONN);
    int fd = world_socket(w, SERVER);
    assert_int_equal(salut_sock_connect(s, fd, (const struct sockaddr *)&in, 4), -EINVAL);
    in = world_in("255.255.255.255", 1);
    assert_int_equal(salut_sock_connect(s, fd, (const struct sockaddr *)&in, sizeof(in)),
                     -ENETUNREACH);
    in = world_in("224.0.0.1", 1);
    assert_int_equal(salut_sock_connect(s, fd, (const struct sockaddr *)&in, sizeof(in)),
                     -ENETUNREACH);
    in = world_in("203.0.113.1", 1);
    assert_int_equal(salut_sock_connect(s, fd, (const struct sockaddr *)&in, sizeof(in)),
                     -ENETUNREACH);
}

/* SOCK-53, SOCK-54 */
static void accept_tells_the_peer(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    struct salut_socks *s = w->socks[SERVER];
    struct sockaddr_in peer;
    uint32_t bytes = sizeof(peer);
    assert_int_equal(salut_sock_accept(s, listener, NULL, NULL, 0), -EAGAIN);
    assert_int_equal(world_set_int(w, SERVER, listener, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_bind(w, CLIENT, fd, "10.0.0.1", 4242), 0);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(salut_sock_ready(s, listener), POLLIN | POLLRDNORM);
    int child = salut_sock_accept(s, listener, (struct sockaddr *)&peer, &bytes, 0);
    assert_true(child > 0);
    assert_int_equal(bytes, sizeof(peer));
    assert_int_equal(peer.sin_family, AF_INET);
    assert_int_equal(ntohs(peer.sin_port), 4242);
    assert_int_equal(ntohl(peer.sin_addr.s_addr), 0x0a000001);
    assert_true(salut_sock_blocks(s, child));
    assert_int_equal(world_get_int(w, SERVER, child, IPPROTO_TCP, TCP_NODELAY), 1);
    bytes = sizeof(peer);
    assert_int_equal(salut_sock_getsockname(s, child, (struct sockaddr *)&peer, &bytes), 0);
    assert_int_equal(ntohs(peer.sin_port), PORT);
    assert_int_equal(salut_sock_accept(s, child, NULL, NULL, 0), -EINVAL);
    assert_int_equal(salut_sock_ready(s, listener), 0);
}

/* SOCK-08 */
static void closing_a_listener_resets_what_waits(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(world_connect(w, fd, PORT), 0);
    assert_int_equal(salut_sock_close(w->socks[SERVER], listener), 0);
    world_turn(w);
    assert_int_equal(world_error(w, CLIENT, fd), ECONNRESET);
}

/* SOCK-55 */
static void listen_chooses_and_changes(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[SERVER];
    struct sockaddr_in here;
    uint32_t bytes = sizeof(here);
    int fd = world_socket(w, SERVER);
    assert_int_equal(salut_sock_listen(s, fd, 1), 0);
    assert_int_equal(salut_sock_getsockname(s, fd, (struct sockaddr *)&here, &bytes), 0);
    assert_true(ntohs(here.sin_port) >= 1024);
    assert_int_equal(salut_sock_listen(s, fd, -1), 0);
    struct trio t = world_trio(w);
    assert_int_equal(salut_sock_listen(s, t.server, 1), -EINVAL);
}

/* SOCK-60, SOCK-64, SOCK-65 */
static void bind_conflicts(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[SERVER];
    int a = world_socket(w, SERVER);
    int b = world_socket(w, SERVER);
    assert_int_equal(world_bind(w, SERVER, a, "10.9.9.9", 1), -EADDRNOTAVAIL);
    assert_int_equal(world_bind(w, SERVER, a, "10.0.0.2", PORT), 0);
    assert_int_equal(world_bind(w, SERVER, a, "10.0.0.2", PORT + 1), -EINVAL);
    assert_int_equal(world_bind(w, SERVER, b, "10.0.0.2", PORT), -EADDRINUSE);
    assert_int_equal(world_bind(w, SERVER, b, "0.0.0.0", PORT), -EADDRINUSE);
    assert_int_equal(world_bind(w, SERVER, b, "0.0.0.0", 0), 0);
    int six = salut_sock_socket(s, AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 any = world_in6("::", PORT);
    assert_int_equal(salut_sock_bind(s, six, (const struct sockaddr *)&any, sizeof(any)),
                     -EADDRINUSE);
    assert_int_equal(world_set_int(w, SERVER, six, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    assert_int_equal(salut_sock_bind(s, six, (const struct sockaddr *)&any, sizeof(any)), 0);
    struct sockaddr_in in = world_in("10.0.0.2", 1);
    assert_int_equal(salut_sock_bind(s, six, (const struct sockaddr *)&in, sizeof(in)), -EINVAL);
}

/* SOCK-61, SOCK-62 */
static void reuse_addr(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[SERVER];
    int a = world_socket(w, SERVER);
    int b = world_socket(w, SERVER);
    int c = world_socket(w, SERVER);
    assert_int_equal(world_set_int(w, SERVER, a, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(world_set_int(w, SERVER, b, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(world_bind(w, SERVER, a, "0.0.0.0", PORT), 0);
    assert_int_equal(world_bind(w, SERVER, b, "0.0.0.0", PORT), 0);
    assert_int_equal(world_bind(w, SERVER, c, "0.0.0.0", PORT), -EADDRINUSE);
    assert_int_equal(salut_sock_listen(s, a, 1), 0);
    assert_int_equal(salut_sock_listen(s, b, 1), -EADDRINUSE);
}

/* SOCK-61: connections that end in the background hold their port against those who do not ask. */
static void time_wait_holds_the_port(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct salut_socks *s = w->socks[SERVER];
    assert_int_equal(salut_sock_close(s, t.server), 0);
    assert_int_equal(salut_sock_close(s, t.listener), 0);
    world_turn(w);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], t.client), 0);
    world_turn(w);
    int fd = world_socket(w, SERVER);
    assert_int_equal(world_bind(w, SERVER, fd, "0.0.0.0", PORT), -EADDRINUSE);
    assert_int_equal(world_set_int(w, SERVER, fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    assert_int_equal(world_bind(w, SERVER, fd, "0.0.0.0", PORT), 0);
    int second = world_socket(w, SERVER);
    world_pass(w, 61 * SLT_NS_PER_S);
    assert_int_equal(salut_sock_close(s, fd), 0);
    assert_int_equal(world_bind(w, SERVER, second, "0.0.0.0", PORT), 0);
}

/* SOCK-63 */
static void reuse_port(void **state)
{
    struct world *w = *state;
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = world_socket(w, SERVER);
        assert_int_equal(world_set_int(w, SERVER, fds[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
        assert_int_equal(world_bind(w, SERVER, fds[i], "0.0.0.0", PORT), 0);
        assert_int_equal(salut_sock_listen(w->socks[SERVER], fds[i], 64), 0);
    }
    for (int i = 0; i < 40; i++) {
        assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT), -EINPROGRESS);
    }
    world_turn(w);
    int accepted[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        while (salut_sock_accept(w->socks[SERVER], fds[i], NULL, NULL, 0) >= 0) {
            accepted[i]++;
        }
    }
    assert_int_equal(accepted[0] + accepted[1], 40);
    assert_true(accepted[0] > 0 && accepted[1] > 0);
}

/* A dual-stack listener takes both families, and names IPv4 peers as mapped addresses. */
static void six_takes_four(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[SERVER];
    struct sockaddr_in6 any = world_in6("::", PORT);
    struct sockaddr_in6 peer;
    uint32_t bytes = sizeof(peer);
    int fd = salut_sock_socket(s, AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(salut_sock_bind(s, fd, (const struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(salut_sock_listen(s, fd, 4), 0);
    assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT), -EINPROGRESS);
    world_turn(w);
    assert_true(salut_sock_accept(s, fd, (struct sockaddr *)&peer, &bytes, 0) > 0);
    assert_int_equal(bytes, sizeof(peer));
    assert_true(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
    int six = salut_sock_socket(w->socks[CLIENT], AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 to = world_in6("fd00::2", PORT);
    assert_int_equal(
        salut_sock_connect(w->socks[CLIENT], six, (const struct sockaddr *)&to, sizeof(to)),
        -EINPROGRESS);
    world_turn(w);
    assert_true(salut_sock_accept(s, fd, NULL, NULL, 0) > 0);
}

static ptrdiff_t send_fast(struct world *w, int fd, const char *text)
{
    struct sockaddr_in to = world_in("10.0.0.2", PORT);
    struct salut_sock_peer peer = {
        .flags = MSG_FASTOPEN, .addr = (struct sockaddr *)&to, .bytes = sizeof(to)};
    return salut_sock_sendto(w->socks[CLIENT], fd, text, strlen(text), &peer);
}

static uint8_t info_options(struct world *w, int which, int fd)
{
    struct tcp_info info = {.tcpi_state = 0};
    struct salut_sock_opt opt = {IPPROTO_TCP, TCP_INFO, &info, sizeof(info)};
    assert_int_equal(salut_sock_getsockopt(w->socks[which], fd, &opt), 0);
    return info.tcpi_options;
}

/* RFC 7413: the first time a cookie, then data on the SYN, by both of Linux's ways. */
static void t_r7413_06_07_fast_open(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[SERVER];
    int listener = world_listen(w, PORT);
    assert_int_equal(world_set_int(w, SERVER, listener, IPPROTO_TCP, TCP_FASTOPEN, 5), 0);
    assert_int_equal(world_get_int(w, SERVER, listener, IPPROTO_TCP, TCP_FASTOPEN), 5);
    int first = world_socket(w, CLIENT);
    assert_int_equal(send_fast(w, first, "lost"), -EINPROGRESS);
    world_turn(w);
    int child = salut_sock_accept(s, listener, NULL, NULL, 0);
    assert_true(child > 0);
    assert_int_equal(info_options(w, SERVER, child) & 32, 0);
    assert_int_equal(send_fast(w, first, "more"), -EALREADY);

    int second = world_socket(w, CLIENT);
    assert_int_equal(send_fast(w, second, "hello"), 5);
    world_turn(w);
    child = salut_sock_accept(s, listener, NULL, NULL, 0);
    assert_true(child > 0);
    assert_int_equal(salut_sock_ready(s, child) & (POLLIN | POLLOUT), POLLIN | POLLOUT);
    world_expect(w, SERVER, child, "hello");
    world_send(w, SERVER, child, "salut");
    world_expect(w, CLIENT, second, "salut");
    assert_int_equal(info_options(w, SERVER, child) & 32, 32);
    assert_int_equal(info_options(w, CLIENT, second) & 32, 32);

    int third = world_socket(w, CLIENT);
    assert_int_equal(world_set_int(w, CLIENT, third, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
    assert_int_equal(world_connect(w, third, PORT), 0);
    world_turn(w);
    assert_int_equal(salut_sock_accept(s, listener, NULL, NULL, 0), -EAGAIN);
    assert_int_equal(salut_sock_ready(w->socks[CLIENT], third), POLLOUT | POLLWRNORM);
    assert_int_equal(world_connect(w, third, PORT), -EISCONN);
    world_send(w, CLIENT, third, "third");
    child = salut_sock_accept(s, listener, NULL, NULL, 0);
    assert_true(child > 0);
    world_expect(w, SERVER, child, "third");
    assert_int_equal(world_set_int(w, CLIENT, third, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1),
                     -EINVAL);
    assert_int_equal(world_set_int(w, CLIENT, third, IPPROTO_TCP, TCP_FASTOPEN, 1), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(sockets_that_do_not_exist),
        world_test(lowest_descriptor_first),
        world_test(connect_says_how_it_goes),
        world_test(refused_and_again),
        world_test(refused_then_error_read),
        world_test(nobody_answers),
        world_test(unspec_disconnects),
        world_test(connects_that_cannot_be),
        world_test(accept_tells_the_peer),
        world_test(closing_a_listener_resets_what_waits),
        world_test(listen_chooses_and_changes),
        world_test(bind_conflicts),
        world_test(reuse_addr),
        world_test(time_wait_holds_the_port),
        world_test(reuse_port),
        world_test(six_takes_four),
        world_test(t_r7413_06_07_fast_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
