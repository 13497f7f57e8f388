/* Telemetry: a counter for every reason, and a ring of the last events.
 *
 * Events are 64-byte records; when nobody looks, one costs a store. The ring lies outside the
 * instance's core memory, so that a snapshot of the core and its digest do not contain it. A
 * reader keeps the number of the next event it wants; when the ring has lapped it, it learns how
 * many it lost.
 */
#ifndef SLT_BASE_EVENT_H
#define SLT_BASE_EVENT_H

#include "base/mem.h"
#include "base/reason.h"

enum slt_event_kind {
    SLT_EVENT_NONE,
    SLT_EVENT_STATE,   /* a connection changed state: from, to, reason */
    SLT_EVENT_SENT,    /* a segment was committed: reason, seq, ack, bytes, flags */
    SLT_EVENT_TAKEN,   /* a segment was processed: reason, seq, ack, bytes, flags */
    SLT_EVENT_DROPPED, /* a segment or packet was dropped: reason */
    SLT_EVENT_NOTE     /* something was counted: reason */
};

enum slt_event_object {
    SLT_OBJECT_NONE,
    SLT_OBJECT_CONN,
    SLT_OBJECT_HALF_OPEN,
    SLT_OBJECT_TIME_WAIT,
    SLT_OBJECT_LISTENER
};

struct slt_event {
    int64_t at_ns;
    uint32_t object; /* pool index of the connection or entry it is about */
    uint32_t generation;
    uint8_t kind;        /* enum slt_event_kind */
    uint8_t object_kind; /* enum slt_event_object */
    uint8_t reason;      /* enum slt_reason */
    uint8_t from;        /* SLT_EVENT_STATE: states */
    uint8_t to;
    uint8_t flags; /* TCP flags of the segment */
    uint16_t local_port;
    uint16_t remote_port;
    uint16_t spare;
    uint32_t bytes;  /* payload bytes of the segment */
    int64_t seq_pos; /* stream positions, relative to the ISN */
    int64_t ack_pos;
    uint32_t window;
    uint32_t number;   /* depends on kind: rto_us, cwnd ... */
    uint64_t sequence; /* number of the event in its instance, from 1 */
};
_Static_assert(sizeof(struct slt_event) == 64, "an event is one cache line");
_Static_assert(SLT_REASON_COUNT <= 256, "a reason fits in a byte");

struct slt_telemetry {
    uint64_t counters[SLT_REASON_COUNT];
    struct slt_event *ring; /* NULL when ring_count is 0 */
    uint32_t ring_count;    /* a power of two, or 0 */
    uint64_t written;       /* events written so far */
    struct slt_event spare; /* where events go when there is no ring */
};

/* Count a reason. */
static inline void slt_count(struct slt_telemetry *t, enum slt_reason reason)
{
    t->counters[reason]++;
}

/* Count a reason and take the place of the next event, all zero but for its reason and its sequence
 * number: the caller fills in the rest. */
static inline struct slt_event *slt_event_place(struct slt_telemetry *t, enum slt_reason reason)
{
    SLT_DCHECK((t->ring_count & (t->ring_count - 1)) == 0);
    struct slt_event *place =
        t->ring_count > 0 ? &t->ring[t->written & (t->ring_count - 1)] : &t->spare;
    t->counters[reason]++;
    t->written++;
    if (t->ring_count > 0) { /* the ring is larger than the nearest caches */
        slt_prefetch(&t->ring[t->written & (t->ring_count - 1)]);
    }
    *place = (struct slt_event){.reason = (uint8_t)reason, .sequence = t->written};
    return place;
}

/* Write an event (its sequence number is filled in) and count its reason. */
void slt_emit(struct slt_telemetry *t, const struct slt_event *event);

/* Copy the event number `sequence` to *out. Returns 0 when it is there, a positive count of lost
 * events when the ring has lapped it (ask again with sequence + that count), -1 when it has not
 * been written yet. */
int64_t slt_event_read(const struct slt_telemetry *t, uint64_t sequence, struct slt_event *out);

#endif
