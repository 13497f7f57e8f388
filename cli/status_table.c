/* salut status for people: a table of facts, and below each row why it is so.
 *
 * A row fits 80 columns when its addresses are IPv4; the sentence has a line of its own below 150
 * columns. Colour repeats what the text says and says nothing of its own.
 */
#include "cli/status_print.h"

#include "observe/why.h"

#include <string.h>

#define WIDE          150U
#define STATE_WIDTH   13
#define AGE_WIDTH     8
#define ENDPOINT_MIN  21
#define ENDPOINT_MOST 47
#define OWNER_MIN     18
#define QUEUE_WIDTH   15
#define SOURCE_WIDTH  7
#define WHY_MAX       400

const char *slt_status_owner(const struct slt_seen *seen, char out[SLT_OWNER_TEXT_MAX])
{
    if (seen->pid == SLT_UNKNOWN) {
        (void)snprintf(out, SLT_OWNER_TEXT_MAX, seen->owner == SLT_OWNER_HIDDEN ? "(hidden)" : "-");
    } else if (seen->fd == SLT_UNKNOWN) {
        (void)snprintf(out, SLT_OWNER_TEXT_MAX, "%s/%d", seen->program, seen->pid);
    } else {
        (void)snprintf(out, SLT_OWNER_TEXT_MAX, "%s/%d:%d", seen->program, seen->pid, seen->fd);
    }
    return out;
}

const char *slt_status_source(const struct slt_seen *seen)
{
    static const char *const names[SLT_SOURCE_COUNT] = {"salut", "kernel", "capture"};
    return seen->source < SLT_SOURCE_COUNT ? names[seen->source] : "?";
}

/* ---- queues --------------------------------------------------------------------------------- */

static void print_amount(int64_t bytes, char *out, size_t size)
{
    if (bytes < 10000) {
        (void)snprintf(out, size, "%lld", (long long)bytes);
    } else if (bytes < 10240000) {
        (void)snprintf(out, size, "%lldK", (long long)(bytes / 1024));
    } else {
        (void)snprintf(out, size, "%lldM", (long long)(bytes / 1048576));
    }
}

/* "in 5 out 1448", "3 of 128" for a listener; nothing for queues that are empty. */
static void print_queues(const struct slt_seen *seen, char *out, size_t size)
{
    char in[24] = "";
    char sent[24] = "";
    int64_t send = (seen->unacked > 0 ? seen->unacked : 0) + (seen->unsent > 0 ? seen->unsent : 0);
    out[0] = '\0';
    if (seen->kind == SLT_SEEN_LISTENER && seen->queue >= 0) {
        (void)snprintf(out, size, "%lld of %lld", (long long)seen->queue,
                       (long long)seen->queue_limit);
        return;
    }
    if (seen->unread > 0) {
        print_amount(seen->unread, in, sizeof(in));
    }
    if (send > 0) {
        print_amount(send, sent, sizeof(sent));
    }
    (void)snprintf(out, size, "%s%s%s%s%s", in[0] != '\0' ? "in " : "", in,
                   in[0] != '\0' && sent[0] != '\0' ? " " : "", sent[0] != '\0' ? "out " : "",
                   sent);
}

/* ---- the table ------------------------------------------------------------------------------ */

struct columns {
    int local;
    int remote;
    int owner;
};

/* As wide as what is in them, between bounds. */
static struct columns measure(const struct slt_look *look)
{
    struct columns columns = {ENDPOINT_MIN, ENDPOINT_MIN, OWNER_MIN};
    char text[SLT_ENDPOINT_MAX];
    for (size_t i = 0; i < look->list.count; i++) {
        const struct slt_seen *seen = &look->list.items[i];
        if (slt_seen_is_ipv4(&seen->local) && slt_seen_is_ipv4(&seen->remote)) {
            continue; /* fits whatever it is */
        }
        int local = (int)strlen(slt_print_endpoint(&seen->local, seen->local_port, text));
        int remote = (int)strlen(slt_print_endpoint(&seen->remote, seen->remote_port, text));
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

static void print_row(const struct slt_seen *seen, const struct columns *columns,
                      const struct slt_status_style *style, FILE *to)
{
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    char owner[SLT_OWNER_TEXT_MAX];
    char age[SLT_DURATION_MAX];
    char queues[64];
    char why[WHY_MAX];
    bool wide = style->term.width >= WIDE;
    print_queues(seen, queues, sizeof(queues));
    (void)slt_why(seen, why, sizeof(why));
    if (style->source) {
        (void)fprintf(to, "%-*s ", SOURCE_WIDTH, slt_status_source(seen));
    }
    bool padded = queues[0] != '\0' || (wide && !style->no_why);
    (void)fprintf(
        to, "%s%-*s%s %*s  %-*s  %-*s  %-*s%s%s", style->term.colour ? paint_of(seen) : "",
        STATE_WIDTH, slt_seen_rfc_name((enum salut_state)seen->state),
        style->term.colour ? "\033[0m" : "", AGE_WIDTH, slt_print_span(&seen->age, age),
        columns->local, slt_print_endpoint(&seen->local, seen->local_port, local), columns->remote,
        slt_print_endpoint(&seen->remote, seen->remote_port, remote), padded ? columns->owner : 0,
        slt_status_owner(seen, owner), padded ? "  " : "", queues);
    if (!style->no_why && wide) {
        int pad = QUEUE_WIDTH - (int)strlen(queues);
        (void)fprintf(to, "%*s  %s", pad > 0 ? pad : 0, "", why);
    }
    (void)fputc('\n', to);
    if (!style->no_why && !wide) {
        (void)fprintf(to, "    %s\n", why);
    }
}

void slt_status_table(const struct slt_look *look, const struct slt_status_style *style, FILE *to)
{
    struct columns columns = measure(look);
    if (!style->no_header) {
        if (style->source) {
            (void)fprintf(to, "%-*s ", SOURCE_WIDTH, "SOURCE");
        }
        (void)fprintf(to, "%-*s %*s  %-*s  %-*s  %-*s  %s%s\n", STATE_WIDTH, "STATE", AGE_WIDTH,
                      "AGE", columns.local, "LOCAL", columns.remote, "PEER", columns.owner, "OWNER",
                      "QUEUES",
                      !style->no_why && style->term.width >= WIDE ? "           WHY" : "");
    }
    for (size_t i = 0; i < look->list.count; i++) {
        print_row(&look->list.items[i], &columns, style, to);
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
