/* SEGMENT ARRIVES: RFC 9293 3.10.7.3 and 3.10.7.4 as a table of contents.
 *
 * A segment is unwrapped once into struct slt_tcp_in, passes the steps in the RFC's own order, and
 * ends with a reason that is counted and shown. Input sends nothing: it marks what is due. The ACK
 * step only gathers; finish acts on the summary when all facts are in. LISTEN, passive half-open
 * entries and small TIME-WAIT entries have doors of their own (listen.c, halfopen.c, timewait.c).
 */
#include "tcp/engine.h"

static void unwrap(const struct slt_tcp_conn *c, const struct slt_tcp_segment *seg, int64_t now_ns,
                   struct slt_tcp_in *in)
{
    memset(in, 0, sizeof(*in));
    in->seg = seg;
    in->now_ns = now_ns;
    in->pos = slt_tcp_unwrap(c->rcv.nxt, c->rcv.isn, seg->seq);
    in->ack_pos = slt_tcp_unwrap(c->snd.una, c->snd.isn, seg->ack);
    in->end_pos = in->pos + slt_tcp_seg_len(seg);
}

/* What an acknowledgement means for the sender: round-trip time, loss recovery (and with it
 * congestion control and the retransmission timer), the window. In TIME-WAIT, as in CLOSED, nothing
 * will be sent that could be timed or lost: what the last acknowledgement would teach, nobody asks.
 */
static void teach_sender(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    if (c->state == SALUT_STATE_TIME_WAIT) {
        slt_tcp_recovery_none_out(tcp, c);
        return;
    }
    slt_tcp_recovery_on_ack(tcp, c, in);
    slt_tcp_pacing_update(tcp, c);
    if (in->ack.advanced) {
        slt_tcp_tune_on_acked(tcp, c);
        slt_tcp_pmtud_on_acked(tcp, c, in->now_ns);
    }
    if (in->ack.window_reopened) {
        slt_tcp_timers_on_unblocked(tcp, c, in->now_ns);
        slt_tcp_recovery_reopened(tcp, c, in->ack.old_right);
    }
}

/* All facts are in: what they mean for the sender, and for the ACK policy. */
static void finish(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    if (c->state == SALUT_STATE_CLOSED) {
        return;
    }
    if (slt_tcp_awake(c) != NULL) {
        teach_sender(tcp, c, in);
    }
    slt_tcp_acks_on_segment(tcp, c, in);
    if (in->new_text) {
        slt_tcp_tune_on_text(tcp, c, in);
    }
}

/* RFC 9293 3.10.7.4, in its own order. Each step either passes (SLT_PASS) or ends the segment with
 * the reason that will be counted and shown. */
static enum slt_reason input_synchronized(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                          struct slt_tcp_in *in)
{
    enum slt_reason r;

    if ((r = slt_tcp_check_paws(tcp, c, in)) != SLT_PASS) { /* RFC 7323 5.3 R1 */
        return r;
    }
    if (c->state == SALUT_STATE_SYN_RECEIVED && in->pos == 0 &&
        (in->seg->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == SLT_TCP_SYN) {
        r = slt_tcp_syn_received_syn(tcp, c, in); /* n1, n3, n4 */
        finish(tcp, c, in);
        return r;
    }
    if ((r = slt_tcp_check_sequence(tcp, c, in)) != SLT_PASS) { /* first; also trims */
        return r;
    }
    if ((r = slt_tcp_check_reset(tcp, c, in)) != SLT_PASS) { /* second, RFC 5961 3 */
        return r;
    }
    /* third, security and compartment: not implemented (RFC 9293 appendix A.1, U-26) */
    if ((r = slt_tcp_check_syn(tcp, c, in)) != SLT_PASS) { /* fourth, RFC 5961 4 */
        return r;
    }
    if ((r = slt_tcp_take_ack(tcp, c, in)) != SLT_PASS) { /* fifth, RFC 5961 5 */
        return r;
    }
    if (c->ecn != 0) {
        slt_tcp_ecn_on_segment(tcp, c, in);
    }
    slt_tcp_ts_note(c, in); /* RFC 7323 5.3 R3, once the segment has proved itself */
    slt_tcp_uto_note(tcp, c, in);
    slt_tcp_timers_on_received(tcp, c, in->now_ns);
    slt_tcp_acks_probe_answered(c);
    if (in->ack.fin_acked) {
        slt_tcp_fin_acked(tcp, c, in->now_ns);
    }
    slt_tcp_note_urgent(tcp, c, in); /* sixth */
    slt_tcp_take_text(tcp, c, in);   /* seventh */
    if (in->after_close) {           /* SHLD-3, L-03 */
        slt_tcp_abort(tcp, c, SLT_CAUSE_DATA_AFTER_CLOSE, in->now_ns);
        return SLT_NOTE_TCP_ACCEPTED;
    }
    slt_tcp_take_fin(tcp, c, in); /* eighth */
    finish(tcp, c, in);
    return SLT_NOTE_TCP_ACCEPTED;
}

/* TIME-WAIT in a full connection: a SYN may take over, a reset is judged, the rest is as ever. */
static enum slt_reason input_time_wait(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       struct slt_tcp_in *in)
{
    struct slt_tcp_time_wait tw;
    struct slt_tcp_verdict verdict;

