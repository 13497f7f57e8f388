/* What is remembered of a flow's ends after each packet, and where the time went.
 *
 * The time budget: each gap between two packets belongs to one bucket (or is split between the
 * path and who was waited for), so the buckets add up to the connection's duration. Which one is
 * told by what was outstanding during the gap, and by the packet that ended it.
 */
#ifndef SLT_OBSERVE_EXPLAIN_TRACK_H
#define SLT_OBSERVE_EXPLAIN_TRACK_H

#include "observe/explain_flow.h"

/* Add the time since the last packet to a bucket; before slt_explain_track. */
void slt_explain_budget(struct slt_explain_flow *flow, const struct slt_explain_step *step);

/* Take over what the step says. */
void slt_explain_track(struct slt_explain_flow *flow, const struct slt_explain_packet *packet,
                       const struct slt_explain_step *step);

const char *slt_explain_bucket_text(enum slt_explain_bucket bucket);
const char *slt_explain_bucket_name(enum slt_explain_bucket bucket);

#endif
