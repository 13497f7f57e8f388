/* Path MTU discovery of a connection: what ICMP says, what silence says, and the search upwards
 * (RFC 1191, 8201, 5927; RFC 4821 for the packetization layer's own part).
 *
 * Downwards. A "too big" message that quotes octets in flight lowers the MTU at once, if packets
 * of the claimed size have never been acknowledged; else it waits for a timeout to prove it
 * (R5927-03). Where such messages are swallowed, full segments just vanish: when R1 timeouts in a
 * row went unanswered and packets above a size every sane path carries were in flight, that size
 * is used, and for IPv4 after as many more the smallest a host must take (R4821-02). What one
 * connection learnt from ICMP the others on the path are told by the stack (R8201-02).
 *
 * Upwards. Nothing raises the MTU but a packet that got through. After a lowering by silence the
 * search starts as soon as acknowledgements come again, after one by ICMP (or a search that came
 * to its end) some ten minutes later (R1191-03, R8201-04). A probe is one segment of new data,
 * larger than the others, sent when enough follows it that its loss would be seen (output.c). The
 * first probe asks for the old size, because a path that was broken for a while is the commonest
 * reason for silence; then the interval between what passes and what does not is halved until it is
 * not worth it. A probe that is lost alone is no sign of congestion (R4821-01, R8201-03): the
 * recovery asks here before it takes an episode for one, and sends the octets again in segments
 * that fit.
 *
 * The search lives in the cold block; that it is wanted later is told by eight bits of minutes in
 * the connection (set back so far that it is at once, after silence). At most one probe is in
 * flight, and the next waits for its answer, so there is at least a round trip between them
 * (R8899-02).
 */
#include "tcp/engine.h"

#define WORTH_BYTES     16U /* a search ends when less than this could be gained */
#define FOLLOWERS       4   /* full segments that must follow a probe: more than DupThresh */
#define FLOOR_V4        576U
#define FLOOR_V6        1280U /* RFC 8200 5 */
#define MINUTES_LONGEST 200   /* of an interval that eight bits of minutes can tell */

static uint8_t minutes(int64_t now_ns)
{
    return (uint8_t)(now_ns / (60 * SLT_NS_PER_S));
}

/* The largest packet this connection may ever send: by its link, and by the peer's MSS, which is a
 * limit of its own (R8201-03). */
static uint32_t ceiling(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    const struct salut_config *config = tcp->config;
    uint32_t link = c->ip_bytes == 40 && config->mtu6 != 0 ? config->mtu6 : config->mtu;
    uint32_t peer = (uint32_t)c->snd.peer_mss + c->ip_bytes + SLT_TCP_HEADER_BYTES;

    return slt_min32(link, peer);
}

static uint8_t interval_minutes(const struct slt_tcp *tcp)
{
    int64_t interval = tcp->config->mtu_probe_interval_ns / (60 * SLT_NS_PER_S);

    return (uint8_t)slt_min64(interval, MINUTES_LONGEST);
}

static void set_pmtu(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint32_t mtu, int64_t now_ns)
{
    uint32_t old_mss = slt_tcp_full_mss(tcp, c);

    slt_tcp_snd_pmtu(c, (uint16_t)mtu, minutes(now_ns));
    slt_cc_on_mss(&c->cold->cc, old_mss, slt_tcp_full_mss(tcp, c)); /* R5681-14 */
}

/* ---- downwards ------------------------------------------------------------------------------ */

