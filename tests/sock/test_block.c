/* Calls that wait: two instances on one runner, in real time; the peer acts from timers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "link/loopback.h"
#include "link/memory.h"
#include "salut/block.h"
#include "sock/link_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { NEAR, FAR };

#define PORT 8080
#define SOON (20 * SLT_NS_PER_MS)

struct world;

/* Something the peer will do. */
struct act {
    struct salut_runner_timer timer;
    struct world *world;
    void (*run)(struct world *w);
};

struct world {
    struct salut_runner *runner;
    struct slt_link *links[2];
    struct salut_stack *stacks[2];
    struct salut_socks *socks[2];
    struct salut_block *block;
    struct act acts[4];
    int act_count;
    int listener; /* FAR's */
    int near;
    int far;
    size_t far_read;
};

static struct sockaddr_in in_of(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    return in;
}

static void add_side(struct world *w, int which, const char *address)
{
    struct salut_config config;
    salut_addr addr;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    assert_int_equal(salut_runner_prepare(w->runner, slt_link_public(w->links[which]), &config),
                     SALUT_OK);
    assert_int_equal(salut_create(&config, &w->stacks[which]), SALUT_OK);
    assert_int_equal(salut_addr_parse(address, &addr), SALUT_OK);
    assert_int_equal(salut_add_address(w->stacks[which], &addr, 24), SALUT_OK);
    struct salut_runner_stack member = {.stack = w->stacks[which],
                                        .link = slt_link_public(w->links[which])};
    assert_int_equal(salut_runner_add_stack(w->runner, &member), SALUT_OK);
    struct salut_socks_params params = {
        .stack = w->stacks[which], .config = &config, .first_fd = 3};
    assert_int_equal(salut_socks_create(&params, &w->socks[which]), SALUT_OK);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct slt_memory_params params = {.kind = SALUT_LINK_IP, .mtu = 1500};
    assert_non_null(w);
    assert_int_equal(salut_runner_create(&w->runner), SALUT_OK);
    assert_int_equal(slt_memory_pair(&params, &w->links[NEAR], &w->links[FAR]), SALUT_OK);
    add_side(w, NEAR, "10.0.0.1");
    add_side(w, FAR, "10.0.0.2");
    assert_int_equal(salut_block_create(w->runner, w->socks[NEAR], &w->block), SALUT_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    salut_block_destroy(w->block);
    for (int i = 0; i < 2; i++) {
        salut_socks_destroy(w->socks[i]);
        assert_int_equal(salut_runner_remove_stack(w->runner, w->stacks[i]), SALUT_OK);
        salut_destroy(w->stacks[i]);
        slt_link_close(w->links[i]);
    }
    salut_runner_destroy(w->runner);
    free(w);
    return 0;
}

static void on_act(void *ctx, int64_t now_ns)
{
    struct act *act = ctx;
    (void)now_ns;
    act->run(act->world);
}

static void later(struct world *w, int64_t in_ns, void (*run)(struct world *w))
{
    assert_int_equal(salut_runner_turn(w->runner, 0), SALUT_OK); /* what time is it? */
    struct act *act = &w->acts[w->act_count++ % 4];
    *act = (struct act){.timer = {.on_due = on_act, .ctx = act}, .world = w, .run = run};
    salut_runner_set_timer(w->runner, &act->timer, salut_runner_now(w->runner) + in_ns);
}

static int64_t clock_ns(void)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
    return ts.tv_sec * SLT_NS_PER_S + ts.tv_nsec;
}

static int open_socket(struct world *w, int which, int flags)
{
    int fd = salut_sock_socket(w->socks[which], AF_INET, SOCK_STREAM | flags, 0);
    assert_true(fd >= 3);
    return fd;
}

static void set_int(struct world *w, int which, int fd, int level, int name, int value)
{
    struct salut_sock_opt opt = {level, name, &value, sizeof(value)};
    assert_int_equal(salut_sock_setsockopt(w->socks[which], fd, &opt), 0);
}

