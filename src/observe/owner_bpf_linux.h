/* Who has a socket open, told by the kernel in one piece: a BPF program that it runs for every
 * descriptor there is (iter/task_file, Linux 5.11).
 *
 * A tenth of what it costs to read /proc/PID/fd link by link, once some five milliseconds are spent
 * on finding out where things lie in this kernel's structures. It needs CAP_BPF and CAP_PERFMON in
 * the first user namespace, type information in /sys/kernel/btf, and the first pid namespace, whose
 * numbers it tells.
 */
#ifndef SLT_OBSERVE_OWNER_BPF_LINUX_H
#define SLT_OBSERVE_OWNER_BPF_LINUX_H

#include "observe/sight.h"

/* Every descriptor of a socket that a process has, in order of pid and descriptor, whatever kind of
 * socket it is. 0, or a negative errno value and nothing. The items are the caller's to free. */
int slt_owner_bpf(struct slt_sights *sights);

#endif
