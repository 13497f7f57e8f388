/* The states of both ends of a flow (RFC 9293 3.3.2), read off its packets with hindsight.
 *
 * What an end sends proves what it is. What is sent to it is a hypothesis, assumed to arrive,
 * until the end's own packets say more: an acknowledgement proves it, conduct as if nothing had
 * come refutes it, and then the change belongs to a later copy. Between the capture and an end lies
 * a way: packets of both directions cross on it, and an end's packet that does not acknowledge one
 * captured before it was sent before that one arrived. So each end's events are put into that
 * end's own order first; the least round trip between capture and end, where it is known, tells
 * what can have been an answer to what.
 *
 * A change is "proved" only when its packet is the only one that can have caused it. The end of
 * TIME-WAIT, time-outs and what programs do without sending are not observable; nothing is said of
 * them.
 */
#ifndef SLT_OBSERVE_EXPLAIN_ENDS_H
#define SLT_OBSERVE_EXPLAIN_ENDS_H

#include "observe/explain_flow.h"

enum slt_certainty { SLT_ASSUMED, SLT_PROVED, SLT_REFUTED };

/* A state that the packets do not tell. */
#define SLT_STATE_UNKNOWN 255U

struct slt_explain_change {
    uint32_t step;  /* whose packet caused it */
    uint32_t shown; /* the step after which it has happened: not before its cause */
    uint32_t proof; /* the step that proves that it has happened, or refutes it; SLT_NO_STEP */
    uint8_t end;    /* whose state */
    uint8_t from;   /* enum salut_state */
    uint8_t to;
    uint8_t certainty; /* enum slt_certainty: of this packet as the cause */
    const char *why;
};

#define SLT_NO_STEP             UINT32_MAX
#define SLT_EXPLAIN_CHANGES_MAX 64U

struct slt_explain_states {
    uint8_t first[2]; /* before the first packet */
    uint8_t last[2];
    uint32_t count;
    uint32_t left_out;
    bool gone[2];                                               /* it has sent or taken an RST */
    struct slt_explain_change changes[SLT_EXPLAIN_CHANGES_MAX]; /* by `shown`, then by cause */
};

/* The flow is settled. */
void slt_explain_states_of(const struct slt_explain_flow *flow, struct slt_explain_states *out);

/* "proved", "assumed", "refuted". */
const char *slt_certainty_name(uint8_t certainty);

/* "ESTABLISHED"; "unknown" for SLT_STATE_UNKNOWN. */
const char *slt_explain_state_name(uint8_t state);

#endif
