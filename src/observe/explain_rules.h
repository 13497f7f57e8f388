/* What the rules of findings share (explain_findings.h).
 *
 * A rule is asked once for each end, the one it blames, and fills in a clue: which packets, how
 * many, how long. Its sentence is a template over the clue: {who} and {other} the ends, {at} and
 * {until} the numbers of packets, {n} and {m} amounts, {time} a time, {percent} n of m.
 *
 * Thresholds are conservative: what chance or a slow machine makes now and then is no finding, and
 * what two causes show alike is told with the letter of confidence that this leaves.
 */
#ifndef SLT_OBSERVE_EXPLAIN_RULES_H
#define SLT_OBSERVE_EXPLAIN_RULES_H

#include "base/time.h"
#include "observe/explain_mark.h"
#include "observe/explain_place.h"
#include "observe/explain_verdict.h"
#include "salut/types.h"

struct slt_explain_case {
    const struct slt_explain_flow *flow;
    const struct slt_explain_states *states;
    const struct slt_verdict *verdict; /* `ended` and `closer` */
};

struct slt_explain_clue {
    uint32_t at; /* steps */
    uint32_t until;
    uint64_t n;
    uint64_t m;
    int64_t ns;
    const char *more; /* behind the sentence; NULL: nothing */
};

struct slt_explain_rule {
    uint8_t id;      /* enum slt_finding_id */
    char confidence; /* of a capture, like struct slt_finding's */
    uint16_t weight; /* in how bad the flow is */
    bool (*holds)(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue);
    const char *evidence;
};

/* Ended by a row without a function. */
extern const struct slt_explain_rule slt_explain_rules_setup[];
extern const struct slt_explain_rule slt_explain_rules_options[];
extern const struct slt_explain_rule slt_explain_rules_silence[];
extern const struct slt_explain_rule slt_explain_rules_loss[];
extern const struct slt_explain_rule slt_explain_rules_data[];
extern const struct slt_explain_rule slt_explain_rules_closing[];
extern const struct slt_explain_rule slt_explain_rules_resets[];
extern const struct slt_explain_rule slt_explain_rules_capture[];

/* ---- steps ---------------------------------------------------------------------------------- */

/* Segments an end repeats while the other is silent. */
enum slt_explain_repeat { SLT_REPEAT_DATA, SLT_REPEAT_FIN, SLT_REPEAT_KEEPALIVE, SLT_REPEAT_PROBE };

/* What an end went on sending after the other was heard for the last time. */
struct slt_explain_tail {
    uint32_t heard; /* the other's last packet; SLT_NO_STEP: it was never heard */
    uint32_t first; /* the first segment of that kind, or what it repeats; SLT_NO_STEP: none */
    uint32_t last;
    uint32_t count; /* how often it was repeated */
};

struct slt_explain_tail slt_explain_tail(const struct slt_explain_flow *flow, uint8_t end,
                                         enum slt_explain_repeat repeat);

/* What it sends is too large for the path (MTU-1): then the silence is no dead peer's. */
bool slt_explain_is_too_large(const struct slt_explain_case *c, uint8_t end,
                              struct slt_explain_clue *clue);

/* The first step of `end` that counts and satisfies `is`; SLT_NO_STEP: none. */
uint32_t slt_explain_first(const struct slt_explain_flow *flow, uint8_t end,
                           bool (*is)(const struct slt_explain_step *step));
uint32_t slt_explain_last(const struct slt_explain_flow *flow, uint8_t end,
                          bool (*is)(const struct slt_explain_step *step));

static inline bool slt_explain_is_any(const struct slt_explain_step *step)
{
    (void)step;
    return true;
}

static inline bool slt_explain_is_data(const struct slt_explain_step *step)
{
    return step->bytes > 0 && (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0;
}

static inline bool slt_explain_is_syn(const struct slt_explain_step *step)
{
    return (step->flags & SLT_TCP_SYN) != 0;
}

static inline bool slt_explain_is_fin(const struct slt_explain_step *step)
{
    return (step->flags & (SLT_TCP_FIN | SLT_TCP_RST)) == SLT_TCP_FIN;
}

static inline bool slt_explain_is_rst(const struct slt_explain_step *step)
{
    return (step->flags & SLT_TCP_RST) != 0;
}

static inline bool slt_explain_is_challenge(const struct slt_explain_step *step)
{
    return step->mark == SLT_MARK_CHALLENGE_ACK;
}

static inline int64_t slt_explain_at(const struct slt_explain_flow *flow, uint32_t step)
{
    return flow->steps[step].at_ns;
}

/* From one step to another. */
static inline int64_t slt_explain_between(const struct slt_explain_flow *flow, uint32_t from,
                                          uint32_t to)
{
    return flow->steps[to].at_ns - flow->steps[from].at_ns;
}

/* The round trip from end to end; 0: not known. */
static inline int64_t slt_explain_round_trip(const struct slt_explain_flow *flow)
{
    return slt_max64(flow->end[0].delay_ns, 0) + slt_max64(flow->end[1].delay_ns, 0);
}

/* The largest segment an end may send, as far as the SYNs tell. */
static inline uint32_t slt_explain_mss(const struct slt_explain_flow *flow, uint8_t end)
{
    const struct slt_tcp_options *o = &flow->end[1 - end].options;
    bool told = (o->present & SLT_TCP_OPT_MSS) != 0 && o->mss > 0;
    uint32_t seen = flow->end[end].mss_seen;
    return told ? slt_min32(o->mss, seen) : seen;
}

#endif
