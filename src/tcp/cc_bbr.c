/* BBR, version 3 (draft-ietf-ccwg-bbr): a window and a pace from a model of the path instead of
 * from losses.
 *
 * Each acknowledgement updates the model (cc_bbr_model.c), then the state machine
 * (cc_bbr_cycle.c), then, here, the pace (bandwidth times the state's pacing gain, less one per
 * cent) and the window (bandwidth-delay product times the state's window gain, with room for
 * bunched acknowledgements, within the bounds that losses taught). It owns its window: recovery
 * does not reduce it. It needs delivery-rate samples (rate.c) and pacing (pacing.c) (BBR-09).
 *
 * Where the draft works packet by packet, this works by what each acknowledgement sums up: losses
 * are judged against the flight at the sending of the newest octets it delivers.
 */
#include "tcp/cc_bbr.h"

#define FOLD_SHIFT_BITS 4
#define FOLD_MANTISSA   24
#define FOLD_FULL       (UINT32_C(1) << 31)

/* BBR-02 */
static const struct {
    uint16_t pacing_percent;
    uint16_t cwnd_percent;
} gains[BBR_PHASE_COUNT] = {
    [BBR_STARTUP] = {277, 200},  [BBR_DRAIN] = {50, 200},   [BBR_DOWN] = {BBR_DOWN_PERCENT, 200},
    [BBR_CRUISE] = {100, 200},   [BBR_REFILL] = {100, 200}, [BBR_UP] = {125, 225},
    [BBR_PROBE_RTT] = {100, 50},
};

/* Chance for the rounds of bandwidth probing: the configuration's seed and the instant. */
static uint32_t seed_of(const struct salut_config *config, int64_t now_ns)
{
    uint32_t seed = (uint32_t)now_ns * 2654435761U;

    for (unsigned i = 0; i < sizeof(config->seed); i++) {
        seed = (seed ^ config->seed[i]) * 16777619U;
    }
    return seed | 1;
}

static void init(struct slt_tcp_cc *cc, const struct salut_config *config, int64_t now_ns)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    bbr_model_init(b);
    b->random = seed_of(config, now_ns);
    b->loss_percent = config->bbr_loss_percent;
    b->extra_at_us = (uint32_t)(now_ns / SLT_NS_PER_US);
    bbr_enter_startup(b);
}

/* The bandwidth with 24 significant bits, and whether the pipe was ever full. */
static uint32_t fold(const struct slt_tcp_cc *cc)
{
    const struct slt_cc_bbr *b = &cc->of.bbr;
    uint32_t bw = bbr_max_bw(b);
    uint32_t shift = 0;

    while (bw >> FOLD_MANTISSA != 0) {
        bw >>= 1;
        shift++;
    }
    return bw << FOLD_SHIFT_BITS | shift | (bbr_has(b, BBR_FULL_BW_EVER) ? FOLD_FULL : 0);
}

static void unfold(struct slt_tcp_cc *cc, uint32_t word)
{
    struct slt_cc_bbr *b = &cc->of.bbr;
    uint32_t shift = word & ((1U << FOLD_SHIFT_BITS) - 1);

    b->max_bw[0] = ((word & ~FOLD_FULL) >> FOLD_SHIFT_BITS) << shift;
    b->max_bw[1] = b->max_bw[0];
    bbr_mark(b, BBR_IDLE_RESTART, true);
    if ((word & FOLD_FULL) != 0) {
        bbr_mark(b, BBR_FULL_BW_EVER, true);
        b->phase = BBR_CRUISE;
        b->pacing_rate = b->max_bw[0];
    }
}

static uint32_t to_bw(uint64_t bytes_per_s)
{
    return (uint32_t)slt_min64((int64_t)(bytes_per_s / BBR_BW_UNIT), UINT32_MAX - 1);
}

/* The window a round trip, as fast as Startup goes. */
static uint64_t first_rate(const struct slt_tcp_cc *cc, uint32_t srtt_us)
{
    uint64_t rate = (uint64_t)cc->cwnd_bytes * 1000000 / slt_max32(srtt_us, 1);

    return rate * gains[BBR_STARTUP].pacing_percent / 100;
}

/* The first acknowledgement gives the clocks their start. */
static void start(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;
    const struct slt_cc_ack *ack = in->ack;

    bbr_mark(b, BBR_STARTED, true);
    b->min_rtt_us = ack->min_rtt_us != 0 ? ack->min_rtt_us : UINT32_MAX;
    b->probe_min_us = b->min_rtt_us;
    b->min_rtt_at_ms = in->now_ms;
    b->probe_min_at_ms = in->now_ms;
    if (b->phase == BBR_CRUISE) {
        bbr_enter_cruise(b, ack, in->now_ms);
    } else if (b->pacing_rate == 0 && ack->srtt_us != 0) {
        b->pacing_rate = to_bw(first_rate(cc, ack->srtt_us));
    }
}

static void set_pacing(struct slt_cc_bbr *b)
{
    uint32_t rate = bbr_scale(bbr_bw(b), gains[b->phase].pacing_percent);

    rate = bbr_scale(rate, 100 - BBR_MARGIN_PERCENT);
    if (rate > 0 && (bbr_has(b, BBR_FULL_BW_EVER) || rate > b->pacing_rate)) {
        b->pacing_rate = rate;
    }
}

