/* Neighbour discovery messages and their options (RFC 4861 4, 6.1, 7.1).
 *
 * A message that passes has been through every validity check the RFC asks of the receiver before
 * it may act: hop limit 255, code 0, the lengths, no option of length 0, the addresses that
 * must or must not stand where. Redirects are a host's to ignore and end with that reason.
 */
#ifndef SLT_WIRE_NDP_H
#define SLT_WIRE_NDP_H

#include "wire/icmp6.h"
#include "wire/ipv6.h"

/* Prefixes beyond this many in one advertisement are not kept. */
#define SLT_NDP_PREFIXES_MAX 8

enum slt_ndp_option_bit { SLT_NDP_SOURCE_MAC = 1, SLT_NDP_TARGET_MAC = 2, SLT_NDP_MTU = 4 };

struct slt_ndp_prefix {
    uint8_t prefix[16]; /* as received: bits behind the length are not cleared */
    uint8_t length;     /* bits, 0..128 */
    bool on_link;
    bool autonomous;
    uint32_t valid_s;     /* 0xffffffff: for ever */
    uint32_t preferred_s; /* 0xffffffff: for ever */
};

struct slt_ndp {
    uint8_t type;       /* the ICMPv6 type, 133..136 */
    uint8_t present;    /* of enum slt_ndp_option_bit */
    uint8_t target[16]; /* solicitation and advertisement of neighbours */
    uint8_t source_mac[6];
    uint8_t target_mac[6];
    bool router; /* neighbour advertisement's three flags */
    bool solicited;
    bool override;
    bool managed;           /* router advertisement: addresses by DHCPv6 */
    bool other;             /* router advertisement: other configuration by DHCPv6 */
    uint8_t hop_limit;      /* router advertisement; 0: unspecified */
    uint16_t lifetime_s;    /* router advertisement; 0: not a default router */
    uint32_t reachable_ms;  /* router advertisement; 0: unspecified */
    uint32_t retransmit_ms; /* router advertisement; 0: unspecified */
    uint32_t mtu;           /* when SLT_NDP_MTU is present */
    uint8_t prefix_count;   /* up to SLT_NDP_PREFIXES_MAX */
    struct slt_ndp_prefix prefixes[SLT_NDP_PREFIXES_MAX];
};

/* `icmp` is what slt_icmp6_parse made of the packet `ip`, so the checksum is known to be right.
 * SLT_PASS, SLT_DROP_ND_INVALID, SLT_DROP_ICMP_REDIRECT, or SLT_DROP_ICMP_TYPE. */
SLT_MUST_USE enum slt_reason slt_ndp_parse(const struct slt_icmp6 *icmp, const struct slt_ipv6 *ip,
                                           struct slt_ndp *out);

/* Write the whole ICMPv6 message with its checksum. The packet's hop limit must be 255. Returns
 * bytes, 0 if no room. */
uint32_t slt_ndp_emit(const struct slt_ndp *ndp, const uint8_t src[16], const uint8_t dst[16],
                      struct slt_writer *w);

/* "nd who-has fe80::1 from 02:00:00:00:00:01"; snprintf's count. */
int slt_ndp_print(const struct slt_ndp *ndp, char *out, size_t size);

#endif
