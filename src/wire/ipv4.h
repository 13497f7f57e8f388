/* The IPv4 header (RFC 791, RFC 1122 3.2.1, RFC 6864).
 *
 * Parsing proves that the header and the length are consistent, that the checksum is right and
 * that every option has a possible length; which addresses are good and whether a source route is
 * refused is floor 3's decision. The payload ends where the total length says, so that link
 * padding never reaches a transport.
 */
#ifndef SLT_WIRE_IPV4_H
#define SLT_WIRE_IPV4_H

#include "base/reason.h"
#include "base/span.h"
#include "wire/checksum.h"

#define SLT_IPV4_HEADER_BYTES 20
#define SLT_IPV4_HEADER_MAX   60
#define SLT_IPV4_OPTIONS_MAX  40

#define SLT_IPV4_DF 0x4000U /* beside the fragment offset */
#define SLT_IPV4_MF 0x2000U

enum slt_ip_protocol {
    SLT_IP_PROTOCOL_ICMP4 = 1,
    SLT_IP_PROTOCOL_TCP = 6,
    SLT_IP_PROTOCOL_UDP = 17,
    SLT_IP_PROTOCOL_ICMP6 = 58
};

/* Explicit congestion notification, the low two bits of the traffic class (RFC 3168 5). */
enum slt_ecn { SLT_ECN_NONE = 0, SLT_ECN_ECT1 = 1, SLT_ECN_ECT0 = 2, SLT_ECN_CE = 3 };

struct slt_ipv4 {
    uint8_t src[16]; /* v4-mapped, as every address */
    uint8_t dst[16];
    uint8_t dscp; /* 6 bits */
    uint8_t ecn;  /* of enum slt_ecn */
    uint8_t ttl;
    uint8_t protocol;
    uint16_t id;
    uint16_t fragment_offset; /* in bytes, a multiple of 8 up to 65528 */
    bool more_fragments;
    bool dont_fragment;
    bool source_route;      /* the options hold LSRR or SSRR; ignored by emit */
    uint8_t options_bytes;  /* a multiple of 4, at most 40 */
    const uint8_t *options; /* borrowed */
    const uint8_t *payload; /* borrowed */
    uint32_t payload_bytes; /* emit's total length is header plus this; at most 65535 in all */
};

static inline bool slt_ipv4_is_fragment(const struct slt_ipv4 *ip)
{
    return ip->more_fragments || ip->fragment_offset != 0;
}

/* SLT_PASS, or SLT_DROP_IP_VERSION, _IP_LENGTH, _IP_CHECKSUM, _IP_OPTION_MALFORMED. */
SLT_MUST_USE enum slt_reason slt_ipv4_parse(struct slt_span packet, struct slt_ipv4 *out);

/* The same for a packet quoted in an ICMP error: it may be cut, its length and checksum may have
 * been rewritten on the way, so neither is judged; the payload is what is there of it. */
SLT_MUST_USE enum slt_reason slt_ipv4_parse_quoted(struct slt_span quote, struct slt_ipv4 *out);

/* Write the header with its checksum, not the payload. Returns bytes, 0 if no room. It stands here
 * because what a caller leaves out, most of the fields, then costs nothing. */
static inline uint32_t slt_ipv4_emit(const struct slt_ipv4 *ip, struct slt_writer *w)
{
    const uint32_t header_bytes = SLT_IPV4_HEADER_BYTES + (uint32_t)ip->options_bytes;
    SLT_ASSERT(ip->options_bytes <= SLT_IPV4_OPTIONS_MAX && ip->options_bytes % 4 == 0);
    SLT_ASSERT(ip->payload_bytes <= 65535U - header_bytes);
    SLT_ASSERT(ip->fragment_offset % 8 == 0);
    uint8_t *header = slt_write_room(w, header_bytes);
    if (!header) {
        return 0;
    }
    const uint32_t lead = (0x40U | header_bytes / 4) << 24 |
                          (uint32_t)(ip->dscp << 2 | (ip->ecn & 3)) << 16 |
                          (header_bytes + ip->payload_bytes);
    const uint32_t middle = (uint32_t)ip->id << 16 | (ip->dont_fragment ? SLT_IPV4_DF : 0) |
                            (ip->more_fragments ? SLT_IPV4_MF : 0) | ip->fragment_offset / 8U;
    const uint32_t last = (uint32_t)ip->ttl << 24 | (uint32_t)ip->protocol << 16;
    const uint32_t src = slt_get_u32(ip->src + 12);
    const uint32_t dst = slt_get_u32(ip->dst + 12);
    /* The sum of what is at hand: to read back what was just written in pieces is slow. */
    const uint64_t whole = (uint64_t)lead + middle + last + src + dst;
    uint32_t sum =
        (uint32_t)(whole & 0xffffU) + (uint32_t)(whole >> 16 & 0xffffU) + (uint32_t)(whole >> 32);
    if (ip->options_bytes > 0) {
        memcpy(header + SLT_IPV4_HEADER_BYTES, ip->options, ip->options_bytes);
        sum = slt_checksum_add(sum, ip->options, ip->options_bytes);
    }
    slt_put_u32(header, lead);
    slt_put_u32(header + 4, middle);
    slt_put_u32(header + 8, last | slt_checksum_finish(sum));
    slt_put_u32(header + 12, src);
    slt_put_u32(header + 16, dst);
    return header_bytes;
}

/* "10.0.0.1 > 10.0.0.2: proto 6, ttl 64, id 7, [DF], length 40"; snprintf's count. */
int slt_ipv4_print(const struct slt_ipv4 *ip, char *out, size_t size);

#endif
