/* Findings the kernel's counters alone can show: what happened between the two looks. */
#include "observe/judge.h"

#include <inttypes.h>

#define SOME 5U
#define MANY 20U

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
    {SLT_FIND_NAT_2, judge_conntrack},
    {SLT_FIND_COUNT, NULL},
};
