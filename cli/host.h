/* A host of our own: a stack on a link on a runner, from the options that serve and nc share.
 */
#ifndef SLT_CLI_HOST_H
#define SLT_CLI_HOST_H

#include "cli/cli.h"
#include "link/link.h"
#include "observe/comment.h"
#include "observe/control_linux.h"
#include "observe/narrate.h"
#include "salut/runner.h"

#define SLT_HOST_OPTIONS 18U

/* What the command line said about the host. */
struct slt_host_words {
    const char *tap;
    const char *tun;
    const char *packet;
    struct slt_arg_list addresses; /* of ours */
    struct slt_arg_list kernel;    /* to give to the kernel's end */
    struct slt_arg_list gateways;
    int64_t mtu;
    const char *impair;
    const char *capture;
    bool no_offload;
    bool rfc;               /* the "rfc" profile */
    const char *congestion; /* NULL: as the profile has it */
    int64_t bbr_loss;       /* per cent; 0: as the profile has it */
    bool verbose;
    bool stats;
    bool no_control; /* offer no control socket */
    int64_t connections;
    int64_t buffer_max;    /* bytes; 0: the defaults */
    uint32_t buffer_bytes; /* not an option: of one buffer; 0: the default */
    bool own_traffic;      /* not an option: what the stack sends to itself comes back */
};

struct slt_host {
    const struct slt_cli_verb *verb;
    const struct slt_host_words *words;
    struct salut_runner *runner;
    struct slt_link *link;   /* the outermost one */
    struct slt_link *impair; /* NULL: none */
    struct salut_config config;
    struct salut_stack *stack;
    struct slt_narrator narrator;   /* --verbose */
    struct slt_commenter commenter; /* --capture */
    struct slt_control *control;    /* NULL: none */
};

/* The help text of the options below. */
extern const char slt_host_help[];

/* Fill the table of options that write to *words. */
void slt_host_options(struct slt_host_words *words, struct slt_arg table[SLT_HOST_OPTIONS]);

/* Open the link, make the stack, give addresses and routes. Returns SLT_EXIT_FINE, or says what is
 * wrong and returns the exit code. slt_host_close is to be called either way. */
int slt_host_open(struct slt_host *host, const struct slt_cli_verb *verb,
                  const struct slt_host_words *words);

/* Who gets the stack's events. */
int slt_host_run(struct slt_host *host,
                 void (*on_event)(void *ctx, struct salut_stack *stack,
                                  const struct salut_event *event),
                 void *ctx);

/* One turn, and one line for every change of state when verbose. False once it is to end. */
bool slt_host_turn(struct slt_host *host, int64_t sleep_ns);

/* Turn until nothing is left to be said (connections closed), for at most `most_ns`. */
void slt_host_settle(struct slt_host *host, int64_t most_ns);

/* The parts of the above, for whoever makes stacks in another way (threads.h). */
int slt_host_check_words(const struct slt_host *host);
void slt_host_configure(struct slt_host *host);                                 /* the limits */
int slt_host_furnish(const struct slt_host *host);                              /* addresses */
int slt_host_set_up_kernel(const struct slt_host *host, const char *interface); /* its end */

/* Print the counters that are not zero, of all these together. */
void slt_host_print_counters(const struct slt_host *hosts, size_t host_count);

/* Print what impair did and, with --stats, the counters that are not zero; close everything. */
void slt_host_close(struct slt_host *host);

#endif
