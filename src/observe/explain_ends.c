/* See explain_ends.h.
 *
 * For each end the few events that change states are collected, put into the end's own order, and
 * played to RFC 9293's machine.
 */
#include "observe/explain_ends.h"

#include "observe/explain_place.h"
#include "observe/ladder.h"
#include "salut/types.h"

enum kind {
    SENT_SYN,
    SENT_SYN_ACK,
    SENT_DATA,
    SENT_FIN,
    SENT_RST,
    /* What one packet does is done in this order. */
    TOOK_SYN,
    SYN_ACKED,
    FIN_ACKED,
    TOOK_FIN,
    TOOK_RST
};

struct event {
    int64_t order;
    uint32_t step;
    uint32_t proof;
    uint8_t kind;
    uint8_t certainty;
};

#define EVENTS_MAX (10U + 5U * SLT_REFUTED_MAX)

struct play {
    const struct slt_explain_flow *flow;
    struct slt_explain_states *out;
    uint8_t end;
    uint8_t state;
    struct event events[EVENTS_MAX];
    uint32_t count;
};

struct move {
    uint8_t to; /* SLT_STATE_UNKNOWN: none */
    const char *why;
};

static const struct move no_move = {SLT_STATE_UNKNOWN, ""};

/* ---- the machine ---------------------------------------------------------------------------- */

static struct move move_open(uint8_t state, enum kind kind, bool with_ack)
{
    if (kind == SENT_SYN && state == SALUT_STATE_CLOSED) {
        return (struct move){SALUT_STATE_SYN_SENT, "its program opened the connection"};
    }
    if (kind == SENT_SYN_ACK && (state == SALUT_STATE_LISTEN || state == SALUT_STATE_SYN_SENT ||
                                 state == SALUT_STATE_CLOSED)) {
        return (struct move){SALUT_STATE_SYN_RECEIVED, "it answers a SYN"};
    }
    if (kind == TOOK_SYN && state == SALUT_STATE_LISTEN) {
        return (struct move){SALUT_STATE_SYN_RECEIVED, "a SYN arrived for a listener"};
    }
    if (kind == TOOK_SYN && state == SALUT_STATE_SYN_SENT) {
        return with_ack
                   ? (struct move){SALUT_STATE_ESTABLISHED, "the SYN,ACK answers its SYN"}
                   : (struct move){SALUT_STATE_SYN_RECEIVED, "the other end's SYN crossed its own"};
    }
    if (kind == SYN_ACKED && state == SALUT_STATE_SYN_RECEIVED) {
        return (struct move){SALUT_STATE_ESTABLISHED, "its SYN was acknowledged"};
    }
    if (kind == SENT_DATA && (state == SALUT_STATE_SYN_RECEIVED || state == SALUT_STATE_SYN_SENT ||
                              state == SALUT_STATE_LISTEN)) {
        return (struct move){SALUT_STATE_ESTABLISHED, "it sends as if its SYN was acknowledged"};
    }
    return no_move;
}

static struct move move_sent_fin(uint8_t state)
{
    if (state == SALUT_STATE_CLOSE_WAIT) {
        return (struct move){SALUT_STATE_LAST_ACK, "its program closed, too"};
    }
    if (state == SALUT_STATE_ESTABLISHED || state == SALUT_STATE_SYN_RECEIVED) {
        return (struct move){SALUT_STATE_FIN_WAIT_1, "its program closed"};
    }
    return no_move;
}

static struct move move_took_fin(uint8_t state)
{
    if (state == SALUT_STATE_ESTABLISHED || state == SALUT_STATE_SYN_RECEIVED) {
        return (struct move){SALUT_STATE_CLOSE_WAIT, "the other end's FIN arrived"};
    }
    if (state == SALUT_STATE_FIN_WAIT_1) {
        return (struct move){SALUT_STATE_CLOSING, "the other end's FIN crossed its own"};
    }
    if (state == SALUT_STATE_FIN_WAIT_2) {
        return (struct move){SALUT_STATE_TIME_WAIT, "the other end's FIN arrived"};
    }
    return no_move;
}

/* RFC 9293 3.10.7.4: the acknowledgement comes first, and the FIN of the same segment is taken in
 * the state that it led to. */
static struct move move_fin_acked(uint8_t state)
{
    if (state == SALUT_STATE_FIN_WAIT_1) {
        return (struct move){SALUT_STATE_FIN_WAIT_2, "its FIN was acknowledged"};
    }
    if (state == SALUT_STATE_CLOSING) {
        return (struct move){SALUT_STATE_TIME_WAIT, "its FIN was acknowledged"};
    }
    if (state == SALUT_STATE_LAST_ACK) {
        return (struct move){SALUT_STATE_CLOSED, "its FIN was acknowledged"};
    }
    return no_move;
}

