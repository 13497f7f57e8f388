/* One instance of the stack, private to src/stack: its memory, its tables and lists, and what the
 * files of this folder know of one another.
 *
 * Every object lies in a pool and is named by its index. Three kinds can be found by a tuple
 * through one flow table: connections, half-open entries, TIME-WAIT entries. A connection is also
 * in at most one queue of work (dirty: has something to send; or parked: waits for its neighbour)
 * and at most one queue of news (ready: to be reported; reported: was, in this turn). These queues
 * are singly linked; a connection that ended while it stands in one of them stays, marked dead,
 * until its turn comes (or until a sweep needs the room).
 *
 * Calls between the files go down this list only:
 *
 *   instance addresses calls opening udp_data events info check    the public doors
 *   udp                                                    the same, for UDP sockets
 *   rx poll (turn.c)                                       the turn's first half
 *   rx_tcp rx_udp                                          dispatch of what arrived
 *   rx_icmp
 *   halfopen                                               passive opening
 *   tx tx_udp                                              the turn's second half
 *   after                                                  what follows every engine door
 *   autoconf                                               addresses that come by themselves
 *   park conns net                                         waiting; objects; the way out
 *   fastopen waits listen ports frame reply udp_notice     tables
 *   demux emit queues config names                         leaves
 */
#ifndef SLT_STACK_STACK_H
#define SLT_STACK_STACK_H

#include "base/flow.h"
#include "base/prng.h"
#include "ip/frag.h"
#include "ip/icmp.h"
#include "ip/neigh.h"
#include "ip/output.h"
#include "ip/pmtu.h"
#include "ip/ra.h"
#include "salut/salut.h"
#include "tcp/tcp.h"
#include "udp/udp.h"
#include "wire/udp.h"

/* Kinds of flow references. */
enum slt_flow_object { SLT_FLOW_CONN, SLT_FLOW_HALF_OPEN, SLT_FLOW_TIME_WAIT };

/* Retry levels of half-open entries: each has its queue. */
#define SLT_HALF_OPEN_RETRIES_MAX 15U
#define SLT_HALF_OPEN_LEVELS      (SLT_HALF_OPEN_RETRIES_MAX + 1U)

/* Frames parsed before the first of them is acted upon. */
#define SLT_RX_BATCH 16U

/* So many connections are more than the processor's caches hold (1.5 KB each while they work). */
#define SLT_CROWD 256U

/* Frames offered by one salut_output, and how many of them one connection may take. */
#define SLT_TX_BATCH 64U
#define SLT_TX_SHARE 16U

/* RFC 6056 3.3.4: entries of the table of counters. */
#define SLT_PORT_COUNTERS 512U

/* What this floor keeps in slt_tcp_place.marks. */
enum slt_stack_mark {
    SLT_MARK_FOUND = 1,     /* in the flow table */
    SLT_MARK_CHILD = 2,     /* of a listener, not yet in its accept queue */
    SLT_MARK_QUEUED = 4,    /* in the accept queue */
    SLT_MARK_DEAD = 8,      /* over; a queue still holds it */
    SLT_MARK_FAST_OPEN = 16 /* a fast open whose end fastopen.c awaits */
};

/* Values of slt_tcp_place.parked. */
enum slt_stack_parked { SLT_PARKED_NOT, SLT_PARKED_NEIGHBOUR };

/* A queue of connections, threaded through one of their links. */
struct slt_conn_queue {
    uint32_t head; /* SLT_NIL when empty */
    uint32_t tail;
    uint32_t count;
};

/* A listener: LISTEN is no connection (RFC 9293 3.10.7.2 acts on it through the engine's
 * judgement). */
