/* The conformance driver: one instance of the stack, the driver as its peer on the wire.
 *
 * A row of a table names a constructor (a state and its variant), a stimulus in the line language
 * of steps.c, and what must be emitted, the next state, the reasons and the timer. The driver
 * works through the public interface and virtual time alone; it reads what the stack emits with a
 * decoder of its own (decode.c), so that a mistake in src/wire does not hide itself.
 *
 * Modules: tables.c reads the .tsv files; symbols.c evaluates numbers and durations; build.c
 * makes frames; decode.c takes frames apart; world.c owns the instance, the clock and the peers;
 * calls.c makes user calls; checks.c looks at what the stack says about itself; match.c compares
 * emissions; steps.c runs the line language; driver.c runs rows, variants and mutants.
 */
#ifndef SALUT_TESTS_CONFORM_H
#define SALUT_TESTS_CONFORM_H

#include "salut/salut.h"

#define PEERS_MAX    32
#define PACKETS_MAX  2048
#define PACKET_BYTES 2200
#define FRAME_BYTES  70000
#define WORDS_MAX    64
#define SAVED_MAX    16
#define ERROR_BYTES  2048

/* ---- rows ---------------------------------------------------------------------------------- */

struct row {
    const char *file;
    int line;
    char *id;
    char *profile; /* linux, rfc, both, n/a */
    char *constructor;
    char *stimulus;
    char *segments;
    char *state;
    char *reason;
    char *timers;
    char *note;
};

struct constructor {
    char *name;
    char *base;
    char *steps;
    char *state;
};

struct tables {
    struct row *rows;
    size_t row_count;
    struct constructor *constructors;
    size_t constructor_count;
};

bool tables_load_rows(struct tables *tables, const char *path);
bool tables_load_constructors(struct tables *tables, const char *path);
const struct constructor *tables_constructor(const struct tables *tables, const char *name);
void tables_free(struct tables *tables);

/* ---- words --------------------------------------------------------------------------------- */

/* A line cut into words at blanks. */
struct words {
    char text[4096];
    char *word[WORDS_MAX];
    int count;
};

void words_cut(struct words *words, const char *line, size_t bytes);
/* The value of "key=value" among the words from `first` on, or NULL. */
const char *words_value(const struct words *words, int first, const char *key);
bool words_has(const struct words *words, int first, const char *key);

/* ---- packets the stack emitted --------------------------------------------------------------- */

enum packet_kind { PACKET_TCP, PACKET_UDP, PACKET_ICMP4, PACKET_ICMP6, PACKET_ARP, PACKET_OTHER };

