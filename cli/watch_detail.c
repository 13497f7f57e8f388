/* Pages of salut watch: everything about one connection in words, the findings that concern it, and
 * the keys.
 *
 * A finding concerns a connection when it would be less, or would not be at all, without it: what
 * was seen is judged twice, with it and without it. So one rule serves all findings, and those that
 * are about the whole machine concern nobody.
 */
#include "cli/finding_page.h"
#include "cli/status_print.h"
#include "cli/watch.h"

#include "observe/why.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define WHY_MAX  400
#define TEXT_MAX 1024

/* Text that is written piece by piece. */
struct text {
    char at[TEXT_MAX];
    size_t used;
};

SLT_PRINTF(2, 3)
static void say(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(text->at + text->used, sizeof(text->at) - text->used, format, list);
    va_end(list);
    text->used += n > 0 ? (size_t)n : 0;
    text->used = text->used < sizeof(text->at) ? text->used : sizeof(text->at) - 1;
}

/* "; " between pieces. */
static void sep(struct text *text)
{
    if (text->used > 0) {
        say(text, "; ");
    }
}

static void say_span(struct text *text, const struct slt_seen_span *span, const char *what)
{
    static const char *const how[] = {"", "", "at least ", "at most "};
    char duration[SLT_DURATION_MAX];
    if (span->how != SLT_SPAN_UNKNOWN) {
        sep(text);
        say(text, "%s %s%s", what, how[span->how % SLT_ARRAY_COUNT(how)],
            slt_print_duration(span->ns, duration));
    }
}

static void say_bytes(struct text *text, int64_t bytes, const char *what)
{
    char amount[32];
    if (bytes >= 0) {
        sep(text);
        say(text, "%s %s", slt_print_bytes((uint64_t)bytes, amount, sizeof(amount)), what);
    }
}

static void say_us(struct text *text, int64_t us, const char *before, const char *after)
{
    char duration[SLT_DURATION_MAX];
    if (us >= 0 && us < 1000) {
        say(text, "%s%" PRId64 " us%s", before, us, after);
    } else if (us >= 0) {
        say(text, "%s%s%s", before, slt_print_duration(us * SLT_NS_PER_US, duration), after);
    }
}

static void say_truth(struct text *text, uint8_t truth, const char *yes, const char *no)
{
    if (truth != SLT_DONT_KNOW) {
        sep(text);
        say(text, "%s", truth == SLT_YES ? yes : no);
    }
}

/* ---- what is known of a connection ----------------------------------------------------------- */

static void write_owner(struct slt_page *page, const struct slt_seen *seen)
{
    static const char *const how[] = {"", "it was, when last seen", "nobody can have it any more",
                                      "another user's: root, or CAP_SYS_PTRACE, sees it",
                                      "it closed while this was listed"};
    struct text text = {.used = 0};
    char owner[SLT_OWNER_TEXT_MAX];
    if (seen->pid != SLT_UNKNOWN) {
        say(&text, "%s (program/pid:descriptor)", slt_status_owner(seen, owner));
    }
    if (how[seen->owner % SLT_OWNER_HOW_COUNT][0] != '\0') {
        sep(&text);
        say(&text, "%s", how[seen->owner % SLT_OWNER_HOW_COUNT]);
    }
    if (seen->uid != SLT_UNKNOWN) {
        sep(&text);
        say(&text, "uid %" PRId64, seen->uid);
    }
    say_truth(&text, seen->passive, "opened by the peer", "opened from here");
    if (seen->accepted == SLT_NO) {
        say_truth(&text, seen->accepted, "", "no program has accepted it");
    }
    slt_page_part(page, "owner", "%s", text.at);
}

static void write_since(struct slt_page *page, const struct slt_seen *seen)
{
    struct text text = {.used = 0};
    say_span(&text, &seen->age, "in this state for");
    say_span(&text, &seen->lifetime, "open for");
    say_span(&text, &seen->idle, "no data for");
    say_span(&text, &seen->silent, "nothing from the peer for");
    slt_page_part(page, "since", "%s", text.at);
}

