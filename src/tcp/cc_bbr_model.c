/* BBR's model of the path (version 3 draft): its bandwidth, its round trip, and how much may be in
 * flight.
 *
 * max_bw is the largest rate delivered in this and the last cycle of probing; min_rtt the smallest
 * round trip of ten seconds. Losses bound both from above: for the short term (bw_shortterm,
 * inflight_shortterm: this path just now, forgotten when probing anew) and for the long term
 * (inflight_longterm: what was in flight when a probe lost more than LossThresh, two per cent
 * unless the configuration says that the path loses more without being full).
 *
 * The draft lowers the short-term bounds after any round with a loss. Here it takes a round that
 * lost more than LossThresh, as in a probe: with one per cent of random losses every round of a
 * fast flow has some, and the bounds would end far below what the path carries. Nor are the rounds
 * heard in which a probe's own losses come back, after the bound for the long term has answered
 * them and while the flight drains: what was delivered then is little because little was sent, and
 * the bounds would keep the path a sixth empty until the next probe.
 */
#include "tcp/cc_bbr.h"

#define FULL_BW_PERCENT    125 /* BBR-03: growth below a quarter is none */
#define FULL_BW_ROUNDS     3
#define EXTRA_ROUNDS       5 /* half of the ten rounds extra_acked remembers */
#define HEADROOM_PERCENT   85
#define ECHO_ROUNDS        2 /* one until the probe's last losses are known, one that counts them */
#define CHANCE_SEGS        3 /* so few lost segments say nothing about a rate */
#define CHANCE_SHARE       8
#define MIN_RTT_WINDOW_MS  10000 /* BBR-06 */
#define PROBE_RTT_EVERY_MS 5000  /* BBR-06 */
#define QUANTUM_MAX        65536
#define QUANTUM_SEGS_LEAST 2
#define OFFLOAD_QUANTA     3
#define PROBE_RTT_PERCENT  50

void bbr_model_init(struct slt_cc_bbr *b)
{
    b->bw_shortterm = BBR_NO_BOUND;
    b->inflight_shortterm = BBR_NO_BOUND;
    b->inflight_longterm = BBR_NO_BOUND;
    b->undo_bw_shortterm = BBR_NO_BOUND;
    b->undo_inflight_shortterm = BBR_NO_BOUND;
    b->undo_inflight_longterm = BBR_NO_BOUND;
    b->min_rtt_us = UINT32_MAX;
    b->probe_min_us = UINT32_MAX;
}

void bbr_start_round(struct slt_cc_bbr *b, const struct slt_cc_ack *ack)
{
    b->round_low = (uint32_t)ack->rate.delivered_total_bytes;
}

void bbr_reset_full_bw(struct slt_cc_bbr *b, uint32_t bw)
{
    b->full_bw = bw;
    b->full_bw_count = 0;
    bbr_mark(b, BBR_FULL_BW_NOW, false);
}

void bbr_reset_shortterm(struct slt_cc_bbr *b)
{
    b->bw_shortterm = BBR_NO_BOUND;
    b->inflight_shortterm = BBR_NO_BOUND;
}

