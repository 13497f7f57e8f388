/* Findings as people read them: a page each (salut explain CW-1), and its parts (salut doctor).
 */
#ifndef SLT_CLI_FINDING_PAGE_H
#define SLT_CLI_FINDING_PAGE_H

#include "cli/cli.h"
#include "observe/finding_rows.h"

/* "    why: ...", broken at the terminal's width; nothing for an empty text. */
void slt_finding_print_part(const char *name, const char *text, const struct slt_term *term);

/* "CW-1    warning  ", in its colour where there are colours. */
void slt_finding_print_head(const struct slt_finding *row, const struct slt_term *term);

/* What is known beside the evidence: why, told apart, do, no help, sure. */
void slt_finding_print_advice(enum slt_finding_id id, char confidence, const struct slt_term *term);

/* The same for machines: members of an object that has others before them. */
void slt_finding_put_head(const struct slt_finding *row, char confidence);
void slt_finding_put_advice(enum slt_finding_id id);

/* "info", "warning", "critical". */
const char *slt_finding_severity(uint8_t severity);

/* What a letter of confidence means. */
const char *slt_finding_confidence(char confidence);

/* True when a word has a finding's form ("CW-1"): letters, perhaps a digit, a hyphen, digits. */
bool slt_finding_is_named(const char *word);

/* Print the page of one. Returns SLT_EXIT_FINE, or says that there is none and SLT_EXIT_USAGE. */
int slt_finding_print_page(const struct slt_cli_verb *verb, const char *id);

#endif
