/* Invariants of the wire: every packet a host emits is read by the independent decoder and held
 * against what that host has sent and was given before (I-10 to I-13, I-15, I-21, I-22, I-26,
 * I-28, I-29, I-37, I-51).
 *
 * A flow is one direction of one incarnation of a connection. What the peer negotiated is looked
 * up among the SYNs that reached the host, by the number the host acknowledges.
 */
#include "lab/sim_world.h"

#include <string.h>

#include "tcp/engine.h"

/* ---- flows
 * --------------------------------------------------------------------------------------- */

static struct sim_flow *find_flow(struct sim_world *w, const struct sim_host *h, uint16_t local,
                                  uint16_t remote, const uint8_t peer[16])
{
    uint8_t number = SIM_NOBODY;
    for (uint8_t i = 0; i < w->host_count; i++) {
        if (memcmp(w->host[i].addr[0].b, peer, 16) == 0 ||
            memcmp(w->host[i].addr[1].b, peer, 16) == 0) {
            number = i;
        }
    }
    for (int i = 0; i < SIM_FLOWS_MAX; i++) {
        struct sim_flow *f = &w->flow[i];
        if (f->used && f->host == h->number && f->local_port == local && f->remote_port == remote &&
            f->peer == number) {
            return f;
        }
    }
    return NULL;
}

static struct sim_flow *new_flow(struct sim_world *w, const struct sim_host *h,
                                 const struct sim_decoded *d, struct sim_flow *f)
{
    for (int i = 0; f == NULL && i < SIM_FLOWS_MAX; i++) {
        f = w->flow[i].used ? NULL : &w->flow[i];
    }
    if (f == NULL) {
        f = &w->flow[0];
        for (int i = 1; i < SIM_FLOWS_MAX; i++) {
            f = w->flow[i].stamp < f->stamp ? &w->flow[i] : f;
        }
    }
    *f = (struct sim_flow){.used = true,
                           .host = h->number,
                           .peer = d->dst_host,
                           .family = d->family,
                           .local_port = d->src_port,
                           .remote_port = d->dst_port,
                           .isn = d->seq,
                           .syn_sent = true,
                           .nxt = 1,
                           .fin_pos = -1,
                           .edge_out = -1,
                           .ack_out = -1,
                           .edge_in = 1,
                           .wscale_out = d->has_wscale ? d->wscale : (int16_t)-1,
                           .wscale_in = -1,
                           .ts_out = (int8_t)d->has_ts,
                           .ts_in = -1,
                           .sack_out = (int8_t)d->has_sack_ok,
                           .sack_in = -1,
                           .end = SLT_NIL,
                           .stamp = ++w->flow_stamp};
    return f;
}

void slt_sim_flows_forget(struct sim_world *w, uint8_t host)
{
    for (int i = 0; i < SIM_FLOWS_MAX; i++) {
        if (w->flow[i].host == host) {
            w->flow[i].used = false;
        }
    }
}

/* What the connection sends; NULL when the wire has not seen it. */
struct sim_flow *slt_sim_flow_of(struct sim_world *w, const struct sim_host *h,
                                 const struct slt_tcp_conn *c)
{
    struct sim_flow *f = find_flow(w, h, c->id.local_port, c->id.remote_port, c->id.remote);
    return f && f->isn == c->snd.isn ? f : NULL;
}

/* Octets of [from, to) were sent more than once, as far as is remembered. */
bool slt_sim_sent_twice(struct sim_world *w, const struct sim_host *h, const struct slt_tcp_conn *c,
                        int64_t from, int64_t to)
{
    const struct sim_flow *f = slt_sim_flow_of(w, h, c);
    for (uint32_t i = 0; f && i < slt_min32(f->again_count, SLT_ARRAY_COUNT(f->again)); i++) {
        if (f->again[i].start < to && from < f->again[i].end) {
            return true;
        }
    }
    return false;
}

