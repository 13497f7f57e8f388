/* Whom a frame concerns that arrived at one queue of several (RFC 826, RFC 4861, RFC 792, 4443).
 *
 * What is malformed stays where it came: the instance there says so.
 */
#ifndef SLT_SOCK_SHARD_SORT_H
#define SLT_SOCK_SHARD_SORT_H

#include "salut/types.h"
#include "tcp/conn.h"

enum slt_shard_way {
    SLT_SHARD_HERE, /* whoever got it */
    SLT_SHARD_ALL,  /* every shard */
    SLT_SHARD_FLOW, /* the shard that knows the connection */
    SLT_SHARD_NONE  /* a piece of a TCP segment: nobody can tell */
};

/* Sort a frame of a link of this kind. `id` is filled in for SLT_SHARD_FLOW. */
enum slt_shard_way slt_shard_sort(enum salut_link_kind kind, const struct salut_rx_frame *frame,
                                  struct slt_tcp_id *id);

#endif
