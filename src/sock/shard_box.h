/* The box of a shard: frames that other shards' threads put there, for its own to take out.
 *
 * Any number of threads put, one takes, and nobody waits: a stack of letters whose top is swapped
 * by compare and exchange; the owner takes all of it with one exchange and turns it round. What
 * may lie there is bounded in bytes; a letter beyond that is refused, and its frame lost as frames
 * are.
 */
#ifndef SLT_SOCK_SHARD_BOX_H
#define SLT_SOCK_SHARD_BOX_H

#include "salut/types.h"

#include <stdatomic.h>

#define SLT_SHARD_BOX_BYTES_MAX (4U << 20)

/* A frame on its way between shards. */
struct slt_shard_letter {
    struct slt_shard_letter *next;
    uint32_t home;               /* the shard it arrived at */
    bool stray;                  /* it is looking for its connection; else everybody gets a copy */
    struct salut_rx_frame frame; /* whose data lies right behind */
};

struct slt_shard_box {
    _Atomic(struct slt_shard_letter *) top;
    atomic_size_t bytes; /* of all letters that were put and not taken out */
};

void slt_shard_box_init(struct slt_shard_box *box);

/* A letter with a copy of the frame; NULL: no memory. slt_shard_letter_free ends it. */
struct slt_shard_letter *slt_shard_letter_make(const struct salut_rx_frame *frame, uint32_t home,
                                               bool stray);
void slt_shard_letter_free(struct slt_shard_letter *letter);

/* Put a letter into a box. False: there is no room, and it remains the caller's. *first: the box
 * was empty, and its owner is to be woken. */
bool slt_shard_box_put(struct slt_shard_box *box, struct slt_shard_letter *letter, bool *first);

/* Take all letters, the oldest first; NULL: none. */
struct slt_shard_letter *slt_shard_box_take(struct slt_shard_box *box);

bool slt_shard_box_is_empty(const struct slt_shard_box *box);

/* Free what lies there. */
void slt_shard_box_deinit(struct slt_shard_box *box);

#endif
