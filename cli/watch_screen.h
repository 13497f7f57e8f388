/* The screen of salut watch: text at a place in one of a few paints, and keys. Only this knows of
 * the terminal library; a program built without it has no screen, and says so.
 *
 * Text is cut or filled to the width asked for, by what it takes on the screen; bytes that cannot
 * be shown become '?', so that no program's name can write to the terminal.
 */
#ifndef SLT_CLI_WATCH_SCREEN_H
#define SLT_CLI_WATCH_SCREEN_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum slt_paint {
    SLT_PAINT_PLAIN,
    SLT_PAINT_STRONG,
    SLT_PAINT_FAINT,
    SLT_PAINT_GREEN,
    SLT_PAINT_YELLOW,
    SLT_PAINT_RED,
    SLT_PAINT_BLUE,
    SLT_PAINT_CYAN,
    SLT_PAINT_BAR,      /* turned round: titles and the last line */
    SLT_PAINT_SELECTED, /* turned round: the line the selection is on */
    SLT_PAINT_COUNT
};

/* Keys that are no characters. */
enum slt_key {
    SLT_KEY_NONE = -1, /* the time is over */
    SLT_KEY_GONE = -2, /* so is the terminal, or somebody asked to end */
    SLT_KEY_ENTER = 0x110000,
    SLT_KEY_ESCAPE,
    SLT_KEY_ERASE,
    SLT_KEY_UP,
    SLT_KEY_DOWN,
    SLT_KEY_LEFT,
    SLT_KEY_RIGHT,
    SLT_KEY_PAGE_UP,
    SLT_KEY_PAGE_DOWN,
    SLT_KEY_HOME,
    SLT_KEY_END,
    SLT_KEY_RESIZE,
    SLT_KEY_F1 /* F2 is the next, up to F12 */
};

enum slt_screen_end { SLT_SCREEN_OPEN, SLT_SCREEN_NOT_BUILT, SLT_SCREEN_UNKNOWN_TERMINAL };

/* Take the terminal; it is given back by slt_screen_close, by exit(), and by the signals that end
 * a process. */
enum slt_screen_end slt_screen_open(bool colour);
void slt_screen_close(void);

/* Give the terminal to another program for a while, and take it back. */
void slt_screen_leave(void);
void slt_screen_return(void);

void slt_screen_size(int *rows, int *columns);
void slt_screen_clear(void);
void slt_screen_put(int row, int column, int width, enum slt_paint paint, const char *text);
void slt_screen_cursor(int row, int column); /* shown from then on; row -1: hidden */
void slt_screen_show(void);

/* Wait for a key for at most `wait_ns`: a character, an enum slt_key, or SLT_KEY_NONE. */
int slt_screen_key(int64_t wait_ns);

#endif
