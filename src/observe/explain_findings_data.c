/* Findings of a connection whose data flows, or should; see explain_rules.h.
 *
 * A closed window is the doing of the program behind it: another machine's (ZW-1) or, where the
 * capture was made beside it, this machine's (ZW-2). Small segments that wait for the delayed
 * acknowledgement of the one before are Nagle's algorithm (NAG-1); a program that thinks lets the
 * acknowledgement pass and speaks later. The time budget tells who was waited for (SRV-1, CLI-1).
 */
#include "observe/explain_rules.h"

#define SHARE_LARGE      50 /* per cent of the time */
#define THINKS_NS        (100 * SLT_NS_PER_MS)
#define CLOSED_NS        SLT_NS_PER_S
#define PROBES_LEAST     2U
#define PROBED_NS        (400 * SLT_NS_PER_MS) /* two probes' time */
#define DELAYED_LEAST_NS (30 * SLT_NS_PER_MS)  /* of acknowledgements, as stacks delay them */
#define DELAYED_MOST_NS  (550 * SLT_NS_PER_MS)
#define AT_ONCE_NS       (5 * SLT_NS_PER_MS)
#define HELD_LEAST       3U
#define IDLE_NS          (200 * SLT_NS_PER_MS)
#define RESTART_SEGMENTS 10U                  /* RFC 6928 */
#define COSTS_NS         (10 * SLT_NS_PER_MS) /* a round trip more is felt */
#define RESTART_LEAST    4U
#define STAMP_BYTES      12U /* of timestamps, in each segment */
#define STAMP_BACK       1000U
#define STAMPS_LEAST     2U
#define GIVES_UP_NS      SLT_NS_PER_S

/* ---- windows -------------------------------------------------------------------------------- */

/* `end` closed its window, and the other asks in vain, or must wait for long. */
static bool closes_window(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint32_t probes = f->end[1 - end].marks[SLT_MARK_WINDOW_PROBE];
    if (f->end[end].zero_windows == 0) {
        return false;
    }
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        bool closed = step->from == end && slt_place_counts(step) &&
                      (step->notes & SLT_REMARK_WINDOW_ZERO) != 0 && !slt_explain_is_rst(step);
        clue->at = closed && clue->at == SLT_NO_STEP ? i : clue->at;
        clue->until = closed ? i : clue->until;
    }
    /* Unanswered probes alone are ZW-3. */
    uint32_t in_vain = slt_explain_tail(f, (uint8_t)(1 - end), SLT_REPEAT_PROBE).count;
    clue->n = probes;
    clue->ns = f->bucket_ns[SLT_BUCKET_ZERO_WINDOW];
    return clue->at != SLT_NO_STEP && in_vain < 3 &&
           clue->ns >= (probes >= PROBES_LEAST ? PROBED_NS : CLOSED_NS);
}

static bool is_local(const struct slt_explain_case *c, uint32_t step)
{
    return c->flow->steps[step].direction == SLT_CAPTURE_OUTBOUND;
}

static bool does_not_read(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    return closes_window(c, end, clue) && !is_local(c, clue->at);
}

static bool does_not_read_here(const struct slt_explain_case *c, uint8_t end,
                               struct slt_explain_clue *clue)
{
    return closes_window(c, end, clue) && is_local(c, clue->at);
}

/* ---- Nagle ---------------------------------------------------------------------------------- */

/* The sender's small segment, the acknowledgement that it waited for, and the next small one. */
struct hold {
    uint32_t data; /* SLT_NO_STEP: none is outstanding */
    uint32_t ack;  /* SLT_NO_STEP: it has not come */
};

static bool is_held(const struct slt_explain_flow *f, const struct hold *h, uint32_t next)
{
    const struct slt_explain_step *data = &f->steps[h->data];
    int64_t wait_ns = slt_explain_between(f, h->data, h->ack);
    int64_t path_ns = slt_max64(f->end[1 - data->from].delay_ns, 0);
    int64_t way_ns = slt_max64(f->end[data->from].delay_ns, 0);
    return wait_ns >= path_ns + DELAYED_LEAST_NS && wait_ns <= path_ns + DELAYED_MOST_NS &&
           slt_explain_between(f, h->ack, next) <= way_ns + AT_ONCE_NS;
}

