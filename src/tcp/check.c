/* The invariants of one connection, stated once (security.md's I-nn) and checked after every door
 * in debug, simulation and fuzzing builds.
 *
 * Each check returns NULL or a sentence that starts with the id of the invariant it saw broken.
 * They hold between any two doors; what holds only once the stack has drawn the consequences of a
 * door (a closed window is being probed, a closed connection is let go) is the stack's to check,
 * and the simulator's.
 */
#include "tcp/engine.h"

/* ---- sending (I-08, I-09, I-16, I-22, I-56, I-62) -------------------------------------------- */

static bool fin_counts(const struct slt_tcp_conn *c)
{
    return slt_tcp_has(c, SLT_CONN_FIN_SENT);
}

/* The bytes a cursor's place lies behind the head; -1: it is not in the chain. */
static int64_t offset_of(const struct slt_tcp *tcp, const struct slt_chain *chain,
                         struct slt_cursor cursor)
{
    int64_t before = 0;

    for (uint32_t i = chain->head; i != SLT_NIL; i = slt_buf_at(&tcp->bufs, i)->next) {
        const struct slt_buf *buf = slt_buf_at(&tcp->bufs, i);
        if (i == cursor.buf) {
            bool inside = cursor.off >= buf->start && cursor.off <= buf->end;
            return inside ? before + cursor.off - buf->start : -1;
        }
        before += buf->end - buf->start;
    }
    return -1;
}

static int64_t chain_bytes(const struct slt_tcp *tcp, const struct slt_chain *chain)
{
    int64_t bytes = 0;

    for (uint32_t i = chain->head; i != SLT_NIL; i = slt_buf_at(&tcp->bufs, i)->next) {
        bytes += slt_buf_at(&tcp->bufs, i)->end - slt_buf_at(&tcp->bufs, i)->start;
    }
    return bytes;
}

static const char *check_send(const struct slt_tcp_conn *c)
{
    int64_t end = slt_tcp_snd_end(c) + (fin_counts(c) ? 1 : 0);

    if (c->state == SALUT_STATE_CLOSED) {
        return NULL; /* its queue is empty, its numbers are history */
    }
    if (c->snd.una > c->snd.nxt) {
        return "I-08: SND.UNA lies beyond SND.NXT";
    }
    if (c->snd.una < c->snd.nxt && c->snd.nxt > end) {
        return "I-08: SND.NXT lies beyond what was queued";
    }
    if (c->snd.nxt - c->snd.una >= INT64_C(1) << 31) {
        return "I-08: half of the sequence space is in flight";
    }
    if (fin_counts(c) && !slt_tcp_has(c, SLT_CONN_FIN_QUEUED)) {
        return "I-22: a FIN was sent that was never queued";
    }
    return NULL;
}

static const char *check_send_queue(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    if (chain_bytes(tcp, &c->snd.queue) != c->snd.queue.bytes) {
        return "I-09: the send queue does not hold the bytes it counts";
    }
    if (c->snd.cursor.buf == SLT_NIL || c->state == SALUT_STATE_CLOSED) {
        return NULL;
    }
    int64_t first = slt_max64(c->snd.una, 1);
    int64_t sent = slt_min64(c->snd.nxt, slt_tcp_snd_end(c)) - first;
    if (offset_of(tcp, &c->snd.queue, c->snd.cursor) != slt_max64(sent, 0)) {
        return "I-09: the place of SND.NXT in the send queue is wrong";
    }
    return NULL;
}

static const char *check_recovery(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    if (c->cold == NULL) {
        return NULL;
    }
    const struct slt_tcp_recovery *r = &c->cold->recovery;
    if (r->recover > c->snd.nxt) {
        return "I-16: the recovery point lies beyond SND.NXT";
    }
    if (slt_tcp_flight(c, r) < 0) {
        return "I-16: less than nothing is in flight";
    }
    if ((r->ca_state == SALUT_CA_CWR || r->ca_state == SALUT_CA_RECOVERY) &&
        r->prr.flight_bytes == 0) {
        return "I-16: an episode that nothing meters";
    }
    if ((r->ca_state == SALUT_CA_CWR || r->ca_state == SALUT_CA_RECOVERY) &&
        c->cold->cc.episode == SLT_CC_NO_EPISODE) {
        return "I-62: an episode that congestion control does not know of";
    }
    if (r->records.lost_bytes > 0 && r->rtx_why == SLT_PASS) {
        return "I-56: octets are to be sent again for no reason";
    }
    if (r->newreno.left_bytes > 0 && slt_tcp_has(c, SLT_CONN_SACK_OK)) {
        return "I-16: duplicate ACKs are counted although the peer sends SACK";
    }
    return slt_records_check(tcp, &r->records, c->snd.una, c->snd.nxt);
}

