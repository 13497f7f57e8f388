/* The faults of `salut wire` as a person writes them. */
#ifndef SLT_CLI_WIRE_WORDS_H
#define SLT_CLI_WIRE_WORDS_H

#include "cli/cli.h"
#include "link/path.h"

/* One direction's options; NULL: not given. */
struct slt_wire_words {
    const char *rate;
    const char *delay;
    const char *jitter;
    const char *loss;
    const char *burst_loss; /* P,LEN */
    const char *reorder;    /* P or P,D */
    const char *dup;
    const char *corrupt;
    const char *queue; /* 64K, 100p, 0.25bdp */
    const char *ecn;   /* likewise */
};

/* Fill both directions; what is not said of the way back is as on the way there. Returns
 * SLT_EXIT_FINE, or SLT_EXIT_USAGE after saying what is wrong. */
int slt_wire_words_parse(const struct slt_cli_verb *verb, const struct slt_wire_words words[2],
                         struct slt_path_params way[2]);

#endif
