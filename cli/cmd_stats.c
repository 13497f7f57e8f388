/* salut stats: how many connections in which state, and what happens a second (sar -n
 * SOCK,TCP,ETCP).
 */
#include "cli/cli.h"

#include "base/time.h"
#include "observe/counters_stack.h"
#include "observe/look_linux.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SCHEMA       1
#define HEADER_EVERY 20U

static const char help[] =
    "usage: salut stats [options] [SECONDS [COUNT]]\n"
    "\n"
    "Every SECONDS (1) a line: connections by state, and what was counted a second since the line\n"
    "before, by the kernel or by salut's own stacks. Without COUNT it goes on until it is "
    "interrupted; `salut stats 1 1` is one "
    "line.\n"
    "\n"
    "  estab ... lstn   connections by state, now (SR SYN-RECEIVED, SS SYN-SENT, F1 F2 FIN-WAIT,\n"
    "                   CW CLOSE-WAIT, LA LAST-ACK, CL CLOSING, TW TIME-WAIT)\n"
    "  act/s pas/s      connections opened by programs here, and by peers\n"
    "  fail/s rst/s     attempts that failed, established connections that were reset\n"
    "  in/s out/s       segments; retr/s of the latter sent again; orst/s resets sent\n"
    "  drop/s           attempts that a listener lost\n"
    "\n"
    "  --source S       kernel (default), salut, or all: a line for each\n"
    "  --all            every counter that changed, by name, below each line\n"
    "  --json           one object a line, with every counter\n";

struct words {
    bool all;
    bool json;
    const char *source;
    struct slt_sources sources;
    int64_t pause_ns;
    int64_t count; /* 0: for ever */
};

struct sample {
    uint64_t states[SALUT_STATE_COUNT];
    struct slt_counters counters;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int take_sample(struct sample *sample, bool stacks)
{
    struct slt_look look;
    struct slt_look_ask ask = {.kernel = !stacks, .stacks = stacks, .detail = SLT_KERNEL_BRIEF};
    *sample = (struct sample){.states = {0}};
    int result = slt_look_take(&ask, &look);
    for (size_t i = 0; result == 0 && i < look.list.count; i++) {
        sample->states[look.list.items[i].state]++;
    }
    slt_look_free(&look);
    if (result < 0) {
        return slt_fail(&slt_cli_stats, SLT_EXIT_MISSING,
                        "the kernel does not tell about its sockets: %s", strerror(-result));
    }
    if (stacks) {
        (void)slt_counters_read_stacks(&sample->counters, NULL);
        return SLT_EXIT_FINE; /* none running: nothing is counted */
    }
    return slt_counters_read(&sample->counters)
               ? SLT_EXIT_FINE
               : slt_fail(&slt_cli_stats, SLT_EXIT_MISSING, "/proc/net cannot be read");
}

/* ---- lines ---------------------------------------------------------------------------------- */

static const enum salut_state state_order[] = {
    SALUT_STATE_ESTABLISHED, SALUT_STATE_SYN_RECEIVED, SALUT_STATE_SYN_SENT, SALUT_STATE_FIN_WAIT_1,
    SALUT_STATE_FIN_WAIT_2,  SALUT_STATE_CLOSE_WAIT,   SALUT_STATE_LAST_ACK, SALUT_STATE_CLOSING,
    SALUT_STATE_TIME_WAIT,   SALUT_STATE_LISTEN,
};

static const enum slt_counter rate_order[] = {
    SLT_COUNTER_active_opens,           SLT_COUNTER_passive_opens, SLT_COUNTER_attempt_fails,
    SLT_COUNTER_established_resets,     SLT_COUNTER_segments_in,   SLT_COUNTER_segments_out,
    SLT_COUNTER_segments_retransmitted, SLT_COUNTER_resets_out,    SLT_COUNTER_listen_drops,
};

static double rate_of(const struct sample *before, const struct sample *after,
                      enum slt_counter counter)
{
    int64_t delta = slt_counter_delta(&before->counters, &after->counters, counter);
    int64_t ns = after->counters.at_ns - before->counters.at_ns;
    return delta == SLT_UNKNOWN || ns <= 0 ? 0 : (double)delta * 1e9 / (double)ns;
}

static void print_header(bool both)
{
    (void)printf("%s%-8s %6s %4s %4s %4s %4s %5s %4s %4s %6s %5s %7s %7s %6s %6s %8s %8s %6s %6s "
                 "%6s\n",
                 both ? "SOURCE " : "", "TIME", "estab", "SR", "SS", "F1", "F2", "CW", "LA", "CL",
                 "TW", "lstn", "act/s", "pas/s", "fail/s", "rst/s", "in/s", "out/s", "retr/s",
                 "orst/s", "drop/s");
}

static void print_line(const struct sample *before, const struct sample *after)
{
    static const int state_widths[] = {6, 4, 4, 4, 4, 5, 4, 4, 6, 5};
    static const int rate_widths[] = {7, 7, 6, 6, 8, 8, 6, 6, 6};
    char clock[16];
    time_t now = time(NULL);
    struct tm local;
    (void)strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
    (void)printf("%-8s", clock);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(state_order); i++) {
        (void)printf(" %*" PRIu64, state_widths[i], after->states[state_order[i]]);
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rate_order); i++) {
        double rate = rate_of(before, after, rate_order[i]);
        (void)printf(rate < 10 && rate > 0 ? " %*.1f" : " %*.0f", rate_widths[i], rate);
    }
    (void)fputc('\n', stdout);
}

