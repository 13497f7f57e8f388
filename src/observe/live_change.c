/* See live_comment.h: changes of the recorder's in words.
 */
#include "observe/live_comment.h"
#include "observe/recorder.h"

#include <stdio.h>
#include <string.h>

void slt_live_change_of(const struct slt_change *change, struct slt_live_change *out)
{
    const struct slt_recorded *conn = change->conn;
    char owner[SLT_SEEN_NAME_MAX + 16] = "";
    if (conn->pid != SLT_UNKNOWN) {
        (void)snprintf(owner, sizeof(owner), "%s/%d: ", conn->program, conn->pid);
    }
    memset(out, 0, sizeof(*out));
    out->at_ns = change->what.at_ns;
    out->netns = conn->netns;
    memcpy(out->local, conn->local.b, sizeof(out->local));
    memcpy(out->remote, conn->remote.b, sizeof(out->remote));
    out->local_port = conn->local_port;
    out->remote_port = conn->remote_port;
    out->cause = change->what.cause;
    /* A child's second change tells the same as its first, and what became of it. */
    out->listener =
        change->what.from == SALUT_STATE_LISTEN || change->what.to == SALUT_STATE_LISTEN;
    (void)snprintf(out->text, sizeof(out->text), "%s%s -> %s: %s", owner,
                   slt_seen_rfc_name((enum salut_state)change->what.from),
                   slt_seen_rfc_name((enum salut_state)change->what.to),
                   slt_cause_text((enum slt_cause)change->what.cause));
}
