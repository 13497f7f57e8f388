/* Flows of a capture: connections as the packets between two ends, one incarnation each.
 *
 * A flow is found by its four-tuple. A SYN with another initial number over the same four-tuple
 * begins a new incarnation, which remembers the one before it: a port reused over TIME-WAIT is one
 * story. End 0 is the one that opened (or seems to have, where the capture began too late).
 *
 * Memory is bounded: so many flows, so many steps (one a packet) of a flow and of all together.
 * Of a longer flow the first half and the last half of what may be kept are kept. What did not fit
 * is counted. A packet costs no allocation: a flow's steps grow by doubling.
 */
#ifndef SLT_OBSERVE_EXPLAIN_FLOW_H
#define SLT_OBSERVE_EXPLAIN_FLOW_H

#include "observe/explain_packet.h"

#include <stddef.h>

struct slt_explain_limits {
    uint32_t flows_max;
    uint32_t steps_max;     /* of one flow */
    uint32_t all_steps_max; /* of all flows together */
};

/* What kind of segment a step is, beyond its flags. */
enum slt_explain_mark {
    SLT_MARK_NONE,
    SLT_MARK_SYN_AGAIN,
    SLT_MARK_RTO,           /* sent again after silence: the retransmission time-out */
    SLT_MARK_FAST,          /* sent again because later data was acknowledged (RFC 5681, 8985) */
    SLT_MARK_TAIL_PROBE,    /* the last segment again, soon (RFC 8985 7) */
    SLT_MARK_SPURIOUS,      /* sent again after its acknowledgement had passed here */
    SLT_MARK_OUT_OF_ORDER,  /* overtaken by a later one, not sent again */
    SLT_MARK_WINDOW_PROBE,  /* into a window that the other end has closed */
    SLT_MARK_KEEPALIVE,     /* one number back, the window open */
    SLT_MARK_CHALLENGE_ACK, /* the answer to a SYN or RST that does not fit (RFC 5961) */
    SLT_MARK_DUPLICATE_ACK,
    SLT_MARK_WINDOW_UPDATE,
    SLT_MARK_COUNT
};

enum slt_explain_note {
    SLT_REMARK_COPY = 1, /* captured twice: not looked at (CAP-1) */
    SLT_REMARK_CLIPPED = 2,
    SLT_REMARK_OFFLOADED = 4,    /* longer than the peer's MSS: cut below the capture (CAP-3) */
    SLT_REMARK_BAD_CHECKSUM = 8, /* of a packet that arrived: its receiver dropped it */
    SLT_REMARK_WINDOW_FULL = 16, /* fills the last window the other end has shown */
    SLT_REMARK_WINDOW_ZERO = 32, /* closes its own window */
    SLT_REMARK_UNSEEN = 64,      /* acknowledges what the capture does not hold (CAP-2) */
    SLT_REMARK_DSACK = 128,      /* reports that data arrived twice (RFC 2883) */
    SLT_REMARK_HOLE = 256,       /* leaves out numbers that were not seen before it */
    SLT_REMARK_STAMPED = 512,    /* has timestamps */
    SLT_REMARK_CONGESTED = 1024  /* a router marked it (RFC 3168) */
};

/* One packet of a flow, as it is kept. */
struct slt_explain_step {
    int64_t at_ns;
    uint32_t number; /* of the packet in the file */
    uint32_t seq;    /* as on the wire */
    uint32_t ack;
    uint32_t bytes;  /* of payload */
    uint32_t window; /* scaled */
    uint32_t sack_left;
    uint32_t sack_right; /* equal to sack_left: no block */
    uint32_t ts_val;     /* of the timestamps option, where the note says so */
    uint32_t ts_ecr;
    uint16_t flags;
    uint16_t notes; /* of enum slt_explain_note */
    uint8_t from;   /* which end sent it */
    uint8_t mark;   /* enum slt_explain_mark */
    uint8_t direction;
    uint8_t ttl;
};

#define SLT_EXPLAIN_COPIES 4U

/* Numbers that were passed over and not seen yet. */
struct slt_explain_hole {
    uint32_t left;
    uint32_t right;
    int64_t at_ns;
};

