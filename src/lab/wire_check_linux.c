/* Measuring a wire: rate and delays as the far device's kernel saw them; see wire_run.h.
 *
 * A private network holds two devices and, in a process of its own, the wire. Frames of an
 * experimental type go into one device through a packet socket; on the other end the kernel stamps
 * them as the wire writes them (SO_TIMESTAMPNS), so that our own tardiness does not count. First
 * more than the rate is offered for a while and the arrivals are counted; then single frames at
 * rest tell by how much the delay is wrong.
 */
#define _GNU_SOURCE 1
#include "lab/wire_run.h"

#include "link/netns_linux.h"
#include "link/rtnl_linux.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ETHER_TYPE_TEST   0x88b5U /* IEEE 802: local experiments */
#define FULL_BYTES        1514U
#define PROBE_BYTES       200U
#define STAMP_AT          ETH_HLEN
#define PROBES            2000U
#define PROBE_EVERY_NS    SLT_NS_PER_MS
#define SATURATE_FOR_NS   (1500 * SLT_NS_PER_MS)
#define SATURATED_FROM_NS (300 * SLT_NS_PER_MS)
#define TICK_NS           SLT_NS_PER_MS
#define BUFFER_BYTES      (32 * 1024 * 1024)

/* What the child processes share with us. */
struct shared {
    struct slt_wire_run_params params;
    struct slt_wire_check check;
    struct slt_link_error error;
};

struct bench {
    struct shared *shared;
    int in;           /* a packet socket on the device frames go into */
    int out;          /* and on the one they come out of */
    int64_t epoch_ns; /* what the kernel's stamps are ahead of our clock */
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t bytes; /* that came after the first and up to the last */
    int64_t errors_ns[PROBES];
    uint32_t error_count;
};

static void sleep_until(int64_t at_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(at_ns / SLT_NS_PER_S),
                          .tv_nsec = (long)(at_ns % SLT_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
    }
}

static int open_socket(const char *name, bool listens)
{
    struct slt_rtnl_facts facts;
    struct slt_link_error error;
    const int on = 1;
    const int buffer = BUFFER_BYTES;
    uint16_t type = (uint16_t)(ETHER_TYPE_TEST >> 8 | (ETHER_TYPE_TEST & 0xffU) << 8);
    if (slt_rtnl_facts(name, &facts, &error) != SLT_LINK_FINE) {
        return -1;
    }
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = listens ? type : 0,
                             .sll_ifindex = (int)facts.index};
    bool fine = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0;
    (void)setsockopt(fd, SOL_SOCKET, listens ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &buffer,
                     sizeof(buffer));
    if (!fine && fd >= 0) {
        close(fd);
    }
    return fine ? fd : -1;
}

static void send_frame(const struct bench *b, uint32_t bytes)
{
    uint8_t frame[FULL_BYTES] = {0};
    memset(frame, 0xff, ETH_ALEN);
    frame[ETH_ALEN] = 2;
    frame[12] = ETHER_TYPE_TEST >> 8;
    frame[13] = ETHER_TYPE_TEST & 0xffU;
    int64_t now_ns = slt_runner_clock();
    memcpy(frame + STAMP_AT, &now_ns, sizeof(now_ns));
    ssize_t put = send(b->in, frame, bytes, 0);
    (void)put; /* a frame that could not go does not arrive, and is counted as such */
}

static int64_t arrival_of(const struct bench *b, struct msghdr *message)
{
    struct timespec ts = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&ts, CMSG_DATA(c), sizeof(ts));
        }
    }
    return (int64_t)ts.tv_sec * SLT_NS_PER_S + ts.tv_nsec - b->epoch_ns;
}

