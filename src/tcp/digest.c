/* A canonical digest of a connection: positions relative to the initial sequence numbers (as they
 * are), times relative to now, nothing that depends on addresses in memory or on absolute ISNs.
 * Two instances that will behave alike have equal digests.
 */
#include "base/digest.h"
#include "tcp/engine.h"

static void add_time(struct slt_digest *d, int64_t at_ns, int64_t now_ns)
{
    slt_digest_u64(d, at_ns == SLT_NEVER ? UINT64_MAX : (uint64_t)(at_ns - now_ns));
}

static void add_chain(struct slt_digest *d, const struct slt_tcp *tcp,
                      const struct slt_chain *chain)
{
    struct slt_cursor at = slt_cursor_first();
    uint32_t left = chain->bytes;

    slt_digest_u64(d, chain->bytes);
    while (left > 0) {
        struct slt_piece piece;
        uint32_t seen;
        if (slt_chain_view(chain, &tcp->bufs, at, left, &piece, 1, &seen, &at) == 0) {
            break;
        }
        slt_digest_bytes(d, piece.data, seen);
        left -= seen;
    }
}

static void add_held(struct slt_digest *d, const struct slt_tcp *tcp,
                     const struct slt_tcp_held *held)
{
    uint32_t index = slt_ranges_first(&held->runs, &tcp->ranges);

    while (index != SLT_NIL) {
        const struct slt_range *run = slt_pool_at(&tcp->ranges, index);
        slt_digest_u64(d, (uint64_t)run->start);
        add_chain(d, tcp, &run->chain);
        index = slt_ranges_above(&held->runs, &tcp->ranges, run->start);
    }
}

static void add_records(struct slt_digest *d, const struct slt_tcp *tcp,
                        const struct slt_records *rs, int64_t now_ns)
{
    for (uint32_t i = rs->head; i != SLT_NIL; i = slt_record_at(tcp, i)->next) {
        const struct slt_record *record = slt_record_at(tcp, i);
        slt_digest_u64(d, (uint64_t)record->start);
        slt_digest_u64(d,
                       (uint64_t)record->bytes << 16 | (uint64_t)record->fate << 8 | record->flags);
        add_time(d, record->stamp.sent_at_ns, now_ns);
    }
}

static void add_cold(struct slt_digest *d, const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                     int64_t now_ns)
{
    const struct slt_tcp_cold *cold = c->cold;
    const struct slt_tcp_recovery *r = &cold->recovery;

    for (int i = 0; i < SLT_TIMER_COLD_COUNT; i++) {
        add_time(d, cold->due_at_ns[i], now_ns);
    }
    slt_digest_u64(d, (uint64_t)r->recover);
    slt_digest_u64(d,
                   (uint64_t)r->ca_state << 32 | (uint64_t)r->newreno.dup_acks << 16 | r->timeouts);
    slt_digest_u64(d, (uint64_t)r->tlp.end);
    slt_digest_u64(d, (uint64_t)r->prr.delivered_bytes);
    slt_digest_u64(d, (uint64_t)r->prr.out_bytes);
    slt_digest_u64(d, (uint64_t)r->undo.sent_bytes << 8 | (r->undo.open ? 1U : 0U));
    add_records(d, tcp, &r->records, now_ns);
    slt_digest_u64(d, (uint64_t)cold->cc.cwnd_bytes << 32 | cold->cc.ssthresh_bytes);
    add_held(d, tcp, &cold->held);
}

void slt_tcp_digest(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns,
                    struct slt_digest *d)
{
    slt_digest_bytes(d, &c->id, sizeof(c->id));
    slt_digest_u64(d, (uint64_t)c->state << 32 | c->status);
    slt_digest_u64(d, (uint64_t)c->flags << 16 | c->due);
    slt_digest_u64(d, c->ecn);
    slt_digest_u64(d, (uint64_t)c->snd.una);
    slt_digest_u64(d, (uint64_t)c->snd.nxt);
    slt_digest_u64(d, (uint64_t)c->snd.wnd << 32 | c->snd.wnd_max);
    slt_digest_u64(d, (uint64_t)c->rcv.nxt);
    slt_digest_u64(d, (uint64_t)c->rcv.edge);
    slt_digest_u64(d, (uint64_t)c->rtt.srtt8_us << 32 | c->rtt.rttvar4_us);
    slt_digest_u64(d, (uint64_t)c->rtt.rto_us << 8 | c->backoff);
    slt_digest_u64(d, (uint64_t)c->acks.quick_left << 32 | c->acks.waiting_bytes);
    add_time(d, c->delayed_ack_at_ns, now_ns);
    add_time(d, c->lasting_at_ns, now_ns);
    add_chain(d, tcp, &c->snd.queue);
    add_chain(d, tcp, &c->rcv.queue);
    if (slt_tcp_awake(c) != NULL) {
        add_cold(d, tcp, c, now_ns);
    }
}