static void far_listens(struct world *w)
{
    struct sockaddr_in in = in_of("0.0.0.0", PORT);
    w->listener = open_socket(w, FAR, SOCK_NONBLOCK);
    set_int(w, FAR, w->listener, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(
        salut_sock_bind(w->socks[FAR], w->listener, (const struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(salut_sock_listen(w->socks[FAR], w->listener, 8), 0);
}

static int near_connects(struct world *w, int fd)
{
    struct sockaddr_in in = in_of("10.0.0.2", PORT);
    return salut_block_connect(w->block, fd, (const struct sockaddr *)&in, sizeof(in));
}

static void connect_pair(struct world *w)
{
    far_listens(w);
    w->near = open_socket(w, NEAR, 0);
    assert_int_equal(near_connects(w, w->near), 0);
    for (int i = 0; i < 100 && w->far < 3; i++) {
        (void)salut_runner_turn(w->runner, SLT_NS_PER_MS);
        w->far = salut_sock_accept(w->socks[FAR], w->listener, NULL, NULL, SOCK_NONBLOCK);
    }
    assert_true(w->far >= 3);
}

static void set_timeout(struct world *w, int fd, int name, int64_t ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    struct salut_sock_opt opt = {SOL_SOCKET, name, &tv, sizeof(tv)};
    assert_int_equal(salut_sock_setsockopt(w->socks[NEAR], fd, &opt), 0);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void connect_waits(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    assert_int_equal(near_connects(w, w->near), -EISCONN);
    int fd = open_socket(w, NEAR, SOCK_NONBLOCK);
    assert_int_equal(near_connects(w, fd), -EINPROGRESS);
    assert_int_equal(salut_sock_close(w->socks[FAR], w->listener), 0);
    assert_int_equal(near_connects(w, open_socket(w, NEAR, 0)), -ECONNREFUSED);
}

static void far_goes(struct world *w)
{
    assert_int_equal(salut_runner_remove_stack(w->runner, w->stacks[FAR]), SALUT_OK);
}

/* The far side neither sends nor receives, until it is back. */
static void far_comes_back(struct world *w)
{
    struct salut_runner_stack member = {.stack = w->stacks[FAR],
                                        .link = slt_link_public(w->links[FAR])};
    assert_int_equal(salut_runner_add_stack(w->runner, &member), SALUT_OK);
}

/* SOCK-77: EINPROGRESS when the time is over; it goes on, and can be waited for again. */
static void connect_in_time(void **state)
{
    struct world *w = *state;
    far_listens(w);
    far_goes(w);
    (void)salut_runner_turn(w->runner, 0);
    int fd = open_socket(w, NEAR, 0);
    set_timeout(w, fd, SO_SNDTIMEO, 50);
    int64_t from_ns = clock_ns();
    assert_int_equal(near_connects(w, fd), -EINPROGRESS);
    assert_true(clock_ns() - from_ns >= 50 * SLT_NS_PER_MS);
    assert_true(clock_ns() - from_ns < 2 * SLT_NS_PER_S);
    far_comes_back(w);
    set_timeout(w, fd, SO_SNDTIMEO, 5000);
    assert_int_equal(near_connects(w, fd), 0);
}

static void *interrupt_soon(void *ctx)
{
    struct world *w = ctx;
    (void)usleep(30000);
    salut_block_interrupt(w->block);
    return NULL;
}

/* SOCK-32: what another thread, or a signal's handler, interrupts goes on in the background. */
static void connect_interrupted(void **state)
{
    struct world *w = *state;
    pthread_t thread;
    far_listens(w);
    far_goes(w);
    (void)salut_runner_turn(w->runner, 0);
    int fd = open_socket(w, NEAR, 0);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, w), 0);
    assert_int_equal(near_connects(w, fd), -EINTR);
    assert_int_equal(pthread_join(thread, NULL), 0);
    far_comes_back(w);
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    assert_int_equal(salut_block_poll(w->block, &wanted, 1, 5000), 1);
    assert_int_equal(near_connects(w, fd), 0);
    assert_int_equal(near_connects(w, fd), -EISCONN);
}

static void far_connects(struct world *w)
{
    struct sockaddr_in in = in_of("10.0.0.1", PORT);
    w->far = open_socket(w, FAR, SOCK_NONBLOCK);
    assert_int_equal(
        salut_sock_connect(w->socks[FAR], w->far, (const struct sockaddr *)&in, sizeof(in)),
        -EINPROGRESS);
}

/* SOCK-53, SOCK-77: accept waits for a connection; without one until its time is over. */
static void accept_waits(void **state)
{
    struct world *w = *state;
    struct sockaddr_in in = in_of("0.0.0.0", PORT);
    uint32_t bytes = sizeof(in);
    int fd = open_socket(w, NEAR, 0);
    assert_int_equal(salut_sock_bind(w->socks[NEAR], fd, (const struct sockaddr *)&in, sizeof(in)),
                     0);
    assert_int_equal(salut_sock_listen(w->socks[NEAR], fd, 8), 0);
    later(w, SOON, far_connects);
    int child = salut_block_accept(w->block, fd, (struct sockaddr *)&in, &bytes, 0);
    assert_true(child >= 3);
    assert_int_equal(ntohl(in.sin_addr.s_addr), 0x0a000002);
    set_timeout(w, fd, SO_RCVTIMEO, 40);
    assert_int_equal(salut_block_accept(w->block, fd, NULL, NULL, 0), -EAGAIN);
    assert_int_equal(salut_sock_fcntl(w->socks[NEAR], fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(salut_block_accept(w->block, fd, NULL, NULL, 0), -EAGAIN);
    assert_int_equal(salut_block_accept(w->block, child, NULL, NULL, 0), -EINVAL);
    assert_int_equal(salut_block_accept(w->block, 99, NULL, NULL, 0), -EBADF);
    salut_block_interrupt(w->block);
    assert_int_equal(salut_sock_fcntl(w->socks[NEAR], fd, F_SETFL, 0), 0);
    set_timeout(w, fd, SO_RCVTIMEO, 0);
    assert_int_equal(salut_block_accept(w->block, fd, NULL, NULL, 0), -EINTR); /* SOCK-28 */
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void far_says_hello(struct world *w)
{
    assert_int_equal(salut_sock_send(w->socks[FAR], w->far, "hello", 5, 0), 5);
}

static void far_ends(struct world *w)
{
    assert_int_equal(salut_sock_shutdown(w->socks[FAR], w->far, SHUT_WR), 0);
}

static void far_resets(struct world *w)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    struct salut_sock_opt opt = {SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)};
    assert_int_equal(salut_sock_setsockopt(w->socks[FAR], w->far, &opt), 0);
    assert_int_equal(salut_sock_close(w->socks[FAR], w->far), 0);
}

static void far_is_urgent(struct world *w)
{
    assert_int_equal(salut_sock_send(w->socks[FAR], w->far, "abX", 3, MSG_OOB), 3);
}

static void near_is_interrupted(struct world *w)
{
    salut_block_interrupt(w->block);
}

static void stop_runner(struct world *w)
{
    salut_runner_stop(w->runner);
}

static ptrdiff_t near_reads(struct world *w, size_t bytes, int flags)
{
    static char buffer[64];
    assert_true(bytes <= sizeof(buffer));
    return salut_block_recv(w->block, w->near, buffer, bytes, flags);
}

/* SOCK-73, SOCK-77: what is there is enough; MSG_DONTWAIT does not wait for it. */
static void recv_waits(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    later(w, SOON, far_says_hello);
    assert_int_equal(near_reads(w, 20, MSG_DONTWAIT), -EAGAIN);
    assert_int_equal(near_reads(w, 20, MSG_DONTWAIT | MSG_WAITALL), -EAGAIN);
    assert_int_equal(near_reads(w, 20, MSG_PEEK), 5);
    assert_int_equal(near_reads(w, 20, 0), 5);
    set_timeout(w, w->near, SO_RCVTIMEO, 30);
    assert_int_equal(near_reads(w, 20, 0), -EAGAIN);
    later(w, SOON, far_ends);
    set_timeout(w, w->near, SO_RCVTIMEO, 0);
    assert_int_equal(near_reads(w, 20, 0), 0);
    char none;
    assert_int_equal(salut_block_read(w->block, w->near, &none, 0), 0);
    assert_int_equal(salut_block_read(w->block, w->near, &none, 1), 0);
}

/* SOCK-40: a wait is for as many bytes as SO_RCVLOWAT says. */
static void recv_waits_for_the_mark(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    set_int(w, NEAR, w->near, SOL_SOCKET, SO_RCVLOWAT, 8);
    later(w, SOON, far_says_hello);
    later(w, 2 * SOON, far_says_hello);
    assert_int_equal(near_reads(w, 20, 0), 10);
}

/* SOCK-72: everything, unless the stream ends, breaks, turns urgent, or the caller is wanted
 * elsewhere. */
static void recv_of_all(void **state)
{
    static void (*const enders[])(struct world *) = {far_says_hello, far_ends, far_is_urgent,
                                                     near_is_interrupted, far_resets};
    static const ptrdiff_t taken[] = {10, 5, 7, 5, 5};
    struct world *w = *state;
    connect_pair(w);
    for (size_t i = 0; i < sizeof(enders) / sizeof(enders[0]); i++) {
        if (i == 2) { /* the stream had ended */
            w->far = 0;
            assert_int_equal(salut_sock_close(w->socks[FAR], w->listener), 0);
            connect_pair(w);
        }
        later(w, SOON, far_says_hello);
        later(w, 2 * SOON, enders[i]);
        assert_int_equal(near_reads(w, 10, MSG_WAITALL), taken[i]);
        if (enders[i] == far_is_urgent) {
            char byte = 0;
            int at_mark = 0;
            assert_int_equal(salut_sock_ioctl(w->socks[NEAR], w->near, SIOCATMARK, &at_mark), 0);
            assert_true(at_mark);
            assert_int_equal(salut_block_recv(w->block, w->near, &byte, 1, MSG_OOB), 1);
            assert_int_equal(byte, 'X');
        }
    }
    /* What broke it is told by the next call, once. */
    assert_int_equal(near_reads(w, 10, MSG_WAITALL), -ECONNRESET);
    assert_int_equal(near_reads(w, 10, MSG_WAITALL), 0);
}

/* SOCK-72, SOCK-76: a peek waits for everything too, and MSG_TRUNC throws it away. */
static void peek_of_all(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    later(w, SOON, far_says_hello);
    later(w, 2 * SOON, far_says_hello);
    assert_int_equal(near_reads(w, 10, MSG_WAITALL | MSG_PEEK), 10);
    assert_int_equal(salut_block_recv(w->block, w->near, NULL, 10, MSG_WAITALL | MSG_TRUNC), 10);
    assert_int_equal(near_reads(w, 10, MSG_DONTWAIT), -EAGAIN);
}

/* SOCK-28: the end of the runner ends a wait as a signal does. */
static void stop_ends_a_wait(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    later(w, SOON, stop_runner);
    assert_int_equal(near_reads(w, 10, 0), -EINTR);
    assert_int_equal(near_reads(w, 10, 0), -EINTR);
    salut_runner_run(w->runner); /* takes note of the stop */
    later(w, SOON, far_says_hello);
    assert_int_equal(near_reads(w, 10, 0), 5);
}

/* ---- sending -------------------------------------------------------------------------------- */

#define BYTES ((size_t)12 << 20)

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 31 >> 3);
}

static void far_reads(struct world *w)
{
    static uint8_t buffer[65536];
    ptrdiff_t n;
    while ((n = salut_sock_recv(w->socks[FAR], w->far, buffer, sizeof(buffer), 0)) > 0) {
        for (ptrdiff_t i = 0; i < n; i++) {
            if (buffer[i] != byte_at(w->far_read + (size_t)i)) {
                fail_msg("byte %zu is wrong", w->far_read + (size_t)i);
            }
        }
        w->far_read += (size_t)n;
    }
}

static void far_goes_on_reading(struct world *w)
{
    far_reads(w);
    if (w->far_read < BYTES) {
        struct act *act = &w->acts[0];
        act->run = far_goes_on_reading;
        salut_runner_set_timer(w->runner, &act->timer, salut_runner_now(w->runner) + SLT_NS_PER_MS);
    }
}

/* SOCK-70: all of it, though no buffer holds it. */
static void send_of_all(void **state)
{
    struct world *w = *state;
    uint8_t *data = malloc(BYTES);
    assert_non_null(data);
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = byte_at(i);
    }
    connect_pair(w);
    later(w, SOON, far_goes_on_reading);
    ptrdiff_t first = salut_block_send(w->block, w->near, data, BYTES, MSG_DONTWAIT);
    assert_true(first > 0 && first < (ptrdiff_t)BYTES); /* SOCK-73 */
    ptrdiff_t rest = (ptrdiff_t)BYTES - first;
    assert_int_equal(salut_block_write(w->block, w->near, data + first, (size_t)rest), rest);
    for (int i = 0; i < 2000 && w->far_read < BYTES; i++) {
        (void)salut_runner_turn(w->runner, SLT_NS_PER_MS);
    }
    assert_int_equal(w->far_read, BYTES);
    free(data);
}

/* SOCK-70, SOCK-77, SOCK-28: time, interruption and a reset leave what was queued; the error is
 * the next call's. */
static void send_in_part(void **state)
{
    static uint8_t data[8 << 20];
    struct world *w = *state;
    connect_pair(w);
    set_timeout(w, w->near, SO_SNDTIMEO, 50);
    ptrdiff_t first = salut_block_send(w->block, w->near, data, sizeof(data), 0);
    assert_true(first > 0 && first < (ptrdiff_t)sizeof(data));
    ptrdiff_t more = first;
    for (int i = 0; i < 10 && more > 0; i++) { /* what room is left */
        more = salut_block_send(w->block, w->near, data, sizeof(data), 0);
    }
    assert_int_equal(more, -EAGAIN);
    set_timeout(w, w->near, SO_SNDTIMEO, 0);
    later(w, SOON, near_is_interrupted);
    assert_int_equal(salut_block_send(w->block, w->near, data, sizeof(data), 0), -EINTR);
    later(w, SOON, far_resets);
    assert_int_equal(salut_block_send(w->block, w->near, data, sizeof(data), 0), -ECONNRESET);
    assert_int_equal(salut_block_send(w->block, w->near, data, sizeof(data), 0), -EPIPE);
}

/* SOCK-74: the last byte alone is urgent, however long the rest waits. */
static void send_urgent(void **state)
{
    struct world *w = *state;
    char byte = 0;
    connect_pair(w);
    assert_int_equal(salut_block_send(w->block, w->near, "abX", 3, MSG_OOB), 3);
    for (int i = 0; i < 5; i++) {
        (void)salut_runner_turn(w->runner, SLT_NS_PER_MS);
    }
    assert_int_equal(salut_sock_recv(w->socks[FAR], w->far, &byte, 1, MSG_OOB), 1);
    assert_int_equal(byte, 'X');
}

/* ---- closing -------------------------------------------------------------------------------- */

static void near_lingers(struct world *w, int seconds)
{
    struct linger linger = {.l_onoff = 1, .l_linger = seconds};
    struct salut_sock_opt opt = {SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)};
    assert_int_equal(salut_sock_setsockopt(w->socks[NEAR], w->near, &opt), 0);
}

