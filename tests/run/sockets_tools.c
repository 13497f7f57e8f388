/* What every row needs: names for results, the way to the peer, and sockets made with one call.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 4000

void die(const char *what)
{
    printf("cannot go on: %s: %s\n", what, error_name(errno));
    (void)fflush(stdout);
    _exit(1);
}

void say(const struct world *w, const char *form, ...)
{
    char text[512];
    va_list list;
    va_start(list, form);
    (void)vsnprintf(text, sizeof(text), form, list);
    va_end(list);
    printf("IPv%d SOCK-%02d: %s%s\n", w->family == AF_INET ? 4 : 6, w->row, w->kind, text);
    (void)fflush(stdout);
}

const char *error_name(int number)
{
    const char *name = number == 0 ? "0" : strerrorname_np(number);
    return name != NULL ? name : "an unknown error";
}

const char *result(ssize_t value)
{
    static char texts[8][32];
    static int next;
    if (value < 0) {
        return error_name(errno);
    }
    char *text = texts[next++ % 8];
    (void)snprintf(text, sizeof(texts[0]), "%zd", value);
    return text;
}

const char *yes(bool fact)
{
    return fact ? "yes" : "no";
}

const char *bits_text(short bits)
{
    static const struct {
        short bit;
        const char *name;
    } names[] = {{POLLIN, "IN"},   {POLLPRI, "PRI"}, {POLLOUT, "OUT"},  {POLLRDHUP, "RDHUP"},
                 {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"}};
    static char texts[4][64];
    static int next;
    char *text = texts[next++ % 4];
    text[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((bits & names[i].bit) != 0) {
            (void)strcat(strcat(text, text[0] != '\0' ? "|" : ""), names[i].name);
        }
    }
    return text[0] != '\0' ? text : "none";
}

/* ---- the peer ------------------------------------------------------------------------------ */

static const char *exchange(struct world *w, const char *form, va_list list)
{
    char text[REPLY_BYTES];
    int bytes = vsnprintf(text, sizeof(text), form, list);
    if (send(w->control, text, (size_t)bytes, MSG_NOSIGNAL) < 0) {
        die("the peer does not listen");
    }
    ssize_t got = 0;
    do {
        got = recv(w->control, w->reply, sizeof(w->reply) - 1, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        die("the peer does not answer");
    }
    w->reply[got] = '\0';
    return w->reply;
}

const char *ask(struct world *w, const char *form, ...)
{
    va_list list;
    va_start(list, form);
    const char *reply = exchange(w, form, list);
    va_end(list);
    return reply;
}

int ask_number(struct world *w, const char *form, ...)
{
    va_list list;
    va_start(list, form);
    const char *reply = exchange(w, form, list);
    va_end(list);
    char *end = NULL;
    long number = strtol(reply, &end, 10);
    if (end == reply) {
        printf("the peer, asked '%s', said %s\n", form, reply);
        (void)fflush(stdout);
        _exit(1);
    }
    return (int)number;
}

/* ---- sockets ------------------------------------------------------------------------------- */

socklen_t fill_address(union address *a, const char *text, int port)
{
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons((uint16_t)port);
        return sizeof(a->v4);
    }
    if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) != 1) {
        die(text);
    }
    a->v6.sin6_family = AF_INET6;
    a->v6.sin6_port = htons((uint16_t)port);
    return sizeof(a->v6);
}