static void write_queues(struct slt_page *page, const struct slt_seen *seen)
{
    struct text text = {.used = 0};
    if (seen->kind == SLT_SEEN_LISTENER) {
        if (seen->queue >= 0) {
            say(&text, "%" PRId64 " of at most %" PRId64 " connections wait for accept()",
                seen->queue, seen->queue_limit);
        }
        if (seen->half_open >= 0) {
            sep(&text);
            say(&text, "%" PRId64 " half-open", seen->half_open);
        }
        if (seen->drops >= 0) {
            sep(&text);
            say(&text, "%" PRId64 " attempts lost so far", seen->drops);
        }
    } else {
        say_bytes(&text, seen->unread, "received and not read");
        say_bytes(&text, seen->unacked, "sent and not acknowledged");
        say_bytes(&text, seen->unsent, "not sent yet");
    }
    slt_page_part(page, "queues", "%s", text.at);
}

static void write_timer(struct slt_page *page, const struct slt_seen *seen)
{
    static const char *const names[SLT_SEEN_TIMER_COUNT] = {
        "none runs",       "sends again",     "asks whether the window opens",
        "asks keep-alive", "ends FIN-WAIT-2", "ends TIME-WAIT",
        "acknowledges",    "another",         ""};
    struct text text = {.used = 0};
    if (seen->timer >= SLT_SEEN_TIMER_UNKNOWN) {
        return;
    }
    say(&text, "%s", names[seen->timer]);
    if (seen->timer != SLT_SEEN_TIMER_NONE && seen->timer_in.how != SLT_SPAN_UNKNOWN) {
        char in[SLT_DURATION_MAX];
        say(&text, " in %s", slt_print_duration(seen->timer_in.ns, in));
    }
    if (seen->retries > 0) {
        sep(&text);
        say(&text, "%u without an answer so far", seen->retries);
    }
    slt_page_part(page, "timer", "%s", text.at);
}

static void write_handshake(struct slt_page *page, const struct slt_seen *seen)
{
    struct text text = {.used = 0};
    if (seen->send_mss > 0) {
        say(&text, "segments of at most %" PRId64 " bytes out", seen->send_mss);
    }
    if (seen->recv_mss > 0) {
        say(&text, "%s%" PRId64 " in", text.used > 0 ? ", " : "segments of ", seen->recv_mss);
    }
    if (seen->window_scale == SLT_YES) {
        sep(&text);
        say(&text, "windows times %u (peer's) and %u (ours)", 1U << (seen->send_scale & 15U),
            1U << (seen->recv_scale & 15U));
    } else {
        say_truth(&text, seen->window_scale, "", "no window scaling: 64 KiB at most");
    }
    say_truth(&text, seen->sack, "SACK", "no SACK: losses are found one a round trip");
    say_truth(&text, seen->timestamps, "timestamps", "no timestamps");
    say_truth(&text, seen->ecn, "ECN", "no ECN");
    slt_page_part(page, "agreed", "%s", text.at);
}

static void write_path(struct slt_page *page, const struct slt_seen *seen)
{
    struct text text = {.used = 0};
    if (seen->rtt_us > 0) {
        say_us(&text, seen->rtt_us, "a round trip takes ", "");
        say_us(&text, seen->rtt_var_us, ", give or take ", "");
        say_us(&text, seen->rtt_min_us, ", at least ", "");
    }
    if (seen->rtt_p50_us > 0) {
        say_us(&text, seen->rtt_p50_us, "; half of them took up to ", "");
        say_us(&text, seen->rtt_p99_us, ", 99 % up to ", "");
    }
    if (seen->rto_us > 0) {
        sep(&text);
        say_us(&text, seen->rto_us, "sends again after ", " of silence");
    }
    if (seen->pmtu > 0) {
        sep(&text);
        say(&text, "packets of at most %" PRId64 " bytes", seen->pmtu);
    }
    slt_page_part(page, "path", "%s", text.at);
}

