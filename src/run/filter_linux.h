/* The seccomp filter under which a program runs (seccomp(2), libseccomp).
 *
 * Handed over are the calls that name addresses or options of a socket, and socket() itself for
 * TCP over IPv4 and IPv6. read, write, poll, epoll, accept without an address, close, dup, fork and
 * everything else stay the kernel's. io_uring is answered with ENOSYS, so that programs fall back;
 * calls of another architecture (32-bit programs) are handed over as SLT_CALL_FOREIGN, to be
 * refused by name.
 */
#ifndef SLT_RUN_FILTER_LINUX_H
#define SLT_RUN_FILTER_LINUX_H

#include "run/notify_linux.h"

/* Put the calling thread, and all it will ever start, under the filter. Sets no_new_privs unless
 * the thread has CAP_SYS_ADMIN (set-user-id programs go on working then). Returns the notification
 * descriptor, or a negative errno value: -ENOSYS when the kernel has no user notification, -EBUSY
 * when another supervisor is there already. */
int slt_filter_install(void);

/* What kind a system call of this architecture is; false: none the filter hands over. */
bool slt_filter_kind(int nr, uint32_t arch, enum slt_call_kind *kind);

#endif
