/* Passive half-open entries: SYN-RECEIVED before there is a connection (RFC 9293 3.10.7.4 for that
 * state; RFC 4987 3.2).
 *
 * An entry holds what the SYN said and what our SYN,ACK said, in 88 bytes. Segments for it are
 * judged here in the order of 3.10.7.4; the acceptable ACK makes the connection, which then takes
 * the same segment, so that step five exists once. The SYN,ACK is sent again after 1, 2, 4 ...
 * seconds (RFC 6298 with its initial RTO), then the entry goes without a reset (D-22, S-33).
 */
#include "tcp/engine.h"

/* The longest window a SYN,ACK of ours offers: not scaled. */
static int64_t offered_edge(const struct slt_tcp *tcp)
{
    return 1 + (int64_t)slt_min32(tcp->config->recv_buffer_bytes, 65535);
}

void slt_tcp_half_open_init(struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                            const struct slt_tcp_id *id, const struct slt_tcp_segment *syn,
                            uint32_t isn, int64_t now_ns)
{
    const struct salut_config *config = tcp->config;
    const struct slt_tcp_options *opt = &syn->opt;

    h->id = *id;
    h->isn = isn;
    h->irs = syn->seq;
    h->window = syn->window;
    h->made_at_ms = slt_tcp_ts_clock(now_ns);
    h->limit_at_ms = 0;
    h->retries = 0;
    h->flags = 0;
    h->mss = opt->mss;
    h->wscale = opt->wscale;
    h->ts_recent = opt->ts_val;
    if (opt->present & SLT_TCP_OPT_MSS) {
        h->flags |= SLT_HALF_MSS;
    }
    if (config->window_scaling && (opt->present & SLT_TCP_OPT_WSCALE)) {
        h->flags |= SLT_HALF_WSCALE_OK; /* R7323-03 */
    }
    if (config->sack && (opt->present & SLT_TCP_OPT_SACK_OK)) {
        h->flags |= SLT_HALF_SACK_OK;
    }
    if (config->timestamps && (opt->present & SLT_TCP_OPT_TIMESTAMPS)) {
        h->flags |= SLT_HALF_TS_OK; /* R7323-10 */
    }
    h->flags |= slt_tcp_ecn_half_open(config, syn);
}

/* An ACK of ours that changes nothing: <SEQ=SND.NXT><ACK=RCV.NXT>. */
static void reply_ack(const struct slt_tcp *tcp, const struct slt_tcp_half_open *h,
                      enum slt_reason why, int64_t now_ns, struct slt_tcp_verdict *v)
{
    struct slt_tcp_reply *reply = &v->reply;
    uint8_t shift = (h->flags & SLT_HALF_WSCALE_OK)
                        ? slt_tcp_own_wscale(tcp->config, tcp->config->recv_buffer_bytes)
                        : 0;

    v->has_reply = true;
    reply->id = h->id;
    reply->seq = h->isn + 1;
    reply->ack = h->irs + 1;
    reply->flags = SLT_TCP_ACK;
    reply->flags |=
        (h->flags & SLT_HALF_ACCECN) ? slt_accecn_to_flags(SLT_ACCECN_START) : (uint16_t)0;
    reply->window = (uint16_t)((offered_edge(tcp) - 1) >> shift);
    reply->why = why;
    if (h->flags & SLT_HALF_TS_OK) {
        reply->opt.present = SLT_TCP_OPT_TIMESTAMPS;
        reply->opt.ts_val = slt_tcp_ts_clock(now_ns) + slt_tcp_ts_offset(tcp, &h->id);
        reply->opt.ts_ecr = h->ts_recent;
    }
}

/* The same, within the entry's limit (L-07). */
static void reply_ack_limited(const struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                              enum slt_reason why, int64_t now_ns, struct slt_tcp_verdict *v)
{
    if (slt_tcp_limit_passes(&h->limit_at_ms, tcp->config->challenge_interval_ms, now_ns)) {
        reply_ack(tcp, h, why, now_ns, v);
    } else {
        slt_count(tcp->telemetry, SLT_NOTE_TCP_ACK_LIMITED);
    }
}

