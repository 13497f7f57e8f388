/* What the upper floors read of an instance beyond its public interface: the event ring, how many
 * connections wait at a listener, whom a segment belongs to. The only file above floor 4 that knows
 * struct salut_stack.
 */
#ifndef SLT_SOCK_INSIDE_H
#define SLT_SOCK_INSIDE_H

#include "base/event.h"
#include "salut/salut.h"
#include "tcp/conn.h"

/* Counters and the ring of the last events. */
const struct slt_telemetry *slt_inside_telemetry(const struct salut_stack *stack);

/* The time the instance was last told. */
int64_t slt_inside_now(const struct salut_stack *stack);

/* How many connections wait to be accepted. Returns SALUT_OK or SALUT_STALE. */
enum salut_status slt_inside_waiting(const struct salut_stack *stack, salut_listener listener,
                                     uint32_t *waiting);

/* Whether a connection, a half-open or a TIME-WAIT entry has this tuple. */
bool slt_inside_owns(const struct salut_stack *stack, const struct slt_tcp_id *id);

#endif
