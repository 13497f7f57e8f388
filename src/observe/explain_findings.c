/* See explain_findings.h and explain_rules.h. Each rule names what the capture shows by itself;
 * what several causes can show alike is described in words.
 */
#include "observe/explain_findings.h"

#include "base/compiler.h"
#include "observe/explain_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct slt_explain_rule *const groups[] = {
    slt_explain_rules_setup,  slt_explain_rules_options, slt_explain_rules_silence,
    slt_explain_rules_loss,   slt_explain_rules_data,    slt_explain_rules_closing,
    slt_explain_rules_resets, slt_explain_rules_capture,
};

/* ---- the sentence --------------------------------------------------------------------------- */

struct sentence {
    const struct slt_explain_flow *flow;
    const struct slt_explain_clue *clue;
    uint8_t end;
    char *out;
    size_t used;
};

static void append(struct sentence *s, const char *text, size_t bytes)
{
    size_t room = SLT_HIT_EVIDENCE_MAX - 1 - s->used;
    size_t n = bytes < room ? bytes : room;
    memcpy(s->out + s->used, text, n);
    s->used += n;
    s->out[s->used] = '\0';
}

/* "12.3 s", "40.1 ms". */
static int print_time(int64_t ns, char *out, size_t size)
{
    double value = (double)ns;
    return ns >= SLT_NS_PER_S    ? snprintf(out, size, "%.1f s", value / 1e9)
           : ns >= SLT_NS_PER_MS ? snprintf(out, size, "%.1f ms", value / 1e6)
                                 : snprintf(out, size, "%.3f ms", value / 1e6);
}

/* A packet by its number in the file. Of a flow that is too long its step may not have been kept.
 */
static int print_step(const struct slt_explain_flow *flow, uint32_t step, char *out, size_t size)
{
    return step < flow->step_count ? snprintf(out, size, "%u", flow->steps[step].number)
                                   : snprintf(out, size, "(not kept)");
}

static void append_token(struct sentence *s, const char *token, size_t bytes)
{
    static const char *const ends[] = {"the client", "the server"};
    static const char *const names[] = {"who", "other", "at", "until", "n", "m", "time", "percent"};
    const struct slt_explain_clue *c = s->clue;
    char text[48] = "";
    uint32_t which = 0;
    while (which < SLT_ARRAY_COUNT(names) &&
           (strncmp(names[which], token, bytes) != 0 || names[which][bytes] != '\0')) {
        which++;
    }
    switch (which) {
    case 0:
    case 1:
        (void)snprintf(text, sizeof(text), "%s", ends[which == 0 ? s->end : 1 - s->end]);
        break;
    case 2:
    case 3:
        (void)print_step(s->flow, which == 2 ? c->at : c->until, text, sizeof(text));
        break;
    case 4:
    case 5:
        (void)snprintf(text, sizeof(text), "%" PRIu64, which == 4 ? c->n : c->m);
        break;
    case 6:
        (void)print_time(c->ns, text, sizeof(text));
        break;
    default:
        (void)snprintf(text, sizeof(text), "%.1f",
                       c->m > 0 ? 100.0 * (double)c->n / (double)c->m : 0.0);
        break;
    }
    append(s, text, strlen(text));
}

static void write_sentence(struct sentence *s, const char *template)
{
    s->out[0] = '\0';
    while (*template != '\0') {
        const char *open = strchr(template, '{');
        const char *close = open == NULL ? NULL : strchr(open, '}');
        size_t plain = close == NULL ? strlen(template) : (size_t)(open - template);
        append(s, template, plain);
        if (close == NULL) {
            break;
        }
        append_token(s, open + 1, (size_t)(close - open - 1));
        template = close + 1;
    }
    if (s->clue->more != NULL) {
        append(s, s->clue->more, strlen(s->clue->more));
    }
}

/* ---- judging -------------------------------------------------------------------------------- */

static void add(const struct slt_explain_case *c, const struct slt_explain_rule *rule, uint8_t end,
                struct slt_verdict *v)
{
    struct slt_explain_clue clue = {.at = SLT_NO_STEP, .until = SLT_NO_STEP};
    if (!rule->holds(c, end, &clue)) {
        return;
    }
    v->score += rule->weight;
    if (v->hit_count == SLT_VERDICT_HITS_MAX) {
        return;
    }
    struct slt_explain_hit *hit = &v->hits[v->hit_count];
    v->hit_count++;
    hit->id = rule->id;
    hit->confidence = rule->confidence;
    hit->end = end;
    hit->packet = clue.at < c->flow->step_count ? c->flow->steps[clue.at].number : 0;
    struct sentence s = {.flow = c->flow, .clue = &clue, .end = end, .out = hit->evidence};
    write_sentence(&s, rule->evidence);
}

void slt_explain_find(const struct slt_explain_flow *flow, const struct slt_explain_states *states,
                      struct slt_verdict *verdict)
{
    static const uint32_t weights[] = {0, 900, 0, 50, 0, 600};
    const struct slt_explain_case c = {flow, states, verdict};
    uint32_t again = slt_explain_again_count(flow);
    verdict->score = weights[verdict->ended] + (again > 500 ? 500 : again);
    for (size_t g = 0; g < SLT_ARRAY_COUNT(groups); g++) {
        for (const struct slt_explain_rule *rule = groups[g]; rule->holds != NULL; rule++) {
            add(&c, rule, 0, verdict);
            add(&c, rule, 1, verdict);
        }
    }
}

bool slt_explain_is_judged(enum slt_finding_id id)
{
    for (size_t g = 0; g < SLT_ARRAY_COUNT(groups); g++) {
        for (const struct slt_explain_rule *rule = groups[g]; rule->holds != NULL; rule++) {
            if (rule->id == id) {
                return true;
            }
        }
    }
    return id == SLT_FIND_APP_3; /* of all connections together: explain_report.h */
}
