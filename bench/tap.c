/* Lines (c): one connection over a TAP device between salut and a kernel socket, in both
 * directions, against two kernel sockets over virtual Ethernet with its offloads. Two processors:
 * one end on each, in a process of its own.
 *
 * The bytes counted are those that the receiving application has verified.
 */
#include "bench/host.h"
#include "bench/machine.h"
#include "bench/pattern.h"
#include "bench/sockets.h"
#include "link/rtnl_linux.h"
#include "link/tap_linux.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 7300U

#define START_NS (10 * SLT_NS_PER_S) /* in which the first byte must arrive */

/* What the two processes of a sample tell each other. */
struct shared {
    volatile uint64_t sent;
    volatile uint64_t received;
    volatile uint32_t wrong; /* the receiving application saw a wrong byte */
};

static struct shared *make_shared(struct slt_bench_run *run)
{
    void *memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        slt_bench_fail_os(run, "mmap");
        return NULL;
    }
    return memory;
}

/* The other process: accept one connection on `listener` and move bytes until it closes. */
static pid_t start_peer(const struct slt_bench_run *run, struct shared *shared, int listener,
                        bool source)
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    slt_bench_pin(run->cpu[1]);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    bool right = fd >= 0 && (source ? slt_bench_socket_source(fd, &shared->sent)
                                    : slt_bench_socket_sink(fd, &shared->received));
    shared->wrong = !right;
    _exit(0);
}

static void end_peer(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

/* ---- salut over TAP ------------------------------------------------------------------------- */

struct tap_stream {
    struct slt_bench_run *run;
    struct slt_bench_host *host;
    struct slt_bench_pattern pattern;
    uint8_t buffer[SLT_BENCH_CHUNK_BYTES];
    struct shared *shared;
    bool out; /* salut sends */
    bool stop;
};

static void stop(struct tap_stream *stream, const char *what, enum salut_status status)
{
    stream->stop = true;
    slt_bench_fail(stream->run, "%s: %s", what, salut_status_text(status));
}

static void send_stream(struct tap_stream *stream, salut_conn conn)
{
    enum salut_status status = SALUT_OK;
    while (status == SALUT_OK) {
        size_t accepted;
        uint64_t pos = stream->shared->sent;
        status = salut_send(stream->host->stack, conn, slt_bench_pattern_at(&stream->pattern, pos),
                            SLT_BENCH_CHUNK_BYTES, 0, &accepted);
        stream->shared->sent = pos + accepted;
    }
    if (status != SALUT_WOULD_BLOCK) {
        stop(stream, "send", status);
    }
}

static void receive_stream(struct tap_stream *stream, salut_conn conn)
{
    enum salut_status status = SALUT_OK;
    while (status == SALUT_OK) {
        size_t got;
        uint64_t pos = stream->shared->received;
        status =
            salut_recv(stream->host->stack, conn, stream->buffer, sizeof(stream->buffer), &got);
        if (!slt_bench_pattern_holds(&stream->pattern, pos, stream->buffer, got)) {
            stop(stream, "a wrong byte", SALUT_OK);
            return;
        }
        stream->shared->received = pos + got;
    }
    if (status != SALUT_WOULD_BLOCK) {
        stop(stream, "recv", status);
    }
}

static void on_event(struct slt_bench_host *host, const struct salut_event *event)
{
    struct tap_stream *stream = host->app;
    if ((event->ready & SALUT_ENDED) != 0) {
        stop(stream, "the connection ended", SALUT_RESET);
        return;
    }
    if ((event->ready & SALUT_CONNECTED) != 0) {
        (void)salut_set_interest(host->stack, event->conn,
                                 (stream->out ? SALUT_WRITABLE : SALUT_READABLE) | SALUT_ENDED);
    }
    if (stream->out) {
        send_stream(stream, event->conn);
    } else if ((event->ready & SALUT_READABLE) != 0) {
        receive_stream(stream, event->conn);
    }
}

/* Sleep until the device has a frame, or takes one again, or a timer is due. */
static void wait_for_work(const struct slt_bench_host *host)
{
    struct pollfd fd = {.fd = slt_link_fd(host->link), .events = POLLIN};
    int64_t due_ns = salut_next_deadline(host->stack) - slt_bench_now_ns();
    bool blocked = slt_link_wants_write(host->link);
    if (blocked) {
        fd.events |= POLLOUT;
    }
    if (due_ns <= 0 || (!blocked && salut_wants_output(host->stack))) {
        return;
    }
    if (due_ns > 100 * SLT_NS_PER_MS) {
        due_ns = 100 * SLT_NS_PER_MS;
    }
    struct timespec wait = {.tv_sec = 0, .tv_nsec = (long)due_ns};
    (void)ppoll(&fd, 1, &wait, NULL);
}

/* Take turns until `until_ns`, or, with `first`, until a byte has arrived. Returns the time. */
static int64_t take_turns(struct tap_stream *stream, int64_t until_ns, bool first)
{
    int64_t now_ns = slt_bench_now_ns();
    while (!stream->stop && now_ns < until_ns && !(first && stream->shared->received > 0)) {
        slt_bench_host_turn(stream->host, now_ns);
        wait_for_work(stream->host);
        now_ns = slt_bench_now_ns();
    }
    return now_ns;
}

/* The kernel may notice only after a second that the new device has a carrier, and drops what it
 * would send until then, so the clock starts with the first byte. */
static void run_turns(struct tap_stream *stream)
{
    struct slt_bench_run *run = stream->run;
    int64_t from_ns = take_turns(stream, slt_bench_now_ns() + START_NS, true);
    uint64_t before = stream->shared->received;
    run->took_ns = take_turns(stream, from_ns + run->for_ns, false) - from_ns;
    run->amount = (double)(stream->shared->received - before);
    if (stream->shared->wrong) {
        slt_bench_fail(run, "the kernel's application saw a wrong byte");
    }
    if (run->amount == 0.0) {
        slt_bench_fail(run, "nothing arrived");
    }
}

static bool open_device(struct tap_stream *stream)
{
    const struct slt_tap_params params = {.name = "benchT", .kind = SALUT_LINK_ETHERNET};
    struct slt_link_error error;
    struct slt_link *link;
    struct salut_config config;
    salut_addr kernel;
    if (slt_tap_open(&params, &link, &error) != SLT_LINK_FINE) {
        stream->run->missing = true;
        return slt_bench_fail(stream->run, "no TAP device: %s (%s)", error.sentence, error.remedy);
    }
    if (salut_addr_parse("10.75.0.1", &kernel) != SALUT_OK ||
        slt_rtnl_add_address("benchT", &kernel, 24, &error) != SLT_LINK_FINE ||
        slt_rtnl_set_up("benchT", true, &error) != SLT_LINK_FINE) {
        slt_link_close(link);
        return slt_bench_fail(stream->run, "the TAP device: %s", error.sentence);
    }
    slt_bench_config(&config, link, 1);
    config.recv_buffer_bytes = 1U << 20; /* the kernel tunes its own up as far */
    config.send_buffer_bytes = 1U << 20;
    stream->host = slt_bench_host_open(stream->run, link, &config, "10.75.0.2");
    if (!stream->host) {
        return false;
    }
    stream->host->app = stream;
    stream->host->on_event = on_event;
    return true;
}

static bool run_salut(struct slt_bench_run *run, bool out)
{
    struct tap_stream *stream = calloc(1, sizeof(*stream));
    salut_addr kernel;
    salut_conn conn;
    if (!stream || salut_addr_parse("10.75.0.1", &kernel) != SALUT_OK) {
        return slt_bench_fail(run, "no memory");
    }
    stream->run = run;
    stream->out = out;
    slt_bench_pattern_init(&stream->pattern);
    stream->shared = make_shared(run);
    if (stream->shared && open_device(stream)) {
        int listener = slt_bench_socket_listen(run, "10.75.0.1", PORT);
        pid_t peer = listener >= 0 ? start_peer(run, stream->shared, listener, !out) : -1;
        if (peer > 0 && slt_bench_dial(run, stream->host, &kernel, PORT, 0, &conn)) {
            run_turns(stream);
        }
        end_peer(peer);
        slt_bench_host_close(stream->host);
    }
    free(stream);
    return run->why[0] == '\0';
}

bool slt_bench_tap_out_salut(struct slt_bench_run *run)
{
    return run_salut(run, true);
}

bool slt_bench_tap_in_salut(struct slt_bench_run *run)
{
    return run_salut(run, false);
}

/* ---- kernel over virtual Ethernet ----------------------------------------------------------- */

static void sleep_ns(int64_t for_ns)
{
    struct timespec wait = {.tv_sec = (time_t)(for_ns / SLT_NS_PER_S),
                            .tv_nsec = (long)(for_ns % SLT_NS_PER_S)};
    while (nanosleep(&wait, &wait) < 0 && errno == EINTR) {
    }
}

/* The sending process; this one only watches. */
static pid_t start_sender(const struct slt_bench_run *run, struct shared *shared, int fd)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        slt_bench_pin(run->cpu[0]);
        slt_bench_socket_source(fd, &shared->sent);
        _exit(0);
    }
    return pid;
}

