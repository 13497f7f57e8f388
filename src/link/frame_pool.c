/* Frame buffers in two sizes, channels, and passing a frame on in memory; see frame_pool.h. */
#include "link/frame_pool.h"

#include "link/segment.h"
#include "wire/checksum.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_PER_SLAB 32U

/* What salut_config's mss_min is unless changed. */
#define SMALLEST_MSS 48U

void slt_frame_pool_init(struct slt_frame_pool *pool, uint32_t small_max, uint32_t large_max)
{
    *pool = (struct slt_frame_pool){
        .sizes = {
            {.stride_bytes = SLT_FRAME_SMALL_STRIDE, .per_slab = SMALL_PER_SLAB, .max = small_max},
            {.stride_bytes = SLT_FRAME_LARGE_STRIDE, .per_slab = 1, .max = large_max}}};
}

void slt_frame_pool_deinit(struct slt_frame_pool *pool)
{
    for (size_t i = 0; i < 2; i++) {
        struct slt_frame_slab *slab = pool->sizes[i].slabs;
        while (slab) {
            struct slt_frame_slab *next = slab->next;
            free(slab);
            slab = next;
        }
        pool->sizes[i].slabs = NULL;
        pool->sizes[i].free_top = NULL;
    }
}

/* Make one slab of buffers: a line of 64 bytes for the slab's head, then the buffers. */
static bool grow(struct slt_frame_class *c, uint8_t large)
{
    uint32_t count = slt_min32(c->per_slab, c->max - c->made);
    if (count == 0) {
        return false;
    }
    uint8_t *memory = aligned_alloc(64, 64U + (size_t)count * c->stride_bytes);
    if (!memory) {
        return false;
    }
    struct slt_frame_slab *slab = (void *)memory;
    slab->next = c->slabs;
    c->slabs = slab;
    for (uint32_t i = count; i > 0; i--) {
        struct slt_frame_buf *buf = (void *)(memory + 64U + (size_t)(i - 1) * c->stride_bytes);
        buf->large = large;
        buf->next = c->free_top;
        c->free_top = buf;
    }
    c->made += count;
    return true;
}

static struct slt_frame_buf *take_free(struct slt_frame_class *c, uint32_t bytes)
{
    struct slt_frame_buf *buf = c->free_top;
    c->free_top = buf->next;
    c->used++;
    buf->next = NULL;
    buf->bytes = bytes;
    buf->gso_bytes = 0;
    buf->checksum_valid = 0;
    return buf;
}

static SLT_APART struct slt_frame_buf *take_fresh(struct slt_frame_class *c, uint8_t large,
                                                  uint32_t bytes)
{
    return grow(c, large) ? take_free(c, bytes) : NULL;
}

struct slt_frame_buf *slt_frame_pool_take(struct slt_frame_pool *pool, uint32_t bytes)
{
    uint8_t large = bytes > SLT_FRAME_SMALL_MAX;
    struct slt_frame_class *c = &pool->sizes[large];
    if (bytes > SLT_FRAME_LARGE_MAX) {
        return NULL;
    }
    return c->free_top ? take_free(c, bytes) : take_fresh(c, large, bytes);
}

void slt_frame_pool_give(struct slt_frame_pool *pool, struct slt_frame_buf *buf)
{
    struct slt_frame_class *c = &pool->sizes[buf->large];
    SLT_ASSERT(c->used > 0);
    c->used--;
    buf->next = c->free_top;
    c->free_top = buf;
}

bool slt_frame_pool_has(const struct slt_frame_pool *pool, uint32_t bytes, uint32_t count)
{
    const struct slt_frame_class *c = &pool->sizes[bytes > SLT_FRAME_SMALL_MAX];
    return bytes <= SLT_FRAME_LARGE_MAX && count <= c->max - c->used;
}

void slt_tx_frame_copy(const struct salut_tx_frame *frame, uint8_t *out)
{
    memcpy(out, frame->header, frame->header_bytes);
    out += frame->header_bytes;
    for (uint32_t i = 0; i < frame->piece_count; i++) {
        if (i + 1U < frame->piece_count) {
            slt_prefetch(frame->pieces[i + 1].base);
        }
        memcpy(out, frame->pieces[i].base, frame->pieces[i].bytes);
        out += frame->pieces[i].bytes;
    }
}

bool slt_frame_channel_init(struct slt_frame_channel *channel, uint32_t slots)
{
    SLT_ASSERT(slots > 0 && (slots & (slots - 1)) == 0);
    *channel = (struct slt_frame_channel){.mask = slots - 1};
    channel->slots = calloc(slots, sizeof(*channel->slots));
    return channel->slots != NULL;
}

void slt_frame_channel_deinit(struct slt_frame_channel *channel)
{
    free(channel->slots);
    channel->slots = NULL;
}

size_t slt_frame_channel_lend(struct slt_frame_channel *channel, struct salut_rx_frame *frames,
                              size_t max)
{
    uint32_t count = channel->tail - channel->head;
    if (count > max) {
        count = (uint32_t)max;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct slt_frame_buf *buf = channel->slots[(channel->head + i) & channel->mask];
        slt_prefetch(buf->data);
        frames[i] = (struct salut_rx_frame){.data = buf->data,
                                            .bytes = buf->bytes,
                                            .gso_bytes = buf->gso_bytes,
                                            .checksum_valid = buf->checksum_valid};
    }
    channel->lent = count;
    return count;
}

