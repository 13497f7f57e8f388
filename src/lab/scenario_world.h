/* The world of a running scenario, private to the scenario_*.c files that play it.
 *
 *   scenario_run      the order of events, samples, the end
 *   scenario_app      what applications do with connections
 *   scenario_flow     connections: opening, filling, reading, closing
 *   scenario_host     a stack with its turns and its capture file
 *   scenario_net      packets from node to node: routes, links, what routers say
 *   scenario_way      one direction of a link: rate, queue, faults, and its row of the report
 *   scenario_route    which way to go, and how long it takes there and back
 *   scenario_watch    what the packets of a connection tell: round trips, retransmissions
 *   scenario_queue    what happens when
 *
 * Files call only what stands further down. Time is virtual and begins at 0; what happens at one
 * instant happens in the order in which it was put down, and then every host that was touched or
 * has a timer due takes a turn, in the order of their names in the scenario.
 */
#ifndef SLT_LAB_SCENARIO_WORLD_H
#define SLT_LAB_SCENARIO_WORLD_H

#include "base/digest.h"
#include "base/prng.h"
#include "lab/scenario.h"
#include "link/capture.h"
#include "link/path.h"

#define SCN_NONE          UINT32_MAX
#define SCN_MTU           1500
#define SCN_BATCH         32U
#define SCN_PERIOD        65521U /* of the pattern every flow carries: a prime */
#define SCN_CHUNK         65536U
#define SCN_PROBES_MAX    64U
#define SCN_SUSPECTS_MAX  64U
#define SCN_SESSION_CONNS 100U

/* ---- packets and events --------------------------------------------------------------------- */

struct scn_packet {
    uint32_t bytes;
    uint32_t to; /* node */
    uint8_t data[];
};

enum scn_event_kind {
    SCN_ARRIVES, /* a packet, at the far end of way `index` */
    SCN_FLOW,    /* flow `index` wanted to be woken */
    SCN_SPAWN,   /* application `index` opens its next connection */
    SCN_SESSION, /* user `index` asks for the next page */
    SCN_CHANGE,  /* change `index` of the scenario */
    SCN_SAMPLE
};

struct scn_event {
    int64_t at_ns;
    uint64_t order;
    uint32_t kind; /* enum scn_event_kind */
    uint32_t index;
    struct scn_packet *packet;
};

struct scn_queue {
    struct scn_event *heap;
    uint32_t count, room;
    uint64_t order;
};

/* ---- links ---------------------------------------------------------------------------------- */

struct scn_way {
    struct slt_path path;
    struct slt_scn_way say; /* as the scenario has it now */
    uint32_t from, to;      /* nodes */
    int64_t longest_rtt_ns; /* of the paths that cross it */
    struct slt_scn_way_row *row;
    double queue_area; /* bytes x seconds up to the last sample */
    double bits_could; /* that its rate would have carried up to rate_since_ns */
    int64_t rate_since_ns;
};

/* ---- connections ---------------------------------------------------------------------------- */

/* A segment whose acknowledgement will tell a round trip. */
struct scn_probe {
    uint32_t end; /* sequence number behind it */
    int64_t sent_ns;
};

/* What the packets that one end sends, and those that come for it, tell. */
struct scn_watch {
    bool begun;
    bool hold;         /* something was sent again: no probes until `hold_until` is acknowledged */
    uint32_t sent_end; /* highest sequence number sent, exclusive */
    uint32_t acked;    /* highest acknowledgement received */
    uint32_t hold_until;
    uint8_t backoff; /* timeouts in a row already counted */
    bool recount;    /* the acknowledgement moved: backoff may have ended */
    uint32_t probe_first, probe_count;
    struct scn_probe probe[SCN_PROBES_MAX];
    int64_t rtt_sum_ns; /* since the last sample */
    uint32_t rtt_count;
};

struct scn_end {
    uint32_t node;
    salut_conn conn;
    bool held; /* conn is ours */
    bool connected, eof, fin_wanted, fin_sent, blocked;
    uint64_t goal;    /* bytes to be written so far */
    uint64_t written; /* accepted by the stack */
    uint64_t read;
    uint32_t key; /* where in the pattern its stream begins */
    struct scn_watch watch;
};

