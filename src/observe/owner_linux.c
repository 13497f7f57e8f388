/* See owner_linux.h.
 *
 * The walk is nearly all of the cost of a listing with owners: two system calls a process and one a
 * descriptor. Directories are read with getdents64 into one buffer, links with readlinkat relative
 * to the open directory, and wanted inodes are looked up in a table of open addressing that is
 * never more than half full.
 *
 * For many sockets several threads share the processes: each takes the next one that nobody has
 * and notes what it sees; afterwards the notes are told in the order of processes, so that the
 * result is the same as that of one thread.
 */
#include "observe/owner_linux.h"

#include "base/compiler.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES_BYTES      (64U * 1024U)
#define THREADS_MAX        4U
#define SOCKETS_PER_THREAD 2000U /* below that a thread costs more than it saves */

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

/* Wanted inodes: 0 is an empty place. */
struct wanted {
    uint64_t *places;
    atomic_bool *seen;
    size_t mask;
    atomic_size_t left; /* not yet seen */
};

struct sights {
    struct slt_owner_sight *items;
    size_t count;
    size_t room;
    bool complete; /* false: there was no memory for more */
};

/* What all walkers share. */
struct walk {
    int proc_fd;
    int32_t *pids; /* in the order of /proc */
    size_t pid_count;
    atomic_size_t next; /* whose turn it is */
    struct wanted wanted;
    bool all;
};

/* One thread. */
struct walker {
    struct walk *walk;
    uint8_t *entries; /* ENTRIES_BYTES */
    struct sights sights;
    struct slt_owner_walk sum;
    int32_t pid; /* being looked at */
    pthread_t thread;
    bool runs; /* as a thread of its own */
};

/* ---- wanted inodes -------------------------------------------------------------------------- */

static size_t place_of(const struct wanted *wanted, uint64_t inode)
{
    size_t at = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 20) & wanted->mask;
    while (wanted->places[at] != 0 && wanted->places[at] != inode) {
        at = (at + 1) & wanted->mask;
    }
    return at;
}

static bool want(struct wanted *wanted, const uint64_t *inodes, size_t count)
{
    size_t room = 64;
    size_t left = 0;
    while (room < count * 2) {
        room *= 2;
    }
    wanted->mask = room - 1;
    wanted->places = calloc(room, sizeof(*wanted->places));
    wanted->seen = calloc(room, sizeof(*wanted->seen));
    if (wanted->places == NULL || wanted->seen == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = place_of(wanted, inodes[i]);
        left += inodes[i] != 0 && wanted->places[at] == 0;
        wanted->places[at] = inodes[i];
    }
    atomic_init(&wanted->left, left);
    return true;
}

/* ---- one process ---------------------------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t *value)
{
    *value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && *value < UINT64_MAX / 16; at++) {
        *value = *value * 10 + (uint64_t)(*at - '0');
    }
    return at != text && (*at == '\0' || *at == ']');
}

static void note(struct sights *sights, const struct slt_owner_sight *sight)
{
    if (sights->count == sights->room) {
        size_t room = sights->room == 0 ? 256 : sights->room * 2;
        struct slt_owner_sight *items = realloc(sights->items, room * sizeof(*items));
        if (items == NULL) {
            sights->complete = false;
            return;
        }
        sights->items = items;
        sights->room = room;
    }
    sights->items[sights->count++] = *sight;
}

static void look_at_link(struct walker *w, int dir_fd, const char *name)
{
    static const char prefix[] = "socket:[";
    struct wanted *wanted = &w->walk->wanted;
    char link[40];
    uint64_t inode;
    uint64_t fd;
    w->sum.descriptors++;
    ssize_t got = readlinkat(dir_fd, name, link, sizeof(link) - 1);
    if (got <= (ssize_t)sizeof(prefix) || memcmp(link, prefix, sizeof(prefix) - 1) != 0) {
        return;
    }
    link[got] = '\0';
    if (!parse_number(link + sizeof(prefix) - 1, &inode) || !parse_number(name, &fd)) {
        return;
    }
    size_t at = place_of(wanted, inode);
    if (wanted->places[at] == 0) {
        return;
    }
    if (!atomic_exchange_explicit(&wanted->seen[at], true, memory_order_relaxed)) {
        (void)atomic_fetch_sub_explicit(&wanted->left, 1, memory_order_relaxed);
    }
    note(&w->sights, &(struct slt_owner_sight){.pid = w->pid, .fd = (int32_t)fd, .inode = inode});
}

/* Nothing is left to be found. */
static bool is_done(const struct walk *walk)
{
    return !walk->all && atomic_load_explicit(&walk->wanted.left, memory_order_relaxed) == 0;
}

