/* Many descriptors under one of the runner's.
 *
 * The runner keeps its foreign descriptors in a list, which is right for a handful. What has
 * thousands of them (the gateway, published ports, names) keeps them in an epoll set of its own,
 * and that set is the one descriptor the runner knows.
 *
 * Handlers that move bytes say how many (slt_poller_moved). A round that moved much is followed by
 * a smaller one, and one that did not by a larger one.
 *
 * A struct slt_polled lies in its owner's memory. Handlers may remove and free anything, itself
 * included: what was ready in the same round and is gone is not called.
 */
#ifndef SLT_RUN_POLLER_H
#define SLT_RUN_POLLER_H

#include "salut/runner.h"

#include <sys/epoll.h>

#define SLT_POLLER_ROUND 64 /* descriptors served in one turn */

/* More than that should not be moved in one: what comes of it still lies in the cache then. */
#define SLT_POLLER_BYTES ((size_t)512 * 1024)

struct slt_polled {
    int fd;
    uint32_t events; /* as watched: the poller's; 0 while it is not in the set */
    void (*on_ready)(void *ctx, uint32_t events);
    void *ctx;
};

struct slt_poller {
    struct salut_runner *runner;
    int epoll_fd;
    struct epoll_event ready[SLT_POLLER_ROUND];
    int ready_count;
    int round;    /* descriptors that the next round serves at most */
    size_t moved; /* bytes that the handlers of this round have moved */
};

/* Make the set and put it on the runner. False: no descriptors, no memory. */
bool slt_poller_open(struct slt_poller *poller, struct salut_runner *runner);

/* Watch for `events` (as of epoll; 0: not at all). False when the kernel refuses. */
bool slt_poller_watch(struct slt_poller *poller, struct slt_polled *polled, uint32_t events);

/* Stop watching and close the descriptor, if there is one; it is -1 then. */
void slt_poller_drop(struct slt_poller *poller, struct slt_polled *polled);

static inline void slt_poller_moved(struct slt_poller *poller, size_t bytes)
{
    poller->moved += bytes;
}

/* Take the set from the runner; those still watched are their owners'. */
void slt_poller_close(struct slt_poller *poller);

#endif
