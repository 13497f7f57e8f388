/* The rows of findings.def: what is known of each finding, wherever its facts come from.
 */
#ifndef SLT_OBSERVE_FINDING_ROWS_H
#define SLT_OBSERVE_FINDING_ROWS_H

#include <stdbool.h>
#include <stdint.h>

enum slt_severity { SLT_SEVERITY_INFO, SLT_SEVERITY_WARNING, SLT_SEVERITY_CRITICAL };

enum slt_finding_id {
#define SLT_FINDING(symbol, id, severity, confidence, symptom, seen, cause, tell, remedy)          \
    SLT_FIND_##symbol,
#include "observe/findings.def"
#undef SLT_FINDING
    SLT_FIND_COUNT
};

/* A row: what is known of a finding in general. */
struct slt_finding {
    const char *id; /* "CW-1" */
    const char *seen;
    const char *cause;
    const char *tell; /* it from its neighbours */
    const char *remedy;
    uint8_t severity; /* enum slt_severity */
    char confidence;  /* 'A' certain given the facts ... 'D' a hint */
    bool symptom;     /* one of the engineers' notes */
};

const struct slt_finding *slt_finding_row(enum slt_finding_id id);

/* What is often recommended for it and does not help; "": nothing in particular. */
const char *slt_finding_wrong_advice(enum slt_finding_id id);

/* Find one by its name, in any case; SLT_FIND_COUNT: there is none. */
enum slt_finding_id slt_finding_parse(const char *id);

/* True when salut can tell it from a capture (explain_findings.h). */
bool slt_explain_is_judged(enum slt_finding_id id);

#endif
