/* The socket layer, private to src/sock: a descriptor table over one instance.
 *
 * A socket is a thin record beside the engine's connection or listener: what the engine has no
 * word for (bound but not listening, an error that was reported once, options set before there is
 * a connection). Everything else is asked of the instance when it is needed, so that there is no
 * second state machine to keep in step.
 *
 * Linux's own socket state (SS_UNCONNECTED ...) is the phase: CONNECTING lasts until connect() is
 * called again and says how it went, whatever the connection does meanwhile (SOCK-30, SOCK-33).
 *
 * Calls between the files of the socket layer go down this list only:
 *
 *   block                                           calls that wait (and the runner)
 *   call_open call_data call_close call_options call_control poll epoll    the public doors
 *   dgram_data dgram                                what they mean for datagram sockets
 *   oob                                             urgent data
 *   options_socket options_tcp tcp_info             rows of the option table
 *   ready                                           readiness and pending errors
 *   table address errnos inside release             leaves
 */
#ifndef SLT_SOCK_SOCK_H
#define SLT_SOCK_SOCK_H

#include "base/compiler.h"
#include "salut/sock.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define SLT_SOCK_NO_POS INT64_MIN

enum slt_sock_kind { SLT_SOCK_STREAM, SLT_SOCK_DGRAM, SLT_SOCK_EPOLL };

enum slt_sock_phase {
    SLT_SOCK_IDLE,
    SLT_SOCK_LISTENING,
    SLT_SOCK_CONNECTING, /* connect() was called and has not yet said how it ended */
    SLT_SOCK_CONNECTED
};

/* Settings the engine does not know; what a listener has is copied to what it accepts. */
struct slt_sock_settings {
    int64_t option[SALUT_OPT_COUNT]; /* the engine's, as far as they were set */
    uint32_t options_given;          /* bit mask over enum salut_option */
    bool reuse_addr;
    bool reuse_port;
    bool v6_only;
    bool transparent;
    bool oob_inline;
    bool linger;
    bool fast_open_connect; /* TCP_FASTOPEN_CONNECT */
    bool packet_info4;      /* IP_PKTINFO: received datagrams come with where they went to */
    bool packet_info6;      /* IPV6_RECVPKTINFO */
    bool recv_ttl4;         /* IP_RECVTTL */
    bool recv_ttl6;         /* IPV6_RECVHOPLIMIT */
    bool recv_class4;       /* IP_RECVTOS */
    bool recv_class6;       /* IPV6_RECVTCLASS */
    int linger_s;
    int64_t recv_timeout_us; /* 0: none; kept for callers that block */
    int64_t send_timeout_us;
    int plain[16]; /* enum slt_sock_plain: kept and told, without effect here */
};

struct slt_epoll; /* epoll.c */

struct slt_sock {
    uint64_t serial; /* never used twice: tells a new socket from an old one of the same number */
    uint8_t kind;    /* enum slt_sock_kind */
    uint8_t phase;   /* enum slt_sock_phase */
    uint8_t family;  /* 4 or 6 */
    bool nonblock;
    bool close_on_exec;
    bool bound;     /* local and port are valid */
    bool port_kept; /* the user chose the port: disconnecting keeps it */
    bool has_conn;  /* conn is valid */
    bool has_udp;   /* udp is valid: a datagram socket that has a port */
    bool shut_read;
    bool shut_write;
    bool fast_open_waits; /* connect() said 0, and the SYN waits for the first write */
    bool error_taken;     /* what ended the connection has been reported (SOCK-21) */
    int error;            /* pending errno value of the socket itself; 0: none */
    salut_conn conn;
    salut_listener listener; /* phase LISTENING */
    salut_udp udp;
    salut_addr local;
    uint16_t port;
    int64_t oob_read_pos;  /* stream position of the urgent byte already read, or NO_POS */
    uint32_t would_blocks; /* calls answered with -EAGAIN: re-arms edge triggers */
    struct slt_sock_settings set;
    struct slt_epoll *epoll; /* kind EPOLL */
};

struct salut_socks {
    struct salut_stack *stack;
    struct salut_config defaults; /* what options are before anybody sets them */
    struct slt_sock **slots;
    uint32_t slot_count; /* a multiple of 64, grows up to sockets_max */
    uint32_t sockets_max;
    uint32_t lowest_free; /* no free slot lies below it */
    int first_fd;
    uint64_t serial;
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *ptr, size_t bytes);
    void *alloc_ctx;
};

/* ---- table.c ---- */

/* The object of a descriptor, NULL when it is not open. */
struct slt_sock *slt_sock_at(const struct salut_socks *socks, int fd);

