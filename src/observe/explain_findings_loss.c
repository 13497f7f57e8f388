/* Findings of what was sent again; see explain_rules.h.
 *
 * Each retransmission is put into one of four classes, with hindsight. Its data had arrived when
 * its acknowledgement had passed the capture before, or when the receiver reports that it came
 * twice (RFC 2883). If so: the acknowledgement was lost (LOSS-4) when it never passed, or passed
 * and a whole time-out later nobody knew of it; else it was merely slow (LOSS-3). If not, it was
 * lost, and found out by later data (LOSS-1) or by silence (LOSS-2). Of what keeps coming too large
 * for the path no segment of that size ever arrives, while smaller ones do (MTU-1).
 */
#include "observe/explain_rules.h"

#define LOSSES_FAST_LEAST 5U
#define LOSSES_LATE_LEAST 3U
#define NEEDLESS_LEAST    3U
#define SHARE             50U /* one in fifty bytes sent again */
#define LOOK_BACK         512U
#define SENDS_LEAST       3U
#define LARGE_BYTES       500U
#define LOOKS             64U /* segments whose fate is followed: each is a search */

struct losses {
    const struct slt_explain_flow *flow;
    uint8_t end; /* the sender */
    uint32_t fast;
    uint32_t late;
    uint32_t slow;    /* its acknowledgement came too late */
    uint32_t unheard; /* its acknowledgement was lost */
    uint32_t first;   /* retransmission of all */
    uint32_t last;
    bool has_acked;
    uint32_t acked; /* so far */
    bool has_late;
    uint32_t late_end; /* behind the last data that silence gave away */
};

static bool is_known(const struct losses *l, uint32_t end)
{
    return l->has_acked && slt_explain_diff(end, l->acked) <= 0;
}

/* The same data again and again is one loss; what is never acknowledged is no matter of losses. */
static void take_late(struct losses *l, const struct slt_explain_step *step)
{
    uint32_t past = slt_explain_step_end(step);
    const struct slt_explain_end *peer = &l->flow->end[1 - l->end];
    bool arrives = peer->has_acked && slt_explain_diff(past, peer->acked) <= 0;
    bool fresh = !l->has_late || slt_explain_diff(past, l->late_end) > 0;
    if (arrives && fresh) {
        l->late++;
        l->late_end = past;
        l->has_late = true;
    }
}

static void take_again(struct losses *l, uint32_t i)
{
    const struct slt_explain_step *step = &l->flow->steps[i];
    bool known = is_known(l, slt_explain_step_end(step));
    l->first = l->first == SLT_NO_STEP ? i : l->first;
    l->last = i;
    if (step->mark == SLT_MARK_FAST) {
        l->fast++;
    } else if (step->mark == SLT_MARK_SPURIOUS) {
        l->slow++;
    } else if (known) {
        l->unheard++;
    } else {
        take_late(l, step);
    }
}

/* The retransmission that a report of a duplicate is about. */
static const struct slt_explain_step *find_reported(const struct losses *l, uint32_t report,
                                                    bool *known)
{
    const struct slt_explain_step *told = &l->flow->steps[report];
    const struct slt_explain_step *found = NULL;
    uint32_t stop = report > LOOK_BACK ? report - LOOK_BACK : 0;
    *known = false;
    for (uint32_t i = report; i > stop; i--) {
        const struct slt_explain_step *step = &l->flow->steps[i - 1];
        bool counts = slt_place_counts(step);
        if (found == NULL && counts && step->from == l->end && slt_explain_is_again(step->mark) &&
            step->bytes > 0 && slt_explain_diff(step->seq, told->sack_right) < 0 &&
            slt_explain_diff(slt_explain_step_end(step), told->sack_left) > 0) {
            found = step;
        } else if (found != NULL && counts && step->from != l->end &&
                   (step->flags & (SLT_TCP_ACK | SLT_TCP_RST)) == SLT_TCP_ACK) {
            *known = slt_explain_diff(step->ack, slt_explain_step_end(found)) >= 0;
            break;
        }
    }
    return found;
}

