/* See explain_ladder.h. */
#include "observe/explain_ladder.h"

#include "observe/explain_mark.h"
#include "observe/explain_verdict.h"

#include <stdlib.h>
#include <string.h>

uint32_t slt_explain_relative_seq(const struct slt_explain_flow *flow,
                                  const struct slt_explain_step *step)
{
    const struct slt_explain_end *me = &flow->end[step->from];
    return me->seen ? step->seq - me->isn : step->seq;
}

uint32_t slt_explain_relative_ack(const struct slt_explain_flow *flow,
                                  const struct slt_explain_step *step)
{
    const struct slt_explain_end *peer = &flow->end[1 - step->from];
    return peer->seen ? step->ack - peer->isn : step->ack;
}

static size_t print_flags(uint16_t flags, char *out, size_t size)
{
    static const struct {
        uint16_t flag;
        const char *name;
    } names[] = {{SLT_TCP_SYN, "SYN"}, {SLT_TCP_FIN, "FIN"}, {SLT_TCP_RST, "RST"},
                 {SLT_TCP_PSH, "PSH"}, {SLT_TCP_URG, "URG"}, {SLT_TCP_ACK, "ACK"}};
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SLT_ARRAY_COUNT(names); i++) {
        if ((flags & names[i].flag) != 0) {
            int n = snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "", names[i].name);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return used;
}

const char *slt_explain_step_text(const struct slt_explain_flow *flow,
                                  const struct slt_explain_step *step, char *out, size_t size)
{
    char flags[32];
    char ack[24] = "";
    char len[24] = "";
    (void)print_flags(step->flags, flags, sizeof(flags));
    if ((step->flags & SLT_TCP_ACK) != 0) {
        (void)snprintf(ack, sizeof(ack), " ack %u", slt_explain_relative_ack(flow, step));
    }
    if (step->bytes > 0) {
        (void)snprintf(len, sizeof(len), " len %u", step->bytes);
    }
    (void)snprintf(out, size, "%s seq %u%s%s", flags, slt_explain_relative_seq(flow, step), ack,
                   len);
    return out;
}

static void append(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);
    if (text[0] != '\0' && used + 2 < size) {
        (void)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", text);
    }
}

const char *slt_explain_remark(const struct slt_explain_step *step, char *out, size_t size)
{
    static const struct {
        uint16_t note;
        const char *text;
    } notes[] = {{SLT_REMARK_COPY, "captured twice"},
                 {SLT_REMARK_CLIPPED, "clipped"},
                 {SLT_REMARK_OFFLOADED, "offloaded"},
                 {SLT_REMARK_BAD_CHECKSUM, "wrong checksum"},
                 {SLT_REMARK_WINDOW_FULL, "window full"},
                 {SLT_REMARK_WINDOW_ZERO, "window closed"},
                 {SLT_REMARK_UNSEEN, "acknowledges what was not captured"},
                 {SLT_REMARK_DSACK, "reports a duplicate"},
                 {SLT_REMARK_HOLE, "earlier data not seen"}};
    out[0] = '\0';
    append(out, size, slt_explain_mark_text(step->mark));
    for (size_t i = 0; i < SLT_ARRAY_COUNT(notes); i++) {
        if ((step->notes & notes[i].note) != 0) {
            append(out, size, notes[i].text);
        }
    }
    return out;
}

