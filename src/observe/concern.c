/* See concern.h.
 *
 * Judges want the records of one source, so those are copied out; a judge marks what it counts
 * (slt_hit_mark), and the marks of findings that hold become bits of the records.
 */
#include "observe/concern.h"

#include "observe/findings.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SLT_FIND_COUNT <= SLT_SEEN_FINDINGS * 64U, "a bit for each finding");

/* The records of a source, where each stands in the whole list, and the marks of one finding. */
struct part {
    struct slt_look look;
    struct slt_case about;
    size_t *places;
    uint8_t *marks;
};

static bool gather(const struct slt_seen_list *list, uint8_t source, struct part *part)
{
    *part = (struct part){.about = {.look = &part->look}};
    part->places = calloc(list->count, sizeof(*part->places));
    part->marks = calloc(list->count, sizeof(*part->marks));
    bool fine = part->places != NULL && part->marks != NULL;
    for (size_t i = 0; i < list->count && fine; i++) {
        if (list->items[i].source == source) {
            part->places[part->look.list.count] = i;
            fine = slt_seen_list_add(&part->look.list, &list->items[i]);
        }
    }
    slt_case_defaults(&part->about.limits);
    slt_host_facts_forget(&part->about.host);
    if (source == SLT_SOURCE_KERNEL) {
        slt_host_facts_read(&part->about.host);
        slt_host_facts_since(&part->about.host, &part->about.host); /* nothing happened yet */
        (void)slt_counters_read(&part->about.after);
        part->about.before = part->about.after;
    }
    return fine;
}

static void mark(struct part *part, struct slt_seen_list *list)
{
    for (unsigned id = 0; id < SLT_FIND_COUNT; id++) {
        if (!slt_finding_mark(&part->about, (enum slt_finding_id)id, part->marks)) {
            continue;
        }
        for (size_t i = 0; i < part->look.list.count; i++) {
            uint64_t bit = (uint64_t)(part->marks[i] != 0) << id % 64;
            list->items[part->places[i]].findings[id / 64] |= bit;
        }
    }
}

static void release(struct part *part)
{
    slt_seen_list_free(&part->look.list);
    free(part->places);
    free(part->marks);
}

bool slt_concern_mark(struct slt_seen_list *list)
{
    bool fine = true;
    for (size_t i = 0; i < list->count; i++) {
        memset(list->items[i].findings, 0, sizeof(list->items[i].findings));
    }
    for (unsigned source = SLT_SOURCE_STACK; source <= SLT_SOURCE_KERNEL && list->count > 0;
         source++) {
        struct part part;
        fine = gather(list, (uint8_t)source, &part) && fine;
        if (fine) {
            mark(&part, list);
        }
        release(&part);
    }
    return fine;
}

bool slt_concern_has(const struct slt_seen *seen, unsigned id)
{
    if (id < SLT_FIND_COUNT) {
        return (seen->findings[id / 64] >> id % 64 & 1) != 0;
    }
    return (seen->findings[0] | seen->findings[1]) != 0;
}
