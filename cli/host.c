/* See host.h. */
#include "cli/host.h"

#include "base/time.h"
#include "link/rtnl_linux.h"
#include "sock/impair_spec.h"
#include "sock/link_open.h"
#include "tcp/cc.h"
#include "wire/address.h"

#include <signal.h>
#include <string.h>

#define VERBOSE_RING 65536U

#define BUFFER_MAX_BYTES (INT64_C(1) << 30) /* RFC 7323 2.3 */

const char slt_host_help[] =
    "The host it runs on:\n"
    "  --tap NAME         a TAP device: Ethernet to this machine's kernel (default: salut0)\n"
    "  --tun NAME         a TUN device: IP packets to this machine's kernel\n"
    "  --packet IFACE     frames of an Ethernet interface that exists\n"
    "  --address A/BITS   an address of ours, IPv4 or IPv6; may be given again\n"
    "                     (default on a TAP or TUN: 10.99.0.2/24 and fd99::2/64)\n"
    "  --kernel A/BITS    an address for the kernel's end of a TAP or TUN; may be given again\n"
    "                     (default: 10.99.0.1/24 and fd99::1/64)\n"
    "  --gateway A        the router to everywhere else; may be given again\n"
    "  --mtu BYTES        the longest IP packet\n"
    "  --impair SPEC      make the link a bad one: loss=1%,dup=1%,reorder=1%,corrupt=0.1%,\n"
    "                     delay=20ms,jitter=5ms,rate=10mbit,queue=100,seed=7\n"
    "  --capture FILE     write every frame to a pcapng file, with the changes of state it caused\n"
    "  --no-offload       wire frames with complete checksums\n"
    "  --rfc              the RFCs to the letter instead of Linux's defaults\n"
    "  --congestion NAME  cubic, reno or bbr (default: cubic; reno with --rfc)\n"
    "  --bbr-loss PERCENT bbr takes what loses more for a full path (default: 2)\n"
    "  --verbose          one line for every change of state\n"
    "  --no-control       do not let salut status and others look into it\n"
    "  --stats            at the end, every counter that is not zero\n"
    "  --connections N    how many there may be (default: 65536)\n"
    "  --buffer-max BYTES how far a connection's buffers may grow, each way (default: 4M, 6M)\n";

void slt_host_options(struct slt_host_words *words, struct slt_arg table[SLT_HOST_OPTIONS])
{
    *words = (struct slt_host_words){.connections = 65536};
    const struct slt_arg options[SLT_HOST_OPTIONS] = {
        {"--tap", SLT_ARG_TEXT, &words->tap, 0, 0},
        {"--tun", SLT_ARG_TEXT, &words->tun, 0, 0},
        {"--packet", SLT_ARG_TEXT, &words->packet, 0, 0},
        {"--address", SLT_ARG_LIST, &words->addresses, 0, 0},
        {"--kernel", SLT_ARG_LIST, &words->kernel, 0, 0},
        {"--gateway", SLT_ARG_LIST, &words->gateways, 0, 0},
        {"--mtu", SLT_ARG_NUMBER, &words->mtu, 68, 65535},
        {"--impair", SLT_ARG_TEXT, &words->impair, 0, 0},
        {"--capture", SLT_ARG_TEXT, &words->capture, 0, 0},
        {"--no-offload", SLT_ARG_FLAG, &words->no_offload, 0, 0},
        {"--rfc", SLT_ARG_FLAG, &words->rfc, 0, 0},
        {"--congestion", SLT_ARG_TEXT, &words->congestion, 0, 0},
        {"--bbr-loss", SLT_ARG_NUMBER, &words->bbr_loss, 1, 20},
        {"--verbose", SLT_ARG_FLAG, &words->verbose, 0, 0},
        {"--stats", SLT_ARG_FLAG, &words->stats, 0, 0},
        {"--no-control", SLT_ARG_FLAG, &words->no_control, 0, 0},
        {"--connections", SLT_ARG_NUMBER, &words->connections, 1, 16000000},
        {"--buffer-max", SLT_ARG_BYTES, &words->buffer_max, 0, 0},
    };
    memcpy(table, options, sizeof(options));
}

/* ---- the link ------------------------------------------------------------------------------- */

