/* Socket options: values, limits, inheritance, and TCP_INFO in Linux's layout (SOCK-80..82).
 */
#include "sock/world.h"

#include <sys/time.h>

static void values_before_a_connection(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPINTVL), 75);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPCNT), 9);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_TCP, TCP_SYNCNT), 6);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_TCP, TCP_MAXSEG), 536);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_IP, IP_TTL), 64);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_IP, IP_TOS), 0);
    struct trio t = world_trio(w);
    assert_int_equal(world_get_int(w, SERVER, t.listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
}

static void limits(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    int value = 1;
    struct salut_sock_opt opt = {SOL_SOCKET, SO_KEEPALIVE, &value, 2};
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], fd, &opt), -EINVAL);
    opt = (struct salut_sock_opt){SOL_SOCKET, SO_ERROR, &value, sizeof(value)};
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], fd, &opt), -ENOPROTOOPT);
    opt = (struct salut_sock_opt){IPPROTO_TCP, 9999, &value, sizeof(value)};
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], fd, &opt), -ENOPROTOOPT);
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], fd, &opt), -ENOPROTOOPT);
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], 99, &opt), -EBADF);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPCNT, 0), -EINVAL);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPCNT, 128), -EINVAL);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_MAXSEG, 40), -EINVAL);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_IP, IP_TTL, 0), -EINVAL);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_IP, IP_TTL, 256), -EINVAL);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), -EINVAL);
}

/* SOCK-81 */
static void buffers_are_doubled(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_RCVBUF, 10000), 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_RCVBUF), 20000);
    assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_RCVBUF, 1), 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_RCVBUF), 2304);
    assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_SNDBUF, 1 << 30), 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_SNDBUF), 425984);
}

static void options_follow_the_connection(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPIDLE, 33), 0);
    assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_KEEPALIVE, 7), 0);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_IP, IP_TOS, 0xb8), 0);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_MAXSEG, 1000), 0);
    assert_int_equal(world_set_int(w, SERVER, listener, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    int child = salut_sock_accept(w->socks[SERVER], listener, NULL, NULL, 0);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPIDLE), 33);
    assert_int_equal(world_get_int(w, CLIENT, fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(world_get_int(w, CLIENT, fd, IPPROTO_IP, IP_TOS), 0xb8);
    assert_int_equal(world_get_int(w, SERVER, child, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
    /* What the SYN asked for, the server's segments keep: 1000 less the timestamps. */
    assert_int_equal(world_get_int(w, SERVER, child, IPPROTO_TCP, TCP_MAXSEG), 988);
}

/* Seconds of silence after which a connection with these options is given up. */
static int64_t patience_s(struct world *w, int listener, unsigned user_timeout_ms)
{
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPINTVL, 2), 0);
    assert_int_equal(world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_KEEPCNT, 3), 0);
    assert_int_equal(
        world_set_int(w, CLIENT, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms), 0);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    assert_true(world_accept(w, listener) > 0);
    world_pass(w, 9 * SLT_NS_PER_S);
    world_pass(w, 9 * SLT_NS_PER_S); /* the first probe was answered: it lives on */
    assert_int_equal(world_connect(w, fd, PORT), 0);
    w->cut = true;
    int64_t from_ns = w->now_ns;
    while ((salut_sock_ready(w->socks[CLIENT], fd) & POLLERR) == 0 &&
           w->now_ns - from_ns < 100 * SLT_NS_PER_S) {
        world_pass(w, 100 * SLT_NS_PER_MS);
    }
    w->cut = false;
    assert_int_equal(world_error(w, CLIENT, fd), ETIMEDOUT);
    return (w->now_ns - from_ns) / SLT_NS_PER_S;
}

/* SOCK-82: probes after 10 s of silence, then every 2 s; three that are not answered are enough,
 * unless TCP_USER_TIMEOUT says how long it is. */
static void keep_alive(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    int64_t by_count_s = patience_s(w, listener, 0);
    assert_true(by_count_s >= 8 - 1 && by_count_s <= 16);
    int64_t by_timeout_s = patience_s(w, listener, 30000);
    assert_true(by_timeout_s >= 20 && by_timeout_s <= 32);
}

/* SOCK-81: what is set before the handshake counts for the window scale, where it is more than a
 * buffer may grow to by itself (L-52). */
static void buffers_set_the_scale(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    int sizes[2] = {4096, 32 << 20};
    uint8_t scale[2];
    for (int i = 0; i < 2; i++) {
        struct salut_info info;
        salut_conn conn;
        int fd = world_socket(w, CLIENT);
        assert_int_equal(world_set_int(w, CLIENT, fd, SOL_SOCKET, SO_RCVBUFFORCE, sizes[i]), 0);
        assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
        world_turn(w);
        assert_true(world_accept(w, listener) > 0);
        assert_int_equal(salut_sock_conn(w->socks[CLIENT], fd, &conn), SALUT_OK);
        assert_int_equal(salut_get_info(w->stacks[CLIENT], conn, &info), SALUT_OK);
        scale[i] = info.recv_wscale;
    }
    assert_true(scale[0] < scale[1]);
}

