/* The runner: two stacks on a pair of links, somebody else's descriptors, timers, waking.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "link/memory.h"
#include "salut/runner.h"
#include "sock/link_open.h"

#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t elapsed_since(const struct salut_runner *r, int64_t from_ns)
{
    return salut_runner_now(r) - from_ns;
}

static int make(void **state)
{
    struct salut_runner *r = NULL;
    assert_int_equal(salut_runner_create(&r), SALUT_OK);
    *state = r;
    return 0;
}

static int drop(void **state)
{
    salut_runner_destroy(*state);
    return 0;
}

static void sleeps_no_longer_than_told(void **state)
{
    struct salut_runner *r = *state;
    int64_t from_ns = salut_runner_now(r);
    assert_int_equal(salut_runner_turn(r, 20 * SLT_NS_PER_MS), SALUT_OK);
    assert_true(elapsed_since(r, from_ns) >= 20 * SLT_NS_PER_MS);
    assert_true(elapsed_since(r, from_ns) < 2 * SLT_NS_PER_S);
}

/* ---- timers --------------------------------------------------------------------------------- */

struct firing {
    struct salut_runner *runner;
    int count;
    int64_t at_ns[8];
};

static void on_due(void *ctx, int64_t now_ns)
{
    struct firing *f = ctx;
    f->at_ns[f->count++] = now_ns;
}

static void timers_fire_once_in_order(void **state)
{
    struct salut_runner *r = *state;
    struct firing early = {.runner = r};
    struct firing late = {.runner = r};
    struct firing never = {.runner = r};
    struct salut_runner_timer a = {.on_due = on_due, .ctx = &late};
    struct salut_runner_timer b = {.on_due = on_due, .ctx = &early};
    struct salut_runner_timer c = {.on_due = on_due, .ctx = &never};
    int64_t now_ns = salut_runner_now(r);
    salut_runner_set_timer(r, &a, now_ns + 30 * SLT_NS_PER_MS);
    salut_runner_set_timer(r, &c, now_ns + 5 * SLT_NS_PER_MS);
    salut_runner_set_timer(r, &b, now_ns + 10 * SLT_NS_PER_MS);
    salut_runner_set_timer(r, &c, INT64_MAX);
    for (int i = 0; i < 10 && late.count == 0; i++) {
        (void)salut_runner_turn(r, SLT_NS_PER_S);
    }
    (void)salut_runner_turn(r, SLT_NS_PER_MS);
    assert_int_equal(early.count, 1);
    assert_int_equal(late.count, 1);
    assert_int_equal(never.count, 0);
    assert_true(early.at_ns[0] >= now_ns + 10 * SLT_NS_PER_MS);
    assert_true(late.at_ns[0] >= now_ns + 30 * SLT_NS_PER_MS);
    assert_true(early.at_ns[0] <= late.at_ns[0]);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

struct reading {
    struct salut_runner *runner;
    char text[8];
    int calls;
};

static void on_ready(void *ctx, int fd, uint32_t events)
{
    struct reading *reading = ctx;
    assert_true((events & EPOLLIN) != 0);
    reading->calls++;
    assert_int_equal(read(fd, reading->text, 1), 1);
    /* A handler may take itself away while the turn goes on. */
    assert_int_equal(salut_runner_remove_fd(reading->runner, fd), SALUT_OK);
}

static void descriptors_of_others(void **state)
{
    struct salut_runner *r = *state;
    int fds[2];
    struct reading reading = {.runner = r};
    assert_int_equal(pipe(fds), 0);
    struct salut_runner_fd watch = {fds[0], EPOLLIN, on_ready, &reading};
    assert_int_equal(salut_runner_set_fd(r, &watch), SALUT_OK);
    (void)salut_runner_turn(r, SLT_NS_PER_MS);
    assert_int_equal(reading.calls, 0);
    assert_int_equal(write(fds[1], "ab", 2), 2);
    (void)salut_runner_turn(r, SLT_NS_PER_S);
    (void)salut_runner_turn(r, SLT_NS_PER_MS);
    assert_int_equal(reading.calls, 1);
    assert_int_equal(salut_runner_remove_fd(r, fds[0]), SALUT_STALE);
    watch.fd = 9999;
    assert_int_equal(salut_runner_set_fd(r, &watch), SALUT_INVALID);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* ---- other threads -------------------------------------------------------------------------- */

static void *wake_later(void *ctx)
{
    (void)usleep(20000);
    salut_runner_wake(ctx);
    (void)usleep(20000);
    salut_runner_stop(ctx);
    return NULL;
}

static void another_thread_wakes_and_stops(void **state)
{
    struct salut_runner *r = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, r), 0);
    assert_int_equal(salut_runner_turn(r, -1), SALUT_OK);
    salut_runner_run(r);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(salut_runner_turn(r, 0), SALUT_OK);
}

