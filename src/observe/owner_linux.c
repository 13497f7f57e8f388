/* See owner_linux.h.
 *
 * Which way is quicker depends on how many files are open on the machine: those of all processes
 * are looked at either way, with a system call for each in /proc; the other way costs some
 * milliseconds before the first.
 *
 * What BPF tells does not depend on what is wanted, so it can be asked while that is still being
 * found out (slt_owner_begin): by another thread, for the kernel works in whoever asks it.
 */
#include "observe/owner_linux.h"

#include "observe/inode_table.h"
#include "observe/owner_bpf_linux.h"
#include "observe/owner_proc_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_FOR_BPF 3000L /* from so many on it takes less */

static ssize_t read_line(const char *path, char *line, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, line, size - 1) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    line[got > 0 ? got : 0] = '\0';
    return got;
}

void slt_program_name(int32_t pid, char name[SLT_SEEN_NAME_MAX])
{
    char path[40];
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    ssize_t got = read_line(path, name, SLT_SEEN_NAME_MAX);
    name[got > 0 ? got - 1 : 0] = '\0'; /* without the line's end */
}

static bool are_many_files_open(void)
{
    char line[64];
    return read_line("/proc/sys/fs/file-nr", line, sizeof(line)) > 0 &&
           strtol(line, NULL, 10) >= FILES_FOR_BPF;
}

/* ---- records that want an owner ------------------------------------------------------------- */

struct fill {
    struct slt_seen_list *list;
    struct slt_inode_table wanted;
    size_t found;
    int32_t named_pid;
    char name[SLT_SEEN_NAME_MAX];
};

static bool collect(struct fill *fill, struct slt_seen_list *list)
{
    *fill = (struct fill){.list = list, .named_pid = -1};
    if (!slt_inode_table_open(&fill->wanted, list->count)) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].pid == SLT_UNKNOWN) {
            slt_inode_table_add(&fill->wanted, list->items[i].inode, (uint32_t)i);
        }
    }
    return true;
}

static void on_sight(void *ctx, const struct slt_sight *sight)
{
    struct fill *fill = ctx;
    uint32_t which = slt_inode_table_find(&fill->wanted, sight->inode);
    struct slt_seen *seen = which != SLT_INODE_NONE ? &fill->list->items[which] : NULL;
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
    fill->found++;
}

static void take_sights(struct fill *fill, const struct slt_sights *sights)
{
    for (size_t i = 0; i < sights->count; i++) {
        on_sight(fill, &sights->items[i]);
    }
}

/* ---- the search ----------------------------------------------------------------------------- */

static bool is_for_bpf(enum slt_owner_means means)
{
    return means == SLT_OWNERS_BY_BPF || (means == SLT_OWNERS_ANYHOW && are_many_files_open());
}

static int search_bpf(struct fill *fill)
{
    struct slt_sights sights;
    int result = slt_owner_bpf(&sights);
    take_sights(fill, &sights);
    free(sights.items);
    return result;
}

static int search(struct fill *fill, enum slt_owner_means means)
{
    int result = is_for_bpf(means) ? search_bpf(fill) : -ENOTSUP;
    if (result < 0 && means != SLT_OWNERS_BY_BPF) {
        result = slt_owner_proc(&fill->wanted, on_sight, fill);
    }
    return result;
}

int slt_owner_fill(struct slt_seen_list *list, enum slt_owner_means means)
{
    struct fill fill;
    int result = collect(&fill, list) ? 0 : -ENOMEM;
    if (result == 0 && fill.wanted.count > 0) {
        result = search(&fill, means);
    }
    slt_inode_table_close(&fill.wanted);
    return result;
}

/* ---- begun before it is known what is wanted --------------------------------------------------
 */

static void *look_ahead(void *ctx)
{
    struct slt_owner_ahead *ahead = ctx;
    ahead->result = slt_owner_bpf(&ahead->sights);
    return NULL;
}

void slt_owner_begin(struct slt_owner_ahead *ahead, enum slt_owner_means means)
{
    *ahead = (struct slt_owner_ahead){.means = means};
    ahead->runs = is_for_bpf(means) && pthread_create(&ahead->thread, NULL, look_ahead, ahead) == 0;
}

int slt_owner_end(struct slt_owner_ahead *ahead, struct slt_seen_list *list)
{
    struct fill fill;
    if (!ahead->runs) {
        return slt_owner_fill(list, ahead->means);
    }
    (void)pthread_join(ahead->thread, NULL);
    int result = collect(&fill, list) ? 0 : -ENOMEM;
    if (result == 0) {
        take_sights(&fill, &ahead->sights);
    }
    /* A socket may have got its descriptor when its process had been passed. */
    bool all = fill.found == fill.wanted.count;
    free(ahead->sights.items);
    slt_inode_table_close(&fill.wanted);
    return result < 0 || all ? result : slt_owner_fill(list, ahead->means);
}
