/* Findings of the set-up of a connection; see explain_rules.h.
 *
 * A SYN may be answered by nothing (SYN-1), by RST (SYN-3), by the acknowledgement of an older
 * connection (SYN-5, TW-4), or late (SYN-4). A SYN,ACK that is repeated is one whose answer does
 * not arrive (SR-2), or one whose answer arrives and is refused, because the program does not
 * accept what is complete (LIS-1). A connection that is complete, and whose request is acknowledged
 * and never answered, waits for a program (HS-1).
 */
#include "observe/explain_rules.h"

#define LATE_NS        (200 * SLT_NS_PER_MS) /* no stack sends a SYN again sooner */
#define REPEATS_LEAST  2U
#define UNANSWERED_NS  (5 * SLT_NS_PER_S) /* programs think, too */
#define ONE_REQUEST_NS (2 * SLT_NS_PER_S) /* who keeps talking does not wait for an answer */

static bool has_syn_unanswered(const struct slt_explain_case *c, uint8_t end,
                               struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->at = slt_explain_first(f, end, slt_explain_is_syn);
    clue->until = slt_explain_last(f, end, slt_explain_is_syn);
    clue->n = f->end[end].marks[SLT_MARK_SYN_AGAIN] + 1;
    if (end != 0 || c->verdict->ended != SLT_ENDED_UNANSWERED || clue->n < 2 ||
        clue->at == SLT_NO_STEP) {
        return false;
    }
    clue->ns = slt_explain_between(f, clue->at, clue->until);
    if (f->steps[clue->at].direction == SLT_CAPTURE_INBOUND) {
        clue->more = "; they arrived at this machine, which did not answer";
    }
    return true;
}

static bool is_refused(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    if (end != 1 || c->verdict->ended != SLT_ENDED_REFUSED) {
        return false;
    }
    clue->at = slt_explain_first(c->flow, 0, slt_explain_is_syn);
    clue->until = slt_explain_first(c->flow, 1, slt_explain_is_rst);
    if (clue->at == SLT_NO_STEP || clue->until == SLT_NO_STEP) {
        return false;
    }
    clue->ns = slt_explain_between(c->flow, clue->at, clue->until);
    return true;
}

/* The server's TIME-WAIT, or nothing that is known, of the connection before. */
static bool waited(const struct slt_explain_flow *flow)
{
    struct slt_explain_states states;
    const struct slt_explain_flow *before = flow->before;
    bool turned = memcmp(before->end[0].addr, flow->end[0].addr, sizeof(flow->end[0].addr)) != 0 ||
                  before->end[0].port != flow->end[0].port;
    slt_explain_states_of(before, &states);
    uint8_t state = states.last[turned ? 0 : 1];
    return state == SALUT_STATE_TIME_WAIT || state == SLT_STATE_UNKNOWN;
}

/* RFC 1337: an old acknowledgement answers the SYN, and the RST that it provokes ends TIME-WAIT. */
static bool meets_time_wait(const struct slt_explain_case *c, uint8_t end,
                            struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->at = slt_explain_first(f, 1, slt_explain_is_challenge);
    clue->until = slt_explain_first(f, 0, slt_explain_is_rst);
    return end == 1 && f->before != NULL && clue->at != SLT_NO_STEP && clue->until != SLT_NO_STEP &&
           waited(f);
}

static bool is_late(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    struct slt_explain_clue other;
    clue->n = f->end[0].marks[SLT_MARK_SYN_AGAIN];
    clue->at = slt_explain_first(f, 0, slt_explain_is_syn);
    clue->until = slt_explain_first(f, 1, slt_explain_is_syn);
    if (end != 0 || !f->connected || clue->n == 0 || clue->at == SLT_NO_STEP ||
        clue->until == SLT_NO_STEP || meets_time_wait(c, 1, &other)) {
        return false;
    }
    clue->ns = slt_explain_between(f, clue->at, slt_explain_last(f, 0, slt_explain_is_syn));
    return clue->ns >= LATE_NS;
}

static bool is_held_by_old(const struct slt_explain_case *c, uint8_t end,
                           struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    clue->at = slt_explain_first(f, 1, slt_explain_is_challenge);
    clue->until = slt_explain_last(f, 0, slt_explain_is_syn);
    clue->n = f->end[0].marks[SLT_MARK_SYN_AGAIN] + 1;
    return end == 1 && !f->connected && !f->end[1].syn_seen && clue->n >= REPEATS_LEAST &&
           clue->at != SLT_NO_STEP && clue->until != SLT_NO_STEP && clue->until > clue->at;
}

/* SYN,ACKs again of `end`, behind the other's first segment that is no SYN, or without one. */
static uint32_t answers_again(const struct slt_explain_flow *f, bool completed,
                              struct slt_explain_clue *clue)
{
    bool acked = false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (!slt_place_counts(step)) {
            continue;
        }
        if (step->from == 0 && (step->flags & (SLT_TCP_SYN | SLT_TCP_RST)) == 0) {
            clue->at = acked ? clue->at : i;
            acked = true;
        }
        if (step->from == 1 && step->mark == SLT_MARK_SYN_AGAIN && (acked || !completed)) {
            clue->until = i;
            count++;
        }
    }
    return count;
}

