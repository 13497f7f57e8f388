/* What path.h decides, carried out on frames: the heap, the copy, the mark and the flipped bit; see
 * impair_path.h.
 */
#include "link/impair_path.h"

#include <stdlib.h>
#include <string.h>

/* Frames in the air at most; beyond, they overflow. */
#define HELD_SMALL_MAX 65536U
#define HELD_LARGE_MAX 1024U

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
    if (path->model.params.corrupt_where == SLT_PATH_CORRUPT_ANY) {
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

/* ---- marking ------------------------------------------------------------------------------ */

#define ECN_CE 3U

/* RFC 3168 5: the two low bits of the traffic class; 0 (not ECN-capable) for what is no IP. */
static uint32_t find_ecn(const uint8_t *frame, uint32_t bytes, enum salut_link_kind kind)
{
    struct slt_frame_layout layout;
    if (!slt_frame_layout_find(frame, bytes, bytes, kind, &layout)) {
        return 0;
    }
    const uint8_t *ip = frame + layout.network_offset;
    return layout.family == 4 ? ip[1] & 3U : ip[1] >> 4 & 3U;
}

/* Set CE. Only IPv4 has a checksum over it; transports do not cover the field (RFC 3168 5). */
static void mark_frame(uint8_t *frame, uint32_t bytes, enum salut_link_kind kind)
{
    struct slt_frame_layout layout;
    if (!slt_frame_layout_find(frame, bytes, bytes, kind, &layout)) {
        return;
    }
    uint8_t *ip = frame + layout.network_offset;
    if (layout.family == 6) {
        ip[1] |= ECN_CE << 4;
        return;
    }
    uint32_t before = (uint32_t)ip[0] << 8 | ip[1];
    ip[1] |= ECN_CE;
    uint32_t after = (uint32_t)ip[0] << 8 | ip[1];
    /* RFC 1624 3: the new checksum from the old one and the word that changed. */
    uint32_t sum = (~((uint32_t)ip[10] << 8 | ip[11]) & 0xffffU) + (~before & 0xffffU) + after;
    sum = (sum & 0xffffU) + (sum >> 16);
    sum = (sum & 0xffffU) + (sum >> 16);
    ip[10] = (uint8_t)(~sum >> 8);
    ip[11] = (uint8_t)~sum;
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

/* ---- the path ----------------------------------------------------------------------------- */

void slt_impair_path_init(struct slt_impair_path *path, uint64_t seed, uint32_t number,
                          enum salut_link_kind kind)
{
    static const struct slt_path_params none;
    *path = (struct slt_impair_path){.kind = kind};
    slt_path_init(&path->model, &none, seed, number);
    slt_frame_pool_init(&path->pool, HELD_SMALL_MAX, HELD_LARGE_MAX);
}

void slt_impair_path_deinit(struct slt_impair_path *path)
{
    slt_path_deinit(&path->model);
    slt_frame_pool_deinit(&path->pool);
    free(path->heap);
    path->heap = NULL;
    path->heap_count = 0;
}

bool slt_impair_path_active(const struct slt_impair_path *path)
{
    return path->heap_count > 0 || slt_path_active(&path->model.params);
}

/* The copy travels right behind the frame it is a copy of. */
static void put_copy(struct slt_impair_path *path, const struct slt_frame_buf *frame)
{
    struct slt_frame_buf *copy =
        heap_grow(path) ? slt_frame_pool_take(&path->pool, frame->bytes) : NULL;
    if (!copy) {
        path->model.counters.overflowed++;
        return;
    }
    memcpy(copy->data, frame->data, frame->bytes);
    copy->due_at_ns = frame->due_at_ns;
    copy->order = path->order++;
    heap_put(path, copy);
}

static void carry_out(struct slt_impair_path *path, struct slt_frame_buf *frame,
                      const struct slt_path_verdict *verdict)
{
    frame->due_at_ns = verdict->due_at_ns;
    frame->order = path->order++;
    if (verdict->marked) {
        mark_frame(frame->data, frame->bytes, path->kind);
    }
    heap_put(path, frame);
    if (verdict->duplicated) {
        put_copy(path, frame);
    }
    if (verdict->corrupted &&
        slt_impair_corrupt_frame(frame->data, frame->bytes, path, verdict->corrupt_random)) {
        path->model.counters.corrupted++;
    }
}

void slt_impair_path_put(struct slt_impair_path *path, struct slt_frame_buf *frame, int64_t now_ns)
{
    const struct slt_path_params *params = &path->model.params;
    struct slt_path_packet packet = {.bytes = frame->bytes};
    struct slt_path_verdict verdict;
    if (params->mark_frames > 0 || params->mark_bytes > 0) {
        packet.ecn_capable = find_ecn(frame->data, frame->bytes, path->kind) != 0;
    }
    slt_path_offer(&path->model, now_ns, &packet, &verdict);
    if (verdict.fate == SLT_PATH_PASSES && heap_grow(path)) {
        carry_out(path, frame, &verdict);
        return;
    }
    path->model.counters.overflowed += verdict.fate == SLT_PATH_PASSES;
    slt_frame_pool_give(&path->pool, frame);
}

enum slt_link_drop slt_impair_path_put_frame(struct slt_impair_path *path,
                                             const struct slt_frame_view *view, int64_t now_ns)
{
    struct slt_segmenter s;
    if (!slt_segmenter_init(&s, view)) {
        return SLT_LINK_DROP_MALFORMED;
    }
    uint32_t bytes = slt_segmenter_next_bytes(&s);
    if (bytes > SLT_FRAME_LARGE_MAX) {
        return SLT_LINK_DROP_TOO_BIG;
    }
    for (; bytes > 0; bytes = slt_segmenter_next_bytes(&s)) {
        struct slt_frame_buf *buf = slt_frame_pool_take(&path->pool, bytes);
        if (!buf) {
            return SLT_LINK_DROP_QUEUE_FULL;
        }
        slt_segmenter_next(&s, buf->data);
        slt_impair_path_put(path, buf, now_ns);
    }
    return SLT_LINK_DROP_COUNT;
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
    path->model.counters.passed++;
    return heap_take(path);
}

void slt_impair_path_return(struct slt_impair_path *path, struct slt_frame_buf *frame)
{
    SLT_ASSERT(path->heap_count < path->heap_room);
    path->model.counters.passed--;
    heap_put(path, frame);
}

void slt_impair_dress(const struct slt_frame_buf *buf, enum salut_link_kind kind,
                      struct salut_tx_frame *frame)
{
    struct slt_frame_layout layout;
    uint32_t header_bytes = slt_min32(buf->bytes, SALUT_FRAME_HEADER_MAX);
    memcpy(frame->header, buf->data, header_bytes);
    frame->header_bytes = (uint16_t)header_bytes;
    frame->payload_bytes = buf->bytes - header_bytes;
    frame->piece_count = frame->payload_bytes > 0 ? 1 : 0;
    frame->pieces[0] =
        (struct salut_iovec){.base = buf->data + header_bytes, .bytes = frame->payload_bytes};
    frame->gso_bytes = 0;
    frame->checksum_start = 0;
    frame->checksum_offset = 0;
    bool ip = slt_frame_layout_find(buf->data, buf->bytes, buf->bytes, kind, &layout);
    frame->family = ip ? layout.family : 0;
    frame->network_offset = ip ? (uint8_t)layout.network_offset : 0;
    frame->transport_offset = ip ? (uint8_t)slt_min32(layout.transport_offset, UINT8_MAX) : 0;
}
