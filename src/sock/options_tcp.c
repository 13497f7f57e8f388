/* The options of IPPROTO_TCP, IPPROTO_IP and IPPROTO_IPV6, with Linux's values and limits. */
#include "sock/sock.h"
#include "tcp/cc.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define MSS_MIN       88 /* TCP_MIN_MSS */
#define MSS_MAX       32767
#define MSS_DEFAULT   536
#define LINGER2_MAX_S 120

#define DEFER_RETRIES_MAX 255
#define DEFER_DOUBLINGS   7 /* 1, 2, 4 ... 64 s, then */
#define DEFER_STEP_MAX_S  120

#define CONGESTION_NAME_MAX 16 /* TCP_CA_NAME_MAX */

static bool get_info(const struct slt_sock_optcall *call, struct salut_info *info)
{
    return slt_sock_info(call->socks, call->sock, info);
}

/* What is sent, once a connection exists; before, what the user asked for. */
static int get_max_segment(struct slt_sock_optcall *call)
{
    struct salut_info info;
    if (get_info(call, &info) && info.state != SALUT_STATE_SYN_SENT) {
        return slt_opt_put_int(call, info.send_mss);
    }
    int64_t asked = slt_opt_engine(call->socks, call->sock, SALUT_OPT_MAX_SEGMENT);
    return slt_opt_put_int(call, asked == 0 ? MSS_DEFAULT : (int)asked);
}

static int set_max_segment(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    if (result == 0 && value != 0 && (value < MSS_MIN || value > MSS_MAX)) {
        result = -EINVAL;
    }
    return result < 0 ? result : slt_opt_set_engine_value(call, SALUT_OPT_MAX_SEGMENT, value);
}

static int set_bool(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    return result < 0
               ? result
               : slt_opt_set_engine_value(call, (enum salut_option)call->row->arg, value != 0);
}

/* L-02: above two minutes it is two minutes, below zero the orphan ends at once. */
static int set_linger2(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    if (result < 0) {
        return result;
    }
    value = value > LINGER2_MAX_S ? LINGER2_MAX_S : value;
    return slt_opt_set_engine_value(call, SALUT_OPT_LINGER2_S, value < 0 ? -1 : value);
}

/* Listeners, and what may become one. */
static int set_fast_open(struct slt_sock_optcall *call)
{
    bool may = call->sock->phase == SLT_SOCK_IDLE || call->sock->phase == SLT_SOCK_LISTENING;
    return may ? slt_opt_set_engine(call) : -EINVAL;
}

static int set_fast_open_connect(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    if (result < 0) {
        return result;
    }
    if ((call->socks->defaults.fast_open & SALUT_FAST_OPEN_CLIENT) == 0) {
        return -EOPNOTSUPP;
    }
    return call->sock->phase == SLT_SOCK_IDLE ? slt_opt_set_flag(call) : -EINVAL;
}

/* SOCK-56: seconds are counted in SYN,ACKs sent again (after 1, 2, 4 ... seconds), upwards. */
static int defer_seconds(int64_t retries)
{
    int seconds = 0;
    for (int64_t i = 0; i < retries; i++) {
        seconds += i < DEFER_DOUBLINGS ? 1 << i : DEFER_STEP_MAX_S;
    }
    return seconds;
}

static int get_defer_accept(struct slt_sock_optcall *call)
{
    int64_t retries = slt_opt_engine(call->socks, call->sock, SALUT_OPT_DEFER_ACCEPT);
    return slt_opt_put_int(call, defer_seconds(retries));
}

static int set_defer_accept(struct slt_sock_optcall *call)
{
    int value;
    int64_t retries = 0;
    int result = slt_opt_take_int(call, &value);
    while (retries < DEFER_RETRIES_MAX && defer_seconds(retries) < value) {
        retries++;
    }
    if (result < 0 || call->sock->has_conn) { /* on a connection it has nothing left to say */
        return result;
    }
    return slt_opt_set_engine_value(call, SALUT_OPT_DEFER_ACCEPT, retries);
}

static int get_congestion(struct slt_sock_optcall *call)
{
    char name[CONGESTION_NAME_MAX] = {0};
    const char *known =
        slt_cc_name((uint8_t)slt_opt_engine(call->socks, call->sock, SALUT_OPT_CONGESTION));
    memcpy(name, known, strlen(known));
    return slt_opt_put(call, name, sizeof(name));
}

