/* salut nc -u: standard input goes out as datagrams, those that come go to standard output.
 *
 * Every read of the input is one datagram, cut at 1,200 bytes unless --datagram says otherwise: a
 * line typed is a line sent, and every path takes it whole (RFC 8085 3.2). A listener's peer is
 * whoever sends first. Datagrams have no end, so the program ends when the input has ended and
 * nothing has come for a second, or for --timeout; a listener without it only when interrupted.
 * While the output takes no more, datagrams wait in the socket's queue, and those that do not fit
 * there are lost.
 */
#include "cli/nc_udp.h"

#include "base/time.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHUNK    1200
#define QUIET_NS SLT_NS_PER_S

struct nc_udp {
    const struct slt_cli_verb *verb;
    const struct slt_nc_udp_words *words;
    struct slt_host host;
    struct salut_runner_timer quiet; /* fires when nothing has come for long enough */
    salut_udp udp;
    bool has_peer;
    bool over;
    bool input_ended;
    bool input_watched;
    bool output_blocked;
    uint8_t held[SLT_NC_DATAGRAM_MAX]; /* input that the socket has not taken yet */
    size_t held_bytes;
    size_t chunk;
    size_t shown; /* bytes of the first datagram that the output has taken */
    int result;
};

static void end(struct nc_udp *nc, int result)
{
    nc->over = true;
    nc->result = result;
}

static void fail(struct nc_udp *nc, enum salut_status status)
{
    end(nc, slt_fail(nc->verb, SLT_EXIT_FAILURE, "%s", salut_status_text(status)));
}

static void on_quiet(void *ctx, int64_t now_ns)
{
    (void)now_ns;
    end(ctx, SLT_EXIT_FINE);
}

/* Something came, or the input ended: from now on it is quiet. */
static void set_quiet(struct nc_udp *nc)
{
    int64_t for_ns = nc->words->timeout_ns;
    if (!nc->input_ended || !nc->has_peer || (for_ns == 0 && nc->words->listens)) {
        return;
    }
    for_ns = for_ns == 0 ? QUIET_NS : for_ns;
    salut_runner_set_timer(nc->host.runner, &nc->quiet, salut_runner_now(nc->host.runner) + for_ns);
}

static void set_interest(const struct nc_udp *nc)
{
    uint32_t interest = nc->output_blocked ? 0U : SALUT_READABLE;
    interest |= nc->held_bytes > 0 ? SALUT_WRITABLE : 0U;
    (void)salut_udp_set_interest(nc->host.stack, nc->udp, interest);
}

/* ---- input ---------------------------------------------------------------------------------- */

static void on_input(void *ctx, int fd, uint32_t events);

static void watch_input(struct nc_udp *nc, bool wanted)
{
    struct salut_runner_fd watch = {
        .fd = STDIN_FILENO, .events = EPOLLIN, .on_ready = on_input, .ctx = nc};
    if (nc->input_ended || !wanted) {
        (void)salut_runner_remove_fd(nc->host.runner, STDIN_FILENO);
    } else {
        nc->input_watched = salut_runner_set_fd(nc->host.runner, &watch) == SALUT_OK;
    }
}

/* Hand over what is held. False: the queue is full. */
static bool flush_input(struct nc_udp *nc)
{
    if (nc->held_bytes == 0) {
        return true;
    }
    enum salut_status status =
        salut_udp_send(nc->host.stack, nc->udp, nc->held, nc->held_bytes, NULL);
    if (status == SALUT_WOULD_BLOCK || status == SALUT_NO_MEMORY) {
        return false;
    }
    nc->held_bytes = 0;
    if (status != SALUT_OK) {
        fail(nc, status);
    }
    return true;
}

