/* Packets of the stack's, read strictly: where the original tool looks away, this does not.
 *
 * A packet that goes out has right lengths and checksums (IPv4 header and TCP), no reserved bit,
 * an urgent pointer only with URG, an acknowledgement number only with ACK, no IP options, and is
 * no fragment. TCP over IPv4 has DF set, because path MTU discovery is on (RFC 1191 3).
 */
#include "lab/script_flow.h"

#include "wire/checksum.h"
#include "wire/ipv6.h"

#include <string.h>

static void parse_v4(struct slt_live_packet *live)
{
    struct slt_ipv4 ip;
    enum slt_reason why = slt_ipv4_parse((struct slt_span){live->data, live->bytes}, &ip);

    if (why != SLT_PASS) {
        live->fault = slt_reason_sentence(why);
        return;
    }
    memcpy(live->src, ip.src, 16);
    memcpy(live->dst, ip.dst, 16);
    live->protocol = ip.protocol;
    live->ecn = ip.ecn;
    live->dscp = ip.dscp;
    live->ttl = ip.ttl;
    live->dont_fragment = ip.dont_fragment;
    live->transport = ip.payload;
    live->transport_bytes = ip.payload_bytes;
    if (slt_ipv4_is_fragment(&ip)) {
        live->fault = "the packet is a fragment";
    } else if (ip.options_bytes > 0) {
        live->fault = "the packet has IP options";
    } else if ((uint32_t)(ip.payload - live->data) + ip.payload_bytes != live->bytes) {
        live->fault = "the total length is not the packet's length";
    } else if (ip.protocol == SLT_IP_PROTOCOL_TCP && !ip.dont_fragment) {
        live->fault = "a TCP segment left without DF";
    }
}

static void parse_v6(struct slt_live_packet *live)
{
    struct slt_ipv6 ip;
    enum slt_reason why = slt_ipv6_parse((struct slt_span){live->data, live->bytes}, &ip);

    if (why != SLT_PASS) {
        live->fault = slt_reason_sentence(why);
        return;
    }
    memcpy(live->src, ip.src, 16);
    memcpy(live->dst, ip.dst, 16);
    live->protocol = ip.next_header;
    live->ecn = ip.ecn;
    live->dscp = ip.dscp;
    live->ttl = ip.hop_limit;
    live->dont_fragment = true;
    live->transport = ip.payload;
    live->transport_bytes = ip.payload_bytes;
    if (SLT_IPV6_HEADER_BYTES + ip.payload_bytes != live->bytes) {
        live->fault = "the payload length is not the packet's length";
    }
}

static void parse_tcp(struct slt_live_packet *live)
{
    struct slt_span message = {live->transport, live->transport_bytes};
    enum slt_reason why = slt_tcp_parse(message, &live->seg);

    if (why != SLT_PASS) {
        live->fault = slt_reason_sentence(why);
        return;
    }
    live->option_bytes = live->transport + SLT_TCP_HEADER_BYTES;
    live->option_byte_count =
        live->transport_bytes - live->seg.payload_bytes - SLT_TCP_HEADER_BYTES;
    uint32_t sum =
        slt_checksum_pseudo(live->src, live->dst, SLT_IP_PROTOCOL_TCP, live->transport_bytes);
    if (slt_checksum_finish(slt_checksum_add(sum, live->transport, live->transport_bytes)) != 0) {
        live->fault = "the TCP checksum is wrong";
    } else if ((live->transport[12] & 0x0eU) != 0) {
        live->fault = "a reserved bit of the TCP header is set";
    } else if (live->seg.urgent != 0 && (live->seg.flags & SLT_TCP_URG) == 0) {
        live->fault = "the urgent pointer is set without URG";
    } else if (live->seg.ack != 0 && (live->seg.flags & SLT_TCP_ACK) == 0) {
        live->fault = "the acknowledgement number is set without ACK";
    }
}

void slt_live_parse(struct slt_live_packet *live, const struct slt_host *host,
                    const struct slt_script_host_packet *packet)
{
    memset(live, 0, sizeof(*live));
    live->at_ns = packet->at_ns;
    live->why = packet->why;
    live->data = slt_script_host_bytes(host, packet);
    live->bytes = packet->bytes;
    if (live->bytes > 0 && live->data[0] >> 4 == 4) {
        parse_v4(live);
    } else {
        parse_v6(live);
    }
    if (live->transport && live->protocol == SLT_IP_PROTOCOL_TCP) {
        const char *ip_fault = live->fault;
        parse_tcp(live);
        live->fault = ip_fault ? ip_fault : live->fault;
    }
}
