/* Loss recovery's coordinator: what an acknowledgement, a timeout and a transmission mean for the
 * state of the sender (RFC 5681, 6675, 8985, 9937, 5682, 6298 5).
 *
 *               lost                          timeout
 *   OPEN ---------------> RECOVERY ----.   any --------> LOSS
 *    |  ^                  ^           |                  |
 *    |  | no SACKs above   | lost      | all of it acknowledged, or found spurious
 *    v  |                  |           v                  v
 *   DISORDER --------------'          OPEN or DISORDER (by what is SACKed above)
 *    | marks (ECN)
 *    v
 *   CWR ----> as RECOVERY, with nothing lost
 *
 * An episode (CWR, RECOVERY, LOSS) reduces the window once, by congestion control's word, and ends
 * when everything that was out as it began is acknowledged (`recover`). Who finds losses, judges
 * them and meters the sending is in files of its own (recovery.h); this one asks them in a fixed
 * order and lets congestion control and the timers know.
 *
 * Octets that became lost without congestion (the path MTU fell, the window shrank, the peer took
 * its SACK back) are sent again in whatever state the sender is in.
 */
#include "tcp/engine.h"

void slt_tcp_recovery_init(struct slt_tcp_recovery *r, int64_t una)
{
    memset(r, 0, sizeof(*r));
    slt_records_init(&r->records);
    slt_rack_init(&r->rack);
    r->rtx_near.buf = SLT_NIL;
    r->tlp.rtt_seen = true;
    r->ca_state = SALUT_CA_OPEN;
    r->recover = una - 1;
}

static uint32_t min_rtt_us(const struct slt_tcp_conn *c)
{
    return c->rtt.min_us == UINT32_MAX ? 0 : c->rtt.min_us;
}

/* ---- episodes -------------------------------------------------------------------------------- */

static bool in_episode(const struct slt_tcp_recovery *r)
{
    return r->ca_state >= SALUT_CA_CWR;
}

/* Outside an episode the state says whether something is SACKed above a gap. */
static void rest(struct slt_tcp_recovery *r)
{
    bool disorder = r->records.sacked_bytes > 0 || r->newreno.dup_acks > 0;

    r->ca_state = disorder ? SALUT_CA_DISORDER : SALUT_CA_OPEN;
}

/* What congestion control is told of. FlightSize is what was out, without what limited transmit
 * added on top of the window (RFC 5681 3.2, step 2). */
static struct slt_cc_loss describe_loss(struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                        const struct slt_delivery *d, int64_t now_ns)
{
    const struct slt_tcp_cold *cold = c->cold;
    int64_t out = c->snd.nxt - c->snd.una + d->acked_bytes;
    int64_t flight = slt_tcp_flight(c, &cold->recovery) + cold->recovery.records.lost_bytes;

    flight = slt_max64(flight + d->delivered_bytes, cold->cc.cwnd_bytes);
    return (struct slt_cc_loss){.now_ns = now_ns,
                                .flight_bytes = slt_min64(out, flight),
                                .una = c->snd.una,
                                .nxt = c->snd.nxt,
                                .mss = slt_tcp_full_mss(tcp, c),
                                .lost_bytes = d->lost_bytes,
                                .first = true};
}

/* RFC 6675 5 (R6675-06), RFC 6582 3.2: losses were found, or marks told of. */
static void begin(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_delivery *d,
                  enum slt_cc_why why, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;
    bool reduced = r->ca_state == SALUT_CA_CWR; /* once a round trip: marks and losses are one */

    r->ca_state = why == SLT_CC_ECN ? SALUT_CA_CWR : SALUT_CA_RECOVERY;
    r->recover = c->snd.nxt;
    r->rtx_why = SLT_SEND_RETRANSMIT_FAST;
    r->newreno.partial_seen = false;
    r->tlp.end = 0;
    cold->tally.recoveries += why != SLT_CC_ECN;
    cold->tally.marked += why == SLT_CC_ECN;
    if (reduced) {
        return;
    }
    struct slt_cc_loss loss = describe_loss(tcp, c, d, now_ns);
    loss.joins = why == SLT_CC_LOSS && slt_undo_waits(c, &r->undo, now_ns);
    slt_cc_on_congestion(&cold->cc, &loss, why);
    slt_tcp_ecn_on_reduced(c);
    if (loss.joins) {
        slt_undo_join(c, &r->undo);
    } else if (why == SLT_CC_LOSS) {
        slt_undo_begin(c, &r->undo);
    } else {
        slt_undo_close(&r->undo);
        slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_ECE, now_ns);
    }
    int64_t flight = slt_tcp_flight(c, r) + r->records.lost_bytes + d->delivered_bytes;
    slt_prr_begin(&r->prr, flight);
}

