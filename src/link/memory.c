/* The memory pair; memory.h tells how it behaves.
 *
 * One allocation holds both ends and the pool. Each end receives from its own channel and sends
 * into the other's.
 */
#include "link/memory.h"

#include "link/frame_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_pair;

struct memory_end {
    struct slt_link link; /* first: a link is an end */
    struct memory_pair *pair;
    struct memory_end *peer;
    struct slt_frame_channel inbox;
    bool open;
    bool full; /* the last send stopped for want of room */
};

struct memory_pair {
    struct memory_end ends[2];
    struct slt_frame_pool pool;
};

static struct memory_end *end_of(struct slt_link *link)
{
    return (struct memory_end *)(void *)link;
}

static const struct memory_end *end_of_const(const struct slt_link *link)
{
    return (const struct memory_end *)(const void *)link;
}

static size_t memory_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                             int64_t now_ns)
{
    (void)now_ns;
    return slt_frame_channel_lend(&end_of(link)->inbox, frames, max);
}

static void memory_release(struct slt_link *link)
{
    struct memory_end *end = end_of(link);
    slt_frame_channel_release(&end->inbox, &end->pair->pool);
}

static size_t memory_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                          int64_t now_ns)
{
    struct memory_end *end = end_of(link);
    (void)now_ns;
    if (!end->peer->open) {
        link->counters.dropped[SLT_LINK_DROP_DEVICE_DOWN] += count;
        return count;
    }
    const struct slt_frame_passage passage = {
        .pool = &end->pair->pool, .to = &end->peer->inbox, .caps = &link->caps};
    size_t taken = slt_frame_pass_batch(link, &passage, frames, count);
    end->full = taken < count;
    return taken;
}

static int64_t memory_next_deadline(const struct slt_link *link)
{
    return slt_frame_channel_empty(&end_of_const(link)->inbox) ? SLT_NEVER : SLT_LINK_AT_ONCE;
}

static void memory_poll(struct slt_link *link, int64_t now_ns)
{
    (void)link;
    (void)now_ns;
}

static int memory_fd(const struct slt_link *link)
{
    (void)link;
    return -1;
}

static bool memory_wants_write(const struct slt_link *link)
{
    return end_of_const(link)->full;
}

static void free_pair(struct memory_pair *pair)
{
    slt_frame_channel_deinit(&pair->ends[0].inbox);
    slt_frame_channel_deinit(&pair->ends[1].inbox);
    slt_frame_pool_deinit(&pair->pool);
    free(pair);
}

static void memory_close(struct slt_link *link)
{
    struct memory_end *end = end_of(link);
    end->open = false;
    if (!end->peer->open) {
        free_pair(end->pair);
    }
}

static const struct slt_link_ops memory_ops = {
    .receive = memory_receive,
    .release = memory_release,
    .send = memory_send,
    .next_deadline = memory_next_deadline,
    .poll = memory_poll,
    .fd = memory_fd,
    .wants_write = memory_wants_write,
    .close = memory_close,
};

static uint32_t slots_of(const struct slt_memory_params *params)
{
    return params->slots ? params->slots : 256;
}

static void set_up_end(struct memory_pair *pair, size_t which,
                       const struct slt_memory_params *params)
{
    static const uint8_t none[6] = {0};
    struct memory_end *end = &pair->ends[which];
    const uint8_t *mac = which == 0 ? params->mac_a : params->mac_b;
    const uint8_t own[6] = {0x02, 0x73, 0x61, 0, 0, (uint8_t)(which + 1)};
    end->pair = pair;
    end->peer = &pair->ends[1 - which];
    end->open = true;
    end->link.ops = &memory_ops;
    end->link.caps = (struct slt_link_caps){
        .kind = params->kind,
        .mtu = params->mtu,
    };
    slt_frame_passage_caps(params->offload, slots_of(params), &end->link.caps);
    if (params->kind == SALUT_LINK_ETHERNET) {
        memcpy(end->link.caps.mac, memcmp(mac, none, 6) == 0 ? own : mac, 6);
    }
    snprintf(end->link.name, sizeof(end->link.name), "memory%c", which == 0 ? 'A' : 'B');
}

enum salut_status slt_memory_pair(const struct slt_memory_params *params, struct slt_link **a,
                                  struct slt_link **b)
{
    uint32_t slots = slots_of(params);
    uint32_t large_max = params->large_max ? params->large_max : 64;
    if (params->mtu < 68 || params->mtu > 65535 || (slots & (slots - 1)) != 0 || slots > 1U << 20) {
        return SALUT_INVALID;
    }
    struct memory_pair *pair = calloc(1, sizeof(*pair));
    if (!pair) {
        return SALUT_NO_MEMORY;
    }
    /* A link of jumbo frames needs large buffers for everything. */
    bool jumbo = params->mtu + 18U > SLT_FRAME_SMALL_MAX;
    slt_frame_pool_init(&pair->pool, 2 * slots,
                        jumbo ? slt_max32(large_max, 2 * slots) : large_max);
    set_up_end(pair, 0, params);
    set_up_end(pair, 1, params);
    if (!slt_frame_channel_init(&pair->ends[0].inbox, slots) ||
        !slt_frame_channel_init(&pair->ends[1].inbox, slots)) {
        free_pair(pair);
        return SALUT_NO_MEMORY;
    }
    *a = &pair->ends[0].link;
    *b = &pair->ends[1].link;
    return SALUT_OK;
}
