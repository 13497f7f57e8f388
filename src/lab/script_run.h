/* Running one script against one fresh instance, in virtual time. */
#ifndef SLT_LAB_SCRIPT_RUN_H
#define SLT_LAB_SCRIPT_RUN_H

#include "lab/script_options.h"

#include <stdio.h>

enum slt_script_result {
    SLT_SCRIPT_PASSED,
    SLT_SCRIPT_FAILED,
    SLT_SCRIPT_UNREADABLE /* the text is no script, or its settings make no instance */
};

/* Command-line options: they win over those of the script. */
struct slt_script_argument {
    const char *name;
    const char *value;
};

struct slt_script_arguments {
    const struct slt_script_argument *list;
    uint32_t count;
};

/* Read and run. What went wrong is written to `out`: the line, what was expected, what came, and
 * the last changes of state with their reasons. */
enum slt_script_result slt_script_run_text(const char *file, const char *text, uint32_t bytes,
                                           const struct slt_script_arguments *arguments, FILE *out);

/* The same for a file. */
enum slt_script_result slt_script_run_file(const char *file,
                                           const struct slt_script_arguments *arguments, FILE *out);

#endif
