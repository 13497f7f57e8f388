/* What the kernel's TCP does, as it does it: tracepoints read with perf_event_open(2), without BPF.
 *
 * Read are changes of state, resets both ways and retransmissions, of every network namespace.
 * Each processor has a ring of its own; what is read from them is put in order of time before
 * anybody sees it, and an event is held back for a moment in which another processor's may still
 * come before it. Call chains are taken of the changes whose states alone do not tell the cause.
 * What did not fit into a ring is counted by the kernel, and told here.
 */
#ifndef SLT_OBSERVE_TRACE_LINUX_H
#define SLT_OBSERVE_TRACE_LINUX_H

#include "observe/pids_linux.h"

#include <poll.h>

enum slt_trace_kind {
    SLT_TRACE_STATE,
    SLT_TRACE_RESET_SENT,
    SLT_TRACE_RESET_RECEIVED,
    SLT_TRACE_RETRANSMIT,
    SLT_TRACE_IN_USE, /* bind() or listen() failed with EADDRINUSE; only `pid` is told */
    SLT_TRACE_KIND_COUNT
};

struct slt_trace_event {
    int64_t at_ns; /* CLOCK_MONOTONIC */
    uint64_t socket;
    uint8_t kind; /* enum slt_trace_kind */
    uint8_t from; /* enum salut_state, of a change */
    uint8_t to;
    uint8_t family;  /* 4 or 6 */
    uint32_t frames; /* set of enum slt_frame */
    uint32_t reason; /* of a RST that is sent: enum sk_rst_reason */
    int32_t pid;     /* whoever ran: it matters only when the program was the cause */
    uint16_t local_port;
    uint16_t remote_port;
    salut_addr local;
    salut_addr remote;
};

struct slt_trace_counts {
    uint64_t events;
    uint64_t changes;    /* of the events, changes of state */
    uint64_t lost;       /* did not fit into a ring */
    uint64_t wakes;      /* how often there was something to read */
    uint64_t ring_bytes; /* memory of all rings */
};

struct slt_trace;

/* Begin. `calls`: failing bind() and listen() as well, which costs every system call of the machine
 * some 10 ns. Returns 0, or a negative errno value with a sentence in `why` that says what is
 * missing and what would give it. */
int slt_trace_open(struct slt_trace **trace, bool calls, char *why, size_t size);
void slt_trace_close(struct slt_trace *trace);

/* Descriptors to wait for; at most `max`. */
size_t slt_trace_fds(const struct slt_trace *trace, struct pollfd *fds, size_t max);

/* Read what there is. `*events` are those whose order is certain (with `all`: those held back as
 * well), valid until the next call. */
size_t slt_trace_read(struct slt_trace *trace, bool all, const struct slt_trace_event **events);

/* Changes of state that the kernel counted and neither put into a ring nor counted as lost: those
 * that a timer made on an idle processor, where some kernels run the tracepoint and leave no
 * sample. What they were is not known. Asks every processor: not for every turn. */
uint64_t slt_trace_missed(struct slt_trace *trace);

struct slt_pids *slt_trace_pids(struct slt_trace *trace);
const struct slt_trace_counts *slt_trace_counts(const struct slt_trace *trace);

#endif
