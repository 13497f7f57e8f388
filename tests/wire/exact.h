/* Help for the tests of formats: input in heap memory that ends where the input ends, so that a
 * sanitizer sees the first byte read beyond it. */
#ifndef SLT_TESTS_WIRE_EXACT_H
#define SLT_TESTS_WIRE_EXACT_H

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static inline struct slt_span exact_copy(const void *data, uint32_t bytes)
{
    uint8_t *copy = malloc(bytes);
    if (bytes > 0) {
        assert_non_null(copy);
        memcpy(copy, data, bytes);
    }
    return (struct slt_span){copy, bytes};
}

static inline void exact_free(struct slt_span span)
{
    free((void *)(uintptr_t)span.data);
}

/* A small generator, so that a failing test fails again. */
static inline uint32_t exact_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*state >> 33);
}

/* 2001:db8::`last`. */
static inline void exact_v6(uint8_t address[16], uint8_t last)
{
    static const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};
    memset(address, 0, 16);
    memcpy(address, prefix, sizeof(prefix));
    address[15] = last;
}

/* fe80::`last`. */
static inline void exact_link_local(uint8_t address[16], uint8_t last)
{
    memset(address, 0, 16);
    address[0] = 0xfe;
    address[1] = 0x80;
    address[15] = last;
}

static inline void exact_v4(uint8_t address[16], uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    memset(address, 0, 10);
    memset(address + 10, 0xff, 2);
    address[12] = a;
    address[13] = b;
    address[14] = c;
    address[15] = d;
}

#endif
