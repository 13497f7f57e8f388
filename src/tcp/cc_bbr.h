/* BBR's shared vocabulary: states, constants and small arithmetic of cc_bbr.c (the events, window
 * and pace), cc_bbr_cycle.c (the state machine) and cc_bbr_model.c (what is believed of the path).
 * Calls go in that order.
 */
#ifndef SLT_TCP_CC_BBR_H
#define SLT_TCP_CC_BBR_H

#include "tcp/cc_ops.h"

enum bbr_phase {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_DOWN,
    BBR_CRUISE,
    BBR_REFILL,
    BBR_UP,
    BBR_PROBE_RTT,
    BBR_PHASE_COUNT
};

/* What the acknowledgements that come in are reactions to. */
enum bbr_ack_phase {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_PROBE_STARTING,
    BBR_ACKS_PROBE_FEEDBACK,
    BBR_ACKS_PROBE_STOPPING
};

enum bbr_flag {
    BBR_STARTED = 1,      /* an acknowledgement has been seen */
    BBR_FULL_BW_NOW = 2,  /* the rate has stopped growing */
    BBR_FULL_BW_EVER = 4, /* ... once since Startup began: the pipe is full */
    BBR_LOSS_IN_ROUND = 8,
    BBR_PROBE_SAMPLES = 16,  /* what comes back was sent while probing upwards */
    BBR_ROUND_DONE = 32,     /* ProbeRTT has lasted a round */
    BBR_IDLE_RESTART = 64,   /* the first round trip after idling: no ProbeRTT needed */
    BBR_PROBE_RTT_DUE = 128, /* no new minimum for five seconds */
    BBR_AFTER_REST = 256,    /* what comes back was sent during ProbeRTT: it measures our rest */
    BBR_HEAVY_IN_ROUND = 512 /* more of the flight was lost than LossThresh */
};

#define BBR_NO_BOUND       UINT32_MAX
#define BBR_BW_UNIT        16
#define BBR_DOWN_PERCENT   90 /* BBR-02: the pace of Down */
#define BBR_MIN_PIPE_SEGS  4  /* BBR-05 */
#define BBR_MARGIN_PERCENT 1  /* BBR-05: the pace stays so far below the estimate */
#define BBR_BETA_PERCENT   70 /* BBR-05 */
#define BBR_RTT_US_MAX     (UINT32_C(1) << 26)

/* One acknowledgement on its way through. */
struct bbr_in {
    const struct slt_cc_ack *ack;
    uint32_t bw; /* this acknowledgement's rate sample; 0: none */
    uint32_t now_ms;
    bool round_start;
    bool loss_round_start;
};

static inline bool bbr_has(const struct slt_cc_bbr *b, unsigned flag)
{
    return (b->flags & flag) != 0;
}

static inline void bbr_mark(struct slt_cc_bbr *b, unsigned flag, bool on)
{
    b->flags = (uint16_t)(on ? b->flags | flag : b->flags & ~flag);
}

static inline uint32_t bbr_max_bw(const struct slt_cc_bbr *b)
{
    return slt_max32(b->max_bw[0], b->max_bw[1]);
}

/* BBR-07 */
static inline uint32_t bbr_bw(const struct slt_cc_bbr *b)
{
    return slt_min32(bbr_max_bw(b), b->bw_shortterm);
}

static inline bool bbr_in_probe_bw(const struct slt_cc_bbr *b)
{
    return b->phase >= BBR_DOWN && b->phase <= BBR_UP;
}

static inline uint32_t bbr_min_pipe(uint32_t mss)
{
    return BBR_MIN_PIPE_SEGS * mss;
}

static inline uint32_t bbr_scale(uint32_t value, uint32_t percent)
{
    uint64_t scaled = (uint64_t)value * percent / 100;

    return value == BBR_NO_BOUND ? value : (uint32_t)slt_min64((int64_t)scaled, UINT32_MAX - 1);
}

/* Octets in flight that fill the path at `bw`, times the gain. */
static inline uint32_t bbr_bdp(const struct slt_cc_bbr *b, uint32_t bw, uint32_t gain_percent)
{
    uint64_t rtt_us = slt_min32(b->min_rtt_us, BBR_RTT_US_MAX);
    uint64_t bdp = (uint64_t)bw * BBR_BW_UNIT * rtt_us / 1000000;

    return bbr_scale(slt_cc_clamp(bdp), gain_percent);
}

/* cc_bbr_model.c */
void bbr_model_init(struct slt_cc_bbr *b);
void bbr_start_round(struct slt_cc_bbr *b, const struct slt_cc_ack *ack);
void bbr_reset_full_bw(struct slt_cc_bbr *b, uint32_t bw);
void bbr_reset_shortterm(struct slt_cc_bbr *b);
void bbr_reset_signals(struct slt_cc_bbr *b);
void bbr_advance_filter(struct slt_cc_bbr *b);
void bbr_note_loss(struct slt_cc_bbr *b, uint32_t delivered_low);
void bbr_model_on_ack(struct slt_tcp_cc *cc, struct bbr_in *in);
void bbr_model_advance(struct slt_cc_bbr *b, const struct bbr_in *in);
void bbr_update_min_rtt(struct slt_cc_bbr *b, const struct bbr_in *in);
bool bbr_inflight_too_high(const struct slt_cc_bbr *b, const struct slt_cc_ack *ack);
uint32_t bbr_quantum(const struct slt_cc_bbr *b, uint32_t mss);
uint32_t bbr_inflight(const struct slt_cc_bbr *b, uint32_t bw, uint32_t gain_percent, uint32_t mss);
uint32_t bbr_with_headroom(const struct slt_cc_bbr *b, uint32_t mss);
uint32_t bbr_probe_rtt_cwnd(const struct slt_cc_bbr *b, uint32_t mss);

/* cc_bbr_cycle.c */
void bbr_enter_startup(struct slt_cc_bbr *b);
void bbr_enter_cruise(struct slt_cc_bbr *b, const struct slt_cc_ack *ack, uint32_t now_ms);
void bbr_probe_up_again(struct slt_tcp_cc *cc, uint32_t mss);
void bbr_cycle_on_ack(struct slt_tcp_cc *cc, const struct bbr_in *in);
void bbr_cycle_probe_rtt(struct slt_tcp_cc *cc, const struct bbr_in *in);
void bbr_on_mark(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss);

#endif
