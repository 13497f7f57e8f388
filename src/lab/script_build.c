/* Inbound packets: from the script's words to bytes.
 *
 * The peer is a model host: checksums are right (unless [badsum]), DF is set, the hop limit is
 * 64, payloads are zeros. What the peer echoes of ours (acknowledgements, SACK blocks,
 * timestamps) is translated from the script's numbers into those the stack really sent.
 */
#include "lab/script_flow.h"

#include "wire/checksum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

#include <string.h>

#define QUOTE_BYTES 8U

static bool is_v4(const salut_addr *addr)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(addr->b, prefix, sizeof(prefix)) == 0;
}

/* ---- options ------------------------------------------------------------------------------- */

static void write_sack(const struct slt_script_option *option, uint32_t isn, struct slt_writer *w)
{
    slt_write_u8(w, 5);
    slt_write_u8(w, (uint8_t)(2U + 8U * option->count));
    for (uint32_t i = 0; i < 2U * option->count; i++) {
        slt_write_u32(w, option->number[i] + isn);
    }
}

static void write_cookie(const struct slt_script_option *option, struct slt_writer *w)
{
    bool experiment = option->kind == SLT_OPTION_EXPERIMENT;
    slt_write_u8(w, (uint8_t)option->kind);
    slt_write_u8(w, (uint8_t)(option->count + (experiment ? 4U : 2U)));
    if (experiment) {
        slt_write_u16(w, 0xf989); /* RFC 7413 4.1.1: the experiment's number */
    }
    slt_write_bytes(w, option->raw, option->count);
}

static void write_option(const struct slt_script_option *option, uint32_t isn, struct slt_writer *w)
{
    switch ((enum slt_script_option_kind)option->kind) {
    case SLT_OPTION_EOL:
    case SLT_OPTION_NOP:
        slt_write_u8(w, (uint8_t)option->kind);
        break;
    case SLT_OPTION_MSS:
    case SLT_OPTION_USER_TIMEOUT:
        slt_write_u8(w, (uint8_t)option->kind);
        slt_write_u8(w, 4);
        slt_write_u16(w, (uint16_t)option->number[0]);
        break;
    case SLT_OPTION_WSCALE:
        slt_write_u8(w, 3);
        slt_write_u8(w, 3);
        slt_write_u8(w, (uint8_t)option->number[0]);
        break;
    case SLT_OPTION_SACK_OK:
        slt_write_u8(w, 4);
        slt_write_u8(w, 2);
        break;
    case SLT_OPTION_SACK:
        write_sack(option, isn, w);
        break;
    case SLT_OPTION_TIMESTAMPS:
        slt_write_u8(w, 8);
        slt_write_u8(w, 10);
        slt_write_u32(w, option->number[0]);
        slt_write_u32(w, option->number[1]);
        break;
    case SLT_OPTION_MD5:
    case SLT_OPTION_FAST_OPEN:
    case SLT_OPTION_EXPERIMENT:
        write_cookie(option, w);
        break;
    case SLT_OPTION_RAW:
        slt_write_bytes(w, option->raw, option->count);
        break;
    }
}

uint32_t slt_packet_options(const struct slt_script_packet *packet, uint32_t isn, uint8_t out[40],
                            bool *fits)
{
    struct slt_writer w = slt_writer_of(out, 40);

    for (uint32_t i = 0; i < packet->option_count; i++) {
        write_option(&packet->options[i], isn, &w);
    }
    *fits = !w.failed;
    while (!w.failed && w.at % 4 != 0) {
        slt_write_u8(&w, 0);
    }
    return w.failed ? 0 : w.at;
}

/* The timestamp the stack really sent for the one the script says is echoed. */
static uint32_t wire_echo(const struct slt_script_flow *flow, uint32_t written)
{
    uint32_t kept = flow->time_count < SLT_FLOW_TIMES ? flow->time_count : SLT_FLOW_TIMES;

    for (uint32_t i = 0; i < kept; i++) {
        uint32_t at = (flow->time_count - 1 - i) % SLT_FLOW_TIMES;
        if (flow->times_script[at] == written) {
            return flow->times_wire[at];
        }
    }
    if (!flow->ts_known || written == 0) {
        return written;
    }
    return flow->ts_wire + (written - flow->ts_script);
}

static void map_echoes(const struct slt_script_flow *flow, struct slt_script_packet *packet)
{
    for (uint32_t i = 0; i < packet->option_count; i++) {
        if (packet->options[i].kind == SLT_OPTION_TIMESTAMPS) {
            packet->options[i].number[1] = wire_echo(flow, packet->options[i].number[1]);
        }
    }
}

