/* What is sent again: the plans for lost octets and for the tail probe (RFC 6675 4 NextSeg(),
 * RFC 8985 7.3, RFC 6298 5.4).
 *
 * Lost records go in sequence order, before anything new, as far as the congestion window takes
 * whole segments (R8985-13) and at the pace of everything else (output.c). The earliest segment
 * after a timeout goes whatever the window says (`forced`): cwnd is one segment then, and what is
 * still in flight may fill it. Nothing else goes beyond an edge that the peer has moved left
 * (SHLD-16, MUST-34).
 *
 * Like all planning this changes the burst alone; recovery.c learns of it at commit.
 */
#include "tcp/engine.h"

/* What a frame's pieces can refer to, the first buffer being cut anywhere. */
int64_t slt_tcp_super_bytes(const struct slt_tcp *tcp)
{
    int64_t per_buffer = tcp->bufs.object_bytes - (int64_t)sizeof(struct slt_buf);

    return (SALUT_FRAME_PIECES_MAX - 1) * per_buffer;
}

/* The first lost record from the burst's place on. */
void slt_tcp_resend_begin(const struct slt_tcp_conn *c, struct slt_tcp_burst *b)
{
    const struct slt_tcp_recovery *r = &c->cold->recovery;

    b->rtx_record = r->records.lost.head;
    b->rtx_pos = 0;
    b->forced = r->forced != 0;
    b->rtx_held = r->undo.hold && !b->forced; /* R5682-03: new octets first */
    b->rtx_cursor = r->rtx_near;
    b->rtx_cursor_pos = r->rtx_near_pos > c->snd.una ? r->rtx_near_pos : 0;
}

/* Something waits to be sent again, if the windows let it. */
bool slt_tcp_resend_waits(const struct slt_tcp_conn *c)
{
    const struct slt_tcp_recovery *r = &c->cold->recovery;

    return r->records.lost.head != SLT_NIL || (r->forced != 0 && c->snd.una < c->snd.nxt);
}

/* Where `pos` lies in the send queue, sought from the place of the last resending if that is
 * nearer than the head. */
static struct slt_cursor seek(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                              const struct slt_tcp_burst *b, int64_t pos)
{
    if (b->rtx_cursor_pos > 0 && b->rtx_cursor_pos <= pos && b->rtx_cursor.buf != SLT_NIL) {
        return slt_chain_skip(&c->snd.queue, &tcp->bufs, b->rtx_cursor,
                              (uint32_t)(pos - b->rtx_cursor_pos));
    }
    return slt_chain_seek(&c->snd.queue, &tcp->bufs, (uint32_t)(pos - slt_max64(c->snd.una, 1)));
}

/* Fill the plan with octets of [pos, end), at most `bytes` of text; SYN and FIN by position. */
static int64_t fill(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                    struct slt_tcp_burst *b, struct slt_tcp_plan *plan, int64_t end)
{
    int64_t next = plan->pos + plan->bytes;

    plan->flags = SLT_TCP_ACK;
    plan->retransmit = 1;
    if (plan->bytes > 0) {
        plan->at = seek(tcp, c, b, plan->pos);
        b->rtx_cursor = slt_chain_skip(&c->snd.queue, &tcp->bufs, plan->at, plan->bytes);
        b->rtx_cursor_pos = next;
        if (next == slt_tcp_snd_end(c)) {
            plan->flags |= SLT_TCP_PSH;
        }
    }
    if (slt_tcp_has(c, SLT_CONN_FIN_SENT) && next == slt_tcp_fin_pos(c) && next < end) {
        plan->flags |= SLT_TCP_FIN; /* U-21: the first FIN may be sent again */
        next++;
    }
    return next;
}

/* How much text of [pos, end) the next segment takes: whole segments as far as the window goes,
 * more than one where the link cuts them; 0: none may leave, or there is none. */
static int64_t text_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                          const struct slt_tcp_burst *b, int64_t pos, int64_t end)
{
    int64_t mss = slt_tcp_data_mss(tcp, c);
    int64_t text = slt_max64(slt_min64(end, slt_tcp_snd_end(c)) - pos, 0);
    int64_t super = slt_max64(mss, slt_min64(tcp->config->gso_max_bytes, slt_tcp_super_bytes(tcp)));
    int64_t usable = slt_tcp_snd_usable(c, pos);
    int64_t bytes = slt_min64(text, super);

    if (b->paced) {
        bytes = slt_min64(bytes, slt_tcp_pacing_quantum(&c->cold->pacing, (uint32_t)mss));
    }
    if (usable > 0) { /* more would be cut off again, and count as in flight */
        bytes = slt_min64(bytes, usable);
    }
    if (b->forced) {
        return slt_min64(bytes, mss);
    }
    if (bytes > (int64_t)b->left_bytes) {
        bytes = b->left_bytes / mss * mss;
    }
    return bytes > mss && bytes < text ? bytes / mss * mss : bytes;
}

