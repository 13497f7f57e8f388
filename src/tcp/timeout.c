/* What happens when a timer fires (RFC 9293 3.8.3, 3.8.4, 3.8.6.1, 3.10.8; RFC 6298 5).
 *
 * Handlers only mark: a retransmission or a probe becomes due, or the connection ends. Each timer
 * fires at most once per call.
 */
#include "tcp/engine.h"

/* Give up: the status is the last thing the network said, if it said something (SHLD-25, L-17). */
static void give_up(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                    int64_t now_ns)
{
    enum salut_status status =
        c->soft_status != SALUT_OK ? (enum salut_status)c->soft_status : SALUT_TIMED_OUT;

    if (c->state >= SALUT_STATE_ESTABLISHED &&
        (tcp->config->reset_on_timeout || why == SLT_CAUSE_KEEPALIVE_TIMEOUT)) {
        slt_tcp_reset_due(c, SLT_SEND_RST_TIMEOUT); /* D-07; L-17 for keep-alive */
    }
    slt_tcp_end(tcp, c, status, why, now_ns);
}

/* SYN or SYN,ACK unanswered (MUST-22, MUST-23; 3.10.8). */
static void handshake_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    bool passive = slt_tcp_has(c, SLT_CONN_PASSIVE);
    uint8_t limit = passive ? tcp->config->syn_ack_retries : c->opts.syn_retries;

    if (r->syn_timeouts >= limit) {
        give_up(tcp, c,
                passive ? SLT_CAUSE_SYNACK_RETRANSMIT_LIMIT : SLT_CAUSE_SYN_RETRANSMIT_LIMIT,
                now_ns);
        return;
    }
    slt_tcp_recovery_count_syn(r);
    if (c->state == SALUT_STATE_SYN_SENT) {
        slt_tcp_ecn_on_syn_again(tcp, c);
    }
    slt_tcp_rtt_back_off(c);
    c->due |= SLT_DUE_SYN;
    slt_tcp_timers_on_timeout(tcp, c, now_ns);
}

/* R1: the path is doubted; the user may ask why (MUST-20, SHLD-9, SHLD-10). */
static void note_r1(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (!slt_tcp_has(c, SLT_CONN_R1)) {
        c->flags |= SLT_CONN_R1 | SLT_CONN_ADVISED;
        slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_R1, now_ns);
    }
}

static void retransmit_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    bool orphan = slt_tcp_has(c, SLT_CONN_ORPHAN);
    uint8_t limit = orphan ? tcp->config->orphan_retries : tcp->config->retries2;

    if (c->snd.una == 0 && c->state <= SALUT_STATE_SYN_RECEIVED) {
        handshake_timeout(tcp, c, now_ns);
        return;
    }
    if (c->opts.user_timeout_ms != 0 && !orphan) {
        limit = 0; /* MUST-21, SOCK-82: a timeout of its own is its R2 */
    }
    if (limit != 0 && r->timeouts >= limit) {
        give_up(tcp, c, SLT_CAUSE_RETRANSMIT_LIMIT, now_ns); /* R2 (MUST-20, L-15, L-16) */
        return;
    }
    slt_tcp_recovery_count_timeout(r, c->snd.wnd == 0);
    slt_tcp_rtt_back_off(c);
    if (r->timeouts >= tcp->config->retries1) {
        note_r1(tcp, c, now_ns);
    }
    slt_tcp_pmtud_on_timeout(tcp, c, now_ns);
    slt_tcp_recovery_on_timeout(tcp, c, now_ns);
    slt_tcp_timers_on_timeout(tcp, c, now_ns);
}

/* The window stayed closed (MUST-35, MUST-36). Answered probes go on for ever (MUST-37);
 * unanswered ones are bounded like retransmissions (L-53). */
