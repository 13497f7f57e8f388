/* Accurate ECN feedback (RFC 9768): how many marks came, not only that some did.
 *
 * The three bits AE, CWR and ECE of a segment without SYN are one field, ACE: the low bits of
 * r.cep, the number of packets that came with CE, started at 5. The sender of the data keeps
 * s.cep, what it knows of the other end's r.cep, and takes the difference. Three bits wrap after
 * eight marks, so an acknowledgement of many packets is ambiguous; then as many marks are assumed
 * as can be (3.2.2.5), unless the AccECN option counts octets (3.2.3). Both directions are
 * independent and start with the handshake, whose three segments tell in ACE with which code point
 * the SYN and the SYN,ACK arrived, so that a path that changes those bits is found out (3.2.2.3):
 * then nothing is sent as ECN-capable, but feedback goes on and is answered.
 *
 * This file is arithmetic over struct slt_tcp_accecn; it writes that group alone, and ecn.c says
 * when. The option is sent on pure acknowledgements, where it costs no payload, and only where
 * timestamps and SACK blocks leave room (3.2.3.3).
 *
 * Not done, of what the RFC says SHOULD or MUST of: the option never stands on data, so not on the
 * first segment of it either (3.2.3.2.1, 3.2.3.3), all SACK blocks go before it and not two alone,
 * and whether it is what makes packets be lost is not watched but on SYN,ACKs (3.2.3.2.2). What an
 * acknowledgement that does not move SND.UNA tells waits for the next that does (3.2.2.2). As SYN
 * and SYN,ACK never leave as ECT, CE told of one of them is the path's meddling and not answered as
 * congestion (3.2.2.2). Octets that rise without packets are taken for a field that has come round,
 * as how many packets were acknowledged is an estimate, and do not end the use of ECT (3.2.3.2.5).
 * That a server did not answer a SYN with AccECN is not remembered (3.1.4.1), payload of a SYN,ACK
 * is not counted (3.2), and TIME-WAIT entries leave the field empty (3.2.2). An acknowledgement is
 * sent when marks end, too, which nobody asks for (3.2.2.5.1).
 */
#include "tcp/engine.h"

#include "wire/ipv4.h"

#define ACE_MASK      7U
#define OCTETS_MASK   UINT32_C(0xffffff)
#define ROUNDS_TESTED 3U
#define ROUNDS_MIXED  255U /* a packet came unmarked */

/* Handshake encoding of the code point with which a SYN or SYN,ACK came (tables 2 and 3). */
#define TELL_NOT_ECT 2U
#define TELL_ECT1    3U
#define TELL_ECT0    4U
#define TELL_CE      6U

uint16_t slt_accecn_to_flags(uint32_t ace)
{
    uint32_t flags = (ace & 4U) ? (uint32_t)SLT_TCP_AE : 0;

    flags |= (ace & 2U) ? (uint32_t)SLT_TCP_CWR : 0;
    flags |= (ace & 1U) ? (uint32_t)SLT_TCP_ECE : 0;
    return (uint16_t)flags;
}

uint32_t slt_accecn_of_flags(uint16_t flags)
{
    return ((flags & SLT_TCP_AE) ? 4U : 0) | ((flags & SLT_TCP_CWR) ? 2U : 0) |
           ((flags & SLT_TCP_ECE) ? 1U : 0);
}

uint32_t slt_accecn_tell(uint8_t codepoint)
{
    switch (codepoint) {
    case SLT_ECN_ECT1:
        return TELL_ECT1;
    case SLT_ECN_ECT0:
        return TELL_ECT0;
    case SLT_ECN_CE:
        return TELL_CE;
    default:
        return TELL_NOT_ECT;
    }
}

/* RFC 9768 3.2.1 (R9768-06): none of the counters that must not be zero starts at zero. */
void slt_accecn_start(struct slt_tcp_accecn *a)
{
    memset(a, 0, sizeof(*a));
    a->r_cep = SLT_ACCECN_START;
    a->s_cep = SLT_ACCECN_START;
    a->r_e0b = a->s_e0b = 1;
    a->r_e1b = a->s_e1b = 1;
    a->told_cep = SLT_ACCECN_START;
}

