/* Words, numbers with units, and settings by table; scenario_words.h tells what they look like.
 *
 * Numbers may have a fraction ("1.5Mb/s"), up to nine digits of it, and are kept in integers: the
 * same text means the same run everywhere. Bytes count in thousands (KB, MB, GB), or in powers of
 * 1,024 where the unit says so (KiB, MiB, GiB).
 */
#include "lab/scenario_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit rate_units[] = {
    {"b/s", 1},           {"kb/s", 1000},       {"Mb/s", 1000000},
    {"Gb/s", 1000000000}, {"bit", 1},           {"kbit", 1000},
    {"Mbit", 1000000},    {"Gbit", 1000000000}, {NULL, 0},
};
static const struct unit time_units[] = {
    {"s", SLT_NS_PER_S}, {"ms", SLT_NS_PER_MS},    {"us", SLT_NS_PER_US},
    {"ns", 1},           {"m", 60 * SLT_NS_PER_S}, {NULL, 0},
};
static const struct unit byte_units[] = {
    {"B", 1},
    {"", 1},
    {"KB", 1000},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"KiB", 1024},
    {"MiB", 1024 * 1024},
    {"GiB", 1024 * 1024 * 1024},
    {NULL, 0},
};
static const struct unit count_units[] = {{"", 1}, {NULL, 0}};
static const struct unit chance_units[] = {{"%", 10000}, {"ppm", 1}, {NULL, 0}};

struct kind {
    const struct unit *units; /* NULL: not a number */
    const char *example;      /* what a message says is accepted */
};

static const struct kind kinds[] = {
    [SLT_SCN_VALUE_RATE] = {rate_units, "a rate such as 100Mb/s, 64kb/s or 1.5Gb/s"},
    [SLT_SCN_VALUE_TIME] = {time_units, "a time such as 20ms, 500us, 1.5s or 2m"},
    [SLT_SCN_VALUE_BYTES] = {byte_units, "bytes such as 1500B, 64KB, 50MB or 1MiB"},
    [SLT_SCN_VALUE_COUNT] = {count_units, "a number"},
    [SLT_SCN_VALUE_CHANCE] = {chance_units, "a chance such as 1%, 0.05% or 20ppm"},
    [SLT_SCN_VALUE_ROOM] = {NULL, "room such as 64KB, 100packets, 1bdp, 50ms or none"},
    [SLT_SCN_VALUE_DRAW_TIME] = {time_units,
                                 "a time such as 20ms, or ~20ms for a random one of that mean"},
    [SLT_SCN_VALUE_DRAW_BYTES] = {byte_units,
                                  "bytes such as 10KB, or ~10KB for a random size of that mean"},
    [SLT_SCN_VALUE_SWITCH] = {NULL, "on or off"},
    [SLT_SCN_VALUE_SWITCH_OFF] = {NULL, "on or off"},
    [SLT_SCN_VALUE_NAME] = {NULL, "a name of at most 23 characters"},
};

bool slt_scn_wrong(struct slt_scn_reader *reader, const char *format, ...)
{
    if (reader->failed) {
        return false;
    }
    va_list list;
    int used =
        snprintf(reader->why, SLT_SCN_SENTENCE_MAX, "%.80s:%u: ", reader->name, reader->line);
    va_start(list, format);
    (void)vsnprintf(reader->why + used, SLT_SCN_SENTENCE_MAX - (size_t)used, format, list);
    va_end(list);
    reader->failed = true;
    return false;
}

const char *slt_scn_next(struct slt_scn_reader *reader)
{
    return reader->at < reader->count ? reader->word[reader->at++] : NULL;
}

const char *slt_scn_peek(const struct slt_scn_reader *reader)
{
    return reader->at < reader->count ? reader->word[reader->at] : NULL;
}

bool slt_scn_take(struct slt_scn_reader *reader, const char *text)
{
    const char *next = slt_scn_peek(reader);
    bool same = next != NULL && strcmp(next, text) == 0;
    reader->at += same;
    return same;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* "1.25" as 1 and 250000000 billionths; *rest is behind it. */
static bool parse_decimal(const char *text, int64_t *whole, int64_t *billionths, const char **rest)
{
    const char *at = text;
    *whole = 0;
    *billionths = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (*whole > INT64_MAX / 10 - 1) {
            return false;
        }
        *whole = *whole * 10 + (*at - '0');
    }
    bool digits = at > text;
    if (*at == '.') {
        int64_t place = 100000000;
        at++;
        for (; *at >= '0' && *at <= '9'; at++) {
            *billionths += (*at - '0') * place;
            place /= 10;
            digits = true;
        }
    }
    *rest = at;
    return digits;
}

