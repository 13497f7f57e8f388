/* Spans and bounds-checked cursors: the only way this project reads or writes wire bytes.
 *
 * A reader that runs past its end sets `failed`, returns zeros and never touches memory outside
 * its span, so that a parser reads a whole header and asks once. A writer likewise.
 */
#ifndef SLT_BASE_SPAN_H
#define SLT_BASE_SPAN_H

#include "base/compiler.h"

#include <string.h>

struct slt_span {
    const uint8_t *data;
    uint32_t bytes;
};

struct slt_reader {
    const uint8_t *data;
    uint32_t bytes;
    uint32_t at;
    bool failed;
};

struct slt_writer {
    uint8_t *data;
    uint32_t capacity;
    uint32_t at;
    bool failed;
};

static inline struct slt_reader slt_reader_of(struct slt_span span)
{
    return (struct slt_reader){.data = span.data, .bytes = span.bytes};
}

static inline struct slt_writer slt_writer_of(uint8_t *data, uint32_t capacity)
{
    return (struct slt_writer){.data = data, .capacity = capacity};
}

static inline uint32_t slt_reader_left(const struct slt_reader *r)
{
    return r->bytes - r->at;
}

/* Step over `n` bytes and return where they start, or NULL (and fail) when they are not there. */
static inline const uint8_t *slt_read_bytes(struct slt_reader *r, uint32_t n)
{
    if (r->failed || n > r->bytes - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->at;
    r->at += n;
    return p;
}

static inline uint8_t slt_read_u8(struct slt_reader *r)
{
    const uint8_t *p = slt_read_bytes(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t slt_read_u16(struct slt_reader *r)
{
    const uint8_t *p = slt_read_bytes(r, 2);
    return p ? (uint16_t)((uint32_t)p[0] << 8 | p[1]) : 0;
}

static inline uint32_t slt_read_u32(struct slt_reader *r)
{
    const uint8_t *p = slt_read_bytes(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

/* Step over `n` bytes to be written and return where they go, or NULL (and fail). */
static inline uint8_t *slt_write_room(struct slt_writer *w, uint32_t n)
{
    if (w->failed || n > w->capacity - w->at) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->data + w->at;
    w->at += n;
    return p;
}

/* Put a number in network order where slt_write_room has made room. The four bytes of a word are
 * one store, said outright: byte by byte, compilers gather those of a whole header in wide
 * registers, by way of the stack, and wait there for what they have just stored. */
static inline void slt_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void slt_put_u32(uint8_t *p, uint32_t v)
{
    v = slt_big_endian_u32(v);
    memcpy(p, &v, sizeof(v));
}

/* Read a number in network order where the bytes are known to be there. */
static inline uint16_t slt_get_u16(const uint8_t *p)
{
    return (uint16_t)((uint32_t)p[0] << 8 | p[1]);
}

static inline uint32_t slt_get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void slt_write_bytes(struct slt_writer *w, const void *data, uint32_t n)
{
    uint8_t *p = slt_write_room(w, n);
    if (p && n > 0) {
        memcpy(p, data, n);
    }
}

static inline void slt_write_u8(struct slt_writer *w, uint8_t v)
{
    uint8_t *p = slt_write_room(w, 1);
    if (p) {
        p[0] = v;
    }
}

static inline void slt_write_u16(struct slt_writer *w, uint16_t v)
{
    uint8_t *p = slt_write_room(w, 2);
    if (p) {
        slt_put_u16(p, v);
    }
}

static inline void slt_write_u32(struct slt_writer *w, uint32_t v)
{
    uint8_t *p = slt_write_room(w, 4);
    if (p) {
        slt_put_u32(p, v);
    }
}

#endif
