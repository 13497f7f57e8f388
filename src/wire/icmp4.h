/* ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1191 4, RFC 4884 4). */
#ifndef SLT_WIRE_ICMP4_H
#define SLT_WIRE_ICMP4_H

#include "base/reason.h"
#include "base/span.h"

#define SLT_ICMP4_HEADER_BYTES 8

enum slt_icmp4_type {
    SLT_ICMP4_ECHO_REPLY = 0,
    SLT_ICMP4_UNREACHABLE = 3,
    SLT_ICMP4_SOURCE_QUENCH = 4,
    SLT_ICMP4_REDIRECT = 5,
    SLT_ICMP4_ECHO_REQUEST = 8,
    SLT_ICMP4_TIME_EXCEEDED = 11,
    SLT_ICMP4_PARAMETER_PROBLEM = 12
};

enum slt_icmp4_unreachable_code {
    SLT_ICMP4_UNREACHABLE_NET = 0,
    SLT_ICMP4_UNREACHABLE_HOST = 1,
    SLT_ICMP4_UNREACHABLE_PROTOCOL = 2,
    SLT_ICMP4_UNREACHABLE_PORT = 3,
    SLT_ICMP4_FRAGMENTATION_NEEDED = 4,
    SLT_ICMP4_SOURCE_ROUTE_FAILED = 5
};

struct slt_icmp4 {
    uint8_t type; /* of enum slt_icmp4_type, nothing else passes */
    uint8_t code;
    uint8_t pointer;     /* parameter problem: the octet at fault */
    uint16_t id;         /* echo */
    uint16_t seq;        /* echo */
    uint16_t mtu;        /* fragmentation needed: the next hop's; 0 from an old router */
    uint8_t gateway[16]; /* redirect: the better router, v4-mapped; zeros otherwise */
    const uint8_t
        *data; /* borrowed: echo's data, or the quoted packet without RFC 4884 extensions */
    uint32_t data_bytes;
};

/* An error quotes the packet it is about; echo does not. */
static inline bool slt_icmp4_is_error(const struct slt_icmp4 *icmp)
{
    return icmp->type != SLT_ICMP4_ECHO_REPLY && icmp->type != SLT_ICMP4_ECHO_REQUEST;
}

/* SLT_PASS, or SLT_DROP_ICMP_MALFORMED, _ICMP_CHECKSUM, _ICMP_TYPE. */
SLT_MUST_USE enum slt_reason slt_icmp4_parse(struct slt_span message, struct slt_icmp4 *out);

/* Write the whole message, data and checksum included. Returns bytes, 0 if no room. */
uint32_t slt_icmp4_emit(const struct slt_icmp4 *icmp, struct slt_writer *w);

/* "icmp unreachable code 4 mtu 1400, length 28"; snprintf's count. */
int slt_icmp4_print(const struct slt_icmp4 *icmp, char *out, size_t size);

#endif
