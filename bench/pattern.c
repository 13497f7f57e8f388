/* The stream and the messages; see pattern.h. */
#include "bench/pattern.h"

#include <string.h>

void slt_bench_pattern_init(struct slt_bench_pattern *pattern)
{
    uint64_t state = 0x9e3779b97f4a7c15U;
    for (size_t i = 0; i < SLT_BENCH_PERIOD_BYTES; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pattern->bytes[i] = (uint8_t)(state >> 32);
    }
    for (size_t i = SLT_BENCH_PERIOD_BYTES; i < sizeof(pattern->bytes); i++) {
        pattern->bytes[i] = pattern->bytes[i - SLT_BENCH_PERIOD_BYTES];
    }
}

const uint8_t *slt_bench_pattern_at(const struct slt_bench_pattern *pattern, uint64_t pos)
{
    return pattern->bytes + pos % SLT_BENCH_PERIOD_BYTES;
}

bool slt_bench_pattern_holds(const struct slt_bench_pattern *pattern, uint64_t pos,
                             const uint8_t *data, size_t bytes)
{
    return bytes <= SLT_BENCH_CHUNK_BYTES &&
           memcmp(slt_bench_pattern_at(pattern, pos), data, bytes) == 0;
}

static const uint8_t *message_body(const struct slt_bench_pattern *pattern, uint32_t number,
                                   bool answer)
{
    return slt_bench_pattern_at(pattern, (uint64_t)number * SLT_BENCH_MESSAGE_BYTES +
                                             (answer ? SLT_BENCH_PERIOD_BYTES / 2 : 0));
}

void slt_bench_message_make(const struct slt_bench_pattern *pattern, uint32_t number, bool answer,
                            uint8_t out[SLT_BENCH_MESSAGE_BYTES])
{
    memcpy(out, &number, sizeof(number));
    memcpy(out + sizeof(number), message_body(pattern, number, answer),
           SLT_BENCH_MESSAGE_BYTES - sizeof(number));
}

bool slt_bench_message_read(const struct slt_bench_pattern *pattern, bool answer,
                            const uint8_t message[SLT_BENCH_MESSAGE_BYTES], uint32_t *number)
{
    memcpy(number, message, sizeof(*number));
    return memcmp(message + sizeof(*number), message_body(pattern, *number, answer),
                  SLT_BENCH_MESSAGE_BYTES - sizeof(*number)) == 0;
}
