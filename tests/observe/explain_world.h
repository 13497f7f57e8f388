/* Two instances, a way between them, and a capture somewhere on it: what really happened is known,
 * what the capture shows is explained, and the two are compared change by change.
 *
 * The way takes `way_ns` in each direction; the capture stands at a share of it, counted from the
 * client. A packet may be lost on its way, before or behind the capture. What an instance's own
 * events say about a frame that it took in, or about a call, is the truth: a change belongs to the
 * frame that caused it, and what a program did belongs to the first captured segment that shows it
 * (SYN, FIN, RST). Changes by timers are no packet's and are not asked for.
 */
#ifndef SLT_TESTS_EXPLAIN_WORLD_H
#define SLT_TESTS_EXPLAIN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/event.h"
#include "base/time.h"
#include "observe/explain.h"
#include "observe/explain_verdict.h"
#include "salut/salut.h"
#include "sock/inside.h"

#include <stdlib.h>
#include <string.h>

enum { CLIENT, SERVER };
enum { AT_CLIENT, IN_THE_MIDDLE, AT_SERVER, PLACES };

#define PORT_OF_SERVER 8080
#define FRAMES_MAX     256
#define FRAME_BYTES    1600
#define TRUTHS_MAX     64
#define ACTIONS_MAX    16
#define LOSSES_MAX     8

enum action_kind {
    DO_NOTHING,
    DO_LISTEN,
    DO_CONNECT,
    DO_CONNECT_BACK, /* from the port the other end connects to: a simultaneous open */
    DO_SEND,
    DO_READ,
    DO_SHUTDOWN,
    DO_ANSWER_FIN, /* from now on: close as soon as the other end's FIN is there */
    DO_CLOSE,
    DO_ABORT
};

struct action {
    int at_ms;
    int side;
    enum action_kind kind;
    int bytes;
};

/* Lose the n-th frame of a side with these flags and none of those. */
struct loss {
    int side;
    uint16_t with;
    uint16_t without;
    bool data; /* only frames with payload */
    int nth;   /* from 1 */
    bool late; /* on the second half of its way */
};

struct story {
    const char *class;
    const char *name;
    struct action actions[ACTIONS_MAX];
    struct loss losses[LOSSES_MAX];
};

struct frame {
    int side; /* who sent it */
    int64_t sent_ns;
    bool lost;
    bool late;
    bool delivered;
    int sent_turn; /* the order of what happens at one instant */
    int taken_turn;
    uint16_t flags;
    uint32_t bytes;
    uint32_t number; /* in the capture; 0: not captured */
    uint8_t data[FRAME_BYTES];
};

struct truth {
    int side;
    uint8_t from;
    uint8_t to;
    int frame;     /* -1: a call's; the first captured segment with `flag` shows it */
    uint16_t flag; /* 0: nothing shows it */
    int after;     /* frames that had been sent before it */
};

