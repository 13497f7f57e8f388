/* See narrate.h. */
#include "observe/narrate.h"

#include "base/event.h"
#include "observe/seen.h"
#include "sock/inside.h"

void slt_narrator_init(struct slt_narrator *narrator, const struct salut_stack *stack, FILE *to)
{
    *narrator = (struct slt_narrator){.stack = stack,
                                      .to = to,
                                      .next_event = slt_inside_telemetry(stack)->written + 1,
                                      .start_at_ns = slt_inside_now(stack)};
}

static struct slt_narrator_ends *place_of(struct slt_narrator *n, const struct slt_event *e)
{
    uint32_t hash = (e->local_port * 31U + e->remote_port) * 2654435761U;
    return &n->ends[hash >> 22 & (SLT_NARRATOR_ENDS - 1U)];
}

/* The addresses of an event's connection, NULL when they are not known. */
static const struct slt_narrator_ends *find_ends(struct slt_narrator *n, const struct slt_event *e)
{
    struct salut_info info;
    salut_conn conn = {.index = e->object, .generation = e->generation};
    struct slt_narrator_ends *ends = place_of(n, e);
    if (e->object_kind == SLT_OBJECT_CONN && salut_get_info(n->stack, conn, &info) == SALUT_OK) {
        *ends = (struct slt_narrator_ends){.local_port = info.local_port,
                                           .remote_port = info.remote_port,
                                           .local = info.local,
                                           .remote = info.remote};
    }
    bool known = ends->local_port == e->local_port && ends->remote_port == e->remote_port &&
                 e->object_kind != SLT_OBJECT_HALF_OPEN && e->remote_port != 0;
    return known ? ends : NULL;
}

static void name_ends(struct slt_narrator *n, const struct slt_event *e, char *out, size_t size)
{
    char local[48] = "";
    char remote[48] = "";
    const struct slt_narrator_ends *ends = find_ends(n, e);
    if (ends != NULL) {
        (void)salut_addr_print(&ends->local, local, sizeof(local));
        (void)salut_addr_print(&ends->remote, remote, sizeof(remote));
    }
    const char *blank = ends == NULL ? "" : " ";
    if (e->remote_port == 0) {
        (void)snprintf(out, size, "port %u", e->local_port);
    } else {
        (void)snprintf(out, size, "%s%sport %u - %s%sport %u", local, blank, e->local_port, remote,
                       blank, e->remote_port);
    }
}

static void tell(struct slt_narrator *n, const struct slt_event *e)
{
    char ends[136];
    name_ends(n, e, ends, sizeof(ends));
    (void)fprintf(n->to, "%12.6f  %s  %s -> %s  %s\n", (double)(e->at_ns - n->start_at_ns) / 1e9,
                  ends, slt_seen_rfc_name((enum salut_state)e->from),
                  slt_seen_rfc_name((enum salut_state)e->to),
                  slt_reason_sentence((enum slt_reason)e->reason));
}

void slt_narrator_tell(struct slt_narrator *narrator)
{
    if (narrator->stack == NULL) {
        return;
    }
    const struct slt_telemetry *telemetry = slt_inside_telemetry(narrator->stack);
    struct slt_event e;
    for (;;) {
        int64_t lost = slt_event_read(telemetry, narrator->next_event, &e);
        if (lost < 0) {
            return;
        }
        if (lost > 0) {
            (void)fprintf(narrator->to, "%12s  %lld events were too fast for this display\n", "",
                          (long long)lost);
            narrator->next_event += (uint64_t)lost;
            continue;
        }
        narrator->next_event++;
        if (e.kind == SLT_EVENT_STATE && e.from != e.to) {
            tell(narrator, &e);
        }
    }
}
