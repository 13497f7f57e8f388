/* The interpreter: one event after the other, each at its time.
 *
 * Times are the host's virtual clock; a relative time counts from the event before. Before an
 * inbound packet or a call the clock goes to its time through every timer that is due; for an
 * outbound packet it goes on until a packet is there, or until none can come in time any more. A
 * packet that came is compared by when it left, not by when the script asked.
 *
 * A blocked call is tried again after every step; it must return within the tolerance of the end
 * the script gives. At the end nothing may be left: no blocked call, and no packet that the script
 * does not mention (unless loose_end is on).
 */
#include "lab/script_run.h"

#include "lab/script_assert.h"
#include "lab/script_call.h"
#include "lab/script_flow.h"
#include "lab/script_info.h"
#include "lab/script_parse.h"
#include "lab/script_settings.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_ROOM 65700U

/* No script goes on for longer; it keeps sums of times far from overflow. */
#define SCRIPT_LASTS_MAX (INT64_C(1000000000) * SLT_NS_PER_S)

struct runner {
    const struct slt_script *script;
    struct slt_script_options options;
    struct slt_script_setup setup;
    struct slt_host host;
    struct slt_script_flows flows;
    struct slt_call_world world;
    const struct slt_script_event *event;
    int64_t base_ns; /* relative times count from here */
    bool first;
    struct slt_call blocked; /* the call that waits, when `waiting` */
    const struct slt_script_event *waiting;
    int64_t waiting_until_ns;
    uint8_t *packet; /* room for an inbound one */
    FILE *out;
    bool failed;
    uint32_t warnings;
};

/* ---- complaints ---------------------------------------------------------------------------- */

static double seconds_of(const struct runner *r, int64_t at_ns)
{
    return (double)(at_ns - r->host.start_ns) / (double)SLT_NS_PER_S;
}

static void print_source(struct runner *r, const struct slt_script_event *event)
{
    const char *text = r->script->source + event->source_at;
    fputs("  script:  ", r->out);
    for (uint32_t i = 0; i < event->source_bytes; i++) {
        fputc(text[i] == '\n' ? ' ' : text[i], r->out);
    }
    fputc('\n', r->out);
}

/* Say that an event failed. Always false. */
SLT_PRINTF(3, 4)
static bool fail(struct runner *r, const struct slt_script_event *event, const char *format, ...)
{
    bool packet = event->kind == SLT_SCRIPT_PACKET;
    bool soft = packet ? r->options.non_fatal_packet
                       : event->kind == SLT_SCRIPT_CALL && r->options.non_fatal_call;
    va_list args;

    fprintf(r->out, "%s:%u: %s: ", r->script->file, event->line, soft ? "warning" : "error");
    va_start(args, format);
    vfprintf(r->out, format, args);
    va_end(args);
    fputc('\n', r->out);
    print_source(r, event);
    if (soft) {
        r->warnings++;
        return true;
    }
    r->failed = true;
    return false;
}

static void print_context(struct runner *r)
{
    fprintf(r->out, "  at %.6f of virtual time; last changes of state:\n",
            seconds_of(r, r->host.now_ns));
    slt_script_host_print_changes(&r->host, r->out);
}

static void print_waiting_packets(struct runner *r)
{
    for (uint32_t i = 0; i < 8; i++) {
        const struct slt_script_host_packet *packet = slt_script_host_peek(&r->host, i);
        struct slt_live_packet live;
        char shown[600];
        if (!packet) {
            return;
        }
        slt_live_parse(&live, &r->host, packet);
        const struct slt_script_flow *flow = NULL;
        if (r->flows.current < r->flows.count && live.option_bytes) {
            const struct slt_script_flow *now = &r->flows.flow[r->flows.current];
            bool same =
                now->local_port == live.seg.src_port && now->remote_port == live.seg.dst_port;
            flow = same ? now : NULL;
        }
        slt_live_show(&live, flow, shown, sizeof(shown));
        fprintf(r->out, "  came at %.6f:  %s\n", seconds_of(r, live.at_ns), shown);
    }
}

/* ---- time ---------------------------------------------------------------------------------- */