/* RFC 6675 5 (R6675-07), RFC 6582 3.2 (R6582-03): all that was out is acknowledged. */
static void end(struct slt_tcp_cold *cold, const struct slt_cc_ack *ack)
{
    struct slt_tcp_recovery *r = &cold->recovery;

    slt_cc_on_recovered(&cold->cc, ack); /* after a timeout, slow start goes on */
    if (r->ca_state != SALUT_CA_CWR) {
        slt_rack_on_episode_over(&r->rack);
    }
    slt_prr_end(&r->prr);
    slt_undo_frto_end(&r->undo);
    slt_newreno_forget(&r->newreno);
    rest(r);
}

/* Nothing was lost: windows as before, and what counts as lost is in flight (RFC 4015 3). */
static void undo(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;

    slt_cc_undo(&cold->cc, slt_tcp_full_mss(tcp, c));
    slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_UNDONE, now_ns);
    cold->tally.undone++;
    slt_undo_close(&r->undo);
    if (r->ca_state != SALUT_CA_RECOVERY && r->ca_state != SALUT_CA_LOSS) {
        return; /* the episode had ended: only its windows come back (RFC 3708 3) */
    }
    slt_rack_on_spurious(&r->rack, r->ca_state == SALUT_CA_RECOVERY);
    slt_records_find_again(tcp, &r->records);
    slt_prr_end(&r->prr);
    slt_newreno_forget(&r->newreno);
    r->forced = 0;
    r->recover = c->snd.una - 1; /* RFC 5682 2.1 step 3b: fast retransmit may begin anew */
    rest(r);
}

/* ---- an acknowledgement ---------------------------------------------------------------------- */

/* The peer had octets twice. RFC 3708 3 (A.4): once a segment came twice that was not sent again,
 * the network makes copies, and D-SACK acquits nobody for the rest of the connection. Which segment
 * a report is of is not known any more, but no copy of ours is reported twice: when the reports are
 * more than what was sent again, they are of the network's. */
static void note_duplicate(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                           const struct slt_delivery *d, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_tally *tally = &cold->tally;
    uint32_t mss = slt_tcp_full_mss(tcp, c);
    int64_t text_end = c->snd.nxt - (slt_tcp_has(c, SLT_CONN_FIN_SENT) ? 1 : 0);
    int64_t bytes = slt_min64(d->dsack_end, text_end) - slt_max64(d->dsack_start, 1);

    slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_DSACK, now_ns);
    bytes = slt_max64(bytes, 0); /* a SYN or a FIN is no octet of what was sent again */
    tally->dup_bytes += (uint64_t)bytes;
    tally->dup_segs += slt_max32((uint32_t)((bytes + mss - 1) / mss), 1);
    if (!tally->path_copies && tally->dup_bytes > cold->retransmitted_bytes) {
        tally->path_copies = true;
        slt_undo_close(&cold->recovery.undo); /* its evidence may be of copies, too */
    }
}

static void hear(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;

    r->alive = 1;
    if (r->probes > 0) {
        r->probes = 0;
        slt_tcp_timers_on_probe_answered(tcp, c, in->now_ns);
    }
    if (in->ack.advanced) {
        r->probe_backoff = 0;
        r->timeouts = 0;
        r->forced = 0;
    }
}

/* How many of the `above` octets duplicate ACKs may tell of. In an episode no more than was out as
 * it began, or a peer could make them up and be sent a segment for each (RFC 9937 6.2, R9937-06):
 * RecoverFS, and what the two before the third had told of. */
