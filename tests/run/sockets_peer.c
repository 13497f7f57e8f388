/* The peer of the socket matrix: it does with the kernel's TCP what the other side tells it, one
 * command a datagram, one answer each; a process for each who asks, so that nothing is left of a
 * row that has ended.
 *
 * Sockets have numbers, in the order in which they were made. What waits, waits four seconds.
 */
#include "sockets.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKETS_MAX 64
#define PATIENCE_MS 4000

struct peer {
    int family;
    const char *other[2]; /* the address of the side under test: IPv4, IPv6 */
    int fds[SOCKETS_MAX];
    int count;
    int packets; /* the packet socket, once it watches */
    bool muted;
    char reply[REPLY_BYTES];
};

static const char *other_of(const struct peer *p)
{
    return p->other[p->family == AF_INET ? 0 : 1];
}

static int keep(struct peer *p, int fd)
{
    if (p->count == SOCKETS_MAX) {
        die("too many sockets");
    }
    p->fds[p->count] = fd;
    return p->count++;
}

static void answer(struct peer *p, ssize_t value)
{
    (void)snprintf(p->reply, sizeof(p->reply), "%s", result(value));
}

static int fd_of(const struct peer *p, int number)
{
    return number >= 0 && number < p->count ? p->fds[number] : -1;
}

static void do_listen(struct peer *p, int backlog, int unused)
{
    (void)unused;
    int fd = socket(p->family, SOCK_STREAM, 0);
    union address a;
    socklen_t bytes = fill_address(&a, p->family == AF_INET ? "0.0.0.0" : "::", 0);
    if (bind(fd, &a.any, bytes) != 0 || listen(fd, backlog) != 0) {
        die("the peer cannot listen");
    }
    answer(p, keep(p, fd));
}

static void do_port(struct peer *p, int number, int unused)
{
    (void)unused;
    answer(p, port_of(fd_of(p, number)));
}

static void do_accept(struct peer *p, int number, int unused)
{
    (void)unused;
    struct pollfd ready = {.fd = fd_of(p, number), .events = POLLIN};
    if (poll(&ready, 1, PATIENCE_MS) <= 0) {
        (void)snprintf(p->reply, sizeof(p->reply), "nobody came");
        return;
    }
    int fd = accept(ready.fd, NULL, NULL);
    answer(p, fd < 0 ? -1 : keep(p, fd));
}

