/* Loss recovery: what is taken as lost and sent again. NewReno (RFC 6582) with limited transmit
 * (RFC 3042) and the retransmission timeout (RFC 6298 5).
 *
 * [rtx_next, rtx_end) is what is lost and not yet sent again; output.c sends it before anything
 * new. Fast recovery puts one segment there at a time; a timeout puts everything there and lets
 * slow start take it out. `recover` is the highest position sent when the episode began; the
 * episode ends when all of that is acknowledged.
 *
 * This file alone writes the recovery group. It gathers nothing from segments by itself: ack.c
 * hands it the summary.
 */
#include "tcp/engine.h"

#define DUP_THRESH 3 /* RFC 5681 3.2 */

void slt_tcp_recovery_init(struct slt_tcp_recovery *r)
{
    memset(r, 0, sizeof(*r));
    r->rtx_cursor.buf = SLT_NIL;
    r->ca_state = SALUT_CA_OPEN;
}

/* Octets in flight: sent, not acknowledged, not taken as lost. */
int64_t slt_tcp_flight(const struct slt_tcp_conn *c, const struct slt_tcp_recovery *r)
{
    int64_t lost = slt_max64(r->rtx_end - slt_max64(r->rtx_next, c->snd.una), 0);

    return c->snd.nxt - c->snd.una - lost;
}

static void take_as_lost(const struct slt_tcp_conn *c, struct slt_tcp_recovery *r, int64_t end,
                         enum slt_reason why)
{
    r->rtx_next = c->snd.una;
    r->rtx_end = slt_min64(end, c->snd.nxt);
    r->rtx_known = 0;
    r->rtx_why = (uint8_t)why;
}

static void nothing_lost(const struct slt_tcp_conn *c, struct slt_tcp_recovery *r)
{
    r->rtx_next = c->snd.una;
    r->rtx_end = c->snd.una;
    r->rtx_known = 0;
}

static void on_duplicate(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    struct slt_tcp_recovery *r = &cold->recovery;
    uint32_t mss = slt_tcp_full_mss(tcp, c);

    if (r->dup_acks < UINT16_MAX) {
        r->dup_acks++;
    }
    if (r->ca_state == SALUT_CA_RECOVERY) {
        slt_cc_on_dup_ack(&cold->cc, mss);
        return;
    }
    if (r->ca_state == SALUT_CA_LOSS) {
        return; /* RFC 6582 3.2 step 6 (R6582-04): not before recover is passed */
    }
    r->ca_state = SALUT_CA_DISORDER;
    if (r->dup_acks < DUP_THRESH) {
        r->limited = (uint8_t)r->dup_acks; /* RFC 3042 2 (R3042-01) */
        return;
    }
    if (r->dup_acks == DUP_THRESH && c->snd.una > r->recover) { /* RFC 6582 3.2 step 2 */
        slt_cc_on_recovery(&cold->cc, in->ack.flight_bytes, mss);
        r->recover = c->snd.nxt;
        r->ca_state = SALUT_CA_RECOVERY;
        r->first_partial = 0;
        r->limited = 0;
        take_as_lost(c, r, c->snd.una + mss, SLT_SEND_RETRANSMIT_FAST);
    }
}

/* New data acknowledged during fast recovery: the whole episode, or a part of it. */
static void on_ack_in_recovery(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                               const struct slt_tcp_in *in)
{
    struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    struct slt_tcp_recovery *r = &cold->recovery;
    uint32_t mss = slt_tcp_full_mss(tcp, c);

    if (c->snd.una >= r->recover) {
        slt_cc_on_recovered(&cold->cc, c->snd.nxt - c->snd.una, mss);
        r->ca_state = SALUT_CA_OPEN;
        nothing_lost(c, r);
        return;
    }
    slt_cc_on_partial_ack(&cold->cc, in->ack.acked_bytes, mss);
    take_as_lost(c, r, c->snd.una + mss, SLT_SEND_RETRANSMIT_PARTIAL);
    if (r->first_partial) {
        slt_tcp_timers_on_partial_ack(tcp, c, in->now_ns);
    } else {
        slt_tcp_timers_on_acked(tcp, c, false, in->now_ns);
    }
    r->first_partial = 1;
}

