/* See watch_view.h.
 *
 * Rows that are shown become references, each with its listener; one sort brings them into the
 * order of the lines (in the tree: by listener, then process, then as wished), and one walk writes
 * the lines with their parents. Ties are broken by identity, so that rows stay where they are while
 * nothing changes.
 */
#include "observe/watch_view.h"
#include "wire/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEARCHED_MAX 256

/* A row that is shown. */
struct ref {
    const struct slt_watch_row *row;
    const struct slt_watch_row *listener; /* of its port; NULL: none, or not in the tree */
};

/* ---- the order ------------------------------------------------------------------------------- */

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* What is larger comes first, and what is not known last. */
static int larger_first(int64_t a, int64_t b)
{
    return compare(b, a);
}

static int64_t known_ns(const struct slt_seen_span *span)
{
    return span->how == SLT_SPAN_UNKNOWN ? -1 : span->ns;
}

static int64_t sum_known(int64_t a, int64_t b)
{
    return (a > 0 ? a : 0) + (b > 0 ? b : 0);
}

static int by_end(const salut_addr *a, uint16_t port_a, const salut_addr *b, uint16_t port_b)
{
    int order = memcmp(a->b, b->b, sizeof(a->b));
    return order != 0 ? order : compare(port_a, port_b);
}

static int by_owner(const struct slt_seen *x, const struct slt_seen *y)
{
    bool known_x = x->pid != SLT_UNKNOWN;
    bool known_y = y->pid != SLT_UNKNOWN;
    if (known_x != known_y) {
        return known_x ? -1 : 1;
    }
    int order = strcmp(x->program, y->program);
    return order != 0 ? order : compare(x->pid, y->pid);
}

static int by_state(const struct slt_seen *x, const struct slt_seen *y)
{
    bool listens_x = x->kind == SLT_SEEN_LISTENER;
    bool listens_y = y->kind == SLT_SEEN_LISTENER;
    if (listens_x != listens_y) {
        return listens_x ? -1 : 1;
    }
    return compare(x->state, y->state);
}

/* By local port before the address: services stand together. */
static int by_local(const struct slt_seen *x, const struct slt_seen *y)
{
    int order = compare(x->local_port, y->local_port);
    return order != 0 ? order : by_end(&x->local, 0, &y->local, 0);
}

static int by_column(enum slt_watch_column column, const struct slt_watch_row *a,
                     const struct slt_watch_row *b)
{
    const struct slt_seen *x = &a->seen;
    const struct slt_seen *y = &b->seen;
    switch (column) {
    case SLT_WATCH_BY_AGE:
        return larger_first(known_ns(&x->age), known_ns(&y->age));
    case SLT_WATCH_BY_LOCAL:
        return by_local(x, y);
    case SLT_WATCH_BY_PEER:
        return by_end(&x->remote, x->remote_port, &y->remote, y->remote_port);
    case SLT_WATCH_BY_OWNER:
        return by_owner(x, y);
    case SLT_WATCH_BY_UNREAD:
        return larger_first(sum_known(x->unread, x->queue), sum_known(y->unread, y->queue));
    case SLT_WATCH_BY_UNSENT:
        return larger_first(sum_known(x->unacked, x->unsent), sum_known(y->unacked, y->unsent));
    case SLT_WATCH_BY_IN_RATE:
        return larger_first(a->in_rate, b->in_rate);
    case SLT_WATCH_BY_OUT_RATE:
        return larger_first(a->out_rate, b->out_rate);
    case SLT_WATCH_BY_RTT:
        return larger_first(x->rtt_us, y->rtt_us);
    case SLT_WATCH_BY_RESENT:
        return larger_first(x->retransmits, y->retransmits);
    case SLT_WATCH_BY_STATE:
    case SLT_WATCH_COLUMN_COUNT:
        break;
    }
    return by_state(x, y);
}

