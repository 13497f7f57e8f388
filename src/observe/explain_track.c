/* See explain_track.h. */
#include "observe/explain_track.h"

#include "observe/explain_mark.h"

static bool carries(const struct slt_explain_step *step)
{
    return slt_explain_step_end(step) != step->seq;
}

static bool is_rst(const struct slt_explain_step *step)
{
    return (step->flags & SLT_TCP_RST) != 0;
}

/* ---- what an end has sent ------------------------------------------------------------------- */

static void track_syn(struct slt_explain_flow *flow, const struct slt_explain_packet *packet,
                      const struct slt_explain_step *step)
{
    struct slt_explain_end *me = &flow->end[step->from];
    if ((step->flags & SLT_TCP_SYN) == 0 || me->syn_seen) {
        return;
    }
    me->syn_seen = true;
    me->isn = step->seq;
    me->options = packet->seg.opt;
}

/* A hole is remembered until it is filled; one is enough to tell overtaken from sent again. */
static void track_hole(struct slt_explain_end *me, const struct slt_explain_step *step)
{
    struct slt_explain_hole *hole = &me->hole;
    uint32_t end = slt_explain_step_end(step);
    if ((step->notes & SLT_REMARK_HOLE) != 0) {
        *hole = (struct slt_explain_hole){me->end, step->seq, step->at_ns};
        return;
    }
    if (hole->left == hole->right || slt_explain_diff(end, hole->left) <= 0 ||
        slt_explain_diff(step->seq, hole->right) >= 0) {
        return;
    }
    if (slt_explain_diff(step->seq, hole->left) <= 0) {
        hole->left = slt_explain_diff(end, hole->right) >= 0 ? hole->right : end;
    } else {
        hole->right = step->seq;
    }
}

static void track_again(struct slt_explain_end *me, const struct slt_explain_step *step)
{
    if (step->mark >= SLT_MARK_RTO && step->mark <= SLT_MARK_TAIL_PROBE) {
        me->recover_mark = step->mark;
        me->recover = me->end;
        me->timing = false; /* Karn: which copy is answered is not known */
    }
    if (step->mark == SLT_MARK_SYN_AGAIN) {
        me->timing = false;
    }
}

static void track_numbers(struct slt_explain_end *me, const struct slt_explain_step *step)
{
    uint32_t end = slt_explain_step_end(step);
    if (is_rst(step) || (step->mark == SLT_MARK_CHALLENGE_ACK && !me->seen)) {
        return;
    }
    if (!me->seen) {
        me->seen = true;
        me->end = step->seq;
        me->offered = step->seq;
        me->isn = me->syn_seen ? me->isn : step->seq - 1;
    }
    if (me->newest_stamp == 0 || slt_explain_diff(step->ts_val, me->newest_stamp) > 0) {
        me->newest_stamp = step->ts_val;
    }
    track_hole(me, step);
    track_again(me, step);
    if (!carries(step)) {
        return;
    }
    me->last_data_at_ns = step->at_ns;
    /* What a closed window or a listener may refuse counts once it is acknowledged, or sent again.
     */
    bool offer = step->mark == SLT_MARK_WINDOW_PROBE ||
                 ((step->flags & SLT_TCP_SYN) != 0 && step->bytes > 0);
    me->offered = slt_explain_diff(end, me->offered) > 0 ? end : me->offered;
    if (offer) {
        end = (step->flags & SLT_TCP_SYN) != 0 ? step->seq + 1 : me->end;
    }
    uint32_t fresh = slt_explain_diff(end, me->end) > 0 ? end - me->end : 0;
    if (fresh > 0) {
        me->payload += offer ? 0 : slt_min32(fresh, step->bytes);
        me->end = end;
        if (!me->timing) {
            me->timing = true;
            me->timed_end = end;
            me->timed_at_ns = step->at_ns;
        }
    }
    me->again += slt_explain_is_again(step->mark) ? step->bytes : 0;
    me->mss_seen = slt_max32(me->mss_seen, step->bytes);
}

/* ---- what it has acknowledged --------------------------------------------------------------- */

static void track_delay(struct slt_explain_end *me, struct slt_explain_end *peer,
                        const struct slt_explain_step *step)
{
    if (!peer->timing || slt_explain_diff(step->ack, peer->timed_end) < 0) {
        return;
    }
    int64_t sample_ns = step->at_ns - peer->timed_at_ns;
    peer->timing = false;
    if (sample_ns >= 0 && (me->delay_ns < 0 || sample_ns < me->delay_ns)) {
        me->delay_ns = sample_ns;
    }
}

