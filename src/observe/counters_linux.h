/* The kernel's own counters of TCP, of this network namespace: /proc/net/sockstat, snmp, netstat.
 *
 * Counters are found by name in the header lines, never by position: kernels add and move them. One
 * that a kernel does not have is SLT_UNKNOWN. None of this needs privilege.
 */
#ifndef SLT_OBSERVE_COUNTERS_LINUX_H
#define SLT_OBSERVE_COUNTERS_LINUX_H

#include "observe/seen.h"

enum slt_counter {
#define SLT_COUNTER(field, group, name, rises) SLT_COUNTER_##field,
#include "observe/counters.def"
#undef SLT_COUNTER
    SLT_COUNTER_COUNT
};

struct slt_counters {
    int64_t at_ns; /* CLOCK_MONOTONIC */
    int64_t value[SLT_COUNTER_COUNT];
};

/* What is known of a counter. */
struct slt_counter_name {
    const char *field; /* ours: "listen_overflows" */
    const char *group; /* the file and the line: "netstat TcpExt" */
    const char *name;  /* there: "ListenOverflows" */
    bool rises;        /* counts events for ever; else it is a level */
};
const struct slt_counter_name *slt_counter_name(enum slt_counter counter);

/* Read them all. False when none of the files can be read. */
bool slt_counters_read(struct slt_counters *counters);

/* Take what one file says; `file` is "sockstat", "snmp" or "netstat". For tests. */
void slt_counters_parse(struct slt_counters *counters, const char *file, char *text);

/* The change of one from `before` to `after`; SLT_UNKNOWN when either is not known. */
int64_t slt_counter_delta(const struct slt_counters *before, const struct slt_counters *after,
                          enum slt_counter counter);

#endif
