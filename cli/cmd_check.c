/* salut check: a plugin for Nagios and its kin: is the number of connections in some state too
 * high?
 *
 * It follows the plugin interface, not salut's own exit codes: 0 OK, 1 WARNING, 2 CRITICAL, 3
 * UNKNOWN (wrong usage and everything that keeps it from knowing).
 */
#include "cli/cli.h"

#include "observe/look_linux.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_CRITICAL, VERDICT_UNKNOWN };

#define WORDS_MAX  64U
#define OWNERS_MAX 64U

static const char help[] =
    "usage: salut check [-w RANGE] [-c RANGE] [FILTER]\n"
    "\n"
    "Counts the connections that pass FILTER (as in salut status) and compares: exit 0 OK,\n"
    "1 WARNING, 2 CRITICAL, 3 UNKNOWN, with one line and performance data.\n"
    "\n"
    "  -w RANGE    warn when the count is outside\n"
    "  -c RANGE    critical when the count is outside\n"
    "  --source S  whose: kernel, salut or all (default)\n"
    "\n"
    "RANGE: 10 (0 to 10), 10: (10 and more), ~:10 (10 and less), 10:20, @10:20 (inside is bad).\n"
    "\n"
    "  salut check -w 100 -c 500 state close-wait\n"
    "  salut check -w 0 accepted = no and age \\> 5s\n";

/* ---- ranges --------------------------------------------------------------------------------- */

struct range {
    double low;
    double high;
    bool open_low;
    bool open_high;
    bool inside_is_bad;
};

static bool parse_double(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0';
}

/* The five forms of the plugin interface. */
static bool parse_range(const char *text, struct range *range)
{
    char word[64];
    *range = (struct range){.low = 0};
    if (text[0] == '@') {
        range->inside_is_bad = true;
        text++;
    }
    if (strlen(text) >= sizeof(word)) {
        return false;
    }
    memcpy(word, text, strlen(text) + 1);
    char *colon = strchr(word, ':');
    if (colon == NULL) {
        return parse_double(word, &range->high) && range->high >= 0;
    }
    *colon = '\0';
    range->open_low = strcmp(word, "~") == 0;
    range->open_high = colon[1] == '\0';
    bool low = range->open_low || parse_double(word, &range->low);
    bool high = range->open_high || parse_double(colon + 1, &range->high);
    return low && high && (range->open_low || range->open_high || range->low <= range->high);
}

static bool is_bad(const struct range *range, double value)
{
    bool inside =
        (range->open_low || value >= range->low) && (range->open_high || value <= range->high);
    return inside == range->inside_is_bad;
}

/* ---- counting ------------------------------------------------------------------------------- */

struct owner {
    char program[SLT_SEEN_NAME_MAX];
    int32_t pid;
    uint64_t count;
};

/* The program with most of them: whom to look at. */
static struct owner find_worst(const struct slt_look *look)
{
    struct owner owners[OWNERS_MAX];
    size_t count = 0;
    struct owner worst = {.count = 0};
    for (size_t i = 0; i < look->list.count; i++) {
        const struct slt_seen *seen = &look->list.items[i];
        size_t at = 0;
        while (at < count && owners[at].pid != seen->pid) {
            at++;
        }
        if (seen->pid == SLT_UNKNOWN || at == OWNERS_MAX) {
            continue;
        }
        if (at == count) {
            owners[count] = (struct owner){.pid = seen->pid};
            memcpy(owners[count].program, seen->program, sizeof(owners[count].program));
            count++;
        }
        owners[at].count++;
        worst = owners[at].count > worst.count ? owners[at] : worst;
    }
    return worst;
}

struct words {
    const char *warning;
    const char *critical;
    const char *source;
    struct slt_sources sources;
    const char *filter[WORDS_MAX];
};