static bool is_small(const struct slt_explain_flow *f, uint8_t end,
                     const struct slt_explain_step *step)
{
    const struct slt_tcp_options *o = &f->end[1 - end].options;
    uint32_t mss = (o->present & SLT_TCP_OPT_MSS) != 0 ? o->mss : 536;
    return slt_explain_is_data(step) && step->mark == SLT_MARK_NONE && step->bytes < mss / 2;
}

static void follow(const struct slt_explain_flow *f, uint32_t i, uint8_t end, struct hold *h)
{
    const struct slt_explain_step *step = &f->steps[i];
    if (step->from == end) {
        h->data = is_small(f, end, step) ? i : SLT_NO_STEP;
        h->ack = SLT_NO_STEP;
        return;
    }
    /* An answer of the other program ends it: then nothing was held. */
    bool bare = slt_explain_step_end(step) == step->seq && step->mark == SLT_MARK_NONE;
    bool fits = bare && h->data != SLT_NO_STEP && h->ack == SLT_NO_STEP &&
                step->ack == slt_explain_step_end(&f->steps[h->data]);
    h->data = fits ? h->data : SLT_NO_STEP;
    h->ack = fits ? i : SLT_NO_STEP;
}

static bool is_held_back(const struct slt_explain_case *c, uint8_t end,
                         struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    struct hold h = {SLT_NO_STEP, SLT_NO_STEP};
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (!slt_place_counts(step)) {
            continue;
        }
        if (step->from == end && h.ack != SLT_NO_STEP && is_small(f, end, step) &&
            is_held(f, &h, i)) {
            clue->at = clue->n == 0 ? h.data : clue->at;
            clue->until = i;
            clue->ns += slt_explain_between(f, h.data, i);
            clue->n++;
        }
        follow(f, i, end, &h);
    }
    return f->connected && clue->n >= HELD_LEAST;
}

/* ---- who was waited for --------------------------------------------------------------------- */

static bool dominates(const struct slt_explain_flow *f, enum slt_explain_bucket bucket,
                      struct slt_explain_clue *clue)
{
    int64_t all_ns = f->last_at_ns - f->first_at_ns;
    clue->ns = f->bucket_ns[bucket];
    clue->n = (uint64_t)slt_max64(f->bucket_ns[bucket] / SLT_NS_PER_MS, 0);
    clue->m = (uint64_t)slt_max64(all_ns / SLT_NS_PER_MS, 0);
    return clue->ns >= THINKS_NS && clue->ns > all_ns / 100 * SHARE_LARGE;
}

static bool thinks(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    return end == 1 && dominates(c->flow, SLT_BUCKET_SERVER, clue);
}

static bool client_thinks(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    return end == 0 && dominates(c->flow, SLT_BUCKET_CLIENT, clue);
}

/* The server's FIN, with nothing left to be answered. */
static bool closes_idle(const struct slt_explain_case *c, uint8_t end,
                        struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint32_t asked = slt_explain_last(f, 0, slt_explain_is_data);
    uint32_t answered = slt_explain_last(f, 1, slt_explain_is_data);
    bool answers = asked == SLT_NO_STEP || (answered != SLT_NO_STEP && answered > asked);
    clue->until = slt_explain_first(f, 1, slt_explain_is_fin);
    if (end != 1 || c->verdict->closer != 1 || !f->connected || clue->until == SLT_NO_STEP ||
        clue->until == 0 || !answers) {
        return false;
    }
    clue->at = clue->until - 1;
    clue->ns = slt_explain_between(f, clue->at, clue->until);
    return clue->ns >= GIVES_UP_NS;
}

/* ---- sending rate --------------------------------------------------------------------------- */

