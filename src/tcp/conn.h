/* A TCP connection, private to src/tcp and to the stack floor that keeps the pool.
 *
 * Fields are grouped by owner; a group is written only by its owner's file (named at the group).
 * The object is what an idle connection costs: everything that is needed only while bytes are in
 * flight or a handshake runs lies in the cold block (struct slt_tcp_cold), which comes and goes.
 * ARCHITECTURE.md holds the byte table; the static asserts below keep it honest.
 *
 * RFC 9293's names: SND.UNA snd.una, SND.NXT snd.nxt, SND.WND snd.wnd, SND.UP snd.up, SND.WL1
 * snd.wl1, SND.WL2 snd.wl2, ISS snd.isn; RCV.NXT rcv.nxt, RCV.WND rcv.edge - rcv.nxt, RCV.UP
 * rcv.up, IRS rcv.isn. Positions are int64_t (tcp/pos.h); a field ending in _low keeps the low 32
 * bits of one.
 */
#ifndef SLT_TCP_CONN_H
#define SLT_TCP_CONN_H

#include "base/buf.h"
#include "base/event.h"
#include "base/flow.h"
#include "base/ranges.h"
#include "base/siphash.h"
#include "base/time.h"
#include "base/wheel.h"
#include "salut/config.h"
#include "salut/info.h"
#include "tcp/cc.h"
#include "tcp/pos.h"
#include "tcp/rate.h"
#include "tcp/recovery.h"

#include <string.h>

/* Who the connection is between. The engine looks into the addresses only to hash them. */
struct slt_tcp_id {
    uint8_t local[16];
    uint8_t remote[16];
    uint16_t local_port;
    uint16_t remote_port;
};

/* IPv4, by the form ::ffff:a.b.c.d of the remote address. */
static inline bool slt_tcp_id_is_v4(const struct slt_tcp_id *id)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(id->remote, mapped, sizeof(mapped)) == 0;
}

/* What a keyed hash of the tuple is taken over. Of IPv4 addresses the last four bytes say
 * everything, and a third of the bytes is a third of the work; the lengths differ, so that the
 * families cannot be made to meet. */
struct slt_tcp_id_v4 {
    uint64_t addresses;
    uint32_t ports;
};

static inline struct slt_tcp_id_v4 slt_tcp_id_v4(const struct slt_tcp_id *id)
{
    uint32_t local;
    uint32_t remote;
    struct slt_tcp_id_v4 short_id;

    memcpy(&local, id->local + 12, sizeof(local));
    memcpy(&remote, id->remote + 12, sizeof(remote));
    memcpy(&short_id.ports, &id->local_port, sizeof(short_id.ports));
    short_id.addresses = (uint64_t)remote << 32 | local;
    return short_id;
}

/* For tables. */
static inline uint64_t slt_tcp_id_hash13(const struct slt_sipkey *key, const struct slt_tcp_id *id)
{
    if (slt_tcp_id_is_v4(id)) {
        struct slt_tcp_id_v4 v4 = slt_tcp_id_v4(id);
        return slt_siphash13_12(key, v4.addresses, v4.ports);
    }
    return slt_siphash13(key, id, sizeof(*id));
}

/* Where a secret is at stake. */
static inline uint64_t slt_tcp_id_hash24(const struct slt_sipkey *key, const struct slt_tcp_id *id)
{
    if (slt_tcp_id_is_v4(id)) {
        struct slt_tcp_id_v4 v4 = slt_tcp_id_v4(id);
        return slt_siphash24_12(key, v4.addresses, v4.ports);
    }
    return slt_siphash24(key, id, sizeof(*id));
}

enum slt_tcp_timer {
    SLT_TIMER_TAIL_PROBE, /* before RETRANSMIT: due at the same instant, the probe goes first */
    SLT_TIMER_RETRANSMIT,
    SLT_TIMER_REORDER,
    SLT_TIMER_PERSIST,
    SLT_TIMER_USER_TIMEOUT,
    SLT_TIMER_TUNE,
    SLT_TIMER_PACING,
    SLT_TIMER_CORK,
    SLT_TIMER_DELAYED_ACK,
    SLT_TIMER_KEEPALIVE,
    SLT_TIMER_FIN_WAIT_2,
    SLT_TIMER_TIME_WAIT,
    SLT_TIMER_COUNT
};

