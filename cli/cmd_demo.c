/* salut demo: the show. A server whose whole TCP/IP is salut, the kernel's curl as its client over
 * IPv4 and IPv6, a connection the other way, and the ladder of one of them. It needs no root: all
 * of it happens in a network namespace of its own.
 */
#include "cli/demo.h"

#include "base/time.h"
#include "link/netns_linux.h"
#include "sock/link_open.h"
#include "sock/runner_clock.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define STEP_NS    (8 * SLT_NS_PER_S)
#define MSL_NS     (250 * SLT_NS_PER_MS)
#define STEPS_MAX  400U
#define EVENT_RING 16384U

static const char help[] =
    "usage: salut demo [options]\n"
    "\n"
    "  --large BYTES      the size of the large file (default: 64M)\n"
    "  --device D         tap, veth or memory, instead of the best there is\n"
    "  --capture FILE     write every frame to a pcapng file, with the changes of state it "
    "caused\n";

static const char page[] =
    "<!doctype html>\n<title>salut</title>\n"
    "<h1>salut</h1>\n"
    "<p>TCP says hello in three segments and goodbye in four. Every one that brought this page\n"
    "was made by a TCP that runs in an ordinary program.</p>\n";

static const char words[] = "Salut, kernel.\n";

/* ---- the server ----------------------------------------------------------------------------- */

static bool find_page(void *ctx, const char *path, struct slt_http_body *body)
{
    const struct slt_demo *demo = ctx;
    if (strcmp(path, "") == 0) {
        /* The server closes first: the reader is to see FIN-WAIT-1, FIN-WAIT-2 and TIME-WAIT. */
        *body = (struct slt_http_body){.kind = SLT_HTTP_TEXT,
                                       .type = "text/html; charset=utf-8",
                                       .text = page,
                                       .bytes = sizeof(page) - 1,
                                       .last = true};
        return true;
    }
    if (strcmp(path, "large") == 0) {
        *body = (struct slt_http_body){.kind = SLT_HTTP_PATTERN,
                                       .type = "application/octet-stream",
                                       .bytes = demo->large_bytes};
        return true;
    }
    return false;
}

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    if (!slt_app_client_event(event)) {
        slt_app_on_event(ctx, stack, event);
    }
}

/* What both files hash to. */
static void hash_files(struct slt_demo *demo)
{
    static uint8_t chunk[65536];
    struct slt_sha256 sha;
    slt_sha256_init(&sha);
    slt_sha256_add(&sha, page, sizeof(page) - 1);
    slt_sha256_hex(&sha, demo->page_sha);
    slt_sha256_init(&sha);
    for (uint64_t at = 0; at < demo->large_bytes; at += sizeof(chunk)) {
        uint64_t left = demo->large_bytes - at;
        size_t bytes = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
        slt_app_pattern(at, chunk, bytes);
        slt_sha256_add(&sha, chunk, bytes);
    }
    slt_sha256_hex(&sha, demo->large_sha);
}

/* ---- stacks --------------------------------------------------------------------------------- */

static bool add_addresses(struct salut_stack *stack, const char *v4, const char *v6)
{
    salut_addr addr4;
    salut_addr addr6;
    return salut_addr_parse(v4, &addr4) == SALUT_OK && salut_addr_parse(v6, &addr6) == SALUT_OK &&
           salut_add_address(stack, &addr4, 24) == SALUT_OK &&
           salut_add_address(stack, &addr6, 64) == SALUT_OK;
}

static bool make_stack(struct slt_demo *demo, struct slt_link *link, struct salut_stack **stack)
{
    struct salut_config config;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    config.msl_ns = MSL_NS;
    config.event_ring = EVENT_RING;
    if (salut_runner_prepare(demo->runner, slt_link_public(link), &config) != SALUT_OK ||
        salut_create(&config, stack) != SALUT_OK) {
        return false;
    }
    struct salut_runner_stack member = {
        .stack = *stack, .link = slt_link_public(link), .on_event = on_event};
    return salut_runner_add_stack(demo->runner, &member) == SALUT_OK;
}

static bool make_stacks(struct slt_demo *demo)
{
    if (!make_stack(demo, demo->link, &demo->stack) ||
        !add_addresses(demo->stack, slt_demo_ours4, slt_demo_ours6)) {
        return false;
    }
    slt_story_attach(demo->story, demo->stack);
    slt_commenter_attach(&demo->commenter, demo->stack);
    if (demo->device != SLT_DEMO_MEMORY) {
        return true;
    }
    return make_stack(demo, demo->peer_link, &demo->peer_stack) &&
           add_addresses(demo->peer_stack, slt_demo_peer4, slt_demo_peer6);
}

