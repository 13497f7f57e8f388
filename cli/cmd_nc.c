/* salut nc: telnet's part. Standard input goes to a connection, the connection to standard output.
 *
 * At the end of the input the sending side is closed (FIN), and the program goes on until the peer
 * has closed as well; when the peer closes first, it ends like telnet. Input waits while the
 * connection takes no more, the connection waits while the output takes no more: nothing is held
 * but what the stack holds.
 */
#include "cli/nc_udp.h"

#include "base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHUNK 16384U

static const char help[] =
    "usage: salut nc [options] ADDRESS PORT     connect\n"
    "       salut nc [options] -l PORT          wait for one connection\n"
    "\n"
    "  -l                 listen\n"
    "  -u                 datagrams (UDP): every read of the input is one; the peer of\n"
    "                     a listener is who sends first\n"
    "  --datagram BYTES   cut the input into datagrams of at most so many (1200)\n"
    "  --timeout T        give up an attempt to connect after that long; with -u,\n"
    "                     end when the input has ended and nothing came for that\n"
    "                     long (1s, of a listener never)\n"
    "\n";

struct nc {
    struct slt_host_words host_words;
    bool listens;
    bool datagrams;
    int64_t timeout_ns;
    int64_t datagram_bytes;
    salut_addr remote;
    uint16_t port;
    struct slt_host host;
    salut_listener listener;
    salut_conn conn;
    bool has_conn;
    bool peer_closed;
    bool over;
    bool input_ended;
    bool input_watched;  /* standard input can be watched; a plain file cannot and needs not */
    bool output_blocked; /* standard output takes no more at the moment */
    uint8_t held[CHUNK]; /* input the connection has not taken yet */
    size_t held_bytes;
    size_t held_sent;
    int result;
};

static void end(struct nc *nc, int result)
{
    nc->over = true;
    nc->result = result;
}

static void end_of_conn(struct nc *nc)
{
    struct salut_info info = {.status = SALUT_STALE};
    (void)salut_get_info(nc->host.stack, nc->conn, &info);
    if (info.status != SALUT_OK) {
        end(nc, slt_fail(&slt_cli_nc, SLT_EXIT_FAILURE, "%s",
                         salut_status_text((enum salut_status)info.status)));
    } else {
        end(nc, SLT_EXIT_FINE);
    }
}

/* Once the peer has closed there is nothing more to wait for, except that a file is sent whole. */
static void end_if_done(struct nc *nc)
{
    bool idle = nc->input_watched && nc->held_bytes == 0;
    if (nc->peer_closed && !nc->over && (nc->input_ended || idle)) {
        end_of_conn(nc);
    }
}

static void set_interest(const struct nc *nc)
{
    uint32_t interest = SALUT_ENDED | (nc->peer_closed ? 0 : SALUT_READABLE);
    interest |= nc->held_bytes > 0 ? SALUT_WRITABLE : 0;
    (void)salut_set_interest(nc->host.stack, nc->conn, interest);
}

/* ---- input ---------------------------------------------------------------------------------- */

static void on_input(void *ctx, int fd, uint32_t events);

static void watch_input(struct nc *nc, bool wanted)
{
    struct salut_runner_fd watch = {
        .fd = STDIN_FILENO, .events = wanted ? EPOLLIN : 0, .on_ready = on_input, .ctx = nc};
    if (nc->input_ended || !wanted) {
        /* A hung-up descriptor would be reported for ever. */
        (void)salut_runner_remove_fd(nc->host.runner, STDIN_FILENO);
    } else {
        nc->input_watched = salut_runner_set_fd(nc->host.runner, &watch) == SALUT_OK;
    }
}

/* Hand over what is held. True when all of it went. */
static bool flush_input(struct nc *nc)
{
    while (nc->held_sent < nc->held_bytes) {
        size_t sent = 0;
        enum salut_status status = salut_send(nc->host.stack, nc->conn, &nc->held[nc->held_sent],
                                              nc->held_bytes - nc->held_sent, 0, &sent);
        nc->held_sent += sent;
        if (status == SALUT_WOULD_BLOCK || status == SALUT_NO_MEMORY) {
            return false;
        }
        if (status != SALUT_OK) {
            nc->held_sent = nc->held_bytes; /* reading will say why */
        }
    }
    nc->held_bytes = 0;
    nc->held_sent = 0;
    return true;
}

