/* BBR's state machine (version 3 draft): when to look for more, when to drain, when to rest.
 *
 *   Startup -> Drain -> [Down -> Cruise -> Refill -> Up] again and again
 *                any -> ProbeRTT -> Cruise (or Startup, if the pipe was never full)
 *
 * Down gives back what Up put into the queue, Cruise stays below the bounds, Refill fills the pipe
 * again without a queue, Up grows until losses or a rate that no longer grows say that this is
 * all. ProbeRTT halves the flight to see the path without our queue.
 */
#include "tcp/cc_bbr.h"

#define STARTUP_LOSS_EVENTS 6
#define DRAIN_ROUNDS_MAX    3 /* BBR-04 */
#define PROBE_RTT_MS        200
#define RENO_ROUNDS_MAX     63 /* a Reno flow needs so many rounds to open its window as far */
#define PROBE_UP_SHIFT_MAX  30

static uint32_t draw(struct slt_cc_bbr *b)
{
    b->random = b->random * 1664525U + 1013904223U;
    return b->random >> 16;
}

void bbr_enter_startup(struct slt_cc_bbr *b)
{
    b->phase = BBR_STARTUP;
}

/* Wait two to three seconds, or the rounds Reno would need, before the next probe: flows that
 * share a bottleneck do not probe in step. */
static void pick_wait(struct slt_cc_bbr *b)
{
    b->rounds_since_probe = (uint8_t)(draw(b) & 1);
    b->probe_wait_ms = 2000 + draw(b) % 1000;
}

static void start_down(struct slt_cc_bbr *b, const struct slt_cc_ack *ack, uint32_t now_ms)
{
    bbr_reset_signals(b);
    b->probe_up_cnt = UINT32_MAX;
    pick_wait(b);
    b->cycle_at_ms = now_ms;
    b->ack_phase = BBR_ACKS_PROBE_STOPPING;
    bbr_start_round(b, ack);
    if (b->phase == BBR_UP) {
        b->drain_rounds = 0;
    }
    b->phase = BBR_DOWN;
}

void bbr_enter_cruise(struct slt_cc_bbr *b, const struct slt_cc_ack *ack, uint32_t now_ms)
{
    start_down(b, ack, now_ms);
    b->phase = BBR_CRUISE;
}

static void start_refill(struct slt_cc_bbr *b, const struct slt_cc_ack *ack)
{
    bbr_reset_shortterm(b);
    b->probe_up_rounds = 0;
    b->probe_up_acks = 0;
    b->ack_phase = BBR_ACKS_REFILLING;
    bbr_start_round(b, ack);
    b->phase = BBR_REFILL;
}

/* Octets to be delivered for one more segment of inflight_longterm; half as many each round. */
static void raise_slope(struct slt_tcp_cc *cc, uint32_t mss)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    b->probe_up_cnt = slt_max32(cc->cwnd_bytes >> b->probe_up_rounds, mss);
    b->probe_up_rounds = (uint8_t)slt_min32(b->probe_up_rounds + UINT32_C(1), PROBE_UP_SHIFT_MAX);
}

static void start_up(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    b->ack_phase = BBR_ACKS_PROBE_STARTING;
    bbr_start_round(b, in->ack);
    bbr_reset_full_bw(b, in->bw);
    b->phase = BBR_UP;
    raise_slope(cc, in->ack->mss);
}

/* The losses that ended the upward probe were none (BBR-10). */
void bbr_probe_up_again(struct slt_tcp_cc *cc, uint32_t mss)
{
    cc->of.bbr.ack_phase = BBR_ACKS_PROBE_STARTING;
    cc->of.bbr.phase = BBR_UP;
    raise_slope(cc, mss);
}

/* ---- Startup and Drain ------------------------------------------------------------------------
 */

/* What Startup's losses allow: what the path holds, and what it delivered in a round. Those of the
 * last round of Startup are known when Drain ends, so the bound follows them until then. */
static void bound_by_startup(struct slt_cc_bbr *b)
{
    uint32_t held = slt_max32(bbr_bdp(b, bbr_max_bw(b), 100), b->inflight_latest);

    b->inflight_longterm =
        b->inflight_longterm == BBR_NO_BOUND ? held : slt_max32(b->inflight_longterm, held);
}

