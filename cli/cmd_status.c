/* salut status: every TCP connection of this machine, and why it is in the state it is in
 * (netstat -nat, ss, lsof -i).
 */
#include "cli/cli.h"
#include "cli/status_print.h"

#include "base/time.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX    64U
#define OUTPUT_BYTES (128U * 1024U)

static const char help[] =
    "usage: salut status [options] [FILTER]\n"
    "\n"
    "Shows every TCP connection and listener, the kernel's and those of salut's own stacks: "
    "state,\n"
    "since when, who owns it, what waits in its queues, and why it is in that state.\n"
    "\n"
    "  --source S       kernel, salut or all (default)\n"
    "  --summary        how many there are in each state\n"
    "  --listening      listeners alone\n"
    "  --no-owners      do not look for the processes\n"
    "  --owners HOW     find them by: proc (reading /proc), bpf (a program in the kernel: "
    "quicker,\n"
    "                   needs CAP_BPF and CAP_PERFMON); default: what is quicker and possible\n"
    "  --no-why         leave out the sentences\n"
    "  --no-header      leave out the first line\n"
    "  --follow T       again every T (1s, 500ms), until it is interrupted\n"
    "  --json           one object a line; keys carry their units\n"
    "\n"
    "An age is exact, or a bound: >90 s is at least that. FILTER is as ss has it, and more:\n"
    "\n"
    "  state close-wait            exclude time-wait          ( dport = :443 or sport = :22 )\n"
    "  src 10.0.0.0/8  dst [::1]   :9000 (either side)        age > 60s and comm = nginx\n"
    "  accepted = no  orphan = yes  recvq > 0  retrans >= 3   idle > 5m  rtt > 100ms  pid = 1\n"
    "  finding = CW-1 (part of what salut doctor finds)       finding (part of any)\n"
    "\n"
    "Habits are understood: -nat, -tlnp, -i:9000.\n";

struct words {
    bool summary;
    bool listening;
    bool no_owners;
    bool no_why;
    bool no_header;
    bool json;
    const char *source;
    const char *owners;
    enum slt_owner_means means;
    struct slt_sources sources;
    int64_t follow_ns;
    const char *filter[WORDS_MAX];
    size_t filter_count;
};

/* ---- habits of netstat, ss and lsof --------------------------------------------------------- */

/* "-nat": letters of netstat and ss. What they mean is what is shown anyway, but for -l. */
static bool take_letters(const char *word, struct words *words)
{
    if (word[0] != '-' || word[1] == '-' || strspn(word + 1, "natplue46io") != strlen(word) - 1) {
        return false;
    }
    words->listening = words->listening || strchr(word, 'l') != NULL;
    return word[1] != '\0' && strcmp(word, "-i") != 0;
}

/* Take out of argv what is a habit; what stays is parsed as ever. */
static int take_habits(int argc, char **argv, struct words *words)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-i:", 3) == 0) {
            words->filter[words->filter_count++] = argv[i] + 2;
            (void)fprintf(stderr, "salut status: %s is understood as the filter %s\n", argv[i],
                          argv[i] + 2);
        } else if (!take_letters(argv[i], words)) {
            argv[kept++] = argv[i];
        }
        if (words->filter_count == WORDS_MAX / 2) {
            break;
        }
    }
    return kept;
}

/* ---- one look ------------------------------------------------------------------------------- */

static void say_what_is_hidden(const struct slt_look *look)
{
    slt_status_say_hidden("status", look->hidden);
    if (look->mute > 0) {
        (void)fprintf(stderr,
                      "salut status: %u instance%s of salut did not answer, process %d for one\n",
                      look->mute, look->mute == 1 ? "" : "s", look->mute_pid);
    }
}

static void print(const struct words *words, const struct slt_look *look)
{
    struct slt_status_style style = {.term = slt_term_look(stdout),
                                     .no_why = words->no_why,
                                     .no_header = words->no_header,
                                     .source = words->sources.kernel && words->sources.stacks &&
                                               look->stacks > 0};
    if (words->json && words->summary) {
        slt_status_json_summary(look, stdout);
    } else if (words->json) {
        slt_status_json(look, stdout);
    } else if (words->summary) {
        slt_status_summary(look, &style, stdout);
    } else {
        slt_status_table(look, &style, stdout);
    }
    (void)fflush(stdout);
}

/* As much as is shown: the table has neither buffers nor congestion control, which a filter might
 * ask for. */
static enum slt_kernel_detail detail_of(const struct words *words)
{
    if (words->summary) {
        return SLT_KERNEL_BRIEF;
    }
    return words->json || words->filter_count > 0 ? SLT_KERNEL_FULL : SLT_KERNEL_LEAN;
}

