/* Memory of the supervisor's that is lent to the stack: what a busy program writes is read into it
 * in large pieces and sent from where it lies.
 *
 * A block is filled from one end to the other, by whichever socket reads next; each piece is a
 * loan of its own, and the block is free again once it is full, or given up, and all its loans are
 * back. The block that came back last is used first, for it is in the cache. There is a limit, so
 * that peers who do not acknowledge cost no more than that: beyond it there is no room, and the
 * bytes are copied into the stack's own buffers, which have a limit of their own.
 */
#ifndef SLT_RUN_BLOCKS_H
#define SLT_RUN_BLOCKS_H

#include "salut/types.h"

#include <stdint.h>

struct slt_run_block;

#define SLT_RUN_BLOCKS_MAX 256U

struct slt_run_blocks {
    struct slt_run_block *current; /* being filled; NULL: none */
    struct slt_run_block *free;
    uint32_t free_count;
    uint32_t made;
    struct slt_run_block *all[SLT_RUN_BLOCKS_MAX];
};

/* Room for the next piece; NULL: there is none to be had. Valid until the next call. */
uint8_t *slt_run_blocks_room(struct slt_run_blocks *blocks, size_t *bytes);

/* The first `bytes` (> 0) of that room as a loan. */
struct salut_loan slt_run_blocks_lend(struct slt_run_blocks *blocks, size_t bytes);

/* A loan is back. */
void slt_run_blocks_return(struct slt_run_blocks *blocks, const struct salut_loan *loan);

/* Free everything; loans that are still out must not be looked at any more. */
void slt_run_blocks_deinit(struct slt_run_blocks *blocks);

#endif
