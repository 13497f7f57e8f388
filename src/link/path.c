/* Fates and bottleneck of one direction; see path.h.
 *
 * Every packet draws the same numbers in the same order from a generator of its own, seeded by
 * direction and packet number. So a chance that is changed does not move the other fates, and
 * nothing depends on which packets came together.
 *
 * The bottleneck is a single server with a constant rate: a packet starts when the one before it
 * has left. Its queue is a ring of the instants at which the waiting packets leave; a look at the
 * queue first takes out those that have left.
 */
#include "link/path.h"

#include "base/compiler.h"
#include "base/prng.h"
#include "base/time.h"

#include <stdlib.h>

#define NS_BITS UINT64_C(8000000000) /* nanoseconds a second times bits a byte */

/* Packets that may wait at most; beyond, they overflow. */
#define RING_MAX (1U << 20)

/* ---- chance ------------------------------------------------------------------------------- */

struct fate {
    bool lost;
    bool duplicated;
    bool reordered;
    bool corrupted;
    uint64_t corrupt_random;
    int64_t jitter_ns; /* -jitter .. +jitter */
};

static bool drawn(uint64_t random, uint32_t ppm)
{
    /* The top 32 bits scaled to a million: the error is below one in four thousand millions. */
    return (random >> 32) * SLT_PATH_ALWAYS >> 32 < ppm;
}

static bool burst_lost(struct slt_path *path, uint64_t step_random, uint64_t loss_random)
{
    const struct slt_path_params *p = &path->params;
    uint32_t ppm = path->burst ? p->burst_leave_ppm : p->burst_enter_ppm;
    if (drawn(step_random, ppm)) {
        path->burst = !path->burst;
    }
    return path->burst && drawn(loss_random, p->burst_loss_ppm);
}

static struct fate draw_fate(struct slt_path *path)
{
    const struct slt_path_params *p = &path->params;
    struct slt_prng prng;
    uint64_t draws[8];
    slt_prng_seed(&prng, path->seed + path->number * UINT64_C(0x9e3779b97f4a7c15));
    path->number++;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(draws); i++) {
        draws[i] = slt_prng_u64(&prng);
    }
    struct fate fate = {
        .lost = drawn(draws[0], p->loss_ppm),
        .duplicated = drawn(draws[3], p->duplicate_ppm),
        .reordered = drawn(draws[4], p->reorder_ppm),
        .corrupted = drawn(draws[5], p->corrupt_ppm),
        .corrupt_random = draws[6],
    };
    /* Not short-circuited: the chain steps on every packet. */
    bool in_burst = burst_lost(path, draws[1], draws[2]);
    fate.lost = fate.lost || in_burst;
    if (p->jitter_ns > 0) {
        uint64_t span = 2 * (uint64_t)p->jitter_ns + 1;
        fate.jitter_ns = (int64_t)(draws[7] % span) - p->jitter_ns;
    }
    return fate;
}

/* ---- the policer -------------------------------------------------------------------------- */

/* A token bucket whose tokens are bits times nanoseconds a second, so that nothing is rounded. */
static bool policed(struct slt_path *path, uint32_t bytes, int64_t now_ns)
{
    const struct slt_path_params *p = &path->params;
    if (p->police_bits_per_s == 0) {
        return false;
    }
    uint64_t full = p->police_burst_bytes * NS_BITS;
    uint64_t missing = full > path->police_credit ? full - path->police_credit : 0;
    uint64_t to_full_ns = missing / p->police_bits_per_s + 1;
    bool fresh = path->police_at_ns == INT64_MIN;
    uint64_t passed_ns = fresh ? to_full_ns : (uint64_t)(now_ns - path->police_at_ns);
    path->police_credit =
        passed_ns >= to_full_ns ? full : path->police_credit + passed_ns * p->police_bits_per_s;
    path->police_at_ns = now_ns;
    uint64_t price = bytes * NS_BITS;
    if (path->police_credit < price) {
        return true;
    }
    path->police_credit -= price;
    return false;
}

/* ---- the bottleneck ----------------------------------------------------------------------- */