/* The socket of a descriptor: 0, -EBADF, or -ENOTSOCK for an epoll descriptor. */
int slt_sock_find(const struct salut_socks *socks, int fd, struct slt_sock **sock);

/* A new object, zeroed but for its kind and serial. Returns a descriptor, -EMFILE, -ENOMEM. */
int slt_sock_new(struct salut_socks *socks, enum slt_sock_kind kind, struct slt_sock **sock);
void slt_sock_drop(struct salut_socks *socks, int fd);

/* ---- address.c ---- */

/* Read a socket address for a socket of `family` (4, 6). Returns 0, -EINVAL (too short),
 * -EAFNOSUPPORT. */
int slt_sockaddr_read(const struct sockaddr *from, uint32_t bytes, uint8_t family, salut_addr *addr,
                      uint16_t *port);

/* Write one, cut to *bytes, which becomes its whole length. */
void slt_sockaddr_write(const salut_addr *addr, uint16_t port, uint8_t family, struct sockaddr *to,
                        uint32_t *bytes);
salut_addr slt_addr_any(uint8_t family);
bool slt_addr_is_any(const salut_addr *addr);
bool slt_addr_is_v4(const salut_addr *addr);
bool slt_addr_equal(const salut_addr *a, const salut_addr *b);

/* ---- ready.c ---- */

/* The poll bits now, interest or not. */
short slt_sock_poll_bits(const struct salut_socks *socks, const struct slt_sock *sock);

/* The pending error as a positive errno value, 0 when there is none; taking it clears it. */
int slt_sock_error(const struct salut_socks *socks, const struct slt_sock *sock);
int slt_sock_take_error(struct salut_socks *socks, struct slt_sock *sock);

/* True once the handshake is complete, and true when the connection is over. */
bool slt_sock_is_connected(const struct salut_socks *socks, const struct slt_sock *sock);
bool slt_sock_is_ended(const struct salut_socks *socks, const struct slt_sock *sock);

/* Where the urgent byte is. */
struct slt_sock_mark {
    uint32_t ahead; /* bytes up to and including it; 0: none announced */
    bool arrived;   /* it lies in the receive queue */
    bool taken;     /* it was read out of band */
    int64_t pos;    /* its stream position */
};
struct slt_sock_mark slt_sock_find_mark(const struct salut_socks *socks,
                                        const struct slt_sock *sock);

/* ---- oob.c ---- */

/* recv(MSG_OOB): 1 with the byte in *out, -EINVAL, -EAGAIN. */
int slt_sock_recv_oob(struct salut_socks *socks, struct slt_sock *sock, uint8_t *out, bool peek);

/* ---- call_open.c ---- */

/* connect() of a write with MSG_FASTOPEN. Returns 0 when the bytes may follow at once, else what
 * the write answers: -EINPROGRESS when the handshake runs without them. */
int slt_sock_connect_fast(struct salut_socks *socks, int fd, const struct sockaddr *addr,
                          uint32_t bytes);

/* ---- dgram.c ---- */

/* What the instance tells of the socket's connection or UDP socket; false when it has none. */
bool slt_sock_info(const struct salut_socks *socks, const struct slt_sock *sock,
                   struct salut_info *info);

/* Make the engine's socket; with any port unless there is one. Return 0 or a negative errno value.
 */
int slt_dgram_open(struct salut_socks *socks, struct slt_sock *sock, int fd,
                   const struct salut_udp_params *wish);
int slt_dgram_need_port(struct salut_socks *socks, struct slt_sock *sock, int fd);
int slt_dgram_connect(struct salut_socks *socks, struct slt_sock *sock, int fd,
                      const struct salut_udp_to *peer);
int slt_dgram_disconnect(struct salut_socks *socks, struct slt_sock *sock);
int slt_dgram_shutdown(struct slt_sock *sock, int how);

/* The negative errno value of a status, for datagrams; `remote` may be NULL. */
int slt_dgram_errno(enum salut_status status, const salut_addr *remote);

/* As slt_sock_error, slt_sock_take_error, slt_sock_poll_bits, and ioctl's counts. */
int slt_dgram_error(const struct salut_socks *socks, const struct slt_sock *sock);
int slt_dgram_take_error(struct salut_socks *socks, const struct slt_sock *sock);
short slt_dgram_bits(const struct salut_socks *socks, const struct slt_sock *sock);
int slt_dgram_count(struct salut_socks *socks, const struct slt_sock *sock, unsigned long request);

/* ---- dgram_data.c ---- */

struct slt_dgram_read {
    const struct iovec *pieces;
    int count;
    int flags;
    size_t bytes; /* of all pieces */
};

