/* RACK: loss by time (RFC 8985 6).
 *
 * What was sent before something that has been delivered, and has had a reordering window's time
 * more than a round trip to be delivered itself, is lost. Sent again it is judged by its new
 * instant, so a lost retransmission is found like any other loss. The reordering window is nothing
 * until reordering has been seen, then a quarter of the smallest round trip; each round in which
 * the peer reports duplicates (we were wrong) widens it by another quarter, and sixteen
 * recoveries without one bring it back.
 *
 * RACK.rtt is one segment's round trip. It falls at once where the sender had paused (its user, or
 * the peer's window, had nothing for it): what left before the pause waited in a queue that what
 * left after it found short. Judged by the fallen value, all that was overtaken just before that
 * place would have had its time the moment the first segment behind it is delivered. So the largest
 * RACK.rtt counts for a reordering window's time more: an overtaken segment has the whole window
 * from when its own neighbours came, and no more than a smoothed round trip in all.
 *
 * Transmissions are numbered: a turn reads the clock once, so that what leaves in it, again or new,
 * has one instant; the number says what the RFC leaves to the sequence number, which came first.
 * FLIGHT records are chained in that order: detection walks from the oldest and stops at
 * the first that may still arrive, so an acknowledgement pays for what it finds lost and no more.
 * The reordering timer is set for that first one. The count of duplicate ACKs plays no part
 * (R8985-13).
 */
#include "tcp/engine.h"

#define DUP_THRESH      3  /* RFC 8985 6.2.1: RACK.dupthresh */
#define PERSIST_ROUNDS  16 /* RFC 8985 6.2.4 */
#define QUARTERS_MAX    200
#define QUARTERS_AT_ONE 4

void slt_rack_init(struct slt_rack *rack)
{
    *rack = (struct slt_rack){.window_quarters = 1};
}

/* What is known of reordering is the path's: it does not end with what was in flight (RFC 8985 6.2
 * steps 3 and 4 speak of the connection). */
void slt_rack_keep(struct slt_rack *rack, const struct slt_rack *before)
{
    rack->window_quarters = before->window_quarters;
    rack->persist = before->persist;
    rack->reordering_seen = before->reordering_seen;
    rack->late_segs = before->late_segs;
}

/* Nothing was lost. What was taken for a second copy's delivery was the first one's: nothing is
 * known of when the newest delivered octets had left, until the next acknowledgement. In fast
 * recovery the originals came after what was sent later: that is reordering (R8985-05), and the
 * only time it is seen when each late octet has been sent again before it comes. */
void slt_rack_on_spurious(struct slt_rack *rack, bool overtaken)
{
    rack->reordering_seen |= overtaken;
    rack->end = 0;
    rack->rtt_us = 0;
}

/* RFC 8985 6.2 step 2 (R8985-04): an acknowledgement of octets sent twice may be the first copy's:
 * its echo is older than the second copy, or it came sooner than any round trip could. Above a gap
 * the echo says nothing: it is that of the last segment in order (RFC 7323 4.3). */
static bool is_first_copys(const struct slt_tcp_conn *c, const struct slt_record *record,
                           const struct slt_tcp_in *in, int64_t rtt_us)
{
    if (!(record->flags & SLT_RECORD_RETRANSMITTED)) {
        return false;
    }
    if (record->start < c->snd.una && slt_tcp_has(c, SLT_CONN_TS_OK) &&
        (in->seg->opt.present & SLT_TCP_OPT_TIMESTAMPS) &&
        slt_tcp_ts_older(in->seg->opt.ts_ecr, slt_tcp_ts_now(c, record->stamp.sent_at_ns))) {
        return true;
    }
    return c->rtt.min_us != UINT32_MAX && rtt_us < (int64_t)c->rtt.min_us;
}

/* The reordering window by its rule alone: once reordering is known. */
static int64_t plain_window_us(const struct slt_tcp_conn *c, const struct slt_rack *rack)
{
    if (c->rtt.min_us == UINT32_MAX) {
        return 0;
    }
    return (int64_t)c->rtt.min_us * rack->window_quarters / QUARTERS_AT_ONE;
}

/* Two periods in turn, each a reordering window long: what is forgotten is older than one. */
static void note_peak(struct slt_rack *rack, int64_t period_ns, int64_t now_ns)
{
    int64_t since_ns = now_ns - rack->peak_since_ns;

    if (since_ns > period_ns) {
        rack->peak_last_us = since_ns > 2 * period_ns ? 0 : rack->peak_us;
        rack->peak_us = 0;
        rack->peak_since_ns = now_ns;
    }
    rack->peak_us = slt_max32(rack->peak_us, rack->rtt_us);
}

/* RFC 8985 6.2 steps 2 and 3, for octets of the record up to `end`. True: they were sent again, and
 * it was the first copy that was delivered. */
