/* Two engines joined by a wire of segments, in virtual time: the smallest world in which the engine
 * alone (no IP, no stack) can be driven. Each side has one connection, and the passive side a
 * listener that makes it. The wire carries segments as values with a copy of their payload; a test
 * may drop any of them.
 */
#ifndef SALUT_TESTS_TCP_PAIR_H
#define SALUT_TESTS_TCP_PAIR_H

#include "tcp/engine.h"

#include <stdbool.h>

#define PAIR_WIRE_MAX    256
#define PAIR_PAYLOAD_MAX 65536

struct pair_packet {
    struct slt_tcp_segment seg;
    uint8_t *payload;
    int to; /* 0 or 1 */
};

struct pair_side {
    struct slt_mem mem;
    struct slt_tcp tcp;
    struct slt_telemetry telemetry;
    uint32_t conn; /* SLT_NIL: none yet */
    bool listening;
    bool half_open;
    struct slt_tcp_half_open entry;
    struct slt_tcp_defaults defaults;
    struct slt_tcp_id id;
};

struct pair {
    struct salut_config config;
    struct pair_side side[2];
    struct pair_packet wire[PAIR_WIRE_MAX];
    unsigned wire_count;
    int64_t now_ns;
    int64_t delay_ns;
    bool unchecked; /* the invariants are not looked at after each door (a long run) */
    bool (*drop)(struct pair *pair, const struct pair_packet *packet); /* NULL: drop none */
    /* Set: takes each packet (and its payload) instead of the wire; deliver with pair_deliver. */
    void (*carry)(struct pair *pair, const struct pair_packet *packet);
    unsigned sent;
    unsigned dropped;
    void *ctx;
};

void pair_init(struct pair *p);

/* The same with queues in buffers of this size. */
void pair_init_buffers(struct pair *p, uint32_t buffer_bytes);
void pair_deinit(struct pair *p);
struct slt_tcp_conn *pair_conn(struct pair *p, int side);

/* Side 0 opens towards the listener of side 1. */
void pair_connect(struct pair *p);

/* Let both sides say what they have to say and carry it over, until nothing moves. */
void pair_run(struct pair *p);

/* Advance to the next timer of either side (at most `limit_ns` further), fire it, run. False when
 * no timer lies within the limit; time has then advanced by it. */
bool pair_step(struct pair *p, int64_t limit_ns);

/* Step until `limit_ns` has passed. */
void pair_advance(struct pair *p, int64_t for_ns);

/* One side says what it has to say; true when it said something. */
bool pair_transmit(struct pair *p, int side);

/* A packet arrives; its payload stays the caller's. */
void pair_deliver(struct pair *p, const struct pair_packet *packet);

/* The next timer of either side fires, or SLT_NEVER; and those due now do. */
int64_t pair_next_timer(const struct pair *p);
void pair_fire(struct pair *p);

size_t pair_send(struct pair *p, int side, const void *data, size_t bytes);
size_t pair_recv(struct pair *p, int side, void *data, size_t bytes);

#endif