static void read_input(struct nc *nc)
{
    while (!nc->input_ended && flush_input(nc)) {
        ssize_t got = read(STDIN_FILENO, nc->held, sizeof(nc->held));
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (got <= 0) {
            nc->input_ended = true;
            (void)salut_shutdown(nc->host.stack, nc->conn, SALUT_SHUT_WRITE);
            break;
        }
        nc->held_bytes = (size_t)got;
        if (nc->input_watched) {
            (void)flush_input(nc);
            break; /* another read could block */
        }
    }
    watch_input(nc, nc->held_bytes == 0);
    set_interest(nc);
    end_if_done(nc);
}

static void on_input(void *ctx, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    read_input(ctx);
}

/* ---- output --------------------------------------------------------------------------------- */

static void write_output(struct nc *nc);

static void on_output(void *ctx, int fd, uint32_t events)
{
    struct nc *nc = ctx;
    (void)events;
    (void)salut_runner_remove_fd(nc->host.runner, fd);
    nc->output_blocked = false;
    write_output(nc);
}

static void wait_for_output(struct nc *nc)
{
    struct salut_runner_fd watch = {
        .fd = STDOUT_FILENO, .events = EPOLLOUT, .on_ready = on_output, .ctx = nc};
    nc->output_blocked = salut_runner_set_fd(nc->host.runner, &watch) == SALUT_OK;
}

/* One piece at a time, each as long as the output takes it. */
static void write_output(struct nc *nc)
{
    while (!nc->output_blocked && !nc->over) {
        struct salut_iovec piece;
        size_t count = 0;
        size_t bytes = 0;
        enum salut_status status = salut_peek(nc->host.stack, nc->conn, &piece, 1, &count, &bytes);
        if (status == SALUT_END) {
            nc->peer_closed = true;
            set_interest(nc);
            end_if_done(nc);
            return;
        }
        if (status == SALUT_WOULD_BLOCK || status == SALUT_IN_PROGRESS || bytes == 0) {
            return;
        }
        if (status != SALUT_OK) {
            end_of_conn(nc);
            return;
        }
        ssize_t put = write(STDOUT_FILENO, piece.base, piece.bytes);
        if (put < 0 && errno == EAGAIN) {
            wait_for_output(nc);
        } else if (put < 0 && errno != EINTR) {
            end(nc,
                slt_fail(&slt_cli_nc, SLT_EXIT_FAILURE, "standard output: %s", strerror(errno)));
        } else if (put > 0) {
            (void)salut_consume(nc->host.stack, nc->conn, (size_t)put);
        }
    }
}

/* ---- the connection ------------------------------------------------------------------------- */

static void begin(struct nc *nc)
{
    set_interest(nc);
    watch_input(nc, true);
    if (!nc->input_watched) {
        read_input(nc); /* a plain file */
    }
}

static void on_conn(struct nc *nc, uint32_t ready)
{
    if (!nc->has_conn) {
        nc->has_conn = (ready & SALUT_CONNECTED) != 0;
        if (nc->has_conn) {
            begin(nc);
        }
    }
    if (nc->has_conn && (nc->held_bytes > 0 || !nc->input_watched)) {
        read_input(nc);
    }
    if ((ready & (SALUT_READABLE | SALUT_ENDED)) != 0) {
        write_output(nc);
    }
    if ((ready & SALUT_ENDED) != 0 && !nc->output_blocked && !nc->over) {
        end_of_conn(nc);
    }
}

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    struct nc *nc = ctx;
    if (event->conn.index != SALUT_NO_INDEX) {
        on_conn(nc, event->ready);
    } else if (salut_accept(stack, nc->listener, 0, &nc->conn) == SALUT_OK) {
        (void)salut_close_listener(stack, nc->listener);
        nc->has_conn = true;
        begin(nc);
    }
}

static int start(struct nc *nc)
{
    enum salut_status status;
    if (nc->listens) {
        struct salut_listen_params params = {.port = nc->port, .backlog = 1};
        status = salut_listen(nc->host.stack, &params, &nc->listener);
    } else {
        struct salut_connect_params params = {.remote = nc->remote, .remote_port = nc->port};
        status = salut_connect(nc->host.stack, &params, &nc->conn);
    }
    return status == SALUT_OK
               ? SLT_EXIT_FINE
               : slt_fail(&slt_cli_nc, SLT_EXIT_FAILURE, "%s", salut_status_text(status));
}

