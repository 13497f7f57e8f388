/* Findings the kernel's counters alone can show: what happened between the two looks. */
#include "observe/judge.h"

#include "base/time.h"

#include <inttypes.h>

#define SOME 5U
#define MANY 20U

#define OPENS_PER_S  100
#define SEGMENTS_FEW 8
#define DELAYED_US   10000

/* Rows that are one counter over a threshold, and a sentence. */
struct rise {
    enum slt_finding_id id;
    enum slt_counter counter;
    int64_t from;
    const char *what; /* follows the number */
};

static const struct rise rises[] = {
    {SLT_FIND_LOSS_7, SLT_COUNTER_checksum_errors, 1, "segments came with a wrong checksum"},
    {SLT_FIND_TS_1, SLT_COUNTER_paws_established, SOME,
     "segments were refused because their timestamp was older than the one before"},
    {SLT_FIND_RST_1, SLT_COUNTER_abort_on_close, SOME,
     "connections were reset because a program closed them with data unread"},
    {SLT_FIND_RST_2, SLT_COUNTER_abort_on_data, SOME,
     "connections were reset by programs on purpose (SO_LINGER with time 0)"},
    {SLT_FIND_RST_9, SLT_COUNTER_challenge_acks, MANY,
     "challenge ACKs were sent: resets or SYNs that did not fit"},
    {SLT_FIND_SACK_1, SLT_COUNTER_reno_recoveries, SOME,
     "recoveries had to do without selective acknowledgements"},
    {SLT_FIND_BUF_4, SLT_COUNTER_collapsed, MANY,
     "segments were copied together to make room in receive queues"},
};

static void tell_rise(const struct slt_case *about, struct slt_hit *hit)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rises); i++) {
        int64_t count = slt_judge_rise(about, rises[i].counter);
        if ((uint8_t)rises[i].id == hit->id && count >= rises[i].from) {
            hit->count = count;
            slt_hit_say(hit, "%" PRId64 " %s just now", count, rises[i].what);
        }
    }
}

static void judge_timeouts(const struct slt_case *about, struct slt_hit *hit)
{
    /* The kernel counts the timeouts of half-open connections, too: those say nothing of losses. */
    int64_t timeouts = slt_judge_rise(about, SLT_COUNTER_timeouts) -
                       slt_judge_rise(about, SLT_COUNTER_syn_retransmits);
    int64_t fast = slt_judge_rise(about, SLT_COUNTER_fast_retransmits);
    if (timeouts >= MANY && timeouts > 2 * fast) {
        hit->count = timeouts;
        slt_hit_say(hit,
                    "%" PRId64 " retransmission timeouts just now, and %" PRId64
                    " fast retransmits: losses are noticed late",
                    timeouts, fast);
    }
}

static void judge_spurious(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t spurious = slt_judge_rise(about, SLT_COUNTER_spurious_timeouts);
    int64_t dsacks = slt_judge_rise(about, SLT_COUNTER_dsacks_received);
    int64_t again = slt_judge_rise(about, SLT_COUNTER_segments_retransmitted);
    if (spurious >= SOME || (dsacks >= MANY && dsacks * 4 > again)) {
        hit->count = spurious + dsacks;
        slt_hit_say(hit,
                    "%" PRId64 " timeouts were in vain, and %" PRId64 " of %" PRId64
                    " segments sent again had arrived before",
                    spurious, dsacks, again);
    }
}

/* The drops are the machine's, whatever the protocol and the network namespace; what TCP had to
 * send again, or got with holes, shows that its connections have their share. */
static void judge_host_drops(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t dropped = slt_max64(about->host.softnet_dropped, 0);
    int64_t missed = slt_max64(about->host.interface_missed, 0);
    int64_t overruns = slt_max64(about->host.interface_overruns, 0);
    int64_t again = slt_judge_rise(about, SLT_COUNTER_segments_retransmitted);
    int64_t holes = slt_judge_rise(about, SLT_COUNTER_out_of_order);
    if (dropped + missed + overruns < (int64_t)MANY || again + holes < (int64_t)MANY) {
        return;
    }
    hit->count = dropped + missed + overruns;
    slt_hit_say(hit,
                "this host lost %" PRId64 " packets before TCP saw them just now: its queue was "
                "full for %" PRId64 ", interfaces got no room for %" PRId64
                " and overran for %" PRId64,
                hit->count, dropped, missed, overruns);
    slt_hit_say(hit,
                "; meanwhile %" PRId64 " segments were sent again, and %" PRId64
                " came with others missing before them",
                again, holes);
}

/* Who was asked whether he is still there and did not answer. The kernel counts all connections it
 * ends for silence alike: those that were never established are taken off, and no more are counted
 * than left ESTABLISHED or CLOSE-WAIT that way. */