static void persist_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    uint8_t limit =
        slt_tcp_has(c, SLT_CONN_ORPHAN) ? tcp->config->orphan_retries : tcp->config->retries2;

    if (limit != 0 && r->probes >= limit) {
        give_up(tcp, c, SLT_CAUSE_RETRANSMIT_LIMIT, now_ns);
        return;
    }
    slt_tcp_recovery_count_probe(r);
    c->due |= SLT_DUE_PROBE;
    slt_tcp_timers_on_blocked(tcp, c, now_ns);
}

/* RFC 9293 3.8.4. A user timeout replaces the count of probes (SOCK-82). */
static void keepalive_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    int64_t limit_ns = (int64_t)c->opts.user_timeout_ms * SLT_NS_PER_MS;
    int64_t silent_ns =
        (c->opts.keep_idle_s + (int64_t)c->acks.probes * c->opts.keep_interval_s) * SLT_NS_PER_S;

    if (c->snd.una != c->snd.nxt || c->snd.queue.bytes > 0) { /* MUST-26 */
        slt_tcp_timers_on_keepalive(tcp, c, false, now_ns);
        return;
    }
    if (limit_ns != 0 ? c->acks.probes > 0 && silent_ns >= limit_ns
                      : c->acks.probes >= c->opts.keep_probes) {
        give_up(tcp, c, SLT_CAUSE_KEEPALIVE_TIMEOUT, now_ns);
        return;
    }
    slt_tcp_acks_count_probe(c); /* MUST-29: one unanswered probe kills nothing */
    c->due |= SLT_DUE_KEEPALIVE;
    slt_tcp_timers_on_keepalive(tcp, c, true, now_ns);
}

static void fire(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_tcp_timer timer,
                 int64_t now_ns)
{
    switch (timer) {
    case SLT_TIMER_TAIL_PROBE:
        slt_tcp_recovery_on_tail_timeout(tcp, c, now_ns);
        break;
    case SLT_TIMER_REORDER:
        slt_tcp_recovery_on_reorder_timeout(tcp, c, now_ns);
        break;
    case SLT_TIMER_RETRANSMIT:
        retransmit_timeout(tcp, c, now_ns);
        break;
    case SLT_TIMER_PERSIST:
        persist_timeout(tcp, c, now_ns);
        break;
    case SLT_TIMER_USER_TIMEOUT:
        give_up(tcp, c, SLT_CAUSE_USER_TIMEOUT, now_ns); /* U-23 */
        break;
    case SLT_TIMER_TUNE:
        slt_tcp_tune_on_timer(c, now_ns);
        break;
    case SLT_TIMER_PACING: /* what it held back may leave in this turn */
        break;
    case SLT_TIMER_CORK:
        c->flags |= SLT_CONN_CORK_EXPIRED;
        break;
    case SLT_TIMER_DELAYED_ACK:
        slt_tcp_acks_on_delay_over(c);
        break;
    case SLT_TIMER_KEEPALIVE:
        keepalive_timeout(tcp, c, now_ns);
        break;
    case SLT_TIMER_FIN_WAIT_2: /* L-02: silently gone */
        slt_tcp_end(tcp, c, SALUT_TIMED_OUT, SLT_CAUSE_FIN_WAIT_2_TIMEOUT, now_ns);
        break;
    case SLT_TIMER_TIME_WAIT:
        slt_tcp_end(tcp, c, SALUT_OK, SLT_CAUSE_TWO_MSL, now_ns);
        break;
    case SLT_TIMER_COUNT:
        SLT_UNREACHABLE("not a timer");
    }
}

void slt_tcp_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    for (unsigned t = 0; t < SLT_TIMER_COUNT; t++) {
        enum slt_tcp_timer timer = (enum slt_tcp_timer)t;
        if (slt_tcp_timer_due(c, timer) <= now_ns) {
            slt_tcp_timers_fired(c, timer);
            fire(tcp, c, timer, now_ns);
        }
    }
    SLT_DCHECK(slt_tcp_check(tcp, c, now_ns) == NULL);
}
