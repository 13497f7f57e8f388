/* Findings of the capture itself, which are no faults of the connection; see explain_rules.h.
 */
#include "observe/explain_rules.h"

/* The first step of the end with a note. */
static uint32_t find_note(const struct slt_explain_flow *f, uint8_t end, uint16_t note)
{
    for (uint32_t i = 0; i < f->step_count; i++) {
        if (f->steps[i].from == end && (f->steps[i].notes & note) != 0) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

/* `end` was never captured, but what it has sent was acknowledged, or it cannot have been silent.
 */
static bool is_one_sided(const struct slt_explain_case *c, uint8_t end,
                         struct slt_explain_clue *clue)
{
    clue->n = c->flow->end[1 - end].packets;
    return c->flow->end[end].packets == 0 && clue->n > 0 &&
           c->verdict->ended != SLT_ENDED_UNANSWERED;
}

static bool is_copied(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    clue->at = find_note(c->flow, end, SLT_REMARK_COPY);
    clue->n = c->flow->end[end].copies_seen;
    return clue->n > 0;
}

/* The acknowledgements of `end` cover what the capture does not hold. */
static bool is_missed(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    clue->at = find_note(c->flow, end, SLT_REMARK_UNSEEN);
    clue->n = c->flow->end[end].unseen;
    return clue->n > 0;
}

static bool is_offloaded(const struct slt_explain_case *c, uint8_t end,
                         struct slt_explain_clue *clue)
{
    clue->at = find_note(c->flow, end, SLT_REMARK_OFFLOADED);
    clue->n = c->flow->end[end].offloaded;
    clue->m = c->flow->end[end].mss_seen;
    return clue->n > 0;
}

const struct slt_explain_rule slt_explain_rules_capture[] = {
    {SLT_FIND_ASYM_1, 'A', 20, is_one_sided,
     "no packet of {who} was captured, {n} of {other} were"},
    {SLT_FIND_CAP_1, 'A', 10, is_copied,
     "{n} packets of {who} were captured twice, the first is packet {at}"},
    {SLT_FIND_CAP_2, 'A', 10, is_missed,
     "{n} acknowledgements of {who} cover what was not captured, the first is packet {at}"},
    {SLT_FIND_CAP_3, 'A', 0, is_offloaded,
     "{n} packets of {who} are longer than {other} takes, up to {m} bytes: cut below the capture, "
     "the first is packet {at}"},
    {0},
};
