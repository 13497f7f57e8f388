/* The verdict on a flow: a few sentences, findings with their evidence, and how bad it is.
 */
#ifndef SLT_OBSERVE_EXPLAIN_VERDICT_H
#define SLT_OBSERVE_EXPLAIN_VERDICT_H

#include "observe/explain_ends.h"
#include "observe/finding_rows.h"

#define SLT_VERDICT_TEXT_MAX 2048
#define SLT_VERDICT_HITS_MAX 16U
#define SLT_HIT_EVIDENCE_MAX 320U

/* How a flow ended, as far as the capture tells. */
enum slt_explain_end_kind {
    SLT_ENDED_NOT,        /* it was still there when the capture ended */
    SLT_ENDED_UNANSWERED, /* SYNs without an answer */
    SLT_ENDED_REFUSED,    /* RST in answer to the SYN */
    SLT_ENDED_HALF,       /* one end has closed, the other not */
    SLT_ENDED_ORDERLY,    /* both have */
    SLT_ENDED_RESET
};

/* A finding that holds of a flow. */
struct slt_explain_hit {
    uint8_t id;      /* enum slt_finding_id */
    char confidence; /* of this capture: 'A' certain ... 'D' a hint */
    uint8_t end;     /* whom it is about */
    uint32_t packet; /* where to look; 0: nowhere in particular */
    char evidence[SLT_HIT_EVIDENCE_MAX];
};

struct slt_verdict {
    uint8_t ended;  /* enum slt_explain_end_kind */
    uint8_t closer; /* who closed first: 0, 1; 2: both at once; 3: nobody seen */
    uint32_t close_step;
    uint32_t score; /* the higher, the worse */
    uint32_t hit_count;
    struct slt_explain_hit hits[SLT_VERDICT_HITS_MAX];
    char text[SLT_VERDICT_TEXT_MAX];
};

void slt_explain_verdict_of(const struct slt_explain_flow *flow,
                            const struct slt_explain_states *states, struct slt_verdict *out);

/* "10.0.0.1:80", "[fd00::1]:80". Returns `out`. */
const char *slt_explain_end_text(const struct slt_explain_end *end, char *out, size_t size);

/* "closed in order", ... */
const char *slt_explain_ended_text(uint8_t ended);
const char *slt_explain_ended_name(uint8_t ended);

#endif
