/* Lent memory: salut_send_lend and salut_take_back, between two instances.
 *
 * Every loan of these tests is a piece of the heap of its own, filled with its place in the stream.
 * When it comes back it is overwritten and freed: a segment that still refers to it would carry
 * wrong bytes, and a second return is noticed by its number.
 */
#include "world.h"

#include "base/prng.h"

#define LOANS 4096U

struct loans {
    uint8_t *out[LOANS]; /* by number; NULL: back, or never lent */
    size_t bytes[LOANS];
    uint32_t lent;
    uint32_t back;
};

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 131 + (at >> 8) * 17 + (at >> 16) * 5);
}

static void fill(uint8_t *out, uint64_t at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = pattern(at + i);
    }
}

static struct loans *new_loans(void)
{
    return calloc(1, sizeof(struct loans));
}

/* Lend `bytes` bytes of the stream from `at` on. */
static enum salut_status lend(struct salut_stack *stack, salut_conn conn, struct loans *loans,
                              uint64_t at, size_t bytes)
{
    uint8_t *memory = malloc(bytes + 1);
    fill(memory, at, bytes);
    assert_true(loans->lent < LOANS);
    struct salut_loan loan = {.base = memory, .bytes = bytes, .user = loans->lent};
    enum salut_status status = salut_send_lend(stack, conn, &loan, 0);
    if (status != SALUT_OK) {
        memset(memory, 0xdd, bytes);
        free(memory);
        return status;
    }
    loans->out[loans->lent] = memory;
    loans->bytes[loans->lent] = bytes;
    loans->lent++;
    return status;
}

static uint32_t take_back(struct salut_stack *stack, struct loans *loans)
{
    struct salut_loan loan;
    uint32_t count = 0;
    while (salut_take_back(stack, &loan)) {
        assert_true(loan.user < loans->lent);
        assert_non_null(loans->out[loan.user]); /* once */
        assert_ptr_equal(loan.base, loans->out[loan.user]);
        assert_int_equal(loan.bytes, loans->bytes[loan.user]);
        memset(loans->out[loan.user], 0xee, loan.bytes);
        free(loans->out[loan.user]);
        loans->out[loan.user] = NULL;
        loans->back++;
        count++;
    }
    return count;
}

static void expect_all_back(struct salut_stack *stack, struct loans *loans)
{
    uint64_t bytes;
    uint32_t objects;
    (void)take_back(stack, loans);
    assert_int_equal(loans->back, loans->lent);
    salut_ledger(stack, SLT_OWNER_LOAN, &bytes, &objects);
    assert_int_equal(objects, 0);
    free(loans);
}

static struct world *new_world(void (*change)(struct salut_config *config))
{
    struct world *world = calloc(1, sizeof(*world));
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        struct salut_config config;
        world_config(&config, SALUT_PROFILE_LINUX, end);
        if (change) {
            change(&config);
        }
        world_join(world, end, world_create(&config));
    }
    return world;
}

/* Read what is there and check it; returns the place reached. */
static uint64_t read_all(struct world *world, salut_conn server, uint64_t at)
{
    uint8_t data[30000];
    size_t got;
    while (salut_recv(world->end[1], server, data, sizeof(data), &got) == SALUT_OK) {
        for (size_t i = 0; i < got; i++) {
            if (data[i] != pattern(at + i)) {
                fail_msg("byte %llu is wrong", (unsigned long long)(at + i));
            }
        }
        at += got;
    }
    return at;
}

