/* The UDP header (RFC 768, RFC 1122 4.1.3, RFC 8200 8.1). */
#ifndef SLT_WIRE_UDP_H
#define SLT_WIRE_UDP_H

#include "base/reason.h"
#include "base/span.h"

#define SLT_UDP_HEADER_BYTES 8

struct slt_udp_datagram {
    uint16_t src_port; /* 0: the sender wants no answer */
    uint16_t dst_port;
    uint16_t checksum;      /* as received; 0: none, which only IPv4 allows; ignored by emit */
    const uint8_t *payload; /* borrowed */
    uint32_t payload_bytes; /* at most 65527 */
};

/* SLT_PASS or SLT_DROP_UDP_MALFORMED. Checks no checksum: that needs the addresses. It covers
 * SLT_UDP_HEADER_BYTES + payload_bytes, not what may follow in the packet. */
SLT_MUST_USE enum slt_reason slt_udp_parse(struct slt_span packet, struct slt_udp_datagram *out);

/* Write the header, checksum field 0, not the payload. Returns bytes, 0 if no room. The caller
 * sends a computed checksum of 0 as 0xffff (RFC 768). */
uint32_t slt_udp_emit(const struct slt_udp_datagram *udp, struct slt_writer *w);

/* "5353 > 53: udp, length 20"; snprintf's count. */
int slt_udp_print(const struct slt_udp_datagram *udp, char *out, size_t size);

#endif
