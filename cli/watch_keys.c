/* Keys of salut watch: a table of what each does, in the table of connections and on pages, and
 * the lines that ask for words.
 */
#include "cli/watch_keys.h"

#include "cli/status_print.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ASK_WAIT_NS    SLT_NS_PER_S
#define FILTER_MAX     (2 * SLT_ENDPOINT_MAX + 32)
#define DELAY_MAX_S    3600.0
#define STATES_WITH(s) ((uint16_t)(1U << (s)))

/* ---- a line of words ------------------------------------------------------------------------- */

static void draw_question(const char *question, const char *text)
{
    int rows;
    int columns;
    char line[512];
    slt_screen_size(&rows, &columns);
    int length = snprintf(line, sizeof(line), "%s%s", question, text);
    int over = length >= columns ? length - columns + 1 : 0; /* the end is what is being typed */
    slt_screen_put(rows - 1, 0, columns, SLT_PAINT_BAR, line + over);
    slt_screen_cursor(rows - 1, length - over);
    slt_screen_show();
}

/* Ask for words in the last line; `text` holds what was there before. False: not any more. */
static bool ask(struct slt_watch_app *app, const char *question, char *text, size_t size)
{
    int key = SLT_KEY_NONE;
    size_t used = strlen(text);
    while (key != SLT_KEY_ENTER) {
        slt_watch_draw(app);
        draw_question(question, text);
        key = slt_screen_key(ASK_WAIT_NS);
        if (key == SLT_KEY_ESCAPE || key == SLT_KEY_GONE) {
            app->leaving = key == SLT_KEY_GONE;
            return false;
        }
        if (key == SLT_KEY_ERASE && used > 0) {
            used--;
        } else if (key == 'U' - '@') {
            used = 0;
        } else if (key >= ' ' && key < 0x7f && used + 1 < size) {
            text[used++] = (char)key;
        }
        text[used] = '\0';
    }
    return true;
}

SLT_PRINTF(2, 3)
static void tell(struct slt_watch_app *app, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(app->message, sizeof(app->message), format, list);
    va_end(list);
}

static void ask_filter(struct slt_watch_app *app)
{
    char text[sizeof(app->filter_text)];
    char why[160];
    const char *words = text;
    (void)snprintf(text, sizeof(text), "%s", app->filter_text);
    if (!ask(app, "filter: ", text, sizeof(text))) {
        return;
    }
    struct slt_filter *filter = slt_filter_compile(&words, 1, why, sizeof(why));
    if (filter == NULL) {
        tell(app, "the filter is wrong %s", why);
        return;
    }
    slt_filter_free(app->filter);
    app->filter = filter;
    (void)snprintf(app->filter_text, sizeof(app->filter_text), "%s", text);
    slt_watch_refresh(app);
}

static void search_on(struct slt_watch_app *app, bool back)
{
    if (!slt_watch_search(&app->view, app->search, back)) {
        tell(app, "nothing has '%s' in it", app->search);
    }
}

static void ask_search(struct slt_watch_app *app)
{
    char text[sizeof(app->search)] = "";
    if (ask(app, "search: ", text, sizeof(text))) {
        if (text[0] != '\0') {
            (void)snprintf(app->search, sizeof(app->search), "%s", text);
        }
        search_on(app, false);
    }
}

static void ask_delay(struct slt_watch_app *app)
{
    char text[16] = "";
    char *end = text;
    if (!ask(app, "seconds between two looks: ", text, sizeof(text))) {
        return;
    }
    double seconds = strtod(text, &end);
    if (end == text || !(seconds >= 0.1 && seconds <= DELAY_MAX_S)) {
        tell(app, "0.1 to %.0f seconds, not '%s'", DELAY_MAX_S, text);
        return;
    }
    app->delay_ns = (int64_t)(seconds * (double)SLT_NS_PER_S);
}

/* ---- other programs and files ---------------------------------------------------------------- */

/* Show what is shown as status --json does, in a new file that is ours. */
static void save(struct slt_watch_app *app)
{
    char name[64];
    struct tm local;
    time_t now = time(NULL);
    size_t saved = 0;
    (void)strftime(name, sizeof(name), "salut-watch-%Y%m%d-%H%M%S.json", localtime_r(&now, &local));
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
    if (to == NULL) {
        tell(app, "%s cannot be written: %s", name, strerror(errno));
        return;
    }
    for (size_t i = 0; i < app->view.count; i++) {
        const struct slt_watch_line *line = &app->view.lines[i];
        bool shown = line->kind == SLT_WATCH_LINE_ROW || line->kind == SLT_WATCH_LINE_LISTENER;
        if (shown && line->row->mark != SLT_WATCH_CLOSED) {
            slt_status_json_record(&line->row->seen, to);
            saved++;
        }
    }
    bool fine = ferror(to) == 0;
    fine = fclose(to) == 0 && fine;
    tell(app, fine ? "%s has %zu of them, an object a line" : "%s is not whole: the disk is full?",
         name, saved);
}

