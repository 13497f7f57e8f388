/* See counters_linux.h.
 *
 * sockstat has lines "TCP: inuse 5 orphan 0 ..."; snmp and netstat have pairs of lines, the first
 * of names and the second of numbers, both beginning with the same word.
 */
#include "observe/counters_linux.h"

#include "base/compiler.h"
#include "sock/runner_clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES 16384U

static const struct slt_counter_name names[SLT_COUNTER_COUNT] = {
#define SLT_COUNTER(field, group, name, rises) {#field, group, name, rises},
#include "observe/counters.def"
#undef SLT_COUNTER
};

const struct slt_counter_name *slt_counter_name(enum slt_counter counter)
{
    SLT_ASSERT((unsigned)counter < SLT_COUNTER_COUNT);
    return &names[counter];
}

/* The counter "name" of line "word:" in `file`; SLT_COUNTER_COUNT: none of ours. */
static unsigned find(const char *file, const char *line, const char *name)
{
    size_t file_bytes = strlen(file);
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        if (strcmp(names[i].name, name) == 0 && strncmp(names[i].group, file, file_bytes) == 0 &&
            names[i].group[file_bytes] == ' ' &&
            strcmp(names[i].group + file_bytes + 1, line) == 0) {
            return i;
        }
    }
    return SLT_COUNTER_COUNT;
}

static void store(struct slt_counters *counters, unsigned index, const char *number)
{
    if (index < SLT_COUNTER_COUNT) {
        counters->value[index] = strtoll(number, NULL, 10);
    }
}

/* "TCP: inuse 5 orphan 0" */
static void parse_pairs(struct slt_counters *counters, const char *file, char *line)
{
    char *rest = NULL;
    char *word = strtok_r(line, ": ", &rest);
    while (word != NULL) {
        char *name = strtok_r(NULL, " ", &rest);
        char *number = name == NULL ? NULL : strtok_r(NULL, " ", &rest);
        if (number == NULL) {
            return;
        }
        store(counters, find(file, word, name), number);
    }
}

/* "Tcp: A B", "Tcp: 1 2" */
static void parse_columns(struct slt_counters *counters, const char *file, char *header,
                          char *numbers)
{
    char *rest_of_names = NULL;
    char *rest_of_numbers = NULL;
    char *word = strtok_r(header, ": ", &rest_of_names);
    char *same = strtok_r(numbers, ": ", &rest_of_numbers);
    if (word == NULL || same == NULL || strcmp(word, same) != 0) {
        return;
    }
    char *name;
    char *number;
    while ((name = strtok_r(NULL, " ", &rest_of_names)) != NULL &&
           (number = strtok_r(NULL, " ", &rest_of_numbers)) != NULL) {
        store(counters, find(file, word, name), number);
    }
}

void slt_counters_parse(struct slt_counters *counters, const char *file, char *text)
{
    char *rest = NULL;
    bool pairs = strcmp(file, "sockstat") == 0;
    char *line = strtok_r(text, "\n", &rest);
    while (line != NULL) {
        char *next = strtok_r(NULL, "\n", &rest);
        if (pairs) {
            parse_pairs(counters, file, line);
            line = next;
        } else {
            if (next == NULL) {
                return;
            }
            parse_columns(counters, file, line, next);
            line = strtok_r(NULL, "\n", &rest);
        }
    }
}

static bool read_file(struct slt_counters *counters, const char *path, const char *file)
{
    char text[FILE_BYTES];
    size_t used = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    while (used < sizeof(text) - 1 && (got = read(fd, text + used, sizeof(text) - 1 - used)) > 0) {
        used += (size_t)got;
    }
    (void)close(fd);
    text[used] = '\0';
    slt_counters_parse(counters, file, text);
    return used > 0;
}

bool slt_counters_read(struct slt_counters *counters)
{
    counters->at_ns = slt_runner_clock();
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        counters->value[i] = SLT_UNKNOWN;
    }
    bool any = read_file(counters, "/proc/net/sockstat", "sockstat");
    any |= read_file(counters, "/proc/net/sockstat6", "sockstat");
    any |= read_file(counters, "/proc/net/snmp", "snmp");
    any |= read_file(counters, "/proc/net/netstat", "netstat");
    return any;
}

int64_t slt_counter_delta(const struct slt_counters *before, const struct slt_counters *after,
                          enum slt_counter counter)
{
    int64_t from = before->value[counter];
    int64_t to = after->value[counter];
    return from == SLT_UNKNOWN || to == SLT_UNKNOWN ? SLT_UNKNOWN : to - from;
}
