/* Putting fragments together, for both families, in bounded memory and time.
 *
 * Each datagram in the making is a set of byte ranges, found in O(log n) (base/ranges.h), whose
 * bytes lie in small buffers of this module's own pool; the first fragment's headers are kept
 * too. Nothing that overlaps is ever put together (R791-06, R8200-04, D-16): the datagram is
 * poisoned, its bytes are freed, and the fragments that still come for it are dropped until it
 * times out. An exact duplicate is ignored. When memory runs out the oldest datagram goes.
 *
 * A whole datagram is handed out as one packet, headers in front and corrected, exactly as if it
 * had never been cut, so that slt_ip_parse reads it with SLT_IP_WAY_REASSEMBLED. It lies in a
 * buffer of this module until slt_frag_release.
 *
 * RFC 791 3.2, RFC 815, RFC 1122 3.3.2, RFC 1858, RFC 3168 5.3, RFC 8200 4.5, RFC 5722, RFC 6946.
 */
#ifndef SLT_IP_FRAG_H
#define SLT_IP_FRAG_H

#include "base/flow.h"
#include "base/ranges.h"
#include "base/siphash.h"
#include "base/time.h"
#include "ip/input.h"

/* Bytes of one storage buffer: two hold a full fragment of an Ethernet link, and the smallest
 * fragment costs no more than one. */
#define SLT_FRAG_BUFFER_BYTES 768U

/* Fragments of one datagram; 65,535 bytes over IPv4's smallest link MTU of 68. */
#define SLT_FRAG_PIECES_MAX 1366U

struct slt_frag_datagram {
    uint32_t free_link; /* the pool's */
    slt_flow_ref hash_link;
    uint32_t hash;
    uint32_t older; /* in its family's list, in the order of their beginnings */
    uint32_t newer;
    uint32_t id;
    uint32_t total_bytes; /* of the payload; UINT32_MAX until the last fragment has come */
    uint32_t held_bytes;
    int64_t since_ns; /* when its first-come fragment came */
    struct slt_ranges pieces;
    struct slt_chain header; /* of the fragment at offset 0; empty until it has come */
    uint32_t next_header_at; /* IPv6: the octet of the header that names the fragment header */
    uint8_t src[16];
    uint8_t dst[16];
    uint8_t protocol; /* IPv4: part of the key; IPv6: the first fragment's next header */
    uint8_t family;
    uint8_t ecn_seen; /* bit per code point */
    uint8_t way;      /* of the first fragment */
    bool poisoned;
};

struct slt_frag {
    struct slt_mem *mem;
    struct slt_pool datagrams;
    struct slt_pool ranges;
    struct slt_pool bufs;
    struct slt_flow flow;
    struct slt_sipkey key;
    int64_t timeout_ns[2]; /* IPv4, IPv6 */
    uint32_t oldest[2];    /* lists per family: each expires in order */
    uint32_t newest[2];
    uint8_t *whole; /* whole_max bytes: the packet handed out */
    uint32_t whole_max;
    bool lent;        /* `whole` is in the caller's hands */
    uint64_t steps;   /* of the table and its lists, for bound tests */
    uint64_t evicted; /* datagrams that made room for newer ones */
};

struct slt_frag_setup {
    uint32_t datagrams_max; /* 0: no fragment is taken */
    uint32_t bytes_max;     /* for fragments' bytes, buffers counted whole */
    int64_t timeout4_ns;
    int64_t timeout6_ns;
    struct slt_sipkey key;
};

SLT_MUST_USE bool slt_frag_init(struct slt_frag *frag, struct slt_mem *mem,
                                const struct slt_frag_setup *setup);
void slt_frag_deinit(struct slt_frag *frag);

/* Take a fragment (packet->fragment is set).
 *
 * SLT_NOTE_FRAG_HELD: kept. SLT_NOTE_FRAG_DONE: *whole is the packet, until slt_frag_release.
 * Else why it was dropped: SLT_DROP_FRAG_LENGTH, _TINY, _OVERLAP, _POISONED, _DUPLICATE, _MEMORY.
 */
SLT_MUST_USE enum slt_reason slt_frag_input(struct slt_frag *frag,
                                            const struct slt_ip_packet *packet, int64_t now_ns,
                                            struct slt_span *whole);

/* Give the buffer back that slt_frag_input or slt_frag_expire lent. */
void slt_frag_release(struct slt_frag *frag);

/* R791-04: a whole IPv4 packet has come under the key of one in the making. */
void slt_frag_flush(struct slt_frag *frag, const struct slt_ip_packet *packet);

struct slt_frag_expired {
    struct slt_span first; /* the first fragment as a packet, to be quoted; empty: it never came */
    uint8_t way;           /* how it had come: for slt_ip_parse */
    bool poisoned;         /* it had been dropped before: nothing to count or say */
};

/* Drop the next datagram whose time is up; false when there is none. When out->first is not empty
 * it must be released before the next call. */
SLT_MUST_USE bool slt_frag_expire(struct slt_frag *frag, int64_t now_ns,
                                  struct slt_frag_expired *out);

/* When to call slt_frag_expire; SLT_NEVER when nothing is in the making. */
int64_t slt_frag_next_deadline(const struct slt_frag *frag);

/* Consistency of lists, counts and bytes; for tests and debug builds. */
bool slt_frag_check(const struct slt_frag *frag);

#endif
