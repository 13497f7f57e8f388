/* salut sim: scenarios in virtual time. The work is done in src/lab/scenario*.c; here are the
 * options, the search for ready scenarios, and the files that are written.
 */
#include "cli/cli.h"

#include "lab/scenario_find.h"
#include "lab/scenario_plot.h"
#include "lab/scenario_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "usage: salut sim [options] SCENARIO\n"
    "\n"
    "Plays a scenario: hosts with a stack each, links with rate, delay, loss and queues,\n"
    "applications. Time is virtual; the same scenario and seed give the same run. SCENARIO is a\n"
    "file, or the name of a ready one (--list). docs/scenarios.md tells how to write one.\n"
    "\n"
    "  --list             ready scenarios, a line each\n"
    "  --seed N           what chance does (1)\n"
    "  --runs N           play it with N seeds from there on, and print one table of all\n"
    "  --until TIME       how long, whatever the scenario says\n"
    "  --set NAME=VALUE   instead of the scenario's `let NAME`; may be given again\n"
    "  --csv FILE         samples over time; - is standard output\n"
    "  --svg DIR          pictures: cwnd, rtt, flight, delivery, queue\n"
    "  --pcap DIR         every host's packets, a pcapng file each\n"
    "  --json             an object a line instead of tables\n"
    "  --print            the scenario's text, and no run\n"
    "\n"
    "Exit status 1 when an invariant of a stack was broken or a byte was wrong.\n";

struct options {
    bool list, json, print;
    int64_t seed, runs, until_ns;
    struct slt_arg_list set;
    const char *csv, *svg, *pcap;
    const char *name;
};

static int list_ready(void)
{
    struct slt_scn_ready *ready;
    size_t count = slt_scn_list(&ready);
    for (size_t i = 0; i < count; i++) {
        (void)printf("%-18s %s\n", ready[i].name, ready[i].title);
    }
    free(ready);
    return count > 0 ? SLT_EXIT_FINE
                     : slt_fail(&slt_cli_sim, SLT_EXIT_MISSING,
                                "no ready scenarios are installed; SALUT_SCENARIOS may name a "
                                "directory with some");
}

static bool make_directory(const char *path)
{
    return path == NULL || mkdir(path, 0777) == 0 || errno == EEXIST;
}

static int write_csv(const struct options *o, const struct slt_scn *scn,
                     const struct slt_scn_result *result)
{
    bool to_stdout = strcmp(o->csv, "-") == 0;
    FILE *file = to_stdout ? stdout : fopen(o->csv, "w");
    if (file == NULL) {
        return slt_fail(&slt_cli_sim, SLT_EXIT_FAILURE, "%s: %s", o->csv, strerror(errno));
    }
    slt_scn_print_csv(scn, result, file);
    bool failed = ferror(file) != 0;
    failed = (to_stdout ? fflush(file) : fclose(file)) != 0 || failed;
    return failed ? slt_fail(&slt_cli_sim, SLT_EXIT_FAILURE, "%s cannot be written", o->csv)
                  : SLT_EXIT_FINE;
}

static int write_files(const struct options *o, const struct slt_scn *scn,
                       const struct slt_scn_result *result)
{
    char why[SLT_SCN_SENTENCE_MAX];
    int code = o->csv != NULL ? write_csv(o, scn, result) : SLT_EXIT_FINE;
    if (code == SLT_EXIT_FINE && o->svg != NULL && !slt_scn_plot(scn, result, o->svg, why)) {
        return slt_fail(&slt_cli_sim, SLT_EXIT_FAILURE, "%s", why);
    }
    return code;
}

/* One run with its output; the report collects when there are several. */
static int run_once(const struct options *o, const struct slt_scn *scn, uint64_t seed,
                    struct slt_scn_report *report)
{
    bool first = seed == (uint64_t)o->seed;
    char why[SLT_SCN_SENTENCE_MAX];
    struct slt_scn_result result;
    struct slt_scn_options options = {
        .seed = seed,
        .until_ns = o->until_ns,
        .samples = first && (o->csv != NULL || o->svg != NULL),
        .pcap_dir = first ? o->pcap : NULL,
    };
    if (!slt_scn_run(scn, &options, &result, why)) {
        return slt_fail(&slt_cli_sim, SLT_EXIT_USAGE, "%s: %s", o->name, why);
    }
    int code = options.samples ? write_files(o, scn, &result) : SLT_EXIT_FINE;
    bool quiet = o->csv != NULL && strcmp(o->csv, "-") == 0;
    if (o->json) {
        slt_scn_print_json(scn, &result, seed, stdout);
    } else if (o->runs == 1 && !quiet) {
        slt_scn_print_run(scn, &result, seed, stdout);
    }
    slt_scn_report_add(report, &result);
    if (result.broken[0] != '\0') {
        code = slt_fail(&slt_cli_sim, SLT_EXIT_FAILURE, "seed %llu: %s", (unsigned long long)seed,
                        result.broken);
    }
    slt_scn_result_free(&result);
    return code;
}

