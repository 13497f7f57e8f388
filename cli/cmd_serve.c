/* salut serve: small servers whose whole TCP/IP is salut.
 */
#include "cli/app_http.h"
#include "cli/host.h"
#include "cli/threads.h"

#include "base/time.h"

#include "salut/shard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVERS_MAX 4

static const char help[] =
    "usage: salut serve SERVICE... [options]\n"
    "\n"
    "Services, one or more:\n"
    "  --http DIR         files of a directory, on port 80; PUT and POST answer with the SHA-256\n"
    "                     of what was sent\n"
    "  --echo             sends back what it gets, on port 7\n"
    "  --sink             takes everything, on port 9\n"
    "  --source [BYTES]   sends a pattern (without end, or BYTES such as 64M), on port 19\n"
    "\n"
    "  --port N           the port, when there is one service\n"
    "  --idle-timeout T   cut clients that are silent for that long, for example 15s\n"
    "  --threads N        that many threads, each with a stack and a queue of the TAP or TUN\n"
    "                     device of its own\n"
    "\n";

struct serve {
    struct slt_host_words host_words;
    const char *http_dir;
    bool echo;
    bool sink;
    struct slt_arg_maybe source;
    int64_t port;
    int64_t idle_ns;
    int64_t threads;
    struct slt_http_options http;
    struct slt_app_source_options source_options;
    struct slt_app_server servers[SERVERS_MAX];
    size_t count;
    struct slt_app_server *of_threads; /* --threads: count servers for each */
};

static struct slt_app_server *add(struct serve *s, const struct slt_app_protocol *protocol,
                                  void *options)
{
    struct slt_app_server *server = &s->servers[s->count];
    *server = (struct slt_app_server){.protocol = protocol,
                                      .options = options,
                                      .port = s->port != 0 ? (uint16_t)s->port : protocol->port,
                                      .idle_ns = s->idle_ns};
    s->count++;
    return server;
}

static int choose_services(struct serve *s)
{
    if (s->http_dir != NULL) {
        s->http.dir_fd = open(s->http_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->http.dir_fd < 0) {
            return slt_usage_error(&slt_cli_serve, "--http %s: there is no such directory",
                                   s->http_dir);
        }
        s->http.log = s->host_words.verbose ? stderr : NULL;
        (void)add(s, &slt_app_http, &s->http);
    }
    if (s->echo) {
        (void)add(s, &slt_app_echo, NULL);
    }
    if (s->sink) {
        (void)add(s, &slt_app_sink, NULL);
    }
    if (s->source.given) {
        s->source_options.bytes = s->source.value;
        (void)add(s, &slt_app_source, &s->source_options);
    }
    if (s->count == 0) {
        return slt_usage_error(&slt_cli_serve,
                               "what is to be served? --http DIR, --echo, --sink or --source");
    }
    return s->port != 0 && s->count > 1
               ? slt_usage_error(&slt_cli_serve, "--port is for one service; %zu are given",
                                 s->count)
               : SLT_EXIT_FINE;
}

static int listen_all(struct slt_app_server *servers, size_t count, const struct slt_host *host)
{
    for (size_t i = 0; i < count; i++) {
        struct slt_app_server *server = &servers[i];
        server->stack = host->stack;
        server->runner = host->runner;
        enum salut_status status = slt_app_listen(server);
        if (status != SALUT_OK) {
            server->stack = NULL;
            return slt_fail(&slt_cli_serve, SLT_EXIT_FAILURE, "%s on port %u: %s",
                            server->protocol->name, server->port, salut_status_text(status));
        }
    }
    return SLT_EXIT_FINE;
}

static void print_addresses(const struct slt_host_words *words)
{
    if (words->addresses.count == 0) {
        (void)printf(" 10.99.0.2 fd99::2");
    }
    for (size_t i = 0; i < words->addresses.count; i++) {
        (void)printf(" %.*s", (int)strcspn(words->addresses.items[i], "/"),
                     words->addresses.items[i]);
    }
}

static void announce(const struct serve *s, const char *interface)
{
    for (size_t i = 0; i < s->count; i++) {
        (void)printf("%s on port %u of", s->servers[i].protocol->name, s->servers[i].port);
        print_addresses(&s->host_words);
        (void)printf(" (%s)\n", interface);
    }
    (void)fflush(stdout);
}