static void let_depart(struct slt_path *path, int64_t now_ns)
{
    while (path->waiting_frames > 0) {
        const struct slt_path_waiting *first = &path->ring[path->ring_first];
        if (first->depart_at_ns > now_ns) {
            break;
        }
        path->waiting_frames--;
        path->waiting_bytes -= first->bytes;
        path->ring_first = (path->ring_first + 1) & (path->ring_room - 1);
    }
}

static bool ring_grow(struct slt_path *path)
{
    if (path->waiting_frames < path->ring_room) {
        return true;
    }
    uint32_t room = path->ring_room > 0 ? path->ring_room * 2 : 64;
    struct slt_path_waiting *ring = room <= RING_MAX ? malloc(room * sizeof(*ring)) : NULL;
    if (!ring) {
        return false;
    }
    for (uint32_t i = 0; i < path->waiting_frames; i++) {
        ring[i] = path->ring[(path->ring_first + i) & (path->ring_room - 1)];
    }
    free(path->ring);
    path->ring = ring;
    path->ring_first = 0;
    path->ring_room = room;
    return true;
}

static bool queue_full(const struct slt_path *path, uint32_t bytes)
{
    const struct slt_path_params *p = &path->params;
    return (p->queue_frames_max > 0 && path->waiting_frames >= p->queue_frames_max) ||
           (p->queue_bytes_max > 0 && path->waiting_bytes + bytes > p->queue_bytes_max);
}

static void take_waiting(struct slt_path *path, const struct slt_path_waiting *waiting)
{
    struct slt_path_counters *c = &path->counters;
    uint32_t at = (path->ring_first + path->waiting_frames) & (path->ring_room - 1);
    path->ring[at] = *waiting;
    path->waiting_frames++;
    path->waiting_bytes += waiting->bytes;
    if (path->waiting_frames > c->queue_frames_top) {
        c->queue_frames_top = path->waiting_frames;
    }
    if (path->waiting_bytes > c->queue_bytes_top) {
        c->queue_bytes_top = path->waiting_bytes;
    }
}

/* Find when the last bit of the packet will have left; it waits until then. False when the queue
 * is full. */
static bool queue_packet(struct slt_path *path, uint32_t bytes, int64_t now_ns, int64_t *depart_ns)
{
    uint64_t rate = path->params.rate_bits_per_s;
    *depart_ns = now_ns;
    let_depart(path, now_ns);
    if (rate == 0) {
        return true;
    }
    if (queue_full(path, bytes) || !ring_grow(path)) {
        return false;
    }
    int64_t start_ns = slt_max64(now_ns, path->free_at_ns);
    uint64_t sending_ns = (bytes * NS_BITS + rate - 1) / rate;
    *depart_ns = slt_time_add(start_ns, (int64_t)sending_ns);
    path->free_at_ns = *depart_ns;
    take_waiting(path, &(struct slt_path_waiting){.depart_at_ns = *depart_ns, .bytes = bytes});
    return true;
}

static bool above_mark(const struct slt_path *path)
{
    const struct slt_path_params *p = &path->params;
    return (p->mark_frames > 0 && path->waiting_frames > p->mark_frames) ||
           (p->mark_bytes > 0 && path->waiting_bytes > p->mark_bytes);
}

/* ---- the path ----------------------------------------------------------------------------- */

bool slt_path_valid(const struct slt_path_params *p)
{
    const uint32_t most = SLT_PATH_ALWAYS;
    bool chances = p->loss_ppm <= most && p->burst_enter_ppm <= most &&
                   p->burst_leave_ppm <= most && p->burst_loss_ppm <= most &&
                   p->duplicate_ppm <= most && p->reorder_ppm <= most && p->corrupt_ppm <= most;
    bool times = p->delay_ns >= 0 && p->delay_ns < SLT_NEVER / 4 && p->reorder_for_ns >= 0 &&
                 p->jitter_ns >= 0 && p->jitter_ns <= p->delay_ns;
    /* 2^31 bytes times NS_BITS is the most a bucket of 64 bits holds. */
    bool policer = p->police_bits_per_s == 0 ||
                   (p->police_burst_bytes > 0 && p->police_burst_bytes <= UINT32_C(1) << 30);
    return chances && times && policer;
}

