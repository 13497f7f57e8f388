/* Findings that take a memory: what ended connections, and what was before it (past.h).
 *
 * A judge asks a question of every connection remembered, and puts those that answer it in groups
 * of their like: of one program, one listener, one remote end. The largest group is told, with its
 * latest connection. What happens now and then to everybody is left alone: a group has to be of
 * some size, and more than one in a hundred of those it could have happened to.
 */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/endpoint.h"
#include "observe/why.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 64U
#define C(name)    (UINT64_C(1) << SLT_BY_##name)
#define S(name)    (1U << SALUT_STATE_##name)
#define OPEN       (S(ESTABLISHED) | S(CLOSE_WAIT))
#define TIMEOUTS   (C(RETRANSMIT_TIMEOUT) | C(PROBE_TIMEOUT) | C(KEEPALIVE_TIMEOUT))

/* Connections alike, in number and by their latest. */
struct group {
    const struct slt_recorded *last;
    const struct slt_recorded_change *change; /* of the last: what is told */
    int64_t count;
    int64_t of; /* those it could have happened to */
};

/* The change of a connection that answers the question; NULL: it does not. */
typedef const struct slt_recorded_change *(*question)(const struct slt_case *about,
                                                      const struct slt_recorded *c);
typedef bool (*likeness)(const struct slt_recorded *a, const struct slt_recorded *b);

/* ---- who is alike --------------------------------------------------------------------------- */

static bool same_program(const struct slt_recorded *a, const struct slt_recorded *b)
{
    return strcmp(a->program, b->program) == 0;
}

static bool same_process(const struct slt_recorded *a, const struct slt_recorded *b)
{
    return a->pid == b->pid;
}

static bool same_port(const struct slt_recorded *a, const struct slt_recorded *b)
{
    return a->local_port == b->local_port && a->netns == b->netns;
}

static bool same_host(const struct slt_recorded *a, const struct slt_recorded *b)
{
    return memcmp(a->remote.b, b->remote.b, sizeof(a->remote.b)) == 0;
}

static bool same_target(const struct slt_recorded *a, const struct slt_recorded *b)
{
    return a->remote_port == b->remote_port && same_host(a, b);
}

static bool same_errand(const struct slt_recorded *a, const struct slt_recorded *b)
{
    return same_target(a, b) && same_program(a, b);
}

static bool all_alike(const struct slt_recorded *a, const struct slt_recorded *b)
{
    (void)a;
    (void)b;
    return true;
}

/* ---- groups --------------------------------------------------------------------------------- */

static struct group *group_of(struct group *groups, size_t *count, const struct slt_recorded *c,
                              likeness alike)
{
    for (size_t i = 0; i < *count; i++) {
        if (alike(groups[i].last, c)) {
            return &groups[i];
        }
    }
    if (*count == GROUPS_MAX) {
        return NULL;
    }
    groups[*count] = (struct group){.last = NULL};
    return &groups[(*count)++];
}

static bool has_ended(const struct slt_recorded *c)
{
    return c->remote_port != 0 && c->change_count > 0 &&
           (c->stands == SALUT_STATE_CLOSED || c->stands == SALUT_STATE_TIME_WAIT ||
            c->stands == SALUT_STATE_FIN_WAIT_2);
}

static size_t collect(const struct slt_case *about, question answers, likeness alike,
                      struct group groups[GROUPS_MAX])
{
    const struct slt_past *past = about->past;
    size_t count = 0;
    for (size_t i = 0; i < past->count; i++) {
        const struct slt_recorded *c = &past->items[i];
        const struct slt_recorded_change *change = answers(about, c);
        struct group *g = change == NULL ? NULL : group_of(groups, &count, c, alike);
        if (g == NULL) {
            continue;
        }
        g->count++;
        if (g->last == NULL || change->at_ns > g->change->at_ns) {
            g->last = c;
            g->change = change;
        }
    }
    for (size_t i = 0; i < past->count && count > 0; i++) {
        for (size_t g = 0; g < count; g++) {
            groups[g].of += has_ended(&past->items[i]) && alike(groups[g].last, &past->items[i]);
        }
    }
    return count;
}

/* The largest; a count of 0: there is none. */
static struct group find_largest(const struct slt_case *about, question answers, likeness alike)
{
    struct group groups[GROUPS_MAX] = {{.count = 0}};
    struct group largest = {.count = 0};
    size_t count = collect(about, answers, alike, groups);
    for (size_t i = 0; i < count; i++) {
        largest = groups[i].count > largest.count ? groups[i] : largest;
    }
    return largest;
}