static void judge(struct slt_tcp_verdict *v, enum slt_verdict_kind kind, enum slt_reason why)
{
    v->kind = kind;
    v->why = why;
}

/* The acknowledgement does not belong to our SYN: RST(a), and the entry stays (n4, n7, n9). */
static void refuse(const struct slt_tcp_half_open *h, const struct slt_tcp_segment *seg,
                   struct slt_tcp_verdict *v)
{
    judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_ACK_UNACCEPTABLE);
    v->has_reply = slt_tcp_closed_input(&h->id, seg, &v->reply);
    v->reply.why = SLT_SEND_RST_HANDSHAKE;
}

/* PAWS for an entry: true when the segment ends here. */
static bool paws(const struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                 const struct slt_tcp_segment *seg, int64_t now_ns, struct slt_tcp_verdict *v)
{
    if (!(h->flags & SLT_HALF_TS_OK) || (seg->flags & SLT_TCP_RST)) {
        return false;
    }
    if (!(seg->opt.present & SLT_TCP_OPT_TIMESTAMPS)) {
        judge(v, SLT_VERDICT_DROP, SLT_DROP_TCP_NO_TIMESTAMP); /* R7323-11 */
        return true;
    }
    if (!slt_tcp_ts_older(seg->opt.ts_val, h->ts_recent)) {
        return false;
    }
    judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_PAWS);
    reply_ack_limited(tcp, h, SLT_SEND_ACK_INVALID, now_ns, v);
    return true;
}

static void on_reset(const struct slt_tcp *tcp, struct slt_tcp_half_open *h, int64_t pos,
                     int64_t now_ns, struct slt_tcp_verdict *v)
{
    if (pos == 1) {
        judge(v, SLT_VERDICT_REMOVE, SLT_CAUSE_RESET_RECEIVED); /* K9: back to LISTEN */
        return;
    }
    judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_RST_CHALLENGED);
    reply_ack_limited(tcp, h, SLT_SEND_CHALLENGE, now_ns, v);
}

/* A segment that repeats the peer's SYN (SEQ = IRS). */
static void on_own_syn(const struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                       const struct slt_tcp_segment *seg, int64_t ack_pos,
                       struct slt_tcp_verdict *v)
{
    if (!(seg->flags & SLT_TCP_ACK)) {
        judge(v, SLT_VERDICT_SYN_ACK, SLT_NOTE_TCP_ACCEPTED); /* n1 */
        if (!slt_tcp_ecn_half_open_again(tcp->config, h, seg)) {
            refuse(h, seg, v);
            v->kind = SLT_VERDICT_REMOVE;
        }
    } else if (ack_pos == 1) {
        judge(v, SLT_VERDICT_COMPLETE, SLT_NOTE_TCP_ACCEPTED); /* n3 */
    } else {
        refuse(h, seg, v);
    }
}

void slt_tcp_half_open_input(struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                             const struct slt_tcp_segment *seg, int64_t now_ns,
                             struct slt_tcp_verdict *v)
{
    int64_t pos = slt_tcp_unwrap(1, h->irs, seg->seq);
    int64_t ack_pos = slt_tcp_unwrap(1, h->isn, seg->ack);
    bool has_ack = (seg->flags & SLT_TCP_ACK) != 0;

