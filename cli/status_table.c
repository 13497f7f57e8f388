/* salut status for people: a table of facts, and below each row why it is so.
 *
 * A row fits 80 columns when its addresses are IPv4; the sentence has a line of its own below 150
 * columns. Colour repeats what the text says and says nothing of its own.
 */
#include "cli/status_print.h"

#include "base/print.h"
#include "observe/why.h"
#include "wire/address.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define AHEAD         4U
#define WIDE          150U
#define STATE_WIDTH   13
#define AGE_WIDTH     8
#define ENDPOINT_MIN  21
#define ENDPOINT_MOST 47
#define OWNER_MIN     18
#define QUEUE_WIDTH   15
#define SOURCE_WIDTH  7
#define WHY_MAX       400
#define ROW_MAX       (WHY_MAX + 400)

/* Root without CAP_SYS_PTRACE, or beside processes of an outer container, is told no less. */
void slt_status_say_hidden(const char *verb, uint32_t hidden)
{
    const char *who = geteuid() == 0
                          ? "processes that this one may not look into (CAP_SYS_PTRACE "
                            "where they run, outside a container, sees them)"
                          : "another user's sockets (root, or CAP_SYS_PTRACE, sees them)";
    if (hidden > 0) {
        (void)fprintf(stderr, "salut %s: %u owner%s hidden: %s\n", verb, hidden,
                      hidden == 1 ? " is" : "s are", who);
    }
}

const char *slt_status_owner(const struct slt_seen *seen, char out[SLT_OWNER_TEXT_MAX])
{
    struct slt_text text;
    slt_text_init(&text, out, SLT_OWNER_TEXT_MAX);
    if (seen->pid == SLT_UNKNOWN) {
        slt_text_str(&text, seen->owner == SLT_OWNER_HIDDEN ? "(hidden)"
                            : seen->owner == SLT_OWNER_GONE ? "(gone)"
                                                            : "-");
        return out;
    }
    slt_text_str(&text, seen->program);
    slt_text_char(&text, '/');
    slt_text_i64(&text, seen->pid);
    if (seen->fd != SLT_UNKNOWN) {
        slt_text_char(&text, ':');
        slt_text_i64(&text, seen->fd);
    }
    return out;
}

const char *slt_status_source(const struct slt_seen *seen)
{
    static const char *const names[SLT_SOURCE_COUNT] = {"salut", "kernel", "capture"};
    return seen->source < SLT_SOURCE_COUNT ? names[seen->source] : "?";
}

/* ---- queues --------------------------------------------------------------------------------- */

static void put_amount(struct slt_text *text, int64_t bytes)
{
    if (bytes < 10000) {
        slt_text_i64(text, bytes);
    } else if (bytes < 10240000) {
        slt_text_i64(text, bytes / 1024);
        slt_text_char(text, 'K');
    } else {
        slt_text_i64(text, bytes / 1048576);
        slt_text_char(text, 'M');
    }
}

/* "in 5 out 1448", "3 of 128" for a listener; nothing for queues that are empty. */
static void print_queues(const struct slt_seen *seen, char *out, size_t size)
{
    int64_t sent = (seen->unacked > 0 ? seen->unacked : 0) + (seen->unsent > 0 ? seen->unsent : 0);
    struct slt_text text;
    slt_text_init(&text, out, size);
    if (seen->kind == SLT_SEEN_LISTENER && seen->queue >= 0) {
        slt_text_i64(&text, seen->queue);
        slt_text_str(&text, " of ");
        slt_text_i64(&text, seen->queue_limit);
        return;
    }
    if (seen->unread > 0) {
        slt_text_str(&text, "in ");
        put_amount(&text, seen->unread);
    }
    if (sent > 0) {
        slt_text_str(&text, seen->unread > 0 ? " out " : "out ");
        put_amount(&text, sent);
    }
}

/* ---- the table ------------------------------------------------------------------------------ */

struct columns {
    size_t local;
    size_t remote;
    size_t owner;
};

/* As wide as what is in them, between bounds. */
static struct columns measure(const struct slt_look *look)
{
    struct columns columns = {ENDPOINT_MIN, ENDPOINT_MIN, OWNER_MIN};
    char text[SLT_ENDPOINT_MAX];
    for (size_t i = 0; i < look->list.count; i++) {
        const struct slt_seen *seen = &look->list.items[i];
        if (slt_address_is_v4(seen->local.b) && slt_address_is_v4(seen->remote.b)) {
            continue; /* fits whatever it is */
        }
        size_t local = strlen(slt_print_endpoint(&seen->local, seen->local_port, text));
        size_t remote = strlen(slt_print_endpoint(&seen->remote, seen->remote_port, text));
        columns.local = local > columns.local ? local : columns.local;
        columns.remote = remote > columns.remote ? remote : columns.remote;
    }
    columns.local = columns.local < ENDPOINT_MOST ? columns.local : ENDPOINT_MOST;
    columns.remote = columns.remote < ENDPOINT_MOST ? columns.remote : ENDPOINT_MOST;
    return columns;
}

static const char *paint_of(const struct slt_seen *seen)
{
    switch ((enum salut_state)seen->state) {
    case SALUT_STATE_ESTABLISHED:
        return "\033[32m";
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_SYN_RECEIVED:
        return "\033[33m";
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_FIN_WAIT_1:
    case SALUT_STATE_FIN_WAIT_2:
    case SALUT_STATE_CLOSING:
    case SALUT_STATE_LAST_ACK:
    case SALUT_STATE_TIME_WAIT:
    case SALUT_STATE_COUNT:
        break;
    }
    return "\033[36m";
}

static void put_left(struct slt_text *line, const char *text, size_t width)
{
    size_t start = line->used;
    slt_text_str(line, text);
    slt_text_pad(line, start + width);
}

