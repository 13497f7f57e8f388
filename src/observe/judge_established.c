/* Findings about connections that are open: GH-n, RTO-n, ZW-n, BUF-n and others of findings.def. */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/why.h"

#include <inttypes.h>
#include <string.h>

#define GHOSTS_OF_ONE 5U /* connections of one host that are silent, beside one that is not */
#define RETRIES_MANY  3U
#define SAMPLE_BYTES  (1024 * 1024)
#define UNREAD_BYTES  8192
#define FAR_RTT_US    20000
#define BUSY_US       1000000
#define LIFE_NS       (5 * SLT_NS_PER_S)
#define UNASKED_NS    (2 * SLT_NS_PER_S)
#define TRANSFER_RATE 65536 /* bytes a second: below it nobody waits for a transfer's end */
#define EXAMINED_MAX  2000U

static bool owes_nothing(const struct slt_seen *seen)
{
    return seen->unread == 0 && seen->unacked == 0 && seen->unsent <= 0;
}

static bool is_idle_without_keepalive(const struct slt_case *about, const struct slt_seen *seen)
{
    return seen->state == SALUT_STATE_ESTABLISHED && seen->kind == SLT_SEEN_CONN &&
           seen->accepted != SLT_NO && seen->keepalive == SLT_NO && owes_nothing(seen) &&
           slt_judge_lasts(&seen->silent, about->limits.idle_ns);
}

static void judge_idle(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_idle_without_keepalive, hit);
    slt_hit_tell(hit, "heard nothing of their peer for very long, and keep-alive is off: nobody "
                      "would notice that the peer is gone");
}

/* Silent, of one host and to one port, beside a younger connection that is alive. */
static bool is_ghost(const struct slt_case *about, const struct slt_seen *seen,
                     const struct slt_seen *alive)
{
    return slt_judge_is_open(seen) && seen->local_port == alive->local_port &&
           slt_judge_same_host(seen, alive) &&
           slt_judge_lasts(&seen->silent, about->limits.silent_ns);
}

static int64_t count_ghosts(const struct slt_case *about, const struct slt_seen *alive)
{
    int64_t ghosts = 0;
    for (size_t i = 0; i < about->look->list.count; i++) {
        ghosts += is_ghost(about, &about->look->list.items[i], alive);
    }
    return ghosts;
}

static void mark_ghosts(const struct slt_case *about, const struct slt_seen *alive,
                        struct slt_hit *hit)
{
    for (size_t i = 0; i < about->look->list.count; i++) {
        if (is_ghost(about, &about->look->list.items[i], alive)) {
            slt_hit_mark(about, hit, &about->look->list.items[i]);
        }
    }
}

static void judge_ghosts(const struct slt_case *about, struct slt_hit *hit)
{
    char text[48];
    size_t examined = slt_judge_examined(about, EXAMINED_MAX);
    for (size_t i = 0; i < examined && hit->count == 0; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        bool alive = slt_judge_is_open(seen) && seen->silent.how == SLT_SPAN_EXACT &&
                     seen->silent.ns < about->limits.silent_ns &&
                     slt_judge_listener_of(about, seen);
        int64_t ghosts = alive ? count_ghosts(about, seen) : 0;
        if (ghosts >= GHOSTS_OF_ONE) {
            mark_ghosts(about, seen, hit);
            hit->count = ghosts;
            hit->worst = seen;
            (void)salut_addr_print(&seen->remote, text, sizeof(text));
            slt_hit_say(hit,
                        "%s has %" PRId64
                        " connections to port %u that are silent, and a newer one "
                        "that is not: it probably came back and its old ones are dead",
                        text, ghosts, seen->local_port);
        }
    }
}

static bool is_idle_and_unwatched(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->keepalive == SLT_NO && owes_nothing(seen) &&
           !slt_judge_is_local(seen) && slt_judge_lasts(&seen->silent, about->limits.silent_ns);
}

static void judge_keepalive_setting(const struct slt_case *about, struct slt_hit *hit)
{
    if (about->host.keepalive_time_s == SLT_UNKNOWN || about->host.keepalive_time_s == 7200) {
        return;
    }
    slt_hit_count(about, is_idle_and_unwatched, hit);
    if (hit->count < GHOSTS_OF_ONE) {
        hit->count = 0;
        return;
    }
    slt_hit_say(hit,
                "net.ipv4.tcp_keepalive_time was set to %" PRId64 " s, but %" PRId64
                " idle connections have SO_KEEPALIVE off and are not watched",
                about->host.keepalive_time_s, hit->count);
    slt_hit_say_owner(hit, hit->worst);
}

