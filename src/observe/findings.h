/* Findings: what is wrong, the evidence, the cause, the remedy, and how sure that is.
 *
 * The texts are rows of findings.def; whether a finding holds is judged by a function over a case:
 * one look at the connections, the kernel's counters at its two ends, facts of the host, and what a
 * recorder remembers. Adding a finding is adding a row, a function, and a test that provokes it.
 * Findings only a capture or a program can show have a row and no function here.
 */
#ifndef SLT_OBSERVE_FINDINGS_H
#define SLT_OBSERVE_FINDINGS_H

#include "observe/finding_rows.h"
#include "observe/host_linux.h"
#include "observe/look_linux.h"
#include "observe/past.h"

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
    const struct slt_past *past; /* what is remembered; NULL: nothing */
    struct slt_seen *example;    /* with `past`: room for the record of a hit */
    bool past_alone;             /* judge by what is remembered, and by nothing else */
};
void slt_case_defaults(struct slt_limits_of_health *limits);

#define SLT_EVIDENCE_MAX 400

/* How a finding holds. */
struct slt_hit {
    uint8_t id;                   /* enum slt_finding_id */
    int64_t count;                /* connections, listeners or events; 0: it does not hold */
    bool remembered;              /* what it is about is of the case's past */
    const struct slt_seen *worst; /* of the look, or the case's `example`; NULL: nobody's */
    char evidence[SLT_EVIDENCE_MAX];
    uint8_t *marks; /* NULL, or one for each record that is judged: it is a part of this */
};

/* Judge one; true: it holds. */
bool slt_finding_judge(const struct slt_case *about, enum slt_finding_id id, struct slt_hit *hit);

/* Judge one, and tell which of the judged records are a part of it: `marks` has one for each. */
bool slt_finding_mark(const struct slt_case *about, enum slt_finding_id id, uint8_t *marks);

/* True when salut can judge it from the kernel's facts, with a recorder or without. */
bool slt_finding_is_judged(enum slt_finding_id id);

/* True when only a recorder's memory can show it. */
bool slt_finding_needs_past(enum slt_finding_id id);

#endif
