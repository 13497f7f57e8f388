/* A program without a dynamic loader, which salut must run like any other.
 *
 *     static_talk serve ADDRESS PORT          echo whatever comes, a child for each connection
 *     static_talk talk ADDRESS PORT BYTES     send so many bytes, read them back, compare
 *
 * "talk" sends and reads at once, says it has no more, and reads to the end. Exit 0 when all came
 * back as it went.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 65536

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static socklen_t fill(union address *a, const char *text, const char *port)
{
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons((uint16_t)atoi(port));
        return sizeof(a->v4);
    }
    (void)inet_pton(AF_INET6, text, &a->v6.sin6_addr);
    a->v6.sin6_family = AF_INET6;
    a->v6.sin6_port = htons((uint16_t)atoi(port));
    return sizeof(a->v6);
}

static bool write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0) {
            return false;
        }
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

static int echo(int fd)
{
    static char data[PIECE];
    for (;;) {
        ssize_t n = read(fd, data, sizeof(data));
        if (n <= 0) {
            return n == 0 ? 0 : 1;
        }
        if (!write_all(fd, data, (size_t)n)) {
            return 1;
        }
    }
}

static int serve(const union address *a, socklen_t bytes)
{
    int one = 1;
    int listener = socket(a->any.sa_family, SOCK_STREAM, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(listener, &a->any, bytes) != 0 || listen(listener, 16) != 0) {
        return fail("listen");
    }
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            return fail("accept");
        }
        if (fork() == 0) {
            _exit(echo(fd));
        }
        (void)close(fd);
    }
}

static char byte_at(size_t position)
{
    return (char)(position * 2654435761U >> 13);
}

/* Send what there is room for; true when something moved or there was no need. */
static bool send_some(int fd, size_t *sent, size_t bytes)
{
    static char data[PIECE];
    size_t piece = bytes - *sent < PIECE ? bytes - *sent : PIECE;
    for (size_t i = 0; i < piece; i++) {
        data[i] = byte_at(*sent + i);
    }
    ssize_t n = send(fd, data, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN;
    }
    *sent += (size_t)n;
    return *sent < bytes || shutdown(fd, SHUT_WR) == 0;
}

static int talk(int fd, size_t bytes)
{
    static char data[PIECE];
    size_t sent = 0;
    size_t got = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (sent < bytes ? POLLOUT : 0))};
        if (poll(&p, 1, 20000) <= 0) {
            return fail("nothing moves");
        }
        if ((p.revents & POLLOUT) != 0 && sent < bytes && !send_some(fd, &sent, bytes)) {
            return fail("send");
        }
        if ((p.revents & (POLLIN | POLLERR | POLLHUP)) == 0) {
            continue;
        }
        ssize_t n = read(fd, data, sizeof(data));
        if (n <= 0) {
            printf("%zu of %zu bytes came back\n", got, bytes);
            return n == 0 && got == bytes ? 0 : fail("read");
        }
        for (ssize_t i = 0; i < n; i++) {
            if (data[i] != byte_at(got + (size_t)i)) {
                printf("byte %zu is wrong\n", got + (size_t)i);
                return 1;
            }
        }
        got += (size_t)n;
    }
}

int main(int count, char **words)
{
    union address a;
    bool serves = count == 4 && strcmp(words[1], "serve") == 0;
    if (!serves && (count != 5 || strcmp(words[1], "talk") != 0)) {
        (void)fprintf(stderr, "usage: static_talk serve ADDRESS PORT\n"
                              "       static_talk talk ADDRESS PORT BYTES\n");
        return 2;
    }
    socklen_t bytes = fill(&a, words[2], words[3]);
    if (serves) {
        return serve(&a, bytes);
    }
    int fd = socket(a.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, &a.any, bytes) != 0) {
        return fail("connect");
    }
    return talk(fd, strtoul(words[4], NULL, 10));
}
