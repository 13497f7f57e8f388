/* The reason table: one enum for every drop, cause and transmission (reasons.def).
 *
 * SLT_PASS (0) is "not dropped, go on". A reason exists only if an operator would act differently
 * on it.
 */
#ifndef SLT_BASE_REASON_H
#define SLT_BASE_REASON_H

enum slt_reason {
    SLT_PASS = 0,
#define SLT_REASON(name, category, token, sentence) SLT_##category##_##name,
#include "base/reasons.def"
#undef SLT_REASON
    SLT_REASON_COUNT
};

enum slt_reason_category {
    SLT_CATEGORY_PASS,
    SLT_CATEGORY_DROP,
    SLT_CATEGORY_CAUSE,
    SLT_CATEGORY_SEND,
    SLT_CATEGORY_NOTE
};

enum slt_reason_category slt_reason_category(enum slt_reason reason);

/* The greppable name ("fin-received") and the sentence a person reads. */
const char *slt_reason_token(enum slt_reason reason);
const char *slt_reason_sentence(enum slt_reason reason);

#endif