struct slt_listener {
    uint32_t bucket_next; /* in the listener table; the pool's link while free */
    uint32_t generation;  /* odd while in use */
    uint32_t ready_next;  /* as in slt_tcp_place */
    uint32_t queue_head;  /* connections to accept, oldest first */
    uint32_t queue_tail;
    uint32_t queue_count;
    uint32_t half_open_count; /* entries of the half-open table that are its own */
    uint32_t backlog;
    uint32_t offered; /* taken from the queue, and waiting on in one of the user's */
    uint32_t flags;   /* of enum salut_listen_flag */
    uint32_t zone;
    uint64_t user;
    uint8_t addr[16];
    uint16_t port; /* 0: any */
    uint8_t class; /* enum slt_listen_class */
    uint8_t spare;
    struct slt_tcp_defaults defaults;
    uint32_t fast_open_count; /* entries of the fast open table that are its own */
};

/* How specific a listener is; lookups go from the first to the last. */
enum slt_listen_class {
    SLT_LISTEN_EXACT,       /* address and port */
    SLT_LISTEN_ANY4,        /* 0.0.0.0 and port */
    SLT_LISTEN_ANY,         /* :: and port */
    SLT_LISTEN_EXACT_PORTS, /* address, every port */
    SLT_LISTEN_ANY4_PORTS,  /* 0.0.0.0, every port */
    SLT_LISTEN_ANY_PORTS,   /* ::, every port */
    SLT_LISTEN_CLASS_COUNT
};

struct slt_listen_table {
    struct slt_pool pool;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t class_count[SLT_LISTEN_CLASS_COUNT];
    uint32_t transparent_count;
    struct slt_conn_queue ready; /* listeners to report */
    struct slt_conn_queue reported;
};

struct slt_half_open_table {
    struct slt_pool pool;
    struct slt_conn_queue level[SLT_HALF_OPEN_LEVELS];
    int64_t pressed_at_ns; /* when a cookie was last sent; the earliest instant: never */
};

/* TIME-WAIT entries in a small wheel of singly linked slots; see waits.c. */
#define SLT_WAIT_LEVELS 4U
#define SLT_WAIT_SLOTS  64U

struct slt_wait_table {
    struct slt_pool pool;
    uint64_t now_ms; /* everything due before it has ended */
    uint64_t occupied[SLT_WAIT_LEVELS];
    uint32_t head[SLT_WAIT_LEVELS][SLT_WAIT_SLOTS];
    uint32_t count;      /* entries that can be found */
    uint32_t over_count; /* entries that ended early and wait in their slots */
    uint32_t sweep;      /* the slot swept last */
};

/* Fast open: a path, what a client knows of it, and a server's pending connections. */
struct slt_fast_open_path {
    uint8_t local[16];
    uint8_t remote[16];
    uint32_t port;
};

struct slt_fast_open_server {
    struct slt_fast_open_path path;
    uint16_t mss;
    uint8_t cookie_bytes; /* 0: none known */
    uint8_t failures;     /* in a row */
    uint8_t cookie[16];
    uint64_t used; /* number of its last use; 0: the place is free */
    int64_t spared_until_ns;
};

struct slt_fast_open_pending {
    uint32_t next; /* in its bucket, the queue of those reset, or the free list */
    uint32_t conn;
    uint32_t listener;
    uint32_t listener_generation;
    int64_t until_ns; /* reset: counts until then */
};

struct slt_fast_open {
    struct slt_fast_open_server *servers; /* sets of four */
    uint32_t set_count;
    uint32_t pending_max;
    struct slt_fast_open_pending *pending; /* pending_max of them, then as many buckets */
    uint32_t free;
    uint32_t reset_head; /* in order of until_ns */
    uint32_t reset_tail;
    uint64_t uses;
};

/* What addresses and routes said of the destination that was last asked about; see net.c. */
enum slt_net_source { SLT_NET_SOURCE_UNASKED, SLT_NET_SOURCE_NONE, SLT_NET_SOURCE_FOUND };

struct slt_net_memory {
    uint64_t version; /* of the interface that said so; 0: nobody asked yet */
    uint8_t dst[16];
    struct slt_ip_hop hop;
    struct slt_neigh_ref ref; /* of the hop, as the cache last found it; generation 0: not asked */
    uint8_t source;           /* enum slt_net_source */
    uint8_t src[16];          /* what goes there leaves with, when found */
};