void slt_frame_channel_release(struct slt_frame_channel *channel, struct slt_frame_pool *pool)
{
    for (; channel->lent > 0; channel->lent--) {
        slt_frame_pool_give(pool, channel->slots[channel->head & channel->mask]);
        channel->head++;
    }
}

void slt_frame_passage_caps(bool offload, uint32_t slots, struct slt_link_caps *caps)
{
    uint32_t fits = slots * SMALLEST_MSS; /* at most 2^20 slots */
    caps->gso_max_bytes =
        offload ? SLT_LINK_GSO_MAX_BYTES : slt_min32(SLT_LINK_GSO_MAX_BYTES, fits);
    caps->tx_checksum = true;
    caps->rx_checksum = offload;
}

/* The field holds the pseudo header's sum: the sum of everything from `start` on is the rest. A
 * frame that is not cut is short, and its second reading costs less than two ways of copying. */
static void complete_checksum(const struct salut_tx_frame *frame, struct slt_frame_buf *buf)
{
    uint8_t *from = buf->data + frame->checksum_start;
    uint32_t sum = slt_checksum_add(0, from, buf->bytes - frame->checksum_start);
    slt_segment_store_checksum(from + frame->checksum_offset, sum);
}

/* To the other end as it is: where that end takes our word for it, or where nothing is to be cut.
 */
static enum slt_passed pass_whole(const struct slt_frame_passage *passage,
                                  const struct salut_tx_frame *frame)
{
    bool partial = frame->checksum_start != 0 || frame->checksum_offset != 0;
    uint32_t bytes = slt_tx_frame_bytes(frame);
    if (partial && (uint32_t)frame->checksum_start + frame->checksum_offset + 2U > bytes) {
        return SLT_PASSED_MALFORMED;
    }
    if (slt_frame_channel_room(passage->to) == 0) {
        return SLT_PASSED_FULL;
    }
    struct slt_frame_buf *buf = slt_frame_pool_take(passage->pool, bytes);
    if (!buf) {
        return SLT_PASSED_FULL;
    }
    slt_tx_frame_copy(frame, buf->data);
    buf->gso_bytes = frame->gso_bytes;
    /* Nothing between the two ends of a memory link can change a frame. */
    buf->checksum_valid = passage->caps->rx_checksum;
    if (partial && !buf->checksum_valid) {
        complete_checksum(frame, buf);
    }
    slt_frame_channel_put(passage->to, buf);
    return SLT_PASSED;
}

static enum slt_passed pass_cut(const struct slt_frame_passage *passage,
                                const struct salut_tx_frame *frame)
{
    struct slt_frame_view view = slt_frame_view_of_tx(frame, passage->caps->kind);
    struct slt_segmenter s;
    if (!slt_segmenter_init(&s, &view)) {
        return SLT_PASSED_MALFORMED;
    }
    if (s.segment_count > passage->to->mask + 1) {
        return SLT_PASSED_TOO_BIG; /* it would never fit */
    }
    /* All segments or none: a frame that was taken in part could not be offered again. */
    uint32_t bytes = slt_segmenter_next_bytes(&s);
    if (s.segment_count > slt_frame_channel_room(passage->to) ||
        !slt_frame_pool_has(passage->pool, bytes, s.segment_count)) {
        return SLT_PASSED_FULL;
    }
    for (; bytes > 0; bytes = slt_segmenter_next_bytes(&s)) {
        struct slt_frame_buf *buf = slt_frame_pool_take(passage->pool, bytes);
        if (!buf) {
            return SLT_PASSED; /* no memory: the rest is lost, as on a wire */
        }
        slt_segmenter_next(&s, buf->data);
        slt_frame_channel_put(passage->to, buf);
    }
    return SLT_PASSED;
}

enum slt_passed slt_frame_pass(const struct slt_frame_passage *passage,
                               const struct salut_tx_frame *frame)
{
    uint32_t link_bytes = passage->caps->kind == SALUT_LINK_ETHERNET ? 18 : 0;
    uint32_t bytes = slt_tx_frame_bytes(frame);
    if (bytes > SLT_LINK_FRAME_MAX ||
        (frame->gso_bytes == 0 && bytes > passage->caps->mtu + link_bytes)) {
        return SLT_PASSED_TOO_BIG;
    }
    bool whole = passage->caps->rx_checksum || frame->gso_bytes == 0;
    return whole ? pass_whole(passage, frame) : pass_cut(passage, frame);
}

size_t slt_frame_pass_batch(struct slt_link *link, const struct slt_frame_passage *passage,
                            const struct salut_tx_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum slt_passed passed = slt_frame_pass(passage, &frames[i]);
        if (passed == SLT_PASSED_FULL) {
            return i;
        }
        if (passed == SLT_PASSED_TOO_BIG) {
            slt_link_count_drop(link, SLT_LINK_DROP_TOO_BIG);
        }
        if (passed == SLT_PASSED_MALFORMED) {
            slt_link_count_drop(link, SLT_LINK_DROP_MALFORMED);
        }
    }
    return count;
}