static void write_sending(struct slt_page *page, const struct slt_seen *seen)
{
    struct text text = {.used = 0};
    char rate[32];
    if (seen->cwnd_bytes > 0) {
        say_bytes(&text, seen->cwnd_bytes, "may be on the way (congestion window");
        say(&text, "%s%s)", seen->congestion[0] != '\0' ? ", " : "", seen->congestion);
    }
    say_bytes(&text, seen->send_window, "the peer takes (its window)");
    say_bytes(&text, seen->recv_window, "we take (our window)");
    if (seen->delivery_rate > 0) {
        sep(&text);
        say(&text, "delivered at %s%s",
            slt_print_rate((uint64_t)seen->delivery_rate, SLT_NS_PER_S, rate, sizeof(rate)),
            seen->app_limited == SLT_YES ? ", as much as the program gave" : "");
    }
    slt_page_part(page, "sending", "%s", text.at);
}

static void write_totals(struct slt_page *page, const struct slt_seen *seen)
{
    struct text text = {.used = 0};
    say_bytes(&text, seen->bytes_acked, "sent and acknowledged");
    if (seen->bytes_retransmitted > 0) {
        say_bytes(&text, seen->bytes_retransmitted, "sent again");
    }
    say_bytes(&text, seen->bytes_received, "received");
    if (seen->segs_in >= 0 && seen->segs_out >= 0) {
        sep(&text);
        say(&text, "%" PRId64 " segments in, %" PRId64 " out", seen->segs_in, seen->segs_out);
    }
    if (seen->retransmits >= 0) {
        sep(&text);
        say(&text, "%" PRId64 " sent again", seen->retransmits);
    }
    slt_page_part(page, "so far", "%s", text.at);
}

static void say_count(struct text *text, int64_t count, const char *one, const char *many)
{
    if (count > 0) {
        sep(text);
        say(text, "%" PRId64 " %s", count, count == 1 ? one : many);
    }
}

/* What losses came to, as far as there were any. */
static void write_losses(struct slt_page *page, const struct slt_seen *seen)
{
    struct text text = {.used = 0};
    say_count(&text, seen->recoveries, "recovery from losses", "recoveries from losses");
    say_count(&text, seen->timeouts, "timeout", "timeouts");
    say_count(&text, seen->undone, "of these needless, and undone",
              "of these needless, and undone");
    say_count(&text, seen->marked, "congestion mark", "congestion marks");
    say_count(&text, seen->dsacks, "segment the peer had twice", "segments the peer had twice");
    say_count(&text, seen->late, "segment overtaken on the way", "segments overtaken on the way");
    say_count(&text, seen->holes_in, "segment of the peer's after a gap",
              "segments of the peer's after a gap");
    slt_page_part(page, "losses", "%s", text.at);
}

static void say_share(struct text *text, int64_t us, int64_t busy_us, const char *what)
{
    if (us >= 0) {
        say(text, "; for %" PRId64 " %% %s", us * 100 / busy_us, what);
    }
}

static void say_some(struct text *text, int64_t us, int64_t busy_us, const char *what)
{
    say_share(text, us > 0 ? us : SLT_UNKNOWN, busy_us, what);
}

/* Of the time with something to send, who held it up. */
static void write_held_up(struct slt_page *page, const struct slt_seen *seen)
{
    static const char *const now[SALUT_LIMIT_COUNT] = {"",
                                                       "now all it was given is sent",
                                                       "now it waits for the congestion window",
                                                       "now it waits for the peer's window",
                                                       "now it waits for room in its send buffer",
                                                       "now it keeps its pace"};
    struct text text = {.used = 0};
    if (seen->busy_us <= 0) {
        return;
    }
    say_us(&text, seen->busy_us, "had something to send for ", "");
    say_share(&text, seen->window_limited_us, seen->busy_us,
              "of it the peer's window was shut or small");
    say_share(&text, seen->buffer_limited_us, seen->busy_us, "our send buffer was too small");
    say_some(&text, seen->cwnd_limited_us, seen->busy_us, "the path (congestion window)");
    say_some(&text, seen->pacing_limited_us, seen->busy_us, "its own pace");
    say_some(&text, seen->app_limited_us, seen->busy_us, "all it was given was on its way");
    if (seen->limited_by < SALUT_LIMIT_COUNT && now[seen->limited_by][0] != '\0') {
        say(&text, "; %s", now[seen->limited_by]);
    }
    slt_page_part(page, "held up", "%s", text.at);
}

