/* From a segment or datagram to a frame: link header, IP header, transport header, checksum, and
 * the payload as references into the send queue.
 *
 * With a link that completes checksums (config.tx_checksum) the field holds the folded sum of the
 * pseudo header, and the frame says where to sum from and where the result goes; a super-frame is
 * always left to the link, which cuts it. Else the sum runs over header and payload here.
 *
 * RFC 9293 3.1, 3.7.1; RFC 791; RFC 6864 4.1 (an atomic datagram's identification may be any
 * value); RFC 8200 3; RFC 6437 3 (a flow label that stays the same for a connection, and tells an
 * outsider nothing).
 */
#include "stack/stack.h"

#include "ip/addr.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <string.h>

#define TCP_CHECKSUM_OFFSET 16U
#define UDP_CHECKSUM_OFFSET 6U

static void write_link(const struct salut_stack *stack, const uint8_t mac[6], uint8_t family,
                       struct slt_writer *w)
{
    if (stack->config.link_kind != SALUT_LINK_ETHERNET) {
        return;
    }
    uint8_t *header = slt_write_room(w, SLT_ETHERNET_HEADER_BYTES);
    SLT_ASSERT(header != NULL);
    memcpy(header, mac, SLT_MAC_BYTES);
    memcpy(header + SLT_MAC_BYTES, stack->config.mac, SLT_MAC_BYTES);
    slt_put_u16(header + 2 * SLT_MAC_BYTES, family == 4 ? SLT_ETHERTYPE_IPV4 : SLT_ETHERTYPE_IPV6);
}

static uint32_t flow_label(const struct salut_stack *stack, const struct slt_tcp_id *id)
{
    return (uint32_t)slt_siphash13(&stack->label_key, id, sizeof(*id)) & 0xfffffU;
}

static uint32_t network_bytes(uint8_t family)
{
    return family == 4 ? SLT_IPV4_HEADER_BYTES : SLT_IPV6_HEADER_BYTES;
}

/* In front of `payload_bytes` that are there already. */
static void write_network(const struct salut_stack *stack, const struct slt_frame_to *to,
                          uint32_t payload_bytes, uint8_t *header)
{
    struct slt_writer w = slt_writer_of(header, network_bytes(to->family));
    if (to->family == 4) { /* SHLD-22: the DS field as the user set it */
        struct slt_ipv4 ip = {.dscp = (uint8_t)(to->dscp >> 2),
                              .ecn = to->ecn,
                              .ttl = to->ttl ? to->ttl : stack->iface.ttl,
                              .protocol = SLT_IP_PROTOCOL_TCP,
                              .dont_fragment = true,
                              .payload_bytes = payload_bytes};
        /* All that the header takes of them: the whole would pass through wide registers. */
        memcpy(ip.src + 12, to->id->local + 12, 4);
        memcpy(ip.dst + 12, to->id->remote + 12, 4);
        slt_ipv4_emit(&ip, &w);
        return;
    }
    struct slt_ipv6 ip = {.flow_label = flow_label(stack, to->id),
                          .dscp = (uint8_t)(to->dscp >> 2),
                          .ecn = to->ecn,
                          .next_header = SLT_IP_PROTOCOL_TCP,
                          .hop_limit = to->ttl ? to->ttl : stack->iface.hop_limit,
                          .payload_bytes = payload_bytes};
    slt_ip_addr_copy(ip.src, to->id->local);
    slt_ip_addr_copy(ip.dst, to->id->remote);
    slt_ipv6_emit(&ip, &w);
}

static uint32_t sum_pieces(const struct salut_tx_frame *frame, uint32_t sum)
{
    bool odd = false;
    for (uint32_t i = 0; i < frame->piece_count; i++) {
        uint32_t bytes = (uint32_t)frame->pieces[i].bytes;
        sum = slt_checksum_add_at(sum, frame->pieces[i].base, bytes, odd);
        odd = odd != ((bytes & 1U) != 0);
    }
    return sum;
}

