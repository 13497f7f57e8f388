/* Invariants of congestion control: the pace of what leaves (I-61), episodes and their undoing
 * (I-62), and what is sent again (I-16).
 *
 *   I-61  A paced connection sends no text before the instant its pace allows: a bucket of our own
 *         is filled at the rate in force, holds one burst (a millisecond, or 64 KB), and is emptied
 *         by every octet of text. Exempt is what no pace holds back: the first segment after a
 *         timeout, and probes.
 *   I-62  An episode begins with a reduction (to seven tenths at most); within a round trip there
 *         is no second one; no episode and no undo leaves the window above what it was; a lost
 *         probe of the path MTU begins none.
 *   I-16  What the peer has reported by SACK is not sent again.
 *
 * BBR's window follows rules of its own (I-18 and its unit tests have them); its pace does not.
 */
#include "lab/sim_world.h"

#include "tcp/engine.h"

#define BURST_NS    SLT_NS_PER_MS
#define BURST_BYTES 65536

/* ---- what leaves (I-16, I-61) ---------------------------------------------------------------- */

static int64_t time_of(uint64_t bytes, uint64_t bytes_per_s)
{
    return (int64_t)(bytes * (uint64_t)SLT_NS_PER_S / bytes_per_s);
}

static bool check_pace(struct sim_world *w, struct sim_flow *f, const struct slt_tcp_cold *cold,
                       const struct slt_tcp_plan *plan, int64_t now_ns)
{
    uint64_t rate = cold->pacing.bytes_per_s;
    bool first = plan->retransmit && cold->recovery.forced;

    if (rate == 0) {
        return true;
    }
    slt_sim_checked(w, 61);
    if (now_ns < f->paced_until_ns && !first && !(plan->spent & SLT_DUE_TAIL_PROBE) &&
        !(plan->spent & SLT_DUE_PROBE)) {
        return slt_sim_fail(w, 61, "%u bytes left %lld ns before their time at %llu bytes a second",
                            plan->bytes, (long long)(f->paced_until_ns - now_ns),
                            (unsigned long long)rate);
    }
    int64_t burst_ns = slt_min64(BURST_NS, time_of(BURST_BYTES, rate));
    /* Who has a whole burst's credit may forget what was, whatever a burst is from then on. */
    bool rested = f->paced_until_ns <= now_ns - f->paced_burst_ns;
    int64_t from_ns = rested ? now_ns - burst_ns : slt_max64(f->paced_until_ns, now_ns - burst_ns);
    f->paced_burst_ns = burst_ns;
    f->paced_until_ns = slt_time_add(from_ns, time_of(plan->bytes, rate));
    return true;
}

static bool check_again(struct sim_world *w, const struct slt_tcp *tcp,
                        const struct slt_tcp_cold *cold, const struct slt_tcp_plan *plan)
{
    const struct slt_records *rs = &cold->recovery.records;
    int64_t end = plan->pos + plan->bytes;

    if (!plan->retransmit || (plan->spent & (SLT_DUE_TAIL_PROBE | SLT_DUE_PROBE))) {
        return true;
    }
    slt_sim_checked(w, 16);
    for (uint32_t i = slt_records_find(tcp, rs, plan->pos); i != SLT_NIL;) {
        const struct slt_record *record = slt_record_at(tcp, i);
        if (record->start >= end) {
            break;
        }
        if (record->fate == SLT_RECORD_SACKED) {
            return slt_sim_fail(w, 16, "[%lld, %lld) is sent again, and SACKed from %lld on",
                                (long long)plan->pos, (long long)end, (long long)record->start);
        }
        i = record->next;
    }
    return true;
}

/* A frame is about to leave; nothing of its batch is committed yet. */
bool slt_sim_check_leaving(struct sim_world *w, const struct sim_host *h,
                           const struct slt_tx_record *record)
{
    const struct slt_tcp *tcp = &h->stack->tcp;

    if (record->kind != SLT_TX_CONN || record->of.plan.bytes == 0 ||
        (record->of.plan.flags & SLT_TCP_SYN)) {
        return true;
    }
    const struct slt_tcp_conn *c = slt_tcp_conn_at(tcp, record->index);
    struct sim_flow *f = slt_sim_flow_of(w, h, c);
    if (c->cold == NULL) {
        return true;
    }
    const struct slt_tcp_cold *cold = c->cold;
    return check_again(w, tcp, cold, &record->of.plan) &&
           (!f || check_pace(w, f, cold, &record->of.plan, h->stack->now_ns));
}

