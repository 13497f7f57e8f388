/* Findings about connections that are being opened: SYN-n, SR-n, HS-n of findings.def. */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/why.h"

#include <inttypes.h>
#include <string.h>

#define SWEEP_HOSTS 10U /* so many hosts asked on one port are a sweep */
/* Records compared with one another: more add nothing to the verdict. */
#define EXAMINED_MAX 2000U

static bool waits_for_answer(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_SYN_SENT && seen->retries >= 1;
}

/* How many of those that wait go to the same place. */
static int64_t count_alike(const struct slt_case *about, const struct slt_seen *one)
{
    int64_t count = 0;
    for (size_t i = 0; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        count += waits_for_answer(about, seen) && slt_judge_same_host(seen, one) &&
                 seen->remote_port == one->remote_port;
    }
    return count;
}

/* How many hosts the program of `one` asks on its port without an answer. */
static int64_t count_hosts(const struct slt_case *about, const struct slt_seen *one)
{
    const struct slt_seen *items = about->look->list.items;
    int64_t hosts = 0;
    size_t count = slt_judge_examined(about, EXAMINED_MAX);
    for (size_t i = 0; i < count; i++) {
        bool counts = items[i].state == SALUT_STATE_SYN_SENT && items[i].pid == one->pid &&
                      items[i].remote_port == one->remote_port;
        for (size_t j = 0; counts && j < i; j++) {
            counts = items[j].state != SALUT_STATE_SYN_SENT ||
                     !slt_judge_same_host(&items[i], &items[j]);
        }
        hosts += counts;
    }
    return hosts;
}

static const struct slt_seen *first_syn_sent(const struct slt_case *about)
{
    for (size_t i = 0; i < about->look->list.count; i++) {
        if (about->look->list.items[i].state == SALUT_STATE_SYN_SENT) {
            return &about->look->list.items[i];
        }
    }
    return NULL;
}

static void judge_many_hosts(const struct slt_case *about, struct slt_hit *hit)
{
    const struct slt_seen *first = first_syn_sent(about);
    int64_t hosts = first == NULL ? 0 : count_hosts(about, first);
    if (hosts >= SWEEP_HOSTS) {
        hit->count = hosts;
        hit->worst = first;
        slt_hit_say(hit, "%" PRId64 " hosts are asked for port %u, and none has answered", hosts,
                    first->remote_port);
        slt_hit_say_owner(hit, first);
    }
}

static void judge_one_host(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_JUDGE_ENDPOINT_MAX];
    size_t examined = slt_judge_examined(about, EXAMINED_MAX);
    for (size_t i = 0; i < examined; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        int64_t count = waits_for_answer(about, seen) ? count_alike(about, seen) : 0;
        if (count >= about->limits.many && count > hit->count) {
            hit->count = count;
            hit->worst = seen;
        }
    }
    if (hit->count > 0) {
        slt_hit_say(hit, "%" PRId64 " connections to %s have had no answer to their SYN",
                    hit->count,
                    slt_judge_endpoint(&hit->worst->remote, hit->worst->remote_port, text));
        slt_hit_say_owner(hit, hit->worst);
        slt_hit_say(hit, ", the SYN sent again %u times", hit->worst->retries);
    }
}

/* ---- half-open ------------------------------------------------------------------------------ */

static bool is_half_open(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->kind == SLT_SEEN_HALF_OPEN;
}

static bool is_half_open_for_long(const struct slt_case *about, const struct slt_seen *seen)
{
    return is_half_open(about, seen) && seen->retries >= 1;
}

static int64_t count_cookies(const struct slt_case *about)
{
    return slt_judge_rise(about, SLT_COUNTER_cookies_sent) +
           slt_judge_rise(about, SLT_COUNTER_request_queue_cookies) +
           slt_judge_rise(about, SLT_COUNTER_request_queue_drops);
}

static void judge_flood(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_hit all = {.count = 0};
    int64_t cookies = count_cookies(about);
    slt_hit_count(about, is_half_open, &all);
    if (all.count >= about->limits.flood || cookies > 0) {
        hit->count = all.count > 0 ? all.count : cookies;
        hit->worst = all.worst;
        slt_hit_say(hit, "%" PRId64 " connections are half open", all.count);
        if (all.worst != NULL) {
            slt_hit_say(hit, " at port %u", all.worst->local_port);
        }
        slt_hit_say(hit, "; SYN cookies or drops just now: %" PRId64, cookies);
    }
}

static void judge_lost_handshakes(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_hit flood = {.count = 0};
    judge_flood(about, &flood);
    if (flood.count > 0) {
        return; /* they are part of it */
    }
    slt_hit_count(about, is_half_open_for_long, hit);
    if (hit->count < about->limits.many) {
        hit->count = 0;
    }
    slt_hit_tell(hit, "wait for the ACK that completes the handshake, though SYN,ACK was sent "
                      "again");
}

static void judge_broken_handshakes(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t resets = slt_judge_rise(about, SLT_COUNTER_embryonic_resets);
    if (resets >= 10) {
        hit->count = resets;
        slt_hit_say(hit, "%" PRId64 " half-open connections were reset by the peer just now",
                    resets);
    }
}

/* ---- complete, but nobody has it ------------------------------------------------------------ */

static bool is_left_waiting(const struct slt_case *about, const struct slt_seen *seen)
{
    /* A stack of ours knows since when it has been complete, and that is what counts. */
    const struct slt_span *since = seen->source == SLT_SOURCE_STACK ? &seen->age : &seen->silent;
    return seen->accepted == SLT_NO && slt_judge_lasts(since, about->limits.unaccepted_ns);
}

static void judge_unaccepted(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_process process;
    slt_hit_count(about, is_left_waiting, hit);
    slt_hit_tell(hit, "completed the handshake, and the program has not called accept()");
    const struct slt_seen *listener =
        hit->count > 0 ? slt_judge_listener_of(about, hit->worst) : NULL;
    if (listener == NULL) {
        return;
    }
    slt_hit_say(hit, "; the listener at port %u belongs", listener->local_port);
    if (listener->pid == SLT_UNKNOWN) {
        slt_hit_say(hit, " to a program that may not be seen");
        return;
    }
    slt_process_read(listener->pid, &process);
    slt_hit_say(hit, " to %s(%d)%s", listener->program, listener->pid,
                process.state == 'T'   ? ", which is stopped"
                : process.state == 'D' ? ", which hangs in the kernel"
                                       : "");
}

static void judge_fast_open(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t failures = slt_judge_rise(about, SLT_COUNTER_fast_open_failures);
    if (failures > 0) {
        hit->count = failures;
        slt_hit_say(hit, "%" PRId64 " fast opens went without their data just now", failures);
    }
}

const struct slt_judgement slt_judge_setup[] = {
    {SLT_FIND_SYN_1, judge_one_host},
    {SLT_FIND_SYN_2, judge_many_hosts},
    {SLT_FIND_SR_1, judge_flood},
    {SLT_FIND_SR_2, judge_lost_handshakes},
    {SLT_FIND_SR_3, judge_broken_handshakes},
    {SLT_FIND_HS_1, judge_unaccepted},
    {SLT_FIND_HS_4, judge_fast_open},
    {SLT_FIND_COUNT, NULL},
};