static void on_advance(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    struct slt_tcp_recovery *r = &cold->recovery;
    uint32_t mss = slt_tcp_full_mss(tcp, c);

    r->dup_acks = 0;
    r->limited = 0;
    if (r->rtx_next <= c->snd.una) { /* the buffer that its cursor names may be gone */
        r->rtx_next = c->snd.una;
        r->rtx_known = 0;
    }
    if (r->ca_state == SALUT_CA_RECOVERY) {
        on_ack_in_recovery(tcp, c, in);
        return;
    }
    if (in->ack.acked_bytes > 0 && c->snd.una > 1) { /* R5681-04: the SYN's ACK grows nothing */
        slt_cc_on_ack(&cold->cc, in->ack.acked_bytes, in->ack.flight_bytes, mss);
    }
    slt_tcp_timers_on_acked(tcp, c, c->snd.una == c->snd.nxt, in->now_ns);
    if (r->ca_state != SALUT_CA_LOSS || c->snd.una >= r->recover) {
        r->ca_state = SALUT_CA_OPEN;
        nothing_lost(c, r);
    }
}

/* Act on the summary of an acceptable acknowledgement. */
void slt_tcp_recovery_on_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    struct slt_tcp_recovery *r;

    if (c->cold == SLT_NIL) {
        return;
    }
    r = &slt_tcp_cold_of(tcp, c)->recovery;
    r->alive = 1;
    if (r->probes > 0) {
        r->probes = 0;
        slt_tcp_timers_on_probe_answered(tcp, c, in->now_ns);
    }
    if (in->ack.advanced) {
        r->probe_backoff = 0;
        r->timeouts = 0;
        on_advance(tcp, c, in);
    } else if (in->ack.duplicate) {
        on_duplicate(tcp, c, in);
    }
}

/* The retransmission timer fired (RFC 6298 5.4; RFC 6582 3.2 step 6). */
void slt_tcp_recovery_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    struct slt_tcp_recovery *r = &cold->recovery;
    bool first = r->ca_state != SALUT_CA_LOSS || c->snd.una >= r->recover || r->timeouts <= 1;

    slt_cc_on_timeout(&cold->cc, slt_tcp_flight(c, r), first, slt_tcp_full_mss(tcp, c));
    r->recover = c->snd.nxt;
    r->ca_state = SALUT_CA_LOSS;
    r->dup_acks = 0;
    r->limited = 0;
    take_as_lost(c, r, c->snd.nxt, SLT_SEND_RETRANSMIT_RTO);
    slt_tcp_rtt_on_retransmit(cold);
}

/* Count a timeout; false while a closed window and a live peer excuse it (SHLD-17). */
bool slt_tcp_recovery_count_timeout(struct slt_tcp_recovery *r, bool window_closed)
{
    bool excused = window_closed && r->alive;

    r->alive = 0;
    if (!excused && r->timeouts < UINT8_MAX) {
        r->timeouts++;
    }
    return !excused;
}

void slt_tcp_recovery_count_probe(struct slt_tcp_recovery *r)
{
    r->probes++;
    if (r->probe_backoff < UINT8_MAX) {
        r->probe_backoff++;
    }
}

/* A SYN goes out again. */
void slt_tcp_recovery_count_syn(struct slt_tcp_recovery *r)
{
    r->syn_timeouts++;
}

/* The path MTU fell below what is in flight: send it again in smaller segments, at once and
 * without a congestion response (R1191-04). */
void slt_tcp_recovery_on_mtu(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);

    if (c->snd.una < c->snd.nxt) {
        take_as_lost(c, &cold->recovery, c->snd.nxt, SLT_SEND_RETRANSMIT_MTU);
        slt_tcp_rtt_on_retransmit(cold);
    }
}

/* The window reopened after probing: octets sent as probes may never have been taken. */
void slt_tcp_recovery_reopened(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_tcp_recovery *r = &slt_tcp_cold_of(tcp, c)->recovery;

    r->probe_backoff = 0;
    if (c->snd.una < c->snd.nxt && r->rtx_next >= r->rtx_end) {
        take_as_lost(c, r, c->snd.nxt, SLT_SEND_RETRANSMIT_WINDOW);
    }
}

/* Octets up to `end_pos` were sent again. */
void slt_tcp_recovery_on_sent(struct slt_tcp_conn *c, struct slt_tcp_recovery *r, int64_t end_pos,
                              struct slt_cursor after)
{
    (void)c;
    if (end_pos > r->rtx_next) {
        r->rtx_next = end_pos;
        r->rtx_cursor = after;
        r->rtx_known = 1;
    }
}

/* How many new octets congestion control lets go now. */
bool slt_tcp_recovery_room(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                           uint32_t *left_bytes)
{
    const struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    const struct slt_tcp_recovery *r = &cold->recovery;
    int64_t outstanding =
        r->ca_state == SALUT_CA_RECOVERY ? c->snd.nxt - c->snd.una : slt_tcp_flight(c, r);
    int64_t window = cold->cc.cwnd_bytes;

    window += (int64_t)r->limited * slt_tcp_full_mss(tcp, c); /* cwnd + 2 at most (R3042-01) */
    *left_bytes = (uint32_t)slt_max64(window - outstanding, 0);
    return *left_bytes > 0;
}
