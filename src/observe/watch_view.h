/* The lines of a live view: which rows of the model are shown, in which order, flat or as a tree of
 * listener, process and connection, and which of them is selected.
 *
 * Lines are made anew after every look or wish. The selection stays at its place on the screen, or,
 * when it is to follow, with what it is on for as long as that is shown.
 */
#ifndef SLT_OBSERVE_WATCH_VIEW_H
#define SLT_OBSERVE_WATCH_VIEW_H

#include "observe/filter.h"
#include "observe/watch_model.h"

enum slt_watch_column {
    SLT_WATCH_BY_STATE,
    SLT_WATCH_BY_AGE,
    SLT_WATCH_BY_LOCAL,
    SLT_WATCH_BY_PEER,
    SLT_WATCH_BY_OWNER,
    SLT_WATCH_BY_UNREAD,
    SLT_WATCH_BY_UNSENT,
    SLT_WATCH_BY_IN_RATE,
    SLT_WATCH_BY_OUT_RATE,
    SLT_WATCH_BY_RTT,
    SLT_WATCH_BY_RESENT,
    SLT_WATCH_COLUMN_COUNT
};

struct slt_watch_wish {
    const struct slt_filter *filter; /* NULL: everything */
    uint16_t states;                 /* bit 1 << enum salut_state; 0: all */
    enum slt_watch_column sort;
    bool reverse;
    bool tree;
    bool follow;
};

enum slt_watch_line_kind {
    SLT_WATCH_LINE_ROW,      /* a connection, or outside the tree a listener */
    SLT_WATCH_LINE_LISTENER, /* above its connections; `row` is the listener */
    SLT_WATCH_LINE_OUTGOING, /* above those that no listener here has; no row */
    SLT_WATCH_LINE_PROCESS   /* above its connections; `row` is the first of them */
};

struct slt_watch_line {
    uint8_t kind;                    /* enum slt_watch_line_kind */
    uint8_t depth;                   /* in the tree; 0 at its root */
    bool last;                       /* none follows below the same parent */
    uint32_t below;                  /* connections below it */
    const struct slt_watch_row *row; /* of the model */
};

struct slt_watch_view {
    struct slt_watch_line *lines;
    size_t count;
    size_t room;
    size_t selected; /* below count, or 0 */

    /* Of what passes the filter, whatever states are shown; closed ones do not count. */
    uint64_t states[SALUT_STATE_COUNT];
    uint64_t entered[SALUT_STATE_COUNT]; /* since the look before */
    uint64_t marked[SLT_WATCH_CLOSED + 1];

    /* What the selection is on: */
    struct slt_seen on;
    uint8_t on_kind;
};

/* Make the lines. False: no memory; there are none. */
bool slt_watch_arrange(struct slt_watch_view *view, const struct slt_watch_model *model,
                       const struct slt_watch_wish *wish);

/* Move the selection to a line; before the first is the first, beyond the last the last. */
void slt_watch_select(struct slt_watch_view *view, int64_t line);

/* The next line after the selected one (before, when `back`) that has `text` in it, in any case,
 * round the end; the selection moves there. False: there is none. */
bool slt_watch_search(struct slt_watch_view *view, const char *text, bool back);

/* The selected row; NULL: none. */
const struct slt_watch_row *slt_watch_selected(const struct slt_watch_view *view);

/* The row that is what `seen` was; NULL: it is not kept any more. */
const struct slt_watch_row *slt_watch_find(const struct slt_watch_model *model,
                                           const struct slt_seen *seen);

void slt_watch_view_free(struct slt_watch_view *view);

#endif
