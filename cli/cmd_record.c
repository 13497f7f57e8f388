/* salut record: what happens to the kernel's connections, change by change, with the cause of each;
 * and, for as long as it runs, the memory that salut status, capture and doctor draw on.
 */
#include "cli/cli.h"
#include "cli/record_print.h"

#include "base/time.h"
#include "observe/filter.h"
#include "observe/kernel_diag_linux.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WORDS_MAX      64U
#define TURN_MS        50
#define FILE_BYTES     (64 << 20)
#define FILE_BYTES_MIN (64 << 10)
#define ROOM_MAX       (1 << 24)

static const char help[] =
    "usage: salut record [options] [FILTER]\n"
    "\n"
    "Prints a line for each change of state of the kernel's TCP connections, in all network\n"
    "namespaces: when, from which state to which, the ends, whose it is, and what made it change.\n"
    "While it runs, salut status knows exact ages, causes, and who had what is now in TIME-WAIT,\n"
    "and salut doctor judges what is remembered; it judges a file of --json lines as well.\n"
    "\n"
    "  --json           one object a line; keys carry their units\n"
    "  -w FILE          lines go to FILE; when it is full it becomes FILE.1 and a new one begins\n"
    "  --file-size N    bytes of both files together (64M)\n"
    "  --quiet          print nothing but the cost at the end: record for salut status alone\n"
    "  --here           changes in this network namespace alone, and where it is not known\n"
    "  --duration T     stop after T (10s, 5m)\n"
    "  --keep N         connections that are remembered (65536); the oldest closed ones go first\n"
    "  --alone          do not share what is remembered\n"
    "  --no-finals      do without the final numbers of closed connections\n"
    "  --no-calls       leave bind() and listen() that fail, for whose sake every system call of\n"
    "                   the machine takes some 10 ns longer\n"
    "\n"
    "FILTER is as for salut status; the state is the one that was entered. Needs root: it reads\n"
    "tracepoints with perf_event_open, no BPF, and learns causes from call chains. Its own cost "
    "and\n"
    "what was lost are told at the end, on standard error. An opening connection of a peer shows\n"
    "when its handshake is complete, and TIME-WAIT ends unseen: the kernel tells no more. Some\n"
    "kernels leave no sample of what is done on an idle processor (a timer's doing, say): such a\n"
    "change is told when the program closes its socket, with what its final numbers suggest, and\n"
    "what cannot be told is counted. Remembered connections lie in /run/salut/recorder, or\n"
    "$XDG_RUNTIME_DIR/salut/recorder, for the owner alone; $SALUT_RECORDER names another file.\n";

struct words {
    bool json;
    bool quiet;
    bool alone;
    bool no_finals;
    bool no_calls;
    bool here;
    const char *file;
    int64_t file_bytes;
    int64_t duration_ns;
    int64_t room;
    const char *filter[WORDS_MAX];
};

/* The run. */
struct run {
    const struct words *words;
    const struct slt_filter *filter;
    struct slt_record_style style;
    FILE *to;
    uint64_t netns; /* this one's inode */
    uint64_t told_lost;
    bool failed;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* The file is a ring of two: what is older than the last but one half goes. */
static void turn_over(struct run *run)
{
    char old[4096];
    long at = ftell(run->to);
    if (run->words->file == NULL || at < run->words->file_bytes / 2) {
        return;
    }
    (void)snprintf(old, sizeof(old), "%s.1", run->words->file);
    run->failed = run->failed || fclose(run->to) != 0 || rename(run->words->file, old) != 0;
    run->to = fopen(run->words->file, "we");
    run->failed = run->failed || run->to == NULL;
}

static void on_change(void *ctx, const struct slt_change *change)
{
    struct run *run = ctx;
    struct slt_seen seen;
    uint64_t netns = change->conn->netns;
    bool elsewhere = run->words->here && netns != 0 && netns != run->netns;
    if (run->words->quiet || run->failed || elsewhere) {
        return;
    }
    if (run->filter != NULL) {
        slt_record_seen(change, &seen);
        if (!slt_filter_passes(run->filter, &seen)) {
            return;
        }
    }
    slt_record_line(&run->style, change, run->to);
    if (run->words->file != NULL) {
        turn_over(run);
    }
}

/* Final numbers, for whoever reads the lines later: people have seen the change. */
static void on_final(void *ctx, const struct slt_recorded *conn)
{
    struct run *run = ctx;
    bool elsewhere = run->words->here && conn->netns != 0 && conn->netns != run->netns;
    if (!run->words->json || run->words->quiet || run->failed || elsewhere) {
        return;
    }
    if (run->filter != NULL) {
        struct slt_past past = {.now_ns = slt_runner_clock()};
        struct slt_seen seen;
        slt_past_seen(&past, conn, &seen);
        if (!slt_filter_passes(run->filter, &seen)) {
            return;
        }
    }
    slt_record_final_line(&run->style, conn, run->to);
}

/* What did not fit into the rings is told where it happened. */
static void tell_lost(struct run *run, const struct slt_recording *recording)
{
    struct slt_recording_counts counts;
    slt_recording_counts(recording, &counts);
    uint64_t lost = counts.trace.lost + counts.finals_lost;
    if (lost == run->told_lost || run->failed) {
        return;
    }
    if (run->words->json && !run->words->quiet) {
        (void)fprintf(run->to, "{\"schema\":1,\"event\":\"lost\",\"count\":%" PRIu64 "}\n",
                      lost - run->told_lost);
    } else {
        (void)fprintf(stderr, "salut record: %" PRIu64 " events lost: the kernel was faster\n",
                      lost - run->told_lost);
    }
    run->told_lost = lost;
}

/* ---- the run -------------------------------------------------------------------------------- */

static int64_t cpu_ns(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * SLT_NS_PER_S +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * SLT_NS_PER_US;
}

static void watch_for_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
}