static void judge_ended_for_silence(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t ended = slt_judge_rise(about, SLT_COUNTER_abort_on_timeout) -
                    slt_judge_rise(about, SLT_COUNTER_attempt_fails);
    int64_t probes = slt_judge_rise(about, SLT_COUNTER_keepalives);
    ended = slt_min64(ended, slt_judge_rise(about, SLT_COUNTER_established_resets));
    if (ended >= about->limits.many && probes > 0) {
        hit->count = ended;
        slt_hit_say(hit,
                    "%" PRId64 " open connections were ended just now because their peer did not "
                    "answer; %" PRId64 " keep-alive probes were sent meanwhile",
                    ended, probes);
    }
}

/* Short: an exchange or none. A connection of the machine with itself counts at both ends. */
static void judge_short_connections(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t opens = slt_judge_rise(about, SLT_COUNTER_active_opens) +
                    slt_judge_rise(about, SLT_COUNTER_passive_opens);
    int64_t segments = slt_judge_rise(about, SLT_COUNTER_segments_in);
    int64_t ms = (about->after.at_ns - about->before.at_ns) / SLT_NS_PER_MS;
    if (ms > 0 && opens * 1000 >= OPENS_PER_S * ms && segments < opens * SEGMENTS_FEW) {
        hit->count = opens;
        slt_hit_say(hit,
                    "%" PRId64 " connections were opened within %" PRId64
                    " ms, and each got %" PRId64 " segments: an exchange or less",
                    opens, ms, segments / opens);
    }
}

static bool is_delayed(const struct slt_case *about, const struct slt_seen *seen)
{
    (void)about;
    return seen->kind == SLT_SEEN_CONN && seen->state == SALUT_STATE_ESTABLISHED &&
           seen->unread == 0 && seen->rtt_min_us > 0 && seen->rtt_us > DELAYED_US &&
           seen->rtt_us > 10 * seen->rtt_min_us;
}

static void judge_starved(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t squeezed = slt_max64(about->host.softnet_squeezed, 0);
    if (squeezed < (int64_t)MANY || about->host.softnet_dropped > 0) {
        return; /* what drops is LOSS-6 */
    }
    slt_hit_count(about, is_delayed, hit);
    if (hit->count < about->limits.many) {
        hit->count = 0;
        return;
    }
    slt_hit_tell(hit, "take ten times their shortest round trip, and their programs have read all");
    slt_hit_say(hit,
                "; it takes %" PRId64 " ms, once %" PRId64 " us, and the processors left packets "
                "for later %" PRId64 " times just now",
                hit->worst->rtt_us / 1000, hit->worst->rtt_min_us, squeezed);
}

static void judge_memory(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t pages = about->after.value[SLT_COUNTER_memory_pages];
    int64_t pressures = slt_judge_rise(about, SLT_COUNTER_memory_pressures);
    int64_t aborts = slt_judge_rise(about, SLT_COUNTER_abort_on_memory);
    bool over = about->host.memory_pressure_pages > 0 && pages >= about->host.memory_pressure_pages;
    if (over || pressures > 0 || aborts > 0) {
        hit->count = 1 + pressures + aborts;
        slt_hit_say(hit,
                    "TCP holds %" PRId64 " pages, pressure begins at %" PRId64 "; %" PRId64
                    " connections were ended for it just now",
                    pages, about->host.memory_pressure_pages, aborts);
    }
}

static void judge_conntrack(const struct slt_case *about, struct slt_hit *hit)
{
    int64_t count = about->host.conntrack_count;
    int64_t most = about->host.conntrack_max;
    if (count > 0 && most > 0 && count * 10 >= most * 9) {
        hit->count = count;
        slt_hit_say(hit, "connection tracking holds %" PRId64 " entries of %" PRId64, count, most);
    }
}

const struct slt_judgement slt_judge_counters[] = {
    {SLT_FIND_LOSS_2, judge_timeouts},
    {SLT_FIND_LOSS_3, judge_spurious},
    {SLT_FIND_LOSS_6, judge_host_drops},
    {SLT_FIND_LOSS_7, tell_rise},
    {SLT_FIND_TS_1, tell_rise},
    {SLT_FIND_RST_1, tell_rise},
    {SLT_FIND_RST_2, tell_rise},
    {SLT_FIND_RST_9, tell_rise},
    {SLT_FIND_SACK_1, tell_rise},
    {SLT_FIND_BUF_4, tell_rise},
    {SLT_FIND_BUF_5, judge_memory},
    {SLT_FIND_RST_7, judge_ended_for_silence},
    {SLT_FIND_APP_3, judge_short_connections},
    {SLT_FIND_CPU_1, judge_starved},
    {SLT_FIND_NAT_2, judge_conntrack},
    {SLT_FIND_COUNT, NULL},
};
