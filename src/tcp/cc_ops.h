/* What a congestion control algorithm is: the calls behind cc.c's doors, and the arithmetic the
 * algorithms share. Included by cc*.c alone.
 *
 * cc.c has done what is common before it calls: on_congestion and on_timeout find undo_* filled
 * in, on_ack is called in every state for an algorithm that owns its window and outside RECOVERY
 * and CWR for one that does not.
 */
#ifndef SLT_TCP_CC_OPS_H
#define SLT_TCP_CC_OPS_H

#include "base/compiler.h"
#include "tcp/cc.h"

#include <string.h>

struct slt_cc_ops {
    const char *name; /* as in TCP_CONGESTION */
    bool owns_window;
    bool needs_pacing;
    /* All is zero but what every algorithm has in common. */
    void (*init)(struct slt_tcp_cc *cc, const struct salut_config *config, int64_t now_ns);
    uint32_t (*fold)(const struct slt_tcp_cc *cc);
    void (*unfold)(struct slt_tcp_cc *cc, uint32_t word);
    void (*on_ack)(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack);
    void (*on_congestion)(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss,
                          enum slt_cc_why why);
    void (*on_timeout)(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss);
    void (*on_recovered)(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack);
    void (*undo)(struct slt_tcp_cc *cc, uint32_t mss);
    /* NULL: what the window gives in a round trip (slt_cc_window_rate). */
    uint64_t (*pacing)(const struct slt_tcp_cc *cc, uint32_t srtt_us, uint32_t mss);
};

extern const struct slt_cc_ops slt_cc_newreno;
extern const struct slt_cc_ops slt_cc_cubic;
extern const struct slt_cc_ops slt_cc_bbr;

/* hystart.c (RFC 9406) */
enum slt_hystart_phase { SLT_HYSTART_SLOW_START, SLT_HYSTART_CONSERVATIVE, SLT_HYSTART_LEAVE };
void slt_hystart_init(struct slt_hystart *h);
enum slt_hystart_phase slt_hystart_on_ack(struct slt_hystart *h, const struct slt_cc_ack *ack,
                                          uint32_t cwnd_bytes);

/* cc_cubic.c: the largest integer whose cube is not above `x`, and W_cubic's offset from W_max. */
uint32_t slt_cc_cube_root(uint64_t x);
int64_t slt_cc_cubic_offset(int64_t from_k_ms, uint32_t mss);

static inline uint32_t slt_cc_clamp(uint64_t bytes)
{
    return bytes > SLT_CC_WINDOW_MAX ? SLT_CC_WINDOW_MAX : (uint32_t)bytes;
}

static inline void slt_cc_grow(struct slt_tcp_cc *cc, uint32_t by)
{
    cc->cwnd_bytes = slt_cc_clamp((uint64_t)cc->cwnd_bytes + by);
}

/* RFC 5681 2's FlightSize at the time of a loss, never more than the window: what limited transmit
 * sent beyond it is not counted (RFC 5681 3.2). */
static inline uint32_t slt_cc_flight_size(const struct slt_tcp_cc *cc,
                                          const struct slt_cc_loss *loss)
{
    int64_t flight = slt_max64(loss->nxt - loss->una, loss->flight_bytes);

    return (uint32_t)slt_min64(slt_max64(flight, 0), cc->cwnd_bytes);
}

/* Octets by which an acknowledgement may let a window grow: what it newly says was delivered, and
 * only when it moved SND.UNA. Where reordering has been seen there may always be a gap, and SND.UNA
 * moves seldom and far: then what is SACKed above the gap counts, too, as Linux does. */
static inline uint32_t slt_cc_growth(const struct slt_cc_ack *ack)
{
    return ack->acked_bytes > 0 || ack->reordering ? ack->delivered_bytes : 0;
}

/* Slow start; returns what is left of `bytes` when ssthresh was reached on the way. */
static inline uint32_t slt_cc_slow_start(struct slt_tcp_cc *cc, uint32_t bytes)
{
    uint32_t room = cc->ssthresh_bytes - cc->cwnd_bytes;
    uint32_t used = slt_min32(bytes, room);

    slt_cc_grow(cc, used);
    return bytes - used;
}

/* Linux's rates for windows: twice the window a round trip while it may still double, 1.2 times
 * later, so that the window and not the pace is what limits. */
static inline uint64_t slt_cc_window_rate(const struct slt_tcp_cc *cc, uint32_t srtt_us)
{
    uint64_t percent = cc->cwnd_bytes < cc->ssthresh_bytes / 2 ? 200 : 120;

    return srtt_us == 0 ? 0 : (uint64_t)cc->cwnd_bytes * percent * 10000 / srtt_us;
}

#endif
