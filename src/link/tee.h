/* Tee: a decorator that shows every frame of a link, in and out, to a sink.
 *
 * A frame out is shown when the link has taken it; a frame in when the stack gives it back, so
 * that a sink can say what the frame did: the events it caused have been written by then. Each is
 * shown with the time of its receive or send, in the order in which the stack saw them.
 *
 * A sink is somebody's struct with these two functions first. It may not call the link.
 * slt_capture_open (capture.h) makes one that writes pcapng.
 */
#ifndef SLT_LINK_TEE_H
#define SLT_LINK_TEE_H

#include "link/segment.h"

struct slt_tee_frame {
    struct slt_frame_view view; /* the bytes, what is to be cut, and what is still to be summed */
    bool outbound;
    int64_t at_ns;
    uint64_t number; /* from 0, both directions together */
};

struct slt_tee_sink {
    void (*take)(struct slt_tee_sink *sink, const struct slt_tee_frame *frame);
    void (*close)(struct slt_tee_sink *sink); /* NULL: the sink outlives the link */
};

/* Wrap `inner`, which belongs to the decorator from now on, also when this fails: then it is
 * closed. `sink` is closed with the link if it wants to be.
 *
 * Returns SALUT_OK, SALUT_NO_MEMORY. */
enum salut_status slt_tee_open(struct slt_link *inner, struct slt_tee_sink *sink,
                               struct slt_link **link);

#endif
