/* The receive turn: frames in, each parsed once.
 *
 * Frames are taken in groups of SLT_RX_BATCH: all of a group are parsed and their tuples hashed
 * first, while the processor fetches the hash buckets, then the objects; then the segments are
 * acted upon in their order. What is no TCP segment is acted upon at once, after the segments that
 * came before it. Nothing of a frame is kept, and every frame that goes nowhere is counted with
 * its reason.
 */
#include "stack/stack.h"

#include "ip/icmp.h"
#include "ip/neigh_arp.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/udp.h"

#include <string.h>

/* One frame on its way up. The next frame finds what its predecessor left: see repeats. */
struct rx_frame {
    struct slt_ip_packet packet;
    const uint8_t *link; /* the last link header that was found to bring an IP packet; or NULL */
    bool link_group;     /* ... to a group */
    uint8_t link_src[6];
    bool checksum_valid;
    bool usual; /* `packet` is TCP for us, whole, and without options or extension headers */
    uint32_t addresses_sum; /* usual: of the pseudo header, without the length */
};

/* ---- TCP ------------------------------------------------------------------------------------ */

static void fetch_object(const struct salut_stack *stack, uint32_t hash)
{
    slt_flow_ref ref = slt_flow_first(&stack->flow, hash);
    if (ref != SLT_FLOW_NONE) {
        const struct slt_pool *pool = stack->flow.kinds[slt_flow_kind(ref)].pool;
        const uint8_t *object = slt_pool_at(pool, slt_flow_index(ref));
        slt_prefetch(object);
        slt_prefetch(object + 64);
        slt_prefetch(object + 128);
    }
}

static void fetch_behind(const struct salut_stack *stack, uint32_t hash, bool last)
{
    slt_flow_ref ref = slt_flow_first(&stack->flow, hash);
    if (ref != SLT_FLOW_NONE && slt_flow_kind(ref) == SLT_FLOW_CONN) {
        slt_tcp_expect(&stack->tcp, slt_tcp_conn_at(&stack->tcp, slt_flow_index(ref)), last);
    }
}

/* The processor fetches what the segments of the group will touch, in steps each of which reads
 * what the one before had fetched: their objects, what lies behind these, and what behind that. A
 * few connections are in its cache anyway. */
static void fetch(const struct salut_stack *stack)
{
    const struct slt_rx_item *rx = stack->rx;
    uint32_t steps = stack->tcp.conns.used_objects < SLT_CROWD ? 1 : 3;
    for (uint32_t step = 0; step < steps; step++) {
        for (uint32_t i = 0; i < stack->rx_count; i++) {
            if (i > 0 && rx[i].hash == rx[i - 1].hash) {
                continue;
            }
            if (step == 0) {
                fetch_object(stack, rx[i].hash);
            } else {
                fetch_behind(stack, rx[i].hash, step == 2);
            }
        }
    }
}

static void flush(struct salut_stack *stack)
{
    uint32_t count = stack->rx_count;
    fetch(stack);
    for (uint32_t i = 0; i < count; i++) {
        slt_rx_tcp(stack, &stack->rx[i]);
    }
    stack->rx_count = 0;
}

static bool checksum_holds(const struct rx_frame *rx, uint8_t protocol)
{
    const struct slt_ip_packet *packet = &rx->packet;
    uint32_t bytes = packet->payload.bytes;
    uint32_t sum = rx->usual && bytes <= UINT16_MAX
                       ? slt_checksum_add_u16(rx->addresses_sum, (uint16_t)bytes)
                       : slt_checksum_pseudo(packet->src, packet->dst, protocol, bytes);
    return slt_checksum_finish(slt_checksum_add(sum, packet->payload.data, bytes)) == 0;
}

/* Segments come in runs: one that follows another of its connection shares that one's hash. */
static void hash_item(struct salut_stack *stack, struct slt_rx_item *item)
{
    const struct slt_tcp_id *before = &(item - 1)->id;
    if (stack->rx_count > 0 && before->remote_port == item->id.remote_port &&
        memcmp(&item->id, before, sizeof(*before)) == 0) {
        item->hash = (item - 1)->hash;
        return;
    }
    item->hash = slt_demux_meet(stack, &item->id);
    slt_demux_expect(stack, item->hash);
}