static int fail_link(const struct slt_host *host, const struct slt_link_error *error)
{
    bool missing = error->trouble == SLT_LINK_NO_PRIVILEGE ||
                   error->trouble == SLT_LINK_NO_DEVICE ||
                   error->trouble == SLT_LINK_NOT_SUPPORTED || error->trouble == SLT_LINK_BUSY;
    int code = error->trouble == SLT_LINK_BAD_NAME ? SLT_EXIT_USAGE
               : missing                           ? SLT_EXIT_MISSING
                                                   : SLT_EXIT_FAILURE;
    return slt_fail(host->verb, code, "%s%s%s", error->sentence,
                    error->remedy[0] != '\0' ? "\n" : "", error->remedy);
}

static bool is_device(const struct slt_host *host)
{
    return host->words->packet == NULL;
}

static int open_link(struct slt_host *host)
{
    const struct slt_host_words *w = host->words;
    struct slt_impair_params impair;
    struct slt_link_error error = {.trouble = SLT_LINK_FINE};
    struct slt_link_plan plan = {.device = w->packet != NULL ? SALUT_DEVICE_PACKET
                                           : w->tun != NULL  ? SALUT_DEVICE_TUN
                                                             : SALUT_DEVICE_TAP,
                                 .name = w->packet != NULL ? w->packet
                                         : w->tun != NULL  ? w->tun
                                         : w->tap != NULL  ? w->tap
                                                           : "salut0",
                                 .mtu = (uint32_t)w->mtu,
                                 .no_offload = w->no_offload};
    if (w->impair != NULL) {
        const char *bad = slt_impair_spec_parse(w->impair, &impair);
        if (bad != NULL) {
            return slt_usage_error(host->verb, "--impair %s: %s; %s", w->impair, bad,
                                   SLT_IMPAIR_SPEC_HELP);
        }
        plan.impair = &impair;
    }
    if (w->capture != NULL) {
        struct slt_capture_params capture = {
            .kind = w->tun != NULL ? SALUT_LINK_IP : SALUT_LINK_ETHERNET,
            .comment_of = slt_comment_of,
            .comment_ctx = &host->commenter,
        };
        plan.sink = slt_link_open_capture(w->capture, &capture, &error);
        if (plan.sink == NULL) {
            return slt_fail(host->verb, SLT_EXIT_FAILURE, "%s: %s", w->capture, error.sentence);
        }
    }
    if (slt_link_open_plan(&plan, &host->link, &host->impair, &error) != SLT_LINK_FINE) {
        host->link = NULL;
        return fail_link(host, &error);
    }
    return SLT_EXIT_FINE;
}

/* The kernel's end of a device that is ours: addresses, and up. */
int slt_host_set_up_kernel(const struct slt_host *host, const char *name)
{
    static const struct slt_arg_list usual = {{"10.99.0.1/24", "fd99::1/64"}, 2};
    const struct slt_arg_list *given = &host->words->kernel;
    const struct slt_arg_list *list =
        given->count > 0 || host->words->addresses.count > 0 ? given : &usual;
    struct slt_link_error error;
    for (size_t i = 0; i < list->count; i++) {
        salut_addr addr;
        unsigned bits;
        if (!slt_parse_prefix(list->items[i], &addr, &bits)) {
            return slt_usage_error(host->verb,
                                   "--kernel wants an address such as 10.99.0.1/24, not '%s'",
                                   list->items[i]);
        }
        if (slt_rtnl_add_address(name, &addr, bits, &error) != SLT_LINK_FINE) {
            return fail_link(host, &error);
        }
    }
    return slt_rtnl_set_up(name, true, &error) == SLT_LINK_FINE ? SLT_EXIT_FINE
                                                                : fail_link(host, &error);
}

/* ---- the stack ------------------------------------------------------------------------------ */

static int add_addresses(const struct slt_host *host)
{
    static const struct slt_arg_list usual = {{"10.99.0.2/24", "fd99::2/64"}, 2};
    const struct slt_arg_list *given = &host->words->addresses;
    const struct slt_arg_list *list = given->count > 0 ? given : &usual;
    if (given->count == 0 && !is_device(host)) {
        return slt_usage_error(host->verb, "--packet needs an --address of ours");
    }
    for (size_t i = 0; i < list->count; i++) {
        salut_addr addr;
        unsigned bits;
        if (!slt_parse_prefix(list->items[i], &addr, &bits)) {
            return slt_usage_error(
                host->verb,
                "--address wants an address such as 10.99.0.2/24 or fd99::2/64, not '%s'",
                list->items[i]);
        }
        enum salut_status status = salut_add_address(host->stack, &addr, bits);
        if (status != SALUT_OK) {
            return slt_fail(host->verb, SLT_EXIT_FAILURE, "address %s: %s", list->items[i],
                            salut_status_text(status));
        }
    }
    return SLT_EXIT_FINE;
}