static int64_t believable(const struct slt_prr *prr, int64_t above, uint32_t mss)
{
    return prr->flight_bytes > 0 ? slt_min64(above, prr->flight_bytes + 2 * (int64_t)mss) : above;
}

/* Duplicate ACKs, for who has nothing better (RFC 6582). */
static void detect_by_duplicates(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                 const struct slt_tcp_in *in, struct slt_delivery *d)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    uint32_t mss = slt_tcp_full_mss(tcp, c);
    int64_t above = c->snd.nxt - c->snd.una - slt_max64(r->records.lost_bytes, mss);
    bool loses = false;

    if (in->ack.advanced) {
        slt_newreno_on_advance(&r->newreno, d, above, mss);
        bool again = r->records.rtx_bytes > 0; /* the hole's own repair is still on its way */
        loses =
            r->ca_state == SALUT_CA_RECOVERY && c->snd.una < r->recover && !again; /* R6582-02 */
    } else if (in->ack.duplicate && (r->ca_state != SALUT_CA_LOSS || c->snd.nxt > r->recover)) {
        bool third = slt_newreno_on_duplicate(&r->newreno, d, believable(&r->prr, above, mss), mss);
        loses = third && !in_episode(r) && c->snd.una > r->recover; /* R6582-01, R6582-04 */
    }
    if (loses) {
        d->lost_bytes +=
            slt_lost_mark_range(tcp, c, c->snd.una, slt_min64(c->snd.una + mss, c->snd.nxt));
        /* RFC 6582 3.2 step 3 (R6582-02): the next hole goes at once. A reduction in proportion
         * would let it wait for duplicate ACKs that may never come; it is told of the octets, and
         * holds back others for them. */
        r->forced = in->ack.advanced && r->records.lost.head != SLT_NIL;
    }
}

/* Find what is lost: by time, or by duplicate ACKs where there is no SACK (RFC 8985 9.2). */
static void detect(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                   struct slt_delivery *d)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;

    if (!slt_tcp_has(c, SLT_CONN_SACK_OK)) {
        detect_by_duplicates(tcp, c, in, d);
        return;
    }
    if (d->reneged) { /* RFC 2018 8 (R2018-08): what it said before is worth nothing now */
        slt_records_renege(tcp, &r->records);
        r->rtx_why = SLT_SEND_RETRANSMIT_RTO;
        slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_RENEGED, in->now_ns);
    }
    slt_rack_on_ack(c, d->dsack);
    slt_rack_detect(tcp, c, d, in->now_ns);
}

/* New octets wait that may be sent: F-RTO needs them (R5682-05). */
static bool new_waits(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    int64_t mss = slt_tcp_full_mss(tcp, c);

    return slt_tcp_unsent_bytes(c, c->snd.nxt) >= mss && slt_tcp_snd_usable(c, c->snd.nxt) >= mss;
}

/* RFC 5682, 3522, 3708: true when the episode was spurious, and is undone. */
static bool judge(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                  const struct slt_delivery *d)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;

    slt_undo_on_delivered(&r->undo, d);
    bool spurious = slt_undo_is_spurious(c, r, in, d);
    if (!spurious && r->ca_state == SALUT_CA_LOSS && r->undo.frto != 0) {
        spurious = slt_undo_frto(c, r, in, d, new_waits(tcp, c));
    }
    if (spurious) {
        undo(tcp, c, in->now_ns);
    }
    return spurious;
}

/* The state after what the acknowledgement taught. */
static void move(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in,
                 const struct slt_delivery *d, const struct slt_cc_ack *ack)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;
    bool lost = d->lost_bytes > 0;
    bool marked = in->ack.ece && !in_episode(r) && (in->ack.advanced || c->snd.una < c->snd.nxt);

    if (in->ack.advanced && r->ca_state == SALUT_CA_RECOVERY) {
        r->rtx_why = SLT_SEND_RETRANSMIT_PARTIAL;
    }
    if (in_episode(r) && c->snd.una >= r->recover) {
        end(cold, ack);
        lost = r->records.lost_bytes > 0; /* R5681-13: sent since, and lost: another reduction */
    }
    if (lost && r->ca_state < SALUT_CA_RECOVERY) {
        begin(tcp, c, d, SLT_CC_LOSS, in->now_ns);
    } else if (marked) { /* RFC 3168 6.1.2 (R3168-04): once a round trip */
        begin(tcp, c, d, SLT_CC_ECN, in->now_ns);
        if (c->snd.una == c->snd.nxt) {
            end(cold, ack);
        }
    } else if (!in_episode(r)) {
        rest(r);
    }
}

