/* Output: what to send next, and what its sending changes (RFC 9293 3.8.6.2.1, 3.8.6.1, 3.7.4).
 *
 * slt_tcp_plan is an ordered ladder of reasons to send; the first that applies makes a plan. A plan
 * changes nothing but the burst, a copy of the few fields that planning several segments in a row
 * moves; the connection changes in slt_tcp_commit, when the link has taken the segment. What the
 * link did not take was never planned as far as the connection knows (F18).
 *
 * Sender's silly-window avoidance (MUST-38): a segment leaves when it is full, when it empties the
 * queue and Nagle lets it (Minshall's variant, U-28: only a partial segment in flight holds the
 * next partial one), or when it fills half of the largest window the peer ever offered; the
 * persist timer overrides after a while (rule 4). Nagle's rule meets its match in a peer that
 * delays the acknowledgement until it has the whole request: so it waits a round trip and a little
 * (nagle_slack_ns), and then lets the partial segment go.
 *
 * On a link that cuts frames into segments an unpaced sender whose window is full does not answer
 * each acknowledgement with the two segments that it lets go, but waits until up to a millisecond's
 * worth may leave in one frame, as Linux does. That saves the work of many frames, and is what
 * makes us even with others in a full queue: a sender of pairs finds room where ten segments at
 * once overflow, so that they have the losses and it has their share. But what waits must not be
 * missed at the bottleneck: a frame is worth no more than an eighth of what stands in the queue
 * there. Nothing waits while an episode lasts, nor when the next acknowledgement may be half of a
 * round trip away.
 */
#include "tcp/engine.h"

#define WORTH_US       1000 /* pacing's burst */
#define WORTH_SEGMENTS 2    /* what an acknowledgement lets go anyway */
#define WORTH_OF_QUEUE 8
#define WORTH_OF_CWND  3 /* the rest is in flight, and will be acknowledged */

static bool can_send_text(const struct slt_tcp_conn *c)
{
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
        return true;
    case SALUT_STATE_SYN_RECEIVED: /* RFC 7413 4.2.2 (R7413-07) */
        return slt_tcp_has(c, SLT_CONN_FAST_OPEN) && slt_tcp_has(c, SLT_CONN_PASSIVE);
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_TIME_WAIT:
    case SALUT_STATE_COUNT:
        break;
    }
    return false;
}

static bool fin_unsent(const struct slt_tcp_conn *c, const struct slt_tcp_burst *b)
{
    return slt_tcp_has(c, SLT_CONN_FIN_QUEUED) && !b->fin_sent;
}

void slt_tcp_burst_begin(const struct slt_tcp_conn *c, struct slt_tcp_burst *b)
{
    memset(b, 0, sizeof(*b));
    b->nxt = c->snd.nxt;
    b->cursor = c->snd.cursor;
    b->rtx_record = SLT_NIL;
    b->due = c->due;
    b->dup_due = c->acks.dup_due;
    b->ack_pending = slt_tcp_has(c, SLT_CONN_ACK_PENDING);
    b->fin_sent = slt_tcp_has(c, SLT_CONN_FIN_SENT);
    b->cwr_due = (c->ecn & SLT_ECN_CWR_DUE) != 0;
    if (c->cold == NULL) {
        return;
    }
    const struct slt_tcp_cold *cold = c->cold;
    slt_tcp_resend_begin(c, b);
    b->limited = cold->recovery.ca_state == SALUT_CA_DISORDER; /* R3042-01, R3042-02 */
    b->small_held = cold->small_pos > c->snd.una;
    b->paced = cold->pacing.bytes_per_s != 0;
    b->pace_at_ns = cold->pacing.next_at_ns;
    int64_t wake_ns = slt_tcp_timer_due(c, SLT_TIMER_PACING);
    b->pace_wake_ns = wake_ns == SLT_NEVER ? b->pace_at_ns : wake_ns;
    slt_tcp_recovery_room(c, &b->left_bytes);
}

/* The pace lets nothing go now. */
static bool pace_holds(const struct slt_tcp_burst *b)
{
    return b->paced && b->now_ns < slt_max64(b->pace_at_ns, b->pace_wake_ns);
}

/* The position behind all that a plan carries. */
static int64_t end_of(const struct slt_tcp_plan *plan)
{
    return plan->pos + plan->bytes + ((plan->flags & SLT_TCP_SYN) ? 1 : 0) +
           ((plan->flags & SLT_TCP_FIN) ? 1 : 0);
}

