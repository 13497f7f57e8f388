/* TCP_INFO: struct salut_info in the layout of Linux's struct tcp_info, field meanings included.
 *
 * The layout is that of the kernel's user interface as of 6.18 (280 bytes); fields were only ever
 * appended, so a caller with an older header gets the front part. Linux counts in segments where
 * the engine counts in bytes: such numbers are bytes over the send MSS.
 */
#include "base/time.h"
#include "sock/sock.h"

#include <string.h>

struct linux_tcp_info {
    uint8_t state;
    uint8_t ca_state;
    uint8_t retransmits;
    uint8_t probes;
    uint8_t backoff;
    uint8_t options;
    uint8_t wscales; /* send in the low four bits on little-endian machines */
    uint8_t app_limited;
    uint32_t rto_us;
    uint32_t ato_us;
    uint32_t snd_mss;
    uint32_t rcv_mss;
    uint32_t unacked;
    uint32_t sacked;
    uint32_t lost;
    uint32_t retrans;
    uint32_t fackets;
    uint32_t last_data_sent_ms;
    uint32_t last_ack_sent_ms;
    uint32_t last_data_recv_ms;
    uint32_t last_ack_recv_ms;
    uint32_t pmtu;
    uint32_t rcv_ssthresh;
    uint32_t rtt_us;
    uint32_t rttvar_us;
    uint32_t snd_ssthresh;
    uint32_t snd_cwnd;
    uint32_t advmss;
    uint32_t reordering;
    uint32_t rcv_rtt_us;
    uint32_t rcv_space;
    uint32_t total_retrans;
    uint64_t pacing_rate;
    uint64_t max_pacing_rate;
    uint64_t bytes_acked;
    uint64_t bytes_received;
    uint32_t segs_out;
    uint32_t segs_in;
    uint32_t notsent_bytes;
    uint32_t min_rtt_us;
    uint32_t data_segs_in;
    uint32_t data_segs_out;
    uint64_t delivery_rate;
    uint64_t busy_time_us;
    uint64_t rwnd_limited_us;
    uint64_t sndbuf_limited_us;
    uint32_t delivered;
    uint32_t delivered_ce;
    uint64_t bytes_sent;
    uint64_t bytes_retrans;
    uint32_t dsack_dups;
    uint32_t reord_seen;
    uint32_t rcv_ooopack;
    uint32_t snd_wnd;
    uint32_t rcv_wnd;
    uint32_t rehash;
    uint16_t total_rto;
    uint16_t total_rto_recoveries;
    uint32_t total_rto_time_ms;
    uint32_t ecn[7]; /* received_ce .. received_ce_bytes */
    uint16_t accecn_fail_mode;
    uint16_t accecn_opt_seen;
};
_Static_assert(sizeof(struct linux_tcp_info) == 280, "the whole of Linux 6.18's");
_Static_assert(offsetof(struct linux_tcp_info, pacing_rate) == 104, "as in linux/tcp.h");
_Static_assert(offsetof(struct linux_tcp_info, delivery_rate) == 160, "as in linux/tcp.h");
_Static_assert(offsetof(struct linux_tcp_info, bytes_sent) == 200, "as in linux/tcp.h");
_Static_assert(offsetof(struct linux_tcp_info, rehash) == 236, "as in linux/tcp.h");

enum {
    OPTION_TIMESTAMPS = 1,
    OPTION_SACK = 2,
    OPTION_WSCALE = 4,
    OPTION_ECN = 8,
    OPTION_SYN_DATA = 32
};

#define SSTHRESH_INFINITE 0x7fffffffU
#define SSTHRESH_UNSET    (1U << 30) /* the engine's bytes, before any loss: at least that */
#define MSS_AT_FIRST      536U
#define CWND_AT_FIRST     10U
#define STATE_CLOSE       7U
#define STATE_LISTEN      10U

static const uint8_t state_number[SALUT_STATE_COUNT] = {
    [SALUT_STATE_CLOSED] = STATE_CLOSE, [SALUT_STATE_LISTEN] = STATE_LISTEN,
    [SALUT_STATE_SYN_SENT] = 2,         [SALUT_STATE_SYN_RECEIVED] = 3,
    [SALUT_STATE_ESTABLISHED] = 1,      [SALUT_STATE_FIN_WAIT_1] = 4,
    [SALUT_STATE_FIN_WAIT_2] = 5,       [SALUT_STATE_CLOSE_WAIT] = 8,
    [SALUT_STATE_CLOSING] = 11,         [SALUT_STATE_LAST_ACK] = 9,
    [SALUT_STATE_TIME_WAIT] = 6,
};

/* Bit-fields on the kernel's side: the order of their parts follows the machine's. */
static bool is_little_endian(void)
{
    const uint16_t probe = 1;
    return *(const uint8_t *)&probe == 1;
}

static uint8_t pack_wscales(const struct salut_info *info)
{
    bool little = is_little_endian();
    unsigned first = info->send_wscale & 15U;
    unsigned second = info->recv_wscale & 15U;
    return (uint8_t)(little ? first | second << 4 : first << 4 | second);
}

