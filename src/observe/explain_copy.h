/* Packets that were captured twice (CAP-1): a mirror port that shows both directions, a capture on
 * several interfaces. A copy has the same IP identification and the same header; only its hop
 * count may differ. Where the identification says nothing (IPv6, or zero), a bare acknowledgement
 * is a copy only when another interface or another hop count shows it: stacks do repeat those.
 */
#ifndef SLT_OBSERVE_EXPLAIN_COPY_H
#define SLT_OBSERVE_EXPLAIN_COPY_H

#include "observe/explain_flow.h"

/* Remember the packet; true when it is a copy of one of the last ones of its sender. */
bool slt_explain_is_copy(struct slt_explain_end *end, const struct slt_explain_packet *packet);

#endif
