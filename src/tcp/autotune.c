/* How large the buffers are: the receive buffer grows with what the user reads in a round trip,
 * the send buffer with the congestion window (what Linux calls dynamic right-sizing).
 *
 * Receiving. A sender in slow start doubles its window every round trip, and our window must never
 * be what stops it. So a round is measured: from where the user had read when it began to where he
 * has read one round-trip time later. The buffer is to hold twice that, and four times while the
 * rounds still grow, for what is measured now is a round trip old when its window is used. What is
 * counted is what was read, not what arrived, and only while the user keeps up: he who leaves more
 * unread than he reads in a round trip is himself what limits the rate, and his buffer does not
 * grow.
 *
 * The receiver's round-trip time comes from timestamps (the echo on a full segment tells when the
 * acknowledgement that let it leave was sent) or, without them, from how long a whole window takes
 * to come in; the shortest such turn counts. Both are upper bounds when the sender has pauses, and
 * a round that is too long errs towards a larger buffer, within its limits.
 *
 * Measuring needs the cold block; it starts when text comes in bulk and ends a second after the
 * last (the tune timer), so that an idle connection stays small. What was learnt, the buffer's
 * size, stays. Buffers never shrink: a window once offered is a promise (RFC 9293 SHLD-14). The
 * press of memory shows in the growth: no buffer grows beyond a quarter of what is free in the
 * pool, and when the pool is nearly used up a window is offered only up to the configured
 * minimum (window.c).
 *
 * Sending. What a lost segment holds back stays in the buffer until its retransmission is
 * acknowledged, and new text goes on leaving meanwhile: a window until the loss is noticed, up to
 * another while the reordering window waits (RFC 8985), most of one more until the retransmission
 * is answered. Three windows, or four where recovery does not reduce the window (BBR); with fewer
 * the sender falls silent in recovery, and sends a whole window in one burst when the hole closes.
 * Linux counts two and three, but of memory with its overhead, which is half as much again.
 *
 * A size that the user has set (SO_RCVBUF, SO_SNDBUF) is his: that side is not tuned.
 * RFC 7323 2.3 bounds what a window can say; RFC 9293 3.8.6 (REC-1).
 */
#include "tcp/engine.h"

#define PRESS_SHARE   4 /* a step takes at most this fraction of the free pool */
#define PRESS_RESERVE 8 /* below this fraction free the pool is nearly used up */
#define WINDOWS       3
#define OWNER_WINDOWS 4
#define WINDOW_MAX    65535
#define SLACK_BYTES   23360 /* sixteen usual segments: a reader takes uneven bites */
#define SAMPLE_MAX_US (INT64_C(60) * 1000 * 1000)

/* ---- memory --------------------------------------------------------------------------------- */

static int64_t free_pool_bytes(const struct slt_tcp *tcp)
{
    int64_t free_objects = (int64_t)tcp->bufs.max_objects - tcp->bufs.used_objects;

    return slt_max64(free_objects, 0) * tcp->config->buffer_bytes;
}

/* The pool is nearly used up: every connection gets its minimum, nobody more. */
bool slt_tcp_tune_pressed(const struct slt_tcp *tcp)
{
    return tcp->bufs.max_objects - tcp->bufs.used_objects < tcp->bufs.max_objects / PRESS_RESERVE;
}

