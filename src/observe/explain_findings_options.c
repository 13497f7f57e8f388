/* Findings of what the SYNs offer; see explain_rules.h.
 *
 * An option that is missing matters only where it is wanted: no window scaling on a long path that
 * carries much (WS-1), no selective acknowledgements where something was lost (SACK-1). The end
 * that is blamed is the one whose SYN does not offer what the other's could have.
 */
#include "observe/explain_rules.h"

#include "wire/address.h"

#define MSS_SMALL      536U /* RFC 9293 3.7.1 */
#define LONG_PATH_NS   (20 * SLT_NS_PER_MS)
#define UNSCALED_BYTES 65535U
#define LOSSES_LEAST   3U

/* It does not offer the option, and is not the one that may not because the other did not. */
static bool lacks(const struct slt_explain_flow *f, uint8_t end, uint8_t option)
{
    bool both = f->connected && f->end[0].syn_seen && f->end[1].syn_seen;
    bool asked = end == 0 || (f->end[0].options.present & option) != 0;
    return both && asked && (f->end[end].options.present & option) == 0;
}

static bool has_small_mss(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_end *me = &c->flow->end[end];
    bool told = (me->options.present & SLT_TCP_OPT_MSS) != 0;
    bool v4 = slt_address_is_v4(me->addr);
    if (!c->flow->connected || !me->syn_seen || (told ? me->options.mss > MSS_SMALL : !v4)) {
        return false;
    }
    clue->at = slt_explain_first(c->flow, end, slt_explain_is_syn);
    clue->n = told ? me->options.mss : MSS_SMALL;
    clue->more = told ? "" : ", for want of the option";
    return true;
}

static bool has_no_scaling(const struct slt_explain_case *c, uint8_t end,
                           struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint64_t most = f->end[0].payload > f->end[1].payload ? f->end[0].payload : f->end[1].payload;
    clue->at = slt_explain_first(f, end, slt_explain_is_syn);
    clue->ns = slt_explain_round_trip(f);
    clue->n = most;
    return lacks(f, end, SLT_TCP_OPT_WSCALE) && clue->ns >= LONG_PATH_NS && most > UNSCALED_BYTES;
}

static bool has_no_sack(const struct slt_explain_case *c, uint8_t end,
                        struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->at = slt_explain_first(f, end, slt_explain_is_syn);
    for (uint8_t k = 0; k < 2; k++) {
        const uint32_t *marks = f->end[k].marks;
        clue->n += marks[SLT_MARK_FAST] + marks[SLT_MARK_RTO];
        clue->m += f->end[k].again;
    }
    /* Retransmissions into silence want no blocks. */
    bool helped = f->end[0].marks[SLT_MARK_FAST] + f->end[1].marks[SLT_MARK_FAST] > 0;
    return lacks(f, end, SLT_TCP_OPT_SACK_OK) && helped && clue->n >= LOSSES_LEAST;
}

const struct slt_explain_rule slt_explain_rules_options[] = {
    {SLT_FIND_MTU_2, 'A', 20, has_small_mss,
     "the SYN of packet {at} lets {who} be sent segments of {n} bytes only"},
    {SLT_FIND_WS_1, 'A', 50, has_no_scaling,
     "the SYN of packet {at} offers no window scaling; {n} bytes went over a path of {time} there "
     "and back, at most 65535 in each round trip"},
    {SLT_FIND_SACK_1, 'B', 30, has_no_sack,
     "the SYN of packet {at} offers no selective acknowledgements; {n} segments ({m} bytes) were "
     "sent again without their help"},
    {0},
};
