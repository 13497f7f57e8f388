/* Types every part of salut shares: handles, addresses, statuses, states, frames. */
#ifndef SALUT_TYPES_H
#define SALUT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SALUT_API      __attribute__((visibility("default")))
#define SALUT_MUST_USE __attribute__((warn_unused_result))
#else
#define SALUT_API
#define SALUT_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* One instance of the stack: an island that belongs to one thread and takes no locks. */
struct salut_stack;

/* Handles are values. A handle whose object is gone is answered with SALUT_STALE, never followed.
 * A zeroed handle is never valid. */
typedef struct salut_conn {
    uint32_t index;
    uint32_t generation;
} salut_conn;

typedef struct salut_listener {
    uint32_t index;
    uint32_t generation;
} salut_listener;

typedef struct salut_udp {
    uint32_t index;
    uint32_t generation;
} salut_udp;

/* An address: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d; all zero is "any". `zone` names
 * the interface of a link-local address and is 0 otherwise. */
typedef struct salut_addr {
    uint8_t b[16];
    uint32_t zone;
} salut_addr;

/* What a call answers. Small, positive, stable. */
enum salut_status {
    SALUT_OK = 0,
    SALUT_WOULD_BLOCK,           /* nothing to be done now; an event will say when */
    SALUT_END,                   /* the peer has closed its side and everything was read */
    SALUT_INVALID,               /* an argument is outside its domain */
    SALUT_STALE,                 /* the handle's object is gone */
    SALUT_NO_MEMORY,             /* a limit of the configuration or the allocator is reached */
    SALUT_IN_PROGRESS,           /* the connection is still being opened */
    SALUT_ALREADY_CONNECTED,     /* the connection exists already */
    SALUT_NOT_CONNECTED,         /* the connection does not exist (yet, or any more) */
    SALUT_CLOSED,                /* the sending side was closed by a call of ours */
    SALUT_RESET,                 /* the peer reset the connection */
    SALUT_REFUSED,               /* the peer refused the connection */
    SALUT_TIMED_OUT,             /* the peer did not answer in time */
    SALUT_HOST_UNREACHABLE,      /* no neighbour or an ICMP error: host */
    SALUT_NET_UNREACHABLE,       /* no route or an ICMP error: network */
    SALUT_PROTO_UNREACHABLE,     /* an ICMP error: protocol */
    SALUT_ADDRESS_IN_USE,        /* another listener or connection has this address and port */
    SALUT_ADDRESS_NOT_AVAILABLE, /* the local address is none of ours, or no port is free */
    SALUT_ADDRESS_INVALID,       /* a broadcast, multicast or unspecified peer */
    SALUT_ABORTED,               /* ended by a call of ours */
    SALUT_NOT_SUPPORTED,         /* the call has no meaning in this state or for this object */
    SALUT_PENDING_OUTPUT,        /* salut_output's batch was not answered by salut_output_taken */
    SALUT_PROTOCOL_ERROR,        /* an ICMP error: parameter problem */
    SALUT_TOO_BIG,               /* packets are too big for the path (an ICMP error), or for UDP */
    SALUT_DENIED,                /* an ICMP error: prohibited (IPv6) */
    SALUT_STATUS_COUNT
};

/* The eleven states of RFC 9293 3.3.2. */
enum salut_state {
    SALUT_STATE_CLOSED,
    SALUT_STATE_LISTEN,
    SALUT_STATE_SYN_SENT,
    SALUT_STATE_SYN_RECEIVED,
    SALUT_STATE_ESTABLISHED,
    SALUT_STATE_FIN_WAIT_1,
    SALUT_STATE_FIN_WAIT_2,
    SALUT_STATE_CLOSE_WAIT,
    SALUT_STATE_CLOSING,
    SALUT_STATE_LAST_ACK,
    SALUT_STATE_TIME_WAIT,
    SALUT_STATE_COUNT
};

/* What a connection, a listener or a UDP socket is ready for (salut_next_event). */
enum salut_ready {
    SALUT_READABLE = 1,     /* bytes to read, or end of stream */
    SALUT_WRITABLE = 2,     /* room in the send buffer */
    SALUT_ACCEPTABLE = 4,   /* listener: a connection waits */
    SALUT_CONNECTED = 8,    /* the handshake is complete */
    SALUT_PEER_CLOSED = 16, /* the peer's FIN has arrived */
    SALUT_ENDED = 32,       /* the connection is over: error or fully closed */
    SALUT_URGENT = 64,      /* an urgent mark lies ahead or was just passed */
    SALUT_ADVICE = 128      /* R1 passed or a soft error came: the path is doubted (salut_info);
                               UDP: the network reported an error (salut_udp_take_error) */
};

/* An event is about one object: the handles of the other two kinds have the index SALUT_NO_INDEX.
 */
struct salut_event {
    salut_conn conn;
    salut_listener listener;
    uint64_t user;  /* the object's user value */
    uint32_t ready; /* of enum salut_ready: ready & interest */
    salut_udp udp;
};
#define SALUT_NO_INDEX UINT32_MAX

/* A piece of memory of the caller's, for vectored calls. */
struct salut_iovec {
    const void *base;
    size_t bytes;
};

struct salut_iovec_mut {
    void *base;
    size_t bytes;
};

/* Memory of the caller's, lent to be sent from where it lies (salut_send_lend). `user` is a value
 * of the caller's, to know it by when it comes back. */
