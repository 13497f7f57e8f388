/* What the parts of salut watch share: its state, and the doors of its files.
 */
#ifndef SLT_CLI_WATCH_H
#define SLT_CLI_WATCH_H

#include "cli/cli.h"
#include "cli/watch_screen.h"
#include "observe/findings.h"
#include "observe/watch_view.h"

/* ---- pages of text: watch_page.c ------------------------------------------------------------- */

#define SLT_PAGE_LINES_MAX 400U
#define SLT_PAGE_LINE_MAX  240U

struct slt_page_line {
    uint8_t paint; /* enum slt_paint */
    char text[SLT_PAGE_LINE_MAX];
};

struct slt_page {
    struct slt_page_line lines[SLT_PAGE_LINES_MAX];
    size_t count;
    size_t top;   /* the first line that is on the screen */
    size_t width; /* lines are broken there */
};

/* Begin anew, for a screen of so many columns; the place in it stays. */
void slt_page_begin(struct slt_page *page, int columns);

/* A line as it stands, cut where it is too long. */
SLT_PRINTF(3, 4)
void slt_page_line(struct slt_page *page, enum slt_paint paint, const char *format, ...);

/* "  name      text", broken into lines; nothing for an empty text. */
SLT_PRINTF(3, 4)
void slt_page_part(struct slt_page *page, const char *name, const char *format, ...);

/* ---- names: watch_names.c -------------------------------------------------------------------- */

/* Names of hosts and services as this machine's own files have them. */
struct slt_names;
struct slt_names *slt_names_read(const char *hosts, const char *services); /* NULL: no memory */
void slt_names_free(struct slt_names *names);

/* "web1:https"; what has no name stays a number. Returns `out`, of SLT_ENDPOINT_MAX bytes. */
const char *slt_names_endpoint(const struct slt_names *names, const salut_addr *addr, uint16_t port,
                               char *out);

/* ---- the state ------------------------------------------------------------------------------- */

enum slt_watch_shown { SLT_WATCH_TABLE, SLT_WATCH_DETAIL, SLT_WATCH_FINDING, SLT_WATCH_HELP };

struct slt_watch_app {
    struct slt_sources sources;
    struct slt_term term;
    int64_t delay_ns;
    bool paused;
    bool leaving;            /* the terminal is gone */
    struct slt_names *names; /* NULL: numbers */

    struct slt_look look;       /* the last, in the order of the model */
    struct slt_counters before; /* the kernel's; the stacks' when they alone are asked */
    struct slt_counters after;
    bool counted;                      /* both are of looks that followed each other */
    struct slt_host_facts host;        /* its counts: since the look before */
    struct slt_host_facts host_totals; /* ... in all */
    struct slt_watch_model model;
    struct slt_watch_wish wish;
    struct slt_watch_view view;
    struct slt_filter *filter;
    size_t top; /* the first line of the view on the screen */

    enum slt_watch_shown shown;
    struct slt_seen of; /* what the page is about */
    struct slt_page page;

    char filter_text[256];
    char search[64];
    char message[256]; /* in the last line, until a key is pressed */
};

/* ---- the loop: cmd_watch.c ------------------------------------------------------------------- */

#define SLT_WATCH_DELAY_MIN_NS (100 * SLT_NS_PER_MS)

/* ---- what is shown: watch_update.c ----------------------------------------------------------- */

/* Take a look and make the lines anew. Returns 0 or a negative errno value. */
int slt_watch_look(struct slt_watch_app *app);

/* Make the lines, and the page about a connection, anew. */
void slt_watch_refresh(struct slt_watch_app *app);

/* ---- drawing: watch_draw.c ------------------------------------------------------------------- */

void slt_watch_draw(struct slt_watch_app *app);

/* How many lines of the view, or of the page, are on the screen. */
size_t slt_watch_room(const struct slt_watch_app *app);

/* The key of a state: '1' to '9', and what each shows. */
char slt_watch_state_key(enum salut_state state);

/* "LOCAL" and the like; slt_watch_columns tells whether it is on a screen so wide. */
const char *slt_watch_column_name(enum slt_watch_column column);

/* An endpoint by name or number. */
const char *slt_watch_endpoint(const struct slt_watch_app *app, const salut_addr *addr,
                               uint16_t port, char *out);

/* ---- pages about a connection: watch_detail.c ------------------------------------------------ */

void slt_watch_write_detail(struct slt_watch_app *app, const struct slt_watch_row *row);
void slt_watch_write_help(struct slt_watch_app *app);

/* The pages of the findings that hold because of this record. Returns how many there are. */
size_t slt_watch_write_findings(struct slt_watch_app *app, const struct slt_seen *seen);

/* The filter that names exactly this connection. */
void slt_watch_print_filter(const struct slt_seen *seen, char *out, size_t size);

#endif
