/* Findings about connections that are being closed: CW-n, FW1-n, FW2-n, CLS-1, LA-1, TW-n, ZW-4. */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/endpoint.h"
#include "observe/settings_linux.h"
#include "observe/why.h"

#include <inttypes.h>
#include <string.h>

#define LINGERS_NS   (5 * SLT_NS_PER_S) /* what lasts as long is no passing state */
#define EXAMINED_MAX 2000U

static int64_t to_deliver(const struct slt_seen *seen)
{
    return (seen->unacked > 0 ? seen->unacked : 0) + (seen->unsent > 0 ? seen->unsent : 0);
}

static bool is_stuck_close_wait(const struct slt_case *about, const struct slt_seen *seen)
{
    return seen->state == SALUT_STATE_CLOSE_WAIT && seen->accepted != SLT_NO &&
           to_deliver(seen) == 0 && slt_judge_lasts(&seen->age, about->limits.close_wait_ns);
}

static void judge_close_wait(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_stuck_close_wait, hit);
    slt_hit_tell(hit, "were closed by the peer and not by the program here");
    if (hit->count == 0) {
        return;
    }
    if (hit->worst->fd != SLT_UNKNOWN) {
        slt_hit_say(hit, " (descriptor %d)", hit->worst->fd);
    }
    slt_hit_say(hit, "; %s",
                hit->worst->unread > 0 ? "data is unread: the program is stuck, or reads no more"
                : hit->worst->fin_unread == SLT_YES
                    ? "the end of the stream is unread: the program does not look at the socket"
                    : "everything was read: close() is missing");
}

static bool is_sending_close_wait(const struct slt_case *about, const struct slt_seen *seen)
{
    return seen->state == SALUT_STATE_CLOSE_WAIT && to_deliver(seen) > 0 &&
           slt_judge_lasts(&seen->age, about->limits.close_wait_ns);
}

static void judge_sending_close_wait(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_sending_close_wait, hit);
    slt_hit_tell(hit, "were closed by the peer, and the answer is still being sent");
}

static bool is_other_end(const struct slt_seen *a, const struct slt_seen *b)
{
    return a->local_port == b->remote_port && a->remote_port == b->local_port &&
           memcmp(a->local.b, b->remote.b, 16) == 0 && memcmp(a->remote.b, b->local.b, 16) == 0;
}

/* Only of a peer on this machine can it be known that it is no more. */
static bool has_lost_its_peer(const struct slt_case *about, const struct slt_seen *seen)
{
    if (seen->state != SALUT_STATE_CLOSE_WAIT || seen->source != SLT_SOURCE_KERNEL ||
        !slt_judge_is_local(seen) || !slt_judge_lasts(&seen->age, about->limits.close_wait_ns)) {
        return false;
    }
    for (size_t i = 0; i < slt_judge_total(about); i++) {
        if (is_other_end(slt_judge_record(about, i), seen)) {
            return false;
        }
    }
    return true;
}

static void judge_lost_peer(const struct slt_case *about, struct slt_hit *hit)
{
    size_t examined = slt_judge_examined(about, EXAMINED_MAX);
    for (size_t i = 0; i < examined; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (has_lost_its_peer(about, seen)) {
            hit->count++;
            slt_hit_mark(about, hit, seen);
            hit->worst = hit->worst == NULL ? seen : hit->worst; /* the oldest stand first */
        }
    }
    slt_hit_tell(hit, "are in CLOSE-WAIT, and the other end, on this machine, exists no more: what "
                      "is sent now is answered with a reset");
}

static bool is_fin_unanswered(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_FIN_WAIT_1 && seen->timer == SLT_SEEN_TIMER_RETRANSMIT &&
           seen->retries >= 1;
}

static void judge_fin_wait_1(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_fin_unanswered, hit);
    slt_hit_tell(hit, "were closed here, and the peer acknowledges neither data nor FIN");
    if (hit->count > 0) {
        slt_hit_say(hit, "; sent again %u times, %" PRId64 " bytes undelivered",
                    hit->worst->retries, to_deliver(hit->worst));
    }
}

static bool is_fin_shut_out(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_FIN_WAIT_1 && seen->timer == SLT_SEEN_TIMER_PERSIST &&
           seen->orphan != SLT_NO;
}