struct salut_loan {
    const void *base;
    size_t bytes;
    uint64_t user;
};
#define SALUT_LOAN_BYTES_MAX ((size_t)1 << 30)

/* A frame lent to the stack. Super-frames (receive offload) have gso_bytes set. */
struct salut_rx_frame {
    const uint8_t *data;
    uint32_t bytes;
    uint16_t gso_bytes;     /* payload size of the segments a super-frame was made from; 0: none */
    uint8_t checksum_valid; /* the link vouches for the transport checksum */
    uint8_t link_broadcast; /* the link knows the frame came to a group address (IP links) */
    uint8_t own;            /* the link brings back what this very stack sent to itself */
};

#define SALUT_FRAME_HEADER_MAX 160
#define SALUT_FRAME_PIECES_MAX 40

/* A frame taken from the stack: a header and references to payload the stack still owns; valid
 * until salut_output_taken. */
struct salut_tx_frame {
    uint8_t header[SALUT_FRAME_HEADER_MAX];
    uint16_t header_bytes;
    uint16_t piece_count;
    uint32_t payload_bytes;
    struct salut_iovec pieces[SALUT_FRAME_PIECES_MAX];
    uint16_t gso_bytes;       /* payload bytes per segment when the link is to cut the frame */
    uint16_t checksum_start;  /* partial checksum: where summing starts, and */
    uint16_t checksum_offset; /* where, from there, the result goes; 0,0: it is complete */
    uint8_t family;           /* 4 or 6; 0 for ARP */
    uint8_t transport_offset; /* where the TCP/UDP/ICMP header starts in header[] */
    uint8_t network_offset;   /* where the IP header starts */
};

/* What the link below can do; told to the stack at creation. */
enum salut_link_kind {
    SALUT_LINK_ETHERNET, /* frames carry an Ethernet header */
    SALUT_LINK_IP        /* frames are IP packets (TUN) */
};

/* Flags of salut_send. */
enum salut_send_flag {
    SALUT_SEND_URGENT = 1, /* the last byte ends urgent data (MUST-30) */
    SALUT_SEND_MORE = 2    /* more follows at once: hold a partial segment (MAY-16) */
};

/* Directions of salut_shutdown. */
enum salut_how { SALUT_SHUT_READ = 1, SALUT_SHUT_WRITE = 2, SALUT_SHUT_BOTH = 3 };

/* Options of a connection, or of what a listener accepts; those that say so, of a UDP socket. */
enum salut_option {
    SALUT_OPT_NODELAY,   /* 1: Nagle off (MUST-17) */
    SALUT_OPT_CORK,      /* 1: hold partial segments, at most 200 ms */
    SALUT_OPT_KEEPALIVE, /* 1: on (MUST-24) */
    SALUT_OPT_KEEPALIVE_IDLE_S,
    SALUT_OPT_KEEPALIVE_INTERVAL_S,
    SALUT_OPT_KEEPALIVE_PROBES,
    SALUT_OPT_USER_TIMEOUT_MS, /* 0: the default (MUST-21) */
    SALUT_OPT_SEND_BUFFER,     /* bytes; UDP too */
    SALUT_OPT_RECV_BUFFER,     /* bytes; UDP too */
    SALUT_OPT_LINGER_ABORT,    /* 1: close resets (SO_LINGER with time 0) */
    SALUT_OPT_TTL,             /* UDP too */
    SALUT_OPT_DSCP,            /* the six bits (MUST-48); UDP too */
    SALUT_OPT_MAX_SEGMENT,     /* user's upper bound on MSS; 0: none; before connect/listen */
    SALUT_OPT_QUICK_ACK,       /* 1: no delayed ACK until further notice */
    SALUT_OPT_SYN_RETRIES,
    SALUT_OPT_LINGER2_S,  /* this connection's orphan FIN-WAIT-2 time; 0 default; -1 none */
    SALUT_OPT_RCVLOWAT,   /* bytes that make it readable */
    SALUT_OPT_FAST_OPEN,  /* of a listener: connections at once that may have been made by the data
                             of a SYN (RFC 7413); 0: none. TCP_FASTOPEN */
    SALUT_OPT_CONGESTION, /* enum salut_cc */
    SALUT_OPT_PACING,     /* 1: paced, whatever the algorithm */
    SALUT_OPT_PACING_MAX, /* bytes per second it never exceeds; 0: no limit (SO_MAX_PACING_RATE) */
    SALUT_OPT_DEFER_ACCEPT, /* of a listener: SYN,ACKs during which a handshake without data is not
                               complete; 0: none. TCP_DEFER_ACCEPT */
    SALUT_OPT_BROADCAST,    /* UDP alone: 1: broadcast addresses may be sent to */
    SALUT_OPT_FRAGMENT,     /* UDP alone: enum salut_fragment */
    SALUT_OPT_COUNT
};

/* What becomes of a datagram that is larger than the path takes (IP_MTU_DISCOVER). */
enum salut_fragment {
    SALUT_FRAGMENT_ANYWHERE, /* IPv4: cut here at the link's MTU, and by routers: DF is not set */
    SALUT_FRAGMENT_HERE,     /* cut here, at the path MTU as far as it is known; the default */
    SALUT_FRAGMENT_NEVER,    /* sending it is SALUT_TOO_BIG */
    SALUT_FRAGMENT_COUNT
};

#ifdef __cplusplus
}
#endif

#endif
