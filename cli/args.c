/* The command line: tables of options, and mistakes told in a sentence.
 */
#include "cli/cli.h"

#include "base/time.h"
#include "wire/address.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int slt_usage_error(const struct slt_cli_verb *verb, const char *format, ...)
{
    va_list list;
    const char *name = verb == NULL ? NULL : verb->name;
    (void)fprintf(stderr, "salut%s%s: ", name ? " " : "", name ? name : "");
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fprintf(stderr, "\nTry: salut %s%s-h\n", name ? name : "", name ? " " : "");
    return SLT_EXIT_USAGE;
}

int slt_fail(const struct slt_cli_verb *verb, int code, const char *format, ...)
{
    va_list list;
    (void)fprintf(stderr, "salut %s: ", verb->name);
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fputc('\n', stderr);
    return code;
}

void slt_print_help(const struct slt_cli_verb *verb, FILE *to)
{
    (void)fprintf(to, "salut %s: %s\n\n%s%s", verb->name, verb->summary, verb->help,
                  verb->more_help == NULL ? "" : verb->more_help);
}

/* ---- values --------------------------------------------------------------------------------- */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit byte_units[] = {
    {"", 1},        {"k", 1 << 10},   {"K", 1 << 10}, {"KiB", 1 << 10},
    {"M", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30},
};

static const struct unit time_units[] = {
    {"s", SLT_NS_PER_S},      {"ms", SLT_NS_PER_MS}, {"us", SLT_NS_PER_US},
    {"m", 60 * SLT_NS_PER_S}, {"", SLT_NS_PER_S},
};

static bool parse_number(const char *text, int64_t *value, const char **rest)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *value = number;
    *rest = end;
    return end != text && errno == 0;
}

static bool parse_with_unit(const char *text, const struct unit *units, size_t count,
                            int64_t *value)
{
    const char *rest;
    int64_t number;
    if (!parse_number(text, &number, &rest) || number < 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(units[i].name, rest) == 0 && number <= INT64_MAX / units[i].factor) {
            *value = number * units[i].factor;
            return true;
        }
    }
    return false;
}

static bool parse_bytes(const char *text, int64_t *value)
{
    return parse_with_unit(text, byte_units, SLT_ARRAY_COUNT(byte_units), value);
}

static int store_number(const struct slt_args *args, const struct slt_arg *arg, const char *text)
{
    const char *rest;
    int64_t *to = arg->to;
    if (!parse_number(text, to, &rest) || *rest != '\0') {
        return slt_usage_error(args->verb, "%s wants a number, not '%s'", arg->name, text);
    }
    if (*to < arg->low || *to > arg->high) {
        return slt_usage_error(args->verb, "%s must be %lld to %lld, not %lld", arg->name,
                               (long long)arg->low, (long long)arg->high, (long long)*to);
    }
    return SLT_EXIT_FINE;
}

static int store_list(const struct slt_args *args, const struct slt_arg *arg, const char *text)
{
    struct slt_arg_list *list = arg->to;
    if (list->count == SLT_ARG_LIST_MAX) {
        return slt_usage_error(args->verb, "%s can be given %d times", arg->name, SLT_ARG_LIST_MAX);
    }
    list->items[list->count] = text;
    list->count++;
    return SLT_EXIT_FINE;
}

static int store(const struct slt_args *args, const struct slt_arg *arg, const char *text)
{
    switch (arg->kind) {
    case SLT_ARG_TEXT:
        *(const char **)arg->to = text;
        return SLT_EXIT_FINE;
    case SLT_ARG_NUMBER:
        return store_number(args, arg, text);
    case SLT_ARG_LIST:
        return store_list(args, arg, text);
    case SLT_ARG_BYTES:
        if (!parse_bytes(text, arg->to)) {
            return slt_usage_error(args->verb,
                                   "%s wants bytes such as 1000, 64K, 16M or 1G, not '%s'",
                                   arg->name, text);
        }
        return SLT_EXIT_FINE;
    case SLT_ARG_TIME:
        if (!parse_with_unit(text, time_units, SLT_ARRAY_COUNT(time_units), arg->to)) {
            return slt_usage_error(args->verb, "%s wants a time such as 15s, 200ms or 2m, not '%s'",
                                   arg->name, text);
        }
        return SLT_EXIT_FINE;
    case SLT_ARG_FLAG:
    case SLT_ARG_MAYBE:
        break;
    }
    return SLT_EXIT_FINE;
}

