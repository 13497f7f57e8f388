/* salut explain as text: the file in a line, then each connection; see explain_show.h. */
#include "cli/explain_show.h"

#include "observe/explain_track.h"

#include <string.h>

#define BAR_COLUMNS    30
#define FINDING_COLUMN 20U

void slt_explained_of(const struct slt_explain_flow *flow, struct slt_explained *out)
{
    out->flow = flow;
    slt_explain_states_of(flow, &out->states);
    slt_explain_verdict_of(flow, &out->states, &out->verdict);
}

void slt_explain_cursor_init(struct slt_explain_cursor *cursor,
                             const struct slt_explain_states *states)
{
    *cursor = (struct slt_explain_cursor){.state = {states->first[0], states->first[1]},
                                          .certainty = {SLT_ASSUMED, SLT_ASSUMED},
                                          .proof = {SLT_NO_STEP, SLT_NO_STEP}};
}

void slt_explain_cursor_move(struct slt_explain_cursor *cursor,
                             const struct slt_explain_states *states, uint32_t step)
{
    for (uint32_t i = 0; i < states->count; i++) {
        const struct slt_explain_change *c = &states->changes[i];
        if (c->shown == step && c->certainty != SLT_REFUTED) {
            cursor->state[c->end] = c->to;
            cursor->certainty[c->end] = c->certainty;
            cursor->proof[c->end] = c->proof;
        }
    }
    for (uint8_t end = 0; end < 2; end++) {
        bool shown = cursor->proof[end] != SLT_NO_STEP && cursor->proof[end] <= step;
        cursor->certainty[end] = shown ? SLT_PROVED : cursor->certainty[end];
    }
}

static void paint(const struct slt_explain_view *view, const char *code, FILE *to)
{
    if (view->term.colour) {
        (void)fputs(code, to);
    }
}

/* Break a text at the terminal's width; `begun`: the first line's indent is there. */
static void put_wrapped(const char *text, size_t indent, size_t width, bool begun, FILE *to)
{
    while (*text != '\0') {
        size_t n = strlen(text);
        size_t room = width > indent + 20 ? width - indent : 60;
        if (n > room) {
            n = room;
            while (n > 0 && text[n] != ' ') {
                n--;
            }
            n = n == 0 ? room : n;
        }
        (void)fprintf(to, "%*s%.*s\n", begun ? 0 : (int)indent, "", (int)n, text);
        begun = false;
        text += n;
        text += *text == ' ';
    }
}

/* ---- parts of a connection ------------------------------------------------------------------ */

static void put_options(const struct slt_explain_flow *f, FILE *to)
{
    const struct slt_tcp_options *a = &f->end[0].options;
    const struct slt_tcp_options *b = &f->end[1].options;
    uint8_t both = a->present & b->present;
    if (!f->end[0].syn_seen || !f->end[1].syn_seen) {
        return;
    }
    (void)fprintf(to, "  options   MSS %u and %u; ", a->mss, b->mss);
    if ((both & SLT_TCP_OPT_WSCALE) != 0) {
        (void)fprintf(to, "window scale %u and %u; ", a->wscale, b->wscale);
    } else {
        (void)fputs("no window scaling; ", to);
    }
    (void)fprintf(to, "SACK %s; timestamps %s\n", (both & SLT_TCP_OPT_SACK_OK) ? "on" : "off",
                  (both & SLT_TCP_OPT_TIMESTAMPS) ? "on" : "off");
}

static void put_changes(const struct slt_explained *e, FILE *to)
{
    static const char *const marks[] = {"?", "!", "x"};
    const struct slt_explain_states *s = &e->states;
    (void)fprintf(to, "  states    from %s and %s; ! proved, ? assumed, x refuted\n",
                  slt_explain_state_name(s->first[0]), slt_explain_state_name(s->first[1]));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct slt_explain_change *c = &s->changes[i];
        char proof[32] = "";
        if (c->proof != SLT_NO_STEP && c->proof != c->step) {
            (void)snprintf(proof, sizeof(proof), " [#%u]", e->flow->steps[c->proof].number);
        }
        (void)fprintf(to, "   %s #%-6u %s %-12s -> %-12s %s%s\n", marks[c->certainty],
                      e->flow->steps[c->step].number, c->end == 0 ? "client" : "server",
                      slt_explain_state_name(c->from), slt_explain_state_name(c->to), c->why,
                      proof);
    }
}

static void put_budget(const struct slt_explain_view *view, const struct slt_explain_flow *f,
                       FILE *to)
{
    int64_t all_ns = f->last_at_ns - f->first_at_ns;
    const char *label = "time";
    for (uint32_t i = 0; i < SLT_BUCKET_COUNT && all_ns > 0; i++) {
        double share = (double)f->bucket_ns[i] / (double)all_ns;
        if (f->bucket_ns[i] <= 0) {
            continue;
        }
        (void)fprintf(to, "  %-9s %6.2f %% %10.3f s  %-24s ", label, share * 100,
                      (double)f->bucket_ns[i] / 1e9,
                      slt_explain_bucket_text((enum slt_explain_bucket)i));
        for (int k = 0; k < (int)(share * BAR_COLUMNS + 0.5); k++) {
            (void)fputs(view->term.utf8 ? "█" : "#", to);
        }
        (void)fputc('\n', to);
        label = "";
    }
}