/* The next frame that has arrived: its length, when it was sent and when it came; 0: none. */
static uint32_t take_frame(const struct bench *b, int64_t *sent_ns, int64_t *came_ns)
{
    uint8_t frame[FULL_BYTES];
    char control[256];
    struct iovec iov = {.iov_base = frame, .iov_len = sizeof(frame)};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(b->out, &message, MSG_DONTWAIT);
    if (got < (ssize_t)(STAMP_AT + sizeof(*sent_ns))) {
        return 0;
    }
    memcpy(sent_ns, frame + STAMP_AT, sizeof(*sent_ns));
    *came_ns = arrival_of(b, &message);
    return (uint32_t)got;
}

/* ---- the rate ----------------------------------------------------------------------------- */

static void count_arrivals(struct bench *b, int64_t from_ns, int64_t to_ns)
{
    int64_t sent_ns;
    int64_t came_ns;
    for (uint32_t bytes = take_frame(b, &sent_ns, &came_ns); bytes > 0;
         bytes = take_frame(b, &sent_ns, &came_ns)) {
        if (came_ns < from_ns || came_ns > to_ns) {
            continue;
        }
        b->bytes += b->first_ns != 0 ? bytes : 0;
        b->first_ns = b->first_ns != 0 ? b->first_ns : (uint64_t)came_ns;
        b->last_ns = (uint64_t)came_ns;
    }
}

static void measure_rate(struct bench *b)
{
    const struct slt_path_params *p = &b->shared->params.wire.way[SLT_WIRE_THERE];
    int64_t begin_ns = slt_runner_clock();
    int64_t end_ns = begin_ns + SATURATE_FOR_NS;
    /* A quarter more than the rate. */
    uint64_t per_tick = p->rate_bits_per_s / 8 * 5 / 4 / (SLT_NS_PER_S / TICK_NS);
    uint64_t owed = 0;
    for (int64_t at_ns = begin_ns; at_ns < end_ns; at_ns += TICK_NS) {
        for (owed += per_tick; owed >= FULL_BYTES; owed -= FULL_BYTES) {
            send_frame(b, FULL_BYTES);
        }
        count_arrivals(b, begin_ns + p->delay_ns + SATURATED_FROM_NS, end_ns);
        sleep_until(at_ns + TICK_NS);
    }
    uint64_t for_ns = b->last_ns - b->first_ns;
    b->shared->check.rate_bits_per_s =
        for_ns > 0 ? (uint64_t)((double)b->bytes * 8e9 / (double)for_ns + 0.5) : 0;
}

/* ---- the delay ---------------------------------------------------------------------------- */

