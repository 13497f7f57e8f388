/* What a capture shows as a whole: each finding once, with how many connections it concerns, the
 * worst of them, and that one's evidence; and what only many connections together show (APP-3).
 */
#ifndef SLT_OBSERVE_EXPLAIN_REPORT_H
#define SLT_OBSERVE_EXPLAIN_REPORT_H

#include "observe/explain.h"
#include "observe/explain_verdict.h"

struct slt_explain_found {
    uint64_t count;                        /* connections; 0: none */
    const struct slt_explain_flow *worst;  /* borrowed, as is the next */
    const struct slt_explain_flow *latest; /* the last one that was counted */
    uint32_t score;                        /* of the worst */
    uint32_t packet;                       /* where to look; 0: nowhere in particular */
    char confidence;
    char evidence[SLT_HIT_EVIDENCE_MAX];
};

struct slt_explain_report {
    struct slt_explain_found found[SLT_FIND_COUNT];
};

/* Take over the findings of one flow; the report begins as zeros. */
void slt_explain_report_add(struct slt_explain_report *report, const struct slt_explain_flow *flow,
                            const struct slt_verdict *verdict);

/* Look at all flows together. False: no memory. */
bool slt_explain_report_finish(struct slt_explain_report *report,
                               const struct slt_explain_flows *flows);

#endif
