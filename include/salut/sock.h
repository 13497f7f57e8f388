/* Sockets over an instance: the calls programs know, under the same names and with the same rules
 * (POSIX, and Linux where they differ), for descriptors of a table of their own.
 *
 * Nothing blocks: what a blocking socket would wait for is answered with -EAGAIN (-EINPROGRESS by
 * connect), whether O_NONBLOCK is set or not; salut_sock_blocks tells a caller that wants to wait,
 * and salut/block.h waits.
 * Every call returns 0 or more, or a negative errno value; errno itself is never touched. No call
 * raises SIGPIPE.
 *
 * Constants (AF_INET, SOL_SOCKET, MSG_PEEK, POLLIN, EPOLLET ...) and structures are those of the
 * system's headers; lengths of socket addresses and options are uint32_t, which is socklen_t on
 * Linux. Frames, time and turns are the caller's business as ever: a table only calls the
 * instance. Events of the instance name the descriptor in their user value.
 *
 * Three calls take a structure where the system's take more than five arguments.
 */
#ifndef SALUT_SOCK_H
#define SALUT_SOCK_H

#include "salut/salut.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr;
struct iovec;
struct msghdr;
struct pollfd;
struct epoll_event;

/* A table of descriptors over one instance. */
struct salut_socks;

struct salut_socks_params {
    struct salut_stack *stack;
    const struct salut_config *config; /* what the instance was made with: the values that options
                                          have before anybody sets them; NULL: "linux" */
    uint32_t sockets_max;              /* 0: 65,536 */
    int first_fd;                      /* the lowest number given out */
    void *(*alloc)(void *ctx, size_t bytes); /* NULL: malloc and free */
    void (*free)(void *ctx, void *ptr, size_t bytes);
    void *alloc_ctx;
};

/* Make a table. The instance must outlive it.
 *
 * Returns SALUT_OK, SALUT_INVALID, SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status
salut_socks_create(const struct salut_socks_params *params, struct salut_socks **socks);

/* Close every descriptor, as the end of a process does (SOCK-07), and free the table. NULL is
 * allowed. */
SALUT_API void salut_socks_destroy(struct salut_socks *socks);

/* The errno value (positive) for a status; 0 for SALUT_OK and SALUT_END. */
SALUT_API int salut_status_errno(enum salut_status status);

/* ---- opening ------------------------------------------------------------------------------ */

/* socket(2): AF_INET or AF_INET6, SOCK_STREAM or SOCK_DGRAM with SOCK_NONBLOCK and SOCK_CLOEXEC,
 * protocol 0 or IPPROTO_TCP or IPPROTO_UDP. Returns a descriptor, -EAFNOSUPPORT, -EPROTONOSUPPORT,
 * -ESOCKTNOSUPPORT, -EMFILE, -ENOMEM. */
SALUT_API int salut_sock_socket(struct salut_socks *socks, int domain, int type, int protocol);

/* bind(2). Port 0 chooses a free one. Datagram sockets that both have SO_REUSEADDR or SO_REUSEPORT
 * may share a port. Returns 0, -EINVAL (bound already), -EADDRINUSE, -EADDRNOTAVAIL, -EAFNOSUPPORT,
 * -EBADF, -ENOTSOCK. */
SALUT_API int salut_sock_bind(struct salut_socks *socks, int fd, const struct sockaddr *addr,
                              uint32_t bytes);

/* listen(2): again on a listener, it changes the backlog; on an unbound socket it takes a free
 * port. Returns 0, -EINVAL (connected), -EADDRINUSE, -ENOBUFS, -EOPNOTSUPP (a datagram socket, here
 * and for accept), -EBADF, -ENOTSOCK. */
SALUT_API int salut_sock_listen(struct salut_socks *socks, int fd, int backlog);

/* accept4(2): `addr` and `bytes` may be NULL. Returns a descriptor, -EAGAIN, -EINVAL (does not
 * listen), -EMFILE (the connection stays queued), -ENOMEM, -EBADF, -ENOTSOCK. */
SALUT_API int salut_sock_accept(struct salut_socks *socks, int fd, struct sockaddr *addr,
                                uint32_t *bytes, int flags);

/* connect(2): -EINPROGRESS at first, -EALREADY while it runs, then once 0 or the error, then
 * -EISCONN. AF_UNSPEC takes the connection apart (by a reset, where there is one), after which the
 * socket can be used again.
 *
 * A datagram socket gets a peer at once, and another one when asked again: 0, -EACCES (broadcast
 * without SO_BROADCAST), -ENETUNREACH, -EINVAL (port 0). AF_UNSPEC takes it away. */
