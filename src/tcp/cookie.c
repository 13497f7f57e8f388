/* SYN cookies (RFC 4987 3.6): a half-open entry that lives in the peer's acknowledgement.
 *
 * The ISN of the SYN,ACK is 5 bits of a clock that ticks every 64 s, 3 bits of an MSS class, and 24
 * bits of SipHash-2-4 over the tuple, the peer's ISN, the full clock and the class. An ACK brings
 * it back; a guess is right with a chance of 2^-28 (two ticks of 32 are valid). The peer's window
 * scale, SACK permission and ECN travel in the low six bits of our timestamp, if he uses them;
 * forging those bits hurts only the forger. That AccECN was granted, the ACK tells by itself (RFC
 * 9768 5.1). Comparison is of one integer, in constant time.
 */
#include "tcp/engine.h"

#define TICK_NS      (64 * SLT_NS_PER_S)
#define TICKS_VALID  2
#define CLOCK_BITS   5
#define CLASS_BITS   3
#define MAC_MASK     UINT32_C(0x00ffffff)
#define TS_BITS_MASK UINT32_C(0x3f) /* 4 bits of window scale (15: none), 1 of SACK, 1 of ECN */
#define TS_NO_WSCALE 15U

static const uint16_t mss_classes[1 << CLASS_BITS] = {216, 536, 1024, 1220, 1400, 1440, 1460, 8960};

static uint32_t tick(const struct slt_tcp *tcp, int64_t now_ns)
{
    return (uint32_t)(uint64_t)(now_ns / TICK_NS) + tcp->cookie_secret;
}

static uint32_t make_isn(const struct slt_tcp *tcp, const struct slt_tcp_id *id, uint32_t irs,
                         uint32_t at_tick, uint32_t class_index)
{
    struct {
        struct slt_tcp_id id;
        uint32_t irs;
        uint32_t tick;
        uint32_t class_index;
    } message;

    memset(&message, 0, sizeof(message));
    message.id = *id;
    message.irs = irs;
    message.tick = at_tick;
    message.class_index = class_index;
    uint32_t mac = (uint32_t)slt_siphash24(&tcp->cookie_key, &message, sizeof(message)) & MAC_MASK;
    return (at_tick & ((1U << CLOCK_BITS) - 1)) << 27 | class_index << 24 | mac;
}

void slt_tcp_cookie_make(struct slt_tcp *tcp, struct slt_tcp_half_open *h, int64_t now_ns)
{
    uint32_t class_index = 0;
    uint32_t mss = (h->flags & SLT_HALF_MSS) ? h->mss : 536;

    for (uint32_t i = 0; i < SLT_ARRAY_COUNT(mss_classes); i++) {
        class_index = mss_classes[i] <= mss ? i : class_index;
    }
    if (!(h->flags & SLT_HALF_TS_OK)) { /* nothing carries these (R4987-02) */
        h->flags &= (uint16_t) ~(SLT_HALF_WSCALE_OK | SLT_HALF_SACK_OK | SLT_HALF_ECN);
    }
    h->flags &= (uint16_t) ~(unsigned)SLT_HALF_FAST_OPEN;
    h->isn = make_isn(tcp, &h->id, h->irs, tick(tcp, now_ns), class_index);
}

/* Our timestamp with the options in its low bits, never later than the true one. */
uint32_t slt_tcp_cookie_timestamp(const struct slt_tcp_half_open *h, uint32_t ts_val)
{
    uint32_t bits = (h->flags & SLT_HALF_WSCALE_OK) ? slt_min32(h->wscale, 14) : TS_NO_WSCALE;

    bits |= (h->flags & SLT_HALF_SACK_OK) ? 0x10U : 0;
    bits |= (h->flags & SLT_HALF_ECN) ? 0x20U : 0;
    uint32_t marked = (ts_val & ~TS_BITS_MASK) | bits;
    return slt_tcp_ts_older(ts_val, marked) ? marked - (TS_BITS_MASK + 1) : marked;
}

static void restore_options(const struct slt_tcp *tcp, struct slt_tcp_half_open *h,
                            const struct slt_tcp_segment *seg)
{
    if (!(seg->opt.present & SLT_TCP_OPT_TIMESTAMPS)) {
        return;
    }
    uint32_t bits = seg->opt.ts_ecr & TS_BITS_MASK;
    h->flags |= SLT_HALF_TS_OK;
    h->ts_recent = seg->opt.ts_val;
    if ((bits & 15U) != TS_NO_WSCALE) {
        h->flags |= SLT_HALF_WSCALE_OK;
        h->wscale = (uint8_t)(bits & 15U);
    }
    if (bits & 0x10U) {
        h->flags |= SLT_HALF_SACK_OK;
    }
    if ((bits & 0x20U) && tcp->config->ecn != SALUT_ECN_OFF) {
        h->flags |= SLT_HALF_ECN;
    }
}

/* Does this ACK bring back a cookie of ours? Then *h is the entry that was never kept. */
bool slt_tcp_cookie_check(struct slt_tcp *tcp, const struct slt_tcp_id *id,
                          const struct slt_tcp_segment *seg, int64_t now_ns,
                          struct slt_tcp_half_open *h)
{
    uint32_t isn = seg->ack - 1;
    uint32_t irs = seg->seq - 1;
    uint32_t class_index = isn >> 24 & ((1U << CLASS_BITS) - 1);
    uint32_t now_tick = tick(tcp, now_ns);
    bool valid = false;

    for (uint32_t back = 0; back < TICKS_VALID; back++) {
        valid = valid || make_isn(tcp, id, irs, now_tick - back, class_index) == isn;
    }
    if (!valid) {
        return false;
    }
    memset(h, 0, sizeof(*h));
    h->id = *id;
    h->isn = isn;
    h->irs = irs;
    h->made_at_ms = slt_tcp_ts_clock(now_ns);
    h->mss = mss_classes[class_index];
    h->flags = SLT_HALF_MSS;
    h->window = seg->window;
    h->retries = 1; /* not timed: how long ago the SYN,ACK left is not known */
    if (tcp->config->timestamps) {
        restore_options(tcp, h, seg);
    }
    if (!(h->flags & SLT_HALF_ECN)) {
        h->flags |= slt_tcp_ecn_cookie(tcp->config, seg);
    }
    return true;
}
