/* A stack on its link, driven by turns, and two of them joined by a memory pair. */
#ifndef SLT_BENCH_HOST_H
#define SLT_BENCH_HOST_H

#include "bench/measure.h"
#include "bench/pattern.h"
#include "link/link.h"
#include "salut/salut.h"

#define SLT_BENCH_BATCH 64U

struct slt_bench_host {
    struct salut_stack *stack;
    struct slt_link *link;
    salut_addr addr;
    void (*on_event)(struct slt_bench_host *host, const struct salut_event *event);
    void *app;      /* on_event's */
    int64_t now_ns; /* of this turn */
    struct salut_rx_frame rx[SLT_BENCH_BATCH];
    struct salut_tx_frame tx[SLT_BENCH_BATCH];
};

struct slt_bench_pair {
    struct slt_bench_host *hosts[2]; /* client, server */
};

/* What the two stacks of a pair are. */
struct slt_bench_pair_params {
    bool offload;        /* super-frames and partial checksums pass as they are */
    uint32_t link_slots; /* frames each way, a power of two */
    void (*tune)(struct salut_config *config, bool server); /* NULL: the defaults */
};

/* Make a host on `link`, which it owns from then on (also when this fails, NULL is returned). */
struct slt_bench_host *slt_bench_host_open(struct slt_bench_run *run, struct slt_link *link,
                                           const struct salut_config *config, const char *address);
void slt_bench_host_close(struct slt_bench_host *host);

/* One turn: take a batch in, let timers fire, hand out events, send what is to be sent. */
void slt_bench_host_turn(struct slt_bench_host *host, int64_t now_ns);

/* The configuration of a host on a link: the profile's, the link's, a seed. */
void slt_bench_config(struct salut_config *config, const struct slt_link *link, uint8_t seed);

/* A pair with 10.73.0.1 (client) and 10.73.0.2 (server). */
bool slt_bench_pair_open(struct slt_bench_run *run, struct slt_bench_pair *pair,
                         const struct slt_bench_pair_params *params);
void slt_bench_pair_close(struct slt_bench_pair *pair);

/* A turn of each at the present time, which is returned. */
int64_t slt_bench_pair_turn(struct slt_bench_pair *pair);

/* Listen at `port` on every address; connect to it from the other host. The handle's events carry
 * `user`. */
bool slt_bench_listen(struct slt_bench_run *run, struct slt_bench_host *host, uint16_t port,
                      uint64_t user);
bool slt_bench_dial(struct slt_bench_run *run, struct slt_bench_host *host, const salut_addr *to,
                    uint16_t port, uint64_t user, salut_conn *conn);

/* Send a message of 64 bytes; receive one and verify it (SALUT_INVALID: a wrong byte, or not all of
 * it). */
enum salut_status slt_bench_put(struct slt_bench_host *host,
                                const struct slt_bench_pattern *pattern, salut_conn conn,
                                uint32_t number, bool answer);
enum salut_status slt_bench_get(struct slt_bench_host *host,
                                const struct slt_bench_pattern *pattern, salut_conn conn,
                                uint32_t *number, bool answer);

#endif
