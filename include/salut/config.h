/* The configuration of an instance: every limit, timer and decision, with its unit, its RFC and
 * Linux's name for it. salut_config_init fills it for a profile; change what you like, then
 * salut_create copies it.
 */
#ifndef SALUT_CONFIG_H
#define SALUT_CONFIG_H

#include "salut/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum salut_profile {
    SALUT_PROFILE_LINUX, /* Linux's defaults and wire image */
    SALUT_PROFILE_RFC    /* the RFCs to the letter */
};

enum salut_overflow {
    SALUT_OVERFLOW_DROP, /* accept queue full: the final ACK is ignored (Linux's default) */
    SALUT_OVERFLOW_RESET /* ... or answered with a reset (tcp_abort_on_overflow) */
};

enum salut_syn_cookies {
    SALUT_COOKIES_NEVER,
    SALUT_COOKIES_WHEN_FULL, /* RFC 4987: only when the half-open table is pressed */
    SALUT_COOKIES_ALWAYS
};

/* The numbers are those of Linux's tcp_ecn. */
enum salut_ecn {
    SALUT_ECN_OFF,
    SALUT_ECN_REQUEST, /* ask for it when opening (RFC 3168), and accept it */
    SALUT_ECN_ACCEPT,  /* only when the peer asks */
    SALUT_ECN_ACCURATE /* ask for and accept AccECN (RFC 9768), else RFC 3168 */
};

/* The numbers are those of Linux's tcp_fastopen. */
enum salut_fast_open {
    SALUT_FAST_OPEN_CLIENT = 1, /* a connect that asks for it sends data on its SYN */
    SALUT_FAST_OPEN_SERVER = 2  /* a listener that allows it takes data from a SYN */
};

enum salut_cc {
    SALUT_CC_CUBIC,   /* RFC 9438 with HyStart++ (RFC 9406) */
    SALUT_CC_NEWRENO, /* RFC 5681, 6582 */
    SALUT_CC_BBR,     /* version 3; always paced */
    SALUT_CC_COUNT
};

struct salut_config {
    uint32_t struct_bytes; /* sizeof(struct salut_config), set by salut_config_init */
    uint32_t profile;      /* enum salut_profile */

