/* The Internet checksum, by way of wide accumulators.
 *
 * RFC 1071 2(B): the sum may be taken in the machine's own byte order and swapped at the end; 2(C):
 * it may be taken over wider words and folded later. So 32-bit words are added into 64-bit lanes,
 * which cannot overflow for any length a uint32_t can name (2^30 words below 2^32 each), without a
 * look at carries; the compiler turns the lanes into vector registers where there are some and
 * into plain additions where there are none. Loads go through memcpy, so alignment plays no part.
 */
#include "wire/checksum.h"

#include "wire/address.h"

#include <string.h>

typedef uint64_t lanes __attribute__((vector_size(16)));

#define LANES_BYTES 16U
#define BLOCK_BYTES 128U /* one turn of the loops */
#define SHORT_BYTES 128U /* below, the lanes are not worth their folding */

/* Fold to 16 bits that stand in memory order, then to host order of the network's words. Each step
 * brings its carry round before the next, so the value stays below its width. */
static inline uint16_t fold_native(uint64_t sum)
{
    const uint32_t high = (uint32_t)(sum >> 32);
    uint32_t half = (uint32_t)sum + high;
    half += half < high ? 1U : 0U;
    half = (half & 0xffffU) + (half >> 16);
    const uint16_t word = (uint16_t)(half + (half >> 16));
    uint8_t bytes[2];
    memcpy(bytes, &word, sizeof(bytes));
    return (uint16_t)((uint32_t)bytes[0] << 8 | bytes[1]);
}

