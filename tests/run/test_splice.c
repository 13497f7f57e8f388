/* Splices and relays of kernel sockets: every byte in its order, slowness felt across, ends and
 * resets carried over. Socket pairs stand for the networks; bytes and turns are drawn from a seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "run/splice.h"

#include "base/prng.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BULK_BYTES 3000000U
#define ROUNDS_MAX 200000

struct world {
    struct salut_runner *runner;
    struct slt_poller poller;
    struct slt_splice splice;
    int outer[2]; /* our ends */
    bool over;
};

static void on_over(void *ctx)
{
    struct world *w = ctx;
    w->over = true;
}

/* A connection over the kernel's loopback, for resets need TCP. */
static void make_pair(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(pair[0], (struct sockaddr *)&address, bytes), 0);
    pair[1] = accept(listener, NULL, NULL);
    assert_true(pair[1] >= 0);
    (void)close(listener);
    for (int i = 0; i < 2; i++) {
        int small = 8192;
        assert_int_equal(fcntl(pair[i], F_SETFL, O_NONBLOCK), 0);
        (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    }
}

static void open_world(struct world *w)
{
    int a[2];
    int b[2];
    *w = (struct world){.splice = {.on_over = on_over, .ctx = w}};
    make_pair(a);
    make_pair(b);
    w->outer[0] = a[0];
    w->outer[1] = b[0];
    assert_int_equal(salut_runner_create(&w->runner), SALUT_OK);
    assert_true(slt_poller_open(&w->poller, w->runner));
    slt_splice_begin(&w->splice, &w->poller, (const int[2]){a[1], b[1]}, false);
}

static void close_world(struct world *w)
{
    if (!w->over) {
        slt_splice_cut(&w->splice);
    }
    assert_int_equal(w->splice.side[0].polled.fd, -1);
    assert_int_equal(w->splice.side[1].polled.fd, -1);
    assert_null(w->splice.side[0].held);
    assert_null(w->splice.side[1].held);
    slt_poller_close(&w->poller);
    salut_runner_destroy(w->runner);
    (void)close(w->outer[0]);
    (void)close(w->outer[1]);
}

static void turn(struct world *w)
{
    (void)salut_runner_turn(w->runner, 1000000);
}

static uint8_t byte_at(uint32_t way, uint32_t at)
{
    return (uint8_t)(at * 31U + (at >> 9) * 7U + way * 101U);
}

struct way {
    uint32_t sent;
    uint32_t got;
    bool ended;
};

static void write_some(const struct world *w, uint32_t i, struct way *way, uint32_t most)
{
    static uint8_t bytes[20000];
    uint32_t count = 0;
    while (count < most && way->sent + count < BULK_BYTES) {
        bytes[count] = byte_at(i, way->sent + count);
        count++;
    }
    ssize_t put = count == 0 ? 0 : send(w->outer[i], bytes, count, MSG_NOSIGNAL);
    way->sent += put > 0 ? (uint32_t)put : 0;
    if (way->sent == BULK_BYTES && put > 0) {
        assert_int_equal(shutdown(w->outer[i], SHUT_WR), 0);
    }
}

static void read_some(const struct world *w, uint32_t i, struct way *way, uint32_t most)
{
    static uint8_t bytes[20000];
    ssize_t got = recv(w->outer[1 - i], bytes, most, 0);
    for (ssize_t k = 0; k < got; k++) {
        assert_int_equal(bytes[k], byte_at(i, way->got));
        way->got++;
    }
    way->ended = way->ended || got == 0;
}

/* Both ways at once, in pieces of any size, each end reading and writing when it likes. */
static void every_byte_in_order(void **state)
{
    struct slt_prng prng;
    struct world w;
    struct way ways[2] = {{.sent = 0}, {.sent = 0}};
    (void)state;
    slt_prng_seed(&prng, 7);
    open_world(&w);
    for (int i = 0; i < ROUNDS_MAX && !(w.over && ways[0].ended && ways[1].ended); i++) {
        uint32_t draw = (uint32_t)slt_prng_u64(&prng);
        uint32_t way = draw & 1U;
        uint32_t most = 1 + (draw >> 8) % 19999U;
        if ((draw & 6U) == 0) {
            write_some(&w, way, &ways[way], most);
        } else if ((draw & 6U) == 2) {
            read_some(&w, way, &ways[way], most);
        } else {
            turn(&w);
        }
    }
    assert_true(w.over);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ways[i].got, BULK_BYTES);
        assert_true(ways[i].ended);
    }
    close_world(&w);
}

/* Who does not read stops who writes: what is on its way stays bounded. */
static void slowness_is_felt_across(void **state)
{
    struct world w;
    struct way way = {.sent = 0};
    (void)state;
    open_world(&w);
    uint32_t before = 1;
    while (before != way.sent) {
        before = way.sent;
        for (int i = 0; i < 50; i++) {
            write_some(&w, 0, &way, 20000);
            turn(&w);
        }
    }
    assert_true(way.sent < BULK_BYTES);
    assert_non_null(w.splice.side[1].held);
    assert_true(w.splice.side[1].held_bytes <= 65536);
    close_world(&w);
}

static void ends_go_one_way(void **state)
{
    struct world w;
    char byte = 'x';
    (void)state;
    open_world(&w);
    assert_int_equal(shutdown(w.outer[0], SHUT_WR), 0);
    for (int i = 0; i < 20; i++) {
        turn(&w);
    }
    assert_int_equal(recv(w.outer[1], &byte, 1, 0), 0);
    assert_int_equal(send(w.outer[1], &byte, 1, 0), 1); /* the other way goes on */
    for (int i = 0; i < 20; i++) {
        turn(&w);
    }
    assert_int_equal(recv(w.outer[0], &byte, 1, 0), 1);
    assert_false(w.over);
    assert_int_equal(shutdown(w.outer[1], SHUT_WR), 0);
    for (int i = 0; i < 20 && !w.over; i++) {
        turn(&w);
    }
    assert_true(w.over);
    close_world(&w);
}

static void resets_are_resets(void **state)
{
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct world w;
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        char byte;
        open_world(&w);
        (void)setsockopt(w.outer[from], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        (void)close(w.outer[from]);
        w.outer[from] = -1;
        for (int i = 0; i < 20 && !w.over; i++) {
            turn(&w);
        }
        assert_true(w.over);
        assert_int_equal(recv(w.outer[1 - from], &byte, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        close_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_in_order),
        cmocka_unit_test(slowness_is_felt_across),
        cmocka_unit_test(ends_go_one_way),
        cmocka_unit_test(resets_are_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
