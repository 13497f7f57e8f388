/* The cold block: what a connection needs only while a handshake runs, bytes wait or are in
 * flight, or a gap is open in what it received.
 *
 * slt_tcp_cold_get brings it (and brings congestion control back from its fold, restarting from
 * the initial window after an idle time, RFC 5681 4.1); slt_tcp_cold_fold folds it away when
 * nothing needs it. The pool has a block for every connection by default, so that a connection that
 * must close finds one; where it is configured smaller, exhaustion is a status or a counted drop.
 * A connection that speaks AccECN keeps its block for the counters; folded, it rests, and the next
 * use makes all the rest of it anew.
 */
#include "tcp/engine.h"

/* There is none, or one that rests: see slt_tcp_cold_get. False: no memory. */
bool slt_tcp_cold_make(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_accecn kept = {.r_cep = 0};

    SLT_ASSERT(cold == NULL || cold->resting);
    uint32_t index =
        cold != NULL ? cold->index : slt_pool_take_typed(&tcp->colds, (uint32_t)sizeof(*cold));
    if (index == SLT_NIL) {
        return false;
    }
    if (cold != NULL) {
        kept = cold->accecn;
    }
    cold = slt_pool_at_typed(&tcp->colds, index, (uint32_t)sizeof(*cold));
    /* What has an init of its own zeroes itself. */
    memset(&cold->pacing, 0, sizeof(cold->pacing));
    memset(&cold->held, 0, sizeof(*cold) - offsetof(struct slt_tcp_cold, held));
    cold->index = index;
    cold->conn = c->index;
    cold->accecn = kept;
    c->cold = cold;
    slt_tcp_timers_cold_init(cold);
    slt_tcp_recovery_init(&cold->recovery, c->snd.una);
    slt_ranges_init(&cold->held.runs);
    slt_rate_init(&cold->rate, now_ns);
    slt_tcp_limits_init(&cold->limits, now_ns);
    cold->progress_at_ns = now_ns;
    uint32_t mss = slt_tcp_full_mss(tcp, c);
    slt_cc_init(&cold->cc, tcp->config, slt_tcp_cc_of(c), mss, now_ns);
    if (c->cc_fold.cwnd_bytes != 0) {
        slt_cc_unfold(&cold->cc, &c->cc_fold);
        uint32_t idle_ms = (uint32_t)(now_ns / SLT_NS_PER_MS) - c->cc_fold.idle_since_ms;
        if ((int64_t)idle_ms * SLT_NS_PER_MS > slt_tcp_rto_ns(tcp, c)) {
            slt_cc_on_idle(&cold->cc, tcp->config, mss); /* RFC 5681 4.1 (R5681-11) */
        }
    }
    slt_tcp_pacing_update(tcp, c);
    return true;
}

/* Text is queued where none was: the block may have stayed for what came in, and the sender been
 * idle all the same. */
void slt_tcp_cold_restart(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;

    if (c->snd.una > 0 && now_ns - cold->progress_at_ns > slt_tcp_rto_ns(tcp, c)) {
        slt_cc_on_idle(&cold->cc, tcp->config, slt_tcp_full_mss(tcp, c)); /* R5681-11 */
    }
    cold->progress_at_ns = now_ns;
}

void slt_tcp_held_clear(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    if (c->cold == NULL) {
        return;
    }
    struct slt_tcp_held *held = &c->cold->held;
    if (held->runs.count > 0) {
        slt_ranges_clear(&held->runs, &tcp->ranges, &tcp->bufs);
    }
    held->bytes = 0;
}

void slt_tcp_cold_give(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    if (c->cold == NULL) {
        return;
    }
    slt_tcp_held_clear(tcp, c);
    slt_records_clear(tcp, &c->cold->recovery.records);
    slt_pool_give_typed(&tcp->colds, c->cold->index, (uint32_t)sizeof(struct slt_tcp_cold));
    c->cold = NULL;
}

/* True when nothing needs the block: nothing in flight or waiting, no gap, no duplicate to tell,
 * and no pace that what is sent next must keep. */
static bool is_idle(const struct slt_tcp_conn *c, int64_t now_ns)
{
    const struct slt_tcp_cold *cold = c->cold;

    if (c->state == SALUT_STATE_CLOSED || c->state == SALUT_STATE_TIME_WAIT) {
        return true;
    }
    return c->state >= SALUT_STATE_ESTABLISHED && c->snd.una == c->snd.nxt &&
           !slt_tcp_fin_waits(c) && c->snd.queue.bytes == 0 && cold->held.runs.count == 0 &&
           cold->held.dup_start == cold->held.dup_end && !slt_tcp_tune_runs(c, cold) &&
           slt_tcp_pacing_rests(&cold->pacing, now_ns);
}

/* Give the block back if nothing needs it; what congestion control learnt is folded away. */
void slt_tcp_cold_fold(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->cold == NULL || c->cold->resting || !is_idle(c, now_ns)) {
        return;
    }
    slt_cc_fold(&c->cold->cc, &c->cc_fold);
    SLT_ASSERT(c->cold->progress_at_ns <= now_ns);
    c->cc_fold.idle_since_ms = slt_tcp_ts_clock(c->cold->progress_at_ns);
    if ((c->ecn & SLT_ECN_ACCURATE) && c->state != SALUT_STATE_CLOSED &&
        c->state != SALUT_STATE_TIME_WAIT) {
        slt_records_clear(tcp, &c->cold->recovery.records);
        slt_tcp_timers_cold_init(c->cold);
        c->cold->resting = true;
        return;
    }
    slt_tcp_cold_give(tcp, c);
}