static inline uint32_t load_u32(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static inline uint64_t load_u64(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* Add with the carry brought round, as RFC 1071 2(A) adds. */
static inline uint64_t add_round(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word ? 1U : 0U);
}

/* Fewer than 8 bytes. */
static inline uint64_t sum_rest(const uint8_t *p, uint32_t bytes)
{
    uint64_t sum = 0;
    if (bytes & 4U) {
        sum = load_u32(p);
        p += 4;
    }
    if (bytes & 2U) {
        uint16_t word;
        memcpy(&word, p, sizeof(word));
        sum += word;
        p += 2;
    }
    if (bytes & 1U) {
        const uint8_t last[2] = {p[0], 0};
        uint16_t word;
        memcpy(&word, last, sizeof(word));
        sum += word;
    }
    return sum;
}

/* Headers, small segments and what the blocks leave over: 64-bit words with their carries, for
 * which no vector register need be filled and emptied. */
static inline uint64_t sum_short(const uint8_t *p, uint32_t bytes)
{
    uint64_t sum = 0;
    for (; bytes >= 32; bytes -= 32) {
        sum = add_round(sum, load_u64(p));
        sum = add_round(sum, load_u64(p + 8));
        sum = add_round(sum, load_u64(p + 16));
        sum = add_round(sum, load_u64(p + 24));
        p += 32;
    }
    for (; bytes >= 8; bytes -= 8) {
        sum = add_round(sum, load_u64(p));
        p += 8;
    }
    return bytes > 0 ? add_round(sum, sum_rest(p, bytes)) : sum;
}

/* Two running sums, of the lanes' low and high halves. */
struct accumulator {
    lanes whole;
    lanes high;
};

static inline void add_lanes(struct accumulator *sum, const uint8_t *p)
{
    lanes v;
    memcpy(&v, p, sizeof(v));
    sum->whole += v;
    sum->high += v >> 32;
}

/* The same, storing the lanes at `q` on the way. */
static inline void copy_lanes(struct accumulator *sum, uint8_t *q, const uint8_t *p)
{
    lanes v;
    memcpy(&v, p, sizeof(v));
    memcpy(q, &v, sizeof(v));
    sum->whole += v;
    sum->high += v >> 32;
}

static uint64_t sum_of(const struct accumulator *a, const struct accumulator *b)
{
    const lanes high = a->high + b->high;
    const lanes low = a->whole + b->whole - (high << 32);
    const uint64_t lows =
        (low[0] & 0xffffffffU) + (low[0] >> 32) + (low[1] & 0xffffffffU) + (low[1] >> 32);
    return lows + (high[0] & 0xffffffffU) + (high[0] >> 32) + (high[1] & 0xffffffffU) +
           (high[1] >> 32);
}

static uint64_t sum_blocks(const uint8_t *p, uint32_t bytes)
{
    /* Two accumulators, so that additions do not wait for one another. */
    struct accumulator a = {{0, 0}, {0, 0}};
    struct accumulator b = {{0, 0}, {0, 0}};
    while (bytes >= BLOCK_BYTES) {
        add_lanes(&a, p);
        add_lanes(&b, p + 16);
        add_lanes(&a, p + 32);
        add_lanes(&b, p + 48);
        add_lanes(&a, p + 64);
        add_lanes(&b, p + 80);
        add_lanes(&a, p + 96);
        add_lanes(&b, p + 112);
        p += BLOCK_BYTES;
        bytes -= BLOCK_BYTES;
    }
    for (; bytes >= LANES_BYTES; bytes -= LANES_BYTES) {
        add_lanes(&a, p);
        p += LANES_BYTES;
    }
    return sum_of(&a, &b);
}

/* Most sums are of headers, which are short. */
static inline uint16_t sum_bytes(const uint8_t *p, uint32_t bytes)
{
    if (bytes < SHORT_BYTES) {
        return fold_native(sum_short(p, bytes));
    }
    const uint32_t whole = bytes & ~(LANES_BYTES - 1U);
    return fold_native(add_round(sum_blocks(p, whole), sum_short(p + whole, bytes - whole)));
}

static uint16_t copy_bytes(uint8_t *restrict q, const uint8_t *restrict p, uint32_t bytes)
{
    if (bytes < SHORT_BYTES) {
        memcpy(q, p, bytes);
        return fold_native(sum_short(q, bytes));
    }
    struct accumulator a = {{0, 0}, {0, 0}};
    struct accumulator b = {{0, 0}, {0, 0}};
    while (bytes >= BLOCK_BYTES) {
        copy_lanes(&a, q, p);
        copy_lanes(&b, q + 16, p + 16);
        copy_lanes(&a, q + 32, p + 32);
        copy_lanes(&b, q + 48, p + 48);
        copy_lanes(&a, q + 64, p + 64);
        copy_lanes(&b, q + 80, p + 80);
        copy_lanes(&a, q + 96, p + 96);
        copy_lanes(&b, q + 112, p + 112);
        p += BLOCK_BYTES;
        q += BLOCK_BYTES;
        bytes -= BLOCK_BYTES;
    }
    for (; bytes >= LANES_BYTES; bytes -= LANES_BYTES) {
        copy_lanes(&a, q, p);
        p += LANES_BYTES;
        q += LANES_BYTES;
    }
    if (bytes > 0) {
        memcpy(q, p, bytes);
    }
    return fold_native(add_round(sum_of(&a, &b), sum_short(p, bytes)));
}

/* RFC 1071 2(B): moving every byte to the other half of its word swaps the sum's halves. */
static inline uint32_t add_word_at(uint32_t sum, uint32_t word, bool odd_offset)
{
    return slt_checksum_add_u16(sum, (uint16_t)(odd_offset ? word << 8 | word >> 8 : word));
}

uint32_t slt_checksum_add(uint32_t sum, const void *data, uint32_t bytes)
{
    return slt_checksum_add_u16(sum, sum_bytes(data, bytes));
}

uint32_t slt_checksum_add_at(uint32_t sum, const void *data, uint32_t bytes, bool odd_offset)
{
    return add_word_at(sum, sum_bytes(data, bytes), odd_offset);
}

uint32_t slt_checksum_copy(uint32_t sum, void *dst, const void *src, uint32_t bytes,
                           bool odd_offset)
{
    return add_word_at(sum, copy_bytes(dst, src, bytes), odd_offset);
}

uint16_t slt_checksum_fold(uint32_t sum)
{
    sum = (sum & 0xffffU) + (sum >> 16);
    sum = (sum & 0xffffU) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t slt_checksum_finish(uint32_t sum)
{
    return (uint16_t)~slt_checksum_fold(sum);
}

uint32_t slt_checksum_pseudo(const uint8_t src[16], const uint8_t dst[16], uint8_t protocol,
                             uint32_t length)
{
    if (slt_address_is_v4(src) && slt_address_is_v4(dst)) {
        return slt_checksum_pseudo4(src, dst, protocol, length);
    }
    const uint64_t addresses = add_round(sum_short(src, 16), sum_short(dst, 16));
    return protocol + (length >> 16) + (length & 0xffffU) + fold_native(addresses);
}

uint16_t slt_checksum_ipv4(const uint8_t header[20])
{
    const uint64_t sum = (uint64_t)load_u32(header) + load_u32(header + 4) + load_u32(header + 8) +
                         load_u32(header + 12) + load_u32(header + 16);
    return (uint16_t)~fold_native(sum);
}

/* Five words that every header has, three more that timestamps take, and whatever else. */
uint32_t slt_checksum_add_tcp(uint32_t sum, const uint8_t *header, uint32_t bytes)
{
    uint64_t total = (uint64_t)load_u32(header) + load_u32(header + 4) + load_u32(header + 8) +
                     load_u32(header + 12) + load_u32(header + 16);
    if (bytes == 32) {
        total += (uint64_t)load_u32(header + 20) + load_u32(header + 24) + load_u32(header + 28);
    } else if (bytes > 20) {
        total = add_round(total, sum_short(header + 20, bytes - 20));
    }
    return slt_checksum_add_u16(sum, fold_native(total));
}

uint16_t slt_checksum_update(uint16_t checksum, uint16_t old_word, uint16_t new_word)
{
    const uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~old_word + new_word;
    return slt_checksum_finish(sum);
}