/* Where searches towards one destination start (ports.c): its addresses and port, and their keyed
 * hash. */
struct slt_port_start {
    uint64_t addresses;
    uint32_t port;
    uint32_t known;
    uint64_t hash;
};
#define SLT_PORT_STARTS 64U

struct slt_port_chooser {
    struct slt_sipkey key;
    struct slt_port_start starts[SLT_PORT_STARTS];
    uint32_t counters[SLT_PORT_COUNTERS];
};

/* What is sent without a connection, waiting for the next salut_output. */
enum slt_reply_kind {
    SLT_REPLY_TCP,    /* a segment, built when it leaves */
    SLT_REPLY_PACKET, /* an IP packet; its link address is asked for when it leaves */
    SLT_REPLY_FRAME   /* a whole frame */
};

#define SLT_REPLY_BYTES_MAX 128U

struct slt_reply {
    uint32_t next;         /* in its queue; the pool's link while free */
    struct slt_chain body; /* bytes after `bytes`, in buffers of the engine's pool */
    uint16_t byte_count;
    uint8_t kind;    /* enum slt_reply_kind */
    uint8_t dscp;    /* TCP: the DS field's upper six bits, shifted */
    uint8_t ttl;     /* TCP; 0: the interface's */
    uint8_t why;     /* enum slt_reason, for PACKET and FRAME: SLT_PASS */
    uint8_t hop[16]; /* PACKET, TCP: where the packet is going (not yet its next hop) */
    union {
        struct slt_tcp_reply tcp;
        uint8_t bytes[SLT_REPLY_BYTES_MAX];
    } of;
};

struct slt_reply_ring {
    struct slt_pool pool;
    struct slt_conn_queue ready;   /* in order */
    struct slt_conn_queue waiting; /* for a neighbour, any */
};

/* How far a frame brings the first datagram of a UDP socket's queue. */
struct slt_tx_step {
    uint32_t end; /* what has left of it then, UDP header included */
    uint32_t id;  /* of its fragments */
    bool held;    /* the queue is `held`, not `out` */
    bool whole;   /* that is all of it */
};

enum slt_tx_kind { SLT_TX_CONN, SLT_TX_REPLY, SLT_TX_UDP };

/* One frame offered and not yet answered by salut_output_taken. */
struct slt_tx_record {
    uint32_t index; /* of the connection, reply or UDP socket */
    uint8_t kind;   /* enum slt_tx_kind */
    union {
        struct slt_tcp_plan plan;
        struct slt_tx_step step;
    } of;
};

struct slt_tx_batch {
    uint32_t count;
    bool pending;
    struct slt_tx_record record[SLT_TX_BATCH];
};

/* Parsed frames of a batch, acted upon after all of them are parsed. */
struct slt_rx_item {
    struct slt_tcp_segment seg;
    struct slt_tcp_id id;
    uint32_t hash;
    uint32_t isn; /* for the connection that this SYN makes, when has_isn */
    bool has_isn;
    bool ours; /* the destination is an address of ours, not one that is intercepted */
};

/* A tuple of IPv4 and its hash under flow_key (demux.c). */
struct slt_seen {
    uint64_t addresses;
    uint32_t ports;
    uint32_t hash;
};
#define SLT_SEEN_COUNT 256U

struct salut_stack {
    struct salut_config config;
    struct slt_mem mem;
    struct slt_telemetry *telemetry; /* outside the snapshot */
    size_t core_bytes;               /* fixed mode: of the block, what a snapshot holds */
    int64_t now_ns;                  /* the time last told */

    struct slt_tcp tcp;
    struct slt_udp udp;
    struct slt_ip_iface iface;
    struct slt_net_memory net;
    struct slt_neigh neigh;
    struct slt_pmtu pmtu;
    struct slt_frag frag;
    struct slt_icmp_limit icmp_limit;
    struct slt_dad dad;
    struct slt_ra ra;
    struct slt_prng_secret chance; /* everything that nobody may predict and no engine draws */
    uint8_t loopback;              /* bits of addresses.c: the link brings back what we send */