struct packet {
    int64_t at_ns;
    enum packet_kind kind;
    uint32_t bytes;
    uint8_t raw[PACKET_BYTES];
    uint8_t eth_dst[6];
    uint8_t eth_src[6];
    uint8_t family;
    uint8_t src[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t dst[16];
    uint8_t ttl;
    uint8_t tos;
    uint16_t ip_id;
    bool df;
    /* TCP */
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t flags;
    uint16_t window, urgent;
    int32_t mss;    /* -1: no such option */
    int32_t uto;    /* the user timeout option's 16 bits; -1: no such option */
    int32_t wscale; /* -1: no such option */
    bool sack_ok;
    bool ts;
    uint32_t ts_val, ts_ecr;
    int sack_count;
    uint32_t sack[4][2];
    int cookie_bytes; /* of a fast open option; -1: none */
    uint8_t cookie[16];
    int accecn_count; /* counters in an AccECN option; -1: none */
    uint32_t accecn[3];
    char option_order[64]; /* "mss/sackok/ts/nop/ws" */
    const uint8_t *payload;
    uint32_t payload_bytes;
    /* ICMP and ARP: the message */
    uint8_t type, code;
    const uint8_t *body;
    uint32_t body_bytes;
};

/* Take a frame apart and check everything that holds for every frame. NULL: all is well. */
const char *decode_packet(struct packet *packet, bool ethernet);

/* ---- the world ------------------------------------------------------------------------------- */

struct settings {
    enum salut_profile profile;
    bool ip6;
    bool ethernet;
    bool bare; /* no address is configured */
    /* What the peer's SYN offers. */
    int32_t mss; /* -1: no option */
    int32_t wscale;
    bool sack;
    bool ts;
    uint32_t window;
    uint32_t irs;
    uint32_t iss_wanted; /* 0: as it comes */
    char overrides[512]; /* "name=value name=value" for the configuration */
};

/* The other end of one connection, and what it knows from the wire. */
struct peer {
    uint16_t port, local_port;
    uint32_t iss, irs, una, nxt, rnxt, redge;
    bool iss_known, redge_known;
    int32_t our_scale; /* of the stack's SYN; -1 none */
    bool ts_on;
    uint32_t ts_last; /* last TSval of the stack */
    uint32_t ts_skew;
    uint64_t read_pos, write_pos;
    uint32_t heard; /* the stream of the stack, verified and contiguous, ends here */
    salut_conn conn;
    bool held; /* conn is a handle the user holds */
};

struct saved {
    char name[16];
    uint32_t value;
};

enum auto_mode { AUTO_OFF, AUTO_ACK, AUTO_ZERO_WINDOW };

struct world {
    struct settings settings;
    const struct tables *tables;
    struct salut_config config;
    struct salut_stack *stack;
    int64_t now_ns;
    int64_t step_at_ns;
    struct peer peers[PEERS_MAX];
    int at;             /* the peer in use */
    struct peer before; /* the peer in use, when the step began */
    salut_listener listeners[4];
    int listener_count;
    struct saved saved[SAVED_MAX];
    int saved_count;
    uint8_t cookie[16]; /* the last fast open cookie that the stack sent to anybody */
    uint8_t cookie_bytes;
    struct packet *packets; /* emitted and not yet expected */
    size_t packet_count;
    enum auto_mode answering;
    uint64_t answered;
    uint64_t counters[256]; /* when the constructor was done */
    char built_state[16];
    char error[ERROR_BYTES];
};

bool world_open(struct world *world);
void world_close(struct world *world);
bool fail(struct world *world, const char *format, ...);
struct peer *peer_of(struct world *world);
void world_begin_step(struct world *world);
/* Deliver frames at once, then run the turn. */
bool world_deliver(struct world *world, struct salut_rx_frame *frames, size_t count);
bool world_turn(struct world *world);
bool world_advance(struct world *world, int64_t by_ns);
/* The object of the peer in use, from the listing. False: there is none. */
bool world_info(struct world *world, struct salut_info *info);
bool world_listening(const struct world *world, uint16_t port);
uint32_t world_effective_mss(const struct world *world);
uint8_t pattern_byte(uint32_t position);

/* ---- the parts of the language ----------------------------------------------------------------
 */

bool eval_number(struct world *world, const char *text, uint32_t *value);
bool eval_duration(const struct world *world, const char *text, int64_t *ns);
bool eval_address(const struct world *world, const char *text, salut_addr *addr);
bool eval_mac(const char *text, uint8_t mac[6]);
size_t eval_hex(const char *text, uint8_t *out, size_t max);
uint16_t flags_parse(const char *text);
void flags_print(uint16_t flags, char out[12]);

/* Build a frame from "layer / layer / ..." (the words after `frame` or `seg`). */
bool build_frame(struct world *world, const char *spec, uint8_t *frame, uint32_t *bytes);

bool config_override(struct salut_config *config, const char *name, int64_t value);

bool call_run(struct world *world, const char *line);
const char *status_token(enum salut_status status);
const char *state_token(unsigned state);

bool check_run(struct world *world, const char *line);
bool check_state(struct world *world, const char *expected);
bool check_reasons(struct world *world, const char *expected);
bool check_timers(struct world *world, const char *expected);
const char *timer_token(unsigned timer);

/* Compare everything emitted with a list of items and forget it. */
bool match_segments(struct world *world, const char *expected);
void packet_print(const struct packet *packet, char *out, size_t size);

bool steps_run(struct world *world, const char *steps);

/* ---- running rows -----------------------------------------------------------------------------
 */

/* How a row is run: families and initial sequence numbers beside the usual ones. */
enum variant {
    VARIANT_PLAIN,
    VARIANT_IP6,      /* the other family */
    VARIANT_WRAP,     /* both initial sequence numbers are 2^32 - 1 */
    VARIANT_HALF_LOW, /* 2^31 - 1 */
    VARIANT_HALF,     /* 2^31 */
    VARIANT_COUNT
};

const char *variant_name(enum variant variant);
bool row_has_profile(const struct row *row, enum salut_profile profile);
bool row_has_variant(const struct row *row, enum variant variant);
/* Run a row once. The error stands in world->error. */
bool row_run(struct world *world, const struct row *row, enum salut_profile profile,
             enum variant variant);

/* The number of ways a row can be broken, and the row broken in one of them (false: this way does
 * not apply). The text lies in `mutant` and `room`. */
#define MUTATIONS 16
bool row_mutate(const struct row *row, int way, struct row *mutant, char room[4096]);
const char *mutation_name(int way);

#endif
