/* The events of one end of a flow that may change its state, in the end's own order.
 *
 * What the end sent stands where it was sent; what it took, and what it learned, where its own
 * packets show that it had arrived (explain_place.h). explain_ends.c plays them to RFC 9293's
 * machine.
 */
#ifndef SLT_OBSERVE_EXPLAIN_EVENTS_H
#define SLT_OBSERVE_EXPLAIN_EVENTS_H

#include "observe/explain_place.h"

enum slt_end_event_kind {
    SLT_SENT_SYN,
    SLT_SENT_SYN_ACK,
    SLT_SENT_DATA,
    SLT_SENT_FIN,
    SLT_SENT_RST,
    /* What one packet does is done in this order. */
    SLT_TOOK_SYN,
    SLT_SYN_ACKED,
    SLT_FIN_ACKED,
    SLT_TOOK_FIN,
    SLT_TOOK_RST
};

struct slt_end_event {
    int64_t order; /* four places a step, as in struct slt_placed */
    uint32_t step;
    uint32_t proof;
    uint8_t kind;      /* enum slt_end_event_kind */
    uint8_t certainty; /* enum slt_certainty */
};

#define SLT_END_EVENTS_MAX (10U + 5U * SLT_REFUTED_MAX)

struct slt_end_events {
    const struct slt_explain_flow *flow;
    uint8_t end;
    uint32_t count;
    struct slt_end_event list[SLT_END_EVENTS_MAX];
};

void slt_end_events_collect(const struct slt_explain_flow *flow, uint8_t end,
                            struct slt_end_events *events);

#endif
