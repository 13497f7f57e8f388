/* Frames made by hand: a peer that need not keep any rule. */
#ifndef TESTS_STACK_CRAFT_H
#define TESTS_STACK_CRAFT_H

#include "ip/output.h"
#include "wire/checksum.h"
#include "wire/icmp4.h"
#include "world.h"

struct craft {
    salut_addr src;
    salut_addr dst;
    uint8_t dst_mac[6];
    uint8_t src_mac[6];
};

/* Write link and network headers and a payload with its transport checksum at `checksum_at`
 * (UINT32_MAX: none). Returns the frame's length. */
static inline uint32_t craft_packet(const struct craft *craft, uint8_t protocol,
                                    const uint8_t *payload, uint32_t bytes, uint32_t checksum_at,
                                    uint8_t *frame)
{
    struct slt_ip_iface iface = {.link_kind = SALUT_LINK_ETHERNET, .ttl = 64, .hop_limit = 64};
    struct slt_ip_send send = {.protocol = protocol, .payload_bytes = bytes};
    memcpy(iface.mac, craft->src_mac, 6);
    memcpy(send.src, craft->src.b, 16);
    memcpy(send.dst, craft->dst.b, 16);
    memcpy(send.dst_mac, craft->dst_mac, 6);
    struct slt_writer w = slt_writer_of(frame, WORLD_FRAME_MAX);
    uint32_t at = slt_ip_emit(&iface, &send, &w);
    slt_write_bytes(&w, payload, bytes);
    if (checksum_at != UINT32_MAX) {
        uint32_t sum = slt_checksum_pseudo(send.src, send.dst, protocol, bytes);
        uint16_t field = slt_checksum_finish(slt_checksum_add(sum, payload, bytes));
        frame[at + checksum_at] = (uint8_t)(field >> 8);
        frame[at + checksum_at + 1] = (uint8_t)field;
    }
    return w.at;
}

static inline void craft_give(struct world *world, int end, const uint8_t *frame, uint32_t bytes)
{
    struct salut_rx_frame rx = {.data = frame, .bytes = bytes};
    salut_input(world->end[end], &rx, 1, world->now_ns);
    world_check(world);
}

static inline void craft_segment(struct world *world, int end, const struct craft *craft,
                                 const struct slt_tcp_segment *seg)
{
    uint8_t tcp[2048];
    static uint8_t frame[WORLD_FRAME_MAX];
    struct slt_writer w = slt_writer_of(tcp, sizeof(tcp));
    slt_tcp_emit(seg, &w);
    slt_write_bytes(&w, seg->payload, seg->payload_bytes);
    uint32_t bytes = craft_packet(craft, SLT_IP_PROTOCOL_TCP, tcp, w.at, 16, frame);
    craft_give(world, end, frame, bytes);
}

/* A peer at `src` that speaks to end `end`, whose neighbour entry is known. */
static inline struct craft craft_peer(struct world *world, int end, const char *src)
{
    struct craft craft = {.src = world_addr(src), .src_mac = {2, 0, 0, 0, 9, 9}};
    craft.dst = slt_address_is_v4(craft.src.b) ? world->addr4[end] : world->addr6[end];
    memcpy(craft.dst_mac, world->end[end]->config.mac, 6);
    assert_true(slt_neigh_set_permanent(&world->end[end]->neigh, craft.src.b, craft.src_mac));
    return craft;
}

/* Take one frame of an end; false when it has none. */
static inline bool craft_take(struct world *world, int end, struct salut_tx_frame *frame)
{
    size_t count = salut_output(world->end[end], frame, 1);
    salut_output_taken(world->end[end], count);
    world_check(world);
    return count == 1;
}

/* The TCP segment of a frame taken, its payload left aside. */
static inline struct slt_tcp_segment craft_read(const struct salut_tx_frame *frame)
{
    struct slt_tcp_segment seg;
    struct slt_span span = {frame->header + frame->transport_offset,
                            (uint32_t)frame->header_bytes - frame->transport_offset};
    assert_int_equal(slt_tcp_parse(span, &seg), SLT_PASS);
    return seg;
}

#endif