/* One end of a flow, as far as its packets tell. */
struct slt_explain_end {
    uint8_t addr[16];
    uint16_t port;
    bool seen; /* it has sent something */
    bool syn_seen;
    uint32_t isn;                   /* of its SYN; else one less than its first number seen */
    struct slt_tcp_options options; /* of its SYN */
    uint8_t shift;                  /* of its windows, when both ends scale */
    uint16_t raw_window;
    uint32_t window;  /* the last one, scaled; of a SYN never scaled */
    uint32_t end;     /* behind the last number it has sent */
    uint32_t offered; /* behind what it has offered: data on a SYN, or into a closed window */
    uint32_t acked;   /* the highest acknowledgement it has sent */
    bool has_acked;
    uint32_t ack_repeats; /* how often that one was repeated by a bare segment */
    bool sacks;           /* its last acknowledgement has a block beyond it */
    bool fin_seen;
    uint32_t fin_end; /* behind its FIN */
    bool reset;       /* it has sent RST */
    bool provoked;    /* by a SYN or RST that does not fit: a challenge ACK may follow */
    int64_t last_at_ns;
    int64_t last_data_at_ns; /* when it last sent payload, SYN or FIN */
    int64_t advanced_at_ns;  /* when its acknowledgements last advanced */
    uint8_t last_mark;
    uint32_t recover;     /* while sending again: what must be acknowledged for the end of it */
    uint8_t recover_mark; /* 0: not sending again */
    struct slt_explain_hole hole;
    uint32_t newest_stamp; /* of its timestamps; 0: none */
    /* The round trip between the capture and this end, of which the least is kept. */
    bool timing;
    uint32_t timed_end;
    int64_t timed_at_ns;
    int64_t delay_ns; /* -1: not known */
    uint32_t mss_seen;
    uint8_t ttl;
    struct slt_explain_copy {
        int64_t at_ns;
        uint32_t seq;
        uint32_t ack;
        uint32_t bytes;
        uint16_t flags;
        uint16_t checksum;
        uint16_t ip_id;
        uint8_t ttl;
        uint8_t direction;
        uint32_t interface_index;
    } copies[SLT_EXPLAIN_COPIES];
    uint32_t copy_at;
    /* Sums. */
    uint64_t packets;
    uint64_t payload; /* new bytes */
    uint64_t again;   /* bytes sent again */
    uint32_t marks[SLT_MARK_COUNT];
    uint32_t zero_windows;
    uint32_t full_windows;
    uint32_t clipped;
    uint32_t offloaded;
    uint32_t copies_seen;
    uint32_t unseen;
    uint32_t bad_checksums;
    uint32_t dsacks;
};

enum slt_explain_bucket {
    SLT_BUCKET_CONNECT,
    SLT_BUCKET_CLIENT,   /* the opener's program */
    SLT_BUCKET_SERVER,   /* the other end's */
    SLT_BUCKET_PATH,     /* waiting for what is under way */
    SLT_BUCKET_TRANSFER, /* data flowing, limited by congestion control or the sender */
    SLT_BUCKET_WINDOW,   /* data flowing, limited by the receiver's window */
    SLT_BUCKET_ZERO_WINDOW,
    SLT_BUCKET_RECOVERY, /* before a retransmission */
    SLT_BUCKET_DELAYED_ACK,
    SLT_BUCKET_HALF_CLOSED,
    SLT_BUCKET_CLOSE,
    SLT_BUCKET_COUNT
};

struct slt_explain_flow {
    struct slt_explain_flow *before;  /* the last incarnation of the four-tuple; NULL: none */
    struct slt_explain_flow *younger; /* in the order of birth */
    struct slt_explain_flow *meant;   /* whose segments came here untranslated; NULL: nobody's */
    uint32_t id;                      /* from 1 */
    uint32_t incarnation;             /* from 1 */
    uint32_t hash;
    bool opener_known;
    struct slt_explain_end end[2];
    int64_t first_at_ns;
    int64_t last_at_ns;
    int64_t watched_until_ns; /* the end of the capture, once it is settled */
    uint8_t last_from;
    bool connected; /* both SYNs, and the acknowledgement of the second, or data */
    int64_t connected_at_ns;
    int64_t bucket_ns[SLT_BUCKET_COUNT];
    uint64_t packets;
    /* The steps: the first `head_count`, then a ring. */
    struct slt_explain_step *steps;
    uint32_t step_room;
    uint32_t step_count;
    uint32_t head_count; /* steps that are never overwritten, once the flow is too long */
    uint32_t ring_at;    /* where in the ring the oldest is */
    uint64_t left_out;
};

struct slt_explain_flows {
    struct slt_explain_limits limits;
    struct slt_explain_flow **table; /* open addressing, by hash */
    uint32_t table_mask;
    struct slt_explain_flow *oldest;
    struct slt_explain_flow *youngest;
    uint32_t count;
    uint64_t steps;   /* room taken by all flows */
    uint64_t refused; /* packets of flows for which there was no room */
};

/* False: no memory. */
bool slt_explain_flows_init(struct slt_explain_flows *flows,
                            const struct slt_explain_limits *limits);
void slt_explain_flows_free(struct slt_explain_flows *flows);

/* The flow of a packet, made if there is none, and which end sent it; NULL: no room. */
struct slt_explain_flow *slt_explain_flow_of(struct slt_explain_flows *flows,
                                             const struct slt_explain_packet *packet,
                                             uint8_t *from);

/* Room for one more step; never NULL for a flow with room for one. */
struct slt_explain_step *slt_explain_step_add(struct slt_explain_flows *flows,
                                              struct slt_explain_flow *flow);

/* Put the steps in order, once no more are to come. */
void slt_explain_flow_settle(struct slt_explain_flow *flow);

/* Numbers compare around their wrap. */
static inline int32_t slt_explain_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* The numbers a step takes up. */
static inline uint32_t slt_explain_step_end(const struct slt_explain_step *step)
{
    return step->seq + step->bytes + ((step->flags & SLT_TCP_SYN) ? 1U : 0U) +
           ((step->flags & SLT_TCP_FIN) ? 1U : 0U);
}

#endif
