/* A bounded formatter for the floors that have no stdio.
 *
 * Text is appended piece by piece to the caller's array, which is NUL-terminated after every call
 * (when it has any room at all). What does not fit is counted and not written, so after the last
 * piece `used >= size` means "cut", and `used + 1` is the size that would have held everything.
 */
#ifndef SLT_BASE_PRINT_H
#define SLT_BASE_PRINT_H

#include "base/compiler.h"

#include <string.h>

struct slt_text {
    char *out;   /* may be NULL when size is 0 */
    size_t size; /* bytes of `out`, the terminator included */
    size_t used; /* characters so far, as if there were room for all, without the terminator */
};

void slt_text_init(struct slt_text *text, char *out, size_t size);
void slt_text_char(struct slt_text *text, char c);
void slt_text_bytes(struct slt_text *text, const char *bytes, size_t count);

static inline void slt_text_str(struct slt_text *text, const char *str)
{
    slt_text_bytes(text, str, strlen(str));
}

/* Spaces until `used` is at least `until`: columns. */
void slt_text_pad(struct slt_text *text, size_t until);

/* Decimal. */
void slt_text_u64(struct slt_text *text, uint64_t value);
void slt_text_i64(struct slt_text *text, int64_t value);

/* Lower-case hexadecimal without a prefix, filled with zeros to at least `digits` digits. */
void slt_text_hex(struct slt_text *text, uint64_t value, unsigned digits);

/* True when something did not fit. */
static inline bool slt_text_cut(const struct slt_text *text)
{
    return text->used >= text->size;
}

#endif