/* A plan that carries no octets: flags, and the number it stands at. */
static bool plan_bare(struct slt_tcp_plan *plan, int64_t pos, uint16_t flags, enum slt_reason why)
{
    plan->pos = pos;
    plan->flags = flags;
    plan->why = (uint8_t)why;
    return true;
}

static bool plan_reset(const struct slt_tcp_conn *c, struct slt_tcp_burst *b,
                       struct slt_tcp_plan *plan)
{
    if (!(b->due & SLT_DUE_RST)) {
        return false;
    }
    b->due = 0;
    plan->spent = SLT_DUE_RST;
    return plan_bare(plan, c->snd.nxt, SLT_TCP_RST | SLT_TCP_ACK, (enum slt_reason)c->rst_why);
}

/* Where `pos` lies in the send queue. */
static struct slt_cursor cursor_at(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                   int64_t pos)
{
    return slt_chain_seek(&c->snd.queue, &tcp->bufs, (uint32_t)(pos - slt_max64(c->snd.una, 1)));
}

/* A fast open's SYN takes along what is queued (RFC 7413 4.2.2). */
static void add_syn_data(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                         struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    struct slt_tcp_options opt;

    if (c->snd.queue.bytes == 0) {
        return;
    }
    slt_tcp_syn_options(tcp, c, false, b->now_ns, &opt);
    plan->bytes = slt_tcp_fast_open_syn_bytes(c, &opt);
    if (plan->bytes > 0) {
        plan->at = cursor_at(tcp, c, 1);
        b->nxt = 1 + (int64_t)plan->bytes;
    }
}

static bool plan_syn(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                     struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (!(b->due & SLT_DUE_SYN)) {
        return false;
    }
    bool again = c->cold->recovery.syn_timeouts > 0;
    enum slt_reason why = c->state == SALUT_STATE_SYN_SENT ? SLT_SEND_SYN : SLT_SEND_SYN_ACK;
    uint16_t flags = c->state == SALUT_STATE_SYN_SENT ? SLT_TCP_SYN : SLT_TCP_SYN | SLT_TCP_ACK;

    b->due &= (uint16_t)~SLT_DUE_SYN;
    b->nxt = slt_max64(b->nxt, 1);
    plan->spent = SLT_DUE_SYN;
    plan->retransmit = c->snd.nxt > 0;
    if (c->state == SALUT_STATE_SYN_SENT && c->snd.nxt == 0) {
        add_syn_data(tcp, c, b, plan);
    }
    return plan_bare(plan, 0, flags, again ? SLT_SEND_SYN_RETRANSMIT : why);
}

/* Octets that were sent before go before new ones: lost ones, then the tail's probe. */
static bool plan_again(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                       struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (c->cold == NULL || (!can_send_text(c) && c->snd.una > 0)) {
        return false;
    }
    if ((b->forced || !pace_holds(b)) && slt_tcp_plan_lost(tcp, c, b, plan)) {
        return true;
    }
    return slt_tcp_plan_tail_probe(tcp, c, b, plan);
}

/* A window probe (RFC 9293 3.8.6.1): what fits if something fits, else one octet of new data or,
 * as Linux does, none at all at SND.UNA - 1 (D-24). */
static bool plan_probe(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                       struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (!(b->due & SLT_DUE_PROBE)) {
        return false;
    }
    int64_t unsent = slt_tcp_unsent_bytes(c, b->nxt);
    int64_t usable = slt_tcp_snd_usable(c, b->nxt);

    b->due &= (uint16_t)~SLT_DUE_PROBE;
    plan->spent = SLT_DUE_PROBE;
    plan->why = SLT_SEND_WINDOW_PROBE;
    plan->flags = SLT_TCP_ACK;
    if (usable > 0 || (tcp->config->probe_with_data && c->snd.una == b->nxt)) {
        int64_t bytes =
            slt_min64(slt_min64(unsent, slt_max64(usable, 1)), slt_tcp_data_mss(tcp, c));
        plan->pos = b->nxt;
        plan->bytes = (uint32_t)bytes;
        plan->at = bytes > 0 ? cursor_at(tcp, c, b->nxt) : b->cursor;
        b->nxt += bytes;
        if (bytes == 0 && fin_unsent(c, b)) { /* G05: a FIN behind a closed window */
            plan->flags |= SLT_TCP_FIN;
            b->nxt++;
            b->fin_sent = true;
        }
        return bytes > 0 || (plan->flags & SLT_TCP_FIN);
    }
    if (tcp->config->probe_with_data) { /* the octet is out already: again */
        int64_t text = slt_min64(1, slt_tcp_snd_end(c) - c->snd.una);
        plan->pos = c->snd.una;
        plan->retransmit = 1;
        plan->bytes = (uint32_t)slt_max64(text, 0);
        plan->at = plan->bytes > 0 ? cursor_at(tcp, c, c->snd.una) : b->cursor;
        plan->flags |= plan->bytes == 0 ? SLT_TCP_FIN : 0;
        return true;
    }
    return plan_bare(plan, c->snd.una - 1, SLT_TCP_ACK, SLT_SEND_WINDOW_PROBE);
}

