/* Explicit congestion notification (RFC 3168; RFC 9293 3.8.3, SHLD-8), both roles, and where
 * accecn.c (RFC 9768) comes in.
 *
 * The handshake agrees on one of three modes, which never changes afterwards (R9768-05): none,
 * RFC 3168, AccECN. A SYN asks with ECE and CWR (AccECN: AE too), a SYN,ACK agrees with ECE alone
 * (AccECN: with the encoding of the SYN's code point). As some paths drop such a SYN, the SYN that
 * is sent again asks for less and in the end for nothing (R3168-03, R9768-04). A SYN,ACK of RFC
 * 3168 that comes after that is not believed: who has sent one SYN without must send no ECT
 * (6.1.1). One of AccECN is, as it says that the server is in that mode (R9768-05); and it is the
 * server who sends no ECT once a SYN or a SYN,ACK went without (RFC 9768 3.1.5).
 *
 * As receiver: a CE mark on data is echoed as ECE on every segment until the sender says CWR. As
 * sender: ECE means one reduction of the window in each round trip (recovery.c), and the next new
 * data says CWR, once, in a segment of its own so that a link that cuts super-frames cannot repeat
 * it. Only new data is sent as ECT(0) (6.1.4 to 6.1.6): not SYNs, pure acknowledgements, what is
 * sent again, and window probes.
 */
#include "tcp/engine.h"

#include "wire/ipv4.h"

static bool speaks(const struct slt_tcp_conn *c, unsigned bits)
{
    return (c->ecn & bits) != 0;
}

static void set_bits(struct slt_tcp_conn *c, unsigned bits)
{
    c->ecn = (uint8_t)(c->ecn | bits);
}

static void clear_bits(struct slt_tcp_conn *c, unsigned bits)
{
    c->ecn = (uint8_t)(c->ecn & ~bits);
}

/* The path or the peer changes the bits: feedback goes on both ways, but nothing of ours is ECT. */
static void mute(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    set_bits(c, SLT_ECN_MUTE);
    slt_count(tcp->telemetry, SLT_NOTE_TCP_ECN_MANGLED);
}

/* ---- the handshake, active ------------------------------------------------------------------ */

/* An active open: what its first SYN asks for. */
void slt_tcp_ecn_open(const struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_tcp_opening *o = &c->cold->opening;

    if (tcp->config->ecn == SALUT_ECN_ACCURATE) {
        o->ecn_asked = SLT_ECN_ASK_ACCURATE;
    } else if (tcp->config->ecn == SALUT_ECN_REQUEST) {
        o->ecn_asked = SLT_ECN_ASK_CLASSIC;
    }
    o->ecn_said = o->ecn_asked;
}

/* The SYN goes out again: RFC 3168 6.1.1.1 (R3168-03) asks no more, RFC 9768 3.1.4.1 (R9768-04)
 * asks once more. */
void slt_tcp_ecn_on_syn_again(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    struct slt_tcp_cold *cold = c->cold;
    struct slt_tcp_opening *o = &cold->opening;
    bool last_chance = o->ecn_asked == SLT_ECN_ASK_ACCURATE && cold->recovery.syn_timeouts <= 1;

    if (!tcp->config->ecn_fallback || o->ecn_said == SLT_ECN_ASK_NOT || last_chance) {
        return;
    }
    o->ecn_said = SLT_ECN_ASK_NOT;
    slt_count(tcp->telemetry, SLT_NOTE_TCP_ECN_FALLBACK);
}

/* ECE, CWR and AE of our SYN, or of the SYN,ACK of a full connection. */
uint16_t slt_tcp_ecn_syn_flags(const struct slt_tcp_conn *c, bool ack)
{
    const struct slt_tcp_opening *o = &c->cold->opening;

    if (ack) {
        if (speaks(c, SLT_ECN_ACCURATE)) { /* R9768-01 */
            return slt_accecn_to_flags(slt_accecn_tell(o->ecn_arrived));
        }
        return speaks(c, SLT_ECN_OK) ? SLT_TCP_ECE : 0; /* R3168-01 */
    }
    if (o->ecn_said == SLT_ECN_ASK_ACCURATE) {
        return SLT_TCP_AE | SLT_TCP_CWR | SLT_TCP_ECE;
    }
    return o->ecn_said == SLT_ECN_ASK_CLASSIC ? SLT_TCP_CWR | SLT_TCP_ECE : 0;
}

