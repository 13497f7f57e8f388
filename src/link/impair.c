/* Impair: the decorator around a link. impair.h tells what happens to frames, impair_path.c does
 * it, one path a direction.
 *
 * Out: send cuts each frame into wire frames and puts them on the out path, so that it always takes
 * all; what is due goes to the wrapped link in batches, at once and at each poll.
 * In: receive first drains the wrapped link onto the in path, then lends what is due. A direction
 * without faults goes straight to the wrapped link.
 */
#include "link/impair.h"

#include "link/impair_path.h"
#include "link/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Batches the wrapped link is asked for in one receive: work per turn stays bounded. */
#define DRAIN_BATCHES 4

struct impair {
    struct slt_link link; /* first: a link is an impair */
    struct slt_link *inner;
    struct slt_impair_path out;
    struct slt_impair_path in;
    bool lent_inner; /* the frames lent are the wrapped link's own */
    uint32_t lent_count;
    struct slt_frame_buf *lent[SLT_LINK_BATCH_MAX];
    struct salut_tx_frame flush[SLT_LINK_BATCH_MAX];
};

static struct impair *impair_of(struct slt_link *link)
{
    return (struct impair *)(void *)link;
}

static const struct impair *impair_of_const(const struct slt_link *link)
{
    return (const struct impair *)(const void *)link;
}

static void put_frame(struct impair *im, struct slt_impair_path *path,
                      const struct slt_frame_view *view, int64_t now_ns)
{
    enum slt_link_drop drop = slt_impair_path_put_frame(path, view, now_ns);
    if (drop != SLT_LINK_DROP_COUNT) {
        slt_link_count_drop(&im->link, drop);
    }
}

/* ---- out ---------------------------------------------------------------------------------- */

/* Hand over what is due. A batch is taken off the path first and put back as far as the wrapped
 * link does not take it: its frames are still the first that are due. */
static void flush_out(struct impair *im, int64_t now_ns)
{
    size_t count;
    size_t taken;
    do {
        struct slt_frame_buf *bufs[SLT_LINK_BATCH_MAX];
        count = 0;
        while (count < SLT_LINK_BATCH_MAX && slt_impair_path_peek(&im->out, now_ns)) {
            bufs[count] = slt_impair_path_take(&im->out, now_ns);
            slt_impair_dress(bufs[count], im->out.kind, &im->flush[count]);
            count++;
        }
        taken = slt_link_send(im->inner, im->flush, count, now_ns);
        for (size_t i = 0; i < taken; i++) {
            slt_frame_pool_give(&im->out.pool, bufs[i]);
        }
        for (size_t i = taken; i < count; i++) {
            slt_impair_path_return(&im->out, bufs[i]);
        }
    } while (count == SLT_LINK_BATCH_MAX && taken == count);
}

static size_t impair_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                          int64_t now_ns)
{
    struct impair *im = impair_of(link);
    if (!slt_impair_path_active(&im->out)) {
        return slt_link_send(im->inner, frames, count, now_ns);
    }
    for (size_t i = 0; i < count; i++) {
        struct slt_frame_view view = slt_frame_view_of_tx(&frames[i], im->out.kind);
        put_frame(im, &im->out, &view, now_ns);
    }
    flush_out(im, now_ns);
    return count;
}

/* ---- in ----------------------------------------------------------------------------------- */

static void drain_inner(struct impair *im, struct salut_rx_frame *frames, size_t max,
                        int64_t now_ns)
{
    size_t count = max;
    for (int i = 0; i < DRAIN_BATCHES && count == max; i++) {
        count = slt_link_receive(im->inner, frames, max, now_ns);
        for (size_t k = 0; k < count; k++) {
            struct slt_frame_view view = slt_frame_view_of_rx(&frames[k], im->in.kind);
            put_frame(im, &im->in, &view, now_ns);
        }
        slt_link_release(im->inner);
    }
}

static size_t impair_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                             int64_t now_ns)
{
    struct impair *im = impair_of(link);
    if (!slt_impair_path_active(&im->in)) {
        im->lent_inner = true;
        return slt_link_receive(im->inner, frames, max, now_ns);
    }
    drain_inner(im, frames, max, now_ns);
    size_t count = 0;
    for (; count < max && slt_impair_path_peek(&im->in, now_ns); count++) {
        struct slt_frame_buf *buf = slt_impair_path_take(&im->in, now_ns);
        im->lent[count] = buf;
        frames[count] = (struct salut_rx_frame){.data = buf->data, .bytes = buf->bytes};
    }
    im->lent_count = (uint32_t)count;
    return count;
}

