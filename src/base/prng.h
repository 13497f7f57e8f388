/* Seeded pseudo-random numbers: the only source of chance below the runner.
 *
 * Two generators: struct slt_prng (xoshiro256**) for simulation, jitter and faults; where an
 * outsider must not predict the next value (ports, keys) the stack draws from slt_prng_secret,
 * SipHash-2-4 in counter mode under a secret key.
 */
#ifndef SLT_BASE_PRNG_H
#define SLT_BASE_PRNG_H

#include "base/siphash.h"

struct slt_prng {
    uint64_t s[4];
};

void slt_prng_seed(struct slt_prng *prng, uint64_t seed);
uint64_t slt_prng_u64(struct slt_prng *prng);

/* A value in [0, bound), without bias; bound > 0. */
uint64_t slt_prng_below(struct slt_prng *prng, uint64_t bound);

/* True with probability numerator / denominator. */
int slt_prng_chance(struct slt_prng *prng, uint64_t numerator, uint64_t denominator);

struct slt_prng_secret {
    struct slt_sipkey key;
    uint64_t counter;
};

uint64_t slt_prng_secret_u64(struct slt_prng_secret *prng);

#endif