static bool start_servers(struct slt_demo *demo)
{
    demo->http_options = (struct slt_http_options){.dir_fd = -1, .find = find_page, .ctx = demo};
    demo->http = (struct slt_app_server){.protocol = &slt_app_http,
                                         .options = &demo->http_options,
                                         .stack = demo->stack,
                                         .runner = demo->runner,
                                         .port = 80};
    if (slt_app_listen(&demo->http) != SALUT_OK) {
        return false;
    }
    if (demo->device != SLT_DEMO_MEMORY) {
        return true;
    }
    demo->peer_echo = (struct slt_app_server){.protocol = &slt_app_echo,
                                              .stack = demo->peer_stack,
                                              .runner = demo->runner,
                                              .port = SLT_DEMO_PORT};
    return slt_app_listen(&demo->peer_echo) == SALUT_OK;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* What one fetch came to. */
struct fetched {
    bool fine;
    uint64_t bytes;
    int64_t took_ns;
    char sha[SLT_SHA256_HEX];
    char trouble[160];
};

static bool fetch_by_curl(struct slt_demo *demo, const char *url, struct fetched *out)
{
    struct slt_demo_curl curl = {.runner = demo->runner};
    int64_t end_at_ns = slt_runner_clock() + STEP_NS;
    if (!slt_demo_curl_start(&curl, url)) {
        (void)snprintf(out->trouble, sizeof(out->trouble), "curl cannot be started");
        return false;
    }
    while (curl.fd >= 0 && salut_runner_now(demo->runner) < end_at_ns) {
        (void)salut_runner_turn(demo->runner, 50 * SLT_NS_PER_MS);
    }
    if (curl.fd >= 0) {
        slt_demo_curl_kill(&curl);
        (void)snprintf(out->trouble, sizeof(out->trouble), "curl took too long");
        return false;
    }
    int status = slt_demo_curl_status(&curl);
    out->bytes = curl.bytes;
    slt_sha256_hex(&curl.sha, out->sha);
    if (status != 0) {
        (void)snprintf(out->trouble, sizeof(out->trouble), "curl ended with status %d", status);
    }
    return status == 0;
}

static bool run_client(struct slt_demo *demo, struct slt_app_client *client, const char *address,
                       uint16_t port)
{
    salut_addr remote;
    int64_t end_at_ns = slt_runner_clock() + STEP_NS;
    if (salut_addr_parse(address, &remote) != SALUT_OK) {
        return false;
    }
    client->status = slt_app_client_start(client, &remote, port);
    if (client->status != SALUT_OK) {
        return false;
    }
    client->status = SALUT_TIMED_OUT;
    while (!client->over && salut_runner_now(demo->runner) < end_at_ns) {
        (void)salut_runner_turn(demo->runner, 50 * SLT_NS_PER_MS);
    }
    return client->over && client->status == SALUT_OK;
}

static bool fetch_by_stack(struct slt_demo *demo, const char *address, const char *path,
                           struct fetched *out)
{
    char request[128];
    int n = snprintf(request, sizeof(request),
                     "GET /%s HTTP/1.1\r\nHost: salut\r\nConnection: close\r\n\r\n", path);
    struct slt_app_client client = {
        .stack = demo->peer_stack, .request = request, .request_bytes = (size_t)n, .http = true};
    bool fine = run_client(demo, &client, address, 80);
    out->bytes = client.bytes;
    slt_sha256_hex(&client.sha, out->sha);
    if (!fine) {
        (void)snprintf(out->trouble, sizeof(out->trouble), "%s", salut_status_text(client.status));
    }
    return fine;
}

struct step {
    const char *path;
    const char *name; /* for people */
    uint8_t family;
};

static void fetch(struct slt_demo *demo, const struct step *step, struct fetched *out)
{
    char url[96];
    const char *address = step->family == 4 ? slt_demo_ours4 : slt_demo_ours6;
    const char *expected = step->path[0] == '\0' ? demo->page_sha : demo->large_sha;
    *out = (struct fetched){.fine = false};
    int64_t from_ns = slt_runner_clock();
    (void)snprintf(url, sizeof(url), step->family == 4 ? "http://%s/%s" : "http://[%s]/%s", address,
                   step->path);
    out->fine = demo->device == SLT_DEMO_MEMORY ? fetch_by_stack(demo, address, step->path, out)
                                                : fetch_by_curl(demo, url, out);
    out->took_ns = slt_runner_clock() - from_ns;
    if (out->fine && strcmp(out->sha, expected) != 0) {
        out->fine = false;
        (void)snprintf(out->trouble, sizeof(out->trouble), "sha256 differs: %.16s..., not %.16s...",
                       out->sha, expected);
    }
}

static void print_line(const struct slt_demo *demo, bool fine, const char *what,
                       const char *outcome)
{
    const char *mark = fine ? (demo->term.utf8 ? "✓" : "ok") : (demo->term.utf8 ? "✗" : "!!");
    const char *paint = !demo->term.colour ? "" : fine ? "\033[32m" : "\033[31m";
    (void)printf("  %s%s%s %-48s %s\n", paint, mark, demo->term.colour ? "\033[0m" : "", what,
                 outcome);
}

static bool show_fetch(struct slt_demo *demo, const struct step *step)
{
    struct fetched got;
    char what[80];
    char bytes[32];
    char rate[32];
    char outcome[200];
    fetch(demo, step, &got);
    (void)snprintf(what, sizeof(what), "%s fetches %s over IPv%u",
                   demo->device == SLT_DEMO_MEMORY ? "the other stack" : "the kernel's curl",
                   step->name, step->family);
    if (got.fine) {
        (void)snprintf(outcome, sizeof(outcome), "%s in %.1f ms, %s, sha256 as sent",
                       slt_print_bytes(got.bytes, bytes, sizeof(bytes)), (double)got.took_ns / 1e6,
                       slt_print_rate(got.bytes, got.took_ns, rate, sizeof(rate)));
    } else {
        (void)snprintf(outcome, sizeof(outcome), "%s", got.trouble);
    }
    print_line(demo, got.fine, what, outcome);
    return got.fine;
}

/* The other way: salut opens a connection to a server. */
static bool show_client(struct slt_demo *demo)
{
    bool memory = demo->device == SLT_DEMO_MEMORY;
    struct slt_app_client client = {.stack = demo->stack,
                                    .request = words,
                                    .request_bytes = sizeof(words) - 1,
                                    .half_close = true};
    pid_t server = memory ? -1 : slt_demo_kernel_server(slt_demo_peer4, SLT_DEMO_PORT);
    bool fine = (memory || server > 0) && run_client(demo, &client, slt_demo_peer4, SLT_DEMO_PORT);
    fine = fine && strstr(client.text, words) != NULL;
    if (server > 0) {
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
    }
    char outcome[120];
    (void)snprintf(outcome, sizeof(outcome), "%s",
                   fine ? "it answered, and sent back what it got"
                        : salut_status_text(client.status));
    print_line(demo, fine,
               memory ? "salut opens a connection to the other stack"
                      : "salut opens a connection to a kernel server",
               outcome);
    return fine;
}

/* Wait for the end of TIME-WAIT, so that the ladder is whole. */
static void await_story(struct slt_demo *demo)
{
    int64_t end_at_ns = slt_runner_clock() + 2 * MSL_NS + SLT_NS_PER_S;
    do {
        slt_story_finish(demo->story);
        if (slt_story_is_over(demo->story, true)) {
            return;
        }
        (void)salut_runner_turn(demo->runner, 20 * SLT_NS_PER_MS);
    } while (salut_runner_now(demo->runner) < end_at_ns);
}

static bool show_steps(struct slt_demo *demo)
{
    static const struct step steps[] = {
        {"", "a page", 4}, {"large", "a large file", 4}, {"large", "a large file", 6}};
    bool fine = true;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(steps); i++) {
        fine = show_fetch(demo, &steps[i]) && fine;
    }
    return show_client(demo) && fine;
}

