/* Where salut capture writes: one pcapng file, a ring of them, or standard output.
 *
 * A ring's youngest file has the name that was given; when it is full it becomes NAME.1, what was
 * NAME.1 becomes NAME.2, and so on. Every file is whole in itself.
 */
#ifndef SLT_CLI_CAPTURE_FILES_H
#define SLT_CLI_CAPTURE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slt_capture_packet;
struct slt_live_interface;

struct slt_capture_files_ask {
    const char *path;   /* "-": standard output */
    int64_t bytes_max;  /* of a file; 0: no bound */
    int64_t files_max;  /* kept, the one being written included */
    int64_t packet_max; /* in all; 0: no bound */
    const struct slt_live_interface *interfaces;
    size_t interface_count;
    uint32_t snap_bytes;
    const char *comment; /* about the whole; NULL: none */
};

struct slt_capture_files;

/* Returns 0 or a negative errno value. */
int slt_capture_files_open(const struct slt_capture_files_ask *ask,
                           struct slt_capture_files **files);

/* Write one; for struct slt_live_comment_ask.emit. Beyond packet_max it does nothing. */
void slt_capture_files_packet(void *files, const struct slt_capture_packet *packet);

/* Write out what is in memory. Returns the errno value of the first failure, or 0. */
int slt_capture_files_flush(struct slt_capture_files *files);

uint64_t slt_capture_files_count(const struct slt_capture_files *files);
bool slt_capture_files_full(const struct slt_capture_files *files); /* packet_max is reached */

/* Close and free. Returns as flush does. */
int slt_capture_files_close(struct slt_capture_files *files);

#endif