static void run_salut(const char *verb, const char *filter)
{
    static const int for_itself[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGABRT};
    char *words[] = {"salut", (char *)(uintptr_t)verb, (char *)(uintptr_t)filter, NULL};
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < SLT_ARRAY_COUNT(for_itself); i++) {
            (void)signal(for_itself[i], SIG_DFL);
        }
        (void)execv("/proc/self/exe", words);
        _exit(SLT_EXIT_FAILURE);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
}

/* A verb that writes is a program of its own: it shows what it will do and asks. */
static void hand_over(struct slt_watch_app *app, const char *verb)
{
    const struct slt_watch_row *row = slt_watch_selected(&app->view);
    const struct slt_seen *seen = app->shown == SLT_WATCH_DETAIL ? &app->of
                                  : row != NULL                  ? &row->seen
                                                                 : NULL;
    char filter[FILTER_MAX];
    char answer[16];
    if (seen == NULL || seen->kind == SLT_SEEN_LISTENER || seen->kind == SLT_SEEN_BOUND) {
        tell(app, "salut %s is for connections", verb);
        return;
    }
    if (seen->source != SLT_SOURCE_KERNEL) {
        tell(app, "salut %s reaches the kernel's connections; this one belongs to process %d", verb,
             seen->pid);
        return;
    }
    slt_watch_print_filter(seen, filter, sizeof(filter));
    slt_screen_leave();
    (void)printf("\n$ salut %s %s\n", verb, filter);
    (void)fflush(stdout);
    run_salut(verb, filter);
    (void)printf("\nEnter: back to salut watch\n");
    (void)fflush(stdout);
    (void)fgets(answer, sizeof(answer), stdin);
    slt_screen_return();
}

static void close_it(struct slt_watch_app *app)
{
    hand_over(app, "kill");
}

static void probe_it(struct slt_watch_app *app)
{
    hand_over(app, "probe");
}

/* ---- what is shown --------------------------------------------------------------------------- */

static void show_help(struct slt_watch_app *app)
{
    app->shown = SLT_WATCH_HELP;
    app->page.top = 0;
    slt_watch_write_help(app);
}

static void show_detail(struct slt_watch_app *app)
{
    const struct slt_watch_row *row = slt_watch_selected(&app->view);
    if (row != NULL) {
        app->shown = SLT_WATCH_DETAIL;
        app->of = row->seen;
        app->page.top = 0;
        slt_watch_write_detail(app, row);
    }
}

static void show_findings(struct slt_watch_app *app)
{
    const struct slt_watch_row *row = slt_watch_selected(&app->view);
    int rows;
    int columns;
    if (app->shown == SLT_WATCH_TABLE && row != NULL) {
        app->of = row->seen;
    }
    if (app->shown == SLT_WATCH_TABLE && row == NULL) {
        return;
    }
    slt_screen_size(&rows, &columns);
    slt_page_begin(&app->page, columns);
    app->page.top = 0;
    if (slt_watch_write_findings(app, &app->of) > 0) {
        app->shown = SLT_WATCH_FINDING;
        return;
    }
    tell(app, "no finding concerns it (salut doctor judges the whole machine)");
    slt_watch_refresh(app); /* the page, if there was one */
}

static void sort_by(struct slt_watch_app *app, int step)
{
    int next = (int)app->wish.sort + step + SLT_WATCH_COLUMN_COUNT;
    app->wish.sort = (enum slt_watch_column)(next % SLT_WATCH_COLUMN_COUNT);
    tell(app, "sorted by %s", slt_watch_column_name(app->wish.sort));
    slt_watch_refresh(app);
}

static void sort_next(struct slt_watch_app *app)
{
    sort_by(app, 1);
}

static void sort_before(struct slt_watch_app *app)
{
    sort_by(app, -1);
}

static void reverse(struct slt_watch_app *app)
{
    app->wish.reverse = !app->wish.reverse;
    slt_watch_refresh(app);
}

static void tree(struct slt_watch_app *app)
{
    app->wish.tree = !app->wish.tree;
    slt_watch_refresh(app);
}