static struct move move_reset(uint8_t state, bool sent)
{
    if (state == SALUT_STATE_CLOSED || state == SALUT_STATE_LISTEN || state == SLT_STATE_UNKNOWN) {
        return no_move;
    }
    if (sent) {
        return (struct move){SALUT_STATE_CLOSED, "it reset the connection"};
    }
    return state == SALUT_STATE_SYN_SENT
               ? (struct move){SALUT_STATE_CLOSED, "refused: RST in answer to its SYN"}
               : (struct move){SALUT_STATE_CLOSED, "the other end reset the connection"};
}

static struct move next_move(const struct play *p, const struct event *e)
{
    const struct slt_explain_step *step = &p->flow->steps[e->step];
    switch ((enum kind)e->kind) {
    case SENT_FIN:
        return move_sent_fin(p->state);
    case TOOK_FIN:
        return move_took_fin(p->state);
    case FIN_ACKED:
        return move_fin_acked(p->state);
    case SENT_RST:
    case TOOK_RST:
        return move_reset(p->state, e->kind == SENT_RST);
    case SENT_SYN:
    case SENT_SYN_ACK:
    case SENT_DATA:
    case TOOK_SYN:
    case SYN_ACKED:
        break;
    }
    return move_open(p->state, (enum kind)e->kind, (step->flags & SLT_TCP_ACK) != 0);
}

/* ---- collecting ----------------------------------------------------------------------------- */

static void add(struct play *p, const struct event *event)
{
    if (p->count < EVENTS_MAX) {
        p->events[p->count] = *event;
        p->count++;
    }
}

static void add_sent(struct play *p, enum kind kind, uint32_t step)
{
    if (step != SLT_NO_STEP) {
        add(p, &(struct event){.order = 4 * (int64_t)step,
                               .step = step,
                               .proof = step,
                               .kind = (uint8_t)kind,
                               .certainty = SLT_PROVED});
    }
}

static void add_placed(struct play *p, enum kind kind, const struct slt_placed *placed)
{
    for (uint32_t i = 0; i < placed->refuted_count; i++) {
        add(p, &(struct event){.order = 4 * (int64_t)placed->refuted[i].step + 1,
                               .step = placed->refuted[i].step,
                               .proof = placed->refuted[i].by,
                               .kind = (uint8_t)kind,
                               .certainty = SLT_REFUTED});
    }
    if (placed->found) {
        add(p, &(struct event){.order = placed->order,
                               .step = placed->step,
                               .proof = placed->proof,
                               .kind = (uint8_t)kind,
                               .certainty = placed->certainty});
    }
}

/* The first data of the end: it had been established by then. */
static uint32_t find_data(const struct play *p)
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

static void add_data(struct play *p)
{
    uint32_t data = find_data(p);
    if (data != SLT_NO_STEP) {
        add(p, &(struct event){.order = 4 * (int64_t)data,
                               .step = data,
                               .proof = data,
                               .kind = SENT_DATA,
                               .certainty = SLT_ASSUMED}); /* by then; since when is not seen */
    }
}

/* An RST that answers an old segment while a SYN is out does not end what the SYN began. */
static uint32_t find_own_reset(const struct play *p)
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
static bool is_later(const struct event *a, const struct event *b)
{
    if (a->order != b->order) {
        return a->order > b->order;
    }
    return a->step != b->step ? a->step > b->step : a->kind > b->kind;
}

static void sort(struct event *events, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct event moved = events[i];
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
static void doubt(struct play *p)
{
    bool crossed = have_crossed(p->flow);
    for (uint32_t i = 0; i < p->count && crossed; i++) {
        struct event *e = &p->events[i];
        bool either = e->kind == TOOK_FIN || e->kind == FIN_ACKED;
        e->certainty = either && e->certainty == SLT_PROVED ? SLT_ASSUMED : e->certainty;
    }
}

/* What the other end sent arrives in the order in which it was sent, as far as it arrives; what one
 * packet did belongs together. */
static void join(struct play *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        for (uint32_t k = 0; k < p->count; k++) {
            struct event *a = &p->events[i];
            const struct event *b = &p->events[k];
            bool taken = a->kind >= TOOK_SYN && b->kind >= TOOK_SYN;
            if (taken && a->step >= b->step && a->certainty != SLT_REFUTED &&
                b->certainty != SLT_REFUTED && a->order < b->order) {
                a->order = b->order;
            }
        }
    }
}