static bool plan_keepalive(const struct slt_tcp_conn *c, struct slt_tcp_burst *b,
                           struct slt_tcp_plan *plan)
{
    if (!(b->due & SLT_DUE_KEEPALIVE)) {
        return false;
    }
    b->due &= (uint16_t)~SLT_DUE_KEEPALIVE;
    plan->spent = SLT_DUE_KEEPALIVE;
    /* RFC 9293 3.8.4 (SHLD-12): SEQ = SND.NXT - 1, no data */
    return plan_bare(plan, c->snd.nxt - 1, SLT_TCP_ACK, SLT_SEND_KEEPALIVE);
}

/* May a segment of `bytes` that is not full leave now? `rest` is what the queue holds. Nothing
 * waits for ever for a push that cannot be asked for (MUST-60); Nagle is the user's to switch
 * (MUST-17). */
static bool partial_may_leave(const struct slt_tcp_conn *c, const struct slt_tcp_burst *b,
                              int64_t bytes, int64_t rest)
{
    if (bytes < rest) { /* cut by a window: only a large part of the window (rule 3) */
        return bytes >= (int64_t)c->snd.wnd_max / 2 && bytes > 0;
    }
    if (slt_tcp_has(c, SLT_CONN_FIN_QUEUED) || slt_tcp_has(c, SLT_CONN_URGENT_OUT)) {
        return true; /* U-20 */
    }
    if (slt_tcp_has(c, SLT_CONN_CORK | SLT_CONN_MORE) && !slt_tcp_has(c, SLT_CONN_CORK_EXPIRED)) {
        return false; /* MAY-16 */
    }
    return slt_tcp_has(c, SLT_CONN_NODELAY | SLT_CONN_CORK_EXPIRED) || !b->small_held ||
           b->nxt == c->snd.una; /* SHLD-7 */
}

/* What `bytes` has beyond whole segments; nearly always there is at most one, and no division. */
static uint32_t beyond_whole(uint32_t bytes, uint32_t mss)
{
    if (bytes < mss) {
        return bytes;
    }
    return bytes == mss ? 0 : bytes % mss;
}

/* What a frame should carry while the window fills it bit by bit; 0: as much as may leave. */
static int64_t worth_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns)
{
    const struct slt_tcp_cold *cold = c->cold;
    uint32_t oldest = cold->recovery.records.flight.head;
    int64_t srtt_us = c->rtt.srtt8_us >> 3;
    int64_t queued_us = slt_max64(srtt_us - c->rtt.min_us, 0);
    uint32_t mss = slt_tcp_data_mss(tcp, c);

    if (tcp->config->gso_max_bytes < WORTH_SEGMENTS * mss || cold->pacing.bytes_per_s != 0 ||
        cold->recovery.ca_state != SALUT_CA_OPEN || oldest == SLT_NIL) {
        return 0;
    }
    int64_t out_ns = now_ns - slt_record_at(tcp, oldest)->stamp.sent_at_ns;
    if (out_ns < srtt_us * SLT_NS_PER_US / 2) {
        return 0;
    }
    uint64_t rate = slt_cc_pacing_bytes_per_s(&cold->cc, (uint32_t)srtt_us, mss);
    int64_t for_us = slt_min64(WORTH_US, queued_us / WORTH_OF_QUEUE);
    int64_t worth = (int64_t)(rate * (uint64_t)for_us / 1000000);
    worth = slt_min64(worth, cold->cc.cwnd_bytes / WORTH_OF_CWND);
    worth = slt_min64(worth, slt_min64(tcp->config->gso_max_bytes, slt_tcp_super_bytes(tcp)));
    return worth < WORTH_SEGMENTS * (int64_t)mss ? 0 : worth / mss * mss;
}

/* More than the window lets go now is to be sent, and that is too little for a frame. */
static bool waits_for_more(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t rest,
                           int64_t left_bytes, int64_t now_ns)
{
    return left_bytes < rest && left_bytes < worth_bytes(tcp, c, now_ns);
}

