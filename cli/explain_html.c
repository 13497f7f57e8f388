/* The data of salut explain --html; what becomes of it is cli/page/explain.js. See explain_show.h.
 */
#include "cli/explain_show.h"

#include "cli/explain_page.h"
#include "cli/finding_page.h"
#include "cli/json_text.h"
#include "observe/explain_mark.h"
#include "observe/explain_track.h"

/* More packets of a connection than a page can draw are left out of it. */
#define PAGE_STEPS_MAX 8000U

static void put_state(uint8_t state, uint8_t certainty, FILE *to)
{
    (void)fprintf(to, ",\"%s%s\"", slt_explain_state_name(state),
                  certainty == SLT_PROVED ? "" : "?");
}

/* SACK blocks count from the other end's first number. */
static uint32_t relative_sack(const struct slt_explain_flow *f, const struct slt_explain_step *step,
                              uint32_t number)
{
    return step->sack_left == step->sack_right ? 0 : number - f->end[1 - step->from].isn;
}

/* A row a packet; unpackStep() of explain.js names its places. */
static void put_steps(const struct slt_explained *e, FILE *to)
{
    const struct slt_explain_flow *f = e->flow;
    struct slt_explain_cursor cursor;
    char text[160];
    slt_explain_cursor_init(&cursor, &e->states);
    (void)fprintf(to, ",\"packets\":%u,\"steps\":[", f->step_count);
    for (uint32_t i = 0; i < f->step_count && i < PAGE_STEPS_MAX; i++) {
        const struct slt_explain_step *s = &f->steps[i];
        slt_explain_cursor_move(&cursor, &e->states, i);
        (void)fprintf(to, "%s[%u,%.3f,%u,%u,%u,%lld,%u,\"%s\",", i > 0 ? ",\n" : "", s->number,
                      (double)(s->at_ns - f->first_at_ns) / 1e3, s->from,
                      slt_explain_relative_seq(f, s), s->bytes,
                      (s->flags & SLT_TCP_ACK) != 0 && (s->flags & SLT_TCP_RST) == 0
                          ? (long long)slt_explain_relative_ack(f, s)
                          : -1LL,
                      s->window, slt_explain_mark_name(s->mark));
        slt_put_json_text(slt_explain_step_text(f, s, text, sizeof(text)), to);
        (void)fputc(',', to);
        slt_put_json_text(slt_explain_remark(s, text, sizeof(text)), to);
        put_state(cursor.state[0], cursor.certainty[0], to);
        put_state(cursor.state[1], cursor.certainty[1], to);
        (void)fprintf(to, ",%u,%u]", relative_sack(f, s, s->sack_left),
                      relative_sack(f, s, s->sack_right));
    }
    (void)fputc(']', to);
}

/* Likewise; unpackChange(). */
static void put_changes(const struct slt_explained *e, FILE *to)
{
    const struct slt_explain_states *s = &e->states;
    (void)fprintf(to, ",\"first\":[\"%s\",\"%s\"],\"changes\":[",
                  slt_explain_state_name(s->first[0]), slt_explain_state_name(s->first[1]));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct slt_explain_change *c = &s->changes[i];
        char proof[16] = "";
        if (c->proof != SLT_NO_STEP) {
            (void)snprintf(proof, sizeof(proof), "#%u", e->flow->steps[c->proof].number);
        }
        (void)fprintf(to, "%s[\"#%u\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",", i > 0 ? "," : "",
                      e->flow->steps[c->step].number, c->end == 0 ? "client" : "server",
                      slt_explain_state_name(c->from), slt_explain_state_name(c->to),
                      slt_certainty_name(c->certainty), proof);
        slt_put_json_text(c->why, to);
        (void)fprintf(to, ",%u]", e->flow->steps[c->shown].number);
    }
    (void)fputs("],\"lost\":[", to);
    const char *comma = "";
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->changes[i].certainty == SLT_REFUTED) {
            (void)fprintf(to, "%s%u", comma, e->flow->steps[s->changes[i].step].number);
            comma = ",";
        }
    }
    (void)fputc(']', to);
}

static void put_findings(const struct slt_verdict *verdict, FILE *to)
{
    (void)fputs(",\"findings\":[", to);
    for (uint32_t i = 0; i < verdict->hit_count; i++) {
        const struct slt_explain_hit *hit = &verdict->hits[i];
        const struct slt_finding *row = slt_finding_row((enum slt_finding_id)hit->id);
        (void)fprintf(to, "%s[\"%s\",\"%s\",", i > 0 ? "," : "", row->id,
                      slt_finding_severity(row->severity));
        slt_put_json_text(hit->evidence, to);
        (void)fputc(']', to);
    }
    (void)fputc(']', to);
}

static void put_flow(const struct slt_explain_flow *flow, FILE *to)
{
    struct slt_explained e;
    char name[64];
    slt_explained_of(flow, &e);
    (void)fprintf(to, "{\"id\":%u", flow->id);
    slt_put_json_member("client", slt_explain_end_text(&flow->end[0], name, sizeof(name)), to);
    slt_put_json_member("server", slt_explain_end_text(&flow->end[1], name, sizeof(name)), to);
    slt_put_json_member("ended", slt_explain_ended_text(e.verdict.ended), to);
    slt_put_json_member("verdict", e.verdict.text, to);
    put_findings(&e.verdict, to);
    (void)fputs(",\"time\":[", to);
    for (uint32_t i = 0; i < SLT_BUCKET_COUNT; i++) {
        (void)fprintf(to, "%s[\"%s\",%.3f]", i > 0 ? "," : "",
                      slt_explain_bucket_text((enum slt_explain_bucket)i),
                      (double)flow->bucket_ns[i] / 1e3);
    }
    (void)fputc(']', to);
    put_changes(&e, to);
    put_steps(&e, to);
    (void)fputc('}', to);
}

void slt_explain_show_html(const struct slt_explain_view *view, FILE *to)
{
    slt_explain_page_begin(to);
    (void)fprintf(to, "{\"packets\":%llu,\"connections\":%zu,\"shown\":%zu",
                  (unsigned long long)view->explain->counts.packets, view->count, view->shown);
    slt_put_json_member("file", view->name, to);
    (void)fputs(",\"flows\":[", to);
    for (size_t i = 0; i < view->shown; i++) {
        (void)fputs(i > 0 ? ",\n" : "\n", to);
        put_flow(view->flows[i], to);
    }
    (void)fputs("]}", to);
    slt_explain_page_end(to);
}
