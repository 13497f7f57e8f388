/* Datagrams: UDP sockets of an instance (RFC 768, RFC 1122 4.1, RFC 8200 8.1, RFC 8085).
 *
 * A socket has a local port and two queues, bounded in bytes. What arrives waits in one until it is
 * read, and is dropped with a counted reason when that is full; what is sent waits in the other for
 * the next salut_output, and there for its neighbour's link address where that must be asked for.
 * Every datagram is taken whole or not at all, on both ways.
 *
 * Datagrams larger than the path allows are cut into fragments and put together again at the other
 * end; RFC 8085 3.2 advises to send smaller ones. Nothing here is reliable, ordered or paced: that
 * is for who uses it (RFC 8085 3.1).
 *
 * Readiness is told by salut_next_event like that of connections: READABLE (a datagram or an error
 * waits), WRITABLE (the send queue has room), ADVICE (the network said something about what was
 * sent: salut_udp_take_error). IPv6 datagrams without a checksum are refused, IPv4 ones taken.
 */
#ifndef SALUT_UDP_H
#define SALUT_UDP_H

#include "salut/info.h"
#include "salut/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum salut_udp_flag {
    SALUT_UDP_V6_ONLY = 1, /* bound to ::, it does not take IPv4 */
    SALUT_UDP_REUSE = 2    /* share address and port with other sockets of this flag: each peer's
                              datagrams go to the same one of them, broadcasts to all */
};

struct salut_udp_params {
    salut_addr local; /* all zero: every address of ours, of both families; or 0.0.0.0 */
    uint16_t port;    /* 0: choose one that no other socket has (RFC 6056) */
    uint32_t flags;   /* of enum salut_udp_flag */
    uint64_t user;
};

/* Make a socket that is bound to a port. Its interest is READABLE at first.
 *
 * Returns SALUT_OK; SALUT_INVALID (unknown flags); SALUT_ADDRESS_NOT_AVAILABLE (none of ours, or no
 * port is free); SALUT_ADDRESS_IN_USE; SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status
salut_udp_open(struct salut_stack *stack, const struct salut_udp_params *params, salut_udp *udp);

/* Let go of the socket. What was received and not read is forgotten, what was queued is still
 * sent. Returns SALUT_OK, SALUT_PENDING_OUTPUT, SALUT_STALE. */
SALUT_API enum salut_status salut_udp_close(struct salut_stack *stack, salut_udp udp);

/* Choose a peer: salut_udp_send goes there, only its datagrams are taken, and errors that the
 * network reports about them are told. A socket bound to no address gets the one that the route to
 * the peer asks for. Again: another peer; port 0: none any more, and the address as before.
 * Datagrams that wait to be read stay.
 *
 * Returns SALUT_OK; SALUT_ADDRESS_INVALID (an unspecified peer, or a broadcast one without
 * SALUT_OPT_BROADCAST); SALUT_INVALID (of the other family); SALUT_NET_UNREACHABLE;
 * SALUT_ADDRESS_IN_USE (another socket has this port and peer); SALUT_PENDING_OUTPUT;
 * SALUT_STALE. */
SALUT_API SALUT_MUST_USE enum salut_status salut_udp_connect(struct salut_stack *stack,
                                                             salut_udp udp,
                                                             const salut_addr *remote,
                                                             uint16_t port);

/* Where a datagram goes. */
struct salut_udp_to {
    salut_addr remote;
    uint16_t port;
    salut_addr local; /* the address it comes from; all zero: the socket's, or chosen by the route.
                         To answer as one was asked, the `local` of struct salut_udp_message */
};

/* Queue a datagram, copied, for `to`; NULL: for the peer. At most 65,507 bytes of payload over
 * IPv4, 65,527 over IPv6; 0 are allowed. The queue takes it whole whenever it is not full, if need
 * be beyond its limit.
 *
 * Returns SALUT_OK; SALUT_WOULD_BLOCK (full: WRITABLE says when it is not); SALUT_TOO_BIG;
 * SALUT_INVALID (port 0, the other family, a null pointer); SALUT_NOT_CONNECTED (no `to` and no
 * peer); SALUT_ADDRESS_INVALID, SALUT_NET_UNREACHABLE as connect; SALUT_ADDRESS_NOT_AVAILABLE
 * (`local` is not ours, or not the socket's); SALUT_NO_MEMORY; SALUT_PENDING_OUTPUT; SALUT_STALE;
 * or, once, the error that the network reported (SALUT_REFUSED ...), with nothing queued. */