/* The RST stands right behind what the end has sent, so that no FIN of its own was lost before it,
 * and answers nothing: all that came had been acknowledged. */
static bool is_next(const struct play *p, uint32_t rst)
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
static void add_reset(struct play *p)
{
    uint32_t rst = find_own_reset(p);
    uint32_t fin = slt_place_find(p->flow, p->end, SLT_TCP_FIN, SLT_TCP_RST);
    if (rst == SLT_NO_STEP || fin > rst) {
        add_sent(p, SENT_RST, rst);
        if (rst != SLT_NO_STEP && !is_next(p, rst)) {
            p->events[p->count - 1].certainty = SLT_ASSUMED;
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
    add(p, &(struct event){.order = 4 * (int64_t)rst - 1,
                           .step = cause,
                           .proof = rst,
                           .kind = SENT_RST,
                           .certainty = SLT_ASSUMED});
}

/* The FIN of the end, or what was sent behind it when the FIN itself was lost before the capture:
 * then it is taken to have left before that answer. */
static void add_fin(struct play *p, struct slt_placed *theirs)
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
            add(p, &(struct event){.order = 4 * (int64_t)i - 2,
                                   .step = i,
                                   .proof = i,
                                   .kind = SENT_FIN,
                                   .certainty = SLT_ASSUMED});
            return;
        }
    }
    add_sent(p, SENT_FIN, fin);
}

static void collect(struct play *p)
{
    struct slt_placed placed;
    struct slt_placed fin;
    const struct slt_explain_flow *f = p->flow;
    slt_place_arrival(f, p->end, SLT_TCP_FIN, &fin);
    add_sent(p, SENT_SYN, slt_place_find(f, p->end, SLT_TCP_SYN, SLT_TCP_ACK | SLT_TCP_RST));
    add_sent(p, SENT_SYN_ACK, slt_place_find(f, p->end, SLT_TCP_SYN | SLT_TCP_ACK, SLT_TCP_RST));
    add_data(p);
    add_fin(p, &fin);
    add_reset(p);
    slt_place_arrival(f, p->end, SLT_TCP_SYN, &placed);
    add_placed(p, TOOK_SYN, &placed);
    slt_place_acknowledgement(f, p->end, SLT_TCP_SYN, &fin, &placed);
    add_placed(p, SYN_ACKED, &placed);
    slt_place_acknowledgement(f, p->end, SLT_TCP_FIN, &fin, &placed);
    add_placed(p, FIN_ACKED, &placed);
    add_placed(p, TOOK_FIN, &fin);
    slt_place_reset(f, p->end, &placed);
    add_placed(p, TOOK_RST, &placed);
    doubt(p);
    join(p);
    sort(p->events, p->count);
}

/* ---- playing -------------------------------------------------------------------------------- */

/* Where the end was before its first packet. */
static uint8_t first_state(const struct slt_explain_flow *flow, uint8_t end)
{
    uint32_t syn = slt_place_find(flow, end, SLT_TCP_SYN, SLT_TCP_RST);
    uint32_t theirs = slt_place_find(flow, (uint8_t)(1 - end), SLT_TCP_SYN, SLT_TCP_RST);
    if (syn == SLT_NO_STEP && theirs == SLT_NO_STEP) {
        return SALUT_STATE_ESTABLISHED;
    }
    if (syn != SLT_NO_STEP) {
        bool answers = (flow->steps[syn].flags & SLT_TCP_ACK) != 0;
        return answers ? SALUT_STATE_LISTEN : SALUT_STATE_CLOSED;
    }
    bool answered = (flow->steps[theirs].flags & SLT_TCP_ACK) != 0;
    if (answered) {
        return SALUT_STATE_SYN_SENT; /* its SYN was not captured */
    }
    bool refused = slt_place_find(flow, end, SLT_TCP_RST, 0) != SLT_NO_STEP;
    return refused ? SALUT_STATE_CLOSED : SLT_STATE_UNKNOWN;
}

/* A FIN that acknowledges the other end's may be a copy of one that was lost before the capture and
 * did not. It is the first when the end acknowledged without a FIN before, or when the capture was
 * made where it is sent. */
