/* See impair_spec.h. Each word is a row: its name, what its number means, and where it goes. */
#include "sock/impair_spec.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

#define REORDER_FOR_NS (5 * SLT_NS_PER_MS)
#define NUMBER_MAX     32U

enum unit { UNIT_CHANCE, UNIT_TIME, UNIT_RATE, UNIT_COUNT };

struct word {
    const char *name;
    enum unit unit;
    size_t offset; /* in struct slt_path_params; SIZE_MAX: the seed */
    size_t bytes;
};

#define FAULT(field)                                                                               \
    offsetof(struct slt_path_params, field), sizeof(((struct slt_path_params *)NULL)->field)

static const struct word words[] = {
    {"loss", UNIT_CHANCE, FAULT(loss_ppm)},
    {"dup", UNIT_CHANCE, FAULT(duplicate_ppm)},
    {"duplicate", UNIT_CHANCE, FAULT(duplicate_ppm)},
    {"reorder", UNIT_CHANCE, FAULT(reorder_ppm)},
    {"reorder-for", UNIT_TIME, FAULT(reorder_for_ns)},
    {"corrupt", UNIT_CHANCE, FAULT(corrupt_ppm)},
    {"burst-enter", UNIT_CHANCE, FAULT(burst_enter_ppm)},
    {"burst-leave", UNIT_CHANCE, FAULT(burst_leave_ppm)},
    {"burst-loss", UNIT_CHANCE, FAULT(burst_loss_ppm)},
    {"delay", UNIT_TIME, FAULT(delay_ns)},
    {"jitter", UNIT_TIME, FAULT(jitter_ns)},
    {"rate", UNIT_RATE, FAULT(rate_bits_per_s)},
    {"queue", UNIT_COUNT, FAULT(queue_frames_max)},
    {"seed", UNIT_COUNT, SIZE_MAX, 0},
};

struct suffix {
    enum unit unit;
    const char *text;
    double factor;
};

static const struct suffix suffixes[] = {
    {UNIT_CHANCE, "%", 1e4},  {UNIT_CHANCE, "ppm", 1},  {UNIT_TIME, "ns", 1},
    {UNIT_TIME, "us", 1e3},   {UNIT_TIME, "ms", 1e6},   {UNIT_TIME, "s", 1e9},
    {UNIT_RATE, "bit", 1},    {UNIT_RATE, "kbit", 1e3}, {UNIT_RATE, "mbit", 1e6},
    {UNIT_RATE, "gbit", 1e9}, {UNIT_COUNT, "", 1},
};

static const struct word *find_word(const char *text, size_t bytes)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(words); i++) {
        if (strlen(words[i].name) == bytes && memcmp(words[i].name, text, bytes) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

static bool find_factor(enum unit unit, const char *text, double *factor)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(suffixes); i++) {
        if (suffixes[i].unit == unit && strcmp(suffixes[i].text, text) == 0) {
            *factor = suffixes[i].factor;
            return true;
        }
    }
    return false;
}

/* A number with its unit, in the field's own unit. */
static const char *parse_number(const struct word *word, const char *text, uint64_t *value)
{
    char *end = NULL;
    double factor = 1;
    double number = strtod(text, &end);
    if (end == text || !(number >= 0) || number > 1e15) {
        return "an impairment has no number behind its =";
    }
    if (!find_factor(word->unit, end, &factor)) {
        return word->unit == UNIT_CHANCE ? "a chance is written as 1% or 500ppm"
               : word->unit == UNIT_TIME ? "a time is written as 20ms, 5us or 1s"
               : word->unit == UNIT_RATE ? "a rate is written as 10mbit, 64kbit or 1gbit"
                                         : "a count is a plain number";
    }
    number *= factor;
    if (word->unit == UNIT_CHANCE && number > SLT_PATH_ALWAYS) {
        return "a chance is at most 100%";
    }
    if (number > 1e18 || (word->bytes == 4 && number > (double)UINT32_MAX)) {
        return "a number is too large";
    }
    *value = (uint64_t)(number + 0.5);
    return NULL;
}

static void store(const struct word *word, uint64_t value, struct slt_impair_params *params)
{
    if (word->offset == SIZE_MAX) {
        params->seed = value;
        return;
    }
    char *at = (char *)&params->out + word->offset;
    if (word->bytes == sizeof(uint32_t)) {
        uint32_t narrow = (uint32_t)value;
        memcpy(at, &narrow, sizeof(narrow));
    } else {
        memcpy(at, &value, sizeof(value));
    }
}

static const char *parse_word(const char *text, size_t bytes, struct slt_impair_params *params)
{
    char number[NUMBER_MAX];
    const char *equals = memchr(text, '=', bytes);
    if (equals == NULL) {
        return "an impairment is written as name=number";
    }
    const struct word *word = find_word(text, (size_t)(equals - text));
    size_t number_bytes = bytes - (size_t)(equals - text) - 1;
    if (word == NULL) {
        return "there is no such impairment";
    }
    if (number_bytes >= sizeof(number)) {
        return "a number is too long";
    }
    memcpy(number, equals + 1, number_bytes);
    number[number_bytes] = '\0';
    uint64_t value = 0;
    const char *bad = parse_number(word, number, &value);
    if (bad == NULL) {
        store(word, value, params);
    }
    return bad;
}

const char *slt_impair_spec_parse(const char *spec, struct slt_impair_params *params)
{
    *params = (struct slt_impair_params){.seed = 1};
    params->out.reorder_for_ns = REORDER_FOR_NS;
    while (*spec != '\0') {
        size_t bytes = strcspn(spec, ",");
        const char *bad = parse_word(spec, bytes, params);
        if (bad != NULL) {
            return bad;
        }
        spec += bytes;
        spec += *spec == ',';
    }
    if (params->out.jitter_ns > params->out.delay_ns) {
        return "the jitter is larger than the delay";
    }
    params->in = params->out;
    return NULL;
}