SALUT_API SALUT_MUST_USE enum salut_status salut_udp_send(struct salut_stack *stack, salut_udp udp,
                                                          const void *data, size_t bytes,
                                                          const struct salut_udp_to *to);

/* The same from several pieces. */
SALUT_API SALUT_MUST_USE enum salut_status salut_udp_sendv(struct salut_stack *stack, salut_udp udp,
                                                           const struct salut_iovec *pieces,
                                                           size_t count,
                                                           const struct salut_udp_to *to);

/* What is known of a datagram that was received. */
struct salut_udp_message {
    salut_addr remote;
    uint16_t remote_port; /* 0: the sender wants no answer */
    salut_addr local;     /* the address it was sent to: ours, or a broadcast or multicast one */
    uint16_t local_port;
    uint32_t bytes; /* its whole length: more than what was asked for means that it was cut */
    uint8_t ttl;    /* or hop limit, as it arrived */
    uint8_t dscp;
    uint8_t ecn;
};

/* Take the oldest datagram that was received. What does not fit is lost; message->bytes tells.
 * `message` may be NULL.
 *
 * Returns SALUT_OK; SALUT_WOULD_BLOCK; SALUT_INVALID (a null pointer); SALUT_STALE; or, once, the
 * error that the network reported about what was sent to the peer. */
SALUT_API SALUT_MUST_USE enum salut_status salut_udp_recv(struct salut_stack *stack, salut_udp udp,
                                                          void *data, size_t bytes,
                                                          struct salut_udp_message *message);

/* The same into several pieces. */
SALUT_API SALUT_MUST_USE enum salut_status salut_udp_recvv(struct salut_stack *stack, salut_udp udp,
                                                           const struct salut_iovec_mut *pieces,
                                                           size_t count,
                                                           struct salut_udp_message *message);

/* Look at the oldest datagram where it lies, without taking it: up to `max` pieces, which hold less
 * than message->bytes when there are more; valid until the next call that changes the socket.
 * salut_udp_consume then takes it. Return as salut_udp_recv; consume reports no network error. */
SALUT_API SALUT_MUST_USE enum salut_status salut_udp_peek(struct salut_stack *stack, salut_udp udp,
                                                          struct salut_iovec *pieces, size_t max,
                                                          size_t *count,
                                                          struct salut_udp_message *message);
SALUT_API enum salut_status salut_udp_consume(struct salut_stack *stack, salut_udp udp);

/* The last error that the network reported, SALUT_OK when there is none; it is cleared, and ADVICE
 * with it. Only a socket with a peer has errors that sending and receiving report as well: the
 * port or the protocol is unreachable, or the datagram was too large (RFC 1122 4.1.3.3).
 *
 * Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_udp_take_error(struct salut_stack *stack, salut_udp udp,
                                                 enum salut_status *error);

/* Set or read an option: SALUT_OPT_TTL, SALUT_OPT_DSCP, SALUT_OPT_SEND_BUFFER and
 * SALUT_OPT_RECV_BUFFER (bytes, what stands before each datagram counted), SALUT_OPT_BROADCAST,
 * SALUT_OPT_FRAGMENT. Multicast leaves with TTL 1 unless that was set (RFC 1112 6.1).
 *
 * Returns SALUT_OK; SALUT_INVALID (any other, or a value outside its domain); SALUT_STALE. */
SALUT_API enum salut_status salut_udp_set_option(struct salut_stack *stack, salut_udp udp,
                                                 enum salut_option option, int64_t value);
SALUT_API enum salut_status salut_udp_get_option(const struct salut_stack *stack, salut_udp udp,
                                                 enum salut_option option, int64_t *value);

/* As salut_set_interest, salut_ready, salut_set_user and salut_get_info. */
SALUT_API enum salut_status salut_udp_set_interest(struct salut_stack *stack, salut_udp udp,
                                                   uint32_t interest);
SALUT_API enum salut_status salut_udp_ready(const struct salut_stack *stack, salut_udp udp,
                                            uint32_t *ready);
SALUT_API enum salut_status salut_udp_set_user(struct salut_stack *stack, salut_udp udp,
                                               uint64_t user);
SALUT_API enum salut_status salut_udp_get_info(const struct salut_stack *stack, salut_udp udp,
                                               struct salut_info *info);

#ifdef __cplusplus
}
#endif

#endif