SALUT_API int salut_sock_connect(struct salut_socks *socks, int fd, const struct sockaddr *addr,
                                 uint32_t bytes);

/* ---- moving bytes ------------------------------------------------------------------------- */

/* A datagram socket reads and writes one datagram at a time, whole: what a read has no room for is
 * lost (MSG_TRUNC returns its whole length all the same), and a write is taken whole or is -EAGAIN,
 * -EMSGSIZE, -EDESTADDRREQ (no peer and no address), -EACCES, -ENETUNREACH or -EOPNOTSUPP (MSG_OOB,
 * MSG_MORE). Once, either reports what the network said about a datagram sent to the peer:
 * -ECONNREFUSED when its port is closed. The following is about streams where it must be.
 *
 * read(2), readv(2), recv(2): flags MSG_PEEK, MSG_TRUNC, MSG_OOB, MSG_WAITALL and MSG_DONTWAIT.
 * Return the bytes received, 0 at the end of the stream, -EAGAIN, -ENOTCONN, -EINVAL, or what
 * ended the connection, once; after that 0. */
SALUT_API ptrdiff_t salut_sock_read(struct salut_socks *socks, int fd, void *data, size_t bytes);
SALUT_API ptrdiff_t salut_sock_readv(struct salut_socks *socks, int fd, const struct iovec *pieces,
                                     int count);
SALUT_API ptrdiff_t salut_sock_recv(struct salut_socks *socks, int fd, void *data, size_t bytes,
                                    int flags);

/* recvmsg(2): as recv; fills msg_name on request and sets msg_flags and msg_controllen. Datagrams
 * come with the control messages that were asked for: IP_PKTINFO, IP_RECVTTL, IP_RECVTOS,
 * IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS. */
SALUT_API ptrdiff_t salut_sock_recvmsg(struct salut_socks *socks, int fd, struct msghdr *msg,
                                       int flags);

/* write(2), writev(2), send(2): flags MSG_OOB, MSG_MORE, MSG_EOR, MSG_NOSIGNAL and MSG_DONTWAIT.
 * Return the bytes queued, -EAGAIN, -EPIPE, or what ended the connection, once; after that
 * -EPIPE. */
SALUT_API ptrdiff_t salut_sock_write(struct salut_socks *socks, int fd, const void *data,
                                     size_t bytes);
SALUT_API ptrdiff_t salut_sock_writev(struct salut_socks *socks, int fd, const struct iovec *pieces,
                                      int count);
SALUT_API ptrdiff_t salut_sock_send(struct salut_socks *socks, int fd, const void *data,
                                    size_t bytes, int flags);

/* sendmsg(2): as send; on a stream the address is not looked at. IP_PKTINFO and IPV6_PKTINFO name
 * the address that a datagram comes from; any other control message of a datagram is -EINVAL. */
SALUT_API ptrdiff_t salut_sock_sendmsg(struct salut_socks *socks, int fd, const struct msghdr *msg,
                                       int flags);

/* As send, but the bytes stay the caller's and are sent from where they lie: salut_send_lend, whose
 * rules hold; salut_take_back on the instance returns the loan. Returns the bytes queued, which are
 * all of them; and as send, or -EINVAL, -ENOBUFS (no note or buffer is free), with nothing kept. */
SALUT_API ptrdiff_t salut_sock_lend(struct salut_socks *socks, int fd,
                                    const struct salut_loan *loan, int flags);

/* What recvfrom(2) and sendto(2) take beside the bytes. */
struct salut_sock_peer {
    int flags;
    struct sockaddr *addr; /* NULL: none */
    uint32_t bytes;        /* of `addr`; recvfrom replaces it by the length of the address */
};

/* recvfrom(2) and sendto(2): as recv and send, with a datagram's sender and receiver. On a stream
 * recvfrom leaves the address alone and sets its length to 0; sendto looks at it with MSG_FASTOPEN
 * alone, to connect (RFC 7413). */
SALUT_API ptrdiff_t salut_sock_recvfrom(struct salut_socks *socks, int fd, void *data, size_t bytes,
                                        struct salut_sock_peer *peer);
SALUT_API ptrdiff_t salut_sock_sendto(struct salut_socks *socks, int fd, const void *data,
                                      size_t bytes, const struct salut_sock_peer *peer);

