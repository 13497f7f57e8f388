/* Ethernet II frames (RFC 894, RFC 1122 2.3.3, RFC 2464), with at most one IEEE 802.1Q tag.
 *
 * A tagged frame is taken whatever its VLAN: a switch port may tag with priority only (VLAN 0),
 * and a capture holds what it holds. The tag stays in the value for whoever cares. The type of a
 * frame with a second tag is 0x8100 or 0x88a8, which no protocol here handles.
 */
#ifndef SLT_WIRE_ETHERNET_H
#define SLT_WIRE_ETHERNET_H

#include "base/reason.h"
#include "base/span.h"

#define SLT_ETHERNET_HEADER_BYTES 14
#define SLT_ETHERNET_TAG_BYTES    4

enum slt_ethertype {
    SLT_ETHERTYPE_IPV4 = 0x0800,
    SLT_ETHERTYPE_ARP = 0x0806,
    SLT_ETHERTYPE_VLAN = 0x8100,
    SLT_ETHERTYPE_IPV6 = 0x86dd
};

struct slt_ethernet {
    uint8_t dst[6];
    uint8_t src[6];
    uint16_t type;          /* of what follows the tag, if there is one; at least 0x0600 */
    uint16_t tag;           /* priority, drop eligible and VLAN as on the wire; 0 when not tagged */
    bool tagged;            /* emit writes a tag when this is set */
    const uint8_t *payload; /* borrowed from the frame; may end with padding */
    uint32_t payload_bytes;
};

/* SLT_PASS, SLT_DROP_FRAME_SHORT or SLT_DROP_FRAME_802_3. The addresses are not judged. */
SLT_MUST_USE enum slt_reason slt_ethernet_parse(struct slt_span frame, struct slt_ethernet *out);

/* Write the header (and tag), not the payload and no padding. Returns bytes, 0 if no room. */
uint32_t slt_ethernet_emit(const struct slt_ethernet *eth, struct slt_writer *w);

/* "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, vlan 5, type 0x0800, length 46"; snprintf's count. */
int slt_ethernet_print(const struct slt_ethernet *eth, char *out, size_t size);

#endif
