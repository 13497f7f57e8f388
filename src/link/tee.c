/* The tee decorator; tee.h tells when a frame is shown. */
#include "link/tee.h"

#include <stdlib.h>
#include <string.h>

struct tee {
    struct slt_link link; /* first: a link is a tee */
    struct slt_link *inner;
    struct slt_tee_sink *sink;
    uint64_t number;
    int64_t lent_at_ns;
    size_t lent_count;
    struct salut_rx_frame lent[SLT_LINK_BATCH_MAX];
};

static struct tee *tee_of(struct slt_link *link)
{
    return (struct tee *)(void *)link;
}

static const struct tee *tee_of_const(const struct slt_link *link)
{
    return (const struct tee *)(const void *)link;
}

static void show(struct tee *tee, struct slt_frame_view view, bool outbound, int64_t at_ns)
{
    const struct slt_tee_frame frame = {
        .view = view, .outbound = outbound, .at_ns = at_ns, .number = tee->number};
    tee->number++;
    tee->sink->take(tee->sink, &frame);
}

static size_t tee_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                          int64_t now_ns)
{
    struct tee *tee = tee_of(link);
    size_t count = slt_link_receive(tee->inner, frames, max, now_ns);
    memcpy(tee->lent, frames, count * sizeof(*frames));
    tee->lent_count = count;
    tee->lent_at_ns = now_ns;
    return count;
}

static void tee_release(struct slt_link *link)
{
    struct tee *tee = tee_of(link);
    for (size_t i = 0; i < tee->lent_count; i++) {
        show(tee, slt_frame_view_of_rx(&tee->lent[i], link->caps.kind), false, tee->lent_at_ns);
    }
    tee->lent_count = 0;
    slt_link_release(tee->inner);
}

static size_t tee_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                       int64_t now_ns)
{
    struct tee *tee = tee_of(link);
    size_t taken = slt_link_send(tee->inner, frames, count, now_ns);
    for (size_t i = 0; i < taken; i++) {
        show(tee, slt_frame_view_of_tx(&frames[i], link->caps.kind), true, now_ns);
    }
    return taken;
}

static int64_t tee_next_deadline(const struct slt_link *link)
{
    return slt_link_next_deadline(tee_of_const(link)->inner);
}

static void tee_poll(struct slt_link *link, int64_t now_ns)
{
    slt_link_poll(tee_of(link)->inner, now_ns);
}

static int tee_fd(const struct slt_link *link)
{
    return slt_link_fd(tee_of_const(link)->inner);
}

static bool tee_wants_write(const struct slt_link *link)
{
    return slt_link_wants_write(tee_of_const(link)->inner);
}

static void tee_close(struct slt_link *link)
{
    struct tee *tee = tee_of(link);
    slt_link_close(tee->inner);
    if (tee->sink->close) {
        tee->sink->close(tee->sink);
    }
    free(tee);
}

static const struct slt_link_ops tee_ops = {
    .receive = tee_receive,
    .release = tee_release,
    .send = tee_send,
    .next_deadline = tee_next_deadline,
    .poll = tee_poll,
    .fd = tee_fd,
    .wants_write = tee_wants_write,
    .close = tee_close,
};

enum salut_status slt_tee_open(struct slt_link *inner, struct slt_tee_sink *sink,
                               struct slt_link **link)
{
    struct tee *tee = calloc(1, sizeof(*tee));
    if (!tee) {
        slt_link_close(inner);
        return SALUT_NO_MEMORY;
    }
    tee->link.ops = &tee_ops;
    tee->link.caps = inner->caps;
    memcpy(tee->link.name, inner->name, sizeof(tee->link.name));
    tee->inner = inner;
    tee->sink = sink;
    *link = &tee->link;
    return SALUT_OK;
}
