/* Which findings a flow shows with certainty; explain_verdict.h.
 */
#ifndef SLT_OBSERVE_EXPLAIN_FINDINGS_H
#define SLT_OBSERVE_EXPLAIN_FINDINGS_H

#include "observe/explain_verdict.h"

/* Fill findings and score; `ended` and `closer` are there. */
void slt_explain_find(const struct slt_explain_flow *flow, const struct slt_explain_states *states,
                      struct slt_verdict *verdict);

/* It had closed, data came all the same, and it answered with RST (HC-1). */
bool slt_explain_answered_data(const struct slt_explain_flow *flow, uint8_t end);

#endif
