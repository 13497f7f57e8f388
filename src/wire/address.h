/* Addresses as every floor keeps them: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d
 * (RFC 4291 2.5.5.2), and 6-byte link-layer addresses.
 *
 * Here are the questions that the bytes alone answer (which family, which scope, which group) and
 * the ways to write them down; what is an address of ours is the business of floor 3.
 */
#ifndef SLT_WIRE_ADDRESS_H
#define SLT_WIRE_ADDRESS_H

#include "base/compiler.h"
#include "base/print.h"

#include <string.h>

#define SLT_ADDRESS_BYTES 16
#define SLT_MAC_BYTES     6

/* True for ::ffff:a.b.c.d. */
static inline bool slt_address_is_v4(const uint8_t address[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/* Put four bytes in network order into the mapped form. */
static inline void slt_address_set_v4(uint8_t address[16], const uint8_t v4[4])
{
    memset(address, 0, 10);
    address[10] = 0xff;
    address[11] = 0xff;
    memcpy(address + 12, v4, 4);
}

/* :: or 0.0.0.0. */
bool slt_address_is_unspecified(const uint8_t address[16]);

/* 224.0.0.0/4 or ff00::/8; the limited broadcast 255.255.255.255 is not among them. */
bool slt_address_is_multicast(const uint8_t address[16]);

/* 169.254.0.0/16 or fe80::/10. */
bool slt_address_is_link_local(const uint8_t address[16]);

/* The group that a solicitation for an IPv6 `target` goes to (RFC 4291 2.7.1). */
void slt_address_solicited_node(const uint8_t target[16], uint8_t out[16]);

/* RFC 5952 form for IPv6, dotted quad for IPv4. */
void slt_address_text(struct slt_text *text, const uint8_t address[16]);

/* True for broadcast and multicast stations. */
static inline bool slt_mac_is_group(const uint8_t mac[6])
{
    return (mac[0] & 1U) != 0;
}

/* The station group of a multicast address (RFC 1112 6.4, RFC 2464 7). */
void slt_mac_of_multicast(const uint8_t address[16], uint8_t out[6]);

/* "02:00:00:00:00:01". */
void slt_mac_text(struct slt_text *text, const uint8_t mac[6]);

#endif
