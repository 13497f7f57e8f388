/* See trace_linux.h; the rings are described in perf_event_open(2).
 *
 * A tracepoint is opened once for each processor, and the change of state twice: by filters in the
 * kernel, one takes changes that explain themselves, without a call chain, and the other the rest.
 * All of a processor's events share the ring of the first. A wake-up comes when a ring is a
 * quarter full; whoever reads comes by more often than that.
 */
#include "observe/trace_linux.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/kernel_diag_linux.h"
#include "observe/symbols_linux.h"
#include "observe/trace_format.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES      (4U << 20)
#define RING_BYTES_MIN  (64U << 10)
#define CHAIN_MAX       24U /* the causes lie within; on loopback the whole is twice as deep */
#define RECORD_MAX      65536U
#define HOLD_NS         SLT_NS_PER_MS
#define EVENTS_MAX      (1U << 19)
#define SOCKADDR_BYTES  28U
#define ENTRY_PATH_MAX  128
#define PROTOCOL_FILTER "protocol == 6 && "
#define QUIET_FILTER                                                                               \
    "(newstate == 1 || newstate == 2 || newstate == 3 || newstate == 5 || newstate == 10)"

#define IN_USE_FILTER "ret == -98" /* EADDRINUSE */

/* What is opened. */
struct source {
    const char *name; /* below events/ */
    uint8_t kind;
    bool chain;
    bool needed;
    const char *filter; /* NULL: all */
};

enum { SOURCE_MAX = 8 };
static const struct source sources[] = {
    {"sock/inet_sock_set_state", SLT_TRACE_STATE, false, true, QUIET_FILTER},
    {"sock/inet_sock_set_state", SLT_TRACE_STATE, true, true, "!" QUIET_FILTER},
    {"tcp/tcp_send_reset", SLT_TRACE_RESET_SENT, false, false, NULL},
    {"tcp/tcp_receive_reset", SLT_TRACE_RESET_RECEIVED, false, false, NULL},
    {"tcp/tcp_retransmit_skb", SLT_TRACE_RETRANSMIT, false, false, NULL},
    {"syscalls/sys_exit_bind", SLT_TRACE_IN_USE, false, false, IN_USE_FILTER},
    {"syscalls/sys_exit_listen", SLT_TRACE_IN_USE, false, false, IN_USE_FILTER},
};
_Static_assert(SLT_ARRAY_COUNT(sources) <= SOURCE_MAX, "the table of places is as large");

/* Where the fields lie that are wanted, by source; NULL: this kernel has none. */
struct places {
    struct slt_trace_format format;
    const struct slt_trace_field *socket, *from, *to, *family, *reason;
    const struct slt_trace_field *local_port, *remote_port, *local4, *remote4, *local6, *remote6;
};

struct ring {
    int fd; /* of the first event, which has the ring */
    struct perf_event_mmap_page *page;
    size_t bytes; /* of data */
};

struct identity {
    uint64_t id;
    uint8_t source;
};

struct slt_trace {
    struct places places[SOURCE_MAX];
    struct ring *rings;
    size_t ring_count;
    int *fds;
    struct identity *identities;
    size_t fd_count;
    size_t fd_room;
    struct slt_symbols symbols;
    struct slt_trace_event *events;
    size_t event_count;
    size_t event_room;
    size_t given; /* of the events, handed out by the last read */
    struct slt_trace_counts counts;
    struct slt_pids pids;
    uint8_t record[RECORD_MAX];
};

/* ---- the kernel's descriptions -------------------------------------------------------------- */

static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

static int read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got = read(fd, text, size - 1);
    int result = got < 0 ? -errno : 0;
    text[got < 0 ? 0 : got] = '\0';
    (void)close(fd);
    return result;
}

