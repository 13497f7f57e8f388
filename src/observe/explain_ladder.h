/* A flow as a ladder (observe/ladder.h).
 */
#ifndef SLT_OBSERVE_EXPLAIN_LADDER_H
#define SLT_OBSERVE_EXPLAIN_LADDER_H

#include "observe/explain_ends.h"
#include "observe/ladder.h"

struct slt_explain_look {
    uint32_t width;
    bool utf8;
    bool colour;
};

/* Draw it. False: no memory. */
bool slt_explain_ladder_print(const struct slt_explain_flow *flow,
                              const struct slt_explain_states *states,
                              const struct slt_explain_look *look, FILE *to);

/* "SYN,ACK seq 0 ack 1 len 100", numbers counted from the SYNs; returns `out`. */
const char *slt_explain_step_text(const struct slt_explain_flow *flow,
                                  const struct slt_explain_step *step, char *out, size_t size);

/* "retransmission (fast), window full": mark and notes; may be empty. Returns `out`. */
const char *slt_explain_remark(const struct slt_explain_step *step, char *out, size_t size);

/* Numbers relative to the sender's first one. */
uint32_t slt_explain_relative_seq(const struct slt_explain_flow *flow,
                                  const struct slt_explain_step *step);
uint32_t slt_explain_relative_ack(const struct slt_explain_flow *flow,
                                  const struct slt_explain_step *step);

#endif
