/* Samples as CSV, results as JSON: the same numbers as in the tables, for programs.
 *
 * CSV: a line per instant and object. Flows have cwnd_bytes to retransmits, ways of links
 * queue_bytes to marked; what an object has not is empty. JSON: an object a line, each with
 * "schema":1 and its "kind": run, flow, link.
 */
#include "lab/scenario_report.h"

#define SCHEMA 1

/* ---- CSV ------------------------------------------------------------------------------------ */

static void csv_flows(const struct slt_scn *scn, const struct slt_scn_result *result, uint32_t row,
                      FILE *to)
{
    double at_s = (double)(row + 1) * (double)result->sample_ns / 1e9;
    for (uint32_t i = 0; i < result->series_count; i++) {
        const struct slt_scn_flow_sample *sample =
            &result->flow_sample[(size_t)row * SLT_SCN_SERIES_MAX + i];
        const struct slt_scn_flow_row *flow = &result->flow[i];
        char name[SLT_SCN_NAME_BYTES + 12];
        bool there = (double)flow->start_ns / 1e9 <= at_s;
        if (!there || (sample->cwnd == 0 && sample->delivered == 0)) {
            continue;
        }
        slt_scn_flow_name(scn, result, i, name);
        (void)fprintf(to, "%.3f,flow,%s,%u,%u,%u,%.3f,", at_s, name, sample->cwnd, sample->ssthresh,
                      sample->flight, (double)sample->srtt_us / 1e3);
        if (sample->rtt_us > 0) {
            (void)fprintf(to, "%.3f", (double)sample->rtt_us / 1e3);
        }
        (void)fprintf(to, ",%llu,%u,,,,\n", (unsigned long long)sample->delivered,
                      sample->retransmits);
    }
}

static void csv_ways(const struct slt_scn *scn, const struct slt_scn_result *result, uint32_t row,
                     FILE *to)
{
    double at_s = (double)(row + 1) * (double)result->sample_ns / 1e9;
    for (uint32_t i = 0; i < scn->link_count * 2; i++) {
        const struct slt_scn_way_sample *sample =
            &result->way_sample[(size_t)row * scn->link_count * 2 + i];
        const struct slt_scn_link *link = &scn->link[i / 2];
        if (result->way[i / 2][i % 2].packets == 0) {
            continue;
        }
        (void)fprintf(to, "%.3f,link,%s>%s,,,,,,,,%u,%llu,%u,%u\n", at_s,
                      scn->node[i % 2 == 0 ? link->a : link->b].name,
                      scn->node[i % 2 == 0 ? link->b : link->a].name, sample->queue,
                      (unsigned long long)sample->bytes, sample->dropped, sample->marked);
    }
}

void slt_scn_print_csv(const struct slt_scn *scn, const struct slt_scn_result *result, FILE *to)
{
    (void)fprintf(to, "time_s,kind,name,cwnd_bytes,ssthresh_bytes,flight_bytes,srtt_ms,rtt_ms,"
                      "delivered_bytes,retransmits,queue_bytes,passed_bytes,dropped,marked\n");
    for (uint32_t row = 0; row < result->sample_count; row++) {
        csv_flows(scn, result, row, to);
        csv_ways(scn, result, row, to);
    }
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* Names are letters, digits, "-", "_", "/" and "."; titles are anything. */
static void json_text(const char *text, FILE *to)
{
    (void)fputc('"', to);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            (void)fputc('\\', to);
        }
        if (c >= 0x20) {
            (void)fputc(c, to);
        }
    }
    (void)fputc('"', to);
}

static void json_times(const char *name, const struct slt_scn_times *times, FILE *to)
{
    if (times->count > 0) {
        (void)fprintf(to,
                      ",\"%s_count\":%llu,\"%s_min_us\":%lld,\"%s_p50_us\":%lld,"
                      "\"%s_p99_us\":%lld",
                      name, (unsigned long long)times->count, name,
                      (long long)(times->min_ns / SLT_NS_PER_US), name,
                      (long long)(slt_scn_times_percentile(times, 50) / SLT_NS_PER_US), name,
                      (long long)(slt_scn_times_percentile(times, 99) / SLT_NS_PER_US));
    }
}

