/* The line language: steps between ";", done in order.
 *
 *   seg FLAGS key=value ...     a TCP segment of the peer (build_tcp.c); seg*N FLAGS: N of them in
 *                               sequence, one turn each
 *   frame LAYER / LAYER ...     any frame (build.c)
 *   feed FLAGS key=value ...    the same without a turn: what comes next happens before output
 *   batch SEG + SEG + ...       segments that arrive in one batch (also: batch*N SEG)
 *   call NAME ... [= RESULT]    a user call (calls.c)
 *   advance DURATION            let time pass, timers firing when they are due
 *   timeout NAME                the next timer must be NAME; advance to it
 *   auto ack|zero|off           the peer acknowledges by itself; its packets are not kept
 *   use N                       go on with peer N
 *   let NAME=NUMBER             keep a number under a name (irs and skew are the peer's own)
 *   check ...                   look at the connection (checks.c)
 *   > ITEM, ITEM ...            what the step before it must have emitted (match.c)
 *
 * Steps joined by "&" are one step. What a step emits must be expected before the next begins; what
 * the last one emits stands in the row's column of segments.
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool deliver(struct world *world, const char *spec)
{
    static uint8_t frame[FRAME_BYTES];
    struct salut_rx_frame rx = {.data = frame};
    return build_frame(world, spec, frame, &rx.bytes) && world_deliver(world, &rx, 1);
}

/* Input alone: the user acts before the stack answers, as between two parts of a turn. */
static bool step_feed(struct world *world, const char *rest)
{
    static uint8_t frame[FRAME_BYTES];
    struct salut_rx_frame rx = {.data = frame};
    char line[1024];
    snprintf(line, sizeof(line), "tcp %s", rest + strspn(rest, " "));
    if (!build_frame(world, line, frame, &rx.bytes)) {
        return false;
    }
    salut_input(world->stack, &rx, 1, world->now_ns);
    return true;
}

/* The "*N" behind a verb: how often. */
static const char *times(const char *rest, unsigned long *count)
{
    *count = 1;
    if (*rest == '*') {
        char *end;
        *count = strtoul(rest + 1, &end, 10);
        rest = end;
    }
    return rest + strspn(rest, " ");
}

static bool step_seg(struct world *world, const char *rest)
{
    unsigned long count;
    char line[1024];
    const char *spec = times(rest, &count);
    struct words words;
    words_cut(&words, spec, strlen(spec));
    uint32_t start = world->before.rnxt;
    uint32_t len = 0;
    const char *seq = words_value(&words, 1, "seq");
    const char *bytes = words_value(&words, 1, "len");
    if ((seq != NULL && !eval_number(world, seq, &start)) ||
        (bytes != NULL && !eval_number(world, bytes, &len))) {
        return false;
    }
    for (unsigned long i = 0; i < count; i++) {
        if (count == 1) {
            snprintf(line, sizeof(line), "tcp %s", spec);
        } else {
            snprintf(line, sizeof(line), "tcp %s seq=%u %s", words.word[0],
                     start + (uint32_t)i * len, spec + strlen(words.word[0]));
        }
        if (!deliver(world, line)) {
            return false;
        }
    }
    return true;
}

static bool step_batch(struct world *world, const char *rest)
{
    static uint8_t frames[64][1600];
    struct salut_rx_frame rx[64];
    unsigned long count;
    size_t used = 0;
    const char *spec = times(rest, &count);
    uint32_t ahead = 0;
    while (*spec != '\0' && used < 64) {
        const char *end = strstr(spec, " + ");
        size_t bytes = end == NULL ? strlen(spec) : (size_t)(end - spec);
        struct words words;
        char line[1024];
        uint32_t len = 0;
        words_cut(&words, spec, bytes);
        const char *text = words_value(&words, 1, "len");
        if (text != NULL && !eval_number(world, text, &len)) {
            return false;
        }
        snprintf(line, sizeof(line), "tcp %s seq=%u %.*s", words.word[0],
                 world->before.rnxt + ahead, (int)(bytes - strlen(words.word[0])),
                 spec + strlen(words.word[0]));
        if (words_value(&words, 1, "seq") != NULL) {
            snprintf(line, sizeof(line), "tcp %.*s", (int)bytes, spec);
        }
        rx[used] = (struct salut_rx_frame){.data = frames[used]};
        if (!build_frame(world, line, frames[used], &rx[used].bytes)) {
            return false;
        }
        used++;
        ahead += len;
        if (count > 1) {
            count--;
            continue;
        }
        spec += bytes + (end == NULL ? 0 : 3);
    }
    return world_deliver(world, rx, used);
}

static bool step_frame(struct world *world, const char *rest)
{
    unsigned long count;
    const char *spec = times(rest, &count);
    for (unsigned long i = 0; i < count; i++) {
        if (!deliver(world, spec)) {
            return false;
        }
    }
    return true;
}

static bool step_call(struct world *world, const char *rest)
{
    unsigned long count;
    const char *spec = times(rest, &count);
    for (unsigned long i = 0; i < count; i++) {
        if (!call_run(world, spec) || world->error[0] != '\0' || !world_turn(world)) {
            return false;
        }
    }
    return true;
}

