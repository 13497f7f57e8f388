/* 127.0.0.1 and ::1: the kernel's.
 *
 * What a program says to the loopback addresses is for other programs of this machine (or of the
 * private network), salut's or not, so it goes through the kernel. A socket that is bound or
 * connected there is given up for a socket of the kernel, with what the program had set on it, and
 * the call that said so is carried out by the kernel as it stands: from then on the supervisor has
 * nothing to do with it, and it costs nothing.
 *
 * A listener on the wildcard is reached both ways. It stays the stack's; beside it the supervisor
 * listens on the kernel's loopback at the same port, where it is free, and joins what comes there
 * with a new end to the program's own queue; while that is full it lets them wait. Who asks for the
 * names of such a connection gets the kernel's.
 */
#include "run/sockets.h"

#include "run/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define VALUE_MAX   32
#define ACCEPTS_MAX 16
#define BACKLOG_MAX 4096
#define V4_IN_V6    12
#define RETRY_NS    (2 * SLT_NS_PER_MS)

/* One connection from the kernel's side. */
struct slt_run_joint {
    struct slt_splice splice;
    struct slt_run_sock *sock;
};

static bool is_loopback4(const uint8_t *address)
{
    return address[0] == 127;
}

bool slt_run_is_loopback(const struct sockaddr_storage *addr)
{
    static const uint8_t mapped[V4_IN_V6] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (addr->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof(in));
        return is_loopback4((const uint8_t *)&in.sin_addr);
    }
    if (addr->ss_family != AF_INET6) {
        return false;
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, addr, sizeof(in6));
    if (memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) == 0) {
        return is_loopback4(&in6.sin6_addr.s6_addr[V4_IN_V6]);
    }
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

/* ---- given up for the kernel's -------------------------------------------------------------- */

/* Options that both worlds know, none of which has a pointer or a descriptor in its value: what the
 * program says is handed to the kernel in the supervisor's name. */
static const struct {
    int level;
    int name;
} shared[] = {
    {SOL_SOCKET, SO_REUSEADDR},  {SOL_SOCKET, SO_REUSEPORT},      {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},     {SOL_SOCKET, SO_OOBINLINE},      {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},   {SOL_SOCKET, SO_RCVLOWAT},       {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_CORK},     {IPPROTO_TCP, TCP_KEEPIDLE},     {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},  {IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_IPV6, IPV6_V6ONLY},
};

static void copy_options(const struct slt_run_sock *sock, int fd)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(shared); i++) {
        uint8_t value[VALUE_MAX];
        struct salut_sock_opt opt = {.level = shared[i].level,
                                     .name = shared[i].name,
                                     .value = value,
                                     .bytes = sizeof(value)};
        bool v6 = shared[i].level == IPPROTO_IPV6;
        if ((!v6 || sock->family == 6) &&
            salut_sock_getsockopt(sock->sup->socks, sock->fd, &opt) == 0) {
            (void)setsockopt(fd, opt.level, opt.name, value, opt.bytes);
        }
    }
}

/* A port the program chose is its port there, too. */
static void copy_port(const struct slt_run_sock *sock, int fd)
{
    struct sockaddr_storage addr = {.ss_family = AF_UNSPEC};
    uint32_t bytes = sizeof(addr);
    if (salut_sock_getsockname(sock->sup->socks, sock->fd, (struct sockaddr *)&addr, &bytes) != 0) {
        return;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET};
    memcpy(&in.sin_port, (const uint8_t *)&addr + offsetof(struct sockaddr_in, sin_port),
           sizeof(in.sin_port));
    in6.sin6_port = in.sin_port;
    if (in.sin_port != 0) {
        (void)bind(fd, sock->family == 4 ? (const void *)&in : (const void *)&in6,
                   sock->family == 4 ? sizeof(in) : sizeof(in6));
    }
}

int64_t slt_run_go_to_kernel(struct slt_run_sock *sock, const struct slt_call *call)
{
    struct slt_supervisor *sup = sock->sup;
    int flags = slt_run_descriptor_flags(call);
    int type = SOCK_STREAM | SOCK_CLOEXEC | ((flags & O_NONBLOCK) != 0 ? SOCK_NONBLOCK : 0);
    int fd = socket(sock->family == 4 ? AF_INET : AF_INET6, type, 0);
    if (fd < 0) {
        return -errno;
    }
    copy_options(sock, fd);
    if (call->kind != SLT_CALL_BIND) {
        copy_port(sock, fd);
    }
    int result = slt_run_swap(sock, call, fd, flags);
    (void)close(fd);
    if (result < 0) {
        return result;
    }
    slt_run_closed(sock);
    slt_notify_pass(sup->notify_fd, call);
    return SLT_RUN_ANSWERED;
}

