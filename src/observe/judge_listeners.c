/* Findings about listeners: LIS-n of findings.def. */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/endpoint.h"

#include <inttypes.h>
#include <string.h>

static bool is_full(const struct slt_seen *seen)
{
    return seen->kind == SLT_SEEN_LISTENER && seen->queue > 0 && seen->queue_limit >= 0 &&
           seen->queue > seen->queue_limit;
}

static const struct slt_seen *first_full(const struct slt_case *about)
{
    for (size_t i = 0; i < about->look->list.count; i++) {
        if (is_full(&about->look->list.items[i])) {
            return &about->look->list.items[i];
        }
    }
    return NULL;
}

static void say_listener(struct slt_hit *hit, const struct slt_seen *listener)
{
    char text[SLT_ENDPOINT_MAX];
    slt_hit_say(hit, "the listener at %s",
                slt_print_endpoint(&listener->local, listener->local_port, text));
    slt_hit_say_owner(hit, listener);
}

static void judge_overflow(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t overflows = slt_judge_rise(about, SLT_COUNTER_listen_overflows);
    const struct slt_seen *full = first_full(about);
    if (full == NULL && overflows == 0) {
        return;
    }
    hit->worst = full;
    hit->count = overflows > 0 ? overflows : 1;
    if (full != NULL) {
        say_listener(hit, full);
        slt_hit_say(hit, " holds %" PRId64 " complete connections, its limit is %" PRId64,
                    full->queue, full->queue_limit);
        if (full->drops > 0) {
            slt_hit_say(hit, ", it lost %" PRId64 " attempts so far", full->drops);
        }
    }
    if (overflows > 0) {
        slt_hit_say(hit, "%s%" PRId64 " attempts met a full queue just now", full ? "; " : "",
                    overflows);
    }
}

static void judge_other_drops(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t drops = slt_judge_rise(about, SLT_COUNTER_listen_drops);
    int64_t known = slt_judge_rise(about, SLT_COUNTER_listen_overflows) +
                    slt_judge_rise(about, SLT_COUNTER_request_queue_drops);
    if (drops > known) {
        hit->count = drops - known;
        slt_hit_say(hit,
                    "listeners lost %" PRId64 " attempts just now, %" PRId64
                    " of them for other causes than a full queue",
                    drops, hit->count);
    }
}

/* The queue does not move because its owner does not run. */
static void judge_stopped_owner(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_process process;
    for (size_t i = 0; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (seen->kind != SLT_SEEN_LISTENER || seen->queue <= 0 || seen->pid == SLT_UNKNOWN) {
            continue;
        }
        slt_process_read(seen->pid, &process);
        if (process.state == 'T' || process.state == 't') {
            hit->count++;
            slt_hit_mark(about, hit, seen);
            hit->worst = seen;
        }
    }
    if (hit->count > 0) {
        say_listener(hit, hit->worst);
        slt_hit_say(hit, " has %" PRId64 " connections waiting, and its process is stopped",
                    hit->worst->queue);
    }
}

/* A server's program lies in a directory of programs, and is still there. */
static bool is_odd_program(const struct slt_process *process)
{
    static const char *const places[] = {"/tmp/", "/var/tmp/", "/dev/shm/", "/memfd:"};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(places); i++) {
        if (strncmp(process->program, places[i], strlen(places[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void judge_unexpected(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_process process;
    char text[SLT_ENDPOINT_MAX];
    for (size_t i = 0; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (seen->kind != SLT_SEEN_LISTENER || seen->pid == SLT_UNKNOWN ||
            seen->source != SLT_SOURCE_KERNEL) {
            continue;
        }
        slt_process_read(seen->pid, &process);
        if (!is_odd_program(&process)) {
            continue;
        }
        hit->count++;
        slt_hit_mark(about, hit, seen);
        hit->worst = seen;
        if (hit->count == 1) {
            say_listener(hit, seen);
            slt_hit_say(hit, " is a program from an unusual place: %s", process.program);
        } else {
            slt_hit_say(hit, ", also %s", slt_print_endpoint(&seen->local, seen->local_port, text));
        }
    }
}

static void judge_abort_setting(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t overflows = slt_judge_rise(about, SLT_COUNTER_listen_overflows);
    if (about->host.abort_on_overflow == 1 && overflows > 0) {
        hit->count = overflows;
        slt_hit_say(hit,
                    "net.ipv4.tcp_abort_on_overflow is 1, and %" PRId64
                    " connections met a full queue just now: they were reset",
                    overflows);
    }
}

static bool share_port(const struct slt_seen *a, const struct slt_seen *b)
{
    return b->kind == SLT_SEEN_LISTENER && a != b && a->local_port == b->local_port &&
           a->family == b->family && memcmp(a->local.b, b->local.b, sizeof(a->local.b)) == 0;
}

static void judge_imbalance(const struct slt_case *about, struct slt_hit *hit)
{
    const struct slt_seen *full = first_full(about);
    for (size_t i = 0; full != NULL && i < about->look->list.count; i++) {
        const struct slt_seen *other = &about->look->list.items[i];
        if (share_port(full, other) && other->queue == 0) {
            hit->count++;
            hit->worst = full;
        }
    }
    if (hit->count > 0) {
        say_listener(hit, full);
        slt_hit_say(hit, " is full, while %" PRId64 " others of the same port have nothing to do",
                    hit->count);
    }
}

static void judge_descriptors(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_process process;
    for (size_t i = 0; i < about->look->list.count && hit->count == 0; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (seen->kind != SLT_SEEN_LISTENER || seen->queue <= 0 || seen->pid == SLT_UNKNOWN) {
            continue;
        }
        slt_process_read(seen->pid, &process);
        if (process.fds != SLT_UNKNOWN && process.fds_max > 0 && process.fds >= process.fds_max) {
            hit->count = 1;
            hit->worst = seen;
            say_listener(hit, seen);
            slt_hit_say(hit,
                        " has %" PRId64 " descriptors open, its limit is %" PRId64
                        ": accept() fails, %" PRId64 " connections wait",
                        process.fds, process.fds_max, seen->queue);
        }
    }
}

const struct slt_judgement slt_judge_listeners[] = {
    {SLT_FIND_LIS_1, judge_overflow},      {SLT_FIND_LIS_2, judge_other_drops},
    {SLT_FIND_LIS_3, judge_stopped_owner}, {SLT_FIND_LIS_4, judge_unexpected},
    {SLT_FIND_LIS_5, judge_abort_setting}, {SLT_FIND_LIS_6, judge_imbalance},
    {SLT_FIND_LIS_7, judge_descriptors},   {SLT_FIND_COUNT, NULL},
};
