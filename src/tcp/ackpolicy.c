/* When to acknowledge (RFC 9293 3.8.6.3; RFC 5681 4.2; RFC 5961 7).
 *
 * At once: text out of order, text that fills a gap or was there before, a FIN, the second full
 * segment (SHLD-19), the first segments of a connection (quick ACKs). Everything else waits for
 * the delayed-ACK timer (MUST-40), for data going the other way, or for the window to open.
 * "At once" means in this turn's transmit step: a batch of segments costs one acknowledgement
 * (MUST-58, MUST-59), except that a peer without SACK is owed one duplicate ACK per segment.
 *
 * Answers to segments that prove nothing (challenge ACKs, out of window) are limited per
 * connection, never globally (D-23): a shared counter would be a side channel (D05).
 */
#include "tcp/engine.h"

void slt_tcp_acks_init(struct slt_tcp_acks *acks, const struct salut_config *config)
{
    memset(acks, 0, sizeof(*acks));
    acks->quick_left = config->quick_acks;
}

/* An acknowledgement leaves in this turn; the first reason stands. */
void slt_tcp_ack_now(struct slt_tcp_conn *c, enum slt_reason why)
{
    SLT_ASSERT(slt_reason_category(why) == SLT_CATEGORY_SEND);
    if (!(c->due & SLT_DUE_ACK)) {
        c->acks.why = (uint8_t)why;
    }
    c->due |= SLT_DUE_ACK;
}

/* One answer per interval passes; 0 in *limit_at_ms means none was given yet. */
bool slt_tcp_limit_passes(uint32_t *limit_at_ms, uint32_t interval_ms, int64_t now_ns)
{
    uint32_t now_ms = slt_tcp_ts_clock(now_ns);

    if (*limit_at_ms != 0 && now_ms - *limit_at_ms < interval_ms) {
        return false;
    }
    *limit_at_ms = now_ms == 0 ? 1 : now_ms;
    return true;
}

/* Answer a segment that proves nothing, within the limit. False: withheld (and counted). */
bool slt_tcp_ack_limited(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                         int64_t now_ns)
{
    if (!slt_tcp_limit_passes(&c->acks.limit_at_ms, tcp->config->challenge_interval_ms, now_ns)) {
        slt_count(tcp->telemetry, SLT_NOTE_TCP_ACK_LIMITED);
        return false;
    }
    slt_tcp_ack_now(c, why);
    return true;
}

static void on_text_in_order(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                             const struct slt_tcp_in *in)
{
    uint32_t bytes = in->text_bytes;
    uint16_t own_mss = slt_tcp_advertised_mss(tcp->config, c->ip_bytes, c->opts.max_segment);

    if (bytes > c->rcv.mss_seen) {
        c->rcv.mss_seen = (uint16_t)slt_min32(bytes, own_mss);
    }
    c->acks.waiting_bytes += bytes;
    if (c->acks.quick_left > 0) {
        c->acks.quick_left--;
        slt_tcp_ack_now(c, SLT_SEND_ACK_NOW);
    } else if (c->acks.waiting_bytes >= 2U * c->rcv.mss_seen && c->rcv.mss_seen > 0 &&
               c->acks.waiting_bytes > bytes) {
        slt_tcp_ack_now(c, SLT_SEND_ACK_NOW); /* SHLD-19: the second full segment */
    } else if (bytes >= 2U * own_mss || slt_tcp_has(c, SLT_CONN_QUICK)) {
        slt_tcp_ack_now(c, SLT_SEND_ACK_NOW); /* one super-frame holds several segments */
    } else {
        slt_tcp_timers_on_ack_owed(tcp, c, in->now_ns); /* SHLD-18 */
    }
}

/* Decide, once all of the segment's facts are in. */
void slt_tcp_acks_on_segment(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                             const struct slt_tcp_in *in)
{
    if (in->new_text || in->fin_taken || in->out_of_order || in->duplicate_text) {
        c->flags |= SLT_CONN_ACK_PENDING;
    }
    if (in->out_of_order) { /* RFC 5681 4.2 (R5681-08, MAY-13) */
        slt_tcp_ack_now(c, SLT_SEND_ACK_DUPLICATE);
        if (!slt_tcp_has(c, SLT_CONN_SACK_OK) && c->acks.dup_due < UINT8_MAX) {
            c->acks.dup_due++;
        }
    } else if (in->filled || in->duplicate_text || in->fin_taken) {
        slt_tcp_ack_now(c, SLT_SEND_ACK_NOW);
    } else if (in->new_text) {
        on_text_in_order(tcp, c, in);
    } else if (in->dropped_text != SLT_PASS) {
        slt_tcp_ack_now(c, SLT_SEND_ACK_DUPLICATE); /* no memory: ask again */
    }
}

void slt_tcp_acks_on_delay_over(struct slt_tcp_conn *c)
{
    slt_tcp_ack_now(c, SLT_SEND_ACK_DELAYED);
}

/* A segment with an acknowledgement left. */
void slt_tcp_acks_on_sent(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                          const struct slt_tcp_plan *plan)
{
    if (plan->dup && c->acks.dup_due > 0) {
        c->acks.dup_due--;
    }
    if (c->acks.dup_due == 0 || !plan->dup) {
        c->acks.dup_due = plan->dup ? c->acks.dup_due : 0;
        c->due &= (uint16_t) ~(SLT_DUE_ACK | SLT_DUE_WINDOW);
    }
    c->flags &= ~(uint32_t)SLT_CONN_ACK_PENDING;
    c->acks.waiting_bytes = 0;
    c->ts.last_ack_low = (uint32_t)c->rcv.nxt;
    slt_tcp_window_advertised(c, plan->edge);
    slt_tcp_timers_on_ack_sent(tcp, c);
}

void slt_tcp_acks_probe_answered(struct slt_tcp_conn *c)
{
    c->acks.probes = 0;
}

uint8_t slt_tcp_acks_count_probe(struct slt_tcp_conn *c)
{
    if (c->acks.probes < UINT8_MAX) {
        c->acks.probes++;
    }
    return c->acks.probes;
}
