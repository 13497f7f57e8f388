/* shutdown.
 *
 * It is told to the stack, and to S, where the program's readers and writers wait. FIN goes out
 * after everything the program has written: what lies in E is moved first, and when the stack has
 * no room, the end that E then has says when (bridge.c).
 *
 * S is deaf after SHUT_RD for good. What arrives is acknowledged and dropped, where TCP would still
 * let it be read (SOCK-12): a UNIX socket cannot wake readers and go on.
 */
#include "run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* Connections nobody has accepted are reset with the listener (SOCK-13). */
static void empty_queue(struct slt_run_sock *sock, int their)
{
    struct pollfd p = {.fd = their, .events = POLLIN};
    while (poll(&p, 1, 0) == 1) {
        int fd = accept4(their, NULL, NULL, SOCK_CLOEXEC); /* shut: it cannot block */
        if (fd < 0) {
            return;
        }
        struct slt_run_sock *child = slt_run_end_signer(sock->sup, fd);
        if (child != NULL) {
            slt_run_aborted(child);
        }
        (void)close(fd);
    }
}

static int64_t shut_listener(struct slt_run_sock *sock, int their, int how)
{
    int result = salut_sock_shutdown(sock->sup->socks, sock->fd, how);
    if (result == 0 && how != SHUT_WR) {
        (void)shutdown(their, how);
        empty_queue(sock, their);
        sock->phase = SLT_RUN_DEAD;
        slt_run_close_doors(sock);
        sock->told_reset = false;
        slt_run_poke(sock);
    }
    return result;
}

static bool is_over(const struct slt_run_sock *sock)
{
    struct salut_info info;
    return salut_get_info(sock->sup->stack, sock->conn, &info) != SALUT_OK ||
           info.state == SALUT_STATE_CLOSED || info.state == SALUT_STATE_TIME_WAIT;
}

static int64_t shut_open(struct slt_run_sock *sock, int their, int how)
{
    if (is_over(sock)) {
        return -ENOTCONN;
    }
    if (how != SHUT_WR) {
        sock->shut_read = true;
        (void)salut_sock_shutdown(sock->sup->socks, sock->fd, SHUT_RD);
    }
    if (how != SHUT_RD) {
        sock->end_near = true;
        sock->shut_write = true;
    }
    (void)shutdown(their, how);
    (void)slt_run_pump_out(sock); /* the record may be gone */
    return 0;
}

int64_t slt_run_call_shutdown(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    int how = (int)wait->call.args[1];
    int their = slt_run_take(sock, &wait->call);
    int64_t result;
    if (their < 0) {
        return their;
    }
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
        result = -EINVAL; /* SOCK-13 */
    } else if (sock->phase == SLT_RUN_LISTENING) {
        result = shut_listener(sock, their, how);
    } else if (sock->phase == SLT_RUN_OPEN) {
        result = shut_open(sock, their, how);
    } else {
        bool opening = sock->phase == SLT_RUN_CONNECTING;
        result = salut_sock_shutdown(sock->sup->socks, sock->fd, how);
        if (result == 0 && opening) {
            slt_run_show_reset(sock);
        }
    }
    (void)close(their);
    return result;
}
