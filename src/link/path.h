/* A path: one direction of a bad link as pure arithmetic. It holds no packets, reads no clock and
 * knows no device: a packet's length and instant go in, its fate comes out. impair and the wire use
 * it on frames, the simulator on packets of its own.
 *
 * The fate of packet number n depends on the seed, the direction and n alone, never on time or on
 * how packets were batched (burst loss also on the fates before it, which is the same thing); only
 * the bottleneck, a real queue, depends on time. What happens to a packet, in this order:
 *
 *   lost        it is gone (independently, or in bursts after Gilbert and Elliott)
 *   policed     a token bucket drops what exceeds its rate
 *   queued      it waits for its turn at the rate; a full queue drops it (overflowed)
 *   marked      if the queue was above a threshold and the packet is ECN-capable (RFC 3168)
 *   corrupted   one bit is flipped
 *   duplicated  a second, intact copy follows it at once
 *   reordered   it is held longer, so that later packets overtake it
 *   delayed     by the delay, plus or minus the jitter; jitter alone does not change the order
 *
 * Chances are in parts per million.
 */
#ifndef SLT_LINK_PATH_H
#define SLT_LINK_PATH_H

#include <stdbool.h>
#include <stdint.h>

#define SLT_PATH_ALWAYS 1000000U

enum slt_path_corrupt {
    /* A bit of the IPv4 header or of what a transport checksum covers, such that a checksum, and
     * nothing that is looked at before it, must refuse the packet: then frames corrupted equal
     * frames dropped by checksum. Not version, header length, total length, TCP data offset, UDP
     * length and checksum, nor an IPv6 header. A frame without such a bit stays intact. */
    SLT_PATH_CORRUPT_COVERED,
    /* Any bit of the frame, the link header's included. */
    SLT_PATH_CORRUPT_ANY
};

/* What is done to one direction. All zero: nothing at all. */
struct slt_path_params {
    uint32_t loss_ppm;
    uint32_t burst_enter_ppm; /* per packet: from the good state to the bad one */
    uint32_t burst_leave_ppm; /* per packet: back */
    uint32_t burst_loss_ppm;  /* chance of loss in the bad state */
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm;
    int64_t reorder_for_ns; /* how much longer a reordered packet is held */
    uint32_t corrupt_ppm;
    enum slt_path_corrupt corrupt_where; /* a wish to whoever flips the bit */
    int64_t delay_ns;
    int64_t jitter_ns;           /* at most delay_ns */
    uint64_t rate_bits_per_s;    /* 0: unlimited; counts the bytes the caller names */
    uint32_t queue_frames_max;   /* packets that may wait for the rate; 0: no such limit */
    uint32_t queue_bytes_max;    /* bytes that may wait for the rate; 0: no such limit */
    uint32_t mark_frames;        /* mark when more packets than this wait, this one included */
    uint32_t mark_bytes;         /* likewise in bytes; both 0: no marking */
    uint64_t police_bits_per_s;  /* 0: no policer */
    uint32_t police_burst_bytes; /* how much may pass at once, at least one packet */
};

struct slt_path_counters {
    uint64_t seen;
    uint64_t lost;
    uint64_t duplicated;
    uint64_t reordered;
    uint64_t marked;
    uint64_t policed;
    uint64_t overflowed;       /* the queue of the rate, or the memory for held packets, was full */
    uint64_t corrupted;        /* counted by whoever flips the bit */
    uint64_t passed;           /* counted by whoever hands packets on: they went, copies included */
    uint32_t queue_frames_top; /* the most packets that waited at once */
    uint64_t queue_bytes_top;
};

struct slt_path_waiting {
    int64_t depart_at_ns;
    uint32_t bytes;
};

struct slt_path {
    struct slt_path_params params; /* may be changed between packets (slt_path_valid) */
    struct slt_path_counters counters;
    uint64_t seed;           /* of this direction */
    uint64_t number;         /* of the next packet; never depends on time */
    bool burst;              /* the Gilbert-Elliott chain is in its bad state */
    int64_t free_at_ns;      /* when the bottleneck has sent all it has taken */
    int64_t last_due_ns;     /* jitter does not let a packet overtake another */
    int64_t police_at_ns;    /* when police_credit was last brought up to date */
    uint64_t police_credit;  /* bits times nanoseconds a second */
    uint32_t waiting_frames; /* whose last bit has not left the bottleneck */
    uint64_t waiting_bytes;
    struct slt_path_waiting *ring; /* those, the oldest at ring_first */
    uint32_t ring_first;
    uint32_t ring_room; /* a power of two, or 0 */
};

/* What comes in. */
struct slt_path_packet {
    uint32_t bytes;
    bool ecn_capable; /* ECT(0), ECT(1) or CE already: it may be marked */
};

enum slt_path_fate { SLT_PATH_PASSES, SLT_PATH_LOST, SLT_PATH_POLICED, SLT_PATH_OVERFLOWED };

/* What is to become of a packet. All but `fate` counts only when it passes. */
struct slt_path_verdict {
    enum slt_path_fate fate;
    bool reordered;
    bool duplicated; /* a copy follows it, at the same instant and right behind it */
    bool marked;     /* set CE */
    bool corrupted;  /* flip the bit corrupt_random chooses; the copy stays intact */
    uint64_t corrupt_random;
    int64_t depart_at_ns; /* its last bit leaves the bottleneck */
    int64_t due_at_ns;    /* it arrives at the far end; equal instants in the order of offering */
};

/* True when the parameters are possible: no chance above one, no negative time, no jitter above
 * the delay, a policer with a burst. */
bool slt_path_valid(const struct slt_path_params *params);

/* Set up a direction; `number` tells the directions of one seed apart. */
void slt_path_init(struct slt_path *path, const struct slt_path_params *params, uint64_t seed,
                   uint32_t number);
void slt_path_deinit(struct slt_path *path);

/* True when packets have to go through the path at all. */
bool slt_path_active(const struct slt_path_params *params);

/* Decide the fate of the next packet. `now_ns` never goes back. */
void slt_path_offer(struct slt_path *path, int64_t now_ns, const struct slt_path_packet *packet,
                    struct slt_path_verdict *verdict);

/* What waits in the bottleneck now, the packet being sent included: for plots of the queue. */
uint64_t slt_path_queue_bytes(struct slt_path *path, int64_t now_ns);
uint32_t slt_path_queue_frames(struct slt_path *path, int64_t now_ns);

/* The chain for bursts of `mean_length` packets that lose `loss_ppm` of all packets: every packet
 * of a burst is lost. False when there is no such chain (mean below one packet, loss above a
 * half). */
bool slt_path_set_bursts(struct slt_path_params *params, uint32_t loss_ppm, double mean_length);

#endif
