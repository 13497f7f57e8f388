/* The C library's heap in the form in which instances take memory (struct salut_config).
 *
 * Floors 0 to 4 allocate nothing of their own; whoever makes an instance from here up, and has no
 * better memory for it, hands them these two.
 */
#ifndef SLT_SOCK_HEAP_H
#define SLT_SOCK_HEAP_H

#include <stddef.h>

void *slt_heap_take(void *ctx, size_t bytes);
void slt_heap_give(void *ctx, void *memory, size_t bytes);

#endif