static uint64_t queued(struct world *world, salut_conn conn)
{
    struct salut_info info;
    assert_int_equal(salut_get_info(world->end[0], conn, &info), SALUT_OK);
    return info.send_queued;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static struct slt_prng chance;

static enum world_filter_answer lose_some(struct world *world, int from, const uint8_t *frame,
                                          uint32_t bytes)
{
    (void)world;
    (void)frame;
    bool loses = slt_prng_below(&chance, 100) < (from == 0 ? 6U : 2U) && bytes > 60;
    return loses ? WORLD_LOSE : WORLD_PASS;
}

/* Write a random piece: copied or lent, a few bytes or many. */
static uint64_t write_piece(struct world *world, salut_conn conn, struct loans *loans, uint64_t at)
{
    static uint8_t data[70000];
    static const size_t sizes[] = {1, 30, 1448, 5000, 9000, 70000};
    size_t bytes = 1 + (size_t)slt_prng_below(&chance, sizes[slt_prng_below(&chance, 6)]);
    if (slt_prng_below(&chance, 3) > 0) {
        return lend(world->end[0], conn, loans, at, bytes) == SALUT_OK ? at + bytes : at;
    }
    size_t accepted;
    fill(data, at, bytes);
    enum salut_status status = salut_send(world->end[0], conn, data, bytes, 0, &accepted);
    assert_true(status == SALUT_OK || status == SALUT_WOULD_BLOCK);
    return at + accepted;
}

static void transfer(void (*change)(struct salut_config *config), uint64_t seed, bool lossy)
{
    struct world *world = new_world(change);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    struct loans *loans = new_loans();
    const uint64_t total = 3000000;
    uint64_t wrote = 0;
    uint64_t got = 0;

    slt_prng_seed(&chance, seed);
    world->filter = lossy ? lose_some : NULL;
    world->take_at_most = (size_t)(seed % 3);
    for (int rounds = 0; got < wrote || wrote < total; rounds++) {
        assert_true(rounds < 100000);
        for (int i = 0; i < 6 && wrote < total; i++) {
            wrote = write_piece(world, ends.client, loans, wrote);
        }
        world_run(world, rounds % 3 == 0 ? 20 * SLT_NS_PER_MS : 0);
        (void)take_back(world->end[0], loans);
        got = read_all(world, ends.server, got);
    }
    world->filter = NULL;
    world_run(world, 5 * SLT_NS_PER_S);
    assert_int_equal(queued(world, ends.client), 0);
    assert_true(loans->lent > 20);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

static void small_buffers(struct salut_config *config)
{
    config->buffer_bytes = 64;
    config->buffers_max = 20000;
    config->mtu = 2432; /* as many pieces as a frame may need */
}

static void super_frames(struct salut_config *config)
{
    config->gso_max_bytes = 65535;
    config->tx_checksum = 1;
    config->buffer_bytes = 1024; /* 38 of them hold less than the 64 KB above */
    config->buffers_max = 4000;
}

static void short_segments(struct salut_config *config)
{
    config->mtu = 1280;
    config->buffer_bytes = 512;
}

static void t_bytes_arrive_as_they_were_lent(void **state)
{
    (void)state;
    transfer(NULL, 1, false);
    transfer(small_buffers, 2, false);
    transfer(super_frames, 3, false);
}

static void t_resending_splits_loans_anywhere(void **state)
{
    (void)state;
    transfer(NULL, 11, true);
    transfer(small_buffers, 12, true);
    transfer(super_frames, 13, true);
    transfer(short_segments, 14, true);
}

/* A byte copied between any two loans: the most pieces that a segment's text can lie in. */
static void t_loans_and_single_bytes_fit_in_frames(void **state)
{
    (void)state;
    void (*const changes[])(struct salut_config *) = {NULL, small_buffers, super_frames};
    for (size_t k = 0; k < SLT_ARRAY_COUNT(changes); k++) {
        struct world *world = new_world(changes[k]);
        struct world_ends ends = world_open_pair(world, &world->addr4[1]);
        struct loans *loans = new_loans();
        size_t shortest = 2 * world->end[0]->config.buffer_bytes;
        uint64_t wrote = 0;
        uint64_t got = 0;
        size_t accepted;
        for (int rounds = 0; rounds < 300; rounds++) {
            for (int i = 0; i < 10; i++) {
                uint8_t byte = pattern(wrote);
                if (salut_send(world->end[0], ends.client, &byte, 1, SALUT_SEND_MORE, &accepted) ==
                    SALUT_OK) {
                    wrote++;
                }
                if (lend(world->end[0], ends.client, loans, wrote, shortest) == SALUT_OK) {
                    wrote += shortest;
                }
            }
            world_run(world, SLT_NS_PER_MS);
            (void)take_back(world->end[0], loans);
            got = read_all(world, ends.server, got);
        }
        world_run(world, SLT_NS_PER_S);
        assert_int_equal(read_all(world, ends.server, got), wrote);
        expect_all_back(world->end[0], loans);
        world_delete(world);
    }
}

/* ---- when loans come back ------------------------------------------------------------------- */

/* Three loans in the queue of a connection whose peer hears nothing any more. */
static struct world_ends lend_three(struct world *world, struct loans *loans)
{
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    world->cut = true;
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(lend(world->end[0], ends.client, loans, i * 20000, 20000), SALUT_OK);
    }
    world_run(world, SLT_NS_PER_S);
    assert_int_equal(take_back(world->end[0], loans), 0);
    return ends;
}

/* The peer hears again: all three arrive, and come back. */
static void expect_delivery(struct world *world, struct loans *loans, const struct world_ends *ends)
{
    world->cut = false;
    world_run(world, 10 * SLT_NS_PER_S);
    assert_int_equal(take_back(world->end[0], loans), 3);
    assert_int_equal(read_all(world, ends->server, 0), 60000);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

static void t_acknowledged(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = lend_three(world, loans);

    (void)state;
    expect_delivery(world, loans, &ends);
}

static void t_closed_with_bytes_queued(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = lend_three(world, loans);

    (void)state;
    assert_int_equal(salut_close(world->end[0], ends.client), SALUT_OK);
    assert_int_equal(take_back(world->end[0], loans), 0); /* they are still to be delivered */
    expect_delivery(world, loans, &ends);
}

static void t_aborted(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = lend_three(world, loans);

    (void)state;
    assert_int_equal(salut_abort(world->end[0], ends.client), SALUT_OK);
    assert_int_equal(take_back(world->end[0], loans), 3);
    world_run(world, SLT_NS_PER_S);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

static void t_reset_by_the_peer(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = lend_three(world, loans);
    struct salut_loan loan = {.base = world, .bytes = 1};

    (void)state;
    assert_int_equal(salut_abort(world->end[1], ends.server), SALUT_OK);
    world->cut = false;
    world_run(world, 10 * SLT_NS_PER_S);
    assert_int_equal(take_back(world->end[0], loans), 3); /* the handle is still held */
    assert_int_equal(salut_send_lend(world->end[0], ends.client, &loan, 0), SALUT_RESET);
    assert_int_equal(salut_close(world->end[0], ends.client), SALUT_OK);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

static void t_timed_out(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = lend_three(world, loans);

    (void)state;
    world_run(world, 3000 * SLT_NS_PER_S);
    assert_int_equal(world_state(world, 0, ends.client), SALUT_STATE_CLOSED);
    assert_int_equal(take_back(world->end[0], loans), 3);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

static void t_refused(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    salut_conn conn = world_connect(world, 0, &world->addr4[1], 81);

    (void)state;
    assert_int_equal(lend(world->end[0], conn, loans, 0, 20000), SALUT_OK);
    assert_int_equal(take_back(world->end[0], loans), 0);
    world_settle(world);
    assert_int_equal(take_back(world->end[0], loans), 1);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

/* Before an instance goes: held, closed, and connecting connections alike. */
static void t_all_aborted_and_destroyed(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = lend_three(world, loans);
    salut_conn closed = world_connect(world, 0, &world->addr4[1], 80);
    uint32_t ready;

    (void)state;
    world->cut = false;
    world_settle(world);
    world->cut = true;
    assert_int_equal(lend(world->end[0], closed, loans, 0, 50000), SALUT_OK);
    assert_int_equal(salut_close(world->end[0], closed), SALUT_OK);
    salut_conn opening = world_connect(world, 0, &world->addr4[1], 80);
    assert_int_equal(lend(world->end[0], opening, loans, 0, 50000), SALUT_OK);
    world_run(world, SLT_NS_PER_S);
    (void)take_back(world->end[0], loans);
    assert_true(loans->back < loans->lent);
    salut_abort_all(world->end[0]);
    world_check(world);
    (void)take_back(world->end[0], loans);
    assert_int_equal(loans->back, 5);
    assert_int_equal(salut_ready(world->end[0], ends.client, &ready), SALUT_OK);
    assert_true((ready & SALUT_ENDED) != 0);
    assert_int_equal(lend(world->end[0], ends.client, loans, 0, 1), SALUT_ABORTED);
    world->cut = false;
    world_run(world, SLT_NS_PER_S); /* the resets leave */
    assert_int_equal(world_state(world, 1, ends.server), SALUT_STATE_CLOSED);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

/* An unanswered batch refers to the memory: nothing may come back meanwhile but what is free. */
static void t_not_under_a_batch_of_output(void **state)
{
    static struct salut_tx_frame frames[8];
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);

    (void)state;
    assert_int_equal(lend(world->end[0], ends.client, loans, 0, 20000), SALUT_OK);
    assert_true(salut_output(world->end[0], frames, 8) > 0);
    assert_int_equal(lend(world->end[0], ends.client, loans, 20000, 20000), SALUT_PENDING_OUTPUT);
    assert_int_equal(salut_abort(world->end[0], ends.client), SALUT_PENDING_OUTPUT);
    assert_int_equal(take_back(world->end[0], loans), 0);
    salut_abort_all(world->end[0]); /* gives the batch up first */
    assert_int_equal(lend(world->end[0], ends.client, loans, 20000, 20000), SALUT_ABORTED);
    assert_int_equal(take_back(world->end[0], loans), 1);
    salut_output_taken(world->end[0], 8);
    world_settle(world);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

/* ---- limits and errors ---------------------------------------------------------------------- */

static void few_loans(struct salut_config *config)
{
    config->loans_max = 2;
    config->send_buffer_bytes = 30000;
    config->tune_send_buffer = 0;
}

static void t_the_send_buffer_counts_loans(void **state)
{
    struct world *world = new_world(few_loans);
    struct loans *loans = new_loans();
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    size_t accepted;
    uint32_t ready;

    (void)state;
    world->cut = true;
    /* One byte of room takes a whole loan; then nothing goes, copied or lent, before it shrank. */
    assert_int_equal(lend(world->end[0], ends.client, loans, 0, 29999), SALUT_OK);
    assert_int_equal(lend(world->end[0], ends.client, loans, 29999, 500000), SALUT_OK);
    assert_int_equal(queued(world, ends.client), 529999);
    assert_int_equal(lend(world->end[0], ends.client, loans, 0, 20000), SALUT_WOULD_BLOCK);
    assert_int_equal(lend(world->end[0], ends.client, loans, 0, 1), SALUT_WOULD_BLOCK);
    assert_int_equal(salut_send(world->end[0], ends.client, "x", 1, 0, &accepted),
                     SALUT_WOULD_BLOCK);
    assert_int_equal(salut_ready(world->end[0], ends.client, &ready), SALUT_OK);
    assert_int_equal(ready & SALUT_WRITABLE, 0);
    world->cut = false;
    uint64_t got = 0;
    while (got < 529999) {
        world_run(world, SLT_NS_PER_S);
        got = read_all(world, ends.server, got);
    }
    world_run(world, SLT_NS_PER_S);
    assert_int_equal(salut_ready(world->end[0], ends.client, &ready), SALUT_OK);
    assert_true((ready & SALUT_WRITABLE) != 0);
    /* Who does not take back what is free has no more to lend with. */
    assert_int_equal(lend(world->end[0], ends.client, loans, got, 10000), SALUT_NO_MEMORY);
    assert_int_equal(queued(world, ends.client), 0);
    assert_int_equal(take_back(world->end[0], loans), 2);
    assert_int_equal(lend(world->end[0], ends.client, loans, got, 10000), SALUT_OK);
    world_run(world, SLT_NS_PER_S);
    assert_int_equal(read_all(world, ends.server, got), got + 10000);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

static void few_buffers(struct salut_config *config)
{
    config->buffers_max = 2;
    config->buffer_bytes = 4096;
}

/* A short loan that finds no buffer to be copied to leaves nothing behind. */
static void t_short_loans_are_copied_or_refused(void **state)
{
    struct world *world = new_world(few_buffers);
    struct loans *loans = new_loans();
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    size_t accepted;

    (void)state;
    assert_int_equal(lend(world->end[0], ends.client, loans, 0, 5000), SALUT_OK);
    assert_int_equal(take_back(world->end[0], loans), 1); /* copied, and free at once */
    assert_int_equal(lend(world->end[0], ends.client, loans, 5000, 4000), SALUT_NO_MEMORY);
    assert_int_equal(take_back(world->end[0], loans), 0);
    assert_int_equal(queued(world, ends.client), 5000);
    assert_int_equal(lend(world->end[0], ends.client, loans, 5000, 8192), SALUT_OK);
    assert_int_equal(salut_send(world->end[0], ends.client, "x", 1, 0, &accepted),
                     SALUT_NO_MEMORY); /* no room behind a loan */
    assert_int_equal(lend(world->end[0], ends.client, loans, 0, 0), SALUT_OK);
    assert_int_equal(take_back(world->end[0], loans), 1);
    uint64_t got = 0;
    while (got < 13192) {
        world_run(world, SLT_NS_PER_S);
        got = read_all(world, ends.server, got);
    }
    world_run(world, SLT_NS_PER_S);
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

static void t_what_cannot_be_lent(void **state)
{
    struct world *world = new_world(NULL);
    struct loans *loans = new_loans();
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    struct salut_loan loan = {.base = loans, .bytes = SALUT_LOAN_BYTES_MAX + 1};

    (void)state;
    assert_int_equal(salut_send_lend(world->end[0], ends.client, &loan, 0), SALUT_INVALID);
    loan = (struct salut_loan){.base = NULL, .bytes = 10};
    assert_int_equal(salut_send_lend(world->end[0], ends.client, &loan, 0), SALUT_INVALID);
    loan.base = loans;
    assert_int_equal(salut_send_lend(world->end[0], ends.client, &loan, 4), SALUT_INVALID);
    assert_int_equal(salut_shutdown(world->end[0], ends.client, SALUT_SHUT_WRITE), SALUT_OK);
    assert_int_equal(salut_send_lend(world->end[0], ends.client, &loan, 0), SALUT_CLOSED);
    assert_int_equal(salut_close(world->end[0], ends.client), SALUT_OK);
    assert_int_equal(salut_send_lend(world->end[0], ends.client, &loan, 0), SALUT_STALE);
    world_settle(world);
    assert_false(salut_take_back(world->end[0], &loan));
    expect_all_back(world->end[0], loans);
    world_delete(world);
}

/* The same memory on many connections: as many loans, one body. */
static void t_one_body_for_all(void **state)
{
    enum { CONNS = 50, BODY = 40000 };
    struct world *world = new_world(NULL);
    salut_listener listener = world_listen(world, 1, 80, CONNS, 0);
    uint8_t *body = malloc(BODY);
    salut_conn conns[CONNS];
    uint64_t bytes;
    uint32_t buffers;
    struct salut_loan loan = {.base = body, .bytes = BODY};

    (void)state;
    fill(body, 0, BODY);
    for (uint64_t i = 0; i < CONNS; i++) {
        conns[i] = world_connect(world, 0, &world->addr4[1], 80);
        world_settle(world);
        loan.user = i;
        assert_int_equal(salut_send_lend(world->end[0], conns[i], &loan, 0), SALUT_OK);
    }
    salut_ledger(world->end[0], SLT_OWNER_BUFFER, &bytes, &buffers);
    assert_int_equal(buffers, 0);
    for (uint32_t i = 0; i < CONNS; i++) {
        salut_conn server;
        assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
        uint64_t got = read_all(world, server, 0);
        world_run(world, SLT_NS_PER_S);
        assert_int_equal(read_all(world, server, got), BODY);
    }
    uint64_t seen = 0;
    while (salut_take_back(world->end[0], &loan)) {
        assert_ptr_equal(loan.base, body);
        assert_true(loan.user < CONNS && (seen >> loan.user & 1U) == 0);
        seen |= UINT64_C(1) << loan.user;
    }
    assert_true(seen == (UINT64_C(1) << CONNS) - 1);
    free(body);
    world_delete(world);
}

/* ---- memory --------------------------------------------------------------------------------- */

struct counting {
    uint64_t calls;
    uint64_t fails_at;
};

static void *alloc_counted(void *ctx, size_t bytes)
{
    struct counting *counting = ctx;
    counting->calls++;
    return counting->calls == counting->fails_at ? NULL : malloc(bytes);
}

/* One allocation of all that lending needs fails, each in its turn: the call says so or does
 * without, and what it did not take it does not give back. */
static void t_every_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t refused = 0;
    struct counting counting = {0, 0};
    for (uint64_t k = 1; k == 1 || counting.calls >= counting.fails_at; k++) {
        struct world *world = calloc(1, sizeof(*world));
        struct loans *loans = new_loans();
        struct salut_config config;
        world->now_ns = SLT_NS_PER_S;
        world_config(&config, SALUT_PROFILE_LINUX, 1);
        world_join(world, 1, world_create(&config));
        world_config(&config, SALUT_PROFILE_LINUX, 0);
        config.alloc = alloc_counted;
        config.alloc_ctx = &counting;
        counting = (struct counting){0, UINT64_MAX};
        world_join(world, 0, world_create(&config));
        salut_listener listener = world_listen(world, 1, 80, 4, 0);
        salut_conn conn = world_connect(world, 0, &world->addr4[1], 80);
        counting = (struct counting){0, k};
        uint64_t wrote = 0;
        for (int i = 0; i < 60; i++) {
            size_t bytes = i % 3 == 0 ? 3000 : 9000;
            enum salut_status status = lend(world->end[0], conn, loans, wrote, bytes);
            assert_true(status == SALUT_OK || status == SALUT_NO_MEMORY ||
                        status == SALUT_WOULD_BLOCK);
            refused += status == SALUT_NO_MEMORY ? 1U : 0U;
            wrote += status == SALUT_OK ? bytes : 0;
            assert_int_equal(queued(world, conn), wrote);
            world_check(world);
        }
        salut_conn server;
        world_run(world, SLT_NS_PER_S);
        assert_int_equal(salut_accept(world->end[1], listener, 0, &server), SALUT_OK);
        uint64_t got = 0;
        for (int i = 0; i < 100 && got < wrote; i++) {
            got = read_all(world, server, got);
            world_run(world, SLT_NS_PER_S);
        }
        assert_int_equal(got, wrote);
        expect_all_back(world->end[0], loans);
        world_delete(world);
        assert_true(k < 1000);
    }
    assert_true(refused > 0);
}

/* In a block: what was lent when a copy was made is lent again once it is put back. */
static void t_a_snapshot_brings_loans_back(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct salut_config config;

    (void)state;
    world->now_ns = SLT_NS_PER_S;
    world_config(&config, SALUT_PROFILE_LINUX, 1);
    world_join(world, 1, world_create(&config));
    world_config(&config, SALUT_PROFILE_LINUX, 0);
    config.loans_max = 8;
    config.records_max = 64;
    config.memory_bytes = salut_block_bytes(&config);
    config.memory = malloc(config.memory_bytes);
    world_join(world, 0, world_create(&config));
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    static uint8_t body[30000];
    struct salut_loan loan = {.base = body, .bytes = sizeof(body), .user = 5};
    fill(body, 0, sizeof(body));
    assert_int_equal(salut_send_lend(world->end[0], ends.client, &loan, 0), SALUT_OK);
    void *copy = malloc(salut_snapshot_bytes(world->end[0]));
    salut_save(world->end[0], copy);
    uint64_t digest = salut_digest(world->end[0]);
    assert_int_equal(salut_abort(world->end[0], ends.client), SALUT_OK);
    assert_true(salut_take_back(world->end[0], &loan));
    assert_false(salut_take_back(world->end[0], &loan));
    salut_restore(world->end[0], copy);
    assert_true(salut_digest(world->end[0]) == digest);
    world_run(world, SLT_NS_PER_S);
    assert_int_equal(read_all(world, ends.server, 0), sizeof(body));
    assert_true(salut_take_back(world->end[0], &loan));
    assert_int_equal(loan.user, 5);
    assert_false(salut_take_back(world->end[0], &loan));
    free(copy);
    void *block = config.memory;
    world_delete(world);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_bytes_arrive_as_they_were_lent),
        cmocka_unit_test(t_resending_splits_loans_anywhere),
        cmocka_unit_test(t_loans_and_single_bytes_fit_in_frames),
        cmocka_unit_test(t_acknowledged),
        cmocka_unit_test(t_closed_with_bytes_queued),
        cmocka_unit_test(t_aborted),
        cmocka_unit_test(t_reset_by_the_peer),
        cmocka_unit_test(t_timed_out),
        cmocka_unit_test(t_refused),
        cmocka_unit_test(t_all_aborted_and_destroyed),
        cmocka_unit_test(t_not_under_a_batch_of_output),
        cmocka_unit_test(t_the_send_buffer_counts_loans),
        cmocka_unit_test(t_short_loans_are_copied_or_refused),
        cmocka_unit_test(t_what_cannot_be_lent),
        cmocka_unit_test(t_one_body_for_all),
        cmocka_unit_test(t_every_allocation_may_fail),
        cmocka_unit_test(t_a_snapshot_brings_loans_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
