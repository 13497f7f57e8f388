/* See explain_verdict.h. */
#include "observe/explain_verdict.h"

#include "base/compiler.h"
#include "observe/explain_findings.h"
#include "observe/explain_mark.h"
#include "observe/explain_place.h"
#include "observe/explain_track.h"
#include "salut/salut.h"

#include <stdarg.h>
#include <stdio.h>

#define NAME_MAX_BYTES 64
#define SINKS_MAX      3U

struct pen {
    char *out;
    size_t size;
    size_t used;
    const struct slt_explain_flow *flow;
    const struct slt_explain_states *states;
    struct slt_verdict *verdict;
    char names[2][NAME_MAX_BYTES];
};

SLT_PRINTF(2, 3)
static void say(struct pen *pen, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(pen->out + pen->used, pen->size - pen->used, format, list);
    va_end(list);
    size_t more = n > 0 ? (size_t)n : 0;
    pen->used = pen->used + more < pen->size ? pen->used + more : pen->size - 1;
}

const char *slt_explain_end_text(const struct slt_explain_end *end, char *out, size_t size)
{
    char text[48];
    salut_addr addr;
    memcpy(addr.b, end->addr, sizeof(addr.b));
    (void)salut_addr_print(&addr, text, sizeof(text));
    bool v6 = memchr(text, ':', sizeof(text)) != NULL && strchr(text, ':') != NULL;
    (void)snprintf(out, size, v6 ? "[%s]:%u" : "%s:%u", text, end->port);
    return out;
}

const char *slt_explain_ended_text(uint8_t ended)
{
    static const char *const texts[] = {"still open",  "never answered",  "refused",
                                        "half closed", "closed in order", "reset"};
    return ended < SLT_ARRAY_COUNT(texts) ? texts[ended] : "?";
}

const char *slt_explain_ended_name(uint8_t ended)
{
    static const char *const names[] = {"open",        "unanswered", "refused",
                                        "half_closed", "closed",     "reset"};
    return ended < SLT_ARRAY_COUNT(names) ? names[ended] : "?";
}

/* ---- how it ended --------------------------------------------------------------------------- */

static void find_closer(const struct slt_explain_flow *flow,
                        const struct slt_explain_states *states, struct slt_verdict *out)
{
    out->closer = 3;
    out->close_step = SLT_NO_STEP;
    for (uint32_t i = 0; i < states->count; i++) {
        const struct slt_explain_change *c = &states->changes[i];
        if (c->to == SALUT_STATE_FIN_WAIT_1 && c->certainty != SLT_REFUTED) {
            out->closer = out->closer == 3 ? c->end : 2;
            out->close_step = slt_min32(out->close_step, c->step);
        }
    }
    bool gone = states->gone[0] || states->gone[1];
    for (uint32_t i = 0; i < flow->step_count && out->closer == 3 && gone; i++) {
        if ((flow->steps[i].flags & SLT_TCP_RST) != 0) {
            out->closer = flow->steps[i].from;
            out->close_step = i;
        }
    }
}

static uint8_t ended_of(const struct slt_explain_flow *flow,
                        const struct slt_explain_states *states)
{
    const struct slt_explain_end *a = &flow->end[0];
    const struct slt_explain_end *b = &flow->end[1];
    bool one_sided = b->packets == 0 && a->has_acked; /* it was answered, elsewhere */
    if (a->syn_seen && !b->syn_seen && !flow->connected && !one_sided) {
        return b->reset          ? SLT_ENDED_REFUSED
               : b->packets == 0 ? SLT_ENDED_UNANSWERED
                                 : SLT_ENDED_NOT;
    }
    if (states->gone[0] || states->gone[1]) {
        return SLT_ENDED_RESET;
    }
    if (a->fin_seen && b->fin_seen) {
        return SLT_ENDED_ORDERLY;
    }
    return a->fin_seen || b->fin_seen ? SLT_ENDED_HALF : SLT_ENDED_NOT;
}

/* ---- sentences ------------------------------------------------------------------------------ */

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

