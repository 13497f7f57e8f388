/* See poller.h. */
#include "run/poller.h"

#include "base/compiler.h"

#include <unistd.h>

/* Half as many when it was too much, twice as many when it was less than half of that. */
static void adapt(struct slt_poller *poller)
{
    if (poller->moved > SLT_POLLER_BYTES && poller->round > 1) {
        poller->round /= 2;
    } else if (poller->moved <= SLT_POLLER_BYTES / 2 && poller->round < SLT_POLLER_ROUND) {
        poller->round *= 2;
    }
}

static void on_ready(void *ctx, int fd, uint32_t events)
{
    struct slt_poller *poller = ctx;
    (void)events;
    int count = epoll_wait(fd, poller->ready, poller->round, 0);
    poller->ready_count = count > 0 ? count : 0;
    poller->moved = 0;
    for (int i = 0; i < poller->ready_count; i++) {
        struct slt_polled *polled = poller->ready[i].data.ptr;
        if (polled != NULL) {
            polled->on_ready(polled->ctx, poller->ready[i].events);
        }
    }
    adapt(poller);
    poller->ready_count = 0;
}

bool slt_poller_open(struct slt_poller *poller, struct salut_runner *runner)
{
    *poller = (struct slt_poller){
        .runner = runner, .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .round = SLT_POLLER_ROUND};
    struct salut_runner_fd watch = {
        .fd = poller->epoll_fd, .events = EPOLLIN, .on_ready = on_ready, .ctx = poller};
    if (poller->epoll_fd < 0 || salut_runner_set_fd(runner, &watch) != SALUT_OK) {
        slt_poller_close(poller);
        return false;
    }
    return true;
}

static void forget(struct slt_poller *poller, const struct slt_polled *polled)
{
    for (int i = 0; i < poller->ready_count; i++) {
        if (poller->ready[i].data.ptr == polled) {
            poller->ready[i].data.ptr = NULL;
        }
    }
}

bool slt_poller_watch(struct slt_poller *poller, struct slt_polled *polled, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = polled};
    if (polled->events == events || polled->fd < 0) {
        return true;
    }
    /* A descriptor nobody wants to hear of leaves the set: epoll reports HUP and ERR anyway. */
    int what = events == 0 ? EPOLL_CTL_DEL : polled->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(poller->epoll_fd, what, polled->fd, &event) != 0) {
        return false;
    }
    polled->events = events;
    if (events == 0) {
        forget(poller, polled);
    }
    return true;
}

void slt_poller_drop(struct slt_poller *poller, struct slt_polled *polled)
{
    if (polled->fd < 0) {
        return;
    }
    (void)slt_poller_watch(poller, polled, 0);
    (void)close(polled->fd);
    polled->fd = -1;
}

void slt_poller_close(struct slt_poller *poller)
{
    if (poller->epoll_fd >= 0) {
        (void)salut_runner_remove_fd(poller->runner, poller->epoll_fd);
        (void)close(poller->epoll_fd);
        poller->epoll_fd = -1;
    }
}
