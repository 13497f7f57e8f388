/* The pcapng sink; capture.h tells what it writes. */
#define _GNU_SOURCE 1
#include "link/capture.h"

#include "wire/pcapng.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for several of the longest blocks. */
#define BUFFER_BYTES (512U * 1024U)
#define FRAME_MAX    (SLT_LINK_FRAME_MAX + 256U)

struct capture {
    struct slt_tee_sink sink; /* first: a sink is a capture */
    struct slt_capture_params params;
    uint64_t count;
    int failed; /* errno value of the write that ended it */
    uint32_t held_bytes;
    uint8_t buffer[BUFFER_BYTES];
    uint8_t frame[FRAME_MAX]; /* the frame being written, in one piece */
};

static struct capture *capture_of(struct slt_tee_sink *sink)
{
    return (struct capture *)(void *)sink;
}

static const struct capture *capture_of_const(const struct slt_tee_sink *sink)
{
    return (const struct capture *)(const void *)sink;
}

/* A descriptor may be non-blocking (a pipe to a viewer): then wait for room. */
static bool wait_for_room(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    return poll(&wanted, 1, 1000) > 0;
}

static void write_all(struct capture *c)
{
    uint32_t at = 0;
    while (at < c->held_bytes && c->failed == 0) {
        ssize_t put = write(c->params.fd, c->buffer + at, c->held_bytes - at);
        if (put > 0) {
            at += (uint32_t)put;
        } else if (put < 0 && errno != EINTR && (errno != EAGAIN || !wait_for_room(c->params.fd))) {
            c->failed = errno;
        }
    }
    c->held_bytes = 0;
}

/* Gather a frame into one piece, with its checksum completed. Returns its bytes. */
static uint32_t gather(struct capture *c, const struct slt_frame_view *view)
{
    struct slt_frame_view whole = *view;
    struct slt_segmenter s;
    /* Not to be cut: a super-frame is completed as the one long segment it is shown as. */
    whole.gso_bytes = 0;
    if (view->bytes > FRAME_MAX) {
        return 0;
    }
    if (!slt_segmenter_init(&s, &whole)) {
        whole.checksum = SLT_SEGMENT_COMPLETE;
        bool plain = slt_segmenter_init(&s, &whole);
        SLT_ASSERT(plain);
    }
    slt_segmenter_next(&s, c->frame);
    return view->bytes;
}

static void capture_take(struct slt_tee_sink *sink, const struct slt_tee_frame *frame)
{
    struct capture *c = capture_of(sink);
    const struct slt_capture_params *p = &c->params;
    uint32_t bytes = c->failed == 0 ? gather(c, &frame->view) : 0;
    if (bytes == 0) {
        return;
    }
    const char *comment = p->comment_of ? p->comment_of(p->comment_ctx, frame) : NULL;
    size_t comment_bytes = comment ? strnlen(comment, SLT_CAPTURE_COMMENT_MAX) : 0;
    const struct slt_capture_packet packet = {
        .at_ns = frame->at_ns + p->epoch_ns,
        .original_bytes = bytes,
        .direction = frame->outbound ? SLT_CAPTURE_OUTBOUND : SLT_CAPTURE_INBOUND,
        .data = c->frame,
        .bytes = p->snap_bytes > 0 ? slt_min32(bytes, p->snap_bytes) : bytes,
        .comment = comment,
        .comment_bytes = (uint32_t)comment_bytes,
    };
    if (slt_pcapng_packet_bytes(&packet) > BUFFER_BYTES - c->held_bytes) {
        write_all(c);
    }
    struct slt_writer w = slt_writer_of(c->buffer + c->held_bytes, BUFFER_BYTES - c->held_bytes);
    c->held_bytes += slt_pcapng_packet_emit(&packet, &w);
    c->count++;
}

static void capture_close(struct slt_tee_sink *sink)
{
    struct capture *c = capture_of(sink);
    write_all(c);
    close(c->params.fd);
    free(c);
}

enum salut_status slt_capture_open(const struct slt_capture_params *params,
                                   struct slt_tee_sink **sink)
{
    struct capture *c = calloc(1, sizeof(*c));
    if (!c) {
        return SALUT_NO_MEMORY;
    }
    c->sink = (struct slt_tee_sink){.take = capture_take, .close = capture_close};
    c->params = *params;
    const struct slt_pcapng_interface interface = {
        .linktype = params->kind == SALUT_LINK_ETHERNET ? SLT_LINKTYPE_ETHERNET : SLT_LINKTYPE_RAW,
        .resolution = 9,
        .snap_bytes = params->snap_bytes,
    };
    struct slt_writer w = slt_writer_of(c->buffer, BUFFER_BYTES);
    uint32_t section_bytes = slt_pcapng_section_emit("salut", params->comment, &w);
    uint32_t interface_bytes = slt_pcapng_interface_emit(&interface, params->name, &w);
    c->held_bytes = section_bytes + interface_bytes;
    if (section_bytes > 0 && interface_bytes > 0) {
        write_all(c); /* at once: a wrong descriptor shows here, and a viewer can start */
    }
    if (section_bytes == 0 || interface_bytes == 0 || c->failed != 0) {
        free(c);
        return SALUT_INVALID;
    }
    c->params.name = NULL; /* borrowed for the head only */
    c->params.comment = NULL;
    *sink = &c->sink;
    return SALUT_OK;
}

bool slt_capture_flush(struct slt_tee_sink *sink)
{
    struct capture *c = capture_of(sink);
    write_all(c);
    return c->failed == 0;
}

int slt_capture_failed(const struct slt_tee_sink *sink)
{
    return capture_of_const(sink)->failed;
}

uint64_t slt_capture_count(const struct slt_tee_sink *sink)
{
    return capture_of_const(sink)->count;
}
