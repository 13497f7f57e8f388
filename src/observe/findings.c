/* See findings.h: the rows, and which function judges which. */
#include "observe/findings.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/judge.h"

#include <string.h>
#include <strings.h>

static const struct slt_finding rows[SLT_FIND_COUNT] = {
#define SLT_FINDING(symbol, name, how_bad, how_sure, note, what, why, apart, help)                 \
    [SLT_FIND_##symbol] = {.id = (name),                                                           \
                           .seen = (what),                                                         \
                           .cause = (why),                                                         \
                           .tell = (apart),                                                        \
                           .remedy = (help),                                                       \
                           .severity = (how_bad),                                                  \
                           .confidence = (how_sure),                                               \
                           .symptom = (note)},
#include "observe/findings.def"
#undef SLT_FINDING
};

const struct slt_finding *slt_finding_row(enum slt_finding_id id)
{
    SLT_ASSERT((unsigned)id < SLT_FIND_COUNT);
    return &rows[id];
}

const char *slt_finding_wrong_advice(enum slt_finding_id id)
{
    static const char *const texts[SLT_FIND_COUNT] = {
#define SLT_WRONG_ADVICE(symbol, text) [SLT_FIND_##symbol] = (text),
#include "observe/wrong_advice.def"
#undef SLT_WRONG_ADVICE
    };
    SLT_ASSERT((unsigned)id < SLT_FIND_COUNT);
    return texts[id] != NULL ? texts[id] : "";
}

enum slt_finding_id slt_finding_parse(const char *id)
{
    unsigned i = 0;
    while (i < SLT_FIND_COUNT && strcasecmp(rows[i].id, id) != 0) {
        i++;
    }
    return (enum slt_finding_id)i;
}

void slt_case_defaults(struct slt_limits_of_health *limits)
{
    *limits = (struct slt_limits_of_health){.close_wait_ns = 60 * SLT_NS_PER_S,
                                            .idle_ns = 7200 * SLT_NS_PER_S,
                                            .unaccepted_ns = SLT_NS_PER_S,
                                            .silent_ns = 60 * SLT_NS_PER_S,
                                            .many = 3,
                                            .flood = 64,
                                            .time_waits = 5000,
                                            .loss_permille = 20};
}

static const struct slt_judgement *find_judgement(enum slt_finding_id id)
{
    static const struct slt_judgement *const groups[] = {slt_judge_setup,     slt_judge_ports,
                                                         slt_judge_listeners, slt_judge_established,
                                                         slt_judge_closing,   slt_judge_counters};
    for (size_t g = 0; g < SLT_ARRAY_COUNT(groups); g++) {
        for (const struct slt_judgement *j = groups[g]; j->judge != NULL; j++) {
            if (j->id == id) {
                return j;
            }
        }
    }
    return NULL;
}

bool slt_finding_is_judged(enum slt_finding_id id)
{
    return find_judgement(id) != NULL;
}

bool slt_finding_judge(const struct slt_case *about, enum slt_finding_id id, struct slt_hit *hit)
{
    const struct slt_judgement *judgement = find_judgement(id);
    *hit = (struct slt_hit){.id = (uint8_t)id};
    if (judgement != NULL) {
        judgement->judge(about, hit);
    }
    return hit->count > 0;
}
