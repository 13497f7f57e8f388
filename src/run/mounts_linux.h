/* The private view of /etc/resolv.conf.
 */
#ifndef SLT_RUN_MOUNTS_LINUX_H
#define SLT_RUN_MOUNTS_LINUX_H

#include <stdbool.h>

/* Move the calling process into a mount namespace of its own, in which /etc/resolv.conf names
 * `server` and keeps the host's search list and options. Nothing of it can be seen from outside,
 * and it is gone with the last process inside. Returns 0 or a negative errno value: -ENOENT when
 * the host has no such file; then nothing has changed, or only the namespace. */
int slt_mounts_name_server(const char *server);

#endif