static void track_ack(struct slt_explain_flow *flow, const struct slt_explain_packet *packet,
                      const struct slt_explain_step *step)
{
    struct slt_explain_end *me = &flow->end[step->from];
    struct slt_explain_end *peer = &flow->end[1 - step->from];
    bool bare = !carries(step);
    if ((step->flags & SLT_TCP_ACK) == 0 || is_rst(step) || step->mark == SLT_MARK_CHALLENGE_ACK) {
        return;
    }
    int32_t ahead = me->has_acked ? slt_explain_diff(step->ack, me->acked) : 1;
    if (ahead > 0) {
        track_delay(me, peer, step);
        me->acked = step->ack;
        me->advanced_at_ns = step->at_ns;
        me->ack_repeats = 0;
        if (peer->seen && slt_explain_diff(step->ack, peer->end) > 0 &&
            slt_explain_diff(step->ack, peer->offered) <= 0) {
            peer->payload += step->ack - peer->end;
            peer->end = step->ack;
        }
    } else if (ahead == 0 && bare && step->mark == SLT_MARK_DUPLICATE_ACK) {
        me->ack_repeats++;
    }
    if (ahead >= 0) {
        me->window = step->window;
        me->raw_window = packet->seg.window;
        me->sacks =
            step->sack_left != step->sack_right && slt_explain_diff(step->sack_left, step->ack) > 0;
    }
    me->has_acked = true;
    if ((step->notes & SLT_REMARK_UNSEEN) != 0) { /* told once */
        peer->end = slt_explain_diff(step->ack, peer->end) > 0 ? step->ack : peer->end;
        peer->hole.left = peer->hole.right;
    }
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void count(struct slt_explain_end *me, const struct slt_explain_step *step)
{
    me->packets++;
    me->marks[step->mark]++;
    me->zero_windows += (step->notes & SLT_REMARK_WINDOW_ZERO) != 0;
    me->full_windows += (step->notes & SLT_REMARK_WINDOW_FULL) != 0;
    me->clipped += (step->notes & SLT_REMARK_CLIPPED) != 0;
    me->offloaded += (step->notes & SLT_REMARK_OFFLOADED) != 0;
    me->unseen += (step->notes & SLT_REMARK_UNSEEN) != 0;
    me->bad_checksums += (step->notes & SLT_REMARK_BAD_CHECKSUM) != 0;
    me->dsacks += (step->notes & SLT_REMARK_DSACK) != 0;
}

/* RFC 5961 3.2 and 4.2: a SYN on a connection, or an RST that is not exactly in place, is answered
 * by a bare acknowledgement. */
static void track_provocation(struct slt_explain_flow *flow, const struct slt_explain_step *step)
{
    struct slt_explain_end *me = &flow->end[step->from];
    struct slt_explain_end *peer = &flow->end[1 - step->from];
    bool syn = (step->flags & (SLT_TCP_SYN | SLT_TCP_ACK)) == SLT_TCP_SYN;
    bool inexact = is_rst(step) && peer->has_acked && step->seq != peer->acked;
    me->provoked = false;
    peer->provoked = (syn && (flow->connected || flow->before != NULL)) || inexact;
}

void slt_explain_track(struct slt_explain_flow *flow, const struct slt_explain_packet *packet,
                       const struct slt_explain_step *step)
{
    struct slt_explain_end *me = &flow->end[step->from];
    struct slt_explain_end *peer = &flow->end[1 - step->from];
    count(me, step);
    if ((step->notes & SLT_REMARK_BAD_CHECKSUM) == 0) {
        track_syn(flow, packet, step);
        track_numbers(me, step);
        track_ack(flow, packet, step);
        track_provocation(flow, step);
        me->reset = me->reset || is_rst(step);
        if ((step->flags & SLT_TCP_FIN) != 0) {
            me->fin_seen = true;
            me->fin_end = slt_explain_step_end(step);
        }
    }
    bool opened = (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0 && step->from == 0 &&
                  peer->syn_seen && step->mark != SLT_MARK_CHALLENGE_ACK;
    if (!flow->connected && (opened || (!flow->opener_known && !is_rst(step)))) {
        flow->connected = true;
        flow->connected_at_ns = step->at_ns;
    }
    me->ttl = packet->ttl;
    me->last_mark = step->mark;
    me->last_at_ns = step->at_ns;
    /* Interfaces may be out of step by a little: time never goes back, so that the sum is right. */
    flow->last_at_ns = step->at_ns > flow->last_at_ns ? step->at_ns : flow->last_at_ns;
    flow->last_from = step->from;
    flow->packets++;
}
