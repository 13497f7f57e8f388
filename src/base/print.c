/* Every piece goes through append, the one place that knows where the array ends. */
#include "base/print.h"

#include <string.h>

/* UINT64_MAX has 20 decimal digits. */
#define TEXT_DIGITS_MAX 20

void slt_text_init(struct slt_text *text, char *out, size_t size)
{
    SLT_ASSERT(out != NULL || size == 0);
    *text = (struct slt_text){.out = out, .size = size};
    if (size > 0) {
        out[0] = '\0';
    }
}

/* Most pieces are a few bytes, for which calling memcpy costs more than copying: both halves are
 * copied, and overlap where the count is no power of two. */
static void copy(char *to, const char *from, size_t count)
{
    char first[8];
    char last[8];
    if (count > 16) {
        memcpy(to, from, count);
    } else if (count >= 8) {
        memcpy(first, from, 8);
        memcpy(last, from + count - 8, 8);
        memcpy(to, first, 8);
        memcpy(to + count - 8, last, 8);
    } else if (count >= 4) {
        memcpy(first, from, 4);
        memcpy(last, from + count - 4, 4);
        memcpy(to, first, 4);
        memcpy(to + count - 4, last, 4);
    } else if (count > 0) {
        to[0] = from[0];
        to[count / 2] = from[count / 2];
        to[count - 1] = from[count - 1];
    }
}

static void append(struct slt_text *text, const char *bytes, size_t count)
{
    if (text->used < text->size) {
        size_t left = text->size - text->used - 1;
        size_t fits = count < left ? count : left;
        copy(text->out + text->used, bytes, fits);
        text->out[text->used + fits] = '\0';
    }
    text->used += count;
}

void slt_text_char(struct slt_text *text, char c)
{
    append(text, &c, 1);
}

void slt_text_bytes(struct slt_text *text, const char *bytes, size_t count)
{
    append(text, bytes, count);
}

void slt_text_pad(struct slt_text *text, size_t until)
{
    static const char spaces[] = "                                ";
    while (text->used < until) {
        size_t count = until - text->used;
        append(text, spaces, count < sizeof(spaces) - 1 ? count : sizeof(spaces) - 1);
    }
}

/* Digits come out lowest first, so they are written from the end. */
void slt_text_u64(struct slt_text *text, uint64_t value)
{
    char digits[TEXT_DIGITS_MAX];
    size_t first = TEXT_DIGITS_MAX;
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    append(text, digits + first, TEXT_DIGITS_MAX - first);
}

void slt_text_i64(struct slt_text *text, int64_t value)
{
    if (value < 0) {
        append(text, "-", 1);
    }
    /* Negated as unsigned: INT64_MIN has no positive counterpart. */
    slt_text_u64(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void slt_text_hex(struct slt_text *text, uint64_t value, unsigned digits)
{
    char written[TEXT_DIGITS_MAX];
    size_t first = TEXT_DIGITS_MAX;
    do {
        written[--first] = "0123456789abcdef"[value & 0xf];
        value >>= 4;
    } while (value > 0);
    for (size_t i = TEXT_DIGITS_MAX - first; i < digits; i++) {
        append(text, "0", 1);
    }
    append(text, written + first, TEXT_DIGITS_MAX - first);
}
