/* The world of one simulated run, private to the sim_*.c files.
 *
 *   sim_run      phases, the order of events, the end
 *   sim_draw     what the seed decides; sim_draw_paths: for worlds of paths
 *   sim_app      what applications do
 *   sim_forge    what an attacker sends
 *   sim_host     a stack, its clock, its turns, its crashes
 *   sim_ghost    stations that are no hosts
 *   sim_net      packets on their way and what befalls them
 *   sim_check_*  invariants: of the applications, of states and resources, of congestion control,
 *                of the wire
 *   sim_shadow   who wrote which bytes, and where
 *   sim_decode   an independent reading of packets
 *   sim_clock    the hosts' clocks and addresses
 *   sim_trace    lines for people
 *
 * Time is virtual and counts from 0; each host reads it through a clock of its own. Files call
 * only what stands further down in this list.
 */
#ifndef SLT_LAB_SIM_WORLD_H
#define SLT_LAB_SIM_WORLD_H

#include "base/digest.h"
#include "base/event.h"
#include "base/prng.h"
#include "base/time.h"
#include "lab/sim.h"
#include "link/path.h"
#include "salut/salut.h"
#include "stack/stack.h"

#define SIM_HOSTS_MAX     3
#define SIM_ENDS_MAX      96
#define SIM_PLANS_MAX     12
#define SIM_FLOWS_MAX     96
#define SIM_LISTENERS_MAX 4
#define SIM_HEARD_MAX     256
#define SIM_HELD_MAX      64
#define SIM_FRAME_MAX     66000
#define SIM_OUT_MAX       24
#define SIM_EVENT_RING    1024
#define SIM_WORK_MAX      1000 /* steps of one turn: some 60 frames and as many timers */
#define SIM_CANARY_BYTES  65536U

#define SIM_MS(n) ((n)*SLT_NS_PER_MS)
#define SIM_S(n)  ((n)*SLT_NS_PER_S)

/* ---- packets ----------------------------------------------------------------------------------
 */

/* Where a packet came from: what the checkers may conclude from its arrival. */
enum sim_origin {
    SIM_GENUINE,  /* as a host sent it, or with changes that leave it true (shift, strip) */
    SIM_TAMPERED, /* bytes were flipped or cut */
    SIM_FORGED    /* an attacker made it */
};

struct sim_packet {
    int64_t at_ns;  /* virtual time of arrival */
    uint64_t order; /* equal times: in order of sending */
    uint32_t bytes;
    uint8_t from; /* host, or SIM_NOBODY */
    uint8_t to;
    uint8_t origin; /* enum sim_origin */
    uint8_t link_broadcast;
    uint8_t data[];
};
#define SIM_NOBODY 0xff

/* A packet as the independent decoder reads it. */
enum sim_kind { SIM_BAD, SIM_ARP, SIM_ND, SIM_ICMP, SIM_FRAGMENT, SIM_TCP, SIM_OTHER };

struct sim_decoded {
    const char *bad; /* what is wrong, NULL: nothing */
    uint8_t kind;    /* enum sim_kind */
    uint8_t family;
    uint8_t src_host; /* by address; SIM_NOBODY */
    uint8_t dst_host;
    uint8_t dst_group; /* multicast or broadcast */
    uint8_t icmp_type;
    uint32_t ip_bytes; /* length of the IP packet */
    uint32_t ip_at;    /* offsets in the frame */
    uint32_t tcp_at;
    uint32_t payload_at;
    uint32_t payload_bytes;
    uint16_t src_port;
    uint16_t dst_port;
    uint32_t seq;
    uint32_t ack;
    uint16_t flags; /* as in wire/tcp.h */
    uint16_t window;
    uint16_t urgent;
    uint8_t has_mss, has_wscale, has_sack_ok, has_ts, sack_count;
    uint16_t mss;
    uint8_t wscale;
    uint32_t ts_val, ts_ecr;
    uint32_t sack[4][2];
    uint8_t src[16]; /* addresses as in struct salut_addr */
    uint8_t dst[16];
};

/* ---- paths ------------------------------------------------------------------------------------
 */

