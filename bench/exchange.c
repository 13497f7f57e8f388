/* Lines (d): 64 bytes there and 64 back, over and over, on one connection and on 1,000; both ends
 * on one processor.
 *
 * Neither application knows when its peer has answered: it waits to be told. salut tells by events;
 * its two ends are two instances in one loop. The kernel's ends of one connection are two threads,
 * each of which blocks in recv, as programs that talk to one peer do (netperf's TCP_RR is that);
 * those of many connections are told by epoll. How much of that is waking up shows a line more:
 * one thread that plays both ends in turn, knows whose turn it is and never waits, as no two
 * applications can.
 */
#include "bench/host.h"
#include "bench/machine.h"
#include "bench/pattern.h"
#include "bench/sockets.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT     7200U
#define MANY     1000U
#define DIAL_MAX 100U /* at once */

/* ---- salut ---------------------------------------------------------------------------------- */

struct exchanges {
    struct slt_bench_run *run;
    struct slt_bench_pair pair;
    struct slt_bench_pattern pattern;
    uint32_t numbers[MANY]; /* of the question under way, by connection */
    uint32_t dialled;
    uint32_t connected;
    uint32_t next_number;
    uint64_t done;
    bool stop;
};

static void halt(struct exchanges *all, const char *what, enum salut_status status)
{
    all->stop = true;
    slt_bench_fail(all->run, "%s: %s", what, salut_status_text(status));
}

static void ask(struct slt_bench_host *host, salut_conn conn, uint64_t user)
{
    struct exchanges *all = host->app;
    all->numbers[user] = all->next_number++;
    enum salut_status status = slt_bench_put(host, &all->pattern, conn, all->numbers[user], false);
    if (status != SALUT_OK) {
        halt(all, "send", status);
    }
}

static void on_client(struct slt_bench_host *host, const struct salut_event *event)
{
    struct exchanges *all = host->app;
    uint32_t number = 0;
    if ((event->ready & SALUT_CONNECTED) != 0) {
        all->connected++;
        (void)salut_set_interest(host->stack, event->conn, SALUT_READABLE | SALUT_ENDED);
    } else {
        enum salut_status status = slt_bench_get(host, &all->pattern, event->conn, &number, true);
        if (status != SALUT_OK || number != all->numbers[event->user]) {
            halt(all, "the answer", status);
            return;
        }
        all->done++;
    }
    ask(host, event->conn, event->user);
}

static void on_server(struct slt_bench_host *host, const struct salut_event *event)
{
    struct exchanges *all = host->app;
    salut_conn conn;
    uint32_t number = 0;
    if (event->conn.index == SALUT_NO_INDEX) {
        while (salut_accept(host->stack, event->listener, 0, &conn) == SALUT_OK) {
        }
        return;
    }
    enum salut_status status = slt_bench_get(host, &all->pattern, event->conn, &number, false);
    if (status == SALUT_OK) {
        status = slt_bench_put(host, &all->pattern, event->conn, number, true);
    }
    if (status != SALUT_OK) {
        halt(all, "the server", status);
    }
}

static void dial(struct exchanges *all, uint32_t count)
{
    struct slt_bench_host *client = all->pair.hosts[0];
    salut_conn conn;
    while (!all->stop && all->dialled < count && all->dialled - all->connected < DIAL_MAX) {
        all->stop =
            !slt_bench_dial(all->run, client, &all->pair.hosts[1]->addr, PORT, all->dialled, &conn);
        all->dialled++;
    }
}

static bool open_exchanges(struct exchanges *all)
{
    const struct slt_bench_pair_params params = {.link_slots = 2048};
    slt_bench_pattern_init(&all->pattern);
    if (!slt_bench_pair_open(all->run, &all->pair, &params)) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        all->pair.hosts[i]->app = all;
        all->pair.hosts[i]->on_event = i == 0 ? on_client : on_server;
    }
    return slt_bench_listen(all->run, all->pair.hosts[1], PORT, 0);
}

static bool run_salut(struct slt_bench_run *run, uint32_t count)
{
    struct exchanges *all = calloc(1, sizeof(*all));
    if (!all) {
        return slt_bench_fail(run, "no memory");
    }
    all->run = run;
    if (open_exchanges(all)) {
        int64_t give_up_ns = slt_bench_now_ns() + 10 * SLT_NS_PER_S;
        while (!all->stop && all->connected < count && slt_bench_now_ns() < give_up_ns) {
            dial(all, count);
            slt_bench_pair_turn(&all->pair);
        }
        if (all->connected < count) {
            slt_bench_fail(run, "%u of %u connections opened", all->connected, count);
        }
        uint64_t before = all->done;
        int64_t from_ns = slt_bench_now_ns();
        while (!all->stop && all->connected == count && run->took_ns < run->for_ns) {
            run->took_ns = slt_bench_pair_turn(&all->pair) - from_ns;
        }
        run->amount = (double)(all->done - before);
    }
    slt_bench_pair_close(&all->pair);
    free(all);
    return run->why[0] == '\0';
}

bool slt_bench_exchange_one_salut(struct slt_bench_run *run)
{
    return run_salut(run, 1);
}

bool slt_bench_exchange_many_salut(struct slt_bench_run *run)
{
    return run_salut(run, MANY);
}

/* ---- kernel --------------------------------------------------------------------------------- */

struct sockets {
    struct slt_bench_pattern pattern;
    uint32_t count;
    int clients[MANY];
    int servers[MANY];
    uint32_t numbers[MANY];
    uint32_t next_number;
    uint64_t done;
    int epolls[2];
};

