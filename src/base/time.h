/* Time as every floor knows it: int64_t nanoseconds, monotonic, any origin, always an argument.
 *
 * No floor below the runner reads a clock. A name ends in _at_ns when it is an instant and in
 * _for_ns or _ns when it is a duration. SLT_NEVER is an instant that does not come.
 */
#ifndef SLT_BASE_TIME_H
#define SLT_BASE_TIME_H

#include <stdint.h>

#define SLT_NEVER     INT64_MAX
#define SLT_NS_PER_US INT64_C(1000)
#define SLT_NS_PER_MS INT64_C(1000000)
#define SLT_NS_PER_S  INT64_C(1000000000)

/* Add a duration to an instant; SLT_NEVER stays SLT_NEVER, and what would overflow becomes
 * SLT_NEVER or the earliest instant. */
static inline int64_t slt_time_add(int64_t at_ns, int64_t for_ns)
{
    if (at_ns == SLT_NEVER || (for_ns > 0 && at_ns > SLT_NEVER - for_ns)) {
        return SLT_NEVER;
    }
    if (for_ns < 0 && at_ns < INT64_MIN - for_ns) {
        return INT64_MIN;
    }
    return at_ns + for_ns;
}

#endif
