/* Datagram sockets: what the calls of sock.h mean for UDP, but for the bytes (dgram_data.c).
 *
 * The engine's socket is made when a port is needed: by bind(), or by the first connect() or send,
 * which choose one. Connecting is done at once and can be done again; AF_UNSPEC undoes it, and
 * gives a port that nobody asked for back (SOCK-34). Everything else that the socket shows is asked
 * of the instance. Errors that the network reports are shown as Linux shows them without
 * IP_RECVERR: the hard ones, to connected sockets, once.
 */
#include "sock/sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

bool slt_sock_info(const struct salut_socks *socks, const struct slt_sock *sock,
                   struct salut_info *info)
{
    if (sock->has_udp) {
        return salut_udp_get_info(socks->stack, sock->udp, info) == SALUT_OK;
    }
    return sock->has_conn && salut_get_info(socks->stack, sock->conn, info) == SALUT_OK;
}

static void read_names(const struct salut_socks *socks, struct slt_sock *sock)
{
    struct salut_info info;
    if (slt_sock_info(socks, sock, &info)) {
        sock->local = info.local;
        sock->port = info.local_port;
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

int slt_dgram_open(struct salut_socks *socks, struct slt_sock *sock, int fd,
                   const struct salut_udp_params *wish)
{
    struct salut_udp_params params = *wish;
    SLT_ASSERT(!sock->has_udp);
    params.user = (uint64_t)fd;
    params.flags = sock->set.v6_only ? SALUT_UDP_V6_ONLY : 0U;
    params.flags |= sock->set.reuse_port || sock->set.reuse_addr ? SALUT_UDP_REUSE : 0U;
    enum salut_status status = salut_udp_open(socks->stack, &params, &sock->udp);
    if (status != SALUT_OK) {
        return status == SALUT_ADDRESS_NOT_AVAILABLE && slt_addr_is_any(&params.local)
                   ? -EAGAIN
                   : -salut_status_errno(status);
    }
    sock->has_udp = true;
    sock->bound = true;
    sock->port_kept = params.port != 0;
    read_names(socks, sock);
    slt_opt_apply(socks, sock);
    return 0;
}

int slt_dgram_need_port(struct salut_socks *socks, struct slt_sock *sock, int fd)
{
    struct salut_udp_params any = {.local = slt_addr_any(sock->family)};
    return sock->has_udp ? 0 : slt_dgram_open(socks, sock, fd, &any);
}

/* ---- peers ---------------------------------------------------------------------------------- */

int slt_dgram_errno(enum salut_status status, const salut_addr *remote)
{
    if (status == SALUT_ADDRESS_INVALID && remote != NULL && !slt_addr_is_any(remote)) {
        return -EACCES; /* SOCK-36: broadcast without SO_BROADCAST */
    }
    if (status == SALUT_NOT_CONNECTED) {
        return -EDESTADDRREQ;
    }
    return -salut_status_errno(status);
}

int slt_dgram_connect(struct salut_socks *socks, struct slt_sock *sock, int fd,
                      const struct salut_udp_to *peer)
{
    bool fresh = !sock->has_udp;
    if (sock->set.v6_only && slt_addr_is_v4(&peer->remote)) {
        return -ENETUNREACH;
    }
    if (peer->port == 0) {
        return -EINVAL;
    }
    int result = slt_dgram_need_port(socks, sock, fd);
    if (result < 0) {
        return result;
    }
    enum salut_status status =
        salut_udp_connect(socks->stack, sock->udp, &peer->remote, peer->port);
    if (status != SALUT_OK) {
        if (fresh) {
            slt_sock_release(socks, sock);
        }
        return slt_dgram_errno(status, &peer->remote);
    }
    sock->phase = SLT_SOCK_CONNECTED;
    read_names(socks, sock);
    return 0;
}

int slt_dgram_disconnect(struct salut_socks *socks, struct slt_sock *sock)
{
    static const salut_addr nobody;
    if (!sock->has_udp) {
        return 0;
    }
    if (!sock->port_kept) {
        slt_sock_release(socks, sock);
        return 0;
    }
    sock->phase = SLT_SOCK_IDLE;
    sock->shut_read = false;
    sock->shut_write = false;
    enum salut_status status = salut_udp_connect(socks->stack, sock->udp, &nobody, 0);
    read_names(socks, sock);
    return -salut_status_errno(status);
}

/* Linux: without a peer it is an error, and done all the same. */
int slt_dgram_shutdown(struct slt_sock *sock, int how)
{
    sock->shut_read = sock->shut_read || how != SHUT_WR;
    sock->shut_write = sock->shut_write || how != SHUT_RD;
    return sock->phase == SLT_SOCK_CONNECTED ? 0 : -ENOTCONN;
}

/* ---- facts ---------------------------------------------------------------------------------- */

int slt_dgram_error(const struct salut_socks *socks, const struct slt_sock *sock)
{
    struct salut_info info;
    return slt_sock_info(socks, sock, &info) ? salut_status_errno((enum salut_status)info.status)
                                             : 0;
}

int slt_dgram_take_error(struct salut_socks *socks, const struct slt_sock *sock)
{
    enum salut_status taken;
    int error = slt_dgram_error(socks, sock);
    if (error != 0) {
        (void)salut_udp_take_error(socks->stack, sock->udp, &taken);
    }
    return error;
}

short slt_dgram_bits(const struct salut_socks *socks, const struct slt_sock *sock)
{
    uint32_t ready = SALUT_WRITABLE;
    short bits = 0;
    if (sock->has_udp) {
        (void)salut_udp_ready(socks->stack, sock->udp, &ready);
    }
    if (sock->shut_read) {
        bits |= POLLIN | POLLRDNORM | POLLRDHUP;
    }
    if (sock->shut_read && sock->shut_write) {
        bits |= POLLHUP;
    }
    if ((ready & SALUT_READABLE) != 0) {
        bits |= POLLIN | POLLRDNORM;
    }
    if ((ready & SALUT_WRITABLE) != 0) {
        bits |= POLLOUT | POLLWRNORM | POLLWRBAND;
    }
    return bits;
}

/* SOCK-79: of the next datagram alone; what waits to be sent, with what stands before it. */
int slt_dgram_count(struct salut_socks *socks, const struct slt_sock *sock, unsigned long request)
{
    struct salut_info info;
    struct salut_udp_message message;
    size_t count = 0;
    if (!slt_sock_info(socks, sock, &info)) {
        return 0;
    }
    if (request != SIOCINQ) {
        return (int)info.send_queued;
    }
    bool there = info.status == SALUT_OK && info.recv_datagrams > 0 &&
                 salut_udp_peek(socks->stack, sock->udp, NULL, 0, &count, &message) == SALUT_OK;
    return there ? (int)message.bytes : 0;
}