/* The timers that run only while a cold block exists come first. KEEPALIVE, FIN_WAIT_2 and
 * TIME_WAIT exclude one another and share one place (`lasting`). */
#define SLT_TIMER_COLD_COUNT (SLT_TIMER_CORK + 1)

enum slt_tcp_conn_flag {
    SLT_CONN_PASSIVE = 1 << 0,     /* opened by the peer (MUST-11) */
    SLT_CONN_ORPHAN = 1 << 1,      /* the user let go of the handle */
    SLT_CONN_USER_CLOSED = 1 << 2, /* ... by close: data that still comes is answered by RST */
    SLT_CONN_FIN_QUEUED = 1 << 3,  /* FIN stands behind the send queue */
    SLT_CONN_FIN_KNOWN = 1 << 4,   /* the peer's FIN was seen, at rcv.fin_low */
    SLT_CONN_FIN_TAKEN = 1 << 5,   /* ... and reached: nothing more comes */
    SLT_CONN_READ_SHUT = 1 << 6,   /* the user shut the receiving side */
    SLT_CONN_WSCALE_OK = 1 << 7,
    SLT_CONN_SACK_OK = 1 << 8,
    SLT_CONN_TS_OK = 1 << 9,
    SLT_CONN_NODELAY = 1 << 10,
    SLT_CONN_CORK = 1 << 11,
    SLT_CONN_KEEPALIVE = 1 << 12,
    SLT_CONN_LINGER_ABORT = 1 << 13,
    SLT_CONN_URGENT_OUT = 1 << 14,   /* snd.up_low is valid: urgent bytes not yet acknowledged */
    SLT_CONN_URGENT_IN = 1 << 15,    /* rcv.up_low is valid: urgent bytes not yet read */
    SLT_CONN_ACK_PENDING = 1 << 16,  /* something received is not acknowledged yet */
    SLT_CONN_CORK_EXPIRED = 1 << 17, /* a held partial segment has waited long enough */
    SLT_CONN_CONNECTED = 1 << 18,    /* ESTABLISHED was reached once */
    SLT_CONN_EARLY = 1 << 19,        /* passive, made at the SYN (early accept) */
    SLT_CONN_MORE = 1 << 20,         /* the last send said that more follows */
    SLT_CONN_R1 = 1 << 21,           /* R1 was passed since una last advanced */
    SLT_CONN_FIN_SENT = 1 << 22,     /* the FIN has been on the wire */
    SLT_CONN_PONG = 1 << 23,         /* interactive: answers carry the acknowledgements */
    SLT_CONN_ADVISED = 1 << 24,      /* the user has not yet seen R1 or a soft error */
    SLT_CONN_URGENT_NEWS = 1 << 25,  /* ... nor an advance of the urgent mark (MUST-32) */
    SLT_CONN_QUICK = 1 << 26,        /* the user wants no delayed ACK */
    SLT_CONN_RCVBUF_SET = 1 << 27,   /* the user chose the receive buffer: it is not tuned */
    SLT_CONN_SNDBUF_SET = 1 << 28,   /* the same for the send buffer */
    SLT_CONN_UTO_SET = 1 << 29,  /* the user chose the user timeout: the peer does not move it */
    SLT_CONN_FAST_OPEN = 1 << 30 /* the SYN's data was taken by its receiver (RFC 7413) */
};

