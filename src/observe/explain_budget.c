/* The time budget; see explain_track.h. */
#include "observe/explain_track.h"

#include "base/time.h"
#include "observe/explain_mark.h"

#define DELAYED_ACK_NS (20 * SLT_NS_PER_MS)
#define FEW_BYTES      3000U /* two segments: what a delayed acknowledgement may wait for */

static const char *const texts[SLT_BUCKET_COUNT] = {
    "connecting",
    "the client's program",
    "the server's program",
    "the path (round trips)",
    "sending data",
    "the receiver's window",
    "a closed window",
    "loss recovery",
    "delayed acknowledgements",
    "half closed, waiting",
    "closing",
};

static const char *const names[SLT_BUCKET_COUNT] = {
    "connect",     "client",   "server",      "path",        "transfer", "window",
    "zero_window", "recovery", "delayed_ack", "half_closed", "close",
};

const char *slt_explain_bucket_text(enum slt_explain_bucket bucket)
{
    return texts[bucket];
}

const char *slt_explain_bucket_name(enum slt_explain_bucket bucket)
{
    return names[bucket];
}

static uint32_t outstanding(const struct slt_explain_flow *flow, uint8_t end)
{
    const struct slt_explain_end *me = &flow->end[end];
    const struct slt_explain_end *peer = &flow->end[1 - end];
    int32_t bytes = peer->has_acked ? slt_explain_diff(me->end, peer->acked) : 0;
    return me->seen && bytes > 0 ? (uint32_t)bytes : 0;
}

static bool window_is_closed(const struct slt_explain_flow *flow)
{
    const struct slt_explain_end *a = &flow->end[0];
    const struct slt_explain_end *b = &flow->end[1];
    return (a->has_acked && a->window == 0) || (b->has_acked && b->window == 0);
}

/* Nothing is under way: somebody's program is waited for, or, where the capture is far from the
 * speaker, an acknowledgement on its way to it. */
static enum slt_explain_bucket bucket_of_silence(const struct slt_explain_flow *flow,
                                                 const struct slt_explain_step *step, bool *split)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    if (me->fin_seen || peer->fin_seen) {
        return SLT_BUCKET_HALF_CLOSED;
    }
    /* Who closes an idle connection has waited for the other's next word. */
    bool speaks = step->bytes > 0 && step->mark == SLT_MARK_NONE;
    uint8_t who = step->from;
    if (!speaks) {
        who = flow->end[0].last_data_at_ns > flow->end[1].last_data_at_ns ? 1 : 0;
    }
    bool goes_on = speaks && me->last_data_at_ns > peer->last_data_at_ns && me->delay_ns > 0 &&
                   step->at_ns - me->last_data_at_ns <= me->delay_ns + me->delay_ns / 4;
    if (goes_on) {
        return SLT_BUCKET_TRANSFER;
    }
    *split = speaks && flow->last_from != step->from;
    return who == 0 ? SLT_BUCKET_CLIENT : SLT_BUCKET_SERVER;
}

/* What the step's sender was sent is under way; the step answers it. */
static enum slt_explain_bucket bucket_of_answer(const struct slt_explain_flow *flow,
                                                const struct slt_explain_step *step, bool *split)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    uint32_t under_way = outstanding(flow, (uint8_t)(1 - step->from));
    int64_t delay_ns = me->delay_ns > 0 ? me->delay_ns : 0;
    bool late = step->at_ns - peer->last_data_at_ns > delay_ns + DELAYED_ACK_NS;
    if (peer->seen && me->window > 0 && under_way >= me->window) {
        return SLT_BUCKET_WINDOW;
    }
    if (step->bytes > 0 && under_way <= FEW_BYTES) {
        *split = true;
        return step->from == 0 ? SLT_BUCKET_CLIENT : SLT_BUCKET_SERVER;
    }
    if (late && under_way <= FEW_BYTES) {
        *split = true;
        return SLT_BUCKET_DELAYED_ACK;
    }
    return under_way > FEW_BYTES ? SLT_BUCKET_TRANSFER : SLT_BUCKET_PATH;
}

/* `split`: the path's share comes first. */
static enum slt_explain_bucket bucket_of(const struct slt_explain_flow *flow,
                                         const struct slt_explain_step *step, bool *split)
{
    const struct slt_explain_end *a = &flow->end[0];
    const struct slt_explain_end *b = &flow->end[1];
    if (!flow->connected) {
        return SLT_BUCKET_CONNECT;
    }
    if (a->reset || b->reset || (a->fin_seen && b->fin_seen)) {
        return SLT_BUCKET_CLOSE;
    }
    if (window_is_closed(flow)) {
        return SLT_BUCKET_ZERO_WINDOW;
    }
    if (slt_explain_is_again(step->mark)) {
        return SLT_BUCKET_RECOVERY;
    }
    if (outstanding(flow, (uint8_t)(1 - step->from)) > 0) {
        return bucket_of_answer(flow, step, split);
    }
    if (outstanding(flow, step->from) > 0) {
        const struct slt_explain_end *peer = &flow->end[1 - step->from];
        return outstanding(flow, step->from) >= peer->window ? SLT_BUCKET_WINDOW
                                                             : SLT_BUCKET_TRANSFER;
    }
    return bucket_of_silence(flow, step, split);
}

void slt_explain_budget(struct slt_explain_flow *flow, const struct slt_explain_step *step)
{
    int64_t gap_ns = step->at_ns - flow->last_at_ns;
    bool split = false;
    if (flow->packets == 0 || gap_ns <= 0) {
        return;
    }
    enum slt_explain_bucket bucket = bucket_of(flow, step, &split);
    int64_t delay_ns = flow->end[step->from].delay_ns;
    if (split && delay_ns > 0) {
        int64_t path_ns = gap_ns < delay_ns ? gap_ns : delay_ns;
        flow->bucket_ns[SLT_BUCKET_PATH] += path_ns;
        gap_ns -= path_ns;
    }
    flow->bucket_ns[bucket] += gap_ns;
}