/* How many new bytes the next segment takes, 0 for none: as large as the peer and the path take
 * (SHLD-28), none beyond an edge that has moved left (SHLD-15). */
static int64_t new_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                         const struct slt_tcp_burst *b, uint32_t mss)
{
    int64_t rest = slt_tcp_unsent_bytes(c, b->nxt);
    int64_t room = slt_min64(slt_tcp_snd_usable(c, b->nxt), b->left_bytes);
    int64_t super = slt_max64(mss, slt_min64(tcp->config->gso_max_bytes, slt_tcp_super_bytes(tcp)));
    int64_t bytes = slt_min64(slt_min64(rest, room), super);

    if (b->paced) {
        bytes = slt_min64(bytes, slt_tcp_pacing_quantum(&c->cold->pacing, mss));
    }
    if (bytes <= 0 ||
        (room == b->left_bytes && waits_for_more(tcp, c, rest, b->left_bytes, b->now_ns))) {
        return 0;
    }
    if (bytes >= mss) {
        int64_t whole = bytes - beyond_whole((uint32_t)bytes, mss);
        bool tail = bytes == rest && partial_may_leave(c, b, bytes - whole, bytes - whole);
        return tail ? bytes : whole;
    }
    return partial_may_leave(c, b, bytes, rest) ? bytes : 0;
}

/* A probe of the path MTU (RFC 4821) that is wanted now; 0: none. Asked once per burst. */
static uint32_t mtu_probe_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                struct slt_tcp_burst *b, uint32_t mss)
{
    int64_t ready = slt_min64(slt_tcp_snd_usable(c, b->nxt), slt_tcp_unsent_bytes(c, b->nxt));

    if (b->mtu_probed) {
        return 0;
    }
    b->mtu_probed = true;
    return slt_tcp_pmtud_probe_bytes(tcp, c, mss, ready, b->now_ns);
}

/* New data in one larger segment. While the congestion window has no room for it but will have
 * (something is in flight), nothing else leaves either: the windows are kept for it. */
static bool plan_mtu_probe(struct slt_tcp_burst *b, uint32_t mss, uint32_t bytes,
                           struct slt_tcp_plan *plan)
{
    if (b->left_bytes < bytes) {
        b->mtu_probed = false;
        return false;
    }
    plan->pos = b->nxt;
    plan->bytes = bytes;
    plan->at = b->cursor;
    plan->flags = SLT_TCP_ACK;
    plan->why = SLT_SEND_MTU_PROBE;
    plan->mtu_probe = 1;
    plan->gso_bytes = (uint16_t)mss;
    b->nxt += bytes;
    b->left_bytes -= bytes;
    return true;
}

static bool plan_new(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                     struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (!can_send_text(c) || c->cold == NULL || b->nxt < 1 ||
        (slt_tcp_unsent_bytes(c, b->nxt) > 0 && pace_holds(b))) {
        return false;
    }
    uint32_t mss = slt_tcp_data_mss(tcp, c);
    uint32_t probe = mtu_probe_bytes(tcp, c, b, mss);
    if (probe > 0 && (b->left_bytes >= probe || b->nxt > c->snd.una)) {
        return plan_mtu_probe(b, mss, probe, plan);
    }
    int64_t bytes = slt_tcp_unsent_bytes(c, b->nxt) > 0 ? new_bytes(tcp, c, b, mss) : 0;
    if (b->cwr_due) { /* RFC 3168 6.1.2 (R3168-04): in one segment, never repeated by a cut */
        bytes = slt_min64(bytes, mss);
    }
    bool last = bytes == slt_tcp_unsent_bytes(c, b->nxt);
    bool fin = last && fin_unsent(c, b) && slt_tcp_snd_usable(c, b->nxt + bytes) > 0;

    if (bytes == 0 && !fin) {
        return false;
    }
    plan->pos = b->nxt;
    plan->bytes = (uint32_t)bytes;
    plan->at = b->cursor;
    plan->flags = SLT_TCP_ACK;
    plan->why = bytes == 0 ? SLT_SEND_FIN : b->limited ? SLT_SEND_LIMITED_TRANSMIT : SLT_SEND_DATA;
    if (bytes > (int64_t)mss) {
        plan->gso = 1;
        plan->gso_bytes = (uint16_t)mss;
    }
    if ((last && bytes > 0) || plan->gso) {
        plan->flags |= SLT_TCP_PSH; /* MUST-61, SHLD-27 */
    }
    if (b->cwr_due && bytes > 0) {
        plan->flags |= SLT_TCP_CWR;
        b->cwr_due = false;
    }
    if (fin) {
        plan->flags |= SLT_TCP_FIN;
        b->fin_sent = true;
    }
    b->nxt += bytes + (fin ? 1 : 0);
    b->left_bytes -= slt_min32(b->left_bytes, plan->bytes);
    b->small_held = b->small_held || (bytes > 0 && beyond_whole(plan->bytes, mss) != 0);
    return true;
}

