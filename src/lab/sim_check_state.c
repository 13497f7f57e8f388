/* Invariants of states, timers and resources, seen from outside: what one packet may do to the
 * connection it belongs to (I-16 to I-19, I-35, I-36, I-56), which changes of state may be (I-20,
 * I-25), how long TIME-WAIT lasts (I-23), what an instance may use (I-48 to I-50).
 *
 * What can be said about one connection at rest is said by slt_tcp_check, which runs too.
 */
#include "lab/sim_world.h"

#include <string.h>

#include "tcp/engine.h"
#include "wire/tcp.h"

/* ---- legal changes of state (I-20)
 * --------------------------------------------------------------- */

#define TO(state)  (SALUT_STATE_##state)
#define WHY(cause) (SLT_CAUSE_##cause)

struct edge {
    uint8_t from, to;
    uint8_t why[16]; /* 0 ends the list */
};

/* RFC 9293, figure 5 and section 3.10, written down a second time. */
static const struct edge edges[] = {
    {TO(CLOSED), TO(LISTEN), {WHY(LISTEN_OPEN)}},
    {TO(CLOSED), TO(SYN_SENT), {WHY(ACTIVE_OPEN)}},
    {TO(LISTEN), TO(SYN_SENT), {WHY(ACTIVE_OPEN)}},
    {TO(LISTEN), TO(SYN_RECEIVED), {WHY(PASSIVE_OPEN)}},
    {TO(LISTEN), TO(CLOSED), {WHY(USER_CLOSE), WHY(LISTENER_CLOSED), WHY(ACTIVE_OPEN)}},
    {TO(SYN_SENT), TO(SYN_RECEIVED), {WHY(SIMULTANEOUS_OPEN)}},
    {TO(SYN_SENT), TO(ESTABLISHED), {WHY(SYN_ACKED)}},
    {TO(SYN_SENT),
     TO(CLOSED),
     {WHY(REFUSED), WHY(USER_CLOSE), WHY(USER_SHUTDOWN), WHY(USER_ABORT), WHY(LINGER_ABORT),
      WHY(SYN_RETRANSMIT_LIMIT), WHY(USER_TIMEOUT), WHY(ICMP_HARD), WHY(NO_ROUTE), WHY(NO_MEMORY)}},
    {TO(SYN_RECEIVED), TO(ESTABLISHED), {WHY(SYN_ACKED)}},
    {TO(SYN_RECEIVED), TO(FIN_WAIT_1), {WHY(USER_CLOSE), WHY(USER_SHUTDOWN)}},
    {TO(SYN_RECEIVED), TO(LISTEN), {WHY(RESET_RECEIVED)}},
    {TO(SYN_RECEIVED),
     TO(CLOSED),
     {WHY(REFUSED), WHY(RESET_RECEIVED), WHY(USER_ABORT), WHY(LINGER_ABORT), WHY(CLOSE_UNREAD),
      WHY(SYNACK_RETRANSMIT_LIMIT), WHY(SYN_RETRANSMIT_LIMIT), WHY(USER_TIMEOUT),
      WHY(LISTENER_CLOSED), WHY(EVICTED), WHY(NO_MEMORY), WHY(ICMP_HARD), WHY(NO_ROUTE),
      WHY(DATA_AFTER_CLOSE)}},
    {TO(ESTABLISHED), TO(FIN_WAIT_1), {WHY(USER_CLOSE), WHY(USER_SHUTDOWN)}},
    {TO(ESTABLISHED), TO(CLOSE_WAIT), {WHY(FIN_RECEIVED)}},
    {TO(FIN_WAIT_1), TO(FIN_WAIT_2), {WHY(FIN_ACKED)}},
    {TO(FIN_WAIT_1), TO(CLOSING), {WHY(FIN_RECEIVED)}},
    {TO(FIN_WAIT_1), TO(TIME_WAIT), {WHY(FIN_RECEIVED), WHY(FIN_ACKED)}},
    {TO(FIN_WAIT_2), TO(TIME_WAIT), {WHY(FIN_RECEIVED)}},
    {TO(FIN_WAIT_2), TO(CLOSED), {WHY(FIN_WAIT_2_TIMEOUT)}},
    {TO(CLOSE_WAIT), TO(LAST_ACK), {WHY(USER_CLOSE), WHY(USER_SHUTDOWN)}},
    {TO(CLOSING), TO(TIME_WAIT), {WHY(FIN_ACKED)}},
    {TO(LAST_ACK), TO(CLOSED), {WHY(FIN_ACKED)}},
    {TO(TIME_WAIT),
     TO(CLOSED),
     {WHY(TWO_MSL), WHY(TIME_WAIT_REUSED), WHY(TIME_WAIT_KILLED), WHY(EVICTED), WHY(SHRUNK),
      WHY(USER_ABORT), WHY(LINGER_ABORT), WHY(CLOSE_UNREAD)}},
};

