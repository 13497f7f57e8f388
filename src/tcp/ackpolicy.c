/* When to acknowledge (RFC 9293 3.8.6.3; RFC 5681 4.2; RFC 5961 7).
 *
 * At once: text out of order, text that fills a gap or was there before, a FIN, the second full
 * segment (SHLD-19), the first segments of a connection (quick ACKs). Everything else waits for
 * the delayed-ACK timer (MUST-40), for data going the other way, or for the window to open.
 * "At once" means in this turn's transmit step: a batch of segments costs one acknowledgement
 * (MUST-58, MUST-59), except that a peer without SACK is owed one duplicate ACK per segment.
 *
 * Nobody may wait for the delayed-ACK timer who waits for us. A peer under Nagle that has written
 * a header holds the body until the header is acknowledged; so when the user has read everything
 * and the last of it ended a write of the peer's (a small segment, or PSH), the acknowledgement is
 * due (as in Linux, ack_on_read). A user who answers within the turn pays nothing for it: the
 * answer carries it. Who answers in a later turn, one answer to one write again and again, has
 * acknowledgements sent in vain; that habit is counted, and a connection found to be such a
 * ping-pong (SLT_CONN_PONG) leaves them to the answers. It loses that name as soon as a second
 * write comes before the answer, or the timer had to send one: then the habit has changed, and it
 * takes longer to be believed again.
 *
 * Answers to segments that prove nothing (challenge ACKs, out of window) are limited per
 * connection, never globally (D-23): a shared counter would be a side channel (D05).
 */
#include "tcp/engine.h"

/* c->rcv.habit: how often in a row an acknowledgement was sent in vain before the one answer to one
 * write; what was read since the last answer; whether the last text ended a write of the peer's. */
#define HABIT_COUNT  0x0fU
#define HABIT_SINCE  0x30U
#define SINCE_ONE    0x10U /* one write */
#define SINCE_VAIN   0x20U /* one write, and its acknowledgement has left alone */
#define SINCE_MORE   0x30U /* more than one: the peer needs the acknowledgement between */
#define HABIT_PUSHED 0x40U
#define HABIT_BROKEN 0x80U /* it was a ping-pong, and it was wrong: believe it later */
#define PONG_AFTER   4U
#define PONG_AGAIN   12U

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

static void leave_pong(struct slt_tcp_conn *c)
{
    c->flags &= ~(uint32_t)SLT_CONN_PONG;
    c->rcv.habit = (uint8_t)((c->rcv.habit & HABIT_PUSHED) | HABIT_BROKEN);
}

/* Text in order has come: did a write of the peer's end here? */
static void note_write(struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    bool pushed = (in->seg->flags & SLT_TCP_PSH) || in->text_bytes < c->rcv.mss_seen;

    c->rcv.habit &= (uint8_t)~HABIT_PUSHED;
    c->rcv.habit |= pushed ? (uint8_t)HABIT_PUSHED : 0;
}

static void on_text_in_order(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                             const struct slt_tcp_in *in)
{
    uint32_t bytes = in->text_bytes;
    uint16_t own_mss = slt_tcp_advertised_mss(tcp->config, c->ip_bytes, c->opts.max_segment);

    /* A super-frame tells nothing of its segments' size, and a guess above it would have every
     * second one of them wait. */
    if (bytes > c->rcv.mss_seen && bytes <= own_mss) {
        c->rcv.mss_seen = (uint16_t)bytes;
    }
    c->acks.waiting_bytes += bytes;
    note_write(c, in);
    if (c->acks.quick_left > 0 && !slt_tcp_has(c, SLT_CONN_PONG)) {
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

/* The user has read. If that was all there is and a write of the peer's ended there, the peer may
 * be waiting for the acknowledgement. */
void slt_tcp_acks_on_read(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    bool all = c->rcv.queue.bytes == 0 && slt_tcp_has(c, SLT_CONN_ACK_PENDING);

    if (!tcp->config->ack_on_read || !all || !(c->rcv.habit & HABIT_PUSHED) ||
        c->state < SALUT_STATE_ESTABLISHED || c->state == SALUT_STATE_TIME_WAIT) {
        return;
    }
    bool first = (c->rcv.habit & HABIT_SINCE) == 0;
    c->rcv.habit |= first ? SINCE_ONE : SINCE_MORE;
    if (slt_tcp_has(c, SLT_CONN_PONG) && first) {
        return; /* the answer will carry it */
    }
    if (slt_tcp_has(c, SLT_CONN_PONG)) {
        leave_pong(c);
    }
    slt_tcp_ack_now(c, SLT_SEND_ACK_NOW);
}

/* A segment with text of ours left: an answer, if something was read before. */
static void note_answer(struct slt_tcp_conn *c)
{
    uint8_t since = c->rcv.habit & HABIT_SINCE;
    uint8_t count = c->rcv.habit & HABIT_COUNT;

    if (since == SINCE_VAIN && count < HABIT_COUNT) {
        count++;
    } else if (since == SINCE_MORE) {
        count = 0;
    }
    if (count >= ((c->rcv.habit & HABIT_BROKEN) ? PONG_AGAIN : PONG_AFTER)) {
        c->flags |= SLT_CONN_PONG;
    }
    c->rcv.habit = (uint8_t)((c->rcv.habit & (HABIT_PUSHED | HABIT_BROKEN)) | count);
}

/* An acknowledgement left without text: had it waited, an answer might have carried it. */
static void note_bare(struct slt_tcp_conn *c)
{
    if ((c->rcv.habit & (HABIT_PUSHED | HABIT_SINCE)) == (HABIT_PUSHED | SINCE_ONE)) {
        c->rcv.habit ^= SINCE_ONE ^ SINCE_VAIN;
    }
}

void slt_tcp_acks_on_delay_over(struct slt_tcp_conn *c)
{
    if (slt_tcp_has(c, SLT_CONN_PONG)) {
        leave_pong(c);
    }
    slt_tcp_ack_now(c, SLT_SEND_ACK_DELAYED);
}

/* A segment with an acknowledgement left. */
void slt_tcp_acks_on_sent(struct slt_tcp_conn *c, const struct slt_tcp_plan *plan)
{
    if (plan->dup && c->acks.dup_due > 0) {
        c->acks.dup_due--;
    }
    if (c->acks.dup_due == 0 || !plan->dup) {
        c->acks.dup_due = plan->dup ? c->acks.dup_due : 0;
        c->due &= (uint16_t) ~(SLT_DUE_ACK | SLT_DUE_WINDOW);
    }
    if (plan->bytes > 0 && !plan->retransmit) {
        note_answer(c);
    } else if (slt_tcp_has(c, SLT_CONN_ACK_PENDING)) {
        note_bare(c);
    }
    c->flags &= ~(uint32_t)SLT_CONN_ACK_PENDING;
    c->rcv.habit &= (uint8_t)~HABIT_PUSHED;
    c->acks.waiting_bytes = 0;
    c->ts.last_ack_low = (uint32_t)c->rcv.nxt;
    slt_tcp_window_advertised(c, plan->edge);
    slt_tcp_timers_on_ack_sent(c);
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
