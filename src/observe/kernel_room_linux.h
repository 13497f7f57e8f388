/* Room for a listing of sockets before it is made: the kernel tells how many there are, so that
 * tens of megabytes are neither moved while they grow nor asked for page by page.
 */
#ifndef SLT_OBSERVE_KERNEL_ROOM_LINUX_H
#define SLT_OBSERVE_KERNEL_ROOM_LINUX_H

#include "observe/seen.h"

/* About how many TCP sockets this network namespace has, TIME-WAIT included; 0: not known. */
size_t slt_kernel_socket_count(void);

/* Give an empty list room for so many. What cannot be had, or would not be worth it, is left to
 * the list's own growth. */
void slt_kernel_make_room(struct slt_seen_list *list, size_t count);

#endif
