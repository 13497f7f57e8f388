/* salut explain for machines: one object a line; see explain_show.h. */
#include "cli/explain_show.h"

#include "cli/finding_page.h"
#include "cli/json_text.h"
#include "observe/explain_mark.h"
#include "observe/explain_track.h"

#include <inttypes.h>

#define SCHEMA 1

static void put_end(const struct slt_explained *e, uint8_t which, FILE *to)
{
    const struct slt_explain_end *end = &e->flow->end[which];
    char name[64];
    (void)fprintf(to, ",\"%s\":{\"end\":", which == 0 ? "client" : "server");
    slt_put_json_text(slt_explain_end_text(end, name, sizeof(name)), to);
    slt_put_json_member("first_state", slt_explain_state_name(e->states.first[which]), to);
    slt_put_json_member("last_state", slt_explain_state_name(e->states.last[which]), to);
    (void)fprintf(to,
                  ",\"packets\":%" PRIu64 ",\"payload_bytes\":%" PRIu64 ",\"again_bytes\":%" PRIu64
                  ",\"zero_windows\":%u",
                  end->packets, end->payload, end->again, end->zero_windows);
    if (end->delay_ns >= 0) {
        (void)fprintf(to, ",\"round_trip_us\":%.3f", (double)end->delay_ns / 1e3);
    }
    if (end->syn_seen) {
        const struct slt_tcp_options *o = &end->options;
        (void)fprintf(to, ",\"mss_bytes\":%u,\"sack\":%s,\"timestamps\":%s", o->mss,
                      (o->present & SLT_TCP_OPT_SACK_OK) ? "true" : "false",
                      (o->present & SLT_TCP_OPT_TIMESTAMPS) ? "true" : "false");
        if ((o->present & SLT_TCP_OPT_WSCALE) != 0) {
            (void)fprintf(to, ",\"window_scale\":%u", o->wscale);
        }
    }
    (void)fputs(",\"marks\":{", to);
    const char *comma = "";
    for (uint8_t mark = 1; mark < SLT_MARK_COUNT; mark++) {
        if (end->marks[mark] > 0) {
            (void)fprintf(to, "%s\"%s\":%u", comma, slt_explain_mark_name(mark), end->marks[mark]);
            comma = ",";
        }
    }
    (void)fputs("}}", to);
}

static void put_changes(const struct slt_explained *e, FILE *to)
{
    (void)fputs(",\"changes\":[", to);
    for (uint32_t i = 0; i < e->states.count; i++) {
        const struct slt_explain_change *c = &e->states.changes[i];
        (void)fprintf(to, "%s{\"packet\":%u,\"end\":\"%s\"", i > 0 ? "," : "",
                      e->flow->steps[c->step].number, c->end == 0 ? "client" : "server");
        slt_put_json_member("from", slt_explain_state_name(c->from), to);
        slt_put_json_member("to", slt_explain_state_name(c->to), to);
        slt_put_json_member("certainty", slt_certainty_name(c->certainty), to);
        if (c->proof != SLT_NO_STEP) {
            (void)fprintf(to, ",\"shown_by\":%u", e->flow->steps[c->proof].number);
        }
        slt_put_json_member("why", c->why, to);
        (void)fputc('}', to);
    }
    (void)fputc(']', to);
}

static void put_budget(const struct slt_explain_flow *f, FILE *to)
{
    (void)fputs(",\"time_us\":{", to);
    for (uint32_t i = 0; i < SLT_BUCKET_COUNT; i++) {
        (void)fprintf(to, "%s\"%s\":%.3f", i > 0 ? "," : "",
                      slt_explain_bucket_name((enum slt_explain_bucket)i),
                      (double)f->bucket_ns[i] / 1e3);
    }
    (void)fputc('}', to);
}

static void put_packets(const struct slt_explained *e, FILE *to)
{
    const struct slt_explain_flow *f = e->flow;
    struct slt_explain_cursor cursor;
    char text[160];
    slt_explain_cursor_init(&cursor, &e->states);
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        slt_explain_cursor_move(&cursor, &e->states, i);
        (void)fprintf(to,
                      "{\"schema\":%d,\"kind\":\"packet\",\"connection\":%u,\"packet\":%u,\"from\":"
                      "\"%s\",\"time_us\":%.3f",
                      SCHEMA, f->id, step->number, step->from == 0 ? "client" : "server",
                      (double)(step->at_ns - f->first_at_ns) / 1e3);
        slt_put_json_member("segment", slt_explain_step_text(f, step, text, sizeof(text)), to);
        slt_put_json_member("client", slt_explain_state_name(cursor.state[0]), to);
        slt_put_json_member("client_is", slt_certainty_name(cursor.certainty[0]), to);
        slt_put_json_member("server", slt_explain_state_name(cursor.state[1]), to);
        slt_put_json_member("server_is", slt_certainty_name(cursor.certainty[1]), to);
        (void)fprintf(to, ",\"window_bytes\":%u", step->window);
        slt_put_json_member("mark", slt_explain_mark_name(step->mark), to);
        slt_put_json_member("remark", slt_explain_remark(step, text, sizeof(text)), to);
        (void)fputs("}\n", to);
    }
}

