/* salut explain: what a capture shows of its connections; and all about a finding.
 */
#include "cli/explain_show.h"
#include "cli/finding_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX       32U
#define FLOWS_SHOWN     10
#define FLOWS_SHOWN_MAX 1000000

static const char help[] =
    "usage: salut explain [options] FILE [FILTER]\n"
    "       salut explain ID\n"
    "\n"
    "Reads a capture (pcap or pcapng; - is standard input) and tells each connection's story, the\n"
    "worst first: who opened, who closed first and how, the RFC 9293 states of both ends and the\n"
    "packets that changed them (! proved, ? assumed, x refuted), what was sent again and why,\n"
    "where the time went, findings, and what cannot be known from where the capture was made.\n"
    "\n"
    "  --ladder           also draw each connection\n"
    "  --packets          also list each packet with the states of both ends after it\n"
    "  --json             one object a line; with --packets also a line for each packet\n"
    "  --html FILE        one page with ladder, time-sequence graph and states, for a browser\n"
    "  --annotate FILE    a copy (pcapng) whose packets bear states and reasons as comments\n"
    "  --flow N           only connection #N\n"
    "  --flows N          how many connections are shown (10)\n"
    "\n"
    "FILTER selects packets: [not] [src|dst] port N, [not] [src|dst] host A, joined by `and`.\n"
    "Exit status 1 when the file could not be read to its end; what was read is shown.\n"
    "\n"
    "ID is a finding such as CW-1: what is seen, likely causes, how it is told from its\n"
    "neighbours, and what to do. `salut doctor --list` names them all.\n";

struct words {
    bool ladder;
    bool packets;
    bool json;
    const char *html;
    const char *annotate;
    int64_t flow;
    int64_t flows;
    const char *list[WORDS_MAX];
    size_t count;
};

/* ---- which connections ---------------------------------------------------------------------- */

struct ranked {
    const struct slt_explain_flow *flow;
    uint32_t score;
};

static int compare_ranks(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->flow->id < y->flow->id ? -1 : x->flow->id > y->flow->id;
}

/* All connections, worst first. False: no memory. */
static bool rank(const struct slt_explain *explain, struct slt_explain_view *view,
                 struct slt_explain_report *report)
{
    size_t room = explain->flows.count + 1U;
    struct ranked *ranks = calloc(room, sizeof(*ranks));
    struct slt_explained *e = malloc(sizeof(*e));
    view->flows = calloc(room, sizeof(const struct slt_explain_flow *));
    if (ranks != NULL && e != NULL && view->flows != NULL) {
        for (const struct slt_explain_flow *f = explain->flows.oldest; f != NULL; f = f->younger) {
            slt_explained_of(f, e);
            slt_explain_report_add(report, f, &e->verdict);
            ranks[view->count] = (struct ranked){f, e->verdict.score};
            view->count++;
        }
        qsort(ranks, view->count, sizeof(*ranks), compare_ranks);
        for (size_t i = 0; i < view->count; i++) {
            view->flows[i] = ranks[i].flow;
        }
    }
    bool fine = ranks != NULL && e != NULL && view->flows != NULL &&
                slt_explain_report_finish(report, &explain->flows);
    free(ranks);
    free(e);
    return fine;
}

/* Only the one that was asked for, or the first so many. False: there is no such one. */
static bool choose(const struct words *words, struct slt_explain_view *view)
{
    size_t most = (size_t)words->flows;
    view->shown = view->count < most ? view->count : most;
    if (words->flow == 0) {
        return true;
    }
    for (size_t i = 0; i < view->count; i++) {
        if (view->flows[i]->id == (uint32_t)words->flow) {
            view->flows[0] = view->flows[i];
            view->count = 1;
            view->shown = 1;
            return true;
        }
    }
    return false;
}

/* ---- showing -------------------------------------------------------------------------------- */

static int write_html(const struct slt_explain_view *view, const char *path)
{
    FILE *to = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (to == NULL) {
        return slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "%s: %s", path, strerror(errno));
    }
    slt_explain_show_html(view, to);
    if ((to == stdout ? fflush(to) : fclose(to)) != 0) {
        return slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "%s: %s", path, strerror(errno));
    }
    return SLT_EXIT_FINE;
}

static int show(const struct words *words, const struct slt_explain_view *view,
                struct slt_explain_file *file)
{
    if (words->annotate != NULL) {
        if (!file->mapped) {
            return slt_usage_error(&slt_cli_explain,
                                   "--annotate reads the file twice: it must be a file, no pipe");
        }
        if (!slt_explain_annotate(view, file, words->annotate)) {
            return slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "%s: %s", words->annotate,
                            errno != 0 ? strerror(errno) : "cannot be written");
        }
    }
    if (words->html != NULL) {
        return write_html(view, words->html);
    }
    if (words->json) {
        slt_explain_show_json(view, stdout);
    } else if (words->annotate == NULL || words->ladder || words->packets) {
        slt_explain_show_text(view, stdout);
    }
    return SLT_EXIT_FINE;
}

