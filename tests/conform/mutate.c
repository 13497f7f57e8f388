/* Breaking a row on purpose: another state, another flag, a number or a length one off, one segment
 * more, a reason that must not occur, another timer, something else in an earlier expectation. A
 * row that still passes then compares nothing.
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <string.h>

const char *mutation_name(int way)
{
    static const char *const names[] = {"state", "flag",  "seq",    "ack",
                                        "len",   "extra", "reason", "timer"};
    return way < 8 ? names[way] : "an earlier expectation";
}

static bool is_empty(const char *field)
{
    return *field == '\0' || strcmp(field, "-") == 0;
}

static bool is_tcp(const char *segments)
{
    char flags[16];
    snprintf(flags, sizeof(flags), "%.*s", (int)strcspn(segments, " *,"), segments);
    return flags_parse(flags) != UINT16_MAX;
}

static bool break_state(const struct row *row, struct row *mutant)
{
    const char *is = strcmp(row->state, "=") == 0 ? row->constructor : row->state;
    mutant->state = strncmp(is, "SYNSENT", 7) == 0 ? "LA" : "SYNSENT";
    return true;
}

static bool break_flag(const struct row *row, struct row *mutant, char room[4096])
{
    if (is_empty(row->segments)) {
        return false;
    }
    const char *change = is_tcp(row->segments) ? (strchr("SR", row->segments[0]) ? "F" : "S") : "R";
    if (change[0] == 'R') {
        snprintf(room, 4096, "R%s", row->segments + strcspn(row->segments, " ,"));
    } else {
        snprintf(room, 4096, "%s%s", change, row->segments);
    }
    mutant->segments = room;
    return true;
}

/* One more in a number of the first item; `missing` stands for it where the item does not say. */
static bool break_number(const struct row *row, struct row *mutant, char room[4096],
                         const char *key, const char *missing)
{
    if (is_empty(row->segments) || !is_tcp(row->segments)) {
        return false;
    }
    char name[16];
    int length = snprintf(name, sizeof(name), " %s=", key);
    size_t item = strcspn(row->segments, ",");
    const char *at = strstr(row->segments, name);
    if (at == NULL || (size_t)(at - row->segments) > item) {
        snprintf(room, 4096, "%.*s%s%s+1%s", (int)item, row->segments, name, missing,
                 row->segments + item);
    } else if (strchr("*<>", at[length]) != NULL) {
        return false;
    } else {
        size_t end = (size_t)(at - row->segments) + (size_t)length + strcspn(at + length, " ,");
        snprintf(room, 4096, "%.*s+1%s", (int)end, row->segments, row->segments + end);
    }
    mutant->segments = room;
    return true;
}

static bool break_ack(const struct row *row, struct row *mutant, char room[4096])
{
    size_t flags = strcspn(row->segments, " *,");
    bool acking = memchr(row->segments, 'A', flags) != NULL;
    return break_number(row, mutant, room, "ack", acking ? "rnxt" : "0");
}

/* What an earlier step must have emitted: something else in expectation number `which`. */
static bool break_earlier(const struct row *row, struct row *mutant, char room[4096], int which)
{
    const char *at = row->stimulus;
    for (int i = 0; at != NULL && i <= which; i++) {
        at = strstr(i == 0 ? at : at + 1, "; > ");
    }
    if (at == NULL) {
        return false;
    }
    snprintf(room, 4096, "%.*s; > U, %s", (int)(at - row->stimulus), row->stimulus, at + 4);
    mutant->stimulus = room;
    return true;
}

static bool break_by_more(const struct row *row, struct row *mutant, char room[4096])
{
    snprintf(room, 4096, "%s%sA seq=*", is_empty(row->segments) ? "" : row->segments,
             is_empty(row->segments) ? "" : ", ");
    mutant->segments = room;
    return true;
}

static bool break_reason(const struct row *row, struct row *mutant, char room[4096])
{
    if (is_empty(row->reason)) {
        return false;
    }
    size_t bytes = strcspn(row->reason, " =");
    const char *plain = row->reason[0] == '!' ? row->reason + 1 : row->reason;
    snprintf(room, 4096, "%s%.*s", plain == row->reason ? "!" : "",
             (int)(bytes - (size_t)(plain - row->reason)), plain);
    mutant->reason = room;
    return true;
}

static bool break_timer(const struct row *row, struct row *mutant)
{
    if (is_empty(row->timers)) {
        return false;
    }
    mutant->timers = strncmp(row->timers, "cork", 4) == 0 ? "tw" : "cork";
    return true;
}

bool row_mutate(const struct row *row, int way, struct row *mutant, char room[4096])
{
    *mutant = *row;
    switch (way) {
    case 0:
        return break_state(row, mutant);
    case 1:
        return break_flag(row, mutant, room);
    case 2:
        return break_number(row, mutant, room, "seq", "nxt");
    case 3:
        return break_ack(row, mutant, room);
    case 4:
        return break_number(row, mutant, room, "len", "0");
    case 5:
        return break_by_more(row, mutant, room);
    case 6:
        return break_reason(row, mutant, room);
    case 7:
        return break_timer(row, mutant);
    default:
        return break_earlier(row, mutant, room, way - 8);
    }
}
