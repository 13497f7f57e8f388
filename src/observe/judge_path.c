/* Findings about what the path does to open connections: RTO-n, MTU-1, NAT-1, LOSS-4, ECN-1; and
 * NAG-2, where nothing but the program holds data back.
 *
 * Data that is sent again and again has four explanations, and the kernel's facts tell three of
 * them apart. Something came through all the same (selective acknowledgements): only the large
 * segments are lost, MTU-1. The connection had rested, and others to the same host are heard:
 * something on the path forgot it, NAT-1. Else the peer or the path is gone: RTO-1.
 */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/endpoint.h"
#include "observe/why.h"

#include <inttypes.h>
#include <string.h>

#define RETRIES_MANY      3U
#define LARGE_SEGMENT     1000 /* bytes: no path is that narrow by its nature */
#define RTO_LEAST_NS      (SLT_NS_PER_S / 5)
#define RTO_MOST_NS       (120 * SLT_NS_PER_S)
#define HELD_BACK_NS      (50 * SLT_NS_PER_MS)
#define ACKS_LOST         5
#define MARKS_MANY        10
#define SAMPLE_BYTES      (1024 * 1024)
#define EXAMINED_MAX      2000U
#define BACKOFF_SHIFT_MAX 20U

/* ---- no answer ------------------------------------------------------------------------------ */

static bool is_sent_in_vain(const struct slt_seen *seen)
{
    return slt_judge_is_open(seen) && seen->timer == SLT_SEEN_TIMER_RETRANSMIT &&
           seen->retries >= RETRIES_MANY && seen->unacked > 0;
}

/* The first segment is large and does not arrive, later ones do: random losses would take as many
 * of these, and not the same one each time. */
static bool is_black_hole(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return is_sent_in_vain(seen) && seen->sacked > 0 && seen->lost >= seen->sacked &&
           seen->send_mss >= LARGE_SEGMENT && seen->unacked >= seen->send_mss;
}

static void judge_black_hole(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_black_hole, hit);
    slt_hit_tell(hit, "send full segments in vain, while smaller ones arrive");
    if (hit->count > 0) {
        slt_hit_say(hit,
                    "; %" PRId64 " segments of up to %" PRId64 " bytes are lost, %u timeouts in a "
                    "row, and %" PRId64 " behind them arrived; the path is taken to carry %" PRId64,
                    hit->worst->lost, hit->worst->send_mss, hit->worst->retries, hit->worst->sacked,
                    hit->worst->pmtu);
    }
}

static bool is_unanswered(const struct slt_case *about, const struct slt_seen *seen)
{
    return is_sent_in_vain(seen) && !is_black_hole(about, seen);
}

static void judge_unanswered(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_DURATION_MAX];
    slt_hit_count(about, is_unanswered, hit);
    slt_hit_tell(hit, "sent data again and again without an answer");
    if (hit->count > 0) {
        slt_hit_say(hit, "; %u timeouts in a row", hit->worst->retries);
    }
    if (hit->count > 0 && hit->worst->silent.how == SLT_SPAN_EXACT) {
        slt_hit_say(hit, ", nothing heard of the peer for %s",
                    slt_print_duration(hit->worst->silent.ns, text));
    }
}

/* For how long at least what is sent again has been sent: the timeouts that have passed, each twice
 * the one before, and what has passed of the one that runs. */
static int64_t tried_for_ns(const struct slt_seen *seen)
{
    int64_t rto_ns = seen->rto_us * 1000;
    unsigned shift = seen->backoff < BACKOFF_SHIFT_MAX ? seen->backoff : BACKOFF_SHIFT_MAX;
    int64_t left_ns = seen->timer_in.how == SLT_SPAN_EXACT ? seen->timer_in.ns : rto_ns;
    return rto_ns - (rto_ns >> shift) + slt_max64(rto_ns - left_ns, 0);
}

