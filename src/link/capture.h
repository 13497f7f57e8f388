/* A tee's sink that writes pcapng to a file descriptor.
 *
 * Each frame becomes an enhanced packet block with its direction and a comment, if the supplier
 * has one for it. Super-frames stay whole, as any capture on this machine shows them; checksums
 * that a link would have completed are completed in the copy, so that a reader finds none wrong
 * that is not. Blocks are collected in memory and written in large pieces; a write that fails ends
 * the capture (slt_capture_failed), never the traffic.
 */
#ifndef SLT_LINK_CAPTURE_H
#define SLT_LINK_CAPTURE_H

#include "link/tee.h"

#define SLT_CAPTURE_COMMENT_MAX 4096U

struct slt_capture_params {
    int fd; /* where to write; closed with the sink */
    enum salut_link_kind kind;
    const char *name;    /* of the interface; NULL: none */
    const char *comment; /* about the whole capture; NULL: none */
    uint32_t snap_bytes; /* bytes kept of a frame; 0: all */
    int64_t epoch_ns;    /* added to the stack's time: nanoseconds since 1970 at its time 0 */
    /* A comment for a frame, NUL-terminated UTF-8, valid until the next call; NULL: none. May be
     * NULL itself. Asked for frames in when the stack has processed them. */
    const char *(*comment_of)(void *ctx, const struct slt_tee_frame *frame);
    void *comment_ctx;
};

/* Make a sink and write the file's head. On failure the descriptor stays open.
 *
 * Returns SALUT_OK, SALUT_INVALID (the head cannot be written), SALUT_NO_MEMORY. */
enum salut_status slt_capture_open(const struct slt_capture_params *params,
                                   struct slt_tee_sink **sink);

/* Write what is still in memory. False when the capture has failed. */
bool slt_capture_flush(struct slt_tee_sink *sink);

/* The errno value of the write that ended the capture; 0 while it goes well. */
int slt_capture_failed(const struct slt_tee_sink *sink);

/* Frames written so far, those still in memory included. */
uint64_t slt_capture_count(const struct slt_tee_sink *sink);

#endif