/* ---- receiving (I-14, I-15) ------------------------------------------------------------------ */

static const char *check_held(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    const struct slt_tcp_held *held = &c->cold->held;
    bool fin = slt_tcp_has(c, SLT_CONN_FIN_KNOWN);
    int64_t limit = fin ? slt_pos_expand(c->rcv.nxt, c->rcv.fin_low) : c->rcv.edge;
    int64_t pos = c->rcv.nxt;
    uint64_t bytes = 0;
    uint32_t index = slt_ranges_first(&held->runs, &tcp->ranges);

    while (index != SLT_NIL) {
        const struct slt_range *run = slt_pool_at(&tcp->ranges, index);
        if (run->start <= pos || run->end <= run->start) {
            return "I-15: held runs touch or overlap";
        }
        if (run->end > c->rcv.edge) {
            return "I-14: a held run lies outside the window that was advertised";
        }
        if (run->end > limit) {
            return "I-15: a held run lies behind the peer's FIN";
        }
        if (chain_bytes(tcp, &run->chain) != run->end - run->start) {
            return "I-15: a held run does not hold its bytes";
        }
        bytes += run->chain.bytes;
        pos = run->end;
        index = slt_ranges_above(&held->runs, &tcp->ranges, run->start);
    }
    return bytes == held->bytes ? NULL : "I-15: held bytes are miscounted";
}

static const char *check_receive(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    int64_t fin = slt_tcp_has(c, SLT_CONN_FIN_TAKEN) ? 1 : 0;

    if (c->state >= SALUT_STATE_ESTABLISHED && c->rcv.nxt - fin > c->rcv.edge) {
        return "I-14: bytes were taken that lie outside the window that was advertised";
    }
    if (chain_bytes(tcp, &c->rcv.queue) != c->rcv.queue.bytes) {
        return "I-04: the receive queue does not hold the bytes it counts";
    }
    if (slt_tcp_has(c, SLT_CONN_FIN_TAKEN) && !slt_tcp_has(c, SLT_CONN_FIN_KNOWN)) {
        return "I-02: a FIN was taken that was never seen";
    }
    if (c->rcv.buffer_max > UINT32_C(1) << 30 || c->snd.buffer_max > UINT32_C(1) << 30) {
        return "I-14: a buffer is larger than any window";
    }
    return c->cold == NULL ? NULL : check_held(tcp, c);
}

/* ---- timers (I-31, I-32) --------------------------------------------------------------------- */

static bool runs(const struct slt_tcp_conn *c, enum slt_tcp_timer timer)
{
    return slt_tcp_timer_due(c, timer) != SLT_NEVER;
}

static const char *check_sending_timers(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                        int64_t now_ns)
{
    bool retransmit = runs(c, SLT_TIMER_RETRANSMIT);
    bool persist = runs(c, SLT_TIMER_PERSIST);

    if (retransmit && persist) {
        return "I-31: retransmission and persist timer run together";
    }
    if (c->snd.una < c->snd.nxt && !retransmit && !persist &&
        !slt_tcp_wants_output(tcp, c, now_ns)) {
        return "I-31: something is in flight and no timer watches it";
    }
    if ((runs(c, SLT_TIMER_TAIL_PROBE) || runs(c, SLT_TIMER_REORDER)) && !retransmit) {
        return "I-31: a timer of loss detection runs without the one behind it";
    }
    if (c->state == SALUT_STATE_SYN_SENT && !retransmit && !(c->due & SLT_DUE_SYN) &&
        !c->cold->opening.waits) {
        return "I-31: SYN-SENT, and the SYN is neither due nor watched";
    }
    return NULL;
}

