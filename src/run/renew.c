/* A new S in the place of one that is used up.
 *
 * A UNIX socket is connected once and never again. TCP's can be: after an attempt that failed
 * (SOCK-33), and after connect(AF_UNSPEC) (SOCK-34). Then the program gets a fresh S under the same
 * number (swap.c).
 */
#include "run/sockets.h"

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

int slt_run_fresh(int flags)
{
    const int least = 1; /* the kernel makes it 4,608 */
    int fd = slt_run_unix_socket(flags);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
    }
    return fd;
}

void slt_run_mirror_options(const struct slt_run_sock *sock, int fd)
{
    static const int names[] = {SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, SO_OOBINLINE};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(names); i++) {
        uint8_t value[sizeof(struct timeval)];
        struct salut_sock_opt opt = {
            .level = SOL_SOCKET, .name = names[i], .value = value, .bytes = sizeof(value)};
        if (salut_sock_getsockopt(sock->sup->socks, sock->fd, &opt) == 0) {
            (void)setsockopt(fd, SOL_SOCKET, names[i], value, opt.bytes);
        }
    }
}

int slt_run_renew(struct slt_run_sock *sock, const struct slt_call *call)
{
    int flags = slt_run_descriptor_flags(call);
    int fd = slt_run_fresh((flags & O_NONBLOCK) != 0 ? SOCK_NONBLOCK : 0);
    if (fd < 0) {
        return fd;
    }
    slt_run_mirror_options(sock, fd);
    int result = slt_run_swap(sock, call, fd, flags);
    if (result == 0) {
        slt_run_drop_end(sock);
        slt_run_forget_name(sock);
        slt_run_close_doors(sock);
        slt_run_sock_set_inode(sock, slt_run_inode_of(fd));
        sock->phase = SLT_RUN_FRESH;
        sock->shut_read = false;
        sock->shut_write = false;
        sock->fin_sent = false;
        sock->fin_given = false;
        sock->end_stuck = false;
        sock->urgent = false;
        sock->end_near = false;
        sock->failed_open = false;
        sock->told_reset = false;
        sock->reset_waits = false;
        sock->reset_tries = 0;
        sock->interest = 0;
        slt_run_watch(sock);
    }
    (void)close(fd);
    return result;
}