int port_of(int fd)
{
    union address a;
    socklen_t bytes = sizeof(a);
    if (getsockname(fd, &a.any, &bytes) != 0) {
        return -1;
    }
    return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

int new_socket(const struct world *w, int flags)
{
    int fd = socket(w->family, SOCK_STREAM | flags, 0);
    if (fd < 0) {
        die("socket");
    }
    return fd;
}

int start_connect(int fd, const char *to, int port)
{
    union address a;
    socklen_t bytes = fill_address(&a, to, port);
    return connect(fd, &a.any, bytes);
}

int new_listener(const struct world *w, int backlog, int *port)
{
    int fd = new_socket(w, 0);
    union address a;
    socklen_t bytes = fill_address(&a, w->own, 0);
    if (bind(fd, &a.any, bytes) != 0 || listen(fd, backlog) != 0) {
        die("bind and listen");
    }
    *port = port_of(fd);
    return fd;
}

void open_pair(struct world *w, struct pair *p, bool accepted)
{
    if (accepted) {
        int port = 0;
        int listener = new_listener(w, 8, &port);
        int far = ask_number(w, "connect %d", port);
        *p = (struct pair){accept(listener, NULL, NULL), far};
        if (p->fd < 0) {
            die("accept");
        }
        (void)close(listener);
        return;
    }
    int handle = ask_number(w, "listen 8");
    int port = ask_number(w, "port %d", handle);
    p->fd = new_socket(w, 0);
    if (start_connect(p->fd, w->peer, port) != 0) {
        die("connect");
    }
    p->far = ask_number(w, "accept %d", handle);
    (void)ask(w, "close %d", handle);
}

void on_both(struct world *w, void (*run)(struct world *w, struct pair *p))
{
    for (int accepted = 0; accepted <= 1; accepted++) {
        struct pair p;
        w->kind = accepted != 0 ? "accepted: " : "connected: ";
        open_pair(w, &p, accepted != 0);
        run(w, &p);
        (void)close(p.fd);
    }
    w->kind = "";
}

int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

int get_int(int fd, int level, int name)
{
    int value = 0;
    socklen_t bytes = sizeof(value);
    return getsockopt(fd, level, name, &value, &bytes) != 0 ? -1 : value;
}

int take_error(int fd)
{
    return get_int(fd, SOL_SOCKET, SO_ERROR);
}

void set_linger(int fd, int on, int seconds)
{
    struct linger linger = {.l_onoff = on, .l_linger = seconds};
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0) {
        die("SO_LINGER");
    }
}

void set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) != 0) {
        die("O_NONBLOCK");
    }
}

short bits_now(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP};
    (void)poll(&p, 1, 0);
    return p.revents;
}

short bits_when(int fd, short wanted, int ms)
{
    struct pollfd p = {.fd = fd, .events = wanted};
    if (poll(&p, 1, ms) <= 0) {
        return bits_now(fd);
    }
    pause_ms(30);
    return bits_now(fd);
}

int wait_bytes(int fd, int bytes)
{
    int there = 0;
    for (long end = now_ms() + PATIENCE_MS; now_ms() < end; pause_ms(2)) {
        if (ioctl(fd, FIONREAD, &there) != 0) {
            return -1;
        }
        if (there >= bytes) {
            break;
        }
    }
    return there;
}

ssize_t send_all(int fd, size_t bytes)
{
    static char data[65536];
    size_t sent = 0;
    while (sent < bytes) {
        size_t piece = bytes - sent < sizeof(data) ? bytes - sent : sizeof(data);
        for (size_t i = 0; i < piece; i++) {
            data[i] = (char)((sent + i) % 251);
        }
        ssize_t n = send(fd, data, piece, MSG_NOSIGNAL);
        if (n < 0) {
            return sent > 0 ? (ssize_t)sent : -1;
        }
        sent += (size_t)n;
    }
    return (ssize_t)sent;
}

ssize_t read_all(int fd, size_t bytes)
{
    char data[65536];
    size_t got = 0;
    while (got < bytes) {
        size_t piece = bytes - got < sizeof(data) ? bytes - got : sizeof(data);
        ssize_t n = read(fd, data, piece);
        if (n <= 0) {
            return n == 0 || got > 0 ? (ssize_t)got : -1;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

void pause_ms(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0) {
    }
}

long now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void ignore(int number)
{
    (void)number;
}

void interrupt_after(int ms)
{
    struct sigaction action = {.sa_handler = ignore};
    (void)sigaction(SIGUSR1, &action, NULL);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0) {
        die("timer");
    }
}
