/* See shard_sort.h.
 *
 * To all go answers about neighbours and routers (ARP replies and announcements, neighbour and
 * router advertisements, redirects) and ICMP errors: any shard may have asked, and any may have the
 * connection. Questions stay: one answer is enough. A pure SYN stays too, for the shard it comes to
 * makes the connection; every other segment belongs to a connection.
 */
#include "sock/shard_sort.h"

#include "base/span.h"
#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6_ext.h"
#include "wire/tcp.h"

#include <string.h>

#define TCP_HEADER_BYTES 20U
#define TCP_FLAGS_AT     13U

/* What lies in an IP packet, without options and extension headers. */
struct inner {
    const uint8_t *src;
    const uint8_t *dst;
    uint8_t protocol;
    bool fragment;
    struct slt_span payload;
};

static enum slt_shard_way sort_arp(struct slt_span packet)
{
    struct slt_arp arp;
    if (slt_arp_parse(packet, &arp) != SLT_PASS) {
        return SLT_SHARD_HERE;
    }
    bool announces = memcmp(arp.sender_ip, arp.target_ip, sizeof(arp.sender_ip)) == 0;
    return arp.op == SLT_ARP_REPLY || announces ? SLT_SHARD_ALL : SLT_SHARD_HERE;
}

static enum slt_shard_way sort_tcp(const struct inner *in, struct slt_tcp_id *id)
{
    const uint8_t *tcp = in->payload.data;
    if (in->fragment) {
        return SLT_SHARD_NONE;
    }
    if (in->payload.bytes < TCP_HEADER_BYTES ||
        (tcp[TCP_FLAGS_AT] & (SLT_TCP_SYN | SLT_TCP_ACK)) == SLT_TCP_SYN) {
        return SLT_SHARD_HERE;
    }
    memcpy(id->local, in->dst, sizeof(id->local));
    memcpy(id->remote, in->src, sizeof(id->remote));
    id->remote_port = slt_get_u16(tcp);
    id->local_port = slt_get_u16(tcp + 2);
    return SLT_SHARD_FLOW;
}

static enum slt_shard_way sort_icmp4(uint8_t type)
{
    switch (type) {
    case SLT_ICMP4_UNREACHABLE:
    case SLT_ICMP4_TIME_EXCEEDED:
    case SLT_ICMP4_PARAMETER_PROBLEM:
        return SLT_SHARD_ALL;
    default:
        return SLT_SHARD_HERE;
    }
}

static enum slt_shard_way sort_icmp6(uint8_t type)
{
    switch (type) {
    case SLT_ICMP6_UNREACHABLE:
    case SLT_ICMP6_PACKET_TOO_BIG:
    case SLT_ICMP6_TIME_EXCEEDED:
    case SLT_ICMP6_PARAMETER_PROBLEM:
    case SLT_ICMP6_ROUTER_ADVERT:
    case SLT_ICMP6_NEIGHBOUR_ADVERT:
    case SLT_ICMP6_REDIRECT:
        return SLT_SHARD_ALL;
    default:
        return SLT_SHARD_HERE;
    }
}

static enum slt_shard_way sort_inner(const struct inner *in, struct slt_tcp_id *id)
{
    if (in->protocol == SLT_IP_PROTOCOL_TCP) {
        return sort_tcp(in, id);
    }
    if (in->fragment || in->payload.bytes == 0) {
        return SLT_SHARD_HERE;
    }
    if (in->protocol == SLT_IP_PROTOCOL_ICMP4) {
        return sort_icmp4(in->payload.data[0]);
    }
    return in->protocol == SLT_IP_PROTOCOL_ICMP6 ? sort_icmp6(in->payload.data[0]) : SLT_SHARD_HERE;
}

static enum slt_shard_way sort_ip4(struct slt_span packet, struct slt_tcp_id *id)
{
    struct slt_ipv4 ip;
    if (slt_ipv4_parse(packet, &ip) != SLT_PASS) {
        return SLT_SHARD_HERE;
    }
    struct inner in = {.src = ip.src,
                       .dst = ip.dst,
                       .protocol = ip.protocol,
                       .fragment = slt_ipv4_is_fragment(&ip),
                       .payload = {ip.payload, ip.payload_bytes}};
    return sort_inner(&in, id);
}

static enum slt_shard_way sort_ip6(struct slt_span packet, struct slt_tcp_id *id)
{
    struct slt_ipv6 ip;
    struct slt_ipv6_chain chain;
    if (slt_ipv6_parse(packet, &ip) != SLT_PASS ||
        slt_ipv6_ext_walk(&ip, false, &chain) != SLT_PASS) {
        return SLT_SHARD_HERE;
    }
    struct inner in = {.src = ip.src,
                       .dst = ip.dst,
                       .protocol = chain.next_header,
                       .fragment = chain.fragmented,
                       .payload = {chain.payload, chain.payload_bytes}};
    return sort_inner(&in, id);
}

enum slt_shard_way slt_shard_sort(enum salut_link_kind kind, const struct salut_rx_frame *frame,
                                  struct slt_tcp_id *id)
{
    struct slt_span packet = {frame->data, frame->bytes};
    uint16_t type = 0;
    if (kind == SALUT_LINK_ETHERNET) {
        struct slt_ethernet eth;
        if (slt_ethernet_parse(packet, &eth) != SLT_PASS) {
            return SLT_SHARD_HERE;
        }
        packet = (struct slt_span){eth.payload, eth.payload_bytes};
        type = eth.type;
    } else if (packet.bytes > 0) {
        type = packet.data[0] >> 4 == 4 ? SLT_ETHERTYPE_IPV4 : SLT_ETHERTYPE_IPV6;
    }
    switch (type) {
    case SLT_ETHERTYPE_ARP:
        return sort_arp(packet);
    case SLT_ETHERTYPE_IPV4:
        return sort_ip4(packet, id);
    case SLT_ETHERTYPE_IPV6:
        return sort_ip6(packet, id);
    default:
        return SLT_SHARD_HERE;
    }
}