/* What is to be sent besides data; set by any file, consumed by output.c alone. */
enum slt_tcp_due {
    SLT_DUE_SYN = 1, /* SYN or SYN,ACK, by state */
    SLT_DUE_RST = 2,
    SLT_DUE_ACK = 4,        /* an ACK now, for the reason in ack_why */
    SLT_DUE_PROBE = 8,      /* a window probe */
    SLT_DUE_KEEPALIVE = 16, /* a keep-alive probe */
    SLT_DUE_WINDOW = 32,    /* the window opened enough to say so */
    SLT_DUE_TAIL_PROBE = 64 /* the tail of what is in flight may be lost (RFC 8985 7.3) */
};

/* ecn.c: what a connection knows of explicit congestion notification while it is idle, too. */
enum slt_tcp_ecn_bit {
    SLT_ECN_OK = 1,       /* both ends speak RFC 3168: data leaves as ECT(0), ECE and CWR mean it */
    SLT_ECN_ACCURATE = 2, /* both ends speak RFC 9768; excludes SLT_ECN_OK */
    SLT_ECN_ECE_DUE = 4,  /* RFC 3168: marks came, and the peer has not said CWR yet */
    SLT_ECN_CWR_DUE = 8,  /* RFC 3168: our window fell; the next new data says so */
    SLT_ECN_MUTE = 16     /* nothing is sent as ECT: the path or the peer is not to be trusted;
                             what the peer tells of marks counts all the same */
};

/* send.c: the bytes the user gave us, and where their sending stands. */
struct slt_tcp_snd {
    int64_t una;              /* oldest unacknowledged position */
    int64_t nxt;              /* one past the highest position ever sent */
    struct slt_chain queue;   /* bytes from max(una, 1) on */
    struct slt_cursor cursor; /* where nxt lies in the queue */
    uint32_t wnd;             /* bytes the peer takes from una on, scaled */
    uint32_t wnd_max;         /* the largest wnd seen */
    uint32_t wl1_low;         /* receive position of the segment that set wnd */
    uint32_t wl2_low;         /* its acknowledgement */
    uint32_t up_low;          /* one past the last urgent byte (MUST-62) */
    uint32_t isn;
    uint32_t buffer_max; /* bytes the queue may hold */
    uint16_t peer_mss;   /* the MSS option received, or the default (MUST-15) */
    uint16_t pmtu;       /* largest IP packet towards the peer */
    uint16_t size_acked; /* largest IP packet the peer has acknowledged (RFC 5927 7.2) */
    uint8_t wscale;      /* shift of windows received */
    uint8_t pmtu_at_min; /* pmtud.c: when pmtu last changed or was tried, low 8 bits of minutes */
};

/* receive.c (reassembly) and window.c (edge): what the peer gave us. */
struct slt_tcp_rcv {
    int64_t nxt;
    int64_t edge;           /* right edge advertised, never moves left (SHLD-14) */
    struct slt_chain queue; /* bytes in order, up to nxt (or the FIN before it) */
    uint32_t fin_low;       /* position of the peer's FIN, when SLT_CONN_FIN_KNOWN */
    uint32_t up_low;        /* one past the last urgent byte, when SLT_CONN_URGENT_IN */
    uint32_t isn;
    uint32_t buffer_max; /* bytes that may wait to be read */
    uint16_t mss_seen;   /* the peer's usual segment, for the ACK policy */
    uint8_t wscale;      /* shift of windows sent */
    uint8_t habit;       /* ackpolicy.c: how this peer and this user talk, see there */
};

/* receive.c: what is held above a gap. Part of the cold block. */
struct slt_tcp_held {
    struct slt_ranges runs; /* above rcv.nxt, each with its bytes */
    uint32_t bytes;
    int64_t recent[4]; /* a position in each of the runs that grew last, newest first */
    int64_t dup_start; /* a duplicate to report once (D-SACK); empty when start == end */
    int64_t dup_end;
};

/* autotune.c: what is read per round trip, while text flows in. Part of the cold block. */
struct slt_tcp_tune {
    int64_t round_pos;   /* how far the user had read when this round began; 0: not measuring */
    int64_t round_at_ns; /* when that was */
    int64_t turn_pos;    /* without timestamps: a window's worth after turn_at_ns ends here */
    int64_t turn_at_ns;
    int64_t heard_at_ns;   /* when text last came */
    uint32_t copied_bytes; /* the most read in a round so far */
    uint32_t rtt_us;       /* round-trip time as the receiver sees it; 0: no sample */
    uint32_t echo;         /* TSecr of the last sample */
};