static bool step_advance(struct world *world, const char *rest)
{
    int64_t ns;
    rest += strspn(rest, " ");
    if (!eval_duration(world, rest, &ns)) {
        return fail(world, "\"%s\" is no duration", rest);
    }
    return world_advance(world, ns);
}

static bool step_timeout(struct world *world, const char *rest)
{
    struct salut_info info;
    rest += strspn(rest, " ");
    if (!world_info(world, &info)) {
        return fail(world, "timeout %s: there is no connection", rest);
    }
    if (strcmp(timer_token(info.timer), rest) != 0) {
        return fail(world, "the next timer is %s, not %s", timer_token(info.timer), rest);
    }
    return world_advance(world, info.timer_in_ns + (info.object == SALUT_IS_CONN ? 0 : 1000000));
}

static bool step_auto(struct world *world, const char *rest)
{
    rest += strspn(rest, " ");
    world->answering = strcmp(rest, "ack") == 0    ? AUTO_ACK
                       : strcmp(rest, "zero") == 0 ? AUTO_ZERO_WINDOW
                                                   : AUTO_OFF;
    return true;
}

static bool step_use(struct world *world, const char *rest)
{
    world->at = (int)(strtoul(rest, NULL, 10) % PEERS_MAX);
    world_begin_step(world);
    return true;
}

static bool step_let(struct world *world, const char *rest)
{
    rest += strspn(rest, " ");
    size_t bytes = strcspn(rest, "=");
    struct saved *saved = &world->saved[world->saved_count];
    uint32_t value;
    world_begin_step(world);
    if (rest[bytes] == '\0' || bytes >= sizeof(saved->name) || world->saved_count == SAVED_MAX) {
        return fail(world, "let NAME=NUMBER, not \"%s\"", rest);
    }
    if (!eval_number(world, rest + bytes + 1, &value)) {
        return false;
    }
    if (strncmp(rest, "irs", bytes) == 0) {
        peer_of(world)->irs = peer_of(world)->rnxt = value;
        return true;
    }
    if (strncmp(rest, "skew", bytes) == 0) {
        peer_of(world)->ts_skew = value;
        return true;
    }
    snprintf(saved->name, sizeof(saved->name), "%.*s", (int)bytes, rest);
    saved->value = value;
    world->saved_count++;
    return true;
}

struct verb {
    const char *name;
    bool (*run)(struct world *, const char *);
    bool quiet; /* does nothing that could emit */
};

static const struct verb verbs[] = {
    {"feed", step_feed, false},       {"seg", step_seg, false},   {"frame", step_frame, false},
    {"batch", step_batch, false},     {"call", step_call, false}, {"advance", step_advance, false},
    {"timeout", step_timeout, false}, {"auto", step_auto, true},  {"use", step_use, true},
    {"let", step_let, true},          {"check", NULL, true},
};

static const struct verb *verb_of(const char *step, size_t *length)
{
    *length = strcspn(step, " *");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strlen(verbs[i].name) == *length && strncmp(verbs[i].name, step, *length) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* One step, or one part of a joined step. */
static bool run_part(struct world *world, const char *step, bool joined)
{
    size_t length;
    const struct verb *verb = verb_of(step, &length);
    if (verb == NULL) {
        return fail(world, "\"%s\" is no step", step);
    }
    if (verb->run == NULL) {
        const char *rest = step + length;
        if (world->packet_count == 0) {
            world_begin_step(world);
        }
        return check_run(world, rest + strspn(rest, " "));
    }
    if (!verb->quiet && !joined) {
        if (world->packet_count > 0) {
            return match_segments(world, "-");
        }
        world_begin_step(world);
    }
    return verb->run(world, step + length);
}

static void trim(char *text)
{
    size_t bytes = strlen(text);
    while (bytes > 0 && text[bytes - 1] == ' ') {
        text[--bytes] = '\0';
    }
}

static bool run_step(struct world *world, char *step)
{
    bool joined = false;
    if (*step == '>') {
        step++;
        return match_segments(world, step + strspn(step, " "));
    }
    while (step != NULL) {
        char *next = strstr(step, " & ");
        if (next != NULL) {
            *next = '\0';
            next += 3;
            next += strspn(next, " ");
        }
        trim(step);
        if (!run_part(world, step, joined)) {
            return false;
        }
        joined = true;
        step = next;
    }
    return true;
}

bool steps_run(struct world *world, const char *steps)
{
    char text[8192];
    if (strcmp(steps, "-") == 0) {
        return true;
    }
    snprintf(text, sizeof(text), "%s", steps);
    int number = 1;
    for (char *at = text; at != NULL; number++) {
        char *end = strchr(at, ';');
        char *next = end == NULL ? NULL : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
        at += strspn(at, " ");
        trim(at);
        char shown[128];
        snprintf(shown, sizeof(shown), "%s", at);
        if (!run_step(world, at)) {
            size_t used = strlen(world->error);
            snprintf(world->error + used, sizeof(world->error) - used, "\n    in step %d: %s",
                     number, shown);
            return false;
        }
        at = next;
    }
    return true;
}
