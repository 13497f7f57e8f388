/* The state of TCP as Prometheus text (exposition format 0.0.4).
 *
 * Labels are bounded: sources, states, listeners' ports, programs' names and reasons; never a peer.
 * States nobody is in are told as zero, so that a rule on them has something to compare with.
 */
#ifndef SLT_CLI_METRICS_TEXT_H
#define SLT_CLI_METRICS_TEXT_H

#include "cli/cli.h"

struct slt_metrics_ask {
    struct slt_sources sources;
    bool owners;
};

#define SLT_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Look and write. Returns 0 or a negative errno value: the kernel does not tell. */
int slt_metrics_write(const struct slt_metrics_ask *ask, FILE *to);

#endif
