/* Scenarios: networks of hosts, links and applications, written by hand and run in virtual time.
 *
 * A scenario is text (docs/scenarios.md has all words):
 *
 *     host client
 *     host server
 *     link client server rate 100Mb/s delay 20ms queue 1bdp loss 1%
 *     app bulk client -> server bytes 50MB
 *     run 30s
 *
 * slt_scn_parse turns it into a struct slt_scn, which says what there is and changes no more;
 * slt_scn_run plays it with a seed and leaves a struct slt_scn_result: a row for every flow, a row
 * for every direction of a link, and samples over time, which scenario_report.h prints and
 * scenario_plot.h draws. Every host is a real instance of the stack. The same text and seed give
 * the same run on every machine.
 */
#ifndef SLT_LAB_SCENARIO_H
#define SLT_LAB_SCENARIO_H

#include "base/compiler.h"
#include "base/time.h"
#include "salut/salut.h"

#define SLT_SCN_NAME_BYTES    24U
#define SLT_SCN_NODES_MAX     200U
#define SLT_SCN_LINKS_MAX     256U
#define SLT_SCN_APPS_MAX      256U
#define SLT_SCN_CHANGES_MAX   128U
#define SLT_SCN_VARS_MAX      32U
#define SLT_SCN_SERIES_MAX    24U /* flows that are sampled over time */
#define SLT_SCN_BUCKETS       512U
#define SLT_SCN_SENTENCE_MAX  400U
#define SLT_SCN_CHANCE_ALWAYS 1000000U /* chances are in parts per million */

/* ---- what a scenario says ------------------------------------------------------------------- */

/* A value that may be drawn anew each time: written ~20ms, it is the mean of an exponential. */
struct slt_scn_draw {
    int64_t mean;
    bool random;
};

struct slt_scn_node {
    char name[SLT_SCN_NAME_BYTES];
    bool router;                 /* forwards, has no stack */
    char cc[SLT_SCN_NAME_BYTES]; /* congestion control of its connections; empty: the default */
    struct salut_config config;  /* of a host */
    uint32_t line;
};

/* How much may wait in front of a link, or from where on it marks. */
enum slt_scn_room_unit {
    SLT_SCN_ROOM_NONE, /* no limit, no marks */
    SLT_SCN_ROOM_BYTES,
    SLT_SCN_ROOM_PACKETS, /* of 1,500 bytes */
    SLT_SCN_ROOM_BDP,     /* thousandths of rate x the longest round trip across the link */
    SLT_SCN_ROOM_TIME     /* nanoseconds at the rate */
};

struct slt_scn_room {
    int64_t amount;
    uint32_t unit; /* enum slt_scn_room_unit */
};

/* One direction of a link. */
struct slt_scn_way {
    int64_t rate_bps; /* 0: no limit */
    int64_t delay_ns;
    int64_t jitter_ns;
    int64_t loss_ppm;
    int64_t burst_ppm;   /* chance per packet that a burst of losses begins */
    int64_t burst_count; /* ... and its mean length */
    int64_t reorder_ppm;
    int64_t reorder_ns; /* how much longer a reordered packet takes */
    int64_t dup_ppm;
    int64_t corrupt_ppm;
    struct slt_scn_room queue;
    struct slt_scn_room ecn; /* marks from this many bytes waiting on */
    int64_t police_bps;      /* 0: none; drops what exceeds it, without a queue */
    int64_t police_bytes;    /* ... after so many in one go */
    int64_t mtu;             /* 0: 1500 */
    bool icmp_silent;        /* too big: dropped without a word (a black hole) */
    bool down;
};

struct slt_scn_link {
    uint32_t a, b;             /* nodes */
    struct slt_scn_way way[2]; /* from a to b, from b to a */
    int64_t cost;              /* of crossing it; the cheapest path is taken */
    uint32_t line;
};

enum slt_scn_kind { SLT_SCN_BULK, SLT_SCN_REQUEST, SLT_SCN_ONOFF, SLT_SCN_WEB, SLT_SCN_KINDS };

struct slt_scn_app {
    uint32_t kind; /* enum slt_scn_kind */
    uint32_t from, to;
    char label[SLT_SCN_NAME_BYTES];
    char cc[SLT_SCN_NAME_BYTES];
    struct slt_scn_draw start;
    int64_t stop_ns; /* SLT_NEVER: at the end of the run */
    int64_t count;   /* connections, one `every` apart; users, for web */
    struct slt_scn_draw every;
    struct slt_scn_draw bytes; /* bulk: 0 means without end; web: of an object */
    struct slt_scn_draw request;
    struct slt_scn_draw reply;
    struct slt_scn_draw think;
    int64_t period_ns; /* request: rounds begin at multiples of it; 0: after `think` */
    struct slt_scn_draw on;
    struct slt_scn_draw off;
    int64_t rate_bps; /* onoff, while on */
    int64_t rounds;   /* request: rounds, web: pages; 0: without end */
    int64_t objects;  /* web: of a page */
    int64_t conns;    /* web: at a time */
    bool nagle;
    uint32_t line;
};

/* `at T link a b ...`: the ways as they are from then on. */
struct slt_scn_change {
    int64_t at_ns;
    uint32_t link;
    struct slt_scn_way way[2];
};

