/* Marks: what kind of segment this is, told from what passed before it.
 *
 * A segment below the highest number its sender has used is something sent again, unless it is
 * what was overtaken. Which kind is told by what the sender could know: later data acknowledged
 * (fast), silence (time-out), silence too short for that before the last segment (tail probe), its
 * acknowledgement already gone by (spurious). A segment one number back asks for an answer only:
 * into a closed window it is a probe, else a keepalive; the last window the other end has shown
 * decides, so that persisting is never taken for keeping alive.
 */
#ifndef SLT_OBSERVE_EXPLAIN_MARK_H
#define SLT_OBSERVE_EXPLAIN_MARK_H

#include "observe/explain_flow.h"

/* Set the step's mark and notes. The flow is as it was before the packet. */
void slt_explain_mark(const struct slt_explain_flow *flow, const struct slt_explain_packet *packet,
                      struct slt_explain_step *step);

/* "retransmission (time-out)"; "" for SLT_MARK_NONE. */
const char *slt_explain_mark_text(uint8_t mark);

/* "rto", for machines. */
const char *slt_explain_mark_name(uint8_t mark);

/* True for segments that carry again what was sent before. */
bool slt_explain_is_again(uint8_t mark);

/* How many segments both ends sent again. */
uint32_t slt_explain_again_count(const struct slt_explain_flow *flow);

#endif
