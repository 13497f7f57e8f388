/* salut doctor: what is wrong with this machine's connections, the evidence, the cause, the remedy.
 */
#include "cli/cli.h"

#include "base/time.h"
#include "cli/doctor_capture.h"
#include "cli/finding_page.h"
#include "cli/json_text.h"
#include "cli/status_print.h"
#include "observe/counters_stack.h"
#include "observe/findings.h"
#include "observe/kernel_diag_linux.h"
#include "observe/past_file.h"
#include "observe/recorder_linux.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SCHEMA    1
#define WORDS_MAX 64U

static const char help[] =
    "usage: salut doctor [options] [FILTER]\n"
    "       salut doctor [options] FILE [FILTER]\n"
    "       salut doctor --list\n"
    "\n"
    "Looks at every connection and at the kernel's counters over a second, and says what is "
    "wrong:\n"
    "a line for each finding, then the cause, how it is told from its neighbours, and the remedy.\n"
    "\n"
    "  --interval T     how long the counters are watched (1s; 0 leaves them out)\n"
    "  --source S       kernel, salut, recorder or all (default)\n"
    "  --brief          the lines alone\n"
    "  --list           every finding there is; judged: of connections (now, or by what a\n"
    "                   recorder remembers), of captures\n"
    "  --json           one object a line\n"
    "\n"
    "What is worth telling:\n"
    "  --close-wait T   CLOSE-WAIT and half-closed for longer (60s)\n"
    "  --idle T         silent for longer without keep-alive (2h)\n"
    "  --silent T       of one host beside a live one, or unwatched, for longer (60s)\n"
    "  --unaccepted T   complete and not accepted for longer (1s)\n"
    "  --many N         connections of a kind that make a pattern (3)\n"
    "  --flood N        half-open connections that make a flood (64)\n"
    "  --time-waits N   connections in TIME-WAIT to be worth a word (5000)\n"
    "\n"
    "While salut record runs, what it remembers is judged as well: who closed with data unread or\n"
    "was killed, what was refused, given up or reset, and after how long.\n"
    "\n"
    "FILE is a capture (pcap or pcapng), or what salut record --json -w FILE kept; which of them "
    "is\n"
    "told by how it begins, and it is judged alone. A capture's FILTER is as in salut explain, "
    "which\n"
    "tells each connection's story. The recorder's memory alone is judged with --source recorder.\n"
    "\n"
    "FILTER is as in salut status, for the connections; counters are the machine's. Exit status: "
    "0\n"
    "nothing was found, 1 something was. `salut explain CW-1` prints all about one finding.\n";

struct words {
    bool brief;
    bool list;
    bool json;
    const char *source;
    const char *file; /* of a recorder's lines; NULL: none */
    bool past_alone;  /* what is remembered is judged, and nothing else */
    struct slt_sources sources;
    int64_t interval_ns;
    struct slt_limits_of_health limits;
    const char *filter[WORDS_MAX];
};

static int list_findings(void)
{
    for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
        enum slt_finding_id id = (enum slt_finding_id)i;
        const struct slt_finding *row = slt_finding_row(id);
        const char *live = slt_finding_needs_past(id)  ? "recorder"
                           : slt_finding_is_judged(id) ? "connections"
                                                       : "-";
        const char *file = slt_explain_is_judged(id) ? "captures" : "-";
        (void)printf("%-7s %-8s %c  %-11s %-8s %s\n", row->id, slt_finding_severity(row->severity),
                     row->confidence, live, file, row->seen);
    }
    return SLT_EXIT_FINE;
}

/* ---- one finding ---------------------------------------------------------------------------- */

static void print_hit(const struct slt_hit *hit, const struct words *words,
                      const struct slt_term *term, bool stacks)
{
    const struct slt_finding *row = slt_finding_row((enum slt_finding_id)hit->id);
    slt_finding_print_head(row, term);
    (void)printf("%s%s\n", stacks ? "on salut: " : "", hit->evidence);
    if (!words->brief) {
        slt_finding_print_advice((enum slt_finding_id)hit->id, row->confidence, term);
        (void)fputc('\n', stdout);
    }
}

