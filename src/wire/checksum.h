/* The Internet checksum (RFC 1071, RFC 1624).
 *
 * A partial sum is a uint32_t in which 16-bit words stand in host order; any number of pieces may
 * be added (carries are kept end-around), and the order of pieces does not matter. A piece that
 * starts at an odd distance from the beginning of the checksummed bytes goes through the _at form,
 * or else each of its bytes would count in the wrong half of its word.
 *
 * A received packet is right when finish() over everything, its checksum field included, is 0.
 */
#ifndef SLT_WIRE_CHECKSUM_H
#define SLT_WIRE_CHECKSUM_H

#include "base/compiler.h"
#include "base/span.h"

/* Add `bytes` bytes that start at an even place; an odd last byte counts as if a zero followed. */
uint32_t slt_checksum_add(uint32_t sum, const void *data, uint32_t bytes);

/* The same for a piece whose first byte lies at an odd place when `odd_offset` is true. */
uint32_t slt_checksum_add_at(uint32_t sum, const void *data, uint32_t bytes, bool odd_offset);

/* The same while copying, in one pass over the memory; the ranges must not overlap. */
uint32_t slt_checksum_copy(uint32_t sum, void *dst, const void *src, uint32_t bytes,
                           bool odd_offset);

/* Add one word in host order. */
static inline uint32_t slt_checksum_add_u16(uint32_t sum, uint16_t value)
{
    uint32_t total = sum + value;
    return total < sum ? total + 1 : total;
}

/* The checksum to write into the packet, in host order (for slt_write_u16). */
uint16_t slt_checksum_finish(uint32_t sum);

/* The folded sum itself, not inverted: what a device that completes the checksum wants to find in
 * the checksum field. */
uint16_t slt_checksum_fold(uint32_t sum);

/* The pseudo header of IPv4, of two addresses that are known to be v4-mapped. */
static inline uint32_t slt_checksum_pseudo4(const uint8_t src[16], const uint8_t dst[16],
                                            uint8_t protocol, uint32_t length)
{
    const uint64_t addresses = (uint64_t)slt_get_u32(src + 12) + slt_get_u32(dst + 12);
    return protocol + (length >> 16) + (length & 0xffffU) + (uint32_t)(addresses & 0xffffU) +
           (uint32_t)(addresses >> 16);
}

/* The pseudo header of TCP, UDP and ICMPv6 (RFC 9293 3.1, RFC 8200 8.1): IPv4's when both
 * addresses are v4-mapped, else IPv6's. `length` is the transport header and what follows it. */
uint32_t slt_checksum_pseudo(const uint8_t src[16], const uint8_t dst[16], uint8_t protocol,
                             uint32_t length);

/* The checksum of an IPv4 header without options, in host order: the one to write while the field
 * is zero, and 0 for a header whose checksum is right. */
uint16_t slt_checksum_ipv4(const uint8_t header[20]);

/* Add a TCP header of `bytes` (at least 20) that has just been written. It is read in the words it
 * was written in: a longer load would wait until all its parts have reached the cache. */
uint32_t slt_checksum_add_tcp(uint32_t sum, const uint8_t *header, uint32_t bytes);

/* A checksum after one aligned 16-bit word of the covered bytes changed (RFC 1624 3, eqn. 3). */
uint16_t slt_checksum_update(uint16_t checksum, uint16_t old_word, uint16_t new_word);

#endif