/* SOCK-05: until the FIN is acknowledged, which is at once, or as soon as somebody is there. */
static void close_waits(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    near_lingers(w, 10);
    far_goes(w);
    (void)salut_runner_turn(w->runner, 0);
    assert_int_equal(salut_block_write(w->block, w->near, "last words", 10), 10);
    later(w, 100 * SLT_NS_PER_MS, far_comes_back);
    int64_t from_ns = clock_ns();
    assert_int_equal(salut_block_close(w->block, w->near), 0);
    assert_true(clock_ns() - from_ns >= 100 * SLT_NS_PER_MS);
    assert_true(clock_ns() - from_ns < 8 * SLT_NS_PER_S);
    char buffer[16];
    assert_int_equal(salut_sock_recv(w->socks[FAR], w->far, buffer, 16, 0), 10);
    assert_int_equal(salut_sock_recv(w->socks[FAR], w->far, buffer, 16, 0), 0);
    assert_int_equal(salut_block_close(w->block, w->near), -EBADF);
}

/* SOCK-05: no longer than it is told; then 0, as on Linux, and on in the background. */
static void close_gives_up_waiting(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    near_lingers(w, 1);
    far_goes(w);
    (void)salut_runner_turn(w->runner, 0);
    assert_int_equal(salut_block_write(w->block, w->near, "late", 4), 4);
    int64_t from_ns = clock_ns();
    assert_int_equal(salut_block_close(w->block, w->near), 0);
    assert_true(clock_ns() - from_ns >= SLT_NS_PER_S);
    assert_true(clock_ns() - from_ns < 3 * SLT_NS_PER_S);
    far_comes_back(w);
    char buffer[16];
    ptrdiff_t n = -EAGAIN;
    for (int i = 0; i < 4000 && n == -EAGAIN; i++) {
        (void)salut_runner_turn(w->runner, SLT_NS_PER_MS);
        n = salut_sock_recv(w->socks[FAR], w->far, buffer, 16, 0);
    }
    assert_int_equal(n, 4);
}