static void note_again(struct sim_flow *f, int64_t start, int64_t end)
{
    const uint32_t room = SLT_ARRAY_COUNT(f->again);
    uint32_t last = (f->again_count + room - 1) % room;
    if (f->again_count > 0 && f->again[last].end == start) {
        f->again[last].end = end;
        return;
    }
    f->again[f->again_count % room].start = start;
    f->again[f->again_count % room].end = end;
    f->again_count = f->again_count + 1 < 2 * room ? f->again_count + 1 : room;
}

/* A connection is over: no segment of its numbers may follow. */
void slt_sim_flow_over(struct sim_world *w, const struct sim_host *h, const struct slt_tcp_conn *c)
{
    struct sim_flow *f = slt_sim_flow_of(w, h, c);
    if (f) {
        f->finished = true;
    }
}

/* The number of the first segment that is still remembered. */
static uint64_t oldest_heard(const struct sim_host *h)
{
    return h->heard_count > SIM_HEARD_MAX ? h->heard_count - SIM_HEARD_MAX : 0;
}

static const struct sim_heard *heard_syn(const struct sim_host *h, const struct sim_flow *f,
                                         uint32_t irs)
{
    uint64_t from = oldest_heard(h);
    for (uint64_t i = h->heard_count; i-- > from;) {
        const struct sim_heard *heard = &h->heard[i % SIM_HEARD_MAX];
        /* A fast open acknowledges data of the SYN as well. */
        bool covers = irs - heard->seq < slt_max32(h->config.fast_open != 0 ? heard->len : 0, 1);
        if ((heard->flags & SLT_TCP_SYN) && covers && heard->local_port == f->local_port &&
            heard->remote_port == f->remote_port) {
            return heard;
        }
    }
    return NULL;
}

static void take_peer(struct sim_flow *f, const struct sim_heard *syn)
{
    f->peer_known = true;
    f->irs = syn->seq;
    f->wscale_in = syn->wscale;
    f->ts_in = syn->has_ts;
    f->sack_in = syn->has_sack_ok;
    uint32_t acked = (syn->flags & SLT_TCP_ACK) ? syn->ack - f->isn : 1; /* with data: fast open */
    f->edge_in = slt_max64(f->edge_in, acked + (int64_t)syn->window);
}

static void learn_peer(const struct sim_host *h, struct sim_flow *f, uint32_t irs)
{
    if (f->peer_known && f->irs == irs) {
        return;
    }
    const struct sim_heard *syn = heard_syn(h, f, irs);
    if (syn) {
        take_peer(f, syn);
    } else {
        f->peer_known = false;
        f->ts_in = f->sack_in = -1;
    }
}

static unsigned scale_in(const struct sim_flow *f)
{
    return f->wscale_in >= 0 && f->wscale_out >= 0 ? (unsigned)f->wscale_in : 0;
}

static unsigned scale_out(const struct sim_flow *f)
{
    return f->wscale_in >= 0 && f->wscale_out >= 0 ? (unsigned)f->wscale_out : 0;
}

/* ---- what arrives
 * -------------------------------------------------------------------------------- */

void slt_sim_learn_heard(struct sim_world *w, struct sim_host *h, const struct sim_decoded *d)
{
    if (d->kind != SIM_TCP || d->bad != NULL) {
        return;
    }
    struct sim_heard *heard = &h->heard[h->heard_count++ % SIM_HEARD_MAX];
    *heard = (struct sim_heard){.local_port = d->dst_port,
                                .remote_port = d->src_port,
                                .flags = d->flags,
                                .seq = d->seq,
                                .ack = d->ack,
                                .len = slt_sim_seg_len(d),
                                .turn = w->turn,
                                .bytes = d->ip_bytes,
                                .window = d->window,
                                .wscale = d->has_wscale ? d->wscale : (int16_t)-1,
                                .has_ts = (int8_t)d->has_ts,
                                .has_sack_ok = (int8_t)d->has_sack_ok};
    memcpy(heard->remote, d->src, 16);
    struct sim_flow *f = find_flow(w, h, d->dst_port, d->src_port, d->src);
    if (!f) {
        return;
    }
    if (d->flags & SLT_TCP_SYN) {
        bool ours = !(d->flags & SLT_TCP_ACK) || d->ack == f->isn + 1;
        if (!f->peer_known && ours) {
            take_peer(f, heard);
        }
    }
    int64_t ack = slt_tcp_unwrap(f->nxt, f->isn, d->ack);
    if ((d->flags & SLT_TCP_ACK) && ack > 0 && ack <= f->nxt) {
        unsigned shift = (d->flags & SLT_TCP_SYN) ? 0 : scale_in(f);
        f->edge_in = slt_max64(f->edge_in, ack + ((int64_t)d->window << shift));
        f->ack_in = slt_max64(f->ack_in, ack);
    }
}

