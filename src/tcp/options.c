/* Which options go on which segment, and what they leave for data (RFC 9293 3.7.1, RFC 7323,
 * RFC 2018).
 *
 * SYN and SYN,ACK: MSS always (MAY-3, SHLD-5, MUST-14), window scale, SACK-permitted and
 * timestamps as configured; a SYN,ACK only what the SYN had (R7323-03, R7323-10). Later segments:
 * timestamps once negotiated (R7323-10), SACK blocks while there is something to report. The MSS
 * option stands on SYNs alone (MUST-65).
 */
#include "tcp/engine.h"

#define TS_BYTES         12 /* NOP NOP TS(10), RFC 7323 appendix A */
#define SACK_BASE_BYTES  4  /* NOP NOP kind length */
#define SACK_BLOCK_BYTES 8
#define WSCALE_MAX       14 /* RFC 7323 2.3 (R7323-07) */
#define MSS_FLOOR        8  /* below this nothing moves, whatever the MTU */

/* MMS_R - 20 (MUST-67): never reduced for options (RFC 6691, R7323-24). */
uint16_t slt_tcp_advertised_mss(const struct salut_config *config, uint32_t ip_bytes,
                                uint16_t max_segment)
{
    uint32_t mtu = ip_bytes == 40 && config->mtu6 != 0 ? config->mtu6 : config->mtu;

    if (config->mtu_varies) { /* RFC 9293 3.7.3 (SHLD-6): the smallest it may become */
        mtu = slt_min32(mtu, ip_bytes == 40 ? 1280 : 576);
    }
    uint32_t mss = mtu - ip_bytes - SLT_TCP_HEADER_BYTES;
    if (max_segment != 0) {
        mss = slt_min32(mss, max_segment);
    }
    return (uint16_t)mss;
}

/* The shift that lets the largest window we may ever offer fit in 16 bits. */
uint8_t slt_tcp_own_wscale(const struct salut_config *config, uint32_t buffer_max)
{
    uint32_t largest = slt_max32(buffer_max, config->recv_buffer_max_bytes);
    uint8_t shift = 0;

    if (config->window_scale != 255) {
        return (uint8_t)slt_min32(config->window_scale, WSCALE_MAX);
    }
    while (shift < WSCALE_MAX && (largest >> shift) > 65535) {
        shift++;
    }
    return shift;
}

/* The cookie, or the request for one, on a SYN or SYN,ACK that was not sent before (RFC 7413 4.1.1,
 * 4.2.2: R7413-06, R7413-08), if there is room for it. */
static void put_fast_open(const struct slt_tcp_cold *cold, bool ack, struct slt_tcp_options *opt)
{
    const struct slt_tcp_opening *o = &cold->opening;
    bool wanted = ack ? o->fast_open == SLT_FAST_OPEN_GIVE
                      : o->fast_open == SLT_FAST_OPEN_ASK || o->fast_open == SLT_FAST_OPEN_SEND;

    if (!wanted || cold->recovery.syn_timeouts > 0) {
        return;
    }
    opt->cookie_bytes = o->cookie_bytes;
    memcpy(opt->cookie, o->cookie, sizeof(opt->cookie));
    opt->present |= SLT_TCP_OPT_FAST_OPEN;
    if (slt_tcp_options_bytes(opt) > SLT_TCP_OPTIONS_MAX) {
        opt->present &= (uint8_t) ~(unsigned)SLT_TCP_OPT_FAST_OPEN;
    }
}