/* What may end any synchronized connection before TIME-WAIT. ICMP is not among it (I-36). */
static const uint8_t ends[] = {WHY(RESET_RECEIVED), WHY(USER_ABORT),        WHY(LINGER_ABORT),
                               WHY(CLOSE_UNREAD),   WHY(DATA_AFTER_CLOSE),  WHY(RETRANSMIT_LIMIT),
                               WHY(USER_TIMEOUT),   WHY(KEEPALIVE_TIMEOUT), WHY(LISTENER_CLOSED),
                               WHY(NO_MEMORY)};

static bool listed(const uint8_t *list, size_t count, uint8_t why)
{
    for (size_t i = 0; i < count && list[i] != 0; i++) {
        if (list[i] == why) {
            return true;
        }
    }
    return false;
}

bool slt_sim_check_edge(struct sim_world *w, const struct slt_event *e)
{
    slt_sim_checked(w, 20);
    slt_sim_checked(w, 36);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(edges); i++) {
        if (edges[i].from == e->from && edges[i].to == e->to &&
            listed(edges[i].why, sizeof(edges[i].why), e->reason)) {
            return true;
        }
    }
    if (e->from >= SALUT_STATE_ESTABLISHED && e->from != SALUT_STATE_TIME_WAIT &&
        e->to == SALUT_STATE_CLOSED && listed(ends, sizeof(ends), e->reason)) {
        return true;
    }
    unsigned id = e->reason == WHY(ICMP_HARD) || e->reason == WHY(NO_ROUTE) ? 36 : 20;
    return slt_sim_fail(w, id, "%s -> %s because of %s is no edge of the RFC",
                        salut_state_name((enum salut_state)e->from),
                        salut_state_name((enum salut_state)e->to), slt_reason_token(e->reason));
}

/* ---- TIME-WAIT (I-23)
 * ---------------------------------------------------------------------------- */

static struct sim_wait *find_wait(struct sim_host *h, uint16_t local, uint16_t remote)
{
    for (uint32_t i = 0; i < h->wait_count; i++) {
        if (h->wait[i].local_port == local && h->wait[i].remote_port == remote) {
            return &h->wait[i];
        }
    }
    return NULL;
}

static void wait_begins(struct sim_host *h, const struct slt_event *e)
{
    struct sim_wait *wait = find_wait(h, e->local_port, e->remote_port);
    if (!wait) {
        if (h->wait_count == SIM_WAITS_MAX) {
            return;
        }
        wait = &h->wait[h->wait_count++];
    }
    *wait = (struct sim_wait){.local_port = e->local_port,
                              .remote_port = e->remote_port,
                              .since_ns = e->at_ns,
                              .last_fin_ns = e->at_ns};
}

