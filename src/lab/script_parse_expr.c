/* Expressions: what stands between the parentheses of a call, and its result.
 *
 *   value  = "..." | ["-"] number | string | word | "~" value | word "(" values ")"
 *          | "[" values "]" | "{" fields "}" | value "|" value
 *   field  = [word ["(" values ")"] "="] value
 *
 * One loop alternates between "a value is wanted" and "a value was read"; what is open stands on
 * a stack. A word with parentheses inside braces, followed by "=", is a field's name with a note
 * (msg_iov(1)=...), not a call.
 */
#include "lab/script_parse.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 24

struct open_node {
    struct slt_expr *node;
    struct slt_expr **place; /* where the pointer to the node stands */
};

struct expr_parser {
    struct slt_script *script;
    struct slt_lexer *lex;
    struct open_node stack[DEPTH_MAX];
    uint32_t depth;
    struct slt_expr *root;
    struct slt_expr **slot;  /* where the next value goes */
    struct slt_expr *value;  /* the value just read, or NULL when one is wanted */
    struct slt_expr **place; /* where it stands */
};

static struct slt_expr *make(struct expr_parser *p, enum slt_expr_kind kind)
{
    struct slt_expr *node = slt_script_take(p->script, sizeof(*node));
    if (!node) {
        slt_lex_expected(p->lex, "more memory");
        return NULL;
    }
    node->kind = (uint8_t)kind;
    node->line = p->lex->token.line;
    node->column = p->lex->token.column;
    return node;
}

static bool push(struct expr_parser *p, struct slt_expr *node, struct slt_expr **place)
{
    if (p->depth == DEPTH_MAX) {
        return slt_lex_fail(p->lex, node->line, node->column, "this is nested too deeply");
    }
    p->stack[p->depth++] = (struct open_node){node, place};
    p->slot = &node->first;
    p->value = NULL;
    return true;
}

static struct slt_expr *top(const struct expr_parser *p)
{
    return p->depth > 0 ? p->stack[p->depth - 1].node : NULL;
}

static void pop(struct expr_parser *p)
{
    struct open_node *open = &p->stack[--p->depth];
    p->value = open->node;
    p->place = open->place;
}

static char closing_of(const struct slt_expr *node)
{
    if (node->kind == SLT_EXPR_LIST) {
        return ']';
    }
    return node->kind == SLT_EXPR_STRUCT ? '}' : ')';
}

static bool is_container(const struct slt_expr *node)
{
    return node && (node->kind == SLT_EXPR_LIST || node->kind == SLT_EXPR_STRUCT ||
                    node->kind == SLT_EXPR_CALL);
}

/* Escapes are those of C that scripts use: \n \t \r \0 \\ \" and \xHH. */
static uint32_t unescape(const char *from, uint32_t bytes, char *to)
{
    static const char names[] = "ntr0\\\"";
    static const char means[] = "\n\t\r\0\\\"";
    uint32_t used = 0;

    for (uint32_t i = 0; i < bytes; i++) {
        unsigned value = 0;
        const char *known = NULL;
        if (from[i] == '\\' && i + 1 < bytes && from[i + 1] == 'x' && i + 3 < bytes &&
            sscanf(from + i + 2, "%2x", &value) == 1) {
            to[used++] = (char)value;
            i += 3;
            continue;
        }
        if (from[i] == '\\' && i + 1 < bytes) {
            i++;
            known = memchr(names, from[i], sizeof(names) - 1);
        }
        to[used++] = known ? means[known - names] : from[i];
    }
    return used;
}

static bool read_text(struct expr_parser *p, struct slt_expr *node)
{
    const struct slt_token *token = &p->lex->token;
    char *copy = slt_script_copy(p->script, token->text, token->bytes);
    if (!copy) {
        return slt_lex_expected(p->lex, "more memory");
    }
    node->text = copy;
    node->text_bytes = token->bytes;
    if (node->kind == SLT_EXPR_STRING) {
        node->text_bytes = unescape(token->text, token->bytes, copy);
        copy[node->text_bytes] = '\0';
    }
    slt_lex_next(p->lex);
    return true;
}

static bool open_container(struct expr_parser *p, enum slt_expr_kind kind)
{
    struct slt_expr *node = make(p, kind);
    if (!node) {
        return false;
    }
    slt_lex_next(p->lex);
    *p->slot = node;
    if (!push(p, node, p->slot)) {
        return false;
    }
    if (kind != SLT_EXPR_NOT && slt_lex_skip(p->lex, closing_of(node))) {
        pop(p);
    }
    return true;
}

/* A word, or a word and its parentheses. */
static bool read_word(struct expr_parser *p)
{
    struct slt_expr *node = make(p, SLT_EXPR_WORD);
    if (!node || !read_text(p, node)) {
        return false;
    }
    *p->slot = node;
    p->place = p->slot;
    p->value = node;
    if (!slt_lex_is(p->lex, '(') || p->lex->token.spaced) {
        return true;
    }
    node->kind = SLT_EXPR_CALL;
    slt_lex_next(p->lex);
    if (!push(p, node, p->place)) {
        return false;
    }
    if (slt_lex_skip(p->lex, ')')) {
        pop(p);
    }
    return true;
}

