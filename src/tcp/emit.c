/* Events of the engine: one place that knows how a connection describes itself.
 *
 * An event costs a counter and, when a ring is kept, one 64-byte store (base/event.h).
 */
#include "tcp/engine.h"

struct slt_event *slt_tcp_emit_begin(struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                     enum slt_event_kind kind, enum slt_reason why, int64_t now_ns)
{
    struct slt_event *e = slt_event_place(tcp->telemetry, why);

    e->at_ns = now_ns;
    e->object = c->index;
    e->generation = c->place.generation;
    e->kind = (uint8_t)kind;
    e->object_kind = SLT_OBJECT_CONN;
    e->to = c->state;
    e->local_port = c->id.local_port;
    e->remote_port = c->id.remote_port;
    return e;
}

void slt_tcp_emit_state(struct slt_tcp *tcp, const struct slt_tcp_conn *c, enum salut_state from,
                        enum slt_reason why, int64_t now_ns)
{
    struct slt_event *e = slt_tcp_emit_begin(tcp, c, SLT_EVENT_STATE, why, now_ns);

    e->from = (uint8_t)from;
    e->seq_pos = c->snd.nxt;
    e->ack_pos = c->rcv.nxt;
}

void slt_tcp_emit_note(struct slt_tcp *tcp, const struct slt_tcp_conn *c, enum slt_reason note,
                       int64_t now_ns)
{
    slt_tcp_emit_begin(tcp, c, SLT_EVENT_NOTE, note, now_ns);
}