/* ---- episodes (I-62) ------------------------------------------------------------------------- */

/* A probe of the path MTU was taken as lost, and it is all that was. */
static bool only_probe_lost(const struct slt_tcp *tcp, const struct sim_before *b,
                            const struct slt_tcp_conn *c, const struct slt_tcp_cold *cold)
{
    const struct slt_tcp_pmtud *was = &b->cold.pmtud;
    const struct slt_records *rs = &cold->recovery.records;

    if (was->probe_mtu == 0 || cold->pmtud.probe_mtu != 0 || c->snd.una >= was->probe_end ||
        rs->lost_bytes == 0) {
        return false;
    }
    for (uint32_t i = rs->lost.head; i != SLT_NIL; i = slt_record_at(tcp, i)->list_next) {
        const struct slt_record *record = slt_record_at(tcp, i);
        if (record->start < was->probe_pos || slt_record_end(record) > was->probe_end) {
            return false;
        }
    }
    return true;
}

/* The most the window can have been lately, and what an undo may bring back. */
static int64_t most_before(const struct sim_before *b)
{
    int64_t back = b->cold.recovery.undo.open ? b->cold.cc.undo_cwnd_bytes : 0;

    return slt_max64(b->cold.cc.cwnd_bytes, back);
}

static bool check_reduction(struct sim_world *w, const struct sim_before *b,
                            const struct slt_tcp_conn *c, const struct slt_tcp_cold *cold,
                            uint32_t mss)
{
    const struct slt_tcp_recovery *was = &b->cold.recovery;
    bool in_before = was->ca_state == SALUT_CA_CWR || was->ca_state == SALUT_CA_RECOVERY;
    bool begins = was->ca_state < SALUT_CA_CWR && cold->recovery.ca_state >= SALUT_CA_CWR;
    int64_t most = most_before(b);
    int64_t ssthresh = cold->cc.ssthresh_bytes;

    if (begins && ssthresh > slt_max64(most * 7 / 10, 2 * (int64_t)mss)) {
        return slt_sim_fail(w, 62, "an episode begins at a window of %lld with ssthresh %lld",
                            (long long)most, (long long)ssthresh);
    }
    if (in_before && !was->undo.open && c->snd.una < was->recover &&
        ssthresh < b->cold.cc.ssthresh_bytes) {
        return slt_sim_fail(w, 62, "ssthresh fell twice within a round trip, to %lld",
                            (long long)ssthresh);
    }
    return true;
}

/* What one segment did to the sender's windows, where there was an episode before or after. */
bool slt_sim_check_episode(struct sim_world *w, const struct sim_host *h,
                           const struct sim_before *b, const struct slt_tcp_conn *c)
{
    const struct slt_tcp *tcp = &h->stack->tcp;
    const struct slt_tcp_cold *cold = c->cold;
    const struct slt_tcp_recovery *was = &b->cold.recovery;
    uint32_t mss = slt_tcp_full_mss(tcp, c);

    if (b->conn.state < SALUT_STATE_ESTABLISHED || b->cold.resting || cold->resting ||
        b->cold.cc.which != cold->cc.which || cold->cc.which == SALUT_CC_BBR ||
        b->conn.snd.pmtu != c->snd.pmtu) {
        return true;
    }
    slt_sim_checked(w, 62);
    if (was->ca_state < SALUT_CA_CWR && cold->recovery.ca_state == SALUT_CA_RECOVERY &&
        only_probe_lost(tcp, b, c, cold)) {
        return slt_sim_fail(w, 62, "a lost probe of the path MTU was taken as congestion");
    }
    int64_t delivered = (int64_t)(cold->delivered - b->cold.delivered);
    int64_t allowed = slt_max64(most_before(b), slt_tcp_flight(&b->conn, was) + mss);
    if (was->ca_state >= SALUT_CA_CWR) {
        allowed = slt_max64(allowed, b->cold.cc.ssthresh_bytes);
    }
    if (cold->cc.cwnd_bytes > allowed + slt_max64(delivered, mss)) {
        return slt_sim_fail(w, 62, "the window is %u, and was never above %lld",
                            cold->cc.cwnd_bytes, (long long)allowed);
    }
    return check_reduction(w, b, c, cold, mss);
}
