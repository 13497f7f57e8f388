/* Receiving text: the urgent pointer, reassembly, SACK and D-SACK blocks, reading (RFC 9293
 * 3.10.7.4 sixth and seventh; RFC 2018, RFC 2883). The one writer of c->rcv but for the window's
 * edge (window.c).
 *
 * Text in order is appended to the receive queue and takes with it the held runs it now touches.
 * Text above a gap is held as runs in an ordered set (base/ranges.h), each with its bytes; the
 * first copy of a byte wins and is never rewritten (D16, I-05). The number of runs is bounded per
 * connection and per instance; a segment over the limit is dropped and counted, and text in order
 * is always taken (H02). Each run that grew is remembered among the last four, which is the order
 * in which SACK blocks are reported (R2018-04, R2018-05).
 */
#include "tcp/engine.h"

#define RECENT_COUNT 4

/* ---- urgent data ---------------------------------------------------------------------------- */

/* Sixth, check the URG bit: RCV.UP moves forward only, and the user is told (MUST-32). The pointer
 * is a mark in the stream; no length is ever computed from it (C01, RFC 6093). */
void slt_tcp_note_urgent(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    (void)tcp;
    if (!(in->seg->flags & SLT_TCP_URG) || c->state < SALUT_STATE_ESTABLISHED ||
        slt_tcp_has(c, SLT_CONN_FIN_TAKEN)) {
        return; /* U-02 */
    }
    int64_t up = in->pos + in->seg->urgent; /* the octet behind the urgent data (MUST-62) */
    int64_t known = slt_tcp_has(c, SLT_CONN_URGENT_IN) ? slt_pos_expand(c->rcv.nxt, c->rcv.up_low)
                                                       : c->rcv.nxt - c->rcv.queue.bytes;
    if (up > known) {
        c->rcv.up_low = (uint32_t)up;
        c->flags |= SLT_CONN_URGENT_IN | SLT_CONN_URGENT_NEWS;
    }
}

/* How far the last urgent byte lies ahead of what was read (MUST-33). */
uint32_t slt_tcp_urgent_ahead(const struct slt_tcp_conn *c)
{
    if (!slt_tcp_has(c, SLT_CONN_URGENT_IN)) {
        return 0;
    }
    int64_t read_pos =
        c->rcv.nxt - (slt_tcp_has(c, SLT_CONN_FIN_TAKEN) ? 1 : 0) - (int64_t)c->rcv.queue.bytes;
    return (uint32_t)slt_max64(slt_pos_expand(c->rcv.nxt, c->rcv.up_low) - read_pos, 0);
}

/* ---- duplicates  ------------------------------------------------------------- */

/* Remember a duplicate for one D-SACK report (R2883-01, R2883-02). */
void slt_tcp_note_duplicate(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start, int64_t end,
                            int64_t now_ns)
{
    if (!slt_tcp_has(c, SLT_CONN_SACK_OK) || !tcp->config->dsack || start >= end ||
        !slt_tcp_cold_get(tcp, c, now_ns)) {
        return;
    }
    struct slt_tcp_held *held = &c->cold->held;
    held->dup_start = start;
    held->dup_end = end;
}

/* What lies at `pos`, between `start` and `end`, grew: it comes first, and stands there once. A run
 * that grows segment by segment must not push out the others: they are told of again for whoever
 * missed it (R2018-05). */
static void remember_run(struct slt_tcp_held *held, int64_t pos, int64_t start, int64_t end)
{
    int64_t before[RECENT_COUNT];
    int count = 1;

    memcpy(before, held->recent, sizeof(before));
    memset(held->recent, 0, sizeof(held->recent));
    held->recent[0] = pos;
    for (int i = 0; i < RECENT_COUNT && count < RECENT_COUNT; i++) {
        if (before[i] < start || before[i] >= end) {
            held->recent[count++] = before[i];
        }
    }
}

static void remember_text(struct slt_tcp *tcp, struct slt_tcp_held *held, int64_t pos)
{
    uint32_t index = slt_ranges_floor(&held->runs, &tcp->ranges, pos);
    const struct slt_range *run = slt_pool_at(&tcp->ranges, index);

    remember_run(held, pos, run->start, run->end);
}

/* ---- text above a gap ----------------------------------------------------------------------- */

/* Put [pos, pos + bytes), which no run covers, into the run that ends at pos or a new one. */
static bool hold_piece(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t pos,
                       const uint8_t *data, uint32_t bytes)
{
    struct slt_tcp_held *held = &c->cold->held;
    uint32_t index = slt_ranges_floor(&held->runs, &tcp->ranges, pos);
    struct slt_range *run = index == SLT_NIL ? NULL : slt_pool_at(&tcp->ranges, index);
    bool fresh = run == NULL || run->end != pos;

    if (fresh) {
        if (held->runs.count >= tcp->config->ranges_per_conn_max) {
            return false;
        }
        index = slt_ranges_insert(&held->runs, &tcp->ranges, pos, pos + bytes);
        if (index == SLT_NIL) {
            return false;
        }
        run = slt_pool_at(&tcp->ranges, index);
    }
    uint32_t taken = slt_chain_append(&run->chain, &tcp->bufs, data, bytes);
    held->bytes += taken;
    run->end = pos + taken;
    if (run->end == run->start) {
        slt_ranges_remove(&held->runs, &tcp->ranges, index);
    }
    return taken == bytes;
}

