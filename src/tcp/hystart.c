/* HyStart++ (RFC 9406): leave the first slow start before the queue overflows.
 *
 * Round trips are compared round by round, a round being one window of data. When the smallest of
 * eight or more samples of a round lies above the last round's by an eighth (4 to 16 ms), a queue
 * is building: growth slows to a quarter (conservative slow start) for at most five rounds. When
 * the round trip falls below what made us slow down, that was jitter, and slow start resumes.
 *
 * That finds a queue a round trip after it began to build, when the window has doubled again, and
 * a queue as large as the path's own product overflows. So the older HyStart's other sign counts,
 * too, as it does in Linux: acknowledgements that come close together for half of a round trip tell
 * that half of the path's product was sent in one go; then slow start is over. A train may pause:
 * hosts that wait for a processor hold acknowledgements back for milliseconds. The pause itself
 * does not count, and one of an eighth of a round trip is where one window's train ends. Where the
 * round trip is shorter than what a batch may add (one machine, one room), trains tell how fast the
 * hosts are and nothing of a queue: there the delay alone ends slow start.
 */
#include "tcp/cc_ops.h"

#define MIN_RTT_THRESH_US 4000  /* RFC 9406 4.3 */
#define MAX_RTT_THRESH_US 16000 /* RFC 9406 4.3 */
#define MIN_RTT_DIVISOR   8
#define N_RTT_SAMPLE      8
#define CSS_ROUNDS        5
#define TRAIN_GAP_NS      (2 * SLT_NS_PER_MS) /* acknowledgements of one train follow so closely */
#define TRAIN_PAUSE_PART  8                   /* of a round trip; a longer pause ends a train */
#define TRAIN_SLACK_US    1000 /* what a batch at either end may add: no sign on a shorter path */
#define TRAIN_SEGMENTS    16   /* nor with a small window */

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

/* Acknowledgements have come close together for half of a round trip, pauses left out. Nothing is
 * learnt from those of a sender that has not filled its window: they keep its own pace. */
static bool train_is_long(struct slt_hystart *h, const struct slt_cc_ack *ack, uint32_t cwnd_bytes)
{
    int64_t gap_ns = ack->now_ns - h->train_last_ns;
    int64_t pause_ns = (int64_t)ack->min_rtt_us * SLT_NS_PER_US / TRAIN_PAUSE_PART;
    int64_t half_ns = ((int64_t)ack->min_rtt_us + TRAIN_SLACK_US) * SLT_NS_PER_US / 2;

    h->train_last_ns = ack->now_ns;
    if (gap_ns <= TRAIN_GAP_NS) {
        h->train_busy_ns += gap_ns;
    } else if (gap_ns > pause_ns) {
        h->train_busy_ns = 0;
    }
    if (!ack->cwnd_limited) {
        h->train_busy_ns = 0;
    }
    return ack->min_rtt_us >= TRAIN_SLACK_US && cwnd_bytes >= TRAIN_SEGMENTS * ack->mss &&
           h->train_busy_ns > half_ns;
}

enum slt_hystart_phase slt_hystart_on_ack(struct slt_hystart *h, const struct slt_cc_ack *ack,
                                          uint32_t cwnd_bytes)
{
    if (h->over) {
        return SLT_HYSTART_SLOW_START;
    }
    if (h->window_end == 0) {
        h->window_end = ack->nxt; /* the first round: everything sent so far */
        h->train_last_ns = ack->now_ns;
    }
    if (ack->rtt_us > 0) {
        note_sample(h, ack->rtt_us);
    }
    judge_delay(h);
    bool full = train_is_long(h, ack, cwnd_bytes);
    bool over = ack->una >= h->window_end && begin_round(h, ack->nxt);
    if (full || over) {
        h->over = true;
        return SLT_HYSTART_LEAVE;
    }
    return h->css_rounds > 0 ? SLT_HYSTART_CONSERVATIVE : SLT_HYSTART_SLOW_START;
}
