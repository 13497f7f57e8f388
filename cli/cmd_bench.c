/* salut bench: this stack and the kernel side by side. The work is done in bench/.
 */
#include "bench/bench.h"
#include "cli/cli.h"

static const char help[] =
    "usage: salut bench [options]\n"
    "\n"
    "Measures salut and the kernel in turn, in a private network, and prints medians, lowest and\n"
    "highest, and ratios against their targets; and what connections cost in memory.\n"
    "\n"
    "  --quick            shorter; only a ratio below half of its target fails\n"
    "  --only NAMES       these lines, separated by commas\n"
    "  --list             print the names of the lines\n"
    "  --pairs N          how many pairs of samples (7, quick 3)\n"
    "  --sample T         how long one sample runs (1s, quick 250ms)\n"
    "  --salut, --kernel  one side only, to look at it with a profiler\n"
    "\n"
    "Wants a quiet machine with two processors and, for the memory lines, 1.2 GB.\n";

struct words {
    bool quick;
    bool list;
    bool salut;
    bool kernel;
    const char *only;
    int64_t pairs;
    int64_t sample_ns;
};

static int measure(const struct words *words)
{
    struct slt_bench_options options;
    const char *unknown = NULL;
    slt_bench_options_init(&options, words->quick);
    if (!slt_bench_names_ok(words->only, &unknown)) {
        return slt_usage_error(&slt_cli_bench, "there is no line '%s'; --list names them", unknown);
    }
    if (words->salut && words->kernel) {
        return slt_usage_error(&slt_cli_bench, "--salut and --kernel: both is the default");
    }
    options.only = words->only;
    options.pairs = words->pairs > 0 ? (unsigned)words->pairs : options.pairs;
    options.sample_ns = words->sample_ns > 0 ? words->sample_ns : options.sample_ns;
    if (words->salut || words->kernel) {
        options.sides = words->salut ? SLT_BENCH_SALUT : SLT_BENCH_KERNEL;
    }
    return slt_bench(&options);
}

static int run(int argc, char **argv)
{
    struct words words = {.only = NULL};
    const struct slt_arg options[] = {
        {"--quick", SLT_ARG_FLAG, &words.quick, 0, 0},
        {"--list", SLT_ARG_FLAG, &words.list, 0, 0},
        {"--salut", SLT_ARG_FLAG, &words.salut, 0, 0},
        {"--kernel", SLT_ARG_FLAG, &words.kernel, 0, 0},
        {"--only", SLT_ARG_TEXT, &words.only, 0, 0},
        {"--pairs", SLT_ARG_NUMBER, &words.pairs, 1, SLT_BENCH_PAIRS_MAX},
        {"--sample", SLT_ARG_TIME, &words.sample_ns, 0, 0},
    };
    struct slt_args args = {
        .verb = &slt_cli_bench, .options = options, .option_count = SLT_ARRAY_COUNT(options)};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    if (words.list) {
        slt_bench_list();
        return SLT_EXIT_FINE;
    }
    return measure(&words);
}

const struct slt_cli_verb slt_cli_bench = {
    .name = "bench",
    .summary = "this stack and the kernel side by side, in one table",
    .help = help,
    .run = run,
};
