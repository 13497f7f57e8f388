/* Rounds of a poller: every ready descriptor is served, and as many in a turn as they move little.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "run/poller.h"

#include <sys/eventfd.h>

#include <cmocka.h>

#define COUNT 64

struct world {
    struct salut_runner *runner;
    struct slt_poller poller;
    struct slt_polled polled[COUNT];
    size_t bytes; /* that each handler moves */
    int served;   /* in this turn */
};

static void on_ready(void *ctx, uint32_t events)
{
    struct world *w = ctx;
    (void)events;
    w->served++;
    slt_poller_moved(&w->poller, w->bytes);
}

/* Descriptors that are always ready. */
static void open_world(struct world *w)
{
    *w = (struct world){.served = 0};
    assert_int_equal(salut_runner_create(&w->runner), SALUT_OK);
    assert_true(slt_poller_open(&w->poller, w->runner));
    for (int i = 0; i < COUNT; i++) {
        w->polled[i] =
            (struct slt_polled){.fd = eventfd(1, EFD_CLOEXEC), .on_ready = on_ready, .ctx = w};
        assert_true(slt_poller_watch(&w->poller, &w->polled[i], EPOLLIN));
    }
}

static void close_world(struct world *w)
{
    for (int i = 0; i < COUNT; i++) {
        slt_poller_drop(&w->poller, &w->polled[i]);
    }
    slt_poller_close(&w->poller);
    salut_runner_destroy(w->runner);
}

static int serve_turn(struct world *w)
{
    w->served = 0;
    assert_int_equal(salut_runner_turn(w->runner, 0), SALUT_OK);
    return w->served;
}

static void t_rounds_that_move_much_become_small(void **state)
{
    static const int falling[] = {64, 32, 16, 8, 4, 2, 1, 1};
    static const int rising[] = {1, 2, 4, 8, 16, 32, 64, 64};
    struct world w;
    (void)state;

    open_world(&w);
    w.bytes = SLT_POLLER_BYTES + 1;
    for (size_t i = 0; i < sizeof(falling) / sizeof(falling[0]); i++) {
        assert_int_equal(serve_turn(&w), falling[i]);
    }
    w.bytes = 100;
    for (size_t i = 0; i < sizeof(rising) / sizeof(rising[0]); i++) {
        assert_int_equal(serve_turn(&w), rising[i]);
    }
    close_world(&w);
}

/* 100 KB from each: a handful a turn, and all have their turn. */
static void t_a_round_moves_about_what_the_cache_holds(void **state)
{
    struct world w;
    (void)state;

    open_world(&w);
    w.bytes = (size_t)100 * 1024;
    for (int i = 0; i < 10; i++) {
        (void)serve_turn(&w);
    }
    for (int i = 0; i < 100; i++) {
        assert_in_range(serve_turn(&w), 2, 8);
    }
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_rounds_that_move_much_become_small),
        cmocka_unit_test(t_a_round_moves_about_what_the_cache_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
