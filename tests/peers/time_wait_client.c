/* A client that makes many short connections, some at a time, from the kernel's TCP.
 *
 *     time_wait_client ADDRESS PORT COUNT PARALLEL first|last
 *
 * "first": it sends a line, waits for the echo of all of it and closes first. "last": it reads to
 * the end of the stream, so the server has closed before it closes.
 *
 * A connection counts only when all of that happened. When every local port is taken
 * (EADDRNOTAVAIL), it tries again a little later: that is no failure of a connection but what the
 * test is about. It prints one line: connections made, failed, how often no port was free, and the
 * time it took in milliseconds. Exit 0 when none failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PARALLEL_MAX     256
#define LINE_BYTES       64
#define STALLED_MS       20000
#define NO_PORT_PAUSE_NS 500000

struct peer {
    struct sockaddr_storage addr;
    socklen_t addr_bytes;
    bool closes_first;
    int epoll_fd;
    long wanted; /* connections still to be begun */
    long made;
    long failed;
    long no_port;
    int open;
    int first_errno;
};

struct conn {
    int fd;
    bool sent;
    size_t got;
};

static bool parse_address(struct peer *p, const char *text, int port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&p->addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&p->addr;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        p->addr_bytes = sizeof(*v4);
        return true;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    p->addr_bytes = sizeof(*v6);
    return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
}

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void finish(struct peer *p, struct conn *c, int error)
{
    (void)close(c->fd);
    c->fd = -1;
    p->open--;
    if (error == 0) {
        p->made++;
        return;
    }
    p->failed++;
    p->first_errno = p->first_errno == 0 ? error : p->first_errno;
}

/* Begin a connection in a free slot. False when no local port is free. */
static bool begin(struct peer *p, struct conn *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    int fd = socket(p->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        perror("socket");
        exit(1);
    }
    if (connect(fd, (const struct sockaddr *)&p->addr, p->addr_bytes) != 0 &&
        errno != EINPROGRESS) {
        int error = errno;
        (void)close(fd);
        if (error != EADDRNOTAVAIL) {
            fprintf(stderr, "connect: %s\n", strerror(error));
            exit(1);
        }
        p->no_port++;
        return false;
    }
    *c = (struct conn){.fd = fd};
    event.events = p->closes_first ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
    p->wanted--;
    p->open++;
    return true;
}

static void send_line(struct peer *p, struct conn *c)
{
    static const char line[LINE_BYTES] = "salut, and back again";
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (send(c->fd, line, sizeof(line), MSG_NOSIGNAL) != (ssize_t)sizeof(line)) {
        finish(p, c, errno == 0 ? EIO : errno);
        return;
    }
    c->sent = true;
    (void)epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static void receive(struct peer *p, struct conn *c)
{
    char data[4 * LINE_BYTES];
    for (;;) {
        ssize_t got = recv(c->fd, data, sizeof(data), 0);
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got < 0) {
            finish(p, c, errno);
            return;
        }
        c->got += (size_t)got;
        bool whole = c->got == LINE_BYTES;
        if (got == 0 || (p->closes_first && whole)) {
            bool right = whole && (got == 0) != p->closes_first;
            finish(p, c, right ? 0 : EPROTO);
            return;
        }
    }
}

static void move(struct peer *p, const struct epoll_event *event)
{
    struct conn *c = event->data.ptr;
    if (p->closes_first && !c->sent && (event->events & (EPOLLERR | EPOLLHUP)) == 0) {
        send_line(p, c);
    } else {
        receive(p, c);
    }
}

/* Fill free slots. False when there was no port for one of them. */
static bool fill(struct peer *p, struct conn *conns, int parallel)
{
    for (int i = 0; i < parallel && p->wanted > 0; i++) {
        if (conns[i].fd < 0 && !begin(p, &conns[i])) {
            return false;
        }
    }
    return true;
}

static void work(struct peer *p, struct conn *conns, int parallel)
{
    struct epoll_event events[PARALLEL_MAX];
    int64_t moved_at_ms = now_ms();
    while (p->wanted > 0 || p->open > 0) {
        bool full = fill(p, conns, parallel);
        struct timespec pause = {.tv_nsec = NO_PORT_PAUSE_NS};
        int n = epoll_pwait2(p->epoll_fd, events, PARALLEL_MAX,
                             full ? &(struct timespec){.tv_sec = 1} : &pause, NULL);
        for (int i = 0; i < n; i++) {
            move(p, &events[i]);
        }
        if (n > 0) {
            moved_at_ms = now_ms();
        } else if (now_ms() - moved_at_ms > STALLED_MS) {
            fprintf(stderr, "nothing moves: %d connections open, %ld to begin\n", p->open,
                    p->wanted);
            p->failed += p->open;
            return;
        }
    }
}

int main(int argc, char **argv)
{
    static struct conn conns[PARALLEL_MAX];
    struct peer p = {.made = 0};
    if (argc != 6 || !parse_address(&p, argv[1], atoi(argv[2]))) {
        fprintf(stderr, "usage: time_wait_client ADDRESS PORT COUNT PARALLEL first|last\n");
        return 2;
    }
    p.wanted = atol(argv[3]);
    int parallel = atoi(argv[4]);
    parallel = parallel < 1 || parallel > PARALLEL_MAX ? PARALLEL_MAX : parallel;
    p.closes_first = strcmp(argv[5], "first") == 0;
    p.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < PARALLEL_MAX; i++) {
        conns[i].fd = -1;
    }
    int64_t began_ms = now_ms();
    work(&p, conns, parallel);
    printf("made %ld failed %ld no-port %ld ms %lld%s%s\n", p.made, p.failed, p.no_port,
           (long long)(now_ms() - began_ms), p.first_errno != 0 ? " first error: " : "",
           p.first_errno != 0 ? strerror(p.first_errno) : "");
    return p.failed == 0 ? 0 : 1;
}
