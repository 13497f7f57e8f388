/* See record_print.h.
 */
#include "cli/record_print.h"

#include "cli/json_text.h"
#include "cli/status_print.h"

#include "base/time.h"
#include "observe/past.h"
#include "observe/why.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

void slt_record_seen(const struct slt_change *change, struct slt_seen *seen)
{
    const struct slt_past no_time = {.now_ns = 0};
    slt_past_seen(&no_time, change->conn, seen);
    seen->state = change->what.to;
    seen->cause = change->what.cause;
}

/* ---- people --------------------------------------------------------------------------------- */

static const char *paint_of(enum slt_cause cause)
{
    switch (cause) {
    case SLT_BY_UNREAD:
    case SLT_BY_UNREAD_KILLED:
    case SLT_BY_UNREAD_EXITED:
    case SLT_BY_KILLED:
    case SLT_BY_RST_RECEIVED:
    case SLT_BY_REFUSED:
    case SLT_BY_RETRANSMIT_TIMEOUT:
    case SLT_BY_CONNECT_TIMEOUT:
    case SLT_BY_PROBE_TIMEOUT:
    case SLT_BY_KEEPALIVE_TIMEOUT:
    case SLT_BY_ICMP_ERROR:
    case SLT_BY_ADMINISTRATOR:
    case SLT_BY_NO_MEMORY:
    case SLT_BY_ADDRESS_IN_USE:
    case SLT_BY_DATA_AFTER_CLOSE:
    case SLT_BY_LINGER_ZERO:
        return "\033[31m";
    case SLT_BY_NONE:
    case SLT_BY_UNKNOWN:
    case SLT_BY_LISTEN:
    case SLT_BY_CONNECT:
    case SLT_BY_CONNECT_FAILED:
    case SLT_BY_SYN_ANSWERED:
    case SLT_BY_PASSIVE_OPEN:
    case SLT_BY_SIMULTANEOUS_OPEN:
    case SLT_BY_CLOSE:
    case SLT_BY_SHUTDOWN:
    case SLT_BY_EXITED:
    case SLT_BY_DISCONNECTED:
    case SLT_BY_LISTENER_CLOSED:
    case SLT_BY_FIN_RECEIVED:
    case SLT_BY_FIN_ACKED:
    case SLT_BY_LAST_ACKED:
    case SLT_BY_TIME_WAIT:
    case SLT_BY_ORPHANED:
    case SLT_BY_TIME_WAIT_OVER:
    case SLT_BY_ORPHAN_TIMED_OUT:
    case SLT_BY_COUNT:
    default:
        return "";
    }
}

/* "14:03:59.123456"; the part that changes once a second is kept. */
static void print_clock(struct slt_record_style *style, int64_t at_ns, FILE *to)
{
    int64_t when_ns = style->epoch_ns + at_ns;
    int64_t second = when_ns / SLT_NS_PER_S;
    if (second != style->second || style->clock[0] == '\0') {
        time_t time = (time_t)second;
        struct tm tm;
        (void)localtime_r(&time, &tm);
        (void)strftime(style->clock, sizeof(style->clock), "%H:%M:%S", &tm);
        style->second = second;
    }
    (void)fprintf(to, "%s.%06d", style->clock, (int)(when_ns % SLT_NS_PER_S / 1000));
}

static void print_text(struct slt_record_style *style, const struct slt_change *change, FILE *to)
{
    const struct slt_recorded *c = change->conn;
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    char owner[SLT_OWNER_TEXT_MAX] = "-";
    char lasted[SLT_DURATION_MAX];
    enum slt_cause cause = (enum slt_cause)change->what.cause;
    if (c->pid != SLT_UNKNOWN) {
        (void)snprintf(owner, sizeof(owner), "%s/%d", c->program, c->pid);
    }
    print_clock(style, change->what.at_ns, to);
    (void)fprintf(to, "  %-12s -> %-12s  %-21s %-21s  %-18s  %s%s%s",
                  slt_seen_rfc_name((enum salut_state)change->what.from),
                  slt_seen_rfc_name((enum salut_state)change->what.to),
                  slt_print_endpoint(&c->local, c->local_port, local),
                  slt_print_endpoint(&c->remote, c->remote_port, remote), owner,
                  style->colour ? paint_of(cause) : "", slt_cause_text(cause),
                  style->colour ? "\033[0m" : "");
    if (change->what.certain == 0 && cause != SLT_BY_UNKNOWN) {
        (void)fputs(" (probably)", to);
    }
    if (change->in_state_ns >= SLT_NS_PER_MS) {
        (void)fprintf(to, ", after %s", slt_print_duration(change->in_state_ns, lasted));
    } else if (change->in_state_ns != SLT_UNKNOWN) {
        (void)fprintf(to, ", after %d us", (int)(change->in_state_ns / SLT_NS_PER_US));
    }
    (void)fputc('\n', to);
}

/* ---- machines ------------------------------------------------------------------------------- */

static void put_address(FILE *to, const char *name, const salut_addr *addr, uint16_t port)
{
    char text[SLT_ENDPOINT_MAX];
    (void)salut_addr_print(addr, text, sizeof(text));
    (void)fprintf(to, ",\"%s_address\":\"%s\",\"%s_port\":%u", name, text, name, port);
}

static void put_program(FILE *to, const char *program)
{
    (void)fputs(",\"program\":", to);
    slt_put_json_text(program, to);
}

