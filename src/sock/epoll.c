/* An epoll set over descriptors of the table.
 *
 * Level-triggered entries are read off poll bits. An edge-triggered entry fires when a bit appears
 * that was not there at the last wait, or when something arrived since (SOCK-45): progress is
 * summed up in one number per descriptor that changes with every arrival, and that includes the
 * calls answered with -EAGAIN, so that a program which drained its descriptor between two waits
 * hears of what came after.
 *
 * An entry belongs to one object, told by its serial number: when the descriptor was closed, the
 * entry is dropped at the next wait, as the system does it at close.
 */
#include "sock/inside.h"
#include "sock/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define ENTRIES_AT_FIRST 16U

/* Nobody has to ask for these. */
#define ALWAYS ((uint32_t)EPOLLERR | (uint32_t)EPOLLHUP)
#define MODES  ((uint32_t)EPOLLET | (uint32_t)EPOLLONESHOT)

struct entry {
    int fd;
    uint64_t serial;
    struct epoll_event event;
    uint32_t seen;     /* bits at the last wait */
    uint64_t progress; /* number of arrivals at the last wait */
    bool fresh;        /* not looked at since it was added or changed */
};

struct slt_epoll {
    struct entry *entries;
    uint32_t count;
    uint32_t room;
    uint32_t next; /* where the next wait starts, so that nobody starves */
};

int salut_sock_epoll_create(struct salut_socks *socks, int flags)
{
    struct slt_sock *sock;
    if ((flags & ~EPOLL_CLOEXEC) != 0) {
        return -EINVAL;
    }
    struct slt_epoll *epoll = socks->alloc(socks->alloc_ctx, sizeof(*epoll));
    if (epoll == NULL) {
        return -ENOMEM;
    }
    memset(epoll, 0, sizeof(*epoll));
    int fd = slt_sock_new(socks, SLT_SOCK_EPOLL, &sock);
    if (fd < 0) {
        socks->free(socks->alloc_ctx, epoll, sizeof(*epoll));
        return fd;
    }
    sock->epoll = epoll;
    sock->close_on_exec = (flags & EPOLL_CLOEXEC) != 0;
    return fd;
}

void slt_epoll_free(struct salut_socks *socks, struct slt_epoll *epoll)
{
    if (epoll->entries != NULL) {
        socks->free(socks->alloc_ctx, epoll->entries, epoll->room * sizeof(*epoll->entries));
    }
    socks->free(socks->alloc_ctx, epoll, sizeof(*epoll));
}

static void remove_at(struct slt_epoll *epoll, uint32_t at)
{
    epoll->count--;
    epoll->entries[at] = epoll->entries[epoll->count];
}

static void drop_closed(const struct salut_socks *socks, struct slt_epoll *epoll)
{
    for (uint32_t i = 0; i < epoll->count;) {
        const struct slt_sock *sock = slt_sock_at(socks, epoll->entries[i].fd);
        if (sock != NULL && sock->serial == epoll->entries[i].serial) {
            i++;
        } else {
            remove_at(epoll, i);
        }
    }
}

/* The entry of a live object. */
static struct entry *find_entry(const struct slt_epoll *epoll, int fd, uint64_t serial)
{
    for (uint32_t i = 0; i < epoll->count; i++) {
        if (epoll->entries[i].fd == fd && epoll->entries[i].serial == serial) {
            return &epoll->entries[i];
        }
    }
    return NULL;
}

