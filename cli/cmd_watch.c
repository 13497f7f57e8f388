/* salut watch: the connections of this machine, live, in the terminal.
 *
 * A loop: look, bring the model up to date, draw, wait for keys until the next look is due. What
 * keys do is a table.
 */
#include "cli/status_print.h"
#include "cli/watch.h"
#include "cli/watch_keys.h"

#include "sock/runner_clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 64U

static const char help[] =
    "usage: salut watch [options] [FILTER]\n"
    "\n"
    "Every TCP connection and listener of this machine, live: how many are in each state, a table\n"
    "that can be sorted, searched and filtered, a tree by listener and process, and for each\n"
    "connection a page: why it is as it is, what became of it, and the findings that concern it.\n"
    "\n"
    "  --delay T        between two looks (1s)\n"
    "  --source S       kernel, salut or all (default)\n"
    "  --tree           begin with the tree\n"
    "  --names          names from /etc/hosts and /etc/services instead of numbers\n"
    "\n"
    "Keys:\n"
    "  q quit   h help   arrows, j k, PgUp PgDn, Home End: move   Enter: all about one\n"
    "  / search   \\ or F4 filter   F6 < > sort, r the other way round   1-9 states, 0 all\n"
    "  t tree   f follow   space pause   n names   d delay   s save as JSON   e explain\n"
    "  K close, P probe (by salut kill and salut probe, which ask first)\n"
    "\n"
    "In front of a row for 3 s: + new, ~ changed, - closed. NO_COLOR is honoured. FILTER is as in\n"
    "salut status.\n";

/* ---- the loop -------------------------------------------------------------------------------- */

static int go_on(struct slt_watch_app *app)
{
    int64_t next_ns = slt_runner_clock();
    int result = 0;
    while (result == 0) {
        int64_t now_ns = slt_runner_clock();
        if (!app->paused && now_ns >= next_ns) {
            result = slt_watch_look(app);
            next_ns = slt_runner_clock() + app->delay_ns;
        }
        slt_watch_draw(app);
        int64_t wait_ns = app->paused ? SLT_NS_PER_S : next_ns - slt_runner_clock();
        int key = slt_screen_key(wait_ns);
        if (key == SLT_KEY_GONE || !slt_watch_on_key(app, key)) {
            break;
        }
    }
    return result;
}

static int refuse(enum slt_screen_end end)
{
    const char *term = getenv("TERM");
    if (end == SLT_SCREEN_NOT_BUILT) {
        return slt_fail(&slt_cli_watch, SLT_EXIT_MISSING,
                        "this salut was built without ncurses (libncurses-dev); salut status "
                        "--follow 1s shows the same, without keys");
    }
    return slt_fail(&slt_cli_watch, SLT_EXIT_MISSING,
                    "nothing is known about the terminal TERM=%s (try: TERM=xterm)",
                    term == NULL ? "" : term);
}

static int watch(struct slt_watch_app *app)
{
    app->term = slt_term_look(stdout);
    if (!app->term.tty || isatty(STDIN_FILENO) != 1) {
        return slt_fail(&slt_cli_watch, SLT_EXIT_MISSING,
                        "a terminal is wanted; salut status --follow 1s --json goes into pipes");
    }
    enum slt_screen_end end = slt_screen_open(app->term.colour);
    if (end != SLT_SCREEN_OPEN) {
        return refuse(end);
    }
    int result = go_on(app);
    slt_screen_close();
    if (result < 0) {
        return slt_fail(&slt_cli_watch, SLT_EXIT_MISSING,
                        "the kernel does not tell about its sockets: %s", strerror(-result));
    }
    return SLT_EXIT_FINE;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static void free_app(struct slt_watch_app *app)
{
    slt_look_free(&app->look);
    slt_watch_free(&app->model);
    slt_watch_view_free(&app->view);
    slt_filter_free(app->filter);
    slt_names_free(app->names);
    free(app);
}

/* What is shown as the filter, and can be edited. */
static void note_filter(struct slt_watch_app *app, const char *const *words, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof(app->filter_text); i++) {
        used += (size_t)snprintf(app->filter_text + used, sizeof(app->filter_text) - used, "%s%s",
                                 i > 0 ? " " : "", words[i]);
    }
}

static int prepare(struct slt_watch_app *app, const char *const *words, size_t count, bool names)
{
    char why[200];
    app->filter = slt_filter_compile(words, count, why, sizeof(why));
    if (app->filter == NULL) {
        return slt_usage_error(&slt_cli_watch, "the filter is wrong %s", why);
    }
    if (app->delay_ns < SLT_WATCH_DELAY_MIN_NS) {
        return slt_usage_error(&slt_cli_watch, "--delay is at least 100ms");
    }
    note_filter(app, words, count);
    app->names = names ? slt_names_read("/etc/hosts", "/etc/services") : NULL;
    return SLT_EXIT_FINE;
}

static int run(int argc, char **argv)
{
    const char *words[WORDS_MAX];
    const char *source = NULL;
    bool names = false;
    struct slt_watch_app *app = calloc(1, sizeof(*app));
    if (app == NULL) {
        return slt_fail(&slt_cli_watch, SLT_EXIT_FAILURE, "there is no memory");
    }
    app->delay_ns = SLT_NS_PER_S;
    const struct slt_arg options[] = {
        {"--delay", SLT_ARG_TIME, &app->delay_ns, 0, 0},
        {"--source", SLT_ARG_TEXT, &source, 0, 0},
        {"--tree", SLT_ARG_FLAG, &app->wish.tree, 0, 0},
        {"--names", SLT_ARG_FLAG, &names, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_watch,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words,
                            .words_max = WORDS_MAX};
    int result = slt_args_parse(&args, argc, argv);
    bool only_help = result < 0;
    if (result == SLT_EXIT_FINE) {
        result = slt_parse_sources(&slt_cli_watch, source, &app->sources);
    }
    if (result == SLT_EXIT_FINE) {
        result = prepare(app, words, args.word_count, names);
    }
    if (result == SLT_EXIT_FINE) {
        result = watch(app);
    }
    free_app(app);
    return only_help ? SLT_EXIT_FINE : result;
}

const struct slt_cli_verb slt_cli_watch = {.name = "watch",
                                           .summary = "connections live in the terminal: states, "
                                                      "table, tree, details",
                                           .help = help,
                                           .run = run};
