/* Two instances and a wire between them, all in this process: what the stack's tests stand on.
 *
 * A turn of the world lets both ends expire their timers and send; every frame is copied into one
 * piece, shown to the test's filter (which may drop it), and given to the other end. salut_check
 * runs after every batch.
 */
#ifndef TESTS_STACK_WORLD_H
#define TESTS_STACK_WORLD_H

#include "stack/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORLD_FRAME_MAX 66000

enum world_filter_answer { WORLD_PASS, WORLD_LOSE };

struct world;
typedef enum world_filter_answer (*world_filter)(struct world *world, int from,
                                                 const uint8_t *frame, uint32_t bytes);

struct world {
    struct salut_stack *end[2];
    salut_addr addr4[2];
    salut_addr addr6[2];
    int64_t now_ns;
    world_filter filter;
    uint64_t frames[2]; /* sent by each end */
    uint64_t lost;
    size_t take_at_most; /* frames that the link takes of a batch; 0: all */
    bool cut;            /* the wire is cut */
    uint8_t frame[WORLD_FRAME_MAX];
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

/* Limits small enough for a test, an allocator, a seed, a link. */
static inline void world_config(struct salut_config *config, enum salut_profile profile, int end)
{
    salut_config_init(config, profile);
    config->alloc = world_alloc;
    config->free = world_free;
    config->conns_max = 256;
    config->half_open_max = 64;
    config->time_wait_max = 64;
    config->listeners_max = 16;
    config->buffers_max = 1024;
    config->ranges_max = 256;
    config->neighbours_max = 16;
    config->fragments_max = 8;
    config->fragment_bytes_max = 131072;
    config->event_ring = 64;
    config->start_at_ns = SLT_NS_PER_S;
    memset(config->seed, 0x40 + end, sizeof(config->seed));
    memcpy(config->mac, (const uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(1 + end)}, 6);
}

static inline struct salut_stack *world_create(const struct salut_config *config)
{
    struct salut_stack *stack;
    assert_int_equal(salut_create(config, &stack), SALUT_OK);
    return stack;
}

static inline void world_join(struct world *world, int end, struct salut_stack *stack)
{
    char text[32];
    world->end[end] = stack;
    snprintf(text, sizeof(text), "10.0.0.%d", end + 1);
    world->addr4[end] = world_addr(text);
    snprintf(text, sizeof(text), "2001:db8::%d", end + 1);
    world->addr6[end] = world_addr(text);
    assert_int_equal(salut_add_address(stack, &world->addr4[end], 24), SALUT_OK);
    assert_int_equal(salut_add_address(stack, &world->addr6[end], 64), SALUT_OK);
}

static inline struct world *world_new(enum salut_profile profile)
{
    struct world *world = calloc(1, sizeof(*world));
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        struct salut_config config;
        world_config(&config, profile, end);
        world_join(world, end, world_create(&config));
    }
    return world;
}

static inline void world_check(const struct world *world)
{
    for (int end = 0; end < 2; end++) {
        const char *broken = salut_check(world->end[end]);
        if (broken) {
            fail_msg("end %d: %s", end, broken);
        }
    }
}

static inline void world_delete(struct world *world)
{
    salut_destroy(world->end[0]);
    salut_destroy(world->end[1]);
    free(world);
}

static inline uint32_t world_flatten(const struct salut_tx_frame *frame, uint8_t *out)
{
    uint32_t at = frame->header_bytes;
    memcpy(out, frame->header, at);
    for (uint32_t i = 0; i < frame->piece_count; i++) {
        memcpy(out + at, frame->pieces[i].base, frame->pieces[i].bytes);
        at += (uint32_t)frame->pieces[i].bytes;
    }
    return at;
}

static inline void world_deliver(struct world *world, int from, const struct salut_tx_frame *frame)
{
    uint32_t bytes = world_flatten(frame, world->frame);
    struct salut_rx_frame rx = {.data = world->frame,
                                .bytes = bytes,
                                .gso_bytes = frame->gso_bytes,
                                .checksum_valid = frame->checksum_offset != 0};
    world->frames[from]++;
    if (world->cut || (world->filter && world->filter(world, from, world->frame, bytes))) {
        world->lost++;
        return;
    }
    salut_input(world->end[!from], &rx, 1, world->now_ns);
}

