/* Timers: deadlines, and the hooks that move them. No other file arms or stops one.
 *
 *   RETRANSMIT    runs while something is in flight: started when the first octet is sent,
 *                 restarted by each acknowledgement of new data, stopped when all is acknowledged
 *                 (RFC 6298 5.1-5.3). Expiry: the earliest octet again, the interval doubles.
 *   TAIL_PROBE    runs while something is in flight and nothing says that it is lost (RFC 8985 7):
 *                 moved by new octets and by each acknowledgement of new data, never beyond
 *                 RETRANSMIT. Expiry: a probe, and RETRANSMIT starts anew.
 *   REORDER       runs while octets in flight were sent before others that have been delivered, and
 *                 may still come (RFC 8985 6.2). Expiry: they are lost.
 *   PERSIST       runs while bytes wait that the peer's window does not take and nothing is in
 *                 flight (RFC 9293 3.8.6.1); excludes RETRANSMIT. Expiry: a window probe.
 *   USER_TIMEOUT  runs while bytes are unacknowledged or wait (3.10.8), if one is set; moved by
 *                 every acknowledgement of new data. Expiry: the connection ends.
 *   TUNE          runs while the receive buffer is being tuned: a second, then looks whether text
 *                 still comes.
 *   PACING        runs while the pace alone holds something back. Expiry: that may leave.
 *   CORK          runs while a partial segment is held: by cork or "more" for 200 ms; by Nagle's
 *                 rule for a round trip and a little, if so configured. Expiry: it may leave.
 *   DELAYED_ACK   runs while an acknowledgement is owed that may wait (3.8.6.3).
 *   KEEPALIVE     when switched on: moved by every segment received (3.8.4).
 *   FIN_WAIT_2    orphans only: bounds the wait for the peer's FIN (D-08).
 *   TIME_WAIT     2MSL (3.6.1, MUST-13); all others are off then (U-24).
 *
 * The first of these need something in flight or waiting and lie in the cold block; the last three
 * exclude one another and share one place in the connection.
 *
 * Asked after every door is only whether something became due earlier than the wheel knows. For
 * that a bound is enough, which setting a timer lowers and nothing raises but a look at them all
 * (slt_tcp_find_deadline): most are moved on or stopped long before they fire.
 */
#include "tcp/engine.h"

#define CORK_NS (200 * SLT_NS_PER_MS)

/* The only place that sets a timer. */
static void arm(struct slt_tcp_conn *c, enum slt_tcp_timer timer, int64_t at_ns)
{
    if (timer < SLT_TIMER_COLD_COUNT) {
        struct slt_tcp_cold *cold = c->cold;
        cold->due_at_ns[timer] = at_ns;
        cold->due_from_ns = slt_min64(cold->due_from_ns, at_ns);
    } else if (timer == SLT_TIMER_DELAYED_ACK) {
        c->delayed_ack_at_ns = at_ns;
    } else {
        c->lasting = (uint8_t)timer;
        c->lasting_at_ns = at_ns;
    }
}

static void stop(struct slt_tcp_conn *c, enum slt_tcp_timer timer)
{
    if (timer < SLT_TIMER_COLD_COUNT) {
        if (c->cold != NULL) {
            arm(c, timer, SLT_NEVER);
        }
    } else if (timer == SLT_TIMER_DELAYED_ACK || c->lasting == timer) {
        arm(c, timer, SLT_NEVER);
    }
}

int64_t slt_tcp_timer_due(const struct slt_tcp_conn *c, enum slt_tcp_timer timer)
{
    if (timer < SLT_TIMER_COLD_COUNT) {
        const struct slt_tcp_cold *cold = c->cold;
        return cold ? cold->due_at_ns[timer] : SLT_NEVER;
    }
    if (timer == SLT_TIMER_DELAYED_ACK) {
        return c->delayed_ack_at_ns;
    }
    return c->lasting == timer ? c->lasting_at_ns : SLT_NEVER;
}

/* The first of the timers that run only with a cold block. */
static int64_t first_cold(const struct slt_tcp_cold *cold)
{
    int64_t first = SLT_NEVER;

    for (int i = 0; i < SLT_TIMER_COLD_COUNT; i++) {
        first = slt_min64(first, cold->due_at_ns[i]);
    }
    return first;
}

int64_t slt_tcp_next_deadline(const struct slt_tcp_conn *c)
{
    int64_t next = slt_min64(c->delayed_ack_at_ns, c->lasting_at_ns);

    return c->cold ? slt_min64(next, first_cold(c->cold)) : next;
}

