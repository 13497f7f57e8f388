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
 * persist timer overrides after a while (rule 4).
 */
#include "tcp/engine.h"

static bool can_send_text(const struct slt_tcp_conn *c)
{
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
        return true;
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_SYN_RECEIVED:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_TIME_WAIT:
    case SALUT_STATE_COUNT:
        break;
    }
    return false;
}

/* Bytes queued and never sent. */
static int64_t unsent_bytes(const struct slt_tcp_conn *c, int64_t nxt)
{
    return slt_tcp_snd_end(c) - slt_max64(nxt, 1);
}

static bool fin_unsent(const struct slt_tcp_conn *c, const struct slt_tcp_burst *b)
{
    return slt_tcp_has(c, SLT_CONN_FIN_QUEUED) && !b->fin_sent;
}

void slt_tcp_burst_begin(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                         struct slt_tcp_burst *b)
{
    memset(b, 0, sizeof(*b));
    b->nxt = c->snd.nxt;
    b->cursor = c->snd.cursor;
    b->rtx_cursor.buf = SLT_NIL;
    b->due = c->due;
    b->dup_due = c->acks.dup_due;
    b->ack_pending = slt_tcp_has(c, SLT_CONN_ACK_PENDING);
    b->fin_sent = slt_tcp_has(c, SLT_CONN_FIN_SENT);
    if (c->cold == SLT_NIL) {
        return;
    }
    const struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    b->rtx_next = slt_max64(cold->recovery.rtx_next, c->snd.una);
    b->rtx_cursor = cold->recovery.rtx_cursor;
    b->rtx_known = cold->recovery.rtx_known && b->rtx_next == cold->recovery.rtx_next;
    b->limited = cold->recovery.limited;
    b->small_held = cold->small_pos > c->snd.una;
    slt_tcp_recovery_room(tcp, c, &b->left_bytes);
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

static bool plan_syn(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                     struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (!(b->due & SLT_DUE_SYN)) {
        return false;
    }
    bool again = slt_tcp_cold_of(tcp, c)->recovery.syn_timeouts > 0;
    enum slt_reason why = c->state == SALUT_STATE_SYN_SENT ? SLT_SEND_SYN : SLT_SEND_SYN_ACK;
    uint16_t flags = c->state == SALUT_STATE_SYN_SENT ? SLT_TCP_SYN : SLT_TCP_SYN | SLT_TCP_ACK;

    b->due &= (uint16_t)~SLT_DUE_SYN;
    b->nxt = slt_max64(b->nxt, 1);
    plan->spent = SLT_DUE_SYN;
    plan->retransmit = c->snd.nxt > 0;
    return plan_bare(plan, 0, flags, again ? SLT_SEND_SYN_RETRANSMIT : why);
}

/* Where `pos` lies in the send queue. */
static struct slt_cursor cursor_at(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                   int64_t pos)
{
    return slt_chain_seek(&c->snd.queue, &tcp->bufs, (uint32_t)(pos - slt_max64(c->snd.una, 1)));
}

/* What is taken as lost goes first (RFC 6582 3.2, RFC 6298 5.4). */
static bool plan_retransmit(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                            struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (c->cold == SLT_NIL) {
        return false;
    }
    const struct slt_tcp_recovery *r = &slt_tcp_cold_of(tcp, c)->recovery;
    int64_t pos = b->rtx_next;
    bool earliest = pos == c->snd.una;

    if (pos >= r->rtx_end || (!can_send_text(c) && c->snd.una > 0)) {
        return false;
    }
    if (!earliest &&
        (slt_tcp_snd_usable(c, pos) <= 0 || (r->ca_state == SALUT_CA_LOSS && b->left_bytes == 0))) {
        return false; /* SHLD-16: not beyond a shrunk edge, and within cwnd but for the first */
    }
    plan->why = r->rtx_why;
    plan->retransmit = 1;
    plan->pos = pos;
    plan->flags = SLT_TCP_ACK;
    if (pos == 0) { /* FIN-WAIT-1 entered from SYN-RECEIVED: the SYN,ACK itself is missing */
        plan->flags |= SLT_TCP_SYN;
        b->rtx_next = 1;
        return true;
    }
    int64_t text_end = slt_min64(r->rtx_end, slt_tcp_snd_end(c));
    int64_t bytes = slt_min64(slt_max64(text_end - pos, 0), slt_tcp_data_mss(tcp, c));
    int64_t usable = slt_tcp_snd_usable(c, pos);
    if (usable > 0) { /* more would be cut off again, and count as in flight */
        bytes = slt_min64(bytes, usable);
    }
    plan->bytes = (uint32_t)bytes;
    if (bytes > 0) {
        plan->at = b->rtx_known ? b->rtx_cursor : cursor_at(tcp, c, pos);
    }
    b->rtx_next = pos + bytes;
    if (bytes > 0 && b->rtx_next == slt_tcp_snd_end(c)) {
        plan->flags |= SLT_TCP_PSH;
    }
    if (slt_tcp_has(c, SLT_CONN_FIN_SENT) && b->rtx_next == slt_tcp_fin_pos(c) &&
        b->rtx_next < r->rtx_end) {
        plan->flags |= SLT_TCP_FIN; /* U-21: the first FIN may be sent again */
        b->rtx_next++;
    }
    b->rtx_known = 0;
    b->left_bytes -= slt_min32(b->left_bytes, plan->bytes);
    return plan->bytes > 0 || (plan->flags & SLT_TCP_FIN);
}

/* A window probe (RFC 9293 3.8.6.1): what fits if something fits, else one octet of new data or,
 * as Linux does, none at all at SND.UNA - 1 (D-24). */
static bool plan_probe(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                       struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (!(b->due & SLT_DUE_PROBE)) {
        return false;
    }
    int64_t unsent = unsent_bytes(c, b->nxt);
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
    return slt_tcp_has(c, SLT_CONN_NODELAY) || !b->small_held || b->nxt == c->snd.una; /* SHLD-7 */
}

/* What a frame's pieces can refer to, the first buffer being cut anywhere. */
static int64_t pieces_bytes(const struct slt_tcp *tcp)
{
    int64_t per_buffer = tcp->bufs.object_bytes - (int64_t)sizeof(struct slt_buf);

    return (SALUT_FRAME_PIECES_MAX - 1) * per_buffer;
}

/* What `bytes` has beyond whole segments; nearly always there is at most one, and no division. */
static uint32_t beyond_whole(uint32_t bytes, uint32_t mss)
{
    if (bytes < mss) {
        return bytes;
    }
    return bytes == mss ? 0 : bytes % mss;
}

/* How many new bytes the next segment takes, 0 for none: as large as the peer and the path take
 * (SHLD-28), none beyond an edge that has moved left (SHLD-15). */
static int64_t new_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                         const struct slt_tcp_burst *b, uint32_t mss)
{
    int64_t rest = unsent_bytes(c, b->nxt);
    int64_t room = slt_min64(slt_tcp_snd_usable(c, b->nxt), b->left_bytes);
    int64_t super = slt_max64(mss, slt_min64(tcp->config->gso_max_bytes, pieces_bytes(tcp)));
    int64_t bytes = slt_min64(slt_min64(rest, room), super);

    if (bytes <= 0) {
        return 0;
    }
    if (bytes >= mss) {
        int64_t whole = bytes - beyond_whole((uint32_t)bytes, mss);
        bool tail = bytes == rest && partial_may_leave(c, b, bytes - whole, bytes - whole);
        return tail ? bytes : whole;
    }
    return partial_may_leave(c, b, bytes, rest) ? bytes : 0;
}