static void print_hit_json(const struct slt_hit *hit, bool stacks)
{
    const char *source = hit->remembered ? "recorder" : stacks ? "salut" : "kernel";
    const struct slt_finding *row = slt_finding_row((enum slt_finding_id)hit->id);
    char addr[48];
    (void)printf("{\"schema\":%d,\"source\":\"%s\"", SCHEMA, source);
    slt_finding_put_head(row, row->confidence);
    (void)printf(",\"count\":%" PRId64, hit->count);
    slt_put_json_member("evidence", hit->evidence, stdout);
    if (hit->worst != NULL) {
        (void)salut_addr_print(&hit->worst->local, addr, sizeof(addr));
        slt_put_json_member("local_address", addr, stdout);
        (void)printf(",\"local_port\":%u", hit->worst->local_port);
        (void)salut_addr_print(&hit->worst->remote, addr, sizeof(addr));
        slt_put_json_member("remote_address", addr, stdout);
        (void)printf(",\"remote_port\":%u", hit->worst->remote_port);
    }
    if (hit->worst != NULL && hit->worst->pid != SLT_UNKNOWN) {
        (void)printf(",\"pid\":%d", hit->worst->pid);
        slt_put_json_member("program", hit->worst->program, stdout);
    }
    slt_finding_put_advice((enum slt_finding_id)hit->id);
    (void)puts("}");
}

/* ---- the look ------------------------------------------------------------------------------- */

static void wait_for(int64_t ns)
{
    struct timespec pause = {.tv_sec = (time_t)(ns / SLT_NS_PER_S),
                             .tv_nsec = (long)(ns % SLT_NS_PER_S)};
    (void)nanosleep(&pause, NULL);
}

/* The two sources are judged apart: what is wrong with the kernel's connections is explained by the
 * kernel's counters and limits, and a stack's by its own. */
#define SOURCES 2U

struct examination {
    struct slt_look looks[SOURCES];
    struct slt_case cases[SOURCES];
    struct slt_past past;
    struct slt_seen example;
};

static bool is_asked(const struct words *words, unsigned source)
{
    return source == 0 ? words->sources.kernel || words->past_alone : words->sources.stacks;
}

static void read_counters(const struct words *words, struct slt_case cases[SOURCES], bool first)
{
    if (is_asked(words, 0)) {
        (void)slt_counters_read(first ? &cases[0].before : &cases[0].after);
    }
    if (is_asked(words, 1)) {
        (void)slt_counters_read_stacks(first ? &cases[1].before : &cases[1].after, NULL);
    }
}

static void keep_passing(struct slt_past *past, const struct slt_filter *filter)
{
    struct slt_seen seen;
    size_t kept = 0;
    for (size_t i = 0; i < past->count; i++) {
        slt_past_seen(past, &past->items[i], &seen);
        if (slt_filter_passes(filter, &seen)) {
            past->items[kept++] = past->items[i];
        }
    }
    past->count = kept;
}

/* What is remembered belongs to the kernel's connections. That no recorder runs is no failure where
 * there is more to look at. */
static int take_past(const struct words *words, const struct slt_filter *filter,
                     struct examination *e)
{
    int result = words->file != NULL ? slt_past_read(words->file, &e->past)
                                     : slt_recorded_read(slt_kernel_namespace(), &e->past);
    if (result == 0) {
        keep_passing(&e->past, filter);
        e->cases[0].past = &e->past;
        e->cases[0].example = &e->example;
    }
    e->cases[0].past_alone = words->past_alone;
    return words->past_alone || result != -ENOENT ? result : 0;
}

