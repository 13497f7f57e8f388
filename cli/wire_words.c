/* See wire_words.h. Numbers with units are those of --impair; its parser reads them here too. */
#include "cli/wire_words.h"

#include "sock/impair_spec.h"

#include <stdlib.h>
#include <string.h>

#define SPEC_BYTES 64U

/* ---- one value ---------------------------------------------------------------------------- */

/* Read `bytes` of a value as --impair's word `name`, into the same field of *params. */
static int read_value(const struct slt_cli_verb *verb, const char *name, const char *text,
                      size_t bytes, struct slt_path_params *params)
{
    char spec[SPEC_BYTES];
    struct slt_impair_params read;
    int length = snprintf(spec, sizeof(spec), "%s=%.*s", name, (int)bytes, text);
    bool fits = length > 0 && (size_t)length < sizeof(spec);
    /* A comma would begin another word; the jitter's own limit is checked when all is known. */
    const char *bad = !fits                      ? "a value is too long"
                      : memchr(text, ',', bytes) ? "one value is wanted"
                                                 : slt_impair_spec_parse(spec, &read);
    bool jitter = strcmp(name, "jitter") == 0;
    if (bad != NULL && !(jitter && fits && read.out.jitter_ns > 0)) {
        return slt_usage_error(verb, "%.*s: %s", (int)bytes, text, bad);
    }
    *params = read.out;
    return SLT_EXIT_FINE;
}

static int read_bursts(const struct slt_cli_verb *verb, const char *text,
                       struct slt_path_params *params)
{
    struct slt_path_params read;
    const char *comma = strchr(text, ',');
    char *end = NULL;
    double length = comma != NULL ? strtod(comma + 1, &end) : 0;
    if (comma == NULL || end == comma + 1 || *end != '\0') {
        return slt_usage_error(verb, "--burst-loss wants loss and mean length, such as 1%%,8");
    }
    int result = read_value(verb, "loss", text, (size_t)(comma - text), &read);
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    return slt_path_set_bursts(params, read.loss_ppm, length)
               ? SLT_EXIT_FINE
               : slt_usage_error(verb, "--burst-loss %s: at most 50 %%, in bursts of 1 or more",
                                 text);
}

static int read_reorder(const struct slt_cli_verb *verb, const char *text,
                        struct slt_path_params *params)
{
    struct slt_path_params chance;
    struct slt_path_params time;
    const char *comma = strchr(text, ',');
    size_t bytes = comma != NULL ? (size_t)(comma - text) : strlen(text);
    int result = read_value(verb, "reorder", text, bytes, &chance);
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    params->reorder_ppm = chance.reorder_ppm;
    params->reorder_for_ns = chance.reorder_for_ns;
    if (comma != NULL) {
        result = read_value(verb, "reorder-for", comma + 1, strlen(comma + 1), &time);
        params->reorder_for_ns = time.reorder_for_ns;
    }
    return result;
}

/* ---- the queue ---------------------------------------------------------------------------- */

struct length {
    uint32_t frames;
    uint32_t bytes;
};

static bool within(double number)
{
    return number >= 1 && number <= (double)UINT32_MAX;
}

/* A length of the queue: bytes, packets, or a part of what fits the way there and back. */
static int read_length(const struct slt_cli_verb *verb, const char *text, double bdp_bytes,
                       struct length *length)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
    char *end = NULL;
    double number = strtod(text, &end);
    *length = (struct length){0};
    if (end != text && (strcmp(end, "p") == 0 || strcmp(end, "packets") == 0) && within(number)) {
        length->frames = (uint32_t)number;
        return SLT_EXIT_FINE;
    }
    if (end != text && strcmp(end, "bdp") == 0) {
        if (!within(number * bdp_bytes)) {
            return slt_usage_error(verb, "%s: a bdp is rate times both delays; give both", text);
        }
        length->bytes = (uint32_t)(number * bdp_bytes);
        return SLT_EXIT_FINE;
    }
    for (size_t i = 0; end != text && i < SLT_ARRAY_COUNT(units); i++) {
        if (strcmp(units[i].unit, end) == 0 && within(number * units[i].factor)) {
            length->bytes = (uint32_t)(number * units[i].factor);
            return SLT_EXIT_FINE;
        }
    }
    return slt_usage_error(verb, "a queue is written as 64K, 100p or 0.25bdp, not '%s'", text);
}

