/* Impair: a decorator that makes any link a bad one, reproducibly.
 *
 * It works on wire frames: super-frames are cut and checksums completed first (segment.h), so that
 * rates are per wire frame, and a flipped bit is one that the receiver's checksum must catch. A
 * frame that has come through impair is never vouched for. A direction without faults passes
 * straight through.
 *
 * The fate of frame number n of a direction depends on the seed, the direction and n alone, never
 * on time or on how frames were batched (burst loss also on the fates before it, which is the same
 * thing). What happens to a frame, in this order:
 *
 *   lost        it is gone (independently, or in bursts after Gilbert and Elliott)
 *   queued      it waits for its turn at the rate; a full queue drops it (overflowed)
 *   corrupted   one bit is flipped
 *   duplicated  a second, intact copy follows it at once
 *   reordered   it is held longer, so that later frames overtake it
 *   delayed     by the delay, plus or minus the jitter; jitter alone does not change the order
 *
 * Chances are in parts per million.
 *
 * The closing ledger of a direction is: seen + duplicated = lost + overflowed + passed + held
 * (slt_impair_held), where a frame the wrapped link would not take yet is still held.
 */
#ifndef SLT_LINK_IMPAIR_H
#define SLT_LINK_IMPAIR_H

#include "link/link.h"

#define SLT_IMPAIR_ALWAYS 1000000U

enum slt_impair_corrupt {
    /* A bit of the IPv4 header or of what a transport checksum covers, such that a checksum, and
     * nothing that is looked at before it, must refuse the packet: then frames corrupted equal
     * frames dropped by checksum. Not version, header length, total length, TCP data offset, UDP
     * length and checksum, nor an IPv6 header. A frame without such a bit stays intact. */
    SLT_IMPAIR_CORRUPT_COVERED,
    /* Any bit of the frame, the link header's included. */
    SLT_IMPAIR_CORRUPT_ANY
};

/* What is done to one direction. All zero: nothing at all. */
struct slt_impair_faults {
    uint32_t loss_ppm;
    uint32_t burst_enter_ppm; /* per frame: from the good state to the bad one */
    uint32_t burst_leave_ppm; /* per frame: back */
    uint32_t burst_loss_ppm;  /* chance of loss in the bad state */
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm;
    int64_t reorder_for_ns; /* how much longer a reordered frame is held */
    uint32_t corrupt_ppm;
    enum slt_impair_corrupt corrupt_where;
    int64_t delay_ns;
    int64_t jitter_ns;         /* at most delay_ns */
    uint64_t rate_bits_per_s;  /* 0: unlimited; counts frame bytes, link header included */
    uint32_t queue_frames_max; /* frames that may wait for the rate; 0: no such limit */
    uint32_t queue_bytes_max;  /* bytes that may wait for the rate; 0: no such limit */
};

struct slt_impair_params {
    uint64_t seed;
    struct slt_impair_faults out; /* from the stack to the wire */
    struct slt_impair_faults in;  /* from the wire to the stack */
};

struct slt_impair_counters {
    uint64_t seen; /* wire frames that came, after cutting */
    uint64_t lost;
    uint64_t duplicated;
    uint64_t reordered;
    uint64_t corrupted;
    uint64_t overflowed; /* the queue of the rate, or the memory for held frames, was full */
    uint64_t passed;     /* went on, copies included */
};

/* Wrap `inner`, which belongs to the decorator from now on, also when this fails: then it is
 * closed.
 *
 * Returns SALUT_OK, SALUT_INVALID (a chance above one, a negative time, jitter above delay),
 * SALUT_NO_MEMORY. */
enum salut_status slt_impair_open(struct slt_link *inner, const struct slt_impair_params *params,
                                  struct slt_link **link);

/* The faults can be changed while it runs, for example taken away; frames already held keep their
 * fate. Returns SALUT_OK, SALUT_INVALID. */
enum salut_status slt_impair_set(struct slt_link *link, const struct slt_impair_params *params);

const struct slt_impair_counters *slt_impair_counters_out(const struct slt_link *link);
const struct slt_impair_counters *slt_impair_counters_in(const struct slt_link *link);

/* Frames held at the moment, both directions. */
uint32_t slt_impair_held(const struct slt_link *link);

/* Print two lines, one a direction: frames seen, lost, duplicated, reordered, corrupted,
 * overflowed, passed. Returns the length as snprintf does; 512 bytes are enough. */
int slt_impair_print(const struct slt_link *link, char *out, size_t size);

#endif
