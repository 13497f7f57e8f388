/* A splice: two kernel sockets joined into one, each perhaps in another network.
 *
 * What one does not take at once is kept (at most one piece each way) and the other is not read
 * until it is gone, so that slowness is felt across. FIN becomes FIN, reset becomes reset.
 */
#ifndef SLT_RUN_SPLICE_H
#define SLT_RUN_SPLICE_H

#include "run/poller.h"

struct slt_splice;

struct slt_splice_side {
    struct slt_splice *splice;
    struct slt_polled polled;
    uint8_t *held; /* read from the other side, not yet taken by this one; NULL: nothing */
    size_t held_bytes;
    size_t held_sent;
    bool ended; /* its end was read */
};

struct slt_splice {
    struct slt_poller *poller;
    struct slt_splice_side side[2];
    bool connecting; /* side 1's handshake runs */
    bool over;
    void (*on_over)(void *ctx); /* last of all; may free the splice */
    void *ctx;
};

/* Join two non-blocking stream sockets, which are the splice's from now on. With `connecting` the
 * second one's connect is under way, and its failure resets the first. */
void slt_splice_begin(struct slt_splice *splice, struct slt_poller *poller, const int fds[2],
                      bool connecting);

/* Close both, with a reset unless the stream a side receives is complete, and free what is held.
 * on_over is not called. */
void slt_splice_cut(struct slt_splice *splice);

#endif
