/* The tail loss probe (RFC 8985 7).
 *
 * When the last octets of a flight are lost nothing behind them tells of it, and only the
 * retransmission timer would. Two round trips after the last news a probe goes out instead: the
 * next new segment, or the last one again. Its acknowledgement brings the SACK blocks from which
 * RACK learns what is missing. Output.c builds the probe; it leaves even if the congestion window
 * is full, once, and counts as in flight (RFC 8985 9.3).
 *
 * A probe that repeated the last segment may have repaired its loss with nobody the wiser; then the
 * window must be reduced all the same (R8985-11).
 */
#include "tcp/engine.h"

#define WITHOUT_RTT_US 1000000 /* RFC 8985 7.2 */
#define ACK_DELAY_US   200000  /* TLP.max_ack_delay, for a lone segment */
#define SCHEDULING_US  2000    /* what the peer's own clock and turns may add */

/* R8985-09: after new octets or a cumulative acknowledgement, unless losses are being repaired or
 * SACKs say that RACK is at work; R8985-10: not while a probe is out, or without a round trip
 * measured since the last. */
static bool applies(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                    const struct slt_tcp_recovery *r)
{
    return tcp->config->tail_probe && slt_tcp_has(c, SLT_CONN_SACK_OK) &&
           c->state >= SALUT_STATE_ESTABLISHED && c->snd.una > 0 && c->snd.una < c->snd.nxt &&
           r->ca_state == SALUT_CA_OPEN && r->records.sacked_bytes == 0 &&
           r->records.lost_bytes == 0 && r->tlp.end == 0 && r->tlp.rtt_seen;
}

/* Should be called when new octets left, and when SND.UNA moved. */
void slt_tlp_watch(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    const struct slt_tcp_recovery *r = &c->cold->recovery;
    int64_t wait_us = WITHOUT_RTT_US;
    int64_t rto_at_ns = slt_tcp_timer_due(c, SLT_TIMER_RETRANSMIT);

    if (!applies(tcp, c, r) || rto_at_ns == SLT_NEVER) {
        slt_tcp_timers_on_tail(c, SLT_NEVER);
        return;
    }
    if (c->rtt.srtt8_us != 0) {
        bool lone = slt_tcp_flight(c, r) <= (int64_t)slt_tcp_full_mss(tcp, c);
        wait_us = (int64_t)(c->rtt.srtt8_us >> 2) + (lone ? ACK_DELAY_US : SCHEDULING_US);
    }
    slt_tcp_timers_on_tail(c, slt_min64(slt_time_add(now_ns, wait_us * SLT_NS_PER_US), rto_at_ns));
}

/* The probe's time has come: false when there is nothing to probe any more. */
bool slt_tlp_on_timer(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                      const struct slt_tcp_recovery *r)
{
    return applies(tcp, c, r);
}

/* The probe left; `again`: it repeated octets. */
void slt_tlp_on_sent(const struct slt_tcp_conn *c, struct slt_tlp *tlp, bool again)
{
    tlp->end = c->snd.nxt;
    tlp->retransmits = again;
    tlp->rtt_seen = false;
}

/* RFC 8985 7.4.2 (R8985-11): true when the probe repaired a loss. */
bool slt_tlp_on_ack(struct slt_tlp *tlp, const struct slt_tcp_in *in, const struct slt_delivery *d)
{
    if (tlp->end == 0 || in->ack_pos < tlp->end) {
        return false;
    }
    bool twice_there = d->dsack && d->dsack_end == tlp->end; /* case 1: both copies arrived */
    bool duplicate = in->ack.duplicate && !d->sack_blocks;   /* case 2: the same, without SACK */
    if (!tlp->retransmits || twice_there || in->ack_pos > tlp->end) {
        bool repaired = tlp->retransmits && !twice_there; /* case 3 */
        tlp->end = 0;
        return repaired;
    }
    if (duplicate) {
        tlp->end = 0;
    }
    return false;
}
