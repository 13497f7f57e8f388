/* TIME-WAIT as a small entry (RFC 9293 3.6.1, 3.10.7.4; RFC 1337; RFC 6191).
 *
 * A connection that nobody holds any more keeps 60 bytes: the tuple, the two numbers behind the
 * FINs, TS.Recent, and a packed word: 22 bits of deadline in milliseconds (so 2MSL is at most 34
 * minutes), 8 bits of why it closed, whether timestamps were in use, and one bit of limiter.
 *
 * What it answers: a resent FIN (and 2MSL starts again, U-25), data and segments outside the
 * window (with an ACK), a SYN that may not take over. What it never answers: a pure ACK in order,
 * or two ends in TIME-WAIT would talk for ever (n6), and a reset (RFC 1337 F1, D-02). Answers to
 * segments without data are limited to one in each half-second slot: the limiter's bit holds the
 * parity of the slot that was last used.
 */
#include "tcp/engine.h"

#define DUE_BITS         22
#define DUE_MASK         ((UINT32_C(1) << DUE_BITS) - 1)
#define REASON_SHIFT     DUE_BITS
#define FACT_TS_OK       (UINT32_C(1) << 30)
#define FACT_SLOT        (UINT32_C(1) << 31)
#define PLAUSIBLE_WINDOW 65535  /* the entry does not keep MAX.SND.WND */
#define REUSE_ISN_STEP   65537U /* above everything the window could hold unscaled (MAY-2) */

static void set_due(struct slt_tcp_time_wait *tw, int64_t due_at_ns)
{
    int64_t due_ms = (due_at_ns + SLT_NS_PER_MS - 1) / SLT_NS_PER_MS; /* never early */

    tw->facts = (tw->facts & ~DUE_MASK) | ((uint32_t)(uint64_t)due_ms & DUE_MASK);
}

int64_t slt_tcp_time_wait_due_at_ns(const struct slt_tcp_time_wait *tw, int64_t now_ns)
{
    int64_t now_ms = now_ns / SLT_NS_PER_MS;
    uint32_t ahead = (tw->facts - (uint32_t)(uint64_t)now_ms) & DUE_MASK;
    int64_t distance = ahead > DUE_MASK / 2 ? (int64_t)ahead - (int64_t)DUE_MASK - 1 : ahead;

    return (now_ms + distance) * SLT_NS_PER_MS;
}

enum slt_reason slt_tcp_time_wait_reason(const struct slt_tcp_time_wait *tw)
{
    return (enum slt_reason)(tw->facts >> REASON_SHIFT & 0xffU);
}

static uint32_t slot_bit(const struct slt_tcp *tcp, int64_t now_ns)
{
    uint32_t interval_ms = slt_max32(tcp->config->challenge_interval_ms, 1);

    return (slt_tcp_ts_clock(now_ns) / interval_ms & 1U) ? FACT_SLOT : 0;
}

void slt_tcp_time_wait_init(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                            struct slt_tcp_time_wait *tw, int64_t now_ns)
{
    SLT_ASSERT(c->state == SALUT_STATE_TIME_WAIT);
    tw->id = c->id;
    tw->rcv_nxt = slt_tcp_wrap(c->rcv.nxt, c->rcv.isn);
    tw->snd_nxt = slt_tcp_wrap(c->snd.nxt, c->snd.isn);
    tw->ts_recent = c->ts.recent;
    tw->facts = (uint32_t)slt_tcp_state_reason(c) << REASON_SHIFT;
    tw->facts |= slt_tcp_has(c, SLT_CONN_TS_OK) ? FACT_TS_OK : 0;
    tw->facts |= slot_bit(tcp, now_ns) ^ FACT_SLOT;
    set_due(tw, c->lasting_at_ns);
}

static void reply_ack(const struct slt_tcp *tcp, const struct slt_tcp_time_wait *tw,
                      enum slt_reason why, int64_t now_ns, struct slt_tcp_verdict *v)
{
    struct slt_tcp_reply *reply = &v->reply;

