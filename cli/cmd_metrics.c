/* salut metrics: the connections of this machine for Prometheus, once or at a port.
 */
#include "cli/metrics_http.h"

#include <string.h>

static const char help[] =
    "usage: salut metrics [options]\n"
    "       salut metrics --listen ADDRESS:PORT\n"
    "\n"
    "Prints the state of TCP, the kernel's and that of salut's own stacks, in the text format of\n"
    "Prometheus: for the textfile collector, for a script, or at a port to be scraped.\n"
    "\n"
    "  tcp_connections{source,state}     every state, zeros included\n"
    "  tcp_program_connections{source,state,listener,program}\n"
    "                                    the same by the listener's port and the program\n"
    "  tcp_state_oldest_seconds{source,state}\n"
    "                                    how long the oldest has been there, at least\n"
    "  tcp_listener_queue, _queue_limit, _drops_total {source,listener,program}\n"
    "  tcp_unaccepted_connections{source}, tcp_orphan_connections{source}\n"
    "  tcp_..._total                     the kernel's counters\n"
    "  salut_reason_total{reason}        those of salut's stacks, and salut_instances\n"
    "\n"
    "  --listen A:P     serve /metrics at an address of this machine (a port alone: 127.0.0.1)\n"
    "  --source S       kernel, salut or all (default)\n"
    "  --no-owners      without the programs' names, which take a walk over /proc\n"
    "\n"
    "  salut metrics > /var/lib/node_exporter/tcp.prom\n"
    "  salut metrics --listen 127.0.0.1:9555\n";

static int run(int argc, char **argv)
{
    bool no_owners = false;
    const char *source = NULL;
    const char *where = NULL;
    struct slt_metrics_ask ask;
    const struct slt_arg options[] = {
        {"--no-owners", SLT_ARG_FLAG, &no_owners, 0, 0},
        {"--source", SLT_ARG_TEXT, &source, 0, 0},
        {"--listen", SLT_ARG_TEXT, &where, 0, 0},
    };
    struct slt_args args = {
        .verb = &slt_cli_metrics, .options = options, .option_count = SLT_ARRAY_COUNT(options)};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    if (slt_parse_sources(&slt_cli_metrics, source, &ask.sources) != SLT_EXIT_FINE) {
        return SLT_EXIT_USAGE;
    }
    ask.owners = !no_owners;
    if (where != NULL) {
        return slt_metrics_serve(&slt_cli_metrics, where, &ask);
    }
    int trouble = slt_metrics_write(&ask, stdout);
    if (trouble < 0) {
        return slt_fail(&slt_cli_metrics, SLT_EXIT_MISSING,
                        "the kernel does not tell about its sockets: %s", strerror(-trouble));
    }
    return fflush(stdout) == 0 ? SLT_EXIT_FINE : SLT_EXIT_FAILURE;
}

const struct slt_cli_verb slt_cli_metrics = {
    .name = "metrics", .summary = "the same for Prometheus", .help = help, .run = run};
