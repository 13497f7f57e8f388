/* See explain_file.h. */
#include "observe/explain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_FIRST (1U << 18)
#define BUFFER_MAX   (SLT_CAPTURE_PACKET_MAX + (2U << 20))

static bool map(struct slt_explain_file *file)
{
    struct stat st;
    if (fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
        return false;
    }
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (data == MAP_FAILED) {
        return false;
    }
    (void)madvise(data, (size_t)st.st_size, MADV_SEQUENTIAL);
    file->mapped = true;
    file->ended = true;
    file->data = data;
    file->bytes = (size_t)st.st_size;
    return true;
}

bool slt_explain_file_open(struct slt_explain_file *file, const char *path)
{
    memset(file, 0, sizeof(*file));
    bool standard = strcmp(path, "-") == 0;
    struct stat st;
    file->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        return false;
    }
    if (fstat(file->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)close(file->fd);
        errno = EISDIR;
        return false;
    }
    if (map(file)) {
        return true;
    }
    file->buffer = malloc(BUFFER_FIRST);
    file->room = BUFFER_FIRST;
    file->data = file->buffer;
    if (file->buffer == NULL && !standard) {
        (void)close(file->fd);
    }
    return file->buffer != NULL;
}

void slt_explain_file_close(struct slt_explain_file *file)
{
    if (file->mapped) {
        (void)munmap((void *)(uintptr_t)file->data, file->bytes);
    }
    free(file->buffer);
    if (file->fd != STDIN_FILENO) {
        (void)close(file->fd);
    }
}

bool slt_explain_file_rewind(struct slt_explain_file *file)
{
    file->at = 0;
    file->begun = false;
    memset(&file->section, 0, sizeof(file->section));
    return file->mapped;
}

/* Make room at the end of a pipe's buffer. False when an item is larger than any may be. */
static bool make_room(struct slt_explain_file *file)
{
    if (file->at > 0) {
        file->bytes -= file->at;
        memmove(file->buffer, file->buffer + file->at, file->bytes);
        file->at = 0;
    }
    if (file->bytes < file->room) {
        return true;
    }
    if (file->room >= BUFFER_MAX) {
        return false;
    }
    uint8_t *buffer = realloc(file->buffer, file->room * 2);
    if (buffer == NULL) {
        return false;
    }
    file->buffer = buffer;
    file->data = buffer;
    file->room *= 2;
    return true;
}

/* Read more of a pipe. False: there is no more, or it is of no use. */
static bool read_more(struct slt_explain_file *file)
{
    if (file->ended || !make_room(file)) {
        return false;
    }
    for (;;) {
        ssize_t got = read(file->fd, file->buffer + file->bytes, file->room - file->bytes);
        if (got > 0) {
            file->bytes += (size_t)got;
            return true;
        }
        if (got == 0 || errno != EINTR) {
            file->ended = true;
            return false;
        }
    }
}

/* What is there; a window where the file is larger than a span. */
static struct slt_span rest_of(const struct slt_explain_file *file)
{
    size_t left = file->bytes - file->at;
    left = left > BUFFER_MAX ? BUFFER_MAX : left;
    return (struct slt_span){file->data + file->at, (uint32_t)left};
}

static enum slt_capture_status begin(struct slt_explain_file *file)
{
    enum slt_capture_status status = slt_pcap_header_parse(rest_of(file), &file->pcap);
    if (status == SLT_CAPTURE_OK) {
        file->classic = true;
        file->at += SLT_PCAP_HEADER_BYTES;
    }
    file->begun = status != SLT_CAPTURE_CUT;
    return status == SLT_CAPTURE_FOREIGN ? SLT_CAPTURE_OK : status;
}

static enum slt_capture_status take_classic(struct slt_explain_file *file,
                                            struct slt_capture_packet *packet, uint16_t *linktype)
{
    uint32_t used;
    enum slt_capture_status status =
        slt_pcap_record_parse(&file->pcap, rest_of(file), packet, &used);
    file->at += used;
    *linktype = file->pcap.linktype;
    return status;
}

/* One block; *is_packet says whether it was one. */
static enum slt_capture_status take_block(struct slt_explain_file *file,
                                          struct slt_capture_packet *packet, uint16_t *linktype,
                                          bool *is_packet)
{
    enum slt_capture_status status = slt_pcapng_parse(&file->section, rest_of(file), &file->block);
    *is_packet = false;
    if (status != SLT_CAPTURE_OK) {
        return status;
    }
    file->at += file->block.bytes;
    if (file->block.kind == SLT_PCAPNG_PACKET) {
        *is_packet = true;
        *packet = file->block.packet;
        *linktype = file->section.interfaces[packet->interface_index].linktype;
    }
    return SLT_CAPTURE_OK;
}

enum slt_explain_read slt_explain_file_next(struct slt_explain_file *file,
                                            struct slt_capture_packet *packet, uint16_t *linktype)
{
    for (;;) {
        bool is_packet = false;
        enum slt_capture_status status;
        if (!file->begun) {
            status = begin(file);
        } else if (file->classic) {
            status = take_classic(file, packet, linktype);
            is_packet = status == SLT_CAPTURE_OK;
        } else {
            status = take_block(file, packet, linktype, &is_packet);
        }
        if (is_packet) {
            return SLT_READ_PACKET;
        }
        if (status == SLT_CAPTURE_CUT && !read_more(file)) {
            bool whole = file->begun && file->at == file->bytes;
            return whole ? SLT_READ_END : file->begun ? SLT_READ_CUT : SLT_READ_FOREIGN;
        }
        if (status == SLT_CAPTURE_MALFORMED || status == SLT_CAPTURE_FOREIGN) {
            return status == SLT_CAPTURE_FOREIGN ? SLT_READ_FOREIGN : SLT_READ_MALFORMED;
        }
    }
}

const char *slt_explain_read_text(enum slt_explain_read read)
{
    switch (read) {
    case SLT_READ_CUT:
        return "the file ends within a packet";
    case SLT_READ_MALFORMED:
        return "the file is damaged: the rest cannot be read";
    case SLT_READ_FOREIGN:
        return "this is no capture file (neither pcap nor pcapng)";
    case SLT_READ_ERROR:
    case SLT_READ_PACKET:
    case SLT_READ_END:
        break;
    }
    return "";
}