    struct slt_flow flow;
    struct slt_sipkey flow_key;
    struct slt_seen seen[SLT_SEEN_COUNT];
    struct slt_sipkey label_key; /* IPv6 flow labels */
    struct slt_wheel wheel;      /* of connections */
    struct slt_conn_queue dirty;
    struct slt_conn_queue ready;
    struct slt_conn_queue reported;
    struct slt_conn_queue *parked; /* by neighbour */
    uint32_t parked_max;
    uint32_t dead_count; /* connections that are over and stand in a queue */

    struct slt_tcp_defaults defaults; /* of active opens */
    struct slt_listen_table listen;
    struct slt_half_open_table half_open;
    struct slt_wait_table waits;
    struct slt_fast_open fast_open;
    struct slt_port_chooser ports;
    struct slt_reply_ring replies;
    struct slt_tx_batch tx;
    struct slt_rx_item rx[SLT_RX_BATCH];
    uint32_t rx_count;
};

static inline struct slt_listener *slt_listener_at(const struct salut_stack *stack, uint32_t index)
{
    return slt_pool_at_typed(&stack->listen.pool, index, (uint32_t)sizeof(struct slt_listener));
}

static inline struct slt_tcp_half_open *slt_half_open_at(const struct salut_stack *stack,
                                                         uint32_t index)
{
    return slt_pool_at_typed(&stack->half_open.pool, index,
                             (uint32_t)sizeof(struct slt_tcp_half_open));
}

static inline struct slt_tcp_time_wait *slt_wait_at(const struct salut_stack *stack, uint32_t index)
{
    return slt_pool_at_typed(&stack->waits.pool, index, (uint32_t)sizeof(struct slt_tcp_time_wait));
}

static inline struct slt_reply *slt_reply_at(const struct salut_stack *stack, uint32_t index)
{
    return slt_pool_at_typed(&stack->replies.pool, index, (uint32_t)sizeof(struct slt_reply));
}

static inline struct slt_tx_record *slt_tx_new_record(struct salut_stack *stack, uint32_t index,
                                                      enum slt_tx_kind kind)
{
    SLT_ASSERT(stack->tx.count < SLT_TX_BATCH);
    struct slt_tx_record *record = &stack->tx.record[stack->tx.count++];
    record->index = index;
    record->kind = (uint8_t)kind;
    return record;
}

/* config.c */
bool slt_config_limits_ok(const struct salut_config *config);
bool slt_config_ok(const struct salut_config *config);

/* emit.c: `drop` writes an event and counts, `note` only counts, `tell` does what the category of
 * the reason asks for (SLT_PASS and causes: nothing) */
void slt_stack_drop(struct salut_stack *stack, enum slt_reason why);
void slt_stack_drop_segment(struct salut_stack *stack, const struct slt_rx_item *item,
                            enum slt_reason why);
void slt_stack_note(struct salut_stack *stack, enum slt_reason why);
void slt_stack_tell(struct salut_stack *stack, enum slt_reason why);
void slt_stack_tell_segment(struct salut_stack *stack, const struct slt_rx_item *item,
                            enum slt_reason why);
void slt_stack_emit_half_open(struct salut_stack *stack, uint32_t index, enum salut_state to,
                              enum slt_reason why);
void slt_stack_emit_wait_end(struct salut_stack *stack, uint32_t index, enum slt_reason why);
void slt_stack_emit_listener(struct salut_stack *stack, uint32_t index, enum salut_state to,
                             enum slt_reason why);
void slt_stack_emit_reply(struct salut_stack *stack, const struct slt_tcp_reply *reply);

/* queues.c */
enum slt_queue_link { SLT_LINK_DIRTY, SLT_LINK_READY };

