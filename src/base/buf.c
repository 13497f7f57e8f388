/* Chains of buffers: appended at the tail, dropped at the head, seen through views in between.
 *
 *     head                              tail
 *     [  ====] -> [========] -> [===   ]
 *        ^start          end^       ^ room
 *
 * Any buffer of a chain may start late or end early: the head by drops, the tail because it is not
 * full yet, those between because chains were joined. Bytes a view may look at must never change,
 * and appending writes only behind `end`, where no view looks. The one exception is a trim, which
 * moves `end` back over bytes a view may still show: such a buffer is sealed, and takes no more
 * bytes until its last view is gone.
 *
 * A loan is a buffer like another, but for where its bytes are and where it goes when it is let go
 * of. start and end count from the start of the lent memory.
 */
#include "base/buf.h"

#include <string.h>

static uint32_t buf_capacity(const struct slt_pool *bufs)
{
    SLT_ASSERT(bufs->object_bytes > sizeof(struct slt_buf));
    return bufs->object_bytes - (uint32_t)sizeof(struct slt_buf);
}

static uint32_t buf_bytes(const struct slt_buf *buf)
{
    return buf->end - buf->start;
}

/* Objects of the pool of loans are aligned for the loan: slabs and both sizes are. */
static struct slt_loan *loan_of(const struct slt_buf *buf)
{
    return (struct slt_loan *)(uintptr_t)buf->data;
}

_Static_assert(sizeof(struct slt_buf) % _Alignof(struct slt_loan) == 0, "a loan follows its head");

static const uint8_t *bytes_of(const struct slt_buf *buf, uint32_t index)
{
    return index & SLT_LOAN_BIT ? loan_of(buf)->data : buf->data;
}

void slt_loan_return(struct slt_pool *bufs, uint32_t index)
{
    struct slt_loans *loans = bufs->loans;
    SLT_ASSERT(index & SLT_LOAN_BIT);
    slt_buf_at(bufs, index)->refs = 0;
    slt_buf_at(bufs, index)->next = SLT_NIL;
    if (loans->back_tail == SLT_NIL) {
        loans->back_head = index;
    } else {
        slt_buf_at(bufs, loans->back_tail)->next = index;
    }
    loans->back_tail = index;
}

static void release_buf(struct slt_pool *bufs, uint32_t index, struct slt_buf *buf)
{
    SLT_ASSERT(buf->refs > 0);
    buf->refs--;
    if (buf->refs > 0) {
        return;
    }
    if (index & SLT_LOAN_BIT) {
        slt_loan_return(bufs, index);
    } else {
        slt_pool_link(bufs, buf, index);
    }
}

/* Take buffer `index` and all behind it out of a chain that no longer refers to them. */
static void release_from(struct slt_pool *bufs, uint32_t index)
{
    while (index != SLT_NIL) {
        struct slt_buf *buf = slt_buf_at(bufs, index);
        uint32_t next = buf->next;
        release_buf(bufs, index, buf);
        index = next;
    }
}

/* The bytes that may be appended to the last buffer. */
static uint32_t tail_room(const struct slt_chain *chain, const struct slt_pool *bufs)
{
    if (chain->tail == SLT_NIL || (chain->tail & SLT_LOAN_BIT)) {
        return 0;
    }
    struct slt_buf *buf = slt_buf_at(bufs, chain->tail);
    if (buf->sealed && buf->refs > 1) {
        return 0;
    }
    buf->sealed = false;
    return buf_capacity(bufs) - buf->end;
}

/* The buffer holds `bytes` bytes, for a chain whose last it is. */
static void begin_buf(struct slt_buf *buf, uint32_t bytes)
{
    buf->next = SLT_NIL;
    buf->start = 0;
    buf->end = bytes;
    buf->refs = 1;
    buf->sealed = false;
}

/* Put a buffer of `bytes` bytes at the end. */
static void add_at_tail(struct slt_chain *chain, struct slt_pool *bufs, uint32_t index,
                        uint32_t bytes)
{
    begin_buf(slt_buf_at(bufs, index), bytes);
    if (chain->tail == SLT_NIL) {
        chain->head = index;
    } else {
        slt_buf_at(bufs, chain->tail)->next = index;
    }
    chain->tail = index;
}