void bbr_reset_signals(struct slt_cc_bbr *b)
{
    bbr_mark(b, BBR_LOSS_IN_ROUND | BBR_HEAVY_IN_ROUND, false);
    b->loss_events = 0;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

/* A cycle is over: the oldest cycle's maximum is forgotten (BBR-07). */
void bbr_advance_filter(struct slt_cc_bbr *b)
{
    b->cycle ^= 1;
    b->max_bw[b->cycle] = 0;
}

/* The first loss of a round: the round of its consequences begins, and this is what a spurious one
 * goes back to (BBR-10). */
void bbr_note_loss(struct slt_cc_bbr *b, uint32_t delivered_low)
{
    if (!bbr_has(b, BBR_LOSS_IN_ROUND)) {
        b->loss_round_low = delivered_low;
        b->undo_phase = b->phase;
        b->undo_bw_shortterm = b->bw_shortterm;
        b->undo_inflight_shortterm = b->inflight_shortterm;
        b->undo_inflight_longterm = b->inflight_longterm;
    }
    bbr_mark(b, BBR_LOSS_IN_ROUND, true);
}

static bool passed(const struct slt_cc_ack *ack, uint32_t mark_low)
{
    return ack->rate.any && (int32_t)((uint32_t)ack->rate.prior_delivered_bytes - mark_low) >= 0;
}

static void update_rounds(struct slt_cc_bbr *b, struct bbr_in *in)
{
    in->round_start = passed(in->ack, b->round_low);
    if (in->round_start) {
        if (bbr_has(b, BBR_AFTER_REST)) {
            bbr_reset_signals(b);
            bbr_mark(b, BBR_AFTER_REST, false);
        }
        bbr_start_round(b, in->ack);
        b->rounds_since_probe = (uint8_t)slt_min32(b->rounds_since_probe + UINT32_C(1), UINT8_MAX);
        b->drain_rounds = (uint8_t)slt_min32(b->drain_rounds + UINT32_C(1), UINT8_MAX);
    }
    in->loss_round_start = passed(in->ack, b->loss_round_low);
    if (in->loss_round_start) {
        b->loss_round_low = (uint32_t)in->ack->rate.delivered_total_bytes;
    }
}

/* BBR-08: what the application kept low counts only when it is more than was known. */
static void update_max_bw(struct slt_cc_bbr *b, const struct bbr_in *in)
{
    if (in->bw > 0 && (!in->ack->rate.app_limited || in->bw >= bbr_max_bw(b))) {
        b->max_bw[b->cycle] = slt_max32(b->max_bw[b->cycle], in->bw);
    }
}

/* A bound stays when `latest` reaches what was offered under it, less our own margin and the losses
 * we bear: the path carries what it is given. Else it falls to what was delivered, by no more than
 * beta. Without the first rule, which the draft does not have, the bounds would follow their own
 * shadow down, one per cent a round and ten while draining, on any path that loses now and then. */
static uint32_t lowered(const struct slt_cc_bbr *b, uint32_t latest, uint32_t bound)
{
    uint32_t offered = b->phase == BBR_DOWN ? bbr_scale(bound, BBR_DOWN_PERCENT) : bound;

    if (latest >= bbr_scale(offered, 100 - BBR_MARGIN_PERCENT - b->loss_percent)) {
        return bound;
    }
    return slt_max32(latest, bbr_scale(bound, BBR_BETA_PERCENT));
}

/* A round with more losses than we bear, while not probing. */
static void adapt_lower_bounds(struct slt_tcp_cc *cc)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (b->phase == BBR_STARTUP || b->phase == BBR_REFILL || b->phase == BBR_UP ||
        !bbr_has(b, BBR_HEAVY_IN_ROUND) || bbr_has(b, BBR_AFTER_REST) ||
        b->drain_rounds <= ECHO_ROUNDS) {
        return;
    }
    if (b->bw_shortterm == BBR_NO_BOUND) {
        b->bw_shortterm = bbr_max_bw(b);
    }
    if (b->inflight_shortterm == BBR_NO_BOUND) {
        b->inflight_shortterm = cc->cwnd_bytes;
    }
    b->bw_shortterm = lowered(b, b->bw_latest, b->bw_shortterm);
    b->inflight_shortterm = lowered(b, b->inflight_latest, b->inflight_shortterm);
}

/* How many more octets than the bandwidth explains come at once: acknowledgements bunch. */
static void update_aggregation(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;
    uint32_t now_us = (uint32_t)(in->ack->now_ns / SLT_NS_PER_US);
    uint64_t since_us = now_us - b->extra_at_us;
    uint64_t expected = slt_cc_clamp((uint64_t)bbr_bw(b) * BBR_BW_UNIT *
                                     slt_min32((uint32_t)since_us, BBR_RTT_US_MAX) / 1000000);
    uint32_t window = bbr_has(b, BBR_FULL_BW_EVER) ? EXTRA_ROUNDS : 1;

    if (in->round_start && ++b->extra_rounds >= window) {
        b->extra_rounds = 0;
        b->extra_acked[1] = b->extra_acked[0];
        b->extra_acked[0] = 0;
    }
    if (b->extra_delivered <= expected) {
        b->extra_delivered = 0;
        b->extra_at_us = now_us;
        expected = 0;
    }
    b->extra_delivered = slt_cc_clamp((uint64_t)b->extra_delivered + in->ack->delivered_bytes);
    uint32_t extra = b->extra_delivered - (uint32_t)expected;
    b->extra_acked[0] = slt_max32(b->extra_acked[0], slt_min32(extra, cc->cwnd_bytes));
}

/* BBR-03: three rounds in which the rate did not grow by a quarter. */
static void check_full_bw(struct slt_cc_bbr *b, const struct bbr_in *in)
{
    if (bbr_has(b, BBR_FULL_BW_NOW) || in->ack->rate.app_limited || in->bw == 0) {
        return;
    }
    if (b->full_bw == 0 || in->bw >= bbr_scale(b->full_bw, FULL_BW_PERCENT)) {
        bbr_reset_full_bw(b, in->bw);
        return;
    }
    if (in->round_start && ++b->full_bw_count >= FULL_BW_ROUNDS) {
        bbr_mark(b, BBR_FULL_BW_NOW | BBR_FULL_BW_EVER, true);
    }
}

