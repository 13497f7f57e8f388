/* See recorder_linux.h.
 *
 * The destroy multicast of sock_diag tells the final numbers of each full socket of this network
 * namespace; it is read in batches, and an overrun (ENOBUFS) is counted. They wait for the changes
 * before them, which are held back for a moment to be put in order (trace_linux.h).
 */
#include "observe/recorder_linux.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/kernel_diag_linux.h"
#include "observe/owner_linux.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC          UINT64_C(0x324452524c5453ff) /* and the layout's version */
#define PATH_BYTES     512
#define FDS_MAX        256U
#define BATCH          64U
#define MESSAGE_BYTES  1024U
#define RECEIVE_BUFFER (8 * 1024 * 1024)
#define FINALS_MAX     8192U
#define FINAL_WAITS_NS (3 * SLT_NS_PER_MS)

struct head {
    uint64_t magic;
    uint32_t entry_bytes;
    uint32_t room;
    int64_t began_ns;
    uint8_t pad[4096 - 24];
};
_Static_assert(sizeof(struct head) == 4096, "entries begin at a page");

struct final {
    int64_t at_ns; /* when it was read */
    struct slt_seen seen;
};

struct slt_recording {
    struct slt_recording_ask ask;
    struct slt_trace *trace;
    struct slt_recorder *recorder;
    struct head *head; /* mapped, entries behind it */
    size_t bytes;
    int lock_fd; /* -1: not shared */
    char path[PATH_BYTES];
    int netlink_fd;
    uint64_t netns; /* that the final numbers are of */
    uint64_t finals_lost;
    uint64_t missed;      /* of all that never arrived */
    struct final *finals; /* in order of time */
    size_t final_count;
    struct pollfd fds[FDS_MAX];
    size_t fd_count;
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    uint8_t buffer[BATCH][MESSAGE_BYTES];
};

/* ---- the file ------------------------------------------------------------------------------- */

static bool find_path(char path[PATH_BYTES], bool make)
{
    const char *named = getenv("SALUT_RECORDER");
    const char *run = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (named != NULL && named[0] != '\0') {
        return (size_t)snprintf(path, PATH_BYTES, "%s", named) < PATH_BYTES;
    }
    if (run == NULL || (size_t)snprintf(path, PATH_BYTES, "%s/salut", run) >= PATH_BYTES - 16) {
        return false;
    }
    if (make) {
        (void)mkdir(path, 0700); /* shared with the control sockets, whose owner looks alone */
    }
    (void)strcat(path, "/recorder");
    return true;
}

static size_t bytes_of(uint32_t room)
{
    return sizeof(struct head) + (size_t)room * sizeof(struct slt_recorded);
}

/* Is the file of another recorder there? One that was left behind goes: it is never cut short, for
 * somebody may be reading it. */