/* Put an empty buffer at the end; false when the pool has none. */
static bool add_buf(struct slt_chain *chain, struct slt_pool *bufs)
{
    uint32_t index = slt_pool_take(bufs);
    if (index == SLT_NIL) {
        return false;
    }
    add_at_tail(chain, bufs, index, 0);
    return true;
}

void slt_chain_init(struct slt_chain *chain)
{
    *chain = (struct slt_chain){.head = SLT_NIL, .tail = SLT_NIL, .bytes = 0};
}

uint8_t *slt_chain_reserve(struct slt_chain *chain, struct slt_pool *bufs, uint32_t *room)
{
    *room = tail_room(chain, bufs);
    if (*room == 0) {
        if (!add_buf(chain, bufs)) {
            return NULL;
        }
        *room = buf_capacity(bufs);
    }
    struct slt_buf *buf = slt_buf_at(bufs, chain->tail);
    return buf->data + buf->end;
}

void slt_chain_grow(struct slt_chain *chain, struct slt_pool *bufs, uint32_t bytes)
{
    SLT_ASSERT(bytes <= tail_room(chain, bufs));
    SLT_ASSERT(bytes <= UINT32_MAX - chain->bytes);
    if (bytes == 0) {
        return;
    }
    slt_buf_at(bufs, chain->tail)->end += bytes;
    chain->bytes += bytes;
}

/* Nothing is queued and one buffer takes it all: most messages. */
static uint32_t append_first(struct slt_chain *chain, struct slt_pool *bufs, const uint8_t *data,
                             uint32_t bytes)
{
    uint32_t index = slt_pool_take(bufs);
    if (index == SLT_NIL) {
        return 0;
    }
    struct slt_buf *buf = slt_pool_at(bufs, index);
    begin_buf(buf, bytes);
    memcpy(buf->data, data, bytes);
    *chain = (struct slt_chain){.head = index, .tail = index, .bytes = bytes};
    return bytes;
}

uint32_t slt_chain_append(struct slt_chain *chain, struct slt_pool *bufs, const uint8_t *data,
                          uint32_t bytes)
{
    if (chain->head == SLT_NIL && bytes > 0 && bytes <= buf_capacity(bufs)) {
        return append_first(chain, bufs, data, bytes);
    }
    uint32_t taken = 0;
    uint32_t room = tail_room(chain, bufs);
    SLT_ASSERT(bytes <= UINT32_MAX - chain->bytes);
    while (taken < bytes) {
        if (room == 0) {
            if (!add_buf(chain, bufs)) {
                break;
            }
            room = buf_capacity(bufs);
        }
        struct slt_buf *buf = slt_buf_at(bufs, chain->tail);
        uint32_t n = slt_min32(room, bytes - taken);
        memcpy(buf->data + buf->end, data + taken, n);
        buf->end += n;
        taken += n;
        room -= n;
    }
    chain->bytes += taken;
    return taken;
}

/* ---- loans ---------------------------------------------------------------------------------- */

uint32_t slt_loan_object_bytes(void)
{
    return (uint32_t)(sizeof(struct slt_buf) + sizeof(struct slt_loan));
}

bool slt_loans_init(struct slt_loans *loans, struct slt_pool *bufs, uint32_t max)
{
    loans->back_head = SLT_NIL;
    loans->back_tail = SLT_NIL;
    bufs->loans = loans;
    return slt_pool_init(&loans->pool, bufs->mem, SLT_OWNER_LOAN, slt_loan_object_bytes(), max);
}

void slt_loans_deinit(struct slt_loans *loans, struct slt_pool *bufs)
{
    loans->back_head = SLT_NIL;
    loans->back_tail = SLT_NIL;
    bufs->loans = NULL;
    slt_pool_deinit(&loans->pool);
}

uint32_t slt_loan_take(struct slt_pool *bufs, const struct slt_loan *loan)
{
    SLT_ASSERT(bufs->loans != NULL);
    uint32_t index = slt_pool_take(&bufs->loans->pool);
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    index |= SLT_LOAN_BIT;
    *loan_of(slt_buf_at(bufs, index)) = *loan;
    return index;
}

void slt_loan_cancel(struct slt_pool *bufs, uint32_t index)
{
    SLT_ASSERT(index & SLT_LOAN_BIT);
    slt_pool_give(&bufs->loans->pool, index & ~SLT_LOAN_BIT);
}