/* ---- the timeline ---------------------------------------------------------------------------- */

static const char *arrow(const struct slt_watch_app *app)
{
    return app->term.utf8 ? "\xe2\x86\x92" : "->";
}

static void write_timeline(struct slt_watch_app *app, const struct slt_watch_row *row)
{
    const struct slt_seen *seen = &row->seen;
    struct slt_page *page = &app->page;
    char ago[SLT_DURATION_MAX];
    const char *name = "timeline";
    for (unsigned i = 0; i < seen->history_count && i < SALUT_HISTORY_MAX; i++) {
        const struct salut_history *h = &seen->history[i];
        slt_page_part(page, name, "%s ago  %s %s %s  (%s)", slt_print_duration(h->at_ns, ago),
                      slt_seen_rfc_name((enum salut_state)h->from), arrow(app),
                      slt_seen_rfc_name((enum salut_state)h->to), salut_reason_token(h->reason));
        name = "";
    }
    for (unsigned i = 0; i < row->step_count && seen->history_count == 0; i++) {
        const struct slt_watch_step *step = &row->steps[i];
        bool gone = step->to == SALUT_STATE_CLOSED && row->mark == SLT_WATCH_CLOSED;
        slt_page_part(page, name, "%s ago  %s %s %s",
                      slt_print_duration(app->model.at_ns - step->at_ns, ago),
                      slt_seen_rfc_name((enum salut_state)step->from), arrow(app),
                      gone ? "gone" : slt_seen_rfc_name((enum salut_state)step->to));
        name = "";
    }
    slt_page_part(page, name, "watched for %s%s",
                  slt_print_duration(app->model.at_ns - row->first_at_ns, ago),
                  seen->history_count == 0 ? "; what was before, the kernel does not tell" : "");
}

/* ---- findings -------------------------------------------------------------------------------- */

/* The records of one source as the judges want them, listeners first; without `left_out`, unless
 * that is NULL. */
static bool gather(const struct slt_watch_app *app, uint8_t source, const struct slt_seen *left_out,
                   struct slt_look *look)
{
    bool fine = true;
    *look = (struct slt_look){.at_ns = app->look.at_ns};
    for (unsigned listeners = 2; listeners-- > 0;) {
        for (size_t i = 0; i < app->look.list.count && fine; i++) {
            const struct slt_seen *seen = &app->look.list.items[i];
            bool wanted = seen->source == source &&
                          (seen->kind == SLT_SEEN_LISTENER) == (listeners == 1) &&
                          (left_out == NULL || slt_watch_same(seen, left_out) != 0);
            fine = !wanted || slt_seen_list_add(&look->list, seen);
        }
    }
    return fine;
}

static struct slt_case case_of(const struct slt_watch_app *app, const struct slt_look *look,
                               uint8_t source)
{
    struct slt_case about = {.look = look};
    slt_case_defaults(&about.limits);
    slt_host_facts_forget(&about.host);
    if (source == SLT_SOURCE_KERNEL) {
        about.host = app->host;
    }
    if ((source == SLT_SOURCE_KERNEL) == app->sources.kernel) { /* these are the ones counted */
        about.before = app->counted ? app->before : app->after;
        about.after = app->after;
    }
    return about;
}

