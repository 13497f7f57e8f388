/* Which findings a capture shows of a flow, each with its evidence; explain_verdict.h.
 *
 * Adding one: a row of explain_findings_*.c, its function, and a story that provokes it
 * (tests/observe/lab_capture.py).
 */
#ifndef SLT_OBSERVE_EXPLAIN_FINDINGS_H
#define SLT_OBSERVE_EXPLAIN_FINDINGS_H

#include "observe/explain_verdict.h"

/* Fill hits and score; `ended` and `closer` are there. */
void slt_explain_find(const struct slt_explain_flow *flow, const struct slt_explain_states *states,
                      struct slt_verdict *verdict);

/* It had closed, data came all the same, and it answered with RST (HC-1). */
bool slt_explain_answered_data(const struct slt_explain_flow *flow, uint8_t end);

#endif