static bool plan_ack(const struct slt_tcp_conn *c, struct slt_tcp_burst *b,
                     struct slt_tcp_plan *plan)
{
    uint16_t due = b->due & (SLT_DUE_ACK | SLT_DUE_WINDOW);

    if (due == 0) {
        return false;
    }
    plan->spent = due;
    if (b->dup_due > 0) {
        b->dup_due--;
        plan->dup = 1;
    }
    if (b->dup_due == 0) {
        b->due &= (uint16_t) ~(SLT_DUE_ACK | SLT_DUE_WINDOW);
    }
    enum slt_reason why = (due & SLT_DUE_ACK) ? (enum slt_reason)c->acks.why : SLT_SEND_ACK_WINDOW;
    return plan_bare(plan, slt_max64(b->nxt, 1), SLT_TCP_ACK, why);
}

/* Every segment with an acknowledgement says all that there is to say. */
static void acknowledge(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                        struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    plan->edge = slt_tcp_window_edge(tcp, c);
    b->ack_pending = false;
    if (!plan->dup) {
        b->due &= (uint16_t) ~(SLT_DUE_ACK | SLT_DUE_WINDOW);
        b->dup_due = 0;
    }
}

/* False: no rung of the ladder but those of `due` can apply, because nothing is to be sent again
 * and everything that is queued has been sent. Most questions end here. */
static bool text_waits(const struct slt_tcp_conn *c, int64_t nxt, bool fin_sent)
{
    return c->cold != NULL &&
           (slt_tcp_unsent_bytes(c, nxt) > 0 ||
            (slt_tcp_has(c, SLT_CONN_FIN_QUEUED) && !fin_sent) || slt_tcp_resend_waits(c));
}

/* The acknowledgement of a SYN,ACK goes alone before data that waits, as nothing else tells the
 * server how the SYN,ACK arrived (RFC 9768 3.2.2.1, R9768-06). */
static bool plan_shake(const struct slt_tcp_conn *c, struct slt_tcp_burst *b,
                       struct slt_tcp_plan *plan)
{
    bool due = (b->due & SLT_DUE_ACK) && (c->ecn & SLT_ECN_ACCURATE) && c->cold != NULL;

    return due && c->cold->accecn.shake != 0 && plan_ack(c, b, plan);
}

/* Climb the ladder. */
static SLT_APART bool climb(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                            struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    plan->at.buf = SLT_NIL;
    if (c->state == SALUT_STATE_CLOSED) {
        bool any = plan_reset(c, b, plan);
        plan->edge = c->rcv.edge;
        return any;
    }
    bool any = plan_reset(c, b, plan) || plan_syn(tcp, c, b, plan) || plan_shake(c, b, plan) ||
               plan_again(tcp, c, b, plan) || plan_probe(tcp, c, b, plan) ||
               plan_keepalive(c, b, plan) || plan_new(tcp, c, b, plan) || plan_ack(c, b, plan);
    if (!any) {
        return false;
    }
    if (plan->flags & SLT_TCP_ACK) {
        acknowledge(tcp, c, b, plan);
    } else {
        plan->edge = c->rcv.edge;
    }
    if (plan->bytes > 0 && plan->at.buf == SLT_NIL) {
        plan->at = slt_chain_seek(&c->snd.queue, &tcp->bufs,
                                  (uint32_t)(slt_max64(plan->pos, 1) - slt_max64(c->snd.una, 1)));
    }
    if (plan->bytes > 0) {
        plan->after = slt_chain_skip(&c->snd.queue, &tcp->bufs, plan->at, plan->bytes);
        if (b->paced) {
            b->pace_at_ns =
                slt_tcp_pacing_after(&c->cold->pacing, b->pace_at_ns, plan->bytes, b->now_ns);
        }
        if (end_of(plan) == b->nxt && !plan->retransmit) {
            b->cursor = plan->after;
        }
    } else {
        plan->after = b->cursor;
    }
    return true;
}

