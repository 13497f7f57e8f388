/* What processes are called, also of those that are gone by the time somebody asks.
 *
 * Filled by the kernel's notices of forks and program changes that come with the tracepoints, and
 * from /proc for processes that were there before. A small table without chains: the younger of
 * two processes that fall on one place stays.
 */
#ifndef SLT_OBSERVE_PIDS_LINUX_H
#define SLT_OBSERVE_PIDS_LINUX_H

#include "observe/seen.h"

#define SLT_PIDS_MAX 16384U

struct slt_pid {
    int32_t pid;
    bool looked;    /* namespace was asked for since the program began */
    uint64_t netns; /* inode; 0: not known */
    char program[SLT_SEEN_NAME_MAX];
};

struct slt_pids {
    struct slt_pid items[SLT_PIDS_MAX];
};

void slt_pids_forked(struct slt_pids *pids, int32_t pid, int32_t parent);
void slt_pids_named(struct slt_pids *pids, int32_t pid, const char *name);

/* Never NULL; the name is empty when nothing could be found out. */
const struct slt_pid *slt_pids_find(struct slt_pids *pids, int32_t pid);

#endif
