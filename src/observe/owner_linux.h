/* Who has a socket open: process, descriptor and name, found by walking /proc.
 *
 * One walk serves any number of records. It looks at descriptors only until every wanted inode has
 * been found, and reads a process's name only when it has one of them. Descriptors of other users
 * are hidden without CAP_SYS_PTRACE; a record whose owner was not found, though its socket has an
 * inode, keeps SLT_OWNER_HIDDEN.
 *
 * A socket may be behind several descriptors and processes (a listener of pre-forked workers): the
 * record gets the first, in order of pid; slt_owner_walk tells them all.
 */
#ifndef SLT_OBSERVE_OWNER_LINUX_H
#define SLT_OBSERVE_OWNER_LINUX_H

#include "observe/seen.h"

struct slt_owner_sight {
    int32_t pid;
    int32_t fd;
    uint64_t inode;
};

/* What a walk came to. */
struct slt_owner_walk {
    uint32_t processes;
    uint32_t hidden; /* whose descriptors may not be looked at */
    uint64_t descriptors;
};

/* Fill in the owners of records with an inode and none yet. False: no memory, or no /proc. */
bool slt_owner_fill(struct slt_seen_list *list, struct slt_owner_walk *walk);

/* Call `on_sight` for every descriptor of a socket whose inode is wanted (`inodes`, sorted). With
 * `all` it does not stop when each was seen once. */
bool slt_owner_each(const uint64_t *inodes, size_t count, bool all, struct slt_owner_walk *walk,
                    void (*on_sight)(void *ctx, const struct slt_owner_sight *sight), void *ctx);

/* What a process is called (/proc/PID/comm); empty when it is gone. */
void slt_program_name(int32_t pid, char name[SLT_SEEN_NAME_MAX]);

#endif
