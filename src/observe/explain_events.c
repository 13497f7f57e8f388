/* See explain_events.h. */
#include "observe/explain_events.h"

static void add(struct slt_end_events *p, const struct slt_end_event *event)
{
    if (p->count < SLT_END_EVENTS_MAX) {
        p->list[p->count] = *event;
        p->count++;
    }
}

static void add_sent(struct slt_end_events *p, enum slt_end_event_kind kind, uint32_t step)
{
    if (step != SLT_NO_STEP) {
        add(p, &(struct slt_end_event){.order = 4 * (int64_t)step,
                                       .step = step,
                                       .proof = step,
                                       .kind = (uint8_t)kind,
                                       .certainty = SLT_PROVED});
    }
}

static void add_placed(struct slt_end_events *p, enum slt_end_event_kind kind,
                       const struct slt_placed *placed)
{
    for (uint32_t i = 0; i < placed->refuted_count; i++) {
        add(p, &(struct slt_end_event){.order = 4 * (int64_t)placed->refuted[i].step + 1,
                                       .step = placed->refuted[i].step,
                                       .proof = placed->refuted[i].by,
                                       .kind = (uint8_t)kind,
                                       .certainty = SLT_REFUTED});
    }
    if (placed->found) {
        add(p, &(struct slt_end_event){.order = placed->order,
                                       .step = placed->step,
                                       .proof = placed->proof,
                                       .kind = (uint8_t)kind,
                                       .certainty = placed->certainty});
    }
}

