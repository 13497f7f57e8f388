/* Lines (b): one connection, as many bytes as go, both ends on one processor, in one thread.
 *
 * "offload" lets segments of 64 KB pass whole and unsummed, as the kernel's loopback does; "wire"
 * makes frames of 1,448 bytes with checksums computed and verified in software, as the kernel
 * does over virtual Ethernet whose offloads are off. Both cut super-frames into those frames in
 * software and sum while they copy (Linux: tcp_gso_segment, skb_copy_and_csum_bits).
 *
 * One thread writes what goes in and reads what came out, by turns and without blocking: the
 * kernel never switches threads, and its data is still in the cache when it is read.
 */
#include "bench/host.h"
#include "bench/machine.h"
#include "bench/pattern.h"
#include "bench/sockets.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 7100U

/* ---- salut ---------------------------------------------------------------------------------- */

struct bulk {
    struct slt_bench_run *run;
    struct slt_bench_pair pair;
    struct slt_bench_pattern pattern;
    uint8_t buffer[SLT_BENCH_CHUNK_BYTES];
    uint64_t sent;
    uint64_t received;
    bool stop;
};

static void on_client(struct slt_bench_host *host, const struct salut_event *event)
{
    struct bulk *bulk = host->app;
    enum salut_status status;
    if ((event->ready & SALUT_CONNECTED) != 0) {
        (void)salut_set_interest(host->stack, event->conn, SALUT_WRITABLE | SALUT_ENDED);
    }
    /* One chunk a turn, as in the kernel's half (step): a queue of megabytes that waits for the
     * receiver says nothing but how large the caches are. */
    size_t accepted;
    status = salut_send(host->stack, event->conn, slt_bench_pattern_at(&bulk->pattern, bulk->sent),
                        SLT_BENCH_CHUNK_BYTES, 0, &accepted);
    bulk->sent += accepted;
    if (status != SALUT_OK && status != SALUT_WOULD_BLOCK) {
        bulk->stop = true;
        slt_bench_fail(bulk->run, "send: %s", salut_status_text(status));
    }
}

static void on_server(struct slt_bench_host *host, const struct salut_event *event)
{
    struct bulk *bulk = host->app;
    enum salut_status status = SALUT_OK;
    salut_conn conn;
    if (event->conn.index == SALUT_NO_INDEX) {
        (void)!salut_accept(host->stack, event->listener, 0, &conn);
        return;
    }
    while (status == SALUT_OK) {
        size_t got;
        status = salut_recv(host->stack, event->conn, bulk->buffer, sizeof(bulk->buffer), &got);
        if (!slt_bench_pattern_holds(&bulk->pattern, bulk->received, bulk->buffer, got)) {
            bulk->stop = true;
            slt_bench_fail(bulk->run, "a wrong byte near %llu", (unsigned long long)bulk->received);
            return;
        }
        bulk->received += got;
    }
    if (status != SALUT_WOULD_BLOCK) {
        bulk->stop = true;
        slt_bench_fail(bulk->run, "recv: %s", salut_status_text(status));
    }
}

static bool open_bulk(struct bulk *bulk, bool offload)
{
    const struct slt_bench_pair_params params = {.link_slots = 512, .offload = offload};
    salut_conn conn;
    slt_bench_pattern_init(&bulk->pattern);
    if (!slt_bench_pair_open(bulk->run, &bulk->pair, &params)) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        bulk->pair.hosts[i]->app = bulk;
        bulk->pair.hosts[i]->on_event = i == 0 ? on_client : on_server;
    }
    return slt_bench_listen(bulk->run, bulk->pair.hosts[1], PORT, 0) &&
           slt_bench_dial(bulk->run, bulk->pair.hosts[0], &bulk->pair.hosts[1]->addr, PORT, 0,
                          &conn);
}

static bool run_salut(struct slt_bench_run *run, bool offload)
{
    struct bulk *bulk = calloc(1, sizeof(*bulk));
    if (!bulk) {
        return slt_bench_fail(run, "no memory");
    }
    bulk->run = run;
    if (open_bulk(bulk, offload)) {
        int64_t from_ns = slt_bench_now_ns();
        while (!bulk->stop && run->took_ns < run->for_ns) {
            run->took_ns = slt_bench_pair_turn(&bulk->pair) - from_ns;
        }
        run->amount = (double)bulk->received;
    }
    slt_bench_pair_close(&bulk->pair);
    free(bulk);
    return run->why[0] == '\0';
}

