/* See watch_screen.h.
 *
 * With ncurses (SLT_HAVE_CURSES, found when the build is configured) or without: the second half of
 * this file says that there is no screen. Keys are waited for with poll(), which tells a terminal
 * that hung up from one that is silent; the signals that end a process are noted and told as a key,
 * so that there is one way out.
 */
#include "cli/watch_screen.h"

#ifdef SLT_HAVE_CURSES

/* Functions instead of macros: they convert their arguments as declared. */
#define NCURSES_NOMACROS 1

#include <curses.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#define ESCAPE_MS      25
#define NS_PER_MS      1000000
#define WAIT_MS_MAX    60000
#define LINE_MAX_BYTES 2048U
#define ERASE          0x7f
#define BACKSPACE      0x08
#define ESCAPE         0x1b

static struct {
    SCREEN *screen;
    bool colour;
    bool open;
} state;

static volatile sig_atomic_t ended;

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

/* A fault of ours: the terminal first, then what would have happened. */
static void on_fault(int number)
{
    (void)endwin();
    (void)raise(number); /* SA_RESETHAND: the default this time */
}

static void catch_signals(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    static const int faults[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    struct sigaction end = {.sa_handler = on_end};
    struct sigaction fault = {.sa_handler = on_fault, .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(ends); i++) {
        (void)sigaction(ends[i], &end, NULL);
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(faults); i++) {
        (void)sigaction(faults[i], &fault, NULL);
    }
    (void)sigaction(SIGPIPE, &ignore, NULL); /* a write that fails is seen where it is made */
}

static void make_pairs(void)
{
    static const short colours[SLT_PAINT_COUNT] = {
        [SLT_PAINT_GREEN] = COLOR_GREEN, [SLT_PAINT_YELLOW] = COLOR_YELLOW,
        [SLT_PAINT_RED] = COLOR_RED,     [SLT_PAINT_BLUE] = COLOR_BLUE,
        [SLT_PAINT_CYAN] = COLOR_CYAN,
    };
    (void)start_color();
    (void)use_default_colors();
    for (short i = SLT_PAINT_GREEN; i <= SLT_PAINT_CYAN; i++) {
        (void)init_pair(i, colours[i], -1);
    }
}

static void prepare(void)
{
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(ESCAPE_MS);
    (void)curs_set(0);
}

enum slt_screen_end slt_screen_open(bool colour)
{
    catch_signals();
    state.screen = newterm(NULL, stdout, stdin);
    if (state.screen == NULL) {
        return SLT_SCREEN_UNKNOWN_TERMINAL;
    }
    prepare();
    state.colour = colour && has_colors();
    if (state.colour) {
        make_pairs();
    }
    state.open = true;
    (void)atexit(slt_screen_close);
    return SLT_SCREEN_OPEN;
}

void slt_screen_close(void)
{
    if (state.open) {
        state.open = false;
        (void)curs_set(1);
        (void)endwin();
    }
}

void slt_screen_leave(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}; /* an interrupt is for the other program */
    (void)sigaction(SIGINT, &ignore, NULL);
    (void)sigaction(SIGQUIT, &ignore, NULL);
    (void)def_prog_mode();
    (void)curs_set(1);
    (void)endwin();
}

void slt_screen_return(void)
{
    (void)reset_prog_mode();
    prepare();
    (void)clearok(stdscr, TRUE);
    catch_signals();
}

void slt_screen_size(int *rows, int *columns)
{
    *rows = getmaxy(stdscr);
    *columns = getmaxx(stdscr);
}

void slt_screen_clear(void)
{
    (void)erase();
}

static attr_t look_of(enum slt_paint paint)
{
    switch (paint) {
    case SLT_PAINT_STRONG:
        return A_BOLD;
    case SLT_PAINT_FAINT:
        return A_DIM;
    case SLT_PAINT_BAR:
    case SLT_PAINT_SELECTED:
        return A_REVERSE;
    case SLT_PAINT_GREEN:
    case SLT_PAINT_YELLOW:
    case SLT_PAINT_RED:
    case SLT_PAINT_BLUE:
    case SLT_PAINT_CYAN:
        return state.colour ? (attr_t)COLOR_PAIR((int)paint) : A_NORMAL;
    case SLT_PAINT_PLAIN:
    case SLT_PAINT_COUNT:
        break;
    }
    return A_NORMAL;
}

