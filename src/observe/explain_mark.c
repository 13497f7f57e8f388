/* See explain_mark.h. */
#include "observe/explain_mark.h"

#include "base/time.h"

#define REORDER_WITHIN_NS (3 * SLT_NS_PER_MS)
#define RTO_LEAST_NS      (200 * SLT_NS_PER_MS) /* of the stacks in use */
#define REPEATS_FAST      3U                    /* RFC 5681 3.2 */
#define WINDOW_SHIFT_MAX  14U
#define ECN_CONGESTED     3U /* RFC 3168 5: CE */

static const char *const texts[SLT_MARK_COUNT] = {
    "",
    "SYN again",
    "retransmission (time-out)",
    "retransmission (fast)",
    "retransmission (tail probe)",
    "retransmission (spurious)",
    "out of order",
    "zero-window probe",
    "keepalive",
    "challenge ACK",
    "duplicate ACK",
    "window update",
};

static const char *const names[SLT_MARK_COUNT] = {
    "none",         "syn_again",    "rto",       "fast",          "tail_probe",    "spurious",
    "out_of_order", "window_probe", "keepalive", "challenge_ack", "duplicate_ack", "window_update",
};

const char *slt_explain_mark_text(uint8_t mark)
{
    return mark < SLT_MARK_COUNT ? texts[mark] : "";
}

const char *slt_explain_mark_name(uint8_t mark)
{
    return mark < SLT_MARK_COUNT ? names[mark] : "";
}

bool slt_explain_is_again(uint8_t mark)
{
    return mark >= SLT_MARK_SYN_AGAIN && mark <= SLT_MARK_SPURIOUS;
}

uint32_t slt_explain_again_count(const struct slt_explain_flow *flow)
{
    uint32_t count = 0;
    for (uint8_t mark = 0; mark < SLT_MARK_COUNT; mark++) {
        if (slt_explain_is_again(mark)) {
            count += flow->end[0].marks[mark] + flow->end[1].marks[mark];
        }
    }
    return count;
}

static bool in_hole(const struct slt_explain_hole *hole, const struct slt_explain_step *step)
{
    return hole->left != hole->right && slt_explain_diff(step->seq, hole->left) >= 0 &&
           slt_explain_diff(slt_explain_step_end(step), hole->right) <= 0;
}

/* RFC 7323 3.2: a timestamp is of the instant of sending, so what was overtaken bears an older one
 * than what it was overtaken by, and a retransmission a newer one. Without them, or within one tick
 * of their clock, time decides. */
static bool is_overtaken(const struct slt_explain_end *me, const struct slt_explain_step *step)
{
    if (me->newest_stamp != 0 && step->ts_val != 0 && me->newest_stamp != step->ts_val) {
        return slt_explain_diff(step->ts_val, me->newest_stamp) < 0;
    }
    return in_hole(&me->hole, step) && step->at_ns - me->hole.at_ns < REORDER_WITHIN_NS;
}

static int64_t round_trip(const struct slt_explain_flow *flow)
{
    int64_t a = flow->end[0].delay_ns;
    int64_t b = flow->end[1].delay_ns;
    return (a > 0 ? a : 0) + (b > 0 ? b : 0);
}

/* Data that was sent before and is not known to have arrived. */
static uint8_t kind_of_retransmission(const struct slt_explain_flow *flow,
                                      const struct slt_explain_step *step)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    /* Timers start anew with every acknowledgement that advances (RFC 6298 5.3, RFC 8985 7.2). */
    int64_t since_ns = slt_max64(me->last_data_at_ns, peer->advanced_at_ns);
    int64_t quiet_ns = step->at_ns - since_ns;
    int64_t rtt_ns = round_trip(flow);
    bool silent = quiet_ns >= RTO_LEAST_NS + rtt_ns - rtt_ns / 8;
    bool probed = me->recover_mark == SLT_MARK_TAIL_PROBE && peer->ack_repeats > 0;
    bool told = peer->ack_repeats >= REPEATS_FAST || peer->sacks || probed;
    bool within = me->recover_mark != SLT_MARK_NONE && peer->has_acked &&
                  slt_explain_diff(peer->acked, me->recover) < 0;
    if (silent) {
        return SLT_MARK_RTO;
    }
    if (within && me->recover_mark != SLT_MARK_TAIL_PROBE) {
        return me->recover_mark;
    }
    if (told) {
        return SLT_MARK_FAST;
    }
    bool last = slt_explain_step_end(step) == me->end;
    return last && quiet_ns > 0 ? SLT_MARK_TAIL_PROBE : SLT_MARK_RTO;
}