void slt_queue_init(struct slt_conn_queue *queue);
void slt_queue_free_links(struct slt_tcp_place *place, uint32_t index);
static inline bool slt_queue_holds(const struct slt_tcp_conn *c, enum slt_queue_link link)
{
    return (link == SLT_LINK_DIRTY ? c->place.dirty_next : c->place.ready_next) != c->index;
}
static inline bool slt_queue_has(const struct salut_stack *stack, uint32_t index,
                                 enum slt_queue_link link)
{
    return slt_queue_holds(slt_tcp_conn_at(&stack->tcp, index), link);
}
void slt_queue_push(struct salut_stack *stack, struct slt_conn_queue *queue, struct slt_tcp_conn *c,
                    enum slt_queue_link link);
struct slt_tcp_conn *slt_queue_pop(struct salut_stack *stack, struct slt_conn_queue *queue,
                                   enum slt_queue_link link);
void slt_queue_join(struct salut_stack *stack, struct slt_conn_queue *to,
                    struct slt_conn_queue *from, enum slt_queue_link link);
uint32_t slt_queue_next(const struct salut_stack *stack, uint32_t index, enum slt_queue_link link);

/* demux.c: by tuple. `probes` grows by the objects compared; `replace` lets one object take the
 * place of another with the same tuple. Who adds has looked the tuple up before, and still knows
 * its hash. */
uint32_t slt_demux_bucket_count(const struct salut_config *config);
bool slt_demux_init(struct salut_stack *stack);
uint32_t slt_demux_hash(const struct salut_stack *stack, const struct slt_tcp_id *id);
/* The same, remembered from now on: the tuple will be asked for again. */
uint32_t slt_demux_meet(struct salut_stack *stack, const struct slt_tcp_id *id);
void slt_demux_expect(const struct salut_stack *stack, uint32_t hash);
void slt_demux_approach(const struct salut_stack *stack, uint32_t hash);
slt_flow_ref slt_demux_find(const struct salut_stack *stack, uint32_t hash,
                            const struct slt_tcp_id *id, uint32_t *probes);
bool slt_demux_has(const struct salut_stack *stack, uint32_t hash, const struct slt_tcp_id *id);
void slt_demux_add(struct salut_stack *stack, enum slt_flow_object kind, uint32_t index,
                   uint32_t hash);
void slt_demux_replace(struct salut_stack *stack, slt_flow_ref old, slt_flow_ref ref,
                       uint32_t hash);
void slt_demux_remove(struct salut_stack *stack, enum slt_flow_object kind, uint32_t index);

/* reply.c: `opts` gives TTL and DS field, NULL the defaults */
uint32_t slt_reply_max(const struct salut_config *config);
bool slt_reply_init(struct salut_stack *stack);
bool slt_reply_room(const struct salut_stack *stack);
void slt_reply_tcp(struct salut_stack *stack, const struct slt_tcp_reply *tcp,
                   const struct slt_tcp_opts *opts);
bool slt_reply_parts(struct salut_stack *stack, enum slt_reply_kind kind,
                     const struct slt_span parts[3], const uint8_t dst[16]);
uint32_t slt_reply_pop(struct salut_stack *stack);
void slt_reply_unpop(struct salut_stack *stack, uint32_t index);
void slt_reply_wait(struct salut_stack *stack, uint32_t index);
void slt_reply_wake(struct salut_stack *stack);
void slt_reply_free(struct salut_stack *stack, uint32_t index);

/* waits.c: TIME-WAIT entries. `add` puts one in a connection's place in the flow table (false: the
 * table of entries is full), `end` takes an
 * entry away before its time; `expire` answers true when the budget ended first. */
bool slt_waits_init(struct salut_stack *stack);
bool slt_waits_add(struct salut_stack *stack, const struct slt_tcp_conn *c);
void slt_waits_end(struct salut_stack *stack, uint32_t index);
bool slt_waits_expire(struct salut_stack *stack, uint32_t *budget);
int64_t slt_waits_next(const struct salut_stack *stack);

