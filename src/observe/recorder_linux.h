/* A recorder at work on this machine, and what others may know of it.
 *
 * The table lies in a file that others map and read: /run/salut/recorder for root, otherwise
 * $XDG_RUNTIME_DIR/salut/recorder; $SALUT_RECORDER names another. It belongs to its owner alone
 * (mode 0600), is locked for as long as the recorder runs, so that a file left behind is known as
 * such, and goes with it. A second recorder keeps its table to itself.
 */
#ifndef SLT_OBSERVE_RECORDER_LINUX_H
#define SLT_OBSERVE_RECORDER_LINUX_H

#include "observe/past.h"

#define SLT_RECORDING_ROOM 65536U

struct slt_recording_ask {
    uint32_t room;  /* connections that are remembered; 0: SLT_RECORDING_ROOM */
    bool alone;     /* do not share the table */
    bool no_finals; /* leave the final numbers of closed connections */
    bool no_calls;  /* leave bind() and listen() that fail */
    void (*on_change)(void *ctx, const struct slt_change *change);
    void (*on_final)(void *ctx, const struct slt_recorded *conn); /* NULL: nobody asks */
    void *ctx;
};

struct slt_recording_counts {
    struct slt_trace_counts trace;
    struct slt_recorder_counts recorder;
    uint64_t finals_lost; /* times the kernel had to drop final numbers */
    uint64_t missed;      /* changes that never arrived, and that no final numbers made up for */
    bool shared;
};

struct slt_recording;

/* Begin. Returns 0, or a negative errno value and a sentence in `why`. */
int slt_recording_start(const struct slt_recording_ask *ask, struct slt_recording **recording,
                        char *why, size_t size);

/* Wait up to `timeout_ms` for events and hand on what came. With `all`: those held back as well.
 * Returns 0 or a negative errno value. */
int slt_recording_turn(struct slt_recording *recording, int timeout_ms, bool all);

void slt_recording_counts(const struct slt_recording *recording,
                          struct slt_recording_counts *counts);

/* Count what was missed, for `counts->missed`: it asks every processor, so now and then. */
void slt_recording_count_missed(struct slt_recording *recording);
void slt_recording_stop(struct slt_recording *recording);

/* Complete records of the kernel with what a recorder that runs knows: ages, causes, owners.
 * Returns how many it knew; 0 when none runs. */
size_t slt_recorded_complete(struct slt_seen_list *list, int64_t now_ns);

/* Copy what a recorder that runs remembers, of one network namespace (its inode; 0: of all, and
 * where it is not known). Returns 0, -ENOENT when none runs, -ENOMEM. */
int slt_recorded_read(uint64_t netns, struct slt_past *past);

#endif