static bool is_pattern(const struct slt_case *about, const struct group *g)
{
    return g->count >= about->limits.many && g->count * 100 >= g->of;
}

/* ---- evidence ------------------------------------------------------------------------------- */

static void show(const struct slt_case *about, const struct group *g, struct slt_hit *hit)
{
    hit->count = g->count;
    hit->remembered = true;
    slt_past_seen(about->past, g->last, about->example);
    hit->worst = about->example;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

/* "5.0 s ago", or of a file "5.0 s before its end". */
static void say_when(const struct slt_case *about, const struct group *g, struct slt_hit *hit)
{
    char ago[SLT_DURATION_MAX];
    slt_hit_say(hit, "%s %s", slt_print_duration(about->past->now_ns - g->change->at_ns, ago),
                about->past->over ? "before its end" : "ago");
}

/* A port that connect() chose is not known before there is an answer. */
static void say_last(const struct slt_case *about, const struct group *g, struct slt_hit *hit)
{
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    bool known = g->last->local_port != 0;
    slt_hit_say(hit, "; %s%s%sto %s", g->count == 1 ? "" : "the last: ",
                known ? slt_print_endpoint(&g->last->local, g->last->local_port, local) : "",
                known ? " " : "",
                slt_print_endpoint(&g->last->remote, g->last->remote_port, remote));
    slt_hit_say_owner(hit, hit->worst);
    slt_hit_say(hit, ", ");
    say_when(about, g, hit);
}

/* ---- how programs end connections ------------------------------------------------------------ */

static const struct slt_recorded_change *was_unread(const struct slt_case *about,
                                                    const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, C(UNREAD), 0);
}

static const struct slt_recorded_change *was_lingered(const struct slt_case *about,
                                                      const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, C(LINGER_ZERO), 0);
}

static const struct slt_recorded_change *got_late_data(const struct slt_case *about,
                                                       const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, C(DATA_AFTER_CLOSE), 0);
}

static void judge_habit(const struct slt_case *about, struct slt_hit *hit, question answers,
                        const char *what)
{
    struct group g = find_largest(about, answers, same_program);
    if (!is_pattern(about, &g)) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit, "%" PRId64 " of %" PRId64 " connections of one program %s", g.count, g.of,
                what);
    say_last(about, &g, hit);
}

static void judge_unread(const struct slt_case *about, struct slt_hit *hit)
{
    judge_habit(about, hit, was_unread, "were closed with data unread: the peer was sent RST");
}

static void judge_linger(const struct slt_case *about, struct slt_hit *hit)
{
    judge_habit(about, hit, was_lingered, "were closed with SO_LINGER 0: the peer was sent RST");
}

static void judge_late_data(const struct slt_case *about, struct slt_hit *hit)
{
    judge_habit(about, hit, got_late_data,
                "had data come after they were closed: the peer was sent RST");
}

static const struct slt_recorded_change *was_killed(const struct slt_case *about,
                                                    const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, C(KILLED) | C(UNREAD_KILLED), OPEN);
}

/* That somebody interrupts a client is daily life; servers, and what was not read, are not. */
static void judge_killed(const struct slt_case *about, struct slt_hit *hit)
{
    struct group g = find_largest(about, was_killed, same_process);
    int64_t served = 0;
    int64_t resets = 0;
    for (size_t i = 0; i < about->past->count && g.count > 0; i++) {
        const struct slt_recorded *c = &about->past->items[i];
        if (same_process(c, g.last) && was_killed(about, c) != NULL) {
            served += c->passive == SLT_YES;
            resets += slt_past_find(c, C(UNREAD_KILLED), OPEN) != NULL;
        }
    }
    if (g.count == 0 || (served == 0 && g.count < about->limits.many)) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit,
                "a process was killed by a signal with %" PRId64 " connection%s open: ", g.count,
                plural(g.count));
    slt_hit_say(hit, "%" PRId64 " ended with FIN, %" PRId64 " with RST because data was unread",
                g.count - resets, resets);
    say_last(about, &g, hit);
}

static const struct slt_recorded_change *was_queued(const struct slt_case *about,
                                                    const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, C(LISTENER_CLOSED), OPEN | S(SYN_RECEIVED));
}

static void judge_queued(const struct slt_case *about, struct slt_hit *hit)
{
    struct group g = find_largest(about, was_queued, same_port);
    if (g.count == 0) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit,
                "%" PRId64 " client%s with a complete handshake %s reset: port %u was closed "
                "before they were accepted",
                g.count, plural(g.count), g.count == 1 ? "was" : "were", g.last->local_port);
    say_last(about, &g, hit);
}

