/* The handshake from the active side, and the SYNs of SYN-RECEIVED (RFC 9293 3.10.1, 3.10.7.3,
 * 3.5; MUST-10 simultaneous open).
 *
 * SYN-SENT has a door of its own: first the ACK, second the RST, fourth the SYN, as the RFC has
 * them. Security (third) is not implemented (appendix A.1, U-26). Text or a FIN on a SYN without
 * ACK is left unacknowledged, and so comes again once we are ESTABLISHED (S-24, U-18); the RFC
 * would also let us queue it.
 */
#include "tcp/engine.h"

/* Take over what the peer's SYN says: numbers and options. */
static void take_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    const struct slt_tcp_options *opt = &in->seg->opt;
    const struct salut_config *config = tcp->config;

    if (config->window_scaling && (opt->present & SLT_TCP_OPT_WSCALE)) { /* R7323-02 */
        c->flags |= SLT_CONN_WSCALE_OK;
    }
    if (config->sack && (opt->present & SLT_TCP_OPT_SACK_OK)) {
        c->flags |= SLT_CONN_SACK_OK;
    }
    if (config->timestamps && (opt->present & SLT_TCP_OPT_TIMESTAMPS)) {
        c->flags |= SLT_CONN_TS_OK;
    }
    slt_tcp_ecn_take_syn(tcp, c, in);
    slt_tcp_snd_peer(tcp, c, opt);
    uint8_t wscale = slt_tcp_has(c, SLT_CONN_WSCALE_OK) ? c->rcv.wscale : 0;
    slt_tcp_window_start(c, in->seg->seq, wscale);
    if (slt_tcp_has(c, SLT_CONN_TS_OK)) {
        slt_tcp_ts_start(c, opt->ts_val, in->now_ns);
    }
    slt_tcp_uto_note(tcp, c, in);
}

static uint8_t scale_for(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    return tcp->config->window_scaling ? slt_tcp_own_wscale(tcp->config, c->rcv.buffer_max) : 0;
}

void slt_tcp_open_rescale(const struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    if (c->state == SALUT_STATE_SYN_SENT && c->snd.nxt == 0) {
        c->rcv.wscale = scale_for(tcp, c);
    }
}

enum salut_status slt_tcp_open(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->state != SALUT_STATE_CLOSED && c->state != SALUT_STATE_LISTEN) {
        return SALUT_ALREADY_CONNECTED; /* 3.10.1: "connection already exists" */
    }
    if (!slt_tcp_cold_get(tcp, c, now_ns)) {
        return SALUT_NO_MEMORY;
    }
    slt_tcp_snd_start(c, slt_tcp_isn(tcp, &c->id, now_ns));
    c->ts.offset = slt_tcp_ts_offset(tcp, &c->id);
    c->rcv.wscale = scale_for(tcp, c);
    slt_tcp_ecn_open(tcp, c);
    slt_tcp_set_state(tcp, c, SALUT_STATE_SYN_SENT, SLT_CAUSE_ACTIVE_OPEN, now_ns);
    c->due |= SLT_DUE_SYN;
    return SALUT_OK;
}

/* First and second of 3.10.7.3: judge the ACK, then the RST. SLT_PASS: go on to the SYN. */
static enum slt_reason judge_ack_and_reset(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                           struct slt_tcp_in *in)
{
    bool has_ack = (in->seg->flags & SLT_TCP_ACK) != 0;
    bool has_rst = (in->seg->flags & SLT_TCP_RST) != 0;

    if (has_ack && (in->ack_pos <= 0 || in->ack_pos > c->snd.nxt)) { /* U-30 */
        return has_rst ? SLT_DROP_TCP_RST_IGNORED : SLT_DROP_TCP_ACK_UNACCEPTABLE;
    }
    if (!has_rst) {
        return SLT_PASS;
    }
    if (!has_ack) { /* K9, E06: a reset that does not prove it saw our SYN */
        return SLT_DROP_TCP_RST_IGNORED;
    }
    slt_tcp_end(tcp, c, SALUT_REFUSED, SLT_CAUSE_REFUSED, in->now_ns);
    return SLT_CAUSE_REFUSED;
}