bool slt_rack_on_delivered(struct slt_tcp_conn *c, const struct slt_record *record, int64_t end,
                           const struct slt_tcp_in *in)
{
    struct slt_rack *rack = &c->cold->recovery.rack;
    int64_t sent_at_ns = record->stamp.sent_at_ns;
    int64_t rtt_us = (in->now_ns - sent_at_ns) / SLT_NS_PER_US;

    if (end < rack->fack && !(record->flags & SLT_RECORD_RETRANSMITTED)) {
        rack->reordering_seen = true; /* R8985-05 */
        rack->late_segs++;
    }
    rack->fack = slt_max64(rack->fack, end);
    if (is_first_copys(c, record, in, rtt_us)) {
        return true;
    }
    int32_t after = slt_record_compare_order(record->order, rack->order);
    if (rack->end == 0 || after > 0 || (after == 0 && end > rack->end)) {
        rack->order = record->order;
        rack->end = end;
        rack->rtt_us = (uint32_t)slt_min64(rtt_us, UINT32_MAX);
        note_peak(rack, plain_window_us(c, rack) * SLT_NS_PER_US, in->now_ns);
    }
    return false;
}

/* RFC 8985 6.2 step 4 (R8985-06): the window's growth, once a round. */
void slt_rack_on_ack(struct slt_tcp_conn *c, bool dsack)
{
    struct slt_rack *rack = &c->cold->recovery.rack;

    if (rack->dsack_round != 0 && c->snd.una >= rack->dsack_round) {
        rack->dsack_round = 0;
    }
    if (dsack && rack->dsack_round == 0) {
        rack->dsack_round = c->snd.nxt;
        rack->window_quarters = (uint8_t)slt_min32(rack->window_quarters + 1U, QUARTERS_MAX);
        rack->persist = PERSIST_ROUNDS;
    }
}

/* ... and its shrinking, once a recovery. */
void slt_rack_on_episode_over(struct slt_rack *rack)
{
    if (rack->persist > 0) {
        rack->persist--;
        if (rack->persist == 0) {
            rack->window_quarters = 1;
        }
    }
}

int64_t slt_rack_window_us(const struct slt_tcp_conn *c, const struct slt_tcp_recovery *r)
{
    bool recovering = r->ca_state == SALUT_CA_RECOVERY || r->ca_state == SALUT_CA_LOSS;

    if (!r->rack.reordering_seen && (recovering || r->records.sacked_segs >= DUP_THRESH)) {
        return 0;
    }
    int64_t window_us = plain_window_us(c, &r->rack);
    if (window_us > 0 && r->rack.reordering_seen && r->rack.end != 0) {
        int64_t peak_us = slt_max32(r->rack.peak_us, r->rack.peak_last_us);
        window_us += slt_max64(peak_us - r->rack.rtt_us, 0);
    }
    return slt_min64(window_us, c->rtt.srtt8_us >> 3); /* RFC 8985 6.2.4: bounded by SRTT */
}

/* RFC 8985 6.2 step 5 (R8985-07): what is lost, and when to look again. */
void slt_rack_detect(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_delivery *d,
                     int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;
    int64_t allowed_ns = (r->rack.rtt_us + slt_rack_window_us(c, r)) * SLT_NS_PER_US;
    uint32_t index = r->records.flight.head;
    int64_t look_at_ns = SLT_NEVER;

    while (index != SLT_NIL && r->rack.end != 0) {
        const struct slt_record *record = slt_record_at(tcp, index);
        int64_t lost_at_ns = slt_time_add(record->stamp.sent_at_ns, allowed_ns);
        uint32_t next = record->list_next;
        int32_t before = slt_record_compare_order(record->order, r->rack.order);
        if (before > 0 || (before == 0 && slt_record_end(record) >= r->rack.end)) {
            break; /* it left after the newest delivered: no judgement yet */
        }
        tcp->work++;
        if (lost_at_ns > now_ns) {
            look_at_ns = lost_at_ns;
            break;
        }
        bool probe =
            slt_tcp_pmtud_takes_loss(tcp, c, record->start, slt_record_end(record), now_ns);
        slt_lost_mark(tcp, cold, index, probe ? NULL : d);
        if (probe && r->ca_state < SALUT_CA_RECOVERY) {
            r->rtx_why = SLT_SEND_RETRANSMIT_MTU;
        }
        index = next;
    }
    slt_tcp_timers_on_reordering(c, look_at_ns);
}

/* RFC 8985 6.3 (R8985-08): the timer says that the first segment is lost; the others only if they
 * had their time. Without SACK there is nothing to tell them apart by. */
void slt_rack_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;
    int64_t allowed_ns = (r->rack.rtt_us + slt_rack_window_us(c, r)) * SLT_NS_PER_US;
    bool all = !slt_tcp_has(c, SLT_CONN_SACK_OK);
    uint32_t index = r->records.flight.head;

    while (index != SLT_NIL) {
        const struct slt_record *record = slt_record_at(tcp, index);
        uint32_t next = record->list_next;
        if (!all && slt_time_add(record->stamp.sent_at_ns, allowed_ns) > now_ns) {
            break;
        }
        slt_lost_mark(tcp, cold, index, NULL);
        index = next;
    }
    slt_lost_mark_gaps(tcp, c);
    const struct slt_record *head =
        r->records.head == SLT_NIL ? NULL : slt_record_at(tcp, r->records.head);
    if (head && head->start == c->snd.una && head->fate == SLT_RECORD_FLIGHT) {
        slt_lost_mark_range(tcp, c, c->snd.una, c->snd.una + slt_tcp_full_mss(tcp, c));
    }
}