static void print_changes(const struct sample *before, const struct sample *after)
{
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        const struct slt_counter_name *name = slt_counter_name((enum slt_counter)i);
        int64_t delta = slt_counter_delta(&before->counters, &after->counters, (enum slt_counter)i);
        if (delta > 0 && name->rises) {
            (void)printf("         %-26s %10" PRId64 "  %s\n", name->field, delta, name->name);
        }
    }
}

static void print_json(const char *source, const struct sample *before, const struct sample *after)
{
    int64_t ns = after->counters.at_ns - before->counters.at_ns;
    (void)printf("{\"schema\":%d,\"source\":\"%s\",\"time_s\":%lld,\"interval_ms\":%" PRId64,
                 SCHEMA, source, (long long)time(NULL), ns / SLT_NS_PER_MS);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(state_order); i++) {
        enum salut_state state = state_order[i];
        (void)printf(",\"%s\":%" PRIu64, slt_seen_rfc_name(state), after->states[state]);
    }
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        const struct slt_counter_name *name = slt_counter_name((enum slt_counter)i);
        int64_t delta = slt_counter_delta(&before->counters, &after->counters, (enum slt_counter)i);
        if (name->rises && delta != SLT_UNKNOWN) {
            (void)printf(",\"%s_delta\":%" PRId64, name->field, delta);
        } else if (!name->rises && after->counters.value[i] != SLT_UNKNOWN) {
            (void)printf(",\"%s\":%" PRId64, name->field, after->counters.value[i]);
        }
    }
    (void)puts("}");
}

/* ---- the verb ------------------------------------------------------------------------------- */

static bool rest(int64_t ns)
{
    struct timespec pause = {.tv_sec = (time_t)(ns / SLT_NS_PER_S),
                             .tv_nsec = (long)(ns % SLT_NS_PER_S)};
    return nanosleep(&pause, NULL) == 0 && !interrupted;
}

/* The two sources, in this order. */
#define SOURCES 2U

static const char *const source_names[SOURCES] = {"kernel", "salut"};

static bool is_asked(const struct words *words, unsigned source)
{
    return source == 0 ? words->sources.kernel : words->sources.stacks;
}

static void print(const struct words *words, unsigned source, const struct sample *before,
                  const struct sample *after)
{
    if (words->json) {
        print_json(source_names[source], before, after);
        return;
    }
    if (words->sources.kernel && words->sources.stacks) {
        (void)printf("%-6s ", source_names[source]);
    }
    print_line(before, after);
    if (words->all) {
        print_changes(before, after);
    }
}

/* A sample of each source; with `before`, what has changed since is printed. */
static int sample_all(const struct words *words, struct sample samples[SOURCES], bool first)
{
    for (unsigned source = 0; source < SOURCES; source++) {
        struct sample now;
        int result = is_asked(words, source) ? take_sample(&now, source == 1) : SLT_EXIT_FINE;
        if (result != SLT_EXIT_FINE) {
            return result;
        }
        if (is_asked(words, source) && !first) {
            print(words, source, &samples[source], &now);
        }
        if (is_asked(words, source)) {
            samples[source] = now;
        }
    }
    return SLT_EXIT_FINE;
}

static int go_on(const struct words *words)
{
    struct sample samples[SOURCES];
    int result = sample_all(words, samples, true);
    for (int64_t n = 0; result == SLT_EXIT_FINE && (words->count == 0 || n < words->count); n++) {
        if (!words->json && n % HEADER_EVERY == 0) {
            print_header(words->sources.kernel && words->sources.stacks);
            (void)fflush(stdout);
        }
        if (!rest(words->pause_ns)) {
            break;
        }
        result = sample_all(words, samples, false);
        (void)fflush(stdout);
    }
    return result;
}

/* "1", "0.5", "2s" and a count. */
static int take_numbers(struct words *words, const char *const *given, size_t count)
{
    char *end;
    double seconds = count > 0 ? strtod(given[0], &end) : 1;
    bool wrong = count > 0 && (end == given[0] || (*end != '\0' && strcmp(end, "s") != 0));
    if (wrong || seconds < 0.01 || seconds > 86400) {
        return slt_usage_error(&slt_cli_stats, "SECONDS must be 0.01 to 86400, not '%s'", given[0]);
    }
    words->pause_ns = (int64_t)(seconds * 1e9);
    words->count = count > 1 ? strtoll(given[1], &end, 10) : 0;
    if (count > 1 && (*end != '\0' || words->count < 1)) {
        return slt_usage_error(&slt_cli_stats, "COUNT must be a number from 1 on, not '%s'",
                               given[1]);
    }
    return SLT_EXIT_FINE;
}

static int run(int argc, char **argv)
{
    struct words words = {.source = "kernel"};
    const char *given[2];
    const struct slt_arg options[] = {
        {"--all", SLT_ARG_FLAG, &words.all, 0, 0},
        {"--json", SLT_ARG_FLAG, &words.json, 0, 0},
        {"--source", SLT_ARG_TEXT, &words.source, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_stats,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = given,
                            .words_max = SLT_ARRAY_COUNT(given)};
    struct sigaction action = {.sa_handler = on_signal};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    result = slt_parse_sources(&slt_cli_stats, words.source, &words.sources);
    if (result == SLT_EXIT_FINE) {
        result = take_numbers(&words, given, args.word_count);
    }
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return go_on(&words);
}

const struct slt_cli_verb slt_cli_stats = {.name = "stats",
                                           .summary = "connections by state and events a second, "
                                                      "at an interval",
                                           .help = help,
                                           .run = run};
