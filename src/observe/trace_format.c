/* See trace_format.h. A line of it reads
 *
 *     field:__u8 saddr[4];	offset:32;	size:4;	signed:0;
 */
#include "observe/trace_format.h"

#include <stdlib.h>
#include <string.h>

static const char *find_in_line(const char *line, const char *end, const char *word)
{
    size_t bytes = strlen(word);
    for (const char *at = line; at + bytes <= end; at++) {
        if (memcmp(at, word, bytes) == 0) {
            return at + bytes;
        }
    }
    return NULL;
}

static bool read_number(const char *line, const char *end, const char *word, uint32_t *value)
{
    const char *at = find_in_line(line, end, word);
    if (at == NULL || at == end || *at < '0' || *at > '9') {
        return false;
    }
    *value = (uint32_t)strtoul(at, NULL, 10);
    return true;
}

/* The name is the last word of the declaration, without what is in brackets. */
static void copy_name(const char *declaration, const char *end, char name[SLT_TRACE_NAME_MAX])
{
    const char *bracket = memchr(declaration, '[', (size_t)(end - declaration));
    end = bracket == NULL ? end : bracket;
    const char *start = end;
    while (start > declaration && start[-1] != ' ' && start[-1] != '*') {
        start--;
    }
    size_t bytes = (size_t)(end - start);
    bytes = bytes < SLT_TRACE_NAME_MAX ? bytes : 0;
    memcpy(name, start, bytes);
    name[bytes] = '\0';
}

static bool take_field(const char *line, const char *end, struct slt_trace_format *format)
{
    struct slt_trace_field field = {.offset = 0};
    uint32_t is_signed = 0;
    const char *declaration = find_in_line(line, end, "field:");
    if (declaration == NULL) {
        return true;
    }
    const char *stop = memchr(declaration, ';', (size_t)(end - declaration));
    if (stop == NULL || !read_number(stop, end, "offset:", &field.offset) ||
        !read_number(stop, end, "size:", &field.bytes)) {
        return false;
    }
    (void)read_number(stop, end, "signed:", &is_signed);
    field.is_signed = is_signed != 0;
    copy_name(declaration, stop, field.name);
    if (field.name[0] != '\0' && format->count < SLT_TRACE_FIELDS_MAX) {
        format->fields[format->count++] = field;
    }
    return true;
}

bool slt_trace_format_parse(const char *text, struct slt_trace_format *format)
{
    memset(format, 0, sizeof(*format));
    bool has_id = false;
    bool fine = true;
    while (*text != '\0' && fine) {
        const char *end = text + strcspn(text, "\n");
        if (strncmp(text, "print fmt:", 10) == 0) {
            break;
        }
        if (strncmp(text, "ID:", 3) == 0) {
            has_id = read_number(text, end, "ID: ", &format->id);
        }
        fine = take_field(text, end, format);
        text = *end == '\0' ? end : end + 1;
    }
    return fine && has_id;
}

const struct slt_trace_field *slt_trace_format_find(const struct slt_trace_format *format,
                                                    const char *name)
{
    for (uint32_t i = 0; i < format->count; i++) {
        if (strcmp(format->fields[i].name, name) == 0) {
            return &format->fields[i];
        }
    }
    return NULL;
}

uint64_t slt_trace_field_read(const struct slt_trace_field *field, const uint8_t *data,
                              size_t bytes, uint64_t otherwise)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    if (field == NULL || field->offset > bytes || field->bytes > bytes - field->offset) {
        return otherwise;
    }
    data += field->offset;
    switch (field->bytes) {
    case 1:
        return *data;
    case 2:
        memcpy(&two, data, sizeof(two));
        return two;
    case 4:
        memcpy(&four, data, sizeof(four));
        return field->is_signed ? (uint64_t)(int64_t)(int32_t)four : four;
    case 8:
        memcpy(&eight, data, sizeof(eight));
        return eight;
    default:
        return otherwise;
    }
}