/* What can be shown of `text` in `width` columns, filled up with blanks. Returns its bytes. */
static int fit(const char *text, int width, char out[LINE_MAX_BYTES])
{
    mbstate_t shift = {0};
    size_t left = strlen(text);
    size_t used = 0;
    while (left > 0 && width > 0 && used + MB_LEN_MAX + (size_t)width < LINE_MAX_BYTES) {
        wchar_t wide = 0;
        size_t bytes = mbrtowc(&wide, text, left, &shift);
        bool valid = bytes != (size_t)-1 && bytes != (size_t)-2 && bytes > 0;
        int columns = valid ? wcwidth(wide) : -1;
        if (!valid) {
            bytes = 1;
            shift = (mbstate_t){0};
        }
        if (columns > width) {
            break;
        }
        if (columns >= 0) {
            memcpy(out + used, text, bytes);
        } else {
            out[used] = '?';
        }
        used += columns >= 0 ? bytes : 1;
        width -= columns >= 0 ? columns : 1;
        text += bytes;
        left -= bytes;
    }
    for (; width > 0 && used < LINE_MAX_BYTES; width--) {
        out[used++] = ' ';
    }
    return (int)used;
}

void slt_screen_put(int row, int column, int width, enum slt_paint paint, const char *text)
{
    char line[LINE_MAX_BYTES];
    int rows = getmaxy(stdscr);
    int columns = getmaxx(stdscr);
    if (row < 0 || row >= rows || column < 0 || column >= columns || width <= 0) {
        return;
    }
    width = width < columns - column ? width : columns - column;
    int bytes = fit(text, width, line);
    (void)attrset((int)look_of(paint));
    (void)mvaddnstr(row, column, line, bytes);
    (void)attrset(A_NORMAL);
}

void slt_screen_cursor(int row, int column)
{
    (void)curs_set(row >= 0 ? 1 : 0);
    if (row >= 0) {
        (void)move(row, column);
    }
}

void slt_screen_show(void)
{
    (void)refresh();
}

/* ---- keys ------------------------------------------------------------------------------------ */

static const struct {
    int curses;
    int ours;
} keys[] = {
    {KEY_UP, SLT_KEY_UP},         {KEY_DOWN, SLT_KEY_DOWN},     {KEY_LEFT, SLT_KEY_LEFT},
    {KEY_RIGHT, SLT_KEY_RIGHT},   {KEY_PPAGE, SLT_KEY_PAGE_UP}, {KEY_NPAGE, SLT_KEY_PAGE_DOWN},
    {KEY_HOME, SLT_KEY_HOME},     {KEY_END, SLT_KEY_END},       {KEY_ENTER, SLT_KEY_ENTER},
    {'\r', SLT_KEY_ENTER},        {'\n', SLT_KEY_ENTER},        {KEY_BACKSPACE, SLT_KEY_ERASE},
    {ERASE, SLT_KEY_ERASE},       {BACKSPACE, SLT_KEY_ERASE},   {ESCAPE, SLT_KEY_ESCAPE},
    {KEY_RESIZE, SLT_KEY_RESIZE},
};

static int translate(int key)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(keys); i++) {
        if (keys[i].curses == key) {
            return keys[i].ours;
        }
    }
    if (key > KEY_F0 && key <= KEY_F0 + 12) {
        return SLT_KEY_F1 + key - KEY_F0 - 1;
    }
    return key < KEY_MIN ? key : SLT_KEY_NONE;
}

int slt_screen_key(int64_t wait_ns)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t wait_ms = wait_ns > 0 ? (wait_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
    int key = getch();
    if (key == ERR && !ended) {
        (void)poll(&in, 1, (int)(wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX));
        key = getch();
    }
    bool hung_up = (in.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    bool at_end = (in.revents & POLLIN) != 0 && key == ERR;
    if (ended || hung_up || (at_end && isatty(STDIN_FILENO) != 1)) {
        return SLT_KEY_GONE;
    }
    return key == ERR ? SLT_KEY_NONE : translate(key);
}

#else

enum slt_screen_end slt_screen_open(bool colour)
{
    (void)colour;
    return SLT_SCREEN_NOT_BUILT;
}

void slt_screen_close(void)
{
}

void slt_screen_leave(void)
{
}

void slt_screen_return(void)
{
}

void slt_screen_size(int *rows, int *columns)
{
    *rows = 0;
    *columns = 0;
}

void slt_screen_clear(void)
{
}

void slt_screen_put(int row, int column, int width, enum slt_paint paint, const char *text)
{
    (void)row;
    (void)column;
    (void)width;
    (void)paint;
    (void)text;
}

void slt_screen_cursor(int row, int column)
{
    (void)row;
    (void)column;
}

void slt_screen_show(void)
{
}

int slt_screen_key(int64_t wait_ns)
{
    (void)wait_ns;
    return SLT_KEY_GONE;
}

#endif
