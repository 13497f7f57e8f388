/* Bytes enter the digest as little-endian words, eight at a time, after their number: "ab" + "c"
 * and "a" + "bc" are different states.
 */
#include "base/digest.h"

void slt_digest_bytes(struct slt_digest *digest, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    slt_digest_u64(digest, bytes);
    uint64_t word = 0;
    for (size_t i = 0; i < bytes; i++) {
        word |= (uint64_t)p[i] << (8U * (i & 7U));
        if ((i & 7U) == 7U) {
            slt_digest_u64(digest, word);
            word = 0;
        }
    }
    if ((bytes & 7U) != 0) {
        slt_digest_u64(digest, word);
    }
}
