/* What every verb shares: exit codes, the command line, and the terminal.
 */
#ifndef SLT_CLI_CLI_H
#define SLT_CLI_CLI_H

#include "base/compiler.h"
#include "salut/salut.h"

#include <stdio.h>

enum slt_cli_exit {
    SLT_EXIT_FINE = 0,
    SLT_EXIT_FAILURE = 1,
    SLT_EXIT_USAGE = 2,
    SLT_EXIT_MISSING = 3 /* privilege, device or program */
};

/* A verb of the program. */
struct slt_cli_verb {
    const char *name;
    const char *summary;               /* one line */
    const char *help;                  /* what -h prints below the first line */
    const char *more_help;             /* and below that; NULL: nothing */
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

extern const struct slt_cli_verb slt_cli_demo;
extern const struct slt_cli_verb slt_cli_run;
extern const struct slt_cli_verb slt_cli_enter;
extern const struct slt_cli_verb slt_cli_serve;
extern const struct slt_cli_verb slt_cli_nc;
extern const struct slt_cli_verb slt_cli_bench;
extern const struct slt_cli_verb slt_cli_test;
extern const struct slt_cli_verb slt_cli_sim;
extern const struct slt_cli_verb slt_cli_wire;
extern const struct slt_cli_verb slt_cli_status;
extern const struct slt_cli_verb slt_cli_watch;
extern const struct slt_cli_verb slt_cli_stats;
extern const struct slt_cli_verb slt_cli_metrics;
extern const struct slt_cli_verb slt_cli_check;
extern const struct slt_cli_verb slt_cli_doctor;
extern const struct slt_cli_verb slt_cli_explain;
extern const struct slt_cli_verb slt_cli_record;
extern const struct slt_cli_verb slt_cli_capture;
extern const struct slt_cli_verb slt_cli_kill;
extern const struct slt_cli_verb slt_cli_probe;

/* ---- args.c: the command line ---- */

enum slt_arg_kind {
    SLT_ARG_FLAG,   /* bool: --echo */
    SLT_ARG_TEXT,   /* const char *: --tap NAME */
    SLT_ARG_NUMBER, /* int64_t within low..high: --port 80 */
    SLT_ARG_BYTES,  /* int64_t: 64M, 1G, 1000 */
    SLT_ARG_TIME,   /* int64_t nanoseconds: 15s, 200ms */
    SLT_ARG_LIST,   /* struct slt_arg_list: may be given again */
    SLT_ARG_MAYBE   /* struct slt_arg_maybe: --source or --source BYTES */
};

#define SLT_ARG_LIST_MAX 16

struct slt_arg_list {
    const char *items[SLT_ARG_LIST_MAX];
    size_t count;
};

struct slt_arg_maybe {
    bool given;
    int64_t value; /* bytes; -1: none was named */
};

struct slt_arg {
    const char *name; /* "--port", "-l" */
    enum slt_arg_kind kind;
    void *to;
    int64_t low; /* NUMBER */
    int64_t high;
};

struct slt_args {
    const struct slt_cli_verb *verb;
    const struct slt_arg *options;
    size_t option_count;
    const struct slt_arg *more; /* a second table, or NULL */
    size_t more_count;
    const char **words; /* where arguments that are no options go */
    size_t words_max;
    size_t word_count; /* how many there were */
};

/* Parse argv[1..]. Returns SLT_EXIT_FINE; -1 when -h was printed and the program is done;
 * SLT_EXIT_USAGE after saying what is wrong. */
int slt_args_parse(struct slt_args *args, int argc, char **argv);

/* Say what is wrong with a command line and where help is. Returns SLT_EXIT_USAGE. */
SLT_PRINTF(2, 3)
int slt_usage_error(const struct slt_cli_verb *verb, const char *format, ...);

/* Say what failed. Returns `code`. */
SLT_PRINTF(3, 4)
int slt_fail(const struct slt_cli_verb *verb, int code, const char *format, ...);

void slt_print_help(const struct slt_cli_verb *verb, FILE *to);

/* --source kernel, salut or all (also when NULL): which are asked. Returns SLT_EXIT_FINE, or
 * SLT_EXIT_USAGE after saying what is wrong. */
struct slt_sources {
    bool kernel;
    bool stacks;
};
int slt_parse_sources(const struct slt_cli_verb *verb, const char *text,
                      struct slt_sources *sources);

/* "10.0.0.2/24", "fd00::2/64"; without a length 32 or 128 bits. */
bool slt_parse_prefix(const char *text, salut_addr *addr, unsigned *prefix_bits);

/* ---- term.c: the terminal ---- */

struct slt_term {
    bool tty;
    bool colour; /* a terminal, and NO_COLOR is not set */
    bool utf8;
    uint32_t width;
};

struct slt_term slt_term_look(FILE *to);

/* Bytes and rates for people: "64 MiB", "1.2 Gbit/s". Return `out`. */
const char *slt_print_bytes(uint64_t bytes, char *out, size_t size);
const char *slt_print_rate(uint64_t bytes, int64_t ns, char *out, size_t size);

#endif
