/* Where scenarios are: files of the user's, and the ready ones that come with the program. */
#ifndef SLT_LAB_SCENARIO_FIND_H
#define SLT_LAB_SCENARIO_FIND_H

#include "lab/scenario.h"

struct slt_scn_ready {
    char name[64];
    char title[100];
};

/* The text of a scenario, to be freed: of the file `name`, else of the ready one called that.
 * NULL with a sentence. */
char *slt_scn_read(const char *name, char why[SLT_SCN_SENTENCE_MAX]);

/* The ready ones, by name; *list is to be freed. */
size_t slt_scn_list(struct slt_scn_ready **list);

#endif