struct scn_flow {
    uint32_t app;
    uint32_t session; /* web */
    uint16_t port;    /* of the client */
    uint8_t sender;   /* the end whose bytes the flow is about: 0 client, 1 server */
    bool over;        /* both ends are gone */
    bool asked;       /* a request is on its way, or its reply */
    bool answered;    /* ... the reply is being written */
    int64_t wake_at_ns;
    int64_t asked_ns;
    int64_t phase_ns; /* onoff: when this phase ends */
    bool on;
    int64_t on_since_ns;
    int64_t on_bytes; /* given to it in this phase */
    uint64_t rounds_left;
    struct scn_end end[2]; /* client, server */
};

/* A web user. */
struct scn_session {
    uint32_t app;
    uint64_t pages_left;
    uint32_t objects_left; /* nobody has asked for yet */
    uint32_t waiting;      /* flows with a request out */
    bool document;         /* the page itself has not come yet */
    int64_t page_ns;       /* when it was asked for */
    uint32_t flow[SCN_SESSION_CONNS];
    uint32_t flow_count;
};

/* An application while it runs. */
struct scn_app {
    int64_t start_ns;
    uint32_t opened;
    salut_listener listener;
};

/* ---- hosts ---------------------------------------------------------------------------------- */

struct scn_host {
    struct salut_stack *stack; /* NULL: a router */
    bool touched;
    uint32_t *flow_of_port; /* 65536 entries: the flow a client port belongs to */
    uint16_t next_port;
    struct slt_tee_sink *capture;
    uint64_t captured;
    uint32_t suspect[SCN_SUSPECTS_MAX]; /* flow x 2 + end: sent something again in this turn */
    uint32_t suspect_count;
};

struct scn_world {
    const struct slt_scn *scn;
    const struct slt_scn_options *options;
    struct slt_scn_result *result;
    char *why;
    struct slt_prng prng;
    struct slt_digest hash;
    int64_t now_ns;
    int64_t end_ns; /* SLT_NEVER: when all is done */
    struct scn_queue queue;
    struct scn_host host[SLT_SCN_NODES_MAX];
    int64_t deadline_ns[SLT_SCN_NODES_MAX]; /* of each host's stack */
    struct scn_way way[SLT_SCN_LINKS_MAX * 2];
    uint32_t way_count;
    uint32_t next_way[SLT_SCN_NODES_MAX]
                     [SLT_SCN_NODES_MAX]; /* from, to: SCN_NONE when unreachable */
    struct scn_app app[SLT_SCN_APPS_MAX];
    struct scn_flow *flow;
    uint32_t flow_count, flow_room;
    struct scn_session *session;
    uint32_t session_count, session_room;
    uint64_t pending; /* flows not over, connections and pages still to come */
    uint8_t pattern[SCN_PERIOD + SCN_CHUNK];
    uint8_t scratch[SCN_CHUNK];
    struct salut_tx_frame frames[SCN_BATCH];
    int64_t sampled_ns;
};

/* The row of a flow in the report. */
static inline struct slt_scn_flow_row *slt_scn_row(struct scn_world *w, uint32_t flow)
{
    return &w->result->flow[flow];
}

/* ---- scenario_queue ------------------------------------------------------------------------- */

bool slt_scn_queue_put(struct scn_queue *queue, const struct scn_event *event);
int64_t slt_scn_queue_next(const struct scn_queue *queue);
struct scn_event slt_scn_queue_take(struct scn_queue *queue);
void slt_scn_queue_free(struct scn_queue *queue);

/* Put an event down; there is always room, or the process ends. */
void slt_scn_at(struct scn_world *w, int64_t at_ns, enum scn_event_kind kind, uint32_t index);

/* Bytes that a rate carries in a time; in integers, so that it is the same everywhere. */
int64_t slt_scn_bytes_in(int64_t rate_bps, int64_t for_ns);

/* A value as the scenario wants it: fixed, or drawn. */
int64_t slt_scn_drawn(struct scn_world *w, const struct slt_scn_draw *draw, int64_t least);

/* ---- scenario_watch ------------------------------------------------------------------------- */

/* A TCP segment in an IPv4 packet. */
struct scn_segment {
    uint32_t from, to; /* hosts */
    uint16_t source, target;
    uint32_t seq, ack;
    uint32_t length; /* SYN and FIN count */
    bool has_ack;
};

bool slt_scn_segment(const uint8_t *packet, uint32_t bytes, struct scn_segment *segment);