/* Watch the counters, then look at the connections: what the first show is still there. */
static int take_cases(const struct words *words, const struct slt_filter *filter,
                      struct examination *e)
{
    struct slt_host_facts at_first;
    int result = 0;
    slt_host_facts_read(&at_first);
    for (unsigned i = 0; i < SOURCES; i++) {
        e->cases[i] = (struct slt_case){.look = &e->looks[i], .limits = words->limits};
    }
    if (words->past_alone) {
        return take_past(words, filter, e);
    }
    read_counters(words, e->cases, true);
    if (words->interval_ns > 0) {
        wait_for(words->interval_ns);
    }
    read_counters(words, e->cases, false);
    struct slt_host_facts *host = &e->cases[0].host;
    slt_host_facts_read(host);
    slt_host_facts_since(host, &at_first);
    slt_host_facts_forget(&e->cases[1].host);
    for (unsigned i = 0; i < SOURCES && result == 0; i++) {
        struct slt_look_ask ask = {.filter = filter,
                                   .kernel = i == 0,
                                   .stacks = i == 1,
                                   .owners = true,
                                   .keep_left_out = true};
        result = is_asked(words, i) ? slt_look_take(&ask, &e->looks[i]) : 0;
    }
    if (result == 0 && words->sources.kernel) {
        result = take_past(words, filter, e);
    }
    return result;
}

/* The gravest first. */
static uint64_t tell(const struct words *words, const struct slt_case *about, bool stacks)
{
    struct slt_term term = slt_term_look(stdout);
    struct slt_hit hit;
    uint64_t found = 0;
    for (int severity = SLT_SEVERITY_CRITICAL; severity >= SLT_SEVERITY_INFO; severity--) {
        for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
            const struct slt_finding *row = slt_finding_row((enum slt_finding_id)i);
            if (row->severity != severity ||
                !slt_finding_judge(about, (enum slt_finding_id)i, &hit)) {
                continue;
            }
            found++;
            if (words->json) {
                print_hit_json(&hit, stacks);
            } else {
                print_hit(&hit, words, &term, stacks);
            }
        }
    }
    return found;
}

static void say_what_is_hidden(const struct examination *e)
{
    uint32_t mute = e->looks[1].mute;
    slt_status_say_hidden("doctor", e->looks[0].hidden);
    if (mute > 0) {
        (void)fprintf(stderr,
                      "salut doctor: %u instance%s of salut did not answer, process %d for one\n",
                      mute, mute == 1 ? "" : "s", e->looks[1].mute_pid);
    }
}

static int fail_past(const struct words *words, int trouble)
{
    if (words->file == NULL && trouble == -ENOENT) {
        return slt_fail(&slt_cli_doctor, SLT_EXIT_MISSING,
                        "no recorder runs whose memory may be read here: as root, salut record");
    }
    if (words->file != NULL && trouble == -EPROTO) {
        return slt_fail(&slt_cli_doctor, SLT_EXIT_FAILURE,
                        "%s has no line of salut record --json -w FILE", words->file);
    }
    return slt_fail(&slt_cli_doctor, SLT_EXIT_FAILURE, "%s cannot be read: %s",
                    words->file == NULL ? "the recorder's memory" : words->file,
                    strerror(-trouble));
}

static int examine(const struct words *words, const struct slt_filter *filter)
{
    struct examination e = {.past = {.items = NULL}};
    uint64_t found = 0;
    int trouble = take_cases(words, filter, &e);
    for (unsigned i = 0; i < SOURCES && trouble == 0; i++) {
        found += is_asked(words, i) ? tell(words, &e.cases[i], i == 1) : 0;
    }
    if (trouble == 0 && found == 0 && !words->json) {
        (void)printf("nothing is wrong with %zu connections and listeners%s\n",
                     words->past_alone ? e.past.count
                                       : e.looks[0].list.count + e.looks[1].list.count,
                     words->past_alone ? " that are remembered" : "");
    }
    if (trouble == 0) {
        say_what_is_hidden(&e);
    }
    for (unsigned i = 0; i < SOURCES; i++) {
        slt_look_free(&e.looks[i]);
    }
    slt_past_free(&e.past);
    if (trouble < 0 && words->past_alone) {
        return fail_past(words, trouble);
    }
    if (trouble < 0) {
        return slt_fail(&slt_cli_doctor, SLT_EXIT_MISSING,
                        "the kernel does not tell about its sockets: %s", strerror(-trouble));
    }
    return found > 0 ? SLT_EXIT_FAILURE : SLT_EXIT_FINE;
}

