/* The scoreboard: what one acknowledgement delivers (RFC 2018 5, RFC 2883 5, RFC 6675 4 Update()).
 *
 * First what is acknowledged cumulatively leaves the records from below; then each SACK block marks
 * the records it covers, cut at its edges, from the lowest block to the highest, so that octets are
 * delivered in sequence order and what arrived in order does not look reordered. An octet counts
 * as delivered once. A SACKed octet stays in the send queue until it is acknowledged (R2018-06,
 * R6675-10): the peer may take its word back, and is seen to have done so when SND.UNA comes to
 * stand at octets that were SACKed.
 *
 * A block is believed when it lies within what is in flight; whatever else it says is ignored
 * (R2018-09). The first block is a duplicate's (D-SACK) when it lies below the acknowledgement
 * that came with it, or within the second block (R2883-05).
 */
#include "tcp/engine.h"

struct block {
    int64_t left;
    int64_t right;
};

/* `bytes` from the start of the record, up to `end`, are delivered for the first time. */
static void take_record(struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                        const struct slt_record *record, int64_t end, struct slt_delivery *d)
{
    struct slt_tcp_cold *cold = c->cold;
    int64_t sent_at_ns = record->stamp.sent_at_ns;

    slt_rate_on_delivered(&cold->rate, &record->stamp, (uint32_t)(end - record->start), in->now_ns);
    if (slt_rack_on_delivered(c, record, end, in)) {
        d->early_bytes += (uint32_t)(end - record->start);
    }
    if (record->flags & SLT_RECORD_RETRANSMITTED) {
        d->resent = true;
        return;
    }
    if (end <= cold->recovery.recover) {
        d->original = true;
    }
    if (!(record->flags & SLT_RECORD_UNTIMED) &&
        (d->timed_at_ns == SLT_NEVER || sent_at_ns > d->timed_at_ns)) {
        d->timed_at_ns = sent_at_ns;
    }
}

/* Of the octets acknowledged, `told_bytes` had records. The others may have been sent again (a
 * record that could not be cut for it is gone, records.h) if anything of them was. */
static bool may_be_resent(const struct slt_tcp_conn *c, const struct slt_tcp_recovery *r,
                          const struct slt_tcp_in *in, uint32_t told_bytes)
{
    bool again = r->ca_state >= SALUT_CA_RECOVERY ||
                 r->rtx_near_pos > c->snd.una - (int64_t)in->ack.acked_bytes;

    return told_bytes < in->ack.acked_bytes && again;
}

static void take_cumulative(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                            const struct slt_tcp_in *in, struct slt_delivery *d)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    struct slt_records *rs = &r->records;
    bool syn = c->snd.una - in->ack.acked_bytes == 0;
    uint32_t known_bytes = 0;
    uint32_t told_bytes = 0;

    d->acked_bytes = in->ack.acked_bytes - (syn ? 1 : 0); /* R5681-04: the SYN grows nothing */
    while (rs->head != SLT_NIL) {
        struct slt_record *record = slt_record_at(tcp, rs->head);
        if (record->start >= c->snd.una) {
            break;
        }
        int64_t end = slt_min64(slt_record_end(record), c->snd.una);
        uint32_t bytes = (uint32_t)(end - record->start);
        told_bytes += bytes;
        if (record->fate == SLT_RECORD_SACKED) {
            known_bytes += bytes;
        } else {
            take_record(c, in, record, end, d);
        }
        slt_records_drop(tcp, rs, rs->head, bytes);
    }
    d->resent |= may_be_resent(c, r, in, told_bytes);
    /* RFC 6298 3 (R6298-06): what was sent once may have waited at the peer for what was sent
     * again, recorded or not; then the acknowledgement measures the repair of a loss, not the path.
     */
    if (d->resent || r->rtx_near_pos > c->snd.una - in->ack.acked_bytes) {
        d->timed_at_ns = SLT_NEVER;
    }
    SLT_ASSERT(known_bytes <= in->ack.acked_bytes);
    d->delivered_bytes = d->acked_bytes - slt_min32(known_bytes, d->acked_bytes);
}

/* The usual case: one record was out, it was sent once, and all of it and nothing else is
 * acknowledged. Then most of what take_cumulative asks has its answer. */
static bool takes_the_only(const struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                           const struct slt_record *only)
{
    const struct slt_tcp_recovery *r = &c->cold->recovery;

    return r->records.count == 1 && only->fate == SLT_RECORD_FLIGHT && only->flags == 0 &&
           only->bytes == in->ack.acked_bytes && slt_record_end(only) == c->snd.una &&
           r->rtx_near_pos <= only->start;
}

static void take_the_only(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                          const struct slt_record *only, struct slt_delivery *d)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;

    d->acked_bytes = only->bytes - (only->start == 0 ? 1 : 0); /* R5681-04 */
    d->delivered_bytes = d->acked_bytes;
    d->original = c->snd.una <= r->recover;
    d->timed_at_ns = only->stamp.sent_at_ns;
    slt_rate_on_delivered(&c->cold->rate, &only->stamp, only->bytes, in->now_ns);
    slt_rack_on_delivered(c, only, c->snd.una, in);
    slt_records_drop_only(tcp, &r->records);
}