static bool wait_ends(struct sim_world *w, struct sim_host *h, const struct slt_event *e)
{
    struct sim_wait *wait = find_wait(h, e->local_port, e->remote_port);
    if (!wait || e->reason == SLT_CAUSE_SHRUNK) {
        return true;
    }
    int64_t since_ns = wait->since_ns;
    int64_t last_ns = wait->last_fin_ns;
    *wait = h->wait[--h->wait_count];
    if (e->reason != SLT_CAUSE_TWO_MSL) {
        return true;
    }
    slt_sim_checked(w, 23);
    int64_t full_ns = 2 * h->config.msl_ns;
    if (e->at_ns - since_ns < full_ns) {
        return slt_sim_fail(w, 23, "TIME-WAIT lasted %.3f s instead of %.3f",
                            (double)(e->at_ns - since_ns) / 1e9, (double)full_ns / 1e9);
    }
    if (w->is.jump == 0 && e->at_ns - last_ns > full_ns + SIM_MS(20)) {
        return slt_sim_fail(w, 23, "TIME-WAIT lasted %.3f s from the last FIN instead of %.3f",
                            (double)(e->at_ns - last_ns) / 1e9, (double)full_ns / 1e9);
    }
    return true;
}

/* ---- events
 * -------------------------------------------------------------------------------------- */

static bool is_normal_end(const struct slt_event *e)
{
    return e->reason == SLT_CAUSE_FIN_ACKED || e->reason == SLT_CAUSE_TWO_MSL ||
           e->reason == SLT_CAUSE_SHRUNK || e->reason == SLT_CAUSE_TIME_WAIT_REUSED ||
           e->from == SALUT_STATE_TIME_WAIT;
}

static void note_killed(struct sim_world *w, const struct sim_host *h, const struct slt_event *e)
{
    for (uint32_t i = w->end_count; i-- > 0;) {
        struct sim_end *end = &w->end[i];
        if (end->host == h->number && !end->dead && end->local_port == e->local_port &&
            end->remote_port == e->remote_port) {
            end->killed = true;
            end->gave_up = end->closed && e->reason == SLT_CAUSE_RETRANSMIT_LIMIT;
            return;
        }
    }
}

/* I-25: a reset in SYN-RECEIVED refuses an active opener, and sends a passive one back to LISTEN,
 * which here means that nobody is told of a refusal. */
static bool check_origin(struct sim_world *w, const struct sim_host *h, const struct slt_event *e)
{
    if (e->object_kind != SLT_OBJECT_CONN || e->from != SALUT_STATE_SYN_RECEIVED ||
        (e->reason != SLT_CAUSE_REFUSED && e->reason != SLT_CAUSE_RESET_RECEIVED)) {
        return true;
    }
    const struct slt_tcp_conn *c = slt_tcp_conn_at(&h->stack->tcp, e->object);
    bool passive = slt_tcp_has(c, SLT_CONN_PASSIVE);
    slt_sim_checked(w, 25);
    if (c->place.generation == e->generation && passive == (e->reason == SLT_CAUSE_REFUSED)) {
        return slt_sim_fail(w, 25, "%s opener in SYN-RECEIVED ended by '%s'",
                            passive ? "a passive" : "an active", slt_reason_token(e->reason));
    }
    return true;
}

static bool on_state(struct sim_world *w, struct sim_host *h, const struct slt_event *e)
{
    if (e->object_kind == SLT_OBJECT_HALF_OPEN && e->from == SALUT_STATE_SYN_RECEIVED &&
        e->to == SALUT_STATE_ESTABLISHED) {
        return true;
    }
    w->tally->state[e->to]++;
    slt_digest_u64(&w->hash, (uint64_t)e->from << 16 | (uint64_t)e->to << 8 | e->reason);
    slt_sim_note(w, "%c %u/%u: %s -> %s, %s", 'A' + h->number, e->local_port, e->remote_port,
                 salut_state_name((enum salut_state)e->from),
                 salut_state_name((enum salut_state)e->to), slt_reason_token(e->reason));
    if (!slt_sim_check_edge(w, e) || !check_origin(w, h, e)) {
        return false;
    }
    if (e->object_kind == SLT_OBJECT_CONN && e->to == SALUT_STATE_CLOSED && !is_normal_end(e)) {
        note_killed(w, h, e);
    }
    if (e->object_kind == SLT_OBJECT_CONN && e->to == SALUT_STATE_CLOSED) {
        const struct slt_tcp_conn *c = slt_tcp_conn_at(&h->stack->tcp, e->object);
        if (c->place.generation - e->generation <= 1) { /* else the object has another already */
            slt_sim_flow_over(w, h, c);
        }
    }
    if (e->to == SALUT_STATE_TIME_WAIT) {
        wait_begins(h, e);
    } else if (e->from == SALUT_STATE_TIME_WAIT) {
        return wait_ends(w, h, e);
    }
    return true;
}