static void linger_and_timeouts(void **state)
{
    struct world *w = *state;
    int fd = world_socket(w, CLIENT);
    struct linger linger = {.l_onoff = 1, .l_linger = 5};
    struct salut_sock_opt opt = {SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)};
    assert_int_equal(world_option(w, CLIENT, fd, opt), 0);
    linger = (struct linger){0};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], fd, &opt), 0);
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 5);
    struct timeval tv = {.tv_sec = 3, .tv_usec = 250000};
    opt = (struct salut_sock_opt){SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)};
    assert_int_equal(world_option(w, CLIENT, fd, opt), 0);
    tv = (struct timeval){0};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], fd, &opt), 0);
    assert_int_equal(tv.tv_sec, 3);
    assert_int_equal(tv.tv_usec, 250000);
    tv.tv_usec = 2000000;
    assert_int_equal(world_option(w, CLIENT, fd, opt), -EDOM);
}

static uint32_t u32_at(const uint8_t *info, size_t offset)
{
    uint32_t value;
    memcpy(&value, info + offset, sizeof(value));
    return value;
}

/* SOCK-80: at the offsets of the system's own header. */
static void tcp_info(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    uint8_t info[512];
    struct salut_sock_opt opt = {IPPROTO_TCP, TCP_INFO, info, sizeof(info)};
    world_send(w, CLIENT, t.client, "hello");
    world_pass(w, SLT_NS_PER_S);
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_true(opt.bytes >= 280);
    assert_int_equal(info[offsetof(struct tcp_info, tcpi_state)], TCP_ESTABLISHED);
    assert_int_equal(info[offsetof(struct tcp_info, tcpi_options)] & 7,
                     TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
    assert_int_equal(u32_at(info, offsetof(struct tcp_info, tcpi_snd_mss)), 1448);
    assert_int_equal(u32_at(info, offsetof(struct tcp_info, tcpi_unacked)), 0);
    assert_true(u32_at(info, offsetof(struct tcp_info, tcpi_snd_cwnd)) >= 10);
    assert_int_equal(u32_at(info, offsetof(struct tcp_info, tcpi_snd_ssthresh)), 0x7fffffff);
    assert_int_equal(u32_at(info, offsetof(struct tcp_info, tcpi_pmtu)), 1500);
    assert_int_equal(u32_at(info, offsetof(struct tcp_info, tcpi_reordering)), 3);
    assert_int_equal(u32_at(info, offsetof(struct tcp_info, tcpi_total_retrans)), 0);
    uint64_t acked;
    memcpy(&acked, info + 120, sizeof(acked)); /* tcpi_bytes_acked */
    assert_int_equal(acked, 6);                /* five bytes, and the SYN of who opened (SOCK-80) */
    opt.bytes = 20;                            /* an older program's structure */
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_int_equal(opt.bytes, 20);
}

static void what_packetdrill_asks_for(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    uint32_t numbers[9];
    char name[32];
    struct salut_sock_opt opt = {SOL_SOCKET, SO_MEMINFO, numbers, sizeof(numbers)};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_int_equal(opt.bytes, 36);
    opt = (struct salut_sock_opt){IPPROTO_TCP, TCP_CC_INFO, name, sizeof(name)};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_int_equal(opt.bytes, 0);
    opt = (struct salut_sock_opt){IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name)};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_true(strlen(name) > 0);
    opt.bytes = (uint32_t)strlen(name);
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], t.client, &opt), 0);
    opt = (struct salut_sock_opt){IPPROTO_TCP, TCP_CONGESTION, "no-such", 7};
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], t.client, &opt), -ENOENT);
    opt = (struct salut_sock_opt){IPPROTO_TCP, TCP_CONGESTION, "bbr\0left over", 14};
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], t.client, &opt), 0);
    opt = (struct salut_sock_opt){IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name)};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_string_equal(name, "bbr");
}

/* SO_MAX_PACING_RATE: 32 or 64 bits, all ones being none. */
static void pacing_has_an_upper_bound(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    uint32_t narrow = 0;
    uint64_t wide = 250000;
    struct salut_sock_opt opt = {SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, sizeof(narrow)};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_int_equal(narrow, UINT32_MAX);
    opt = (struct salut_sock_opt){SOL_SOCKET, SO_MAX_PACING_RATE, &wide, sizeof(wide)};
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], t.client, &opt), 0);
    opt = (struct salut_sock_opt){SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, sizeof(narrow)};
    assert_int_equal(salut_sock_getsockopt(w->socks[CLIENT], t.client, &opt), 0);
    assert_int_equal(narrow, 250000);
    opt.bytes = 2;
    assert_int_equal(salut_sock_setsockopt(w->socks[CLIENT], t.client, &opt), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(values_before_a_connection), world_test(limits),
        world_test(buffers_are_doubled),        world_test(options_follow_the_connection),
        world_test(buffers_set_the_scale),      world_test(keep_alive),
        world_test(linger_and_timeouts),        world_test(tcp_info),
        world_test(what_packetdrill_asks_for),  world_test(pacing_has_an_upper_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
