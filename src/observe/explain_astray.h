/* Segments that went astray in address translation: of a connection that they name by their numbers
 * and not by their addresses (RST-6).
 *
 * Where a gateway translates addresses (NAT of containers, of load balancers), connection tracking
 * lets a segment that it holds INVALID pass untranslated. It reaches the host with the address of
 * who really sent it, belongs to no connection there, and is answered by RST. In a capture that is
 * a flow without a beginning, whose numbers are those of a connection of the same end with somebody
 * else.
 */
#ifndef SLT_OBSERVE_EXPLAIN_ASTRAY_H
#define SLT_OBSERVE_EXPLAIN_ASTRAY_H

#include "observe/explain_flow.h"

/* Find, for every flow that is such, the one that was meant (`meant`). Call it when all packets
 * have been taken. Without memory for it none is found. */
void slt_explain_find_astray(struct slt_explain_flows *flows);

#endif
