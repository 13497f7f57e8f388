/* See capture_files.h.
 */
#include "cli/capture_files.h"

#include "observe/live_linux.h"
#include "salut/version.h"
#include "wire/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (SLT_LIVE_SNAP_BYTES + 65536U) /* the largest packet with a comment */
#define PATH_BYTES   4096

struct slt_capture_files {
    struct slt_capture_files_ask ask;
    FILE *to;
    uint64_t count;
    int64_t bytes; /* of this file */
    int failed;    /* errno value of the first failure */
    uint8_t buffer[BUFFER_BYTES];
};

static void fail(struct slt_capture_files *f)
{
    if (f->failed == 0) {
        f->failed = errno == 0 ? EIO : errno;
    }
}

static void put(struct slt_capture_files *f, uint32_t bytes)
{
    if (bytes == 0 || fwrite(f->buffer, 1, bytes, f->to) != bytes) {
        fail(f);
    }
    f->bytes += bytes;
}

static void put_head(struct slt_capture_files *f)
{
    struct slt_writer w = slt_writer_of(f->buffer, BUFFER_BYTES);
    f->bytes = 0;
    put(f, slt_pcapng_section_emit("salut " SALUT_VERSION_STRING, f->ask.comment, &w));
    for (size_t i = 0; i < f->ask.interface_count; i++) {
        const struct slt_pcapng_interface interface = {.linktype = f->ask.interfaces[i].linktype,
                                                       .resolution = 9,
                                                       .snap_bytes = f->ask.snap_bytes};
        w = slt_writer_of(f->buffer, BUFFER_BYTES);
        put(f, slt_pcapng_interface_emit(&interface, f->ask.interfaces[i].name, &w));
    }
}

static int open_file(struct slt_capture_files *f)
{
    f->to = strcmp(f->ask.path, "-") == 0 ? stdout : fopen(f->ask.path, "we");
    if (f->to == NULL) {
        return -errno;
    }
    put_head(f);
    return fflush(f->to) != 0 ? -errno : -f->failed; /* a viewer can start */
}

static void name_of(const struct slt_capture_files *f, int64_t number, char path[PATH_BYTES])
{
    if (number == 0) {
        (void)snprintf(path, PATH_BYTES, "%s", f->ask.path);
    } else {
        (void)snprintf(path, PATH_BYTES, "%s.%lld", f->ask.path, (long long)number);
    }
}

/* Every name moves on by one; the last falls off. */
static void turn_over(struct slt_capture_files *f)
{
    char from[PATH_BYTES];
    char to[PATH_BYTES];
    if (fclose(f->to) != 0) {
        fail(f);
    }
    f->to = NULL;
    for (int64_t i = f->ask.files_max - 1; i > 0; i--) {
        name_of(f, i - 1, from);
        name_of(f, i, to);
        if (rename(from, to) != 0 && errno != ENOENT) {
            fail(f);
        }
    }
    if (open_file(f) < 0) {
        fail(f);
    }
}

int slt_capture_files_open(const struct slt_capture_files_ask *ask,
                           struct slt_capture_files **files)
{
    struct slt_capture_files *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return -ENOMEM;
    }
    f->ask = *ask;
    int result = open_file(f);
    if (result < 0) {
        if (f->to != NULL && f->to != stdout) {
            (void)fclose(f->to);
        }
        free(f);
        return result;
    }
    *files = f;
    return 0;
}

void slt_capture_files_packet(void *files, const struct slt_capture_packet *packet)
{
    struct slt_capture_files *f = files;
    if (f->failed != 0 || slt_capture_files_full(f)) {
        return;
    }
    int64_t bytes = slt_pcapng_packet_bytes(packet);
    if (f->ask.bytes_max > 0 && f->bytes + bytes > f->ask.bytes_max) {
        turn_over(f);
    }
    if (f->to != NULL) {
        struct slt_writer w = slt_writer_of(f->buffer, BUFFER_BYTES);
        put(f, slt_pcapng_packet_emit(packet, &w));
        f->count++;
    }
}

int slt_capture_files_flush(struct slt_capture_files *f)
{
    if (f->to != NULL && fflush(f->to) != 0) {
        fail(f);
    }
    return f->failed;
}

uint64_t slt_capture_files_count(const struct slt_capture_files *f)
{
    return f->count;
}

bool slt_capture_files_full(const struct slt_capture_files *f)
{
    return f->ask.packet_max > 0 && f->count >= (uint64_t)f->ask.packet_max;
}

int slt_capture_files_close(struct slt_capture_files *f)
{
    int failed = slt_capture_files_flush(f);
    if (f->to != NULL && f->to != stdout && fclose(f->to) != 0 && failed == 0) {
        failed = errno;
    }
    free(f);
    return failed;
}