/* A buffer of `wanted` bytes where one of `now` is, within the limit and what memory allows. */
static uint32_t grown(const struct slt_tcp *tcp, uint32_t now, int64_t wanted, int64_t limit)
{
    int64_t share = free_pool_bytes(tcp) / PRESS_SHARE;

    wanted = slt_min64(wanted, slt_min64(limit, share));
    return (uint32_t)slt_max64(wanted, now);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static bool may_grow(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    return tcp->config->tune_recv_buffer && !slt_tcp_has(c, SLT_CONN_RCVBUF_SET) &&
           c->rcv.buffer_max < tcp->config->recv_buffer_max_bytes &&
           c->rcv.buffer_max < ((int64_t)WINDOW_MAX << c->rcv.wscale);
}

static int64_t read_pos(const struct slt_tcp_conn *c)
{
    return c->rcv.nxt - c->rcv.queue.bytes;
}

static void begin(struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_tune *tune = &c->cold->tune;

    memset(tune, 0, sizeof(*tune));
    tune->round_pos = read_pos(c);
    tune->round_at_ns = now_ns;
    tune->turn_pos = c->rcv.edge;
    tune->turn_at_ns = now_ns;
    slt_tcp_timers_on_tuning(c, now_ns);
}

static void take_sample(struct slt_tcp_tune *tune, int64_t sample_us, bool upper_bound)
{
    uint32_t us = (uint32_t)slt_min64(slt_max64(sample_us, 1), SAMPLE_MAX_US);

    if (tune->rtt_us == 0 || (upper_bound && us < tune->rtt_us)) {
        tune->rtt_us = us;
    } else if (!upper_bound) {
        tune->rtt_us = (uint32_t)(((uint64_t)tune->rtt_us * 7 + us) / 8);
    }
}

/* RFC 7323 4.1's other half: the echo names the acknowledgement that this segment answers. Only
 * full segments tell: a small one left when the user of the other side wrote. */
static void sample_by_echo(const struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                           struct slt_tcp_tune *tune)
{
    uint32_t echo = in->seg->opt.ts_ecr;
    uint32_t elapsed_ms = slt_tcp_ts_now(c, in->now_ns) - echo;

    if (!(in->seg->opt.present & SLT_TCP_OPT_TIMESTAMPS) || echo == 0 || echo == tune->echo ||
        in->text_bytes < c->rcv.mss_seen || elapsed_ms > SAMPLE_MAX_US / 1000) {
        return;
    }
    tune->echo = echo;
    take_sample(tune, slt_max64((int64_t)elapsed_ms * 1000, 1000), false);
}

/* Without timestamps: what stood at the window's right edge has come, so a window's worth took
 * this long, and a round trip takes no longer. */
static void sample_by_turn(const struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                           struct slt_tcp_tune *tune)
{
    if (c->rcv.nxt < tune->turn_pos) {
        return;
    }
    take_sample(tune, (in->now_ns - tune->turn_at_ns) / SLT_NS_PER_US, true);
    tune->turn_pos = c->rcv.edge;
    tune->turn_at_ns = in->now_ns;
}

/* Should be called for text in order, once its facts are in: a full segment, or more than one since
 * the last acknowledgement, may be the first of many, and is worth measuring. */
void slt_tcp_tune_on_text(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    if (!may_grow(tcp, c)) {
        return;
    }
    bool bulk = in->text_bytes >= c->rcv.mss_seen || c->acks.waiting_bytes > in->text_bytes;
    if (c->cold == NULL || c->cold->tune.round_pos == 0) {
        if (!bulk || !slt_tcp_cold_get(tcp, c, in->now_ns)) {
            return;
        }
        begin(c, in->now_ns);
    }
    struct slt_tcp_tune *tune = &c->cold->tune;
    tune->heard_at_ns = in->now_ns;
    if (slt_tcp_has(c, SLT_CONN_TS_OK)) {
        sample_by_echo(c, in, tune);
    } else {
        sample_by_turn(c, in, tune);
    }
}

/* The round-trip time to measure by: the receiver's, but no more than twice the sender's (which
 * every handshake brings), for a peer's pauses count as time on the way. */
static uint32_t round_us(const struct slt_tcp_conn *c, const struct slt_tcp_tune *tune)
{
    uint32_t twice = c->rtt.srtt8_us >> 2;

    if (tune->rtt_us == 0) {
        return twice / 2;
    }
    return twice == 0 ? tune->rtt_us : slt_min32(tune->rtt_us, twice);
}

static void end_round(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_tune *tune = &c->cold->tune;
    int64_t copied = read_pos(c) - tune->round_pos;

    bool keeps_up = c->rcv.queue.bytes <= copied;
    if (copied > tune->copied_bytes && keeps_up) {
        bool grows = copied > (int64_t)tune->copied_bytes + tune->copied_bytes / 4;
        int64_t wanted = (grows ? 6 : 2) * copied + SLACK_BYTES;
        int64_t limit =
            slt_min64(tcp->config->recv_buffer_max_bytes, (int64_t)WINDOW_MAX << c->rcv.wscale);
        slt_tcp_rcv_buffer(c, grown(tcp, c->rcv.buffer_max, wanted, limit));
        tune->copied_bytes = (uint32_t)slt_min64(copied, UINT32_MAX);
    }
    tune->round_pos = read_pos(c);
    tune->round_at_ns = now_ns;
}

/* Should be called when the user has read. */
void slt_tcp_tune_on_read(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (slt_tcp_awake(c) == NULL) {
        return;
    }
    const struct slt_tcp_tune *tune = &c->cold->tune;
    int64_t round_ns = (int64_t)round_us(c, tune) * SLT_NS_PER_US;
    if (tune->round_pos != 0 && round_ns != 0 && now_ns - tune->round_at_ns >= round_ns) {
        end_round(tcp, c, now_ns);
    }
}

/* The tune timer fired: stop measuring if nothing came meanwhile. */
void slt_tcp_tune_on_timer(struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_tune *tune = &c->cold->tune;

    if (now_ns - tune->heard_at_ns >= SLT_TCP_TUNE_IDLE_NS || slt_tcp_has(c, SLT_CONN_FIN_TAKEN)) {
        tune->round_pos = 0;
    } else {
        slt_tcp_timers_on_tuning(c, tune->heard_at_ns);
    }
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Should be called when an acknowledgement has moved SND.UNA and the congestion window. */
void slt_tcp_tune_on_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    const struct slt_tcp_cold *cold = c->cold;
    int64_t windows = slt_cc_owns_window(&cold->cc) ? OWNER_WINDOWS : WINDOWS;
    int64_t wanted = windows * cold->cc.cwnd_bytes;

    if (!tcp->config->tune_send_buffer || slt_tcp_has(c, SLT_CONN_SNDBUF_SET) ||
        wanted <= c->snd.buffer_max || c->snd.queue.bytes < c->snd.buffer_max / 2) {
        return; /* a user who does not fill what he has needs no more */
    }
    slt_tcp_snd_buffer(c,
                       grown(tcp, c->snd.buffer_max, wanted, tcp->config->send_buffer_max_bytes));
}
