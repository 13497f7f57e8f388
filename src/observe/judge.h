/* What the judges of findings share (findings.h).
 */
#ifndef SLT_OBSERVE_JUDGE_H
#define SLT_OBSERVE_JUDGE_H

#include "base/compiler.h"
#include "observe/findings.h"

/* A judge counts what it finds into hit->count and writes the evidence; a count of 0 acquits. */
struct slt_judgement {
    enum slt_finding_id id;
    void (*judge)(const struct slt_case *about, struct slt_hit *hit);
};

/* Ended by a row without a judge. */
extern const struct slt_judgement slt_judge_setup[];
extern const struct slt_judgement slt_judge_ports[];
extern const struct slt_judgement slt_judge_listeners[];
extern const struct slt_judgement slt_judge_established[];
extern const struct slt_judgement slt_judge_path[];
extern const struct slt_judgement slt_judge_closing[];
extern const struct slt_judgement slt_judge_counters[];

/* These take a memory: of a case that has one they come first, and where they acquit the others
 * judge what they see. */
extern const struct slt_judgement slt_judge_recorder[];

/* Append to the evidence. */
SLT_PRINTF(2, 3)
void slt_hit_say(struct slt_hit *hit, const char *format, ...);

/* "nginx(1234)" or "a program that may not be seen", for the evidence. */
void slt_hit_say_owner(struct slt_hit *hit, const struct slt_seen *seen);

/* Count the records for which `is` holds; the worst is the one that has been so the longest. */
void slt_hit_count(const struct slt_case *about,
                   bool (*is)(const struct slt_case *about, const struct slt_seen *seen),
                   struct slt_hit *hit);

/* This record is a part of the finding; one of those that are judged, or left out. */
void slt_hit_mark(const struct slt_case *about, struct slt_hit *hit, const struct slt_seen *seen);

/* The same evidence for all findings that are counted so: "N connections WHAT; the oldest, LOCAL to
 * PEER in PROGRAM(PID), AGE". Nothing when none was found. */
void slt_hit_tell(struct slt_hit *hit, const char *what);

/* How much a counter rose between the two looks; 0 when it is not known. */
int64_t slt_judge_rise(const struct slt_case *about, enum slt_counter counter);

/* How many records to go through where each is compared with the others: all, or `most`. */
size_t slt_judge_examined(const struct slt_case *about, size_t most);

/* ESTABLISHED, or CLOSE-WAIT, where a program may still send. */
bool slt_judge_is_open(const struct slt_seen *seen);

/* True when both peers have one address. */
bool slt_judge_same_host(const struct slt_seen *a, const struct slt_seen *b);

/* True when the peer is on this very machine. */
bool slt_judge_is_local(const struct slt_seen *seen);

/* At least so long, as far as is known. */
bool slt_judge_lasts(const struct slt_seen_span *span, int64_t ns);

/* All records of the source: those that are judged, and those the filter left out. */
size_t slt_judge_total(const struct slt_case *about);
const struct slt_seen *slt_judge_record(const struct slt_case *about, size_t index);

/* The listener of a connection's port, whether it is judged or left out; NULL: there is none. */
const struct slt_seen *slt_judge_listener_of(const struct slt_case *about,
                                             const struct slt_seen *seen);

#endif
