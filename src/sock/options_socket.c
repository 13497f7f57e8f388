/* The options of SOL_SOCKET, with Linux's values and limits. */
#include "sock/sock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* SOCK-81: what programs set is doubled and kept within these; the engine gets the half that holds
 * payload. */
#define SEND_BUFFER_MIN 4608
#define RECV_BUFFER_MIN 2304
#define BUFFER_MAX      (212992 * 2)

static int get_buffer(struct slt_sock_optcall *call)
{
    int64_t bytes = slt_opt_engine(call->socks, call->sock, (enum salut_option)call->row->arg) * 2;
    return slt_opt_put_int(call, bytes > INT_MAX ? INT_MAX : (int)bytes);
}

static int set_buffer_within(struct slt_sock_optcall *call, int64_t max)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    if (result < 0) {
        return result;
    }
    enum salut_option option = (enum salut_option)call->row->arg;
    int64_t min = option == SALUT_OPT_SEND_BUFFER ? SEND_BUFFER_MIN : RECV_BUFFER_MIN;
    int64_t doubled = (int64_t)(value < 0 ? 0 : value) * 2;
    doubled = slt_max64(slt_min64(doubled, max), min);
    return slt_opt_set_engine_value(call, option, doubled / 2);
}

static int set_buffer(struct slt_sock_optcall *call)
{
    return set_buffer_within(call, BUFFER_MAX);
}

static int set_buffer_force(struct slt_sock_optcall *call)
{
    return set_buffer_within(call, INT_MAX);
}

static int get_type(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, call->sock->kind == SLT_SOCK_DGRAM ? SOCK_DGRAM : SOCK_STREAM);
}

static int get_protocol(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, call->sock->kind == SLT_SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP);
}

static int get_domain(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, call->sock->family == 4 ? AF_INET : AF_INET6);
}

static int get_listening(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, call->sock->phase == SLT_SOCK_LISTENING);
}

/* SOCK-29: reading it clears it. */
static int get_error(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, slt_sock_take_error(call->socks, call->sock));
}

static int get_one(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, 1);
}

static int get_linger(struct slt_sock_optcall *call)
{
    struct linger linger = {.l_onoff = call->sock->set.linger,
                            .l_linger = call->sock->set.linger_s};
    return slt_opt_put(call, &linger, sizeof(linger));
}

/* SOCK-04..06: on with time 0 makes close() a reset; on with a time is for callers that block. */
static int set_linger(struct slt_sock_optcall *call)
{
    struct linger linger;
    if (call->bytes < sizeof(linger)) {
        return -EINVAL;
    }
    memcpy(&linger, call->value, sizeof(linger));
    call->sock->set.linger = linger.l_onoff != 0;
    call->sock->set.linger_s = linger.l_linger;
    return slt_opt_set_engine_value(call, SALUT_OPT_LINGER_ABORT,
                                    linger.l_onoff != 0 && linger.l_linger == 0);
}

static int64_t *timeout_of(const struct slt_sock_optcall *call)
{
    return call->row->arg == SO_RCVTIMEO ? &call->sock->set.recv_timeout_us
                                         : &call->sock->set.send_timeout_us;
}

static int get_timeout(struct slt_sock_optcall *call)
{
    int64_t us = *timeout_of(call);
    struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    return slt_opt_put(call, &tv, sizeof(tv));
}

static int set_timeout(struct slt_sock_optcall *call)
{
    struct timeval tv;
    if (call->bytes < sizeof(tv)) {
        return -EINVAL;
    }
    memcpy(&tv, call->value, sizeof(tv));
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000) {
        return -EDOM;
    }
    bool never = tv.tv_sec < 0 || tv.tv_sec > INT_MAX;
    *timeout_of(call) = never ? 0 : (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
    return 0;
}

/* sk_meminfo: what the socket holds. Nine numbers; those without a meaning here are 0. */
static int get_meminfo(struct slt_sock_optcall *call)
{
    enum { RMEM_ALLOC, RCVBUF, WMEM_ALLOC, SNDBUF, FWD_ALLOC, WMEM_QUEUED, OPTMEM, BACKLOG, DROPS };
    uint32_t numbers[DROPS + 1] = {0};
    struct salut_info info;
    const struct slt_sock *sock = call->sock;
    numbers[RCVBUF] = (uint32_t)slt_opt_engine(call->socks, sock, SALUT_OPT_RECV_BUFFER) * 2;
    numbers[SNDBUF] = (uint32_t)slt_opt_engine(call->socks, sock, SALUT_OPT_SEND_BUFFER) * 2;
    if (slt_sock_info(call->socks, sock, &info)) {
        numbers[DROPS] = info.drops;
        numbers[RMEM_ALLOC] = info.recv_queued + info.recv_out_of_order;
        numbers[WMEM_QUEUED] = info.send_queued;
    }
    return slt_opt_put(call, numbers, sizeof(numbers));
}

#define FLAG(level, name, field)                                                                   \
    {                                                                                              \
        level, name, slt_opt_get_flag, slt_opt_set_flag,                                           \
            (int)offsetof(struct slt_sock_settings, field), INT_MIN, INT_MAX                       \
    }
#define PLAIN(level, name, which, low, high)                                                       \
    {                                                                                              \
        level, name, slt_opt_get_plain, slt_opt_set_plain, which, low, high                        \
    }

static int set_keepalive(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    return result < 0 ? result : slt_opt_set_engine_value(call, SALUT_OPT_KEEPALIVE, value != 0);
}

