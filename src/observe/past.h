/* What became of connections, as a recorder remembers it or a file of its lines tells: the facts of
 * findings that no look at the present can show.
 */
#ifndef SLT_OBSERVE_PAST_H
#define SLT_OBSERVE_PAST_H

#include "observe/recorder.h"

struct slt_past {
    struct slt_recorded *items;
    size_t count;
    size_t room;
    int64_t now_ns; /* of the clock that the records' times are of */
    bool over;      /* a file: now_ns is its last line's */
};

/* False: no memory. */
bool slt_past_add(struct slt_past *past, const struct slt_recorded *conn);
void slt_past_free(struct slt_past *past);

/* The last change of a connection that had one of these causes (a set of 1 << enum slt_cause) and
 * began in one of these states (1 << enum salut_state; 0: any); NULL: there is none. */
const struct slt_recorded_change *slt_past_find(const struct slt_recorded *conn, uint64_t causes,
                                                uint32_t from);

/* A connection as a record, for filters and for whoever prints it. */
void slt_past_seen(const struct slt_past *past, const struct slt_recorded *conn,
                   struct slt_seen *seen);

#endif