void slt_path_init(struct slt_path *path, const struct slt_path_params *params, uint64_t seed,
                   uint32_t number)
{
    struct slt_prng prng;
    *path = (struct slt_path){.params = *params};
    slt_prng_seed(&prng, seed);
    for (uint32_t i = 0; i <= number; i++) {
        path->seed = slt_prng_u64(&prng);
    }
    path->last_due_ns = INT64_MIN;
    path->free_at_ns = INT64_MIN;
    path->police_at_ns = INT64_MIN;
}

void slt_path_deinit(struct slt_path *path)
{
    free(path->ring);
    path->ring = NULL;
    path->ring_room = 0;
    path->waiting_frames = 0;
    path->waiting_bytes = 0;
}

bool slt_path_active(const struct slt_path_params *p)
{
    return p->loss_ppm > 0 || p->burst_enter_ppm > 0 || p->duplicate_ppm > 0 ||
           p->reorder_ppm > 0 || p->corrupt_ppm > 0 || p->delay_ns > 0 || p->rate_bits_per_s > 0 ||
           p->police_bits_per_s > 0;
}

static int64_t find_due(struct slt_path *path, int64_t depart_ns, const struct fate *fate)
{
    int64_t due_ns = slt_time_add(depart_ns, path->params.delay_ns + fate->jitter_ns);
    if (fate->reordered) {
        path->counters.reordered++;
        return slt_time_add(due_ns, path->params.reorder_for_ns);
    }
    path->last_due_ns = slt_max64(due_ns, path->last_due_ns);
    return path->last_due_ns;
}

static enum slt_path_fate admit(struct slt_path *path, int64_t now_ns, uint32_t bytes,
                                int64_t *depart_ns)
{
    struct slt_path_counters *c = &path->counters;
    if (policed(path, bytes, now_ns)) {
        c->policed++;
        return SLT_PATH_POLICED;
    }
    if (!queue_packet(path, bytes, now_ns, depart_ns)) {
        c->overflowed++;
        return SLT_PATH_OVERFLOWED;
    }
    return SLT_PATH_PASSES;
}

void slt_path_offer(struct slt_path *path, int64_t now_ns, const struct slt_path_packet *packet,
                    struct slt_path_verdict *v)
{
    struct fate fate = draw_fate(path);
    path->counters.seen++;
    *v = (struct slt_path_verdict){.fate = SLT_PATH_LOST};
    if (fate.lost) {
        path->counters.lost++;
        return;
    }
    v->fate = admit(path, now_ns, packet->bytes, &v->depart_at_ns);
    if (v->fate != SLT_PATH_PASSES) {
        return;
    }
    /* RFC 3168 5: instead of dropping, a router may set CE on packets of an ECN-capable flow. */
    v->marked = packet->ecn_capable && above_mark(path);
    path->counters.marked += v->marked;
    path->counters.duplicated += fate.duplicated;
    v->due_at_ns = find_due(path, v->depart_at_ns, &fate);
    v->reordered = fate.reordered;
    v->duplicated = fate.duplicated;
    v->corrupted = fate.corrupted;
    v->corrupt_random = fate.corrupt_random;
}

uint64_t slt_path_queue_bytes(struct slt_path *path, int64_t now_ns)
{
    let_depart(path, now_ns);
    return path->waiting_bytes;
}

uint32_t slt_path_queue_frames(struct slt_path *path, int64_t now_ns)
{
    let_depart(path, now_ns);
    return path->waiting_frames;
}

bool slt_path_set_bursts(struct slt_path_params *params, uint32_t loss_ppm, double mean_length)
{
    if (!(mean_length >= 1) || loss_ppm > SLT_PATH_ALWAYS / 2) {
        return false;
    }
    /* The share of packets in the bad state is enter / (enter + leave). */
    double share = (double)loss_ppm / SLT_PATH_ALWAYS;
    double leave = 1 / mean_length;
    double enter = leave * share / (1 - share);
    params->burst_leave_ppm = (uint32_t)(leave * SLT_PATH_ALWAYS + 0.5);
    params->burst_enter_ppm = (uint32_t)(enter * SLT_PATH_ALWAYS + 0.5);
    params->burst_loss_ppm = SLT_PATH_ALWAYS;
    return true;
}