/* BBR-03: many losses say the same as a rate that does not grow. */
static void check_startup_loss(struct slt_cc_bbr *b, const struct bbr_in *in)
{
    if (b->phase == BBR_STARTUP && in->loss_round_start && b->loss_events >= STARTUP_LOSS_EVENTS &&
        bbr_inflight_too_high(b, in->ack)) {
        bbr_mark(b, BBR_FULL_BW_NOW | BBR_FULL_BW_EVER, true);
        bound_by_startup(b);
    }
}

static void check_startup_and_drain(struct slt_cc_bbr *b, const struct bbr_in *in)
{
    const struct slt_cc_ack *ack = in->ack;

    check_startup_loss(b, in);
    if (b->phase == BBR_STARTUP && bbr_has(b, BBR_FULL_BW_EVER)) {
        b->phase = BBR_DRAIN;
        b->drain_rounds = 0;
    }
    if (b->phase == BBR_DRAIN && b->inflight_longterm != BBR_NO_BOUND) {
        bound_by_startup(b);
    }
    if (b->phase == BBR_DRAIN &&
        (ack->flight_bytes <= (int64_t)bbr_inflight(b, bbr_max_bw(b), 100, ack->mss) ||
         b->drain_rounds > DRAIN_ROUNDS_MAX)) {
        start_down(b, ack, in->now_ms);
    }
}

/* ---- the long-term bound ----------------------------------------------------------------------
 */

static uint32_t target_inflight(const struct slt_tcp_cc *cc)
{
    return slt_min32(bbr_bdp(&cc->of.bbr, bbr_bw(&cc->of.bbr), 100), cc->cwnd_bytes);
}

/* The probe found the end: remember what was in flight, and drain. */
static void handle_too_high(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    bbr_mark(b, BBR_PROBE_SAMPLES, false);
    if (!in->ack->rate.app_limited) { /* BBR-08 */
        b->inflight_longterm =
            slt_max32(in->ack->rate.flight_bytes, bbr_scale(target_inflight(cc), BBR_BETA_PERCENT));
    }
    if (b->phase == BBR_UP) {
        start_down(b, in->ack, in->now_ms);
    }
}

static void probe_upward(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (!in->ack->cwnd_limited || cc->cwnd_bytes < b->inflight_longterm) {
        return; /* the bound is not what holds us */
    }
    b->probe_up_acks = slt_cc_clamp((uint64_t)b->probe_up_acks + in->ack->delivered_bytes);
    if (b->probe_up_acks >= b->probe_up_cnt) {
        uint32_t segs = b->probe_up_acks / b->probe_up_cnt;
        b->probe_up_acks -= segs * b->probe_up_cnt;
        b->inflight_longterm = slt_cc_clamp(b->inflight_longterm + (uint64_t)segs * in->ack->mss);
    }
    if (in->round_start) {
        raise_slope(cc, in->ack->mss);
    }
}

static void adapt_longterm(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (b->ack_phase == BBR_ACKS_PROBE_STARTING && in->round_start) {
        b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
    }
    if (b->ack_phase == BBR_ACKS_PROBE_STOPPING && in->round_start) {
        bbr_mark(b, BBR_PROBE_SAMPLES, false);
        b->ack_phase = BBR_ACKS_INIT;
        if (bbr_in_probe_bw(b) && !in->ack->rate.app_limited) {
            bbr_advance_filter(b);
        }
    }
    if (bbr_inflight_too_high(b, in->ack)) {
        if (bbr_has(b, BBR_PROBE_SAMPLES)) {
            handle_too_high(cc, in);
        }
        return;
    }
    if (b->inflight_longterm == BBR_NO_BOUND) {
        return;
    }
    b->inflight_longterm = slt_max32(b->inflight_longterm, in->ack->rate.flight_bytes);
    if (b->phase == BBR_UP) {
        probe_upward(cc, in);
    }
}

/* ---- ProbeBW ----------------------------------------------------------------------------------
 */

static bool probe_is_due(const struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    const struct slt_cc_bbr *b = &cc->of.bbr;
    uint32_t reno_rounds = slt_min32(target_inflight(cc) / in->ack->mss, RENO_ROUNDS_MAX);

    return in->now_ms - b->cycle_at_ms > b->probe_wait_ms || b->rounds_since_probe >= reno_rounds;
}

static bool cruise_is_due(const struct slt_cc_bbr *b, const struct slt_cc_ack *ack)
{
    return ack->flight_bytes <= (int64_t)bbr_with_headroom(b, ack->mss) &&
           ack->flight_bytes <= (int64_t)bbr_inflight(b, bbr_max_bw(b), 100, ack->mss);
}

