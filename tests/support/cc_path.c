/* See cc_path.h. */
#include "cc_path.h"

#include "salut/salut.h"

#include <stdlib.h>

#define DUP_THRESH 3

struct cc_path *cc_path_make(uint8_t which)
{
    struct cc_path *path = calloc(1, sizeof(*path));

    salut_config_init(&path->config, SALUT_PROFILE_LINUX);
    path->mss = 1448;
    path->which = which;
    path->hungry = true;
    path->seed = 1;
    return path;
}

void cc_path_free(struct cc_path *path)
{
    free(path);
}

uint32_t cc_path_bdp(const struct cc_path *path)
{
    return (uint32_t)(path->bytes_per_s * (uint64_t)path->rtt_ns / (uint64_t)SLT_NS_PER_S);
}

void cc_path_start(struct cc_path *path)
{
    path->now_ns = SLT_NS_PER_S;
    path->una = 1;
    path->nxt = 1;
    path->offered = 1;
    path->srtt_us = (uint32_t)(path->rtt_ns / SLT_NS_PER_US);
    path->min_rtt_us = path->srtt_us;
    slt_cc_init(&path->cc, &path->config, path->which, path->mss, path->now_ns);
    slt_rate_init(&path->rate, path->now_ns);
}

static struct cc_path_packet *packet_at(struct cc_path *path, uint32_t i)
{
    return &path->packets[(path->head + i) % CC_PATH_PACKETS];
}

static uint32_t draw(struct cc_path *path)
{
    path->seed = path->seed * 1664525U + 1013904223U;
    return (path->seed >> 8) % 1000000;
}

static void update_pace(struct cc_path *path)
{
    if (slt_cc_needs_pacing(&path->cc)) {
        path->pacing.bytes_per_s = slt_cc_pacing_bytes_per_s(&path->cc, path->srtt_us, path->mss);
    }
}

/* The bottleneck takes or drops a packet. */
static void send_one(struct cc_path *path)
{
    struct cc_path_packet *packet = packet_at(path, path->count++);
    int64_t wait_ns = slt_max64(path->link_free_at_ns - path->now_ns, 0);
    uint32_t queued = (uint32_t)((uint64_t)wait_ns * path->bytes_per_s / (uint64_t)SLT_NS_PER_S);

    packet->pos = path->nxt;
    packet->lost = queued + path->mss > path->queue_bytes && queued > 0;
    path->drops += packet->lost;
    if (!packet->lost) {
        int64_t takes_ns = (int64_t)(path->mss * (uint64_t)SLT_NS_PER_S / path->bytes_per_s);
        path->link_free_at_ns = path->now_ns + wait_ns + takes_ns;
        path->queue_sum_bytes += queued;
        path->queue_most_bytes = slt_max32(path->queue_most_bytes, queued);
        packet->lost = draw(path) < path->loss_per_million;
    }
    packet->acked_at_ns = packet->lost ? SLT_NEVER : path->link_free_at_ns + path->rtt_ns;
    path->nxt += path->mss;
    path->flight_bytes += path->mss;
    path->sent_packets++;
    slt_rate_on_sent(&path->rate, &packet->stamp, path->flight_bytes, path->mss, path->now_ns);
    path->pacing.next_at_ns =
        slt_tcp_pacing_after(&path->pacing, path->pacing.next_at_ns, path->mss, path->now_ns);
}

static bool has_data(const struct cc_path *path)
{
    return path->hungry || path->nxt < path->offered;
}

static bool window_open(const struct cc_path *path)
{
    return path->flight_bytes + path->mss <= (int64_t)path->cc.cwnd_bytes;
}

static bool pace_open(const struct cc_path *path)
{
    return path->pacing.bytes_per_s == 0 || path->pacing.next_at_ns <= path->now_ns;
}

static void send_all(struct cc_path *path)
{
    while (has_data(path) && window_open(path) && pace_open(path) &&
           path->count < CC_PATH_PACKETS) {
        send_one(path);
    }
    bool limited = has_data(path) && !window_open(path);
    if (!has_data(path) && window_open(path)) {
        slt_rate_app_limited(&path->rate, path->flight_bytes);
    }
    slt_cc_on_flight(&path->cc, path->flight_bytes, limited, path->una, path->nxt);
}

/* Packets before `newest` that are lost and three or more behind it are found. */
static uint32_t find_losses(struct cc_path *path, uint32_t newest)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i + DUP_THRESH <= newest; i++) {
        struct cc_path_packet *packet = packet_at(path, i);
        if (packet->lost && packet->acked_at_ns == SLT_NEVER) {
            packet->acked_at_ns = 0;
            found += path->mss;
        }
    }
    return found;
}

