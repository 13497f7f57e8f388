/* A sender with congestion control alone on a path: one bottleneck with a rate and a drop-tail
 * queue, a fixed round trip, random loss, in virtual time. There is no engine: data is never sent
 * again, a lost packet is found when three later ones are acknowledged, and the window falls to
 * ssthresh at once. What is left is the algorithm and the physics.
 */
#ifndef SALUT_TESTS_CC_PATH_H
#define SALUT_TESTS_CC_PATH_H

#include "tcp/engine.h"

#define CC_PATH_PACKETS 65536 /* in flight at most */

struct cc_path_packet {
    struct slt_rate_stamp stamp;
    int64_t pos;
    int64_t acked_at_ns; /* when its acknowledgement arrives; lost: never */
    bool lost;
};

struct cc_path {
    /* To be set before cc_path_start. */
    uint64_t bytes_per_s;
    int64_t rtt_ns;
    uint32_t queue_bytes;
    uint32_t loss_per_million;
    uint32_t mss;
    uint8_t which;
    bool hungry; /* false: sends only what cc_path_offer adds */
    uint32_t seed;
    struct salut_config config;

    /* To be read. */
    struct slt_tcp_cc cc;
    struct slt_tcp_rate rate;
    struct slt_tcp_pacing pacing;
    int64_t now_ns;
    int64_t una;
    int64_t nxt;
    int64_t offered; /* position up to which there is something to send */
    int64_t flight_bytes;
    uint64_t delivered_bytes;
    uint64_t drops;
    uint64_t episodes;
    uint32_t queue_most_bytes;
    uint64_t queue_sum_bytes; /* over all sent packets */
    uint64_t sent_packets;
    uint32_t srtt_us;
    uint32_t min_rtt_us;

    /* Its own. */
    int64_t link_free_at_ns;
    int64_t recover;
    bool recovering;
    uint32_t head; /* oldest packet in flight */
    uint32_t count;
    struct cc_path_packet packets[CC_PATH_PACKETS];
    void (*on_ack)(struct cc_path *path); /* after each acknowledgement; NULL: none */
    void *ctx;
};

/* A path at rest, all of it zero but mss, which and hungry. */
struct cc_path *cc_path_make(uint8_t which);
void cc_path_free(struct cc_path *path);
void cc_path_start(struct cc_path *path);

/* Let time pass. */
void cc_path_run(struct cc_path *path, int64_t for_ns);
void cc_path_offer(struct cc_path *path, uint32_t bytes);

/* Bytes in a bandwidth-delay product. */
uint32_t cc_path_bdp(const struct cc_path *path);

#endif