static void json_flow(const struct slt_scn *scn, const struct slt_scn_result *result,
                      uint32_t index, FILE *to)
{
    const struct slt_scn_flow_row *row = &result->flow[index];
    const struct slt_scn_app *app = &scn->app[row->app];
    char name[SLT_SCN_NAME_BYTES + 12];
    slt_scn_flow_name(scn, result, index, name);
    (void)fprintf(to, "{\"schema\":%d,\"kind\":\"flow\",\"name\":", SCHEMA);
    json_text(name, to);
    (void)fprintf(to, ",\"app\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"",
                  slt_scn_kind_name((enum slt_scn_kind)app->kind), scn->node[app->from].name,
                  scn->node[app->to].name);
    (void)fprintf(to,
                  ",\"start_s\":%.6f,\"end_s\":%.6f,\"bytes\":%llu,\"goodput_bps\":%.0f,"
                  "\"segments\":%llu,\"retransmits\":%llu,\"timeouts\":%llu,\"rounds\":%llu,"
                  "\"opened\":%s,\"finished\":%s,\"status\":\"%s\"",
                  (double)row->start_ns / 1e9, (double)row->end_ns / 1e9,
                  (unsigned long long)row->bytes, slt_scn_goodput(row),
                  (unsigned long long)row->segments, (unsigned long long)row->retransmits,
                  (unsigned long long)row->timeouts, (unsigned long long)row->rounds,
                  row->opened ? "true" : "false", row->finished ? "true" : "false",
                  row->failed ? salut_status_text((enum salut_status)row->status) : "ok");
    json_times("rtt", &row->rtt, to);
    json_times("answer", &row->answer, to);
    (void)fprintf(to, "}\n");
}

static void json_way(const struct slt_scn *scn, const struct slt_scn_result *result, uint32_t index,
                     FILE *to)
{
    const struct slt_scn_way_row *row = &result->way[index / 2][index % 2];
    const struct slt_scn_link *link = &scn->link[index / 2];
    (void)fprintf(
        to,
        "{\"schema\":%d,\"kind\":\"link\",\"from\":\"%s\",\"to\":\"%s\","
        "\"packets\":%llu,\"bytes\":%llu,\"lost\":%llu,\"overflowed\":%llu,"
        "\"policed\":%llu,\"too_big\":%llu,\"down\":%llu,\"marked\":%llu,"
        "\"duplicated\":%llu,\"reordered\":%llu,\"corrupted\":%llu,"
        "\"queue_mean_bytes\":%.0f,\"queue_max_bytes\":%llu",
        SCHEMA, scn->node[index % 2 == 0 ? link->a : link->b].name,
        scn->node[index % 2 == 0 ? link->b : link->a].name, (unsigned long long)row->packets,
        (unsigned long long)row->bytes, (unsigned long long)row->dropped[SLT_SCN_DROP_LOSS],
        (unsigned long long)row->dropped[SLT_SCN_DROP_QUEUE],
        (unsigned long long)row->dropped[SLT_SCN_DROP_POLICE],
        (unsigned long long)row->dropped[SLT_SCN_DROP_MTU],
        (unsigned long long)row->dropped[SLT_SCN_DROP_DOWN], (unsigned long long)row->marked,
        (unsigned long long)row->duplicated, (unsigned long long)row->reordered,
        (unsigned long long)row->corrupted, row->queue_mean, (unsigned long long)row->queue_max);
    if (row->busy >= 0) {
        (void)fprintf(to, ",\"used\":%.4f", row->busy);
    }
    (void)fprintf(to, "}\n");
}

void slt_scn_print_json(const struct slt_scn *scn, const struct slt_scn_result *result,
                        uint64_t seed, FILE *to)
{
    (void)fprintf(to, "{\"schema\":%d,\"kind\":\"run\",\"title\":", SCHEMA);
    json_text(scn->title, to);
    (void)fprintf(to,
                  ",\"seed\":%llu,\"seconds\":%.6f,\"packets\":%llu,\"hash\":\"%016llx\","
                  "\"broken\":",
                  (unsigned long long)seed, (double)result->end_ns / 1e9,
                  (unsigned long long)result->packets, (unsigned long long)result->hash);
    json_text(result->broken, to);
    (void)fprintf(to, "}\n");
    for (uint32_t i = 0; i < result->flow_count; i++) {
        json_flow(scn, result, i, to);
    }
    for (uint32_t i = 0; i < scn->link_count * 2; i++) {
        json_way(scn, result, i, to);
    }
}