static void impair_release(struct slt_link *link)
{
    struct impair *im = impair_of(link);
    if (im->lent_inner) {
        im->lent_inner = false;
        slt_link_release(im->inner);
    }
    for (; im->lent_count > 0; im->lent_count--) {
        slt_frame_pool_give(&im->in.pool, im->lent[im->lent_count - 1]);
    }
}

/* ---- the rest of a link ------------------------------------------------------------------- */

static int64_t impair_next_deadline(const struct slt_link *link)
{
    const struct impair *im = impair_of_const(link);
    int64_t due_ns = slt_min64(slt_impair_path_due(&im->in), slt_link_next_deadline(im->inner));
    /* While the wrapped link is full, room there is what to wait for, not time. */
    if (slt_link_wants_write(im->inner) && slt_link_fd(im->inner) >= 0) {
        return due_ns;
    }
    return slt_min64(due_ns, slt_impair_path_due(&im->out));
}

static void impair_poll(struct slt_link *link, int64_t now_ns)
{
    struct impair *im = impair_of(link);
    slt_link_poll(im->inner, now_ns);
    flush_out(im, now_ns);
}

static int impair_fd(const struct slt_link *link)
{
    return slt_link_fd(impair_of_const(link)->inner);
}

static bool impair_wants_write(const struct slt_link *link)
{
    return slt_link_wants_write(impair_of_const(link)->inner);
}

static void impair_close(struct slt_link *link)
{
    struct impair *im = impair_of(link);
    slt_link_close(im->inner);
    slt_impair_path_deinit(&im->out);
    slt_impair_path_deinit(&im->in);
    free(im);
}

static const struct slt_link_ops impair_ops = {
    .receive = impair_receive,
    .release = impair_release,
    .send = impair_send,
    .next_deadline = impair_next_deadline,
    .poll = impair_poll,
    .fd = impair_fd,
    .wants_write = impair_wants_write,
    .close = impair_close,
};

enum salut_status slt_impair_set(struct slt_link *link, const struct slt_impair_params *params)
{
    struct impair *im = impair_of(link);
    SLT_ASSERT(link->ops == &impair_ops);
    if (!slt_path_valid(&params->out) || !slt_path_valid(&params->in)) {
        return SALUT_INVALID;
    }
    im->out.model.params = params->out;
    im->in.model.params = params->in;
    link->caps.rx_checksum = im->inner->caps.rx_checksum;
    return SALUT_OK;
}

enum salut_status slt_impair_open(struct slt_link *inner, const struct slt_impair_params *params,
                                  struct slt_link **link)
{
    struct impair *im = calloc(1, sizeof(*im));
    if (!im) {
        slt_link_close(inner);
        return SALUT_NO_MEMORY;
    }
    im->inner = inner;
    im->link.ops = &impair_ops;
    im->link.caps = inner->caps;
    memcpy(im->link.name, inner->name, sizeof(im->link.name));
    slt_impair_path_init(&im->out, params->seed, 0, inner->caps.kind);
    slt_impair_path_init(&im->in, params->seed, 1, inner->caps.kind);
    enum salut_status status = slt_impair_set(&im->link, params);
    if (status != SALUT_OK) {
        impair_close(&im->link);
        return status;
    }
    *link = &im->link;
    return SALUT_OK;
}

const struct slt_path_counters *slt_impair_counters_out(const struct slt_link *link)
{
    SLT_ASSERT(link->ops == &impair_ops);
    return &impair_of_const(link)->out.model.counters;
}

const struct slt_path_counters *slt_impair_counters_in(const struct slt_link *link)
{
    SLT_ASSERT(link->ops == &impair_ops);
    return &impair_of_const(link)->in.model.counters;
}

uint32_t slt_impair_held(const struct slt_link *link)
{
    SLT_ASSERT(link->ops == &impair_ops);
    return impair_of_const(link)->out.heap_count + impair_of_const(link)->in.heap_count;
}

static int print_line(const char *direction, const struct slt_path_counters *c, char *out,
                      size_t size)
{
    return snprintf(out, size,
                    "impair %-3s frames %" PRIu64 " lost %" PRIu64 " duplicated %" PRIu64
                    " reordered %" PRIu64 " corrupted %" PRIu64 " overflowed %" PRIu64
                    " passed %" PRIu64 "\n",
                    direction, c->seen, c->lost, c->duplicated, c->reordered, c->corrupted,
                    c->overflowed, c->passed);
}

int slt_impair_print(const struct slt_link *link, char *out, size_t size)
{
    int first = print_line("out", slt_impair_counters_out(link), out, size);
    size_t used = (size_t)first < size ? (size_t)first : size;
    char *rest = size > 0 ? out + used : out;
    return first + print_line("in", slt_impair_counters_in(link), rest, size - used);
}
