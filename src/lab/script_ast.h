/* What a script is once it has been read: events with times, packets, calls, expressions.
 *
 * The tree is plain data. Everything in it lies in the script's own arena and goes with it; text
 * is NUL-terminated there, so that a script outlives the file it was read from. Nothing in here is
 * resolved: words such as SOL_SOCKET stay words, because what they mean is the runner's business,
 * and a word nobody knows is an error with the word's place.
 */
#ifndef SLT_LAB_SCRIPT_AST_H
#define SLT_LAB_SCRIPT_AST_H

#include "base/compiler.h"
#include "base/time.h"

#define SLT_SCRIPT_ERROR_MAX   320
#define SLT_SCRIPT_OPTIONS_MAX 20
#define SLT_SCRIPT_RAW_MAX     40

/* What is wrong and where: "file:line:column: error: ...". */
struct slt_script_error {
    char text[SLT_SCRIPT_ERROR_MAX];
    uint32_t line;
    uint32_t column;
};

enum slt_expr_kind {
    SLT_EXPR_ELLIPSIS, /* ... : anything */
    SLT_EXPR_INTEGER,
    SLT_EXPR_STRING,
    SLT_EXPR_WORD,   /* a name to be looked up */
    SLT_EXPR_OR,     /* first | its sibling ... */
    SLT_EXPR_NOT,    /* ~first */
    SLT_EXPR_LIST,   /* [a, b] */
    SLT_EXPR_STRUCT, /* {a, name=b} */
    SLT_EXPR_FIELD,  /* name=first, inside a STRUCT */
    SLT_EXPR_CALL    /* name(first, ...) */
};

struct slt_expr {
    uint8_t kind; /* enum slt_expr_kind */
    uint32_t line;
    uint32_t column;
    int64_t number;         /* INTEGER */
    const char *text;       /* STRING, WORD, FIELD, CALL */
    uint32_t text_bytes;    /* of STRING, which may hold zeros */
    struct slt_expr *first; /* children */
    struct slt_expr *next;  /* sibling */
};

/* One TCP option as written. */
enum slt_script_option_kind {
    SLT_OPTION_EOL = 0,
    SLT_OPTION_NOP = 1,
    SLT_OPTION_MSS = 2,
    SLT_OPTION_WSCALE = 3,
    SLT_OPTION_SACK_OK = 4,
    SLT_OPTION_SACK = 5,
    SLT_OPTION_TIMESTAMPS = 8,
    SLT_OPTION_MD5 = 19,
    SLT_OPTION_USER_TIMEOUT = 28,
    SLT_OPTION_FAST_OPEN = 34,
    SLT_OPTION_EXPERIMENT = 254, /* FOEXP */
    SLT_OPTION_RAW = 256         /* bytes as given, kind and length included */
};

struct slt_script_option {
    uint16_t kind;      /* enum slt_script_option_kind */
    uint8_t count;      /* SACK blocks, or bytes of `raw` */
    uint32_t number[8]; /* the option's numbers; two for each SACK block */
    uint8_t raw[SLT_SCRIPT_RAW_MAX];
};

enum slt_script_protocol { SLT_SCRIPT_TCP, SLT_SCRIPT_ICMP, SLT_SCRIPT_UDP };

#define SLT_SCRIPT_UNSAID (-1)

struct slt_script_packet {
    uint8_t protocol; /* enum slt_script_protocol */
    bool outbound;    /* '>': the stack is to send it */
    bool has_ports;
    bool has_ack;
    bool has_window;
    bool has_urgent;
    bool has_echo;    /* ICMP: the quoted sequence range was given */
    bool any_options; /* <...> */
    bool bad_checksum;
    int ecn; /* SLT_SCRIPT_UNSAID, or the two bits */
    int tos; /* SLT_SCRIPT_UNSAID, or the whole byte */
    int ttl; /* SLT_SCRIPT_UNSAID, or hops */
    uint16_t src_port;
    uint16_t dst_port;
    uint16_t flags; /* enum slt_tcp_flag */
    uint16_t window;
    uint16_t urgent;
    uint32_t seq;
    uint32_t ack;
    uint32_t payload_bytes;
    uint8_t option_count;
    struct slt_script_option options[SLT_SCRIPT_OPTIONS_MAX];
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint32_t icmp_mtu;
    uint32_t echo_seq;
    uint32_t echo_bytes;
};

struct slt_script_call {
    const char *name;
    struct slt_expr *args; /* first argument; siblings follow */
    struct slt_expr *result;
    const char *error; /* an errno's name, or NULL */
    int64_t end_ns;    /* blocking call: when it returns, as written; SLT_NEVER otherwise */
    bool end_any;      /* ...* : it blocks for as long as it takes */
    uint32_t arg_count;
};

enum slt_script_event_kind {
    SLT_SCRIPT_PACKET,
    SLT_SCRIPT_CALL,
    SLT_SCRIPT_COMMAND, /* `text` */
    SLT_SCRIPT_CODE     /* %{ text }% */
};

enum slt_script_time_kind {
    SLT_TIME_ABSOLUTE,
    SLT_TIME_RELATIVE,
    SLT_TIME_ABSOLUTE_RANGE,
    SLT_TIME_RELATIVE_RANGE,
    SLT_TIME_ANY
};

struct slt_script_event {
    uint8_t kind;      /* enum slt_script_event_kind */
    uint8_t time_kind; /* enum slt_script_time_kind */
    uint32_t line;
    uint32_t column;
    uint32_t source_at; /* where its text lies in the source */
    uint32_t source_bytes;
    int64_t time_ns;
    int64_t time_end_ns; /* of a range */
    const char *text;    /* COMMAND, CODE */
    struct slt_script_packet *packet;
    struct slt_script_call *call;
    struct slt_script_event *next;
};

/* --name=value, or `key=value` without a time. */
struct slt_script_setting {
    const char *name;
    const char *value; /* "" when there was no '=' */
    uint32_t line;
    struct slt_script_setting *next;
};

struct slt_script_chunk;

struct slt_script {
    const char *file;
    const char *source;
    uint32_t source_bytes;
    bool ipv6; /* how ICMP names are read */
    struct slt_script_setting *options;
    struct slt_script_event *events;
    uint32_t event_count;
    struct slt_script_chunk *chunks;
};

/* Zeroed memory that lives as long as the script; NULL when there is none left in the system. */
void *slt_script_take(struct slt_script *script, size_t bytes);

/* A NUL-terminated copy. */
char *slt_script_copy(struct slt_script *script, const char *text, size_t bytes);

/* Give everything back. The script may be filled anew. */
void slt_script_free(struct slt_script *script);

#endif
