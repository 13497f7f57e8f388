/* The main screen of salut watch: states and events on top, then the table or the tree, then why
 * the selected connection is as it is, and the keys.
 *
 * Columns come with the width of the screen. Colour repeats what marks in the text say ("+" new,
 * "~" changed, "-" closed) and says nothing of its own.
 */
#include "cli/status_print.h"
#include "cli/watch.h"

#include "observe/why.h"

#include <string.h>
#include <time.h>

#define CELL_WIDTH  26
#define CELL_GAP    1
#define FOOT_ROWS   2
#define MARK_WIDTH  2
#define TREE_INDENT 6
#define ROWS_MIN    3
#define WHY_WIDTH   160
#define EVENTS_WIDE 132
#define NAMED_FROM  100 /* columns: below, the filter is worth more than our name */
#define EVENTS_FROM 16  /* rows: below, what happens a second is left out */

/* ---- states ---------------------------------------------------------------------------------- */

/* In the order of a connection's life; the two that last longest wrongly share a key. */
static const struct {
    enum salut_state state;
    char key;
    enum slt_paint paint;
} states[SALUT_STATE_COUNT] = {
    {SALUT_STATE_LISTEN, '1', SLT_PAINT_BLUE},
    {SALUT_STATE_SYN_SENT, '2', SLT_PAINT_YELLOW},
    {SALUT_STATE_SYN_RECEIVED, '3', SLT_PAINT_RED},
    {SALUT_STATE_ESTABLISHED, '4', SLT_PAINT_GREEN},
    {SALUT_STATE_FIN_WAIT_1, '5', SLT_PAINT_CYAN},
    {SALUT_STATE_FIN_WAIT_2, '6', SLT_PAINT_BLUE},
    {SALUT_STATE_CLOSE_WAIT, '7', SLT_PAINT_YELLOW},
    {SALUT_STATE_CLOSING, '8', SLT_PAINT_CYAN},
    {SALUT_STATE_LAST_ACK, '8', SLT_PAINT_RED},
    {SALUT_STATE_TIME_WAIT, '9', SLT_PAINT_CYAN},
    {SALUT_STATE_CLOSED, '-', SLT_PAINT_PLAIN},
};

char slt_watch_state_key(enum salut_state state)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(states); i++) {
        if (states[i].state == state) {
            return states[i].key;
        }
    }
    return '-';
}

/* "999", "12.3k", "4.5M": at most five characters. */
static void print_short(double value, char *out, size_t size)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < SLT_ARRAY_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    bool whole = unit == 0 ? value >= 9.95 || value == (double)(int)value : value >= 99.95;
    (void)snprintf(out, size, whole ? "%.0f%s" : "%.1f%s", value, units[unit]);
}

static double looks_apart_s(const struct slt_watch_app *app)
{
    return (double)(app->model.at_ns - app->model.before_ns) / (double)SLT_NS_PER_S;
}

static uint64_t total_of(const struct slt_watch_view *view)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        total += view->states[i];
    }
    return total;
}

/* One line, shared by the states as their connections are; each has at least a column. */
static void draw_bar(const struct slt_watch_app *app, int row, int columns)
{
    uint64_t total = total_of(&app->view);
    uint64_t sum = 0;
    int at = 0;
    char text[SLT_PAGE_LINE_MAX * 4];
    bool blocks = app->term.utf8 && app->term.colour;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(states) && total > 0; i++) {
        uint64_t here = app->view.states[states[i].state];
        sum += here;
        int end = (int)(sum * (uint64_t)columns / total);
        end = here > 0 && end <= at ? at + 1 : end;
        size_t used = 0;
        for (int c = at; c < end && here > 0 && used + 4 < sizeof(text); c++) {
            bool label = !blocks || c == at;
            memcpy(text + used, label ? &states[i].key : "\xe2\x96\x88", label ? 1 : 3);
            used += label ? 1 : 3;
        }
        text[used] = '\0';
        slt_screen_put(row, at, end - at, states[i].paint, text);
        at = end > at ? end : at;
    }
}

