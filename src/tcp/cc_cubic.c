/* CUBIC (RFC 9438): the window is a cubic function of the time since the last reduction.
 *
 * W_cubic(t) = C (t - K)^3 + W_max, in segments and seconds: steep while far below W_max, flat
 * around it, steep again beyond, where it probes. K is the time to reach W_max again. Beside it
 * runs W_est, what Reno would have; where that is larger, it rules (the Reno-friendly region). A
 * loss leaves 0.7 of the window. The clock stands still while the window is not what limits the
 * sender. The first slow start ends by HyStart++ (hystart.c).
 *
 * All arithmetic is in integers: windows in octets, time in milliseconds.
 */
#include "tcp/cc_ops.h"

/* C = 0.4 = 2/5 (RFC 9438 5.1) and beta = 0.7 (4.6); alpha = 3 (1 - beta) / (1 + beta) = 9/17. */
#define C_NUMERATOR       2
#define C_DENOMINATOR     5
#define BETA_PERCENT      70
#define FAST_PERCENT      85 /* (1 + beta) / 2 (4.7) */
#define ALPHA_NUMERATOR   9
#define ALPHA_DENOMINATOR 17
#define BURST_SEGMENTS    8 /* L of RFC 9406 4.3, unpaced (R9406-05) */
#define CSS_DIVISOR       4
#define OFFSET_MS_MAX     1000000 /* the cube of it still fits */
#define PART_BITS         16

/* One binary digit at a time, from the 22nd: the cube root of 2^64 has no more. */
uint32_t slt_cc_cube_root(uint64_t x)
{
    uint64_t root = 0;

    for (int bit = 21; bit >= 0; bit--) {
        uint64_t with = root | UINT64_C(1) << bit;
        if (with * with <= x / with) {
            root = with;
        }
    }
    return (uint32_t)root;
}

/* C (t - K)^3 in octets, for t - K in milliseconds of either sign. */
int64_t slt_cc_cubic_offset(int64_t from_k_ms, uint32_t mss)
{
    int64_t t = slt_max64(slt_min64(from_k_ms, OFFSET_MS_MAX), -OFFSET_MS_MAX);
    int64_t cube = t * t * t; /* at most 10^18, in 10^-9 s^3 */

    return cube / 1000000 * C_NUMERATOR * (int64_t)mss / (C_DENOMINATOR * 1000);
}

/* Time to climb from the epoch's window to W_max: cbrt((W_max - cwnd_epoch) / C) (R9438-01). */
static uint32_t climb_ms(uint32_t bytes, uint32_t mss)
{
    uint64_t per_c = UINT64_C(1000000000) * C_DENOMINATOR / C_NUMERATOR;

    return slt_cc_cube_root((uint64_t)bytes * per_c / mss);
}

static void init(struct slt_tcp_cc *cc, const struct salut_config *config, int64_t now_ns)
{
    struct slt_cc_cubic *q = &cc->of.cubic;

    (void)config;
    q->epoch_at_ns = SLT_NEVER;
    q->last_ack_at_ns = now_ns;
    slt_hystart_init(&q->hystart);
}

static uint32_t fold(const struct slt_tcp_cc *cc)
{
    const struct slt_cc_cubic *q = &cc->of.cubic;

    return q->w_max_bytes | (q->hystart.over ? UINT32_C(1) << 31 : 0);
}

static void unfold(struct slt_tcp_cc *cc, uint32_t word)
{
    cc->of.cubic.w_max_bytes = word & ~(UINT32_C(1) << 31);
    cc->of.cubic.w_prior_bytes = cc->of.cubic.w_max_bytes;
    cc->of.cubic.hystart.over = (word >> 31) != 0;
}