static int by_wish(const struct slt_watch_row *a, const struct slt_watch_row *b,
                   const struct slt_watch_wish *wish)
{
    int order = by_column(wish->sort, a, b);
    if (order != 0) {
        return wish->reverse ? -order : order;
    }
    order = by_state(&a->seen, &b->seen);
    if (order == 0) {
        order = by_local(&a->seen, &b->seen);
    }
    if (order == 0) {
        order = compare(a->seen.remote_port, b->seen.remote_port);
    }
    return order != 0 ? order : slt_watch_same(&a->seen, &b->seen);
}

/* In the tree: listeners by their ports, and what has none after them. */
static int by_listener(const struct slt_watch_row *a, const struct slt_watch_row *b)
{
    if (a == b) {
        return 0;
    }
    if (a == NULL || b == NULL) {
        return a == NULL ? 1 : -1;
    }
    int order = by_local(&a->seen, &b->seen);
    return order != 0 ? order : a < b ? -1 : 1;
}

static int in_order(const void *a, const void *b, void *ctx)
{
    const struct ref *x = a;
    const struct ref *y = b;
    const struct slt_watch_wish *wish = ctx;
    if (wish->tree) {
        int order = by_listener(x->listener, y->listener);
        bool head_x = x->row == x->listener;
        bool head_y = y->row == y->listener;
        if (order == 0 && head_x != head_y) {
            order = head_x ? -1 : 1;
        }
        order = order != 0 ? order : by_owner(&x->row->seen, &y->row->seen);
        if (order != 0) {
            return order;
        }
    }
    return by_wish(x->row, y->row, wish);
}

/* ---- which ----------------------------------------------------------------------------------- */

static bool listens_for(const struct slt_seen *listener, const struct slt_seen *conn)
{
    return listener->source == conn->source && listener->instance == conn->instance &&
           listener->local_port == conn->local_port &&
           (slt_address_is_unspecified(listener->local.b) ||
            memcmp(listener->local.b, conn->local.b, sizeof(conn->local.b)) == 0);
}

/* The listeners among references, for the search below. */
struct listeners {
    const struct slt_watch_row **rows; /* by port */
    size_t count;
};

static int by_port(const void *a, const void *b)
{
    const struct slt_watch_row *const *x = a;
    const struct slt_watch_row *const *y = b;
    return compare((*x)->seen.local_port, (*y)->seen.local_port);
}

static const struct slt_watch_row *listener_of(const struct listeners *listeners,
                                               const struct slt_seen *seen)
{
    size_t low = 0;
    size_t high = listeners->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (listeners->rows[middle]->seen.local_port < seen->local_port) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < listeners->count; low++) {
        const struct slt_seen *listener = &listeners->rows[low]->seen;
        if (listener->local_port != seen->local_port) {
            break;
        }
        if (listens_for(listener, seen)) {
            return listeners->rows[low];
        }
    }
    return NULL;
}

static bool find_listeners(const struct slt_watch_model *model, struct listeners *listeners)
{
    listeners->count = 0;
    listeners->rows = malloc((model->count + 1) * sizeof(struct slt_watch_row *));
    if (listeners->rows == NULL) {
        return false;
    }
    for (size_t i = 0; i < model->count; i++) {
        if (model->rows[i].seen.kind == SLT_SEEN_LISTENER) {
            listeners->rows[listeners->count++] = &model->rows[i];
        }
    }
    qsort(listeners->rows, listeners->count, sizeof(struct slt_watch_row *), by_port);
    return true;
}

static void count_row(struct slt_watch_view *view, const struct slt_watch_model *model,
                      const struct slt_watch_row *row)
{
    bool fresh = row->marked_at_ns == model->at_ns;
    view->marked[row->mark]++;
    if (row->mark == SLT_WATCH_CLOSED) {
        return;
    }
    view->states[row->seen.state]++;
    if (fresh && (row->mark == SLT_WATCH_NEW ||
                  (row->mark == SLT_WATCH_CHANGED && row->was != row->seen.state))) {
        view->entered[row->seen.state]++;
    }
}