static void read_input(struct nc_udp *nc)
{
    while (!nc->over && !nc->input_ended && flush_input(nc)) {
        ssize_t got = read(STDIN_FILENO, nc->held, nc->chunk);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (got <= 0) {
            nc->input_ended = true;
            set_quiet(nc);
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
}

static void on_input(void *ctx, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    read_input(ctx);
}

static void begin(struct nc_udp *nc)
{
    nc->has_peer = true;
    watch_input(nc, true);
    if (!nc->input_watched) {
        read_input(nc); /* a plain file */
    }
}

/* ---- output --------------------------------------------------------------------------------- */

static void write_output(struct nc_udp *nc);

static void on_output(void *ctx, int fd, uint32_t events)
{
    struct nc_udp *nc = ctx;
    (void)events;
    (void)salut_runner_remove_fd(nc->host.runner, fd);
    nc->output_blocked = false;
    write_output(nc);
    set_interest(nc);
}

/* Give the output what it has not had of the first datagram. True when that is all of it. */
static bool show(struct nc_udp *nc, const struct salut_iovec *pieces, size_t count)
{
    size_t skip = nc->shown;
    for (size_t i = 0; i < count; i++) {
        if (skip >= pieces[i].bytes) {
            skip -= pieces[i].bytes;
            continue;
        }
        ssize_t put =
            write(STDOUT_FILENO, (const uint8_t *)pieces[i].base + skip, pieces[i].bytes - skip);
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            end(nc, slt_fail(nc->verb, SLT_EXIT_FAILURE, "standard output: %s", strerror(errno)));
            return false;
        }
        nc->shown += put > 0 ? (size_t)put : 0U;
        if (put < 0 || (size_t)put < pieces[i].bytes - skip) {
            struct salut_runner_fd watch = {
                .fd = STDOUT_FILENO, .events = EPOLLOUT, .on_ready = on_output, .ctx = nc};
            nc->output_blocked = salut_runner_set_fd(nc->host.runner, &watch) == SALUT_OK;
            return false;
        }
        skip = 0;
    }
    return true;
}

static void meet(struct nc_udp *nc, const struct salut_udp_message *message)
{
    if (nc->has_peer) {
        return;
    }
    enum salut_status status =
        salut_udp_connect(nc->host.stack, nc->udp, &message->remote, message->remote_port);
    if (status != SALUT_OK) {
        fail(nc, status);
        return;
    }
    begin(nc);
}

static void write_output(struct nc_udp *nc)
{
    struct salut_iovec pieces[SALUT_FRAME_PIECES_MAX];
    while (!nc->output_blocked && !nc->over) {
        struct salut_udp_message message;
        size_t count = 0;
        enum salut_status status = salut_udp_peek(nc->host.stack, nc->udp, pieces,
                                                  SALUT_FRAME_PIECES_MAX, &count, &message);
        if (status == SALUT_WOULD_BLOCK) {
            return;
        }
        if (status != SALUT_OK) {
            fail(nc, status);
            return;
        }
        if (show(nc, pieces, count)) {
            nc->shown = 0;
            meet(nc, &message);
            set_quiet(nc);
            (void)salut_udp_consume(nc->host.stack, nc->udp);
        }
    }
}

/* ---- the socket ----------------------------------------------------------------------------- */

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    struct nc_udp *nc = ctx;
    (void)stack;
    if ((event->ready & SALUT_WRITABLE) != 0 && nc->held_bytes > 0) {
        read_input(nc);
    }
    if ((event->ready & SALUT_READABLE) != 0) {
        write_output(nc);
        set_interest(nc);
    }
}

static int start(struct nc_udp *nc)
{
    struct salut_udp_params params = {.port = nc->words->listens ? nc->words->port : 0};
    enum salut_status status = salut_udp_open(nc->host.stack, &params, &nc->udp);
    if (status == SALUT_OK && !nc->words->listens) {
        status = salut_udp_connect(nc->host.stack, nc->udp, &nc->words->remote, nc->words->port);
    }
    return status == SALUT_OK
               ? SLT_EXIT_FINE
               : slt_fail(nc->verb, SLT_EXIT_FAILURE, "%s", salut_status_text(status));
}

int slt_nc_udp(const struct slt_cli_verb *verb, const struct slt_nc_udp_words *words)
{
    static struct nc_udp nc;
    nc.verb = verb;
    nc.words = words;
    nc.chunk = (size_t)(words->bytes == 0 ? CHUNK : words->bytes);
    nc.quiet = (struct salut_runner_timer){.on_due = on_quiet, .ctx = &nc};
    int result = slt_host_open(&nc.host, verb, words->host);
    if (result == SLT_EXIT_FINE) {
        result = start(&nc);
    }
    if (result == SLT_EXIT_FINE) {
        result = slt_host_run(&nc.host, on_event, &nc);
    }
    if (result == SLT_EXIT_FINE) {
        if (!words->listens) {
            begin(&nc);
        }
        while (!nc.over && slt_host_turn(&nc.host, -1)) {
        }
        result = nc.result;
        (void)salut_udp_close(nc.host.stack, nc.udp);
        slt_host_settle(&nc.host, 4 * SLT_NS_PER_S);
    }
    slt_host_close(&nc.host);
    return result;
}
