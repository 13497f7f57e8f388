/* What the fuzz targets of a whole instance share: memory, link addresses, invariants. */
#ifndef TESTS_FUZZ_FUZZ_STACK_H
#define TESTS_FUZZ_FUZZ_STACK_H

#include "stack/stack.h"

#include <stdlib.h>

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};

static inline void *fuzz_take(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}

static inline void fuzz_give(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

static inline void fuzz_check(const struct salut_stack *stack)
{
    const char *broken = salut_check(stack);
    if (broken) {
        salut_fault(__FILE__, __LINE__, broken);
    }
}

#endif
