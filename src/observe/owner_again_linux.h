/* Sockets whose owner was not found although this process may see all it asks for: they may have
 * been closed between the listing of sockets and that of descriptors. The kernel is asked once
 * more, for each of them alone.
 *
 * What is left of one that its program has closed (FIN-WAIT, TIME-WAIT) takes its record's place;
 * of one of which nothing is left the record says so (SLT_OWNER_GONE). One that is as it was stays
 * hidden: it is held where this process cannot look (another pid namespace, a message on its way
 * through a UNIX socket, the kernel itself).
 */
#ifndef SLT_OBSERVE_OWNER_AGAIN_LINUX_H
#define SLT_OBSERVE_OWNER_AGAIN_LINUX_H

#include "observe/seen.h"

/* Those of other users are not asked for by one who may not see these: they are just that. */
void slt_owner_ask_again(struct slt_seen_list *list);

#endif
