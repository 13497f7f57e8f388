/* The two-phase simulator: real stacks over an adversarial network in virtual time.
 *
 * One number, the seed, decides everything: how many hosts, their configurations, the paths
 * between them and their faults, what the applications do, what an attacker sends. A run has two
 * phases. In the first, safety: faults are on and every invariant is checked after every event.
 * In the second, liveness: faults are off; everything written must arrive or an error be told,
 * nobody may chatter on, both ends must close, and the ledger must return to zero.
 *
 * The same seed gives the same run, event by event, on every machine (sim_result.hash).
 */
#ifndef SLT_LAB_SIM_H
#define SLT_LAB_SIM_H

#include <stdio.h>

#include "base/reason.h"
#include "salut/types.h"

/* Invariants are numbered I-01 to I-60. */
#define SLT_SIM_INVARIANTS 63

enum slt_sim_fault {
#define SLT_SIM_FAULT(name, token) SLT_SIM_##name,
#include "lab/sim_faults.def"
#undef SLT_SIM_FAULT
    SLT_SIM_FAULT_COUNT
};

/* How often things happened, over one run or many. */
struct slt_sim_tally {
    uint64_t runs;
    uint64_t turns;
    uint64_t packets;
    uint64_t bytes;    /* delivered to applications */
    uint64_t work_max; /* steps of the longest turn */
    uint64_t conns;    /* connections that reached an application */
    /* Of worlds of paths: connections begun; those that carried every byte both ways; those that
     * did not and said so, be it only by the event of an end that its user had closed. */
    uint64_t transfers, whole, told;
    uint64_t fault[SLT_SIM_FAULT_COUNT];
    uint64_t reason[SLT_REASON_COUNT];
    uint64_t state[SALUT_STATE_COUNT];    /* entered */
    uint64_t status[SALUT_STATUS_COUNT];  /* told to applications */
    uint64_t checked[SLT_SIM_INVARIANTS]; /* times an invariant was looked at */
};

struct slt_sim_options {
    uint64_t seed;
    bool paths;          /* transfers over random paths instead of everything at once */
    FILE *trace;         /* one line per packet and event, or NULL */
    uint64_t trace_from; /* ... from this turn on */
};

struct slt_sim_result {
    bool failed;
    char sentence[400]; /* starts with the invariant's id */
    uint64_t turn;      /* in which turn of the run */
    int64_t at_ns;
    uint64_t hash; /* of everything that happened */
};

/* Run one seed. Adds to *tally, which the caller has zeroed before the first run. */
void slt_sim_run(const struct slt_sim_options *options, struct slt_sim_result *result,
                 struct slt_sim_tally *tally);

/* For salut_fault: when an assertion fails inside a run, the run ends with that as its sentence.
 * Returns (false) when no run is going on. */
bool slt_sim_caught(const char *file, int line, const char *what);

const char *slt_sim_fault_name(enum slt_sim_fault fault);

/* Why a reason cannot occur in a simulation, or NULL: it must. */
const char *slt_sim_unreachable(enum slt_reason reason);

#endif