static enum slt_reason parse_tcp(struct salut_stack *stack, const struct rx_frame *rx)
{
    const struct slt_ip_packet *packet = &rx->packet;
    struct slt_rx_item *item = &stack->rx[stack->rx_count];
    /* RFC 9293 3.9.2.3 (MUST-57), 3.9.2 (MUST-63): no connection with a group. */
    if (packet->target != SLT_IP_TARGET_OURS && !packet->foreign) {
        return SLT_DROP_TCP_BAD_ADDRESS;
    }
    if (slt_stack_is_quiet(stack)) {
        return SLT_DROP_TCP_QUIET; /* RFC 9293 3.4.2: nothing could be answered */
    }
    /* RFC 9293 3.1 (MUST-3): before anything in the header, options included, is believed. What is
     * too short to hold a checksum the parser refuses. */
    if (packet->payload.bytes >= SLT_TCP_HEADER_BYTES && !rx->checksum_valid &&
        !checksum_holds(rx, SLT_IP_PROTOCOL_TCP)) {
        return SLT_DROP_TCP_CHECKSUM;
    }
    enum slt_reason why = slt_tcp_parse(packet->payload, &item->seg);
    if (why != SLT_PASS) {
        return why;
    }
    item->seg.ecn = packet->ecn;
    slt_ip_addr_copy(item->id.local, packet->dst);
    slt_ip_addr_copy(item->id.remote, packet->src);
    item->id.local_port = item->seg.dst_port;
    item->id.remote_port = item->seg.src_port;
    item->has_isn = false;
    item->ours = !packet->foreign;
    hash_item(stack, item);
    if (++stack->rx_count == SLT_RX_BATCH) {
        flush(stack);
    }
    return SLT_PASS;
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static enum slt_reason take_udp(struct salut_stack *stack, const struct rx_frame *rx)
{
    const struct slt_ip_packet *packet = &rx->packet;
    struct slt_udp_datagram udp;
    enum slt_reason why = slt_udp_parse(packet->payload, &udp);
    if (why != SLT_PASS) {
        return why;
    }
    /* RFC 768: zero says that the sender made none; RFC 8200 8.1: IPv6 does not allow that. */
    if (udp.checksum == 0 ? packet->family == 6
                          : !rx->checksum_valid && !checksum_holds(rx, SLT_IP_PROTOCOL_UDP)) {
        return SLT_DROP_UDP_CHECKSUM;
    }
    slt_rx_udp(stack, packet, &udp);
    return SLT_PASS;
}

/* ---- IP ------------------------------------------------------------------------------------- */

static enum slt_reason take_transport(struct salut_stack *stack, const struct rx_frame *rx)
{
    if (rx->packet.protocol == SLT_IP_PROTOCOL_TCP) {
        return parse_tcp(stack, rx);
    }
    if (rx->packet.foreign) {
        return SLT_DROP_IP_NOT_OURS;
    }
    flush(stack);
    if (rx->packet.protocol == SLT_IP_PROTOCOL_UDP) {
        return take_udp(stack, rx);
    }
    return slt_rx_icmp(stack, &rx->packet, rx->link_src);
}

static enum slt_reason parse_packet(struct salut_stack *stack, struct slt_span bytes, uint8_t way,
                                    struct slt_ip_packet *packet)
{
    enum slt_reason why = slt_ip_parse(&stack->iface, bytes, way, packet);
    if (why != SLT_PASS && packet->error.due) {
        slt_icmp_send_error(stack, packet, &packet->error);
    }
    return why;
}

/* The datagram lies in a buffer of the fragment table, so it is finished before anything else. */
static enum slt_reason take_fragment(struct salut_stack *stack, const struct rx_frame *rx)
{
    struct slt_span whole;
    flush(stack);
    uint64_t evicted = stack->frag.evicted;
    enum slt_reason why = slt_frag_input(&stack->frag, &rx->packet, stack->now_ns, &whole);
    slt_stack_tell(stack, why);
    for (; evicted < stack->frag.evicted; evicted++) {
        slt_stack_drop(stack, SLT_DROP_FRAG_MEMORY); /* R791-08 */
    }
    if (why != SLT_NOTE_FRAG_DONE) {
        return SLT_PASS;
    }
    struct rx_frame again = {.link = NULL, .checksum_valid = false};
    memcpy(again.link_src, rx->link_src, sizeof(again.link_src));
    uint8_t way = (uint8_t)(rx->packet.way | SLT_IP_WAY_REASSEMBLED);
    why = parse_packet(stack, whole, way, &again.packet);
    if (why == SLT_PASS) {
        why = take_transport(stack, &again);
        flush(stack);
    }
    slt_frag_release(&stack->frag);
    return why;
}

static bool same_v4(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, 2) == 0 && memcmp(a + 6, b + 6, 4) == 0 && memcmp(a + 12, b + 12, 8) == 0;
}