/* The rows that are to be shown, each counted. */
static size_t choose(struct slt_watch_view *view, const struct slt_watch_model *model,
                     const struct slt_watch_wish *wish, struct ref *refs)
{
    size_t count = 0;
    memset(view->states, 0, sizeof(view->states));
    memset(view->entered, 0, sizeof(view->entered));
    memset(view->marked, 0, sizeof(view->marked));
    for (size_t i = 0; i < model->count; i++) {
        const struct slt_watch_row *row = &model->rows[i];
        if (wish->filter != NULL && !slt_filter_passes(wish->filter, &row->seen)) {
            continue;
        }
        count_row(view, model, row);
        if (wish->states == 0 || (wish->states >> row->seen.state & 1U) != 0) {
            refs[count++] = (struct ref){row, NULL};
        }
    }
    return count;
}

/* ---- the lines ------------------------------------------------------------------------------- */

static void add_line(struct slt_watch_view *view, enum slt_watch_line_kind kind, uint8_t depth,
                     const struct slt_watch_row *row)
{
    view->lines[view->count++] =
        (struct slt_watch_line){.kind = (uint8_t)kind, .depth = depth, .row = row};
}

static bool same_process(const struct ref *a, const struct ref *b)
{
    return a->listener == b->listener && by_owner(&a->row->seen, &b->row->seen) == 0;
}

/* Write the lines of sorted references; a listener that is hidden by a filter stands above its
 * connections all the same. */
static void write_tree(struct slt_watch_view *view, const struct ref *refs, size_t count)
{
    const struct ref *before = NULL;
    bool process_open = false;
    for (size_t i = 0; i < count; i++) {
        const struct ref *ref = &refs[i];
        if (before == NULL || before->listener != ref->listener) {
            add_line(view,
                     ref->listener == NULL ? SLT_WATCH_LINE_OUTGOING : SLT_WATCH_LINE_LISTENER, 0,
                     ref->listener);
            process_open = false;
        }
        if (ref->row != ref->listener) {
            if (!process_open || !same_process(before, ref)) {
                add_line(view, SLT_WATCH_LINE_PROCESS, 1, ref->row);
                process_open = true;
            }
            add_line(view, SLT_WATCH_LINE_ROW, 2, ref->row);
        }
        before = ref;
    }
}

/* From the end: which lines are the last below their parents, and how many are below each. */
static void count_below(struct slt_watch_view *view)
{
    bool followed[3] = {false, false, false};
    uint32_t below[3] = {0, 0, 0};
    for (size_t i = view->count; i-- > 0;) {
        struct slt_watch_line *line = &view->lines[i];
        line->last = !followed[line->depth];
        line->below = line->kind == SLT_WATCH_LINE_ROW ? 0 : below[line->depth];
        followed[line->depth] = true;
        for (unsigned d = line->depth + 1U; d < 3; d++) {
            followed[d] = false;
        }
        below[0] += line->kind == SLT_WATCH_LINE_ROW;
        below[1] += line->kind == SLT_WATCH_LINE_ROW;
        below[line->depth] = line->kind == SLT_WATCH_LINE_ROW ? below[line->depth] : 0;
    }
}

static bool make_room(struct slt_watch_view *view, size_t rows)
{
    size_t room = rows * 3 + 1; /* each may need a listener and a process above it */
    if (room <= view->room) {
        return true;
    }
    struct slt_watch_line *lines = realloc(view->lines, room * sizeof(*lines));
    if (lines == NULL) {
        return false;
    }
    view->lines = lines;
    view->room = room;
    return true;
}