/* pmtud.c: the search for a larger path MTU. Part of the cold block. */
struct slt_tcp_pmtud {
    int64_t probe_pos; /* the probe in flight is [probe_pos, probe_end) */
    int64_t probe_end;
    uint16_t probe_mtu; /* its IP packet's size; 0: none in flight */
    uint16_t high;      /* packets this large do not pass; 0: no search goes on */
};

/* timestamps.c: RFC 7323. */
struct slt_tcp_ts {
    uint32_t recent;       /* TS.Recent */
    uint32_t recent_at_s;  /* when it was set, in seconds */
    uint32_t last_ack_low; /* Last.ACK.sent */
    uint32_t offset;       /* of our clock, keyed by the tuple */
};

/* rtt.c: RFC 6298. Scaled as in the RFC's appendix: srtt by 8, rttvar by 4. */
struct slt_tcp_rtt {
    uint32_t srtt8_us; /* 0: no sample yet */
    uint32_t rttvar4_us;
    uint32_t rto_us; /* before backoff */
    uint32_t min_us; /* smallest sample, UINT32_MAX before the first */
};

/* rtt.c: the smallest sample of the last minutes, found without keeping them (RFC 8985 6.2, step
 * 1). Part of the cold block. */
struct slt_tcp_min_rtt {
    int64_t since_ns; /* when this period began */
    uint32_t now_us;  /* smallest of this period, UINT32_MAX: none */
    uint32_t last_us; /* smallest of the one before */
};

/* ackpolicy.c: when to acknowledge. */
struct slt_tcp_acks {
    uint8_t quick_left;     /* segments still to be acknowledged at once */
    uint8_t dup_due;        /* duplicate ACKs owed to a peer without SACK, one per segment */
    uint8_t why;            /* enum slt_reason of the ACK due */
    uint8_t probes;         /* unanswered keep-alive probes */
    uint32_t waiting_bytes; /* received since the last ACK went out */
    uint32_t limit_at_ms;   /* when the last limited answer was given, low 32 bits of ms; 0 none */
};

#define SLT_OPTS_PACED 0x80U /* of opts.cc: the user wants pacing */

/* user.c: options of the user's. */
struct slt_tcp_opts {
    uint32_t user_timeout_ms; /* 0: the configuration's */
    uint32_t lowat_bytes;
    uint16_t keep_idle_s;
    uint16_t keep_interval_s;
    uint16_t max_segment; /* 0: none */
    int8_t linger2_s;     /* 0: the configuration's; -1: none */
    uint8_t cc;           /* enum salut_cc, and SLT_OPTS_PACED */
    uint32_t pace_max;    /* bytes per second; 0: no limit */
    uint8_t keep_probes;
    uint8_t syn_retries;
    uint8_t ttl;
    uint8_t dscp; /* shifted: the DS field's upper six bits */
};

/* The stack floor's own fields. */
struct slt_tcp_place {
    struct slt_wheel_entry wheel;
    union {
        uint64_t user;
        struct {                 /* until accepted: */
            uint32_t listener;   /* the listener's index */
            uint32_t queue_next; /* in its queue of connections to accept */
        } waiting;
    } of;
    slt_flow_ref flow_next;
    uint32_t dirty_next; /* SLT_NIL: last; own index: not in the list */
    uint32_t ready_next; /* the same for the list of connections with something to report */
    uint16_t neighbour;  /* plus one; 0: not looked up yet */
    uint16_t turn;       /* low bits of the turn it was last reported in */
    uint8_t interest;    /* enum salut_ready */
    uint8_t parked;      /* waits for its neighbour, or for memory */
    uint8_t zone;
    uint8_t marks;       /* stack floor: findable by its tuple, waits to be accepted */
    uint32_t generation; /* of its handle; survives in the free object; odd while in use */
};