static bool grow(struct salut_socks *socks, struct slt_epoll *epoll)
{
    uint32_t room = epoll->room == 0 ? ENTRIES_AT_FIRST : epoll->room * 2;
    struct entry *entries = socks->alloc(socks->alloc_ctx, room * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    if (epoll->entries != NULL) {
        memcpy(entries, epoll->entries, epoll->count * sizeof(*entries));
        socks->free(socks->alloc_ctx, epoll->entries, epoll->room * sizeof(*entries));
    }
    epoll->entries = entries;
    epoll->room = room;
    return true;
}

static int add(struct salut_socks *socks, struct slt_epoll *epoll, const struct entry *entry)
{
    if (epoll->count == epoll->room && !grow(socks, epoll)) {
        return -ENOMEM;
    }
    epoll->entries[epoll->count] = *entry;
    epoll->count++;
    return 0;
}

int salut_sock_epoll_ctl(struct salut_socks *socks, int epoll_fd, int op, int fd,
                         struct epoll_event *event)
{
    struct slt_sock *set = slt_sock_at(socks, epoll_fd);
    struct slt_sock *sock = slt_sock_at(socks, fd);
    if (set == NULL || sock == NULL) {
        return -EBADF;
    }
    if (set->kind != SLT_SOCK_EPOLL || set == sock || (event == NULL && op != EPOLL_CTL_DEL)) {
        return -EINVAL;
    }
    if (sock->kind == SLT_SOCK_EPOLL) {
        return -EPERM; /* sets within sets are not watched here */
    }
    struct entry *entry = find_entry(set->epoll, fd, sock->serial);
    if (op == EPOLL_CTL_ADD) {
        struct entry made = {.fd = fd, .serial = sock->serial, .event = *event, .fresh = true};
        return entry != NULL ? -EEXIST : add(socks, set->epoll, &made);
    }
    if (op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL) {
        return -EINVAL;
    }
    if (entry == NULL) {
        return -ENOENT;
    }
    if (op == EPOLL_CTL_DEL) {
        remove_at(set->epoll, (uint32_t)(entry - set->epoll->entries));
    } else {
        entry->event = *event;
        entry->fresh = true;
    }
    return 0;
}

/* A number that changes whenever something arrived. */
static uint64_t progress_of(const struct salut_socks *socks, const struct slt_sock *sock)
{
    struct salut_info info;
    if (sock->phase == SLT_SOCK_LISTENING) {
        /* Completed handshakes of the whole instance: at worst an event too many. */
        return slt_inside_telemetry(socks->stack)->counters[SLT_CAUSE_SYN_ACKED] +
               sock->would_blocks;
    }
    if (!slt_sock_info(socks, sock, &info)) {
        return sock->would_blocks;
    }
    if (sock->kind == SLT_SOCK_DGRAM) {
        return (uint64_t)info.segs_in + sock->would_blocks;
    }
    return (uint64_t)info.recv_nxt + sock->would_blocks;
}

static uint32_t look_at(const struct salut_socks *socks, const struct slt_sock *sock,
                        struct entry *e)
{
    uint32_t bits = (uint32_t)(uint16_t)slt_sock_poll_bits(socks, sock);
    uint32_t wanted = e->event.events & ~MODES;
    if (wanted == 0 && (e->event.events & EPOLLONESHOT) != 0) {
        return 0; /* fired once, not armed again */
    }
    uint32_t shown = bits & (wanted | ALWAYS);
    if ((e->event.events & EPOLLET) == 0) {
        return shown;
    }
    uint64_t progress = progress_of(socks, sock);
    bool moved = e->fresh || progress != e->progress || (shown & ~e->seen) != 0;
    e->progress = progress;
    e->seen = shown;
    e->fresh = false;
    return moved ? shown : 0;
}

static void report(struct entry *e, uint32_t bits, struct epoll_event *out)
{
    out->events = bits;
    out->data = e->event.data;
    if ((e->event.events & EPOLLONESHOT) != 0) {
        e->event.events &= MODES;
    }
}

int salut_sock_epoll_wait(struct salut_socks *socks, int epoll_fd, struct epoll_event *events,
                          int max)
{
    const struct slt_sock *set = slt_sock_at(socks, epoll_fd);
    if (set == NULL) {
        return -EBADF;
    }
    if (set->kind != SLT_SOCK_EPOLL || max <= 0 || events == NULL) {
        return -EINVAL;
    }
    struct slt_epoll *epoll = set->epoll;
    drop_closed(socks, epoll);
    int n = 0;
    uint32_t start = epoll->next;
    for (uint32_t i = 0; i < epoll->count && n < max; i++) {
        uint32_t at = (start + i) % epoll->count;
        struct entry *e = &epoll->entries[at];
        uint32_t bits = look_at(socks, slt_sock_at(socks, e->fd), e);
        if (bits != 0) {
            report(e, bits, &events[n]);
            n++;
        }
        epoll->next = at + 1;
    }
    return n;
}
