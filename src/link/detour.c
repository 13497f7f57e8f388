/* See detour.h. */
#include "link/detour.h"

#include "link/loopback.h"

#include <stdlib.h>
#include <string.h>

#define MAC_BYTES 6U

struct detour {
    struct slt_link link; /* first: a link is a detour */
    struct slt_link *inner;
    struct slt_link *loop;
};

static struct detour *detour_of(struct slt_link *link)
{
    return (struct detour *)(void *)link;
}

static const struct detour *detour_of_const(const struct slt_link *link)
{
    return (const struct detour *)(const void *)link;
}

/* From an address to the same: all that an IP packet alone can tell. */
static bool is_to_sender(const uint8_t *ip, uint32_t bytes)
{
    if (bytes >= 20 && ip[0] >> 4 == 4) {
        return memcmp(&ip[12], &ip[16], 4) == 0;
    }
    return bytes >= 40 && ip[0] >> 4 == 6 && memcmp(&ip[8], &ip[24], 16) == 0;
}

static bool is_own(const struct detour *d, const struct salut_tx_frame *frame)
{
    if (d->link.caps.kind != SALUT_LINK_ETHERNET) {
        return is_to_sender(frame->header, frame->header_bytes);
    }
    return frame->header_bytes >= MAC_BYTES &&
           memcmp(frame->header, d->link.caps.mac, MAC_BYTES) == 0;
}

static size_t detour_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                             int64_t now_ns)
{
    struct detour *d = detour_of(link);
    size_t own = slt_link_receive(d->loop, frames, max / 2, now_ns);
    for (size_t i = 0; i < own; i++) {
        frames[i].own = 1;
    }
    return own + slt_link_receive(d->inner, &frames[own], max - own, now_ns);
}

static void detour_release(struct slt_link *link)
{
    slt_link_release(detour_of(link)->loop);
    slt_link_release(detour_of(link)->inner);
}

/* Runs of frames of one kind go together; the first that is not taken ends the batch. */
static size_t detour_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                          int64_t now_ns)
{
    struct detour *d = detour_of(link);
    size_t done = 0;
    while (done < count) {
        bool own = is_own(d, &frames[done]);
        size_t end = done + 1;
        while (end < count && is_own(d, &frames[end]) == own) {
            end++;
        }
        size_t taken = slt_link_send(own ? d->loop : d->inner, &frames[done], end - done, now_ns);
        done += taken;
        if (done < end) {
            break;
        }
    }
    return done;
}

static int64_t detour_next_deadline(const struct slt_link *link)
{
    const struct detour *d = detour_of_const(link);
    return slt_min64(slt_link_next_deadline(d->loop), slt_link_next_deadline(d->inner));
}

static void detour_poll(struct slt_link *link, int64_t now_ns)
{
    slt_link_poll(detour_of(link)->inner, now_ns);
}

static int detour_fd(const struct slt_link *link)
{
    return slt_link_fd(detour_of_const(link)->inner);
}

static bool detour_wants_write(const struct slt_link *link)
{
    return slt_link_wants_write(detour_of_const(link)->inner);
}

static void detour_close(struct slt_link *link)
{
    slt_link_close(detour_of(link)->loop);
    free(detour_of(link));
}

static const struct slt_link_ops detour_ops = {
    .receive = detour_receive,
    .release = detour_release,
    .send = detour_send,
    .next_deadline = detour_next_deadline,
    .poll = detour_poll,
    .fd = detour_fd,
    .wants_write = detour_wants_write,
    .close = detour_close,
};

enum salut_status slt_detour_open(struct slt_link *inner_borrowed, struct slt_link **link)
{
    const struct slt_link_caps *caps = &inner_borrowed->caps;
    struct slt_loopback_params params = {
        .kind = caps->kind, .mtu = caps->mtu, .offload = caps->gso_max_bytes > 0};
    struct detour *d = calloc(1, sizeof(*d));
    memcpy(params.mac, caps->mac, sizeof(params.mac));
    if (d == NULL || slt_loopback_open(&params, &d->loop) != SALUT_OK) {
        free(d);
        return SALUT_NO_MEMORY;
    }
    d->link.ops = &detour_ops;
    d->link.caps = *caps;
    memcpy(d->link.name, inner_borrowed->name, sizeof(d->link.name));
    d->inner = inner_borrowed;
    *link = &d->link;
    return SALUT_OK;
}
