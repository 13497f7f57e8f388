/* The IPv6 fixed header (RFC 8200 3). Extension headers are wire/ipv6_ext.h's. */
#ifndef SLT_WIRE_IPV6_H
#define SLT_WIRE_IPV6_H

#include "base/reason.h"
#include "base/span.h"

#define SLT_IPV6_HEADER_BYTES 40

struct slt_ipv6 {
    uint8_t src[16];
    uint8_t dst[16];
    uint32_t flow_label; /* 20 bits */
    uint8_t dscp;        /* 6 bits */
    uint8_t ecn;         /* of enum slt_ecn in wire/ipv4.h */
    uint8_t next_header;
    uint8_t hop_limit;
    const uint8_t *payload; /* borrowed; extension headers included */
    uint32_t payload_bytes; /* at most 65535: jumbograms (RFC 2675) are not taken */
};

/* SLT_PASS, SLT_DROP_IP_VERSION or SLT_DROP_IP_LENGTH. */
SLT_MUST_USE enum slt_reason slt_ipv6_parse(struct slt_span packet, struct slt_ipv6 *out);

/* The same for a packet quoted in an ICMPv6 error, which may be cut: the payload is what is there.
 */
SLT_MUST_USE enum slt_reason slt_ipv6_parse_quoted(struct slt_span quote, struct slt_ipv6 *out);

/* Write the header, not the payload. Returns bytes, 0 if no room. */
uint32_t slt_ipv6_emit(const struct slt_ipv6 *ip, struct slt_writer *w);

/* "fe80::1 > ff02::1: next 58, hlim 255, length 24"; snprintf's count. */
int slt_ipv6_print(const struct slt_ipv6 *ip, char *out, size_t size);

#endif