int64_t slt_tcp_deadline_bound(const struct slt_tcp_conn *c)
{
    int64_t next = slt_min64(c->delayed_ack_at_ns, c->lasting_at_ns);

    return c->cold ? slt_min64(next, c->cold->due_from_ns) : next;
}

int64_t slt_tcp_find_deadline(struct slt_tcp_conn *c)
{
    if (c->cold) {
        c->cold->due_from_ns = first_cold(c->cold);
    }
    return slt_tcp_deadline_bound(c);
}

void slt_tcp_timers_init(struct slt_tcp_conn *c)
{
    c->delayed_ack_at_ns = SLT_NEVER;
    c->lasting_at_ns = SLT_NEVER;
    c->lasting = SLT_TIMER_KEEPALIVE;
}

void slt_tcp_timers_cold_init(struct slt_tcp_cold *cold)
{
    for (int i = 0; i < SLT_TIMER_COLD_COUNT; i++) {
        cold->due_at_ns[i] = SLT_NEVER;
    }
    cold->due_from_ns = SLT_NEVER;
}

/* MUST-19; RFC 6298 5.5: RTO doubled per consecutive timeout, up to the maximum (2.5). */
static int64_t backed_off(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, uint8_t times)
{
    int64_t rto_ns = (int64_t)c->rtt.rto_us * SLT_NS_PER_US;

    for (uint8_t i = 0; i < times && rto_ns < tcp->config->rto_max_ns; i++) {
        rto_ns *= 2;
    }
    return slt_min64(rto_ns, tcp->config->rto_max_ns);
}

int64_t slt_tcp_rto_ns(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    return backed_off(tcp, c, c->backoff);
}

/* R2 as a time, the connection's own or the configuration's (MUST-21). */
int64_t slt_tcp_user_timeout_ns(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    if (c->opts.user_timeout_ms != 0) {
        return (int64_t)c->opts.user_timeout_ms * SLT_NS_PER_MS;
    }
    return tcp->config->user_timeout_ns;
}

/* The user timeout counts from the last progress, or from when bytes first waited. */
static void arm_user_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    int64_t limit_ns = slt_tcp_user_timeout_ns(tcp, c);
    struct slt_tcp_cold *cold = c->cold;

    arm(c, SLT_TIMER_USER_TIMEOUT,
        limit_ns == 0 ? SLT_NEVER : slt_time_add(cold->progress_at_ns, limit_ns));
}

/* Should be called when a timer has fired, before it is acted upon. */
void slt_tcp_timers_fired(struct slt_tcp_conn *c, enum slt_tcp_timer timer)
{
    stop(c, timer);
}

static void stop_all(struct slt_tcp_conn *c)
{
    if (c->cold != NULL) {
        slt_tcp_timers_cold_init(c->cold);
    }
    c->delayed_ack_at_ns = SLT_NEVER;
    c->lasting_at_ns = SLT_NEVER;
}

static int64_t fin_wait_2_ns(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    if (c->opts.linger2_s > 0) {
        return c->opts.linger2_s * SLT_NS_PER_S;
    }
    return tcp->config->fin_wait_2_ns;
}

static void arm_fin_wait_2(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    int64_t limit_ns = fin_wait_2_ns(tcp, c);

    if (limit_ns > 0) { /* D-08: orphans only, and only if so configured */
        arm(c, SLT_TIMER_FIN_WAIT_2, slt_time_add(now_ns, limit_ns));
    }
}

/* Should be called by set_state once the new state stands. */
void slt_tcp_timers_on_state(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->state == SALUT_STATE_CLOSED) {
        stop_all(c);
    } else if (c->state == SALUT_STATE_TIME_WAIT) {
        stop_all(c); /* RFC 9293 3.10.7.4 (U-24): turn off the other timers */
        arm(c, SLT_TIMER_TIME_WAIT, slt_time_add(now_ns, 2 * tcp->config->msl_ns));
    } else if (c->state == SALUT_STATE_FIN_WAIT_2 && slt_tcp_has(c, SLT_CONN_ORPHAN)) {
        arm_fin_wait_2(tcp, c, now_ns);
    } else if (c->state == SALUT_STATE_ESTABLISHED) {
        slt_tcp_timers_on_keepalive(tcp, c, false, now_ns);
    }
}

/* Should be called when the user has let go of the connection. */
void slt_tcp_timers_on_orphaned(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->state == SALUT_STATE_FIN_WAIT_2) {
        arm_fin_wait_2(tcp, c, now_ns);
    }
}

/* Should be called when a resent FIN has been acknowledged in TIME-WAIT (U-25). */
void slt_tcp_timers_on_time_wait_again(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    arm(c, SLT_TIMER_TIME_WAIT, slt_time_add(now_ns, 2 * tcp->config->msl_ns));
}