static const struct slt_recorded_change *was_destroyed(const struct slt_case *about,
                                                       const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, C(ADMINISTRATOR), 0);
}

static void judge_administrator(const struct slt_case *about, struct slt_hit *hit)
{
    struct group g = find_largest(about, was_destroyed, all_alike);
    if (g.count == 0) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit, "%" PRId64 " connection%s ended by an administrator (ss -K, salut kill)",
                g.count, g.count == 1 ? " was" : "s were");
    say_last(about, &g, hit);
}

/* ---- what peers and the path do -------------------------------------------------------------- */

static const struct slt_recorded_change *was_refused(const struct slt_case *about,
                                                     const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, C(REFUSED), 0);
}

static bool was_established_after(const struct slt_recorded *c, int64_t at_ns)
{
    const struct slt_recorded_change *change = slt_past_find(c, C(SYN_ANSWERED), 0);
    return change != NULL && change->at_ns > at_ns;
}

/* Has anybody reached what is like this one since? */
static bool is_reached_after(const struct slt_case *about, const struct slt_recorded *like,
                             likeness alike, int64_t at_ns)
{
    for (size_t i = 0; i < about->past->count; i++) {
        const struct slt_recorded *c = &about->past->items[i];
        if (alike(c, like) && was_established_after(c, at_ns)) {
            return true;
        }
    }
    return false;
}

static void judge_refused(const struct slt_case *about, struct slt_hit *hit)
{
    char remote[SLT_ENDPOINT_MAX];
    struct group g = find_largest(about, was_refused, same_target);
    if (g.count < about->limits.many ||
        is_reached_after(about, g.last, same_target, g.change->at_ns)) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit, "%" PRId64 " attempts to connect to %s were refused, and none succeeded since",
                g.count, slt_print_endpoint(&g.last->remote, g.last->remote_port, remote));
    say_last(about, &g, hit);
}

static void judge_reset_syn(const struct slt_case *about, struct slt_hit *hit)
{
    struct group g = find_largest(about, was_refused, all_alike);
    if (g.count == 0) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit, "%" PRId64 " SYN%s of this host %s answered with RST", g.count,
                plural(g.count), g.count == 1 ? "was" : "were");
    say_last(about, &g, hit);
}

static const struct slt_recorded_change *was_given_up(const struct slt_case *about,
                                                      const struct slt_recorded *c)
{
    (void)about;
    return slt_past_find(c, TIMEOUTS, OPEN);
}

static void judge_given_up(const struct slt_case *about, struct slt_hit *hit)
{
    static const struct {
        uint64_t cause;
        const char *what;
    } ways[] = {
        {C(RETRANSMIT_TIMEOUT), "what was sent was not acknowledged"},
        {C(KEEPALIVE_TIMEOUT), "keep-alive probes were not answered"},
        {C(PROBE_TIMEOUT), "probes of a closed window were not answered"},
    };
    struct group g = find_largest(about, was_given_up, same_host);
    if (g.count == 0) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit, "%" PRId64 " connection%s to one host %s given up", g.count, plural(g.count),
                g.count == 1 ? "was" : "were");
    for (size_t w = 0; w < SLT_ARRAY_COUNT(ways); w++) {
        int64_t count = 0;
        for (size_t i = 0; i < about->past->count; i++) {
            const struct slt_recorded *c = &about->past->items[i];
            count += same_host(c, g.last) && slt_past_find(c, ways[w].cause, OPEN) != NULL;
        }
        if (count > 0) {
            slt_hit_say(hit, ", %" PRId64 " because %s", count, ways[w].what);
        }
    }
    say_last(about, &g, hit);
}

/* The peer knows nothing of the connection: silence for long, something sent, a RST at once. */
static const struct slt_recorded_change *was_forgotten(const struct slt_case *about,
                                                       const struct slt_recorded *c)
{
    const struct slt_recorded_change *reset = slt_past_find(c, C(RST_RECEIVED), OPEN);
    bool idle = c->heard_ns != 0 && c->data_ns - c->heard_ns >= about->limits.silent_ns;
    int64_t after_ns = reset == NULL ? 0 : reset->at_ns - c->data_ns;
    bool answered = after_ns > -SLT_NS_PER_S && after_ns < 2 * SLT_NS_PER_S;
    return idle && answered ? reset : NULL;
}

static void judge_forgotten(const struct slt_case *about, struct slt_hit *hit)
{
    char idle[SLT_DURATION_MAX];
    struct group g = find_largest(about, was_forgotten, same_host);
    if (g.count == 0) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit,
                "%" PRId64 " connection%s reset by the peer as soon as something was sent "
                "after %s of silence",
                g.count, g.count == 1 ? " was" : "s were",
                slt_print_duration(g.last->data_ns - g.last->heard_ns, idle));
    say_last(about, &g, hit);
}