struct slt_tcp_conn {
    struct slt_tcp_cold *cold; /* NULL when there is none; must be first: the pool's link while
                                  the object is free */
    struct slt_tcp_place place;
    struct slt_tcp_id id;

    uint8_t state;       /* enum salut_state; written by slt_tcp_set_state alone */
    uint8_t status;      /* enum salut_status it ended with, sticky */
    uint8_t soft_status; /* last soft ICMP error */
    uint8_t end_reason;  /* enum slt_reason */
    uint32_t flags;      /* of enum slt_tcp_conn_flag */
    uint16_t due;        /* of enum slt_tcp_due */
    uint8_t rst_why;     /* enum slt_reason of the RST due */
    uint8_t ip_bytes;    /* bytes of IP header in front of our segments: 20 or 40 */

    struct slt_tcp_snd snd;
    struct slt_tcp_rcv rcv;
    struct slt_tcp_ts ts;
    struct slt_tcp_rtt rtt;
    struct slt_tcp_acks acks;
    struct slt_tcp_cc_fold cc_fold;
    struct slt_tcp_opts opts;
    uint32_t index; /* its own pool index, for events */

    int64_t delayed_ack_at_ns; /* timers.c */
    int64_t lasting_at_ns;     /* timers.c: keep-alive, FIN-WAIT-2 or time-wait */

    uint64_t history[SALUT_HISTORY_MAX]; /* state.c: packed, newest at history_at */
    uint32_t segs_in;
    uint32_t segs_out;
    uint32_t retransmits;
    uint8_t history_at;
    uint8_t ecn;     /* ecn.c: of enum slt_tcp_ecn_bit */
    uint8_t lasting; /* timers.c: enum slt_tcp_timer that `lasting_at_ns` belongs to */
    uint8_t backoff; /* rtt.c: how often the RTO is doubled, until a valid sample comes */
};

/* pacing.c: when the next octets may leave. */
struct slt_tcp_pacing {
    int64_t next_at_ns;   /* not before this instant */
    uint64_t bytes_per_s; /* 0: not paced */
};

/* limits.c: what keeps the sender from sending, and for how long it has. */
#define SLT_RTT_BUCKETS 64
struct slt_tcp_limits {
    int64_t since_ns;                     /* when `now` began */
    uint64_t total_ns[SALUT_LIMIT_COUNT]; /* by enum salut_limit */
    uint8_t now;                          /* enum salut_limit */
    uint8_t rtt_counts[SLT_RTT_BUCKETS];  /* round trips seen, in quarters of octaves */
};

/* accecn.c (RFC 9768 3.2): the counters of both directions; s_ is what the peer told, r_ what we
 * saw. A connection that speaks AccECN keeps its cold block for them, whatever room there is. */
struct slt_tcp_accecn {
    uint32_t r_cep; /* packets that came with CE; starts at 5 */
    uint32_t r_e0b; /* octets of payload that came as ECT(0), 24 bits; starts at 1 */
    uint32_t r_ceb; /* ... with CE; starts at 0 */
    uint32_t r_e1b; /* ... as ECT(1); starts at 1 */
    uint32_t s_cep; /* packets the peer saw marked, as far as its ACE field told */
    uint32_t s_e0b; /* its counters, 24 bits, as its last option told them */
    uint32_t s_ceb;
    uint32_t s_e1b;
    uint8_t shake;          /* ACE of our first pure ACK: how the SYN,ACK arrived; 0: none due */
    uint8_t told_cep;       /* low bits of r_cep when an acknowledgement last left */
    uint8_t last_codepoint; /* of the packet before (enum slt_ecn): a change is told at once */
    uint8_t rounds;         /* begun, with every packet told as marked so far; or ROUNDS_MIXED */
    uint8_t flags;          /* of enum slt_tcp_accecn_flag */
};

