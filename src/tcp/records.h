/* Send records: what was sent, when, and what became of it.
 *
 * A record stands for one transmitted super-segment, up to 64 KB that left at one instant, and is
 * cut only where it must be: at the edge of a SACK block, or where a part of it is sent again. It
 * is in one of three states:
 *
 *   FLIGHT  sent, no news. In the list of transmission order, oldest first: what RACK walks.
 *   LOST    taken as lost, waits to be sent again. In the list of lost records, in sequence order.
 *   SACKED  the peer has it, above a gap. In neither list; neighbours that are SACKED become one
 *           record, so that a SACK block is found known in one step however much it covers.
 *
 * All records of a connection are chained in sequence order and stand in a treap by position, so
 * that a SACK block's edge is found in a logarithm of steps whatever the peer sends.
 *
 * Records lie between SND.UNA and SND.NXT and never overlap, but they need not cover everything:
 * octets without a record are in flight and untimed, and only a timeout finds that they are lost.
 * That is what happens when the memory for records is used up; a connection can always have one, so
 * that it measures a round trip now and then, and every further one comes out of the instance's
 * limit. The octets of SYN and FIN have records like any other.
 */
#ifndef SLT_TCP_RECORDS_H
#define SLT_TCP_RECORDS_H

#include "base/treap.h"
#include "tcp/rate.h"

enum slt_record_fate { SLT_RECORD_FLIGHT, SLT_RECORD_LOST, SLT_RECORD_SACKED };

enum slt_record_flag {
    SLT_RECORD_RETRANSMITTED = 1, /* sent more than once: whose acknowledgement it is, is unclear */
    SLT_RECORD_UNTIMED = 2        /* nobody knows when it left, or parts of it left apart */
};

struct slt_record {
    uint32_t next; /* in sequence; the pool's link while free, so it must be first */
    uint32_t prev;
    struct slt_treap_links tree; /* by start */
    uint32_t list_next;          /* in the list of its state */
    uint32_t list_prev;
    uint32_t bytes; /* octets, SYN and FIN included; never 0 */
    int64_t start;
    struct slt_rate_stamp stamp; /* its last transmission, and when */
    uint32_t segs;               /* segments it was sent as */
    uint32_t order;              /* transmissions are numbered: instants may be alike */
    uint8_t fate;                /* enum slt_record_fate */
    uint8_t flags;               /* of enum slt_record_flag */
    uint16_t spare;
};

struct slt_record_list {
    uint32_t head;
    uint32_t tail;
};

/* The records of one connection. Written by records.c alone. */
struct slt_records {
    uint32_t root;
    uint32_t head; /* lowest in sequence */
    uint32_t tail;
    uint32_t count;
    struct slt_record_list flight; /* oldest transmission first */
    struct slt_record_list lost;   /* lowest first */
    uint32_t lost_near;            /* the record lost last: the next one mostly follows it */
    uint32_t lost_bytes;
    uint32_t sacked_bytes;
    uint32_t lost_segs;
    uint32_t sacked_segs;
    uint32_t rtx_bytes; /* in FLIGHT and sent more than once */
};

struct slt_tcp;

/* Below 0: `a` left before `b`; 0: they left together, as parts of one super-segment. */
static inline int32_t slt_record_compare_order(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

static inline int64_t slt_record_end(const struct slt_record *record)
{
    return record->start + record->bytes;
}

void slt_records_init(struct slt_records *rs);
void slt_records_clear(struct slt_tcp *tcp, struct slt_records *rs);
struct slt_record *slt_record_at(const struct slt_tcp *tcp, uint32_t index);

/* The record that holds `pos`, or else the first above it; SLT_NIL: none. */
uint32_t slt_records_find(const struct slt_tcp *tcp, const struct slt_records *rs, int64_t pos);

/* New octets [start, end) were sent as `segs` segments. Returns their record, in FLIGHT and last
 * in both orders, for the caller to stamp; NULL: they go without one. */
struct slt_record *slt_records_add(struct slt_tcp *tcp, struct slt_records *rs, int64_t start,
                                   int64_t end, uint32_t segs);

/* A record for octets that have none, taken as lost; SLT_NIL: there is no record to be had. */
uint32_t slt_records_add_lost(struct slt_tcp *tcp, struct slt_records *rs, int64_t start,
                              int64_t end, uint32_t segs);

/* Cut the record at `pos` inside it; it keeps the lower part. False: no record for the upper. */
bool slt_records_cut(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index, int64_t pos);

/* The lower `bytes` of the record are done with: all of it, and it is gone. */
void slt_records_drop(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index, uint32_t bytes);

/* The only record, in flight and sent once, is done with. */
void slt_records_drop_only(struct slt_tcp *tcp, struct slt_records *rs);

void slt_records_lose(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index);

/* SACKED; joined with SACKED neighbours it touches. Returns the record that now holds it. */
uint32_t slt_records_sack(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index);

/* It was sent again just now: FLIGHT, last in transmission order, for the caller to stamp. */
void slt_records_resend(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index);

/* Every LOST record was not lost after all: back to FLIGHT, where its instant belongs. */
void slt_records_find_again(struct slt_tcp *tcp, struct slt_records *rs);

/* The peer took its SACK back: every SACKED record is LOST. */
void slt_records_renege(struct slt_tcp *tcp, struct slt_records *rs);

/* NULL, or what is wrong (for check.c). */
const char *slt_records_check(const struct slt_tcp *tcp, const struct slt_records *rs, int64_t una,
                              int64_t nxt);

#endif