/* Tell congestion control, and let proportional rate reduction set the window of an episode. */
static void set_window(struct slt_tcp_conn *c, const struct slt_delivery *d,
                       const struct slt_cc_ack *ack)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;

    if (d->delivered_bytes > 0 || ack->ece) {
        slt_cc_on_ack(&cold->cc, ack);
    }
    if (r->prr.flight_bytes > 0 && !slt_cc_owns_window(&cold->cc)) {
        int64_t window =
            slt_prr_on_ack(&r->prr, ack->flight_bytes, cold->cc.ssthresh_bytes, ack->mss, d);
        slt_cc_set_window(&cold->cc, window, ack->mss);
    }
}

static void set_timers(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    bool partial = r->ca_state == SALUT_CA_RECOVERY && !slt_tcp_has(c, SLT_CONN_SACK_OK);

    if (in->ack.advanced && partial && r->newreno.partial_seen) {
        slt_tcp_timers_on_partial_ack(tcp, c, in->now_ns); /* RFC 6582 3.2 step 4 */
    } else if (in->ack.advanced) {
        slt_tcp_timers_on_acked(tcp, c, c->snd.una == c->snd.nxt, in->now_ns);
        r->newreno.partial_seen = partial;
    }
    bool all = c->snd.una == c->snd.nxt;
    if (!all && (in->ack.advanced || r->ca_state != SALUT_CA_OPEN)) {
        slt_tlp_watch(tcp, c, in->now_ns);
    }
    if (all || r->ca_state != SALUT_CA_OPEN) {
        c->due &= (uint16_t)~SLT_DUE_TAIL_PROBE; /* its question is answered */
    }
}

static void describe_ack(struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                         const struct slt_tcp_in *in, const struct slt_delivery *d,
                         struct slt_cc_ack *ack)
{
    struct slt_tcp_cold *cold = c->cold;

    ack->now_ns = in->now_ns;
    ack->prior_flight_bytes = in->ack.flight_bytes;
    ack->flight_bytes = slt_tcp_flight(c, &cold->recovery);
    ack->una = c->snd.una;
    ack->nxt = c->snd.nxt;
    ack->acked_bytes = d->acked_bytes;
    ack->delivered_bytes = d->delivered_bytes;
    ack->lost_bytes = d->lost_bytes;
    ack->mss = slt_tcp_full_mss(tcp, c);
    ack->srtt_us = c->rtt.srtt8_us >> 3;
    ack->min_rtt_us = min_rtt_us(c);
    ack->ce_bytes = in->ack.ce_bytes;
    ack->ca_state = cold->recovery.ca_state;
    ack->cwnd_limited = slt_cc_is_limited(&cold->cc);
    ack->ece = in->ack.ece;
    ack->reordering = cold->recovery.rack.reordering_seen;
    if (slt_cc_owns_window(&cold->cc)) {
        slt_rate_sample(&cold->rate, ack->min_rtt_us, &ack->rate);
    } else {
        slt_rate_note(&cold->rate, ack->min_rtt_us);
    }
}

