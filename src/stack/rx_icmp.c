/* ICMP in and out: echo, errors about our segments, neighbour discovery, and the errors we send.
 *
 * RFC 1122 3.2.2, RFC 4443, RFC 4861, RFC 5927; whether anything is sent at all is ip/icmp.h's
 * judgement, how often is the token bucket's.
 */
#include "stack/stack.h"

#include "ip/icmp.h"
#include "ip/output.h"
#include "wire/checksum.h"

#include <string.h>

#define CODE_SOURCE_ROUTE   5 /* RFC 792; RFC 1122 3.2.2.1 */
#define CODE_NET_PROHIBITED 9

/* ---- out ------------------------------------------------------------------------------------ */

/* A message in two parts, `head` (whole words) and `body`; cut into packets where it must be. */
struct message {
    uint8_t src[16];
    uint8_t dst[16];
    uint8_t protocol;
    struct slt_span head;
    struct slt_span body;
};

static struct slt_span part_of(struct slt_span all, uint32_t at, uint32_t start, uint32_t end)
{
    uint32_t from = slt_min32(slt_max32(start, at), at + all.bytes) - at;
    uint32_t to = slt_min32(slt_max32(end, at), at + all.bytes) - at;
    return (struct slt_span){to > from ? all.data + from : NULL, to - from};
}

static void send_message(struct salut_stack *stack, const struct message *message)
{
    uint8_t header[SLT_IP_HEADERS_MAX];
    struct slt_ip_send send = {.protocol = message->protocol};
    uint32_t total = message->head.bytes + message->body.bytes;
    uint32_t mtu = slt_net_pmtu(stack, message->dst);
    slt_ip_addr_copy(send.src, message->src);
    slt_ip_addr_copy(send.dst, message->dst);
    do {
        slt_ip_cut(&send, total, mtu);
        if (send.fragment && send.offset == 0) {
            send.id = slt_ip_draw_id(&stack->chance);
        }
        struct slt_writer w = slt_writer_of(header, sizeof(header));
        uint32_t bytes = slt_ip_emit(&stack->iface, &send, &w);
        uint32_t link = slt_ip_network_offset(&stack->iface);
        uint32_t end = send.offset + send.payload_bytes;
        const struct slt_span parts[3] = {
            {header + link, bytes - link},
            part_of(message->head, 0, send.offset, end),
            part_of(message->body, message->head.bytes, send.offset, end)};
        SLT_ASSERT(bytes > link);
        if (!slt_reply_parts(stack, SLT_REPLY_PACKET, parts, message->dst)) {
            return;
        }
        send.offset = end;
    } while (send.offset < total);
}

void slt_icmp_send_error(struct salut_stack *stack, const struct slt_ip_packet *packet,
                         const struct slt_ip_error *error)
{
    struct slt_icmp_answer answer;
    uint8_t bytes[SLT_ICMP_ANSWER_MAX];
    if (!slt_icmp_answer(&stack->iface, packet, error, &answer)) {
        return;
    }
    if (!slt_icmp_limit_take(&stack->icmp_limit, stack->now_ns)) {
        slt_stack_note(stack, SLT_NOTE_ICMP_LIMITED);
        return;
    }
    struct slt_writer w = slt_writer_of(bytes, sizeof(bytes));
    struct message message = {.protocol = answer.family == 4 ? SLT_IP_PROTOCOL_ICMP4
                                                             : SLT_IP_PROTOCOL_ICMP6};
    slt_ip_addr_copy(message.src, answer.src);
    slt_ip_addr_copy(message.dst, answer.dst);
    message.head = (struct slt_span){bytes, slt_icmp_emit_answer(&answer, &w)};
    SLT_ASSERT(message.head.bytes > 0);
    send_message(stack, &message);
}

/* The reply's data stays where it came from until it is copied into the reply, so its checksum is
 * made here from its parts. */
