/* See past.h. */
#include "observe/past.h"

#include <stdlib.h>
#include <string.h>

bool slt_past_add(struct slt_past *past, const struct slt_recorded *conn)
{
    if (past->count == past->room) {
        size_t room = past->room == 0 ? 256 : past->room * 2;
        struct slt_recorded *items = realloc(past->items, room * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        past->items = items;
        past->room = room;
    }
    past->items[past->count++] = *conn;
    return true;
}

void slt_past_free(struct slt_past *past)
{
    free(past->items);
    *past = (struct slt_past){.items = NULL};
}

const struct slt_recorded_change *slt_past_find(const struct slt_recorded *c, uint64_t causes,
                                                uint32_t from)
{
    uint32_t kept = c->change_count < SLT_RECORDED_MAX ? c->change_count : SLT_RECORDED_MAX;
    for (uint32_t i = 1; i <= kept; i++) {
        const struct slt_recorded_change *change =
            &c->changes[(c->change_count - i) % SLT_RECORDED_MAX];
        if ((causes & UINT64_C(1) << change->cause) != 0 &&
            (from == 0 || (from & 1U << change->from) != 0)) {
            return change;
        }
    }
    return NULL;
}

void slt_past_seen(const struct slt_past *past, const struct slt_recorded *c, struct slt_seen *seen)
{
    slt_seen_init(seen, SLT_SOURCE_KERNEL);
    seen->kind = c->stands == SALUT_STATE_LISTEN ? SLT_SEEN_LISTENER : SLT_SEEN_CONN;
    seen->state = c->stands;
    seen->family = c->family;
    seen->instance = c->netns;
    seen->local = c->local;
    seen->remote = c->remote;
    seen->local_port = c->local_port;
    seen->remote_port = c->remote_port;
    seen->pid = c->pid;
    seen->passive = c->passive;
    seen->retransmits = c->retransmits;
    seen->bytes_sent = c->bytes_sent;
    seen->bytes_received = c->bytes_received;
    memcpy(seen->program, c->program, sizeof(seen->program));
    if (c->pid != SLT_UNKNOWN) {
        seen->owner = SLT_OWNER_REMEMBERED;
    }
    if (c->change_count > 0) {
        seen->cause = c->changes[(c->change_count - 1) % SLT_RECORDED_MAX].cause;
    }
    if (c->since_ns != 0 && past->now_ns >= c->since_ns) {
        seen->age = (struct slt_seen_span){past->now_ns - c->since_ns, SLT_SPAN_EXACT};
    }
}