static void take_report(struct losses *l, uint32_t i)
{
    bool known;
    const struct slt_explain_step *found = find_reported(l, i, &known);
    if (found == NULL || known || found->mark == SLT_MARK_SPURIOUS) {
        return; /* counted as it was sent */
    }
    uint32_t *taken = found->mark == SLT_MARK_FAST ? &l->fast : &l->late;
    *taken -= *taken > 0;
    if (l->has_acked && slt_explain_diff(l->flow->steps[i].ack, l->acked) > 0) {
        l->unheard++;
    } else {
        l->slow++;
    }
}

static struct losses losses_of(const struct slt_explain_flow *f, uint8_t end)
{
    struct losses l = {.flow = f, .end = end, .first = SLT_NO_STEP, .last = SLT_NO_STEP};
    if (f->end[end].again == 0) {
        return l;
    }
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (!slt_place_counts(step) || (step->flags & SLT_TCP_RST) != 0) {
            continue;
        }
        if (step->from == end) {
            if (step->bytes > 0 && slt_explain_is_again(step->mark) &&
                step->mark != SLT_MARK_SYN_AGAIN) {
                take_again(&l, i);
            }
            continue;
        }
        if ((step->notes & SLT_REMARK_DSACK) != 0) {
            take_report(&l, i);
        }
        if ((step->flags & SLT_TCP_ACK) != 0 && step->mark != SLT_MARK_CHALLENGE_ACK &&
            (!l.has_acked || slt_explain_diff(step->ack, l.acked) > 0)) {
            l.acked = step->ack;
            l.has_acked = true;
        }
    }
    return l;
}

static bool tell(const struct losses *l, uint32_t count, struct slt_explain_clue *clue)
{
    const struct slt_explain_end *me = &l->flow->end[l->end];
    clue->at = l->first;
    clue->until = l->last;
    clue->n = count;
    clue->m = me->again;
    return count > 0 && l->flow->connected;
}

/* Enough of all that was sent to matter. */
static bool is_much(const struct slt_explain_end *me)
{
    return me->again * SHARE >= me->payload + me->again;
}

static bool loses(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    struct losses l = losses_of(c->flow, end);
    return l.fast >= LOSSES_FAST_LEAST && l.fast >= l.late && l.fast > l.slow &&
           is_much(&c->flow->end[end]) && tell(&l, l.fast, clue);
}

static bool loses_late(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    struct losses l = losses_of(c->flow, end);
    return l.late >= LOSSES_LATE_LEAST && l.late > l.fast && l.late > l.slow + l.unheard &&
           is_much(&c->flow->end[end]) && tell(&l, l.late, clue);
}

static bool is_needless(const struct slt_explain_case *c, uint8_t end,
                        struct slt_explain_clue *clue)
{
    struct losses l = losses_of(c->flow, end);
    return l.slow >= NEEDLESS_LEAST && l.slow > l.unheard && l.slow >= l.fast + l.late &&
           tell(&l, l.slow, clue);
}

static bool loses_acks(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    struct losses l = losses_of(c->flow, end);
    return l.unheard >= NEEDLESS_LEAST && l.unheard >= l.slow && l.unheard >= l.fast + l.late &&
           tell(&l, l.unheard, clue);
}

/* ---- damaged, too large --------------------------------------------------------------------- */

static bool is_damaged(const struct slt_explain_step *step)
{
    return (step->notes & SLT_REMARK_BAD_CHECKSUM) != 0;
}

/* Where most are wrong it is the capture's place, not the path. */
static bool comes_damaged(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_end *me = &c->flow->end[end];
    for (uint32_t i = 0; i < c->flow->step_count && clue->at == SLT_NO_STEP; i++) {
        const struct slt_explain_step *step = &c->flow->steps[i];
        clue->at = step->from == end && is_damaged(step) ? i : SLT_NO_STEP;
    }
    clue->n = me->bad_checksums;
    clue->m = me->packets;
    return me->bad_checksums > 0 && 2ULL * me->bad_checksums < me->packets;
}

static bool reports(const struct slt_explain_step *step, const struct slt_explain_step *large)
{
    uint32_t past = slt_explain_step_end(large);
    bool block = step->sack_left != step->sack_right &&
                 slt_explain_diff(step->sack_left, large->seq) <= 0 &&
                 slt_explain_diff(step->sack_right, past) >= 0;
    return (step->flags & SLT_TCP_ACK) != 0 && (block || slt_explain_diff(step->ack, past) >= 0);
}

