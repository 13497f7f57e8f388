/* Congestion control as the rest of the engine sees it (RFC 9293 3.8.2, MUST-19).
 *
 * recovery.c says what happened: what one acknowledgement delivered, that an episode of loss or of
 * ECN marks began, that it ended or was spurious, that the retransmission timer fired. The
 * algorithm answers with a window, a slow-start threshold and a pacing rate. Between on_congestion
 * and on_recovered the window itself is proportional rate reduction's (slt_cc_set_window), unless
 * the algorithm owns its window (BBR).
 *
 * Windows and counts are in octets of payload. The state lies by value in the cold block and folds
 * to a few octets while the connection is idle. Only files named cc*.c and hystart.c write it.
 */
#ifndef SLT_TCP_CC_H
#define SLT_TCP_CC_H

#include "base/time.h"
#include "salut/config.h"
#include "salut/info.h"
#include "tcp/rate.h"

#define SLT_CC_WINDOW_MAX (UINT32_C(1) << 30)

/* What one acceptable acknowledgement told; filled by recovery.c. */
struct slt_cc_ack {
    int64_t now_ns;
    int64_t prior_flight_bytes;  /* in flight before it */
    int64_t flight_bytes;        /* in flight after it */
    int64_t una;                 /* after it */
    int64_t nxt;                 /* after it */
    uint32_t acked_bytes;        /* cumulatively */
    uint32_t delivered_bytes;    /* cumulatively or by SACK for the first time */
    uint32_t lost_bytes;         /* newly marked lost by it */
    uint32_t mss;                /* payload of a full segment */
    uint32_t rtt_us;             /* this acknowledgement's sample, 0: none */
    uint32_t srtt_us;            /* 0: no sample yet */
    uint32_t min_rtt_us;         /* 0: no sample yet */
    uint32_t ce_bytes;           /* newly reported as marked (ECN) */
    uint8_t ca_state;            /* enum salut_ca_state after processing */
    bool cwnd_limited;           /* the window was what limited the sender (RFC 7661) */
    bool ece;                    /* it carries an ECN echo */
    bool reordering;             /* the path is known to reorder */
    struct slt_rate_sample rate; /* slt_rate_sample's; of use to who owns its window alone */
};

struct slt_cc_loss {
    int64_t now_ns;
    int64_t flight_bytes; /* in flight before anything was taken as lost */
    int64_t una;
    int64_t nxt;
    uint32_t mss;
    uint32_t lost_bytes;
    bool first; /* not the repeated timeout of the same octets (R5681-07) */
    bool joins; /* an undo of this reduction undoes the one before, too */
};

enum slt_cc_why { SLT_CC_LOSS, SLT_CC_ECN };

/* hystart.c: finds the end of slow start by delay (RFC 9406). */
struct slt_hystart {
    int64_t train_last_ns;    /* the last acknowledgement came then */
    int64_t train_busy_ns;    /* so long have they come close together, pauses left out */
    int64_t window_end;       /* the round ends when this position is acknowledged */
    uint32_t last_min_us;     /* of the last round, UINT32_MAX: none */
    uint32_t current_min_us;  /* of this round, UINT32_MAX: none */
    uint32_t css_baseline_us; /* the minimum that made us slow down */
    uint8_t samples;          /* in this round, saturating */
    uint8_t css_rounds;       /* conservative slow start: rounds begun; 0: not in it */
    bool over;                /* the initial slow start is over */
};

/* cc_cubic.c (RFC 9438). */
struct slt_cc_cubic {
    int64_t epoch_at_ns;    /* start of this congestion avoidance, SLT_NEVER: none */
    int64_t last_ack_at_ns; /* time without a limiting window does not count (RFC 9438 4.2) */
    uint32_t w_max_bytes;   /* window before the last reduction, 0: none */
    uint32_t w_epoch_bytes; /* window at the epoch's start */
    uint32_t w_prior_bytes; /* window before the last reduction: cwnd_prior */
    uint32_t w_est_bytes;   /* what Reno would have */
    uint32_t w_est_part;    /* of one octet more, in 2^-16 */
    uint32_t k_ms;
    uint32_t undo_w_max_bytes;
    uint32_t undo_w_prior_bytes;
    uint32_t undo_k_ms;
    uint32_t undo_w_epoch_bytes;
    uint32_t undo_w_est_bytes;
    int64_t undo_epoch_at_ns;
    struct slt_hystart hystart;
    bool undo_hystart_over;
};

/* cc_bbr*.c. Rates are in units of 16 octets per second, round trips in us, instants in the low 32
 * bits of ms; counts of delivered octets keep their low 32 bits. UINT32_MAX is "no bound". */
struct slt_cc_bbr {
    uint32_t max_bw[2]; /* of this and the last cycle of probing */
    uint32_t bw_latest;
    uint32_t bw_shortterm;
    uint32_t full_bw; /* what Startup and the upward probe compare with */
    uint32_t pacing_rate;
    uint32_t round_low; /* the round ends when what is sent from here on is delivered */
    uint32_t loss_round_low;
    uint32_t inflight_longterm;
    uint32_t inflight_shortterm;
    uint32_t inflight_latest;
    uint32_t min_rtt_us;
    uint32_t min_rtt_at_ms;
    uint32_t probe_min_us; /* smallest since ProbeRTT was last considered */
    uint32_t probe_min_at_ms;
    uint32_t probe_rtt_done_ms;
    uint32_t cycle_at_ms;
    uint32_t probe_wait_ms;
    uint32_t probe_up_acks;
    uint32_t probe_up_cnt;
    uint32_t extra_acked[2];
    uint32_t extra_at_us;
    uint32_t extra_delivered;
    uint32_t prior_cwnd;
    uint32_t undo_bw_shortterm;
    uint32_t undo_inflight_shortterm;
    uint32_t undo_inflight_longterm;
    uint32_t random;
    uint16_t flags;
    uint8_t phase; /* enum bbr_phase */
    uint8_t ack_phase;
    uint8_t undo_phase;
    uint8_t full_bw_count;
    uint8_t rounds_since_probe;
    uint8_t probe_up_rounds;
    uint8_t extra_rounds;
    uint8_t drain_rounds; /* since Startup or Up ended */
    uint8_t loss_events;  /* acknowledgements of this round that told of a loss */
    uint8_t cycle;        /* which of max_bw is being filled */
    uint8_t loss_percent; /* LossThresh: more is congestion */
};