bool slt_tcp_plan(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, struct slt_tcp_burst *b,
                  int64_t now_ns, struct slt_tcp_plan *plan)
{
    b->now_ns = now_ns;
    return (b->due != 0 || text_waits(c, b->nxt, b->fin_sent)) && climb(tcp, c, b, plan);
}

/* Ask the ladder. */
static SLT_APART bool would_climb(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                  int64_t now_ns)
{
    struct slt_tcp_burst burst;
    struct slt_tcp_plan plan;

    slt_tcp_burst_begin(c, &burst);
    return slt_tcp_plan(tcp, c, &burst, now_ns, &plan);
}

bool slt_tcp_wants_output(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->due != 0) {
        return true;
    }
    return c->state != SALUT_STATE_CLOSED &&
           text_waits(c, c->snd.nxt, slt_tcp_has(c, SLT_CONN_FIN_SENT)) &&
           would_climb(tcp, c, now_ns);
}

uint32_t slt_tcp_build(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                       const struct slt_tcp_plan *plan, int64_t now_ns, struct slt_tcp_segment *seg,
                       struct slt_piece *pieces, uint32_t max)
{
    bool syn = (plan->flags & SLT_TCP_SYN) != 0;
    bool ack = (plan->flags & SLT_TCP_ACK) != 0;
    uint32_t count = 0;
    uint32_t seen = 0;
    struct slt_cursor after;

    seg->src_port = c->id.local_port;
    seg->dst_port = c->id.remote_port;
    seg->seq = slt_tcp_wrap(plan->pos, c->snd.isn);
    seg->ack = ack ? slt_tcp_wrap(c->rcv.nxt, c->rcv.isn) : 0;
    seg->flags = plan->flags;
    seg->ecn = 0;
    if (syn) {
        seg->flags |= slt_tcp_ecn_syn_flags(c, ack);
    } else if (c->ecn != 0) {
        seg->flags |= slt_tcp_ecn_flags(c, plan);
        seg->ecn = slt_tcp_ecn_codepoint(c, plan);
    }
    seg->urgent = 0;
    seg->window = slt_tcp_window_field(c, plan->edge, syn);
    if (syn) {
        if (!ack) {
            seg->window = (uint16_t)slt_min32(c->rcv.buffer_max, 65535);
        }
        slt_tcp_syn_options(tcp, c, ack, now_ns, &seg->opt);
    } else {
        slt_tcp_segment_options(tcp, c, now_ns, &seg->opt);
        if ((c->ecn & SLT_ECN_ACCURATE) && plan->bytes == 0 && c->cold != NULL) {
            slt_accecn_option(&c->cold->accecn, &seg->opt);
        }
    }
    if (slt_tcp_has(c, SLT_CONN_URGENT_OUT) && !(plan->flags & (SLT_TCP_SYN | SLT_TCP_RST))) {
        int64_t ahead = slt_pos_expand(plan->pos, c->snd.up_low) - plan->pos;
        if (ahead > 0) { /* MUST-31: as far ahead as it lies, up to what 16 bits can say */
            seg->flags |= SLT_TCP_URG;
            seg->urgent = (uint16_t)slt_min64(ahead, 65535);
        }
    }
    if (plan->bytes > 0) {
        count = slt_chain_view(&c->snd.queue, &tcp->bufs, plan->at, plan->bytes, pieces, max, &seen,
                               &after);
        SLT_ASSERT(seen == plan->bytes);
    }
    seg->payload = NULL;
    seg->payload_bytes = plan->bytes;
    return count;
}

/* ---- commit --------------------------------------------------------------------------------- */

