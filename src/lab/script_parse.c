/* The script: options first, then events.
 *
 *   script  = {"--" name ["=" value]} {event}
 *   event   = [time] (packet | call | command | code)
 *   time    = ["+"] seconds ["~" ["+"] seconds] | "*"
 *   call    = ["..." seconds] name "(" values ")" "=" value [errno] ["(" note ")"]
 *
 * A command or code without a time happens when its turn comes.
 */
#include "lab/script_parse.h"

#include <stdio.h>
#include <string.h>

struct script_parser {
    struct slt_script *script;
    struct slt_lexer lex;
    struct slt_script_event **events;
    struct slt_script_setting **options;
};

static bool out_of_memory(struct script_parser *p)
{
    return slt_lex_expected(&p->lex, "more memory");
}

/* --name=value */
static bool parse_option(struct script_parser *p)
{
    const struct slt_token *token = &p->lex.token;
    const char *equals = memchr(token->text, '=', token->bytes);
    uint32_t name_bytes = (equals ? (uint32_t)(equals - token->text) : token->bytes) - 2;
    struct slt_script_setting *option = slt_script_take(p->script, sizeof(*option));

    if (!option) {
        return out_of_memory(p);
    }
    option->line = token->line;
    option->name = slt_script_copy(p->script, token->text + 2, name_bytes);
    option->value = "";
    if (equals) {
        uint32_t at = (uint32_t)(equals + 1 - token->text);
        option->value = slt_script_copy(p->script, equals + 1, token->bytes - at);
    }
    if (!option->name || !option->value) {
        return out_of_memory(p);
    }
    if (strcmp(option->name, "ip_version") == 0) {
        p->script->ipv6 = strcmp(option->value, "ipv6") == 0;
    }
    *p->options = option;
    p->options = &option->next;
    slt_lex_next(&p->lex);
    return true;
}

static bool parse_seconds(struct script_parser *p, int64_t *time_ns)
{
    struct slt_lexer *lex = &p->lex;
    bool negative = slt_lex_skip(lex, '-');

    if (lex->token.kind != SLT_TOKEN_NUMBER) {
        return slt_lex_expected(lex, "a time in seconds");
    }
    if (negative) {
        return slt_lex_expected(lex, "a time that is not negative");
    }
    *time_ns = lex->token.time_ns;
    slt_lex_next(lex);
    return true;
}

/* The first time of an event; *timed says whether there was one. */
static bool parse_time(struct script_parser *p, struct slt_script_event *event, bool *timed)
{
    struct slt_lexer *lex = &p->lex;

    *timed = true;
    if (slt_lex_skip(lex, '*')) {
        event->time_kind = SLT_TIME_ANY;
        return true;
    }
    bool relative = slt_lex_skip(lex, '+');
    if (!relative && lex->token.kind != SLT_TOKEN_NUMBER) {
        *timed = false;
        event->time_kind = SLT_TIME_RELATIVE;
        return true;
    }
    event->time_kind = relative ? SLT_TIME_RELATIVE : SLT_TIME_ABSOLUTE;
    if (!parse_seconds(p, &event->time_ns)) {
        return false;
    }
    if (!slt_lex_skip(lex, '~')) {
        return true;
    }
    if (relative != slt_lex_skip(lex, '+')) {
        return slt_lex_expected(lex, "both ends of the range relative, or both absolute");
    }
    event->time_kind = relative ? SLT_TIME_RELATIVE_RANGE : SLT_TIME_ABSOLUTE_RANGE;
    if (!parse_seconds(p, &event->time_end_ns)) {
        return false;
    }
    return event->time_end_ns >= event->time_ns ||
           slt_lex_fail(lex, event->line, event->column, "the range ends before it begins");
}

/* Text in parentheses that explains a result: skipped, parentheses inside it too. */
static bool skip_note(struct slt_lexer *lex)
{
    uint32_t open = 0;

    if (!slt_lex_is(lex, '(')) {
        return true;
    }
    do {
        if (slt_lex_is(lex, '(')) {
            open++;
        }
        if (slt_lex_is(lex, ')')) {
            open--;
        }
        if (lex->token.kind == SLT_TOKEN_END) {
            return slt_lex_expected(lex, "')'");
        }
        slt_lex_next(lex);
    } while (open > 0);
    return true;
}

