/* See ladder.h.
 *
 * A row is: time (10 columns), a space, the left state (12), a space, the lane, a space, the right
 * state (12). Labels are ASCII, so that a byte of them is a column.
 */
#include "observe/ladder.h"

#include "base/compiler.h"
#include "observe/seen.h"
#include "salut/types.h"

#include <string.h>

#define TIME_COLUMNS  10
#define STATE_COLUMNS 12
#define EDGE_COLUMNS  (TIME_COLUMNS + 1 + STATE_COLUMNS + 1 + 1 + STATE_COLUMNS)

/* Of a longer run of plain segments the first RUN_HEAD and the last RUN_TAIL are drawn. */
#define RUN_MAX  8
#define RUN_HEAD 3
#define RUN_TAIL 2

#define NS_PER_MS 1e6
#define NS_PER_S  1e9

struct strokes {
    const char *line;
    const char *right;
    const char *left;
    const char *cross;
    const char *dot;
    const char *more;
};

static const struct strokes utf8_strokes = {"─", "▶", "◀", "✗", "●", "⋮"};
static const struct strokes ascii_strokes = {"-", ">", "<", "X", "*", ":"};

struct pen {
    const struct slt_ladder *ladder;
    const struct strokes *strokes;
    FILE *to;
    size_t lane;
    uint8_t state[2];
    int64_t said_ns; /* the time of the last row that bears one */
};

static void repeat(const struct pen *pen, const char *stroke, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)fputs(stroke, pen->to);
    }
}

/* The time of a step, counted from the first; a change that came with a segment bears none. */
static void put_time(struct pen *pen, const struct slt_ladder_step *step)
{
    char text[24];
    int64_t ns = step->at_ns - pen->ladder->steps[0].at_ns;
    if (step->kind == SLT_LADDER_STATE && ns == pen->said_ns) {
        (void)fprintf(pen->to, "%*s", TIME_COLUMNS + 1, "");
        return;
    }
    pen->said_ns = ns;
    if (ns < 10 * (int64_t)NS_PER_S) {
        (void)snprintf(text, sizeof(text), "%.3fms", (double)ns / NS_PER_MS);
    } else {
        (void)snprintf(text, sizeof(text), "%.3fs", (double)ns / NS_PER_S);
    }
    (void)fprintf(pen->to, "%*s ", TIME_COLUMNS, text);
}

static void paint(const struct pen *pen, const char *code)
{
    if (pen->ladder->colour) {
        (void)fputs(code, pen->to);
    }
}

static void put_state(const struct pen *pen, uint8_t side, bool changed)
{
    paint(pen, changed ? "\033[1m" : "\033[2m");
    const char *name = slt_seen_rfc_name((enum salut_state)pen->state[side]);
    if (side == SLT_LADDER_LEFT) {
        (void)fprintf(pen->to, "%-*s", STATE_COLUMNS, name);
    } else {
        (void)fputs(name, pen->to); /* nothing follows: no blanks at the end of a line */
    }
    paint(pen, "\033[0m");
}

/* The label on its arrow, `room` columns in all, both ends included. */
static void put_arrow(const struct pen *pen, const struct slt_ladder_step *step)
{
    size_t room = pen->lane - 2; /* the head, and one stroke at the tail */
    size_t length = strlen(step->label);
    length = length > room - 2 ? room - 2 : length;
    size_t strokes = room - length - 2;
    bool rightwards = step->side == SLT_LADDER_LEFT;
    const char *head = step->dropped ? pen->strokes->cross
                       : rightwards  ? pen->strokes->right
                                     : pen->strokes->left;
    paint(pen, step->dropped ? "\033[31m" : rightwards ? "\033[36m" : "\033[33m");
    (void)fputs(rightwards ? pen->strokes->line : head, pen->to);
    repeat(pen, pen->strokes->line, strokes / 2);
    (void)fprintf(pen->to, " %.*s ", (int)length, step->label);
    repeat(pen, pen->strokes->line, strokes - strokes / 2);
    (void)fputs(rightwards ? head : pen->strokes->line, pen->to);
    paint(pen, "\033[0m");
}

/* A text below an arrow, in the middle of the lane. */
static void put_below(const struct pen *pen, const char *text)
{
    size_t length = strlen(text);
    if (length == 0) {
        return;
    }
    length = length > pen->lane ? pen->lane : length;
    size_t before = TIME_COLUMNS + 1 + STATE_COLUMNS + 1 + (pen->lane - length) / 2;
    paint(pen, "\033[2m");
    (void)fprintf(pen->to, "%*s%.*s\n", (int)before, "", (int)length, text);
    paint(pen, "\033[0m");
}

