/* Fetch a page over salut, with socket calls, and print it.
 *
 *     sudo ./http_get 10.99.0.1 8000 /      (after: ip addr add 10.99.0.1/24 dev salut0 ...;
 *                                            python3 -m http.server 8000)
 *
 * The calls are those of a non-blocking program anywhere; only that a turn of the runner stands
 * where others would poll().
 */
#include <salut/runner.h>
#include <salut/sock.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OURS "10.99.0.2"

struct client {
    struct salut_runner *runner;
    struct salut_link *link;
    struct salut_stack *stack;
    struct salut_socks *socks;
};

/* Turn until one of `events` holds. */
static void wait_for(const struct client *c, int fd, short events)
{
    while ((salut_sock_ready(c->socks, fd) & (events | POLLERR | POLLHUP)) == 0) {
        (void)salut_runner_turn(c->runner, -1);
    }
}

static int fail(const char *what, int error)
{
    (void)fprintf(stderr, "%s: %s\n", what, strerror(error));
    return EXIT_FAILURE;
}

static int connect_to(const struct client *c, int fd, const salut_addr *addr, uint16_t port)
{
    struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&peer.sin6_addr, addr->b, sizeof(addr->b));
    int result = salut_sock_connect(c->socks, fd, (const struct sockaddr *)&peer, sizeof(peer));
    if (result == -EINPROGRESS) {
        wait_for(c, fd, POLLOUT);
        int error = 0;
        struct salut_sock_opt opt = {SOL_SOCKET, SO_ERROR, &error, sizeof(error)};
        result = salut_sock_getsockopt(c->socks, fd, &opt);
        result = result == 0 ? -error : result;
    }
    return result;
}

static int print_answer(const struct client *c, int fd)
{
    char buffer[16384];
    for (;;) {
        ptrdiff_t got = salut_sock_read(c->socks, fd, buffer, sizeof(buffer));
        if (got == -EAGAIN) {
            wait_for(c, fd, POLLIN);
        } else if (got > 0) {
            (void)fwrite(buffer, 1, (size_t)got, stdout);
        } else {
            return got == 0 ? EXIT_SUCCESS : fail("read", (int)-got);
        }
    }
}

static int get(const struct client *c, const salut_addr *addr, uint16_t port, const char *path)
{
    char request[1024];
    int fd = salut_sock_socket(c->socks, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int n = snprintf(request, sizeof(request), "GET %.900s HTTP/1.0\r\nHost: salut\r\n\r\n", path);
    int result = connect_to(c, fd, addr, port);
    if (result < 0) {
        return fail("connect", -result);
    }
    ptrdiff_t sent = salut_sock_send(c->socks, fd, request, (size_t)n, MSG_NOSIGNAL);
    if (sent != n) {
        return fail("send", sent < 0 ? (int)-sent : EMSGSIZE);
    }
    result = print_answer(c, fd);
    (void)salut_sock_close(c->socks, fd);
    (void)salut_runner_turn(c->runner, 0); /* the FIN goes out */
    return result;
}

static enum salut_status start(struct client *c)
{
    salut_addr ours;
    struct salut_config config;
    struct salut_socks_params params = {.config = &config};
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    enum salut_status status = salut_runner_prepare(c->runner, c->link, &config);
    if (status == SALUT_OK) {
        status = salut_create(&config, &c->stack);
    }
    struct salut_runner_stack member = {.stack = c->stack, .link = c->link};
    params.stack = c->stack;
    if (status == SALUT_OK) {
        status = salut_addr_parse(OURS, &ours);
    }
    if (status == SALUT_OK) {
        status = salut_add_address(c->stack, &ours, 24);
    }
    if (status == SALUT_OK) {
        status = salut_runner_add_stack(c->runner, &member);
    }
    return status == SALUT_OK ? salut_socks_create(&params, &c->socks) : status;
}

int main(int argc, char **argv)
{
    struct client c = {.runner = NULL};
    struct salut_link_params params = {.device = SALUT_DEVICE_TAP, .name = "salut0"};
    salut_addr addr;
    char why[512];
    int result = EXIT_FAILURE;
    if (argc != 4 || salut_addr_parse(argv[1], &addr) != SALUT_OK) {
        (void)fprintf(stderr, "usage: http_get ADDRESS PORT PATH\n");
        return EXIT_FAILURE;
    }
    if (salut_runner_create(&c.runner) != SALUT_OK) {
        return EXIT_FAILURE;
    }
    if (salut_link_open(&params, &c.link, why, sizeof(why)) != SALUT_OK) {
        (void)fprintf(stderr, "%s\n", why);
    } else if (start(&c) == SALUT_OK) {
        result = get(&c, &addr, (uint16_t)strtoul(argv[2], NULL, 10), argv[3]);
    }
    salut_runner_destroy(c.runner);
    salut_socks_destroy(c.socks);
    salut_destroy(c.stack);
    salut_link_close(c.link);
    return result;
}
