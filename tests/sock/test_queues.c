/* The two queues of a listener: backlog, overflow, half-open, deferred accept (SOCK-50..56).
 */
#include "sock/world.h"

static int connecting(struct world *w)
{
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    return fd;
}

/* One connection made and gone, so that addresses are resolved. */
static void warm_up(struct world *w, int listener)
{
    int fd = connecting(w);
    world_turn(w);
    assert_int_equal(salut_sock_close(w->socks[SERVER], world_accept(w, listener)), 0);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], fd), 0);
    world_turn(w);
}

/* SOCK-50: one more than was asked for; above somaxconn it is somaxconn, below zero as well. */
static void the_queue_holds_one_more(void **state)
{
    struct world *w = *state;
    int listener = world_listen_for(w, PORT, 2);
    int fds[4];
    warm_up(w, listener);
    for (int i = 0; i < 4; i++) {
        fds[i] = connecting(w);
        world_turn(w);
        short bits = salut_sock_ready(w->socks[CLIENT], fds[i]);
        assert_int_equal(bits & POLLOUT, i < 3 ? POLLOUT : 0);
    }
    /* SOCK-51: the fourth SYN was dropped; sent again when there is room, it is taken. */
    assert_true(world_count(w, SERVER, SLT_DROP_TCP_BACKLOG_FULL) > 0);
    assert_true(world_accept(w, listener) > 0);
    world_pass(w, 1500 * SLT_NS_PER_MS);
    assert_int_equal(world_connect(w, fds[3], PORT), 0);
    assert_int_equal(salut_sock_listen(w->socks[SERVER], listener, -1), 0);
    assert_int_equal(salut_sock_listen(w->socks[SERVER], listener, INT32_MAX), 0);
}

/* SOCK-51: the handshake completes, but not here: the last ACK is ignored, the SYN,ACK sent
 * again. */
static void the_last_ack_is_ignored(void **state)
{
    struct world *w = *state;
    int listener = world_listen_for(w, PORT, 0);
    warm_up(w, listener);
    int fds[2] = {connecting(w), connecting(w)};
    world_turn(w);
    for (int i = 0; i < 2; i++) { /* both believe it */
        assert_int_equal(world_connect(w, fds[i], PORT), 0);
    }
    assert_int_equal(world_count(w, SERVER, SLT_DROP_TCP_BACKLOG_FULL), 1);
    assert_true(world_accept(w, listener) > 0);
    assert_int_equal(world_accept(w, listener), -EAGAIN);
    world_pass(w, 1500 * SLT_NS_PER_MS);
    assert_true(world_accept(w, listener) > 0);
}

static void resets_overflow(struct salut_config *config, int which)
{
    config->overflow = which == SERVER ? SALUT_OVERFLOW_RESET : config->overflow;
}

static int setup_overflow(void **state)
{
    *state = world_open(resets_overflow);
    return 0;
}

/* SOCK-51: tcp_abort_on_overflow */
static void overflow_can_be_a_reset(void **state)
{
    struct world *w = *state;
    int listener = world_listen_for(w, PORT, 0);
    warm_up(w, listener);
    int fds[2] = {connecting(w), connecting(w)};
    world_turn(w);
    int errors[2] = {world_error(w, CLIENT, fds[0]), world_error(w, CLIENT, fds[1])};
    assert_int_equal(errors[0] + errors[1], ECONNRESET);
}

static void two_half_open(struct salut_config *config, int which)
{
    config->half_open_max = which == SERVER ? 2 : config->half_open_max;
}

static int setup_half_open(void **state)
{
    *state = world_open(two_half_open);
    return 0;
}

/* SOCK-52: more handshakes than entries: cookies carry the rest. */
static void cookies_when_pressed(void **state)
{
    struct world *w = *state;
    int listener = world_listen_for(w, PORT, 8);
    int accepted = 0;
    warm_up(w, listener);
    for (int i = 0; i < 5; i++) {
        (void)connecting(w);
    }
    world_turn(w);
    assert_int_equal(world_count(w, SERVER, SLT_NOTE_TCP_COOKIE_SENT), 3);
    while (world_accept(w, listener) > 0) {
        accepted++;
    }
    assert_int_equal(accepted, 5);
}

static void half_open_without_cookies(struct salut_config *config, int which)
{
    two_half_open(config, which);
    config->syn_cookies = SALUT_COOKIES_NEVER;
}

static int setup_no_cookies(void **state)
{
    *state = world_open(half_open_without_cookies);
    return 0;
}

