/* The reader's side of control sockets: what the instances of salut on this machine tell.
 *
 * Nothing that comes is trusted: an instance that is silent, slow, endless or speaks nonsense is
 * given up, and records that no instance can have are dropped. Whose records they are, is the
 * kernel's word (SO_PEERCRED).
 */
#ifndef SLT_OBSERVE_CONTROL_READ_LINUX_H
#define SLT_OBSERVE_CONTROL_READ_LINUX_H

#include "observe/control.h"

/* Who gets what an instance tells; NULL: not asked for. False ends the reading. */
struct slt_control_taker {
    void *ctx;
    bool (*on_conn)(void *ctx, const struct slt_seen *seen);
    bool (*on_counter)(void *ctx, const struct slt_control_counter *counter);
    bool (*on_event)(void *ctx, const struct slt_event *event, uint64_t lost);
    bool (*on_who)(void *ctx, const struct slt_control_who *who);
};

/* What a round came to. */
struct slt_control_round {
    uint32_t instances; /* that told all they were asked for */
    uint32_t mute;      /* that did not answer, or not to the end */
    uint32_t removed;   /* sockets of dead processes that are gone now */
    int32_t mute_pid;   /* of the last that did not */
};

/* Ask every instance this user may ask; with `pid`, that process alone (0: all). */
void slt_control_ask(const struct slt_control_taker *taker, int32_t pid,
                     struct slt_control_round *round);

/* Read what one connected socket tells after a request was sent. Returns 0, or a negative errno
 * value: -ETIMEDOUT, -EPROTO (nonsense), -EPIPE (it ended before its end), -EPROTONOSUPPORT
 * (another version). For tests; closes nothing. */
int slt_control_read(int fd, const struct slt_control_taker *taker);

#endif
