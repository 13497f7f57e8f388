/* The bytes that travel: a stream whose byte at each position depends on the position.
 *
 * The stream repeats after a prime number of bytes, so nothing that is lost, doubled or moved by
 * a segment, a buffer or a page fits. It lies in memory once, and one chunk longer, so that a
 * sender can take the bytes of any position and a receiver compare with them at the speed of
 * memcmp: both sides of a line pay the same for it.
 */
#ifndef SLT_BENCH_PATTERN_H
#define SLT_BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLT_BENCH_PERIOD_BYTES 65521U
#define SLT_BENCH_CHUNK_BYTES  65536U

struct slt_bench_pattern {
    uint8_t bytes[SLT_BENCH_PERIOD_BYTES + SLT_BENCH_CHUNK_BYTES];
};

void slt_bench_pattern_init(struct slt_bench_pattern *pattern);

/* The stream from `pos` on, for at most SLT_BENCH_CHUNK_BYTES. */
const uint8_t *slt_bench_pattern_at(const struct slt_bench_pattern *pattern, uint64_t pos);

/* True when `data` is the stream from `pos` on; at most SLT_BENCH_CHUNK_BYTES. */
bool slt_bench_pattern_holds(const struct slt_bench_pattern *pattern, uint64_t pos,
                             const uint8_t *data, size_t bytes);

#define SLT_BENCH_MESSAGE_BYTES 64U

/* A message of 64 bytes: its number, and the stream from a place on that the number decides;
 * `answer` messages come from another part of the stream. */
void slt_bench_message_make(const struct slt_bench_pattern *pattern, uint32_t number, bool answer,
                            uint8_t out[SLT_BENCH_MESSAGE_BYTES]);

/* True when it is one; its number is *number. */
bool slt_bench_message_read(const struct slt_bench_pattern *pattern, bool answer,
                            const uint8_t message[SLT_BENCH_MESSAGE_BYTES], uint32_t *number);

#endif
