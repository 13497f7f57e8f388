/* The evaluator of assertions: two stacks, one of values and one of operators, and precedence.
 *
 * `and` and `or` evaluate both sides, which changes nothing because nothing has an effect. A
 * chain a < b < c means a < b and b < c: a comparison remembers its right side for the next one.
 */
#include "lab/script_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_MAX      64
#define NAME_MAX_BYTES 64

enum op {
    OP_OPEN,
    OP_OR,
    OP_AND,
    OP_NOT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_BIT_OR,
    OP_BIT_XOR,
    OP_BIT_AND,
    OP_SHL,
    OP_SHR,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_NEG,
    OP_INVERT
};

static const struct {
    const char *text;
    uint8_t op;
    uint8_t rank;
    bool word;
} OPERATORS[] = {
    {"or", OP_OR, 1, true},     {"and", OP_AND, 2, true},    {"==", OP_EQ, 4, false},
    {"!=", OP_NE, 4, false},    {"<=", OP_LE, 4, false},     {">=", OP_GE, 4, false},
    {"<<", OP_SHL, 8, false},   {">>", OP_SHR, 8, false},    {"<", OP_LT, 4, false},
    {">", OP_GT, 4, false},     {"||", OP_OR, 1, false},     {"&&", OP_AND, 2, false},
    {"|", OP_BIT_OR, 5, false}, {"^", OP_BIT_XOR, 6, false}, {"&", OP_BIT_AND, 7, false},
    {"+", OP_ADD, 9, false},    {"-", OP_SUB, 9, false},     {"*", OP_MUL, 10, false},
    {"//", OP_DIV, 10, false},  {"/", OP_DIV, 10, false},    {"%", OP_MOD, 10, false},
};

#define RANK_NOT   3
#define RANK_UNARY 11

struct value {
    int64_t number;
    bool compared; /* the outcome of a comparison outside parentheses */
    int64_t right; /* its right side */
};

struct evaluator {
    const struct slt_assert_names *names;
    const char *at;
    const char *start;
    struct value values[STACK_MAX];
    uint32_t value_count;
    uint8_t ops[STACK_MAX];
    uint8_t ranks[STACK_MAX];
    uint32_t op_count;
    const char *fault;
    char seen[512]; /* "name=value" for every name met */
};

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

static bool fault(struct evaluator *e, const char *words)
{
    if (!e->fault) {
        e->fault = words;
    }
    return false;
}

static int64_t compare(uint8_t op, int64_t a, int64_t b)
{
    switch (op) {
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_LT:
        return a < b;
    case OP_LE:
        return a <= b;
    case OP_GT:
        return a > b;
    default:
        return a >= b;
    }
}

/* Wrapping arithmetic, so that no script can provoke undefined behaviour. */
static int64_t compute(struct evaluator *e, uint8_t op, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a;
    uint64_t y = (uint64_t)b;

    switch (op) {
    case OP_OR:
        return a != 0 || b != 0;
    case OP_AND:
        return a != 0 && b != 0;
    case OP_BIT_OR:
        return a | b;
    case OP_BIT_XOR:
        return a ^ b;
    case OP_BIT_AND:
        return a & b;
    case OP_SHL:
        return (int64_t)(x << (y & 63U));
    case OP_SHR:
        return (int64_t)(x >> (y & 63U));
    case OP_ADD:
        return (int64_t)(x + y);
    case OP_SUB:
        return (int64_t)(x - y);
    case OP_MUL:
        return (int64_t)(x * y);
    default:
        break;
    }
    if (b == 0 || b == -1) {
        fault(e, "division by zero or minus one");
        return 0;
    }
    return op == OP_DIV ? a / b : a % b;
}

