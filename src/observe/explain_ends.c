/* See explain_ends.h.
 *
 * For each end the few events that change states, in the end's own order (explain_events.h), are
 * played to RFC 9293's machine.
 */
#include "observe/explain_ends.h"

#include "observe/explain_events.h"
#include "observe/seen.h"
#include "salut/types.h"

struct play {
    struct slt_explain_states *out;
    uint8_t state;
    struct slt_end_events events;
};

struct move {
    uint8_t to; /* SLT_STATE_UNKNOWN: none */
    const char *why;
};

static const struct move no_move = {SLT_STATE_UNKNOWN, ""};
/* ---- the machine ---------------------------------------------------------------------------- */

static struct move move_open(uint8_t state, enum slt_end_event_kind kind, bool with_ack)
{
    if (kind == SLT_SENT_SYN && state == SALUT_STATE_CLOSED) {
        return (struct move){SALUT_STATE_SYN_SENT, "its program opened the connection"};
    }
    if (kind == SLT_SENT_SYN_ACK && (state == SALUT_STATE_LISTEN || state == SALUT_STATE_SYN_SENT ||
                                     state == SALUT_STATE_CLOSED)) {
        return (struct move){SALUT_STATE_SYN_RECEIVED, "it answers a SYN"};
    }
    if (kind == SLT_TOOK_SYN && state == SALUT_STATE_LISTEN) {
        return (struct move){SALUT_STATE_SYN_RECEIVED, "a SYN arrived for a listener"};
    }
    if (kind == SLT_TOOK_SYN && state == SALUT_STATE_SYN_SENT) {
        return with_ack
                   ? (struct move){SALUT_STATE_ESTABLISHED, "the SYN,ACK answers its SYN"}
                   : (struct move){SALUT_STATE_SYN_RECEIVED, "the other end's SYN crossed its own"};
    }
    if (kind == SLT_SYN_ACKED && state == SALUT_STATE_SYN_RECEIVED) {
        return (struct move){SALUT_STATE_ESTABLISHED, "its SYN was acknowledged"};
    }
    if (kind == SLT_SENT_DATA && (state == SALUT_STATE_SYN_RECEIVED ||
                                  state == SALUT_STATE_SYN_SENT || state == SALUT_STATE_LISTEN)) {
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

static struct move next_move(const struct play *p, const struct slt_end_event *e)
{
    const struct slt_explain_step *step = &p->events.flow->steps[e->step];
    switch ((enum slt_end_event_kind)e->kind) {
    case SLT_SENT_FIN:
        return move_sent_fin(p->state);
    case SLT_TOOK_FIN:
        return move_took_fin(p->state);
    case SLT_FIN_ACKED:
        return move_fin_acked(p->state);
    case SLT_SENT_RST:
    case SLT_TOOK_RST:
        return move_reset(p->state, e->kind == SLT_SENT_RST);
    case SLT_SENT_SYN:
    case SLT_SENT_SYN_ACK:
    case SLT_SENT_DATA:
    case SLT_TOOK_SYN:
    case SLT_SYN_ACKED:
        break;
    }
    return move_open(p->state, (enum slt_end_event_kind)e->kind, (step->flags & SLT_TCP_ACK) != 0);
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
    uint32_t fin = slt_place_find(p->events.flow, p->events.end, SLT_TCP_FIN, SLT_TCP_RST);
    uint32_t other = (uint32_t)(p->events.end == 0 ? 1 : 0);
    uint32_t theirs = slt_place_find(p->events.flow, (uint8_t)other, SLT_TCP_FIN, SLT_TCP_RST);
    for (uint32_t i = theirs; i < p->events.flow->step_count; i++) {
        /* With data still to be sent its program may have closed long before. */
        if (p->events.flow->steps[i].from == p->events.end && p->events.flow->steps[i].bytes > 0) {
            return false;
        }
    }
    if (fin == SLT_NO_STEP || theirs == SLT_NO_STEP) {
        return true;
    }
    uint32_t past = slt_explain_step_end(&p->events.flow->steps[theirs]);
    uint32_t own = slt_explain_step_end(&p->events.flow->steps[fin]);
    for (uint32_t i = theirs + 1; i <= fin; i++) {
        const struct slt_explain_step *step = &p->events.flow->steps[i];
        /* A bare segment stands behind all that was sent (RFC 9293 3.10.7.4). */
        bool bare = slt_explain_step_end(step) == step->seq && step->seq == own - 1;
        bool first = bare || (i == fin && step->direction == SLT_CAPTURE_OUTBOUND);
        if (first && step->from == p->events.end && slt_place_counts(step) &&
            (step->flags & SLT_TCP_ACK) != 0 && slt_explain_diff(step->ack, past) >= 0) {
            return true;
        }
    }
    return false;
}

static uint8_t certainty_of(const struct play *p, const struct slt_end_event *e,
                            const struct move *move)
{
    bool passive = move->to == SALUT_STATE_CLOSE_WAIT || move->to == SALUT_STATE_LAST_ACK;
    return e->certainty == SLT_PROVED && passive && !is_second_closer(p) ? (uint8_t)SLT_ASSUMED
                                                                         : e->certainty;
}

static void record(struct play *p, const struct slt_end_event *e, const struct move *move)
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
        .end = p->events.end,
        .from = p->state,
        .to = move->to,
        .certainty = certainty_of(p, e, move),
        .why = move->why,
    };
    out->count++;
}

static void play(struct play *p)
{
    for (uint32_t i = 0; i < p->events.count; i++) {
        const struct slt_end_event *e = &p->events.list[i];
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
        struct play p = {.out = out};
        uint32_t from = out->count;
        p.state = first_state(flow, end);
        out->first[end] = p.state;
        slt_end_events_collect(flow, end, &p.events);
        play(&p);
        straighten(out, from);
        out->last[end] = p.state;
        for (uint32_t i = 0; i < p.events.count; i++) {
            bool reset =
                p.events.list[i].kind == SLT_SENT_RST || p.events.list[i].kind == SLT_TOOK_RST;
            out->gone[end] = out->gone[end] || (reset && p.events.list[i].certainty != SLT_REFUTED);
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
    return state == SLT_STATE_UNKNOWN ? "unknown" : slt_seen_rfc_name((enum salut_state)state);
}
