/* Facts of the host that explain connections: limits, settings, and what holds a process up.
 */
#ifndef SLT_OBSERVE_HOST_LINUX_H
#define SLT_OBSERVE_HOST_LINUX_H

#include "observe/counters_linux.h"

/* Settings and levels; SLT_UNKNOWN where the system does not tell. */
struct slt_host_facts {
    int64_t port_low, port_high;                     /* ip_local_port_range */
    int64_t orphans_max;                             /* tcp_max_orphans */
    int64_t time_wait_max;                           /* tcp_max_tw_buckets */
    int64_t memory_pressure_pages, memory_max_pages; /* tcp_mem */
    int64_t backlog_max;                             /* somaxconn */
    int64_t abort_on_overflow;
    int64_t fin_timeout_s;
    int64_t keepalive_time_s;
    int64_t retries2;              /* tcp_retries2 */
    int64_t slow_start_after_idle; /* tcp_slow_start_after_idle */
    int64_t conntrack_count, conntrack_max;

    /* Packets, all counted since the host started, or since another reading (slt_host_facts_since).
     */
    int64_t softnet_dropped;    /* this host dropped before TCP, its queue being full */
    int64_t softnet_squeezed;   /* times that a processor had to leave packets for later */
    int64_t interface_missed;   /* the host gave the device no room in time */
    int64_t interface_overruns; /* the device's own queue overflowed */
};

void slt_host_facts_read(struct slt_host_facts *facts);

/* Nothing is known. */
void slt_host_facts_forget(struct slt_host_facts *facts);

/* Let the counts of `facts` be what was added since `before`. */
void slt_host_facts_since(struct slt_host_facts *facts, const struct slt_host_facts *before);

/* One process. */
struct slt_process {
    char state;        /* 'R', 'S', 'D', 'T' ...; '\0': not known */
    int64_t fds;       /* open descriptors */
    int64_t fds_max;   /* RLIMIT_NOFILE, soft */
    bool program_gone; /* its file was deleted */
    char program[128]; /* path of its file; empty: not known */
};

void slt_process_read(int32_t pid, struct slt_process *process);

#endif
