/* salut metrics: the connections of this machine as Prometheus text (exposition format 0.0.4).
 *
 * Labels are bounded: states, listeners' ports, programs' names and counters; never a peer. States
 * nobody is in are told as zero, so that a rule on them has something to compare with.
 */
#include "cli/cli.h"

#include "base/time.h"
#include "observe/counters_linux.h"
#include "observe/look_linux.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 256U /* state, port and program at once; what is beyond is told as "other" */

static const char help[] =
    "usage: salut metrics [--no-owners]\n"
    "\n"
    "Prints the state of the kernel's TCP in the text format of Prometheus, for the textfile\n"
    "collector or a script:  salut metrics > /var/lib/node_exporter/tcp.prom\n"
    "\n"
    "  tcp_connections{state}            every state, zeros included\n"
    "  tcp_program_connections{state,listener,program}\n"
    "                                    the same by the listener's port and the program\n"
    "  tcp_state_oldest_seconds{state}   how long the oldest has been there, at least\n"
    "  tcp_listener_queue, _queue_limit, _drops_total {listener,program}\n"
    "  tcp_unaccepted_connections, tcp_orphan_connections\n"
    "  tcp_..._total                     the kernel's counters\n"
    "\n"
    "  --no-owners      without the programs' names, which take a walk over /proc\n";

/* ---- words of the format -------------------------------------------------------------------- */

static void print_metric(const char *name, const char *type, const char *what)
{
    (void)printf("# HELP %s %s\n# TYPE %s %s\n", name, what, name, type);
}

/* "close_wait" */
static const char *state_label(unsigned state, char out[24])
{
    const char *name = slt_seen_rfc_name((enum salut_state)state);
    size_t i = 0;
    for (; name[i] != '\0' && i < 23; i++) {
        out[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    }
    out[i] = '\0';
    return out;
}

/* A label's value: '"', '\' and line ends escaped. */
static void print_label(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            (void)putchar('\\');
        }
        (void)putchar(*text == '\n' ? ' ' : *text);
    }
}

/* ---- by listener and program ---------------------------------------------------------------- */

struct group {
    uint8_t state;
    uint16_t port; /* of the listener; 0: the connection was opened here */
    char program[SLT_SEEN_NAME_MAX];
    uint64_t count;
};

struct groups {
    struct group items[GROUPS_MAX];
    size_t count;
    uint64_t beyond;
};

static bool is_listener_port(const struct slt_look *look, uint16_t port)
{
    for (size_t i = 0; i < look->list.count && look->list.items[i].kind == SLT_SEEN_LISTENER; i++) {
        if (look->list.items[i].local_port == port) {
            return true;
        }
    }
    return false;
}

static void count_group(struct groups *groups, const struct slt_seen *seen, uint16_t port)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct group *g = &groups->items[i];
        if (g->state == seen->state && g->port == port && strcmp(g->program, seen->program) == 0) {
            g->count++;
            return;
        }
    }
    if (groups->count == GROUPS_MAX) {
        groups->beyond++;
        return;
    }
    struct group *g = &groups->items[groups->count++];
    *g = (struct group){.state = seen->state, .port = port, .count = 1};
    memcpy(g->program, seen->program, sizeof(g->program));
}

static void print_groups(const struct slt_look *look)
{
    struct groups *groups = calloc(1, sizeof(*groups));
    char label[24];
    if (groups == NULL) {
        return;
    }
    for (size_t i = 0; i < look->list.count; i++) {
        const struct slt_seen *seen = &look->list.items[i];
        bool served = is_listener_port(look, seen->local_port);
        if (seen->kind != SLT_SEEN_LISTENER) {
            count_group(groups, seen, served ? seen->local_port : 0);
        }
    }
    print_metric("tcp_program_connections", "gauge",
                 "Connections by state, port of the listener (empty: opened here) and program.");
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *g = &groups->items[i];
        (void)printf("tcp_program_connections{state=\"%s\",listener=\"",
                     state_label(g->state, label));
        if (g->port != 0) {
            (void)printf(":%u", g->port);
        }
        (void)printf("\",program=\"");
        print_label(g->program);
        (void)printf("\"} %" PRIu64 "\n", g->count);
    }
    if (groups->beyond > 0) {
        (void)printf("tcp_program_connections{state=\"other\",listener=\"\",program=\"\"} %" PRIu64
                     "\n",
                     groups->beyond);
    }
    free(groups);
}

/* ---- states and listeners ------------------------------------------------------------------- */

