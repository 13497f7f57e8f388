/* connect.
 *
 * While the stack opens the connection, S is connected to an end of ours already, and full: it is
 * neither readable nor writable, as a socket being opened is (SOCK-31). A few thousand bytes do,
 * since the send buffer of a fresh S is small; it gets its real size when the connection is there,
 * after the filler was taken out again. When the attempt fails the end is closed with the filler
 * unread: S polls with every bit an attempt that failed has.
 *
 * A duplicate of S is kept for a call that blocks, and for no other: the open file is in use as
 * long as the call lasts, as it is in the kernel. Otherwise the program's close in the middle of it
 * shows at once (SOCK-09).
 */
#include "run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define FILLER_BYTES 4096
#define ROOM_BYTES   212992 /* which the kernel doubles */

static const uint8_t filler[FILLER_BYTES];

static void give_room(int fd)
{
    const int room = ROOM_BYTES;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

/* Fill S so that it does not poll writable and takes no byte. */
static void fill(struct slt_run_sock *sock, int their_fd)
{
    ssize_t put;
    size_t bytes = sizeof(filler);
    do {
        put = send(their_fd, filler, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        sock->filler_bytes += put > 0 ? (uint32_t)put : 0;
        bytes = 1;
    } while (put > 0 && sock->filler_bytes < 2 * FILLER_BYTES);
}

static void drain_filler(struct slt_run_sock *sock)
{
    uint8_t data[FILLER_BYTES];
    while (sock->filler_bytes > 0) {
        size_t wanted = slt_min32(sock->filler_bytes, sizeof(data));
        ssize_t got = recv(sock->end.fd, data, wanted, MSG_DONTWAIT);
        if (got <= 0) {
            return;
        }
        sock->filler_bytes -= (uint32_t)got;
    }
}

/* Connect S to a new end. Returns 0 or a negative errno value. */
static int attach(struct slt_run_sock *sock, int their_fd, bool filled)
{
    int end = slt_run_pair_up(sock->sup, their_fd);
    if (end < 0) {
        return end;
    }
    sock->end.fd = end;
    give_room(end);
    slt_run_unwatch(sock);
    if (filled) {
        sock->phase = SLT_RUN_CONNECTING;
        fill(sock, their_fd);
        (void)slt_run_end_watch(sock);
    } else {
        give_room(their_fd);
        slt_run_bridge_open(sock);
    }
    return 0;
}

static bool has_ended(const struct slt_run_sock *sock)
{
    uint32_t ready = 0;
    return salut_ready(sock->sup->stack, sock->conn, &ready) != SALUT_OK ||
           (ready & SALUT_ENDED) != 0;
}

/* The stack's answer to a later call: still running, done, or failed. It does not look at the
 * address, beyond its form. */
static int ask_again(const struct slt_run_sock *sock)
{
    struct sockaddr_in6 any = {.sin6_family = sock->family == 4 ? AF_INET : AF_INET6};
    return salut_sock_connect(sock->sup->socks, sock->fd, (const struct sockaddr *)&any,
                              sizeof(any));
}

/* The error was told by the call itself, and the socket is as good as new (SOCK-33). Where the
 * program has it twice, the error is at least not told twice. */
static void recover(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    const struct slt_call *call = &wait->call;
    int error;
    socklen_t bytes = sizeof(error);
    if (sock->phase != SLT_RUN_DEAD) {
        return;
    }
    if (wait->dup.fd >= 0) {
        (void)getsockopt(wait->dup.fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    }
    (void)slt_run_renew(sock, call);
}

int64_t slt_run_connect_again(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    int outcome = ask_again(sock);
    if (outcome == -EALREADY) {
        return SLT_RUN_LATER;
    }
    if (outcome < 0 && outcome != -EISCONN) {
        recover(sock, wait);
        return outcome;
    }
    return 0;
}

static int64_t wait_on(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    wait->begun = true;
    wait->due_at_ns = slt_run_timeout(sock, SO_SNDTIMEO);
    wait->late = -EINPROGRESS;
    return SLT_RUN_LATER;
}

/* A new attempt runs: connect S, and see whether the call waits for the outcome. */
int64_t slt_run_connect_begin(struct slt_run_sock *sock, struct slt_run_wait *wait, int result)
{
    const struct slt_call *call = &wait->call;
    int trouble = sock->phase == SLT_RUN_FRESH ? 0 : slt_run_renew(sock, call);
    int their = trouble < 0 ? trouble : slt_run_take(sock, call);
    trouble = their < 0 ? their : 0;
    if (trouble == 0) {
        (void)salut_sock_conn(sock->sup->socks, sock->fd, &sock->conn);
        trouble = attach(sock, their, result == -EINPROGRESS);
    }
    if (trouble < 0) {
        const struct sockaddr none = {.sa_family = AF_UNSPEC};
        (void)salut_sock_connect(sock->sup->socks, sock->fd, &none, sizeof(none));
        if (their >= 0) {
            (void)close(their);
        }
        return trouble;
    }
    int flags = fcntl(their, F_GETFL);
    if (result == 0 || (flags & O_NONBLOCK) != 0) {
        (void)close(their);
        return result;
    }
    wait->dup.fd = their;
    return wait_on(sock, wait);
}

/* A second call while the first attempt runs: a blocking one waits for its end, too. */
static int64_t join(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    int their = slt_run_take(sock, &wait->call);
    if (their < 0) {
        return their;
    }
    if ((fcntl(their, F_GETFL) & O_NONBLOCK) != 0) {
        (void)close(their);
        return -EALREADY;
    }
    wait->dup.fd = their;
    (void)wait_on(sock, wait);
    wait->late = -EALREADY; /* SOCK-77 */
    return SLT_RUN_LATER;
}

static int64_t disconnect(struct slt_run_sock *sock, const struct slt_call *call)
{
    slt_run_drop_end(sock);
    return sock->phase == SLT_RUN_FRESH ? 0 : slt_run_renew(sock, call);
}

int64_t slt_run_call_connect(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    struct slt_supervisor *sup = sock->sup;
    const struct slt_call *call = &wait->call;
    struct sockaddr_storage addr;
    int bytes = (int)call->args[2];
    if (wait->begun) {
        return slt_run_connect_again(sock, wait);
    }
    if (bytes < 0 || (size_t)bytes > sizeof(addr)) {
        return -EINVAL;
    }
    memset(&addr, 0, sizeof(addr));
    int result = slt_run_read(sup, call, call->args[1], &addr, (size_t)bytes);
    if (result < 0) {
        return result;
    }
    if (!sup->loopback_off && slt_run_is_loopback(&addr) &&
        (sock->phase == SLT_RUN_FRESH || sock->phase == SLT_RUN_DEAD)) {
        return slt_run_go_to_kernel(sock, call);
    }
    bool running = sock->phase == SLT_RUN_CONNECTING || sock->phase == SLT_RUN_OPEN;
    result =
        salut_sock_connect(sup->socks, sock->fd, (const struct sockaddr *)&addr, (uint32_t)bytes);
    if (addr.ss_family == AF_UNSPEC && result == 0) {
        return disconnect(sock, call);
    }
    if (!running && (result == -EINPROGRESS || result == 0)) {
        return slt_run_connect_begin(sock, wait, result);
    }
    if (sock->failed_open && result != -EINPROGRESS) {
        (void)slt_run_renew(sock, call); /* SOCK-33: the failure is told, the socket as new */
    }
    return result == -EALREADY ? join(sock, wait) : result;
}

void slt_run_connect_event(struct slt_run_sock *sock, uint32_t ready)
{
    if ((ready & SALUT_CONNECTED) == 0) {
        if (has_ended(sock)) {
            sock->failed_open = true;
            slt_run_show_reset(sock);
            slt_run_poke(sock);
        }
        return;
    }
    int their = -1;
    for (struct slt_run_wait *wait = sock->waits; wait != NULL && their < 0; wait = wait->next) {
        their = wait->dup.fd;
    }
    bool ours = their < 0;
    their = ours ? slt_run_take_any(sock) : their;
    drain_filler(sock);
    if (their >= 0) {
        give_room(their);
    }
    if (ours && their >= 0) {
        (void)close(their);
    }
    slt_run_poke(sock);
    slt_run_bridge_open(sock);
}