static void start_accurate(struct slt_tcp_conn *c)
{
    slt_accecn_start(&c->cold->accecn);
    c->cold->accecn.flags |= SLT_ACCECN_FIRST;
    set_bits(c, SLT_ECN_ACCURATE);
}

/* The answer to a SYN that asked for AccECN (table 2; R9768-02, R9768-03). */
static void take_accurate_answer(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                 const struct slt_tcp_segment *seg)
{
    uint32_t ace = slt_accecn_of_flags(seg->flags);

    if (ace == 0 || ace == 7) { /* none, or a peer that echoes reserved bits */
        return;
    }
    if (ace == 1) {
        if (c->cold->opening.ecn_said != SLT_ECN_ASK_NOT) { /* R3168-02 */
            set_bits(c, SLT_ECN_OK);
        }
        return;
    }
    start_accurate(c);
    struct slt_tcp_accecn *a = &c->cold->accecn;
    a->flags |= SLT_ACCECN_CHANGED; /* R9768-08: the first acknowledgement carries the option */
    a->shake = (uint8_t)slt_accecn_tell(seg->ecn);
    a->r_cep += seg->ecn == SLT_ECN_CE ? 1U : 0U;
    slt_accecn_heard(a, &seg->opt);
    if (ace != slt_accecn_tell(SLT_ECN_NONE) && ace != 5) {
        mute(tcp, c); /* our SYN left without ECT (3.2.2.3) */
    }
}

/* A SYN or SYN,ACK came in SYN-SENT. */
void slt_tcp_ecn_take_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    struct slt_tcp_opening *o = &c->cold->opening;
    const struct slt_tcp_segment *seg = in->seg;
    bool ack = (seg->flags & SLT_TCP_ACK) != 0;
    bool agrees = (seg->flags & SLT_TCP_ECE) && !(seg->flags & SLT_TCP_CWR);

    o->ecn_arrived = seg->ecn;
    if (ack && o->ecn_asked == SLT_ECN_ASK_ACCURATE) {
        take_accurate_answer(tcp, c, seg); /* even late: the server is in that mode (R9768-05) */
        return;
    }
    if (o->ecn_said == SLT_ECN_ASK_NOT) {
        return; /* 6.1.1 (R3168-02): we have sent a SYN that did not ask */
    }
    /* Simultaneous open: what a listener would grant (RFC 9768 3.1.2). */
    uint16_t granted = ack ? 0 : slt_tcp_ecn_half_open(tcp->config, seg);
    if (granted & SLT_HALF_ACCECN) {
        start_accurate(c);
    } else if ((granted & SLT_HALF_ECN) || (ack && agrees)) {
        set_bits(c, SLT_ECN_OK);
    }
}

/* The peer's SYN came again while a full connection waits for its acknowledgement. */
void slt_tcp_ecn_take_syn_again(struct slt_tcp_conn *c, const struct slt_tcp_segment *seg)
{
    if (!speaks(c, SLT_ECN_ACCURATE)) {
        return;
    }
    c->cold->opening.ecn_arrived = seg->ecn; /* RFC 9768 3.1.5 (R9768-05): the latest is told of */
    if (slt_accecn_of_flags(seg->flags) == 0 && slt_tcp_has(c, SLT_CONN_PASSIVE)) {
        set_bits(c, SLT_ECN_MUTE);
    }
}

/* A SYN,ACK that agreed to AccECN came again and is to be acknowledged: the server may not have
 * heard how it arrived, and tells its mode by that (RFC 9768 3.2.2.1, R9768-06). Of marked ones,
 * one counts (3.2.2.2). */
void slt_tcp_ecn_take_syn_ack_again(struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    const struct slt_tcp_segment *seg = in->seg;
    uint32_t ace = slt_accecn_of_flags(seg->flags);
    bool syn_ack = (seg->flags & (SLT_TCP_SYN | SLT_TCP_ACK)) == (SLT_TCP_SYN | SLT_TCP_ACK);

    if (!speaks(c, SLT_ECN_ACCURATE) || slt_tcp_has(c, SLT_CONN_PASSIVE) || in->pos != 0 ||
        !syn_ack || ace < 2 || ace == 7 || c->cold == NULL || !(c->due & SLT_DUE_ACK)) {
        return;
    }
    struct slt_tcp_accecn *a = &c->cold->accecn;
    a->shake = (uint8_t)slt_accecn_tell(seg->ecn);
    if (seg->ecn == SLT_ECN_CE && a->r_cep == SLT_ACCECN_START) {
        a->r_cep++;
    }
}

