/* Findings of RST; see explain_rules.h.
 *
 * An RST without acknowledgement takes its number from what it answers: its sender does not know
 * the connection (RST-3). One with acknowledgement is a program's: it stands behind all that was
 * sent, and follows data that nobody answered (RST-1: likely unread) or not (RST-2). One whose
 * time-to-live is not its sender's, or after which its sender goes on as if nothing were, was made
 * by somebody else (RST-5). A bare one in answer to a segment whose numbers are another
 * connection's was provoked by a translation that failed (RST-6). Those that were not in place were
 * answered by challenge ACKs (RST-9).
 */
#include "observe/explain_rules.h"

#define CHALLENGES_LEAST 3U
#define HOPS_LEAST       3U /* packets of one time-to-live, to know it */
#define TTL_APART        2
#define GOES_ON_LEAST    2U
#define GOES_ON_NS       SLT_NS_PER_MS
#define ANSWER_NS        (50 * SLT_NS_PER_MS)

/* ---- of whom -------------------------------------------------------------------------------- */

/* The end's first RST on the connection that was complete; SLT_NO_STEP: none. */
static uint32_t find_rst(const struct slt_explain_flow *f, uint8_t end)
{
    uint32_t at = slt_explain_first(f, end, slt_explain_is_rst);
    bool later = at != SLT_NO_STEP && f->connected && slt_explain_at(f, at) >= f->connected_at_ns;
    return later ? at : SLT_NO_STEP;
}

/* Its time-to-live is not the one that all packets of the end before it have. */
static bool is_foreign(const struct slt_explain_flow *f, uint8_t end, uint32_t rst, uint64_t *usual)
{
    uint32_t seen = 0;
    uint8_t ttl = 0;
    for (uint32_t i = 0; i < rst; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (step->from != end || !slt_place_counts(step)) {
            continue;
        }
        if (seen > 0 && step->ttl != ttl) {
            return false;
        }
        ttl = step->ttl;
        seen++;
    }
    int apart = (int)f->steps[rst].ttl - (int)ttl;
    *usual = ttl;
    return seen >= HOPS_LEAST && (apart >= TTL_APART || apart <= -TTL_APART);
}

/* Its sender sends more, which is no RST, nor an old segment that is late, and not at the same
 * instant. */
static bool goes_on(const struct slt_explain_flow *f, uint8_t end, uint32_t rst)
{
    uint32_t count = 0;
    bool later = false;
    for (uint32_t i = rst + 1; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        int32_t ahead = slt_explain_diff(slt_explain_step_end(step), f->steps[rst].seq);
        bool fresh = ahead > 0 || (ahead == 0 && step->bytes == 0);
        if (step->from == end && slt_place_counts(step) && !slt_explain_is_rst(step) && fresh) {
            count++;
            later = later || slt_explain_between(f, rst, i) >= GOES_ON_NS;
        }
    }
    return later && count >= GOES_ON_LEAST;
}

static uint32_t challenges(const struct slt_explain_flow *f)
{
    return f->end[0].marks[SLT_MARK_CHALLENGE_ACK] + f->end[1].marks[SLT_MARK_CHALLENGE_ACK];
}

static bool is_injected(const struct slt_explain_case *c, uint8_t end,
                        struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->at = find_rst(f, end);
    if (clue->at == SLT_NO_STEP) {
        return false;
    }
    bool foreign = is_foreign(f, end, clue->at, &clue->m);
    bool alive = challenges(f) == 0 && !f->end[end].fin_seen && goes_on(f, end, clue->at);
    clue->n = f->steps[clue->at].ttl;
    clue->more = alive ? "; and it went on as if nothing had been" : NULL;
    return foreign || alive;
}

/* ---- why ------------------------------------------------------------------------------------ */

/* What a program or a stack of the end itself sent, neither after its FIN nor for want of answers.
 */
static uint32_t find_own(const struct slt_explain_case *c, uint8_t end, bool with_ack)
{
    const struct slt_explain_flow *f = c->flow;
    struct slt_explain_clue clue = {.at = SLT_NO_STEP};
    uint32_t rst = find_rst(f, end);
    if (rst == SLT_NO_STEP || f->end[end].fin_seen || is_injected(c, end, &clue) ||
        ((f->steps[rst].flags & SLT_TCP_ACK) != 0) != with_ack) {
        return SLT_NO_STEP;
    }
    bool in_vain = slt_explain_tail(f, end, SLT_REPEAT_DATA).count > 0 ||
                   slt_explain_tail(f, end, SLT_REPEAT_KEEPALIVE).count > 0 ||
                   slt_explain_tail(f, end, SLT_REPEAT_PROBE).count > 0;
    uint32_t other = slt_explain_first(f, (uint8_t)(1 - end), slt_explain_is_rst);
    return in_vain || other < rst ? SLT_NO_STEP : rst;
}

