/* SOCK-60 to SOCK-65: addresses and ports of ours (sockets.h). */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *any_of(const struct world *w)
{
    return w->family == AF_INET ? "0.0.0.0" : "::";
}

static int bind_to(int fd, const char *address, int port)
{
    union address a;
    socklen_t bytes = fill_address(&a, address, port);
    return bind(fd, &a.any, bytes);
}

static int reusing(const struct world *w, int option)
{
    int fd = new_socket(w, 0);
    if (option != 0 && set_int(fd, SOL_SOCKET, option, 1) != 0) {
        die("an option");
    }
    return fd;
}

static void row_60(struct world *w)
{
    int first = new_socket(w, 0);
    (void)bind_to(first, w->own, 0);
    int port = port_of(first);
    say(w, "the same address and port: %s", result(bind_to(new_socket(w, 0), w->own, port)));
    say(w, "the wildcard: %s", result(bind_to(new_socket(w, 0), any_of(w), port)));
    int wild = new_socket(w, 0);
    (void)bind_to(wild, any_of(w), 0);
    say(w, "a wildcard is there: %s", result(bind_to(new_socket(w, 0), w->own, port_of(wild))));
    (void)close(first);
    say(w, "closed: %s", result(bind_to(new_socket(w, 0), w->own, port)));
}

static void row_61(struct world *w)
{
    int port = 0;
    int listener = new_listener(w, 8, &port);
    (void)ask(w, "connect %d", port);
    int child = accept(listener, NULL, NULL);
    say(w, "a listener is there: %s", result(bind_to(reusing(w, SO_REUSEADDR), w->own, port)));
    (void)close(listener);
    say(w, "a child is there: %s", result(bind_to(new_socket(w, 0), w->own, port)));
    say(w, "with SO_REUSEADDR here alone: %s",
        result(bind_to(reusing(w, SO_REUSEADDR), w->own, port)));
    (void)close(child);

    listener = reusing(w, SO_REUSEADDR);
    (void)bind_to(listener, w->own, 0);
    (void)listen(listener, 8);
    port = port_of(listener);
    int far = ask_number(w, "connect %d", port);
    child = accept(listener, NULL, NULL);
    (void)close(listener);
    int again = reusing(w, SO_REUSEADDR);
    say(w, "with SO_REUSEADDR on both: %s", result(bind_to(again, w->own, port)));
    say(w, "and listens %s", result(listen(again, 8)));
    (void)close(again);
    (void)shutdown(child, SHUT_WR);
    (void)ask(w, "end %d", far);
    (void)ask(w, "close %d", far);
    (void)bits_when(child, 0, 2000);
    (void)close(child);
    pause_ms(50);
    say(w, "TIME-WAIT, without: %s", result(bind_to(new_socket(w, 0), w->own, port)));
    again = reusing(w, SO_REUSEADDR);
    say(w, "TIME-WAIT, with: %s", result(bind_to(again, w->own, port)));
    say(w, "and listens %s", result(listen(again, 8)));
    say(w, "peer: connects %s", yes(ask_number(w, "connect %d", port) >= 0));
}

static void row_62(struct world *w)
{
    int first = reusing(w, SO_REUSEADDR);
    (void)bind_to(first, w->own, 0);
    int second = reusing(w, SO_REUSEADDR);
    say(w, "both reuse: %s", result(bind_to(second, w->own, port_of(first))));
    say(w, "first listens %s", result(listen(first, 8)));
    say(w, "second listens %s", result(listen(second, 8)));
}

static void row_63(struct world *w)
{
    int first = reusing(w, SO_REUSEPORT);
    (void)bind_to(first, w->own, 0);
    int port = port_of(first);
    int second = reusing(w, SO_REUSEPORT);
    say(w, "both share: %s", result(bind_to(second, w->own, port)));
    say(w, "both listen: %s %s", result(listen(first, 64)), result(listen(second, 64)));
    say(w, "one that does not: %s", result(bind_to(new_socket(w, 0), w->own, port)));
    for (int i = 0; i < 40; i++) {
        (void)ask_number(w, "connect %d", port);
    }
    pause_ms(100);
    int got[2] = {0, 0};
    const int listeners[2] = {first, second};
    for (int i = 0; i < 2; i++) {
        set_nonblock(listeners[i], true);
        while (accept(listeners[i], NULL, NULL) >= 0) {
            got[i]++;
        }
    }
    say(w, "40 connections, all there: %s, both have some: %s", yes(got[0] + got[1] == 40),
        yes(got[0] > 0 && got[1] > 0));
}

static void row_64(struct world *w)
{
    int fd = new_socket(w, 0);
    say(w, "bind %s", result(bind_to(fd, w->own, 0)));
    say(w, "twice %s", result(bind_to(fd, w->own, 0)));
    say(w, "an address that is not ours: %s", result(bind_to(new_socket(w, 0), w->lost, 0)));
    say(w, "port 70: %s", result(bind_to(new_socket(w, 0), w->own, 70)));
    struct pair p;
    open_pair(w, &p, false);
    say(w, "connected: bind %s", result(bind_to(p.fd, w->own, 0)));
    say(w, "connected before bind: own address %s", yes(port_of(p.fd) > 0));
}

/* What getsockname and getpeername say, without the ports. */
static void names(struct world *w, const char *when, int fd)
{
    union address a;
    for (int peer = 0; peer <= 1; peer++) {
        socklen_t bytes = sizeof(a);
        char text[INET6_ADDRSTRLEN] = "";
        int named = peer != 0 ? getpeername(fd, &a.any, &bytes) : getsockname(fd, &a.any, &bytes);
        if (named != 0) {
            say(w, "%s: %s %s", when, peer != 0 ? "peer" : "own", result(named));
            continue;
        }
        bool v4 = a.any.sa_family == AF_INET;
        (void)inet_ntop(a.any.sa_family, v4 ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr,
                        text, sizeof(text));
        say(w, "%s: %s %s, %u bytes, a port: %s", when, peer != 0 ? "peer" : "own", text, bytes,
            yes((v4 ? a.v4.sin_port : a.v6.sin6_port) != 0));
    }
    union address cut;
    socklen_t bytes = 4;
    memset(&cut, 0, sizeof(cut));
    int got = getsockname(fd, &cut.any, &bytes);
    say(w, "%s: cut short %s, %u bytes", when, result(got), bytes);
}

static void row_65(struct world *w)
{
    int fd = new_socket(w, 0);
    names(w, "fresh", fd);
    say(w, "port 0: %s", result(bind_to(fd, any_of(w), 0)));
    names(w, "bound", fd);
    struct pair p;
    open_pair(w, &p, false);
    names(w, "connected", p.fd);
    open_pair(w, &p, true);
    names(w, "accepted", p.fd);
    (void)ask(w, "reset %d", p.far);
    (void)bits_when(p.fd, 0, 4000);
    names(w, "reset", p.fd);
}

const struct row bind_rows[] = {{60, row_60}, {61, row_61}, {62, row_62}, {63, row_63},
                                {64, row_64}, {65, row_65}, {0, NULL}};
