/* pcapng blocks (draft-ietf-opsawg-pcapng): read in either byte order, written little-endian.
 *
 * A file is a section header, interface descriptions and packets, in blocks that each say their
 * length at both ends. Packets refer to interfaces by number and interfaces define the unit of
 * packets' times, so a reader has to remember the descriptions of its section: that is struct
 * slt_pcapng_section, the only state. What is written has one section and nanosecond times.
 */
#ifndef SLT_WIRE_PCAPNG_H
#define SLT_WIRE_PCAPNG_H

#include "wire/capture.h"

/* Interfaces of one section beyond this many are not remembered; their packets are OTHER. */
#define SLT_PCAPNG_INTERFACES_MAX 64

struct slt_pcapng_interface {
    uint16_t linktype;
    uint8_t resolution;  /* if_tsresol: 9 is nanoseconds, 6 (the default) microseconds; with bit 7
                            set the others count powers of two. Emit takes only 9 */
    uint32_t snap_bytes; /* 0: unlimited */
    int64_t offset_s;    /* if_tsoffset, added to the packets' times; emit takes only 0 */
};

struct slt_pcapng_section {
    bool little_endian;
    bool open;                /* a section header has been read */
    uint32_t interface_count; /* as described, remembered or not */
    struct slt_pcapng_interface interfaces[SLT_PCAPNG_INTERFACES_MAX];
};

enum slt_pcapng_kind {
    SLT_PCAPNG_OTHER, /* stepped over: copy it through or leave it */
    SLT_PCAPNG_SECTION,
    SLT_PCAPNG_INTERFACE,
    SLT_PCAPNG_PACKET
};

struct slt_pcapng_block {
    enum slt_pcapng_kind kind;
    uint32_t type;       /* as in the file */
    uint32_t bytes;      /* the whole block: where the next one starts */
    const char *comment; /* borrowed, not NUL-terminated; NULL when there is none */
    uint32_t comment_bytes;
    const char *name; /* an interface's, borrowed, not NUL-terminated; NULL when there is none */
    uint32_t name_bytes;
    struct slt_pcapng_interface interface; /* when kind is INTERFACE */
    struct slt_capture_packet packet;      /* when kind is PACKET, its comment included */
};

/* Read the block at the start of `bytes` and remember in `section` what later blocks need.
 * `*section` starts as zeros. SLT_CAPTURE_OK, _CUT (nothing was remembered; come again with more),
 * _MALFORMED, or _FOREIGN when the first block is no section header. */
SLT_MUST_USE enum slt_capture_status slt_pcapng_parse(struct slt_pcapng_section *section,
                                                      struct slt_span bytes,
                                                      struct slt_pcapng_block *out);

/* Write a section header; `application` (NUL-terminated) may be NULL. Bytes, 0 if no room. */
uint32_t slt_pcapng_section_emit(const char *application, const char *comment,
                                 struct slt_writer *w);

/* Write an interface description with nanosecond times; `name` may be NULL. */
uint32_t slt_pcapng_interface_emit(const struct slt_pcapng_interface *interface, const char *name,
                                   struct slt_writer *w);

/* Write an enhanced packet block: data, comment and direction where there are some. */
uint32_t slt_pcapng_packet_emit(const struct slt_capture_packet *packet, struct slt_writer *w);

/* Bytes that slt_pcapng_packet_emit would write. */
uint32_t slt_pcapng_packet_bytes(const struct slt_capture_packet *packet);

/* "packet if 0 at 1.000000000 in, length 60 of 1514, comment 12 bytes"; snprintf's count. */
int slt_pcapng_print(const struct slt_pcapng_block *block, char *out, size_t size);

#endif