/* "close_wait" when the filter is about one state, else "connections". */
static void name_count(const struct words *words, size_t count, char out[32])
{
    enum salut_state state;
    bool one = count >= 2 && strcmp(words->filter[0], "state") == 0 &&
               slt_seen_parse_state(words->filter[1], &state);
    const char *name = one ? slt_seen_rfc_name(state) : "connections";
    size_t i = 0;
    for (; name[i] != '\0' && i < 31; i++) {
        out[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    }
    out[i] = '\0';
}

static size_t count_ours(const struct slt_look *look)
{
    size_t ours = 0;
    for (size_t i = 0; i < look->list.count; i++) {
        ours += look->list.items[i].source == SLT_SOURCE_STACK;
    }
    return ours;
}

static int tell(const struct words *words, size_t filter_words, const struct slt_look *look,
                enum verdict verdict)
{
    static const char *const names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    char name[32];
    struct owner worst = find_worst(look);
    name_count(words, filter_words, name);
    (void)printf("TCP %s - %zu %s", names[verdict], look->list.count, name);
    if (worst.count > 0 && worst.count == look->list.count) {
        (void)printf(" in %s(%d)", worst.program, worst.pid);
    } else if (worst.count > 0) {
        (void)printf(", %" PRIu64 " of them in %s(%d)", worst.count, worst.program, worst.pid);
    }
    if (look->stacks > 0 && words->sources.kernel) {
        size_t ours = count_ours(look);
        (void)printf(" (%zu the kernel's, %zu of salut's stacks)", look->list.count - ours, ours);
    } else if (!words->sources.kernel) {
        (void)printf(" (of %u of salut's stacks)", look->stacks);
    }
    (void)printf(" | %s=%zu;%s;%s;0\n", name, look->list.count,
                 words->warning == NULL ? "" : words->warning,
                 words->critical == NULL ? "" : words->critical);
    return (int)verdict;
}

static int unknown(const char *why, const char *what)
{
    (void)printf("TCP UNKNOWN - %s%s\n", why, what);
    return VERDICT_UNKNOWN;
}

static int judge(const struct words *words, size_t filter_words, const struct slt_look *look)
{
    struct range range;
    enum verdict verdict = VERDICT_OK;
    double count = (double)look->list.count;
    if (words->warning != NULL && parse_range(words->warning, &range) && is_bad(&range, count)) {
        verdict = VERDICT_WARNING;
    }
    if (words->critical != NULL && parse_range(words->critical, &range) && is_bad(&range, count)) {
        verdict = VERDICT_CRITICAL;
    }
    return tell(words, filter_words, look, verdict);
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int check(const struct words *words, size_t filter_words)
{
    char why[200];
    struct slt_look look;
    struct range range;
    if (words->warning != NULL && !parse_range(words->warning, &range)) {
        return unknown("-w is no range: ", words->warning);
    }
    if (words->critical != NULL && !parse_range(words->critical, &range)) {
        return unknown("-c is no range: ", words->critical);
    }
    struct slt_filter *filter = slt_filter_compile(words->filter, filter_words, why, sizeof(why));
    if (filter == NULL) {
        return unknown("the filter is wrong ", why);
    }
    struct slt_look_ask ask = {.filter = filter,
                               .kernel = words->sources.kernel,
                               .stacks = words->sources.stacks,
                               .owners = true};
    int trouble = slt_look_take(&ask, &look);
    int result = trouble < 0
                     ? unknown("the kernel does not tell about its sockets: ", strerror(-trouble))
                     : judge(words, filter_words, &look);
    slt_look_free(&look);
    slt_filter_free(filter);
    return result;
}

static int run(int argc, char **argv)
{
    struct words words = {.warning = NULL};
    const struct slt_arg options[] = {
        {"-w", SLT_ARG_TEXT, &words.warning, 0, 0},
        {"-c", SLT_ARG_TEXT, &words.critical, 0, 0},
        {"--warning", SLT_ARG_TEXT, &words.warning, 0, 0},
        {"--critical", SLT_ARG_TEXT, &words.critical, 0, 0},
        {"--source", SLT_ARG_TEXT, &words.source, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_check,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words.filter,
                            .words_max = WORDS_MAX};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : unknown("wrong usage; see salut check -h", "");
    }
    return slt_parse_sources(&slt_cli_check, words.source, &words.sources) == SLT_EXIT_FINE
               ? check(&words, args.word_count)
               : unknown("--source is not kernel, salut or all: ", words.source);
}

const struct slt_cli_verb slt_cli_check = {
    .name = "check", .summary = "the same for Nagios", .help = help, .run = run};