static uint8_t pack_options(const struct salut_info *info)
{
    unsigned options = info->timestamps_ok ? OPTION_TIMESTAMPS : 0;
    options |= info->sack_ok ? OPTION_SACK : 0;
    options |= info->wscale_ok ? OPTION_WSCALE : 0;
    options |= info->fast_open ? OPTION_SYN_DATA : 0;
    return (uint8_t)(options | (info->ecn_ok ? OPTION_ECN : 0U));
}

static uint32_t segments_of(int64_t bytes, uint32_t mss)
{
    return bytes <= 0 ? 0 : (uint32_t)((bytes + mss - 1) / mss);
}

static void fill_sending(const struct salut_info *info, uint32_t mss, struct linux_tcp_info *out)
{
    bool infinite = info->ssthresh_bytes >= SSTHRESH_UNSET;
    out->snd_mss = mss;
    out->snd_wnd = info->send_window;
    out->unacked = segments_of(info->send_nxt - info->send_una, mss);
    out->sacked = info->sacked_segments;
    out->lost = info->lost_segments;
    out->retrans = info->retrans_segments;
    out->snd_cwnd = info->cwnd_bytes / mss;
    out->snd_ssthresh = infinite ? SSTHRESH_INFINITE : info->ssthresh_bytes / mss;
    out->reordering = info->reordering == 0 ? 3 : info->reordering;
    out->notsent_bytes = info->send_unsent;
    out->total_retrans = info->retransmits;
    /* SOCK-80: on Linux the SYN of who opened counts, that of who accepted does not. */
    bool syn_counts = !info->passive && info->send_una > 0;
    out->bytes_acked = info->bytes_acked + (syn_counts ? 1U : 0U);
    out->bytes_sent = info->bytes_sent;
    out->bytes_retrans = info->bytes_retransmitted;
    out->segs_out = info->segs_out;
    out->data_segs_out = info->data_segs_out;
    out->delivered = (uint32_t)info->delivered;
    out->delivered_ce = info->ce_told;
    out->dsack_dups = info->dsack_dups;
    out->reord_seen = info->reord_seen;
    out->total_rto = (uint16_t)slt_min32(info->timeouts, UINT16_MAX);
    out->max_pacing_rate = info->pacing_max == 0 ? UINT64_MAX : info->pacing_max;
    out->pacing_rate = info->pacing_rate == 0 ? UINT64_MAX : info->pacing_rate;
    out->delivery_rate = info->delivery_rate;
    out->app_limited = info->delivery_app_limited ? (is_little_endian() ? 1 : 0x80) : 0;
    out->busy_time_us = (uint64_t)(info->busy_ns / SLT_NS_PER_US);
    out->rwnd_limited_us = (uint64_t)(info->limited_ns[SALUT_LIMIT_PEER_WINDOW] / SLT_NS_PER_US);
    out->sndbuf_limited_us = (uint64_t)(info->limited_ns[SALUT_LIMIT_SEND_BUFFER] / SLT_NS_PER_US);
}

static void fill_receiving(const struct salut_info *info, struct linux_tcp_info *out)
{
    out->rcv_mss = info->recv_mss;
    out->advmss = info->advertised_mss;
    out->rcv_wnd = info->recv_window;
    out->rcv_ssthresh = info->recv_buffer;
    out->rcv_space = info->recv_buffer;
    out->rcv_rtt_us = info->recv_rtt_us;
    out->rcv_ooopack = info->recv_ooo_segs;
    out->bytes_received = info->bytes_received;
    out->segs_in = info->segs_in;
}

static void fill_conn(const struct salut_info *info, struct linux_tcp_info *out)
{
    uint32_t mss = info->send_mss == 0 ? MSS_AT_FIRST : info->send_mss;
    out->state = state_number[info->state];
    out->ca_state = info->ca_state;
    out->retransmits = info->backoff;
    out->probes = info->probes;
    out->backoff = info->backoff;
    out->options = pack_options(info);
    out->wscales = info->wscale_ok ? pack_wscales(info) : 0;
    out->rto_us = info->rto_us;
    out->rtt_us = info->srtt_us;
    out->rttvar_us = info->rttvar_us;
    out->min_rtt_us = info->rtt_min_us == 0 ? UINT32_MAX : info->rtt_min_us;
    out->pmtu = info->pmtu;
    fill_sending(info, mss, out);
    fill_receiving(info, out);
}

int slt_opt_get_tcp_info(struct slt_sock_optcall *call)
{
    struct linux_tcp_info out = {.state = STATE_CLOSE,
                                 .snd_mss = MSS_AT_FIRST,
                                 .snd_cwnd = CWND_AT_FIRST,
                                 .snd_ssthresh = SSTHRESH_INFINITE,
                                 .reordering = 3};
    struct salut_info info;
    const struct slt_sock *sock = call->sock;
    if (sock->phase == SLT_SOCK_LISTENING) {
        out.state = STATE_LISTEN;
    } else if (sock->has_conn &&
               salut_get_info(call->socks->stack, sock->conn, &info) == SALUT_OK) {
        fill_conn(&info, &out);
    }
    return slt_opt_put(call, &out, sizeof(out));
}