static void send_echo(struct salut_stack *stack, const struct slt_icmp_echo *echo)
{
    uint8_t head[8] = {echo->family == 4 ? (uint8_t)SLT_ICMP4_ECHO_REPLY
                                         : (uint8_t)SLT_ICMP6_ECHO_REPLY};
    struct message message = {.protocol =
                                  echo->family == 4 ? SLT_IP_PROTOCOL_ICMP4 : SLT_IP_PROTOCOL_ICMP6,
                              .head = {head, sizeof(head)},
                              .body = echo->data};
    uint32_t sum = echo->family == 4
                       ? 0
                       : slt_checksum_pseudo(echo->src, echo->dst, SLT_IP_PROTOCOL_ICMP6,
                                             (uint32_t)sizeof(head) + echo->data.bytes);
    struct slt_writer w = slt_writer_of(head + 4, 4);
    slt_write_u16(&w, echo->id);
    slt_write_u16(&w, echo->seq);
    sum = slt_checksum_add(sum, head, sizeof(head));
    sum = slt_checksum_add(sum, echo->data.data, echo->data.bytes);
    w = slt_writer_of(head + 2, 2);
    slt_write_u16(&w, slt_checksum_finish(sum));
    slt_ip_addr_copy(message.src, echo->src);
    slt_ip_addr_copy(message.dst, echo->dst);
    send_message(stack, &message);
}

static enum slt_reason answer_echo(struct salut_stack *stack, const struct slt_ip_packet *packet,
                                   struct slt_icmp_echo *echo)
{
    if (stack->config.ping && slt_icmp_echo_reply(&stack->iface, packet, echo)) {
        send_echo(stack, echo);
        return SLT_PASS;
    }
    return SLT_DROP_ICMP_TYPE;
}

/* ---- errors about our segments -------------------------------------------------------------- */

static enum slt_tcp_notice_kind kind_of(const struct slt_icmp_notice *icmp)
{
    bool v4 = icmp->family == 4;
    if (v4 && icmp->type == SLT_ICMP4_UNREACHABLE && icmp->code == CODE_SOURCE_ROUTE) {
        return SLT_NOTICE_SOURCE_ROUTE;
    }
    if (v4 && icmp->type == SLT_ICMP4_UNREACHABLE && icmp->code == CODE_NET_PROHIBITED) {
        return SLT_NOTICE_NET_UNREACHABLE;
    }
    switch ((enum slt_icmp_kind)icmp->kind) {
    case SLT_ICMP_NET_UNREACHABLE:
        return SLT_NOTICE_NET_UNREACHABLE;
    case SLT_ICMP_HOST_UNREACHABLE:
        return SLT_NOTICE_HOST_UNREACHABLE;
    case SLT_ICMP_PROTOCOL_UNREACHABLE:
        return v4 ? SLT_NOTICE_PROTO_UNREACHABLE : SLT_NOTICE_NEXT_HEADER;
    case SLT_ICMP_PORT_UNREACHABLE:
        return SLT_NOTICE_PORT_UNREACHABLE;
    case SLT_ICMP_TOO_BIG:
        return SLT_NOTICE_TOO_BIG;
    case SLT_ICMP_PROHIBITED:
        return v4 ? SLT_NOTICE_ADMIN : SLT_NOTICE_DENIED;
    case SLT_ICMP_TIME_EXCEEDED:
        return SLT_NOTICE_TIME_EXCEEDED;
    case SLT_ICMP_PARAMETER_PROBLEM:
        return SLT_NOTICE_PARAM_PROBLEM;
    }
    SLT_UNREACHABLE("an ICMP kind of no kind");
}

/* The MTU a message asks for, held to the families' floors; 0: it is no news. */
static uint16_t acceptable_mtu(const struct salut_stack *stack, const struct slt_icmp_notice *icmp)
{
    if (icmp->family == 6) {
        return icmp->mtu < SLT_PMTU_FLOOR6 || icmp->mtu > UINT16_MAX ? 0 : (uint16_t)icmp->mtu;
    }
    uint32_t mtu = icmp->mtu;
    if (mtu == 0) { /* RFC 1191 5: an old router; guess from what was too big */
        uint32_t sent = slt_min32(icmp->quoted_bytes, stack->iface.mtu);
        mtu = slt_pmtu_plateau_below(sent == 0 ? stack->iface.mtu : sent);
    }
    return (uint16_t)slt_min32(slt_max32(mtu, stack->pmtu.floor4), UINT16_MAX);
}

