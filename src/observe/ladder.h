/* Ladders: a connection drawn as two columns of states with its segments between them.
 *
 *        0.12ms LISTEN       <------- SYN  seq 0 win 64240 -------- SYN-SENT
 *               SYN-RECEIVED * a SYN arrived for a listener
 *
 * A ladder is a list of steps, oldest first; who makes them is no matter of this file. Drawing
 * knows no protocol: it keeps each side's last state, puts a segment's label on its arrow, and
 * leaves out the middle of long runs of plain segments.
 */
#ifndef SLT_OBSERVE_LADDER_H
#define SLT_OBSERVE_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SLT_LADDER_LABEL_MAX 96
#define SLT_LADDER_WIDTH_MIN 80
#define SLT_LADDER_WIDTH_MAX 120

enum slt_ladder_kind { SLT_LADDER_SEGMENT, SLT_LADDER_STATE };
enum slt_ladder_side { SLT_LADDER_LEFT, SLT_LADDER_RIGHT };

struct slt_ladder_step {
    int64_t at_ns;
    uint8_t kind; /* enum slt_ladder_kind */
    uint8_t side; /* enum slt_ladder_side: who sent the segment; whose state changed */
    uint8_t from; /* STATE: enum salut_state */
    uint8_t to;
    bool plain;                        /* SEGMENT: may be left out of a long run */
    bool dropped;                      /* SEGMENT: the receiver did not take it */
    bool inferred;                     /* STATE: read off the segments, not told by that side */
    uint32_t bytes;                    /* SEGMENT: payload */
    const char *why;                   /* a sentence that outlives the ladder; NULL: none */
    char label[SLT_LADDER_LABEL_MAX];  /* SEGMENT: flags, numbers */
    char detail[SLT_LADDER_LABEL_MAX]; /* SEGMENT: a second line (options), or empty */
};

struct slt_ladder {
    const char *names[2]; /* of the sides */
    uint8_t first[2];     /* enum salut_state of each side before the first step */
    const struct slt_ladder_step *steps;
    size_t count;
    uint32_t width; /* columns, clamped to 80..120 */
    bool utf8;      /* arrows and lines beyond ASCII */
    bool colour;
};

/* Draw it. Times count from the first step. */
void slt_ladder_print(const struct slt_ladder *ladder, FILE *to);

#endif