/* One end sends what it has; returns the frames that left. */
static inline size_t world_send(struct world *world, int from)
{
    static struct salut_tx_frame frames[SLT_TX_BATCH];
    struct salut_stack *stack = world->end[from];
    size_t sent = 0;
    size_t count;
    while ((count = salut_output(stack, frames, SLT_TX_BATCH)) > 0) {
        size_t take = world->take_at_most ? world->take_at_most : count;
        take = take < count ? take : count;
        for (size_t i = 0; i < take; i++) {
            world_deliver(world, from, &frames[i]);
        }
        salut_output_taken(stack, take);
        sent += take;
        world_check(world);
    }
    return sent;
}

/* Let both ends talk until neither has anything to say, without time passing. */
static inline void world_settle(struct world *world)
{
    size_t sent = 1;
    for (int rounds = 0; sent > 0; rounds++) {
        assert_true(rounds < 10000);
        sent = 0;
        for (int end = 0; end < 2; end++) {
            salut_poll(world->end[end], world->now_ns);
            sent += world_send(world, end);
        }
    }
    world_check(world);
}

/* Let time pass, timer by timer. */
static inline void world_run(struct world *world, int64_t for_ns)
{
    int64_t until_ns = world->now_ns + for_ns;
    world_settle(world);
    for (;;) {
        int64_t next_ns =
            slt_min64(salut_next_deadline(world->end[0]), salut_next_deadline(world->end[1]));
        if (next_ns > until_ns) {
            break;
        }
        world->now_ns = slt_max64(world->now_ns, next_ns);
        world_settle(world);
    }
    world->now_ns = until_ns;
    world_settle(world);
}

static inline salut_listener world_listen(struct world *world, int end, uint16_t port,
                                          uint32_t backlog, uint32_t flags)
{
    struct salut_listen_params params = {.port = port, .backlog = backlog, .flags = flags};
    salut_listener listener;
    assert_int_equal(salut_listen(world->end[end], &params, &listener), SALUT_OK);
    return listener;
}

static inline salut_conn world_connect(struct world *world, int end, const salut_addr *to,
                                       uint16_t port)
{
    struct salut_connect_params params = {.remote = *to, .remote_port = port};
    salut_conn conn;
    assert_int_equal(salut_connect(world->end[end], &params, &conn), SALUT_OK);
    return conn;
}

static inline enum salut_state world_state(struct world *world, int end, salut_conn conn)
{
    struct salut_info info;
    assert_int_equal(salut_get_info(world->end[end], conn, &info), SALUT_OK);
    return (enum salut_state)info.state;
}

/* A connection between the two ends, from end 0 to the address `to` of end 1. */
struct world_ends {
    salut_listener listener;
    salut_conn client; /* end 0 */
    salut_conn server; /* end 1 */
};

static inline struct world_ends world_open_pair(struct world *world, const salut_addr *to)
{
    struct world_ends ends;
    ends.listener = world_listen(world, 1, 80, 4, 0);
    ends.client = world_connect(world, 0, to, 80);
    world_settle(world);
    assert_int_equal(world_state(world, 0, ends.client), SALUT_STATE_ESTABLISHED);
    assert_int_equal(salut_accept(world->end[1], ends.listener, 7, &ends.server), SALUT_OK);
    assert_int_equal(world_state(world, 1, ends.server), SALUT_STATE_ESTABLISHED);
    return ends;
}

static inline uint64_t world_count(struct world *world, int end, enum slt_reason reason)
{
    return salut_counter(world->end[end], (unsigned)reason);
}

/* Objects of a kind in a state. */
static inline unsigned world_objects(struct world *world, int end, enum salut_object_kind kind)
{
    struct salut_info info;
    uint64_t cursor = 0;
    unsigned count = 0;
    while (salut_next_info(world->end[end], &cursor, &info)) {
        count += info.object == (uint8_t)kind ? 1U : 0U;
    }
    return count;
}

#endif
