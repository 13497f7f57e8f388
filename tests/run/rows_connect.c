/* SOCK-30 to SOCK-38: connect, step by step (sockets.h). */
#include "sockets.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A listener of the peer's. */
static int open_port(struct world *w, int *handle)
{
    *handle = ask_number(w, "listen 8");
    return ask_number(w, "port %d", *handle);
}

static int closed_port(struct world *w)
{
    int handle = 0;
    int port = open_port(w, &handle);
    (void)ask(w, "close %d", handle);
    return port;
}

static void row_30(struct world *w)
{
    int fd = new_socket(w, SOCK_NONBLOCK);
    say(w, "nobody answers: %s", result(start_connect(fd, w->lost, 9)));
    say(w, "again %s", result(start_connect(fd, w->lost, 9)));
    (void)close(fd);
    int handle = 0;
    int port = open_port(w, &handle);
    fd = new_socket(w, SOCK_NONBLOCK);
    say(w, "a listener: %s", result(start_connect(fd, w->peer, port)));
    (void)bits_when(fd, POLLOUT, 4000);
    say(w, "again %s", result(start_connect(fd, w->peer, port)));
    say(w, "again %s", result(start_connect(fd, w->peer, port)));
    (void)close(fd);
    fd = new_socket(w, 0);
    say(w, "blocking %s", result(start_connect(fd, w->peer, port)));
    say(w, "again %s", result(start_connect(fd, w->peer, port)));
    (void)close(fd);
    fd = new_socket(w, SOCK_NONBLOCK);
    port = closed_port(w);
    (void)start_connect(fd, w->peer, port);
    (void)bits_when(fd, POLLOUT, 4000);
    say(w, "refused, again %s", result(start_connect(fd, w->peer, port)));
    say(w, "SO_ERROR then %s", error_name(take_error(fd)));
}

/* What an epoll set that was made before says, level-triggered. */
static short epoll_bits(int set)
{
    struct epoll_event event = {.events = 0};
    return epoll_wait(set, &event, 1, 0) == 1 ? (short)event.events : 0;
}

static int epoll_of(int fd)
{
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP};
    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll");
    }
    return set;
}