static bool write_lines(struct slt_watch_view *view, const struct slt_watch_model *model,
                        const struct slt_watch_wish *wish, struct ref *refs)
{
    struct listeners listeners = {.rows = NULL};
    size_t count = choose(view, model, wish, refs);
    struct slt_watch_wish how = *wish;
    if (!make_room(view, count) || (wish->tree && !find_listeners(model, &listeners))) {
        return false;
    }
    for (size_t i = 0; i < count && wish->tree; i++) {
        bool listens = refs[i].row->seen.kind == SLT_SEEN_LISTENER;
        refs[i].listener = listens ? refs[i].row : listener_of(&listeners, &refs[i].row->seen);
    }
    qsort_r(refs, count, sizeof(*refs), in_order, &how);
    if (wish->tree) {
        write_tree(view, refs, count);
        count_below(view);
    } else {
        for (size_t i = 0; i < count; i++) {
            add_line(view, SLT_WATCH_LINE_ROW, 0, refs[i].row);
        }
    }
    free(listeners.rows);
    return true;
}

/* ---- the selection --------------------------------------------------------------------------- */

static void note_selected(struct slt_watch_view *view)
{
    const struct slt_watch_row *row = slt_watch_selected(view);
    slt_seen_init(&view->on, SLT_SOURCE_KERNEL);
    view->on_kind = SLT_WATCH_LINE_OUTGOING;
    if (row != NULL) {
        view->on = row->seen;
        view->on_kind = view->lines[view->selected].kind;
    }
}

static void follow_selected(struct slt_watch_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct slt_watch_line *line = &view->lines[i];
        if (line->kind == view->on_kind && line->row != NULL &&
            slt_watch_same(&line->row->seen, &view->on) == 0) {
            view->selected = i;
            return;
        }
    }
}

bool slt_watch_arrange(struct slt_watch_view *view, const struct slt_watch_model *model,
                       const struct slt_watch_wish *wish)
{
    struct ref *refs = malloc((model->count + 1) * sizeof(*refs));
    view->count = 0;
    bool fine = refs != NULL && write_lines(view, model, wish, refs);
    free(refs);
    if (fine && wish->follow) {
        follow_selected(view);
    }
    slt_watch_select(view, (int64_t)view->selected);
    return fine;
}

void slt_watch_select(struct slt_watch_view *view, int64_t line)
{
    int64_t last = view->count > 0 ? (int64_t)view->count - 1 : 0;
    view->selected = (size_t)(line < 0 ? 0 : line > last ? last : line);
    note_selected(view);
}

const struct slt_watch_row *slt_watch_selected(const struct slt_watch_view *view)
{
    return view->selected < view->count ? view->lines[view->selected].row : NULL;
}

/* What a search looks at: state, both ends, program and pid. */
static bool line_has(const struct slt_watch_line *line, const char *text)
{
    char local[64];
    char remote[64];
    char all[SEARCHED_MAX];
    if (line->row == NULL) {
        return false;
    }
    const struct slt_seen *seen = &line->row->seen;
    (void)salut_addr_print(&seen->local, local, sizeof(local));
    (void)salut_addr_print(&seen->remote, remote, sizeof(remote));
    (void)snprintf(all, sizeof(all), "%s %s:%u %s:%u %s/%d",
                   slt_seen_rfc_name((enum salut_state)seen->state), local, seen->local_port,
                   remote, seen->remote_port, seen->program, seen->pid);
    return strcasestr(all, text) != NULL;
}

bool slt_watch_search(struct slt_watch_view *view, const char *text, bool back)
{
    for (size_t step = 1; step <= view->count && text[0] != '\0'; step++) {
        size_t at = (view->selected + (back ? view->count - step : step)) % view->count;
        if (line_has(&view->lines[at], text)) {
            slt_watch_select(view, (int64_t)at);
            return true;
        }
    }
    return false;
}

const struct slt_watch_row *slt_watch_find(const struct slt_watch_model *model,
                                           const struct slt_seen *seen)
{
    size_t low = 0;
    size_t high = model->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slt_watch_same(&model->rows[middle].seen, seen);
        if (order == 0) {
            return &model->rows[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

void slt_watch_view_free(struct slt_watch_view *view)
{
    free(view->lines);
    *view = (struct slt_watch_view){.lines = NULL};
}