static bool same_v6(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, SLT_IPV6_HEADER_BYTES - 6) == 0;
}

/* True when the packet's header differs from the last packet's only where a connection's packets
 * differ (length, identification, checksum), and rx->packet is made this one's. Nothing has been
 * acted upon since the last one was judged, because it still waits in the group, so what was found
 * about its addresses holds for this one too. Whatever is wrong with the header itself, or merely
 * unusual, is the parser's to say. */
static bool repeats(const struct salut_stack *stack, struct slt_span bytes, uint8_t way,
                    struct rx_frame *rx)
{
    struct slt_ip_packet *packet = &rx->packet;
    if (!rx->usual || stack->rx_count == 0 || packet->way != way ||
        bytes.bytes < packet->header_bytes) {
        return false;
    }
    const uint8_t *header = bytes.data;
    bool v4 = packet->family == 4;
    if (v4 ? !same_v4(packet->packet.data, header) : !same_v6(packet->packet.data, header)) {
        return false;
    }
    uint32_t total_bytes =
        v4 ? slt_get_u16(header + 2) : SLT_IPV6_HEADER_BYTES + slt_get_u16(header + 4);
    if (total_bytes < packet->header_bytes || total_bytes > bytes.bytes) {
        return false;
    }
    if (v4 && slt_checksum_ipv4(header) != 0) {
        return false; /* RFC 1122 3.2.1.2 (R1122-02) */
    }
    packet->packet = (struct slt_span){header, total_bytes};
    packet->payload =
        (struct slt_span){header + packet->header_bytes, total_bytes - packet->header_bytes};
    packet->id = v4 ? slt_get_u16(header + 4) : 0;
    return true;
}

static bool is_usual(const struct slt_ip_packet *packet)
{
    uint32_t bare_bytes = packet->family == 4 ? SLT_IPV4_HEADER_BYTES : SLT_IPV6_HEADER_BYTES;
    return packet->protocol == SLT_IP_PROTOCOL_TCP && packet->target == SLT_IP_TARGET_OURS &&
           packet->header_bytes == bare_bytes && !packet->fragment && !packet->foreign;
}

static enum slt_reason take_ip(struct salut_stack *stack, struct slt_span bytes, uint8_t way,
                               struct rx_frame *rx)
{
    if (!repeats(stack, bytes, way, rx)) {
        rx->usual = false;
        enum slt_reason why = parse_packet(stack, bytes, way, &rx->packet);
        if (why != SLT_PASS) {
            return why;
        }
        rx->usual = is_usual(&rx->packet);
        rx->addresses_sum =
            slt_checksum_pseudo(rx->packet.src, rx->packet.dst, SLT_IP_PROTOCOL_TCP, 0);
    }
    if (rx->packet.fragment && rx->packet.foreign && stack->listen.transparent_count == 0) {
        return SLT_DROP_IP_NOT_OURS;
    }
    if (rx->packet.fragment) {
        return take_fragment(stack, rx);
    }
    if (rx->packet.family == 4 && slt_frag_next_deadline(&stack->frag) != SLT_NEVER) {
        slt_frag_flush(&stack->frag, &rx->packet); /* RFC 791 3.2 (R791-04) */
    }
    return take_transport(stack, rx);
}

/* ---- the link ------------------------------------------------------------------------------- */

static enum slt_reason take_arp(struct salut_stack *stack, const struct slt_ethernet *eth)
{
    struct slt_arp arp;
    struct slt_neigh_reply reply;
    flush(stack);
    enum slt_reason why = slt_arp_parse((struct slt_span){eth->payload, eth->payload_bytes}, &arp);
    if (why != SLT_PASS) {
        return why;
    }
    slt_auto_take_arp(stack, &arp);
    why = slt_neigh_input_arp(&stack->neigh, &stack->iface, &arp, stack->now_ns, &reply);
    slt_park_answer(stack, &reply);
    return why;
}