/* Join run `index` with the one that starts where it ends, if any. */
static void join_next(struct slt_tcp *tcp, struct slt_tcp_held *held, uint32_t index)
{
    struct slt_range *run = slt_pool_at(&tcp->ranges, index);
    uint32_t above = slt_ranges_above(&held->runs, &tcp->ranges, run->start);

    if (above == SLT_NIL) {
        return;
    }
    struct slt_range *next = slt_pool_at(&tcp->ranges, above);
    if (next->start != run->end) {
        return;
    }
    int64_t end = next->end;
    slt_chain_join(&run->chain, &next->chain, &tcp->bufs);
    slt_ranges_remove(&held->runs, &tcp->ranges, above);
    run->end = end;
}

/* The first position at or after `pos` that no run covers; what is skipped is a duplicate. */
static int64_t skip_held(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in,
                         int64_t pos, int64_t end)
{
    struct slt_tcp_held *held = &c->cold->held;
    uint32_t index = slt_ranges_floor(&held->runs, &tcp->ranges, pos);

    if (index == SLT_NIL) {
        return pos;
    }
    const struct slt_range *run = slt_pool_at(&tcp->ranges, index);
    if (run->end <= pos) {
        return pos;
    }
    in->duplicate_text = true;
    slt_tcp_note_duplicate(tcp, c, pos, slt_min64(run->end, end), in->now_ns);
    return run->end;
}

/* Hold text that lies above a gap (SHLD-31): only the bytes no run has yet. */
static enum slt_reason hold_text(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    struct slt_tcp_held *held = &c->cold->held;
    int64_t end = in->text_pos + in->text_bytes;
    int64_t pos = in->text_pos;
    bool grew = false;

    while (pos < end) {
        tcp->work++;
        pos = skip_held(tcp, c, in, pos, end);
        if (pos >= end) {
            break;
        }
        uint32_t above = slt_ranges_above(&held->runs, &tcp->ranges, pos);
        int64_t until = end;
        if (above != SLT_NIL) {
            const struct slt_range *next = slt_pool_at(&tcp->ranges, above);
            until = slt_min64(end, next->start);
        }
        if (!hold_piece(tcp, c, pos, in->text + (pos - in->text_pos), (uint32_t)(until - pos))) {
            return SLT_DROP_TCP_REASSEMBLY_LIMIT;
        }
        join_next(tcp, held, slt_ranges_floor(&held->runs, &tcp->ranges, pos));
        grew = true;
        pos = until;
    }
    if (grew) {
        remember_text(tcp, held, in->text_pos);
        in->out_of_order = true;
        c->cold->held_segs++;
    }
    return grew ? SLT_PASS : SLT_DROP_TCP_DUPLICATE;
}

/* ---- text in order -------------------------------------------------------------------------- */

/* RCV.NXT has moved: take the held runs it reached. */
static void take_held(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    if (c->cold == NULL) {
        return;
    }
    struct slt_tcp_held *held = &c->cold->held;
    uint32_t index = slt_ranges_first(&held->runs, &tcp->ranges);

    while (index != SLT_NIL) {
        struct slt_range *run = slt_pool_at(&tcp->ranges, index);
        tcp->work++;
        if (run->start > c->rcv.nxt) {
            break;
        }
        uint32_t old = (uint32_t)slt_min64(c->rcv.nxt - run->start, run->chain.bytes);
        if (old > 0) {
            slt_tcp_note_duplicate(tcp, c, run->start, run->start + old, in->now_ns);
            slt_chain_drop(&run->chain, &tcp->bufs, old);
            held->bytes -= old;
        }
        held->bytes -= run->chain.bytes;
        c->rcv.nxt += run->chain.bytes;
        slt_chain_join(&c->rcv.queue, &run->chain, &tcp->bufs);
        slt_ranges_remove(&held->runs, &tcp->ranges, index);
        index = slt_ranges_first(&held->runs, &tcp->ranges);
    }
    in->filled = true;
}

static enum slt_reason append_text(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                   struct slt_tcp_in *in)
{
    uint32_t taken = slt_chain_append(&c->rcv.queue, &tcp->bufs, in->text, in->text_bytes);

    c->rcv.nxt += taken;
    in->new_text = in->new_text || taken > 0;
    if (c->cold != NULL && c->cold->held.runs.count > 0) {
        take_held(tcp, c, in);
    }
    return taken == in->text_bytes ? SLT_PASS : SLT_DROP_TCP_NO_BUFFER;
}

