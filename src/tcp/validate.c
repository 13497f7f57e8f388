/* Steps one to four of RFC 9293 3.10.7.4, with PAWS before them: is this segment the peer's, and
 * which part of it is new?
 *
 * Each check passes or ends the segment with its reason. An unacceptable segment changes nothing
 * but counters, a limiter and a pending acknowledgement (I-17): the ACK that answers it tells a
 * confused peer where we are, and an attacker nothing (RFC 5961).
 */
#include "tcp/engine.h"

/* The acceptability test of 3.4 (U-06), in positions; the window is [nxt, edge). */
bool slt_tcp_acceptable(int64_t pos, uint32_t seg_len, int64_t nxt, int64_t edge)
{
    int64_t last = pos + (int64_t)seg_len - 1;

    if (seg_len == 0) {
        return edge <= nxt ? pos == nxt : nxt <= pos && pos < edge;
    }
    if (edge <= nxt) {
        return false;
    }
    return (nxt <= pos && pos < edge) || (nxt <= last && last < edge) ||
           (pos < nxt && last >= edge);
}

/* Answer an unacceptable segment (U-07, U-13). Segments that carry data or occupy the sequence
 * space are the peer's retransmissions or probes and are always answered; pure ACKs are limited
 * (L-07, D08), and a pure ACK is never answered in TIME-WAIT (n6). */
static void answer_unacceptable(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                const struct slt_tcp_in *in, enum slt_reason why)
{
    if (in->seg->payload_bytes > 0 || (in->seg->flags & SLT_TCP_FIN)) {
        slt_tcp_ack_now(c, why);
    } else {
        slt_tcp_ack_limited(tcp, c, why, in->now_ns);
    }
}

/* RFC 7323 5.3, R1: before the sequence check; resets are exempt (R7323-17, R7323-18). */
enum slt_reason slt_tcp_check_paws(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                   struct slt_tcp_in *in)
{
    if (!slt_tcp_has(c, SLT_CONN_TS_OK) || (in->seg->flags & SLT_TCP_RST)) {
        return SLT_PASS;
    }
    if (!(in->seg->opt.present & SLT_TCP_OPT_TIMESTAMPS)) {
        return SLT_DROP_TCP_NO_TIMESTAMP; /* R7323-11: drop, never abort */
    }
    if (!slt_tcp_paws_rejects(tcp, c, in->seg->opt.ts_val, in->now_ns)) {
        return SLT_PASS;
    }
    answer_unacceptable(tcp, c, in, SLT_SEND_ACK_INVALID);
    return SLT_DROP_TCP_PAWS;
}

/* Cut the segment to the window: text_pos, text, text_bytes, fin (D14, U-10). */
static void trim(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    int64_t start = in->pos + ((in->seg->flags & SLT_TCP_SYN) ? 1 : 0);
    int64_t end = start + in->seg->payload_bytes;
    int64_t cut_start = slt_max64(start, c->rcv.nxt);
    int64_t cut_end = slt_min64(end, c->rcv.edge);

    in->fin_pos = end;
    in->fin =
        (in->seg->flags & SLT_TCP_FIN) && in->fin_pos >= c->rcv.nxt && in->fin_pos < c->rcv.edge;
    if (start < c->rcv.nxt && end > start && c->state < SALUT_STATE_CLOSE_WAIT) {
        in->duplicate_text = true; /* R2883-04: only the part that is old is reported */
        slt_tcp_note_duplicate(tcp, c, start, slt_min64(end, c->rcv.nxt), in->now_ns);
    }
    if (cut_end > cut_start) {
        in->text_pos = cut_start;
        in->text = in->seg->payload + (cut_start - start);
        in->text_bytes = (uint32_t)(cut_end - cut_start);
    }
}

/* The usual case: the segment is what comes next, and ends within the window. Then it is
 * acceptable, and all of it is taken as it is. */