static void show_ladder(const struct slt_demo *demo)
{
    struct slt_story_look look = {.ours = "salut",
                                  .theirs = demo->device == SLT_DEMO_MEMORY ? "the other stack"
                                                                            : "Linux kernel",
                                  .width = demo->term.width,
                                  .utf8 = demo->term.utf8,
                                  .colour = demo->term.colour};
    (void)printf("\nThe first of these connections, segment by segment. salut's states and reasons "
                 "are its own\nrecord, those of its peer are read off the segments. (2 MSL is "
                 "%.1f s here, 60 s by default.)\n\n",
                 2 * (double)MSL_NS / 1e9);
    slt_story_print(demo->story, &look, stdout);
}

/* ---- the show ------------------------------------------------------------------------------- */

static void close_all(struct slt_demo *demo)
{
    salut_runner_destroy(demo->runner);
    salut_destroy(demo->stack);
    salut_destroy(demo->peer_stack);
    slt_link_close(demo->link);
    slt_link_close(demo->peer_link);
    slt_story_destroy(demo->story);
}

/* A second tee around the link. */
static bool add_capture(struct slt_demo *demo)
{
    struct slt_link_error error;
    struct slt_capture_params params = {
        .kind = SALUT_LINK_ETHERNET, .comment_of = slt_comment_of, .comment_ctx = &demo->commenter};
    struct slt_tee_sink *sink = slt_link_open_capture(demo->capture, &params, &error);
    if (sink == NULL) {
        (void)slt_fail(&slt_cli_demo, SLT_EXIT_FAILURE, "%s: %s", demo->capture, error.sentence);
        return false;
    }
    return slt_tee_open(demo->link, sink, &demo->link) == SALUT_OK;
}