static bool is_probing(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->timer == SLT_SEEN_TIMER_KEEPALIVE && seen->retries > 0;
}

static void judge_keepalive_probes(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_probing, hit);
    slt_hit_tell(hit, "got no answer to keep-alive probes");
}

/* ---- the path ------------------------------------------------------------------------------- */

static bool loses_much(const struct slt_case *about, const struct slt_seen *seen)
{
    return slt_judge_is_open(seen) && seen->bytes_sent >= SAMPLE_BYTES &&
           seen->bytes_retransmitted * 1000 > seen->bytes_sent * about->limits.loss_permille;
}

static void judge_loss(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, loses_much, hit);
    slt_hit_tell(hit, "sent much of their data twice");
    if (hit->count > 0) {
        slt_hit_say(hit, "; %.1f %% of %" PRId64 " KB",
                    100.0 * (double)hit->worst->bytes_retransmitted /
                        (double)hit->worst->bytes_sent,
                    hit->worst->bytes_sent / 1024);
    }
}

static bool drops_here(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->kind == SLT_SEEN_CONN && seen->accepted != SLT_NO && seen->drops > 0;
}

static void judge_local_drops(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t drops = slt_judge_rise(about, SLT_COUNTER_backlog_drops) +
                    slt_judge_rise(about, SLT_COUNTER_receive_queue_drops) +
                    slt_judge_rise(about, SLT_COUNTER_out_of_order_drops) +
                    slt_judge_rise(about, SLT_COUNTER_out_of_order_pruned);
    if (drops == 0) {
        return; /* a socket's own count holds segments with wrong checksums and the like, too */
    }
    slt_hit_count(about, drops_here, hit);
    slt_hit_tell(hit, "had segments dropped by this host");
    slt_hit_say(hit, "%s%" PRId64 " segments were dropped for want of room just now",
                hit->count > 0 ? "; " : "", drops);
    hit->count = hit->count > 0 ? hit->count : drops;
}

static bool has_tiny_segments(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && !slt_judge_is_local(seen) && seen->send_mss > 0 &&
           seen->send_mss <= 536 && seen->pmtu >= 1280;
}

static void judge_tiny_segments(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, has_tiny_segments, hit);
    slt_hit_tell(hit, "send segments of 536 bytes or less, though the path would take more");
}

static bool lacks_scaling(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    /* The shortest: a round trip is long for other reasons than the distance, too. */
    int64_t rtt_us = seen->rtt_min_us > 0 ? seen->rtt_min_us : seen->rtt_us;
    return slt_judge_is_open(seen) && seen->window_scale == SLT_NO && rtt_us > FAR_RTT_US &&
           !slt_judge_is_local(seen);
}

static void judge_scaling(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, lacks_scaling, hit);
    slt_hit_tell(hit, "go far, and have no window scaling: at most 64 KB a round trip");
}

static bool is_throttled(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->cwnd_bytes > 0 &&
           seen->cwnd_bytes <= 2 * seen->send_mss && seen->retransmits >= (int64_t)RETRIES_MANY &&
           seen->retries < RETRIES_MANY && seen->timer == SLT_SEEN_TIMER_RETRANSMIT &&
           seen->bytes_sent >= SAMPLE_BYTES;
}

static void judge_tiny_window(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_throttled, hit);
    slt_hit_tell(hit, "may send one or two segments a round trip, after losses in a row");
}

/* ---- windows and buffers -------------------------------------------------------------------- */

/* The kernel runs the same timer for data that a program holds back (NAG-2): then the window has
 * room for it. */
static bool is_shut_out(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->timer == SLT_SEEN_TIMER_PERSIST &&
           seen->retries < RETRIES_MANY &&
           (seen->send_window < seen->send_mss || seen->send_window < seen->unsent);
}

static void judge_closed_window(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_shut_out, hit);
    slt_hit_tell(hit, "cannot send: the peer's window is closed, for its program does not read");
    if (hit->count > 0 && hit->worst->unsent > 0) {
        slt_hit_say(hit, "; %" PRId64 " bytes wait", hit->worst->unsent);
    }
}

static bool is_shut_out_and_alone(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->timer == SLT_SEEN_TIMER_PERSIST &&
           seen->retries >= RETRIES_MANY;
}