/* ---- resets without a connection (I-26)
 * ---------------------------------------------------------- */

/* RFC 9293 3.5.2: what asked for this reset? */
static bool reset_fits(const struct sim_heard *s, const struct sim_decoded *d)
{
    if (s->local_port != d->src_port || s->remote_port != d->dst_port ||
        memcmp(s->remote, d->dst, 16) != 0 || (s->flags & SLT_TCP_RST)) {
        return false;
    }
    if (s->flags & SLT_TCP_ACK) {
        return d->seq == s->ack && !(d->flags & SLT_TCP_ACK);
    }
    return d->seq == 0 && (d->flags & SLT_TCP_ACK) && d->ack == s->seq + s->len;
}

static bool check_reset(struct sim_world *w, const struct sim_host *h, const struct sim_decoded *d,
                        enum slt_reason why)
{
    slt_sim_checked(w, 26);
    if (d->dst_group || d->dst[15] == 0) {
        return slt_sim_fail(w, 26, "a reset was sent to a group or to nobody");
    }
    /* Ends of half-open entries speak for themselves: they have numbers of their own. */
    if (why == SLT_SEND_RST_TIMEOUT || (why == SLT_SEND_RST_LISTENER && (d->flags & SLT_TCP_ACK))) {
        return true;
    }
    uint64_t from = oldest_heard(h);
    for (uint64_t i = h->heard_count; i-- > from;) {
        if (reset_fits(&h->heard[i % SIM_HEARD_MAX], d)) {
            return true;
        }
    }
    if (d->dst_host == SIM_NOBODY && h->odd) {
        return true; /* an attacker was heard whom the decoder did not understand */
    }
    return slt_sim_fail(w, 26, "a reset (seq %u ack %u) answers no segment that was received",
                        d->seq, d->ack);
}

/* ---- half-open (I-51)
 * ---------------------------------------------------------------------------- */

static bool check_syn_ack(struct sim_world *w, const struct sim_host *h, const struct sim_flow *f,
                          const struct sim_decoded *d)
{
    const struct sim_heard *syn = heard_syn(h, f, d->ack - 1);
    slt_sim_checked(w, 51);
    if (syn && d->ip_bytes > 3 * syn->bytes) {
        return slt_sim_fail(w, 51, "a SYN of %u bytes is answered by %u", syn->bytes, d->ip_bytes);
    }
    if (!syn && h->heard_count < SIM_HEARD_MAX && !(f->peer == SIM_NOBODY && h->odd)) {
        return slt_sim_fail(w, 51, "a SYN,ACK answers no SYN that was received");
    }
    return true;
}

/* ---- segments of connections
 * --------------------------------------------------------------------- */