static bool is_second_closer(const struct play *p)
{
    uint32_t fin = slt_place_find(p->flow, p->end, SLT_TCP_FIN, SLT_TCP_RST);
    uint32_t other = (uint32_t)(p->end == 0 ? 1 : 0);
    uint32_t theirs = slt_place_find(p->flow, (uint8_t)other, SLT_TCP_FIN, SLT_TCP_RST);
    for (uint32_t i = theirs; i < p->flow->step_count; i++) {
        /* With data still to be sent its program may have closed long before. */
        if (p->flow->steps[i].from == p->end && p->flow->steps[i].bytes > 0) {
            return false;
        }
    }
    if (fin == SLT_NO_STEP || theirs == SLT_NO_STEP) {
        return true;
    }
    uint32_t past = slt_explain_step_end(&p->flow->steps[theirs]);
    uint32_t own = slt_explain_step_end(&p->flow->steps[fin]);
    for (uint32_t i = theirs + 1; i <= fin; i++) {
        const struct slt_explain_step *step = &p->flow->steps[i];
        /* A bare segment stands behind all that was sent (RFC 9293 3.10.7.4). */
        bool bare = slt_explain_step_end(step) == step->seq && step->seq == own - 1;
        bool first = bare || (i == fin && step->direction == SLT_CAPTURE_OUTBOUND);
        if (first && step->from == p->end && slt_place_counts(step) &&
            (step->flags & SLT_TCP_ACK) != 0 && slt_explain_diff(step->ack, past) >= 0) {
            return true;
        }
    }
    return false;
}

static uint8_t certainty_of(const struct play *p, const struct event *e, const struct move *move)
{
    bool passive = move->to == SALUT_STATE_CLOSE_WAIT || move->to == SALUT_STATE_LAST_ACK;
    return e->certainty == SLT_PROVED && passive && !is_second_closer(p) ? (uint8_t)SLT_ASSUMED
                                                                         : e->certainty;
}

static void record(struct play *p, const struct event *e, const struct move *move)
{
    struct slt_explain_states *out = p->out;
    int64_t place = e->order / 4;
    if (out->count == SLT_EXPLAIN_CHANGES_MAX) {
        out->left_out++;
        return;
    }
    /* Just before a packet of its own is after the one before that. */
    bool before = e->order % 4 == 3;
    uint32_t shown = before ? (uint32_t)place : (uint32_t)(place < 0 ? 0 : place);
    out->changes[out->count] = (struct slt_explain_change){
        .step = e->step,
        .shown = before || shown < e->step ? e->step : shown,
        .proof = e->proof,
        .end = p->end,
        .from = p->state,
        .to = move->to,
        .certainty = certainty_of(p, e, move),
        .why = move->why,
    };
    out->count++;
}

static void play(struct play *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const struct event *e = &p->events[i];
        struct move move = next_move(p, e);
        if (move.to == SLT_STATE_UNKNOWN) {
            continue;
        }
        record(p, e, &move);
        if (e->certainty != SLT_REFUTED) {
            p->state = move.to;
        }
    }
}

/* Both ends' changes in the order in which they are to be told; each end's own order stays. */
static void merge(struct slt_explain_states *out)
{
    for (uint32_t i = 1; i < out->count; i++) {
        struct slt_explain_change moved = out->changes[i];
        uint32_t at = i;
        while (at > 0 && out->changes[at - 1].end != moved.end &&
               out->changes[at - 1].shown > moved.shown) {
            out->changes[at] = out->changes[at - 1];
            at--;
        }
        out->changes[at] = moved;
    }
}

/* An end's changes never go back in what is shown. */
static void straighten(struct slt_explain_states *out, uint32_t from)
{
    for (uint32_t i = from + 1; i < out->count; i++) {
        if (out->changes[i].certainty != SLT_REFUTED &&
            out->changes[i].shown < out->changes[i - 1].shown &&
            out->changes[i - 1].certainty != SLT_REFUTED) {
            out->changes[i].shown = out->changes[i - 1].shown;
        }
    }
}

void slt_explain_states_of(const struct slt_explain_flow *flow, struct slt_explain_states *out)
{
    memset(out, 0, sizeof(*out));
    for (uint8_t end = 0; end < 2; end++) {
        struct play p = {.flow = flow, .out = out, .end = end};
        uint32_t from = out->count;
        p.state = first_state(flow, end);
        out->first[end] = p.state;
        collect(&p);
        play(&p);
        straighten(out, from);
        out->last[end] = p.state;
        for (uint32_t i = 0; i < p.count; i++) {
            bool reset = p.events[i].kind == SENT_RST || p.events[i].kind == TOOK_RST;
            out->gone[end] = out->gone[end] || (reset && p.events[i].certainty != SLT_REFUTED);
        }
    }
    merge(out);
}

const char *slt_certainty_name(uint8_t certainty)
{
    static const char *const names[] = {"assumed", "proved", "refuted"};
    return certainty <= SLT_REFUTED ? names[certainty] : "?";
}

const char *slt_explain_state_name(uint8_t state)
{
    return state == SLT_STATE_UNKNOWN ? "unknown" : slt_ladder_state_name(state);
}