/* ---- stacks --------------------------------------------------------------------------------- */

#define BYTES (8U << 20)

struct pair {
    struct salut_runner *runner;
    struct slt_link *links[2];
    struct salut_stack *stacks[2];
    salut_listener listener;
    uint64_t sent;
    uint64_t received;
    bool ended;
    unsigned lent;     /* loans taken */
    unsigned returned; /* ... and given back */
    unsigned inputs;   /* batches that arrived at the second stack */
};

/* What every position of the stream holds: it repeats every 2048 bytes, so that one piece of memory
 * can be lent again and again. */
static uint8_t source[32768];

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)(at * 31 >> 3);
}

/* Every other piece is lent. */
static enum salut_status send_piece(struct pair *p, salut_conn conn, size_t wanted,
                                    size_t *accepted)
{
    const uint8_t *data = &source[p->sent % 2048];
    if (p->sent / 8192 % 2 == 0) {
        return salut_send(p->stacks[0], conn, data, wanted, 0, accepted);
    }
    struct salut_loan loan = {.base = data, .bytes = wanted, .user = p->lent};
    enum salut_status status = salut_send_lend(p->stacks[0], conn, &loan, 0);
    p->lent += status == SALUT_OK ? 1U : 0U;
    *accepted = wanted;
    return status;
}

static void on_return(void *ctx, struct salut_stack *stack, const struct salut_loan *loan)
{
    struct pair *p = ctx;
    assert_ptr_equal(stack, p->stacks[0]);
    assert_true(loan->user < p->lent);
    p->returned++;
}

/* It comes before what arrived: the first time the stack knows of no connection yet. */
static void on_input(void *ctx, struct salut_stack *stack)
{
    struct pair *p = ctx;
    uint64_t cursor = 0;
    struct salut_info info;
    while (p->inputs == 0 && salut_next_info(stack, &cursor, &info)) {
        assert_int_equal(info.state, SALUT_STATE_LISTEN);
    }
    p->inputs++;
}

static void send_more(struct pair *p, salut_conn conn)
{
    const size_t most = sizeof(source) - 2048;
    while (p->sent < BYTES) {
        size_t accepted = 0;
        uint64_t left = BYTES - p->sent;
        if (send_piece(p, conn, left < most ? (size_t)left : most, &accepted) != SALUT_OK) {
            return;
        }
        p->sent += accepted;
    }
    (void)salut_close(p->stacks[0], conn);
}

static void take_more(struct pair *p, salut_conn conn)
{
    uint8_t chunk[8192];
    size_t got = 0;
    enum salut_status status;
    while ((status = salut_recv(p->stacks[1], conn, chunk, sizeof(chunk), &got)) == SALUT_OK) {
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(chunk[i], byte_at(p->received + i));
        }
        p->received += got;
    }
    if (status == SALUT_END) {
        p->ended = true;
        (void)salut_close(p->stacks[1], conn);
    }
}

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    struct pair *p = ctx;
    salut_conn conn;
    if (event->conn.index == SALUT_NO_INDEX) {
        assert_int_equal(salut_accept(stack, p->listener, 0, &conn), SALUT_OK);
    } else if (stack == p->stacks[0]) {
        (void)salut_set_interest(stack, event->conn, SALUT_WRITABLE | SALUT_ENDED);
        send_more(p, event->conn);
    } else {
        take_more(p, event->conn);
    }
}