    if ((in->seg->flags & (SLT_TCP_SYN | SLT_TCP_RST | SLT_TCP_ACK)) != SLT_TCP_SYN) {
        return input_synchronized(tcp, c, in);
    }
    slt_tcp_time_wait_init(tcp, c, &tw, in->now_ns);
    slt_tcp_time_wait_input(tcp, &tw, in->seg, in->now_ns, &verdict);
    if (verdict.kind == SLT_VERDICT_REUSE) {
        slt_tcp_end(tcp, c, SALUT_OK, SLT_CAUSE_TIME_WAIT_REUSED, in->now_ns);
        return SLT_NOTE_TCP_TW_REUSED;
    }
    if (verdict.has_reply) {
        slt_tcp_ack_limited(tcp, c, verdict.reply.why, in->now_ns);
    }
    return verdict.why;
}

static void emit(struct slt_tcp *tcp, const struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                 enum slt_reason r)
{
    enum slt_reason_category category = slt_reason_category(r);
    enum slt_event_kind kind = category == SLT_CATEGORY_DROP ? SLT_EVENT_DROPPED : SLT_EVENT_TAKEN;
    enum slt_reason why = category == SLT_CATEGORY_CAUSE ? SLT_NOTE_TCP_ACCEPTED : r;
    struct slt_event *e = slt_tcp_emit_begin(tcp, c, kind, why, in->now_ns);

    e->flags = (uint8_t)in->seg->flags;
    e->bytes = in->seg->payload_bytes;
    e->seq_pos = in->pos;
    e->ack_pos = in->ack_pos;
    e->window = in->seg->window;
}

enum slt_reason slt_tcp_input(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                              const struct slt_tcp_segment *seg, int64_t now_ns)
{
    struct slt_tcp_in in;
    enum slt_reason r = SLT_DROP_TCP_NO_CONNECTION;

    c->segs_in++;
    unwrap(c, seg, now_ns, &in);
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_COUNT:
        return r; /* the stack answers for CLOSED (slt_tcp_closed_input) */
    case SALUT_STATE_SYN_SENT:
        in.pos = 0;
        r = slt_tcp_syn_sent_input(tcp, c, &in);
        finish(tcp, c, &in);
        slt_tcp_fast_open_answered(tcp, c, now_ns);
        break;
    case SALUT_STATE_TIME_WAIT:
        r = input_time_wait(tcp, c, &in);
        break;
    case SALUT_STATE_SYN_RECEIVED:
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
        r = input_synchronized(tcp, c, &in);
        break;
    }
    emit(tcp, c, &in, r);
    SLT_DCHECK(slt_tcp_check(tcp, c, now_ns) == NULL);
    return r;
}

void slt_tcp_expect(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, bool last)
{
    if (c->cold == NULL) {
        return; /* idle: what comes touches little */
    }
    if (!last) {
        slt_prefetch_all(&c->rcv, sizeof(*c) - offsetof(struct slt_tcp_conn, rcv));
        slt_prefetch_all(c->cold, sizeof(*c->cold));
        if (c->snd.queue.head != SLT_NIL) {
            slt_prefetch(slt_buf_at(&tcp->bufs, c->snd.queue.head));
        }
    } else if (c->cold->recovery.records.head != SLT_NIL) {
        slt_prefetch_all(slt_record_at(tcp, c->cold->recovery.records.head),
                         sizeof(struct slt_record));
    }
}
