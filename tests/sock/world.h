/* Two instances joined in memory, each with a table of sockets, in virtual time.
 */
#ifndef SLT_TESTS_SOCK_WORLD_H
#define SLT_TESTS_SOCK_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "link/memory.h"
#include "salut/sock.h"
#include "sock/inside.h"
#include "sock/link_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CLIENT, SERVER };

#define PORT 8080

struct world {
    struct slt_link *links[2];
    struct salut_stack *stacks[2];
    struct salut_socks *socks[2];
    int64_t now_ns;
    bool cut;                                              /* nothing passes */
    void (*tweak)(struct salut_config *config, int which); /* NULL: the profile as it is */
};

static inline void *world_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}

static inline void world_free(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

static inline salut_addr world_addr(const char *text)
{
    salut_addr addr;
    assert_int_equal(salut_addr_parse(text, &addr), SALUT_OK);
    return addr;
}

static inline void world_make(struct world *w, int which)
{
    static const char *const v4[] = {"10.0.0.1", "10.0.0.2"};
    static const char *const v6[] = {"fd00::1", "fd00::2"};
    struct salut_config config;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    slt_link_configure(w->links[which], &config);
    config.alloc = world_alloc;
    config.free = world_free;
    config.seed[0] = (uint8_t)(which + 1);
    config.fast_open = SALUT_FAST_OPEN_CLIENT | SALUT_FAST_OPEN_SERVER;
    if (w->tweak != NULL) {
        w->tweak(&config, which);
    }
    assert_int_equal(salut_create(&config, &w->stacks[which]), SALUT_OK);
    salut_addr a4 = world_addr(v4[which]);
    salut_addr a6 = world_addr(v6[which]);
    assert_int_equal(salut_add_address(w->stacks[which], &a4, 24), SALUT_OK);
    assert_int_equal(salut_add_address(w->stacks[which], &a6, 64), SALUT_OK);
    struct salut_socks_params params = {
        .stack = w->stacks[which], .config = &config, .first_fd = 3};
    assert_int_equal(salut_socks_create(&params, &w->socks[which]), SALUT_OK);
}

static inline struct world *world_open(void (*tweak)(struct salut_config *config, int which))
{
    struct world *w = calloc(1, sizeof(*w));
    struct slt_memory_params params = {.kind = SALUT_LINK_ETHERNET, .mtu = 1500};
    assert_non_null(w);
    w->tweak = tweak;
    assert_int_equal(slt_memory_pair(&params, &w->links[0], &w->links[1]), SALUT_OK);
    world_make(w, CLIENT);
    world_make(w, SERVER);
    return w;
}

static inline int world_setup(void **state)
{
    *state = world_open(NULL);
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        assert_null(salut_check(w->stacks[i]));
        salut_socks_destroy(w->socks[i]);
        salut_destroy(w->stacks[i]);
        slt_link_close(w->links[i]);
    }
    free(w);
    return 0;
}

static inline size_t world_side(struct world *w, int which)
{
    struct salut_rx_frame rx[SLT_LINK_BATCH_MAX];
    static struct salut_tx_frame tx[SLT_LINK_BATCH_MAX];
    struct slt_link *link = w->links[which];
    struct salut_stack *stack = w->stacks[which];
    size_t in = slt_link_receive(link, rx, SLT_LINK_BATCH_MAX, w->now_ns);
    salut_input(stack, rx, w->cut ? 0 : in, w->now_ns);
    slt_link_release(link);
    (void)salut_poll(stack, w->now_ns);
    size_t out = salut_output(stack, tx, SLT_LINK_BATCH_MAX);
    salut_output_taken(stack, slt_link_send(link, tx, out, w->now_ns));
    return in + out;
}

/* Turn both sides until neither has anything to say at this instant. */
static inline void world_turn(struct world *w)
{
    for (int i = 0; i < 1000; i++) {
        size_t moved = world_side(w, CLIENT);
        moved += world_side(w, SERVER);
        if (moved == 0) {
            return;
        }
    }
    fail_msg("the two sides never come to rest");
}

