/* Events and counts of this floor: frames that end here, entries that are no connections, and
 * segments sent without one. What happens to connections is told by the engine.
 */
#include "stack/stack.h"

void slt_stack_drop(struct salut_stack *stack, enum slt_reason why)
{
    struct slt_event event = {.at_ns = stack->now_ns,
                              .object = SLT_NIL,
                              .kind = SLT_EVENT_DROPPED,
                              .reason = (uint8_t)why};
    SLT_ASSERT(why != SLT_PASS);
    slt_emit(stack->telemetry, &event);
}

void slt_stack_drop_segment(struct salut_stack *stack, const struct slt_rx_item *item,
                            enum slt_reason why)
{
    struct slt_event event = {.at_ns = stack->now_ns,
                              .object = SLT_NIL,
                              .kind = SLT_EVENT_DROPPED,
                              .reason = (uint8_t)why,
                              .flags = (uint8_t)item->seg.flags,
                              .local_port = item->id.local_port,
                              .remote_port = item->id.remote_port,
                              .bytes = item->seg.payload_bytes};
    SLT_ASSERT(why != SLT_PASS);
    slt_emit(stack->telemetry, &event);
}

void slt_stack_tell_segment(struct salut_stack *stack, const struct slt_rx_item *item,
                            enum slt_reason why)
{
    enum slt_reason_category category = slt_reason_category(why);
    if (category == SLT_CATEGORY_DROP) {
        slt_stack_drop_segment(stack, item, why);
    } else if (category == SLT_CATEGORY_NOTE) {
        slt_stack_note(stack, why);
    }
}

void slt_stack_note(struct salut_stack *stack, enum slt_reason why)
{
    slt_count(stack->telemetry, why);
}

void slt_stack_tell(struct salut_stack *stack, enum slt_reason why)
{
    enum slt_reason_category category = slt_reason_category(why);
    if (category == SLT_CATEGORY_DROP) {
        slt_stack_drop(stack, why);
    } else if (category == SLT_CATEGORY_NOTE) {
        slt_stack_note(stack, why);
    }
}

void slt_stack_emit_half_open(struct salut_stack *stack, uint32_t index, enum salut_state to,
                              enum slt_reason why)
{
    enum salut_state from =
        to == SALUT_STATE_SYN_RECEIVED ? SALUT_STATE_LISTEN : SALUT_STATE_SYN_RECEIVED;
    const struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    struct slt_event event = {.at_ns = stack->now_ns,
                              .object = index,
                              .kind = SLT_EVENT_STATE,
                              .object_kind = SLT_OBJECT_HALF_OPEN,
                              .reason = (uint8_t)why,
                              .from = (uint8_t)from,
                              .to = (uint8_t)to,
                              .local_port = h->id.local_port,
                              .remote_port = h->id.remote_port,
                              .seq_pos = 1,
                              .ack_pos = 1};
    slt_emit(stack->telemetry, &event);
}

void slt_stack_emit_listener(struct salut_stack *stack, uint32_t index, enum salut_state to,
                             enum slt_reason why)
{
    const struct slt_listener *l = slt_listener_at(stack, index);
    bool opens = to == SALUT_STATE_LISTEN;
    struct slt_event event = {.at_ns = stack->now_ns,
                              .object = index,
                              .generation = l->generation,
                              .kind = SLT_EVENT_STATE,
                              .object_kind = SLT_OBJECT_LISTENER,
                              .reason = (uint8_t)why,
                              .from = opens ? SALUT_STATE_CLOSED : SALUT_STATE_LISTEN,
                              .to = (uint8_t)to,
                              .local_port = l->port};
    slt_emit(stack->telemetry, &event);
}

void slt_stack_emit_wait_end(struct salut_stack *stack, uint32_t index, enum slt_reason why)
{
    const struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
    struct slt_event event = {.at_ns = stack->now_ns,
                              .object = index,
                              .kind = SLT_EVENT_STATE,
                              .object_kind = SLT_OBJECT_TIME_WAIT,
                              .reason = (uint8_t)why,
                              .from = SALUT_STATE_TIME_WAIT,
                              .to = SALUT_STATE_CLOSED,
                              .local_port = tw->id.local_port,
                              .remote_port = tw->id.remote_port};
    slt_emit(stack->telemetry, &event);
}

void slt_stack_emit_reply(struct salut_stack *stack, const struct slt_tcp_reply *reply)
{
    struct slt_event event = {.at_ns = stack->now_ns,
                              .object = SLT_NIL,
                              .kind = SLT_EVENT_SENT,
                              .reason = (uint8_t)reply->why,
                              .flags = (uint8_t)reply->flags,
                              .local_port = reply->id.local_port,
                              .remote_port = reply->id.remote_port,
                              .window = reply->window};
    slt_emit(stack->telemetry, &event);
}
