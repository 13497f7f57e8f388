/* See runner_clock.h. */
#include "sock/runner_clock.h"

#include "base/time.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * SLT_NS_PER_S + ts.tv_nsec;
}

int64_t slt_runner_clock(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t slt_runner_epoch(void)
{
    return read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);
}
