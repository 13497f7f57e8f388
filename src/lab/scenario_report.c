/* The table of a scenario: flows or applications, answers, links.
 *
 * Goodput is what the receiving application read, over the time from the flow's start to its last
 * byte (or to the end of the run). A flow's share is its part of all bytes of the run.
 */
#include "lab/scenario_report.h"

#include <stdlib.h>
#include <string.h>

#define FLOWS_EACH_MAX 16U /* more are told by application */
#define WAYS_EACH_MAX  16U /* of more only those are told on which something happened */

/* ---- numbers for people --------------------------------------------------------------------- */

struct text {
    char s[40];
};

static struct text scaled(double value, const char *const units[4])
{
    struct text text;
    unsigned unit = 0;
    while (value >= 999.5 && unit < 3) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(text.s, sizeof(text.s), "%.*f %s",
                   unit == 0       ? 0
                   : value < 9.995 ? 2
                                   : 1,
                   value, units[unit]);
    return text;
}

static struct text bytes_text(double bytes)
{
    static const char *const units[4] = {"B", "KB", "MB", "GB"};
    return scaled(bytes, units);
}

static struct text rate_text(double bps)
{
    static const char *const units[4] = {"b/s", "kb/s", "Mb/s", "Gb/s"};
    return scaled(bps, units);
}

static struct text time_text(int64_t ns)
{
    struct text text;
    if (ns >= SLT_NS_PER_S) {
        (void)snprintf(text.s, sizeof(text.s), "%.3f s", (double)ns / 1e9);
    } else {
        (void)snprintf(text.s, sizeof(text.s), "%.1f ms", (double)ns / 1e6);
    }
    return text;
}

/* "20.1/35.2/80.0" */
static struct text rtt_text(const struct slt_scn_times *rtt)
{
    struct text text = {"-"};
    if (rtt->count > 0) {
        (void)snprintf(text.s, sizeof(text.s), "%.1f/%.1f/%.1f", (double)rtt->min_ns / 1e6,
                       (double)slt_scn_times_percentile(rtt, 50) / 1e6,
                       (double)slt_scn_times_percentile(rtt, 99) / 1e6);
    }
    return text;
}

static struct text share_text(uint64_t part, uint64_t whole)
{
    struct text text = {"-"};
    if (whole > 0) {
        (void)snprintf(text.s, sizeof(text.s), "%.1f%%", 100.0 * (double)part / (double)whole);
    }
    return text;
}

double slt_scn_goodput(const struct slt_scn_flow_row *row)
{
    int64_t for_ns = row->end_ns - row->start_ns;
    return for_ns > 0 ? (double)row->bytes * 8e9 / (double)for_ns : 0;
}

void slt_scn_flow_name(const struct slt_scn *scn, const struct slt_scn_result *result,
                       uint32_t flow, char name[SLT_SCN_NAME_BYTES + 12])
{
    const struct slt_scn_flow_row *row = &result->flow[flow];
    const struct slt_scn_app *app = &scn->app[row->app];
    uint32_t host = SLT_SCN_NODES_MAX; /* applications of one statement share a label */
    for (uint32_t i = 0; i < scn->app_count; i++) {
        const struct slt_scn_app *other = &scn->app[i];
        if (other != app && strcmp(other->label, app->label) == 0) {
            host = other->from != app->from ? app->from : app->to;
        }
    }
    if (host != SLT_SCN_NODES_MAX) {
        (void)snprintf(name, SLT_SCN_NAME_BYTES + 12, "%s/%.10s", app->label, scn->node[host].name);
    } else if (app->count > 1 || app->kind == SLT_SCN_WEB) {
        (void)snprintf(name, SLT_SCN_NAME_BYTES + 12, "%s.%u", app->label, row->number);
    } else {
        (void)snprintf(name, SLT_SCN_NAME_BYTES + 12, "%s", app->label);
    }
}

/* ---- sums ----------------------------------------------------------------------------------- */

bool slt_scn_report_init(struct slt_scn_report *report, const struct slt_scn *scn)
{
    memset(report, 0, sizeof(*report));
    report->scn = scn;
    for (uint32_t i = 0; i < scn->app_count; i++) {
        report->group[i] = i;
        for (uint32_t k = i; k-- > 0;) {
            report->group[i] =
                strcmp(scn->app[k].label, scn->app[i].label) == 0 ? k : report->group[i];
        }
    }
    report->way = calloc(scn->link_count + 1, sizeof(*report->way));
    return report->way != NULL;
}

