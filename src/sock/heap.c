/* malloc and free with the arguments an instance gives; see heap.h. */
#include "sock/heap.h"

#include <stdlib.h>

void *slt_heap_take(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}

void slt_heap_give(void *ctx, void *memory, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(memory);
}
