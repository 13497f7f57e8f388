/* Names of tcp_info (tcpi_snd_cwnd ...) for assertions. */
#ifndef SLT_LAB_SCRIPT_INFO_H
#define SLT_LAB_SCRIPT_INFO_H

#include "lab/script_call.h"

/* The value of a name: a member of the tcp_info of the descriptor under test; `state`, the state
 * of the script's connection, be it held by a descriptor or not; or any word of scripts. */
bool slt_info_find(void *world, const char *name, int64_t *number);

#endif
