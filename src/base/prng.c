/* xoshiro256** (Blackman, Vigna) for repeatable chance; SipHash of a counter for secret chance.
 *
 * The 256-bit state is filled by SplitMix64 from the 64-bit seed, so that neighbouring seeds give
 * unrelated streams and no seed gives the all-zero state, which the generator could not leave.
 */
#include "base/prng.h"

#include "base/compiler.h"

static uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64U - by);
}

/* One step of SplitMix64: a counter with an odd step, sent through a bijective mixer. */
static uint64_t split_mix(uint64_t *counter)
{
    *counter += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *counter;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void slt_prng_seed(struct slt_prng *prng, uint64_t seed)
{
    for (unsigned i = 0; i < SLT_ARRAY_COUNT(prng->s); i++) {
        prng->s[i] = split_mix(&seed);
    }
}

uint64_t slt_prng_u64(struct slt_prng *prng)
{
    uint64_t *s = prng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t carry = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= carry;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t slt_prng_below(struct slt_prng *prng, uint64_t bound)
{
    SLT_ASSERT(bound > 0);
    /* 2^64 mod bound values at the bottom would make small results likelier: draw again there. */
    uint64_t unfair = (0 - bound) % bound;
    uint64_t drawn = slt_prng_u64(prng);
    while (drawn < unfair) {
        drawn = slt_prng_u64(prng);
    }
    return drawn % bound;
}

int slt_prng_chance(struct slt_prng *prng, uint64_t numerator, uint64_t denominator)
{
    return slt_prng_below(prng, denominator) < numerator;
}

uint64_t slt_prng_secret_u64(struct slt_prng_secret *prng)
{
    uint8_t block[8];
    for (unsigned i = 0; i < sizeof(block); i++) {
        block[i] = (uint8_t)(prng->counter >> (8U * i));
    }
    prng->counter++;
    return slt_siphash24(&prng->key, block, sizeof(block));
}
