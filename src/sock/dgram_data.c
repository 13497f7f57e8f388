/* Datagrams in and out of sockets, with their addresses and what control messages tell of them.
 *
 * A read takes one datagram, or with MSG_PEEK looks at it; MSG_TRUNC asks for its whole length.
 * Control messages: IP_PKTINFO and IPV6_PKTINFO both ways (where it came to, where it shall come
 * from), TTL or hop limit and traffic class on receiving. MSG_MORE, which would gather several
 * writes into one datagram, is refused.
 */
#include "sock/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define V4_OFFSET 12U

/* A datagram lies in no more pieces than the smallest buffers make of it, and iovecs have as many.
 */
#define PIECES_MAX 1040

/* ---- receiving ------------------------------------------------------------------------------ */

static size_t copy_peeked(const struct salut_iovec *seen, size_t count,
                          const struct salut_iovec_mut *to, size_t to_count)
{
    size_t done = 0;
    size_t at = 0;
    size_t into = 0;
    for (size_t i = 0; i < count; i++) {
        size_t from = 0;
        while (from < seen[i].bytes && at < to_count) {
            size_t room = to[at].bytes - into;
            size_t part = seen[i].bytes - from < room ? seen[i].bytes - from : room;
            if (part > 0) {
                memcpy((uint8_t *)to[at].base + into, (const uint8_t *)seen[i].base + from, part);
            }
            from += part;
            into += part;
            done += part;
            at += into == to[at].bytes ? 1U : 0U;
            into = part == room ? 0 : into;
        }
    }
    return done;
}

static enum salut_status peek_datagram(struct salut_socks *socks, const struct slt_sock *sock,
                                       const struct salut_iovec_mut *to, size_t to_count,
                                       struct salut_udp_message *message)
{
    struct salut_iovec seen[PIECES_MAX];
    size_t count = 0;
    enum salut_status status =
        salut_udp_peek(socks->stack, sock->udp, seen, PIECES_MAX, &count, message);
    if (status == SALUT_OK) {
        (void)copy_peeked(seen, count, to, to_count);
    }
    return status;
}

ptrdiff_t slt_dgram_receive(struct salut_socks *socks, struct slt_sock *sock,
                            const struct slt_dgram_read *read, struct salut_udp_message *message)
{
    struct salut_iovec_mut to[PIECES_MAX];
    size_t count = (size_t)read->count;
    enum salut_status status = SALUT_WOULD_BLOCK;
    SLT_ASSERT(count <= PIECES_MAX);
    for (size_t i = 0; i < count; i++) {
        to[i] = (struct salut_iovec_mut){read->pieces[i].iov_base, read->pieces[i].iov_len};
    }
    if (sock->has_udp && (read->flags & MSG_PEEK) != 0) {
        status = peek_datagram(socks, sock, to, count, message);
    } else if (sock->has_udp) {
        status = salut_udp_recvv(socks->stack, sock->udp, to, count, message);
    }
    if (status == SALUT_WOULD_BLOCK && sock->shut_read) {
        *message = (struct salut_udp_message){.bytes = 0};
        return 0;
    }
    if (status != SALUT_OK) {
        sock->would_blocks += status == SALUT_WOULD_BLOCK ? 1U : 0U;
        return slt_dgram_errno(status, NULL);
    }
    bool whole = (read->flags & MSG_TRUNC) != 0 || message->bytes < read->bytes;
    return whole ? (ptrdiff_t)message->bytes : (ptrdiff_t)read->bytes;
}

/* ---- control messages ----------------------------------------------------------------------- */

struct control {
    struct msghdr *msg;
    size_t used;
    bool cut;
};

static void add_control(struct control *c, int level, int type, const void *data, size_t bytes)
{
    struct cmsghdr head = {.cmsg_len = CMSG_LEN(bytes), .cmsg_level = level, .cmsg_type = type};
    uint8_t *at = (uint8_t *)c->msg->msg_control + c->used;
    if (c->msg->msg_control == NULL || c->msg->msg_controllen < c->used + CMSG_LEN(bytes)) {
        c->cut = true;
        return;
    }
    memcpy(at, &head, sizeof(head));
    memcpy(at + CMSG_LEN(0), data, bytes);
    c->used += CMSG_SPACE(bytes);
    c->used = c->used < c->msg->msg_controllen ? c->used : c->msg->msg_controllen;
}