static bool scale(int64_t whole, int64_t billionths, int64_t factor, int64_t *number)
{
    if (factor > 0 && whole > (INT64_MAX >> 1) / factor) {
        return false;
    }
    /* billionths < 1e9 and factor <= 6e10: split, so that nothing overflows. */
    int64_t part = factor / 1000 * billionths / 1000000 + factor % 1000 * billionths / 1000000000;
    *number = whole * factor + part;
    return true;
}

static bool number_with(const char *text, const struct unit *units, int64_t *number)
{
    int64_t whole;
    int64_t billionths;
    const char *rest;
    if (!parse_decimal(text, &whole, &billionths, &rest)) {
        return false;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(units->name, rest) == 0) {
            return scale(whole, billionths, units->factor, number);
        }
    }
    *number = 0;
    return whole == 0 && billionths == 0 && *rest == '\0'; /* nothing needs no unit */
}

bool slt_scn_number(const char *text, enum slt_scn_value kind, int64_t *number)
{
    SLT_ASSERT(kinds[kind].units != NULL);
    return number_with(text, kinds[kind].units, number);
}

/* ---- values --------------------------------------------------------------------------------- */

static bool parse_room(const char *text, struct slt_scn_room *room)
{
    static const struct unit packets[] = {{"packets", 1}, {"packet", 1}, {"pkt", 1}, {NULL, 0}};
    static const struct unit bdp[] = {{"bdp", 1000}, {NULL, 0}};
    static const struct {
        const struct unit *units;
        enum slt_scn_room_unit unit;
    } forms[] = {
        {packets, SLT_SCN_ROOM_PACKETS},
        {bdp, SLT_SCN_ROOM_BDP},
        {byte_units, SLT_SCN_ROOM_BYTES},
        {time_units, SLT_SCN_ROOM_TIME},
    };
    if (strcmp(text, "none") == 0) {
        *room = (struct slt_scn_room){0, SLT_SCN_ROOM_NONE};
        return true;
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(forms); i++) {
        int64_t amount;
        if (number_with(text, forms[i].units, &amount) && amount > 0) {
            *room = (struct slt_scn_room){amount, forms[i].unit};
            return true;
        }
    }
    return false;
}

static bool parse_name(const char *text, char *to)
{
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes >= SLT_SCN_NAME_BYTES) {
        return false;
    }
    memcpy(to, text, bytes + 1);
    return true;
}

static bool parse_switch(const char *text, bool meaning, bool *to)
{
    if (strcmp(text, "on") == 0) {
        *to = meaning;
    } else if (strcmp(text, "off") == 0) {
        *to = !meaning;
    } else {
        return false;
    }
    return true;
}

static bool parse_draw(const char *text, const struct unit *units, struct slt_scn_draw *draw)
{
    draw->random = text[0] == '~';
    return number_with(text + draw->random, units, &draw->mean);
}

static bool parse_value(const char *text, enum slt_scn_value kind, void *to)
{
    switch (kind) {
    case SLT_SCN_VALUE_ROOM:
        return parse_room(text, to);
    case SLT_SCN_VALUE_DRAW_TIME:
    case SLT_SCN_VALUE_DRAW_BYTES:
        return parse_draw(text, kinds[kind].units, to);
    case SLT_SCN_VALUE_SWITCH:
    case SLT_SCN_VALUE_SWITCH_OFF:
        return parse_switch(text, kind == SLT_SCN_VALUE_SWITCH, to);
    case SLT_SCN_VALUE_NAME:
        return parse_name(text, to);
    case SLT_SCN_VALUE_RATE:
    case SLT_SCN_VALUE_TIME:
    case SLT_SCN_VALUE_BYTES:
    case SLT_SCN_VALUE_COUNT:
    case SLT_SCN_VALUE_CHANCE:
        return number_with(text, kinds[kind].units, to);
    }
    return false;
}