bool slt_sim_check_events(struct sim_world *w, struct sim_host *h)
{
    const struct slt_telemetry *t = h->stack->telemetry;
    while (h->events_seen < t->written) {
        struct slt_event e;
        int64_t lost = slt_event_read(t, h->events_seen + 1, &e);
        if (lost > 0) {
            h->events_seen += (uint64_t)lost;
            continue;
        }
        h->events_seen++;
        if (e.kind == SLT_EVENT_STATE && !on_state(w, h, &e)) {
            return false;
        }
        if (e.kind == SLT_EVENT_DROPPED || e.kind == SLT_EVENT_NOTE) {
            slt_sim_note(w, "%c %u/%u: %s", 'A' + h->number, e.local_port, e.remote_port,
                         slt_reason_token(e.reason));
        }
    }
    return true;
}

/* ---- one packet, one connection
 * ------------------------------------------------------------------ */

static uint64_t sum_of_counters(const struct sim_host *h)
{
    const uint64_t *counters = h->stack->telemetry->counters;
    uint64_t sum = 0;
    for (unsigned i = 0; i < SLT_REASON_COUNT; i++) {
        sum += counters[i];
    }
    return sum;
}

/* The connection that a packet, or what an ICMP error quotes, belongs to. */
static const struct slt_tcp_conn *conn_of(struct sim_host *h, const struct sim_packet *p,
                                          const struct sim_decoded *d, uint32_t *index)
{
    struct slt_tcp_id id;
    uint32_t probes = 0;
    if (d->kind == SIM_TCP) {
        memcpy(id.local, d->dst, 16);
        memcpy(id.remote, d->src, 16);
        id.local_port = d->dst_port;
        id.remote_port = d->src_port;
    } else {
        uint32_t at = d->ip_at + (d->family == 4 ? 28 : 48);
        uint32_t ports = at + (d->family == 4 ? 20 : 40);
        if (p->bytes < ports + 4) {
            return NULL;
        }
        memcpy(id.local, d->dst, 16);
        memcpy(id.remote, d->dst, 16);
        memcpy(id.remote + (d->family == 4 ? 12 : 0), p->data + at + (d->family == 4 ? 16 : 24),
               d->family == 4 ? 4 : 16);
        id.local_port = (uint16_t)slt_sim_get16(p->data + ports);
        id.remote_port = (uint16_t)slt_sim_get16(p->data + ports + 2);
    }
    slt_flow_ref ref = slt_demux_find(h->stack, slt_demux_hash(h->stack, &id), &id, &probes);
    if (ref == SLT_FLOW_NONE || slt_flow_kind(ref) != SLT_FLOW_CONN) {
        return NULL;
    }
    *index = slt_flow_index(ref);
    return slt_tcp_conn_at(&h->stack->tcp, *index);
}

/* RFC 9293 3.4's table, written down a second time. */
static bool is_acceptable(const struct slt_tcp_conn *c, const struct sim_decoded *d)
{
    int64_t pos = slt_tcp_unwrap(c->rcv.nxt, c->rcv.isn, d->seq);
    int64_t len = slt_sim_seg_len(d);
    int64_t end = c->rcv.edge;
    if (pos == c->rcv.nxt) {
        return true; /* also with a closed window: its acknowledgement counts */
    }
    bool first = pos >= c->rcv.nxt && pos < end;
    bool last = len > 0 && pos + len - 1 >= c->rcv.nxt && pos + len - 1 < end;
    return first || last;
}

