/* Names and options: the answers are salut_sock's, the memory is the program's.
 *
 * Few options have to work in the kernel's socket as well, for it is there that the program's reads
 * and writes wait: timeouts, the low-water mark, urgent data in line.
 */
#include "run/sockets.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#define RCVTIMEO_NEW 66 /* SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW: the same where time_t is wide */
#define SNDTIMEO_NEW 67

/* ---- names ---------------------------------------------------------------------------------- */

static uint32_t make_address(const struct slt_run_sock *sock, const struct salut_info *info,
                             struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(info->remote_port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(info->remote_port),
                               .sin6_scope_id = info->remote.zone};
    memcpy(&in.sin_addr, &info->remote.b[12], sizeof(in.sin_addr));
    memcpy(&in6.sin6_addr, info->remote.b, sizeof(in6.sin6_addr));
    if (sock->family == 4) {
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

/* What accept tells is the peer's name even if it has gone since (SOCK-53). */
static int find_name(struct slt_run_sock *sock, const struct slt_call *call, bool peer,
                     struct sockaddr_storage *addr, uint32_t *bytes)
{
    struct slt_supervisor *sup = sock->sup;
    struct salut_info info;
    if (sock->phase == SLT_RUN_KERNEL) {
        return slt_run_joint_name(sock, peer, addr, bytes);
    }
    bool accepting = call->kind == SLT_CALL_ACCEPT || call->kind == SLT_CALL_ACCEPT4;
    if (accepting && salut_get_info(sup->stack, sock->conn, &info) == SALUT_OK) {
        *bytes = make_address(sock, &info, addr);
        return 0;
    }
    return peer ? salut_sock_getpeername(sup->socks, sock->fd, (struct sockaddr *)addr, bytes)
                : salut_sock_getsockname(sup->socks, sock->fd, (struct sockaddr *)addr, bytes);
}

int slt_run_write_address(struct slt_run_sock *sock, const struct slt_call *call, bool peer)
{
    struct slt_supervisor *sup = sock->sup;
    struct sockaddr_storage addr;
    uint32_t bytes = sizeof(addr);
    int room = 0;
    int result = slt_run_read(sup, call, call->args[2], &room, sizeof(room));
    if (result == 0 && room < 0) {
        result = -EINVAL;
    }
    if (result == 0) {
        memset(&addr, 0, sizeof(addr));
        result = find_name(sock, call, peer, &addr, &bytes);
    }
    uint32_t copied = bytes < (uint32_t)room ? bytes : (uint32_t)room;
    if (result == 0 && copied > 0) {
        result = slt_run_write(sup, call, call->args[1], &addr, copied);
    }
    return result == 0 ? slt_run_write(sup, call, call->args[2], &bytes, sizeof(bytes)) : result;
}

int64_t slt_run_call_getsockname(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    return slt_run_write_address(sock, &wait->call, false);
}

int64_t slt_run_call_getpeername(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    return slt_run_write_address(sock, &wait->call, true);
}

/* ---- options -------------------------------------------------------------------------------- */

static int plain_name(int level, int name)
{
    if (level == SOL_SOCKET && name == RCVTIMEO_NEW) {
        return SO_RCVTIMEO;
    }
    return level == SOL_SOCKET && name == SNDTIMEO_NEW ? SO_SNDTIMEO : name;
}

int64_t slt_run_timeout(const struct slt_run_sock *sock, int name)
{
    struct timeval tv = {0};
    struct salut_sock_opt opt = {
        .level = SOL_SOCKET, .name = name, .value = &tv, .bytes = sizeof(tv)};
    if (salut_sock_getsockopt(sock->sup->socks, sock->fd, &opt) != 0 ||
        (tv.tv_sec == 0 && tv.tv_usec == 0)) {
        return SLT_NEVER;
    }
    return salut_runner_now(sock->sup->runner) + (int64_t)tv.tv_sec * SLT_NS_PER_S +
           (int64_t)tv.tv_usec * SLT_NS_PER_US;
}

/* SO_ERROR is taken by asking (SOCK-29), in both places. What the kernel has told the program
 * already (a read that said ECONNRESET) is not told again. */
static int take_error(struct slt_run_sock *sock, const struct slt_call *call,
                      struct salut_sock_opt *opt)
{
    int result = salut_sock_getsockopt(sock->sup->socks, sock->fd, opt);
    if (result < 0 || sock->phase != SLT_RUN_DEAD || opt->bytes < sizeof(int)) {
        return result;
    }
    int pending = 0;
    socklen_t bytes = sizeof(pending);
    int their = slt_run_take(sock, call);
    if (their < 0) {
        return result;
    }
    if (getsockopt(their, SOL_SOCKET, SO_ERROR, &pending, &bytes) == 0 && pending == 0 &&
        sock->told_reset) {
        memset(opt->value, 0, opt->bytes);
    }
    (void)close(their);
    return result;
}

/* What every socket has, and has no meaning in the stack. */
static int get_kernels(const struct slt_run_sock *sock, struct salut_sock_opt *opt)
{
    const struct ucred nobody = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
    const uint64_t cookie = sock->serial;
    const int zero = 0;
    const void *value = &zero;
    uint32_t bytes = sizeof(zero);
    if (opt->level != SOL_SOCKET) {
        return -ENOPROTOOPT;
    }
    switch (opt->name) {
    case SO_PEERCRED:
        value = &nobody;
        bytes = sizeof(nobody);
        break;
    case SO_COOKIE:
        value = &cookie;
        bytes = sizeof(cookie);
        break;
    case SO_BINDTODEVICE: /* to none: the name is empty */
        bytes = 0;
        break;
    case SO_PASSCRED:
    case SO_NO_CHECK:
    case SO_INCOMING_CPU:
    case SO_INCOMING_NAPI_ID:
    case SO_ZEROCOPY:
    case SO_LOCK_FILTER:
    case SO_RXQ_OVFL:
        break;
    default:
        return -ENOPROTOOPT;
    }
    opt->bytes = opt->bytes < bytes ? opt->bytes : bytes;
    memcpy(opt->value, value, opt->bytes);
    return 0;
}

int64_t slt_run_call_getsockopt(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    struct slt_supervisor *sup = sock->sup;
    const struct slt_call *call = &wait->call;
    uint8_t value[SLT_RUN_OPTION_MAX] = {0};
    int room = 0;
    int result = slt_run_read(sup, call, call->args[4], &room, sizeof(room));
    if (result < 0) {
        return result;
    }
    if (room < 0) {
        return -EINVAL;
    }
    struct salut_sock_opt opt = {.level = (int)call->args[1],
                                 .name = plain_name((int)call->args[1], (int)call->args[2]),
                                 .value = value,
                                 .bytes = (size_t)room < sizeof(value) ? (uint32_t)room
                                                                       : (uint32_t)sizeof(value)};
    bool error = opt.level == SOL_SOCKET && opt.name == SO_ERROR;
    if (sock->phase == SLT_RUN_KERNEL) {
        result = slt_run_joint_get(sock, &opt);
    } else {
        result = error ? take_error(sock, call, &opt)
                       : salut_sock_getsockopt(sup->socks, sock->fd, &opt);
    }
    if (result == -ENOPROTOOPT) {
        result = get_kernels(sock, &opt);
    }
    if (result == 0 && opt.bytes > 0) {
        result = slt_run_write(sup, call, call->args[3], value, opt.bytes);
    }
    return result < 0 ? result
                      : slt_run_write(sup, call, call->args[4], &opt.bytes, sizeof(opt.bytes));
}

static bool is_kernels_too(const struct salut_sock_opt *opt)
{
    return opt->level == SOL_SOCKET && (opt->name == SO_RCVTIMEO || opt->name == SO_SNDTIMEO ||
                                        opt->name == SO_RCVLOWAT || opt->name == SO_OOBINLINE);
}

int64_t slt_run_call_setsockopt(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    struct slt_supervisor *sup = sock->sup;
    const struct slt_call *call = &wait->call;
    uint8_t value[SLT_RUN_OPTION_MAX] = {0};
    int bytes = (int)call->args[4];
    if (bytes < 0) {
        return -EINVAL;
    }
    bytes = (size_t)bytes > sizeof(value) ? (int)sizeof(value) : bytes;
    int result = bytes == 0 ? 0 : slt_run_read(sup, call, call->args[3], value, (size_t)bytes);
    if (result < 0) {
        return result;
    }
    struct salut_sock_opt opt = {.level = (int)call->args[1],
                                 .name = plain_name((int)call->args[1], (int)call->args[2]),
                                 .value = value,
                                 .bytes = (uint32_t)bytes};
    if (sock->phase == SLT_RUN_KERNEL) {
        result = slt_run_joint_set(sock, &opt);
    } else {
        result = salut_sock_setsockopt(sup->socks, sock->fd, &opt);
    }
    if (result == 0 && opt.level == IPPROTO_TCP && opt.name == TCP_DEFER_ACCEPT) {
        memcpy(&sock->defer_s, value, sizeof(sock->defer_s));
    }
    if (result == 0 && is_kernels_too(&opt)) {
        int their = slt_run_take(sock, call);
        if (their >= 0) {
            (void)setsockopt(their, SOL_SOCKET, opt.name, value, opt.bytes);
            (void)close(their);
        }
    }
    return result;
}

/* SOCK-79: what lies in E has not reached the stack yet, and is not acknowledged either. */
int64_t slt_run_call_ioctl(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    const struct slt_call *call = &wait->call;
    unsigned long request = (unsigned long)call->args[1];
    int value = 0;
    int under_way = 0;
    if (request == SIOCATMARK) {
        slt_notify_pass(sock->sup->notify_fd, call); /* bridge.c: S knows the mark itself */
        return SLT_RUN_ANSWERED;
    }
    int result = salut_sock_ioctl(sock->sup->socks, sock->fd, request, &value);
    if (result < 0) {
        return result;
    }
    if (sock->phase == SLT_RUN_OPEN && ioctl(sock->end.fd, SIOCINQ, &under_way) == 0) {
        value += under_way;
    }
    return slt_run_write(sock->sup, call, call->args[2], &value, sizeof(value));
}
