/* Round-trip time and the retransmission timeout (RFC 6298), with Karn's rule (MUST-18).
 *
 * One segment is timed at a time; a retransmission of anything in flight ends the timing, unless
 * timestamps tell which copy was acknowledged (RFC 7323 4.1). SRTT is kept scaled by 8 and RTTVAR
 * by 4, so that the filters of RFC 6298 2.3 lose nothing to rounding.
 */
#include "tcp/engine.h"

#define RTO_AFTER_SYN_LOSS_US 3000000
#define CLOCK_GRANULARITY_US  1 /* G of RFC 6298 2.2: we time in nanoseconds */

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
    rtt->rto_us = bounded_rto_us(config, (int64_t)(rtt->srtt8_us >> 3) +
                                             slt_max64(CLOCK_GRANULARITY_US, rtt->rttvar4_us));
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

/* Take the sample an acknowledgement brings, if it brings one. Called only when una advanced. */
void slt_tcp_rtt_on_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    int64_t sample_us = -1;

    if (cold->timed_pos != 0 && in->ack_pos >= cold->timed_pos) {
        sample_us = (in->now_ns - cold->timed_at_ns) / SLT_NS_PER_US;
        cold->timed_pos = 0;
    } else if (cold->timed_pos == 0 && slt_tcp_has(c, SLT_CONN_TS_OK) &&
               (in->seg->opt.present & SLT_TCP_OPT_TIMESTAMPS)) {
        sample_us = sample_from_echo_us(c, in); /* RFC 7323 4.1 (R7323-13) */
    }
    if (sample_us >= 0) {
        slt_rtt_sample(&c->rtt, tcp->config, sample_us);
        c->backoff = 0; /* RFC 9293 3.8.2 (R6298-11): until a valid sample comes */
    }
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

/* New octets up to `end_pos` were sent. */
void slt_tcp_rtt_on_sent(struct slt_tcp_cold *cold, int64_t end_pos, int64_t now_ns)
{
    if (cold->timed_pos == 0) {
        cold->timed_pos = end_pos;
        cold->timed_at_ns = now_ns;
    }
}

/* Something in flight was sent again: an acknowledgement would be ambiguous (R6298-06). */
void slt_tcp_rtt_on_retransmit(struct slt_tcp_cold *cold)
{
    cold->timed_pos = 0;
}