/* The SYN,ACK that completes a simultaneous open: one that does not agree takes ECT away
 * (6.1.1). */
void slt_tcp_ecn_take_crossing(struct slt_tcp_conn *c, const struct slt_tcp_segment *seg)
{
    bool agrees = (seg->flags & SLT_TCP_ECE) && !(seg->flags & SLT_TCP_CWR);

    if (speaks(c, SLT_ECN_OK) && !agrees) {
        clear_bits(c, SLT_ECN_OK);
    }
}

/* ---- the handshake, passive ------------------------------------------------------------------ */

/* What a SYN asks for and the configuration grants, as flags of its half-open entry. */
uint16_t slt_tcp_ecn_half_open(const struct salut_config *config, const struct slt_tcp_segment *syn)
{
    uint32_t ace = slt_accecn_of_flags(syn->flags);

    if (config->ecn == SALUT_ECN_OFF || ace == 0) {
        return 0;
    }
    if (ace == 3 || (ace == 7 && config->ecn != SALUT_ECN_ACCURATE)) {
        return SLT_HALF_ECN; /* R3168-01; who does not know AE does not see it */
    }
    if (config->ecn != SALUT_ECN_ACCURATE) {
        return 0;
    }
    /* R9768-03: what is not known yet is taken as AccECN */
    return (uint16_t)(SLT_HALF_ACCECN | (unsigned)(syn->ecn & 3U) << SLT_HALF_ARRIVED_SHIFT);
}

/* The SYN of an entry came again. What was agreed stays (RFC 9768 3.1.5, R9768-05), but the SYN,ACK
 * tells how the latest SYN arrived, and who may have fallen back is sent nothing as ECT. False: one
 * SYN asked for RFC 3168 and another for AccECN, and nobody can know which of them the peer goes
 * by: reset. */
bool slt_tcp_ecn_half_open_again(const struct salut_config *config, struct slt_tcp_half_open *h,
                                 const struct slt_tcp_segment *syn)
{
    uint32_t ace = slt_accecn_of_flags(syn->flags);
    uint32_t arrived = (uint32_t)(syn->ecn & 3U) << SLT_HALF_ARRIVED_SHIFT;
    bool both =
        ((h->flags & SLT_HALF_ACCECN) && ace == 3) || ((h->flags & SLT_HALF_ECN) && ace == 7);

    if (both && config->ecn == SALUT_ECN_ACCURATE) {
        return false;
    }
    if ((ace & 3U) == 0) {
        h->flags &= (uint16_t)~SLT_HALF_ECN; /* R3168-02: he has fallen back, so do we */
    }
    if (h->flags & SLT_HALF_ACCECN) {
        uint32_t kept = h->flags & ~(UINT32_C(3) << SLT_HALF_ARRIVED_SHIFT);
        uint32_t silent = ace == 0 ? (uint32_t)SLT_HALF_MUTE : 0;
        h->flags = (uint16_t)(kept | arrived | silent | (uint32_t)SLT_HALF_PLAIN);
    }
    return true;
}

/* True while an entry's SYN,ACK agrees to AccECN. One that had to go out three times does not, as
 * the path may drop those that do (RFC 9768 3.2.3.2.2); the mode stays what it is. */
bool slt_tcp_ecn_half_open_is_accurate(const struct salut_config *config,
                                       const struct slt_tcp_half_open *h)
{
    return (h->flags & SLT_HALF_ACCECN) && !(h->retries > 1 && config->ecn_fallback);
}

/* ECE, CWR and AE of an entry's SYN,ACK. */
uint16_t slt_tcp_ecn_half_open_flags(const struct salut_config *config,
                                     const struct slt_tcp_half_open *h)
{
    if (slt_tcp_ecn_half_open_is_accurate(config, h)) {
        uint8_t arrived = (uint8_t)(h->flags >> SLT_HALF_ARRIVED_SHIFT & 3U);
        return slt_accecn_to_flags(slt_accecn_tell(arrived));
    }
    return (h->flags & SLT_HALF_ECN) ? SLT_TCP_ECE : 0;
}