bool slt_scn_value(struct slt_scn_reader *reader, const char *what, enum slt_scn_value kind,
                   void *to)
{
    const char *text = slt_scn_next(reader);
    if (text == NULL) {
        return slt_scn_wrong(reader, "%s wants %s", what, kinds[kind].example);
    }
    return parse_value(text, kind, to) ||
           slt_scn_wrong(reader, "%s wants %s, not '%.60s'", what, kinds[kind].example, text);
}

/* ---- settings ------------------------------------------------------------------------------- */

static bool is_number(enum slt_scn_value kind)
{
    return kind <= SLT_SCN_VALUE_CHANCE;
}

static void store(const struct slt_scn_setting *setting, int64_t number, void *to)
{
    uint8_t narrow = (uint8_t)number;
    uint16_t half = (uint16_t)number;
    uint32_t word = (uint32_t)number;
    const void *from = &number;
    from = setting->bytes == 1 ? &narrow : from;
    from = setting->bytes == 2 ? &half : from;
    from = setting->bytes == 4 ? &word : from;
    memcpy((char *)to + setting->offset, from, setting->bytes);
}

static bool take_number(struct slt_scn_reader *reader, const struct slt_scn_setting *setting,
                        const char *text, void *to)
{
    int64_t number;
    if (!number_with(text, kinds[setting->value].units, &number)) {
        return slt_scn_wrong(reader, "%s wants %s, not '%.60s'", setting->name,
                             kinds[setting->value].example, text);
    }
    if (number < setting->low || number > setting->high) {
        return slt_scn_wrong(reader, "%s is %.60s: too %s (%lld to %lld %s)", setting->name, text,
                             number < setting->low ? "small" : "large", (long long)setting->low,
                             (long long)setting->high,
                             setting->value == SLT_SCN_VALUE_TIME     ? "ns"
                             : setting->value == SLT_SCN_VALUE_RATE   ? "b/s"
                             : setting->value == SLT_SCN_VALUE_CHANCE ? "ppm"
                                                                      : "are accepted");
    }
    store(setting, number, to);
    return true;
}

/* "5%,10ms": the first value is the setting's own, the second goes where the table says. */
static bool take_pair(struct slt_scn_reader *reader, const struct slt_scn_setting *setting,
                      char *text, void *to)
{
    char *comma = strchr(text, ',');
    int64_t number;
    if (comma == NULL) {
        return slt_scn_wrong(reader, "%s wants two values with a comma: %s, and %s", setting->name,
                             kinds[setting->value].example, kinds[setting->second].example);
    }
    *comma = '\0';
    if (!take_number(reader, setting, text, to)) {
        return false;
    }
    if (!number_with(comma + 1, kinds[setting->second].units, &number) || number <= 0) {
        return slt_scn_wrong(reader, "behind its comma %s wants %s, not '%.60s'", setting->name,
                             kinds[setting->second].example, comma + 1);
    }
    memcpy((char *)to + setting->second_offset, &number, sizeof(number));
    return true;
}

static bool unknown_word(struct slt_scn_reader *reader, const char *word,
                         const struct slt_scn_setting *table, size_t count)
{
    char names[300];
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof(names) - 30; i++) {
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? " " : "",
                                 table[i].name);
    }
    return slt_scn_wrong(reader, "there is no setting '%.40s' here; there are: %s", word, names);
}

bool slt_scn_setting(struct slt_scn_reader *reader, const struct slt_scn_setting *table,
                     size_t count, void *to)
{
    const char *word = slt_scn_next(reader);
    SLT_ASSERT(word != NULL);
    const struct slt_scn_setting *setting = NULL;
    for (size_t i = 0; i < count; i++) {
        setting = strcmp(table[i].name, word) == 0 ? &table[i] : setting;
    }
    if (setting == NULL) {
        return unknown_word(reader, word, table, count);
    }
    if (!is_number(setting->value)) {
        return slt_scn_value(reader, setting->name, setting->value, (char *)to + setting->offset);
    }
    if (reader->at == reader->count) {
        return slt_scn_wrong(reader, "%s wants %s", setting->name, kinds[setting->value].example);
    }
    char *text = reader->word[reader->at++];
    return setting->second_offset != 0 ? take_pair(reader, setting, text, to)
                                       : take_number(reader, setting, text, to);
}
