/* Readiness through sockets: poll bits and epoll sets (SOCK-40..45).
 */
#include "sock/world.h"

#include <sys/epoll.h>

#define IN  (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

static int bits(struct world *w, int which, int fd)
{
    return salut_sock_ready(w->socks[which], fd);
}

static void states_of_a_connection(void **state)
{
    struct world *w = *state;
    char byte;
    int fresh = world_socket(w, CLIENT);
    assert_int_equal(bits(w, CLIENT, fresh), OUT | POLLHUP); /* SOCK-43 */
    struct trio t = world_trio(w);
    assert_int_equal(bits(w, SERVER, t.server), OUT);
    world_send(w, CLIENT, t.client, "x");
    assert_int_equal(bits(w, SERVER, t.server), IN | OUT); /* SOCK-40 */
    assert_int_equal(salut_sock_recv(w->socks[SERVER], t.server, &byte, 1, 0), 1);
    assert_int_equal(bits(w, SERVER, t.server), OUT);
    assert_int_equal(salut_sock_shutdown(w->socks[CLIENT], t.client, SHUT_WR), 0);
    world_turn(w);
    assert_int_equal(bits(w, SERVER, t.server), IN | OUT | POLLRDHUP); /* SOCK-42 */
    assert_int_equal(bits(w, CLIENT, t.client), OUT);                  /* SOCK-41: EPIPE */
    assert_int_equal(salut_sock_shutdown(w->socks[SERVER], t.server, SHUT_WR), 0);
    world_turn(w);
    assert_int_equal(bits(w, SERVER, t.server), IN | OUT | POLLRDHUP | POLLHUP);
    assert_int_equal(bits(w, CLIENT, t.client), IN | OUT | POLLRDHUP | POLLHUP);
}

/* SOCK-44 */
static void a_reset_shows_everything(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    assert_int_equal(salut_sock_connect(w->socks[SERVER], t.server, &none, sizeof(none)), 0);
    world_turn(w);
    assert_int_equal(bits(w, CLIENT, t.client), IN | OUT | POLLRDHUP | POLLHUP | POLLERR);
    assert_int_equal(world_error(w, CLIENT, t.client), ECONNRESET);
    assert_int_equal(bits(w, CLIENT, t.client), IN | OUT | POLLRDHUP | POLLHUP);
}

static void low_water(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    assert_int_equal(world_set_int(w, SERVER, t.server, SOL_SOCKET, SO_RCVLOWAT, 10), 0);
    world_send(w, CLIENT, t.client, "123456789");
    assert_int_equal(bits(w, SERVER, t.server) & IN, 0);
    world_send(w, CLIENT, t.client, "0");
    assert_int_equal(bits(w, SERVER, t.server) & IN, IN);
}

/* SOCK-41 */
static void full_send_buffer(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    static char block[65536];
    while (salut_sock_send(w->socks[CLIENT], t.client, block, sizeof(block), 0) > 0) {
        world_turn(w);
    }
    assert_int_equal(bits(w, CLIENT, t.client) & OUT, 0);
    while (salut_sock_recv(w->socks[SERVER], t.server, block, sizeof(block), 0) > 0) {
        world_turn(w);
    }
    world_pass(w, SLT_NS_PER_S);
    while (salut_sock_recv(w->socks[SERVER], t.server, block, sizeof(block), 0) > 0) {
        world_turn(w);
    }
    world_pass(w, SLT_NS_PER_S);
    assert_int_equal(bits(w, CLIENT, t.client) & OUT, OUT);
}

static void poll_masks(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    world_send(w, CLIENT, t.client, "x");
    struct pollfd fds[] = {{t.server, POLLIN, 9}, {t.server, POLLOUT, 9}, {t.server, 0, 9},
                           {-1, POLLIN, 9},       {4711, 0, 9},           {t.listener, POLLIN, 9}};
    assert_int_equal(salut_sock_poll(w->socks[SERVER], fds, 6), 3);
    assert_int_equal(fds[0].revents, POLLIN);
    assert_int_equal(fds[1].revents, POLLOUT);
    assert_int_equal(fds[2].revents, 0);
    assert_int_equal(fds[3].revents, 0);
    assert_int_equal(fds[4].revents, POLLNVAL);
    assert_int_equal(fds[5].revents, 0);
}

/* ---- epoll ---------------------------------------------------------------------------------- */

static int add(struct world *w, int set, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd + 1000};
    return salut_sock_epoll_ctl(w->socks[SERVER], set, EPOLL_CTL_ADD, fd, &event);
}

/* The events of the one descriptor that is reported, 0 for none. */
static uint32_t wait_one(struct world *w, int set)
{
    struct epoll_event events[4];
    int n = salut_sock_epoll_wait(w->socks[SERVER], set, events, 4);
    assert_true(n == 0 || n == 1);
    return n == 0 ? 0 : events[0].events;
}

