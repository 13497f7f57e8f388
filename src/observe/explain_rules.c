/* See explain_rules.h: looking through the steps of a flow. */
#include "observe/explain_rules.h"

uint32_t slt_explain_first(const struct slt_explain_flow *flow, uint8_t end,
                           bool (*is)(const struct slt_explain_step *step))
{
    for (uint32_t i = 0; i < flow->step_count; i++) {
        const struct slt_explain_step *step = &flow->steps[i];
        if (step->from == end && slt_place_counts(step) && is(step)) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

uint32_t slt_explain_last(const struct slt_explain_flow *flow, uint8_t end,
                          bool (*is)(const struct slt_explain_step *step))
{
    for (uint32_t i = flow->step_count; i > 0; i--) {
        const struct slt_explain_step *step = &flow->steps[i - 1];
        if (step->from == end && slt_place_counts(step) && is(step)) {
            return i - 1;
        }
    }
    return SLT_NO_STEP;
}

static bool is_repeat(const struct slt_explain_step *step, enum slt_explain_repeat repeat)
{
    switch (repeat) {
    case SLT_REPEAT_DATA:
        return step->bytes > 0 && slt_explain_is_again(step->mark);
    case SLT_REPEAT_FIN:
        return slt_explain_is_fin(step) && slt_explain_is_again(step->mark);
    case SLT_REPEAT_KEEPALIVE:
        return step->mark == SLT_MARK_KEEPALIVE;
    case SLT_REPEAT_PROBE:
        return step->mark == SLT_MARK_WINDOW_PROBE;
    }
    return false;
}

/* What is repeated, the first time. */
static bool is_original(const struct slt_explain_step *step, enum slt_explain_repeat repeat)
{
    return repeat == SLT_REPEAT_DATA  ? slt_explain_is_data(step)
           : repeat == SLT_REPEAT_FIN ? slt_explain_is_fin(step)
                                      : is_repeat(step, repeat);
}

struct slt_explain_tail slt_explain_tail(const struct slt_explain_flow *flow, uint8_t end,
                                         enum slt_explain_repeat repeat)
{
    struct slt_explain_tail tail = {
        .heard = slt_explain_last(flow, (uint8_t)(1 - end), slt_explain_is_any),
        .first = SLT_NO_STEP,
        .last = SLT_NO_STEP};
    uint32_t from = tail.heard == SLT_NO_STEP ? flow->step_count : tail.heard + 1;
    for (uint32_t i = from; i < flow->step_count; i++) {
        const struct slt_explain_step *step = &flow->steps[i];
        if (step->from != end || !slt_place_counts(step)) {
            continue;
        }
        if (is_original(step, repeat) && tail.first == SLT_NO_STEP) {
            tail.first = i;
        }
        if (is_repeat(step, repeat)) {
            tail.last = i;
            tail.count++;
        }
    }
    return tail;
}
