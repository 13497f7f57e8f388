/* Congestion control: slow start, congestion avoidance, and the window's answers to loss
 * (RFC 5681, NewReno's window arithmetic of RFC 6582).
 *
 * Pure arithmetic over struct slt_tcp_cc; it knows neither time nor the connection. recovery.c
 * says what happened. Windows count bytes. Growth counts acknowledged bytes, at most one segment
 * per acknowledgement in slow start, and only while the window is what limits the
 * sender, so that an idle or application-limited connection does not gather a window it never
 * tried.
 */
#include "tcp/engine.h"

#define SLOW_START_SEGMENTS_PER_ACK 1 /* RFC 5681 equation 2 */
#define WINDOW_MAX                  (UINT32_C(1) << 30)

/* RFC 6928 2 (R6928-01): min(10 * MSS, max(2 * MSS, 14600)), for the configured number. */
static uint32_t initial_window(const struct salut_config *config, uint32_t mss)
{
    uint32_t segments = slt_max32(config->initial_window_segments, 1);

    return slt_min32(segments * mss, slt_max32(2 * mss, segments * 1460U));
}

void slt_cc_init(struct slt_tcp_cc *cc, const struct salut_config *config, uint32_t mss)
{
    memset(cc, 0, sizeof(*cc));
    cc->cwnd_bytes = initial_window(config, mss);
    cc->ssthresh_bytes = WINDOW_MAX; /* arbitrarily high: RFC 5681 3.1 */
}

void slt_cc_unfold(struct slt_tcp_cc *cc, const struct slt_tcp_cc_fold *fold)
{
    memset(cc, 0, sizeof(*cc));
    cc->cwnd_bytes = fold->cwnd_bytes;
    cc->ssthresh_bytes = fold->ssthresh_bytes;
}

void slt_cc_fold(const struct slt_tcp_cc *cc, struct slt_tcp_cc_fold *fold)
{
    fold->cwnd_bytes = cc->cwnd_bytes;
    fold->ssthresh_bytes = cc->ssthresh_bytes;
}

/* RFC 5681 3.1, softened by RFC 6928 2: more than one SYN was lost. */
void slt_cc_on_syn_lost(struct slt_tcp_cc *cc, uint32_t mss)
{
    cc->cwnd_bytes = mss;
}

/* RFC 5681 4.1: nothing was sent for longer than the RTO. */
void slt_cc_on_idle(struct slt_tcp_cc *cc, const struct salut_config *config, uint32_t mss)
{
    cc->cwnd_bytes = slt_min32(cc->cwnd_bytes, initial_window(config, mss));
}

static void grow(struct slt_tcp_cc *cc, uint32_t by)
{
    cc->cwnd_bytes = slt_min32(cc->cwnd_bytes + by, WINDOW_MAX);
}

/* RFC 9293 3.8.2 (MUST-19). New data was acknowledged outside recovery; `flight_bytes` were in
 * flight before. */
void slt_cc_on_ack(struct slt_tcp_cc *cc, uint32_t acked_bytes, int64_t flight_bytes, uint32_t mss)
{
    if (cc->cwnd_bytes < cc->ssthresh_bytes) { /* slow start: RFC 5681 3.1 (R5681-05) */
        if (2 * flight_bytes >= (int64_t)cc->cwnd_bytes) {
            grow(cc, slt_min32(acked_bytes, SLOW_START_SEGMENTS_PER_ACK * mss));
        }
        return;
    }
    if (flight_bytes + mss < (int64_t)cc->cwnd_bytes) {
        return;
    }
    cc->acked_bytes += acked_bytes; /* RFC 5681 3.1 (R5681-06): one MSS per window */
    if (cc->acked_bytes >= cc->cwnd_bytes) {
        cc->acked_bytes -= cc->cwnd_bytes;
        grow(cc, mss);
    }
}

static uint32_t half_of(int64_t flight_bytes, uint32_t mss)
{
    return (uint32_t)slt_max64(flight_bytes / 2, 2 * (int64_t)mss); /* RFC 5681 equation 4 */
}

void slt_cc_on_recovery(struct slt_tcp_cc *cc, int64_t flight_bytes, uint32_t mss)
{
    cc->ssthresh_bytes = half_of(flight_bytes, mss);
    cc->cwnd_bytes = cc->ssthresh_bytes + 3 * mss; /* RFC 5681 3.2 step 3 */
    cc->acked_bytes = 0;
}

void slt_cc_on_dup_ack(struct slt_tcp_cc *cc, uint32_t mss)
{
    grow(cc, mss); /* RFC 5681 3.2 step 4: a segment has left the network */
}

void slt_cc_on_partial_ack(struct slt_tcp_cc *cc, uint32_t acked_bytes, uint32_t mss)
{
    /* RFC 6582 3.2 step 3 (R6582-02): deflate by what was acknowledged, add back one. */
    cc->cwnd_bytes = cc->cwnd_bytes > acked_bytes ? cc->cwnd_bytes - acked_bytes : 0;
    if (acked_bytes >= mss) {
        cc->cwnd_bytes += mss;
    }
    cc->cwnd_bytes = slt_max32(cc->cwnd_bytes, mss);
}

void slt_cc_on_recovered(struct slt_tcp_cc *cc, int64_t flight_bytes, uint32_t mss)
{
    /* RFC 6582 3.2 step 3, first choice (R6582-03): no burst when little is in flight. */
    int64_t small = slt_max64(flight_bytes, mss) + mss;

    cc->cwnd_bytes = slt_max32((uint32_t)slt_min64(cc->ssthresh_bytes, small), mss);
    cc->acked_bytes = 0;
}

void slt_cc_on_timeout(struct slt_tcp_cc *cc, int64_t flight_bytes, bool first, uint32_t mss)
{
    if (first) { /* R5681-07: a repeated timeout of the same data keeps ssthresh */
        cc->ssthresh_bytes = half_of(flight_bytes, mss);
    }
    cc->cwnd_bytes = mss;
    cc->acked_bytes = 0;
}

/* The path MTU fell: the window keeps its bytes, but never less than one segment (R5681-14). */
void slt_cc_on_mss(struct slt_tcp_cc *cc, uint32_t old_mss, uint32_t new_mss)
{
    if (new_mss < old_mss && old_mss > 0) {
        uint64_t scaled = (uint64_t)cc->cwnd_bytes * new_mss / old_mss;
        cc->cwnd_bytes = slt_max32((uint32_t)scaled, new_mss);
    }
    cc->ssthresh_bytes = slt_max32(cc->ssthresh_bytes, 2 * new_mss);
}