/* A sender's flights, before and after it was idle. */
struct flights {
    uint32_t sent; /* behind what it has sent */
    uint32_t acked;
    uint32_t largest;   /* in flight, before */
    uint32_t restarted; /* the step after the idle time; SLT_NO_STEP: there was none */
    uint32_t burst;     /* sent thereafter until the first acknowledgement */
    bool burst_over;
    int64_t over_at_ns;
    bool goes_on;
    bool gives_up; /* the program had no more, or waited for an answer */
    bool begun;
};

static void take_sent(const struct slt_explain_flow *f, uint32_t i, int64_t idle_ns,
                      struct flights *v)
{
    const struct slt_explain_step *step = &f->steps[i];
    uint32_t past = slt_explain_step_end(step);
    uint32_t mss = slt_explain_mss(f, step->from);
    bool rests = v->begun && v->sent == v->acked && step->mark == SLT_MARK_NONE;
    if (rests && idle_ns >= IDLE_NS + 2 * slt_explain_round_trip(f) &&
        v->largest >= 2 * RESTART_SEGMENTS * mss && v->restarted == SLT_NO_STEP) {
        v->restarted = i;
    }
    if (v->restarted != SLT_NO_STEP) {
        /* What was held back by the congestion window leaves with the first acknowledgement. */
        int64_t way_ns = slt_max64(f->end[step->from].delay_ns, 0);
        v->burst += v->burst_over ? 0 : step->bytes;
        v->goes_on = v->burst_over && step->at_ns - v->over_at_ns <= way_ns + AT_ONCE_NS;
        v->gives_up = v->burst_over && !v->goes_on;
    }
    v->sent = v->begun && slt_explain_diff(past, v->sent) <= 0 ? v->sent : past;
    v->begun = true;
    int32_t flight = slt_explain_diff(v->sent, v->acked);
    if (v->restarted == SLT_NO_STEP && flight > 0) {
        v->largest = slt_max32(v->largest, (uint32_t)flight);
    }
}

static bool starts_slowly(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    struct flights v = {.restarted = SLT_NO_STEP, .acked = f->end[end].isn + 1};
    int64_t last_ns = f->first_at_ns;
    for (uint32_t i = 0; i < f->step_count && !v.goes_on && !v.gives_up; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (!slt_place_counts(step) || (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) != 0) {
            continue;
        }
        if (step->from == end && step->bytes > 0) {
            clue->ns = v.restarted == SLT_NO_STEP ? step->at_ns - last_ns : clue->ns;
            take_sent(f, i, step->at_ns - last_ns, &v);
            last_ns = step->at_ns;
        } else if (step->from != end && slt_explain_diff(step->ack, v.acked) > 0) {
            v.acked = step->ack;
            v.over_at_ns = v.burst_over ? v.over_at_ns : step->at_ns;
            v.burst_over = v.restarted != SLT_NO_STEP;
            v.gives_up = v.gives_up || (v.burst_over && step->bytes > 0);
        }
    }
    bool stamped =
        (f->end[0].options.present & f->end[1].options.present & SLT_TCP_OPT_TIMESTAMPS) != 0;
    uint32_t mss = slt_explain_mss(f, end);
    mss = stamped && mss == f->end[1 - end].options.mss && mss > STAMP_BYTES ? mss - STAMP_BYTES
                                                                             : mss;
    /* What the congestion window allows is whole segments; a rest is a program's end. */
    bool whole = mss > 0 && v.burst % mss == 0;
    clue->at = v.restarted;
    clue->n = mss == 0 ? 0 : v.largest / mss;
    clue->m = mss == 0 ? 0 : v.burst / mss;
    const struct slt_explain_end *peer = &f->end[1 - end];
    bool room = peer->zero_windows + peer->full_windows == 0; /* else the window held it back */
    bool matters = slt_explain_round_trip(f) >= COSTS_NS;
    return v.goes_on && room && whole && matters && f->end[end].syn_seen &&
           clue->m >= RESTART_LEAST && clue->m <= RESTART_SEGMENTS + 1;
}