/* Denied beats absent: it is what has to be told. */
static int read_format(const char *name, struct slt_trace_format *format)
{
    char path[ENTRY_PATH_MAX];
    char text[8192];
    int result = -ENOENT;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(roots); i++) {
        (void)snprintf(path, sizeof(path), "%s/events/%s/format", roots[i], name);
        int tried = read_text(path, text, sizeof(text));
        if (tried == 0) {
            return slt_trace_format_parse(text, format) ? 0 : -EPROTO;
        }
        result = tried == -EACCES || tried == -EPERM ? -EACCES : result;
    }
    return result;
}

static int find_places(struct places *p, const struct source *source)
{
    int result = read_format(source->name, &p->format);
    if (result < 0) {
        return result;
    }
    p->socket = slt_trace_format_find(&p->format, "skaddr");
    p->from = slt_trace_format_find(&p->format, "oldstate");
    p->to = slt_trace_format_find(&p->format, "newstate");
    p->family = slt_trace_format_find(&p->format, "family");
    p->reason = slt_trace_format_find(&p->format, "reason");
    p->local_port = slt_trace_format_find(&p->format, "sport");
    p->remote_port = slt_trace_format_find(&p->format, "dport");
    p->local4 = slt_trace_format_find(&p->format, "saddr");
    p->remote4 = slt_trace_format_find(&p->format, "daddr");
    p->local6 = slt_trace_format_find(&p->format, "saddr_v6");
    p->remote6 = slt_trace_format_find(&p->format, "daddr_v6");
    bool has_socket = p->socket != NULL || source->kind == SLT_TRACE_IN_USE;
    return has_socket ? 0 : -EPROTO;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int open_event(struct perf_event_attr *attr, int cpu)
{
    long fd = syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

static void common_attributes(struct perf_event_attr *attr)
{
    attr->size = sizeof(*attr);
    attr->sample_period = 1;
    attr->disabled = 1;
    attr->use_clockid = 1;
    attr->clockid = CLOCK_MONOTONIC;
    attr->watermark = 1;
    attr->wakeup_watermark = RING_BYTES / 4;
}

static bool keep_fd(struct slt_trace *t, int fd, uint8_t source)
{
    if (t->fd_count == t->fd_room) {
        size_t room = t->fd_room == 0 ? 64 : t->fd_room * 2;
        int *fds = realloc(t->fds, room * sizeof(*fds));
        t->fds = fds == NULL ? t->fds : fds;
        struct identity *ids = realloc(t->identities, room * sizeof(*ids));
        t->identities = ids == NULL ? t->identities : ids;
        if (fds == NULL || ids == NULL) {
            (void)close(fd);
            return false;
        }
        t->fd_room = room;
    }
    struct identity identity = {.source = source};
    if (ioctl(fd, PERF_EVENT_IOC_ID, &identity.id) < 0) {
        (void)close(fd);
        return false;
    }
    t->identities[t->fd_count] = identity;
    t->fds[t->fd_count++] = fd;
    return true;
}

/* As large a ring as may be locked in memory. */
static int map_ring(struct slt_trace *t, int fd)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = RING_BYTES;
    void *at = MAP_FAILED;
    while (at == MAP_FAILED && bytes >= RING_BYTES_MIN) {
        at = mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        bytes = at == MAP_FAILED ? bytes / 2 : bytes;
    }
    if (at == MAP_FAILED) {
        return -errno;
    }
    t->rings[t->ring_count++] = (struct ring){.fd = fd, .page = at, .bytes = bytes};
    t->counts.ring_bytes += bytes;
    return 0;
}

/* Notices of new processes and programs: an event that never happens carries them. */
static int open_notices(struct slt_trace *t, int cpu)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_DUMMY, .comm = 1, .task = 1};
    common_attributes(&attr);
    int fd = open_event(&attr, cpu);
    if (fd < 0) {
        return fd;
    }
    if (!keep_fd(t, fd, SOURCE_MAX)) {
        return -ENOMEM;
    }
    return map_ring(t, fd);
}