/* The kernel gives up after the time that tcp_retries2 timeouts would take, the first being the
 * shortest there is and each twice the one before, up to the longest. */
static int64_t gives_up_after_ns(const struct slt_case *about)
{
    int64_t rto_ns = RTO_LEAST_NS;
    int64_t sum_ns = 0;
    for (int64_t i = 0; i <= about->host.retries2 && i < 256; i++) {
        sum_ns += rto_ns;
        rto_ns = slt_min64(rto_ns * 2, RTO_MOST_NS);
    }
    return sum_ns;
}

static void judge_end(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_DURATION_MAX];
    char endpoint[SLT_ENDPOINT_MAX];
    if (about->host.retries2 == SLT_UNKNOWN) {
        return;
    }
    slt_hit_count(about, is_unanswered, hit);
    if (hit->count == 0) {
        return;
    }
    int64_t left_ns = gives_up_after_ns(about) - tried_for_ns(hit->worst);
    slt_hit_say(hit, "%" PRId64 " connection%s will be given up; that to %s in about %s",
                hit->count, hit->count == 1 ? "" : "s",
                slt_print_endpoint(&hit->worst->remote, hit->worst->remote_port, endpoint),
                slt_print_duration(slt_max64(left_ns, 0), text));
    slt_hit_say(hit,
                " (tcp_retries2 is %" PRId64 "; %u timeouts so far), unless its program set "
                "TCP_USER_TIMEOUT",
                about->host.retries2, hit->worst->retries);
}

/* ---- forgotten ------------------------------------------------------------------------------ */

/* How long a connection had heard nothing when it began to send what is not answered. */
static int64_t rested_for_ns(const struct slt_seen *seen)
{
    return seen->silent.how == SLT_SPAN_EXACT ? seen->silent.ns - tried_for_ns(seen) : 0;
}

static const struct slt_seen *find_heard(const struct slt_case *about, const struct slt_seen *mute)
{
    for (size_t i = 0; i < slt_judge_total(about); i++) {
        const struct slt_seen *seen = slt_judge_record(about, i);
        if (seen != mute && slt_judge_is_open(seen) && slt_judge_same_host(seen, mute) &&
            seen->silent.how == SLT_SPAN_EXACT && seen->silent.ns < tried_for_ns(mute)) {
            return seen;
        }
    }
    return NULL;
}

static void judge_forgotten(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_DURATION_MAX];
    const struct slt_seen *heard = NULL;
    size_t examined = slt_judge_examined(about, EXAMINED_MAX);
    for (size_t i = 0; i < examined; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        bool rested = is_unanswered(about, seen) && rested_for_ns(seen) >= about->limits.silent_ns;
        const struct slt_seen *other = rested ? find_heard(about, seen) : NULL;
        if (other != NULL) {
            hit->count++;
            slt_hit_mark(about, hit, seen);
            hit->worst = seen;
            heard = other;
        }
    }
    slt_hit_tell(hit, "rested, and what they send since is not answered");
    if (hit->count > 0) {
        slt_hit_say(hit, "; it had rested for %s",
                    slt_print_duration(rested_for_ns(hit->worst), text));
        slt_hit_say(hit,
                    ", and the same host was heard %s ago at port %u: not the host is gone, "
                    "but what the path knew of the connection",
                    slt_print_duration(heard->silent.ns, text), heard->local_port);
    }
}

/* ---- losses and marks ----------------------------------------------------------------------- */

/* What we sent again had arrived: its acknowledgements are lost; and the peer's data has holes. */
static bool loses_on_the_way_in(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->dsacks >= ACKS_LOST &&
           seen->dsacks * 5 >= seen->retransmits * 4 && seen->holes_in >= ACKS_LOST;
}