struct slt_scn_var {
    char name[SLT_SCN_NAME_BYTES];
    char value[64];
    bool fixed; /* from the command line: what the text says does not count */
    bool used;
};

struct slt_scn {
    char title[100];
    struct slt_scn_node node[SLT_SCN_NODES_MAX];
    struct slt_scn_link link[SLT_SCN_LINKS_MAX];
    struct slt_scn_app app[SLT_SCN_APPS_MAX];
    struct slt_scn_change change[SLT_SCN_CHANGES_MAX];
    struct slt_scn_var var[SLT_SCN_VARS_MAX];
    uint32_t node_count, link_count, app_count, change_count, var_count;
    int64_t run_ns;    /* 0: until every application is done */
    int64_t sample_ns; /* 0: chosen */
};

/* Read a scenario. `name` stands in messages. Variables that the caller has put into
 * scn->var (fixed) override what the text lets them be.
 *
 * Returns true; false with a sentence "name:line: ..." in `why`. */
bool slt_scn_parse(struct slt_scn *scn, const char *name, const char *text,
                   char why[SLT_SCN_SENTENCE_MAX]);

/* An empty scenario, to be given to slt_scn_parse. */
void slt_scn_init(struct slt_scn *scn);

/* Override a variable: "key=value". False when it is not of that form or there are too many. */
bool slt_scn_set(struct slt_scn *scn, const char *assignment);

const char *slt_scn_kind_name(enum slt_scn_kind kind);

/* ---- what a run leaves ---------------------------------------------------------------------- */

/* Durations by size: enough for percentiles within 4 %. */
struct slt_scn_times {
    uint32_t bucket[SLT_SCN_BUCKETS];
    uint64_t count;
    int64_t min_ns, max_ns;
};

struct slt_scn_flow_row {
    uint32_t app;
    uint32_t number; /* of the application's flows, from 1 */
    bool opened, finished, failed, corrupt;
    uint32_t status;                        /* enum salut_status it failed with */
    int64_t start_ns, connected_ns, end_ns; /* end: the last byte, or the end of the run */
    uint64_t bytes;                         /* delivered to the receiving application */
    uint64_t segments, retransmits, timeouts;
    uint64_t rounds;             /* answers, pages */
    struct slt_scn_times rtt;    /* of segments sent once */
    struct slt_scn_times answer; /* request: from request to the end of the reply; web: pages */
};

enum slt_scn_drop {
    SLT_SCN_DROP_LOSS,
    SLT_SCN_DROP_QUEUE,
    SLT_SCN_DROP_POLICE,
    SLT_SCN_DROP_MTU,
    SLT_SCN_DROP_DOWN,
    SLT_SCN_DROPS
};

struct slt_scn_way_row {
    uint64_t packets, bytes; /* that went through */
    uint64_t dropped[SLT_SCN_DROPS];
    uint64_t marked, duplicated, reordered, corrupted;
    uint64_t queue_max;
    double queue_mean; /* bytes, over time */
    double busy;       /* share of what its rate would have carried; < 0: it has no rate */
};

/* One flow at one instant. */
struct slt_scn_flow_sample {
    uint32_t cwnd, ssthresh, flight, srtt_us;
    uint32_t rtt_us; /* mean of what was measured since the last sample; 0: nothing was */
    uint32_t retransmits;
    uint64_t delivered;
};

struct slt_scn_way_sample {
    uint32_t queue;
    uint32_t dropped, marked;
    uint64_t bytes;
};

struct slt_scn_result {
    struct slt_scn_flow_row *flow;
    uint32_t flow_count;
    struct slt_scn_way_row (*way)[2]; /* of each link */
    uint32_t series_count;            /* flows 0 .. series_count - 1 are sampled */
    uint32_t sample_count;
    int64_t sample_ns;
    struct slt_scn_flow_sample *flow_sample; /* sample_count x series_count */
    struct slt_scn_way_sample *way_sample;   /* sample_count x links x 2 */
    int64_t end_ns;
    uint64_t packets;
    uint64_t hash;                     /* of everything that happened */
    char broken[SLT_SCN_SENTENCE_MAX]; /* an invariant that does not hold; empty: all did */
};

struct slt_scn_options {
    uint64_t seed;
    int64_t until_ns;     /* overrides run_ns; 0: does not */
    bool samples;         /* keep samples */
    const char *pcap_dir; /* a pcapng file per host there; NULL: none */
};

/* Play a scenario. Returns false with a sentence when it cannot be begun (memory, a file, an
 * unknown congestion control); what went wrong inside is in the result. */
bool slt_scn_run(const struct slt_scn *scn, const struct slt_scn_options *options,
                 struct slt_scn_result *result, char why[SLT_SCN_SENTENCE_MAX]);
void slt_scn_result_free(struct slt_scn_result *result);

/* ---- scenario_times.c ----------------------------------------------------------------------- */

void slt_scn_times_add(struct slt_scn_times *times, int64_t ns);
void slt_scn_times_merge(struct slt_scn_times *to, const struct slt_scn_times *from);

/* The duration that `percent` of them do not exceed; 0 when there are none. */
int64_t slt_scn_times_percentile(const struct slt_scn_times *times, unsigned percent);

#endif