/* Text and FIN of a SYN,ACK follow its SYN. */
static void text_after_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    in->text_pos = 1;
    in->text = in->seg->payload;
    in->text_bytes =
        (uint32_t)slt_min64(in->seg->payload_bytes, slt_max64(c->rcv.edge - c->rcv.nxt, 0));
    in->fin_pos = 1 + (int64_t)in->seg->payload_bytes;
    in->fin = (in->seg->flags & SLT_TCP_FIN) && in->fin_pos < c->rcv.edge;
    slt_tcp_note_urgent(tcp, c, in);
    slt_tcp_take_text(tcp, c, in);
    slt_tcp_take_fin(tcp, c, in);
}

/* The peer's MSS is known: the initial window, and what a lost SYN means for it. */
static void start_congestion(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    uint32_t mss = slt_tcp_full_mss(tcp, c);
    uint8_t lost = cold->recovery.syn_timeouts;

    slt_cc_init(&cold->cc, tcp->config, slt_tcp_cc_of(c), mss, now_ns);
    if (lost > 0) {
        slt_tcp_rtt_syn_lost(c);
    }
    if (lost > 1) { /* RFC 6928 2 (R6928-02), RFC 5681 3.1 (R5681-03) */
        slt_cc_on_syn_lost(&cold->cc, mss);
    }
}

/* Our SYN is acknowledged and the peer's is here: ESTABLISHED. */
static void synchronized(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    in->ack.advanced = true;
    in->ack.acked_bytes = 1;
    slt_tcp_snd_acked(tcp, c, in->ack_pos);
    slt_tcp_snd_window(c, in->seg->window, 0, in->ack_pos); /* not scaled: R7323-04 */
    start_congestion(tcp, c, in->now_ns);
    slt_tcp_established(tcp, c, SLT_CAUSE_SYN_ACKED, in->now_ns);
    slt_tcp_ack_now(c, SLT_SEND_HANDSHAKE_ACK);
    text_after_syn(tcp, c, in);
}

/* SEGMENT ARRIVES in SYN-SENT (3.10.7.3). */
enum slt_reason slt_tcp_syn_sent_input(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       struct slt_tcp_in *in)
{
    enum slt_reason r = judge_ack_and_reset(tcp, c, in);

    if (r != SLT_PASS) {
        return r;
    }
    if (!(in->seg->flags & SLT_TCP_SYN)) {
        /* Fifth: neither SYN nor RST (K5, X1). */
        return (in->seg->flags & SLT_TCP_ACK) ? SLT_DROP_TCP_ACK_WITHOUT_SYN : SLT_DROP_TCP_NO_ACK;
    }
    take_syn(tcp, c, in);
    if (in->seg->flags & SLT_TCP_ACK) {
        synchronized(tcp, c, in);
        return SLT_NOTE_TCP_ACCEPTED;
    }
    /* Simultaneous open (MUST-10): <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>. */
    slt_tcp_snd_window(c, in->seg->window, 0, 0);
    start_congestion(tcp, c, in->now_ns);
    slt_tcp_set_state(tcp, c, SALUT_STATE_SYN_RECEIVED, SLT_CAUSE_SIMULTANEOUS_OPEN, in->now_ns);
    c->due |= SLT_DUE_SYN;
    return SLT_NOTE_TCP_ACCEPTED;
}

/* A segment with the peer's own SYN (SEQ = IRS) in SYN-RECEIVED. By the letter of 3.10.7.4 it lies
 * left of the window; everybody answers the duplicate SYN with the SYN,ACK again (n1), takes the
 * crossing SYN,ACK that completes a simultaneous open (n3), and resets one with a wrong ACK (n4).
 */
