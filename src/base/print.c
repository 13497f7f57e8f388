/* Every piece goes through slt_text_char, the one place that knows where the array ends. */
#include "base/print.h"

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

void slt_text_char(struct slt_text *text, char c)
{
    if (text->size > 0 && text->used < text->size - 1) {
        text->out[text->used] = c;
        text->out[text->used + 1] = '\0';
    }
    text->used++;
}

void slt_text_str(struct slt_text *text, const char *str)
{
    for (; *str != '\0'; str++) {
        slt_text_char(text, *str);
    }
}

/* Digits come out lowest first, so they are kept and written backwards. */
static void put_number(struct slt_text *text, uint64_t value, unsigned base, unsigned digits)
{
    char backwards[TEXT_DIGITS_MAX];
    unsigned count = 0;
    do {
        backwards[count] = "0123456789abcdef"[value % base];
        value /= base;
        count++;
    } while (value > 0);
    for (unsigned i = count; i < digits; i++) {
        slt_text_char(text, '0');
    }
    while (count > 0) {
        count--;
        slt_text_char(text, backwards[count]);
    }
}

void slt_text_u64(struct slt_text *text, uint64_t value)
{
    put_number(text, value, 10, 1);
}

void slt_text_i64(struct slt_text *text, int64_t value)
{
    if (value >= 0) {
        put_number(text, (uint64_t)value, 10, 1);
        return;
    }
    slt_text_char(text, '-');
    /* Negated as unsigned: INT64_MIN has no positive counterpart. */
    put_number(text, 0 - (uint64_t)value, 10, 1);
}

void slt_text_hex(struct slt_text *text, uint64_t value, unsigned digits)
{
    put_number(text, value, 16, digits);
}
