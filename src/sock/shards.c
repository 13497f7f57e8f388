/* Shards: their making, their threads, their end; salut/shard.h says what they are.
 *
 * Threads meet in three places only: the boxes (shard_box.h), the runners' wake and stop, and the
 * joining of threads at the end. Everything of a shard is made before its thread starts and taken
 * down after it was joined.
 *
 * How a connection comes to its shard: the kernel hashes the addresses and ports of what it sends
 * to one of the queues, the same for both directions, and remembers for some seconds by which
 * queue something of the connection came back (drivers/net/tun.c). So a connection that the kernel
 * opened stays at the queue of its SYN for ever, and one that a shard opened comes back to that
 * shard until it falls silent; what comes elsewhere later is a stray, and taken where it belongs.
 * A program for the kernel that steers would need privilege and a way to tell it every connection.
 */
#include "salut/shard.h"

#include "sock/link_open.h"
#include "sock/shard_link.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shard {
    struct salut_shard face;
    struct salut_shards *all;
    struct slt_link *link;
    pthread_t thread;
    bool has_thread;
    enum salut_status status; /* what setup said */
};

struct salut_shards {
    struct salut_shards_params params;
    struct slt_shard_group group;
    struct shard *shards;
};

static enum salut_status refuse(enum salut_status status, const char *sentence, char *why,
                                size_t size)
{
    if (why != NULL && size > 0) {
        (void)snprintf(why, size, "%s", sentence);
    }
    return status;
}

/* ---- making --------------------------------------------------------------------------------- */

static const char *find_fault(const struct salut_shards_params *p)
{
    bool device = p->link.device == SALUT_DEVICE_TAP || p->link.device == SALUT_DEVICE_TUN;
    if (p->count == 0 || p->count > SALUT_SHARDS_MAX) {
        return "there are 1 to 64 shards";
    }
    if (p->setup == NULL) {
        return "nobody would set the shards up";
    }
    if (p->count > 1 && !device) {
        return "only a TAP or TUN device has several queues";
    }
    if (p->count > 1 && p->link.capture != NULL) {
        return "several shards cannot write one capture file";
    }
    if (p->config != NULL && p->config->memory != NULL) {
        return "shards take memory by an allocator: one block is for one instance";
    }
    return NULL;
}

/* Every shard its part of the local ports; false when there are too few. */
static bool divide_ports(struct salut_config *config, uint32_t index, uint32_t count)
{
    uint32_t range = (uint32_t)config->port_high - config->port_low + 1;
    uint32_t low = config->port_low;
    if (range < count) {
        return false;
    }
    config->port_low = (uint16_t)(low + (uint32_t)((uint64_t)range * index / count));
    config->port_high = (uint16_t)(low + (uint32_t)((uint64_t)range * (index + 1) / count) - 1);
    return true;
}

static enum salut_status open_queue(struct salut_shards *all, struct shard *s, char *why,
                                    size_t size)
{
    struct salut_link_params params = all->params.link;
    struct salut_link *link = NULL;
    params.multi_queue = all->params.count > 1;
    if (s->face.index > 0) {
        params.name = all->shards[0].face.interface;
    }
    enum salut_status status = salut_link_open(&params, &link, why, size);
    if (status != SALUT_OK) {
        return status;
    }
    s->link = slt_link_of(link);
    if (all->params.count > 1) {
        status = slt_shard_link_open(s->link, &all->group, s->face.index, &s->link);
    }
    if (status != SALUT_OK) {
        s->link = NULL; /* closed already */
        return refuse(status, "memory is short", why, size);
    }
    s->face.interface = s->link->name;
    return SALUT_OK;
}

static enum salut_status make_stack(struct salut_shards *all, struct shard *s)
{
    struct salut_config config;
    if (all->params.config != NULL) {
        config = *all->params.config;
    } else {
        salut_config_init(&config, SALUT_PROFILE_LINUX);
    }
    if (!divide_ports(&config, s->face.index, s->face.count)) {
        return SALUT_INVALID;
    }
    enum salut_status status =
        salut_runner_prepare(s->face.runner, slt_link_public(s->link), &config);
    if (status == SALUT_OK) {
        status = salut_create(&config, &s->face.stack);
    }
    if (status == SALUT_OK && s->face.count > 1) {
        slt_shard_link_set_stack(s->link, s->face.stack);
    }
    return status;
}