void slt_sim_before_input(struct sim_world *w, struct sim_host *h, const struct sim_packet *p,
                          const struct sim_decoded *d, struct sim_before *before)
{
    bool ours = d->dst_host == h->number && !(d->ip_at > 0 && (p->data[0] & 1));
    before->tcp = ours && d->kind == SIM_TCP;
    if (d->kind == SIM_FRAGMENT) { /* it may complete a FIN */
        for (uint32_t i = 0; i < h->wait_count; i++) {
            h->wait[i].last_fin_ns = slt_sim_local(w, h);
        }
    }
    before->counted = before->tcp ? sum_of_counters(h) : 0;
    if (!ours || d->bad || (d->kind != SIM_TCP && d->kind != SIM_ICMP)) {
        return;
    }
    if (d->kind == SIM_TCP && ((d->flags & SLT_TCP_FIN) || h->config.time_wait_any_restarts)) {
        struct sim_wait *wait = find_wait(h, d->dst_port, d->src_port);
        if (wait) {
            wait->last_fin_ns = slt_sim_local(w, h);
        }
    }
    const struct slt_tcp_conn *c = conn_of(h, p, d, &before->index);
    before->icmp = d->kind == SIM_ICMP;
    if (!c) {
        return;
    }
    before->found = true;
    before->conn = *c;
    /* A block that rests says nothing: as with no block at all, the fold is what counts. */
    before->has_cold = c->cold != NULL && !c->cold->resting;
    if (before->has_cold) {
        before->cold = *c->cold;
    }
    bool reopens = c->state == SALUT_STATE_TIME_WAIT && (d->flags & SLT_TCP_SYN); /* RFC 6191 */
    before->unacceptable = d->kind == SIM_TCP && c->state >= SALUT_STATE_ESTABLISHED && !reopens &&
                           !is_acceptable(c, d);
}

static const char *changed(const struct sim_before *b, const struct slt_tcp_conn *c,
                           const struct slt_tcp_cold *cold)
{
    const struct slt_tcp_conn *o = &b->conn;
    uint32_t answers = SLT_CONN_ACK_PENDING | SLT_CONN_QUICK | SLT_CONN_PONG;
    if (c->state != o->state || c->status != o->status) {
        return "the state";
    }
    if (c->snd.una != o->snd.una || c->snd.nxt != o->snd.nxt || c->snd.wnd != o->snd.wnd ||
        c->snd.wl1_low != o->snd.wl1_low || c->snd.wl2_low != o->snd.wl2_low ||
        c->snd.queue.bytes != o->snd.queue.bytes) {
        return "what is known of sending";
    }
    if (c->rcv.nxt != o->rcv.nxt || c->rcv.edge != o->rcv.edge ||
        c->rcv.queue.bytes != o->rcv.queue.bytes) {
        return "what was received";
    }
    if (memcmp(&c->rtt, &o->rtt, sizeof(c->rtt)) != 0 || c->ts.recent != o->ts.recent) {
        return "the clocks";
    }
    if ((c->flags & ~answers) != (o->flags & ~answers)) {
        return "the flags";
    }
    if (cold && b->has_cold &&
        (cold->cc.cwnd_bytes != b->cold.cc.cwnd_bytes || cold->held.bytes != b->cold.held.bytes ||
         cold->recovery.newreno.dup_acks != b->cold.recovery.newreno.dup_acks)) {
        return "recovery or reassembly";
    }
    return NULL;
}

/* I-18: growth needs an acknowledgement of new data (or, where the path is known to reorder, of
 * octets above a gap), and is at most as much as it told of: NewReno by its segments a time, CUBIC
 * by eight in slow start, BBR by all of it or back to what it had set aside. */
