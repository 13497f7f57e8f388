/* See filter.h.
 *
 * A filter is compiled to a program in postfix order: tests push a truth, `and`, `or` and `not`
 * combine what was pushed. Parsing is by two stacks (Dijkstra's shunting yard), so neither it nor
 * the evaluation recurses, and both are bounded by the length of the text.
 */
#include "observe/filter.h"

#include "observe/filter_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM_MAX 256U
#define NEST_MAX    64U

enum op { OP_TEST, OP_AND, OP_OR, OP_NOT, OP_OPEN };

struct step {
    uint8_t op; /* enum op */
    struct slt_filter_test test;
};

struct slt_filter {
    size_t count;
    struct step steps[PROGRAM_MAX];
};

/* The parser's own state. */
struct parser {
    struct slt_filter_text text;
    struct slt_filter *filter;
    uint8_t ops[NEST_MAX]; /* enum op, waiting for their right side */
    size_t op_count;
    bool operand_wanted; /* before the next test, `not` or '(' */
};

static bool emit(struct parser *p, const struct step *step)
{
    if (p->filter->count == PROGRAM_MAX) {
        return slt_filter_fail(&p->text, "the filter is too long");
    }
    p->filter->steps[p->filter->count++] = *step;
    return true;
}

static bool push(struct parser *p, enum op op)
{
    if (p->op_count == NEST_MAX) {
        return slt_filter_fail(&p->text, "the filter is nested too deeply");
    }
    p->ops[p->op_count++] = (uint8_t)op;
    return true;
}

/* How tightly an operator binds; an open parenthesis lets nothing pass. */
static unsigned strength(uint8_t op)
{
    return op == OP_NOT ? 3 : op == OP_AND ? 2 : op == OP_OR ? 1 : 0;
}

static bool unwind(struct parser *p, unsigned to)
{
    while (p->op_count > 0 && strength(p->ops[p->op_count - 1]) >= to) {
        struct step step = {.op = p->ops[--p->op_count]};
        if (!emit(p, &step)) {
            return false;
        }
    }
    return true;
}

static bool join(struct parser *p, enum op op)
{
    p->operand_wanted = true;
    return unwind(p, strength((uint8_t)op)) && push(p, op);
}

/* Two operands beside one another are joined by `and`. */
static bool before_operand(struct parser *p)
{
    return p->operand_wanted || join(p, OP_AND);
}

static bool open_group(struct parser *p)
{
    return before_operand(p) && push(p, OP_OPEN);
}

static bool close_group(struct parser *p)
{
    if (p->operand_wanted) {
        return slt_filter_fail(&p->text, "something is missing before ')'");
    }
    if (!unwind(p, 1)) {
        return false;
    }
    if (p->op_count == 0) {
        return slt_filter_fail(&p->text, "')' without '('");
    }
    p->op_count--;
    return true;
}

static bool take_test(struct parser *p)
{
    struct step step = {.op = OP_TEST};
    if (!before_operand(p) || !slt_filter_parse_test(&p->text, &step.test)) {
        return false;
    }
    p->operand_wanted = false;
    return emit(p, &step);
}

static bool take_infix(struct parser *p, enum op op)
{
    return p->operand_wanted ? slt_filter_fail(&p->text, "something is missing before this")
                             : join(p, op);
}

static bool take_word(struct parser *p)
{
    switch (slt_filter_joint(&p->text)) {
    case SLT_JOINT_OPEN:
        return open_group(p);
    case SLT_JOINT_CLOSE:
        return close_group(p);
    case SLT_JOINT_AND:
        return take_infix(p, OP_AND);
    case SLT_JOINT_OR:
        return take_infix(p, OP_OR);
    case SLT_JOINT_NOT:
        if (!before_operand(p)) {
            return false;
        }
        p->operand_wanted = true;
        return push(p, OP_NOT);
    case SLT_JOINT_NONE:
        break;
    }
    return take_test(p);
}

static bool parse(struct parser *p)
{
    p->operand_wanted = true;
    while (slt_filter_next(&p->text)) {
        if (!take_word(p)) {
            return false;
        }
    }
    if (p->text.failed) {
        return false;
    }
    bool empty = p->filter->count == 0 && p->op_count == 0;
    if (p->operand_wanted && !empty) {
        return slt_filter_fail(&p->text, "the filter ends too early");
    }
    if (!unwind(p, 1)) {
        return false;
    }
    return p->op_count == 0 || slt_filter_fail(&p->text, "'(' without ')'");
}

struct slt_filter *slt_filter_compile(const char *const *words, size_t count, char *why,
                                      size_t size)
{
    struct parser p = {.filter = calloc(1, sizeof(struct slt_filter))};
    if (p.filter == NULL) {
        (void)snprintf(why, size, "out of memory");
        return NULL;
    }
    p.text = (struct slt_filter_text){.words = words, .count = count, .why = why, .size = size};
    if (!parse(&p)) {
        free(p.filter);
        return NULL;
    }
    return p.filter;
}

void slt_filter_free(struct slt_filter *filter)
{
    free(filter);
}

bool slt_filter_asks_findings(const struct slt_filter *filter)
{
    for (size_t i = 0; i < filter->count; i++) {
        const struct step *step = &filter->steps[i];
        if (step->op == OP_TEST && slt_filter_asks_finding(&step->test)) {
            return true;
        }
    }
    return false;
}

bool slt_filter_passes(const struct slt_filter *filter, const struct slt_seen *seen)
{
    bool truths[PROGRAM_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < filter->count; i++) {
        const struct step *step = &filter->steps[i];
        if (step->op == OP_TEST) {
            truths[depth++] = slt_filter_holds(&step->test, seen);
        } else if (step->op == OP_NOT) {
            truths[depth - 1] = !truths[depth - 1];
        } else {
            depth--;
            truths[depth - 1] = step->op == OP_AND ? truths[depth - 1] && truths[depth]
                                                   : truths[depth - 1] || truths[depth];
        }
    }
    return depth == 0 || truths[0];
}
