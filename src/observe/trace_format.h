/* Where a tracepoint's fields lie: read from the description that the kernel keeps of it
 * (tracefs, events/.../format). Fields move and come and go with versions, so nothing about their
 * places is written down here.
 */
#ifndef SLT_OBSERVE_TRACE_FORMAT_H
#define SLT_OBSERVE_TRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLT_TRACE_FIELDS_MAX 32
#define SLT_TRACE_NAME_MAX   24

struct slt_trace_field {
    char name[SLT_TRACE_NAME_MAX];
    uint32_t offset;
    uint32_t bytes;
    bool is_signed;
};

struct slt_trace_format {
    uint32_t id;
    uint32_t count;
    struct slt_trace_field fields[SLT_TRACE_FIELDS_MAX];
};

/* Parse a description. False: it has no ID, or a field line that is not understood. Fields whose
 * names are too long, and those beyond the table, are left out. */
bool slt_trace_format_parse(const char *text, struct slt_trace_format *format);

/* NULL: this kernel's tracepoint has no such field. */
const struct slt_trace_field *slt_trace_format_find(const struct slt_trace_format *format,
                                                    const char *name);

/* The value of a field of 1, 2, 4 or 8 bytes in the machine's order; `otherwise` when there is no
 * such field or the record ends before it. */
uint64_t slt_trace_field_read(const struct slt_trace_field *field, const uint8_t *data,
                              size_t bytes, uint64_t otherwise);

#endif