static void take_acknowledged(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                              const struct slt_tcp_in *in, struct slt_delivery *d)
{
    uint32_t head = c->cold->recovery.records.head;

    if (head != SLT_NIL && takes_the_only(c, in, slt_record_at(tcp, head))) {
        take_the_only(tcp, c, in, slt_record_at(tcp, head), d);
    } else {
        take_cumulative(tcp, c, in, d);
    }
}

/* Mark what the block covers. A record that cannot be cut stays as it is: the octets are told of
 * again, or acknowledged. */
static void take_block(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                       struct block block, struct slt_delivery *d)
{
    struct slt_records *rs = &c->cold->recovery.records;
    uint32_t index = slt_records_find(tcp, rs, block.left);

    while (index != SLT_NIL && slt_record_at(tcp, index)->start < block.right) {
        struct slt_record *record = slt_record_at(tcp, index);
        tcp->work++;
        if (record->fate == SLT_RECORD_SACKED) {
            index = record->next;
            continue;
        }
        if (record->start < block.left) {
            bool cut = slt_records_cut(tcp, rs, index, block.left);
            index = cut || slt_record_end(record) < block.right ? record->next : SLT_NIL;
            continue;
        }
        if (slt_record_end(record) > block.right && !slt_records_cut(tcp, rs, index, block.right)) {
            return;
        }
        take_record(c, in, record, slt_record_end(record), d);
        d->sacked_bytes += record->bytes;
        d->delivered_bytes += record->bytes;
        index = slt_record_at(tcp, slt_records_sack(tcp, rs, index))->next;
    }
}

/* The duplicate that the first block reports, if that is what it does (RFC 2883 5). Only octets of
 * the episode that may be undone count as evidence (RFC 3708 3). */
static bool take_duplicate(struct slt_tcp_conn *c, const struct slt_undo *u,
                           const struct slt_tcp_in *in, struct slt_delivery *d)
{
    const struct slt_tcp_options *opt = &in->seg->opt;
    int64_t left = slt_tcp_unwrap(c->snd.una, c->snd.isn, opt->sack[0].left);
    int64_t right = slt_tcp_unwrap(c->snd.una, c->snd.isn, opt->sack[0].right);
    bool within = opt->sack_count > 1 && (int32_t)(opt->sack[0].left - opt->sack[1].left) >= 0 &&
                  (int32_t)(opt->sack[1].right - opt->sack[0].right) >= 0;

    if (right > in->ack_pos && !within) {
        return false;
    }
    if (left < right && left >= slt_min64(c->snd.una, 1) - (int64_t)c->snd.wnd_max &&
        right <= c->snd.nxt) {
        int64_t from = slt_max64(left, u->from);
        d->dsack = true;
        d->dsack_start = left;
        d->dsack_end = right;
        d->dsack_bytes = (uint32_t)slt_max64(slt_min64(right, u->to) - from, 0);
    }
    return true;
}

/* The blocks that can be believed, lowest first. */
static uint32_t sort_blocks(const struct slt_tcp_conn *c, const struct slt_tcp_options *opt,
                            uint32_t from, struct block *sorted)
{
    uint32_t count = 0;

    for (uint32_t i = from; i < opt->sack_count; i++) {
        struct block b = {slt_tcp_unwrap(c->snd.una, c->snd.isn, opt->sack[i].left),
                          slt_tcp_unwrap(c->snd.una, c->snd.isn, opt->sack[i].right)};
        if (b.left <= c->snd.una || b.left >= b.right || b.right > c->snd.nxt) {
            continue; /* R2018-09 */
        }
        uint32_t at = count++;
        while (at > 0 && sorted[at - 1].left > b.left) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = b;
    }
    return count;
}

/* SND.UNA stands at octets that were SACKed: the peer must have taken them back (R2018-08). */
bool slt_scoreboard_reneged(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    const struct slt_records *rs = &c->cold->recovery.records;

    if (rs->head == SLT_NIL || rs->sacked_bytes == 0) {
        return false;
    }
    const struct slt_record *head = slt_record_at(tcp, rs->head);
    return head->start <= c->snd.una && head->fate == SLT_RECORD_SACKED;
}

/* Gather what the acknowledgement delivers; SND.UNA has moved already. */
void slt_scoreboard_take(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                         struct slt_delivery *d)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    const struct slt_tcp_options *opt = &in->seg->opt;

    *d = (struct slt_delivery){.timed_at_ns = SLT_NEVER};
    if (in->ack.advanced) {
        take_acknowledged(tcp, c, in, d);
    }
    if (slt_tcp_has(c, SLT_CONN_SACK_OK) && (opt->present & SLT_TCP_OPT_SACK) &&
        opt->sack_count > 0) {
        struct block sorted[SLT_TCP_SACK_MAX];
        uint32_t from = take_duplicate(c, &r->undo, in, d) ? 1 : 0;
        uint32_t count = sort_blocks(c, opt, from, sorted);
        d->sack_blocks = true;
        for (uint32_t i = 0; i < count; i++) {
            take_block(tcp, c, in, sorted[i], d);
        }
    }
    d->reneged = slt_scoreboard_reneged(tcp, c);
}