/* What the acknowledgement says of losses, and what follows from it. */
static void settle_losses(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in,
                          struct slt_delivery *d, struct slt_cc_ack *ack)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;
    uint8_t before = r->ca_state;

    if (slt_tlp_on_ack(&r->tlp, in, d) && !in_episode(r)) {
        struct slt_cc_loss loss = describe_loss(tcp, c, d, in->now_ns); /* R8985-11 */
        slt_cc_on_congestion(&cold->cc, &loss, SLT_CC_LOSS);
        slt_cc_on_recovered(&cold->cc, ack);
        cold->tally.recoveries++;
        slt_tcp_ecn_on_reduced(c);
    }
    judge(tcp, c, in, d);
    detect(tcp, c, in, d);
    move(tcp, c, in, d, ack);
    ack->flight_bytes = slt_tcp_flight(c, r);
    ack->lost_bytes = d->lost_bytes + r->timed_lost_bytes;
    r->timed_lost_bytes = 0;
    ack->delivered_bytes = d->delivered_bytes;
    /* The last acknowledgement of a reduction does not grow what it has just settled. */
    ack->ca_state = before >= SALUT_CA_CWR && before != SALUT_CA_LOSS ? before : r->ca_state;
}

/* The usual case: nothing was amiss, and all that was out is acknowledged. Then no record is left
 * that could be lost, nobody waits for evidence, and settle_losses would find nothing to do. */
static bool is_untroubled(const struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    const struct slt_tcp_recovery *r = &c->cold->recovery;

    return c->snd.una == c->snd.nxt && in->ack.advanced && r->ca_state == SALUT_CA_OPEN &&
           slt_tcp_has(c, SLT_CONN_SACK_OK) && !(in->seg->opt.present & SLT_TCP_OPT_SACK) &&
           !in->ack.ece && r->tlp.end == 0 && !r->undo.open && r->rack.dsack_round == 0;
}

/* Debug builds ask settle_losses all the same: true when it changed nothing but the reordering
 * timer, which set_timers stops in any case and which is put back here. */
bool slt_tcp_recovery_finds_nothing(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    struct slt_tcp_in *in, struct slt_delivery *d,
                                    struct slt_cc_ack *ack)
{
    struct {
        struct slt_tcp_cold cold;
        struct slt_tcp_conn conn;
        struct slt_cc_ack ack;
        struct slt_delivery d;
    } before;

    memcpy(&before.cold, c->cold, sizeof(before.cold));
    memcpy(&before.conn, c, sizeof(before.conn));
    memcpy(&before.ack, ack, sizeof(before.ack));
    memcpy(&before.d, d, sizeof(before.d));
    settle_losses(tcp, c, in, d, ack);
    slt_tcp_timers_on_reordering(c, before.cold.due_at_ns[SLT_TIMER_REORDER]);
    return memcmp(&before.cold, c->cold, sizeof(before.cold)) == 0 &&
           memcmp(&before.conn, c, sizeof(before.conn)) == 0 &&
           memcmp(&before.ack, ack, sizeof(before.ack)) == 0 &&
           memcmp(&before.d, d, sizeof(before.d)) == 0;
}

/* Act on the summary of an acceptable acknowledgement. */
void slt_tcp_recovery_on_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    struct slt_delivery d;
    struct slt_cc_ack ack;

    if (c->cold == NULL) {
        return;
    }
    hear(tcp, c, in);
    if (!in->ack.advanced && !in->ack.duplicate && !in->ack.ece &&
        !(in->seg->opt.present & SLT_TCP_OPT_SACK)) {
        return;
    }
    struct slt_tcp_cold *cold = c->cold;
    slt_scoreboard_take(tcp, c, in, &d);
    if (d.dsack) {
        note_duplicate(tcp, c, &d, in->now_ns);
    }
    ack.rtt_us = slt_tcp_rtt_on_delivery(tcp, c, in, d.timed_at_ns);
    cold->recovery.tlp.rtt_seen |= ack.rtt_us != 0;
    describe_ack(tcp, c, in, &d, &ack);
    if (!is_untroubled(c, in)) {
        settle_losses(tcp, c, in, &d, &ack);
    } else {
        SLT_DCHECK(slt_tcp_recovery_finds_nothing(tcp, c, in, &d, &ack));
    }
    cold->delivered += d.delivered_bytes;
    set_window(c, &d, &ack);
    set_timers(tcp, c, in);
}

/* ---- timers ---------------------------------------------------------------------------------- */