static void set_up(struct pair *p, const char *const addresses[2])
{
    struct slt_memory_params params = {.kind = SALUT_LINK_IP, .mtu = 1500};
    assert_int_equal(slt_memory_pair(&params, &p->links[0], &p->links[1]), SALUT_OK);
    for (int i = 0; i < 2; i++) {
        struct salut_config config;
        salut_addr addr;
        salut_config_init(&config, SALUT_PROFILE_LINUX);
        assert_int_equal(salut_runner_prepare(p->runner, slt_link_public(p->links[i]), &config),
                         SALUT_OK);
        assert_int_equal(config.link_kind, SALUT_LINK_IP);
        assert_int_equal(config.mtu, 1500);
        assert_int_equal(salut_create(&config, &p->stacks[i]), SALUT_OK);
        assert_int_equal(salut_addr_parse(addresses[i], &addr), SALUT_OK);
        assert_int_equal(salut_add_address(p->stacks[i], &addr, 24), SALUT_OK);
        struct salut_runner_stack member = {.stack = p->stacks[i],
                                            .link = slt_link_public(p->links[i]),
                                            .on_event = on_event,
                                            .ctx = p,
                                            .on_return = on_return,
                                            .on_input = i == 1 ? on_input : NULL};
        assert_int_equal(salut_runner_add_stack(p->runner, &member), SALUT_OK);
        assert_int_equal(salut_runner_add_stack(p->runner, &member), SALUT_INVALID);
    }
}

/* The runner's own time, at most: a loop that spins while nothing happens would show. */
static int64_t cpu_ns(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SLT_NS_PER_S +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void two_stacks_talk(void **state)
{
    static const char *const addresses[2] = {"10.1.0.1", "10.1.0.2"};
    struct pair p = {.runner = *state};
    struct salut_listen_params listen = {.port = 5000, .backlog = 4};
    struct salut_connect_params connect = {.remote_port = 5000};
    salut_conn conn;
    for (size_t i = 0; i < sizeof(source); i++) {
        source[i] = byte_at(i);
    }
    set_up(&p, addresses);
    assert_int_equal(salut_addr_parse(addresses[1], &connect.remote), SALUT_OK);
    assert_int_equal(salut_listen(p.stacks[1], &listen, &p.listener), SALUT_OK);
    (void)salut_runner_turn(p.runner, 0);
    /* A call between two turns: the next one must not sleep on it. */
    assert_int_equal(salut_connect(p.stacks[0], &connect, &conn), SALUT_OK);
    for (int i = 0; i < 100000 && !p.ended; i++) {
        (void)salut_runner_turn(p.runner, SLT_NS_PER_S);
    }
    assert_int_equal(p.received, BYTES);
    assert_true(p.ended);
    for (int i = 0; i < 20; i++) {
        (void)salut_runner_turn(p.runner, SLT_NS_PER_MS);
    }
    assert_true(p.lent > 10);
    assert_true(p.inputs > 10);
    assert_int_equal(p.returned, p.lent);
    int64_t from_ns = cpu_ns();
    int64_t now_ns = salut_runner_now(p.runner);
    while (elapsed_since(p.runner, now_ns) < 200 * SLT_NS_PER_MS) {
        (void)salut_runner_turn(p.runner, 200 * SLT_NS_PER_MS);
    }
    assert_true(cpu_ns() - from_ns < 100 * SLT_NS_PER_MS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(salut_runner_remove_stack(p.runner, p.stacks[i]), SALUT_OK);
        assert_int_equal(salut_runner_remove_stack(p.runner, p.stacks[i]), SALUT_STALE);
        salut_destroy(p.stacks[i]);
        slt_link_close(p.links[i]);
    }
}

static void links_say_what_is_wrong(void **state)
{
    struct salut_link *link = NULL;
    char why[256];
    (void)state;
    struct salut_link_params params = {.device = SALUT_DEVICE_LOOP, .impair = "loss=200%"};
    assert_int_equal(salut_link_open(&params, &link, why, sizeof(why)), SALUT_INVALID);
    assert_non_null(strstr(why, "100%"));
    params = (struct salut_link_params){.device = SALUT_DEVICE_PACKET, .name = "no-such-iface"};
    assert_int_not_equal(salut_link_open(&params, &link, why, sizeof(why)), SALUT_OK);
    assert_true(strlen(why) > 10);
    params = (struct salut_link_params){.device = SALUT_DEVICE_LOOP, .impair = "loss=1%,seed=3"};
    assert_int_equal(salut_link_open(&params, &link, why, sizeof(why)), SALUT_OK);
    salut_link_close(link);
    salut_link_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sleeps_no_longer_than_told, make, drop),
        cmocka_unit_test_setup_teardown(timers_fire_once_in_order, make, drop),
        cmocka_unit_test_setup_teardown(descriptors_of_others, make, drop),
        cmocka_unit_test_setup_teardown(another_thread_wakes_and_stops, make, drop),
        cmocka_unit_test_setup_teardown(two_stacks_talk, make, drop),
        cmocka_unit_test(links_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
