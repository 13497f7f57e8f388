/* The engine's doors: what floor 4 (and every test-bench) may call.
 *
 * Four doors in: a segment (slt_tcp_input), a user call, a timeout (slt_tcp_timeout), an ICMP
 * notice (slt_tcp_icmp). One door out: slt_tcp_plan / slt_tcp_build / slt_tcp_commit. One question:
 * slt_tcp_next_deadline. One mirror: slt_tcp_info. No door sends, reads a clock or calls upwards.
 * After any door the caller asks slt_tcp_wants_output, slt_tcp_next_deadline, slt_tcp_ready and,
 * when the state is CLOSED, whether the object may go (slt_tcp_is_done).
 *
 * Beside the connections stand two kinds of small entries, for the stack floor's tables: passive
 * half-open connections and connections in TIME-WAIT. Their functions are pure judgements: they
 * look at a segment and say what is to be done.
 */
#ifndef SLT_TCP_TCP_H
#define SLT_TCP_TCP_H

#include "tcp/conn.h"
#include "wire/tcp.h"

/* ---- the engine ---------------------------------------------------------------------------- */

/* Make the pools and keys. The configuration must outlive the engine. False: no memory. */
SLT_MUST_USE bool slt_tcp_init(struct slt_tcp *tcp, const struct salut_config *config,
                               struct slt_mem *mem, struct slt_telemetry *telemetry);
void slt_tcp_deinit(struct slt_tcp *tcp);

/* The initial sequence number for a tuple (RFC 6528): a keyed hash and a 4 us clock. Who knows
 * early that one will be asked for has the hash taken then. */
void slt_tcp_isn_foresee(struct slt_tcp *tcp, const struct slt_tcp_id *id);
uint32_t slt_tcp_isn(struct slt_tcp *tcp, const struct slt_tcp_id *id, int64_t now_ns);

/* Our timestamp clock: milliseconds since the stack's start plus a keyed offset (RFC 7323 5.4). */
uint32_t slt_tcp_ts_offset(const struct slt_tcp *tcp, const struct slt_tcp_id *id);
uint32_t slt_tcp_ts_clock(int64_t now_ns);

/* ---- connections: making and ending --------------------------------------------------------- */

/* Options a listener hands down; also the defaults for an active open. */
struct slt_tcp_defaults {
    struct slt_tcp_opts opts;
    uint32_t flags; /* NODELAY, KEEPALIVE, CORK, LINGER_ABORT */
    uint32_t send_buffer_max;
    uint32_t recv_buffer_max;
    uint32_t fast_open_max; /* of a listener: connections that SYN data made, at once; 0: none */
    uint8_t defer_retries;  /* of a listener: SYN,ACKs sent again before a bare ACK counts */
};

void slt_tcp_defaults_init(struct slt_tcp_defaults *d, const struct salut_config *config);

/* Take a connection object and put it in `from` (CLOSED, or LISTEN for an active open from a
 * listener). `ip_bytes` is 20 or 40, `pmtu` the path's. SLT_NIL: none free. */
SLT_MUST_USE uint32_t slt_tcp_conn_take(struct slt_tcp *tcp, const struct slt_tcp_id *id,
                                        const struct slt_tcp_defaults *defaults, uint16_t pmtu,
                                        enum salut_state from);

/* Give the object back: everything it holds is released. The caller has removed it from its own
 * lists and wheel. */
void slt_tcp_conn_give(struct slt_tcp *tcp, uint32_t index);

/* RFC 9293 3.10.1, active OPEN: to SYN-SENT. SALUT_OK, SALUT_ALREADY_CONNECTED, SALUT_NO_MEMORY. */
enum salut_status slt_tcp_open(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);

/* ---- fast open (RFC 7413) -------------------------------------------------------------------- */

/* What a client remembers of a server. */
struct slt_tcp_fast_open_known {
    uint8_t cookie[16];
    uint8_t cookie_bytes; /* 0: none; the SYN asks for one */
    uint16_t mss;         /* 0: not known */
    bool wait;            /* with a cookie, the SYN waits for data */
};

