/* The door of a private network: how somebody else steps in.
 *
 * A supervisor listens at an abstract UNIX address, "salut-run-PID", in the network namespace it
 * was started in; so it can be found by looking (/proc/net/unix), nothing lies in the file system,
 * and nothing is left when it ends in whatever way. Who knocks gets descriptors for the namespaces.
 * They give no right: entering takes privilege over them (setns(2)), which their maker's user has.
 */
#ifndef SLT_RUN_DOOR_LINUX_H
#define SLT_RUN_DOOR_LINUX_H

#include "run/poller.h"

#include <sys/types.h>

struct slt_door {
    struct slt_poller *poller;
    struct slt_polled polled;
    bool is_private; /* there is something to enter */
};

/* Open the door, in the network namespace it is to be found in. False: the system refuses. */
bool slt_door_open(struct slt_door *door);

/* Answer from now on, with the namespaces the process is in now. */
bool slt_door_attach(struct slt_door *door, struct slt_poller *poller, bool is_private);

void slt_door_close(struct slt_door *door);

/* ---- from outside ---- */

#define SLT_DOORS_MAX 64U

/* Those that can be found from here; returns how many, at most `max`. */
size_t slt_door_list(pid_t *pids, size_t max);

enum slt_door_answer {
    SLT_DOOR_NONE,    /* nobody answers */
    SLT_DOOR_FOREIGN, /* it is another user's */
    SLT_DOOR_OPEN,    /* it has a private network, and here it is */
    SLT_DOOR_PLAIN    /* it has none: it lives in the network it was started in */
};

/* What one gets, each -1 when there is none. */
struct slt_door_spaces {
    int user;
    int mount;
    int net;
};

enum slt_door_answer slt_door_knock(pid_t pid, struct slt_door_spaces *spaces);

/* Go in: user, mounts and network, with the working directory of before where it is there, too.
 * Root becomes the user whose network it is. Closes the descriptors. The process, and what it
 * executes, may look at and change that network (CAP_NET_ADMIN, CAP_NET_RAW). Returns 0 or a
 * negative errno value. */
int slt_door_enter(struct slt_door_spaces *spaces);

#endif
