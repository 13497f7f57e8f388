/* Which samples become which picture.
 *
 * Flows are drawn while they live; delivery is the rate over the last tenth of a second or the last
 * five samples, whichever is longer, so that single packets do not make a comb of it. Of links
 * those are drawn whose queue held more than a packet in some sample.
 */
#include "lab/scenario_plot.h"

#include "lab/plot.h"
#include "lab/scenario_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum picture { CWND, RTT, FLIGHT, DELIVERY, PICTURES };

static const struct {
    const char *file;
    const char *title;
    const char *unit;
} pictures[PICTURES] = {
    [CWND] = {"cwnd", "congestion window", "congestion window (KB)"},
    [RTT] = {"rtt", "round trip times", "round trip (ms), mean of each sample"},
    [FLIGHT] = {"flight", "bytes in flight", "in flight (KB)"},
    [DELIVERY] = {"delivery", "delivery to the receiving application", "delivery (Mb/s)"},
};

struct canvas {
    const struct slt_scn *scn;
    const struct slt_scn_result *result;
    double *y; /* a row of points for each series */
    struct slt_plot plot;
};

static const struct slt_scn_flow_sample *sample_at(const struct canvas *c, uint32_t row,
                                                   uint32_t flow)
{
    return &c->result->flow_sample[(size_t)row * SLT_SCN_SERIES_MAX + flow];
}

static bool lives(const struct canvas *c, uint32_t row, uint32_t flow)
{
    int64_t at_ns = (int64_t)(row + 1) * c->result->sample_ns;
    const struct slt_scn_flow_row *r = &c->result->flow[flow];
    return r->opened && at_ns >= r->start_ns && at_ns - c->result->sample_ns <= r->end_ns;
}

static double delivery_at(const struct canvas *c, uint32_t row, uint32_t flow)
{
    int64_t back = (SLT_NS_PER_S / 10 + c->result->sample_ns - 1) / c->result->sample_ns;
    uint32_t span = (uint32_t)slt_max64(back, 5);
    uint32_t from = row > span ? row - span : 0;
    double bytes = (double)sample_at(c, row, flow)->delivered;
    bytes -= row > span ? (double)sample_at(c, from, flow)->delivered : 0;
    double seconds = (double)(row > span ? span : row + 1) * (double)c->result->sample_ns / 1e9;
    return bytes * 8 / seconds / 1e6;
}

static double value_at(const struct canvas *c, enum picture what, uint32_t row, uint32_t flow)
{
    const struct slt_scn_flow_sample *sample = sample_at(c, row, flow);
    if (!lives(c, row, flow)) {
        return -1;
    }
    switch (what) {
    case CWND:
        return sample->cwnd > 0 ? sample->cwnd / 1e3 : -1;
    case RTT:
        return sample->rtt_us > 0 ? sample->rtt_us / 1e3 : -1;
    case FLIGHT:
        return sample->cwnd > 0 ? sample->flight / 1e3 : -1;
    case DELIVERY:
        return delivery_at(c, row, flow);
    case PICTURES:
        break;
    }
    return -1;
}

static double *row_of(struct canvas *c, uint32_t series)
{
    return c->y + (size_t)series * c->result->sample_count;
}

static bool write_plot(struct canvas *c, const char *directory, const char *name,
                       char why[SLT_SCN_SENTENCE_MAX])
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%.900s/%s.svg", directory, name);
    FILE *file = fopen(path, "we");
    bool fine = file != NULL && slt_plot_write(&c->plot, file);
    fine = file != NULL && fclose(file) == 0 && fine;
    if (!fine) {
        (void)snprintf(why, SLT_SCN_SENTENCE_MAX, "%.300s: %s", path, strerror(errno));
    }
    return fine;
}

static bool draw_flows(struct canvas *c, enum picture what, const char *directory,
                       char why[SLT_SCN_SENTENCE_MAX])
{
    c->plot.title = pictures[what].title;
    c->plot.unit = pictures[what].unit;
    c->plot.series_count = c->result->series_count;
    for (uint32_t i = 0; i < c->result->series_count; i++) {
        slt_scn_flow_name(c->scn, c->result, i, c->plot.series[i].name);
        c->plot.series[i].y = row_of(c, i);
        /* A sample without a measurement is a gap in the samples, not in the round trips: the line
         * goes on, unless there was nothing for long. */
        uint32_t silent = 0;
        for (uint32_t k = 0; k < c->result->sample_count; k++) {
            double y = value_at(c, what, k, i);
            silent = y < 0 ? silent + 1 : 0;
            bool bridge = what == RTT && y < 0 && k > 0 && silent < 6 && lives(c, k, i);
            row_of(c, i)[k] = bridge ? row_of(c, i)[k - 1] : y;
        }
    }
    return write_plot(c, directory, pictures[what].file, why);
}

static bool has_queue(const struct canvas *c, uint32_t way)
{
    size_t ways = c->scn->link_count * 2U;
    bool found = false;
    for (uint32_t k = 0; k < c->result->sample_count && !found; k++) {
        found = c->result->way_sample[k * ways + way].queue > 1500;
    }
    return found;
}

static bool draw_queues(struct canvas *c, const char *directory, char why[SLT_SCN_SENTENCE_MAX])
{
    uint32_t ways = c->scn->link_count * 2;
    c->plot.title = "bytes waiting in front of links";
    c->plot.unit = "waiting (KB)";
    c->plot.series_count = 0;
    for (uint32_t i = 0; i < ways && c->plot.series_count < SLT_PLOT_SERIES_MAX; i++) {
        const struct slt_scn_link *link = &c->scn->link[i / 2];
        if (!has_queue(c, i)) {
            continue;
        }
        struct slt_plot_series *series = &c->plot.series[c->plot.series_count];
        double *y = row_of(c, c->plot.series_count);
        c->plot.series_count++;
        (void)snprintf(series->name, sizeof(series->name), "%s > %s",
                       c->scn->node[i % 2 == 0 ? link->a : link->b].name,
                       c->scn->node[i % 2 == 0 ? link->b : link->a].name);
        series->y = y;
        for (uint32_t k = 0; k < c->result->sample_count; k++) {
            y[k] = c->result->way_sample[(size_t)k * ways + i].queue / 1e3;
        }
    }
    return write_plot(c, directory, "queue", why);
}

bool slt_scn_plot(const struct slt_scn *scn, const struct slt_scn_result *result,
                  const char *directory, char why[SLT_SCN_SENTENCE_MAX])
{
    static struct canvas c;
    bool fine = true;
    memset(&c, 0, sizeof(c));
    c.scn = scn;
    c.result = result;
    c.y = calloc((size_t)result->sample_count * SLT_PLOT_SERIES_MAX + 1, sizeof(double));
    if (c.y == NULL) {
        (void)snprintf(why, SLT_SCN_SENTENCE_MAX, "no memory");
        return false;
    }
    c.plot.about = scn->title;
    c.plot.points = result->sample_count;
    c.plot.step_s = (double)result->sample_ns / 1e9;
    c.plot.end_s = (double)result->end_ns / 1e9;
    for (uint32_t i = 0; i < scn->change_count && i < SLT_PLOT_MARKS_MAX; i++) {
        if (scn->change[i].at_ns < result->end_ns) {
            c.plot.mark_s[c.plot.mark_count++] = (double)scn->change[i].at_ns / 1e9;
        }
    }
    for (uint32_t i = 0; i < PICTURES && fine; i++) {
        fine = draw_flows(&c, (enum picture)i, directory, why);
    }
    fine = fine && draw_queues(&c, directory, why);
    free(c.y);
    return fine;
}
