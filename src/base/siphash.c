/* SipHash-c-d: c rounds for each 8-byte word of the message, d rounds at the end.
 *
 * Four 64-bit lanes start from the key and four constants. Each word enters lane 3, is stirred by
 * c rounds and leaves through lane 0; the last word holds the bytes left over and, in its top
 * byte, the length. Words are read in little-endian order, whatever the machine's.
 */
#include "base/siphash.h"

struct sip_lanes {
    uint64_t v[4];
};

static inline uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64U - by);
}

/* Read eight bytes as a little-endian number; written out, so that compilers see one load. */
static inline uint64_t load_word(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* Read what is left over, 0 to 7 bytes, in the same order: four of them, two and one. */
static inline uint64_t load_rest(const uint8_t *p, size_t bytes)
{
    uint64_t word = 0;
    size_t at = 0;
    if (bytes & 4U) {
        word = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        at = 4;
    }
    if (bytes & 2U) {
        word |= ((uint64_t)p[at] | (uint64_t)p[at + 1] << 8) << (8U * at);
        at += 2;
    }
    if (bytes & 1U) {
        word |= (uint64_t)p[at] << (8U * at);
    }
    return word;
}

static inline __attribute__((always_inline)) void stir(struct sip_lanes *l, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        l->v[0] += l->v[1];
        l->v[2] += l->v[3];
        l->v[1] = rotate_left(l->v[1], 13) ^ l->v[0];
        l->v[3] = rotate_left(l->v[3], 16) ^ l->v[2];
        l->v[0] = rotate_left(l->v[0], 32);
        l->v[2] += l->v[1];
        l->v[0] += l->v[3];
        l->v[1] = rotate_left(l->v[1], 17) ^ l->v[2];
        l->v[3] = rotate_left(l->v[3], 21) ^ l->v[0];
        l->v[2] = rotate_left(l->v[2], 32);
    }
}

static inline __attribute__((always_inline)) void absorb(struct sip_lanes *l, uint64_t word,
                                                         unsigned rounds)
{
    l->v[3] ^= word;
    stir(l, rounds);
    l->v[0] ^= word;
}

/* The functions below are inlined for their two numbers of rounds, so that the rounds unroll. */

static inline __attribute__((always_inline)) struct sip_lanes begin(const struct slt_sipkey *key)
{
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    return (struct sip_lanes){
        {key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
         key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573)}};
}

static inline __attribute__((always_inline)) uint64_t finish(struct sip_lanes *l, unsigned rounds)
{
    l->v[2] ^= 0xff;
    stir(l, rounds);
    return l->v[0] ^ l->v[1] ^ l->v[2] ^ l->v[3];
}

static inline __attribute__((always_inline)) uint64_t sip_hash(const struct slt_sipkey *key,
                                                               const uint8_t *data, size_t bytes,
                                                               unsigned word_rounds,
                                                               unsigned final_rounds)
{
    struct sip_lanes l = begin(key);
    size_t left = bytes;
    for (; left >= 8; left -= 8) {
        absorb(&l, load_word(data), word_rounds);
        data += 8;
    }
    absorb(&l, load_rest(data, left) | (uint64_t)bytes << 56, word_rounds);
    return finish(&l, final_rounds);
}

static inline __attribute__((always_inline)) uint64_t sip_hash_12(const struct slt_sipkey *key,
                                                                  uint64_t first8, uint32_t last4,
                                                                  unsigned word_rounds,
                                                                  unsigned final_rounds)
{
    struct sip_lanes l = begin(key);
    absorb(&l, first8, word_rounds);
    absorb(&l, last4 | UINT64_C(12) << 56, word_rounds);
    return finish(&l, final_rounds);
}

uint64_t slt_siphash24(const struct slt_sipkey *key, const void *data, size_t bytes)
{
    return sip_hash(key, data, bytes, 2, 4);
}

uint64_t slt_siphash13(const struct slt_sipkey *key, const void *data, size_t bytes)
{
    return sip_hash(key, data, bytes, 1, 3);
}

uint64_t slt_siphash24_12(const struct slt_sipkey *key, uint64_t first8, uint32_t last4)
{
    return sip_hash_12(key, first8, last4, 2, 4);
}

uint64_t slt_siphash13_12(const struct slt_sipkey *key, uint64_t first8, uint32_t last4)
{
    return sip_hash_12(key, first8, last4, 1, 3);
}