static int set_filter(const struct source *source, const struct places *p, int fd)
{
    char text[256];
    if (source->filter == NULL) {
        return 0;
    }
    bool has_protocol = slt_trace_format_find(&p->format, "protocol") != NULL;
    (void)snprintf(text, sizeof(text), "%s%s", has_protocol ? PROTOCOL_FILTER : "", source->filter);
    return ioctl(fd, PERF_EVENT_IOC_SET_FILTER, text) < 0 ? -errno : 0;
}

static int open_source(struct slt_trace *t, uint8_t index, int cpu)
{
    const struct source *source = &sources[index];
    const struct places *p = &t->places[index];
    struct perf_event_attr attr = {
        .type = PERF_TYPE_TRACEPOINT,
        .config = p->format.id,
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
                       PERF_SAMPLE_RAW | (source->chain ? (uint64_t)PERF_SAMPLE_CALLCHAIN : 0),
        .exclude_callchain_user = 1,
        .sample_max_stack = source->chain ? CHAIN_MAX : 0,
    };
    common_attributes(&attr);
    int fd = open_event(&attr, cpu);
    if (fd < 0) {
        return fd;
    }
    int result = set_filter(source, p, fd);
    if (result == 0 && ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, t->rings[t->ring_count - 1].fd) < 0) {
        result = -errno;
    }
    if (result < 0) {
        (void)close(fd);
        return result;
    }
    return keep_fd(t, fd, index) ? 0 : -ENOMEM;
}

static int open_cpu(struct slt_trace *t, int cpu)
{
    int result = open_notices(t, cpu);
    for (uint8_t i = 0; i < SLT_ARRAY_COUNT(sources) && result == 0; i++) {
        if (t->places[i].format.id != 0) {
            result = open_source(t, i, cpu);
        }
    }
    return result;
}

static int open_cpus(struct slt_trace *t)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    t->rings = calloc((size_t)(cpus < 1 ? 1 : cpus), sizeof(*t->rings));
    if (t->rings == NULL) {
        return -ENOMEM;
    }
    for (int cpu = 0; cpu < cpus; cpu++) {
        int result = open_cpu(t, cpu);
        if (result < 0 && result != -ENODEV) { /* a processor may be off */
            return result;
        }
    }
    for (size_t i = 0; i < t->fd_count; i++) {
        if (ioctl(t->fds[i], PERF_EVENT_IOC_ENABLE, 0) < 0) {
            return -errno;
        }
    }
    return t->ring_count > 0 ? 0 : -ENODEV;
}

/* What would have to be otherwise. */
static void explain_formats(int result, char *why, size_t size)
{
    if (result == -EACCES) {
        (void)snprintf(why, size,
                       "the kernel's tracepoints may be read by root alone "
                       "(/sys/kernel/tracing is not readable)");
    } else if (result == -ENOENT) {
        (void)snprintf(why, size,
                       "there are no tracepoints to read: is tracefs mounted? As root: mount -t "
                       "tracefs tracefs /sys/kernel/tracing");
    } else {
        (void)snprintf(why, size, "the kernel's tracepoints cannot be read: %s", strerror(-result));
    }
}

static int read_formats(struct slt_trace *t, bool calls)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(sources); i++) {
        if (sources[i].kind == SLT_TRACE_IN_USE && !calls) {
            continue;
        }
        int result = find_places(&t->places[i], &sources[i]);
        if (result < 0 && sources[i].needed) {
            return result;
        }
        if (result < 0) {
            t->places[i].format.id = 0;
        }
    }
    return 0;
}

static int open_all(struct slt_trace *t, bool calls, char *why, size_t size)
{
    int result = read_formats(t, calls);
    if (result < 0) {
        explain_formats(result, why, size);
        return result;
    }
    result = slt_symbols_read("/proc/kallsyms", &t->symbols);
    if (result < 0) {
        (void)snprintf(why, size,
                       "the kernel hides the addresses of its functions (/proc/kallsyms); root "
                       "sees them, unless kernel.kptr_restrict is 2");
        return result;
    }
    result = open_cpus(t);
    if (result == -EACCES || result == -EPERM) {
        (void)snprintf(why, size,
                       "perf_event_open is not permitted: CAP_PERFMON is missing "
                       "(kernel.perf_event_paranoid)");
    } else if (result < 0) {
        (void)snprintf(why, size, "perf_event_open fails: %s", strerror(-result));
    }
    return result;
}