static bool end_waiting(struct runner *r, enum slt_call_result result)
{
    const struct slt_script_event *event = r->waiting;
    int64_t off = r->host.now_ns - r->waiting_until_ns;

    r->waiting = NULL;
    if (result == SLT_CALL_BAD) {
        return fail(r, event, "the call returned something else\n%s", r->blocked.complaint);
    }
    if (!event->call->end_any &&
        (off > r->options.tolerance_ns || -off > r->options.tolerance_ns)) {
        return fail(r, event, "the call returned at %.6f, expected at %.6f",
                    seconds_of(r, r->host.now_ns), seconds_of(r, r->waiting_until_ns));
    }
    return true;
}

/* See whether the blocked call can go on. */
static bool retry_waiting(struct runner *r)
{
    if (!r->waiting) {
        return true;
    }
    enum slt_call_result result = slt_call_retry(&r->blocked);
    return result == SLT_CALL_BLOCKED || end_waiting(r, result);
}

/* One step of time towards `until_ns`, and what follows from it. */
static bool step(struct runner *r, int64_t until_ns)
{
    if (r->waiting && r->blocked.give_up_ns < until_ns) {
        until_ns = slt_max64(r->blocked.give_up_ns, r->host.now_ns);
    }
    slt_script_host_step(&r->host, until_ns);
    return retry_waiting(r);
}

static bool go_to(struct runner *r, int64_t until_ns)
{
    while (r->host.now_ns < until_ns) {
        if (!step(r, until_ns)) {
            return false;
        }
    }
    while (slt_script_host_deadline(&r->host) <= r->host.now_ns) {
        if (!step(r, until_ns)) {
            return false;
        }
    }
    return true;
}

/* When an event happens: [*from, *to] for outbound packets, *from for the others. */
static void times_of(const struct runner *r, const struct slt_script_event *event, int64_t *from,
                     int64_t *to)
{
    int64_t origin = r->base_ns;

    if (event->time_kind == SLT_TIME_ABSOLUTE || event->time_kind == SLT_TIME_ABSOLUTE_RANGE) {
        origin = r->host.start_ns;
    }
    *from = slt_time_add(origin, event->time_ns);
    *to = *from;
    if (event->time_kind == SLT_TIME_ABSOLUTE_RANGE ||
        event->time_kind == SLT_TIME_RELATIVE_RANGE) {
        *to = slt_time_add(origin, event->time_end_ns);
    }
    if (event->time_kind == SLT_TIME_ANY) {
        *from = r->base_ns;
        *to = SLT_NEVER;
    }
}

/* ---- packets ------------------------------------------------------------------------------- */

static bool inject(struct runner *r, const struct slt_script_event *event)
{
    const char *complaint;
    const struct slt_script_packet *packet = event->packet;
    uint32_t bytes = slt_packet_build(&r->flows, packet, r->packet, PACKET_ROOM, &complaint);
    uint32_t mss = r->options.mss;

    if (bytes == 0) {
        return fail(r, event, "%s", complaint ? complaint : "the packet cannot be built");
    }
    bool cut = mss > 0 && packet->payload_bytes > mss;
    slt_script_host_inject(&r->host, r->packet, bytes, cut ? (uint16_t)mss : 0);
    return retry_waiting(r);
}

/* Wait until the queue holds more than `have` packets, or until none can come by `to`. */
static bool await_packet(struct runner *r, uint32_t have, int64_t to, bool *there)
{
    int64_t latest = slt_time_add(to, r->options.tolerance_ns);

    for (;;) {
        *there = slt_script_host_peek(&r->host, have) != NULL;
        int64_t deadline = slt_script_host_deadline(&r->host);
        if (r->waiting) {
            deadline = slt_min64(deadline, r->blocked.give_up_ns);
        }
        if (*there || deadline > latest || deadline == SLT_NEVER) {
            return true;
        }
        if (!step(r, deadline)) {
            return false;
        }
    }
}

/* No packet comes any more; some may be there, but they are not enough to make up the written
 * one. */