/* A port that is used again: where the connection before it was left. */
static void say_before(struct pen *pen)
{
    struct slt_explain_states states;
    const struct slt_explain_flow *before = pen->flow->before;
    bool turned = memcmp(before->end[0].addr, pen->flow->end[0].addr, 16) != 0 ||
                  before->end[0].port != pen->flow->end[0].port;
    slt_explain_states_of(before, &states);
    say(pen, " over the ports of #%u (which left the server in %s)", before->id,
        slt_explain_state_name(states.last[turned ? 0 : 1]));
}

static void say_opening(struct pen *pen)
{
    const struct slt_explain_flow *f = pen->flow;
    uint32_t again = f->end[0].marks[SLT_MARK_SYN_AGAIN];
    if (!f->opener_known) {
        say(pen, "The capture begins in the middle: who opened is not known.");
        return;
    }
    say(pen, "%s opened to %s", pen->names[0], pen->names[1]);
    if (f->before != NULL) {
        say_before(pen);
    }
    if (pen->verdict->ended == SLT_ENDED_UNANSWERED) {
        say(pen, ": %u SYNs in %.3f s, no answer.", again + 1,
            seconds(f->last_at_ns - f->first_at_ns));
    } else if (pen->verdict->ended == SLT_ENDED_REFUSED) {
        say(pen, " and was refused at once: nothing listens there, or a filter says so.");
    } else if (f->connected) {
        say(pen, " and was connected after %.3f ms",
            seconds(f->connected_at_ns - f->first_at_ns) * 1e3);
        say(pen, again > 0 ? ", having sent its SYN %u times." : ".", again + 1);
    } else {
        say(pen, "; the handshake was not completed.");
    }
    if (f->end[1].marks[SLT_MARK_CHALLENGE_ACK] > 0) {
        say(pen, " The server answered for an older connection that it still has.");
    }
}

static void say_data(struct pen *pen)
{
    const struct slt_explain_flow *f = pen->flow;
    if (!f->connected) {
        return;
    }
    say(pen, " %llu bytes went to the server, %llu to the client",
        (unsigned long long)f->end[0].payload, (unsigned long long)f->end[1].payload);
    uint32_t again = slt_explain_again_count(f);
    if (again == 0) {
        say(pen, "; nothing was sent again.");
        return;
    }
    say(pen, again == 1 ? "; %u segment was sent again (" : "; %u segments were sent again (",
        again);
    const char *comma = "";
    for (uint8_t mark = SLT_MARK_SYN_AGAIN; mark <= SLT_MARK_SPURIOUS; mark++) {
        uint32_t n = f->end[0].marks[mark] + f->end[1].marks[mark];
        if (n > 0) {
            say(pen, "%s%u %s", comma, n, slt_explain_mark_name(mark));
            comma = ", ";
        }
    }
    say(pen, ").");
}

static void say_windows(struct pen *pen)
{
    for (uint8_t end = 0; end < 2; end++) {
        const struct slt_explain_end *e = &pen->flow->end[end];
        uint32_t probes = pen->flow->end[1 - end].marks[SLT_MARK_WINDOW_PROBE];
        if (e->zero_windows > 0) {
            say(pen,
                " The program at %s did not read: it closed its window, and %s asked %u times "
                "whether it is open again.",
                pen->names[end], pen->names[1 - end], probes);
        }
    }
}

/* What can be told of the reason; what several causes show alike is said as alternatives. */
static const char *why_reset(const struct slt_explain_flow *flow, uint8_t who, uint32_t at)
{
    uint8_t before = SLT_MARK_NONE;
    for (uint32_t i = 0; i < at; i++) {
        before = flow->steps[i].from == who ? flow->steps[i].mark : before;
    }
    if (slt_explain_answered_data(flow, who)) {
        return ", after its own FIN: data came for a program that had closed";
    }
    if (before == SLT_MARK_KEEPALIVE) {
        return ": nobody answered its keepalives";
    }
    if ((flow->steps[at].flags & SLT_TCP_ACK) == 0) {
        return ": it no longer knew it, or its program gave it up";
    }
    return ": its program gave it up (unread data, linger of zero, or it was killed so)";
}