/* listen.c: the table of listeners, their accept queues, their news */
uint32_t slt_listen_bucket_count(const struct salut_config *config);
bool slt_listen_init(struct salut_stack *stack);
void slt_listen_deinit(struct salut_stack *stack);
void slt_listen_classify(struct slt_listener *l);
bool slt_listen_conflicts(const struct salut_stack *stack, const struct slt_listener *wanted);
uint32_t slt_listen_add(struct salut_stack *stack, const struct slt_listener *wanted);
void slt_listen_remove(struct salut_stack *stack, uint32_t index);
uint32_t slt_listen_find(const struct salut_stack *stack, const struct slt_tcp_id *id, bool ours,
                         uint32_t hash);
bool slt_listen_owns_port(const struct salut_stack *stack, const uint8_t local[16], uint16_t port);
bool slt_listen_full(const struct salut_stack *stack, const struct slt_listener *l);
void slt_listen_queue(struct salut_stack *stack, uint32_t listener, uint32_t conn);
uint32_t slt_listen_take(struct salut_stack *stack, uint32_t listener);
void slt_listen_news(struct salut_stack *stack, uint32_t listener);
void slt_listen_turn(struct salut_stack *stack);
uint32_t slt_listen_next_news(struct salut_stack *stack);

/* ports.c: `search` begins a search for a local port, `next` goes on to one that no listener has
 * and gives the tuple's hash (demux.c), false when none is left. Whether the tuple is free is the
 * caller's to ask, a little later: what it will look at is on its way from memory. `foresee`, with
 * the tuple that was taken, sends for the place of the one that the next search will find. */
struct slt_port_search {
    uint32_t *counter;
    uint32_t offset;
    uint32_t left; /* ports not yet visited */
};

void slt_ports_init(struct salut_stack *stack, struct slt_prng_secret *prng);
void slt_ports_search(struct salut_stack *stack, const struct slt_tcp_id *id,
                      struct slt_port_search *search);
bool slt_ports_next(struct salut_stack *stack, struct slt_port_search *search,
                    struct slt_tcp_id *id, uint32_t *hash);
void slt_ports_foresee(struct salut_stack *stack, const struct slt_tcp_id *id);
bool slt_ports_choose_listener(struct salut_stack *stack, struct slt_listener *wanted);

/* frame.c */
struct slt_frame_to {
    const struct slt_tcp_id *id;
    const uint8_t *mac;
    uint32_t piece_count;
    uint16_t gso_bytes;
    uint8_t family;
    uint8_t ttl;  /* 0: the interface's */
    uint8_t dscp; /* the DS field, its two low bits zero */
    uint8_t ecn;  /* enum slt_ecn: those two bits */
};

void slt_stack_frame_tcp(const struct salut_stack *stack, const struct slt_frame_to *to,
                         const struct slt_tcp_segment *seg, const struct slt_piece *pieces,
                         struct salut_tx_frame *frame);
/* A UDP datagram, or a piece of one: `send` says which. */
struct slt_udp_frame {
    const struct slt_ip_send *send;
    const struct slt_udp_head *head;
    const struct slt_chain *chain;
    struct slt_cursor cursor; /* of the datagram's first byte */
    uint16_t local_port;
};

void slt_stack_frame_udp(const struct salut_stack *stack, const struct slt_udp_frame *udp,
                         struct salut_tx_frame *frame);
bool slt_stack_frame_reply(const struct salut_stack *stack, const struct slt_reply *reply,
                           const uint8_t mac[6], struct salut_tx_frame *frame);

/* conns.c: `hash` is the tuple's (demux.c); `let_go` is asked for each connection that comes out of
 * a queue; true: it is dead, leave it alone */
uint32_t slt_conns_new(struct salut_stack *stack, const struct slt_tcp_id *id,
                       const struct slt_tcp_defaults *defaults, enum salut_state from);
void slt_conns_find_by_tuple(struct salut_stack *stack, uint32_t index, uint32_t hash);
void slt_conns_take_over(struct salut_stack *stack, uint32_t index, uint32_t half_open,
                         uint32_t hash);
