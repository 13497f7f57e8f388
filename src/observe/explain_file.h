/* Capture files, packet by packet: pcap and pcapng, from a file or a pipe.
 *
 * A regular file is mapped; anything else is read into a buffer that grows to the largest block.
 * Several sections, each with its interfaces, may follow one another.
 */
#ifndef SLT_OBSERVE_EXPLAIN_FILE_H
#define SLT_OBSERVE_EXPLAIN_FILE_H

#include "wire/pcap.h"
#include "wire/pcapng.h"

#include <stddef.h>

enum slt_explain_read {
    SLT_READ_PACKET,
    SLT_READ_END,
    SLT_READ_CUT,       /* the file ends within a packet */
    SLT_READ_MALFORMED, /* the rest cannot be read */
    SLT_READ_FOREIGN,   /* no capture file */
    SLT_READ_ERROR      /* errno tells */
};

struct slt_explain_file {
    int fd;
    bool mapped;
    bool classic;
    bool begun;
    bool ended; /* of what a pipe gives */
    const uint8_t *data;
    size_t bytes;
    size_t at;
    uint8_t *buffer; /* of a pipe */
    size_t room;
    struct slt_pcap_file pcap;
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
};

/* Open a file; "-" is standard input. False: errno tells. */
bool slt_explain_file_open(struct slt_explain_file *file, const char *path);
void slt_explain_file_close(struct slt_explain_file *file);

/* Again from the start. False for a pipe. */
bool slt_explain_file_rewind(struct slt_explain_file *file);

/* The next packet and its link type; it is borrowed until the next call. */
enum slt_explain_read slt_explain_file_next(struct slt_explain_file *file,
                                            struct slt_capture_packet *packet, uint16_t *linktype);

/* How far the reading is, in bytes of the file. */
static inline size_t slt_explain_file_at(const struct slt_explain_file *file)
{
    return file->at;
}

/* A sentence for everything but PACKET and END. */
const char *slt_explain_read_text(enum slt_explain_read read);

#endif
