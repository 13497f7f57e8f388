/* UDP: sockets, their ports and their queues of datagrams (RFC 768, RFC 1122 4.1, RFC 8085).
 *
 * A tuple is opaque here as it is to TCP: two addresses of 16 bytes and two ports, of which an
 * unconnected socket leaves the remote half zero, and one that is bound to no address its local
 * address too. Sockets are found through two keyed tables, one by tuple for what arrives, one by
 * port for what must not collide and for datagrams that go to all. No step that a datagram takes is
 * proportional to the number of sockets.
 *
 *     arrives  ->  slt_udp_find  ->  slt_udp_deliver  ->  in   ->  the user
 *     the user ->  slt_udp_send  ->  out  ->  slt_udp_first ... slt_udp_drop_first -> the stack
 *                                     '-> held: its neighbour is being asked for
 *
 * A queue is one chain of bytes in the instance's buffers, in which every datagram stands behind a
 * head of 40 bytes. So small datagrams share buffers, nothing is allocated for one, and the limits
 * count what is really held: each socket has its own, and all of them together may hold no more
 * than half of the instance's buffers, lest a flood of datagrams take TCP's.
 *
 * The stack owns the way out. It takes the sockets that have something to send from a list, looks
 * at the first datagram of a queue (`held` while that is tried again, else `out`), and drops it
 * when it has left. One whose neighbour is not known moves from `out` to `held`, so that the
 * socket's other datagrams do not wait for it (RFC 1122 2.3.2.2); when any neighbour has answered
 * or failed, everything held is tried once more.
 *
 * Errors that the network reports are kept as two statuses: the one that the next call reports,
 * once (RFC 1122 4.1.3.3), and the last advice.
 *
 * The floor knows no time. What it does not do: UDP-Lite, encapsulation, multicast memberships.
 */
#ifndef SLT_UDP_UDP_H
#define SLT_UDP_UDP_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/flow.h"
#include "base/reason.h"
#include "base/siphash.h"
#include "base/span.h"
#include "salut/salut.h"
#include "wire/address.h"

/* The longest payloads: what IP's 16-bit lengths leave. */
#define SLT_UDP_PAYLOAD_MAX4 (65535U - 20U - 8U)
#define SLT_UDP_PAYLOAD_MAX6 (65535U - 8U)

/* What was sent lately in packets large enough to be too large; see slt_udp_note_large. */
#define SLT_UDP_LARGE_COUNT 64U

struct slt_udp_id {
    uint8_t local[16];
    uint8_t remote[16];
    uint16_t local_port;
    uint16_t remote_port; /* 0: not connected */
};
_Static_assert(sizeof(struct slt_udp_id) == 36, "the tuple is hashed and compared as bytes");

/* What stands before a datagram's bytes in a queue. */
struct slt_udp_head {
    uint8_t local[16];
    uint8_t remote[16];
    uint32_t bytes; /* of the payload */
    uint16_t remote_port;
    uint8_t ttl;   /* out: 0 is the interface's */
    uint8_t class; /* the DS field: DSCP and ECN */
};
_Static_assert(sizeof(struct slt_udp_head) == 40, "the head is copied as bytes");

struct slt_udp_queue {
    struct slt_chain chain;
    uint32_t count; /* datagrams */
};

enum slt_udp_mark {
    SLT_UDP_CONNECTED = 1,
    SLT_UDP_V6_ONLY = 2,
    SLT_UDP_REUSE = 4,
    SLT_UDP_BROADCAST = 8,
    SLT_UDP_ORPHAN = 16 /* the user has let go of it: it ends when its queues are empty */
};

/* How specific a socket is; lookups go from the first to the last. */
enum slt_udp_class {
    SLT_UDP_CLASS_CONNECTED, /* the whole tuple */
    SLT_UDP_CLASS_EXACT,     /* local address and port */
    SLT_UDP_CLASS_ANY4,      /* 0.0.0.0 and port */
    SLT_UDP_CLASS_ANY,       /* :: and port */
    SLT_UDP_CLASS_COUNT
};

/* Lists of sockets. One stands in at most one of the last two. */
enum slt_udp_list_id {
    SLT_UDP_LIST_DIRTY,    /* has something to send */
    SLT_UDP_LIST_WAITING,  /* holds datagrams whose neighbours are asked for */
    SLT_UDP_LIST_READY,    /* has news */
    SLT_UDP_LIST_REPORTED, /* had news that were told in this turn */
    SLT_UDP_LIST_COUNT
};
#define SLT_UDP_LINK_COUNT 3U

struct slt_udp_link {
    uint32_t before;
    uint32_t after;
    uint32_t list; /* enum slt_udp_list_id; SLT_UDP_LIST_COUNT: in none */
};