static bool up_is_over(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (in->ack->cwnd_limited && cc->cwnd_bytes >= b->inflight_longterm) {
        bbr_reset_full_bw(b, in->bw); /* the bound kept the rate from growing, not the path */
        return false;
    }
    return bbr_has(b, BBR_FULL_BW_NOW);
}

static void walk_cycle(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (b->phase == BBR_DOWN || b->phase == BBR_CRUISE) {
        if (probe_is_due(cc, in)) {
            start_refill(b, in->ack);
        } else if (b->phase == BBR_DOWN && cruise_is_due(b, in->ack)) {
            b->phase = BBR_CRUISE;
        }
    } else if (b->phase == BBR_REFILL) {
        if (in->round_start) { /* one round at the full rate: what comes back now is the probe's */
            bbr_mark(b, BBR_PROBE_SAMPLES, true);
            start_up(cc, in);
        }
    } else if (b->phase == BBR_UP && up_is_over(cc, in)) {
        start_down(b, in->ack, in->now_ms);
    }
}

void bbr_cycle_on_ack(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    check_startup_and_drain(b, in);
    if (bbr_has(b, BBR_FULL_BW_EVER)) {
        adapt_longterm(cc, in);
        walk_cycle(cc, in);
    }
}

/* ---- ProbeRTT ---------------------------------------------------------------------------------
 */

static void leave_probe_rtt(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    b->probe_min_at_ms = in->now_ms;
    cc->cwnd_bytes = slt_max32(cc->cwnd_bytes, b->prior_cwnd);
    bbr_reset_shortterm(b);
    bbr_mark(b, BBR_AFTER_REST, true);
    if (bbr_has(b, BBR_FULL_BW_EVER)) {
        bbr_enter_cruise(b, in->ack, in->now_ms);
    } else {
        bbr_enter_startup(b);
    }
}

static void stay_in_probe_rtt(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (b->probe_rtt_done_ms == 0) {
        if (in->ack->flight_bytes <= (int64_t)bbr_probe_rtt_cwnd(b, in->ack->mss)) {
            b->probe_rtt_done_ms = (in->now_ms + PROBE_RTT_MS) | 1; /* 0 is "not yet" */
            bbr_mark(b, BBR_ROUND_DONE, false);
            bbr_start_round(b, in->ack);
        }
        return;
    }
    if (in->round_start) {
        bbr_mark(b, BBR_ROUND_DONE, true);
    }
    if (bbr_has(b, BBR_ROUND_DONE) && (int32_t)(in->now_ms - b->probe_rtt_done_ms) > 0) {
        leave_probe_rtt(cc, in);
    }
}

/* BBR-06: every five seconds without a new minimum; an idle time has shown the empty path. */
void bbr_cycle_probe_rtt(struct slt_tcp_cc *cc, const struct bbr_in *in)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (b->phase != BBR_PROBE_RTT && bbr_has(b, BBR_PROBE_RTT_DUE) &&
        !bbr_has(b, BBR_IDLE_RESTART)) {
        b->prior_cwnd = cc->cwnd_bytes;
        b->probe_rtt_done_ms = 0;
        b->ack_phase = BBR_ACKS_PROBE_STOPPING;
        bbr_start_round(b, in->ack);
        b->phase = BBR_PROBE_RTT;
    }
    if (b->phase == BBR_PROBE_RTT) {
        stay_in_probe_rtt(cc, in);
    }
    if (in->ack->delivered_bytes > 0) {
        bbr_mark(b, BBR_IDLE_RESTART, false);
    }
}

/* An ECN mark is congestion like a loss (BBR-09): the probe has found the end. */
void bbr_on_mark(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    struct slt_cc_bbr *b = &cc->of.bbr;

    if (bbr_has(b, BBR_PROBE_SAMPLES) && b->phase == BBR_UP) {
        bbr_mark(b, BBR_PROBE_SAMPLES, false);
        b->inflight_longterm = slt_max32((uint32_t)slt_max64(loss->flight_bytes, 0),
                                         bbr_scale(target_inflight(cc), BBR_BETA_PERCENT));
        bbr_reset_full_bw(b, 0);
        bbr_mark(b, BBR_FULL_BW_NOW, true); /* the next acknowledgement ends Up */
    }
}