/* The reordering timer fired: what was given time has had it (RFC 8985 6.2 step 5). */
void slt_tcp_recovery_on_reorder_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                         int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;
    struct slt_delivery d = {.timed_at_ns = SLT_NEVER};

    slt_rack_detect(tcp, c, &d, now_ns);
    if (d.lost_bytes == 0) {
        return;
    }
    /* Congestion control looks at losses when an acknowledgement comes. */
    r->timed_lost_bytes += d.lost_bytes;
    if (r->ca_state < SALUT_CA_RECOVERY) {
        begin(tcp, c, &d, SLT_CC_LOSS, now_ns);
    }
    if (r->prr.flight_bytes > 0 && !slt_cc_owns_window(&cold->cc)) {
        uint32_t mss = slt_tcp_full_mss(tcp, c);
        int64_t window =
            slt_prr_on_ack(&r->prr, slt_tcp_flight(c, r), cold->cc.ssthresh_bytes, mss, &d);
        slt_cc_set_window(&cold->cc, window, mss);
    }
    slt_tlp_watch(tcp, c, now_ns);
}

/* The probe's time has come (RFC 8985 7.3); the retransmission timer starts anew behind it. */
void slt_tcp_recovery_on_tail_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    if (slt_tlp_on_timer(tcp, c, &c->cold->recovery)) {
        c->due |= SLT_DUE_TAIL_PROBE;
        slt_tcp_timers_on_timeout(tcp, c, now_ns); /* R8985-10 */
    }
}

/* The retransmission timer fired (RFC 6298 5.4; RFC 8985 6.3; RFC 6582 3.2 step 6). */
void slt_tcp_recovery_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_recovery *r = &cold->recovery;
    struct slt_delivery d = {.timed_at_ns = SLT_NEVER};
    bool fresh = r->ca_state < SALUT_CA_RECOVERY || c->snd.una >= r->recover;
    bool again = r->ca_state == SALUT_CA_LOSS && r->timeouts > 1;
    struct slt_cc_loss loss = describe_loss(tcp, c, &d, now_ns);

    loss.first = r->ca_state != SALUT_CA_LOSS || c->snd.una >= r->recover || r->timeouts <= 1;
    slt_cc_on_timeout(&cold->cc, &loss);
    slt_tcp_ecn_on_reduced(c);
    cold->tally.timeouts++;
    if (fresh) {
        slt_undo_begin(c, &r->undo);
    }
    slt_undo_frto_end(&r->undo);
    if (tcp->config->frto && (fresh || again)) { /* R5682-01 */
        slt_undo_frto_begin(&r->undo);
    }
    slt_prr_end(&r->prr);
    slt_newreno_forget(&r->newreno);
    if (slt_scoreboard_reneged(tcp, c)) { /* R2018-07: the left edge goes again in any case */
        slt_records_renege(tcp, &r->records);
    }
    slt_rack_on_timeout(tcp, c, now_ns);
    r->recover = c->snd.nxt;
    r->ca_state = SALUT_CA_LOSS;
    r->rtx_why = SLT_SEND_RETRANSMIT_RTO;
    r->forced = 1;
    r->tlp.end = 0;
    slt_tlp_watch(tcp, c, now_ns);
    slt_tcp_timers_on_reordering(c, SLT_NEVER);
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

/* Nothing is out: the data of a SYN that was refused count as never sent, and in TIME-WAIT all is
 * acknowledged for good. */
void slt_tcp_recovery_none_out(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    uint8_t syn_timeouts = r->syn_timeouts;

    slt_records_clear(tcp, &r->records);
    slt_tcp_recovery_init(r, c->snd.una);
    r->syn_timeouts = syn_timeouts;
    c->due &= (uint16_t)~SLT_DUE_TAIL_PROBE;
}

/* The window reopened. Octets beyond `old_right`, the edge before, were probes or sent before the
 * window shrank, and may never have been taken. */
void slt_tcp_recovery_reopened(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t old_right)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    int64_t from = slt_max64(old_right, c->snd.una);

    r->probe_backoff = 0;
    if (from < c->snd.nxt && !in_episode(r)) {
        slt_lost_mark_range(tcp, c, from, c->snd.nxt);
        r->rtx_why = SLT_SEND_RETRANSMIT_WINDOW;
    }
}

/* ---- transmission ---------------------------------------------------------------------------- */