/* RFC 3168 6.1: routers mark, the receiver says so until it is heard. RFC 9768's counters are no
 * such bits. */
static bool is_marked(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint16_t syns[2] = {0, 0};
    for (uint8_t k = 0; k < 2; k++) {
        uint32_t at = slt_explain_first(f, k, slt_explain_is_syn);
        syns[k] = at == SLT_NO_STEP ? 0 : f->steps[at].flags;
    }
    const uint16_t bits = SLT_TCP_ECE | SLT_TCP_CWR | SLT_TCP_AE;
    bool classic =
        (syns[0] & bits) == (SLT_TCP_ECE | SLT_TCP_CWR) && (syns[1] & bits) == SLT_TCP_ECE;
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        bool marked = step->from == end && (step->notes & SLT_REMARK_CONGESTED) != 0;
        bool told = step->from != end && classic && (step->flags & SLT_TCP_ECE) != 0 &&
                    !slt_explain_is_syn(step);
        if (slt_place_counts(step) && (marked || told)) {
            clue->at = clue->at == SLT_NO_STEP ? i : clue->at;
            clue->n += marked;
            clue->m += told;
        }
    }
    return clue->n + clue->m > 0;
}

/* RFC 7323 5.3 R1: a segment whose timestamp goes back is not taken. */
static bool goes_back(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint32_t newest = 0;
    uint32_t asked = SLT_NO_STEP;
    bool begun = false;
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        bool counts = slt_place_counts(step) && !slt_explain_is_rst(step);
        if (counts && step->from == end && (step->notes & SLT_REMARK_STAMPED) != 0) {
            bool old = begun && slt_explain_diff(newest, step->ts_val) >= (int32_t)STAMP_BACK;
            asked = old && step->bytes > 0 ? i : SLT_NO_STEP;
            newest = begun && slt_explain_diff(step->ts_val, newest) <= 0 ? newest : step->ts_val;
            begun = true;
        } else if (counts && step->from != end && asked != SLT_NO_STEP) {
            bool refused = slt_explain_diff(step->ack, slt_explain_step_end(&f->steps[asked])) < 0;
            clue->at = refused && clue->n == 0 ? asked : clue->at;
            clue->until = refused ? i : clue->until;
            clue->n += refused;
            asked = SLT_NO_STEP;
        }
    }
    return f->connected && clue->n >= STAMPS_LEAST;
}

const struct slt_explain_rule slt_explain_rules_data[] = {
    {SLT_FIND_ZW_1, 'A', 400, does_not_read,
     "{who} closed its window in packet {at}: its program does not read; {other} asked {n} times "
     "and waited {time}, the last such answer is packet {until}"},
    {SLT_FIND_ZW_2, 'A', 400, does_not_read_here,
     "{who}, a program of this machine, does not read: its window closed in packet {at}; {other} "
     "asked {n} times and waited {time}"},
    {SLT_FIND_NAG_1, 'B', 60, is_held_back,
     "{n} small segments of {who} waited for the delayed acknowledgement of the one before, {time} "
     "in all (packets {at} to {until})"},
    {SLT_FIND_TS_1, 'B', 100, goes_back,
     "{n} segments of {who} bear timestamps that go back, and {other} did not take them (packets "
     "{at} to {until})"},
    {SLT_FIND_CC_2, 'B', 10, starts_slowly,
     "{who} was idle for {time} and began again with {m} segments (packet {at}); before, {n} were "
     "in flight"},
    {SLT_FIND_ECN_1, 'A', 0, is_marked,
     "{n} packets of {who} were marked by a router, {m} packets of {other} report it, the first is "
     "packet {at}"},
    {SLT_FIND_SRV_1, 'A', 30, thinks,
     "the server's program was waited for {time}, {percent} % of the time"},
    {SLT_FIND_CLI_1, 'A', 5, client_thinks,
     "the client's program was waited for {time}, {percent} % of the time"},
    {SLT_FIND_APP_1, 'B', 0, closes_idle,
     "the server closed after {time} without a request (packet {until} after packet {at})"},
    {0},
};
