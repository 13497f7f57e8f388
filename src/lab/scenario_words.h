/* Words of a scenario and the values they stand for, private to the scenario_*.c files that read.
 *
 * A line is cut into words at blanks, a statement ends at the line's end or at ";", and "#" begins
 * a comment. A setting is a word followed by its value (or two values, for pairs); tables say
 * which words there are, what kind of value each takes and where it goes, so that every message
 * about a wrong one can say what would have been right.
 */
#ifndef SLT_LAB_SCENARIO_WORDS_H
#define SLT_LAB_SCENARIO_WORDS_H

#include "lab/scenario.h"

#define SLT_SCN_WORDS_MAX  64U
#define SLT_SCN_WORD_BYTES 64U

enum slt_scn_value {
    SLT_SCN_VALUE_RATE,   /* int64_t bits per second */
    SLT_SCN_VALUE_TIME,   /* int64_t nanoseconds */
    SLT_SCN_VALUE_BYTES,  /* int64_t */
    SLT_SCN_VALUE_COUNT,  /* int64_t */
    SLT_SCN_VALUE_CHANCE, /* int64_t parts per million */
    SLT_SCN_VALUE_ROOM,   /* struct slt_scn_room */
    SLT_SCN_VALUE_DRAW_TIME,
    SLT_SCN_VALUE_DRAW_BYTES, /* struct slt_scn_draw */
    SLT_SCN_VALUE_SWITCH,     /* bool: on, off */
    SLT_SCN_VALUE_SWITCH_OFF, /* bool, the other way round */
    SLT_SCN_VALUE_NAME        /* char[SLT_SCN_NAME_BYTES] */
};

struct slt_scn_setting {
    const char *name;
    enum slt_scn_value value;
    uint32_t bytes; /* of the field: 1, 2, 4 or 8 for numbers */
    size_t offset;  /* of the field in what is being set */
    int64_t low;    /* numbers: the domain */
    int64_t high;
    enum slt_scn_value second; /* pairs, written a,b */
    size_t second_offset;      /* 0: no pair */
};

struct slt_scn_reader {
    const char *name; /* of the file */
    uint32_t line;
    char *word[SLT_SCN_WORDS_MAX]; /* of the statement, each with room for WORD_BYTES */
    uint32_t count;
    uint32_t at; /* the next word */
    char *why;
    bool failed;
};

/* Say what is wrong with the line. Returns false; the first message stands. */
SLT_PRINTF(2, 3)
bool slt_scn_wrong(struct slt_scn_reader *reader, const char *format, ...);

/* The next word, or NULL at the end of the statement. */
const char *slt_scn_next(struct slt_scn_reader *reader);
const char *slt_scn_peek(const struct slt_scn_reader *reader);

/* The next word when it is `text`. */
bool slt_scn_take(struct slt_scn_reader *reader, const char *text);

/* Take one setting with its value into `to`. False with a message. */
bool slt_scn_setting(struct slt_scn_reader *reader, const struct slt_scn_setting *table,
                     size_t count, void *to);

/* A value on its own. */
bool slt_scn_value(struct slt_scn_reader *reader, const char *what, enum slt_scn_value kind,
                   void *to);

/* A number with its unit, as on the command line: kind RATE, TIME, BYTES, COUNT or CHANCE. */
bool slt_scn_number(const char *text, enum slt_scn_value kind, int64_t *number);

#endif
