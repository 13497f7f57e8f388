/* What goes over a control socket: the one place where an instance of salut tells about itself.
 *
 * A process with a stack listens at a UNIX socket (SOCK_SEQPACKET) named for its pid. Who connects
 * sends one request and gets messages: a head, and `count` records of `record_bytes` each. The
 * first message says who it is, then come the kinds that were asked for, the last has the kind END.
 * Numbers are in the machine's order, for both ends are on one machine.
 *
 * Structures grow at their end: a reader takes as many bytes of a record as it knows of and skips
 * the rest, and knows nothing of what an older writer leaves out. The version of the head changes
 * only when that is not enough.
 *
 * A walk over many connections is not one instant: while it is under way they come and go.
 */
#ifndef SLT_OBSERVE_CONTROL_H
#define SLT_OBSERVE_CONTROL_H

#include "base/event.h"
#include "observe/seen.h"

#define SLT_CONTROL_MAGIC       UINT32_C(0x74756c53)
#define SLT_CONTROL_VERSION     1
#define SLT_CONTROL_MESSAGE_MAX 32768U

enum slt_control_kind {
    SLT_CONTROL_WHO,     /* struct slt_control_who, one */
    SLT_CONTROL_CONN,    /* struct slt_seen */
    SLT_CONTROL_COUNTER, /* struct slt_control_counter, one for every reason */
    SLT_CONTROL_EVENT,   /* struct slt_event */
    SLT_CONTROL_END,     /* no record */
    SLT_CONTROL_KIND_COUNT
};

struct slt_control_request {
    uint32_t magic;
    uint16_t version;
    uint16_t what;        /* bits 1 << enum slt_control_kind */
    uint64_t events_from; /* number of the first event wanted; 0: the oldest there is */
};

struct slt_control_head {
    uint32_t magic;
    uint16_t version;
    uint8_t kind; /* enum slt_control_kind */
    uint8_t spare;
    uint32_t record_bytes;
    uint32_t count;
    uint64_t lost; /* EVENT: how many the ring has lost before the first of these */
};

struct slt_control_who {
    int32_t pid;
    uint32_t event_ring; /* how many events are kept; 0: none */
    uint64_t events_written;
    int64_t now_ns; /* the stack's time */
    char program[SLT_SEEN_NAME_MAX];
    char library[16]; /* salut_version() */
};

struct slt_control_counter {
    char token[40]; /* of the reason: numbers differ between versions */
    uint64_t value;
};

#endif