static void print_states(const struct slt_look *look)
{
    uint64_t counts[SALUT_STATE_COUNT] = {0};
    int64_t oldest_ns[SALUT_STATE_COUNT] = {0};
    uint64_t unaccepted = 0;
    uint64_t orphans = 0;
    char label[24];
    for (size_t i = 0; i < look->list.count; i++) {
        const struct slt_seen *seen = &look->list.items[i];
        counts[seen->state]++;
        unaccepted += seen->accepted == SLT_NO;
        orphans += seen->orphan == SLT_YES;
        if (seen->age.how != SLT_SPAN_UNKNOWN && seen->age.ns > oldest_ns[seen->state]) {
            oldest_ns[seen->state] = seen->age.ns;
        }
    }
    print_metric("tcp_connections", "gauge", "TCP sockets of the kernel by state.");
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        (void)printf("tcp_connections{state=\"%s\"} %" PRIu64 "\n", state_label(i, label),
                     counts[i]);
    }
    print_metric("tcp_state_oldest_seconds", "gauge",
                 "Lower bound of the longest time a connection has been in the state.");
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        (void)printf("tcp_state_oldest_seconds{state=\"%s\"} %.3f\n", state_label(i, label),
                     (double)oldest_ns[i] / 1e9);
    }
    print_metric("tcp_unaccepted_connections", "gauge",
                 "Complete connections that no program has accepted.");
    (void)printf("tcp_unaccepted_connections %" PRIu64 "\n", unaccepted);
    print_metric("tcp_orphan_connections", "gauge", "Connections that no program has any more.");
    (void)printf("tcp_orphan_connections %" PRIu64 "\n", orphans);
}

/* One value of one listener; listeners that share a port (SO_REUSEPORT, two families) are told
 * apart by address. */
static void print_listener(const char *metric, const struct slt_seen *seen, int64_t value)
{
    char addr[48];
    if (value == SLT_UNKNOWN) {
        return;
    }
    (void)salut_addr_print(&seen->local, addr, sizeof(addr));
    (void)printf("%s{listener=\":%u\",address=\"%s\",inode=\"%" PRIu64 "\",program=\"", metric,
                 seen->local_port, addr, seen->inode);
    print_label(seen->program);
    (void)printf("\"} %" PRId64 "\n", value);
}

static void print_listeners(const struct slt_look *look)
{
    static const char *const metrics[] = {"tcp_listener_queue", "tcp_listener_queue_limit",
                                          "tcp_listener_drops_total"};
    static const char *const what[] = {"Connections that wait for accept().",
                                       "The backlog: how many may wait.",
                                       "Connection attempts the listener lost, of any cause."};
    for (size_t m = 0; m < SLT_ARRAY_COUNT(metrics); m++) {
        print_metric(metrics[m], m == 2 ? "counter" : "gauge", what[m]);
        for (size_t i = 0; i < look->list.count; i++) {
            const struct slt_seen *seen = &look->list.items[i];
            const int64_t values[] = {seen->queue, seen->queue_limit, seen->drops};
            if (seen->kind == SLT_SEEN_LISTENER) {
                print_listener(metrics[m], seen, values[m]);
            }
        }
    }
}

static void print_counters(void)
{
    struct slt_counters counters;
    char name[64];
    char what[96];
    if (!slt_counters_read(&counters)) {
        return;
    }
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        const struct slt_counter_name *counter = slt_counter_name((enum slt_counter)i);
        if (counters.value[i] == SLT_UNKNOWN) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "tcp_%s%s", counter->field,
                       counter->rises ? "_total" : "");
        (void)snprintf(what, sizeof(what), "%s of %s.", counter->name, counter->group);
        print_metric(name, counter->rises ? "counter" : "gauge", what);
        (void)printf("%s %" PRId64 "\n", name, counters.value[i]);
    }
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int run(int argc, char **argv)
{
    bool no_owners = false;
    struct slt_look look;
    const struct slt_arg options[] = {{"--no-owners", SLT_ARG_FLAG, &no_owners, 0, 0}};
    struct slt_args args = {
        .verb = &slt_cli_metrics, .options = options, .option_count = SLT_ARRAY_COUNT(options)};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    struct slt_look_ask ask = {.kernel = true, .owners = !no_owners};
    int trouble = slt_look_take(&ask, &look);
    if (trouble < 0) {
        slt_look_free(&look);
        return slt_fail(&slt_cli_metrics, SLT_EXIT_MISSING,
                        "the kernel does not tell about its sockets: %s", strerror(-trouble));
    }
    print_states(&look);
    print_groups(&look);
    print_listeners(&look);
    print_counters();
    slt_look_free(&look);
    return fflush(stdout) == 0 ? SLT_EXIT_FINE : SLT_EXIT_FAILURE;
}

const struct slt_cli_verb slt_cli_metrics = {
    .name = "metrics", .summary = "the same for Prometheus", .help = help, .run = run};