/* ---- headers ------------------------------------------------------------------------------- */

/* Put an IP header in front of a transport message that stands at out + 40 (or + 20). */
static uint32_t write_ip(struct slt_script_flows *flows, const struct slt_script_packet *packet,
                         uint8_t protocol, uint8_t *out, uint32_t bytes)
{
    uint8_t tos = packet->tos == SLT_SCRIPT_UNSAID ? 0 : (uint8_t)packet->tos;
    uint8_t ttl = packet->ttl == SLT_SCRIPT_UNSAID ? 64 : (uint8_t)packet->ttl;
    uint8_t ecn = packet->ecn == SLT_SCRIPT_UNSAID ? tos & 3U : (uint8_t)packet->ecn;
    struct slt_writer w = slt_writer_of(out, SLT_IPV6_HEADER_BYTES);

    if (is_v4(&flows->local)) {
        struct slt_ipv4 ip = {.dscp = (uint8_t)(tos >> 2),
                              .ecn = ecn,
                              .ttl = ttl,
                              .protocol = protocol,
                              .id = ++flows->ip_id,
                              .dont_fragment = true,
                              .payload_bytes = bytes};
        memcpy(ip.src, flows->remote.b, 16);
        memcpy(ip.dst, flows->local.b, 16);
        return slt_ipv4_emit(&ip, &w) + bytes;
    }
    struct slt_ipv6 ip = {.dscp = (uint8_t)(tos >> 2),
                          .ecn = ecn,
                          .next_header = protocol,
                          .hop_limit = ttl,
                          .payload_bytes = bytes};
    memcpy(ip.src, flows->remote.b, 16);
    memcpy(ip.dst, flows->local.b, 16);
    return slt_ipv6_emit(&ip, &w) + bytes;
}

static uint32_t ip_bytes(const struct slt_script_flows *flows)
{
    return is_v4(&flows->local) ? SLT_IPV4_HEADER_BYTES : SLT_IPV6_HEADER_BYTES;
}

static void seal(const struct slt_script_flows *flows, uint8_t protocol, uint8_t *message,
                 uint32_t bytes, uint32_t checksum_at)
{
    uint32_t sum = slt_checksum_pseudo(flows->remote.b, flows->local.b, protocol, bytes);
    uint16_t checksum = slt_checksum_finish(slt_checksum_add(sum, message, bytes));

    message[checksum_at] = (uint8_t)(checksum >> 8);
    message[checksum_at + 1] = (uint8_t)checksum;
}

/* ---- TCP ----------------------------------------------------------------------------------- */

static struct slt_script_flow *flow_of(struct slt_script_flows *flows,
                                       const struct slt_script_packet *packet)
{
    if (!packet->has_ports) {
        return slt_flow_current(flows);
    }
    struct slt_script_flow *flow = slt_flow_find(flows, packet->dst_port, packet->src_port);
    if (flow) {
        slt_flow_set_current(flows, flow);
    }
    return flow;
}

