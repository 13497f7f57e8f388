/* Findings of an end that speaks and is not answered; see explain_rules.h.
 *
 * After the other end was heard for the last time this one repeats something. What it repeats tells
 * the finding: data (RTO-1; after a long idle time NAT-1: something on the way forgot the
 * connection), a FIN (FW1-1, and LA-1 where the other had closed before), keepalives (GH-4), probes
 * of a closed window (ZW-3). A capture that never saw the other end proves nothing.
 */
#include "observe/explain_rules.h"

#define REPEATS_LEAST    3U
#define KEEPALIVES_LEAST 2U
#define FORGOTTEN_NS     (60 * SLT_NS_PER_S) /* no box on the way forgets sooner */

static bool tell(const struct slt_explain_flow *f, const struct slt_explain_tail *tail,
                 uint32_t least, struct slt_explain_clue *clue)
{
    if (tail->heard == SLT_NO_STEP || tail->first == SLT_NO_STEP || tail->count < least ||
        !f->connected) {
        return false;
    }
    clue->at = tail->first;
    clue->until = tail->last;
    clue->n = tail->count;
    clue->ns = slt_explain_between(f, tail->heard, tail->last);
    return true;
}

/* How long nobody spoke before the step. */
static int64_t idle_before(const struct slt_explain_flow *f, uint32_t step)
{
    return step == 0 ? 0 : slt_explain_between(f, step - 1, step);
}

/* Data into silence: no FIN, no closed window, and no server that refuses what is complete. */
static bool sends_in_vain(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    struct slt_explain_tail tail = slt_explain_tail(f, end, SLT_REPEAT_DATA);
    const struct slt_explain_end *peer = &f->end[1 - end];
    struct slt_explain_clue large = {.at = SLT_NO_STEP};
    if (!tell(f, &tail, REPEATS_LEAST, clue) || f->end[end].fin_seen || peer->window == 0 ||
        peer->marks[SLT_MARK_SYN_AGAIN] > 0 || peer->reset ||
        slt_explain_is_too_large(c, end, &large)) {
        return false;
    }
    clue->m = f->steps[tail.first].bytes;
    return true;
}

static bool is_dead(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    return sends_in_vain(c, end, clue) && idle_before(c->flow, clue->at) < FORGOTTEN_NS;
}

static bool is_forgotten(const struct slt_explain_case *c, uint8_t end,
                         struct slt_explain_clue *clue)
{
    if (!sends_in_vain(c, end, clue)) {
        return false;
    }
    clue->ns = idle_before(c->flow, clue->at);
    return clue->ns >= FORGOTTEN_NS;
}

static bool probes_in_vain(const struct slt_explain_case *c, uint8_t end,
                           struct slt_explain_clue *clue)
{
    struct slt_explain_tail tail = slt_explain_tail(c->flow, end, SLT_REPEAT_PROBE);
    return c->flow->end[1 - end].window == 0 && tell(c->flow, &tail, REPEATS_LEAST, clue);
}

static bool asks_in_vain(const struct slt_explain_case *c, uint8_t end,
                         struct slt_explain_clue *clue)
{
    struct slt_explain_tail tail = slt_explain_tail(c->flow, end, SLT_REPEAT_KEEPALIVE);
    return tell(c->flow, &tail, KEEPALIVES_LEAST, clue);
}

/* Its FIN, or data that the FIN stands behind. */
static bool closes_in_vain(const struct slt_explain_case *c, uint8_t end, uint8_t state,
                           struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    struct slt_explain_tail fin = slt_explain_tail(f, end, SLT_REPEAT_FIN);
    struct slt_explain_tail data = slt_explain_tail(f, end, SLT_REPEAT_DATA);
    const struct slt_explain_tail *tail = fin.count >= data.count ? &fin : &data;
    bool there = false;
    for (uint32_t i = 0; i < c->states->count; i++) {
        const struct slt_explain_change *change = &c->states->changes[i];
        bool stands = change->end == end && change->certainty != SLT_REFUTED;
        /* Where the FINs crossed it is CLS-1. */
        there = stands && change->to == SALUT_STATE_CLOSING ? false : there;
        there = there || (stands && change->to == state);
    }
    return f->end[end].fin_seen && there && f->end[1 - end].window > 0 &&
           tell(f, tail, REPEATS_LEAST, clue);
}

static bool closes_first_in_vain(const struct slt_explain_case *c, uint8_t end,
                                 struct slt_explain_clue *clue)
{
    return closes_in_vain(c, end, SALUT_STATE_FIN_WAIT_1, clue);
}

static bool closes_last_in_vain(const struct slt_explain_case *c, uint8_t end,
                                struct slt_explain_clue *clue)
{
    return closes_in_vain(c, end, SALUT_STATE_LAST_ACK, clue);
}

const struct slt_explain_rule slt_explain_rules_silence[] = {
    {SLT_FIND_RTO_1, 'B', 400, is_dead,
     "{m} bytes of {who} (packet {at}) were sent again {n} times, the last in packet {until}; "
     "nothing was heard of {other} for {time}"},
    {SLT_FIND_NAT_1, 'B', 400, is_forgotten,
     "after {time} of silence {who} sent {m} bytes (packet {at}) and sent them again {n} times, "
     "the last in packet {until}; {other} is not heard any more, not even with RST"},
    {SLT_FIND_ZW_3, 'B', 450, probes_in_vain,
     "{other} closed its window, and {n} probes of {who} (packets {at} to {until}) stay "
     "unanswered for {time}"},
    {SLT_FIND_GH_4, 'A', 300, asks_in_vain,
     "{n} keepalives of {who} (packets {at} to {until}) stay unanswered for {time}"},
    {SLT_FIND_FW1_1, 'B', 200, closes_first_in_vain,
     "{who} closed first (packet {at}) and repeated that {n} times, the last in packet {until}; "
     "nothing was heard of {other} for {time}"},
    {SLT_FIND_LA_1, 'B', 150, closes_last_in_vain,
     "{who} closed last (packet {at}) and repeated that {n} times, the last in packet {until}; "
     "nothing was heard of {other} for {time}"},
    {0},
};