static void begin_epoch(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    struct slt_cc_cubic *q = &cc->of.cubic;

    q->epoch_at_ns = ack->now_ns;
    q->w_epoch_bytes = cc->cwnd_bytes;
    q->w_est_bytes = cc->cwnd_bytes;
    q->w_est_part = 0;
    cc->acked_bytes = 0;
    if (q->w_max_bytes <= cc->cwnd_bytes) { /* RFC 9438 4.2, 4.8, 4.10 (R9438-07) */
        q->k_ms = 0;
        q->w_max_bytes = cc->cwnd_bytes;
    } else {
        q->k_ms = climb_ms(q->w_max_bytes - cc->cwnd_bytes, ack->mss);
    }
    if (q->w_prior_bytes == 0) {
        q->w_prior_bytes = cc->cwnd_bytes;
    }
}

static int64_t window_at(const struct slt_cc_cubic *q, int64_t t_ms, uint32_t mss)
{
    return q->w_max_bytes + slt_cc_cubic_offset(t_ms - q->k_ms, mss);
}

/* RFC 9438 4.3 (R9438-04): W_est grows by alpha segments a window. */
static void grow_estimate(struct slt_tcp_cc *cc, uint32_t bytes, uint32_t mss)
{
    struct slt_cc_cubic *q = &cc->of.cubic;
    uint64_t step = ((uint64_t)bytes * mss << PART_BITS) / slt_max32(cc->cwnd_bytes, 1);

    if (q->w_est_bytes < q->w_prior_bytes) {
        step = step * ALPHA_NUMERATOR / ALPHA_DENOMINATOR;
    }
    step += q->w_est_part;
    q->w_est_part = (uint32_t)(step & ((1U << PART_BITS) - 1));
    q->w_est_bytes = slt_cc_clamp(q->w_est_bytes + (step >> PART_BITS));
}

static void avoid_congestion(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack, uint32_t bytes)
{
    struct slt_cc_cubic *q = &cc->of.cubic;

    if (bytes == 0) {
        return;
    }
    if (q->epoch_at_ns == SLT_NEVER) {
        begin_epoch(cc, ack);
    }
    int64_t t_ms = (ack->now_ns - q->epoch_at_ns) / SLT_NS_PER_MS;
    grow_estimate(cc, bytes, ack->mss);
    if (window_at(q, t_ms, ack->mss) < (int64_t)q->w_est_bytes) {
        uint32_t behind = q->w_est_bytes - slt_min32(q->w_est_bytes, cc->cwnd_bytes);
        slt_cc_grow(cc, slt_min32(behind, bytes));
        return;
    }
    /* RFC 9438 4.2 (R9438-02): towards the window of one round trip from now */
    int64_t cwnd = cc->cwnd_bytes;
    int64_t target = window_at(q, t_ms + ack->srtt_us / 1000, ack->mss);
    target = slt_max64(slt_min64(target, cwnd + cwnd / 2), cwnd);
    uint64_t growth = (uint64_t)(target - cwnd) * bytes + cc->acked_bytes;
    cc->acked_bytes = (uint32_t)(growth % (uint64_t)cwnd);
    slt_cc_grow(cc, (uint32_t)slt_min64((int64_t)(growth / (uint64_t)cwnd), cwnd / 2 + 1));
}

/* Slow start, the first one under HyStart++'s eye; returns what is left for the cubic. */
static uint32_t slow_start(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack, uint32_t bytes)
{
    enum slt_hystart_phase phase = slt_hystart_on_ack(&cc->of.cubic.hystart, ack, cc->cwnd_bytes);
    uint32_t step = slt_min32(bytes, BURST_SEGMENTS * ack->mss);

    if (phase == SLT_HYSTART_LEAVE) {
        cc->ssthresh_bytes = slt_max32(cc->cwnd_bytes, 2 * ack->mss); /* R9406-03 */
        return step;
    }
    if (!ack->cwnd_limited) {
        return 0;
    }
    return slt_cc_slow_start(cc, phase == SLT_HYSTART_CONSERVATIVE ? step / CSS_DIVISOR : step);
}

