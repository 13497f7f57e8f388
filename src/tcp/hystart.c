/* HyStart++ (RFC 9406): leave the first slow start before the queue overflows.
 *
 * Round trips are compared round by round, a round being one window of data. When the smallest of
 * eight or more samples of a round lies above the last round's by an eighth (4 to 16 ms), a queue
 * is building: growth slows to a quarter (conservative slow start) for at most five rounds. When
 * the round trip falls below what made us slow down, that was jitter, and slow start resumes.
 */
#include "tcp/cc_ops.h"

#define MIN_RTT_THRESH_US 4000  /* RFC 9406 4.3 */
#define MAX_RTT_THRESH_US 16000 /* RFC 9406 4.3 */
#define MIN_RTT_DIVISOR   8
#define N_RTT_SAMPLE      8
#define CSS_ROUNDS        5

void slt_hystart_init(struct slt_hystart *h)
{
    memset(h, 0, sizeof(*h));
    h->last_min_us = UINT32_MAX;
    h->current_min_us = UINT32_MAX;
    h->css_baseline_us = UINT32_MAX;
}

/* RFC 9406 4.2 (R9406-01): true when conservative slow start has had its rounds (R9406-03). */
static bool begin_round(struct slt_hystart *h, int64_t nxt)
{
    h->window_end = nxt;
    h->last_min_us = h->current_min_us;
    h->current_min_us = UINT32_MAX;
    h->samples = 0;
    if (h->css_rounds == 0) {
        return false;
    }
    h->css_rounds++;
    return h->css_rounds > CSS_ROUNDS;
}

static void note_sample(struct slt_hystart *h, uint32_t rtt_us)
{
    h->current_min_us = slt_min32(h->current_min_us, rtt_us);
    if (h->samples < UINT8_MAX) {
        h->samples++;
    }
}

static bool delay_rose(const struct slt_hystart *h)
{
    if (h->last_min_us == UINT32_MAX || h->current_min_us == UINT32_MAX) {
        return false;
    }
    uint32_t eighth_us = slt_min32(h->last_min_us / MIN_RTT_DIVISOR, MAX_RTT_THRESH_US);
    uint32_t thresh_us = slt_max32(MIN_RTT_THRESH_US, eighth_us);

    return h->current_min_us >= (uint64_t)h->last_min_us + thresh_us;
}

static void judge_delay(struct slt_hystart *h)
{
    if (h->samples < N_RTT_SAMPLE) {
        return;
    }
    if (h->css_rounds == 0 && delay_rose(h)) { /* R9406-02 */
        h->css_baseline_us = h->current_min_us;
        h->css_rounds = 1;
    } else if (h->css_rounds > 0 && h->current_min_us < h->css_baseline_us) {
        h->css_baseline_us = UINT32_MAX; /* R9406-04: it was jitter */
        h->css_rounds = 0;
    }
}

enum slt_hystart_phase slt_hystart_on_ack(struct slt_hystart *h, const struct slt_cc_ack *ack)
{
    if (h->over) {
        return SLT_HYSTART_SLOW_START;
    }
    if (h->window_end == 0) {
        h->window_end = ack->nxt; /* the first round: everything sent so far */
    }
    if (ack->rtt_us > 0) {
        note_sample(h, ack->rtt_us);
    }
    judge_delay(h);
    if (ack->una >= h->window_end && begin_round(h, ack->nxt)) {
        h->over = true;
        return SLT_HYSTART_LEAVE;
    }
    return h->css_rounds > 0 ? SLT_HYSTART_CONSERVATIVE : SLT_HYSTART_SLOW_START;
}