/* One direction between two hosts. Chances are per 10,000. */
struct sim_path {
    uint16_t drop, duplicate, reorder, flip, truncate, strip_ts, strip_sack, fragment;
    uint16_t long_delay;
    uint16_t mark; /* congestion marks on ECN-capable packets */
    uint8_t reorder_depth;
    uint8_t strip_syn; /* options a middlebox removes from SYNs, both ways: bits of sim_strip */
    uint8_t mtu_icmp;  /* tells of a small MTU */
    bool bleach;       /* clears the bits of ECN in TCP headers but those of SYNs */
    bool up;
    uint32_t shift; /* added to SEQ this way, subtracted from ACK the other way */
    int64_t delay_ns;
    int64_t jitter_ns;
    int64_t delay_max_ns; /* of a long delay */
    uint32_t mtu;
    int64_t last_at_ns; /* arrivals stay in order unless a fault says otherwise */
    struct sim_packet *held[SIM_HELD_MAX]; /* reordered: wait for others to pass */
    int64_t held_until_ns[SIM_HELD_MAX];
    uint8_t held_passes[SIM_HELD_MAX];
    uint32_t held_count;
    struct slt_path model; /* worlds of paths: what happens on the way while faults are on */
};

enum sim_strip { SIM_STRIP_MSS = 1, SIM_STRIP_WSCALE = 2, SIM_STRIP_SACK = 4, SIM_STRIP_TS = 8 };

