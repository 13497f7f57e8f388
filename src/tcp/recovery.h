/* Loss recovery's own page: its state, grouped by the file that writes it, and what its files know
 * of one another. The rest of the engine sees recovery.c's doors (engine.h).
 *
 *   recovery    the coordinator: open, disorder, cwr, recovery, loss
 *   scoreboard  what an acknowledgement delivers (RFC 2018, 2883)
 *   lost        taking octets as lost, on whoever's word
 *   rack        what is lost, by time (RFC 8985 6)
 *   tlp         the tail loss probe (RFC 8985 7)
 *   newreno     what is lost, by duplicate ACKs, for a peer without SACK (RFC 6582, 3042)
 *   undo        was it lost at all? (RFC 5682, 3522, 4015, 3708)
 *   prr         how much may leave during an episode (RFC 9937)
 *   records     what was sent, when, and what became of it
 */
#ifndef SLT_TCP_RECOVERY_H
#define SLT_TCP_RECOVERY_H

#include "base/buf.h"
#include "tcp/records.h"

struct slt_cc_ack;
struct slt_tcp_conn;
struct slt_tcp_cold;
struct slt_tcp_in;

/* rack.c */
struct slt_rack {
    int64_t end;             /* of the newest delivered octets: RACK.end_seq; 0: none yet */
    uint32_t order;          /* ... which transmission they were: for RACK.xmit_ts */
    int64_t fack;            /* highest position delivered */
    int64_t peak_since_ns;   /* since when peak_us counts */
    int64_t dsack_round;     /* window growth: not again before this is acknowledged; 0: any time */
    uint32_t rtt_us;         /* round trip of the newest delivered: RACK.rtt */
    uint32_t peak_us;        /* the largest RACK.rtt of this reordering window's time */
    uint32_t peak_last_us;   /* ... and of the one before */
    uint8_t window_quarters; /* reordering window in quarters of the smallest round trip */
    uint8_t persist;         /* recoveries until the window shrinks again */
    bool reordering_seen;
    uint32_t late_segs; /* records that came, sent once, after what was sent later */
};

/* tlp.c */
struct slt_tlp {
    int64_t end;      /* SND.NXT when the probe left; 0: no probe is out */
    bool retransmits; /* the probe sent something again */
    bool rtt_seen;    /* a round trip was measured since the last probe */
};

/* newreno.c */
struct slt_newreno {
    uint32_t left_bytes; /* what duplicate ACKs say has left the network above SND.UNA */
    uint16_t dup_acks;   /* in a row */
    bool partial_seen;   /* a partial ACK was seen in this episode */
};

/* undo.c: the evidence for and against the episode that runs, or the last one. */
struct slt_undo {
    int64_t from;         /* SND.UNA when it began */
    int64_t to;           /* SND.NXT when it began, and beyond all that was sent again in it */
    int64_t sent_bytes;   /* sent again in it, less what D-SACK reported as needless */
    int64_t doubt_bytes;  /* ... less what was delivered sooner than a round trip after */
    int64_t resent_at_ns; /* when something last was */
    uint32_t stamp;       /* timestamp of its first retransmission, when stamped */
    bool open;            /* windows were reduced, and may still be restored */
    bool stamped;
    bool sent;    /* something was sent again */
    bool hold;    /* F-RTO: new octets go now, not what counts as lost */
    uint8_t frto; /* the step of RFC 5682 2.1 it has come to; 0: it does not run */
};

/* prr.c */
struct slt_prr {
    int64_t delivered_bytes; /* since the episode began */
    int64_t out_bytes;
    int64_t flight_bytes; /* RecoverFS; 0: the episode is not prr.c's */
};

/* recovery.c: what the episodes of a connection came to. It survives a rest. */
struct slt_tcp_tally {
    uint64_t dup_bytes;  /* octets of text that the peer says it had twice (D-SACK) */
    uint32_t dup_segs;   /* ... in so many segments at the least */
    uint32_t recoveries; /* reductions for losses that were found without a timeout */
    uint32_t timeouts;   /* ... and how often the retransmission timer fired */
    uint32_t marked;     /* reductions for congestion marks alone */
    uint32_t undone;     /* episodes that were found spurious, and their reduction undone */
    bool path_copies;    /* the path makes duplicates: what D-SACK reports acquits nobody */
};

/* The recovery group of a cold block. */
struct slt_tcp_recovery {
    struct slt_records records;
    struct slt_rack rack;
    struct slt_tlp tlp;
    struct slt_newreno newreno;
    struct slt_undo undo;
    struct slt_prr prr;
    int64_t recover;           /* the episode ends when all below is acknowledged (RecoveryPoint) */
    uint32_t order;            /* of the last transmission */
    uint32_t timed_lost_bytes; /* found by the reordering timer: the next acknowledgement tells */
    int64_t rtx_near_pos;      /* a position in the send queue, */
    struct slt_cursor rtx_near; /* ... and where that lies, while it is above SND.UNA */
    uint8_t ca_state;           /* enum salut_ca_state */
    uint8_t rtx_why;            /* enum slt_reason of the next retransmission */
    uint8_t forced;             /* one retransmission leaves whatever the window says */
    uint8_t timeouts;           /* in a row, with nothing acknowledged between (R1, R2) */
    uint8_t syn_timeouts;       /* SYNs sent again */
    uint8_t probes;             /* window probes without any answer */
    uint8_t probe_backoff;
    uint8_t alive; /* something was heard since the last timeout */
};

