/* salut status for machines: one object a line. Numbers are in units that the key names; a fact
 * that is not known has no key.
 */
#include "cli/status_print.h"

#include "cli/json_text.h"
#include "observe/cause.h"
#include "observe/why.h"

#include <inttypes.h>

#define SCHEMA 1

/* An object under work. */
struct object {
    FILE *to;
    bool begun;
};

static void key(struct object *o, const char *name)
{
    (void)fprintf(o->to, "%s\"%s\":", o->begun ? "," : "{", name);
    o->begun = true;
}

static void put_text(struct object *o, const char *name, const char *text)
{
    key(o, name);
    slt_put_json_text(text, o->to);
}

static void put_number(struct object *o, const char *name, int64_t value)
{
    if (value != SLT_UNKNOWN) {
        key(o, name);
        (void)fprintf(o->to, "%" PRId64, value);
    }
}

static void put_truth(struct object *o, const char *name, uint8_t value)
{
    if (value != SLT_DONT_KNOW) {
        key(o, name);
        (void)fputs(value == SLT_YES ? "true" : "false", o->to);
    }
}

static void put_span(struct object *o, const char *name, const struct slt_seen_span *span)
{
    static const char *const how[] = {"", "", "_at_least", "_at_most"};
    char whole[48];
    if (span->how != SLT_SPAN_UNKNOWN && span->how <= SLT_SPAN_AT_MOST) {
        (void)snprintf(whole, sizeof(whole), "%s_ms%s", name, how[span->how]);
        put_number(o, whole, span->ns / 1000000);
    }
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[SLT_SEEN_KIND_COUNT] = {"connection", "half_open", "time_wait",
                                                           "listener", "bound"};
    return kind < SLT_SEEN_KIND_COUNT ? names[kind] : "?";
}

static const char *timer_name(uint8_t timer)
{
    static const char *const names[SLT_SEEN_TIMER_COUNT] = {
        "none",      "retransmit",  "persist", "keepalive", "fin_wait_2",
        "time_wait", "delayed_ack", "other",   "unknown"};
    return timer < SLT_SEEN_TIMER_COUNT ? names[timer] : "?";
}

static void put_which(struct object *o, const struct slt_seen *seen)
{
    char text[SLT_ENDPOINT_MAX];
    key(o, "schema");
    (void)fprintf(o->to, "%d", SCHEMA);
    put_text(o, "source", slt_status_source(seen));
    put_text(o, "kind", kind_name(seen->kind));
    put_text(o, "state", slt_seen_rfc_name((enum salut_state)seen->state));
    (void)salut_addr_print(&seen->local, text, sizeof(text));
    put_text(o, "local_address", text);
    put_number(o, "local_port", seen->local_port);
    if (seen->kind != SLT_SEEN_LISTENER && seen->kind != SLT_SEEN_BOUND) {
        (void)salut_addr_print(&seen->remote, text, sizeof(text));
        put_text(o, "remote_address", text);
        put_number(o, "remote_port", seen->remote_port);
    }
}

static void put_owner(struct object *o, const struct slt_seen *seen)
{
    static const char *const how[] = {"seen", "remembered", "none", "hidden", "gone"};
    put_text(o, "owner", how[seen->owner % SLT_OWNER_HOW_COUNT]);
    put_number(o, "pid", seen->pid);
    put_number(o, "fd", seen->fd);
    if (seen->program[0] != '\0') {
        put_text(o, "program", seen->program);
    }
    put_number(o, "uid", seen->uid);
    if (seen->inode != 0) {
        put_number(o, "inode", (int64_t)seen->inode);
    }
    put_truth(o, "accepted", seen->accepted);
    put_truth(o, "orphan", seen->orphan);
    put_truth(o, "passive", seen->passive);
}

static const char *const limit_names[SALUT_LIMIT_COUNT] = {"nothing",     "application", "cwnd",
                                                           "peer_window", "send_buffer", "pacing"};

static void put_path(struct object *o, const struct slt_seen *seen)
{
    put_number(o, "rtt_us", seen->rtt_us);
    put_number(o, "rtt_var_us", seen->rtt_var_us);
    put_number(o, "rtt_min_us", seen->rtt_min_us);
    put_number(o, "rtt_p50_us", seen->rtt_p50_us);
    put_number(o, "rtt_p90_us", seen->rtt_p90_us);
    put_number(o, "rtt_p99_us", seen->rtt_p99_us);
    put_number(o, "rto_us", seen->rto_us);
    put_number(o, "send_mss_bytes", seen->send_mss);
    put_number(o, "recv_mss_bytes", seen->recv_mss);
    put_number(o, "pmtu_bytes", seen->pmtu);
    put_number(o, "cwnd_bytes", seen->cwnd_bytes);
    put_number(o, "ssthresh_bytes", seen->ssthresh_bytes);
    put_number(o, "send_window_bytes", seen->send_window);
    put_number(o, "recv_window_bytes", seen->recv_window);
    put_number(o, "send_buffer_bytes", seen->send_buffer);
    put_number(o, "recv_buffer_bytes", seen->recv_buffer);
    put_number(o, "delivery_rate_bytes_per_s", seen->delivery_rate);
    put_number(o, "pacing_rate_bytes_per_s", seen->pacing_rate);
    put_truth(o, "app_limited", seen->app_limited);
    put_number(o, "busy_us", seen->busy_us);
    put_number(o, "app_limited_us", seen->app_limited_us);
    put_number(o, "cwnd_limited_us", seen->cwnd_limited_us);
    put_number(o, "window_limited_us", seen->window_limited_us);
    put_number(o, "buffer_limited_us", seen->buffer_limited_us);
    put_number(o, "pacing_limited_us", seen->pacing_limited_us);
    if (seen->limited_by < SALUT_LIMIT_COUNT) {
        put_text(o, "limited_by", limit_names[seen->limited_by]);
    }
    put_truth(o, "sack", seen->sack);
    put_truth(o, "timestamps", seen->timestamps);
    put_truth(o, "window_scale", seen->window_scale);
    put_truth(o, "ecn", seen->ecn);
    put_truth(o, "keepalive", seen->keepalive);
    if (seen->congestion[0] != '\0') {
        put_text(o, "congestion", seen->congestion);
    }
}

