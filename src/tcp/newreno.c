/* Loss by duplicate ACKs, for a peer without SACK (RFC 6582; RFC 5681 3.2; RFC 3042).
 *
 * Each duplicate ACK says that one segment above SND.UNA has left the network, and no more: it is
 * counted out of what is in flight, which lets one new segment go for each of the first two
 * (limited transmit) and gives proportional rate reduction its deliveries. The third takes the
 * first segment as lost; in recovery, each acknowledgement that covers a part of what was in
 * flight takes the next one.
 */
#include "tcp/engine.h"

#define DUP_THRESH 3 /* RFC 5681 3.2 */

void slt_newreno_forget(struct slt_newreno *n)
{
    *n = (struct slt_newreno){.dup_acks = 0};
}

/* What was taken as lost has not left the network: no more can have than the rest. */
void slt_newreno_bound(struct slt_newreno *n, int64_t most_bytes)
{
    n->left_bytes = (uint32_t)slt_max64(slt_min64(n->left_bytes, most_bytes), 0);
}

/* SND.UNA moved: one segment of that is the hole it filled, the rest are those that duplicate ACKs
 * had told of, and count as delivered only once. */
void slt_newreno_on_advance(struct slt_newreno *n, struct slt_delivery *d, int64_t above_bytes,
                            uint32_t mss)
{
    uint32_t told = d->acked_bytes > mss ? d->acked_bytes - mss : 0;
    uint32_t gone = slt_min32(n->left_bytes, told);

    n->dup_acks = 0;
    if (n->left_bytes - gone > above_bytes) { /* what is left of it must lie above SND.UNA */
        gone = n->left_bytes - (uint32_t)slt_max64(above_bytes, 0);
    }
    n->left_bytes -= gone;
    d->delivered_bytes -= slt_min32(gone, d->delivered_bytes);
}

/* A duplicate ACK. `above_bytes` are outstanding above the first segment and not taken as lost.
 * True when it is time to take that first segment as lost. */
bool slt_newreno_on_duplicate(struct slt_newreno *n, struct slt_delivery *d, int64_t above_bytes,
                              uint32_t mss)
{
    int64_t room = slt_max64(above_bytes - n->left_bytes, 0);
    uint32_t more = (uint32_t)slt_min64(mss, room);

    if (n->dup_acks < UINT16_MAX) {
        n->dup_acks++;
    }
    n->left_bytes += more;
    d->delivered_bytes += more; /* R9937-06 */
    return n->dup_acks >= DUP_THRESH;
}
