/* See owner_proc_linux.h.
 *
 * Two system calls a process and one a descriptor, and these are nearly all of the cost of a
 * listing with owners. Directories are read with getdents64 into one buffer, links with readlinkat
 * relative to the open directory.
 *
 * For many sockets several threads share the processes: each takes the next one that nobody has
 * and notes what it sees; afterwards the notes are told in the order of processes, so that the
 * result is the same as that of one thread. A process that was begun is looked at to its end then:
 * what was seen of a later one must not keep it from being told.
 */
#include "observe/owner_proc_linux.h"

#include "base/compiler.h"

#include <errno.h>
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

struct sights {
    struct slt_sight *items;
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
    const struct slt_inode_table *wanted;
    atomic_bool *seen;    /* by the value of an inode */
    atomic_size_t unseen; /* how many wanted ones */
    size_t thread_count;
};

/* One thread. */
struct walker {
    struct walk *walk;
    uint8_t *entries; /* ENTRIES_BYTES */
    struct sights sights;
    int32_t pid; /* being looked at */
    pthread_t thread;
    bool runs; /* as a thread of its own */
};

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

static void note(struct sights *sights, const struct slt_sight *sight)
{
    if (sights->count == sights->room) {
        size_t room = sights->room == 0 ? 256 : sights->room * 2;
        struct slt_sight *items = realloc(sights->items, room * sizeof(*items));
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
    struct walk *walk = w->walk;
    char link[40];
    uint64_t inode;
    uint64_t fd;
    ssize_t got = readlinkat(dir_fd, name, link, sizeof(link) - 1);
    if (got <= (ssize_t)sizeof(prefix) || memcmp(link, prefix, sizeof(prefix) - 1) != 0) {
        return;
    }
    link[got] = '\0';
    if (!parse_number(link + sizeof(prefix) - 1, &inode) || !parse_number(name, &fd)) {
        return;
    }
    uint32_t which = slt_inode_table_find(walk->wanted, inode);
    if (which == SLT_INODE_NONE) {
        return;
    }
    if (!atomic_exchange_explicit(&walk->seen[which], true, memory_order_relaxed)) {
        (void)atomic_fetch_sub_explicit(&walk->unseen, 1, memory_order_relaxed);
    }
    note(&w->sights, &(struct slt_sight){.pid = w->pid, .fd = (int32_t)fd, .inode = inode});
}

/* Nothing is left to be found. */
static bool is_done(const struct walk *walk)
{
    return atomic_load_explicit(&walk->unseen, memory_order_relaxed) == 0;
}

/* The entries of a directory whose name is a number, to `look`. */
static void each_number(struct walker *w, int dir_fd,
                        void (*look)(struct walker *w, int dir_fd, const char *name))
{
    long got;
    while ((got = syscall(SYS_getdents64, dir_fd, w->entries, ENTRIES_BYTES)) > 0) {
        for (long at = 0; at < got;) {
            const struct entry *entry = (const struct entry *)(const void *)(w->entries + at);
            if (entry->name[0] >= '0' && entry->name[0] <= '9') {
                look(w, dir_fd, entry->name);
            }
            at += entry->bytes;
        }
        if (w->walk->thread_count == 1 && is_done(w->walk)) {
            return;
        }
    }
}

static void look_at_process(struct walker *w)
{
    char path[40];
    (void)snprintf(path, sizeof(path), "%d/fd", w->pid);
    int fd = openat(w->walk->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        each_number(w, fd, look_at_link);
        (void)close(fd);
    }
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

static void walk_all(struct walker walkers[THREADS_MAX])
{
    struct walk *walk = walkers[0].walk;
    for (size_t i = 1; i < walk->thread_count; i++) {
        walkers[i].walk = walk;
        walkers[i].runs = prepare(&walkers[i]) &&
                          pthread_create(&walkers[i].thread, NULL, work, &walkers[i]) == 0;
    }
    (void)work(&walkers[0]);
    for (size_t i = 1; i < walk->thread_count; i++) {
        if (walkers[i].runs) {
            (void)pthread_join(walkers[i].thread, NULL);
        }
    }
}

/* What all of them noted, process by process: each walker met processes in their order. */
static void tell(const struct walk *walk, const struct walker walkers[THREADS_MAX],
                 void (*on_sight)(void *ctx, const struct slt_sight *sight), void *ctx)
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

static bool finish(struct walk *walk, struct walker walkers[THREADS_MAX])
{
    bool complete = true;
    for (size_t i = 0; i < THREADS_MAX; i++) {
        complete = complete && (walkers[i].sights.complete || walkers[i].walk == NULL);
        free(walkers[i].entries);
        free(walkers[i].sights.items);
    }
    if (walk->proc_fd >= 0) {
        (void)close(walk->proc_fd);
    }
    free(walk->pids);
    free(walk->seen);
    return complete;
}

int slt_owner_proc(const struct slt_inode_table *wanted,
                   void (*on_sight)(void *ctx, const struct slt_sight *sight), void *ctx)
{
    struct walk walk = {.wanted = wanted, .thread_count = count_threads(wanted->count)};
    struct walker walkers[THREADS_MAX] = {{.walk = &walk}};
    atomic_init(&walk.next, 0);
    atomic_init(&walk.unseen, wanted->count);
    walk.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = walk.proc_fd < 0 ? -errno : 0;
    walk.seen = calloc(wanted->values_end + 1, sizeof(*walk.seen));
    if (result == 0 && prepare(&walkers[0]) && walk.seen != NULL) {
        each_number(&walkers[0], walk.proc_fd, add_pid);
        walk_all(walkers);
        tell(&walk, walkers, on_sight, ctx);
    } else if (result == 0) {
        result = -ENOMEM;
    }
    return finish(&walk, walkers) ? result : -ENOMEM;
}
