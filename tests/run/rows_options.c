/* SOCK-80 to SOCK-82: facts and options (sockets.h). */
#include "sockets.h"

#include <errno.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct tcp_info info_of(struct world *w, int fd)
{
    struct tcp_info info;
    socklen_t bytes = sizeof(info);
    memset(&info, 0, sizeof(info));
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) {
        say(w, "TCP_INFO %s", result(-1));
    }
    return info;
}

static void states(struct world *w, struct pair *p)
{
    struct tcp_info info = info_of(w, p->fd);
    say(w, "established: %d, rtt known: %s, cwnd %u, mss at least 500: %s", info.tcpi_state,
        yes(info.tcpi_rtt > 0), info.tcpi_snd_cwnd, yes(info.tcpi_snd_mss >= 500));
    say(w, "options: timestamps %s, SACK %s, window scale %s", yes((info.tcpi_options & 1) != 0),
        yes((info.tcpi_options & 2) != 0), yes((info.tcpi_options & 4) != 0));
    (void)send_all(p->fd, 100000);
    (void)ask(w, "read %d 100000", p->far);
    pause_ms(100);
    info = info_of(w, p->fd);
    say(w, "acknowledged all: %s, unacknowledged %u", yes(info.tcpi_bytes_acked >= 100000),
        info.tcpi_unacked);
    (void)ask(w, "mute 1");
    (void)send_all(p->fd, 10);
    pause_ms(700);
    info = info_of(w, p->fd);
    say(w, "silence: retransmitted: %s, backed off: %s", yes(info.tcpi_retransmits > 0),
        yes(info.tcpi_backoff > 0));
    (void)ask(w, "mute 0");
    (void)ask(w, "read %d 10", p->far);
    (void)ask(w, "half %d", p->far);
    (void)bits_when(p->fd, POLLRDHUP, 4000);
    say(w, "peer's FIN: %d", info_of(w, p->fd).tcpi_state);
}

static void own_fin(struct world *w, struct pair *p)
{
    (void)shutdown(p->fd, SHUT_WR);
    pause_ms(100);
    say(w, "our FIN: %d", info_of(w, p->fd).tcpi_state);
    (void)ask(w, "reset %d", p->far);
    (void)bits_when(p->fd, 0, 4000);
    say(w, "reset: %d", info_of(w, p->fd).tcpi_state);
}

static void row_80(struct world *w)
{
    on_both(w, states);
    on_both(w, own_fin);
    int port = 0;
    say(w, "fresh: %d", info_of(w, new_socket(w, 0)).tcpi_state);
    say(w, "listening: %d", info_of(w, new_listener(w, 4, &port)).tcpi_state);
    int fd = new_socket(w, SOCK_NONBLOCK);
    (void)start_connect(fd, w->lost, 9);
    say(w, "connecting: %d", info_of(w, fd).tcpi_state);
}

static void row_81(struct world *w)
{
    static const int sizes[] = {0, 1, 3000, 10000, 100000};
    int fd = new_socket(w, 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int set = set_int(fd, SOL_SOCKET, SO_RCVBUF, sizes[i]);
        say(w, "SO_RCVBUF %d: %s, it says %d", sizes[i], result(set),
            get_int(fd, SOL_SOCKET, SO_RCVBUF));
        set = set_int(fd, SOL_SOCKET, SO_SNDBUF, sizes[i]);
        say(w, "SO_SNDBUF %d: %s, it says %d", sizes[i], result(set),
            get_int(fd, SOL_SOCKET, SO_SNDBUF));
    }
    int handle = ask_number(w, "listen 8");
    int port = ask_number(w, "port %d", handle);
    (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, 20000);
    say(w, "connect %s", result(start_connect(fd, w->peer, port)));
    say(w, "small buffers move much: %s", result(send_all(fd, 100000)));
    int far = ask_number(w, "accept %d", handle);
    say(w, "peer: %s", ask(w, "read %d 100000", far));
    (void)ask(w, "send %d 10000", far);
    say(w, "read %s", result(read_all(fd, 10000)));
}

static void option(struct world *w, int fd, const char *name, const int words[3])
{
    int before = get_int(fd, words[0], words[1]);
    int number = before < 0 ? errno : 0;
    const char *set = result(set_int(fd, words[0], words[1], words[2]));
    say(w, "%s: was %s, set to %d: %s, is %d", name,
        before < 0 ? error_name(number) : result(before), words[2], set,
        get_int(fd, words[0], words[1]));
}

