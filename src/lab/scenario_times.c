/* Many durations in little memory: a histogram over logarithmic buckets.
 *
 * A duration's bucket is its highest set bit and the four bits below that: sixteen buckets for
 * each power of two, so a percentile is right within 1/16 of its value, and within 1/32 of it
 * when the middle of the bucket is told. The extremes are kept exactly.
 */
#include "lab/scenario.h"

#define FRACTION_BITS 4U
#define LOW_MAX       (1U << FRACTION_BITS)

static uint32_t bucket_of(uint64_t ns)
{
    if (ns < LOW_MAX) {
        return (uint32_t)ns;
    }
    uint32_t top = 63U - (uint32_t)__builtin_clzll(ns);
    uint32_t fraction = (uint32_t)(ns >> (top - FRACTION_BITS)) & (LOW_MAX - 1U);
    uint32_t bucket = ((top - FRACTION_BITS + 1U) << FRACTION_BITS) + fraction;
    return slt_min32(bucket, SLT_SCN_BUCKETS - 1U);
}

static int64_t middle_of(uint32_t bucket)
{
    if (bucket < LOW_MAX) {
        return bucket;
    }
    uint32_t shift = (bucket >> FRACTION_BITS) - 1U;
    uint64_t low = (uint64_t)(LOW_MAX + (bucket & (LOW_MAX - 1U))) << shift;
    return (int64_t)(low + ((UINT64_C(1) << shift) >> 1));
}

void slt_scn_times_add(struct slt_scn_times *times, int64_t ns)
{
    SLT_ASSERT(ns >= 0);
    times->min_ns = times->count == 0 ? ns : slt_min64(times->min_ns, ns);
    times->max_ns = slt_max64(times->max_ns, ns);
    times->bucket[bucket_of((uint64_t)ns)]++;
    times->count++;
}

void slt_scn_times_merge(struct slt_scn_times *to, const struct slt_scn_times *from)
{
    if (from->count == 0) {
        return;
    }
    to->min_ns = to->count == 0 ? from->min_ns : slt_min64(to->min_ns, from->min_ns);
    to->max_ns = slt_max64(to->max_ns, from->max_ns);
    to->count += from->count;
    for (uint32_t i = 0; i < SLT_SCN_BUCKETS; i++) {
        to->bucket[i] += from->bucket[i];
    }
}

int64_t slt_scn_times_percentile(const struct slt_scn_times *times, unsigned percent)
{
    SLT_ASSERT(percent <= 100);
    uint64_t wanted = (times->count * percent + 99U) / 100U;
    uint64_t seen = 0;
    if (wanted <= 1 || wanted == times->count) { /* the extremes are known exactly */
        return wanted <= 1 ? times->min_ns : times->max_ns;
    }
    for (uint32_t i = 0; i < SLT_SCN_BUCKETS && times->count > 0; i++) {
        seen += times->bucket[i];
        if (seen >= wanted && seen > 0) {
            return slt_max64(times->min_ns, slt_min64(times->max_ns, middle_of(i)));
        }
    }
    return 0;
}
