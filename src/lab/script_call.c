/* What calls are made of: arguments, descriptors, memory, complaints. */
#include "lab/script_call.h"

#include "lab/script_symbols.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void slt_call_world_init(struct slt_call_world *world, struct slt_host *host,
                         struct slt_script_flows *flows)
{
    memset(world, 0, sizeof(*world));
    world->host = host;
    world->flows = flows;
    world->options = flows->options;
    world->fd_under_test = -1;
    for (uint32_t i = 0; i < SLT_CALL_FDS_MAX; i++) {
        world->fds[i] = -1;
    }
}

void slt_call_world_free(struct slt_call_world *world)
{
    free(world->scratch);
    world->scratch = NULL;
}

bool slt_call_fail(struct slt_call *run, const char *format, ...)
{
    va_list args;
    size_t used = strlen(run->complaint);
    char words[256];

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    snprintf(run->complaint + used, sizeof(run->complaint) - used, "    %s\n", words);
    return false;
}

const struct slt_expr *slt_call_arg(const struct slt_call *run, uint32_t index)
{
    const struct slt_expr *arg = run->call->args;
    for (uint32_t i = 0; arg && i < index; i++) {
        arg = arg->next;
    }
    return arg;
}

/* ---- values -------------------------------------------------------------------------------- */

static bool find_word(struct slt_call *run, const char *word, int64_t *number)
{
    const struct slt_script_options *options = run->world->options;
    size_t bytes = strlen(word);

    for (uint32_t i = 0; i < options->symbol_count; i++) {
        const struct slt_script_symbol *symbol = &options->symbols[i];
        if (strncmp(symbol->name, word, bytes) == 0 && symbol->name[bytes] == '=') {
            *number = strtoll(symbol->value, NULL, 0);
            return true;
        }
    }
    return slt_symbol_find(word, number) || slt_call_fail(run, "nobody knows the word '%s'", word);
}

/* An expression without nested alternatives. */
static bool simple_number(struct slt_call *run, const struct slt_expr *expr, int64_t *number)
{
    if (expr && expr->kind == SLT_EXPR_INTEGER) {
        *number = expr->number;
        return true;
    }
    if (expr && expr->kind == SLT_EXPR_WORD) {
        return find_word(run, expr->text, number);
    }
    return slt_call_fail(run, "a number is wanted here");
}

bool slt_call_number(struct slt_call *run, const struct slt_expr *expr, int64_t *number)
{
    bool inverted = false;

    while (expr && (expr->kind == SLT_EXPR_NOT || expr->kind == SLT_EXPR_LIST ||
                    expr->kind == SLT_EXPR_CALL)) {
        bool wraps = expr->kind != SLT_EXPR_CALL || strcmp(expr->text, "htons") == 0 ||
                     strcmp(expr->text, "htonl") == 0;
        if (!wraps || (expr->first && expr->first->next)) {
            return slt_call_fail(run, "a number is wanted here");
        }
        inverted ^= expr->kind == SLT_EXPR_NOT;
        expr = expr->first;
    }
    *number = 0;
    if (expr && expr->kind == SLT_EXPR_OR) {
        for (const struct slt_expr *part = expr->first; part; part = part->next) {
            int64_t value;
            if (!simple_number(run, part, &value)) {
                return false;
            }
            *number |= value;
        }
    } else if (!simple_number(run, expr, number)) {
        return false;
    }
    *number = inverted ? ~*number : *number;
    return true;
}

bool slt_call_int(struct slt_call *run, uint32_t index, int *number)
{
    int64_t value;
    if (!slt_call_number(run, slt_call_arg(run, index), &value)) {
        return false;
    }
    *number = (int)value;
    return true;
}

int slt_call_fd_of(const struct slt_call_world *world, int64_t script_fd)
{
    return script_fd >= 0 && script_fd < SLT_CALL_FDS_MAX ? world->fds[script_fd] : -1;
}

bool slt_call_fd(struct slt_call *run, uint32_t index, int *fd)
{
    int script_fd;
    if (!slt_call_int(run, index, &script_fd)) {
        return false;
    }
    *fd = slt_call_fd_of(run->world, script_fd);
    return true;
}

const struct slt_expr *slt_expr_member(const struct slt_expr *expr, const char *name,
                                       uint32_t place)
{
    uint32_t unnamed = 0;

    if (!expr || (expr->kind != SLT_EXPR_STRUCT && expr->kind != SLT_EXPR_LIST)) {
        return NULL;
    }
    for (const struct slt_expr *part = expr->first; part; part = part->next) {
        if (part->kind == SLT_EXPR_FIELD && strcmp(part->text, name) == 0) {
            return part->first;
        }
        if (part->kind != SLT_EXPR_FIELD && unnamed++ == place) {
            return part;
        }
    }
    return NULL;
}

uint8_t *slt_call_scratch(struct slt_call *run, size_t bytes)
{
    struct slt_call_world *world = run->world;

    if (bytes > (size_t)256 * 1024 * 1024) {
        slt_call_fail(run, "that many bytes are too many");
        return NULL;
    }
    if (world->scratch_bytes < bytes || !world->scratch) {
        free(world->scratch);
        world->scratch_bytes = bytes + 4096;
        world->scratch = malloc(world->scratch_bytes);
        if (!world->scratch) {
            world->scratch_bytes = 0;
            slt_call_fail(run, "no memory for so many bytes");
            return NULL;
        }
    }
    memset(world->scratch, 0, bytes);
    return world->scratch;
}