static void draw_segment(struct pen *pen, const struct slt_ladder_step *step)
{
    put_time(pen, step);
    put_state(pen, SLT_LADDER_LEFT, false);
    (void)fputc(' ', pen->to);
    put_arrow(pen, step);
    (void)fputc(' ', pen->to);
    put_state(pen, SLT_LADDER_RIGHT, false);
    (void)fputc('\n', pen->to);
    put_below(pen, step->detail);
    if (step->dropped && step->why != NULL) {
        put_below(pen, step->why);
    }
}

static void draw_state(struct pen *pen, const struct slt_ladder_step *step)
{
    pen->state[step->side] = step->to;
    const char *why = step->why == NULL ? "" : step->why;
    size_t length = strlen(why);
    size_t most = pen->lane - 2;
    length = length > most ? most : length;
    put_time(pen, step);
    if (step->side == SLT_LADDER_LEFT) {
        put_state(pen, SLT_LADDER_LEFT, true);
        (void)fprintf(pen->to, " %s %.*s\n", pen->strokes->dot, (int)length, why);
        return;
    }
    size_t before = STATE_COLUMNS + 1 + most - length;
    (void)fprintf(pen->to, "%*s%.*s %s ", (int)before, "", (int)length, why, pen->strokes->dot);
    put_state(pen, SLT_LADDER_RIGHT, true);
    (void)fputc('\n', pen->to);
}

static bool is_plain(const struct slt_ladder_step *step)
{
    return step->kind == SLT_LADDER_SEGMENT && step->plain && !step->dropped;
}

static size_t run_length(const struct slt_ladder *ladder, size_t at)
{
    size_t n = 0;
    while (at + n < ladder->count && is_plain(&ladder->steps[at + n])) {
        n++;
    }
    return n;
}

static void draw_gap(const struct pen *pen, const struct slt_ladder_step *steps, size_t count)
{
    char text[SLT_LADDER_LABEL_MAX];
    unsigned long long bytes[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        bytes[steps[i].side] += steps[i].bytes;
    }
    (void)snprintf(text, sizeof(text), "%s %zu more segments: %llu bytes %s, %llu bytes %s",
                   pen->strokes->more, count, bytes[SLT_LADDER_LEFT], pen->strokes->right,
                   bytes[SLT_LADDER_RIGHT], pen->strokes->left);
    (void)fprintf(pen->to, "%*s%s\n", TIME_COLUMNS + 1 + STATE_COLUMNS + 1 + 2, "", text);
}

static void draw_step(struct pen *pen, const struct slt_ladder_step *step)
{
    if (step->kind == SLT_LADDER_SEGMENT) {
        draw_segment(pen, step);
    } else {
        draw_state(pen, step);
    }
}

static void draw_names(const struct pen *pen)
{
    /* The right name stands over its states; a long one ends with the line. */
    size_t left = TIME_COLUMNS + 1 + STATE_COLUMNS + 1 + pen->lane + 1;
    size_t length = strlen(pen->ladder->names[SLT_LADDER_RIGHT]);
    if (length > STATE_COLUMNS && length - STATE_COLUMNS < pen->lane) {
        left -= length - STATE_COLUMNS;
    }
    paint(pen, "\033[1m");
    (void)fprintf(pen->to, "%*s%-*s %s\n", TIME_COLUMNS + 1, "", (int)left - TIME_COLUMNS - 2,
                  pen->ladder->names[SLT_LADDER_LEFT], pen->ladder->names[SLT_LADDER_RIGHT]);
    paint(pen, "\033[0m");
}

void slt_ladder_print(const struct slt_ladder *ladder, FILE *to)
{
    uint32_t width =
        slt_max32(slt_min32(ladder->width, SLT_LADDER_WIDTH_MAX), SLT_LADDER_WIDTH_MIN);
    struct pen pen = {.ladder = ladder,
                      .strokes = ladder->utf8 ? &utf8_strokes : &ascii_strokes,
                      .to = to,
                      .lane = width - EDGE_COLUMNS,
                      .state = {ladder->first[0], ladder->first[1]},
                      .said_ns = -1};
    draw_names(&pen);
    for (size_t i = 0; i < ladder->count;) {
        size_t run = run_length(ladder, i);
        size_t whole = run > RUN_MAX ? RUN_HEAD : slt_max32(1, (uint32_t)run);
        for (size_t k = 0; k < whole; k++) {
            draw_step(&pen, &ladder->steps[i + k]);
        }
        i += whole;
        if (run > RUN_MAX) {
            size_t gap = run - RUN_HEAD - RUN_TAIL;
            draw_gap(&pen, &ladder->steps[i], gap);
            i += gap;
            for (size_t k = 0; k < RUN_TAIL; k++, i++) {
                draw_step(&pen, &ladder->steps[i]);
            }
        }
    }
}