void slt_tcp_syn_options(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, bool ack,
                         int64_t now_ns, struct slt_tcp_options *opt)
{
    const struct salut_config *config = tcp->config;

    memset(opt, 0, sizeof(*opt));
    opt->present = SLT_TCP_OPT_MSS;
    opt->mss = slt_tcp_advertised_mss(config, c->ip_bytes, c->opts.max_segment);
    if (ack ? slt_tcp_has(c, SLT_CONN_WSCALE_OK) : config->window_scaling != 0) {
        opt->present |= SLT_TCP_OPT_WSCALE;
        opt->wscale = c->rcv.wscale;
    }
    if (ack ? slt_tcp_has(c, SLT_CONN_SACK_OK) : config->sack != 0) {
        opt->present |= SLT_TCP_OPT_SACK_OK;
    }
    if (ack ? slt_tcp_has(c, SLT_CONN_TS_OK) : config->timestamps != 0) {
        opt->present |= SLT_TCP_OPT_TIMESTAMPS;
        opt->ts_val = slt_tcp_ts_now(c, now_ns);
        opt->ts_ecr = ack ? c->ts.recent : 0; /* R7323-09 */
    }
    put_fast_open(c->cold, ack, opt);
    if (ack && (c->ecn & SLT_ECN_ACCURATE) && c->cold->recovery.syn_timeouts == 0) { /* R9768-08 */
        slt_accecn_start_option(opt);
    }
    slt_tcp_uto_on_syn(tcp, c->opts.user_timeout_ms, opt);
}

void slt_tcp_segment_options(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             int64_t now_ns, struct slt_tcp_options *opt)
{
    uint32_t max_blocks = SLT_TCP_SACK_MAX;

    opt->present = 0;
    opt->sack_count = 0;
    opt->cookie_bytes = 0;
    if (slt_tcp_has(c, SLT_CONN_TS_OK)) {
        opt->present |= SLT_TCP_OPT_TIMESTAMPS;
        opt->ts_val = slt_tcp_ts_now(c, now_ns);
        opt->ts_ecr = c->ts.recent;
        max_blocks = 3; /* RFC 2018 3: what fits beside timestamps */
    }
    if (slt_tcp_has(c, SLT_CONN_SACK_OK) && slt_tcp_sack_waits(c)) { /* R2018-02, R2018-03 */
        opt->sack_count = (uint8_t)slt_tcp_sack_blocks(tcp, c, opt->sack, max_blocks);
        if (opt->sack_count > 0) {
            opt->present |= SLT_TCP_OPT_SACK;
        }
    }
    slt_tcp_uto_on_segment(tcp, c, opt);
}

/* Eff.snd.MSS without SACK blocks (MUST-16): min(SendMSS + 20, MMS_S) - 20 - options. */
uint32_t slt_tcp_full_mss(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    uint32_t path = (uint32_t)c->snd.pmtu - c->ip_bytes - SLT_TCP_HEADER_BYTES;
    uint32_t mss = slt_min32(c->snd.peer_mss, path);

    (void)tcp;
    if (slt_tcp_has(c, SLT_CONN_TS_OK)) {
        mss = mss > TS_BYTES + MSS_FLOOR ? mss - TS_BYTES : MSS_FLOOR;
    }
    return slt_max32(mss, MSS_FLOOR); /* B05: never a data segment without data */
}

/* What is left of `mss` beside the SACK blocks that wait. */
static SLT_APART uint32_t beside_sack(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                      uint32_t mss)
{
    struct slt_tcp_sack_block blocks[SLT_TCP_SACK_MAX];
    uint32_t max_blocks = slt_tcp_has(c, SLT_CONN_TS_OK) ? 3 : SLT_TCP_SACK_MAX;
    uint32_t count = slt_tcp_sack_blocks(tcp, c, blocks, max_blocks);

    if (count > 0) {
        uint32_t sack_bytes = SACK_BASE_BYTES + SACK_BLOCK_BYTES * count;
        mss = mss > sack_bytes + MSS_FLOOR ? mss - sack_bytes : MSS_FLOOR;
    }
    return mss;
}

/* The same for the next data segment, with the SACK blocks it would carry. */
uint32_t slt_tcp_data_mss(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    uint32_t mss = slt_tcp_full_mss(tcp, c);

    if (slt_tcp_uto_due(tcp, c)) {
        mss = mss > SLT_TCP_UTO_BYTES + MSS_FLOOR ? mss - SLT_TCP_UTO_BYTES : MSS_FLOOR;
    }
    if (!slt_tcp_has(c, SLT_CONN_SACK_OK) || !slt_tcp_sack_waits(c)) {
        return mss;
    }
    return beside_sack(tcp, c, mss);
}