static bool no_packet(struct runner *r, const struct slt_script_event *event)
{
    int64_t deadline = slt_script_host_deadline(&r->host);
    bool some = slt_script_host_peek(&r->host, 0) != NULL;

    if (fail(r, event, "%s",
             some ? "expected more bytes than were sent" : "expected a packet, none was sent")) {
        return true;
    }
    print_waiting_packets(r);
    if (deadline == SLT_NEVER) {
        fprintf(r->out, "  no timer runs\n");
    } else {
        fprintf(r->out, "  the next timer is due at %.6f\n", seconds_of(r, deadline));
    }
    return false;
}

static bool check_time(struct runner *r, const struct slt_script_event *event, int64_t at_ns)
{
    int64_t from;
    int64_t to;
    int64_t tolerance = r->options.tolerance_ns;

    times_of(r, event, &from, &to);
    if (event->time_kind == SLT_TIME_ANY) {
        return true;
    }
    if (at_ns < from - tolerance || at_ns > slt_time_add(to, tolerance)) {
        return fail(r, event, "the packet left at %.6f, expected at %.6f%s%.6f",
                    seconds_of(r, at_ns), seconds_of(r, from), from == to ? " = " : " to ",
                    seconds_of(r, to));
    }
    return true;
}

static bool expect(struct runner *r, const struct slt_script_event *event)
{
    char complaint[SLT_COMPLAINT_MAX];
    struct slt_match match = {.flows = &r->flows,
                              .host = &r->host,
                              .expected = event->packet,
                              .out = complaint,
                              .out_bytes = sizeof(complaint)};
    enum slt_match_result result;
    uint32_t have = 0;
    int64_t from;
    int64_t to;
    bool there;

    times_of(r, event, &from, &to);
    do {
        if (!await_packet(r, have, to, &there)) {
            return false;
        }
        if (!there) {
            return no_packet(r, event);
        }
        result = slt_match_packet(&match);
        have = match.used;
    } while (result == SLT_MATCH_MORE);
    int64_t at_ns = slt_script_host_peek(&r->host, 0)->at_ns;
    if (result == SLT_MATCH_NO && !fail(r, event, "another packet was sent\n%s", complaint)) {
        print_waiting_packets(r);
        return false;
    }
    if (!check_time(r, event, at_ns)) {
        print_waiting_packets(r);
        return false;
    }
    slt_script_host_drop(&r->host, match.used);
    bool exact = event->time_kind == SLT_TIME_ABSOLUTE || event->time_kind == SLT_TIME_RELATIVE;
    r->base_ns = exact ? from : at_ns;
    return true;
}

/* ---- the other events ---------------------------------------------------------------------- */

static bool begin_call(struct runner *r, const struct slt_script_event *event)
{
    const struct slt_script_call *call = event->call;

    if (r->waiting) {
        return fail(r, event, "the call of line %u has not returned yet", r->waiting->line);
    }
    struct slt_call run;
    enum slt_call_result result = slt_call_begin(&run, &r->world, call);
    if (result == SLT_CALL_BLOCKED) {
        int64_t origin =
            event->time_kind == SLT_TIME_ABSOLUTE ? r->host.start_ns : r->base_ns - event->time_ns;
        r->blocked = run;
        r->waiting = event;
        r->waiting_until_ns = call->end_any ? SLT_NEVER : slt_time_add(origin, call->end_ns);
        return true;
    }
    if (result == SLT_CALL_BAD) {
        return fail(r, event, "the call returned something else\n%s", run.complaint);
    }
    int64_t spent = call->end_any || call->end_ns == SLT_NEVER ? 0 : call->end_ns - event->time_ns;
    if (spent > r->options.tolerance_ns) {
        return fail(r, event, "the call did not block, expected it to return later");
    }
    return true;
}

static bool run_code(struct runner *r, const struct slt_script_event *event)
{
    struct slt_assert_names names = {.ctx = &r->world, .find = slt_info_find};
    char complaint[SLT_COMPLAINT_MAX];

    return slt_assert_run(event->text, &names, complaint, sizeof(complaint)) ||
           fail(r, event, "%s", complaint);
}