    v->has_reply = true;
    reply->id = tw->id;
    reply->seq = tw->snd_nxt;
    reply->ack = tw->rcv_nxt;
    reply->flags = SLT_TCP_ACK;
    reply->window = 0xffff; /* nothing more can come; the field says nothing */
    reply->why = why;
    if (tw->facts & FACT_TS_OK) {
        reply->opt.present = SLT_TCP_OPT_TIMESTAMPS;
        reply->opt.ts_val = slt_tcp_ts_clock(now_ns) + slt_tcp_ts_offset(tcp, &tw->id);
        reply->opt.ts_ecr = tw->ts_recent;
    }
}

static void reply_ack_limited(const struct slt_tcp *tcp, struct slt_tcp_time_wait *tw,
                              enum slt_reason why, int64_t now_ns, struct slt_tcp_verdict *v)
{
    uint32_t bit = slot_bit(tcp, now_ns);

    if ((tw->facts & FACT_SLOT) == bit) {
        slt_count(tcp->telemetry, SLT_NOTE_TCP_ACK_LIMITED);
        return;
    }
    tw->facts ^= FACT_SLOT;
    reply_ack(tcp, tw, why, now_ns, v);
}

static void judge(struct slt_tcp_verdict *v, enum slt_verdict_kind kind, enum slt_reason why)
{
    v->kind = kind;
    v->why = why;
}

/* May this SYN take over (SHLD-4; RFC 6191 2, R6191-01..06; n2)? "Last" is the number of the FIN.
 */
static bool may_take_over(const struct slt_tcp_time_wait *tw, const struct slt_tcp_segment *syn)
{
    bool old_ts = (tw->facts & FACT_TS_OK) != 0;
    bool new_ts = (syn->opt.present & SLT_TCP_OPT_TIMESTAMPS) != 0;
    bool later_seq = (int32_t)(syn->seq - (tw->rcv_nxt - 1)) > 0;

    if (old_ts && new_ts) {
        return slt_tcp_ts_older(tw->ts_recent, syn->opt.ts_val) ||
               (tw->ts_recent == syn->opt.ts_val && later_seq);
    }
    return (!old_ts && new_ts) || later_seq;
}

static void on_syn(const struct slt_tcp *tcp, struct slt_tcp_time_wait *tw,
                   const struct slt_tcp_segment *seg, int64_t now_ns, struct slt_tcp_verdict *v)
{
    bool ts = (tw->facts & FACT_TS_OK) && (seg->opt.present & SLT_TCP_OPT_TIMESTAMPS);

    if (may_take_over(tw, seg)) {
        judge(v, SLT_VERDICT_REUSE, SLT_NOTE_TCP_TW_REUSED);
        return;
    }
    judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_SYN_CHALLENGED);
    if (!(ts && tcp->config->old_syn_time_wait_dropped)) { /* D-21 */
        reply_ack_limited(tcp, tw, SLT_SEND_CHALLENGE, now_ns, v);
    }
}

static void on_reset(const struct slt_tcp *tcp, const struct slt_tcp_time_wait *tw,
                     const struct slt_tcp_segment *seg, struct slt_tcp_verdict *v)
{
    if (tcp->config->time_wait_rst_kills && seg->seq == tw->rcv_nxt) { /* D-02, L-35 */
        judge(v, SLT_VERDICT_KILL, SLT_CAUSE_TIME_WAIT_KILLED);
    } else {
        judge(v, SLT_VERDICT_DROP, SLT_DROP_TCP_RST_IGNORED); /* RFC 1337 F1 */
    }
}

/* Octets where nothing can be new: they are answered, and where the profile does as Linux does, old
 * ones start 2MSL anew (n16). */
static void on_octets(const struct slt_tcp *tcp, struct slt_tcp_time_wait *tw,
                      const struct slt_tcp_segment *seg, int64_t now_ns, struct slt_tcp_verdict *v)
{
    judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_OUT_OF_WINDOW);
    reply_ack(tcp, tw, SLT_SEND_ACK_INVALID, now_ns, v);
    if (tcp->config->time_wait_any_restarts && seg->seq != tw->rcv_nxt) {
        judge(v, SLT_VERDICT_RESTART, SLT_DROP_TCP_OUT_OF_WINDOW);
        set_due(tw, slt_time_add(now_ns, 2 * tcp->config->msl_ns));
    }
}

