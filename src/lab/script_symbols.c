/* Three tables: errno names, what calls take, and what tcp_info holds. */
#include "lab/script_symbols.h"

#include "salut/types.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct symbol {
    const char *word;
    int64_t number;
};

#define NAME(word)                                                                                 \
    {                                                                                              \
#word, word                                                                                \
    }

static const struct symbol ERRNOS[] = {
    NAME(EPERM),
    NAME(ENOENT),
    NAME(EINTR),
    NAME(EIO),
    NAME(EBADF),
    NAME(EAGAIN),
    NAME(ENOMEM),
    NAME(EACCES),
    NAME(EFAULT),
    NAME(EEXIST),
    NAME(EINVAL),
    NAME(EMFILE),
    NAME(ENFILE),
    NAME(ENOTTY),
    NAME(EPIPE),
    NAME(ENOTSOCK),
    NAME(EDESTADDRREQ),
    NAME(EMSGSIZE),
    NAME(EPROTOTYPE),
    NAME(ENOPROTOOPT),
    NAME(EPROTONOSUPPORT),
    NAME(ESOCKTNOSUPPORT),
    NAME(EOPNOTSUPP),
    NAME(EAFNOSUPPORT),
    NAME(EADDRINUSE),
    NAME(EADDRNOTAVAIL),
    NAME(ENETDOWN),
    NAME(ENETUNREACH),
    NAME(ENETRESET),
    NAME(ECONNABORTED),
    NAME(ECONNRESET),
    NAME(ENOBUFS),
    NAME(EISCONN),
    NAME(ENOTCONN),
    NAME(ETIMEDOUT),
    NAME(ECONNREFUSED),
    NAME(EHOSTDOWN),
    NAME(EHOSTUNREACH),
    NAME(EALREADY),
    NAME(EINPROGRESS),
    NAME(EPROTO),
    NAME(ENOTUNIQ),
    NAME(EDOM),
    NAME(ERANGE),
    {"EWOULDBLOCK", EAGAIN},
    {"ENOTSUP", EOPNOTSUPP},
};

