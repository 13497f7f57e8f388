/* Byte queues: chains of reference-counted buffers from one pool.
 *
 * A chain holds a run of bytes in order: send queue, receive queue, a held out-of-order run. Bytes
 * are appended at the tail and dropped at the head. A segment on its way out refers to the bytes
 * of the chain (slt_chain_view) and holds a reference on each buffer it touches; a buffer goes
 * back to the pool when the chain has dropped it and the last reference is gone. Bytes once
 * appended never change, so a reference needs no copy.
 *
 * A chain may also hold memory that is somebody else's: a loan. It stands in the chain as a buffer
 * without room, whose bytes lie elsewhere, and comes from a small pool of its own beside the pool
 * of buffers (slt_loans_init joins the two). The index of such a buffer has SLT_LOAN_BIT set;
 * everything below takes both kinds. When the chain and the last view have let go of it, the loan
 * joins a queue of those that can be handed back (slt_loans_next), and keeps its place in the pool
 * until then.
 */
#ifndef SLT_BASE_BUF_H
#define SLT_BASE_BUF_H

#include "base/pool.h"

/* One buffer; its bytes are data[start .. end). Capacity = pool->object_bytes - sizeof(slt_buf). */
struct slt_buf {
    uint32_t next; /* in the chain, or in the pool's free list; must be first */
    uint32_t start;
    uint32_t end;
    uint16_t refs;   /* 1 for the chain, 1 for each view */
    uint16_t sealed; /* bytes behind `end` were trimmed while a view could see them: no appending */
    uint8_t data[];
};

/* Memory lent: `bytes` bytes that the lender neither changes nor frees until he has them back.
 * `user` is a value of his. */
struct slt_loan {
    const uint8_t *data;
    uint64_t user;
    uint32_t bytes;
};

/* Set in the indices of buffers that are loans. An index of a pool is below it. */
#define SLT_LOAN_BIT ((uint32_t)1 << 31)
_Static_assert(SLT_POOL_OBJECTS_MAX <= SLT_LOAN_BIT, "no index of a pool has the bit");

/* The loans of a pool of buffers: each an slt_buf whose data[] holds an slt_loan. */
struct slt_loans {
    struct slt_pool pool;
    uint32_t back_head; /* those that can be handed back, first come first served; SLT_NIL: none */
    uint32_t back_tail;
};

struct slt_chain {
    uint32_t head; /* SLT_NIL when empty */
    uint32_t tail;
    uint32_t bytes;
};

/* A place in a chain: `off` is an index into data[] of buffer `buf`; buf = SLT_NIL means "at the
 * first byte of the chain, whatever it will be". A place on the border of two buffers is the end
 * of the first. A cursor holds no reference: whoever drops bytes up to the cursor's place or
 * beyond must set it to SLT_NIL (slt_cursor_first), for its buffer is gone with them. */
struct slt_cursor {
    uint32_t buf;
    uint32_t off;
};

/* A piece of a view: bytes and the buffer that owns them. */
struct slt_piece {
    const uint8_t *data;
    uint32_t bytes;
    uint32_t buf;
};

static inline struct slt_cursor slt_cursor_first(void)
{
    return (struct slt_cursor){.buf = SLT_NIL, .off = 0};
}

static inline struct slt_buf *slt_buf_at(const struct slt_pool *bufs, uint32_t index)
{
    if (index & SLT_LOAN_BIT) {
        return (struct slt_buf *)slt_pool_at(&bufs->loans->pool, index & ~SLT_LOAN_BIT);
    }
    return (struct slt_buf *)slt_pool_at(bufs, index);
}

void slt_chain_init(struct slt_chain *chain);

/* Copy up to `bytes` bytes to the tail, filling the last buffer first (appending behind bytes a
 * view refers to is safe). Returns how many were taken: less only when the pool is empty. */
SLT_MUST_USE uint32_t slt_chain_append(struct slt_chain *chain, struct slt_pool *bufs,
                                       const uint8_t *data, uint32_t bytes);