void slt_scn_report_free(struct slt_scn_report *report)
{
    for (uint32_t i = 0; i < SLT_SCN_APPS_MAX; i++) {
        free(report->sum[i].goodput);
    }
    free(report->way);
    memset(report, 0, sizeof(*report));
}

static void add_goodput(struct slt_scn_sum *sum, double bps)
{
    if (sum->flows == sum->goodput_room) {
        uint64_t room = sum->goodput_room == 0 ? 16 : sum->goodput_room * 2;
        double *more = realloc(sum->goodput, (size_t)room * sizeof(*more));
        if (more == NULL) {
            return;
        }
        sum->goodput = more;
        sum->goodput_room = room;
    }
    sum->goodput[sum->flows] = bps;
    sum->flows++;
}

static void add_flow(struct slt_scn_sum *sum, const struct slt_scn_flow_row *row)
{
    add_goodput(sum, slt_scn_goodput(row));
    sum->opened += row->opened;
    sum->finished += row->finished;
    sum->failed += row->failed;
    sum->bytes += row->bytes;
    sum->segments += row->segments;
    sum->retransmits += row->retransmits;
    sum->timeouts += row->timeouts;
    sum->rounds += row->rounds;
    slt_scn_times_merge(&sum->rtt, &row->rtt);
    slt_scn_times_merge(&sum->answer, &row->answer);
    if (row->finished) {
        slt_scn_times_add(&sum->lasted, row->end_ns - row->start_ns);
    }
}

static void add_shares(struct slt_scn_report *report, const struct slt_scn_result *result)
{
    double bytes[SLT_SCN_APPS_MAX] = {0};
    double all = 0;
    for (uint32_t i = 0; i < result->flow_count; i++) {
        bytes[report->group[result->flow[i].app]] += (double)result->flow[i].bytes;
        all += (double)result->flow[i].bytes;
    }
    for (uint32_t i = 0; i < report->scn->app_count; i++) {
        struct slt_scn_sum *sum = &report->sum[i];
        double share = all > 0 ? bytes[i] / all : 0;
        sum->share_sum += share;
        sum->share_min = report->runs == 0 || share < sum->share_min ? share : sum->share_min;
        sum->share_max = share > sum->share_max ? share : sum->share_max;
    }
}

static void add_way(struct slt_scn_way_row *to, const struct slt_scn_way_row *from)
{
    to->packets += from->packets;
    to->bytes += from->bytes;
    for (uint32_t i = 0; i < SLT_SCN_DROPS; i++) {
        to->dropped[i] += from->dropped[i];
    }
    to->marked += from->marked;
    to->duplicated += from->duplicated;
    to->reordered += from->reordered;
    to->corrupted += from->corrupted;
    to->queue_max = from->queue_max > to->queue_max ? from->queue_max : to->queue_max;
    to->queue_mean += from->queue_mean;
    to->busy += from->busy;
}