static void judge_way_in(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, loses_on_the_way_in, hit);
    slt_hit_tell(hit, "lose what comes in, not what goes out");
    if (hit->count > 0) {
        slt_hit_say(hit,
                    "; of %" PRId64 " segments sent again, the peer had %" PRId64
                    ", and of its own %" PRId64 " came with others missing before them",
                    hit->worst->retransmits, hit->worst->dsacks, hit->worst->holes_in);
    }
}

static bool is_marked(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->marked >= MARKS_MANY;
}

static void judge_marks(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_marked, hit);
    slt_hit_tell(hit, "were told of congestion by marks");
    if (hit->count > 0) {
        slt_hit_say(hit, "; %" PRId64 " of its segments were marked, %" PRId64 " sent again",
                    hit->worst->marked, hit->worst->retransmits);
    }
}

/* ---- slow after a rest ---------------------------------------------------------------------- */

/* It had more on its way once than it may have now, and neither a loss nor a mark took the window
 * back: a rest longer than the timeout did. BBR does so by itself, to measure. */
static bool starts_over(const struct slt_case *about, const struct slt_seen *seen)
{
    int64_t carried = seen->delivery_rate > 0 && seen->rtt_min_us > 0
                          ? seen->delivery_rate / 1000 * seen->rtt_min_us / 1000
                          : 0;
    return about->host.slow_start_after_idle == 1 && slt_judge_is_open(seen) &&
           seen->bytes_sent >= SAMPLE_BYTES && seen->retransmits * 1000 < seen->segs_out &&
           seen->marked <= 0 && strncmp(seen->congestion, "bbr", 3) != 0 && seen->cwnd_bytes > 0 &&
           carried > 2 * seen->cwnd_bytes;
}

static void judge_starts_over(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, starts_over, hit);
    slt_hit_tell(hit, "begin slowly after each rest");
    if (hit->count > 0) {
        slt_hit_say(hit,
                    "; it may have %" PRId64 " KB on its way, carried %" PRId64
                    " KB/s before with %" PRId64 " ms a round trip, and lost nothing",
                    hit->worst->cwnd_bytes / 1024, hit->worst->delivery_rate / 1024,
                    hit->worst->rtt_min_us / 1000);
    }
}

/* ---- held back ------------------------------------------------------------------------------ */

/* Less than a segment, nothing on its way, and the peer's window has room: TCP_NODELAY or not, such
 * data is sent at once, unless the program asks it not to be. The timer of closed windows sends it
 * in the end, which is the 200 ms that are felt. */
static bool is_corked(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return slt_judge_is_open(seen) && seen->timer == SLT_SEEN_TIMER_PERSIST && seen->unacked == 0 &&
           seen->unsent > 0 && seen->unsent < seen->send_mss && seen->send_window >= seen->unsent &&
           seen->retries == 0 && seen->timer_in.how == SLT_SPAN_EXACT &&
           slt_max64(seen->rto_us * 1000, RTO_LEAST_NS) - seen->timer_in.ns >= HELD_BACK_NS;
}

static void judge_corked(const struct slt_case *about, struct slt_hit *hit)
{
    slt_hit_count(about, is_corked, hit);
    slt_hit_tell(hit, "have data that their program holds back (TCP_CORK or MSG_MORE)");
    if (hit->count > 0) {
        slt_hit_say(hit,
                    "; %" PRId64 " bytes wait, though nothing is on its way and the peer has room "
                    "for %" PRId64,
                    hit->worst->unsent, hit->worst->send_window);
    }
}

const struct slt_judgement slt_judge_path[] = {
    {SLT_FIND_RTO_1, judge_unanswered},
    {SLT_FIND_RTO_2, judge_end},
    {SLT_FIND_MTU_1, judge_black_hole},
    {SLT_FIND_NAT_1, judge_forgotten},
    {SLT_FIND_LOSS_4, judge_way_in},
    {SLT_FIND_ECN_1, judge_marks},
    {SLT_FIND_NAG_2, judge_corked},
    {SLT_FIND_CC_2, judge_starts_over},
    {SLT_FIND_COUNT, NULL},
};