/* The program has it still, so nothing bounds the wait. */
static bool is_shutdown_shut_out(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_FIN_WAIT_1 && seen->timer == SLT_SEEN_TIMER_PERSIST &&
           seen->orphan == SLT_NO;
}

static void judge_shutdown_shut_out(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_shutdown_shut_out, hit);
    slt_hit_tell(hit, "were shut down for sending here, but the peer's window is closed: the FIN "
                      "cannot be sent, and the program waits with it");
    if (hit->count > 0) {
        slt_hit_say(hit, "; %" PRId64 " bytes are before it", to_deliver(hit->worst));
    }
}

static void judge_fin_shut_out(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_fin_shut_out, hit);
    slt_hit_tell(hit, "were closed here, but the peer's window is closed: the FIN cannot be sent");
}

/* A stack of ours knows the age; of the kernel's, the timer began at tcp_fin_timeout. */
static bool is_half_closed_orphan(const struct slt_case *about, const struct slt_seen *seen)
{
    bool orphan = seen->state == SALUT_STATE_FIN_WAIT_2 && seen->timer == SLT_SEEN_TIMER_FIN_WAIT_2;
    int64_t whole_ns = about->host.fin_timeout_s * SLT_NS_PER_S;
    if (seen->source == SLT_SOURCE_STACK) {
        return orphan && slt_judge_lasts(&seen->age, LINGERS_NS);
    }
    return orphan && seen->timer_in.how == SLT_SPAN_EXACT &&
           whole_ns - seen->timer_in.ns >= LINGERS_NS;
}

static void judge_fin_wait_2(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_DURATION_MAX];
    slt_hit_count(about, is_half_closed_orphan, hit);
    slt_hit_tell(hit, "were closed here, and the peer's program has not closed");
    if (hit->count > 0) {
        slt_hit_say(hit, "; it is dropped in %s",
                    slt_print_duration(hit->worst->timer_in.ns, text));
    }
}

static bool is_half_closed(const struct slt_case *about, const struct slt_seen *seen)
{
    bool has_program = seen->inode != 0 || seen->source == SLT_SOURCE_STACK;
    return seen->state == SALUT_STATE_FIN_WAIT_2 && seen->orphan != SLT_YES && has_program &&
           seen->kind == SLT_SEEN_CONN && slt_judge_lasts(&seen->age, about->limits.close_wait_ns);
}

static void judge_half_closed(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_half_closed, hit);
    slt_hit_tell(hit, "were shut down for sending here, and wait for the peer without a limit");
}

static bool is_stuck_closing(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_CLOSING &&
           (seen->retries >= 1 || slt_judge_lasts(&seen->age, LINGERS_NS));
}

static void judge_closing(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_stuck_closing, hit);
    slt_hit_tell(hit, "were closed by both ends at the same time, and our FIN is not acknowledged");
}

static bool is_stuck_last_ack(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_LAST_ACK && seen->retries >= 1;
}

static void judge_last_ack(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_stuck_last_ack, hit);
    slt_hit_tell(hit, "wait for the last ACK of a peer that has gone");
    if (hit->count > 0) {
        slt_hit_say(hit, "; the FIN was sent again %u times", hit->worst->retries);
    }
}

/* ---- TIME-WAIT ------------------------------------------------------------------------------ */

static bool is_served_time_wait(const struct slt_case *about, const struct slt_seen *seen)
{
    return seen->state == SALUT_STATE_TIME_WAIT && slt_judge_listener_of(about, seen) != NULL;
}

static void judge_server_time_wait(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_served_time_wait, hit);
    if (hit->count < about->limits.time_waits) {
        hit->count = 0;
        return;
    }
    slt_hit_say(hit,
                "%" PRId64 " connections to port %u and others are in TIME-WAIT: this side "
                "closes first",
                hit->count, hit->worst->local_port);
}

static void mark_time_waits(const struct slt_case *about, const struct slt_seen *one,
                            struct slt_hit *hit)
{
    for (size_t i = 0; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (seen->state == SALUT_STATE_TIME_WAIT && slt_judge_same_host(seen, one) &&
            seen->remote_port == one->remote_port) {
            slt_hit_mark(about, hit, seen);
        }
    }
}

