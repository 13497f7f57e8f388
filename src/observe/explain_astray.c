/* See explain_astray.h.
 *
 * Connections are found by the end that opened them: its port is its own, as a rule, while a
 * server's is that of all its connections. Of one address and port (used again and again) the
 * youngest few are looked at.
 */
#include "observe/explain_astray.h"

#include "base/compiler.h"

#include <stdlib.h>
#include <string.h>

#define LOOKED_AT_MAX 16U
#define NUMBERS_NEAR  (1 << 24) /* a segment out of the window by more is chance */

struct openers {
    struct slt_explain_flow **places; /* open addressing, by address and port */
    uint32_t mask;
};

static uint32_t hash_of(const struct slt_explain_end *end)
{
    uint64_t words[2];
    memcpy(words, end->addr, sizeof(words));
    uint64_t hash = (words[0] ^ end->port) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 29 ^ words[1]) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32);
}

static bool is_same_end(const struct slt_explain_end *a, const struct slt_explain_end *b)
{
    return a->port == b->port && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* Those that nobody would look at are left out, so that a port used a million times costs no more
 * than others. */
static void add_opener(struct openers *openers, struct slt_explain_flow *f)
{
    uint32_t at = hash_of(&f->end[0]) & openers->mask;
    uint32_t younger = 0;
    while (openers->places[at] != NULL && younger < LOOKED_AT_MAX) {
        younger += is_same_end(&openers->places[at]->end[0], &f->end[0]) ? 1 : 0;
        at = (at + 1) & openers->mask;
    }
    if (younger < LOOKED_AT_MAX) {
        openers->places[at] = f;
    }
}

/* The youngest are put in first, and so are met first. */
static bool open_openers(struct openers *openers, const struct slt_explain_flows *flows)
{
    uint32_t room = 16;
    uint32_t count = 0;
    while (room < flows->count * 2) {
        room *= 2;
    }
    openers->mask = room - 1;
    openers->places = calloc(room + flows->count, sizeof(struct slt_explain_flow *));
    if (openers->places == NULL) {
        return false;
    }
    struct slt_explain_flow **by_age = openers->places + room;
    for (struct slt_explain_flow *f = flows->oldest; f != NULL; f = f->younger) {
        if (f->opener_known && f->connected) {
            by_age[count++] = f;
        }
    }
    while (count > 0) {
        add_opener(openers, by_age[--count]);
    }
    return true;
}

/* The segment's numbers are among those that the connection's end 1 may send to its end 0. */
static bool fits(const struct slt_explain_flow *f, const struct slt_explain_step *step)
{
    const struct slt_explain_end *to = &f->end[0];
    const struct slt_explain_end *from = &f->end[1];
    int32_t ahead = slt_explain_diff(step->seq, from->end);
    bool acked =
        slt_explain_diff(step->ack, to->isn) > 0 && slt_explain_diff(step->ack, to->end) <= 0;
    return acked && ahead < NUMBERS_NEAR && ahead > -NUMBERS_NEAR &&
           slt_explain_diff(step->seq, from->isn) > 0;
}

static struct slt_explain_flow *find_meant(const struct openers *openers,
                                           const struct slt_explain_flow *stray,
                                           const struct slt_explain_step *step)
{
    const struct slt_explain_end *end = &stray->end[1 - step->from];
    struct slt_explain_flow *meant = NULL;
    uint32_t looked_at = 0;
    for (uint32_t at = hash_of(end) & openers->mask;
         openers->places[at] != NULL && looked_at < LOOKED_AT_MAX; at = (at + 1) & openers->mask) {
        struct slt_explain_flow *f = openers->places[at];
        if (f != stray && is_same_end(&f->end[0], end)) {
            looked_at++;
            bool fitting = f->first_at_ns <= step->at_ns && fits(f, step);
            meant = fitting && meant == NULL ? f : meant;
        }
    }
    return meant;
}

/* The first segment that an end answers with the RST for a segment of no connection; NULL: none. */
static const struct slt_explain_step *find_unknown(const struct slt_explain_flow *f)
{
    for (uint32_t i = 1; i < f->step_count; i++) {
        const struct slt_explain_step *asked = &f->steps[i - 1];
        const struct slt_explain_step *rst = &f->steps[i];
        bool bare = (rst->flags & (SLT_TCP_RST | SLT_TCP_ACK)) == SLT_TCP_RST;
        bool known = (asked->flags & (SLT_TCP_SYN | SLT_TCP_RST | SLT_TCP_ACK)) == SLT_TCP_ACK;
        if (bare && known && asked->from != rst->from && asked->ack == rst->seq) {
            return asked;
        }
    }
    return NULL;
}

void slt_explain_find_astray(struct slt_explain_flows *flows)
{
    struct openers openers;
    if (!open_openers(&openers, flows)) {
        return;
    }
    for (struct slt_explain_flow *f = flows->oldest; f != NULL; f = f->younger) {
        const struct slt_explain_step *asked = f->opener_known ? NULL : find_unknown(f);
        f->meant = asked != NULL ? find_meant(&openers, f, asked) : NULL;
    }
    free(openers.places);
}
