/* From the stack's accept queue to the program's.
 *
 * A connection that is complete is offered to the program by connecting a new end of ours to its
 * UNIX listener: from then on it is the kernel's matter which of the program's processes is woken
 * and gets it. What the program has not accepted can carry bytes already, in both directions.
 *
 * SOCK-50, 51: a listener holds one more than its backlog. A UNIX listener counts like that, too,
 * and gets one less where there is one to spare; the stack counts what was offered there as if it
 * were in its own queue. So both hold together what the program asked for, and a SYN that comes in
 * the same turn as the last connection that finds room is judged right. What one queue cannot take
 * waits in the other, and beyond that it is the stack's to drop. Nobody tells when the program
 * accepts: so while anything is offered the kernel is asked every few milliseconds, and while the
 * queue is full before each batch that arrives, lest a SYN is dropped for want of a room that the
 * program has made.
 */
#include "run/sockets.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define BACKLOG_MAX 4096
#define RETRY_NS    (2 * SLT_NS_PER_MS)
#define ROOM_BYTES  212992 /* which the kernel doubles */

static int backlog_of(const struct slt_run_sock *listener)
{
    int backlog = listener->backlog;
    return backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog;
}

static bool is_full(const struct slt_run_sock *listener)
{
    return listener->queued > 0 && listener->queued >= backlog_of(listener);
}

/* The stack counts what waits in the program's queue. */
static void tell_queued(struct slt_run_sock *listener)
{
    struct slt_supervisor *sup = listener->sup;
    salut_listener own;
    if (salut_sock_listener(sup->socks, listener->fd, &own) == SALUT_OK) {
        (void)salut_set_offered(sup->stack, own, (uint32_t)listener->queued);
    }
    sup->any_full = sup->any_full || is_full(listener);
    if (listener->queued > 0 && !sup->retry.armed) {
        salut_runner_set_timer(sup->runner, &sup->retry, salut_runner_now(sup->runner) + RETRY_NS);
    }
}

/* How many wait is counted, and asked of the kernel where it begins to matter. */
static void count_queued(struct slt_run_sock *listener)
{
    struct slt_run_seen seen;
    if (listener->queued > backlog_of(listener) / 2 &&
        slt_run_diag_one(listener->sup, listener->inode, &seen) == 1) {
        listener->queued = (int)seen.queued;
    }
    tell_queued(listener);
}

void slt_run_queue_begin(struct slt_run_sock *listener)
{
    struct slt_run_seen seen;
    bool known = slt_run_diag_one(listener->sup, listener->inode, &seen) == 1;
    listener->queued = known ? (int)seen.queued : 0;
    tell_queued(listener);
}

void slt_run_queue_left(struct slt_run_sock *listener)
{
    listener->queued -= listener->queued > 0 ? 1 : 0;
    tell_queued(listener);
}