bool slt_bench_bulk_offload_salut(struct slt_bench_run *run)
{
    return run_salut(run, true);
}

bool slt_bench_bulk_wire_salut(struct slt_bench_run *run)
{
    return run_salut(run, false);
}

/* ---- kernel --------------------------------------------------------------------------------- */

struct stream {
    int fds[2]; /* sender, receiver */
    uint64_t sent;
    uint64_t received;
    struct slt_bench_pattern pattern;
    uint8_t buffer[SLT_BENCH_CHUNK_BYTES];
};

/* One chunk in, everything that has come out. */
static bool step(struct slt_bench_run *run, struct stream *stream)
{
    ssize_t put = send(stream->fds[0], slt_bench_pattern_at(&stream->pattern, stream->sent),
                       SLT_BENCH_CHUNK_BYTES, MSG_NOSIGNAL);
    ssize_t got = recv(stream->fds[1], stream->buffer, sizeof(stream->buffer), 0);
    if ((put < 0 && errno != EAGAIN) || got == 0) {
        return slt_bench_fail_os(run, "a kernel stream");
    }
    stream->sent += put > 0 ? (uint64_t)put : 0;
    if (put < 0 && got < 0) {
        struct pollfd wait[2] = {{.fd = stream->fds[0], .events = POLLOUT},
                                 {.fd = stream->fds[1], .events = POLLIN}};
        (void)poll(wait, 2, 1);
    }
    while (got > 0) {
        if (!slt_bench_pattern_holds(&stream->pattern, stream->received, stream->buffer,
                                     (size_t)got)) {
            return slt_bench_fail(run, "a wrong byte on a kernel socket");
        }
        stream->received += (uint64_t)got;
        if (got < (ssize_t)sizeof(stream->buffer)) {
            break;
        }
        got = recv(stream->fds[1], stream->buffer, sizeof(stream->buffer), 0);
    }
    return true;
}

static bool run_stream(struct slt_bench_run *run, const int fds[2])
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream) {
        return slt_bench_fail(run, "no memory");
    }
    stream->fds[0] = fds[0];
    stream->fds[1] = fds[1];
    slt_bench_pattern_init(&stream->pattern);
    int64_t from_ns = slt_bench_now_ns();
    while (run->took_ns < run->for_ns && step(run, stream)) {
        run->took_ns = slt_bench_now_ns() - from_ns;
    }
    run->amount = (double)stream->received;
    free(stream);
    return run->why[0] == '\0';
}

bool slt_bench_bulk_offload_kernel(struct slt_bench_run *run)
{
    int fds[2] = {-1, -1};
    int listener = slt_bench_socket_listen(run, "127.0.0.1", PORT);
    return listener >= 0 && (fds[0] = slt_bench_socket_dial(run, "127.0.0.1", PORT)) >= 0 &&
           (fds[1] = slt_bench_socket_accept(run, listener)) >= 0 &&
           slt_bench_socket_nonblocking(run, fds[0]) && slt_bench_socket_nonblocking(run, fds[1]) &&
           run_stream(run, fds);
}

bool slt_bench_bulk_wire_kernel(struct slt_bench_run *run)
{
    struct slt_bench_veth veth;
    int fds[2] = {-1, -1};
    if (!slt_bench_veth_open(run, &veth, false)) {
        return false;
    }
    int listener = slt_bench_socket_listen(run, "10.74.0.1", PORT);
    bool open = listener >= 0 && slt_bench_veth_switch(run, &veth, true) &&
                (fds[0] = slt_bench_socket_dial(run, "10.74.0.1", PORT)) >= 0 &&
                (fds[1] = slt_bench_socket_accept(run, listener)) >= 0 &&
                slt_bench_socket_nonblocking(run, fds[0]) &&
                slt_bench_socket_nonblocking(run, fds[1]) &&
                slt_bench_veth_switch(run, &veth, false);
    bool done = open && run_stream(run, fds);
    slt_bench_veth_close(&veth);
    return done;
}
