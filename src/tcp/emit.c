/* Events of the engine: one place that knows how a connection describes itself.
 *
 * An event costs a counter and, when a ring is kept, one 64-byte store (base/event.h).
 */
#include "tcp/engine.h"

static void fill_identity(struct slt_event *e, const struct slt_tcp_conn *c, int64_t now_ns)
{
    e->at_ns = now_ns;
    e->object = c->index;
    e->generation = c->generation;
    e->object_kind = SLT_OBJECT_CONN;
    e->local_port = c->id.local_port;
    e->remote_port = c->id.remote_port;
}

void slt_tcp_emit_state(struct slt_tcp *tcp, const struct slt_tcp_conn *c, enum salut_state from,
                        enum slt_reason why, int64_t now_ns)
{
    struct slt_event e = {.kind = SLT_EVENT_STATE,
                          .reason = (uint8_t)why,
                          .from = (uint8_t)from,
                          .to = c->state,
                          .seq_pos = c->snd.nxt,
                          .ack_pos = c->rcv.nxt};

    fill_identity(&e, c, now_ns);
    slt_emit(tcp->telemetry, &e);
}

void slt_tcp_emit_segment(struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                          const struct slt_event *draft, int64_t now_ns)
{
    struct slt_event e = *draft;

    fill_identity(&e, c, now_ns);
    e.to = c->state;
    slt_emit(tcp->telemetry, &e);
}

void slt_tcp_emit_note(struct slt_tcp *tcp, const struct slt_tcp_conn *c, enum slt_reason note,
                       int64_t now_ns)
{
    struct slt_event e = {.kind = SLT_EVENT_NOTE, .reason = (uint8_t)note, .to = c->state};

    fill_identity(&e, c, now_ns);
    slt_emit(tcp->telemetry, &e);
}
