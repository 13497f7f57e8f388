/* Tokens of the script language, one at a time, with their places.
 *
 * The language is not regular in one spot: the flags of a packet ("P.", "SEW", ".") are words of
 * their own alphabet. The parser asks for them by slt_lex_flags, which reads from the current
 * token's place again.
 */
#ifndef SLT_LAB_SCRIPT_LEX_H
#define SLT_LAB_SCRIPT_LEX_H

#include "lab/script_ast.h"

enum slt_token_kind {
    SLT_TOKEN_END,
    SLT_TOKEN_WORD,
    SLT_TOKEN_NUMBER,   /* 1, 0x1f, 0.100, .5 */
    SLT_TOKEN_STRING,   /* "..." */
    SLT_TOKEN_BACKTICK, /* `...` */
    SLT_TOKEN_CODE,     /* %{ ... }% */
    SLT_TOKEN_OPTION,   /* --name or --name=value, to the next space */
    SLT_TOKEN_ELLIPSIS, /* ... */
    SLT_TOKEN_MARK      /* one character, in `mark` */
};

struct slt_token {
    uint8_t kind; /* enum slt_token_kind */
    char mark;
    bool fraction;    /* NUMBER: written with a point */
    bool spaced;      /* white space stands before it */
    const char *text; /* borrowed from the source, without quotes */
    uint32_t bytes;
    uint32_t at;     /* offset of its first character */
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1 */
    int64_t number;  /* NUMBER without a point */
    int64_t time_ns; /* NUMBER as seconds */
};

struct slt_lexer {
    const char *file;
    const char *text;
    uint32_t bytes;
    uint32_t at;
    uint32_t line;
    uint32_t line_at; /* offset of the line's first character */
    struct slt_token token;
    uint32_t previous_end; /* offset behind the token before the current one */
    bool failed;
    struct slt_script_error *error;
};

/* Begin; the first token is read. */
void slt_lex_init(struct slt_lexer *lex, const char *file, const char *text, uint32_t bytes,
                  struct slt_script_error *error);

/* Go to the next token. After a failure the token is END for ever. */
void slt_lex_next(struct slt_lexer *lex);

/* Read the current token's place again as TCP flags: letters, digits and dots up to a space. */
void slt_lex_flags(struct slt_lexer *lex, const char **text, uint32_t *bytes);

/* Read the current token's place again as hexadecimal digits; none is fine. */
void slt_lex_hex(struct slt_lexer *lex, const char **text, uint32_t *bytes);

/* True when the current token is the mark, or the word. */
bool slt_lex_is(const struct slt_lexer *lex, char mark);
bool slt_lex_is_word(const struct slt_lexer *lex, const char *word);

/* Step over the mark if it is there. */
bool slt_lex_skip(struct slt_lexer *lex, char mark);

/* Fail at the current token: "expected <what>, found <token>". Always false. */
bool slt_lex_expected(struct slt_lexer *lex, const char *what);

/* Fail at a place of one's own choosing, in words. Always false. The first failure stays. */
bool slt_lex_fail(struct slt_lexer *lex, uint32_t line, uint32_t column, const char *words);

#endif
