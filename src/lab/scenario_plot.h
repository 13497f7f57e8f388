/* Pictures of a run: cwnd.svg, rtt.svg, flight.svg, delivery.svg and queue.svg. */
#ifndef SLT_LAB_SCENARIO_PLOT_H
#define SLT_LAB_SCENARIO_PLOT_H

#include "lab/scenario.h"

/* Write them into a directory that exists. False with a sentence. */
bool slt_scn_plot(const struct slt_scn *scn, const struct slt_scn_result *result,
                  const char *directory, char why[SLT_SCN_SENTENCE_MAX]);

#endif
