/* The conformance driver: run every row of the tables, in every profile and variant it holds for.
 *
 * usage: conform [--mutate] [--report] [--plain] [--only ID] [--no-fork] TABLE.tsv...
 *
 * A table named constructors.tsv holds constructors, every other one rows (conform.h, and the
 * comments at the head of the tables). Each row runs in a process of its own, so that a row that
 * trips an assertion is one failed row. --report prints one line for each row: id, profile, place,
 * runs, result. --mutate breaks each row in every way that applies; each must then fail. Exit
 * status: 0 when everything is as wanted, 1 otherwise, 2 for a wrong command line.
 */
#define _POSIX_C_SOURCE 200809L

#include "tests/conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROW_SECONDS 20

struct options {
    bool mutate;
    bool report;
    bool plain;
    bool in_place; /* no process for each row */
    const char *only;
};

struct outcome {
    uint32_t runs;
    uint32_t failed;
    char error[ERROR_BYTES];
};

static bool selected(const struct options *options, const struct row *row)
{
    if (options->only == NULL) {
        return true;
    }
    size_t bytes = strlen(options->only);
    if (bytes > 0 && options->only[bytes - 1] == '*') {
        return strncmp(options->only, row->id, bytes - 1) == 0;
    }
    return strcmp(options->only, row->id) == 0;
}

static void note_failure(struct outcome *outcome, const char *profile, const char *how,
                         const char *error)
{
    outcome->failed++;
    size_t used = strlen(outcome->error);
    if (used < sizeof(outcome->error) / 2) {
        snprintf(outcome->error + used, sizeof(outcome->error) - used, "  [%s %s] %.1500s\n",
                 profile, how, error);
    }
}

static void run_mutants(struct world *world, const struct row *row, enum salut_profile profile,
                        struct outcome *outcome)
{
    static char room[4096];
    for (int way = 0; way < MUTATIONS; way++) {
        struct row mutant;
        if (!row_mutate(row, way, &mutant, room)) {
            continue;
        }
        outcome->runs++;
        if (row_run(world, &mutant, profile, VARIANT_PLAIN)) {
            note_failure(outcome, "mutant", mutation_name(way), "still passes");
        }
    }
}

static void run_profile(struct world *world, const struct row *row, enum salut_profile profile,
                        const struct options *options, struct outcome *outcome)
{
    if (options->mutate) {
        run_mutants(world, row, profile, outcome);
        return;
    }
    for (int i = 0; i < VARIANT_COUNT; i++) {
        enum variant variant = (enum variant)i;
        if (!row_has_variant(row, variant) || (options->plain && variant != VARIANT_PLAIN)) {
            continue;
        }
        outcome->runs++;
        if (!row_run(world, row, profile, variant)) {
            note_failure(outcome, profile == SALUT_PROFILE_LINUX ? "linux" : "rfc",
                         variant_name(variant), world->error);
        }
    }
}

static void run_here(const struct tables *tables, const struct row *row,
                     const struct options *options, struct outcome *outcome)
{
    static struct world world;
    static struct packet packets[PACKETS_MAX];
    world.tables = tables;
    world.packets = packets;
    memset(outcome, 0, sizeof(*outcome));
    for (int profile = 0; profile < 2; profile++) {
        if (row_has_profile(row, (enum salut_profile)profile)) {
            run_profile(&world, row, (enum salut_profile)profile, options, outcome);
        }
    }
}

static void run_apart(const struct tables *tables, const struct row *row,
                      const struct options *options, struct outcome *outcome)
{
    int ends[2];
    memset(outcome, 0, sizeof(*outcome));
    fflush(NULL);
    if (pipe(ends) != 0) {
        abort();
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(ROW_SECONDS);
        run_here(tables, row, options, outcome);
        bool written = write(ends[1], outcome, sizeof(*outcome)) == (ssize_t)sizeof(*outcome);
        _exit(written ? 0 : 1);
    }
    close(ends[1]);
    size_t got = 0;
    ssize_t more = 1;
    while (more > 0 && got < sizeof(*outcome)) {
        more = read(ends[0], (char *)outcome + got, sizeof(*outcome) - got);
        got += more > 0 ? (size_t)more : 0;
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (got != sizeof(*outcome)) {
        memset(outcome, 0, sizeof(*outcome));
        outcome->runs = outcome->failed = 1;
        snprintf(outcome->error, sizeof(outcome->error), "  the run ended with signal %d\n",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
}

static bool load_tables(struct tables *tables, int count, char **paths)
{
    bool good = true;
    for (int i = 0; i < count; i++) {
        const char *slash = strrchr(paths[i], '/');
        const char *name = slash == NULL ? paths[i] : slash + 1;
        bool constructors = strcmp(name, "constructors.tsv") == 0;
        good = (constructors ? tables_load_constructors(tables, paths[i])
                             : tables_load_rows(tables, paths[i])) &&
               good;
    }
    return good;
}

static int run_all(const struct tables *tables, const struct options *options)
{
    static struct outcome outcome;
    size_t rows = 0;
    size_t bad_rows = 0;
    size_t runs = 0;
    for (size_t i = 0; i < tables->row_count; i++) {
        const struct row *row = &tables->rows[i];
        bool applies = strcmp(row->profile, "n/a") != 0;
        if (!selected(options, row)) {
            continue;
        }
        memset(&outcome, 0, sizeof(outcome));
        if (applies && options->in_place) {
            run_here(tables, row, options, &outcome);
        } else if (applies) {
            run_apart(tables, row, options, &outcome);
        }
        if (applies && outcome.runs == 0) {
            note_failure(&outcome, row->profile, "-", "no such profile");
        }
        rows++;
        runs += outcome.runs;
        bad_rows += outcome.failed > 0;
        if (options->report) {
            printf("%s\t%s\t%s:%d\t%u\t%s\n", row->id, row->profile, row->file, row->line,
                   outcome.runs,
                   !applies              ? "n/a"
                   : outcome.failed == 0 ? "ok"
                                         : "FAIL");
        }
        if (outcome.failed > 0) {
            fprintf(stderr, "%s:%d: %s (%s): %s\n%s", row->file, row->line, row->id,
                    row->constructor, row->stimulus, outcome.error);
        }
    }
    fprintf(stderr, "%s: %zu rows, %zu %s, %zu rows bad\n",
            options->mutate ? "conform-mutate" : "conform", rows, runs,
            options->mutate ? "mutants" : "runs", bad_rows);
    return bad_rows > 0 || rows == 0 ? 1 : 0;
}

/* Take one option; its value, if it has one, is the next argument. */
static bool take_option(struct options *options, char **argv, int *at)
{
    const struct {
        const char *name;
        bool *flag;
    } table[] = {{"--mutate", &options->mutate},
                 {"--report", &options->report},
                 {"--plain", &options->plain},
                 {"--no-fork", &options->in_place}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, argv[*at]) == 0) {
            *table[i].flag = true;
            return true;
        }
    }
    if (strcmp(argv[*at], "--only") == 0 && argv[*at + 1] != NULL) {
        options->only = argv[++*at];
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct tables tables = {0};
    int at = 1;
    while (at < argc && take_option(&options, argv, &at)) {
        at++;
    }
    if (at >= argc || argv[at][0] == '-') {
        fprintf(stderr,
                "usage: %s [--mutate] [--report] [--plain] [--only ID] [--no-fork] "
                "TABLE.tsv...\n",
                argv[0]);
        return 2;
    }
    if (!load_tables(&tables, argc - at, argv + at)) {
        return 2;
    }
    int result = run_all(&tables, &options);
    tables_free(&tables);
    return result;
}