/* I-21: what each state may say. */
static bool check_language(struct sim_world *w, const struct sim_decoded *d,
                           const struct slt_tcp_conn *c)
{
    uint16_t f = d->flags;
    bool syn = (f & SLT_TCP_SYN) != 0;
    bool rst = (f & SLT_TCP_RST) != 0;
    bool text = d->payload_bytes > 0 || (f & SLT_TCP_FIN);
    bool fine = true;
    slt_sim_checked(w, 21);
    switch ((enum salut_state)c->state) {
    case SALUT_STATE_CLOSED:
        fine = rst;
        break;
    case SALUT_STATE_LISTEN:
        fine = false;
        break;
    case SALUT_STATE_SYN_SENT:
        fine = rst || (syn && !(f & (SLT_TCP_ACK | SLT_TCP_FIN)) && (!text || w->is.fast_open));
        break;
    case SALUT_STATE_SYN_RECEIVED:
        fine = rst || !text || (slt_tcp_has(c, SLT_CONN_FAST_OPEN) && !syn); /* RFC 7413 */
        break;
    case SALUT_STATE_ESTABLISHED:
    case SALUT_STATE_CLOSE_WAIT:
        fine = !syn && !(f & SLT_TCP_FIN);
        break;
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_TIME_WAIT:
        fine = !syn && !text;
        break;
    case SALUT_STATE_FIN_WAIT_1:
        fine = !syn || c->snd.una == 0; /* closed in SYN-RECEIVED */
        break;
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
    case SALUT_STATE_COUNT:
        fine = !syn;
        break;
    }
    if (!fine) {
        return slt_sim_fail(w, 21, "%s sent flags %#x with %u bytes",
                            salut_state_name((enum salut_state)c->state), f, d->payload_bytes);
    }
    return true;
}

static bool check_options(struct sim_world *w, const struct sim_flow *f,
                          const struct sim_decoded *d)
{
    bool syn = (d->flags & SLT_TCP_SYN) != 0;
    bool rst = (d->flags & SLT_TCP_RST) != 0;
    if (!syn && (d->has_mss || d->has_wscale || d->has_sack_ok)) {
        return slt_sim_fail(w, 28, "an option of a SYN stands on another segment");
    }
    if (syn && d->sack_count) {
        return slt_sim_fail(w, 28, "SACK blocks on a SYN");
    }
    if (!f || syn || f->ts_in < 0) {
        return true;
    }
    bool ts = f->ts_in == 1 && f->ts_out == 1;
    if (d->has_ts != ts && !(rst && !d->has_ts)) {
        return slt_sim_fail(w, 28, "a segment has %s, but timestamps were%s negotiated",
                            d->has_ts ? "a timestamp" : "no timestamp", ts ? "" : " not");
    }
    if (d->sack_count > 0 && !(f->sack_in == 1 && f->sack_out == 1)) {
        return slt_sim_fail(w, 28, "SACK blocks that were not negotiated");
    }
    return true;
}

/* I-15: a block is held out of order, or is the report of a duplicate. */
static bool check_sack(struct sim_world *w, const struct sim_host *h, const struct sim_decoded *d,
                       const struct slt_tcp_conn *c)
{
    const struct slt_tcp *tcp = &h->stack->tcp;
    for (unsigned i = 0; i < d->sack_count; i++) {
        int64_t left = slt_tcp_unwrap(c->rcv.nxt, c->rcv.isn, d->sack[i][0]);
        int64_t right = slt_tcp_unwrap(c->rcv.nxt, c->rcv.isn, d->sack[i][1]);
        bool fine = left < right && i == 0 && right <= c->rcv.nxt;
        if (slt_tcp_holds_fin(c) && right == slt_pos_expand(c->rcv.nxt, c->rcv.fin_low) + 1) {
            right--; /* the FIN's own number */
            fine = fine || left == right;
        }
        slt_sim_checked(w, 15);
        if (c->cold != NULL && left < right) {
            const struct slt_ranges *runs = &c->cold->held.runs;
            uint32_t at = slt_ranges_floor(runs, &tcp->ranges, left);
            const struct slt_range *run = at == SLT_NIL ? NULL : slt_pool_at(&tcp->ranges, at);
            fine = fine || (run && run->end >= right);
        }
        if (!fine) {
            return slt_sim_fail(w, 15, "a SACK block [%lld, %lld) with RCV.NXT %lld is not held",
                                (long long)left, (long long)right, (long long)c->rcv.nxt);
        }
    }
    return true;
}