/* A first word that names a file is that file, and no filter. */
static size_t take_file(struct words *words, size_t count)
{
    struct stat status;
    if (count == 0 || stat(words->filter[0], &status) < 0 || !S_ISREG(status.st_mode)) {
        return 0;
    }
    words->file = words->filter[0];
    words->past_alone = true;
    words->sources = (struct slt_sources){.kernel = false};
    return 1;
}

static bool take_sources(struct words *words)
{
    static const char *const shared[] = {"kernel", "salut", "all"};
    if (words->source != NULL && strcmp(words->source, "recorder") == 0) {
        words->past_alone = true;
        return true;
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(shared); i++) {
        if (words->source == NULL || strcmp(words->source, shared[i]) == 0) {
            return slt_parse_sources(&slt_cli_doctor, words->source, &words->sources) ==
                   SLT_EXIT_FINE;
        }
    }
    (void)slt_usage_error(&slt_cli_doctor,
                          "--source wants kernel, salut, recorder or all, not '%s'", words->source);
    return false;
}

static int run(int argc, char **argv)
{
    struct words words = {.interval_ns = SLT_NS_PER_S};
    struct slt_limits_of_health *limits = &words.limits;
    char why[200];
    const struct slt_arg options[] = {
        {"--close-wait", SLT_ARG_TIME, &limits->close_wait_ns, 0, 0},
        {"--idle", SLT_ARG_TIME, &limits->idle_ns, 0, 0},
        {"--silent", SLT_ARG_TIME, &limits->silent_ns, 0, 0},
        {"--unaccepted", SLT_ARG_TIME, &limits->unaccepted_ns, 0, 0},
        {"--many", SLT_ARG_NUMBER, &limits->many, 1, 1000000},
        {"--flood", SLT_ARG_NUMBER, &limits->flood, 1, 1000000},
        {"--time-waits", SLT_ARG_NUMBER, &limits->time_waits, 1, 1000000},
        {"--interval", SLT_ARG_TIME, &words.interval_ns, 0, 0},
        {"--brief", SLT_ARG_FLAG, &words.brief, 0, 0},
        {"--list", SLT_ARG_FLAG, &words.list, 0, 0},
        {"--json", SLT_ARG_FLAG, &words.json, 0, 0},
        {"--source", SLT_ARG_TEXT, &words.source, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_doctor,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words.filter,
                            .words_max = WORDS_MAX};
    slt_case_defaults(limits);
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    if (!take_sources(&words)) {
        return SLT_EXIT_USAGE;
    }
    if (words.list) {
        return list_findings();
    }
    if (args.word_count > 0 && slt_doctor_is_capture(words.filter[0])) {
        return slt_doctor_capture(&slt_cli_doctor, words.filter, args.word_count, words.json,
                                  words.brief);
    }
    size_t files = take_file(&words, args.word_count);
    struct slt_filter *filter =
        slt_filter_compile(words.filter + files, args.word_count - files, why, sizeof(why));
    if (filter == NULL) {
        return slt_usage_error(&slt_cli_doctor, "the filter is wrong %s", why);
    }
    result = examine(&words, filter);
    slt_filter_free(filter);
    return result;
}

const struct slt_cli_verb slt_cli_doctor = {.name = "doctor",
                                            .summary = "what is wrong with them: evidence, cause, "
                                                       "remedy",
                                            .help = help,
                                            .run = run};