void slt_chain_lend(struct slt_chain *chain, struct slt_pool *bufs, uint32_t index)
{
    uint32_t bytes = loan_of(slt_buf_at(bufs, index))->bytes;
    SLT_ASSERT(index & SLT_LOAN_BIT);
    SLT_ASSERT(bytes > 0 && bytes <= UINT32_MAX - chain->bytes);
    add_at_tail(chain, bufs, index, bytes);
    chain->bytes += bytes;
}

bool slt_loans_next(struct slt_loans *loans, struct slt_loan *loan)
{
    if (loans->back_head == SLT_NIL) {
        return false;
    }
    uint32_t index = loans->back_head & ~SLT_LOAN_BIT;
    struct slt_buf *buf = slt_pool_at(&loans->pool, index);
    SLT_ASSERT(buf->refs == 0);
    *loan = *loan_of(buf);
    loans->back_head = buf->next;
    if (loans->back_head == SLT_NIL) {
        loans->back_tail = SLT_NIL;
    }
    slt_pool_give(&loans->pool, index);
    return true;
}

/* ---- taking away and looking ---------------------------------------------------------------- */

void slt_chain_clear(struct slt_chain *chain, struct slt_pool *bufs)
{
    if (chain->head != SLT_NIL) {
        release_from(bufs, chain->head);
    }
    slt_chain_init(chain);
}

void slt_chain_drop(struct slt_chain *chain, struct slt_pool *bufs, uint32_t bytes)
{
    SLT_ASSERT(bytes <= chain->bytes);
    if (bytes == chain->bytes) {
        slt_chain_clear(chain, bufs);
        return;
    }
    chain->bytes -= bytes;
    struct slt_buf *buf = slt_buf_at(bufs, chain->head);
    while (bytes >= buf_bytes(buf)) {
        uint32_t emptied = chain->head;
        bytes -= buf_bytes(buf);
        chain->head = buf->next;
        SLT_ASSERT(chain->head != SLT_NIL);
        release_buf(bufs, emptied, buf);
        buf = slt_buf_at(bufs, chain->head);
    }
    buf->start += bytes;
}

void slt_chain_trim(struct slt_chain *chain, struct slt_pool *bufs, uint32_t bytes)
{
    SLT_ASSERT(bytes <= chain->bytes);
    if (bytes == 0) {
        return;
    }
    chain->bytes -= bytes;
    if (chain->bytes == 0) {
        slt_chain_clear(chain, bufs);
        return;
    }
    uint32_t kept = chain->bytes;
    uint32_t last = chain->head;
    struct slt_buf *buf = slt_buf_at(bufs, last);
    while (kept > buf_bytes(buf)) {
        kept -= buf_bytes(buf);
        last = buf->next;
        SLT_ASSERT(last != SLT_NIL);
        buf = slt_buf_at(bufs, last);
    }
    if (buf->start + kept < buf->end) {
        buf->end = buf->start + kept;
        buf->sealed = buf->refs > 1;
    }
    release_from(bufs, buf->next);
    buf->next = SLT_NIL;
    chain->tail = last;
}

void slt_chain_join(struct slt_chain *to, struct slt_chain *from, struct slt_pool *bufs)
{
    SLT_ASSERT(to != from);
    SLT_ASSERT(from->bytes <= UINT32_MAX - to->bytes);
    if (from->bytes == 0) {
        slt_chain_clear(from, bufs);
        return;
    }
    if (to->bytes == 0) {
        slt_chain_clear(to, bufs);
        *to = *from;
    } else {
        slt_buf_at(bufs, to->tail)->next = from->head;
        to->tail = from->tail;
        to->bytes += from->bytes;
    }
    slt_chain_init(from);
}

struct slt_cursor slt_chain_seek(const struct slt_chain *chain, const struct slt_pool *bufs,
                                 uint32_t offset)
{
    SLT_ASSERT(offset <= chain->bytes);
    if (offset == 0) {
        return slt_cursor_first();
    }
    uint32_t index = chain->head;
    const struct slt_buf *buf = slt_buf_at(bufs, index);
    while (offset > buf_bytes(buf)) {
        offset -= buf_bytes(buf);
        index = buf->next;
        buf = slt_buf_at(bufs, index);
    }
    return (struct slt_cursor){.buf = index, .off = buf->start + offset};
}