struct sim_net {
    struct sim_packet **heap;
    uint32_t heap_count;
    uint32_t heap_room;
    uint64_t order;
    struct sim_path path[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    bool faults;
};

/* ---- applications -----------------------------------------------------------------------------
 */

enum sim_close_mode {
    SIM_CLOSE_AFTER_SEND, /* close at once when all is written */
    SIM_SHUT_THEN_READ,   /* shut the sending side, read to the end, close */
    SIM_READ_THEN_CLOSE,  /* read to the end first */
    SIM_HOLD,             /* keep it until the liveness phase */
    SIM_ABORT,            /* abort after some bytes */
    SIM_CLOSE_EARLY,      /* close after some bytes, read or not */
    SIM_SHUT_BOTH,
    SIM_CLOSE_MODES
};

enum sim_read_mode { SIM_READ_EAGER, SIM_READ_SLOW, SIM_READ_LATE, SIM_READ_MODES };

/* One application's end of a connection. Ends are never reused within a run. */
struct sim_end {
    bool held;      /* the application has the handle */
    bool dead;      /* its host crashed meanwhile */
    bool active;    /* it connected */
    bool matched;   /* peer is known */
    bool connected; /* ESTABLISHED was seen */
    bool shut_write, shut_read, closed, aborted;
    bool closed_unread; /* closed with bytes unread */
    bool killed;        /* its connection ended abnormally */
    bool gave_up;       /* ... unanswered, when its user had closed: nobody was left to be told */
    bool eof;           /* told that the peer has no more */
    bool ended;         /* told ENDED */
    bool reported;      /* by an event, in this turn */
    bool blocked;       /* the last send was told to wait */
    uint8_t host;
    uint8_t peer_host;
    uint8_t plan;       /* the plan it belongs to; SIM_NOBODY for accepted ones */
    uint8_t close_mode; /* enum sim_close_mode */
    uint8_t read_mode;
    uint32_t peer; /* index of the other end, SLT_NIL */
    salut_conn conn;
    uint16_t local_port, remote_port;
    uint32_t isn;
    uint64_t key; /* of the pattern it writes */
    uint64_t to_write;
    uint64_t early_at; /* bytes after which an abort or early close comes */
    uint32_t chunk_max;
    uint64_t written; /* accepted by the stack */
    uint64_t read;
    enum salut_status error; /* the first error told */
    int64_t made_at_ns;
    int64_t wake_at_ns;
    int64_t read_from_ns; /* SIM_READ_LATE */
    int64_t think_ns;
    uint32_t urgent_chance;
};

struct sim_plan {
    uint8_t from, to;
    uint8_t kind; /* enum sim_plan_kind */
    uint8_t done;
    uint16_t port;
    uint16_t local_port; /* 0: chosen by the stack */
    int64_t at_ns;
    int64_t other_at_ns; /* simultaneous: when the other side calls */
    uint32_t repeats;    /* how often again, to reuse the port */
};

enum sim_plan_kind {
    SIM_PLAN_CONNECT,
    SIM_PLAN_SIMULTANEOUS,
    SIM_PLAN_LISTEN_CONNECT,
    SIM_PLAN_NOBODY,
    SIM_PLAN_KINDS
};

struct sim_listener {
    bool open;
    salut_listener handle;
    uint16_t port;
    uint32_t flags;
    uint32_t backlog;
    uint32_t fast_open;   /* limit of pending ones, 0: none */
    int64_t lazy_ns;      /* accepts only so long after being told */
    int64_t accept_at_ns; /* SLT_NEVER: nothing waits */
    int64_t close_at_ns;
    int64_t open_at_ns;
};

/* ---- what the wire showed ---------------------------------------------------------------------
 */

/* One direction of one incarnation of a connection, as its sender's packets tell. */
struct sim_flow {
    bool used;
    bool finished; /* the connection is over: nothing but RST may follow */
    uint8_t host;
    uint8_t peer;
    uint8_t family;
    uint16_t local_port, remote_port;
    bool syn_sent;
    bool peer_known;
    uint32_t isn;
    uint32_t irs;
    int64_t nxt;     /* one past the highest position emitted */
    int64_t fin_pos; /* -1: none */
    int64_t edge_out;
    int64_t ack_out;
    int64_t edge_in; /* the largest right edge the peer's packets that arrived advertised */
    int64_t ack_in;
    struct {
        int64_t start, end;
    } again[8]; /* octets sent again, the last eight runs of them */
    uint32_t again_count;
    int64_t paced_until_ns; /* local time before which a paced sender sends no text */
    int64_t paced_burst_ns; /* what a burst was when it was last looked at */
    int16_t wscale_out;     /* offered, -1: not */
    int16_t wscale_in;
    int8_t ts_out, ts_in; /* 1 offered, 0 not, -1 unknown */
    int8_t sack_out, sack_in;
    uint32_t ts_last; /* the timestamp of the last segment */
    uint32_t end;     /* the application's end, SLT_NIL */
    uint64_t stamp;
    int64_t answer_at_ns[4]; /* the last limited answers */
    uint32_t answer_count;
};

/* A segment that a host was given, for judging what it answers. */
struct sim_heard {
    uint16_t local_port, remote_port;
    uint16_t flags;
    uint32_t seq, ack, len;
    uint64_t turn;
    uint32_t bytes;
    uint8_t remote[16];
    uint16_t window;
    int16_t wscale; /* -1: none */
    int8_t has_ts, has_sack_ok;
};

/* ---- hosts ------------------------------------------------------------------------------------
 */

/* A connection in TIME-WAIT, for I-23. */
#define SIM_WAITS_MAX 32
#define SIM_LOANS_MAX 64
struct sim_wait {
    uint16_t local_port, remote_port;
    int64_t since_ns;    /* local time of entry */
    int64_t last_fin_ns; /* ... of the last FIN that arrived for it */
};

struct sim_clock {
    int64_t virtual_ns; /* the last change of rate or origin */
    int64_t local_ns;
    int64_t ppm;
};

/* Memory that the application has lent to its stack. */
struct sim_loan {
    uint8_t *memory; /* NULL: back, or never lent */
    uint32_t bytes;
    uint64_t key; /* of the pattern it holds, */
    uint64_t at;  /* ... from here on */
};

struct sim_host {
    uint8_t number;
    bool up;
    struct salut_stack *stack;
    struct salut_config config;
    void *block; /* fixed mode */
    void *snapshot;
    struct sim_clock clock;
    salut_addr addr[2]; /* IPv4, IPv6 */
    uint8_t mac[6];
    uint64_t alloc_calls;
    uint64_t alloc_fail_from, alloc_fail_to;
    int64_t allocated; /* bytes out with the stack */
    uint64_t events_seen;
    uint64_t boots;
    struct sim_listener listener[SIM_LISTENERS_MAX];
    int64_t asleep_until_ns; /* the application handles no events */
    int64_t tx_until_ns;     /* the link takes nothing */
    int64_t rx_until_ns;     /* the link has no buffer for what arrives */
    int64_t boot_at_ns;      /* while down */
    uint32_t isn_base;
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t tcp_out;
    uint64_t work_before;
    struct sim_heard heard[SIM_HEARD_MAX];
    uint64_t heard_count;
    uint64_t heard_answered; /* of these: before it last had nothing more to say */
    bool odd;                /* it was sent something the decoder does not understand */
    struct slt_ledger boot_ledger;
    uint32_t peak_buffer; /* the largest receive buffer an end may have */
    struct sim_wait wait[SIM_WAITS_MAX];
    uint32_t wait_count;
    struct sim_loan loan[SIM_LOANS_MAX]; /* by the loan's user value */
};

enum sim_phase { SIM_SAFETY, SIM_FINISH, SIM_IDLE, SIM_PARTING, SIM_AFTER };

struct sim_character {
    bool ip6;
    bool wrap;
    bool crash_quiet;
    bool fast_open; /* data on SYNs */
    bool narrow;    /* paths take less than the links, and much is sent over them */
    uint32_t noise; /* chances per 10,000 events */
    uint32_t tx_full;
    uint32_t rx_empty;
    uint32_t stall;
    uint32_t jump;
    uint32_t crash;
    uint32_t path_event;
    uint32_t snapshot;
    uint32_t canary;
    uint32_t alloc;
    int64_t phase_ns;
    uint32_t turns_max;
};

struct sim_world {
    uint64_t seed;
    bool paths; /* see sim_draw_paths */
    struct slt_prng prng;
    int64_t now_ns;
    uint8_t phase; /* enum sim_phase */
    uint8_t host_count;
    uint64_t turn;
    struct sim_character is;
    struct sim_host host[SIM_HOSTS_MAX];
    struct sim_net net;
    struct sim_plan plan[SIM_PLANS_MAX];
    uint32_t plan_count;
    struct sim_end end[SIM_ENDS_MAX];
    uint32_t end_count;
    struct sim_flow flow[SIM_FLOWS_MAX];
    uint64_t flow_stamp;
    int64_t next_fault_ns;
    uint64_t packets_since_idle;
    uint32_t spin;     /* steps since time last passed */
    uint64_t work_max; /* steps of the longest turn */
    struct slt_digest hash;
    FILE *trace;
    uint64_t trace_from;
    struct slt_sim_tally *tally;
    struct slt_sim_result *result;
    uint8_t *scratch; /* SIM_FRAME_MAX bytes */
    uint8_t *scratch2;
    struct salut_tx_frame *out; /* SIM_OUT_MAX */
    uint8_t *canary_stack;
};

/* ---- sim_trace: failing, tracing, chance -------------------------------------------------------
 */

/* A violated invariant: the first counts. `id` is the number of the invariant. Returns false. */
bool slt_sim_fail(struct sim_world *w, unsigned id, const char *format, ...) SLT_PRINTF(3, 4);
static inline bool slt_sim_failed(const struct sim_world *w)
{
    return w->result->failed;
}

static inline void slt_sim_checked(struct sim_world *w, unsigned id)
{
    w->tally->checked[id]++;
}

void slt_sim_note(struct sim_world *w, const char *format, ...) SLT_PRINTF(2, 3);
void slt_sim_trace_packet(struct sim_world *w, const char *what, const struct sim_packet *p);
void slt_sim_trace_events(struct sim_world *w, const struct sim_host *h, unsigned last, FILE *out);

static inline bool slt_sim_tracing(const struct sim_world *w)
{
    return w->trace != NULL && w->turn >= w->trace_from;
}

static inline void slt_sim_fault(struct sim_world *w, enum slt_sim_fault fault)
{
    w->tally->fault[fault]++;
}

static inline bool slt_sim_chance(struct sim_world *w, uint32_t of_10000)
{
    return of_10000 > 0 && slt_prng_below(&w->prng, 10000) < of_10000;
}

static inline uint64_t slt_sim_below(struct sim_world *w, uint64_t bound)
{
    return slt_prng_below(&w->prng, bound);
}

/* Between low and high, every order of magnitude being as likely as any other. */
int64_t slt_sim_log_between(struct sim_world *w, int64_t low, int64_t high);

/* ---- sim_clock ---------------------------------------------------------------------------------
 */

int64_t slt_sim_local(const struct sim_world *w, const struct sim_host *h);
int64_t slt_sim_virtual(const struct sim_host *h, int64_t local_ns);
void slt_sim_clock_set(struct sim_world *w, struct sim_host *h, int64_t jump_ns, int64_t ppm);
void slt_sim_station(const struct sim_world *w, bool ip6, uint8_t number, salut_addr *addr);

/* ---- sim_decode --------------------------------------------------------------------------------
 */

void slt_sim_decode(const struct sim_world *w, const uint8_t *data, uint32_t bytes,
                    struct sim_decoded *d);
uint32_t slt_sim_kind_offset(const struct sim_world *w);

static inline uint32_t slt_sim_seg_len(const struct sim_decoded *d)
{
    return d->payload_bytes + (d->flags & 1U) + (d->flags >> 1 & 1U);
}

/* Write every checksum of a whole IP packet of one of TCP, UDP and ICMP. */
void slt_sim_seal(uint8_t *packet, uint32_t bytes);

static inline void slt_sim_put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void slt_sim_put32(uint8_t *p, uint32_t value)
{
    slt_sim_put16(p, value >> 16);
    slt_sim_put16(p + 2, value);
}

static inline uint32_t slt_sim_get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t slt_sim_get32(const uint8_t *p)
{
    return slt_sim_get16(p) << 16 | slt_sim_get16(p + 2);
}

/* ---- sim_shadow --------------------------------------------------------------------------------
 */

void slt_sim_pattern(uint64_t key, uint64_t at, uint8_t *out, uint32_t bytes);
bool slt_sim_pattern_matches(uint64_t key, uint64_t at, const uint8_t *data, uint32_t bytes);
struct sim_end *slt_sim_end_new(struct sim_world *w, uint8_t host, salut_conn conn);
struct sim_end *slt_sim_match(struct sim_world *w, struct sim_end *e);
uint32_t slt_sim_end_by_isn(const struct sim_world *w, const struct sim_flow *f);

/* ---- sim_check_wire ----------------------------------------------------------------------------
 */

struct slt_tx_record;
bool slt_sim_check_sent(struct sim_world *w, struct sim_host *h, const uint8_t *data,
                        uint32_t bytes, const struct slt_tx_record *record);
void slt_sim_learn_heard(struct sim_world *w, struct sim_host *h, const struct sim_decoded *d);
struct sim_flow *slt_sim_flow_of(struct sim_world *w, const struct sim_host *h,
                                 const struct slt_tcp_conn *c);
bool slt_sim_sent_twice(struct sim_world *w, const struct sim_host *h, const struct slt_tcp_conn *c,
                        int64_t from, int64_t to);
void slt_sim_flow_over(struct sim_world *w, const struct sim_host *h, const struct slt_tcp_conn *c);
void slt_sim_flows_forget(struct sim_world *w, uint8_t host);

/* ---- sim_check_state ---------------------------------------------------------------------------
 */

/* What a packet may not do to the connection it belongs to. */
struct sim_before {
    bool found;
    uint32_t index;
    bool has_cold;
    bool unacceptable;
    bool tcp; /* a TCP segment for this host, well-formed or not */
    bool icmp;
    uint64_t counted; /* sum of all counters */
    struct slt_tcp_conn conn;
    struct slt_tcp_cold cold;
};

void slt_sim_before_input(struct sim_world *w, struct sim_host *h, const struct sim_packet *p,
                          const struct sim_decoded *d, struct sim_before *before);
bool slt_sim_after_input(struct sim_world *w, struct sim_host *h, const struct sim_packet *p,
                         const struct sim_before *before);
bool slt_sim_check_events(struct sim_world *w, struct sim_host *h);
bool slt_sim_check_conns(struct sim_world *w, struct sim_host *h);
bool slt_sim_check_resources(struct sim_world *w, struct sim_host *h);
bool slt_sim_check_ledger(struct sim_world *w, struct sim_host *h);
void slt_sim_count_reasons(struct sim_world *w, struct sim_host *h);
bool slt_sim_check_conserved(struct sim_world *w, struct sim_host *h);
bool slt_sim_check_edge(struct sim_world *w, const struct slt_event *e);

/* ---- sim_check_cc ------------------------------------------------------------------------------
 */

bool slt_sim_check_leaving(struct sim_world *w, const struct sim_host *h,
                           const struct slt_tx_record *record);
bool slt_sim_check_episode(struct sim_world *w, const struct sim_host *h,
                           const struct sim_before *b, const struct slt_tcp_conn *c);

/* ---- sim_check_app -----------------------------------------------------------------------------
 */

bool slt_sim_check_read(struct sim_world *w, struct sim_end *e, const uint8_t *data, size_t bytes);
bool slt_sim_check_eof(struct sim_world *w, struct sim_end *e);
bool slt_sim_check_status(struct sim_world *w, struct sim_end *e, enum salut_status status,
                          bool sending);
bool slt_sim_check_ready(struct sim_world *w, struct sim_host *h);
bool slt_sim_all_delivered(struct sim_world *w);
bool slt_sim_check_delivered(struct sim_world *w);
bool slt_sim_check_parted(struct sim_world *w);
bool slt_sim_check_quiescent(struct sim_world *w);

/* ---- sim_net -----------------------------------------------------------------------------------
 */

void slt_sim_net_send(struct sim_world *w, uint8_t from, const uint8_t *data, uint32_t bytes);
void slt_sim_net_inject(struct sim_world *w, uint8_t to, const uint8_t *data, uint32_t bytes,
                        int64_t after_ns);
int64_t slt_sim_net_next(const struct sim_world *w);
struct sim_packet *slt_sim_net_take(struct sim_world *w);
void slt_sim_net_path_event(struct sim_world *w);
void slt_sim_path_narrow(struct sim_world *w, struct sim_path *path);
void slt_sim_net_heal(struct sim_world *w);
void slt_sim_net_free(struct sim_world *w);

/* ---- sim_ghost ---------------------------------------------------------------------------------
 */

/* Stations that are no hosts: the router and the attacker, who answer for their link addresses. */
#define SIM_ROUTER   0xfe
#define SIM_ATTACKER 0x42
void slt_sim_ghost(struct sim_world *w, const struct sim_host *h, const uint8_t *data,
                   uint32_t bytes);

/* ---- sim_host ----------------------------------------------------------------------------------
 */

bool slt_sim_host_boot(struct sim_world *w, struct sim_host *h);
void slt_sim_host_stop(struct sim_world *w, struct sim_host *h);
void slt_sim_host_deliver(struct sim_world *w, struct sim_host *h, struct sim_packet *p);
bool slt_sim_host_poll(struct sim_world *w, struct sim_host *h);
bool slt_sim_host_output(struct sim_world *w, struct sim_host *h);
bool slt_sim_host_settle(struct sim_world *w, struct sim_host *h);

/* ---- sim_forge ---------------------------------------------------------------------------------
 */

void slt_sim_forge(struct sim_world *w);

/* ---- sim_app -----------------------------------------------------------------------------------
 */

void slt_sim_app_events(struct sim_world *w, struct sim_host *h);
void slt_sim_app_timers(struct sim_world *w, struct sim_host *h);
int64_t slt_sim_app_next(const struct sim_world *w, const struct sim_host *h);
void slt_sim_app_crashed(struct sim_world *w, struct sim_host *h);
void slt_sim_app_part(struct sim_world *w, bool force);
void slt_sim_app_finish(struct sim_world *w);
bool slt_sim_app_all_gone(const struct sim_world *w);
void slt_sim_app_shape(struct sim_world *w, struct sim_end *e);

/* ---- sim_lend ----------------------------------------------------------------------------------
 */

bool slt_sim_lends(const struct sim_world *w, const struct sim_end *e);
enum salut_status slt_sim_lend(struct sim_world *w, struct sim_end *e, uint32_t *wanted,
                               unsigned flags);
void slt_sim_take_back(struct sim_world *w, struct sim_host *h);
void slt_sim_lend_stop(struct sim_world *w, struct sim_host *h);

/* ---- sim_draw ----------------------------------------------------------------------------------
 */

void slt_sim_draw(struct sim_world *w);
void slt_sim_draw_paths(struct sim_world *w);
void slt_sim_shape_transfer(struct sim_world *w, struct sim_end *e);
void slt_sim_count_transfers(struct sim_world *w);

#endif