static void print_object(const struct slt_record_style *style, const struct slt_change *change,
                         FILE *to)
{
    const struct slt_recorded *c = change->conn;
    enum slt_cause cause = (enum slt_cause)change->what.cause;
    (void)fprintf(to,
                  "{\"schema\":1,\"event\":\"change\",\"source\":\"kernel\",\"at_unix_ns\":%" PRId64
                  ",\"from\":\"%s\",\"to\":\"%s\"",
                  style->epoch_ns + change->what.at_ns,
                  slt_seen_rfc_name((enum salut_state)change->what.from),
                  slt_seen_rfc_name((enum salut_state)change->what.to));
    put_address(to, "local", &c->local, c->local_port);
    if (c->remote_port != 0) {
        put_address(to, "remote", &c->remote, c->remote_port);
    }
    if (c->pid != SLT_UNKNOWN) {
        (void)fprintf(to, ",\"pid\":%d", c->pid);
        put_program(to, c->program);
    }
    if (c->netns != 0) {
        (void)fprintf(to, ",\"netns_inode\":%" PRIu64, c->netns);
    }
    if (change->in_state_ns != SLT_UNKNOWN) {
        (void)fprintf(to, ",\"in_state_ns\":%" PRId64, change->in_state_ns);
    }
    if (c->retransmits > 0) {
        (void)fprintf(to, ",\"retransmits\":%u", c->retransmits);
    }
    if (c->odd_answers > 0) {
        (void)fprintf(to, ",\"odd_answers\":%u", c->odd_answers);
    }
    (void)fprintf(to, ",\"cause\":\"%s\",\"certain\":%s,\"why\":\"%s\"}\n", slt_cause_token(cause),
                  change->what.certain != 0 ? "true" : "false", slt_cause_text(cause));
}

static void put_instant(const struct slt_record_style *style, const char *name, int64_t at_ns,
                        FILE *to)
{
    if (at_ns != 0) {
        (void)fprintf(to, ",\"%s_unix_ns\":%" PRId64, name, style->epoch_ns + at_ns);
    }
}

void slt_record_final_line(const struct slt_record_style *style, const struct slt_recorded *c,
                           FILE *to)
{
    (void)fputs("{\"schema\":1,\"event\":\"final\",\"source\":\"kernel\"", to);
    put_address(to, "local", &c->local, c->local_port);
    put_address(to, "remote", &c->remote, c->remote_port);
    (void)fprintf(to,
                  ",\"bytes_sent\":%" PRId64 ",\"bytes_received\":%" PRId64 ",\"retransmits\":%u",
                  c->bytes_sent, c->bytes_received, c->retransmits);
    if (c->netns != 0) {
        (void)fprintf(to, ",\"netns_inode\":%" PRIu64, c->netns);
    }
    put_instant(style, "last_data_at", c->data_ns, to);
    put_instant(style, "last_heard_at", c->heard_ns, to);
    put_instant(style, "retry_began_at", c->retry_began_ns, to);
    (void)fputs("}\n", to);
}

void slt_record_line(struct slt_record_style *style, const struct slt_change *change, FILE *to)
{
    if (style->json) {
        print_object(style, change, to);
    } else {
        print_text(style, change, to);
    }
}

/* ---- the cost ------------------------------------------------------------------------------- */

void slt_record_cost_print(const struct slt_record_style *style, const struct slt_record_cost *cost,
                           FILE *objects, FILE *sentences)
{
    const struct slt_recording_counts *n = &cost->counts;
    char lasted[SLT_DURATION_MAX];
    char worked[SLT_DURATION_MAX];
    double share = cost->wall_ns > 0 ? 100.0 * (double)cost->cpu_ns / (double)cost->wall_ns : 0;
    if (style->json && objects != NULL) {
        (void)fprintf(objects,
                      "{\"schema\":1,\"event\":\"cost\",\"events\":%" PRIu64 ",\"lost\":%" PRIu64
                      ",\"changes\":%" PRIu64 ",\"unknown\":%" PRIu64 ",\"forgotten\":%" PRIu64
                      ",\"finals\":%" PRIu64 ",\"finals_lost\":%" PRIu64 ",\"guessed\":%" PRIu64
                      ",\"missed\":%" PRIu64 ",\"cpu_ns\":%" PRId64 ",\"wall_ns\":%" PRId64
                      ",\"ring_bytes\":%" PRIu64 "}\n",
                      n->trace.events, n->trace.lost, n->recorder.changes, n->recorder.unknown,
                      n->recorder.forgotten, n->recorder.finals, n->finals_lost,
                      n->recorder.guessed, n->missed, cost->cpu_ns, cost->wall_ns,
                      n->trace.ring_bytes);
    }
    (void)fprintf(sentences,
                  "%" PRIu64 " events in %s, %" PRIu64 " lost; %" PRIu64
                  " changes of state, %" PRIu64 " of them of unknown cause; %" PRIu64
                  " connections forgotten early, %" PRIu64 " overruns of final numbers\n"
                  "own cost: %s of processor time, %.1f %% of one core; %" PRIu64 " KiB of rings\n",
                  n->trace.events, slt_print_duration(cost->wall_ns, lasted), n->trace.lost,
                  n->recorder.changes, n->recorder.unknown, n->recorder.forgotten, n->finals_lost,
                  slt_print_duration(cost->cpu_ns, worked), share, n->trace.ring_bytes / 1024);
    if (n->missed + n->recorder.guessed > 0) {
        (void)fprintf(sentences,
                      "%" PRIu64 " changes were made on an idle processor, of which this kernel "
                      "leaves a count and no sample: %" PRIu64
                      " are told from final numbers, %" PRIu64 " cannot be shown\n",
                      n->missed + n->recorder.guessed, n->recorder.guessed, n->missed);
    }
}