/* Settings in the middle of a script change what may change while an instance runs. */
static bool run_command(struct runner *r, const struct slt_script_event *event)
{
    char words[200];

    if (r->first) {
        return true; /* taken before the instance was made */
    }
    const char *complaint =
        slt_settings_apply_line(&r->setup.config, event->text, words, sizeof(words));
    if (complaint) {
        return fail(r, event, "%s", complaint);
    }
    slt_script_host_configure(&r->host, &r->setup.config);
    return true;
}

static bool run_event(struct runner *r, const struct slt_script_event *event)
{
    int64_t from;
    int64_t to;

    r->event = event;
    times_of(r, event, &from, &to);
    if (from > r->host.start_ns + SCRIPT_LASTS_MAX) {
        return fail(r, event, "a script lasts at most 31 years");
    }
    if (event->kind == SLT_SCRIPT_PACKET && event->packet->outbound) {
        return expect(r, event);
    }
    if (event->time_kind == SLT_TIME_ANY) {
        from = r->host.now_ns;
    }
    if (!go_to(r, from)) {
        return false;
    }
    r->base_ns = from;
    switch ((enum slt_script_event_kind)event->kind) {
    case SLT_SCRIPT_PACKET:
        return inject(r, event);
    case SLT_SCRIPT_CALL:
        return begin_call(r, event);
    case SLT_SCRIPT_CODE:
        return run_code(r, event);
    case SLT_SCRIPT_COMMAND:
        return run_command(r, event);
    }
    return true;
}

/* ---- beginning and end --------------------------------------------------------------------- */

static bool set_options(struct runner *r, const struct slt_script_arguments *arguments)
{
    const char *wrong;

    slt_script_options_init(&r->options);
    for (const struct slt_script_setting *s = r->script->options; s; s = s->next) {
        wrong = slt_script_option_set(&r->options, s->name, s->value);
        if (wrong) {
            fprintf(r->out, "%s:%u: error: --%s: %s\n", r->script->file, s->line, s->name, wrong);
            return false;
        }
    }
    for (uint32_t i = 0; i < arguments->count; i++) {
        const struct slt_script_argument *a = &arguments->list[i];
        wrong = slt_script_option_set(&r->options, a->name, a->value);
        if (wrong) {
            fprintf(r->out, "--%s: %s\n", a->name, wrong);
            return false;
        }
    }
    return true;
}

/* Settings before the first packet and call make the instance. */
static bool apply_settings(struct runner *r)
{
    char words[200];
    const char *complaint;

    for (uint32_t i = 0; i < r->options.setting_count; i++) {
        complaint =
            slt_settings_apply_line(&r->setup.config, r->options.settings[i], words, sizeof(words));
        if (complaint) {
            fprintf(r->out, "--set: %s\n", complaint);
            return false;
        }
    }
    for (const struct slt_script_event *event = r->script->events; event; event = event->next) {
        if (event->kind != SLT_SCRIPT_COMMAND) {
            return true;
        }
        complaint = slt_settings_apply_line(&r->setup.config, event->text, words, sizeof(words));
        if (complaint) {
            fprintf(r->out, "%s:%u: error: %s\n", r->script->file, event->line, complaint);
            return false;
        }
    }
    return true;
}

static bool open_capture(struct runner *r)
{
    const char *name = strrchr(r->script->file, '/');
    char path[1024];

    if (!r->options.capture_folder) {
        return true;
    }
    name = name ? name + 1 : r->script->file;
    snprintf(path, sizeof(path), "%s/%s.pcapng", r->options.capture_folder, name);
    if (!slt_script_host_capture(&r->host, path)) {
        fprintf(r->out, "%s: cannot be written\n", path);
        return false;
    }
    return true;
}

static bool prepare(struct runner *r)
{
    const char *complaint;

    if (!slt_script_setup_init(&r->setup, &r->options, &complaint) || !apply_settings(r)) {
        if (complaint) {
            fprintf(r->out, "%s: error: %s\n", r->script->file, complaint);
        }
        return false;
    }
    complaint = slt_script_host_open(&r->host, &r->setup, 3);
    if (complaint) {
        fprintf(r->out, "%s: error: %s\n", r->script->file, complaint);
        return false;
    }
    r->packet = malloc(PACKET_ROOM);
    slt_flows_init(&r->flows, &r->options, &r->setup);
    slt_call_world_init(&r->world, &r->host, &r->flows);
    r->base_ns = r->host.now_ns;
    r->first = true;
    return r->packet && open_capture(r);
}