static void put_right(struct slt_text *line, const char *text, size_t width)
{
    size_t bytes = strlen(text);
    slt_text_pad(line, line->used + (bytes < width ? width - bytes : 0));
    slt_text_str(line, text);
}

/* The columns before the queues. */
static void put_facts(struct slt_text *line, const struct slt_seen *seen,
                      const struct columns *columns, const struct slt_status_style *style)
{
    char text[SLT_ENDPOINT_MAX];
    char age[SLT_DURATION_MAX];
    if (style->source) {
        put_left(line, slt_status_source(seen), SOURCE_WIDTH + 1);
    }
    slt_text_str(line, style->term.colour ? paint_of(seen) : "");
    put_left(line, slt_seen_rfc_name((enum salut_state)seen->state), STATE_WIDTH);
    slt_text_str(line, style->term.colour ? "\033[0m " : " ");
    put_right(line, slt_print_span(&seen->age, age), AGE_WIDTH);
    slt_text_str(line, "  ");
    put_left(line, slt_print_endpoint(&seen->local, seen->local_port, text), columns->local);
    slt_text_str(line, "  ");
    put_left(line, slt_print_endpoint(&seen->remote, seen->remote_port, text), columns->remote);
    slt_text_str(line, "  ");
}

static void print_row(const struct slt_seen *seen, const struct columns *columns,
                      const struct slt_status_style *style, FILE *to)
{
    char out[ROW_MAX];
    char owner[SLT_OWNER_TEXT_MAX];
    char queues[64];
    char why[WHY_MAX];
    struct slt_text line;
    bool wide = style->term.width >= WIDE;
    slt_text_init(&line, out, sizeof(out));
    print_queues(seen, queues, sizeof(queues));
    put_facts(&line, seen, columns, style);
    bool padded = queues[0] != '\0' || (wide && !style->no_why);
    put_left(&line, slt_status_owner(seen, owner), padded ? columns->owner : 0);
    slt_text_str(&line, padded ? "  " : "");
    put_left(&line, queues, wide && !style->no_why ? QUEUE_WIDTH : 0);
    if (!style->no_why) {
        (void)slt_why(seen, why, sizeof(why));
        slt_text_str(&line, wide ? "  " : "\n    ");
        slt_text_str(&line, why);
    }
    slt_text_char(&line, '\n');
    (void)fwrite(out, 1, line.used < sizeof(out) ? line.used : sizeof(out) - 1, to);
}

void slt_status_table(const struct slt_look *look, const struct slt_status_style *style, FILE *to)
{
    struct columns columns = measure(look);
    char out[ROW_MAX];
    struct slt_text line;
    slt_text_init(&line, out, sizeof(out));
    put_left(&line, style->source ? "SOURCE" : "", style->source ? SOURCE_WIDTH + 1 : 0);
    put_left(&line, "STATE", STATE_WIDTH + 1);
    put_right(&line, "AGE", AGE_WIDTH);
    slt_text_str(&line, "  ");
    put_left(&line, "LOCAL", columns.local + 2);
    put_left(&line, "PEER", columns.remote + 2);
    put_left(&line, "OWNER", columns.owner + 2);
    bool why = !style->no_why && style->term.width >= WIDE;
    put_left(&line, "QUEUES", why ? QUEUE_WIDTH + 2 : 0);
    slt_text_str(&line, why ? "WHY\n" : "\n");
    if (!style->no_header) {
        (void)fputs(out, to);
    }
    /* Records lie in another order, and of fifty thousand none is in the cache. */
    for (size_t i = 0; i < look->list.count; i++) {
        if (i + AHEAD < look->list.count) {
            slt_prefetch_all(slt_look_at(look, i + AHEAD), offsetof(struct slt_seen, rtt_us));
        }
        print_row(slt_look_at(look, i), &columns, style, to);
    }
}

/* ---- the summary ---------------------------------------------------------------------------- */

struct summary {
    uint64_t states[SLT_SOURCE_COUNT][SALUT_STATE_COUNT];
    uint64_t unaccepted;
    uint64_t orphans;
};

static void sum_up(const struct slt_look *look, struct summary *sum)
{
    *sum = (struct summary){.unaccepted = 0};
    for (size_t i = 0; i < look->list.count; i++) {
        const struct slt_seen *seen = &look->list.items[i];
        sum->states[seen->source][seen->state]++;
        sum->unaccepted += seen->accepted == SLT_NO;
        sum->orphans += seen->orphan == SLT_YES;
    }
}

void slt_status_summary(const struct slt_look *look, const struct slt_status_style *style, FILE *to)
{
    struct summary sum;
    sum_up(look, &sum);
    if (!style->no_header) {
        (void)fprintf(to, "%-*s %8s", STATE_WIDTH, "STATE", style->source ? "KERNEL" : "COUNT");
        (void)fprintf(to, "%s\n", style->source ? "    SALUT" : "");
    }
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        uint64_t kernel = sum.states[SLT_SOURCE_KERNEL][i];
        uint64_t salut = sum.states[SLT_SOURCE_STACK][i];
        (void)fprintf(to, "%-*s %8llu", STATE_WIDTH, slt_seen_rfc_name((enum salut_state)i),
                      (unsigned long long)(style->source ? kernel : kernel + salut));
        if (style->source) {
            (void)fprintf(to, " %8llu", (unsigned long long)salut);
        }
        (void)fputc('\n', to);
    }
    if (sum.unaccepted > 0) {
        (void)fprintf(to, "%llu of them wait for accept()\n", (unsigned long long)sum.unaccepted);
    }
    if (sum.orphans > 0) {
        (void)fprintf(to, "%llu of them have no program any more\n",
                      (unsigned long long)sum.orphans);
    }
}