    memset(v, 0, sizeof(*v));
    if (paws(tcp, h, seg, now_ns, v)) {
        return;
    }
    if ((seg->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == SLT_TCP_SYN && pos == 0) {
        on_own_syn(tcp, h, seg, ack_pos, v);
    } else if (!slt_tcp_acceptable(pos, slt_tcp_seg_len(seg), 1, offered_edge(tcp))) {
        judge(v, SLT_VERDICT_REPLY,
              (seg->flags & SLT_TCP_RST) ? SLT_DROP_TCP_RST_OUT_OF_WINDOW
                                         : SLT_DROP_TCP_OUT_OF_WINDOW);
        if (!(seg->flags & SLT_TCP_RST)) {
            reply_ack_limited(tcp, h, SLT_SEND_ACK_INVALID, now_ns, v);
        }
    } else if (seg->flags & SLT_TCP_RST) {
        on_reset(tcp, h, pos, now_ns, v);
    } else if (has_ack && ack_pos != 1) {
        refuse(h, seg, v);
    } else if (seg->flags & SLT_TCP_SYN) {
        judge(v, SLT_VERDICT_REMOVE, SLT_CAUSE_RESET_RECEIVED); /* K1: a new SYN in the window */
    } else if (!has_ack) {
        judge(v, SLT_VERDICT_DROP, SLT_DROP_TCP_NO_ACK);
    } else {
        judge(v, SLT_VERDICT_COMPLETE, SLT_NOTE_TCP_ACCEPTED);
    }
}

void slt_tcp_half_open_syn_ack(const struct slt_tcp *tcp, const struct slt_tcp_half_open *h,
                               const struct slt_tcp_defaults *defaults, bool cookie, int64_t now_ns,
                               struct slt_tcp_reply *reply)
{
    const struct salut_config *config = tcp->config;
    uint32_t ip_bytes = slt_tcp_id_is_v4(&h->id) ? 20 : 40;
    struct slt_tcp_options *opt = &reply->opt;

    memset(reply, 0, sizeof(*reply));
    reply->id = h->id;
    reply->seq = h->isn;
    reply->ack = h->irs + 1;
    reply->flags = SLT_TCP_SYN | SLT_TCP_ACK;
    reply->flags |= slt_tcp_ecn_half_open_flags(config, h);
    reply->window = (uint16_t)slt_min32(defaults->recv_buffer_max, 65535);
    reply->why = h->retries > 0 ? SLT_SEND_SYN_RETRANSMIT : SLT_SEND_SYN_ACK;
    opt->present = SLT_TCP_OPT_MSS; /* MUST-14 */
    opt->mss = slt_tcp_advertised_mss(config, ip_bytes, defaults->opts.max_segment);
    if (h->flags & SLT_HALF_WSCALE_OK) {
        opt->present |= SLT_TCP_OPT_WSCALE;
        opt->wscale = slt_tcp_own_wscale(config, defaults->recv_buffer_max);
    }
    if (h->flags & SLT_HALF_SACK_OK) {
        opt->present |= SLT_TCP_OPT_SACK_OK;
    }
    if (h->flags & SLT_HALF_TS_OK) {
        opt->present |= SLT_TCP_OPT_TIMESTAMPS;
        opt->ts_val = slt_tcp_ts_clock(now_ns) + slt_tcp_ts_offset(tcp, &h->id);
        opt->ts_ecr = h->ts_recent;
        if (cookie) {
            opt->ts_val = slt_tcp_cookie_timestamp(h, opt->ts_val);
        }
    }
    if ((h->flags & SLT_HALF_FAST_OPEN) && h->retries == 0) { /* R7413-08: not when sent again */
        slt_tcp_fast_open_cookie(tcp, &h->id, now_ns, opt);
    }
    bool first = h->retries == 0 && !(h->flags & SLT_HALF_PLAIN);
    if (first && slt_tcp_ecn_half_open_is_accurate(config, h)) { /* R9768-08 */
        slt_accecn_start_option(opt);
    }
    slt_tcp_uto_on_syn(tcp, defaults->opts.user_timeout_ms, opt);
}

int64_t slt_tcp_half_open_wait_ns(const struct slt_tcp *tcp, const struct slt_tcp_half_open *h)
{
    int64_t wait_ns = tcp->config->rto_initial_ns;

    if (h->retries > tcp->config->syn_ack_retries) {
        return SLT_NEVER;
    }
    for (uint8_t i = 0; i < h->retries && wait_ns < tcp->config->rto_max_ns; i++) {
        wait_ns *= 2;
    }
    return slt_min64(wait_ns, tcp->config->rto_max_ns);
}