/* The flow a segment belongs to and the end it was sent by; SCN_NONE: none. */
uint32_t slt_scn_flow_of(const struct scn_world *w, const struct scn_segment *segment,
                         uint32_t *end);
void slt_scn_watch_sent(struct scn_world *w, uint32_t flow, uint32_t end,
                        const struct scn_segment *segment);
void slt_scn_watch_heard(struct scn_world *w, uint32_t flow, uint32_t end,
                         const struct scn_segment *segment);

/* After a turn of the host: how many timeouts were there? */
void slt_scn_watch_timeouts(struct scn_world *w, uint32_t node);

/* ---- scenario_route ------------------------------------------------------------------------- */

/* Find the cheapest paths over the links that are up. */
void slt_scn_routes(struct scn_world *w);

/* For every way the longest round trip of an application's path over it. */
void slt_scn_round_trips(struct scn_world *w);

/* ---- scenario_way --------------------------------------------------------------------------- */

/* Let a way be as `say` has it from now on. False with a sentence. */
bool slt_scn_way_set(struct scn_world *w, uint32_t way, const struct slt_scn_way *say);
void slt_scn_way_init(struct scn_world *w, uint32_t way);

/* Offer a packet, which may be marked or damaged in place. True when it passes, with its verdict;
 * else it is dropped and counted. */
bool slt_scn_way_offer(struct scn_world *w, uint32_t way, struct scn_packet *packet,
                       struct slt_path_verdict *verdict);
bool slt_scn_way_fits(const struct scn_world *w, uint32_t way, const struct scn_packet *packet);

/* Bytes that wait, added to the mean since the last call. */
uint32_t slt_scn_way_look(struct scn_world *w, uint32_t way, int64_t for_ns);
void slt_scn_way_finish(struct scn_world *w, uint32_t way);

/* ---- scenario_net --------------------------------------------------------------------------- */

/* A packet leaves a node, which is its sender or forwards it; the net owns it from now on. */
void slt_scn_net_send(struct scn_world *w, uint32_t node, struct scn_packet *packet);
struct scn_packet *slt_scn_packet(uint32_t bytes);

/* ---- scenario_host -------------------------------------------------------------------------- */

void slt_scn_address(uint32_t node, salut_addr *addr);
bool slt_scn_host_start(struct scn_world *w, uint32_t node);
void slt_scn_host_stop(struct scn_world *w, uint32_t node);
void slt_scn_host_receive(struct scn_world *w, uint32_t node, struct scn_packet *packet);
void slt_scn_host_poll(struct scn_world *w, uint32_t node);
void slt_scn_host_output(struct scn_world *w, uint32_t node);
bool slt_scn_host_check(struct scn_world *w, uint32_t node);

/* ---- scenario_cc ---------------------------------------------------------------------------- */

/* True when the stack has a congestion control of this name ("" and "default" are its own). */
bool slt_scn_cc_known(const char *name);
void slt_scn_cc_set(struct salut_stack *stack, salut_conn conn, const char *name);

/* What there is, for messages. */
const char *slt_scn_cc_names(void);

/* ---- scenario_flow -------------------------------------------------------------------------- */

bool slt_scn_listen(struct scn_world *w, uint32_t app);
uint32_t slt_scn_flow_open(struct scn_world *w, uint32_t app, uint8_t sender);

/* Act on an event of a stack: accept, read, write. Returns the flow it was about, or SCN_NONE. */
uint32_t slt_scn_flow_event(struct scn_world *w, uint32_t node, const struct salut_event *event);

/* Write up to the goal; when it is reached and that was wanted, finish the stream. */
void slt_scn_flow_push(struct scn_world *w, uint32_t flow, uint32_t end);
void slt_scn_flow_finish(struct scn_world *w, uint32_t flow, uint32_t end);
void slt_scn_flow_wake(struct scn_world *w, uint32_t flow, int64_t at_ns);

/* Let go of an end that has nothing more to do. */
void slt_scn_flow_part(struct scn_world *w, uint32_t flow);

/* ---- scenario_app --------------------------------------------------------------------------- */

void slt_scn_app_begin(struct scn_world *w, uint32_t app);
void slt_scn_app_spawn(struct scn_world *w, uint32_t app);
void slt_scn_app_page(struct scn_world *w, uint32_t session);

/* Something happened to a flow: what does its application do? */
void slt_scn_app_advance(struct scn_world *w, uint32_t flow);

#endif