static const struct symbol CALLS[] = {
    NAME(AF_INET),
    NAME(AF_INET6),
    NAME(AF_UNSPEC),
    NAME(AF_UNIX),
    NAME(PF_INET),
    NAME(PF_INET6),
    NAME(SOCK_STREAM),
    NAME(SOCK_DGRAM),
    NAME(SOCK_RAW),
    NAME(SOCK_NONBLOCK),
    NAME(SOCK_CLOEXEC),
    NAME(IPPROTO_TCP),
    NAME(IPPROTO_UDP),
    NAME(IPPROTO_IP),
    NAME(IPPROTO_IPV6),
    NAME(IPPROTO_ICMP),
    NAME(SOL_SOCKET),
    {"SOL_TCP", IPPROTO_TCP},
    {"SOL_IP", IPPROTO_IP},
    {"SOL_IPV6", IPPROTO_IPV6},
    NAME(SO_REUSEADDR),
    NAME(SO_REUSEPORT),
    NAME(SO_ERROR),
    NAME(SO_KEEPALIVE),
    NAME(SO_LINGER),
    NAME(SO_OOBINLINE),
    NAME(SO_SNDBUF),
    NAME(SO_RCVBUF),
    NAME(SO_RCVLOWAT),
    NAME(SO_SNDLOWAT),
    NAME(SO_ACCEPTCONN),
    NAME(SO_TYPE),
    NAME(SO_PROTOCOL),
    NAME(SO_DOMAIN),
    NAME(SO_PRIORITY),
    NAME(SO_BROADCAST),
    NAME(SO_RCVTIMEO),
    NAME(SO_SNDTIMEO),
    NAME(SO_SNDBUFFORCE),
    NAME(SO_RCVBUFFORCE),
    NAME(SO_MARK),
    NAME(SO_INCOMING_CPU),
    NAME(SO_MAX_PACING_RATE),
    NAME(SO_ZEROCOPY),
    NAME(SO_TIMESTAMP),
    NAME(SO_TIMESTAMPING),
    NAME(SO_MEMINFO),
    NAME(TCP_NODELAY),
    NAME(TCP_CORK),
    NAME(TCP_MAXSEG),
    NAME(TCP_KEEPIDLE),
    NAME(TCP_KEEPINTVL),
    NAME(TCP_KEEPCNT),
    NAME(TCP_SYNCNT),
    NAME(TCP_LINGER2),
    NAME(TCP_DEFER_ACCEPT),
    NAME(TCP_WINDOW_CLAMP),
    NAME(TCP_INFO),
    NAME(TCP_QUICKACK),
    NAME(TCP_CONGESTION),
    NAME(TCP_USER_TIMEOUT),
    NAME(TCP_FASTOPEN),
    NAME(TCP_TIMESTAMP),
    NAME(TCP_NOTSENT_LOWAT),
    NAME(TCP_CC_INFO),
    NAME(TCP_SAVE_SYN),
    NAME(TCP_SAVED_SYN),
    NAME(TCP_FASTOPEN_CONNECT),
    NAME(TCP_INQ),
    NAME(TCP_TX_DELAY),
    NAME(TCP_THIN_DUPACK),
    NAME(TCP_THIN_LINEAR_TIMEOUTS),
    NAME(TCP_MD5SIG),
    NAME(TCP_ZEROCOPY_RECEIVE),
    NAME(TCP_ULP),
    NAME(IP_TOS),
    NAME(IP_TTL),
    NAME(IP_MTU_DISCOVER),
    NAME(IP_MTU),
    NAME(IP_PMTUDISC_WANT),
    NAME(IP_PMTUDISC_DONT),
    NAME(IP_PMTUDISC_DO),
    NAME(IP_PMTUDISC_PROBE),
    NAME(IP_FREEBIND),
    NAME(IP_TRANSPARENT),
    NAME(IP_BIND_ADDRESS_NO_PORT),
    NAME(IP_RECVERR),
    NAME(IPV6_V6ONLY),
    NAME(IPV6_TCLASS),
    NAME(IPV6_UNICAST_HOPS),
    NAME(IPV6_MTU),
    NAME(MSG_OOB),
    NAME(MSG_PEEK),
    NAME(MSG_DONTROUTE),
    NAME(MSG_TRUNC),
    NAME(MSG_CTRUNC),
    NAME(MSG_DONTWAIT),
    NAME(MSG_EOR),
    NAME(MSG_WAITALL),
    NAME(MSG_NOSIGNAL),
    NAME(MSG_MORE),
    NAME(MSG_FASTOPEN),
    NAME(MSG_ERRQUEUE),
    NAME(MSG_ZEROCOPY),
    NAME(MSG_SYN),
    NAME(MSG_FIN),
    NAME(MSG_RST),
    NAME(SHUT_RD),
    NAME(SHUT_WR),
    NAME(SHUT_RDWR),
    NAME(F_GETFL),
    NAME(F_SETFL),
    NAME(F_GETFD),
    NAME(F_SETFD),
    NAME(FD_CLOEXEC),
    NAME(O_RDONLY),
    NAME(O_WRONLY),
    NAME(O_RDWR),
    NAME(O_NONBLOCK),
    NAME(O_CLOEXEC),
    NAME(SIOCINQ),
    NAME(SIOCOUTQ),
    NAME(SIOCOUTQNSD),
    NAME(FIONREAD),
    NAME(FIONBIO),
    {"SIOCATMARK", SIOCATMARK},
    NAME(POLLIN),
    NAME(POLLOUT),
    NAME(POLLERR),
    NAME(POLLHUP),
    NAME(POLLNVAL),
    NAME(POLLPRI),
    NAME(POLLRDHUP),
    NAME(POLLRDNORM),
    NAME(POLLWRNORM),
    NAME(POLLRDBAND),
    NAME(POLLWRBAND),
    NAME(EPOLLIN),
    NAME(EPOLLOUT),
    NAME(EPOLLERR),
    NAME(EPOLLHUP),
    NAME(EPOLLPRI),
    NAME(EPOLLRDHUP),
    NAME(EPOLLET),
    NAME(EPOLLONESHOT),
    NAME(EPOLLRDNORM),
    NAME(EPOLLWRNORM),
    NAME(EPOLL_CTL_ADD),
    NAME(EPOLL_CTL_MOD),
    NAME(EPOLL_CTL_DEL),
    NAME(EPOLL_CLOEXEC),
};

