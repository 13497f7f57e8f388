/* A host: a stack on a link that carries IP packets, its turns, and its capture file.
 *
 * The order of a turn is the runner's: what arrived, timers, applications, output. The stack sends
 * packets as they go on the wire (no segmentation offload), so every one is a packet of the paths.
 */
#include "lab/scenario_world.h"

#include "sock/heap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void slt_scn_address(uint32_t node, salut_addr *addr)
{
    memset(addr, 0, sizeof(*addr));
    addr->b[10] = addr->b[11] = 0xff;
    addr->b[12] = 10;
    addr->b[14] = (uint8_t)((node + 1) >> 8);
    addr->b[15] = (uint8_t)(node + 1);
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool open_capture(struct scn_world *w, uint32_t node)
{
    char path[1024];
    const char *name = w->scn->node[node].name;
    struct slt_capture_params params = {.kind = SALUT_LINK_IP, .name = name};
    if (w->options->pcap_dir == NULL) {
        return true;
    }
    (void)snprintf(path, sizeof(path), "%s/%s.pcapng", w->options->pcap_dir, name);
    params.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (params.fd >= 0 && slt_capture_open(&params, &w->host[node].capture) == SALUT_OK) {
        return true;
    }
    if (params.fd >= 0) {
        (void)close(params.fd);
    }
    (void)snprintf(w->why, SLT_SCN_SENTENCE_MAX, "%.300s cannot be written", path);
    return false;
}

/* What a scenario's hosts need less of than a server: memory is taken by the slab, but the tables
 * are there from the start. */
static void limit(struct salut_config *config)
{
    config->conns_max = 32768;
    config->time_wait_max = 32768;
    config->event_ring = 0;
    config->neighbours_max = 16;
    config->link_kind = SALUT_LINK_IP;
    config->gso_max_bytes = 0;
    config->tx_checksum = 0;
    config->duplicate_address_detection = 0;
    config->recv_buffer_max_bytes =
        slt_max32(config->recv_buffer_max_bytes, config->recv_buffer_bytes);
    config->send_buffer_max_bytes =
        slt_max32(config->send_buffer_max_bytes, config->send_buffer_bytes);
}

bool slt_scn_host_start(struct scn_world *w, uint32_t node)
{
    struct scn_host *host = &w->host[node];
    struct salut_config config = w->scn->node[node].config;
    salut_addr addr;
    w->deadline_ns[node] = SLT_NEVER;
    if (w->scn->node[node].router) {
        return true;
    }
    limit(&config);
    config.alloc = slt_heap_take;
    config.free = slt_heap_give;
    for (size_t i = 0; i < sizeof(config.seed); i++) {
        config.seed[i] = (uint8_t)slt_prng_below(&w->prng, 256);
    }
    enum salut_status status = salut_create(&config, &host->stack);
    slt_scn_address(node, &addr);
    if (status != SALUT_OK || salut_add_address(host->stack, &addr, 8) != SALUT_OK) {
        (void)snprintf(w->why, SLT_SCN_SENTENCE_MAX, "host %s cannot be made: %s",
                       w->scn->node[node].name, salut_status_text(status));
        return false;
    }
    host->flow_of_port = malloc(65536 * sizeof(uint32_t));
    if (host->flow_of_port == NULL) {
        (void)snprintf(w->why, SLT_SCN_SENTENCE_MAX, "no memory");
        return false;
    }
    memset(host->flow_of_port, 0xff, 65536 * sizeof(uint32_t));
    return open_capture(w, node);
}

void slt_scn_host_stop(struct scn_world *w, uint32_t node)
{
    struct scn_host *host = &w->host[node];
    salut_destroy(host->stack);
    host->stack = NULL;
    free(host->flow_of_port);
    host->flow_of_port = NULL;
    if (host->capture != NULL) {
        (void)slt_capture_flush(host->capture);
        host->capture->close(host->capture);
        host->capture = NULL;
    }
}

/* ---- packets -------------------------------------------------------------------------------- */

static void show(struct scn_world *w, uint32_t node, const struct scn_packet *packet, bool outbound)
{
    struct scn_host *host = &w->host[node];
    struct salut_rx_frame frame = {.data = packet->data, .bytes = packet->bytes};
    struct slt_tee_frame shown = {
        .view = slt_frame_view_of_rx(&frame, SALUT_LINK_IP),
        .outbound = outbound,
        .at_ns = w->now_ns,
        .number = host->captured,
    };
    if (host->capture != NULL) {
        host->captured++;
        host->capture->take(host->capture, &shown);
    }
}

void slt_scn_host_receive(struct scn_world *w, uint32_t node, struct scn_packet *packet)
{
    struct scn_host *host = &w->host[node];
    struct salut_rx_frame frame = {.data = packet->data, .bytes = packet->bytes};
    struct scn_segment segment;
    w->result->packets++;
    slt_digest_u64(&w->hash, (uint64_t)w->now_ns);
    slt_digest_u64(&w->hash, (uint64_t)node << 32 | packet->bytes);
    show(w, node, packet, false);
    if (slt_scn_segment(packet->data, packet->bytes, &segment)) {
        uint32_t sender;
        uint32_t flow = slt_scn_flow_of(w, &segment, &sender);
        if (flow != SCN_NONE) {
            slt_scn_watch_heard(w, flow, 1 - sender, &segment);
        }
    }
    salut_input(host->stack, &frame, 1, w->now_ns);
    host->touched = true;
    free(packet);
}

static void leave(struct scn_world *w, uint32_t node, const struct salut_tx_frame *frame)
{
    struct scn_packet *packet = slt_scn_packet(frame->header_bytes + frame->payload_bytes);
    struct scn_segment segment;
    uint32_t at = frame->header_bytes;
    SLT_ASSERT(frame->gso_bytes == 0 && frame->checksum_offset == 0 && frame->family == 4);
    memcpy(packet->data, frame->header, at);
    for (unsigned i = 0; i < frame->piece_count; i++) {
        memcpy(packet->data + at, frame->pieces[i].base, frame->pieces[i].bytes);
        at += (uint32_t)frame->pieces[i].bytes;
    }
    SLT_ASSERT(at == packet->bytes);
    show(w, node, packet, true);
    packet->to = ((uint32_t)packet->data[18] << 8 | packet->data[19]) - 1;
    if (slt_scn_segment(packet->data, packet->bytes, &segment)) {
        uint32_t end;
        uint32_t flow = slt_scn_flow_of(w, &segment, &end);
        if (flow != SCN_NONE) {
            slt_scn_watch_sent(w, flow, end, &segment);
        }
    }
    slt_scn_net_send(w, node, packet);
}

/* ---- turns ---------------------------------------------------------------------------------- */

void slt_scn_host_poll(struct scn_world *w, uint32_t node)
{
    unsigned rounds = 0;
    while (salut_poll(w->host[node].stack, w->now_ns) && rounds < 1000) {
        rounds++;
    }
}

void slt_scn_host_output(struct scn_world *w, uint32_t node)
{
    struct salut_stack *stack = w->host[node].stack;
    size_t count;
    while ((count = salut_output(stack, w->frames, SCN_BATCH)) > 0) {
        for (size_t i = 0; i < count; i++) {
            leave(w, node, &w->frames[i]);
        }
        salut_output_taken(stack, count);
    }
    slt_scn_watch_timeouts(w, node);
    w->deadline_ns[node] = salut_next_deadline(stack);
}

bool slt_scn_host_check(struct scn_world *w, uint32_t node)
{
    const char *broken = w->host[node].stack != NULL ? salut_check(w->host[node].stack) : NULL;
    if (broken == NULL) {
        return true;
    }
    (void)snprintf(w->result->broken, sizeof(w->result->broken), "%s at %.6f s: %s",
                   w->scn->node[node].name, (double)w->now_ns / 1e9, broken);
    return false;
}
