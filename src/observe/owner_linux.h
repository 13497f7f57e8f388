/* Who has a socket open: process, descriptor and name.
 *
 * One search serves any number of records. There are two ways, which tell the same: /proc
 * (owner_proc_linux.h), and where much is open and the kernel lets us, a BPF program
 * (owner_bpf_linux.h). A process's name is read only when it has one of the sockets. A record whose
 * owner was not found, though its socket has an inode, keeps SLT_OWNER_HIDDEN (owner_again_linux.h
 * tells those that are closed by then).
 *
 * A socket may be behind several descriptors and processes (a listener of pre-forked workers): the
 * record gets the first, in order of pid.
 */
#ifndef SLT_OBSERVE_OWNER_LINUX_H
#define SLT_OBSERVE_OWNER_LINUX_H

#include "observe/seen.h"
#include "observe/sight.h"

#include <pthread.h>

enum slt_owner_means {
    SLT_OWNERS_ANYHOW, /* whichever is quicker and possible */
    SLT_OWNERS_BY_PROC,
    SLT_OWNERS_BY_BPF
};

/* Fill in the owners of records with an inode and none yet. 0, or a negative errno value: -ENOMEM,
 * or why these means cannot be used. */
int slt_owner_fill(struct slt_seen_list *list, enum slt_owner_means means);

/* The same in two steps, so that the search may be under way while the records are read. What was
 * begun must be ended, before `ahead` moves. */
struct slt_owner_ahead {
    enum slt_owner_means means;
    bool runs; /* otherwise all is done at the end */
    pthread_t thread;
    struct slt_sights sights;
    int result;
};
void slt_owner_begin(struct slt_owner_ahead *ahead, enum slt_owner_means means);
int slt_owner_end(struct slt_owner_ahead *ahead, struct slt_seen_list *list);

/* What a process is called (/proc/PID/comm); empty when it is gone. */
void slt_program_name(int32_t pid, char name[SLT_SEEN_NAME_MAX]);

#endif
