/* A path between the two engines of a pair, in virtual time: each direction a bottleneck of some
 * rate with a drop-tail queue, and a delay behind it. A test's application runs whenever something
 * has happened.
 */
#ifndef SALUT_TESTS_TCP_PATH_H
#define SALUT_TESTS_TCP_PATH_H

#include "support/tcp_pair.h"

struct path_way {
    int64_t bits_per_s; /* 0: any rate */
    int64_t delay_ns;
    int64_t queue_bytes; /* what may wait at the bottleneck */
    uint32_t mtu;        /* larger packets vanish; 0: none do */
    unsigned lose_times; /* the next packet with text is lost, and with it all that carry its
                            first octet again, so many in all */
    uint32_t lose_seq;   /* ... of that octet, once it is known */
    bool losing;
    int64_t free_at_ns;    /* when the bottleneck has sent what it holds */
    unsigned sent;         /* packets put on this way */
    unsigned bare;         /* ... of them without text */
    unsigned lost;         /* ... of them dropped, by the queue or the MTU */
    unsigned too_big;      /* ... for the MTU */
    uint64_t bytes;        /* of text */
    uint32_t largest;      /* the largest packet that got through */
    int64_t last_at_ns;    /* when the last packet was put on it */
    int64_t pause_ns;      /* the longest time between two packets */
    uint32_t window_least; /* of the windows said after the handshake, scaled; UINT32_MAX: none */
};

struct path_event {
    int64_t at_ns;
    uint64_t order;
    struct pair_packet packet;
};

struct path {
    struct pair pair;          /* first: the pair's hooks find the path by it */
    struct path_way way[2];    /* way[i]: packets from side i */
    struct path_event *events; /* a heap by time and order */
    size_t event_count;
    size_t event_max;
    uint64_t order;
    void (*app)(struct path *path, void *ctx); /* called after each event and timer */
    void *app_ctx;
    int64_t app_at_ns; /* when the application next wants to act on its own, SLT_NEVER */
};

/* Both ways alike; the configuration is the pair's plus what tuning takes from the product's. */
void path_init(struct path *path, int64_t bits_per_s, int64_t rtt_ns, int64_t queue_bytes);
void path_deinit(struct path *path);

/* Side 0 opens, and both sides are ESTABLISHED. */
void path_connect(struct path *path);

/* Let time pass. */
void path_run(struct path *path, int64_t for_ns);

#endif