/* I-05, I-11, I-29: the bytes are those that the application wrote at this position. */
static bool check_payload(struct sim_world *w, struct sim_flow *f, const struct sim_decoded *d,
                          const uint8_t *data, int64_t pos)
{
    if (f->end == SLT_NIL || w->end[f->end].killed) {
        f->end = slt_sim_end_by_isn(w, f);
    }
    if (d->payload_bytes == 0) {
        return true;
    }
    slt_sim_checked(w, 11);
    slt_sim_checked(w, 29);
    if (f->end == SLT_NIL) {
        return slt_sim_fail(w, 29, "payload on a connection that nobody wrote to");
    }
    const struct sim_end *e = &w->end[f->end];
    if (pos < 1 || (uint64_t)(pos - 1) + d->payload_bytes > e->written) {
        return slt_sim_fail(w, 29, "payload [%lld, +%u) was never written (%llu were)",
                            (long long)pos, d->payload_bytes, (unsigned long long)e->written);
    }
    if (!slt_sim_pattern_matches(e->key, (uint64_t)(pos - 1), data + d->payload_at,
                                 d->payload_bytes)) {
        return slt_sim_fail(w, 11, "payload at %lld is not what the application wrote there",
                            (long long)pos);
    }
    return true;
}

/* I-22: the FIN has one place, behind everything written. */
static bool check_fin(struct sim_world *w, struct sim_flow *f, const struct sim_decoded *d,
                      int64_t pos)
{
    int64_t end = pos + d->payload_bytes;
    if (f->fin_pos >= 0 && d->payload_bytes > 0 && end > f->fin_pos) {
        return slt_sim_fail(w, 22, "data up to %lld behind the FIN at %lld", (long long)end,
                            (long long)f->fin_pos);
    }
    if (!(d->flags & SLT_TCP_FIN)) {
        return true;
    }
    slt_sim_checked(w, 22);
    if (f->fin_pos >= 0 && end != f->fin_pos) {
        return slt_sim_fail(w, 22, "the FIN moved from %lld to %lld", (long long)f->fin_pos,
                            (long long)end);
    }
    if (end < f->nxt && f->fin_pos < 0) {
        return slt_sim_fail(w, 22, "a FIN at %lld, but data was sent up to %lld", (long long)end,
                            (long long)f->nxt);
    }
    if (f->end != SLT_NIL && (uint64_t)(end - 1) != w->end[f->end].written) {
        return slt_sim_fail(w, 22, "a FIN at %lld, but %llu bytes were written", (long long)end,
                            (unsigned long long)w->end[f->end].written);
    }
    f->fin_pos = end;
    return true;
}

/* I-10, I-11: where the segment lies. */
static bool check_position(struct sim_world *w, struct sim_flow *f, const struct sim_decoded *d,
                           const struct slt_tcp_conn *c, int64_t pos)
{
    uint32_t len = d->payload_bytes + ((d->flags & SLT_TCP_FIN) ? 1U : 0);
    int64_t una = c ? c->snd.una : 0;
    slt_sim_checked(w, 10);
    if (c) {
        f->nxt = slt_max64(f->nxt, c->snd.nxt); /* without a neighbour octets count as sent */
    }
    if (pos > f->nxt || pos < una - 1) {
        return slt_sim_fail(w, 11, "SEQ %lld lies outside [SND.UNA - 1, SND.NXT] = [%lld, %lld]",
                            (long long)pos, (long long)una - 1, (long long)f->nxt);
    }
    int64_t end = pos + len;
    if (len > 1 && end > f->edge_in) {
        return slt_sim_fail(w, 10, "octets up to %lld, but the peer's window ended at %lld",
                            (long long)end, (long long)f->edge_in);
    }
    if (len == 1 && end > slt_max64(f->edge_in, 1) + 1) {
        return slt_sim_fail(w, 10, "a probe up to %lld, but the window ended at %lld",
                            (long long)end, (long long)f->edge_in);
    }
    if (len > 0 && end <= f->nxt && pos < f->nxt) {
        note_again(f, pos, end);
    }
    f->nxt = slt_max64(f->nxt, end);
    return true;
}

