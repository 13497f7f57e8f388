/* Calls that never block, and descriptors.
 *
 * What packetdrill gets as descriptors are the kernel's: an eventfd each, because packetdrill
 * closes those that a script leaves open with the system's own close.
 */
#include "lab/packetdrill_so.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

ssize_t slt_pd_result(ptrdiff_t result)
{
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return (ssize_t)result;
}

int slt_pd_fd(const struct slt_pd *pd, int fd)
{
    return fd >= 0 && fd < SLT_PD_FDS_MAX ? pd->fds[fd] : -1;
}

int slt_pd_new_fd(struct slt_pd *pd, int host_fd)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    if (fd < 0 || fd >= SLT_PD_FDS_MAX) {
        int error = fd < 0 ? errno : EMFILE;
        if (fd >= 0) {
            close(fd);
        }
        salut_sock_close(pd->host.socks, host_fd);
        errno = error;
        return -1;
    }
    pd->fds[fd] = host_fd;
    return fd;
}

static int pd_socket(void *userdata, int domain, int type, int protocol)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    int result = salut_sock_socket(pd->host.socks, domain, type, protocol);
    result = result < 0 ? (int)slt_pd_result(result) : slt_pd_new_fd(pd, result);
    int error = errno;
    slt_pd_leave(pd);
    errno = error;
    return result;
}

/* The address a script binds to is ours: nobody else says so. */
static void learn_bound(struct slt_pd *pd, const struct sockaddr *addr, socklen_t bytes)
{
    salut_addr ours = {{0}, 0};
    const uint8_t none[16] = {0};

    if (addr && addr->sa_family == AF_INET && bytes >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in4;
        memcpy(&in4, addr, sizeof(in4));
        ours.b[10] = 0xff;
        ours.b[11] = 0xff;
        memcpy(ours.b + 12, &in4.sin_addr, 4);
        if (in4.sin_addr.s_addr != 0) {
            slt_script_host_add_address(&pd->host, &ours);
        }
    } else if (addr && addr->sa_family == AF_INET6 && bytes >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, addr, sizeof(in6));
        memcpy(ours.b, &in6.sin6_addr, 16);
        if (memcmp(ours.b, none, sizeof(none)) != 0) {
            slt_script_host_add_address(&pd->host, &ours);
        }
    }
}

static int pd_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    learn_bound(pd, addr, bytes);
    int result = salut_sock_bind(pd->host.socks, slt_pd_fd(pd, fd), addr, bytes);
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_listen(void *userdata, int fd, int backlog)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    int result = salut_sock_listen(pd->host.socks, slt_pd_fd(pd, fd), backlog);
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_close(void *userdata, int fd)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    int result = salut_sock_close(pd->host.socks, slt_pd_fd(pd, fd));
    if (result == 0) {
        pd->fds[fd] = -1;
        close(fd);
    }
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_shutdown(void *userdata, int fd, int how)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    int result = salut_sock_shutdown(pd->host.socks, slt_pd_fd(pd, fd), how);
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes)
{
    struct slt_pd *pd = userdata;
    struct salut_sock_opt opt = {.level = level, .name = name, .value = value, .bytes = *bytes};

    slt_pd_enter(pd);
    int result = salut_sock_getsockopt(pd->host.socks, slt_pd_fd(pd, fd), &opt);
    if (result == 0) {
        *bytes = opt.bytes;
    }
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_setsockopt(void *userdata, int fd, int level, int name, const void *value,
                         socklen_t bytes)
{
    struct slt_pd *pd = userdata;
    struct salut_sock_opt opt = {.level = level, .name = name, .bytes = bytes};

    memcpy(&opt.value, &value, sizeof(value));
    slt_pd_enter(pd);
    int result = salut_sock_setsockopt(pd->host.socks, slt_pd_fd(pd, fd), &opt);
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_fcntl(void *userdata, int fd, int command, ...)
{
    struct slt_pd *pd = userdata;
    int value = 0;
    va_list args;

    va_start(args, command);
    if (command == F_SETFL || command == F_SETFD) {
        value = va_arg(args, int);
    }
    va_end(args);
    slt_pd_enter(pd);
    int result = salut_sock_fcntl(pd->host.socks, slt_pd_fd(pd, fd), command, value);
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    struct slt_pd *pd = userdata;
    va_list args;

    va_start(args, request);
    int *value = va_arg(args, int *);
    va_end(args);
    slt_pd_enter(pd);
    int result = salut_sock_ioctl(pd->host.socks, slt_pd_fd(pd, fd), request, value);
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_epoll_create(void *userdata, int size)
{
    struct slt_pd *pd = userdata;

    if (size <= 0) {
        errno = EINVAL;
        return -1;
    }
    slt_pd_enter(pd);
    int result = salut_sock_epoll_create(pd->host.socks, 0);
    result = result < 0 ? (int)slt_pd_result(result) : slt_pd_new_fd(pd, result);
    int error = errno;
    slt_pd_leave(pd);
    errno = error;
    return result;
}

static int pd_epoll_ctl(void *userdata, int epoll_fd, int op, int fd, struct epoll_event *event)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    int result =
        salut_sock_epoll_ctl(pd->host.socks, slt_pd_fd(pd, epoll_fd), op, slt_pd_fd(pd, fd), event);
    slt_pd_leave(pd);
    return (int)slt_pd_result(result);
}

static int pd_pipe(void *userdata, int fds[2])
{
    (void)userdata;
    return pipe2(fds, O_CLOEXEC);
}

/* Sockets of this library are no kernel files, so nothing can be spliced from or to them. */
static int pd_splice(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t bytes,
                     unsigned flags)
{
    (void)userdata;
    (void)in;
    (void)in_at;
    (void)out;
    (void)out_at;
    (void)bytes;
    (void)flags;
    errno = EINVAL;
    return -1;
}

void slt_pd_fill_control(struct packetdrill_interface *ifc)
{
    ifc->socket = pd_socket;
    ifc->bind = pd_bind;
    ifc->listen = pd_listen;
    ifc->close = pd_close;
    ifc->shutdown = pd_shutdown;
    ifc->getsockopt = pd_getsockopt;
    ifc->setsockopt = pd_setsockopt;
    ifc->fcntl = pd_fcntl;
    ifc->ioctl = pd_ioctl;
    ifc->epoll_create = pd_epoll_create;
    ifc->epoll_ctl = pd_epoll_ctl;
    ifc->pipe = pd_pipe;
    ifc->splice = pd_splice;
}