/* What a SYN offers, or what is remarkable. */
static void write_detail(const struct slt_explain_flow *flow, const struct slt_explain_step *step,
                         struct slt_ladder_step *out)
{
    const struct slt_tcp_options *o = &flow->end[step->from].options;
    (void)slt_explain_remark(step, out->detail, sizeof(out->detail));
    if ((step->flags & SLT_TCP_SYN) == 0 || out->detail[0] != '\0') {
        return;
    }
    char mss[16] = "";
    char scale[16] = "";
    if ((o->present & SLT_TCP_OPT_MSS) != 0) {
        (void)snprintf(mss, sizeof(mss), ", MSS %u", o->mss);
    }
    if ((o->present & SLT_TCP_OPT_WSCALE) != 0) {
        (void)snprintf(scale, sizeof(scale), ", scale %u", o->wscale);
    }
    (void)snprintf(out->detail, sizeof(out->detail), "window %u%s%s%s%s", step->window, mss, scale,
                   (o->present & SLT_TCP_OPT_SACK_OK) != 0 ? ", SACK" : "",
                   (o->present & SLT_TCP_OPT_TIMESTAMPS) != 0 ? ", timestamps" : "");
}

static void add_segment(const struct slt_explain_flow *flow, const struct slt_explain_step *step,
                        struct slt_ladder_step *out)
{
    uint16_t control = SLT_TCP_SYN | SLT_TCP_FIN | SLT_TCP_RST;
    *out = (struct slt_ladder_step){
        .at_ns = step->at_ns, .kind = SLT_LADDER_SEGMENT, .side = step->from, .bytes = step->bytes};
    bool usual = step->mark == SLT_MARK_NONE || step->mark == SLT_MARK_WINDOW_UPDATE ||
                 step->mark == SLT_MARK_DUPLICATE_ACK;
    out->plain = (step->flags & control) == 0 && usual;
    (void)slt_explain_step_text(flow, step, out->label, sizeof(out->label));
    write_detail(flow, step, out);
}

/* Changes that happen with a step: those of its sender before it, the other's after it. */
static size_t add_changes(const struct slt_explain_flow *flow,
                          const struct slt_explain_states *states, uint32_t step, bool sender,
                          struct slt_ladder_step *out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < states->count; i++) {
        const struct slt_explain_change *c = &states->changes[i];
        bool of_sender = c->end == flow->steps[step].from && c->step == step;
        if (c->shown != step || c->certainty == SLT_REFUTED || of_sender != sender) {
            continue;
        }
        out[count] = (struct slt_ladder_step){.at_ns = flow->steps[step].at_ns,
                                              .kind = SLT_LADDER_STATE,
                                              .side = c->end,
                                              .from = c->from,
                                              .to = c->to,
                                              .inferred = true,
                                              .why = c->why};
        count++;
    }
    return count;
}

/* What was given up: the arrow ends in a cross. */
static bool is_refuted(const struct slt_explain_states *states, uint32_t step)
{
    for (uint32_t i = 0; i < states->count; i++) {
        if (states->changes[i].step == step && states->changes[i].certainty == SLT_REFUTED) {
            return true;
        }
    }
    return false;
}

bool slt_explain_ladder_print(const struct slt_explain_flow *flow,
                              const struct slt_explain_states *states,
                              const struct slt_explain_look *look, FILE *to)
{
    char names[2][64];
    size_t room = (size_t)flow->step_count + states->count;
    struct slt_ladder_step *steps = calloc(room + 1, sizeof(*steps));
    size_t count = 0;
    if (steps == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < flow->step_count; i++) {
        count += add_changes(flow, states, i, true, &steps[count]);
        add_segment(flow, &flow->steps[i], &steps[count]);
        if (is_refuted(states, i)) {
            steps[count].dropped = true;
            steps[count].why = "did not arrive: the receiver behaves as if nothing had come";
        }
        count++;
        count += add_changes(flow, states, i, false, &steps[count]);
    }
    struct slt_ladder ladder = {
        .names = {slt_explain_end_text(&flow->end[0], names[0], sizeof(names[0])),
                  slt_explain_end_text(&flow->end[1], names[1], sizeof(names[1]))},
        .first = {states->first[0], states->first[1]},
        .steps = steps,
        .count = count,
        .width = look->width,
        .utf8 = look->utf8,
        .colour = look->colour};
    if (count > 0) {
        slt_ladder_print(&ladder, to);
    }
    free(steps);
    return true;
}
