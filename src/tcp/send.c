/* The send queue and the SND variables (RFC 9293 3.3.1): the one writer of c->snd.
 *
 * The queue holds every byte from max(SND.UNA, 1) on, sent or not, copied or in memory that the
 * user has lent; a byte leaves it when it is acknowledged cumulatively and never before (R2018-06),
 * or with the connection. SND.NXT is the highest position ever sent; what is sent again is
 * recovery.c's business. The cursor remembers where SND.NXT lies in the queue, so that sending
 * never searches.
 */
#include "tcp/engine.h"

#define DEFAULT_MSS_V4 536 /* RFC 9293 3.7.1 (MUST-15) */
#define DEFAULT_MSS_V6 1220
#define WSCALE_MAX     14 /* RFC 7323 2.3: larger shifts are taken as 14 (R7323-07) */

uint32_t slt_tcp_snd_room(const struct slt_tcp_conn *c)
{
    return c->snd.queue.bytes < c->snd.buffer_max ? c->snd.buffer_max - c->snd.queue.bytes : 0;
}

/* Queue what the buffer limit and the pool allow; returns the bytes taken. */
uint32_t slt_tcp_snd_append(struct slt_tcp *tcp, struct slt_tcp_conn *c, const uint8_t *data,
                            uint32_t bytes)
{
    SLT_ASSERT(!slt_tcp_has(c, SLT_CONN_FIN_QUEUED));
    return slt_chain_append(&c->snd.queue, &tcp->bufs, data, slt_min32(bytes, slt_tcp_snd_room(c)));
}

/* Room at the tail to write in place: what the buffer limit and one buffer allow; NULL: no buffer.
 */
uint8_t *slt_tcp_snd_reserve(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint32_t *bytes)
{
    uint8_t *at = slt_chain_reserve(&c->snd.queue, &tcp->bufs, bytes);

    *bytes = slt_min32(*bytes, slt_tcp_snd_room(c));
    return at;
}

/* The first `bytes` of that room are text now; false when it is not as large. A room that is given
 * back unused (0 bytes) costs an empty queue its buffer. */
bool slt_tcp_snd_grow(struct slt_tcp *tcp, struct slt_tcp_conn *c, size_t bytes)
{
    uint32_t room = 0;

    SLT_ASSERT(!slt_tcp_has(c, SLT_CONN_FIN_QUEUED));
    if (bytes == 0 && c->snd.queue.bytes == 0) {
        slt_tcp_snd_clear(tcp, c);
        return true;
    }
    if (slt_tcp_snd_reserve(tcp, c, &room) == NULL || bytes > room) {
        return bytes == 0;
    }
    slt_chain_grow(&c->snd.queue, &tcp->bufs, (uint32_t)bytes);
    return true;
}

/* Queue a user's memory as it lies, all of it: the buffer limit says when the next call may come. A
 * short loan is copied instead, for a frame must find a segment's text in few pieces: what is not
 * copied makes up for the half empty buffer that may lie before it. False: no room for the note, or
 * for the copy. */
bool slt_tcp_snd_lend(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_loan *loan)
{
    uint32_t index = slt_loan_take(&tcp->bufs, loan);

    SLT_ASSERT(!slt_tcp_has(c, SLT_CONN_FIN_QUEUED));
    if (index == SLT_NIL) {
        return false;
    }
    if (loan->bytes >= 2 * tcp->config->buffer_bytes) {
        slt_chain_lend(&c->snd.queue, &tcp->bufs, index);
        return true;
    }
    uint32_t taken = slt_chain_append(&c->snd.queue, &tcp->bufs, loan->data, loan->bytes);
    if (taken < loan->bytes) {
        slt_chain_trim(&c->snd.queue, &tcp->bufs, taken);
        slt_loan_cancel(&tcp->bufs, index);
        return false;
    }
    slt_loan_return(&tcp->bufs, index);
    return true;
}

void slt_tcp_snd_start(struct slt_tcp_conn *c, uint32_t isn)
{
    c->snd.isn = isn;
    c->snd.una = 0;
    c->snd.nxt = 0;
    c->snd.cursor = (struct slt_cursor){.buf = SLT_NIL};
}

