/* Every way to part from a socket: close, shutdown, linger, the end of the table (SOCK-01..14).
 *
 * Waiting in close() (SOCK-05) is the blocking layer's: test_block.c.
 */
#include "sock/world.h"

static void set_linger(struct world *w, int which, int fd, int on, int seconds)
{
    struct linger linger = {.l_onoff = on, .l_linger = seconds};
    struct salut_sock_opt opt = {SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)};
    assert_int_equal(world_option(w, which, fd, opt), 0);
}

/* What a read of one byte says. */
static ptrdiff_t read_byte(struct world *w, int which, int fd)
{
    char byte;
    return salut_sock_recv(w->socks[which], fd, &byte, 1, 0);
}

/* SOCK-01: what was queued goes first, then FIN; nobody needs the descriptor for that. */
static void close_sends_what_is_queued(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "last words", 10, 0), 10);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], t.client), 0);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], t.client), -EBADF);
    world_turn(w);
    world_expect(w, SERVER, t.server, "last words");
    assert_int_equal(read_byte(w, SERVER, t.server), 0);
}

/* SOCK-02: a FIN that was not read is no data, and close() answers it with a FIN. */
static void an_unread_fin_is_no_data(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    assert_int_equal(salut_sock_shutdown(w->socks[CLIENT], t.client, SHUT_WR), 0);
    world_turn(w);
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.server), 0);
    world_turn(w);
    assert_int_equal(read_byte(w, CLIENT, t.client), 0);
    assert_int_equal(world_error(w, CLIENT, t.client), 0);
}

/* SOCK-02: with data it is a reset, and what was queued to be sent is lost. */
static void unread_data_costs_what_is_queued(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    world_send(w, CLIENT, t.client, "unread");
    assert_int_equal(salut_sock_send(w->socks[SERVER], t.server, "unsent", 6, 0), 6);
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.server), 0);
    world_turn(w);
    assert_int_equal(read_byte(w, CLIENT, t.client), -ECONNRESET);
}

/* SOCK-03 */
static void data_after_close_is_reset(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], t.client), 0);
    world_turn(w);
    assert_int_equal(read_byte(w, SERVER, t.server), 0);
    world_send(w, SERVER, t.server, "too late");
    assert_int_equal(world_count(w, CLIENT, SLT_CAUSE_DATA_AFTER_CLOSE), 1);
    assert_int_equal(world_error(w, SERVER, t.server), EPIPE);
}

/* SOCK-04: time zero is a reset, in a connection that nothing is unread of. */
static void linger_of_zero_resets(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    set_linger(w, CLIENT, t.client, 1, 0);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], t.client), 0);
    world_turn(w);
    assert_int_equal(read_byte(w, SERVER, t.server), -ECONNRESET);
}

/* SOCK-04, SOCK-09: a connection that is being opened goes without a word, whatever SO_LINGER
 * says; a SYN,ACK that comes late is reset. */
static void close_while_opening(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    for (int linger = 0; linger < 2; linger++) {
        int fd = world_socket(w, CLIENT);
        set_linger(w, CLIENT, fd, linger, 0);
        assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
        assert_int_equal(world_side(w, CLIENT), 1); /* the SYN */
        assert_int_equal(world_side(w, SERVER), 2); /* it, and the SYN,ACK */
        uint64_t resets = world_count(w, SERVER, SLT_CAUSE_RESET_RECEIVED);
        assert_int_equal(salut_sock_close(w->socks[CLIENT], fd), 0);
        assert_false(salut_wants_output(w->stacks[CLIENT]));
        world_turn(w);
        assert_int_equal(world_count(w, SERVER, SLT_CAUSE_RESET_RECEIVED), resets + 1);
        assert_int_equal(world_accept(w, t.listener), -EAGAIN);
    }
}

/* SOCK-06: without the switch the time means nothing. */
static void linger_that_is_off(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    set_linger(w, CLIENT, t.client, 0, 5);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], t.client), 0);
    world_turn(w);
    assert_int_equal(read_byte(w, SERVER, t.server), 0);
    assert_int_equal(world_error(w, SERVER, t.server), 0);
}

/* SOCK-07: each socket as close() would, and none waits. */
static void the_end_of_a_process(void **state)
{
    struct world *w = *state;
    struct trio idle = world_trio(w);
    int fds[2];
    int peers[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = world_socket(w, CLIENT);
        assert_int_equal(world_connect(w, fds[i], PORT), -EINPROGRESS);
        world_turn(w);
        peers[i] = world_accept(w, idle.listener);
        assert_true(peers[i] > 0);
    }
    world_send(w, SERVER, peers[0], "unread");
    set_linger(w, CLIENT, fds[1], 1, 60);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], fds[1], "queued", 6, 0), 6);
    salut_socks_destroy(w->socks[CLIENT]);
    w->socks[CLIENT] = NULL;
    world_turn(w);
    assert_int_equal(read_byte(w, SERVER, idle.server), 0);
    assert_int_equal(read_byte(w, SERVER, peers[0]), -ECONNRESET);
    world_expect(w, SERVER, peers[1], "queued");
    assert_int_equal(read_byte(w, SERVER, peers[1]), 0);
}

