/* Which findings a record takes part in: for `finding = CW-1` in filters, and for those who show
 * records.
 *
 * The findings are judged as salut doctor judges them, over one look: each source by itself, what
 * is wrong with the kernel's connections against the limits of this host. Findings that show only
 * in what counters do over a time concern no record here.
 */
#ifndef SLT_OBSERVE_CONCERN_H
#define SLT_OBSERVE_CONCERN_H

#include "observe/seen.h"

/* Set `findings` of every record. The list stands in order, listeners first. False: out of memory,
 * and nothing is set. */
bool slt_concern_mark(struct slt_seen_list *list);

/* Is it a part of finding `id` (enum slt_finding_id), or, `id` being none, of any? */
bool slt_concern_has(const struct slt_seen *seen, unsigned id);

#endif