/* Make the active open that has just begun (SYN-SENT, nothing sent) a fast one. */
void slt_tcp_fast_open_begin(struct slt_tcp_conn *c, const struct slt_tcp_fast_open_known *known);

enum slt_tcp_fast_open_verdict {
    SLT_FAST_OPEN_NONE,    /* the SYN has no such option */
    SLT_FAST_OPEN_REQUEST, /* it asks for a cookie */
    SLT_FAST_OPEN_FRESH,   /* it shows a good one */
    SLT_FAST_OPEN_OLD,     /* it shows a good one that will soon be none */
    SLT_FAST_OPEN_BAD
};

/* A server's look at the option of a SYN. */
enum slt_tcp_fast_open_verdict slt_tcp_fast_open_judge(const struct slt_tcp *tcp,
                                                       const struct slt_tcp_id *id,
                                                       const struct slt_tcp_options *opt,
                                                       int64_t now_ns);

/* Put the cookie of a client on a SYN,ACK, if there is room. */
void slt_tcp_fast_open_cookie(const struct slt_tcp *tcp, const struct slt_tcp_id *id,
                              int64_t now_ns, struct slt_tcp_options *opt);

/* The connection was made early (slt_tcp_open_passive): its SYN,ACK hands out a cookie; it takes
 * the data of its SYN. */
