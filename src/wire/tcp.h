/* The TCP header (RFC 9293 3.1): parse into a small value, emit, print.
 *
 * Sequence numbers stay 32 bit here, as on the wire; the engine unwraps them once. The checksum
 * is the caller's business through wire/checksum.h, because it needs the addresses.
 */
#ifndef SLT_WIRE_TCP_H
#define SLT_WIRE_TCP_H

#include "wire/tcp_options.h"

#define SLT_TCP_HEADER_BYTES 20
#define SLT_TCP_HEADER_MAX   60

enum slt_tcp_flag {
    SLT_TCP_FIN = 0x01,
    SLT_TCP_SYN = 0x02,
    SLT_TCP_RST = 0x04,
    SLT_TCP_PSH = 0x08,
    SLT_TCP_ACK = 0x10,
    SLT_TCP_URG = 0x20,
    SLT_TCP_ECE = 0x40,
    SLT_TCP_CWR = 0x80,
    SLT_TCP_AE = 0x100 /* accurate ECN's third bit, formerly NS */
};

struct slt_tcp_segment {
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t seq;
    uint32_t ack;
    uint16_t flags;  /* of enum slt_tcp_flag; reserved bits are not kept (U-01) */
    uint16_t window; /* as on the wire, not scaled */
    uint16_t urgent;
    uint16_t checksum; /* as received; ignored by emit */
    struct slt_tcp_options opt;
    const uint8_t *payload; /* borrowed from the packet */
    uint32_t payload_bytes;
    uint8_t ecn; /* the IP header's two ECN bits, set by the layer above */
};

/* Parse header and options; the payload is what follows. SLT_PASS or SLT_DROP_TCP_SHORT,
 * SLT_DROP_TCP_DATA_OFFSET, SLT_DROP_TCP_OPTION_LENGTH. Checks no checksum. */
SLT_MUST_USE enum slt_reason slt_tcp_parse(struct slt_span packet, struct slt_tcp_segment *out);

/* Write header and options (not the payload), checksum field 0. Returns bytes, 0 if no room. */
uint32_t slt_tcp_emit(const struct slt_tcp_segment *seg, struct slt_writer *w);

/* The segment's length in sequence space: payload, plus one each for SYN and FIN (U-04). */
static inline uint32_t slt_tcp_seg_len(const struct slt_tcp_segment *seg)
{
    return seg->payload_bytes + ((seg->flags & SLT_TCP_SYN) ? 1U : 0U) +
           ((seg->flags & SLT_TCP_FIN) ? 1U : 0U);
}

/* "S.", "P.", "F." ... as tcpdump writes flags, plus E, W, A. */
void slt_tcp_flags_print(uint16_t flags, char out[12]);

/* One line like tcpdump's: "40000 > 80 Flags [S], seq 1, win 65535, options [...], length 0". */
int slt_tcp_print(const struct slt_tcp_segment *seg, char *out, size_t size);

#endif
