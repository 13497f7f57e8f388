/* Comments for the frames of a capture: what each segment did to its connection, and why.
 *
 *     ESTABLISHED -> CLOSE-WAIT: the peer sent FIN: it has no more data
 *     dropped: the segment lies outside the receive window
 *
 * The supplier for slt_capture_params.comment_of. A frame in is asked about when the stack has
 * processed it, so the events it caused are there; they are matched by ports, flags and length, in
 * order, because a batch of frames is processed before the first of them is shown. A frame out
 * bears the changes that came before it: a user's close stands at the FIN it led to.
 */
#ifndef SLT_OBSERVE_COMMENT_H
#define SLT_OBSERVE_COMMENT_H

#include "base/event.h"
#include "link/tee.h"
#include "salut/salut.h"

#define SLT_COMMENT_PENDING_MAX 512U
#define SLT_COMMENT_TEXT_MAX    1024U

struct slt_commenter {
    const struct salut_stack *stack; /* NULL: nothing to say yet */
    uint64_t next_event;
    size_t pending_count;
    struct slt_event pending[SLT_COMMENT_PENDING_MAX];
    char text[SLT_COMMENT_TEXT_MAX];
};

/* Say whose events are meant; comments begin with what it does from now on. */
void slt_commenter_attach(struct slt_commenter *commenter, const struct salut_stack *stack);

/* slt_capture_params.comment_of with a commenter as its context. */
const char *slt_comment_of(void *commenter, const struct slt_tee_frame *frame);

#endif