static int look_once(const struct words *words, const struct slt_filter *filter, bool first)
{
    struct slt_look look;
    struct slt_look_ask ask = {.filter = filter,
                               .kernel = words->sources.kernel,
                               .stacks = words->sources.stacks,
                               .owners = !words->no_owners && !words->summary,
                               .means = words->means,
                               .detail = detail_of(words),
                               .in_order = true};
    int result = slt_look_take(&ask, &look);
    if (result < 0) {
        slt_look_free(&look);
        return slt_fail(&slt_cli_status, SLT_EXIT_MISSING,
                        "the kernel does not tell about its sockets: %s (sock_diag; try: modprobe "
                        "tcp_diag)",
                        strerror(-result));
    }
    if (look.owners_error < 0 && words->owners != NULL) {
        result = slt_fail(&slt_cli_status, SLT_EXIT_MISSING, "owners cannot be found by %s: %s",
                          words->owners, strerror(-look.owners_error));
        slt_look_free(&look);
        return result;
    }
    print(words, &look);
    if (first) {
        say_what_is_hidden(&look);
    }
    slt_look_free(&look);
    return ferror(stdout) ? SLT_EXIT_FAILURE : SLT_EXIT_FINE;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int follow(const struct words *words, const struct slt_filter *filter)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    int result = look_once(words, filter, true);
    while (result == SLT_EXIT_FINE && words->follow_ns > 0 && !interrupted) {
        struct timespec pause = {.tv_sec = (time_t)(words->follow_ns / SLT_NS_PER_S),
                                 .tv_nsec = (long)(words->follow_ns % SLT_NS_PER_S)};
        if (nanosleep(&pause, NULL) == 0) {
            if (!words->json) {
                (void)fputc('\n', stdout);
            }
            result = look_once(words, filter, false);
        }
    }
    return result;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static bool parse_means(struct words *words)
{
    if (words->owners == NULL) {
        return true;
    }
    words->means = strcmp(words->owners, "bpf") == 0 ? SLT_OWNERS_BY_BPF : SLT_OWNERS_BY_PROC;
    return words->means == SLT_OWNERS_BY_BPF || strcmp(words->owners, "proc") == 0;
}

static int run(int argc, char **argv)
{
    static char output[OUTPUT_BYTES];
    struct words words = {.summary = false};
    char why[200];
    const struct slt_arg options[] = {
        {"--summary", SLT_ARG_FLAG, &words.summary, 0, 0},
        {"--listening", SLT_ARG_FLAG, &words.listening, 0, 0},
        {"--no-owners", SLT_ARG_FLAG, &words.no_owners, 0, 0},
        {"--no-why", SLT_ARG_FLAG, &words.no_why, 0, 0},
        {"--no-header", SLT_ARG_FLAG, &words.no_header, 0, 0},
        {"--follow", SLT_ARG_TIME, &words.follow_ns, 0, 0},
        {"--json", SLT_ARG_FLAG, &words.json, 0, 0},
        {"--source", SLT_ARG_TEXT, &words.source, 0, 0},
        {"--owners", SLT_ARG_TEXT, &words.owners, 0, 0},
    };
    argc = take_habits(argc, argv, &words);
    struct slt_args args = {.verb = &slt_cli_status,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words.filter + words.filter_count,
                            .words_max = WORDS_MAX / 2 - 2};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    if (slt_parse_sources(&slt_cli_status, words.source, &words.sources) != SLT_EXIT_FINE) {
        return SLT_EXIT_USAGE;
    }
    if (!parse_means(&words)) {
        return slt_usage_error(&slt_cli_status, "--owners is proc or bpf, not %s", words.owners);
    }
    words.filter_count += args.word_count;
    if (words.listening) {
        words.filter[words.filter_count++] = "state";
        words.filter[words.filter_count++] = "listening";
    }
    struct slt_filter *filter =
        slt_filter_compile(words.filter, words.filter_count, why, sizeof(why));
    if (filter == NULL) {
        return slt_usage_error(&slt_cli_status, "the filter is wrong %s", why);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setvbuf(stdout, output, _IOFBF, sizeof(output)); /* each look ends with a flush */
    result = follow(&words, filter);
    slt_filter_free(filter);
    return result;
}

const struct slt_cli_verb slt_cli_status = {.name = "status",
                                            .summary = "every TCP connection: state, age, owner, "
                                                       "queues, and why",
                                            .help = help,
                                            .run = run};