static bool put_socket(const struct sockets *all, int fd, uint32_t number, bool answer)
{
    uint8_t message[SLT_BENCH_MESSAGE_BYTES];
    slt_bench_message_make(&all->pattern, number, answer, message);
    return send(fd, message, sizeof(message), MSG_NOSIGNAL) == (ssize_t)sizeof(message);
}

static bool get_socket(const struct sockets *all, int fd, uint32_t *number, bool answer)
{
    uint8_t message[SLT_BENCH_MESSAGE_BYTES];
    return recv(fd, message, sizeof(message), MSG_WAITALL) == (ssize_t)sizeof(message) &&
           slt_bench_message_read(&all->pattern, answer, message, number);
}

static bool ask_socket(struct sockets *all, uint32_t at)
{
    all->numbers[at] = all->next_number++;
    return put_socket(all, all->clients[at], all->numbers[at], false);
}

static bool answer_socket(struct sockets *all, uint32_t at)
{
    uint32_t number;
    return get_socket(all, all->servers[at], &number, false) &&
           put_socket(all, all->servers[at], number, true);
}

static bool end_exchange(struct sockets *all, uint32_t at)
{
    uint32_t number;
    all->done++;
    return get_socket(all, all->clients[at], &number, true) && number == all->numbers[at];
}

static bool watch(struct slt_bench_run *run, const struct sockets *all, uint32_t at)
{
    struct epoll_event client = {.events = EPOLLIN, .data.u32 = at};
    struct epoll_event server = {.events = EPOLLIN, .data.u32 = at};
    return (epoll_ctl(all->epolls[0], EPOLL_CTL_ADD, all->clients[at], &client) == 0 &&
            epoll_ctl(all->epolls[1], EPOLL_CTL_ADD, all->servers[at], &server) == 0) ||
           slt_bench_fail_os(run, "epoll_ctl");
}

static bool open_sockets(struct slt_bench_run *run, struct sockets *all)
{
    struct rlimit files;
    slt_bench_pattern_init(&all->pattern);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    int listener = slt_bench_socket_listen(run, "127.0.0.1", PORT);
    all->epolls[0] = epoll_create1(EPOLL_CLOEXEC);
    all->epolls[1] = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; listener >= 0 && i < all->count; i++) {
        all->clients[i] = slt_bench_socket_dial(run, "127.0.0.1", PORT);
        all->servers[i] = all->clients[i] >= 0 ? slt_bench_socket_accept(run, listener) : -1;
        if (all->servers[i] < 0 || !watch(run, all, i)) {
            return false;
        }
    }
    return listener >= 0;
}

/* Both ends of the only connection, in turn. */
static bool step_in_turn(struct sockets *all)
{
    return ask_socket(all, 0) && answer_socket(all, 0) && end_exchange(all, 0);
}

/* The end that asks on the only connection; the other is a thread of its own. */
static bool step_one(struct sockets *all)
{
    return ask_socket(all, 0) && end_exchange(all, 0);
}

/* The end that answers, until the connection ends. */
static void *answer_all(void *ctx)
{
    struct sockets *all = ctx;
    while (answer_socket(all, 0)) {
    }
    return NULL;
}

/* Serve everything that one end has to read. */
static bool serve(struct sockets *all, unsigned end)
{
    struct epoll_event events[256];
    int count = epoll_wait(all->epolls[end], events, 256, 0);
    for (int i = 0; i < count; i++) {
        uint32_t at = events[i].data.u32;
        if (end == 1 ? !answer_socket(all, at) : !end_exchange(all, at) || !ask_socket(all, at)) {
            return false;
        }
    }
    return count >= 0;
}

static bool step_many(struct sockets *all)
{
    return serve(all, 1) && serve(all, 0);
}

static void run_steps(struct slt_bench_run *run, struct sockets *all,
                      bool (*step)(struct sockets *all))
{
    bool right = true;
    int64_t from_ns = slt_bench_now_ns();
    while (right && run->took_ns < run->for_ns) {
        right = step(all);
        run->took_ns = slt_bench_now_ns() - from_ns;
    }
    run->amount = (double)all->done;
    if (!right) {
        slt_bench_fail(run, "a wrong byte on a kernel socket");
    }
}

static void run_two_threads(struct slt_bench_run *run, struct sockets *all)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer_all, all) != 0) {
        slt_bench_fail(run, "no thread");
        return;
    }
    run_steps(run, all, step_one);
    shutdown(all->clients[0], SHUT_RDWR);
    pthread_join(thread, NULL);
}

static void run_in_turn(struct slt_bench_run *run, struct sockets *all)
{
    run_steps(run, all, step_in_turn);
}

static void run_epolls(struct slt_bench_run *run, struct sockets *all)
{
    bool right = true;
    for (uint32_t i = 0; right && i < all->count; i++) {
        right = ask_socket(all, i);
    }
    if (right) {
        run_steps(run, all, step_many);
    } else {
        slt_bench_fail_os(run, "send");
    }
}

static bool run_kernel(struct slt_bench_run *run, uint32_t count,
                       void (*play)(struct slt_bench_run *run, struct sockets *all))
{
    struct sockets *all = calloc(1, sizeof(*all));
    if (!all) {
        return slt_bench_fail(run, "no memory");
    }
    all->count = count;
    if (open_sockets(run, all)) {
        play(run, all);
    }
    free(all);
    return run->why[0] == '\0';
}

bool slt_bench_exchange_one_kernel(struct slt_bench_run *run)
{
    return run_kernel(run, 1, run_two_threads);
}

bool slt_bench_exchange_in_turn_kernel(struct slt_bench_run *run)
{
    return run_kernel(run, 1, run_in_turn);
}

bool slt_bench_exchange_many_kernel(struct slt_bench_run *run)
{
    return run_kernel(run, MANY, run_epolls);
}
