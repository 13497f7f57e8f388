/* Fates, bottleneck and heap of one direction of impair; see impair_path.h and impair.h.
 *
 * Every frame draws the same numbers in the same order from a generator of its own, seeded by
 * direction and frame number. So a chance that is changed does not move the other fates, and
 * nothing depends on which frames came together.
 */
#include "link/impair_path.h"

#include "base/prng.h"
#include "link/segment.h"

#include <stdlib.h>
#include <string.h>

/* Frames in the air at most; beyond, they overflow. */
#define HELD_SMALL_MAX 65536U
#define HELD_LARGE_MAX 1024U
#define NS_BITS        UINT64_C(8000000000) /* nanoseconds a second times bits a byte */

struct fate {
    bool lost;
    bool duplicated;
    bool reordered;
    bool corrupted;
    uint64_t corrupt_random;
    int64_t jitter_ns; /* -jitter .. +jitter */
};

static bool drawn(uint64_t random, uint32_t ppm)
{
    /* The top 32 bits scaled to a million: the error is below one in four thousand millions. */
    return (random >> 32) * SLT_IMPAIR_ALWAYS >> 32 < ppm;
}

static bool burst_lost(struct slt_impair_path *path, uint64_t step_random, uint64_t loss_random)
{
    const struct slt_impair_faults *f = &path->faults;
    uint32_t ppm = path->burst ? f->burst_leave_ppm : f->burst_enter_ppm;
    if (drawn(step_random, ppm)) {
        path->burst = !path->burst;
    }
    return path->burst && drawn(loss_random, f->burst_loss_ppm);
}

static struct fate draw_fate(struct slt_impair_path *path)
{
    const struct slt_impair_faults *f = &path->faults;
    struct slt_prng prng;
    uint64_t draws[8];
    slt_prng_seed(&prng, path->seed + path->number * UINT64_C(0x9e3779b97f4a7c15));
    path->number++;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(draws); i++) {
        draws[i] = slt_prng_u64(&prng);
    }
    struct fate fate = {
        .lost = drawn(draws[0], f->loss_ppm),
        .duplicated = drawn(draws[3], f->duplicate_ppm),
        .reordered = drawn(draws[4], f->reorder_ppm),
        .corrupted = drawn(draws[5], f->corrupt_ppm),
        .corrupt_random = draws[6],
    };
    /* Not short-circuited: the chain steps on every frame. */
    bool in_burst = burst_lost(path, draws[1], draws[2]);
    fate.lost = fate.lost || in_burst;
    if (f->jitter_ns > 0) {
        uint64_t span = 2 * (uint64_t)f->jitter_ns + 1;
        fate.jitter_ns = (int64_t)(draws[7] % span) - f->jitter_ns;
    }
    return fate;
}

/* ---- corruption --------------------------------------------------------------------------- */

/* Ranges of bytes [from, to) of which a flipped bit fails a checksum. */
struct covered {
    uint32_t from[4];
    uint32_t to[4];
    uint32_t count;
    uint32_t bytes;
};

static void cover(struct covered *c, uint32_t from, uint32_t to)
{
    if (from < to) {
        c->from[c->count] = from;
        c->to[c->count] = to;
        c->count++;
        c->bytes += to - from;
    }
}

static void cover_transport(struct covered *c, const uint8_t *frame,
                            const struct slt_frame_layout *l)
{
    uint32_t at = l->transport_offset;
    const bool icmp = l->protocol == (l->family == 4 ? 1 : 58);
    if (l->fragment) {
        return; /* only the whole datagram has a checksum */
    }
    if (l->protocol == 6) {
        cover(c, at, at + 12);
        cover(c, at + 13, l->end_offset);
    }
    if (l->protocol == 17 && l->end_offset >= at + 8 && (frame[at + 6] | frame[at + 7]) != 0) {
        cover(c, at, at + 4);
        cover(c, at + 8, l->end_offset);
    }
    if (icmp) {
        cover(c, at, l->end_offset);
    }
}

static uint32_t nth_covered(const struct covered *c, uint32_t n)
{
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t length = c->to[i] - c->from[i];
        if (n < length) {
            return c->from[i] + n;
        }
        n -= length;
    }
    SLT_UNREACHABLE("n is below the number of covered bytes");
}