/* Let time pass, stopping at every deadline. */
static inline void world_pass(struct world *w, int64_t for_ns)
{
    int64_t end_at_ns = w->now_ns + for_ns;
    world_turn(w);
    while (w->now_ns < end_at_ns) {
        int64_t next_ns = slt_time_add(w->now_ns, for_ns);
        for (int i = 0; i < 2; i++) {
            int64_t due_ns = salut_next_deadline(w->stacks[i]);
            next_ns = due_ns > w->now_ns && due_ns < next_ns ? due_ns : next_ns;
        }
        w->now_ns = next_ns < end_at_ns ? next_ns : end_at_ns;
        world_turn(w);
    }
}

static inline struct sockaddr_in world_in(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    return in;
}

static inline struct sockaddr_in6 world_in6(const char *address, uint16_t port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return in6;
}

static inline int world_socket(struct world *w, int which)
{
    int fd = salut_sock_socket(w->socks[which], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 3);
    return fd;
}

static inline int world_bind(struct world *w, int which, int fd, const char *address, uint16_t port)
{
    struct sockaddr_in in = world_in(address, port);
    return salut_sock_bind(w->socks[which], fd, (const struct sockaddr *)&in, sizeof(in));
}

static inline int world_connect(struct world *w, int fd, uint16_t port)
{
    struct sockaddr_in in = world_in("10.0.0.2", port);
    return salut_sock_connect(w->socks[CLIENT], fd, (const struct sockaddr *)&in, sizeof(in));
}

static inline int world_listen_for(struct world *w, uint16_t port, int backlog)
{
    int fd = world_socket(w, SERVER);
    assert_int_equal(world_bind(w, SERVER, fd, "0.0.0.0", port), 0);
    assert_int_equal(salut_sock_listen(w->socks[SERVER], fd, backlog), 0);
    return fd;
}

static inline int world_listen(struct world *w, uint16_t port)
{
    return world_listen_for(w, port, 8);
}

/* A connection: its two descriptors, and the listener's. */
struct trio {
    int listener;
    int client;
    int server;
};

static inline struct trio world_trio(struct world *w)
{
    struct trio t = {.listener = world_listen(w, PORT), .client = world_socket(w, CLIENT)};
    assert_int_equal(world_connect(w, t.client, PORT), -EINPROGRESS);
    world_turn(w);
    assert_int_equal(world_connect(w, t.client, PORT), 0);
    t.server = salut_sock_accept(w->socks[SERVER], t.listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(t.server >= 3);
    return t;
}

static inline int world_option(struct world *w, int which, int fd, struct salut_sock_opt opt)
{
    return salut_sock_setsockopt(w->socks[which], fd, &opt);
}

static inline int world_get_int(struct world *w, int which, int fd, int level, int name)
{
    int value = -12345;
    struct salut_sock_opt opt = {level, name, &value, sizeof(value)};
    assert_int_equal(salut_sock_getsockopt(w->socks[which], fd, &opt), 0);
    assert_int_equal(opt.bytes, sizeof(value));
    return value;
}

static inline int world_set_int(struct world *w, int which, int fd, int level, int name, int value)
{
    struct salut_sock_opt opt = {level, name, &value, sizeof(value)};
    return salut_sock_setsockopt(w->socks[which], fd, &opt);
}

static inline int world_error(struct world *w, int which, int fd)
{
    return world_get_int(w, which, fd, SOL_SOCKET, SO_ERROR);
}

static inline void world_send(struct world *w, int which, int fd, const char *text)
{
    size_t bytes = strlen(text);
    assert_int_equal(salut_sock_send(w->socks[which], fd, text, bytes, 0), bytes);
    world_turn(w);
}

static inline int world_accept(struct world *w, int listener)
{
    return salut_sock_accept(w->socks[SERVER], listener, NULL, NULL, SOCK_NONBLOCK);
}

/* How often something happened to a side. */
static inline uint64_t world_count(const struct world *w, int which, enum slt_reason reason)
{
    return slt_inside_telemetry(w->stacks[which])->counters[reason];
}

static inline void world_expect(struct world *w, int which, int fd, const char *text)
{
    char buffer[256];
    ptrdiff_t got = salut_sock_recv(w->socks[which], fd, buffer, sizeof(buffer), 0);
    assert_int_equal(got, strlen(text));
    assert_memory_equal(buffer, text, strlen(text));
}

#define world_test(function) cmocka_unit_test_setup_teardown(function, world_setup, world_teardown)

#endif