static void print_totals(const struct serve *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct slt_app_server *server = &s->servers[i];
        char in[32];
        char out[32];
        (void)printf("%s: %llu connections, %llu failed, %llu cut for silence; %s in, %s out\n",
                     server->protocol->name, (unsigned long long)server->accepted,
                     (unsigned long long)server->failed, (unsigned long long)server->cut,
                     slt_print_bytes(server->bytes_in, in, sizeof(in)),
                     slt_print_bytes(server->bytes_out, out, sizeof(out)));
    }
}

static int serve(struct serve *s)
{
    struct slt_host host;
    int result = slt_host_open(&host, &slt_cli_serve, &s->host_words);
    if (result == SLT_EXIT_FINE) {
        result = listen_all(s->servers, s->count, &host);
    }
    if (result == SLT_EXIT_FINE) {
        result = slt_host_run(&host, slt_app_on_event, NULL);
    }
    if (result == SLT_EXIT_FINE) {
        announce(s, host.link->name);
        while (slt_host_turn(&host, -1)) {
        }
        for (size_t i = 0; i < s->count; i++) {
            slt_app_stop(&s->servers[i]);
        }
        slt_host_settle(&host, SLT_NS_PER_S);
        print_totals(s);
    }
    slt_host_close(&host);
    return result;
}

/* ---- on several threads --------------------------------------------------------------------- */

static struct slt_app_server *servers_of(struct serve *s, uint32_t thread)
{
    return &s->of_threads[thread * s->count];
}

static int start_thread(void *ctx, const struct slt_host *host, uint32_t index)
{
    struct serve *s = ctx;
    memcpy(servers_of(s, index), s->servers, s->count * sizeof(s->servers[0]));
    return listen_all(servers_of(s, index), s->count, host);
}

static void announce_threads(void *ctx, const char *interface)
{
    announce(ctx, interface);
}

static void stop_thread(void *ctx, uint32_t index)
{
    struct serve *s = ctx;
    for (size_t i = 0; i < s->count; i++) {
        slt_app_stop(&servers_of(s, index)[i]);
    }
}

static void add_up(struct slt_app_server *sum, const struct slt_app_server *part)
{
    sum->accepted += part->accepted;
    sum->failed += part->failed;
    sum->cut += part->cut;
    sum->bytes_in += part->bytes_in;
    sum->bytes_out += part->bytes_out;
}

static int serve_on_threads(struct serve *s)
{
    uint32_t count = (uint32_t)s->threads;
    struct slt_threads threads = {.verb = &slt_cli_serve,
                                  .words = &s->host_words,
                                  .count = count,
                                  .start = start_thread,
                                  .ready = announce_threads,
                                  .stop = stop_thread,
                                  .on_event = slt_app_on_event,
                                  .ctx = s};
    s->of_threads = calloc(count * s->count, sizeof(*s->of_threads));
    if (s->of_threads == NULL) {
        return slt_fail(&slt_cli_serve, SLT_EXIT_FAILURE, "memory is short");
    }
    int result = slt_threads_run(&threads);
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < s->count; k++) {
            add_up(&s->servers[k], &servers_of(s, i)[k]);
        }
    }
    if (result == SLT_EXIT_FINE) {
        print_totals(s);
    }
    free(s->of_threads);
    return result;
}

static int run(int argc, char **argv)
{
    static struct serve s;
    struct slt_arg host_options[SLT_HOST_OPTIONS];
    slt_host_options(&s.host_words, host_options);
    const struct slt_arg options[] = {
        {"--http", SLT_ARG_TEXT, &s.http_dir, 0, 0},
        {"--echo", SLT_ARG_FLAG, &s.echo, 0, 0},
        {"--sink", SLT_ARG_FLAG, &s.sink, 0, 0},
        {"--source", SLT_ARG_MAYBE, &s.source, 0, 0},
        {"--port", SLT_ARG_NUMBER, &s.port, 1, 65535},
        {"--idle-timeout", SLT_ARG_TIME, &s.idle_ns, 0, 0},
        {"--threads", SLT_ARG_NUMBER, &s.threads, 1, SALUT_SHARDS_MAX},
    };
    struct slt_args args = {.verb = &slt_cli_serve,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .more = host_options,
                            .more_count = SLT_HOST_OPTIONS};
    s.http.dir_fd = -1;
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    result = choose_services(&s);
    if (result == SLT_EXIT_FINE) {
        result = s.threads > 1 ? serve_on_threads(&s) : serve(&s);
    }
    if (s.http.dir_fd >= 0) {
        (void)close(s.http.dir_fd);
    }
    return result;
}

const struct slt_cli_verb slt_cli_serve = {
    .name = "serve",
    .summary = "small servers (http, echo, sink, source) on salut",
    .help = help,
    .more_help = slt_host_help,
    .run = run,
};
