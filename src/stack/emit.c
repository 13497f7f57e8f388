/* Events and counts of this floor: frames that end here, entries that are no connections, and
 * segments sent without one. What happens to connections is told by the engine.
 */
#include "stack/stack.h"

/* The next event, about no object yet. It is filled in where it lies: one that is made elsewhere
 * and copied would have to be read back while its parts are still on their way to the cache. */
static struct slt_event *begin(struct salut_stack *stack, enum slt_event_kind kind,
                               enum slt_reason why)
{
    struct slt_event *e = slt_event_place(stack->telemetry, why);
    e->at_ns = stack->now_ns;
    e->object = SLT_NIL;
    e->kind = (uint8_t)kind;
    return e;
}

static void tell_ports(struct slt_event *e, const struct slt_tcp_id *id)
{
    e->local_port = id->local_port;
    e->remote_port = id->remote_port;
}

void slt_stack_drop(struct salut_stack *stack, enum slt_reason why)
{
    SLT_ASSERT(why != SLT_PASS);
    begin(stack, SLT_EVENT_DROPPED, why);
}

void slt_stack_drop_segment(struct salut_stack *stack, const struct slt_rx_item *item,
                            enum slt_reason why)
{
    SLT_ASSERT(why != SLT_PASS);
    struct slt_event *e = begin(stack, SLT_EVENT_DROPPED, why);
    e->flags = (uint8_t)item->seg.flags;
    e->bytes = item->seg.payload_bytes;
    tell_ports(e, &item->id);
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
    bool opens = to == SALUT_STATE_SYN_RECEIVED;
    struct slt_event *e = begin(stack, SLT_EVENT_STATE, why);
    e->object = index;
    e->object_kind = SLT_OBJECT_HALF_OPEN;
    e->from = opens ? SALUT_STATE_LISTEN : SALUT_STATE_SYN_RECEIVED;
    e->to = (uint8_t)to;
    e->seq_pos = 1;
    e->ack_pos = 1;
    tell_ports(e, &slt_half_open_at(stack, index)->id);
}

void slt_stack_emit_listener(struct salut_stack *stack, uint32_t index, enum salut_state to,
                             enum slt_reason why)
{
    const struct slt_listener *l = slt_listener_at(stack, index);
    bool opens = to == SALUT_STATE_LISTEN;
    struct slt_event *e = begin(stack, SLT_EVENT_STATE, why);
    e->object = index;
    e->generation = l->generation;
    e->object_kind = SLT_OBJECT_LISTENER;
    e->from = opens ? SALUT_STATE_CLOSED : SALUT_STATE_LISTEN;
    e->to = (uint8_t)to;
    e->local_port = l->port;
}

void slt_stack_emit_wait_end(struct salut_stack *stack, uint32_t index, enum slt_reason why)
{
    struct slt_event *e = begin(stack, SLT_EVENT_STATE, why);
    e->object = index;
    e->object_kind = SLT_OBJECT_TIME_WAIT;
    e->from = SALUT_STATE_TIME_WAIT;
    e->to = SALUT_STATE_CLOSED;
    tell_ports(e, &slt_wait_at(stack, index)->id);
}

void slt_stack_emit_reply(struct salut_stack *stack, const struct slt_tcp_reply *reply)
{
    struct slt_event *e = begin(stack, SLT_EVENT_SENT, reply->why);
    e->flags = (uint8_t)reply->flags;
    e->window = reply->window;
    tell_ports(e, &reply->id);
}