struct slt_dgram_write {
    const struct iovec *pieces;
    int count;
    int flags;
    size_t bytes;
    const struct sockaddr *addr; /* NULL: the peer */
    uint32_t addr_bytes;
    const struct msghdr *control; /* whose control messages count; NULL: none */
};

/* One datagram. Return bytes, or a negative errno value. */
ptrdiff_t slt_dgram_receive(struct salut_socks *socks, struct slt_sock *sock,
                            const struct slt_dgram_read *read, struct salut_udp_message *message);
ptrdiff_t slt_dgram_transmit(struct salut_socks *socks, struct slt_sock *sock, int fd,
                             const struct slt_dgram_write *write);

/* Name, control messages and flags of what was received; `room` is what there was for its bytes. */
void slt_dgram_describe(const struct slt_sock *sock, const struct salut_udp_message *message,
                        size_t room, struct msghdr *msg);

/* ---- release.c ---- */

/* Let go of the connection, listener or UDP socket and be IDLE again. */
void slt_sock_release(struct salut_socks *socks, struct slt_sock *sock);

/* ---- epoll.c ---- */

void slt_epoll_free(struct salut_socks *socks, struct slt_epoll *epoll);

/* ---- options ---- */

enum slt_sock_plain {
    SLT_PLAIN_DEBUG,
    SLT_PLAIN_DONT_ROUTE,
    SLT_PLAIN_BROADCAST,
    SLT_PLAIN_PRIORITY,
    SLT_PLAIN_MARK,
    SLT_PLAIN_TIMESTAMP,
    SLT_PLAIN_BUSY_POLL,
    SLT_PLAIN_MTU_DISCOVER,
    SLT_PLAIN_RECV_ERROR4,
    SLT_PLAIN_RECV_ERROR6,
    SLT_PLAIN_WINDOW_CLAMP,
    SLT_PLAIN_NOT_SENT_LOWAT,
    SLT_PLAIN_TOS_LOW,
    SLT_PLAIN_COUNT
};
_Static_assert(SLT_PLAIN_COUNT <= 16, "the array holds them");
_Static_assert(SALUT_OPT_COUNT <= 32, "the mask holds them");

struct slt_sock_option;

/* What an option row works on. */
struct slt_sock_optcall {
    struct salut_socks *socks;
    struct slt_sock *sock;
    const struct slt_sock_option *row;
    void *value;
    uint32_t bytes; /* in: room or length; getters replace it by what they wrote */
};

/* One option: how it is read and set, and the number that its functions work with. */
struct slt_sock_option {
    int level;
    int name;
    int (*get)(struct slt_sock_optcall *call); /* NULL: cannot be read */
    int (*set)(struct slt_sock_optcall *call); /* NULL: cannot be set */
    int arg;
    int low; /* domain of an int */
    int high;
};

extern const struct slt_sock_option slt_sock_options_socket[];
extern const size_t slt_sock_options_socket_count;
extern const struct slt_sock_option slt_sock_options_tcp[];
extern const size_t slt_sock_options_tcp_count;

/* Functions many rows share (options.c). */
int slt_opt_get_engine(struct slt_sock_optcall *call); /* arg: enum salut_option */
int slt_opt_set_engine(struct slt_sock_optcall *call);
int slt_opt_get_flag(struct slt_sock_optcall *call); /* arg: offset of a bool in the settings */
int slt_opt_set_flag(struct slt_sock_optcall *call);
int slt_opt_get_plain(struct slt_sock_optcall *call); /* arg: enum slt_sock_plain */
int slt_opt_set_plain(struct slt_sock_optcall *call);

/* Hand out an int, cut to the room there is, as Linux does. */
int slt_opt_put_int(struct slt_sock_optcall *call, int value);
int slt_opt_put(struct slt_sock_optcall *call, const void *value, uint32_t bytes);

/* Take an int in the row's domain. Returns 0 or -EINVAL. */
int slt_opt_take_int(const struct slt_sock_optcall *call, int *value);

/* An option of the engine, wherever it lives at the moment. */
int64_t slt_opt_engine(const struct salut_socks *socks, const struct slt_sock *sock,
                       enum salut_option option);
int slt_opt_set_engine_value(struct slt_sock_optcall *call, enum salut_option option,
                             int64_t value);

/* Hand everything that was set to a new listener or connection. */
void slt_opt_apply(struct salut_socks *socks, const struct slt_sock *sock);

/* ---- tcp_info.c ---- */

int slt_opt_get_tcp_info(struct slt_sock_optcall *call);

#endif
