/* ICMP for IPv6 (RFC 4443, RFC 4884). Neighbour discovery rides in it: wire/ndp.h reads on. */
#ifndef SLT_WIRE_ICMP6_H
#define SLT_WIRE_ICMP6_H

#include "base/reason.h"
#include "base/span.h"

#define SLT_ICMP6_HEADER_BYTES 8

enum slt_icmp6_type {
    SLT_ICMP6_UNREACHABLE = 1,
    SLT_ICMP6_PACKET_TOO_BIG = 2,
    SLT_ICMP6_TIME_EXCEEDED = 3,
    SLT_ICMP6_PARAMETER_PROBLEM = 4,
    SLT_ICMP6_ECHO_REQUEST = 128,
    SLT_ICMP6_ECHO_REPLY = 129,
    SLT_ICMP6_ROUTER_SOLICIT = 133,
    SLT_ICMP6_ROUTER_ADVERT = 134,
    SLT_ICMP6_NEIGHBOUR_SOLICIT = 135,
    SLT_ICMP6_NEIGHBOUR_ADVERT = 136,
    SLT_ICMP6_REDIRECT = 137
};

enum slt_icmp6_unreachable_code {
    SLT_ICMP6_UNREACHABLE_ROUTE = 0,
    SLT_ICMP6_UNREACHABLE_PROHIBITED = 1,
    SLT_ICMP6_UNREACHABLE_SCOPE = 2,
    SLT_ICMP6_UNREACHABLE_ADDRESS = 3,
    SLT_ICMP6_UNREACHABLE_PORT = 4
};

struct slt_icmp6 {
    uint8_t type; /* of enum slt_icmp6_type, nothing else passes */
    uint8_t code;
    uint16_t id;         /* echo */
    uint16_t seq;        /* echo */
    uint32_t mtu;        /* packet too big */
    uint32_t pointer;    /* parameter problem: the octet at fault */
    const uint8_t *data; /* borrowed: echo's data; the quoted packet without RFC 4884 extensions;
                            for neighbour discovery everything behind the checksum */
    uint32_t data_bytes;
};

static inline bool slt_icmp6_is_error(const struct slt_icmp6 *icmp)
{
    return icmp->type < 128;
}

static inline bool slt_icmp6_is_ndp(const struct slt_icmp6 *icmp)
{
    return icmp->type >= SLT_ICMP6_ROUTER_SOLICIT && icmp->type <= SLT_ICMP6_REDIRECT;
}

/* SLT_PASS, or SLT_DROP_ICMP_MALFORMED, _ICMP_CHECKSUM, _ICMP_TYPE. The checksum covers the
 * addresses too (RFC 4443 2.3). */
SLT_MUST_USE enum slt_reason slt_icmp6_parse(struct slt_span message, const uint8_t src[16],
                                             const uint8_t dst[16], struct slt_icmp6 *out);

/* Write the whole message, data and checksum included. Returns bytes, 0 if no room. */
uint32_t slt_icmp6_emit(const struct slt_icmp6 *icmp, const uint8_t src[16], const uint8_t dst[16],
                        struct slt_writer *w);

/* Put the checksum into a whole message that has 0 in its place. */
void slt_icmp6_seal(uint8_t *message, uint32_t bytes, const uint8_t src[16], const uint8_t dst[16]);

/* "icmp6 packet too big code 0 mtu 1280, length 1232"; snprintf's count. */
int slt_icmp6_print(const struct slt_icmp6 *icmp, char *out, size_t size);

#endif