static const struct symbol FACTS[] = {
    {"True", 1},
    {"False", 0},
    {"true", 1},
    {"false", 0},
    {"TCP_ESTABLISHED", 1},
    {"TCP_SYN_SENT", 2},
    {"TCP_SYN_RECV", 3},
    {"TCP_FIN_WAIT1", 4},
    {"TCP_FIN_WAIT2", 5},
    {"TCP_TIME_WAIT", 6},
    {"TCP_CLOSE", 7},
    {"TCP_CLOSE_WAIT", 8},
    {"TCP_LAST_ACK", 9},
    {"TCP_LISTEN", 10},
    {"TCP_CLOSING", 11},
    {"TCP_CA_Open", 0},
    {"TCP_CA_Disorder", 1},
    {"TCP_CA_CWR", 2},
    {"TCP_CA_Recovery", 3},
    {"TCP_CA_Loss", 4},
    {"TCPI_OPT_TIMESTAMPS", 1},
    {"TCPI_OPT_SACK", 2},
    {"TCPI_OPT_WSCALE", 4},
    {"TCPI_OPT_ECN", 8},
    {"TCPI_OPT_ECN_SEEN", 16},
    {"TCPI_OPT_SYN_DATA", 32},
    {"CLOSED", SALUT_STATE_CLOSED},
    {"LISTEN", SALUT_STATE_LISTEN},
    {"SYN_SENT", SALUT_STATE_SYN_SENT},
    {"SYN_RECEIVED", SALUT_STATE_SYN_RECEIVED},
    {"ESTABLISHED", SALUT_STATE_ESTABLISHED},
    {"FIN_WAIT_1", SALUT_STATE_FIN_WAIT_1},
    {"FIN_WAIT_2", SALUT_STATE_FIN_WAIT_2},
    {"CLOSE_WAIT", SALUT_STATE_CLOSE_WAIT},
    {"CLOSING", SALUT_STATE_CLOSING},
    {"LAST_ACK", SALUT_STATE_LAST_ACK},
    {"TIME_WAIT", SALUT_STATE_TIME_WAIT},
};

static bool find(const struct symbol *table, size_t count, const char *word, int64_t *number)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].word, word) == 0) {
            *number = table[i].number;
            return true;
        }
    }
    return false;
}

bool slt_errno_find(const char *name, int *number)
{
    int64_t value;
    if (!find(ERRNOS, SLT_ARRAY_COUNT(ERRNOS), name, &value)) {
        return false;
    }
    *number = (int)value;
    return true;
}

const char *slt_errno_name(int number, char buffer[24])
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(ERRNOS); i++) {
        if (ERRNOS[i].number == number) {
            return ERRNOS[i].word;
        }
    }
    snprintf(buffer, 24, "errno %d", number);
    return buffer;
}

bool slt_symbol_find(const char *word, int64_t *number)
{
    return find(CALLS, SLT_ARRAY_COUNT(CALLS), word, number) ||
           find(FACTS, SLT_ARRAY_COUNT(FACTS), word, number) ||
           find(ERRNOS, SLT_ARRAY_COUNT(ERRNOS), word, number);
}
