/* poll(2) with a timeout of 0. */
#include "sock/sock.h"

#include <poll.h>

short salut_sock_ready(const struct salut_socks *socks, int fd)
{
    const struct slt_sock *sock = slt_sock_at(socks, fd);
    if (sock == NULL) {
        return POLLNVAL;
    }
    return sock->kind == SLT_SOCK_EPOLL ? 0 : slt_sock_poll_bits(socks, sock);
}

int salut_sock_poll(struct salut_socks *socks, struct pollfd *fds, size_t count)
{
    int set = 0;
    for (size_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (fds[i].fd >= 0) {
            short wanted = (short)(fds[i].events | POLLERR | POLLHUP | POLLNVAL);
            fds[i].revents = (short)(salut_sock_ready(socks, fds[i].fd) & wanted);
        }
        set += fds[i].revents != 0;
    }
    return set;
}