/* ---- closing ------------------------------------------------------------------------------ */

/* close(2): with bytes unread, or linger time zero, the connection is reset; else what is queued
 * is sent, then FIN. Returns 0 or -EBADF. */
SALUT_API int salut_sock_close(struct salut_socks *socks, int fd);

/* shutdown(2). Returns 0, -EINVAL (`how` is unknown), -ENOTCONN (a datagram socket without a peer
 * is shut all the same), -EBADF, -ENOTSOCK. */
SALUT_API int salut_sock_shutdown(struct salut_socks *socks, int fd, int how);

/* ---- options and facts -------------------------------------------------------------------- */

/* What getsockopt(2) and setsockopt(2) take. */
struct salut_sock_opt {
    int level; /* SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6 */
    int name;
    void *value;    /* setsockopt only reads it */
    uint32_t bytes; /* of `value`; getsockopt replaces it by the bytes it wrote */
};

/* getsockopt(2), setsockopt(2). Return 0, -ENOPROTOOPT (unknown, or not for this socket), -EINVAL
 * (too short, or outside its domain), -EBADF, -ENOTSOCK. */
SALUT_API int salut_sock_getsockopt(struct salut_socks *socks, int fd, struct salut_sock_opt *opt);
SALUT_API int salut_sock_setsockopt(struct salut_socks *socks, int fd,
                                    const struct salut_sock_opt *opt);

/* getsockname(2), getpeername(2). Return 0, -ENOTCONN, -EBADF, -ENOTSOCK. */
SALUT_API int salut_sock_getsockname(struct salut_socks *socks, int fd, struct sockaddr *addr,
                                     uint32_t *bytes);
SALUT_API int salut_sock_getpeername(struct salut_socks *socks, int fd, struct sockaddr *addr,
                                     uint32_t *bytes);

/* fcntl(2): F_GETFL, F_SETFL (O_NONBLOCK), F_GETFD, F_SETFD. Returns the flags or 0, -EINVAL,
 * -EBADF. */
SALUT_API int salut_sock_fcntl(struct salut_socks *socks, int fd, int command, int value);

/* ioctl(2): SIOCINQ (FIONREAD; of a datagram socket, the bytes of the next datagram), SIOCOUTQ
 * (TIOCOUTQ), SIOCOUTQNSD, SIOCATMARK, FIONBIO. Returns 0, -EINVAL, -ENOTTY, -EBADF. */
SALUT_API int salut_sock_ioctl(struct salut_socks *socks, int fd, unsigned long request,
                               int *value);

/* True when the descriptor is open and O_NONBLOCK is not set. */
SALUT_API bool salut_sock_blocks(const struct salut_socks *socks, int fd);

/* The connection a descriptor stands for. Returns SALUT_OK, SALUT_NOT_CONNECTED (there is none),
 * SALUT_STALE (no such descriptor). */
SALUT_API enum salut_status salut_sock_conn(const struct salut_socks *socks, int fd,
                                            salut_conn *conn);

/* The listener a descriptor stands for. Returns SALUT_OK, SALUT_INVALID (it does not listen),
 * SALUT_STALE. */
SALUT_API enum salut_status salut_sock_listener(const struct salut_socks *socks, int fd,
                                                salut_listener *listener);

/* ---- readiness ---------------------------------------------------------------------------- */

/* The poll(2) bits of a descriptor as they are now; POLLNVAL when it is not open. */
SALUT_API short salut_sock_ready(const struct salut_socks *socks, int fd);

/* poll(2) with a timeout of 0. Returns how many entries have bits set in revents. */
SALUT_API int salut_sock_poll(struct salut_socks *socks, struct pollfd *fds, size_t count);

/* epoll_create1(2), epoll_ctl(2), and epoll_wait(2) with a timeout of 0: level and edge triggered,
 * EPOLLONESHOT. A wait costs time in proportion to the descriptors watched. Return as the system's:
 * -EEXIST, -ENOENT, -EINVAL, -EPERM, -EBADF, -ENOMEM, -EMFILE. */
SALUT_API int salut_sock_epoll_create(struct salut_socks *socks, int flags);
SALUT_API int salut_sock_epoll_ctl(struct salut_socks *socks, int epoll_fd, int op, int fd,
                                   struct epoll_event *event);
SALUT_API int salut_sock_epoll_wait(struct salut_socks *socks, int epoll_fd,
                                    struct epoll_event *events, int max);

#ifdef __cplusplus
}
#endif

#endif
