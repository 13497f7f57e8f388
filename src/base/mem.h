/* Where an instance's memory comes from: the caller's allocator, or one block of the caller's.
 *
 * An instance allocates only through its struct slt_mem, and books every byte to an owner, so
 * that "the ledger is at zero" is a number. In fixed mode (slt_mem_init_block) allocation moves a
 * mark through one block and nothing is given back before the whole block is; in growing mode
 * (slt_mem_init_growing) each slab is a call of the caller's allocator.
 */
#ifndef SLT_BASE_MEM_H
#define SLT_BASE_MEM_H

#include "base/compiler.h"

enum slt_owner {
    SLT_OWNER_STACK,
    SLT_OWNER_CONN,
    SLT_OWNER_COLD,
    SLT_OWNER_HALF_OPEN,
    SLT_OWNER_TIME_WAIT,
    SLT_OWNER_LISTENER,
    SLT_OWNER_BUFFER,
    SLT_OWNER_RANGE,
    SLT_OWNER_RECORD,
    SLT_OWNER_NEIGHBOUR,
    SLT_OWNER_FRAGMENT,
    SLT_OWNER_UDP,
    SLT_OWNER_TELEMETRY,
    SLT_OWNER_LOAN,
    SLT_OWNER_COUNT
};

/* Bytes taken from the allocator and objects in use, by owner. */
struct slt_ledger {
    uint64_t bytes[SLT_OWNER_COUNT];   /* held, in use or not, alignment padding included */
    uint32_t objects[SLT_OWNER_COUNT]; /* live objects in the pools of that owner */
};

struct slt_mem {
    void *(*alloc)(void *ctx, size_t bytes);          /* NULL in fixed mode */
    void (*free)(void *ctx, void *ptr, size_t bytes); /* NULL in fixed mode */
    void *ctx;
    uint8_t *block; /* fixed mode: the block, its size and the mark */
    size_t block_bytes;
    size_t block_used;
    struct slt_ledger ledger;
};

/* True when memory comes from one block of the caller's. */
static inline bool slt_mem_is_fixed(const struct slt_mem *mem)
{
    return mem->block != NULL;
}

/* A block of any alignment; up to 63 bytes at its start are lost to the 64-byte boundary. */
void slt_mem_init_block(struct slt_mem *mem, void *block, size_t bytes);
void slt_mem_init_growing(struct slt_mem *mem, void *(*alloc)(void *ctx, size_t bytes),
                          void (*free_fn)(void *ctx, void *ptr, size_t bytes), void *ctx);

/* Take `bytes` (> 0) of zeroed memory, aligned to 64; NULL when there is none. */
void *slt_mem_take(struct slt_mem *mem, enum slt_owner owner, size_t bytes);

/* Give memory of slt_mem_take back, naming the owner and size it was taken with (growing mode; in
 * fixed mode only the books change). NULL is nothing to give. */
void slt_mem_give(struct slt_mem *mem, enum slt_owner owner, void *ptr, size_t bytes);

/* A short lower-case name for reports. */
const char *slt_owner_name(enum slt_owner owner);

#endif
