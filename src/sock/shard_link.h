/* One queue of a device that several shards have, as its shard sees it: a link around a link.
 *
 * What the inner link received is sorted (shard_sort.h). What concerns all is copied into the
 * boxes of the others; a segment whose connection is not here goes to the next shard, from there
 * on to the one after it, and so on until one knows it or it is home again: then nobody does, and
 * it is received here as if there were no others. What comes out of this shard's box is received
 * behind the frames of the queue.
 */
#ifndef SLT_SOCK_SHARD_LINK_H
#define SLT_SOCK_SHARD_LINK_H

#include "link/link.h"
#include "salut/shard.h"
#include "sock/shard_box.h"

/* What the shards know of one another. */
struct slt_shard_peer {
    struct slt_shard_box box;
    struct salut_runner *runner; /* to wake */
};

struct slt_shard_group {
    uint32_t count;
    struct slt_shard_peer peers[SALUT_SHARDS_MAX];
};

/* Wrap the queue of shard `index`; on failure `inner` is closed. `group` must outlive it. */
enum salut_status slt_shard_link_open(struct slt_link *inner, struct slt_shard_group *group,
                                      uint32_t index, struct slt_link **link);

/* The instance that is asked whom it knows; before the first receive. */
void slt_shard_link_set_stack(struct slt_link *link, const struct salut_stack *stack);

const struct salut_shard_counters *slt_shard_link_counters(const struct slt_link *link);

#endif
