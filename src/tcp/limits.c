/* What limits the sender, now and in total, and a sketch of the round trips it sees.
 *
 * output.c says at the end of each turn what holds the sender back (slt_tcp_limits_set); the time
 * until the next word is counted for it. Round trips are counted in buckets of a quarter of an
 * octave, from 32 us on; when a count would overflow all are halved, so that the sketch follows the
 * path. Percentiles are interpolated inside a bucket. This file alone writes the limits group.
 */
#include "tcp/engine.h"

#define FIRST_US_BITS     5 /* the first bucket ends above 32 us */
#define QUARTERS_PER_STEP 4

void slt_tcp_limits_init(struct slt_tcp_limits *limits, int64_t now_ns)
{
    memset(limits, 0, sizeof(*limits));
    limits->since_ns = now_ns;
    limits->now = SALUT_LIMIT_NOTHING;
}

void slt_tcp_limits_set(struct slt_tcp_limits *limits, enum salut_limit why, int64_t now_ns)
{
    SLT_ASSERT(why < SALUT_LIMIT_COUNT);
    if (limits->now == why) {
        return;
    }
    limits->total_ns[limits->now] += (uint64_t)slt_max64(now_ns - limits->since_ns, 0);
    limits->since_ns = now_ns;
    limits->now = (uint8_t)why;
}

/* The lower end of a bucket. */
static uint32_t bucket_us(uint32_t bucket)
{
    uint32_t octave = bucket / QUARTERS_PER_STEP;
    uint32_t quarter = bucket % QUARTERS_PER_STEP;

    return (UINT32_C(8) << octave) * (QUARTERS_PER_STEP + quarter);
}

static uint32_t bucket_of(uint32_t rtt_us)
{
    if (rtt_us < bucket_us(1)) {
        return 0;
    }
    uint32_t top_bit = 31U - (uint32_t)__builtin_clz(rtt_us);
    uint32_t octave = slt_min32(top_bit - FIRST_US_BITS, SLT_RTT_BUCKETS / QUARTERS_PER_STEP - 1);
    uint32_t quarter = slt_min32((rtt_us >> (FIRST_US_BITS - 2 + octave)) - QUARTERS_PER_STEP,
                                 QUARTERS_PER_STEP - 1);
    return octave * QUARTERS_PER_STEP + quarter;
}

void slt_tcp_limits_rtt(struct slt_tcp_limits *limits, uint32_t rtt_us)
{
    uint32_t bucket = bucket_of(rtt_us);

    if (limits->rtt_counts[bucket] == UINT8_MAX) {
        for (uint32_t i = 0; i < SLT_RTT_BUCKETS; i++) {
            limits->rtt_counts[i] /= 2;
        }
    }
    limits->rtt_counts[bucket]++;
}

/* The round trip that `permille` of the samples do not exceed; 0: no sample. */
static uint32_t percentile_us(const struct slt_tcp_limits *limits, uint32_t total,
                              uint32_t permille)
{
    uint32_t rank = (total * permille + 999) / 1000;
    uint32_t below = 0;

    for (uint32_t i = 0; i < SLT_RTT_BUCKETS && total > 0; i++) {
        uint32_t count = limits->rtt_counts[i];
        if (below + count >= rank && count > 0) {
            uint32_t width = bucket_us(i + 1) - bucket_us(i);
            return bucket_us(i) + (uint32_t)((uint64_t)width * (rank - below) / count);
        }
        below += count;
    }
    return 0;
}

void slt_tcp_limits_info(const struct slt_tcp_limits *limits, int64_t now_ns,
                         struct salut_info *info)
{
    uint32_t total = 0;

    info->limited_by = limits->now;
    for (uint32_t i = 0; i < SALUT_LIMIT_COUNT; i++) {
        info->limited_ns[i] = (int64_t)limits->total_ns[i];
    }
    info->limited_ns[limits->now] += slt_max64(now_ns - limits->since_ns, 0);
    for (uint32_t i = SALUT_LIMIT_NOTHING + 1; i < SALUT_LIMIT_COUNT; i++) {
        info->busy_ns += info->limited_ns[i];
    }
    for (uint32_t i = 0; i < SLT_RTT_BUCKETS; i++) {
        total += limits->rtt_counts[i];
    }
    info->rtt_p50_us = percentile_us(limits, total, 500);
    info->rtt_p90_us = percentile_us(limits, total, 900);
    info->rtt_p99_us = percentile_us(limits, total, 990);
}