static void finish(struct runner *r)
{
    const struct slt_script_event *last = r->event;

    if (!last || r->failed) {
        return;
    }
    if (r->waiting) {
        int64_t until = r->waiting->call->end_any ? r->host.now_ns : r->waiting_until_ns;
        go_to(r, slt_time_add(until, r->options.tolerance_ns));
    }
    if (r->waiting && !r->failed) {
        fail(r, r->waiting, "the call never returned");
    }
    if (!r->failed && !r->options.loose_end && slt_script_host_peek(&r->host, 0) &&
        !fail(r, last, "packets were sent that the script does not mention")) {
        print_waiting_packets(r);
    }
    const char *broken = salut_check(r->host.stack);
    if (broken && !r->failed) {
        fail(r, last, "an invariant does not hold: %s", broken);
    }
}

static void run_events(struct runner *r)
{
    for (const struct slt_script_event *event = r->script->events; event; event = event->next) {
        if (r->options.verbose) {
            fprintf(r->out, "%.6f", seconds_of(r, r->host.now_ns));
            print_source(r, event);
        }
        if (!run_event(r, event)) {
            return;
        }
        r->first = r->first && event->kind == SLT_SCRIPT_COMMAND;
        if (r->host.failed) {
            fail(r, event, "out of memory, or the capture cannot be written");
            return;
        }
    }
}

static enum slt_script_result run_script(struct runner *r,
                                         const struct slt_script_arguments *arguments)
{
    enum slt_script_result result = SLT_SCRIPT_UNREADABLE;

    if (set_options(r, arguments)) {
        if (r->options.dry_run) {
            return SLT_SCRIPT_PASSED;
        }
        if (prepare(r)) {
            run_events(r);
            finish(r);
            result = r->failed ? SLT_SCRIPT_FAILED : SLT_SCRIPT_PASSED;
        }
        if (r->failed) {
            print_context(r);
        }
        slt_call_world_free(&r->world);
        slt_script_host_close(&r->host);
        free(r->packet);
    }
    return result;
}

enum slt_script_result slt_script_run_text(const char *file, const char *text, uint32_t bytes,
                                           const struct slt_script_arguments *arguments, FILE *out)
{
    struct slt_script script = {0};
    struct slt_script_error error;
    enum slt_script_result result = SLT_SCRIPT_UNREADABLE;

    for (uint32_t i = 0; i < arguments->count; i++) {
        const struct slt_script_argument *a = &arguments->list[i];
        script.ipv6 =
            strcmp(a->name, "ip_version") == 0 ? strcmp(a->value, "ipv6") == 0 : script.ipv6;
    }
    if (!slt_script_parse(&script, file, text, bytes, &error)) {
        fprintf(out, "%s\n", error.text);
    } else {
        struct runner *r = calloc(1, sizeof(*r));
        if (r) {
            r->script = &script;
            r->out = out;
            result = run_script(r, arguments);
        }
        free(r);
    }
    slt_script_free(&script);
    return result;
}

enum slt_script_result slt_script_run_file(const char *file,
                                           const struct slt_script_arguments *arguments, FILE *out)
{
    enum slt_script_result result = SLT_SCRIPT_UNREADABLE;
    FILE *in = fopen(file, "rb");
    char *text = NULL;
    long bytes = -1;

    if (in && fseek(in, 0, SEEK_END) == 0) {
        bytes = ftell(in);
    }
    if (bytes >= 0 && bytes < 16 * 1024 * 1024 && fseek(in, 0, SEEK_SET) == 0) {
        text = malloc((size_t)bytes + 1);
    }
    if (text && fread(text, 1, (size_t)bytes, in) == (size_t)bytes) {
        result = slt_script_run_text(file, text, (uint32_t)bytes, arguments, out);
    } else {
        fprintf(out, "%s: cannot be read\n", file);
    }
    free(text);
    if (in) {
        fclose(in);
    }
    return result;
}
