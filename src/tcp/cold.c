/* The cold block: what a connection needs only while a handshake runs, bytes wait or are in
 * flight, or a gap is open in what it received.
 *
 * slt_tcp_cold_get brings it (and brings congestion control back from its fold, restarting from
 * the initial window after an idle time, RFC 5681 4.1); slt_tcp_cold_fold folds it away when
 * nothing needs it. The pool has a block for every connection by default, so that a connection that
 * must close finds one; where it is configured smaller, exhaustion is a status or a counted drop.
 *
 * A folded block may stay and rest, for what stands at its end: AccECN's counters, which must not
 * be lost, and what was learnt of the path and counted, which a connection that has sent something
 * keeps while there is room for it. Room is for SLT_TCP_RESTS_MAX of them. The one that has rested
 * longest makes room: for a connection that needs a block and finds none in the pool, and for the
 * next that wants to rest, if it has rested for REST_LEAST_NS (else that one does without: where
 * more are busy in turn than there is room for, each would only push out one that is soon back).
 */
#include "tcp/engine.h"

#define REST_LEAST_NS SLT_NS_PER_S

static struct slt_tcp_cold *cold_at(const struct slt_tcp *tcp, uint32_t index)
{
    return slt_pool_at_typed(&tcp->colds, index, (uint32_t)sizeof(struct slt_tcp_cold));
}

/* ---- blocks that rest ------------------------------------------------------------------------ */

void slt_tcp_rests_init(struct slt_tcp_rests *rests)
{
    *rests = (struct slt_tcp_rests){.oldest = SLT_NIL, .newest = SLT_NIL};
}

static void join_rests(struct slt_tcp *tcp, struct slt_tcp_cold *cold, int64_t now_ns)
{
    struct slt_tcp_rests *rests = &tcp->rests;

    cold->rested_at_ns = now_ns;
    cold->rest_older = rests->newest;
    cold->rest_newer = SLT_NIL;
    if (rests->newest == SLT_NIL) {
        rests->oldest = cold->index;
    } else {
        cold_at(tcp, rests->newest)->rest_newer = cold->index;
    }
    rests->newest = cold->index;
    rests->count++;
    cold->listed = true;
}

static void leave_rests(struct slt_tcp *tcp, struct slt_tcp_cold *cold)
{
    struct slt_tcp_rests *rests = &tcp->rests;

    if (!cold->listed) {
        return; /* in use, or kept for AccECN's counters: nobody's to take */
    }
    SLT_ASSERT(rests->count > 0);
    if (cold->rest_older == SLT_NIL) {
        rests->oldest = cold->rest_newer;
    } else {
        cold_at(tcp, cold->rest_older)->rest_newer = cold->rest_newer;
    }
    if (cold->rest_newer == SLT_NIL) {
        rests->newest = cold->rest_older;
    } else {
        cold_at(tcp, cold->rest_newer)->rest_older = cold->rest_older;
    }
    rests->count--;
    cold->listed = false;
}

/* The one that has rested longest goes; false: none rests. */
static bool evict(struct slt_tcp *tcp)
{
    if (tcp->rests.oldest == SLT_NIL) {
        return false;
    }
    slt_tcp_cold_give(tcp, slt_tcp_conn_at(tcp, cold_at(tcp, tcp->rests.oldest)->conn));
    return true;
}

/* There is room for one more to rest. */
static bool makes_room(struct slt_tcp *tcp, int64_t now_ns)
{
    if (tcp->rests.count < SLT_TCP_RESTS_MAX) {
        return true;
    }
    return now_ns - cold_at(tcp, tcp->rests.oldest)->rested_at_ns >= REST_LEAST_NS && evict(tcp);
}

/* ---- blocks in use --------------------------------------------------------------------------- */

static uint32_t take(struct slt_tcp *tcp)
{
    uint32_t index = slt_pool_take_typed(&tcp->colds, (uint32_t)sizeof(struct slt_tcp_cold));

    if (index == SLT_NIL && evict(tcp)) {
        index = slt_pool_take_typed(&tcp->colds, (uint32_t)sizeof(struct slt_tcp_cold));
    }
    return index;
}

/* All but what survives a rest, which a new block has nothing of. */
static void clear(struct slt_tcp_cold *cold, int64_t una, bool rested)
{
    struct slt_rack learnt = cold->recovery.rack;
    size_t from = offsetof(struct slt_tcp_cold, held);
    size_t kept = offsetof(struct slt_tcp_cold, limits);

    /* What has an init of its own zeroes itself. */
    memset(&cold->pacing, 0, sizeof(cold->pacing));
    memset(&cold->held, 0, (rested ? kept : sizeof(*cold)) - from);
    slt_tcp_recovery_init(&cold->recovery, una);
    if (rested) {
        slt_rack_keep(&cold->recovery.rack, &learnt);
    }
}

/* There is none, or one that rests: see slt_tcp_cold_get. False: no memory. */
bool slt_tcp_cold_make(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    bool rested = cold != NULL;

    SLT_ASSERT(!rested || cold->resting);
    uint32_t index = rested ? cold->index : take(tcp);
    if (index == SLT_NIL) {
        return false;
    }
    if (rested) {
        leave_rests(tcp, cold);
    }
    cold = cold_at(tcp, index);
    clear(cold, c->snd.una, rested);
    cold->index = index;
    cold->conn = c->index;
    c->cold = cold;
    slt_tcp_timers_cold_init(cold);
    slt_ranges_init(&cold->held.runs);
    slt_rate_init(&cold->rate, now_ns);
    if (!rested) {
        slt_tcp_limits_init(&cold->limits, now_ns);
    }
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
    leave_rests(tcp, c->cold);
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

/* True when the block is to stay for what survives a rest. */
static bool is_worth_keeping(struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->state == SALUT_STATE_CLOSED || c->state == SALUT_STATE_TIME_WAIT) {
        return false;
    }
    return (c->ecn & SLT_ECN_ACCURATE) || (c->cold->data_segs_out > 0 && makes_room(tcp, now_ns));
}

/* Fold the block away if nothing needs it: what congestion control learnt goes into the connection.
 */
void slt_tcp_cold_fold(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;

    if (cold == NULL || cold->resting || !is_idle(c, now_ns)) {
        return;
    }
    slt_cc_fold(&cold->cc, &c->cc_fold);
    SLT_ASSERT(cold->progress_at_ns <= now_ns);
    c->cc_fold.idle_since_ms = slt_tcp_ts_clock(cold->progress_at_ns);
    if (!is_worth_keeping(tcp, c, now_ns)) {
        slt_tcp_cold_give(tcp, c);
        return;
    }
    slt_tcp_limits_set(&cold->limits, SALUT_LIMIT_NOTHING, now_ns);
    slt_records_clear(tcp, &cold->recovery.records);
    slt_tcp_timers_cold_init(cold);
    cold->resting = true;
    if (!(c->ecn & SLT_ECN_ACCURATE)) {
        join_rests(tcp, cold, now_ns);
    }
}