static int64_t growth_allowed(const struct slt_tcp_cc *before, int64_t acked, int64_t delivered,
                              uint32_t mss)
{
    bool slow_start = before->cwnd_bytes < before->ssthresh_bytes;
    int64_t most = 8 * (int64_t)mss;

    if (before->which == SALUT_CC_BBR) {
        int64_t aside = slt_max64(before->of.bbr.prior_cwnd, 4 * (int64_t)mss);
        /* A duplicate without SACK counts as a segment (RFC 9937 6.2). */
        return slt_max64(slt_max64(delivered, mss), aside + delivered - before->cwnd_bytes);
    }
    if (acked <= 0) {
        return 0;
    }
    if (before->which == SALUT_CC_NEWRENO) {
        most = slow_start ? before->burst_segments * (int64_t)mss : mss;
        return slow_start ? slt_min64(delivered, most) : most;
    }
    return slow_start ? slt_min64(delivered, most) : delivered;
}

static bool check_cwnd(struct sim_world *w, const struct sim_before *b,
                       const struct slt_tcp_conn *c, const struct slt_tcp_cold *cold, uint32_t mss)
{
    bool undone = b->cold.recovery.undo.open && !cold->recovery.undo.open; /* RFC 4015 */
    bool quiet = cold->recovery.prr.flight_bytes == 0 && b->cold.recovery.prr.flight_bytes == 0 &&
                 !undone && cold->cc.which == b->cold.cc.which;
    int64_t acked = c->snd.una - b->conn.snd.una;
    int64_t delivered = (int64_t)(cold->delivered - b->cold.delivered);
    bool reorders = cold->recovery.rack.reordering_seen;
    int64_t told = reorders ? slt_max64(acked, delivered) : acked;
    int64_t grown = (int64_t)cold->cc.cwnd_bytes - b->cold.cc.cwnd_bytes;
    int64_t allowed = growth_allowed(&b->cold.cc, told, reorders ? told : delivered, mss);
    slt_sim_checked(w, 18);
    if (quiet && b->conn.state >= SALUT_STATE_ESTABLISHED && grown > 0 && grown > allowed) {
        return slt_sim_fail(w, 18, "cwnd grew by %lld to %u on %lld newly acknowledged bytes",
                            (long long)grown, cold->cc.cwnd_bytes, (long long)acked);
    }
    return true;
}

/* I-19: a sample needs something newly acknowledged, and without timestamps something that was
 * sent once (Karn). */
static bool check_rtt(struct sim_world *w, const struct sim_host *h, const struct sim_before *b,
                      const struct slt_tcp_conn *c, const struct slt_tcp_cold *cold)
{
    bool sampled =
        c->rtt.srtt8_us != b->conn.rtt.srtt8_us || c->rtt.rttvar4_us != b->conn.rtt.rttvar4_us;
    slt_sim_checked(w, 19);
    if (!sampled || b->conn.state < SALUT_STATE_ESTABLISHED) {
        return true;
    }
    if (c->snd.una == b->conn.snd.una && (!cold || cold->delivered == b->cold.delivered)) {
        return slt_sim_fail(w, 19, "a round trip was measured by a segment that delivered nothing");
    }
    if (!slt_tcp_has(c, SLT_CONN_TS_OK | SLT_CONN_SACK_OK) &&
        slt_sim_sent_twice(w, h, c, b->conn.snd.una, c->snd.una)) {
        return slt_sim_fail(w, 19, "a round trip was measured on octets that were sent twice");
    }
    return true;
}