/* Every segment has a checksum, ours to complete or the link's (MUST-2). */
static void write_checksum(const struct salut_stack *stack, const struct slt_frame_to *to,
                           uint32_t tcp_bytes, struct salut_tx_frame *frame)
{
    const uint8_t *src = to->id->local;
    const uint8_t *dst = to->id->remote;
    uint32_t bytes = tcp_bytes + frame->payload_bytes;
    uint32_t sum = to->family == 4 ? slt_checksum_pseudo4(src, dst, SLT_IP_PROTOCOL_TCP, bytes)
                                   : slt_checksum_pseudo(src, dst, SLT_IP_PROTOCOL_TCP, bytes);
    uint8_t *tcp = frame->header + frame->transport_offset;
    uint16_t field;
    if (stack->config.tx_checksum || frame->gso_bytes != 0) {
        field = slt_checksum_fold(sum);
        frame->checksum_start = frame->transport_offset;
        frame->checksum_offset = TCP_CHECKSUM_OFFSET;
    } else {
        sum = slt_checksum_add_tcp(sum, tcp, tcp_bytes);
        field = slt_checksum_finish(sum_pieces(frame, sum));
    }
    slt_put_u16(tcp + TCP_CHECKSUM_OFFSET, field);
}

static void clear_frame(struct salut_tx_frame *frame)
{
    frame->piece_count = 0;
    frame->payload_bytes = 0;
    frame->gso_bytes = 0;
    frame->checksum_start = 0;
    frame->checksum_offset = 0;
    frame->transport_offset = 0;
    frame->network_offset = 0;
}

static void take_pieces(struct salut_tx_frame *frame, const struct slt_piece *pieces,
                        uint32_t count)
{
    SLT_ASSERT(count <= SALUT_FRAME_PIECES_MAX);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        frame->pieces[i] = (struct salut_iovec){pieces[i].data, pieces[i].bytes};
        bytes += pieces[i].bytes;
    }
    frame->piece_count = (uint16_t)count;
    frame->payload_bytes = bytes;
}

void slt_stack_frame_tcp(const struct salut_stack *stack, const struct slt_frame_to *to,
                         const struct slt_tcp_segment *seg, const struct slt_piece *pieces,
                         struct salut_tx_frame *frame)
{
    struct slt_writer w = slt_writer_of(frame->header, SALUT_FRAME_HEADER_MAX);
    clear_frame(frame);
    take_pieces(frame, pieces, to->piece_count);
    SLT_ASSERT(frame->payload_bytes == seg->payload_bytes);
    frame->family = to->family;
    frame->gso_bytes = to->gso_bytes;
    write_link(stack, to->mac, to->family, &w);
    frame->network_offset = (uint8_t)w.at;
    uint8_t *network = slt_write_room(&w, network_bytes(to->family));
    frame->transport_offset = (uint8_t)w.at;
    uint32_t tcp_bytes = slt_tcp_emit(seg, &w);
    SLT_ASSERT(!w.failed);
    write_network(stack, to, tcp_bytes + frame->payload_bytes, network);
    frame->header_bytes = (uint16_t)w.at;
    write_checksum(stack, to, tcp_bytes, frame);
}

/* ---- UDP ------------------------------------------------------------------------------------ */

/* The sum over all of a datagram's bytes, wherever they lie. */
static uint32_t sum_datagram(const struct salut_stack *stack, const struct slt_udp_frame *udp,
                             uint32_t sum)
{
    struct slt_cursor cursor = udp->cursor;
    bool odd = false;
    for (uint32_t left = udp->head->bytes; left > 0;) {
        struct slt_piece piece;
        uint32_t seen = 0;
        uint32_t found =
            slt_chain_view(udp->chain, &stack->tcp.bufs, cursor, left, &piece, 1, &seen, &cursor);
        SLT_ASSERT(found == 1);
        sum = slt_checksum_add_at(sum, piece.data, piece.bytes, odd);
        odd = odd != ((piece.bytes & 1U) != 0);
        left -= seen;
    }
    return sum;
}

/* RFC 768, RFC 1122 4.1.3.4: always with a checksum, of which zero is written as its other form. A
 * link completes that of whole datagrams alone. */
static void write_udp(const struct salut_stack *stack, const struct slt_udp_frame *udp,
                      struct slt_writer *w, struct salut_tx_frame *frame)
{
    const struct slt_ip_send *send = udp->send;
    const struct slt_udp_datagram header = {.src_port = udp->local_port,
                                            .dst_port = udp->head->remote_port,
                                            .payload_bytes = udp->head->bytes};
    uint32_t at = w->at;
    uint32_t written = slt_udp_emit(&header, w);
    SLT_ASSERT(written == SLT_UDP_HEADER_BYTES);
    uint32_t sum = slt_checksum_pseudo(send->src, send->dst, SLT_IP_PROTOCOL_UDP,
                                       SLT_UDP_HEADER_BYTES + udp->head->bytes);
    uint16_t field;
    if (stack->config.tx_checksum &&
        send->payload_bytes == SLT_UDP_HEADER_BYTES + udp->head->bytes) {
        field = slt_checksum_fold(sum);
        frame->checksum_start = (uint16_t)at;
        frame->checksum_offset = UDP_CHECKSUM_OFFSET;
    } else {
        sum = slt_checksum_add(sum, frame->header + at, SLT_UDP_HEADER_BYTES);
        field = slt_checksum_finish(sum_datagram(stack, udp, sum));
        field = field == 0 ? UINT16_MAX : field;
    }
    slt_put_u16(frame->header + at + UDP_CHECKSUM_OFFSET, field);
}

