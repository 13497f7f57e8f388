/* What the supervisor may do once everything is set up: as little as serves the program.
 */
#ifndef SLT_RUN_PRIVILEGE_LINUX_H
#define SLT_RUN_PRIVILEGE_LINUX_H

#include <stdbool.h>

/* Give up, for this process and for good, every capability but three (looking into programs that
 * changed their user: CAP_SYS_PTRACE; handing signals on to them: CAP_KILL; the kernel's loopback
 * ports below 1024: CAP_NET_BIND_SERVICE), in all sets; set no_new_privs; and refuse itself the
 * system calls by which it could gain any (execve, namespaces, mounts, modules and the like). To be
 * called after the program was started and the network is there, by the only thread. Returns 0 or
 * a negative errno value. */
int slt_privilege_drop(void);

/* True when programs that changed their user can be looked into (CAP_SYS_PTRACE). Without it, a
 * call of theirs that has an address or a value in memory is answered with EPERM, and a reset of
 * the peer may read as the end of the stream. */
bool slt_privilege_can_look(void);

#endif
