/* What a live view shows, apart from how it is drawn: the connections of successive looks, joined
 * by their keys, and what became of each between two of them.
 *
 * A row is new, changed or closed for three seconds after the look that showed it, and a closed one
 * is kept that long; the first look marks nothing. What happened between two looks was not seen:
 * a connection that came and went is missing here (the kernel's counters have it), and steps are
 * dated by the look that found them. While no look is taken nothing grows old.
 */
#ifndef SLT_OBSERVE_WATCH_MODEL_H
#define SLT_OBSERVE_WATCH_MODEL_H

#include "base/time.h"
#include "observe/seen.h"

#define SLT_WATCH_MARK_NS   (3 * SLT_NS_PER_S)
#define SLT_WATCH_STEPS_MAX 8

enum slt_watch_mark { SLT_WATCH_STAYS, SLT_WATCH_NEW, SLT_WATCH_CHANGED, SLT_WATCH_CLOSED };

/* One change of state as it was watched. */
struct slt_watch_step {
    int64_t at_ns; /* the look that found it; it happened since the look before */
    uint8_t from;  /* enum salut_state */
    uint8_t to;
};

struct slt_watch_row {
    struct slt_seen seen; /* as last seen */
    uint8_t mark;         /* enum slt_watch_mark */
    uint8_t was;          /* enum salut_state before the mark */
    uint8_t step_count;
    int64_t marked_at_ns;
    int64_t first_at_ns; /* the first look that had it */
    int64_t in_rate;     /* bytes a second between the last two looks; SLT_UNKNOWN */
    int64_t out_rate;
    struct slt_watch_step steps[SLT_WATCH_STEPS_MAX]; /* the newest last */
};

struct slt_watch_model {
    struct slt_watch_row *rows; /* in the order of their identities */
    size_t count;
    bool looked;
    int64_t at_ns;     /* of the last look */
    int64_t before_ns; /* of the one before */
};

/* Which connection or listener: the same in every look for as long as it lives. Returns <0, 0, >0
 * as an order. */
int slt_watch_same(const struct slt_seen *a, const struct slt_seen *b);

/* Join a look taken at `at_ns` (its list is put into order). False: no memory; nothing changed. */
bool slt_watch_take(struct slt_watch_model *model, struct slt_seen_list *list, int64_t at_ns);

void slt_watch_free(struct slt_watch_model *model);

#endif