static int read_queue(const struct slt_cli_verb *verb, const struct slt_wire_words *w,
                      int64_t round_trip_ns, struct slt_path_params *params)
{
    double bdp_bytes = (double)params->rate_bits_per_s / 8e9 * (double)round_trip_ns;
    struct length length;
    int result = SLT_EXIT_FINE;
    if ((w->queue != NULL || w->ecn != NULL) && params->rate_bits_per_s == 0) {
        return slt_usage_error(verb, "--queue and --ecn need a --rate: nothing waits without");
    }
    if (w->queue != NULL) {
        result = read_length(verb, w->queue, bdp_bytes, &length);
        params->queue_frames_max = length.frames;
        params->queue_bytes_max = length.bytes;
    }
    if (result == SLT_EXIT_FINE && w->ecn != NULL) {
        result = read_length(verb, w->ecn, bdp_bytes, &length);
        params->mark_frames = length.frames;
        params->mark_bytes = length.bytes;
    }
    return result;
}

/* ---- a direction -------------------------------------------------------------------------- */

static int read_all(const struct slt_cli_verb *verb, const struct slt_wire_words *w,
                    struct slt_path_params *params)
{
    struct slt_path_params v[6] = {{0}};
    const struct {
        const char *name;
        const char *text;
    } values[] = {{"rate", w->rate}, {"delay", w->delay}, {"jitter", w->jitter},
                  {"loss", w->loss}, {"dup", w->dup},     {"corrupt", w->corrupt}};
    int result = SLT_EXIT_FINE;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(values) && result == SLT_EXIT_FINE; i++) {
        if (values[i].text != NULL) {
            result =
                read_value(verb, values[i].name, values[i].text, strlen(values[i].text), &v[i]);
        }
    }
    *params = (struct slt_path_params){.rate_bits_per_s = v[0].rate_bits_per_s,
                                       .delay_ns = v[1].delay_ns,
                                       .jitter_ns = v[2].jitter_ns,
                                       .loss_ppm = v[3].loss_ppm,
                                       .duplicate_ppm = v[4].duplicate_ppm,
                                       .corrupt_ppm = v[5].corrupt_ppm};
    if (result == SLT_EXIT_FINE && w->burst_loss != NULL) {
        result = read_bursts(verb, w->burst_loss, params);
    }
    if (result == SLT_EXIT_FINE && w->reorder != NULL) {
        result = read_reorder(verb, w->reorder, params);
    }
    if (result == SLT_EXIT_FINE && params->jitter_ns > params->delay_ns) {
        result = slt_usage_error(verb, "the jitter is larger than the delay");
    }
    return result;
}

static const char *or_else(const char *own, const char *other)
{
    return own != NULL ? own : other;
}

static struct slt_wire_words complete(const struct slt_wire_words *back,
                                      const struct slt_wire_words *there)
{
    return (struct slt_wire_words){
        .rate = or_else(back->rate, there->rate),
        .delay = or_else(back->delay, there->delay),
        .jitter = or_else(back->jitter, there->jitter),
        .loss = or_else(back->loss, there->loss),
        .burst_loss = or_else(back->burst_loss, there->burst_loss),
        .reorder = or_else(back->reorder, there->reorder),
        .dup = or_else(back->dup, there->dup),
        .corrupt = or_else(back->corrupt, there->corrupt),
        .queue = or_else(back->queue, there->queue),
        .ecn = or_else(back->ecn, there->ecn),
    };
}

int slt_wire_words_parse(const struct slt_cli_verb *verb, const struct slt_wire_words words[2],
                         struct slt_path_params way[2])
{
    const struct slt_wire_words all[2] = {words[0], complete(&words[1], &words[0])};
    int result = SLT_EXIT_FINE;
    for (int i = 0; i < 2 && result == SLT_EXIT_FINE; i++) {
        result = read_all(verb, &all[i], &way[i]);
    }
    int64_t round_trip_ns = way[0].delay_ns + way[1].delay_ns;
    for (int i = 0; i < 2 && result == SLT_EXIT_FINE; i++) {
        result = read_queue(verb, &all[i], round_trip_ns, &way[i]);
    }
    return result;
}
