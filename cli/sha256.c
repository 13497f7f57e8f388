/* See sha256.h. The names a to h and the functions are those of FIPS 180-4, section 4.1.2. */
#include "cli/sha256.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 64U

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void load_schedule(const uint8_t *block, uint32_t w[64])
{
    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *p = &block[i * 4U];
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (unsigned i = 16; i < 64; i++) {
        uint32_t s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
}

/* The eight words stay in registers: an array that is moved along by one word in each round takes
 * twice as long. */
static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    load_schedule(block, w);
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t e = state[4];
    uint32_t f = state[5];
    uint32_t g = state[6];
    uint32_t h = state[7];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t sum1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
        uint32_t choose = g ^ (e & (f ^ g));
        uint32_t t1 = h + sum1 + choose + k[i] + w[i];
        uint32_t sum0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
        uint32_t majority = (a & b) | (c & (a | b));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + sum0 + majority;
    }
    const uint32_t after[8] = {a, b, c, d, e, f, g, h};
    for (unsigned i = 0; i < 8; i++) {
        state[i] += after[i];
    }
}

void slt_sha256_init(struct slt_sha256 *sha)
{
    *sha = (struct slt_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                         0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void slt_sha256_add(struct slt_sha256 *sha, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    size_t held = (size_t)(sha->bytes % BLOCK);
    sha->bytes += bytes;
    if (held > 0) {
        size_t part = bytes < BLOCK - held ? bytes : BLOCK - held;
        memcpy(&sha->block[held], at, part);
        at += part;
        bytes -= part;
        if (held + part < BLOCK) {
            return;
        }
        compress(sha->state, sha->block);
    }
    for (; bytes >= BLOCK; at += BLOCK, bytes -= BLOCK) {
        compress(sha->state, at);
    }
    if (bytes > 0) {
        memcpy(sha->block, at, bytes);
    }
}

void slt_sha256_hex(struct slt_sha256 *sha, char out[SLT_SHA256_HEX])
{
    static const uint8_t padding[BLOCK] = {0x80};
    uint8_t length[8];
    uint64_t bits = sha->bytes * 8;
    for (unsigned i = 0; i < 8; i++) {
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    size_t held = (size_t)(sha->bytes % BLOCK);
    slt_sha256_add(sha, padding, held < 56 ? 56 - held : 120 - held);
    slt_sha256_add(sha, length, sizeof(length));
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(&out[i * 8U], 9, "%08x", sha->state[i]);
    }
}
