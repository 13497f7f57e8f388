/* Pacing: what a window allows at once leaves spread over the round trip.
 *
 * The congestion control names a rate (slt_cc_pacing_bytes_per_s), the user an upper bound
 * (SALUT_OPT_PACING_MAX). Each segment moves the instant before which the next one may not leave
 * by the time it takes at that rate. Segments leave in bursts of about a millisecond, as large as
 * what a link with segmentation offload is offered at once, so that a fast connection does not
 * wake for every segment; a late wake-up may catch up with one burst and no more.
 *
 * BBR is always paced; the others are when asked to. Acknowledgements, resets and probes are not
 * paced, nor is the first segment that is sent again. This file alone writes the pacing group;
 * output.c asks slt_tcp_pacing_after while it plans, timers.c holds the deadline.
 */
#include "tcp/engine.h"

#define BURST_NS         SLT_NS_PER_MS
#define BURST_BYTES      65536
#define BURST_SEGS_LEAST 2

static bool paces_by_window(const struct slt_tcp_conn *c, const struct slt_tcp_cold *cold)
{
    return (c->opts.cc & SLT_OPTS_PACED) != 0 || slt_cc_needs_pacing(&cold->cc);
}

static SLT_APART uint64_t rate_of(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    const struct slt_tcp_cold *cold = c->cold;
    uint64_t rate =
        paces_by_window(c, cold)
            ? slt_cc_pacing_bytes_per_s(&cold->cc, c->rtt.srtt8_us >> 3, slt_tcp_full_mss(tcp, c))
            : 0;

    if (c->opts.pace_max != 0 && (rate == 0 || rate > c->opts.pace_max)) {
        rate = c->opts.pace_max;
    }
    return rate;
}

/* The window or the round trip may have changed. */
void slt_tcp_pacing_update(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_tcp_cold *cold = c->cold;

    if (cold != NULL) {
        bool paced = c->opts.pace_max != 0 || paces_by_window(c, cold);
        cold->pacing.bytes_per_s = paced ? rate_of(tcp, c) : 0;
    }
}

static int64_t time_of(uint64_t bytes, uint64_t bytes_per_s)
{
    return (int64_t)(bytes * (uint64_t)SLT_NS_PER_S / bytes_per_s);
}

/* How long one burst takes. */
static int64_t burst_ns(const struct slt_tcp_pacing *pacing)
{
    return slt_min64(BURST_NS, time_of(BURST_BYTES, pacing->bytes_per_s));
}

/* When the next segment may leave once `bytes` leave now. */
int64_t slt_tcp_pacing_after(const struct slt_tcp_pacing *pacing, int64_t next_at_ns,
                             uint32_t bytes, int64_t now_ns)
{
    if (pacing->bytes_per_s == 0) {
        return next_at_ns;
    }
    int64_t from_ns = slt_max64(next_at_ns, now_ns - burst_ns(pacing));

    return slt_time_add(from_ns, time_of(bytes, pacing->bytes_per_s));
}

/* When to wake for what is held back now: with a whole burst. */
int64_t slt_tcp_pacing_wake(const struct slt_tcp_pacing *pacing, int64_t now_ns)
{
    SLT_ASSERT(pacing->bytes_per_s > 0);
    return slt_max64(pacing->next_at_ns, now_ns + burst_ns(pacing));
}

/* There is nothing to remember: what is sent next finds a whole burst's credit, as with a fresh
 * start. (Were less forgotten, a user of small requests would never be paced.) */
bool slt_tcp_pacing_rests(const struct slt_tcp_pacing *pacing, int64_t now_ns)
{
    return pacing->bytes_per_s == 0 || pacing->next_at_ns <= now_ns - burst_ns(pacing);
}

/* The most one segment may carry: a millisecond's worth, in whole segments (Linux's TSO
 * autosizing), two at least. */
int64_t slt_tcp_pacing_quantum(const struct slt_tcp_pacing *pacing, uint32_t mss)
{
    uint64_t bytes = pacing->bytes_per_s * (uint64_t)BURST_NS / (uint64_t)SLT_NS_PER_S;
    uint64_t segs =
        slt_max32((uint32_t)slt_min64((int64_t)(bytes / mss), BURST_BYTES), BURST_SEGS_LEAST);

    return (int64_t)segs * mss;
}

void slt_tcp_pacing_on_sent(struct slt_tcp_cold *cold, uint32_t bytes, int64_t now_ns)
{
    cold->pacing.next_at_ns =
        slt_tcp_pacing_after(&cold->pacing, cold->pacing.next_at_ns, bytes, now_ns);
}
