/* Queues of datagrams: one chain of bytes each, every datagram behind its head.
 *
 *     | head | payload ... | head | payload | head | (nothing) | head | payload ...
 *
 * Appending fills buffers to their end, whatever datagram they hold, so that a queue of small ones
 * costs little more than their bytes; dropping gives buffers back from the front. A datagram that
 * does not fit whole leaves the chain as it was.
 */
#include "udp/udp.h"

#define HEAD_BYTES ((uint32_t)sizeof(struct slt_udp_head))

/* A head of 40 bytes lies in at most two buffers, of which none is smaller than 64. */
#define HEAD_PIECES 3U

/* Pieces copied at a time from one queue to another. */
#define COPY_PIECES 8U

static uint32_t size_of(const struct slt_udp_head *head)
{
    return HEAD_BYTES + head->bytes;
}

/* Room for this datagram in what all queues share. */
static bool has_share(const struct slt_udp *udp, const struct slt_udp_head *head)
{
    return udp->queued_bytes + size_of(head) <= udp->queued_max;
}

static bool append(const struct slt_udp *udp, struct slt_udp_queue *queue, const void *data,
                   size_t bytes)
{
    return slt_chain_append(&queue->chain, udp->bufs, data, (uint32_t)bytes) == (uint32_t)bytes;
}

/* Take back what was appended beyond `bytes`: the pool had no buffer for the rest. */
static void cut_to(const struct slt_udp *udp, struct slt_udp_queue *queue, uint32_t bytes)
{
    slt_chain_trim(&queue->chain, udp->bufs, queue->chain.bytes - bytes);
}

static bool put(struct slt_udp *udp, struct slt_udp_queue *queue, const struct slt_udp_head *head,
                const struct salut_iovec *pieces, size_t count)
{
    uint32_t before = queue->chain.bytes;
    bool whole = append(udp, queue, head, HEAD_BYTES);
    for (size_t i = 0; i < count && whole; i++) {
        whole = pieces[i].bytes == 0 || append(udp, queue, pieces[i].base, pieces[i].bytes);
    }
    if (!whole) {
        cut_to(udp, queue, before);
        return false;
    }
    SLT_ASSERT(queue->chain.bytes - before == size_of(head));
    queue->count++;
    udp->queued_bytes += size_of(head);
    return true;
}

enum slt_reason slt_udp_deliver(struct slt_udp *udp, struct slt_udp_sock *s,
                                const struct slt_udp_head *head, const uint8_t *payload)
{
    const struct salut_iovec piece = {payload, head->bytes};
    SLT_ASSERT(!slt_udp_has(s, SLT_UDP_ORPHAN));
    if (s->in.chain.bytes + size_of(head) > s->recv_max) {
        s->drops++;
        return SLT_DROP_UDP_QUEUE_FULL;
    }
    if (!has_share(udp, head) || !put(udp, &s->in, head, &piece, 1)) {
        s->drops++;
        return SLT_DROP_UDP_NO_BUFFER;
    }
    s->datagrams_in++;
    s->bytes_in += head->bytes;
    slt_udp_news(udp, s);
    return SLT_NOTE_UDP_TAKEN;
}

enum salut_status slt_udp_send(struct slt_udp *udp, struct slt_udp_sock *s,
                               const struct slt_udp_head *head, const struct salut_iovec *pieces,
                               size_t count)
{
    if (s->out.chain.bytes + s->held.chain.bytes >= s->send_max) {
        return SALUT_WOULD_BLOCK;
    }
    if (!has_share(udp, head) || !put(udp, &s->out, head, pieces, count)) {
        return SALUT_NO_MEMORY;
    }
    slt_udp_push(udp, SLT_UDP_LIST_DIRTY, s);
    return SALUT_OK;
}

/* ---- looking -------------------------------------------------------------------------------- */

struct slt_udp_queue *slt_udp_sendable(struct slt_udp_sock *s)
{
    if (s->cut.at > 0) {
        return s->cut.held ? &s->held : &s->out;
    }
    if (s->held_left > 0) {
        return &s->held;
    }
    return s->out.count > 0 ? &s->out : NULL;
}