static void put_totals(struct object *o, const struct slt_seen *seen)
{
    put_number(o, "bytes_sent", seen->bytes_sent);
    put_number(o, "bytes_acked", seen->bytes_acked);
    put_number(o, "bytes_received", seen->bytes_received);
    put_number(o, "bytes_retransmitted", seen->bytes_retransmitted);
    put_number(o, "segments_in", seen->segs_in);
    put_number(o, "segments_out", seen->segs_out);
    put_number(o, "retransmits", seen->retransmits);
    put_number(o, "lost", seen->lost);
    put_number(o, "reordering", seen->reordering);
    put_number(o, "dsacks", seen->dsacks);
    put_number(o, "overtaken", seen->late);
    put_number(o, "out_of_order_in", seen->holes_in);
    put_number(o, "marked", seen->marked);
    put_number(o, "recoveries", seen->recoveries);
    put_number(o, "timeouts", seen->timeouts);
    put_number(o, "undone", seen->undone);
}

/* How it came to be there, as the stack noted it: reasons by their tokens. */
static void put_history(struct object *o, const struct slt_seen *seen)
{
    if (seen->source != SLT_SOURCE_STACK || seen->history_count == 0) {
        return;
    }
    put_text(o, "cause", salut_reason_token(seen->cause));
    key(o, "history");
    for (unsigned i = 0; i < seen->history_count; i++) {
        const struct salut_history *h = &seen->history[i];
        struct object change = {.to = o->to};
        (void)fputc(i == 0 ? '[' : ',', o->to);
        put_number(&change, "ago_ms", h->at_ns / 1000000);
        put_text(&change, "from", slt_seen_rfc_name((enum salut_state)h->from));
        put_text(&change, "to", slt_seen_rfc_name((enum salut_state)h->to));
        put_text(&change, "cause", salut_reason_token(h->reason));
        (void)fputc('}', o->to);
    }
    (void)fputc(']', o->to);
}

void slt_status_json_record(const struct slt_seen *seen, FILE *to)
{
    struct object o = {.to = to};
    char why[400];
    put_which(&o, seen);
    put_span(&o, "age", &seen->age);
    put_span(&o, "lifetime", &seen->lifetime);
    put_span(&o, "idle", &seen->idle);
    put_span(&o, "silent", &seen->silent);
    put_span(&o, "given", &seen->given);
    put_owner(&o, seen);
    put_number(&o, "unread_bytes", seen->unread);
    put_number(&o, "unacked_bytes", seen->unacked);
    put_number(&o, "unsent_bytes", seen->unsent);
    put_truth(&o, "fin_unread", seen->fin_unread);
    put_number(&o, "accept_queue", seen->queue);
    put_number(&o, "accept_queue_limit", seen->queue_limit);
    put_number(&o, "drops", seen->drops);
    put_text(&o, "timer", timer_name(seen->timer));
    put_span(&o, "timer_in", &seen->timer_in);
    put_number(&o, "retries", seen->retries);
    put_number(&o, "backoff", seen->backoff);
    put_path(&o, seen);
    put_totals(&o, seen);
    put_history(&o, seen);
    if (seen->source == SLT_SOURCE_KERNEL && seen->cause != 0) {
        put_text(&o, "cause", slt_cause_token((enum slt_cause)seen->cause));
    }
    enum slt_actor actor = slt_why(seen, why, sizeof(why));
    put_text(&o, "why", why);
    put_text(&o, "next_move", slt_actor_name(actor));
    (void)fputs("}\n", to);
}

void slt_status_json(const struct slt_look *look, FILE *to)
{
    for (size_t i = 0; i < look->list.count; i++) {
        slt_status_json_record(slt_look_at(look, i), to);
    }
}

void slt_status_json_summary(const struct slt_look *look, FILE *to)
{
    int64_t counts[SALUT_STATE_COUNT] = {0};
    struct object o = {.to = to};
    for (size_t i = 0; i < look->list.count; i++) {
        counts[look->list.items[i].state]++;
    }
    key(&o, "schema");
    (void)fprintf(to, "%d", SCHEMA);
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        put_number(&o, slt_seen_rfc_name((enum salut_state)i), counts[i]);
    }
    (void)fputs("}\n", to);
}