/* By name, which may end before the value does. */
static int set_congestion(struct slt_sock_optcall *call)
{
    uint8_t which;
    size_t bytes = call->bytes < CONGESTION_NAME_MAX ? call->bytes : CONGESTION_NAME_MAX;
    if (bytes == 0 || call->value == NULL) {
        return -EINVAL;
    }
    const char *end = memchr(call->value, '\0', bytes);
    bytes = end == NULL ? bytes : (size_t)(end - (const char *)call->value);
    if (!slt_cc_find(call->value, (uint32_t)bytes, &which)) {
        return -ENOENT;
    }
    return slt_opt_set_engine_value(call, SALUT_OPT_CONGESTION, which);
}

/* The algorithm tells nothing of itself. */
static int get_nothing(struct slt_sock_optcall *call)
{
    call->bytes = 0;
    return 0;
}

/* The six bits of DSCP are the engine's; of the two ECN bits TCP itself is the master. */
static int get_traffic_class(struct slt_sock_optcall *call)
{
    int64_t dscp = slt_opt_engine(call->socks, call->sock, SALUT_OPT_DSCP);
    int value = (int)(dscp << 2);
    if (call->row->level == IPPROTO_IP && call->bytes < sizeof(value) && call->bytes > 0) {
        uint8_t byte = (uint8_t)value;
        return slt_opt_put(call, &byte, 1);
    }
    return slt_opt_put_int(call, value);
}

/* IP options take a byte as well as an int. */
static int take_byte_or_int(const struct slt_sock_optcall *call, int *value)
{
    if (call->bytes > 0 && call->bytes < sizeof(*value) && call->value != NULL) {
        *value = *(const uint8_t *)call->value;
        return *value < call->row->low || *value > call->row->high ? -EINVAL : 0;
    }
    return slt_opt_take_int(call, value);
}

static int set_traffic_class(struct slt_sock_optcall *call)
{
    int value;
    int result = take_byte_or_int(call, &value);
    if (result < 0) {
        return result;
    }
    return slt_opt_set_engine_value(call, SALUT_OPT_DSCP, (value < 0 ? 0 : value & 0xff) >> 2);
}

static int set_ttl(struct slt_sock_optcall *call)
{
    int value;
    int result = take_byte_or_int(call, &value);
    if (result == 0 && value == 0) {
        result = -EINVAL;
    }
    value = value == -1 ? call->socks->defaults.ttl : value;
    return result < 0 ? result : slt_opt_set_engine_value(call, SALUT_OPT_TTL, value);
}

static int get_mtu(struct slt_sock_optcall *call)
{
    struct salut_info info;
    bool known = get_info(call, &info) && info.pmtu > 0;
    return known ? slt_opt_put_int(call, (int)info.pmtu) : -ENOTCONN;
}

/* What becomes of datagrams that are too large; connections find out for themselves. */
static int set_mtu_discover(struct slt_sock_optcall *call)
{
    int result = slt_opt_set_plain(call);
    if (result < 0 || call->sock->kind != SLT_SOCK_DGRAM) {
        return result;
    }
    int how = call->sock->set.plain[SLT_PLAIN_MTU_DISCOVER];
    enum salut_fragment fragment = SALUT_FRAGMENT_ANYWHERE;
    if (how == IP_PMTUDISC_WANT) {
        fragment = SALUT_FRAGMENT_HERE;
    } else if (how == IP_PMTUDISC_DO || how == IP_PMTUDISC_PROBE) {
        fragment = SALUT_FRAGMENT_NEVER;
    }
    return slt_opt_set_engine_value(call, SALUT_OPT_FRAGMENT, fragment);
}

/* Only an unbound IPv6 socket may choose. */
static int set_v6_only(struct slt_sock_optcall *call)
{
    if (call->sock->family != 6) {
        return -ENOPROTOOPT;
    }
    return call->sock->bound ? -EINVAL : slt_opt_set_flag(call);
}

#define ENGINE(level, name, option, low, high)                                                     \
    {                                                                                              \
        level, name, slt_opt_get_engine, slt_opt_set_engine, option, low, high                     \
    }
#define PLAIN(level, name, which, low, high)                                                       \
    {                                                                                              \
        level, name, slt_opt_get_plain, slt_opt_set_plain, which, low, high                        \
    }
#define FLAG_AT(field) (int)offsetof(struct slt_sock_settings, field), INT_MIN, INT_MAX