bool slt_udp_step(const struct slt_udp *udp, const struct slt_udp_queue *queue,
                  struct slt_udp_place *place, struct slt_udp_head *head)
{
    struct slt_piece pieces[HEAD_PIECES];
    uint8_t bytes[sizeof(*head)];
    uint32_t seen = 0;
    uint32_t at = 0;
    const struct slt_chain *chain = &queue->chain;
    if (place->number == queue->count) {
        return false;
    }
    struct slt_cursor cursor = place->number == 0
                                   ? slt_cursor_first()
                                   : slt_chain_skip(chain, udp->bufs, place->cursor, place->bytes);
    uint32_t count = slt_chain_view(chain, udp->bufs, cursor, HEAD_BYTES, pieces, HEAD_PIECES,
                                    &seen, &place->cursor);
    SLT_ASSERT(seen == HEAD_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(bytes + at, pieces[i].data, pieces[i].bytes);
        at += pieces[i].bytes;
    }
    memcpy(head, bytes, sizeof(*head));
    place->bytes = head->bytes;
    place->number++;
    return true;
}

/* ---- taking away ---------------------------------------------------------------------------- */

void slt_udp_drop_known(struct slt_udp *udp, struct slt_udp_sock *s, struct slt_udp_queue *queue,
                        const struct slt_udp_head *head)
{
    SLT_ASSERT(queue->count > 0);
    SLT_ASSERT(udp->queued_bytes >= size_of(head));
    slt_chain_drop(&queue->chain, udp->bufs, size_of(head));
    udp->queued_bytes -= size_of(head);
    queue->count--;
    if (queue != &s->in && queue == (s->cut.held ? &s->held : &s->out)) {
        s->cut.at = 0;
    }
    if (queue == &s->held && s->held_left > 0) {
        s->held_left--;
    }
}

void slt_udp_drop_first(struct slt_udp *udp, struct slt_udp_sock *s, struct slt_udp_queue *queue)
{
    struct slt_udp_place place = {.number = 0};
    struct slt_udp_head head;
    bool there = slt_udp_step(udp, queue, &place, &head);
    SLT_ASSERT(there);
    slt_udp_drop_known(udp, s, queue, &head);
}

/* Copy the first datagram of `from` to the end of `held`, which may be the same. */
static bool copy_first(struct slt_udp *udp, struct slt_udp_sock *s,
                       const struct slt_udp_queue *from)
{
    struct slt_udp_place place = {.number = 0};
    struct slt_udp_head head;
    struct slt_piece pieces[COPY_PIECES];
    bool whole = slt_udp_step(udp, from, &place, &head);
    uint32_t before = s->held.chain.bytes;
    whole = whole && has_share(udp, &head) && append(udp, &s->held, &head, HEAD_BYTES);
    for (uint32_t left = head.bytes; left > 0 && whole;) {
        uint32_t seen = 0;
        uint32_t count = slt_chain_view(&from->chain, udp->bufs, place.cursor, left, pieces,
                                        COPY_PIECES, &seen, &place.cursor);
        SLT_ASSERT(count > 0);
        for (uint32_t i = 0; i < count && whole; i++) {
            whole = append(udp, &s->held, pieces[i].data, pieces[i].bytes);
        }
        left -= seen;
    }
    if (!whole) {
        cut_to(udp, &s->held, before);
        return false;
    }
    s->held.count++;
    udp->queued_bytes += size_of(&head);
    return true;
}

uint32_t slt_udp_hold(struct slt_udp *udp, struct slt_udp_sock *s)
{
    struct slt_udp_queue *from = slt_udp_sendable(s);
    struct slt_udp_place place = {.number = 0};
    struct slt_udp_head head;
    uint32_t lost = 0;
    bool there = from != NULL && slt_udp_step(udp, from, &place, &head);
    SLT_ASSERT(there);
    /* Half of the queue's bytes may wait for neighbours, and one datagram always (RFC
     * 1122 2.3.2.2); the oldest makes way. */
    while (from == &s->out && s->held.count > 0 &&
           s->held.chain.bytes + size_of(&head) > s->send_max / 2) {
        slt_udp_drop_first(udp, s, &s->held);
        lost++;
    }
    if (!copy_first(udp, s, from)) {
        lost++;
    }
    slt_udp_drop_first(udp, s, from);
    if (s->held.count > 0) {
        slt_udp_push(udp, SLT_UDP_LIST_WAITING, s);
    }
    return lost;
}

void slt_udp_wake(struct slt_udp *udp)
{
    struct slt_udp_sock *s;
    while ((s = slt_udp_pop(udp, SLT_UDP_LIST_WAITING)) != NULL) {
        s->held_left = s->held.count;
        if (s->held_left > 0) {
            slt_udp_push(udp, SLT_UDP_LIST_DIRTY, s);
        }
    }
}