bool slt_impair_corrupt_frame(uint8_t *frame, uint32_t bytes, const struct slt_impair_path *path,
                              uint64_t random)
{
    struct covered c = {.count = 0};
    struct slt_frame_layout layout;
    if (path->faults.corrupt_where == SLT_IMPAIR_CORRUPT_ANY) {
        cover(&c, 0, bytes);
    } else if (slt_frame_layout_find(frame, bytes, bytes, path->kind, &layout)) {
        if (layout.family == 4) {
            cover(&c, layout.network_offset + 1U, layout.network_offset + 2U);
            cover(&c, layout.network_offset + 4U, layout.transport_offset);
        }
        cover_transport(&c, frame, &layout);
    }
    if (c.bytes == 0) {
        return false;
    }
    uint64_t bit = random % ((uint64_t)c.bytes * 8);
    frame[nth_covered(&c, (uint32_t)(bit / 8))] ^= (uint8_t)(1U << (bit % 8));
    return true;
}

/* ---- the heap ----------------------------------------------------------------------------- */

static bool sooner(const struct slt_frame_buf *a, const struct slt_frame_buf *b)
{
    return a->due_at_ns != b->due_at_ns ? a->due_at_ns < b->due_at_ns : a->order < b->order;
}

static bool heap_grow(struct slt_impair_path *path)
{
    if (path->heap_count < path->heap_room) {
        return true;
    }
    uint32_t room = path->heap_room ? path->heap_room * 2 : 256;
    struct slt_frame_buf **heap = realloc(path->heap, room * sizeof(*heap));
    if (!heap) {
        return false;
    }
    path->heap = heap;
    path->heap_room = room;
    return true;
}

