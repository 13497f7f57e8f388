/* Is the peer of a kernel connection still there? Passively that cannot be known of a silent one;
 * this asks: keep-alive probes are sent on the program's own socket, and the kernel says whether
 * anything came back.
 *
 * The descriptor is duplicated from the program (pidfd_getfd: needs the right to trace it). Its
 * keep-alive settings are changed for some seconds and put back; the program does not notice, no
 * byte of data is sent, and the probes alone never end the connection (their limit is raised, the
 * user timeout is off meanwhile). Only a peer that answers with a reset ends it: it had no such
 * connection.
 */
#ifndef SLT_OBSERVE_PROBE_LINUX_H
#define SLT_OBSERVE_PROBE_LINUX_H

#include "observe/seen.h"

enum slt_probe_verdict {
    SLT_PROBE_PENDING,
    SLT_PROBE_ALIVE,
    SLT_PROBE_SILENT, /* no answer to any probe */
    SLT_PROBE_GONE,   /* the peer answered with a reset, or the connection ended meanwhile */
    SLT_PROBE_REFUSED /* we may not have its descriptor, or it is another's by now: see `error` */
};

/* What a socket had before. */
struct slt_probe_settings {
    int keepalive, idle_s, interval_s, count, user_timeout_ms;
};

struct slt_probe {
    const struct slt_seen *seen;
    uint8_t verdict;     /* enum slt_probe_verdict */
    int error;           /* REFUSED: a negative errno value */
    int64_t answered_ns; /* ALIVE, GONE: how long after the start */
    int fd;              /* -1: none */
    int64_t start_at_ns;
    struct slt_probe_settings before;
};

/* Start probing one connection; `now_ns` is slt_runner_clock(). False: refused. */
bool slt_probe_start(struct slt_probe *probe, const struct slt_seen *seen, int64_t now_ns);

/* Look whether it is decided; `last`: it has to be now. */
void slt_probe_look(struct slt_probe *probe, int64_t now_ns, bool last);

/* Put the settings back and let go of the descriptor. */
void slt_probe_end(struct slt_probe *probe);

#endif
