/* Findings: what is wrong, the evidence, the cause, the remedy, and how sure that is.
 *
 * The texts are rows of findings.def; whether a finding holds is judged by a function over a case:
 * one look at the connections, the kernel's counters at its two ends, and facts of the host. Adding
 * a finding is adding a row, a function, and a test that provokes it. Findings only a capture, a
 * recorder or a program can show have a row and no function here.
 */
#ifndef SLT_OBSERVE_FINDINGS_H
#define SLT_OBSERVE_FINDINGS_H

#include "observe/host_linux.h"
#include "observe/look_linux.h"

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

/* From which amounts on something is worth telling. */
struct slt_limits_of_health {
    int64_t close_wait_ns; /* CLOSE-WAIT older than that */
    int64_t idle_ns;       /* connections silent for longer may be ghosts */
    int64_t unaccepted_ns; /* complete, and not accepted for longer */
    int64_t silent_ns;     /* nothing heard of the peer for longer */
    int64_t many;          /* of one kind, to be a pattern */
    int64_t flood;         /* half-open connections */
    int64_t time_waits;    /* to be worth a word */
    int64_t loss_permille; /* bytes sent again, of those sent */
};

/* What is judged. */
struct slt_case {
    const struct slt_look *look;
    struct slt_counters before;
    struct slt_counters after;
    struct slt_host_facts host;
    struct slt_limits_of_health limits;
};
void slt_case_defaults(struct slt_limits_of_health *limits);

#define SLT_EVIDENCE_MAX 400

/* How a finding holds. */
struct slt_hit {
    uint8_t id;                   /* enum slt_finding_id */
    int64_t count;                /* connections, listeners or events; 0: it does not hold */
    const struct slt_seen *worst; /* of the case's look; NULL: it is about no one in particular */
    char evidence[SLT_EVIDENCE_MAX];
};

/* Judge one; true: it holds. */
bool slt_finding_judge(const struct slt_case *about, enum slt_finding_id id, struct slt_hit *hit);

/* True when salut can judge it from the kernel's facts. */
bool slt_finding_is_judged(enum slt_finding_id id);

#endif