/* Data of the other end that had arrived and that nothing of this one answers. */
static uint64_t unanswered(const struct slt_explain_flow *f, uint8_t end, uint32_t rst,
                           uint32_t *last)
{
    uint32_t said = SLT_NO_STEP;
    uint32_t taken = f->steps[rst].ack;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < rst; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        bool data = slt_place_counts(step) && slt_explain_is_data(step);
        said = data && step->from == end ? i : said;
    }
    for (uint32_t i = said == SLT_NO_STEP ? 0 : said + 1; i < rst; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        bool fresh = step->from != end && slt_place_counts(step) && slt_explain_is_data(step) &&
                     !slt_explain_is_again(step->mark);
        if (fresh && slt_explain_diff(slt_explain_step_end(step), taken) <= 0) {
            bytes += step->bytes;
            *last = i;
        }
    }
    return bytes;
}

static bool leaves_unread(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    clue->until = find_own(c, end, true);
    if (clue->until == SLT_NO_STEP) {
        return false;
    }
    clue->n = unanswered(c->flow, end, clue->until, &clue->at);
    return clue->n > 0;
}

static bool lingers_not(const struct slt_explain_case *c, uint8_t end,
                        struct slt_explain_clue *clue)
{
    clue->at = find_own(c, end, true);
    if (clue->at == SLT_NO_STEP) {
        return false;
    }
    return unanswered(c->flow, end, clue->at, &clue->until) == 0 &&
           c->flow->steps[clue->at].seq == c->flow->end[end].end;
}

/* It has spoken on the connection since that was complete, or the capture began later. */
static bool has_known(const struct slt_explain_flow *f, uint8_t end)
{
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (step->from == end && slt_place_counts(step) &&
            (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0) {
            return true;
        }
    }
    return !f->opener_known;
}

/* RFC 9293 3.10.7.1: <SEQ=SEG.ACK><CTL=RST> for a segment of no connection. */
static bool knows_nothing(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->until = f->meant == NULL ? find_own(c, end, false) : SLT_NO_STEP;
    if (clue->until == SLT_NO_STEP || clue->until == 0 || !has_known(f, end)) {
        return false;
    }
    const struct slt_explain_step *rst = &f->steps[clue->until];
    clue->at = clue->until - 1;
    const struct slt_explain_step *asked = &f->steps[clue->at];
    int64_t way_ns = slt_max64(f->end[end].delay_ns, 0);
    clue->ns = clue->at == 0 ? 0 : slt_explain_between(f, clue->at - 1, clue->at);
    return asked->from != end && (asked->flags & SLT_TCP_ACK) != 0 && asked->ack == rst->seq &&
           rst->at_ns - asked->at_ns <= 2 * way_ns + ANSWER_NS;
}

/* The end that resets is the one that opened the connection which was meant. */
static bool is_astray(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->until = slt_explain_first(f, end, slt_explain_is_rst);
    if (f->meant == NULL || clue->until == SLT_NO_STEP || clue->until == 0) {
        return false;
    }
    clue->at = clue->until - 1;
    clue->n = f->meant->id;
    return f->steps[clue->at].from != end;
}

static bool has_text(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    for (uint32_t i = 0; i < c->flow->step_count; i++) {
        const struct slt_explain_step *step = &c->flow->steps[i];
        if (step->from == end && slt_explain_is_rst(step) && step->bytes > 0) {
            clue->at = i;
            clue->n = step->bytes;
            return true;
        }
    }
    return false;
}

static bool is_challenged(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->at = slt_explain_first(f, end, slt_explain_is_challenge);
    clue->until = slt_explain_last(f, end, slt_explain_is_challenge);
    clue->n = f->end[end].marks[SLT_MARK_CHALLENGE_ACK];
    if (!f->connected || clue->n < CHALLENGES_LEAST || clue->at == SLT_NO_STEP) {
        return false;
    }
    clue->ns = slt_explain_between(f, clue->at, clue->until);
    return true;
}

const struct slt_explain_rule slt_explain_rules_resets[] = {
    {SLT_FIND_RST_5, 'C', 300, is_injected,
     "the RST of packet {at} does not seem to be of {who}: time-to-live {n}, its others {m}"},
    {SLT_FIND_RST_1, 'B', 100, leaves_unread,
     "{who} reset the connection (packet {until}) with {n} bytes that it had acknowledged and not "
     "answered, up to packet {at}: likely not read when its program closed"},
    {SLT_FIND_RST_2, 'C', 0, lingers_not,
     "{who} closed with RST instead of FIN (packet {at}) though nothing was left unanswered: "
     "SO_LINGER of zero, as a rule"},
    {SLT_FIND_RST_3, 'B', 150, knows_nothing,
     "{who} answered packet {at} with a bare RST (packet {until}): it does not know the "
     "connection; nobody had spoken for {time} before"},
    {SLT_FIND_RST_6, 'B', 150, is_astray,
     "{who} answered packet {at} with a bare RST (packet {until}), though that has the numbers of "
     "connection #{n}: its source address was not translated on the way"},
    {SLT_FIND_RST_9, 'B', 50, is_challenged,
     "{n} segments that do not fit were answered by challenge ACKs of {who} within {time} (packets "
     "{at} to {until})"},
    {SLT_FIND_RST_10, 'A', 10, has_text, "the RST of packet {at} bears {n} bytes"},
    {0},
};