void slt_tcp_fast_open_give(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_fast_open_accept(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                              const struct slt_tcp_segment *syn, int64_t now_ns);

/* ---- segments ------------------------------------------------------------------------------- */

/* SEGMENT ARRIVES (RFC 9293 3.10.7.3, .4) for a connection that exists. Returns what became of
 * the segment. A return of SLT_NOTE_TCP_TW_REUSED means: TIME-WAIT gave way to this SYN; the
 * connection is CLOSED, and the SYN is to be given to a listener with the ISN slt_tcp_reuse_isn.
 * A return of SLT_DROP_TCP_ACK_UNACCEPTABLE means: the state stays, and the reset that
 * slt_tcp_closed_input builds for this segment is the answer (3.5.2 group 2). */
enum slt_reason slt_tcp_input(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                              const struct slt_tcp_segment *seg, int64_t now_ns);

/* An ISN above everything the old connection sent (MAY-2). */
uint32_t slt_tcp_reuse_isn(const struct slt_tcp_conn *c);

/* A segment without state, built from a judgement. */
struct slt_tcp_reply {
    struct slt_tcp_id id;
    uint32_t seq;
    uint32_t ack;
    uint16_t flags;
    uint16_t window; /* as on the wire */
    struct slt_tcp_options opt;
    enum slt_reason why; /* a SEND reason */
};

/* The header of a reply as a segment. */
void slt_tcp_reply_segment(const struct slt_tcp_reply *reply, struct slt_tcp_segment *seg);

/* SEGMENT ARRIVES in CLOSED (3.10.7.1): true when a reset answers it. */
bool slt_tcp_closed_input(const struct slt_tcp_id *id, const struct slt_tcp_segment *seg,
                          struct slt_tcp_reply *reply);

/* ---- ICMP ----------------------------------------------------------------------------------- */

enum slt_tcp_notice_kind {
    SLT_NOTICE_NET_UNREACHABLE,   /* soft */
    SLT_NOTICE_HOST_UNREACHABLE,  /* soft; also: address resolution failed (seq is ignored) */
    SLT_NOTICE_PROTO_UNREACHABLE, /* hard */
    SLT_NOTICE_PORT_UNREACHABLE,  /* hard */
    SLT_NOTICE_ADMIN,             /* soft */
    SLT_NOTICE_DENIED,            /* soft: the same by ICMPv6 */
    SLT_NOTICE_SOURCE_ROUTE,      /* soft: a source route failed */
    SLT_NOTICE_NEXT_HEADER,       /* hard: ICMPv6's protocol unreachable */
    SLT_NOTICE_TIME_EXCEEDED,     /* soft */
    SLT_NOTICE_PARAM_PROBLEM,     /* soft */
    SLT_NOTICE_TOO_BIG            /* mtu holds the next hop's */
};

struct slt_tcp_notice {
    enum slt_tcp_notice_kind kind;
    uint32_t seq; /* quoted sequence number */
    uint16_t mtu;
    bool local; /* our own finding (no route, neighbour failed): nothing was quoted */
};

/* What the network says about a segment of ours; validated by sequence number (RFC 5927 4.1).
 * Returns SLT_NOTE_ICMP_SOFT, SLT_NOTE_ICMP_PMTU, SLT_CAUSE_ICMP_HARD, SLT_CAUSE_NO_ROUTE or a
 * drop reason. */
enum slt_reason slt_tcp_icmp(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                             const struct slt_tcp_notice *notice, int64_t now_ns);

/* The path to the peer takes packets of at most `mtu` bytes: another connection to the same host
 * was told so (RFC 8201 5.2). Never raises. */
void slt_tcp_path_mtu(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint16_t mtu, int64_t now_ns);

/* ---- user calls (RFC 9293 3.10.2 .. 3.10.5) -------------------------------------------------- */

enum salut_status slt_tcp_send(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                               const struct salut_iovec *pieces, size_t count, unsigned flags,
                               size_t *accepted, int64_t now_ns);
/* What the send buffer's limit leaves; SALUT_OK with at least 1. */
enum salut_status slt_tcp_send_room(const struct slt_tcp_conn *c, size_t *bytes);

/* Text written in place: lend room at the queue's end, then make its first bytes text. */
enum salut_status slt_tcp_send_reserve(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       struct salut_iovec_mut *room, int64_t now_ns);
enum salut_status slt_tcp_send_lend(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    const struct salut_loan *loan, unsigned flags, int64_t now_ns);
enum salut_status slt_tcp_send_commit(struct slt_tcp *tcp, struct slt_tcp_conn *c, size_t bytes,
                                      unsigned flags, int64_t now_ns);
enum salut_status slt_tcp_recv(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                               const struct salut_iovec_mut *pieces, size_t count, size_t *received,
                               int64_t now_ns);
enum salut_status slt_tcp_peek(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                               struct salut_iovec *pieces, size_t max, size_t *count,
                               size_t *bytes);
enum salut_status slt_tcp_consume(struct slt_tcp *tcp, struct slt_tcp_conn *c, size_t bytes,
                                  int64_t now_ns);
enum salut_status slt_tcp_shutdown(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_how how,
                                   int64_t now_ns);

/* Close and let go: the connection becomes an orphan (SHLD-3, SOCK-01..04). */
void slt_tcp_close(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);

/* ABORT (3.10.5). `why` is a cause; the reset, where the state asks for one, becomes due. */
void slt_tcp_abort(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                   int64_t now_ns);
enum salut_status slt_tcp_set_option(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                     enum salut_option option, int64_t value, int64_t now_ns);
enum salut_status slt_tcp_get_option(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                     enum salut_option option, int64_t *value);
/* The same on the options a listener hands down. */
enum salut_status slt_tcp_set_default(struct slt_tcp_defaults *d, enum salut_option option,
                                      int64_t value);

/* ---- time ----------------------------------------------------------------------------------- */

int64_t slt_tcp_next_deadline(const struct slt_tcp_conn *c);

/* No timer is due before this instant; SLT_NEVER: none runs. It may be earlier than the next
 * deadline, for timers that were moved on or stopped since it was found; finding it makes it exact
 * again, and returns it. */
int64_t slt_tcp_deadline_bound(const struct slt_tcp_conn *c);
int64_t slt_tcp_find_deadline(struct slt_tcp_conn *c);

/* Let the timers that are due fire. They only mark; at most one firing per timer. */
void slt_tcp_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);

/* ---- output --------------------------------------------------------------------------------- */

