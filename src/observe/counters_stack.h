/* The counters of salut's own stacks in the kernel's terms, so that one code path shows and judges
 * both: each reason an instance counts (reasons.def) adds to the counters that mean the same.
 *
 * Sums over all instances that answer; when one ends, they fall.
 */
#ifndef SLT_OBSERVE_COUNTERS_STACK_H
#define SLT_OBSERVE_COUNTERS_STACK_H

#include "observe/control.h"
#include "observe/counters_linux.h"

/* Add what an instance counted under one reason. */
void slt_counters_add_reason(struct slt_counters *counters,
                             const struct slt_control_counter *reason);

#define SLT_REASON_SUMS_MAX 512U

/* Every reason by its token. */
struct slt_reason_sums {
    struct slt_control_counter items[SLT_REASON_SUMS_MAX];
    uint32_t count;
    uint32_t instances;
    uint32_t mute;
};

/* Ask all instances; `sums` may be NULL. False: there is none. */
bool slt_counters_read_stacks(struct slt_counters *counters, struct slt_reason_sums *sums);

#endif
