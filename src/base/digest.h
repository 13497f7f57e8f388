/* A fast 64-bit digest of state: equal states give equal digests, on every compiler and word size.
 *
 * It tells states apart in simulation, exploration and replay; it is no secret and withstands no
 * adversary (siphash.h does). State enters as numbers, field by field, never as raw structs, whose
 * padding and byte order differ from machine to machine. The order of the calls matters.
 */
#ifndef SLT_BASE_DIGEST_H
#define SLT_BASE_DIGEST_H

#include "base/compiler.h"

struct slt_digest {
    uint64_t h;
};

static inline void slt_digest_init(struct slt_digest *digest)
{
    digest->h = UINT64_C(0x5a17a5a1707e11ed);
}

/* Add a number. For a given digest so far this is a bijection of `value`: two states that differ
 * in one number only never collide. */
static inline void slt_digest_u64(struct slt_digest *digest, uint64_t value)
{
    uint64_t h = digest->h ^ value;
    h = (h ^ h >> 32) * UINT64_C(0xd1342543de82ef95);
    h = (h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15);
    /* The addition moves the fixed point of zero away, so that a run of zeros is counted. */
    digest->h = (h ^ h >> 32) + UINT64_C(0x2545f4914f6cdd1d);
}

/* Add a run of bytes and its length. */
void slt_digest_bytes(struct slt_digest *digest, const void *data, size_t bytes);

#endif