static uint8_t way_of(const struct salut_stack *stack, const struct salut_rx_frame *frame,
                      bool group)
{
    unsigned way = group ? SLT_IP_WAY_LINK_GROUP : 0U;
    way |= stack->loopback || frame->own ? SLT_IP_WAY_LOOPBACK : 0U;
    /* Always: a connection may outlive its address (RFC 9293 3.9.1.1, MUST-45); what turns out to
     * belong to none is dropped as not ours. */
    way |= SLT_IP_WAY_TRANSPARENT;
    return (uint8_t)way;
}

static enum slt_reason take_ethernet(struct salut_stack *stack, const struct salut_rx_frame *frame,
                                     struct rx_frame *rx)
{
    struct slt_ethernet eth;
    enum slt_reason why = slt_ethernet_parse((struct slt_span){frame->data, frame->bytes}, &eth);
    if (why != SLT_PASS) {
        return why;
    }
    bool group = slt_mac_is_group(eth.dst);
    if (slt_mac_is_group(eth.src)) {
        return SLT_DROP_FRAME_BAD_SOURCE;
    }
    if (!group && memcmp(eth.dst, stack->config.mac, SLT_MAC_BYTES) != 0) {
        return SLT_DROP_FRAME_NOT_OURS;
    }
    if (eth.type == SLT_ETHERTYPE_ARP) {
        return take_arp(stack, &eth);
    }
    if (eth.type != SLT_ETHERTYPE_IPV4 && eth.type != SLT_ETHERTYPE_IPV6) {
        return SLT_DROP_FRAME_TYPE;
    }
    uint8_t version = eth.type == SLT_ETHERTYPE_IPV4 ? 4 : 6;
    if (eth.payload_bytes > 0 && eth.payload[0] >> 4 != version) {
        return SLT_DROP_IP_VERSION;
    }
    memcpy(rx->link_src, eth.src, sizeof(rx->link_src));
    rx->link = eth.tagged || eth.payload_bytes == 0 ? NULL : frame->data;
    rx->link_group = group;
    return take_ip(stack, (struct slt_span){eth.payload, eth.payload_bytes},
                   way_of(stack, frame, group), rx);
}

/* True when the frame's link header is the last one over again: then it has been judged. What kind
 * of packet it announces must still be there. */
static bool repeats_link(const struct salut_rx_frame *frame, const struct rx_frame *rx)
{
    return rx->link != NULL && frame->bytes > SLT_ETHERNET_HEADER_BYTES &&
           memcmp(rx->link, frame->data, SLT_ETHERNET_HEADER_BYTES) == 0 &&
           ((rx->link[SLT_ETHERNET_HEADER_BYTES] ^ frame->data[SLT_ETHERNET_HEADER_BYTES]) &
            0xf0) == 0;
}

static void take_frame(struct salut_stack *stack, const struct salut_rx_frame *frame,
                       struct rx_frame *rx)
{
    enum slt_reason why;
    rx->checksum_valid = frame->checksum_valid != 0;
    if (repeats_link(frame, rx)) {
        const uint8_t *packet = frame->data + SLT_ETHERNET_HEADER_BYTES;
        why = take_ip(stack,
                      (struct slt_span){packet, (uint32_t)frame->bytes - SLT_ETHERNET_HEADER_BYTES},
                      way_of(stack, frame, rx->link_group), rx);
    } else if (stack->config.link_kind == SALUT_LINK_ETHERNET) {
        why = take_ethernet(stack, frame, rx);
    } else {
        memset(rx->link_src, 0, sizeof(rx->link_src));
        why = take_ip(stack, (struct slt_span){frame->data, frame->bytes},
                      way_of(stack, frame, frame->link_broadcast != 0), rx);
    }
    if (why != SLT_PASS) {
        slt_stack_tell(stack, why);
    }
}

void salut_input(struct salut_stack *stack, const struct salut_rx_frame *frames, size_t count,
                 int64_t now_ns)
{
    struct rx_frame rx = {.link = NULL, .usual = false};
    slt_turn_begin(stack, now_ns);
    for (size_t i = 0; i < count; i++) {
        take_frame(stack, &frames[i], &rx);
    }
    flush(stack);
}