void slt_conns_hide(struct salut_stack *stack, struct slt_tcp_conn *c);
void slt_conns_release(struct salut_stack *stack, struct slt_tcp_conn *c);
bool slt_conns_let_go(struct salut_stack *stack, const struct slt_tcp_conn *c);
void slt_conns_sweep(struct salut_stack *stack);
void slt_conns_tidy(struct salut_stack *stack);

/* net.c */
enum slt_net_answer {
    SLT_NET_SEND,        /* way.mac is where to */
    SLT_NET_WAIT,        /* way.ref is being asked for */
    SLT_NET_UNREACHABLE, /* the neighbour does not answer */
    SLT_NET_NO_ROUTE,
    SLT_NET_LOST /* no room to ask: as if the network had lost it */
};

struct slt_net_way {
    uint8_t mac[6];
    struct slt_neigh_ref ref; /* index SLT_NIL: no neighbour is asked */
};

uint16_t slt_net_pmtu(struct salut_stack *stack, const uint8_t dst[16]);
uint16_t slt_net_pmtu_now(const struct salut_stack *stack, const uint8_t dst[16]);
enum slt_ip_hop_kind slt_net_hop_kind(struct salut_stack *stack, const uint8_t dst[16]);
void slt_net_remember(struct salut_stack *stack, const uint8_t dst[16]);
void slt_net_forget(struct salut_stack *stack, struct slt_tcp_place *place);
void slt_net_confirm(struct salut_stack *stack, const struct slt_tcp_place *place);
void slt_net_doubt(struct salut_stack *stack, struct slt_tcp_conn *c);
enum slt_net_answer slt_net_way(struct salut_stack *stack, const uint8_t dst[16],
                                struct slt_net_way *way);
enum slt_net_answer slt_net_way_of_conn(struct salut_stack *stack, struct slt_tcp_conn *c,
                                        struct slt_net_way *way);
bool slt_net_is_ours(const struct salut_stack *stack, const uint8_t addr[16]);
bool slt_net_has_way(const struct salut_stack *stack, const uint8_t dst[16]);
bool slt_net_source(const struct salut_stack *stack, const uint8_t dst[16], uint8_t src[16]);

/* park.c */
bool slt_park_init(struct salut_stack *stack);
void slt_park_deinit(struct salut_stack *stack);
void slt_park_conn(struct salut_stack *stack, struct slt_tcp_conn *c, struct slt_neigh_ref ref);
void slt_park_answer(struct salut_stack *stack, const struct slt_neigh_reply *reply);
void slt_park_ask(struct salut_stack *stack, const struct slt_neigh_solicit *solicit);
void slt_park_turn(struct salut_stack *stack);
bool slt_park_has_work(const struct salut_stack *stack);

/* autoconf.c */
void slt_auto_init(struct salut_stack *stack);
enum salut_status slt_auto_add(struct salut_stack *stack, const uint8_t addr[16], uint8_t bits);
void slt_auto_turn(struct salut_stack *stack);
int64_t slt_auto_next(const struct salut_stack *stack);
void slt_auto_take_arp(struct salut_stack *stack, const struct slt_arp *arp);
enum slt_reason slt_auto_take_nd(struct salut_stack *stack, const struct slt_neigh_nd *in);

/* after.c: `after` after every door of the engine, `after_turn` when the transmit step has looked
 * at the connection; it may be gone afterwards */
void slt_after(struct salut_stack *stack, struct slt_tcp_conn *c);
void slt_after_turn(struct salut_stack *stack, struct slt_tcp_conn *c);
void slt_after_news(struct salut_stack *stack, struct slt_tcp_conn *c);

/* tx.c: an unanswered batch was not taken */
void slt_tx_cancel(struct salut_stack *stack);

/* halfopen.c: `listen` takes a segment for a listener, `segment` one for an entry */
bool slt_half_open_init(struct salut_stack *stack);
void slt_half_open_listen(struct salut_stack *stack, const struct slt_rx_item *item,
                          uint32_t listener);
void slt_half_open_segment(struct salut_stack *stack, const struct slt_rx_item *item,
                           uint32_t index);
