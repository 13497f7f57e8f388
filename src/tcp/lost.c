/* Taking octets as lost, on whoever's word: RACK's, that of duplicate ACKs, of the retransmission
 * timer, of the path (its MTU fell) or of the peer (he did not take them).
 *
 * Records are cut where only a part of one is lost. Octets that have no record (records.h) get one,
 * for only records are sent again.
 */
#include "tcp/engine.h"

void slt_lost_mark(struct slt_tcp *tcp, struct slt_tcp_cold *cold, uint32_t index,
                   struct slt_delivery *d)
{
    uint32_t bytes = slt_record_at(tcp, index)->bytes;

    slt_records_lose(tcp, &cold->recovery.records, index);
    slt_rate_on_lost(&cold->rate, bytes);
    if (d) {
        d->lost_bytes += bytes;
    }
}

static uint32_t segs_of(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t bytes)
{
    uint32_t mss = slt_tcp_full_mss(tcp, c);

    return (uint32_t)((bytes + mss - 1) / mss);
}

/* Octets without a record are lost, too; where there is no memory for their records, one record
 * takes the place of all. */
void slt_lost_mark_gaps(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_records *rs = &c->cold->recovery.records;
    int64_t pos = c->snd.una;
    uint32_t next = rs->head;
    bool whole = true;

    while (pos < c->snd.nxt && whole) {
        const struct slt_record *record = next == SLT_NIL ? NULL : slt_record_at(tcp, next);
        int64_t end = record ? record->start : c->snd.nxt;
        if (end > pos) {
            whole = slt_records_add_lost(tcp, rs, pos, end, segs_of(tcp, c, end - pos)) != SLT_NIL;
        }
        record = next == SLT_NIL ? NULL : slt_record_at(tcp, next);
        pos = record ? slt_record_end(record) : c->snd.nxt;
        next = record ? record->next : SLT_NIL;
    }
    if (!whole) {
        int64_t bytes = c->snd.nxt - c->snd.una;
        slt_records_clear(tcp, rs);
        uint32_t all =
            slt_records_add_lost(tcp, rs, c->snd.una, c->snd.nxt, segs_of(tcp, c, bytes));
        (void)all; /* without even one, the earliest segment leaves unrecorded (resend.c) */
    }
    slt_newreno_bound(&c->cold->recovery.newreno, c->snd.nxt - c->snd.una - rs->lost_bytes);
}

/* Whatever lies in [start, end) and is in flight is lost; a record that cannot be cut is lost
 * whole. Returns how many octets that is. */
uint32_t slt_lost_mark_range(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start,
                             int64_t end)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_records *rs = &cold->recovery.records;
    uint32_t before_bytes = rs->lost_bytes;
    uint32_t index = slt_records_find(tcp, rs, start);

    if (index == SLT_NIL || slt_record_at(tcp, index)->start > start) {
        int64_t gap_end = index == SLT_NIL ? end : slt_min64(end, slt_record_at(tcp, index)->start);
        uint32_t gap = slt_records_add_lost(tcp, rs, start, gap_end, 1);
        (void)gap; /* none to be had: the retransmission timer finds it */
    }
    while (index != SLT_NIL && slt_record_at(tcp, index)->start < end) {
        struct slt_record *record = slt_record_at(tcp, index);
        uint32_t next = record->next;
        if (record->fate == SLT_RECORD_FLIGHT) {
            if (record->start < start && slt_records_cut(tcp, rs, index, start)) {
                index = record->next;
                continue;
            }
            if (slt_record_end(record) > end && slt_records_cut(tcp, rs, index, end)) {
                next = record->next;
            }
            slt_lost_mark(tcp, cold, index, NULL);
        }
        index = next;
    }
    slt_newreno_bound(&cold->recovery.newreno, c->snd.nxt - c->snd.una - rs->lost_bytes);
    return rs->lost_bytes - before_bytes;
}

/* Everything in flight goes again, at once and without a congestion response: it was not the
 * network that lost it (the path MTU fell, R1191-04; the data of a SYN was not taken). */
void slt_lost_resend(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;

    if (c->snd.una < c->snd.nxt) {
        slt_lost_mark_range(tcp, c, c->snd.una, c->snd.nxt);
        slt_lost_mark_gaps(tcp, c);
        r->rtx_why = (uint8_t)why;
        r->forced = 1;
    }
}