static void add_v4(struct control *c, const struct slt_sock_settings *set,
                   const struct salut_udp_message *message)
{
    struct in_pktinfo info = {.ipi_ifindex = 1};
    int ttl = message->ttl;
    uint8_t class = (uint8_t)(message->dscp << 2 | message->ecn);
    memcpy(&info.ipi_addr, &message->local.b[V4_OFFSET], 4);
    memcpy(&info.ipi_spec_dst, &message->local.b[V4_OFFSET], 4);
    if (set->packet_info4) {
        add_control(c, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    }
    if (set->recv_ttl4) {
        add_control(c, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
    }
    if (set->recv_class4) {
        add_control(c, IPPROTO_IP, IP_TOS, &class, sizeof(class));
    }
}

static void add_v6(struct control *c, const struct slt_sock_settings *set,
                   const struct salut_udp_message *message)
{
    struct in6_pktinfo info = {.ipi6_ifindex = 1};
    int hops = message->ttl;
    int class = message->dscp << 2 | message->ecn;
    memcpy(&info.ipi6_addr, message->local.b, sizeof(message->local.b));
    if (set->packet_info6) {
        add_control(c, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    if (set->recv_ttl6) {
        add_control(c, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
    }
    if (set->recv_class6) {
        add_control(c, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
    }
}

void slt_dgram_describe(const struct slt_sock *sock, const struct salut_udp_message *message,
                        size_t room, struct msghdr *msg)
{
    struct control control = {.msg = msg};
    uint32_t name_bytes = msg->msg_namelen;
    if (msg->msg_name != NULL) {
        slt_sockaddr_write(&message->remote, message->remote_port, sock->family, msg->msg_name,
                           &name_bytes);
        msg->msg_namelen = name_bytes;
    }
    if (slt_addr_is_v4(&message->local)) {
        add_v4(&control, &sock->set, message);
    }
    if (sock->family == 6) {
        add_v6(&control, &sock->set, message);
    }
    msg->msg_controllen = control.used;
    msg->msg_flags = (message->bytes > room ? MSG_TRUNC : 0) | (control.cut ? MSG_CTRUNC : 0);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* RFC 3542 6.2: the address that the datagram shall come from. */
static int read_control(const struct msghdr *msg, struct salut_udp_to *to)
{
    size_t at = 0;
    while (msg->msg_control != NULL && at + sizeof(struct cmsghdr) <= msg->msg_controllen) {
        struct cmsghdr head;
        const uint8_t *from = (const uint8_t *)msg->msg_control + at;
        memcpy(&head, from, sizeof(head));
        if (head.cmsg_len < CMSG_LEN(0) || head.cmsg_len > msg->msg_controllen - at) {
            return -EINVAL;
        }
        size_t bytes = head.cmsg_len - CMSG_LEN(0);
        if (head.cmsg_level == IPPROTO_IP && head.cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            if (bytes < sizeof(info)) {
                return -EINVAL;
            }
            memcpy(&info, from + CMSG_LEN(0), sizeof(info));
            to->local = slt_addr_any(4);
            memcpy(&to->local.b[V4_OFFSET], &info.ipi_spec_dst, 4);
        } else if (head.cmsg_level == IPPROTO_IPV6 && head.cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            if (bytes < sizeof(info)) {
                return -EINVAL;
            }
            memcpy(&info, from + CMSG_LEN(0), sizeof(info));
            memcpy(to->local.b, &info.ipi6_addr, sizeof(to->local.b));
        } else {
            return -EINVAL;
        }
        at += CMSG_ALIGN(head.cmsg_len);
    }
    return 0;
}

static int read_target(const struct slt_sock *sock, const struct slt_dgram_write *write,
                       struct salut_udp_to *to)
{
    int result = 0;
    if (write->addr != NULL && write->addr_bytes > 0) {
        result =
            slt_sockaddr_read(write->addr, write->addr_bytes, sock->family, &to->remote, &to->port);
    }
    if (result == 0 && write->control != NULL) {
        result = read_control(write->control, to);
    }
    if (result == 0 && sock->set.v6_only && slt_addr_is_v4(&to->remote)) {
        result = -ENETUNREACH;
    }
    return result;
}

/* A datagram to the peer that names its own source goes to the peer by name. */
static int name_peer(const struct salut_socks *socks, const struct slt_sock *sock,
                     struct salut_udp_to *to)
{
    struct salut_info info;
    if (!slt_sock_info(socks, sock, &info) || info.remote_port == 0) {
        return -EDESTADDRREQ;
    }
    to->remote = info.remote;
    to->port = info.remote_port;
    return 0;
}

static ptrdiff_t send_to(struct salut_socks *socks, struct slt_sock *sock,
                         const struct slt_dgram_write *write, struct salut_udp_to *to)
{
    struct salut_iovec from[PIECES_MAX];
    size_t count = (size_t)write->count;
    bool by_name = to->port != 0;
    SLT_ASSERT(count <= PIECES_MAX);
    if (!by_name && !slt_addr_is_any(&to->local)) {
        int result = name_peer(socks, sock, to);
        if (result < 0) {
            return result;
        }
        by_name = true;
    }
    for (size_t i = 0; i < count; i++) {
        from[i] = (struct salut_iovec){write->pieces[i].iov_base, write->pieces[i].iov_len};
    }
    enum salut_status status =
        salut_udp_sendv(socks->stack, sock->udp, from, count, by_name ? to : NULL);
    if (status == SALUT_OK) {
        return (ptrdiff_t)write->bytes;
    }
    sock->would_blocks += status == SALUT_WOULD_BLOCK ? 1U : 0U;
    return slt_dgram_errno(status, &to->remote);
}

ptrdiff_t slt_dgram_transmit(struct salut_socks *socks, struct slt_sock *sock, int fd,
                             const struct slt_dgram_write *write)
{
    struct salut_udp_to to = {.port = 0};
    if ((write->flags & (MSG_OOB | MSG_MORE | MSG_FASTOPEN)) != 0) {
        return -EOPNOTSUPP;
    }
    if (sock->shut_write) {
        return -EPIPE;
    }
    int result = read_target(sock, write, &to);
    if (result == 0 && write->addr_bytes > 0 && to.port == 0) {
        result = -EINVAL;
    }
    if (result == 0 && to.port == 0 && !sock->has_udp) {
        result = -EDESTADDRREQ;
    }
    if (result == 0) {
        result = slt_dgram_need_port(socks, sock, fd);
    }
    return result < 0 ? result : send_to(socks, sock, write, &to);
}