static void judge_lost_with_closed_window(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_shut_out_and_alone, hit);
    slt_hit_tell(hit, "probe a closed window, and the probes are not answered");
}

static bool is_not_read(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->state == SALUT_STATE_ESTABLISHED && seen->kind == SLT_SEEN_CONN &&
           seen->accepted != SLT_NO && seen->unread >= UNREAD_BYTES && seen->recv_buffer > 0 &&
           seen->unread * 3 >= seen->recv_buffer && slt_judge_lasts(&seen->idle, SLT_NS_PER_S / 5);
}

static void judge_unread(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_not_read, hit);
    slt_hit_tell(hit, "have a receive queue that their program does not read");
    if (hit->count > 0) {
        slt_hit_say(hit, "; %" PRId64 " bytes wait", hit->worst->unread);
    }
}

static bool is_short_of_buffer(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->busy_us > BUSY_US &&
           seen->buffer_limited_us * 10 > seen->busy_us * 3;
}

static void judge_send_buffer(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_short_of_buffer, hit);
    slt_hit_tell(hit, "were held up by their send buffer for a third of the time and more");
}

static bool is_short_of_window(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->busy_us > BUSY_US &&
           seen->timer != SLT_SEEN_TIMER_PERSIST &&
           seen->window_limited_us * 10 > seen->busy_us * 3 && seen->rtt_us > FAR_RTT_US;
}

static void judge_receive_window(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_short_of_window, hit);
    slt_hit_tell(hit, "were held up by the peer's window for a third of the time and more");
}

static int64_t bytes_a_second(const struct slt_seen *seen)
{
    return seen->bytes_acked / slt_max64(seen->lifetime.ns / SLT_NS_PER_S, 1);
}

/* A transfer that goes on, that the peer does not ask for piece by piece, and that has had nothing
 * to send for most of its life. How long that is the kernel does not tell: a recorder that saw it
 * being opened does. */
static bool is_short_of_data(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    bool goes_on = seen->idle.how == SLT_SPAN_EXACT && seen->idle.ns < SLT_NS_PER_S &&
                   slt_judge_lasts(&seen->given, UNASKED_NS);
    return slt_judge_is_open(seen) && goes_on && owes_nothing(seen) &&
           seen->app_limited == SLT_YES && slt_judge_lasts(&seen->lifetime, LIFE_NS) &&
           seen->busy_us != SLT_UNKNOWN && seen->busy_us * 2 < seen->lifetime.ns / 1000 &&
           seen->bytes_acked >= SAMPLE_BYTES && bytes_a_second(seen) >= TRANSFER_RATE;
}

static void judge_slow_program(const struct slt_case *about, struct slt_hit *hit)
{
    char life[SLT_DURATION_MAX];
    slt_hit_count(about, is_short_of_data, hit);
    slt_hit_tell(hit, "send as fast as their program gives, not as the network could take");
    if (hit->count > 0) {
        const struct slt_seen *worst = hit->worst;
        int64_t life_us = worst->lifetime.ns / 1000;
        slt_hit_say(hit, "; nothing to send for %" PRId64 " %% of %s, %" PRId64 " KB a second",
                    100 - worst->busy_us * 100 / life_us,
                    slt_print_duration(worst->lifetime.ns, life), bytes_a_second(worst) / 1024);
    }
}

const struct slt_judgement slt_judge_established[] = {
    {SLT_FIND_GH_1, judge_idle},
    {SLT_FIND_GH_2, judge_ghosts},
    {SLT_FIND_GH_3, judge_keepalive_setting},
    {SLT_FIND_GH_4, judge_keepalive_probes},
    {SLT_FIND_LOSS_1, judge_loss},
    {SLT_FIND_LOSS_5, judge_local_drops},
    {SLT_FIND_MTU_2, judge_tiny_segments},
    {SLT_FIND_WS_1, judge_scaling},
    {SLT_FIND_CC_1, judge_tiny_window},
    {SLT_FIND_ZW_1, judge_closed_window},
    {SLT_FIND_ZW_2, judge_unread},
    {SLT_FIND_ZW_3, judge_lost_with_closed_window},
    {SLT_FIND_BUF_1, judge_send_buffer},
    {SLT_FIND_BUF_2, judge_receive_window},
    {SLT_FIND_BUF_3, judge_slow_program},
    {SLT_FIND_COUNT, NULL},
};