static void on_timeout(void *ctx, int64_t now_ns)
{
    struct nc *nc = ctx;
    (void)now_ns;
    if (!nc->has_conn) {
        (void)salut_abort(nc->host.stack, nc->conn);
        end(nc, slt_fail(&slt_cli_nc, SLT_EXIT_FAILURE, "no answer within --timeout"));
    }
}

static int talk(struct nc *nc)
{
    struct salut_runner_timer timer = {.on_due = on_timeout, .ctx = nc};
    int result = slt_host_open(&nc->host, &slt_cli_nc, &nc->host_words);
    if (result == SLT_EXIT_FINE) {
        result = start(nc);
    }
    if (result == SLT_EXIT_FINE) {
        result = slt_host_run(&nc->host, on_event, nc);
    }
    if (result == SLT_EXIT_FINE) {
        if (nc->timeout_ns != 0 && !nc->listens) {
            salut_runner_set_timer(nc->host.runner, &timer,
                                   salut_runner_now(nc->host.runner) + nc->timeout_ns);
        }
        while (!nc->over && slt_host_turn(&nc->host, -1)) {
        }
        result = nc->result;
        if (nc->has_conn) {
            (void)salut_close(nc->host.stack, nc->conn);
        }
        slt_host_settle(&nc->host, 2 * SLT_NS_PER_S);
    }
    slt_host_close(&nc->host);
    return result;
}

static int talk_datagrams(const struct nc *nc)
{
    const struct slt_nc_udp_words words = {.host = &nc->host_words,
                                           .listens = nc->listens,
                                           .timeout_ns = nc->timeout_ns,
                                           .bytes = nc->datagram_bytes,
                                           .remote = nc->remote,
                                           .port = nc->port};
    return slt_nc_udp(&slt_cli_nc, &words);
}

static int take_words(struct nc *nc, const struct slt_args *args)
{
    size_t wanted = nc->listens ? 1 : 2;
    if (args->word_count != wanted) {
        return slt_usage_error(&slt_cli_nc, nc->listens ? "-l wants a PORT"
                                                        : "an ADDRESS and a PORT are wanted");
    }
    const char *port = args->words[wanted - 1];
    char *rest = NULL;
    long number = strtol(port, &rest, 10);
    if (rest == port || *rest != '\0' || number < 1 || number > 65535) {
        return slt_usage_error(&slt_cli_nc, "a port is a number from 1 to 65535, not '%s'", port);
    }
    nc->port = (uint16_t)number;
    if (!nc->listens && salut_addr_parse(args->words[0], &nc->remote) != SALUT_OK) {
        return slt_usage_error(&slt_cli_nc, "'%s' is no IP address; names are not looked up here",
                               args->words[0]);
    }
    return SLT_EXIT_FINE;
}

static int run(int argc, char **argv)
{
    static struct nc nc;
    const char *words[2] = {NULL, NULL};
    struct slt_arg host_options[SLT_HOST_OPTIONS];
    slt_host_options(&nc.host_words, host_options);
    const struct slt_arg options[] = {
        {"-l", SLT_ARG_FLAG, &nc.listens, 0, 0},
        {"-u", SLT_ARG_FLAG, &nc.datagrams, 0, 0},
        {"--datagram", SLT_ARG_NUMBER, &nc.datagram_bytes, 1, SLT_NC_DATAGRAM_MAX},
        {"--timeout", SLT_ARG_TIME, &nc.timeout_ns, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_nc,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .more = host_options,
                            .more_count = SLT_HOST_OPTIONS,
                            .words = words,
                            .words_max = 2};
    int result = slt_args_parse(&args, argc, argv);
    if (result == SLT_EXIT_FINE) {
        result = take_words(&nc, &args);
        if (result != SLT_EXIT_FINE) {
            return result;
        }
        return nc.datagrams ? talk_datagrams(&nc) : talk(&nc);
    }
    return result < 0 ? SLT_EXIT_FINE : result;
}

const struct slt_cli_verb slt_cli_nc = {
    .name = "nc",
    .summary = "connect or listen: standard input and output over salut",
    .help = help,
    .more_help = slt_host_help,
    .run = run,
};