/* What one acknowledgement delivered: gathered by scoreboard.c, judged by the others. */
struct slt_delivery {
    int64_t timed_at_ns;      /* when the newest octets sent only once had left; SLT_NEVER: none */
    uint32_t acked_bytes;     /* SND.UNA moved so far, SYN excluded */
    uint32_t delivered_bytes; /* octets the peer is known to have for the first time */
    uint32_t sacked_bytes;    /* ... of them by SACK */
    uint32_t lost_bytes;      /* taken as lost while it was worked on */
    uint32_t early_bytes;     /* sent again, and delivered before that copy can have been */
    uint32_t dsack_bytes;     /* of octets sent again in the episode that may be undone */
    int64_t dsack_start;      /* where the duplicate begins */
    int64_t dsack_end;        /* ... and ends */
    bool dsack;               /* it reports a duplicate */
    bool sack_blocks;         /* it carries SACK blocks at all */
    bool original;            /* octets sent once, before the episode, were delivered */
    bool resent;              /* octets sent again were delivered, or cannot be ruled out */
    bool reneged;             /* SND.UNA stands at octets that were SACKed */
};

/* recovery.c: true when what an acknowledgement says of losses changes nothing (debug builds) */
bool slt_tcp_recovery_finds_nothing(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    struct slt_tcp_in *in, struct slt_delivery *d,
                                    struct slt_cc_ack *ack);

/* scoreboard.c */
void slt_scoreboard_take(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                         struct slt_delivery *d);
bool slt_scoreboard_reneged(const struct slt_tcp *tcp, const struct slt_tcp_conn *c);

/* lost.c */
void slt_lost_mark(struct slt_tcp *tcp, struct slt_tcp_cold *cold, uint32_t index,
                   struct slt_delivery *d);
uint32_t slt_lost_mark_range(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start,
                             int64_t end);
void slt_lost_mark_gaps(struct slt_tcp *tcp, struct slt_tcp_conn *c);

/* rack.c */
void slt_rack_init(struct slt_rack *rack);
void slt_rack_keep(struct slt_rack *rack, const struct slt_rack *before);
bool slt_rack_on_delivered(struct slt_tcp_conn *c, const struct slt_record *record, int64_t end,
                           const struct slt_tcp_in *in);
void slt_rack_on_ack(struct slt_tcp_conn *c, bool dsack);
void slt_rack_on_spurious(struct slt_rack *rack, bool overtaken);
void slt_rack_on_episode_over(struct slt_rack *rack);
int64_t slt_rack_window_us(const struct slt_tcp_conn *c, const struct slt_tcp_recovery *r);
void slt_rack_detect(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_delivery *d,
                     int64_t now_ns);
void slt_rack_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);

/* tlp.c */
void slt_tlp_watch(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
bool slt_tlp_on_timer(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                      const struct slt_tcp_recovery *r);
void slt_tlp_on_sent(const struct slt_tcp_conn *c, struct slt_tlp *tlp, bool again);
bool slt_tlp_on_ack(struct slt_tlp *tlp, const struct slt_tcp_in *in, const struct slt_delivery *d);

/* newreno.c */
void slt_newreno_on_advance(struct slt_newreno *n, struct slt_delivery *d, int64_t above_bytes,
                            uint32_t mss);
bool slt_newreno_on_duplicate(struct slt_newreno *n, struct slt_delivery *d, int64_t above_bytes,
                              uint32_t mss);
void slt_newreno_bound(struct slt_newreno *n, int64_t most_bytes);
void slt_newreno_forget(struct slt_newreno *n);

/* undo.c */
bool slt_undo_waits(const struct slt_tcp_conn *c, const struct slt_undo *u, int64_t now_ns);
void slt_undo_begin(const struct slt_tcp_conn *c, struct slt_undo *u);
void slt_undo_join(const struct slt_tcp_conn *c, struct slt_undo *u);
void slt_undo_close(struct slt_undo *u);
void slt_undo_on_resent(const struct slt_tcp_conn *c, struct slt_undo *u, int64_t end,
                        uint32_t bytes, int64_t now_ns);
void slt_undo_on_delivered(struct slt_undo *u, const struct slt_delivery *d);
bool slt_undo_is_spurious(const struct slt_tcp_conn *c, const struct slt_tcp_recovery *r,
                          const struct slt_tcp_in *in, const struct slt_delivery *d);
void slt_undo_frto_begin(struct slt_undo *u);
void slt_undo_frto_end(struct slt_undo *u);
bool slt_undo_frto(const struct slt_tcp_conn *c, struct slt_tcp_recovery *r,
                   const struct slt_tcp_in *in, const struct slt_delivery *d, bool new_waits);

/* prr.c */
void slt_prr_begin(struct slt_prr *prr, int64_t flight_bytes);
int64_t slt_prr_on_ack(struct slt_prr *prr, int64_t flight_bytes, uint32_t ssthresh_bytes,
                       uint32_t mss, const struct slt_delivery *d);
void slt_prr_on_sent(struct slt_prr *prr, uint32_t bytes);
void slt_prr_end(struct slt_prr *prr);

#endif