enum slt_reason slt_tcp_syn_received_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                         struct slt_tcp_in *in)
{
    if (!(in->seg->flags & SLT_TCP_ACK)) {
        slt_tcp_ecn_take_syn_again(c, in->seg);
        c->due |= SLT_DUE_SYN;
        return SLT_NOTE_TCP_ACCEPTED;
    }
    if (in->ack_pos <= c->snd.una || in->ack_pos > c->snd.nxt) {
        return SLT_DROP_TCP_ACK_UNACCEPTABLE;
    }
    slt_tcp_ecn_take_crossing(c, in->seg);
    in->ack.advanced = true;
    in->ack.acked_bytes = (uint32_t)(in->ack_pos - c->snd.una);
    slt_tcp_snd_acked(tcp, c, in->ack_pos);
    slt_tcp_snd_window(c, in->seg->window, 0, in->ack_pos);
    slt_tcp_established(tcp, c, SLT_CAUSE_SYN_ACKED, in->now_ns);
    slt_tcp_ack_now(c, SLT_SEND_HANDSHAKE_ACK);
    text_after_syn(tcp, c, in);
    return SLT_NOTE_TCP_ACCEPTED;
}

/* Make the connection of a half-open entry, in SYN-RECEIVED: its SYN,ACK has been sent. */
bool slt_tcp_open_passive(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                          const struct slt_tcp_half_open *h, bool early, int64_t now_ns)
{
    SLT_ASSERT(c->state == SALUT_STATE_LISTEN);
    struct slt_tcp_options opt = {.mss = h->mss, .wscale = h->wscale};
    opt.present = (h->flags & SLT_HALF_MSS) ? SLT_TCP_OPT_MSS : 0;
    c->flags |= SLT_CONN_PASSIVE | (early ? (uint32_t)SLT_CONN_EARLY : 0);
    c->flags |= (h->flags & SLT_HALF_WSCALE_OK) ? (uint32_t)SLT_CONN_WSCALE_OK : 0;
    c->flags |= (h->flags & SLT_HALF_SACK_OK) ? (uint32_t)SLT_CONN_SACK_OK : 0;
    c->flags |= (h->flags & SLT_HALF_TS_OK) ? (uint32_t)SLT_CONN_TS_OK : 0;
    slt_tcp_snd_start(c, h->isn);
    slt_tcp_snd_peer(tcp, c, &opt);
    if (!slt_tcp_cold_get(tcp, c, now_ns)) { /* congestion control starts by the peer's MSS */
        return false;
    }
    slt_tcp_ecn_open_passive(tcp->config, c, h);
    slt_tcp_snd_window(c, h->window, 0, 0);
    slt_tcp_window_start(c, h->irs,
                         slt_tcp_has(c, SLT_CONN_WSCALE_OK)
                             ? slt_tcp_own_wscale(tcp->config, c->rcv.buffer_max)
                             : 0);
    c->ts.offset = slt_tcp_ts_offset(tcp, &c->id);
    if (slt_tcp_has(c, SLT_CONN_TS_OK)) {
        slt_tcp_ts_start(c, h->ts_recent, now_ns);
    }
    int64_t age_ns = (int64_t)(slt_tcp_ts_clock(now_ns) - h->made_at_ms) * SLT_NS_PER_MS;
    if (early) {
        slt_tcp_set_state(tcp, c, SALUT_STATE_SYN_RECEIVED, SLT_CAUSE_PASSIVE_OPEN, now_ns);
    } else { /* the entry has told of it */
        slt_tcp_inherit_state(tcp, c, SALUT_STATE_SYN_RECEIVED, SLT_CAUSE_PASSIVE_OPEN,
                              now_ns - age_ns);
    }
    if (h->retries > 1) {
        slt_cc_on_syn_lost(&c->cold->cc, slt_tcp_full_mss(tcp, c));
    }
    if (early) {
        c->due |= SLT_DUE_SYN;
        return true;
    }
    slt_tcp_snd_sent(c, 1, (struct slt_cursor){.buf = SLT_NIL});
    slt_tcp_timers_on_sent(tcp, c, now_ns);
    if (h->retries == 0) { /* Karn: a SYN,ACK sent once is a sample (R6298-06) */
        slt_tcp_recovery_on_new(tcp, c, 0, 1, now_ns - age_ns);
    }
    return true;
}