/* SOCK-02, SOCK-05: with bytes unread there is nothing to wait for. */
static void close_unread(void **state)
{
    struct world *w = *state;
    char byte;
    connect_pair(w);
    near_lingers(w, 10);
    far_says_hello(w);
    assert_int_equal(near_reads(w, 1, MSG_PEEK), 1);
    int64_t from_ns = clock_ns();
    assert_int_equal(salut_block_close(w->block, w->near), 0);
    assert_true(clock_ns() - from_ns < SLT_NS_PER_S);
    for (int i = 0; i < 5; i++) {
        (void)salut_runner_turn(w->runner, SLT_NS_PER_MS);
    }
    assert_int_equal(salut_sock_recv(w->socks[FAR], w->far, &byte, 1, 0), -ECONNRESET);
}

/* ---- readiness ------------------------------------------------------------------------------ */

static void poll_waits(void **state)
{
    struct world *w = *state;
    connect_pair(w);
    struct pollfd fds[2] = {{.fd = w->near, .events = POLLIN}, {.fd = -1}};
    assert_int_equal(salut_block_poll(w->block, fds, 2, 0), 0);
    assert_int_equal(salut_block_poll(w->block, fds, 2, 20), 0);
    later(w, SOON, far_says_hello);
    assert_int_equal(salut_block_poll(w->block, fds, 2, -1), 1);
    assert_int_equal(fds[0].revents, POLLIN);
    fds[0].events = POLLPRI;
    later(w, SOON, near_is_interrupted);
    assert_int_equal(salut_block_poll(w->block, fds, 2, -1), -EINTR);
}

