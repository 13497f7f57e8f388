/* Memory of one instance: a mark moving through a block, or calls of the caller's allocator.
 *
 * Both modes hand out zeroed memory on a 64-byte boundary, so that objects do not share cache
 * lines by accident and a fresh object's contents never depend on what ran before. The caller's
 * allocator promises no alignment, so growing mode asks for room to move the start up and keeps
 * the address to free in the word just below the memory it hands out:
 *
 *     raw ........ [raw] | aligned ........................ aligned + bytes
 *                        ^ multiple of 64
 *
 * The ledger books what is held, padding included, and both modes compute that figure from the
 * requested size alone, so that a give undoes its take exactly.
 */
#include "base/mem.h"

#include <string.h>

#define MEM_ALIGN ((size_t)64)

/* What growing mode adds to a request: the way to the next boundary, and the kept address. */
#define MEM_GROWING_EXTRA (MEM_ALIGN + sizeof(void *))

static const char *const owner_names[] = {
    [SLT_OWNER_STACK] = "stack",         [SLT_OWNER_CONN] = "conn",
    [SLT_OWNER_COLD] = "cold",           [SLT_OWNER_HALF_OPEN] = "half-open",
    [SLT_OWNER_TIME_WAIT] = "time-wait", [SLT_OWNER_LISTENER] = "listener",
    [SLT_OWNER_BUFFER] = "buffer",       [SLT_OWNER_RANGE] = "range",
    [SLT_OWNER_RECORD] = "record",       [SLT_OWNER_NEIGHBOUR] = "neighbour",
    [SLT_OWNER_FRAGMENT] = "fragment",   [SLT_OWNER_UDP] = "udp",
    [SLT_OWNER_TELEMETRY] = "telemetry", [SLT_OWNER_LOAN] = "loan",
};
_Static_assert(SLT_ARRAY_COUNT(owner_names) == SLT_OWNER_COUNT, "every owner has a name");

/* Bytes from `at` to the next boundary. */
static size_t bytes_to_boundary(const void *at)
{
    return (size_t)(-(uintptr_t)at & (MEM_ALIGN - 1));
}

/* What a request of `bytes` costs; 0 when that does not fit in a size_t. */
static size_t held_bytes(const struct slt_mem *mem, size_t bytes)
{
    if (!slt_mem_is_fixed(mem)) {
        return bytes > SIZE_MAX - MEM_GROWING_EXTRA ? 0 : bytes + MEM_GROWING_EXTRA;
    }
    return bytes > SIZE_MAX - MEM_ALIGN ? 0 : (bytes + MEM_ALIGN - 1) & ~(MEM_ALIGN - 1);
}

static void *take_from_block(struct slt_mem *mem, size_t held)
{
    if (held > mem->block_bytes - mem->block_used) {
        return NULL;
    }
    void *start = mem->block + mem->block_used;
    mem->block_used += held;
    return start;
}

static void *take_from_allocator(struct slt_mem *mem, size_t held)
{
    uint8_t *raw = mem->alloc(mem->ctx, held);
    if (!raw) {
        return NULL;
    }
    uint8_t *start = raw + sizeof(void *);
    start += bytes_to_boundary(start);
    memcpy(start - sizeof(void *), &raw, sizeof(raw));
    return start;
}

void slt_mem_init_block(struct slt_mem *mem, void *block, size_t bytes)
{
    SLT_ASSERT(block != NULL);
    *mem = (struct slt_mem){.block = block, .block_bytes = bytes};
    /* A block that starts off a boundary loses its first bytes once, here, so that every later
     * take costs the same whatever the caller's block is aligned to. */
    size_t lost = bytes_to_boundary(block);
    mem->block_used = lost < bytes ? lost : bytes;
}

void slt_mem_init_growing(struct slt_mem *mem, void *(*alloc)(void *ctx, size_t bytes),
                          void (*free_fn)(void *ctx, void *ptr, size_t bytes), void *ctx)
{
    SLT_ASSERT(alloc != NULL);
    SLT_ASSERT(free_fn != NULL);
    *mem = (struct slt_mem){.alloc = alloc, .free = free_fn, .ctx = ctx};
}

void *slt_mem_take(struct slt_mem *mem, enum slt_owner owner, size_t bytes)
{
    SLT_ASSERT(owner < SLT_OWNER_COUNT);
    SLT_ASSERT(bytes > 0);
    size_t held = held_bytes(mem, bytes);
    if (held == 0) {
        return NULL;
    }
    void *start =
        slt_mem_is_fixed(mem) ? take_from_block(mem, held) : take_from_allocator(mem, held);
    if (!start) {
        return NULL;
    }
    memset(start, 0, bytes);
    mem->ledger.bytes[owner] += held;
    return start;
}

void slt_mem_give(struct slt_mem *mem, enum slt_owner owner, void *ptr, size_t bytes)
{
    if (!ptr) {
        return;
    }
    SLT_ASSERT(owner < SLT_OWNER_COUNT);
    size_t held = held_bytes(mem, bytes);
    SLT_ASSERT(held > 0);
    SLT_ASSERT(mem->ledger.bytes[owner] >= held);
    mem->ledger.bytes[owner] -= held;
    if (slt_mem_is_fixed(mem)) {
        return;
    }
    void *raw;
    memcpy(&raw, (uint8_t *)ptr - sizeof(raw), sizeof(raw));
    mem->free(mem->ctx, raw, held);
}

const char *slt_owner_name(enum slt_owner owner)
{
    return (unsigned)owner < SLT_OWNER_COUNT ? owner_names[owner] : "unknown";
}
