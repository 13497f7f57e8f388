/* The story of one connection: a tee's sink that becomes a ladder.
 *
 * It follows the first connection that matches: its frames as the link carried them, the states
 * and reasons of our end from the instance's events, those of the peer from the segments (peer.h).
 * A frame in is shown by the tee after the stack has processed it, so the events that belong to it
 * have been written by then; a frame out is shown before the stack is told that it went, so the
 * reason it was sent comes with the next look at the events.
 */
#ifndef SLT_OBSERVE_STORY_H
#define SLT_OBSERVE_STORY_H

#include "link/tee.h"
#include "observe/ladder.h"
#include "salut/salut.h"

struct slt_story;

struct slt_story_filter {
    uint16_t port;  /* the server's port, on either side */
    uint8_t family; /* 4, 6; 0: either */
    enum salut_link_kind kind;
};

/* Make one with room for `steps_max` steps; what comes later is left out. NULL: no memory. */
struct slt_story *slt_story_create(const struct slt_story_filter *filter, size_t steps_max);
void slt_story_destroy(struct slt_story *story);

/* The sink for slt_tee_open; it stays the story's. */
struct slt_tee_sink *slt_story_sink(struct slt_story *story);

/* Say whose events tell about our end. The instance must live for as long as frames come and until
 * slt_story_finish. */
void slt_story_attach(struct slt_story *story, const struct salut_stack *stack);

/* Take in what happened without a frame (2MSL). Call it now and then, and before drawing. */
void slt_story_finish(struct slt_story *story);

/* True when the connection was seen, and when both its ends are CLOSED or in TIME-WAIT; with
 * `gone` our end must be CLOSED. */
bool slt_story_has_begun(const struct slt_story *story);
bool slt_story_is_over(const struct slt_story *story, bool gone);

/* What the story is called, drawn: names of both ends, ladder, and a summary: options negotiated,
 * who closed first, TIME-WAIT. */
struct slt_story_look {
    const char *ours;   /* the name of our end: "salut" */
    const char *theirs; /* ... and of the peer: "Linux kernel" */
    uint32_t width;
    bool utf8;
    bool colour;
};
void slt_story_print(const struct slt_story *story, const struct slt_story_look *look, FILE *to);

#endif
