/* Help for the fuzz targets of formats: input in memory of its exact size, checks that stop the
 * run, and printing into every size that matters. */
#ifndef SLT_TESTS_FUZZ_WIRE_H
#define SLT_TESTS_FUZZ_WIRE_H

#include "base/span.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_INPUT_MAX 65536U

static inline void fuzz_check(bool fact)
{
    if (!fact) {
        abort();
    }
}

static inline struct slt_span fuzz_copy(const uint8_t *data, size_t size)
{
    const uint32_t bytes = (uint32_t)(size < FUZZ_INPUT_MAX ? size : FUZZ_INPUT_MAX);
    uint8_t *copy = malloc(bytes);
    fuzz_check(copy != NULL || bytes == 0);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return (struct slt_span){copy, bytes};
}

static inline void fuzz_free(struct slt_span span)
{
    free((void *)(uintptr_t)span.data);
}

/* Room for whatever an input of `bytes` can be emitted as. */
static inline struct slt_writer fuzz_writer(uint32_t bytes)
{
    const uint32_t capacity = bytes + 512;
    uint8_t *room = malloc(capacity);
    fuzz_check(room != NULL);
    return slt_writer_of(room, capacity);
}

static inline bool fuzz_same(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    return bytes == 0 || memcmp(a, b, bytes) == 0;
}

/* A line must be the same, but for its end, whatever the room; `small` varies with the input. */
typedef int (*fuzz_print)(const void *value, char *out, size_t size);

static inline void fuzz_try_print(fuzz_print print, const void *value, uint32_t small)
{
    char whole[2048];
    const int count = print(value, whole, sizeof(whole));
    fuzz_check(count >= 0 && (size_t)count < sizeof(whole));
    fuzz_check(strlen(whole) == (size_t)count);
    const size_t size = 1 + small % ((size_t)count + 1);
    char *cut = malloc(size);
    fuzz_check(cut != NULL);
    fuzz_check(print(value, cut, size) == count);
    fuzz_check(strlen(cut) == size - 1 && memcmp(cut, whole, size - 1) == 0);
    free(cut);
    fuzz_check(print(value, NULL, 0) == count);
}

#endif