static void epoll_refuses(void **state)
{
    struct world *w = *state;
    struct salut_socks *s = w->socks[SERVER];
    struct epoll_event event = {.events = EPOLLIN};
    int set = salut_sock_epoll_create(s, 0);
    int fd = world_socket(w, SERVER);
    assert_int_equal(salut_sock_epoll_create(s, 77), -EINVAL);
    assert_int_equal(salut_sock_epoll_ctl(s, set, EPOLL_CTL_ADD, 999, &event), -EBADF);
    assert_int_equal(salut_sock_epoll_ctl(s, fd, EPOLL_CTL_ADD, fd, &event), -EINVAL);
    assert_int_equal(salut_sock_epoll_ctl(s, set, EPOLL_CTL_MOD, fd, &event), -ENOENT);
    assert_int_equal(salut_sock_epoll_ctl(s, set, EPOLL_CTL_ADD, fd, &event), 0);
    assert_int_equal(salut_sock_epoll_ctl(s, set, EPOLL_CTL_ADD, fd, &event), -EEXIST);
    assert_int_equal(salut_sock_epoll_ctl(s, set, EPOLL_CTL_DEL, fd, NULL), 0);
    assert_int_equal(salut_sock_epoll_ctl(s, set, EPOLL_CTL_DEL, fd, NULL), -ENOENT);
    assert_int_equal(salut_sock_epoll_wait(s, set, &event, 0), -EINVAL);
    assert_int_equal(salut_sock_epoll_wait(s, fd, &event, 1), -EINVAL);
    assert_int_equal(salut_sock_recv(s, set, &event, 1, 0), -ENOTSOCK);
}

static void level_triggered(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    int set = salut_sock_epoll_create(w->socks[SERVER], EPOLL_CLOEXEC);
    assert_int_equal(add(w, set, t.server, EPOLLIN), 0);
    assert_int_equal(wait_one(w, set), 0);
    world_send(w, CLIENT, t.client, "x");
    assert_int_equal(wait_one(w, set), EPOLLIN);
    assert_int_equal(wait_one(w, set), EPOLLIN);
    world_expect(w, SERVER, t.server, "x");
    assert_int_equal(wait_one(w, set), 0);
}

/* SOCK-45 */
static void edge_triggered(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    int set = salut_sock_epoll_create(w->socks[SERVER], 0);
    assert_int_equal(add(w, set, t.server, EPOLLIN | EPOLLET), 0);
    assert_int_equal(wait_one(w, set), 0);
    world_send(w, CLIENT, t.client, "x");
    assert_int_equal(wait_one(w, set), EPOLLIN);
    assert_int_equal(wait_one(w, set), 0);
    world_send(w, CLIENT, t.client, "y"); /* an arrival, though x was not read */
    assert_int_equal(wait_one(w, set), EPOLLIN);
    assert_int_equal(wait_one(w, set), 0);
    world_expect(w, SERVER, t.server, "xy");
    assert_int_equal(wait_one(w, set), 0);
    assert_int_equal(salut_sock_shutdown(w->socks[CLIENT], t.client, SHUT_WR), 0);
    world_turn(w);
    assert_int_equal(wait_one(w, set), EPOLLIN);
    assert_int_equal(wait_one(w, set), 0);
}

static void edge_triggered_listener(void **state)
{
    struct world *w = *state;
    int listener = world_listen(w, PORT);
    int set = salut_sock_epoll_create(w->socks[SERVER], 0);
    assert_int_equal(add(w, set, listener, EPOLLIN | EPOLLET), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wait_one(w, set), 0);
        assert_int_equal(world_connect(w, world_socket(w, CLIENT), PORT), -EINPROGRESS);
        world_turn(w);
        assert_int_equal(wait_one(w, set), EPOLLIN);
    }
}

static void one_shot(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    int set = salut_sock_epoll_create(w->socks[SERVER], 0);
    assert_int_equal(add(w, set, t.server, EPOLLOUT | EPOLLONESHOT), 0);
    assert_int_equal(wait_one(w, set), EPOLLOUT);
    assert_int_equal(wait_one(w, set), 0);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT};
    assert_int_equal(salut_sock_epoll_ctl(w->socks[SERVER], set, EPOLL_CTL_MOD, t.server, &event),
                     0);
    assert_int_equal(wait_one(w, set), EPOLLOUT);
}

/* A closed descriptor leaves its sets; its number, used again, is another socket. */
static void closing_leaves_the_set(void **state)
{
    struct world *w = *state;
    struct trio t = world_trio(w);
    int set = salut_sock_epoll_create(w->socks[SERVER], 0);
    assert_int_equal(add(w, set, t.server, EPOLLOUT), 0);
    assert_int_equal(wait_one(w, set), EPOLLOUT);
    assert_int_equal(salut_sock_close(w->socks[SERVER], t.server), 0);
    assert_int_equal(world_socket(w, SERVER), t.server);
    assert_int_equal(wait_one(w, set), 0);
    assert_int_equal(add(w, set, t.server, EPOLLOUT), 0);
    assert_int_equal(wait_one(w, set), EPOLLOUT | EPOLLHUP);
}

/* More that is ready than there is room for: everybody is reported in turn. */
static void nobody_starves(void **state)
{
    struct world *w = *state;
    enum { COUNT = 40 };
    struct epoll_event events[7];
    bool seen[COUNT + 10] = {false};
    int set = salut_sock_epoll_create(w->socks[SERVER], 0);
    int first = -1;
    for (int i = 0; i < COUNT; i++) {
        int fd = world_socket(w, SERVER);
        first = first < 0 ? fd : first;
        assert_int_equal(add(w, set, fd, EPOLLOUT), 0);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(salut_sock_epoll_wait(w->socks[SERVER], set, events, 7), 7);
        for (int k = 0; k < 7; k++) {
            seen[events[k].data.u64 - 1000 - (uint64_t)first] = true;
        }
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(seen[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(states_of_a_connection),
        world_test(a_reset_shows_everything),
        world_test(low_water),
        world_test(full_send_buffer),
        world_test(poll_masks),
        world_test(epoll_refuses),
        world_test(level_triggered),
        world_test(edge_triggered),
        world_test(edge_triggered_listener),
        world_test(one_shot),
        world_test(closing_leaves_the_set),
        world_test(nobody_starves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