static uint32_t build_tcp(struct slt_script_flows *flows, struct slt_script_packet *packet,
                          uint8_t *out, const char **complaint)
{
    struct slt_script_flow *flow = flow_of(flows, packet);
    uint8_t options[40];
    bool fits;

    if (!flow) {
        *complaint = "this script has too many connections";
        return 0;
    }
    map_echoes(flow, packet);
    uint32_t option_bytes =
        slt_packet_options(packet, flow->isn_known ? flow->isn : 0, options, &fits);
    if (!fits) {
        *complaint = "these options do not fit in 40 bytes";
        return 0;
    }
    struct slt_writer w = slt_writer_of(out + ip_bytes(flows), 60);
    slt_write_u16(&w, flow->remote_port);
    slt_write_u16(&w, flow->local_port);
    slt_write_u32(&w, packet->seq);
    slt_write_u32(&w, packet->has_ack ? packet->ack + (flow->isn_known ? flow->isn : 0) : 0);
    slt_write_u16(&w, (uint16_t)((5U + option_bytes / 4U) << 12 | packet->flags));
    slt_write_u16(&w, packet->has_window ? packet->window : UINT16_MAX);
    slt_write_u16(&w, 0);
    slt_write_u16(&w, packet->urgent);
    slt_write_bytes(&w, options, option_bytes);
    uint8_t *message = out + ip_bytes(flows);
    memset(message + w.at, 0, packet->payload_bytes);
    uint32_t bytes = w.at + packet->payload_bytes;
    seal(flows, SLT_IP_PROTOCOL_TCP, message, bytes, 16);
    message[17] ^= packet->bad_checksum ? 0x55 : 0;
    if ((packet->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == SLT_TCP_SYN) {
        flow->isn_open = true;
    }
    return write_ip(flows, packet, SLT_IP_PROTOCOL_TCP, out, bytes);
}

/* ---- ICMP and UDP -------------------------------------------------------------------------- */

/* What a router quotes: our header, and the first eight bytes of our segment. */
static uint32_t build_quote(const struct slt_script_flows *flows,
                            const struct slt_script_packet *packet,
                            const struct slt_script_flow *flow, uint8_t quote[64])
{
    struct slt_writer w = slt_writer_of(quote, 64);
    uint32_t payload = SLT_TCP_HEADER_BYTES + packet->echo_bytes;

    if (is_v4(&flows->local)) {
        struct slt_ipv4 ip = {.ttl = 63,
                              .protocol = SLT_IP_PROTOCOL_TCP,
                              .dont_fragment = true,
                              .payload_bytes = payload};
        memcpy(ip.src, flows->local.b, 16);
        memcpy(ip.dst, flows->remote.b, 16);
        slt_ipv4_emit(&ip, &w);
    } else {
        struct slt_ipv6 ip = {
            .next_header = SLT_IP_PROTOCOL_TCP, .hop_limit = 63, .payload_bytes = payload};
        memcpy(ip.src, flows->local.b, 16);
        memcpy(ip.dst, flows->remote.b, 16);
        slt_ipv6_emit(&ip, &w);
    }
    slt_write_u16(&w, flow->local_port);
    slt_write_u16(&w, flow->remote_port);
    slt_write_u32(&w, packet->echo_seq + (flow->isn_known ? flow->isn : 0));
    SLT_ASSERT(!w.failed);
    return w.at;
}

static uint32_t build_icmp(struct slt_script_flows *flows, const struct slt_script_packet *packet,
                           uint8_t *out, const char **complaint)
{
    const struct slt_script_flow *flow = slt_flow_current(flows);
    uint8_t quote[64];
    struct slt_writer w = slt_writer_of(out + ip_bytes(flows), 256);
    uint32_t bytes;

    if (!flow) {
        *complaint = "this script has too many connections";
        return 0;
    }
    uint32_t quoted = build_quote(flows, packet, flow, quote);
    if (is_v4(&flows->local)) {
        struct slt_icmp4 icmp = {.type = packet->icmp_type,
                                 .code = packet->icmp_code,
                                 .mtu = (uint16_t)packet->icmp_mtu,
                                 .data = quote,
                                 .data_bytes = quoted};
        bytes = slt_icmp4_emit(&icmp, &w);
        return write_ip(flows, packet, SLT_IP_PROTOCOL_ICMP4, out, bytes);
    }
    struct slt_icmp6 icmp = {.type = packet->icmp_type,
                             .code = packet->icmp_code,
                             .mtu = packet->icmp_mtu,
                             .data = quote,
                             .data_bytes = quoted};
    bytes = slt_icmp6_emit(&icmp, flows->remote.b, flows->local.b, &w);
    return write_ip(flows, packet, SLT_IP_PROTOCOL_ICMP6, out, bytes);
}

static uint32_t build_udp(struct slt_script_flows *flows, const struct slt_script_packet *packet,
                          uint8_t *out)
{
    struct slt_writer w = slt_writer_of(out + ip_bytes(flows), SLT_UDP_HEADER_BYTES);
    struct slt_udp_datagram udp = {.src_port = flows->options->remote_port,
                                   .dst_port = flows->options->bind_port,
                                   .payload_bytes = packet->payload_bytes};
    uint32_t bytes = slt_udp_emit(&udp, &w) + packet->payload_bytes;
    uint8_t *message = out + ip_bytes(flows);

    memset(message + SLT_UDP_HEADER_BYTES, 0, packet->payload_bytes);
    seal(flows, SLT_IP_PROTOCOL_UDP, message, bytes, 6);
    return write_ip(flows, packet, SLT_IP_PROTOCOL_UDP, out, bytes);
}

uint32_t slt_packet_build(struct slt_script_flows *flows, const struct slt_script_packet *packet,
                          uint8_t *out, uint32_t room, const char **complaint)
{
    struct slt_script_packet copy = *packet;

    SLT_ASSERT(room >= 65600);
    *complaint = NULL;
    if (packet->protocol == SLT_SCRIPT_ICMP) {
        return build_icmp(flows, packet, out, complaint);
    }
    if (packet->protocol == SLT_SCRIPT_UDP) {
        return build_udp(flows, packet, out);
    }
    return build_tcp(flows, &copy, out, complaint);
}
