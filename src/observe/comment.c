/* See comment.h. */
#include "observe/comment.h"

#include "observe/glimpse.h"
#include "observe/seen.h"
#include "sock/inside.h"

#include <stdio.h>
#include <string.h>

void slt_commenter_attach(struct slt_commenter *commenter, const struct salut_stack *stack)
{
    commenter->stack = stack;
    commenter->next_event = slt_inside_telemetry(stack)->written + 1;
    commenter->pending_count = 0;
}

static void forget(struct slt_commenter *c, size_t at)
{
    c->pending_count--;
    memmove(&c->pending[at], &c->pending[at + 1], (c->pending_count - at) * sizeof(c->pending[0]));
}

static void keep(struct slt_commenter *c, const struct slt_event *e)
{
    bool tells =
        e->kind == SLT_EVENT_STATE || e->kind == SLT_EVENT_TAKEN || e->kind == SLT_EVENT_DROPPED;
    if (!tells || e->remote_port == 0) {
        return;
    }
    if (c->pending_count == SLT_COMMENT_PENDING_MAX) {
        forget(c, 0);
    }
    c->pending[c->pending_count] = *e;
    c->pending_count++;
}

static void read_events(struct slt_commenter *c)
{
    const struct slt_telemetry *telemetry = slt_inside_telemetry(c->stack);
    struct slt_event e;
    for (;;) {
        int64_t lost = slt_event_read(telemetry, c->next_event, &e);
        if (lost < 0) {
            return;
        }
        c->next_event += lost > 0 ? (uint64_t)lost : 1;
        if (lost == 0) {
            keep(c, &e);
        }
    }
}

struct ports {
    uint16_t local;
    uint16_t remote;
};

static bool concerns(const struct slt_event *e, const struct ports *ports)
{
    return e->local_port == ports->local && e->remote_port == ports->remote;
}

/* The event that says what became of the segment; SIZE_MAX: there is none. */
static size_t find_verdict(const struct slt_commenter *c, const struct ports *ports,
                           const struct slt_glimpse *g)
{
    for (size_t i = 0; i < c->pending_count; i++) {
        const struct slt_event *e = &c->pending[i];
        if (concerns(e, ports) && e->kind != SLT_EVENT_STATE && e->flags == (uint8_t)g->seg.flags &&
            e->bytes == g->bytes) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* How far events belong to a frame in: to its verdict; a half-open entry has none, there its
 * changes belong to the segment that comes first. */
static size_t find_limit(const struct slt_commenter *c, const struct ports *ports,
                         const struct slt_glimpse *g)
{
    size_t verdict = find_verdict(c, ports, g);
    if (verdict != SIZE_MAX) {
        return verdict + 1;
    }
    for (size_t i = 0; i < c->pending_count; i++) {
        const struct slt_event *e = &c->pending[i];
        if (concerns(e, ports) && e->object_kind != SLT_OBJECT_HALF_OPEN) {
            return i;
        }
    }
    return c->pending_count;
}

static size_t write_event(struct slt_commenter *c, size_t used, const struct slt_event *e)
{
    const char *sentence = slt_reason_sentence((enum slt_reason)e->reason);
    const char *line = used == 0 ? "" : "\n";
    size_t room = sizeof(c->text) - used;
    int n = 0;
    if (e->kind == SLT_EVENT_STATE && e->from != e->to) {
        n = snprintf(&c->text[used], room, "%s%s -> %s: %s", line,
                     slt_seen_rfc_name((enum salut_state)e->from),
                     slt_seen_rfc_name((enum salut_state)e->to), sentence);
    } else if (e->kind == SLT_EVENT_DROPPED) {
        n = snprintf(&c->text[used], room, "%sdropped: %s", line, sentence);
    }
    return n < 0 || (size_t)n >= room ? used : used + (size_t)n;
}

const char *slt_comment_of(void *commenter, const struct slt_tee_frame *frame)
{
    struct slt_commenter *c = commenter;
    struct slt_glimpse g;
    if (c->stack == NULL || !slt_glimpse_take(&frame->view, &g)) {
        return NULL;
    }
    read_events(c);
    struct ports ports = {.local = frame->outbound ? g.seg.src_port : g.seg.dst_port,
                          .remote = frame->outbound ? g.seg.dst_port : g.seg.src_port};
    size_t limit = frame->outbound ? c->pending_count : find_limit(c, &ports, &g);
    size_t used = 0;
    c->text[0] = '\0';
    for (size_t i = 0; i < limit;) {
        if (concerns(&c->pending[i], &ports)) {
            used = write_event(c, used, &c->pending[i]);
            c->text[used] = '\0';
            forget(c, i);
            limit--;
        } else {
            i++;
        }
    }
    return used == 0 ? NULL : c->text;
}
