/* What is seen of a connection or listener, whoever tells of it: one record for a stack of ours,
 * for the host kernel's sockets and for the ends of a captured conversation.
 *
 * Three sources fill it: U, an instance of salut (everything is known), K, the kernel (sock_diag,
 * /proc, tracepoints), P, a capture file (what its packets prove or suggest). What a source cannot
 * tell is not guessed: every fact that may be missing says so by a value named for it (SLT_UNKNOWN,
 * or SLT_SPAN_UNKNOWN for times). Everything that prints, filters or judges reads records and never
 * a source.
 *
 * Records have a fixed size and a version, and are sent as they are over the control socket
 * (control_linux.h); numbers are in the machine's order, for both ends are on one machine. New
 * facts are added at the end, and the version goes up.
 */
#ifndef SLT_OBSERVE_SEEN_H
#define SLT_OBSERVE_SEEN_H

#include "salut/salut.h"

#define SLT_SEEN_VERSION  4
#define SLT_UNKNOWN       (-1)
#define SLT_SEEN_NAME_MAX 24
#define SLT_SEEN_FINDINGS 2

enum slt_source { SLT_SOURCE_STACK, SLT_SOURCE_KERNEL, SLT_SOURCE_CAPTURE, SLT_SOURCE_COUNT };

enum slt_seen_kind {
    SLT_SEEN_CONN,      /* a full connection */
    SLT_SEEN_HALF_OPEN, /* passive, SYN-RECEIVED, not yet handed to anybody */
    SLT_SEEN_TIME_WAIT, /* what is left of a closed one, FIN-WAIT-2 of orphans included */
    SLT_SEEN_LISTENER,
    SLT_SEEN_BOUND, /* has a port, neither listens nor is connected */
    SLT_SEEN_KIND_COUNT
};

/* How well a time is known. */
enum slt_span_how { SLT_SPAN_UNKNOWN, SLT_SPAN_EXACT, SLT_SPAN_AT_LEAST, SLT_SPAN_AT_MOST };

struct slt_seen_span {
    int64_t ns;
    uint8_t how; /* enum slt_span_how */
};

/* The timer that runs, in words all sources share. */
enum slt_seen_timer {
    SLT_SEEN_TIMER_NONE,
    SLT_SEEN_TIMER_RETRANSMIT, /* loss probe and reordering included */
    SLT_SEEN_TIMER_PERSIST,
    SLT_SEEN_TIMER_KEEPALIVE,
    SLT_SEEN_TIMER_FIN_WAIT_2,
    SLT_SEEN_TIMER_TIME_WAIT,
    SLT_SEEN_TIMER_DELAYED_ACK,
    SLT_SEEN_TIMER_OTHER,
    SLT_SEEN_TIMER_UNKNOWN,
    SLT_SEEN_TIMER_COUNT
};

/* Facts that are yes, no or unknown. */
enum slt_truth { SLT_NO = 0, SLT_YES = 1, SLT_DONT_KNOW = 2 };

struct slt_seen {
    uint32_t version; /* SLT_SEEN_VERSION */
    uint32_t bytes;   /* sizeof(struct slt_seen) of who wrote it */
    uint8_t source;   /* enum slt_source */
    uint8_t kind;     /* enum slt_seen_kind */
    uint8_t state;    /* enum salut_state */
    uint8_t family;   /* 4 or 6: of the socket; an IPv4 peer of a dual-stack socket has 6 */

    /* Which. `key` tells records of one instance apart for as long as they live (kernel: the
     * socket's cookie; stack: made of its two ends, so that it stays the same in TIME-WAIT). */
    uint64_t key;
    uint64_t instance; /* stack: pid of its process; kernel: inode of the network namespace */
    salut_addr local;
    salut_addr remote;
    uint16_t local_port;
    uint16_t remote_port;

    /* Whose. */
    int32_t pid; /* SLT_UNKNOWN: nobody's, or not to be seen: see `owner` */
    int32_t fd;
    int64_t uid;
    uint64_t inode;                  /* 0: none: closed by the program, or never accepted */
    uint8_t owner;                   /* enum slt_owner_how */
    uint8_t accepted;                /* enum slt_truth: handshake complete, but no program has it */
    uint8_t orphan;                  /* enum slt_truth: the program has closed it, or died */
    uint8_t passive;                 /* enum slt_truth: opened by the peer */
    char program[SLT_SEEN_NAME_MAX]; /* "nginx"; empty: unknown */

    /* Since when. */
    struct slt_seen_span age;      /* in this state */
    struct slt_seen_span lifetime; /* since it was opened */
    struct slt_seen_span idle;     /* since data went either way */
    struct slt_seen_span silent;   /* since anything came from the peer */

    /* Queues, in bytes; a FIN is not a byte here. SLT_UNKNOWN where not told. */
    int64_t unread;     /* received, not read by the program */
    int64_t unacked;    /* sent, not acknowledged */
    int64_t unsent;     /* accepted from the program, not yet sent */
    uint8_t fin_unread; /* enum slt_truth: the peer's FIN waits in the queue to be read */

