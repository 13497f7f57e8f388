/* Closing: shutdown, close, and the end of the table (SOCK-01..14).
 *
 * shutdown(SHUT_RD) is the socket's own: the engine goes on receiving and acknowledging, and what
 * arrives can still be read; only an empty queue then reads as the end (SOCK-12).
 */
#include "sock/sock.h"

#include <errno.h>
#include <sys/socket.h>

/* On a listener only the receiving side means anything: it stops listening. */
static int shutdown_listener(struct salut_socks *socks, struct slt_sock *sock, int how)
{
    if (how != SHUT_WR) {
        slt_sock_release(socks, sock);
        sock->shut_read = true;
        sock->shut_write = how == SHUT_RDWR;
    }
    return 0;
}

static int shutdown_conn(struct salut_socks *socks, struct slt_sock *sock, int how)
{
    enum salut_status status = SALUT_OK;
    if (how != SHUT_RD) {
        status = salut_shutdown(socks->stack, sock->conn, SALUT_SHUT_WRITE);
    }
    if (status == SALUT_OK) {
        sock->shut_read = sock->shut_read || how != SHUT_WR;
        sock->shut_write = sock->shut_write || how != SHUT_RD;
    }
    return -salut_status_errno(status);
}

int salut_sock_shutdown(struct salut_socks *socks, int fd, int how)
{
    struct slt_sock *sock;
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
        return -EINVAL; /* SOCK-13 */
    }
    if (sock->kind == SLT_SOCK_DGRAM) {
        return slt_dgram_shutdown(sock, how);
    }
    if (sock->phase == SLT_SOCK_LISTENING) {
        return shutdown_listener(socks, sock, how);
    }
    if (!sock->has_conn || slt_sock_is_ended(socks, sock)) {
        return -ENOTCONN;
    }
    if (!slt_sock_is_connected(socks, sock)) {
        /* Linux: shutdown of a connection being opened gives the attempt up. */
        slt_sock_release(socks, sock);
        sock->error = ECONNRESET;
        return 0;
    }
    return shutdown_conn(socks, sock, how);
}

int salut_sock_close(struct salut_socks *socks, int fd)
{
    struct slt_sock *sock = slt_sock_at(socks, fd);
    if (sock == NULL) {
        return -EBADF;
    }
    if (sock->kind == SLT_SOCK_EPOLL) {
        slt_epoll_free(socks, sock->epoll);
    } else {
        slt_sock_release(socks, sock);
    }
    slt_sock_drop(socks, fd);
    return 0;
}

void salut_socks_destroy(struct salut_socks *socks)
{
    if (socks == NULL) {
        return;
    }
    for (uint32_t i = 0; i < socks->slot_count; i++) {
        if (socks->slots[i] != NULL) {
            (void)salut_sock_close(socks, socks->first_fd + (int)i);
        }
    }
    if (socks->slots != NULL) {
        socks->free(socks->alloc_ctx, socks->slots, socks->slot_count * sizeof(*socks->slots));
    }
    socks->free(socks->alloc_ctx, socks, sizeof(*socks));
}