int slt_trace_open(struct slt_trace **trace, bool calls, char *why, size_t size)
{
    struct slt_trace *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        (void)snprintf(why, size, "out of memory");
        return -ENOMEM;
    }
    int result = open_all(t, calls, why, size);
    if (result < 0) {
        slt_trace_close(t);
        return result;
    }
    *trace = t;
    return 0;
}

void slt_trace_close(struct slt_trace *t)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < t->ring_count; i++) {
        (void)munmap(t->rings[i].page, t->rings[i].bytes + page);
    }
    for (size_t i = 0; i < t->fd_count; i++) {
        (void)close(t->fds[i]);
    }
    slt_symbols_free(&t->symbols);
    free(t->rings);
    free(t->fds);
    free(t->identities);
    free(t->events);
    free(t);
}

/* ---- records -------------------------------------------------------------------------------- */

/* A record under reading. */
struct cursor {
    const uint8_t *at;
    size_t left;
};

/* What is cut short holds nothing more that counts. */
static void take(struct cursor *c, void *value, size_t bytes)
{
    if (c->left < bytes) {
        c->left = 0;
        return;
    }
    memcpy(value, c->at, bytes);
    c->at += bytes;
    c->left -= bytes;
}

static uint64_t take_u64(struct cursor *c)
{
    uint64_t value = 0;
    take(c, &value, sizeof(value));
    return value;
}

static uint32_t take_u32(struct cursor *c)
{
    uint32_t value = 0;
    take(c, &value, sizeof(value));
    return value;
}

static uint32_t take_chain(struct slt_trace *t, struct cursor *c)
{
    uint64_t chain[CHAIN_MAX + 8] = {0};
    uint64_t count = take_u64(c);
    if (count > c->left / sizeof(chain[0])) {
        c->left = 0;
        return 0;
    }
    size_t used = count < SLT_ARRAY_COUNT(chain) ? (size_t)count : SLT_ARRAY_COUNT(chain);
    memcpy(chain, c->at, used * sizeof(chain[0]));
    c->at += count * sizeof(chain[0]);
    c->left -= (size_t)count * sizeof(chain[0]);
    return slt_symbols_frames(&t->symbols, chain, used);
}

static void copy_v4(salut_addr *addr, const uint8_t *bytes)
{
    addr->b[10] = addr->b[11] = 0xff;
    memcpy(addr->b + 12, bytes, 4);
}

/* An address of its own field, of 4 or 16 bytes. */
static void take_address(salut_addr *addr, const struct slt_trace_field *field,
                         const struct cursor *raw)
{
    if (field == NULL || field->offset > raw->left || field->bytes > raw->left - field->offset) {
        return;
    }
    const uint8_t *bytes = raw->at + field->offset;
    if (field->bytes == 4) {
        copy_v4(addr, bytes);
    } else if (field->bytes == 16) {
        memcpy(addr->b, bytes, 16);
    }
}

/* A struct sockaddr_in or _in6; its family, 0 when there is none. */
static uint8_t take_sockaddr(salut_addr *addr, uint16_t *port, const struct slt_trace_field *field,
                             const struct cursor *raw)
{
    uint16_t family;
    if (field == NULL || field->bytes != SOCKADDR_BYTES || field->offset > raw->left ||
        SOCKADDR_BYTES > raw->left - field->offset) {
        return 0;
    }
    const uint8_t *b = raw->at + field->offset;
    memcpy(&family, b, sizeof(family));
    *port = (uint16_t)(b[2] << 8 | b[3]);
    if (family == AF_INET6) {
        memcpy(addr->b, b + 8, 16);
        return 6;
    }
    copy_v4(addr, b + 4);
    return 4;
}

