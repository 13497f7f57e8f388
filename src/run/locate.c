/* Which of our sockets a call is about, and duplicates of it.
 *
 * A descriptor of the program is known by its inode. One that is not in the table may have been
 * accepted by the kernel itself (accept(2) without room for an address costs no notification);
 * then the other end's name says whose it is. Anything else is a stranger: a socket of the kernel,
 * a real UNIX socket. Strangers are remembered for a while, for asking takes a duplicate.
 */
#include "run/sockets.h"

#include "run/target_linux.h"

#include <errno.h>
#include <unistd.h>

struct slt_run_sock *slt_run_end_signer(const struct slt_supervisor *sup, int their_fd)
{
    uint64_t number;
    uint64_t serial;
    if (!slt_run_end_read(sup, their_fd, &number, &serial)) {
        return NULL;
    }
    struct slt_run_sock *sock = slt_run_sock_at(sup, number);
    return sock != NULL && sock->serial == serial ? sock : NULL;
}

static uint64_t *stranger_at(struct slt_supervisor *sup, uint64_t inode)
{
    return &sup->strangers[inode % SLT_ARRAY_COUNT(sup->strangers)];
}

/* A socket met for the first time: accepted by the kernel, or a stranger. */
static struct slt_run_sock *meet(struct slt_supervisor *sup, const struct slt_call *call,
                                 uint64_t inode)
{
    if (*stranger_at(sup, inode) == inode) {
        return NULL;
    }
    int fd = slt_target_take_fd(call->tid, (int)call->args[0]);
    if (fd < 0) {
        return NULL;
    }
    struct slt_run_sock *sock = slt_run_end_signer(sup, fd);
    bool same = slt_run_inode_of(fd) == inode;
    (void)close(fd);
    if (sock == NULL && same) {
        *stranger_at(sup, inode) = inode;
    }
    if (sock == NULL || !same) {
        return NULL;
    }
    slt_run_sock_set_inode(sock, inode);
    return sock;
}

struct slt_run_sock *slt_run_locate(struct slt_supervisor *sup, const struct slt_call *call,
                                    int64_t *result)
{
    int64_t inode = slt_target_socket_inode(call->tid, (int)call->args[0]);
    struct slt_run_sock *sock = NULL;
    if (inode > 0) {
        sock = slt_run_sock_of_inode(sup, (uint64_t)inode);
        sock = sock != NULL ? sock : meet(sup, call, (uint64_t)inode);
    }
    if (sock == NULL) {
        /* The kernel's own words for a bad descriptor or no socket are the right ones. */
        slt_notify_pass(sup->notify_fd, call);
        *result = SLT_RUN_ANSWERED;
        return NULL;
    }
    sock->seen_tid = call->tid;
    sock->seen_fd = (int)call->args[0];
    return sock;
}

static int take_checked(const struct slt_run_sock *sock, pid_t tid, int their_fd)
{
    int fd = slt_target_take_fd(tid, their_fd);
    if (fd >= 0 && slt_run_inode_of(fd) != sock->inode) {
        (void)close(fd);
        return -ESRCH;
    }
    return fd;
}

int slt_run_take(struct slt_run_sock *sock, const struct slt_call *call)
{
    int fd = take_checked(sock, call->tid, (int)call->args[0]);
    if (fd >= 0 && !slt_notify_is_waiting(sock->sup->notify_fd, call)) {
        (void)close(fd);
        return -ESRCH;
    }
    return fd;
}

bool slt_run_know_inode(struct slt_run_sock *sock)
{
    struct slt_run_seen seen;
    if (sock->inode == 0 && sock->end.fd >= 0 &&
        slt_run_diag_one(sock->sup, slt_run_inode_of(sock->end.fd), &seen) == 1 && seen.peer != 0) {
        slt_run_sock_set_inode(sock, seen.peer);
    }
    return sock->inode != 0;
}

int slt_run_take_seen(const struct slt_run_sock *sock)
{
    bool known = sock->inode != 0 && sock->seen_fd >= 0;
    return known ? take_checked(sock, sock->seen_tid, sock->seen_fd) : -ESRCH;
}

int slt_run_take_any(struct slt_run_sock *sock)
{
    pid_t pid;
    if (!slt_run_know_inode(sock)) {
        return -ESRCH;
    }
    int fd = slt_run_take_seen(sock);
    if (fd < 0 && slt_target_find(sock->sup->root, sock->inode, &pid, &sock->seen_fd)) {
        sock->seen_tid = pid;
        fd = take_checked(sock, pid, sock->seen_fd);
    }
    return fd;
}

int slt_run_read(struct slt_supervisor *sup, const struct slt_call *call, uint64_t from, void *data,
                 size_t bytes)
{
    int result = slt_target_read(call->tid, from, data, bytes);
    if (result == 0 && !slt_notify_is_waiting(sup->notify_fd, call)) {
        result = -ESRCH;
    }
    return result;
}

int slt_run_write(struct slt_supervisor *sup, const struct slt_call *call, uint64_t to,
                  const void *data, size_t bytes)
{
    (void)sup;
    return slt_target_write(call->tid, to, data, bytes);
}
