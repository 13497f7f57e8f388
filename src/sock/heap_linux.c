/* malloc and free with the arguments an instance gives; see heap.h.
 *
 * What is large is a hash table, reached at random: on pages of 4 KB nearly every visit costs the
 * processor a walk through its page tables. So large blocks ask for pages of 2 MB; where the system
 * has none to give, nothing is lost.
 */
#include "sock/heap.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE_BYTES ((size_t)2 << 20)

void *slt_heap_take(void *ctx, size_t bytes)
{
    void *memory = NULL;
    (void)ctx;
    if (bytes < LARGE_PAGE_BYTES) {
        return malloc(bytes);
    }
    if (posix_memalign(&memory, LARGE_PAGE_BYTES, bytes) != 0) {
        return NULL;
    }
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void slt_heap_give(void *ctx, void *memory, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(memory);
}
