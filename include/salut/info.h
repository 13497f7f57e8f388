/* What a connection can tell about itself: all of Linux's tcp_info that has a meaning here, and
 * the history of its states.
 */
#ifndef SALUT_INFO_H
#define SALUT_INFO_H

#include "salut/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SALUT_HISTORY_MAX 4

/* One change of state. */
struct salut_history {
    int64_t at_ns; /* when, in the stack's time, to the microsecond */
    uint8_t from;  /* enum salut_state */
    uint8_t to;
    uint8_t reason; /* salut_reason_token() names it */
};

enum salut_object_kind {
    SALUT_IS_CONN,
    SALUT_IS_HALF_OPEN,
    SALUT_IS_TIME_WAIT,
    SALUT_IS_LISTENER,
    SALUT_IS_UDP
};

enum salut_ca_state {
    SALUT_CA_OPEN,     /* no loss in sight */
    SALUT_CA_DISORDER, /* duplicate ACKs or SACKs came */
    SALUT_CA_CWR,      /* window reduced for ECN */
    SALUT_CA_RECOVERY, /* fast recovery */
    SALUT_CA_LOSS      /* after a retransmission timeout */
};

/* Why the sender does not send more than it does. */
enum salut_limit {
    SALUT_LIMIT_NOTHING,     /* there is nothing to send, and nothing in flight */
    SALUT_LIMIT_APPLICATION, /* everything it was given is sent (or held on the user's wish) */
    SALUT_LIMIT_CWND,        /* the congestion window */
    SALUT_LIMIT_PEER_WINDOW, /* the peer's receive window */
    SALUT_LIMIT_SEND_BUFFER, /* the send buffer is full of sent data: it is too small for the path
                              */
    SALUT_LIMIT_PACING,      /* the pace */
    SALUT_LIMIT_COUNT
};

struct salut_info {
    uint8_t object;  /* enum salut_object_kind */
    uint8_t state;   /* enum salut_state; UDP: ESTABLISHED with a peer, CLOSED without */
    uint8_t passive; /* opened by the peer */
    uint8_t orphan;  /* the user has let go of it */
    uint8_t waiting; /* open, and in its listener's queue: nobody has accepted it */
    salut_addr local;
    salut_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
    uint64_t user;
    int64_t age_ns;       /* in this state */
    uint8_t timer;        /* the next timer: enum slt_tcp_timer + 1; 0 none */
    int64_t timer_in_ns;  /* how long until it fires */
    uint32_t status;      /* enum salut_status the connection ended with, SALUT_OK while it lives */
    uint32_t soft_status; /* last soft ICMP error, SALUT_OK when none */
    uint8_t end_reason;   /* why it left ESTABLISHED or ended */

    /* Negotiated. */
    uint8_t wscale_ok, send_wscale, recv_wscale, sack_ok, timestamps_ok, ecn_ok;
    uint8_t ecn_accurate; /* the marks are counted (RFC 9768), not only echoed */
    uint8_t fast_open;    /* the data of the SYN was taken by its receiver (RFC 7413) */
    uint16_t send_mss;    /* payload bytes of a full segment to the peer */
    uint16_t peer_mss;    /* the MSS option the peer sent, or the default */
    uint16_t advertised_mss;
    uint16_t recv_mss; /* estimate of the peer's segment payload */
    uint32_t pmtu;

    /* Sending. Positions are relative to the initial sequence number. */
    uint32_t send_isn;
    int64_t send_una, send_nxt;
    uint32_t send_window, send_window_max;
    uint32_t send_queued; /* bytes accepted and not yet acknowledged */
    uint32_t send_unsent; /* ... of them never sent */
    uint32_t send_buffer;
    uint8_t fin_queued, fin_sent, fin_acked;

    /* Receiving. */
    uint32_t recv_isn;
    int64_t recv_nxt;
    int64_t recv_edge;    /* right edge of the window last advertised */
    uint32_t recv_window; /* ... from recv_nxt */
    uint32_t recv_queued; /* bytes to be read */
    uint32_t recv_out_of_order;
    uint32_t recv_runs; /* out-of-order runs */
    uint32_t recv_buffer;
    uint8_t fin_received;

    /* Time. */
    uint32_t srtt_us, rttvar_us, rtt_min_us, rto_us;
    uint8_t backoff; /* consecutive timeouts */
    uint8_t probes;  /* unanswered window or keep-alive probes */

    /* Congestion. */
    uint8_t ca_state; /* enum salut_ca_state */
    uint32_t cwnd_bytes, ssthresh_bytes, flight_bytes;
    uint32_t sacked_segments, lost_segments, retrans_segments, reordering;

    uint8_t congestion;     /* enum salut_cc */
    uint8_t paced;          /* sending is spaced out */
    uint64_t pacing_rate;   /* bytes per second it would be or is paced at; 0: not known yet */
    uint64_t pacing_max;    /* bytes per second, the user's bound; 0: none */
    uint64_t delivery_rate; /* bytes per second, of the last sample */
    uint8_t delivery_app_limited; /* ... which the application kept low */

    /* What the sender waits for, now, and for how long it has in all; busy is the sum of all but
     * SALUT_LIMIT_NOTHING. Of a thousand idle connections of an instance these totals, and those of
     * round trips, of octets delivered and of what was sent again, are kept; of more, those that
     * were in use last keep them, and the others begin anew with their next use. */
    uint8_t limited_by; /* enum salut_limit */
    int64_t busy_ns;
    int64_t limited_ns[SALUT_LIMIT_COUNT];

    /* Round trips, to an eighth, of late ones more than of early ones; 0: no sample. */
    uint32_t rtt_p50_us, rtt_p90_us, rtt_p99_us;

    /* Totals. */
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retransmitted;
    uint32_t segs_in, segs_out; /* frames: what offloads carry as one counts as one */
    uint32_t retransmits;       /* segments sent again */
    uint32_t data_segs_in;      /* UDP alone: what TCP took is counted in octets */
    uint32_t data_segs_out;
    uint64_t delivered;
    uint32_t ce_received; /* accurate ECN: packets that came with a congestion mark */
    uint32_t ce_told;     /* ... and of ours, as far as the peer told */

    /* Losses, and what was found out about them. Kept over idle times as `limited_ns` is. */
    uint32_t recoveries;     /* reductions for losses that were found without a timeout */
    uint32_t timeouts;       /* the retransmission timer fired, with text or a FIN out */
    uint32_t ecn_reductions; /* ... for congestion marks alone */
    uint32_t undone;        /* of these, found spurious: windows as before (RFC 4015, 3708, 5682) */
    uint32_t dsack_dups;    /* segments that the peer says it had twice (RFC 2883) */
    uint32_t reord_seen;    /* sent once, and delivered after what was sent later (RFC 8985 6.2) */
    uint32_t recv_ooo_segs; /* of the peer's, that came with others missing before them */
    uint32_t recv_rtt_us;   /* round trip as the receiver of a bulk sees it; 0: not measured */

    uint32_t history_count;
    struct salut_history history[SALUT_HISTORY_MAX]; /* oldest first */

    /* UDP; of what stands above: addresses, ports, user, the two statuses, pmtu (with a peer),
     * queues and buffers (bytes, what stands before each datagram counted), bytes and segments,
     * which are datagrams. */
    uint32_t recv_datagrams; /* that wait to be read */
    uint32_t send_datagrams; /* that wait to be sent */
    uint32_t drops;          /* datagrams that found the receive queue full */
};

#ifdef __cplusplus
}
#endif

#endif
