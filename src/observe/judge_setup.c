/* Findings about connections that are being opened: SYN-n, SR-n, HS-n of findings.def. */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/endpoint.h"
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
        for (size_t i = 0; i < about->look->list.count; i++) {
            const struct slt_seen *seen = &about->look->list.items[i];
            if (seen->state == SALUT_STATE_SYN_SENT && seen->pid == first->pid &&
                seen->remote_port == first->remote_port) {
                slt_hit_mark(about, hit, seen);
            }
        }
        slt_hit_say(hit, "%" PRId64 " hosts are asked for port %u, and none has answered", hosts,
                    first->remote_port);
        slt_hit_say_owner(hit, first);
    }
}

static void judge_one_host(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_ENDPOINT_MAX];
    size_t examined = slt_judge_examined(about, EXAMINED_MAX);
    for (size_t i = 0; i < examined; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        int64_t count = waits_for_answer(about, seen) ? count_alike(about, seen) : 0;
        if (count >= about->limits.many && count > hit->count) {
            hit->count = count;
            hit->worst = seen;
        }
    }
    for (size_t i = 0; i < about->look->list.count && hit->count > 0; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (waits_for_answer(about, seen) && slt_judge_same_host(seen, hit->worst) &&
            seen->remote_port == hit->worst->remote_port) {
            slt_hit_mark(about, hit, seen);
        }
    }
    if (hit->count > 0) {
        slt_hit_say(hit, "%" PRId64 " connections to %s have had no answer to their SYN",
                    hit->count,
                    slt_print_endpoint(&hit->worst->remote, hit->worst->remote_port, text));
        slt_hit_say_owner(hit, hit->worst);
        slt_hit_say(hit, ", the SYN sent again %u times", hit->worst->retries);
    }
}

/* ---- the SYN answered late, or not by SYN,ACK ----------------------------------------------- */

static bool is_outgoing(const struct slt_case *about, const struct slt_seen *seen)
{
    return slt_judge_is_open(seen) && seen->passive != SLT_YES &&
           slt_judge_listener_of(about, seen) == NULL;
}

/* What was sent again held no data, so it was the SYN. */
static bool opened_late(const struct slt_case *about, const struct slt_seen *seen)
{
    return seen->retransmits > 0 && seen->bytes_retransmitted == 0 && is_outgoing(about, seen);
}

static void judge_late_open(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_hit all = {.count = 0};
    int64_t most = 0;
    slt_hit_count(about, opened_late, hit);
    slt_hit_count(about, is_outgoing, &all);
    if (hit->count < about->limits.many || hit->count * 10 < all.count) {
        hit->count = 0; /* a SYN gets lost now and then */
        return;
    }
    for (size_t i = 0; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (opened_late(about, seen) && seen->retransmits > most) {
            most = seen->retransmits;
            hit->worst = seen;
        }
    }
    slt_hit_tell(hit, "of those opened here had no answer to their first SYN");
    slt_hit_say(hit,
                "; it was sent again %" PRId64 " time%s, so connect() took at least %" PRId64
                " s; %" PRId64 " connections were opened in all",
                most, most == 1 ? "" : "s", most, all.count);
}

/* Segments came, and none was the SYN,ACK that would have ended the wait. */
static bool is_answered_oddly(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_SYN_SENT && seen->retries >= 1 && seen->segs_in > 0;
}

static void judge_odd_answer(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t fine = 0;
    slt_hit_count(about, is_answered_oddly, hit);
    if (hit->count == 0) {
        return;
    }
    for (size_t i = 0; i < slt_judge_total(about); i++) {
        const struct slt_seen *seen = slt_judge_record(about, i);
        fine += slt_judge_is_open(seen) && slt_judge_same_host(seen, hit->worst) &&
                seen->remote_port == hit->worst->remote_port;
    }
    slt_hit_tell(hit, "get answers to their SYN that are no SYN,ACK, as of a connection that the "
                      "peer still has");
    slt_hit_say(hit,
                "; %" PRId64 " such answers to %u SYNs from port %u, while %" PRId64
                " connections to the same service are open",
                hit->worst->segs_in, hit->worst->retries + 1U, hit->worst->local_port, fine);
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

static void mark_half_open(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_hit all = {.marks = hit->marks};
    slt_hit_count(about, is_half_open, &all);
}

static void judge_flood(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_hit all = {.count = 0};
    int64_t cookies = count_cookies(about);
    slt_hit_count(about, is_half_open, &all);
    if (all.count >= about->limits.flood || cookies > 0) {
        hit->count = all.count > 0 ? all.count : cookies;
        mark_half_open(about, hit);
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

/* A cookie has room for the MSS alone; with timestamps for the other options as well. */
static bool lacks_options(const struct slt_case *about, const struct slt_seen *seen)
{
    return slt_judge_is_open(seen) && seen->sack == SLT_NO && seen->window_scale == SLT_NO &&
           seen->timestamps == SLT_NO && slt_judge_listener_of(about, seen) != NULL;
}

static void judge_cookies(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t cookies = slt_judge_rise(about, SLT_COUNTER_cookies_received);
    if (cookies <= 0) {
        return;
    }
    slt_hit_count(about, lacks_options, hit);
    if (hit->count < about->limits.many) {
        hit->count = 0; /* some peer or other has no options to offer */
        return;
    }
    slt_hit_tell(hit, "have neither window scaling nor selective acknowledgements");
    slt_hit_say(hit,
                "; %" PRId64 " connections were made of SYN cookies just now, which keep "
                "neither without timestamps",
                cookies);
}

/* ---- complete, but nobody has it ------------------------------------------------------------ */

static bool is_left_waiting(const struct slt_case *about, const struct slt_seen *seen)
{
    /* A stack of ours knows since when it has been complete, and that is what counts. */
    const struct slt_seen_span *since =
        seen->source == SLT_SOURCE_STACK ? &seen->age : &seen->silent;
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

static bool is_left_unread(const struct slt_case *about, const struct slt_seen *seen)
{
    return seen->state == SALUT_STATE_ESTABLISHED && seen->kind == SLT_SEEN_CONN &&
           seen->accepted == SLT_YES && seen->unread > 0 &&
           slt_judge_lasts(&seen->idle, about->limits.silent_ns);
}

static void judge_unread_request(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_DURATION_MAX];
    slt_hit_count(about, is_left_unread, hit);
    slt_hit_tell(hit, "have data that was acknowledged and not read by their program");
    if (hit->count > 0) {
        slt_hit_say(hit, "; %" PRId64 " bytes have waited, and nothing was sent, for %s",
                    hit->worst->unread, slt_print_duration(hit->worst->idle.ns, text));
    }
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
    {SLT_FIND_SYN_4, judge_late_open},
    {SLT_FIND_SYN_5, judge_odd_answer},
    {SLT_FIND_SR_1, judge_flood},
    {SLT_FIND_SR_2, judge_lost_handshakes},
    {SLT_FIND_SR_3, judge_broken_handshakes},
    {SLT_FIND_SR_4, judge_cookies},
    {SLT_FIND_HS_1, judge_unaccepted},
    {SLT_FIND_HS_2, judge_unread_request},
    {SLT_FIND_HS_4, judge_fast_open},
    {SLT_FIND_COUNT, NULL},
};