static bool check_changes(struct sim_world *w, struct sim_host *h, const struct sim_before *b,
                          const struct slt_tcp_conn *c)
{
    const struct slt_tcp *tcp = &h->stack->tcp;
    const struct slt_tcp_cold *cold = c->cold;
    if (b->unacceptable) {
        slt_sim_checked(w, 17);
        const char *what = changed(b, c, cold);
        if (what) {
            return slt_sim_fail(w, 17, "an unacceptable segment changed %s", what);
        }
    }
    int64_t fin = slt_tcp_has(c, SLT_CONN_FIN_TAKEN) && !slt_tcp_has(&b->conn, SLT_CONN_FIN_TAKEN);
    slt_sim_checked(w, 14);
    if (b->conn.state >= SALUT_STATE_ESTABLISHED && c->state != SALUT_STATE_CLOSED &&
        c->rcv.nxt > b->conn.rcv.nxt && c->rcv.nxt - fin > b->conn.rcv.edge) {
        return slt_sim_fail(w, 14, "octets up to %lld were taken, but the window ended at %lld",
                            (long long)c->rcv.nxt, (long long)b->conn.rcv.edge);
    }
    slt_sim_checked(w, 35);
    bool proved = b->has_cold && b->cold.pmtud.probe_mtu == c->snd.pmtu && /* RFC 4821 */
                  c->snd.una >= b->cold.pmtud.probe_end;
    if ((c->snd.pmtu > b->conn.snd.pmtu && !proved) || c->snd.pmtu > h->config.mtu ||
        c->snd.pmtu < (c->ip_bytes == 20 ? 68U : 1280U)) {
        return slt_sim_fail(w, 35, "the path MTU went from %u to %u", b->conn.snd.pmtu,
                            c->snd.pmtu);
    }
    if (b->icmp && c->state != b->conn.state && b->conn.state >= SALUT_STATE_ESTABLISHED) {
        return slt_sim_fail(w, 36, "an ICMP message ended a synchronized connection");
    }
    if (cold && b->has_cold &&
        !(check_cwnd(w, b, c, cold, slt_tcp_full_mss(tcp, c)) &&
          slt_sim_check_episode(w, h, b, c))) {
        return false;
    }
    return !b->has_cold || check_rtt(w, h, b, c, cold);
}

bool slt_sim_after_input(struct sim_world *w, struct sim_host *h, const struct sim_packet *p,
                         const struct sim_before *before)
{
    (void)p;
    if (before->tcp) {
        slt_sim_checked(w, 56);
        if (sum_of_counters(h) == before->counted) {
            return slt_sim_fail(w, 56, "a segment came to an end that has no name");
        }
    }
    if (!before->found) {
        return true;
    }
    const struct slt_tcp_conn *c = slt_tcp_conn_at(&h->stack->tcp, before->index);
    if (c->place.generation != before->conn.place.generation || (c->place.marks & SLT_MARK_DEAD)) {
        return true;
    }
    return check_changes(w, h, before, c);
}

/* ---- resources
 * ----------------------------------------------------------------------------------- */

bool slt_sim_check_resources(struct sim_world *w, struct sim_host *h)
{
    const struct slt_ledger *ledger = &h->stack->mem.ledger;
    const struct salut_config *config = &h->config;
    slt_sim_checked(w, 48);
    slt_sim_checked(w, 50);
    if (ledger->objects[SLT_OWNER_CONN] > config->conns_max ||
        ledger->objects[SLT_OWNER_HALF_OPEN] > config->half_open_max ||
        ledger->objects[SLT_OWNER_TIME_WAIT] > config->time_wait_max ||
        ledger->objects[SLT_OWNER_BUFFER] > config->buffers_max ||
        ledger->objects[SLT_OWNER_LOAN] > config->loans_max ||
        ledger->objects[SLT_OWNER_RANGE] > config->ranges_max) {
        return slt_sim_fail(w, 48, "more objects than the configuration allows");
    }
    for (uint32_t i = 0; i < w->end_count; i++) {
        const struct sim_end *e = &w->end[i];
        struct salut_info info;
        if (e->host != h->number || !e->held || e->dead ||
            salut_get_info(h->stack, e->conn, &info) != SALUT_OK) {
            continue;
        }
        if (info.recv_queued + info.recv_out_of_order > h->peak_buffer ||
            info.recv_runs > config->ranges_per_conn_max) {
            return slt_sim_fail(w, 48, "a connection holds %u bytes and %u runs",
                                info.recv_queued + info.recv_out_of_order, info.recv_runs);
        }
    }
    uint64_t work = h->stack->tcp.work - h->work_before;
    h->work_before = h->stack->tcp.work;
    w->work_max = work > w->work_max ? work : w->work_max;
    if (work > SIM_WORK_MAX) {
        return slt_sim_fail(w, 50, "a turn took %llu steps", (unsigned long long)work);
    }
    return true;
}

