/* The chain of IPv6 extension headers (RFC 8200 4, RFC 6946, RFC 7112, RFC 8504 5.3).
 *
 * One walk from the fixed header to the transport. It answers where the payload is and what it
 * is, or why the packet is dropped and which ICMPv6 parameter problem (RFC 4443 3.4) the sender is
 * to be told. At most SLT_IPV6_EXT_HEADERS_MAX headers and SLT_IPV6_EXT_BYTES_MAX bytes of them
 * are read; every step consumes at least one byte, so the walk is short whatever the bytes say.
 *
 * A fragment ends the walk: what lies behind its header is a piece of something that is not there
 * yet. The caller puts the pieces together and walks the result again, `reassembled` set. An atomic
 * fragment (offset 0, none to follow) is no fragment (RFC 6946) and is walked through.
 */
#ifndef SLT_WIRE_IPV6_EXT_H
#define SLT_WIRE_IPV6_EXT_H

#include "wire/ipv6.h"

#define SLT_IPV6_EXT_HEADERS_MAX 8
#define SLT_IPV6_EXT_BYTES_MAX   256
#define SLT_IPV6_FRAGMENT_BYTES  8

enum slt_ipv6_next {
    SLT_IPV6_HOP_BY_HOP = 0,
    SLT_IPV6_ROUTING = 43,
    SLT_IPV6_FRAGMENT = 44,
    SLT_IPV6_NO_NEXT = 59,
    SLT_IPV6_DESTINATION = 60
};

struct slt_ipv6_fragment {
    uint32_t id;
    uint16_t offset; /* in bytes, a multiple of 8 */
    bool more;
    uint8_t next_header;
};

/* Whom to tell about a packet that was dropped. */
enum slt_ipv6_problem {
    SLT_IPV6_PROBLEM_NONE,    /* nobody */
    SLT_IPV6_PROBLEM_UNICAST, /* the sender, unless the destination is a group */
    SLT_IPV6_PROBLEM_ALWAYS   /* the sender, even then (RFC 4443 2.4 (e.3)) */
};

struct slt_ipv6_chain {
    uint8_t next_header; /* what the payload is; for a fragment, its header's next header */
    bool router_alert;   /* the hop-by-hop header has it (RFC 2711) */
    bool fragmented;     /* the payload is a piece; `fragment` says which */
    struct slt_ipv6_fragment fragment; /* zeros when there is no fragment header */
    uint32_t next_header_at; /* where the field lies that names next_header: octets from the start
                                of the fixed header, as ICMPv6 pointers count */
    uint32_t unfragmentable_bytes;   /* of extension headers before the fragment header */
    uint32_t unfragmentable_next_at; /* where the field lies that says "fragment header" */
    const uint8_t *payload;          /* borrowed from the packet */
    uint32_t payload_bytes;
    uint8_t problem;          /* of enum slt_ipv6_problem; meaningful when the walk fails */
    uint8_t problem_code;     /* 0 erroneous field, 1 next header, 2 option, 3 first fragment */
    uint32_t problem_pointer; /* octets from the start of the fixed header */
};

/* SLT_PASS, or SLT_DROP_IP6_CHAIN, _IP6_OPTION, _IP6_ROUTING, _IP6_NO_NEXT, _FRAG_TINY,
 * _FRAG_LENGTH with the problem fields filled in. Whether next_header is handled is not asked:
 * for one that is not, the caller answers with code 1 and next_header_at. */
SLT_MUST_USE enum slt_reason slt_ipv6_ext_walk(const struct slt_ipv6 *ip, bool reassembled,
                                               struct slt_ipv6_chain *out);

/* Write a fragment header. Returns bytes, 0 if no room. */
uint32_t slt_ipv6_fragment_emit(const struct slt_ipv6_fragment *fragment, struct slt_writer *w);

/* "next 6, frag 1480+ id 0x1, length 20"; snprintf's count. */
int slt_ipv6_chain_print(const struct slt_ipv6_chain *chain, char *out, size_t size);

#endif