/* A validated "too big" (RFC 1191 6.4; RFC 8201 5.4). */
enum slt_reason slt_tcp_pmtud_on_icmp(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint16_t mtu,
                                      int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;

    if (cold->pmtud.probe_mtu > mtu) { /* it speaks of the probe: a hint for the search */
        cold->pmtud.high = (uint16_t)slt_min32(cold->pmtud.probe_mtu, mtu + 1U);
    }
    if (mtu >= c->snd.pmtu) {
        return SLT_DROP_ICMP_PMTU_IGNORED; /* R1191-01, R8899-01: never raises */
    }
    if (mtu < c->snd.size_acked) { /* R5927-03: larger packets have arrived; let a loss prove it */
        cold->pmtu_hint = mtu;
        return SLT_DROP_ICMP_PMTU_IGNORED;
    }
    set_pmtu(tcp, c, mtu, now_ns);
    cold->pmtud.high = 0;
    if (cold->size_sent > mtu) {
        slt_lost_resend(tcp, c, SLT_SEND_RETRANSMIT_MTU); /* R1191-04, R8201-03 */
    }
    return SLT_NOTE_ICMP_PMTU;
}

/* Should be called when the path MTU is known from elsewhere: another connection to the same host
 * was told (R8201-02). */
void slt_tcp_path_mtu(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint16_t mtu, int64_t now_ns)
{
    if (mtu >= c->snd.pmtu || slt_tcp_awake(c) == NULL || c->state < SALUT_STATE_ESTABLISHED) {
        return;
    }
    set_pmtu(tcp, c, mtu, now_ns);
    c->cold->pmtud.high = 0;
    if (c->cold->size_sent > mtu) {
        slt_lost_resend(tcp, c, SLT_SEND_RETRANSMIT_MTU);
    }
}

/* The size a path is given that has swallowed packets of the present one; 0: nothing smaller. */
static uint32_t after_silence(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    uint32_t floor = c->ip_bytes == 40 ? FLOOR_V6 : FLOOR_V4;
    uint32_t first = slt_max32(tcp->config->mtu_black_hole_bytes, floor);

    if (c->snd.pmtu > first) {
        return first;
    }
    return c->snd.pmtu > floor ? floor : 0;
}

static void end_probe(struct slt_tcp_pmtud *p, bool failed)
{
    if (failed && p->probe_mtu != 0 && (p->high == 0 || p->probe_mtu < p->high)) {
        p->high = p->probe_mtu;
    }
    p->probe_mtu = 0;
}

/* Should be called when the retransmission timer fired, the timeout counted: an earlier ICMP
 * message is proved by it, and silence may be a black hole. */
void slt_tcp_pmtud_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_cold *cold = c->cold;
    uint8_t every = (uint8_t)slt_max32(tcp->config->retries1, 1);
    uint32_t smaller = after_silence(tcp, c);

    end_probe(&cold->pmtud, true);
    if (cold->pmtu_hint != 0 && cold->pmtu_hint < c->snd.pmtu) { /* R5927-03: proved by loss */
        set_pmtu(tcp, c, cold->pmtu_hint, now_ns);
        cold->pmtud.high = 0;
        slt_count(tcp->telemetry, SLT_NOTE_ICMP_PMTU);
    } else if (tcp->config->mtu_probing && smaller != 0 && cold->size_sent > smaller &&
               cold->recovery.timeouts > 0 && cold->recovery.timeouts % every == 0) {
        /* RFC 4821 7.7 (R4821-02): R1 passed without an answer, and full segments were in it. */
        set_pmtu(tcp, c, smaller, now_ns);
        slt_tcp_snd_pmtu(c, c->snd.pmtu, (uint8_t)(minutes(now_ns) - interval_minutes(tcp)));
        cold->pmtud = (struct slt_tcp_pmtud){0}; /* a search anew, from the top */
        slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_BLACK_HOLE, now_ns);
    }
    cold->pmtu_hint = 0;
}

/* ---- upwards -------------------------------------------------------------------------------- */

/* Is it time to look for a larger MTU? */
static bool wants_search(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                         const struct slt_tcp_pmtud *p, int64_t now_ns)
{
    uint8_t passed_min = (uint8_t)(minutes(now_ns) - c->snd.pmtu_at_min);

    return p->high != 0 || passed_min >= interval_minutes(tcp);
}