static bool parse_arguments(struct script_parser *p, struct slt_script_call *call)
{
    struct slt_lexer *lex = &p->lex;
    struct slt_expr **tail = &call->args;

    if (!slt_lex_skip(lex, '(')) {
        return slt_lex_expected(lex, "'('");
    }
    if (slt_lex_skip(lex, ')')) {
        return true;
    }
    do {
        *tail = slt_parse_expr(p->script, lex);
        if (!*tail) {
            return false;
        }
        tail = &(*tail)->next;
        call->arg_count++;
    } while (slt_lex_skip(lex, ','));
    return slt_lex_skip(lex, ')') || slt_lex_expected(lex, "',' or ')'");
}

static bool parse_call(struct script_parser *p, struct slt_script_event *event)
{
    struct slt_lexer *lex = &p->lex;
    struct slt_script_call *call = slt_script_take(p->script, sizeof(*call));

    if (!call) {
        return out_of_memory(p);
    }
    event->kind = SLT_SCRIPT_CALL;
    event->call = call;
    call->end_ns = SLT_NEVER;
    if (lex->token.kind == SLT_TOKEN_ELLIPSIS) {
        slt_lex_next(lex);
        call->end_any = slt_lex_skip(lex, '*');
        slt_lex_skip(lex, '+');
        if (!call->end_any && !parse_seconds(p, &call->end_ns)) {
            return false;
        }
        if (!call->end_any && call->end_ns < event->time_ns) {
            return slt_lex_fail(lex, event->line, event->column, "the call ends before it begins");
        }
    }
    if (lex->token.kind != SLT_TOKEN_WORD) {
        return slt_lex_expected(lex, "a packet, a system call, `...` or %{ ... }%");
    }
    call->name = slt_script_copy(p->script, lex->token.text, lex->token.bytes);
    if (!call->name) {
        return out_of_memory(p);
    }
    slt_lex_next(lex);
    if (!parse_arguments(p, call)) {
        return false;
    }
    if (!slt_lex_skip(lex, '=')) {
        return slt_lex_expected(lex, "'='");
    }
    call->result = slt_parse_expr(p->script, lex);
    if (!call->result) {
        return false;
    }
    if (lex->token.kind == SLT_TOKEN_WORD) {
        call->error = slt_script_copy(p->script, lex->token.text, lex->token.bytes);
        slt_lex_next(lex);
    }
    return skip_note(lex);
}

static bool parse_text(struct script_parser *p, struct slt_script_event *event,
                       enum slt_script_event_kind kind)
{
    event->kind = (uint8_t)kind;
    event->text = slt_script_copy(p->script, p->lex.token.text, p->lex.token.bytes);
    slt_lex_next(&p->lex);
    return event->text ? true : out_of_memory(p);
}

static bool parse_action(struct script_parser *p, struct slt_script_event *event, bool timed)
{
    struct slt_lexer *lex = &p->lex;

    if (lex->token.kind == SLT_TOKEN_BACKTICK) {
        return parse_text(p, event, SLT_SCRIPT_COMMAND);
    }
    if (lex->token.kind == SLT_TOKEN_CODE) {
        return parse_text(p, event, SLT_SCRIPT_CODE);
    }
    if (!timed) {
        return slt_lex_expected(lex, "a time (+0.1, 0.1, *)");
    }
    if (slt_lex_is(lex, '<') || slt_lex_is(lex, '>')) {
        event->kind = SLT_SCRIPT_PACKET;
        event->packet = slt_parse_packet(p->script, lex);
        return event->packet != NULL;
    }
    return parse_call(p, event);
}

static bool parse_event(struct script_parser *p)
{
    struct slt_lexer *lex = &p->lex;
    struct slt_script_event *event = slt_script_take(p->script, sizeof(*event));
    bool timed;

    if (!event) {
        return out_of_memory(p);
    }
    event->line = lex->token.line;
    event->column = lex->token.column;
    event->source_at = lex->token.at;
    if (!parse_time(p, event, &timed) || !parse_action(p, event, timed)) {
        return false;
    }
    event->source_bytes = lex->previous_end - event->source_at;
    *p->events = event;
    p->events = &event->next;
    p->script->event_count++;
    return true;
}

bool slt_script_parse(struct slt_script *script, const char *file, const char *text, uint32_t bytes,
                      struct slt_script_error *error)
{
    struct script_parser p = {
        .script = script, .events = &script->events, .options = &script->options};

    error->text[0] = '\0';
    script->file = file;
    script->source = text;
    script->source_bytes = bytes;
    slt_lex_init(&p.lex, file, text, bytes, error);
    while (p.lex.token.kind == SLT_TOKEN_OPTION) {
        if (!parse_option(&p)) {
            return false;
        }
    }
    while (p.lex.token.kind != SLT_TOKEN_END) {
        if (!parse_event(&p)) {
            return false;
        }
    }
    return !p.lex.failed;
}