/* RFC 6437 3: one label for a datagram's pieces and for all datagrams between two ports. */
static uint32_t label_of(const struct salut_stack *stack, const struct slt_udp_frame *udp)
{
    struct slt_tcp_id id = {.local_port = udp->local_port, .remote_port = udp->head->remote_port};
    slt_ip_addr_copy(id.local, udp->head->local);
    slt_ip_addr_copy(id.remote, udp->head->remote);
    return flow_label(stack, &id);
}

void slt_stack_frame_udp(const struct salut_stack *stack, const struct slt_udp_frame *udp,
                         struct salut_tx_frame *frame)
{
    struct slt_ip_send send = *udp->send;
    struct slt_piece pieces[SALUT_FRAME_PIECES_MAX];
    struct slt_cursor cursor = udp->cursor;
    uint32_t payload_bytes = send.payload_bytes;
    uint32_t seen = 0;
    struct slt_writer w = slt_writer_of(frame->header, SALUT_FRAME_HEADER_MAX);
    clear_frame(frame);
    frame->family = slt_address_is_v4(send.dst) ? 4 : 6;
    frame->network_offset = (uint8_t)slt_ip_network_offset(&stack->iface);
    send.flow_label = frame->family == 6 ? label_of(stack, udp) : 0;
    uint32_t written = slt_ip_emit(&stack->iface, &send, &w);
    SLT_ASSERT(written > 0);
    frame->transport_offset = (uint8_t)w.at;
    if (send.offset == 0) {
        write_udp(stack, udp, &w, frame);
        payload_bytes -= SLT_UDP_HEADER_BYTES;
    } else {
        cursor = slt_chain_skip(udp->chain, &stack->tcp.bufs, cursor,
                                send.offset - SLT_UDP_HEADER_BYTES);
    }
    frame->header_bytes = (uint16_t)w.at;
    uint32_t count = slt_chain_view(udp->chain, &stack->tcp.bufs, cursor, payload_bytes, pieces,
                                    SALUT_FRAME_PIECES_MAX, &seen, &cursor);
    SLT_ASSERT(seen == payload_bytes);
    take_pieces(frame, pieces, count);
}

/* ---- replies -------------------------------------------------------------------------------- */

/* A packet or frame that was written when its cause came. */
bool slt_stack_frame_reply(const struct salut_stack *stack, const struct slt_reply *reply,
                           const uint8_t mac[6], struct salut_tx_frame *frame)
{
    struct slt_piece pieces[SALUT_FRAME_PIECES_MAX];
    struct slt_cursor after;
    uint32_t seen = 0;
    uint32_t count = 0;
    struct slt_writer w = slt_writer_of(frame->header, SALUT_FRAME_HEADER_MAX);
    clear_frame(frame);
    frame->family = 0;
    if (reply->kind == SLT_REPLY_PACKET) {
        frame->family = reply->of.bytes[0] >> 4 == 4 ? 4 : 6;
        write_link(stack, mac, frame->family, &w);
        frame->network_offset = (uint8_t)w.at;
        uint32_t ip_bytes =
            frame->family == 4 ? (reply->of.bytes[0] & 15U) * 4U : SLT_IPV6_HEADER_BYTES;
        frame->transport_offset = (uint8_t)(w.at + ip_bytes);
    }
    slt_write_bytes(&w, reply->of.bytes, reply->byte_count);
    SLT_ASSERT(!w.failed);
    frame->header_bytes = (uint16_t)w.at;
    if (reply->body.bytes > 0) {
        count = slt_chain_view(&reply->body, &stack->tcp.bufs, slt_cursor_first(),
                               reply->body.bytes, pieces, SALUT_FRAME_PIECES_MAX, &seen, &after);
    }
    take_pieces(frame, pieces, count);
    return seen == reply->body.bytes;
}
