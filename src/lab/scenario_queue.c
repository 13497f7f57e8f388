/* What happens when: a heap of events, ordered by time and then by when they were put down.
 *
 * Values that a scenario wants random are drawn here too: exponential around their mean, computed
 * in integers, so that a seed means the same on machines whose mathematical libraries differ.
 */
#include "lab/scenario_world.h"

#include <stdlib.h>

static bool earlier(const struct scn_event *a, const struct scn_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

bool slt_scn_queue_put(struct scn_queue *queue, const struct scn_event *event)
{
    if (queue->count == queue->room) {
        uint32_t room = queue->room == 0 ? 1024 : queue->room * 2;
        struct scn_event *heap = realloc(queue->heap, room * sizeof(*heap));
        if (heap == NULL) {
            return false;
        }
        queue->heap = heap;
        queue->room = room;
    }
    struct scn_event placed = *event;
    placed.order = queue->order++;
    uint32_t at = queue->count++;
    while (at > 0 && earlier(&placed, &queue->heap[(at - 1) / 2])) {
        queue->heap[at] = queue->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->heap[at] = placed;
    return true;
}

int64_t slt_scn_queue_next(const struct scn_queue *queue)
{
    return queue->count > 0 ? queue->heap[0].at_ns : SLT_NEVER;
}

struct scn_event slt_scn_queue_take(struct scn_queue *queue)
{
    SLT_ASSERT(queue->count > 0);
    struct scn_event top = queue->heap[0];
    struct scn_event last = queue->heap[--queue->count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < queue->count; child = 2 * at + 1) {
        child += child + 1 < queue->count && earlier(&queue->heap[child + 1], &queue->heap[child]);
        if (!earlier(&queue->heap[child], &last)) {
            break;
        }
        queue->heap[at] = queue->heap[child];
        at = child;
    }
    if (queue->count > 0) {
        queue->heap[at] = last;
    }
    return top;
}

void slt_scn_queue_free(struct scn_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        free(queue->heap[i].packet);
    }
    free(queue->heap);
    *queue = (struct scn_queue){0};
}

void slt_scn_at(struct scn_world *w, int64_t at_ns, enum scn_event_kind kind, uint32_t index)
{
    struct scn_event event = {.at_ns = at_ns, .kind = kind, .index = index};
    SLT_ASSERT(at_ns >= w->now_ns);
    if (!slt_scn_queue_put(&w->queue, &event)) {
        abort();
    }
}

int64_t slt_scn_bytes_in(int64_t rate_bps, int64_t for_ns)
{
    int64_t whole_s = for_ns / SLT_NS_PER_S;
    int64_t rest_ns = for_ns % SLT_NS_PER_S;
    /* At most 1e12 b/s, in thousands, times less than 1e9 ns: within 63 bits. */
    return rate_bps / 8 * whole_s + rate_bps / 1000 * rest_ns / 8000000 +
           rate_bps % 1000 * rest_ns / 8000000000;
}

/* -log2(u / 2^64) in 1/65536, for u > 0: the leading zeros, and the fraction bit by bit by
 * squaring the mantissa. */
static uint64_t negative_log2(uint64_t u)
{
    uint32_t zeros = (uint32_t)__builtin_clzll(u);
    uint64_t mantissa = (u << zeros) >> 32; /* 1.31 bits */
    uint64_t fraction = 0;
    for (unsigned i = 0; i < 16; i++) {
        mantissa = (mantissa * mantissa) >> 31;
        fraction <<= 1;
        if (mantissa >> 32 != 0) {
            fraction |= 1;
            mantissa >>= 1;
        }
    }
    return ((uint64_t)(zeros + 1) << 16) - fraction;
}

int64_t slt_scn_drawn(struct scn_world *w, const struct slt_scn_draw *draw, int64_t least)
{
    if (!draw->random || draw->mean <= 0) {
        return slt_max64(draw->mean, least);
    }
    /* -ln(u) = -log2(u) x ln 2; the mean is taken in 1/4096 of itself, so that nothing overflows
     * for means up to an hour. */
    uint64_t nats = negative_log2(slt_prng_u64(&w->prng) | 1) * 45426 >> 16;
    int64_t drawn =
        draw->mean / 4096 * (int64_t)nats / 16 + draw->mean % 4096 * (int64_t)nats / 65536;
    return slt_max64(least, slt_min64(drawn, draw->mean * 20));
}
