/* Lines (e): what a connection costs in memory when it does nothing. A million of each kind; what
 * is counted is by how much the resident memory of the process has grown, everything included:
 * objects, hash tables, what the allocator adds, and the stacks themselves.
 *
 * established: both ends of every connection are here, so twice as many endpoints; each has
 *   exchanged 64 bytes each way and then gone idle. They are opened some dozens at a time.
 * half-open: a server that was sent a SYN by a million peers who then say nothing.
 * TIME-WAIT: what is left at the client that closed first; the server keeps nothing.
 */
#include "bench/host.h"
#include "bench/machine.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#include <stdlib.h>
#include <string.h>

#define CROWD         1000000U
#define FEW           1024U /* of what the line does not count */
#define AT_ONCE       32U
#define PORTS         60000U /* of the client, in turn */
#define LOCAL_FIRST   2000U
#define SERVICE_FIRST 8000U
#define SERVICES      ((CROWD + PORTS - 1) / PORTS)

struct crowd {
    struct slt_bench_run *run;
    struct slt_bench_pair pair;
    struct slt_bench_pattern pattern;
    bool close; /* close each at once, instead of keeping it */
    uint32_t count;
    uint32_t dialled;
    uint32_t done;
    bool stop;
};

static void halt(struct crowd *crowd, const char *what, enum salut_status status)
{
    crowd->stop = true;
    slt_bench_fail(crowd->run, "%s: %s", what, salut_status_text(status));
}

static void on_client(struct slt_bench_host *host, const struct salut_event *event)
{
    struct crowd *crowd = host->app;
    uint32_t number = 0;
    enum salut_status status;
    if ((event->ready & SALUT_CONNECTED) != 0) {
        uint32_t at = (uint32_t)event->user;
        (void)salut_set_interest(host->stack, event->conn, SALUT_READABLE | SALUT_ENDED);
        if (crowd->close) {
            status = salut_close(host->stack, event->conn);
            crowd->done++;
        } else {
            status = slt_bench_put(host, &crowd->pattern, event->conn, at, false);
        }
    } else {
        status = slt_bench_get(host, &crowd->pattern, event->conn, &number, true);
        crowd->done++;
    }
    if (status != SALUT_OK) {
        halt(crowd, "a client", status);
    }
}

static void on_server(struct slt_bench_host *host, const struct salut_event *event)
{
    struct crowd *crowd = host->app;
    salut_conn conn;
    uint32_t number = 0;
    if (event->conn.index == SALUT_NO_INDEX) {
        while (salut_accept(host->stack, event->listener, 0, &conn) == SALUT_OK) {
        }
        return;
    }
    enum salut_status status = slt_bench_get(host, &crowd->pattern, event->conn, &number, false);
    if (status == SALUT_END) {
        status = salut_close(host->stack, event->conn);
    } else if (status == SALUT_OK) {
        status = slt_bench_put(host, &crowd->pattern, event->conn, number, true);
    }
    if (status != SALUT_OK) {
        halt(crowd, "the server", status);
    }
}

/* Limits are what the line needs: tables are as large as the limits say. The ring of events, which
 * is one per stack whatever it holds, is short. */
static void tune_established(struct salut_config *config, bool server)
{
    (void)server;
    config->event_ring = 64;
    config->half_open_max = FEW;
    config->conns_max = CROWD;
    config->time_wait_max = FEW;
}

static void tune_time_wait(struct salut_config *config, bool server)
{
    config->event_ring = 64;
    config->half_open_max = FEW;
    config->conns_max = FEW;
    config->time_wait_max = server ? FEW : CROWD;
}

static void dial(struct crowd *crowd)
{
    struct slt_bench_host *client = crowd->pair.hosts[0];
    while (!crowd->stop && crowd->dialled < crowd->count &&
           crowd->dialled - crowd->done < AT_ONCE) {
        struct salut_connect_params params = {
            .remote = crowd->pair.hosts[1]->addr,
            .remote_port = (uint16_t)(SERVICE_FIRST + crowd->dialled / PORTS),
            .local_port = (uint16_t)(LOCAL_FIRST + crowd->dialled % PORTS),
            .user = crowd->dialled};
        salut_conn conn;
        enum salut_status status = salut_connect(client->stack, &params, &conn);
        if (status != SALUT_OK) {
            halt(crowd, "connect", status);
        }
        crowd->dialled++;
    }
}

