/* Addresses as the network layer judges them: kinds, prefixes, scopes, and the written form.
 *
 * An address is 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (wire/address.h). A prefix
 * length counts bits of these 16 bytes, so that an IPv4 /24 is 120 here (slt_ip_prefix_bits turns
 * one into the other); one comparison then serves both families, and no IPv6 prefix that anybody
 * configures contains an IPv4 address by accident: ::/0 is the exception, which the route table
 * treats by looking at the family too.
 *
 * RFC 4291, 5952 (text), 6724 (scopes, labels), 6890 (special addresses), 1122 3.2.1.3.
 */
#ifndef SLT_IP_ADDR_H
#define SLT_IP_ADDR_H

#include "wire/address.h"

/* Bits of an IPv4-mapped address that every IPv4 address shares. */
#define SLT_IP_V4_BITS 96U

/* RFC 4291 2.7: the scopes that decide which source fits which destination. */
enum slt_ip_scope {
    SLT_IP_SCOPE_INTERFACE = 1,
    SLT_IP_SCOPE_LINK = 2,
    SLT_IP_SCOPE_SITE = 5,
    SLT_IP_SCOPE_GLOBAL = 14
};

static inline void slt_ip_addr_copy(uint8_t to[16], const uint8_t from[16])
{
    memcpy(to, from, SLT_ADDRESS_BYTES);
}

static inline bool slt_ip_addr_equal(const uint8_t a[16], const uint8_t b[16])
{
    return memcmp(a, b, SLT_ADDRESS_BYTES) == 0;
}

/* Below 0, 0 or above 0, in the order of the bytes. */
static inline int slt_ip_addr_compare(const uint8_t a[16], const uint8_t b[16])
{
    return memcmp(a, b, SLT_ADDRESS_BYTES);
}

/* 4 or 6. */
static inline uint8_t slt_ip_addr_family(const uint8_t addr[16])
{
    return slt_address_is_v4(addr) ? 4 : 6;
}

/* A prefix length as people write it (0..32 or 0..128), as bits of the 16-byte form. */
static inline uint8_t slt_ip_prefix_bits(const uint8_t addr[16], uint8_t written)
{
    return (uint8_t)(slt_address_is_v4(addr) ? written + SLT_IP_V4_BITS : written);
}

/* 127.0.0.0/8 or ::1. */
bool slt_ip_addr_is_loopback(const uint8_t addr[16]);

/* 255.255.255.255. */
bool slt_ip_addr_is_broadcast(const uint8_t addr[16]);

/* True when no packet on a wire may carry this source: group and broadcast addresses, loopback,
 * 0.0.0.0/8, 240.0.0.0/4, and the unspecified address, which the caller excepts where a protocol
 * allows it (RFC 1122 3.2.1.3, RFC 4291 2.5.2, 2.5.3, 2.7). */
bool slt_ip_addr_is_unfit_source(const uint8_t addr[16]);

/* True when the 16 bytes of an address that stood in an IPv6 header would be taken for IPv4 here:
 * a mapped address has no business on the wire (RFC 4942 2.2). */
static inline bool slt_ip_addr_is_mapped_on_wire(const uint8_t addr[16])
{
    return slt_address_is_v4(addr);
}

/* How many leading bits two addresses share, 0..128. */
uint32_t slt_ip_addr_common_bits(const uint8_t a[16], const uint8_t b[16]);

/* True when the first `bits` (of 128) bits are equal. */
bool slt_ip_addr_in_prefix(const uint8_t addr[16], const uint8_t prefix[16], uint32_t bits);

/* Set every bit after the first `bits` to zero (ones false) or one. */
void slt_ip_addr_fill_host(uint8_t addr[16], uint32_t bits, bool ones);

enum slt_ip_scope slt_ip_addr_scope(const uint8_t addr[16]);

/* The label of RFC 6724 2.1's default policy table. */
uint32_t slt_ip_addr_label(const uint8_t addr[16]);

/* Read "192.0.2.1", "2001:db8::1" or "::ffff:192.0.2.1", all of the string. False, with `addr`
 * untouched, when it is none of these. */
SLT_MUST_USE bool slt_ip_addr_parse(const char *text, uint8_t addr[16]);

/* Read an address with an optional "/length"; without one the prefix is the whole address.
 * `bits` counts in 128. */
SLT_MUST_USE bool slt_ip_prefix_parse(const char *text, uint8_t addr[16], uint8_t *bits);

/* Write the address (RFC 5952; IPv4 as a dotted quad) and a terminator; returns the characters it
 * takes without the terminator, also when `size` was too small for them. */
#define SLT_IP_ADDR_TEXT_MAX 46
size_t slt_ip_addr_print(const uint8_t addr[16], char *out, size_t size);

#endif