    /* Memory: either a block (fixed mode) or an allocator (growing mode). */
    void *memory;
    size_t memory_bytes;
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *ptr, size_t bytes);
    void *alloc_ctx;

    /* Limits: objects, each a counted reason when reached. */
    uint32_t conns_max;
    uint32_t half_open_max; /* tcp_max_syn_backlog */
    uint32_t time_wait_max; /* tcp_max_tw_buckets */
    uint32_t listeners_max;
    uint32_t udp_max;
    uint32_t buffers_max;  /* of buffer_bytes each */
    uint32_t buffer_bytes; /* 64 to 65536, a multiple of 4, at least mtu / 38 */
    uint32_t ranges_max;   /* out-of-order runs in the whole instance */
    uint32_t ranges_per_conn_max;
    uint32_t records_max; /* records of what was sent, beyond the one each connection may have */
    uint32_t loans_max;   /* pieces of the user's memory that are lent (salut_send_lend) */
    uint32_t neighbours_max;
    uint32_t fragments_max; /* datagrams being put together at once */
    uint32_t fragment_bytes_max;
    uint32_t addresses_max;
    uint32_t routes_max;
    uint32_t event_ring; /* last events kept; a power of two, or 0 */

    /* Chance and time. */
    uint8_t seed[32];    /* from the operating system, or fixed in tests */
    int64_t start_at_ns; /* the first instant the stack will be told */

    /* The link. */
    uint32_t link_kind; /* enum salut_link_kind */
    uint8_t mac[6];
    uint16_t mtu;           /* IP packet bytes, 1280..65535 (68.. for IPv4 alone) */
    uint16_t mtu6;          /* the same for IPv6; 0: as mtu. Router advertisements lower it */
    uint32_t gso_max_bytes; /* payload of one super-frame the link cuts; 0: none */
    uint8_t tx_checksum;    /* 1: the link completes transport checksums */
    uint8_t mtu_varies;     /* RFC 9293 3.7.3 (SHLD-6) */
    uint8_t own_traffic;    /* 1: the link brings back what is sent to an address of ours, and
                               marks it (salut_rx_frame.own) */

    /* IP. */
    uint8_t ttl;                         /* 64; ip_default_ttl */
    uint8_t ping;                        /* answer echo requests; icmp_echo_ignore_all inverted */
    uint8_t duplicate_address_detection; /* addresses are tested before use (RFC 4862, 5227) */
    uint8_t slaac;                       /* take prefixes and routers from router advertisements */
    int64_t fragment_timeout4_ns;        /* 30 s Linux, 60..120 s RFC 1122 */
    int64_t fragment_timeout6_ns;        /* 60 s RFC 8200 */
    uint32_t icmp_rate_per_s;            /* token bucket for ICMP errors sent */
    uint32_t icmp_burst;

    /* Ports. */
    uint16_t port_low; /* ip_local_port_range */
    uint16_t port_high;

    /* UDP. All queues together never hold more than half of the buffers. */
    uint32_t udp_send_buffer_bytes; /* of a socket's send queue; net.core.wmem_default */
    uint32_t udp_recv_buffer_bytes; /* of its receive queue; net.core.rmem_default */

    /* TCP: buffers and windows. */
    uint32_t send_buffer_bytes;       /* tcp_wmem[1]: what a connection starts with */
    uint32_t recv_buffer_bytes;       /* tcp_rmem[1]: the same for receiving */
    uint32_t recv_buffer_min_bytes;   /* tcp_rmem[0]: what the press of memory leaves a connection.
                                         Sending, what is queued stays, and no buffer grows */
    uint32_t send_buffer_max_bytes;   /* tcp_wmem[2]: how far the send buffer tunes itself */
    uint8_t tune_send_buffer;         /* 1: grow it with the congestion window */
    uint8_t tune_recv_buffer;         /* 1: grow it with what is read in a round trip;
                                         tcp_moderate_rcvbuf */
    uint8_t window_scaling;           /* 1 on (RFC 7323) */
    uint8_t window_scale;             /* shift to offer; 255: from recv_buffer_max_bytes */
    uint32_t recv_buffer_max_bytes;   /* tcp_rmem[2]: how far the receive buffer tunes itself;
                                         decides the scale */
    uint8_t timestamps;               /* 1 on (RFC 7323) */
    uint8_t paws_slack_ticks;         /* by how many ms a timestamp may be older than TS.Recent: 1
                                         Linux, 0 RFC 7323 5.3 */
    uint8_t sack;                     /* 1 on (RFC 2018) */
    uint8_t dsack;                    /* 1 on (RFC 2883) */
    uint8_t nagle;                    /* 1: on by default */
    int64_t nagle_slack_ns;           /* beyond a round trip, how much longer Nagle's rule waits for
                                         an acknowledgement that the peer holds back; 1 ms; 0: until
                                         it comes (RFC 9293 3.7.4 to the letter; what Linux does) */
    uint16_t mss_min;                 /* smallest send MSS honoured (tcp_min_snd_mss, 48) */
    uint16_t initial_window_segments; /* 10 (RFC 6928) */
    uint8_t congestion;               /* enum salut_cc; tcp_congestion_control */
    uint8_t pacing;                   /* 1: space out what a window allows at once */
    uint8_t bbr_loss_percent;         /* 1 to 20: BBR takes a round that loses more for congestion;
                                         2 (draft-ietf-ccwg-bbr, LossThresh). More is for paths
                                         that are known to lose without being full */

    /* TCP: path MTU (RFC 4821). */
    uint8_t mtu_probing;           /* 1: smaller segments when full ones vanish, and a search for
                                      larger ones; tcp_mtu_probing=1 */
    uint16_t mtu_black_hole_bytes; /* IP packets a path that swallows larger ones is given; 1280 */
    int64_t mtu_probe_interval_ns; /* from a lowering by ICMP to the search upwards; 600 s */

    /* TCP: congestion marks of the network, data on the SYN. */
    uint8_t ecn;          /* enum salut_ecn; RFC 3168, 9768; tcp_ecn (2: accept) */
    uint8_t ecn_fallback; /* 1: a SYN that asks for it goes unanswered, so ask no more (RFC 3168
                             6.1.1.1); tcp_ecn_fallback */
    uint8_t fast_open;    /* of enum salut_fast_open; RFC 7413; tcp_fastopen (1 Linux, 0 RFC) */
    uint32_t fast_open_servers_max; /* cookies of servers that a client remembers */
    uint32_t fast_open_pending_max; /* connections at once that a SYN's data made, all listeners */
    int64_t fast_open_key_ns;       /* life of the key that makes cookies; a cookie is good for one
                                       to two lives; tcp_fastopen_key is drawn here */
    int64_t fast_open_retry_ns;     /* how long a path that lost data of a SYN is spared; doubles;
                                       tcp_fastopen_blackhole_timeout_sec */

    /* TCP: timers. */
    int64_t msl_ns;           /* 30 s Linux, 120 s RFC: TIME-WAIT is twice this */
    int64_t rto_initial_ns;   /* 1 s (RFC 6298 2.1) */
    int64_t rto_min_ns;       /* 200 ms Linux, 1 s RFC */
    int64_t rto_max_ns;       /* 120 s */
    uint8_t rto_var_floor;    /* 1 Linux: the least is that of the RTO's variance, not its own */
    uint8_t tail_probe;       /* 1: probe the tail of a flight (RFC 8985 7); tcp_early_retrans */
    uint8_t frto;             /* 1: is a timeout spurious? (RFC 5682); tcp_frto */
    int64_t delayed_ack_ns;   /* 40 ms; below 500 ms (MUST-40) */
    uint8_t ack_on_read;      /* 1: acknowledge when the user has read all there is, Linux; 0 RFC */
    uint8_t quick_acks;       /* segments acknowledged at once at the start (16 Linux, 0 RFC) */
    uint8_t syn_retries;      /* 6 Linux, 7 RFC (R2 >= 180 s, MUST-23) */
    uint8_t syn_ack_retries;  /* 5 */
    uint8_t retries1;         /* R1: 3 (SHLD-10) */
    uint8_t retries2;         /* R2: 15 (SHLD-11); 0: none, the user timeout alone decides */
    uint8_t orphan_retries;   /* 8: R2 of connections the user has closed */
    uint8_t reset_on_timeout; /* D-07: send a reset when R2 or the user timeout ends it */
    uint8_t reset_on_half_open_timeout; /* D-22 */
    int64_t user_timeout_ns;            /* 0: none; 5 min RFC (D-10) */
    uint8_t user_timeout_option;        /* RFC 5482: tell ours, heed the peer's; 0 off */
    int64_t user_timeout_low_ns;        /* ... the least a peer can bring about; 100 s */
    int64_t user_timeout_high_ns;       /* ... and the most; 12 h */
    int64_t fin_wait_2_ns;              /* orphans; 60 s Linux, 0: none (D-08) */
    int64_t keepalive_idle_ns;          /* 7200 s (MUST-28) */
    int64_t keepalive_interval_ns;      /* 75 s */
    uint8_t keepalive_probes;           /* 9 */
    uint8_t probe_with_data; /* D-24: 1: window probe carries an octet of new data (RFC) */
    int64_t quiet_time_ns;   /* 0; one MSL after a restart that lost state (RFC 9293 3.4.2) */

    /* TCP: decisions. */
    uint8_t time_wait_rst_kills;       /* D-02: 0 ignore (RFC 1337), 1 Linux's tcp_rfc1337=0 */
    uint8_t time_wait_any_restarts;    /* old octets restart 2MSL too, not only a FIN: 1 Linux */
    uint8_t syn_fin_processed;         /* D-14: 1 RFC */
    uint8_t soft_icmp_aborts_syn;      /* D-26: 1 Linux */
    uint8_t old_syn_time_wait_dropped; /* D-21: 1 RFC: drop under timestamps */
    uint8_t shutdown_twice_fails;      /* D-17: 1 POSIX */
    uint8_t ack_unsent_silent;         /* L-08: drop an ACK above SND.NXT silently */
    uint8_t syn_cookies;               /* enum salut_syn_cookies */
    uint8_t overflow;                  /* enum salut_overflow */
    uint32_t challenge_interval_ms;    /* D-23: one answer per connection and interval; 500 */

    /* Work per turn. */
    uint32_t timers_per_turn;
};

#ifdef __cplusplus
}
#endif

#endif
