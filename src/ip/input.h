/* Receiving: from the bytes of an IP packet to a transport payload whose addresses are judged.
 *
 * wire/ has proved that lengths and checksums hold; here the packet is held against the interface:
 * may such a source be, is the destination ours, is the way it came by allowed. What passes is
 * either whole or a fragment for ip/frag.h. A drop that the sender is to hear about says so in
 * `error`; whether one is really sent is decided in ip/icmp.h, once, for all of them.
 *
 * RFC 1122 3.2.1, 3.3.6; RFC 8200 4; RFC 4291 2.7; RFC 6980.
 */
#ifndef SLT_IP_INPUT_H
#define SLT_IP_INPUT_H

#include "base/reason.h"
#include "base/span.h"
#include "ip/iface.h"
#include "wire/ipv4.h"
#include "wire/ipv6_ext.h"

/* An ICMP error that the sender of a packet should get. */
struct slt_ip_error {
    bool due;
    bool even_multicast; /* RFC 4443 2.4 (e.3): though the destination is a group */
    uint8_t type;        /* of the packet's family's ICMP */
    uint8_t code;
    uint32_t param; /* the second word: MTU or pointer */
};

/* How the packet came. */
enum slt_ip_way {
    SLT_IP_WAY_LINK_GROUP = 1,  /* in a link-layer broadcast or multicast frame */
    SLT_IP_WAY_LOOPBACK = 2,    /* from ourselves: our own and loopback sources are right */
    SLT_IP_WAY_TRANSPARENT = 4, /* unicast for others is taken too, marked foreign */
    SLT_IP_WAY_REASSEMBLED = 8  /* from ip/frag.h */
};

struct slt_ip_packet {
    uint8_t family;   /* 4 or 6 */
    uint8_t protocol; /* what the payload is; for an IPv6 fragment, its header's next header */
    uint8_t ttl;      /* or hop limit */
    uint8_t ecn;
    uint8_t dscp;
    uint8_t target; /* enum slt_ip_target of dst */
    uint8_t way;    /* of enum slt_ip_way */
    bool foreign;   /* transparent mode: dst is not ours */
    uint8_t src[16];
    uint8_t dst[16];
    struct slt_span packet;  /* the whole packet without link padding; borrowed */
    struct slt_span payload; /* borrowed */
    uint32_t header_bytes;   /* everything before the payload */

    bool fragment; /* the payload is a piece: see the next fields */
    bool more;
    bool dont_fragment;      /* IPv4 */
    uint32_t offset;         /* bytes */
    uint32_t id;             /* IPv4: of any packet */
    uint32_t next_header_at; /* IPv6 fragment: where "fragment header" is written, in `packet` */

    struct slt_ip_error error;
};

/* SLT_PASS with *out filled in, or why the packet is dropped; out->packet, addresses and target
 * are then right as far as out->error is due. `way` is of enum slt_ip_way. */
SLT_MUST_USE enum slt_reason slt_ip_parse(struct slt_ip_iface *iface, struct slt_span packet,
                                          uint8_t way, struct slt_ip_packet *out);

#endif