static bool reduce(struct evaluator *e)
{
    uint8_t op = e->ops[--e->op_count];

    if (op == OP_NOT || op == OP_NEG || op == OP_INVERT) {
        if (e->value_count < 1) {
            return fault(e, "a value is missing");
        }
        struct value *v = &e->values[e->value_count - 1];
        int64_t negated = (int64_t)(0 - (uint64_t)v->number);
        int64_t number = op == OP_NEG ? negated : ~v->number;
        *v = (struct value){.number = op == OP_NOT ? v->number == 0 : number};
        return true;
    }
    if (e->value_count < 2) {
        return fault(e, "a value is missing");
    }
    struct value right = e->values[--e->value_count];
    struct value *left = &e->values[e->value_count - 1];
    if (op >= OP_EQ && op <= OP_GE) {
        int64_t with = left->compared ? left->right : left->number;
        bool before = left->compared ? left->number != 0 : true;
        *left = (struct value){.number = before && compare(op, with, right.number),
                               .compared = true,
                               .right = right.number};
        return true;
    }
    *left = (struct value){.number = compute(e, op, left->number, right.number)};
    return !e->fault;
}

static bool push_op(struct evaluator *e, uint8_t op, uint8_t rank)
{
    if (e->op_count == STACK_MAX) {
        return fault(e, "this is nested too deeply");
    }
    e->ops[e->op_count] = op;
    e->ranks[e->op_count++] = rank;
    return true;
}

static bool push_value(struct evaluator *e, int64_t number)
{
    if (e->value_count == STACK_MAX) {
        return fault(e, "this is nested too deeply");
    }
    e->values[e->value_count++] = (struct value){.number = number};
    return true;
}

static bool take_binary(struct evaluator *e, size_t index)
{
    uint8_t rank = OPERATORS[index].rank;

    while (e->op_count > 0 && e->ops[e->op_count - 1] != OP_OPEN &&
           e->ranks[e->op_count - 1] >= rank) {
        if (!reduce(e)) {
            return false;
        }
    }
    e->at += strlen(OPERATORS[index].text);
    return push_op(e, OPERATORS[index].op, rank);
}

static bool close_parenthesis(struct evaluator *e)
{
    while (e->op_count > 0 && e->ops[e->op_count - 1] != OP_OPEN) {
        if (!reduce(e)) {
            return false;
        }
    }
    if (e->op_count == 0) {
        return fault(e, "this ')' closes nothing");
    }
    e->op_count--;
    if (e->value_count > 0) {
        e->values[e->value_count - 1].compared = false;
    }
    e->at++;
    return true;
}

static void skip_spaces(struct evaluator *e)
{
    /* Inside parentheses a statement goes on in the next line. */
    bool open = false;
    for (uint32_t i = 0; i < e->op_count; i++) {
        open = open || e->ops[i] == OP_OPEN;
    }
    while (*e->at == ' ' || *e->at == '\t' || *e->at == '\r' || (open && *e->at == '\n') ||
           (*e->at == '\\' && e->at[1] == '\n')) {
        e->at += *e->at == '\\' ? 2 : 1;
    }
}

static bool take_name(struct evaluator *e)
{
    char name[NAME_MAX_BYTES];
    size_t bytes = 0;
    int64_t number;

    while (is_name(e->at[bytes])) {
        bytes++;
    }
    if (bytes >= sizeof(name)) {
        return fault(e, "this name is too long");
    }
    memcpy(name, e->at, bytes);
    name[bytes] = '\0';
    if (strcmp(name, "not") == 0) {
        e->at += bytes;
        return push_op(e, OP_NOT, RANK_NOT);
    }
    if (!e->names->find(e->names->ctx, name, &number)) {
        return fault(e, "nobody knows this name");
    }
    e->at += bytes;
    size_t used = strlen(e->seen);
    snprintf(e->seen + used, sizeof(e->seen) - used, " %s=%lld", name, (long long)number);
    return push_value(e, number);
}

