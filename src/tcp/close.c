/* How connections end: FIN in both directions, the ends that are not a FIN, and what each leaves
 * behind (RFC 9293 3.6, 3.10.4, 3.10.5, 3.10.8).
 *
 * slt_tcp_end is the one way into CLOSED for a reason that is not the orderly last step: it makes
 * the status sticky, forgets what was to be sent and what was held, and keeps what the user has
 * not read yet (D-18). A reset that the peer must see is only marked due here; output.c builds it
 * from the numbers that stay in the object.
 */
#include "tcp/engine.h"

/* The connection is over: nothing of ours goes out any more but a reset already due. */
void slt_tcp_end(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_status status,
                 enum slt_reason why, int64_t now_ns)
{
    c->status = (uint8_t)status;
    c->end_reason = (uint8_t)why;
    c->due &= SLT_DUE_RST;
    c->acks.dup_due = 0;
    c->flags &= ~(uint32_t)(SLT_CONN_ACK_PENDING | SLT_CONN_URGENT_OUT);
    slt_tcp_snd_clear(tcp, c);
    slt_tcp_held_clear(tcp, c);
    slt_tcp_set_state(tcp, c, SALUT_STATE_CLOSED, why, now_ns);
    slt_tcp_cold_give(tcp, c);
    if (slt_tcp_has(c, SLT_CONN_ORPHAN)) {
        slt_tcp_rcv_clear(tcp, c);
    }
}

/* A reset <SEQ=SND.NXT> leaves with the next transmit turn. */
void slt_tcp_reset_due(struct slt_tcp_conn *c, enum slt_reason send_why)
{
    SLT_ASSERT(slt_reason_category(send_why) == SLT_CATEGORY_SEND);
    c->due |= SLT_DUE_RST;
    c->rst_why = (uint8_t)send_why;
}

/* The handshake is complete. A close that waited for this goes on (3.10.4, SYN-RECEIVED). */
void slt_tcp_established(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                         int64_t now_ns)
{
    c->flags |= SLT_CONN_CONNECTED;
    if (c->due & SLT_DUE_SYN) { /* our SYN,ACK was overtaken: an ACK says the same */
        c->due &= (uint16_t)~SLT_DUE_SYN;
        slt_tcp_ack_now(c, SLT_SEND_HANDSHAKE_ACK);
    }
    slt_tcp_set_state(tcp, c, SALUT_STATE_ESTABLISHED, why, now_ns);
    if (slt_tcp_has(c, SLT_CONN_FIN_QUEUED)) {
        enum slt_reason cause =
            slt_tcp_has(c, SLT_CONN_ORPHAN) ? SLT_CAUSE_USER_CLOSE : SLT_CAUSE_USER_SHUTDOWN;
        slt_tcp_set_state(tcp, c, SALUT_STATE_FIN_WAIT_1, cause, now_ns);
    }
}

/* The user has no more to send: FIN stands behind the queue (RFC 9293 3.10.4). */
void slt_tcp_queue_fin(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                       int64_t now_ns)
{
    if (slt_tcp_has(c, SLT_CONN_FIN_QUEUED)) {
        return; /* U-21: a second FIN is never emitted */
    }
    c->flags |= SLT_CONN_FIN_QUEUED;
    c->flags &= ~(uint32_t)SLT_CONN_MORE; /* U-20: close implies push */
    if (c->state == SALUT_STATE_SYN_RECEIVED && c->snd.queue.bytes > 0) {
        return; /* 3.10.4: queued until ESTABLISHED */
    }
    if (c->state == SALUT_STATE_CLOSE_WAIT) {
        slt_tcp_set_state(tcp, c, SALUT_STATE_LAST_ACK, why, now_ns);
    } else {
        slt_tcp_set_state(tcp, c, SALUT_STATE_FIN_WAIT_1, why, now_ns);
    }
}