/* The entries of a directory whose name is a number, to `look`. */
static void each_number(struct walker *w, int dir_fd,
                        void (*look)(struct walker *w, int dir_fd, const char *name))
{
    long got;
    while ((got = syscall(SYS_getdents64, dir_fd, w->entries, ENTRIES_BYTES)) > 0) {
        for (long at = 0; at < got && !is_done(w->walk);) {
            const struct entry *entry = (const struct entry *)(const void *)(w->entries + at);
            if (entry->name[0] >= '0' && entry->name[0] <= '9') {
                look(w, dir_fd, entry->name);
            }
            at += entry->bytes;
        }
        if (is_done(w->walk)) {
            return;
        }
    }
}

static void look_at_process(struct walker *w)
{
    char path[40];
    (void)snprintf(path, sizeof(path), "%d/fd", w->pid);
    w->sum.processes++;
    int fd = openat(w->walk->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        w->sum.hidden++;
        return;
    }
    each_number(w, fd, look_at_link);
    (void)close(fd);
}

static void *work(void *ctx)
{
    struct walker *w = ctx;
    size_t mine;
    while (!is_done(w->walk) && (mine = atomic_fetch_add(&w->walk->next, 1)) < w->walk->pid_count) {
        w->pid = w->walk->pids[mine];
        look_at_process(w);
    }
    return NULL;
}

/* ---- the walk ------------------------------------------------------------------------------- */

/* The processes, into walk->pids; `room` is as many as were asked for last. */
static void add_pid(struct walker *w, int dir_fd, const char *name)
{
    struct walk *walk = w->walk;
    uint64_t pid;
    (void)dir_fd;
    if (!parse_number(name, &pid) || pid > INT32_MAX) {
        return;
    }
    if ((walk->pid_count & (walk->pid_count - 1)) == 0) { /* full at powers of two */
        size_t room = walk->pid_count == 0 ? 1 : walk->pid_count * 2;
        int32_t *pids = realloc(walk->pids, room * sizeof(*pids));
        if (pids == NULL) {
            return;
        }
        walk->pids = pids;
    }
    walk->pids[walk->pid_count++] = (int32_t)pid;
}

static bool prepare(struct walker *w)
{
    w->entries = malloc(ENTRIES_BYTES);
    w->sights.complete = true;
    return w->entries != NULL;
}

static size_t count_threads(size_t wanted)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = processors > 1 ? (size_t)processors : 1;
    size_t worth = 1 + wanted / SOCKETS_PER_THREAD;
    most = most < worth ? most : worth;
    return most < THREADS_MAX ? most : THREADS_MAX;
}

static void walk_all(struct walker walkers[THREADS_MAX], size_t count)
{
    for (size_t i = 1; i < count; i++) {
        walkers[i].walk = walkers[0].walk;
        walkers[i].runs = prepare(&walkers[i]) &&
                          pthread_create(&walkers[i].thread, NULL, work, &walkers[i]) == 0;
    }
    (void)work(&walkers[0]);
    for (size_t i = 1; i < count; i++) {
        if (walkers[i].runs) {
            (void)pthread_join(walkers[i].thread, NULL);
        }
    }
}

/* What all of them noted, process by process: each walker met processes in their order. */
static void tell(const struct walk *walk, const struct walker walkers[THREADS_MAX],
                 void (*on_sight)(void *ctx, const struct slt_owner_sight *sight), void *ctx)
{
    size_t at[THREADS_MAX] = {0};
    for (size_t i = 0; i < walk->pid_count; i++) {
        for (size_t t = 0; t < THREADS_MAX; t++) {
            const struct sights *sights = &walkers[t].sights;
            while (at[t] < sights->count && sights->items[at[t]].pid == walk->pids[i]) {
                on_sight(ctx, &sights->items[at[t]++]);
            }
        }
    }
}