/* Those that hold less without this record; `hits` has room for all. */
static size_t find_concerning(const struct slt_watch_app *app, const struct slt_seen *seen,
                              struct slt_hit *hits)
{
    struct slt_look with;
    struct slt_look without;
    size_t count = 0;
    bool fine = gather(app, seen->source, NULL, &with);
    fine = gather(app, seen->source, seen, &without) && fine;
    struct slt_case full = case_of(app, &with, seen->source);
    struct slt_case less = case_of(app, &without, seen->source);
    for (unsigned i = 0; i < SLT_FIND_COUNT && fine; i++) {
        enum slt_finding_id id = (enum slt_finding_id)i;
        struct slt_hit other = {.count = 0};
        bool holds = slt_finding_judge(&full, id, &hits[count]);
        bool still = holds && slt_finding_judge(&less, id, &other);
        count += holds && (!still || other.count < hits[count].count);
    }
    slt_look_free(&with);
    slt_look_free(&without);
    return count;
}

static enum slt_paint paint_of(const struct slt_finding *finding)
{
    static const enum slt_paint paints[] = {SLT_PAINT_CYAN, SLT_PAINT_YELLOW, SLT_PAINT_RED};
    return paints[finding->severity % SLT_ARRAY_COUNT(paints)];
}

size_t slt_watch_write_findings(struct slt_watch_app *app, const struct slt_seen *seen)
{
    struct slt_hit hits[SLT_FIND_COUNT];
    size_t count = find_concerning(app, seen, hits);
    for (size_t i = 0; i < count; i++) {
        const struct slt_finding *row = slt_finding_row((enum slt_finding_id)hits[i].id);
        slt_page_line(&app->page, paint_of(row), "%s (%s)", row->id,
                      slt_finding_severity(row->severity));
        slt_page_part(&app->page, "here", "%s", hits[i].evidence);
        slt_page_part(&app->page, "seen", "%s", row->seen);
        slt_page_part(&app->page, "why", "%s", row->cause);
        slt_page_part(&app->page, "told apart", "%s", row->tell);
        slt_page_part(&app->page, "do", "%s", row->remedy);
        slt_page_part(&app->page, "no help", "%s",
                      slt_finding_wrong_advice((enum slt_finding_id)hits[i].id));
        slt_page_part(&app->page, "sure", "%s", slt_finding_confidence(row->confidence));
        slt_page_line(&app->page, SLT_PAINT_PLAIN, "%s", "");
    }
    return count;
}

static void write_concerning(struct slt_watch_app *app, const struct slt_seen *seen)
{
    struct slt_hit hits[SLT_FIND_COUNT];
    size_t count = find_concerning(app, seen, hits);
    for (size_t i = 0; i < count; i++) {
        const struct slt_finding *row = slt_finding_row((enum slt_finding_id)hits[i].id);
        slt_page_part(&app->page, i == 0 ? "findings" : "", "%s %s: %s", row->id,
                      slt_finding_severity(row->severity), hits[i].evidence);
        slt_page_part(&app->page, "", "do: %s", row->remedy);
    }
    if (count == 0) {
        slt_page_part(&app->page, "findings", "none concerns it");
    }
}

/* ---- the pages ------------------------------------------------------------------------------- */

void slt_watch_print_filter(const struct slt_seen *seen, char *out, size_t size)
{
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    (void)slt_print_endpoint(&seen->local, seen->local_port, local);
    (void)slt_print_endpoint(&seen->remote, seen->remote_port, remote);
    if (seen->kind == SLT_SEEN_LISTENER) {
        (void)snprintf(out, size, "state listening sport = :%u", seen->local_port);
    } else {
        (void)snprintf(out, size, "src %s and dst %s", local, remote);
    }
}

static void write_commands(struct slt_page *page, const struct slt_seen *seen)
{
    char filter[2 * SLT_ENDPOINT_MAX + 32];
    if (seen->source != SLT_SOURCE_KERNEL || seen->kind == SLT_SEEN_LISTENER) {
        return;
    }
    slt_watch_print_filter(seen, filter, sizeof(filter));
    slt_page_part(page, "to close it", "salut kill %s   (K)", filter);
    if (seen->kind == SLT_SEEN_CONN) {
        slt_page_part(page, "to probe it", "salut probe %s   (P)", filter);
    }
}