/* A segment at RCV.NXT without data: nothing of it deserves an answer but an ACK of the unsent. */
static void on_bare_in_order(const struct slt_tcp *tcp, struct slt_tcp_time_wait *tw,
                             const struct slt_tcp_segment *seg, int64_t now_ns,
                             struct slt_tcp_verdict *v)
{
    if ((int32_t)(seg->ack - tw->snd_nxt) > 0) { /* K8 */
        judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_ACK_UNSENT);
        if (!tcp->config->ack_unsent_silent) {
            reply_ack_limited(tcp, tw, SLT_SEND_CHALLENGE, now_ns, v);
        }
    } else if ((int32_t)(tw->snd_nxt - seg->ack) > PLAUSIBLE_WINDOW) { /* K7, MAY-12 */
        judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_ACK_ANCIENT);
        reply_ack_limited(tcp, tw, SLT_SEND_CHALLENGE, now_ns, v);
    } else {
        judge(v, SLT_VERDICT_DROP, SLT_DROP_TCP_TW_IGNORED); /* n6 */
    }
}

void slt_tcp_time_wait_input(const struct slt_tcp *tcp, struct slt_tcp_time_wait *tw,
                             const struct slt_tcp_segment *seg, int64_t now_ns,
                             struct slt_tcp_verdict *v)
{
    uint32_t seg_len = slt_tcp_seg_len(seg);
    bool has_ts = (seg->opt.present & SLT_TCP_OPT_TIMESTAMPS) != 0;

    memset(v, 0, sizeof(*v));
    if (seg->flags & SLT_TCP_RST) {
        on_reset(tcp, tw, seg, v);
    } else if ((seg->flags & (SLT_TCP_SYN | SLT_TCP_ACK)) == SLT_TCP_SYN) {
        on_syn(tcp, tw, seg, now_ns, v);
    } else if ((tw->facts & FACT_TS_OK) && !has_ts) {
        judge(v, SLT_VERDICT_DROP, SLT_DROP_TCP_NO_TIMESTAMP);
    } else if (seg->flags & SLT_TCP_SYN) {
        judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_SYN_CHALLENGED);
        reply_ack_limited(tcp, tw, SLT_SEND_CHALLENGE, now_ns, v);
    } else if ((seg->flags & SLT_TCP_FIN) && seg->seq + seg_len == tw->rcv_nxt) {
        judge(v, SLT_VERDICT_RESTART, SLT_NOTE_TCP_TW_RESTARTED);
        reply_ack(tcp, tw, SLT_SEND_TIME_WAIT_ACK, now_ns, v);
        set_due(tw, slt_time_add(now_ns, 2 * tcp->config->msl_ns));
    } else if (seg->seq == tw->rcv_nxt && !(seg->flags & SLT_TCP_ACK)) {
        judge(v, SLT_VERDICT_DROP, SLT_DROP_TCP_NO_ACK);
    } else if (seg->payload_bytes > 0 || (seg->flags & SLT_TCP_FIN)) {
        on_octets(tcp, tw, seg, now_ns, v);
    } else if (seg->seq != tw->rcv_nxt) {
        judge(v, SLT_VERDICT_REPLY, SLT_DROP_TCP_OUT_OF_WINDOW);
        reply_ack_limited(tcp, tw, SLT_SEND_ACK_INVALID, now_ns, v);
    } else {
        on_bare_in_order(tcp, tw, seg, now_ns, v);
    }
}

uint32_t slt_tcp_time_wait_reuse_isn(const struct slt_tcp_time_wait *tw)
{
    return tw->snd_nxt + REUSE_ISN_STEP;
}

uint32_t slt_tcp_reuse_isn(const struct slt_tcp_conn *c)
{
    return slt_tcp_wrap(c->snd.nxt, c->snd.isn) + REUSE_ISN_STEP;
}