/* Lend the free room at the tail (a new buffer if the last is full) to be written in place;
 * slt_chain_grow then makes the first `bytes` of it part of the chain. NULL: no buffer. A buffer
 * taken by reserve and never grown stays at the tail, empty, until the next append uses it or the
 * chain's last byte is dropped. */
uint8_t *slt_chain_reserve(struct slt_chain *chain, struct slt_pool *bufs, uint32_t *room);
void slt_chain_grow(struct slt_chain *chain, struct slt_pool *bufs, uint32_t bytes);

/* Make a pool of at most `max` loans beside a pool of buffers. */
SLT_MUST_USE bool slt_loans_init(struct slt_loans *loans, struct slt_pool *bufs, uint32_t max);
void slt_loans_deinit(struct slt_loans *loans, struct slt_pool *bufs);

/* What salut_block_bytes must know: the size of an object of that pool. */
uint32_t slt_loan_object_bytes(void);

/* Note a loan; SLT_NIL when the pool has no room. One of the three below must follow: the loan
 * becomes the end of a chain (bytes > 0), can be handed back at once, or never was. */
SLT_MUST_USE uint32_t slt_loan_take(struct slt_pool *bufs, const struct slt_loan *loan);
void slt_chain_lend(struct slt_chain *chain, struct slt_pool *bufs, uint32_t index);
void slt_loan_return(struct slt_pool *bufs, uint32_t index);
void slt_loan_cancel(struct slt_pool *bufs, uint32_t index);

/* Take the next loan that nothing refers to any more; false when there is none. */
bool slt_loans_next(struct slt_loans *loans, struct slt_loan *loan);

/* Remove `bytes` (<= chain->bytes) from the head. */
void slt_chain_drop(struct slt_chain *chain, struct slt_pool *bufs, uint32_t bytes);

/* Remove `bytes` (<= chain->bytes) from the tail; O(buffers kept). */
void slt_chain_trim(struct slt_chain *chain, struct slt_pool *bufs, uint32_t bytes);

/* Move all bytes of `from` to the end of `to`, in constant time; `from` is empty afterwards. */
void slt_chain_join(struct slt_chain *to, struct slt_chain *from, struct slt_pool *bufs);

/* Copy `bytes` bytes at `offset` from the head to `out`, leaving them; returns bytes copied. */
uint32_t slt_chain_peek(const struct slt_chain *chain, const struct slt_pool *bufs, uint32_t offset,
                        uint8_t *out, uint32_t bytes);

/* Describe up to `bytes` bytes from `cursor` on as at most `max` pieces, taking no reference.
 * Returns the number of pieces; *seen is the bytes they hold; *after is the cursor behind them,
 * from which a later view goes on, also over bytes appended meanwhile. */
uint32_t slt_chain_view(const struct slt_chain *chain, const struct slt_pool *bufs,
                        struct slt_cursor cursor, uint32_t bytes, struct slt_piece *pieces,
                        uint32_t max, uint32_t *seen, struct slt_cursor *after);

/* The cursor `bytes` bytes behind `cursor` (or at the chain's end); O(buffers passed). */
struct slt_cursor slt_chain_skip(const struct slt_chain *chain, const struct slt_pool *bufs,
                                 struct slt_cursor cursor, uint32_t bytes);

/* The cursor `offset` bytes after the head; O(buffers passed). */
struct slt_cursor slt_chain_seek(const struct slt_chain *chain, const struct slt_pool *bufs,
                                 uint32_t offset);

/* Take and give back references for the pieces of a view. */
void slt_pieces_hold(struct slt_pool *bufs, const struct slt_piece *pieces, uint32_t count);
void slt_pieces_release(struct slt_pool *bufs, const struct slt_piece *pieces, uint32_t count);

/* Drop everything. */
void slt_chain_clear(struct slt_chain *chain, struct slt_pool *bufs);

/* Buffers in the chain (for memory accounting); O(buffers), for tests and info only. */
uint32_t slt_chain_buffers(const struct slt_chain *chain, const struct slt_pool *bufs);

#endif