static void take_fields(const struct places *p, const struct cursor *raw, struct slt_trace_event *e)
{
    const uint8_t *data = raw->at;
    size_t bytes = raw->left;
    e->socket = slt_trace_field_read(p->socket, data, bytes, 0);
    e->reason = (uint32_t)slt_trace_field_read(p->reason, data, bytes, 0);
    if (p->local_port == NULL) {
        e->family = take_sockaddr(&e->local, &e->local_port, p->local4, raw);
        (void)take_sockaddr(&e->remote, &e->remote_port, p->remote4, raw);
        return;
    }
    bool v6 = slt_trace_field_read(p->family, data, bytes, AF_INET) == AF_INET6;
    e->family = v6 ? 6 : 4;
    e->local_port = (uint16_t)slt_trace_field_read(p->local_port, data, bytes, 0);
    e->remote_port = (uint16_t)slt_trace_field_read(p->remote_port, data, bytes, 0);
    take_address(&e->local, v6 ? p->local6 : p->local4, raw);
    take_address(&e->remote, v6 ? p->remote6 : p->remote4, raw);
}

static struct slt_trace_event *new_event(struct slt_trace *t)
{
    if (t->event_count == t->event_room) {
        size_t room = t->event_room == 0 ? 4096 : t->event_room * 2;
        struct slt_trace_event *events =
            room > EVENTS_MAX ? NULL : realloc(t->events, room * sizeof(*events));
        if (events == NULL) {
            t->counts.lost++;
            return NULL;
        }
        t->events = events;
        t->event_room = room;
    }
    return &t->events[t->event_count++];
}

/* A ring holds few identities in turn; the table is short. */
static const struct identity *identify(const struct slt_trace *t, uint64_t id)
{
    for (size_t i = 0; i < t->fd_count; i++) {
        if (t->identities[i].id == id) {
            return &t->identities[i];
        }
    }
    return NULL;
}

static void take_sample(struct slt_trace *t, struct cursor c)
{
    const struct identity *identity = identify(t, take_u64(&c));
    if (identity == NULL || identity->source >= SLT_ARRAY_COUNT(sources)) {
        return;
    }
    const struct source *source = &sources[identity->source];
    const struct places *p = &t->places[identity->source];
    uint32_t pid = take_u32(&c);
    (void)take_u32(&c); /* the thread */
    uint64_t at = take_u64(&c);
    uint32_t frames = source->chain ? take_chain(t, &c) : 0;
    uint32_t bytes = take_u32(&c);
    struct slt_trace_event *e = bytes > c.left ? NULL : new_event(t);
    if (e == NULL) {
        return;
    }
    struct cursor raw = {c.at, bytes};
    memset(e, 0, sizeof(*e));
    e->at_ns = (int64_t)at;
    e->kind = source->kind;
    e->frames = frames;
    e->pid = (int32_t)pid;
    take_fields(p, &raw, e);
    e->from =
        (uint8_t)slt_kernel_state((uint32_t)slt_trace_field_read(p->from, raw.at, raw.left, 0));
    e->to = (uint8_t)slt_kernel_state((uint32_t)slt_trace_field_read(p->to, raw.at, raw.left, 0));
    t->counts.events++;
    t->counts.changes += e->kind == SLT_TRACE_STATE;
}

static void take_record(struct slt_trace *t, const struct perf_event_header *header,
                        struct cursor c)
{
    uint32_t pid;
    uint32_t other;
    switch (header->type) {
    case PERF_RECORD_SAMPLE:
        take_sample(t, c);
        break;
    case PERF_RECORD_LOST:
        (void)take_u64(&c);
        t->counts.lost += take_u64(&c);
        break;
    case PERF_RECORD_COMM:
        pid = take_u32(&c);
        other = take_u32(&c); /* a thread's name is not its process's */
        if (pid == other && c.left > 0 && memchr(c.at, '\0', c.left) != NULL) {
            slt_pids_named(&t->pids, (int32_t)pid, (const char *)c.at);
        }
        break;
    case PERF_RECORD_FORK:
        pid = take_u32(&c);
        other = take_u32(&c);
        slt_pids_forked(&t->pids, (int32_t)pid, (int32_t)other);
        break;
    default:
        break;
    }
}