/* Where the lost octets that begin with `record` end: records that adjoin go together, as far as a
 * segment (or what the link cuts into segments) goes. */
static int64_t lost_end(const struct slt_tcp *tcp, const struct slt_record *record, int64_t limit)
{
    int64_t end = slt_record_end(record);
    uint32_t next = record->list_next;

    while (end < limit && next != SLT_NIL && slt_record_at(tcp, next)->start == end) {
        end = slt_record_end(slt_record_at(tcp, next));
        next = slt_record_at(tcp, next)->list_next;
    }
    return end;
}

/* Go on behind `pos`. */
static void pass(const struct slt_tcp *tcp, struct slt_tcp_burst *b, int64_t pos)
{
    b->rtx_pos = pos;
    while (b->rtx_record != SLT_NIL && slt_record_end(slt_record_at(tcp, b->rtx_record)) <= pos) {
        b->rtx_record = slt_record_at(tcp, b->rtx_record)->list_next;
    }
}

/* What is taken as lost goes first. */
bool slt_tcp_plan_lost(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                       struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    const struct slt_record *lost =
        b->rtx_record == SLT_NIL ? NULL : slt_record_at(tcp, b->rtx_record);
    bool bare = !lost && b->forced && c->snd.una < c->snd.nxt; /* no memory for its record */

    if (b->rtx_held || (!lost && !bare)) {
        return false;
    }
    int64_t pos = bare ? c->snd.una : slt_max64(lost->start, b->rtx_pos);
    uint32_t mss = slt_tcp_data_mss(tcp, c);
    int64_t limit = pos + slt_max64(mss, tcp->config->gso_max_bytes) + 1;
    int64_t end = bare ? c->snd.nxt : lost_end(tcp, lost, limit);
    const struct slt_tcp_recovery *r = &c->cold->recovery;
    bool earliest = pos == c->snd.una && b->forced && r->ca_state == SALUT_CA_LOSS;
    if (!earliest && slt_tcp_snd_usable(c, pos) <= 0) {
        return false; /* SHLD-16 */
    }
    plan->why = r->rtx_why;
    plan->pos = pos;
    if (pos == 0) { /* FIN-WAIT-1 entered from SYN-RECEIVED: the SYN,ACK itself is missing */
        plan->flags = SLT_TCP_ACK | SLT_TCP_SYN;
        plan->retransmit = 1;
        pass(tcp, b, 1);
    } else {
        int64_t bytes = text_bytes(tcp, c, b, pos, end);
        bool only_fin = pos == slt_tcp_snd_end(c);
        if (bytes == 0 && !(only_fin && (b->left_bytes > 0 || b->forced))) {
            return false;
        }
        plan->bytes = (uint32_t)bytes;
        pass(tcp, b, fill(tcp, c, b, plan, end));
        plan->gso = bytes > (int64_t)mss;
        plan->gso_bytes = (uint16_t)(plan->gso ? mss : 0);
    }
    b->forced = false;
    b->left_bytes -= slt_min32(b->left_bytes, plan->bytes);
    return true;
}

/* RFC 8985 7.3 (R8985-10): the next new segment, whatever the congestion window and Nagle say; else
 * the last one again. */
bool slt_tcp_plan_tail_probe(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (!(b->due & SLT_DUE_TAIL_PROBE)) {
        return false;
    }
    int64_t mss = slt_tcp_data_mss(tcp, c);
    int64_t unsent = slt_tcp_snd_end(c) - slt_max64(b->nxt, 1);
    int64_t bytes = slt_min64(slt_min64(unsent, mss), slt_tcp_snd_usable(c, b->nxt));

    b->due &= (uint16_t)~SLT_DUE_TAIL_PROBE;
    plan->spent = SLT_DUE_TAIL_PROBE;
    plan->why = SLT_SEND_TAIL_PROBE;
    if (bytes > 0) {
        plan->pos = b->nxt;
        plan->bytes = (uint32_t)bytes;
        plan->at = b->cursor;
        plan->flags = SLT_TCP_ACK | (bytes == unsent ? SLT_TCP_PSH : 0);
        b->nxt += bytes;
        b->left_bytes -= slt_min32(b->left_bytes, plan->bytes);
        return true;
    }
    int64_t text_end = slt_min64(b->nxt, slt_tcp_snd_end(c));
    plan->pos = slt_max64(slt_max64(text_end - mss, c->snd.una), 1);
    plan->bytes = (uint32_t)slt_max64(text_end - plan->pos, 0);
    fill(tcp, c, b, plan, b->nxt);
    return plan->bytes > 0 || (plan->flags & SLT_TCP_FIN);
}