/* ---- the line ------------------------------------------------------------------------------- */

static const struct slt_arg *find_in(const struct slt_arg *table, size_t count, const char *name,
                                     size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(table[i].name) == bytes && memcmp(table[i].name, name, bytes) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static const struct slt_arg *find(const struct slt_args *args, const char *name, size_t bytes)
{
    const struct slt_arg *arg = find_in(args->options, args->option_count, name, bytes);
    return arg != NULL ? arg : find_in(args->more, args->more_count, name, bytes);
}

/* A value that may be missing: taken when the next word is one. */
static int store_maybe(const struct slt_arg *arg, const char *text, bool glued)
{
    struct slt_arg_maybe *maybe = arg->to;
    maybe->given = true;
    maybe->value = -1;
    if (text == NULL || !parse_bytes(text, &maybe->value)) {
        return glued ? -1 : 0;
    }
    return glued ? 0 : 1;
}

/* One option at argv[*at]; *at moves over a value of its own. */
static int take_option(const struct slt_args *args, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    size_t bytes = equals == NULL ? strlen(word) : (size_t)(equals - word);
    const struct slt_arg *arg = find(args, word, bytes);
    const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
    if (arg == NULL) {
        return slt_usage_error(args->verb, "there is no option %.*s", (int)bytes, word);
    }
    if (arg->kind == SLT_ARG_FLAG) {
        *(bool *)arg->to = true;
        return equals == NULL ? SLT_EXIT_FINE
                              : slt_usage_error(args->verb, "%s takes no value", arg->name);
    }
    if (arg->kind == SLT_ARG_MAYBE) {
        int used = store_maybe(arg, equals == NULL ? next : equals + 1, equals != NULL);
        *at += used > 0;
        return used >= 0
                   ? SLT_EXIT_FINE
                   : slt_usage_error(args->verb, "%s wants bytes, not '%s'", arg->name, equals + 1);
    }
    if (equals == NULL && next == NULL) {
        return slt_usage_error(args->verb, "%s needs a value", arg->name);
    }
    *at += equals == NULL;
    return store(args, arg, equals == NULL ? next : equals + 1);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

int slt_args_parse(struct slt_args *args, int argc, char **argv)
{
    bool only_words = false;
    args->word_count = 0;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        bool is_option = !only_words && word[0] == '-' && word[1] != '\0';
        if (is_option && asks_for_help(word)) {
            slt_print_help(args->verb, stdout);
            return -1;
        }
        if (is_option && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (is_option) {
            int result = take_option(args, argc, argv, &at);
            if (result != SLT_EXIT_FINE) {
                return result;
            }
        } else if (args->word_count == args->words_max) {
            return slt_usage_error(args->verb, "what is '%s' for? there is one word too many",
                                   word);
        } else {
            args->words[args->word_count] = word;
            args->word_count++;
        }
    }
    return SLT_EXIT_FINE;
}

/* ---- sources -------------------------------------------------------------------------------- */

int slt_parse_sources(const struct slt_cli_verb *verb, const char *text,
                      struct slt_sources *sources)
{
    bool all = text == NULL || strcmp(text, "all") == 0;
    sources->kernel = all || strcmp(text, "kernel") == 0;
    sources->stacks = all || strcmp(text, "salut") == 0;
    return sources->kernel || sources->stacks
               ? SLT_EXIT_FINE
               : slt_usage_error(verb, "--source wants kernel, salut or all, not '%s'", text);
}

/* ---- addresses ------------------------------------------------------------------------------ */

bool slt_parse_prefix(const char *text, salut_addr *addr, unsigned *prefix_bits)
{
    char host[64];
    const char *slash = strchr(text, '/');
    size_t bytes = slash == NULL ? strlen(text) : (size_t)(slash - text);
    if (bytes >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, bytes);
    host[bytes] = '\0';
    if (salut_addr_parse(host, addr) != SALUT_OK) {
        return false;
    }
    int64_t most = slt_address_is_v4(addr->b) ? 32 : 128;
    int64_t bits = most;
    const char *rest = "";
    if (slash != NULL && (!parse_number(slash + 1, &bits, &rest) || *rest != '\0')) {
        return false;
    }
    *prefix_bits = (unsigned)bits;
    return bits >= 0 && bits <= most;
}