static bool is_half_open(const struct slt_explain_case *c, uint8_t end,
                         struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    if (end != 1 || f->connected || !f->end[1].syn_seen || f->end[0].reset) {
        return false;
    }
    clue->n = answers_again(f, false, clue) + 1;
    clue->at = slt_explain_first(f, 1, slt_explain_is_syn);
    if (clue->n < REPEATS_LEAST + 1 || clue->at == SLT_NO_STEP) {
        return false;
    }
    clue->ns = slt_explain_between(f, clue->at, clue->until);
    return true;
}

static bool is_queue_full(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    const struct slt_explain_end *client = &f->end[0];
    const struct slt_explain_end *server = &f->end[1];
    bool taken = server->payload > 0 ||
                 (server->has_acked && slt_explain_diff(server->acked, client->isn + 1) > 0);
    if (end != 1 || !f->connected || !client->syn_seen || client->payload == 0 || taken) {
        return false;
    }
    clue->n = answers_again(f, true, clue);
    if (clue->n < REPEATS_LEAST) {
        return false;
    }
    clue->ns = slt_explain_between(f, clue->at, clue->until);
    clue->m = client->payload;
    return true;
}

static bool is_unanswered(const struct slt_explain_case *c, uint8_t end,
                          struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    const struct slt_explain_end *client = &f->end[0];
    const struct slt_explain_end *server = &f->end[1];
    uint32_t fin = client->fin_seen ? 1 : 0;
    bool taken = server->has_acked && slt_explain_diff(server->acked, client->end - fin) >= 0;
    clue->at = slt_explain_first(f, 0, slt_explain_is_data);
    clue->until = slt_explain_last(f, 0, slt_explain_is_data);
    if (end != 1 || !f->connected || !taken || server->payload > 0 || server->fin_seen ||
        server->reset || server->zero_windows + client->zero_windows > 0 ||
        clue->at == SLT_NO_STEP) {
        return false;
    }
    uint32_t gone =
        slt_explain_first(f, 0, client->fin_seen ? slt_explain_is_fin : slt_explain_is_rst);
    int64_t until_ns = gone == SLT_NO_STEP ? f->watched_until_ns : slt_explain_at(f, gone);
    clue->ns = until_ns - slt_explain_at(f, clue->until);
    clue->n = client->payload;
    return clue->ns >= UNANSWERED_NS &&
           slt_explain_between(f, clue->at, clue->until) <= ONE_REQUEST_NS;
}

/* Both opened at once, or the answer stands before the question. */
static bool is_odd(const struct slt_explain_case *c, uint8_t end, struct slt_explain_clue *clue)
{
    const struct slt_explain_flow *f = c->flow;
    uint32_t a = slt_explain_first(f, 0, slt_explain_is_syn);
    uint32_t b = slt_explain_first(f, 1, slt_explain_is_syn);
    if (end != 0 || a == SLT_NO_STEP || b == SLT_NO_STEP) {
        return false;
    }
    bool bare = ((f->steps[a].flags | f->steps[b].flags) & SLT_TCP_ACK) == 0;
    clue->at = a < b ? a : b;
    clue->until = a < b ? b : a;
    clue->more = bare ? ": both ends opened at once" : ": the answer stands before the question";
    return bare || (b < a && (f->steps[a].flags & SLT_TCP_ACK) == 0);
}

const struct slt_explain_rule slt_explain_rules_setup[] = {
    {SLT_FIND_SYN_1, 'B', 300, has_syn_unanswered,
     "{n} SYNs in {time} (packets {at} to {until}) and no answer"},
    {SLT_FIND_SYN_3, 'B', 800, is_refused,
     "the SYN of packet {at} was answered by RST in packet {until}, after {time}"},
    {SLT_FIND_RST_8, 'A', 0, is_refused, "RST answers a SYN in packet {until}"},
    {SLT_FIND_SYN_4, 'B', 200, is_late,
     "the SYN of packet {at} was sent again {n} times within {time}; packet {until} answers it"},
    {SLT_FIND_SYN_5, 'B', 500, is_held_by_old,
     "{n} SYNs, the last in packet {until}, and {who} answers for an older connection (packet "
     "{at})"},
    {SLT_FIND_TW_4, 'A', 300, meets_time_wait,
     "the SYN met TIME-WAIT: packet {at} acknowledges old numbers, and the RST of packet {until} "
     "ended it"},
    {SLT_FIND_SR_2, 'B', 300, is_half_open,
     "{n} SYN,ACKs in {time} (packets {at} to {until}), and no acknowledgement of them"},
    {SLT_FIND_LIS_1, 'B', 500, is_queue_full,
     "the handshake was complete in packet {at}, yet {who} repeated its SYN,ACK {n} times in "
     "{time} (the last in packet {until}) and took none of {m} bytes"},
    {SLT_FIND_HS_1, 'B', 300, is_unanswered,
     "{n} bytes (packets {at} to {until}) were acknowledged, and no answer came for {time}"},
    {SLT_FIND_HS_3, 'C', 5, is_odd, "the SYNs of packets {at} and {until}"},
    {0},
};