struct slt_udp_list {
    uint32_t head; /* SLT_NIL when empty */
    uint32_t tail;
    uint32_t count;
};

/* How much of the first datagram of a queue has left in fragments. */
struct slt_udp_cut {
    uint32_t at; /* UDP header included; 0: nothing */
    uint32_t id; /* the fragments' identification */
    bool held;   /* it is the first of `held`, not of `out` */
};

struct slt_udp_sock {
    slt_flow_ref tuple_next; /* the pool's link while free */
    slt_flow_ref port_next;
    uint32_t index;
    uint32_t generation; /* odd while in use */
    struct slt_udp_link links[SLT_UDP_LINK_COUNT];
    struct slt_udp_id id;
    uint8_t bound[16]; /* id.local while it has no peer */
    uint32_t zone;
    uint64_t user;
    struct slt_udp_queue in;
    struct slt_udp_queue out;
    struct slt_udp_queue held;
    uint32_t held_left; /* of `held`, datagrams to be tried again */
    struct slt_udp_cut cut;
    uint32_t recv_max;
    uint32_t send_max;
    uint8_t marks;    /* of enum slt_udp_mark */
    uint8_t class;    /* enum slt_udp_class */
    uint8_t interest; /* of enum salut_ready */
    uint8_t ttl;      /* 0: the interface's */
    uint8_t dscp;
    uint8_t fragment; /* enum salut_fragment */
    uint8_t error;    /* enum salut_status the next call reports; SALUT_OK: none */
    uint8_t advice;   /* enum salut_status of the last thing the network said */
    uint32_t drops;
    uint32_t datagrams_in; /* delivered */
    uint32_t datagrams_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

struct slt_udp_large {
    uint32_t hash;
    uint32_t bytes; /* of the largest packet; 0: none */
};

struct slt_udp {
    struct slt_pool pool; /* of struct slt_udp_sock */
    struct slt_pool *bufs;
    struct slt_flow by_tuple;
    struct slt_flow by_port;
    struct slt_sipkey key;
    struct slt_udp_list lists[SLT_UDP_LIST_COUNT];
    uint32_t class_count[SLT_UDP_CLASS_COUNT];
    uint64_t queued_bytes; /* in all queues */
    uint64_t queued_max;
    uint32_t recv_default; /* of new sockets */
    uint32_t send_default;
    uint64_t work; /* sockets looked at, for bound tests */
    struct slt_udp_large large[SLT_UDP_LARGE_COUNT];
};

static inline struct slt_udp_sock *slt_udp_at(const struct slt_udp *udp, uint32_t index)
{
    return slt_pool_at(&udp->pool, index);
}

static inline bool slt_udp_has(const struct slt_udp_sock *s, enum slt_udp_mark mark)
{
    return (s->marks & (unsigned)mark) != 0;
}

/* ---- table.c: sockets, found by tuple or port ----------------------------------------------- */

uint32_t slt_udp_hash(const struct slt_udp *udp, const struct slt_udp_id *id);

uint32_t slt_udp_bucket_count(const struct salut_config *config);
SLT_MUST_USE bool slt_udp_init(struct slt_udp *udp, struct slt_mem *mem, struct slt_pool *bufs,
                               const struct salut_config *config, struct slt_sipkey key);
void slt_udp_deinit(struct slt_udp *udp);

/* True when no socket that this one may not share with has this local address and port, or this
 * tuple. `marks` are those of the socket that asks. */
bool slt_udp_is_free(struct slt_udp *udp, const struct slt_udp_id *id, uint32_t marks);

/* True when no socket at all has the port. */
bool slt_udp_port_is_free(struct slt_udp *udp, uint16_t port);

/* A new socket, bound and found; SLT_NIL: there is no room. Its interest is READABLE. */
uint32_t slt_udp_new(struct slt_udp *udp, const struct slt_udp_id *id, uint32_t marks);

/* Give it another tuple: with a peer, or without one (remote port 0). */
void slt_udp_set_id(struct slt_udp *udp, struct slt_udp_sock *s, const struct slt_udp_id *id);

/* The user lets go: it is found no more, and ends now or when it has sent what it holds. */
void slt_udp_close(struct slt_udp *udp, struct slt_udp_sock *s);

/* End an orphan that has nothing more to send. */
void slt_udp_reap(struct slt_udp *udp, struct slt_udp_sock *s);

/* The socket that a datagram with this tuple is for; NULL: none. */
struct slt_udp_sock *slt_udp_find(struct slt_udp *udp, const struct slt_udp_id *id);

/* A broadcast or multicast datagram is for every socket that is bound to its port and to no address
 * or the group's: the one after `after` (NULL: the first); NULL at the end. */
struct slt_udp_sock *slt_udp_next_member(struct slt_udp *udp, const struct slt_udp_id *id,
                                         const struct slt_udp_sock *after);

/* ---- queue.c: datagrams in chains ----------------------------------------------------------- */

/* Put what arrived into the receive queue: SLT_NOTE_UDP_TAKEN, SLT_DROP_UDP_QUEUE_FULL,
 * SLT_DROP_UDP_NO_BUFFER. */
enum slt_reason slt_udp_deliver(struct slt_udp *udp, struct slt_udp_sock *s,
                                const struct slt_udp_head *head, const uint8_t *payload);

/* Put a datagram of head->bytes bytes into the send queue: SALUT_OK, SALUT_WOULD_BLOCK,
 * SALUT_NO_MEMORY. */
enum salut_status slt_udp_send(struct slt_udp *udp, struct slt_udp_sock *s,
                               const struct slt_udp_head *head, const struct salut_iovec *pieces,
                               size_t count);

/* The queue that is sent from next; NULL: there is nothing to send. */
struct slt_udp_queue *slt_udp_sendable(struct slt_udp_sock *s);

/* Where a datagram lies in its queue. */
struct slt_udp_place {
    struct slt_cursor cursor; /* of the first byte behind its head */
    uint32_t bytes;           /* of its payload */
    uint32_t number;          /* from 1 */
};

/* Step to the queue's first datagram (place all zero) or the next one; false at the end. */
bool slt_udp_step(const struct slt_udp *udp, const struct slt_udp_queue *queue,
                  struct slt_udp_place *place, struct slt_udp_head *head);

/* Forget the first datagram of one of the socket's queues; `known` when its head is at hand. */
void slt_udp_drop_first(struct slt_udp *udp, struct slt_udp_sock *s, struct slt_udp_queue *queue);
void slt_udp_drop_known(struct slt_udp *udp, struct slt_udp_sock *s, struct slt_udp_queue *queue,
                        const struct slt_udp_head *head);

/* The first datagram of the queue that is sent from cannot leave yet: it goes to the end of `held`.
 * Returns how many had to be given up for that, the oldest held or the datagram itself. */
uint32_t slt_udp_hold(struct slt_udp *udp, struct slt_udp_sock *s);

/* Some neighbour has answered or failed: whatever is held is tried again. */
void slt_udp_wake(struct slt_udp *udp);

/* ---- news.c: lists, readiness, errors ------------------------------------------------------- */

void slt_udp_push(struct slt_udp *udp, enum slt_udp_list_id list, struct slt_udp_sock *s);
void slt_udp_unlist(struct slt_udp *udp, struct slt_udp_sock *s, enum slt_udp_list_id list);
struct slt_udp_sock *slt_udp_pop(struct slt_udp *udp, enum slt_udp_list_id list);
bool slt_udp_is_listed(const struct slt_udp_sock *s, enum slt_udp_list_id list);

/* Ready bits, and the list of those that have news after something changed. */
uint32_t slt_udp_ready(const struct slt_udp_sock *s);
void slt_udp_news(struct slt_udp *udp, struct slt_udp_sock *s);

/* A turn begins: what was reported is asked again. */
void slt_udp_turn(struct slt_udp *udp);

/* The network says something about what this socket sent. */
void slt_udp_complain(struct slt_udp *udp, struct slt_udp_sock *s, enum salut_status status,
                      bool hard);

/* What the next call reports, once. */
enum salut_status slt_udp_take_error(struct slt_udp_sock *s);

/* ---- large.c: was that really sent? --------------------------------------------------------- */

/* A packet of `bytes` bytes was sent. */
void slt_udp_note_large(struct slt_udp *udp, const struct slt_udp_id *id, uint32_t bytes);

/* True when a packet larger than `bytes` went that way not long ago. */
bool slt_udp_sent_large(const struct slt_udp *udp, const struct slt_udp_id *id, uint32_t bytes);

/* ---- facts.c: what is told of a socket ------------------------------------------------------ */

enum salut_status slt_udp_set_option(struct slt_udp *udp, struct slt_udp_sock *s,
                                     enum salut_option option, int64_t value);
enum salut_status slt_udp_get_option(const struct slt_udp_sock *s, enum salut_option option,
                                     int64_t *value);
void slt_udp_info(const struct slt_udp_sock *s, struct salut_info *info);

/* NULL, or the invariant that does not hold; `pending`: a batch of output is not answered yet. */
const char *slt_udp_check(const struct slt_udp *udp, bool pending);
void slt_udp_digest(const struct slt_udp *udp, struct slt_digest *digest);

#endif