void slt_watch_write_detail(struct slt_watch_app *app, const struct slt_watch_row *row)
{
    static const char *const movers[SLT_ACTOR_COUNT] = {
        "nobody's: nothing is owed", "our program's", "the peer's TCP, or the path to it",
        "the program at the peer", "time: a timer ends it"};
    const struct slt_seen *seen = &row->seen;
    struct slt_page *page = &app->page;
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    char why[WHY_MAX];
    int rows;
    int columns;
    enum slt_actor actor = slt_why(seen, why, sizeof(why));
    slt_screen_size(&rows, &columns);
    slt_page_begin(page, columns);
    (void)slt_watch_endpoint(app, &seen->local, seen->local_port, local);
    (void)slt_watch_endpoint(app, &seen->remote, seen->remote_port, remote);
    slt_page_line(page, SLT_PAINT_STRONG, "%s  %s %s %s%s",
                  slt_seen_rfc_name((enum salut_state)seen->state), local, arrow(app), remote,
                  row->mark == SLT_WATCH_CLOSED ? "  (gone)" : "");
    slt_page_line(page, SLT_PAINT_PLAIN, "%s", "");
    slt_page_part(page, "why", "%s", why);
    slt_page_part(page, "next move", "%s", movers[actor % SLT_ACTOR_COUNT]);
    write_concerning(app, seen);
    write_owner(page, seen);
    write_since(page, seen);
    write_timeline(app, row);
    write_queues(page, seen);
    write_timer(page, seen);
    write_handshake(page, seen);
    write_path(page, seen);
    write_sending(page, seen);
    write_totals(page, seen);
    write_losses(page, seen);
    write_held_up(page, seen);
    slt_page_part(page, "told by", "%s", slt_status_source(seen));
    write_commands(page, seen);
}

static const char *const help_lines[] = {
    "q F10        quit; on a page: back",
    "h F1 ?       this",
    "up down j k  move; PgUp PgDn Home End, g G",
    "Enter        all about the selected connection: why, timeline, findings",
    "e            the findings that concern it, explained",
    "/            search; Enter on an empty line: the next one; N: the one before",
    "\\ F4         filter: state close-wait and comm = nginx; empty: none",
    "1 to 9       show this state (again: not); 0: all states",
    "F6 < >       sort by another column; r or I: the other way round",
    "t F5         tree: listener, process, connection",
    "f            the selection follows its connection",
    "space p      pause; any look is kept on the screen",
    "n            names of hosts and services, from /etc/hosts and /etc/services",
    "d            seconds between two looks",
    "s            save what is shown, as JSON, in this directory",
    "K F9         close the connection: salut kill, which asks first",
    "P            ask whether the peer is still there: salut probe, which asks first",
};

static const char *const help_words[] = {
    ("On top: how many are in each of the eleven states, and by +N how many entered it in a "
     "second, "
     "as far as looks show it; below, what the kernel counted a second, for the whole machine."),
    "In front of a row for 3 s: + new, ~ changed, - closed.",
    "Ages: >90 s is at least that. A connection that came and went between two looks is not seen.",
};

void slt_watch_write_help(struct slt_watch_app *app)
{
    int rows;
    int columns;
    slt_screen_size(&rows, &columns);
    slt_page_begin(&app->page, columns);
    slt_page_line(&app->page, SLT_PAINT_STRONG, "salut watch");
    for (size_t i = 0; i < SLT_ARRAY_COUNT(help_lines); i++) {
        slt_page_line(&app->page, SLT_PAINT_PLAIN, "  %s", help_lines[i]);
    }
    slt_page_line(&app->page, SLT_PAINT_PLAIN, "%s", "");
    for (size_t i = 0; i < SLT_ARRAY_COUNT(help_words); i++) {
        slt_page_part(&app->page, i == 0 ? "meaning" : "", "%s", help_words[i]);
    }
}