enum slt_tcp_accecn_flag {
    SLT_ACCECN_HEARD = 1,   /* the peer's option was seen: its octet counters are valid */
    SLT_ACCECN_DEAF = 2,    /* its option was zeroed or lost: the ACE field alone counts */
    SLT_ACCECN_CHANGED = 4, /* octet counters moved since our option last left */
    SLT_ACCECN_FIRST = 8,   /* no segment without SYN was seen from the peer yet */
    SLT_ACCECN_OWED = 16,   /* ACE told of marks whose octets no option has told of yet */
    SLT_ACCECN_VOID = 32    /* the peer's ACE field means nothing: it is not answered */
};

/* ecn.c, fastopen.c: what only a handshake needs. */
struct slt_tcp_opening {
    uint8_t ecn_asked;    /* enum slt_tcp_ecn_wish of the first SYN */
    uint8_t ecn_said;     /* ... of the last SYN that left */
    uint8_t ecn_arrived;  /* code point of the peer's SYN, for our SYN,ACK */
    uint8_t fast_open;    /* enum slt_tcp_fast_open */
    uint8_t cookie_bytes; /* of the server we know, or of what our SYN,ACK hands out */
    bool waits;           /* the SYN waits for data to take along */
    uint16_t mss;         /* the server's, as far as remembered; 0: not */
    uint16_t syn_bytes;   /* of data that left on our SYN */
    uint8_t cookie[16];
};

enum slt_tcp_ecn_wish { SLT_ECN_ASK_NOT, SLT_ECN_ASK_CLASSIC, SLT_ECN_ASK_ACCURATE };

enum slt_tcp_fast_open {
    SLT_FAST_OPEN_NOT,
    SLT_FAST_OPEN_ASK,  /* the SYN asks for a cookie */
    SLT_FAST_OPEN_SEND, /* the SYN carries a cookie, and data if some waits */
    SLT_FAST_OPEN_GIVE  /* the SYN,ACK hands out a cookie */
};

/* What exists only while a handshake runs, bytes wait or are in flight; and what it keeps of that
 * when it rests (cold.c). */
struct slt_tcp_cold {
    uint32_t index; /* its own in the pool; the pool's link while free, so it must be first */
    uint32_t conn;  /* whose it is */
    int64_t due_at_ns[SLT_TIMER_COLD_COUNT]; /* timers.c */
    int64_t due_from_ns;                     /* timers.c: none of them is due before this */
    struct slt_tcp_recovery recovery;
    struct slt_tcp_cc cc;
    struct slt_tcp_rate rate;
    struct slt_tcp_pacing pacing;
    struct slt_tcp_held held;
    struct slt_tcp_tune tune;
    struct slt_tcp_pmtud pmtud;
    int64_t progress_at_ns; /* when una last advanced, or data first waited (user timeout) */
    int64_t small_pos;      /* output.c: end of the last partial segment sent (Minshall) */
    uint16_t size_sent;     /* largest IP packet in flight (RFC 5927 7.2) */
    uint16_t pmtu_hint;     /* a path MTU message waiting for proof; 0: none */
    bool resting;           /* folded: what stands above starts anew with the next use */
    bool listed;            /* cold.c: among those that rest and may be taken */
    struct slt_tcp_opening opening;
    struct slt_tcp_limits limits; /* from here on: what survives a rest */
    struct slt_tcp_min_rtt min_rtt;
    struct slt_tcp_tally tally;
    uint64_t retransmitted_bytes;
    uint64_t delivered;
    uint32_t data_segs_out;
    uint32_t held_segs;  /* receive.c: that came with others missing before them */
    uint32_t rest_older; /* cold.c: neighbours in the list of those that rest */
    uint32_t rest_newer;
    int64_t rested_at_ns;
    struct slt_tcp_accecn accecn;
};

/* cold.c: the blocks that rest and may be taken, by when they were last in use. A megabyte, so that
 * the cost of a million idle connections stays that of their objects. */
