/* See doctor_capture.h. */
#include "cli/doctor_capture.h"

#include "cli/finding_page.h"
#include "cli/json_text.h"
#include "observe/explain_file.h"
#include "observe/explain_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA       1
#define PCAPNG_MAGIC "\x0a\x0d\x0d\x0a"

struct asked {
    const struct slt_cli_verb *verb;
    const char *path;
    bool json;
    bool brief;
    struct slt_term term;
};

bool slt_doctor_is_capture(const char *word)
{
    uint8_t head[SLT_PCAP_HEADER_BYTES] = {0};
    struct slt_pcap_file pcap;
    FILE *file = fopen(word, "re");
    if (file == NULL) {
        return false;
    }
    size_t n = fread(head, 1, sizeof(head), file);
    (void)fclose(file);
    return (n >= 4 && memcmp(head, PCAPNG_MAGIC, 4) == 0) ||
           slt_pcap_header_parse((struct slt_span){head, (uint32_t)n}, &pcap) == SLT_CAPTURE_OK;
}

/* ---- one finding ---------------------------------------------------------------------------- */

static void put_end(const char *who, const struct slt_explain_end *end)
{
    char name[64];
    char text[48];
    salut_addr addr;
    memcpy(addr.b, end->addr, sizeof(addr.b));
    (void)salut_addr_print(&addr, text, sizeof(text));
    (void)snprintf(name, sizeof(name), "%s_address", who);
    slt_put_json_member(name, text, stdout);
    (void)printf(",\"%s_port\":%u", who, end->port);
}

static void put_json(enum slt_finding_id id, const struct slt_explain_found *found)
{
    const struct slt_finding *row = slt_finding_row(id);
    (void)printf("{\"schema\":%d,\"source\":\"capture\"", SCHEMA);
    slt_finding_put_head(row, found->confidence);
    (void)printf(",\"count\":%" PRIu64, found->count);
    slt_put_json_member("evidence", found->evidence, stdout);
    (void)printf(",\"connection\":%u", found->worst->id);
    if (found->packet > 0) {
        (void)printf(",\"packet\":%u", found->packet);
    }
    put_end("client", &found->worst->end[0]);
    put_end("server", &found->worst->end[1]);
    slt_finding_put_advice(id);
    (void)puts("}");
}

static void put_lines(enum slt_finding_id id, const struct slt_explain_found *found,
                      const struct asked *asked)
{
    char names[2][64];
    slt_finding_print_head(slt_finding_row(id), &asked->term);
    if (found->count > 1) {
        (void)printf("%" PRIu64 " connections; the worst, ", found->count);
    }
    (void)printf("#%u %s to %s: %s\n", found->worst->id,
                 slt_explain_end_text(&found->worst->end[0], names[0], sizeof(names[0])),
                 slt_explain_end_text(&found->worst->end[1], names[1], sizeof(names[1])),
                 found->evidence);
    if (!asked->brief) {
        slt_finding_print_advice(id, found->confidence, &asked->term);
        (void)fputc('\n', stdout);
    }
}

/* The gravest first. */
static uint64_t tell(const struct slt_explain_report *report, const struct asked *asked)
{
    uint64_t count = 0;
    for (int severity = SLT_SEVERITY_CRITICAL; severity >= SLT_SEVERITY_INFO; severity--) {
        for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
            const struct slt_finding *row = slt_finding_row((enum slt_finding_id)i);
            const struct slt_explain_found *found = &report->found[i];
            if (row->severity != severity || found->count == 0) {
                continue;
            }
            count++;
            if (asked->json) {
                put_json((enum slt_finding_id)i, found);
            } else {
                put_lines((enum slt_finding_id)i, found, asked);
            }
        }
    }
    return count;
}

/* ---- the file ------------------------------------------------------------------------------- */

static bool judge(struct slt_explain *explain, struct slt_explain_report *report)
{
    struct slt_explain_states states;
    struct slt_verdict verdict;
    slt_explain_finish(explain);
    for (const struct slt_explain_flow *f = explain->flows.oldest; f != NULL; f = f->younger) {
        slt_explain_states_of(f, &states);
        slt_explain_verdict_of(f, &states, &verdict);
        slt_explain_report_add(report, f, &verdict);
    }
    return slt_explain_report_finish(report, &explain->flows);
}

static int report_on(const struct asked *asked, struct slt_explain *explain,
                     enum slt_explain_read read)
{
    struct slt_explain_report *report = calloc(1, sizeof(*report));
    if (report == NULL || !judge(explain, report)) {
        free(report);
        return slt_fail(asked->verb, SLT_EXIT_FAILURE, "no memory");
    }
    uint64_t found = tell(report, asked);
    free(report);
    if (found == 0 && !asked->json) {
        (void)printf("nothing is wrong with %u connections of %" PRIu64 " packets\n",
                     explain->flows.count, explain->counts.packets);
    }
    if (read != SLT_READ_END) {
        (void)fflush(stdout);
        return slt_fail(asked->verb, SLT_EXIT_FAILURE, "%s: %s (after %" PRIu64 " packets)",
                        asked->path, slt_explain_read_text(read), explain->counts.packets);
    }
    return found > 0 ? SLT_EXIT_FAILURE : SLT_EXIT_FINE;
}

static int read_and_report(const struct asked *asked, struct slt_explain *explain)
{
    struct slt_explain_file file;
    struct slt_capture_packet packet;
    uint16_t linktype = 0;
    enum slt_explain_read read;
    if (!slt_explain_file_open(&file, asked->path)) {
        return slt_fail(asked->verb, SLT_EXIT_FAILURE, "%s: %s", asked->path, strerror(errno));
    }
    while ((read = slt_explain_file_next(&file, &packet, &linktype)) == SLT_READ_PACKET) {
        slt_explain_take(explain, &packet, linktype);
    }
    int result = report_on(asked, explain, read);
    slt_explain_file_close(&file);
    return result;
}

int slt_doctor_capture(const struct slt_cli_verb *verb, const char *const *words, size_t count,
                       bool json, bool brief)
{
    const struct asked asked = {verb, words[0], json, brief, slt_term_look(stdout)};
    struct slt_explain explain;
    struct slt_explain_limits limits;
    slt_explain_limits_default(&limits);
    if (!slt_explain_init(&explain, &limits)) {
        return slt_fail(verb, SLT_EXIT_FAILURE, "no memory");
    }
    const char *wrong = slt_explain_filter_parse(&explain.filter, words + 1, count - 1);
    int result = wrong != NULL
                     ? slt_usage_error(verb,
                                       "the filter is wrong at '%s': for a capture it wants [not] "
                                       "[src|dst] port N, or host A",
                                       wrong)
                     : read_and_report(&asked, &explain);
    slt_explain_deinit(&explain);
    return result;
}