static uint8_t kind_of_old(const struct slt_explain_flow *flow, const struct slt_explain_step *step)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    bool known = peer->has_acked && slt_explain_diff(slt_explain_step_end(step), peer->acked) <= 0;
    bool waited = step->at_ns - me->last_data_at_ns >= RTO_LEAST_NS + round_trip(flow);
    if (known) {
        /* After a time-out's silence it is the acknowledgement that was lost on its way. */
        return waited ? SLT_MARK_RTO : SLT_MARK_SPURIOUS;
    }
    return is_overtaken(me, step) ? SLT_MARK_OUT_OF_ORDER : kind_of_retransmission(flow, step);
}

/* One number back, or into a closed window: it asks for an answer. */
static uint8_t kind_of_probe(const struct slt_explain_flow *flow,
                             const struct slt_explain_step *step)
{
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    bool plain = (step->flags & (SLT_TCP_SYN | SLT_TCP_FIN | SLT_TCP_RST)) == 0;
    if (!plain || !peer->has_acked) {
        return SLT_MARK_NONE;
    }
    bool closed = peer->window == 0;
    if (step->bytes <= 1 && step->seq == peer->acked - 1) {
        return closed ? SLT_MARK_WINDOW_PROBE : SLT_MARK_KEEPALIVE;
    }
    /* RFC 9293 3.8.6.1: a probe may carry data, from the left edge on. */
    return closed && step->bytes > 0 && step->seq == peer->acked ? SLT_MARK_WINDOW_PROBE
                                                                 : SLT_MARK_NONE;
}

static uint8_t kind_of_bare(const struct slt_explain_flow *flow,
                            const struct slt_explain_packet *packet,
                            const struct slt_explain_step *step)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    bool advances = !me->has_acked || slt_explain_diff(step->ack, me->acked) > 0;
    /* Before its SYN an end speaks of an older connection. */
    bool older = !me->syn_seen && peer->syn_seen && !flow->connected &&
                 step->ack != peer->isn + 1 && flow->opener_known;
    if (older || (me->provoked && !advances)) {
        return SLT_MARK_CHALLENGE_ACK;
    }
    if (advances || step->ack != me->acked) {
        return SLT_MARK_NONE;
    }
    if (packet->seg.window > me->raw_window) {
        return SLT_MARK_WINDOW_UPDATE;
    }
    bool waiting = peer->seen && slt_explain_diff(peer->end, step->ack) > 0;
    return waiting && packet->seg.window == me->raw_window ? SLT_MARK_DUPLICATE_ACK : SLT_MARK_NONE;
}

static uint8_t kind_of(const struct slt_explain_flow *flow, const struct slt_explain_packet *packet,
                       const struct slt_explain_step *step)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    if ((step->flags & SLT_TCP_RST) != 0) {
        return SLT_MARK_NONE;
    }
    if ((step->flags & SLT_TCP_SYN) != 0) {
        return me->syn_seen && me->isn == step->seq ? SLT_MARK_SYN_AGAIN : SLT_MARK_NONE;
    }
    uint8_t probe = kind_of_probe(flow, step);
    if (probe != SLT_MARK_NONE) {
        return probe;
    }
    if (slt_explain_step_end(step) == step->seq) {
        return kind_of_bare(flow, packet, step);
    }
    bool old = me->seen && slt_explain_diff(step->seq, me->end) < 0;
    return old ? kind_of_old(flow, step) : SLT_MARK_NONE;
}