static void on_ack(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    struct slt_cc_cubic *q = &cc->of.cubic;
    uint32_t bytes = slt_cc_growth(ack);
    int64_t since_ns = ack->now_ns - q->last_ack_at_ns;

    q->last_ack_at_ns = ack->now_ns;
    if (cc->cwnd_bytes < cc->ssthresh_bytes) {
        bytes = slow_start(cc, ack, bytes);
        if (cc->cwnd_bytes < cc->ssthresh_bytes) {
            return;
        }
    }
    if (!ack->cwnd_limited) { /* RFC 9438 4.2, 5.8 (R9438-03, R9438-09): the clock stands still */
        if (q->epoch_at_ns != SLT_NEVER) {
            q->epoch_at_ns = slt_min64(q->epoch_at_ns + since_ns, ack->now_ns);
        }
        return;
    }
    avoid_congestion(cc, ack, bytes);
}

static void remember(struct slt_cc_cubic *q)
{
    q->undo_w_max_bytes = q->w_max_bytes;
    q->undo_w_prior_bytes = q->w_prior_bytes;
    q->undo_k_ms = q->k_ms;
    q->undo_w_epoch_bytes = q->w_epoch_bytes;
    q->undo_w_est_bytes = q->w_est_bytes;
    q->undo_epoch_at_ns = q->epoch_at_ns;
    q->undo_hystart_over = q->hystart.over;
}

/* What the sender really used: RFC 9438 4.6 multiplies the flight size, which an acknowledgement
 * of many segments has just made smaller than what caused the loss. */
static uint32_t used_window(const struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    return slt_min32(slt_max32(slt_cc_flight_size(cc, loss), cc->used_bytes), cc->cwnd_bytes);
}

static void reduce(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    struct slt_cc_cubic *q = &cc->of.cubic;
    uint64_t used = used_window(cc, loss);

    cc->ssthresh_bytes =
        slt_max32((uint32_t)(used * BETA_PERCENT / 100), 2 * loss->mss); /* R9438-05 */
    q->w_prior_bytes = cc->cwnd_bytes;
    q->epoch_at_ns = SLT_NEVER;
    q->hystart.over = true; /* RFC 9406 4.2 (R9406-04) */
    cc->acked_bytes = 0;
}

static void on_congestion(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss,
                          enum slt_cc_why why)
{
    struct slt_cc_cubic *q = &cc->of.cubic;

    (void)why;
    if (!loss->joins) {
        remember(q);
    }
    reduce(cc, loss);
    if (cc->cwnd_bytes < q->w_max_bytes) { /* RFC 9438 4.7 (R9438-06): make room for others */
        q->w_max_bytes = (uint32_t)((uint64_t)cc->cwnd_bytes * FAST_PERCENT / 100);
    } else {
        q->w_max_bytes = cc->cwnd_bytes;
    }
}

static void on_timeout(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    struct slt_cc_cubic *q = &cc->of.cubic;

    if (loss->first) { /* R5681-07 */
        remember(q);
        reduce(cc, loss);
    }
    q->epoch_at_ns = SLT_NEVER;
    q->w_max_bytes = 0; /* RFC 9438 4.8 (R9438-07): K = 0, W_max the window of the next epoch */
}

static void on_recovered(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    cc->of.cubic.last_ack_at_ns = ack->now_ns;
    cc->acked_bytes = 0;
}

/* RFC 9438 4.9 (R9438-08) */
static void undo(struct slt_tcp_cc *cc, uint32_t mss)
{
    struct slt_cc_cubic *q = &cc->of.cubic;

    (void)mss;
    q->w_max_bytes = q->undo_w_max_bytes;
    q->w_prior_bytes = q->undo_w_prior_bytes;
    q->k_ms = q->undo_k_ms;
    q->w_epoch_bytes = q->undo_w_epoch_bytes;
    q->w_est_bytes = q->undo_w_est_bytes;
    q->epoch_at_ns = q->undo_epoch_at_ns;
    q->hystart.over = q->undo_hystart_over; /* the first slow start goes on, and is watched */
    cc->acked_bytes = 0;
}

const struct slt_cc_ops slt_cc_cubic = {.name = "cubic",
                                        .init = init,
                                        .fold = fold,
                                        .unfold = unfold,
                                        .on_ack = on_ack,
                                        .on_congestion = on_congestion,
                                        .on_timeout = on_timeout,
                                        .on_recovered = on_recovered,
                                        .undo = undo};