/* One segment that is to be sent. */
struct slt_tcp_plan {
    int64_t pos;          /* of its first octet (SYN, byte or FIN) */
    uint32_t bytes;       /* of payload */
    uint16_t flags;       /* enum slt_tcp_flag */
    uint16_t spent;       /* of enum slt_tcp_due: consumed by it */
    uint8_t why;          /* enum slt_reason, a SEND reason */
    uint8_t retransmit;   /* the octets were sent before */
    uint8_t dup;          /* pays one owed duplicate ACK */
    uint8_t mtu_probe;    /* larger than a full segment, to see whether the path takes it */
    uint8_t gso;          /* more than one segment: the link cuts it */
    uint16_t gso_bytes;   /* payload per segment, when gso */
    int64_t edge;         /* right edge of the window it advertises */
    struct slt_cursor at; /* where its payload starts in the send queue */
    struct slt_cursor after;
};

/* The part of a connection that planning changes; the connection itself changes at commit. */
struct slt_tcp_burst {
    int64_t nxt;
    struct slt_cursor cursor;
    int64_t rtx_pos;        /* within rtx_record, the lost record to go on with */
    int64_t rtx_cursor_pos; /* where rtx_cursor lies; 0: it does not hold */
    struct slt_cursor rtx_cursor;
    uint32_t rtx_record;
    uint32_t left_bytes; /* what congestion control still lets go */
    uint16_t due;
    uint8_t dup_due;
    uint8_t limited;
    bool ack_pending;
    bool fin_sent;
    bool small_held; /* a partial segment is in flight (Minshall) */
    bool forced;     /* one segment goes again whatever the window says */
    bool rtx_held;   /* nothing goes again now (F-RTO) */
    bool paced;
    int64_t pace_at_ns;   /* when paced: nothing paced leaves before */
    int64_t pace_wake_ns; /* nor before this, when its timer runs */
    bool cwr_due;         /* the next new segment says that the window was reduced (RFC 3168) */
    bool mtu_probed;      /* whether to probe the path MTU was asked in this burst */
    int64_t now_ns;       /* of the plan being made */
};

void slt_tcp_burst_begin(const struct slt_tcp_conn *c, struct slt_tcp_burst *burst);

/* The next segment to send, or false. Ordered ladder, first match wins: reset, SYN, retransmit,
 * tail probe, window probe, keep-alive, new data, FIN, ACK now, window update. */
bool slt_tcp_plan(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                  struct slt_tcp_burst *burst, int64_t now_ns, struct slt_tcp_plan *plan);

/* The planned segment's header (ports, numbers, window, options) and its payload as pieces of the
 * send queue, no reference taken. Returns the number of pieces. */
uint32_t slt_tcp_build(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                       const struct slt_tcp_plan *plan, int64_t now_ns, struct slt_tcp_segment *seg,
                       struct slt_piece *pieces, uint32_t max);

/* The link took the segment: now it counts as sent. */
void slt_tcp_commit(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_plan *plan,
                    int64_t now_ns);

bool slt_tcp_wants_output(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns);

/* A segment for the connection comes soon, and its first lines are on their way: have the processor
 * fetch what else its input will touch, and, when that is there (`last`), what is behind that. */
void slt_tcp_expect(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, bool last);

/* ---- questions ------------------------------------------------------------------------------ */

/* Ready bits (enum salut_ready) as they are now, of those that are wanted. */
uint32_t slt_tcp_ready(const struct slt_tcp_conn *c, uint32_t wanted);

/* The user has seen the bits that are news rather than levels (URGENT, ADVICE). */
void slt_tcp_seen(struct slt_tcp_conn *c, uint32_t ready);

/* CLOSED, nothing due, and nobody holds the handle: the object may go. */
bool slt_tcp_is_done(const struct slt_tcp_conn *c);

/* To be called once a turn, when what is due has been planned or noted: watches a closed window,
 * and gives back what an idle connection does not need. Says whether there is something to send. */
bool slt_tcp_settle(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);

uint32_t slt_tcp_urgent_ahead(const struct slt_tcp_conn *c);
void slt_tcp_info(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns,
                  struct salut_info *info);
const char *slt_tcp_check(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns);
struct slt_digest;
void slt_tcp_digest(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns,
                    struct slt_digest *digest);

/* ---- half-open entries ---------------------------------------------------------------------- */

