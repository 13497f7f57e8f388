/* Bytes, errors and closing through sockets (SOCK-01..29, 70..79).
 */
#include "sock/world.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static int ask(struct world *w, int which, int fd, unsigned long request)
{
    int value = -1;
    assert_int_equal(salut_sock_ioctl(w->socks[which], fd, request, &value), 0);
    return value;
}

static void both_ways(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char a[3];
    char b[16];
    char byte;
    world_send(w, CLIENT, t.client, "hello");
    assert_int_equal(ask(w, SERVER, t.server, SIOCINQ), 5); /* SOCK-79 */
    struct iovec in[] = {{a, 3}, {b, 16}};
    assert_int_equal(salut_sock_readv(w->socks[SERVER], t.server, in, 2), 5);
    assert_memory_equal(a, "hel", 3);
    assert_memory_equal(b, "lo", 2);
    assert_int_equal(salut_sock_read(w->socks[SERVER], t.server, b, 16), -EAGAIN);
    struct iovec out[] = {{"sa", 2}, {"lut", 3}};
    assert_int_equal(salut_sock_writev(w->socks[SERVER], t.server, out, 2), 5);
    assert_int_equal(ask(w, SERVER, t.server, SIOCOUTQ), 5);
    assert_int_equal(ask(w, SERVER, t.server, SIOCOUTQNSD), 5);
    world_turn(w);
    world_expect(w, CLIENT, t.client, "salut");
    world_pass(w, SLT_NS_PER_S);
    assert_int_equal(ask(w, SERVER, t.server, SIOCOUTQ), 0);
    /* SOCK-78 */
    assert_int_equal(salut_sock_read(w->socks[CLIENT], t.client, &byte, 0), 0);
    assert_int_equal(salut_sock_recv(w->socks[CLIENT], t.client, &byte, 0, 0), -EAGAIN);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, &byte, 0, 0), 0);
}

/* Read all that is there and compare it with a stretch of what was lent. */
static size_t expect_stretch(struct world *w, int fd, const uint8_t *body, size_t from)
{
    uint8_t got[4096];
    ptrdiff_t n;
    while ((n = salut_sock_read(w->socks[SERVER], fd, got, sizeof(got))) > 0) {
        assert_memory_equal(got, body + from, (size_t)n);
        from += (size_t)n;
    }
    assert_int_equal(n, -EAGAIN);
    return from;
}

static void lent_memory(void **state)
{
    static uint8_t body[30000];
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct salut_loan loan = {.base = body, .bytes = sizeof(body), .user = 77};
    struct salut_loan back;
    struct salut_socks *s = w->socks[CLIENT];
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    assert_int_equal(salut_sock_lend(s, t.client, &loan, MSG_NOSIGNAL), sizeof(body));
    assert_int_equal(ask(w, CLIENT, t.client, SIOCOUTQ), sizeof(body));
    assert_false(salut_take_back(w->stacks[CLIENT], &back));
    size_t got = 0;
    while (got < sizeof(body)) {
        world_pass(w, SLT_NS_PER_S);
        got = expect_stretch(w, t.server, body, got);
    }
    world_pass(w, SLT_NS_PER_S);
    assert_true(salut_take_back(w->stacks[CLIENT], &back));
    assert_int_equal(back.user, 77);
    assert_false(salut_take_back(w->stacks[CLIENT], &back));
    loan.bytes = SALUT_LOAN_BYTES_MAX + 1;
    assert_int_equal(salut_sock_lend(s, t.client, &loan, 0), -EINVAL);
    loan.bytes = sizeof(body);
    while (salut_sock_lend(s, t.client, &loan, 0) > 0) {
    }
    assert_int_equal(salut_sock_lend(s, t.client, &loan, 0), -EAGAIN);
    assert_int_equal(salut_sock_lend(s, 9999, &loan, 0), -EBADF);
    assert_int_equal(salut_sock_shutdown(s, t.client, SHUT_WR), 0);
    assert_int_equal(salut_sock_lend(s, t.client, &loan, 0), -EPIPE);
    int fresh = world_socket(w, CLIENT);
    assert_int_equal(salut_sock_lend(s, fresh, &loan, 0), -EPIPE);
}

