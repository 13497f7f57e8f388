/* Frame buffers of links in memory: a pool of two sizes, and a bounded channel of frames.
 *
 * Nearly every frame is either of MTU size or a super-frame of up to 64 KB, so the pool has those
 * two sizes. Free buffers form a stack: the one given back last is taken first, so that the
 * working set is as small as the traffic allows and stays in the cache. Buffers are made on
 * first use and kept, so that a warm pool never allocates. The strides are odd multiples of 64
 * bytes: the headers of neighbouring buffers then fall into different cache sets.
 *
 * A channel is a ring of frames on their way plus the batch that is lent out.
 */
#ifndef SLT_LINK_FRAME_POOL_H
#define SLT_LINK_FRAME_POOL_H

#include "link/link.h"

struct slt_frame_buf {
    struct slt_frame_buf *next; /* of the free stack, or of its user */
    int64_t due_at_ns;          /* impair: when it goes on */
    uint64_t order;             /* impair: equal instants go by this */
    uint32_t bytes;             /* of data */
    uint16_t gso_bytes;         /* as in struct salut_rx_frame */
    uint8_t checksum_valid;     /* as in struct salut_rx_frame */
    uint8_t large;              /* which size it is of */
    uint8_t data[];
};

#define SLT_FRAME_SMALL_STRIDE (27U * 64U)
#define SLT_FRAME_LARGE_STRIDE (1029U * 64U)
#define SLT_FRAME_SMALL_MAX    (SLT_FRAME_SMALL_STRIDE - (uint32_t)sizeof(struct slt_frame_buf))
#define SLT_FRAME_LARGE_MAX    (SLT_FRAME_LARGE_STRIDE - (uint32_t)sizeof(struct slt_frame_buf))
_Static_assert(SLT_FRAME_LARGE_MAX >= SLT_LINK_FRAME_MAX, "the longest frame fits");

struct slt_frame_slab {
    struct slt_frame_slab *next;
};

struct slt_frame_class {
    struct slt_frame_buf *free_top;
    struct slt_frame_slab *slabs;
    uint32_t stride_bytes;
    uint32_t per_slab; /* buffers made at once */
    uint32_t made;
    uint32_t max;  /* buffers it may make */
    uint32_t used; /* buffers that are out */
};

struct slt_frame_pool {
    struct slt_frame_class sizes[2]; /* small, large */
};

void slt_frame_pool_init(struct slt_frame_pool *pool, uint32_t small_max, uint32_t large_max);

/* Free all buffers; those still out become invalid. */
void slt_frame_pool_deinit(struct slt_frame_pool *pool);

/* Take a buffer with room for `bytes`, with `bytes` set and the marks cleared; NULL when the frame
 * is too long, the limit is reached or memory is not to be had. */
struct slt_frame_buf *slt_frame_pool_take(struct slt_frame_pool *pool, uint32_t bytes);
void slt_frame_pool_give(struct slt_frame_pool *pool, struct slt_frame_buf *buf);

/* True when `count` buffers for frames of `bytes` bytes could be taken. */
bool slt_frame_pool_has(const struct slt_frame_pool *pool, uint32_t bytes, uint32_t count);

/* Copy a frame's header and pieces, one behind the other. */
void slt_tx_frame_copy(const struct salut_tx_frame *frame, uint8_t *out);

struct slt_frame_channel {
    struct slt_frame_buf **slots;
    uint32_t mask;
    uint32_t head; /* the oldest frame */
    uint32_t tail; /* where the next one goes */
    uint32_t lent; /* frames from head on that are lent out */
};

/* `slots` is a power of two. False when memory is not to be had. */
bool slt_frame_channel_init(struct slt_frame_channel *channel, uint32_t slots);
void slt_frame_channel_deinit(struct slt_frame_channel *channel);

static inline uint32_t slt_frame_channel_room(const struct slt_frame_channel *channel)
{
    return channel->mask + 1 - (channel->tail - channel->head);
}

static inline bool slt_frame_channel_empty(const struct slt_frame_channel *channel)
{
    return channel->tail == channel->head;
}

/* Put a frame at the end; there must be room. */
static inline void slt_frame_channel_put(struct slt_frame_channel *channel,
                                         struct slt_frame_buf *buf)
{
    channel->slots[channel->tail & channel->mask] = buf;
    channel->tail++;
}

/* Lend up to `max` frames, and give them back to the pool. */
size_t slt_frame_channel_lend(struct slt_frame_channel *channel, struct salut_rx_frame *frames,
                              size_t max);
void slt_frame_channel_release(struct slt_frame_channel *channel, struct slt_frame_pool *pool);

/* How a link without a device passes a frame on. */
struct slt_frame_passage {
    struct slt_frame_pool *pool;
    struct slt_frame_channel *to;
    const struct slt_link_caps *caps;
};

/* What a stack on such a link is to know: super-frames and partial checksums are taken either way.
 * With offload they pass as they are and arrive vouched for (caps->rx_checksum). Without, they are
 * cut and summed while they are copied, which costs one pass over the payload; and a super-frame is
 * never so long that its segments, small as they may be, overfill a channel of `slots`. */
void slt_frame_passage_caps(bool offload, uint32_t slots, struct slt_link_caps *caps);

enum slt_passed {
    SLT_PASSED,      /* the frame, or each of its segments, is in the channel */
    SLT_PASSED_FULL, /* nothing was done: no room */
    SLT_PASSED_TOO_BIG,
    SLT_PASSED_MALFORMED
};

/* Copy a frame into the channel: whole where the other end takes it so, else cut and with its
 * checksum completed. */
enum slt_passed slt_frame_pass(const struct slt_frame_passage *passage,
                               const struct salut_tx_frame *frame);

/* Pass a batch on for `link`, counting what is dropped; returns how many were taken. */
size_t slt_frame_pass_batch(struct slt_link *link, const struct slt_frame_passage *passage,
                            const struct salut_tx_frame *frames, size_t count);

#endif