static int add_gateways(const struct slt_host *host)
{
    const struct slt_arg_list *list = &host->words->gateways;
    for (size_t i = 0; i < list->count; i++) {
        salut_addr gateway;
        salut_addr everywhere = {.zone = 0};
        if (salut_addr_parse(list->items[i], &gateway) != SALUT_OK) {
            return slt_usage_error(host->verb,
                                   "--gateway wants an address such as 10.99.0.1, not '%s'",
                                   list->items[i]);
        }
        if (slt_address_is_v4(gateway.b)) {
            (void)salut_addr_parse("0.0.0.0", &everywhere);
        }
        enum salut_status status = salut_add_route(host->stack, &everywhere, 0, &gateway);
        if (status != SALUT_OK) {
            return slt_fail(host->verb, SLT_EXIT_FAILURE, "gateway %s: %s", list->items[i],
                            salut_status_text(status));
        }
    }
    return SLT_EXIT_FINE;
}

/* The algorithm for every connection, when one was named: check_words knows that it exists. */
static void set_congestion(struct slt_host *host)
{
    const char *name = host->words->congestion;
    if (name != NULL) {
        bool found = slt_cc_find(name, (uint32_t)strlen(name), &host->config.congestion);
        SLT_ASSERT(found);
    }
    if (host->words->bbr_loss > 0) {
        host->config.bbr_loss_percent = (uint8_t)host->words->bbr_loss;
    }
}

static void set_limits(struct slt_host *host)
{
    uint32_t n = (uint32_t)host->words->connections;
    struct salut_config *c = &host->config;
    c->conns_max = n;
    c->time_wait_max = slt_max32(c->time_wait_max, n);
    c->buffers_max = slt_max32(c->buffers_max, n);
    if (host->words->buffer_max > 0) {
        c->send_buffer_max_bytes = (uint32_t)host->words->buffer_max;
        c->recv_buffer_max_bytes = (uint32_t)host->words->buffer_max;
    }
    if (host->words->buffer_bytes > 0) { /* as much memory, in larger pieces */
        c->buffers_max = c->buffers_max / (host->words->buffer_bytes / c->buffer_bytes);
        c->buffer_bytes = host->words->buffer_bytes;
    }
    c->own_traffic = host->words->own_traffic;
    c->event_ring = host->words->verbose ? VERBOSE_RING : c->event_ring;
}

void slt_host_configure(struct slt_host *host)
{
    salut_config_init(&host->config, host->words->rfc ? SALUT_PROFILE_RFC : SALUT_PROFILE_LINUX);
    set_limits(host);
    set_congestion(host);
}

int slt_host_furnish(const struct slt_host *host)
{
    int result = add_addresses(host);
    return result == SLT_EXIT_FINE ? add_gateways(host) : result;
}

