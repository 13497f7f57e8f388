/* Fast open (RFC 7413), what the engine has to do with it.
 *
 * Server: a cookie is eight octets of SipHash over both addresses and the number of the period in
 * which it was given, under a key of the instance (4.1.2). Periods take turns as keys would: a
 * cookie is good in the period in which it was given and in the next, and who shows the older one
 * is given the new one with the SYN,ACK. A SYN with a good cookie makes a connection in
 * SYN-RECEIVED at once; its data waits to be read, and the user may answer before the handshake is
 * complete (4.2.2). How many such connections there may be is the stack's to count.
 *
 * Client: the SYN carries a request, or the cookie and what the user queued before it left, up to
 * the server's MSS. SND.NXT then lies behind that data; what the SYN,ACK does not acknowledge
 * becomes unsent. A SYN that goes unanswered is sent again without option and data. Cookies of
 * servers are kept by the stack floor, which also judges how the attempt went.
 */
#include "tcp/engine.h"

#define MSS_USUAL_V4   1460 /* 4.1.3: larger SYNs are asking for trouble */
#define MSS_USUAL_V6   1440
#define MSS_DEFAULT_V4 536
#define MSS_DEFAULT_V6 1220

/* ---- cookies -------------------------------------------------------------------------------- */

static uint64_t period_of(const struct slt_tcp *tcp, int64_t now_ns)
{
    return (uint64_t)(now_ns / tcp->config->fast_open_key_ns);
}

static uint64_t make_cookie(const struct slt_tcp *tcp, const struct slt_tcp_id *id, uint64_t period)
{
    struct {
        uint8_t local[16];
        uint8_t remote[16];
        uint64_t period;
    } message;

    memcpy(message.local, id->local, sizeof(message.local));
    memcpy(message.remote, id->remote, sizeof(message.remote));
    message.period = period;
    return slt_siphash24(&tcp->fast_open_key, &message, sizeof(message));
}

/* GetCookie (R7413-03). */
void slt_tcp_fast_open_cookie(const struct slt_tcp *tcp, const struct slt_tcp_id *id,
                              int64_t now_ns, struct slt_tcp_options *opt)
{
    uint64_t cookie = make_cookie(tcp, id, period_of(tcp, now_ns));

    memcpy(opt->cookie, &cookie, sizeof(cookie));
    opt->cookie_bytes = sizeof(cookie);
    opt->present |= SLT_TCP_OPT_FAST_OPEN;
    if (slt_tcp_options_bytes(opt) > SLT_TCP_OPTIONS_MAX) {
        opt->present &= (uint8_t) ~(unsigned)SLT_TCP_OPT_FAST_OPEN;
    }
}

/* IsCookieValid (R7413-07). */
enum slt_tcp_fast_open_verdict slt_tcp_fast_open_judge(const struct slt_tcp *tcp,
                                                       const struct slt_tcp_id *id,
                                                       const struct slt_tcp_options *opt,
                                                       int64_t now_ns)
{
    uint64_t shown;
    uint64_t period = period_of(tcp, now_ns);

    if (!(opt->present & SLT_TCP_OPT_FAST_OPEN)) {
        return SLT_FAST_OPEN_NONE;
    }
    if (opt->cookie_bytes != sizeof(shown)) {
        return opt->cookie_bytes == 0 ? SLT_FAST_OPEN_REQUEST : SLT_FAST_OPEN_BAD;
    }
    memcpy(&shown, opt->cookie, sizeof(shown));
    bool fresh = shown == make_cookie(tcp, id, period);
    bool old = shown == make_cookie(tcp, id, period - 1);
    if (fresh) {
        return SLT_FAST_OPEN_FRESH;
    }
    return old ? SLT_FAST_OPEN_OLD : SLT_FAST_OPEN_BAD;
}

/* ---- server --------------------------------------------------------------------------------- */

/* The SYN,ACK of a full connection hands out a cookie. */
void slt_tcp_fast_open_give(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_opening *o = &c->cold->opening;
    struct slt_tcp_options opt = {.present = 0};

    slt_tcp_fast_open_cookie(tcp, &c->id, now_ns, &opt);
    memcpy(o->cookie, opt.cookie, sizeof(o->cookie));
    o->cookie_bytes = opt.cookie_bytes;
    o->fast_open = SLT_FAST_OPEN_GIVE;
}

/* A SYN with a good cookie has made this connection: take its data (4.2.2 step 4, R7413-07). A FIN
 * on it is left, and comes again. */