static bool is_next(const struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    return in->pos == c->rcv.nxt && in->end_pos <= c->rcv.edge &&
           (in->seg->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0;
}

static void take_whole(struct slt_tcp_in *in)
{
    in->fin_pos = in->pos + in->seg->payload_bytes;
    in->fin = (in->seg->flags & SLT_TCP_FIN) != 0;
    if (in->seg->payload_bytes > 0) {
        in->text_pos = in->pos;
        in->text = in->seg->payload;
        in->text_bytes = in->seg->payload_bytes;
    }
}

/* The peer's FIN came again in TIME-WAIT: acknowledge it and start 2MSL anew (U-25, n16). */
static enum slt_reason resent_fin(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                  const struct slt_tcp_in *in)
{
    slt_tcp_ack_now(c, SLT_SEND_TIME_WAIT_ACK);
    slt_tcp_timers_on_time_wait_again(tcp, c, in->now_ns);
    return SLT_NOTE_TCP_TW_RESTARTED;
}

static enum slt_reason unacceptable(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    struct slt_tcp_in *in)
{
    if (in->seg->flags & SLT_TCP_RST) {
        return SLT_DROP_TCP_RST_OUT_OF_WINDOW; /* K11 */
    }
    if (c->state == SALUT_STATE_TIME_WAIT && (in->seg->flags & SLT_TCP_FIN) &&
        in->end_pos == c->rcv.nxt) {
        return resent_fin(tcp, c, in);
    }
    if (in->seg->payload_bytes > 0 && in->end_pos <= c->rcv.nxt &&
        c->state < SALUT_STATE_CLOSE_WAIT) {
        slt_tcp_note_duplicate(tcp, c, in->pos, in->pos + in->seg->payload_bytes, in->now_ns);
    }
    if (in->pos == c->rcv.nxt - 1 && in->seg->payload_bytes <= 1 && c->rcv.nxt > 1 &&
        !(in->seg->flags & (SLT_TCP_SYN | SLT_TCP_FIN))) {
        slt_tcp_ack_now(c, SLT_SEND_ACK_INVALID); /* X8, MAY-6: a keep-alive probe */
        return SLT_NOTE_TCP_KEEPALIVE_SEEN;
    }
    if (c->state == SALUT_STATE_TIME_WAIT && tcp->config->time_wait_any_restarts &&
        in->seg->payload_bytes > 0) {
        slt_tcp_timers_on_time_wait_again(tcp, c, in->now_ns); /* n16: as Linux does */
    }
    answer_unacceptable(tcp, c, in, SLT_SEND_ACK_INVALID);
    slt_tcp_ecn_take_syn_ack_again(c, in);
    return SLT_DROP_TCP_OUT_OF_WINDOW;
}

/* A window of zero takes nothing, but ACK, URG and RST still count (U-08, MUST-66, X9). */
static bool counts_at_zero_window(const struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    return c->rcv.edge <= c->rcv.nxt && in->pos == c->rcv.nxt;
}

/* First, check sequence number. */
enum slt_reason slt_tcp_check_sequence(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       struct slt_tcp_in *in)
{
    if (is_next(c, in)) {
        take_whole(in);
        return SLT_PASS;
    }
    uint32_t seg_len = slt_tcp_seg_len(in->seg);
    if (!slt_tcp_acceptable(in->pos, seg_len, c->rcv.nxt, c->rcv.edge)) {
        if (!counts_at_zero_window(c, in)) {
            return unacceptable(tcp, c, in);
        }
        in->only_ack = true;
        if (in->seg->payload_bytes > 0) {
            slt_tcp_ack_now(c, SLT_SEND_ACK_INVALID);
            slt_count(tcp->telemetry, SLT_NOTE_TCP_ZERO_WINDOW_PROBE_SEEN);
        } else if (in->seg->flags & SLT_TCP_FIN) {
            slt_tcp_ack_now(c, SLT_SEND_ACK_INVALID);
        }
        return SLT_PASS;
    }
    if (!(in->seg->flags & (SLT_TCP_RST | SLT_TCP_SYN))) {
        trim(tcp, c, in);
    }
    return SLT_PASS;
}

static enum slt_reason take_reset(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                  const struct slt_tcp_in *in)
{
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_SYN_RECEIVED: /* MUST-11: an active opener is refused */
        if (slt_tcp_has(c, SLT_CONN_PASSIVE)) {
            slt_tcp_end(tcp, c, SALUT_RESET, SLT_CAUSE_RESET_RECEIVED, in->now_ns);
            return SLT_CAUSE_RESET_RECEIVED;
        }
        slt_tcp_end(tcp, c, SALUT_REFUSED, SLT_CAUSE_REFUSED, in->now_ns);
        return SLT_CAUSE_REFUSED;
    case SALUT_STATE_TIME_WAIT: /* D-02: RFC 1337 fix F1 */
        if (!tcp->config->time_wait_rst_kills) {
            return SLT_DROP_TCP_RST_IGNORED;
        }
        slt_tcp_end(tcp, c, SALUT_OK, SLT_CAUSE_TIME_WAIT_KILLED, in->now_ns);
        return SLT_CAUSE_TIME_WAIT_KILLED;
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_COUNT:
        SLT_UNREACHABLE("these states have doors of their own");
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
        break;
    }
    slt_tcp_end(tcp, c, SALUT_RESET, SLT_CAUSE_RESET_RECEIVED, in->now_ns);
    return SLT_CAUSE_RESET_RECEIVED;
}

/* Second, check the RST bit, as RFC 5961 3.2 wants it (R5961-01). Data on a reset does not matter
 * (SHLD-2). */
enum slt_reason slt_tcp_check_reset(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    struct slt_tcp_in *in)
{
    if (!(in->seg->flags & SLT_TCP_RST)) {
        return SLT_PASS;
    }
    if (in->pos == c->rcv.nxt) {
        return take_reset(tcp, c, in);
    }
    if (c->state == SALUT_STATE_TIME_WAIT) {
        return SLT_DROP_TCP_RST_IGNORED; /* n12 */
    }
    slt_tcp_ack_limited(tcp, c, SLT_SEND_CHALLENGE, in->now_ns);
    return SLT_DROP_TCP_RST_CHALLENGED;
}

/* Fourth, check the SYN bit (RFC 5961 4.2, R5961-02): a challenge, whatever the number. In
 * TIME-WAIT a SYN may take over instead; timewait.c has judged that before we come here. */
enum slt_reason slt_tcp_check_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                  struct slt_tcp_in *in)
{
    if (!(in->seg->flags & SLT_TCP_SYN)) {
        return SLT_PASS;
    }
    if (c->state == SALUT_STATE_SYN_RECEIVED && slt_tcp_has(c, SLT_CONN_PASSIVE)) {
        /* K1: a new SYN in the window returns a passive opener to LISTEN. */
        slt_tcp_end(tcp, c, SALUT_RESET, SLT_CAUSE_RESET_RECEIVED, in->now_ns);
        return SLT_CAUSE_RESET_RECEIVED;
    }
    slt_tcp_ack_limited(tcp, c, SLT_SEND_CHALLENGE, in->now_ns);
    return SLT_DROP_TCP_SYN_CHALLENGED;
}