/* Should be called after an octet (SYN and FIN are octets) was sent, new or again. */
void slt_tcp_timers_on_sent(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    stop(c, SLT_TIMER_PERSIST);
    if (slt_tcp_timer_due(c, SLT_TIMER_RETRANSMIT) == SLT_NEVER) {
        /* RFC 6298 5.1 (R6298-07) */
        arm(c, SLT_TIMER_RETRANSMIT, slt_time_add(now_ns, slt_tcp_rto_ns(tcp, c)));
    }
    if (slt_tcp_timer_due(c, SLT_TIMER_USER_TIMEOUT) == SLT_NEVER) {
        arm_user_timeout(tcp, c);
    }
}

/* Should be called when bytes wait to be sent, sent or not: the user timeout runs. */
void slt_tcp_timers_on_waiting(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    (void)now_ns;
    arm_user_timeout(tcp, c);
}

/* Should be called when SND.UNA has advanced. */
void slt_tcp_timers_on_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, bool everything,
                             int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;

    cold->progress_at_ns = now_ns;
    stop(c, SLT_TIMER_RETRANSMIT); /* RFC 6298 5.2, 5.3 */
    if (everything) {
        stop(c, SLT_TIMER_REORDER);
        stop(c, SLT_TIMER_TAIL_PROBE);
    } else {
        stop(c, SLT_TIMER_PERSIST);
        arm(c, SLT_TIMER_RETRANSMIT, slt_time_add(now_ns, slt_tcp_rto_ns(tcp, c)));
    }
    if (everything && c->snd.queue.bytes == 0 && !slt_tcp_fin_waits(c)) {
        stop(c, SLT_TIMER_PERSIST); /* the last probe carried all that waited */
    }
    if (everything && c->snd.queue.bytes == 0) {
        stop(c, SLT_TIMER_USER_TIMEOUT);
    } else {
        arm_user_timeout(tcp, c);
    }
}

/* Should be called instead for a partial ACK that is not the first of its episode: the timer
 * keeps running (RFC 6582 3.2 step 4). */
void slt_tcp_timers_on_partial_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    c->cold->progress_at_ns = now_ns;
    arm_user_timeout(tcp, c);
}

/* Should be called when the earliest octets were sent again in fast recovery: they have a round
 * trip before them (RFC 6675 6, R6675-09). */
void slt_tcp_timers_on_head_resent(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    arm(c, SLT_TIMER_RETRANSMIT, slt_time_add(now_ns, slt_tcp_rto_ns(tcp, c)));
}

/* Should be called when it is known how long the oldest doubtful octets may still take; SLT_NEVER:
 * none are doubtful. */
void slt_tcp_timers_on_reordering(struct slt_tcp_conn *c, int64_t at_ns)
{
    arm(c, SLT_TIMER_REORDER, at_ns);
}

/* Should be called when it is known when the tail is to be probed; SLT_NEVER: not at all. */
void slt_tcp_timers_on_tail(struct slt_tcp_conn *c, int64_t at_ns)
{
    arm(c, SLT_TIMER_TAIL_PROBE, at_ns);
}

/* Should be called after a retransmission timeout was acted upon, the backoff counted. */
void slt_tcp_timers_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    arm(c, SLT_TIMER_RETRANSMIT, slt_time_add(now_ns, slt_tcp_rto_ns(tcp, c)));
}

/* Should be called when bytes wait that the window does not take, with nothing in flight. */
void slt_tcp_timers_on_blocked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;

    stop(c, SLT_TIMER_RETRANSMIT);
    stop(c, SLT_TIMER_TAIL_PROBE);
    if (cold->due_at_ns[SLT_TIMER_PERSIST] == SLT_NEVER) {
        /* RFC 9293 3.8.6.1 (SHLD-29, SHLD-30): first after RTO, then doubling. */
        int64_t wait_ns = backed_off(tcp, c, cold->recovery.probe_backoff);
        arm(c, SLT_TIMER_PERSIST, slt_time_add(now_ns, wait_ns));
    }
}

/* Should be called when the window takes bytes again; octets of probes may be in flight. */
void slt_tcp_timers_on_unblocked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    stop(c, SLT_TIMER_PERSIST);
    if (c->snd.una < c->snd.nxt && slt_tcp_timer_due(c, SLT_TIMER_RETRANSMIT) == SLT_NEVER) {
        arm(c, SLT_TIMER_RETRANSMIT, slt_time_add(now_ns, slt_tcp_rto_ns(tcp, c)));
    }
}

