/* Who has a socket open, found by walking /proc: what every kernel offers, to everybody, for his
 * own processes.
 *
 * Descriptors are looked at until every wanted inode has been found. Those of other users are
 * hidden without CAP_SYS_PTRACE.
 */
#ifndef SLT_OBSERVE_OWNER_PROC_LINUX_H
#define SLT_OBSERVE_OWNER_PROC_LINUX_H

#include "observe/inode_table.h"
#include "observe/sight.h"

/* Call `on_sight` for descriptors of sockets that are wanted, in order of pid and descriptor. 0, or
 * a negative errno value. */
int slt_owner_proc(const struct slt_inode_table *wanted,
                   void (*on_sight)(void *ctx, const struct slt_sight *sight), void *ctx);

#endif