/* "4 ESTABLISHED   123  +12" */
static void draw_cell(const struct slt_watch_app *app, size_t i, int row, int column)
{
    enum salut_state state = states[i].state;
    char count[16];
    char rate[16] = "";
    char text[64];
    double apart = looks_apart_s(app);
    bool chosen = (app->wish.states >> state & 1U) != 0;
    print_short((double)app->view.states[state], count, sizeof(count));
    if (app->view.entered[state] > 0 && apart > 0) {
        rate[0] = '+';
        print_short((double)app->view.entered[state] / apart, rate + 1, sizeof(rate) - 1);
    }
    (void)snprintf(text, sizeof(text), "%c%s%-12s%5s %-5s", states[i].key, chosen ? "*" : " ",
                   slt_seen_rfc_name(state), count, rate);
    enum slt_paint paint = chosen                         ? SLT_PAINT_BAR
                           : app->view.states[state] == 0 ? SLT_PAINT_FAINT
                                                          : states[i].paint;
    slt_screen_put(row, column, CELL_WIDTH - CELL_GAP, paint, text);
}

static int cell_rows(int columns)
{
    int across = columns / CELL_WIDTH > 0 ? columns / CELL_WIDTH : 1;
    return ((int)SALUT_STATE_COUNT + across - 1) / across;
}

static void draw_cells(const struct slt_watch_app *app, int row, int columns)
{
    int down = cell_rows(columns);
    for (int i = 0; i < (int)SALUT_STATE_COUNT; i++) {
        draw_cell(app, (size_t)i, row + i % down, i / down * CELL_WIDTH);
    }
}

/* ---- what happens a second ------------------------------------------------------------------- */

static const char *event_rate(const struct slt_watch_app *app, enum slt_counter counter, char *out)
{
    int64_t delta = slt_counter_delta(&app->before, &app->after, counter);
    int64_t ns = app->after.at_ns - app->before.at_ns;
    if (delta == SLT_UNKNOWN || ns <= 0) {
        return "?";
    }
    delta = delta > 0 ? delta : 0; /* a stack that ended takes its counts along */
    print_short((double)delta * 1e9 / (double)ns, out, 16);
    return out;
}

static void draw_events(const struct slt_watch_app *app, int row, int columns)
{
    char n[8][16];
    char text[256];
    if (!app->counted) {
        slt_screen_put(row, 0, columns, SLT_PAINT_FAINT, "a second: (from the second look on)");
        return;
    }
    const char *format =
        columns < EVENTS_WIDE
            ? "/s: %s out %s in %s fail %s reset  segs %s in %s out %s again %s drop"
            : "a second: opened %s by us, %s by peers, %s failed, %s reset;  segments %s in, "
              "%s out, %s sent again;  %s dropped by listeners";
    (void)snprintf(text, sizeof(text), format, event_rate(app, SLT_COUNTER_active_opens, n[0]),
                   event_rate(app, SLT_COUNTER_passive_opens, n[1]),
                   event_rate(app, SLT_COUNTER_attempt_fails, n[2]),
                   event_rate(app, SLT_COUNTER_established_resets, n[3]),
                   event_rate(app, SLT_COUNTER_segments_in, n[4]),
                   event_rate(app, SLT_COUNTER_segments_out, n[5]),
                   event_rate(app, SLT_COUNTER_segments_retransmitted, n[6]),
                   event_rate(app, SLT_COUNTER_listen_drops, n[7]));
    slt_screen_put(row, 0, columns, SLT_PAINT_PLAIN, text);
}

static void draw_title(const struct slt_watch_app *app, int columns)
{
    char text[512];
    char clock[16];
    char delay[SLT_DURATION_MAX];
    struct tm local;
    time_t now = time(NULL);
    uint64_t listeners = app->view.states[SALUT_STATE_LISTEN];
    uint64_t conns = total_of(&app->view) - listeners;
    (void)strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
    bool filtered = app->filter_text[0] != '\0';
    (void)snprintf(text, sizeof(text), "%s%s  %s%s  %llu connection%s, %llu listener%s%s%s",
                   filtered && columns < NAMED_FROM ? "" : "salut watch  ", clock,
                   app->paused ? "PAUSED" : "every ",
                   app->paused ? "" : slt_print_duration(app->delay_ns, delay),
                   (unsigned long long)conns, conns == 1 ? "" : "s", (unsigned long long)listeners,
                   listeners == 1 ? "" : "s", filtered ? "  filter: " : "", app->filter_text);
    slt_screen_put(0, 0, columns, SLT_PAINT_BAR, text);
}