static int tell(const struct words *words, struct slt_explain *explain,
                struct slt_explain_file *file, const char *trouble)
{
    struct slt_explain_view view = {.explain = explain,
                                    .name = words->list[0],
                                    .trouble = trouble,
                                    .ladder = words->ladder,
                                    .packets = words->packets,
                                    .term = slt_term_look(stdout)};
    int result = SLT_EXIT_FAILURE;
    struct slt_explain_report *report = calloc(1, sizeof(*report));
    view.report = report;
    slt_explain_finish(explain);
    if (report == NULL || !rank(explain, &view, report)) {
        (void)slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "no memory");
    } else if (!choose(words, &view)) {
        (void)slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "there is no connection #%lld",
                       (long long)words->flow);
    } else {
        result = show(words, &view, file);
    }
    free(view.flows);
    free(report);
    return result;
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum slt_explain_read read_all(struct slt_explain *explain, struct slt_explain_file *file)
{
    struct slt_capture_packet packet;
    uint16_t linktype = 0;
    enum slt_explain_read read;
    while ((read = slt_explain_file_next(file, &packet, &linktype)) == SLT_READ_PACKET) {
        slt_explain_take(explain, &packet, linktype);
    }
    return read;
}

static int explain_open(const struct words *words, struct slt_explain *explain,
                        struct slt_explain_file *file)
{
    const char *path = words->list[0];
    enum slt_explain_read read = read_all(explain, file);
    const char *trouble = read == SLT_READ_END ? NULL : slt_explain_read_text(read);
    if (read == SLT_READ_FOREIGN && explain->counts.packets == 0) {
        return slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "%s: %s", path, trouble);
    }
    int result = tell(words, explain, file, trouble);
    if (trouble != NULL) {
        (void)fflush(stdout);
        return slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "%s: %s (after %llu packets)", path,
                        trouble, (unsigned long long)explain->counts.packets);
    }
    return result;
}

static int explain_file(const struct words *words)
{
    struct slt_explain explain;
    struct slt_explain_limits limits;
    struct slt_explain_file file;
    slt_explain_limits_default(&limits);
    if (!slt_explain_init(&explain, &limits)) {
        return slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "no memory");
    }
    const char *wrong =
        slt_explain_filter_parse(&explain.filter, words->list + 1, words->count - 1);
    int result;
    if (wrong != NULL) {
        result = slt_usage_error(&slt_cli_explain,
                                 "the filter is wrong at '%s': it wants [not] [src|dst] port N, "
                                 "or host A",
                                 wrong);
    } else if (!slt_explain_file_open(&file, words->list[0])) {
        result =
            slt_fail(&slt_cli_explain, SLT_EXIT_FAILURE, "%s: %s", words->list[0], strerror(errno));
    } else {
        result = explain_open(words, &explain, &file);
        slt_explain_file_close(&file);
    }
    slt_explain_deinit(&explain);
    return result;
}

/* A filter may come as one argument, as tcpdump's users write it. */
static void split(struct words *words)
{
    static char text[1024];
    size_t used = 0;
    size_t count = words->count;
    const char *given[WORDS_MAX];
    memcpy(given, words->list, sizeof(given));
    words->count = count > 0 ? 1 : 0;
    for (size_t i = 1; i < count; i++) {
        int n = snprintf(text + used, sizeof(text) - used, "%s ", given[i]);
        used += n > 0 && used + (size_t)n < sizeof(text) ? (size_t)n : 0;
    }
    for (char *word = strtok(text, " "); word != NULL && words->count < WORDS_MAX;
         word = strtok(NULL, " ")) {
        words->list[words->count] = word;
        words->count++;
    }
}

static int run(int argc, char **argv)
{
    struct words words = {.flows = FLOWS_SHOWN};
    const struct slt_arg options[] = {
        {"--ladder", SLT_ARG_FLAG, &words.ladder, 0, 0},
        {"--packets", SLT_ARG_FLAG, &words.packets, 0, 0},
        {"--json", SLT_ARG_FLAG, &words.json, 0, 0},
        {"--html", SLT_ARG_TEXT, &words.html, 0, 0},
        {"--annotate", SLT_ARG_TEXT, &words.annotate, 0, 0},
        {"--flow", SLT_ARG_NUMBER, &words.flow, 1, UINT32_MAX},
        {"--flows", SLT_ARG_NUMBER, &words.flows, 1, FLOWS_SHOWN_MAX},
    };
    struct slt_args args = {.verb = &slt_cli_explain,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words.list,
                            .words_max = WORDS_MAX};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    words.count = args.word_count;
    if (words.count == 0) {
        return slt_usage_error(&slt_cli_explain,
                               "a capture file is wanted, or the name of a finding such as CW-1");
    }
    if (words.count == 1 && slt_finding_is_named(words.list[0])) {
        return slt_finding_print_page(&slt_cli_explain, words.list[0]);
    }
    split(&words);
    return explain_file(&words);
}

const struct slt_cli_verb slt_cli_explain = {.name = "explain",
                                             .summary = "what a capture shows; all about a finding",
                                             .help = help,
                                             .run = run};
