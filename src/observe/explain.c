/* See explain.h. */
#include "observe/explain.h"

#include "observe/explain_astray.h"
#include "observe/explain_copy.h"
#include "observe/explain_mark.h"
#include "observe/explain_track.h"

void slt_explain_limits_default(struct slt_explain_limits *limits)
{
    *limits = (struct slt_explain_limits){
        .flows_max = 100000, .steps_max = 16384, .all_steps_max = 2000000};
}

bool slt_explain_init(struct slt_explain *explain, const struct slt_explain_limits *limits)
{
    memset(explain, 0, sizeof(*explain));
    return slt_explain_flows_init(&explain->flows, limits);
}

void slt_explain_deinit(struct slt_explain *explain)
{
    slt_explain_flows_free(&explain->flows);
}

static bool term_holds(const struct slt_explain_term *term, const struct slt_explain_packet *p)
{
    bool src = term->kind == SLT_TERM_PORT ? p->seg.src_port == term->port
                                           : memcmp(p->src, term->addr, sizeof(p->src)) == 0;
    bool dst = term->kind == SLT_TERM_PORT ? p->seg.dst_port == term->port
                                           : memcmp(p->dst, term->addr, sizeof(p->dst)) == 0;
    bool holds = term->src ? src : term->dst ? dst : src || dst;
    return holds != term->negated;
}

static bool is_wanted(const struct slt_explain_filter *filter, const struct slt_explain_packet *p)
{
    for (uint32_t i = 0; i < filter->count; i++) {
        if (!term_holds(&filter->terms[i], p)) {
            return false;
        }
    }
    return true;
}

static void take_copy(struct slt_explain *explain, struct slt_explain_flow *flow,
                      const struct slt_explain_packet *p, uint8_t from)
{
    struct slt_explain_step *step = slt_explain_step_add(&explain->flows, flow);
    flow->end[from].copies_seen++;
    explain->counts.copies++;
    if (step != NULL) {
        *step = (struct slt_explain_step){.at_ns = p->at_ns,
                                          .number = p->number,
                                          .seq = p->seg.seq,
                                          .ack = p->seg.ack,
                                          .bytes = p->bytes,
                                          .flags = p->seg.flags,
                                          .notes = SLT_REMARK_COPY,
                                          .from = from,
                                          .direction = p->direction};
    }
}

static void take_tcp(struct slt_explain *explain, const struct slt_explain_packet *p)
{
    uint8_t from;
    struct slt_explain_flow *flow = slt_explain_flow_of(&explain->flows, p, &from);
    if (flow == NULL) {
        return;
    }
    if (slt_explain_is_copy(&flow->end[from], p)) {
        take_copy(explain, flow, p, from);
        return;
    }
    struct slt_explain_step step = {.from = from};
    slt_explain_mark(flow, p, &step);
    slt_explain_budget(flow, &step);
    slt_explain_track(flow, p, &step);
    struct slt_explain_step *kept = slt_explain_step_add(&explain->flows, flow);
    if (kept != NULL) {
        *kept = step;
    }
}

/* A broken time stays broken, but differences of times are always numbers. */
static int64_t sane(int64_t at_ns)
{
    const int64_t far_ns = INT64_MAX / 4;
    return at_ns > far_ns ? far_ns : at_ns < -far_ns ? -far_ns : at_ns;
}

void slt_explain_take(struct slt_explain *explain, const struct slt_capture_packet *packet,
                      uint16_t linktype)
{
    struct slt_explain_counts *counts = &explain->counts;
    struct slt_explain_packet decoded;
    counts->packets++;
    counts->bytes += slt_max32(packet->original_bytes, packet->bytes);
    explain->first_at_ns = counts->packets == 1 ? sane(packet->at_ns) : explain->first_at_ns;
    explain->last_at_ns = sane(packet->at_ns);
    decoded.number = (uint32_t)counts->packets;
    switch (slt_explain_decode(packet, linktype, &decoded)) {
    case SLT_DECODED_OTHER:
        counts->other++;
        return;
    case SLT_DECODED_FRAGMENT:
        counts->fragments++;
        return;
    case SLT_DECODED_BROKEN:
        counts->broken++;
        return;
    case SLT_DECODED_TCP:
        break;
    }
    decoded.at_ns = sane(decoded.at_ns);
    counts->tcp++;
    if (!is_wanted(&explain->filter, &decoded)) {
        counts->filtered++;
        return;
    }
    take_tcp(explain, &decoded);
}

void slt_explain_finish(struct slt_explain *explain)
{
    for (struct slt_explain_flow *f = explain->flows.oldest; f != NULL; f = f->younger) {
        slt_explain_flow_settle(f);
        f->watched_until_ns = slt_max64(explain->last_at_ns, f->last_at_ns);
    }
    slt_explain_find_astray(&explain->flows);
}
