/* Breaking a row on purpose: another state, another flag, a sequence number or a length one off,
 * a reason that must not occur, another timer. A row that still passes then compares nothing.
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <string.h>

const char *mutation_name(int way)
{
    static const char *const names[MUTATIONS] = {"state", "flag",   "seq",
                                                 "extra", "reason", "timer"};
    return names[way];
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

static bool break_seq(const struct row *row, struct row *mutant, char room[4096])
{
    if (is_empty(row->segments) || !is_tcp(row->segments)) {
        return false;
    }
    size_t item = strcspn(row->segments, ",");
    const char *seq = strstr(row->segments, " seq=");
    if (seq == NULL || (size_t)(seq - row->segments) > item) {
        snprintf(room, 4096, "%.*s seq=nxt+1%s", (int)item, row->segments, row->segments + item);
    } else if (seq[5] == '*' || seq[5] == '>' || seq[5] == '<') {
        return false;
    } else {
        size_t end = (size_t)(seq - row->segments) + 5 + strcspn(seq + 5, " ,");
        snprintf(room, 4096, "%.*s+1%s", (int)end, row->segments, row->segments + end);
    }
    mutant->segments = room;
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
        return break_seq(row, mutant, room);
    case 3:
        return break_by_more(row, mutant, room);
    case 4:
        return break_reason(row, mutant, room);
    default:
        return break_timer(row, mutant);
    }
}
