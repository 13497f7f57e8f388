/* See findings.h: which function judges which row. */
#include "observe/findings.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/judge.h"

#include <string.h>

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

static const struct slt_judgement *find_in(const struct slt_judgement *group,
                                           enum slt_finding_id id)
{
    while (group->judge != NULL && group->id != id) {
        group++;
    }
    return group->judge == NULL ? NULL : group;
}

static const struct slt_judgement *find_judgement(enum slt_finding_id id)
{
    static const struct slt_judgement *const groups[] = {
        slt_judge_setup, slt_judge_ports,   slt_judge_listeners, slt_judge_established,
        slt_judge_path,  slt_judge_closing, slt_judge_counters};
    for (size_t g = 0; g < SLT_ARRAY_COUNT(groups); g++) {
        const struct slt_judgement *found = find_in(groups[g], id);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

bool slt_finding_is_judged(enum slt_finding_id id)
{
    return find_judgement(id) != NULL || find_in(slt_judge_recorder, id) != NULL;
}

bool slt_finding_needs_past(enum slt_finding_id id)
{
    return find_judgement(id) == NULL && find_in(slt_judge_recorder, id) != NULL;
}

bool slt_finding_mark(const struct slt_case *about, enum slt_finding_id id, uint8_t *marks)
{
    const struct slt_judgement *judgement = find_judgement(id);
    struct slt_hit hit = {.id = (uint8_t)id, .marks = marks};
    memset(marks, 0, about->look->list.count);
    if (judgement != NULL) {
        judgement->judge(about, &hit);
    }
    if (hit.count > 0 && hit.worst != NULL) {
        slt_hit_mark(about, &hit, hit.worst);
    }
    return hit.count > 0;
}

bool slt_finding_judge(const struct slt_case *about, enum slt_finding_id id, struct slt_hit *hit)
{
    const struct slt_judgement *past = find_in(slt_judge_recorder, id);
    const struct slt_judgement *present = find_judgement(id);
    *hit = (struct slt_hit){.id = (uint8_t)id};
    if (past != NULL && about->past != NULL) {
        past->judge(about, hit);
    }
    if (present != NULL && hit->count == 0 && !about->past_alone) {
        present->judge(about, hit);
    }
    return hit->count > 0;
}
