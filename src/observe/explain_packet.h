/* A packet of a capture, decoded once into a small value: what the rest of explain looks at.
 *
 * Links: Ethernet (with any number of VLAN tags up to four), raw IP, NULL and LOOP, Linux cooked
 * captures of both versions. Lengths come from the IP header, never from what was captured; a
 * header that says zero (a super-segment) takes the length on the link. A packet that was clipped
 * is decoded as far as its TCP header reaches.
 */
#ifndef SLT_OBSERVE_EXPLAIN_PACKET_H
#define SLT_OBSERVE_EXPLAIN_PACKET_H

#include "wire/capture.h"
#include "wire/tcp.h"

enum slt_decoded {
    SLT_DECODED_TCP,
    SLT_DECODED_OTHER,    /* no TCP, or no link type that is known */
    SLT_DECODED_FRAGMENT, /* a piece of a packet: not looked into */
    SLT_DECODED_BROKEN    /* cut within its headers, or they contradict themselves */
};

struct slt_explain_packet {
    int64_t at_ns;
    uint32_t number; /* of the packet in the file, from 1 */
    uint32_t interface_index;
    uint8_t src[16]; /* v4-mapped, as every address */
    uint8_t dst[16];
    struct slt_tcp_segment seg; /* its payload is what was captured of it */
    uint32_t bytes;             /* of payload, as the IP header says */
    uint16_t ip_id;             /* 0 in IPv6 */
    uint8_t ttl;
    uint8_t ecn;       /* the IP header's two bits */
    uint8_t direction; /* enum slt_capture_direction */
    bool clipped;      /* not all of it was captured */
    const uint8_t *tcp;
    uint32_t tcp_bytes; /* header and payload, as the IP header says */
};

/* Decode; *out is whole only when the answer is SLT_DECODED_TCP. */
enum slt_decoded slt_explain_decode(const struct slt_capture_packet *packet, uint16_t linktype,
                                    struct slt_explain_packet *out);

/* True when the packet is whole and its TCP checksum is wrong. */
bool slt_explain_checksum_is_wrong(const struct slt_explain_packet *packet);

#endif
