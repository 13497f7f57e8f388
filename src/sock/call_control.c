/* Names of a socket, and what fcntl and ioctl tell of it. */
#include "sock/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int salut_sock_getsockname(struct salut_socks *socks, int fd, struct sockaddr *addr,
                           uint32_t *bytes)
{
    struct slt_sock *sock;
    struct salut_info info;
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    if (slt_sock_info(socks, sock, &info)) {
        slt_sockaddr_write(&info.local, info.local_port, sock->family, addr, bytes);
    } else {
        slt_sockaddr_write(&sock->local, sock->port, sock->family, addr, bytes);
    }
    return 0;
}

int salut_sock_getpeername(struct salut_socks *socks, int fd, struct sockaddr *addr,
                           uint32_t *bytes)
{
    struct slt_sock *sock;
    struct salut_info info;
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    if (!slt_sock_info(socks, sock, &info) || info.state == SALUT_STATE_CLOSED ||
        info.state == SALUT_STATE_SYN_SENT) {
        return -ENOTCONN; /* SOCK-27 */
    }
    slt_sockaddr_write(&info.remote, info.remote_port, sock->family, addr, bytes);
    return 0;
}

int salut_sock_fcntl(struct salut_socks *socks, int fd, int command, int value)
{
    struct slt_sock *sock = slt_sock_at(socks, fd);
    if (sock == NULL) {
        return -EBADF;
    }
    switch (command) {
    case F_GETFL:
        return O_RDWR | (sock->nonblock ? O_NONBLOCK : 0);
    case F_SETFL:
        sock->nonblock = (value & O_NONBLOCK) != 0;
        return 0;
    case F_GETFD:
        return sock->close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD:
        sock->close_on_exec = (value & FD_CLOEXEC) != 0;
        return 0;
    default:
        return -EINVAL;
    }
}

/* SOCK-79: bytes to read, up to the urgent mark when it lies ahead. */
static int count_input(const struct salut_socks *socks, const struct slt_sock *sock,
                       const struct salut_info *info)
{
    struct slt_sock_mark mark = slt_sock_find_mark(socks, sock);
    bool stops = mark.ahead > 0 && mark.arrived && !sock->set.oob_inline;
    return (int)(stops ? mark.ahead - 1 : info->recv_queued);
}

/* SOCK-79: bytes not acknowledged yet; as on Linux, the FIN counts as one. */
static int count_output(const struct salut_info *info)
{
    bool opening = info->state == SALUT_STATE_SYN_SENT || info->state == SALUT_STATE_SYN_RECEIVED;
    int fin = info->fin_queued && !info->fin_acked ? 1 : 0;
    return opening ? 0 : (int)info->send_queued + fin;
}

static int ioctl_count(struct salut_socks *socks, struct slt_sock *sock, unsigned long request,
                       int *value)
{
    struct salut_info info;
    if (sock->phase == SLT_SOCK_LISTENING) {
        return -EINVAL;
    }
    if (sock->kind == SLT_SOCK_DGRAM) {
        *value = slt_dgram_count(socks, sock, request);
        return 0;
    }
    *value = 0;
    if (!sock->has_conn || salut_get_info(socks->stack, sock->conn, &info) != SALUT_OK) {
        return 0;
    }
    if (request == SIOCINQ) {
        *value = count_input(socks, sock, &info);
    } else if (request == SIOCOUTQ) {
        *value = count_output(&info);
    } else {
        *value = (int)info.send_unsent;
    }
    return 0;
}

int salut_sock_ioctl(struct salut_socks *socks, int fd, unsigned long request, int *value)
{
    struct slt_sock *sock = slt_sock_at(socks, fd);
    if (sock == NULL) {
        return -EBADF;
    }
    if (value == NULL) {
        return -EFAULT;
    }
    if (request == FIONBIO) {
        sock->nonblock = *value != 0;
        return 0;
    }
    if (sock->kind == SLT_SOCK_EPOLL ||
        (sock->kind == SLT_SOCK_DGRAM && request != SIOCINQ && request != SIOCOUTQ)) {
        return -ENOTTY;
    }
    switch (request) {
    case SIOCINQ:  /* FIONREAD */
    case SIOCOUTQ: /* TIOCOUTQ */
    case SIOCOUTQNSD:
        return ioctl_count(socks, sock, request, value);
    case SIOCATMARK:
        *value = slt_sock_find_mark(socks, sock).ahead == 1;
        return 0;
    default:
        return -ENOTTY;
    }
}

bool salut_sock_blocks(const struct salut_socks *socks, int fd)
{
    const struct slt_sock *sock = slt_sock_at(socks, fd);
    return sock != NULL && !sock->nonblock;
}

enum salut_status salut_sock_conn(const struct salut_socks *socks, int fd, salut_conn *conn)
{
    const struct slt_sock *sock = slt_sock_at(socks, fd);
    if (sock == NULL) {
        return SALUT_STALE;
    }
    if (!sock->has_conn) {
        return SALUT_NOT_CONNECTED;
    }
    *conn = sock->conn;
    return SALUT_OK;
}

enum salut_status salut_sock_listener(const struct salut_socks *socks, int fd,
                                      salut_listener *listener)
{
    const struct slt_sock *sock = slt_sock_at(socks, fd);
    if (sock == NULL) {
        return SALUT_STALE;
    }
    if (sock->phase != SLT_SOCK_LISTENING) {
        return SALUT_INVALID;
    }
    *listener = sock->listener;
    return SALUT_OK;
}