static void row_31(struct world *w)
{
    int handle = 0;
    int fd = new_socket(w, SOCK_NONBLOCK);
    int set = epoll_of(fd);
    say(w, "fresh %s, epoll %s", bits_text(bits_now(fd)), bits_text(epoll_bits(set)));
    (void)start_connect(fd, w->lost, 9);
    say(w, "in progress %s, epoll %s", bits_text(bits_now(fd)), bits_text(epoll_bits(set)));
    pause_ms(200);
    say(w, "in progress %s, epoll %s", bits_text(bits_now(fd)), bits_text(epoll_bits(set)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
    say(w, "send %s", result(send(fd, "x", 1, MSG_NOSIGNAL)));
    char byte;
    say(w, "recv %s", result(recv(fd, &byte, 1, 0)));
    (void)close(fd);
    (void)close(set);

    int port = open_port(w, &handle);
    fd = new_socket(w, SOCK_NONBLOCK);
    set = epoll_of(fd);
    (void)start_connect(fd, w->peer, port);
    say(w, "connected %s", bits_text(bits_when(fd, POLLOUT, 4000)));
    say(w, "epoll %s", bits_text(epoll_bits(set)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
    say(w, "send %s", result(send_all(fd, 10)));
    int far = ask_number(w, "accept %d", handle);
    say(w, "peer: %s", ask(w, "read %d 10", far));
    (void)close(fd);
    (void)close(set);

    fd = new_socket(w, SOCK_NONBLOCK);
    set = epoll_of(fd);
    (void)start_connect(fd, w->peer, closed_port(w));
    say(w, "refused %s", bits_text(bits_when(fd, POLLOUT, 4000)));
    say(w, "epoll %s", bits_text(epoll_bits(set)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
    say(w, "epoll %s", bits_text(epoll_bits(set)));
}

static void row_32(struct world *w)
{
    int fd = new_socket(w, 0);
    interrupt_after(200);
    say(w, "connect %s", result(start_connect(fd, w->lost, 9)));
    say(w, "bits %s", bits_text(bits_now(fd)));
    set_nonblock(fd, true);
    say(w, "again %s", result(start_connect(fd, w->lost, 9)));
}

static void talk(struct world *w, int fd, int handle)
{
    int far = ask_number(w, "accept %d", handle);
    say(w, "send %s", result(send_all(fd, 10)));
    say(w, "peer: %s", ask(w, "read %d 10", far));
    (void)ask(w, "send %d 20", far);
    say(w, "read %s", result(read_all(fd, 20)));
    say(w, "SO_ERROR %s, bits %s", error_name(take_error(fd)), bits_text(bits_now(fd)));
    (void)ask(w, "half %d", far);
    say(w, "bits %s", bits_text(bits_when(fd, POLLRDHUP, 4000)));
}

static void row_33(struct world *w)
{
    int handle = 0;
    int fd = new_socket(w, 0);
    int copy = dup(fd);
    say(w, "refused %s", result(start_connect(fd, w->peer, closed_port(w))));
    say(w, "once more %s", result(start_connect(fd, w->peer, closed_port(w))));
    say(w, "to a listener %s", result(start_connect(fd, w->peer, open_port(w, &handle))));
    talk(w, fd, handle);
    (void)close(fd);
    char byte;
    say(w, "a copy made before reads %s", result(read(copy, &byte, 1)));
    (void)close(copy);

    fd = new_socket(w, SOCK_NONBLOCK);
    int set = epoll_of(fd);
    (void)start_connect(fd, w->peer, closed_port(w));
    (void)bits_when(fd, POLLOUT, 4000);
    say(w, "non-blocking, SO_ERROR %s", error_name(take_error(fd)));
    say(w, "bits %s", bits_text(bits_now(fd)));
    int port = open_port(w, &handle);
    say(w, "to a listener %s", result(start_connect(fd, w->peer, port)));
    say(w, "bits %s", bits_text(bits_now(fd)));
    say(w, "once more %s", result(start_connect(fd, w->peer, port)));
    say(w, "bits %s", bits_text(bits_when(fd, POLLOUT, 4000)));
    say(w, "epoll set from before: %s", bits_text(epoll_bits(set)));
    set_nonblock(fd, false);
    talk(w, fd, handle);
}

static int disconnect(int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    return connect(fd, &none, sizeof(none));
}

static void row_34(struct world *w)
{
    struct pair p;
    union address a;
    socklen_t bytes = sizeof(a);
    open_pair(w, &p, false);
    say(w, "disconnect %s", result(disconnect(p.fd)));
    say(w, "peer: %s", ask(w, "error %d", p.far));
    say(w, "getpeername %s", result(getpeername(p.fd, &a.any, &bytes)));
    say(w, "bits %s", bits_text(bits_now(p.fd)));
    int handle = 0;
    say(w, "connect %s", result(start_connect(p.fd, w->peer, open_port(w, &handle))));
    talk(w, p.fd, handle);
    (void)close(p.fd);
    int fd = new_socket(w, SOCK_NONBLOCK);
    (void)start_connect(fd, w->lost, 9);
    say(w, "in progress: disconnect %s", result(disconnect(fd)));
    say(w, "bits %s, SO_ERROR %s", bits_text(bits_now(fd)), error_name(take_error(fd)));
    (void)close(fd);
    fd = new_socket(w, 0);
    say(w, "fresh: disconnect %s", result(disconnect(fd)));
}

static void row_35(struct world *w)
{
    int port = 0;
    int listener = new_listener(w, 8, &port);
    say(w, "a listener connects: %s", result(start_connect(listener, w->peer, 9)));
    say(w, "and listens on: peer connects %s", yes(ask_number(w, "connect %d", port) >= 0));
}

static void row_36(struct world *w)
{
    static const char *const v4[] = {"255.255.255.255", "224.0.0.1", "10.99.0.255"};
    static const char *const v6[] = {"ff02::1", "ff0e::1"};
    bool is_v4 = w->family == AF_INET;
    for (size_t i = 0; i < (is_v4 ? 3 : 2); i++) {
        const char *to = is_v4 ? v4[i] : v6[i];
        int fd = new_socket(w, SOCK_NONBLOCK);
        say(w, "connect to %s: %s", to, result(start_connect(fd, to, 9)));
        (void)close(fd);
    }
}

static int bound_to(struct world *w, int port)
{
    union address a;
    socklen_t bytes = fill_address(&a, w->own, port);
    int fd = new_socket(w, 0);
    (void)set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    say(w, "bind %s", result(bind(fd, &a.any, bytes)));
    return fd;
}

static void row_37(struct world *w)
{
    int handle = 0;
    int port = open_port(w, &handle);
    int first = bound_to(w, 0);
    say(w, "connect %s", result(start_connect(first, w->peer, port)));
    int second = bound_to(w, port_of(first));
    say(w, "the same four: %s", result(start_connect(second, w->peer, port)));
    say(w, "to another port: %s", result(start_connect(second, w->peer, open_port(w, &handle))));
    say(w, "one port of ours: %s", yes(port_of(first) == port_of(second)));
}

static void row_38(struct world *w)
{
    union address a;
    socklen_t bytes = fill_address(&a, w->own, 0);
    int fd = new_socket(w, 0);
    say(w, "bind %s", result(bind(fd, &a.any, bytes)));
    say(w, "connect to itself %s", result(start_connect(fd, w->own, port_of(fd))));
    bytes = sizeof(a);
    say(w, "getpeername %s", result(getpeername(fd, &a.any, &bytes)));
    if (send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
        say(w, "read of what was sent %s", result(read_all(fd, 1)));
    }
    (void)close(fd);
    int port = 0;
    int listener = new_listener(w, 8, &port);
    fd = new_socket(w, 0);
    say(w, "connect to an own listener %s", result(start_connect(fd, w->own, port)));
    int other = accept(listener, NULL, NULL);
    say(w, "send %s", result(send_all(fd, 10)));
    say(w, "read %s", result(read_all(other, 10)));
}

const struct row connect_rows[] = {{30, row_30}, {31, row_31}, {32, row_32}, {33, row_33},
                                   {34, row_34}, {35, row_35}, {36, row_36}, {37, row_37},
                                   {38, row_38}, {0, NULL}};
