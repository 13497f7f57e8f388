/* Running one row: settings from its constructor column, the constructor's steps from the root of
 * its chain, then the row itself, then everything the row says about what is left.
 *
 * A row runs in both families unless its constructor column names one, and, where a connection is
 * made, with initial sequence numbers around the two places where 32-bit arithmetic turns (U-03).
 * The stack's own number cannot be set from outside; but it follows a clock of 4.096 us (RFC 6528),
 * so the row is first run as far as its SYN, and then again at the moment when the clock gives the
 * number that is wanted.
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX   8
#define ISN_TICK_NS 4096
#define USUAL_IRS   1000

static const uint32_t special_isn[VARIANT_COUNT] = {0, 0, 0xffffffffU, 0x7fffffffU, 0x80000000U};

const char *variant_name(enum variant variant)
{
    static const char *const names[VARIANT_COUNT] = {"plain", "other-family", "isn-wraps",
                                                     "isn-2^31-1", "isn-2^31"};
    return names[variant];
}

bool row_has_profile(const struct row *row, enum salut_profile profile)
{
    return strcmp(row->profile, "both") == 0 ||
           strcmp(row->profile, profile == SALUT_PROFILE_LINUX ? "linux" : "rfc") == 0;
}

static bool names_family(const struct row *row)
{
    struct words words;
    words_cut(&words, row->constructor, strlen(row->constructor));
    return words_has(&words, 1, "v4") || words_has(&words, 1, "v6");
}

bool row_has_variant(const struct row *row, enum variant variant)
{
    struct words words;
    words_cut(&words, row->constructor, strlen(row->constructor));
    if (variant == VARIANT_PLAIN) {
        return true;
    }
    if (variant == VARIANT_IP6) {
        return !names_family(row);
    }
    return !words_has(&words, 1, "eth") && !words_has(&words, 1, "once");
}

static void set_number(const char *text, int32_t *value)
{
    *value = strcmp(text, "none") == 0 ? -1 : (int32_t)strtol(text, NULL, 0);
}

static bool apply_word(struct world *world, const char *word)
{
    struct settings *s = &world->settings;
    if (strncmp(word, "cfg.", 4) == 0) {
        size_t used = strlen(s->overrides);
        snprintf(s->overrides + used, sizeof(s->overrides) - used, " %s", word + 4);
    } else if (strncmp(word, "mss=", 4) == 0) {
        set_number(word + 4, &s->mss);
    } else if (strncmp(word, "ws=", 3) == 0) {
        set_number(word + 3, &s->wscale);
    } else if (strncmp(word, "win=", 4) == 0) {
        s->window = (uint32_t)strtoul(word + 4, NULL, 0);
    } else if (strcmp(word, "ts") == 0) {
        s->ts = true;
    } else if (strcmp(word, "sack") == 0) {
        s->sack = true;
    } else if (strcmp(word, "v6") == 0) {
        s->ip6 = true;
    } else if (strcmp(word, "eth") == 0) {
        s->ethernet = true;
    } else if (strcmp(word, "bare") == 0) {
        s->bare = true;
    } else if (strcmp(word, "v4") != 0 && strcmp(word, "once") != 0) {
        snprintf(world->error, sizeof(world->error), "the constructor has no variant \"%s\"", word);
        return false;
    }
    return true;
}

static bool take_settings(struct world *world, const struct row *row, enum salut_profile profile,
                          enum variant variant)
{
    struct words words;
    bool known = true;
    words_cut(&words, row->constructor, strlen(row->constructor));
    world->settings = (struct settings){.profile = profile,
                                        .mss = 1460,
                                        .wscale = -1,
                                        .window = 65535,
                                        .irs = special_isn[variant],
                                        .iss_wanted = special_isn[variant]};
    if (special_isn[variant] == 0) {
        world->settings.irs = USUAL_IRS;
    }
    for (int i = 1; i < words.count; i++) {
        known = apply_word(world, words.word[i]) && known;
    }
    if (variant == VARIANT_IP6) {
        world->settings.ip6 = !world->settings.ip6;
    }
    if (world->settings.ip6 && world->settings.mss == 1460) {
        world->settings.mss = 1440;
    }
    return known;
}

static bool build(struct world *world, const char *constructor)
{
    const struct constructor *chain[CHAIN_MAX];
    int count = 0;
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(constructor, " "), constructor);
    const char *next = name;
    while (strcmp(next, "-") != 0) {
        const struct constructor *made = tables_constructor(world->tables, next);
        if (made == NULL || count == CHAIN_MAX) {
            return fail(world, "there is no constructor %s", next);
        }
        chain[count++] = made;
        next = made->base;
    }
    while (count > 0) {
        count--;
        if (!steps_run(world, chain[count]->steps) || !match_segments(world, "-") ||
            !check_state(world, chain[count]->state)) {
            return false;
        }
        snprintf(world->built_state, sizeof(world->built_state), "%s", chain[count]->state);
        world_begin_step(world);
    }
    return true;
}

static bool judge(struct world *world, const struct row *row)
{
    const char *state = strcmp(row->state, "=") == 0 ? world->built_state : row->state;
    return match_segments(world, row->segments) && check_state(world, state) &&
           check_reasons(world, row->reason) && check_timers(world, row->timers) &&
           world->error[0] == '\0';
}

static bool run_built(struct world *world, const struct row *row)
{
    for (unsigned i = 1; i < salut_reason_count() && i < 256; i++) {
        world->counters[i] = salut_counter(world->stack, i);
    }
    return steps_run(world, row->stimulus) && judge(world, row);
}

/* How long to wait so that the stack's next ISN is the one wanted; 0 when it chose none. */
static int64_t wait_for_isn(struct world *world, const struct row *row)
{
    int64_t wait = 0;
    if (world_open(world) && build(world, row->constructor) && peer_of(world)->iss_known) {
        uint32_t ticks = world->settings.iss_wanted - peer_of(world)->iss;
        wait = (int64_t)ticks * ISN_TICK_NS;
    }
    world_close(world);
    return wait;
}

bool row_run(struct world *world, const struct row *row, enum salut_profile profile,
             enum variant variant)
{
    world->error[0] = '\0';
    world->stack = NULL;
    if (!take_settings(world, row, profile, variant)) {
        return false;
    }
    int64_t wait = world->settings.iss_wanted != 0 ? wait_for_isn(world, row) : 0;
    bool good = world_open(world);
    if (good && wait > 0) {
        good = world_advance(world, wait);
    }
    good = good && build(world, row->constructor);
    if (good && wait > 0 && peer_of(world)->iss != world->settings.iss_wanted) {
        good = fail(world, "the ISN is %u, not %u: the clock of RFC 6528 does not tick in 4.096 us",
                    peer_of(world)->iss, world->settings.iss_wanted);
    }
    good = good && run_built(world, row);
    world_close(world);
    return good;
}