/* A segment so large reached the other end: its acknowledgement came before it was sent smaller. */
static bool passes(const struct slt_explain_flow *f, uint32_t at)
{
    const struct slt_explain_step *large = &f->steps[at];
    for (uint32_t i = at + 1; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (!slt_place_counts(step)) {
            continue;
        }
        if (step->from == large->from) {
            bool smaller = step->seq == large->seq && step->bytes > 0 && step->bytes < large->bytes;
            if (smaller) {
                return false;
            }
        } else if (reports(step, large)) {
            return true;
        }
    }
    return false;
}

/* The first that was sent again by time-out, and is large. */
static uint32_t find_stuck(const struct slt_explain_flow *f, uint8_t end)
{
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (step->from == end && slt_place_counts(step) && step->mark == SLT_MARK_RTO &&
            step->bytes >= LARGE_BYTES) {
            return i;
        }
    }
    return SLT_NO_STEP;
}

struct sizes {
    bool any_large; /* has passed since */
    bool any_small;
    uint32_t large; /* looked at */
    uint32_t small;
    uint32_t sends;
    bool heard; /* the other end, since it was sent again, or of something behind it */
};

static struct sizes sizes_of(const struct slt_explain_flow *f, uint8_t end, uint32_t stuck,
                             struct slt_explain_clue *clue)
{
    struct sizes s = {0};
    const struct slt_explain_step *large = &f->steps[stuck];
    for (uint32_t i = 0; i < f->step_count && !s.any_large; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (!slt_place_counts(step)) {
            continue;
        }
        bool more = step->sack_left != step->sack_right;
        if (step->from != end) {
            s.heard = s.heard || (s.sends > (more ? 0U : 1U) && !slt_explain_is_rst(step));
        } else if (step->bytes >= large->bytes) {
            if (step->seq == large->seq) {
                clue->at = s.sends == 0 ? i : clue->at;
                clue->until = i;
                s.sends++;
            }
            s.any_large = s.sends > 0 && s.large < LOOKS && passes(f, i);
            s.large += s.sends > 0;
        } else if (step->bytes > 0) {
            s.any_small = s.any_small || (s.small < LOOKS && passes(f, i));
            s.small++;
        }
    }
    return s;
}

bool slt_explain_is_too_large(const struct slt_explain_case *c, uint8_t end,
                              struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint32_t stuck = find_stuck(f, end);
    if (stuck == SLT_NO_STEP || !f->connected || f->end[1 - end].zero_windows > 0) {
        return false;
    }
    struct sizes s = sizes_of(f, end, stuck, clue);
    clue->n = s.sends;
    clue->m = f->steps[stuck].bytes;
    return !s.any_large && s.any_small && s.heard && s.sends >= SENDS_LEAST;
}

const struct slt_explain_rule slt_explain_rules_loss[] = {
    {SLT_FIND_MTU_1, 'B', 400, slt_explain_is_too_large,
     "{m} bytes of {who} were sent {n} times (packets {at} to {until}); no segment of that size "
     "arrived since, smaller ones did"},
    {SLT_FIND_LOSS_1, 'B', 100, loses,
     "{n} segments of {who} were lost and sent again when later data was acknowledged, packets "
     "{at} to {until}; {m} bytes went again in all"},
    {SLT_FIND_LOSS_2, 'B', 100, loses_late,
     "{n} losses of {who} were found out by time-out or tail probe alone, packets {at} to {until}; "
     "{m} bytes went again in all"},
    {SLT_FIND_LOSS_3, 'B', 50, is_needless,
     "{n} segments of {who} were sent again though they had arrived and their acknowledgement was "
     "under way, packets {at} to {until}"},
    {SLT_FIND_LOSS_4, 'B', 100, loses_acks,
     "{n} segments of {who} were sent again though they had arrived: their acknowledgements were "
     "lost, packets {at} to {until}"},
    {SLT_FIND_LOSS_7, 'B', 100, comes_damaged,
     "{n} of {m} packets of {who} arrived with a wrong checksum, the first is packet {at}"},
    {0},
};
