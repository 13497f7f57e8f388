/* What a user writes to make a link a bad one: "loss=1%,dup=1%,reorder=1%,corrupt=0.1%,seed=7". */
#ifndef SLT_SOCK_IMPAIR_SPEC_H
#define SLT_SOCK_IMPAIR_SPEC_H

#include "link/impair.h"

#define SLT_IMPAIR_SPEC_HELP                                                                       \
    "write for example loss=1%,dup=1%,reorder=1%,corrupt=0.1%,delay=20ms,jitter=5ms,"              \
    "rate=10mbit,queue=100,seed=7"

/* Parse it; both directions get the same. NULL when it is fine, else a sentence that says what is
 * wrong, valid for as long as the program runs. */
const char *slt_impair_spec_parse(const char *spec, struct slt_impair_params *params);

#endif