enum slt_half_open_flag {
    SLT_HALF_WSCALE_OK = 1,
    SLT_HALF_SACK_OK = 2,
    SLT_HALF_TS_OK = 4,
    SLT_HALF_DUE = 8,         /* its SYN,ACK is to be sent */
    SLT_HALF_MSS = 16,        /* the peer sent an MSS option */
    SLT_HALF_HELD = 32,       /* the final ACK came, but the accept queue was full */
    SLT_HALF_ECN = 64,        /* RFC 3168 is agreed */
    SLT_HALF_ACCECN = 128,    /* RFC 9768 is agreed; the SYN's code point stands in two bits */
    SLT_HALF_FAST_OPEN = 256, /* the first SYN,ACK hands out a fast open cookie */
    SLT_HALF_DEFERRED = 512,  /* a bare ACK came, and the listener wants data */
    SLT_HALF_MUTE = 4096,     /* RFC 9768: a SYN came that asked for nothing, so nothing is ECT */
    SLT_HALF_PLAIN = 8192     /* the SYN came again: the SYN,ACK goes without AccECN's option */
};

#define SLT_HALF_ARRIVED_SHIFT 10U
_Static_assert((3U << SLT_HALF_ARRIVED_SHIFT & (SLT_HALF_DEFERRED | SLT_HALF_MUTE)) == 0,
               "the code point's two bits are nobody else's");

/* A passive connection in SYN-RECEIVED, before it is a connection. */
struct slt_tcp_half_open {
    uint32_t next; /* the stack's queue of one retry level; the pool's link while free */
    slt_flow_ref flow_next;
    struct slt_tcp_id id;
    uint32_t isn;
    int64_t due_at_ns; /* next SYN,ACK, or the end */
    uint32_t irs;
    uint32_t ts_recent;
    uint32_t listener;
    uint32_t prev;
    uint32_t made_at_ms;  /* low 32 bits of ms: age, first RTT sample */
    uint32_t limit_at_ms; /* last limited answer */
    uint16_t mss;         /* the peer's, or 0 */
    uint16_t window;      /* of the SYN, never scaled */
    uint8_t wscale;
    uint8_t retries; /* SYN,ACKs sent again */
    uint16_t flags;  /* of enum slt_half_open_flag */
};
_Static_assert(sizeof(struct slt_tcp_half_open) <= 88, "half-open entry and its bucket fit in 96");

/* What is to be done with a segment for an entry or a listener. */
enum slt_verdict_kind {
    SLT_VERDICT_DROP,     /* nothing; `why` says why */
    SLT_VERDICT_REPLY,    /* send verdict.reply; the entry stays */
    SLT_VERDICT_CREATE,   /* listener: make a half-open entry (slt_tcp_half_open_init) */
    SLT_VERDICT_SYN_ACK,  /* half-open: send its SYN,ACK again */
    SLT_VERDICT_COMPLETE, /* half-open, cookie: make the connection and feed it the segment */
    SLT_VERDICT_REMOVE,   /* half-open: back to LISTEN */
    SLT_VERDICT_RESTART,  /* TIME-WAIT: send verdict.reply and restart 2MSL */
    SLT_VERDICT_REUSE,    /* TIME-WAIT: give way; the SYN goes to a listener */
    SLT_VERDICT_KILL      /* TIME-WAIT: ended by a reset (only when so configured) */
};

struct slt_tcp_verdict {
    enum slt_verdict_kind kind;
    enum slt_reason why; /* drop, cause or note to count */
    bool has_reply;
    struct slt_tcp_reply reply; /* valid when has_reply */
};

/* SEGMENT ARRIVES in LISTEN (3.10.7.2): DROP, REPLY (a reset), CREATE, or, for a bare ACK while
 * cookies are `armed`, COMPLETE with *cookie filled in as the entry that was never kept. */
void slt_tcp_listen_input(struct slt_tcp *tcp, const struct slt_tcp_id *id,
                          const struct slt_tcp_segment *seg, bool armed, int64_t now_ns,
                          struct slt_tcp_half_open *cookie, struct slt_tcp_verdict *verdict);

