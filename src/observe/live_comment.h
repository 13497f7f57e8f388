/* Changes of state put on the packets that made them: which packet is which change's.
 *
 * The kernel tells changes and packets apart from each other, both with times. A FIN that came
 * made the change that follows it; a close() leads to the FIN that follows. So packets are held
 * back for a moment, until the changes of their time are known, and a change whose packet is still
 * to come (a FIN behind data that waits for the peer's window) waits for it. Memory is bounded: if
 * it is used up, the oldest packets go out as they are.
 */
#ifndef SLT_OBSERVE_LIVE_COMMENT_H
#define SLT_OBSERVE_LIVE_COMMENT_H

#include "observe/cause.h"

#define SLT_LIVE_TEXT_MAX 256U

struct slt_capture_packet;
struct slt_change;

/* A change of state, as far as packets are concerned. */
struct slt_live_change {
    int64_t at_ns; /* CLOCK_MONOTONIC */
    uint64_t netns;
    uint8_t local[16]; /* v4-mapped, as every address */
    uint8_t remote[16];
    uint16_t local_port; /* 0: not chosen yet */
    uint16_t remote_port;
    uint8_t cause; /* enum slt_cause */
    bool listener; /* a listener's change, or its child's first: no packet's */
    char text[SLT_LIVE_TEXT_MAX];
};

struct slt_live_comment_ask {
    int64_t hold_ns;           /* how long packets are held back; 0: not at all */
    size_t bytes_max;          /* of packets held */
    uint64_t netns;            /* changes of other network namespaces are none of ours */
    const uint16_t *linktypes; /* by interface; stays the caller's */
    void (*emit)(void *ctx, const struct slt_capture_packet *packet);
    void *ctx;
};

struct slt_live_comment;

struct slt_live_comment *slt_live_comment_new(const struct slt_live_comment_ask *ask);
void slt_live_comment_free(struct slt_live_comment *c);

void slt_live_comment_packet(struct slt_live_comment *c, const struct slt_capture_packet *packet);
void slt_live_comment_change(struct slt_live_comment *c, const struct slt_live_change *change);

/* Let go what was held long enough at `now_ns` (since 1970); or all. */
void slt_live_comment_flush(struct slt_live_comment *c, int64_t now_ns, bool all);

/* What the recorder tells, with words (live_change.c). */
void slt_live_change_of(const struct slt_change *change, struct slt_live_change *out);

/* Packets that got a comment so far. */
uint64_t slt_live_comment_count(const struct slt_live_comment *c);

#endif