static void judge_client_time_wait(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_ENDPOINT_MAX];
    const struct slt_seen *items = about->look->list.items;
    size_t examined = about->look->list.count;
    /* Whoever has a thousand is met by looking at one in a hundred. */
    for (size_t i = 0; i < examined && hit->count == 0; i += 1 + examined / EXAMINED_MAX) {
        int64_t count = 0;
        if (items[i].state != SALUT_STATE_TIME_WAIT ||
            slt_judge_listener_of(about, &items[i]) != NULL) {
            continue;
        }
        for (size_t j = 0; j < examined; j++) {
            count += items[j].state == SALUT_STATE_TIME_WAIT &&
                     items[j].remote_port == items[i].remote_port &&
                     memcmp(items[j].remote.b, items[i].remote.b, 16) == 0;
        }
        if (count >= about->limits.time_waits) {
            mark_time_waits(about, &items[i], hit);
            hit->count = count;
            hit->worst = &items[i];
            slt_hit_say(hit, "%" PRId64 " connections to %s are in TIME-WAIT: one for each request",
                        count, slt_print_endpoint(&items[i].remote, items[i].remote_port, text));
        }
    }
}

static void judge_time_wait_limit(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t lost = slt_judge_rise(about, SLT_COUNTER_time_wait_overflows);
    int64_t held = about->after.value[SLT_COUNTER_sockets_time_wait];
    bool near = about->host.time_wait_max > 0 && held * 10 >= about->host.time_wait_max * 9;
    if (lost > 0 || near) {
        hit->count = lost > 0 ? lost : held;
        slt_hit_say(hit,
                    "%" PRId64 " connections are in TIME-WAIT, tcp_max_tw_buckets is %" PRId64
                    "; %" PRId64 " skipped it just now",
                    held, about->host.time_wait_max, lost);
    }
}

/* Removed in Linux 4.12, after it had refused clients behind NAT for years. The system that keeps
 * the setting was tuned for TIME-WAIT by recipes of that kind. */
static void judge_recipes(const struct slt_case *about, struct slt_hit *hit)
{
    struct slt_setting_place recycle;
    struct slt_setting_place timeout;
    if (about->host.fin_timeout_s == SLT_UNKNOWN || /* not about this host */
        !slt_setting_find("", "net.ipv4.tcp_tw_recycle", &recycle) || recycle.value == 0) {
        return;
    }
    hit->count = 1;
    slt_hit_say(hit,
                "%s line %u sets net.ipv4.tcp_tw_recycle: no kernel since 4.12 has it, and "
                "those before refused clients behind NAT",
                recycle.file, recycle.line);
    if (slt_setting_find("", "net.ipv4.tcp_fin_timeout", &timeout) && timeout.value < 60) {
        slt_hit_say(hit,
                    "; %s line %u sets tcp_fin_timeout to %ld s, which ends FIN-WAIT-2 and "
                    "not TIME-WAIT",
                    timeout.file, timeout.line, timeout.value);
    }
}

static void judge_orphans(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t orphans = about->after.value[SLT_COUNTER_sockets_orphan];
    if (about->host.orphans_max > 0 && orphans * 2 >= about->host.orphans_max) {
        hit->count = orphans;
        slt_hit_say(hit, "%" PRId64 " connections have no program, tcp_max_orphans is %" PRId64,
                    orphans, about->host.orphans_max);
    }
}

const struct slt_judgement slt_judge_closing[] = {
    {SLT_FIND_CW_1, judge_close_wait},       {SLT_FIND_CW_2, judge_sending_close_wait},
    {SLT_FIND_CW_3, judge_lost_peer},        {SLT_FIND_FW1_1, judge_fin_wait_1},
    {SLT_FIND_ZW_4, judge_fin_shut_out},     {SLT_FIND_FW1_2, judge_shutdown_shut_out},
    {SLT_FIND_FW2_1, judge_fin_wait_2},      {SLT_FIND_FW2_2, judge_half_closed},
    {SLT_FIND_CLS_1, judge_closing},         {SLT_FIND_LA_1, judge_last_ack},
    {SLT_FIND_TW_1, judge_server_time_wait}, {SLT_FIND_TW_2, judge_client_time_wait},
    {SLT_FIND_TW_3, judge_time_wait_limit},  {SLT_FIND_TW_5, judge_recipes},
    {SLT_FIND_OR_1, judge_orphans},          {SLT_FIND_COUNT, NULL},
};