static void note_probes(struct bench *b, int64_t expected_ns)
{
    int64_t sent_ns;
    int64_t came_ns;
    while (take_frame(b, &sent_ns, &came_ns) > 0) {
        int64_t error_ns = came_ns - sent_ns - expected_ns;
        if (b->error_count < PROBES) {
            b->errors_ns[b->error_count] = error_ns < 0 ? -error_ns : error_ns;
            b->error_count++;
        }
    }
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure_delay(struct bench *b)
{
    const struct slt_path_params *p = &b->shared->params.wire.way[SLT_WIRE_THERE];
    struct slt_wire_check *check = &b->shared->check;
    int64_t sending_ns = p->rate_bits_per_s > 0
                             ? (int64_t)(PROBE_BYTES * UINT64_C(8000000000) / p->rate_bits_per_s)
                             : 0;
    int64_t begin_ns = slt_runner_clock();
    for (uint32_t i = 0; i < PROBES; i++) {
        send_frame(b, PROBE_BYTES);
        note_probes(b, p->delay_ns + sending_ns);
        sleep_until(begin_ns + (i + 1) * PROBE_EVERY_NS);
    }
    sleep_until(slt_runner_clock() + p->delay_ns + 100 * SLT_NS_PER_MS);
    note_probes(b, p->delay_ns + sending_ns);
    check->probes = PROBES;
    check->probes_lost = PROBES - b->error_count;
    if (b->error_count > 0) {
        qsort(b->errors_ns, b->error_count, sizeof(b->errors_ns[0]), compare_times);
        check->error_p50_ns = b->errors_ns[b->error_count / 2];
        check->error_p99_ns = b->errors_ns[(uint64_t)b->error_count * 99 / 100];
        check->error_most_ns = b->errors_ns[b->error_count - 1];
    }
}

static void let_drain(struct bench *b)
{
    const struct slt_path_params *p = &b->shared->params.wire.way[SLT_WIRE_THERE];
    int64_t sent_ns;
    int64_t came_ns;
    uint64_t queue_bytes =
        p->queue_bytes_max > 0 ? p->queue_bytes_max : (uint64_t)p->queue_frames_max * FULL_BYTES;
    int64_t queue_ns =
        (int64_t)((double)queue_bytes * 8e9 / (double)slt_max64((int64_t)p->rate_bits_per_s, 1));
    sleep_until(slt_runner_clock() + p->delay_ns + queue_ns + 100 * SLT_NS_PER_MS);
    while (take_frame(b, &sent_ns, &came_ns) > 0) {
    }
}

/* ---- processes ---------------------------------------------------------------------------- */

static void measure(struct shared *shared)
{
    struct bench *b = calloc(1, sizeof(*b));
    bool made = b != NULL;
    if (made) {
        b->shared = shared;
        b->epoch_ns = slt_runner_epoch();
        b->in = open_socket(shared->params.device[0].name, false);
        b->out = open_socket(shared->params.device[1].name, true);
        made = b->in >= 0 && b->out >= 0;
    }
    if (!made) {
        (void)slt_link_error_set(&shared->error, SLT_LINK_SYSTEM_ERROR, errno,
                                 "no packet sockets for measuring", NULL);
    } else {
        if (shared->params.wire.way[SLT_WIRE_THERE].rate_bits_per_s > 0) {
            measure_rate(b);
            let_drain(b);
        }
        measure_delay(b);
    }
    free(b);
}

static _Noreturn void be_wire(struct shared *shared, int stop_fd, int ready_fd)
{
    static struct slt_wire wire;
    struct slt_wire_run_params params = shared->params;
    params.stop_fd = stop_fd;
    params.ready_fd = ready_fd;
    params.stop_on_signals = false;
    if (slt_wire_open(&wire, &params, &shared->error) == SLT_LINK_FINE) {
        slt_wire_carry(&wire, &params);
        slt_wire_deinit(&wire);
    }
    _exit(0);
}

static int run_inside(void *ctx)
{
    struct shared *shared = ctx;
    int stop[2];
    int ready[2];
    char byte;
    (void)slt_netns_sysctl("ipv6/conf/default/disable_ipv6", "1");
    if (pipe(stop) < 0 || pipe(ready) < 0) {
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(stop[1]);
        close(ready[0]);
        be_wire(shared, stop[0], ready[1]);
    }
    close(stop[0]);
    close(ready[1]);
    if (pid > 0 && read(ready[0], &byte, 1) == 1) {
        measure(shared);
    }
    close(stop[1]); /* the wire sees it hang up */
    if (pid > 0) {
        (void)waitpid(pid, NULL, 0);
    }
    return pid > 0 ? 0 : 1;
}

enum slt_link_trouble slt_wire_measure(const struct slt_wire_run_params *params,
                                       struct slt_wire_check *check, struct slt_link_error *error)
{
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int result = 0;
    if (shared == MAP_FAILED) {
        return slt_link_error_set(error, SLT_LINK_NO_MEMORY, errno, "no memory to share", NULL);
    }
    *shared = (struct shared){.params = *params};
    if (slt_netns_run(run_inside, shared, &result, error) == SLT_LINK_FINE) {
        *error = shared->error;
        *check = shared->check;
        if (result != 0 && error->trouble == SLT_LINK_FINE) {
            (void)slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, 0,
                                     "the measurement was interrupted", NULL);
        }
    }
    (void)munmap(shared, sizeof(*shared));
    return error->trouble;
}
