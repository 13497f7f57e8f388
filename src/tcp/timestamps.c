/* Timestamps and PAWS (RFC 7323 sections 3 to 5).
 *
 * Our clock ticks once a millisecond (5.4) and starts at a keyed offset per 4-tuple, so that it
 * tells nobody how long we have been up, and yet grows from one incarnation of the tuple to the
 * next (RFC 6191 needs that; section 7 recommends it).
 */
#include "tcp/engine.h"

/* RFC 7323 5.5: after 24 days without a segment TS.Recent proves nothing. */
#define PAWS_IDLE_MAX_S (24U * 24U * 3600U)

uint32_t slt_tcp_ts_clock(int64_t now_ns)
{
    return (uint32_t)(uint64_t)(now_ns / SLT_NS_PER_MS);
}

uint32_t slt_tcp_ts_now(const struct slt_tcp_conn *c, int64_t now_ns)
{
    return slt_tcp_ts_clock(now_ns) + c->ts.offset;
}

bool slt_tcp_ts_older(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static uint32_t seconds(int64_t now_ns)
{
    return (uint32_t)(uint64_t)(now_ns / SLT_NS_PER_S);
}

static bool is_valid(const struct slt_tcp_ts *ts, int64_t now_ns)
{
    return seconds(now_ns) - ts->recent_at_s <= PAWS_IDLE_MAX_S;
}

/* True when the timestamp is older than TS.Recent and TS.Recent is still valid (5.3 R1). A segment
 * sent again at the left edge moves TS.Recent past what left just before it and was overtaken; so
 * as many ticks as paws_slack_ticks are forgiven (Linux: one). */
bool slt_tcp_paws_rejects(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, uint32_t ts_val,
                          int64_t now_ns)
{
    return slt_tcp_ts_older(ts_val + tcp->config->paws_slack_ticks, c->ts.recent) &&
           is_valid(&c->ts, now_ns);
}

/* RFC 7323 4.3 (R7323-15), 5.3 R3: an acceptable segment that covers Last.ACK.sent updates
 * TS.Recent, which only grows (R7323-16) unless it had become invalid. */
void slt_tcp_ts_note(struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    if (!slt_tcp_has(c, SLT_CONN_TS_OK) || !(in->seg->opt.present & SLT_TCP_OPT_TIMESTAMPS)) {
        return;
    }
    if (in->pos > slt_pos_expand(c->rcv.nxt, c->ts.last_ack_low)) {
        return;
    }
    if (slt_tcp_ts_older(in->seg->opt.ts_val, c->ts.recent) && is_valid(&c->ts, in->now_ns)) {
        return;
    }
    c->ts.recent = in->seg->opt.ts_val;
    c->ts.recent_at_s = seconds(in->now_ns);
}

/* The peer's SYN carried a timestamp: both sides use them from now on. */
void slt_tcp_ts_start(struct slt_tcp_conn *c, uint32_t ts_val, int64_t now_ns)
{
    c->ts.recent = ts_val;
    c->ts.recent_at_s = seconds(now_ns);
    c->ts.last_ack_low = 1;
}