/* A connection has no use for it, and keeps it. */
static int set_broadcast(struct slt_sock_optcall *call)
{
    int result = slt_opt_set_plain(call);
    bool on = call->sock->set.plain[SLT_PLAIN_BROADCAST] != 0;
    if (result == 0) {
        call->sock->set.plain[SLT_PLAIN_BROADCAST] = on;
    }
    return result < 0 || call->sock->kind != SLT_SOCK_DGRAM
               ? result
               : slt_opt_set_engine_value(call, SALUT_OPT_BROADCAST, on);
}

static int set_low_water(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    if (result == 0) {
        value = value < 0 ? INT_MAX : value;
        result = slt_opt_set_engine_value(call, SALUT_OPT_RCVLOWAT, value == 0 ? 1 : value);
    }
    return result;
}

#define PACING_UNLIMITED UINT32_MAX

/* Bytes per second as 32 bits or 64, all ones being none; the engine's 0 is none. */
static int get_pacing_max(struct slt_sock_optcall *call)
{
    int64_t rate = slt_opt_engine(call->socks, call->sock, SALUT_OPT_PACING_MAX);
    if (call->bytes >= sizeof(uint64_t)) {
        uint64_t wide = rate == 0 ? UINT64_MAX : (uint64_t)rate;
        return slt_opt_put(call, &wide, sizeof(wide));
    }
    uint32_t narrow = rate == 0 ? PACING_UNLIMITED : (uint32_t)rate;
    return slt_opt_put(call, &narrow, sizeof(narrow));
}

static int set_pacing_max(struct slt_sock_optcall *call)
{
    uint64_t rate = 0;
    uint32_t narrow = 0;
    if (call->bytes >= sizeof(rate)) {
        memcpy(&rate, call->value, sizeof(rate));
    } else if (call->bytes >= sizeof(narrow)) {
        memcpy(&narrow, call->value, sizeof(narrow));
        rate = narrow;
    } else {
        return -EINVAL;
    }
    rate = rate >= PACING_UNLIMITED ? 0 : rate;
    return slt_opt_set_engine_value(call, SALUT_OPT_PACING_MAX, (int64_t)rate);
}

const struct slt_sock_option slt_sock_options_socket[] = {
    {SOL_SOCKET, SO_TYPE, get_type, NULL, 0, 0, 0},
    {SOL_SOCKET, SO_PROTOCOL, get_protocol, NULL, 0, 0, 0},
    {SOL_SOCKET, SO_DOMAIN, get_domain, NULL, 0, 0, 0},
    {SOL_SOCKET, SO_ACCEPTCONN, get_listening, NULL, 0, 0, 0},
    {SOL_SOCKET, SO_ERROR, get_error, NULL, 0, 0, 0},
    {SOL_SOCKET, SO_SNDLOWAT, get_one, NULL, 0, 0, 0},
    {SOL_SOCKET, SO_MEMINFO, get_meminfo, NULL, 0, 0, 0},
    FLAG(SOL_SOCKET, SO_REUSEADDR, reuse_addr),
    FLAG(SOL_SOCKET, SO_REUSEPORT, reuse_port),
    FLAG(SOL_SOCKET, SO_OOBINLINE, oob_inline),
    {SOL_SOCKET, SO_KEEPALIVE, slt_opt_get_engine, set_keepalive, SALUT_OPT_KEEPALIVE, INT_MIN,
     INT_MAX},
    {SOL_SOCKET, SO_RCVLOWAT, slt_opt_get_engine, set_low_water, SALUT_OPT_RCVLOWAT, INT_MIN,
     INT_MAX},
    {SOL_SOCKET, SO_SNDBUF, get_buffer, set_buffer, SALUT_OPT_SEND_BUFFER, INT_MIN, INT_MAX},
    {SOL_SOCKET, SO_RCVBUF, get_buffer, set_buffer, SALUT_OPT_RECV_BUFFER, INT_MIN, INT_MAX},
    {SOL_SOCKET, SO_SNDBUFFORCE, NULL, set_buffer_force, SALUT_OPT_SEND_BUFFER, INT_MIN, INT_MAX},
    {SOL_SOCKET, SO_RCVBUFFORCE, NULL, set_buffer_force, SALUT_OPT_RECV_BUFFER, INT_MIN, INT_MAX},
    {SOL_SOCKET, SO_LINGER, get_linger, set_linger, 0, 0, 0},
    {SOL_SOCKET, SO_RCVTIMEO, get_timeout, set_timeout, SO_RCVTIMEO, 0, 0},
    {SOL_SOCKET, SO_SNDTIMEO, get_timeout, set_timeout, SO_SNDTIMEO, 0, 0},
    {SOL_SOCKET, SO_MAX_PACING_RATE, get_pacing_max, set_pacing_max, 0, 0, 0},
    PLAIN(SOL_SOCKET, SO_DEBUG, SLT_PLAIN_DEBUG, INT_MIN, INT_MAX),
    PLAIN(SOL_SOCKET, SO_DONTROUTE, SLT_PLAIN_DONT_ROUTE, INT_MIN, INT_MAX),
    {SOL_SOCKET, SO_BROADCAST, slt_opt_get_plain, set_broadcast, SLT_PLAIN_BROADCAST, INT_MIN,
     INT_MAX},
    PLAIN(SOL_SOCKET, SO_PRIORITY, SLT_PLAIN_PRIORITY, INT_MIN, INT_MAX),
    PLAIN(SOL_SOCKET, SO_MARK, SLT_PLAIN_MARK, INT_MIN, INT_MAX),
    PLAIN(SOL_SOCKET, SO_TIMESTAMP, SLT_PLAIN_TIMESTAMP, INT_MIN, INT_MAX),
    PLAIN(SOL_SOCKET, SO_BUSY_POLL, SLT_PLAIN_BUSY_POLL, 0, INT_MAX),
};
const size_t slt_sock_options_socket_count = SLT_ARRAY_COUNT(slt_sock_options_socket);