#define SLT_TCP_RESTS_MAX 1024U
struct slt_tcp_rests {
    uint32_t oldest;
    uint32_t newest;
    uint32_t count;
};

/* isn.c: the hash of a tuple that an ISN was made for. */
#define SLT_TCP_KEYED_COUNT 32U /* a power of two */
struct slt_tcp_keyed {
    struct slt_tcp_id id;
    bool known;
    uint64_t hash; /* the lower half for the ISN, the upper one for the timestamps' offset */
};

/* The engine of one instance: pools handed in, keys, and what the connections share. */
struct slt_tcp {
    const struct salut_config *config;
    struct slt_pool conns;
    struct slt_pool colds;
    struct slt_tcp_rests rests;
    struct slt_pool bufs;
    struct slt_loans loans; /* memory of the users' that send queues refer to */
    struct slt_pool ranges;
    struct slt_pool records; /* of what was sent: one for each connection, and records_max */
    struct slt_telemetry *telemetry;
    struct slt_sipkey isn_key; /* of ISNs and timestamp offsets */
    struct slt_tcp_keyed keyed[SLT_TCP_KEYED_COUNT];
    struct slt_sipkey cookie_key;
    struct slt_sipkey fast_open_key;
    uint64_t work;           /* loop steps, so that bounds are tested in steps */
    uint32_t records_common; /* records taken from records_max */
    uint32_t cookie_secret;  /* changes the cookie's counter origin */
    bool isn_fixed;          /* tests: the next ISN is isn_next */
    uint32_t isn_next;
};

static inline struct slt_tcp_conn *slt_tcp_conn_at(const struct slt_tcp *tcp, uint32_t index)
{
    return slt_pool_at_typed(&tcp->conns, index, (uint32_t)sizeof(struct slt_tcp_conn));
}

/* Its cold block, unless that rests. */
static inline struct slt_tcp_cold *slt_tcp_awake(const struct slt_tcp_conn *c)
{
    return c->cold != NULL && !c->cold->resting ? c->cold : NULL;
}

/* The congestion control chosen for it: enum salut_cc. */
static inline uint8_t slt_tcp_cc_of(const struct slt_tcp_conn *c)
{
    return (uint8_t)(c->opts.cc & ~SLT_OPTS_PACED);
}

static inline bool slt_tcp_has(const struct slt_tcp_conn *c, uint32_t flags)
{
    return (c->flags & flags) != 0;
}

/* The position behind the last queued byte: where the FIN stands, if one is queued. */
static inline int64_t slt_tcp_snd_end(const struct slt_tcp_conn *c)
{
    return slt_max64(c->snd.una, 1) + c->snd.queue.bytes;
}

/* Bytes queued and never sent, when everything below `nxt` has been. */
static inline int64_t slt_tcp_unsent_bytes(const struct slt_tcp_conn *c, int64_t nxt)
{
    return slt_tcp_snd_end(c) - slt_max64(nxt, 1);
}

/* The user has closed, and our FIN has not been sent yet. */
static inline bool slt_tcp_fin_waits(const struct slt_tcp_conn *c)
{
    return slt_tcp_has(c, SLT_CONN_FIN_QUEUED) && !slt_tcp_has(c, SLT_CONN_FIN_SENT);
}

/* Octets in flight: sent, and neither acknowledged nor SACKed nor taken as lost. */
static inline int64_t slt_tcp_flight(const struct slt_tcp_conn *c, const struct slt_tcp_recovery *r)
{
    return c->snd.nxt - c->snd.una - r->records.lost_bytes - r->records.sacked_bytes -
           r->newreno.left_bytes;
}

/* The position of our FIN; meaningful only with SLT_CONN_FIN_QUEUED. Once the FIN is acknowledged
 * una lies behind it and the queue is empty. */
static inline int64_t slt_tcp_fin_pos(const struct slt_tcp_conn *c)
{
    return slt_tcp_snd_end(c);
}

_Static_assert(sizeof(struct slt_tcp_conn) <= 376, "an idle connection and its bucket fit in 384");

#endif
