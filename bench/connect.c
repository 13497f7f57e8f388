/* Line (a): connections per second. Connect, 64 bytes there, 64 back, close; the client closes
 * first and keeps TIME-WAIT. Both ends on one processor, in one thread.
 *
 * The kernel does one connection after the other with plain blocking calls: on its loopback every
 * one of them returns at once, without a switch to another thread and without epoll, and nothing
 * is faster there. The salut client keeps a few connections going, as its turns suit.
 *
 * 64 ports of the server are used in turn, so that the tuples left in TIME-WAIT leave enough free
 * ones for either side.
 */
#include "bench/host.h"
#include "bench/machine.h"
#include "bench/pattern.h"
#include "bench/sockets.h"
#include "link/netns_linux.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORTS      64U
#define PORT_FIRST 7000U
#define AT_ONCE    32U

/* ---- salut ---------------------------------------------------------------------------------- */

struct client_slot {
    salut_conn conn;
    uint32_t number;
};

struct connects {
    struct slt_bench_run *run;
    struct slt_bench_pair pair;
    struct slt_bench_pattern pattern;
    struct client_slot slots[AT_ONCE];
    uint32_t started;
    uint32_t done;
    bool stop;
};

static void halt(struct connects *all, const char *what, enum salut_status status)
{
    all->stop = true;
    slt_bench_fail(all->run, "%s: %s", what, salut_status_text(status));
}

static void dial_slot(struct connects *all, uint32_t at)
{
    struct client_slot *slot = &all->slots[at];
    const struct slt_bench_pair *pair = &all->pair;
    slot->number = all->started++;
    if (!slt_bench_dial(all->run, pair->hosts[0], &pair->hosts[1]->addr,
                        (uint16_t)(PORT_FIRST + slot->number % PORTS), at, &slot->conn)) {
        all->stop = true;
    }
}

static void on_client(struct slt_bench_host *host, const struct salut_event *event)
{
    struct connects *all = host->app;
    struct client_slot *slot = &all->slots[event->user];
    uint32_t number = 0;
    enum salut_status status;
    if ((event->ready & SALUT_CONNECTED) != 0) {
        (void)salut_set_interest(host->stack, event->conn, SALUT_READABLE | SALUT_ENDED);
        status = slt_bench_put(host, &all->pattern, event->conn, slot->number, false);
        if (status != SALUT_OK) {
            halt(all, "send", status);
        }
        return;
    }
    status = slt_bench_get(host, &all->pattern, event->conn, &number, true);
    if (status != SALUT_OK || number != slot->number) {
        halt(all, "the answer", status);
        return;
    }
    (void)salut_close(host->stack, event->conn);
    all->done++;
    dial_slot(all, (uint32_t)event->user);
}

static void on_server(struct slt_bench_host *host, const struct salut_event *event)
{
    struct connects *all = host->app;
    salut_conn conn;
    uint32_t number = 0;
    if (event->conn.index == SALUT_NO_INDEX) {
        while (salut_accept(host->stack, event->listener, 0, &conn) == SALUT_OK) {
        }
        return;
    }
    enum salut_status status = slt_bench_get(host, &all->pattern, event->conn, &number, false);
    if (status == SALUT_END) {
        (void)salut_close(host->stack, event->conn);
        return;
    }
    if (status == SALUT_OK) {
        status = slt_bench_put(host, &all->pattern, event->conn, number, true);
    }
    if (status != SALUT_OK) {
        halt(all, "the server", status);
    }
}

static void tune(struct salut_config *config, bool server)
{
    if (!server) { /* who closes second has nobody in TIME-WAIT */
        config->time_wait_max = 1U << 21;
    }
    config->conns_max = 4096;
}

static bool open_connects(struct connects *all)
{
    const struct slt_bench_pair_params params = {.link_slots = 256, .tune = tune};
    slt_bench_pattern_init(&all->pattern);
    if (!slt_bench_pair_open(all->run, &all->pair, &params)) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        all->pair.hosts[i]->app = all;
        all->pair.hosts[i]->on_event = i == 0 ? on_client : on_server;
    }
    for (uint32_t i = 0; i < PORTS; i++) {
        if (!slt_bench_listen(all->run, all->pair.hosts[1], (uint16_t)(PORT_FIRST + i), i)) {
            return false;
        }
    }
    return true;
}

