/* What happened to the kernel's connections: their states with exact times, the cause of each
 * change, and who had them, kept after they are closed.
 *
 * A table of bounded size, fed with tracepoints in order of time. A connection is known by its
 * socket's address while it has one, and by its addresses and ports otherwise: before the recorder
 * saw anything of it, and when nothing but a TIME-WAIT entry is left. What leaves the table first
 * is what is closed; if an open connection has to go, it is counted as forgotten.
 *
 * A change may have been missed (trace_linux.h, slt_trace_missed): then the final numbers of a
 * connection come while it is still taken for open, and what they say is its last change, told late
 * and as probable.
 *
 * The table may lie in memory that others read (recorder_linux.h): each entry carries a turn that
 * is odd while it is being written.
 */
#ifndef SLT_OBSERVE_RECORDER_H
#define SLT_OBSERVE_RECORDER_H

#include "observe/cause.h"
#include "observe/pids_linux.h"
#include "observe/trace_linux.h"

#define SLT_RECORDED_MAX 8U

struct slt_recorded_change {
    int64_t at_ns; /* CLOCK_MONOTONIC */
    int32_t pid;   /* of the process that did it; SLT_UNKNOWN: none did */
    uint8_t from;  /* enum salut_state */
    uint8_t to;
    uint8_t cause; /* enum slt_cause */
    uint8_t certain;
};

struct slt_recorded {
    uint32_t turn;         /* odd: under work */
    uint32_t change_count; /* all there were; the last SLT_RECORDED_MAX are kept, by number */
    uint64_t socket;       /* 0: the kernel has none any more, or it was not seen yet */
    uint64_t netns;        /* inode; 0: not known */
    salut_addr local;
    salut_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
    uint8_t used;
    uint8_t stands; /* enum salut_state: where it is now */
    uint8_t passive;
    uint8_t family;
    int32_t pid;
    uint32_t retransmits;
    int64_t opened_ns;  /* 0: before the recorder */
    int64_t since_ns;   /* in this state; 0: before the recorder */
    int64_t bytes_sent; /* final numbers; SLT_UNKNOWN until it is over */
    int64_t bytes_received;
    int64_t data_ns;        /* when data last went either way; 0: not known, or never */
    int64_t heard_ns;       /* when anything last came from the peer; 0: not known */
    int64_t retry_began_ns; /* the last series of retransmissions; 0: there was none */
    int64_t retry_last_ns;
    uint32_t odd_answers; /* segments that a SYN of this host was answered with, and that were
                             another connection's */
    char program[SLT_SEEN_NAME_MAX];
    struct slt_recorded_change changes[SLT_RECORDED_MAX];
};

/* What a change was, for whoever prints it; `conn` stays the recorder's. */
struct slt_change {
    const struct slt_recorded *conn;
    struct slt_recorded_change what;
    int64_t in_state_ns; /* how long the old state lasted; SLT_UNKNOWN: not known */
};

struct slt_recorder_counts {
    uint64_t changes;
    uint64_t unknown;   /* changes without a cause */
    uint64_t forgotten; /* open connections that had to leave the table */
    uint64_t finals;    /* final numbers that came */
    uint64_t guessed;   /* changes that were missed, and told from final numbers */
};

struct slt_recorder;

/* A recorder over `table` of `room` zeroed entries, which stays the caller's. NULL: no memory. */
struct slt_recorder *slt_recorder_new(struct slt_recorded *table, uint32_t room,
                                      struct slt_pids *pids);
void slt_recorder_free(struct slt_recorder *recorder);

/* What was there before: connections and listeners as a look at sock_diag shows them. */
void slt_recorder_learn(struct slt_recorder *recorder, const struct slt_seen *seen);

/* Take events[0]; those behind it show what came of it at once. True: it was a change of state. */
bool slt_recorder_take(struct slt_recorder *recorder, const struct slt_trace_event *events,
                       size_t count, struct slt_change *change);

/* The final numbers of a connection, of the destroy multicast, with the namespace that told them
 * as their instance (0: not known); call it when all events before
 * `at_ns` have been taken. `missed`: there are changes that did not arrive. Returns the connection;
 * NULL when it is not known. `change->conn` is set when this made one that was missed. */
const struct slt_recorded *slt_recorder_finish(struct slt_recorder *recorder,
                                               const struct slt_seen *seen, int64_t at_ns,
                                               bool missed, struct slt_change *change);

/* True when the connection of final numbers is known, and not as one that is over. */
bool slt_recorder_takes_for_open(const struct slt_recorder *recorder, const struct slt_seen *seen);

const struct slt_recorder_counts *slt_recorder_counts(const struct slt_recorder *recorder);

/* A number of addresses and ports, for tables over them. */
uint32_t slt_recorded_hash(const salut_addr *local, const salut_addr *remote, uint16_t local_port,
                           uint16_t remote_port);

#endif