static const char *check_waiting_timers(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                        int64_t now_ns)
{
    bool owes = slt_tcp_has(c, SLT_CONN_ACK_PENDING) && !(c->due & (SLT_DUE_ACK | SLT_DUE_RST));

    if (owes && c->state >= SALUT_STATE_ESTABLISHED && !runs(c, SLT_TIMER_DELAYED_ACK) &&
        !slt_tcp_wants_output(tcp, c, now_ns)) {
        return "I-31: an acknowledgement is owed and nothing will send it";
    }
    if (runs(c, SLT_TIMER_DELAYED_ACK) &&
        c->delayed_ack_at_ns > slt_time_add(now_ns, 500 * SLT_NS_PER_MS)) {
        return "I-31: an acknowledgement waits for more than half a second";
    }
    if (c->state == SALUT_STATE_TIME_WAIT && !runs(c, SLT_TIMER_TIME_WAIT)) {
        return "I-31: TIME-WAIT without its timer";
    }
    if (c->state == SALUT_STATE_TIME_WAIT && runs(c, SLT_TIMER_RETRANSMIT)) {
        return "I-31: TIME-WAIT with another timer beside its own";
    }
    if (c->state == SALUT_STATE_FIN_WAIT_2 && slt_tcp_has(c, SLT_CONN_ORPHAN) &&
        tcp->config->fin_wait_2_ns > 0 && !runs(c, SLT_TIMER_FIN_WAIT_2)) {
        return "I-31: an orphan in FIN-WAIT-2 that nothing will end";
    }
    return NULL;
}

static const char *check_timers(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                int64_t now_ns)
{
    if (c->state == SALUT_STATE_CLOSED) {
        return slt_tcp_next_deadline(c) == SLT_NEVER ? NULL : "I-32: a timer runs in CLOSED";
    }
    if (slt_tcp_deadline_bound(c) > slt_tcp_next_deadline(c)) {
        return "I-32: a timer is due before the instant that all of them are said to lie after";
    }
    const char *broken = check_sending_timers(tcp, c, now_ns);
    return broken ? broken : check_waiting_timers(tcp, c, now_ns);
}

/* ---- congestion, round trips, path (I-18, I-19, I-35) --------------------------------------- */

static const char *check_congestion(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    if (c->cold == NULL) {
        return NULL;
    }
    const struct slt_tcp_cold *cold = c->cold;
    uint32_t mss = slt_tcp_full_mss(tcp, c);
    if (cold->conn != c->index) {
        return "I-30: the cold block belongs to another connection";
    }
    if (c->state < SALUT_STATE_ESTABLISHED || cold->resting) {
        return NULL;
    }
    if (cold->cc.cwnd_bytes < mss || cold->cc.cwnd_bytes > UINT32_C(1) << 30) {
        return "I-18: the congestion window is below one segment, or beyond any window";
    }
    return cold->cc.ssthresh_bytes >= 2 * mss ? NULL : "I-18: ssthresh is below two segments";
}

static const char *check_path(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    const struct salut_config *config = tcp->config;
    int64_t rto_ns = (int64_t)c->rtt.rto_us * SLT_NS_PER_US;

    if (rto_ns > config->rto_max_ns ||
        rto_ns < slt_min64(config->rto_min_ns, config->rto_initial_ns)) {
        return "I-19: the retransmission timeout is outside its limits";
    }
    if (slt_tcp_rto_ns(tcp, c) > config->rto_max_ns) {
        return "I-19: the backed-off retransmission timeout is above its limit";
    }
    if (c->snd.pmtu > config->mtu && config->mtu >= (c->ip_bytes == 20 ? 68 : 1280)) {
        return "I-35: the path MTU is above the link's";
    }
    return NULL;
}

const char *slt_tcp_check(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns)
{
    const char *broken;

    if (!(c->place.generation & 1U)) {
        return "I-30: a freed connection is in use";
    }
    if ((broken = check_send(c)) != NULL || (broken = check_send_queue(tcp, c)) != NULL ||
        (broken = check_recovery(tcp, c)) != NULL || (broken = check_receive(tcp, c)) != NULL ||
        (broken = check_timers(tcp, c, now_ns)) != NULL || (broken = check_path(tcp, c)) != NULL) {
        return broken;
    }
    return check_congestion(tcp, c);
}