/* SOCK-52: without cookies the oldest entry makes room; whose it was asks again. */
static void the_oldest_makes_room(void **state)
{
    struct world *w = *state;
    int listener = world_listen_for(w, PORT, 8);
    warm_up(w, listener);
    for (int i = 0; i < 3; i++) {
        (void)connecting(w);
    }
    assert_int_equal(world_side(w, CLIENT), 3);
    (void)world_side(w, SERVER);
    assert_int_equal(world_count(w, SERVER, SLT_CAUSE_EVICTED), 1);
    assert_int_equal(world_count(w, SERVER, SLT_NOTE_TCP_COOKIE_SENT), 0);
    world_turn(w);
    assert_true(world_accept(w, listener) > 0);
    assert_true(world_accept(w, listener) > 0);
}

/* SOCK-53: what was reset in the queue is handed out, and says so at its first use (Linux). */
static void reset_in_the_queue(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    int fd = connecting(w);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    char byte;
    world_turn(w);
    assert_int_equal(salut_sock_connect(w->socks[CLIENT], fd, &none, sizeof(none)), 0);
    world_turn(w);
    int child = world_accept(w, listener);
    assert_true(child > 0);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], child, &byte, 1, 0), -ECONNRESET);
}

/* ---- TCP_DEFER_ACCEPT ----------------------------------------------------------------------- */

static int deferring(struct world *w, int seconds)
{
    int listener = world_listen(w, PORT);
    warm_up(w, listener);
    assert_int_equal(world_set_int(w, SERVER, listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds), 0);
    return listener;
}

/* SOCK-56: a bare ACK is not enough; the first data is. */
static void deferred_until_data(void **state)
{
    struct world *w = *state;
    int listener = deferring(w, 10);
    int fd = connecting(w);
    world_turn(w);
    assert_int_equal(world_connect(w, fd, PORT), 0);
    assert_int_equal(world_accept(w, listener), -EAGAIN);
    assert_int_equal(world_count(w, SERVER, SLT_DROP_TCP_DEFERRED), 1);
    world_pass(w, 2 * SLT_NS_PER_S); /* no SYN,ACK comes again meanwhile */
    assert_int_equal(world_count(w, SERVER, SLT_SEND_SYN_RETRANSMIT), 0);
    world_send(w, CLIENT, fd, "GET /");
    int child = world_accept(w, listener);
    assert_true(child > 0);
    world_expect(w, SERVER, child, "GET /");
}

/* SOCK-56: the end of the stream is news as well. */
static void deferred_until_the_end(void **state)
{
    struct world *w = *state;
    int listener = deferring(w, 10);
    int fd = connecting(w);
    char byte;
    world_turn(w);
    assert_int_equal(world_accept(w, listener), -EAGAIN);
    assert_int_equal(salut_sock_shutdown(w->socks[CLIENT], fd, SHUT_WR), 0);
    world_turn(w);
    int child = world_accept(w, listener);
    assert_true(child > 0);
    assert_int_equal(salut_sock_recv(w->socks[SERVER], child, &byte, 1, 0), 0);
}

/* SOCK-56: who says nothing is accepted when the time is over: 3 s are two SYN,ACKs. */
static void deferred_for_so_long(void **state)
{
    struct world *w = *state;
    int listener = deferring(w, 2);
    assert_int_equal(world_get_int(w, SERVER, listener, IPPROTO_TCP, TCP_DEFER_ACCEPT), 3);
    (void)connecting(w);
    world_pass(w, 2900 * SLT_NS_PER_MS);
    assert_int_equal(world_accept(w, listener), -EAGAIN);
    world_pass(w, 200 * SLT_NS_PER_MS);
    assert_int_equal(world_count(w, SERVER, SLT_SEND_SYN_RETRANSMIT), 1);
    int child = world_accept(w, listener);
    assert_true(child > 0);
    assert_int_equal(world_get_int(w, SERVER, child, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(the_queue_holds_one_more),
        world_test(the_last_ack_is_ignored),
        cmocka_unit_test_setup_teardown(overflow_can_be_a_reset, setup_overflow, world_teardown),
        cmocka_unit_test_setup_teardown(cookies_when_pressed, setup_half_open, world_teardown),
        cmocka_unit_test_setup_teardown(the_oldest_makes_room, setup_no_cookies, world_teardown),
        world_test(reset_in_the_queue),
        world_test(deferred_until_data),
        world_test(deferred_until_the_end),
        world_test(deferred_for_so_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
