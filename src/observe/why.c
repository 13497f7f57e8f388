/* See why.h. States are RFC 9293 3.3.2's; what keeps a connection there follows from 3.6 (closing),
 * 3.8 (retransmission, zero windows) and the notes on each.
 */
#include "observe/why.h"

#include "base/compiler.h"
#include "base/print.h"
#include "base/time.h"
#include "observe/cause.h"

#include <stdarg.h>
#include <stdio.h>

/* For numbers in the middle of words. Words alone are appended as they are, which costs a fraction:
 * a listing may have a hundred thousand sentences. */
SLT_PRINTF(2, 3)
static void say(struct slt_text *s, const char *format, ...)
{
    size_t used = s->used < s->size ? s->used : s->size;
    va_list list;
    va_start(list, format);
    int n = vsnprintf(s->out + used, s->size - used, format, list);
    va_end(list);
    s->used += n < 0 ? 0 : (size_t)n;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- durations ------------------------------------------------------------------------------ */

struct scale {
    int64_t ns;
    int64_t from_ns; /* used from here on */
    const char *unit;
};

const char *slt_print_duration(int64_t ns, char out[SLT_DURATION_MAX])
{
    static const struct scale scales[] = {
        {86400 * SLT_NS_PER_S, 48 * 3600 * SLT_NS_PER_S, " d"},
        {3600 * SLT_NS_PER_S, 120 * 60 * SLT_NS_PER_S, " h"},
        {60 * SLT_NS_PER_S, 120 * SLT_NS_PER_S, " min"},
        {SLT_NS_PER_S, SLT_NS_PER_S, " s"},
        {SLT_NS_PER_MS, SLT_NS_PER_MS, " ms"},
    };
    size_t i = 0;
    struct slt_text text;
    slt_text_init(&text, out, SLT_DURATION_MAX);
    if (ns == 0) {
        slt_text_str(&text, "0 s");
        return out;
    }
    if (ns < 0) {
        slt_text_char(&text, '-');
    }
    while (i + 1 < SLT_ARRAY_COUNT(scales) && ns < scales[i].from_ns) {
        i++;
    }
    uint64_t whole = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t unit = (uint64_t)scales[i].ns;
    uint64_t tenths = (whole % unit * 10 + unit / 2) / unit;
    if (whole / unit * 10 + tenths >= 100) { /* two digits are enough */
        slt_text_u64(&text, whole / unit + (whole % unit >= unit - unit / 2));
    } else {
        slt_text_u64(&text, whole / unit + tenths / 10);
        slt_text_char(&text, '.');
        slt_text_u64(&text, tenths % 10);
    }
    slt_text_str(&text, scales[i].unit);
    return out;
}

const char *slt_print_span(const struct slt_seen_span *span, char out[SLT_DURATION_MAX])
{
    static const char *const marks[] = {"-", "", ">", "<"};
    char duration[SLT_DURATION_MAX];
    struct slt_text text;
    bool known = span->how != SLT_SPAN_UNKNOWN && span->how <= SLT_SPAN_AT_MOST;
    slt_text_init(&text, out, SLT_DURATION_MAX);
    slt_text_str(&text, marks[known ? span->how : SLT_SPAN_UNKNOWN]);
    if (known) {
        slt_text_str(&text, slt_print_duration(span->ns, duration));
    }
    return out;
}

/* ---- parts many sentences share ------------------------------------------------------------- */

static void say_timer(struct slt_text *s, const struct slt_seen *seen)
{
    char text[SLT_DURATION_MAX];
    if (seen->timer_in.how == SLT_SPAN_EXACT && seen->timer != SLT_SEEN_TIMER_NONE) {
        say(s, ", next in %s", slt_print_duration(seen->timer_in.ns, text));
    }
}

static void say_gone_in(struct slt_text *s, const struct slt_seen *seen)
{
    char text[SLT_DURATION_MAX];
    if (seen->timer_in.how == SLT_SPAN_EXACT) {
        slt_text_str(s, "; gone in ");
        slt_text_str(s, slt_print_duration(seen->timer_in.ns, text));
    }
}

/* Octets or a FIN that the peer has not acknowledged: how it stands with them. */
static bool say_unanswered(struct slt_text *s, const struct slt_seen *seen)
{
    if (seen->timer == SLT_SEEN_TIMER_PERSIST) {
        slt_text_str(s, "; the peer's window is closed: its program does not read");
        say_timer(s, seen);
        return true;
    }
    if (seen->timer == SLT_SEEN_TIMER_RETRANSMIT && seen->retries > 0) {
        say(s, "; sent again %u time%s without an answer", seen->retries, plural(seen->retries));
        say_timer(s, seen);
        return true;
    }
    return false;
}

static void say_bytes(struct slt_text *s, int64_t bytes, const char *what)
{
    if (bytes > 0) {
        say(s, "; %lld byte%s %s", (long long)bytes, plural(bytes), what);
    }
}

/* ---- one function a state ------------------------------------------------------------------- */

static enum slt_actor why_listen(struct slt_text *s, const struct slt_seen *seen)
{
    bool full = seen->queue > 0 && seen->queue_limit >= 0 && seen->queue > seen->queue_limit;
    if (seen->queue > 0) {
        say(s, "%lld connection%s complete and wait%s for accept()%s", (long long)seen->queue,
            seen->queue == 1 ? " is" : "s are", seen->queue == 1 ? "s" : "",
            full ? ": the queue is full, and further SYNs are dropped" : "");
    } else {
        slt_text_str(s, "waits for connections");
    }
    if (seen->drops > 0) {
        say(s, "; %lld attempt%s lost so far", (long long)seen->drops, plural(seen->drops));
    }
    return seen->queue > 0 ? SLT_ACTOR_PROGRAM : SLT_ACTOR_NOBODY;
}

static enum slt_actor why_syn_sent(struct slt_text *s, const struct slt_seen *seen)
{
    slt_text_str(s, "sent a SYN, and nothing has come back");
    if (seen->retries > 0) {
        say(s, "; sent again %u time%s", seen->retries, plural(seen->retries));
    }
    say_timer(s, seen);
    return SLT_ACTOR_PEER;
}

static enum slt_actor why_syn_received(struct slt_text *s, const struct slt_seen *seen)
{
    if (seen->passive == SLT_NO) {
        slt_text_str(s, "both ends opened at the same time; the ACK of our SYN is missing");
    } else {
        slt_text_str(s, "answered a SYN; the ACK that completes the handshake has not come");
    }
    if (seen->retries > 0) {
        say(s, "; SYN,ACK sent again %u time%s", seen->retries, plural(seen->retries));
    }
    say_timer(s, seen);
    return SLT_ACTOR_PEER;
}

static enum slt_actor why_established(struct slt_text *s, const struct slt_seen *seen)
{
    if (seen->accepted == SLT_NO) {
        slt_text_str(s, "the handshake is done, but the program has not called accept()");
        say_bytes(s, seen->unread, "wait to be read");
        return SLT_ACTOR_PROGRAM;
    }
    bool owes = seen->unacked > 0 || seen->unsent > 0;
    if (owes) {
        int64_t bytes =
            (seen->unacked > 0 ? seen->unacked : 0) + (seen->unsent > 0 ? seen->unsent : 0);
        say(s, "%lld byte%s on the way to the peer", (long long)bytes, plural(bytes));
        if (say_unanswered(s, seen)) {
            return seen->timer == SLT_SEEN_TIMER_PERSIST ? SLT_ACTOR_PEER_PROGRAM : SLT_ACTOR_PEER;
        }
    }
    if (seen->unread > 0) {
        say(s, "%s%lld byte%s received that the program has not read", owes ? "; " : "",
            (long long)seen->unread, plural(seen->unread));
        return SLT_ACTOR_PROGRAM;
    }
    if (!owes && seen->timer == SLT_SEEN_TIMER_KEEPALIVE && seen->retries > 0) {
        say(s, "%u keep-alive probe%s without an answer", seen->retries, plural(seen->retries));
        say_timer(s, seen);
        return SLT_ACTOR_PEER;
    }
    if (!owes) {
        char text[SLT_DURATION_MAX];
        slt_text_str(s, "open; neither side owes the other anything");
        if (seen->idle.how == SLT_SPAN_EXACT) {
            slt_text_str(s, "; idle for ");
            slt_text_str(s, slt_print_duration(seen->idle.ns, text));
        }
    }
    return owes ? SLT_ACTOR_PEER : SLT_ACTOR_NOBODY;
}

static enum slt_actor why_fin_wait_1(struct slt_text *s, const struct slt_seen *seen)
{
    say(s, "%s closed first; its FIN is not acknowledged yet",
        seen->orphan == SLT_YES ? "our program (gone, or done with it)" : "our side");
    say_bytes(s, seen->unacked + (seen->unsent > 0 ? seen->unsent : 0), "still to be delivered");
    (void)say_unanswered(s, seen);
    return seen->timer == SLT_SEEN_TIMER_PERSIST ? SLT_ACTOR_PEER_PROGRAM : SLT_ACTOR_PEER;
}

static enum slt_actor why_fin_wait_2(struct slt_text *s, const struct slt_seen *seen)
{
    if (seen->orphan == SLT_NO && seen->kind == SLT_SEEN_CONN) {
        slt_text_str(
            s, "our program shut down sending and keeps reading; the peer may send for as long as "
               "it likes");
        return SLT_ACTOR_PEER_PROGRAM;
    }
    slt_text_str(s, "our program closed; the peer acknowledged, but its program has not closed");
    say_gone_in(s, seen);
    return SLT_ACTOR_PEER_PROGRAM;
}

static enum slt_actor why_close_wait(struct slt_text *s, const struct slt_seen *seen)
{
    if (seen->accepted == SLT_NO) {
        slt_text_str(s, "the peer came and closed before the program called accept()");
        return SLT_ACTOR_PROGRAM;
    }
    slt_text_str(s, "the peer has closed; our program has not called close()");
    if (seen->unread > 0) {
        say_bytes(s, seen->unread, "are not even read");
    } else if (seen->fin_unread == SLT_YES) {
        slt_text_str(s, ", nor read up to the end");
    } else if (seen->fin_unread == SLT_NO) {
        slt_text_str(s, "; everything was read, close() is all that is missing");
    }
    return SLT_ACTOR_PROGRAM;
}

static enum slt_actor why_closing(struct slt_text *s, const struct slt_seen *seen)
{
    slt_text_str(s, "both ends closed at the same time; the ACK of our FIN is missing");
    (void)say_unanswered(s, seen);
    return SLT_ACTOR_PEER;
}

static enum slt_actor why_last_ack(struct slt_text *s, const struct slt_seen *seen)
{
    slt_text_str(s, "the peer closed first, then our program; the ACK of our FIN is missing");
    (void)say_unanswered(s, seen);
    return SLT_ACTOR_PEER;
}

static enum slt_actor why_time_wait(struct slt_text *s, const struct slt_seen *seen)
{
    slt_text_str(
        s, "both ends have closed, ours first; the pair of ports is kept until old segments are "
           "gone");
    say_gone_in(s, seen);
    return SLT_ACTOR_TIME;
}

static enum slt_actor why_closed(struct slt_text *s, const struct slt_seen *seen)
{
    slt_text_str(s, seen->local_port != 0 ? "has a port, but neither listens nor is connected"
                                          : "not connected");
    return SLT_ACTOR_PROGRAM;
}

/* What the recorder saw, where it tells more than the state does: a FIN may stem from close(),
 * from shutdown(), or from a process that was killed. */
static void say_cause(struct slt_text *s, const struct slt_seen *seen)
{
    bool tells = seen->state == SALUT_STATE_FIN_WAIT_1 || seen->state == SALUT_STATE_LAST_ACK;
    if (seen->source == SLT_SOURCE_KERNEL && seen->cause > SLT_BY_UNKNOWN && tells) {
        say(s, " (%s)", slt_cause_text((enum slt_cause)seen->cause));
        return;
    }
    /* Behind a close is the acknowledgement that moved it on; the close is before that. */
    for (unsigned i = seen->history_count; i > 0 && seen->source == SLT_SOURCE_KERNEL; i--) {
        const struct salut_history *h = &seen->history[i - 1];
        bool ours = slt_cause_is_programs((enum slt_cause)h->reason);
        if (ours && h->to == SALUT_STATE_FIN_WAIT_1) {
            say(s, " (%s)", slt_cause_text((enum slt_cause)h->reason));
            return;
        }
    }
}

/* ---- the door ------------------------------------------------------------------------------- */

enum slt_actor slt_why(const struct slt_seen *seen, char *out, size_t size)
{
    static enum slt_actor (*const by_state[SALUT_STATE_COUNT])(struct slt_text *,
                                                               const struct slt_seen *) = {
        [SALUT_STATE_CLOSED] = why_closed,           [SALUT_STATE_LISTEN] = why_listen,
        [SALUT_STATE_SYN_SENT] = why_syn_sent,       [SALUT_STATE_SYN_RECEIVED] = why_syn_received,
        [SALUT_STATE_ESTABLISHED] = why_established, [SALUT_STATE_FIN_WAIT_1] = why_fin_wait_1,
        [SALUT_STATE_FIN_WAIT_2] = why_fin_wait_2,   [SALUT_STATE_CLOSE_WAIT] = why_close_wait,
        [SALUT_STATE_CLOSING] = why_closing,         [SALUT_STATE_LAST_ACK] = why_last_ack,
        [SALUT_STATE_TIME_WAIT] = why_time_wait,
    };
    struct slt_text s;
    if (size == 0 || seen->state >= SALUT_STATE_COUNT) {
        return SLT_ACTOR_NOBODY;
    }
    slt_text_init(&s, out, size);
    enum slt_actor actor = by_state[seen->state](&s, seen);
    say_cause(&s, seen);
    return actor;
}

const char *slt_actor_name(enum slt_actor actor)
{
    static const char *const names[SLT_ACTOR_COUNT] = {"nobody", "program", "peer", "peer_program",
                                                       "time"};
    return (unsigned)actor < SLT_ACTOR_COUNT ? names[actor] : "?";
}