static void messages(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char a[2];
    char b[8];
    struct sockaddr_in from;
    salut_conn conn;
    struct iovec out[] = {{"one", 3}, {"two", 3}};
    struct iovec in[] = {{a, 2}, {b, 8}};
    struct msghdr send = {.msg_iov = out, .msg_iovlen = 2};
    struct msghdr recv = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = in, .msg_iovlen = 2};
    assert_int_equal(salut_sock_sendmsg(w->socks[CLIENT], t.client, &send, MSG_NOSIGNAL), 6);
    world_turn(w);
    assert_int_equal(salut_sock_recvmsg(w->socks[SERVER], t.server, &recv, 0), 6);
    assert_memory_equal(a, "on", 2);
    assert_memory_equal(b, "etwo", 4);
    assert_int_equal(recv.msg_namelen, 0);
    send.msg_iovlen = 5000;
    assert_int_equal(salut_sock_sendmsg(w->socks[CLIENT], t.client, &send, 0), -EMSGSIZE);
    struct salut_sock_peer peer = {.addr = (struct sockaddr *)&from, .bytes = sizeof(from)};
    assert_int_equal(salut_sock_sendto(w->socks[CLIENT], t.client, "x", 1, &peer), 1);
    world_turn(w);
    assert_int_equal(salut_sock_recvfrom(w->socks[SERVER], t.server, b, 8, &peer), 1);
    assert_int_equal(peer.bytes, 0);
    assert_int_equal(salut_sock_conn(w->socks[SERVER], t.server, &conn), SALUT_OK);
    assert_int_equal(salut_sock_conn(w->socks[SERVER], t.listener, &conn), SALUT_NOT_CONNECTED);
    assert_int_equal(salut_sock_conn(w->socks[SERVER], 999, &conn), SALUT_STALE);
    salut_listener listener;
    assert_int_equal(salut_sock_listener(w->socks[SERVER], t.listener, &listener), SALUT_OK);
    assert_int_equal(salut_accept(w->stacks[SERVER], listener, 0, &conn), SALUT_WOULD_BLOCK);
    assert_int_equal(salut_sock_listener(w->socks[SERVER], t.server, &listener), SALUT_INVALID);
    assert_int_equal(salut_sock_listener(w->socks[SERVER], 999, &listener), SALUT_STALE);
}

/* SOCK-70: what does not fit is not taken; nothing is lost, and the order is kept. */
static void partial_writes(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    enum { BYTES = 4 << 20 };
    uint8_t *data = malloc(BYTES);
    uint8_t *back = malloc(BYTES);
    assert_non_null(data);
    assert_non_null(back);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    size_t sent = 0;
    size_t got = 0;
    bool refused = false;
    for (int i = 0; got < BYTES && i < 100000; i++) {
        ptrdiff_t n = salut_sock_send(w->socks[CLIENT], t.client, data + sent, BYTES - sent, 0);
        refused = refused || n == -EAGAIN || (n > 0 && (size_t)n < BYTES - sent);
        sent += n > 0 ? (size_t)n : 0;
        world_turn(w);
        n = salut_sock_recv(w->socks[SERVER], t.server, back + got, BYTES - got, 0);
        got += n > 0 ? (size_t)n : 0;
        if (n == -EAGAIN) {
            world_pass(w, 10 * SLT_NS_PER_MS);
        }
    }
    assert_true(refused);
    assert_int_equal(got, BYTES);
    assert_memory_equal(data, back, BYTES);
    free(data);
    free(back);
}

/* SOCK-71, SOCK-76 */
static void peek_and_trunc(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char buffer[8] = "________";
    world_send(w, CLIENT, t.client, "abcdef");
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, buffer, 3, MSG_PEEK), 3);
    assert_memory_equal(buffer, "abc", 3);
    assert_int_equal(ask(w, SERVER, t.server, SIOCINQ), 6);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, NULL, 2, MSG_TRUNC), 2);
    world_expect(w, SERVER, t.server, "cdef");
}

/* SOCK-74, SOCK-79 */
static void urgent_byte(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct salut_socks *s = w->socks[SERVER];
    char byte = 0;
    assert_int_equal(salut_sock_recv(s, t.server, &byte, 1, MSG_OOB), -EINVAL);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "abX", 3, MSG_OOB), 3);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "cd", 2, 0), 2);
    world_turn(w);
    assert_int_equal(salut_sock_ready(s, t.server) & POLLPRI, POLLPRI);
    assert_int_equal(ask(w, SERVER, t.server, SIOCINQ), 2);
    assert_int_equal(ask(w, SERVER, t.server, SIOCATMARK), 0);
    assert_int_equal(salut_sock_recv(s, t.server, &byte, 1, MSG_OOB | MSG_PEEK), 1);
    assert_int_equal(salut_sock_recv(s, t.server, &byte, 1, MSG_OOB), 1);
    assert_int_equal(byte, 'X');
    assert_int_equal(salut_sock_recv(s, t.server, &byte, 1, MSG_OOB), -EINVAL);
    assert_int_equal(salut_sock_ready(s, t.server) & POLLPRI, 0);
    world_expect(w, SERVER, t.server, "ab"); /* up to the mark */
    assert_int_equal(ask(w, SERVER, t.server, SIOCATMARK), 1);
    world_expect(w, SERVER, t.server, "cd"); /* and over it */
}