static bool open_crowd(struct crowd *crowd)
{
    const struct slt_bench_pair_params params = {
        .link_slots = 256, .tune = crowd->close ? tune_time_wait : tune_established};
    slt_bench_pattern_init(&crowd->pattern);
    if (!slt_bench_pair_open(crowd->run, &crowd->pair, &params)) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        crowd->pair.hosts[i]->app = crowd;
        crowd->pair.hosts[i]->on_event = i == 0 ? on_client : on_server;
    }
    for (uint32_t i = 0; i < SERVICES; i++) {
        if (!slt_bench_listen(crowd->run, crowd->pair.hosts[1], (uint16_t)(SERVICE_FIRST + i), i)) {
            return false;
        }
    }
    return true;
}

/* Objects of a state in a stack. */
static uint32_t count_state(struct salut_stack *stack, enum salut_state state)
{
    struct salut_info info;
    uint64_t cursor = 0;
    uint32_t count = 0;
    while (salut_next_info(stack, &cursor, &info)) {
        count += info.state == (uint8_t)state;
    }
    return count;
}

/* Open them all, then let every timer that runs at first run out. */
static void fill(struct crowd *crowd)
{
    int64_t stuck_ns = slt_bench_now_ns() + 60 * SLT_NS_PER_S;
    int64_t now_ns = 0;
    while (!crowd->stop && crowd->done < crowd->count && now_ns < stuck_ns) {
        dial(crowd);
        now_ns = slt_bench_pair_turn(&crowd->pair);
    }
    int64_t idle_ns = slt_bench_now_ns() + SLT_NS_PER_S / 2;
    while (slt_bench_pair_turn(&crowd->pair) < idle_ns) {
    }
}

static struct crowd *new_crowd(struct slt_bench_run *run, bool close, uint32_t count)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    if (!crowd) {
        slt_bench_fail(run, "no memory");
        return NULL;
    }
    crowd->run = run;
    crowd->close = close;
    crowd->count = count;
    if (open_crowd(crowd)) {
        fill(crowd);
    }
    return crowd;
}

static void free_crowd(struct crowd *crowd)
{
    if (crowd) {
        slt_bench_pair_close(&crowd->pair);
        free(crowd);
    }
}

static void check_crowd(const struct crowd *crowd, enum salut_state state, unsigned ends)
{
    uint32_t found = 0;
    for (unsigned i = 0; crowd->pair.hosts[0] && i < ends; i++) {
        found += count_state(crowd->pair.hosts[i]->stack, state);
    }
    if (found != CROWD * ends) {
        slt_bench_fail(crowd->run, "%u of %u endpoints are in %s", found, CROWD * ends,
                       salut_state_name(state));
    }
}

/* A small crowd comes first and stays: the pages of the program and of the C library that any use
 * brings into memory are nothing that a connection costs. */
static bool measure(struct slt_bench_run *run, bool close, enum salut_state state, unsigned ends)
{
    int64_t from_ns = slt_bench_now_ns();
    struct crowd *small = new_crowd(run, close, FEW / 4);
    uint64_t before = slt_bench_resident_bytes();
    struct crowd *crowd = new_crowd(run, close, CROWD);
    uint64_t after = slt_bench_resident_bytes();
    if (crowd) {
        check_crowd(crowd, state, ends);
    }
    run->amount = (double)(after - before) / (CROWD * (double)ends);
    run->took_ns = slt_bench_now_ns() - from_ns;
    free_crowd(crowd);
    free_crowd(small);
    return run->why[0] == '\0';
}

bool slt_bench_memory_established(struct slt_bench_run *run)
{
    return measure(run, false, SALUT_STATE_ESTABLISHED, 2);
}

bool slt_bench_memory_time_wait(struct slt_bench_run *run)
{
    return measure(run, true, SALUT_STATE_TIME_WAIT, 1);
}

/* ---- half-open ------------------------------------------------------------------------------ */

