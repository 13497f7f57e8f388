/* Where control sockets are: $XDG_RUNTIME_DIR/salut, or /run/salut (root), or /run/user/UID/salut.
 *
 * The folder belongs to its user, mode 0700; sockets in it are called PID, or PID.N for a further
 * stack of one process. A folder is opened once and everything in it is reached through its
 * descriptor, so that neither long paths nor links that change under way matter.
 */
#ifndef SLT_OBSERVE_CONTROL_PLACE_LINUX_H
#define SLT_OBSERVE_CONTROL_PLACE_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#define SLT_CONTROL_NAME_MAX 24

/* Open (with `make`: make) the folder for this user's own sockets. Returns a descriptor or a
 * negative errno value: -EPERM when it is there but not ours alone. */
int slt_control_folder_own(bool make);

/* Call `visit` for every folder that this user may look into: its own, and for root those of all
 * users. The descriptor is closed afterwards. */
void slt_control_folder_each(void (*visit)(void *ctx, int folder_fd, bool ours), void *ctx);

/* True for what a socket is called, with its pid (NULL: not wanted). */
bool slt_control_is_name(const char *name, int *pid);

/* The address of `name` in a folder. */
void slt_control_address(int folder_fd, const char *name, struct sockaddr_un *address);

#endif
