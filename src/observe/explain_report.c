/* See explain_report.h. Connections of one client to one server's port are found by sorting. */
#include "observe/explain_report.h"

#include "base/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection for little, and many of them one after the other. */
#define SHORT_NS    SLT_NS_PER_S
#define SHORT_BYTES 10000U
#define MANY        20U
#define APART_NS    SLT_NS_PER_S

void slt_explain_report_add(struct slt_explain_report *report, const struct slt_explain_flow *flow,
                            const struct slt_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->hit_count; i++) {
        const struct slt_explain_hit *hit = &verdict->hits[i];
        struct slt_explain_found *found = &report->found[hit->id];
        found->count += found->latest != flow; /* both ends may show it */
        found->latest = flow;
        if (found->worst == NULL || (found->worst != flow && verdict->score > found->score)) {
            found->worst = flow;
            found->score = verdict->score;
            found->packet = hit->packet;
            found->confidence = hit->confidence;
            memcpy(found->evidence, hit->evidence, sizeof(found->evidence));
        }
    }
}

static bool is_short(const struct slt_explain_flow *flow)
{
    const struct slt_explain_end *a = &flow->end[0];
    const struct slt_explain_end *b = &flow->end[1];
    bool over = (a->fin_seen && b->fin_seen) || a->reset || b->reset;
    return flow->connected && flow->opener_known && over &&
           flow->last_at_ns - flow->first_at_ns < SHORT_NS && a->payload + b->payload < SHORT_BYTES;
}

/* Client's address, server's address and port. */
static int compare_ends(const struct slt_explain_flow *a, const struct slt_explain_flow *b)
{
    int order = memcmp(a->end[0].addr, b->end[0].addr, sizeof(a->end[0].addr));
    order = order != 0 ? order : memcmp(a->end[1].addr, b->end[1].addr, sizeof(a->end[1].addr));
    return order != 0 ? order : (int)a->end[1].port - (int)b->end[1].port;
}

static int compare(const void *x, const void *y)
{
    const struct slt_explain_flow *a = *(const struct slt_explain_flow *const *)x;
    const struct slt_explain_flow *b = *(const struct slt_explain_flow *const *)y;
    int order = compare_ends(a, b);
    return order != 0 ? order : a->id < b->id ? -1 : a->id > b->id;
}

/* Short connections of the same ends, in the order in which they began. */
static void tell_run(struct slt_explain_report *report, const struct slt_explain_flow *const *run,
                     size_t count)
{
    struct slt_explain_found *found = &report->found[SLT_FIND_APP_3];
    int64_t span_ns = run[count - 1]->first_at_ns - run[0]->first_at_ns;
    uint64_t bytes = 0;
    if (count < MANY || count < found->count || span_ns / (int64_t)count > APART_NS) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += run[i]->end[0].payload + run[i]->end[1].payload;
    }
    char name[64];
    *found =
        (struct slt_explain_found){.count = count, .worst = run[0], .score = 0, .confidence = 'A'};
    (void)snprintf(found->evidence, sizeof(found->evidence),
                   "%zu connections of one client to %s within %.1f s, of %" PRIu64
                   " bytes each on average, each closed at once",
                   count, slt_explain_end_text(&run[0]->end[1], name, sizeof(name)),
                   (double)span_ns / 1e9, bytes / count);
}

bool slt_explain_report_finish(struct slt_explain_report *report,
                               const struct slt_explain_flows *flows)
{
    const struct slt_explain_flow **all = calloc(flows->count + 1U, sizeof(*all));
    size_t count = 0;
    size_t from = 0;
    if (all == NULL) {
        return false;
    }
    for (const struct slt_explain_flow *f = flows->oldest; f != NULL; f = f->younger) {
        if (is_short(f)) {
            all[count] = f;
            count++;
        }
    }
    qsort(all, count, sizeof(*all), compare);
    for (size_t i = 1; i <= count; i++) {
        if (i == count || compare_ends(all[from], all[i]) != 0) {
            tell_run(report, all + from, i - from);
            from = i;
        }
    }
    free(all);
    return true;
}