static void say_reset(struct pen *pen)
{
    const struct slt_verdict *v = pen->verdict;
    uint32_t at = slt_place_find(pen->flow, 0, SLT_TCP_RST, 0);
    uint32_t other = slt_place_find(pen->flow, 1, SLT_TCP_RST, 0);
    uint8_t who = at < other ? 0 : 1;
    at = slt_min32(at, other);
    if (at == SLT_NO_STEP) {
        return;
    }
    say(pen, " %s reset the connection (packet %u)%s.", pen->names[who],
        pen->flow->steps[at].number, why_reset(pen->flow, who, at));
    if (v->closer < 2 && pen->flow->end[v->closer].fin_seen && v->closer != who) {
        say(pen, " Before that %s had closed.", pen->names[v->closer]);
    }
}

static void say_closing(struct pen *pen)
{
    const struct slt_verdict *v = pen->verdict;
    const struct slt_explain_states *s = pen->states;
    if (v->ended == SLT_ENDED_RESET) {
        say_reset(pen);
    } else if (v->closer == 2) {
        say(pen, " Both closed at once: their FINs crossed.");
    } else if (v->closer < 2 && pen->flow->connected) {
        say(pen, " %s closed first (FIN in packet %u)%s.", pen->names[v->closer],
            pen->flow->steps[v->close_step].number,
            v->ended == SLT_ENDED_HALF ? "; the other end has not closed" : "");
    } else if (pen->flow->connected) {
        say(pen, " Nobody closed before the capture ended.");
    }
    say(pen, " At the end: %s %s, %s %s.", pen->names[0], slt_explain_state_name(s->last[0]),
        pen->names[1], slt_explain_state_name(s->last[1]));
}

static void say_time(struct pen *pen)
{
    const struct slt_explain_flow *f = pen->flow;
    int64_t all_ns = f->last_at_ns - f->first_at_ns;
    bool told[SLT_BUCKET_COUNT] = {false};
    if (all_ns <= 0) {
        return;
    }
    say(pen, " It took %.3f s:", seconds(all_ns));
    for (uint32_t k = 0; k < SINKS_MAX; k++) {
        uint32_t best = SLT_BUCKET_COUNT;
        for (uint32_t i = 0; i < SLT_BUCKET_COUNT; i++) {
            bool more = best == SLT_BUCKET_COUNT || f->bucket_ns[i] > f->bucket_ns[best];
            best = !told[i] && more ? i : best;
        }
        double share = 100.0 * (double)f->bucket_ns[best] / (double)all_ns;
        if (share < 1.0 && k > 0) {
            break;
        }
        told[best] = true;
        say(pen, "%s %.0f %% %s", k > 0 ? "," : "", share,
            slt_explain_bucket_text((enum slt_explain_bucket)best));
    }
    say(pen, ".");
}

static void say_unknown(struct pen *pen)
{
    const struct slt_explain_flow *f = pen->flow;
    const struct slt_explain_states *s = pen->states;
    bool waits = s->last[0] == SALUT_STATE_TIME_WAIT || s->last[1] == SALUT_STATE_TIME_WAIT;
    if (waits) {
        say(pen, " Not observable: when TIME-WAIT ends.");
    }
    if (f->end[0].packets == 0 || f->end[1].packets == 0) {
        say(pen, " Only one direction was captured.");
    }
    if (f->end[0].unseen + f->end[1].unseen > 0) {
        say(pen, " The capture misses packets that were acknowledged: what it shows as lost may "
                 "not have been.");
    }
    if (f->left_out > 0) {
        say(pen, " %llu packets of its middle were not kept.", (unsigned long long)f->left_out);
    }
}

void slt_explain_verdict_of(const struct slt_explain_flow *flow,
                            const struct slt_explain_states *states, struct slt_verdict *out)
{
    struct pen pen = {.out = out->text,
                      .size = sizeof(out->text),
                      .flow = flow,
                      .states = states,
                      .verdict = out};
    memset(out, 0, sizeof(*out));
    (void)slt_explain_end_text(&flow->end[0], pen.names[0], sizeof(pen.names[0]));
    (void)slt_explain_end_text(&flow->end[1], pen.names[1], sizeof(pen.names[1]));
    out->ended = ended_of(flow, states);
    find_closer(flow, states, out);
    slt_explain_find(flow, states, out);
    say_opening(&pen);
    say_data(&pen);
    say_windows(&pen);
    say_closing(&pen);
    say_time(&pen);
    say_unknown(&pen);
}
