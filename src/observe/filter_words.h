/* The words of filters (filter.h): one test, from its words to the question it asks of a record.
 */
#ifndef SLT_OBSERVE_FILTER_WORDS_H
#define SLT_OBSERVE_FILTER_WORDS_H

#include "observe/seen.h"

#define SLT_FILTER_WORD_MAX 64

/* The text of a filter, word by word. */
struct slt_filter_text {
    const char *const *words;
    size_t count;
    size_t index;                   /* of the word under work, and */
    size_t at;                      /* where in it to go on */
    char word[SLT_FILTER_WORD_MAX]; /* the present one; operators are words of their own */
    char *why;
    size_t size;
    bool failed;
};

enum slt_joint {
    SLT_JOINT_NONE,
    SLT_JOINT_OPEN,
    SLT_JOINT_CLOSE,
    SLT_JOINT_AND,
    SLT_JOINT_OR,
    SLT_JOINT_NOT
};

enum slt_comparison { SLT_EQ, SLT_NE, SLT_GT, SLT_LT, SLT_GE, SLT_LE };

struct slt_filter_test {
    uint8_t what;       /* a row of the table of filter_words.c */
    uint8_t comparison; /* enum slt_comparison */
    uint32_t states;    /* bits 1 << enum salut_state */
    int64_t number;
    salut_addr addr;
    uint8_t prefix_bits; /* of addr as 128; 0: any address */
    char word[SLT_SEEN_NAME_MAX];
};

/* The next word; false at the end (or when one is too long: failed). */
bool slt_filter_next(struct slt_filter_text *text);

/* Say what is wrong with the present word. Returns false. */
bool slt_filter_fail(struct slt_filter_text *text, const char *what);

/* What joint of expressions the present word is. */
enum slt_joint slt_filter_joint(const struct slt_filter_text *text);

/* Parse one test that begins with the present word; false after saying what is wrong. */
bool slt_filter_parse_test(struct slt_filter_text *text, struct slt_filter_test *test);

/* Does it ask for findings? */
bool slt_filter_asks_finding(const struct slt_filter_test *test);

bool slt_filter_holds(const struct slt_filter_test *test, const struct slt_seen *seen);

#endif