/* Connect an end to the program's listener. Returns it, or a negative errno value. */
int slt_run_queue_offer(const struct slt_run_sock *listener)
{
    int end = slt_run_unix_socket(SOCK_NONBLOCK);
    if (end < 0) {
        return end;
    }
    if (connect(end, (const struct sockaddr *)&listener->name->un, listener->name->bytes) != 0) {
        int error = errno;
        (void)close(end);
        return -error;
    }
    const int room = ROOM_BYTES;
    (void)setsockopt(end, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    return end;
}

/* Take the oldest connection of the stack's queue; NULL: there is none. */
static struct slt_run_sock *take(struct slt_run_sock *listener)
{
    struct slt_supervisor *sup = listener->sup;
    int fd = salut_sock_accept(sup->socks, listener->fd, NULL, NULL, 0);
    struct slt_run_sock *sock = fd < 0 ? NULL : slt_run_sock_new(sup, fd, listener->family);
    if (sock != NULL && salut_sock_conn(sup->socks, fd, &sock->conn) == SALUT_OK) {
        return sock;
    }
    if (sock != NULL) {
        slt_run_sock_free(sock);
    }
    if (fd >= 0) {
        (void)salut_sock_close(sup->socks, fd);
    }
    return NULL;
}

/* The end is in the program's queue: the connection is its own from now on. */
static void admit(struct slt_run_sock *listener, struct slt_run_sock *sock, int end)
{
    if (slt_run_end_sign(listener->sup, end, sock) < 0) {
        (void)close(end);
        slt_run_closed(sock);
        return;
    }
    listener->queued++;
    count_queued(listener);
    slt_run_unwatch(sock);
    sock->end.fd = end;
    slt_run_bridge_open(sock);
}

/* TCP_DEFER_ACCEPT (SOCK-56): the program is not to be woken for a connection that says nothing. */
static bool defer(struct slt_run_sock *listener)
{
    struct slt_supervisor *sup = listener->sup;
    struct slt_run_sock *sock = take(listener);
    if (sock != NULL) {
        sock->phase = SLT_RUN_DEFERRED;
        sock->listener = listener->fd;
        sock->listener_serial = listener->serial;
        sock->offer_at_ns =
            salut_runner_now(sup->runner) + (int64_t)listener->defer_s * SLT_NS_PER_S;
        slt_run_watch(sock);
    }
    return sock != NULL;
}

void slt_run_queue_deferred(struct slt_run_sock *sock)
{
    struct slt_supervisor *sup = sock->sup;
    struct slt_run_sock *listener = slt_run_sock_at(sup, (uint64_t)sock->listener);
    bool there = listener != NULL && listener->serial == sock->listener_serial &&
                 listener->phase == SLT_RUN_LISTENING;
    int end = there ? slt_run_queue_offer(listener) : -ECONNREFUSED;
    if (end >= 0) {
        admit(listener, sock, end);
    } else if (end == -ECONNREFUSED || end == -ENOENT) {
        slt_run_aborted(sock);
    }
    /* Else the queue is full: its event, or the tick, comes again. */
}

void slt_run_queue_serve(struct slt_run_sock *listener)
{
    struct slt_supervisor *sup = listener->sup;
    while ((salut_sock_ready(sup->socks, listener->fd) & POLLIN) != 0) {
        if (listener->defer_s > 0 && sup->sock_count < sup->socks_max) {
            if (!defer(listener)) {
                return;
            }
            continue;
        }
        int end = sup->sock_count < sup->socks_max ? slt_run_queue_offer(listener) : -EAGAIN;
        if (end == -ECONNREFUSED || end == -ENOENT) {
            slt_run_closed(listener); /* SOCK-08 */
            return;
        }
        if (end < 0) {
            listener->queued = (int)slt_max32((uint32_t)backlog_of(listener), 1U);
            tell_queued(listener);
            return;
        }
        struct slt_run_sock *sock = take(listener);
        if (sock == NULL) {
            (void)close(end);
            return;
        }
        admit(listener, sock, end);
    }
}

static void listener_again(struct slt_run_sock *listener)
{
    struct slt_run_seen seen;
    if (slt_run_diag_one(listener->sup, listener->inode, &seen) == 1) {
        listener->queued = (int)seen.queued;
        tell_queued(listener);
        slt_run_queue_serve(listener);
    } else {
        slt_run_tick_soon(listener->sup, 0);
    }
}

static void look_again(struct slt_supervisor *sup, bool full_alone)
{
    struct slt_run_sock *next;
    for (struct slt_run_sock *sock = sup->watched; sock != NULL; sock = next) {
        next = sock->next_watched;
        if (sock->phase == SLT_RUN_LISTENING && sock->queued > 0 &&
            (!full_alone || is_full(sock))) {
            listener_again(sock);
        }
    }
}

void slt_run_queue_retry(void *ctx, int64_t now_ns)
{
    (void)now_ns;
    look_again(ctx, false);
}

void slt_run_queue_input(struct slt_supervisor *sup)
{
    if (sup->any_full) {
        sup->any_full = false; /* unless it still is */
        look_again(sup, true);
    }
}