/* An acknowledgement covers our FIN (3.10.7.4, fifth step). It is the number that tells, never the
 * flag: note 2 of figure 5, S-78. */
void slt_tcp_fin_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->state == SALUT_STATE_FIN_WAIT_1) {
        slt_tcp_set_state(tcp, c, SALUT_STATE_FIN_WAIT_2, SLT_CAUSE_FIN_ACKED, now_ns);
        if (slt_tcp_has(c, SLT_CONN_ORPHAN) && c->opts.linger2_s < 0) { /* L-02 */
            slt_tcp_reset_due(c, SLT_SEND_RST_ABORT);
            slt_tcp_end(tcp, c, SALUT_ABORTED, SLT_CAUSE_FIN_WAIT_2_TIMEOUT, now_ns);
        }
    } else if (c->state == SALUT_STATE_CLOSING) {
        slt_tcp_set_state(tcp, c, SALUT_STATE_TIME_WAIT, SLT_CAUSE_FIN_ACKED, now_ns);
    } else if (c->state == SALUT_STATE_LAST_ACK) {
        slt_tcp_end(tcp, c, SALUT_OK, SLT_CAUSE_FIN_ACKED, now_ns);
    }
}

/* Eighth, check the FIN bit: only when RCV.NXT has reached it (3.10.7.4; K13). */
void slt_tcp_take_fin(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    if (in->fin && !in->only_ack && !slt_tcp_has(c, SLT_CONN_FIN_KNOWN) &&
        c->state < SALUT_STATE_CLOSE_WAIT) {
        slt_tcp_rcv_fin_at(c, in->fin_pos);
        in->out_of_order = in->out_of_order || in->fin_pos > c->rcv.nxt;
    }
    if (!slt_tcp_has(c, SLT_CONN_FIN_KNOWN) || slt_tcp_has(c, SLT_CONN_FIN_TAKEN) ||
        slt_pos_expand(c->rcv.nxt, c->rcv.fin_low) != c->rcv.nxt) {
        return;
    }
    slt_tcp_rcv_passed_fin(c);
    slt_tcp_held_clear(tcp, c); /* nothing lies beyond the FIN */
    in->fin_taken = true;
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_SYN_RECEIVED:
    case SALUT_STATE_ESTABLISHED:
        slt_tcp_set_state(tcp, c, SALUT_STATE_CLOSE_WAIT, SLT_CAUSE_FIN_RECEIVED, in->now_ns);
        break;
    case SALUT_STATE_FIN_WAIT_1: /* had our FIN been acknowledged, step five had left it */
        slt_tcp_set_state(tcp, c, SALUT_STATE_CLOSING, SLT_CAUSE_FIN_RECEIVED, in->now_ns);
        break;
    case SALUT_STATE_FIN_WAIT_2:
        slt_tcp_set_state(tcp, c, SALUT_STATE_TIME_WAIT, SLT_CAUSE_FIN_RECEIVED, in->now_ns);
        break;
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
    case SALUT_STATE_TIME_WAIT:
    case SALUT_STATE_COUNT:
        SLT_UNREACHABLE("a FIN is taken once, and only where text is");
    }
}

/* RFC 9293 3.10.5. */
void slt_tcp_abort(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why, int64_t now_ns)
{
    bool unread = why == SLT_CAUSE_CLOSE_UNREAD || why == SLT_CAUSE_DATA_AFTER_CLOSE;

    switch ((enum salut_state)c->state) {
    case SALUT_STATE_CLOSED:
        return;
    case SALUT_STATE_SYN_RECEIVED:
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_CLOSE_WAIT:
        slt_tcp_reset_due(c, unread ? SLT_SEND_RST_UNREAD : SLT_SEND_RST_ABORT);
        break;
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
    case SALUT_STATE_TIME_WAIT:
    case SALUT_STATE_COUNT:
        break; /* no reset: 3.10.5 */
    }
    slt_tcp_end(tcp, c, SALUT_ABORTED, why, now_ns);
}