/* SOCK-08: half-open, too. */
static void closing_a_listener_resets_handshakes(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    assert_int_equal(world_side(w, CLIENT), 1);
    assert_int_equal(world_side(w, SERVER), 2);
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.listener), 0);
    world_turn(w);
    assert_int_equal(world_error(w, CLIENT, fd), ECONNRESET);
    world_send(w, CLIENT, t.client, "accepted before: untouched");
    world_expect(w, SERVER, t.server, "accepted before: untouched");
}

/* SOCK-11: what was queued, then FIN; EPIPE from then on, while reading goes on. */
static void shutdown_of_writing(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    static char block[60000];
    size_t got = 0;
    ptrdiff_t n = 1;
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, block, 60000, 0), 60000);
    assert_int_equal(salut_sock_shutdown(w->socks[CLIENT], t.client, SHUT_WR), 0);
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "x", 1, MSG_NOSIGNAL), -EPIPE);
    for (int i = 0; i < 1000 && n != 0; i++) {
        world_pass(w, 10 * SLT_NS_PER_MS);
        n = salut_sock_recv(w->socks[SERVER], t.server, block, sizeof(block), 0);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, 60000);
    world_send(w, SERVER, t.server, "still heard");
    world_expect(w, CLIENT, t.client, "still heard");
}

/* SOCK-12: shutting the reading side says nothing to the peer. */
static void shutdown_of_reading_is_silent(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    assert_int_equal(salut_sock_shutdown(w->socks[SERVER], t.server, SHUT_RD), 0);
    assert_false(salut_wants_output(w->stacks[SERVER]));
    world_send(w, CLIENT, t.client, "acknowledged");
    world_pass(w, SLT_NS_PER_S);
    struct salut_info info;
    salut_conn conn;
    assert_int_equal(salut_sock_conn(w->socks[CLIENT], t.client, &conn), SALUT_OK);
    assert_int_equal(salut_get_info(w->stacks[CLIENT], conn, &info), SALUT_OK);
    assert_int_equal(info.send_queued, 0);
    world_expect(w, SERVER, t.server, "acknowledged");
    assert_int_equal(read_byte(w, SERVER, t.server), 0);
}

/* SOCK-13: both at once is one after the other; again is no error while there is a connection
 * (D-17). */
static void shutdown_of_both(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct salut_socks *s = w->socks[CLIENT];
    assert_int_equal(salut_sock_shutdown(s, t.client, SHUT_RDWR), 0);
    assert_int_equal(salut_sock_shutdown(s, t.client, SHUT_RDWR), 0);
    assert_int_equal(salut_sock_shutdown(s, t.client, SHUT_WR), 0);
    assert_int_equal(salut_sock_shutdown(s, t.client, 3), -EINVAL);
    world_turn(w);
    assert_int_equal(read_byte(w, CLIENT, t.client), 0);
    assert_int_equal(salut_sock_send(s, t.client, "x", 1, 0), -EPIPE);
    assert_int_equal(read_byte(w, SERVER, t.server), 0);
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.server), 0);
    world_pass(w, 70 * SLT_NS_PER_S); /* TIME-WAIT is over */
    assert_int_equal(salut_sock_shutdown(s, t.client, SHUT_RDWR), -ENOTCONN);
}

/* SOCK-13: a listener stops listening; it can begin again. */
static void shutdown_of_a_listener(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    assert_int_equal(salut_sock_shutdown(w->socks[SERVER], listener, SHUT_WR), 0);
    assert_int_equal(world_accept(w, listener), -EAGAIN);
    assert_int_equal(salut_sock_shutdown(w->socks[SERVER], listener, SHUT_RD), 0);
    assert_int_equal(world_accept(w, listener), -EINVAL);
    int fd = world_socket(w, CLIENT);
    assert_int_equal(world_connect(w, fd, PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(world_error(w, CLIENT, fd), ECONNREFUSED);
    assert_int_equal(salut_sock_listen(w->socks[SERVER], listener, 1), 0);
    assert_int_equal(world_accept(w, listener), -EAGAIN);
}

/* SOCK-14: close() says 0 though not a byte will ever arrive. */
static void close_does_not_know_what_is_lost(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    w->cut = true;
    assert_int_equal(salut_sock_send(w->socks[CLIENT], t.client, "lost", 4, 0), 4);
    assert_int_equal(salut_sock_close(w->socks[CLIENT], t.client), 0);
    world_pass(w, 1000 * SLT_NS_PER_S);
    w->cut = false;
    world_turn(w);
    assert_int_equal(read_byte(w, SERVER, t.server), -EAGAIN);
    struct salut_info info;
    uint64_t cursor = 0;
    assert_false(salut_next_info(w->stacks[CLIENT], &cursor, &info)); /* given up, and forgotten */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(close_sends_what_is_queued),
        world_test(an_unread_fin_is_no_data),
        world_test(unread_data_costs_what_is_queued),
        world_test(data_after_close_is_reset),
        world_test(linger_of_zero_resets),
        world_test(close_while_opening),
        world_test(linger_that_is_off),
        world_test(the_end_of_a_process),
        world_test(closing_a_listener_resets_handshakes),
        world_test(shutdown_of_writing),
        world_test(shutdown_of_reading_is_silent),
        world_test(shutdown_of_both),
        world_test(shutdown_of_a_listener),
        world_test(close_does_not_know_what_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