static void urgent_byte_in_line(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char byte;
    assert_int_equal(world_set_int(w, SERVER, t.server, SOL_SOCKET, SO_OOBINLINE, 1), 0);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "abX", 3, MSG_OOB), 3);
    world_turn(w);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, MSG_OOB), -EINVAL);
    world_expect(w, SERVER, t.server, "ab");
    world_expect(w, SERVER, t.server, "X");
}

/* SOCK-74: announced, but not here yet: the window is closed. */
static void urgent_byte_announced(void **state)
{
    struct world *w = *state;
    static char block[40000];
    char byte = 0;
    int listener = world_listen(w, PORT);
    assert_int_equal(world_set_int(w, SERVER, listener, SOL_SOCKET, SO_RCVBUF, 4000), 0);
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    int child = world_accept(w, listener);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], fd, block, sizeof(block), 0), sizeof(block));
    assert_int_equal(salut_sock_send(w->socks[CLIENT], fd, "X", 1, MSG_OOB), 1);
    world_pass(w, SLT_NS_PER_S);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], child, &byte, 1, MSG_OOB), -EAGAIN);
    size_t got = 0;
    for (int i = 0; i < 1000 && got < sizeof(block); i++) {
        ptrdiff_t n = salut_sock_recv(w->socks[SERVER], child, block, sizeof(block), 0);
        got += n > 0 ? (size_t)n : 0;
        world_pass(w, SLT_NS_PER_S);
    }
    assert_int_equal(got, sizeof(block)); /* all but the byte, which is here now */
    assert_int_equal(salut_sock_recv(w->socks[SERVER], child, &byte, 1, MSG_OOB), 1);
    assert_int_equal(byte, 'X');
}

/* SOCK-75: what MSG_MORE or TCP_CORK holds back leaves after 200 ms, or when TCP_NODELAY or the
 * cork's end says so; never sooner. */
static void held_back(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char byte;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world_set_int(w, CLIENT, t.client, IPPROTO_TCP, TCP_CORK, i), 0);
        int flags = i == 0 ? MSG_MORE : 0;
        assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "held", 4, flags), 4);
        world_pass(w, 190 * SLT_NS_PER_MS);
        assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), -EAGAIN);
        world_pass(w, 20 * SLT_NS_PER_MS);
        world_expect(w, SERVER, t.server, "held");
    }
    world_send(w, CLIENT, t.client, "corked");
    assert_int_equal(world_set_int(w, CLIENT, t.client, IPPROTO_TCP, TCP_CORK, 0), 0);
    world_turn(w);
    world_expect(w, SERVER, t.server, "corked");
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "flush", 5, MSG_MORE), 5);
    assert_int_equal(world_set_int(w, CLIENT, t.client, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    world_turn(w);
    world_expect(w, SERVER, t.server, "flush");
}

/* SOCK-71: a peek takes nothing, so the window stays as small as it is. */
static void peeking_opens_no_window(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    static char block[65536];
    struct salut_info before;
    struct salut_info after;
    salut_conn conn;
    world_send(w, CLIENT, t.client, "peeked at");
    assert_int_equal(salut_sock_conn(w->socks[SERVER], t.server, &conn), SALUT_OK);
    assert_int_equal(salut_get_info(w->stacks[SERVER], conn, &before), SALUT_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            salut_sock_recv(w->socks[SERVER], t.server, block, sizeof(block), MSG_PEEK), 9);
    }
    assert_int_equal(salut_get_info(w->stacks[SERVER], conn, &after), SALUT_OK);
    assert_int_equal(before.recv_queued, after.recv_queued);
    assert_int_equal(before.recv_window, after.recv_window);
    world_expect(w, SERVER, t.server, "peeked at");
}

/* SOCK-27 */
static void unconnected(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    char byte = 0;
    struct sockaddr_in in;
    uint32_t bytes = sizeof(in);
    struct salut_socks *s = w->socks[CLIENT];
    assert_int_equal(salut_sock_recv(s, fd, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(salut_sock_send(s, fd, &byte, 1, 0), -EPIPE);
    assert_int_equal(salut_sock_getpeername(s, fd, (struct sockaddr *)&in, &bytes), -ENOTCONN);
    assert_int_equal(salut_sock_shutdown(s, fd, SHUT_RDWR), -ENOTCONN);
    assert_int_equal(salut_sock_shutdown(s, fd, 17), -EINVAL); /* SOCK-13 */
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    assert_int_equal(salut_sock_recv(s, fd, &byte, 1, 0), -EAGAIN);
    assert_int_equal(salut_sock_send(s, fd, &byte, 1, 0), -EAGAIN);
}

/* SOCK-01, SOCK-11 */
static void half_close(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char byte;
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "last words", 10, 0), 10);
    assert_int_equal(salut_sock_shutdown(w->socks[CLIENT], t.client, SHUT_WR), 0);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "x", 1, 0), -EPIPE);
    world_turn(w);
    world_expect(w, SERVER, t.server, "last words");
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), 0);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), 0);
    world_send(w, SERVER, t.server, "answer");
    world_expect(w, CLIENT, t.client, "answer");
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.server), 0);
    world_turn(w);
    assert_int_equal(salut_sock_recv(w->socks[CLIENT], t.client, &byte, 1, 0), 0);
}

