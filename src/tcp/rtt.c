/* Round-trip time and the retransmission timeout (RFC 6298), with Karn's rule (MUST-18).
 *
 * Every acknowledgement that delivers something is one sample: of the newest octets it delivers, if
 * they were sent only once; else timestamps may tell which copy was acknowledged (RFC 7323 4.1).
 * SRTT is kept scaled by 8 and RTTVAR by 4, so that the filters of RFC 6298 2.3 lose nothing to
 * rounding.
 */
#include "tcp/engine.h"

#define RTO_AFTER_SYN_LOSS_US 3000000
#define CLOCK_GRANULARITY_US  1 /* G of RFC 6298 2.2: we time in nanoseconds */
#define MIN_PERIOD_NS         (150 * SLT_NS_PER_S)

static uint32_t bounded_rto_us(const struct salut_config *config, int64_t rto_us)
{
    rto_us = slt_max64(rto_us, config->rto_min_ns / SLT_NS_PER_US); /* RFC 6298 2.4 */
    rto_us = slt_min64(rto_us, config->rto_max_ns / SLT_NS_PER_US); /* 2.5 */
    return (uint32_t)rto_us;
}

void slt_rtt_init(struct slt_tcp_rtt *rtt, const struct salut_config *config)
{
    rtt->srtt8_us = 0;
    rtt->rttvar4_us = 0;
    rtt->min_us = UINT32_MAX;
    rtt->rto_us = (uint32_t)(config->rto_initial_ns / SLT_NS_PER_US); /* RFC 6298 2.1 */
}

void slt_rtt_sample(struct slt_tcp_rtt *rtt, const struct salut_config *config, int64_t sample_us)
{
    int64_t r = slt_min64(slt_max64(sample_us, 1), config->rto_max_ns / SLT_NS_PER_US);

    if (rtt->srtt8_us == 0) { /* RFC 6298 2.2 */
        rtt->srtt8_us = (uint32_t)(r * 8);
        rtt->rttvar4_us = (uint32_t)(r * 2);
    } else { /* RFC 6298 2.3: RTTVAR first, then SRTT */
        int64_t error = r - (int64_t)(rtt->srtt8_us >> 3);
        int64_t deviation = error < 0 ? -error : error;
        int64_t var4 = (int64_t)rtt->rttvar4_us + deviation - (int64_t)(rtt->rttvar4_us >> 2);
        int64_t srtt8 = (int64_t)rtt->srtt8_us + error;
        rtt->rttvar4_us = (uint32_t)slt_max64(var4, 0);
        rtt->srtt8_us = (uint32_t)slt_max64(srtt8, 8);
    }
    rtt->min_us = slt_min32(rtt->min_us, (uint32_t)r);
    int64_t least_us =
        config->rto_var_floor ? config->rto_min_ns / SLT_NS_PER_US : CLOCK_GRANULARITY_US;
    rtt->rto_us = bounded_rto_us(config, (int64_t)(rtt->srtt8_us >> 3) +
                                             slt_max64(least_us, rtt->rttvar4_us));
}

/* An echo of our clock from the future, or from before anything in flight, is a forgery or a
 * broken peer: no sample (D13). */
static int64_t sample_from_echo_us(const struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    uint32_t elapsed_ms = slt_tcp_ts_now(c, in->now_ns) - in->seg->opt.ts_ecr;

    if (in->seg->opt.ts_ecr == 0 || elapsed_ms > UINT32_C(0x7fffffff) / 1000) {
        return -1;
    }
    return slt_max64((int64_t)elapsed_ms * 1000, 1000);
}

/* The smallest sample of this period and the one before (RFC 8985 6.2 step 1, R8985-03): a path
 * that became longer is believed after two periods at most. */
static void keep_min(struct slt_tcp_rtt *rtt, struct slt_tcp_min_rtt *min, uint32_t sample_us,
                     int64_t now_ns)
{
    if (min->since_ns == 0) {
        *min = (struct slt_tcp_min_rtt){now_ns, rtt->min_us, UINT32_MAX};
    } else if (now_ns - min->since_ns > MIN_PERIOD_NS) {
        *min = (struct slt_tcp_min_rtt){now_ns, UINT32_MAX, min->now_us};
    }
    min->now_us = slt_min32(min->now_us, sample_us);
    rtt->min_us = slt_min32(min->now_us, min->last_us);
}

/* Take the sample an acknowledgement brings, if it brings one: of the newest octets it delivers
 * that were sent only once, at `sent_at_ns`, or, if there are none, by the echo of our timestamp.
 * Returns it in microseconds, 0 for none. */
uint32_t slt_tcp_rtt_on_delivery(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                 const struct slt_tcp_in *in, int64_t sent_at_ns)
{
    int64_t sample_us = -1;

    if (sent_at_ns != SLT_NEVER) {
        sample_us = (in->now_ns - sent_at_ns) / SLT_NS_PER_US;
    } else if (in->ack.advanced && slt_tcp_has(c, SLT_CONN_TS_OK) &&
               (in->seg->opt.present & SLT_TCP_OPT_TIMESTAMPS)) {
        sample_us = sample_from_echo_us(c, in); /* RFC 7323 4.1 (R7323-13) */
    }
    if (sample_us < 0) {
        return 0; /* RFC 6298 3 (R6298-06): an ambiguous acknowledgement measures nothing */
    }
    sample_us = slt_max64(sample_us, 1);
    uint32_t sample = (uint32_t)slt_min64(sample_us, UINT32_MAX);
    slt_rtt_sample(&c->rtt, tcp->config, sample_us);
    keep_min(&c->rtt, &c->cold->min_rtt, sample, in->now_ns);
    slt_tcp_limits_rtt(&c->cold->limits, sample);
    c->backoff = 0; /* RFC 9293 3.8.2 (R6298-11): until a valid sample comes */
    return sample;
}

/* The retransmission timer fired (RFC 6298 5.5). */
void slt_tcp_rtt_back_off(struct slt_tcp_conn *c)
{
    if (c->backoff < UINT8_MAX) {
        c->backoff++;
    }
}

/* A SYN of ours was lost and no sample has come: data start with 3 s (RFC 6298 5.7, R6298-09). */
void slt_tcp_rtt_syn_lost(struct slt_tcp_conn *c)
{
    c->backoff = 0;
    if (c->rtt.srtt8_us == 0) {
        c->rtt.rto_us = slt_max32(c->rtt.rto_us, RTO_AFTER_SYN_LOSS_US);
    }
}