/* ---- listening there, too ------------------------------------------------------------------- */

static void joint_over(void *ctx)
{
    struct slt_run_joint *joint = ctx;
    struct slt_run_sock *sock = joint->sock;
    sock->joint = NULL;
    free(joint);
    slt_run_closed(sock);
}

/* The splice closes both descriptors, whatever becomes of them. */
static void join(struct slt_run_sock *listener, int end, int kernel_fd)
{
    struct slt_supervisor *sup = listener->sup;
    const int domain = listener->family == 4 ? AF_INET : AF_INET6;
    const int fds[2] = {end, kernel_fd};
    int number = salut_sock_socket(sup->socks, domain, SOCK_STREAM, 0);
    struct slt_run_sock *sock = number < 0 ? NULL : slt_run_sock_new(sup, number, listener->family);
    struct slt_run_joint *joint = sock == NULL ? NULL : calloc(1, sizeof(*joint));
    if (joint == NULL || slt_run_end_sign(sup, end, sock) < 0) {
        free(joint);
        if (sock != NULL) {
            slt_run_sock_free(sock);
        }
        if (number >= 0) {
            (void)salut_sock_close(sup->socks, number);
        }
        (void)close(end);
        (void)close(kernel_fd);
        return;
    }
    sock->phase = SLT_RUN_KERNEL;
    sock->joint = joint;
    joint->sock = sock;
    joint->splice.on_over = joint_over;
    joint->splice.ctx = joint;
    slt_splice_begin(&joint->splice, &sup->poller, fds, false);
}

/* The program's queue is full: one is held until there is room, and the kernel's queue holds the
 * others. */
static void hold(struct slt_run_door *door, int fd)
{
    struct slt_supervisor *sup = door->listener->sup;
    door->held = fd;
    (void)slt_poller_watch(&sup->poller, &door->polled, 0);
    salut_runner_set_timer(sup->runner, &door->retry, salut_runner_now(sup->runner) + RETRY_NS);
}

static void listener_ready(void *ctx, uint32_t events)
{
    struct slt_run_door *door = ctx;
    struct slt_run_sock *listener = door->listener;
    (void)events;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = door->held;
        door->held = -1;
        if (fd < 0) {
            fd = accept4(door->polled.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        }
        if (fd < 0) {
            return;
        }
        int end = slt_run_queue_offer(listener);
        if (end == -ECONNREFUSED || end == -ENOENT) {
            (void)close(fd);
            slt_run_tick_soon(listener->sup, 0);
            return;
        }
        if (end < 0) {
            hold(door, fd);
            return;
        }
        join(listener, end, fd);
    }
}

static void on_retry(void *ctx, int64_t now_ns)
{
    struct slt_run_door *door = ctx;
    (void)now_ns;
    (void)slt_poller_watch(&door->listener->sup->poller, &door->polled, EPOLLIN);
    listener_ready(door, EPOLLIN);
}

