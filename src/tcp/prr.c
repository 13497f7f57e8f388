/* Proportional rate reduction: what may leave during an episode (RFC 9937 6).
 *
 * While more is in flight than the new threshold allows, octets leave in the proportion in which
 * the window shrinks: for each octet delivered, ssthresh / RecoverFS of one. Below the threshold
 * they leave as they are delivered (the conservative bound), and a segment faster while the
 * episode makes progress without further losses, up to the threshold. So the window is down to
 * ssthresh when the episode ends, without a pause before it and without a burst after it.
 *
 * Without SACK each duplicate ACK counts as a segment delivered (R9937-06); newreno.c sees to it.
 * Pure arithmetic: recovery.c asks and sets the window.
 *
 * All of sections 5 and 6 is done, with these differences, each on the cautious side or a matter
 * of whole segments. An acknowledgement that delivers nothing is not skipped (6.2): the losses it
 * finds would otherwise leave room for as many octets at once. The forced retransmission has its
 * whole segment, too, when the share of the first acknowledgement is a part of one, and the window
 * is never less than one. RecoverFS leaves out what was SACKed before and is now acknowledged and,
 * without SACK, what the first two duplicate ACKs told of (6.1): neither is delivered again. A
 * partial ACK without SACK takes back no more than it acknowledges. The window of the end is
 * ssthresh, but never more than that of the beginning (6.4). What is lost within an episode, sent
 * in it or not, begins no other one; marks and losses of one round trip are one.
 */
#include "tcp/engine.h"

/* R9937-01: `flight_bytes` is RecoverFS, what was outstanding and not SACKed as the episode began,
 * with what the acknowledgement that began it delivered. */
void slt_prr_begin(struct slt_prr *prr, int64_t flight_bytes)
{
    *prr = (struct slt_prr){.flight_bytes = slt_max64(flight_bytes, 1)};
}

void slt_prr_end(struct slt_prr *prr)
{
    *prr = (struct slt_prr){.flight_bytes = 0};
}

void slt_prr_on_sent(struct slt_prr *prr, uint32_t bytes)
{
    if (prr->flight_bytes > 0) {
        prr->out_bytes += bytes;
    }
}

/* The window after an acknowledgement of the episode; `flight_bytes` are in flight now. */
int64_t slt_prr_on_ack(struct slt_prr *prr, int64_t flight_bytes, uint32_t ssthresh_bytes,
                       uint32_t mss, const struct slt_delivery *d)
{
    bool safe = d->acked_bytes > 0 && d->lost_bytes == 0; /* SafeACK */
    int64_t more;

    SLT_ASSERT(prr->flight_bytes > 0);
    prr->delivered_bytes += d->delivered_bytes;
    if (flight_bytes > (int64_t)ssthresh_bytes) { /* R9937-02 */
        int64_t share = prr->delivered_bytes * (int64_t)ssthresh_bytes;
        more = (share + prr->flight_bytes - 1) / prr->flight_bytes - prr->out_bytes;
    } else { /* R9937-03 */
        more = slt_max64(prr->delivered_bytes - prr->out_bytes, d->delivered_bytes);
        more += safe ? mss : 0;
        more = slt_min64(more, (int64_t)ssthresh_bytes - flight_bytes);
    }
    if (prr->out_bytes == 0) { /* R9937-04: the fast retransmission itself is never held back */
        more = slt_max64(more, mss);
    }
    return flight_bytes + slt_max64(more, 0); /* R9937-05 */
}
