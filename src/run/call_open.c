/* socket, bind, listen. The words are salut_sock's; here S follows them. */
#include "run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG_MAX 4096

int64_t slt_run_call_socket(struct slt_supervisor *sup, const struct slt_call *call)
{
    int domain = (int)call->args[0];
    int type = (int)call->args[1];
    if (sup->sock_count >= sup->socks_max) {
        return -ENFILE;
    }
    int fd = salut_sock_socket(sup->socks, domain, type, (int)call->args[2]);
    if (fd < 0) {
        return fd;
    }
    if (sup->mss != 0) {
        int mss = (int)sup->mss;
        struct salut_sock_opt opt = {IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss)};
        (void)salut_sock_setsockopt(sup->socks, fd, &opt);
    }
    struct slt_run_sock *sock = slt_run_sock_new(sup, fd, domain == AF_INET ? 4 : 6);
    int their = sock == NULL ? -ENOMEM : slt_run_fresh(type & SOCK_NONBLOCK);
    if (their < 0) {
        if (sock != NULL) {
            slt_run_sock_free(sock);
        }
        (void)salut_sock_close(sup->socks, fd);
        return their;
    }
    slt_run_sock_set_inode(sock, slt_run_inode_of(their));
    sock->seen_tid = call->tid;
    slt_run_watch(sock);
    if (!slt_notify_give(sup->notify_fd, call, their, (type & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0)) {
        slt_run_closed(sock);
    }
    (void)close(their);
    return SLT_RUN_ANSWERED;
}

int64_t slt_run_call_bind(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    struct slt_supervisor *sup = sock->sup;
    const struct slt_call *call = &wait->call;
    struct sockaddr_storage addr;
    int bytes = (int)call->args[2];
    if (bytes < 0 || (size_t)bytes > sizeof(addr)) {
        return -EINVAL;
    }
    memset(&addr, 0, sizeof(addr));
    int result = slt_run_read(sup, call, call->args[1], &addr, (size_t)bytes);
    if (result < 0) {
        return result;
    }
    if (!sup->loopback_off && slt_run_is_loopback(&addr) && sock->phase == SLT_RUN_FRESH) {
        return slt_run_go_to_kernel(sock, call);
    }
    result = salut_sock_bind(sup->socks, sock->fd, (const struct sockaddr *)&addr, (uint32_t)bytes);
    if (result == -EADDRINUSE) {
        /* Whoever has the port may have closed it a moment ago. */
        uint64_t serial = sock->serial;
        uint32_t number = (uint32_t)sock->fd;
        slt_run_watch_sweep(sup);
        sock = slt_run_sock_at(sup, number);
        if (sock == NULL || sock->serial != serial) {
            return -EBADF;
        }
        result =
            salut_sock_bind(sup->socks, sock->fd, (const struct sockaddr *)&addr, (uint32_t)bytes);
    }
    return result;
}

/* One less than the program asked for: the stack's queue holds the other (queue.c). */
static int unix_backlog(int backlog)
{
    int wanted = backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog;
    return wanted > 0 ? wanted - 1 : 0;
}

/* Make S the UNIX listener that the program's accept, poll and close work on. */
static int listen_on(struct slt_run_sock *sock, int their_fd, int backlog)
{
    if (sock->name == NULL) {
        sock->name = calloc(1, sizeof(*sock->name));
        if (sock->name == NULL) {
            return -ENOBUFS;
        }
        int bound = slt_run_name_bind(sock->sup, their_fd, sock->name);
        if (bound < 0) {
            free(sock->name);
            sock->name = NULL;
            return bound;
        }
    }
    return listen(their_fd, unix_backlog(backlog)) == 0 ? 0 : -errno;
}

int64_t slt_run_call_listen(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    struct slt_supervisor *sup = sock->sup;
    const struct slt_call *call = &wait->call;
    int backlog = (int)call->args[1];
    int result = 0;
    if (sock->phase == SLT_RUN_DEAD) {
        result = slt_run_renew(sock, call);
    }
    int their = result < 0 ? result : slt_run_take(sock, call);
    if (their < 0) {
        return their;
    }
    bool first = sock->phase != SLT_RUN_LISTENING;
    result = salut_sock_listen(sup->socks, sock->fd, backlog);
    if (result == 0) {
        result = listen_on(sock, their, backlog);
        if (result == 0) {
            sock->phase = SLT_RUN_LISTENING;
            sock->backlog = backlog;
            slt_run_queue_begin(sock);
            slt_run_open_doors(sock);
        } else if (first) {
            (void)salut_sock_shutdown(sup->socks, sock->fd, SHUT_RDWR);
        }
    }
    (void)close(their);
    return result;
}