static const struct {
    const char *name;
    int words[3];
} options[] = {
    {"SO_KEEPALIVE", {SOL_SOCKET, SO_KEEPALIVE, 1}},
    {"SO_REUSEADDR", {SOL_SOCKET, SO_REUSEADDR, 1}},
    {"SO_REUSEPORT", {SOL_SOCKET, SO_REUSEPORT, 1}},
    {"SO_OOBINLINE", {SOL_SOCKET, SO_OOBINLINE, 1}},
    {"SO_BROADCAST", {SOL_SOCKET, SO_BROADCAST, 1}},
    {"SO_DONTROUTE", {SOL_SOCKET, SO_DONTROUTE, 0}},
    {"SO_PRIORITY", {SOL_SOCKET, SO_PRIORITY, 3}},
    {"SO_RCVLOWAT", {SOL_SOCKET, SO_RCVLOWAT, 1}},
    {"SO_SNDLOWAT", {SOL_SOCKET, SO_SNDLOWAT, 1}},
    {"SO_TIMESTAMP", {SOL_SOCKET, SO_TIMESTAMP, 0}},
    {"SO_TYPE", {SOL_SOCKET, SO_TYPE, 1}},
    {"SO_DOMAIN", {SOL_SOCKET, SO_DOMAIN, 1}},
    {"SO_PROTOCOL", {SOL_SOCKET, SO_PROTOCOL, 1}},
    {"SO_ACCEPTCONN", {SOL_SOCKET, SO_ACCEPTCONN, 1}},
    {"SO_ERROR", {SOL_SOCKET, SO_ERROR, 1}},
    {"TCP_NODELAY", {IPPROTO_TCP, TCP_NODELAY, 1}},
    {"TCP_CORK", {IPPROTO_TCP, TCP_CORK, 0}},
    {"TCP_KEEPIDLE", {IPPROTO_TCP, TCP_KEEPIDLE, 100}},
    {"TCP_KEEPINTVL", {IPPROTO_TCP, TCP_KEEPINTVL, 20}},
    {"TCP_KEEPCNT", {IPPROTO_TCP, TCP_KEEPCNT, 4}},
    {"TCP_KEEPIDLE", {IPPROTO_TCP, TCP_KEEPIDLE, 0}},
    {"TCP_KEEPIDLE", {IPPROTO_TCP, TCP_KEEPIDLE, 40000}},
    {"TCP_KEEPCNT", {IPPROTO_TCP, TCP_KEEPCNT, 200}},
    {"TCP_USER_TIMEOUT", {IPPROTO_TCP, TCP_USER_TIMEOUT, 30000}},
    {"TCP_USER_TIMEOUT", {IPPROTO_TCP, TCP_USER_TIMEOUT, -1}},
    {"TCP_SYNCNT", {IPPROTO_TCP, TCP_SYNCNT, 3}},
    {"TCP_LINGER2", {IPPROTO_TCP, TCP_LINGER2, 10}},
    {"TCP_DEFER_ACCEPT", {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0}},
    {"TCP_QUICKACK", {IPPROTO_TCP, TCP_QUICKACK, 1}},
    {"TCP_MAXSEG", {IPPROTO_TCP, TCP_MAXSEG, 1000}},
    {"TCP_MAXSEG", {IPPROTO_TCP, TCP_MAXSEG, 10}},
    {"TCP_NOTSENT_LOWAT", {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384}},
    {"TCP_WINDOW_CLAMP", {IPPROTO_TCP, TCP_WINDOW_CLAMP, 60000}},
};

static void row_82(struct world *w)
{
    int fd = new_socket(w, 0);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        option(w, fd, options[i].name, options[i].words);
    }
    static const int v4[][3] = {{IPPROTO_IP, IP_TOS, 16}, {IPPROTO_IP, IP_TTL, 40}};
    static const int v6[][3] = {{IPPROTO_IPV6, IPV6_V6ONLY, 1},
                                {IPPROTO_IPV6, IPV6_TCLASS, 16},
                                {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 40}};
    if (w->family == AF_INET) {
        option(w, fd, "IP_TOS", v4[0]);
        option(w, fd, "IP_TTL", v4[1]);
    } else {
        option(w, fd, "IPV6_V6ONLY", v6[0]);
        option(w, fd, "IPV6_TCLASS", v6[1]);
        option(w, fd, "IPV6_UNICAST_HOPS", v6[2]);
    }
    char name[16] = "";
    socklen_t bytes = sizeof(name);
    int got = getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &bytes);
    say(w, "TCP_CONGESTION %s, a name: %s", result(got), yes(name[0] != '\0'));
    say(w, "TCP_CONGESTION reno %s",
        result(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4)));
    bytes = sizeof(name);
    (void)getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &bytes);
    say(w, "it says %s, %u bytes", name, bytes);
    say(w, "TCP_CONGESTION nonsense %s",
        result(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8)));
    struct linger linger = {.l_onoff = 1, .l_linger = 7};
    say(w, "SO_LINGER %s", result(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger))));
    memset(&linger, 0, sizeof(linger));
    bytes = sizeof(linger);
    (void)getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &bytes);
    say(w, "it says %d, %d, %u bytes", linger.l_onoff, linger.l_linger, bytes);
    struct ucred who;
    bytes = sizeof(who);
    got = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes);
    say(w, "SO_PEERCRED %s, %u bytes", result(got), bytes);
}

const struct row option_rows[] = {{80, row_80}, {81, row_81}, {82, row_82}, {0, NULL}};
