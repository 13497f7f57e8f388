/* See json_text.h. */
#include "cli/json_text.h"

#include "base/compiler.h"

/* Well-formed sequences by their first byte, and what the second may be (Unicode, table 3-7). */
struct form {
    unsigned char first, last; /* of the first byte */
    unsigned char from, to;    /* of the second; all later ones are 80-bf */
    unsigned char bytes;
};

static const struct form forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool has_form(const unsigned char *text, const struct form *form)
{
    bool fine = text[0] >= form->first && text[0] <= form->last && text[1] >= form->from &&
                text[1] <= form->to;
    for (unsigned i = 2; fine && i < form->bytes; i++) {
        fine = text[i] >= 0x80 && text[i] <= 0xbf; /* the terminator is not */
    }
    return fine;
}

/* How many bytes the character beyond ASCII has that begins here; 0: none does. */
static unsigned count_bytes(const unsigned char *text)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(forms); i++) {
        if (has_form(text, &forms[i])) {
            return forms[i].bytes;
        }
    }
    return 0;
}

void slt_put_json_text(const char *text, FILE *to)
{
    const unsigned char *c = (const unsigned char *)text;
    (void)fputc('"', to);
    while (*c != '\0') {
        unsigned bytes = *c < 0x80 ? 1 : count_bytes(c);
        if (*c == '"' || *c == '\\') {
            (void)fprintf(to, "\\%c", *c);
        } else if (bytes == 0 || *c < 0x20 || *c == 0x7f || *c == '<') {
            (void)fprintf(to, "\\u%04x", *c);
        } else {
            (void)fwrite(c, 1, bytes, to);
        }
        c += bytes > 0 ? bytes : 1;
    }
    (void)fputc('"', to);
}

void slt_put_json_member(const char *name, const char *text, FILE *to)
{
    (void)fprintf(to, ",\"%s\":", name);
    slt_put_json_text(text, to);
}
