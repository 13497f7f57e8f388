/* See owner_linux.h.
 *
 * Which way is quicker depends on how many files are open on the machine: those of all processes
 * are looked at either way, with a system call for each in /proc; the other way costs some
 * milliseconds before the first.
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

/* Records that want an owner. The first of an inode gets it: there is no other. */
static bool collect(const struct slt_seen_list *list, struct slt_inode_table *wanted)
{
    if (!slt_inode_table_open(wanted, list->count)) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct slt_seen *seen = &list->items[i];
        if (seen->pid == SLT_UNKNOWN) {
            slt_inode_table_add(wanted, seen->inode, (uint32_t)i);
        }
    }
    return true;
}

struct fill {
    struct slt_seen_list *list;
    const struct slt_inode_table *wanted;
    int32_t named_pid;
    char name[SLT_SEEN_NAME_MAX];
};

static void on_sight(void *ctx, const struct slt_sight *sight)
{
    struct fill *fill = ctx;
    uint32_t which = slt_inode_table_find(fill->wanted, sight->inode);
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
}

static int find(enum slt_owner_means means, struct fill *fill)
{
    bool bpf = means == SLT_OWNERS_BY_BPF || (means == SLT_OWNERS_ANYHOW && are_many_files_open());
    int result = bpf ? slt_owner_bpf(on_sight, fill) : -ENOTSUP;
    if (result < 0 && means != SLT_OWNERS_BY_BPF) {
        result = slt_owner_proc(fill->wanted, on_sight, fill);
    }
    return result;
}

int slt_owner_fill(struct slt_seen_list *list, enum slt_owner_means means)
{
    struct slt_inode_table wanted;
    int result = collect(list, &wanted) ? 0 : -ENOMEM;
    if (result == 0 && wanted.count > 0) {
        struct fill fill = {.list = list, .wanted = &wanted, .named_pid = -1};
        result = find(means, &fill);
    }
    slt_inode_table_close(&wanted);
    return result;
}
