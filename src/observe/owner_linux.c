/* See owner_linux.h.
 *
 * The walk is nearly all of the cost of a listing with owners: two system calls a process and one a
 * descriptor. Directories are read with getdents64 into one buffer, links with readlinkat relative
 * to the open directory, and wanted inodes are looked up in a table of open addressing that is
 * never more than half full.
 */
#include "observe/owner_linux.h"

#include "base/compiler.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES_BYTES (64U * 1024U)

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
    bool *seen;
    size_t mask;
    size_t left; /* not yet seen */
};

struct walker {
    int proc_fd;
    uint8_t *processes; /* ENTRIES_BYTES each */
    uint8_t *descriptors;
    struct wanted wanted;
    bool all;
    struct slt_owner_walk *walk;
    void (*on_sight)(void *ctx, const struct slt_owner_sight *sight);
    void *ctx;
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
        wanted->left += inodes[i] != 0 && wanted->places[at] == 0;
        wanted->places[at] = inodes[i];
    }
    return true;
}

/* ---- the walk ------------------------------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t *value)
{
    *value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && *value < UINT64_MAX / 16; at++) {
        *value = *value * 10 + (uint64_t)(*at - '0');
    }
    return at != text && (*at == '\0' || *at == ']');
}

static void look_at_link(struct walker *w, int dir_fd, const char *name, int32_t pid)
{
    static const char prefix[] = "socket:[";
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
    size_t at = place_of(&w->wanted, inode);
    if (w->wanted.places[at] == 0) {
        return;
    }
    w->wanted.left -= !w->wanted.seen[at];
    w->wanted.seen[at] = true;
    w->on_sight(w->ctx, &(struct slt_owner_sight){.pid = pid, .fd = (int32_t)fd, .inode = inode});
}

static bool is_done(const struct walker *w)
{
    return w->wanted.left == 0 && !w->all;
}

/* Call `look` for every entry of a directory whose name is a number. */
static void each_number(struct walker *w, int dir_fd, uint8_t *buffer,
                        void (*look)(struct walker *w, int dir_fd, const char *name, int32_t pid),
                        int32_t pid)
{
    long got;
    while (!is_done(w) && (got = syscall(SYS_getdents64, dir_fd, buffer, ENTRIES_BYTES)) > 0) {
        for (long at = 0; at < got && !is_done(w);) {
            const struct entry *entry = (const struct entry *)(const void *)(buffer + at);
            if (entry->name[0] >= '0' && entry->name[0] <= '9') {
                look(w, dir_fd, entry->name, pid);
            }
            at += entry->bytes;
        }
    }
}

static void count_and_look(struct walker *w, int dir_fd, const char *name, int32_t pid)
{
    w->walk->descriptors++;
    look_at_link(w, dir_fd, name, pid);
}

static void look_at_process(struct walker *w, int dir_fd, const char *name, int32_t unused)
{
    char path[40];
    uint64_t pid;
    (void)unused;
    if (!parse_number(name, &pid)) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/fd", name);
    w->walk->processes++;
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        w->walk->hidden++;
        return;
    }
    each_number(w, fd, w->descriptors, count_and_look, (int32_t)pid);
    (void)close(fd);
}

bool slt_owner_each(const uint64_t *inodes, size_t count, bool all, struct slt_owner_walk *walk,
                    void (*on_sight)(void *ctx, const struct slt_owner_sight *sight), void *ctx)
{
    struct walker w = {.all = all, .walk = walk, .on_sight = on_sight, .ctx = ctx};
    *walk = (struct slt_owner_walk){.processes = 0};
    w.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w.processes = malloc(ENTRIES_BYTES);
    w.descriptors = malloc(ENTRIES_BYTES);
    bool ready = w.proc_fd >= 0 && w.processes != NULL && w.descriptors != NULL &&
                 want(&w.wanted, inodes, count);
    if (ready) {
        each_number(&w, w.proc_fd, w.processes, look_at_process, 0);
    }
    if (w.proc_fd >= 0) {
        (void)close(w.proc_fd);
    }
    free(w.processes);
    free(w.descriptors);
    free(w.wanted.places);
    free(w.wanted.seen);
    return ready;
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
