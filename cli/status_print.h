/* How salut status shows records: a table for people, objects for machines, counts per state.
 */
#ifndef SLT_CLI_STATUS_PRINT_H
#define SLT_CLI_STATUS_PRINT_H

#include "cli/cli.h"
#include "observe/endpoint.h"
#include "observe/look_linux.h"

struct slt_status_style {
    struct slt_term term;
    bool no_why; /* leave the sentences out */
    bool no_header;
    bool source; /* say of each row where it comes from: more than one source was asked */
};

/* The table: listeners, then connections. */
void slt_status_table(const struct slt_look *look, const struct slt_status_style *style, FILE *to);

/* How many there are in each of the eleven states, zeros included. */
void slt_status_summary(const struct slt_look *look, const struct slt_status_style *style,
                        FILE *to);

/* One object a line; `schema` is 1. What is not known is left out. */
void slt_status_json(const struct slt_look *look, FILE *to);
void slt_status_json_record(const struct slt_seen *seen, FILE *to);
void slt_status_json_summary(const struct slt_look *look, FILE *to);

/* "kernel", "salut", "capture". */
const char *slt_status_source(const struct slt_seen *seen);

/* "nginx/1234:7", "(hidden)", "(gone)", "-". Returns `out`. */
#define SLT_OWNER_TEXT_MAX 48
const char *slt_status_owner(const struct slt_seen *seen, char out[SLT_OWNER_TEXT_MAX]);

/* Say on stderr, for `verb`, how many owners could not be seen, and who would see them. */
void slt_status_say_hidden(const char *verb, uint32_t hidden);

#endif
