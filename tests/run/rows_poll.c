/* SOCK-40 to SOCK-45: readiness (sockets.h). */
#include "sockets.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

static void readable(struct world *w, struct pair *p)
{
    say(w, "nothing there: %s", bits_text(bits_now(p->fd)));
    (void)ask(w, "send %d 5", p->far);
    say(w, "data: %s", bits_text(bits_when(p->fd, POLLIN, 4000)));
    say(w, "read %s", result(read_all(p->fd, 5)));
    say(w, "all read: %s", bits_text(bits_now(p->fd)));
    (void)ask(w, "half %d", p->far);
    say(w, "EOF: %s", bits_text(bits_when(p->fd, POLLIN, 4000)));
}

static void low_water(struct world *w, struct pair *p)
{
    say(w, "SO_RCVLOWAT %s", result(set_int(p->fd, SOL_SOCKET, SO_RCVLOWAT, 10)));
    (void)ask(w, "send %d 5", p->far);
    (void)wait_bytes(p->fd, 5);
    say(w, "below the low-water mark: %s", bits_text(bits_now(p->fd)));
    (void)ask(w, "send %d 5", p->far);
    (void)wait_bytes(p->fd, 10);
    say(w, "at it: %s", bits_text(bits_when(p->fd, POLLIN, 1000)));
}

static void row_40(struct world *w)
{
    on_both(w, readable);
    on_both(w, low_water);
    int port = 0;
    int listener = new_listener(w, 8, &port);
    say(w, "listener: %s", bits_text(bits_now(listener)));
    (void)ask(w, "connect %d", port);
    say(w, "one waits: %s", bits_text(bits_when(listener, POLLIN, 4000)));
    (void)close(accept(listener, NULL, NULL));
    say(w, "taken: %s", bits_text(bits_now(listener)));
}

static void writable(struct world *w, struct pair *p)
{
    set_nonblock(p->fd, true);
    ssize_t total = 0;
    /* A while without room: what is on its way has arrived then. */
    while (bits_when(p->fd, POLLOUT, 300) & POLLOUT) {
        ssize_t sent = send_all(p->fd, 65536);
        total += sent > 0 ? sent : 0;
    }
    say(w, "full: %s", bits_text(bits_now(p->fd)));
    (void)shutdown(p->fd, SHUT_WR);
    say(w, "peer: %s", ask_number(w, "drain %d", p->far) == total ? "has all of it" : w->reply);
    say(w, "send side shut: %s", bits_text(bits_when(p->fd, POLLOUT, 4000)));
}

static void writable_again(struct world *w, struct pair *p)
{
    set_nonblock(p->fd, true);
    ssize_t total = 0;
    while (bits_when(p->fd, POLLOUT, 300) & POLLOUT) {
        ssize_t sent = send_all(p->fd, 65536);
        total += sent > 0 ? sent : 0;
    }
    (void)ask(w, "read %d %zd", p->far, total);
    say(w, "read by the peer: %s", bits_text(bits_when(p->fd, POLLOUT, 4000)));
}

static void row_41(struct world *w)
{
    on_both(w, writable);
    on_both(w, writable_again);
}

static void hang_up(struct world *w, struct pair *p)
{
    (void)ask(w, "half %d", p->far);
    say(w, "peer's FIN: %s", bits_text(bits_when(p->fd, POLLRDHUP, 4000)));
    (void)shutdown(p->fd, SHUT_WR);
    pause_ms(50);
    say(w, "and ours: %s", bits_text(bits_when(p->fd, 0, 1000)));
}

static void own_first(struct world *w, struct pair *p)
{
    (void)shutdown(p->fd, SHUT_WR);
    say(w, "our FIN: %s", bits_text(bits_now(p->fd)));
    (void)ask(w, "half %d", p->far);
    (void)bits_when(p->fd, POLLRDHUP, 4000);
    say(w, "and the peer's: %s", bits_text(bits_now(p->fd)));
}

static void row_42(struct world *w)
{
    on_both(w, hang_up);
    on_both(w, own_first);
}

static void row_43(struct world *w)
{
    int fd = new_socket(w, 0);
    say(w, "fresh: %s", bits_text(bits_now(fd)));
    union address a;
    socklen_t bytes = fill_address(&a, w->own, 0);
    (void)bind(fd, &a.any, bytes);
    say(w, "bound: %s", bits_text(bits_now(fd)));
    (void)listen(fd, 1);
    say(w, "listening: %s", bits_text(bits_now(fd)));
}

static void urgent(struct world *w, struct pair *p)
{
    (void)ask(w, "oob %d", p->far);
    say(w, "urgent: %s", bits_text(bits_when(p->fd, POLLPRI, 2000)));
    char byte = 0;
    say(w, "MSG_OOB %s", result(recv(p->fd, &byte, 1, MSG_OOB)));
    say(w, "taken: %s", bits_text(bits_now(p->fd)));
}

static void row_44(struct world *w)
{
    on_both(w, urgent);
}

/* How many events an edge-triggered set gives, and at once again. */
static void say_events(struct world *w, const char *what, int set)
{
    struct epoll_event event;
    int first = epoll_wait(set, &event, 1, 200);
    int second = epoll_wait(set, &event, 1, 100);
    say(w, "%s: %d, again: %d", what, first, second);
}

static void edges(struct world *w, struct pair *p)
{
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
    (void)epoll_ctl(set, EPOLL_CTL_ADD, p->fd, &event);
    say_events(w, "nothing", set);
    (void)ask(w, "send %d 5", p->far);
    (void)wait_bytes(p->fd, 5);
    say_events(w, "data", set);
    (void)ask(w, "send %d 5", p->far);
    (void)wait_bytes(p->fd, 10);
    say_events(w, "more, though none was read", set);
    (void)ask(w, "half %d", p->far);
    (void)bits_when(p->fd, POLLRDHUP, 4000);
    say_events(w, "FIN", set);
    (void)close(set);
}

static void row_45(struct world *w)
{
    on_both(w, edges);
    int port = 0;
    int listener = new_listener(w, 8, &port);
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    (void)epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
    (void)ask(w, "connect %d", port);
    say_events(w, "a connection", set);
    (void)ask(w, "connect %d", port);
    say_events(w, "another", set);
}

const struct row poll_rows[] = {{40, row_40}, {41, row_41}, {42, row_42}, {43, row_43},
                                {44, row_44}, {45, row_45}, {0, NULL}};
