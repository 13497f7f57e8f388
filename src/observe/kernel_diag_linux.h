/* The kernel's TCP sockets, read by raw sock_diag (sock_diag(7)); no privilege is needed.
 *
 * One dump, with every extension that fits the request. A dump is not one instant: a
 * socket may be missed, or come twice (the second is dropped, by its cookie). What the kernel's
 * numbers mean is not what they are called: a listener's rqueue is its accept queue and its wqueue
 * the backlog; a connected socket without an inode was never accepted, or was closed by its
 * program; rqueue counts a received FIN as a byte; a TIME-WAIT entry tells its age by its timer.
 */
#ifndef SLT_OBSERVE_KERNEL_DIAG_LINUX_H
#define SLT_OBSERVE_KERNEL_DIAG_LINUX_H

#include "observe/seen.h"

/* How much of each socket. */
enum slt_kernel_detail {
    SLT_KERNEL_FULL,
    SLT_KERNEL_LEAN, /* of connections without buffers, congestion control and what is shut */
    SLT_KERNEL_BRIEF /* states and queues alone: half the cost */
};

/* What to ask for. */
struct slt_kernel_ask {
    uint32_t states; /* bit 1 << enum salut_state; 0: all */
    enum slt_kernel_detail detail;
};

/* Add the sockets of this network namespace to `list`, without owners (owner_linux.h). Returns 0
 * or a negative errno value: -EPROTONOSUPPORT or -EOPNOTSUPP when the
 * kernel has no inet_diag. */
int slt_kernel_diag(const struct slt_kernel_ask *ask, struct slt_seen_list *list);

/* The inode of this process's network namespace; 0 when it cannot be had. */
uint64_t slt_kernel_namespace(void);

/* The kernel's numbers of states (include/net/tcp_states.h) in ours. */
enum salut_state slt_kernel_state(uint32_t number);

/* Turn one message of a dump (without its netlink header) into a record; false: it is cut short.
 * For tests. */
bool slt_kernel_diag_parse(const uint8_t *data, size_t bytes, struct slt_seen *seen);

/* Likewise one of the destroy multicast: the last numbers of a connection, whose state is CLOSED
 * whatever it was before. */
bool slt_kernel_diag_parse_final(const uint8_t *data, size_t bytes, struct slt_seen *seen);

#endif