/* What the ACK of a cookie tells of the handshake that nobody remembers (RFC 9768 5.1): a bare one
 * with 2 to 7 in its field, or any with AE, comes from a client that was granted AccECN. */
uint16_t slt_tcp_ecn_cookie(const struct salut_config *config, const struct slt_tcp_segment *seg)
{
    bool bare = seg->payload_bytes == 0 && !(seg->flags & SLT_TCP_FIN);
    bool accurate = slt_accecn_of_flags(seg->flags) >= (bare ? 2U : 4U);

    return config->ecn == SALUT_ECN_ACCURATE && accurate ? SLT_HALF_ACCECN : 0;
}

/* The connection of an entry takes over what was agreed. */
void slt_tcp_ecn_open_passive(const struct salut_config *config, struct slt_tcp_conn *c,
                              const struct slt_tcp_half_open *h)
{
    struct slt_tcp_cold *cold = c->cold;

    cold->opening.ecn_arrived = (uint8_t)(h->flags >> SLT_HALF_ARRIVED_SHIFT & 3U);
    if (h->flags & SLT_HALF_ACCECN) {
        start_accurate(c);
        if ((h->flags & SLT_HALF_MUTE) || !slt_tcp_ecn_half_open_is_accurate(config, h)) {
            set_bits(c, SLT_ECN_MUTE); /* RFC 9768 3.1.5: the client may not be in that mode */
        }
    } else if (h->flags & SLT_HALF_ECN) {
        set_bits(c, SLT_ECN_OK);
    }
}

/* ---- segments ------------------------------------------------------------------------------- */

/* RFC 3168 6.1.3 (R3168-05): ECE from the mark to the peer's CWR. The peer's window may be one
 * segment by then, so neither waits for the delayed acknowledgement. */
static void receive_classic(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                            const struct slt_tcp_in *in)
{
    if (in->seg->payload_bytes == 0 || in->only_ack) {
        return; /* R3168-06 */
    }
    if (in->seg->flags & SLT_TCP_CWR) {
        clear_bits(c, SLT_ECN_ECE_DUE);
        slt_tcp_ack_now(c, SLT_SEND_ACK_NOW);
    }
    if (in->seg->ecn == SLT_ECN_CE) {
        slt_count(tcp->telemetry, SLT_NOTE_TCP_CE);
        if (!speaks(c, SLT_ECN_ECE_DUE)) {
            slt_tcp_ack_now(c, SLT_SEND_ACK_NOW);
        }
        set_bits(c, SLT_ECN_ECE_DUE);
    }
}

/* The first segment without SYN that a server gets, when it is bare: its field tells how our
 * SYN,ACK arrived (RFC 9768 3.2.2.1). False: the field is a counter. */
static bool takes_shake(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    struct slt_tcp_accecn *a = &c->cold->accecn;
    const struct slt_tcp_segment *seg = in->seg;
    bool first = (a->flags & SLT_ACCECN_FIRST) && slt_tcp_has(c, SLT_CONN_PASSIVE);
    bool pure = seg->payload_bytes == 0 && !(seg->flags & SLT_TCP_FIN);

    a->flags &= (uint8_t) ~(unsigned)SLT_ACCECN_FIRST;
    if (!first || !pure || (seg->opt.present & SLT_TCP_OPT_SACK)) {
        return false;
    }
    slt_accecn_heard(a, &seg->opt);
    if (slt_accecn_shaken(a, slt_accecn_of_flags(seg->flags))) {
        mute(tcp, c);
    }
    return true;
}

/* The peer's field and option, on an acknowledgement of something new: in one that repeats the
 * number the field may be older than what we know. Marks count even when nothing of ours is ECT, as
 * the path may change that (RFC 9768 3.1.5); but where every packet comes marked from the beginning
 * on, it is not congestion that marks them (3.2.2.3). */
static void told_accurate(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    struct slt_tcp_accecn *a = &c->cold->accecn;
    uint32_t mss = slt_tcp_full_mss(tcp, c);

    if (takes_shake(tcp, c, in) || !in->ack.advanced || (a->flags & SLT_ACCECN_VOID)) {
        return;
    }
    uint32_t marks = slt_accecn_told(a, in->seg, in->ack.acked_bytes, mss, &in->ack.ce_bytes);
    bool all = marks > 0 && in->ack.ce_bytes >= in->ack.acked_bytes;
    if (slt_accecn_drowned(a, all, c->snd.una >= c->cold->recovery.recover)) {
        in->ack.ce_bytes = 0;
        mute(tcp, c);
        return;
    }
    in->ack.ece = marks > 0;
}

