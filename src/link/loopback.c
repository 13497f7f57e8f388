/* The loopback link: one channel, in which the link is its own peer. See loopback.h. */
#include "link/loopback.h"

#include "link/frame_pool.h"

#include <stdlib.h>
#include <string.h>

struct loopback {
    struct slt_link link; /* first: a link is a loopback */
    struct slt_frame_pool pool;
    struct slt_frame_channel channel;
    bool full; /* the last send stopped for want of room */
};

static struct loopback *loopback_of(struct slt_link *link)
{
    return (struct loopback *)(void *)link;
}

static const struct loopback *loopback_of_const(const struct slt_link *link)
{
    return (const struct loopback *)(const void *)link;
}

static size_t loopback_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                               int64_t now_ns)
{
    (void)now_ns;
    return slt_frame_channel_lend(&loopback_of(link)->channel, frames, max);
}

static void loopback_release(struct slt_link *link)
{
    struct loopback *lo = loopback_of(link);
    slt_frame_channel_release(&lo->channel, &lo->pool);
}

static size_t loopback_send(struct slt_link *link, const struct salut_tx_frame *frames,
                            size_t count, int64_t now_ns)
{
    struct loopback *lo = loopback_of(link);
    const struct slt_frame_passage passage = {
        .pool = &lo->pool, .to = &lo->channel, .caps = &link->caps};
    (void)now_ns;
    size_t taken = slt_frame_pass_batch(link, &passage, frames, count);
    lo->full = taken < count;
    return taken;
}

static int64_t loopback_next_deadline(const struct slt_link *link)
{
    return slt_frame_channel_empty(&loopback_of_const(link)->channel) ? SLT_NEVER
                                                                      : SLT_LINK_AT_ONCE;
}

static void loopback_poll(struct slt_link *link, int64_t now_ns)
{
    (void)link;
    (void)now_ns;
}

static int loopback_fd(const struct slt_link *link)
{
    (void)link;
    return -1;
}

static bool loopback_wants_write(const struct slt_link *link)
{
    return loopback_of_const(link)->full;
}

static void loopback_close(struct slt_link *link)
{
    struct loopback *lo = loopback_of(link);
    slt_frame_channel_deinit(&lo->channel);
    slt_frame_pool_deinit(&lo->pool);
    free(lo);
}

static const struct slt_link_ops loopback_ops = {
    .receive = loopback_receive,
    .release = loopback_release,
    .send = loopback_send,
    .next_deadline = loopback_next_deadline,
    .poll = loopback_poll,
    .fd = loopback_fd,
    .wants_write = loopback_wants_write,
    .close = loopback_close,
};

enum salut_status slt_loopback_open(const struct slt_loopback_params *params,
                                    struct slt_link **link)
{
    static const uint8_t none[6] = {0};
    static const uint8_t own[6] = {0x02, 0x73, 0x61, 0, 0, 1};
    uint32_t slots = params->slots ? params->slots : 256;
    uint32_t large_max = params->large_max ? params->large_max : 64;
    if (params->mtu < 68 || params->mtu > 65535 || (slots & (slots - 1)) != 0 || slots > 1U << 20) {
        return SALUT_INVALID;
    }
    struct loopback *lo = calloc(1, sizeof(*lo));
    if (!lo || !slt_frame_channel_init(&lo->channel, slots)) {
        free(lo);
        return SALUT_NO_MEMORY;
    }
    bool jumbo = params->mtu + 18U > SLT_FRAME_SMALL_MAX;
    slt_frame_pool_init(&lo->pool, slots, jumbo ? slt_max32(large_max, slots) : large_max);
    lo->link.ops = &loopback_ops;
    lo->link.caps = (struct slt_link_caps){
        .kind = params->kind,
        .mtu = params->mtu,
    };
    slt_frame_passage_caps(params->offload, slots, &lo->link.caps);
    if (params->kind == SALUT_LINK_ETHERNET) {
        memcpy(lo->link.caps.mac, memcmp(params->mac, none, 6) == 0 ? own : params->mac, 6);
    }
    memcpy(lo->link.name, "loopback", sizeof("loopback"));
    *link = &lo->link;
    return SALUT_OK;
}
