/* What the verbs that change connections share: choosing them by an explicit filter, showing them,
 * and asking before anything is done.
 */
#ifndef SLT_CLI_CHOICE_H
#define SLT_CLI_CHOICE_H

#include "cli/cli.h"
#include "observe/look_linux.h"

#define SLT_CHOICE_WORDS_MAX 64U

struct slt_choice {
    const struct slt_cli_verb *verb;
    const char *what; /* "close", "probe" */
    const char *filter[SLT_CHOICE_WORDS_MAX];
    size_t filter_count;
    bool dry_run;
    bool yes;
    bool json;
    bool (*fits)(const struct slt_seen *seen, void *ctx); /* what the verb can be done to */
    void *ctx;
};

/* The verb's options, and the words of the filter. As slt_args_parse. */
int slt_choice_parse(struct slt_choice *choice, const struct slt_arg *options, size_t option_count,
                     int argc, char **argv);

/* Look, keep what fits, show it, and ask. Returns SLT_EXIT_FINE with look->list of what is to be
 * done; -1 when there is nothing to do (said already, exit 0); or an exit code. slt_look_free is to
 * be called either way. */
int slt_choose(const struct slt_choice *choice, struct slt_look *look);

#endif