/* Should be called when a probe of a closed window was answered: the peer lives, and the user
 * timeout starts anew (MUST-37). */
void slt_tcp_timers_on_probe_answered(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    c->cold->progress_at_ns = now_ns;
    arm_user_timeout(tcp, c);
}

/* Should be called for every segment the peer proved to be his. */
void slt_tcp_timers_on_received(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->lasting == SLT_TIMER_KEEPALIVE && c->lasting_at_ns != SLT_NEVER) {
        slt_tcp_timers_on_keepalive(tcp, c, false, now_ns); /* MUST-26 */
    }
}

/* Should be called when keep-alive is switched, starts anew, or has sent a probe. */
void slt_tcp_timers_on_keepalive(struct slt_tcp *tcp, struct slt_tcp_conn *c, bool probing,
                                 int64_t now_ns)
{
    bool applies = slt_tcp_has(c, SLT_CONN_KEEPALIVE) && c->state >= SALUT_STATE_ESTABLISHED &&
                   c->state != SALUT_STATE_TIME_WAIT &&
                   (c->lasting == SLT_TIMER_KEEPALIVE || c->lasting_at_ns == SLT_NEVER);

    if (!applies) {
        stop(c, SLT_TIMER_KEEPALIVE);
        return;
    }
    int64_t wait_s = probing ? c->opts.keep_interval_s : c->opts.keep_idle_s;
    int64_t wait_ns = wait_s * SLT_NS_PER_S;
    if (tcp->config->user_timeout_option && c->opts.user_timeout_ms != 0) {
        /* RFC 5482 4.2 (R5482-05): keep-alive must not give up before user data would. */
        wait_ns = slt_max64(wait_ns, slt_tcp_user_timeout_ns(tcp, c) + SLT_NS_PER_S);
    }
    arm(c, SLT_TIMER_KEEPALIVE, slt_time_add(now_ns, wait_ns));
}

/* Should be called when an acknowledgement is owed that may wait (MUST-40). */
void slt_tcp_timers_on_ack_owed(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->delayed_ack_at_ns == SLT_NEVER) {
        arm(c, SLT_TIMER_DELAYED_ACK, slt_time_add(now_ns, tcp->config->delayed_ack_ns));
    }
}

/* Should be called when a segment with an up-to-date acknowledgement left. */
void slt_tcp_timers_on_ack_sent(struct slt_tcp_conn *c)
{
    stop(c, SLT_TIMER_DELAYED_ACK);
}

/* Should be called while the receive buffer is tuned: text came last at `heard_at_ns`. */
void slt_tcp_timers_on_tuning(struct slt_tcp_conn *c, int64_t heard_at_ns)
{
    arm(c, SLT_TIMER_TUNE, slt_time_add(heard_at_ns, SLT_TCP_TUNE_IDLE_NS));
}

/* Should be called when the pace holds something back until `at_ns`. */
void slt_tcp_timers_on_paced(struct slt_tcp_conn *c, int64_t at_ns)
{
    arm(c, SLT_TIMER_PACING, at_ns);
}

/* Should be called when it does not. */
void slt_tcp_timers_on_unpaced(struct slt_tcp_conn *c)
{
    stop(c, SLT_TIMER_PACING);
}

/* Should be called when a partial segment is held by cork or "more". */
void slt_tcp_timers_on_corked(struct slt_tcp_conn *c, int64_t now_ns)
{
    if (slt_tcp_timer_due(c, SLT_TIMER_CORK) == SLT_NEVER) {
        arm(c, SLT_TIMER_CORK, slt_time_add(now_ns, CORK_NS));
    }
}

/* Should be called when Nagle's rule holds a partial segment. An acknowledgement that has not come
 * after a round trip is one that the peer delays, perhaps until it has what is held. */
void slt_tcp_timers_on_nagled(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    /* The shortest round trip, with a quarter for its changes: the smoothed one has learnt from the
     * very acknowledgements that came late. */
    int64_t shortest_us = c->rtt.min_us == UINT32_MAX ? 0 : c->rtt.min_us;
    int64_t wait_ns = (shortest_us + shortest_us / 4) * SLT_NS_PER_US + tcp->config->nagle_slack_ns;

    if (slt_tcp_timer_due(c, SLT_TIMER_CORK) == SLT_NEVER) {
        arm(c, SLT_TIMER_CORK, slt_time_add(now_ns, slt_min64(wait_ns, CORK_NS)));
    }
}

/* Should be called when nothing is held any more. */
void slt_tcp_timers_on_uncorked(struct slt_tcp_conn *c)
{
    stop(c, SLT_TIMER_CORK);
}
