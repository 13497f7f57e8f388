/* SipHash (Aumasson, Bernstein): a keyed hash that an outsider cannot steer.
 *
 * 2-4 where a secret is at stake (ISN, cookies, ports), 1-3 for hash tables.
 */
#ifndef SLT_BASE_SIPHASH_H
#define SLT_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct slt_sipkey {
    uint64_t k0;
    uint64_t k1;
};

uint64_t slt_siphash24(const struct slt_sipkey *key, const void *data, size_t bytes);
uint64_t slt_siphash13(const struct slt_sipkey *key, const void *data, size_t bytes);

/* The same of twelve bytes that are at hand as numbers, lowest byte first. */
uint64_t slt_siphash24_12(const struct slt_sipkey *key, uint64_t first8, uint32_t last4);
uint64_t slt_siphash13_12(const struct slt_sipkey *key, uint64_t first8, uint32_t last4);

#endif
