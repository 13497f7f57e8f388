/* ICMP for both families: what errors say about our packets, echo, and the errors we send.
 *
 * In: an error becomes a notice: which of our packets it is about and what has happened to it,
 * in words that both families share. Whether the quoted segment was really in flight, and whether
 * an error is hard, is the transport's judgement (RFC 5927).
 *
 * Out: one set of rules when to be silent, one rate limit, one place that cuts the quote.
 *
 * RFC 792, 1122 3.2.2, 1812 4.3.2 (quotes), 4443, 5927, 6633.
 */
#ifndef SLT_IP_ICMP_H
#define SLT_IP_ICMP_H

#include "base/prng.h"
#include "ip/input.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"

enum slt_icmp_kind {
    SLT_ICMP_NET_UNREACHABLE,
    SLT_ICMP_HOST_UNREACHABLE,
    SLT_ICMP_PROTOCOL_UNREACHABLE,
    SLT_ICMP_PORT_UNREACHABLE,
    SLT_ICMP_TOO_BIG,       /* `mtu` says more */
    SLT_ICMP_PROHIBITED,    /* by an administrator */
    SLT_ICMP_TIME_EXCEEDED, /* in transit or in reassembly */
    SLT_ICMP_PARAMETER_PROBLEM
};

struct slt_icmp_notice {
    uint8_t kind; /* enum slt_icmp_kind */
    uint8_t family;
    uint8_t type; /* as on the wire */
    uint8_t code;
    uint8_t protocol;  /* of the quoted packet */
    uint8_t from[16];  /* who says so */
    uint8_t src[16];   /* the quoted packet's: our end */
    uint8_t dst[16];   /* ... and the peer */
    uint16_t src_port; /* TCP and UDP */
    uint16_t dst_port;
    uint32_t seq;          /* TCP */
    uint32_t mtu;          /* TOO_BIG: the next hop's; 0: it did not say */
    uint32_t quoted_bytes; /* IPv4 total length that the quote claims; 0: IPv6 */
};

/* Make a notice of an ICMP error. SLT_PASS, or SLT_DROP_ICMP_QUENCH, _ICMP_REDIRECT,
 * _ICMP_MALFORMED (the quote is no packet of TCP or UDP), _ICMP_NO_MATCH (it was not sent by whom
 * the error was sent to), _ICMP_TYPE. */
SLT_MUST_USE enum slt_reason slt_icmp4_notice(const struct slt_ip_packet *packet,
                                              const struct slt_icmp4 *icmp,
                                              struct slt_icmp_notice *out);
SLT_MUST_USE enum slt_reason slt_icmp6_notice(const struct slt_ip_packet *packet,
                                              const struct slt_icmp6 *icmp,
                                              struct slt_icmp_notice *out);

/* An echo reply to be sent. */
struct slt_icmp_echo {
    uint8_t family;
    uint8_t src[16];
    uint8_t dst[16];
    uint16_t id;
    uint16_t seq;
    struct slt_span data; /* all of the request's (ICMP-05, R4443-05); borrowed */
};

/* The reply to an echo request of either family; false when it earns none. `data`, `id` and `seq`
 * are the parsed message's and are put into *echo by the caller before the call. */
SLT_MUST_USE bool slt_icmp_echo_reply(const struct slt_ip_iface *iface,
                                      const struct slt_ip_packet *packet,
                                      struct slt_icmp_echo *echo);

/* Write the ICMP message of the reply. Bytes, 0 if no room. */
uint32_t slt_icmp_emit_echo_reply(const struct slt_icmp_echo *echo, struct slt_writer *w);

/* An error to be sent. */
struct slt_icmp_answer {
    uint8_t family;
    uint8_t src[16];
    uint8_t dst[16];
    struct slt_ip_error error;
    struct slt_span quote; /* as much of the packet as may be quoted; borrowed */
};

/* May this error be sent, and with what? False when the rules say silence. */
SLT_MUST_USE bool slt_icmp_answer(const struct slt_ip_iface *iface,
                                  const struct slt_ip_packet *packet,
                                  const struct slt_ip_error *error, struct slt_icmp_answer *out);

/* The most that slt_icmp_emit_answer writes: a quote fills the packet up to IPv6's minimum MTU. */
#define SLT_ICMP_ANSWER_MAX 1240

/* Write the ICMP message. Bytes, 0 if no room. */
uint32_t slt_icmp_emit_answer(const struct slt_icmp_answer *answer, struct slt_writer *w);

/* Port unreachable, for a datagram nobody waits for. */
struct slt_ip_error slt_icmp_port_unreachable(uint8_t family);

/* Time exceeded in reassembly (R1122-09, R8200-05). */
struct slt_ip_error slt_icmp_reassembly_timeout(uint8_t family);

/* How often errors may be sent: a token bucket whose steps are not quite even, so that counting
 * our errors tells an outsider little about who else was answered (J07, CVE-2020-25705). */
struct slt_icmp_limit {
    struct slt_prng prng;
    int64_t filled_at_ns;
    int64_t credit_ns; /* time saved up; one message costs a second / rate */
    uint32_t rate_per_s;
    uint32_t burst;
};

/* rate 0: no errors at all. */
void slt_icmp_limit_init(struct slt_icmp_limit *limit, uint32_t rate_per_s, uint32_t burst,
                         uint64_t seed, int64_t now_ns);

/* True when a message may be sent now, which is then paid for. */
SLT_MUST_USE bool slt_icmp_limit_take(struct slt_icmp_limit *limit, int64_t now_ns);

#endif