/* Silence for long, something sent, and silence still: no RST, for who dropped it says nothing. */
static const struct slt_recorded_change *was_dropped(const struct slt_case *about,
                                                     const struct slt_recorded *c)
{
    const struct slt_recorded_change *end = slt_past_find(c, C(RETRANSMIT_TIMEOUT), 0);
    bool idle = c->heard_ns != 0 && c->retry_began_ns - c->heard_ns >= about->limits.silent_ns;
    return idle ? end : NULL;
}

static void judge_dropped(const struct slt_case *about, struct slt_hit *hit)
{
    char idle[SLT_DURATION_MAX];
    struct group g = find_largest(about, was_dropped, same_host);
    if (g.count == 0 || !is_reached_after(about, g.last, same_host, g.last->retry_began_ns)) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit,
                "%" PRId64 " connection%s never answered again after %s of silence, while new "
                "ones to the same host are",
                g.count, g.count == 1 ? " was" : "s were",
                slt_print_duration(g.last->retry_began_ns - g.last->heard_ns, idle));
    say_last(about, &g, hit);
}

static const struct slt_recorded_change *met_old(const struct slt_case *about,
                                                 const struct slt_recorded *c)
{
    (void)about;
    return c->odd_answers == 0 ? NULL : slt_past_find(c, C(SYN_ANSWERED) | C(CONNECT), 0);
}

static void judge_old(const struct slt_case *about, struct slt_hit *hit)
{
    struct group g = find_largest(about, met_old, same_target);
    if (g.count == 0) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit,
                "%" PRId64 " SYN%s of this host met an older connection of the same ports at the "
                "peer: it answered with that one's ACK, and was sent RST",
                g.count, plural(g.count));
    say_last(about, &g, hit);
}

/* ---- habits of programs ---------------------------------------------------------------------- */

static const struct slt_recorded_change *was_in_use(const struct slt_case *about,
                                                    const struct slt_recorded *c)
{
    const struct slt_recorded_change *failed = slt_past_find(c, C(ADDRESS_IN_USE), 0);
    for (size_t i = 0; i < about->past->count && failed != NULL; i++) {
        const struct slt_recorded_change *listens =
            slt_past_find(&about->past->items[i], C(LISTEN), 0);
        if (listens != NULL && listens->pid == failed->pid && listens->at_ns > failed->at_ns) {
            return NULL; /* it found another port, or waited */
        }
    }
    return failed;
}

static void judge_in_use(const struct slt_case *about, struct slt_hit *hit)
{
    struct group g = find_largest(about, was_in_use, same_process);
    if (g.count == 0) {
        return;
    }
    show(about, &g, hit);
    hit->count = g.last->change_count;
    slt_hit_say(hit, "bind() or listen() failed %" PRId64 " time%s because the address is in use,",
                hit->count, plural(hit->count));
    slt_hit_say_owner(hit, hit->worst);
    slt_hit_say(hit, "; the last time ");
    say_when(about, &g, hit);
    slt_hit_say(hit, ", and it does not listen since");
}

/* ... and APP-1: all idle connections of a port are closed after the same time. */
#define IDLES_MAX  512U
#define IDLES_FROM 5
#define NEAR_NS    (300 * SLT_NS_PER_MS)

