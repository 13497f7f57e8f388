/* Two links, two paths; see wire.h.
 *
 * A turn is short on purpose: the instant it is given is the arrival of every frame it takes, so a
 * long batch would make early frames late. It takes first and delivers then, so that a wire without
 * a delay hands on in the same turn.
 */
#include "lab/wire.h"

#define FRAMES_PER_TURN 16U

/* Fewer come than go: each may be a super-frame, some 45 frames to be cut. */
#define COME_PER_TURN 4U

bool slt_wire_init(struct slt_wire *wire, struct slt_link *a, struct slt_link *b,
                   const struct slt_wire_params *params)
{
    *wire = (struct slt_wire){.end = {a, b}};
    for (uint32_t i = 0; i < SLT_WIRE_WAYS; i++) {
        struct slt_wire_way *way = &wire->way[i];
        way->from = wire->end[i];
        way->to = wire->end[1 - i];
        slt_impair_path_init(&way->path, params->seed, i, way->from->caps.kind);
        way->path.model.params = params->way[i];
    }
    bool valid = slt_path_valid(&params->way[0]) && slt_path_valid(&params->way[1]) &&
                 a->caps.kind == b->caps.kind;
    if (!valid) {
        slt_wire_deinit(wire);
    }
    return valid;
}

void slt_wire_deinit(struct slt_wire *wire)
{
    for (uint32_t i = 0; i < SLT_WIRE_WAYS; i++) {
        slt_link_close(wire->end[i]);
        wire->end[i] = NULL;
        slt_impair_path_deinit(&wire->way[i].path);
    }
}

static void note_late(struct slt_wire_late *late, int64_t for_ns)
{
    int64_t step = for_ns / SLT_WIRE_LATE_STEP_NS;
    late->count++;
    late->most_ns = slt_max64(late->most_ns, for_ns);
    late->steps[slt_min64(slt_max64(step, 0), SLT_WIRE_LATE_STEPS - 1)]++;
}

/* Write frames that are due. True when more are. */
static bool deliver(struct slt_wire_way *way, int64_t now_ns)
{
    struct slt_frame_buf *bufs[FRAMES_PER_TURN];
    struct salut_tx_frame frames[FRAMES_PER_TURN];
    size_t count = 0;
    while (count < FRAMES_PER_TURN && slt_impair_path_peek(&way->path, now_ns)) {
        bufs[count] = slt_impair_path_take(&way->path, now_ns);
        slt_impair_dress(bufs[count], way->path.kind, &frames[count]);
        count++;
    }
    size_t taken = count > 0 ? slt_link_send(way->to, frames, count, now_ns) : 0;
    for (size_t i = 0; i < taken; i++) {
        note_late(&way->late, now_ns - bufs[i]->due_at_ns);
        slt_frame_pool_give(&way->path.pool, bufs[i]);
    }
    for (size_t i = taken; i < count; i++) {
        slt_impair_path_return(&way->path, bufs[i]);
    }
    return taken == FRAMES_PER_TURN && slt_impair_path_peek(&way->path, now_ns) != NULL;
}

/* Take frames that have come. True when there may be more. */
static bool collect(struct slt_wire_way *way, int64_t now_ns)
{
    struct salut_rx_frame frames[COME_PER_TURN];
    size_t count = slt_link_receive(way->from, frames, COME_PER_TURN, now_ns);
    for (size_t i = 0; i < count; i++) {
        struct slt_frame_view view = slt_frame_view_of_rx(&frames[i], way->path.kind);
        way->refused += slt_impair_path_put_frame(&way->path, &view, now_ns) != SLT_LINK_DROP_COUNT;
    }
    slt_link_release(way->from);
    return count == COME_PER_TURN;
}

bool slt_wire_turn(struct slt_wire *wire, int64_t now_ns)
{
    bool more = false;
    for (uint32_t i = 0; i < SLT_WIRE_WAYS; i++) {
        slt_link_poll(wire->end[i], now_ns);
        bool came = collect(&wire->way[i], now_ns);
        more = more || came;
    }
    for (uint32_t i = 0; i < SLT_WIRE_WAYS; i++) {
        bool due = deliver(&wire->way[i], now_ns);
        more = more || due;
    }
    return more;
}

int64_t slt_wire_due(const struct slt_wire *wire)
{
    int64_t due_ns = SLT_NEVER;
    for (uint32_t i = 0; i < SLT_WIRE_WAYS; i++) {
        due_ns = slt_min64(due_ns, slt_link_next_deadline(wire->end[i]));
        if (!slt_link_wants_write(wire->way[i].to)) {
            due_ns = slt_min64(due_ns, slt_impair_path_due(&wire->way[i].path));
        }
    }
    return due_ns;
}

int64_t slt_wire_late_quantile(const struct slt_wire_late *late, unsigned per_mille)
{
    SLT_ASSERT(per_mille <= 1000);
    uint64_t wanted = (late->count * per_mille + 999) / 1000;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < SLT_WIRE_LATE_STEPS - 1; i++) {
        seen += late->steps[i];
        if (seen >= wanted) {
            return slt_min64((i + 1) * SLT_WIRE_LATE_STEP_NS, late->most_ns);
        }
    }
    return late->most_ns;
}
