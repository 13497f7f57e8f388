/* Delivery rate sampling (draft-cheng-iccrg-delivery-rate-estimation); the header says how it is
 * used. This file alone writes the rate group.
 *
 * Of the records one acknowledgement delivers, the one sent last makes the sample: its stamp
 * covers the shortest and so the freshest stretch of sending.
 */
#include "tcp/rate.h"

#include "base/compiler.h"

#include <string.h>

#define TICK_NS 64

static uint32_t ticks_between(int64_t from_ns, int64_t to_ns)
{
    int64_t ticks = slt_max64(to_ns - from_ns, 0) / TICK_NS;

    return (uint32_t)slt_min64(ticks, UINT32_MAX);
}

void slt_rate_init(struct slt_tcp_rate *rate, int64_t now_ns)
{
    memset(rate, 0, sizeof(*rate));
    rate->delivered_at_ns = now_ns;
    rate->first_sent_at_ns = now_ns;
}

void slt_rate_on_sent(struct slt_tcp_rate *rate, struct slt_rate_stamp *stamp, int64_t flight_bytes,
                      uint32_t bytes, int64_t now_ns)
{
    if (flight_bytes <= (int64_t)bytes) { /* nothing was in flight: both intervals start here */
        rate->first_sent_at_ns = now_ns;
        rate->delivered_at_ns = now_ns;
    }
    stamp->sent_at_ns = now_ns;
    stamp->first_ago_ticks = ticks_between(rate->first_sent_at_ns, now_ns);
    stamp->acked_ago_ticks = ticks_between(rate->delivered_at_ns, now_ns);
    stamp->delivered_low = (uint32_t)rate->delivered_bytes;
    stamp->lost_low = (uint32_t)rate->lost_bytes;
    stamp->flight_bytes = (uint32_t)slt_max64(slt_min64(flight_bytes, UINT32_MAX), 0);
    stamp->app_limited = rate->app_limited_until != 0;
}

void slt_rate_on_delivered(struct slt_tcp_rate *rate, const struct slt_rate_stamp *stamp,
                           uint32_t bytes, int64_t now_ns)
{
    rate->delivered_bytes += bytes;
    rate->delivered_at_ns = now_ns;
    if (!rate->newest_valid || stamp->sent_at_ns >= rate->newest.sent_at_ns) {
        rate->newest = *stamp;
        rate->newest_valid = true;
    }
}

void slt_rate_on_lost(struct slt_tcp_rate *rate, uint32_t bytes)
{
    rate->lost_bytes += bytes;
}

/* Ticks to microseconds, rounded up so that no interval of something becomes nothing. */
static uint32_t us_of(int64_t ns)
{
    return (uint32_t)slt_min64((ns + SLT_NS_PER_US - 1) / SLT_NS_PER_US, UINT32_MAX);
}

uint64_t slt_rate_per_s(const struct slt_rate_pace *pace)
{
    if (pace->interval_ns <= 0) {
        return 0;
    }
    return (uint64_t)pace->bytes * (uint64_t)SLT_NS_PER_S / (uint64_t)pace->interval_ns;
}

/* Compared crosswise, in microseconds so that the products have room. */
static bool is_slower(const struct slt_rate_pace *pace, const struct slt_rate_pace *than)
{
    return (uint64_t)pace->bytes * us_of(than->interval_ns) <
           (uint64_t)than->bytes * us_of(pace->interval_ns);
}

/* Shorter than any round trip: acknowledgements were squeezed together. */
static bool is_too_short(int64_t interval_ns, uint32_t min_rtt_us)
{
    return interval_ns <= 0 || us_of(interval_ns) < min_rtt_us;
}

/* The interval that the newest delivered octets end, in which they and all since their sending were
 * delivered; false: nothing was delivered. The pace that is known is moved by it. */
static bool measure(struct slt_tcp_rate *rate, uint32_t min_rtt_us, struct slt_rate_pace *pace)
{
    const struct slt_rate_stamp *stamp = &rate->newest;
    int64_t send_ns = (int64_t)stamp->first_ago_ticks * TICK_NS;
    int64_t ack_ns =
        rate->delivered_at_ns - stamp->sent_at_ns + (int64_t)stamp->acked_ago_ticks * TICK_NS;

    if (rate->app_limited_until != 0 && rate->delivered_bytes > rate->app_limited_until) {
        rate->app_limited_until = 0;
    }
    if (!rate->newest_valid) {
        return false;
    }
    rate->newest_valid = false;
    rate->first_sent_at_ns = stamp->sent_at_ns;
    pace->interval_ns = slt_max64(send_ns, ack_ns);
    pace->bytes = (uint32_t)rate->delivered_bytes - stamp->delivered_low;
    if (is_too_short(pace->interval_ns, min_rtt_us)) {
        return true;
    }
    if (!stamp->app_limited || !is_slower(pace, &rate->pace)) {
        rate->pace = *pace;
        rate->last_app_limited = stamp->app_limited;
    }
    return true;
}

void slt_rate_note(struct slt_tcp_rate *rate, uint32_t min_rtt_us)
{
    struct slt_rate_pace pace;

    (void)measure(rate, min_rtt_us, &pace);
}

void slt_rate_sample(struct slt_tcp_rate *rate, uint32_t min_rtt_us, struct slt_rate_sample *sample)
{
    struct slt_rate_pace pace;

    memset(sample, 0, sizeof(*sample));
    sample->delivered_total_bytes = rate->delivered_bytes;
    if (!measure(rate, min_rtt_us, &pace)) {
        return;
    }
    const struct slt_rate_stamp *stamp = &rate->newest;
    sample->any = true;
    sample->delivered_bytes = pace.bytes;
    sample->lost_bytes = (uint32_t)rate->lost_bytes - stamp->lost_low;
    sample->prior_delivered_bytes = rate->delivered_bytes - pace.bytes;
    sample->flight_bytes = stamp->flight_bytes;
    sample->app_limited = stamp->app_limited;
    sample->interval_us = us_of(pace.interval_ns);
    if (!is_too_short(pace.interval_ns, min_rtt_us)) {
        sample->pace = pace;
    }
}

void slt_rate_app_limited(struct slt_tcp_rate *rate, int64_t flight_bytes)
{
    uint64_t until = rate->delivered_bytes + (uint64_t)slt_max64(flight_bytes, 0);

    rate->app_limited_until = until > 0 ? until : 1;
}
