/* Placing: which packet took effect at an end, and where in that end's own order.
 *
 * Two questions. A segment that takes up numbers (SYN, FIN) is acknowledged: which of its copies,
 * or which filler of the hole before it, was the one? A segment that only acknowledges is answered
 * by nothing: it is taken to have arrived, unless the end sends again what it acknowledged.
 */
#ifndef SLT_OBSERVE_EXPLAIN_PLACE_H
#define SLT_OBSERVE_EXPLAIN_PLACE_H

#include "observe/explain_ends.h"

#define SLT_REFUTED_MAX 12U

struct slt_placed {
    bool found;
    uint32_t step;     /* the cause */
    int64_t order;     /* in the end's own order: four places a step */
    uint32_t proof;    /* SLT_NO_STEP: none */
    uint8_t certainty; /* enum slt_certainty */
    uint32_t refuted_count;
    struct {
        uint32_t step;
        uint32_t by;
    } refuted[SLT_REFUTED_MAX];
};

/* When `end` took the SYN (`flag` SLT_TCP_SYN) or FIN of the other end. */
void slt_place_arrival(const struct slt_explain_flow *flow, uint8_t end, uint16_t flag,
                       struct slt_placed *out);

/* When `end` learned that its own SYN or FIN had arrived. Packets that `lost` refutes (copies of
 * the other end's FIN) told it nothing. */
void slt_place_acknowledgement(const struct slt_explain_flow *flow, uint8_t end, uint16_t flag,
                               const struct slt_placed *lost, struct slt_placed *out);

/* When `end` took the other end's RST. */
void slt_place_reset(const struct slt_explain_flow *flow, uint8_t end, struct slt_placed *out);

/* The first step of `end` with all of `flags` and none of `without`; SLT_NO_STEP: none. */
uint32_t slt_place_find(const struct slt_explain_flow *flow, uint8_t end, uint16_t flags,
                        uint16_t without);

/* False for copies and what its receiver dropped. */
static inline bool slt_place_counts(const struct slt_explain_step *step)
{
    return (step->notes & (SLT_REMARK_COPY | SLT_REMARK_BAD_CHECKSUM)) == 0;
}

#endif