static int record(struct run *run, struct slt_recording *recording)
{
    int64_t began_ns = slt_runner_clock();
    int64_t cpu_before_ns = cpu_ns();
    int64_t for_ns = run->words->duration_ns;
    int result = 0;
    bool over = false;
    while (!over && result == 0 && !run->failed) {
        int64_t left_ns = began_ns + for_ns - slt_runner_clock();
        bool last = interrupted || (for_ns > 0 && left_ns <= 0);
        int64_t wait_ms =
            for_ns > 0 && left_ns / SLT_NS_PER_MS < TURN_MS ? left_ns / SLT_NS_PER_MS + 1 : TURN_MS;
        result = slt_recording_turn(recording, last ? 0 : (int)wait_ms, last);
        over = last;
        tell_lost(run, recording);
        run->failed = run->failed || fflush(run->to) != 0;
    }
    slt_recording_count_missed(recording);
    struct slt_record_cost cost = {.wall_ns = slt_runner_clock() - began_ns,
                                   .cpu_ns = cpu_ns() - cpu_before_ns};
    slt_recording_counts(recording, &cost.counts);
    slt_record_cost_print(&run->style, &cost, run->words->quiet ? NULL : run->to, stderr);
    if (result < 0) {
        return slt_fail(&slt_cli_record, SLT_EXIT_FAILURE, "%s", strerror(-result));
    }
    return run->failed ? slt_fail(&slt_cli_record, SLT_EXIT_FAILURE, "the lines cannot be written")
                       : SLT_EXIT_FINE;
}

static int start(struct run *run)
{
    struct slt_recording *recording;
    char why[300];
    struct slt_recording_ask ask = {.room = (uint32_t)run->words->room,
                                    .alone = run->words->alone,
                                    .no_finals = run->words->no_finals,
                                    .no_calls = run->words->no_calls,
                                    .on_change = on_change,
                                    .on_final = on_final,
                                    .ctx = run};
    watch_for_signals();
    int result = slt_recording_start(&ask, &recording, why, sizeof(why));
    if (result < 0) {
        return slt_fail(&slt_cli_record, result == -ENOMEM ? SLT_EXIT_FAILURE : SLT_EXIT_MISSING,
                        "%s", why);
    }
    struct slt_recording_counts counts;
    slt_recording_counts(recording, &counts);
    if (!counts.shared && !run->words->alone) {
        (void)fprintf(stderr, "salut record: salut status does not learn from this one: another "
                              "recorder runs, or there is no place for its file\n");
    }
    result = record(run, recording);
    slt_recording_stop(recording);
    return result;
}

static int open_and_start(const struct words *words, const struct slt_filter *filter)
{
    struct run run = {
        .words = words, .filter = filter, .to = stdout, .netns = slt_kernel_namespace()};
    run.style = (struct slt_record_style){.json = words->json, .epoch_ns = slt_runner_epoch()};
    if (words->file != NULL) {
        run.to = fopen(words->file, "we");
        if (run.to == NULL) {
            return slt_fail(&slt_cli_record, SLT_EXIT_FAILURE, "%s cannot be written: %s",
                            words->file, strerror(errno));
        }
    } else {
        struct slt_term term = slt_term_look(stdout);
        run.style.colour = term.colour && !words->json;
    }
    int result = start(&run);
    if (words->file != NULL && run.to != NULL && fclose(run.to) != 0 && result == SLT_EXIT_FINE) {
        result = slt_fail(&slt_cli_record, SLT_EXIT_FAILURE, "%s cannot be written", words->file);
    }
    return result;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int run(int argc, char **argv)
{
    struct words words = {.file_bytes = FILE_BYTES, .room = SLT_RECORDING_ROOM};
    char why[200];
    const struct slt_arg options[] = {
        {"--json", SLT_ARG_FLAG, &words.json, 0, 0},
        {"--quiet", SLT_ARG_FLAG, &words.quiet, 0, 0},
        {"--here", SLT_ARG_FLAG, &words.here, 0, 0},
        {"--alone", SLT_ARG_FLAG, &words.alone, 0, 0},
        {"--no-finals", SLT_ARG_FLAG, &words.no_finals, 0, 0},
        {"--no-calls", SLT_ARG_FLAG, &words.no_calls, 0, 0},
        {"-w", SLT_ARG_TEXT, &words.file, 0, 0},
        {"--file-size", SLT_ARG_BYTES, &words.file_bytes, 0, 0},
        {"--duration", SLT_ARG_TIME, &words.duration_ns, 0, 0},
        {"--keep", SLT_ARG_NUMBER, &words.room, 64, ROOM_MAX},
    };
    struct slt_args args = {.verb = &slt_cli_record,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words.filter,
                            .words_max = WORDS_MAX};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    if (words.file_bytes < FILE_BYTES_MIN) {
        return slt_usage_error(&slt_cli_record, "--file-size is at least 64K");
    }
    struct slt_filter *filter = slt_filter_compile(words.filter, args.word_count, why, sizeof(why));
    if (filter == NULL) {
        return slt_usage_error(&slt_cli_record, "the filter is wrong %s", why);
    }
    if (slt_filter_asks_findings(filter)) {
        slt_filter_free(filter);
        return slt_usage_error(
            &slt_cli_record, "findings are of a look at everything, not of a change: salut status "
                             "and salut watch filter by them");
    }
    result = open_and_start(&words, args.word_count == 0 ? NULL : filter);
    slt_filter_free(filter);
    return result;
}

const struct slt_cli_verb slt_cli_record = {.name = "record",
                                            .summary = "each change of state of the kernel's "
                                                       "connections, and its cause",
                                            .help = help,
                                            .run = run};