/* The SYN of peer number `at`, as an IP packet; returns its length. */
static uint32_t make_syn(uint32_t at, uint8_t *out, uint32_t room)
{
    struct slt_tcp_segment seg = {.src_port = (uint16_t)(LOCAL_FIRST + at % PORTS),
                                  .dst_port = SERVICE_FIRST,
                                  .seq = at * 2654435761U,
                                  .flags = SLT_TCP_SYN,
                                  .window = 64240,
                                  .opt = {.present = SLT_TCP_OPT_MSS | SLT_TCP_OPT_WSCALE |
                                                     SLT_TCP_OPT_SACK_OK | SLT_TCP_OPT_TIMESTAMPS,
                                          .mss = 1460,
                                          .wscale = 7,
                                          .ts_val = at}};
    struct slt_ipv4 ip = {.src = {[10] = 0xff, 0xff, 10, 73, 1, (uint8_t)(1 + at / PORTS)},
                          .dst = {[10] = 0xff, 0xff, 10, 73, 0, 2},
                          .ttl = 64,
                          .protocol = SLT_IP_PROTOCOL_TCP,
                          .dont_fragment = true,
                          .payload_bytes = SLT_TCP_HEADER_BYTES + slt_tcp_options_bytes(&seg.opt)};
    struct slt_writer w = slt_writer_of(out, room);
    uint32_t head = slt_ipv4_emit(&ip, &w);
    uint32_t bytes = slt_tcp_emit(&seg, &w);
    uint32_t sum = slt_checksum_pseudo(ip.src, ip.dst, SLT_IP_PROTOCOL_TCP, bytes);
    uint16_t checksum = slt_checksum_finish(slt_checksum_add(sum, out + head, bytes));
    out[head + 16] = (uint8_t)(checksum >> 8);
    out[head + 17] = (uint8_t)checksum;
    return head + bytes;
}

/* The stack's answers go nowhere. */
static void discard_output(struct salut_stack *stack, struct salut_tx_frame *frames)
{
    size_t count;
    while ((count = salut_output(stack, frames, SLT_BENCH_BATCH)) > 0) {
        salut_output_taken(stack, count);
    }
}

static void flood(struct salut_stack *stack, struct salut_tx_frame *frames, int64_t now_ns)
{
    uint8_t packets[32][80];
    struct salut_rx_frame rx[32];
    for (uint32_t at = 0; at < CROWD;) {
        uint32_t count = 0;
        for (; count < 32 && at < CROWD; count++, at++) {
            uint32_t bytes = make_syn(at, packets[count], sizeof(packets[count]));
            rx[count] = (struct salut_rx_frame){.data = packets[count], .bytes = bytes};
        }
        salut_input(stack, rx, count, now_ns);
        discard_output(stack, frames);
    }
}

static bool open_server(struct slt_bench_run *run, struct salut_stack **stack)
{
    static const struct slt_link link = {.caps = {.kind = SALUT_LINK_IP, .mtu = 1500}};
    struct salut_config config;
    struct salut_listen_params params = {.port = SERVICE_FIRST, .backlog = CROWD};
    salut_listener listener;
    salut_addr addr;
    salut_addr any = {{[10] = 0xff, 0xff}, 0};
    salut_addr none = {{0}, 0};
    slt_bench_config(&config, &link, 1);
    config.event_ring = 64;
    config.half_open_max = CROWD;
    config.syn_cookies = SALUT_COOKIES_NEVER;
    config.conns_max = FEW;
    config.time_wait_max = FEW;
    enum salut_status status = salut_create(&config, stack);
    if (status != SALUT_OK || salut_addr_parse("10.73.0.2", &addr) != SALUT_OK ||
        salut_add_address(*stack, &addr, 24) != SALUT_OK ||
        salut_add_route(*stack, &any, 0, &none) != SALUT_OK ||
        salut_listen(*stack, &params, &listener) != SALUT_OK) {
        return slt_bench_fail(run, "no server");
    }
    return true;
}

bool slt_bench_memory_half_open(struct slt_bench_run *run)
{
    struct salut_tx_frame *frames = calloc(SLT_BENCH_BATCH, sizeof(*frames));
    struct salut_stack *stack = NULL;
    int64_t from_ns = slt_bench_now_ns();
    uint64_t before = slt_bench_resident_bytes();
    if (frames && open_server(run, &stack)) {
        flood(stack, frames, from_ns);
        uint64_t after = slt_bench_resident_bytes();
        uint32_t found = count_state(stack, SALUT_STATE_SYN_RECEIVED);
        if (found != CROWD) {
            slt_bench_fail(run, "%u of %u peers are half-open", found, CROWD);
        }
        run->amount = (double)(after - before) / CROWD;
    }
    run->took_ns = slt_bench_now_ns() - from_ns;
    salut_destroy(stack);
    free(frames);
    return run->why[0] == '\0';
}
