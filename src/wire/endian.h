/* Reading and writing in the byte order a capture file has chosen; everything else on the wire is
 * big-endian and needs no more than base/span.h. */
#ifndef SLT_WIRE_ENDIAN_H
#define SLT_WIRE_ENDIAN_H

#include "base/span.h"

static inline uint16_t slt_swap_u16(uint16_t v)
{
    return (uint16_t)((uint32_t)v << 8 | (uint32_t)v >> 8);
}

static inline uint32_t slt_swap_u32(uint32_t v)
{
    return (uint32_t)slt_swap_u16((uint16_t)v) << 16 | slt_swap_u16((uint16_t)(v >> 16));
}

static inline uint16_t slt_read_u16_of(struct slt_reader *r, bool little_endian)
{
    const uint16_t v = slt_read_u16(r);
    return little_endian ? slt_swap_u16(v) : v;
}

static inline uint32_t slt_read_u32_of(struct slt_reader *r, bool little_endian)
{
    const uint32_t v = slt_read_u32(r);
    return little_endian ? slt_swap_u32(v) : v;
}

static inline void slt_write_u16_little(struct slt_writer *w, uint16_t v)
{
    slt_write_u16(w, slt_swap_u16(v));
}

static inline void slt_write_u32_little(struct slt_writer *w, uint32_t v)
{
    slt_write_u32(w, slt_swap_u32(v));
}

#endif