struct world {
    const struct story *story;
    int place;
    int64_t way_ns;
    int64_t now_ns;
    struct salut_stack *stacks[2];
    salut_addr addrs[2];
    salut_listener listener;
    bool listening;
    salut_conn conns[2];
    bool open[2];
    bool answers_fin[2];
    unsigned chance; /* of 100 frames so many are lost besides */
    uint64_t dice;
    uint64_t next_event[2];
    uint8_t state[2];
    int seen[LOSSES_MAX];
    struct frame frames[FRAMES_MAX];
    int frame_count;
    int turn;
    struct truth truths[TRUTHS_MAX];
    int truth_count;
    struct slt_explain explain;
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

static inline void world_make(struct world *w, int side)
{
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.2"};
    struct salut_config config;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    config.link_kind = SALUT_LINK_IP;
    config.gso_max_bytes = 0;
    config.tx_checksum = 0;
    config.duplicate_address_detection = 0;
    config.conns_max = 16;
    config.time_wait_max = 16;
    config.neighbours_max = 16;
    config.alloc = world_alloc;
    config.free = world_free;
    config.seed[0] = (uint8_t)(side + 1);
    config.seed[1] = (uint8_t)strlen(w->story->name);
    assert_int_equal(salut_create(&config, &w->stacks[side]), SALUT_OK);
    assert_int_equal(salut_addr_parse(addresses[side], &w->addrs[side]), SALUT_OK);
    assert_int_equal(salut_add_address(w->stacks[side], &w->addrs[side], 24), SALUT_OK);
    w->next_event[side] = 1;
}

/* ---- the truth ------------------------------------------------------------------------------ */

/* Which segment shows what a program did. */
static inline uint16_t world_shows(uint8_t to)
{
    switch (to) {
    case SALUT_STATE_SYN_SENT:
        return SLT_TCP_SYN;
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_LAST_ACK:
        return SLT_TCP_FIN;
    case SALUT_STATE_CLOSED:
        return SLT_TCP_RST;
    default:
        return 0;
    }
}

/* Take the changes since the last look; they belong to `frame`, or to a call when it is -1. A
 * timer's changes are forgotten. */
static inline void world_note(struct world *w, int side, int frame, bool timer)
{
    const struct slt_telemetry *telemetry = slt_inside_telemetry(w->stacks[side]);
    struct slt_event e;
    int64_t lost;
    while ((lost = slt_event_read(telemetry, w->next_event[side], &e)) >= 0) {
        assert_int_equal(lost, 0);
        w->next_event[side]++;
        if (e.kind != SLT_EVENT_STATE || e.remote_port == 0 || e.to == w->state[side]) {
            continue;
        }
        uint8_t from = w->state[side];
        w->state[side] = e.to;
        if (timer) {
            continue;
        }
        assert_true(w->truth_count < TRUTHS_MAX);
        w->truths[w->truth_count] = (struct truth){.side = side,
                                                   .from = from,
                                                   .to = e.to,
                                                   .frame = frame,
                                                   .flag = world_shows(e.to),
                                                   .after = w->frame_count};
        w->truth_count++;
    }
}

/* ---- the way -------------------------------------------------------------------------------- */

static inline uint64_t world_dice(struct world *w)
{
    w->dice += 0x9e3779b97f4a7c15ULL;
    uint64_t z = (w->dice ^ w->dice >> 30) * 0xbf58476d1ce4e5b9ULL;
    return z ^ z >> 27;
}

static inline bool world_loses(struct world *w, const struct frame *f, bool *late)
{
    bool lost = (world_dice(w) >> 20) % 100 < w->chance;
    *late = (world_dice(w) >> 20) % 2 == 0;
    for (int i = 0; i < LOSSES_MAX; i++) {
        const struct loss *l = &w->story->losses[i];
        bool hit = l->nth > 0 && l->side == f->side && (f->flags & l->with) == l->with &&
                   (f->flags & l->without) == 0 && (!l->data || f->bytes > 0);
        w->seen[i] += hit;
        if (hit && w->seen[i] == l->nth) {
            lost = true;
            *late = l->late;
        }
    }
    return lost;
}

static inline void world_leave(struct world *w, int side, const struct salut_tx_frame *tx)
{
    assert_true(w->frame_count < FRAMES_MAX);
    struct frame *f = &w->frames[w->frame_count];
    uint32_t at = tx->header_bytes;
    memcpy(f->data, tx->header, at);
    for (unsigned i = 0; i < tx->piece_count; i++) {
        assert_true(at + tx->pieces[i].bytes <= FRAME_BYTES);
        memcpy(f->data + at, tx->pieces[i].base, tx->pieces[i].bytes);
        at += (uint32_t)tx->pieces[i].bytes;
    }
    f->side = side;
    f->sent_ns = w->now_ns;
    f->sent_turn = w->turn++;
    f->flags = f->data[33];
    f->bytes = at - 20U - (uint32_t)(f->data[32] >> 4) * 4U;
    f->lost = world_loses(w, f, &f->late);
    w->frame_count++;
}

static inline void world_output(struct world *w, int side)
{
    struct salut_tx_frame tx[16];
    size_t count;
    while ((count = salut_output(w->stacks[side], tx, 16)) > 0) {
        for (size_t i = 0; i < count; i++) {
            world_leave(w, side, &tx[i]);
        }
        salut_output_taken(w->stacks[side], count);
        world_note(w, side, -1, false);
    }
}

static inline void world_deliver(struct world *w)
{
    for (int i = 0; i < w->frame_count; i++) {
        struct frame *f = &w->frames[i];
        if (f->lost || f->delivered || f->sent_ns + w->way_ns > w->now_ns) {
            continue;
        }
        f->delivered = true;
        f->taken_turn = w->turn++;
        uint32_t bytes = (uint32_t)f->data[2] << 8 | f->data[3];
        struct salut_rx_frame rx = {.data = f->data, .bytes = bytes};
        salut_input(w->stacks[1 - f->side], &rx, 1, w->now_ns);
        world_note(w, 1 - f->side, i, false);
        if (w->answers_fin[1 - f->side] && (f->flags & SLT_TCP_FIN) != 0) {
            (void)salut_shutdown(w->stacks[1 - f->side], w->conns[1 - f->side], SALUT_SHUT_WRITE);
            world_note(w, 1 - f->side, -1, false);
        }
        if (!w->open[SERVER] && w->listening &&
            salut_accept(w->stacks[SERVER], w->listener, 0, &w->conns[SERVER]) == SALUT_OK) {
            w->open[SERVER] = true;
        }
        world_output(w, 1 - f->side);
    }
}

/* ---- programs ------------------------------------------------------------------------------- */

static inline void world_connect(struct world *w, int side, bool back)
{
    struct salut_connect_params params = {
        .remote = w->addrs[1 - side],
        .remote_port = back ? 40000 : PORT_OF_SERVER,
        .local_port = back ? PORT_OF_SERVER : 40000,
    };
    assert_int_equal(salut_connect(w->stacks[side], &params, &w->conns[side]), SALUT_OK);
    w->open[side] = true;
}

static inline void world_send(struct world *w, int side, int bytes)
{
    static const char text[8192];
    size_t accepted;
    (void)!salut_send(w->stacks[side], w->conns[side], text, (size_t)bytes, 0, &accepted);
}

static inline void world_read(struct world *w, int side)
{
    static char text[65536];
    size_t received;
    while (salut_recv(w->stacks[side], w->conns[side], text, sizeof(text), &received) == SALUT_OK) {
    }
}

static inline void world_act(struct world *w, const struct action *a)
{
    struct salut_stack *stack = w->stacks[a->side];
    struct salut_listen_params listen = {.port = PORT_OF_SERVER, .backlog = 4};
    (void)salut_poll(stack, w->now_ns); /* tell it the time */
    world_note(w, a->side, -1, true);
    switch (a->kind) {
    case DO_NOTHING:
        return;
    case DO_LISTEN:
        assert_int_equal(salut_listen(stack, &listen, &w->listener), SALUT_OK);
        w->listening = true;
        w->state[SERVER] = SALUT_STATE_LISTEN;
        break;
    case DO_CONNECT:
    case DO_CONNECT_BACK:
        world_connect(w, a->side, a->kind == DO_CONNECT_BACK);
        break;
    case DO_SEND:
        world_send(w, a->side, a->bytes);
        break;
    case DO_READ:
        world_read(w, a->side);
        break;
    case DO_SHUTDOWN:
        (void)salut_shutdown(stack, w->conns[a->side], SALUT_SHUT_WRITE);
        break;
    case DO_ANSWER_FIN:
        w->answers_fin[a->side] = true;
        break;
    case DO_CLOSE:
        world_read(w, a->side);
        (void)salut_close(stack, w->conns[a->side]);
        break;
    case DO_ABORT:
        (void)salut_abort(stack, w->conns[a->side]);
        break;
    }
    world_note(w, a->side, -1, false);
    world_output(w, a->side);
}

/* ---- the capture ---------------------------------------------------------------------------- */

/* When a frame passes the capture; -1: never. */
static inline int64_t world_passes(const struct world *w, const struct frame *f)
{
    int place = f->side == CLIENT ? w->place : PLACES - 1 - w->place;
    bool early = f->lost && !f->late;
    if (f->lost && ((place == 1 && early) || place == 2)) {
        return -1;
    }
    return f->sent_ns + w->way_ns * place / (PLACES - 1);
}

/* Of two frames that pass at one instant, which passes first. */
static inline bool world_is_first(const struct world *w, const struct frame *a,
                                  const struct frame *b)
{
    int turns[2];
    const struct frame *both[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        int place = both[i]->side == CLIENT ? w->place : PLACES - 1 - w->place;
        turns[i] = place == PLACES - 1 ? both[i]->taken_turn : both[i]->sent_turn;
    }
    return turns[0] < turns[1];
}

static inline void world_capture(struct world *w)
{
    struct slt_explain_limits limits = {.flows_max = 64, .steps_max = 4096, .all_steps_max = 65536};
    uint32_t number = 0;
    assert_true(slt_explain_init(&w->explain, &limits));
    for (;;) {
        struct frame *next = NULL;
        int64_t at_ns = 0;
        for (int i = 0; i < w->frame_count; i++) {
            struct frame *f = &w->frames[i];
            int64_t passes_ns = world_passes(w, f);
            if (f->number == 0 && passes_ns >= 0 &&
                (next == NULL || passes_ns < at_ns ||
                 (passes_ns == at_ns && world_is_first(w, f, next)))) {
                next = f;
                at_ns = passes_ns;
            }
        }
        if (next == NULL) {
            break;
        }
        number++;
        next->number = number;
        uint32_t bytes = (uint32_t)next->data[2] << 8 | next->data[3];
        struct slt_capture_packet packet = {
            .at_ns = at_ns + 1, .original_bytes = bytes, .data = next->data, .bytes = bytes};
        slt_explain_take(&w->explain, &packet, SLT_LINKTYPE_RAW);
    }
    slt_explain_finish(&w->explain);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static inline void world_turn(struct world *w)
{
    for (int side = 0; side < 2; side++) {
        while (salut_poll(w->stacks[side], w->now_ns)) {
        }
        world_note(w, side, -1, true);
        world_output(w, side);
    }
    world_deliver(w);
}

static inline void world_run(struct world *w, int64_t until_ns)
{
    size_t action = 0;
    while (w->now_ns < until_ns) {
        int64_t next_ns = until_ns;
        while (action < ACTIONS_MAX &&
               w->story->actions[action].at_ms * SLT_NS_PER_MS <= w->now_ns) {
            world_act(w, &w->story->actions[action]);
            action++;
        }
        world_turn(w);
        if (action < ACTIONS_MAX) {
            next_ns = w->story->actions[action].at_ms * SLT_NS_PER_MS;
        }
        for (int side = 0; side < 2; side++) {
            int64_t due_ns = salut_next_deadline(w->stacks[side]);
            next_ns = due_ns < next_ns ? due_ns : next_ns;
        }
        for (int i = 0; i < w->frame_count; i++) {
            const struct frame *f = &w->frames[i];
            int64_t due_ns = f->sent_ns + w->way_ns;
            next_ns = !f->lost && !f->delivered && due_ns < next_ns ? due_ns : next_ns;
        }
        w->now_ns = next_ns > w->now_ns ? next_ns : w->now_ns + 1;
    }
}

/* Frames lost at random besides: so many of a hundred, by this seed. */
struct chance {
    unsigned of_hundred;
    uint64_t seed;
};

static inline struct world *world_play(const struct story *story, int place, int64_t way_ns,
                                       const struct chance *chance)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->story = story;
    w->place = place;
    w->way_ns = way_ns;
    w->chance = chance->of_hundred;
    w->dice = chance->seed;
    world_make(w, CLIENT);
    world_make(w, SERVER);
    world_run(w, 12 * SLT_NS_PER_S);
    world_capture(w);
    return w;
}

static inline void world_end(struct world *w)
{
    slt_explain_deinit(&w->explain);
    salut_destroy(w->stacks[CLIENT]);
    salut_destroy(w->stacks[SERVER]);
    free(w);
}

#endif