/* Begin a connection from this side; `connect` waits for it, `start` does not. */
static void do_start(struct peer *p, int port, int unused)
{
    (void)unused;
    int fd = socket(p->family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (start_connect(fd, other_of(p), port) != 0 && errno != EINPROGRESS) {
        answer(p, -1);
        (void)close(fd);
        return;
    }
    answer(p, keep(p, fd));
}

static void do_state(struct peer *p, int number, int ms)
{
    struct pollfd ready = {.fd = fd_of(p, number), .events = POLLOUT};
    if (poll(&ready, 1, ms) <= 0) {
        (void)snprintf(p->reply, sizeof(p->reply), "pending");
        return;
    }
    int error = take_error(ready.fd);
    (void)snprintf(p->reply, sizeof(p->reply), "%s", error == 0 ? "connected" : error_name(error));
}

static void do_connect(struct peer *p, int port, int unused)
{
    int before = p->count;
    do_start(p, port, unused);
    if (p->count == before) {
        return;
    }
    do_state(p, before, PATIENCE_MS);
    if (strcmp(p->reply, "connected") == 0) {
        set_nonblock(p->fds[before], false);
        answer(p, before);
    }
}

static void do_send(struct peer *p, int number, int bytes)
{
    answer(p, send_all(fd_of(p, number), (size_t)bytes));
}

static void do_oob(struct peer *p, int number, int unused)
{
    (void)unused;
    answer(p, send(fd_of(p, number), "!", 1, MSG_OOB | MSG_NOSIGNAL));
}

/* Read so many bytes, or to the end, and say how it ended. */
static void do_read(struct peer *p, int number, int bytes)
{
    static char data[65536];
    int got = 0;
    const char *end = "";
    bool wrong = false;
    struct pollfd ready = {.fd = fd_of(p, number), .events = POLLIN};
    while (got < bytes) {
        if (poll(&ready, 1, PATIENCE_MS) <= 0) {
            end = " and waits";
            break;
        }
        int most = bytes - got < (int)sizeof(data) ? bytes - got : (int)sizeof(data);
        ssize_t n = recv(ready.fd, data, (size_t)most, MSG_DONTWAIT);
        if (n <= 0) {
            end = n == 0 ? " EOF" : error_name(errno);
            break;
        }
        for (int i = 0; i < (int)n; i++) {
            wrong = wrong || data[i] != (char)((got + i) % 251);
        }
        got += (int)n;
    }
    (void)snprintf(p->reply, sizeof(p->reply), "%d%s%s%s", got, end[0] == 'E' ? " " : "", end,
                   wrong ? ", not as sent" : "");
}

static void do_drain(struct peer *p, int number, int unused)
{
    (void)unused;
    do_read(p, number, 1 << 30);
}

/* Only how it ends: EOF or the error. */
static void do_end(struct peer *p, int number, int unused)
{
    do_drain(p, number, unused);
    char *space = strchr(p->reply, ' ');
    if (space != NULL) {
        memmove(p->reply, space + 1, strlen(space));
    }
    p->reply[strcspn(p->reply, ",")] = '\0';
    if (strncmp(p->reply, " ", 1) == 0) {
        memmove(p->reply, p->reply + 1, strlen(p->reply));
    }
}

/* Wait for a sign that the other side closes or resets, and name it. */
static void do_wait(struct peer *p, int number, int ms)
{
    struct pollfd ready = {.fd = fd_of(p, number), .events = POLLRDHUP};
    (void)poll(&ready, 1, ms);
    const char *word = "quiet";
    if ((ready.revents & POLLERR) != 0) {
        word = "reset";
    } else if ((ready.revents & (POLLRDHUP | POLLHUP)) != 0) {
        word = "FIN";
    }
    (void)snprintf(p->reply, sizeof(p->reply), "%s", word);
}

/* Wait for an error and name it. */
static void do_error(struct peer *p, int number, int unused)
{
    (void)unused;
    struct pollfd ready = {.fd = fd_of(p, number), .events = 0};
    (void)poll(&ready, 1, PATIENCE_MS);
    (void)snprintf(p->reply, sizeof(p->reply), "%s", error_name(take_error(ready.fd)));
}

static void do_half(struct peer *p, int number, int unused)
{
    (void)unused;
    answer(p, shutdown(fd_of(p, number), SHUT_WR));
}

static void do_close(struct peer *p, int number, int unused)
{
    (void)unused;
    answer(p, close(fd_of(p, number)));
}

static void do_reset(struct peer *p, int number, int unused)
{
    set_linger(fd_of(p, number), 1, 0);
    do_close(p, number, unused);
}

static void do_family(struct peer *p, int family, int unused)
{
    (void)unused;
    p->family = family == 4 ? AF_INET : AF_INET6;
    answer(p, 0);
}

/* Nothing more goes to the other side, not even acknowledgements; and again it does. */
static void do_mute(struct peer *p, int on, int unused)
{
    (void)unused;
    char command[160];
    bool v4 = p->family == AF_INET;
    (void)snprintf(command, sizeof(command), "ip -%d route %s blackhole %s/%d", v4 ? 4 : 6,
                   on != 0 ? "add" : "del", other_of(p), v4 ? 32 : 128);
    if (system(command) != 0) {
        die("a route cannot be set");
    }
    p->muted = on != 0;
    answer(p, 0);
}

static void do_watch(struct peer *p, int unused, int unused_too)
{
    (void)unused_too;
    (void)unused;
    p->packets = open_packets();
    answer(p, 0);
}

/* How many segments came from the other side since `watch`: SYN alone, and others. */
static void do_seen(struct peer *p, int unused, int unused_too)
{
    (void)unused_too;
    (void)unused;
    int syns = 0;
    int others = 0;
    count_packets(p->packets, p->family, other_of(p), &syns, &others);
    (void)snprintf(p->reply, sizeof(p->reply), "SYN %s, others %d", yes(syns > 0), others);
}

static void do_icmp(struct peer *p, int type, int code)
{
    answer(p, send_icmp(p->packets, p->family, type, code) ? 0 : -1);
}

static void do_synack(struct peer *p, int unused, int unused_too)
{
    (void)unused_too;
    (void)unused;
    answer(p, mute_syn_ack(p->packets, p->family));
}

static void obey(struct peer *p, const char *command)
{
    static const struct {
        const char *word;
        void (*act)(struct peer *p, int first, int second);
    } words[] = {
        {"family", do_family}, {"listen", do_listen},   {"port", do_port},   {"accept", do_accept},
        {"start", do_start},   {"connect", do_connect}, {"state", do_state}, {"send", do_send},
        {"oob", do_oob},       {"read", do_read},       {"drain", do_drain}, {"end", do_end},
        {"wait", do_wait},     {"error", do_error},     {"half", do_half},   {"close", do_close},
        {"reset", do_reset},   {"mute", do_mute},       {"watch", do_watch}, {"seen", do_seen},
        {"icmp", do_icmp},     {"synack", do_synack}};
    char word[16] = "";
    int first = 0;
    int second = 0;
    (void)sscanf(command, "%15s %d %d", word, &first, &second);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, word) == 0) {
            words[i].act(p, first, second);
            return;
        }
    }
    (void)snprintf(p->reply, sizeof(p->reply), "what is '%s'?", word);
}

static void serve_one(int control, const char *const other[2])
{
    struct peer p = {.family = AF_INET, .other = {other[0], other[1]}, .packets = -1};
    char command[REPLY_BYTES];
    for (;;) {
        ssize_t bytes = recv(control, command, sizeof(command) - 1, 0);
        if (bytes <= 0) {
            break;
        }
        command[bytes] = '\0';
        obey(&p, command);
        (void)send(control, p.reply, strlen(p.reply), MSG_NOSIGNAL);
    }
    if (p.muted) {
        do_mute(&p, 0, 0);
    }
}

int serve_peer(const char *path, const char *other_v4, const char *other_v6)
{
    const char *const other[2] = {other_v4, other_v6};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)(void *)&a, sizeof(a)) != 0 ||
        listen(listener, 64) != 0) {
        die("the peer cannot listen for commands");
    }
    struct sigaction reap = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    printf("ready\n");
    (void)fflush(stdout);
    for (;;) {
        int control = accept(listener, NULL, NULL);
        if (control < 0) {
            return 1;
        }
        (void)sigaction(SIGCHLD, &reap, NULL);
        if (fork() == 0) {
            (void)signal(SIGCHLD, SIG_DFL);
            (void)close(listener);
            serve_one(control, other);
            _exit(0);
        }
        (void)close(control);
    }
}