static void put_hit(const struct slt_explain_hit *hit, FILE *to)
{
    const struct slt_finding *row = slt_finding_row((enum slt_finding_id)hit->id);
    (void)fprintf(to, "{\"id\":\"%s\",\"severity\":\"%s\",\"confidence\":\"%c\",\"end\":\"%s\"",
                  row->id, slt_finding_severity(row->severity), hit->confidence,
                  hit->end == 0 ? "client" : "server");
    if (hit->packet > 0) {
        (void)fprintf(to, ",\"packet\":%u", hit->packet);
    }
    slt_put_json_member("evidence", hit->evidence, to);
    (void)fputc('}', to);
}

static void put_flow(const struct slt_explain_view *view, const struct slt_explain_flow *flow,
                     FILE *to)
{
    struct slt_explained e;
    slt_explained_of(flow, &e);
    (void)fprintf(to, "{\"schema\":%d,\"kind\":\"connection\",\"connection\":%u", SCHEMA, flow->id);
    put_end(&e, 0, to);
    put_end(&e, 1, to);
    slt_put_json_member("ended", slt_explain_ended_name(e.verdict.ended), to);
    if (e.verdict.closer < 3) {
        static const char *const closers[] = {"client", "server", "both"};
        slt_put_json_member("closed_first", closers[e.verdict.closer], to);
    }
    (void)fprintf(to, ",\"duration_us\":%.3f,\"incarnation\":%u",
                  (double)(flow->last_at_ns - flow->first_at_ns) / 1e3, flow->incarnation);
    if (flow->before != NULL) {
        (void)fprintf(to, ",\"before\":%u", flow->before->id);
    }
    (void)fprintf(to, ",\"packets\":%" PRIu64 ",\"left_out\":%" PRIu64, flow->packets,
                  flow->left_out);
    put_changes(&e, to);
    put_budget(flow, to);
    (void)fputs(",\"findings\":[", to);
    for (uint32_t i = 0; i < e.verdict.hit_count; i++) {
        (void)fputs(i > 0 ? "," : "", to);
        put_hit(&e.verdict.hits[i], to);
    }
    (void)fputc(']', to);
    slt_put_json_member("verdict", e.verdict.text, to);
    (void)fputs("}\n", to);
    if (view->packets) {
        put_packets(&e, to);
    }
}

/* What all connections show, those that are not printed included. */
static void put_report(const struct slt_explain_report *report, FILE *to)
{
    const char *comma = "";
    (void)fputs(",\"findings\":[", to);
    for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
        const struct slt_explain_found *found = &report->found[i];
        const struct slt_finding *row = slt_finding_row((enum slt_finding_id)i);
        if (found->count == 0) {
            continue;
        }
        (void)fprintf(
            to,
            "%s{\"id\":\"%s\",\"severity\":\"%s\",\"confidence\":\"%c\",\"count\":%" PRIu64
            ",\"connection\":%u",
            comma, row->id, slt_finding_severity(row->severity), found->confidence, found->count,
            found->worst->id);
        slt_put_json_member("evidence", found->evidence, to);
        (void)fputc('}', to);
        comma = ",";
    }
    (void)fputc(']', to);
}

void slt_explain_show_json(const struct slt_explain_view *view, FILE *to)
{
    const struct slt_explain_counts *c = &view->explain->counts;
    (void)fprintf(to,
                  "{\"schema\":%d,\"kind\":\"file\",\"packets\":%" PRIu64 ",\"tcp\":%" PRIu64
                  ",\"other\":%" PRIu64 ",\"fragments\":%" PRIu64 ",\"broken\":%" PRIu64
                  ",\"copies\":%" PRIu64 ",\"connections\":%u,\"not_followed\":%" PRIu64,
                  SCHEMA, c->packets, c->tcp, c->other, c->fragments, c->broken, c->copies,
                  view->explain->flows.count, view->explain->flows.refused);
    slt_put_json_member("file", view->name, to);
    if (view->trouble != NULL) {
        slt_put_json_member("trouble", view->trouble, to);
    }
    put_report(view->report, to);
    (void)fputs("}\n", to);
    for (size_t i = 0; i < view->shown; i++) {
        put_flow(view, view->flows[i], to);
    }
}