/* The size to ask for next; 0: none is worth it. */
static uint32_t next_size(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                          const struct slt_tcp_pmtud *p)
{
    uint32_t top = ceiling(tcp, c);
    uint32_t high = p->high == 0 ? top + 1 : slt_min32(p->high, top + 1);
    uint32_t low = c->snd.pmtu;

    if (high < low + WORTH_BYTES) {
        return 0;
    }
    bool untried = p->high == 0 || p->probe_end == 0;
    return untried ? high - 1 : (low + high) / 2;
}

/* How many octets a probe of the path MTU is to carry, in place of a segment of `mss`; 0: no probe.
 * `ready` is what the queue holds and the peer takes. */
uint32_t slt_tcp_pmtud_probe_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                   uint32_t mss, int64_t ready, int64_t now_ns)
{
    const struct slt_tcp_cold *cold = c->cold;
    const struct slt_tcp_pmtud *p = &cold->pmtud;

    if (!tcp->config->mtu_probing || c->snd.pmtu + WORTH_BYTES > ceiling(tcp, c) ||
        p->probe_mtu != 0 || cold->recovery.ca_state != SALUT_CA_OPEN ||
        cold->recovery.timeouts != 0 || !wants_search(tcp, c, p, now_ns)) {
        return 0;
    }
    uint32_t size = next_size(tcp, c, p);
    uint32_t bytes = size == 0 ? 0 : mss + (size - c->snd.pmtu);
    bool followed =
        ready >= bytes + FOLLOWERS * (int64_t)mss && cold->cc.cwnd_bytes >= bytes + FOLLOWERS * mss;
    return followed ? bytes : 0;
}

/* A probe left: `bytes` octets from `pos` on, `over` more than a full segment. */
void slt_tcp_pmtud_on_sent(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t pos, uint32_t bytes,
                           uint32_t over)
{
    struct slt_tcp_pmtud *p = &c->cold->pmtud;

    p->probe_pos = pos;
    p->probe_end = pos + bytes;
    p->probe_mtu = (uint16_t)(c->snd.pmtu + over);
    if (p->high == 0) {
        p->high = (uint16_t)slt_min32(ceiling(tcp, c) + 1, UINT16_MAX);
    }
}

/* The search is over until the interval has passed, unless something is still to be gained. */
static void look_further(const struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_pmtud *p = &c->cold->pmtud;

    if (next_size(tcp, c, p) == 0) {
        p->high = 0;
        p->probe_end = 0;
        slt_tcp_snd_pmtu(c, c->snd.pmtu, minutes(now_ns));
    }
}

/* Should be called when SND.UNA has moved: a probe that was acknowledged got through. */
void slt_tcp_pmtud_on_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    struct slt_tcp_pmtud *p = &c->cold->pmtud;

    if (p->probe_mtu == 0 || c->snd.una < p->probe_end) {
        return;
    }
    uint32_t mtu = p->probe_mtu;
    end_probe(p, false);
    if (mtu > c->snd.pmtu) {
        set_pmtu(tcp, c, mtu, now_ns);
        slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_MTU_RAISED, now_ns);
    }
    look_further(tcp, c, now_ns);
}

/* [start, end) is taken as lost. True: that is the probe and nothing else, it has failed, and its
 * loss is no congestion (R4821-01). */
bool slt_tcp_pmtud_takes_loss(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start,
                              int64_t end, int64_t now_ns)
{
    struct slt_tcp_pmtud *p = &c->cold->pmtud;

    if (p->probe_mtu == 0 || start < p->probe_pos || end > p->probe_end || start >= end) {
        return false;
    }
    end_probe(p, true);
    slt_tcp_snd_pmtu(c, c->snd.pmtu, minutes(now_ns)); /* should the search be forgotten: wait */
    slt_tcp_emit_note(tcp, c, SLT_NOTE_TCP_MTU_PROBE_LOST, now_ns);
    look_further(tcp, c, now_ns);
    return true;
}
