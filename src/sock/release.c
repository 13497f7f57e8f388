/* Letting go of what a socket stands for, so that it is as it was made, but for its options and for
 * a port that the user chose (SOCK-34).
 */
#include "sock/sock.h"

void slt_sock_release(struct salut_socks *socks, struct slt_sock *sock)
{
    if (sock->has_conn) {
        (void)salut_close(socks->stack, sock->conn);
    }
    if (sock->has_udp) {
        (void)salut_udp_close(socks->stack, sock->udp);
    }
    if (sock->phase == SLT_SOCK_LISTENING) {
        (void)salut_close_listener(socks->stack, sock->listener); /* SOCK-08 */
    }
    sock->has_conn = false;
    sock->has_udp = false;
    sock->phase = SLT_SOCK_IDLE;
    sock->error = 0;
    sock->error_taken = false;
    sock->shut_read = false;
    sock->shut_write = false;
    sock->oob_read_pos = SLT_SOCK_NO_POS;
    if (!sock->port_kept) {
        sock->bound = false;
        sock->port = 0;
        sock->local = slt_addr_any(sock->family);
    }
}
