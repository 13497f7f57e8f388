/* The wire: two links joined as a faulty one.
 *
 * What one device hands over is cut into wire frames, goes through a path of its own direction
 * (link/path.h: faults, bottleneck, delay) and is written to the other device when it is due. The
 * wire reads no clock and waits for nothing: wire_run.h does, with real devices; a test does it in
 * virtual time.
 *
 * It keeps account of its own punctuality: how much later than due each frame was written.
 *
 * The closing ledger of a direction is: seen + duplicated = lost + policed + overflowed + passed +
 * held.
 */
#ifndef SLT_LAB_WIRE_H
#define SLT_LAB_WIRE_H

#include "link/impair_path.h"
#include "link/link.h"

enum { SLT_WIRE_THERE, SLT_WIRE_BACK, SLT_WIRE_WAYS }; /* from a to b, from b to a */

struct slt_wire_params {
    uint64_t seed;
    struct slt_path_params way[SLT_WIRE_WAYS];
};

#define SLT_WIRE_LATE_STEP_NS (10 * SLT_NS_PER_US)
#define SLT_WIRE_LATE_STEPS   1001U

/* How late frames were: counts by steps of 10 us, the last one of everything above 10 ms. */
struct slt_wire_late {
    uint64_t count;
    int64_t most_ns;
    uint64_t steps[SLT_WIRE_LATE_STEPS];
};

struct slt_wire_way {
    struct slt_link *from;
    struct slt_link *to;
    struct slt_impair_path path;
    struct slt_wire_late late;
    uint64_t refused; /* frames that could not be cut or held */
};

struct slt_wire {
    struct slt_link *end[2];
    struct slt_wire_way way[SLT_WIRE_WAYS];
};

/* Join two links, which belong to the wire from now on. False, with the links closed, when the
 * parameters are impossible. */
bool slt_wire_init(struct slt_wire *wire, struct slt_link *a, struct slt_link *b,
                   const struct slt_wire_params *params);
void slt_wire_deinit(struct slt_wire *wire);

/* Write what is due and take what has come, a bounded part of it. True when there is more to do at
 * once; the caller reads the clock again in between. */
bool slt_wire_turn(struct slt_wire *wire, int64_t now_ns);

/* When the next frame is due; SLT_NEVER when none is held, or the device it goes to is full: then
 * room there is what to wait for. */
int64_t slt_wire_due(const struct slt_wire *wire);

/* The lateness that `per_mille` of the frames did not exceed (the upper end of their step). */
int64_t slt_wire_late_quantile(const struct slt_wire_late *late, unsigned per_mille);

#endif