enum slt_cc_episode { SLT_CC_NO_EPISODE, SLT_CC_REDUCING, SLT_CC_TIMED_OUT };

/* State by value. cwnd and ssthresh are everybody's to read. */
struct slt_tcp_cc {
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;
    uint32_t acked_bytes;     /* counted towards the next increase */
    uint32_t undo_cwnd_bytes; /* before the episode; 0: nothing to undo */
    uint32_t undo_ssthresh_bytes;
    uint32_t used_bytes;      /* most in flight at once since used_until was set */
    int64_t used_until;       /* position */
    uint8_t which;            /* enum salut_cc */
    bool limited;             /* the window held something back since then */
    uint8_t burst_segments;   /* slow start's increase per acknowledgement, at most */
    uint8_t episode;          /* enum slt_cc_episode */
    uint32_t validated_at_ms; /* when the window was last used up, low 32 bits of ms */
    union {
        struct slt_cc_cubic cubic;
        struct slt_cc_bbr bbr;
    } of;
};
_Static_assert(sizeof(struct slt_tcp_cc) <= 192, "congestion control stays small");

/* What survives while nothing is in flight. */
struct slt_tcp_cc_fold {
    uint32_t cwnd_bytes; /* 0: never used */
    uint32_t ssthresh_bytes;
    uint32_t word;          /* the algorithm's own word */
    uint32_t idle_since_ms; /* low 32 bits of ms */
};

/* The window at the start of a connection: `which` is enum salut_cc. */
void slt_cc_init(struct slt_tcp_cc *cc, const struct salut_config *config, uint8_t which,
                 uint32_t mss, int64_t now_ns);
void slt_cc_fold(const struct slt_tcp_cc *cc, struct slt_tcp_cc_fold *fold);

/* The algorithm was changed while it was folded: only the windows stay. */
void slt_cc_forget(struct slt_tcp_cc_fold *fold);

/* Bring it back: `cc` is fresh from slt_cc_init. */
void slt_cc_unfold(struct slt_tcp_cc *cc, const struct slt_tcp_cc_fold *fold);

/* Go on with another algorithm (TCP_CONGESTION on a running connection). */
void slt_cc_switch(struct slt_tcp_cc *cc, const struct salut_config *config, uint8_t which,
                   uint32_t mss, int64_t now_ns);

/* The handshake lost more than one SYN (RFC 6928 2, R6928-02). */
void slt_cc_on_syn_lost(struct slt_tcp_cc *cc, uint32_t mss);

/* Nothing was sent for longer than the retransmission timeout (RFC 5681 4.1). */
void slt_cc_on_idle(struct slt_tcp_cc *cc, const struct salut_config *config, uint32_t mss);

/* The path's segment size changed (R5681-14). */
void slt_cc_on_mss(struct slt_tcp_cc *cc, uint32_t old_mss, uint32_t new_mss);

/* The algorithm sets its window itself, in recovery, too: nothing else may. */
bool slt_cc_owns_window(const struct slt_tcp_cc *cc);

/* Every acknowledgement that delivered something or brought an ECN echo. */
void slt_cc_on_ack(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack);

/* An episode begins: remembers what an undo needs and sets ssthresh. */
void slt_cc_on_congestion(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss,
                          enum slt_cc_why why);

/* The retransmission timer fired (and it was not a handshake). */
void slt_cc_on_timeout(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss);

/* Proportional rate reduction's word, during an episode; no effect when the window is owned. */
void slt_cc_set_window(struct slt_tcp_cc *cc, int64_t bytes, uint32_t mss);

/* The episode ended with what was lost delivered. */
void slt_cc_on_recovered(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack);

/* The episode was spurious: windows and state as before it (RFC 4015, RFC 9438 4.9). */
void slt_cc_undo(struct slt_tcp_cc *cc, uint32_t mss);

/* Something was sent and `flight_bytes` are in flight; `limited`: the window held more back.
 * Called by output.c once per turn in which something was sent. */
void slt_cc_on_flight(struct slt_tcp_cc *cc, int64_t flight_bytes, bool limited, int64_t una,
                      int64_t nxt);

/* The window is what limited the sender in this window of data (RFC 7661 4.2's question), for
 * slt_cc_ack.cwnd_limited. */
bool slt_cc_is_limited(const struct slt_tcp_cc *cc);

/* Octets per second the algorithm wants to be paced at; 0: it knows no rate yet. */
uint64_t slt_cc_pacing_bytes_per_s(const struct slt_tcp_cc *cc, uint32_t srtt_us, uint32_t mss);

/* The algorithm cannot do without pacing. */
bool slt_cc_needs_pacing(const struct slt_tcp_cc *cc);

/* Names as in TCP_CONGESTION: "cubic", "reno", "bbr". */
const char *slt_cc_name(uint8_t which);
bool slt_cc_find(const char *name, uint32_t length, uint8_t *which);

#endif