static int run_all(const struct options *o, const struct slt_scn *scn)
{
    static struct slt_scn_report report;
    int code = SLT_EXIT_FINE;
    if (!slt_scn_report_init(&report, scn)) {
        return slt_fail(&slt_cli_sim, SLT_EXIT_FAILURE, "no memory");
    }
    for (int64_t i = 0; i < o->runs && code == SLT_EXIT_FINE; i++) {
        code = run_once(o, scn, (uint64_t)(o->seed + i), &report);
    }
    if (code == SLT_EXIT_FINE && o->runs > 1 && !o->json) {
        slt_scn_print_report(&report, stdout);
    }
    slt_scn_report_free(&report);
    return code;
}

static int play(const struct options *o)
{
    static struct slt_scn scn;
    char why[SLT_SCN_SENTENCE_MAX];
    char *text = slt_scn_read(o->name, why);
    if (text == NULL) {
        return slt_fail(&slt_cli_sim, SLT_EXIT_USAGE, "%s", why);
    }
    if (o->print) {
        (void)fputs(text, stdout);
        free(text);
        return SLT_EXIT_FINE;
    }
    slt_scn_init(&scn);
    for (size_t i = 0; i < o->set.count; i++) {
        if (!slt_scn_set(&scn, o->set.items[i])) {
            free(text);
            return slt_usage_error(&slt_cli_sim, "--set wants NAME=VALUE, not '%s'",
                                   o->set.items[i]);
        }
    }
    bool fine = slt_scn_parse(&scn, o->name, text, why);
    free(text);
    if (!fine) {
        return slt_fail(&slt_cli_sim, SLT_EXIT_USAGE, "%s", why);
    }
    const char *refused = !make_directory(o->svg) ? o->svg : o->pcap;
    if (!make_directory(refused)) {
        return slt_fail(&slt_cli_sim, SLT_EXIT_FAILURE, "directory %s cannot be made: %s", refused,
                        strerror(errno));
    }
    return run_all(o, &scn);
}

static int run(int argc, char **argv)
{
    struct options o = {.seed = 1, .runs = 1};
    const char *words[1];
    const struct slt_arg table[] = {
        {"--list", SLT_ARG_FLAG, &o.list, 0, 0},
        {"--json", SLT_ARG_FLAG, &o.json, 0, 0},
        {"--print", SLT_ARG_FLAG, &o.print, 0, 0},
        {"--seed", SLT_ARG_NUMBER, &o.seed, 0, INT64_MAX / 2},
        {"--runs", SLT_ARG_NUMBER, &o.runs, 1, 1000000},
        {"--until", SLT_ARG_TIME, &o.until_ns, 0, 0},
        {"--set", SLT_ARG_LIST, &o.set, 0, 0},
        {"--csv", SLT_ARG_TEXT, &o.csv, 0, 0},
        {"--svg", SLT_ARG_TEXT, &o.svg, 0, 0},
        {"--pcap", SLT_ARG_TEXT, &o.pcap, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_sim,
                            .options = table,
                            .option_count = SLT_ARRAY_COUNT(table),
                            .words = words,
                            .words_max = 1};
    int code = slt_args_parse(&args, argc, argv);
    if (code != SLT_EXIT_FINE) {
        return code < 0 ? SLT_EXIT_FINE : code;
    }
    if (o.list) {
        return list_ready();
    }
    if (args.word_count == 0) {
        return slt_usage_error(&slt_cli_sim, "a SCENARIO is wanted: a file, or one of --list");
    }
    o.name = words[0];
    return play(&o);
}

const struct slt_cli_verb slt_cli_sim = {
    .name = "sim",
    .summary = "hosts, links and applications in virtual time: tables, CSV, pictures",
    .help = help,
    .run = run,
};