/* A value, or what may stand before one. *wanted: a value is still wanted. */
static bool take_operand(struct evaluator *e, bool *wanted)
{
    char c = *e->at;

    if (c == '(') {
        e->at++;
        return push_op(e, OP_OPEN, 0);
    }
    if (c == '-' || c == '~') {
        e->at++;
        return push_op(e, c == '-' ? OP_NEG : OP_INVERT, RANK_UNARY);
    }
    if (c >= '0' && c <= '9') {
        char *end;
        int64_t number = strtoll(e->at, &end, 0);
        e->at = end;
        *wanted = false;
        return push_value(e, number);
    }
    if (is_name(c)) {
        uint32_t values = e->value_count;
        bool good = take_name(e);
        *wanted = e->value_count == values;
        return good;
    }
    return fault(e, "a value is wanted here");
}

static bool find_operator(const struct evaluator *e, size_t *index)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(OPERATORS); i++) {
        size_t bytes = strlen(OPERATORS[i].text);
        if (strncmp(e->at, OPERATORS[i].text, bytes) == 0 &&
            (!OPERATORS[i].word || !is_name(e->at[bytes]))) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool evaluate(struct evaluator *e, int64_t *result)
{
    bool wanted = true;
    size_t index;

    for (;;) {
        skip_spaces(e);
        if (wanted) {
            if (!take_operand(e, &wanted)) {
                return false;
            }
        } else if (*e->at == ')') {
            if (!close_parenthesis(e)) {
                return false;
            }
        } else if (find_operator(e, &index)) {
            wanted = true;
            if (!take_binary(e, index)) {
                return false;
            }
        } else {
            break;
        }
    }
    while (e->op_count > 0) {
        if (e->ops[e->op_count - 1] == OP_OPEN) {
            return fault(e, "a ')' is missing");
        }
        if (!reduce(e)) {
            return false;
        }
    }
    *result = e->value_count == 1 ? e->values[0].number : 0;
    return e->value_count == 1 || fault(e, "a value is wanted here");
}

/* The end of a statement: the line's, a semicolon, or what follows a comma (a message). */
static const char *statement_end(const char *at)
{
    char quote = '\0';
    int open = 0;

    for (; *at; at++) {
        if (quote) {
            quote = *at == quote ? '\0' : quote;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (*at == '(' || *at == ')') {
            open += *at == '(' ? 1 : -1;
        } else if (*at == '#') {
            return at + strcspn(at, "\n");
        } else if ((*at == '\n' && open <= 0) || *at == ';') {
            return at;
        }
    }
    return at;
}

static bool run_assertion(const char *at, const struct slt_assert_names *names, char *out,
                          uint32_t out_bytes)
{
    struct evaluator e = {.names = names, .at = at, .start = at};
    int64_t result = 0;
    int shown = (int)(statement_end(at) - at);

    shown = shown > 160 ? 160 : shown;
    bool good = evaluate(&e, &result);
    if (good && *e.at != '\0' && !strchr(",;\n#", *e.at)) {
        good = fault(&e, "this is not understood");
    }
    if (!good) {
        snprintf(out, out_bytes, "assert %.*s: %s: '%.20s'", shown, at, e.fault, e.at);
        return false;
    }
    if (!result) {
        snprintf(out, out_bytes, "assert %.*s: false:%s", shown, at, e.seen);
    }
    return result != 0;
}

bool slt_assert_run(const char *code, const struct slt_assert_names *names, char *out,
                    uint32_t out_bytes)
{
    const char *at = code;

    out[0] = '\0';
    for (;;) {
        at += strspn(at, " \t\r\n;");
        if (*at == '\0') {
            return true;
        }
        const char *end = statement_end(at);
        if (strncmp(at, "assert", 6) == 0 && !is_name(at[6])) {
            const char *expression = at + 6 + strspn(at + 6, " \t");
            if (!run_assertion(expression, names, out, out_bytes)) {
                return false;
            }
        } else if (*at != '#' && strncmp(at, "print", 5) != 0 && strncmp(at, "import", 6) != 0) {
            snprintf(out, out_bytes, "only assert is understood here: '%.40s'", at);
            return false;
        }
        at = end;
    }
}
