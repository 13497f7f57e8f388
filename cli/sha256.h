/* SHA-256 (FIPS 180-4), for telling that what arrived is what was sent: sha256sum says the same.
 */
#ifndef SLT_CLI_SHA256_H
#define SLT_CLI_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SLT_SHA256_HEX 65 /* 64 digits and a terminator */

struct slt_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
};

void slt_sha256_init(struct slt_sha256 *sha);
void slt_sha256_add(struct slt_sha256 *sha, const void *data, size_t bytes);
void slt_sha256_hex(struct slt_sha256 *sha, char out[SLT_SHA256_HEX]);

#endif
