/* ARP for IPv4 over Ethernet (RFC 826, RFC 5227). */
#ifndef SLT_WIRE_ARP_H
#define SLT_WIRE_ARP_H

#include "base/reason.h"
#include "base/span.h"

#define SLT_ARP_BYTES 28

enum slt_arp_op { SLT_ARP_REQUEST = 1, SLT_ARP_REPLY = 2 };

struct slt_arp {
    uint16_t op; /* any: RFC 826 merges the sender before it looks at the opcode */
    uint8_t sender_mac[6];
    uint8_t target_mac[6]; /* zero in a request */
    uint8_t sender_ip[16]; /* v4-mapped; 0.0.0.0 in a probe (RFC 5227 2.1) */
    uint8_t target_ip[16];
};

/* SLT_PASS or SLT_DROP_ARP_MALFORMED. Padding behind the packet is ignored. */
SLT_MUST_USE enum slt_reason slt_arp_parse(struct slt_span packet, struct slt_arp *out);

/* Returns SLT_ARP_BYTES, 0 if no room. */
uint32_t slt_arp_emit(const struct slt_arp *arp, struct slt_writer *w);

/* "arp who-has 10.0.0.1 tell 10.0.0.2"; snprintf's count. */
int slt_arp_print(const struct slt_arp *arp, char *out, size_t size);

#endif