static void commit_octets(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                          const struct slt_tcp_plan *plan, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    int64_t end = end_of(plan);
    uint32_t per_segment = plan->gso ? plan->gso_bytes : plan->bytes;
    uint32_t segs = plan->gso ? (plan->bytes + per_segment - 1) / per_segment : 1;
    uint32_t size = per_segment + c->ip_bytes + SLT_TCP_HEADER_BYTES +
                    (slt_tcp_has(c, SLT_CONN_TS_OK) ? 12U : 0U);

    if (plan->bytes > 0) {
        slt_tcp_pacing_on_sent(cold, plan->bytes, now_ns);
        cold->data_segs_out++;
        cold->size_sent = (uint16_t)slt_max32(cold->size_sent, size);
    }
    if ((plan->flags & SLT_TCP_SYN) && plan->bytes > 0) {
        slt_tcp_fast_open_on_sent(cold, plan->bytes);
    }
    if (plan->flags & SLT_TCP_FIN) {
        c->flags |= SLT_CONN_FIN_SENT;
    }
    if (end > c->snd.nxt) {
        bool small = plan->bytes > 0 && beyond_whole(plan->bytes, slt_tcp_full_mss(tcp, c)) != 0;
        if (small && !plan->mtu_probe && !(plan->spent & SLT_DUE_PROBE)) {
            cold->small_pos = end; /* what Nagle waits for: new, partial, and not a probe's octet */
        }
        int64_t start = c->snd.nxt;
        slt_tcp_snd_sent(c, end, plan->after);
        slt_tcp_recovery_on_new(tcp, c, start, segs, now_ns);
        if (plan->mtu_probe) {
            slt_tcp_pmtud_on_sent(tcp, c, plan->pos, plan->bytes, plan->bytes - plan->gso_bytes);
        }
    } else {
        c->retransmits += segs;
        cold->retransmitted_bytes += plan->bytes;
        slt_tcp_recovery_on_resent(tcp, c, plan, end, now_ns);
    }
    if ((plan->spent & SLT_DUE_PROBE) && slt_tcp_timer_due(c, SLT_TIMER_PERSIST) != SLT_NEVER &&
        (end == plan->pos || slt_tcp_snd_usable(c, end) < 0)) {
        return; /* a closed window's probe is the persist timer's; what it takes is data */
    }
    slt_tcp_timers_on_sent(tcp, c, now_ns);
    slt_tcp_recovery_on_left(tcp, c, plan, now_ns);
}

/* Bytes wait, nothing is in flight and nothing may leave: it is the window that holds them, so
 * probe it (MUST-36). */
static void watch_window(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    bool waiting = c->snd.queue.bytes > 0 || slt_tcp_fin_waits(c);

    if (waiting && c->snd.una > 0 && c->snd.una == c->snd.nxt &&
        slt_tcp_timer_due(c, SLT_TIMER_CORK) == SLT_NEVER &&
        !slt_tcp_wants_output(tcp, c, now_ns)) {
        slt_tcp_timers_on_blocked(tcp, c, now_ns);
    }
}

/* A partial segment is held on the user's wish (MAY-16), or by Nagle's rule (SHLD-7) because the
 * one before it is not acknowledged: neither for ever. */
static void watch_partial(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    bool unsent = slt_tcp_unsent_bytes(c, c->snd.nxt) > 0;
    bool may_hold = unsent && !slt_tcp_has(c, SLT_CONN_CORK_EXPIRED | SLT_CONN_FIN_QUEUED) &&
                    slt_tcp_snd_usable(c, c->snd.nxt) > 0;
    bool nagle = tcp->config->nagle_slack_ns > 0 && !slt_tcp_has(c, SLT_CONN_NODELAY) &&
                 c->cold->small_pos > c->snd.una;

    if (may_hold && slt_tcp_has(c, SLT_CONN_CORK | SLT_CONN_MORE)) {
        slt_tcp_timers_on_corked(c, now_ns);
    } else if (may_hold && nagle) {
        slt_tcp_timers_on_nagled(tcp, c, now_ns);
    } else {
        slt_tcp_timers_on_uncorked(c);
    }
    if (!unsent) {
        c->flags &= ~(uint32_t)SLT_CONN_CORK_EXPIRED;
    }
}

/* The pace alone holds something back: wake when it lets go. */
static bool watch_pace(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    const struct slt_tcp_pacing *pacing = &c->cold->pacing;
    int64_t wake_ns = slt_tcp_timer_due(c, SLT_TIMER_PACING);

    if (pacing->bytes_per_s != 0 && (wake_ns == SLT_NEVER || wake_ns <= now_ns)) {
        wake_ns = now_ns < pacing->next_at_ns ? slt_tcp_pacing_wake(pacing, now_ns) : now_ns;
    }
    bool held = pacing->bytes_per_s != 0 && now_ns < wake_ns &&
                !slt_tcp_wants_output(tcp, c, now_ns) && slt_tcp_wants_output(tcp, c, wake_ns);
    if (held) {
        slt_tcp_timers_on_paced(c, wake_ns);
    } else {
        slt_tcp_timers_on_unpaced(c);
    }
    return held;
}

/* What keeps the sender from sending more, now that all that may leave has left. */
static enum salut_limit limit_of(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                 uint32_t left_bytes, int64_t now_ns)
{
    int64_t unsent = slt_tcp_unsent_bytes(c, c->snd.nxt);

