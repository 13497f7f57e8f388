/* Fifth, check the ACK field (RFC 9293 3.10.7.4; RFC 5961 5.2).
 *
 * This step judges the number, moves SND.UNA and the window and completes the transitions that an
 * acknowledgement completes. Beyond that it only gathers: recovery, congestion control, timers and
 * ACK policy act on the summary after all facts are in (input.c).
 */
#include "tcp/engine.h"

/* The oldest number that can still be travelling: SND.UNA - MAX.SND.WND (MAY-12, K7), but never
 * one from before our first byte, which nobody was ever promised (D03). */
static int64_t oldest_plausible(const struct slt_tcp_conn *c)
{
    return slt_max64(c->snd.una - (int64_t)c->snd.wnd_max, slt_min64(c->snd.una, 1));
}

/* What moves SND.UNA brings its own window, or the right edge would slide past anything the peer
 * ever offered (I-10); else the RFC's WL1/WL2 test decides. */
static void update_window(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in,
                          int64_t old_right)
{
    uint32_t wnd = (uint32_t)in->seg->window << c->snd.wscale; /* MUST-1, R7323-06 */
    bool was_closed = old_right <= c->snd.nxt;

    bool news = in->ack.advanced || slt_tcp_snd_window_is_news(c, in->pos, in->ack_pos);
    if (in->ack_pos < c->snd.una || !news) {
        return; /* U-15: an old segment must not change SND.WND (G07) */
    }
    in->ack.window_changed = wnd != c->snd.wnd;
    slt_tcp_snd_window(c, wnd, in->pos, in->ack_pos);
    in->ack.window_reopened = was_closed && slt_tcp_snd_usable(c, c->snd.nxt) > 0;
    if (c->snd.una + wnd < old_right) {
        slt_count(tcp->telemetry, SLT_NOTE_TCP_WINDOW_SHRUNK); /* MUST-34 */
    }
}

/* RFC 6675 2: a block that reports octets above SND.UNA, unless it is a duplicate told within the
 * second block (RFC 2883 4). */
static bool sacks_above(const struct slt_tcp_conn *c, const struct slt_tcp_options *opt)
{
    if (!slt_tcp_has(c, SLT_CONN_SACK_OK) || !(opt->present & SLT_TCP_OPT_SACK)) {
        return false;
    }
    int64_t left = slt_tcp_unwrap(c->snd.una, c->snd.isn, opt->sack[0].left);
    int64_t right = slt_tcp_unwrap(c->snd.una, c->snd.isn, opt->sack[0].right);
    bool told_again = opt->sack_count > 1 &&
                      (int32_t)(opt->sack[0].left - opt->sack[1].left) >= 0 &&
                      (int32_t)(opt->sack[1].right - opt->sack[0].right) >= 0;

    return left > c->snd.una && left < right && right <= c->snd.nxt && !told_again;
}

/* RFC 5681 2 (R5681-09): data outstanding, none in the segment, no SYN or FIN, the same number,
 * the same window (X11: a window update is none). While the window is closed, what repeats the
 * number is the answer to a probe and says nothing about loss. A receiver that tunes its buffer
 * moves its window on duplicates, too; then SACK tells (RFC 6675 2). */
static bool is_duplicate(const struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    return in->ack_pos == c->snd.una && c->snd.nxt > c->snd.una && in->seg->payload_bytes == 0 &&
           !(in->seg->flags & (SLT_TCP_SYN | SLT_TCP_FIN)) &&
           (!in->ack.window_changed || sacks_above(c, &in->seg->opt)) && c->snd.wnd > 0;
}

static void advance(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    bool fin_acked = slt_tcp_has(c, SLT_CONN_FIN_SENT) && in->ack_pos == slt_tcp_fin_pos(c) + 1;
    struct slt_tcp_cold *cold = c->cold;

    in->ack.flight_bytes = slt_tcp_flight(c, &cold->recovery);
    in->ack.acked_bytes = (uint32_t)(in->ack_pos - c->snd.una);
    in->ack.advanced = true;
    in->ack.fin_acked = fin_acked;
    slt_tcp_snd_acked(tcp, c, in->ack_pos);
    if (c->snd.una == c->snd.nxt) {
        slt_tcp_snd_size_acked(c, cold->size_sent);
    }
    c->flags &= ~(uint32_t)SLT_CONN_R1;
}

/* SYN-RECEIVED: the ACK must acknowledge our SYN; anything else is reset (n7, n9). */
static enum slt_reason complete_handshake(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                          struct slt_tcp_in *in)
{
    if (in->ack_pos <= c->snd.una || in->ack_pos > c->snd.nxt) {
        return SLT_DROP_TCP_ACK_UNACCEPTABLE;
    }
    slt_tcp_snd_window(c, (uint32_t)in->seg->window << c->snd.wscale, in->pos, in->ack_pos);
    slt_tcp_established(tcp, c, SLT_CAUSE_SYN_ACKED, in->now_ns);
    return SLT_PASS;
}

static enum slt_reason check_range(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                   struct slt_tcp_in *in)
{
    if (in->ack_pos > c->snd.nxt) { /* K8: its data is not used either (D04) */
        if (!tcp->config->ack_unsent_silent) {
            slt_tcp_ack_limited(tcp, c, SLT_SEND_CHALLENGE, in->now_ns);
        }
        return SLT_DROP_TCP_ACK_UNSENT;
    }
    if (in->ack_pos < oldest_plausible(c)) {
        slt_tcp_ack_limited(tcp, c, SLT_SEND_CHALLENGE, in->now_ns);
        return SLT_DROP_TCP_ACK_ANCIENT;
    }
    return SLT_PASS;
}

/* Nothing can be new in TIME-WAIT. Octets are answered, a bare acknowledgement is not (n6). */
static enum slt_reason in_time_wait(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    const struct slt_tcp_in *in)
{
    if (in->seg->payload_bytes > 0 || (in->seg->flags & SLT_TCP_FIN)) {
        slt_tcp_ack_now(c, SLT_SEND_ACK_INVALID);
        slt_count(tcp->telemetry, SLT_DROP_TCP_TEXT_AFTER_FIN);
    }
    return SLT_DROP_TCP_TW_IGNORED;
}

enum slt_reason slt_tcp_take_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    enum slt_reason r;
    int64_t old_right = c->snd.una + c->snd.wnd;

    if (!(in->seg->flags & SLT_TCP_ACK)) {
        return SLT_DROP_TCP_NO_ACK; /* U-17, X1 */
    }
    if (c->state == SALUT_STATE_SYN_RECEIVED) {
        if ((r = complete_handshake(tcp, c, in)) != SLT_PASS) {
            return r;
        }
        if (c->snd.nxt <= 1) { /* nothing but the SYN was sent: no window was in use before */
            old_right = c->snd.una + c->snd.wnd;
        }
    } else if ((r = check_range(tcp, c, in)) != SLT_PASS) {
        return r;
    }
    if (c->state == SALUT_STATE_TIME_WAIT) {
        return in_time_wait(tcp, c, in);
    }
    in->ack.old_right = old_right;
    c->soft_status = SALUT_OK; /* L-17: who answers is there, whatever the network said before */
    if (in->ack_pos > c->snd.una) {
        advance(tcp, c, in);
    }
    update_window(tcp, c, in, old_right);
    in->ack.duplicate = !in->ack.advanced && is_duplicate(c, in);
    if (!in->ack.advanced && c->cold != NULL) {
        in->ack.flight_bytes = slt_tcp_flight(c, &c->cold->recovery);
    }
    return SLT_PASS;
}
