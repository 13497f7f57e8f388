/* See watch_model.h.
 *
 * Both the rows and a look are put into the order of identities; joining is one walk along both.
 * Listeners of one address have the same identity and are joined in the order they come in.
 */
#include "observe/watch_model.h"

#include <stdlib.h>
#include <string.h>

int slt_watch_same(const struct slt_seen *a, const struct slt_seen *b)
{
    bool listens_a = a->kind == SLT_SEEN_LISTENER;
    bool listens_b = b->kind == SLT_SEEN_LISTENER;
    if (a->source != b->source) {
        return a->source < b->source ? -1 : 1;
    }
    if (a->instance != b->instance) {
        return a->instance < b->instance ? -1 : 1;
    }
    if (listens_a != listens_b) {
        return listens_a ? -1 : 1;
    }
    return a->key < b->key ? -1 : a->key > b->key;
}

static int by_identity(const void *a, const void *b)
{
    return slt_watch_same(a, b);
}

static int64_t rate_of(int64_t before, int64_t after, int64_t ns)
{
    if (before == SLT_UNKNOWN || after == SLT_UNKNOWN || after < before || ns <= 0) {
        return SLT_UNKNOWN;
    }
    return (int64_t)((double)(after - before) * (double)SLT_NS_PER_S / (double)ns);
}

static void add_step(struct slt_watch_row *row, uint8_t from, uint8_t to, int64_t at_ns)
{
    if (row->step_count == SLT_WATCH_STEPS_MAX) {
        memmove(row->steps, row->steps + 1, sizeof(row->steps) - sizeof(row->steps[0]));
        row->step_count--;
    }
    row->steps[row->step_count] = (struct slt_watch_step){at_ns, from, to};
    row->step_count++;
}

static void mark(struct slt_watch_row *row, enum slt_watch_mark what, uint8_t was, int64_t at_ns)
{
    row->mark = (uint8_t)what;
    row->was = was;
    row->marked_at_ns = at_ns;
}

/* Worth a mark: another state, another owner's hands, or an attempt that a listener lost. */
static bool has_changed(const struct slt_seen *before, const struct slt_seen *after)
{
    return before->state != after->state || before->accepted != after->accepted ||
           before->orphan != after->orphan ||
           (after->kind == SLT_SEEN_LISTENER && after->drops > before->drops);
}

static struct slt_watch_row row_begun(const struct slt_watch_model *model,
                                      const struct slt_seen *seen, int64_t at_ns)
{
    struct slt_watch_row row = {.seen = *seen,
                                .was = seen->state,
                                .first_at_ns = at_ns,
                                .in_rate = SLT_UNKNOWN,
                                .out_rate = SLT_UNKNOWN};
    if (model->looked) {
        mark(&row, SLT_WATCH_NEW, seen->state, at_ns);
    }
    return row;
}

/* Who owned it is not forgotten when nobody can own it any more. */
static void keep_owner(struct slt_seen *seen, const struct slt_seen *before)
{
    if (seen->pid == SLT_UNKNOWN && before->pid != SLT_UNKNOWN) {
        seen->pid = before->pid;
        seen->owner = SLT_OWNER_REMEMBERED;
        memcpy(seen->program, before->program, sizeof(seen->program));
    }
}

static struct slt_watch_row row_gone_on(const struct slt_watch_model *model,
                                        const struct slt_watch_row *before,
                                        const struct slt_seen *seen, int64_t at_ns)
{
    struct slt_watch_row row = *before;
    int64_t ns = at_ns - model->at_ns;
    row.seen = *seen;
    keep_owner(&row.seen, &before->seen);
    row.in_rate = rate_of(before->seen.bytes_received, seen->bytes_received, ns);
    row.out_rate = rate_of(before->seen.bytes_acked, seen->bytes_acked, ns);
    if (before->seen.state != seen->state) {
        add_step(&row, before->seen.state, seen->state, at_ns);
    }
    if (before->mark == SLT_WATCH_CLOSED || has_changed(&before->seen, seen)) {
        mark(&row, SLT_WATCH_CHANGED, before->seen.state, at_ns);
    } else if (at_ns - row.marked_at_ns >= SLT_WATCH_MARK_NS) {
        row.mark = SLT_WATCH_STAYS;
    }
    return row;
}

/* One that is in no look any more. False: it is not to be shown any longer. */
static bool row_ended(struct slt_watch_row *row, int64_t at_ns)
{
    if (row->mark == SLT_WATCH_CLOSED) {
        return at_ns - row->marked_at_ns < SLT_WATCH_MARK_NS;
    }
    mark(row, SLT_WATCH_CLOSED, row->seen.state, at_ns);
    row->in_rate = SLT_UNKNOWN;
    row->out_rate = SLT_UNKNOWN;
    if (row->seen.state != SALUT_STATE_CLOSED) {
        add_step(row, row->seen.state, SALUT_STATE_CLOSED, at_ns);
    }
    return true;
}

/* Whose turn it is: <0 a row's that is in the look no more, >0 a new one's, 0 both are one. */
static int compare_next(const struct slt_watch_model *model, size_t old,
                        const struct slt_seen_list *list, size_t new)
{
    if (old == model->count) {
        return 1;
    }
    return new == list->count ? -1 : slt_watch_same(&model->rows[old].seen, &list->items[new]);
}

bool slt_watch_take(struct slt_watch_model *model, struct slt_seen_list *list, int64_t at_ns)
{
    size_t most = model->count + list->count;
    struct slt_watch_row *rows = malloc((most > 0 ? most : 1) * sizeof(*rows));
    size_t count = 0;
    size_t old = 0;
    size_t new = 0;
    if (rows == NULL) {
        return false;
    }
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof(*list->items), by_identity);
    }
    while (old < model->count || new < list->count) {
        int order = compare_next(model, old, list, new);
        if (order < 0) {
            rows[count] = model->rows[old];
            count += row_ended(&rows[count], at_ns);
        } else if (order > 0) {
            rows[count++] = row_begun(model, &list->items[new], at_ns);
        } else {
            rows[count++] = row_gone_on(model, &model->rows[old], &list->items[new], at_ns);
        }
        old += order <= 0;
        new += order >= 0;
    }
    free(model->rows);
    model->rows = rows;
    model->count = count;
    model->before_ns = model->looked ? model->at_ns : at_ns;
    model->at_ns = at_ns;
    model->looked = true;
    return true;
}

void slt_watch_free(struct slt_watch_model *model)
{
    free(model->rows);
    *model = (struct slt_watch_model){.rows = NULL};
}