static int perform(struct slt_demo *demo)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (demo->capture != NULL && !add_capture(demo)) {
        return SLT_EXIT_FAILURE;
    }
    hash_files(demo);
    if (!make_stacks(demo) || !start_servers(demo)) {
        return slt_fail(&slt_cli_demo, SLT_EXIT_FAILURE, "the stack cannot be set up");
    }
    (void)printf("salut is %s and %s, the peer is %s and %s\n\n", slt_demo_ours4, slt_demo_ours6,
                 slt_demo_peer4, slt_demo_peer6);
    bool fine = show_steps(demo);
    await_story(demo);
    show_ladder(demo);
    slt_app_stop(&demo->http);
    slt_app_stop(&demo->peer_echo);
    return fine ? SLT_EXIT_FINE : SLT_EXIT_FAILURE;
}

static bool make_parts(struct slt_demo *demo)
{
    struct slt_story_filter filter = {.port = 80, .family = 4, .kind = SALUT_LINK_ETHERNET};
    demo->story = slt_story_create(&filter, STEPS_MAX);
    return demo->story != NULL && salut_runner_create(&demo->runner) == SALUT_OK;
}

/* The show in memory, after the device was not to be had. */
static int perform_in_memory(struct slt_demo *demo)
{
    int result = SLT_EXIT_FAILURE;
    if (make_parts(demo) && slt_demo_open_memory(demo)) {
        result = perform(demo);
    }
    close_all(demo);
    return result;
}

/* In the child that has entered the private network. */
static int perform_in_private(void *ctx)
{
    struct slt_demo *demo = ctx;
    int result = SLT_EXIT_FAILURE;
    if (!make_parts(demo)) {
        return slt_fail(&slt_cli_demo, SLT_EXIT_FAILURE, "out of memory");
    }
    if (slt_demo_open_device(demo)) {
        result = perform(demo);
    } else if (demo->wanted != SLT_DEMO_ANY) {
        result = SLT_EXIT_MISSING;
    } else if (slt_demo_open_memory(demo)) {
        result = perform(demo);
    }
    close_all(demo);
    (void)fflush(stdout);
    return result;
}

static int show(struct slt_demo *demo)
{
    struct slt_link_error error;
    int result = SLT_EXIT_FAILURE;
    if (demo->wanted == SLT_DEMO_MEMORY) {
        return perform_in_memory(demo);
    }
    if (!slt_demo_has_curl()) {
        return slt_fail(&slt_cli_demo, SLT_EXIT_MISSING,
                        "curl is missing; install it with: apt-get install curl\n"
                        "Without it: salut demo --device memory");
    }
    (void)fflush(stdout);
    if (slt_netns_run(perform_in_private, demo, &result, &error) == SLT_LINK_FINE) {
        return result > 255 ? SLT_EXIT_FAILURE : result;
    }
    if (demo->wanted != SLT_DEMO_ANY) {
        return slt_fail(&slt_cli_demo, SLT_EXIT_MISSING, "%s%s%s", error.sentence,
                        error.remedy[0] != '\0' ? "\n" : "", error.remedy);
    }
    (void)printf("no private network: %s\n", error.sentence);
    return perform_in_memory(demo);
}

static int choose_device(struct slt_demo *demo, const char *name)
{
    static const char *const names[] = {
        [SLT_DEMO_TAP] = "tap", [SLT_DEMO_VETH] = "veth", [SLT_DEMO_MEMORY] = "memory"};
    for (size_t i = SLT_DEMO_TAP; name != NULL && i < SLT_ARRAY_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            demo->wanted = (enum slt_demo_device)i;
            return SLT_EXIT_FINE;
        }
    }
    return name == NULL
               ? SLT_EXIT_FINE
               : slt_usage_error(&slt_cli_demo, "--device is tap, veth or memory, not '%s'", name);
}

static int run(int argc, char **argv)
{
    static struct slt_demo demo;
    const char *device = NULL;
    int64_t large = 64 << 20;
    const struct slt_arg options[] = {
        {"--large", SLT_ARG_BYTES, &large, 0, 0},
        {"--device", SLT_ARG_TEXT, &device, 0, 0},
        {"--capture", SLT_ARG_TEXT, &demo.capture, 0, 0},
    };
    struct slt_args args = {
        .verb = &slt_cli_demo, .options = options, .option_count = SLT_ARRAY_COUNT(options)};
    int result = slt_args_parse(&args, argc, argv);
    if (result == SLT_EXIT_FINE) {
        result = choose_device(&demo, device);
    }
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    demo.large_bytes = (uint64_t)large;
    demo.term = slt_term_look(stdout);
    return show(&demo);
}

const struct slt_cli_verb slt_cli_demo = {
    .name = "demo",
    .summary = "serve with salut, fetch with the kernel's curl, show every state",
    .help = help,
    .run = run,
};