static bool finish(struct walk *walk, struct walker walkers[THREADS_MAX],
                   struct slt_owner_walk *sum)
{
    bool complete = true;
    for (size_t i = 0; i < THREADS_MAX; i++) {
        sum->processes += walkers[i].sum.processes;
        sum->hidden += walkers[i].sum.hidden;
        sum->descriptors += walkers[i].sum.descriptors;
        complete = complete && (walkers[i].sights.complete || walkers[i].walk == NULL);
        free(walkers[i].entries);
        free(walkers[i].sights.items);
    }
    if (walk->proc_fd >= 0) {
        (void)close(walk->proc_fd);
    }
    free(walk->pids);
    free(walk->wanted.places);
    free(walk->wanted.seen);
    return complete;
}

bool slt_owner_each(const uint64_t *inodes, size_t count, bool all, struct slt_owner_walk *sum,
                    void (*on_sight)(void *ctx, const struct slt_owner_sight *sight), void *ctx)
{
    struct walk walk = {.all = all};
    struct walker walkers[THREADS_MAX] = {{.walk = &walk}};
    *sum = (struct slt_owner_walk){.processes = 0};
    atomic_init(&walk.next, 0);
    walk.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ready = walk.proc_fd >= 0 && prepare(&walkers[0]) && want(&walk.wanted, inodes, count);
    if (ready) {
        each_number(&walkers[0], walk.proc_fd, add_pid);
        walk_all(walkers, count_threads(count));
        tell(&walk, walkers, on_sight, ctx);
    }
    return finish(&walk, walkers, sum) && ready;
}

/* ---- owners of records ---------------------------------------------------------------------- */

void slt_program_name(int32_t pid, char name[SLT_SEEN_NAME_MAX])
{
    char path[40];
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, name, SLT_SEEN_NAME_MAX - 1) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    name[got > 0 ? got - 1 : 0] = '\0'; /* without the line's end */
}

/* Which record has an inode. */
struct inode_place {
    uint64_t inode;
    uint32_t index;
};

static int by_inode(const void *a, const void *b)
{
    const struct inode_place *x = a;
    const struct inode_place *y = b;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

struct places {
    struct inode_place *items;
    uint64_t *inodes;
    size_t count;
};

static bool collect(const struct slt_seen_list *list, struct places *places)
{
    places->items = calloc(list->count + 1, sizeof(*places->items));
    places->inodes = calloc(list->count + 1, sizeof(*places->inodes));
    if (places->items == NULL || places->inodes == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct slt_seen *seen = &list->items[i];
        if (seen->inode != 0 && seen->pid == SLT_UNKNOWN) {
            places->items[places->count++] = (struct inode_place){seen->inode, (uint32_t)i};
        }
    }
    qsort(places->items, places->count, sizeof(*places->items), by_inode);
    for (size_t i = 0; i < places->count; i++) {
        places->inodes[i] = places->items[i].inode;
    }
    return true;
}

struct fill {
    struct slt_seen_list *list;
    const struct places *places;
    int32_t named_pid;
    char name[SLT_SEEN_NAME_MAX];
};

static void on_sight(void *ctx, const struct slt_owner_sight *sight)
{
    struct fill *fill = ctx;
    const struct inode_place wanted = {.inode = sight->inode};
    const struct inode_place *found =
        bsearch(&wanted, fill->places->items, fill->places->count, sizeof(wanted), by_inode);
    struct slt_seen *seen = found != NULL ? &fill->list->items[found->index] : NULL;
    if (seen == NULL || seen->pid != SLT_UNKNOWN) {
        return;
    }
    if (fill->named_pid != sight->pid) {
        slt_program_name(sight->pid, fill->name);
        fill->named_pid = sight->pid;
    }
    seen->pid = sight->pid;
    seen->fd = sight->fd;
    seen->owner = SLT_OWNER_SEEN;
    memcpy(seen->program, fill->name, sizeof(seen->program));
}

bool slt_owner_fill(struct slt_seen_list *list, struct slt_owner_walk *walk)
{
    struct places places = {.count = 0};
    *walk = (struct slt_owner_walk){.processes = 0};
    bool done = collect(list, &places);
    if (done && places.count > 0) {
        struct fill fill = {.list = list, .places = &places, .named_pid = -1};
        done = slt_owner_each(places.inodes, places.count, false, walk, on_sight, &fill);
    }
    free(places.items);
    free(places.inodes);
    return done;
}