static void note_losses(struct cc_path *path, uint32_t lost, int64_t prior_flight)
{
    struct slt_cc_loss loss = {.now_ns = path->now_ns,
                               .flight_bytes = prior_flight,
                               .una = path->una,
                               .nxt = path->nxt,
                               .mss = path->mss,
                               .lost_bytes = lost,
                               .first = true};

    if (lost == 0) {
        return;
    }
    path->flight_bytes -= lost;
    slt_rate_on_lost(&path->rate, lost);
    if (!path->recovering) {
        path->recovering = true;
        path->recover = path->nxt;
        path->episodes++;
        slt_cc_on_congestion(&path->cc, &loss, SLT_CC_LOSS);
        slt_cc_set_window(&path->cc, path->cc.ssthresh_bytes, path->mss);
    }
}

/* What lies before the oldest packet that is neither delivered nor found lost is behind us. */
static void drop_settled(struct cc_path *path)
{
    while (path->count > 0) {
        struct cc_path_packet *packet = packet_at(path, 0);
        if (packet->acked_at_ns != 0) {
            break;
        }
        path->una = packet->pos + path->mss;
        path->head = (path->head + 1) % CC_PATH_PACKETS;
        path->count--;
    }
}

static void tell(struct cc_path *path, struct slt_cc_ack *ack)
{
    if (path->recovering && path->una >= path->recover) {
        path->recovering = false;
        slt_cc_on_recovered(&path->cc, ack);
    }
    ack->ca_state = path->recovering ? SALUT_CA_RECOVERY : SALUT_CA_OPEN;
    slt_cc_on_ack(&path->cc, ack);
    update_pace(path);
    if (path->on_ack != NULL) {
        path->on_ack(path);
    }
}

/* The acknowledgement of the `index`-th packet in flight arrives. */
static void take_ack(struct cc_path *path, uint32_t index)
{
    struct cc_path_packet *packet = packet_at(path, index);
    int64_t prior_flight = path->flight_bytes;
    uint32_t rtt_us = (uint32_t)((path->now_ns - packet->stamp.sent_at_ns) / SLT_NS_PER_US);

    packet->acked_at_ns = 0;
    path->flight_bytes -= path->mss;
    path->delivered_bytes += path->mss;
    slt_rate_on_delivered(&path->rate, &packet->stamp, path->mss, path->now_ns);
    path->srtt_us += (uint32_t)(((int64_t)rtt_us - path->srtt_us) / 8);
    path->min_rtt_us = slt_min32(path->min_rtt_us, rtt_us);
    uint32_t lost = find_losses(path, index);
    note_losses(path, lost, prior_flight);
    drop_settled(path);
    struct slt_cc_ack ack = {.now_ns = path->now_ns,
                             .prior_flight_bytes = prior_flight,
                             .flight_bytes = path->flight_bytes,
                             .una = path->una,
                             .nxt = path->nxt,
                             .acked_bytes = path->mss,
                             .delivered_bytes = path->mss,
                             .lost_bytes = lost,
                             .mss = path->mss,
                             .rtt_us = rtt_us,
                             .srtt_us = path->srtt_us,
                             .min_rtt_us = path->min_rtt_us,
                             .cwnd_limited = slt_cc_is_limited(&path->cc)};
    slt_rate_sample(&path->rate, path->min_rtt_us, &ack.rate);
    tell(path, &ack);
}

/* The first packet whose acknowledgement is on its way: they come back in order. */
static uint32_t next_acked(struct cc_path *path)
{
    for (uint32_t i = 0; i < path->count; i++) {
        int64_t at_ns = packet_at(path, i)->acked_at_ns;
        if (at_ns != 0 && at_ns != SLT_NEVER) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* Nothing comes back any more: the rest was lost, and a timeout would have said so. */
static void time_out(struct cc_path *path)
{
    struct slt_cc_loss loss = {.now_ns = path->now_ns,
                               .flight_bytes = path->flight_bytes,
                               .una = path->una,
                               .nxt = path->nxt,
                               .mss = path->mss,
                               .first = true};

    path->count = 0;
    path->flight_bytes = 0;
    path->una = path->nxt;
    path->recovering = false;
    slt_cc_on_timeout(&path->cc, &loss);
}

void cc_path_run(struct cc_path *path, int64_t for_ns)
{
    int64_t end_ns = path->now_ns + for_ns;

    update_pace(path);
    while (path->now_ns < end_ns) {
        send_all(path);
        uint32_t index = next_acked(path);
        int64_t next_ns = index == UINT32_MAX ? SLT_NEVER : packet_at(path, index)->acked_at_ns;
        bool waits = has_data(path) && window_open(path) && !pace_open(path);
        int64_t pace_ns = waits ? path->pacing.next_at_ns : SLT_NEVER;
        if (slt_min64(next_ns, pace_ns) > end_ns) {
            path->now_ns = end_ns;
            if (path->count > 0 && index == UINT32_MAX) {
                time_out(path);
            }
            break;
        }
        path->now_ns = slt_min64(next_ns, pace_ns);
        if (next_ns <= pace_ns) {
            take_ack(path, index);
        }
    }
}

void cc_path_offer(struct cc_path *path, uint32_t bytes)
{
    path->offered = slt_max64(path->offered, path->nxt) + bytes;
}