/* SOCK-12 */
static void shutdown_reading(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char byte;
    assert_int_equal(salut_sock_shutdown(w->socks[SERVER], t.server, SHUT_RD), 0);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), 0);
    world_send(w, CLIENT, t.client, "late");
    world_expect(w, SERVER, t.server, "late");
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), 0);
}

/* SOCK-02, SOCK-20, SOCK-21 */
static void close_unread_resets(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct salut_socks *s = w->socks[CLIENT];
    char byte;
    world_send(w, CLIENT, t.client, "unread");
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.server), 0);
    world_turn(w);
    assert_int_equal(salut_sock_recv(s, t.client, &byte, 1, 0), -ECONNRESET);
    assert_int_equal(salut_sock_recv(s, t.client, &byte, 1, 0), 0);
    assert_int_equal(salut_sock_send(s, t.client, "x", 1, 0), -EPIPE);
    assert_int_equal(world_error(w, CLIENT, t.client), 0);
}

static void reset_is_told_to_a_writer_first(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct salut_socks *s = w->socks[CLIENT];
    struct linger linger = {.l_onoff = 1, .l_linger = 0}; /* SOCK-04 */
    struct salut_sock_opt opt = {SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)};
    assert_int_equal(world_option(w, SERVER, t.server, opt), 0);
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.server), 0);
    world_turn(w);
    assert_int_equal(salut_sock_send(s, t.client, "x", 1, 0), -ECONNRESET);
    assert_int_equal(salut_sock_send(s, t.client, "x", 1, 0), -EPIPE);
}

/* SOCK-22: what came before the reset is read first. */
static void data_before_reset_stays(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    char byte;
    world_send(w, SERVER, t.server, "before");
    assert_int_equal(salut_sock_connect(w->socks[SERVER], t.server, &none, sizeof(none)), 0);
    world_turn(w);
    world_expect(w, CLIENT, t.client, "before");
    assert_int_equal(salut_sock_recv(w->socks[CLIENT], t.client, &byte, 1, 0), -ECONNRESET);
}

/* A reset in CLOSE-WAIT reads as EPIPE on Linux. */
static void reset_in_close_wait(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    char byte;
    assert_int_equal(salut_sock_shutdown(w->socks[CLIENT], t.client, SHUT_WR), 0);
    world_turn(w);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), 0);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    assert_int_equal(salut_sock_connect(w->socks[CLIENT], t.client, &none, sizeof(none)), 0);
    world_turn(w);
    assert_int_equal(world_error(w, SERVER, t.server), EPIPE);
}

static void flags_of_descriptors(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[CLIENT];
    int one = 1;
    int fd = salut_sock_socket(s, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(salut_sock_fcntl(s, fd, F_GETFL, 0), O_RDWR);
    assert_int_equal(salut_sock_fcntl(s, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    assert_int_equal(salut_sock_fcntl(s, fd, F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_false(salut_sock_blocks(s, fd));
    assert_int_equal(salut_sock_fcntl(s, fd, F_SETFL, O_RDWR), 0);
    assert_int_equal(salut_sock_ioctl(s, fd, FIONBIO, &one), 0);
    assert_false(salut_sock_blocks(s, fd));
    assert_int_equal(salut_sock_fcntl(s, fd, F_DUPFD, 0), -EINVAL);
    assert_int_equal(salut_sock_ioctl(s, fd, 0xdead, &one), -ENOTTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(both_ways),
        world_test(lent_memory),
        world_test(messages),
        world_test(partial_writes),
        world_test(peek_and_trunc),
        world_test(urgent_byte),
        world_test(urgent_byte_in_line),
        world_test(urgent_byte_announced),
        world_test(held_back),
        world_test(peeking_opens_no_window),
        world_test(unconnected),
        world_test(half_close),
        world_test(shutdown_reading),
        world_test(close_unread_resets),
        world_test(reset_is_told_to_a_writer_first),
        world_test(data_before_reset_stays),
        world_test(reset_in_close_wait),
        world_test(flags_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