static bool plan_new(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                     struct slt_tcp_burst *b, struct slt_tcp_plan *plan)
{
    if (!can_send_text(c) || c->cold == SLT_NIL || b->nxt < 1) {
        return false;
    }
    uint32_t mss = slt_tcp_data_mss(tcp, c);
    int64_t bytes = unsent_bytes(c, b->nxt) > 0 ? new_bytes(tcp, c, b, mss) : 0;
    bool last = bytes == unsent_bytes(c, b->nxt);
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
static bool text_waits(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t nxt,
                       int64_t rtx_next, bool fin_sent)
{
    return c->cold != SLT_NIL &&
           (unsent_bytes(c, nxt) > 0 || (slt_tcp_has(c, SLT_CONN_FIN_QUEUED) && !fin_sent) ||
            rtx_next < slt_tcp_cold_of(tcp, c)->recovery.rtx_end);
}

bool slt_tcp_plan(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, struct slt_tcp_burst *b,
                  int64_t now_ns, struct slt_tcp_plan *plan)
{
    (void)now_ns;
    if (b->due == 0 && !text_waits(tcp, c, b->nxt, b->rtx_next, b->fin_sent)) {
        return false;
    }
    memset(plan, 0, sizeof(*plan));
    plan->at.buf = SLT_NIL;
    if (c->state == SALUT_STATE_CLOSED) {
        bool any = plan_reset(c, b, plan);
        plan->edge = c->rcv.edge;
        return any;
    }
    bool any = plan_reset(c, b, plan) || plan_syn(tcp, c, b, plan) ||
               plan_retransmit(tcp, c, b, plan) || plan_probe(tcp, c, b, plan) ||
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
                                  (uint32_t)(plan->pos - slt_max64(c->snd.una, 1)));
    }
    if (plan->bytes > 0) {
        plan->after = slt_chain_skip(&c->snd.queue, &tcp->bufs, plan->at, plan->bytes);
        if (plan->retransmit) {
            b->rtx_cursor = plan->after;
            b->rtx_known = 1;
        }
        if (plan->pos + plan->bytes == b->nxt - ((plan->flags & SLT_TCP_FIN) ? 1 : 0) &&
            !plan->retransmit) {
            b->cursor = plan->after;
        }
    } else {
        plan->after = b->cursor;
    }
    return true;
}