/* Bytes at or beyond the peer's FIN are not the stream's (K17, F02). */
static bool cut_at_fin(const struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    if (!slt_tcp_has(c, SLT_CONN_FIN_KNOWN)) {
        return false;
    }
    int64_t fin = slt_pos_expand(c->rcv.nxt, c->rcv.fin_low);
    if (in->text_pos + in->text_bytes <= fin) {
        return false;
    }
    in->text_bytes = (uint32_t)slt_max64(fin - in->text_pos, 0);
    return true;
}

/* A FIN in this segment that lies below what is already held is a lie of the peer's: the stream's
 * end is fixed by the first FIN accepted, never before bytes he has sent. */
static void refuse_early_fin(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             struct slt_tcp_in *in)
{
    if (!in->fin || c->cold == NULL) {
        return;
    }
    const struct slt_tcp_held *held = &c->cold->held;
    uint32_t last = slt_ranges_last(&held->runs, &tcp->ranges);
    if (last != SLT_NIL) {
        const struct slt_range *run = slt_pool_at(&tcp->ranges, last);
        in->fin = in->fin_pos >= run->end;
    }
}

/* Data after close: nobody will read it, and the peer must learn that (SHLD-3, L-03, SOCK-03). */
static bool is_data_after_close(const struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    return slt_tcp_has(c, SLT_CONN_USER_CLOSED) && in->text_bytes > 0 &&
           (c->state == SALUT_STATE_FIN_WAIT_1 || c->state == SALUT_STATE_FIN_WAIT_2);
}

/* Seventh, process the segment text. */
void slt_tcp_take_text(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    in->dropped_text = SLT_PASS;
    if (in->only_ack || c->state == SALUT_STATE_CLOSED) {
        return;
    }
    refuse_early_fin(tcp, c, in);
    if (in->text_bytes == 0) {
        return;
    }
    if (c->state >= SALUT_STATE_CLOSE_WAIT) {
        in->text_bytes = 0; /* the FIN was there: nothing may follow (n19) */
        slt_count(tcp->telemetry, SLT_DROP_TCP_TEXT_AFTER_FIN);
        return;
    }
    if (is_data_after_close(c, in)) {
        in->after_close = true;
        in->text_bytes = 0;
        return;
    }
    if (cut_at_fin(c, in)) {
        slt_count(tcp->telemetry, SLT_DROP_TCP_TEXT_AFTER_FIN);
        if (in->text_bytes == 0) {
            return;
        }
    }
    if (in->text_pos <= c->rcv.nxt) {
        in->dropped_text = append_text(tcp, c, in);
    } else if (!slt_tcp_cold_get(tcp, c, in->now_ns)) {
        in->dropped_text = SLT_DROP_TCP_NO_BUFFER;
    } else {
        in->dropped_text = hold_text(tcp, c, in);
    }
    if (in->dropped_text != SLT_PASS) {
        slt_count(tcp->telemetry, in->dropped_text);
    }
}

/* ---- the FIN's place, reading, limits -------------------------------------------------------- */

void slt_tcp_rcv_fin_at(struct slt_tcp_conn *c, int64_t fin_pos)
{
    c->rcv.fin_low = (uint32_t)fin_pos;
    c->flags |= SLT_CONN_FIN_KNOWN;
    if (c->cold != NULL && c->cold->held.runs.count > 0) {
        remember_run(&c->cold->held, fin_pos, fin_pos,
                     fin_pos + 1); /* RFC 2018 4: what came last is told first */
    }
}

/* RCV.NXT steps over the peer's FIN, once (n20). */
void slt_tcp_rcv_passed_fin(struct slt_tcp_conn *c)
{
    SLT_ASSERT(!slt_tcp_has(c, SLT_CONN_FIN_TAKEN));
    c->rcv.nxt++;
    c->flags |= SLT_CONN_FIN_TAKEN;
}

/* The user has taken `bytes` from the head of the queue. */
void slt_tcp_rcv_read(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint32_t bytes)
{
    slt_chain_drop(&c->rcv.queue, &tcp->bufs, bytes);
    if (slt_tcp_has(c, SLT_CONN_URGENT_IN) && slt_tcp_urgent_ahead(c) == 0) {
        c->flags &= ~(uint32_t)(SLT_CONN_URGENT_IN | SLT_CONN_URGENT_NEWS);
    }
}

void slt_tcp_rcv_clear(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    slt_chain_clear(&c->rcv.queue, &tcp->bufs);
}

void slt_tcp_rcv_buffer(struct slt_tcp_conn *c, uint32_t bytes)
{
    c->rcv.buffer_max = bytes;
}

/* A segment with the SACK blocks has left: the duplicate has been told (R2883-02). */
void slt_tcp_rcv_reported(struct slt_tcp_cold *cold)
{
    cold->held.dup_end = cold->held.dup_start;
}
