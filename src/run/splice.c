/* See splice.h. */
#include "run/splice.h"

#include "run/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE_BYTES 65536U
#define ROUNDS_MAX  8

void slt_splice_cut(struct slt_splice *splice)
{
    splice->over = true;
    for (int i = 0; i < 2; i++) {
        struct slt_splice_side *side = &splice->side[i];
        /* A side that was told of the other's end has a complete stream: no reset takes it back. */
        if (splice->side[1 - i].ended && side->held == NULL) {
            slt_poller_drop(splice->poller, &side->polled);
        } else {
            slt_relay_reset_socket(splice->poller, &side->polled);
        }
        free(side->held);
        side->held = NULL;
    }
}

/* The piece that `to` did not take is kept for it. */
static bool hold(struct slt_splice_side *to, const uint8_t *data, size_t bytes)
{
    to->held = malloc(bytes);
    if (to->held == NULL) {
        return false;
    }
    memcpy(to->held, data, bytes);
    to->held_bytes = bytes;
    to->held_sent = 0;
    return true;
}

/* As much as goes; false when the socket has failed. */
static bool put(const struct slt_splice_side *to, const uint8_t *data, size_t bytes, size_t *sent)
{
    *sent = 0;
    while (*sent < bytes) {
        ssize_t n = send(to->polled.fd, data + *sent, bytes - *sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN;
        }
        *sent += (size_t)n;
    }
    return true;
}

/* One piece from one side to the other. False: nothing more for now. */
static bool carry(struct slt_splice_side *from, struct slt_splice_side *to)
{
    uint8_t piece[PIECE_BYTES];
    size_t sent = 0;
    ssize_t got = recv(from->polled.fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got == 0) {
        from->ended = true;
        (void)shutdown(to->polled.fd, SHUT_WR);
        return false;
    }
    if (got < 0 || !put(to, piece, (size_t)got, &sent) ||
        (sent < (size_t)got && !hold(to, piece + sent, (size_t)got - sent))) {
        slt_splice_cut(from->splice);
        return false;
    }
    return to->held == NULL;
}

static void flush_held(struct slt_splice_side *to)
{
    size_t sent;
    if (!put(to, to->held + to->held_sent, to->held_bytes - to->held_sent, &sent)) {
        slt_splice_cut(to->splice);
        return;
    }
    to->held_sent += sent;
    if (to->held_sent == to->held_bytes) {
        free(to->held);
        to->held = NULL;
    }
}

static void settle(struct slt_splice *splice)
{
    struct slt_splice_side *a = &splice->side[0];
    struct slt_splice_side *b = &splice->side[1];
    if (!splice->over && a->ended && b->ended) {
        splice->over = true;
        slt_poller_drop(splice->poller, &a->polled);
        slt_poller_drop(splice->poller, &b->polled);
    }
    for (int i = 0; i < 2 && !splice->over; i++) {
        const struct slt_splice_side *other = &splice->side[1 - i];
        struct slt_splice_side *side = &splice->side[i];
        bool reads = !side->ended && other->held == NULL && !splice->connecting;
        bool writes = side->held != NULL || (splice->connecting && i == 1);
        uint32_t events = (reads ? (uint32_t)EPOLLIN : 0U) | (writes ? (uint32_t)EPOLLOUT : 0U);
        if (!slt_poller_watch(splice->poller, &side->polled, events)) {
            slt_splice_cut(splice);
        }
    }
    if (splice->over) {
        splice->on_over(splice->ctx);
    }
}

static void see_connected(struct slt_splice *splice)
{
    int error = 0;
    socklen_t bytes = sizeof(error);
    (void)getsockopt(splice->side[1].polled.fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    splice->connecting = false;
    if (error != 0) {
        slt_splice_cut(splice);
    }
}

static void on_ready(void *ctx, uint32_t events)
{
    struct slt_splice_side *side = ctx;
    struct slt_splice *splice = side->splice;
    struct slt_splice_side *other = &splice->side[side == &splice->side[0] ? 1 : 0];
    if (splice->connecting) {
        see_connected(splice);
        settle(splice);
        return;
    }
    if (side->held != NULL && (events & (EPOLLOUT | EPOLLERR)) != 0) {
        flush_held(side);
    }
    bool goes_on = !splice->over && !side->ended && other->held == NULL;
    for (int i = 0; goes_on && i < ROUNDS_MAX; i++) {
        goes_on = carry(side, other);
    }
    settle(splice);
}

void slt_splice_begin(struct slt_splice *splice, struct slt_poller *poller, const int fds[2],
                      bool connecting)
{
    splice->poller = poller;
    splice->connecting = connecting;
    for (int i = 0; i < 2; i++) {
        struct slt_splice_side *side = &splice->side[i];
        *side = (struct slt_splice_side){
            .splice = splice, .polled = {.fd = fds[i], .on_ready = on_ready, .ctx = side}};
    }
    settle(splice);
}