/* I-31, the part that holds only when a turn is over: bytes that a closed window holds back are
 * watched by the persist timer, those that the pace holds back by its own. */
static bool check_watched(struct sim_world *w, const struct sim_host *h,
                          const struct slt_tcp_conn *c, uint32_t index)
{
    const struct slt_tcp *tcp = &h->stack->tcp;
    bool waits = c->snd.queue.bytes > 0 && c->snd.una > 0 && c->snd.una == c->snd.nxt &&
                 c->state != SALUT_STATE_CLOSED && !slt_queue_has(h->stack, index, SLT_LINK_DIRTY);
    if (!waits || slt_tcp_timer_due(c, SLT_TIMER_PERSIST) != SLT_NEVER ||
        slt_tcp_timer_due(c, SLT_TIMER_CORK) != SLT_NEVER ||
        slt_tcp_timer_due(c, SLT_TIMER_PACING) != SLT_NEVER ||
        slt_tcp_wants_output(tcp, c, h->stack->now_ns)) {
        return true;
    }
    return slt_sim_fail(w, 31, "%u bytes wait, nothing is in flight and no timer runs",
                        c->snd.queue.bytes);
}

bool slt_sim_check_conns(struct sim_world *w, struct sim_host *h)
{
    const struct slt_pool *pool = &h->stack->tcp.conns;
    for (uint32_t i = 0; i < pool->fresh; i++) {
        const struct slt_tcp_conn *c = slt_tcp_conn_at(&h->stack->tcp, i);
        bool used = c->place.generation % 2 == 1 && !(c->place.marks & SLT_MARK_DEAD);
        if (used && !check_watched(w, h, c, i)) {
            return false;
        }
    }
    return true;
}

/* I-49: everything is over and nothing is left. */
bool slt_sim_check_ledger(struct sim_world *w, struct sim_host *h)
{
    static const enum slt_owner owners[] = {
        SLT_OWNER_CONN,     SLT_OWNER_COLD,   SLT_OWNER_HALF_OPEN, SLT_OWNER_TIME_WAIT,
        SLT_OWNER_LISTENER, SLT_OWNER_BUFFER, SLT_OWNER_RANGE,     SLT_OWNER_RECORD,
        SLT_OWNER_FRAGMENT, SLT_OWNER_LOAN};
    slt_sim_checked(w, 49);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(owners); i++) {
        uint32_t objects = h->stack->mem.ledger.objects[owners[i]];
        uint32_t before = h->boot_ledger.objects[owners[i]];
        if (objects > before) {
            unsigned id = owners[i] == SLT_OWNER_CONN || owners[i] == SLT_OWNER_HALF_OPEN ||
                                  owners[i] == SLT_OWNER_TIME_WAIT
                              ? 45
                              : 49;
            return slt_sim_fail(w, id, "%c: %u objects of %s are left when everything is over",
                                'A' + h->number, objects - before, slt_owner_name(owners[i]));
        }
    }
    return true;
}

/* I-56, the sending half: every segment that left has a reason, and every reason a segment. */
bool slt_sim_check_conserved(struct sim_world *w, struct sim_host *h)
{
    uint64_t named = 0;
    for (unsigned i = 1; i < SLT_REASON_COUNT; i++) {
        if (slt_reason_category((enum slt_reason)i) == SLT_CATEGORY_SEND) {
            named += salut_counter(h->stack, i);
        }
    }
    slt_sim_checked(w, 56);
    /* On Ethernet a segment without a neighbour counts as sent into the void. */
    bool fine = h->config.link_kind == SALUT_LINK_IP ? named == h->tcp_out : named >= h->tcp_out;
    if (!fine) {
        return slt_sim_fail(w, 56, "%llu segments left for %llu reasons",
                            (unsigned long long)h->tcp_out, (unsigned long long)named);
    }
    return true;
}

void slt_sim_count_reasons(struct sim_world *w, struct sim_host *h)
{
    for (unsigned i = 1; i < SLT_REASON_COUNT; i++) {
        w->tally->reason[i] += salut_counter(h->stack, i);
    }
}