/* Put the option on `opt`, with its first `least` counters at the least, if they fit: SACK and
 * timestamps come first (3.2.3.3). */
static void put_option(const struct slt_tcp_accecn_option *option, uint8_t least,
                       struct slt_tcp_options *opt)
{
    opt->accecn = *option;
    opt->present |= SLT_TCP_OPT_ACCECN;
    while (slt_tcp_options_bytes(opt) > SLT_TCP_OPTIONS_MAX && opt->accecn.count > least) {
        opt->accecn.count--;
    }
    if (slt_tcp_options_bytes(opt) > SLT_TCP_OPTIONS_MAX) {
        opt->present &= (uint8_t) ~(unsigned)SLT_TCP_OPT_ACCECN;
    }
}

/* The option of a SYN,ACK: nothing has been counted yet (R9768-08). */
void slt_accecn_start_option(struct slt_tcp_options *opt)
{
    const struct slt_tcp_accecn_option option = {.e0b = 1, .e1b = 1, .count = 3};

    put_option(&option, 1, opt);
}

/* The option of a pure acknowledgement; ECT(0) first, as that is what we are sent. None at all
 * rather than one without a counter that has moved (3.2.3.3, R9768-08). */
void slt_accecn_option(const struct slt_tcp_accecn *a, struct slt_tcp_options *opt)
{
    const struct slt_tcp_accecn_option option = {
        .e0b = a->r_e0b, .ceb = a->r_ceb, .e1b = a->r_e1b, .count = 3};
    uint8_t least = a->r_ceb != 0 ? 2 : 1;

    if (a->flags & SLT_ACCECN_CHANGED) {
        put_option(&option, a->r_e1b != 1 ? 3 : least, opt);
    }
}

/* Take the peer's octet counters from a SYN,ACK or an acknowledgement. One of the two that do not
 * start at 0 and is 0 in the first option was zeroed on the way: the field alone is believed from
 * then on (3.2.3.2.4, R9768-09). */
void slt_accecn_heard(struct slt_tcp_accecn *a, const struct slt_tcp_options *opt)
{
    const struct slt_tcp_accecn_option *o = &opt->accecn;

    if (!(opt->present & SLT_TCP_OPT_ACCECN) || o->count == 0 || (a->flags & SLT_ACCECN_DEAF)) {
        return;
    }
    bool first_zero = (o->order ? o->e1b : o->e0b) == 0;
    bool last_zero = o->count > 2 && (o->order ? o->e0b : o->e1b) == 0;
    if (!(a->flags & SLT_ACCECN_HEARD) && (first_zero || last_zero)) {
        a->flags |= SLT_ACCECN_DEAF;
        return;
    }
    a->flags |= SLT_ACCECN_HEARD;
    if (o->order ? o->count > 2 : o->count > 0) {
        a->s_e0b = o->e0b;
    }
    if (o->order ? o->count > 0 : o->count > 2) {
        a->s_e1b = o->e1b;
    }
    if (o->count > 1) {
        a->s_ceb = o->ceb;
    }
}

/* A client's first pure acknowledgement tells how our SYN,ACK arrived (table 4), which we sent
 * without ECT; 0 says that he is not in this mode, or that the field is zeroed on the way, and then
 * nothing that it tells is answered (note 1). True when the bits cannot be trusted. Later segments
 * are not tested for 0: the counter may have come round (3.2.2.4). */
bool slt_accecn_shaken(struct slt_tcp_accecn *a, uint32_t ace)
{
    a->s_cep = ace == TELL_CE ? SLT_ACCECN_START + 1 : SLT_ACCECN_START;
    if (ace == 0) {
        a->flags |= SLT_ACCECN_VOID;
    }
    return ace == 0 || ace == TELL_ECT1 || ace == TELL_ECT0 || ace == TELL_CE;
}

/* Every packet of the first rounds was told as marked: something on the path marks them all, and
 * what it says of congestion is nothing (3.2.2.3). True once, when that is found out: after three
 * whole rounds. One packet that came unmarked ends the test for good. */
