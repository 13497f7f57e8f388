/* What salut explain shows of a capture: text, tables, JSON, one page of HTML, an annotated copy.
 */
#ifndef SLT_CLI_EXPLAIN_SHOW_H
#define SLT_CLI_EXPLAIN_SHOW_H

#include "cli/cli.h"
#include "observe/explain.h"
#include "observe/explain_file.h"
#include "observe/explain_ladder.h"
#include "observe/explain_report.h"
#include "observe/explain_verdict.h"

/* A flow with what was found out about it. */
struct slt_explained {
    const struct slt_explain_flow *flow;
    struct slt_explain_states states;
    struct slt_verdict verdict;
};

struct slt_explain_view {
    const struct slt_explain *explain;
    const struct slt_explain_flow **flows; /* worst first */
    size_t count;
    size_t shown; /* of them */
    const char *name;
    const char *trouble; /* how reading ended, when it ended badly; NULL: well */
    bool ladder;
    bool packets;
    struct slt_term term;
    const struct slt_explain_report *report; /* of all flows */
};

/* Find out about a flow. */
void slt_explained_of(const struct slt_explain_flow *flow, struct slt_explained *out);

void slt_explain_show_text(const struct slt_explain_view *view, FILE *to);
void slt_explain_show_json(const struct slt_explain_view *view, FILE *to);
void slt_explain_show_html(const struct slt_explain_view *view, FILE *to);

/* Copy the file's packets, those of flows with comments: states and why. False: errno tells. */
bool slt_explain_annotate(const struct slt_explain_view *view, struct slt_explain_file *file,
                          const char *path);

/* The states of both ends after each step, for tables. */
struct slt_explain_cursor {
    uint8_t state[2];
    uint8_t certainty[2];
    uint32_t proof[2];
    uint32_t at; /* the next change */
};
void slt_explain_cursor_init(struct slt_explain_cursor *cursor,
                             const struct slt_explain_states *states);
/* Move behind the step. */
void slt_explain_cursor_move(struct slt_explain_cursor *cursor,
                             const struct slt_explain_states *states, uint32_t step);

#endif