uint32_t slt_chain_view(const struct slt_chain *chain, const struct slt_pool *bufs,
                        struct slt_cursor cursor, uint32_t bytes, struct slt_piece *pieces,
                        uint32_t max, uint32_t *seen, struct slt_cursor *after)
{
    uint32_t count = 0;
    uint32_t index = cursor.buf;
    uint32_t off = cursor.off;
    if (index == SLT_NIL) {
        index = chain->head;
        off = index == SLT_NIL ? 0 : slt_buf_at(bufs, index)->start;
    }
    *seen = 0;
    *after = cursor;
    while (index != SLT_NIL && *seen < bytes && count < max) {
        const struct slt_buf *buf = slt_buf_at(bufs, index);
        SLT_ASSERT(off >= buf->start);
        SLT_ASSERT(off <= buf->end);
        uint32_t n = slt_min32(buf->end - off, bytes - *seen);
        if (n > 0) {
            pieces[count] =
                (struct slt_piece){.data = bytes_of(buf, index) + off, .bytes = n, .buf = index};
            count++;
            *seen += n;
            *after = (struct slt_cursor){.buf = index, .off = off + n};
        }
        index = buf->next;
        off = index == SLT_NIL ? 0 : slt_buf_at(bufs, index)->start;
    }
    return count;
}

struct slt_cursor slt_chain_skip(const struct slt_chain *chain, const struct slt_pool *bufs,
                                 struct slt_cursor cursor, uint32_t bytes)
{
    struct slt_cursor at = cursor;

    if (at.buf == SLT_NIL && chain->head != SLT_NIL) {
        at = (struct slt_cursor){.buf = chain->head, .off = slt_buf_at(bufs, chain->head)->start};
    }
    while (bytes > 0 && at.buf != SLT_NIL) {
        const struct slt_buf *buf = slt_buf_at(bufs, at.buf);
        uint32_t n = slt_min32(buf->end - at.off, bytes);
        at.off += n;
        bytes -= n;
        if (bytes > 0) {
            if (buf->next == SLT_NIL) {
                break;
            }
            at = (struct slt_cursor){.buf = buf->next, .off = slt_buf_at(bufs, buf->next)->start};
        }
    }
    return at;
}

uint32_t slt_chain_peek(const struct slt_chain *chain, const struct slt_pool *bufs, uint32_t offset,
                        uint8_t *out, uint32_t bytes)
{
    if (offset >= chain->bytes) {
        return 0;
    }
    uint32_t wanted = slt_min32(bytes, chain->bytes - offset);
    uint32_t index = chain->head;
    const struct slt_buf *buf = slt_buf_at(bufs, index);
    while (offset > buf_bytes(buf)) {
        offset -= buf_bytes(buf);
        index = buf->next;
        buf = slt_buf_at(bufs, index);
    }
    uint32_t copied = 0;
    for (;;) {
        uint32_t n = slt_min32(buf_bytes(buf) - offset, wanted - copied);
        if (copied + n < wanted) {
            slt_prefetch(slt_buf_at(bufs, buf->next));
        }
        memcpy(out + copied, bytes_of(buf, index) + buf->start + offset, n);
        copied += n;
        if (copied == wanted) {
            return copied;
        }
        offset = 0;
        index = buf->next;
        buf = slt_buf_at(bufs, index);
    }
}

void slt_pieces_hold(struct slt_pool *bufs, const struct slt_piece *pieces, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slt_buf *buf = slt_buf_at(bufs, pieces[i].buf);
        SLT_ASSERT(buf->refs > 0);
        SLT_ASSERT(buf->refs < UINT16_MAX);
        buf->refs++;
    }
}

void slt_pieces_release(struct slt_pool *bufs, const struct slt_piece *pieces, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        release_buf(bufs, pieces[i].buf, slt_buf_at(bufs, pieces[i].buf));
    }
}

uint32_t slt_chain_buffers(const struct slt_chain *chain, const struct slt_pool *bufs)
{
    uint32_t count = 0;
    for (uint32_t i = chain->head; i != SLT_NIL; i = slt_buf_at(bufs, i)->next) {
        count++;
    }
    return count;
}
