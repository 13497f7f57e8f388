/* The invariants of one connection, stated once (security.md's I-nn) and checked after every door
 * in debug, simulation and fuzzing builds.
 *
 * Each check returns NULL or a sentence that starts with the id of the invariant it saw broken.
 */
#include "tcp/engine.h"

static const char *check_send(const struct slt_tcp_conn *c)
{
    int64_t end = slt_tcp_snd_end(c) + (slt_tcp_has(c, SLT_CONN_FIN_SENT) ? 1 : 0);

    if (c->snd.una > c->snd.nxt) {
        return "I-08: SND.UNA lies beyond SND.NXT";
    }
    if (c->state != SALUT_STATE_CLOSED && c->snd.una < c->snd.nxt && c->snd.nxt > end) {
        return "I-08: SND.NXT lies beyond what was queued";
    }
    if (slt_tcp_has(c, SLT_CONN_FIN_SENT) && !slt_tcp_has(c, SLT_CONN_FIN_QUEUED)) {
        return "I-22: a FIN was sent that was never queued";
    }
    return NULL;
}

static const char *check_receive(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    if (c->cold == SLT_NIL) {
        return NULL;
    }
    const struct slt_tcp_held *held = &slt_tcp_cold_of(tcp, c)->held;
    int64_t pos = c->rcv.nxt;
    uint64_t bytes = 0;
    uint32_t index = slt_ranges_first(&held->runs, &tcp->ranges);
    while (index != SLT_NIL) {
        const struct slt_range *run = slt_pool_at(&tcp->ranges, index);
        if (run->start <= pos || run->end <= run->start || run->end > c->rcv.edge) {
            return "I-15: held runs touch, or lie outside the window";
        }
        if (run->chain.bytes != run->end - run->start) {
            return "I-15: a held run does not hold its bytes";
        }
        bytes += run->chain.bytes;
        pos = run->end;
        index = slt_ranges_above(&held->runs, &tcp->ranges, run->start);
    }
    return bytes == held->bytes ? NULL : "I-15: held bytes are miscounted";
}

static const char *check_timers(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                int64_t now_ns)
{
    bool retransmit = slt_tcp_timer_due(tcp, c, SLT_TIMER_RETRANSMIT) != SLT_NEVER;
    bool persist = slt_tcp_timer_due(tcp, c, SLT_TIMER_PERSIST) != SLT_NEVER;

    if (retransmit && persist) {
        return "I-31: retransmission and persist timer run together";
    }
    if (c->state == SALUT_STATE_CLOSED && slt_tcp_next_deadline(tcp, c) != SLT_NEVER) {
        return "I-32: a timer runs in CLOSED";
    }
    if (c->snd.una < c->snd.nxt && c->state != SALUT_STATE_CLOSED && !retransmit && !persist &&
        !slt_tcp_wants_output(tcp, c, now_ns)) {
        return "I-31: something is in flight and no timer watches it";
    }
    if (c->state == SALUT_STATE_TIME_WAIT &&
        slt_tcp_timer_due(tcp, c, SLT_TIMER_TIME_WAIT) == SLT_NEVER) {
        return "I-31: TIME-WAIT without its timer";
    }
    return NULL;
}

static const char *check_congestion(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    if (c->cold == SLT_NIL) {
        return NULL;
    }
    const struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    if (cold->conn != c->index) {
        return "I-30: the cold block belongs to another connection";
    }
    if (cold->cc.cwnd_bytes == 0) {
        return "I-18: the congestion window is zero";
    }
    return NULL;
}

const char *slt_tcp_check(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns)
{
    const char *broken;

    if (!(c->generation & 1U)) {
        return "I-30: a freed connection is in use";
    }
    if ((broken = check_send(c)) != NULL || (broken = check_receive(tcp, c)) != NULL ||
        (broken = check_timers(tcp, c, now_ns)) != NULL) {
        return broken;
    }
    return check_congestion(tcp, c);
}
