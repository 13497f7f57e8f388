/* Findings of the end of a connection; see explain_rules.h.
 *
 * An end that closed may wait for the other's FIN: as long as that one still sends that is what
 * half-closing is for; in silence the other's program has forgotten to close (CW-1), and the first
 * waits in FIN-WAIT-2 (FW2-1). Data for an end that has closed both ways is answered with RST
 * (HC-1).
 */
#include "observe/explain_findings.h"
#include "observe/explain_rules.h"

#define FORGOTTEN_NS (60 * SLT_NS_PER_S)
#define WAITS_NS     (5 * SLT_NS_PER_S)

/* Data came after the end's own FIN, and it answered with RST: its program had closed both ways. */
static uint32_t find_late_data(const struct slt_explain_flow *flow, uint8_t end, uint32_t rst)
{
    uint32_t fin = slt_place_find(flow, end, SLT_TCP_FIN, SLT_TCP_RST);
    if (fin == SLT_NO_STEP || rst == SLT_NO_STEP || fin > rst) {
        return SLT_NO_STEP;
    }
    for (uint32_t i = fin + 1; i < rst; i++) {
        const struct slt_explain_step *step = &flow->steps[i];
        /* Old data that comes late is answered by an acknowledgement. */
        bool fresh = slt_explain_diff(slt_explain_step_end(step), flow->end[end].acked) > 0;
        if (step->from != end && step->bytes > 0 && slt_place_counts(step) && fresh) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

bool slt_explain_answered_data(const struct slt_explain_flow *flow, uint8_t end)
{
    uint32_t rst = slt_place_find(flow, end, SLT_TCP_RST, 0);
    return find_late_data(flow, end, rst) != SLT_NO_STEP;
}

static bool answers_data(const struct slt_explain_case *c, uint8_t end,
                         struct slt_explain_clue *clue)
{
    clue->until = slt_place_find(c->flow, end, SLT_TCP_RST, 0);
    clue->at = find_late_data(c->flow, end, clue->until);
    clue->n = clue->at == SLT_NO_STEP ? 0 : c->flow->steps[clue->at].bytes;
    return clue->at != SLT_NO_STEP;
}

/* TIME-WAIT by the very segment that acknowledged the end's own FIN. */
static bool is_merged(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    const struct slt_explain_states *states = c->states;
    for (uint32_t i = 0; i < states->count; i++) {
        const struct slt_explain_change *wait = &states->changes[i];
        bool waits =
            wait->end == end && wait->to == SALUT_STATE_TIME_WAIT && wait->certainty != SLT_REFUTED;
        for (uint32_t k = 0; k < states->count && waits; k++) {
            const struct slt_explain_change *other = &states->changes[k];
            if (other->end == end && other->to == SALUT_STATE_FIN_WAIT_2 &&
                other->step == wait->step && other->certainty != SLT_REFUTED) {
                clue->at = wait->step;
                return true;
            }
        }
    }
    return false;
}

static bool is_closing(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    clue->at = slt_explain_last(c->flow, end, slt_explain_is_fin);
    clue->until = slt_explain_last(c->flow, (uint8_t)(1 - end), slt_explain_is_fin);
    return c->states->last[end] == SALUT_STATE_CLOSING && clue->at != SLT_NO_STEP;
}

/* How long `end`, whose FIN was acknowledged, heard nothing of the other, which had not closed. */
static bool waits_for_close(const struct slt_explain_case *c, uint8_t end, bool *over,
                            struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint8_t other = (uint8_t)(1 - end);
    uint32_t fin = slt_explain_first(f, end, slt_explain_is_fin);
    uint32_t theirs = slt_explain_first(f, other, slt_explain_is_fin);
    uint32_t rst = slt_min32(slt_explain_first(f, other, slt_explain_is_rst),
                             slt_explain_first(f, end, slt_explain_is_rst));
    if (fin == SLT_NO_STEP || !f->connected || (theirs != SLT_NO_STEP && theirs <= fin)) {
        return false;
    }
    uint32_t past = slt_explain_step_end(&f->steps[fin]);
    uint32_t stop = slt_min32(slt_min32(theirs, rst), f->step_count);
    uint32_t since = SLT_NO_STEP; /* it was acknowledged, or more data came */
    for (uint32_t i = fin + 1; i < stop; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        bool acks =
            step->from == other && slt_place_counts(step) && slt_explain_diff(step->ack, past) >= 0;
        since = acks && (since == SLT_NO_STEP || step->bytes > 0) ? i : since;
    }
    if (since == SLT_NO_STEP) {
        return false;
    }
    *over = stop < f->step_count;
    int64_t until_ns = *over ? slt_explain_at(f, stop) : f->watched_until_ns;
    clue->at = fin;
    clue->until = since;
    clue->ns = until_ns - slt_explain_at(f, since);
    return true;
}

/* The end that is blamed is the one that does not close. */
static bool forgets_to_close(const struct slt_explain_case *c, uint8_t end,
                             struct slt_explain_clue *clue)
{
    bool over;
    return waits_for_close(c, (uint8_t)(1 - end), &over, clue) && clue->ns >= FORGOTTEN_NS;
}

static bool waits(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    bool over;
    return c->states->last[end] == SALUT_STATE_FIN_WAIT_2 && waits_for_close(c, end, &over, clue) &&
           !over && clue->ns >= WAITS_NS;
}

const struct slt_explain_rule slt_explain_rules_closing[] = {
    {SLT_FIND_HC_1, 'A', 500, answers_data,
     "{n} bytes (packet {at}) came for {who}, whose program had closed: RST in packet {until}"},
    {SLT_FIND_CW_1, 'B', 200, forgets_to_close,
     "{other} closed in packet {at}; {who} acknowledged it (packet {until}) and did not close for "
     "{time}"},
    {SLT_FIND_FW2_1, 'A', 10, waits,
     "{who} closed in packet {at} and has waited {time} for {other} to close, since packet "
     "{until}"},
    {SLT_FIND_CLS_1, 'B', 20, is_closing,
     "the FINs of packets {at} and {until} crossed, and the one of {who} is not acknowledged"},
    {SLT_FIND_APP_2, 'A', 0, is_merged,
     "packet {at} closes and acknowledges {who}'s FIN in one: three segments instead of four"},
    {0},
};
