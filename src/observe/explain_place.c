/* See explain_place.h.
 *
 * An end's own order has four places for a step i: 4i - 1 just before it, 4i it, 4i + 1 just after
 * it. What the end sent stands at 4i. What it took stands just before the packet that shows it, or
 * just after the last of its packets that were sent before it can have arrived.
 */
#include "observe/explain_place.h"

/* The least round trip is an estimate: answers a little quicker than it are believed. */
static int64_t quickest_ns(const struct slt_explain_flow *flow, uint8_t end)
{
    int64_t delay_ns = flow->end[end].delay_ns;
    return delay_ns > 0 ? delay_ns - delay_ns / 8 : 0;
}

/* What was sent within a round trip and a little may have left before the packet arrived. */
static int64_t surely_ns(const struct slt_explain_flow *flow, uint8_t end)
{
    int64_t delay_ns = flow->end[end].delay_ns;
    return delay_ns > 0 ? delay_ns + delay_ns / 8 : 0;
}

static const struct slt_explain_step *step_at(const struct slt_explain_flow *flow, uint32_t i)
{
    return &flow->steps[i];
}

static bool sent_by(const struct slt_explain_step *step, uint8_t end)
{
    return step->from == end && slt_place_counts(step);
}

uint32_t slt_place_find(const struct slt_explain_flow *flow, uint8_t end, uint16_t flags,
                        uint16_t without)
{
    for (uint32_t i = 0; i < flow->step_count; i++) {
        const struct slt_explain_step *step = step_at(flow, i);
        if (sent_by(step, end) && (step->flags & flags) == flags && (step->flags & without) == 0 &&
            step->mark != SLT_MARK_CHALLENGE_ACK) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

static bool covers(const struct slt_explain_step *step, uint32_t number)
{
    return (step->flags & SLT_TCP_ACK) != 0 && slt_explain_diff(step->ack, number) >= 0 &&
           step->mark != SLT_MARK_CHALLENGE_ACK;
}

static void refute(struct slt_placed *out, uint32_t step, uint32_t by)
{
    if (out->refuted_count < SLT_REFUTED_MAX) {
        out->refuted[out->refuted_count].step = step;
        out->refuted[out->refuted_count].by = by;
        out->refuted_count++;
    }
}

/* The first packet of `end` after `from` that acknowledges `number`. */
static uint32_t first_cover(const struct slt_explain_flow *flow, uint8_t end, uint32_t from,
                            uint32_t number)
{
    for (uint32_t i = from; i < flow->step_count; i++) {
        if (sent_by(step_at(flow, i), end) && covers(step_at(flow, i), number)) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

/* ---- SYN and FIN ---------------------------------------------------------------------------- */

/* What is looked for: the segment's numbers, and the edge its receiver had reached before. */
struct hunt {
    const struct slt_explain_flow *flow;
    uint8_t end;
    uint16_t flag;
    uint32_t first; /* the first copy */
    uint32_t cover; /* the packet that acknowledges it, or how many steps there are */
    uint32_t start; /* of the first copy's numbers */
    uint32_t past;  /* behind the flag */
    bool reached;   /* all before the first copy was acknowledged when it was captured */
    uint32_t edge;  /* acknowledged before `cover` */
    bool has_edge;
};

static void find_edge(struct hunt *h)
{
    for (uint32_t i = 0; i < h->cover; i++) {
        const struct slt_explain_step *step = step_at(h->flow, i);
        bool tells = sent_by(step, h->end) && (step->flags & SLT_TCP_ACK) != 0 &&
                     (step->flags & SLT_TCP_RST) == 0 && step->mark != SLT_MARK_CHALLENGE_ACK;
        if (tells && (!h->has_edge || slt_explain_diff(step->ack, h->edge) > 0)) {
            h->edge = step->ack;
            h->has_edge = true;
        }
    }
    bool local = step_at(h->flow, h->first)->direction == SLT_CAPTURE_INBOUND;
    h->reached = h->flag == SLT_TCP_SYN || local ||
                 (h->has_edge && slt_explain_diff(h->edge, h->start) >= 0);
}

/* Can this packet of the other end have completed the stream up to the flag? */
static bool is_candidate(const struct hunt *h, uint32_t i)
{
    const struct slt_explain_step *step = step_at(h->flow, i);
    if (!sent_by(step, (uint8_t)(1 - h->end))) {
        return false;
    }
    bool same =
        h->flag == SLT_TCP_SYN ? step->seq == h->start : slt_explain_step_end(step) == h->past;
    bool copy = (step->flags & h->flag) != 0 && same;
    if (h->flag == SLT_TCP_SYN || i <= h->first || !h->has_edge) {
        return copy;
    }
    /* A later filler of the hole at the edge; a copy of the flag when nothing is missing. */
    bool fills = step->bytes > 0 && slt_explain_diff(step->seq, h->edge) <= 0 &&
                 slt_explain_diff(slt_explain_step_end(step), h->edge) > 0;
    return copy || fills;
}

/* The first packet of `end` that can have been sent after `i` arrived and does not acknowledge it.
 */
static uint32_t find_denial(const struct hunt *h, uint32_t i, uint32_t before)
{
    int64_t arrived_ns = step_at(h->flow, i)->at_ns + surely_ns(h->flow, h->end);
    for (uint32_t k = i + 1; k < before; k++) {
        const struct slt_explain_step *step = step_at(h->flow, k);
        bool speaks = sent_by(step, h->end) && (step->flags & SLT_TCP_ACK) != 0 &&
                      (step->flags & SLT_TCP_RST) == 0 && step->at_ns >= arrived_ns;
        if (speaks && !covers(step, h->past)) {
            return k;
        }
    }
    return SLT_NO_STEP;
}

/* RFC 7323 4.3: an acknowledgement echoes the timestamp of the segment that advanced it; a copy
 * that came later and was of no use is not echoed. */
static bool is_echoed(const struct slt_explain_step *copy, const struct slt_explain_step *answer)
{
    uint16_t both = copy->notes & answer->notes;
    return (both & SLT_REMARK_STAMPED) == 0 || slt_explain_diff(copy->ts_val, answer->ts_ecr) <= 0;
}

/* Copies sent in one moment: the first of them is the one, unless it is lost, which nothing tells.
 */
static bool is_twin(const struct slt_explain_step *a, const struct slt_explain_step *b)
{
    return (a->notes & b->notes & SLT_REMARK_STAMPED) != 0 && a->ts_val == b->ts_val &&
           a->ts_ecr == b->ts_ecr;
}

/* The latest candidate that can have been answered by the packet that acknowledges. */
static uint32_t choose(const struct hunt *h, uint32_t *count)
{
    uint32_t best = SLT_NO_STEP;
    const struct slt_explain_step *answer = step_at(h->flow, h->cover);
    int64_t latest_ns = answer->at_ns - quickest_ns(h->flow, h->end);
    *count = 0;
    for (uint32_t i = h->first; i < h->cover; i++) {
        if (!is_candidate(h, i)) {
            continue;
        }
        (*count)++;
        const struct slt_explain_step *step = step_at(h->flow, i);
        bool better = best != SLT_NO_STEP && step->at_ns <= latest_ns && is_echoed(step, answer) &&
                      !is_twin(step, step_at(h->flow, best));
        best = best == SLT_NO_STEP || better ? i : best;
    }
    return best;
}

static void place_acknowledged(const struct hunt *h, struct slt_placed *out)
{
    uint32_t count;
    out->step = choose(h, &count);
    out->found = out->step != SLT_NO_STEP;
    out->proof = h->cover;
    out->order = 4 * (int64_t)h->cover - 1;
    out->certainty = count == 1 && h->reached ? SLT_PROVED : SLT_ASSUMED;
    for (uint32_t i = h->first; out->found && i < out->step; i++) {
        uint32_t by = is_candidate(h, i) ? find_denial(h, i, h->cover) : SLT_NO_STEP;
        if (is_candidate(h, i)) {
            refute(out, i, by == SLT_NO_STEP ? out->step : by);
        }
    }
}

/* After the end's last packet that left before this one can have arrived. */
static int64_t order_after(const struct slt_explain_flow *flow, uint8_t end, uint32_t i)
{
    int64_t arrived_ns = step_at(flow, i)->at_ns + quickest_ns(flow, end);
    int64_t order = 4 * (int64_t)i + 1;
    for (uint32_t k = i + 1; k < flow->step_count; k++) {
        const struct slt_explain_step *step = step_at(flow, k);
        if (step->at_ns >= arrived_ns) {
            break;
        }
        if (sent_by(step, end)) {
            order = 4 * (int64_t)k + 1;
        }
    }
    return order;
}

/* Nobody acknowledged it: the last copy is given the benefit of the doubt, once. */
static void place_unanswered(const struct hunt *h, struct slt_placed *out)
{
    uint32_t last = SLT_NO_STEP;
    uint32_t copies = 0;
    for (uint32_t i = h->first; i < h->flow->step_count; i++) {
        if (!is_candidate(h, i)) {
            continue;
        }
        if (last != SLT_NO_STEP) {
            uint32_t by = find_denial(h, last, h->flow->step_count);
            refute(out, last, by == SLT_NO_STEP ? i : by);
        }
        last = i;
        copies++;
    }
    uint32_t by = find_denial(h, last, h->flow->step_count);
    if (by != SLT_NO_STEP || copies > 2) {
        refute(out, last, by);
        return;
    }
    out->found = true;
    out->step = last;
    out->order = order_after(h->flow, h->end, last);
    for (uint32_t i = last + 1; i < h->flow->step_count; i++) {
        /* What does not acknowledge it was sent before it arrived. */
        bool before =
            sent_by(step_at(h->flow, i), h->end) && (step_at(h->flow, i)->flags & SLT_TCP_RST) == 0;
        out->order = before ? slt_max64(out->order, 4 * (int64_t)i + 1) : out->order;
    }
    out->proof = SLT_NO_STEP;
    out->certainty = SLT_ASSUMED;
}

void slt_place_arrival(const struct slt_explain_flow *flow, uint8_t end, uint16_t flag,
                       struct slt_placed *out)
{
    struct hunt h = {.flow = flow, .end = end, .flag = flag};
    memset(out, 0, sizeof(*out));
    h.first = slt_place_find(flow, (uint8_t)(1 - end), flag, SLT_TCP_RST);
    if (h.first == SLT_NO_STEP) {
        return;
    }
    h.start = step_at(flow, h.first)->seq;
    h.past = slt_explain_step_end(step_at(flow, h.first));
    if (flag == SLT_TCP_SYN) {
        h.past = h.start + 1; /* data on a SYN may be taken or not */
    }
    h.cover = first_cover(flow, end, h.first, h.past);
    bool answered = h.cover != SLT_NO_STEP;
    h.cover = answered ? h.cover : flow->step_count;
    find_edge(&h);
    if (answered) {
        place_acknowledged(&h, out);
    } else {
        place_unanswered(&h, out);
    }
}

/* ---- acknowledgements ----------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4 (SYN-RECEIVED): an acknowledgement of what was never sent is answered with RST,
 * and changes nothing. */
static bool is_rejected(const struct slt_explain_flow *flow, uint8_t end, uint32_t at)
{
    if ((step_at(flow, at)->notes & SLT_REMARK_UNSEEN) == 0) {
        return false;
    }
    for (uint32_t i = at + 1; i < flow->step_count; i++) {
        const struct slt_explain_step *step = step_at(flow, i);
        if (sent_by(step, end)) {
            return (step->flags & SLT_TCP_RST) != 0 && step->seq == step_at(flow, at)->ack;
        }
    }
    return false;
}

/* The next packet of the other end that acknowledges `number`. */
static uint32_t next_cover(const struct slt_explain_flow *flow, uint8_t end, uint32_t from,
                           uint32_t number)
{
    for (uint32_t i = from; i < flow->step_count; i++) {
        const struct slt_explain_step *step = step_at(flow, i);
        if (sent_by(step, (uint8_t)(1 - end)) && covers(step, number) &&
            (step->flags & SLT_TCP_RST) == 0 && !is_rejected(flow, end, i)) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

/* The end sent it again when the acknowledgement should have been there. */
static uint32_t find_repeat(const struct slt_explain_flow *flow, uint8_t end, uint32_t ack,
                            const struct slt_explain_step *own)
{
    int64_t arrived_ns = step_at(flow, ack)->at_ns + surely_ns(flow, end);
    uint32_t found = SLT_NO_STEP;
    uint16_t flag = own->flags & (SLT_TCP_SYN | SLT_TCP_FIN);
    for (uint32_t i = ack + 1; i < flow->step_count; i++) {
        const struct slt_explain_step *step = step_at(flow, i);
        bool again = sent_by(step, end) && (step->flags & flag) == flag &&
                     slt_explain_step_end(step) == slt_explain_step_end(own);
        /* A SYN,ACK may be repeated for a SYN that came twice: that denies nothing. */
        if (again && step->at_ns >= arrived_ns) {
            found = i;
        }
    }
    return found;
}

/* The first packet of the end that it sends only with its own SYN or FIN acknowledged. */
static uint32_t find_proof(const struct slt_explain_flow *flow, uint8_t end, uint16_t flag,
                           uint32_t ack)
{
    const struct slt_explain_step *told = step_at(flow, ack);
    for (uint32_t i = ack + 1; i < flow->step_count; i++) {
        const struct slt_explain_step *step = step_at(flow, i);
        bool sent = sent_by(step, end) && (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0;
        bool carries = slt_explain_step_end(step) != step->seq;
        bool took =
            slt_explain_step_end(told) != told->seq && covers(step, slt_explain_step_end(told));
        bool spoke = flag == SLT_TCP_SYN && carries && step->mark == SLT_MARK_NONE;
        if (sent && (took || spoke)) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

/* By which step it is known that a packet did not arrive; SLT_NO_STEP: it is not. */
static uint32_t find_loss(const struct slt_placed *lost, uint32_t step)
{
    for (uint32_t i = 0; i < lost->refuted_count; i++) {
        if (lost->refuted[i].step == step) {
            return lost->refuted[i].by;
        }
    }
    return SLT_NO_STEP;
}

void slt_place_acknowledgement(const struct slt_explain_flow *flow, uint8_t end, uint16_t flag,
                               const struct slt_placed *lost, struct slt_placed *out)
{
    memset(out, 0, sizeof(*out));
    uint32_t own = slt_place_find(flow, end, flag, SLT_TCP_RST);
    if (own == SLT_NO_STEP) {
        return;
    }
    const struct slt_explain_step *sent = step_at(flow, own);
    uint32_t past = flag == SLT_TCP_SYN ? sent->seq + 1 : slt_explain_step_end(sent);
    uint32_t ack = next_cover(flow, end, own + 1, past);
    while (ack != SLT_NO_STEP) {
        uint32_t again = find_repeat(flow, end, ack, sent);
        again = again == SLT_NO_STEP ? find_loss(lost, ack) : again;
        if (again == SLT_NO_STEP) {
            break;
        }
        refute(out, ack, again);
        ack = next_cover(flow, end, ack + 1, past);
    }
    if (ack == SLT_NO_STEP) {
        return;
    }
    uint32_t rival = next_cover(flow, end, ack + 1, past);
    out->found = true;
    out->step = ack;
    out->order = order_after(flow, end, ack);
    out->proof = find_proof(flow, end, flag, ack);
    bool alone = out->proof != SLT_NO_STEP && rival > out->proof && out->refuted_count == 0;
    out->certainty = alone ? SLT_PROVED : SLT_ASSUMED;
}

/* ---- resets --------------------------------------------------------------------------------- */

/* After it the end still spoke as if nothing had come. */
static uint32_t find_defiance(const struct slt_explain_flow *flow, uint8_t end, uint32_t rst)
{
    int64_t arrived_ns = step_at(flow, rst)->at_ns + surely_ns(flow, end);
    for (uint32_t i = rst + 1; i < flow->step_count; i++) {
        const struct slt_explain_step *step = step_at(flow, i);
        bool defies = step->at_ns > arrived_ns || step->mark == SLT_MARK_CHALLENGE_ACK;
        if (sent_by(step, end) && (step->flags & SLT_TCP_RST) == 0 && defies) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

/* RFC 9293 3.10.7.3: in SYN-SENT only an RST that acknowledges the SYN counts. */
static bool is_astray(const struct slt_explain_flow *flow, uint8_t end, uint32_t rst)
{
    const struct slt_explain_step *step = step_at(flow, rst);
    uint32_t theirs = slt_place_find(flow, (uint8_t)(1 - end), SLT_TCP_SYN, SLT_TCP_RST);
    uint32_t own = slt_place_find(flow, end, SLT_TCP_SYN, SLT_TCP_RST);
    if (own > rst || theirs < rst) {
        return false;
    }
    bool within = slt_explain_diff(step->ack, slt_explain_step_end(step_at(flow, own))) <= 0;
    return !within || !covers(step, step_at(flow, own)->seq + 1);
}

void slt_place_reset(const struct slt_explain_flow *flow, uint8_t end, struct slt_placed *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; i < flow->step_count; i++) {
        const struct slt_explain_step *step = step_at(flow, i);
        if (!sent_by(step, (uint8_t)(1 - end)) || (step->flags & SLT_TCP_RST) == 0 ||
            is_astray(flow, end, i)) {
            continue;
        }
        uint32_t by = find_defiance(flow, end, i);
        if (by != SLT_NO_STEP) {
            refute(out, i, by);
            continue;
        }
        out->found = true;
        out->step = i;
        out->order = order_after(flow, end, i);
        out->proof = SLT_NO_STEP;
        out->certainty = SLT_ASSUMED;
        return;
    }
}
