/* Calls that move bytes or wait: the ones a script may let block. */
#include "lab/packetdrill_so.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- one attempt ----------------------------------------------------------------------------- */

static void send_more(struct slt_pd *pd, struct slt_pd_call *call)
{
    ptrdiff_t result =
        salut_sock_send(pd->host.socks, call->fd, (const uint8_t *)call->const_data + call->done,
                        call->bytes - call->done, call->flags);

    call->done += result > 0 ? (size_t)result : 0;
    call->result = call->done > 0 ? (ptrdiff_t)call->done : result;
}

static bool is_stuck(const struct slt_pd *pd, const struct slt_pd_call *call)
{
    bool waits = call->result == -EAGAIN || call->result == -EINPROGRESS ||
                 (call->kind == SLT_PD_CONNECT && call->result == -EALREADY);

    if (call->kind == SLT_PD_POLL || call->kind == SLT_PD_EPOLL) {
        return call->result == 0 && call->timeout_ms != 0;
    }
    if (call->kind == SLT_PD_SEND) {
        waits = waits || (call->result >= 0 && call->done < call->bytes);
    }
    return waits && (call->flags & MSG_DONTWAIT) == 0 &&
           salut_sock_blocks(pd->host.socks, call->fd);
}

/* Try once. True: it would block. */
static bool attempt(struct slt_pd *pd, struct slt_pd_call *call)
{
    struct salut_socks *socks = pd->host.socks;

    switch (call->kind) {
    case SLT_PD_ACCEPT:
        call->result = salut_sock_accept(socks, call->fd, call->addr, &call->addr_bytes, 0);
        break;
    case SLT_PD_CONNECT:
        call->result = salut_sock_connect(socks, call->fd, call->const_addr, call->addr_bytes);
        break;
    case SLT_PD_RECV:
        call->result = salut_sock_recv(socks, call->fd, call->data, call->bytes, call->flags);
        break;
    case SLT_PD_RECVMSG:
        call->result = salut_sock_recvmsg(socks, call->fd, call->msg, call->flags);
        break;
    case SLT_PD_SEND:
        send_more(pd, call);
        break;
    case SLT_PD_SENDMSG:
        call->result = salut_sock_sendmsg(socks, call->fd, call->const_msg, call->flags);
        break;
    case SLT_PD_POLL:
        call->result = salut_sock_poll(socks, call->fds, call->bytes);
        break;
    case SLT_PD_EPOLL:
        call->result = salut_sock_epoll_wait(socks, call->fd, call->events, (int)call->bytes);
        break;
    }
    return is_stuck(pd, call);
}

/* Try something until it does not block any more, on the other thread; on the main thread once. */
static void run(struct slt_pd *pd, struct slt_pd_call *call)
{
    bool blocks = attempt(pd, call);

    pd->give_up_ns = SLT_NEVER;
    if (!blocks || slt_pd_on_main_thread(pd)) {
        return;
    }
    if (call->timeout_ms > 0) {
        pd->give_up_ns = pd->host.now_ns + call->timeout_ms * SLT_NS_PER_MS;
    }
    slt_pd_set_blocked(pd, true);
    slt_script_host_pump(&pd->host);
    while (blocks && pd->host.now_ns < pd->give_up_ns) {
        slt_pd_wait(pd);
        blocks = attempt(pd, call);
        slt_script_host_pump(&pd->host);
    }
    slt_pd_set_blocked(pd, false);
}

/* Enter, run, leave. The descriptor is the kernel's and becomes the host's. */
static ssize_t run_call(void *userdata, int fd, struct slt_pd_call *call)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    call->fd = slt_pd_fd(pd, fd);
    run(pd, call);
    slt_pd_leave(pd);
    return slt_pd_result(call->result);
}

/* ---- the table's functions ------------------------------------------------------------------- */

static int pd_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *bytes)
{
    struct slt_pd *pd = userdata;
    struct sockaddr_storage room;
    struct slt_pd_call call = {
        .kind = SLT_PD_ACCEPT,
        .addr = addr ? addr : (struct sockaddr *)&room,
        .addr_bytes = addr && bytes ? *bytes : (uint32_t)sizeof(room),
    };

    slt_pd_enter(pd);
    call.fd = slt_pd_fd(pd, fd);
    run(pd, &call);
    int result =
        call.result < 0 ? (int)slt_pd_result(call.result) : slt_pd_new_fd(pd, (int)call.result);
    int error = errno;
    if (result >= 0 && bytes) {
        *bytes = call.addr_bytes;
    }
    slt_pd_leave(pd);
    errno = error;
    return result;
}