bool slt_bench_connect_salut(struct slt_bench_run *run)
{
    struct connects *all = calloc(1, sizeof(*all));
    if (!all) {
        return slt_bench_fail(run, "no memory");
    }
    all->run = run;
    if (open_connects(all)) {
        int64_t from_ns = slt_bench_now_ns();
        for (uint32_t i = 0; i < AT_ONCE; i++) {
            dial_slot(all, i);
        }
        while (!all->stop && run->took_ns < run->for_ns) {
            run->took_ns = slt_bench_pair_turn(&all->pair) - from_ns;
        }
        run->amount = all->done;
    }
    slt_bench_pair_close(&all->pair);
    free(all);
    return run->why[0] == '\0';
}

/* ---- kernel --------------------------------------------------------------------------------- */

static bool move(int from, int to, uint8_t message[SLT_BENCH_MESSAGE_BYTES])
{
    return send(from, message, SLT_BENCH_MESSAGE_BYTES, MSG_NOSIGNAL) ==
               (ssize_t)SLT_BENCH_MESSAGE_BYTES &&
           recv(to, message, SLT_BENCH_MESSAGE_BYTES, MSG_WAITALL) ==
               (ssize_t)SLT_BENCH_MESSAGE_BYTES;
}

/* The two messages and the two closings of a connection. */
static bool talk(const struct slt_bench_pattern *pattern, uint32_t number, const int fds[2])
{
    uint8_t message[SLT_BENCH_MESSAGE_BYTES];
    uint32_t got;
    slt_bench_message_make(pattern, number, false, message);
    if (!move(fds[0], fds[1], message) || !slt_bench_message_read(pattern, false, message, &got)) {
        return false;
    }
    slt_bench_message_make(pattern, got, true, message);
    if (!move(fds[1], fds[0], message) || !slt_bench_message_read(pattern, true, message, &got)) {
        return false;
    }
    close(fds[0]);
    bool end = recv(fds[1], message, sizeof(message), 0) == 0;
    close(fds[1]);
    return end && got == number;
}

static bool connect_once(struct slt_bench_run *run, const struct slt_bench_pattern *pattern,
                         const int *listeners, uint32_t number)
{
    struct sockaddr_in to = slt_bench_address("127.0.0.1", (uint16_t)(PORT_FIRST + number % PORTS));
    int fds[2] = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -1};
    if (fds[0] < 0 || connect(fds[0], (const struct sockaddr *)&to, sizeof(to)) < 0) {
        return slt_bench_fail_os(run, "connect");
    }
    fds[1] = accept4(listeners[number % PORTS], NULL, NULL, SOCK_CLOEXEC);
    if (fds[1] < 0) {
        return slt_bench_fail_os(run, "accept");
    }
    return talk(pattern, number, fds) || slt_bench_fail(run, "a wrong byte on a kernel socket");
}

static bool open_listeners(struct slt_bench_run *run, int *listeners)
{
    for (uint32_t i = 0; i < PORTS; i++) {
        listeners[i] = slt_bench_socket_listen(run, "127.0.0.1", (uint16_t)(PORT_FIRST + i));
        if (listeners[i] < 0) {
            return false;
        }
    }
    return true;
}

bool slt_bench_connect_kernel(struct slt_bench_run *run)
{
    struct slt_bench_pattern *pattern = malloc(sizeof(*pattern));
    int listeners[PORTS];
    if (!pattern) {
        return slt_bench_fail(run, "no memory");
    }
    slt_bench_pattern_init(pattern);
    /* As many in TIME-WAIT as come: beyond the limit the kernel would do without. */
    (void)slt_netns_sysctl("ipv4/tcp_max_tw_buckets", "4000000");
    if (open_listeners(run, listeners)) {
        uint32_t done = 0;
        int64_t from_ns = slt_bench_now_ns();
        while (run->took_ns < run->for_ns && connect_once(run, pattern, listeners, done)) {
            done++;
            run->took_ns = slt_bench_now_ns() - from_ns;
        }
        run->amount = done;
    }
    free(pattern);
    return run->why[0] == '\0'; /* descriptors go with the process */
}
