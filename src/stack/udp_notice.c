/* What the network says about datagrams that were sent: ICMP errors, to the socket that they quote.
 *
 * The quoted tuple must be a socket's, and one that asks for smaller packets must quote what was
 * really sent (udp/large.c); more than that a datagram does not show. RFC 1122 4.1.3.3, RFC
 * 8085 5.2.
 */
#include "stack/stack.h"

#include "ip/addr.h"

/* RFC 1122 4.1.3.3, in the words of a status; hard: the peer will not do better next time. */
static enum salut_status status_of(enum slt_icmp_kind kind, bool *hard)
{
    *hard = kind == SLT_ICMP_PORT_UNREACHABLE || kind == SLT_ICMP_PROTOCOL_UNREACHABLE;
    switch (kind) {
    case SLT_ICMP_PORT_UNREACHABLE:
        return SALUT_REFUSED;
    case SLT_ICMP_PROTOCOL_UNREACHABLE:
        return SALUT_PROTO_UNREACHABLE;
    case SLT_ICMP_PARAMETER_PROBLEM:
        return SALUT_PROTOCOL_ERROR;
    case SLT_ICMP_NET_UNREACHABLE:
        return SALUT_NET_UNREACHABLE;
    case SLT_ICMP_TOO_BIG:
        return SALUT_TOO_BIG;
    case SLT_ICMP_HOST_UNREACHABLE:
    case SLT_ICMP_PROHIBITED:
    case SLT_ICMP_TIME_EXCEEDED:
        break;
    }
    return SALUT_HOST_UNREACHABLE;
}

static enum slt_reason lower_mtu(struct salut_stack *stack, const struct slt_icmp_notice *icmp,
                                 const struct slt_udp_id *id, uint16_t mtu)
{
    if (mtu == 0) {
        return SLT_DROP_ICMP_PMTU_IGNORED;
    }
    if (!slt_udp_sent_large(&stack->udp, id, mtu)) {
        return SLT_DROP_ICMP_NO_MATCH; /* RFC 8085 5.2: no such packet was sent */
    }
    struct slt_pmtu_news news = {.mtu = mtu,
                                 .quoted_bytes = icmp->quoted_bytes,
                                 .link_mtu =
                                     icmp->family == 4 ? stack->iface.mtu : stack->iface.mtu6};
    slt_ip_addr_copy(news.dst, icmp->dst);
    return slt_pmtu_lower(&stack->pmtu, &news, stack->now_ns);
}

enum slt_reason slt_udp_notice(struct salut_stack *stack, const struct slt_icmp_notice *icmp,
                               uint16_t mtu)
{
    bool hard;
    struct slt_udp_id id = {.local_port = icmp->src_port, .remote_port = icmp->dst_port};
    enum salut_status status = status_of((enum slt_icmp_kind)icmp->kind, &hard);
    enum slt_reason why = SLT_NOTE_UDP_ERROR;
    slt_ip_addr_copy(id.local, icmp->src);
    slt_ip_addr_copy(id.remote, icmp->dst);
    struct slt_udp_sock *s = slt_udp_find(&stack->udp, &id);
    if (s == NULL) {
        return SLT_DROP_ICMP_NO_MATCH;
    }
    if (icmp->kind == SLT_ICMP_TOO_BIG) {
        why = lower_mtu(stack, icmp, &id, mtu);
        if (why != SLT_NOTE_ICMP_PMTU) {
            return why;
        }
        hard = s->fragment == SALUT_FRAGMENT_NEVER; /* the rest is cut from now on */
    }
    slt_udp_complain(&stack->udp, s, status, hard);
    return why;
}
