/* The tables of settings: which words a host, a link and an application take. */
#ifndef SLT_LAB_SCENARIO_SETTINGS_H
#define SLT_LAB_SCENARIO_SETTINGS_H

#include "lab/scenario_words.h"

/* A node with its defaults, and its settings up to the end of the statement. */
void slt_scn_node_init(struct slt_scn_node *node, const char *name, bool router);
bool slt_scn_read_host(struct slt_scn_reader *reader, struct slt_scn_node *node);

/* Settings of a link into the ways from a to b and back; `both` is false when only the first is
 * meant (a -> b). */
bool slt_scn_read_ways(struct slt_scn_reader *reader, struct slt_scn_way way[2], bool both);
bool slt_scn_read_link(struct slt_scn_reader *reader, struct slt_scn_link *link);

/* An application of a kind with its defaults, and its settings. */
void slt_scn_app_init(struct slt_scn_app *app, enum slt_scn_kind kind);
bool slt_scn_read_app(struct slt_scn_reader *reader, struct slt_scn_app *app);

#endif