/* ---- oneself -------------------------------------------------------------------------------- */

/* SOCK-38: bound and connected to the same address and port, a socket opens to itself. */
static void connect_to_oneself(void **state)
{
    struct world w = {.runner = NULL};
    struct slt_loopback_params params = {.kind = SALUT_LINK_IP, .mtu = 65535};
    char echo[6] = "";
    (void)state;
    assert_int_equal(salut_runner_create(&w.runner), SALUT_OK);
    assert_int_equal(slt_loopback_open(&params, &w.links[NEAR]), SALUT_OK);
    add_side(&w, NEAR, "127.0.0.1");
    assert_int_equal(salut_block_create(w.runner, w.socks[NEAR], &w.block), SALUT_OK);
    struct sockaddr_in in = in_of("127.0.0.1", 7777);
    int fd = open_socket(&w, NEAR, 0);
    assert_int_equal(salut_sock_bind(w.socks[NEAR], fd, (const struct sockaddr *)&in, sizeof(in)),
                     0);
    set_timeout(&w, fd, SO_SNDTIMEO, 5000);
    assert_int_equal(salut_block_connect(w.block, fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(salut_block_write(w.block, fd, "salut", 5), 5);
    assert_int_equal(salut_block_recv(w.block, fd, echo, 5, MSG_WAITALL), 5);
    assert_string_equal(echo, "salut");
    salut_block_destroy(w.block);
    salut_socks_destroy(w.socks[NEAR]);
    salut_runner_destroy(w.runner);
    salut_destroy(w.stacks[NEAR]);
    slt_link_close(w.links[NEAR]);
}

#define block_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        block_test(connect_waits),
        block_test(connect_in_time),
        block_test(connect_interrupted),
        block_test(accept_waits),
        block_test(recv_waits),
        block_test(recv_waits_for_the_mark),
        block_test(recv_of_all),
        block_test(peek_of_all),
        block_test(stop_ends_a_wait),
        block_test(send_of_all),
        block_test(send_in_part),
        block_test(send_urgent),
        block_test(close_waits),
        block_test(close_gives_up_waiting),
        block_test(close_unread),
        block_test(poll_waits),
        cmocka_unit_test(connect_to_oneself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
