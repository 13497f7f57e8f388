/* Why a connection is in the state it is in, in one sentence, and who must act next.
 *
 * Written from a record alone, so that kernel sockets, our own stacks and captures are explained in
 * the same words. Only what the record knows is said; "at least" and "at most" are said as such.
 */
#ifndef SLT_OBSERVE_WHY_H
#define SLT_OBSERVE_WHY_H

#include "observe/seen.h"

/* Whose move it is. */
enum slt_actor {
    SLT_ACTOR_NOBODY,  /* all is done, or nothing is owed */
    SLT_ACTOR_PROGRAM, /* ours */
    SLT_ACTOR_PEER,    /* the peer's TCP, or the path to it */
    SLT_ACTOR_PEER_PROGRAM,
    SLT_ACTOR_TIME, /* a timer ends it */
    SLT_ACTOR_COUNT
};

/* Write the sentence (cut to `size`) and tell the actor. */
enum slt_actor slt_why(const struct slt_seen *seen, char *out, size_t size);

/* "program", "peer", ... for machines. */
const char *slt_actor_name(enum slt_actor actor);

/* A duration for people: "0.4 ms", "2.6 s", "3 min", "5 h", "12 d". Returns `out`. */
#define SLT_DURATION_MAX 16
const char *slt_print_duration(int64_t ns, char out[SLT_DURATION_MAX]);

/* The same with how it is known: ">90 s" (at least), "<5 s" (at most), "-" (not known). */
const char *slt_print_span(const struct slt_seen_span *span, char out[SLT_DURATION_MAX]);

#endif