static bool read_integer(struct expr_parser *p, bool negative)
{
    struct slt_expr *node = make(p, SLT_EXPR_INTEGER);
    if (!node) {
        return false;
    }
    if (p->lex->token.kind != SLT_TOKEN_NUMBER || p->lex->token.fraction) {
        return slt_lex_expected(p->lex, "a whole number");
    }
    node->number = negative ? -p->lex->token.number : p->lex->token.number;
    slt_lex_next(p->lex);
    *p->slot = node;
    p->place = p->slot;
    p->value = node;
    return true;
}

static bool read_leaf(struct expr_parser *p, enum slt_expr_kind kind)
{
    struct slt_expr *node = make(p, kind);
    if (!node) {
        return false;
    }
    if (kind == SLT_EXPR_STRING) {
        if (!read_text(p, node)) {
            return false;
        }
    } else {
        slt_lex_next(p->lex);
    }
    *p->slot = node;
    p->place = p->slot;
    p->value = node;
    return true;
}

/* A value is wanted. */
static bool want_value(struct expr_parser *p)
{
    struct slt_lexer *lex = p->lex;

    if (lex->token.kind == SLT_TOKEN_ELLIPSIS) {
        return read_leaf(p, SLT_EXPR_ELLIPSIS);
    }
    if (lex->token.kind == SLT_TOKEN_STRING) {
        return read_leaf(p, SLT_EXPR_STRING);
    }
    if (lex->token.kind == SLT_TOKEN_NUMBER) {
        return read_integer(p, false);
    }
    if (lex->token.kind == SLT_TOKEN_WORD) {
        return read_word(p);
    }
    if (slt_lex_skip(lex, '-')) {
        return read_integer(p, true);
    }
    if (slt_lex_is(lex, '[')) {
        return open_container(p, SLT_EXPR_LIST);
    }
    if (slt_lex_is(lex, '{')) {
        return open_container(p, SLT_EXPR_STRUCT);
    }
    if (slt_lex_is(lex, '~')) {
        return open_container(p, SLT_EXPR_NOT);
    }
    return slt_lex_expected(lex, "a value");
}

/* The value begins an alternative, or a field. True: a value is wanted again. */
static bool continues(struct expr_parser *p)
{
    struct slt_expr *value = p->value;
    struct slt_expr *open = top(p);

    if (slt_lex_is(p->lex, '|')) {
        slt_lex_next(p->lex);
        if (open && open->kind == SLT_EXPR_OR) {
            p->slot = &value->next;
            p->value = NULL;
            return true;
        }
        struct slt_expr *node = make(p, SLT_EXPR_OR);
        if (!node) {
            return true;
        }
        *p->place = node;
        if (push(p, node, p->place)) {
            node->first = value;
            p->slot = &value->next;
        }
        return true;
    }
    bool name = value->kind == SLT_EXPR_WORD || value->kind == SLT_EXPR_CALL;
    if (open && open->kind == SLT_EXPR_STRUCT && name && slt_lex_skip(p->lex, '=')) {
        value->kind = SLT_EXPR_FIELD;
        value->first = NULL;
        push(p, value, p->place);
        return true;
    }
    return false;
}

/* A value was read: close what it ends. Sets `value` to NULL when another is wanted. */
static bool took_value(struct expr_parser *p)
{
    struct slt_expr *open = top(p);

    if (open && open->kind == SLT_EXPR_NOT) {
        pop(p);
        return true;
    }
    if (continues(p)) {
        return !p->lex->failed;
    }
    if (open && (open->kind == SLT_EXPR_OR || open->kind == SLT_EXPR_FIELD)) {
        pop(p);
        return true;
    }
    SLT_ASSERT(is_container(open));
    if (slt_lex_skip(p->lex, ',')) {
        p->slot = &p->value->next;
        p->value = NULL;
        return true;
    }
    char closing[] = "',' or 'x'";
    closing[8] = closing_of(open);
    if (!slt_lex_skip(p->lex, closing_of(open))) {
        return slt_lex_expected(p->lex, closing);
    }
    pop(p);
    return true;
}

struct slt_expr *slt_parse_expr(struct slt_script *script, struct slt_lexer *lex)
{
    struct expr_parser p = {.script = script, .lex = lex};

    p.slot = &p.root;
    for (;;) {
        if (!p.value) {
            if (!want_value(&p)) {
                return NULL;
            }
        } else if (p.depth > 0 || slt_lex_is(lex, '|')) {
            if (!took_value(&p)) {
                return NULL;
            }
        } else {
            return lex->failed ? NULL : p.root;
        }
    }
}
