/* The parts of salut run: its command line, the network it opens, and what it says.
 */
#ifndef SLT_CLI_RUN_H
#define SLT_CLI_RUN_H

#include "cli/host.h"
#include "run/child_linux.h"
#include "run/door_linux.h"
#include "run/gateway.h"
#include "run/guardian_linux.h"
#include "run/net_linux.h"
#include "run/publish.h"
#include "run/resolver.h"
#include "run/supervisor.h"

#define SLT_RUN_ADDRESS_TEXT 64U

/* What the command line said, beside the host's words. */
struct slt_run_words {
    const char *device; /* NULL: the best there is */
    bool is_private;    /* --private */
    bool no_gateway;
    bool no_loopback;
    bool quiet;
    int64_t mss;
    struct slt_arg_list publish;
};

struct slt_run {
    const struct slt_cli_verb *verb;
    struct slt_run_words words;
    struct slt_host_words host_words;
    struct slt_host host;
    bool is_private;       /* a network of its own */
    bool names_off;        /* the host has no /etc/resolv.conf, or it cannot be replaced */
    const char *names_why; /* ... because of this */
    struct slt_run_net net;
    struct slt_door door;
    struct slt_porter porter;
    struct slt_poller poller;
    struct slt_gateway *gateway;
    struct slt_resolver *resolver;
    struct slt_publish publish;
    struct slt_publish_spec published[SLT_PUBLISH_MAX];
    int published_fds[SLT_PUBLISH_MAX]; /* until `publish` has them */
    size_t published_count;
    struct slt_child child;
    struct slt_supervisor *supervisor;
    struct slt_guardian guardian; /* speaks for the supervisor should that be killed */
    /* Addresses as text, where host_words refers to them. */
    char ours4[SLT_RUN_ADDRESS_TEXT];
    char ours6[SLT_RUN_ADDRESS_TEXT];
    char kernel4[SLT_RUN_ADDRESS_TEXT];
    char kernel6[SLT_RUN_ADDRESS_TEXT];
    char gateway4[SLT_RUN_ADDRESS_TEXT];
    char gateway6[SLT_RUN_ADDRESS_TEXT];
};

/* ---- run_net.c ---- */

/* Choose the network, enter it if it is a private one, and open everything of it: host, gateway,
 * names, published ports. Returns SLT_EXIT_FINE, or says what is wrong and returns the exit code;
 * slt_run_net_close is to be called either way. */
int slt_run_open(struct slt_run *run);

/* True when nothing that the program sent is on its way out any more. */
bool slt_run_net_is_quiet(const struct slt_run *run);

/* Close it all, the supervisor excepted, which must be gone. */
void slt_run_close(struct slt_run *run);

/* ---- run_say.c ---- */

/* What the address is, how to reach it, what is off and why. */
void slt_run_say(const struct slt_run *run);

#endif
