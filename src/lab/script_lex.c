/* The lexer: hand-written, one pass, no table.
 *
 * White space and comments (double slash, slash star, and a line that begins with #) separate
 * tokens and mean nothing else. A number may carry a fraction, and is then a time in seconds; "0"
 * before "..." does not swallow the first point. Numbers beyond 2^63 and unfinished strings,
 * comments and code are errors with their place.
 */
#include "lab/script_lex.h"

#include <stdio.h>
#include <string.h>

#define FRACTION_DIGITS 9

static int peek_at(const struct slt_lexer *lex, uint32_t ahead)
{
    uint32_t at = lex->at + ahead;
    return at < lex->bytes ? (unsigned char)lex->text[at] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static int hex_value(int c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool slt_lex_fail(struct slt_lexer *lex, uint32_t line, uint32_t column, const char *words)
{
    if (!lex->failed) {
        lex->failed = true;
        lex->error->line = line;
        lex->error->column = column;
        snprintf(lex->error->text, sizeof(lex->error->text), "%s:%u:%u: error: %s", lex->file, line,
                 column, words);
    }
    lex->token.kind = SLT_TOKEN_END;
    return false;
}

static bool fail_here(struct slt_lexer *lex, const char *words)
{
    return slt_lex_fail(lex, lex->line, lex->at - lex->line_at + 1, words);
}

bool slt_lex_expected(struct slt_lexer *lex, const char *what)
{
    const struct slt_token *token = &lex->token;
    char words[SLT_SCRIPT_ERROR_MAX - 80];
    int shown = (int)(token->bytes < 40 ? token->bytes : 40);

    if (token->kind == SLT_TOKEN_END) {
        snprintf(words, sizeof(words), "expected %s, found the end of the script", what);
    } else {
        snprintf(words, sizeof(words), "expected %s, found '%.*s'", what, shown, token->text);
    }
    return slt_lex_fail(lex, token->line, token->column, words);
}

static void step(struct slt_lexer *lex)
{
    if (lex->text[lex->at] == '\n') {
        lex->line++;
        lex->line_at = lex->at + 1;
    }
    lex->at++;
}

static void skip_line(struct slt_lexer *lex)
{
    while (lex->at < lex->bytes && lex->text[lex->at] != '\n') {
        lex->at++;
    }
}

static bool skip_block_comment(struct slt_lexer *lex)
{
    uint32_t line = lex->line;
    uint32_t column = lex->at - lex->line_at + 1;

    lex->at += 2;
    while (lex->at < lex->bytes) {
        if (peek_at(lex, 0) == '*' && peek_at(lex, 1) == '/') {
            lex->at += 2;
            return true;
        }
        step(lex);
    }
    return slt_lex_fail(lex, line, column, "this comment has no end");
}

/* Step over what stands between tokens; false when a comment does not end. */
static bool skip_blank(struct slt_lexer *lex)
{
    while (lex->at < lex->bytes) {
        int c = peek_at(lex, 0);
        bool line_comment =
            (c == '/' && peek_at(lex, 1) == '/') || (c == '#' && lex->at == lex->line_at);
        if (is_space(c)) {
            step(lex);
        } else if (line_comment) {
            skip_line(lex);
        } else if (c == '/' && peek_at(lex, 1) == '*') {
            if (!skip_block_comment(lex)) {
                return false;
            }
        } else {
            return true;
        }
    }
    return true;
}

static void read_hex_number(struct slt_lexer *lex)
{
    uint64_t value = 0;

    lex->at += 2;
    while (hex_value(peek_at(lex, 0)) >= 0) {
        if (value >> 59 != 0) {
            fail_here(lex, "this number is too large");
            return;
        }
        value = value << 4 | (uint64_t)hex_value(peek_at(lex, 0));
        lex->at++;
    }
    lex->token.number = (int64_t)value;
}

/* Digits behind the point, as nanoseconds. */
static int64_t read_fraction(struct slt_lexer *lex)
{
    int64_t value = 0;
    int digits = 0;

    lex->at++;
    while (is_digit(peek_at(lex, 0))) {
        if (digits < FRACTION_DIGITS) {
            value = value * 10 + (peek_at(lex, 0) - '0');
            digits++;
        }
        lex->at++;
    }
    for (; digits < FRACTION_DIGITS; digits++) {
        value *= 10;
    }
    return value;
}

static void read_number(struct slt_lexer *lex)
{
    struct slt_token *token = &lex->token;

    token->kind = SLT_TOKEN_NUMBER;
    if (peek_at(lex, 0) == '0' && (peek_at(lex, 1) == 'x' || peek_at(lex, 1) == 'X') &&
        hex_value(peek_at(lex, 2)) >= 0) {
        read_hex_number(lex);
        return;
    }
    while (is_digit(peek_at(lex, 0))) {
        if (token->number > (INT64_MAX - 9) / 10) {
            fail_here(lex, "this number is too large");
            return;
        }
        token->number = token->number * 10 + (peek_at(lex, 0) - '0');
        lex->at++;
    }
    int64_t fraction = 0;
    if (peek_at(lex, 0) == '.' && is_digit(peek_at(lex, 1))) {
        token->fraction = true;
        fraction = read_fraction(lex);
    }
    int64_t seconds_max = SLT_NEVER / SLT_NS_PER_S - 1;
    int64_t seconds = token->number < seconds_max ? token->number : seconds_max;
    token->time_ns = seconds * SLT_NS_PER_S + fraction;
}

/* Text up to a closing string, which is stepped over. */
static void read_until(struct slt_lexer *lex, uint32_t opening, const char *closing,
                       const char *complaint)
{
    struct slt_token *token = &lex->token;
    uint32_t closing_bytes = (uint32_t)strlen(closing);

    lex->at += opening;
    token->text = lex->text + lex->at;
    while (lex->at < lex->bytes) {
        if (lex->bytes - lex->at >= closing_bytes &&
            memcmp(lex->text + lex->at, closing, closing_bytes) == 0) {
            token->bytes = (uint32_t)(lex->text + lex->at - token->text);
            lex->at += closing_bytes;
            return;
        }
        bool escaped = token->kind == SLT_TOKEN_STRING && lex->text[lex->at] == '\\';
        step(lex);
        if (escaped && lex->at < lex->bytes) {
            step(lex);
        }
    }
    slt_lex_fail(lex, token->line, token->column, complaint);
}

static void read_word(struct slt_lexer *lex)
{
    lex->token.kind = SLT_TOKEN_WORD;
    while (is_word_start(peek_at(lex, 0)) || is_digit(peek_at(lex, 0))) {
        lex->at++;
    }
}

static void read_option(struct slt_lexer *lex)
{
    lex->token.kind = SLT_TOKEN_OPTION;
    while (lex->at < lex->bytes && !is_space(peek_at(lex, 0))) {
        lex->at++;
    }
}

static void read_token(struct slt_lexer *lex)
{
    struct slt_token *token = &lex->token;
    int c = peek_at(lex, 0);

    if (is_word_start(c)) {
        read_word(lex);
    } else if (is_digit(c) || (c == '.' && is_digit(peek_at(lex, 1)))) {
        read_number(lex);
    } else if (c == '.' && peek_at(lex, 1) == '.' && peek_at(lex, 2) == '.') {
        token->kind = SLT_TOKEN_ELLIPSIS;
        lex->at += 3;
    } else if (c == '"') {
        token->kind = SLT_TOKEN_STRING;
        read_until(lex, 1, "\"", "this string has no end");
    } else if (c == '`') {
        token->kind = SLT_TOKEN_BACKTICK;
        read_until(lex, 1, "`", "this command has no closing backtick");
    } else if (c == '%' && peek_at(lex, 1) == '{') {
        token->kind = SLT_TOKEN_CODE;
        read_until(lex, 2, "}%", "this code has no closing }%");
    } else if (c == '-' && peek_at(lex, 1) == '-' && is_word_start(peek_at(lex, 2))) {
        read_option(lex);
    } else {
        token->kind = SLT_TOKEN_MARK;
        token->mark = (char)c;
        lex->at++;
    }
}

void slt_lex_next(struct slt_lexer *lex)
{
    struct slt_token *token = &lex->token;
    uint32_t before = lex->at;

    lex->previous_end = lex->at;
    if (lex->failed) {
        token->kind = SLT_TOKEN_END;
        return;
    }
    memset(token, 0, sizeof(*token));
    if (!skip_blank(lex)) {
        return;
    }
    token->spaced = lex->at != before;
    token->at = lex->at;
    token->line = lex->line;
    token->column = lex->at - lex->line_at + 1;
    token->text = lex->text + lex->at;
    if (lex->at >= lex->bytes) {
        token->kind = SLT_TOKEN_END;
        return;
    }
    read_token(lex);
    if (lex->failed) {
        token->kind = SLT_TOKEN_END;
    } else if (token->bytes == 0 && token->text == lex->text + token->at) {
        token->bytes = lex->at - token->at;
    }
}

void slt_lex_init(struct slt_lexer *lex, const char *file, const char *text, uint32_t bytes,
                  struct slt_script_error *error)
{
    *lex =
        (struct slt_lexer){.file = file, .text = text, .bytes = bytes, .line = 1, .error = error};
    slt_lex_next(lex);
}

/* Begin the current token anew. Tokens that are read again never span lines. */
static void rewind_token(struct slt_lexer *lex)
{
    lex->at = lex->token.at;
    lex->line = lex->token.line;
    lex->line_at = lex->token.at - (lex->token.column - 1);
}

void slt_lex_flags(struct slt_lexer *lex, const char **text, uint32_t *bytes)
{
    *text = lex->text + lex->token.at;
    *bytes = 0;
    if (lex->token.kind == SLT_TOKEN_END) {
        return;
    }
    rewind_token(lex);
    while (is_word_start(peek_at(lex, 0)) || is_digit(peek_at(lex, 0)) || peek_at(lex, 0) == '.' ||
           peek_at(lex, 0) == '-') {
        lex->at++;
        (*bytes)++;
    }
    slt_lex_next(lex);
}

void slt_lex_hex(struct slt_lexer *lex, const char **text, uint32_t *bytes)
{
    *text = lex->text + lex->token.at;
    *bytes = 0;
    if (lex->token.kind == SLT_TOKEN_END) {
        return;
    }
    rewind_token(lex);
    if (peek_at(lex, 0) == '0' && peek_at(lex, 1) == 'x') {
        lex->at += 2;
        *text += 2;
    }
    while (hex_value(peek_at(lex, 0)) >= 0) {
        lex->at++;
        (*bytes)++;
    }
    slt_lex_next(lex);
}

bool slt_lex_is(const struct slt_lexer *lex, char mark)
{
    return lex->token.kind == SLT_TOKEN_MARK && lex->token.mark == mark;
}

bool slt_lex_is_word(const struct slt_lexer *lex, const char *word)
{
    return lex->token.kind == SLT_TOKEN_WORD && strlen(word) == lex->token.bytes &&
           memcmp(lex->token.text, word, lex->token.bytes) == 0;
}

bool slt_lex_skip(struct slt_lexer *lex, char mark)
{
    if (!slt_lex_is(lex, mark)) {
        return false;
    }
    slt_lex_next(lex);
    return true;
}