/* Fill a half-open entry from the SYN. `isn` is slt_tcp_isn, a cookie, or a reuse ISN. The links,
 * the listener and the deadline are the stack's. */
void slt_tcp_half_open_init(struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                            const struct slt_tcp_id *id, const struct slt_tcp_segment *syn,
                            uint32_t isn, int64_t now_ns);

/* The ISN that is a cookie for this SYN (RFC 4987 3.6), and the options it can keep: *h must be
 * initialised by slt_tcp_half_open_init; its isn and flags are changed. */
void slt_tcp_cookie_make(struct slt_tcp *tcp, struct slt_tcp_half_open *h, int64_t now_ns);

/* SEGMENT ARRIVES in SYN-RECEIVED for an entry: DROP, REPLY, SYN_ACK, REMOVE, COMPLETE. */
void slt_tcp_half_open_input(struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                             const struct slt_tcp_segment *seg, int64_t now_ns,
                             struct slt_tcp_verdict *verdict);

/* The entry's SYN,ACK (with cookie options when `cookie`). `mtu` and `defaults` decide MSS, window
 * and scale. */
void slt_tcp_half_open_syn_ack(const struct slt_tcp *tcp, const struct slt_tcp_half_open *h,
                               const struct slt_tcp_defaults *defaults, bool cookie, int64_t now_ns,
                               struct slt_tcp_reply *reply);

/* How long after the n-th SYN,ACK the next is due (1 s, doubling); SLT_NEVER past the limit. */
int64_t slt_tcp_half_open_wait_ns(const struct slt_tcp *tcp, const struct slt_tcp_half_open *h);

/* Make the connection in SYN-RECEIVED (the object is fresh from slt_tcp_conn_take). The caller
 * then feeds it the segment that completed it; for early accept, it does not. False: no memory
 * for the cold block; the object is unchanged. */
SLT_MUST_USE bool slt_tcp_open_passive(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       const struct slt_tcp_half_open *h, bool early,
                                       int64_t now_ns);

void slt_tcp_half_open_info(const struct slt_tcp *tcp, const struct slt_tcp_half_open *h,
                            int64_t now_ns, struct salut_info *info);

/* ---- TIME-WAIT entries ---------------------------------------------------------------------- */

/* A connection in TIME-WAIT that nobody holds any more. */
struct slt_tcp_time_wait {
    uint32_t next; /* the stack's queue, in order of deadlines; the pool's link while free */
    slt_flow_ref flow_next;
    struct slt_tcp_id id;
    uint32_t rcv_nxt; /* sequence number after the peer's FIN */
    uint32_t snd_nxt; /* sequence number after our FIN */
    uint32_t ts_recent;
    uint32_t facts; /* packed: deadline in 2^22 ms, reason, flags (timewait.c) */
};
_Static_assert(sizeof(struct slt_tcp_time_wait) <= 60, "time-wait entry and its bucket fit in 64");

/* Shrink a full connection in TIME-WAIT. */
void slt_tcp_time_wait_init(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                            struct slt_tcp_time_wait *tw, int64_t now_ns);

/* SEGMENT ARRIVES in TIME-WAIT: DROP, REPLY, RESTART (the deadline is already set anew), REUSE,
 * KILL. */
void slt_tcp_time_wait_input(const struct slt_tcp *tcp, struct slt_tcp_time_wait *tw,
                             const struct slt_tcp_segment *seg, int64_t now_ns,
                             struct slt_tcp_verdict *verdict);
uint32_t slt_tcp_time_wait_reuse_isn(const struct slt_tcp_time_wait *tw);

/* When it ends; exact to the millisecond, never early. */
int64_t slt_tcp_time_wait_due_at_ns(const struct slt_tcp_time_wait *tw, int64_t now_ns);
enum slt_reason slt_tcp_time_wait_reason(const struct slt_tcp_time_wait *tw);
void slt_tcp_time_wait_info(const struct slt_tcp *tcp, const struct slt_tcp_time_wait *tw,
                            int64_t now_ns, struct salut_info *info);

#endif