const struct slt_sock_option slt_sock_options_tcp[] = {
    {IPPROTO_TCP, TCP_NODELAY, slt_opt_get_engine, set_bool, SALUT_OPT_NODELAY, INT_MIN, INT_MAX},
    {IPPROTO_TCP, TCP_CORK, slt_opt_get_engine, set_bool, SALUT_OPT_CORK, INT_MIN, INT_MAX},
    {IPPROTO_TCP, TCP_QUICKACK, slt_opt_get_engine, set_bool, SALUT_OPT_QUICK_ACK, INT_MIN,
     INT_MAX},
    {IPPROTO_TCP, TCP_MAXSEG, get_max_segment, set_max_segment, 0, INT_MIN, INT_MAX},
    ENGINE(IPPROTO_TCP, TCP_KEEPIDLE, SALUT_OPT_KEEPALIVE_IDLE_S, 1, 32767),
    ENGINE(IPPROTO_TCP, TCP_KEEPINTVL, SALUT_OPT_KEEPALIVE_INTERVAL_S, 1, 32767),
    ENGINE(IPPROTO_TCP, TCP_KEEPCNT, SALUT_OPT_KEEPALIVE_PROBES, 1, 127),
    ENGINE(IPPROTO_TCP, TCP_SYNCNT, SALUT_OPT_SYN_RETRIES, 1, 127),
    {IPPROTO_TCP, TCP_LINGER2, slt_opt_get_engine, set_linger2, SALUT_OPT_LINGER2_S, INT_MIN,
     INT_MAX},
    ENGINE(IPPROTO_TCP, TCP_USER_TIMEOUT, SALUT_OPT_USER_TIMEOUT_MS, 0, INT_MAX),
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, get_defer_accept, set_defer_accept, SALUT_OPT_DEFER_ACCEPT,
     INT_MIN, INT_MAX},
    PLAIN(IPPROTO_TCP, TCP_WINDOW_CLAMP, SLT_PLAIN_WINDOW_CLAMP, 0, INT_MAX),
    PLAIN(IPPROTO_TCP, TCP_NOTSENT_LOWAT, SLT_PLAIN_NOT_SENT_LOWAT, INT_MIN, INT_MAX),
    {IPPROTO_TCP, TCP_FASTOPEN, slt_opt_get_engine, set_fast_open, SALUT_OPT_FAST_OPEN, 0, 65535},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, slt_opt_get_flag, set_fast_open_connect,
     (int)offsetof(struct slt_sock_settings, fast_open_connect), 0, 1},
    {IPPROTO_TCP, TCP_CONGESTION, get_congestion, set_congestion, 0, 0, 0},
    {IPPROTO_TCP, TCP_INFO, slt_opt_get_tcp_info, NULL, 0, 0, 0},
    {IPPROTO_TCP, TCP_CC_INFO, get_nothing, NULL, 0, 0, 0},
    {IPPROTO_IP, IP_TOS, get_traffic_class, set_traffic_class, 0, INT_MIN, INT_MAX},
    {IPPROTO_IP, IP_TTL, slt_opt_get_engine, set_ttl, SALUT_OPT_TTL, -1, 255},
    {IPPROTO_IP, IP_MTU, get_mtu, NULL, 0, 0, 0},
    {IPPROTO_IP, IP_MTU_DISCOVER, slt_opt_get_plain, set_mtu_discover, SLT_PLAIN_MTU_DISCOVER, 0,
     5},
    {IPPROTO_IP, IP_PKTINFO, slt_opt_get_flag, slt_opt_set_flag, FLAG_AT(packet_info4)},
    {IPPROTO_IP, IP_RECVTTL, slt_opt_get_flag, slt_opt_set_flag, FLAG_AT(recv_ttl4)},
    {IPPROTO_IP, IP_RECVTOS, slt_opt_get_flag, slt_opt_set_flag, FLAG_AT(recv_class4)},
    PLAIN(IPPROTO_IP, IP_RECVERR, SLT_PLAIN_RECV_ERROR4, INT_MIN, INT_MAX),
    {IPPROTO_IP, IP_TRANSPARENT, slt_opt_get_flag, slt_opt_set_flag, FLAG_AT(transparent)},
    {IPPROTO_IPV6, IPV6_V6ONLY, slt_opt_get_flag, set_v6_only, FLAG_AT(v6_only)},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, slt_opt_get_plain, set_mtu_discover, SLT_PLAIN_MTU_DISCOVER,
     0, 5},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, slt_opt_get_flag, slt_opt_set_flag, FLAG_AT(packet_info6)},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, slt_opt_get_flag, slt_opt_set_flag, FLAG_AT(recv_ttl6)},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, slt_opt_get_flag, slt_opt_set_flag, FLAG_AT(recv_class6)},
    {IPPROTO_IPV6, IPV6_TCLASS, get_traffic_class, set_traffic_class, 0, -1, 255},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, slt_opt_get_engine, set_ttl, SALUT_OPT_TTL, -1, 255},
    {IPPROTO_IPV6, IPV6_MTU, get_mtu, NULL, 0, 0, 0},
    PLAIN(IPPROTO_IPV6, IPV6_RECVERR, SLT_PLAIN_RECV_ERROR6, INT_MIN, INT_MAX),
};
const size_t slt_sock_options_tcp_count = SLT_ARRAY_COUNT(slt_sock_options_tcp);
