/* See explain_findings.h. Each rule names what the capture shows by itself; what several causes can
 * show alike is described in words and gets no id.
 */
#include "observe/explain_findings.h"

#include "observe/explain_mark.h"
#include "observe/explain_place.h"
#include "salut/types.h"

#define SHARE_LARGE 50 /* per cent of the time */

static void add(struct slt_verdict *v, const char *id, uint32_t weight)
{
    v->score += weight;
    if (v->finding_count < SLT_VERDICT_FINDINGS_MAX) {
        v->findings[v->finding_count] = id;
        v->finding_count++;
    }
}

static uint32_t marks(const struct slt_explain_flow *flow, enum slt_explain_mark mark)
{
    return flow->end[0].marks[mark] + flow->end[1].marks[mark];
}

static bool is_large(const struct slt_explain_flow *flow, enum slt_explain_bucket bucket)
{
    int64_t all_ns = flow->last_at_ns - flow->first_at_ns;
    return all_ns > 0 && flow->bucket_ns[bucket] > all_ns / 100 * SHARE_LARGE;
}

static void find_opening(const struct slt_explain_flow *flow, struct slt_verdict *v)
{
    if (v->ended == SLT_ENDED_REFUSED) {
        add(v, "SYN-3", 800);
    }
    if (flow->connected && flow->end[0].marks[SLT_MARK_SYN_AGAIN] > 0) {
        add(v, "SYN-4", 200);
    }
    bool challenged = flow->end[1].marks[SLT_MARK_CHALLENGE_ACK] > 0;
    if (flow->before != NULL && challenged && flow->end[0].reset) {
        add(v, "TW-4", 300);
    }
}

static void find_window(const struct slt_explain_flow *flow, struct slt_verdict *v)
{
    if (marks(flow, SLT_MARK_WINDOW_PROBE) > 0) {
        add(v, "ZW-1", 400);
    }
}

static void find_capture(const struct slt_explain_flow *flow, struct slt_verdict *v)
{
    const struct slt_explain_end *a = &flow->end[0];
    const struct slt_explain_end *b = &flow->end[1];
    if ((a->packets == 0) != (b->packets == 0) && v->ended != SLT_ENDED_UNANSWERED) {
        add(v, "ASYM-1", 20);
    }
    if (a->copies_seen + b->copies_seen > 0) {
        add(v, "CAP-1", 10);
    }
    if (a->unseen + b->unseen > 0) {
        add(v, "CAP-2", 10);
    }
    if (a->offloaded + b->offloaded > 0) {
        add(v, "CAP-3", 0);
    }
}

/* Data came after the end's own FIN, and it answered with RST: its program had closed both ways. */
bool slt_explain_answered_data(const struct slt_explain_flow *flow, uint8_t end)
{
    uint32_t fin = slt_place_find(flow, end, SLT_TCP_FIN, SLT_TCP_RST);
    uint32_t rst = slt_place_find(flow, end, SLT_TCP_RST, 0);
    if (fin == SLT_NO_STEP || rst == SLT_NO_STEP || fin > rst) {
        return false;
    }
    for (uint32_t i = fin + 1; i < rst; i++) {
        const struct slt_explain_step *step = &flow->steps[i];
        if (step->from != end && step->bytes > 0 && slt_place_counts(step)) {
            return true;
        }
    }
    return false;
}

/* TIME-WAIT by the very segment that acknowledged the end's own FIN. */
static bool is_merged(const struct slt_explain_states *states,
                      const struct slt_explain_change *change)
{
    for (uint32_t i = 0; i < states->count; i++) {
        const struct slt_explain_change *c = &states->changes[i];
        if (c->end == change->end && c->to == SALUT_STATE_FIN_WAIT_2 && c->step == change->step &&
            c->certainty != SLT_REFUTED) {
            return true;
        }
    }
    return false;
}

static void find_closing(const struct slt_explain_flow *flow,
                         const struct slt_explain_states *states, struct slt_verdict *v)
{
    if (slt_explain_answered_data(flow, 0) || slt_explain_answered_data(flow, 1)) {
        add(v, "HC-1", 500);
    }
    for (uint32_t i = 0; i < flow->step_count; i++) {
        const struct slt_explain_step *step = &flow->steps[i];
        if ((step->flags & SLT_TCP_RST) != 0 && step->bytes > 0) {
            add(v, "RST-10", 10);
            break;
        }
    }
    bool merged = false;
    bool closing = false;
    for (uint32_t i = 0; i < states->count; i++) {
        const struct slt_explain_change *c = &states->changes[i];
        bool stands = c->certainty != SLT_REFUTED;
        merged = merged || (stands && c->to == SALUT_STATE_TIME_WAIT && is_merged(states, c));
        closing = closing || (stands && c->to == SALUT_STATE_CLOSING);
    }
    if (merged) {
        add(v, "APP-2", 0);
    }
    bool stuck = states->last[0] == SALUT_STATE_CLOSING || states->last[1] == SALUT_STATE_CLOSING;
    if (closing && stuck) {
        add(v, "CLS-1", 20);
    }
}

static void find_time(const struct slt_explain_flow *flow, struct slt_verdict *v)
{
    if (is_large(flow, SLT_BUCKET_SERVER)) {
        add(v, "SRV-1", 30);
    }
    if (is_large(flow, SLT_BUCKET_CLIENT)) {
        add(v, "CLI-1", 5);
    }
}

void slt_explain_find(const struct slt_explain_flow *flow, const struct slt_explain_states *states,
                      struct slt_verdict *verdict)
{
    static const uint32_t weights[] = {0, 900, 0, 50, 0, 600};
    uint32_t again = slt_explain_again_count(flow);
    verdict->score = weights[verdict->ended] + (again > 500 ? 500 : again);
    find_opening(flow, verdict);
    find_window(flow, verdict);
    find_closing(flow, states, verdict);
    find_time(flow, verdict);
    find_capture(flow, verdict);
}