static const struct slt_recorded_change *was_closed_idle(const struct slt_case *about,
                                                         const struct slt_recorded *c)
{
    (void)about;
    const struct slt_recorded_change *end =
        slt_past_find(c, C(CLOSE) | C(SHUTDOWN), S(ESTABLISHED));
    bool knows = end != NULL && c->passive == SLT_YES && c->data_ns != 0;
    return knows && end->at_ns - c->data_ns >= SLT_NS_PER_S ? end : NULL;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The peak of how long they were idle. */
struct peak {
    int64_t idle_ns;
    int64_t within; /* of `count`, near it */
    int64_t count;
    int64_t first_ns, last_ns; /* closed */
};

static struct peak find_peak(const struct slt_case *about, const struct slt_recorded *like)
{
    int64_t idles[IDLES_MAX];
    struct peak peak = {.first_ns = INT64_MAX};
    for (size_t i = 0; i < about->past->count && peak.count < (int64_t)IDLES_MAX; i++) {
        const struct slt_recorded *c = &about->past->items[i];
        const struct slt_recorded_change *end = was_closed_idle(about, c);
        if (end != NULL && same_port(c, like)) {
            idles[peak.count++] = end->at_ns - c->data_ns;
            peak.first_ns = end->at_ns < peak.first_ns ? end->at_ns : peak.first_ns;
            peak.last_ns = end->at_ns > peak.last_ns ? end->at_ns : peak.last_ns;
        }
    }
    qsort(idles, (size_t)peak.count, sizeof(idles[0]), by_value);
    peak.idle_ns = peak.count > 0 ? idles[peak.count / 2] : 0;
    int64_t near_ns = peak.idle_ns / 20 > NEAR_NS ? peak.idle_ns / 20 : NEAR_NS;
    for (int64_t i = 0; i < peak.count; i++) {
        int64_t off_ns = idles[i] - peak.idle_ns;
        peak.within += off_ns <= near_ns && off_ns >= -near_ns;
    }
    return peak;
}

static void judge_idle_limit(const struct slt_case *about, struct slt_hit *hit)
{
    char idle[SLT_DURATION_MAX];
    struct group g = find_largest(about, was_closed_idle, same_port);
    if (g.count < IDLES_FROM) {
        return;
    }
    struct peak peak = find_peak(about, g.last);
    /* All closed in one moment are the end of a server and no limit. */
    bool one_by_one = peak.last_ns - peak.first_ns > NEAR_NS;
    if (!one_by_one || peak.within * 10 < peak.count * 8) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit,
                "port %u closes connections that were idle for %s: %" PRId64 " of %" PRId64
                " it closed idle",
                g.last->local_port, slt_print_duration(peak.idle_ns, idle), peak.within,
                peak.count);
    say_last(about, &g, hit);
}

/* ... and APP-3: a connection for each request. */
#define SHORT_FROM    100
#define SHORT_A_S     10
#define SHORT_LIFE_NS SLT_NS_PER_S

static const struct slt_recorded_change *was_short(const struct slt_case *about,
                                                   const struct slt_recorded *c)
{
    (void)about;
    const struct slt_recorded_change *end = slt_past_find(c, ~UINT64_C(0), S(ESTABLISHED));
    bool knows = end != NULL && c->passive == SLT_NO && c->opened_ns != 0;
    return knows && end->at_ns - c->opened_ns < SHORT_LIFE_NS ? end : NULL;
}

static void judge_short(const struct slt_case *about, struct slt_hit *hit)
{
    char life[SLT_DURATION_MAX];
    char remote[SLT_ENDPOINT_MAX];
    struct group g = find_largest(about, was_short, same_errand);
    int64_t first_ns = INT64_MAX;
    int64_t lives_ns = 0;
    if (g.count < SHORT_FROM) {
        return;
    }
    for (size_t i = 0; i < about->past->count; i++) {
        const struct slt_recorded *c = &about->past->items[i];
        const struct slt_recorded_change *end = was_short(about, c);
        if (end != NULL && same_errand(c, g.last)) {
            first_ns = c->opened_ns < first_ns ? c->opened_ns : first_ns;
            lives_ns += end->at_ns - c->opened_ns;
        }
    }
    int64_t span_ns = g.change->at_ns - first_ns;
    int64_t a_second = span_ns > 0 ? g.count * SLT_NS_PER_S / span_ns : g.count;
    if (a_second < SHORT_A_S) {
        return;
    }
    show(about, &g, hit);
    slt_hit_say(hit,
                "%" PRId64 " connections to %s lived %s on average, %" PRId64 " a second: one for "
                "each request",
                g.count, slt_print_endpoint(&g.last->remote, g.last->remote_port, remote),
                slt_print_duration(lives_ns / g.count, life), a_second);
    say_last(about, &g, hit);
}

const struct slt_judgement slt_judge_recorder[] = {
    {SLT_FIND_SYN_3, judge_refused},   {SLT_FIND_SYN_7, judge_in_use},
    {SLT_FIND_TW_4, judge_old},        {SLT_FIND_HC_1, judge_late_data},
    {SLT_FIND_RST_1, judge_unread},    {SLT_FIND_RST_2, judge_linger},
    {SLT_FIND_RST_3, judge_forgotten}, {SLT_FIND_RST_4, judge_killed},
    {SLT_FIND_RST_7, judge_given_up},  {SLT_FIND_RST_8, judge_reset_syn},
    {SLT_FIND_RST_11, judge_queued},   {SLT_FIND_ADM_1, judge_administrator},
    {SLT_FIND_NAT_1, judge_dropped},   {SLT_FIND_APP_1, judge_idle_limit},
    {SLT_FIND_APP_3, judge_short},     {SLT_FIND_COUNT, NULL},
};