bool slt_half_open_expire(struct salut_stack *stack, uint32_t *budget);
int64_t slt_half_open_next(const struct salut_stack *stack);
void slt_half_open_drop_listener(struct salut_stack *stack, uint32_t listener);

/* fastopen.c: a client's servers, a server's pending connections */
size_t slt_fast_open_servers_bytes(const struct salut_config *config);
size_t slt_fast_open_pending_bytes(const struct salut_config *config);
bool slt_fast_open_init(struct salut_stack *stack);
void slt_fast_open_deinit(struct salut_stack *stack);
bool slt_fast_open_knows(const struct salut_stack *stack, const struct slt_tcp_id *id);
void slt_fast_open_begin(struct salut_stack *stack, struct slt_tcp_conn *c, bool wait);
void slt_fast_open_learn(struct salut_stack *stack, struct slt_tcp_conn *c,
                         const struct slt_tcp_segment *seg);
bool slt_fast_open_takes(struct salut_stack *stack, const struct slt_rx_item *item,
                         struct slt_tcp_half_open *made);
void slt_fast_open_accepted(struct salut_stack *stack, struct slt_tcp_conn *c, uint32_t listener);
void slt_fast_open_watch(struct salut_stack *stack, struct slt_tcp_conn *c);
const char *slt_fast_open_check(const struct salut_stack *stack);

/* rx_tcp.c */
void slt_rx_tcp(struct salut_stack *stack, const struct slt_rx_item *item);
enum slt_reason slt_rx_tcp_notice(struct salut_stack *stack, const struct slt_tcp_id *id,
                                  const struct slt_tcp_notice *notice);

/* rx_udp.c */
void slt_rx_udp(struct salut_stack *stack, const struct slt_ip_packet *packet,
                const struct slt_udp_datagram *udp);

/* udp_notice.c: `mtu` is what a TOO_BIG asks for, held to the floors; 0: nothing */
enum slt_reason slt_udp_notice(struct salut_stack *stack, const struct slt_icmp_notice *icmp,
                               uint16_t mtu);

/* tx_udp.c: offer frames up to the batch's `limit`; settle the records of one socket from `at` on,
 * of which the first `taken` of the batch have left, and return where the next one's begin */
void slt_tx_udp_offer(struct salut_stack *stack, struct salut_tx_frame *frames, uint32_t limit);
uint32_t slt_tx_udp_settle(struct salut_stack *stack, uint32_t at, uint32_t taken);

/* udp.c: the socket of a call that changes it (NULL: *status says why not), what stands against a
 * destination, and the address that datagrams for it come from */
struct slt_udp_sock *slt_udp_enter(const struct salut_stack *stack, salut_udp handle,
                                   enum salut_status *status);
enum salut_status slt_udp_judge(struct salut_stack *stack, const struct slt_udp_sock *s,
                                const uint8_t remote[16]);
bool slt_udp_source(const struct salut_stack *stack, const uint8_t remote[16], uint8_t local[16]);
bool slt_udp_info_at(const struct salut_stack *stack, uint32_t index, struct salut_info *info);

/* rx_icmp.c */
enum slt_reason slt_rx_icmp(struct salut_stack *stack, const struct slt_ip_packet *packet,
                            const uint8_t link_src[6]);
void slt_icmp_send_error(struct salut_stack *stack, const struct slt_ip_packet *packet,
                         const struct slt_ip_error *error);

/* turn.c */
void slt_turn_begin(struct salut_stack *stack, int64_t now_ns);

/* info.c */
void slt_info_conn(const struct salut_stack *stack, const struct slt_tcp_conn *c,
                   struct salut_info *info);

/* RFC 9293 3.4.2: after a start without memory of the past, no segments for one MSL. */
static inline bool slt_stack_is_quiet(const struct salut_stack *stack)
{
    int64_t quiet_ns = stack->config.quiet_time_ns;
    return quiet_ns > 0 && stack->now_ns < slt_time_add(stack->config.start_at_ns, quiet_ns);
}

#endif
