/* Sending: the headers in front of a transport header, and how a packet is cut when it must be.
 *
 * RFC 791, 894, 1122 3.2.1, 1191, 6864 (IPv4), RFC 2464, 8200 (IPv6), RFC 7739 (identifications).
 */
#ifndef SLT_IP_OUTPUT_H
#define SLT_IP_OUTPUT_H

#include "base/prng.h"
#include "base/span.h"
#include "ip/iface.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6_ext.h"

/* The most that slt_ip_emit writes. */
#define SLT_IP_HEADERS_MAX                                                                         \
    (SLT_ETHERNET_HEADER_BYTES + SLT_IPV6_HEADER_BYTES + SLT_IPV6_FRAGMENT_BYTES)

struct slt_ip_send {
    uint8_t src[16];
    uint8_t dst[16];
    uint8_t dst_mac[6]; /* Ethernet links */
    uint8_t protocol;   /* of the transport */
    uint8_t ttl;        /* 0: the interface's */
    uint8_t ecn;
    uint8_t dscp;
    uint32_t flow_label;    /* IPv6 */
    uint32_t payload_bytes; /* transport header and data in this packet */
    bool fragment;          /* a piece: the next three count, and DF is not set */
    bool more;
    uint32_t offset;
    uint32_t id;
};

/* Bytes that slt_ip_emit writes for this packet, and how many of them precede the IP header. */
uint32_t slt_ip_header_bytes(const struct slt_ip_iface *iface, const struct slt_ip_send *send);

static inline uint32_t slt_ip_network_offset(const struct slt_ip_iface *iface)
{
    return iface->link_kind == SALUT_LINK_ETHERNET ? SLT_ETHERNET_HEADER_BYTES : 0;
}

/* Write the link and network headers. Returns bytes, 0 if no room. */
uint32_t slt_ip_emit(const struct slt_ip_iface *iface, const struct slt_ip_send *send,
                     struct slt_writer *w);

/* Describe, in `send`, the piece of a payload of `total_bytes` that starts at `send->offset`, for
 * packets of at most `mtu` bytes: sets payload_bytes, more and fragment. A payload that fits whole
 * stays whole. */
void slt_ip_cut(struct slt_ip_send *send, uint32_t total_bytes, uint32_t mtu);

/* An identification for a packet that is cut, which nobody can predict (J08, RFC 7739 5.3). */
static inline uint32_t slt_ip_draw_id(struct slt_prng_secret *prng)
{
    return (uint32_t)slt_prng_secret_u64(prng);
}

#endif
