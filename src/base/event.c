/* The event ring: event number n lies at place (n - 1) mod ring_count, so a reader needs no more
 * than its number to know whether the ring still holds it.
 */
#include "base/event.h"

void slt_emit(struct slt_telemetry *t, const struct slt_event *event)
{
    SLT_ASSERT(event->reason < SLT_REASON_COUNT);
    SLT_DCHECK((t->ring_count & (t->ring_count - 1)) == 0);
    t->counters[event->reason]++;
    if (t->ring_count > 0) {
        struct slt_event *place = &t->ring[t->written & (t->ring_count - 1)];
        *place = *event;
        place->sequence = t->written + 1;
    }
    t->written++;
}

int64_t slt_event_read(const struct slt_telemetry *t, uint64_t sequence, struct slt_event *out)
{
    if (sequence > t->written) {
        return -1;
    }
    uint64_t held = t->written < t->ring_count ? t->written : t->ring_count;
    uint64_t oldest = t->written - held + 1;
    if (sequence < oldest) {
        return (int64_t)(oldest - sequence);
    }
    *out = t->ring[(sequence - 1) & (t->ring_count - 1)];
    SLT_ASSERT(out->sequence == sequence);
    return 0;
}