static bool is_taken(const char *path)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool taken = fd >= 0;
    for (unsigned i = 0; i < 3 && taken; i++) { /* a reader's look at the lock is short */
        taken = flock(fd, LOCK_EX | LOCK_NB) < 0;
        if (taken) {
            (void)nanosleep(&moment, NULL);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return taken;
}

/* Make and lock the file; -1 when it cannot be had, or another recorder has it. */
static int open_shared(char path[PATH_BYTES], size_t bytes)
{
    if (!find_path(path, true) || is_taken(path)) {
        return -1;
    }
    (void)unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || ftruncate(fd, (off_t)bytes) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int map_table(struct slt_recording *r)
{
    r->bytes = bytes_of(r->ask.room);
    r->lock_fd = r->ask.alone ? -1 : open_shared(r->path, r->bytes);
    int flags = r->lock_fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *at = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, flags, r->lock_fd, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    r->head = at;
    r->head->entry_bytes = sizeof(struct slt_recorded);
    r->head->room = r->ask.room;
    r->head->magic = MAGIC;
    return 0;
}

static struct slt_recorded *table_of(struct head *head)
{
    return (struct slt_recorded *)(void *)(head + 1);
}

/* ---- final numbers -------------------------------------------------------------------------- */

static int open_netlink(void)
{
    int bytes = RECEIVE_BUFFER;
    struct sockaddr_nl here = {.nl_family = AF_NETLINK,
                               .nl_groups = 1U << (SKNLGRP_INET_TCP_DESTROY - 1) |
                                            1U << (SKNLGRP_INET6_TCP_DESTROY - 1)};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    if (bind(fd, (const struct sockaddr *)(const void *)&here, sizeof(here)) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void keep_final(struct slt_recording *r, const uint8_t *data, uint32_t bytes)
{
    struct final *final = &r->finals[r->final_count];
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)data;
    if (NLMSG_OK(h, bytes) && h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
        slt_kernel_diag_parse_final(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0), &final->seen)) {
        final->at_ns = slt_runner_clock();
        final->seen.instance = r->netns;
        r->final_count++;
    }
}

static void keep_finals(struct slt_recording *r)
{
    int got = BATCH;
    while (got == BATCH && r->final_count + BATCH <= FINALS_MAX) {
        for (unsigned i = 0; i < BATCH; i++) {
            r->parts[i] = (struct iovec){r->buffer[i], MESSAGE_BYTES};
            r->messages[i].msg_hdr = (struct msghdr){.msg_iov = &r->parts[i], .msg_iovlen = 1};
        }
        got = recvmmsg(r->netlink_fd, r->messages, BATCH, MSG_DONTWAIT, NULL);
        r->finals_lost += got < 0 && errno == ENOBUFS;
        for (int i = 0; i < got; i++) {
            keep_final(r, r->buffer[i], r->messages[i].msg_len);
        }
    }
}

/* A connection that is still taken for open is worth asking whether changes were missed. */
static void take_final(struct slt_recording *r, const struct final *final)
{
    struct slt_change change;
    const struct slt_recorded *c =
        slt_recorder_finish(r->recorder, &final->seen, final->at_ns, false, &change);
    if (c == NULL && slt_recorder_takes_for_open(r->recorder, &final->seen)) {
        slt_recording_count_missed(r);
        bool missed = r->missed > slt_recorder_counts(r->recorder)->guessed;
        c = missed ? slt_recorder_finish(r->recorder, &final->seen, final->at_ns, true, &change)
                   : NULL;
    }
    if (change.conn != NULL && r->ask.on_change != NULL) {
        r->ask.on_change(r->ask.ctx, &change);
    }
    if (c != NULL && r->ask.on_final != NULL) {
        r->ask.on_final(r->ask.ctx, c);
    }
}

/* Events of before `begun_ns`, when the rings were about to be read, have been taken but for those
 * held back. */
static void take_finals(struct slt_recording *r, bool all, int64_t begun_ns)
{
    size_t given = 0;
    while (given < r->final_count && (all || r->finals[given].at_ns < begun_ns - FINAL_WAITS_NS)) {
        take_final(r, &r->finals[given++]);
    }
    r->final_count -= given;
    memmove(r->finals, r->finals + given, r->final_count * sizeof(*r->finals));
}

/* ---- life ----------------------------------------------------------------------------------- */

/* What was there before the first event; without it, known connections would have no owner. */
static void learn(struct slt_recording *r)
{
    struct slt_seen_list list = {.count = 0};
    struct slt_kernel_ask ask = {.detail = SLT_KERNEL_BRIEF};
    if (slt_kernel_diag(&ask, &list) == 0 && slt_owner_fill(&list, SLT_OWNERS_ANYHOW) == 0) {
        for (size_t i = 0; i < list.count && i < r->ask.room / 2; i++) {
            if (list.items[i].kind != SLT_SEEN_BOUND) {
                slt_recorder_learn(r->recorder, &list.items[i]);
            }
        }
    }
    slt_seen_list_free(&list);
}

static int start(struct slt_recording *r, char *why, size_t size)
{
    int result = slt_trace_open(&r->trace, !r->ask.no_calls, why, size);
    if (result < 0) {
        return result;
    }
    result = map_table(r);
    if (result == 0) {
        r->recorder = slt_recorder_new(table_of(r->head), r->ask.room, slt_trace_pids(r->trace));
    }
    if (r->recorder == NULL) {
        (void)snprintf(why, size, "no memory for %u connections", r->ask.room);
        return -ENOMEM;
    }
    r->finals = r->ask.no_finals ? NULL : calloc(FINALS_MAX, sizeof(*r->finals));
    r->netns = slt_kernel_namespace();
    r->netlink_fd = r->finals == NULL ? -1 : open_netlink();
    r->fd_count = slt_trace_fds(r->trace, r->fds, FDS_MAX);
    learn(r);
    return 0;
}

int slt_recording_start(const struct slt_recording_ask *ask, struct slt_recording **recording,
                        char *why, size_t size)
{
    struct slt_recording *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        (void)snprintf(why, size, "out of memory");
        return -ENOMEM;
    }
    r->ask = *ask;
    r->ask.room = ask->room == 0 ? SLT_RECORDING_ROOM : ask->room;
    r->lock_fd = r->netlink_fd = -1;
    int result = start(r, why, size);
    if (result < 0) {
        slt_recording_stop(r);
        return result;
    }
    *recording = r;
    return 0;
}

int slt_recording_turn(struct slt_recording *r, int timeout_ms, bool all)
{
    const struct slt_trace_event *events;
    struct slt_change change;
    if (timeout_ms > 0 && poll(r->fds, (nfds_t)r->fd_count, timeout_ms) < 0 && errno != EINTR) {
        return -errno;
    }
    if (r->netlink_fd >= 0) {
        keep_finals(r);
    }
    int64_t begun_ns = slt_runner_clock();
    size_t count = slt_trace_read(r->trace, all, &events);
    for (size_t i = 0; i < count; i++) {
        if (slt_recorder_take(r->recorder, events + i, count - i, &change) &&
            r->ask.on_change != NULL) {
            r->ask.on_change(r->ask.ctx, &change);
        }
    }
    if (r->netlink_fd >= 0) {
        take_finals(r, all, begun_ns);
    }
    return 0;
}

void slt_recording_count_missed(struct slt_recording *r)
{
    uint64_t missed = slt_trace_missed(r->trace);
    r->missed = missed > r->missed ? missed : r->missed;
}

void slt_recording_counts(const struct slt_recording *r, struct slt_recording_counts *counts)
{
    *counts = (struct slt_recording_counts){
        .trace = *slt_trace_counts(r->trace),
        .recorder = *slt_recorder_counts(r->recorder),
        .finals_lost = r->finals_lost,
        .missed = r->missed > slt_recorder_counts(r->recorder)->guessed
                      ? r->missed - slt_recorder_counts(r->recorder)->guessed
                      : 0,
        .shared = r->lock_fd >= 0,
    };
}

void slt_recording_stop(struct slt_recording *r)
{
    if (r->lock_fd >= 0) {
        (void)unlink(r->path);
        (void)close(r->lock_fd);
    }
    if (r->netlink_fd >= 0) {
        (void)close(r->netlink_fd);
    }
    if (r->recorder != NULL) {
        slt_recorder_free(r->recorder);
    }
    if (r->head != NULL) {
        (void)munmap(r->head, r->bytes);
    }
    free(r->finals);
    if (r->trace != NULL) {
        slt_trace_close(r->trace);
    }
    free(r);
}

/* ---- what others know of it ----------------------------------------------------------------- */

/* Another's table. */
struct view {
    const struct head *head;
    size_t bytes;
};

static bool is_running(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static bool is_ours(const struct stat *status)
{
    return S_ISREG(status->st_mode) && (status->st_uid == geteuid() || status->st_uid == 0);
}

static bool open_view(struct view *view)
{
    char path[PATH_BYTES];
    struct stat status;
    if (!find_path(path, false)) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    void *at = MAP_FAILED;
    if (is_running(fd) && fstat(fd, &status) == 0 && is_ours(&status) &&
        (size_t)status.st_size > sizeof(struct head)) {
        view->bytes = (size_t)status.st_size;
        at = mmap(NULL, view->bytes, PROT_READ, MAP_SHARED, fd, 0);
    }
    (void)close(fd);
    if (at == MAP_FAILED) {
        return false;
    }
    view->head = at;
    if (view->head->magic != MAGIC || view->head->entry_bytes != sizeof(struct slt_recorded) ||
        view->bytes < bytes_of(view->head->room)) {
        (void)munmap(at, view->bytes);
        return false;
    }
    return true;
}

/* A copy that was not written to while it was made; false: nothing is there. */
static bool copy_entry(const struct slt_recorded *from, struct slt_recorded *to)
{
    for (unsigned tries = 0; tries < 8; tries++) {
        uint32_t turn = __atomic_load_n(&from->turn, __ATOMIC_ACQUIRE);
        if (turn == 0) {
            return false;
        }
        memcpy(to, from, sizeof(*to));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((turn & 1) == 0 && __atomic_load_n(&from->turn, __ATOMIC_RELAXED) == turn) {
            return to->used != 0;
        }
    }
    return false;
}

/* The records by their ends: open addressing, numbers of records plus one. */
struct index {
    uint32_t *places;
    uint32_t mask;
};

static bool build_index(struct index *index, const struct slt_seen_list *list)
{
    uint32_t places = 64;
    while (places < list->count * 2) {
        places *= 2;
    }
    index->mask = places - 1;
    index->places = calloc(places, sizeof(*index->places));
    for (uint32_t i = 0; index->places != NULL && i < list->count; i++) {
        const struct slt_seen *s = &list->items[i];
        uint32_t at = slt_recorded_hash(&s->local, &s->remote, s->local_port, s->remote_port);
        while (index->places[at & index->mask] != 0) {
            at++;
        }
        index->places[at & index->mask] = i + 1;
    }
    return index->places != NULL;
}

static bool is_of(const struct slt_recorded *c, const struct slt_seen *s)
{
    return s->source == SLT_SOURCE_KERNEL && c->local_port == s->local_port &&
           c->remote_port == s->remote_port && c->stands == s->state &&
           (c->netns == 0 || c->netns == s->instance) &&
           memcmp(c->local.b, s->local.b, sizeof(c->local.b)) == 0 &&
           memcmp(c->remote.b, s->remote.b, sizeof(c->remote.b)) == 0;
}

static void complete_history(struct slt_seen *s, const struct slt_recorded *c, int64_t now_ns)
{
    uint32_t kept = c->change_count < SLT_RECORDED_MAX ? c->change_count : SLT_RECORDED_MAX;
    s->history_count = 0;
    for (uint32_t i = c->change_count - kept; i < c->change_count; i++) {
        const struct slt_recorded_change *change = &c->changes[i % SLT_RECORDED_MAX];
        if (s->history_count < SALUT_HISTORY_MAX) {
            s->history[s->history_count++] = (struct salut_history){.at_ns = now_ns - change->at_ns,
                                                                    .from = change->from,
                                                                    .to = change->to,
                                                                    .reason = change->cause};
        }
    }
}

static void complete(struct slt_seen *s, const struct slt_recorded *c, int64_t now_ns)
{
    if (c->since_ns != 0 && now_ns >= c->since_ns) {
        s->age = (struct slt_seen_span){now_ns - c->since_ns, SLT_SPAN_EXACT};
    }
    if (c->opened_ns != 0 && now_ns >= c->opened_ns) {
        s->lifetime = (struct slt_seen_span){now_ns - c->opened_ns, SLT_SPAN_EXACT};
    }
    if (s->passive == SLT_DONT_KNOW) {
        s->passive = c->passive;
    }
    if (c->change_count > 0) {
        const struct slt_recorded_change *last =
            &c->changes[(c->change_count - 1) % SLT_RECORDED_MAX];
        s->cause = last->cause;
        s->cause_certain = last->certain ? SLT_YES : SLT_NO;
        complete_history(s, c, now_ns);
    }
    if (s->pid == SLT_UNKNOWN && c->pid != SLT_UNKNOWN && s->owner != SLT_OWNER_HIDDEN) {
        s->pid = c->pid;
        s->owner = SLT_OWNER_REMEMBERED;
        memcpy(s->program, c->program, sizeof(s->program));
    }
    if (s->bytes_sent == SLT_UNKNOWN) {
        s->bytes_sent = c->bytes_sent;
        s->bytes_received = c->bytes_received;
    }
}

static size_t complete_from(struct slt_seen_list *list, const struct index *index,
                            const struct slt_recorded *c, int64_t now_ns)
{
    uint32_t at = slt_recorded_hash(&c->local, &c->remote, c->local_port, c->remote_port);
    for (; index->places[at & index->mask] != 0; at++) {
        struct slt_seen *s = &list->items[index->places[at & index->mask] - 1];
        bool newer = s->cause == 0 || c->since_ns > now_ns - s->age.ns;
        if (is_of(c, s) && newer) {
            complete(s, c, now_ns);
            return 1;
        }
    }
    return 0;
}

size_t slt_recorded_complete(struct slt_seen_list *list, int64_t now_ns)
{
    struct view view;
    struct index index;
    struct slt_recorded copy;
    size_t known = 0;
    if (list->count == 0 || !open_view(&view)) {
        return 0;
    }
    if (build_index(&index, list)) {
        const struct slt_recorded *table =
            (const struct slt_recorded *)(const void *)(view.head + 1);
        for (uint32_t i = 0; i < view.head->room; i++) {
            if (copy_entry(&table[i], &copy)) {
                known += complete_from(list, &index, &copy, now_ns);
            }
        }
    }
    free(index.places);
    (void)munmap((void *)(uintptr_t)view.head, view.bytes);
    return known;
}

int slt_recorded_read(uint64_t netns, struct slt_past *past)
{
    struct view view;
    struct slt_recorded copy;
    bool fine = true;
    if (!open_view(&view)) {
        return -ENOENT;
    }
    const struct slt_recorded *table = (const struct slt_recorded *)(const void *)(view.head + 1);
    for (uint32_t i = 0; i < view.head->room && fine; i++) {
        bool wanted = copy_entry(&table[i], &copy) && (netns == 0 || copy.netns == netns);
        fine = !wanted || slt_past_add(past, &copy);
    }
    past->now_ns = slt_runner_clock();
    (void)munmap((void *)(uintptr_t)view.head, view.bytes);
    return fine ? 0 : -ENOMEM;
}