static void heap_put(struct slt_impair_path *path, struct slt_frame_buf *frame)
{
    uint32_t at = path->heap_count;
    path->heap_count++;
    while (at > 0 && sooner(frame, path->heap[(at - 1) / 2])) {
        path->heap[at] = path->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    path->heap[at] = frame;
}

static struct slt_frame_buf *heap_take(struct slt_impair_path *path)
{
    struct slt_frame_buf *top = path->heap[0];
    path->heap_count--;
    struct slt_frame_buf *last = path->heap[path->heap_count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < path->heap_count; child = 2 * at + 1) {
        if (child + 1 < path->heap_count && sooner(path->heap[child + 1], path->heap[child])) {
            child++;
        }
        if (!sooner(path->heap[child], last)) {
            break;
        }
        path->heap[at] = path->heap[child];
        at = child;
    }
    if (path->heap_count > 0) {
        path->heap[at] = last;
    }
    return top;
}

/* ---- the bottleneck ----------------------------------------------------------------------- */

static void let_depart(struct slt_impair_path *path, int64_t now_ns)
{
    struct slt_frame_buf *frame = path->waiting_first;
    for (; frame && frame->depart_at_ns <= now_ns; frame = frame->next_waiting) {
        path->waiting_frames--;
        path->waiting_bytes -= frame->bytes;
    }
    path->waiting_first = frame;
    if (!frame) {
        path->waiting_last = NULL;
    }
}

static bool queue_full(const struct slt_impair_path *path, uint32_t bytes)
{
    const struct slt_impair_faults *f = &path->faults;
    return (f->queue_frames_max > 0 && path->waiting_frames >= f->queue_frames_max) ||
           (f->queue_bytes_max > 0 && path->waiting_bytes + bytes > f->queue_bytes_max);
}

/* When the last bit of the frame has left; it waits in the queue until then. */
static void depart(struct slt_impair_path *path, struct slt_frame_buf *frame, int64_t now_ns)
{
    uint64_t rate = path->faults.rate_bits_per_s;
    frame->depart_at_ns = now_ns;
    frame->next_waiting = NULL;
    if (rate == 0) {
        return;
    }
    int64_t start_ns = slt_max64(now_ns, path->free_at_ns);
    uint64_t sending_ns = (frame->bytes * NS_BITS + rate - 1) / rate;
    frame->depart_at_ns = slt_time_add(start_ns, (int64_t)sending_ns);
    path->free_at_ns = frame->depart_at_ns;
    if (path->waiting_last) {
        path->waiting_last->next_waiting = frame;
    } else {
        path->waiting_first = frame;
    }
    path->waiting_last = frame;
    path->waiting_frames++;
    path->waiting_bytes += frame->bytes;
}

/* ---- the path ----------------------------------------------------------------------------- */

void slt_impair_path_init(struct slt_impair_path *path, uint64_t seed, uint32_t number,
                          enum salut_link_kind kind)
{
    struct slt_prng prng;
    *path = (struct slt_impair_path){.kind = kind};
    slt_prng_seed(&prng, seed);
    for (uint32_t i = 0; i <= number; i++) {
        path->seed = slt_prng_u64(&prng);
    }
    path->last_due_ns = INT64_MIN;
    path->free_at_ns = INT64_MIN;
    slt_frame_pool_init(&path->pool, HELD_SMALL_MAX, HELD_LARGE_MAX);
}

void slt_impair_path_deinit(struct slt_impair_path *path)
{
    slt_frame_pool_deinit(&path->pool);
    free(path->heap);
    path->heap = NULL;
    path->heap_count = 0;
}

bool slt_impair_path_active(const struct slt_impair_path *path)
{
    const struct slt_impair_faults *f = &path->faults;
    return path->heap_count > 0 || f->loss_ppm > 0 || f->burst_enter_ppm > 0 ||
           f->duplicate_ppm > 0 || f->reorder_ppm > 0 || f->corrupt_ppm > 0 || f->delay_ns > 0 ||
           f->rate_bits_per_s > 0;
}

static void set_due(struct slt_impair_path *path, struct slt_frame_buf *frame,
                    const struct fate *fate)
{
    int64_t due_ns = slt_time_add(frame->depart_at_ns, path->faults.delay_ns + fate->jitter_ns);
    if (fate->reordered) {
        due_ns = slt_time_add(due_ns, path->faults.reorder_for_ns);
        path->counters.reordered++;
    } else {
        due_ns = slt_max64(due_ns, path->last_due_ns);
        path->last_due_ns = due_ns;
    }
    frame->due_at_ns = due_ns;
    frame->order = path->order++;
}

static void drop(struct slt_impair_path *path, struct slt_frame_buf *frame, uint64_t *counter)
{
    (*counter)++;
    slt_frame_pool_give(&path->pool, frame);
}

/* The copy travels right behind the frame it is a copy of. */
static void put_copy(struct slt_impair_path *path, const struct slt_frame_buf *frame)
{
    path->counters.duplicated++;
    struct slt_frame_buf *copy =
        heap_grow(path) ? slt_frame_pool_take(&path->pool, frame->bytes) : NULL;
    if (!copy) {
        path->counters.overflowed++;
        return;
    }
    memcpy(copy->data, frame->data, frame->bytes);
    copy->depart_at_ns = frame->depart_at_ns;
    copy->due_at_ns = frame->due_at_ns;
    copy->order = path->order++;
    heap_put(path, copy);
}

void slt_impair_path_put(struct slt_impair_path *path, struct slt_frame_buf *frame, int64_t now_ns)
{
    struct slt_impair_counters *counters = &path->counters;
    struct fate fate = draw_fate(path);
    counters->seen++;
    if (fate.lost) {
        drop(path, frame, &counters->lost);
        return;
    }
    let_depart(path, now_ns);
    if (queue_full(path, frame->bytes) || !heap_grow(path)) {
        drop(path, frame, &counters->overflowed);
        return;
    }
    depart(path, frame, now_ns);
    set_due(path, frame, &fate);
    heap_put(path, frame);
    if (fate.duplicated) {
        put_copy(path, frame);
    }
    if (fate.corrupted &&
        slt_impair_corrupt_frame(frame->data, frame->bytes, path, fate.corrupt_random)) {
        counters->corrupted++;
    }
}

int64_t slt_impair_path_due(const struct slt_impair_path *path)
{
    return path->heap_count > 0 ? path->heap[0]->due_at_ns : SLT_NEVER;
}

struct slt_frame_buf *slt_impair_path_peek(const struct slt_impair_path *path, int64_t now_ns)
{
    return path->heap_count > 0 && path->heap[0]->due_at_ns <= now_ns ? path->heap[0] : NULL;
}

struct slt_frame_buf *slt_impair_path_take(struct slt_impair_path *path, int64_t now_ns)
{
    if (!slt_impair_path_peek(path, now_ns)) {
        return NULL;
    }
    /* It has departed if it is due, so that the queue does not refer to it any more. */
    let_depart(path, now_ns);
    path->counters.passed++;
    return heap_take(path);
}

void slt_impair_path_return(struct slt_impair_path *path, struct slt_frame_buf *frame)
{
    SLT_ASSERT(path->heap_count < path->heap_room);
    path->counters.passed--;
    heap_put(path, frame);
}