static bool watch_stream(struct slt_bench_run *run, struct shared *shared, int listener, int fd)
{
    pid_t sink = start_peer(run, shared, listener, false);
    pid_t source = start_sender(run, shared, fd);
    int64_t give_up_ns = slt_bench_now_ns() + START_NS;
    while (shared->received == 0 && slt_bench_now_ns() < give_up_ns) {
        sleep_ns(SLT_NS_PER_MS);
    }
    int64_t from_ns = slt_bench_now_ns();
    uint64_t before = shared->received;
    sleep_ns(run->for_ns);
    run->took_ns = slt_bench_now_ns() - from_ns;
    run->amount = (double)(shared->received - before);
    end_peer(source);
    end_peer(sink);
    return (!shared->wrong && run->amount > 0.0) ||
           slt_bench_fail(run, "the kernel's stream did not run");
}

bool slt_bench_tap_kernel(struct slt_bench_run *run)
{
    struct slt_bench_veth veth;
    struct shared *shared = make_shared(run);
    int fd = -1;
    if (!shared || !slt_bench_veth_open(run, &veth, true)) {
        return false;
    }
    int listener = slt_bench_socket_listen(run, "10.74.0.1", PORT);
    bool open = listener >= 0 && slt_bench_veth_switch(run, &veth, true) &&
                (fd = slt_bench_socket_dial(run, "10.74.0.1", PORT)) >= 0 &&
                slt_bench_veth_switch(run, &veth, false);
    bool done = open && watch_stream(run, shared, listener, fd);
    slt_bench_veth_close(&veth);
    return done;
}