static enum slt_reason tell_transport(struct salut_stack *stack, const struct slt_icmp_notice *icmp)
{
    struct slt_tcp_notice notice = {.kind = kind_of(icmp), .seq = icmp->seq};
    struct slt_tcp_id id = {.local_port = icmp->src_port, .remote_port = icmp->dst_port};
    slt_ip_addr_copy(id.local, icmp->src);
    slt_ip_addr_copy(id.remote, icmp->dst);
    if (icmp->protocol == SLT_IP_PROTOCOL_UDP) {
        return slt_udp_notice(stack, icmp, acceptable_mtu(stack, icmp));
    }
    if (notice.kind != SLT_NOTICE_TOO_BIG) {
        return slt_rx_tcp_notice(stack, &id, &notice);
    }
    notice.mtu = acceptable_mtu(stack, icmp);
    if (notice.mtu == 0) {
        return SLT_DROP_ICMP_PMTU_IGNORED;
    }
    enum slt_reason why = slt_rx_tcp_notice(stack, &id, &notice);
    if (why == SLT_NOTE_ICMP_PMTU) { /* the transport believes it: so do connections to come */
        struct slt_pmtu_news news = {.mtu = notice.mtu,
                                     .quoted_bytes = icmp->quoted_bytes,
                                     .link_mtu =
                                         icmp->family == 4 ? stack->iface.mtu : stack->iface.mtu6};
        slt_ip_addr_copy(news.dst, icmp->dst);
        slt_pmtu_lower(&stack->pmtu, &news, stack->now_ns);
    }
    return why;
}

/* ---- in ------------------------------------------------------------------------------------- */

static enum slt_reason take_icmp4(struct salut_stack *stack, const struct slt_ip_packet *packet)
{
    struct slt_icmp4 icmp;
    struct slt_icmp_notice notice;
    enum slt_reason why = slt_icmp4_parse(packet->payload, &icmp);
    if (why != SLT_PASS) {
        return why;
    }
    if (icmp.type == SLT_ICMP4_ECHO_REQUEST) {
        struct slt_icmp_echo echo = {
            .id = icmp.id, .seq = icmp.seq, .data = {icmp.data, icmp.data_bytes}};
        return answer_echo(stack, packet, &echo);
    }
    if (icmp.type == SLT_ICMP4_ECHO_REPLY) {
        return SLT_DROP_ICMP_NO_MATCH; /* nobody here asked */
    }
    why = slt_icmp4_notice(packet, &icmp, &notice);
    return why == SLT_PASS ? tell_transport(stack, &notice) : why;
}

static enum slt_reason take_nd(struct salut_stack *stack, const struct slt_ip_packet *packet,
                               const struct slt_icmp6 *icmp, const uint8_t link_src[6])
{
    struct slt_ndp ndp;
    enum slt_reason why = slt_neigh_read_nd(icmp, packet, &ndp);
    if (why != SLT_PASS) {
        return why;
    }
    struct slt_neigh_nd in = {
        .ndp = &ndp, .packet = packet, .link_src = link_src, .now_ns = stack->now_ns};
    return slt_auto_take_nd(stack, &in);
}

static enum slt_reason take_icmp6(struct salut_stack *stack, const struct slt_ip_packet *packet,
                                  const uint8_t link_src[6])
{
    struct slt_icmp6 icmp;
    struct slt_icmp_notice notice;
    enum slt_reason why = slt_icmp6_parse(packet->payload, packet->src, packet->dst, &icmp);
    if (why != SLT_PASS) {
        return why;
    }
    if (slt_icmp6_is_ndp(&icmp)) {
        return take_nd(stack, packet, &icmp, link_src);
    }
    if (icmp.type == SLT_ICMP6_ECHO_REQUEST) {
        struct slt_icmp_echo echo = {
            .id = icmp.id, .seq = icmp.seq, .data = {icmp.data, icmp.data_bytes}};
        return answer_echo(stack, packet, &echo);
    }
    if (icmp.type == SLT_ICMP6_ECHO_REPLY) {
        return SLT_DROP_ICMP_NO_MATCH;
    }
    why = slt_icmp6_notice(packet, &icmp, &notice);
    return why == SLT_PASS ? tell_transport(stack, &notice) : why;
}

enum slt_reason slt_rx_icmp(struct salut_stack *stack, const struct slt_ip_packet *packet,
                            const uint8_t link_src[6])
{
    return packet->family == 4 ? take_icmp4(stack, packet) : take_icmp6(stack, packet, link_src);
}