    /* Listeners, in connections. */
    int64_t queue;       /* complete, waiting to be accepted */
    int64_t queue_limit; /* the backlog */
    int64_t half_open;   /* being opened */
    int64_t drops;       /* connection attempts this listener lost, of any cause */

    /* The timer. */
    uint8_t timer; /* enum slt_seen_timer */
    uint8_t backoff;
    uint8_t retries; /* unanswered retransmissions or probes of this timer */
    uint8_t shut;    /* bit 0: receiving, bit 1: sending was shut by the program */
    struct slt_seen_span timer_in;

    /* The path and the peer; SLT_UNKNOWN where not told. */
    int64_t rtt_us, rtt_var_us, rtt_min_us, rto_us;
    int64_t send_mss, recv_mss, pmtu;
    int64_t cwnd_bytes, ssthresh_bytes;
    int64_t send_window, recv_window; /* the peer's, and ours, as last advertised; bytes */
    int64_t send_buffer, recv_buffer;
    int64_t bytes_sent, bytes_acked, bytes_received, bytes_retransmitted;
    int64_t segs_in, segs_out;
    int64_t retransmits, lost, reordering, dsacks;
    int64_t delivery_rate, pacing_rate; /* bytes per second */
    int64_t busy_us, window_limited_us, buffer_limited_us;
    uint8_t sack, timestamps, window_scale, ecn; /* enum slt_truth */
    uint8_t send_scale, recv_scale;
    uint8_t app_limited; /* enum slt_truth */
    uint8_t keepalive;   /* enum slt_truth: switched on */
    uint8_t nodelay;     /* enum slt_truth */
    char congestion[13];

    /* How it came to be there: stack, and kernel with the recorder. */
    uint8_t history_count;
    uint8_t cause_certain; /* enum slt_truth */
    uint16_t cause; /* stack: enum slt_reason; kernel: enum slt_cause of the recorder; 0 none */
    struct salut_history history[SALUT_HISTORY_MAX]; /* at_ns: age in nanoseconds, not an instant */
    uint32_t soft_errno; /* kernel and stack: a soft error that is pending; 0: none */
    uint32_t interface;  /* kernel: the socket is bound to it; 0: to none */

    /* Since version 2. */
    int64_t sacked;   /* segments of ours that the peer has, with others missing before them */
    int64_t holes_in; /* segments of the peer's that came with others missing before them */
    int64_t marked;   /* segments of ours that arrived with a congestion mark */
    uint64_t findings[SLT_SEEN_FINDINGS]; /* who looks sets these: a bit for each (concern.h) */

    /* Since version 3. */
    struct slt_seen_span given; /* since data came from the peer, or the handshake was complete */

    /* Since version 4; SLT_UNKNOWN where not told. */
    int64_t app_limited_us, cwnd_limited_us, pacing_limited_us; /* of busy_us, as the two there */
    int64_t rtt_p50_us, rtt_p90_us, rtt_p99_us;                 /* so many samples are not above */
    int64_t recoveries; /* the window was reduced for losses found without a timeout */
    int64_t timeouts;   /* the retransmission timer fired */
    int64_t undone;     /* of these, found needless afterwards */
    int64_t late;       /* segments of ours that arrived after what was sent later */
    uint8_t limited_by; /* enum salut_limit; SALUT_LIMIT_COUNT: unknown */
};

/* Where an owner comes from. */
enum slt_owner_how {
    SLT_OWNER_SEEN,       /* its descriptor was found, or the stack knows */
    SLT_OWNER_REMEMBERED, /* the recorder saw it while it lived */
    SLT_OWNER_KERNEL,     /* nobody can have one: TIME-WAIT, half-open, orphan */
    SLT_OWNER_HIDDEN,     /* another user's: needs CAP_SYS_PTRACE */
    SLT_OWNER_GONE,       /* closed while this was being listed */
    SLT_OWNER_HOW_COUNT
};

/* An empty record of a source: everything unknown. */
void slt_seen_init(struct slt_seen *seen, enum slt_source source);

/* "CLOSE-WAIT" as RFC 9293 writes states, and back from that or netstat's CLOSE_WAIT, with
 * ss's words ("close-wait", "established", "estab"). */
const char *slt_seen_rfc_name(enum salut_state state);
bool slt_seen_parse_state(const char *word, enum salut_state *state);

/* Fill a record from an instance. `instance` is the pid that `key` is told apart by. */
void slt_seen_from_info(struct slt_seen *seen, const struct salut_info *info, uint64_t instance);

/* Take a record as somebody else sent it: shorter than ours when his version is older, longer when
 * it is newer. False when it is none: a value that no record can have, or another source's. */
bool slt_seen_take(struct slt_seen *seen, enum slt_source source, const void *bytes, size_t count);

/* A set of records that grows: what one look at a source gave. */
struct slt_seen_list {
    struct slt_seen *items;
    size_t count;
    size_t room;
};
/* The place behind the last record, not counted yet; NULL: no memory. */
struct slt_seen *slt_seen_list_room(struct slt_seen_list *list);
bool slt_seen_list_add(struct slt_seen_list *list, const struct slt_seen *seen);
void slt_seen_list_free(struct slt_seen_list *list);

#endif
