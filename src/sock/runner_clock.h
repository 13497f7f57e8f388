/* The other clock: when the runner's time 0 was, in calendar time. For captures. */
#ifndef SLT_SOCK_RUNNER_CLOCK_H
#define SLT_SOCK_RUNNER_CLOCK_H

#include <stdint.h>

/* Nanoseconds since 1970 at the runner's time 0. */
int64_t slt_runner_epoch(void);

/* The runner's clock, for those that have no runner. */
int64_t slt_runner_clock(void);

#endif
