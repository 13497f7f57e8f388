/* See metrics_http.h. */
#include "cli/metrics_http.h"

#include "base/time.h"
#include "sock/runner_clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 4096U
#define PATIENCE_NS (3 * SLT_NS_PER_S) /* for the request, and for taking the answer */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- where ------------------------------------------------------------------------------------
 */

static bool parse_place(const char *text, struct sockaddr_in6 *place)
{
    char host[64];
    salut_addr addr;
    const char *colon = strrchr(text, ':');
    const char *port = colon == NULL ? text : colon + 1;
    size_t bytes = colon == NULL ? 0 : (size_t)(colon - text);
    char *end;
    long number = strtol(port, &end, 10);
    if (end == port || *end != '\0' || number < 1 || number > 65535 || bytes >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, bytes);
    host[bytes] = '\0';
    bool brackets = bytes >= 2 && host[0] == '[' && host[bytes - 1] == ']';
    if (brackets) {
        host[bytes - 1] = '\0';
    }
    const char *name = bytes == 0 ? "127.0.0.1" : brackets ? host + 1 : host;
    if (salut_addr_parse(name, &addr) != SALUT_OK) {
        return false;
    }
    *place = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number)};
    memcpy(place->sin6_addr.s6_addr, addr.b, 16);
    return true;
}

/* A kernel without IPv6 takes IPv4 addresses only on a socket of that family. */
static int listen_at(const struct sockaddr_in6 *place)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = place->sin6_port};
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(&place->sin6_addr);
    int on = 1;
    memcpy(&v4.sin_addr, place->sin6_addr.s6_addr + 12, 4);
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const struct sockaddr *address =
        is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)place;
    if (bind(fd, address, is_v4 ? sizeof(v4) : sizeof(*place)) < 0 || listen(fd, 16) < 0) {
        int result = -errno;
        (void)close(fd);
        return result;
    }
    return fd;
}

/* ---- one request ------------------------------------------------------------------------------
 */

static bool wait_for(int fd, short events, int64_t end_at_ns)
{
    int64_t left_ns = end_at_ns - slt_runner_clock();
    struct pollfd ready = {.fd = fd, .events = events};
    return left_ns > 0 && poll(&ready, 1, (int)(left_ns / SLT_NS_PER_MS) + 1) > 0;
}

/* The head of a request, up to its empty line. */
static bool read_head(int fd, char head[REQUEST_MAX])
{
    int64_t end_at_ns = slt_runner_clock() + PATIENCE_NS;
    size_t used = 0;
    while (used < REQUEST_MAX - 1 && wait_for(fd, POLLIN, end_at_ns)) {
        ssize_t got = recv(fd, head + used, REQUEST_MAX - 1 - used, MSG_DONTWAIT);
        if (got <= 0) {
            return false;
        }
        used += (size_t)got;
        head[used] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL || strstr(head, "\n\n") != NULL) {
            return true;
        }
    }
    return false;
}

static void write_all(int fd, const char *bytes, size_t count)
{
    int64_t end_at_ns = slt_runner_clock() + PATIENCE_NS;
    while (count > 0 && wait_for(fd, POLLOUT, end_at_ns)) {
        ssize_t sent = send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return;
        }
        bytes += sent > 0 ? sent : 0;
        count -= sent > 0 ? (size_t)sent : 0;
    }
}

static void answer(int fd, const char *status, const char *body, size_t bytes)
{
    char head[256];
    int length = snprintf(head, sizeof(head),
                          "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n\r\n",
                          status, SLT_METRICS_TYPE, bytes);
    write_all(fd, head, (size_t)length);
    write_all(fd, body, bytes);
}

static bool asks_for(const char *head, const char *method, const char *path)
{
    size_t m = strlen(method);
    size_t p = strlen(path);
    bool there =
        strncmp(head, method, m) == 0 && head[m] == ' ' && strncmp(head + m + 1, path, p) == 0;
    return there && (head[m + 1 + p] == ' ' || head[m + 1 + p] == '?');
}

static void answer_metrics(int fd, const struct slt_metrics_ask *ask, bool with_body)
{
    char *body = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&body, &bytes);
    int result = to == NULL ? -ENOMEM : slt_metrics_write(ask, to);
    if (to != NULL && fclose(to) != 0) {
        result = -ENOMEM;
    }
    if (result < 0) {
        static const char sorry[] = "the kernel does not tell about its sockets\n";
        answer(fd, "503 Service Unavailable", sorry, sizeof(sorry) - 1);
    } else {
        answer(fd, "200 OK", body, with_body ? bytes : 0);
    }
    free(body);
}

static void serve_one(int fd, const struct slt_metrics_ask *ask)
{
    static const char where[] = "see /metrics\n";
    char head[REQUEST_MAX] = "";
    if (!read_head(fd, head)) {
        answer(fd, "400 Bad Request", "", 0);
    } else if (asks_for(head, "GET", "/metrics")) {
        answer_metrics(fd, ask, true);
    } else if (asks_for(head, "HEAD", "/metrics")) {
        answer_metrics(fd, ask, false);
    } else if (strncmp(head, "GET ", 4) != 0 && strncmp(head, "HEAD ", 5) != 0) {
        answer(fd, "405 Method Not Allowed", "", 0);
    } else {
        answer(fd, asks_for(head, "GET", "/") ? "200 OK" : "404 Not Found", where,
               sizeof(where) - 1);
    }
    (void)shutdown(fd, SHUT_WR);
}

int slt_metrics_serve(const struct slt_cli_verb *verb, const char *where,
                      const struct slt_metrics_ask *ask)
{
    struct sockaddr_in6 place;
    struct sigaction action = {.sa_handler = on_signal};
    if (!parse_place(where, &place)) {
        return slt_usage_error(verb, "--listen wants ADDRESS:PORT such as 127.0.0.1:9555, not '%s'",
                               where);
    }
    int listener = listen_at(&place);
    if (listener < 0) {
        return slt_fail(verb, listener == -EACCES ? SLT_EXIT_MISSING : SLT_EXIT_FAILURE,
                        "%s cannot be listened at: %s", where, strerror(-listener));
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)fprintf(stderr, "salut metrics: http://%s/metrics\n", where);
    while (!interrupted) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve_one(fd, ask);
            (void)close(fd);
        } else if (errno != EINTR && errno != ECONNABORTED && errno != EMFILE) {
            (void)close(listener);
            return slt_fail(verb, SLT_EXIT_FAILURE, "accept: %s", strerror(errno));
        }
    }
    (void)close(listener);
    return SLT_EXIT_FINE;
}