/* I-12, I-13: what the segment says about receiving. */
static bool check_acknowledges(struct sim_world *w, struct sim_flow *f, const struct sim_decoded *d,
                               const struct slt_tcp_conn *c)
{
    if (!(d->flags & SLT_TCP_ACK) || (d->flags & SLT_TCP_RST) || !f->peer_known) {
        return true;
    }
    slt_sim_checked(w, 12);
    slt_sim_checked(w, 13);
    int64_t near = c ? c->rcv.nxt : slt_max64(f->ack_out, 0);
    int64_t ack = slt_tcp_unwrap(near, f->irs, d->ack);
    if (c && ack != c->rcv.nxt) {
        return slt_sim_fail(w, 13, "ACK %lld, but RCV.NXT is %lld", (long long)ack,
                            (long long)c->rcv.nxt);
    }
    if (ack < f->ack_out) {
        return slt_sim_fail(w, 13, "ACK moved back from %lld to %lld", (long long)f->ack_out,
                            (long long)ack);
    }
    f->ack_out = ack;
    if (!c && !(d->flags & SLT_TCP_SYN)) {
        return true; /* behind the FIN the field says nothing */
    }
    unsigned shift = (d->flags & SLT_TCP_SYN) ? 0 : scale_out(f);
    int64_t edge = ack + ((int64_t)d->window << shift);
    if ((d->flags & SLT_TCP_SYN) && f->edge_out >= 0) {
        return true; /* sent again: 16 bits without scale cannot say more */
    }
    if (edge < f->edge_out) {
        return slt_sim_fail(w, 12, "the window's right edge moved left, from %lld to %lld",
                            (long long)f->edge_out, (long long)edge);
    }
    f->edge_out = edge;
    return true;
}

/* Did a segment with octets come for the flow of late? Those are always answered; many segments of
 * other flows may have come in the same turn. */
static bool heard_octets(const struct sim_host *h, const struct sim_flow *f)
{
    uint64_t late = h->heard_count > 16 ? h->heard_count - 16 : 0;
    uint64_t from = h->heard_answered < late ? h->heard_answered : late;
    from = from > oldest_heard(h) ? from : oldest_heard(h);
    for (uint64_t i = h->heard_count; i-- > from;) {
        const struct sim_heard *heard = &h->heard[i % SIM_HEARD_MAX];
        if (heard->local_port == f->local_port && heard->remote_port == f->remote_port &&
            heard->len > 0) {
            return true;
        }
    }
    return false;
}

/* I-37: answers to what may be an attacker's are few. */
static bool check_rate(struct sim_world *w, struct sim_flow *f, const struct sim_host *h,
                       enum slt_reason why)
{
    if (why != SLT_SEND_CHALLENGE && (why != SLT_SEND_ACK_INVALID || heard_octets(h, f))) {
        return true;
    }
    int64_t now_ns = slt_sim_local(w, h);
    uint32_t at = f->answer_count++ % 4;
    slt_sim_checked(w, 37);
    if (f->answer_count > 4 && now_ns - f->answer_at_ns[at] < SIM_S(1)) {
        return slt_sim_fail(w, 37, "five answers to invalid segments within a second");
    }
    f->answer_at_ns[at] = now_ns;
    return true;
}

