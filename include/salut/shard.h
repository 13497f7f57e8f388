/* Shards: one device, several threads, each with a runner, an instance and a queue of its own, and
 * nothing shared. The kernel spreads connections over the queues of a TAP or TUN device; a
 * connection lives and dies in the shard where its first segment came or went.
 *
 *     struct salut_shards_params params = {
 *         .count = 4, .link = {.device = SALUT_DEVICE_TAP}, .setup = my_setup, .on_event =
 * my_event}; salut_shards_create(&params, &shards, why, sizeof(why)); salut_shards_run(shards);
 *
 * All shards have the same addresses and the same station address, so each must be told the same:
 * setup is called in every thread, and gives addresses, routes and listeners to its own instance. A
 * port must be listened on in every shard, for its connections come to every shard. Each instance
 * has the limits of the configuration for itself, and a part of the range of local ports
 * (port_low .. port_high), so that no two shards open the same connection.
 *
 * What concerns all is told to all: ARP, neighbour discovery and ICMP errors that arrive at one
 * queue are copied to the others. A segment that comes to a shard that does not know its
 * connection, for the kernel forgets where a connection belongs when it is silent for some
 * seconds, is offered to the others, one after the other, before it is answered with a reset.
 * Fragments of TCP segments are not received by several shards (nobody could tell whose they are).
 */
#ifndef SALUT_SHARD_H
#define SALUT_SHARD_H

#include "salut/runner.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SALUT_SHARDS_MAX 64

struct salut_shards;

/* One of them, as its own thread sees it. */
struct salut_shard {
    uint32_t index; /* 0 .. count-1 */
    uint32_t count;
    struct salut_runner *runner;
    struct salut_stack *stack;
    const char *interface;
    void *user; /* setup's, for on_event, on_return and teardown */
};

struct salut_shards_params {
    uint32_t count;                /* 1 .. SALUT_SHARDS_MAX */
    struct salut_link_params link; /* TAP or TUN; one shard alone: any. `multi_queue` is set by the
                                      call; no capture for more than one */
    const struct salut_config *config; /* NULL: "linux". Its memory must be NULL, and its allocator
                                          callable from every thread */
    /* In the shard's thread before its first turn. Anything but SALUT_OK ends all of them. */
    enum salut_status (*setup)(void *ctx, struct salut_shard *shard);
    /* As in salut_runner_stack, with the shard's user for `ctx`. */
    void (*on_event)(void *user, struct salut_stack *stack, const struct salut_event *event);
    void (*on_return)(void *user, struct salut_stack *stack, const struct salut_loan *loan);
    /* In the shard's thread after its last turn, also when setup failed. NULL: nothing to do. */
    void (*teardown)(void *ctx, struct salut_shard *shard);
    void *ctx;
};

/* Open the queues and make runners and instances. On failure `why` (of `size` bytes) gets a
 * sentence.
 *
 * Returns SALUT_OK, SALUT_INVALID, SALUT_NO_MEMORY, and what salut_link_open and salut_create
 * answer. */
SALUT_API SALUT_MUST_USE enum salut_status
salut_shards_create(const struct salut_shards_params *params, struct salut_shards **shards,
                    char *why, size_t size);

/* Run them: one in the calling thread, the others in threads of their own, until
 * salut_shards_stop. Once only.
 *
 * Returns SALUT_OK, what the first setup that failed answered, or SALUT_NO_MEMORY (no thread). */
SALUT_API SALUT_MUST_USE enum salut_status salut_shards_run(struct salut_shards *shards);

/* End salut_shards_run. May be called from any thread and from signal handlers. */
SALUT_API void salut_shards_stop(struct salut_shards *shards);

/* Close everything. NULL is allowed. */
SALUT_API void salut_shards_destroy(struct salut_shards *shards);

/* The name of the interface. */
SALUT_API const char *salut_shards_interface(const struct salut_shards *shards);

/* What passed between a shard and the others. */
struct salut_shard_counters {
    uint64_t copied;    /* ARP, neighbour discovery, ICMP errors told to the others */
    uint64_t strays;    /* segments of no connection here, offered to the others */
    uint64_t adopted;   /* segments that others did not know, and this one did */
    uint64_t returned;  /* strays that nobody knew, answered here */
    uint64_t lost;      /* frames that found another's box full */
    uint64_t fragments; /* of TCP segments, dropped */
};

/* To be asked when they do not run, or in the shard's own thread. */
SALUT_API void salut_shards_counters(const struct salut_shards *shards, uint32_t index,
                                     struct salut_shard_counters *counters);

#ifdef __cplusplus
}
#endif

#endif