static void accurate(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    struct slt_tcp_accecn *a = &c->cold->accecn;
    uint32_t own_mss = slt_tcp_advertised_mss(tcp->config, c->ip_bytes, c->opts.max_segment);
    uint32_t seen = c->rcv.mss_seen; /* super-frames alone do not teach it */
    uint32_t usual = seen > SLT_TCP_FIRST_MSS_SEEN ? seen : own_mss;
    uint32_t packets = 1;

    if (in->seg->payload_bytes > own_mss) { /* a super-frame: the link joined several */
        packets = (in->seg->payload_bytes + usual - 1) / usual;
    }
    if (!in->only_ack) {
        if (in->seg->ecn == SLT_ECN_CE) {
            slt_count(tcp->telemetry, SLT_NOTE_TCP_CE);
        }
        if (slt_accecn_received(a, in->seg, packets)) {
            slt_tcp_ack_now(c, SLT_SEND_ACK_NOW);
        }
    }
    told_accurate(tcp, c, in);
}

/* An acceptable segment has passed the fifth step. What lay outside the window never comes here,
 * so a forged mark costs its sender a guess (6.1.3). */
void slt_tcp_ecn_on_segment(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in)
{
    if (speaks(c, SLT_ECN_ACCURATE)) {
        if (c->cold != NULL) {
            accurate(tcp, c, in);
        }
    } else if (speaks(c, SLT_ECN_OK)) {
        receive_classic(tcp, c, in);
        in->ack.ece = (in->seg->flags & SLT_TCP_ECE) && in->ack_pos == c->snd.una; /* R3168-04 */
    }
}

/* ECE or the ACE field of a segment without SYN; CWR is the plan's. */
uint16_t slt_tcp_ecn_flags(const struct slt_tcp_conn *c, const struct slt_tcp_plan *plan)
{
    if (c->ecn == 0 || (plan->flags & SLT_TCP_RST) || c->cold == NULL) {
        return speaks(c, SLT_ECN_ECE_DUE) && !(plan->flags & SLT_TCP_RST) ? SLT_TCP_ECE : 0;
    }
    if (speaks(c, SLT_ECN_ACCURATE)) {
        const struct slt_tcp_accecn *a = &c->cold->accecn;
        bool sacks = slt_tcp_has(c, SLT_CONN_SACK_OK) && slt_tcp_sack_waits(c);
        bool pure = plan->bytes == 0 && !(plan->flags & SLT_TCP_FIN) && !sacks;
        return slt_accecn_to_flags(a->shake != 0 && pure ? a->shake : a->r_cep);
    }
    return speaks(c, SLT_ECN_ECE_DUE) ? SLT_TCP_ECE : 0;
}

/* The code point of a segment's IP header: ECT(0) is the one to use when one is enough (5,
 * R3168-08). */
uint8_t slt_tcp_ecn_codepoint(const struct slt_tcp_conn *c, const struct slt_tcp_plan *plan)
{
    bool capable = speaks(c, SLT_ECN_OK | SLT_ECN_ACCURATE) && !speaks(c, SLT_ECN_MUTE);
    bool fresh = plan->bytes > 0 && !plan->retransmit && !(plan->spent & SLT_DUE_PROBE) &&
                 !(plan->flags & SLT_TCP_SYN);

    return capable && fresh ? SLT_ECN_ECT0 : SLT_ECN_NONE; /* R3168-06 */
}

/* A segment without SYN left. */
void slt_tcp_ecn_on_sent(struct slt_tcp_conn *c, const struct slt_tcp_plan *plan)
{
    if (plan->flags & SLT_TCP_CWR) {
        clear_bits(c, SLT_ECN_CWR_DUE);
    }
    if (speaks(c, SLT_ECN_ACCURATE) && c->cold != NULL && (plan->flags & SLT_TCP_ACK)) {
        struct slt_tcp_accecn *a = &c->cold->accecn;
        a->told_cep = (uint8_t)a->r_cep;
        a->shake = 0;
        if (plan->bytes == 0) {
            a->flags &= (uint8_t) ~(unsigned)SLT_ACCECN_CHANGED;
        }
    }
}