static struct sim_flow *flow_of(struct sim_world *w, struct sim_host *h,
                                const struct sim_decoded *d, const struct slt_tcp_conn *c)
{
    struct sim_flow *f = find_flow(w, h, d->src_port, d->dst_port, d->dst);
    /* A cookie for a SYN that comes again is the same number. */
    bool anew = f && !c && (f->nxt > 1 || f->ack_out > 1 || f->finished);
    if ((d->flags & SLT_TCP_SYN) && (!f || f->isn != d->seq || anew)) {
        f = new_flow(w, h, d, f);
    }
    if (f && c && f->isn != c->snd.isn) {
        f = NULL; /* a reset of an incarnation that another has followed */
    }
    if (f) {
        f->stamp = ++w->flow_stamp;
        f->ts_last = d->has_ts ? d->ts_val : f->ts_last;
        if (c && c->state >= SALUT_STATE_SYN_RECEIVED && (d->flags & SLT_TCP_ACK)) {
            learn_peer(h, f, c->rcv.isn);
        } else if ((d->flags & SLT_TCP_SYN) && (d->flags & SLT_TCP_ACK)) {
            learn_peer(h, f, d->ack - 1);
        }
    }
    return f;
}

static bool check_segment(struct sim_world *w, struct sim_host *h, const struct sim_decoded *d,
                          const uint8_t *data, const struct slt_tx_record *record)
{
    bool of_conn = record->kind == SLT_TX_CONN;
    const struct slt_tcp_conn *c = of_conn ? slt_tcp_conn_at(&h->stack->tcp, record->index) : NULL;
    enum slt_reason why = of_conn ? (enum slt_reason)record->of.plan.why
                                  : slt_reply_at(h->stack, record->index)->of.tcp.why;
    struct sim_flow *f = flow_of(w, h, d, c);
    if (!c && (d->flags & SLT_TCP_RST)) {
        return check_reset(w, h, d, why);
    }
    if ((c && !check_language(w, d, c)) || !check_options(w, f, d)) {
        return false;
    }
    if (c && d->payload_bytes > 0 && d->ip_bytes > c->snd.pmtu && why != SLT_SEND_MTU_PROBE) {
        return slt_sim_fail(w, 28, "a packet of %u bytes on a path for %u", d->ip_bytes,
                            c->snd.pmtu);
    }
    if (!f) {
        return true;
    }
    if (f->finished && h->config.syn_cookies != SALUT_COOKIES_NEVER) {
        f->finished = false; /* the same cookie may have made it anew: see accepted_before */
        f->end = SLT_NIL;
        f->nxt = 1;
        f->fin_pos = f->edge_out = f->ack_out = -1;
    }
    if (f->finished && !(d->flags & SLT_TCP_RST)) {
        return slt_sim_fail(w, 21, "a segment of a connection that is over");
    }
    f->finished = f->finished || (c && (d->flags & SLT_TCP_RST));
    if (d->flags & SLT_TCP_SYN) {
        return (!(d->flags & SLT_TCP_ACK) || c || check_syn_ack(w, h, f, d)) &&
               check_acknowledges(w, f, d, c);
    }
    int64_t pos = slt_tcp_unwrap(f->nxt, f->isn, d->seq);
    if (d->flags & SLT_TCP_RST) {
        return true;
    }
    return check_payload(w, f, d, data, pos) && check_fin(w, f, d, pos) &&
           check_position(w, f, d, c, pos) && check_acknowledges(w, f, d, c) &&
           (!c || check_sack(w, h, d, c)) && check_rate(w, f, h, why);
}

bool slt_sim_check_sent(struct sim_world *w, struct sim_host *h, const uint8_t *data,
                        uint32_t bytes, const struct slt_tx_record *record)
{
    struct sim_decoded d;
    slt_sim_decode(w, data, bytes, &d);
    slt_sim_checked(w, 28);
    if (d.bad) {
        return slt_sim_fail(w, 28, "an emitted packet has %s", d.bad);
    }
    if (d.ip_bytes > h->config.mtu) {
        return slt_sim_fail(w, 28, "a packet of %u bytes on a link for %u", d.ip_bytes,
                            h->config.mtu);
    }
    if (d.kind != SIM_ARP && d.kind != SIM_ND && d.src_host != h->number) {
        return slt_sim_fail(w, 28, "a packet from an address that is not the host's");
    }
    return d.kind != SIM_TCP || check_segment(w, h, &d, data, record);
}