static int make_stack(struct slt_host *host)
{
    slt_host_configure(host);
    enum salut_status status =
        salut_runner_prepare(host->runner, slt_link_public(host->link), &host->config);
    if (status == SALUT_OK) {
        status = salut_create(&host->config, &host->stack);
    }
    if (status != SALUT_OK) {
        return slt_fail(host->verb, SLT_EXIT_FAILURE, "the stack cannot be made: %s",
                        salut_status_text(status));
    }
    slt_commenter_attach(&host->commenter, host->stack);
    return slt_host_furnish(host);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* The runner that a signal ends. */
static struct salut_runner *signalled;

static void on_signal(int number)
{
    (void)number;
    salut_runner_stop(signalled);
}

static void catch_signals(struct salut_runner *runner)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    signalled = runner;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int slt_host_check_words(const struct slt_host *host)
{
    const struct slt_host_words *w = host->words;
    int devices = (w->tap != NULL) + (w->tun != NULL) + (w->packet != NULL);
    if (devices > 1) {
        return slt_usage_error(host->verb, "choose one of --tap, --tun and --packet");
    }
    if (w->packet != NULL && w->kernel.count > 0) {
        return slt_usage_error(
            host->verb, "--kernel is for a TAP or TUN; %s keeps its own addresses", w->packet);
    }
    if (w->buffer_max < 0 || w->buffer_max > BUFFER_MAX_BYTES) {
        return slt_usage_error(host->verb, "--buffer-max is at most 1G: no TCP window is larger");
    }
    uint8_t which;
    if (w->congestion != NULL &&
        !slt_cc_find(w->congestion, (uint32_t)strlen(w->congestion), &which)) {
        return slt_usage_error(host->verb, "--congestion wants cubic, reno or bbr, not '%s'",
                               w->congestion);
    }
    return SLT_EXIT_FINE;
}

/* Being looked into is a convenience: nothing fails for want of it. */
static void offer_control(struct slt_host *host)
{
    int result = slt_control_open(host->runner, host->stack, NULL, &host->control);
    if (result < 0 && host->words->verbose) {
        (void)fprintf(stderr, "salut %s: no control socket, so salut status cannot look in: %s\n",
                      host->verb->name, strerror(-result));
    }
}

int slt_host_open(struct slt_host *host, const struct slt_cli_verb *verb,
                  const struct slt_host_words *words)
{
    *host = (struct slt_host){.verb = verb, .words = words};
    int result = slt_host_check_words(host);
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    if (salut_runner_create(&host->runner) != SALUT_OK) {
        return slt_fail(verb, SLT_EXIT_FAILURE, "no runner: out of memory or descriptors");
    }
    catch_signals(host->runner);
    result = open_link(host);
    if (result == SLT_EXIT_FINE) {
        result = make_stack(host);
    }
    if (result == SLT_EXIT_FINE && is_device(host)) {
        result = slt_host_set_up_kernel(host, host->link->name);
    }
    if (result == SLT_EXIT_FINE && !words->no_control) {
        offer_control(host);
    }
    if (result == SLT_EXIT_FINE && words->verbose) {
        slt_narrator_init(&host->narrator, host->stack, stderr);
    }
    return result;
}

int slt_host_run(struct slt_host *host,
                 void (*on_event)(void *ctx, struct salut_stack *stack,
                                  const struct salut_event *event),
                 void *ctx)
{
    struct salut_runner_stack member = {.stack = host->stack,
                                        .link = slt_link_public(host->link),
                                        .on_event = on_event,
                                        .ctx = ctx};
    return salut_runner_add_stack(host->runner, &member) == SALUT_OK
               ? SLT_EXIT_FINE
               : slt_fail(host->verb, SLT_EXIT_FAILURE, "the link cannot be watched");
}

bool slt_host_turn(struct slt_host *host, int64_t sleep_ns)
{
    bool goes_on = salut_runner_turn(host->runner, sleep_ns) == SALUT_OK;
    slt_narrator_tell(&host->narrator);
    return goes_on;
}

static bool is_quiet(const struct salut_stack *stack)
{
    struct salut_info info;
    uint64_t cursor = 0;
    while (salut_next_info(stack, &cursor, &info)) {
        if (info.object == SALUT_IS_UDP && info.send_datagrams > 0) {
            return false;
        }
        bool settled = info.object == SALUT_IS_UDP || info.object == SALUT_IS_LISTENER ||
                       info.object == SALUT_IS_TIME_WAIT || info.state == SALUT_STATE_TIME_WAIT ||
                       info.state == SALUT_STATE_FIN_WAIT_2 || info.state == SALUT_STATE_CLOSED;
        if (!settled) {
            return false;
        }
    }
    return !salut_wants_output(stack);
}

void slt_host_settle(struct slt_host *host, int64_t most_ns)
{
    int64_t end_at_ns = slt_time_add(salut_runner_now(host->runner), most_ns);
    while (salut_runner_now(host->runner) < end_at_ns && !is_quiet(host->stack)) {
        (void)slt_host_turn(host, 10 * SLT_NS_PER_MS);
    }
}

void slt_host_print_counters(const struct slt_host *hosts, size_t host_count)
{
    for (unsigned i = 1; i < salut_reason_count(); i++) {
        uint64_t count = 0;
        for (size_t k = 0; k < host_count; k++) {
            count += hosts[k].stack == NULL ? 0 : salut_counter(hosts[k].stack, i);
        }
        if (count > 0) {
            (void)fprintf(stderr, "%12llu %-28s %s\n", (unsigned long long)count,
                          salut_reason_token(i), salut_reason_sentence(i));
        }
    }
}

void slt_host_close(struct slt_host *host)
{
    char text[512];
    if (host->stack != NULL && host->words->stats) {
        slt_host_print_counters(host, 1);
    }
    if (host->impair != NULL) {
        (void)slt_impair_print(host->impair, text, sizeof(text));
        (void)fputs(text, stderr);
    }
    slt_control_close(host->control);
    salut_runner_destroy(host->runner);
    salut_destroy(host->stack);
    slt_link_close(host->link);
}