/* ---- columns --------------------------------------------------------------------------------- */

struct column {
    const char *name;
    int width;
    int from; /* shown on screens at least so wide */
    bool right;
};

static const struct column columns_of[SLT_WATCH_COLUMN_COUNT] = {
    [SLT_WATCH_BY_STATE] = {"STATE", 12, 0, false},
    [SLT_WATCH_BY_AGE] = {"AGE", 7, 0, true},
    [SLT_WATCH_BY_LOCAL] = {"LOCAL", 21, 0, false},
    [SLT_WATCH_BY_PEER] = {"PEER", 21, 0, false},
    [SLT_WATCH_BY_OWNER] = {"OWNER", 14, 0, false},
    [SLT_WATCH_BY_UNREAD] = {"UNREAD", 7, 96, true},
    [SLT_WATCH_BY_UNSENT] = {"UNACKED", 7, 96, true},
    [SLT_WATCH_BY_IN_RATE] = {"IN/s", 6, 112, true},
    [SLT_WATCH_BY_OUT_RATE] = {"OUT/s", 6, 112, true},
    [SLT_WATCH_BY_RTT] = {"RTT", 8, 124, true},
    [SLT_WATCH_BY_RESENT] = {"RESENT", 6, 132, true},
};

const char *slt_watch_column_name(enum slt_watch_column column)
{
    return columns_of[column].name;
}

/* Long addresses get what the screen has to spare, up to an IPv6 endpoint. */
static int width_of(enum slt_watch_column column, int columns)
{
    bool end = column == SLT_WATCH_BY_LOCAL || column == SLT_WATCH_BY_PEER;
    int spare = columns >= WHY_WIDTH ? (columns - WHY_WIDTH) / 4 : columns >= 140 ? 4 : 0;
    spare = spare < 26 ? spare : 26;
    return columns_of[column].width + (end ? spare : 0);
}