static void stamp(struct slt_tcp_conn *c, struct slt_record *record, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;

    slt_rate_on_sent(&cold->rate, &record->stamp, slt_tcp_flight(c, &cold->recovery), record->bytes,
                     now_ns);
    record->order = cold->recovery.order;
}

/* New octets [start, SND.NXT) left as `segs` segments. */
void slt_tcp_recovery_on_new(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start,
                             uint32_t segs, int64_t now_ns)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    struct slt_record *record = slt_records_add(tcp, &r->records, start, c->snd.nxt, segs);

    r->order++;
    if (record) {
        stamp(c, record, now_ns);
    }
    slt_prr_on_sent(&r->prr, (uint32_t)(c->snd.nxt - start));
}

/* Resend what of the record at `index` lies in [start, end); returns where to go on. */
static uint32_t resend_record(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint32_t index,
                              int64_t start, int64_t end)
{
    struct slt_records *rs = &c->cold->recovery.records;
    struct slt_record *record = slt_record_at(tcp, index);

    if (record->fate == SLT_RECORD_SACKED) {
        return record->next;
    }
    if (record->start < start) {
        bool cut = slt_records_cut(tcp, rs, index, start);
        return cut || slt_record_end(record) <= end ? record->next : SLT_NIL;
    }
    if (slt_record_end(record) > end && !slt_records_cut(tcp, rs, index, end)) {
        if (record->fate == SLT_RECORD_LOST) { /* in flight, without a record from here on */
            slt_records_drop(tcp, rs, index, (uint32_t)(end - record->start));
        }
        return SLT_NIL;
    }
    uint32_t next = record->next;
    slt_records_resend(tcp, rs, index);
    return next;
}

/* Octets [start, end) left again; `after` is where `end` lies in the send queue. */
void slt_tcp_recovery_on_resent(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                const struct slt_tcp_plan *plan, int64_t end, int64_t now_ns)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;
    uint32_t index = slt_records_find(tcp, &r->records, plan->pos);

    r->order++;
    while (index != SLT_NIL && slt_record_at(tcp, index)->start < end) {
        index = resend_record(tcp, c, index, plan->pos, end);
    }
    for (uint32_t i = r->records.flight.tail; i != SLT_NIL; i = slt_record_at(tcp, i)->list_prev) {
        struct slt_record *record = slt_record_at(tcp, i);
        if (record->start < plan->pos || slt_record_end(record) > end ||
            !(record->flags & SLT_RECORD_RETRANSMITTED)) {
            break; /* what was just resent stands last in transmission order */
        }
        stamp(c, record, now_ns);
    }
    r->forced = 0;
    r->rtx_near = plan->after;
    r->rtx_near_pos = plan->pos + plan->bytes;
    slt_prr_on_sent(&r->prr, (uint32_t)(end - plan->pos));
    slt_undo_on_resent(c, &r->undo, end, (uint32_t)(end - plan->pos), now_ns);
}

/* Octets left, and the timers that watch them run. */
void slt_tcp_recovery_on_left(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                              const struct slt_tcp_plan *plan, int64_t now_ns)
{
    struct slt_tcp_recovery *r = &c->cold->recovery;

    if (plan->spent & SLT_DUE_TAIL_PROBE) {
        slt_tlp_on_sent(c, &r->tlp, plan->retransmit != 0);
    }
    if (!plan->retransmit || (plan->spent & SLT_DUE_TAIL_PROBE)) {
        slt_tlp_watch(tcp, c, now_ns);
    } else if (plan->pos <= c->snd.una && r->ca_state == SALUT_CA_RECOVERY) {
        slt_tcp_timers_on_head_resent(tcp, c, now_ns); /* R6675-09 */
    }
}

/* How many octets congestion control lets go now (R5681-01, R6675-03). */
bool slt_tcp_recovery_room(const struct slt_tcp_conn *c, uint32_t *left_bytes)
{
    const struct slt_tcp_cold *cold = c->cold;
    int64_t left = (int64_t)cold->cc.cwnd_bytes - slt_tcp_flight(c, &cold->recovery);

    *left_bytes = (uint32_t)slt_max64(left, 0);
    return left > 0;
}
