/* Opening: socket, bind, listen, accept, connect.
 *
 * The engine has no "bound" object: a bound port is this table's word, checked against the other
 * sockets of the table, and against the instance by a listener that exists for the length of the
 * call (no segment can arrive meanwhile). That listener also chooses the port when none is given.
 *
 * SOCK-30, 33, 34: connect() is a small state machine over the phase; see sock.h.
 */
#include "sock/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG_MAX     4096U /* SOCK-50: net.core.somaxconn */
#define BIND_TRIES      64U
#define SOCK_TYPE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

int salut_sock_socket(struct salut_socks *socks, int domain, int type, int protocol)
{
    int kind = type & ~SOCK_TYPE_FLAGS;
    if (domain != AF_INET && domain != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    if (kind != SOCK_STREAM && kind != SOCK_DGRAM) {
        return -ESOCKTNOSUPPORT;
    }
    bool stream = kind == SOCK_STREAM;
    if (protocol != 0 && protocol != (stream ? IPPROTO_TCP : IPPROTO_UDP)) {
        return -EPROTONOSUPPORT;
    }
    struct slt_sock *sock = NULL;
    int fd = slt_sock_new(socks, stream ? SLT_SOCK_STREAM : SLT_SOCK_DGRAM, &sock);
    if (fd >= 0) {
        sock->set.plain[SLT_PLAIN_MTU_DISCOVER] = stream ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
        sock->family = domain == AF_INET ? 4 : 6;
        sock->nonblock = (type & SOCK_NONBLOCK) != 0;
        sock->close_on_exec = (type & SOCK_CLOEXEC) != 0;
        sock->local = slt_addr_any(sock->family);
    }
    return fd;
}

/* ---- bind ----------------------------------------------------------------------------------- */

struct bind_wish {
    salut_addr local;
    uint16_t port;
};

static bool covers(const struct slt_sock *sock, const salut_addr *any, const salut_addr *addr)
{
    if (!slt_addr_is_any(any)) {
        return slt_addr_equal(any, addr);
    }
    bool both = sock->family == 6 && !sock->set.v6_only;
    return both || slt_addr_is_v4(addr) == (sock->family == 4);
}

/* SOCK-60..63: same port and overlapping addresses conflict, unless both sockets allow it. */
static bool conflicts(const struct slt_sock *a, const struct slt_sock *b,
                      const struct bind_wish *wish)
{
    if (b->kind != a->kind || !b->bound || b->port != wish->port || a == b) {
        return false;
    }
    if (!covers(a, &wish->local, &b->local) && !covers(b, &b->local, &wish->local)) {
        return false;
    }
    bool reuse = a->set.reuse_addr && b->set.reuse_addr && b->phase != SLT_SOCK_LISTENING;
    return !reuse && !(a->set.reuse_port && b->set.reuse_port);
}

static bool conflicts_in_table(const struct salut_socks *socks, const struct slt_sock *sock,
                               const struct bind_wish *wish)
{
    for (uint32_t i = 0; i < socks->slot_count; i++) {
        if (socks->slots[i] != NULL && conflicts(sock, socks->slots[i], wish)) {
            return true;
        }
    }
    return false;
}

/* SOCK-61: without SO_REUSEADDR a port is taken while the instance still knows connections of it
 * that no socket of this table stands for: closed ones that end in the background, TIME-WAIT. */
static bool conflicts_in_instance(const struct salut_socks *socks, const struct slt_sock *sock,
                                  const struct bind_wish *wish)
{
    uint64_t cursor = 0;
    struct salut_info info;
    if (sock->set.reuse_addr) {
        return false;
    }
    while (salut_next_info(socks->stack, &cursor, &info)) {
        bool nobodys =
            info.object == SALUT_IS_TIME_WAIT || (info.orphan && info.object != SALUT_IS_UDP);
        if (nobodys && info.local_port == wish->port && covers(sock, &wish->local, &info.local)) {
            return true;
        }
    }
    return false;
}

static uint32_t listen_flags(const struct slt_sock *sock)
{
    uint32_t flags = sock->set.v6_only ? SALUT_LISTEN_V6_ONLY : 0;
    flags |= sock->set.reuse_port ? SALUT_LISTEN_REUSE : 0;
    return flags | (sock->set.transparent ? SALUT_LISTEN_TRANSPARENT : 0);
}

/* Ask the instance whether it could listen there, and at which port. */
static enum salut_status try_port(const struct salut_socks *socks, const struct slt_sock *sock,
                                  struct bind_wish *wish)
{
    struct salut_listen_params params = {
        .local = wish->local, .port = wish->port, .flags = listen_flags(sock), .backlog = 1};
    salut_listener listener;
    salut_addr local;
    enum salut_status status = salut_listen(socks->stack, &params, &listener);
    if (status == SALUT_OK) {
        status = salut_listener_local(socks->stack, listener, &local, &wish->port);
        (void)salut_close_listener(socks->stack, listener);
    }
    return status;
}

static int choose_port(const struct salut_socks *socks, const struct slt_sock *sock,
                       struct bind_wish *wish)
{
    for (uint32_t i = 0; i < BIND_TRIES; i++) {
        wish->port = 0;
        enum salut_status status = try_port(socks, sock, wish);
        if (status != SALUT_OK) {
            return status == SALUT_ADDRESS_NOT_AVAILABLE && slt_addr_is_any(&wish->local)
                       ? -EADDRINUSE
                       : -salut_status_errno(status);
        }
        if (!conflicts_in_table(socks, sock, wish)) {
            return 0;
        }
    }
    return -EADDRINUSE;
}

static int bind_to(struct salut_socks *socks, struct slt_sock *sock, struct bind_wish *wish)
{
    bool chosen = wish->port == 0;
    int result = 0;
    if (chosen) {
        result = choose_port(socks, sock, wish);
    } else if (conflicts_in_table(socks, sock, wish)) {
        result = -EADDRINUSE;
    } else {
        result = -salut_status_errno(try_port(socks, sock, wish));
        /* The trial must not fail for a listener of this table that may share the port. */
        if (result == -EADDRINUSE && sock->set.reuse_port) {
            result = 0;
        } else if (result == 0 && conflicts_in_instance(socks, sock, wish)) {
            result = -EADDRINUSE;
        }
    }
    if (result == 0) {
        sock->local = wish->local;
        sock->port = wish->port;
        sock->bound = true;
        sock->port_kept = !chosen;
    }
    return result;
}

static int bind_dgram(struct salut_socks *socks, struct slt_sock *sock, int fd,
                      const struct bind_wish *wish)
{
    struct salut_udp_params params = {.local = wish->local, .port = wish->port};
    if (wish->port != 0 && conflicts_in_table(socks, sock, wish)) {
        return -EADDRINUSE;
    }
    return slt_dgram_open(socks, sock, fd, &params);
}

int salut_sock_bind(struct salut_socks *socks, int fd, const struct sockaddr *addr, uint32_t bytes)
{
    struct slt_sock *sock;
    struct bind_wish wish = {.port = 0};
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    int result = slt_sockaddr_read(addr, bytes, sock->family, &wish.local, &wish.port);
    if (result < 0) {
        return result;
    }
    if (sock->bound || sock->phase != SLT_SOCK_IDLE) {
        return -EINVAL; /* SOCK-64 */
    }
    return sock->kind == SLT_SOCK_DGRAM ? bind_dgram(socks, sock, fd, &wish)
                                        : bind_to(socks, sock, &wish);
}

/* ---- listen and accept ---------------------------------------------------------------------- */

static uint32_t backlog_of(int backlog)
{
    return backlog < 0 ? BACKLOG_MAX : slt_min32((uint32_t)backlog, BACKLOG_MAX);
}

/* SOCK-62: of two sockets that share a port by SO_REUSEADDR only one may listen. */
static bool is_taken_by_listener(const struct salut_socks *socks, const struct slt_sock *sock)
{
    struct bind_wish wish = {.local = sock->local, .port = sock->port};
    for (uint32_t i = 0; i < socks->slot_count; i++) {
        const struct slt_sock *other = socks->slots[i];
        if (other != NULL && other->phase == SLT_SOCK_LISTENING && conflicts(sock, other, &wish)) {
            return true;
        }
    }
    return false;
}

int salut_sock_listen(struct salut_socks *socks, int fd, int backlog)
{
    struct slt_sock *sock;
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    if (sock->kind == SLT_SOCK_DGRAM) {
        return -EOPNOTSUPP;
    }
    if (sock->phase == SLT_SOCK_LISTENING) { /* SOCK-55 */
        return -salut_status_errno(
            salut_set_backlog(socks->stack, sock->listener, backlog_of(backlog)));
    }
    if (sock->phase != SLT_SOCK_IDLE) {
        return -EINVAL;
    }
    if (!sock->bound) {
        struct bind_wish wish = {.local = sock->local, .port = 0};
        found = bind_to(socks, sock, &wish);
    } else if (is_taken_by_listener(socks, sock)) {
        found = -EADDRINUSE;
    }
    if (found < 0) {
        return found;
    }
    struct salut_listen_params params = {.local = sock->local,
                                         .port = sock->port,
                                         .flags = listen_flags(sock),
                                         .backlog = backlog_of(backlog),
                                         .user = (uint64_t)fd};
    enum salut_status status = salut_listen(socks->stack, &params, &sock->listener);
    if (status == SALUT_OK) {
        sock->phase = SLT_SOCK_LISTENING;
        sock->shut_read = false;
        sock->shut_write = false;
        slt_opt_apply(socks, sock);
    }
    return -salut_status_errno(status);
}

static void become_accepted(struct salut_socks *socks, struct slt_sock *child,
                            const struct slt_sock *listener)
{
    struct salut_info info;
    child->family = listener->family;
    child->set = listener->set; /* SOCK-54: options are inherited, O_NONBLOCK is not */
    child->phase = SLT_SOCK_CONNECTED;
    child->has_conn = true;
    child->bound = true;
    child->local = listener->local;
    child->port = listener->port;
    if (salut_get_info(socks->stack, child->conn, &info) == SALUT_OK) {
        child->local = info.local;
        child->port = info.local_port;
    }
}

int salut_sock_accept(struct salut_socks *socks, int fd, struct sockaddr *addr, uint32_t *bytes,
                      int flags)
{
    struct slt_sock *sock;
    struct slt_sock *child;
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    if (sock->kind == SLT_SOCK_DGRAM) {
        return -EOPNOTSUPP;
    }
    if ((flags & ~SOCK_TYPE_FLAGS) != 0 || sock->phase != SLT_SOCK_LISTENING) {
        return -EINVAL; /* SOCK-53 */
    }
    /* SOCK-53: the descriptor comes first, so that without one the connection stays queued. */
    int new_fd = slt_sock_new(socks, SLT_SOCK_STREAM, &child);
    if (new_fd < 0) {
        return new_fd;
    }
    enum salut_status status =
        salut_accept(socks->stack, sock->listener, (uint64_t)new_fd, &child->conn);
    if (status != SALUT_OK) {
        slt_sock_drop(socks, new_fd);
        sock->would_blocks++;
        return -salut_status_errno(status);
    }
    become_accepted(socks, child, sock);
    child->nonblock = (flags & SOCK_NONBLOCK) != 0;
    child->close_on_exec = (flags & SOCK_CLOEXEC) != 0;
    if (addr != NULL && bytes != NULL) {
        (void)salut_sock_getpeername(socks, new_fd, addr, bytes);
    }
    return new_fd;
}

/* ---- connect -------------------------------------------------------------------------------- */

/* SOCK-34: AF_UNSPEC takes the connection apart; where there was one, a pending ECONNRESET says
 * so, and a port the user chose stays his. */
static int disconnect(struct salut_socks *socks, struct slt_sock *sock)
{
    bool cut = sock->has_conn && !slt_sock_is_ended(socks, sock);
    if (sock->has_conn) {
        (void)salut_abort(socks->stack, sock->conn);
        sock->has_conn = false;
    }
    slt_sock_release(socks, sock);
    sock->error = cut ? ECONNRESET : 0;
    return 0;
}

/* A later call for a connection that was begun: still running, done, or failed. */
static int connect_again(struct salut_socks *socks, struct slt_sock *sock)
{
    if (slt_sock_is_ended(socks, sock)) {
        int error = slt_sock_take_error(socks, sock);
        slt_sock_release(socks, sock); /* SOCK-33: the socket can be used again */
        return error != 0 ? -error : -ECONNABORTED;
    }
    if (!slt_sock_is_connected(socks, sock)) {
        return -EALREADY;
    }
    sock->phase = SLT_SOCK_CONNECTED;
    return 0;
}

static int connect_errno(enum salut_status status)
{
    /* SOCK-37 */
    return status == SALUT_ADDRESS_IN_USE ? -EADDRNOTAVAIL : -salut_status_errno(status);
}

static int connect_first(struct salut_socks *socks, struct slt_sock *sock, int fd,
                         struct salut_connect_params *params)
{
    /* RFC 4038 4.2: an IPv6-only socket does not reach IPv4 addresses. */
    if (sock->set.v6_only && slt_addr_is_v4(&params->remote)) {
        return -ENETUNREACH;
    }
    params->user = (uint64_t)fd;
    if (sock->bound) {
        params->local_port = sock->port;
        params->local = slt_addr_is_any(&sock->local) ? (salut_addr){.zone = 0} : sock->local;
    }
    salut_conn conn;
    enum salut_status status = salut_connect(socks->stack, params, &conn);
    if (status != SALUT_OK) {
        return connect_errno(status); /* SOCK-36: ENETUNREACH */
    }
    struct salut_info info;
    sock->conn = conn;
    sock->has_conn = true;
    sock->error = 0;
    sock->error_taken = false;
    sock->shut_read = false;
    sock->shut_write = false;
    sock->fast_open_waits = false;
    sock->phase = SLT_SOCK_CONNECTING;
    slt_opt_apply(socks, sock);
    if (salut_get_info(socks->stack, conn, &info) == SALUT_OK) {
        sock->bound = true;
        sock->local = info.local;
        sock->port = info.local_port;
    }
    return -EINPROGRESS;
}

static bool is_fast_open_ready(const struct salut_socks *socks, const struct slt_sock *sock,
                               const struct salut_connect_params *params)
{
    struct salut_connect_params asked = *params;
    if (sock->bound && !slt_addr_is_any(&sock->local)) {
        asked.local = sock->local;
    }
    return salut_fast_open_ready(socks->stack, &asked);
}

static int connect_stream(struct salut_socks *socks, struct slt_sock *sock, int fd,
                          struct salut_connect_params *params)
{
    switch ((enum slt_sock_phase)sock->phase) {
    case SLT_SOCK_LISTENING: /* SOCK-35 */
    case SLT_SOCK_CONNECTED:
        return -EISCONN;
    case SLT_SOCK_CONNECTING:
        return sock->fast_open_waits ? -EISCONN : connect_again(socks, sock);
    case SLT_SOCK_IDLE:
        break;
    }
    if (!sock->set.fast_open_connect) {
        return connect_first(socks, sock, fd, params);
    }
    /* TCP_FASTOPEN_CONNECT: with a cookie at hand the SYN waits for what is written first. */
    bool waits = is_fast_open_ready(socks, sock, params);
    params->flags |= SALUT_CONNECT_FAST_OPEN | (waits ? (uint32_t)SALUT_CONNECT_FAST_OPEN_WAIT : 0);
    int result = connect_first(socks, sock, fd, params);
    if (result != -EINPROGRESS || !waits) {
        return result;
    }
    sock->fast_open_waits = true;
    return 0;
}

int slt_sock_connect_fast(struct salut_socks *socks, int fd, const struct sockaddr *addr,
                          uint32_t bytes)
{
    struct slt_sock *sock;
    struct salut_connect_params params = {.flags = SALUT_CONNECT_FAST_OPEN};
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    if ((socks->defaults.fast_open & SALUT_FAST_OPEN_CLIENT) == 0) {
        return -EOPNOTSUPP;
    }
    if (sock->phase != SLT_SOCK_IDLE) {
        return sock->phase == SLT_SOCK_CONNECTING ? -EALREADY : -EISCONN;
    }
    int result = slt_sockaddr_read(addr, bytes, sock->family, &params.remote, &params.remote_port);
    if (result < 0) {
        return result;
    }
    bool ready = is_fast_open_ready(socks, sock, &params);
    result = connect_first(socks, sock, fd, &params);
    return result == -EINPROGRESS && ready ? 0 : result;
}

int salut_sock_connect(struct salut_socks *socks, int fd, const struct sockaddr *addr,
                       uint32_t bytes)
{
    struct slt_sock *sock;
    struct salut_connect_params params = {.user = 0};
    sa_family_t family;
    int found = slt_sock_find(socks, fd, &sock);
    if (found < 0) {
        return found;
    }
    if (addr == NULL || bytes < sizeof(family)) {
        return -EINVAL;
    }
    memcpy(&family, addr, sizeof(family));
    bool dgram = sock->kind == SLT_SOCK_DGRAM;
    if (family == AF_UNSPEC) {
        return dgram ? slt_dgram_disconnect(socks, sock) : disconnect(socks, sock);
    }
    int result = slt_sockaddr_read(addr, bytes, sock->family, &params.remote, &params.remote_port);
    if (result == 0 && dgram) {
        struct salut_udp_to peer = {.remote = params.remote, .port = params.remote_port};
        return slt_dgram_connect(socks, sock, fd, &peer);
    }
    return result < 0 ? result : connect_stream(socks, sock, fd, &params);
}
