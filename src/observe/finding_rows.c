/* See finding_rows.h. */
#include "observe/finding_rows.h"

#include "base/compiler.h"

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