/* A copy of ring bytes that may go over its end. */
static void copy_out(const struct ring *ring, uint64_t from, void *to, size_t bytes)
{
    const uint8_t *data = (const uint8_t *)ring->page + ring->page->data_offset;
    size_t at = (size_t)(from % ring->bytes);
    size_t first = ring->bytes - at < bytes ? ring->bytes - at : bytes;
    memcpy(to, data + at, first);
    memcpy((uint8_t *)to + first, data, bytes - first);
}

/* The page's positions lie at multiples of eight, also where an integer of eight bytes need not. */
typedef uint64_t position_in_page __attribute__((aligned(8), may_alias));

static position_in_page *position_at(void *field)
{
    return field;
}

static void drain(struct slt_trace *t, struct ring *ring)
{
    struct perf_event_header header;
    uint64_t head = __atomic_load_n(position_at(&ring->page->data_head), __ATOMIC_ACQUIRE);
    uint64_t tail = ring->page->data_tail;
    t->counts.wakes += head != tail;
    while (tail + sizeof(header) <= head) {
        copy_out(ring, tail, &header, sizeof(header));
        if (header.size < sizeof(header) || header.size > head - tail) {
            break; /* cannot be: the kernel writes whole records */
        }
        copy_out(ring, tail, t->record, header.size);
        take_record(t, &header,
                    (struct cursor){t->record + sizeof(header), header.size - sizeof(header)});
        tail += header.size;
    }
    __atomic_store_n(position_at(&ring->page->data_tail), tail, __ATOMIC_RELEASE);
}

/* ---- the door ------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct slt_trace_event *x = a;
    const struct slt_trace_event *y = b;
    return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

size_t slt_trace_fds(const struct slt_trace *t, struct pollfd *fds, size_t max)
{
    size_t count = t->ring_count < max ? t->ring_count : max;
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = t->rings[i].fd, .events = POLLIN};
    }
    return count;
}

size_t slt_trace_read(struct slt_trace *t, bool all, const struct slt_trace_event **events)
{
    int64_t horizon = slt_runner_clock() - HOLD_NS;
    t->event_count -= t->given;
    if (t->event_count > 0) {
        memmove(t->events, t->events + t->given, t->event_count * sizeof(*t->events));
    }
    for (size_t i = 0; i < t->ring_count; i++) {
        drain(t, &t->rings[i]);
    }
    if (t->event_count > 1) {
        qsort(t->events, t->event_count, sizeof(*t->events), by_time);
    }
    t->given = t->event_count;
    while (!all && t->given > 0 && t->events[t->given - 1].at_ns > horizon) {
        t->given--;
    }
    *events = t->events;
    return t->given;
}

/* The counts are read before the rings: what comes in between is in a ring, and not missed. */
uint64_t slt_trace_missed(struct slt_trace *t)
{
    uint64_t counted = 0;
    for (size_t i = 0; i < t->fd_count; i++) {
        uint64_t count = 0;
        uint8_t source = t->identities[i].source;
        bool is_change =
            source < SLT_ARRAY_COUNT(sources) && sources[source].kind == SLT_TRACE_STATE;
        if (is_change && read(t->fds[i], &count, sizeof(count)) == (ssize_t)sizeof(count)) {
            counted += count;
        }
    }
    for (size_t i = 0; i < t->ring_count; i++) {
        drain(t, &t->rings[i]);
    }
    uint64_t known = t->counts.changes + t->counts.lost;
    return counted > known ? counted - known : 0;
}

struct slt_pids *slt_trace_pids(struct slt_trace *t)
{
    return &t->pids;
}

const struct slt_trace_counts *slt_trace_counts(const struct slt_trace *t)
{
    return &t->counts;
}
