/* See pids_linux.h.
 */
#include "observe/pids_linux.h"

#include "observe/owner_linux.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct slt_pid *place_of(struct slt_pids *pids, int32_t pid)
{
    return &pids->items[(uint32_t)pid % SLT_PIDS_MAX];
}

void slt_pids_forked(struct slt_pids *pids, int32_t pid, int32_t parent)
{
    /* A process may be over before anybody asks for it: what its parent is it was as well. */
    const struct slt_pid *from = place_of(pids, parent);
    struct slt_pid *to = place_of(pids, pid);
    if (from == to || pid == parent) {
        return;
    }
    from = slt_pids_find(pids, parent);
    if (from->netns != 0 || from->program[0] != '\0') {
        *to = *from;
        to->pid = pid;
        to->looked = false;
    }
}

void slt_pids_named(struct slt_pids *pids, int32_t pid, const char *name)
{
    struct slt_pid *to = place_of(pids, pid);
    uint64_t netns = to->pid == pid ? to->netns : 0;
    *to = (struct slt_pid){.pid = pid, .netns = netns};
    (void)snprintf(to->program, sizeof(to->program), "%s", name);
}

const struct slt_pid *slt_pids_find(struct slt_pids *pids, int32_t pid)
{
    char path[64];
    struct stat status;
    struct slt_pid *p = place_of(pids, pid);
    if (p->pid != pid) {
        *p = (struct slt_pid){.pid = pid};
        slt_program_name(pid, p->program);
    }
    if (!p->looked) {
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
        p->looked = true;
        p->netns = stat(path, &status) == 0 ? (uint64_t)status.st_ino : p->netns;
    }
    return p;
}