bool slt_tcp_wants_output(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_burst burst;
    struct slt_tcp_plan plan;

    if (c->due != 0) {
        return true;
    }
    if (c->state == SALUT_STATE_CLOSED || c->cold == SLT_NIL ||
        !text_waits(tcp, c, c->snd.nxt, slt_tcp_cold_of(tcp, c)->recovery.rtx_next,
                    slt_tcp_has(c, SLT_CONN_FIN_SENT))) {
        return false;
    }
    slt_tcp_burst_begin(tcp, c, &burst);
    return slt_tcp_plan(tcp, c, &burst, now_ns, &plan);
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
    seg->urgent = 0;
    seg->window = slt_tcp_window_field(c, plan->edge, syn);
    if (syn) {
        if (!ack) {
            seg->window = (uint16_t)slt_min32(c->rcv.buffer_max, 65535);
        }
        slt_tcp_syn_options(tcp, c, ack, now_ns, &seg->opt);
    } else {
        slt_tcp_segment_options(tcp, c, now_ns, &seg->opt);
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

static int64_t end_of(const struct slt_tcp_plan *plan)
{
    return plan->pos + plan->bytes + ((plan->flags & SLT_TCP_SYN) ? 1 : 0) +
           ((plan->flags & SLT_TCP_FIN) ? 1 : 0);
}

static void commit_octets(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                          const struct slt_tcp_plan *plan, int64_t now_ns)
{
    struct slt_tcp_cold *cold = slt_tcp_cold_of(tcp, c);
    int64_t end = end_of(plan);
    uint32_t per_segment = plan->gso ? plan->gso_bytes : plan->bytes;
    uint32_t size = per_segment + c->ip_bytes + SLT_TCP_HEADER_BYTES +
                    (slt_tcp_has(c, SLT_CONN_TS_OK) ? 12U : 0U);

    if (plan->bytes > 0) {
        cold->data_segs_out++;
        cold->size_sent = (uint16_t)slt_max32(cold->size_sent, size);
    }
    if (plan->flags & SLT_TCP_FIN) {
        c->flags |= SLT_CONN_FIN_SENT;
    }
    if (end > c->snd.nxt) {
        bool small = beyond_whole(plan->bytes, slt_tcp_full_mss(tcp, c)) != 0;
        if (small && !(plan->spent & SLT_DUE_PROBE)) {
            cold->small_pos = end; /* what Nagle waits for: new, partial, and not a probe's octet */
        }
        slt_tcp_snd_sent(c, end, plan->after);
        slt_tcp_rtt_on_sent(cold, end, now_ns);
    } else {
        c->retransmits++;
        cold->retransmitted_bytes += plan->bytes;
        slt_tcp_rtt_on_retransmit(cold);
    }
    if ((plan->spent & SLT_DUE_PROBE) &&
        slt_tcp_timer_due(tcp, c, SLT_TIMER_PERSIST) != SLT_NEVER) {
        return; /* the persist timer is its timer, unless the window has opened meanwhile */
    }
    if (plan->retransmit) {
        slt_tcp_recovery_on_sent(c, &cold->recovery, end, plan->after);
    }
    slt_tcp_timers_on_sent(tcp, c, now_ns);
}

/* Bytes wait, nothing is in flight and nothing may leave: it is the window that holds them, so
 * probe it (MUST-36). */
static void watch_window(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    bool waiting = c->snd.queue.bytes > 0 ||
                   (slt_tcp_has(c, SLT_CONN_FIN_QUEUED) && !slt_tcp_has(c, SLT_CONN_FIN_SENT));

    if (waiting && c->snd.una > 0 && c->snd.una == c->snd.nxt &&
        slt_tcp_timer_due(tcp, c, SLT_TIMER_CORK) == SLT_NEVER &&
        !slt_tcp_wants_output(tcp, c, now_ns)) {
        slt_tcp_timers_on_blocked(tcp, c, now_ns);
    }
}

/* A partial segment is held on the user's wish, for 200 ms at most (MAY-16). */
static void watch_cork(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    bool unsent = unsent_bytes(c, c->snd.nxt) > 0;
    bool held = slt_tcp_has(c, SLT_CONN_CORK | SLT_CONN_MORE) &&
                !slt_tcp_has(c, SLT_CONN_CORK_EXPIRED | SLT_CONN_FIN_QUEUED) && unsent &&
                slt_tcp_snd_usable(c, c->snd.nxt) > 0;

    if (held) {
        slt_tcp_timers_on_corked(tcp, c, now_ns);
        return;
    }
    slt_tcp_timers_on_uncorked(tcp, c);
    if (!unsent) {
        c->flags &= ~(uint32_t)SLT_CONN_CORK_EXPIRED;
    }
}

static void emit_sent(struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                      const struct slt_tcp_plan *plan, int64_t now_ns)
{
    struct slt_event e = {.kind = SLT_EVENT_SENT,
                          .reason = plan->why,
                          .flags = (uint8_t)plan->flags,
                          .bytes = plan->bytes,
                          .seq_pos = plan->pos,
                          .ack_pos = c->rcv.nxt,
                          .window = (uint32_t)slt_max64(plan->edge - c->rcv.nxt, 0)};

    slt_tcp_emit_segment(tcp, c, &e, now_ns);
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
    if (plan->flags & SLT_TCP_ACK) {
        slt_tcp_acks_on_sent(tcp, c, plan);
        if (c->cold != SLT_NIL) {
            slt_tcp_rcv_reported(slt_tcp_cold_of(tcp, c)); /* R2883-02: told once */
        }
    }
    if (plan->bytes > 0 || (plan->flags & (SLT_TCP_SYN | SLT_TCP_FIN))) {
        commit_octets(tcp, c, plan, now_ns);
    }
}

/* After each door: what still waits is held by a window, by Nagle or by cork; and what is idle
 * needs no cold block. */
void slt_tcp_settle(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (c->cold == SLT_NIL) {
        return;
    }
    if (can_send_text(c)) {
        watch_cork(tcp, c, now_ns);
        watch_window(tcp, c, now_ns);
    }
    slt_tcp_cold_fold(tcp, c, now_ns);
}
