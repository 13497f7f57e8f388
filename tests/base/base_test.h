/* What the tests of floor 0 share: cmocka, an allocator that counts, and failed assertions that a
 * test can expect.
 */
#ifndef SLT_TESTS_BASE_BASE_TEST_H
#define SLT_TESTS_BASE_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* An allocator for growing mode. Its memory is dirty and badly aligned on purpose. */
struct test_heap {
    size_t live_bytes;
    unsigned live_count;
    unsigned calls_left; /* it says no when this is 0 */
};

static inline void *test_heap_alloc(void *ctx, size_t bytes)
{
    struct test_heap *heap = ctx;
    if (heap->calls_left == 0) {
        return NULL;
    }
    uint8_t *raw = malloc(bytes + 8);
    assert_non_null(raw);
    memset(raw, 0xa5, bytes + 8);
    heap->calls_left--;
    heap->live_bytes += bytes;
    heap->live_count++;
    return raw + 8;
}

static inline void test_heap_free(void *ctx, void *ptr, size_t bytes)
{
    struct test_heap *heap = ctx;
    assert_true(heap->live_bytes >= bytes);
    assert_true(heap->live_count > 0);
    heap->live_bytes -= bytes;
    heap->live_count--;
    free((uint8_t *)ptr - 8);
}

static inline void test_mem_init(struct slt_mem *mem, struct test_heap *heap)
{
    *heap = (struct test_heap){.calls_left = UINT32_MAX};
    slt_mem_init_growing(mem, test_heap_alloc, test_heap_free, heap);
}

/* Everything given back: the heap's books and the ledger's agree on zero. */
static inline void test_mem_check_empty(const struct slt_mem *mem, const struct test_heap *heap)
{
    assert_int_equal(heap->live_bytes, 0);
    assert_int_equal(heap->live_count, 0);
    for (unsigned i = 0; i < SLT_OWNER_COUNT; i++) {
        assert_int_equal(mem->ledger.bytes[i], 0);
        assert_int_equal(mem->ledger.objects[i], 0);
    }
}

/* The library's fault hook is weak; this one lets expect_assert_failure() see it. */
_Noreturn void salut_fault(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}

#endif
