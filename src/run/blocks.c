/* See blocks.h. */
#include "run/blocks.h"

#include "base/compiler.h"

#include <stdlib.h>

#define BLOCK_BYTES ((size_t)256 * 1024)
#define ROOM_MIN    ((size_t)64 * 1024) /* with less than that left a block is given up */
#define FREE_MAX    16U                 /* kept while nobody needs them */

struct slt_run_block {
    struct slt_run_block *next; /* of the free ones */
    size_t used;
    uint32_t lent;  /* loans that are out */
    uint32_t place; /* among all */
    uint8_t data[];
};

static struct slt_run_block *make(struct slt_run_blocks *blocks)
{
    struct slt_run_block *block =
        blocks->made == SLT_RUN_BLOCKS_MAX ? NULL : malloc(sizeof(*block) + BLOCK_BYTES);
    if (block != NULL) {
        block->place = blocks->made;
        blocks->all[blocks->made] = block;
        blocks->made++;
    }
    return block;
}

static void unmake(struct slt_run_blocks *blocks, struct slt_run_block *block)
{
    blocks->made--;
    blocks->all[block->place] = blocks->all[blocks->made];
    blocks->all[block->place]->place = block->place;
    free(block);
}

static struct slt_run_block *take(struct slt_run_blocks *blocks)
{
    struct slt_run_block *block = blocks->free;
    if (block != NULL) {
        blocks->free = block->next;
        blocks->free_count--;
    } else {
        block = make(blocks);
    }
    if (block != NULL) {
        block->used = 0;
        block->lent = 0;
    }
    return block;
}

static void give(struct slt_run_blocks *blocks, struct slt_run_block *block)
{
    if (blocks->free_count == FREE_MAX) {
        unmake(blocks, block);
        return;
    }
    block->next = blocks->free;
    blocks->free = block;
    blocks->free_count++;
}

uint8_t *slt_run_blocks_room(struct slt_run_blocks *blocks, size_t *bytes)
{
    struct slt_run_block *block = blocks->current;
    if (block != NULL && BLOCK_BYTES - block->used < ROOM_MIN) {
        SLT_ASSERT(block->lent > 0);
        block = NULL; /* given up: its last loan brings it back */
    }
    block = block != NULL ? block : take(blocks);
    blocks->current = block;
    *bytes = block == NULL ? 0 : BLOCK_BYTES - block->used;
    return block == NULL ? NULL : &block->data[block->used];
}

struct salut_loan slt_run_blocks_lend(struct slt_run_blocks *blocks, size_t bytes)
{
    struct slt_run_block *block = blocks->current;
    SLT_ASSERT(block != NULL && bytes > 0 && bytes <= BLOCK_BYTES - block->used);
    struct salut_loan loan = {
        .base = &block->data[block->used], .bytes = bytes, .user = (uint64_t)(uintptr_t)block};
    block->used += bytes;
    block->lent++;
    return loan;
}

void slt_run_blocks_return(struct slt_run_blocks *blocks, const struct salut_loan *loan)
{
    struct slt_run_block *block = (struct slt_run_block *)(uintptr_t)loan->user;
    SLT_ASSERT(block->lent > 0);
    block->lent--;
    if (block->lent > 0) {
        return;
    }
    if (block == blocks->current) {
        block->used = 0;
    } else {
        give(blocks, block);
    }
}

void slt_run_blocks_deinit(struct slt_run_blocks *blocks)
{
    while (blocks->made > 0) {
        unmake(blocks, blocks->all[blocks->made - 1]);
    }
    *blocks = (struct slt_run_blocks){.made = 0};
}
