/* Closing sockets of the kernel from outside (SOCK_DESTROY): the program gets ECONNABORTED, the
 * peer a reset.
 *
 * A socket is named by everything that tells it apart, its cookie included, as a listing gave it:
 * one that came to its place in the meantime is not hit. Needs CAP_NET_ADMIN in the network
 * namespace.
 */
#ifndef SLT_OBSERVE_KERNEL_DESTROY_LINUX_H
#define SLT_OBSERVE_KERNEL_DESTROY_LINUX_H

#include "observe/seen.h"

/* A netlink socket for what follows, or a negative errno value. */
int slt_kernel_destroy_open(void);

/* Close one. Returns 0, -ENOENT (it has gone by itself), -EPERM, -EOPNOTSUPP (the kernel is built
 * without it) and others. */
int slt_kernel_destroy(int fd, const struct slt_seen *seen);

#endif