static uint16_t notes_of(const struct slt_explain_flow *flow,
                         const struct slt_explain_packet *packet,
                         const struct slt_explain_step *step)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    bool control = (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) != 0;
    uint32_t notes = packet->clipped ? SLT_REMARK_CLIPPED : 0U;
    uint32_t end = slt_explain_step_end(step);
    uint16_t mss = (peer->options.present & SLT_TCP_OPT_MSS) ? peer->options.mss : 0;
    if (mss > 0 && step->bytes > mss) {
        notes |= SLT_REMARK_OFFLOADED;
    }
    if (packet->direction == SLT_CAPTURE_INBOUND && slt_explain_checksum_is_wrong(packet)) {
        notes |= SLT_REMARK_BAD_CHECKSUM;
    }
    if (!control && packet->seg.window == 0) {
        notes |= SLT_REMARK_WINDOW_ZERO;
    }
    bool scaled = me->syn_seen && peer->syn_seen;
    if (scaled && step->bytes > 0 && peer->has_acked && peer->window > 0 &&
        slt_explain_diff(end, peer->acked + peer->window) >= 0) {
        notes |= SLT_REMARK_WINDOW_FULL;
    }
    bool beyond = slt_explain_diff(step->ack, peer->end) > 0 &&
                  slt_explain_diff(step->ack, peer->offered) > 0;
    bool between =
        peer->hole.left != peer->hole.right && slt_explain_diff(step->ack, peer->hole.left) > 0;
    if ((step->flags & SLT_TCP_ACK) != 0 && peer->seen && !control && (beyond || between) &&
        step->mark != SLT_MARK_CHALLENGE_ACK) {
        notes |= SLT_REMARK_UNSEEN;
    }
    if (step->sack_left != step->sack_right && slt_explain_diff(step->sack_right, step->ack) <= 0) {
        notes |= SLT_REMARK_DSACK; /* RFC 2883 4: below the cumulative acknowledgement */
    }
    if (me->seen && end != step->seq && slt_explain_diff(step->seq, me->end) > 0) {
        notes |= SLT_REMARK_HOLE;
    }
    notes |= (packet->seg.opt.present & SLT_TCP_OPT_TIMESTAMPS) != 0 ? SLT_REMARK_STAMPED : 0U;
    notes |= packet->ecn == ECN_CONGESTED ? SLT_REMARK_CONGESTED : 0U;
    return (uint16_t)notes;
}

static uint8_t shift_of(const struct slt_explain_flow *flow, uint8_t from)
{
    bool both =
        (flow->end[0].options.present & flow->end[1].options.present & SLT_TCP_OPT_WSCALE) != 0;
    uint8_t shift = flow->end[from].options.wscale;
    return both ? (shift > WINDOW_SHIFT_MAX ? WINDOW_SHIFT_MAX : shift) : 0;
}

void slt_explain_mark(const struct slt_explain_flow *flow, const struct slt_explain_packet *packet,
                      struct slt_explain_step *step)
{
    const struct slt_tcp_segment *seg = &packet->seg;
    uint8_t from = step->from;
    bool syn = (seg->flags & SLT_TCP_SYN) != 0;
    *step = (struct slt_explain_step){
        .at_ns = packet->at_ns,
        .number = packet->number,
        .seq = seg->seq,
        .ack = seg->ack,
        .bytes = packet->bytes,
        .window = syn ? seg->window : (uint32_t)seg->window << shift_of(flow, from),
        .ts_val = seg->opt.ts_val,
        .ts_ecr = seg->opt.ts_ecr,
        .flags = seg->flags,
        .from = from,
        .direction = packet->direction,
        .ttl = packet->ttl,
    };
    if ((seg->opt.present & SLT_TCP_OPT_SACK) != 0) {
        step->sack_left = seg->opt.sack[0].left;
        step->sack_right = seg->opt.sack[0].right;
    }
    step->mark = kind_of(flow, packet, step);
    step->notes = notes_of(flow, packet, step);
}