/* The first data of the end: it had been established by then. */
static uint32_t find_data(const struct slt_end_events *p)
{
    for (uint32_t i = 0; i < p->flow->step_count; i++) {
        const struct slt_explain_step *step = &p->flow->steps[i];
        if (step->from == p->end && slt_place_counts(step) && step->bytes > 0 &&
            (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

static void add_data(struct slt_end_events *p)
{
    uint32_t data = find_data(p);
    if (data != SLT_NO_STEP) {
        add(p, &(struct slt_end_event){.order = 4 * (int64_t)data,
                                       .step = data,
                                       .proof = data,
                                       .kind = SLT_SENT_DATA,
                                       .certainty =
                                           SLT_ASSUMED}); /* by then; since when is not seen */
    }
}

/* An RST that answers an old segment while a SYN is out does not end what the SYN began. */
static uint32_t find_own_reset(const struct slt_end_events *p)
{
    uint32_t at = slt_place_find(p->flow, p->end, SLT_TCP_RST, 0);
    if (at == SLT_NO_STEP || !p->flow->end[p->end].syn_seen) {
        return at;
    }
    const struct slt_explain_step *step = &p->flow->steps[at];
    bool bare = (step->flags & SLT_TCP_ACK) == 0;
    bool goes_on = false;
    for (uint32_t i = 0; i < at && bare; i++) {
        /* RFC 9293 3.10.7.4: an acknowledgement of what was never sent is answered with RST. */
        const struct slt_explain_step *asked = &p->flow->steps[i];
        goes_on = goes_on || (asked->from != p->end && asked->ack == step->seq &&
                              (asked->notes & SLT_REMARK_UNSEEN) != 0);
    }
    for (uint32_t i = at + 1; i < p->flow->step_count; i++) {
        const struct slt_explain_step *later = &p->flow->steps[i];
        goes_on = goes_on || (later->from == p->end && slt_place_counts(later) &&
                              (later->flags & SLT_TCP_RST) == 0);
    }
    return bare && goes_on ? SLT_NO_STEP : at;
}

/* In the end's own order; what one packet did, in the order of RFC 9293 3.10.7.4. */
static bool is_later(const struct slt_end_event *a, const struct slt_end_event *b)
{
    if (a->order != b->order) {
        return a->order > b->order;
    }
    return a->step != b->step ? a->step > b->step : a->kind > b->kind;
}

static void sort(struct slt_end_event *events, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct slt_end_event moved = events[i];
        uint32_t at = i;
        while (at > 0 && is_later(&events[at - 1], &moved)) {
            events[at] = events[at - 1];
            at--;
        }
        events[at] = moved;
    }
}

/* Neither FIN acknowledges the other: they crossed. */
static bool have_crossed(const struct slt_explain_flow *flow)
{
    uint32_t a = slt_place_find(flow, 0, SLT_TCP_FIN, SLT_TCP_RST);
    uint32_t b = slt_place_find(flow, 1, SLT_TCP_FIN, SLT_TCP_RST);
    if (a == SLT_NO_STEP || b == SLT_NO_STEP) {
        return false;
    }
    const struct slt_explain_step *x = &flow->steps[a];
    const struct slt_explain_step *y = &flow->steps[b];
    return slt_explain_diff(x->ack, slt_explain_step_end(y)) < 0 &&
           slt_explain_diff(y->ack, slt_explain_step_end(x)) < 0;
}

/* Of FINs that cross nothing proves which an end took first, the other's FIN or the acknowledgement
 * of its own. */
static void doubt(struct slt_end_events *p)
{
    bool crossed = have_crossed(p->flow);
    for (uint32_t i = 0; i < p->count && crossed; i++) {
        struct slt_end_event *e = &p->list[i];
        bool either = e->kind == SLT_TOOK_FIN || e->kind == SLT_FIN_ACKED;
        e->certainty = either && e->certainty == SLT_PROVED ? SLT_ASSUMED : e->certainty;
    }
}

/* What the other end sent arrives in the order in which it was sent, as far as it arrives; what one
 * packet did belongs together. */
static void join(struct slt_end_events *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        for (uint32_t k = 0; k < p->count; k++) {
            struct slt_end_event *a = &p->list[i];
            const struct slt_end_event *b = &p->list[k];
            bool taken = a->kind >= SLT_TOOK_SYN && b->kind >= SLT_TOOK_SYN;
            if (taken && a->step >= b->step && a->certainty != SLT_REFUTED &&
                b->certainty != SLT_REFUTED && a->order < b->order) {
                a->order = b->order;
            }
        }
    }
}

/* The RST stands right behind what the end has sent, so that no FIN of its own was lost before it,
 * and answers nothing: all that came had been acknowledged. */
static bool is_next(const struct slt_end_events *p, uint32_t rst)
{
    const struct slt_explain_step *answer = &p->flow->steps[rst];
    uint32_t end = answer->seq;
    uint32_t acked = 0;
    uint32_t theirs = 0;
    bool spoke = false;
    for (uint32_t i = 0; i < rst; i++) {
        const struct slt_explain_step *step = &p->flow->steps[i];
        uint32_t past = slt_explain_step_end(step);
        if (!slt_place_counts(step)) {
            continue;
        }
        if (step->from == p->end) {
            end = past;
            acked = step->ack;
        } else {
            theirs = !spoke || slt_explain_diff(past, theirs) > 0 ? past : theirs;
            spoke = true;
        }
    }
    /* A bare RST takes its number from what it answers (RFC 9293 3.10.7.1): that proves nothing. */
    return end == answer->seq && (answer->flags & SLT_TCP_ACK) != 0 &&
           (!spoke || slt_explain_diff(acked, theirs) >= 0);
}

/* RFC 9293 3.10.7.4: data for a program that has closed both ways is answered with RST; it is the
 * data that ended the connection. */
static void add_reset(struct slt_end_events *p)
{
    uint32_t rst = find_own_reset(p);
    uint32_t fin = slt_place_find(p->flow, p->end, SLT_TCP_FIN, SLT_TCP_RST);
    if (rst == SLT_NO_STEP || fin > rst) {
        add_sent(p, SLT_SENT_RST, rst);
        if (rst != SLT_NO_STEP && !is_next(p, rst)) {
            p->list[p->count - 1].certainty = SLT_ASSUMED;
        }
        return;
    }
    const struct slt_explain_step *answer = &p->flow->steps[rst];
    int64_t delay_ns = p->flow->end[p->end].delay_ns;
    int64_t quickest_ns = delay_ns > 0 ? delay_ns - delay_ns / 8 : 0;
    int64_t closed_at_ns = p->flow->steps[fin].at_ns;
    uint32_t cause = rst;
    for (uint32_t i = 0; i < rst && cause == rst; i++) {
        const struct slt_explain_step *step = &p->flow->steps[i];
        int64_t arrived_ns = step->at_ns + quickest_ns;
        bool fits = step->from != p->end && step->bytes > 0 && slt_place_counts(step);
        cause = fits && arrived_ns >= closed_at_ns && arrived_ns <= answer->at_ns ? i : cause;
    }
    add(p, &(struct slt_end_event){.order = 4 * (int64_t)rst - 1,
                                   .step = cause,
                                   .proof = rst,
                                   .kind = SLT_SENT_RST,
                                   .certainty = SLT_ASSUMED});
}

/* The FIN of the end, or what was sent behind it when the FIN itself was lost before the capture:
 * then it is taken to have left before that answer. */
static void add_fin(struct slt_end_events *p, struct slt_placed *theirs)
{
    uint32_t fin = slt_place_find(p->flow, p->end, SLT_TCP_FIN, SLT_TCP_RST);
    if (fin == SLT_NO_STEP) {
        return;
    }
    uint32_t past = slt_explain_step_end(&p->flow->steps[fin]);
    for (uint32_t i = 0; i < fin; i++) {
        const struct slt_explain_step *step = &p->flow->steps[i];
        if (step->from == p->end && slt_place_counts(step) && step->seq == past &&
            (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0) {
            theirs->certainty = theirs->found ? SLT_ASSUMED : theirs->certainty;
            add(p, &(struct slt_end_event){.order = 4 * (int64_t)i - 2,
                                           .step = i,
                                           .proof = i,
                                           .kind = SLT_SENT_FIN,
                                           .certainty = SLT_ASSUMED});
            return;
        }
    }
    add_sent(p, SLT_SENT_FIN, fin);
}

void slt_end_events_collect(const struct slt_explain_flow *flow, uint8_t end,
                            struct slt_end_events *p)
{
    p->flow = flow;
    p->end = end;
    p->count = 0;
    struct slt_placed placed;
    struct slt_placed fin;
    const struct slt_explain_flow *f = p->flow;
    slt_place_arrival(f, p->end, SLT_TCP_FIN, &fin);
    add_sent(p, SLT_SENT_SYN, slt_place_find(f, p->end, SLT_TCP_SYN, SLT_TCP_ACK | SLT_TCP_RST));
    add_sent(p, SLT_SENT_SYN_ACK,
             slt_place_find(f, p->end, SLT_TCP_SYN | SLT_TCP_ACK, SLT_TCP_RST));
    add_data(p);
    add_fin(p, &fin);
    add_reset(p);
    slt_place_arrival(f, p->end, SLT_TCP_SYN, &placed);
    add_placed(p, SLT_TOOK_SYN, &placed);
    slt_place_acknowledgement(f, p->end, SLT_TCP_SYN, &fin, &placed);
    add_placed(p, SLT_SYN_ACKED, &placed);
    slt_place_acknowledgement(f, p->end, SLT_TCP_FIN, &fin, &placed);
    add_placed(p, SLT_FIN_ACKED, &placed);
    add_placed(p, SLT_TOOK_FIN, &fin);
    slt_place_reset(f, p->end, &placed);
    add_placed(p, SLT_TOOK_RST, &placed);
    doubt(p);
    join(p);
    sort(p->list, p->count);
}