bool slt_accecn_drowned(struct slt_tcp_accecn *a, bool all_marked, bool round_begins)
{
    if (a->rounds == ROUNDS_MIXED) {
        return false;
    }
    if (!all_marked) {
        a->rounds = ROUNDS_MIXED;
        return false;
    }
    if (round_begins) {
        a->rounds++;
    }
    if (a->rounds <= ROUNDS_TESTED) {
        return false;
    }
    a->rounds = ROUNDS_MIXED;
    a->flags |= SLT_ACCECN_VOID;
    return true;
}

/* A packet of the peer's was acceptable: count it (3.2.2, 3.2.3). True when it is to be told at
 * once: the mark came or went, or too many marks wait (3.2.2.5.1, R9768-07). */
bool slt_accecn_received(struct slt_tcp_accecn *a, const struct slt_tcp_segment *seg,
                         uint32_t packets)
{
    bool marked = seg->ecn == SLT_ECN_CE;
    bool changed = marked != (a->last_codepoint == SLT_ECN_CE) && seg->payload_bytes > 0;
    uint32_t limit = seg->payload_bytes > 0 ? 2 : 3;

    if (seg->payload_bytes > 0) {
        uint32_t *counter = marked                     ? &a->r_ceb
                            : seg->ecn == SLT_ECN_ECT0 ? &a->r_e0b
                            : seg->ecn == SLT_ECN_ECT1 ? &a->r_e1b
                                                       : NULL;
        if (counter) {
            *counter = (*counter + seg->payload_bytes) & OCTETS_MASK;
            a->flags |= SLT_ACCECN_CHANGED;
        }
        a->last_codepoint = seg->ecn;
    }
    if (!marked) {
        return changed;
    }
    a->r_cep += packets;
    return changed || ((a->r_cep - a->told_cep) & ACE_MASK) >= limit || packets > limit;
}

/* What the option says about octets, when it can be believed. */
static bool octets_told(struct slt_tcp_accecn *a, const struct slt_tcp_options *opt,
                        uint32_t *ce_bytes)
{
    uint32_t before = a->s_ceb;
    bool knows = (opt->present & SLT_TCP_OPT_ACCECN) && opt->accecn.count > 1;

    slt_accecn_heard(a, opt);
    if (!knows || (a->flags & SLT_ACCECN_DEAF)) {
        return false;
    }
    *ce_bytes = (a->s_ceb - before) & OCTETS_MASK;
    return true;
}

/* Field and option tell of the same packets (3.2.3.2.5). Octets without packets were told of by a
 * field that came without the option, or the field has come round; packets without octets are
 * control packets, which we never send as ECT. */
static uint32_t reconcile(struct slt_tcp_accecn *a, uint32_t marks, uint32_t *ce_bytes)
{
    bool owed = (a->flags & SLT_ACCECN_OWED) != 0;

    a->flags &= (uint8_t) ~(unsigned)SLT_ACCECN_OWED;
    if (*ce_bytes == 0) {
        return 0;
    }
    if (marks == 0 && owed) {
        *ce_bytes = 0;
        return 0;
    }
    return marks == 0 ? ACE_MASK + 1 : marks;
}

/* An acknowledgement of `acked_bytes` new octets came: how many packets it tells were marked, and
 * how many octets. Three bits cannot tell 1 from 9; without the option as many are assumed as the
 * acknowledged packets allow (3.2.2.5.2). */
uint32_t slt_accecn_told(struct slt_tcp_accecn *a, const struct slt_tcp_segment *seg,
                         uint32_t acked_bytes, uint32_t mss, uint32_t *ce_bytes)
{
    uint32_t packets = (acked_bytes + mss - 1) / mss;
    uint32_t marks = (slt_accecn_of_flags(seg->flags) - a->s_cep) & ACE_MASK;

    *ce_bytes = 0;
    if (octets_told(a, &seg->opt, ce_bytes)) {
        marks = reconcile(a, marks, ce_bytes);
    } else {
        if (marks > 0 && packets > marks) { /* none at all is likelier than a whole cycle */
            marks = packets - ((packets - marks) & ACE_MASK);
        }
        *ce_bytes = slt_min32(marks * mss, acked_bytes);
        if (marks > 0) {
            a->flags |= SLT_ACCECN_OWED;
        }
    }
    a->s_cep += ((slt_accecn_of_flags(seg->flags) - a->s_cep) & ACE_MASK);
    return marks;
}