/* What the losses of probes allow in this state (BBR-08). */
static uint32_t bound(const struct slt_cc_bbr *b, uint32_t mss)
{
    uint32_t cap = BBR_NO_BOUND;

    if (b->phase == BBR_PROBE_RTT || b->phase == BBR_CRUISE) {
        cap = bbr_with_headroom(b, mss);
    } else if (bbr_in_probe_bw(b)) {
        cap = b->inflight_longterm;
    }
    return slt_max32(slt_min32(cap, b->inflight_shortterm), bbr_min_pipe(mss));
}

static uint32_t max_inflight(const struct slt_cc_bbr *b, uint32_t mss)
{
    uint64_t bytes = bbr_inflight(b, bbr_bw(b), gains[b->phase].cwnd_percent, mss);

    return slt_cc_clamp(bytes + slt_max32(b->extra_acked[0], b->extra_acked[1]));
}

static void set_window(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    struct slt_cc_bbr *b = &cc->of.bbr;
    uint32_t most = max_inflight(b, ack->mss);

    if (bbr_has(b, BBR_FULL_BW_EVER)) {
        cc->cwnd_bytes =
            slt_min32(slt_cc_clamp((uint64_t)cc->cwnd_bytes + ack->delivered_bytes), most);
    } else if (cc->cwnd_bytes < most || bbr_bw(b) == 0) {
        slt_cc_grow(cc, ack->delivered_bytes);
    }
    cc->cwnd_bytes = slt_max32(cc->cwnd_bytes, bbr_min_pipe(ack->mss));
    if (b->phase == BBR_PROBE_RTT) {
        cc->cwnd_bytes = slt_min32(cc->cwnd_bytes, bbr_probe_rtt_cwnd(b, ack->mss));
    }
    cc->cwnd_bytes = slt_min32(cc->cwnd_bytes, bound(b, ack->mss));
}

static void on_ack(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    struct slt_cc_bbr *b = &cc->of.bbr;
    struct bbr_in in = {.ack = ack,
                        .bw = to_bw(slt_rate_per_s(&ack->rate.pace)),
                        .now_ms = (uint32_t)(ack->now_ns / SLT_NS_PER_MS)};

    if (!bbr_has(b, BBR_STARTED)) {
        start(cc, &in);
    }
    bbr_model_on_ack(cc, &in);
    bbr_cycle_on_ack(cc, &in);
    bbr_update_min_rtt(b, &in);
    bbr_cycle_probe_rtt(cc, &in);
    bbr_model_advance(b, &in);
    set_pacing(b);
    set_window(cc, ack);
}

static void on_congestion(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss,
                          enum slt_cc_why why)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    bbr_note_loss(b, b->round_low);
    if (why == SLT_CC_ECN) {
        bbr_on_mark(cc, loss);
    }
}

/* Everything in flight is taken as lost: begin with one segment, and keep the model. */
static void on_timeout(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    bbr_note_loss(b, b->round_low);
    if (loss->first) {
        b->prior_cwnd = cc->cwnd_bytes;
    }
    cc->cwnd_bytes = loss->mss;
}

static void on_recovered(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    (void)ack;
    if (b->phase != BBR_PROBE_RTT && b->prior_cwnd != 0) {
        cc->cwnd_bytes = slt_max32(cc->cwnd_bytes, b->prior_cwnd);
    }
    b->prior_cwnd = 0;
}

/* BBR-10 */
static void undo(struct slt_tcp_cc *cc, uint32_t mss)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    bbr_mark(b, BBR_LOSS_IN_ROUND, false);
    bbr_reset_full_bw(b, 0);
    b->bw_shortterm = slt_max32(b->bw_shortterm, b->undo_bw_shortterm);
    b->inflight_shortterm = slt_max32(b->inflight_shortterm, b->undo_inflight_shortterm);
    b->inflight_longterm = slt_max32(b->inflight_longterm, b->undo_inflight_longterm);
    if (b->phase == BBR_PROBE_RTT || b->phase == b->undo_phase) {
        return;
    }
    if (b->undo_phase == BBR_STARTUP) {
        bbr_mark(b, BBR_FULL_BW_EVER, false);
        bbr_enter_startup(b);
    } else if (b->undo_phase == BBR_UP) {
        bbr_probe_up_again(cc, mss);
    }
}

static uint64_t pacing(const struct slt_tcp_cc *cc, uint32_t srtt_us, uint32_t mss)
{
    const struct slt_cc_bbr *b = &cc->of.bbr;

    (void)mss;
    if (b->pacing_rate == 0) {
        return srtt_us == 0 ? 0 : first_rate(cc, srtt_us);
    }
    return (uint64_t)b->pacing_rate * BBR_BW_UNIT;
}

const struct slt_cc_ops slt_cc_bbr = {.name = "bbr",
                                      .owns_window = true,
                                      .needs_pacing = true,
                                      .init = init,
                                      .fold = fold,
                                      .unfold = unfold,
                                      .on_ack = on_ack,
                                      .on_congestion = on_congestion,
                                      .on_timeout = on_timeout,
                                      .on_recovered = on_recovered,
                                      .undo = undo,
                                      .pacing = pacing};