void slt_tcp_fast_open_accept(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                              const struct slt_tcp_segment *syn, int64_t now_ns)
{
    SLT_ASSERT(c->state == SALUT_STATE_SYN_RECEIVED);
    struct slt_tcp_in in = {.seg = syn, .now_ns = now_ns, .text_pos = 1, .text = syn->payload};

    in.text_bytes = (uint32_t)slt_min64(syn->payload_bytes, slt_max64(c->rcv.edge - c->rcv.nxt, 0));
    c->flags |= SLT_CONN_FAST_OPEN;
    slt_count(tcp->telemetry, SLT_NOTE_TCP_FAST_OPEN_TAKEN);
    slt_tcp_take_text(tcp, c, &in);
}

/* ---- client --------------------------------------------------------------------------------- */

/* The open that has just begun is a fast one; `known` is what is remembered of the server. */
void slt_tcp_fast_open_begin(struct slt_tcp_conn *c, const struct slt_tcp_fast_open_known *known)
{
    SLT_ASSERT(c->state == SALUT_STATE_SYN_SENT && c->snd.nxt == 0);
    struct slt_tcp_opening *o = &c->cold->opening;

    o->fast_open = known->cookie_bytes == 0 ? SLT_FAST_OPEN_ASK : SLT_FAST_OPEN_SEND;
    o->cookie_bytes = known->cookie_bytes;
    o->mss = known->mss;
    memcpy(o->cookie, known->cookie, sizeof(o->cookie));
    if (known->wait && known->cookie_bytes > 0) {
        o->waits = true;
        c->due &= (uint16_t)~SLT_DUE_SYN;
    }
}

/* The user has queued something: a SYN that waited for it may leave. */
void slt_tcp_fast_open_on_queued(struct slt_tcp_conn *c)
{
    struct slt_tcp_opening *o = &c->cold->opening;

    if (o->waits) {
        o->waits = false;
        c->due |= SLT_DUE_SYN;
    }
}

/* How many of the queued octets the SYN takes along, beside its options (R7413-04, R7413-07). */
uint32_t slt_tcp_fast_open_syn_bytes(const struct slt_tcp_conn *c,
                                     const struct slt_tcp_options *opt)
{
    const struct slt_tcp_cold *cold = c->cold;
    bool v6 = c->ip_bytes == 40;
    uint32_t usual = v6 ? MSS_USUAL_V6 : MSS_USUAL_V4;
    uint32_t mss = v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4;

    if (c->state != SALUT_STATE_SYN_SENT || cold->opening.fast_open != SLT_FAST_OPEN_SEND ||
        c->snd.nxt > 0 || !(opt->present & SLT_TCP_OPT_FAST_OPEN)) {
        return 0;
    }
    if (cold->opening.mss != 0) {
        mss = slt_min32(cold->opening.mss, usual);
    }
    mss = slt_min32(mss, (uint32_t)c->snd.pmtu - c->ip_bytes - SLT_TCP_HEADER_BYTES);
    uint32_t taken = slt_tcp_options_bytes(opt);
    return mss > taken ? slt_min32(mss - taken, c->snd.queue.bytes) : 0;
}

/* The SYN left with `bytes` of data. */
void slt_tcp_fast_open_on_sent(struct slt_tcp_cold *cold, uint32_t bytes)
{
    cold->opening.syn_bytes = (uint16_t)bytes;
}

/* Our SYN was answered and all that follows from it is done: what of its data was not taken counts
 * as never sent, so that it goes with the first ACK as far as the window takes it, and nothing is
 * taken as lost (4.2.2, R7413-09; U-30: any acknowledgement above ISS may come). */
void slt_tcp_fast_open_answered(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->cold == NULL || c->state < SALUT_STATE_ESTABLISHED) {
        return;
    }
    uint32_t bytes = c->cold->opening.syn_bytes;
    if (bytes == 0) {
        return;
    }
    if (c->snd.una > 1) {
        c->flags |= SLT_CONN_FAST_OPEN;
        slt_count(tcp->telemetry, SLT_NOTE_TCP_FAST_OPEN_ACKED);
    } else {
        slt_count(tcp->telemetry, SLT_NOTE_TCP_FAST_OPEN_REFUSED);
    }
    if (c->snd.una < c->snd.nxt) {
        slt_tcp_recovery_none_out(tcp, c);
        slt_tcp_snd_unsent(c);
        slt_tcp_timers_on_acked(tcp, c, true, now_ns);
    }
}