    if (slt_tcp_timer_due(c, SLT_TIMER_PACING) != SLT_NEVER) {
        return SALUT_LIMIT_PACING;
    }
    if (unsent <= 0 && c->snd.una == c->snd.nxt) {
        return SALUT_LIMIT_NOTHING;
    }
    uint32_t mss = slt_tcp_full_mss(tcp, c);
    if (unsent <= 0) {
        bool full = slt_tcp_snd_room(c) < mss;
        return full ? SALUT_LIMIT_SEND_BUFFER : SALUT_LIMIT_APPLICATION;
    }
    int64_t wanted = slt_min64(unsent, mss);
    if (slt_tcp_snd_usable(c, c->snd.nxt) < wanted) {
        return SALUT_LIMIT_PEER_WINDOW;
    }
    bool held = left_bytes < wanted || waits_for_more(tcp, c, unsent, left_bytes, now_ns);
    return held ? SALUT_LIMIT_CWND : SALUT_LIMIT_APPLICATION;
}

/* The sender is kept from sending by something other than the path. */
static bool is_starved(enum salut_limit limit)
{
    return limit == SALUT_LIMIT_APPLICATION || limit == SALUT_LIMIT_SEND_BUFFER ||
           limit == SALUT_LIMIT_PEER_WINDOW;
}

/* Tell congestion control how much of its window is used, rate sampling whether it measures the
 * application, and keep account of what limits. What is to leave later in this turn is held by
 * nothing (BBR-08): were it taken for a pause of the application, hardly a sample would count. */
static void watch_limits(struct slt_tcp *tcp, struct slt_tcp_conn *c, bool wants, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    int64_t flight = slt_tcp_flight(c, &cold->recovery);
    uint32_t left_bytes = 0;

    slt_tcp_recovery_room(c, &left_bytes);
    enum salut_limit limit = limit_of(tcp, c, left_bytes, now_ns);
    bool starved = is_starved(limit) && left_bytes > 0;
    if (starved && wants) {
        return;
    }
    slt_tcp_limits_set(&cold->limits, limit, now_ns);
    slt_cc_on_flight(&cold->cc, flight, limit == SALUT_LIMIT_CWND, c->snd.una, c->snd.nxt);
    if (starved) {
        slt_rate_app_limited(&cold->rate, flight);
    }
}

static void emit_sent(struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                      const struct slt_tcp_plan *plan, int64_t now_ns)
{
    enum slt_reason why = (enum slt_reason)plan->why;
    struct slt_event *e = slt_tcp_emit_begin(tcp, c, SLT_EVENT_SENT, why, now_ns);

    e->flags = (uint8_t)plan->flags;
    e->bytes = plan->bytes;
    e->seq_pos = plan->pos;
    e->ack_pos = c->rcv.nxt;
    e->window = (uint32_t)slt_max64(plan->edge - c->rcv.nxt, 0);
}

void slt_tcp_commit(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_plan *plan,
                    int64_t now_ns)
{
    c->segs_out++;
    c->due &= (uint16_t) ~(plan->spent & ~(SLT_DUE_ACK | SLT_DUE_WINDOW));
    emit_sent(tcp, c, plan, now_ns);
    if (c->state == SALUT_STATE_CLOSED) {
        return;
    }
    if (c->ecn != 0 && !(plan->flags & SLT_TCP_SYN)) {
        slt_tcp_ecn_on_sent(c, plan);
    }
    if (plan->flags & SLT_TCP_ACK) {
        slt_tcp_acks_on_sent(c, plan);
        if (c->cold != NULL) {
            slt_tcp_rcv_reported(c->cold); /* R2883-02: told once */
        }
    }
    if (plan->bytes > 0 || (plan->flags & (SLT_TCP_SYN | SLT_TCP_FIN))) {
        commit_octets(tcp, c, plan, now_ns);
    }
}

/* After each door: what still waits is held by a window, by Nagle or by cork; and what is idle
 * needs no cold block. */
bool slt_tcp_settle(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    bool sends_text = slt_tcp_awake(c) != NULL && can_send_text(c);

    if (sends_text) {
        watch_partial(tcp, c, now_ns);
        if (!watch_pace(tcp, c, now_ns)) {
            watch_window(tcp, c, now_ns);
        }
    }
    bool wants = slt_tcp_wants_output(tcp, c, now_ns);
    if (sends_text) {
        watch_limits(tcp, c, wants, now_ns);
    }
    if (c->cold != NULL) {
        slt_tcp_cold_fold(tcp, c, now_ns);
    }
    SLT_DCHECK(wants == slt_tcp_wants_output(tcp, c, now_ns));
    return wants;
}
