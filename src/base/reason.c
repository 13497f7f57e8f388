/* Three tables made from reasons.def, so that a row is written once and can miss nothing. */
#include "base/reason.h"

#include <stdint.h>

struct reason_row {
    const char *token;
    const char *sentence;
    uint8_t category;
};

static const struct reason_row rows[SLT_REASON_COUNT] = {
    [SLT_PASS] = {"pass", "nothing stopped the packet", SLT_CATEGORY_PASS},
#define SLT_REASON(name, category, token, sentence)                                                \
    [SLT_##category##_##name] = {token, sentence, SLT_CATEGORY_##category},
#include "base/reasons.def"
#undef SLT_REASON
};

/* A number from outside the table (a newer program's record, say) reads as an unknown note: the
 * callers are printers, and a printer must not fall over what it prints. */
static const struct reason_row unknown_row = {"unknown", "this program does not know the reason",
                                              SLT_CATEGORY_NOTE};

static const struct reason_row *row_of(enum slt_reason reason)
{
    return (unsigned)reason < SLT_REASON_COUNT ? &rows[reason] : &unknown_row;
}

enum slt_reason_category slt_reason_category(enum slt_reason reason)
{
    return (enum slt_reason_category)row_of(reason)->category;
}

const char *slt_reason_token(enum slt_reason reason)
{
    return row_of(reason)->token;
}

const char *slt_reason_sentence(enum slt_reason reason)
{
    return row_of(reason)->sentence;
}
