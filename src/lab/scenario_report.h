/* What came of a scenario, for people (a table), for programs (JSON, an object a line) and for
 * spreadsheets (CSV of the samples).
 */
#ifndef SLT_LAB_SCENARIO_REPORT_H
#define SLT_LAB_SCENARIO_REPORT_H

#include "lab/scenario.h"

#include <stdio.h>

/* The flows of all runs of the applications that share a label. */
struct slt_scn_sum {
    uint64_t flows, opened, finished, failed;
    uint64_t bytes, segments, retransmits, timeouts, rounds;
    double *goodput; /* of each flow, bits per second; sorted when printed */
    uint64_t goodput_room;
    double share_sum, share_min, share_max; /* of all bytes of a run, per run */
    struct slt_scn_times rtt;
    struct slt_scn_times answer;
    struct slt_scn_times lasted; /* flows that finished: from the SYN to the last byte */
};

struct slt_scn_report {
    const struct slt_scn *scn;
    uint32_t runs;
    uint32_t group[SLT_SCN_APPS_MAX];         /* the first application with the same label */
    struct slt_scn_sum sum[SLT_SCN_APPS_MAX]; /* of groups */
    struct slt_scn_way_row (*way)[2]; /* sums; queue_mean and busy: sums too, queue_max: the top */
};

bool slt_scn_report_init(struct slt_scn_report *report, const struct slt_scn *scn);
void slt_scn_report_add(struct slt_scn_report *report, const struct slt_scn_result *result);
void slt_scn_report_free(struct slt_scn_report *report);

/* One run: a line for each flow (for each application when there are many) and each link. */
void slt_scn_print_run(const struct slt_scn *scn, const struct slt_scn_result *result,
                       uint64_t seed, FILE *to);

/* All runs: a line for each application and each link. */
void slt_scn_print_report(struct slt_scn_report *report, FILE *to);

void slt_scn_print_json(const struct slt_scn *scn, const struct slt_scn_result *result,
                        uint64_t seed, FILE *to);
void slt_scn_print_csv(const struct slt_scn *scn, const struct slt_scn_result *result, FILE *to);

/* The name of a flow in tables and legends: the application's label, and a number when it has
 * several. */
void slt_scn_flow_name(const struct slt_scn *scn, const struct slt_scn_result *result,
                       uint32_t flow, char name[SLT_SCN_NAME_BYTES + 12]);

/* Bits per second over the life of a flow. */
double slt_scn_goodput(const struct slt_scn_flow_row *row);

#endif