static int open_door(const struct sockaddr *addr, socklen_t bytes, int backlog)
{
    const int on = 1;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (addr->sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, addr, bytes) != 0 || listen(fd, backlog) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void add_door(struct slt_run_sock *sock, const struct sockaddr *addr, socklen_t bytes)
{
    struct slt_run_door *door = calloc(1, sizeof(*door));
    int backlog = sock->backlog < 0 || sock->backlog > BACKLOG_MAX ? BACKLOG_MAX : sock->backlog;
    int fd = door == NULL ? -1 : open_door(addr, bytes, backlog);
    if (fd < 0) {
        char line[96];
        uint16_t port = ntohs(addr->sa_family == AF_INET
                                  ? ((const struct sockaddr_in *)(const void *)addr)->sin_port
                                  : ((const struct sockaddr_in6 *)(const void *)addr)->sin6_port);
        (void)snprintf(line, sizeof(line),
                       "port %u is taken on the kernel's loopback: %s does not "
                       "reach the program",
                       (unsigned)port, addr->sa_family == AF_INET ? "127.0.0.1" : "::1");
        slt_run_note(sock->sup, line);
        free(door);
        return;
    }
    *door = (struct slt_run_door){.polled = {.fd = fd, .on_ready = listener_ready, .ctx = door},
                                  .listener = sock,
                                  .next = sock->doors,
                                  .held = -1,
                                  .retry = {.on_due = on_retry, .ctx = door}};
    sock->doors = door;
    (void)slt_poller_watch(&sock->sup->poller, &door->polled, EPOLLIN);
}

void slt_run_open_doors(struct slt_run_sock *sock)
{
    static const uint8_t nowhere[16] = {0};
    struct salut_sock_opt only = {.level = IPPROTO_IPV6, .name = IPV6_V6ONLY};
    int v6_only = 0;
    struct sockaddr_in6 own = {.sin6_family = AF_UNSPEC};
    uint32_t bytes = sizeof(own);
    only.value = &v6_only;
    only.bytes = sizeof(v6_only);
    if (sock->sup->loopback_off || sock->doors != NULL ||
        salut_sock_getsockname(sock->sup->socks, sock->fd, (struct sockaddr *)&own, &bytes) != 0) {
        return;
    }
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = own.sin6_port};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (sock->family == 4) {
        struct sockaddr_in own4;
        memcpy(&own4, &own, sizeof(own4));
        if (own4.sin_addr.s_addr == htonl(INADDR_ANY)) {
            add_door(sock, (const struct sockaddr *)&in, sizeof(in));
        }
        return;
    }
    if (memcmp(&own.sin6_addr, nowhere, sizeof(nowhere)) != 0) {
        return;
    }
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = own.sin6_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    add_door(sock, (const struct sockaddr *)&in6, sizeof(in6));
    (void)salut_sock_getsockopt(sock->sup->socks, sock->fd, &only);
    if (v6_only == 0) {
        add_door(sock, (const struct sockaddr *)&in, sizeof(in));
    }
}

/* ---- what a joint connection is called ------------------------------------------------------ */

static int joint_fd(const struct slt_run_sock *sock)
{
    return sock->joint == NULL ? -1 : sock->joint->splice.side[1].polled.fd;
}

int slt_run_joint_set(struct slt_run_sock *sock, const struct salut_sock_opt *opt)
{
    int result = salut_sock_setsockopt(sock->sup->socks, sock->fd, opt);
    for (size_t i = 0; result == 0 && i < SLT_ARRAY_COUNT(shared); i++) {
        if (shared[i].level == opt->level && shared[i].name == opt->name) {
            (void)setsockopt(joint_fd(sock), opt->level, opt->name, opt->value, opt->bytes);
        }
    }
    return result;
}

int slt_run_joint_get(struct slt_run_sock *sock, struct salut_sock_opt *opt)
{
    bool live = (opt->level == SOL_SOCKET && opt->name == SO_ERROR) ||
                (opt->level == IPPROTO_TCP && opt->name == TCP_INFO);
    socklen_t bytes = opt->bytes;
    if (!live) {
        return salut_sock_getsockopt(sock->sup->socks, sock->fd, opt);
    }
    int result = getsockopt(joint_fd(sock), opt->level, opt->name, opt->value, &bytes);
    opt->bytes = (uint32_t)bytes;
    return result == 0 ? 0 : -errno;
}

void slt_run_joint_cut(struct slt_run_sock *sock)
{
    if (sock->joint != NULL) {
        slt_splice_cut(&sock->joint->splice);
        free(sock->joint);
        sock->joint = NULL;
    }
}

int slt_run_joint_name(const struct slt_run_sock *sock, bool peer, struct sockaddr_storage *addr,
                       uint32_t *bytes)
{
    socklen_t length = sizeof(*addr);
    int fd = joint_fd(sock);
    int result = peer ? getpeername(fd, (struct sockaddr *)addr, &length)
                      : getsockname(fd, (struct sockaddr *)addr, &length);
    if (result != 0) {
        return -errno;
    }
    if (addr->ss_family == AF_INET && sock->family == 6) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof(in));
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = in.sin_port};
        in6.sin6_addr.s6_addr[10] = 0xff;
        in6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&in6.sin6_addr.s6_addr[V4_IN_V6], &in.sin_addr, sizeof(in.sin_addr));
        memcpy(addr, &in6, sizeof(in6));
        length = sizeof(in6);
    }
    *bytes = (uint32_t)length;
    return 0;
}