void slt_scn_report_add(struct slt_scn_report *report, const struct slt_scn_result *result)
{
    for (uint32_t i = 0; i < result->flow_count; i++) {
        add_flow(&report->sum[report->group[result->flow[i].app]], &result->flow[i]);
    }
    add_shares(report, result);
    for (uint32_t i = 0; i < report->scn->link_count * 2; i++) {
        add_way(&report->way[i / 2][i % 2], &result->way[i / 2][i % 2]);
    }
    report->runs++;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void print_route(const struct slt_scn *scn, uint32_t a, uint32_t b, FILE *to)
{
    char route[2 * SLT_SCN_NAME_BYTES + 8];
    (void)snprintf(route, sizeof(route), "%s -> %s", scn->node[a].name, scn->node[b].name);
    (void)fprintf(to, " %-22s", route);
}

static const char *fate(const struct slt_scn_flow_row *row)
{
    if (row->corrupt) {
        return "CORRUPT";
    }
    if (row->failed) {
        return salut_status_text((enum salut_status)row->status);
    }
    return row->finished ? "" : row->opened ? "runs on" : "never opened";
}

static void print_flows(const struct slt_scn *scn, const struct slt_scn_result *result, FILE *to)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < result->flow_count; i++) {
        all += result->flow[i].bytes;
    }
    (void)fprintf(to, "%-16s %-22s %9s %9s %10s %7s %6s %5s %22s %6s\n", "flow", "from -> to",
                  "bytes", "time", "goodput", "resent", "%", "rtos", "rtt min/p50/p99 ms", "share");
    for (uint32_t i = 0; i < result->flow_count; i++) {
        const struct slt_scn_flow_row *row = &result->flow[i];
        const struct slt_scn_app *app = &scn->app[row->app];
        char name[SLT_SCN_NAME_BYTES + 12];
        slt_scn_flow_name(scn, result, i, name);
        (void)fprintf(to, "%-16s", name);
        print_route(scn, app->from, app->to, to);
        (void)fprintf(to, " %9s %9s %10s %7llu %6s %5llu %22s %6s  %s\n",
                      bytes_text((double)row->bytes).s, time_text(row->end_ns - row->start_ns).s,
                      rate_text(slt_scn_goodput(row)).s, (unsigned long long)row->retransmits,
                      share_text(row->retransmits, row->segments).s,
                      (unsigned long long)row->timeouts, rtt_text(&row->rtt).s,
                      share_text(row->bytes, all).s, fate(row));
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct text goodput_text(const struct slt_scn_sum *sum)
{
    static const char *const units[4] = {"b/s", "kb/s", "Mb/s", "Gb/s"};
    struct text text = {"-"};
    if (sum->flows == 0) {
        return text;
    }
    double top = sum->goodput[sum->flows - 1];
    unsigned unit = 0;
    double by = 1;
    while (top / by >= 999.5 && unit < 3) {
        by *= 1000;
        unit++;
    }
    (void)snprintf(text.s, sizeof(text.s), "%.3g/%.3g/%.3g %s", sum->goodput[0] / by,
                   sum->goodput[sum->flows / 2] / by, top / by, units[unit]);
    return text;
}

/* From and to; several hosts of a group are told by their number. */
static void print_group(const struct slt_scn_report *report, uint32_t group, FILE *to)
{
    const struct slt_scn *scn = report->scn;
    uint32_t count = 0;
    for (uint32_t i = 0; i < scn->app_count; i++) {
        count += report->group[i] == group;
    }
    (void)fprintf(to, "%-16s", scn->app[group].label);
    if (count == 1) {
        print_route(scn, scn->app[group].from, scn->app[group].to, to);
    } else {
        char route[40];
        (void)snprintf(route, sizeof(route), "%u pairs of hosts", count);
        (void)fprintf(to, " %-22s", route);
    }
}

static void print_apps(struct slt_scn_report *report, FILE *to)
{
    const struct slt_scn *scn = report->scn;
    (void)fprintf(to, "%-16s %-22s %6s %9s %24s %7s %6s %5s %22s %6s %13s\n", "application",
                  "from -> to", "flows", "bytes", "goodput min/p50/max", "resent", "%", "rtos",
                  "rtt min/p50/p99 ms", "share", report->runs > 1 ? "min .. max" : "");
    for (uint32_t i = 0; i < scn->app_count; i++) {
        struct slt_scn_sum *sum = &report->sum[i];
        char range[40] = "";
        if (report->group[i] != i) {
            continue;
        }
        if (sum->flows > 0) {
            qsort(sum->goodput, (size_t)sum->flows, sizeof(double), compare_doubles);
        }
        if (report->runs > 1) {
            (void)snprintf(range, sizeof(range), "%.1f .. %.1f", 100 * sum->share_min,
                           100 * sum->share_max);
        }
        print_group(report, i, to);
        (void)fprintf(
            to, " %6llu %9s %24s %7llu %6s %5llu %22s %5.1f%% %13s%s\n",
            (unsigned long long)sum->flows, bytes_text((double)sum->bytes).s, goodput_text(sum).s,
            (unsigned long long)sum->retransmits, share_text(sum->retransmits, sum->segments).s,
            (unsigned long long)sum->timeouts, rtt_text(&sum->rtt).s,
            100 * sum->share_sum / report->runs, range, sum->failed > 0 ? "  some failed" : "");
    }
}

static void print_times(const char *name, const char *what, const struct slt_scn_times *times,
                        FILE *to)
{
    (void)fprintf(to, "%-16s %-14s %8llu %10s %10s %10s %10s\n", name, what,
                  (unsigned long long)times->count, time_text(times->min_ns).s,
                  time_text(slt_scn_times_percentile(times, 50)).s,
                  time_text(slt_scn_times_percentile(times, 99)).s, time_text(times->max_ns).s);
}

static void print_answers(const struct slt_scn_report *report, FILE *to)
{
    const struct slt_scn *scn = report->scn;
    bool headed = false;
    for (uint32_t i = 0; i < scn->app_count; i++) {
        const struct slt_scn_sum *sum = &report->sum[i];
        bool transfers = scn->app[i].kind == SLT_SCN_BULK && sum->lasted.count > 1;
        if (sum->answer.count == 0 && !transfers) {
            continue;
        }
        if (!headed) {
            (void)fprintf(to, "\n%-16s %-14s %8s %10s %10s %10s %10s\n", "how long", "", "count",
                          "min", "p50", "p99", "max");
            headed = true;
        }
        if (transfers) {
            print_times(scn->app[i].label, "transfers", &sum->lasted, to);
        } else {
            print_times(scn->app[i].label, scn->app[i].kind == SLT_SCN_WEB ? "pages" : "answers",
                        &sum->answer, to);
        }
    }
}

static void print_way(const struct slt_scn_report *report, uint32_t index, FILE *to)
{
    const struct slt_scn_link *link = &report->scn->link[index / 2];
    const struct slt_scn_way_row *row = &report->way[index / 2][index % 2];
    double runs = report->runs;
    bool forth = index % 2 == 0;
    char queue[90] = "-";
    char busy[20] = "-";
    int64_t rate_bps = link->way[index % 2].rate_bps;
    if (rate_bps > 0) {
        (void)snprintf(queue, sizeof(queue), "%s/%s", bytes_text(row->queue_mean / runs).s,
                       bytes_text((double)row->queue_max).s);
        (void)snprintf(busy, sizeof(busy), "%.1f%%", 100 * row->busy / runs);
    }
    print_route(report->scn, forth ? link->a : link->b, forth ? link->b : link->a, to);
    (void)fprintf(to, " %10s %7s %9llu", rate_bps > 0 ? rate_text((double)rate_bps).s : "-", busy,
                  (unsigned long long)row->packets);
    for (uint32_t i = 0; i < SLT_SCN_DROPS; i++) {
        (void)fprintf(to, " %7llu", (unsigned long long)row->dropped[i]);
    }
    (void)fprintf(to, " %7llu %19s\n", (unsigned long long)row->marked, queue);
}

/* Something went over it; and, if that is asked, something happened to it there. */
static bool is_used(const struct slt_scn_report *report, uint32_t index, bool eventful)
{
    const struct slt_scn_way_row *row = &report->way[index / 2][index % 2];
    uint64_t events = row->marked;
    for (uint32_t k = 0; k < SLT_SCN_DROPS; k++) {
        events += row->dropped[k];
    }
    if (eventful) {
        return events > 0 || row->busy >= 0.5 * report->runs;
    }
    return row->packets + events > 0;
}

static void print_ways(const struct slt_scn_report *report, FILE *to)
{
    (void)fprintf(to, "\n %-22s %10s %7s %9s %7s %7s %7s %7s %7s %7s %19s\n", "link", "rate",
                  "used", "packets", "lost", "queue", "policed", "too big", "down", "marked",
                  "waiting mean/max");
    uint32_t quiet = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < report->scn->link_count * 2; i++) {
        used += is_used(report, i, false);
    }
    for (uint32_t i = 0; i < report->scn->link_count * 2; i++) {
        if (is_used(report, i, used > WAYS_EACH_MAX)) {
            print_way(report, i, to);
        } else {
            quiet += is_used(report, i, false);
        }
    }
    if (quiet > 0) {
        (void)fprintf(to, " and %u that dropped and marked nothing and were less than half used\n",
                      quiet);
    }
}

void slt_scn_print_run(const struct slt_scn *scn, const struct slt_scn_result *result,
                       uint64_t seed, FILE *to)
{
    static struct slt_scn_report report;
    if (!slt_scn_report_init(&report, scn)) {
        return;
    }
    slt_scn_report_add(&report, result);
    (void)fprintf(to, "%s%sseed %llu, %s, %llu packets\n\n", scn->title,
                  scn->title[0] != '\0' ? "\n" : "", (unsigned long long)seed,
                  time_text(result->end_ns).s, (unsigned long long)result->packets);
    if (result->flow_count <= FLOWS_EACH_MAX) {
        print_flows(scn, result, to);
    } else {
        print_apps(&report, to);
    }
    print_answers(&report, to);
    print_ways(&report, to);
    slt_scn_report_free(&report);
}

void slt_scn_print_report(struct slt_scn_report *report, FILE *to)
{
    (void)fprintf(to, "%s%s%u runs\n\n", report->scn->title,
                  report->scn->title[0] != '\0' ? "\n" : "", report->runs);
    print_apps(report, to);
    print_answers(report, to);
    print_ways(report, to);
}