void bbr_model_on_ack(struct slt_tcp_cc *cc, struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;
    const struct slt_cc_ack *ack = in->ack;

    if (ack->lost_bytes > 0) {
        bbr_note_loss(b, (uint32_t)ack->rate.delivered_total_bytes);
        b->loss_events = (uint8_t)slt_min32(b->loss_events + UINT32_C(1), UINT8_MAX);
        if (bbr_inflight_too_high(b, ack)) {
            bbr_mark(b, BBR_HEAVY_IN_ROUND, true);
        }
    }
    update_rounds(b, in);
    b->bw_latest = slt_max32(b->bw_latest, in->bw);
    b->inflight_latest = slt_max32(b->inflight_latest, ack->rate.delivered_bytes);
    update_max_bw(b, in);
    if (in->loss_round_start) {
        adapt_lower_bounds(cc);
    }
    update_aggregation(cc, in);
    check_full_bw(b, in);
}

/* After the state machine has looked: a new round of signals begins. */
void bbr_model_advance(struct slt_cc_bbr *b, const struct bbr_in *in)
{
    if (in->loss_round_start) {
        bbr_mark(b, BBR_LOSS_IN_ROUND, in->ack->lost_bytes > 0);
        bbr_mark(b, BBR_HEAVY_IN_ROUND, false);
        b->loss_events = 0;
        b->bw_latest = in->bw;
        b->inflight_latest = in->ack->rate.delivered_bytes;
    }
}

/* BBR-06 */
void bbr_update_min_rtt(struct slt_cc_bbr *b, const struct bbr_in *in)
{
    uint32_t rtt_us = in->ack->rtt_us;
    bool due = in->now_ms - b->probe_min_at_ms > PROBE_RTT_EVERY_MS;

    bbr_mark(b, BBR_PROBE_RTT_DUE, due);
    if (rtt_us > 0 && (rtt_us < b->probe_min_us || due)) {
        b->probe_min_us = rtt_us;
        b->probe_min_at_ms = in->now_ms;
    }
    if (b->probe_min_us < b->min_rtt_us || in->now_ms - b->min_rtt_at_ms > MIN_RTT_WINDOW_MS) {
        b->min_rtt_us = b->probe_min_us;
        b->min_rtt_at_ms = b->probe_min_at_ms;
    }
}

/* BBR-05: more than LossThresh (two per cent) of what was in flight was lost. Two per cent of a
 * small flight is a segment or two, which a path that loses one per cent takes from every fifth
 * round trip: so many segments more are chance, but never more than an eighth of the flight. */
bool bbr_inflight_too_high(const struct slt_cc_bbr *b, const struct slt_cc_ack *ack)
{
    uint64_t flight = ack->rate.flight_bytes;
    uint64_t chance = slt_min32(CHANCE_SEGS * ack->mss, ack->rate.flight_bytes / CHANCE_SHARE);

    return ack->rate.any && ack->rate.lost_bytes > chance + flight * b->loss_percent / 100;
}

/* What leaves in one burst. */
uint32_t bbr_quantum(const struct slt_cc_bbr *b, uint32_t mss)
{
    uint64_t per_ms = (uint64_t)b->pacing_rate * BBR_BW_UNIT / 1000;

    return slt_max32((uint32_t)slt_min64((int64_t)per_ms, QUANTUM_MAX), QUANTUM_SEGS_LEAST * mss);
}

/* The flight for `gain`, with what bursts need on top. */
uint32_t bbr_inflight(const struct slt_cc_bbr *b, uint32_t bw, uint32_t gain_percent, uint32_t mss)
{
    uint32_t bytes = slt_max32(bbr_bdp(b, bw, gain_percent), OFFLOAD_QUANTA * bbr_quantum(b, mss));

    bytes = slt_max32(bytes, bbr_min_pipe(mss));
    return slt_cc_clamp((uint64_t)bytes + (b->phase == BBR_UP ? 2 * mss : 0));
}

/* What is in flight while cruising leaves others room to come in (BBR-05). */
uint32_t bbr_with_headroom(const struct slt_cc_bbr *b, uint32_t mss)
{
    if (b->inflight_longterm == BBR_NO_BOUND) {
        return BBR_NO_BOUND;
    }
    uint32_t less = bbr_scale(b->inflight_longterm, HEADROOM_PERCENT);
    uint32_t one = b->inflight_longterm > mss ? b->inflight_longterm - mss : 0;

    return slt_max32(slt_min32(less, one), bbr_min_pipe(mss));
}

uint32_t bbr_probe_rtt_cwnd(const struct slt_cc_bbr *b, uint32_t mss)
{
    return slt_max32(bbr_bdp(b, bbr_bw(b), PROBE_RTT_PERCENT), bbr_min_pipe(mss));
}