static void follow(struct slt_watch_app *app)
{
    app->wish.follow = !app->wish.follow;
    tell(app, "the selection %s",
         app->wish.follow ? "follows its connection" : "stays at its place");
}

static void halt(struct slt_watch_app *app)
{
    app->paused = !app->paused;
}

static void names(struct slt_watch_app *app)
{
    if (app->names != NULL) {
        slt_names_free(app->names);
        app->names = NULL;
    } else {
        app->names = slt_names_read("/etc/hosts", "/etc/services");
    }
    slt_watch_refresh(app);
}

static void search_back(struct slt_watch_app *app)
{
    search_on(app, true);
}

/* Show a key's states as well, or not any more. */
static void choose_states(struct slt_watch_app *app, int key)
{
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        if (slt_watch_state_key((enum salut_state)i) == (char)key) {
            app->wish.states ^= STATES_WITH(i);
        }
    }
    app->wish.states = key == '0' ? 0 : app->wish.states;
    slt_watch_refresh(app);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static const struct {
    int key;
    int lines;
    int rooms;
} moves[] = {
    {SLT_KEY_UP, -1, 0},
    {SLT_KEY_DOWN, 1, 0},
    {'k', -1, 0},
    {'j', 1, 0},
    {SLT_KEY_PAGE_UP, 0, -1},
    {SLT_KEY_PAGE_DOWN, 0, 1},
    {SLT_KEY_HOME, 0, -1000000},
    {SLT_KEY_END, 0, 1000000},
    {'g', 0, -1000000},
    {'G', 0, 1000000},
};

static bool move(struct slt_watch_app *app, int key)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(moves); i++) {
        if (moves[i].key != key) {
            continue;
        }
        int64_t by = moves[i].lines + moves[i].rooms * (int64_t)slt_watch_room(app);
        if (app->shown == SLT_WATCH_TABLE) {
            slt_watch_select(&app->view, (int64_t)app->view.selected + by);
        } else {
            int64_t top = (int64_t)app->page.top + by;
            int64_t most = (int64_t)app->page.count;
            app->page.top = (size_t)(top < 0 ? 0 : top > most ? most : top);
        }
        return true;
    }
    return false;
}

/* ---- the table ------------------------------------------------------------------------------- */

struct key_does {
    int key;
    bool on_pages; /* too */
    void (*does)(struct slt_watch_app *app);
};

#define F(n) (SLT_KEY_F1 + (n)-1)

static const struct key_does keys[] = {
    {'h', true, show_help},     {'?', true, show_help},
    {F(1), true, show_help},    {SLT_KEY_ENTER, false, show_detail},
    {'e', true, show_findings}, {'/', false, ask_search},
    {'N', false, search_back},  {'\\', false, ask_filter},
    {F(4), false, ask_filter},  {'>', false, sort_next},
    {F(6), false, sort_next},   {'<', false, sort_before},
    {'r', false, reverse},      {'I', false, reverse},
    {'t', false, tree},         {F(5), false, tree},
    {'f', false, follow},       {' ', true, halt},
    {'p', true, halt},          {'n', true, names},
    {'d', false, ask_delay},    {'s', false, save},
    {'K', true, close_it},      {F(9), true, close_it},
    {'P', true, probe_it},
};

/* The pages are as wide as the screen was. */
static void resize(struct slt_watch_app *app)
{
    if (app->shown == SLT_WATCH_HELP) {
        slt_watch_write_help(app);
    }
    slt_watch_refresh(app);
}

static void back(struct slt_watch_app *app)
{
    app->shown = SLT_WATCH_TABLE;
    app->page.top = 0;
}

bool slt_watch_on_key(struct slt_watch_app *app, int key)
{
    bool leave = key == 'q' || key == F(10) || key == SLT_KEY_ESCAPE;
    bool on_page = app->shown != SLT_WATCH_TABLE;
    if (key == SLT_KEY_NONE) {
        return true;
    }
    app->message[0] = '\0';
    if (leave && !on_page) {
        return key == SLT_KEY_ESCAPE;
    }
    if (leave || (on_page && (key == SLT_KEY_ENTER || key == SLT_KEY_ERASE))) {
        back(app);
    } else if (key == SLT_KEY_RESIZE) {
        resize(app);
    } else if (key >= '0' && key <= '9' && !on_page) {
        choose_states(app, key);
    } else if (!move(app, key)) {
        for (size_t i = 0; i < SLT_ARRAY_COUNT(keys); i++) {
            if (keys[i].key == key && (keys[i].on_pages || !on_page)) {
                keys[i].does(app);
            }
        }
    }
    return !app->leaving;
}
