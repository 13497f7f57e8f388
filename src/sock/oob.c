/* Urgent data as sockets show it: one byte out of band (SOCK-74, RFC 6093).
 *
 * The engine keeps the urgent byte in the stream and says how far ahead it lies. Reading it out of
 * band copies it and remembers its position; the ordinary reader later steps over it (call_data.c)
 * unless SO_OOBINLINE says that it belongs to the stream.
 */
#include "sock/sock.h"

#include <errno.h>

#define PEEK_PIECES 64U

/* The byte `offset` bytes into the receive queue. */
static bool byte_at(const struct salut_socks *socks, const struct slt_sock *sock, uint32_t offset,
                    uint8_t *out)
{
    struct salut_iovec pieces[PEEK_PIECES];
    size_t count = 0;
    size_t bytes = 0;
    if (salut_peek(socks->stack, sock->conn, pieces, PEEK_PIECES, &count, &bytes) != SALUT_OK) {
        return false;
    }
    size_t left = offset;
    for (size_t i = 0; i < count; i++) {
        if (left < pieces[i].bytes) {
            *out = ((const uint8_t *)pieces[i].base)[left];
            return true;
        }
        left -= pieces[i].bytes;
    }
    return false;
}

int slt_sock_recv_oob(struct salut_socks *socks, struct slt_sock *sock, uint8_t *out, bool peek)
{
    struct slt_sock_mark mark = slt_sock_find_mark(socks, sock);
    if (sock->set.oob_inline || mark.ahead == 0 || mark.taken) {
        return -EINVAL;
    }
    if (!mark.arrived || !byte_at(socks, sock, mark.ahead - 1, out)) {
        return -EAGAIN;
    }
    if (!peek) {
        sock->oob_read_pos = mark.pos;
    }
    return 1;
}
