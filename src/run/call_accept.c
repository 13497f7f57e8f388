/* accept with room for an address. (Without, it is the kernel's: the program gets a socket that is
 * met later, by the name of its other end.)
 *
 * The supervisor accepts through a duplicate of the listener, which shares the program's open file
 * and its flags. On a listener that blocks, accept4 might block the supervisor: another process may
 * take the connection between the look and the call. So for that moment the shared socket gets a
 * receive timeout of a millisecond. Somebody else's accept would notice only if it began within
 * those few microseconds and no connection came for a millisecond.
 *
 * The connection taken out of the queue has to reach the program. When its table is full (SOCK-53),
 * or a signal interrupts the call, the connection goes back into the queue: another end is
 * connected, and what lay in the first moves over.
 */
#include "run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#define GUARD_US 1000

static int accept_guarded(const struct slt_run_sock *sock, int their_fd, int flags, bool blocks)
{
    const struct timeval guard = {.tv_usec = GUARD_US};
    struct timeval before;
    socklen_t bytes = sizeof(before);
    (void)sock;
    if (!blocks) {
        int fd = accept4(their_fd, NULL, NULL, flags);
        return fd < 0 ? -errno : fd;
    }
    if (getsockopt(their_fd, SOL_SOCKET, SO_RCVTIMEO, &before, &bytes) != 0 ||
        setsockopt(their_fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard)) != 0) {
        return -errno;
    }
    int fd = accept4(their_fd, NULL, NULL, flags);
    int error = errno;
    (void)setsockopt(their_fd, SOL_SOCKET, SO_RCVTIMEO, &before, sizeof(before));
    return fd < 0 ? -error : fd;
}

/* Move what lies in the socket that could not be handed over to its successor's queue. */
static void move_bytes(struct slt_supervisor *sup, int from, int to)
{
    ssize_t got;
    while ((got = recv(from, sup->scratch, sizeof(sup->scratch), MSG_DONTWAIT)) > 0) {
        if (send(to, sup->scratch, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL) != got) {
            return; /* cannot be: the new end's buffer is as large as the old one's */
        }
    }
}

/* Back into the queue with it. */
static void put_back(const struct slt_run_sock *listener, struct slt_run_sock *sock, int accepted)
{
    struct slt_supervisor *sup = listener->sup;
    int end = slt_run_queue_offer(listener);
    if (end < 0) {
        return; /* the queue is full again: the connection ends as if the program had closed it */
    }
    sock->serial = ++sup->serial;
    if (slt_run_end_sign(sup, end, sock) < 0) {
        (void)close(end);
        return;
    }
    move_bytes(sup, accepted, end);
    if (sock->fin_given) {
        (void)shutdown(end, SHUT_WR);
    }
    slt_run_drop_end(sock);
    sock->end.fd = end;
    (void)slt_run_end_watch(sock);
}

/* The whole of it, once the program's queue has something. */
static int64_t take_one(struct slt_run_sock *sock, struct slt_run_wait *wait, int their,
                        bool blocks)
{
    struct slt_supervisor *sup = sock->sup;
    const struct slt_call *call = &wait->call;
    int flags = call->kind == SLT_CALL_ACCEPT4 ? (int)call->args[3] : 0;
    int fd = accept_guarded(sock, their, SOCK_CLOEXEC | (flags & SOCK_NONBLOCK), blocks);
    if (fd < 0) {
        return fd;
    }
    slt_run_queue_left(sock);
    struct slt_run_sock *child = slt_run_end_signer(sup, fd);
    if (child == NULL) {
        (void)close(fd); /* a stranger's, or gone meanwhile */
        return -EAGAIN;
    }
    slt_run_sock_set_inode(child, slt_run_inode_of(fd));
    slt_run_mirror_options(child, fd);
    child->seen_tid = call->tid;
    int result = slt_run_write_address(child, call, true);
    if (result < 0) {
        put_back(sock, child, fd);
        (void)close(fd);
        return result;
    }
    result =
        slt_notify_try_give(sup->notify_fd, call, fd, (flags & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0);
    if (result < 0) {
        slt_run_sock_set_inode(child, 0);
        put_back(sock, child, fd);
    }
    (void)close(fd);
    return result < 0 ? result : SLT_RUN_ANSWERED;
}

int64_t slt_run_call_accept(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    const struct slt_call *call = &wait->call;
    int flags = call->kind == SLT_CALL_ACCEPT4 ? (int)call->args[3] : 0;
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0 || sock->phase != SLT_RUN_LISTENING) {
        return -EINVAL; /* SOCK-53 */
    }
    int their = wait->dup.fd >= 0 ? wait->dup.fd : slt_run_take(sock, call);
    if (their < 0) {
        return their;
    }
    bool blocks = (fcntl(their, F_GETFL) & O_NONBLOCK) == 0;
    struct pollfd p = {.fd = their, .events = POLLIN};
    int64_t result = -EAGAIN;
    if (poll(&p, 1, 0) == 1) {
        result = take_one(sock, wait, their, blocks);
    }
    return slt_run_answer_or_wait(wait, their, result, blocks ? POLLIN : 0);
}