/* Take what the peer's SYN says about sending to him. */
void slt_tcp_snd_peer(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                      const struct slt_tcp_options *opt)
{
    uint16_t mss = c->ip_bytes == 40 ? DEFAULT_MSS_V6 : DEFAULT_MSS_V4;

    if ((opt->present & SLT_TCP_OPT_MSS) && opt->mss != 0) {
        mss = opt->mss < tcp->config->mss_min ? tcp->config->mss_min : opt->mss; /* L-56, B05 */
    }
    if (c->opts.max_segment != 0 && mss > c->opts.max_segment) {
        mss = c->opts.max_segment;
    }
    c->snd.peer_mss = mss;
    c->snd.wscale = slt_tcp_has(c, SLT_CONN_WSCALE_OK) ? (uint8_t)slt_min32(opt->wscale, WSCALE_MAX)
                                                       : 0; /* R7323-05 */
}

/* SND.UNA moves to `ack_pos`: what lies below is acknowledged for good. */
void slt_tcp_snd_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t ack_pos)
{
    SLT_ASSERT(ack_pos > c->snd.una && ack_pos <= c->snd.nxt);
    int64_t first = slt_max64(c->snd.una, 1);
    int64_t bytes = slt_min64(ack_pos - first, c->snd.queue.bytes);

    if (bytes > 0) {
        slt_chain_drop(&c->snd.queue, &tcp->bufs, (uint32_t)bytes);
    }
    c->snd.una = ack_pos;
    if (c->snd.una == c->snd.nxt || c->snd.queue.bytes == 0) {
        c->snd.cursor = (struct slt_cursor){.buf = SLT_NIL};
    }
    if (slt_tcp_has(c, SLT_CONN_URGENT_OUT) && slt_pos_expand(ack_pos, c->snd.up_low) <= ack_pos) {
        c->flags &= ~(uint32_t)SLT_CONN_URGENT_OUT;
    }
}

/* SND.NXT moves to `nxt`; `cursor` is where that lies. */
void slt_tcp_snd_sent(struct slt_tcp_conn *c, int64_t nxt, struct slt_cursor cursor)
{
    SLT_ASSERT(nxt > c->snd.nxt);
    c->snd.nxt = nxt;
    c->snd.cursor = cursor;
}

/* What lies above SND.UNA was refused with the SYN that carried it: as if it had not been sent. */
void slt_tcp_snd_unsent(struct slt_tcp_conn *c)
{
    c->snd.nxt = c->snd.una;
    c->snd.cursor = (struct slt_cursor){.buf = SLT_NIL};
}

/* RFC 9293 3.10.7.4 (U-15): only a segment not older than the last that set the window may. */
bool slt_tcp_snd_window_is_news(const struct slt_tcp_conn *c, int64_t seq_pos, int64_t ack_pos)
{
    int64_t wl1 = slt_pos_expand(seq_pos, c->snd.wl1_low);
    int64_t wl2 = slt_pos_expand(ack_pos, c->snd.wl2_low);

    return wl1 < seq_pos || (wl1 == seq_pos && wl2 <= ack_pos);
}

void slt_tcp_snd_window(struct slt_tcp_conn *c, uint32_t wnd, int64_t seq_pos, int64_t ack_pos)
{
    c->snd.wnd = wnd;
    c->snd.wnd_max = slt_max32(c->snd.wnd_max, wnd);
    c->snd.wl1_low = (uint32_t)seq_pos;
    c->snd.wl2_low = (uint32_t)ack_pos;
}

/* What the peer still takes beyond `nxt`; negative when the window shrank (MUST-34). */
int64_t slt_tcp_snd_usable(const struct slt_tcp_conn *c, int64_t nxt)
{
    return c->snd.una + c->snd.wnd - nxt;
}

/* The last byte queued ends urgent data: SND.UP points behind it (MUST-62). */
void slt_tcp_snd_urgent(struct slt_tcp_conn *c)
{
    c->snd.up_low = (uint32_t)slt_tcp_snd_end(c);
    c->flags |= SLT_CONN_URGENT_OUT;
}

void slt_tcp_snd_pmtu(struct slt_tcp_conn *c, uint16_t pmtu, uint8_t at_min)
{
    c->snd.pmtu = pmtu;
    c->snd.pmtu_at_min = at_min;
}

void slt_tcp_snd_size_acked(struct slt_tcp_conn *c, uint16_t size)
{
    if (size > c->snd.size_acked) {
        c->snd.size_acked = size;
    }
}

void slt_tcp_snd_clear(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    slt_chain_clear(&c->snd.queue, &tcp->bufs);
    c->snd.cursor = (struct slt_cursor){.buf = SLT_NIL};
}

void slt_tcp_snd_buffer(struct slt_tcp_conn *c, uint32_t bytes)
{
    c->snd.buffer_max = bytes;
}