static enum salut_status make_shard(struct salut_shards *all, uint32_t index, char *why,
                                    size_t size)
{
    struct shard *s = &all->shards[index];
    s->all = all;
    s->face.index = index;
    s->face.count = all->params.count;
    enum salut_status status = salut_runner_create(&s->face.runner);
    if (status != SALUT_OK) {
        return refuse(status, "no runner: out of memory or descriptors", why, size);
    }
    all->group.peers[index].runner = s->face.runner;
    status = open_queue(all, s, why, size);
    if (status == SALUT_OK) {
        status = make_stack(all, s);
        (void)refuse(status, "an instance cannot be made: see the limits, and the range of ports",
                     why, size);
    }
    return status;
}

enum salut_status salut_shards_create(const struct salut_shards_params *params,
                                      struct salut_shards **shards, char *why, size_t size)
{
    const char *fault = find_fault(params);
    if (fault != NULL) {
        return refuse(SALUT_INVALID, fault, why, size);
    }
    struct salut_shards *all = calloc(1, sizeof(*all));
    struct shard *each = calloc(params->count, sizeof(*each));
    if (all == NULL || each == NULL) {
        free(all);
        free(each);
        return refuse(SALUT_NO_MEMORY, "memory is short", why, size);
    }
    all->params = *params;
    all->shards = each;
    all->group.count = params->count;
    for (uint32_t i = 0; i < params->count; i++) {
        slt_shard_box_init(&all->group.peers[i].box);
    }
    enum salut_status status = SALUT_OK;
    for (uint32_t i = 0; i < params->count && status == SALUT_OK; i++) {
        status = make_shard(all, i, why, size);
    }
    all->params.config = NULL; /* the caller's, and not needed any more */
    if (status != SALUT_OK) {
        salut_shards_destroy(all);
        return status;
    }
    *shards = all;
    return SALUT_OK;
}

/* ---- running -------------------------------------------------------------------------------- */

static void run_shard(struct shard *s)
{
    const struct salut_shards_params *p = &s->all->params;
    s->status = p->setup(p->ctx, &s->face);
    if (s->status == SALUT_OK) {
        struct salut_runner_stack member = {.stack = s->face.stack,
                                            .link = slt_link_public(s->link),
                                            .on_event = p->on_event,
                                            .on_return = p->on_return,
                                            .ctx = s->face.user};
        s->status = salut_runner_add_stack(s->face.runner, &member);
    }
    if (s->status == SALUT_OK) {
        salut_runner_run(s->face.runner);
    } else {
        salut_shards_stop(s->all);
    }
    if (p->teardown != NULL) {
        p->teardown(p->ctx, &s->face);
    }
}

static void *run_thread(void *ctx)
{
    run_shard(ctx);
    return NULL;
}

enum salut_status salut_shards_run(struct salut_shards *shards)
{
    enum salut_status status = SALUT_OK;
    for (uint32_t i = 1; i < shards->params.count && status == SALUT_OK; i++) {
        struct shard *s = &shards->shards[i];
        s->has_thread = pthread_create(&s->thread, NULL, run_thread, s) == 0;
        status = s->has_thread ? SALUT_OK : SALUT_NO_MEMORY;
    }
    if (status == SALUT_OK) {
        run_shard(&shards->shards[0]);
    } else {
        salut_shards_stop(shards);
    }
    for (uint32_t i = 0; i < shards->params.count; i++) {
        struct shard *s = &shards->shards[i];
        if (s->has_thread) {
            (void)pthread_join(s->thread, NULL);
            s->has_thread = false;
        }
        status = status == SALUT_OK ? s->status : status;
    }
    return status;
}

void salut_shards_stop(struct salut_shards *shards)
{
    for (uint32_t i = 0; i < shards->params.count; i++) {
        salut_runner_stop(shards->shards[i].face.runner);
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

void salut_shards_destroy(struct salut_shards *shards)
{
    if (shards == NULL) {
        return;
    }
    for (uint32_t i = 0; i < shards->params.count; i++) {
        struct shard *s = &shards->shards[i];
        salut_runner_destroy(s->face.runner);
        salut_destroy(s->face.stack);
        slt_link_close(s->link);
        slt_shard_box_deinit(&shards->group.peers[i].box);
    }
    free(shards->shards);
    free(shards);
}

const char *salut_shards_interface(const struct salut_shards *shards)
{
    return shards->shards[0].face.interface;
}

void salut_shards_counters(const struct salut_shards *shards, uint32_t index,
                           struct salut_shard_counters *counters)
{
    *counters = (struct salut_shard_counters){0};
    if (index < shards->params.count && shards->params.count > 1) {
        *counters = *slt_shard_link_counters(shards->shards[index].link);
    }
}
