/* How salut record shows changes: lines for people, objects for machines; and what it cost.
 */
#ifndef SLT_CLI_RECORD_PRINT_H
#define SLT_CLI_RECORD_PRINT_H

#include "cli/cli.h"
#include "observe/recorder_linux.h"

struct slt_record_style {
    bool json;
    bool colour;
    int64_t epoch_ns; /* calendar time of the clock's 0 */
    int64_t second;   /* of the last line, and how it was written */
    char clock[16];
};

struct slt_record_cost {
    int64_t wall_ns;
    int64_t cpu_ns;
    struct slt_recording_counts counts;
};

/* A change as a record, for filters. */
void slt_record_seen(const struct slt_change *change, struct slt_seen *seen);

/* One line. */
void slt_record_line(struct slt_record_style *style, const struct slt_change *change, FILE *to);

/* The final numbers of a connection that is over, as an object. */
void slt_record_final_line(const struct slt_record_style *style, const struct slt_recorded *conn,
                           FILE *to);

/* What it cost: an object to `objects` (may be NULL), and sentences to `sentences`. */
void slt_record_cost_print(const struct slt_record_style *style, const struct slt_record_cost *cost,
                           FILE *objects, FILE *sentences);

#endif