static int pd_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes)
{
    struct slt_pd_call call = {.kind = SLT_PD_CONNECT, .const_addr = addr, .addr_bytes = bytes};
    return (int)run_call(userdata, fd, &call);
}

static ssize_t pd_recv(void *userdata, int fd, void *data, size_t bytes, int flags)
{
    struct slt_pd_call call = {.kind = SLT_PD_RECV, .data = data, .bytes = bytes, .flags = flags};
    return run_call(userdata, fd, &call);
}

static ssize_t pd_read(void *userdata, int fd, void *data, size_t bytes)
{
    return pd_recv(userdata, fd, data, bytes, 0);
}

/* On a stream the address is left alone. */
static ssize_t pd_recvfrom(void *userdata, int fd, void *data, size_t bytes, int flags,
                           struct sockaddr *addr, socklen_t *addr_bytes)
{
    if (addr && addr_bytes) {
        *addr_bytes = 0;
    }
    return pd_recv(userdata, fd, data, bytes, flags);
}

static ssize_t pd_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags)
{
    struct slt_pd_call call = {.kind = SLT_PD_RECVMSG, .msg = msg, .flags = flags};
    return run_call(userdata, fd, &call);
}

static ssize_t pd_readv(void *userdata, int fd, const struct iovec *pieces, int count)
{
    struct msghdr msg = {.msg_iovlen = (size_t)(count > 0 ? count : 0)};
    memcpy(&msg.msg_iov, &pieces, sizeof(pieces));
    return pd_recvmsg(userdata, fd, &msg, 0);
}

static ssize_t pd_send(void *userdata, int fd, const void *data, size_t bytes, int flags)
{
    struct slt_pd_call call = {
        .kind = SLT_PD_SEND, .const_data = data, .bytes = bytes, .flags = flags};
    return run_call(userdata, fd, &call);
}

static ssize_t pd_write(void *userdata, int fd, const void *data, size_t bytes)
{
    return pd_send(userdata, fd, data, bytes, 0);
}

static ssize_t pd_sendto(void *userdata, int fd, const void *data, size_t bytes, int flags,
                         const struct sockaddr *addr, socklen_t addr_bytes)
{
    (void)addr;
    (void)addr_bytes;
    return pd_send(userdata, fd, data, bytes, flags);
}

static ssize_t pd_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags)
{
    struct slt_pd_call call = {.kind = SLT_PD_SENDMSG, .const_msg = msg, .flags = flags};
    return run_call(userdata, fd, &call);
}

static ssize_t pd_writev(void *userdata, int fd, const struct iovec *pieces, int count)
{
    struct msghdr msg = {.msg_iovlen = (size_t)(count > 0 ? count : 0)};
    memcpy(&msg.msg_iov, &pieces, sizeof(pieces));
    return pd_sendmsg(userdata, fd, &msg, 0);
}

static int pd_poll(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct slt_pd *pd = userdata;
    struct slt_pd_call call = {.kind = SLT_PD_POLL, .bytes = count, .timeout_ms = timeout_ms};
    struct pollfd *mapped = calloc(count ? count : 1, sizeof(*mapped));

    if (!mapped) {
        errno = ENOMEM;
        return -1;
    }
    slt_pd_enter(pd);
    for (nfds_t i = 0; i < count; i++) {
        mapped[i].events = fds[i].events;
        mapped[i].fd = slt_pd_fd(pd, fds[i].fd);
    }
    call.fds = mapped;
    run(pd, &call);
    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = mapped[i].revents;
    }
    slt_pd_leave(pd);
    free(mapped);
    return (int)slt_pd_result(call.result);
}

static int pd_epoll_wait(void *userdata, int epoll_fd, struct epoll_event *events, int max,
                         int timeout_ms)
{
    struct slt_pd_call call = {.kind = SLT_PD_EPOLL,
                               .events = events,
                               .bytes = (size_t)(max > 0 ? max : 0),
                               .timeout_ms = timeout_ms};
    return (int)run_call(userdata, epoll_fd, &call);
}

void slt_pd_fill_calls(struct packetdrill_interface *ifc)
{
    ifc->accept = pd_accept;
    ifc->connect = pd_connect;
    ifc->read = pd_read;
    ifc->readv = pd_readv;
    ifc->recv = pd_recv;
    ifc->recvfrom = pd_recvfrom;
    ifc->recvmsg = pd_recvmsg;
    ifc->write = pd_write;
    ifc->writev = pd_writev;
    ifc->send = pd_send;
    ifc->sendto = pd_sendto;
    ifc->sendmsg = pd_sendmsg;
    ifc->poll = pd_poll;
    ifc->epoll_wait = pd_epoll_wait;
}