static void draw_header(const struct slt_watch_app *app, int row, int columns)
{
    int at = MARK_WIDTH + (app->wish.tree ? TREE_INDENT : 0);
    const char *down = app->term.utf8 ? "\xe2\x96\xbc" : "v";
    const char *up = app->term.utf8 ? "\xe2\x96\xb2" : "^";
    slt_screen_put(row, 0, columns, SLT_PAINT_BAR, "");
    for (int c = 0; c < SLT_WATCH_COLUMN_COUNT; c++) {
        enum slt_watch_column column = (enum slt_watch_column)c;
        char text[32];
        int width = width_of(column, columns);
        if (columns < columns_of[c].from) {
            continue;
        }
        bool sorted = app->wish.sort == column;
        int pad = columns_of[c].right ? width - (int)strlen(columns_of[c].name) - sorted : 0;
        (void)snprintf(text, sizeof(text), "%*s%s%s", pad > 0 ? pad : 0, "", columns_of[c].name,
                       !sorted             ? ""
                       : app->wish.reverse ? up
                                           : down);
        slt_screen_put(row, at, width, SLT_PAINT_BAR, text);
        at += width + 1;
    }
    if (columns >= WHY_WIDTH) {
        slt_screen_put(row, at, columns - at, SLT_PAINT_BAR, "WHY");
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

const char *slt_watch_endpoint(const struct slt_watch_app *app, const salut_addr *addr,
                               uint16_t port, char *out)
{
    return app->names != NULL ? slt_names_endpoint(app->names, addr, port, out)
                              : slt_print_endpoint(addr, port, out);
}

static void print_known(int64_t value, char *out, size_t size)
{
    if (value > 0) {
        print_short((double)value, out, size);
    }
}

static void print_queue(const struct slt_seen *seen, char *out, size_t size)
{
    if (seen->kind == SLT_SEEN_LISTENER && seen->queue >= 0) {
        (void)snprintf(out, size, "%lld/%lld", (long long)seen->queue,
                       (long long)seen->queue_limit);
    } else {
        print_known(seen->unread, out, size);
    }
}

static void print_column(const struct slt_watch_app *app, const struct slt_watch_row *row,
                         enum slt_watch_column column, char out[SLT_ENDPOINT_MAX])
{
    const struct slt_seen *seen = &row->seen;
    int64_t owed = (seen->unacked > 0 ? seen->unacked : 0) + (seen->unsent > 0 ? seen->unsent : 0);
    out[0] = '\0';
    switch (column) {
    case SLT_WATCH_BY_STATE:
        (void)snprintf(out, SLT_ENDPOINT_MAX, "%s",
                       slt_seen_rfc_name((enum salut_state)seen->state));
        break;
    case SLT_WATCH_BY_AGE:
        (void)slt_print_span(&seen->age, out);
        break;
    case SLT_WATCH_BY_LOCAL:
        (void)slt_watch_endpoint(app, &seen->local, seen->local_port, out);
        break;
    case SLT_WATCH_BY_PEER:
        (void)slt_watch_endpoint(app, &seen->remote, seen->remote_port, out);
        break;
    case SLT_WATCH_BY_OWNER:
        (void)slt_status_owner(seen, out);
        break;
    case SLT_WATCH_BY_UNREAD:
        print_queue(seen, out, SLT_ENDPOINT_MAX);
        break;
    case SLT_WATCH_BY_UNSENT:
        print_known(owed, out, SLT_ENDPOINT_MAX);
        break;
    case SLT_WATCH_BY_IN_RATE:
        print_known(row->in_rate, out, SLT_ENDPOINT_MAX);
        break;
    case SLT_WATCH_BY_OUT_RATE:
        print_known(row->out_rate, out, SLT_ENDPOINT_MAX);
        break;
    case SLT_WATCH_BY_RTT:
        if (seen->rtt_us > 0) {
            (void)slt_print_duration(seen->rtt_us * SLT_NS_PER_US, out);
        }
        break;
    case SLT_WATCH_BY_RESENT:
        print_known(seen->retransmits, out, SLT_ENDPOINT_MAX);
        break;
    case SLT_WATCH_COLUMN_COUNT:
        break;
    }
}

static enum slt_paint paint_of(const struct slt_watch_row *row)
{
    static const enum slt_paint paints[] = {SLT_PAINT_PLAIN, SLT_PAINT_GREEN, SLT_PAINT_YELLOW,
                                            SLT_PAINT_RED};
    return paints[row->mark % SLT_ARRAY_COUNT(paints)];
}

/* Why, and what it was before. */
static void print_why(const struct slt_watch_row *row, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    if (row->mark == SLT_WATCH_CLOSED) {
        (void)snprintf(out, size, "gone; when last seen: ");
    } else if (row->mark == SLT_WATCH_CHANGED && row->was != row->seen.state) {
        (void)snprintf(out, size, "was %s; ", slt_seen_rfc_name((enum salut_state)row->was));
    }
    used = strlen(out);
    (void)slt_why(&row->seen, out + used, size - used);
}

static void draw_columns(const struct slt_watch_app *app, const struct slt_watch_row *row, int y,
                         int at, enum slt_paint paint)
{
    int rows;
    int columns;
    char text[512];
    char padded[sizeof(text) + SLT_ENDPOINT_MAX];
    slt_screen_size(&rows, &columns);
    for (int c = 0; c < SLT_WATCH_COLUMN_COUNT; c++) {
        int width = width_of((enum slt_watch_column)c, columns);
        if (columns < columns_of[c].from) {
            continue;
        }
        print_column(app, row, (enum slt_watch_column)c, text);
        int pad = columns_of[c].right ? width - (int)strlen(text) : 0;
        (void)snprintf(padded, sizeof(padded), "%*s%s", pad > 0 ? pad : 0, "", text);
        slt_screen_put(y, at, width, paint, padded);
        at += width + 1;
    }
    if (columns >= WHY_WIDTH) {
        print_why(row, text, sizeof(text));
        slt_screen_put(y, at, columns - at, paint, text);
    }
}

/* The branches left of a line of the tree. */
static const char *branch_of(const struct slt_watch_app *app, size_t index)
{
    static const char *const ascii[] = {"|- ", "`- ", "|  |- ", "|  `- ", "   |- ", "   `- "};
    static const char *const utf8[] = {
        "\xe2\x94\x9c\xe2\x94\x80 ",
        "\xe2\x94\x94\xe2\x94\x80 ",
        "\xe2\x94\x82  \xe2\x94\x9c\xe2\x94\x80 ",
        "\xe2\x94\x82  \xe2\x94\x94\xe2\x94\x80 ",
        "   \xe2\x94\x9c\xe2\x94\x80 ",
        "   \xe2\x94\x94\xe2\x94\x80 ",
    };
    const struct slt_watch_line *line = &app->view.lines[index];
    size_t shape = line->last ? 1 : 0;
    if (line->depth == 2) {
        size_t up = index;
        while (up > 0 && app->view.lines[up].depth != 1) {
            up--;
        }
        shape += app->view.lines[up].last ? 4 : 2;
    }
    return line->depth == 0 ? "" : app->term.utf8 ? utf8[shape] : ascii[shape];
}

static void print_head(const struct slt_watch_app *app, size_t index, char *out, size_t size)
{
    const struct slt_watch_line *line = &app->view.lines[index];
    char end[SLT_ENDPOINT_MAX];
    char owner[SLT_OWNER_TEXT_MAX];
    char queue[48] = "";
    const char *plural = line->below == 1 ? "" : "s";
    if (line->kind == SLT_WATCH_LINE_OUTGOING) {
        (void)snprintf(out, size, "no listener here (opened by programs, or bound): %u",
                       line->below);
        return;
    }
    const struct slt_seen *seen = &line->row->seen;
    (void)slt_status_owner(seen, owner);
    if (line->kind == SLT_WATCH_LINE_PROCESS) {
        char process[SLT_OWNER_TEXT_MAX] = "no process";
        if (seen->pid != SLT_UNKNOWN) {
            (void)snprintf(process, sizeof(process), "%s/%d", seen->program, seen->pid);
        } else if (seen->owner == SLT_OWNER_HIDDEN) {
            (void)snprintf(process, sizeof(process), "(hidden)");
        }
        (void)snprintf(out, size, "%s%s: %u connection%s", branch_of(app, index), process,
                       line->below, plural);
        return;
    }
    (void)slt_watch_endpoint(app, &seen->local, seen->local_port, end);
    if (seen->queue >= 0) {
        (void)snprintf(queue, sizeof(queue), ", %lld of %lld wait", (long long)seen->queue,
                       (long long)seen->queue_limit);
    }
    (void)snprintf(out, size, "LISTEN %s  %s  %u connection%s%s", end, owner, line->below, plural,
                   queue);
}

static void draw_line(const struct slt_watch_app *app, size_t index, int y, int columns)
{
    static const char marks[] = " +~-";
    const struct slt_watch_line *line = &app->view.lines[index];
    bool selected = index == app->view.selected;
    bool row = line->kind == SLT_WATCH_LINE_ROW;
    bool marked = line->row != NULL && line->kind != SLT_WATCH_LINE_PROCESS;
    enum slt_paint paint = selected           ? SLT_PAINT_SELECTED
                           : marked           ? paint_of(line->row)
                           : line->depth == 0 ? SLT_PAINT_STRONG
                                              : SLT_PAINT_PLAIN;
    char text[512];
    text[0] = marked ? marks[line->row->mark % 4] : ' ';
    text[1] = selected ? '>' : ' ';
    text[2] = '\0';
    slt_screen_put(y, 0, columns, paint, text);
    if (!row) {
        print_head(app, index, text, sizeof(text));
        slt_screen_put(y, MARK_WIDTH, columns - MARK_WIDTH, paint, text);
        return;
    }
    int at = MARK_WIDTH;
    if (app->wish.tree) {
        slt_screen_put(y, at, TREE_INDENT, paint, branch_of(app, index));
        at += TREE_INDENT;
    }
    draw_columns(app, line->row, y, at, paint);
}

/* ---- the screen ------------------------------------------------------------------------------ */

static int head_rows(int rows, int columns)
{
    int cells = cell_rows(columns);
    int head = 2 + cells + (rows >= EVENTS_FROM) + 1;
    return rows - head - FOOT_ROWS >= ROWS_MIN ? head : 2;
}

size_t slt_watch_room(const struct slt_watch_app *app)
{
    int rows;
    int columns;
    slt_screen_size(&rows, &columns);
    int room = app->shown == SLT_WATCH_TABLE ? rows - head_rows(rows, columns) - FOOT_ROWS
                                             : rows - FOOT_ROWS;
    return room > 1 ? (size_t)room : 1;
}

static void draw_table(struct slt_watch_app *app, int rows, int columns)
{
    int head = head_rows(rows, columns);
    size_t room = slt_watch_room(app);
    size_t most = app->view.count > room ? app->view.count - room : 0;
    draw_title(app, columns);
    if (head > 2) {
        draw_bar(app, 1, columns);
        draw_cells(app, 2, columns);
    }
    if (head > 2 && rows >= EVENTS_FROM) {
        draw_events(app, head - 2, columns);
    }
    draw_header(app, head - 1, columns);
    app->top = app->view.selected < app->top ? app->view.selected : app->top;
    app->top = app->view.selected >= app->top + room ? app->view.selected + 1 - room : app->top;
    app->top = app->top > most ? most : app->top;
    for (size_t i = 0; i < room && app->top + i < app->view.count; i++) {
        draw_line(app, app->top + i, head + (int)i, columns);
    }
    if (app->view.count == 0) {
        slt_screen_put(head, MARK_WIDTH, columns, SLT_PAINT_FAINT,
                       app->filter_text[0] != '\0' || app->wish.states != 0
                           ? "nothing passes the filter"
                           : "there are no connections");
    }
}

static void draw_page(struct slt_watch_app *app, int columns)
{
    size_t room = slt_watch_room(app);
    size_t most = app->page.count > room ? app->page.count - room : 0;
    app->page.top = app->page.top > most ? most : app->page.top;
    for (size_t i = 0; i < room && app->page.top + i < app->page.count; i++) {
        const struct slt_page_line *line = &app->page.lines[app->page.top + i];
        slt_screen_put((int)i, 0, columns, (enum slt_paint)line->paint, line->text);
    }
}

static void draw_foot(const struct slt_watch_app *app, int rows, int columns)
{
    static const char *const table_keys =
        "h help  q quit  Enter detail  / search  \\ filter  < > sort  t tree  space pause  e "
        "explain";
    static const char *const page_keys =
        "q back  arrows scroll  e explain  K close it  P probe the peer";
    char text[512] = "";
    const struct slt_watch_row *row = slt_watch_selected(&app->view);
    if (app->shown == SLT_WATCH_TABLE && row != NULL) {
        print_why(row, text, sizeof(text));
    } else if (app->shown != SLT_WATCH_TABLE && app->page.count > slt_watch_room(app)) {
        (void)snprintf(text, sizeof(text), "lines %zu to %zu of %zu", app->page.top + 1,
                       app->page.top + slt_watch_room(app), app->page.count);
    }
    slt_screen_put(rows - 2, 0, columns, SLT_PAINT_FAINT, text);
    slt_screen_put(rows - 1, 0, columns, SLT_PAINT_BAR,
                   app->message[0] != '\0'         ? app->message
                   : app->shown == SLT_WATCH_TABLE ? table_keys
                                                   : page_keys);
}

void slt_watch_draw(struct slt_watch_app *app)
{
    int rows;
    int columns;
    slt_screen_size(&rows, &columns);
    slt_screen_clear();
    if (app->shown == SLT_WATCH_TABLE) {
        draw_table(app, rows, columns);
    } else {
        draw_page(app, columns);
    }
    draw_foot(app, rows, columns);
    slt_screen_cursor(-1, 0);
    slt_screen_show();
}