/* The id once, its evidence beside it, broken at the terminal's width. */
static void put_findings(const struct slt_explain_view *view, const struct slt_verdict *v, FILE *to)
{
    size_t width = view->term.width > FINDING_COLUMN + 20 ? view->term.width : 80;
    for (uint32_t i = 0; i < v->hit_count; i++) {
        const struct slt_explain_hit *hit = &v->hits[i];
        (void)fprintf(to, "  %-9s %-7s ", i == 0 ? "findings" : "",
                      slt_finding_row((enum slt_finding_id)hit->id)->id);
        put_wrapped(hit->evidence, FINDING_COLUMN, width, true, to);
    }
    if (v->hit_count > 0) {
        (void)fprintf(to, "%*s(salut explain %s tells more)\n", (int)FINDING_COLUMN, "",
                      slt_finding_row((enum slt_finding_id)v->hits[0].id)->id);
    }
}

static void put_packets(const struct slt_explained *e, FILE *to)
{
    const struct slt_explain_flow *f = e->flow;
    struct slt_explain_cursor cursor;
    char text[96];
    char remark[160];
    slt_explain_cursor_init(&cursor, &e->states);
    (void)fprintf(to, "  %7s %12s  %s %-38s %-14s %-14s %s\n", "packet", "time", " ", "segment",
                  "client", "server", "");
    for (uint32_t i = 0; i < f->step_count; i++) {
        const struct slt_explain_step *step = &f->steps[i];
        if (f->left_out > 0 && i == f->head_count) {
            (void)fprintf(to, "  %7s %llu packets were not kept\n", "...",
                          (unsigned long long)f->left_out);
        }
        slt_explain_cursor_move(&cursor, &e->states, i);
        char states[2][20];
        for (uint8_t k = 0; k < 2; k++) {
            (void)snprintf(states[k], sizeof(states[k]), "%s%s",
                           slt_explain_state_name(cursor.state[k]),
                           cursor.certainty[k] == SLT_PROVED ? "" : "?");
        }
        (void)fprintf(to, "  %7u %12.6f  %s %-38s %-14s %-14s %s\n", step->number,
                      (double)(step->at_ns - f->first_at_ns) / 1e9, step->from == 0 ? ">" : "<",
                      slt_explain_step_text(f, step, text, sizeof(text)), states[0], states[1],
                      slt_explain_remark(step, remark, sizeof(remark)));
    }
}

/* ---- a connection, a file ------------------------------------------------------------------- */

static void show_flow(const struct slt_explain_view *view, const struct slt_explain_flow *flow,
                      FILE *to)
{
    struct slt_explained e;
    char names[2][64];
    slt_explained_of(flow, &e);
    bool bad = e.verdict.score >= 100;
    paint(view, bad ? "\033[1;31m" : "\033[1m", to);
    (void)fprintf(to, "\n#%u %s %s %s: %s", flow->id,
                  slt_explain_end_text(&flow->end[0], names[0], sizeof(names[0])),
                  view->term.utf8 ? "→" : "->",
                  slt_explain_end_text(&flow->end[1], names[1], sizeof(names[1])),
                  slt_explain_ended_text(e.verdict.ended));
    paint(view, "\033[0m", to);
    (void)fprintf(to, ", %llu packets\n", (unsigned long long)flow->packets);
    put_wrapped(e.verdict.text, 2, view->term.width, false, to);
    put_options(flow, to);
    put_changes(&e, to);
    put_budget(view, flow, to);
    put_findings(view, &e.verdict, to);
    if (view->ladder) {
        struct slt_explain_look look = {view->term.width, view->term.utf8, view->term.colour};
        (void)fputc('\n', to);
        (void)slt_explain_ladder_print(flow, &e.states, &look, to);
    }
    if (view->packets) {
        (void)fputc('\n', to);
        put_packets(&e, to);
    }
}

static void put_left_out(const struct slt_explain_view *view, FILE *to)
{
    const struct slt_explain *x = view->explain;
    if (x->counts.other + x->counts.fragments + x->counts.broken + x->counts.copies > 0) {
        (void)fprintf(to,
                      "not looked into: %llu that are no TCP, %llu fragments, %llu broken, %llu "
                      "captured twice\n",
                      (unsigned long long)x->counts.other, (unsigned long long)x->counts.fragments,
                      (unsigned long long)x->counts.broken, (unsigned long long)x->counts.copies);
    }
    if (x->flows.refused > 0) {
        (void)fprintf(to, "not followed: %llu packets of more connections than %u\n",
                      (unsigned long long)x->flows.refused, x->flows.limits.flows_max);
    }
}

/* What all connections show, those that are not printed included. */
static void put_report(const struct slt_explain_report *report, FILE *to)
{
    const char *comma = "findings: ";
    for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
        const struct slt_explain_found *found = &report->found[i];
        if (found->count > 0) {
            (void)fprintf(to, "%s%s (%llu)", comma, slt_finding_row((enum slt_finding_id)i)->id,
                          (unsigned long long)found->count);
            comma = ", ";
        }
    }
    if (comma[0] == ',') {
        (void)fputs("; salut doctor tells each once\n", to);
    }
}

void slt_explain_show_text(const struct slt_explain_view *view, FILE *to)
{
    const struct slt_explain *x = view->explain;
    (void)fprintf(to, "%s: %llu packets, %.3f s, %u connections\n", view->name,
                  (unsigned long long)x->counts.packets,
                  (double)(x->last_at_ns - x->first_at_ns) / 1e9, x->flows.count);
    put_left_out(view, to);
    if (x->flows.count > 1) {
        put_report(view->report, to);
    }
    for (size_t i = 0; i < view->shown; i++) {
        show_flow(view, view->flows[i], to);
    }
    if (view->shown < view->count) {
        (void)fprintf(to, "\n%zu more connections, none worse: --flows %zu shows all\n",
                      view->count - view->shown, view->count);
    }
}
