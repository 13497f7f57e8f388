/* The runner: one thread, one epoll loop, any number of stacks with their links, and other
 * people's descriptors. It is the only part of the library that reads a clock.
 *
 *     salut_runner_create(&runner);
 *     salut_link_open(&(struct salut_link_params){.device = SALUT_DEVICE_TAP}, &link, why, size);
 *     salut_config_init(&config, SALUT_PROFILE_LINUX);
 *     salut_runner_prepare(runner, link, &config);
 *     salut_create(&config, &stack);
 *     salut_runner_add_stack(runner, &(struct salut_runner_stack){
 *         .stack = stack, .link = link, .on_event = my_event, .ctx = me});
 *     salut_runner_run(runner);
 *
 * One turn takes in what the links received, lets timers fire, hands out events, and sends until
 * the links take no more. Handlers run inside a turn and may call anything of the instances and of
 * the runner, except salut_runner_turn, salut_runner_run and salut_runner_destroy. A handler of
 * events should go on until SALUT_WOULD_BLOCK: the runner does not come back for what is left
 * before something else happens, unless salut_runner_again is called.
 */
#ifndef SALUT_RUNNER_H
#define SALUT_RUNNER_H

#include "salut/salut.h"

#ifdef __cplusplus
extern "C" {
#endif

struct salut_runner;
struct salut_link;

/* ---- links -------------------------------------------------------------------------------- */

enum salut_device {
    SALUT_DEVICE_TAP,    /* Ethernet frames to and from this machine's kernel */
    SALUT_DEVICE_TUN,    /* IP packets to and from this machine's kernel */
    SALUT_DEVICE_PACKET, /* frames of an Ethernet interface that exists */
    SALUT_DEVICE_LOOP    /* what is sent comes back */
};

struct salut_link_params {
    enum salut_device device;
    const char *name;    /* of the interface; NULL: chosen (TAP, TUN) */
    uint32_t mtu;        /* 0: the interface's */
    bool no_offload;     /* wire frames with complete checksums both ways */
    bool multi_queue;    /* one of several queues of the device (TAP, TUN); salut/shard.h */
    const char *impair;  /* "loss=1%,dup=1%,reorder=1%,corrupt=0.1%,delay=20ms,jitter=5ms,
                            rate=10mbit,queue=100,seed=7"; NULL: none */
    const char *capture; /* a file for every frame, in pcapng; NULL: none */
};

/* Open a link. On failure `why` (of `size` bytes) gets a sentence that says what is wrong and what
 * helps.
 *
 * Returns SALUT_OK, SALUT_INVALID, SALUT_NO_MEMORY, SALUT_NOT_SUPPORTED and others for what the
 * system refused. */
SALUT_API SALUT_MUST_USE enum salut_status salut_link_open(const struct salut_link_params *params,
                                                           struct salut_link **link, char *why,
                                                           size_t size);

/* Close a link that no runner has. NULL is allowed. */
SALUT_API void salut_link_close(struct salut_link *link);

/* The name of the interface. */
SALUT_API const char *salut_link_name(const struct salut_link *link);

/* ---- the runner --------------------------------------------------------------------------- */

/* Make a runner. Returns SALUT_OK, SALUT_NO_MEMORY (or no descriptors). */
SALUT_API SALUT_MUST_USE enum salut_status salut_runner_create(struct salut_runner **runner);

/* Take a runner down. Stacks and links are the caller's again. NULL is allowed. */
SALUT_API void salut_runner_destroy(struct salut_runner *runner);

/* The time of this turn, as the stacks were told it; nanoseconds, CLOCK_MONOTONIC. */
SALUT_API int64_t salut_runner_now(const struct salut_runner *runner);

/* Complete a configuration: what the link is (`link` may be NULL), the time, a seed from the
 * operating system, and malloc where it names no memory.
 *
 * Returns SALUT_OK; SALUT_NOT_SUPPORTED when the system gives no random bytes. */
SALUT_API SALUT_MUST_USE enum salut_status salut_runner_prepare(struct salut_runner *runner,
                                                                const struct salut_link *link,
                                                                struct salut_config *config);

/* An instance on its link. */
struct salut_runner_stack {
    struct salut_stack *stack;
    struct salut_link *link;
    void (*on_event)(void *ctx, struct salut_stack *stack, const struct salut_event *event);
    void *ctx;
    /* A loan (salut_send_lend) has come back; called at the end of the turn in which it did. NULL:
     * the caller asks salut_take_back himself. */
    void (*on_return)(void *ctx, struct salut_stack *stack, const struct salut_loan *loan);
    /* Something has arrived and is about to be given to the stack: the last moment to tell it what
     * it judges by. NULL: nothing to tell. */
    void (*on_input)(void *ctx, struct salut_stack *stack);
};

/* Run a stack on a link from the next turn on.
 *
 * Returns SALUT_OK, SALUT_INVALID, SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status
salut_runner_add_stack(struct salut_runner *runner, const struct salut_runner_stack *member);

/* Let go of a stack and its link. Returns SALUT_OK, SALUT_STALE (it has no such stack). */
SALUT_API enum salut_status salut_runner_remove_stack(struct salut_runner *runner,
                                                      struct salut_stack *stack);

/* A descriptor of somebody else's: `on_ready` is called in the turn in which it is ready (events
 * as of epoll). */
struct salut_runner_fd {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT ... level-triggered; 0: none for now */
    void (*on_ready)(void *ctx, int fd, uint32_t events);
    void *ctx;
};

/* Watch a descriptor; again for the same one: change how. The caller closes it, after removing it.
 *
 * Returns SALUT_OK; SALUT_INVALID (it cannot be watched); SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status salut_runner_set_fd(struct salut_runner *runner,
                                                               const struct salut_runner_fd *watch);

/* Stop watching. Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_runner_remove_fd(struct salut_runner *runner, int fd);

/* A timer lies in memory of the caller's: fill in on_due and ctx, zero the rest. */
struct salut_runner_timer {
    void (*on_due)(void *ctx, int64_t now_ns);
    void *ctx;
    int64_t at_ns;                   /* the runner's */
    struct salut_runner_timer *next; /* the runner's */
    bool armed;                      /* the runner's */
};

/* Set a timer, again to move it; INT64_MAX stops it. It fires once. Setting costs time in
 * proportion to the timers that are set: keep one for many connections. */
SALUT_API void salut_runner_set_timer(struct salut_runner *runner, struct salut_runner_timer *timer,
                                      int64_t at_ns);

/* Do not sleep before the next turn. */
SALUT_API void salut_runner_again(struct salut_runner *runner);

/* One turn: sleep at most `sleep_ns` (negative: for as long as nothing happens), then work.
 *
 * Returns SALUT_OK; SALUT_END once salut_runner_stop was called. */
SALUT_API enum salut_status salut_runner_turn(struct salut_runner *runner, int64_t sleep_ns);

/* Turn until salut_runner_stop. */
SALUT_API void salut_runner_run(struct salut_runner *runner);

/* End salut_runner_run after the present turn; wake it from its sleep. These two may be called
 * from any thread and from signal handlers. */
SALUT_API void salut_runner_stop(struct salut_runner *runner);
SALUT_API void salut_runner_wake(struct salut_runner *runner);

#ifdef __cplusplus
}
#endif

#endif
